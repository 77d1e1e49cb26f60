/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of several heads: for the samples that name it, sum + x W^T in the first of the output's channels; for the others
 * the sum alone. So heads of different numbers of classes fill one map, each sample by its own.
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "kernels/linear.h"
#include "ops/internal.h"

enum { ROWS_A_BLOCK = 1024, CHUNKS = 32 };

typedef struct head_node {
    int64_t classes, width;
    int32_t head, heads;
    int32_t has_sum, has_numbers;
} head_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const head_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[n->has_sum]);
    if (output->rank < 2) return ren__error(REN_E_INVALID, "head: the input has no channels");
    if (n->classes < 1 || n->classes > n->width || n->head < 0 || n->head >= n->heads)
        return ren__error(REN_E_INVALID, "head: number %d of %d has %lld of %lld channels", (int)n->head, (int)n->heads,
                          (long long)n->classes, (long long)n->width);
    if (n->has_numbers) {
        const ren__shape *numbers = ren__graph_shape(graph, node->input[n->has_sum + 1]);
        if (numbers->rank != 1 || numbers->dim[0] != output->dim[0])
            return ren__error(REN_E_INVALID, "head: needs one number a sample");
    }
    output->dim[output->rank - 1] = n->width;
    if (n->has_sum && !ren__shape_equal(output, ren__graph_shape(graph, node->input[0])))
        return ren__error(REN_E_INVALID, "head: the sum has not the output's shape");
    return REN_OK;
}

typedef struct head_job {
    ren__step *step;
    const head_node *node;
    const float *x, *numbers;
    float *x_gradient, *partial; /* of the weight, for each chunk */
    int64_t channels, each;      /* rows of a sample */
    int64_t blocks, items;       /* of a sample, of all */
    int64_t chunk, chunks;       /* items of a chunk */
    atomic_int failed;
} head_job;

static void lay_out(ren__step *step, head_job *j) {
    const head_node *n = step->node->options;
    const int32_t x = n->has_sum;
    *j = (head_job){ .step = step, .node = n, .x = step->input[x], .x_gradient = step->input_gradient[x] };
    j->numbers = n->has_numbers ? step->input[x + 1] : NULL;
    j->channels = ren__channels_of(&step->input_shape[x]);
    j->each = ren__rows_of(&step->output_shape) / step->output_shape.dim[0];
    j->blocks = (j->each + ROWS_A_BLOCK - 1) / ROWS_A_BLOCK;
    j->items = step->output_shape.dim[0] * j->blocks;
    j->chunk = (j->items + CHUNKS - 1) / CHUNKS;
    j->chunks = (j->items + j->chunk - 1) / j->chunk;
    j->partial = step->scratch;
    atomic_init(&j->failed, REN_OK);
}

static ren_status plan(ren__step *step) {
    head_job j;
    lay_out(step, &j);
    if (step->training) step->scratch_bytes = (size_t)(j.chunks * j.node->classes * j.channels) * sizeof(float);
    return REN_OK;
}

static ren_status check_numbers(const head_job *j) {
    for (int64_t i = 0; j->numbers && i < j->step->output_shape.dim[0]; i++)
        if (!(j->numbers[i] >= 0 && j->numbers[i] < (float)j->node->heads) || j->numbers[i] != floorf(j->numbers[i]))
            return ren__error(REN_E_DATA, "sample %lld of the batch names no head", (long long)i);
    return REN_OK;
}

/* The rows of an item; 0 where the sample has named another head. */
static int64_t rows_of(const head_job *j, int64_t item, int64_t *first) {
    const int64_t sample = item / j->blocks, begin = item % j->blocks * ROWS_A_BLOCK;
    *first = sample * j->each + begin;
    if (j->numbers && j->numbers[sample] != (float)j->node->head) return 0;
    return j->each - begin < ROWS_A_BLOCK ? j->each - begin : ROWS_A_BLOCK;
}

static void keep_status(head_job *j, ren_status st) {
    if (st != REN_OK) atomic_store(&j->failed, st);
}

static ren_status result(head_job *j) {
    const ren_status st = atomic_load(&j->failed);
    return st == REN_OK ? REN_OK : ren__error(st, "no memory for a matrix product");
}

static void forward_items(void *argument, int64_t begin, int64_t end, int32_t thread) {
    head_job *j = argument;
    const int64_t c = j->channels, width = j->node->width;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        int64_t first;
        const int64_t rows = rows_of(j, item, &first);
        if (rows == 0) continue;
        keep_status(j, ren__matmul(0, 1, rows, j->node->classes, c, j->x + first * c, c, j->step->parameter[0], c, 1.0f,
                                   j->step->output + first * width, width));
    }
}

static ren_status forward(ren__step *step) {
    head_job j;
    lay_out(step, &j);
    const ren_status st = check_numbers(&j);
    const size_t bytes = (size_t)ren__shape_elements(&step->output_shape) * sizeof(float);
    if (st != REN_OK) return st;
    if (j.node->has_sum)
        memcpy(step->output, step->input[0], bytes);
    else
        memset(step->output, 0, bytes);
    ren__parallel_for(step->context, step->run, j.items, 1, forward_items, &j);
    return result(&j);
}

static void backward_item(head_job *j, int64_t item, float *weight) {
    const int64_t c = j->channels, width = j->node->width, k = j->node->classes;
    int64_t first;
    const int64_t rows = rows_of(j, item, &first);
    const float *dy = j->step->output_gradient + first * width;
    if (rows == 0) return;
    keep_status(j, ren__matmul(1, 0, k, c, rows, dy, width, j->x + first * c, c, 1.0f, weight, c));
    if (j->x_gradient)
        keep_status(
            j, ren__matmul(0, 0, rows, c, k, dy, width, j->step->parameter[0], c, 0.0f, j->x_gradient + first * c, c));
}

static void backward_chunks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    head_job *j = argument;
    const int64_t size = j->node->classes * j->channels;
    (void)thread;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        float *weight = j->partial + chunk * size;
        memset(weight, 0, (size_t)size * sizeof *weight);
        for (int64_t item = chunk * j->chunk; item < (chunk + 1) * j->chunk && item < j->items; item++)
            backward_item(j, item, weight);
    }
}

static ren_status backward(ren__step *step) {
    head_job j;
    lay_out(step, &j);
    const ren_status st = check_numbers(&j);
    if (st != REN_OK) return st;
    if (j.node->has_sum && step->input_gradient[0])
        memcpy(step->input_gradient[0], step->output_gradient,
               (size_t)ren__shape_elements(&step->output_shape) * sizeof(float));
    if (j.x_gradient)
        memset(j.x_gradient, 0, (size_t)(step->output_shape.dim[0] * j.each * j.channels) * sizeof(float));
    ren__parallel_for(step->context, step->run, j.chunks, 1, backward_chunks, &j);
    if (ren__run_check(step->run) != REN_OK) return REN_OK; /* chunks that were left out have no sums */
    for (int64_t i = 0; i < j.node->classes * j.channels; i++) {
        double sum = 0;
        for (int64_t chunk = 0; chunk < j.chunks; chunk++)
            sum += (double)j.partial[chunk * j.node->classes * j.channels + i];
        step->parameter_gradient[0][i] = (float)sum;
    }
    return result(&j);
}

static double flops(const ren__graph *graph, const ren__node *node) {
    const head_node *n = node->options;
    const ren__shape *x = ren__graph_shape(graph, node->input[n->has_sum]);
    return 2.0 * (double)ren__shape_elements(x) * (double)n->classes / (double)(n->has_numbers ? n->heads : 1);
}

const ren__op ren__head_op = {
    .name = "head",
    .option_bytes = sizeof(head_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};

ren__value ren__head(ren__graph *graph, ren__value sum, ren__value x, ren__value numbers, const char *name,
                     const ren__head_options *options) {
    const ren__shape *shape = ren__graph_shape(graph, x);
    const int64_t c = ren__channels_of(shape);
    ren__shape weight = { shape->rank > 2 ? shape->rank : 2, { options->classes, c } };
    head_node n = { options->classes, options->width,   options->head,
                    options->heads,   sum != REN__NONE, numbers != REN__NONE };
    ren__value inputs[3];
    int32_t count = 0;
    for (int32_t i = 2; i < weight.rank; i++)
        weight.dim[i] = 1;
    const ren__initialiser drawn = { REN__INIT_UNIFORM, 1.0 / sqrt((double)(c > 0 ? c : 1)) };
    const int32_t parameter = ren__graph_parameter(graph, name, "weight", weight, drawn, 1);
    if (n.has_sum) inputs[count++] = sum;
    inputs[count++] = x;
    if (n.has_numbers) inputs[count++] = numbers;
    return ren__graph_add(graph, &ren__head_op, &n, inputs, count, &parameter, 1);
}
