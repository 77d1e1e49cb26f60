/* SPDX-License-Identifier: Apache-2.0 */
/* The exact products for: plain. */
#define REN__EXACT_TABLE ren__exact_plain
#include "kernels/exact_body.h"
