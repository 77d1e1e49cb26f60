/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of attention.h for: avx2. */
#define REN__ATTENTION_TABLE ren__attention_avx2
#include "kernels/attention_body.h"
