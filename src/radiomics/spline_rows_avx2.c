/* SPDX-License-Identifier: Apache-2.0 */
/* The spline's inner loop for: avx2. */
#define REN__SPLINE_NAME ren__spline_rows_avx2
#include "radiomics/spline_rows_body.h"
