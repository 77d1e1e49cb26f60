/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear layers: y (rows x outputs) = x (rows x inputs) W^T + b, W outputs x inputs, all packed row-major.
 *
 * Few rows (at most REN__LINEAR_FEW) are a matter of reading W once at the rate of memory: own kernels on W as the
 * checkpoint has it, no packed copy. More rows are matrix products, cut into blocks of rows that do not depend on the
 * number of threads.
 */
#ifndef REN_KERNELS_LINEAR_H
#define REN_KERNELS_LINEAR_H

#include "base/parallel.h"

enum { REN__LINEAR_FEW = 8 };

typedef struct ren__linear_shape {
    int64_t rows, inputs, outputs;
} ren__linear_shape;

ren_status ren__linear_forward(ren_context *context, ren__run *run, const ren__linear_shape *shape, const float *x,
                               const float *weights, const float *bias, int32_t relu, float *y);
/* dx = dy W; dx is overwritten. */
ren_status ren__linear_backward_data(ren_context *context, ren__run *run, const ren__linear_shape *shape,
                                     const float *dy, const float *weights, float *dx);
/* dW = dy^T x, db = column sums of dy (nullable). */
ren_status ren__linear_backward_weights(ren_context *context, ren__run *run, const ren__linear_shape *shape,
                                        const float *x, const float *dy, float *diff_weights, float *diff_bias);

/* C (m x n) = op(A) op(B) + beta C on the calling thread, row-major with leading dimensions; `transpose_*` not 0: the
 * matrix is stored transposed. */
ren_status ren__matmul(int32_t transpose_a, int32_t transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                       int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc);

#endif
