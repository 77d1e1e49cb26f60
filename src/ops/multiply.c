/* SPDX-License-Identifier: Apache-2.0 */
/* The product of two tensors of one shape, or of a tensor and one factor for each of its rows of channels. */
#include "ops/internal.h"

enum { ELEMENTS_A_CHUNK = 1 << 15 };

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    ren__shape factor = *ren__graph_shape(graph, node->input[1]);
    *output = *ren__graph_shape(graph, node->input[0]);
    if (factor.rank && factor.rank == output->rank && factor.dim[factor.rank - 1] == 1)
        factor.dim[factor.rank - 1] = output->dim[output->rank - 1];
    if (!ren__shape_equal(output, &factor))
        return ren__error(REN_E_INVALID, "multiply: the factor has neither the tensor's shape nor one value a row");
    return REN_OK;
}

static int is_by_row(const ren__step *step) {
    return !ren__shape_equal(&step->input_shape[0], &step->input_shape[1]);
}

static void forward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    const int64_t c = ren__channels_of(&step->output_shape);
    const int by_row = is_by_row(step);
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const float *x = step->input[0] + row * c, *f = step->input[1] + (by_row ? row : row * c);
        float *y = step->output + row * c;
        for (int64_t i = 0; i < c; i++)
            y[i] = x[i] * f[by_row ? 0 : i];
    }
}

static void backward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    const int64_t c = ren__channels_of(&step->output_shape);
    const int by_row = is_by_row(step);
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const float *x = step->input[0] + row * c, *dy = step->output_gradient + row * c;
        const float *f = step->input[1] + (by_row ? row : row * c);
        double sum = 0;
        for (int64_t i = 0; step->input_gradient[0] && i < c; i++)
            step->input_gradient[0][row * c + i] = dy[i] * f[by_row ? 0 : i];
        if (!step->input_gradient[1]) continue;
        for (int64_t i = 0; i < c; i++) {
            sum += (double)x[i] * (double)dy[i];
            if (!by_row) step->input_gradient[1][row * c + i] = x[i] * dy[i];
        }
        if (by_row) step->input_gradient[1][row] = (float)sum;
    }
}

static int64_t grain_of(const ren__step *step) {
    const int64_t c = ren__channels_of(&step->output_shape);
    return c < ELEMENTS_A_CHUNK ? ELEMENTS_A_CHUNK / c : 1;
}

static ren_status forward(ren__step *step) {
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), grain_of(step), forward_rows, step);
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), grain_of(step), backward_rows, step);
    return REN_OK;
}

const ren__op ren__multiply_op = {
    .name = "multiply",
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__multiply(ren__graph *graph, ren__value x, ren__value factor) {
    const ren__value inputs[2] = { x, factor };
    return ren__graph_add(graph, &ren__multiply_op, NULL, inputs, 2, NULL, 0);
}
