/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mamba's selective scan (Gu & Dao 2023): a linear recurrence whose steps depend on the token. Inputs u, raw delta and
 * z (N, T, E), B and C (N, T, S); parameters A_log (E, S), D (E) and the bias of delta (E). A block of channels of one
 * sample is the work of one thread.
 */
#include <math.h>
#include <string.h>

#include "kernels/sequence.h"
#include "ops/internal.h"

enum { U, RAW, B, C, Z, INPUTS };

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[U]);
    ren__shape states = *ren__graph_shape(graph, node->input[B]);
    const int64_t count = ren__channels_of(&states);
    int fits = output->rank == 3 && states.rank == 3 && count >= 1 && count <= REN__SCAN_STATES;
    fits = fits && ren__shape_equal(&states, ren__graph_shape(graph, node->input[C]));
    fits = fits && ren__shape_equal(output, ren__graph_shape(graph, node->input[RAW])) &&
           ren__shape_equal(output, ren__graph_shape(graph, node->input[Z]));
    fits = fits && states.dim[0] == output->dim[0] && states.dim[1] == output->dim[1];
    return fits ? REN_OK : ren__error(REN_E_INVALID, "selective_scan: the shapes of its inputs do not fit together");
}

typedef struct scan_job {
    const ren__step *step;
    int64_t batch, length, channels, states, blocks;
    size_t kept, each;             /* states kept for a block; scratch of a thread */
    float *a, *shared, *parameter; /* A; each block's share of dB, dC; each sample's of dA, dD, dbias */
    float *threads;
} scan_job;

static scan_job job_of(const ren__step *step) {
    scan_job j = { .step = step };
    j.batch = step->input_shape[U].dim[0];
    j.length = step->input_shape[U].dim[1];
    j.channels = step->input_shape[U].dim[2];
    j.states = step->input_shape[B].dim[2];
    j.blocks = (j.channels + REN__SCAN_LANES - 1) / REN__SCAN_LANES;
    j.kept = ren__scan_kept(j.length, j.states);
    j.each = ren__scan_scratch(j.states, step->training);
    j.a = step->scratch;
    j.threads = j.a + (j.channels * j.states + 15) / 16 * 16;
    j.shared = j.threads + step->context->threads * (int64_t)j.each;
    j.parameter = j.shared + j.batch * j.blocks * 2 * j.length * j.states;
    return j;
}

static ren_status plan(ren__step *step) {
    const scan_job j = job_of(step);
    int64_t floats = (j.channels * j.states + 15) / 16 * 16 + step->context->threads * (int64_t)j.each;
    if (step->training) {
        floats += j.batch * (j.blocks * 2 * j.length * j.states + j.channels * (j.states + 2));
        step->saved_bytes = (size_t)(j.batch * j.blocks) * j.kept * sizeof(float);
    }
    step->scratch_bytes = (size_t)floats * sizeof(float);
    return REN_OK;
}

static ren__scan sample_of(const scan_job *j, int64_t sample) {
    const float *const *x = j->step->input;
    const int64_t at = sample * j->length * j->channels, state = sample * j->length * j->states;
    return (ren__scan){ .length = j->length,
                        .channels = j->channels,
                        .states = j->states,
                        .u = x[U] + at,
                        .raw = x[RAW] + at,
                        .z = x[Z] + at,
                        .b = x[B] + state,
                        .c = x[C] + state,
                        .a = j->a,
                        .d = j->step->parameter[1],
                        .bias = j->step->parameter[2] };
}

static void make_a(const scan_job *j) {
    for (int64_t i = 0; i < j->channels * j->states; i++)
        j->a[i] = -expf(j->step->parameter[0][i]);
}

static void forward_blocks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const scan_job *j = argument;
    for (int64_t item = begin; item < end; item++) {
        const int64_t sample = item / j->blocks;
        const ren__scan s = sample_of(j, sample);
        ren__sequence_for(j->step->context)
            ->scan(&s, item % j->blocks * REN__SCAN_LANES, j->step->output + sample * j->length * j->channels,
                   j->step->training ? (float *)j->step->saved + (size_t)item * j->kept : NULL,
                   j->threads + (size_t)thread * j->each);
    }
}

static ren_status forward(ren__step *step) {
    scan_job j = job_of(step);
    make_a(&j);
    ren__parallel_for(step->context, step->run, j.batch * j.blocks, 1, forward_blocks, &j);
    return REN_OK;
}

static void backward_blocks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const scan_job *j = argument;
    float *const *dx = j->step->input_gradient;
    for (int64_t item = begin; item < end; item++) {
        const int64_t sample = item / j->blocks, at = sample * j->length * j->channels;
        float *shared = j->shared + item * 2 * j->length * j->states;
        float *own = j->parameter + sample * j->channels * (j->states + 2);
        const ren__scan s = sample_of(j, sample);
        const ren__scan_gradient g = { .dy = j->step->output_gradient + at,
                                       .du = dx[U] + at,
                                       .draw = dx[RAW] + at,
                                       .dz = dx[Z] + at,
                                       .db = shared,
                                       .dc = shared + j->length * j->states,
                                       .da = own,
                                       .dd = own + j->channels * j->states,
                                       .dbias = own + j->channels * (j->states + 1) };
        ren__sequence_for(j->step->context)
            ->scan_backward(&s, item % j->blocks * REN__SCAN_LANES, &g,
                            (const float *)j->step->saved + (size_t)item * j->kept,
                            j->threads + (size_t)thread * j->each);
    }
}

/* B and C are one for all channels: their gradients are the blocks' sums, in the blocks' order. */
static void gather_shared(const scan_job *j) {
    const int64_t each = j->length * j->states;
    for (int64_t sample = 0; sample < j->batch; sample++)
        for (int k = 0; k < 2; k++) {
            float *to = j->step->input_gradient[B + k] + sample * each;
            const float *from = j->shared + sample * j->blocks * 2 * each + k * each;
            memcpy(to, from, (size_t)each * sizeof *to);
            for (int64_t block = 1; block < j->blocks; block++)
                for (int64_t i = 0; i < each; i++)
                    to[i] += from[block * 2 * each + i];
        }
}

static void gather_parameters(const scan_job *j) {
    const int64_t state_count = j->channels * j->states, each = j->channels * (j->states + 2);
    for (int64_t i = 0; i < each; i++) {
        double sum = 0;
        for (int64_t sample = 0; sample < j->batch; sample++)
            sum += (double)j->parameter[sample * each + i];
        if (i < state_count)
            j->step->parameter_gradient[0][i] = (float)(sum * (double)j->a[i]); /* dA/dA_log = A */
        else if (i < state_count + j->channels)
            j->step->parameter_gradient[1][i - state_count] = (float)sum;
        else
            j->step->parameter_gradient[2][i - state_count - j->channels] = (float)sum;
    }
}

static ren_status backward(ren__step *step) {
    scan_job j = job_of(step);
    for (int i = 0; i < INPUTS; i++)
        if (!step->input_gradient[i])
            return ren__error(REN_E_UNSUPPORTED, "selective_scan: an input without a gradient in training");
    make_a(&j);
    ren__parallel_for(step->context, step->run, j.batch * j.blocks, 1, backward_blocks, &j);
    if (ren__run_check(step->run) != REN_OK) return REN_OK;
    gather_shared(&j);
    gather_parameters(&j);
    return REN_OK;
}

/* exp counted as one: for each state, decay, input, update and output. */
static double flops(const ren__graph *graph, const ren__node *node) {
    return 7.0 * (double)ren__shape_elements(ren__graph_shape(graph, node->output)) *
           (double)ren__channels_of(ren__graph_shape(graph, node->input[B]));
}

const ren__op ren__selective_scan_op = {
    .name = "selective_scan",
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};

ren__value ren__selective_scan(ren__graph *graph, const ren__value inputs[5], const char *name) {
    const int64_t channels = ren__channels_of(ren__graph_shape(graph, inputs[U]));
    const int64_t states = ren__channels_of(ren__graph_shape(graph, inputs[B]));
    const ren__shape vector = ren__shape_of(1, &channels), matrix = ren__shape_of(2, (int64_t[]){ channels, states });
    const int32_t parameters[3] = {
        ren__graph_parameter(graph, name, "A_log", matrix, (ren__initialiser){ REN__INIT_LOG_INDEX, 0 }, 1),
        ren__graph_parameter(graph, name, "D", vector, (ren__initialiser){ REN__INIT_ONE, 0 }, 1),
        ren__graph_parameter(graph, name, "dt_proj.bias", vector, (ren__initialiser){ REN__INIT_INVERSE_SOFTPLUS, 0 },
                             1)
    };
    return ren__graph_add(graph, &ren__selective_scan_op, NULL, inputs, INPUTS, parameters, 3);
}
