/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scaled dot-product attention of one head over one sequence: softmax(Q K^T / sqrt(width) + bias) V. Scores exist for a
 * block of rows and keys at a time, in the first-level cache: a row's largest score and its sum are corrected from
 * block to block (Milakov & Gimelshein 2018). Backward computes the scores again. The work of one thread.
 */
#ifndef REN_KERNELS_ATTENTION_H
#define REN_KERNELS_ATTENTION_H

#include "base/context.h"

typedef struct ren__attention {
    int64_t tokens, width;
    const float *q, *k, *v; /* tokens x width, `stride` floats from row to row */
    int64_t stride;
    const int64_t *place; /* row of each token, here, in the output and in the gradients; NULL: its number */
    const float *bias;    /* added to the scores, a row a query, `bias_stride` floats; NULL: none */
    int64_t bias_stride;  /* ren__attention_bias_stride(tokens): finite numbers behind the last key */
    const uint8_t *group; /* of each token: pairs of two groups get REN__ATTENTION_MASKED more; NULL: one group */
    float *normaliser;    /* 2 x tokens, written by forward where not NULL, read by backward */
    /* Fills the factors (0 or 1 / (1 - rate)) of `count` probabilities of a row; NULL: no dropout. */
    void (*drop)(void *user, int64_t row, int64_t first, int64_t count, float *factors);
    void *drop_user;
} ren__attention;

#define REN__ATTENTION_MASKED (-100.0f)

int64_t ren__attention_bias_stride(int64_t tokens);
/* Floats of scratch that one call needs. */
size_t ren__attention_scratch(int64_t tokens, int64_t width, int backward);
/* `out` has `out_stride` floats from row to row. */
void ren__attention_forward(const ren_context *context, const ren__attention *a, float *out, int64_t out_stride,
                            float *scratch);
/* `out` as forward has left it and its gradient, both with `out_stride`; dq, dk, dv (nullable): tokens x width with
 * `grad_stride`, overwritten; dbias (nullable): as the bias, added to. */
void ren__attention_backward(const ren_context *context, const ren__attention *a, const float *out, const float *dout,
                             int64_t out_stride, float *dq, float *dk, float *dv, int64_t grad_stride, float *dbias,
                             float *scratch);

/* ---- what the instruction sets do differently ---- */

enum {
    REN__ATTENTION_ROWS = 48,  /* queries of a block */
    REN__ATTENTION_KEYS = 128, /* keys of a block, and the stride of its scores */
    REN__ATTENTION_LANES = 16  /* widths are rounded up to whole vectors of this many floats */
};

typedef struct ren__attention_tiles {
    /* C (rows x columns, columns a multiple of REN__ATTENTION_LANES) = A B, or += with `add`. A's element (i, k) is
     * a[i * REN__ATTENTION_KEYS + k]. */
    void (*rows_product)(int64_t rows, int64_t columns, int64_t depth, const float *a, const float *b, int64_t b_stride,
                         float *c, int64_t c_stride, int add);
    /* The same with A's element (i, k) at a[k * a_stride + i]. */
    void (*columns_product)(int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t a_stride,
                            const float *b, int64_t b_stride, float *c, int64_t c_stride, int add);
    /* Rows of a block are read and written up to a whole vector; what stands behind `count` there means nothing. */
    /* A row of scores s to exp(scale s + bias - *top), *top raised before to the largest; returns the sum. */
    float (*exponentials)(float *row, int64_t count, float scale, const float *bias, float *top);
    /* To exp(scale s + bias - top) share. */
    void (*probabilities)(float *row, int64_t count, float scale, const float *bias, float top, float share);
    /* g = p (g factors - inner); `factors` may be NULL. */
    void (*scores_gradient)(const float *p, const float *factors, int64_t count, float inner, float *g);
    void (*add)(const float *x, int64_t count, float *y);            /* y += x */
    void (*multiply)(const float *factors, int64_t count, float *y); /* y *= factors */
    /* y = bias (0 where NULL), REN__ATTENTION_MASKED less where group differs from `own`; 0 behind `count`. */
    void (*mask)(const float *bias, const uint8_t *group, uint8_t own, int64_t count, float *y);
    /* y = factor x, `count` elements and no more. */
    void (*scale)(const float *x, int64_t count, float factor, float *y);
} ren__attention_tiles;

extern const ren__attention_tiles ren__attention_plain, ren__attention_avx2, ren__attention_avx512;

#endif
