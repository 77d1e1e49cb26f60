/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The class `firstorder`: the distribution of grey values, without where they are.
 *
 * A flat region has variance 0, and skewness and kurtosis 0 by PyRadiomics' definition. PyRadiomics itself gives that
 * only where its mean does not round: a region that is 0.1 throughout has -1, 0 or 1 there, and here always 0. In
 * regions that are nearly flat (a spread below 1e-8 of the value) its skewness and kurtosis are rounding noise.
 *
 * RobustMeanAbsoluteDeviation of two different values is NaN, as in PyRadiomics: neither lies between the 10th and the
 * 90th percentile.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/classes.h"
#include "radiomics/statistics.h"

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

enum {
    CHUNK = 32768,        /* voxels */
    TABLES = 4,           /* of counts for each thread: neighbours often have one level, and wait for each other less */
    TABLES_LEVELS = 4096, /* above, there is one table */
    WORD = 8
};

typedef struct counting {
    const ren__region *region;
    int64_t *counts; /* tables of level_count + 1 for each thread */
    int64_t row;     /* of one table; 0 where there is only one */
    int64_t thread_row;
} counting;

static void count_levels(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const counting *job = argument;
    const uint8_t *inside = job->region->inside;
    const uint16_t *levels = job->region->levels;
    int64_t *counts = job->counts + thread * job->thread_row;

    for (int64_t at = begin; at < end; at += WORD) {
        uint64_t word = 1;
        const int64_t stop = end - at < WORD ? end : at + WORD;
        if (stop - at == WORD) memcpy(&word, inside + at, sizeof word);
        for (int64_t i = at; i < stop && word; i++)
            counts[(i & (TABLES - 1)) * job->row + levels[i]]++; /* level 0 is outside */
    }
}

static ren_status measure_levels(const ren__region *region, ren__run *run, double *entropy, double *uniformity) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    const int64_t levels = region->level_count + 1, tables = levels <= TABLES_LEVELS ? TABLES : 1;
    counting job = { .region = region, .row = tables > 1 ? levels : 0, .thread_row = tables * levels };

    REN_CALLOC(job.counts, (size_t)context->threads * (size_t)job.thread_row);
    ren__parallel_for(context, run, region->shape[0] * region->shape[1] * region->shape[2], CHUNK, count_levels, &job);
    REN_TRY(ren__run_check(run));
    *entropy = *uniformity = 0.0;
    for (int64_t level = 1; level < levels; level++) {
        int64_t count = 0;
        for (int64_t table = 0; table < context->threads * tables; table++)
            count += job.counts[table * levels + level];
        const double p = (double)count / (double)region->count;
        *entropy -= p * log2(p + DBL_EPSILON); /* PyRadiomics' own smallest number, 2^-52 */
        *uniformity += p * p;
    }
out:
    ren__free(job.counts);
    return st;
}

static void put(const uint8_t *wanted, double *values, int feature, double value) {
    if (wanted[feature]) values[feature] = value;
}

static void put_statistics(const ren__region *region, const ren__statistics *s, const uint8_t *wanted, double *values) {
    const double *mm = region->spacing, second = s->second > 0.0 ? s->second : 1.0; /* flat: nothing to divide by */

    put(wanted, values, PERCENTILE_10, s->percentiles[0]);
    put(wanted, values, PERCENTILE_90, s->percentiles[4]);
    put(wanted, values, ENERGY, s->energy);
    put(wanted, values, INTERQUARTILE_RANGE, s->percentiles[3] - s->percentiles[1]);
    put(wanted, values, KURTOSIS, s->fourth / (second * second));
    put(wanted, values, MAXIMUM, s->highest);
    put(wanted, values, MEAN_ABSOLUTE_DEVIATION, ldexp(s->absolute, s->exponent));
    put(wanted, values, MEAN, s->mean);
    put(wanted, values, MEDIAN, s->percentiles[2]);
    put(wanted, values, MINIMUM, s->lowest);
    put(wanted, values, RANGE, s->highest - s->lowest);
    put(wanted, values, ROBUST_MEAN_ABSOLUTE_DEVIATION, s->robust);
    put(wanted, values, ROOT_MEAN_SQUARED, sqrt(s->energy / (double)region->count));
    put(wanted, values, SKEWNESS, s->third / (second * sqrt(second)));
    put(wanted, values, STANDARD_DEVIATION, ldexp(sqrt(s->second), s->exponent));
    put(wanted, values, TOTAL_ENERGY, s->energy * (mm[0] * mm[1] * mm[2]));
    put(wanted, values, VARIANCE, ldexp(s->second, 2 * s->exponent));
}

/* The parts of the statistics that the wanted features need; -1: none. */
static int32_t parts_of(const uint8_t *wanted) {
    static const int32_t parts[FEATURES] = {
        [PERCENTILE_10] = REN__STATISTICS_PERCENTILES,
        [PERCENTILE_90] = REN__STATISTICS_PERCENTILES,
        [ENTROPY] = -1,
        [INTERQUARTILE_RANGE] = REN__STATISTICS_PERCENTILES,
        [KURTOSIS] = REN__STATISTICS_CENTRAL,
        [MEAN_ABSOLUTE_DEVIATION] = REN__STATISTICS_CENTRAL,
        [MEDIAN] = REN__STATISTICS_PERCENTILES,
        [ROBUST_MEAN_ABSOLUTE_DEVIATION] = REN__STATISTICS_PERCENTILES | REN__STATISTICS_ROBUST,
        [SKEWNESS] = REN__STATISTICS_CENTRAL,
        [STANDARD_DEVIATION] = REN__STATISTICS_CENTRAL,
        [UNIFORMITY] = -1,
        [VARIANCE] = REN__STATISTICS_CENTRAL,
    };
    int32_t all = -1;

    for (int f = 0; f < FEATURES; f++)
        if (wanted[f] && parts[f] >= 0) all = (all < 0 ? 0 : all) | parts[f];
    return all;
}

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    ren_status st = REN_OK;
    const int32_t parts = parts_of(wanted);
    ren__statistics statistics;
    double entropy, uniformity;

    if (wanted[ENTROPY] || wanted[UNIFORMITY]) {
        REN_TRY(measure_levels(region, run, &entropy, &uniformity));
        put(wanted, values, ENTROPY, entropy);
        put(wanted, values, UNIFORMITY, uniformity);
    }
    if (parts >= 0) {
        REN_TRY(ren__statistics_measure(region, settings->voxel_array_shift, parts, run, &statistics));
        put_statistics(region, &statistics, wanted, values);
    }
out:
    return st;
}

const ren__feature_class ren__class_firstorder = { .name = "firstorder",
                                                   .features = features,
                                                   .count = FEATURES,
                                                   .parts = REN__REGION_VALUES | REN__REGION_LEVELS,
                                                   .compute = compute };
