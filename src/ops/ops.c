/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operators, and shape helpers that several of them use. */
#include <math.h>

#include "ops/internal.h"

/* clang-format off */
/* One line an operator: its declaration, and a place in the table. */
#define OPERATORS(each) \
    each(conv) \
    each(conv_transpose) \
    each(batch_norm) \
    each(instance_norm) \
    each(layer_norm) \
    each(linear) \
    each(activate) \
    each(max_pool) \
    each(average_pool) \
    each(dropout) \
    each(drop_path) \
    each(flatten) \
    each(reshape) \
    each(softmax) \
    each(top_softmax) \
    each(log_softmax) \
    each(attention) \
    each(window_attention) \
    each(selective_scan) \
    each(causal_conv) \
    each(add) \
    each(multiply) \
    each(concat) \
    each(slice) \
    each(pad) \
    each(merge_patches) \
    each(pixel_shuffle) \
    each(upsample) \
    each(positions) \
    each(class_token) \
    each(select_labels) \
    each(expert_weights) \
    each(mix) \
    each(gate_regulariser) \
    each(expert_mlp) \
    each(head) \
    each(segmentation_loss) \
    each(cross_entropy) \
    each(half_mean_square) \
    each(active_rows) \
    each(reached_rows) \
    each(active_block) \
    each(active_linear)
/* clang-format on */

#define DECLARE(name) extern const ren__op ren__##name##_op;
#define ENTRY(name)   &ren__##name##_op,

OPERATORS(DECLARE)
const ren__op *const ren__ops[] = { OPERATORS(ENTRY) NULL };

int64_t ren__rows_of(const ren__shape *shape) {
    int64_t rows = 1;
    for (int32_t i = 0; i + 1 < shape->rank; i++)
        rows *= shape->dim[i];
    return rows;
}

int64_t ren__channels_of(const ren__shape *shape) {
    return shape->rank ? shape->dim[shape->rank - 1] : 1;
}

ren__extent ren__extent_of(const ren__shape *shape) {
    ren__extent e = { shape->rank ? shape->dim[0] : 1, { 1, 1, 1 }, ren__channels_of(shape), shape->rank - 2 };
    for (int32_t i = 0; i < e.axes && i < 3; i++)
        e.size[3 - e.axes + i] = shape->dim[1 + i];
    return e;
}

void ren__norm_fold(const float *const parameter[4], int64_t channels, float *scale, float *shift) {
    for (int64_t c = 0; c < channels; c++) {
        double s = (double)parameter[0][c] / sqrt((double)parameter[3][c] + REN__NORM_EPSILON);
        scale[c] = (float)s;
        shift[c] = (float)((double)parameter[1][c] - s * (double)parameter[2][c]);
    }
}

int32_t ren__window_offsets(const ren__extent *from, const int64_t kernel[3], int64_t *offsets) {
    int32_t count = 0;
    for (int64_t d = 0; d < kernel[0]; d++)
        for (int64_t h = 0; h < kernel[1]; h++)
            for (int64_t w = 0; w < kernel[2]; w++)
                offsets[count++] = ((d * from->size[1] + h) * from->size[2] + w) * from->channels;
    return count;
}
