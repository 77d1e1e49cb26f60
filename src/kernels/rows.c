/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/rows.h"

#include "kernels/kernels.h"

const ren__rows *ren__rows_for(const ren_context *context) {
    const int32_t isa = ren__kernels_isa(context);

    if (isa >= REN_ISA_AVX512) return &ren__rows_avx512;
    return isa == REN_ISA_AVX2 ? &ren__rows_avx2 : &ren__rows_plain;
}
