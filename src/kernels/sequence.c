/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/sequence.h"

#include "kernels/kernels.h"

const ren__sequence *ren__sequence_for(const ren_context *context) {
    const int32_t isa = ren__kernels_isa(context);

    if (isa >= REN_ISA_AVX512) return &ren__sequence_avx512;
    return isa == REN_ISA_AVX2 ? &ren__sequence_avx2 : &ren__sequence_plain;
}

/* A and the state; backward: A, the state's gradient and A's, then state and decay of every token of a chunk. */
size_t ren__scan_scratch(int64_t states, int backward) {
    const size_t each = (size_t)states * REN__SCAN_LANES;
    return backward ? 3 * each + (2 * REN__SCAN_CHUNK + 1) * each : 2 * each;
}

size_t ren__causal_scratch(int64_t length) {
    return (size_t)length * REN__SCAN_LANES;
}

size_t ren__scan_kept(int64_t length, int64_t states) {
    return (size_t)((length + REN__SCAN_CHUNK - 1) / REN__SCAN_CHUNK * states * REN__SCAN_LANES);
}
