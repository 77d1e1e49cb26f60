/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/linear.h"

#include <string.h>

#include "kernels/vector.h"

enum { OUTPUTS_A_CHUNK = 8, INPUTS_A_CHUNK = 2048, ROWS_A_BLOCK = 64 };

typedef struct linear {
    ren_context *context;
    const ren__vector *vector;
    ren__linear_shape shape;
    const float *x, *weights, *bias, *dy;
    float *y, *dx, *diff_weights, *diff_bias;
    int32_t relu;
    atomic_int failed;
} linear;

static float finish(const linear *l, float value, int64_t output) {
    value += l->bias ? l->bias[output] : 0.0f;
    return l->relu && !(value > 0) ? 0.0f : value;
}

/* Few rows: each output is a dot product over a row of W that is read once; with several rows of x the row of W comes
 * from the cache after the first. */
static void forward_few(void *argument, int64_t begin, int64_t end, int32_t thread) {
    linear *l = argument;
    (void)thread;
    for (int64_t o = begin; o < end; o++)
        for (int64_t r = 0; r < l->shape.rows; r++)
            l->y[r * l->shape.outputs + o] = finish(
                l, (float)l->vector->dot(l->weights + o * l->shape.inputs, l->x + r * l->shape.inputs, l->shape.inputs),
                o);
}

static void forward_many(void *argument, int64_t begin, int64_t end, int32_t thread) {
    linear *l = argument;
    int64_t outputs = l->shape.outputs, inputs = l->shape.inputs;
    float *y = l->y + begin * outputs;
    (void)thread;
    ren_status st = ren__matmul(0, 1, end - begin, outputs, inputs, l->x + begin * inputs, inputs, l->weights, inputs,
                                0.0f, y, outputs);
    if (st != REN_OK) atomic_store(&l->failed, st);
    for (int64_t r = 0; r < end - begin; r++)
        for (int64_t o = 0; o < outputs; o++)
            y[r * outputs + o] = finish(l, y[r * outputs + o], o);
}

static ren_status result(const linear *l) {
    ren_status st = atomic_load(&l->failed);
    return st == REN_OK ? REN_OK : ren__error(st, "no memory for a matrix product");
}

ren_status ren__linear_forward(ren_context *context, ren__run *run, const ren__linear_shape *shape, const float *x,
                               const float *weights, const float *bias, int32_t relu, float *y) {
    linear l = { .context = context,
                 .vector = ren__vector_for(context),
                 .shape = *shape,
                 .x = x,
                 .weights = weights,
                 .bias = bias,
                 .y = y,
                 .relu = relu };
    if (shape->rows <= REN__LINEAR_FEW)
        ren__parallel_for(context, run, shape->outputs, OUTPUTS_A_CHUNK, forward_few, &l);
    else
        ren__parallel_for(context, run, shape->rows, ROWS_A_BLOCK, forward_many, &l);
    return result(&l);
}

/* Few rows: a piece of dx stays in the cache while all rows of W pass. */
static void data_few(void *argument, int64_t begin, int64_t end, int32_t thread) {
    linear *l = argument;
    int64_t inputs = l->shape.inputs;
    (void)thread;
    for (int64_t r = 0; r < l->shape.rows; r++)
        memset(l->dx + r * inputs + begin, 0, (size_t)(end - begin) * sizeof(float));
    for (int64_t o = 0; o < l->shape.outputs; o++)
        for (int64_t r = 0; r < l->shape.rows; r++)
            l->vector->add_scaled(l->dy[r * l->shape.outputs + o], l->weights + o * inputs + begin, end - begin,
                                  l->dx + r * inputs + begin);
}

static void data_many(void *argument, int64_t begin, int64_t end, int32_t thread) {
    linear *l = argument;
    int64_t outputs = l->shape.outputs, inputs = l->shape.inputs;
    (void)thread;
    ren_status st = ren__matmul(0, 0, end - begin, inputs, outputs, l->dy + begin * outputs, outputs, l->weights,
                                inputs, 0.0f, l->dx + begin * inputs, inputs);
    if (st != REN_OK) atomic_store(&l->failed, st);
}

ren_status ren__linear_backward_data(ren_context *context, ren__run *run, const ren__linear_shape *shape,
                                     const float *dy, const float *weights, float *dx) {
    linear l = {
        .context = context, .vector = ren__vector_for(context), .shape = *shape, .dy = dy, .weights = weights, .dx = dx
    };
    if (shape->rows <= REN__LINEAR_FEW)
        ren__parallel_for(context, run, shape->inputs, INPUTS_A_CHUNK, data_few, &l);
    else
        ren__parallel_for(context, run, shape->rows, ROWS_A_BLOCK, data_many, &l);
    return result(&l);
}

static void bias_gradient(const linear *l, int64_t begin, int64_t end) {
    for (int64_t o = begin; l->diff_bias && o < end; o++) {
        double sum = 0;
        for (int64_t r = 0; r < l->shape.rows; r++)
            sum += (double)l->dy[r * l->shape.outputs + o];
        l->diff_bias[o] = (float)sum;
    }
}

static void weights_few(void *argument, int64_t begin, int64_t end, int32_t thread) {
    linear *l = argument;
    int64_t inputs = l->shape.inputs;
    (void)thread;
    for (int64_t o = begin; o < end; o++) {
        float *row = l->diff_weights + o * inputs;
        for (int64_t i = 0; i < inputs; i += INPUTS_A_CHUNK) {
            int64_t n = inputs - i < INPUTS_A_CHUNK ? inputs - i : INPUTS_A_CHUNK;
            memset(row + i, 0, (size_t)n * sizeof(float));
            for (int64_t r = 0; r < l->shape.rows; r++)
                l->vector->add_scaled(l->dy[r * l->shape.outputs + o], l->x + r * inputs + i, n, row + i);
        }
    }
    bias_gradient(l, begin, end);
}

static void weights_many(void *argument, int64_t begin, int64_t end, int32_t thread) {
    linear *l = argument;
    int64_t outputs = l->shape.outputs, inputs = l->shape.inputs;
    (void)thread;
    ren_status st = ren__matmul(1, 0, end - begin, inputs, l->shape.rows, l->dy + begin, outputs, l->x, inputs, 0.0f,
                                l->diff_weights + begin * inputs, inputs);
    if (st != REN_OK) atomic_store(&l->failed, st);
    bias_gradient(l, begin, end);
}

ren_status ren__linear_backward_weights(ren_context *context, ren__run *run, const ren__linear_shape *shape,
                                        const float *x, const float *dy, float *diff_weights, float *diff_bias) {
    linear l = { .context = context,
                 .vector = ren__vector_for(context),
                 .shape = *shape,
                 .x = x,
                 .dy = dy,
                 .diff_weights = diff_weights,
                 .diff_bias = diff_bias };
    if (shape->rows <= REN__LINEAR_FEW)
        ren__parallel_for(context, run, shape->outputs, OUTPUTS_A_CHUNK, weights_few, &l);
    else
        ren__parallel_for(context, run, shape->outputs, ROWS_A_BLOCK, weights_many, &l);
    return result(&l);
}
