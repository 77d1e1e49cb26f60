/* SPDX-License-Identifier: Apache-2.0 */
/* The exact products for: avx2. */
#define REN__EXACT_TABLE ren__exact_avx2
#include "kernels/exact_body.h"
