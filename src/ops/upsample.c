/* SPDX-License-Identifier: Apache-2.0 */
/* Twice the cells of both axes of a map, each three quarters and a quarter of the two nearest an axis, as bilinear
 * interpolation between cell centres gives it; the edge's cells are repeated. Backward gathers too, so that no two
 * threads add to one cell. */
#include <string.h>

#include "kernels/vector.h"
#include "ops/internal.h"

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank != 4) return ren__error(REN_E_INVALID, "upsample: the input is no map of two axes");
    output->dim[1] *= 2;
    output->dim[2] *= 2;
    return REN_OK;
}

/* Cells of one axis that a cell is made of. */
typedef struct tap_list {
    int32_t count;
    int64_t at[4];
    float weight[4];
} tap_list;

static void add_tap(tap_list *taps, int64_t at, float weight) {
    taps->at[taps->count] = at;
    taps->weight[taps->count++] = weight;
}

/* Of cell i of the larger map, from `count` smaller ones. */
static tap_list taps_of_large(int64_t i, int64_t count) {
    tap_list taps = { 0 };
    const int64_t near = i / 2, far = i % 2 ? near + 1 : near - 1;
    add_tap(&taps, near, 0.75f);
    add_tap(&taps, far < 0 ? 0 : far < count ? far : count - 1, 0.25f);
    return taps;
}

/* The gradient of cell i of `count` smaller ones, from the larger map's. */
static tap_list taps_of_small(int64_t i, int64_t count) {
    tap_list taps = { 0 };
    if (i > 0) add_tap(&taps, 2 * i - 1, 0.25f);
    add_tap(&taps, 2 * i, i > 0 ? 0.75f : 1.0f);
    add_tap(&taps, 2 * i + 1, i + 1 < count ? 0.75f : 1.0f);
    if (i + 1 < count) add_tap(&taps, 2 * i + 2, 0.25f);
    return taps;
}

typedef struct upsample_job {
    const ren__vector *vector;
    const float *from;
    float *to;
    int64_t from_size[2], to_size[2], channels;
    int32_t backward;
} upsample_job;

static tap_list taps_of(const upsample_job *j, int32_t axis, int64_t i) {
    return j->backward ? taps_of_small(i, j->to_size[axis]) : taps_of_large(i, j->from_size[axis]);
}

/* Rows of all samples. */
static void make_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const upsample_job *j = argument;
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const tap_list rows = taps_of(j, 0, row % j->to_size[0]);
        const float *sample = j->from + row / j->to_size[0] * j->from_size[0] * j->from_size[1] * j->channels;
        for (int64_t column = 0; column < j->to_size[1]; column++) {
            const tap_list columns = taps_of(j, 1, column);
            float *cell = j->to + (row * j->to_size[1] + column) * j->channels;
            memset(cell, 0, (size_t)j->channels * sizeof *cell);
            for (int32_t r = 0; r < rows.count; r++)
                for (int32_t c = 0; c < columns.count; c++)
                    j->vector->add_scaled(rows.weight[r] * columns.weight[c],
                                          sample + (rows.at[r] * j->from_size[1] + columns.at[c]) * j->channels,
                                          j->channels, cell);
        }
    }
}

static void run(ren__step *step, int32_t backward) {
    const ren__shape *small = &step->input_shape[0], *large = &step->output_shape;
    const ren__shape *from = backward ? large : small, *to = backward ? small : large;
    upsample_job j = { ren__vector_for(step->context),
                       backward ? step->output_gradient : step->input[0],
                       backward ? step->input_gradient[0] : step->output,
                       { from->dim[1], from->dim[2] },
                       { to->dim[1], to->dim[2] },
                       small->dim[3],
                       backward };
    ren__parallel_for(step->context, step->run, to->dim[0] * to->dim[1], 2, make_rows, &j);
}

static ren_status forward(ren__step *step) {
    run(step, 0);
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    if (step->input_gradient[0]) run(step, 1);
    return REN_OK;
}

const ren__op ren__upsample_op = {
    .name = "upsample",
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__upsample(ren__graph *graph, ren__value x) {
    return ren__graph_add(graph, &ren__upsample_op, NULL, &x, 1, NULL, 0);
}
