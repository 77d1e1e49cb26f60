/* SPDX-License-Identifier: Apache-2.0 */
/* The spline's inner loop for: every processor, and the choice among the three. */
#define REN__SPLINE_NAME ren__spline_rows_plain
#include "radiomics/spline_rows_body.h"

ren__spline_fn ren__spline_rows_of(const ren_context *context) {
    if (context->isa == REN_ISA_AVX512) return ren__spline_rows_avx512;
    return context->isa == REN_ISA_AVX2 ? ren__spline_rows_avx2 : ren__spline_rows_plain;
}
