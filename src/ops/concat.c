/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors one behind the other along an axis; all other axes agree. */
#include <string.h>

#include "ops/internal.h"

typedef struct concat_node {
    int32_t axis;
} concat_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const int32_t axis = ((const concat_node *)node->options)->axis;
    *output = *ren__graph_shape(graph, node->input[0]);
    if (axis < 0 || axis >= output->rank) return ren__error(REN_E_INVALID, "concat: there is no axis %d", (int)axis);
    for (int32_t k = 1; k < node->input_count; k++) {
        ren__shape shape = *ren__graph_shape(graph, node->input[k]);
        const int64_t length = shape.rank == output->rank ? shape.dim[axis] : 0;
        if (length > 0) shape.dim[axis] = output->dim[axis];
        if (!ren__shape_equal(output, &shape))
            return ren__error(REN_E_INVALID, "concat: input %d differs from the first along an axis other than %d",
                              (int)k, (int)axis);
        output->dim[axis] += length;
    }
    return REN_OK;
}

/* Elements behind one another: of an input for one index of the axes before the concatenated one. */
static int64_t run_of(const ren__shape *shape, int32_t axis) {
    int64_t run = 1;
    for (int32_t i = axis; i < shape->rank; i++)
        run *= shape->dim[i];
    return run;
}

typedef struct concat_job {
    const ren__step *step;
    int64_t whole; /* elements of one output run */
    int32_t axis, backward;
} concat_job;

static void copy_runs(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const concat_job *j = argument;
    const ren__step *step = j->step;
    (void)thread;
    for (int64_t outer = begin; outer < end; outer++) {
        int64_t at = outer * j->whole;
        for (int32_t k = 0; k < step->node->input_count; k++) {
            const int64_t run = run_of(&step->input_shape[k], j->axis);
            const size_t bytes = (size_t)run * sizeof(float);
            if (!j->backward)
                memcpy(step->output + at, step->input[k] + outer * run, bytes);
            else if (step->input_gradient[k])
                memcpy(step->input_gradient[k] + outer * run, step->output_gradient + at, bytes);
            at += run;
        }
    }
}

static ren_status copy(ren__step *step, int32_t backward) {
    concat_job j = { .step = step, .axis = ((const concat_node *)step->node->options)->axis, .backward = backward };
    j.whole = run_of(&step->output_shape, j.axis);
    const int64_t grain = j.whole < 32768 ? 32768 / j.whole : 1;
    ren__parallel_for(step->context, step->run, ren__shape_elements(&step->output_shape) / j.whole, grain, copy_runs,
                      &j);
    return REN_OK;
}

static ren_status forward(ren__step *step) {
    return copy(step, 0);
}

static ren_status backward(ren__step *step) {
    return copy(step, 1);
}

const ren__op ren__concat_op = {
    .name = "concat",
    .option_bytes = sizeof(concat_node),
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__concat(ren__graph *graph, const ren__value *values, int32_t count, int32_t axis) {
    const concat_node n = { axis };
    return ren__graph_add(graph, &ren__concat_op, &n, values, count, NULL, 0);
}
