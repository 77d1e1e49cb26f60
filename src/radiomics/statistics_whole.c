/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics from how often each whole value occurs. */
#include <math.h>

#include "base/parallel.h"
#include "radiomics/ranks.h"
#include "radiomics/statistics.h"

enum {
    LOWEST = -4096, /* CT, most MR and microscopy; 64 KB of counts for each thread */
    VALUES = 16384,
    VOXELS_MIN = 32768, /* below, the counts cost more than they save */
    CHUNK = 32 * REN__BLOCK
};

typedef struct counting {
    const ren__region *region;
    uint32_t *counts;  /* VALUES for each thread */
    atomic_int broken; /* a value that is not whole, or too far from 0 */
} counting;

/* Slots of a block; gives how many values have none. */
static int32_t slots_of(const double *values, int64_t n, int32_t *slots) {
    int32_t broken = 0;

#pragma omp simd reduction(+ : broken)
    for (int64_t i = 0; i < n; i++) {
        const double at = values[i] - LOWEST, safe = at >= 0.0 && at < VALUES ? at : 0.5;
        const int32_t slot = (int32_t)safe;
        broken += (double)slot != safe;
        slots[i] = slot;
    }
    return broken;
}

static void count_values(void *argument, int64_t begin, int64_t end, int32_t thread) {
    counting *job = argument;
    uint32_t *counts = job->counts + (int64_t)thread * VALUES;
    double values[REN__BLOCK] = { 0 };
    int32_t slots[REN__BLOCK];

    for (int64_t at = begin; at < end; at += REN__BLOCK) {
        const int64_t n = ren__region_gather(job->region, at, end - at < REN__BLOCK ? end - at : REN__BLOCK, values);
        if (atomic_load_explicit(&job->broken, memory_order_relaxed)) return;
        if (slots_of(values, n, slots)) atomic_store(&job->broken, 1);
        for (int64_t i = 0; i < n; i++)
            counts[slots[i]]++;
    }
}

/* From here on, counts[i] values are LOWEST + i. */
static double value_of(int32_t slot) {
    return (double)(slot + LOWEST);
}

static void measure_sums(const uint32_t *counts, int32_t first, int32_t last, double n, double shift,
                         ren__statistics *out) {
    ren__exact sum = { 0 }, energy = { 0 };

    for (int32_t i = first; i <= last; i++) {
        const double value = value_of(i), shifted = value + shift;
        ren__exact_add(&sum, counts[i] * value);
        ren__exact_add(&energy, counts[i] * (shifted * shifted));
    }
    out->lowest = value_of(first);
    out->highest = value_of(last);
    out->mean = (sum.sum + sum.lost) / n;
    out->energy = energy.sum + energy.lost;
}

static void measure_central(const uint32_t *counts, int32_t first, int32_t last, double n, ren__statistics *out) {
    ren__exact sums[4] = { { 0 } };

    frexp(fmax(out->highest - out->mean, out->mean - out->lowest), &out->exponent);
    if (first == last) out->exponent = 0;
    for (int32_t i = first; i <= last; i++) {
        const double d = ldexp(1.0, -out->exponent) * (value_of(i) - out->mean), square = d * d;
        ren__exact_add(&sums[0], counts[i] * fabs(d));
        ren__exact_add(&sums[1], counts[i] * square);
        ren__exact_add(&sums[2], counts[i] * (square * d));
        ren__exact_add(&sums[3], counts[i] * (square * square));
    }
    out->absolute = (sums[0].sum + sums[0].lost) / n;
    out->second = (sums[1].sum + sums[1].lost) / n;
    out->third = (sums[2].sum + sums[2].lost) / n;
    out->fourth = (sums[3].sum + sums[3].lost) / n;
}

static double value_at_rank(const uint32_t *counts, int32_t first, int64_t rank) {
    while (rank >= counts[first])
        rank -= counts[first++];
    return value_of(first);
}

static void measure_percentiles(const uint32_t *counts, int32_t first, int64_t n, ren__statistics *out) {
    static const double shares[5] = { 0.1, 0.25, 0.5, 0.75, 0.9 };

    for (int i = 0; i < 5; i++) {
        const double at = (double)(n - 1) * shares[i];
        const int64_t below = (int64_t)at;
        out->percentiles[i] = ren__interpolate(at - (double)below, value_at_rank(counts, first, below),
                                               value_at_rank(counts, first, below + 1 < n ? below + 1 : below));
    }
}

static void measure_robust(const uint32_t *counts, int32_t first, int32_t last, ren__statistics *out) {
    ren__exact sum = { 0 }, distance = { 0 };
    double members = 0.0;

    for (int32_t i = first; i <= last; i++) {
        if (value_of(i) < out->percentiles[0] || value_of(i) > out->percentiles[4]) continue;
        members += counts[i];
        ren__exact_add(&sum, counts[i] * value_of(i));
    }
    const double mean = (sum.sum + sum.lost) / members;
    for (int32_t i = first; i <= last; i++)
        if (value_of(i) >= out->percentiles[0] && value_of(i) <= out->percentiles[4])
            ren__exact_add(&distance, counts[i] * fabs(value_of(i) - mean));
    out->robust = (distance.sum + distance.lost) / members;
}

ren_status ren__statistics_measure_whole(const ren__region *region, double shift, int32_t parts, ren__run *run,
                                         ren__statistics *out, int *done) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    counting job = { .region = region };
    int32_t first = 0, last = VALUES - 1;
    const double n = (double)region->count;

    *done = 0;
    if (region->count < VOXELS_MIN || region->count > UINT32_MAX) return REN_OK;
    atomic_init(&job.broken, 0);
    REN_CALLOC(job.counts, (size_t)context->threads * VALUES);
    ren__parallel_for(context, run, region->shape[0] * region->shape[1] * region->shape[2], CHUNK, count_values, &job);
    REN_TRY(ren__run_check(run));
    if (atomic_load(&job.broken)) goto out;
    for (int32_t t = 1; t < context->threads; t++)
        for (int32_t i = 0; i < VALUES; i++)
            job.counts[i] += job.counts[(int64_t)t * VALUES + i];
    while (!job.counts[first])
        first++;
    while (!job.counts[last])
        last--;
    measure_sums(job.counts, first, last, n, shift, out);
    if (parts & REN__STATISTICS_CENTRAL) measure_central(job.counts, first, last, n, out);
    if (parts & REN__STATISTICS_PERCENTILES) measure_percentiles(job.counts, first, region->count, out);
    if (parts & REN__STATISTICS_ROBUST) measure_robust(job.counts, first, last, out);
    *done = 1;
out:
    ren__free(job.counts);
    return st;
}
