/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of attention.h for: avx512. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif
#define REN__ATTENTION_TABLE ren__attention_avx512
#include "kernels/attention_body.h"
