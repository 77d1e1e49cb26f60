/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discretisation with the edges that PyRadiomics gets from numpy's arange and histogram, to the last bit: a value on an
 * edge falls on the same side.
 */
#include "radiomics/discretise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"

enum {
    GRAIN = 1 << 16,
    LEVELS_MAX = 65535,
    TABLE_MAX = 1 << 20, /* bins up to which each has an entry of a table; beyond, those that occur are hashed */
    SLOTS = 1 << 18
};

/* Bins that are too narrow for doubles are all one. */
static const double most_bins = 4503599627370496.0; /* 2^52 */

/* ------------------------------------------------------------------------------------------------- extremes */

typedef struct extremes_job {
    const double *values;
    const uint8_t *inside;
    ren__extremes *parts; /* one for each thread: the order does not matter to extremes */
} extremes_job;

static void find_extremes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const extremes_job *job = argument;
    ren__extremes own = job->parts[thread];
    for (int64_t i = begin; i < end; i++) {
        if (!job->inside[i]) continue;
        const double value = job->values[i];
        if (!isfinite(value)) {
            own.not_finite++;
            continue;
        }
        if (value < own.lowest) own.lowest = value;
        if (value > own.highest) own.highest = value;
    }
    job->parts[thread] = own;
}

ren_status ren__extremes_find(ren_context *context, const double *values, const uint8_t *inside, int64_t total,
                              ren__run *run, ren__extremes *out) {
    ren_status st = REN_OK;
    extremes_job job = { values, inside, NULL };
    REN_CALLOC(job.parts, (size_t)context->threads);
    for (int32_t t = 0; t < context->threads; t++)
        job.parts[t] = (ren__extremes){ INFINITY, -INFINITY, 0 };
    ren__parallel_for(context, run, total, GRAIN, find_extremes, &job);
    REN_TRY(ren__run_check(run));
    *out = job.parts[0];
    for (int32_t t = 1; t < context->threads; t++) {
        out->lowest = fmin(out->lowest, job.parts[t].lowest);
        out->highest = fmax(out->highest, job.parts[t].highest);
        out->not_finite += job.parts[t].not_finite;
    }
out:
    ren__free(job.parts);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- edges */

/* Edge i is first + i x step, but for edge 1 of a fixed width and all edges of a fixed number. */
typedef struct binning {
    double first, second, step, inverse; /* of the step */
    double *edges;                       /* `count` + 1, or NULL */
    int64_t count;                       /* numbers run from 1 to count */
} binning;

static double edge(const binning *bins, int64_t index) {
    if (bins->edges) return bins->edges[index];
    return index == 1 ? bins->second : bins->first + (double)index * bins->step;
}

/* How many edges are at most `value`: numpy's digitize. */
static int64_t bin_of(const binning *bins, double value) {
    const double guess = (value - bins->first) * bins->inverse; /* right but for the last bits: the edges decide */
    int64_t index = guess > 0.0 ? (guess < (double)bins->count ? (int64_t)guess : bins->count - 1) : 0;
    while (index > 0 && edge(bins, index) > value)
        index--;
    while (index + 1 < bins->count && edge(bins, index + 1) <= value)
        index++;
    return index + 1;
}

/* Python's %, for a positive divisor. */
static double modulo(double value, double divisor) {
    const double rest = fmod(value, divisor);
    return rest < 0.0 ? rest + divisor : rest;
}

static void one_bin(double value, binning *bins) {
    bins->count = 1;
    bins->first = value;
    bins->second = value + 1.0;
    bins->step = 1.0;
}

static void fixed_width(double begin, double highest, double width, binning *bins) {
    const double count = ceil((highest + 2.0 * width - begin) / width);
    bins->first = begin;
    bins->second = begin + width;
    bins->step = bins->second - begin;
    if (count >= 1.0 && count <= most_bins && bins->step > 0.0)
        bins->count = (int64_t)count;
    else
        one_bin(begin, bins);
}

static ren_status fixed_count(ren_context *context, const ren__extremes *extremes, int64_t count, int single,
                              binning *bins) {
    double first = extremes->lowest, last = extremes->highest;
    if (first == last) {
        first -= 0.5;
        last += 0.5;
    }
    bins->count = count;
    bins->first = first;
    const double delta = last - first, step = delta / (double)count;
    bins->step = step > 0.0 ? step : 1.0;
    bins->edges = ren__alloc_array(context, (size_t)count + 1, sizeof *bins->edges);
    if (!bins->edges) return ren__out_of_memory();
    for (int64_t i = 0; i < count; i++)
        bins->edges[i] = (step > 0.0 ? (double)i * step : (double)i / (double)count * delta) + first;
    bins->edges[count] = last;
    if (single)
        for (int64_t i = 0; i <= count; i++)
            bins->edges[i] = (double)(float)bins->edges[i];
    return REN_OK;
}

/* IBSI: the first bin begins where resegmentation does, and at the lowest value without it. */
static double bins_begin(const ren__extremes *extremes, const ren__radiomics_settings *settings) {
    if (settings->mode == REN_RADIOMICS_IBSI && settings->ibsi.bin_at_range) {
        const ren__doubles *range = &settings->resegment_range;
        if (range->count < 1 || settings->resegment_mode != REN__RESEGMENT_ABSOLUTE) return extremes->lowest;
        const double low = range->count == 2 ? fmin(range->values[0], range->values[1]) : range->values[0];
        return isfinite(low) && low <= extremes->lowest ? low : extremes->lowest;
    }
    return extremes->lowest - modulo(extremes->lowest, settings->bin_width);
}

static ren_status create_binning(ren_context *context, const ren__extremes *extremes, int single,
                                 const ren__radiomics_settings *settings, binning *out) {
    ren_status st = REN_OK;
    memset(out, 0, sizeof *out);
    if (settings->bin_count > 0)
        st = fixed_count(context, extremes, settings->bin_count, single, out);
    else
        fixed_width(bins_begin(extremes, settings), extremes->highest, settings->bin_width, out);
    out->inverse = 1.0 / out->step;
    return st;
}

/* ---------------------------------------------------------------------------------------------------- levels */

/* From bin numbers to levels. Few bins: a table, one for each thread while they are found. Many: a hash. */
typedef struct level_map {
    binning bins;
    uint8_t *seen;   /* table: threads x count */
    uint16_t *table; /* table: level of bin b at b - 1 */
    int64_t *slots;  /* hash: bin numbers, 0 is free */
    uint16_t *slot_levels;
    int64_t *found; /* bin numbers that occur, rising */
    int64_t found_count;
} level_map;

static void map_free(level_map *map) {
    ren__free(map->bins.edges);
    ren__free(map->seen);
    ren__free(map->table);
    ren__free(map->slots);
    ren__free(map->slot_levels);
    ren__free(map->found);
}

/* The slot of a bin, or the free one that it may have. */
static size_t slot_of(const level_map *map, int64_t bin) {
    size_t slot = (size_t)((uint64_t)bin * 0x9E3779B97F4A7C15U >> 46);
    while (map->slots[slot] && map->slots[slot] != bin)
        slot = (slot + 1) % SLOTS;
    return slot;
}

typedef struct level_job {
    level_map *map;
    const double *values;
    const uint8_t *inside;
    uint16_t *levels;
} level_job;

static void mark_bins(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const level_job *job = argument;
    const level_map *map = job->map;
    uint8_t *seen = map->seen + (int64_t)thread * map->bins.count;
    for (int64_t i = begin; i < end; i++)
        if (job->inside[i]) seen[bin_of(&map->bins, job->values[i]) - 1] = 1;
}

static void write_levels(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const level_job *job = argument;
    const level_map *map = job->map;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        uint16_t level = 0;
        if (job->inside[i]) {
            const int64_t bin = bin_of(&map->bins, job->values[i]);
            level = map->table ? map->table[bin - 1] : map->slot_levels[slot_of(map, bin)];
        }
        job->levels[i] = level;
    }
}

static ren_status too_many(const ren__radiomics_settings *settings) {
    if (settings->bin_count > 0)
        return ren__error(REN_E_DATA, "binCount %d gives more than %d grey levels: use fewer bins", settings->bin_count,
                          LEVELS_MAX);
    return ren__error(REN_E_DATA, "binWidth gives more than %d grey levels in this region: use a greater one",
                      LEVELS_MAX);
}

static ren_status find_in_table(ren_context *context, level_job *job, int64_t total, ren__run *run) {
    ren_status st = REN_OK;
    level_map *map = job->map;
    const size_t count = (size_t)map->bins.count;
    REN_CALLOC(map->seen, count * (size_t)context->threads);
    REN_CALLOC(map->table, count);
    ren__parallel_for(context, run, total, GRAIN, mark_bins, job);
    REN_TRY(ren__run_check(run));
    for (int32_t t = 1; t < context->threads; t++)
        for (size_t b = 0; b < count; b++)
            map->seen[b] |= map->seen[(size_t)t * count + b];
    for (size_t b = 0; b < count; b++)
        map->found_count += map->seen[b];
    REN_CALLOC(map->found, (size_t)map->found_count);
    for (size_t b = 0, n = 0; b < count; b++)
        if (map->seen[b]) {
            map->found[n++] = (int64_t)b + 1;
            map->table[b] = (uint16_t)(n > LEVELS_MAX ? 0 : n);
        }
out:
    return st;
}

static int rising(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static ren_status find_in_hash(ren_context *context, level_job *job, int64_t total) {
    ren_status st = REN_OK;
    level_map *map = job->map;
    REN_CALLOC(map->slots, SLOTS);
    REN_CALLOC(map->slot_levels, SLOTS);
    for (int64_t i = 0; i < total && map->found_count <= LEVELS_MAX; i++) {
        if (!job->inside[i]) continue;
        const int64_t bin = bin_of(&map->bins, job->values[i]);
        const size_t slot = slot_of(map, bin);
        map->found_count += !map->slots[slot];
        map->slots[slot] = bin;
    }
    if (map->found_count > LEVELS_MAX) goto out; /* the caller refuses */
    REN_CALLOC(map->found, (size_t)map->found_count);
    for (size_t slot = 0, n = 0; slot < SLOTS; slot++)
        if (map->slots[slot]) map->found[n++] = map->slots[slot];
    qsort(map->found, (size_t)map->found_count, sizeof *map->found, rising);
    for (int64_t n = 0; n < map->found_count; n++)
        map->slot_levels[slot_of(map, map->found[n])] = (uint16_t)(n + 1);
out:
    return st;
}

ren_status ren__discretise(ren_context *context, const double *values, const uint8_t *inside, int64_t total,
                           const ren__extremes *extremes, int single, const ren__radiomics_settings *settings,
                           ren__run *run, uint16_t *levels, double **grey, int32_t *level_count) {
    ren_status st = REN_OK;
    level_map map;
    level_job job = { &map, values, inside, levels };
    double *numbers = NULL;
    memset(&map, 0, sizeof map);
    REN_TRY(create_binning(context, extremes, single, settings, &map.bins));
    if (map.bins.count <= TABLE_MAX)
        REN_TRY(find_in_table(context, &job, total, run));
    else
        REN_TRY(find_in_hash(context, &job, total));
    if (map.found_count > LEVELS_MAX) {
        st = too_many(settings);
        goto out;
    }
    REN_CALLOC(numbers, (size_t)map.found_count);
    for (int64_t n = 0; n < map.found_count; n++)
        numbers[n] = (double)map.found[n];
    ren__parallel_for(context, run, total, GRAIN, write_levels, &job);
    REN_TRY(ren__run_check(run));
    *grey = numbers;
    *level_count = (int32_t)map.found_count;
    numbers = NULL;
out:
    ren__free(numbers);
    map_free(&map);
    return st;
}
