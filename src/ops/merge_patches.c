/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of 2 cells an axis become one cell with the channels of several of them one behind the other: the gathering
 * half of a Swin transformer's patch merging. Which of the block's cells, and in which order, is the network's choice;
 * one may come twice, and then its gradient is the sum.
 */
#include <string.h>

#include "ops/internal.h"

typedef struct merge_node {
    int32_t count;
    uint8_t cells[REN__MERGE_CELLS]; /* bit 2: D, bit 1: H, bit 0: W (of two axes: H, W) */
} merge_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const merge_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    for (int32_t i = 1; i + 1 < output->rank; i++) {
        if (output->dim[i] % 2)
            return ren__error(REN_E_INVALID, "merge_patches: an axis of %lld is odd", (long long)output->dim[i]);
        output->dim[i] /= 2;
    }
    for (int32_t k = 0; k < n->count; k++)
        if (output->rank < 4 || output->rank > 5 || n->cells[k] >> (output->rank - 2))
            return ren__error(REN_E_INVALID, "merge_patches: the input has too few axes for its cells");
    output->dim[output->rank - 1] *= n->count;
    return REN_OK;
}

typedef struct merge_job {
    const ren__step *step;
    ren__extent in, out;
    int32_t backward;
} merge_job;

static void merge_row(const merge_job *j, int64_t row) {
    const merge_node *n = j->step->node->options;
    const int64_t c = j->in.channels, w = row % j->out.size[2], h = row / j->out.size[2] % j->out.size[1];
    const int64_t plane = row / (j->out.size[2] * j->out.size[1]), d = plane % j->out.size[0];
    const int64_t sample = plane / j->out.size[0], deep = j->in.axes == 3 ? 2 : 1;
    for (int32_t k = 0; k < n->count; k++) {
        const int64_t at = (((sample * j->in.size[0] + d * deep + (n->cells[k] >> 2 & 1)) * j->in.size[1] + 2 * h +
                             (n->cells[k] >> 1 & 1)) *
                                j->in.size[2] +
                            2 * w + (n->cells[k] & 1)) *
                           c;
        const int64_t to = (row * n->count + k) * c;
        if (!j->backward)
            memcpy(j->step->output + to, j->step->input[0] + at, (size_t)c * sizeof(float));
        else
            for (int64_t i = 0; i < c; i++)
                j->step->input_gradient[0][at + i] += j->step->output_gradient[to + i];
    }
}

static void merge_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    for (int64_t row = begin; row < end; row++)
        merge_row(argument, row);
}

static void run(ren__step *step, int32_t backward) {
    merge_job j = { step, ren__extent_of(&step->input_shape[0]), ren__extent_of(&step->output_shape), backward };
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), 64, merge_rows, &j);
}

static ren_status forward(ren__step *step) {
    run(step, 0);
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    if (!step->input_gradient[0]) return REN_OK;
    memset(step->input_gradient[0], 0, (size_t)ren__shape_elements(&step->input_shape[0]) * sizeof(float));
    run(step, 1);
    return REN_OK;
}

const ren__op ren__merge_patches_op = {
    .name = "merge_patches",
    .option_bytes = sizeof(merge_node),
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__merge_patches(ren__graph *graph, ren__value x, const uint8_t *cells, int32_t count) {
    merge_node n = { .count = count };
    if (count < 1 || count > REN__MERGE_CELLS)
        return ren__graph_fail(graph, REN_E_INVALID, "merge_patches: %d cells", (int)count);
    memcpy(n.cells, cells, (size_t)count);
    return ren__graph_add(graph, &ren__merge_patches_op, &n, &x, 1, NULL, 0);
}
