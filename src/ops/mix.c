/* SPDX-License-Identifier: Apache-2.0 */
/* The experts' features, each times its weight, summed: weights N, E and features N, E, F give N, F. */
#include "ops/internal.h"

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const ren__shape *weights = ren__graph_shape(graph, node->input[0]);
    const ren__shape *features = ren__graph_shape(graph, node->input[1]);
    if (weights->rank != 2 || features->rank != 3 || weights->dim[0] != features->dim[0] ||
        weights->dim[1] != features->dim[1])
        return ren__error(REN_E_INVALID, "mix: weights (N, E) and features (N, E, F) do not fit together");
    *output = ren__shape_of(2, (int64_t[]){ features->dim[0], features->dim[2] });
    return REN_OK;
}

static ren_status forward(ren__step *step) {
    const int64_t experts = step->input_shape[1].dim[1], f = step->input_shape[1].dim[2];
    for (int64_t sample = 0; sample < step->output_shape.dim[0]; sample++)
        for (int64_t i = 0; i < f; i++) {
            double sum = 0;
            for (int64_t e = 0; e < experts; e++)
                sum += (double)step->input[0][sample * experts + e] *
                       (double)step->input[1][(sample * experts + e) * f + i];
            step->output[sample * f + i] = (float)sum;
        }
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    const int64_t rows = ren__shape_elements(&step->input_shape[0]);
    const int64_t experts = step->input_shape[1].dim[1], f = step->input_shape[1].dim[2];
    for (int64_t row = 0; row < rows; row++) {
        const float *dy = step->output_gradient + row / experts * f, *x = step->input[1] + row * f;
        double sum = 0;
        for (int64_t i = 0; i < f; i++) {
            sum += (double)dy[i] * (double)x[i];
            if (step->input_gradient[1]) step->input_gradient[1][row * f + i] = step->input[0][row] * dy[i];
        }
        if (step->input_gradient[0]) step->input_gradient[0][row] = (float)sum;
    }
    return REN_OK;
}

const ren__op ren__mix_op = {
    .name = "mix",
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__mix(ren__graph *graph, ren__value weights, ren__value features) {
    const ren__value inputs[2] = { weights, features };
    return ren__graph_add(graph, &ren__mix_op, NULL, inputs, 2, NULL, 0);
}
