/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation over a row or a sample's map, and attention, with plain loops. */
#include "base/random.h"

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

/* ---- attention ---- */

typedef struct attention_choice {
    int64_t heads;
    double dropout;
    ren__window_options window; /* heads 0: over all tokens */
} attention_choice;

/* The factor that dropout draws for element `index` of a sample. */
static double factor_of(const reference *r, const reference_step *s, double rate, int64_t sample, int64_t index) {
    const uint32_t key[2] = { (uint32_t)r->seed, (uint32_t)(r->seed >> 32) };
    const uint32_t counter[4] = { (uint32_t)(index / 4), (uint32_t)(10 + sample), r->epoch, s->index };
    uint32_t block[4];
    ren__philox(counter, key, block);
    return block[index % 4] < rate * 0x1p32 ? 0 : 1 / (1 - rate);
}

/* One query's output for one head, over `count` tokens at the rows given. */
static void attend(const reference_step *x, int64_t heads, int64_t head, const int64_t *rows, int64_t count,
                   int64_t query, const double *bias, const double *factors, double *out) {
    const int64_t c = reference_channels(&x->shape) / 3, width = c / heads, first = head * width;
    double score[64] = { 0 }, sum = 0;
    for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < width; i++)
            score[k] += x->value[rows[query] * 3 * c + first + i] * x->value[rows[k] * 3 * c + c + first + i];
        score[k] = exp(score[k] / sqrt((double)width) + (bias ? bias[k] : 0));
        sum += score[k];
    }
    for (int64_t i = 0; i < width; i++) {
        out[rows[query] * c + first + i] = 0;
        for (int64_t k = 0; k < count; k++)
            out[rows[query] * c + first + i] +=
                score[k] / sum * (factors ? factors[k] : 1) * x->value[rows[k] * 3 * c + 2 * c + first + i];
    }
}

static void compute_attention(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const attention_choice *choice = s->options;
    const int64_t count = x->shape.dim[1];
    int64_t rows[64];
    double factors[64];
    (void)update;
    for (int64_t sample = 0; sample < x->shape.dim[0]; sample++)
        for (int64_t head = 0; head < choice->heads; head++)
            for (int64_t query = 0; query < count; query++) {
                for (int64_t k = 0; k < count; k++) {
                    rows[k] = sample * count + k;
                    factors[k] =
                        training ? factor_of(r, s, choice->dropout, sample, (head * count + query) * count + k) : 1;
                }
                attend(x, choice->heads, head, rows, count, query, NULL, factors, s->value);
            }
}

static int reference_attention(reference *r, int x, const attention_choice *choice) {
    ren__value value = ren__attention_heads(r->graph, reference_value(r, x), choice->heads, choice->dropout);
    reference_step *s = reference_add_step(r, compute_attention, value, x, -1);
    if (!s) return -1;
    s->shape.dim[2] /= 3;
    s->options = choice;
    return reference_finish_step(r, s);
}

/* Rolls the map, cuts it into windows and labels what a roll brought together: as the published code does, with other
 * means than the library. */
static void compute_window_attention(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const attention_choice *choice = s->options;
    const box map = reference_box(&x->shape);
    int64_t window[3] = { 1, 1, 1 }, shift[3] = { 0 }, table[3] = { 1, 1, 1 }, rows[64], index = 0;
    double bias[64], factors[64];
    int label[64];
    (void)update;
    for (int a = 0; a < map.axes; a++) {
        window[3 - map.axes + a] = choice->window.window[a];
        shift[3 - map.axes + a] = choice->window.shift[a];
        table[3 - map.axes + a] = choice->window.table[a];
    }
    const int64_t count = window[0] * window[1] * window[2];
    for (int64_t n = 0; n < map.batch; n++, index = 0)
        for (int64_t d = 0; d < map.size[0]; d += window[0])
            for (int64_t h = 0; h < map.size[1]; h += window[1])
                for (int64_t w = 0; w < map.size[2]; w += window[2]) {
                    for (int64_t t = 0; t < count; t++) {
                        const int64_t at[3] = { d + t / (window[1] * window[2]), h + t / window[2] % window[1],
                                                w + t % window[2] };
                        int64_t from[3];
                        label[t] = 0;
                        for (int a = 0; a < 3; a++) {
                            from[a] = (at[a] + shift[a]) % map.size[a];
                            const int part = !shift[a] || at[a] < map.size[a] - window[a] ? 0
                                             : at[a] < map.size[a] - shift[a]             ? 1
                                                                                          : 2;
                            label[t] = label[t] * 3 + part;
                        }
                        rows[t] = reference_offset(&map, n, from[0], from[1], from[2], 0) / map.channels;
                    }
                    for (int64_t head = 0; head < choice->heads; head++)
                        for (int64_t query = 0; query < count; query++) {
                            for (int64_t k = 0; k < count; k++, index++) {
                                int64_t place = 0;
                                for (int a = 0; a < 3; a++) {
                                    const int64_t each = a == 0 ? table[1] * table[2] : a == 1 ? table[2] : 1;
                                    place = place * (2 * table[a] - 1) + query / each % table[a] - k / each % table[a] +
                                            table[a] - 1;
                                }
                                bias[k] = s->parameter[0]->value[place * choice->heads + head] -
                                          (label[k] == label[query] ? 0 : 100);
                                factors[k] = training ? factor_of(r, s, choice->dropout, n, index) : 1;
                            }
                            attend(x, choice->heads, head, rows, count, query, bias, factors, s->value);
                        }
                }
}

static int reference_window_attention(reference *r, int x, const attention_choice *choice) {
    char name[24];
    const ren__shape input = reference_shape_of(r, x);
    int64_t positions = 1;
    reference_step_name(r, "window", name);
    ren__window_options options = choice->window;
    options.heads = choice->heads;
    options.dropout = choice->dropout;
    ren__value value = ren__window_attention(r->graph, reference_value(r, x), name, &options);
    reference_step *s = reference_add_step(r, compute_window_attention, value, x, -1);
    if (!s) return -1;
    for (int a = 0; a < input.rank - 2; a++)
        positions *= 2 * choice->window.table[a] - 1;
    s->shape.dim[s->shape.rank - 1] /= 3;
    s->options = choice;
    s->parameter[0] = reference_add_parameter(r, name, "relative_position_bias_table",
                                              ren__shape_of(2, (int64_t[]){ positions, choice->heads }), 1, 0, 0.7);
    return s->parameter[0] ? reference_finish_step(r, s) : -1;
}

/* ---- cases ---- */

static int attention(reference *r, const reference_case *c) {
    static const attention_choice choices[] = {
        { 2, 0, { 0 } },
        { 3, 0.3, { 0 } },
        { 1, 0, { 0 } },
    };
    return reference_attention(r, reference_source(r, c->shape), &choices[c->kind]);
}

static int window_attention(reference *r, const reference_case *c) {
    static const attention_choice choices[] = {
        { 2, 0, { 0, { 2, 2, 2 }, { 2, 2, 2 }, { 0, 0, 0 }, 0 } },
        { 2, 0, { 0, { 3, 2, 3 }, { 3, 2, 3 }, { 1, 1, 1 }, 0 } },
        { 1, 0, { 0, { 3, 3, 3 }, { 3, 2, 2 }, { 1, 0, 1 }, 0 } }, /* smaller than the table's on two axes */
        { 3, 0.25, { 0, { 3, 3 }, { 3, 3 }, { 1, 1 }, 0 } },
        { 1, 0, { 0, { 4, 3 }, { 4, 3 }, { 2, 0 }, 0 } },
    };
    return reference_window_attention(r, reference_source(r, c->shape), &choices[c->kind]);
}

/* A ViT's block: attention beside its input, then the MLP. */
static int vit_block(reference *r, const reference_case *c) {
    static const attention_choice choice = { 2, 0.1, { 0 } };
    int x = reference_linear(r, reference_source(r, c->shape), c->size, 0);
    int y = reference_attention(r, reference_linear(r, reference_layer_norm(r, x, 1), 3 * c->size, 0), &choice);
    x = reference_add(r, x, reference_linear(r, y, c->size, 0));
    y = reference_activate(r, reference_linear(r, reference_layer_norm(r, x, 1), 6, 0), REN__GELU);
    return reference_add(r, x, reference_linear(r, y, c->size, 0));
}

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
    { "attention", attention, SHAPE(2, 5, 12), { 0 }, 0, 0, 0, 0 },
    { "attention with dropout", attention, SHAPE(2, 6, 18), { 0 }, 0, 0, 1, 0 },
    { "attention of one token", attention, SHAPE(3, 1, 6), { 0 }, 0, 0, 2, 0 },
    { "window attention", window_attention, SHAPE(2, 4, 2, 4, 12), { 0 }, 0, 0, 0, 0 },
    { "window attention, shifted", window_attention, SHAPE(1, 6, 4, 3, 12), { 0 }, 0, 0, 1, 0 },
    { "window attention, small windows", window_attention, SHAPE(1, 6, 2, 4, 6), { 0 }, 0, 0, 2, 0 },
    { "window attention 2-D, shifted, dropout", window_attention, SHAPE(2, 6, 3, 9), { 0 }, 0, 0, 3, 0 },
    { "window attention 2-D, one axis shifted", window_attention, SHAPE(1, 8, 3, 6), { 0 }, 0, 0, 4, 0 },
    { "ViT block", vit_block, SHAPE(2, 5, 6), { 0 }, 8, 0, 0, 0 },
    { "MLP", mlp, SHAPE(2, 5, 6), { 0 }, 8, 0, 0, 0 },
    { NULL, NULL, { 0 }, { 0 }, 0, 0, 0, 0 },
};
/* clang-format on */
