/* SPDX-License-Identifier: Apache-2.0 */
/* A linear layer on a flattened map of which only a box differs from its background: the rest is in `base`. */
#include <string.h>

#include "kernels/vector.h"
#include "ops/background.h"
#include "ops/internal.h"

enum { OUTPUTS_A_CHUNK = 8 };

typedef struct box_node {
    const ren__background *background;
    const float *base;
    int64_t features;
} box_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const box_node *n = node->options;
    const ren__shape *input = ren__graph_shape(graph, node->input[0]);
    if (input->dim[0] != 1 || ren__channels_of(input) != n->background->channels)
        return ren__error(REN_E_INTERNAL, "box_linear: the background is of another map, or the batch is not 1");
    *output = ren__shape_of(2, (int64_t[]){ 1, n->features });
    return REN_OK;
}

/* Differences from the background, channel by channel, over all of the planes that the box meets and 0 outside it: one
 * contiguous run of W a channel. Reading the box's own rows alone takes as long (measured), though they are half of it.
 */
static int64_t run_of(const ren__background *b, const ren__extent *box) {
    return box->size[0] * b->size[1] * b->size[2];
}

static ren_status plan(ren__step *step) {
    const box_node *n = step->node->options;
    ren__extent box = ren__extent_of(&step->input_shape[0]);
    step->scratch_bytes = (size_t)(box.channels * run_of(n->background, &box)) * sizeof(float);
    return REN_OK;
}

typedef struct box_job {
    const ren__step *step;
    const ren__vector *vector;
    const ren__background *background;
    const float *base;
    ren__extent box;
    int64_t corner[3], run;
    float *difference;
} box_job;

static void subtract_background(const box_job *j) {
    const int64_t *size = j->background->size;
    int64_t channels = j->box.channels;
    memset(j->difference, 0, (size_t)(channels * j->run) * sizeof(float));
    for (int64_t d = 0; d < j->box.size[0]; d++)
        for (int64_t h = 0; h < j->box.size[1]; h++)
            for (int64_t w = 0; w < j->box.size[2]; w++) {
                const float *x = j->step->input[0] + ((d * j->box.size[1] + h) * j->box.size[2] + w) * channels;
                const float *b =
                    ren__background_cell(j->background, j->corner[0] + d, j->corner[1] + h, j->corner[2] + w);
                float *to = j->difference + (d * size[1] + j->corner[1] + h) * size[2] + j->corner[2] + w;
                for (int64_t c = 0; c < channels; c++)
                    to[c * j->run] = x[c] - b[c];
            }
}

static void outputs(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const box_job *j = argument;
    const int64_t *size = j->background->size;
    int64_t plane = size[1] * size[2], map = size[0] * plane;
    (void)thread;
    for (int64_t o = begin; o < end; o++) {
        const float *w = j->step->parameter[0] + o * map * j->box.channels + j->corner[0] * plane;
        double sum = (double)j->base[o];
        for (int64_t c = 0; c < j->box.channels; c++)
            sum += j->vector->dot(w + c * map, j->difference + c * j->run, j->run);
        j->step->output[o] = (float)sum;
    }
}

static ren_status forward(ren__step *step) {
    const box_node *n = step->node->options;
    box_job j = { .step = step,
                  .vector = ren__vector_for(step->context),
                  .background = n->background,
                  .base = n->base,
                  .box = ren__extent_of(&step->input_shape[0]),
                  .difference = step->scratch };
    for (int i = 0; i < 3; i++)
        j.corner[i] = step->origin[i] / n->background->stride[i];
    j.run = run_of(j.background, &j.box);
    subtract_background(&j);
    ren__parallel_for(step->context, step->run, n->features, OUTPUTS_A_CHUNK, outputs, &j);
    return REN_OK;
}

static double flops(const ren__graph *graph, const ren__node *node) {
    const box_node *n = node->options;
    return 2.0 * (double)ren__shape_elements(ren__graph_shape(graph, node->input[0])) * (double)n->features;
}

const ren__op ren__box_linear_op = {
    .name = "box_linear",
    .option_bytes = sizeof(box_node),
    .flags = REN__NO_GRADIENT,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .flops = flops,
};

ren__value ren__box_linear(ren__graph *graph, ren__value box, const ren__background *background, const float *base,
                           int32_t weight_parameter, int64_t features) {
    box_node n = { background, base, features };
    return ren__graph_add(graph, &ren__box_linear_op, &n, &box, 1, &weight_parameter, 1);
}
