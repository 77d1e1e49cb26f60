/* SPDX-License-Identifier: Apache-2.0 */
/* How deep in a region its voxels lie: what distance zones are made of. */
#ifndef REN_RADIOMICS_IBSI_DEPTH_H
#define REN_RADIOMICS_IBSI_DEPTH_H

#include "radiomics/region.h"

/* For each voxel of the region's box the least number of steps across faces from outside the morphological mask, 1 at
 * its border; 0 outside it. What lies outside the image is outside the mask. Along axis `still` (0 to 2) no step is
 * taken; negative: all axes. The caller frees *out. */
ren_status ren__depth_create(const ren__region *region, int32_t still, ren__run *run, uint16_t **out) REN_CHECKED;

#endif
