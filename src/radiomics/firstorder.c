/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The class `firstorder`: the distribution of grey values, without where they are.
 *
 * The region is read a few times in blocks: once for sums, extremes and levels, once for central moments, and for
 * percentiles as ranks.c does. Sums are of doubles, over blocks in a fixed order, with Neumaier's correction between
 * blocks: closer to the exact sum than numpy's and the same for every number of threads.
 *
 * A flat region has variance 0, and skewness and kurtosis 0 by PyRadiomics' definition. PyRadiomics itself gives that
 * only where its mean does not round: a region that is 0.1 throughout has -1, 0 or 1 there, and here always 0. In
 * regions that are nearly flat (a spread below 1e-8 of the value) its skewness and kurtosis are rounding noise.
 */
#include <float.h>
#include <math.h>

#include "base/parallel.h"
#include "radiomics/classes.h"
#include "radiomics/ranks.h"

enum {
    PERCENTILE_10,
    PERCENTILE_90,
    ENERGY,
    ENTROPY,
    INTERQUARTILE_RANGE,
    KURTOSIS,
    MAXIMUM,
    MEAN_ABSOLUTE_DEVIATION,
    MEAN,
    MEDIAN,
    MINIMUM,
    RANGE,
    ROBUST_MEAN_ABSOLUTE_DEVIATION,
    ROOT_MEAN_SQUARED,
    SKEWNESS,
    STANDARD_DEVIATION,
    TOTAL_ENERGY,
    UNIFORMITY,
    VARIANCE,
    FEATURES
};

static const ren__feature features[FEATURES] = {
    [PERCENTILE_10] = { "10Percentile", "[image]", "QG58", 0 },
    [PERCENTILE_90] = { "90Percentile", "[image]", "8DWT", 0 },
    [ENERGY] = { "Energy", "[image]2", "N8CA", 0 },
    [ENTROPY] = { "Entropy", "bit", "TLU2", 0 },
    [INTERQUARTILE_RANGE] = { "InterquartileRange", "[image]", "SALO", 0 },
    [KURTOSIS] = { "Kurtosis", "1", NULL, 0 }, /* not the excess kurtosis that IBSI defines */
    [MAXIMUM] = { "Maximum", "[image]", "84IY", 0 },
    [MEAN_ABSOLUTE_DEVIATION] = { "MeanAbsoluteDeviation", "[image]", "4FUA", 0 },
    [MEAN] = { "Mean", "[image]", "Q4LE", 0 },
    [MEDIAN] = { "Median", "[image]", "Y12H", 0 },
    [MINIMUM] = { "Minimum", "[image]", "1GSF", 0 },
    [RANGE] = { "Range", "[image]", "2OJQ", 0 },
    [ROBUST_MEAN_ABSOLUTE_DEVIATION] = { "RobustMeanAbsoluteDeviation", "[image]", "1128", 0 },
    [ROOT_MEAN_SQUARED] = { "RootMeanSquared", "[image]", "5ZWQ", 0 },
    [SKEWNESS] = { "Skewness", "1", "KE2A", 0 },
    [STANDARD_DEVIATION] = { "StandardDeviation", "[image]", NULL, REN__FEATURE_BY_NAME },
    [TOTAL_ENERGY] = { "TotalEnergy", "[image]2.mm3", NULL, 0 },
    [UNIFORMITY] = { "Uniformity", "1", "BJ5W", 0 },
    [VARIANCE] = { "Variance", "[image]2", "ECT3", 0 },
};

enum { CHUNK = 32 * REN__BLOCK, SUMS = 4 };

/* A sum and what its roundings have lost. */
typedef struct exact {
    double sum, lost;
} exact;

/* What a pass adds up over one chunk. */
typedef struct part {
    exact sums[SUMS];
    double low, high;
} part;

typedef struct passes {
    const ren__region *region;
    ren__run *run;
    part *parts; /* for each chunk */
    int64_t part_count;
    int64_t *levels; /* level_count + 1 for each thread */
    int64_t level_row;
    double shift;          /* voxelArrayShift */
    double centre, factor; /* of central moments: (value - centre) factor */
    double low, high;      /* values that count in the robust sums */
} passes;

static void add(exact *to, double value) {
    const double sum = to->sum + value;

    to->lost += fabs(to->sum) >= fabs(value) ? (to->sum - sum) + value : (value - sum) + to->sum;
    to->sum = sum;
}

static double total(const passes *job, int which) {
    exact all = { 0 };

    for (int64_t i = 0; i < job->part_count; i++) {
        add(&all, job->parts[i].sums[which].sum);
        add(&all, job->parts[i].sums[which].lost);
    }
    return all.sum + all.lost;
}

/* Blocks of one pass: `n` values. */
typedef void (*block_fn)(const passes *job, const double *values, int64_t n, part *to);

static void read_blocks(const passes *job, int64_t begin, int64_t end, block_fn fn) {
    part *to = &job->parts[begin / CHUNK];
    double values[REN__BLOCK];

    *to = (part){ .low = INFINITY, .high = -INFINITY };
    for (int64_t at = begin; at < end; at += REN__BLOCK) {
        const int64_t n = ren__region_gather(job->region, at, end - at < REN__BLOCK ? end - at : REN__BLOCK, values);
        if (n > 0) fn(job, values, n, to);
    }
}

static ren_status pass(passes *job, ren__range_fn fn) {
    const int64_t *shape = job->region->shape;

    ren__parallel_for(job->region->context, job->run, shape[0] * shape[1] * shape[2], CHUNK, fn, job);
    return ren__run_check(job->run);
}

/* -------------------------------------------------------------------------------------------------- the passes */

static void plain_block(const passes *job, const double *values, int64_t n, part *to) {
    const double shift = job->shift;
    double sum = 0.0, energy = 0.0, low = to->low, high = to->high;

#pragma omp simd reduction(+ : sum, energy) reduction(min : low) reduction(max : high)
    for (int64_t i = 0; i < n; i++) {
        const double v = values[i], shifted = v + shift;
        sum += v;
        energy += shifted * shifted;
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    add(&to->sums[0], sum);
    add(&to->sums[1], energy);
    to->low = low;
    to->high = high;
}

static void plain_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    read_blocks(argument, begin, end, plain_block);
}

static void levels_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const passes *job = argument;
    int64_t *levels = job->levels + thread * job->level_row;

    for (int64_t i = begin; i < end; i++)
        levels[job->region->levels[i]]++; /* 0 outside */
}

static void central_block(const passes *job, const double *values, int64_t n, part *to) {
    const double centre = job->centre, factor = job->factor;
    double absolute = 0.0, second = 0.0, third = 0.0, fourth = 0.0;

#pragma omp simd reduction(+ : absolute, second, third, fourth)
    for (int64_t i = 0; i < n; i++) {
        const double d = (values[i] - centre) * factor, square = d * d;
        absolute += fabs(d);
        second += square;
        third += square * d;
        fourth += square * square;
    }
    add(&to->sums[0], absolute);
    add(&to->sums[1], second);
    add(&to->sums[2], third);
    add(&to->sums[3], fourth);
}

static void central_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    read_blocks(argument, begin, end, central_block);
}

/* Number of values from low to high, and their sum. */
static void robust_sum_block(const passes *job, const double *values, int64_t n, part *to) {
    const double low = job->low, high = job->high;
    double count = 0.0, sum = 0.0;

#pragma omp simd reduction(+ : count, sum)
    for (int64_t i = 0; i < n; i++) {
        const int within = values[i] >= low && values[i] <= high;
        count += within ? 1.0 : 0.0;
        sum += within ? values[i] : 0.0;
    }
    add(&to->sums[0], count);
    add(&to->sums[1], sum);
}

static void robust_sum_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    read_blocks(argument, begin, end, robust_sum_block);
}

static void robust_deviation_block(const passes *job, const double *values, int64_t n, part *to) {
    const double low = job->low, high = job->high, centre = job->centre;
    double sum = 0.0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += values[i] >= low && values[i] <= high ? fabs(values[i] - centre) : 0.0;
    add(&to->sums[0], sum);
}

static void robust_deviation_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    read_blocks(argument, begin, end, robust_deviation_block);
}

/* ----------------------------------------------------------------------------------------------------- features */

static int any(const uint8_t *wanted, const int *which, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (wanted[which[i]]) return 1;
    return 0;
}

static void put(const uint8_t *wanted, double *values, int feature, double value) {
    if (wanted[feature]) values[feature] = value;
}

typedef struct extremes {
    double low, high, mean;
} extremes;

/* Always computed: the other passes need it. */
static ren_status compute_plain(passes *job, const uint8_t *wanted, double *values, extremes *out) {
    const double n = (double)job->region->count, *s = job->region->spacing;
    ren_status st = REN_OK;

    REN_TRY(pass(job, plain_pass));
    *out = (extremes){ INFINITY, -INFINITY, total(job, 0) / n };
    for (int64_t i = 0; i < job->part_count; i++) {
        out->low = job->parts[i].low < out->low ? job->parts[i].low : out->low;
        out->high = job->parts[i].high > out->high ? job->parts[i].high : out->high;
    }
    if (out->low == out->high) out->mean = out->low;
    const double energy = total(job, 1);
    put(wanted, values, MINIMUM, out->low);
    put(wanted, values, MAXIMUM, out->high);
    put(wanted, values, RANGE, out->high - out->low);
    put(wanted, values, MEAN, out->mean);
    put(wanted, values, ENERGY, energy);
    put(wanted, values, TOTAL_ENERGY, energy * (s[0] * s[1] * s[2]));
    put(wanted, values, ROOT_MEAN_SQUARED, sqrt(energy / n));
out:
    return st;
}

/* PyRadiomics' own smallest number in the logarithm, 2^-52. */
static ren_status compute_levels(passes *job, const uint8_t *wanted, double *values) {
    static const int which[] = { ENTROPY, UNIFORMITY };
    ren_context *context = job->region->context;
    const double n = (double)job->region->count;
    ren_status st = REN_OK;
    double entropy = 0.0, uniformity = 0.0;

    if (!any(wanted, which, sizeof which / sizeof *which)) return REN_OK;
    job->level_row = job->region->level_count + 1;
    REN_CALLOC(job->levels, (size_t)context->threads * (size_t)job->level_row);
    REN_TRY(pass(job, levels_pass));
    for (int64_t level = 1; level < job->level_row; level++) {
        int64_t count = 0;
        for (int32_t t = 0; t < context->threads; t++)
            count += job->levels[t * job->level_row + level];
        const double p = (double)count / n;
        entropy -= p * log2(p + DBL_EPSILON);
        uniformity += p * p;
    }
    put(wanted, values, ENTROPY, entropy);
    put(wanted, values, UNIFORMITY, uniformity);
out:
    ren__free(job->levels);
    job->levels = NULL;
    return st;
}

/* Deviations are scaled by a power of two, which rounds nothing, so that no power of them overflows or vanishes. */
static ren_status compute_central(passes *job, const extremes *e, const uint8_t *wanted, double *values) {
    static const int which[] = { KURTOSIS, MEAN_ABSOLUTE_DEVIATION, SKEWNESS, STANDARD_DEVIATION, VARIANCE };
    const double n = (double)job->region->count;
    ren_status st = REN_OK;
    double moments[SUMS] = { 0 };
    int exponent = 0;

    if (!any(wanted, which, sizeof which / sizeof *which)) return REN_OK;
    if (e->low < e->high) {
        frexp(fmax(e->high - e->mean, e->mean - e->low), &exponent);
        job->centre = e->mean;
        if (exponent < -1000) exponent = -1000;
        job->factor = ldexp(1.0, -exponent);
        REN_TRY(pass(job, central_pass));
        for (int i = 0; i < SUMS; i++)
            moments[i] = total(job, i) / n;
    }
    const double second = moments[1] > 0.0 ? moments[1] : 1.0; /* flat: nothing to divide by */
    put(wanted, values, MEAN_ABSOLUTE_DEVIATION, ldexp(moments[0], exponent));
    put(wanted, values, VARIANCE, ldexp(moments[1], 2 * exponent));
    put(wanted, values, STANDARD_DEVIATION, ldexp(sqrt(moments[1]), exponent));
    put(wanted, values, SKEWNESS, moments[2] / (second * sqrt(second)));
    put(wanted, values, KURTOSIS, moments[3] / (second * second));
out:
    return st;
}

static ren_status compute_robust(passes *job, double low, double high, double *value) {
    ren_status st = REN_OK;

    job->low = low;
    job->high = high;
    REN_TRY(pass(job, robust_sum_pass));
    const double count = total(job, 0);
    job->centre = total(job, 1) / count;
    REN_TRY(pass(job, robust_deviation_pass));
    *value = low < high ? total(job, 0) / count : 0.0;
out:
    return st;
}

static ren_status compute_percentiles(passes *job, const extremes *e, const uint8_t *wanted, double *values) {
    static const int which[] = { PERCENTILE_10, PERCENTILE_90, INTERQUARTILE_RANGE, MEDIAN,
                                 ROBUST_MEAN_ABSOLUTE_DEVIATION };
    static const double shares[] = { 0.1, 0.25, 0.5, 0.75, 0.9 };
    ren_status st = REN_OK;
    double p[5];

    if (!any(wanted, which, sizeof which / sizeof *which)) return REN_OK;
    REN_TRY(ren__region_percentiles(job->region, e->low, e->high, shares, 5, job->run, p));
    put(wanted, values, PERCENTILE_10, p[0]);
    put(wanted, values, INTERQUARTILE_RANGE, p[3] - p[1]);
    put(wanted, values, MEDIAN, p[2]);
    put(wanted, values, PERCENTILE_90, p[4]);
    if (wanted[ROBUST_MEAN_ABSOLUTE_DEVIATION])
        REN_TRY(compute_robust(job, p[0], p[4], &values[ROBUST_MEAN_ABSOLUTE_DEVIATION]));
out:
    return st;
}

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    const int64_t voxels = region->shape[0] * region->shape[1] * region->shape[2];
    passes job = { .region = region, .run = run, .part_count = (voxels + CHUNK - 1) / CHUNK };
    extremes found;

    job.shift = settings->voxel_array_shift;
    REN_CALLOC(job.parts, (size_t)job.part_count);
    REN_TRY(compute_plain(&job, wanted, values, &found));
    REN_TRY(compute_levels(&job, wanted, values));
    REN_TRY(compute_central(&job, &found, wanted, values));
    REN_TRY(compute_percentiles(&job, &found, wanted, values));
out:
    ren__free(job.parts);
    return st;
}

const ren__feature_class ren__class_firstorder = { .name = "firstorder",
                                                   .features = features,
                                                   .count = FEATURES,
                                                   .parts = REN__REGION_VALUES | REN__REGION_LEVELS,
                                                   .compute = compute };
