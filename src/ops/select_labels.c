/* SPDX-License-Identifier: Apache-2.0 */
/* A map where a label map has one of some labels, zero elsewhere. The labels get no gradient. */
#include "ops/internal.h"

typedef struct select_node {
    uint32_t labels; /* bit k: label k, below 32 */
} select_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    ren__shape labels = *ren__graph_shape(graph, node->input[1]);
    *output = *ren__graph_shape(graph, node->input[0]);
    if (labels.rank < 3 || labels.dim[labels.rank - 1] != 1)
        return ren__error(REN_E_INVALID, "select_labels: the labels are no map of one channel");
    labels.dim[labels.rank - 1] = ren__channels_of(output);
    if (!ren__shape_equal(output, &labels))
        return ren__error(REN_E_INVALID, "select_labels: image and labels differ in shape");
    return REN_OK;
}

typedef struct select_job {
    const ren__step *step;
    const float *from;
    float *to;
} select_job;

static void select_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const select_job *j = argument;
    const ren__step *step = j->step;
    const select_node *n = step->node->options;
    const int64_t c = ren__channels_of(&step->output_shape);
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const float label = step->input[1][row];
        const int chosen =
            label >= 0.0f && label < 32.0f && label == (float)(uint32_t)label && (n->labels >> (uint32_t)label & 1U);
        for (int64_t i = 0; i < c; i++)
            j->to[row * c + i] = chosen ? j->from[row * c + i] : 0.0f;
    }
}

static ren_status apply(const ren__step *step, const float *from, float *to) {
    select_job j = { step, from, to };
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), 1 << 15, select_rows, &j);
    return REN_OK;
}

static ren_status forward(ren__step *step) {
    return apply(step, step->input[0], step->output);
}

static ren_status backward(ren__step *step) {
    if (step->input_gradient[1])
        return ren__error(REN_E_UNSUPPORTED, "select_labels: labels are data, no gradient reaches them");
    return step->input_gradient[0] ? apply(step, step->output_gradient, step->input_gradient[0]) : REN_OK;
}

const ren__op ren__select_labels_op = {
    .name = "select_labels",
    .option_bytes = sizeof(select_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__select_labels(ren__graph *graph, ren__value x, ren__value labels, uint32_t chosen) {
    const ren__value inputs[2] = { x, labels };
    const select_node n = { chosen };
    return ren__graph_add(graph, &ren__select_labels_op, &n, inputs, 2, NULL, 0);
}
