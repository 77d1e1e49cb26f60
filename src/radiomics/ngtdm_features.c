/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Features of a matrix of grey tone differences (PyRadiomics' ngtdm.py; IBSI 3.10). Of the sums over all pairs of
 * levels, all but that of complexity have a closed form.
 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/ngtdm.h"

/* The levels that occur: grey level, probability, sum of differences. */
typedef struct levels {
    int64_t count;
    double *grey, *p, *s, *parts;
    ren__keyed *sorted;
    double voxels, sum_s, sum_ps;
} levels;

/* sum_ij |i p_i - j p_j|: in rising order each gap lies between all before it and all behind it. */
static double absolute_differences(levels *all) {
    double sum = 0.0;

    for (int64_t i = 0; i < all->count; i++)
        all->sorted[i] = (ren__keyed){ all->grey[i] * all->p[i], 0.0 };
    ren__sort_keyed(all->sorted, all->count);
    for (int64_t i = 1; i < all->count; i++)
        sum += (all->sorted[i].key - all->sorted[i - 1].key) * ((double)i * (double)(all->count - i));
    return 2.0 * sum;
}

typedef struct complexity_job {
    const levels *all;
    double *parts; /* one for each level: a fixed order of summation */
} complexity_job;

static void sum_pairs(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const complexity_job *job = argument;
    const levels *all = job->all;

    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < i; j++)
            sum += (all->grey[i] - all->grey[j]) * (all->p[i] * all->s[i] + all->p[j] * all->s[j]) /
                   (all->p[i] + all->p[j]);
        job->parts[i] = sum;
    }
}

static ren_status complexity(ren_context *context, levels *all, ren__run *run, double *value) {
    complexity_job job = { all, all->parts };
    double sum = 0.0;

    ren__parallel_for(context, run, all->count, 1 + (1 << 16) / (1 + all->count), sum_pairs, &job);
    const ren_status st = ren__run_check(run);
    if (st != REN_OK) return st;
    for (int64_t i = 0; i < all->count; i++)
        sum += job.parts[i];
    *value = 2.0 * sum / all->voxels;
    return REN_OK;
}

/* sum_ij p_i p_j (i - j)^2 is twice the variance. */
static double contrast(const levels *all) {
    double mean = 0.0, variance = 0.0;

    if (all->count < 2) return 0.0;
    for (int64_t i = 0; i < all->count; i++)
        mean += all->p[i] * all->grey[i];
    for (int64_t i = 0; i < all->count; i++)
        variance += all->p[i] * (all->grey[i] - mean) * (all->grey[i] - mean);
    return 2.0 * variance * all->sum_s / all->voxels / ((double)all->count * (double)(all->count - 1));
}

/* sum_ij (p_i + p_j)(i - j)^2 = 2 sum_i p_i sum_j (i - j)^2, about the mean of the levels. */
static double strength(const levels *all) {
    double mean = 0.0, squares = 0.0, spread = 0.0;

    if (!(all->sum_s != 0.0)) return 0.0;
    for (int64_t i = 0; i < all->count; i++)
        mean += all->grey[i] / (double)all->count;
    for (int64_t i = 0; i < all->count; i++) {
        const double d = all->grey[i] - mean;
        squares += d * d;
        spread += all->p[i] * d * d;
    }
    return 2.0 * ((double)all->count * spread + squares) / all->sum_s;
}

ren_status ren__ngtdm_features(ren_context *context, const ren__ngtdm *matrix, const double *grey, ren__run *run,
                               double values[REN__NGTDM_FEATURES]) {
    ren_status st = REN_OK;
    levels all = { 0 };
    const size_t n = (size_t)matrix->level_count;
    double *memory = NULL;

    for (int f = 0; f < REN__NGTDM_FEATURES; f++)
        values[f] = (double)NAN;
    REN_ALLOC(memory, 4 * n * sizeof *memory);
    all.grey = memory;
    all.p = memory + n;
    all.s = memory + 2 * n;
    all.parts = memory + 3 * n;
    REN_ALLOC(all.sorted, n * sizeof *all.sorted);
    for (size_t l = 0; l < n; l++)
        all.voxels += (double)matrix->voxels[l];
    if (!(all.voxels > 0.0)) goto out;
    for (size_t l = 0; l < n; l++) {
        if (!matrix->voxels[l]) continue;
        all.grey[all.count] = grey[l];
        all.p[all.count] = (double)matrix->voxels[l] / all.voxels;
        all.s[all.count] = matrix->differences[l];
        all.sum_s += all.s[all.count];
        all.sum_ps += all.p[all.count] * all.s[all.count];
        all.count++;
    }
    REN_TRY(complexity(context, &all, run, &values[REN__NGTDM_COMPLEXITY]));
    const double differences = absolute_differences(&all);
    values[REN__NGTDM_BUSYNESS] = differences != 0.0 ? all.sum_ps / differences : 0.0;
    values[REN__NGTDM_COARSENESS] = all.sum_ps != 0.0 ? 1.0 / all.sum_ps : 1e6;
    values[REN__NGTDM_CONTRAST] = contrast(&all);
    values[REN__NGTDM_STRENGTH] = strength(&all);
out:
    ren__free(memory);
    ren__free(all.sorted);
    return st;
}
