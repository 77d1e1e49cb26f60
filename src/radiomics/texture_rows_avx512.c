/* SPDX-License-Identifier: Apache-2.0 */
/* The loops over rows for: avx512. */
#define REN__ROW_TABLE ren__row_kernels_avx512
#include "radiomics/texture_rows_body.h"
