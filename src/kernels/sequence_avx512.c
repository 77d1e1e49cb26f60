/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of sequence.h for: avx512. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif
#define REN__SEQUENCE_TABLE ren__sequence_avx512
#include "kernels/sequence_body.h"
