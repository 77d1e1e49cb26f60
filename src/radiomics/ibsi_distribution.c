/* SPDX-License-Identifier: Apache-2.0 */
/* Distributions: sorting a region's values, moments, percentiles. */
#include "radiomics/ibsi_distribution.h"

#include <math.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------------------- sorting */

/* Bits whose order as unsigned integers is the numbers' order, and back. -0 becomes 0: they are one value. */
static uint64_t key_of(double value) {
    uint64_t bits;
    const double plain = value + 0.0;

    memcpy(&bits, &plain, sizeof bits);
    return bits >> 63 ? ~bits : bits | (UINT64_C(1) << 63);
}

static double value_of(uint64_t key) {
    const uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Sorts by one byte of the key; 0: all have the same byte there and nothing was moved. */
static int sort_by_byte(const uint64_t *from, uint64_t *to, int64_t count, int shift) {
    int64_t start[257] = { 0 };

    for (int64_t i = 0; i < count; i++)
        start[((from[i] >> shift) & 255) + 1]++;
    if (start[((from[0] >> shift) & 255) + 1] == count) return 0;
    for (int b = 0; b < 256; b++)
        start[b + 1] += start[b];
    for (int64_t i = 0; i < count; i++)
        to[start[(from[i] >> shift) & 255]++] = from[i];
    return 1;
}

/* qsort may take memory past the host's allocator, and this is faster: rounded values differ in few bytes. */
static ren_status sort_keys(ren_context *context, uint64_t *keys, int64_t count) {
    ren_status st = REN_OK;
    uint64_t *other = NULL, *from = keys, *to;

    REN_CALLOC(other, (size_t)count);
    to = other;
    for (int shift = 0; shift < 64; shift += 8)
        if (sort_by_byte(from, to, count, shift)) {
            uint64_t *const swap = from;
            from = to;
            to = swap;
        }
    if (from != keys) memcpy(keys, from, (size_t)count * sizeof *keys);
out:
    ren__free(other);
    return st;
}

/* -------------------------------------------------------------------------------------------------- distributions */

static int64_t box_voxels(const ren__region *region) {
    return region->shape[0] * region->shape[1] * region->shape[2];
}

static int64_t count_distinct(const uint64_t *keys, int64_t count) {
    int64_t distinct = 1;

    for (int64_t i = 1; i < count; i++)
        distinct += keys[i] != keys[i - 1];
    return distinct;
}

static void compress(const uint64_t *keys, int64_t count, ren__distribution *out) {
    int64_t at = -1;

    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || keys[i] != keys[i - 1]) out->value[++at] = value_of(keys[i]);
        out->count[at]++;
    }
}

ren_status ren__distribution_of_values(const ren__region *region, ren__distribution *out) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    ren__distribution made = { .total = region->count };
    uint64_t *keys = NULL;
    int64_t n = 0;

    REN_CALLOC(keys, (size_t)region->count);
    for (int64_t i = 0; i < box_voxels(region); i++)
        if (region->inside[i]) keys[n++] = key_of(region->values[i]);
    REN_TRY(sort_keys(context, keys, n));
    made.size = count_distinct(keys, n);
    REN_CALLOC(made.value, (size_t)made.size);
    REN_CALLOC(made.count, (size_t)made.size);
    compress(keys, n, &made);
    *out = made;
    made = (ren__distribution){ 0 };
out:
    ren__distribution_free(&made);
    ren__free(keys);
    return st;
}

ren_status ren__distribution_of_levels(const ren__region *region, ren__distribution *out) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    ren__distribution made = { .size = region->level_count, .total = region->count };

    REN_CALLOC(made.value, (size_t)made.size);
    REN_CALLOC(made.count, (size_t)made.size);
    memcpy(made.value, region->grey, (size_t)made.size * sizeof *made.value);
    for (int64_t i = 0; i < box_voxels(region); i++)
        if (region->levels[i]) made.count[region->levels[i] - 1]++;
    *out = made;
    made = (ren__distribution){ 0 };
out:
    ren__distribution_free(&made);
    return st;
}

void ren__distribution_free(ren__distribution *distribution) {
    ren__free(distribution->value);
    ren__free(distribution->count);
    *distribution = (ren__distribution){ 0 };
}

/* ------------------------------------------------------------------------------------------------------ statistics */

/* The value of place `index` (from 0) among all sorted values. */
static double ranked(const ren__distribution *d, int64_t index) {
    int64_t k = 0;

    for (int64_t below = d->count[0]; k + 1 < d->size && index >= below; below += d->count[k])
        k++;
    return d->value[k];
}

/* Linear between the neighbouring places. */
static double percentile(const ren__distribution *d, double share) {
    const double place = share * (double)(d->total - 1);
    const int64_t below = (int64_t)floor(place);
    const double a = ranked(d, below), b = ranked(d, below + 1 < d->total ? below + 1 : below);

    return a + (b - a) * (place - (double)below);
}

static double mean_within(const ren__distribution *d, double low, double high) {
    double sum = 0;
    int64_t count = 0;

    for (int64_t k = 0; k < d->size; k++)
        if (d->value[k] >= low && d->value[k] <= high) {
            sum += (double)d->count[k] * d->value[k];
            count += d->count[k];
        }
    return sum / (double)count;
}

/* Mean of |value - centre| of the values from `low` to `high`. */
static double deviation_within(const ren__distribution *d, double centre, double low, double high) {
    double sum = 0;
    int64_t count = 0;

    for (int64_t k = 0; k < d->size; k++)
        if (d->value[k] >= low && d->value[k] <= high) {
            sum += (double)d->count[k] * fabs(d->value[k] - centre);
            count += d->count[k];
        }
    return sum / (double)count;
}

static double ratio(double numerator, double denominator) {
    return denominator != 0 ? numerator / denominator : NAN;
}

static void moments(const ren__distribution *d, double *s) {
    const double mean = mean_within(d, -INFINITY, INFINITY), n = (double)d->total;
    double second = 0, third = 0, fourth = 0, energy = 0;

    for (int64_t k = 0; k < d->size; k++) {
        const double x = d->value[k] - mean, c = (double)d->count[k];
        second += c * x * x;
        third += c * x * x * x;
        fourth += c * x * x * x * x;
        energy += c * d->value[k] * d->value[k];
    }
    const double variance = d->size > 1 ? second / n : 0;
    s[REN__STATISTIC_MEAN] = mean;
    s[REN__STATISTIC_VARIANCE] = variance;
    s[REN__STATISTIC_SKEWNESS] = variance > 0 ? third / n / (variance * sqrt(variance)) : 0;
    s[REN__STATISTIC_KURTOSIS] = variance > 0 ? fourth / n / (variance * variance) - 3 : 0;
    s[REN__STATISTIC_COEFFICIENT_OF_VARIATION] = ratio(sqrt(variance), mean);
    s[REN__STATISTIC_ENERGY] = energy;
    s[REN__STATISTIC_ROOT_MEAN_SQUARE] = sqrt(energy / n);
}

void ren__distribution_statistics(const ren__distribution *d, double s[REN__STATISTIC_COUNT]) {
    const double p10 = percentile(d, 0.1), p90 = percentile(d, 0.9), p25 = percentile(d, 0.25);
    const double p75 = percentile(d, 0.75), median = percentile(d, 0.5);
    const double low = d->value[0], high = d->value[d->size - 1];

    moments(d, s);
    s[REN__STATISTIC_MEDIAN] = median;
    s[REN__STATISTIC_MINIMUM] = low;
    s[REN__STATISTIC_P10] = p10;
    s[REN__STATISTIC_P90] = p90;
    s[REN__STATISTIC_MAXIMUM] = high;
    s[REN__STATISTIC_INTERQUARTILE_RANGE] = p75 - p25;
    s[REN__STATISTIC_RANGE] = high - low;
    s[REN__STATISTIC_MEAN_ABSOLUTE_DEVIATION] = deviation_within(d, s[REN__STATISTIC_MEAN], low, high);
    s[REN__STATISTIC_ROBUST_MEAN_ABSOLUTE_DEVIATION] = deviation_within(d, mean_within(d, p10, p90), p10, p90);
    s[REN__STATISTIC_MEDIAN_ABSOLUTE_DEVIATION] = deviation_within(d, median, low, high);
    s[REN__STATISTIC_QUARTILE_COEFFICIENT] = ratio(p75 - p25, p75 + p25);
}
