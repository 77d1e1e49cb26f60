/* SPDX-License-Identifier: Apache-2.0 */
/* What a network makes of an input of zeros at one of its values, and the operators that read it in a cropped network.
 */
#ifndef REN_OPS_BACKGROUND_H
#define REN_OPS_BACKGROUND_H

#include "graph/op.h"

/* Away from its borders the map is the same everywhere, so a smaller map of the same borders tells all of it. */
typedef struct ren__background {
    int64_t size[3], channels; /* of the whole map */
    int64_t stride[3];         /* input voxels a cell */
    int64_t kept[3];           /* cells an axis of `value`: the borders and what lies between them */
    int32_t axes;
    float *value; /* channels last */
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

/* The box with `before` and `after` cells around it on each axis: the background's, or 0 outside the whole map. The
 * background must outlive the graph and its sessions. */
ren__value ren__halo(ren__graph *graph, ren__value box, const ren__background *background, const int64_t before[3],
                     const int64_t after[3]);
/* y = base + W (x - background) over the columns of the box alone, W as of a linear layer on the flattened whole map.
 */
ren__value ren__box_linear(ren__graph *graph, ren__value box, const ren__background *background, const float *base,
                           int32_t weight_parameter, int64_t features);

#endif
