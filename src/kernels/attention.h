/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scaled dot-product attention of one head over one sequence: softmax(Q K^T / sqrt(width) + bias) V. Scores exist for a
 * block of rows at a time, never as a whole; backward computes them again. The work of one thread.
 */
#ifndef REN_KERNELS_ATTENTION_H
#define REN_KERNELS_ATTENTION_H

#include "base/context.h"

typedef struct ren__attention {
    int64_t tokens, width;
    const float *q, *k, *v; /* tokens x width, `stride` floats from row to row */
    int64_t stride;
    const float *bias;    /* tokens x tokens, added to the scores; NULL: none */
    const uint8_t *group; /* of each token: pairs of two groups get REN__ATTENTION_MASKED more; NULL: one group */
    /* Fills the factors (0 or 1 / (1 - rate)) of one row of probabilities; NULL: no dropout. */
    void (*drop)(void *user, int64_t row, float *factors);
    void *drop_user;
} ren__attention;

#define REN__ATTENTION_MASKED (-100.0f)

/* Floats of scratch that one call needs. */
size_t ren__attention_scratch(int64_t tokens, int backward);
/* `out` has `out_stride` floats from row to row. */
ren_status ren__attention_forward(const ren_context *context, const ren__attention *a, float *out, int64_t out_stride,
                                  float *scratch);
/* dq, dk, dv: tokens x width with `grad_stride`, overwritten; dbias (nullable): tokens x tokens, added to. */
ren_status ren__attention_backward(const ren_context *context, const ren__attention *a, const float *dout,
                                   int64_t out_stride, float *dq, float *dk, float *dv, int64_t grad_stride,
                                   float *dbias, float *scratch);

#endif
