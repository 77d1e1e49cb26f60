/* SPDX-License-Identifier: Apache-2.0 */
/* Grey level dependence (Sun and Wee 1983; IBSI's NGLDM): how many neighbours of a voxel have nearly its level. */
#ifndef REN_RADIOMICS_GLDM_H
#define REN_RADIOMICS_GLDM_H

#include "radiomics/texture.h"

/* Counts voxels by level and 1 + the number of neighbours (all `steps`, both ways) inside whose grey level differs by
 * at most `alpha`. The matrix comes in zeroed and goes out finished. */
ren_status ren__gldm_count(const ren__region *region, const ren__steps *steps, double alpha, ren__run *run,
                           ren__size_matrix *matrix) REN_CHECKED;

#endif
