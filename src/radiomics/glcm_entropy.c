/* SPDX-License-Identifier: Apache-2.0 */
/* Entropies of a co-occurrence matrix that are not over its entries. */
#include <float.h>
#include <math.h>

#include "radiomics/glcm.h"

/* -------------------------------------------------------------------------------------- sums and differences of levels
 */

static double term(double p) {
    return p > 0.0 ? p * log2(p + DBL_EPSILON) : 0.0;
}

/* By sums and differences that index arrays: for grey levels that are not much more than the entries. */
static ren_status group_in_arrays(ren_context *context, const ren__glcm *matrix, const double *grey, double *of_sums,
                                  double *of_differences) {
    ren_status st = REN_OK;
    const int64_t ng = (int64_t)matrix->level_last;
    double *sums = NULL, *differences, s = 0.0, d = 0.0;

    REN_CALLOC(sums, (size_t)(3 * ng + 1));
    differences = sums + 2 * ng + 1;
    for (int32_t i = 0; i < matrix->level_count; i++)
        for (int64_t e = matrix->begin[i]; e < matrix->begin[i + 1]; e++) {
            const int64_t gi = (int64_t)grey[i], gj = (int64_t)grey[matrix->columns[e]];
            sums[gi + gj] += matrix->values[e];
            differences[gi > gj ? gi - gj : gj - gi] += matrix->values[e];
        }
    for (int64_t k = 0; k < 2 * ng + 1; k++)
        s += term(sums[k]);
    for (int64_t k = 0; k < ng; k++)
        d += term(differences[k]);
    *of_sums = -s;
    *of_differences = -d;
out:
    ren__free(sums);
    return st;
}

static double entropy_of_sorted(ren__keyed *items, int64_t count) {
    double sum = 0.0, group = 0.0;

    ren__sort_keyed(items, count);
    for (int64_t k = 0; k < count; k++) {
        group += items[k].value;
        if (k + 1 < count && items[k + 1].key == items[k].key) continue;
        sum += term(group);
        group = 0.0;
    }
    return -sum;
}

static ren_status group_by_sorting(ren_context *context, const ren__glcm *matrix, const double *grey, double *of_sums,
                                   double *of_differences) {
    ren_status st = REN_OK;
    const int64_t entries = matrix->begin[matrix->level_count];
    ren__keyed *items = NULL;

    REN_ALLOC(items, (size_t)entries * sizeof *items);
    for (int which = 0; which < 2; which++) {
        for (int32_t i = 0; i < matrix->level_count; i++)
            for (int64_t e = matrix->begin[i]; e < matrix->begin[i + 1]; e++) {
                const double gj = grey[matrix->columns[e]];
                items[e] = (ren__keyed){ which ? fabs(grey[i] - gj) : grey[i] + gj, matrix->values[e] };
            }
        *(which ? of_differences : of_sums) = entropy_of_sorted(items, entries);
    }
out:
    ren__free(items);
    return st;
}

ren_status ren__glcm_group_entropies(ren_context *context, const ren__glcm *matrix, const double *grey, double *of_sums,
                                     double *of_differences) {
    const double entries = (double)matrix->begin[matrix->level_count];

    return matrix->level_last <= 8.0 * entries + 1024.0
               ? group_in_arrays(context, matrix, grey, of_sums, of_differences)
               : group_by_sorting(context, matrix, grey, of_sums, of_differences);
}

/* --------------------------------------------------------------------------------------------- products of marginals
 */

enum { PLAIN_LEVELS = 64, PRODUCTS_MAX = 1 << 22 };

/* Equal values next to each other as one, with how many they are; gives how many differ. */
static int64_t distinct(const double *p, int32_t count, ren__keyed *out) {
    int64_t kept = 0, n = 0;

    for (int32_t i = 0; i < count; i++)
        if (p[i] > 0.0) out[n++] = (ren__keyed){ p[i], 1.0 };
    ren__sort_keyed(out, n);
    for (int64_t k = 0; k < n; k++) {
        if (kept > 0 && out[kept - 1].key == out[k].key)
            out[kept - 1].value += 1.0;
        else
            out[kept++] = out[k];
    }
    return kept;
}

static double sum_products(const ren__keyed *x, int64_t nx, const ren__keyed *y, int64_t ny) {
    double sum = 0.0;

    for (int64_t i = 0; i < nx; i++)
        for (int64_t j = 0; j < ny; j++)
            sum += x[i].value * y[j].value * term(x[i].key * y[j].key);
    return sum;
}

/* sum ab log2(ab + eps) = sum ab (log2 a + log2 b) + sum eps/ln 2 - sum eps^2 / (2 ab ln 2) + ..., each a product of
 * sums over a and over b. The next term is below eps/ab squared, as a part of the second. */
static double sum_in_series(const ren__keyed *x, int64_t nx, const ren__keyed *y, int64_t ny) {
    double s[2][4] = { { 0 }, { 0 } }; /* sums of 1, a, a log2 a, 1 / a */

    for (int which = 0; which < 2; which++)
        for (int64_t i = 0; i < (which ? ny : nx); i++) {
            const ren__keyed *a = which ? &y[i] : &x[i];
            s[which][0] += a->value;
            s[which][1] += a->value * a->key;
            s[which][2] += a->value * a->key * log2(a->key);
            s[which][3] += a->value / a->key;
        }
    return s[0][2] * s[1][1] + s[0][1] * s[1][2] +
           (DBL_EPSILON * s[0][0] * s[1][0] - DBL_EPSILON * DBL_EPSILON / 2.0 * s[0][3] * s[1][3]) / log(2.0);
}

/*
 * All pairs for few levels, in PyRadiomics' order. Of many levels most have the same few numbers of voxels, and equal
 * marginals are taken together: N pairs of voxels give at most sqrt(2 N) different ones. Where they are weighted and
 * so all differ, the logarithm is taken apart.
 */
ren_status ren__glcm_product_entropy(ren_context *context, int32_t level_count, const double *px, const double *py,
                                     double *value) {
    ren_status st = REN_OK;
    ren__keyed *x = NULL, *y = NULL;
    double sum = 0.0;

    if (level_count <= PLAIN_LEVELS) {
        for (int32_t i = 0; i < level_count; i++)
            for (int32_t j = 0; j < level_count; j++)
                sum += term(px[i] * py[j]);
        *value = -sum;
        return REN_OK;
    }
    REN_ALLOC(x, (size_t)level_count * sizeof *x);
    REN_ALLOC(y, (size_t)level_count * sizeof *y);
    const int64_t nx = distinct(px, level_count, x), ny = distinct(py, level_count, y);
    /* Both are in rising order. */
    const double least = nx && ny ? x[0].key * y[0].key : 1.0;
    *value = -(nx * ny > PRODUCTS_MAX && least > 256.0 * DBL_EPSILON ? sum_in_series(x, nx, y, ny)
                                                                     : sum_products(x, nx, y, ny));
out:
    ren__free(x);
    ren__free(y);
    return st;
}
