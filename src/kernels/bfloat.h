/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding to bfloat16, the upper half of a float. */
#ifndef REN_KERNELS_BFLOAT_H
#define REN_KERNELS_BFLOAT_H

#include "base/context.h"

/* To nearest, ties to even, on the calling thread; what is no number stays none. The same bits with every instruction
 * set. */
void ren__to_bfloat(const ren_context *context, const float *x, int64_t count, uint16_t *y);
/* ren__to_bfloat with AVX-512. */
void ren__to_bfloat_avx512(const float *x, int64_t count, uint16_t *y);

#endif
