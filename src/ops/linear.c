/* SPDX-License-Identifier: Apache-2.0 */
/* Linear layer on the last axis. In inference it takes over batch-norm and ReLU as a last touch on its few outputs: its
 * weights, which may be hundreds of megabytes, stay as the checkpoint has them. */
#include "kernels/linear.h"

#include <math.h>
#include <string.h>

#include "kernels/exact.h"
#include "kernels/vector.h"
#include "ops/bfloat_rows.h"
#include "ops/internal.h"

typedef struct linear_node {
    int64_t features;
    int32_t no_bias, normed, relu;
} linear_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const linear_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank < 2) return ren__error(REN_E_INVALID, "linear: the input has no channels");
    output->dim[output->rank - 1] = n->features;
    return REN_OK;
}

static ren__linear_shape shape_of(const ren__step *step) {
    return (ren__linear_shape){ ren__rows_of(&step->input_shape[0]), ren__channels_of(&step->input_shape[0]),
                                ren__channels_of(&step->output_shape) };
}

static ren__exact_weights weights_of(const ren__step *step, const ren__linear_shape *s) {
    return (ren__exact_weights){ step->parameter[0], s->outputs, s->inputs, 1, 0, s->inputs, 1 };
}

/* In training the side of a ReLU's kink must not depend on the order of sums (kernels/exact.h); the sums of few rows
 * are exact enough as they are. */
static int is_exact(const ren__step *step, const ren__linear_shape *s) {
    return step->training && s->rows > REN__LINEAR_FEW;
}

static ren_status plan(ren__step *step) {
    const linear_node *n = step->node->options;
    const ren__linear_shape s = shape_of(step);
    const ren__exact_weights w = weights_of(step, &s);
    ren_status st = REN_OK;
    if (is_exact(step, &s)) step->scratch_bytes = ren__exact_packed(&w) * sizeof(float);
    if (ren__bfloat_rows_apply(step, s.rows, s.inputs))
        st = ren__bfloat_rows_plan(step, s.rows, s.inputs, s.outputs, n->relu && !n->normed);
    if (n->normed) step->scratch_bytes += 2 * (size_t)n->features * sizeof(float);
    return st;
}

static ren_status refuse_arranged(const ren__step *step) {
    if (!ren__weights_arranged(step->weights, step->weight_index[0])) return REN_OK;
    return ren__error(REN_E_STATE, "linear: the weights %s are arranged for sparse inference",
                      ren__weights_name(step->weights, step->weight_index[0]));
}

static ren_status prepare(ren__step *step) {
    const ren_status st = ren__bfloat_rows_of(step) ? refuse_arranged(step) : REN_OK;
    return st == REN_OK && ren__bfloat_rows_of(step) ? ren__bfloat_rows_prepare(step, NULL) : st;
}

/* The layer without the batch-norm behind it. */
static ren_status multiply(ren__step *step, const ren__linear_shape *s) {
    const linear_node *n = step->node->options;
    const float *bias = n->no_bias ? NULL : step->parameter[1];
    const ren_status st = refuse_arranged(step);
    if (st != REN_OK) return st;
    if (ren__bfloat_rows_of(step)) return ren__bfloat_rows_forward(step, bias, step->output, NULL, NULL);
    if (is_exact(step, s)) {
        const ren__exact_weights w = weights_of(step, s);
        ren__exact_pack(step->context, &w, step->scratch);
        ren__exact_linear(step->context, step->run, s->rows, s->inputs, s->outputs, step->input[0], step->scratch, bias,
                          step->output);
        return REN_OK;
    }
    return ren__linear_forward(step->context, step->run, s, step->input[0], step->parameter[0], bias,
                               n->relu && !n->normed, step->output);
}

static ren_status forward(ren__step *step) {
    const linear_node *n = step->node->options;
    const ren__linear_shape s = shape_of(step);
    const ren_status st = multiply(step, &s);
    if (st == REN_OK && n->normed) {
        float *scale = step->scratch, *shift = scale + n->features;
        ren__norm_fold(&step->parameter[2 - n->no_bias], n->features, scale, shift);
        ren__vector_for(step->context)->affine(step->output, s.rows, s.outputs, scale, shift, n->relu, step->output);
    }
    return st;
}

static ren_status backward(ren__step *step) {
    const linear_node *n = step->node->options;
    ren__linear_shape s = shape_of(step);
    ren_status st =
        ren__linear_backward_weights(step->context, step->run, &s, step->input[0], step->output_gradient,
                                     step->parameter_gradient[0], n->no_bias ? NULL : step->parameter_gradient[1]);
    if (st != REN_OK || !step->input_gradient[0]) return st;
    return ren__linear_backward_data(step->context, step->run, &s, step->output_gradient, step->parameter[0],
                                     step->input_gradient[0]);
}

static double flops(const ren__graph *graph, const ren__node *node) {
    const ren__shape *input = ren__graph_shape(graph, node->input[0]);
    const linear_node *n = node->options;
    return 2.0 * (double)ren__rows_of(input) * (double)ren__channels_of(input) * (double)n->features;
}

static int absorb(ren__graph *graph, ren__node *node, const ren__node *next, int32_t mode) {
    linear_node *n = node->options;
    (void)graph;
    if (mode != REN__INFER || n->relu) return 0;
    if (next->op == &ren__batch_norm_op && !n->normed) {
        memcpy(node->parameter + node->parameter_count, next->parameter, 4 * sizeof next->parameter[0]);
        node->parameter_count += 4;
        return n->normed = 1;
    }
    if (next->op == &ren__activate_op && ren__activate_kind(next) == REN__RELU) return n->relu = 1;
    return 0;
}

const ren__op ren__linear_op = {
    .name = "linear",
    .option_bytes = sizeof(linear_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = ren__bfloat_rows_release,
    .flops = flops,
    .absorb = absorb,
};

static ren__value add_linear(ren__graph *graph, ren__value x, const char *name, int64_t features, int32_t no_bias,
                             ren__initialiser weight, ren__initialiser bias) {
    int64_t inputs = ren__channels_of(ren__graph_shape(graph, x));
    linear_node n = { .features = features, .no_bias = no_bias != 0 };
    int32_t parameters[2] = { -1, -1 };
    parameters[0] =
        ren__graph_parameter(graph, name, "weight", ren__shape_of(2, (int64_t[]){ features, inputs }), weight, 1);
    if (!no_bias) parameters[1] = ren__graph_parameter(graph, name, "bias", ren__shape_of(1, &features), bias, 1);
    return ren__graph_add(graph, &ren__linear_op, &n, &x, 1, parameters, no_bias ? 1 : 2);
}

ren__value ren__linear(ren__graph *graph, ren__value x, const char *name, int64_t features, int32_t no_bias) {
    int64_t inputs = ren__channels_of(ren__graph_shape(graph, x));
    const ren__initialiser uniform = { REN__INIT_UNIFORM, 1.0 / sqrt((double)(inputs > 0 ? inputs : 1)) };
    return add_linear(graph, x, name, features, no_bias, uniform, uniform);
}

ren__value ren__linear_truncated(ren__graph *graph, ren__value x, const char *name, int64_t features, int32_t no_bias) {
    const ren__initialiser weight = { REN__INIT_TRUNCATED_NORMAL, 0.02 }, bias = { REN__INIT_ZERO, 0 };
    return add_linear(graph, x, name, features, no_bias, weight, bias);
}
