/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first layer of a volume network in one pass: convolution 3x3x3 of a single input channel at stride 1, bias, ReLU
 * and 2x2x2 max-pooling. Libraries treat one input channel as a full vector of them or write the full map and read it
 * again; here eight output cells by up to 24 channels stay in registers until they are pooled.
 */
#ifndef REN_KERNELS_STEM_H
#define REN_KERNELS_STEM_H

#include "kernels/conv.h"

/* Whether this convolution, followed by max-pooling of edge `pool`, is one. */
int ren__stem_applies(const ren__conv_shape *shape, int64_t pool);
size_t ren__stem_scratch_bytes(const ren__conv_shape *shape);
/* Weights O, 1, 3, 3, 3 to 27 rows of O channels. */
void ren__stem_pack(const ren__conv_shape *shape, const float *weights, float *packed);
void ren__stem_forward(ren_context *context, ren__run *run, const ren__conv_shape *shape, const float *src,
                       const float *packed, const float *bias, int32_t relu, float *dst, void *scratch);

#endif
