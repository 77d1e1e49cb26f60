/* SPDX-License-Identifier: Apache-2.0 */
#include <omp.h>

#include "kernels/linear.h"
#include "kernels/onednn.h"

/* Above what one thread packs of both matrices: whole blocks of at least 64 by 128, twice over, and never more than fit
 * the caches' blocking. To ask for the most at each of a window's small products would cost more than the product. */
static size_t packing_bytes(int64_t m, int64_t n, int64_t k) {
    const double rows = (double)m + (double)n + 128, bytes = 2 * sizeof(float) * rows * ((double)k + 128) + 65536;
    const double most = 16 << 20;

    return (size_t)(bytes < most ? bytes : most);
}

ren_status ren__matmul(int32_t transpose_a, int32_t transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                       int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    int width = omp_get_max_threads();
    ren_status st = ren__onednn_headroom(packing_bytes(m, n, k));
    if (st != REN_OK) return st;
    if (!omp_in_parallel()) omp_set_num_threads(1);
    dnnl_status_t status =
        dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
    if (!omp_in_parallel()) omp_set_num_threads(width);
    return ren__onednn_check(status, "dnnl_sgemm");
}
