/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows times a matrix with factors in bfloat16, for inference: what linear layers and transposed convolutions are then.
 * It is a convolution of kernel 1 whose first axis is the rows, so that slabs, packing and scratch are a convolution's
 * (measured: within 5 % of oneDNN's matrix product, twice the float one).
 */
#ifndef REN_OPS_BFLOAT_ROWS_H
#define REN_OPS_BFLOAT_ROWS_H

#include "graph/op.h"
#include "kernels/conv.h"

typedef struct ren__bfloat_rows {
    ren__convolution *conv;
    const void *packed; /* with the weights, once prepared */
} ren__bfloat_rows;

/* Whether this step's product is to be made so. Few rows are a matter of reading the matrix, which is not kept twice.
 */
int ren__bfloat_rows_apply(const ren__step *step, int64_t rows, int64_t inputs);
/* Makes the kernels and sets the step's state and scratch_bytes. `relu`: ends with max(0, .). */
ren_status ren__bfloat_rows_plan(ren__step *step, int64_t rows, int64_t inputs, int64_t outputs, int32_t relu);
/* The step's state; NULL where its product is made in float. */
ren__bfloat_rows *ren__bfloat_rows_of(const ren__step *step);
/* Packs the matrix, outputs x inputs, once for each set of weights: parameter 0, or what `arrange` makes of it. */
ren_status ren__bfloat_rows_prepare(ren__step *step, void (*arrange)(ren__step *step, float *matrix));
/* output = rows matrix^T + bias (nullable), or each finished block of rows to `after`. */
ren_status ren__bfloat_rows_forward(ren__step *step, const float *bias, float *output, ren__slab_fn after,
                                    void *argument);
void ren__bfloat_rows_release(ren__step *step);

#endif
