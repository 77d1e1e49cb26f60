/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selection by histograms. The values of an interval are counted in bins; only the bins that hold a wanted rank matter.
 * Where these hold few values, the values are collected and sorted; otherwise each becomes an interval of its own, from
 * the smallest to the largest value in it, and is done when these are equal: whole grey values are after one step.
 *
 * Bins are of equal width, except for intervals that were not cut down by that (values over many orders of magnitude):
 * there they are of equally many floating-point numbers, so that no input needs more than a few steps.
 */
#include "radiomics/ranks.h"

#include <math.h>

#include "base/parallel.h"

enum { BINS = 8192, OUTSIDE = BINS, SLOTS = BINS + 8, COLLECT_MAX = 16384, LINEAR_STEPS = 2, CHUNK = 32 * REN__BLOCK };

/* Values from low to high, to bins that rise with them. */
typedef struct scale {
    double low, high, factor;
    uint64_t low_key;
    int shift; /* of keys; -1: linear */
} scale;

typedef struct ends {
    double low, high;
} ends;

typedef struct selection {
    const ren__region *region;
    ren__run *run;
    scale scale;
    int32_t part_count; /* bins that hold a wanted rank */
    uint8_t *part_of;   /* of each bin, from 1; 0: it holds none */
    int64_t *counts;    /* SLOTS for each thread */
    ends *ends;         /* part_count for each thread: smallest and largest value */
    double *collected;  /* COLLECT_MAX */
    atomic_llong taken; /* of `collected` */
} selection;

/* Rises with the value, one for each number; -0 is 0. */
static uint64_t key_of(double value) {
    const uint64_t top = UINT64_C(1) << 63;
    uint64_t bits;

    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits & top ? ~bits : bits | top;
}

static void scale_init(scale *s, double low, double high, int step) {
    s->low = low;
    s->high = high;
    s->factor = BINS / (high - low);
    s->shift = -1;
    if (step < LINEAR_STEPS && high - low <= 1e300 && s->factor <= 1e300) return;
    s->low_key = key_of(low);
    s->shift = 0;
    while ((key_of(high) - s->low_key) >> s->shift >= BINS)
        s->shift++;
}

/* The bin of each value, OUTSIDE for those that are not in the interval. */
static void bins_of(const scale *s, const double *values, int64_t n, int32_t *bins) {
    const double low = s->low, high = s->high, factor = s->factor;

    if (s->shift >= 0) {
        for (int64_t i = 0; i < n; i++)
            bins[i] = values[i] >= low && values[i] <= high ? (int32_t)((key_of(values[i]) - s->low_key) >> s->shift)
                                                            : OUTSIDE;
        return;
    }
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const double at = (values[i] - low) * factor, last = BINS - 1, bin = at < last ? at : last;
        bins[i] = (int32_t)(((values[i] >= low) & (values[i] <= high)) ? bin : (double)OUTSIDE);
    }
}

/* The next values and their bins; gives how many. */
static int64_t read_block(const selection *job, int64_t at, int64_t end, double *values, int32_t *bins) {
    const int64_t n = ren__region_gather(job->region, at, end - at < REN__BLOCK ? end - at : REN__BLOCK, values);

    bins_of(&job->scale, values, n, bins);
    return n;
}

static void count_values(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const selection *job = argument;
    int64_t *counts = job->counts + (int64_t)thread * SLOTS;
    double values[REN__BLOCK] = { 0 };
    int32_t bins[REN__BLOCK];

    for (int64_t at = begin; at < end; at += REN__BLOCK) {
        const int64_t n = read_block(job, at, end, values, bins);
        for (int64_t i = 0; i < n; i++)
            counts[bins[i]]++;
    }
}

static void bound_parts(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const selection *job = argument;
    ends *of = job->ends + (int64_t)thread * job->part_count;
    double values[REN__BLOCK] = { 0 };
    int32_t bins[REN__BLOCK];

    for (int64_t at = begin; at < end; at += REN__BLOCK) {
        const int64_t n = read_block(job, at, end, values, bins);
        for (int64_t i = 0; i < n; i++) {
            const int32_t p = job->part_of[bins[i]];
            if (p == 0) continue;
            if (values[i] < of[p - 1].low) of[p - 1].low = values[i];
            if (values[i] > of[p - 1].high) of[p - 1].high = values[i];
        }
    }
}

static void collect_values(void *argument, int64_t begin, int64_t end, int32_t thread) {
    selection *job = argument;
    double values[REN__BLOCK] = { 0 };
    int32_t bins[REN__BLOCK];

    (void)thread;
    for (int64_t at = begin; at < end; at += REN__BLOCK) {
        const int64_t n = read_block(job, at, end, values, bins);
        int64_t kept = 0;
        for (int64_t i = 0; i < n; i++) { /* few are kept, none overwrites one that is still to be looked at */
            values[kept] = values[i];
            kept += job->part_of[bins[i]] != 0;
        }
        if (kept == 0) continue;
        const int64_t to = atomic_fetch_add(&job->taken, kept); /* in any order: they will be sorted */
        memcpy(job->collected + to, values, (size_t)kept * sizeof *values);
    }
}

static ren_status pass(selection *job, ren__range_fn fn) {
    const int64_t *shape = job->region->shape;

    ren__parallel_for(job->region->context, job->run, shape[0] * shape[1] * shape[2], CHUNK, fn, job);
    return ren__run_check(job->run);
}

static void sift_down(double *heap, int64_t count, int64_t at) {
    const double value = heap[at];

    for (int64_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1] > heap[child]) child++;
        if (heap[child] <= value) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = value;
}

static void sort(double *values, int64_t count) {
    for (int64_t i = count / 2 - 1; i >= 0; i--)
        sift_down(values, count, i);
    for (int64_t end = count - 1; end > 0; end--) {
        const double largest = values[0];
        values[0] = values[end];
        values[end] = largest;
        sift_down(values, end, 0);
    }
}

/* Ranks first .. last of those wanted, which are among the `count` values from low to high. */
typedef struct task {
    double low, high;
    int64_t before, count; /* `before`: values below `low` */
    int32_t first, last, step;
} task;

/* One part with all bins: few values, or nothing to tell apart. */
static void take_all(selection *job, const task *of, task *parts) {
    memset(job->part_of, 1, BINS);
    job->part_count = 1;
    parts[0] = *of;
}

/* Finds the bins of the ranks among those counted; gives how many values they hold. */
static int64_t find_parts(selection *job, const task *of, const int64_t *ranks, task *parts) {
    const int32_t threads = job->region->context->threads;
    int64_t before = of->before, held = 0;
    int32_t rank = of->first;

    memset(job->part_of, 0, BINS);
    job->part_count = 0;
    for (int32_t bin = 0; bin < BINS && rank <= of->last; bin++) {
        int64_t count = 0;
        for (int32_t t = 0; t < threads; t++)
            count += job->counts[(int64_t)t * SLOTS + bin];
        if (ranks[rank] < before + count) {
            task *found = &parts[job->part_count++];
            job->part_of[bin] = (uint8_t)job->part_count;
            *found = (task){ .before = before, .count = count, .first = rank, .step = of->step + 1 };
            while (rank <= of->last && ranks[rank] < before + count)
                found->last = rank++;
            held += count;
        }
        before += count;
    }
    return held;
}

/* The values of all parts, sorted, follow each other. */
static ren_status pick(selection *job, const task *parts, int64_t held, const int64_t *ranks, double *values) {
    ren_status st = REN_OK;
    int64_t skipped = 0;

    atomic_store(&job->taken, 0);
    REN_TRY(pass(job, collect_values));
    sort(job->collected, held);
    for (int32_t p = 0; p < job->part_count; p++) {
        for (int32_t rank = parts[p].first; rank <= parts[p].last; rank++)
            values[rank] = job->collected[skipped + ranks[rank] - parts[p].before];
        skipped += parts[p].count;
    }
out:
    return st;
}

/* The smallest and largest value of each part. */
static ren_status bound(selection *job, task *parts) {
    const int32_t threads = job->region->context->threads, all = threads * job->part_count;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < all; i++)
        job->ends[i] = (ends){ INFINITY, -INFINITY };
    REN_TRY(pass(job, bound_parts));
    for (int32_t p = 0; p < job->part_count; p++) {
        parts[p].low = INFINITY;
        parts[p].high = -INFINITY;
        for (int32_t t = 0; t < threads; t++) {
            const ends *e = &job->ends[t * job->part_count + p];
            parts[p].low = e->low < parts[p].low ? e->low : parts[p].low;
            parts[p].high = e->high > parts[p].high ? e->high : parts[p].high;
        }
    }
out:
    return st;
}

/* One task: its values, or tasks for its parts, which are added to `tasks`. */
static ren_status work_on(selection *job, const task *of, const int64_t *ranks, double *values, task *tasks,
                          int32_t *task_count) {
    ren_status st = REN_OK;
    int64_t held = of->count;

    for (int32_t rank = of->first; rank <= of->last && of->low == of->high; rank++)
        values[rank] = of->low;
    if (of->low == of->high) return REN_OK;
    scale_init(&job->scale, of->low, of->high, of->step);
    if (of->count <= COLLECT_MAX) {
        take_all(job, of, tasks);
    } else {
        memset(job->counts, 0, (size_t)job->region->context->threads * SLOTS * sizeof *job->counts);
        REN_TRY(pass(job, count_values));
        held = find_parts(job, of, ranks, tasks);
    }
    if (held <= COLLECT_MAX) {
        REN_TRY(pick(job, tasks, held, ranks, values));
    } else {
        REN_TRY(bound(job, tasks));
        *task_count += job->part_count;
    }
out:
    return st;
}

/* sorted[i] is ranks[order[i]]. */
static void sort_ranks(const int64_t *ranks, int32_t count, int64_t *sorted, int32_t *order) {
    for (int32_t i = 0; i < count; i++) {
        int32_t at = i;
        for (; at > 0 && sorted[at - 1] > ranks[i]; at--) {
            sorted[at] = sorted[at - 1];
            order[at] = order[at - 1];
        }
        sorted[at] = ranks[i];
        order[at] = i;
    }
}

ren_status ren__region_ranks(const ren__region *region, double minimum, double maximum, const int64_t *ranks,
                             int32_t count, ren__run *run, double *values) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    const size_t threads = (size_t)context->threads;
    selection job = { .region = region, .run = run };
    int64_t sorted[REN__RANKS_MAX] = { 0 };
    double found[REN__RANKS_MAX] = { 0 };
    int32_t order[REN__RANKS_MAX];
    task tasks[REN__RANKS_MAX + 1] = { { .low = minimum, .high = maximum, .count = region->count, .last = count - 1 } };
    int32_t task_count = 1;

    sort_ranks(ranks, count, sorted, order);
    REN_CALLOC(job.part_of, SLOTS);
    REN_CALLOC(job.counts, threads * SLOTS);
    REN_CALLOC(job.ends, threads * REN__RANKS_MAX);
    REN_CALLOC(job.collected, COLLECT_MAX);
    while (task_count > 0) { /* the tasks share the ranks, so that there are never more of them */
        const task next = tasks[--task_count];
        REN_TRY(work_on(&job, &next, sorted, found, tasks + task_count, &task_count));
    }
    for (int32_t i = 0; i < count; i++)
        values[order[i]] = found[i];
out:
    ren__free(job.part_of);
    ren__free(job.counts);
    ren__free(job.ends);
    ren__free(job.collected);
    return st;
}

ren_status ren__region_percentiles(const ren__region *region, double minimum, double maximum, const double *shares,
                                   int32_t count, ren__run *run, double *percentiles) {
    ren_status st = REN_OK;
    int64_t ranks[REN__RANKS_MAX] = { 0 };
    double values[REN__RANKS_MAX] = { 0 };

    for (int64_t i = 0; i < count; i++) {
        const int64_t below = (int64_t)floor((double)(region->count - 1) * shares[i]);
        ranks[2 * i] = below;
        ranks[2 * i + 1] = below + 1 < region->count ? below + 1 : below;
    }
    REN_TRY(ren__region_ranks(region, minimum, maximum, ranks, 2 * count, run, values));
    for (int64_t i = 0; i < count; i++) {
        const double part = (double)(region->count - 1) * shares[i] - (double)ranks[2 * i];
        percentiles[i] = ren__interpolate(part, values[2 * i], values[2 * i + 1]);
    }
out:
    return st;
}
