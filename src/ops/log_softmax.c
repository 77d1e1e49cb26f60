/* SPDX-License-Identifier: Apache-2.0 */
/* Logarithm of the softmax of the last axis. */
#include <math.h>

#include "ops/internal.h"

enum { ROWS_A_CHUNK = 256 };

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    return output->rank < 2 ? ren__error(REN_E_INVALID, "log_softmax: the input has no channels") : REN_OK;
}

static void forward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    const int64_t n = ren__channels_of(&step->output_shape);
    (void)thread;
    for (int64_t r = begin; r < end; r++) {
        const float *x = step->input[0] + r * n;
        float top = x[0];
        double sum = 0;
        for (int64_t i = 1; i < n; i++)
            top = x[i] > top ? x[i] : top;
        for (int64_t i = 0; i < n; i++)
            sum += (double)expf(x[i] - top);
        const double norm = (double)top + log(fmax(sum, 1.0)); /* the top's own part is 1 */
        for (int64_t i = 0; i < n; i++)
            step->output[r * n + i] = (float)((double)x[i] - norm);
    }
}

static ren_status forward(ren__step *step) {
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), ROWS_A_CHUNK, forward_rows, step);
    return REN_OK;
}

/* dx = dy - exp(y) sum dy */
static void backward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    const int64_t n = ren__channels_of(&step->output_shape);
    (void)thread;
    for (int64_t r = begin; r < end; r++) {
        const float *y = step->output + r * n, *dy = step->output_gradient + r * n;
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)dy[i];
        for (int64_t i = 0; i < n; i++)
            step->input_gradient[0][r * n + i] = (float)((double)dy[i] - (double)expf(y[i]) * sum);
    }
}

static ren_status backward(ren__step *step) {
    if (step->input_gradient[0])
        ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), ROWS_A_CHUNK, backward_rows,
                          step);
    return REN_OK;
}

const ren__op ren__log_softmax_op = {
    .name = "log_softmax",
    .flags = REN__KEEPS_OUTPUT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__log_softmax(ren__graph *graph, ren__value x) {
    return ren__graph_add(graph, &ren__log_softmax_op, NULL, &x, 1, NULL, 0);
}
