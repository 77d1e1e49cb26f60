/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbourhood grey tone difference (Amadasun and King 1989): how far voxels are from their neighbours' mean. */
#ifndef REN_RADIOMICS_NGTDM_H
#define REN_RADIOMICS_NGTDM_H

#include "radiomics/texture.h"

/* In the order of ren__class_ngtdm's features. */
enum {
    REN__NGTDM_BUSYNESS = 0,
    REN__NGTDM_COARSENESS,
    REN__NGTDM_COMPLEXITY,
    REN__NGTDM_CONTRAST,
    REN__NGTDM_STRENGTH,
    REN__NGTDM_FEATURES
};

typedef struct ren__ngtdm {
    int32_t level_count;
    int64_t *voxels;     /* [level_count]: n of each level */
    double *differences; /* [level_count]: sum of |grey level - mean of the neighbours inside| */
} ren__ngtdm;

/* `lonely`: voxels without a neighbour inside count as voxels with difference 0 (PyRadiomics), else not at all. */
ren_status ren__ngtdm_count(const ren__region *region, const ren__steps *steps, int lonely, ren__run *run,
                            ren__ngtdm *out) REN_CHECKED;
void ren__ngtdm_free(ren__ngtdm *matrix); /* of one that was zeroed, too */

/* All features; NaN if no voxel was counted. Complexity of many levels takes the square of their number. */
ren_status ren__ngtdm_features(ren_context *context, const ren__ngtdm *matrix, const double *grey, ren__run *run,
                               double values[REN__NGTDM_FEATURES]) REN_CHECKED;

#endif
