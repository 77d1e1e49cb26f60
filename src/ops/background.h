/* SPDX-License-Identifier: Apache-2.0 */
/* What a network makes of an input of zeros at one of its values, and the operators that read it in a cropped network. */
#ifndef REN_OPS_BACKGROUND_H
#define REN_OPS_BACKGROUND_H

#include "graph/op.h"

typedef struct ren__background {
    int64_t size[3], channels; /* of the whole map */
    int64_t stride[3];         /* input voxels a cell */
    int32_t axes, constant;    /* constant: every cell is the same, `value` has one cell */
    float *value;              /* channels last */
} ren__background;

/* The background's cell at (d, h, w); the caller stays within the map. */
static inline const float *ren__background_cell(const ren__background *b, int64_t d, int64_t h, int64_t w) {
    return b->constant ? b->value : b->value + ((d * b->size[1] + h) * b->size[2] + w) * b->channels;
}

/* The box with `before` and `after` cells around it on each axis: the background's, or 0 outside the whole map. The
 * background must outlive the graph and its sessions. */
ren__value ren__halo(ren__graph *graph, ren__value box, const ren__background *background, const int64_t before[3],
                     const int64_t after[3]);
/* y = base + W (x - background) over the columns of the box alone, W as of a linear layer on the flattened whole map. */
ren__value ren__box_linear(ren__graph *graph, ren__value box, const ren__background *background, const float *base,
                           int32_t weight_parameter, int64_t features);

#endif
