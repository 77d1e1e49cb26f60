/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of rows.h for: avx512. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif
#define REN__ROWS_TABLE ren__rows_avx512
#include "kernels/rows_body.h"
