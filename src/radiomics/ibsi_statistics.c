/* SPDX-License-Identifier: Apache-2.0 */
/* IBSI's intensity-based statistics (manual, 3.3) and intensity histogram (3.4). */
#include <math.h>
#include <string.h>

#include "radiomics/ibsi.h"
#include "radiomics/ibsi_distribution.h"

/* -------------------------------------------------------------------------------------------- intensity statistics */

/* In the order of REN__STATISTIC_*. */
static const ren__feature stat_features[] = {
    { "mean", "[image]", "Q4LE", 0 }, { "var", "[image]2", "ECT3", 0 },    { "skew", "1", "KE2A", 0 },
    { "kurt", "1", "IPH6", 0 },       { "median", "[image]", "Y12H", 0 },  { "min", "[image]", "1GSF", 0 },
    { "p10", "[image]", "QG58", 0 },  { "p90", "[image]", "8DWT", 0 },     { "max", "[image]", "84IY", 0 },
    { "iqr", "[image]", "SALO", 0 },  { "range", "[image]", "2OJQ", 0 },   { "mad", "[image]", "4FUA", 0 },
    { "rmad", "[image]", "1128", 0 }, { "medad", "[image]", "N72L", 0 },   { "cov", "1", "7TET", 0 },
    { "qcod", "1", "9S40", 0 },       { "energy", "[image]2", "N8CA", 0 }, { "rms", "[image]", "5ZWQ", 0 },
};

static ren_status compute_stat(const ren__region *region, const ren__radiomics_settings *settings,
                               const uint8_t *wanted, ren__run *run, double *values) {
    ren_status st = REN_OK;
    ren__distribution distribution = { 0 };
    double statistics[REN__STATISTIC_COUNT];

    (void)settings;
    REN_TRY(ren__run_check(run));
    REN_TRY(ren__distribution_of_values(region, &distribution));
    ren__distribution_statistics(&distribution, statistics);
    for (int32_t f = 0; f < REN__STATISTIC_COUNT; f++)
        if (wanted[f]) values[f] = statistics[f];
out:
    ren__distribution_free(&distribution);
    return st;
}

const ren__feature_class ren__class_ibsi_stat = {
    .name = "ibsi_stat",
    .features = stat_features,
    .count = (int32_t)(sizeof stat_features / sizeof *stat_features),
    .parts = REN__REGION_VALUES,
    .compute = compute_stat,
};

/* --------------------------------------------------------------------------------------------- intensity histogram */

enum { IH_MODE = 0, IH_ENTROPY, IH_UNIFORMITY, IH_MAX_GRADIENT, IH_MAX_LEVEL, IH_MIN_GRADIENT, IH_MIN_LEVEL, IH_OWN };

static const ren__feature ih_features[] = {
    { "mean", "1", "X6K6", 0 },       { "var", "1", "CH89", 0 },        { "skew", "1", "88K1", 0 },
    { "kurt", "1", "C3I7", 0 },       { "median", "1", "WIFQ", 0 },     { "min", "1", "1PR8", 0 },
    { "p10", "1", "GPMT", 0 },        { "p90", "1", "OZ0C", 0 },        { "max", "1", "3NCY", 0 },
    { "mode", "1", "AMMC", 0 },       { "iqr", "1", "WR0O", 0 },        { "range", "1", "5Z3W", 0 },
    { "mad", "1", "D2ZX", 0 },        { "rmad", "1", "WRZB", 0 },       { "medad", "1", "4RNL", 0 },
    { "cov", "1", "CWYJ", 0 },        { "qcod", "1", "SLWD", 0 },       { "entropy", "bit", "TLU2", 0 },
    { "uniformity", "1", "BJ5W", 0 }, { "max_grad", "1", "12CE", 0 },   { "max_grad_g", "1", "8E6O", 0 },
    { "min_grad", "1", "VQB3", 0 },   { "min_grad_g", "1", "RHQZ", 0 },
};

/* Where each of ih_features comes from: a statistic, or from REN__STATISTIC_COUNT on one of the histogram's own. */
static const uint8_t ih_sources[] = {
    REN__STATISTIC_MEAN,
    REN__STATISTIC_VARIANCE,
    REN__STATISTIC_SKEWNESS,
    REN__STATISTIC_KURTOSIS,
    REN__STATISTIC_MEDIAN,
    REN__STATISTIC_MINIMUM,
    REN__STATISTIC_P10,
    REN__STATISTIC_P90,
    REN__STATISTIC_MAXIMUM,
    REN__STATISTIC_COUNT + IH_MODE,
    REN__STATISTIC_INTERQUARTILE_RANGE,
    REN__STATISTIC_RANGE,
    REN__STATISTIC_MEAN_ABSOLUTE_DEVIATION,
    REN__STATISTIC_ROBUST_MEAN_ABSOLUTE_DEVIATION,
    REN__STATISTIC_MEDIAN_ABSOLUTE_DEVIATION,
    REN__STATISTIC_COEFFICIENT_OF_VARIATION,
    REN__STATISTIC_QUARTILE_COEFFICIENT,
    REN__STATISTIC_COUNT + IH_ENTROPY,
    REN__STATISTIC_COUNT + IH_UNIFORMITY,
    REN__STATISTIC_COUNT + IH_MAX_GRADIENT,
    REN__STATISTIC_COUNT + IH_MAX_LEVEL,
    REN__STATISTIC_COUNT + IH_MIN_GRADIENT,
    REN__STATISTIC_COUNT + IH_MIN_LEVEL,
};

static void histogram_shares(const ren__distribution *d, double mean, double own[IH_OWN]) {
    const double total = (double)d->total;
    int64_t mode = 0;

    own[IH_ENTROPY] = own[IH_UNIFORMITY] = 0;
    for (int64_t k = 0; k < d->size; k++) {
        const double p = (double)d->count[k] / total;
        own[IH_ENTROPY] -= p * log2(p);
        own[IH_UNIFORMITY] += p * p;
        /* Of equally frequent levels the one nearest to the mean, then the lower. */
        if (d->count[k] > d->count[mode] ||
            (d->count[k] == d->count[mode] && fabs(d->value[k] - mean) < fabs(d->value[mode] - mean)))
            mode = k;
    }
    own[IH_MODE] = d->value[mode];
}

/* Count of level `level`; `at` is a place in the distribution that is not past it and follows it upwards. */
static double count_at(const ren__distribution *d, int64_t *at, double level) {
    while (*at < d->size && d->value[*at] < level)
        ++*at;
    return *at < d->size && d->value[*at] == level ? (double)d->count[*at] : 0;
}

enum { IH_MAX_BITS = 53 }; /* above, levels are not whole numbers any more */

/* Central differences of the counts of levels 1 to the highest, one-sided at both ends; the first of equal ones. */
static void histogram_gradients(const ren__distribution *d, double own[IH_OWN]) {
    const double highest = d->value[d->size - 1];
    const int64_t bins = highest < ldexp(1.0, IH_MAX_BITS) ? (int64_t)highest : 0;
    int64_t behind = 0, ahead = 0;

    own[IH_MAX_GRADIENT] = own[IH_MAX_LEVEL] = own[IH_MIN_GRADIENT] = own[IH_MIN_LEVEL] = NAN;
    if (bins == 0) return;
    own[IH_MAX_GRADIENT] = -INFINITY;
    own[IH_MIN_GRADIENT] = INFINITY;
    for (int64_t level = 1; level <= bins; level++) {
        const int64_t low = level > 1 ? level - 1 : level, high = level < bins ? level + 1 : level;
        const double below = count_at(d, &behind, (double)low), above = count_at(d, &ahead, (double)high);
        const double gradient = high > low ? (above - below) / (double)(high - low) : 0;

        if (gradient > own[IH_MAX_GRADIENT]) {
            own[IH_MAX_GRADIENT] = gradient;
            own[IH_MAX_LEVEL] = (double)level;
        }
        if (gradient < own[IH_MIN_GRADIENT]) {
            own[IH_MIN_GRADIENT] = gradient;
            own[IH_MIN_LEVEL] = (double)level;
        }
        /* Of a gap between levels the first stands for all: it may be any number of them wide. */
        if (below == 0 && above == 0 && d->value[behind] > (double)level && (int64_t)d->value[ahead] - 1 > level)
            level = (int64_t)d->value[ahead] - 2;
    }
}

static ren_status compute_ih(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                             ren__run *run, double *values) {
    ren_status st = REN_OK;
    ren__distribution distribution = { 0 };
    double all[REN__STATISTIC_COUNT + IH_OWN];

    (void)settings;
    REN_TRY(ren__run_check(run));
    REN_TRY(ren__distribution_of_levels(region, &distribution));
    ren__distribution_statistics(&distribution, all);
    histogram_shares(&distribution, all[REN__STATISTIC_MEAN], all + REN__STATISTIC_COUNT);
    histogram_gradients(&distribution, all + REN__STATISTIC_COUNT);
    for (size_t f = 0; f < sizeof ih_sources; f++)
        if (wanted[f]) values[f] = all[ih_sources[f]];
out:
    ren__distribution_free(&distribution);
    return st;
}

const ren__feature_class ren__class_ibsi_ih = {
    .name = "ibsi_ih",
    .features = ih_features,
    .count = (int32_t)(sizeof ih_features / sizeof *ih_features),
    .parts = REN__REGION_LEVELS,
    .compute = compute_ih,
};
