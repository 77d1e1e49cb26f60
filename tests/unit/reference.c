/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include "base/random.h"

typedef void (*compute_fn)(const reference *r, reference_step *s, int training, int update);

struct reference_parameter {
    char name[48];
    ren__shape shape;
    int trained;
    double *value;
};

struct reference_step {
    compute_fn compute; /* NULL: an input */
    char name[16];      /* of an input */
    int input[2];
    reference_parameter *parameter[4];
    ren__shape shape;
    double *value;
    ren__value graph_value;
    ren__conv_options conv;
    int64_t size, stride, cells, classes;
    int32_t kind;
    double number, weight[REN__MAX_CLASSES];
    uint32_t index; /* of the operator in the graph */
};

/* ---- numbers ---- */

static double uniform(reference *r) {
    r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(r->state >> 11) * 0x1p-53;
}

static double around(reference *r, double centre, double spread) {
    return (double)(float)(centre + spread * (2 * uniform(r) - 1));
}

ren_status reference_create(ren_context *context, reference **out) {
    ren_status st = REN_OK;
    reference *r = NULL;
    REN_CALLOC(r, 1);
    r->context = context;
    r->seed = UINT64_C(0x123456789abcdef);
    r->epoch = 3;
    r->state = 42;
    r->loss = -1;
    REN_TRY(ren__arena_create(context, &r->arena));
    REN_TRY(ren__graph_create(context, &r->graph));
    *out = r;
    return REN_OK;
out:
    reference_free(r);
    return st;
}

void reference_free(reference *r) {
    if (!r) return;
    ren__graph_free(r->graph);
    ren__arena_free(r->arena);
    ren__free(r);
}

/* ---- description ---- */

/* Memory of the reference; without it the description has failed as a whole. */
static void *take(reference *r, size_t size) {
    void *memory = ren__arena_alloc(r->arena, size);
    if (!memory) ren__graph_fail(r->graph, ren__out_of_memory(), "no memory for the reference");
    return memory;
}

/* A step that makes `value` of the graph; NULL once something has failed. The caller fills in the rest. */
static reference_step *add_step(reference *r, compute_fn compute, ren__value value, int a, int b) {
    reference_step *s = NULL;
    if (value == REN__NONE || r->step_count == REFERENCE_STEPS || !(s = take(r, sizeof *s))) return NULL;
    s->compute = compute;
    s->graph_value = value;
    s->input[0] = a;
    s->input[1] = b;
    if (a >= 0) s->shape = r->steps[a]->shape;
    if (compute) s->index = (uint32_t)ren__graph_node_at(r->graph, ren__graph_node_count(r->graph) - 1)->index;
    return s;
}

static int finish_step(reference *r, reference_step *s) {
    if (!s) return -1;
    s->value = take(r, (size_t)ren__shape_elements(&s->shape) * sizeof *s->value);
    if (!s->value) return -1;
    r->steps[r->step_count] = s;
    return r->step_count++;
}

static ren__value of(const reference *r, int value) {
    return value < 0 ? REN__NONE : r->steps[value]->graph_value;
}

static ren__shape shape_of(const reference *r, int value) {
    return value < 0 ? (ren__shape){ 0 } : r->steps[value]->shape;
}

static int64_t channels_of(const ren__shape *shape) {
    return shape->rank ? shape->dim[shape->rank - 1] : 1;
}

static reference_parameter *add_parameter(reference *r, const char *name, const char *suffix, ren__shape shape,
                                          int trained, double centre, double spread) {
    reference_parameter *p = NULL;
    if (r->parameter_count == REFERENCE_PARAMETERS || !(p = take(r, sizeof *p))) return NULL;
    snprintf(p->name, sizeof p->name, "%s.%s", name, suffix);
    p->shape = shape;
    p->trained = trained;
    p->value = take(r, (size_t)ren__shape_elements(&shape) * sizeof *p->value);
    if (!p->value) return NULL;
    for (int64_t i = 0; i < ren__shape_elements(&shape); i++)
        p->value[i] = around(r, centre, spread);
    return r->parameters[r->parameter_count++] = p;
}

static void step_name(const reference *r, const char *kind, char name[24]) {
    snprintf(name, 24, "%s%d", kind, r->step_count);
}

const ren__shape *reference_shape(const reference *r, int value) {
    return &r->steps[value]->shape;
}

int reference_input(reference *r, ren__shape shape) {
    char name[24];
    step_name(r, "x", name);
    reference_step *s = add_step(r, NULL, ren__graph_input(r->graph, name, shape), -1, -1);
    if (!s) return -1;
    memcpy(s->name, name, sizeof s->name);
    s->name[sizeof s->name - 1] = 0;
    s->shape = shape;
    int result = finish_step(r, s);
    for (int64_t i = 0; result >= 0 && i < ren__shape_elements(&shape); i++)
        s->value[i] = around(r, 0, 1.5);
    return result;
}

static void compute_linear(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    int64_t inputs = channels_of(&x->shape), outputs = channels_of(&s->shape);
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
    ren__shape shape = shape_of(r, x);
    step_name(r, "linear", name);
    reference_step *s = add_step(r, compute_linear, ren__linear(r->graph, of(r, x), name, features, no_bias), x, -1);
    if (!s) return -1;
    int64_t inputs = channels_of(&shape);
    s->shape.dim[s->shape.rank - 1] = features;
    s->parameter[0] = add_parameter(r, name, "weight", ren__shape_of(2, (int64_t[]){ features, inputs }), 1, 0,
                                    1.5 / sqrt((double)inputs));
    if (!no_bias) s->parameter[1] = add_parameter(r, name, "bias", ren__shape_of(1, &features), 1, 0.1, 0.5);
    return s->parameter[0] && (no_bias || s->parameter[1]) ? finish_step(r, s) : -1;
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
    reference_step *s = add_step(r, compute_copy, ren__reshape(r->graph, of(r, x), shape), x, -1);
    if (s) s->shape = shape;
    return finish_step(r, s);
}

/* N, three spatial axes (missing ones are 1, in front), C. */
typedef struct box {
    int64_t batch, size[3], channels;
    int axes;
} box;

static box box_of(const ren__shape *shape) {
    box b = { shape->dim[0], { 1, 1, 1 }, channels_of(shape), shape->rank - 2 };
    for (int i = 0; i < b.axes; i++)
        b.size[3 - b.axes + i] = shape->dim[1 + i];
    return b;
}

static int64_t offset_in(const box *b, int64_t n, int64_t d, int64_t h, int64_t w, int64_t c) {
    return (((n * b->size[0] + d) * b->size[1] + h) * b->size[2] + w) * b->channels + c;
}

/* Position `cell` of a box's positions (all samples). */
static void position_of(const box *b, int64_t cell, int64_t at[4]) {
    at[3] = cell % b->size[2];
    at[2] = cell / b->size[2] % b->size[1];
    at[1] = cell / (b->size[2] * b->size[1]) % b->size[0];
    at[0] = cell / (b->size[2] * b->size[1] * b->size[0]);
}

static int64_t positions(const box *b) {
    return b->batch * b->size[0] * b->size[1] * b->size[2];
}

static void on_axes(int axes, const int64_t *given, int64_t missing, int64_t out[3]) {
    for (int i = 0; i < 3; i++)
        out[i] = i < 3 - axes ? missing : given[i - (3 - axes)];
}

/* One output element of a convolution. */
static double conv_at(const reference_step *s, const reference_step *x, const int64_t at[4], int64_t o) {
    box in = box_of(&x->shape), out = box_of(&s->shape);
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
                    sum += x->value[offset_in(&in, at[0], d, h, w, first + i)] *
                           s->parameter[0]->value[(((o * inputs + i) * kernel[0] + a) * kernel[1] + b) * kernel[2] + c];
                }
    return sum;
}

static void compute_conv(const reference *r, reference_step *s, int training, int update) {
    box out = box_of(&s->shape);
    int64_t at[4];
    (void)training;
    (void)update;
    for (int64_t cell = 0; cell < positions(&out); cell++) {
        position_of(&out, cell, at);
        for (int64_t o = 0; o < out.channels; o++)
            s->value[cell * out.channels + o] = conv_at(s, r->steps[s->input[0]], at, o);
    }
}

int reference_conv(reference *r, int x, const ren__conv_options *options) {
    char name[24];
    ren__shape input = shape_of(r, x);
    step_name(r, "conv", name);
    reference_step *s = add_step(r, compute_conv, ren__conv(r->graph, of(r, x), name, options), x, -1);
    if (!s) return -1;
    ren__shape weight = { input.rank,
                          { options->channels, channels_of(&input) / (options->groups ? options->groups : 1) } };
    int64_t fan = weight.dim[1];
    for (int i = 0; i < input.rank - 2; i++) {
        int64_t stride = options->stride[i] ? options->stride[i] : 1;
        fan *= weight.dim[2 + i] = options->kernel[i];
        s->shape.dim[1 + i] = (input.dim[1 + i] + 2 * options->pad[i] - options->kernel[i]) / stride + 1;
    }
    s->shape.dim[input.rank - 1] = options->channels;
    s->conv = *options;
    s->parameter[0] = add_parameter(r, name, "weight", weight, 1, 0, 1.5 / sqrt((double)fan));
    if (!options->no_bias)
        s->parameter[1] = add_parameter(r, name, "bias", ren__shape_of(1, &options->channels), 1, 0.1, 0.5);
    return s->parameter[0] && (options->no_bias || s->parameter[1]) ? finish_step(r, s) : -1;
}

static void compute_norm(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    int64_t channels = channels_of(&s->shape), rows = ren__shape_elements(&s->shape) / channels;
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
    ren__shape input = shape_of(r, x);
    int64_t channels = channels_of(&input);
    step_name(r, "norm", name);
    reference_step *s = add_step(r, compute_norm, ren__batch_norm(r->graph, of(r, x), name), x, -1);
    if (!s) return -1;
    ren__shape shape = ren__shape_of(1, &channels);
    s->parameter[0] = add_parameter(r, name, "weight", shape, 1, 0.4, 1.1); /* negative ones among them */
    s->parameter[1] = add_parameter(r, name, "bias", shape, 1, 0, 0.5);
    s->parameter[2] = add_parameter(r, name, "running_mean", shape, 0, 0.2, 0.5);
    s->parameter[3] = add_parameter(r, name, "running_var", shape, 0, 1.2, 0.7);
    for (int i = 0; i < 4; i++)
        if (!s->parameter[i]) return -1;
    return finish_step(r, s);
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
    reference_step *s = add_step(r, compute_activation, ren__activate(r->graph, of(r, x), kind), x, -1);
    if (s) s->kind = (int32_t)kind;
    return finish_step(r, s);
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
    box in = box_of(&x->shape);
    int64_t b[3], e[3];
    double sum = 0, best = -INFINITY;
    for (int i = 0; i < 3; i++)
        bin_of(s, &in, i, at[1 + i], &b[i], &e[i]);
    for (int64_t d = b[0]; d < e[0]; d++)
        for (int64_t h = b[1]; h < e[1]; h++)
            for (int64_t w = b[2]; w < e[2]; w++) {
                double v = x->value[offset_in(&in, at[0], d, h, w, channel)];
                sum += v;
                best = v > best ? v : best;
            }
    return s->kind ? best : sum / (double)((e[0] - b[0]) * (e[1] - b[1]) * (e[2] - b[2]));
}

static void compute_pool(const reference *r, reference_step *s, int training, int update) {
    box out = box_of(&s->shape);
    int64_t at[4];
    (void)training;
    (void)update;
    for (int64_t cell = 0; cell < positions(&out); cell++) {
        position_of(&out, cell, at);
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
    return finish_step(r, s);
}

int reference_max_pool(reference *r, int x, int64_t kernel, int64_t stride) {
    ren__value value = ren__max_pool(r->graph, of(r, x), kernel, stride);
    return finish_pool(r, add_step(r, compute_pool, value, x, -1), kernel, stride, 0, 1);
}

int reference_average_pool(reference *r, int x, int64_t kernel, int64_t stride) {
    ren__value value = ren__average_pool(r->graph, of(r, x), kernel, stride);
    return finish_pool(r, add_step(r, compute_pool, value, x, -1), kernel, stride, 0, 0);
}

int reference_adaptive_average_pool(reference *r, int x, int64_t cells) {
    ren__value value = ren__adaptive_average_pool(r->graph, of(r, x), cells);
    return finish_pool(r, add_step(r, compute_pool, value, x, -1), 0, 0, cells, 0);
}

/* ---- the others ---- */

/* The mask is part of the library's promise: equal seeds train equal networks in every version. */
static void compute_dropout(const reference *r, reference_step *s, int training, int update) {
    int64_t each = ren__shape_elements(&s->shape) / s->shape.dim[0], channels = channels_of(&s->shape);
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
    ren__value value =
        channels ? ren__channel_dropout(r->graph, of(r, x), rate) : ren__dropout(r->graph, of(r, x), rate);
    reference_step *s = add_step(r, compute_dropout, value, x, -1);
    if (s) {
        s->number = rate;
        s->kind = channels;
    }
    return finish_step(r, s);
}

static void compute_flatten(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    box in = box_of(&x->shape);
    int64_t at[4], voxels = positions(&in) / in.batch;
    (void)training;
    (void)update;
    for (int64_t cell = 0; cell < positions(&in); cell++) {
        position_of(&in, cell, at);
        for (int64_t c = 0; c < in.channels; c++)
            s->value[(at[0] * in.channels + c) * voxels + cell % voxels] = x->value[cell * in.channels + c];
    }
}

int reference_flatten(reference *r, int x) {
    reference_step *s = add_step(r, compute_flatten, ren__flatten(r->graph, of(r, x)), x, -1);
    if (s)
        s->shape = ren__shape_of(2, (int64_t[]){ s->shape.dim[0], ren__shape_elements(&s->shape) / s->shape.dim[0] });
    return finish_step(r, s);
}

static void compute_softmax(const reference *r, reference_step *s, int training, int update) {
    const double *x = r->steps[s->input[0]]->value;
    int64_t n = channels_of(&s->shape);
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
    return finish_step(r, add_step(r, compute_softmax, ren__softmax(r->graph, of(r, x)), x, -1));
}

static void compute_add(const reference *r, reference_step *s, int training, int update) {
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++)
        s->value[i] = r->steps[s->input[0]]->value[i] + r->steps[s->input[1]]->value[i];
}

int reference_add(reference *r, int a, int b) {
    return finish_step(r, add_step(r, compute_add, ren__add(r->graph, of(r, a), of(r, b)), a, b));
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
    ren__shape shape = shape_of(r, logits);
    if (logits < 0) return -1;
    int targets = reference_input(r, ren__shape_of(1, shape.dim));
    for (int64_t i = 0; targets >= 0 && i < shape.dim[0]; i++)
        r->steps[targets]->value[i] = (double)((i * 7 + 1) % shape.dim[1]);
    ren__value value = ren__cross_entropy(r->graph, of(r, logits), of(r, targets), weights, smoothing);
    reference_step *s = add_step(r, compute_cross_entropy, value, logits, targets);
    if (!s) return -1;
    s->shape = (ren__shape){ 0 };
    s->number = smoothing;
    for (int64_t c = 0; c < REN__MAX_CLASSES; c++)
        s->weight[c] = weights && c < shape.dim[1] ? weights[c] : 1;
    return finish_step(r, s);
}

/* ---- running ---- */

ren_status reference_finish(reference *r, int y, int expose) {
    static const double weights[3] = { 0.7, 1.3, 1.0 };
    ren__shape shape = shape_of(r, y);
    char name[24];
    if (y >= 0) ren__graph_output(r->graph, "y", of(r, y));
    r->loss = y;
    if (y >= 0 && shape.rank) {
        int64_t rows = shape.dim[0];
        int flat = reference_reshape(r, y, ren__shape_of(2, (int64_t[]){ rows, ren__shape_elements(&shape) / rows }));
        r->loss = reference_cross_entropy(r, reference_linear(r, flat, 3, 0), weights, 0.1);
    }
    for (int i = 0; expose && i < r->step_count; i++) {
        snprintf(name, sizeof name, "v%d", i);
        ren__graph_output(r->graph, name, of(r, i));
    }
    if (r->loss >= 0) ren__graph_output(r->graph, "loss", of(r, r->loss));
    if (r->loss < 0)
        ren__graph_fail(r->graph, REN_E_INTERNAL, "more steps or parameters than the reference has room for");
    return ren__graph_status(r->graph);
}

ren_status reference_weights(const reference *r, ren__weights **out) {
    ren_status st = REN_OK;
    ren__weights *weights = NULL;
    REN_TRY(ren__weights_create(r->context, r->graph, &weights));
    CHECK_INT(ren__weights_count(weights), r->parameter_count);
    for (int i = 0; i < r->parameter_count; i++) {
        const reference_parameter *p = r->parameters[i];
        int32_t index = ren__weights_find(weights, p->name);
        CHECK(index >= 0 && ren__shape_equal(ren__weights_shape(weights, index), &p->shape));
        CHECK_INT(ren__weights_trained(weights, index), p->trained);
        for (size_t k = 0; k < ren__weights_elements(weights, index); k++)
            ren__weights_data(weights, index)[k] = (float)p->value[k];
    }
    *out = weights;
    weights = NULL;
out:
    ren__weights_release(weights);
    return st;
}

ren_status reference_session(const reference *r, ren__weights *weights, int32_t mode, ren__session **out) {
    ren_status st = REN_OK;
    ren__session *session = NULL;
    uint32_t samples[256];
    for (uint32_t i = 0; i < 256; i++)
        samples[i] = 10 + i;
    REN_TRY(ren__session_create(r->graph, weights, mode, &session));
    REN_TRY(ren__session_randomness(session, r->seed, r->epoch, samples, 256));
    for (int i = 0; i < r->step_count; i++) {
        const reference_step *s = r->steps[i];
        float *input = s->compute ? NULL : ren__session_input(session, s->name);
        CHECK(s->compute || input);
        for (int64_t k = 0; input && k < ren__shape_elements(&s->shape); k++)
            input[k] = (float)s->value[k];
    }
    *out = session;
    session = NULL;
out:
    ren__session_free(session);
    return st;
}

void reference_run(reference *r, int training, int update_statistics) {
    for (int i = 0; i < r->step_count; i++)
        if (r->steps[i]->compute) r->steps[i]->compute(r, r->steps[i], training, update_statistics);
}

static ren_status compare_values(const char *name, const float *ours, const double *wanted, size_t count,
                                 double tolerance) {
    double largest = 1e-3;
    for (size_t i = 0; i < count; i++)
        largest = fabs(wanted[i]) > largest ? fabs(wanted[i]) : largest;
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)ours[i] - wanted[i]) <= tolerance * largest))
            return test_fail(__FILE__, __LINE__, "%s[%zu] is %.9g, not %.9g (largest %.3g)", name, i, (double)ours[i],
                             wanted[i], largest);
    return REN_OK;
}

ren_status reference_compare(const reference *r, const ren__session *session, double tolerance) {
    ren_status st = REN_OK;
    for (int32_t i = 0; i < ren__graph_output_count(r->graph); i++) {
        const char *name = ren__graph_output_name(r->graph, i);
        ren__value value = ren__graph_find_output(r->graph, name);
        for (int k = 0; k < r->step_count; k++) {
            const reference_step *s = r->steps[k];
            if (s->graph_value != value) continue;
            CHECK(ren__shape_equal(ren__session_output_shape(session, name), &s->shape));
            REN_TRY(compare_values(name, ren__session_output(session, name), s->value,
                                   (size_t)ren__shape_elements(&s->shape), tolerance));
        }
    }
out:
    return st;
}

ren_status reference_compare_statistics(const reference *r, const ren__weights *weights) {
    ren_status st = REN_OK;
    for (int i = 0; i < r->parameter_count; i++) {
        const reference_parameter *p = r->parameters[i];
        int32_t index = ren__weights_find(weights, p->name);
        REN_TRY(compare_values(p->name, ren__weights_read(weights, index), p->value,
                               ren__weights_elements(weights, index), p->trained ? 0 : 1e-5));
    }
out:
    return st;
}

static double loss_at(reference *r, double *element, double value) {
    double before = *element, loss;
    *element = value;
    reference_run(r, 1, 0);
    loss = r->steps[r->loss]->value[0];
    *element = before;
    return loss;
}

static double slope(reference *r, double *element) {
    const double step = 1e-6, x = *element;
    return (loss_at(r, element, x + step) - loss_at(r, element, x - step)) / (2 * step);
}

ren_status reference_compare_gradients(reference *r, ren__session *session, const ren__weights *weights, int samples,
                                       double tolerance) {
    ren_status st = REN_OK;
    double largest = 0;
    for (int32_t i = 0; i < ren__weights_count(weights); i++)
        for (size_t k = 0; ren__weights_trained(weights, i) && k < ren__weights_elements(weights, i); k++)
            largest = fmax(largest, fabs((double)ren__session_gradient(session, i)[k]));
    CHECK(largest > 1e-6 && largest < 1e3);
    for (int i = 0; i < r->parameter_count; i++) {
        const reference_parameter *p = r->parameters[i];
        int32_t index = ren__weights_find(weights, p->name);
        const float *ours = ren__session_gradient(session, index);
        size_t count = ren__weights_elements(weights, index), step = count / (size_t)samples + 1;
        CHECK_INT(ours != NULL, p->trained);
        for (size_t k = (size_t)i % step; ours && k < count; k += step) {
            double wanted = slope(r, &p->value[k]);
            double allowed = tolerance * (fabs(wanted) + largest / 10) + 1e-8;
            if (!(fabs((double)ours[k] - wanted) <= allowed)) {
                st = test_fail(__FILE__, __LINE__, "gradient %s[%zu] is %.9g, not %.9g (largest %.3g)", p->name, k,
                               (double)ours[k], wanted, largest);
                goto out;
            }
        }
    }
out:
    return st;
}
