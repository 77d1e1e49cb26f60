/* SPDX-License-Identifier: Apache-2.0 */
/* Which instruction set libren's own kernels use. */
#include "kernels/vector.h"

#include "kernels/kernels.h"

int32_t ren__kernels_isa(const ren_context *context) {
    const int32_t cap = ren__onednn_isa();

    return context->isa < cap ? context->isa : cap;
}

const ren__vector *ren__vector_for(const ren_context *context) {
    const int32_t isa = ren__kernels_isa(context);

    if (isa >= REN_ISA_AVX512) return &ren__vector_avx512;
    return isa == REN_ISA_AVX2 ? &ren__vector_avx2 : &ren__vector_plain;
}

/* Of the context, but not on its floor: oneDNN alone can tell the cap. */
const char *ren_context_isa(const ren_context *context) {
    static const char *const names[] = { "", "plain", "avx2", "avx512" };

    return names[context ? ren__kernels_isa(context) : 0];
}
