/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instance normalisation: each channel of each sample over its voxels (Ulyanov et al. 2016), eps 1e-5, biased variance,
 * no parameters. Takes over a ReLU or leaky ReLU that follows, so that the map is read twice and written once.
 */
#include <math.h>
#include <string.h>

#include "kernels/rows.h"
#include "ops/internal.h"

enum { ELEMENTS_A_CHUNK = 1 << 16 };
static const float LEAKY_SLOPE = 0.01f; /* of REN__LEAKY_RELU */

typedef struct norm_node {
    float slope; /* of what follows, where negative: 1 nothing, 0 ReLU, 0.01 leaky ReLU */
} norm_node;

typedef struct norm_job {
    const ren__step *step;
    int64_t batch, voxels, channels, grain, chunks; /* chunks of a sample */
    float slope;
    float *mean, *rest, *inverse; /* v = (x - mean - rest) inverse, batch x channels, saved */
    double *sums;                 /* by sample and chunk: C sums, C squares or products */
    float *a, *b;                 /* batch x channels */
} norm_job;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank < 3) return ren__error(REN_E_INVALID, "instance_norm: the input is no map (N, spatial, C)");
    return REN_OK;
}

static norm_job job_of(const ren__step *step) {
    const ren__shape *shape = &step->input_shape[0];
    norm_job j = { .step = step, .batch = shape->dim[0], .channels = ren__channels_of(shape) };
    j.voxels = ren__rows_of(shape) / j.batch;
    j.grain = j.channels < ELEMENTS_A_CHUNK ? ELEMENTS_A_CHUNK / j.channels : 1;
    j.chunks = (j.voxels + j.grain - 1) / j.grain;
    j.slope = ((const norm_node *)step->node->options)->slope;
    j.mean = step->saved;
    j.rest = j.mean + j.batch * j.channels;
    j.inverse = j.rest + j.batch * j.channels;
    j.sums = step->scratch;
    j.a = (float *)(void *)(j.sums + 2 * j.batch * j.chunks * j.channels);
    j.b = j.a + j.batch * j.channels;
    return j;
}

static ren_status plan(ren__step *step) {
    const norm_job j = job_of(step);
    if (step->training && j.voxels < 2)
        return ren__error(REN_E_INVALID, "instance_norm: training needs more than one voxel a sample");
    step->saved_bytes = 3 * (size_t)(j.batch * j.channels) * sizeof(float);
    step->scratch_bytes = 2 * (size_t)(j.batch * j.channels) * ((size_t)j.chunks * sizeof(double) + sizeof(float));
    return REN_OK;
}

/* The voxels of chunk `item` and where its sums stand. */
static int64_t chunk_at(const norm_job *j, int64_t item, int64_t *sample, int64_t *count) {
    const int64_t first = item % j->chunks * j->grain;
    *sample = item / j->chunks;
    *count = j->voxels - first < j->grain ? j->voxels - first : j->grain;
    return (*sample * j->voxels + first) * j->channels;
}

static double *cleared_sums(const norm_job *j, int64_t item) {
    double *sums = j->sums + item * 2 * j->channels;
    memset(sums, 0, 2 * (size_t)j->channels * sizeof *sums);
    return sums;
}

static ren__centre centre_of(const norm_job *j, int64_t sample) {
    const int64_t at = sample * j->channels;
    return (ren__centre){ j->mean + at, j->rest + at, j->inverse + at };
}

/* The chunks' sums of one sample, in their order. */
static void gather(const norm_job *j, int64_t sample, int64_t channel, double *first, double *second) {
    const double *sums = j->sums + sample * j->chunks * 2 * j->channels + channel;
    *first = *second = 0;
    for (int64_t k = 0; k < j->chunks; k++, sums += 2 * j->channels) {
        *first += sums[0];
        *second += sums[j->channels];
    }
}

/* ---- forward ---- */

static void moments_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const norm_job *j = argument;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        int64_t sample, count, at = chunk_at(j, item, &sample, &count);
        double *sums = cleared_sums(j, item);
        ren__rows_for(j->step->context)
            ->moments(j->step->input[0] + at, count, j->channels, j->mean + sample * j->channels, sums,
                      sums + j->channels);
    }
}

/* Differences are taken from the sample's first voxel (kept in `mean` until the sums are there): sums stay small. */
static void statistics(norm_job *j) {
    for (int64_t sample = 0; sample < j->batch; sample++)
        memcpy(j->mean + sample * j->channels, j->step->input[0] + sample * j->voxels * j->channels,
               (size_t)j->channels * sizeof(float));
    ren__parallel_for(j->step->context, j->step->run, j->batch * j->chunks, 1, moments_chunk, j);
    for (int64_t i = 0; i < j->batch * j->channels; i++) {
        double sum, square;
        gather(j, i / j->channels, i % j->channels, &sum, &square);
        const double offset = sum / (double)j->voxels, variance = square / (double)j->voxels - offset * offset;
        const double inverse = 1.0 / sqrt((variance > 0 ? variance : 0) + REN__NORM_EPSILON);
        const double mean = (double)j->mean[i] + offset;
        j->inverse[i] = (float)inverse;
        j->mean[i] = (float)mean;
        j->rest[i] = (float)(mean - (double)j->mean[i]);
    }
}

static void normalise_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const norm_job *j = argument;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        int64_t sample, count, at = chunk_at(j, item, &sample, &count);
        const ren__centre centre = centre_of(j, sample);
        ren__rows_for(j->step->context)
            ->normalise_slope(j->step->input[0] + at, count, j->channels, &centre, j->slope, j->step->output + at);
    }
}

static ren_status forward(ren__step *step) {
    norm_job j = job_of(step);
    statistics(&j);
    ren__parallel_for(step->context, step->run, j.batch * j.chunks, 1, normalise_chunk, &j);
    return REN_OK;
}

/* ---- backward: with v = (x - mean) / sd and g the gradient of v, dx = (g - mean g - v mean(g v)) / sd ---- */

static void sums_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const norm_job *j = argument;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        int64_t sample, count, at = chunk_at(j, item, &sample, &count);
        double *sums = cleared_sums(j, item);
        const ren__centre centre = centre_of(j, sample);
        ren__rows_for(j->step->context)
            ->slope_sums(j->step->input[0] + at, j->step->output_gradient + at, count, j->channels, &centre, j->slope,
                         sums, sums + j->channels);
    }
}

static void gradient_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const norm_job *j = argument;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        int64_t sample, count, at = chunk_at(j, item, &sample, &count);
        const int64_t channel = sample * j->channels;
        const ren__centre centre = centre_of(j, sample);
        ren__rows_for(j->step->context)
            ->slope_backward(j->step->input[0] + at, j->step->output_gradient + at, count, j->channels, &centre,
                             j->slope, j->a + channel, j->b + channel, j->step->input_gradient[0] + at);
    }
}

static ren_status backward(ren__step *step) {
    norm_job j = job_of(step);
    if (!step->input_gradient[0]) return REN_OK;
    ren__parallel_for(step->context, step->run, j.batch * j.chunks, 1, sums_chunk, &j);
    for (int64_t i = 0; i < j.batch * j.channels; i++) {
        double sum, product;
        gather(&j, i / j.channels, i % j.channels, &sum, &product);
        j.a[i] = (float)(sum / (double)j.voxels);
        j.b[i] = (float)(product / (double)j.voxels);
    }
    ren__parallel_for(step->context, step->run, j.batch * j.chunks, 1, gradient_chunk, &j);
    return REN_OK;
}

static int absorb(ren__graph *graph, ren__node *node, const ren__node *next, int32_t mode) {
    norm_node *n = node->options;
    (void)graph;
    (void)mode;
    if (next->op != &ren__activate_op || n->slope != 1.0f) return 0;
    const ren__activation kind = ren__activate_kind(next);
    if (kind != REN__RELU && kind != REN__LEAKY_RELU) return 0;
    n->slope = kind == REN__RELU ? 0.0f : LEAKY_SLOPE;
    return 1;
}

const ren__op ren__instance_norm_op = {
    .name = "instance_norm",
    .option_bytes = sizeof(norm_node),
    .flags = REN__KEEPS_INPUT | REN__GRADIENT_IN_PLACE,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .absorb = absorb,
};

ren__value ren__instance_norm(ren__graph *graph, ren__value x) {
    const norm_node n = { 1.0f };
    return ren__graph_add(graph, &ren__instance_norm_op, &n, &x, 1, NULL, 0);
}
