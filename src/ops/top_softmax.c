/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of the largest few of the last axis; the others become 0. Of equal ones the first counts as the larger. */
#include <math.h>

#include "ops/internal.h"

enum { ROWS_A_CHUNK = 256 };

typedef struct top_node {
    int64_t count;
} top_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const top_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank < 2 || n->count < 1 || n->count > ren__channels_of(output))
        return ren__error(REN_E_INVALID, "top_softmax: %lld of %lld cannot be chosen", (long long)n->count,
                          (long long)ren__channels_of(output));
    return REN_OK;
}

/* The place of the largest of x that y does not hold yet. */
static int64_t next_largest(const float *x, const float *y, int64_t n) {
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (y[i] == 0 && (best < 0 || x[i] > x[best])) best = i;
    return best;
}

/* A row that holds a NaN, or infinities of both signs, becomes NaN. */
static void row_softmax(const float *x, int64_t n, int64_t count, float *y) {
    double sum = 0;
    float top = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i];
        y[i] = 0;
    }
    if (isnan(sum)) {
        for (int64_t i = 0; i < n; i++)
            y[i] = NAN;
        return;
    }
    for (int64_t k = 0; k < count; k++) {
        const int64_t i = next_largest(x, y, n);
        if (k == 0) top = x[i];
        y[i] = 1;
    }
    sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (y[i] != 0) y[i] = expf(x[i] - top);
        sum += (double)y[i];
    }
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((double)y[i] / sum);
}

static void forward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    const top_node *node = step->node->options;
    const int64_t n = ren__channels_of(&step->output_shape);
    (void)thread;
    for (int64_t r = begin; r < end; r++)
        row_softmax(step->input[0] + r * n, n, node->count, step->output + r * n);
}

static ren_status forward(ren__step *step) {
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), ROWS_A_CHUNK, forward_rows, step);
    return REN_OK;
}

const ren__op ren__top_softmax_op = {
    .name = "top_softmax",
    .option_bytes = sizeof(top_node),
    .flags = REN__KEEPS_OUTPUT,
    .infer = infer,
    .forward = forward,
    .backward = ren__softmax_backward, /* what was not chosen has y = 0 */
};

ren__value ren__top_softmax(ren__graph *graph, ren__value x, int64_t count) {
    const top_node n = { count };
    return ren__graph_add(graph, &ren__top_softmax_op, &n, &x, 1, NULL, 0);
}
