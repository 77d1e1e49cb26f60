/* SPDX-License-Identifier: Apache-2.0 */
/* Gates and mixtures of experts, with plain loops. */
#include "reference_step.h"

static void compute_select(const reference *r, reference_step *s, int training, int update) {
    const int64_t c = reference_channels(&s->shape);
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        const double label = r->steps[s->input[1]]->value[i / c];
        s->value[i] = label == 2 || label == 4 ? r->steps[s->input[0]]->value[i] : 0;
    }
}

static int reference_select(reference *r, int x, int labels) {
    ren__value value =
        ren__select_labels(r->graph, reference_value(r, x), reference_value(r, labels), 1U << 2 | 1U << 4);
    return reference_finish_step(r, reference_add_step(r, compute_select, value, x, labels));
}

static void compute_gate(const reference *r, reference_step *s, int training, int update) {
    const int64_t n = s->shape.dim[1];
    const double *attention = r->steps[s->input[0]]->value, *base = s->parameter[0]->value;
    (void)training;
    (void)update;
    for (int64_t sample = 0; sample < s->shape.dim[0]; sample++) {
        double w[REN__MAX_EXPERTS], p[REN__MAX_EXPERTS], sum = 0, total = 0, whole = 1e-8;
        for (int64_t e = 0; e < n; e++) {
            p[e] = 1;
            if (s->kind == REN__GATE_LEARNED) p[e] = exp((log(base[e] + 1e-8) + s->parameter[1]->value[e]) / s->number);
            if (s->kind == REN__GATE_DYNAMIC) p[e] = exp(r->steps[s->input[1]]->value[sample * n + e] / s->number);
            sum += p[e];
        }
        for (int64_t e = 0; e < n; e++) {
            w[e] = s->kind == REN__GATE_LEARNED ? p[e] / sum : base[e] * p[e] / sum;
            total += w[e];
        }
        for (int64_t e = 0; e < n; e++) {
            if (s->kind == REN__GATE_FIXED) w[e] = base[e];
            if (s->kind == REN__GATE_DYNAMIC) w[e] /= total + 1e-8;
            whole += w[e] * attention[sample * n + e];
        }
        for (int64_t e = 0; e < n; e++)
            s->value[sample * n + e] = w[e] * attention[sample * n + e] / whole;
    }
}

static int reference_gate(reference *r, int attentions, int predicted, int32_t mode, double temperature) {
    char base[24], logits[24];
    const ren__shape shape = reference_shape_of(r, attentions);
    reference_step_name(r, "base", base);
    reference_step_name(r, "logits", logits);
    const ren__gate_options options = { mode, temperature, base, logits };
    ren__value value =
        ren__expert_weights(r->graph, reference_value(r, attentions), reference_value(r, predicted), &options);
    reference_step *s = reference_add_step(r, compute_gate, value, attentions, predicted);
    if (!s) return -1;
    s->kind = mode;
    s->number = temperature;
    s->parameter[0] = reference_add_parameter(r, base, "", ren__shape_of(1, &shape.dim[1]), 0, 0.5, 0.4);
    if (mode == REN__GATE_LEARNED)
        s->parameter[1] = reference_add_parameter(r, logits, "", ren__shape_of(1, &shape.dim[1]), 1, 0, 1);
    return s->parameter[0] && (mode != REN__GATE_LEARNED || s->parameter[1]) ? reference_finish_step(r, s) : -1;
}

static void compute_mix(const reference *r, reference_step *s, int training, int update) {
    const reference_step *w = r->steps[s->input[0]], *x = r->steps[s->input[1]];
    const int64_t n = w->shape.dim[1], f = x->shape.dim[2];
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        s->value[i] = 0;
        for (int64_t e = 0; e < n; e++)
            s->value[i] += w->value[i / f * n + e] * x->value[(i / f * n + e) * f + i % f];
    }
}

static int reference_mix(reference *r, int weights, int features) {
    ren__value value = ren__mix(r->graph, reference_value(r, weights), reference_value(r, features));
    reference_step *s = reference_add_step(r, compute_mix, value, weights, features);
    if (s) s->shape.dim[1] = reference_shape(r, features)->dim[2];
    return reference_finish_step(r, s);
}

static void compute_regulariser(const reference *r, reference_step *s, int training, int update) {
    const reference_step *c = r->steps[s->input[0]], *x = r->steps[s->input[1]];
    const ren__regulariser *o = s->options;
    const int64_t batch = x->shape.dim[0], n = x->shape.dim[1], f = x->shape.dim[2];
    (void)training;
    (void)update;
    s->value[0] = 0;
    for (int64_t i = 0; i < batch * n; i++) {
        s->value[0] += o->balance * pow(c->value[i] - 1.0 / (double)n, 2) / (double)(batch * n);
        s->value[0] += o->entropy * c->value[i] * log(c->value[i] + 1e-8) / (double)batch;
        for (int64_t j = i / n * n; j < (i / n + 1) * n; j++) {
            double ab = 0, aa = 0, bb = 0;
            for (int64_t k = 0; k < f; k++) {
                ab += x->value[i * f + k] * x->value[j * f + k];
                aa += x->value[i * f + k] * x->value[i * f + k];
                bb += x->value[j * f + k] * x->value[j * f + k];
            }
            if (i != j) s->value[0] += o->diversity * fabs(ab) / sqrt(aa * bb) / (double)(batch * n * n);
        }
    }
}

static int reference_regulariser(reference *r, int weights, int features, const ren__regulariser *options) {
    ren__value value =
        ren__gate_regulariser(r->graph, reference_value(r, weights), reference_value(r, features), options);
    reference_step *s = reference_add_step(r, compute_regulariser, value, weights, features);
    if (s) {
        s->shape = (ren__shape){ 0 };
        s->options = options;
    }
    return reference_finish_step(r, s);
}

/* ---- cases ---- */

static int select_labels(reference *r, const reference_case *c) {
    ren__shape shape = c->shape;
    shape.dim[shape.rank - 1] = 1;
    const int x = reference_input(r, c->shape), labels = reference_input(r, shape);
    for (int64_t i = 0; labels >= 0 && i < ren__shape_elements(&shape); i++)
        r->steps[labels]->value[i] = (double)(i * 5 % 7) - 1; /* -1 is no label */
    return labels < 0 ? -1 : reference_linear(r, reference_select(r, x, labels), 3, 0);
}

static int attentions(reference *r, const reference_case *c) {
    return reference_activate(r, reference_source(r, ren__shape_of(2, c->shape.dim)), REN__SIGMOID);
}

static int gate(reference *r, const reference_case *c) {
    const int a = attentions(r, c);
    const int predicted = c->kind == REN__GATE_DYNAMIC ? reference_source(r, ren__shape_of(2, c->shape.dim)) : -1;
    return reference_gate(r, a, predicted, c->kind, c->number);
}

static int mix(reference *r, const reference_case *c) {
    return reference_mix(r, reference_source(r, ren__shape_of(2, c->shape.dim)), reference_source(r, c->shape));
}

static int regulariser(reference *r, const reference_case *c) {
    static const ren__regulariser options[] = { { 0.5, 0.25, 0 }, { 0, 0, 0.7 }, { 0.3, 0.2, 0.4 } };
    const int weights = reference_softmax(r, reference_source(r, ren__shape_of(2, c->shape.dim)));
    return reference_regulariser(r, weights, reference_source(r, c->shape), &options[c->kind]);
}

#define SHAPE(...)                                                                                                     \
    {                                                                                                                  \
        sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), {                                                        \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* clang-format off */
const reference_case reference_mixtures[] = {
    { "selected labels", select_labels, SHAPE(2, 3, 2, 4, 2), { 0 }, 0, 0, 0, 0 },
    { "fixed gate", gate, SHAPE(3, 5), { 0 }, 0, 0, REN__GATE_FIXED, 1.0 },
    { "learned gate", gate, SHAPE(3, 5), { 0 }, 0, 0, REN__GATE_LEARNED, 0.5 },
    { "dynamic gate", gate, SHAPE(3, 7), { 0 }, 0, 0, REN__GATE_DYNAMIC, 2.0 },
    { "mix of experts", mix, SHAPE(3, 5, 4), { 0 }, 0, 0, 0, 0 },
    { "regulariser of weights", regulariser, SHAPE(3, 5, 4), { 0 }, 0, 0, 0, 0 },
    { "regulariser of features", regulariser, SHAPE(2, 4, 5), { 0 }, 0, 0, 1, 0 },
    { "regulariser of both", regulariser, SHAPE(2, 7, 3), { 0 }, 0, 0, 2, 0 },
    { NULL, NULL, { 0 }, { 0 }, 0, 0, 0, 0 },
};
/* clang-format on */
