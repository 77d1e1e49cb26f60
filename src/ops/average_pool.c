/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling, by a fixed window or to a fixed number of cells: both are means over bins of each axis, bin i of an
 * axis covering [begin(i), end(i)). */
#include <string.h>

#include "kernels/vector.h"
#include "ops/internal.h"

typedef struct pool_node {
    int64_t kernel, stride; /* fixed window */
    int64_t cells;          /* adaptive: bin i of n covers floor(i s / n) to ceil((i + 1) s / n) */
} pool_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const pool_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    for (int32_t i = 1; i + 1 < output->rank; i++) {
        if (!n->cells && (n->kernel < 1 || n->stride < 1 || output->dim[i] < n->kernel))
            return ren__error(REN_E_INVALID, "average_pool: window %lld, stride %lld do not fit an axis of %lld",
                              (long long)n->kernel, (long long)n->stride, (long long)output->dim[i]);
        output->dim[i] = n->cells ? n->cells : (output->dim[i] - n->kernel) / n->stride + 1;
    }
    return REN_OK;
}

typedef struct pool_job {
    const ren__step *step;
    const ren__vector *vector;
    ren__extent from, to;
} pool_job;

static pool_job job_of(const ren__step *step) {
    return (pool_job){ step, ren__vector_for(step->context), ren__extent_of(&step->input_shape[0]),
                       ren__extent_of(&step->output_shape) };
}

static void bin(const pool_job *j, int axis, int64_t index, int64_t *begin, int64_t *end) {
    const pool_node *n = j->step->node->options;
    if (axis < 3 - j->from.axes) {
        *begin = 0;
        *end = 1;
    } else if (n->cells) {
        *begin = index * j->from.size[axis] / n->cells;
        *end = ((index + 1) * j->from.size[axis] + n->cells - 1) / n->cells;
    } else {
        *begin = index * n->stride;
        *end = *begin + n->kernel;
    }
}

/* Calls for every row of channels in the bin of output cell `cell`: y += row (forward) or row += dy (backward). */
static void visit(const pool_job *j, int64_t cell, int backward) {
    int64_t c = j->from.channels, w = cell % j->to.size[2], h = cell / j->to.size[2] % j->to.size[1];
    int64_t d = cell / (j->to.size[2] * j->to.size[1]) % j->to.size[0];
    int64_t sample = cell / (j->to.size[2] * j->to.size[1] * j->to.size[0]), b[3], e[3];
    bin(j, 0, d, &b[0], &e[0]);
    bin(j, 1, h, &b[1], &e[1]);
    bin(j, 2, w, &b[2], &e[2]);
    float share = 1.0f / (float)((e[0] - b[0]) * (e[1] - b[1]) * (e[2] - b[2]));
    for (int64_t i = b[0]; i < e[0]; i++)
        for (int64_t k = b[1]; k < e[1]; k++)
            for (int64_t l = b[2]; l < e[2]; l++) {
                int64_t at = (((sample * j->from.size[0] + i) * j->from.size[1] + k) * j->from.size[2] + l) * c;
                if (backward)
                    j->vector->add_scaled(share, j->step->output_gradient + cell * c, c,
                                          j->step->input_gradient[0] + at);
                else
                    j->vector->add_scaled(share, j->step->input[0] + at, c, j->step->output + cell * c);
            }
}

static void forward_cells(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const pool_job *j = argument;
    (void)thread;
    memset(j->step->output + begin * j->to.channels, 0, (size_t)((end - begin) * j->to.channels) * sizeof(float));
    for (int64_t cell = begin; cell < end; cell++)
        visit(j, cell, 0);
}

static ren_status forward(ren__step *step) {
    pool_job j = job_of(step);
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->output_shape), 16, forward_cells, &j);
    return REN_OK;
}

/* One sample at a time on a thread: bins may overlap. */
static void backward_samples(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const pool_job *j = argument;
    int64_t cells = j->to.size[0] * j->to.size[1] * j->to.size[2];
    int64_t size = ren__shape_elements(&j->step->input_shape[0]) / j->from.batch;
    (void)thread;
    memset(j->step->input_gradient[0] + begin * size, 0, (size_t)((end - begin) * size) * sizeof(float));
    for (int64_t cell = begin * cells; cell < end * cells; cell++)
        visit(j, cell, 1);
}

static ren_status backward(ren__step *step) {
    pool_job j = job_of(step);
    if (step->input_gradient[0]) ren__parallel_for(step->context, step->run, j.from.batch, 1, backward_samples, &j);
    return REN_OK;
}

static double flops(const ren__graph *graph, const ren__node *node) {
    return (double)ren__shape_elements(ren__graph_shape(graph, node->input[0]));
}

const ren__op ren__average_pool_op = {
    .name = "average_pool",
    .option_bytes = sizeof(pool_node),
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};

ren__value ren__average_pool(ren__graph *graph, ren__value x, int64_t kernel, int64_t stride) {
    pool_node n = { kernel, stride, 0 };
    return ren__graph_add(graph, &ren__average_pool_op, &n, &x, 1, NULL, 0);
}

ren__value ren__adaptive_average_pool(ren__graph *graph, ren__value x, int64_t size) {
    pool_node n = { 0, 0, size };
    if (size < 1) return ren__graph_fail(graph, REN_E_INVALID, "adaptive_average_pool: %lld cells", (long long)size);
    return ren__graph_add(graph, &ren__average_pool_op, &n, &x, 1, NULL, 0);
}
