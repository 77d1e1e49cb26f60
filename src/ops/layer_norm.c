/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation over the last axis (Ba et al. 2016), eps 1e-5, with or without weight and bias. */
#include <string.h>

#include "kernels/rows.h"
#include "ops/internal.h"

enum { ELEMENTS_A_CHUNK = 1 << 15 };

static int64_t grain_of(const ren__step *step) {
    const int64_t c = ren__channels_of(&step->input_shape[0]);
    return c < ELEMENTS_A_CHUNK ? ELEMENTS_A_CHUNK / c : 1;
}

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *ren__graph_shape(graph, node->input[0]);
    return REN_OK;
}

/* Saved: mean and 1 / sd of each row. Scratch: sums of the parameters' gradients by chunk. */
static ren_status plan(ren__step *step) {
    const int64_t rows = ren__rows_of(&step->input_shape[0]), grain = grain_of(step);
    if (!step->training) return REN_OK;
    step->saved_bytes = 2 * (size_t)rows * sizeof(float);
    if (step->node->parameter_count)
        step->scratch_bytes =
            2 * (size_t)((rows + grain - 1) / grain * ren__channels_of(&step->input_shape[0])) * sizeof(double);
    return REN_OK;
}

static void forward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    const int64_t c = ren__channels_of(&step->input_shape[0]);
    const int affine = step->node->parameter_count > 0;
    (void)thread;
    ren__rows_for(step->context)
        ->layer_norm(step->input[0] + begin * c, end - begin, c, affine ? step->parameter[0] : NULL,
                     affine ? step->parameter[1] : NULL, step->output + begin * c,
                     step->training ? (float *)step->saved + 2 * begin : NULL);
}

static ren_status forward(ren__step *step) {
    ren__parallel_for(step->context, step->run, ren__rows_of(&step->input_shape[0]), grain_of(step), forward_rows,
                      step);
    return REN_OK;
}

static void backward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ren__step *step = argument;
    const int64_t c = ren__channels_of(&step->input_shape[0]);
    double *sums = NULL;
    (void)thread;
    if (step->node->parameter_count) {
        sums = (double *)step->scratch + begin / grain_of(step) * 2 * c;
        memset(sums, 0, 2 * (size_t)c * sizeof *sums);
    }
    ren__rows_for(step->context)
        ->layer_norm_backward(step->input[0] + begin * c, step->output_gradient + begin * c, end - begin, c,
                              sums ? step->parameter[0] : NULL, (const float *)step->saved + 2 * begin,
                              step->input_gradient[0] ? step->input_gradient[0] + begin * c : NULL, sums,
                              sums ? sums + c : NULL);
}

static ren_status backward(ren__step *step) {
    const int64_t rows = ren__rows_of(&step->input_shape[0]), c = ren__channels_of(&step->input_shape[0]);
    const int64_t grain = grain_of(step), chunks = (rows + grain - 1) / grain;
    ren__parallel_for(step->context, step->run, rows, grain, backward_rows, step);
    if (!step->node->parameter_count || ren__run_check(step->run) != REN_OK) return REN_OK;
    const double *sums = step->scratch;
    for (int64_t i = 0; i < 2 * c; i++) {
        double sum = 0;
        for (int64_t k = 0; k < chunks; k++)
            sum += sums[k * 2 * c + i];
        step->parameter_gradient[i / c][i % c] = (float)sum;
    }
    return REN_OK;
}

const ren__op ren__layer_norm_op = {
    .name = "layer_norm",
    .flags = REN__KEEPS_INPUT | REN__GRADIENT_IN_PLACE,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

ren__value ren__layer_norm(ren__graph *graph, ren__value x, const char *name) {
    const int64_t channels = ren__channels_of(ren__graph_shape(graph, x));
    const ren__shape shape = ren__shape_of(1, &channels);
    int32_t parameters[2] = { -1, -1 };
    if (name) {
        parameters[0] = ren__graph_parameter(graph, name, "weight", shape, (ren__initialiser){ REN__INIT_ONE, 0 }, 1);
        parameters[1] = ren__graph_parameter(graph, name, "bias", shape, (ren__initialiser){ REN__INIT_ZERO, 0 }, 1);
    }
    return ren__graph_add(graph, &ren__layer_norm_op, NULL, &x, 1, parameters, name ? 2 : 0);
}
