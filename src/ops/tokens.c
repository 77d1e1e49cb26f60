/* SPDX-License-Identifier: Apache-2.0 */
/* Learned tensors that a sequence of tokens meets: positions added to each sample, and a class token in front. */
#include <string.h>

#include "ops/internal.h"

static const ren__initialiser TRUNCATED = { REN__INIT_TRUNCATED_NORMAL, 0.02 };

typedef struct token_job {
    const ren__step *step;
    int64_t each; /* elements of a sample of the input */
} token_job;

static int64_t elements_of_sample(const ren__shape *shape) {
    return ren__shape_elements(shape) / shape->dim[0];
}

/* ---- positions ---- */

static ren_status positions_infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    return REN_OK;
}

static void add_elements(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const token_job *j = argument;
    const ren__step *step = j->step;
    (void)thread;
    for (int64_t sample = 0; sample < step->input_shape[0].dim[0]; sample++) {
        const float *x = step->input[0] + sample * j->each, *p = step->parameter[0];
        float *y = step->output + sample * j->each;
        for (int64_t i = begin; i < end; i++)
            y[i] = x[i] + p[i];
    }
}

static ren_status positions_forward(ren__step *step) {
    token_job j = { step, elements_of_sample(&step->input_shape[0]) };
    ren__parallel_for(step->context, step->run, j.each, 1 << 14, add_elements, &j);
    return REN_OK;
}

/* The sum of the samples' gradients, `step` samples' worth of elements apart, into `to`. */
static void sum_samples(const ren__step *step, int64_t stride, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int64_t sample = 0; sample < step->output_shape.dim[0]; sample++)
            sum += (double)step->output_gradient[sample * stride + i];
        to[i] = (float)sum;
    }
}

static ren_status positions_backward(ren__step *step) {
    const int64_t each = elements_of_sample(&step->input_shape[0]);
    sum_samples(step, each, each, step->parameter_gradient[0]);
    if (step->input_gradient[0] && step->input_gradient[0] != step->output_gradient)
        memcpy(step->input_gradient[0], step->output_gradient,
               (size_t)ren__shape_elements(&step->output_shape) * sizeof(float));
    return REN_OK;
}

const ren__op ren__positions_op = {
    .name = "positions",
    .flags = REN__IN_PLACE,
    .infer = positions_infer,
    .forward = positions_forward,
    .backward = positions_backward,
};

ren__value ren__positions(ren__graph *graph, ren__value x, const char *name) {
    ren__shape shape = *ren__graph_shape(graph, x);
    shape.dim[0] = 1;
    const int32_t parameter = ren__graph_parameter(graph, name, "", shape, TRUNCATED, 1);
    return ren__graph_add(graph, &ren__positions_op, NULL, &x, 1, &parameter, 1);
}

/* ---- class token ---- */

static ren_status class_infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank != 3)
        return ren__error(REN_E_INVALID, "class_token: the input is no sequence of tokens (N, T, C)");
    output->dim[1]++;
    return REN_OK;
}

static ren_status class_forward(ren__step *step) {
    const int64_t each = elements_of_sample(&step->input_shape[0]), c = ren__channels_of(&step->input_shape[0]);
    for (int64_t sample = 0; sample < step->input_shape[0].dim[0]; sample++) {
        float *y = step->output + sample * (each + c);
        memcpy(y, step->parameter[0], (size_t)c * sizeof(float));
        memcpy(y + c, step->input[0] + sample * each, (size_t)each * sizeof(float));
    }
    return REN_OK;
}

static ren_status class_backward(ren__step *step) {
    const int64_t each = elements_of_sample(&step->input_shape[0]), c = ren__channels_of(&step->input_shape[0]);
    sum_samples(step, each + c, c, step->parameter_gradient[0]);
    for (int64_t sample = 0; step->input_gradient[0] && sample < step->input_shape[0].dim[0]; sample++)
        memcpy(step->input_gradient[0] + sample * each, step->output_gradient + sample * (each + c) + c,
               (size_t)each * sizeof(float));
    return REN_OK;
}

const ren__op ren__class_token_op = {
    .name = "class_token",
    .infer = class_infer,
    .forward = class_forward,
    .backward = class_backward,
};

ren__value ren__class_token(ren__graph *graph, ren__value x, const char *name) {
    const ren__shape shape = ren__shape_of(3, (int64_t[]){ 1, 1, ren__channels_of(ren__graph_shape(graph, x)) });
    const int32_t parameter = ren__graph_parameter(graph, name, "", shape, TRUNCATED, 1);
    return ren__graph_add(graph, &ren__class_token_op, NULL, &x, 1, &parameter, 1);
}
