/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn.h"

#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static dnnl_engine_t cpu;
static dnnl_status_t made;

static void make_engine(void) {
    made = dnnl_engine_create(&cpu, dnnl_cpu, 0);
}

ren_status ren__onednn_engine(dnnl_engine_t *engine) {
    pthread_once(&once, make_engine);
    *engine = cpu;
    return ren__onednn_check(made, "dnnl_engine_create");
}

ren_status ren__onednn_check(dnnl_status_t status, const char *call) {
    if (status == dnnl_success) return REN_OK;
    int32_t name = (int32_t)strcspn(call, "(");
    if (status == dnnl_out_of_memory) return ren__error(REN_E_MEMORY, "oneDNN: no memory in %.*s", name, call);
    return ren__error(status == dnnl_unimplemented ? REN_E_UNSUPPORTED : REN_E_INTERNAL, "oneDNN: %.*s answered %s",
                      name, call, dnnl_status2str(status));
}

ren_status ren__onednn_headroom(size_t bytes) {
    void *probe = malloc(bytes); /* the C library's, because oneDNN uses it */
    if (!probe) return ren__error(REN_E_MEMORY, "no %zu bytes left for oneDNN", bytes);
    free(probe);
    return REN_OK;
}

int32_t ren__onednn_isa(void) {
    dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    if ((isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core) return REN_ISA_AVX512;
    if ((isa & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2) return REN_ISA_AVX2;
    return REN_ISA_PLAIN;
}

int ren__onednn_bfloat(void) {
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

static char version_text[32];
static pthread_once_t version_once = PTHREAD_ONCE_INIT;

static void make_version(void) {
    const dnnl_version_t *version = dnnl_version();
    snprintf(version_text, sizeof version_text, "%d.%d.%d", version->major, version->minor, version->patch);
}

const char *ren__onednn_version(void) {
    pthread_once(&version_once, make_version);
    return version_text;
}

ren_status ren__matmul_rate(ren_context *context, int64_t size, double *gflops) {
    ren_status st = REN_OK;
    float *a = NULL;
    size_t elements = (size_t)(size * size);
    double best = 0;
    int before = omp_get_max_threads();
    a = ren__calloc(context, elements * 3, sizeof *a);
    if (!a) return ren__out_of_memory();
    for (size_t i = 0; i < elements * 2; i++)
        a[i] = (float)(i % 13) * 0.01f;
    omp_set_num_threads(context->threads);
    for (int i = 0; i < 4 && st == REN_OK; i++) {
        double start = ren__now();
        st = ren__onednn_check(
            dnnl_sgemm('N', 'N', size, size, size, 1.0f, a, size, a + elements, size, 0.0f, a + 2 * elements, size),
            "dnnl_sgemm");
        double rate = 2e-9 * (double)size * (double)size * (double)size / (ren__now() - start);
        if (rate > best) best = rate;
    }
    omp_set_num_threads(before);
    *gflops = best;
    ren__free(a);
    return st;
}
