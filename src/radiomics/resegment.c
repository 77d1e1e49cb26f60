/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resegmentation: the voxels of a region whose grey value is within a range. Thresholds are rounded as numpy rounds
 * them for the image's type; the mean and the deviation of 32-bit floats are summed in 32 bits, pair by pair, as numpy
 * sums them, because a threshold is compared with values that may lie on it.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "radiomics/case.h"
#include "radiomics/pixels.h"

enum { PAIRWISE_BLOCK = 128 };

/* numpy's pairwise summation: eight sums within a block of 128, blocks halved in multiples of 8. */
#define DEFINE_PAIRWISE(name, type)                                                                                    \
    static type name(const double *values, int64_t count) {                                                            \
        type sums[8], sum = 0;                                                                                         \
        int64_t i;                                                                                                     \
        if (count < 8) {                                                                                               \
            for (i = 0; i < count; i++)                                                                                \
                sum += (type)values[i];                                                                                \
            return sum;                                                                                                \
        }                                                                                                              \
        if (count > PAIRWISE_BLOCK) {                                                                                  \
            int64_t half = count / 2;                                                                                  \
            half -= half % 8;                                                                                          \
            return name(values, half) + name(values + half, count - half);                                             \
        }                                                                                                              \
        for (i = 0; i < 8; i++)                                                                                        \
            sums[i] = (type)values[i];                                                                                 \
        for (; i < count - count % 8; i += 8)                                                                          \
            for (int k = 0; k < 8; k++)                                                                                \
                sums[k] += (type)values[i + k];                                                                        \
        sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));               \
        for (; i < count; i++)                                                                                         \
            sum += (type)values[i];                                                                                    \
        return sum;                                                                                                    \
    }

DEFINE_PAIRWISE(pairwise_double, double)
DEFINE_PAIRWISE(pairwise_single, float)

/* Mean and population deviation; `values` are changed. */
static void moments(double *values, int64_t count, int single, double *mean, double *deviation) {
    if (single) {
        const float middle = pairwise_single(values, count) / (float)count;
        *mean = (double)(float)((double)pairwise_single(values, count) / (double)count);
        for (int64_t i = 0; i < count; i++) {
            const float distance = (float)values[i] - middle;
            values[i] = (double)(distance * distance);
        }
        *deviation = (double)sqrtf((float)((double)pairwise_single(values, count) / (double)count));
        return;
    }
    *mean = pairwise_double(values, count) / (double)count;
    for (int64_t i = 0; i < count; i++)
        values[i] = (values[i] - *mean) * (values[i] - *mean);
    *deviation = sqrt(pairwise_double(values, count) / (double)count);
}

typedef struct range {
    double low, high;
} range;

static range between(double a, double b) {
    const range both = { fmin(a, b), fmax(a, b) };
    return both;
}

/* The range that resegmentRange means for these values, which are changed. */
static range setting_range(const ren__radiomics_settings *settings, double *values, int64_t count, int single) {
    const ren__doubles *given = &settings->resegment_range;
    range result = { given->values[0], INFINITY };
    double mean, deviation, highest = -INFINITY;
    if (given->count > 1) result = between(given->values[0], given->values[1]);
    if (settings->resegment_mode == REN__RESEGMENT_RELATIVE) {
        for (int64_t i = 0; i < count; i++)
            highest = fmax(highest, values[i]);
        /* scaled one by one, not sorted again: a negative maximum gives an empty range, as in PyRadiomics */
        result.low *= highest;
        if (given->count > 1) result.high *= highest;
    } else if (settings->resegment_mode == REN__RESEGMENT_SIGMA) {
        moments(values, count, single, &mean, &deviation);
        result.low = mean + deviation * result.low;
        if (given->count > 1) result.high = mean + deviation * result.high;
    }
    if (single) { /* numpy compares such an array with a number in the array's type */
        result.low = (double)(float)result.low;
        result.high = result.high > FLT_MAX ? INFINITY : (double)(float)result.high;
    }
    return result;
}

static int64_t keep(const double *values, uint8_t *inside, int64_t total, range wanted) {
    int64_t count = 0;
    for (int64_t i = 0; i < total; i++) {
        if (inside[i]) inside[i] = values[i] >= wanted.low && values[i] <= wanted.high;
        count += inside[i];
    }
    return count;
}

static int64_t gather(const double *values, const uint8_t *inside, int64_t total, double *out) {
    int64_t count = 0;
    for (int64_t i = 0; i < total; i++)
        if (inside[i]) out[count++] = values[i];
    return count;
}

int ren__resegments(const ren__radiomics_settings *settings) {
    return settings->resegment_range.count > 0 ||
           (settings->mode == REN_RADIOMICS_IBSI && settings->ibsi.outlier_filter);
}

ren_status ren__resegment(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                          ren__run *run, ren__roi *out) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    const int64_t total = roi->shape[0] * roi->shape[1] * roi->shape[2];
    const int single = ren__pixels_type(image) == REN_TYPE_F32;
    ren__roi kept;
    double *values = NULL, *list = NULL;
    memset(&kept, 0, sizeof kept);
    REN_TRY(ren__roi_within(context, roi, roi->begin, roi->shape, &kept));
    REN_ALLOC(values, (size_t)total * sizeof *values);
    REN_ALLOC(list, (size_t)roi->count * sizeof *list);
    REN_TRY(ren__pixels_read(image, roi->begin, roi->shape, run, values));
    if (settings->resegment_range.count > 0) {
        const int64_t count = gather(values, kept.inside, total, list);
        kept.count = keep(values, kept.inside, total, setting_range(settings, list, count, single));
    }
    if (settings->mode == REN_RADIOMICS_IBSI && settings->ibsi.outlier_filter && kept.count > 0) {
        double mean, deviation;
        moments(list, gather(values, kept.inside, total, list), 0, &mean, &deviation);
        deviation *= settings->ibsi.outlier_sigma;
        kept.count = keep(values, kept.inside, total, between(mean - deviation, mean + deviation));
    }
    if (kept.count <= 1)
        REN_FAIL(REN_E_DATA, "resegmentation leaves %lld of the region's %lld voxels: widen resegmentRange",
                 (long long)kept.count, (long long)roi->count);
    REN_TRY(ren__roi_shrink(context, &kept));
    *out = kept;
    memset(&kept, 0, sizeof kept);
out:
    ren__roi_free(&kept);
    ren__free(values);
    ren__free(list);
    return st;
}
