/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moran's I and Geary's C (IBSI manual, 3.1), exactly: their sums run over all pairs of voxels, but the weight of a
 * pair, 1 / distance, depends on its offset alone. So the sums over the second voxel are convolutions of the region
 * with the weights, and these are products of Fourier transforms: n log n instead of n squared.
 */
#include "radiomics/ibsi_autocorrelation.h"

#include <math.h>

#include "base/parallel.h"
#include "radiomics/ibsi_fourier.h"

/* 512 MiB of transform: a box of about 160 x 160 x 160 voxels. */
static const int64_t padded_max = INT64_C(1) << 25;

typedef struct correlation {
    const ren__region *region;
    double mean;
    int64_t shape[3], half[3]; /* padded so that no pair meets twice; half: shape / 2 + 1 */
    ren__complex *field;
    double *weights; /* half[0] x half[1] x half[2]: the weights' transform is real and even along each axis */
} correlation;

static int64_t product(const int64_t shape[3]) {
    return shape[0] * shape[1] * shape[2];
}

static double folded(const correlation *c, int axis, int64_t i) {
    const int64_t back = c->shape[axis] - i;

    return (double)(i < back ? i : back) * c->region->spacing[axis];
}

static void fill_weights(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const correlation *c = argument;

    (void)thread;
    for (int64_t z = begin; z < end; z++)
        for (int64_t y = 0; y < c->shape[1]; y++) {
            ren__complex *row = c->field + (z * c->shape[1] + y) * c->shape[0];
            const double dy = folded(c, 1, y), dz = folded(c, 2, z);
            for (int64_t x = 0; x < c->shape[0]; x++) {
                const double dx = folded(c, 0, x), square = dx * dx + dy * dy + dz * dz;
                row[x] = (ren__complex){ square > 0 ? 1 / sqrt(square) : 0, 0 };
            }
        }
}

static void keep_weights(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const correlation *c = argument;

    (void)thread;
    for (int64_t z = begin; z < end; z++)
        for (int64_t y = 0; y < c->half[1]; y++)
            for (int64_t x = 0; x < c->half[0]; x++)
                c->weights[(z * c->half[1] + y) * c->half[0] + x] =
                    c->field[(z * c->shape[1] + y) * c->shape[0] + x].re;
}

/* The region itself as the real part, the values' deviations from their mean as the imaginary part: convolution with
 * real weights keeps the two apart. */
static void fill_field(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const correlation *c = argument;
    const ren__region *r = c->region;

    (void)thread;
    for (int64_t z = begin; z < end; z++)
        for (int64_t y = 0; y < c->shape[1]; y++) {
            ren__complex *row = c->field + (z * c->shape[1] + y) * c->shape[0];
            for (int64_t x = 0; x < c->shape[0]; x++) {
                const int64_t i = (z * r->shape[1] + y) * r->shape[0] + x;
                const int in = z < r->shape[2] && y < r->shape[1] && x < r->shape[0] && r->inside[i];
                row[x] = in ? (ren__complex){ 1, r->values[i] - c->mean } : (ren__complex){ 0, 0 };
            }
        }
}

static int64_t fold(int64_t i, int64_t size) {
    return i <= size / 2 ? i : size - i;
}

static void weight_field(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const correlation *c = argument;

    (void)thread;
    for (int64_t z = begin; z < end; z++)
        for (int64_t y = 0; y < c->shape[1]; y++) {
            ren__complex *row = c->field + (z * c->shape[1] + y) * c->shape[0];
            const double *weights =
                c->weights + (fold(z, c->shape[2]) * c->half[1] + fold(y, c->shape[1])) * c->half[0];
            for (int64_t x = 0; x < c->shape[0]; x++) {
                const double weight = weights[fold(x, c->shape[0])];
                row[x].re *= weight;
                row[x].im *= weight;
            }
        }
}

static ren_status convolve(correlation *c, ren__run *run) {
    ren_context *context = c->region->context;
    ren_status st = REN_OK;

    REN_CALLOC(c->field, (size_t)product(c->shape));
    REN_CALLOC(c->weights, (size_t)product(c->half));
    ren__parallel_for(context, run, c->shape[2], 1, fill_weights, c);
    REN_TRY(ren__fourier_transform(context, run, c->field, c->shape, -1));
    ren__parallel_for(context, run, c->half[2], 1, keep_weights, c);
    ren__parallel_for(context, run, c->shape[2], 1, fill_field, c);
    REN_TRY(ren__fourier_transform(context, run, c->field, c->shape, -1));
    ren__parallel_for(context, run, c->shape[2], 1, weight_field, c);
    REN_TRY(ren__fourier_transform(context, run, c->field, c->shape, +1));
out:
    return st;
}

/* Sums over the convolved field. `u` is a voxel's sum of weights, `v` its weighted sum of deviations. */
static void finish(const correlation *c, ren__autocorrelation *out) {
    const ren__region *r = c->region;
    const double scale = 1 / (double)product(c->shape), n = (double)r->count;
    double weights = 0, squares = 0, weighted_squares = 0, products = 0;

    for (int64_t z = 0; z < r->shape[2]; z++)
        for (int64_t y = 0; y < r->shape[1]; y++)
            for (int64_t x = 0; x < r->shape[0]; x++) {
                const int64_t i = (z * r->shape[1] + y) * r->shape[0] + x;
                if (!r->inside[i]) continue;
                const ren__complex at = c->field[(z * c->shape[1] + y) * c->shape[0] + x];
                const double u = at.re * scale, v = at.im * scale, d = r->values[i] - c->mean;
                weights += u;
                squares += d * d;
                weighted_squares += d * d * u;
                products += d * v;
            }
    out->moran = n / weights * products / squares;
    out->geary = (n - 1) / weights * (weighted_squares - products) / squares;
}

/* The mean; *flat where all values are equal. */
static double mean_of(const ren__region *r, int *flat) {
    const int64_t voxels = product(r->shape);
    double sum = 0, low = INFINITY, high = -INFINITY;

    for (int64_t i = 0; i < voxels; i++) {
        if (!r->inside[i]) continue;
        sum += r->values[i];
        low = fmin(low, r->values[i]);
        high = fmax(high, r->values[i]);
    }
    *flat = !(low < high);
    return sum / (double)r->count;
}

ren_status ren__autocorrelation_of(const ren__region *region, ren__run *run, ren__autocorrelation *out) {
    ren_status st = REN_OK;
    correlation c = { .region = region };
    int flat = 0;

    out->moran = out->geary = NAN;
    c.mean = mean_of(region, &flat);
    if (flat) goto out;
    for (int a = 0; a < 3; a++) {
        if (region->shape[a] > padded_max) goto out;
        c.shape[a] = ren__fourier_size(2 * region->shape[a] - 1);
        c.half[a] = c.shape[a] / 2 + 1;
    }
    if (c.shape[0] > padded_max / c.shape[1] || c.shape[0] * c.shape[1] > padded_max / c.shape[2]) goto out;
    REN_TRY(convolve(&c, run));
    finish(&c, out);
out:
    ren__free(c.field);
    ren__free(c.weights);
    return st;
}
