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

/* 600 MB of transforms: a box of about 160 x 160 x 160 voxels. */
static const int64_t padded_max = INT64_C(1) << 25;

typedef struct correlation {
    const ren__region *region;
    double mean;
    int64_t shape[3], half[3]; /* padded so that no pair meets twice; half: shape / 2 + 1 */
    ren__complex *field;
    /* half[0] x half[1] x half[2]: the weights are even along each axis, and so is their transform, which is real */
    ren__complex *weights;
} correlation;

static int64_t product(const int64_t shape[3]) {
    return shape[0] * shape[1] * shape[2];
}

/* The weights of all offsets that are not negative, which stand for the others. */
static void fill_weights(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const correlation *c = argument;
    const double *spacing = c->region->spacing;

    (void)thread;
    for (int64_t z = begin; z < end; z++)
        for (int64_t y = 0; y < c->half[1]; y++) {
            ren__complex *row = c->weights + (z * c->half[1] + y) * c->half[0];
            const double dy = (double)y * spacing[1], dz = (double)z * spacing[2];
            for (int64_t x = 0; x < c->half[0]; x++) {
                const double dx = (double)x * spacing[0], square = dx * dx + dy * dy + dz * dz;
                row[x] = (ren__complex){ square > 0 ? 1 / sqrt(square) : 0, 0 };
            }
        }
}

/* The region itself as the real part, the values' deviations from their mean as the imaginary part: convolution with
 * real weights keeps the two apart. */
static void fill_field(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const correlation *c = argument;
    const ren__region *r = c->region;

    (void)thread;
    for (int64_t z = begin; z < end; z++)
        for (int64_t y = 0; y < r->shape[1]; y++) {
            ren__complex *row = c->field + (z * c->shape[1] + y) * c->shape[0];
            const int64_t from = (z * r->shape[1] + y) * r->shape[0];
            for (int64_t x = 0; x < r->shape[0]; x++)
                if (r->inside[from + x]) row[x] = (ren__complex){ 1, r->values[from + x] - c->mean };
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
            const ren__complex *weights =
                c->weights + (fold(z, c->shape[2]) * c->half[1] + fold(y, c->shape[1])) * c->half[0];
            for (int64_t x = 0; x < c->shape[0]; x++) {
                const double weight = weights[fold(x, c->shape[0])].re;
                row[x].re *= weight;
                row[x].im *= weight;
            }
        }
}

static ren_status transform_weights(const correlation *c, ren__run *run) {
    ren_status st = REN_OK;

    for (int32_t axis = 0; axis < 3 && st == REN_OK; axis++) {
        const ren__fourier what = { .data = c->weights,
                                    .shape = { c->half[0], c->half[1], c->half[2] },
                                    .axis = axis,
                                    .lines = { c->half[0], c->half[1], c->half[2] },
                                    .sign = -1,
                                    .even_length = c->shape[axis] };
        st = ren__fourier_transform(c->region->context, run, &what);
    }
    return st;
}

/* Forwards from x to z, back from z to x: beyond the region's box the field is 0 before and of no interest after, so
 * that most lines along x and half of those along y are left out. */
static ren_status transform_field(const correlation *c, ren__run *run, int sign) {
    const int64_t *box = c->region->shape, *whole = c->shape;
    const int64_t lines[3][3] = { { whole[0], box[1], box[2] },
                                  { whole[0], whole[1], box[2] },
                                  { whole[0], whole[1], whole[2] } };
    ren_status st = REN_OK;

    for (int32_t k = 0; k < 3 && st == REN_OK; k++) {
        const int32_t axis = sign < 0 ? k : 2 - k;
        const ren__fourier what = { .data = c->field,
                                    .shape = { whole[0], whole[1], whole[2] },
                                    .axis = axis,
                                    .lines = { lines[axis][0], lines[axis][1], lines[axis][2] },
                                    .sign = sign };
        st = ren__fourier_transform(c->region->context, run, &what);
    }
    return st;
}

static ren_status convolve(correlation *c, ren__run *run) {
    ren_context *context = c->region->context;
    ren_status st = REN_OK;

    REN_CALLOC(c->field, (size_t)product(c->shape));
    REN_CALLOC(c->weights, (size_t)product(c->half));
    ren__parallel_for(context, run, c->half[2], 1, fill_weights, c);
    REN_TRY(transform_weights(c, run));
    ren__parallel_for(context, run, c->region->shape[2], 1, fill_field, c);
    REN_TRY(transform_field(c, run, -1));
    ren__parallel_for(context, run, c->shape[2], 1, weight_field, c);
    REN_TRY(transform_field(c, run, +1));
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
