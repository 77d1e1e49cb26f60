/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions, channels last.
 *
 * The work is cut into slabs of output planes (of the first spatial axis), the same for every number of threads, and
 * each slab is one single-threaded oneDNN call: results do not depend on the number of threads, a long convolution can
 * be cancelled between slabs, and what follows (pooling) can take a slab while it is in the cache.
 */
#ifndef REN_KERNELS_CONV_H
#define REN_KERNELS_CONV_H

#include "base/parallel.h"

typedef struct ren__conv_shape {
    int64_t batch, in[3], out[3];
    int64_t in_channels, out_channels, groups;
    int64_t kernel[3], stride[3], pad[3]; /* padding at the beginning; at the end what `out` needs */
} ren__conv_shape;

/* BFLOAT: sources and weights are rounded to bfloat16 and their products summed in float, where ren__onednn_bfloat()
 * says that it is native; source, bias and result stay float. */
enum { REN__CONV_FORWARD, REN__CONV_BACKWARD_DATA, REN__CONV_BACKWARD_WEIGHTS, REN__CONV_FORWARD_BFLOAT };

typedef struct ren__convolution ren__convolution;

/* Is it faster in bfloat16? Measured with AVX512-BF16: twice as fast, but with one input channel no faster, because
 * products are taken in pairs of channels. */
int ren__conv_bfloat_gains(const ren__conv_shape *shape);

/* Kernels for one direction. `relu`: forward ends with max(0, .). Slabs have a multiple of `planes` output planes,
 * which must divide their number or be 1. */
ren_status ren__conv_create(ren_context *context, const ren__conv_shape *shape, int32_t direction, int32_t relu,
                            int64_t planes, ren__convolution **out);
void ren__conv_free(ren__convolution *conv);
/* Scratch that every call needs, for all threads. */
size_t ren__conv_scratch_bytes(const ren__convolution *conv);
/* The key of packed weights: equal keys, equal packing. */
const void *ren__conv_packing(const ren__convolution *conv, size_t *bytes);
size_t ren__conv_packed_bytes(const ren__convolution *conv);
/* Weights O, I/groups, D, H, W to the kernels' order. Not for REN__CONV_BACKWARD_WEIGHTS. */
ren_status ren__conv_pack(const ren__convolution *conv, const float *weights, void *packed);

/* Called with each finished slab of a forward convolution, on the thread that made it. */
typedef void (*ren__slab_fn)(void *argument, const float *slab, int64_t sample, int64_t plane, int64_t planes);

/* dst = conv(src) + bias (nullable). With `after`, dst is NULL and slabs go there instead. */
ren_status ren__conv_forward(const ren__convolution *conv, ren__run *run, const float *src, const void *packed,
                             const float *bias, float *dst, void *scratch, ren__slab_fn after, void *argument);
ren_status ren__conv_backward_data(const ren__convolution *conv, ren__run *run, const float *diff_dst,
                                   const void *packed, float *diff_src, void *scratch);
/* diff_weights in O, I/groups, D, H, W; diff_bias nullable. */
ren_status ren__conv_backward_weights(const ren__convolution *conv, ren__run *run, const float *src,
                                      const float *diff_dst, float *diff_weights, float *diff_bias, void *scratch);

#endif
