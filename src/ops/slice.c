/* SPDX-License-Identifier: Apache-2.0 */
/* A box of a tensor (slice), and a tensor as a box within zeros (pad): each is the other's gradient. */
#include <string.h>

#include "ops/internal.h"

typedef struct box_node {
    int64_t begin[REN__MAX_RANK]; /* of the box within the larger tensor */
    ren__shape shape;             /* of the output */
} box_node;

typedef struct box_job {
    const ren__shape *large, *small;
    const int64_t *begin;
    const float *from;
    float *to;
    int32_t outward; /* small to large, zeros around; else large to small */
} box_job;

/* Where row `row` (of all axes but the last) of the small tensor begins in the large one. */
static int64_t place(const box_job *j, int64_t row) {
    int64_t at = j->begin[j->small->rank - 1], stride = j->large->dim[j->large->rank - 1];
    for (int32_t i = j->small->rank - 2; i >= 0; i--) {
        at += (j->begin[i] + row % j->small->dim[i]) * stride;
        row /= j->small->dim[i];
        stride *= j->large->dim[i];
    }
    return at;
}

static void copy_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const box_job *j = argument;
    const int64_t length = j->small->dim[j->small->rank - 1];
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const int64_t small = row * length, large = place(j, row);
        memcpy(j->to + (j->outward ? large : small), j->from + (j->outward ? small : large),
               (size_t)length * sizeof(float));
    }
}

static void copy_box(const ren__step *step, box_job *j) {
    const int64_t length = j->small->dim[j->small->rank - 1];
    if (j->outward) memset(j->to, 0, (size_t)ren__shape_elements(j->large) * sizeof(float));
    ren__parallel_for(step->context, step->run, ren__shape_elements(j->small) / length,
                      length < 32768 ? 32768 / length : 1, copy_rows, j);
}

static ren_status check(const char *name, const ren__shape *large, const ren__shape *small, const int64_t *begin) {
    int fits = large->rank == small->rank && small->rank > 0;
    for (int32_t i = 0; fits && i < small->rank; i++)
        fits = begin[i] >= 0 && small->dim[i] > 0 && begin[i] <= large->dim[i] - small->dim[i];
    return fits ? REN_OK : ren__error(REN_E_INVALID, "%s: the smaller tensor does not lie within the larger", name);
}

/* ---- slice ---- */

static ren_status slice_infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const box_node *n = node->options;
    *output = n->shape;
    return check("slice", ren__graph_shape(graph, node->input[0]), output, n->begin);
}

static ren_status slice_forward(ren__step *step) {
    const box_node *n = step->node->options;
    copy_box(step, &(box_job){ &step->input_shape[0], &step->output_shape, n->begin, step->input[0], step->output, 0 });
    return REN_OK;
}

static ren_status slice_backward(ren__step *step) {
    const box_node *n = step->node->options;
    if (step->input_gradient[0])
        copy_box(step, &(box_job){ &step->input_shape[0], &step->output_shape, n->begin, step->output_gradient,
                                   step->input_gradient[0], 1 });
    return REN_OK;
}

const ren__op ren__slice_op = {
    .name = "slice",
    .option_bytes = sizeof(box_node),
    .infer = slice_infer,
    .forward = slice_forward,
    .backward = slice_backward,
};

ren__value ren__slice(ren__graph *graph, ren__value x, const int64_t *begin, const int64_t *size) {
    box_node n = { .shape = *ren__graph_shape(graph, x) };
    for (int32_t i = 0; i < n.shape.rank; i++) {
        n.begin[i] = begin[i];
        n.shape.dim[i] = size[i];
    }
    return ren__graph_add(graph, &ren__slice_op, &n, &x, 1, NULL, 0);
}

/* ---- pad ---- */

static ren_status pad_infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const box_node *n = node->options;
    *output = n->shape;
    return check("pad", output, ren__graph_shape(graph, node->input[0]), n->begin);
}

static ren_status pad_forward(ren__step *step) {
    const box_node *n = step->node->options;
    copy_box(step, &(box_job){ &step->output_shape, &step->input_shape[0], n->begin, step->input[0], step->output, 1 });
    return REN_OK;
}

static ren_status pad_backward(ren__step *step) {
    const box_node *n = step->node->options;
    if (step->input_gradient[0])
        copy_box(step, &(box_job){ &step->output_shape, &step->input_shape[0], n->begin, step->output_gradient,
                                   step->input_gradient[0], 0 });
    return REN_OK;
}

const ren__op ren__pad_op = {
    .name = "pad",
    .option_bytes = sizeof(box_node),
    .infer = pad_infer,
    .forward = pad_forward,
    .backward = pad_backward,
};

ren__value ren__pad(ren__graph *graph, ren__value x, const int64_t *before, const int64_t *after) {
    box_node n = { .shape = *ren__graph_shape(graph, x) };
    for (int32_t i = 0; i < n.shape.rank; i++) {
        n.begin[i] = before[i];
        n.shape.dim[i] += before[i] + after[i];
    }
    return ren__graph_add(graph, &ren__pad_op, &n, &x, 1, NULL, 0);
}
