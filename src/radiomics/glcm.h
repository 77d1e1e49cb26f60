/* SPDX-License-Identifier: Apache-2.0 */
/* Grey level co-occurrence (Haralick 1973): how often two levels are a step apart. */
#ifndef REN_RADIOMICS_GLCM_H
#define REN_RADIOMICS_GLCM_H

#include "radiomics/texture.h"

/* In the order of ren__class_glcm's features, which is that of their names. */
enum {
    REN__GLCM_AUTOCORRELATION = 0,
    REN__GLCM_CLUSTER_PROMINENCE,
    REN__GLCM_CLUSTER_SHADE,
    REN__GLCM_CLUSTER_TENDENCY,
    REN__GLCM_CONTRAST,
    REN__GLCM_CORRELATION,
    REN__GLCM_DIFFERENCE_AVERAGE,
    REN__GLCM_DIFFERENCE_ENTROPY,
    REN__GLCM_DIFFERENCE_VARIANCE,
    REN__GLCM_DISSIMILARITY, /* deprecated: the difference average */
    REN__GLCM_HOMOGENEITY1,  /* deprecated: the inverse difference */
    REN__GLCM_HOMOGENEITY2,  /* deprecated: the inverse difference moment */
    REN__GLCM_ID,
    REN__GLCM_IDM,
    REN__GLCM_IDMN,
    REN__GLCM_IDN,
    REN__GLCM_IMC1,
    REN__GLCM_IMC2,
    REN__GLCM_INVERSE_VARIANCE,
    REN__GLCM_JOINT_AVERAGE,
    REN__GLCM_JOINT_ENERGY,
    REN__GLCM_JOINT_ENTROPY,
    REN__GLCM_MCC,
    REN__GLCM_MAXIMUM_PROBABILITY,
    REN__GLCM_SUM_AVERAGE,
    REN__GLCM_SUM_ENTROPY,
    REN__GLCM_SUM_SQUARES,
    REN__GLCM_SUM_VARIANCE, /* deprecated: the cluster tendency */
    REN__GLCM_FEATURES
};

/* What is counted and what becomes of it. */
typedef struct ren__glcm_plan {
    const ren__step *steps; /* one of each pair of opposite ones */
    int64_t count;
    const double *weights; /* for each step: one matrix, their weighted sum; NULL: a matrix for each step */
    int symmetrical;       /* each matrix is added to its transpose */
    const uint8_t *wanted; /* [REN__GLCM_FEATURES]: what is not wanted may be left at NaN */
} ren__glcm_plan;

/* Counts and adds the features of each matrix that holds anything to `mean`. Bits do not depend on the number of
 * threads. Memory: a matrix of levels for each step and thread while that is small, else one step after the other in
 * 4 bytes a voxel of the region and 12 for each pair of levels that occurs. */
ren_status ren__glcm_accumulate(const ren__region *region, const ren__glcm_plan *plan, ren__run *run,
                                ren__texture_mean *mean) REN_CHECKED;

/* ------------------------------------------------------------------------------------------------- one matrix */

/* The pairs that occur, by rising i, then rising j (both from 0). */
typedef struct ren__glcm {
    int32_t level_count;
    int32_t level_total; /* levels of the region, of which those that cannot occur here may have been left out */
    double level_last;   /* the region's highest grey level, Ng */
    int64_t *begin;      /* [level_count + 1]: entries of level i are begin[i] .. begin[i + 1] - 1 */
    uint16_t *columns;   /* j */
    double *values;      /* counts, or weighted counts; not normalised */
    int64_t capacity;
} ren__glcm;

void ren__glcm_free(ren__glcm *matrix); /* of one that was zeroed, too */
/* Features of one matrix, whose values become probabilities. A matrix without entries gives NaN. `run` may be NULL. */
ren_status ren__glcm_features(ren_context *context, ren__glcm *matrix, const double *grey, const uint8_t *wanted,
                              ren__run *run, double values[REN__GLCM_FEATURES]) REN_CHECKED;
/* The entropies of the sums and of the differences of grey levels, of a matrix of probabilities. */
ren_status ren__glcm_group_entropies(ren_context *context, const ren__glcm *matrix, const double *grey, double *of_sums,
                                     double *of_differences) REN_CHECKED;
/* -sum px py log2(px py + eps) over all pairs of levels. */
ren_status ren__glcm_product_entropy(ren_context *context, int32_t level_count, const double *px, const double *py,
                                     double *value) REN_CHECKED;
/* The maximal correlation coefficient of a matrix of probabilities with marginals px and py. */
ren_status ren__glcm_mcc(ren_context *context, const ren__glcm *matrix, const double *px, const double *py,
                         ren__run *run, double *value) REN_CHECKED;

#endif
