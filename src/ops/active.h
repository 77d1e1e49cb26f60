/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators of sparse networks (ops/sparse.h): they compute the active cells of a map, those that can differ from what
 * the network makes of zeros.
 *
 * Which cells are active is a value of the graph, beside each map D, H, W, C (batch 1) one of D, H, 2: the first active
 * cell of each row and the one after the last, as whole numbers; 0, 0 where there is none. Of a map only active cells
 * are ever written or read: all others are the background's.
 */
#ifndef REN_OPS_ACTIVE_H
#define REN_OPS_ACTIVE_H

#include "graph/op.h"

/* What a network makes of an input of zeros at one of its maps. Away from its borders a map is the same everywhere, so
 * a smaller map of the same borders tells all of it. */
typedef struct ren__background {
    int64_t size[3], channels; /* of the whole map */
    int64_t kept[3];           /* cells an axis of `value`: the borders and what lies between them */
    float *value;              /* channels last */
} ren__background;

/* Where cell `i` of `size` is among `kept`: from the nearer end, or in the middle. */
static inline int64_t ren__background_index(int64_t i, int64_t size, int64_t kept) {
    int64_t half = kept / 2;
    return i < half ? i : i >= size - half ? kept - (size - i) : half;
}

/* The background's cell at (d, h, w); the caller stays within the map. */
static inline const float *ren__background_cell(const ren__background *b, int64_t d, int64_t h, int64_t w) {
    int64_t i = ren__background_index(d, b->size[0], b->kept[0]), j = ren__background_index(h, b->size[1], b->kept[1]);
    return b->value +
           ((i * b->kept[1] + j) * b->kept[2] + ren__background_index(w, b->size[2], b->kept[2])) * b->channels;
}

/* The active cells of one row. */
typedef struct ren__interval {
    int64_t begin, end;
} ren__interval;

static inline ren__interval ren__interval_at(const float *rows, int64_t row) {
    return (ren__interval){ (int64_t)rows[2 * row], (int64_t)rows[2 * row + 1] };
}

/* Which voxels of an image with one channel are not 0. `box`, six numbers: the image is 0 outside of [begin, end), and
 * `x` holds the box alone, packed. */
ren__value ren__active_rows(ren__graph *graph, ren__value x, ren__value box);
/* Which cells a 3x3x3 convolution with 2x2x2 pooling reaches from active rows of a map `width` cells wide. */
ren__value ren__reached_rows(ren__graph *graph, ren__value rows, int64_t width);

/* Convolution 3x3x3, batch-norm, ReLU and 2x2x2 max-pooling (kernels/pooled.h) on the cells of `reached`. */
typedef struct ren__active_block_options {
    const ren__background *background; /* of x, outlives graph and sessions; NULL: zeros */
    int64_t channels;
    int32_t has_bias, normed, relu; /* parameters: weight, bias, the norm's four */
} ren__active_block_options;
/* `box`: x holds a box alone, as for ren__active_rows; REN__NONE: x is a whole map. */
ren__value ren__active_block(ren__graph *graph, ren__value x, ren__value rows, ren__value reached, ren__value box,
                             const ren__active_block_options *options, const int32_t *parameters);

/* A linear layer on the flattened map: y = base + W (x - background) over the active cells. `base` is its answer on the
 * background; W is arranged (graph/weights.h). Both outlive graph and sessions. */
ren__value ren__active_linear(ren__graph *graph, ren__value x, ren__value rows, const ren__background *background,
                              const float *base, int32_t weight, int64_t features);

#endif
