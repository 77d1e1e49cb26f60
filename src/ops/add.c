/* SPDX-License-Identifier: Apache-2.0 */
/* The sum of two tensors of one shape. */
#include <string.h>

#include "ops/internal.h"

enum { ELEMENTS_A_CHUNK = 1 << 15 };

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    if (!ren__shape_equal(output, ren__graph_shape(graph, node->input[1])))
        return ren__error(REN_E_INVALID, "add: the shapes differ");
    return REN_OK;
}

static void forward_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        step->output[i] = step->input[0][i] + step->input[1][i];
}

static ren_status forward(ren__step *step) {
    ren__parallel_for(step->context, step->run, ren__shape_elements(&step->output_shape), ELEMENTS_A_CHUNK,
                      forward_chunk, step);
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    size_t bytes = (size_t)ren__shape_elements(&step->output_shape) * sizeof(float);
    for (int k = 0; k < 2; k++)
        if (step->input_gradient[k] && step->input_gradient[k] != step->output_gradient)
            memcpy(step->input_gradient[k], step->output_gradient, bytes);
    return REN_OK;
}

const ren__op ren__add_op = {
    .name = "add",
    .flags = REN__IN_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__add(ren__graph *graph, ren__value a, ren__value b) {
    const ren__value inputs[2] = { a, b };
    return ren__graph_add(graph, &ren__add_op, NULL, inputs, 2, NULL, 0);
}
