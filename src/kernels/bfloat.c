/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/bfloat_body.h"

#include "kernels/kernels.h"

void ren__to_bfloat(const ren_context *context, const float *x, int64_t count, uint16_t *y) {
    if (ren__kernels_isa(context) >= REN_ISA_AVX512)
        ren__to_bfloat_avx512(x, count, y);
    else
        to_bfloat(x, count, y);
}
