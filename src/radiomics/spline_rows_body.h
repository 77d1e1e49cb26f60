/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spline's inner loop, compiled once for each instruction set: included by spline_rows_plain.c, _avx2.c and
 * _avx512.c with REN__SPLINE_NAME set to the function's name. Four vectors of sums stay in registers while all 64
 * coefficients pass; that hides how long an addition takes.
 */
#include <string.h>

#include "radiomics/spline_rows.h"

#if defined(__AVX512F__)
enum { LANES = 8 };
#elif defined(__AVX2__)
enum { LANES = 4 };
#else
enum { LANES = 2 };
#endif
enum { VECTORS = 4 };

typedef double lanes __attribute__((vector_size(8 * LANES)));

/* Sums in an array would go through memory each time. */
#define ADD(sum, v)                                                                                                    \
    do {                                                                                                               \
        lanes by, coefficient;                                                                                         \
        memcpy(&by, weight + (v)*n, sizeof by);                                                                        \
        memcpy(&coefficient, tap + (v)*n, sizeof coefficient);                                                         \
        (sum) += by * z * coefficient;                                                                                 \
    } while (0)

void REN__SPLINE_NAME(const ren__spline_weights *weights, const ren__spline_taps *const rows[16],
                      const double along_z[4], double out[REN__SPLINE_WIDTH]) {
    const int64_t n = LANES;
    for (int64_t at = 0; at < REN__SPLINE_WIDTH; at += VECTORS * n) {
        lanes first = { 0 }, second = { 0 }, third = { 0 }, fourth = { 0 };
        for (int row = 0; row < 16; row++) {
            const double z = along_z[row / 4];
#pragma GCC unroll 4
            for (int t = 0; t < 4; t++) {
                const double *weight = (*weights)[4 * (row % 4) + t] + at, *tap = (*rows[row])[t] + at;
                ADD(first, 0);
                ADD(second, 1);
                ADD(third, 2);
                ADD(fourth, 3);
            }
        }
        memcpy(&out[at], &first, sizeof first);
        memcpy(&out[at + n], &second, sizeof second);
        memcpy(&out[at + 2 * n], &third, sizeof third);
        memcpy(&out[at + 3 * n], &fourth, sizeof fourth);
    }
}
