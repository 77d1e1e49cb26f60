/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"

const ren__vector *ren__vector_for(const ren_context *context) {
    if (context->isa >= REN_ISA_AVX512) return &ren__vector_avx512;
    return context->isa == REN_ISA_AVX2 ? &ren__vector_avx2 : &ren__vector_plain;
}
