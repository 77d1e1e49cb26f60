/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones: connected voxels of equal level, 26-connected (8-connected within planes where an axis stands still). Their
 * sizes make the grey level size zone matrix (Thibault 2009), their distances from the border IBSI's distance zones.
 */
#ifndef REN_RADIOMICS_GLSZM_H
#define REN_RADIOMICS_GLSZM_H

#include "radiomics/texture.h"

/* Counts zones by level and size into `sizes`; where `distance` is given (for each voxel of the box, from 1), also by
 * level and the least distance of their voxels into `distances`. Both matrices come in zeroed and go out finished.
 * Memory: labels are kept for two slices at a time, not for the volume: 8 bytes a voxel of a slice and 28 a zone of it
 * for each thread; and for the slabs that are searched in parallel at most 0.5 bytes a voxel of the box. */
ren_status ren__zones_count(const ren__region *region, int32_t still, const uint16_t *distance, ren__run *run,
                            ren__size_matrix *sizes, ren__size_matrix *distances) REN_CHECKED;

#endif
