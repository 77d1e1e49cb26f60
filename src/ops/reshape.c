/* SPDX-License-Identifier: Apache-2.0 */
/* The same elements in another shape: in memory order (reshape), or in the published order of a flattened volume,
 * channels first (flatten). */
#include <string.h>

#include "base/parallel.h"
#include "ops/internal.h"

/* ---- reshape ---- */

static ren_status reshape_infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    *output = *(const ren__shape *)node->options;
    if (ren__shape_elements(output) != ren__shape_elements(ren__graph_shape(graph, node->input[0])))
        return ren__error(REN_E_INVALID, "reshape: the number of elements changes");
    return REN_OK;
}

static ren_status reshape_forward(ren__step *step) {
    if (step->output != step->input[0])
        memcpy(step->output, step->input[0], (size_t)ren__shape_elements(&step->output_shape) * sizeof(float));
    return REN_OK;
}

static ren_status reshape_backward(ren__step *step) {
    if (step->input_gradient[0] && step->input_gradient[0] != step->output_gradient)
        memcpy(step->input_gradient[0], step->output_gradient,
               (size_t)ren__shape_elements(&step->output_shape) * sizeof(float));
    return REN_OK;
}

const ren__op ren__reshape_op = {
    .name = "reshape",
    .option_bytes = sizeof(ren__shape),
    .flags = REN__IN_PLACE | REN__GRADIENT_IN_PLACE,
    .infer = reshape_infer,
    .forward = reshape_forward,
    .backward = reshape_backward,
};

ren__value ren__reshape(ren__graph *graph, ren__value x, ren__shape shape) {
    return ren__graph_add(graph, &ren__reshape_op, &shape, &x, 1, NULL, 0);
}

/* ---- flatten ---- */

static ren_status flatten_infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const ren__shape *input = ren__graph_shape(graph, node->input[0]);
    if (input->rank < 2) return ren__error(REN_E_INVALID, "flatten: the input has no channels");
    *output = ren__shape_of(2, (int64_t[]){ input->dim[0], ren__shape_elements(input) / input->dim[0] });
    return REN_OK;
}

typedef struct transposition {
    const float *from;
    float *to;
    int64_t voxels, channels; /* of a sample */
    int inverse;
} transposition;

/* One channel of one sample an item. */
static void transpose(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const transposition *t = argument;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        int64_t sample = item / t->channels, channel = item % t->channels;
        int64_t spread = sample * t->voxels * t->channels + channel, packed = item * t->voxels;
        for (int64_t v = 0; v < t->voxels; v++)
            if (t->inverse)
                t->to[spread + v * t->channels] = t->from[packed + v];
            else
                t->to[packed + v] = t->from[spread + v * t->channels];
    }
}

static ren_status run_transposition(ren__step *step, const float *from, float *to, int inverse) {
    int64_t batch = step->input_shape[0].dim[0], channels = ren__channels_of(&step->input_shape[0]);
    transposition t = { from, to, ren__shape_elements(&step->input_shape[0]) / (batch * channels), channels, inverse };
    ren__parallel_for(step->context, step->run, batch * channels, 8, transpose, &t);
    return REN_OK;
}

static ren_status flatten_forward(ren__step *step) {
    return run_transposition(step, step->input[0], step->output, 0);
}

static ren_status flatten_backward(ren__step *step) {
    return step->input_gradient[0] ? run_transposition(step, step->output_gradient, step->input_gradient[0], 1)
                                   : REN_OK;
}

const ren__op ren__flatten_op = {
    .name = "flatten",
    .infer = flatten_infer,
    .forward = flatten_forward,
    .backward = flatten_backward,
};

ren__value ren__flatten(ren__graph *graph, ren__value x) {
    return ren__graph_add(graph, &ren__flatten_op, NULL, &x, 1, NULL, 0);
}
