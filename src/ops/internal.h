/* SPDX-License-Identifier: Apache-2.0 */
/* What operators know of each other: how one takes over the next, and shapes as rows of channels. */
#ifndef REN_OPS_INTERNAL_H
#define REN_OPS_INTERNAL_H

#include "graph/op.h"
#include "kernels/conv.h"
#include "ops/ops.h"

extern const ren__op ren__activate_op, ren__batch_norm_op, ren__max_pool_op;

/* The activation of an activate node; the edge of a max_pool node's windows where they tile its input, else 0. */
ren__activation ren__activate_kind(const ren__node *node);
int64_t ren__max_pool_edge(const ren__graph *graph, const ren__node *node);

/* What the convolution of a conv node is, its spatial axes as three. */
ren_status ren__conv_shape_of(const ren__graph *graph, const ren__node *node, ren__conv_shape *shape);
/* Weights (`channels` rows of `each`) and bias (nullable) of a convolution with the batch-norm after it folded in. */
void ren__conv_fold(const float *weights, const float *bias, const float *const norm[4], int64_t channels, size_t each,
                    float *folded, float *folded_bias);

/* Channels last: the product of all axes but the last, and the last. */
int64_t ren__rows_of(const ren__shape *shape);
int64_t ren__channels_of(const ren__shape *shape);
/* N, spatial, C as five numbers: missing spatial axes are 1, in front. */
typedef struct ren__extent {
    int64_t batch, size[3], channels;
    int32_t axes;
} ren__extent;
ren__extent ren__extent_of(const ren__shape *shape);

/* scale and shift of a batch-norm outside training, from its four parameters (weight, bias, mean, variance). */
#define REN__NORM_EPSILON 1e-5
void ren__norm_fold(const float *const parameter[4], int64_t channels, float *scale, float *shift);

/* The gradient of a softmax from its output alone: dx = y (dy - sum y dy). */
ren_status ren__softmax_backward(ren__step *step);

/* Which of `rows` rows a window has: offsets in floats from its first, x fastest; returns how many. */
enum { REN__MAX_WINDOW = 255 };
int32_t ren__window_offsets(const ren__extent *from, const int64_t kernel[3], int64_t *offsets);

#endif
