/* SPDX-License-Identifier: Apache-2.0 */
/* The vector kernels for: plain. */
#define REN__VECTOR_TABLE ren__vector_plain
#include "kernels/vector_body.h"
