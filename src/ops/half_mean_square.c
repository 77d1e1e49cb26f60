/* SPDX-License-Identifier: Apache-2.0 */
/* The loss mean(y^2) / 2, of which gradients of whole maps can be checked. */
#include "ops/internal.h"

enum { ELEMENTS_A_CHUNK = 1 << 16 };

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    (void)graph;
    (void)node;
    *output = (ren__shape){ 0 };
    return REN_OK;
}

static int64_t count_of(const ren__step *step) {
    return ren__shape_elements(&step->input_shape[0]);
}

static ren_status plan(ren__step *step) {
    step->scratch_bytes = (size_t)((count_of(step) + ELEMENTS_A_CHUNK - 1) / ELEMENTS_A_CHUNK) * sizeof(double);
    return REN_OK;
}

static void sum_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    double sum = 0;
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        sum += (double)step->input[0][i] * (double)step->input[0][i];
    ((double *)step->scratch)[begin / ELEMENTS_A_CHUNK] = sum;
}

static ren_status forward(ren__step *step) {
    const int64_t count = count_of(step);
    double sum = 0;
    ren__parallel_for(step->context, step->run, count, ELEMENTS_A_CHUNK, sum_chunk, step);
    for (int64_t k = 0; k * ELEMENTS_A_CHUNK < count; k++)
        sum += ((const double *)step->scratch)[k];
    step->output[0] = (float)(sum / (double)count / 2);
    return REN_OK;
}

static void gradient_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    const float share = (float)((double)step->output_gradient[0] / (double)count_of(step));
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        step->input_gradient[0][i] = share * step->input[0][i];
}

static ren_status backward(ren__step *step) {
    if (step->input_gradient[0])
        ren__parallel_for(step->context, step->run, count_of(step), ELEMENTS_A_CHUNK, gradient_chunk, step);
    return REN_OK;
}

const ren__op ren__half_mean_square_op = {
    .name = "half_mean_square",
    .flags = REN__KEEPS_INPUT | REN__GRADIENT_IN_PLACE,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

ren__value ren__half_mean_square(ren__graph *graph, ren__value x) {
    return ren__graph_add(graph, &ren__half_mean_square_op, NULL, &x, 1, NULL, 0);
}
