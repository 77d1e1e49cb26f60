/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multi-head self-attention over all tokens of a sample (Vaswani et al. 2017). The input's channels are q, k, v, each
 * split by head; the output's are the heads'. One head of one sample is the work of one thread.
 */
#include "kernels/attention.h"
#include "ops/dropout.h"
#include "ops/internal.h"

typedef struct attention_node {
    int64_t heads;
    double dropout; /* of the probabilities */
} attention_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const attention_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    const int64_t channels = ren__channels_of(output);
    if (output->rank != 3) return ren__error(REN_E_INVALID, "attention: the input is no sequence of tokens (N, T, 3C)");
    if (n->heads < 1 || channels % (3 * n->heads))
        return ren__error(REN_E_INVALID, "attention: %lld channels are not q, k and v of %lld heads",
                          (long long)channels, (long long)n->heads);
    if (!(n->dropout >= 0 && n->dropout < 1))
        return ren__error(REN_E_INVALID, "attention: the dropout rate must lie in [0, 1)");
    output->dim[2] = channels / 3;
    return REN_OK;
}

typedef struct attention_job {
    ren__step *step;
    int64_t tokens, channels, heads, width; /* channels of the output, width of a head */
    size_t each;                            /* scratch of a thread */
} attention_job;

static attention_job job_of(ren__step *step) {
    const attention_node *n = step->node->options;
    attention_job j = { step, step->input_shape[0].dim[1], step->output_shape.dim[2], n->heads, 0, 0 };
    j.width = j.channels / j.heads;
    j.each = ren__attention_scratch(j.tokens, j.width, step->training);
    return j;
}

static ren_status plan(ren__step *step) {
    const attention_job j = job_of(step);
    step->scratch_bytes = (size_t)step->context->threads * j.each * sizeof(float);
    if (step->training)
        step->saved_bytes = 2 * (size_t)(step->input_shape[0].dim[0] * j.heads * j.tokens) * sizeof(float);
    return REN_OK;
}

typedef struct drop_place {
    const ren__step *step;
    int64_t sample, head, tokens;
} drop_place;

static void drop(void *user, int64_t row, int64_t first, int64_t count, float *factors) {
    const drop_place *p = user;
    const attention_node *n = p->step->node->options;
    ren__dropout_factors(p->step, n->dropout, p->sample, (uint64_t)((p->head * p->tokens + row) * p->tokens + first),
                         count, factors);
}

static void heads(const attention_job *j, int64_t begin, int64_t end, int32_t thread, int backward) {
    ren__step *step = j->step;
    const attention_node *n = step->node->options;
    const int64_t c = j->channels;
    float *scratch = (float *)step->scratch + (size_t)thread * j->each;
    for (int64_t item = begin; item < end; item++) {
        drop_place place = { step, item / j->heads, item % j->heads, j->tokens };
        const int64_t in = place.sample * j->tokens * 3 * c + place.head * j->width;
        const int64_t out = place.sample * j->tokens * c + place.head * j->width;
        const float *x = step->input[0] + in;
        const ren__attention a = { .tokens = j->tokens,
                                   .width = j->width,
                                   .q = x,
                                   .k = x + c,
                                   .v = x + 2 * c,
                                   .stride = 3 * c,
                                   .normaliser = step->training ? (float *)step->saved + item * 2 * j->tokens : NULL,
                                   .drop = step->training && n->dropout > 0 ? drop : NULL,
                                   .drop_user = &place };
        if (backward) {
            float *dx = step->input_gradient[0] + in;
            ren__attention_backward(step->context, &a, step->output + out, step->output_gradient + out, c, dx, dx + c,
                                    dx + 2 * c, 3 * c, NULL, scratch);
        } else {
            ren__attention_forward(step->context, &a, step->output + out, c, scratch);
        }
    }
}

static void forward_heads(void *argument, int64_t begin, int64_t end, int32_t thread) {
    heads(argument, begin, end, thread, 0);
}

static void backward_heads(void *argument, int64_t begin, int64_t end, int32_t thread) {
    heads(argument, begin, end, thread, 1);
}

static void run(ren__step *step, ren__range_fn fn) {
    attention_job j = job_of(step);
    ren__parallel_for(step->context, step->run, step->input_shape[0].dim[0] * j.heads, 1, fn, &j);
}

static ren_status forward(ren__step *step) {
    run(step, forward_heads);
    return REN_OK;
}

static ren_status backward(ren__step *step) {
    if (step->input_gradient[0]) run(step, backward_heads);
    return REN_OK;
}

/* Two products of T x T x C. */
static double flops(const ren__graph *graph, const ren__node *node) {
    const ren__shape *out = ren__graph_shape(graph, node->output);
    return 4.0 * (double)ren__shape_elements(out) * (double)out->dim[1];
}

const ren__op ren__attention_op = {
    .name = "attention",
    .option_bytes = sizeof(attention_node),
    .flags = REN__KEEPS_INPUT | REN__KEEPS_OUTPUT,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};

ren__value ren__attention_heads(ren__graph *graph, ren__value qkv, int64_t heads_count, double dropout) {
    const attention_node n = { heads_count, dropout };
    return ren__graph_add(graph, &ren__attention_op, &n, &qkv, 1, NULL, 0);
}
