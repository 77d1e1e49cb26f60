/* SPDX-License-Identifier: Apache-2.0 */
/* Principal axes of a region's voxels. */
#ifndef REN_RADIOMICS_AXES_H
#define REN_RADIOMICS_AXES_H

#include "radiomics/region.h"

typedef struct ren__axes {
    double mean[3];       /* of the voxels' centres, x, y, z, in mm from the centre of the box's first voxel */
    double variance[3];   /* along the principal axes, rising, mm2: eigenvalues of the population covariance */
    double directions[9]; /* row k: unit vector of variance[k], x, y, z */
} ren__axes;

/* Variances that are not above the rounding of the largest are 0, as those of a flat region are. */
ren_status ren__axes_measure(const ren__region *region, ren__run *run, ren__axes *out) REN_CHECKED;

#endif
