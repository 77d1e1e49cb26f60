/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One expert of a mixture of MLPs: sum + g MLP(x), MLP a linear layer, GELU and another linear layer, for those rows of
 * x alone whose factor g is not zero: the others cost nothing. The rows are gathered block by block, so that what lies
 * between the layers stays in a thread's cache and is never whole in memory; backward computes it again, slab by slab,
 * for the products that need many rows. Blocks and tiles do not depend on the number of threads.
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "kernels/linear.h"
#include "kernels/vector.h"
#include "ops/internal.h"

enum { ROWS_A_BLOCK = 128, ROWS_A_SLAB = 1024, COLUMNS_A_TILE = 64 };
enum { EVERY_ROW, BY_NUMBER, BY_FACTOR }; /* without gates, with the number of a sample's expert, with factors */

typedef struct expert_node {
    int64_t hidden;
    int32_t expert, experts, chosen;
    int32_t has_sum, gate;
} expert_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const expert_node *n = node->options;
    const ren__shape *x = ren__graph_shape(graph, node->input[n->has_sum]);
    *output = *x;
    if (x->rank < 2 || n->hidden < 1) return ren__error(REN_E_INVALID, "expert_mlp: the input has no channels");
    if (n->expert < 0 || n->expert >= n->experts)
        return ren__error(REN_E_INVALID, "expert_mlp: there is no expert %d of %d", (int)n->expert, (int)n->experts);
    if (n->has_sum &&
        (!ren__shape_equal(x, ren__graph_shape(graph, node->input[0])) || node->input[0] == node->input[1]))
        return ren__error(REN_E_INVALID, "expert_mlp: the sum is no other tensor of the input's shape");
    if (n->gate == EVERY_ROW) return REN_OK;
    const ren__shape *gates = ren__graph_shape(graph, node->input[n->has_sum + 1]);
    const int64_t rows = n->gate == BY_NUMBER ? gates->dim[0] : ren__rows_of(gates);
    if (rows < 1 || ren__rows_of(x) % rows || x->dim[0] != gates->dim[0] ||
        (n->gate == BY_FACTOR && ren__channels_of(gates) != n->experts))
        return ren__error(REN_E_INVALID, "expert_mlp: the gates do not fit the input");
    return REN_OK;
}

typedef struct expert_job {
    ren__step *step;
    const expert_node *node;
    const ren__vector *vector;
    int64_t rows, channels, hidden;
    int64_t each;                     /* rows of x for one of the gates */
    const float *x, *gates;           /* gates NULL: every row */
    const float *weight[2], *bias[2]; /* hidden x channels, channels x hidden */
    float *sum_gradient, *x_gradient, *gate_gradient;
    int64_t *chosen, count; /* rows that this expert computes */
    size_t each_thread;
    float *threads;
    /* backward: a slab of the chosen rows, and what is summed over all slabs */
    int64_t first, length;
    float *slab_x, *slab_dy, *slab_before, *slab_after, *dots;
    double *bias_gradient;
    atomic_int failed;
} expert_job;

static void lay_out(ren__step *step, expert_job *j) {
    const expert_node *n = step->node->options;
    const int32_t x = n->has_sum;
    *j = (expert_job){ .step = step, .node = n, .vector = ren__vector_for(step->context), .hidden = n->hidden };
    j->rows = ren__rows_of(&step->output_shape);
    j->channels = ren__channels_of(&step->output_shape);
    j->x = step->input[x];
    j->gates = n->gate == EVERY_ROW ? NULL : step->input[x + 1];
    j->each = n->gate == EVERY_ROW   ? 1
              : n->gate == BY_NUMBER ? j->rows / step->output_shape.dim[0]
                                     : j->rows / ren__rows_of(&step->input_shape[x + 1]);
    j->sum_gradient = n->has_sum ? step->input_gradient[0] : NULL;
    j->x_gradient = step->input_gradient[x];
    j->gate_gradient = n->gate == BY_FACTOR ? step->input_gradient[x + 1] : NULL;
    for (int i = 0; i < 2; i++) {
        j->weight[i] = step->parameter[2 * (size_t)i];
        j->bias[i] = step->parameter[2 * (size_t)i + 1];
    }
    j->each_thread = (size_t)(ROWS_A_BLOCK * (j->channels + j->hidden));
    j->chosen = step->scratch;
    j->bias_gradient = (double *)(void *)(j->chosen + j->rows);
    j->threads = (float *)(void *)(j->bias_gradient + (step->training ? j->channels + j->hidden : 0));
    j->slab_x = j->threads + (size_t)step->context->threads * j->each_thread;
    j->slab_dy = j->slab_x + ROWS_A_SLAB * j->channels;
    j->slab_before = j->slab_dy + ROWS_A_SLAB * j->channels;
    j->slab_after = j->slab_before + ROWS_A_SLAB * j->hidden;
    j->dots = j->slab_after + ROWS_A_SLAB * j->hidden;
    atomic_init(&j->failed, REN_OK);
}

static ren_status plan(ren__step *step) {
    expert_job j;
    lay_out(step, &j);
    const size_t width = (size_t)(j.channels + j.hidden);
    step->scratch_bytes =
        (size_t)j.rows * sizeof *j.chosen + (size_t)step->context->threads * j.each_thread * sizeof(float);
    if (step->training) step->scratch_bytes += width * sizeof(double) + ROWS_A_SLAB * (2 * width + 1) * sizeof(float);
    return REN_OK;
}

/* The factor of a row: of the gates where they are factors, else 1 or 0. */
static float factor_of(const expert_job *j, int64_t row) {
    if (!j->gates) return 1;
    const int64_t at = row / j->each;
    return j->node->gate == BY_NUMBER ? j->gates[at] == (float)j->node->expert
                                      : j->gates[at * j->node->experts + j->node->expert];
}

static ren_status find_rows(expert_job *j) {
    for (int64_t i = 0; j->node->gate == BY_NUMBER && i < j->rows / j->each; i++)
        if (!(j->gates[i] >= 0 && j->gates[i] < (float)j->node->experts) || j->gates[i] != floorf(j->gates[i]))
            return ren__error(REN_E_DATA, "sample %lld of the batch names no expert", (long long)i);
    for (int64_t row = 0; row < j->rows; row++)
        if (factor_of(j, row) != 0) j->chosen[j->count++] = row;
    return REN_OK;
}

static void gather(const expert_job *j, const float *from, int64_t first, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i++)
        memcpy(to + i * j->channels, from + j->chosen[first + i] * j->channels, (size_t)j->channels * sizeof *to);
}

static void product(expert_job *j, int32_t transpose_a, int32_t transpose_b, const int64_t size[3], const float *a,
                    int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    const ren_status st =
        ren__matmul(transpose_a, transpose_b, size[0], size[1], size[2], a, lda, b, ldb, beta, c, ldc);
    if (st != REN_OK) atomic_store(&j->failed, st);
}

/* The first layer of gathered rows, before the GELU. */
static void first_layer(expert_job *j, const float *x, int64_t count, float *before) {
    const int64_t c = j->channels, h = j->hidden;
    product(j, 0, 1, (int64_t[]){ count, h, c }, x, c, j->weight[0], c, 0, before, h);
    for (int64_t i = 0; i < count; i++)
        j->vector->add_scaled(1, j->bias[0], h, before + i * h);
}

static ren_status result(expert_job *j) {
    const ren_status st = atomic_load(&j->failed);
    return st == REN_OK ? REN_OK : ren__error(st, "no memory for a matrix product");
}

/* ---- forward ---- */

static void forward_block(expert_job *j, int64_t first, int64_t count, float *room) {
    const int64_t c = j->channels, h = j->hidden;
    float *rows = room, *between = room + ROWS_A_BLOCK * c;
    gather(j, j->x, first, count, rows);
    first_layer(j, rows, count, between);
    j->vector->activate(REN__GELU, between, count * h, between);
    product(j, 0, 1, (int64_t[]){ count, c, h }, between, h, j->weight[1], h, 0, rows, c);
    for (int64_t i = 0; i < count; i++) {
        const int64_t row = j->chosen[first + i];
        float *y = j->step->output + row * c, *from = rows + i * c;
        j->vector->add_scaled(1, j->bias[1], c, from);
        if (!j->node->has_sum) memset(y, 0, (size_t)c * sizeof *y);
        j->vector->add_scaled(factor_of(j, row), from, c, y);
    }
}

static void forward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    expert_job *j = argument;
    for (int64_t at = begin; at < end; at += ROWS_A_BLOCK)
        forward_block(j, at, end - at < ROWS_A_BLOCK ? end - at : ROWS_A_BLOCK,
                      j->threads + (size_t)thread * j->each_thread);
}

/* Without a sum, the rows that have chosen others. */
static void clear_rest(const expert_job *j) {
    int64_t next = 0;
    for (int64_t row = 0; row < j->rows; row++)
        if (next < j->count && j->chosen[next] == row)
            next++;
        else
            memset(j->step->output + row * j->channels, 0, (size_t)j->channels * sizeof(float));
}

static ren_status forward(ren__step *step) {
    expert_job j;
    lay_out(step, &j);
    const ren_status st = find_rows(&j);
    if (st != REN_OK) return st;
    if (!j.node->has_sum)
        clear_rest(&j);
    else if (step->output != step->input[0])
        memcpy(step->output, step->input[0], (size_t)(j.rows * j.channels) * sizeof(float));
    ren__parallel_for(step->context, step->run, j.count, ROWS_A_BLOCK, forward_rows, &j);
    return result(&j);
}

/* ---- backward ---- */

/* With t = dy W2: the factor's gradient is GELU(before) t + dy b2, that of the rows between g t GELU'(before). Leaves
 * in the slab x, g dy, the gradient before the GELU, and the rows after it. */
static void backward_block(expert_job *j, int64_t begin, int64_t count, float *room) {
    const int64_t c = j->channels, h = j->hidden;
    float *x = j->slab_x + begin * c, *dy = j->slab_dy + begin * c;
    float *before = j->slab_before + begin * h, *after = j->slab_after + begin * h;
    float *t = room + ROWS_A_BLOCK * c;
    gather(j, j->x, j->first + begin, count, x);
    gather(j, j->step->output_gradient, j->first + begin, count, dy);
    first_layer(j, x, count, before);
    j->vector->activate(REN__GELU, before, count * h, after);
    product(j, 0, 0, (int64_t[]){ count, h, c }, dy, c, j->weight[1], h, 0, t, h);
    for (int64_t i = 0; i < count; i++) {
        const float g = factor_of(j, j->chosen[j->first + begin + i]);
        j->dots[begin + i] =
            (float)(j->vector->dot(after + i * h, t + i * h, h) + j->vector->dot(dy + i * c, j->bias[1], c));
        for (int64_t k = 0; g != 1 && k < h; k++)
            t[i * h + k] *= g;
        for (int64_t k = 0; g != 1 && k < c; k++)
            dy[i * c + k] *= g;
    }
    j->vector->activate_backward(REN__GELU, before, t, count * h, before);
    if (!j->x_gradient) return;
    product(j, 0, 0, (int64_t[]){ count, c, h }, before, h, j->weight[0], c, 0, room, c);
    for (int64_t i = 0; i < count; i++)
        memcpy(j->x_gradient + j->chosen[j->first + begin + i] * c, room + i * c, (size_t)c * sizeof *room);
}

static void backward_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    expert_job *j = argument;
    for (int64_t at = begin; at < end; at += ROWS_A_BLOCK)
        backward_block(j, at, end - at < ROWS_A_BLOCK ? end - at : ROWS_A_BLOCK,
                       j->threads + (size_t)thread * j->each_thread);
}

static void add_columns(const float *rows, int64_t count, int64_t width, int64_t begin, int64_t end, double *sum) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = begin; k < end; k++)
            sum[k] += (double)rows[i * width + k];
}

/* Of the channels between the layers: their rows of the first weight, their columns of the second. */
static void hidden_tile(void *argument, int64_t begin, int64_t end, int32_t thread) {
    expert_job *j = argument;
    const int64_t c = j->channels, h = j->hidden, n = end - begin;
    const float beta = j->first > 0;
    float *const *gradient = j->step->parameter_gradient;
    (void)thread;
    product(j, 1, 0, (int64_t[]){ n, c, j->length }, j->slab_before + begin, h, j->slab_x, c, beta,
            gradient[0] + begin * c, c);
    product(j, 1, 0, (int64_t[]){ c, n, j->length }, j->slab_dy, c, j->slab_after + begin, h, beta, gradient[2] + begin,
            h);
    add_columns(j->slab_before, j->length, h, begin, end, j->bias_gradient);
}

static void channel_tile(void *argument, int64_t begin, int64_t end, int32_t thread) {
    expert_job *j = argument;
    (void)thread;
    add_columns(j->slab_dy, j->length, j->channels, begin, end, j->bias_gradient + j->hidden);
}

static void backward_slab(expert_job *j) {
    ren__step *step = j->step;
    j->length = j->count - j->first < ROWS_A_SLAB ? j->count - j->first : ROWS_A_SLAB;
    ren__parallel_for(step->context, step->run, j->length, ROWS_A_BLOCK, backward_rows, j);
    ren__parallel_for(step->context, step->run, j->hidden, COLUMNS_A_TILE, hidden_tile, j);
    ren__parallel_for(step->context, step->run, j->channels, COLUMNS_A_TILE, channel_tile, j);
    for (int64_t i = 0; j->gate_gradient && i < j->length; i++)
        j->gate_gradient[j->chosen[j->first + i] / j->each * j->node->experts + j->node->expert] += j->dots[i];
}

static void clear_gradients(const expert_job *j) {
    const size_t weights = (size_t)(j->channels * j->hidden) * sizeof(float);
    float *const *gradient = j->step->parameter_gradient;
    if (j->x_gradient) memset(j->x_gradient, 0, (size_t)(j->rows * j->channels) * sizeof(float));
    if (j->gate_gradient) memset(j->gate_gradient, 0, (size_t)(j->rows / j->each * j->node->experts) * sizeof(float));
    memset(j->bias_gradient, 0, (size_t)(j->channels + j->hidden) * sizeof(double));
    for (int i = 0; i < 2 && j->count == 0; i++)
        memset(gradient[2 * (size_t)i], 0, weights);
}

static ren_status backward(ren__step *step) {
    expert_job j;
    lay_out(step, &j);
    const ren_status st = find_rows(&j);
    if (st != REN_OK) return st;
    if (j.sum_gradient) memcpy(j.sum_gradient, step->output_gradient, (size_t)(j.rows * j.channels) * sizeof(float));
    clear_gradients(&j);
    for (j.first = 0; j.first < j.count; j.first += ROWS_A_SLAB)
        backward_slab(&j);
    for (int64_t i = 0; i < j.hidden; i++)
        step->parameter_gradient[1][i] = (float)j.bias_gradient[i];
    for (int64_t i = 0; i < j.channels; i++)
        step->parameter_gradient[3][i] = (float)j.bias_gradient[j.hidden + i];
    return result(&j);
}

/* Two products for each row that is expected to choose this expert. */
static double flops(const ren__graph *graph, const ren__node *node) {
    const expert_node *n = node->options;
    return 4.0 * (double)ren__shape_elements(ren__graph_shape(graph, node->output)) * (double)n->hidden *
           (double)n->chosen / (double)n->experts;
}

const ren__op ren__expert_mlp_op = {
    .name = "expert_mlp",
    .option_bytes = sizeof(expert_node),
    .flags = REN__KEEPS_INPUT | REN__IN_PLACE,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};

ren__value ren__expert_mlp(ren__graph *graph, ren__value sum, ren__value x, ren__value gates, const char *name,
                           const ren__expert_options *options) {
    static const char *const suffixes[4] = { "0.weight", "0.bias", "2.weight", "2.bias" };
    const ren__initialiser drawn = { REN__INIT_TRUNCATED_NORMAL, 0.02 }, zero = { REN__INIT_ZERO, 0 };
    const int64_t c = ren__channels_of(ren__graph_shape(graph, x)), h = options->hidden;
    const ren__shape shapes[4] = { ren__shape_of(2, (int64_t[]){ h, c }), ren__shape_of(1, &h),
                                   ren__shape_of(2, (int64_t[]){ c, h }), ren__shape_of(1, &c) };
    expert_node n = { .hidden = h,
                      .expert = options->expert,
                      .experts = options->experts,
                      .chosen = options->chosen > 0 ? options->chosen : options->experts,
                      .has_sum = sum != REN__NONE,
                      .gate = EVERY_ROW };
    ren__value inputs[3];
    int32_t parameters[4], count = 0;
    if (n.has_sum) inputs[count++] = sum;
    inputs[count++] = x;
    if (gates != REN__NONE) {
        inputs[count++] = gates;
        n.gate = ren__graph_shape(graph, gates)->rank == 1 ? BY_NUMBER : BY_FACTOR;
    }
    for (int i = 0; i < 4; i++)
        parameters[i] = ren__graph_parameter(graph, name, suffixes[i], shapes[i], i % 2 ? zero : drawn, 1);
    return ren__graph_add(graph, &ren__expert_mlp_op, &n, inputs, count, parameters, 4);
}
