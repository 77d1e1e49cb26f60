/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of sequence.h for: plain. */
#define REN__SEQUENCE_TABLE ren__sequence_plain
#include "kernels/sequence_body.h"
