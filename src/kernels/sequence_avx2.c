/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of sequence.h for: avx2. */
#define REN__SEQUENCE_TABLE ren__sequence_avx2
#include "kernels/sequence_body.h"
