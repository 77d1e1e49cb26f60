/* SPDX-License-Identifier: Apache-2.0 */
#include <omp.h>

#include "kernels/linear.h"
#include "kernels/onednn.h"

ren_status ren__matmul(int32_t transpose_a, int32_t transpose_b, int64_t m, int64_t n, int64_t k, const float *a,
                       int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    int width = omp_get_max_threads();
    ren_status st = ren__onednn_headroom((size_t)16 << 20); /* its packing buffers on one thread */
    if (st != REN_OK) return st;
    if (!omp_in_parallel()) omp_set_num_threads(1);
    dnnl_status_t status =
        dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
    if (!omp_in_parallel()) omp_set_num_threads(width);
    return ren__onednn_check(status, "dnnl_sgemm");
}
