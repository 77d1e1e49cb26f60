/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector kernels on rows of channels (channels last), one table for each instruction set. Each call is the work of one
 * thread; callers cut the work so that the pieces do not depend on the number of threads.
 */
#ifndef REN_KERNELS_VECTOR_H
#define REN_KERNELS_VECTOR_H

#include "base/context.h"

enum { REN__PANEL = 48 }; /* outputs of a convolution whose weights lie together (pooled_row) */

typedef struct ren__vector {
    /* sum[c] += sum of (x - pivot[c]); square[c] += sum of its square. Float partial sums of 64 rows, then double. */
    void (*moments)(const float *x, int64_t rows, int64_t channels, const float *pivot, double *sum, double *square);
    /* y = scale[c] x + shift[c], then max(0, .) with `relu`. May be in place. */
    void (*affine)(const float *x, int64_t rows, int64_t channels, const float *scale, const float *shift, int relu,
                   float *y);
    /* sum[c] += sum of g; product[c] += sum of g * (x - pivot[c]), g = dy, zero with `relu` where scale x + shift <= 0.
     */
    void (*moments_backward)(const float *x, const float *dy, int64_t rows, int64_t channels, const float *pivot,
                             const float *scale, const float *shift, int relu, double *sum, double *product);
    /* dx = a[c] g + b[c] (x - pivot[c]) + d[c]; g as above; dy NULL: g = 0. May be in place over x. */
    void (*affine_backward)(const float *x, const float *dy, int64_t rows, int64_t channels, const float *pivot,
                            const float *scale, const float *shift, int relu, const float *a, const float *b,
                            const float *d, float *dx);
    /* Largest of scale[c] x + shift[c] (scale NULL: of x) over a window of `count` rows at the given offsets (in
     * floats), and which (where non-NULL); with `relu` the largest of that and 0. */
    void (*window_max)(const float *x, const int64_t *offsets, int32_t count, int64_t channels, const float *scale,
                       const float *shift, int relu, float *y, uint8_t *which);
    /* One row of pooled cells of kernels/stem.h: `x` is the corner of four planes of four padded rows; `columns` cells.
     */
    void (*stem_row)(const float *x, int64_t plane, int64_t row, int64_t columns, int64_t channels,
                     const float *weights, const float *bias, int relu, float *y);
    /* The same for any number of input channels: one row of cells of kernels/pooled.h. `outputs` is a multiple of 16.
     */
    void (*pooled_row)(const float *x, int64_t plane, int64_t row, int64_t columns, int64_t channels, int64_t outputs,
                       const float *weights, const float *bias, int relu, float *y);
    double (*dot)(const float *a, const float *b, int64_t count); /* float partial sums of 4096, then double */
    void (*add_scaled)(float factor, const float *x, int64_t count, float *y); /* y += factor x */
    void (*activate)(int32_t kind, const float *x, int64_t count, float *y);   /* REN__* of ops/ops.h */
    void (*activate_backward)(int32_t kind, const float *x, const float *dy, int64_t count, float *dx);
    /* Factors of dropout `first` ... first + count - 1 of the stream that key and place (the last three words of the
     * counter) name, four from each block of ren__philox: 0 where the number is below `limit` (2^32 times the rate,
     * rounded up), else `kept`. */
    void (*dropout)(const uint32_t key[2], const uint32_t place[3], uint64_t first, int64_t count, uint64_t limit,
                    float kept, float *factors);
} ren__vector;

/* The table for the context's instruction set. */
const ren__vector *ren__vector_for(const ren_context *context);

extern const ren__vector ren__vector_plain, ren__vector_avx2, ren__vector_avx512;

#endif
