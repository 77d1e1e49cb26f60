/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of bfloat.h, compiled once for each instruction set. */
#include <string.h>

#include "kernels/bfloat.h"

static void to_bfloat(const float *x, int64_t count, uint16_t *y) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
        y[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : rounded);
    }
}
