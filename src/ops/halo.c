/* SPDX-License-Identifier: Apache-2.0 */
/* Surrounds a box of a map with what the map is known to be around it. */
#include <string.h>

#include "ops/background.h"
#include "ops/internal.h"

typedef struct halo_node {
    const ren__background *background;
    int64_t before[3], after[3];
} halo_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const halo_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    if (output->rank != n->background->axes + 2 || ren__channels_of(output) != n->background->channels)
        return ren__error(REN_E_INTERNAL, "halo: the background is of another map");
    for (int32_t i = 0; i < n->background->axes; i++)
        output->dim[1 + i] += n->before[3 - n->background->axes + i] + n->after[3 - n->background->axes + i];
    return REN_OK;
}

typedef struct halo_job {
    const ren__step *step;
    ren__extent from, to;
    int64_t corner[3]; /* of the output, in the whole map */
} halo_job;

static void fill_row(const halo_job *j, int64_t plane, int64_t h) {
    const halo_node *n = j->step->node->options;
    const ren__background *b = n->background;
    int64_t sample = plane / j->to.size[0], d = plane % j->to.size[0], c = b->channels;
    int64_t gd = j->corner[0] + d, gh = j->corner[1] + h;
    int64_t bd = d - n->before[0], bh = h - n->before[1];
    int inside = gd >= 0 && gd < b->size[0] && gh >= 0 && gh < b->size[1];
    int in_box = bd >= 0 && bd < j->from.size[0] && bh >= 0 && bh < j->from.size[1];
    float *row = j->step->output + ((plane * j->to.size[1] + h) * j->to.size[2]) * c;
    for (int64_t w = 0; w < j->to.size[2]; w++) {
        int64_t gw = j->corner[2] + w, bw = w - n->before[2];
        if (in_box && bw == 0) {
            size_t cells = (size_t)j->from.size[2];
            const float *from =
                j->step->input[0] + (((sample * j->from.size[0] + bd) * j->from.size[1] + bh) * j->from.size[2]) * c;
            memcpy(row + w * c, from, cells * (size_t)c * sizeof(float));
            w += j->from.size[2] - 1;
        } else if (inside && gw >= 0 && gw < b->size[2]) {
            memcpy(row + w * c, ren__background_cell(b, gd, gh, gw), (size_t)c * sizeof(float));
        } else {
            memset(row + w * c, 0, (size_t)c * sizeof(float));
        }
    }
}

static void fill_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const halo_job *j = argument;
    (void)thread;
    for (int64_t plane = begin; plane < end; plane++)
        for (int64_t h = 0; h < j->to.size[1]; h++)
            fill_row(j, plane, h);
}

static ren_status forward(ren__step *step) {
    const halo_node *n = step->node->options;
    halo_job j = { .step = step,
                   .from = ren__extent_of(&step->input_shape[0]),
                   .to = ren__extent_of(&step->output_shape) };
    for (int i = 0; i < 3; i++)
        j.corner[i] = step->origin[i] / n->background->stride[i] - n->before[i];
    ren__parallel_for(step->context, step->run, j.to.batch * j.to.size[0], 1, fill_planes, &j);
    return REN_OK;
}

const ren__op ren__halo_op = {
    .name = "halo",
    .option_bytes = sizeof(halo_node),
    .flags = REN__NO_GRADIENT,
    .infer = infer,
    .forward = forward,
};

ren__value ren__halo(ren__graph *graph, ren__value box, const ren__background *background, const int64_t before[3],
                     const int64_t after[3]) {
    halo_node n = { background, { before[0], before[1], before[2] }, { after[0], after[1], after[2] } };
    return ren__graph_add(graph, &ren__halo_op, &n, &box, 1, NULL, 0);
}
