/* SPDX-License-Identifier: Apache-2.0 */
/* The exact products for: avx512. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif
#define REN__EXACT_TABLE ren__exact_avx512
#include "kernels/exact_body.h"
