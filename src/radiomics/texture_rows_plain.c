/* SPDX-License-Identifier: Apache-2.0 */
/* The loops over rows for every processor, and the choice among the sets. */
#define REN__ROW_TABLE ren__row_kernels_plain
#include "radiomics/texture_rows_body.h"

const ren__row_kernels *ren__row_kernels_of(const ren_context *context, int wide) {
    const ren__row_kernels *tables[] = { ren__row_kernels_plain, ren__row_kernels_plain, ren__row_kernels_avx2,
                                         ren__row_kernels_avx512 };
    const int32_t isa = context->isa;

    return &tables[isa > REN_ISA_AVX512 || isa < 0 ? REN_ISA_PLAIN : isa][wide != 0];
}
