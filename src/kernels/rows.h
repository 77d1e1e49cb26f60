/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector kernels that take a row of channels as a whole (normalisation over it, softmax), and maps through a function.
 * One table for each instruction set, each call the work of one thread, as in kernels/vector.h.
 */
#ifndef REN_KERNELS_ROWS_H
#define REN_KERNELS_ROWS_H

#include "base/context.h"

/* By channel. */
typedef struct ren__centre {
    const float *mean, *rest, *scale;
} ren__centre;

typedef struct ren__rows {
    /* y = (x - mean) / sqrt(variance + 1e-5) over each row, times weight plus bias (both or neither NULL). `stats`
     * (nullable) gets mean and 1 / sd of each row. May be in place. */
    void (*layer_norm)(const float *x, int64_t rows, int64_t channels, const float *weight, const float *bias, float *y,
                       float *stats);
    /* dx (nullable, may be dy or x); dweight and dbias (both or neither NULL) are added to. */
    void (*layer_norm_backward)(const float *x, const float *dy, int64_t rows, int64_t channels, const float *weight,
                                const float *stats, float *dx, double *dweight, double *dbias);
    /* In place: exp(scale (row + bias) - largest), and the sum; the caller divides. `bias` may be NULL. With `largest`
     * not NULL it gets the row's largest scaled value. */
    float (*exponentials)(float *row, int64_t count, float scale, const float *bias, float *largest);
    /* sum[c] += d, square[c] += d^2, d = x - pivot[c], all in double: where most of a map is one value (outside a
     * region), the roundings of a float's sum are all alike and move the mean. */
    void (*moments)(const float *x, int64_t rows, int64_t channels, const float *pivot, double *sum, double *square);
    /* y = v = ((x - mean[c]) - rest[c]) scale[c], times `slope` where negative (0: ReLU, 1: nothing). mean + rest is
     * the mean to twice a float's precision: near the kink, where the derivative jumps, x - mean is exact, so v has the
     * right sign. May be in place. Backward computes the same v, so that both agree on its sign. */
    void (*normalise_slope)(const float *x, int64_t rows, int64_t channels, const ren__centre *centre, float slope,
                            float *y);
    /* With v as above and g = dy, times `slope` where v <= 0: sum[c] += g, product[c] += g v. */
    void (*slope_sums)(const float *x, const float *dy, int64_t rows, int64_t channels, const ren__centre *centre,
                       float slope, double *sum, double *product);
    /* dx = scale[c] (g - a[c] - v b[c]). May be in place over x or dy. */
    void (*slope_backward)(const float *x, const float *dy, int64_t rows, int64_t channels, const ren__centre *centre,
                           float slope, const float *a, const float *b, float *dx);
} ren__rows;

const ren__rows *ren__rows_for(const ren_context *context);

extern const ren__rows ren__rows_plain, ren__rows_avx2, ren__rows_avx512;

#endif
