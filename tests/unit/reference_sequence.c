/* SPDX-License-Identifier: Apache-2.0 */
/* Along a sequence of tokens: the selective scan and the causal convolution, with plain loops. */
#include "reference_step.h"

static double softplus(double x) {
    return log1p(exp(x));
}

static double silu(double x) {
    return x / (1 + exp(-x));
}

/* Inputs u, raw delta, B, C, z; parameters A_log, D, bias. */
static void compute_scan(const reference *r, reference_step *s, int training, int update) {
    const double *in[5];
    const int64_t length = s->shape.dim[1], channels = s->shape.dim[2], states = s->parameter[0]->shape.dim[1];
    (void)training;
    (void)update;
    for (int k = 0; k < 5; k++)
        in[k] = r->steps[s->input[k]]->value;
    for (int64_t n = 0; n < s->shape.dim[0]; n++)
        for (int64_t e = 0; e < channels; e++) {
            double h[64] = { 0 };
            for (int64_t t = 0; t < length; t++) {
                const int64_t at = (n * length + t) * channels + e, row = (n * length + t) * states;
                const double delta = softplus(in[1][at] + s->parameter[2]->value[e]);
                double y = s->parameter[1]->value[e] * in[0][at];
                for (int64_t k = 0; k < states; k++) {
                    h[k] = exp(-delta * exp(s->parameter[0]->value[e * states + k])) * h[k] +
                           delta * in[2][row + k] * in[0][at];
                    y += in[3][row + k] * h[k];
                }
                s->value[at] = y * silu(in[4][at]);
            }
        }
}

static int reference_scan(reference *r, const int inputs[5]) {
    char name[24];
    ren__value values[5];
    for (int k = 0; k < 5; k++)
        values[k] = reference_value(r, inputs[k]);
    reference_step_name(r, "scan", name);
    reference_step *s = reference_add_step(r, compute_scan, ren__selective_scan(r->graph, values, name), inputs[0], -1);
    if (!s) return -1;
    for (int k = 0; k < 5; k++)
        s->input[k] = inputs[k];
    const int64_t channels = s->shape.dim[2], states = reference_shape(r, inputs[2])->dim[2];
    const ren__shape matrix = ren__shape_of(2, (int64_t[]){ channels, states }), vector = ren__shape_of(1, &channels);
    s->parameter[0] = reference_add_parameter(r, name, "A_log", matrix, 1, 0.3, 0.8);
    s->parameter[1] = reference_add_parameter(r, name, "D", vector, 1, 1, 0.5);
    s->parameter[2] = reference_add_parameter(r, name, "dt_proj.bias", vector, 1, -0.5, 0.5);
    return s->parameter[0] && s->parameter[1] && s->parameter[2] ? reference_finish_step(r, s) : -1;
}

static void compute_causal(const reference *r, reference_step *s, int training, int update) {
    const double *x = r->steps[s->input[0]]->value;
    const int64_t length = s->shape.dim[1], c = s->shape.dim[2];
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        const int64_t channel = i % c, t = i / c % length;
        s->value[i] = s->parameter[1]->value[channel];
        for (int64_t k = 0; k < s->size; k++)
            if (t - s->size + 1 + k >= 0)
                s->value[i] += s->parameter[0]->value[channel * s->size + k] * x[i - (s->size - 1 - k) * c];
    }
}

static int reference_causal(reference *r, int x, int64_t taps) {
    char name[24];
    const ren__shape shape = reference_shape_of(r, x);
    reference_step_name(r, "causal", name);
    reference_step *s =
        reference_add_step(r, compute_causal, ren__causal_conv(r->graph, reference_value(r, x), name, taps), x, -1);
    if (!s) return -1;
    s->size = taps;
    s->parameter[0] =
        reference_add_parameter(r, name, "weight", ren__shape_of(3, (int64_t[]){ shape.dim[2], 1, taps }), 1, 0, 0.8);
    s->parameter[1] = reference_add_parameter(r, name, "bias", ren__shape_of(1, &shape.dim[2]), 1, 0.1, 0.5);
    return s->parameter[0] && s->parameter[1] ? reference_finish_step(r, s) : -1;
}

/* ---- cases ---- */

static int scan(reference *r, const reference_case *c) {
    ren__shape states = c->shape;
    int inputs[5];
    states.dim[2] = c->size;
    for (int k = 0; k < 5; k++)
        if ((inputs[k] = reference_source(r, k == 2 || k == 3 ? states : c->shape)) < 0) return -1;
    return reference_scan(r, inputs);
}

static int causal(reference *r, const reference_case *c) {
    const int x = reference_causal(r, reference_source(r, c->shape), c->size);
    return c->kind ? reference_activate(r, x, (ren__activation)c->kind) : x;
}

#define SHAPE(...)                                                                                                     \
    {                                                                                                                  \
        sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), {                                                        \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* clang-format off */
const reference_case reference_sequences[] = {
    { "selective scan", scan, SHAPE(2, 9, 5), { 0 }, 4, 0, 0, 0 },
    { "selective scan of one token", scan, SHAPE(3, 1, 4), { 0 }, 3, 0, 0, 0 },
    { "selective scan over chunks", scan, SHAPE(1, 131, 2), { 0 }, 3, 0, 0, 0 },
    { "selective scan, two blocks of channels", scan, SHAPE(2, 5, 21), { 0 }, 2, 0, 0, 0 },
    { "causal convolution", causal, SHAPE(2, 7, 5), { 0 }, 4, 0, 0, 0 },
    { "causal convolution and SiLU", causal, SHAPE(2, 6, 19), { 0 }, 3, 0, REN__SILU, 0 },
    { "causal convolution, more taps than tokens", causal, SHAPE(2, 2, 4), { 0 }, 4, 0, REN__SILU, 0 },
    { NULL, NULL, { 0 }, { 0 }, 0, 0, 0, 0 },
};
/* clang-format on */
