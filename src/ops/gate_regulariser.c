/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a mixture's loss adds so that its experts stay apart and all take part. With c the experts' weights (N, E) and f
 * their features (N, E, F):
 *     balance x mean((c - 1/E)^2) + entropy x mean over N of sum c ln(c + 1e-8)
 *     + diversity x mean over N and all E^2 pairs of |cosine of f_i and f_j|, the diagonal counted as 0.
 */
#include <math.h>
#include <string.h>

#include "ops/internal.h"

static const double TINY = 1e-8;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const ren__shape *weights = ren__graph_shape(graph, node->input[0]);
    const ren__shape *features = ren__graph_shape(graph, node->input[1]);
    if (weights->rank != 2 || features->rank != 3 || weights->dim[0] != features->dim[0] ||
        weights->dim[1] != features->dim[1])
        return ren__error(REN_E_INVALID, "gate_regulariser: weights (N, E) and features (N, E, F) do not fit together");
    *output = (ren__shape){ 0 };
    return REN_OK;
}

static double dot(const float *a, const float *b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double length_of(const float *a, int64_t count) {
    const double length = sqrt(dot(a, a, count));
    return length > TINY ? length : TINY;
}

/* The sum of |cosine| over ordered pairs of different experts of one sample; with `df`, `factor` times its gradient is
 * added there. */
static double likeness(const float *f, int64_t experts, int64_t count, double factor, float *df) {
    double sum = 0;
    for (int64_t i = 0; i < experts; i++)
        for (int64_t j = 0; j < i; j++) {
            const float *a = f + i * count, *b = f + j * count;
            const double la = length_of(a, count), lb = length_of(b, count), cosine = dot(a, b, count) / (la * lb);
            const double slope = factor * 2 * (cosine > 0 ? 1 : cosine < 0 ? -1 : 0);
            sum += 2 * fabs(cosine);
            for (int64_t k = 0; df && k < count; k++) {
                df[i * count + k] += (float)(slope * ((double)b[k] / (la * lb) - cosine * (double)a[k] / (la * la)));
                df[j * count + k] += (float)(slope * ((double)a[k] / (la * lb) - cosine * (double)b[k] / (lb * lb)));
            }
        }
    return sum;
}

static ren_status forward(ren__step *step) {
    const ren__regulariser *r = step->node->options;
    const int64_t batch = step->input_shape[1].dim[0], experts = step->input_shape[1].dim[1];
    const int64_t f = step->input_shape[1].dim[2], count = batch * experts;
    double balance = 0, entropy = 0, alike = 0;
    for (int64_t i = 0; i < count; i++) {
        const double c = (double)step->input[0][i];
        balance += (c - 1.0 / (double)experts) * (c - 1.0 / (double)experts);
        entropy += c * log(c + TINY);
    }
    for (int64_t sample = 0; sample < batch; sample++)
        alike += likeness(step->input[1] + sample * experts * f, experts, f, 0, NULL);
    step->output[0] = (float)(r->balance * balance / (double)count + r->entropy * entropy / (double)batch +
                              r->diversity * alike / (double)(count * experts));
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    const ren__regulariser *r = step->node->options;
    const int64_t batch = step->input_shape[1].dim[0], experts = step->input_shape[1].dim[1];
    const int64_t f = step->input_shape[1].dim[2], count = batch * experts;
    const double upstream = (double)step->output_gradient[0];
    for (int64_t i = 0; step->input_gradient[0] && i < count; i++) {
        const double c = (double)step->input[0][i];
        step->input_gradient[0][i] =
            (float)(upstream * (r->balance * 2 * (c - 1.0 / (double)experts) / (double)count +
                                r->entropy * (log(c + TINY) + c / (c + TINY)) / (double)batch));
    }
    if (!step->input_gradient[1]) return REN_OK;
    memset(step->input_gradient[1], 0, (size_t)(count * f) * sizeof(float));
    for (int64_t sample = 0; sample < batch; sample++)
        likeness(step->input[1] + sample * experts * f, experts, f, upstream * r->diversity / (double)(count * experts),
                 step->input_gradient[1] + sample * experts * f);
    return REN_OK;
}

const ren__op ren__gate_regulariser_op = {
    .name = "gate_regulariser",
    .option_bytes = sizeof(ren__regulariser),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__gate_regulariser(ren__graph *graph, ren__value weights, ren__value features,
                                 const ren__regulariser *options) {
    const ren__value inputs[2] = { weights, features };
    return ren__graph_add(graph, &ren__gate_regulariser_op, options, inputs, 2, NULL, 0);
}
