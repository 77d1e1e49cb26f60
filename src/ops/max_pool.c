/* SPDX-License-Identifier: Apache-2.0 */
/* Max-pooling with a cubic window and no padding; of equal values the first in memory order wins, as in PyTorch. */
#include <string.h>

#include "kernels/vector.h"
#include "ops/internal.h"

typedef struct pool_node {
    int64_t kernel, stride;
} pool_node;

int64_t ren__max_pool_edge(const ren__graph *graph, const ren__node *node) {
    const pool_node *n = node->options;
    const ren__shape *map = ren__graph_shape(graph, node->input[0]);
    for (int32_t i = 1; i + 1 < map->rank; i++)
        if (map->dim[i] % n->stride) return 0;
    return n->kernel == n->stride ? n->stride : 0;
}

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const pool_node *n = node->options;
    int64_t window = 1;
    *output = *ren__graph_shape(graph, node->input[0]);
    for (int32_t i = 1; i + 1 < output->rank; i++) {
        window *= n->kernel;
        if (n->kernel < 1 || n->stride < 1 || output->dim[i] < n->kernel || window > REN__MAX_WINDOW)
            return ren__error(REN_E_INVALID, "max_pool: window %lld, stride %lld do not fit an axis of %lld",
                              (long long)n->kernel, (long long)n->stride, (long long)output->dim[i]);
        output->dim[i] = (output->dim[i] - n->kernel) / n->stride + 1;
    }
    return REN_OK;
}

static ren_status plan(ren__step *step) {
    if (step->training) step->saved_bytes = (size_t)ren__shape_elements(&step->output_shape);
    return REN_OK;
}

typedef struct pool_job {
    const ren__step *step;
    const ren__vector *vector;
    ren__extent from, to;
    int64_t stride[3], offsets[REN__MAX_WINDOW];
    int32_t window;
} pool_job;

static pool_job job_of(const ren__step *step) {
    const pool_node *n = step->node->options;
    pool_job j = { .step = step,
                   .vector = ren__vector_for(step->context),
                   .from = ren__extent_of(&step->input_shape[0]),
                   .to = ren__extent_of(&step->output_shape) };
    int64_t kernel[3];
    for (int i = 0; i < 3; i++) {
        int there = i >= 3 - j.from.axes;
        kernel[i] = there ? n->kernel : 1;
        j.stride[i] = there ? n->stride : 1;
    }
    j.window = ren__window_offsets(&j.from, kernel, j.offsets);
    return j;
}

/* The first element of the window of output row (plane, h), column w. */
static int64_t start_of(const pool_job *j, int64_t plane, int64_t h, int64_t w) {
    int64_t sample = plane / j->to.size[0], d = plane % j->to.size[0];
    return (((sample * j->from.size[0] + d * j->stride[0]) * j->from.size[1] + h * j->stride[1]) * j->from.size[2] +
            w * j->stride[2]) *
           j->from.channels;
}

static void forward_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const pool_job *j = argument;
    uint8_t *which = j->step->saved;
    (void)thread;
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t h = 0; h < j->to.size[1]; h++)
            for (int64_t w = 0; w < j->to.size[2]; w++) {
                int64_t cell = ((plane * j->to.size[1] + h) * j->to.size[2] + w) * j->to.channels;
                j->vector->window_max(j->step->input[0] + start_of(j, plane, h, w), j->offsets, j->window,
                                      j->to.channels, NULL, NULL, 0, j->step->output + cell,
                                      which ? which + cell : NULL);
            }
}

static ren_status forward(ren__step *step) {
    pool_job j = job_of(step);
    ren__parallel_for(step->context, step->run, j.to.batch * j.to.size[0], 1, forward_planes, &j);
    return REN_OK;
}

/* One sample at a time on a thread: windows may overlap. */
static void backward_samples(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const pool_job *j = argument;
    const uint8_t *which = j->step->saved;
    int64_t sample_size = ren__shape_elements(&j->step->input_shape[0]) / j->from.batch;
    float *dx = j->step->input_gradient[0];
    (void)thread;
    memset(dx + begin * sample_size, 0, (size_t)((end - begin) * sample_size) * sizeof *dx);
    for (int64_t plane = begin * j->to.size[0]; plane < end * j->to.size[0]; plane++)
        for (int64_t h = 0; h < j->to.size[1]; h++)
            for (int64_t w = 0; w < j->to.size[2]; w++) {
                int64_t cell = ((plane * j->to.size[1] + h) * j->to.size[2] + w) * j->to.channels;
                int64_t start = start_of(j, plane, h, w);
                for (int64_t c = 0; c < j->to.channels; c++)
                    dx[start + j->offsets[which[cell + c]] + c] += j->step->output_gradient[cell + c];
            }
}

static ren_status backward(ren__step *step) {
    pool_job j = job_of(step);
    if (step->input_gradient[0]) ren__parallel_for(step->context, step->run, j.from.batch, 1, backward_samples, &j);
    return REN_OK;
}

const ren__op ren__max_pool_op = {
    .name = "max_pool",
    .option_bytes = sizeof(pool_node),
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

ren__value ren__max_pool(ren__graph *graph, ren__value x, int64_t kernel, int64_t stride) {
    pool_node n = { kernel, stride };
    return ren__graph_add(graph, &ren__max_pool_op, &n, &x, 1, NULL, 0);
}
