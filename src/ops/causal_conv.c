/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution along a sequence in which no token sees a later one. Takes over a SiLU that follows. */
#include <math.h>
#include <string.h>

#include "kernels/sequence.h"
#include "ops/internal.h"

enum { MAX_TAPS = 64 };

typedef struct causal_node {
    int64_t taps;
    int32_t silu;
} causal_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const causal_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank != 3 || n->taps < 1 || n->taps > MAX_TAPS)
        return ren__error(REN_E_INVALID,
                          "causal_conv: the input is no sequence (N, T, C), or there are not 1 to %d taps",
                          (int)MAX_TAPS);
    return REN_OK;
}

typedef struct causal_job {
    const ren__step *step;
    int64_t batch, length, channels, taps, blocks;
    int32_t silu;
    float *w, *threads, *dw, *dbias; /* taps x channels; scratch of threads; each sample's share of the gradients */
} causal_job;

static causal_job job_of(const ren__step *step) {
    const causal_node *n = step->node->options;
    const int64_t *dim = step->input_shape[0].dim;
    causal_job j = { .step = step, .batch = dim[0], .length = dim[1], .channels = dim[2] };
    j.taps = n->taps;
    j.silu = n->silu;
    j.blocks = (j.channels + REN__SCAN_LANES - 1) / REN__SCAN_LANES;
    j.w = step->scratch;
    j.threads = j.w + j.taps * j.channels;
    j.dw = j.threads + step->context->threads * (int64_t)ren__causal_scratch(j.length);
    j.dbias = j.dw + j.batch * j.taps * j.channels;
    return j;
}

static ren_status plan(ren__step *step) {
    const causal_job j = job_of(step);
    int64_t floats = j.taps * j.channels;
    if (step->training)
        floats += step->context->threads * (int64_t)ren__causal_scratch(j.length) + j.batch * (j.taps + 1) * j.channels;
    step->scratch_bytes = (size_t)floats * sizeof(float);
    return REN_OK;
}

static void turn_weights(const causal_job *j) {
    for (int64_t k = 0; k < j->taps; k++)
        for (int64_t c = 0; c < j->channels; c++)
            j->w[k * j->channels + c] = j->step->parameter[0][c * j->taps + k];
}

static int64_t first_of(const causal_job *j, int64_t item, int64_t *count) {
    const int64_t first = item % j->blocks * REN__SCAN_LANES;
    *count = j->channels - first < REN__SCAN_LANES ? j->channels - first : REN__SCAN_LANES;
    return first;
}

static void forward_blocks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const causal_job *j = argument;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        int64_t count, first = first_of(j, item, &count), at = item / j->blocks * j->length * j->channels;
        ren__sequence_for(j->step->context)
            ->causal(j->step->input[0] + at, j->length, j->channels, first, count, j->w, j->step->parameter[1], j->taps,
                     j->silu, j->step->output + at);
    }
}

static ren_status forward(ren__step *step) {
    causal_job j = job_of(step);
    turn_weights(&j);
    ren__parallel_for(step->context, step->run, j.batch * j.blocks, 1, forward_blocks, &j);
    return REN_OK;
}

static void backward_blocks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const causal_job *j = argument;
    for (int64_t item = begin; item < end; item++) {
        const int64_t sample = item / j->blocks, at = sample * j->length * j->channels;
        int64_t count, first = first_of(j, item, &count);
        ren__sequence_for(j->step->context)
            ->causal_backward(j->step->input[0] + at, j->step->output_gradient + at, j->length, j->channels, first,
                              count, j->w, j->step->parameter[1], j->taps, j->silu,
                              j->step->input_gradient[0] ? j->step->input_gradient[0] + at : NULL,
                              j->dw + sample * j->taps * j->channels, j->dbias + sample * j->channels,
                              j->threads + (size_t)thread * ren__causal_scratch(j->length));
    }
}

static ren_status backward(ren__step *step) {
    causal_job j = job_of(step);
    turn_weights(&j);
    ren__parallel_for(step->context, step->run, j.batch * j.blocks, 1, backward_blocks, &j);
    if (ren__run_check(step->run) != REN_OK) return REN_OK;
    for (int64_t c = 0; c < j.channels; c++)
        for (int64_t k = 0; k <= j.taps; k++) {
            double sum = 0;
            for (int64_t sample = 0; sample < j.batch; sample++)
                sum += (double)(k < j.taps ? j.dw[(sample * j.taps + k) * j.channels + c]
                                           : j.dbias[sample * j.channels + c]);
            if (k < j.taps)
                step->parameter_gradient[0][c * j.taps + k] = (float)sum;
            else
                step->parameter_gradient[1][c] = (float)sum;
        }
    return REN_OK;
}

static int absorb(ren__graph *graph, ren__node *node, const ren__node *next, int32_t mode) {
    causal_node *n = node->options;
    (void)graph;
    (void)mode;
    if (n->silu || next->op != &ren__activate_op || ren__activate_kind(next) != REN__SILU) return 0;
    return n->silu = 1;
}

static double flops(const ren__graph *graph, const ren__node *node) {
    const causal_node *n = node->options;
    return 2.0 * (double)n->taps * (double)ren__shape_elements(ren__graph_shape(graph, node->output));
}

const ren__op ren__causal_conv_op = {
    .name = "causal_conv",
    .option_bytes = sizeof(causal_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .absorb = absorb,
};

ren__value ren__causal_conv(ren__graph *graph, ren__value x, const char *name, int64_t taps) {
    const int64_t channels = ren__channels_of(ren__graph_shape(graph, x));
    const causal_node n = { .taps = taps };
    const ren__initialiser uniform = { REN__INIT_UNIFORM, 1.0 / sqrt((double)(taps > 0 ? taps : 1)) };
    const int32_t parameters[2] = {
        ren__graph_parameter(graph, name, "weight", ren__shape_of(3, (int64_t[]){ channels, 1, taps }), uniform, 1),
        ren__graph_parameter(graph, name, "bias", ren__shape_of(1, &channels), uniform, 1)
    };
    return ren__graph_add(graph, &ren__causal_conv_op, &n, &x, 1, parameters, 2);
}
