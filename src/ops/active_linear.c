/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer on a flattened map of which only some rows differ from the background: the rest is in `base`. */
#include "kernels/vector.h"
#include "ops/active.h"
#include "ops/internal.h"

enum { OUTPUTS_A_CHUNK = 8 };

typedef struct linear_node {
    const ren__background *background;
    const float *base;
    int64_t features;
} linear_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const linear_node *n = node->options;
    const ren__shape *x = ren__graph_shape(graph, node->input[0]), *rows = ren__graph_shape(graph, node->input[1]);
    if (x->rank != 5 || x->dim[0] != 1 || rows->rank != 4 || rows->dim[1] != x->dim[1] || rows->dim[2] != x->dim[2])
        return ren__error(REN_E_INTERNAL, "active_linear: one map and its rows are needed");
    *output = ren__shape_of(2, (int64_t[]){ 1, n->features });
    return REN_OK;
}

static ren_status plan(ren__step *step) {
    step->scratch_bytes = (size_t)ren__shape_elements(&step->input_shape[0]) * sizeof(float);
    return REN_OK;
}

static ren_status prepare(ren__step *step) {
    if (ren__weights_arranged(step->weights, step->weight_index[0]) == ren__channels_of(&step->input_shape[0]))
        return REN_OK;
    return ren__error(REN_E_INTERNAL, "active_linear: the weights are not arranged");
}

typedef struct linear_job {
    const ren__step *step;
    const ren__vector *vector;
    const float *base, *difference;
    ren__extent map;
} linear_job;

/* The active cells' differences from the background, row after row. */
static void subtract_background(const ren__step *step, const ren__extent *map, float *difference) {
    const linear_node *n = step->node->options;
    for (int64_t row = 0; row < map->size[0] * map->size[1]; row++) {
        ren__interval active = ren__interval_at(step->input[1], row);
        for (int64_t w = active.begin; w < active.end; w++, difference += map->channels) {
            const float *x = step->input[0] + (row * map->size[2] + w) * map->channels;
            const float *b = ren__background_cell(n->background, row / map->size[1], row % map->size[1], w);
            for (int64_t c = 0; c < map->channels; c++)
                difference[c] = x[c] - b[c];
        }
    }
}

static void outputs(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const linear_job *j = argument;
    const ren__extent *map = &j->map;
    int64_t rows = map->size[0] * map->size[1], pitch = map->size[2] * map->channels;
    (void)thread;
    for (int64_t o = begin; o < end; o++) {
        const float *difference = j->difference, *weights = j->step->parameter[0] + o * rows * pitch;
        double sum = (double)j->base[o];
        for (int64_t row = 0; row < rows; row++) {
            ren__interval active = ren__interval_at(j->step->input[1], row);
            int64_t count = (active.end - active.begin) * map->channels;
            if (!count) continue;
            sum += j->vector->dot(weights + row * pitch + active.begin * map->channels, difference, count);
            difference += count;
        }
        j->step->output[o] = (float)sum;
    }
}

static ren_status forward(ren__step *step) {
    const linear_node *n = step->node->options;
    linear_job j = { .step = step,
                     .vector = ren__vector_for(step->context),
                     .base = n->base,
                     .difference = step->scratch,
                     .map = ren__extent_of(&step->input_shape[0]) };
    subtract_background(step, &j.map, step->scratch);
    ren__parallel_for(step->context, step->run, n->features, OUTPUTS_A_CHUNK, outputs, &j);
    return REN_OK;
}

const ren__op ren__active_linear_op = {
    .name = "active_linear",
    .option_bytes = sizeof(linear_node),
    .flags = REN__NO_GRADIENT,
    .infer = infer,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
};

ren__value ren__active_linear(ren__graph *graph, ren__value x, ren__value rows, const ren__background *background,
                              const float *base, int32_t weight, int64_t features) {
    linear_node n = { background, base, features };
    return ren__graph_add(graph, &ren__active_linear_op, &n, (ren__value[]){ x, rows }, 2, &weight, 1);
}
