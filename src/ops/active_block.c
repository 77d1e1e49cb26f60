/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution, batch-norm, ReLU and max-pooling on the active rows of a map. What one row of pooled cells sees, four
 * rows of four planes, is brought together in the thread's own frame: active cells from the input, the others from the
 * background, zeros outside of the map. Frames are small enough for the cache, and neither the input's surroundings nor
 * a padded map is ever written.
 */
#include <string.h>

#include "kernels/pooled.h"
#include "ops/active.h"
#include "ops/internal.h"

enum { FRAME_ROWS = 16, CHUNKS = 144 /* of a map: many for an even load, few for the cost of each */ };

typedef ren__active_block_options block_node;

typedef struct block_state {
    ren__conv_shape shape;
    size_t frame_bytes;
    const float *packed, *bias; /* derived from the weights */
} block_state;

static ren_status shape_of(const block_node *n, const ren__shape *x, ren__conv_shape *s) {
    *s = (ren__conv_shape){
        .batch = 1, .in_channels = ren__channels_of(x), .out_channels = n->channels, .groups = 1, .in = { 0 }
    };
    for (int i = 0; i < 3; i++) {
        s->in[i] = s->out[i] = x->rank == 5 ? x->dim[1 + i] : 1;
        s->kernel[i] = 3;
        s->stride[i] = s->pad[i] = 1;
    }
    if (x->rank == 5 && x->dim[0] == 1 && ren__pooled_applies(s, 2)) return REN_OK;
    return ren__error(REN_E_INTERNAL, "active_block: there is no kernel for this map");
}

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    ren__conv_shape s;
    ren_status st = shape_of(node->options, ren__graph_shape(graph, node->input[0]), &s);
    if (st == REN_OK)
        *output = ren__shape_of(5, (int64_t[]){ 1, s.in[0] / 2, s.in[1] / 2, s.in[2] / 2, s.out_channels });
    return st;
}

static ren_status plan(ren__step *step) {
    ren_status st = REN_OK;
    ren_context *context = step->context;
    block_state *state = NULL;
    REN_CALLOC(state, 1);
    step->state = state;
    REN_TRY(shape_of(step->node->options, &step->input_shape[0], &state->shape));
    size_t row = (size_t)((state->shape.in[2] + 2) * state->shape.in_channels);
    state->frame_bytes = ((FRAME_ROWS * row + REN__POOLED_SPARE) * sizeof(float) + 63) / 64 * 64;
    step->scratch_bytes = (size_t)context->threads * state->frame_bytes;
out:
    return st;
}

static void release(ren__step *step) {
    ren__free(step->state);
}

/* `out`: the packed weights, then the bias. */
static ren_status fill(void *argument, void *out) {
    const ren__step *step = argument;
    const block_node *n = step->node->options;
    const block_state *state = step->state;
    ren_context *context = step->context;
    ren_status st = REN_OK;
    size_t bytes = ren__pooled_packed_bytes(&state->shape), count = bytes / sizeof(float);
    float *folded = NULL, *bias = (float *)(void *)((uint8_t *)out + bytes);
    const float *weights = step->parameter[0], *own_bias = n->has_bias ? step->parameter[1] : NULL;
    for (int64_t c = 0; c < n->channels; c++)
        bias[c] = own_bias ? own_bias[c] : 0.0f;
    if (n->normed) {
        REN_ALLOC(folded, bytes);
        ren__conv_fold(weights, own_bias, &step->parameter[1 + n->has_bias], n->channels, count / (size_t)n->channels,
                       folded, bias);
        weights = folded;
    }
    ren__pooled_pack(&state->shape, weights, out);
out:
    ren__free(folded);
    return st;
}

static ren_status prepare(ren__step *step) {
    const block_node *n = step->node->options;
    block_state *state = step->state;
    const struct {
        char kind[8];
        int32_t weight, normed;
    } key = { "pooled", step->weight_index[0], n->normed };
    const void *packed = NULL;
    size_t bytes = ren__pooled_packed_bytes(&state->shape);
    ren_status st = ren__weights_derive(step->weights, &key, sizeof key, bytes + (size_t)n->channels * sizeof(float),
                                        fill, step, &packed);
    state->packed = packed;
    if (st == REN_OK) state->bias = state->packed + bytes / sizeof(float);
    return st;
}

/* ---- running ---- */

typedef struct block_job {
    const ren__step *step;
    const block_state *state;
    const ren__vector *vector;
    int64_t origin[3], size[3]; /* of what x holds, in the map */
} block_job;

/* Cells [begin, end) of row (d, h) as they are where nothing is active. */
static float *put_background(const block_job *j, int64_t d, int64_t h, int64_t begin, int64_t end, float *to) {
    const block_node *n = j->step->node->options;
    const ren__conv_shape *s = &j->state->shape;
    int outside = !n->background || d < 0 || d >= s->in[0] || h < 0 || h >= s->in[1];
    for (int64_t w = begin; w < end; w++, to += s->in_channels)
        if (outside || w < 0 || w >= s->in[2])
            memset(to, 0, (size_t)s->in_channels * sizeof *to);
        else
            memcpy(to, ren__background_cell(n->background, d, h, w), (size_t)s->in_channels * sizeof *to);
    return to;
}

/* Cells [begin, end) of row (d, h): all that are active among them lie between the first and the last. */
static void put_row(const block_job *j, int64_t d, int64_t h, int64_t begin, int64_t end, float *to) {
    const ren__conv_shape *s = &j->state->shape;
    ren__interval active = { 0, 0 };
    if (d >= 0 && d < s->in[0] && h >= 0 && h < s->in[1])
        active = ren__interval_at(j->step->input[1], d * s->in[1] + h);
    if (active.begin < begin) active.begin = begin;
    if (active.end > end) active.end = end;
    if (active.begin >= active.end) active.begin = active.end = begin;
    to = put_background(j, d, h, begin, active.begin, to);
    if (active.begin < active.end) {
        int64_t at = ((d - j->origin[0]) * j->size[1] + h - j->origin[1]) * j->size[2] + active.begin - j->origin[2];
        int64_t count = (active.end - active.begin) * s->in_channels;
        memcpy(to, j->step->input[0] + at * s->in_channels, (size_t)count * sizeof *to);
        to += count;
    }
    (void)put_background(j, d, h, active.end, end, to);
}

static void pooled_rows(void *argument, int64_t first, int64_t last, int32_t thread) {
    const block_job *j = argument;
    const ren__conv_shape *s = &j->state->shape;
    const block_node *n = j->step->node->options;
    float *frame = (float *)(void *)((uint8_t *)j->step->scratch + (size_t)thread * j->state->frame_bytes);
    for (int64_t row = first; row < last; row++) {
        int64_t d = row / (s->in[1] / 2), h = row % (s->in[1] / 2);
        ren__interval reached = ren__interval_at(j->step->input[2], row);
        int64_t cells = reached.end - reached.begin, pitch = (2 * cells + 2) * s->in_channels;
        if (cells == 0) continue;
        for (int i = 0; i < FRAME_ROWS; i++)
            put_row(j, 2 * d - 1 + i / 4, 2 * h - 1 + i % 4, 2 * reached.begin - 1, 2 * reached.end + 1,
                    frame + i * pitch);
        ren__pooled_row(j->vector, s, frame, 4 * pitch, pitch, cells, j->state->packed, j->state->bias, n->relu,
                        j->step->output + (row * (s->in[2] / 2) + reached.begin) * s->out_channels);
    }
}

static ren_status forward(ren__step *step) {
    const block_state *state = step->state;
    block_job j = { .step = step, .state = state, .vector = ren__vector_for(step->context) };
    int64_t rows = state->shape.in[0] / 2 * (state->shape.in[1] / 2);
    for (int i = 0; i < 3; i++) {
        int boxed = step->node->input_count > 3;
        j.origin[i] = boxed ? (int64_t)step->input[3][i] : 0;
        j.size[i] = boxed ? (int64_t)step->input[3][3 + i] - j.origin[i] : state->shape.in[i];
    }
    ren__parallel_for(step->context, step->run, rows, (rows + CHUNKS - 1) / CHUNKS, pooled_rows, &j);
    return REN_OK;
}

const ren__op ren__active_block_op = {
    .name = "active_block",
    .option_bytes = sizeof(block_node),
    .flags = REN__NO_GRADIENT,
    .infer = infer,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .release = release,
};

ren__value ren__active_block(ren__graph *graph, ren__value x, ren__value rows, ren__value reached, ren__value box,
                             const ren__active_block_options *options, const int32_t *parameters) {
    return ren__graph_add(graph, &ren__active_block_op, options, (ren__value[]){ x, rows, reached, box },
                          box == REN__NONE ? 3 : 4, parameters, 1 + options->has_bias + 4 * options->normed);
}
