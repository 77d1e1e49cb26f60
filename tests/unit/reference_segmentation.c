/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures of MLPs, heads and losses of segmentations, with plain loops. */
#include "base/random.h"

#include "reference_step.h"

/* ---- what moves and drops ---- */

static void compute_shuffle(const reference *r, reference_step *s, int training, int update) {
    const double *x = r->steps[s->input[0]]->value;
    const int64_t edge = s->size, c = s->shape.dim[3], width = s->shape.dim[2];
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        const int64_t column = i / c % width, row = i / c / width;
        const int64_t cell = row / edge * (width / edge) + column / edge;
        s->value[i] = x[((cell * edge + row % edge) * edge + column % edge) * c + i % c];
    }
}

static int reference_shuffle(reference *r, int x, int64_t edge) {
    ren__value value = ren__pixel_shuffle(r->graph, reference_value(r, x), edge);
    reference_step *s = reference_add_step(r, compute_shuffle, value, x, -1);
    if (!s) return -1;
    s->size = edge;
    s->shape.dim[1] *= edge;
    s->shape.dim[2] *= edge;
    s->shape.dim[3] /= edge * edge;
    return reference_finish_step(r, s);
}

/* Between the centres of the smaller map's cells, which lie at 2 i + 1/2 of the larger one's. */
static void compute_upsample(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const int64_t c = s->shape.dim[3], height = x->shape.dim[1], width = x->shape.dim[2];
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        const int64_t column = i / c % (2 * width), row = i / c / (2 * width) % (2 * height);
        const int64_t sample = i / c / (4 * width * height);
        const double y = fmin(fmax(((double)row - 0.5) / 2, 0), (double)(height - 1));
        const double z = fmin(fmax(((double)column - 0.5) / 2, 0), (double)(width - 1));
        s->value[i] = 0;
        for (int64_t h = 0; h < height; h++)
            for (int64_t w = 0; w < width; w++)
                s->value[i] += fmax(0, 1 - fabs(y - (double)h)) * fmax(0, 1 - fabs(z - (double)w)) *
                               x->value[((sample * height + h) * width + w) * c + i % c];
    }
}

static int reference_upsample(reference *r, int x) {
    reference_step *s = reference_add_step(r, compute_upsample, ren__upsample(r->graph, reference_value(r, x)), x, -1);
    if (!s) return -1;
    s->shape.dim[1] *= 2;
    s->shape.dim[2] *= 2;
    return reference_finish_step(r, s);
}

static void compute_drop_path(const reference *r, reference_step *s, int training, int update) {
    const uint32_t key[2] = { (uint32_t)r->seed, (uint32_t)(r->seed >> 32) };
    const int64_t each = ren__shape_elements(&s->shape) / s->shape.dim[0];
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        const uint32_t counter[4] = { 0, (uint32_t)(10 + i / each), r->epoch, s->index };
        uint32_t block[4];
        ren__philox(counter, key, block);
        s->value[i] = r->steps[s->input[0]]->value[i];
        if (training) s->value[i] *= block[0] < s->number * 0x1p32 ? 0 : 1 / (1 - s->number);
    }
}

static int reference_drop_path(reference *r, int x, double rate) {
    ren__value value = ren__drop_path(r->graph, reference_value(r, x), rate);
    reference_step *s = reference_add_step(r, compute_drop_path, value, x, -1);
    if (s) s->number = rate;
    return reference_finish_step(r, s);
}

/* ---- experts ---- */

static void compute_top_softmax(const reference *r, reference_step *s, int training, int update) {
    const int64_t n = reference_channels(&s->shape);
    (void)training;
    (void)update;
    for (int64_t row = 0; row < ren__shape_elements(&s->shape); row += n) {
        const double *x = r->steps[s->input[0]]->value + row;
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t larger = 0;
            for (int64_t k = 0; k < n; k++)
                larger += x[k] > x[i] || (x[k] == x[i] && k < i);
            s->value[row + i] = larger < s->size ? exp(x[i]) : 0;
            sum += s->value[row + i];
        }
        for (int64_t i = 0; i < n; i++)
            s->value[row + i] /= sum;
    }
}

static int reference_top_softmax(reference *r, int x, int64_t count) {
    ren__value value = ren__top_softmax(r->graph, reference_value(r, x), count);
    reference_step *s = reference_add_step(r, compute_top_softmax, value, x, -1);
    if (s) s->size = count;
    return reference_finish_step(r, s);
}

static void compute_log_softmax(const reference *r, reference_step *s, int training, int update) {
    const int64_t n = reference_channels(&s->shape);
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        const double *x = r->steps[s->input[0]]->value;
        double sum = 0;
        for (int64_t k = i / n * n; k < (i / n + 1) * n; k++)
            sum += exp(x[k]);
        s->value[i] = x[i] - log(sum);
    }
}

static int reference_log_softmax(reference *r, int x) {
    ren__value value = ren__log_softmax(r->graph, reference_value(r, x));
    return reference_finish_step(r, reference_add_step(r, compute_log_softmax, value, x, -1));
}

static double gelu(double x) {
    return 0.5 * x * (1 + erf(x / sqrt(2.0)));
}

static double mlp_output(const reference_step *s, const double *x, int64_t inputs, int64_t output) {
    double y = s->parameter[3]->value[output];
    for (int64_t h = 0; h < s->size; h++) {
        double between = s->parameter[1]->value[h];
        for (int64_t i = 0; i < inputs; i++)
            between += s->parameter[0]->value[h * inputs + i] * x[i];
        y += s->parameter[2]->value[output * s->size + h] * gelu(between);
    }
    return y;
}

/* Inputs: x, the sum or -1, the gates or -1; `kind` is the expert, `classes` how many there are. */
static void compute_expert(const reference *r, reference_step *s, int training, int update) {
    const int64_t c = reference_channels(&s->shape), rows = ren__shape_elements(&s->shape) / c;
    const reference_step *gates = s->input[2] < 0 ? NULL : r->steps[s->input[2]];
    (void)training;
    (void)update;
    for (int64_t row = 0; row < rows; row++) {
        double factor = 1;
        if (gates && gates->shape.rank == 1)
            factor = gates->value[row / (rows / gates->shape.dim[0])] == s->kind;
        else if (gates)
            factor =
                gates->value[row / (rows * s->classes / ren__shape_elements(&gates->shape)) * s->classes + s->kind];
        for (int64_t k = 0; k < c; k++)
            s->value[row * c + k] = (s->input[1] < 0 ? 0 : r->steps[s->input[1]]->value[row * c + k]) +
                                    factor * mlp_output(s, r->steps[s->input[0]]->value + row * c, c, k);
    }
}

static int reference_expert(reference *r, int sum, int x, int gates, const ren__expert_options *options) {
    char name[24];
    const ren__shape shape = reference_shape_of(r, x);
    const int64_t c = reference_channels(&shape), h = options->hidden;
    reference_step_name(r, "expert", name);
    ren__value value = ren__expert_mlp(r->graph, reference_value(r, sum), reference_value(r, x),
                                       reference_value(r, gates), name, options);
    reference_step *s = reference_add_step(r, compute_expert, value, x, sum);
    if (!s) return -1;
    s->input[2] = gates;
    s->size = h;
    s->kind = options->expert;
    s->classes = options->experts;
    s->parameter[0] = reference_add_parameter(r, name, "0.weight", ren__shape_of(2, (int64_t[]){ h, c }), 1, 0, 0.8);
    s->parameter[1] = reference_add_parameter(r, name, "0.bias", ren__shape_of(1, &h), 1, 0, 0.5);
    s->parameter[2] = reference_add_parameter(r, name, "2.weight", ren__shape_of(2, (int64_t[]){ c, h }), 1, 0, 0.8);
    s->parameter[3] = reference_add_parameter(r, name, "2.bias", ren__shape_of(1, &c), 1, 0, 0.5);
    return s->parameter[3] ? reference_finish_step(r, s) : -1;
}

/* ---- heads and loss ---- */

static void compute_head(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const int64_t c = reference_channels(&x->shape), width = reference_channels(&s->shape);
    const int64_t rows = ren__shape_elements(&s->shape) / width;
    (void)training;
    (void)update;
    for (int64_t i = 0; i < rows * width; i++) {
        const int64_t sample = i / width / (rows / s->shape.dim[0]);
        s->value[i] = s->input[1] < 0 ? 0 : r->steps[s->input[1]]->value[i];
        if (i % width >= s->classes || (s->input[2] >= 0 && r->steps[s->input[2]]->value[sample] != s->kind)) continue;
        for (int64_t k = 0; k < c; k++)
            s->value[i] += s->parameter[0]->value[i % width * c + k] * x->value[i / width * c + k];
    }
}

static int reference_head(reference *r, int sum, int x, int numbers, const ren__head_options *options) {
    char name[24];
    const ren__shape shape = reference_shape_of(r, x);
    ren__shape weight = { shape.rank > 2 ? shape.rank : 2, { options->classes, reference_channels(&shape) } };
    for (int32_t i = 2; i < weight.rank; i++)
        weight.dim[i] = 1;
    reference_step_name(r, "head", name);
    ren__value value =
        ren__head(r->graph, reference_value(r, sum), reference_value(r, x), reference_value(r, numbers), name, options);
    reference_step *s = reference_add_step(r, compute_head, value, x, sum);
    if (!s) return -1;
    s->input[2] = numbers;
    s->kind = options->head;
    s->classes = options->classes;
    s->shape.dim[s->shape.rank - 1] = options->width;
    s->parameter[0] = reference_add_parameter(r, name, "weight", weight, 1, 0, 0.8);
    return s->parameter[0] ? reference_finish_step(r, s) : -1;
}

static double sample_loss(const ren__segmentation *o, const double *x, const double *labels, int64_t cells,
                          int64_t width, int64_t classes) {
    double loss = 0;
    for (int64_t c = 0; c < classes; c++) {
        double both = 0, squares = 0, count = 0;
        for (int64_t i = 0; i < cells; i++) {
            double sum = 0;
            for (int64_t k = 0; k < classes; k++)
                sum += exp(x[i * width + k]);
            const double p = exp(x[i * width + c]) / sum, t = labels[i] == (double)c;
            both += p * t;
            squares += p * p;
            count += t * t;
            loss -= o->cross_entropy * t * log(p) / (double)cells;
        }
        loss += o->dice / (double)classes * (1 - (2 * both + 1e-5) / (squares + count + 1e-5));
    }
    return loss;
}

static void compute_segmentation(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]], *labels = r->steps[s->input[1]];
    const ren__segmentation *o = s->options;
    const int64_t batch = x->shape.dim[0], width = reference_channels(&x->shape);
    const int64_t cells = ren__shape_elements(&labels->shape) / batch;
    (void)training;
    (void)update;
    s->value[0] = 0;
    for (int64_t n = 0; n < batch; n++) {
        const int64_t head = s->input[2] < 0 ? 0 : (int64_t)r->steps[s->input[2]]->value[n];
        s->value[0] +=
            sample_loss(o, x->value + n * cells * width, labels->value + n * cells, cells, width, o->classes[head]) /
            (double)batch;
    }
}

static int reference_segmentation_loss(reference *r, int logits, int labels, int numbers,
                                       const ren__segmentation *options) {
    ren__value value = ren__segmentation_loss(r->graph, reference_value(r, logits), reference_value(r, labels),
                                              reference_value(r, numbers), options);
    reference_step *s = reference_add_step(r, compute_segmentation, value, logits, labels);
    if (!s) return -1;
    s->shape = (ren__shape){ 0 };
    s->input[2] = numbers;
    s->options = options;
    return reference_finish_step(r, s);
}

/* ---- cases ---- */

/* Whole numbers below `count`, whose order is no sequence. */
static int whole_numbers(reference *r, ren__shape shape, int64_t count) {
    const int x = reference_input(r, shape);
    for (int64_t i = 0; x >= 0 && i < ren__shape_elements(&shape); i++)
        r->steps[x]->value[i] = (double)((i * 5 + i / 3 + 1) % count);
    return x;
}

static int shuffle(reference *r, const reference_case *c) {
    return reference_shuffle(r, reference_source(r, c->shape), c->size);
}

static int upsample(reference *r, const reference_case *c) {
    return reference_upsample(r, reference_source(r, c->shape));
}

static int log_softmax(reference *r, const reference_case *c) {
    return reference_log_softmax(r, reference_source(r, c->shape));
}

static int drop_path(reference *r, const reference_case *c) {
    const int x = reference_source(r, c->shape);
    return reference_add(r, x, reference_drop_path(r, reference_activate(r, x, REN__TANH), c->number));
}

static int top_softmax(reference *r, const reference_case *c) {
    return reference_top_softmax(r, reference_source(r, c->shape), c->size);
}

/* `kind` 0: all experts for every row; 1: the `stride` best of a gate for each row; 2: by number; 3: by factors of a
 * sample. `size` experts. */
static int experts(reference *r, const reference_case *c) {
    ren__expert_options options = { 5, 0, (int32_t)c->size, (int32_t)c->stride };
    const int x = reference_source(r, c->shape);
    int sum = -1, gates = -1;
    if (c->kind == 1) gates = reference_top_softmax(r, reference_linear(r, x, c->size, 0), c->stride);
    if (c->kind == 2) gates = whole_numbers(r, ren__shape_of(1, c->shape.dim), c->size);
    if (c->kind == 3)
        gates = reference_softmax(r, reference_source(r, ren__shape_of(2, (int64_t[]){ c->shape.dim[0], c->size })));
    for (; options.expert < options.experts; options.expert++)
        sum = reference_expert(r, sum, x, gates, &options);
    return reference_activate(r, sum, REN__TANH);
}

static const ren__segmentation three_heads = { 0.4, 0.7, 3, { 4, 2, 3 } };
static const ren__segmentation one_head = { 0.3, 0.6, 1, { 4 } };

static int head_map(reference *r, const reference_case *c, int numbers) {
    ren__head_options options = { .width = 4, .heads = numbers < 0 ? 1 : 3 };
    const int x = reference_source(r, c->shape);
    int sum = -1;
    for (; options.head < options.heads; options.head++) {
        options.classes = three_heads.classes[options.head];
        sum = reference_head(r, sum, x, numbers, &options);
    }
    return sum;
}

static int heads(reference *r, const reference_case *c) {
    return head_map(r, c, c->kind ? whole_numbers(r, ren__shape_of(1, c->shape.dim), 3) : -1);
}

/* Labels stay below 2, the fewest classes of a head. */
static int segmentation(reference *r, const reference_case *c) {
    const int numbers = c->kind ? whole_numbers(r, ren__shape_of(1, c->shape.dim), 3) : -1;
    const int labels = whole_numbers(r, ren__shape_of(c->shape.rank - 1, c->shape.dim), 2);
    return reference_segmentation_loss(r, head_map(r, c, numbers), labels, numbers, c->kind ? &three_heads : &one_head);
}

#define SHAPE(...)                                                                                                     \
    {                                                                                                                  \
        sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), {                                                        \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* clang-format off */
const reference_case reference_segmentations[] = {
    { "pixel shuffle", shuffle, SHAPE(2, 3, 2, 12), { 0 }, 2, 0, 0, 0 },
    { "pixel shuffle of one channel", shuffle, SHAPE(1, 2, 3, 9), { 0 }, 3, 0, 0, 0 },
    { "upsampling", upsample, SHAPE(2, 3, 4, 5), { 0 }, 0, 0, 0, 0 },
    { "upsampling of one row", upsample, SHAPE(1, 1, 3, 2), { 0 }, 0, 0, 0, 0 },
    { "logarithm of the softmax", log_softmax, SHAPE(3, 2, 5), { 0 }, 0, 0, 0, 0 },
    { "drop path", drop_path, SHAPE(6, 2, 3, 4), { 0 }, 0, 0, 0, 0.5 },
    { "drop path of nothing", drop_path, SHAPE(3, 5), { 0 }, 0, 0, 0, 0.0 },
    { "softmax of the best two", top_softmax, SHAPE(5, 4), { 0 }, 2, 0, 0, 0 },
    { "softmax of the best", top_softmax, SHAPE(2, 3, 3, 5), { 0 }, 1, 0, 0, 0 },
    { "softmax of all", top_softmax, SHAPE(4, 3), { 0 }, 3, 0, 0, 0 },
    { "experts of every row", experts, SHAPE(2, 3, 4), { 0 }, 2, 0, 0, 0 },
    { "experts of every row, many rows", experts, SHAPE(1, 40, 30, 2), { 0 }, 2, 0, 0, 0 },
    { "one expert", experts, SHAPE(2, 3, 4), { 0 }, 1, 0, 0, 0 },
    { "experts by a gate", experts, SHAPE(2, 3, 2, 4), { 0 }, 3, 3, 1, 0 },
    { "experts by a gate, the best two", experts, SHAPE(2, 3, 2, 4), { 0 }, 3, 2, 1, 0 },
    { "experts by a gate, many rows", experts, SHAPE(1, 40, 30, 2), { 0 }, 2, 1, 1, 0 },
    { "experts by number", experts, SHAPE(3, 5, 4), { 0 }, 4, 1, 2, 0 },
    { "experts by a gate of each sample", experts, SHAPE(3, 2, 2, 4), { 0 }, 2, 2, 3, 0 },
    { "one head", heads, SHAPE(2, 3, 2, 5), { 0 }, 0, 0, 0, 0 },
    { "heads", heads, SHAPE(4, 3, 5, 4), { 0 }, 0, 0, 1, 0 },
    { "heads of vectors", heads, SHAPE(5, 3), { 0 }, 0, 0, 1, 0 },
    { "segmentation loss", segmentation, SHAPE(2, 3, 3, 4), { 0 }, 0, 0, 0, 0 },
    { "segmentation loss of several heads", segmentation, SHAPE(4, 5, 4, 3), { 0 }, 0, 0, 1, 0 },
    { NULL, NULL, { 0 }, { 0 }, 0, 0, 0, 0 },
};
/* clang-format on */
