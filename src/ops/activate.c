/* SPDX-License-Identifier: Apache-2.0 */
/* Pointwise activations. */
#include "kernels/vector.h"
#include "ops/internal.h"

enum { ELEMENTS_A_CHUNK = 1 << 15 };

typedef struct activate_node {
    ren__activation kind;
} activate_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    return REN_OK;
}

static void forward_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    (void)thread;
    ren__vector_for(step->context)
        ->activate((int32_t)ren__activate_kind(step->node), step->input[0] + begin, end - begin, step->output + begin);
}

static ren_status forward(ren__step *step) {
    ren__parallel_for(step->context, step->run, ren__shape_elements(&step->output_shape), ELEMENTS_A_CHUNK,
                      forward_chunk, step);
    return REN_OK;
}

static void backward_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    (void)thread;
    ren__vector_for(step->context)
        ->activate_backward((int32_t)ren__activate_kind(step->node), step->input[0] + begin,
                            step->output_gradient + begin, end - begin, step->input_gradient[0] + begin);
}

static ren_status backward(ren__step *step) {
    if (step->input_gradient[0])
        ren__parallel_for(step->context, step->run, ren__shape_elements(&step->output_shape), ELEMENTS_A_CHUNK,
                          backward_chunk, step);
    return REN_OK;
}

const ren__op ren__activate_op = {
    .name = "activate",
    .option_bytes = sizeof(activate_node),
    .flags = REN__KEEPS_INPUT | REN__IN_PLACE | REN__GRADIENT_IN_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__activation ren__activate_kind(const ren__node *node) {
    const activate_node *n = node->options;
    return n->kind;
}

ren__value ren__activate(ren__graph *graph, ren__value x, ren__activation activation) {
    activate_node n = { activation };
    return ren__graph_add(graph, &ren__activate_op, &n, &x, 1, NULL, 0);
}
