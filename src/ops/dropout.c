/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout of elements or of whole channels. What is dropped depends on (seed, epoch, sample, place in the network)
 * alone; nothing is kept for backward, which draws the same numbers again. */
#include <math.h>

#include "kernels/vector.h"
#include "ops/dropout.h"
#include "ops/internal.h"

enum { FACTORS = 256 };

typedef struct dropout_node {
    double rate;
    int32_t channels; /* not 0: whole channels of a sample */
} dropout_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const dropout_node *n = node->options;
    if (!(n->rate >= 0 && n->rate < 1)) return ren__error(REN_E_INVALID, "dropout: the rate must lie in [0, 1)");
    *output = *ren__graph_shape(graph, node->input[0]);
    return REN_OK;
}

/* Four elements come from one block of the generator. */
void ren__dropout_factors(const ren__step *step, double rate, int64_t sample, uint64_t index, int64_t count,
                          float *factors) {
    const uint32_t key[2] = { (uint32_t)step->seed, (uint32_t)(step->seed >> 32) };
    const uint32_t place[3] = { step->samples ? step->samples[sample] : (uint32_t)sample, step->epoch,
                                (uint32_t)step->node->index };
    ren__vector_for(step->context)
        ->dropout(key, place, index, count, (uint64_t)ceil(rate * 4294967296.0), (float)(1.0 / (1.0 - rate)), factors);
}

typedef struct dropout_job {
    const ren__step *step;
    const float *from;
    float *to;
    int64_t size, channels, elements; /* of a sample, of a row, of all */
} dropout_job;

static void chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const dropout_job *j = argument;
    const dropout_node *n = j->step->node->options;
    float factors[FACTORS];
    (void)thread;
    for (int64_t at = begin * FACTORS; at < end * FACTORS && at < j->elements;) { /* within one sample each time */
        const int64_t sample = at / j->size, within = at % j->size;
        int64_t count = j->size - within < FACTORS ? j->size - within : FACTORS;
        if (count > end * FACTORS - at) count = end * FACTORS - at;
        ren__dropout_factors(j->step, n->rate, sample, (uint64_t)within, count, factors);
        for (int64_t i = 0; i < count; i++)
            j->to[at + i] = j->from[at + i] * factors[i];
        at += count;
    }
}

/* Channels are drawn once a sample, and applied row by row. */
static void draw_channels(const dropout_job *j, int64_t batch) {
    float *scale = j->step->scratch;
    for (int64_t sample = 0; sample < batch; sample++)
        ren__dropout_factors(j->step, ((const dropout_node *)j->step->node->options)->rate, sample, 0, j->channels,
                             scale + sample * j->channels);
}

static void apply_channels(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const dropout_job *j = argument;
    int64_t rows = j->size / j->channels;
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const float *scale = (const float *)j->step->scratch + row / rows * j->channels;
        const float *from = j->from + row * j->channels;
        float *to = j->to + row * j->channels;
        for (int64_t c = 0; c < j->channels; c++)
            to[c] = from[c] * scale[c];
    }
}

static ren_status plan(ren__step *step) {
    const dropout_node *n = step->node->options;
    if (n->channels)
        step->scratch_bytes =
            (size_t)(step->output_shape.dim[0] * ren__channels_of(&step->output_shape)) * sizeof(float);
    return REN_OK;
}

static ren_status apply(ren__step *step, const float *from, float *to) {
    const dropout_node *n = step->node->options;
    int64_t rows = ren__rows_of(&step->output_shape), batch = step->output_shape.dim[0];
    dropout_job j = { step,
                      from,
                      to,
                      ren__shape_elements(&step->output_shape) / batch,
                      ren__channels_of(&step->output_shape),
                      ren__shape_elements(&step->output_shape) };
    if (n->channels) {
        draw_channels(&j, batch);
        ren__parallel_for(step->context, step->run, rows, 4096, apply_channels, &j);
    } else {
        ren__parallel_for(step->context, step->run, (j.elements + FACTORS - 1) / FACTORS, 16, chunk, &j);
    }
    return REN_OK;
}

static ren_status forward(ren__step *step) {
    return apply(step, step->input[0], step->output);
}

static ren_status backward(ren__step *step) {
    return step->input_gradient[0] ? apply(step, step->output_gradient, step->input_gradient[0]) : REN_OK;
}

const ren__op ren__dropout_op = {
    .name = "dropout",
    .option_bytes = sizeof(dropout_node),
    .flags = REN__SKIPPED_IN_INFERENCE | REN__IN_PLACE | REN__GRADIENT_IN_PLACE,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static ren__value drop(ren__graph *graph, ren__value x, double rate, int32_t channels) {
    dropout_node n = { rate, channels };
    return ren__graph_add(graph, &ren__dropout_op, &n, &x, 1, NULL, 0);
}

ren__value ren__dropout(ren__graph *graph, ren__value x, double rate) {
    return drop(graph, x, rate, 0);
}

ren__value ren__channel_dropout(ren__graph *graph, ren__value x, double rate) {
    return drop(graph, x, rate, 1);
}
