/* SPDX-License-Identifier: Apache-2.0 */
/* Channels to cells: N, H, W, (rows, columns, C) -> N, edge H, edge W, C. Of a cell's block the channels of one row lie
 * together before and after. */
#include <string.h>

#include "ops/internal.h"

typedef struct shuffle_node {
    int64_t edge;
} shuffle_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const shuffle_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank != 4 || n->edge < 1 || n->edge > INT16_MAX || output->dim[3] % (n->edge * n->edge))
        return ren__error(REN_E_INVALID, "pixel_shuffle: the channels are no blocks of %lld x %lld", (long long)n->edge,
                          (long long)n->edge);
    output->dim[1] *= n->edge;
    output->dim[2] *= n->edge;
    output->dim[3] /= n->edge * n->edge;
    return REN_OK;
}

typedef struct shuffle_job {
    const ren__step *step;
    int64_t edge, width, run; /* cells of a row before, floats that lie together */
    int32_t backward;
} shuffle_job;

/* Rows of cells of all samples. */
static void shuffle_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const shuffle_job *j = argument;
    (void)thread;
    for (int64_t row = begin; row < end; row++)
        for (int64_t up = 0; up < j->edge; up++)
            for (int64_t w = 0; w < j->width; w++) {
                const int64_t packed = ((row * j->width + w) * j->edge + up) * j->run;
                const int64_t spread = ((row * j->edge + up) * j->width + w) * j->run;
                const size_t bytes = (size_t)j->run * sizeof(float);
                if (j->backward)
                    memcpy(j->step->input_gradient[0] + packed, j->step->output_gradient + spread, bytes);
                else
                    memcpy(j->step->output + spread, j->step->input[0] + packed, bytes);
            }
}

static void run(ren__step *step, int32_t backward) {
    const ren__shape *shape = &step->input_shape[0];
    const int64_t edge = ((const shuffle_node *)step->node->options)->edge;
    shuffle_job j = { step, edge, shape->dim[2], shape->dim[3] / edge, backward };
    ren__parallel_for(step->context, step->run, shape->dim[0] * shape->dim[1], 1, shuffle_rows, &j);
}

static ren_status forward(ren__step *step) {
    run(step, 0);
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    if (step->input_gradient[0]) run(step, 1);
    return REN_OK;
}

const ren__op ren__pixel_shuffle_op = {
    .name = "pixel_shuffle",
    .option_bytes = sizeof(shuffle_node),
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__pixel_shuffle(ren__graph *graph, ren__value x, int64_t edge) {
    const shuffle_node n = { edge };
    return ren__graph_add(graph, &ren__pixel_shuffle_op, &n, &x, 1, NULL, 0);
}
