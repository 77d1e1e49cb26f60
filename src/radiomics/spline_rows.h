/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner loop of the spline's evaluation, for each instruction set, with the same bits: no two operations become
 * one, and each sample's sum has ITK's order.
 */
#ifndef REN_RADIOMICS_SPLINE_ROWS_H
#define REN_RADIOMICS_SPLINE_ROWS_H

#include <stdint.h>

#include "base/context.h"

enum { REN__SPLINE_WIDTH = 32 }; /* samples, neighbours along x, that are computed side by side */

/* 16 weights (y outer, x inner: the product of the two) by REN__SPLINE_WIDTH samples. */
typedef double ren__spline_weights[16][REN__SPLINE_WIDTH];
/* The four coefficients along x of each sample, in one row of the image. */
typedef double ren__spline_taps[4][REN__SPLINE_WIDTH];

/* rows[4 x k + j]: taps in the row that is the j-th of the sample along y, in its k-th plane; along_z: its weights. */
typedef void (*ren__spline_fn)(const ren__spline_weights *weights, const ren__spline_taps *const rows[16],
                               const double along_z[4], double out[REN__SPLINE_WIDTH]);

void ren__spline_rows_plain(const ren__spline_weights *weights, const ren__spline_taps *const rows[16],
                            const double along_z[4], double out[REN__SPLINE_WIDTH]);
void ren__spline_rows_avx2(const ren__spline_weights *weights, const ren__spline_taps *const rows[16],
                           const double along_z[4], double out[REN__SPLINE_WIDTH]);
void ren__spline_rows_avx512(const ren__spline_weights *weights, const ren__spline_taps *const rows[16],
                             const double along_z[4], double out[REN__SPLINE_WIDTH]);

ren__spline_fn ren__spline_rows_of(const ren_context *context);

#endif
