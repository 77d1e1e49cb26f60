/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IBSI's intensity-volume histogram (manual, 3.5): the share of the region, nu, that is at least as bright as an
 * intensity, over the intensities' fraction gamma of their range.
 *
 * Everything is computed in steps of the histogram: a distribution over u >= 0 where the histogram has a point at
 * every whole number and at every value that occurs, and gamma = u / range.
 */
#include <math.h>

#include "radiomics/ibsi.h"
#include "radiomics/ibsi_distribution.h"

enum { IVH_V10 = 0, IVH_V90, IVH_I10, IVH_I90, IVH_V_DIFFERENCE, IVH_I_DIFFERENCE, IVH_AUC, IVH_COUNT };

static const ren__feature ivh_features[IVH_COUNT] = {
    { "v10", "1", "NK6P", 0 },       { "v90", "1", "4279", 0 },          { "i10", "[image]", "PWN1", 0 },
    { "i90", "[image]", "BOHI", 0 }, { "diff_v10_v90", "1", "WITY", 0 }, { "diff_i10_i90", "[image]", "JXJA", 0 },
    { "auc", "1", "9CMM", 0 },
};

typedef struct histogram {
    ren__distribution steps; /* of u */
    double range;            /* of u */
    double base, step;       /* intensity of u: base + step * u */
} histogram;

/* The lower and upper end of the intensities: the resegmentation's range where it holds all of them, else theirs. */
static void intensity_range(const ren__distribution *d, const ren__radiomics_settings *settings, double *low,
                            double *high) {
    const ren__doubles *range = &settings->resegment_range;

    *low = d->value[0];
    *high = d->value[d->size - 1];
    if (range->count == 0 || settings->resegment_mode != REN__RESEGMENT_ABSOLUTE) return;
    if (range->values[0] <= *low) *low = range->values[0];
    if (range->count > 1 && range->values[1] >= *high) *high = range->values[1];
}

/* Values become steps floor(times x (value - low) / over) in place; values of one bin are joined. */
static void to_steps(ren__distribution *d, double low, double times, double over, double highest) {
    int64_t at = -1;

    for (int64_t k = 0; k < d->size; k++) {
        const double u = fmin(over > 0 ? floor(times * (d->value[k] - low) / over) : 0, highest);
        if (at < 0 || u != d->value[at]) {
            d->value[++at] = u;
            d->count[at] = d->count[k];
        } else {
            d->count[at] += d->count[k];
        }
    }
    d->size = at + 1;
}

static void discretise(histogram *h, const ren__radiomics_settings *settings) {
    const ren__ibsi_settings *ibsi = &settings->ibsi;
    ren__distribution *d = &h->steps;
    double low, high;

    intensity_range(d, settings, &low, &high);
    if (ibsi->ivh_mode == REN__IVH_BIN_WIDTH) {
        const double width = ibsi->ivh_bin_width;
        *h = (histogram){ *d, ceil((high - low) / width), low + 0.5 * width, width };
        to_steps(d, low, 1, width, h->range);
    } else if (ibsi->ivh_mode == REN__IVH_BIN_COUNT) {
        const double first = d->value[0], span = d->value[d->size - 1] - first;
        *h = (histogram){ *d, (double)(ibsi->ivh_bin_count - 1), 1, 1 };
        to_steps(d, first, (double)ibsi->ivh_bin_count, span, h->range);
    } else {
        *h = (histogram){ *d, high - low, low, 1 };
        for (int64_t k = 0; k < d->size; k++)
            d->value[k] -= low;
    }
}

/* nu at the lowest point with gamma >= fraction; NaN where the range is 0. */
static double volume_at(const histogram *h, double fraction) {
    int64_t count = 0;

    if (!(h->range > 0)) return NAN;
    for (int64_t k = h->steps.size - 1; k >= 0 && h->steps.value[k] / h->range >= fraction; k--)
        count += h->steps.count[k];
    return (double)count / (double)h->steps.total;
}

/* The first point of the histogram above value k: a whole step, or the next value where that comes before. */
static double point_after(const histogram *h, int64_t k) {
    const double whole = floor(h->steps.value[k]) + 1;

    return k + 1 < h->steps.size && h->steps.value[k + 1] < whole ? h->steps.value[k + 1] : whole;
}

/* Lowest intensity whose nu is at most the fraction. */
static double intensity_at(const histogram *h, double fraction) {
    const ren__distribution *d = &h->steps;
    const double total = (double)d->total;
    int64_t above = d->total, k = 0;

    while (k < d->size && (double)above / total > fraction)
        above -= d->count[k++];
    return h->base + h->step * point_after(h, k - 1); /* k > 0: nu is 1 at the lowest value */
}

/* Trapezoids between the points. */
static double area_under(const histogram *h) {
    const ren__distribution *d = &h->steps;
    double area = d->value[0];
    int64_t above = d->total;

    if (!(h->range > 0)) return NAN;
    for (int64_t k = 0; k < d->size && d->value[k] < h->range; k++) {
        const double here = (double)above / (double)d->total;
        const double next = (double)(above -= d->count[k]) / (double)d->total;
        const double point = fmin(point_after(h, k), h->range);
        const double end = k + 1 < d->size ? d->value[k + 1] : h->range;
        area += (point - d->value[k]) * 0.5 * (here + next) + (end - point) * next;
    }
    return area / h->range;
}

static ren_status compute_ivh(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                              ren__run *run, double *values) {
    ren_status st = REN_OK;
    histogram h = { 0 };
    double all[IVH_COUNT];

    REN_TRY(ren__run_check(run));
    REN_TRY(ren__distribution_of_values(region, &h.steps));
    discretise(&h, settings);
    all[IVH_V10] = volume_at(&h, 0.1);
    all[IVH_V90] = volume_at(&h, 0.9);
    all[IVH_I10] = intensity_at(&h, 0.1);
    all[IVH_I90] = intensity_at(&h, 0.9);
    all[IVH_V_DIFFERENCE] = all[IVH_V10] - all[IVH_V90];
    all[IVH_I_DIFFERENCE] = all[IVH_I10] - all[IVH_I90];
    all[IVH_AUC] = area_under(&h);
    for (int32_t f = 0; f < IVH_COUNT; f++)
        if (wanted[f]) values[f] = all[f];
out:
    ren__distribution_free(&h.steps);
    return st;
}

const ren__feature_class ren__class_ibsi_ivh = {
    .name = "ibsi_ivh",
    .features = ivh_features,
    .count = IVH_COUNT,
    .parts = REN__REGION_VALUES,
    .compute = compute_ivh,
};
