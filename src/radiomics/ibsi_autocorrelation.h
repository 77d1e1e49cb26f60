/* SPDX-License-Identifier: Apache-2.0 */
/* Spatial autocorrelation of a region's grey values. */
#ifndef REN_RADIOMICS_IBSI_AUTOCORRELATION_H
#define REN_RADIOMICS_IBSI_AUTOCORRELATION_H

#include "radiomics/region.h"

typedef struct ren__autocorrelation {
    double moran, geary;
} ren__autocorrelation;

/* Both are NaN where all values are equal (or the region is one voxel), and for a region whose box takes more than
 * 2^25 numbers once it is doubled along each axis (about 160 x 160 x 160 voxels): that is where memory ends, 18 bytes a
 * number. */
ren_status ren__autocorrelation_of(const ren__region *region, ren__run *run, ren__autocorrelation *out) REN_CHECKED;

#endif
