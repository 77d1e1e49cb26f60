/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation over a row or a sample's map, and attention, with plain loops. */
#include "reference_step.h"

static void normalise(const double *x, int64_t count, int64_t stride, double *y) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < count; i++)
        mean += x[i * stride] / (double)count;
    for (int64_t i = 0; i < count; i++)
        variance += pow(x[i * stride] - mean, 2) / (double)count;
    for (int64_t i = 0; i < count; i++)
        y[i * stride] = (x[i * stride] - mean) / sqrt(variance + 1e-5);
}

static void compute_layer_norm(const reference *r, reference_step *s, int training, int update) {
    const int64_t c = reference_channels(&s->shape);
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i += c) {
        normalise(r->steps[s->input[0]]->value + i, c, 1, s->value + i);
        for (int64_t k = 0; s->parameter[0] && k < c; k++)
            s->value[i + k] = s->value[i + k] * s->parameter[0]->value[k] + s->parameter[1]->value[k];
    }
}

static int reference_layer_norm(reference *r, int x, int affine) {
    char name[24];
    const ren__shape shape = reference_shape_of(r, x);
    const int64_t c = reference_channels(&shape);
    reference_step_name(r, "layernorm", name);
    ren__value value = ren__layer_norm(r->graph, reference_value(r, x), affine ? name : NULL);
    reference_step *s = reference_add_step(r, compute_layer_norm, value, x, -1);
    if (!s) return -1;
    if (affine) {
        s->parameter[0] = reference_add_parameter(r, name, "weight", ren__shape_of(1, &c), 1, 0.4, 1.1);
        s->parameter[1] = reference_add_parameter(r, name, "bias", ren__shape_of(1, &c), 1, 0, 0.5);
        if (!s->parameter[0] || !s->parameter[1]) return -1;
    }
    return reference_finish_step(r, s);
}

static void compute_instance_norm(const reference *r, reference_step *s, int training, int update) {
    const int64_t c = reference_channels(&s->shape), each = ren__shape_elements(&s->shape) / s->shape.dim[0];
    (void)training;
    (void)update;
    for (int64_t sample = 0; sample < s->shape.dim[0]; sample++)
        for (int64_t k = 0; k < c; k++)
            normalise(r->steps[s->input[0]]->value + sample * each + k, each / c, c, s->value + sample * each + k);
}

static int reference_instance_norm(reference *r, int x) {
    ren__value value = ren__instance_norm(r->graph, reference_value(r, x));
    return reference_finish_step(r, reference_add_step(r, compute_instance_norm, value, x, -1));
}

/* ---- cases ---- */

static int layer_norm(reference *r, const reference_case *c) {
    int x = reference_layer_norm(r, reference_source(r, c->shape), c->kind & 1);
    return c->kind & 2 ? reference_activate(r, x, REN__GELU) : x;
}

static int instance_norm(reference *r, const reference_case *c) {
    int x = reference_instance_norm(r, reference_source(r, c->shape));
    return c->kind ? reference_activate(r, x, (ren__activation)c->kind) : x;
}

/* SwinUNETR's: conv, norm, activation, conv, norm, plus the input, activation. */
static int instance_residual(reference *r, const reference_case *c) {
    int x = reference_linear(r, reference_source(r, c->shape), c->conv.channels, 0);
    int y = reference_activate(r, reference_instance_norm(r, reference_conv(r, x, &c->conv)), REN__LEAKY_RELU);
    y = reference_instance_norm(r, reference_conv(r, y, &c->conv));
    return reference_activate(r, reference_add(r, y, x), REN__LEAKY_RELU);
}

/* A transformer's MLP beside its input. */
static int mlp(reference *r, const reference_case *c) {
    int x = reference_linear(r, reference_source(r, c->shape), c->size, 0);
    int y = reference_activate(r, reference_linear(r, reference_layer_norm(r, x, 1), 2 * c->size, 0), REN__GELU);
    return reference_add(r, x, reference_linear(r, y, c->size, 0));
}

#define SHAPE(...)                                                                                                     \
    {                                                                                                                  \
        sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), {                                                        \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* clang-format off */
const reference_case reference_transformers[] = {
    { "layer norm", layer_norm, SHAPE(3, 5, 7), { 0 }, 0, 0, 1, 0 },
    { "layer norm without parameters", layer_norm, SHAPE(2, 3, 2, 4, 33), { 0 }, 0, 0, 0, 0 },
    { "layer norm and GELU", layer_norm, SHAPE(4, 96), { 0 }, 0, 0, 3, 0 },
    { "layer norm of four", layer_norm, SHAPE(6, 4), { 0 }, 0, 0, 1, 0 },
    { "instance norm", instance_norm, SHAPE(2, 4, 3, 5, 6), { 0 }, 0, 0, 0, 0 },
    { "instance norm and ReLU", instance_norm, SHAPE(3, 4, 6, 5), { 0 }, 0, 0, REN__RELU, 0 },
    { "instance norm and leaky ReLU", instance_norm, SHAPE(2, 9, 17), { 0 }, 0, 0, REN__LEAKY_RELU, 0 },
    { "instance norm and GELU", instance_norm, SHAPE(2, 7, 3), { 0 }, 0, 0, REN__GELU, 0 },
    { "residual block of instance norms", instance_residual, SHAPE(2, 4, 3, 5, 3), { 4, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 1 }, 0, 0, 0, 0 },
    { "MLP", mlp, SHAPE(2, 5, 6), { 0 }, 8, 0, 0, 0 },
    { NULL, NULL, { 0 }, { 0 }, 0, 0, 0, 0 },
};
/* clang-format on */
