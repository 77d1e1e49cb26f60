/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution over 1 to 3 spatial axes. In inference it takes over the batch-norm (folded into its weights), the ReLU
 * and the max-pooling that follow: the pooled map is made slab by slab and the full one never exists.
 */
#include "kernels/stem.h"

#include <math.h>
#include <string.h>

#include "kernels/exact.h"
#include "kernels/vector.h"
#include "ops/internal.h"

typedef struct conv_node {
    ren__conv_options o;
    int32_t relu, folded;
    int64_t pool; /* edge of the max-pooling's window and its stride; 0: none */
} conv_node;

typedef struct conv_state {
    ren__convolution *forward, *data, *weights; /* forward NULL: the stem's kernel, in training the exact one */
    const void *packed;                         /* inference: derived from the weights */
    const float *bias;
} conv_state;

static int has_bias(const conv_node *n) {
    return !n->o.no_bias;
}

/* The spatial axes as three. A plane map's rows go first, where slabs are cut. */
static ren_status shape_of(const conv_node *n, const ren__shape *input, ren__conv_shape *out) {
    int32_t axes = input->rank - 2;
    const int32_t place[3][3] = { { 2, 0, 0 }, { 0, 2, 0 }, { 0, 1, 2 } };
    ren__conv_shape s = { .batch = input->dim[0], .in_channels = ren__channels_of(input) };
    if (axes < 1 || axes > 3) return ren__error(REN_E_INVALID, "conv: %d spatial axes; 1 to 3 are known", (int)axes);
    s.out_channels = n->o.channels;
    s.groups = n->o.groups ? n->o.groups : 1;
    for (int i = 0; i < 3; i++)
        s.in[i] = s.out[i] = s.kernel[i] = s.stride[i] = 1;
    for (int32_t i = 0; i < axes; i++) {
        int32_t a = place[axes - 1][i];
        s.in[a] = input->dim[1 + i];
        s.kernel[a] = n->o.kernel[i];
        s.stride[a] = n->o.stride[i] ? n->o.stride[i] : 1;
        s.pad[a] = n->o.pad[i];
        if (s.kernel[a] < 1 || s.stride[a] < 1 || s.pad[a] < 0 || s.pad[a] >= s.kernel[a] ||
            s.in[a] + 2 * s.pad[a] < s.kernel[a])
            return ren__error(REN_E_INVALID, "conv: kernel %lld, stride %lld, padding %lld do not fit an axis of %lld",
                              (long long)s.kernel[a], (long long)s.stride[a], (long long)s.pad[a], (long long)s.in[a]);
        s.out[a] = (s.in[a] + 2 * s.pad[a] - s.kernel[a]) / s.stride[a] + 1;
    }
    if (s.out_channels < 1 || s.groups < 1 || s.in_channels % s.groups || s.out_channels % s.groups)
        return ren__error(REN_E_INVALID, "conv: %lld groups do not divide %lld and %lld channels", (long long)s.groups,
                          (long long)s.in_channels, (long long)s.out_channels);
    *out = s;
    return REN_OK;
}

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const ren__shape *input = ren__graph_shape(graph, node->input[0]);
    ren__conv_shape s;
    ren_status st = shape_of(node->options, input, &s);
    if (st != REN_OK) return st;
    *output = *input;
    for (int32_t i = 0; i < input->rank - 2; i++)
        output->dim[1 + i] = s.out[input->rank == 5 ? i : input->rank == 4 ? 2 * i : 2];
    output->dim[input->rank - 1] = s.out_channels;
    return REN_OK;
}

/* In training the side of a ReLU's kink must not depend on the order of sums (kernels/exact.h). */
static int is_exact(const ren__step *step, const ren__conv_shape *s) {
    return step->training && s->groups == 1;
}

static ren_status plan(ren__step *step) {
    ren_status st = REN_OK;
    ren_context *context = step->context;
    const conv_node *n = step->node->options;
    ren__conv_shape s;
    conv_state *state = NULL;
    REN_TRY(shape_of(n, &step->input_shape[0], &s));
    REN_CALLOC(state, 1);
    step->state = state;
    if (!step->training && ren__stem_applies(&s, n->pool)) {
        step->scratch_bytes = ren__stem_scratch_bytes(&s);
        return REN_OK;
    }
    if (is_exact(step, &s)) {
        step->scratch_bytes = ren__exact_conv_scratch_bytes(context, &s);
    } else {
        const int32_t direction =
            step->bfloat && ren__conv_bfloat_gains(&s) ? REN__CONV_FORWARD_BFLOAT : REN__CONV_FORWARD;
        REN_TRY(ren__conv_create(context, &s, direction, n->relu, n->pool ? n->pool : 1, &state->forward));
        step->scratch_bytes = ren__conv_scratch_bytes(state->forward);
        if (!step->training) return REN_OK;
        step->scratch_bytes += ren__conv_packed_bytes(state->forward);
    }
    REN_TRY(ren__conv_create(context, &s, REN__CONV_BACKWARD_WEIGHTS, 0, 1, &state->weights));
    REN_TRY(ren__conv_create(context, &s, REN__CONV_BACKWARD_DATA, 0, 1, &state->data));
    size_t data = ren__conv_scratch_bytes(state->data) + ren__conv_packed_bytes(state->data);
    size_t weights = ren__conv_scratch_bytes(state->weights);
    if (data > step->scratch_bytes) step->scratch_bytes = data;
    if (weights > step->scratch_bytes) step->scratch_bytes = weights;
out:
    return st;
}

static void release(ren__step *step) {
    conv_state *state = step->state;
    if (!state) return;
    ren__conv_free(state->forward);
    ren__conv_free(state->data);
    ren__conv_free(state->weights);
    ren__free(state);
}

/* ---- folding and packing, once for each set of weights ---- */

typedef struct packing {
    const ren__step *step;
    const ren__convolution *conv; /* NULL: the stem's */
    size_t bias_offset;
} packing;

void ren__conv_fold(const float *weights, const float *bias, const float *const norm[4], int64_t channels, size_t each,
                    float *folded, float *folded_bias) {
    for (int64_t c = 0; c < channels; c++) {
        const float *const own[4] = { norm[0] + c, norm[1] + c, norm[2] + c, norm[3] + c };
        float scale, shift;
        ren__norm_fold(own, 1, &scale, &shift);
        for (size_t i = 0; i < each; i++)
            folded[(size_t)c * each + i] = weights[(size_t)c * each + i] * scale;
        folded_bias[c] = (bias ? bias[c] : 0.0f) * scale + shift;
    }
}

/* `out`: the packed weights, then the bias. */
static ren_status fill(void *argument, void *out) {
    const packing *p = argument;
    const ren__step *step = p->step;
    const conv_node *n = step->node->options;
    ren_context *context = step->context;
    ren_status st = REN_OK;
    float *folded = NULL, *bias = (float *)(void *)((uint8_t *)out + p->bias_offset);
    const float *weights = step->parameter[0], *own_bias = has_bias(n) ? step->parameter[1] : NULL;
    int64_t channels = n->o.channels;
    for (int64_t c = 0; c < channels; c++)
        bias[c] = own_bias ? own_bias[c] : 0.0f;
    if (n->folded) {
        size_t count = ren__weights_elements(step->weights, step->weight_index[0]);
        REN_ALLOC(folded, count * sizeof *folded);
        ren__conv_fold(weights, own_bias, &step->parameter[1 + has_bias(n)], channels, count / (size_t)channels, folded,
                       bias);
        weights = folded;
    }
    if (p->conv)
        st = ren__conv_pack(p->conv, weights, out);
    else
        ren__stem_pack(&(ren__conv_shape){ .out_channels = channels }, weights, out);
out:
    ren__free(folded);
    return st;
}

static ren_status prepare(ren__step *step) {
    conv_state *state = step->state;
    const conv_node *n = step->node->options;
    packing p = { step, state->forward, 0 };
    struct {
        char kind[8];
        int32_t weight, folded;
    } head = { "stem", step->weight_index[0], n->folded };
    uint8_t key[2048];
    size_t layout_bytes = 0;
    const void *layout = "";
    p.bias_offset = ren__weights_elements(step->weights, step->weight_index[0]) * sizeof(float);
    if (state->forward) {
        memcpy(head.kind, "conv", sizeof "conv");
        layout = ren__conv_packing(state->forward, &layout_bytes);
        p.bias_offset = ren__conv_packed_bytes(state->forward);
    }
    if (sizeof head + layout_bytes > sizeof key)
        return ren__error(REN_E_INTERNAL, "conv: the packing's key is too long");
    memcpy(key, &head, sizeof head);
    memcpy(key + sizeof head, layout, layout_bytes);
    ren_status st =
        ren__weights_derive(step->weights, key, sizeof head + layout_bytes,
                            p.bias_offset + (size_t)n->o.channels * sizeof(float), fill, &p, &state->packed);
    if (st == REN_OK) state->bias = (const float *)(const void *)((const uint8_t *)state->packed + p.bias_offset);
    return st;
}

/* ---- running ---- */

typedef struct pooling {
    const ren__vector *vector;
    ren__extent from, to; /* the convolution's output, the pooled one */
    int64_t offsets[REN__MAX_WINDOW];
    int32_t window;
    int64_t edge[3];
    float *output;
} pooling;

/* Pools one slab. A spatial axis that the map does not have is not pooled. */
static void pool_slab(void *argument, const float *slab, int64_t sample, int64_t plane, int64_t planes) {
    const pooling *p = argument;
    int64_t c = p->from.channels, row = p->from.size[2] * c;
    for (int64_t d = 0; d < planes / p->edge[0]; d++)
        for (int64_t h = 0; h < p->to.size[1]; h++) {
            const float *from = slab + (d * p->edge[0] * p->from.size[1] + h * p->edge[1]) * row;
            float *to = p->output +
                        (((sample * p->to.size[0] + plane / p->edge[0] + d) * p->to.size[1] + h) * p->to.size[2]) * c;
            for (int64_t w = 0; w < p->to.size[2]; w++)
                p->vector->window_max(from + w * p->edge[2] * c, p->offsets, p->window, c, NULL, NULL, 0, to + w * c,
                                      NULL);
        }
}

static ren_status forward_pooled(ren__step *step, const conv_state *state) {
    const conv_node *n = step->node->options;
    ren__conv_shape s;
    pooling p = { .vector = ren__vector_for(step->context), .output = step->output };
    ren_status st = shape_of(n, &step->input_shape[0], &s);
    if (st != REN_OK) return st;
    if (!state->forward) {
        ren__stem_forward(step->context, step->run, &s, step->input[0], state->packed, state->bias, n->relu,
                          step->output, step->scratch);
        return REN_OK;
    }
    p.from = (ren__extent){ s.batch, { s.out[0], s.out[1], s.out[2] }, s.out_channels, 3 };
    p.to = p.from;
    for (int i = 0; i < 3; i++) {
        int pooled = step->input_shape[0].rank == 5 || i == 2 || (i == 0 && step->input_shape[0].rank == 4);
        p.edge[i] = pooled ? n->pool : 1;
        p.to.size[i] = p.from.size[i] / p.edge[i];
    }
    p.window = ren__window_offsets(&p.from, p.edge, p.offsets);
    return ren__conv_forward(state->forward, step->run, step->input[0], state->packed, state->bias, NULL, step->scratch,
                             pool_slab, &p);
}

static ren_status forward_exact(ren__step *step, const float *bias) {
    ren__conv_shape s;
    const ren_status st = shape_of(step->node->options, &step->input_shape[0], &s);
    if (st != REN_OK) return st;
    ren__exact_conv_forward(step->context, step->run, &s, step->input[0], step->parameter[0], bias, step->output,
                            step->scratch);
    return REN_OK;
}

static ren_status forward(ren__step *step) {
    const conv_node *n = step->node->options;
    conv_state *state = step->state;
    if (n->pool) return forward_pooled(step, state);
    if (!step->training)
        return ren__conv_forward(state->forward, step->run, step->input[0], state->packed, state->bias, step->output,
                                 step->scratch, NULL, NULL);
    const float *bias = has_bias(n) ? step->parameter[1] : NULL;
    if (!state->forward) return forward_exact(step, bias);
    void *packed = step->scratch;
    uint8_t *scratch = (uint8_t *)step->scratch + ren__conv_packed_bytes(state->forward);
    ren_status st = ren__conv_pack(state->forward, step->parameter[0], packed);
    if (st != REN_OK) return st;
    return ren__conv_forward(state->forward, step->run, step->input[0], packed, bias, step->output, scratch, NULL,
                             NULL);
}

static ren_status backward(ren__step *step) {
    const conv_node *n = step->node->options;
    conv_state *state = step->state;
    ren_status st = ren__conv_backward_weights(state->weights, step->run, step->input[0], step->output_gradient,
                                               step->parameter_gradient[0],
                                               has_bias(n) ? step->parameter_gradient[1] : NULL, step->scratch);
    if (st != REN_OK || !step->input_gradient[0]) return st;
    void *packed = step->scratch;
    uint8_t *scratch = (uint8_t *)step->scratch + ren__conv_packed_bytes(state->data);
    st = ren__conv_pack(state->data, step->parameter[0], packed);
    if (st != REN_OK) return st;
    return ren__conv_backward_data(state->data, step->run, step->output_gradient, packed, step->input_gradient[0],
                                   scratch);
}

static double flops(const ren__graph *graph, const ren__node *node) {
    const conv_node *n = node->options;
    ren__conv_shape s;
    if (shape_of(n, ren__graph_shape(graph, node->input[0]), &s) != REN_OK) return 0;
    const int64_t products = s.in_channels / s.groups * s.kernel[0] * s.kernel[1] * s.kernel[2];
    return 2.0 * (double)(s.batch * s.out[0] * s.out[1] * s.out[2] * s.out_channels) * (double)products;
}

static int absorb(ren__graph *graph, ren__node *node, const ren__node *next, int32_t mode) {
    conv_node *n = node->options;
    if (mode != REN__INFER || n->pool) return 0;
    if (next->op == &ren__batch_norm_op && !n->folded && !n->relu) {
        n->folded = 1;
        memcpy(node->parameter + node->parameter_count, next->parameter, 4 * sizeof next->parameter[0]);
        node->parameter_count += 4;
        return 1;
    }
    if (next->op == &ren__activate_op && ren__activate_kind(next) == REN__RELU && !n->relu) return n->relu = 1;
    if (next->op == &ren__max_pool_op) {
        n->pool = ren__max_pool_edge(graph, next);
        return n->pool != 0;
    }
    return 0;
}

const ren__op ren__conv_op = {
    .name = "conv",
    .option_bytes = sizeof(conv_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .flops = flops,
    .absorb = absorb,
};

ren__value ren__conv(ren__graph *graph, ren__value x, const char *name, const ren__conv_options *options) {
    const ren__shape *input = ren__graph_shape(graph, x);
    conv_node n = { .o = *options };
    int64_t groups = options->groups ? options->groups : 1;
    int32_t axes = input->rank - 2;
    ren__shape weight = { .rank = axes + 2, .dim = { options->channels, ren__channels_of(input) / groups } };
    if (axes < 1 || axes > 3) return ren__graph_fail(graph, REN_E_INVALID, "%s: 1 to 3 spatial axes are known", name);
    int64_t fan_in = weight.dim[1];
    for (int32_t i = 0; i < axes; i++)
        fan_in *= weight.dim[2 + i] = options->kernel[i];
    ren__initialiser uniform = { REN__INIT_UNIFORM, 1.0 / sqrt((double)(fan_in > 0 ? fan_in : 1)) };
    int32_t parameters[2] = { ren__graph_parameter(graph, name, "weight", weight, uniform, 1), -1 };
    if (!options->no_bias)
        parameters[1] = ren__graph_parameter(graph, name, "bias", ren__shape_of(1, &options->channels), uniform, 1);
    return ren__graph_add(graph, &ren__conv_op, &n, &x, 1, parameters, 1 + !options->no_bias);
}

ren_status ren__conv_shape_of(const ren__graph *graph, const ren__node *node, ren__conv_shape *shape) {
    return shape_of(node->options, ren__graph_shape(graph, node->input[0]), shape);
}
