/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("prefer-vector-width=512")
#endif
#include "kernels/bfloat_body.h"

void ren__to_bfloat_avx512(const float *x, int64_t count, uint16_t *y) {
    to_bfloat(x, count, y);
}
