/* SPDX-License-Identifier: Apache-2.0 */
/* Features of one co-occurrence matrix (PyRadiomics' glcm.py, whose formulas and order of summation these are). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "radiomics/glcm.h"

/* Makes probabilities of counts; 0 if there are none. */
static int normalise(ren__glcm *matrix) {
    const int64_t entries = matrix->begin[matrix->level_count];
    double total = 0.0;

    for (int64_t e = 0; e < entries; e++)
        total += matrix->values[e];
    if (!(total > 0.0)) return 0;
    for (int64_t e = 0; e < entries; e++)
        matrix->values[e] /= total;
    return 1;
}

/* Marginals px (over j) and py (over i), and their means. */
static void sum_marginals(const ren__glcm *matrix, const double *grey, double *px, double *py, double *ux, double *uy) {
    for (int32_t i = 0; i < matrix->level_count; i++)
        for (int64_t e = matrix->begin[i]; e < matrix->begin[i + 1]; e++) {
            const double p = matrix->values[e];
            px[i] += p;
            py[matrix->columns[e]] += p;
            *ux += grey[i] * p;
            *uy += grey[matrix->columns[e]] * p;
        }
}

/* What depends on |i - j|. */
static void sum_differences(const ren__glcm *matrix, const double *grey, double *values) {
    const double ng = matrix->level_last;
    double average = 0.0, variance = 0.0, contrast = 0.0, id = 0.0, idm = 0.0, idn = 0.0, idmn = 0.0, inverse = 0.0;

    for (int32_t i = 0; i < matrix->level_count; i++)
        for (int64_t e = matrix->begin[i]; e < matrix->begin[i + 1]; e++) {
            const double p = matrix->values[e], k = fabs(grey[i] - grey[matrix->columns[e]]);
            average += k * p;
            contrast += p * (k * k);
            id += p / (1.0 + k);
            idm += p / (1.0 + k * k);
            idn += p / (1.0 + k / ng);
            idmn += p / (1.0 + k * k / (ng * ng));
            if (k > 0.0) inverse += p / (k * k);
        }
    for (int32_t i = 0; i < matrix->level_count; i++)
        for (int64_t e = matrix->begin[i]; e < matrix->begin[i + 1]; e++) {
            const double d = fabs(grey[i] - grey[matrix->columns[e]]) - average;
            variance += matrix->values[e] * (d * d);
        }
    values[REN__GLCM_DIFFERENCE_AVERAGE] = values[REN__GLCM_DISSIMILARITY] = average;
    values[REN__GLCM_DIFFERENCE_VARIANCE] = variance;
    values[REN__GLCM_CONTRAST] = contrast;
    values[REN__GLCM_ID] = values[REN__GLCM_HOMOGENEITY1] = id;
    values[REN__GLCM_IDM] = values[REN__GLCM_HOMOGENEITY2] = idm;
    values[REN__GLCM_IDN] = idn;
    values[REN__GLCM_IDMN] = idmn;
    values[REN__GLCM_INVERSE_VARIANCE] = inverse;
}

/* What depends on i + j, and on i and j about their means. */
static void sum_moments(const ren__glcm *matrix, const double *grey, double ux, double uy, double *values) {
    double product = 0.0, tendency = 0.0, shade = 0.0, prominence = 0.0, average = 0.0;
    double xx = 0.0, yy = 0.0, xy = 0.0;

    for (int32_t i = 0; i < matrix->level_count; i++)
        for (int64_t e = matrix->begin[i]; e < matrix->begin[i + 1]; e++) {
            const double p = matrix->values[e], gi = grey[i], gj = grey[matrix->columns[e]];
            const double c = gi + gj - ux - uy, dx = gi - ux, dy = gj - uy;
            product += p * (gi * gj);
            average += (gi + gj) * p;
            tendency += p * (c * c);
            shade += p * (c * c * c);
            prominence += p * (c * c * c * c);
            xx += p * (dx * dx);
            yy += p * (dy * dy);
            xy += p * dx * dy;
        }
    const double sigma = sqrt(xx) * sqrt(yy);
    values[REN__GLCM_AUTOCORRELATION] = product;
    values[REN__GLCM_SUM_AVERAGE] = average;
    values[REN__GLCM_CLUSTER_TENDENCY] = values[REN__GLCM_SUM_VARIANCE] = tendency;
    values[REN__GLCM_CLUSTER_SHADE] = shade;
    values[REN__GLCM_CLUSTER_PROMINENCE] = prominence;
    values[REN__GLCM_CORRELATION] = sigma == 0.0 ? 1.0 : xy / (sigma + DBL_EPSILON);
    values[REN__GLCM_JOINT_AVERAGE] = ux;
    values[REN__GLCM_SUM_SQUARES] = xx;
}

static double entropy_of(const double *p, int64_t count) {
    double sum = 0.0;

    for (int64_t i = 0; i < count; i++)
        if (p[i] > 0.0) sum += p[i] * log2(p[i] + DBL_EPSILON);
    return -sum;
}

static ren_status sum_information(ren_context *context, const ren__glcm *matrix, const double *px, const double *py,
                                  const uint8_t *wanted, double *values) {
    ren_status st = REN_OK;
    double energy = 0.0, most = 0.0, hxy1 = 0.0, hxy2;

    for (int32_t i = 0; i < matrix->level_count; i++)
        for (int64_t e = matrix->begin[i]; e < matrix->begin[i + 1]; e++) {
            const double p = matrix->values[e];
            energy += p * p;
            if (p > most) most = p;
            if (wanted[REN__GLCM_IMC1]) hxy1 -= p * log2(px[i] * py[matrix->columns[e]] + DBL_EPSILON);
        }
    values[REN__GLCM_JOINT_ENERGY] = energy;
    values[REN__GLCM_MAXIMUM_PROBABILITY] = most;
    if (!wanted[REN__GLCM_JOINT_ENTROPY] && !wanted[REN__GLCM_IMC1] && !wanted[REN__GLCM_IMC2]) goto out;
    const double hxy = entropy_of(matrix->values, matrix->begin[matrix->level_count]);
    values[REN__GLCM_JOINT_ENTROPY] = hxy;
    if (wanted[REN__GLCM_IMC1]) {
        const double larger = fmax(entropy_of(px, matrix->level_count), entropy_of(py, matrix->level_count));
        values[REN__GLCM_IMC1] = larger != 0.0 ? (hxy - hxy1) / larger : 0.0;
    }
    if (wanted[REN__GLCM_IMC2]) {
        REN_TRY(ren__glcm_product_entropy(context, matrix->level_count, px, py, &hxy2));
        /* Where rounding makes the information negative the feature is undefined, as in PyRadiomics. */
        values[REN__GLCM_IMC2] = hxy2 == hxy ? 0.0 : sqrt(1.0 - exp(-2.0 * (hxy2 - hxy)));
    }
out:
    return st;
}

ren_status ren__glcm_features(ren_context *context, ren__glcm *matrix, const double *grey, const uint8_t *wanted,
                              ren__run *run, double values[REN__GLCM_FEATURES]) {
    ren_status st = REN_OK;
    const size_t n = (size_t)matrix->level_count;
    double *px = NULL, ux = 0.0, uy = 0.0;

    for (int f = 0; f < REN__GLCM_FEATURES; f++)
        values[f] = (double)NAN;
    if (!normalise(matrix)) goto out;
    REN_CALLOC(px, 2 * n);
    sum_marginals(matrix, grey, px, px + n, &ux, &uy);
    sum_moments(matrix, grey, ux, uy, values);
    sum_differences(matrix, grey, values);
    REN_TRY(sum_information(context, matrix, px, px + n, wanted, values));
    if (wanted[REN__GLCM_SUM_ENTROPY] || wanted[REN__GLCM_DIFFERENCE_ENTROPY])
        REN_TRY(ren__glcm_group_entropies(context, matrix, grey, &values[REN__GLCM_SUM_ENTROPY],
                                          &values[REN__GLCM_DIFFERENCE_ENTROPY]));
    if (wanted[REN__GLCM_MCC]) REN_TRY(ren__glcm_mcc(context, matrix, px, px + n, run, &values[REN__GLCM_MCC]));
out:
    ren__free(px);
    return st;
}
