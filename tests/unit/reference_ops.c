/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of convolutional networks, with plain loops. */
#include "base/random.h"

#include "reference_step.h"

static void compute_linear(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    int64_t inputs = reference_channels(&x->shape), outputs = reference_channels(&s->shape);
    (void)training;
    (void)update;
    for (int64_t row = 0; row < ren__shape_elements(&s->shape) / outputs; row++)
        for (int64_t o = 0; o < outputs; o++) {
            double sum = s->parameter[1] ? s->parameter[1]->value[o] : 0;
            for (int64_t i = 0; i < inputs; i++)
                sum += s->parameter[0]->value[o * inputs + i] * x->value[row * inputs + i];
            s->value[row * outputs + o] = sum;
        }
}

int reference_linear(reference *r, int x, int64_t features, int32_t no_bias) {
    char name[24];
    ren__shape shape = reference_shape_of(r, x);
    reference_step_name(r, "linear", name);
    reference_step *s = reference_add_step(
        r, compute_linear, ren__linear(r->graph, reference_value(r, x), name, features, no_bias), x, -1);
    if (!s) return -1;
    int64_t inputs = reference_channels(&shape);
    s->shape.dim[s->shape.rank - 1] = features;
    s->parameter[0] = reference_add_parameter(r, name, "weight", ren__shape_of(2, (int64_t[]){ features, inputs }), 1,
                                              0, 1.5 / sqrt((double)inputs));
    if (!no_bias) s->parameter[1] = reference_add_parameter(r, name, "bias", ren__shape_of(1, &features), 1, 0.1, 0.5);
    return s->parameter[0] && (no_bias || s->parameter[1]) ? reference_finish_step(r, s) : -1;
}

/* A linear layer without bias on a single 1. */
int reference_source(reference *r, ren__shape shape) {
    int one = reference_input(r, ren__shape_of(2, (int64_t[]){ 1, 1 }));
    if (one < 0) return -1;
    r->steps[one]->value[0] = 1;
    return reference_reshape(r, reference_linear(r, one, ren__shape_elements(&shape), 1), shape);
}

static void compute_copy(const reference *r, reference_step *s, int training, int update) {
    (void)training;
    (void)update;
    memcpy(s->value, r->steps[s->input[0]]->value, (size_t)ren__shape_elements(&s->shape) * sizeof *s->value);
}

int reference_reshape(reference *r, int x, ren__shape shape) {
    reference_step *s =
        reference_add_step(r, compute_copy, ren__reshape(r->graph, reference_value(r, x), shape), x, -1);
    if (s) s->shape = shape;
    return reference_finish_step(r, s);
}

static void on_axes(int axes, const int64_t *given, int64_t missing, int64_t out[3]) {
    for (int i = 0; i < 3; i++)
        out[i] = i < 3 - axes ? missing : given[i - (3 - axes)];
}

/* One output element of a convolution. */
static double conv_at(const reference_step *s, const reference_step *x, const int64_t at[4], int64_t o) {
    box in = reference_box(&x->shape), out = reference_box(&s->shape);
    int64_t kernel[3], stride[3], pad[3], groups = s->conv.groups ? s->conv.groups : 1;
    int64_t inputs = in.channels / groups, first = o / (out.channels / groups) * inputs;
    double sum = s->parameter[1] ? s->parameter[1]->value[o] : 0;
    on_axes(in.axes, s->conv.kernel, 1, kernel);
    on_axes(in.axes, s->conv.stride, 1, stride);
    on_axes(in.axes, s->conv.pad, 0, pad);
    for (int64_t i = 0; i < inputs; i++)
        for (int64_t a = 0; a < kernel[0]; a++)
            for (int64_t b = 0; b < kernel[1]; b++)
                for (int64_t c = 0; c < kernel[2]; c++) {
                    int64_t d = at[1] * (stride[0] ? stride[0] : 1) - pad[0] + a;
                    int64_t h = at[2] * (stride[1] ? stride[1] : 1) - pad[1] + b;
                    int64_t w = at[3] * (stride[2] ? stride[2] : 1) - pad[2] + c;
                    if (d < 0 || h < 0 || w < 0 || d >= in.size[0] || h >= in.size[1] || w >= in.size[2]) continue;
                    sum += x->value[reference_offset(&in, at[0], d, h, w, first + i)] *
                           s->parameter[0]->value[(((o * inputs + i) * kernel[0] + a) * kernel[1] + b) * kernel[2] + c];
                }
    return sum;
}

static void compute_conv(const reference *r, reference_step *s, int training, int update) {
    box out = reference_box(&s->shape);
    int64_t at[4];
    (void)training;
    (void)update;
    for (int64_t cell = 0; cell < reference_positions(&out); cell++) {
        reference_position(&out, cell, at);
        for (int64_t o = 0; o < out.channels; o++)
            s->value[cell * out.channels + o] = conv_at(s, r->steps[s->input[0]], at, o);
    }
}

int reference_conv(reference *r, int x, const ren__conv_options *options) {
    char name[24];
    ren__shape input = reference_shape_of(r, x);
    reference_step_name(r, "conv", name);
    reference_step *s =
        reference_add_step(r, compute_conv, ren__conv(r->graph, reference_value(r, x), name, options), x, -1);
    if (!s) return -1;
    ren__shape weight = { input.rank,
                          { options->channels, reference_channels(&input) / (options->groups ? options->groups : 1) } };
    int64_t fan = weight.dim[1];
    for (int i = 0; i < input.rank - 2; i++) {
        int64_t stride = options->stride[i] ? options->stride[i] : 1;
        fan *= weight.dim[2 + i] = options->kernel[i];
        s->shape.dim[1 + i] = (input.dim[1 + i] + 2 * options->pad[i] - options->kernel[i]) / stride + 1;
    }
    s->shape.dim[input.rank - 1] = options->channels;
    s->conv = *options;
    s->parameter[0] = reference_add_parameter(r, name, "weight", weight, 1, 0, 1.5 / sqrt((double)fan));
    if (!options->no_bias)
        s->parameter[1] = reference_add_parameter(r, name, "bias", ren__shape_of(1, &options->channels), 1, 0.1, 0.5);
    return s->parameter[0] && (options->no_bias || s->parameter[1]) ? reference_finish_step(r, s) : -1;
}

static void compute_norm(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    int64_t channels = reference_channels(&s->shape), rows = ren__shape_elements(&s->shape) / channels;
    for (int64_t c = 0; c < channels; c++) {
        double mean = s->parameter[2]->value[c], variance = s->parameter[3]->value[c];
        if (training) {
            mean = variance = 0;
            for (int64_t i = 0; i < rows; i++)
                mean += x->value[i * channels + c] / (double)rows;
            for (int64_t i = 0; i < rows; i++)
                variance += pow(x->value[i * channels + c] - mean, 2) / (double)rows;
        }
        if (training && update) {
            double unbiased = variance * (double)rows / (double)(rows - 1);
            s->parameter[2]->value[c] = 0.9 * s->parameter[2]->value[c] + 0.1 * mean;
            s->parameter[3]->value[c] = 0.9 * s->parameter[3]->value[c] + 0.1 * unbiased;
        }
        for (int64_t i = 0; i < rows; i++)
            s->value[i * channels + c] =
                (x->value[i * channels + c] - mean) / sqrt(variance + 1e-5) * s->parameter[0]->value[c] +
                s->parameter[1]->value[c];
    }
}

int reference_norm(reference *r, int x) {
    char name[24];
    ren__shape input = reference_shape_of(r, x);
    int64_t channels = reference_channels(&input);
    reference_step_name(r, "norm", name);
    reference_step *s =
        reference_add_step(r, compute_norm, ren__batch_norm(r->graph, reference_value(r, x), name), x, -1);
    if (!s) return -1;
    ren__shape shape = ren__shape_of(1, &channels);
    s->parameter[0] = reference_add_parameter(r, name, "weight", shape, 1, 0.4, 1.1); /* negative ones among them */
    s->parameter[1] = reference_add_parameter(r, name, "bias", shape, 1, 0, 0.5);
    s->parameter[2] = reference_add_parameter(r, name, "running_mean", shape, 0, 0.2, 0.5);
    s->parameter[3] = reference_add_parameter(r, name, "running_var", shape, 0, 1.2, 0.7);
    for (int i = 0; i < 4; i++)
        if (!s->parameter[i]) return -1;
    return reference_finish_step(r, s);
}

static double activation_of(int32_t kind, double x) {
    switch (kind) {
    case REN__RELU:
        return x > 0 ? x : 0;
    case REN__LEAKY_RELU:
        return x > 0 ? x : 0.01 * x;
    case REN__SIGMOID:
        return 1 / (1 + exp(-x));
    case REN__TANH:
        return tanh(x);
    case REN__GELU:
        return x / 2 * (1 + erf(x / sqrt(2.0)));
    case REN__SILU:
        return x / (1 + exp(-x));
    case REN__SOFTPLUS:
        return log1p(exp(x));
    default:
        return x;
    }
}

static void compute_activation(const reference *r, reference_step *s, int training, int update) {
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++)
        s->value[i] = activation_of(s->kind, r->steps[s->input[0]]->value[i]);
}

int reference_activate(reference *r, int x, ren__activation kind) {
    reference_step *s =
        reference_add_step(r, compute_activation, ren__activate(r->graph, reference_value(r, x), kind), x, -1);
    if (s) s->kind = (int32_t)kind;
    return reference_finish_step(r, s);
}

/* ---- pooling: bins of each axis ---- */

static void bin_of(const reference_step *s, const box *in, int axis, int64_t index, int64_t *begin, int64_t *end) {
    *begin = 0;
    *end = 1;
    if (axis < 3 - in->axes) return;
    *begin = s->cells ? (int64_t)floor((double)(index * in->size[axis]) / (double)s->cells) : index * s->stride;
    *end = s->cells ? (int64_t)ceil((double)((index + 1) * in->size[axis]) / (double)s->cells) : *begin + s->size;
}

static double pool_at(const reference_step *s, const reference_step *x, const int64_t at[4], int64_t channel) {
    box in = reference_box(&x->shape);
    int64_t b[3], e[3];
    double sum = 0, best = -INFINITY;
    for (int i = 0; i < 3; i++)
        bin_of(s, &in, i, at[1 + i], &b[i], &e[i]);
    for (int64_t d = b[0]; d < e[0]; d++)
        for (int64_t h = b[1]; h < e[1]; h++)
            for (int64_t w = b[2]; w < e[2]; w++) {
                double v = x->value[reference_offset(&in, at[0], d, h, w, channel)];
                sum += v;
                best = v > best ? v : best;
            }
    return s->kind ? best : sum / (double)((e[0] - b[0]) * (e[1] - b[1]) * (e[2] - b[2]));
}

static void compute_pool(const reference *r, reference_step *s, int training, int update) {
    box out = reference_box(&s->shape);
    int64_t at[4];
    (void)training;
    (void)update;
    for (int64_t cell = 0; cell < reference_positions(&out); cell++) {
        reference_position(&out, cell, at);
        for (int64_t c = 0; c < out.channels; c++)
            s->value[cell * out.channels + c] = pool_at(s, r->steps[s->input[0]], at, c);
    }
}

static int finish_pool(reference *r, reference_step *s, int64_t kernel, int64_t stride, int64_t cells,
                       int32_t largest) {
    if (!s) return -1;
    s->size = kernel;
    s->stride = stride;
    s->cells = cells;
    s->kind = largest;
    for (int i = 1; i + 1 < s->shape.rank; i++)
        s->shape.dim[i] = cells ? cells : (s->shape.dim[i] - kernel) / stride + 1;
    return reference_finish_step(r, s);
}

int reference_max_pool(reference *r, int x, int64_t kernel, int64_t stride) {
    ren__value value = ren__max_pool(r->graph, reference_value(r, x), kernel, stride);
    return finish_pool(r, reference_add_step(r, compute_pool, value, x, -1), kernel, stride, 0, 1);
}

int reference_average_pool(reference *r, int x, int64_t kernel, int64_t stride) {
    ren__value value = ren__average_pool(r->graph, reference_value(r, x), kernel, stride);
    return finish_pool(r, reference_add_step(r, compute_pool, value, x, -1), kernel, stride, 0, 0);
}

int reference_adaptive_average_pool(reference *r, int x, int64_t cells) {
    ren__value value = ren__adaptive_average_pool(r->graph, reference_value(r, x), cells);
    return finish_pool(r, reference_add_step(r, compute_pool, value, x, -1), 0, 0, cells, 0);
}

/* ---- the others ---- */

/* The mask is part of the library's promise: equal seeds train equal networks in every version. */
static void compute_dropout(const reference *r, reference_step *s, int training, int update) {
    int64_t each = ren__shape_elements(&s->shape) / s->shape.dim[0], channels = reference_channels(&s->shape);
    const uint32_t key[2] = { (uint32_t)r->seed, (uint32_t)(r->seed >> 32) };
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        uint32_t draw = (uint32_t)(s->kind ? i % channels : i % each), block[4];
        const uint32_t counter[4] = { draw / 4, (uint32_t)(10 + i / each), r->epoch, s->index };
        double factor = 1;
        ren__philox(counter, key, block);
        if (training) factor = block[draw % 4] < s->number * 0x1p32 ? 0 : 1 / (1 - s->number);
        s->value[i] = r->steps[s->input[0]]->value[i] * factor;
    }
}

int reference_dropout(reference *r, int x, double rate, int channels) {
    ren__value value = channels ? ren__channel_dropout(r->graph, reference_value(r, x), rate)
                                : ren__dropout(r->graph, reference_value(r, x), rate);
    reference_step *s = reference_add_step(r, compute_dropout, value, x, -1);
    if (s) {
        s->number = rate;
        s->kind = channels;
    }
    return reference_finish_step(r, s);
}

static void compute_flatten(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    box in = reference_box(&x->shape);
    int64_t at[4], voxels = reference_positions(&in) / in.batch;
    (void)training;
    (void)update;
    for (int64_t cell = 0; cell < reference_positions(&in); cell++) {
        reference_position(&in, cell, at);
        for (int64_t c = 0; c < in.channels; c++)
            s->value[(at[0] * in.channels + c) * voxels + cell % voxels] = x->value[cell * in.channels + c];
    }
}

int reference_flatten(reference *r, int x) {
    reference_step *s = reference_add_step(r, compute_flatten, ren__flatten(r->graph, reference_value(r, x)), x, -1);
    if (s)
        s->shape = ren__shape_of(2, (int64_t[]){ s->shape.dim[0], ren__shape_elements(&s->shape) / s->shape.dim[0] });
    return reference_finish_step(r, s);
}

static void compute_softmax(const reference *r, reference_step *s, int training, int update) {
    const double *x = r->steps[s->input[0]]->value;
    int64_t n = reference_channels(&s->shape);
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += exp(x[i / n * n + k] - x[i]);
        s->value[i] = 1 / sum;
    }
}

int reference_softmax(reference *r, int x) {
    return reference_finish_step(
        r, reference_add_step(r, compute_softmax, ren__softmax(r->graph, reference_value(r, x)), x, -1));
}

static void compute_add(const reference *r, reference_step *s, int training, int update) {
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++)
        s->value[i] = r->steps[s->input[0]]->value[i] + r->steps[s->input[1]]->value[i];
}

int reference_add(reference *r, int a, int b) {
    return reference_finish_step(
        r, reference_add_step(r, compute_add, ren__add(r->graph, reference_value(r, a), reference_value(r, b)), a, b));
}

static void compute_cross_entropy(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]], *y = r->steps[s->input[1]];
    int64_t classes = x->shape.dim[1];
    double sum = 0, norm = 0;
    (void)training;
    (void)update;
    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        int64_t target = (int64_t)y->value[i];
        double total = 0;
        for (int64_t c = 0; c < classes; c++)
            total += exp(x->value[i * classes + c]);
        norm += s->weight[target];
        sum -= (1 - s->number) * s->weight[target] * (x->value[i * classes + target] - log(total));
        for (int64_t c = 0; c < classes; c++)
            sum -= s->number / (double)classes * s->weight[c] * (x->value[i * classes + c] - log(total));
    }
    s->value[0] = sum / norm;
}

int reference_cross_entropy(reference *r, int logits, const double *weights, double smoothing) {
    ren__shape shape = reference_shape_of(r, logits);
    if (logits < 0) return -1;
    int targets = reference_input(r, ren__shape_of(1, shape.dim));
    for (int64_t i = 0; targets >= 0 && i < shape.dim[0]; i++)
        r->steps[targets]->value[i] = (double)((i * 7 + 1) % shape.dim[1]);
    ren__value value =
        ren__cross_entropy(r->graph, reference_value(r, logits), reference_value(r, targets), weights, smoothing);
    reference_step *s = reference_add_step(r, compute_cross_entropy, value, logits, targets);
    if (!s) return -1;
    s->shape = (ren__shape){ 0 };
    s->number = smoothing;
    for (int64_t c = 0; c < REN__MAX_CLASSES; c++)
        s->weight[c] = weights && c < shape.dim[1] ? weights[c] : 1;
    return reference_finish_step(r, s);
}
