/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalisation over all rows, per channel (Ioffe & Szegedy 2015): eps 1e-5, biased variance to normalise,
 * unbiased for the running one, momentum 0.1. In training it takes over the ReLU and the max-pooling that follow: then
 * the full map is read twice and never written, and backward is sparse but for one pass that writes the gradient over
 * the input.
 */
#include <math.h>
#include <string.h>

#include "kernels/vector.h"
#include "ops/internal.h"

enum { ROWS_A_CHUNK = 4096 };
static const double MOMENTUM = 0.1;

typedef struct norm_node {
    int32_t relu;
    int64_t pool; /* edge and stride of the max-pooling taken over; 0: none */
} norm_node;

/* Saved from forward to backward: mean, 1/sd, scale, shift (C floats each), then which voxel of each window won. */
typedef struct saved_parts {
    float *mean, *inverse, *scale, *shift;
    uint8_t *which;
} saved_parts;

static saved_parts parts_of(const ren__step *step) {
    size_t c = (size_t)ren__channels_of(&step->input_shape[0]);
    float *base = step->saved;
    return (saved_parts){ base, base + c, base + 2 * c, base + 3 * c, (uint8_t *)(base + 4 * c) };
}

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    return REN_OK;
}

static int64_t chunk_count(const ren__step *step) {
    return (ren__rows_of(&step->input_shape[0]) + ROWS_A_CHUNK - 1) / ROWS_A_CHUNK;
}

static ren_status plan(ren__step *step) {
    const norm_node *n = step->node->options;
    size_t c = (size_t)ren__channels_of(&step->input_shape[0]), chunks = (size_t)chunk_count(step);
    if (!step->training) {
        step->scratch_bytes = 2 * c * sizeof(float);
        return REN_OK;
    }
    if (ren__rows_of(&step->input_shape[0]) < 2)
        return ren__error(REN_E_INVALID, "batch_norm: training needs more than one value per channel");
    size_t pooled = n->pool ? (size_t)ren__shape_elements(&step->output_shape) : 0;
    size_t planes = (size_t)(step->output_shape.dim[0] * step->output_shape.dim[1]);
    step->saved_bytes = 4 * c * sizeof(float) + pooled;
    step->scratch_bytes = 2 * c * sizeof(double) * (chunks > planes ? chunks : planes) + 3 * c * sizeof(float);
    return REN_OK;
}

typedef struct norm_job {
    const ren__vector *vector;
    const ren__step *step;
    int64_t rows, channels;
    saved_parts saved;
    double *sums;           /* by chunk: C sums, C products */
    const float *a, *b, *d; /* factors of the gradient */
    ren__extent from, to;   /* with pooling */
    int64_t offsets[REN__MAX_WINDOW];
    int64_t edge[3];
    int32_t window, relu;
} norm_job;

static norm_job job_of(const ren__step *step) {
    const norm_node *n = step->node->options;
    norm_job j = { .vector = ren__vector_for(step->context), .step = step, .relu = n->relu };
    j.rows = ren__rows_of(&step->input_shape[0]);
    j.channels = ren__channels_of(&step->input_shape[0]);
    if (step->training) {
        j.saved = parts_of(step);
        j.sums = step->scratch;
    }
    if (n->pool) {
        j.from = ren__extent_of(&step->input_shape[0]);
        j.to = ren__extent_of(&step->output_shape);
        for (int i = 0; i < 3; i++)
            j.edge[i] = i >= 3 - j.from.axes ? n->pool : 1;
        j.window = ren__window_offsets(&j.from, j.edge, j.offsets);
    }
    return j;
}

/* ---- forward ---- */

static void chunk_moments(void *argument, int64_t begin, int64_t end, int32_t thread) {
    norm_job *j = argument;
    double *sums = j->sums + begin / ROWS_A_CHUNK * 2 * j->channels;
    (void)thread;
    memset(sums, 0, (size_t)(2 * j->channels) * sizeof *sums);
    j->vector->moments(j->step->input[0] + begin * j->channels, end - begin, j->channels, j->saved.mean, sums,
                       sums + j->channels);
}

/* Adds up what the chunks found, in their order, into the first chunk. */
static void gather(norm_job *j, int64_t chunks) {
    for (int64_t k = 1; k < chunks; k++)
        for (int64_t i = 0; i < 2 * j->channels; i++)
            j->sums[i] += j->sums[k * 2 * j->channels + i];
}

static void update_running(const ren__step *step, int64_t channel, double mean, double unbiased) {
    float *running_mean = ren__weights_data(step->weights, step->weight_index[2]);
    float *running_variance = ren__weights_data(step->weights, step->weight_index[3]);
    running_mean[channel] = (float)((1 - MOMENTUM) * (double)running_mean[channel] + MOMENTUM * mean);
    running_variance[channel] = (float)((1 - MOMENTUM) * (double)running_variance[channel] + MOMENTUM * unbiased);
}

/* Statistics of the batch; sums are of differences from the first row, which keeps them small. */
static void statistics(norm_job *j) {
    const ren__step *step = j->step;
    double n = (double)j->rows;
    memcpy(j->saved.mean, step->input[0], (size_t)j->channels * sizeof(float));
    ren__parallel_for(step->context, step->run, j->rows, ROWS_A_CHUNK, chunk_moments, j);
    gather(j, chunk_count(step));
    for (int64_t c = 0; c < j->channels; c++) {
        double offset = j->sums[c] / n, mean = (double)j->saved.mean[c] + offset;
        double variance = j->sums[j->channels + c] / n - offset * offset;
        if (!(variance > 0)) variance = 0;
        double inverse = 1.0 / sqrt(variance + REN__NORM_EPSILON);
        double scale = (double)step->parameter[0][c] * inverse;
        j->saved.mean[c] = (float)mean;
        j->saved.inverse[c] = (float)inverse;
        j->saved.scale[c] = (float)scale;
        j->saved.shift[c] = (float)((double)step->parameter[1][c] - mean * scale);
        update_running(step, c, mean, variance * n / (n - 1));
    }
}

static void chunk_affine(void *argument, int64_t begin, int64_t end, int32_t thread) {
    norm_job *j = argument;
    (void)thread;
    j->vector->affine(j->step->input[0] + begin * j->channels, end - begin, j->channels, j->saved.scale, j->saved.shift,
                      j->relu, j->step->output + begin * j->channels);
}

/* The first voxel of the window of pooled cell (plane, h, w); a plane is one of all samples'. */
static int64_t window_start(const norm_job *j, int64_t plane, int64_t h, int64_t w) {
    int64_t sample = plane / j->to.size[0], d = plane % j->to.size[0];
    return (((sample * j->from.size[0] + d * j->edge[0]) * j->from.size[1] + h * j->edge[1]) * j->from.size[2] +
            w * j->edge[2]) *
           j->channels;
}

static void planes_affine_pooled(void *argument, int64_t begin, int64_t end, int32_t thread) {
    norm_job *j = argument;
    (void)thread;
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t h = 0; h < j->to.size[1]; h++)
            for (int64_t w = 0; w < j->to.size[2]; w++) {
                int64_t cell = ((plane * j->to.size[1] + h) * j->to.size[2] + w) * j->channels;
                j->vector->window_max(j->step->input[0] + window_start(j, plane, h, w), j->offsets, j->window,
                                      j->channels, j->saved.scale, j->saved.shift, j->relu, j->step->output + cell,
                                      j->step->training ? j->saved.which + cell : NULL);
            }
}

static ren_status forward(ren__step *step) {
    const norm_node *n = step->node->options;
    norm_job j = job_of(step);
    if (step->training) {
        statistics(&j);
    } else {
        j.saved.scale = step->scratch;
        j.saved.shift = j.saved.scale + j.channels;
        ren__norm_fold(step->parameter, j.channels, j.saved.scale, j.saved.shift);
    }
    if (n->pool)
        ren__parallel_for(step->context, step->run, j.to.batch * j.to.size[0], 1, planes_affine_pooled, &j);
    else
        ren__parallel_for(step->context, step->run, j.rows, ROWS_A_CHUNK, chunk_affine, &j);
    return REN_OK;
}

/* ---- backward ----
 * With xh = (x - mean) / sd, g the gradient of scale x + shift, N rows:
 *   dbeta = sum g, dgamma = sum g xh, dx = gamma / sd (g - dbeta / N - xh dgamma / N). */

static void chunk_sums(void *argument, int64_t begin, int64_t end, int32_t thread) {
    norm_job *j = argument;
    double *sums = j->sums + begin / ROWS_A_CHUNK * 2 * j->channels;
    (void)thread;
    memset(sums, 0, (size_t)(2 * j->channels) * sizeof *sums);
    j->vector->moments_backward(j->step->input[0] + begin * j->channels, j->step->output_gradient + begin * j->channels,
                                end - begin, j->channels, j->saved.mean, j->saved.scale, j->saved.shift, j->relu, sums,
                                sums + j->channels);
}

static void chunk_gradient(void *argument, int64_t begin, int64_t end, int32_t thread) {
    norm_job *j = argument;
    (void)thread;
    j->vector->affine_backward(j->step->input[0] + begin * j->channels, j->step->output_gradient + begin * j->channels,
                               end - begin, j->channels, j->saved.mean, j->saved.scale, j->saved.shift, j->relu, j->a,
                               j->b, j->d, j->step->input_gradient[0] + begin * j->channels);
}

/* The gradient of a pooled cell's winner: that of the cell, unless the ReLU was shut. */
static float winner_gradient(const norm_job *j, int64_t cell) {
    return j->relu && !(j->step->output[cell] > 0) ? 0.0f : j->step->output_gradient[cell];
}

static void planes_sums_pooled(void *argument, int64_t begin, int64_t end, int32_t thread) {
    norm_job *j = argument;
    (void)thread;
    for (int64_t plane = begin; plane < end; plane++) {
        double *sum = j->sums + plane * 2 * j->channels, *product = sum + j->channels;
        memset(sum, 0, (size_t)(2 * j->channels) * sizeof *sum);
        for (int64_t h = 0; h < j->to.size[1]; h++)
            for (int64_t w = 0; w < j->to.size[2]; w++) {
                const float *x = j->step->input[0] + window_start(j, plane, h, w);
                int64_t cell = ((plane * j->to.size[1] + h) * j->to.size[2] + w) * j->channels;
                for (int64_t c = 0; c < j->channels; c++) {
                    float g = winner_gradient(j, cell + c);
                    float value = x[j->offsets[j->saved.which[cell + c]] + c] - j->saved.mean[c];
                    sum[c] += (double)g;
                    product[c] += (double)g * (double)value;
                }
            }
    }
}

/* The dense part for the planes under one pooled plane, then the winners'. Windows tile the map exactly. */
static void planes_gradient_pooled(void *argument, int64_t begin, int64_t end, int32_t thread) {
    norm_job *j = argument;
    int64_t voxels = j->edge[0] * j->from.size[1] * j->from.size[2];
    (void)thread;
    for (int64_t plane = begin; plane < end; plane++) {
        int64_t start = window_start(j, plane, 0, 0);
        float *dx = j->step->input_gradient[0];
        j->vector->affine_backward(j->step->input[0] + start, NULL, voxels, j->channels, j->saved.mean, j->saved.scale,
                                   j->saved.shift, j->relu, j->a, j->b, j->d, dx + start);
        for (int64_t h = 0; h < j->to.size[1]; h++)
            for (int64_t w = 0; w < j->to.size[2]; w++) {
                float *cell_dx = dx + window_start(j, plane, h, w);
                int64_t cell = ((plane * j->to.size[1] + h) * j->to.size[2] + w) * j->channels;
                for (int64_t c = 0; c < j->channels; c++)
                    cell_dx[j->offsets[j->saved.which[cell + c]] + c] += j->a[c] * winner_gradient(j, cell + c);
            }
    }
}

static ren_status backward(ren__step *step) {
    const norm_node *n = step->node->options;
    norm_job j = job_of(step);
    int64_t planes = n->pool ? j.to.batch * j.to.size[0] : 0;
    if (n->pool)
        ren__parallel_for(step->context, step->run, planes, 1, planes_sums_pooled, &j);
    else
        ren__parallel_for(step->context, step->run, j.rows, ROWS_A_CHUNK, chunk_sums, &j);
    gather(&j, n->pool ? planes : chunk_count(step));
    float *factors = (float *)(void *)((uint8_t *)step->scratch + step->scratch_bytes) - 3 * j.channels;
    for (int64_t c = 0; c < j.channels; c++) {
        double inverse = (double)j.saved.inverse[c], scale = (double)j.saved.scale[c];
        double sum = j.sums[c], product = j.sums[j.channels + c];
        step->parameter_gradient[0][c] = (float)(product * inverse);
        step->parameter_gradient[1][c] = (float)sum;
        factors[c] = (float)scale;
        factors[j.channels + c] = (float)(-scale * inverse * inverse * product / (double)j.rows);
        factors[2 * j.channels + c] = (float)(-scale * sum / (double)j.rows);
    }
    if (!step->input_gradient[0]) return REN_OK;
    j.a = factors;
    j.b = factors + j.channels;
    j.d = factors + 2 * j.channels;
    if (n->pool)
        ren__parallel_for(step->context, step->run, planes, 1, planes_gradient_pooled, &j);
    else
        ren__parallel_for(step->context, step->run, j.rows, ROWS_A_CHUNK, chunk_gradient, &j);
    return REN_OK;
}

static int absorb(ren__graph *graph, ren__node *node, const ren__node *next, int32_t mode) {
    norm_node *n = node->options;
    (void)mode;
    if (n->pool) return 0;
    if (next->op == &ren__activate_op && ren__activate_kind(next) == REN__RELU && !n->relu) return n->relu = 1;
    if (next->op == &ren__max_pool_op) {
        n->pool = ren__max_pool_edge(graph, next);
        return n->pool != 0;
    }
    return 0;
}

const ren__op ren__batch_norm_op = {
    .name = "batch_norm",
    .option_bytes = sizeof(norm_node),
    .flags = REN__KEEPS_INPUT | REN__KEEPS_OUTPUT | REN__GRADIENT_IN_PLACE,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .absorb = absorb,
};

ren__value ren__batch_norm(ren__graph *graph, ren__value x, const char *name) {
    int64_t channels = ren__channels_of(ren__graph_shape(graph, x));
    ren__shape shape = ren__shape_of(1, &channels);
    const ren__initialiser zero = { REN__INIT_ZERO, 0 }, one = { REN__INIT_ONE, 0 };
    norm_node n = { 0 };
    int32_t parameters[4] = { ren__graph_parameter(graph, name, "weight", shape, one, 1),
                              ren__graph_parameter(graph, name, "bias", shape, zero, 1),
                              ren__graph_parameter(graph, name, "running_mean", shape, zero, 0),
                              ren__graph_parameter(graph, name, "running_var", shape, one, 0) };
    return ren__graph_add(graph, &ren__batch_norm_op, &n, &x, 1, parameters, 4);
}
