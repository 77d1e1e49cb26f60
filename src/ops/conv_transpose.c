/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transposed convolution whose kernel is its stride: every cell becomes a block of cells of its own, so that nothing
 * overlaps and each cell of the block is a linear layer. Weight C, O, kernel... as PyTorch's. Rows are taken in blocks
 * that do not depend on the number of threads.
 */
#include <math.h>
#include <string.h>

#include "kernels/linear.h"
#include "ops/bfloat_rows.h"
#include "ops/internal.h"

enum { ROWS_A_BLOCK = 256 };

typedef struct transpose_node {
    int64_t channels, kernel[3]; /* missing axes are 1, in front */
    int32_t no_bias;
} transpose_node;

static int64_t cells_of(const transpose_node *n) {
    return n->kernel[0] * n->kernel[1] * n->kernel[2];
}

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const transpose_node *n = node->options;
    *output = *ren__graph_shape(graph, node->input[0]);
    const int32_t axes = output->rank - 2;
    if (axes < 1 || axes > 3 || n->channels < 1)
        return ren__error(REN_E_INVALID, "conv_transpose: the input is no map, or there are no channels");
    for (int32_t i = 0; i < axes; i++) {
        const int64_t kernel = n->kernel[3 - axes + i];
        if (kernel < 1 || kernel > 16)
            return ren__error(REN_E_INVALID, "conv_transpose: a kernel of %lld", (long long)kernel);
        output->dim[1 + i] *= kernel;
    }
    output->dim[output->rank - 1] = n->channels;
    return REN_OK;
}

typedef struct transpose_job {
    ren__step *step;
    const transpose_node *node;
    ren__extent in, out;
    int64_t rows, cells, wide; /* rows of the input; cells of a block; cells x O */
    float *packed;             /* cells x O, C: the layer's weights in the order of a block's values */
    float *threads;            /* ROWS_A_BLOCK x wide for each thread */
    float *gradient;           /* cells x O, C */
    atomic_int status;
} transpose_job;

static void lay_out(ren__step *step, transpose_job *j) {
    *j = (transpose_job){ .step = step, .node = step->node->options };
    j->in = ren__extent_of(&step->input_shape[0]);
    j->out = ren__extent_of(&step->output_shape);
    j->rows = ren__rows_of(&step->input_shape[0]);
    j->cells = cells_of(j->node);
    j->wide = j->cells * j->out.channels;
    j->packed = step->scratch;
    j->gradient = j->packed + j->wide * j->in.channels;
    j->threads = j->gradient + (step->training ? j->wide * j->in.channels : 0);
}

static ren_status plan(ren__step *step) {
    transpose_job j;
    lay_out(step, &j);
    if (ren__bfloat_rows_apply(step, j.rows, j.in.channels))
        return ren__bfloat_rows_plan(step, j.rows, j.in.channels, j.wide, 0);
    step->scratch_bytes = (size_t)((step->training ? 2 : 1) * j.wide * j.in.channels +
                                   (int64_t)step->context->threads * ROWS_A_BLOCK * j.wide) *
                          sizeof(float);
    return REN_OK;
}

/* Element (cell, o, c) of the packed weights stands at this place in the published order C, O, cell. */
static int64_t published(const transpose_job *j, int64_t cell, int64_t o, int64_t c) {
    return (c * j->out.channels + o) * j->cells + cell;
}

static void pack(const transpose_job *j, float *to) {
    for (int64_t cell = 0; cell < j->cells; cell++)
        for (int64_t o = 0; o < j->out.channels; o++)
            for (int64_t c = 0; c < j->in.channels; c++)
                *to++ = j->step->parameter[0][published(j, cell, o, c)];
}

static void unpack_gradient(const transpose_job *j) {
    const float *from = j->gradient;
    for (int64_t cell = 0; cell < j->cells; cell++)
        for (int64_t o = 0; o < j->out.channels; o++)
            for (int64_t c = 0; c < j->in.channels; c++)
                j->step->parameter_gradient[0][published(j, cell, o, c)] = *from++;
}

/* Where a block's cell lies in the output. */
static int64_t place(const transpose_job *j, int64_t row, int64_t cell) {
    const int64_t *kernel = j->node->kernel, w = row % j->in.size[2], h = row / j->in.size[2] % j->in.size[1];
    const int64_t plane = row / (j->in.size[2] * j->in.size[1]), d = plane % j->in.size[0];
    const int64_t sample = plane / j->in.size[0];
    return (((sample * j->out.size[0] + d * kernel[0] + cell / (kernel[1] * kernel[2])) * j->out.size[1] +
             h * kernel[1] + cell / kernel[2] % kernel[1]) *
                j->out.size[2] +
            w * kernel[2] + cell % kernel[2]) *
           j->out.channels;
}

static void arrange(ren__step *step, float *matrix) {
    transpose_job j;
    lay_out(step, &j);
    pack(&j, matrix);
}

static ren_status prepare(ren__step *step) {
    return ren__bfloat_rows_of(step) ? ren__bfloat_rows_prepare(step, arrange) : REN_OK;
}

/* Rows of blocks, from row `first` on, to their places in the output. */
static void spread(const transpose_job *j, const float *blocks, int64_t first, int64_t rows) {
    const int64_t o = j->out.channels;
    const float *bias = j->node->no_bias ? NULL : j->step->parameter[1];
    for (int64_t row = 0; row < rows; row++)
        for (int64_t cell = 0; cell < j->cells; cell++) {
            const float *from = blocks + row * j->wide + cell * o;
            float *to = j->step->output + place(j, first + row, cell);
            for (int64_t k = 0; k < o; k++)
                to[k] = from[k] + (bias ? bias[k] : 0.0f);
        }
}

static void spread_slab(void *argument, const float *slab, int64_t sample, int64_t plane, int64_t planes) {
    (void)sample;
    spread(argument, slab, plane, planes);
}

static void keep_status(transpose_job *j, ren_status st) {
    if (st != REN_OK) atomic_store(&j->status, st);
}

static void forward_block(void *argument, int64_t begin, int64_t end, int32_t thread) {
    transpose_job *j = argument;
    const int64_t c = j->in.channels;
    float *block = j->threads + (int64_t)thread * ROWS_A_BLOCK * j->wide;
    keep_status(j, ren__matmul(0, 1, end - begin, j->wide, c, j->step->input[0] + begin * c, c, j->packed, c, 0.0f,
                               block, j->wide));
    spread(j, block, begin, end - begin);
}

static ren_status result(const transpose_job *j) {
    const ren_status st = atomic_load(&j->status);
    return st == REN_OK ? REN_OK : ren__error(st, "no memory for a matrix product");
}

static ren_status forward(ren__step *step) {
    transpose_job j;
    lay_out(step, &j);
    if (ren__bfloat_rows_of(step)) return ren__bfloat_rows_forward(step, NULL, NULL, spread_slab, &j);
    pack(&j, j.packed);
    ren__parallel_for(step->context, step->run, j.rows, ROWS_A_BLOCK, forward_block, &j);
    return result(&j);
}

/* ---- backward ---- */

static void data_block(void *argument, int64_t begin, int64_t end, int32_t thread) {
    transpose_job *j = argument;
    const int64_t c = j->in.channels, o = j->out.channels;
    float *block = j->threads + (int64_t)thread * ROWS_A_BLOCK * j->wide;
    for (int64_t row = begin; row < end; row++)
        for (int64_t cell = 0; cell < j->cells; cell++)
            memcpy(block + (row - begin) * j->wide + cell * o, j->step->output_gradient + place(j, row, cell),
                   (size_t)o * sizeof(float));
    keep_status(j, ren__matmul(0, 0, end - begin, c, j->wide, block, j->wide, j->packed, c, 0.0f,
                               j->step->input_gradient[0] + begin * c, c));
}

/* One cell's layer: the sum over all rows, block after block. */
static void weights_cell(void *argument, int64_t begin, int64_t end, int32_t thread) {
    transpose_job *j = argument;
    const int64_t c = j->in.channels, o = j->out.channels;
    float *block = j->threads + (int64_t)thread * ROWS_A_BLOCK * j->wide;
    for (int64_t cell = begin; cell < end; cell++)
        for (int64_t first = 0; first < j->rows; first += ROWS_A_BLOCK) {
            const int64_t rows = j->rows - first < ROWS_A_BLOCK ? j->rows - first : ROWS_A_BLOCK;
            for (int64_t r = 0; r < rows; r++)
                memcpy(block + r * o, j->step->output_gradient + place(j, first + r, cell), (size_t)o * sizeof(float));
            keep_status(j, ren__matmul(1, 0, o, c, rows, block, o, j->step->input[0] + first * c, c,
                                       first ? 1.0f : 0.0f, j->gradient + cell * o * c, c));
        }
}

static void bias_gradient(const transpose_job *j) {
    const int64_t o = j->out.channels, rows = ren__rows_of(&j->step->output_shape);
    for (int64_t k = 0; k < o; k++) {
        double sum = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += (double)j->step->output_gradient[r * o + k];
        j->step->parameter_gradient[1][k] = (float)sum;
    }
}

static ren_status backward(ren__step *step) {
    transpose_job j;
    lay_out(step, &j);
    pack(&j, j.packed);
    ren__parallel_for(step->context, step->run, j.cells, 1, weights_cell, &j);
    unpack_gradient(&j);
    if (!j.node->no_bias) bias_gradient(&j);
    if (step->input_gradient[0]) ren__parallel_for(step->context, step->run, j.rows, ROWS_A_BLOCK, data_block, &j);
    return result(&j);
}

static double flops(const ren__graph *graph, const ren__node *node) {
    const ren__shape *input = ren__graph_shape(graph, node->input[0]);
    return 2.0 * (double)ren__channels_of(input) * (double)ren__shape_elements(ren__graph_shape(graph, node->output));
}

const ren__op ren__conv_transpose_op = {
    .name = "conv_transpose",
    .option_bytes = sizeof(transpose_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = ren__bfloat_rows_release,
    .flops = flops,
};

ren__value ren__conv_transpose(ren__graph *graph, ren__value x, const char *name, int64_t channels,
                               const int64_t *kernel, int32_t no_bias) {
    const ren__shape *input = ren__graph_shape(graph, x);
    const int32_t axes = input->rank - 2;
    transpose_node n = { channels, { 1, 1, 1 }, no_bias != 0 };
    ren__shape shape = { input->rank, { ren__channels_of(input), channels } };
    for (int32_t i = 0; i < axes && axes <= 3; i++)
        shape.dim[2 + i] = n.kernel[3 - axes + i] = kernel[i];
    /* PyTorch's default: the fan is that of the weight's second axis. */
    const double fan = (double)(channels * cells_of(&n));
    const ren__initialiser uniform = { REN__INIT_UNIFORM, 1.0 / sqrt(fan > 0 ? fan : 1) };
    int32_t parameters[2] = { ren__graph_parameter(graph, name, "weight", shape, uniform, 1), -1 };
    if (!no_bias) parameters[1] = ren__graph_parameter(graph, name, "bias", ren__shape_of(1, &channels), uniform, 1);
    return ren__graph_add(graph, &ren__conv_transpose_op, &n, &x, 1, parameters, no_bias ? 1 : 2);
}
