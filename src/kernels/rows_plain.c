/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of rows.h for: plain. */
#define REN__ROWS_TABLE ren__rows_plain
#include "kernels/rows_body.h"
