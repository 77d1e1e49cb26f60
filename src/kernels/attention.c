/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/attention.h"

#include <math.h>
#include <string.h>

#include "kernels/linear.h"
#include "kernels/rows.h"

enum { ROWS_A_BLOCK = 64 };

size_t ren__attention_scratch(int64_t tokens, int backward) {
    return (size_t)tokens * (backward ? 2 * ROWS_A_BLOCK + 2 : ROWS_A_BLOCK + 2);
}

/* What is added to the scores of a row: the bias, and the mask where there are groups. */
static const float *row_bias(const ren__attention *a, int64_t row, float *room) {
    const float *bias = a->bias ? a->bias + row * a->tokens : NULL;
    if (!a->group) return bias;
    for (int64_t i = 0; i < a->tokens; i++)
        room[i] = (bias ? bias[i] : 0.0f) + (a->group[i] == a->group[row] ? 0.0f : REN__ATTENTION_MASKED);
    return room;
}

/* Probabilities of rows first .. first + rows - 1. */
static ren_status probabilities(const ren_context *context, const ren__attention *a, int64_t first, int64_t rows,
                                float *block, float *room) {
    const ren__rows *kernels = ren__rows_for(context);
    const float scale = 1.0f / sqrtf((float)a->width);
    const ren_status st = ren__matmul(0, 1, rows, a->tokens, a->width, a->q + first * a->stride, a->stride, a->k,
                                      a->stride, 0.0f, block, a->tokens);
    if (st != REN_OK) return st;
    for (int64_t r = 0; r < rows; r++) {
        float *row = block + r * a->tokens;
        const float share = 1.0f / kernels->exponentials(row, a->tokens, scale, row_bias(a, first + r, room), NULL);
        for (int64_t i = 0; i < a->tokens; i++)
            row[i] *= share;
    }
    return REN_OK;
}

static void apply_dropout(const ren__attention *a, int64_t first, int64_t rows, float *block, float *factors) {
    for (int64_t r = 0; a->drop && r < rows; r++) {
        a->drop(a->drop_user, first + r, factors);
        for (int64_t i = 0; i < a->tokens; i++)
            block[r * a->tokens + i] *= factors[i];
    }
}

ren_status ren__attention_forward(const ren_context *context, const ren__attention *a, float *out, int64_t out_stride,
                                  float *scratch) {
    float *block = scratch, *room = scratch + ROWS_A_BLOCK * a->tokens;
    ren_status st = REN_OK;
    for (int64_t first = 0; st == REN_OK && first < a->tokens; first += ROWS_A_BLOCK) {
        const int64_t rows = a->tokens - first < ROWS_A_BLOCK ? a->tokens - first : ROWS_A_BLOCK;
        st = probabilities(context, a, first, rows, block, room);
        if (st != REN_OK) break;
        apply_dropout(a, first, rows, block, room);
        st = ren__matmul(0, 0, rows, a->width, a->tokens, block, a->tokens, a->v, a->stride, 0.0f,
                         out + first * out_stride, out_stride);
    }
    return st;
}

/* `gradient` has the gradient of the dropped probabilities and gets that of the scores, through dropout and softmax:
 * dS = P (dP - sum P dP). `block` has P and keeps what V was multiplied with. */
static void scores_gradient(const ren__attention *a, int64_t first, int64_t rows, float *block, float *gradient,
                            float *factors) {
    for (int64_t r = 0; r < rows; r++) {
        float *p = block + r * a->tokens, *d = gradient + r * a->tokens, inner = 0;
        if (a->drop) {
            a->drop(a->drop_user, first + r, factors);
            for (int64_t i = 0; i < a->tokens; i++)
                d[i] *= factors[i];
        }
#pragma omp simd reduction(+ : inner)
        for (int64_t i = 0; i < a->tokens; i++)
            inner += p[i] * d[i];
        for (int64_t i = 0; i < a->tokens; i++)
            d[i] = p[i] * (d[i] - inner);
        for (int64_t i = 0; a->drop && i < a->tokens; i++)
            p[i] *= factors[i];
    }
}

static void scale_rows(float *x, int64_t rows, int64_t width, int64_t stride, float scale) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++)
            x[r * stride + i] *= scale;
}

ren_status ren__attention_backward(const ren_context *context, const ren__attention *a, const float *dout,
                                   int64_t out_stride, float *dq, float *dk, float *dv, int64_t grad_stride,
                                   float *dbias, float *scratch) {
    const int64_t t = a->tokens, w = a->width;
    float *block = scratch, *gradient = block + ROWS_A_BLOCK * t, *room = gradient + ROWS_A_BLOCK * t;
    ren_status st = REN_OK;
    for (int64_t first = 0; first < t; first += ROWS_A_BLOCK) {
        const int64_t rows = t - first < ROWS_A_BLOCK ? t - first : ROWS_A_BLOCK;
        const float beta = first ? 1.0f : 0.0f, *dy = dout + first * out_stride;
        REN_TRY(probabilities(context, a, first, rows, block, room));
        REN_TRY(ren__matmul(0, 1, rows, t, w, dy, out_stride, a->v, a->stride, 0.0f, gradient, t));
        scores_gradient(a, first, rows, block, gradient, room);
        REN_TRY(ren__matmul(1, 0, t, w, rows, block, t, dy, out_stride, beta, dv, grad_stride));
        REN_TRY(
            ren__matmul(0, 0, rows, w, t, gradient, t, a->k, a->stride, 0.0f, dq + first * grad_stride, grad_stride));
        REN_TRY(ren__matmul(1, 0, t, w, rows, gradient, t, a->q + first * a->stride, a->stride, beta, dk, grad_stride));
        for (int64_t i = 0; dbias && i < rows * t; i++)
            dbias[first * t + i] += gradient[i];
    }
    scale_rows(dq, t, w, grad_stride, 1.0f / sqrtf((float)w));
    scale_rows(dk, t, w, grad_stride, 1.0f / sqrtf((float)w));
out:
    return st;
}
