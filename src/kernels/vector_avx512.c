/* SPDX-License-Identifier: Apache-2.0 */
/* The vector kernels for: avx512. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif
#define REN__VECTOR_TABLE ren__vector_avx512
#include "kernels/vector_body.h"
