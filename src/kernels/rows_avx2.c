/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of rows.h for: avx2. */
#define REN__ROWS_TABLE ren__rows_avx2
#include "kernels/rows_body.h"
