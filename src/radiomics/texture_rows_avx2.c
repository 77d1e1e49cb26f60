/* SPDX-License-Identifier: Apache-2.0 */
/* The loops over rows for: avx2. */
#define REN__ROW_TABLE ren__row_kernels_avx2
#include "radiomics/texture_rows_body.h"
