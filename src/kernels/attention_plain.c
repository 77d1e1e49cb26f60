/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of attention.h for: plain. */
#define REN__ATTENTION_TABLE ren__attention_plain
#include "kernels/attention_body.h"
