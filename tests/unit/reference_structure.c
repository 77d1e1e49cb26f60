/* SPDX-License-Identifier: Apache-2.0 */
/* What only moves numbers or meets them one by one: concat, slice, pad, multiply, positions, class token. */
#include "reference_step.h"

typedef struct box_choice {
    int64_t begin[REN__MAX_RANK], end[REN__MAX_RANK]; /* of the smaller tensor: its box, or zeros before and after */
} box_choice;

/* The index of element `i` of a shape along each axis, and back. */
static void index_of(const ren__shape *shape, int64_t i, int64_t index[REN__MAX_RANK]) {
    for (int32_t a = shape->rank - 1; a >= 0; a--) {
        index[a] = i % shape->dim[a];
        i /= shape->dim[a];
    }
}

static int64_t element_of(const ren__shape *shape, const int64_t *index) {
    int64_t at = 0;
    for (int32_t a = 0; a < shape->rank; a++)
        at = at * shape->dim[a] + index[a];
    return at;
}

static void compute_slice(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const box_choice *choice = s->options;
    int64_t index[REN__MAX_RANK];
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        index_of(&s->shape, i, index);
        for (int32_t a = 0; a < s->shape.rank; a++)
            index[a] += choice->begin[a];
        s->value[i] = x->value[element_of(&x->shape, index)];
    }
}

static int reference_slice(reference *r, int x, const box_choice *choice) {
    const ren__shape shape = reference_shape_of(r, x);
    int64_t size[REN__MAX_RANK];
    for (int32_t a = 0; a < shape.rank; a++)
        size[a] = choice->end[a] - choice->begin[a];
    reference_step *s =
        reference_add_step(r, compute_slice, ren__slice(r->graph, reference_value(r, x), choice->begin, size), x, -1);
    if (s) {
        s->shape = ren__shape_of(shape.rank, size);
        s->options = choice;
    }
    return reference_finish_step(r, s);
}

static void compute_pad(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const box_choice *choice = s->options;
    int64_t index[REN__MAX_RANK];
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        int inside = 1;
        index_of(&s->shape, i, index);
        for (int32_t a = 0; a < s->shape.rank; a++) {
            index[a] -= choice->begin[a];
            inside = inside && index[a] >= 0 && index[a] < x->shape.dim[a];
        }
        s->value[i] = inside ? x->value[element_of(&x->shape, index)] : 0;
    }
}

static int reference_pad(reference *r, int x, const box_choice *choice) {
    ren__value value = ren__pad(r->graph, reference_value(r, x), choice->begin, choice->end);
    reference_step *s = reference_add_step(r, compute_pad, value, x, -1);
    for (int32_t a = 0; s && a < s->shape.rank; a++)
        s->shape.dim[a] += choice->begin[a] + choice->end[a];
    if (s) s->options = choice;
    return reference_finish_step(r, s);
}

static void compute_concat(const reference *r, reference_step *s, int training, int update) {
    int64_t index[REN__MAX_RANK];
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        int k = 0;
        index_of(&s->shape, i, index);
        while (index[s->size] >= r->steps[s->input[k]]->shape.dim[s->size])
            index[s->size] -= r->steps[s->input[k++]]->shape.dim[s->size];
        s->value[i] = r->steps[s->input[k]]->value[element_of(&r->steps[s->input[k]]->shape, index)];
    }
}

static int reference_concat(reference *r, const int *values, int count, int32_t axis) {
    ren__value list[REFERENCE_INPUTS];
    for (int i = 0; i < count; i++)
        list[i] = reference_value(r, values[i]);
    reference_step *s = reference_add_step(r, compute_concat, ren__concat(r->graph, list, count, axis), values[0], -1);
    for (int i = 0; s && i < count; i++) {
        s->input[i] = values[i];
        if (i > 0) s->shape.dim[axis] += reference_shape(r, values[i])->dim[axis];
    }
    if (s) s->size = axis;
    return reference_finish_step(r, s);
}

static void compute_multiply(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]], *f = r->steps[s->input[1]];
    const int64_t share = ren__shape_elements(&x->shape) / ren__shape_elements(&f->shape);
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++)
        s->value[i] = x->value[i] * f->value[i / share];
}

static int reference_multiply(reference *r, int x, int factor) {
    ren__value value = ren__multiply(r->graph, reference_value(r, x), reference_value(r, factor));
    return reference_finish_step(r, reference_add_step(r, compute_multiply, value, x, factor));
}

/* ---- tokens ---- */

static void compute_positions(const reference *r, reference_step *s, int training, int update) {
    const int64_t each = ren__shape_elements(&s->parameter[0]->shape);
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++)
        s->value[i] = r->steps[s->input[0]]->value[i] + s->parameter[0]->value[i % each];
}

static int reference_positions_of(reference *r, int x) {
    char name[24];
    ren__shape shape = reference_shape_of(r, x);
    reference_step_name(r, "positions", name);
    reference_step *s =
        reference_add_step(r, compute_positions, ren__positions(r->graph, reference_value(r, x), name), x, -1);
    if (!s) return -1;
    shape.dim[0] = 1;
    s->parameter[0] = reference_add_parameter(r, name, "", shape, 1, 0, 0.7);
    return s->parameter[0] ? reference_finish_step(r, s) : -1;
}

static void compute_class_token(const reference *r, reference_step *s, int training, int update) {
    const int64_t c = s->shape.dim[2], each = s->shape.dim[1] * c;
    (void)training;
    (void)update;
    for (int64_t i = 0; i < ren__shape_elements(&s->shape); i++) {
        const int64_t sample = i / each, within = i % each;
        s->value[i] = within < c ? s->parameter[0]->value[within]
                                 : r->steps[s->input[0]]->value[sample * (each - c) + within - c];
    }
}

static int reference_class_token(reference *r, int x) {
    char name[24];
    const ren__shape shape = reference_shape_of(r, x);
    reference_step_name(r, "class", name);
    reference_step *s =
        reference_add_step(r, compute_class_token, ren__class_token(r->graph, reference_value(r, x), name), x, -1);
    if (!s) return -1;
    s->shape.dim[1]++;
    s->parameter[0] =
        reference_add_parameter(r, name, "", ren__shape_of(3, (int64_t[]){ 1, 1, shape.dim[2] }), 1, 0, 0.7);
    return s->parameter[0] ? reference_finish_step(r, s) : -1;
}

static void compute_half_mean_square(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const int64_t count = ren__shape_elements(&x->shape);
    (void)training;
    (void)update;
    s->value[0] = 0;
    for (int64_t i = 0; i < count; i++)
        s->value[0] += x->value[i] * x->value[i] / (2 * (double)count);
}

static int half_mean_square(reference *r, const reference_case *c) {
    const int x = reference_source(r, c->shape);
    ren__value value = ren__half_mean_square(r->graph, reference_value(r, x));
    reference_step *s = reference_add_step(r, compute_half_mean_square, value, x, -1);
    if (s) s->shape = (ren__shape){ 0 };
    return reference_finish_step(r, s);
}

/* ---- blocks of cells ---- */

typedef struct merge_choice {
    int32_t count;
    uint8_t cells[8];
} merge_choice;

static void compute_merge(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const merge_choice *choice = s->options;
    const box in = reference_box(&x->shape), out = reference_box(&s->shape);
    int64_t at[4];
    (void)training;
    (void)update;
    for (int64_t cell = 0; cell < reference_positions(&out); cell++) {
        reference_position(&out, cell, at);
        for (int64_t i = 0; i < out.channels; i++) {
            const uint8_t bits = choice->cells[i / in.channels];
            const int64_t d = in.axes == 3 ? 2 * at[1] + (bits >> 2) : 0;
            s->value[cell * out.channels + i] = x->value[reference_offset(&in, at[0], d, 2 * at[2] + (bits >> 1 & 1),
                                                                          2 * at[3] + (bits & 1), i % in.channels)];
        }
    }
}

static int reference_merge(reference *r, int x, const merge_choice *choice) {
    ren__value value = ren__merge_patches(r->graph, reference_value(r, x), choice->cells, choice->count);
    reference_step *s = reference_add_step(r, compute_merge, value, x, -1);
    for (int32_t a = 1; s && a + 1 < s->shape.rank; a++)
        s->shape.dim[a] /= 2;
    if (s) {
        s->shape.dim[s->shape.rank - 1] *= choice->count;
        s->options = choice;
    }
    return reference_finish_step(r, s);
}

/* Each output cell belongs to one input cell. */
static void compute_transpose(const reference *r, reference_step *s, int training, int update) {
    const reference_step *x = r->steps[s->input[0]];
    const box in = reference_box(&x->shape), out = reference_box(&s->shape);
    int64_t at[4], kernel[3], cells = 1;
    (void)training;
    (void)update;
    for (int a = 0; a < 3; a++)
        cells *= kernel[a] = out.size[a] / in.size[a];
    for (int64_t cell = 0; cell < reference_positions(&out); cell++) {
        reference_position(&out, cell, at);
        const int64_t within = (at[1] % kernel[0] * kernel[1] + at[2] % kernel[1]) * kernel[2] + at[3] % kernel[2];
        for (int64_t o = 0; o < out.channels; o++) {
            double sum = s->parameter[1] ? s->parameter[1]->value[o] : 0;
            for (int64_t i = 0; i < in.channels; i++)
                sum +=
                    s->parameter[0]->value[(i * out.channels + o) * cells + within] *
                    x->value[reference_offset(&in, at[0], at[1] / kernel[0], at[2] / kernel[1], at[3] / kernel[2], i)];
            s->value[cell * out.channels + o] = sum;
        }
    }
}

static int reference_transpose(reference *r, int x, int64_t channels, const int64_t *kernel, int no_bias) {
    char name[24];
    ren__shape weight = reference_shape_of(r, x);
    reference_step_name(r, "up", name);
    ren__value value = ren__conv_transpose(r->graph, reference_value(r, x), name, channels, kernel, no_bias);
    reference_step *s = reference_add_step(r, compute_transpose, value, x, -1);
    if (!s) return -1;
    weight.dim[0] = reference_channels(&weight);
    weight.dim[1] = channels;
    for (int32_t a = 1; a + 1 < s->shape.rank; a++)
        s->shape.dim[a] *= weight.dim[1 + a] = kernel[a - 1];
    s->shape.dim[s->shape.rank - 1] = channels;
    s->parameter[0] = reference_add_parameter(r, name, "weight", weight, 1, 0, 0.8);
    if (!no_bias) s->parameter[1] = reference_add_parameter(r, name, "bias", ren__shape_of(1, &channels), 1, 0.1, 0.5);
    return s->parameter[0] && (no_bias || s->parameter[1]) ? reference_finish_step(r, s) : -1;
}

/* ---- cases ---- */

static int merge(reference *r, const reference_case *c) {
    static const merge_choice choices[] = {
        { 8, { 0, 4, 2, 1, 6, 5, 3, 7 } },
        { 8, { 0, 4, 2, 1, 5, 2, 1, 7 } }, /* two come twice */
        { 4, { 0, 2, 1, 3 } },
    };
    return reference_merge(r, reference_source(r, c->shape), &choices[c->kind]);
}

static int transpose(reference *r, const reference_case *c) {
    return reference_transpose(r, reference_source(r, c->shape), c->size, c->conv.kernel, c->conv.no_bias);
}

static int slice(reference *r, const reference_case *c) {
    static const box_choice boxes[] = {
        { { 0, 1, 2, 0 }, { 2, 4, 5, 3 } },       /* within the map */
        { { 1, 0, 0, 1 }, { 2, 5, 6, 3 } },       /* of samples and channels */
        { { 0, 0, 0, 0, 0 }, { 2, 3, 2, 4, 5 } }, /* all of it */
        { { 0, 2, 1, 3, 4 }, { 1, 3, 2, 4, 5 } }, /* one element */
    };
    return reference_slice(r, reference_source(r, c->shape), &boxes[c->kind]);
}

static int pad(reference *r, const reference_case *c) {
    static const box_choice around[] = {
        { { 0, 0, 0, 0, 0 }, { 0, 1, 2, 3, 0 } },
        { { 1, 0, 2, 1 }, { 0, 3, 0, 2 } },
    };
    return reference_pad(r, reference_source(r, c->shape), &around[c->kind]);
}

/* Of `kind` parts along axis `size`, each one longer there than the one before, the last the first again. */
static int concat(reference *r, const reference_case *c) {
    int parts[REFERENCE_INPUTS];
    ren__shape shape = c->shape;
    for (int i = 0; i < c->kind; i++, shape.dim[c->size]++)
        if ((parts[i] = i && i + 1 == c->kind ? parts[0] : reference_source(r, shape)) < 0) return -1;
    return reference_concat(r, parts, c->kind, (int32_t)c->size);
}

static int multiply(reference *r, const reference_case *c) {
    ren__shape factor = c->shape;
    if (c->kind) factor.dim[factor.rank - 1] = 1;
    return reference_multiply(r, reference_source(r, c->shape), reference_source(r, factor));
}

static int multiply_by_itself(reference *r, const reference_case *c) {
    int x = reference_activate(r, reference_source(r, c->shape), REN__TANH);
    return reference_multiply(r, x, x);
}

static int tokens(reference *r, const reference_case *c) {
    int x = reference_linear(r, reference_source(r, c->shape), c->size, 0);
    if (c->kind & 1) x = reference_class_token(r, x);
    return c->kind & 2 ? reference_positions_of(r, x) : x;
}

#define SHAPE(...)                                                                                                     \
    {                                                                                                                  \
        sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), {                                                        \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* clang-format off */
const reference_case reference_structural[] = {
    { "slice of a map", slice, SHAPE(2, 5, 6, 3), { 0 }, 0, 0, 0, 0 },
    { "slice of samples and channels", slice, SHAPE(2, 5, 6, 3), { 0 }, 0, 0, 1, 0 },
    { "slice of all", slice, SHAPE(2, 3, 2, 4, 5), { 0 }, 0, 0, 2, 0 },
    { "slice of one element", slice, SHAPE(2, 3, 2, 4, 5), { 0 }, 0, 0, 3, 0 },
    { "pad at the end", pad, SHAPE(2, 3, 2, 4, 5), { 0 }, 0, 0, 0, 0 },
    { "pad on all sides", pad, SHAPE(2, 3, 4, 2), { 0 }, 0, 0, 1, 0 },
    { "concat of channels", concat, SHAPE(2, 3, 4, 2), { 0 }, 3, 0, 2, 0 },
    { "concat of three", concat, SHAPE(2, 3, 4), { 0 }, 2, 0, 3, 0 },
    { "concat of tokens", concat, SHAPE(3, 4, 5), { 0 }, 1, 0, 4, 0 },
    { "concat of eight samples", concat, SHAPE(1, 4), { 0 }, 0, 0, 8, 0 },
    { "merge patches", merge, SHAPE(2, 4, 2, 6, 3), { 0 }, 0, 0, 0, 0 },
    { "merge patches, two of them twice", merge, SHAPE(1, 2, 4, 4, 3), { 0 }, 0, 0, 1, 0 },
    { "merge patches 2-D", merge, SHAPE(2, 4, 6, 3), { 0 }, 0, 0, 2, 0 },
    { "transposed conv 3-D", transpose, SHAPE(2, 3, 2, 4, 5), { 0, { 2, 2, 2 }, { 0 }, { 0 }, 0, 1 }, 3, 0, 0, 0 },
    { "transposed conv 3-D, kernel 1, 3, 2", transpose, SHAPE(1, 3, 2, 2, 4), { 0, { 1, 3, 2 }, { 0 }, { 0 }, 0, 0 }, 6, 0, 0, 0 },
    { "transposed conv 2-D", transpose, SHAPE(2, 3, 4, 5), { 0, { 2, 2 }, { 0 }, { 0 }, 0, 0 }, 4, 0, 0, 0 },
    { "transposed conv 1-D", transpose, SHAPE(2, 3, 4), { 0, { 4 }, { 0 }, { 0 }, 0, 1 }, 4, 0, 0, 0 },
    { "half the mean square", half_mean_square, SHAPE(3, 4, 5), { 0 }, 0, 0, 0, 0 },
    { "multiply", multiply, SHAPE(3, 4, 5), { 0 }, 0, 0, 0, 0 },
    { "multiply by row", multiply, SHAPE(2, 3, 4, 3, 5), { 0 }, 0, 0, 1, 0 },
    { "multiply by itself", multiply_by_itself, SHAPE(3, 5), { 0 }, 0, 0, 0, 0 },
    { "class token", tokens, SHAPE(3, 4, 5), { 0 }, 6, 0, 1, 0 },
    { "positions", tokens, SHAPE(3, 4, 5), { 0 }, 6, 0, 2, 0 },
    { "class token and positions", tokens, SHAPE(2, 7, 5), { 0 }, 4, 0, 3, 0 },
    { "positions of a map", tokens, SHAPE(2, 2, 3, 4, 5), { 0 }, 3, 0, 2, 0 },
    { NULL, NULL, { 0 }, { 0 }, 0, 0, 0, 0 },
};
/* clang-format on */
