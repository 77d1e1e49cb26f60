/* SPDX-License-Identifier: Apache-2.0 */
/* Small networks that meet every operator of reference_ops.c in every form. */
#include "reference.h"

static int conv(reference *r, const reference_case *c) {
    return reference_conv(r, reference_source(r, c->shape), &c->conv);
}

/* The chain that is taken together: conv, norm, ReLU, pooling (size), as far as `kind` says. */
static int conv_chain(reference *r, const reference_case *c) {
    int x = conv(r, c);
    if (c->kind & 1) x = reference_norm(r, x);
    if (c->kind & 2) x = reference_activate(r, x, REN__RELU);
    return c->size ? reference_max_pool(r, x, c->size, c->stride) : x;
}

static int pool_before_norm(reference *r, const reference_case *c) {
    int x = reference_max_pool(r, conv(r, c), 2, 2);
    return reference_activate(r, reference_norm(r, x), REN__RELU);
}

static int norm_chain(reference *r, const reference_case *c) {
    int x = reference_norm(r, reference_source(r, c->shape));
    if (c->kind & 2) x = reference_activate(r, x, REN__RELU);
    return c->size ? reference_max_pool(r, x, c->size, c->stride) : x;
}

static int linear_chain(reference *r, const reference_case *c) {
    int x = reference_linear(r, reference_source(r, c->shape), c->size, c->conv.no_bias);
    if (c->kind & 4) x = reference_activate(r, x, REN__RELU);
    if (c->kind & 1) x = reference_norm(r, x);
    return c->kind & 2 ? reference_activate(r, x, REN__RELU) : x;
}

static int activate(reference *r, const reference_case *c) {
    return reference_activate(r, reference_source(r, c->shape), (ren__activation)c->kind);
}

static int max_pool(reference *r, const reference_case *c) {
    return reference_max_pool(r, reference_source(r, c->shape), c->size, c->stride);
}

static int average_pool(reference *r, const reference_case *c) {
    int x = reference_source(r, c->shape);
    return c->kind ? reference_adaptive_average_pool(r, x, c->size) : reference_average_pool(r, x, c->size, c->stride);
}

static int dropout(reference *r, const reference_case *c) {
    return reference_dropout(r, reference_source(r, c->shape), c->number, c->kind);
}

static int flatten(reference *r, const reference_case *c) {
    return reference_flatten(r, reference_source(r, c->shape));
}

static int softmax(reference *r, const reference_case *c) {
    return reference_softmax(r, reference_source(r, c->shape));
}

static int cross_entropy(reference *r, const reference_case *c) {
    static const double weights[5] = { 0.3, 2.0, 1.0, 0.0, 0.7 };
    return reference_cross_entropy(r, reference_source(r, c->shape), c->kind ? weights : NULL, c->number);
}

/* One value with two readers, and with one reader twice. */
static int add_two_readers(reference *r, const reference_case *c) {
    int x = reference_linear(r, reference_source(r, c->shape), c->size, 0);
    int sum = reference_add(r, reference_activate(r, x, REN__TANH), reference_linear(r, x, c->size, 0));
    return c->kind ? reference_add(r, sum, sum) : sum;
}

/* A residual block: the shortcut is read after the convolution and in place of nothing. */
static int residual(reference *r, const reference_case *c) {
    int x = reference_activate(r, reference_source(r, c->shape), REN__GELU);
    int y = reference_activate(r, reference_norm(r, reference_conv(r, x, &c->conv)), REN__RELU);
    return reference_activate(r, reference_add(r, reference_norm(r, reference_conv(r, y, &c->conv)), x), REN__RELU);
}

/* What may be written in place, one after the other. */
static int in_place(reference *r, const reference_case *c) {
    int x = reference_linear(r, reference_source(r, c->shape), c->size, 0);
    x = reference_activate(r, reference_dropout(r, x, 0.4, 0), REN__SILU);
    x = reference_dropout(r, reference_softmax(r, x), 0.3, 0);
    x = reference_reshape(r, x, ren__shape_of(2, (int64_t[]){ c->shape.dim[0] * 2, c->size / 2 }));
    return reference_activate(r, reference_dropout(r, x, 0.2, 0), REN__TANH);
}

/* What leads to no loss has no gradient, and adds none to what it reads. */
static int dead_branch(reference *r, const reference_case *c) {
    int x = reference_activate(r, reference_linear(r, reference_source(r, c->shape), c->size, 0), REN__TANH);
    int dead = reference_linear(r, x, 7, 0);
    if (c->kind) dead = reference_activate(r, reference_norm(r, dead), REN__RELU);
    return dead < 0 ? -1 : reference_linear(r, x, 4, 0);
}

static int whole_cnn(reference *r, const reference_case *c) {
    int x = reference_input(r, c->shape);
    for (int i = 0; i < 2; i++) {
        x = reference_activate(r, reference_norm(r, reference_conv(r, x, &c->conv)), REN__RELU);
        x = reference_dropout(r, reference_max_pool(r, x, 2, 2), 0.3, 1);
    }
    x = reference_norm(r, reference_linear(r, reference_flatten(r, x), 12, 0));
    return reference_dropout(r, reference_activate(r, x, REN__RELU), 0.5, 0);
}

#define SHAPE(...)                                                                                                     \
    {                                                                                                                  \
        sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), {                                                        \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* clang-format off */
const reference_case reference_convolutional[] = {
    { "conv 1-D", conv, SHAPE(2, 11, 3), { 5, { 3 }, { 1 }, { 1 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 1-D, stride 3, kernel 5", conv, SHAPE(3, 17, 4), { 6, { 5 }, { 3 }, { 2 }, 2, 1 }, 0, 0, 0, 0 },
    { "conv 1-D, kernel 1, stride 2", conv, SHAPE(2, 8, 3), { 4, { 1 }, { 2 }, { 0 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 2-D", conv, SHAPE(2, 7, 9, 3), { 4, { 3, 3 }, { 1, 1 }, { 1, 1 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 2-D, not square, stride 2, 1", conv, SHAPE(2, 8, 5, 2), { 3, { 5, 2 }, { 2, 1 }, { 2, 0 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 2-D, depthwise", conv, SHAPE(2, 6, 7, 16), { 16, { 3, 3 }, { 1, 1 }, { 1, 1 }, 16, 0 }, 0, 0, 0, 0 },
    { "conv 2-D, depthwise with multiplier", conv, SHAPE(1, 6, 5, 3), { 6, { 3, 3 }, { 2, 2 }, { 1, 1 }, 3, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, one channel in", conv, SHAPE(2, 6, 5, 7, 1), { 8, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, no padding", conv, SHAPE(2, 5, 4, 6, 3), { 4, { 3, 3, 3 }, { 0 }, { 0 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, 16 channels", conv, SHAPE(1, 5, 4, 4, 16), { 16, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, stride 2", conv, SHAPE(2, 7, 6, 5, 3), { 4, { 3, 3, 3 }, { 2, 2, 2 }, { 1, 1, 1 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, patches of 2", conv, SHAPE(2, 4, 6, 5, 2), { 5, { 2, 2, 2 }, { 2, 2, 2 }, { 0 }, 0, 1 }, 0, 0, 0, 0 },
    { "conv 3-D, stride 3, kernel 2, 3, 1", conv, SHAPE(1, 8, 7, 7, 4), { 4, { 2, 3, 1 }, { 3, 3, 3 }, { 1, 0, 0 }, 2, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, groups", conv, SHAPE(1, 4, 5, 4, 6), { 9, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 3, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, depthwise, kernel 5", conv, SHAPE(1, 6, 5, 6, 4), { 4, { 5, 5, 5 }, { 0 }, { 2, 2, 2 }, 4, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, kernel 1", conv, SHAPE(3, 3, 4, 3, 7), { 5, { 1, 1, 1 }, { 0 }, { 0 }, 0, 0 }, 0, 0, 0, 0 },
    { "conv 3-D, full padding", conv, SHAPE(1, 3, 3, 2, 2), { 3, { 3, 3, 3 }, { 0 }, { 2, 2, 2 }, 0, 0 }, 0, 0, 0, 0 },

    { "conv and norm", conv_chain, SHAPE(2, 5, 4, 4, 2), { 4, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 0, 0, 1, 0 },
    { "conv and norm, no bias", conv_chain, SHAPE(2, 5, 4, 4, 2), { 4, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 1 }, 0, 0, 1, 0 },
    { "conv and ReLU", conv_chain, SHAPE(2, 7, 6, 3), { 4, { 3, 3 }, { 0 }, { 1, 1 }, 0, 0 }, 0, 0, 2, 0 },
    { "conv, norm, ReLU", conv_chain, SHAPE(2, 9, 3), { 4, { 3 }, { 0 }, { 1 }, 0, 0 }, 0, 0, 3, 0 },
    { "conv and pooling", conv_chain, SHAPE(2, 4, 6, 4, 2), { 4, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 2, 2, 0, 0 },
    { "conv, norm, ReLU, pooling 1-D", conv_chain, SHAPE(2, 12, 3), { 5, { 3 }, { 0 }, { 1 }, 0, 0 }, 2, 2, 3, 0 },
    { "conv, norm, ReLU, pooling 2-D", conv_chain, SHAPE(2, 6, 9, 3), { 5, { 3, 3 }, { 0 }, { 1, 1 }, 0, 0 }, 3, 3, 3, 0 },
    { "conv, norm, ReLU, pooling 3-D", conv_chain, SHAPE(2, 4, 6, 8, 1), { 24, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 2, 2, 3, 0 },
    { "conv, norm, pooling", conv_chain, SHAPE(2, 4, 4, 4, 2), { 3, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 2, 2, 1, 0 },
    { "conv, norm, ReLU, odd pooling", conv_chain, SHAPE(2, 5, 6, 7, 2), { 3, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 2, 2, 3, 0 },
    { "conv, norm, ReLU, overlapping pooling", conv_chain, SHAPE(2, 6, 6, 6, 2), { 3, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 3, 2, 3, 0 },
    { "pooling before the norm", pool_before_norm, SHAPE(2, 4, 6, 4, 2), { 3, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 0, 0, 0, 0 },

    { "norm 1-D", norm_chain, SHAPE(7, 5), { 0 }, 0, 0, 0, 0 },
    { "norm 1-D and ReLU", norm_chain, SHAPE(6, 70), { 0 }, 0, 0, 2, 0 },
    { "norm 3-D", norm_chain, SHAPE(2, 3, 5, 4, 3), { 0 }, 0, 0, 0, 0 },
    { "norm 3-D, ReLU, pooling", norm_chain, SHAPE(2, 4, 2, 6, 9), { 0 }, 2, 2, 2, 0 },
    { "norm 2-D, pooling", norm_chain, SHAPE(2, 6, 6, 5), { 0 }, 3, 3, 0, 0 },
    { "norm of 1-D maps, ReLU, pooling", norm_chain, SHAPE(3, 8, 4), { 0 }, 2, 2, 2, 0 },
    { "norm 2-D, ReLU, odd pooling", norm_chain, SHAPE(2, 7, 6, 3), { 0 }, 2, 2, 2, 0 },

    { "linear, one row", linear_chain, SHAPE(1, 37), { 0 }, 11, 0, 0, 0 },
    { "linear, few rows", linear_chain, SHAPE(6, 19), { 0 }, 9, 0, 2, 0 },
    { "linear, eight rows", linear_chain, SHAPE(8, 5), { .no_bias = 1 }, 3, 0, 0, 0 },
    { "linear, many rows", linear_chain, SHAPE(83, 5), { 0 }, 7, 0, 0, 0 },
    { "linear on a map", linear_chain, SHAPE(2, 3, 4, 5, 6), { .no_bias = 1 }, 7, 0, 2, 0 },
    { "linear and norm", linear_chain, SHAPE(5, 12), { 0 }, 8, 0, 1, 0 },
    { "linear, norm, ReLU, no bias", linear_chain, SHAPE(5, 12), { .no_bias = 1 }, 8, 0, 3, 0 },
    { "linear, norm, ReLU, many rows", linear_chain, SHAPE(29, 4), { 0 }, 6, 0, 3, 0 },
    { "linear, ReLU, norm", linear_chain, SHAPE(6, 10), { 0 }, 7, 0, 5, 0 },

    { "identity", activate, SHAPE(2, 3, 5), { 0 }, 0, 0, REN__IDENTITY, 0 },
    { "ReLU", activate, SHAPE(2, 3, 5), { 0 }, 0, 0, REN__RELU, 0 },
    { "leaky ReLU", activate, SHAPE(2, 3, 5), { 0 }, 0, 0, REN__LEAKY_RELU, 0 },
    { "sigmoid", activate, SHAPE(2, 3, 5), { 0 }, 0, 0, REN__SIGMOID, 0 },
    { "tanh", activate, SHAPE(2, 3, 5), { 0 }, 0, 0, REN__TANH, 0 },
    { "GELU", activate, SHAPE(2, 3, 5), { 0 }, 0, 0, REN__GELU, 0 },
    { "SiLU", activate, SHAPE(2, 3, 5), { 0 }, 0, 0, REN__SILU, 0 },
    { "softplus", activate, SHAPE(2, 3, 5), { 0 }, 0, 0, REN__SOFTPLUS, 0 },

    { "max-pooling 1-D", max_pool, SHAPE(2, 9, 3), { 0 }, 2, 2, 0, 0 },
    { "max-pooling 2-D, overlap", max_pool, SHAPE(2, 7, 8, 11), { 0 }, 3, 2, 0, 0 },
    { "max-pooling 3-D, odd", max_pool, SHAPE(2, 5, 7, 4, 9), { 0 }, 2, 2, 0, 0 },
    { "max-pooling 3-D, gaps", max_pool, SHAPE(1, 7, 7, 8, 3), { 0 }, 2, 3, 0, 0 },
    { "max-pooling 3-D, window 5", max_pool, SHAPE(1, 6, 5, 7, 3), { 0 }, 5, 1, 0, 0 },
    { "average pooling 1-D", average_pool, SHAPE(2, 9, 3), { 0 }, 2, 2, 0, 0 },
    { "average pooling 2-D, overlap", average_pool, SHAPE(2, 7, 8, 5), { 0 }, 3, 2, 0, 0 },
    { "average pooling 3-D, odd", average_pool, SHAPE(2, 5, 7, 4, 3), { 0 }, 2, 2, 0, 0 },
    { "global average", average_pool, SHAPE(3, 4, 3, 5, 6), { 0 }, 1, 0, 1, 0 },
    { "adaptive average, uneven bins", average_pool, SHAPE(2, 7, 5, 4), { 0 }, 3, 0, 1, 0 },
    { "adaptive average, more cells than voxels", average_pool, SHAPE(2, 3, 4, 2), { 0 }, 5, 0, 1, 0 },

    { "dropout", dropout, SHAPE(3, 4, 5, 6), { 0 }, 0, 0, 0, 0.4 },
    { "dropout of nothing", dropout, SHAPE(3, 7), { 0 }, 0, 0, 0, 0.0 },
    { "channel dropout", dropout, SHAPE(3, 2, 3, 2, 9), { 0 }, 0, 0, 1, 0.5 },
    { "channel dropout of vectors", dropout, SHAPE(5, 13), { 0 }, 0, 0, 1, 0.25 },
    { "flatten 3-D", flatten, SHAPE(2, 3, 4, 2, 5), { 0 }, 0, 0, 0, 0 },
    { "flatten 1-D", flatten, SHAPE(3, 4, 5), { 0 }, 0, 0, 0, 0 },
    { "flatten a vector", flatten, SHAPE(3, 5), { 0 }, 0, 0, 0, 0 },
    { "softmax", softmax, SHAPE(4, 7), { 0 }, 0, 0, 0, 0 },
    { "softmax on a map", softmax, SHAPE(2, 3, 4, 3), { 0 }, 0, 0, 0, 0 },
    { "cross-entropy", cross_entropy, SHAPE(6, 5), { 0 }, 0, 0, 0, 0.0 },
    { "cross-entropy, weights", cross_entropy, SHAPE(6, 5), { 0 }, 0, 0, 1, 0.0 },
    { "cross-entropy, smoothing", cross_entropy, SHAPE(6, 2), { 0 }, 0, 0, 0, 0.05 },
    { "cross-entropy, weights and smoothing", cross_entropy, SHAPE(4, 5), { 0 }, 0, 0, 1, 0.2 },

    { "add, two readers", add_two_readers, SHAPE(3, 6), { 0 }, 8, 0, 0, 0 },
    { "add of a value to itself", add_two_readers, SHAPE(12, 3), { 0 }, 5, 0, 1, 0 },
    { "residual block", residual, SHAPE(2, 4, 3, 5, 4), { 4, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 0, 0, 0, 0 },
    { "in place", in_place, SHAPE(4, 6), { 0 }, 8, 0, 0, 0 },
    { "dead branch", dead_branch, SHAPE(4, 6), { 0 }, 8, 0, 0, 0 },
    { "dead branch with norm", dead_branch, SHAPE(4, 6), { 0 }, 8, 0, 1, 0 },
    { "a small CNN", whole_cnn, SHAPE(3, 8, 4, 8, 2), { 6, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 0, 0, 0, 0 },
    { NULL, NULL, { 0 }, { 0 }, 0, 0, 0, 0 },
};
/* clang-format on */
