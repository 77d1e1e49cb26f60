/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products whose sums are more exact than a chain of float additions: for the forward pass of training.
 *
 * Where an activation lies within rounding of a ReLU's kink, the side it falls on decides a gradient. A float's sum of
 * n products is off by about 2^-25 sqrt(n) of its size, and convolutions sum thousands: after some layers activations
 * were off by 3e-6 of their deviation, and gradients depended on the instruction set. Here at most REN__EXACT_CHAIN
 * products are summed in float and those sums in double: a result is off by about a float's own rounding, whatever n.
 * Vectors of floats do the multiplying, so the price is that of adding them to doubles now and then.
 *
 * Operands are rows of x that lie `step` apart, each of one or several runs (the rows of a convolution's kernel), and
 * weights in panels: for up to REN__EXACT_PANEL outputs side by side, all of a result's inputs one behind the other.
 */
#ifndef REN_KERNELS_EXACT_H
#define REN_KERNELS_EXACT_H

#include "kernels/conv.h"

/* Rows of a call: their sums stay in the first cache. */
enum { REN__EXACT_PANEL = 48, REN__EXACT_LANES = 16, REN__EXACT_CHAIN = 72, REN__EXACT_ROWS = 64 };

/* Rows of x, in groups: run j of row r of group g is the `length` floats at g * group_step + r * step + offset[j]. */
typedef struct ren__exact_rows {
    const float *x;
    int64_t rows, step, runs, length;
    const int64_t *offset;
    int64_t groups, group_step;
} ren__exact_rows;

/* `count` rows of sums of a panel's `width`, a multiple of REN__EXACT_LANES. */
typedef struct ren__exact {
    void (*begin)(const float *bias, int64_t outputs, int64_t count, int64_t width, double *sums); /* bias: nullable */
    /* For the rows of one group: sums[r * width + o] += sum over runs j and their elements k of x times
     * panel[(j * length + k) * width + o], one chain of floats. */
    void (*add)(const ren__exact_rows *rows, const float *panel, int64_t width, double *sums);
    void (*finish)(const double *sums, int64_t count, int64_t width, int64_t outputs, float *y, int64_t y_step);
} ren__exact;

/* The table for the context's instruction set. */
const ren__exact *ren__exact_for(const ren_context *context);

/* y[r * y_step + o] = bias[o] (nullable) + the products, for the `outputs` of a panel and all rows (REN__EXACT_ROWS at
 * most), group after group. The work of one thread. */
void ren__exact_panel(const ren__exact *kernel, const ren__exact_rows *rows, const float *panel, const float *bias,
                      int64_t outputs, float *y, int64_t y_step);
int64_t ren__exact_width(int64_t outputs);

/* Where element (output, tap, input) of weights stands. */
typedef struct ren__exact_weights {
    const float *data;
    int64_t outputs, output_step, taps, tap_step, inputs, input_step;
} ren__exact_weights;

/* Floats of all panels, and filling them: taps are the outer, inputs the inner axis of what is summed. */
size_t ren__exact_packed(const ren__exact_weights *w);
void ren__exact_pack(ren_context *context, const ren__exact_weights *w, float *packed);

/* y (rows x outputs) = x (rows x inputs) W^T + bias (nullable), W packed. */
void ren__exact_linear(ren_context *context, ren__run *run, int64_t rows, int64_t inputs, int64_t outputs,
                       const float *x, const float *packed, const float *bias, float *y);

/* Forward convolution without groups, weights O, I, D, H, W. `scratch`: ren__exact_conv_scratch_bytes. */
size_t ren__exact_conv_scratch_bytes(const ren_context *context, const ren__conv_shape *s);
void ren__exact_conv_forward(ren_context *context, ren__run *run, const ren__conv_shape *s, const float *src,
                             const float *weights, const float *bias, float *dst, void *scratch);

extern const ren__exact ren__exact_plain, ren__exact_avx2, ren__exact_avx512;

#endif
