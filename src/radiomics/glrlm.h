/* SPDX-License-Identifier: Apache-2.0 */
/* Grey level run lengths (Galloway 1975): how many runs of equal level there are along a direction, by length. */
#ifndef REN_RADIOMICS_GLRLM_H
#define REN_RADIOMICS_GLRLM_H

#include "radiomics/texture.h"

typedef struct ren__glrlm_plan {
    const ren__step *steps; /* one of each pair of opposite ones; components of -1, 0 and 1 */
    int64_t count;
    const double *weights; /* for each step: one matrix, their weighted sum; NULL: a matrix for each step */
    int drop_single;       /* PyRadiomics: leaves out a direction none of whose lines holds two voxels of the region */
} ren__glrlm_plan;

/* Counts and adds the features (REN__SIZE_*) of each matrix that holds anything to `mean`. A box longer than 65,535
 * voxels is REN_E_LIMIT. */
ren_status ren__glrlm_accumulate(const ren__region *region, const ren__glrlm_plan *plan, ren__run *run,
                                 ren__texture_mean *mean) REN_CHECKED;

#endif
