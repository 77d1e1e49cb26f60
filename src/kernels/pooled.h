/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution 3x3x3 at stride 1, bias, ReLU and 2x2x2 max-pooling of one row of pooled cells at a time. A cell's eight
 * voxels are computed at once and pooled in registers, so that any row of any length, wherever it lies, costs its own
 * cells and no more: what sparse inference needs (ops/sparse.h).
 */
#ifndef REN_KERNELS_POOLED_H
#define REN_KERNELS_POOLED_H

#include "kernels/conv.h"
#include "kernels/vector.h"

/* Floats behind the input's last row that the kernel may read and not use. */
enum { REN__POOLED_SPARE = 8 };

/* Whether there is a kernel for this convolution, followed by max-pooling of edge `pool`. */
int ren__pooled_applies(const ren__conv_shape *shape, int64_t pool);
size_t ren__pooled_packed_bytes(const ren__conv_shape *shape);
/* Weights O, I, 3, 3, 3 to panels of up to REN__PANEL outputs, in each 27 I rows of them, input channels fastest. */
void ren__pooled_pack(const ren__conv_shape *shape, const float *weights, float *packed);
/* `x`: the corner of four planes of four rows of 2 * cells + 2 voxels, `plane` and `row` floats apart. */
void ren__pooled_row(const ren__vector *vector, const ren__conv_shape *shape, const float *x, int64_t plane,
                     int64_t row, int64_t cells, const float *packed, const float *bias, int relu, float *y);

#endif
