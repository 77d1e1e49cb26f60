/* SPDX-License-Identifier: Apache-2.0 */
/* The vector kernels for: avx2. */
#define REN__VECTOR_TABLE ren__vector_avx2
#include "kernels/vector_body.h"
