/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of grey values, reading the region a few times in blocks: once for sums and extremes, once for central
 * moments, for percentiles as ranks.c does, and twice for the robust deviation. The values are never copied.
 */
#include "radiomics/statistics.h"

#include <math.h>

#include "base/parallel.h"
#include "radiomics/ranks.h"

enum { CHUNK = 32 * REN__BLOCK, SUMS = 4 };

/* What a pass adds up over one chunk. */
typedef struct part {
    ren__exact sums[SUMS];
    double lowest, highest;
} part;

typedef struct passes {
    const ren__region *region;
    ren__run *run;
    part *parts; /* for each chunk */
    int64_t part_count;
    double shift;
    double centre, factor;  /* of central moments: (value - centre) factor */
    double lowest, highest; /* values that count in the robust sums */
} passes;

static double total(const passes *job, int which) {
    ren__exact all = { 0 };

    for (int64_t i = 0; i < job->part_count; i++) {
        ren__exact_add(&all, job->parts[i].sums[which].sum);
        ren__exact_add(&all, job->parts[i].sums[which].lost);
    }
    return all.sum + all.lost;
}

/* Blocks of one pass: `n` values. */
typedef void (*block_fn)(const passes *job, const double *values, int64_t n, part *to);

static void read_blocks(const passes *job, int64_t begin, int64_t end, block_fn fn) {
    part *to = &job->parts[begin / CHUNK];
    double values[REN__BLOCK] = { 0 };

    *to = (part){ .lowest = INFINITY, .highest = -INFINITY };
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
    double sum = 0.0, energy = 0.0, low = to->lowest, high = to->highest;

#pragma omp simd reduction(+ : sum, energy) reduction(min : low) reduction(max : high)
    for (int64_t i = 0; i < n; i++) {
        const double v = values[i], shifted = v + shift;
        sum += v;
        energy += shifted * shifted;
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    ren__exact_add(&to->sums[0], sum);
    ren__exact_add(&to->sums[1], energy);
    to->lowest = low;
    to->highest = high;
}

static void plain_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    read_blocks(argument, begin, end, plain_block);
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
    ren__exact_add(&to->sums[0], absolute);
    ren__exact_add(&to->sums[1], second);
    ren__exact_add(&to->sums[2], third);
    ren__exact_add(&to->sums[3], fourth);
}

static void central_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    read_blocks(argument, begin, end, central_block);
}

/* Number of values from low to high, and their sum. */
static void robust_sum_block(const passes *job, const double *values, int64_t n, part *to) {
    const double low = job->lowest, high = job->highest;
    double count = 0.0, sum = 0.0;

#pragma omp simd reduction(+ : count, sum)
    for (int64_t i = 0; i < n; i++) {
        const int within = (values[i] >= low) & (values[i] <= high);
        count += within ? 1.0 : 0.0;
        sum += within ? values[i] : 0.0;
    }
    ren__exact_add(&to->sums[0], count);
    ren__exact_add(&to->sums[1], sum);
}

static void robust_sum_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    read_blocks(argument, begin, end, robust_sum_block);
}

static void robust_deviation_block(const passes *job, const double *values, int64_t n, part *to) {
    const double low = job->lowest, high = job->highest, centre = job->centre;
    double sum = 0.0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += ((values[i] >= low) & (values[i] <= high)) ? fabs(values[i] - centre) : 0.0;
    ren__exact_add(&to->sums[0], sum);
}

static void robust_deviation_pass(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    read_blocks(argument, begin, end, robust_deviation_block);
}

/* ---------------------------------------------------------------------------------------------------- together */

static ren_status measure_plain(passes *job, double n, ren__statistics *out) {
    ren_status st = REN_OK;

    REN_TRY(pass(job, plain_pass));
    out->lowest = INFINITY;
    out->highest = -INFINITY;
    for (int64_t i = 0; i < job->part_count; i++) {
        out->lowest = job->parts[i].lowest < out->lowest ? job->parts[i].lowest : out->lowest;
        out->highest = job->parts[i].highest > out->highest ? job->parts[i].highest : out->highest;
    }
    out->mean = out->lowest < out->highest ? total(job, 0) / n : out->lowest;
    out->energy = total(job, 1);
out:
    return st;
}

static ren_status measure_central(passes *job, double n, ren__statistics *out) {
    ren_status st = REN_OK;

    if (!(out->lowest < out->highest)) return REN_OK;
    frexp(fmax(out->highest - out->mean, out->mean - out->lowest), &out->exponent);
    if (out->exponent < -1000) out->exponent = -1000; /* the factor is finite */
    job->centre = out->mean;
    job->factor = ldexp(1.0, -out->exponent);
    REN_TRY(pass(job, central_pass));
    out->absolute = total(job, 0) / n;
    out->second = total(job, 1) / n;
    out->third = total(job, 2) / n;
    out->fourth = total(job, 3) / n;
out:
    return st;
}

static ren_status measure_robust(passes *job, ren__statistics *out) {
    ren_status st = REN_OK;

    job->lowest = out->percentiles[0];
    job->highest = out->percentiles[4];
    REN_TRY(pass(job, robust_sum_pass));
    const double members = total(job, 0);
    job->centre = total(job, 1) / members;
    REN_TRY(pass(job, robust_deviation_pass));
    out->robust = job->lowest < job->highest ? total(job, 0) / members : 0.0;
out:
    return st;
}

ren_status ren__statistics_measure(const ren__region *region, double shift, int32_t parts, ren__run *run,
                                   ren__statistics *out) {
    static const double shares[5] = { 0.1, 0.25, 0.5, 0.75, 0.9 };
    ren_context *context = region->context;
    ren_status st = REN_OK;
    const int64_t voxels = region->shape[0] * region->shape[1] * region->shape[2];
    passes job = { .region = region, .run = run, .part_count = (voxels + CHUNK - 1) / CHUNK, .shift = shift };
    ren__statistics found = { 0 };
    int done;

    REN_TRY(ren__statistics_measure_whole(region, shift, parts, run, &found, &done));
    if (!done) {
        REN_CALLOC(job.parts, (size_t)job.part_count);
        REN_TRY(measure_plain(&job, (double)region->count, &found));
        if (parts & REN__STATISTICS_CENTRAL) REN_TRY(measure_central(&job, (double)region->count, &found));
        if (parts & REN__STATISTICS_PERCENTILES)
            REN_TRY(ren__region_percentiles(region, found.lowest, found.highest, shares, 5, run, found.percentiles));
        if (parts & REN__STATISTICS_ROBUST) REN_TRY(measure_robust(&job, &found));
    }
    *out = found;
out:
    ren__free(job.parts);
    return st;
}
