/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic depth (Huang et al. 2016): a sample's whole branch is zero with `rate`, else divided by 1 - rate. */
#include "ops/dropout.h"
#include "ops/internal.h"

enum { ELEMENTS_A_CHUNK = 1 << 14 };

typedef struct path_node {
    double rate;
} path_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const path_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank < 1) return ren__error(REN_E_INVALID, "drop_path: the input has no samples");
    if (!(n->rate >= 0 && n->rate < 1)) return ren__error(REN_E_INVALID, "drop_path: the rate must lie in [0, 1)");
    return REN_OK;
}

typedef struct path_job {
    const float *from;
    float *to, factor;
} path_job;

static void scale(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const path_job *j = argument;
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        j->to[i] = j->from[i] * j->factor;
}

static void apply(ren__step *step, const float *from, float *to) {
    const path_node *n = step->node->options;
    const int64_t batch = step->output_shape.dim[0], each = ren__shape_elements(&step->output_shape) / batch;
    for (int64_t sample = 0; sample < batch; sample++) {
        path_job j = { from + sample * each, to + sample * each, 0 };
        ren__dropout_factors(step, n->rate, sample, 0, 1, &j.factor);
        ren__parallel_for(step->context, step->run, each, ELEMENTS_A_CHUNK, scale, &j);
    }
}

static ren_status forward(ren__step *step) {
    apply(step, step->input[0], step->output);
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    if (step->input_gradient[0]) apply(step, step->output_gradient, step->input_gradient[0]);
    return REN_OK;
}

const ren__op ren__drop_path_op = {
    .name = "drop_path",
    .option_bytes = sizeof(path_node),
    .flags = REN__SKIPPED_IN_INFERENCE | REN__IN_PLACE | REN__GRADIENT_IN_PLACE,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__drop_path(ren__graph *graph, ren__value x, double rate) {
    const path_node n = { rate };
    return ren__graph_add(graph, &ren__drop_path_op, &n, &x, 1, NULL, 0);
}
