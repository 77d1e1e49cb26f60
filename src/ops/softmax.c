/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax over the last axis. */
#include <math.h>

#include "ops/internal.h"

enum { ROWS_A_CHUNK = 256 };

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    return REN_OK;
}

static void forward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    int64_t n = ren__channels_of(&step->output_shape);
    (void)thread;
    for (int64_t r = begin; r < end; r++) {
        const float *x = step->input[0] + r * n;
        float *y = step->output + r * n, top = x[0];
        double sum = 0;
        for (int64_t i = 1; i < n; i++)
            top = x[i] > top ? x[i] : top;
        for (int64_t i = 0; i < n; i++) {
            y[i] = expf(x[i] - top);
            sum += (double)y[i];
        }
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)((double)y[i] / sum);
    }
}

static ren_status forward(ren__step *step) {
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), ROWS_A_CHUNK, forward_rows, step);
    return REN_OK;
}

/* dx = y (dy - sum y dy) */
static void backward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    int64_t n = ren__channels_of(&step->output_shape);
    (void)thread;
    for (int64_t r = begin; r < end; r++) {
        const float *y = step->output + r * n, *dy = step->output_gradient + r * n;
        float *dx = step->input_gradient[0] + r * n;
        double inner = 0;
        for (int64_t i = 0; i < n; i++)
            inner += (double)y[i] * (double)dy[i];
        for (int64_t i = 0; i < n; i++)
            dx[i] = (float)((double)y[i] * ((double)dy[i] - inner));
    }
}

ren_status ren__softmax_backward(ren__step *step) {
    if (step->input_gradient[0])
        ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), ROWS_A_CHUNK, backward_rows,
                          step);
    return REN_OK;
}

const ren__op ren__softmax_op = {
    .name = "softmax",
    .flags = REN__KEEPS_OUTPUT | REN__IN_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = ren__softmax_backward,
};

ren__value ren__softmax(ren__graph *graph, ren__value x) {
    return ren__graph_add(graph, &ren__softmax_op, NULL, &x, 1, NULL, 0);
}
