/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weights of a mixture's experts: gate weights w times the experts' attentions a, to a sum of 1:
 * c = w a / (sum of w a + 1e-8). The gate weights are
 *     fixed    base
 *     learned  softmax((ln(base + 1e-8) + logits) / temperature), logits a parameter
 *     dynamic  base softmax(predicted / temperature), to a sum of 1; predicted for each sample
 * with base a buffer of the checkpoint. A handful of numbers a sample: computed in double, on one thread.
 */
#include <math.h>

#include "ops/internal.h"

static const double TINY = 1e-8;

typedef struct gate_node {
    int32_t mode;
    double temperature;
} gate_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const gate_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank != 2 || output->dim[1] > REN__MAX_EXPERTS)
        return ren__error(REN_E_INVALID, "expert_weights: attentions of N samples and at most %d experts are needed",
                          (int)REN__MAX_EXPERTS);
    if (n->mode == REN__GATE_DYNAMIC && !ren__shape_equal(output, ren__graph_shape(graph, node->input[1])))
        return ren__error(REN_E_INVALID, "expert_weights: predicted weights and attentions differ in shape");
    if (!(n->temperature > 0)) return ren__error(REN_E_INVALID, "expert_weights: the temperature must be above 0");
    return REN_OK;
}

/* exp of the differences from the largest, and their sum to 1. */
static void softmax(const double *x, int64_t n, double *p) {
    double top = x[0], sum = 0;
    for (int64_t e = 1; e < n; e++)
        top = x[e] > top ? x[e] : top;
    for (int64_t e = 0; e < n; e++)
        sum += p[e] = exp(x[e] - top);
    for (int64_t e = 0; e < n; e++)
        p[e] /= sum;
}

/* The gate weights of one sample; `p` gets the softmax where there is one. */
static void weigh(const ren__step *step, int64_t sample, double *p, double *w) {
    const gate_node *g = step->node->options;
    const int64_t n = step->output_shape.dim[1];
    double x[REN__MAX_EXPERTS] = { 0 }, sum = 0;
    for (int64_t e = 0; e < n; e++) {
        const double base = (double)step->parameter[0][e];
        w[e] = base;
        if (g->mode == REN__GATE_LEARNED) x[e] = (log(base + TINY) + (double)step->parameter[1][e]) / g->temperature;
        if (g->mode == REN__GATE_DYNAMIC) x[e] = (double)step->input[1][sample * n + e] / g->temperature;
    }
    if (g->mode == REN__GATE_FIXED) return;
    softmax(x, n, p);
    for (int64_t e = 0; e < n; e++) {
        w[e] = g->mode == REN__GATE_LEARNED ? p[e] : w[e] * p[e];
        sum += w[e];
    }
    for (int64_t e = 0; e < n && g->mode == REN__GATE_DYNAMIC; e++)
        w[e] /= sum + TINY;
}

static ren_status forward(ren__step *step) {
    const int64_t n = step->output_shape.dim[1];
    for (int64_t sample = 0; sample < step->output_shape.dim[0]; sample++) {
        double p[REN__MAX_EXPERTS] = { 0 }, w[REN__MAX_EXPERTS], sum = TINY;
        weigh(step, sample, p, w);
        for (int64_t e = 0; e < n; e++)
            sum += w[e] * (double)step->input[0][sample * n + e];
        for (int64_t e = 0; e < n; e++)
            step->output[sample * n + e] = (float)(w[e] * (double)step->input[0][sample * n + e] / sum);
    }
    return REN_OK;
}

/* From the gradient of the gate weights (in `dw`) to that of what the softmax had, divided by the temperature. */
static void through_softmax(const ren__step *step, const double *p, const double *w, double *dw, double *dx) {
    const gate_node *g = step->node->options;
    const int64_t n = step->output_shape.dim[1];
    double inner = 0, sum = 0;
    if (g->mode == REN__GATE_DYNAMIC) { /* w = b p / (sum b p + tiny) */
        for (int64_t e = 0; e < n; e++) {
            sum += (double)step->parameter[0][e] * p[e];
            inner += dw[e] * w[e];
        }
        for (int64_t e = 0; e < n; e++)
            dw[e] = (double)step->parameter[0][e] * (dw[e] - inner) / (sum + TINY);
        inner = 0;
    }
    for (int64_t e = 0; e < n; e++)
        inner += dw[e] * p[e];
    for (int64_t e = 0; e < n; e++)
        dx[e] = p[e] * (dw[e] - inner) / g->temperature;
}

static ren_status backward(ren__step *step) {
    const gate_node *g = step->node->options;
    const int64_t n = step->output_shape.dim[1];
    double logits[REN__MAX_EXPERTS] = { 0 };
    for (int64_t sample = 0; sample < step->output_shape.dim[0]; sample++) {
        const float *a = step->input[0] + sample * n, *dc = step->output_gradient + sample * n;
        double p[REN__MAX_EXPERTS] = { 0 }, w[REN__MAX_EXPERTS], dw[REN__MAX_EXPERTS], dx[REN__MAX_EXPERTS] = { 0 };
        double sum = TINY, inner = 0;
        weigh(step, sample, p, w);
        for (int64_t e = 0; e < n; e++)
            sum += w[e] * (double)a[e];
        for (int64_t e = 0; e < n; e++)
            inner += (double)dc[e] * w[e] * (double)a[e] / sum;
        for (int64_t e = 0; e < n; e++) { /* gradient of the product w a */
            const double product = ((double)dc[e] - inner) / sum;
            dw[e] = product * (double)a[e];
            if (step->input_gradient[0]) step->input_gradient[0][sample * n + e] = (float)(product * w[e]);
        }
        if (g->mode != REN__GATE_FIXED) through_softmax(step, p, w, dw, dx);
        for (int64_t e = 0; e < n; e++) {
            logits[e] += dx[e];
            if (g->mode == REN__GATE_DYNAMIC && step->input_gradient[1])
                step->input_gradient[1][sample * n + e] = (float)dx[e];
        }
    }
    for (int64_t e = 0; e < n && g->mode == REN__GATE_LEARNED; e++)
        step->parameter_gradient[1][e] = (float)logits[e];
    return REN_OK;
}

const ren__op ren__expert_weights_op = {
    .name = "expert_weights",
    .option_bytes = sizeof(gate_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__expert_weights(ren__graph *graph, ren__value attentions, ren__value predicted,
                               const ren__gate_options *options) {
    const int64_t experts = ren__channels_of(ren__graph_shape(graph, attentions));
    const ren__shape shape = ren__shape_of(1, &experts);
    const gate_node n = { options->mode, options->temperature };
    const ren__value inputs[2] = { attentions, predicted };
    int32_t parameters[2] = {
        ren__graph_parameter(graph, options->base, "", shape, (ren__initialiser){ REN__INIT_ONE, 0 }, 0), -1
    };
    if (n.mode == REN__GATE_LEARNED)
        parameters[1] =
            ren__graph_parameter(graph, options->logits, "", shape, (ren__initialiser){ REN__INIT_ZERO, 0 }, 1);
    return ren__graph_add(graph, &ren__expert_weights_op, &n, inputs, n.mode == REN__GATE_DYNAMIC ? 2 : 1, parameters,
                          n.mode == REN__GATE_LEARNED ? 2 : 1);
}
