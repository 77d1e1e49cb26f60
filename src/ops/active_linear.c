/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer on a flattened map of which only some rows differ from the background: the rest is in `base`. */
#include "kernels/vector.h"
#include "ops/active.h"
#include "ops/internal.h"

enum { OUTPUTS_A_CHUNK = 8, RUNS_AHEAD = 4 };

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

/* The active cells of one row of the map, as a run of a row of the weights. */
typedef struct run {
    int64_t begin, count;
} run;

static size_t run_bytes(const ren__extent *map) {
    return (size_t)(map->size[0] * map->size[1]) * sizeof(run);
}

/* The runs, then the differences. */
static ren_status plan(ren__step *step) {
    ren__extent map = ren__extent_of(&step->input_shape[0]);
    step->scratch_bytes = run_bytes(&map) + (size_t)ren__shape_elements(&step->input_shape[0]) * sizeof(float);
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
    const run *runs;
    int64_t run_count, columns;
} linear_job;

/* The active cells' differences from the background, row after row; returns how many rows have some. */
static int64_t subtract_background(const ren__step *step, const ren__extent *map, run *runs, float *difference) {
    const linear_node *n = step->node->options;
    int64_t count = 0;
    for (int64_t row = 0; row < map->size[0] * map->size[1]; row++) {
        ren__interval active = ren__interval_at(step->input[1], row);
        if (active.begin == active.end) continue;
        runs[count].begin = (row * map->size[2] + active.begin) * map->channels;
        runs[count++].count = (active.end - active.begin) * map->channels;
        for (int64_t w = active.begin; w < active.end; w++, difference += map->channels) {
            const float *x = step->input[0] + (row * map->size[2] + w) * map->channels;
            const float *b = ren__background_cell(n->background, row / map->size[1], row % map->size[1], w);
            for (int64_t c = 0; c < map->channels; c++)
                difference[c] = x[c] - b[c];
        }
    }
    return count;
}

/* Asks for a run into the second-level cache: runs are too short for the processor to do so in time (measured: half the
 * memory's rate without it). */
static void prefetch(const float *weights, const run *r) {
    enum { LINE = 64 / sizeof(float) };
    for (int64_t i = 0; i < r->count; i += LINE)
        __builtin_prefetch(weights + r->begin + i, 0, 2);
}

static void outputs(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const linear_job *j = argument;
    (void)thread;
    for (int64_t o = begin; o < end; o++) {
        const float *difference = j->difference, *weights = j->step->parameter[0] + o * j->columns;
        double sum = (double)j->base[o];
        for (int64_t i = 0; i < j->run_count; i++) {
            if (i + RUNS_AHEAD < j->run_count)
                prefetch(weights, &j->runs[i + RUNS_AHEAD]);
            else if (o + 1 < end)
                prefetch(weights + j->columns, &j->runs[(i + RUNS_AHEAD) % j->run_count]);
            sum += j->vector->dot(weights + j->runs[i].begin, difference, j->runs[i].count);
            difference += j->runs[i].count;
        }
        j->step->output[o] = (float)sum;
    }
}

static ren_status forward(ren__step *step) {
    const linear_node *n = step->node->options;
    const ren__extent map = ren__extent_of(&step->input_shape[0]);
    run *runs = step->scratch;
    float *difference = (float *)(void *)((uint8_t *)step->scratch + run_bytes(&map));
    linear_job j = { .step = step,
                     .vector = ren__vector_for(step->context),
                     .base = n->base,
                     .difference = difference,
                     .runs = runs,
                     .run_count = subtract_background(step, &map, runs, difference),
                     .columns = ren__shape_elements(&step->input_shape[0]) };
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
