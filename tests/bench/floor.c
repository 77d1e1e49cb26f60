/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the machine is without us: layers as bare oneDNN primitives on all threads, in whichever layout oneDNN likes
 * best, and the rate at which memory is read and written. tests/bench/run.py compiles it, sends one line a layer on
 * standard input and adds up what comes back:
 *
 *   conv I D H W O K S P    seconds of forward, backward data, backward weights (batch 1)
 *   gemm B M N K            seconds of B products of M x K and K x N
 *   stream                  bytes a second of a copy, read and written
 *
 *   cc -O2 -fopenmp tests/bench/floor.c -ldnnl -o floor; OMP_NUM_THREADS=2 ./floor
 */
#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 3, AT_ONCE = 4, STREAM_BYTES = 1 << 28 };

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void check(dnnl_status_t status, const char *what) {
    if (status == dnnl_success) return;
    fprintf(stderr, "floor: %s: %s\n", what, dnnl_status2str(status));
    exit(1);
}

#define DO(call) check((call), #call)

/* Runs a primitive on memory of its own; the least seconds of RUNS. `arguments` names what it reads and writes. */
static double least(const_dnnl_primitive_desc_t descriptor, int count, const int *arguments,
                    const dnnl_memory_desc_t *const *layouts) {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t list[4];
    double best = 1e30;
    DO(dnnl_primitive_create(&primitive, descriptor));
    for (int i = 0; i < count; i++) {
        void *data;
        list[i].arg = arguments[i];
        DO(dnnl_memory_create(&list[i].memory, layouts[i], engine, DNNL_MEMORY_ALLOCATE));
        DO(dnnl_memory_get_data_handle(list[i].memory, &data));
        memset(data, 0, dnnl_memory_desc_get_size(layouts[i]));
    }
    for (int run = 0; run <= RUNS; run++) {
        const double start = omp_get_wtime();
        DO(dnnl_primitive_execute(primitive, stream, count, list));
        DO(dnnl_stream_wait(stream));
        const double seconds = omp_get_wtime() - start;
        if (run && seconds < best) best = seconds; /* the first touches the memory */
    }
    for (int i = 0; i < count; i++)
        DO(dnnl_memory_destroy(list[i].memory));
    DO(dnnl_primitive_destroy(primitive));
    return best;
}

static const dnnl_memory_desc_t *layout_of(const_dnnl_primitive_desc_t descriptor, dnnl_query_t what) {
    return dnnl_primitive_desc_query_md(descriptor, what, 0);
}

/* Seconds of the three directions with one layout of maps; each is kept where it is less than what is there. */
static void convolve(const long *v, dnnl_format_tag_t tag, double seconds[3]) {
    const dnnl_dim_t out[3] = { (v[1] + 2 * v[7] - v[5]) / v[6] + 1, (v[2] + 2 * v[7] - v[5]) / v[6] + 1,
                                (v[3] + 2 * v[7] - v[5]) / v[6] + 1 };
    const dnnl_dims_t from = { 1, v[0], v[1], v[2], v[3] }, to = { 1, v[4], out[0], out[1], out[2] };
    const dnnl_dims_t weight = { v[4], v[0], v[5], v[5], v[5] }, stride = { v[6], v[6], v[6] };
    const dnnl_dims_t pad = { v[7], v[7], v[7] };
    dnnl_memory_desc_t src, dst, weights;
    dnnl_convolution_desc_t forward, backward;
    dnnl_primitive_desc_t descriptor, data = NULL, gradient = NULL;
    DO(dnnl_memory_desc_init_by_tag(&src, 5, from, dnnl_f32, tag));
    DO(dnnl_memory_desc_init_by_tag(&dst, 5, to, dnnl_f32, tag));
    DO(dnnl_memory_desc_init_by_tag(&weights, 5, weight, dnnl_f32, dnnl_format_tag_any));
    DO(dnnl_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct, &src, &weights,
                                          NULL, &dst, stride, pad, pad));
    DO(dnnl_primitive_desc_create(&descriptor, &forward, NULL, engine, NULL));
    DO(dnnl_convolution_backward_data_desc_init(&backward, dnnl_convolution_direct, &src, &weights, &dst, stride, pad,
                                                pad));
    DO(dnnl_primitive_desc_create(&data, &backward, NULL, engine, descriptor));
    DO(dnnl_convolution_backward_weights_desc_init(&backward, dnnl_convolution_direct, &src, &weights, NULL, &dst,
                                                   stride, pad, pad));
    DO(dnnl_primitive_desc_create(&gradient, &backward, NULL, engine, descriptor));
    const dnnl_primitive_desc_t all[3] = { descriptor, data, gradient };
    const int arguments[3][3] = { { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST },
                                  { DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST },
                                  { DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST } };
    const dnnl_query_t query[3][3] = { { dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md },
                                       { dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md },
                                       { dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md } };
    for (int i = 0; i < 3; i++) {
        const dnnl_memory_desc_t *const layouts[3] = { layout_of(all[i], query[i][0]), layout_of(all[i], query[i][1]),
                                                       layout_of(all[i], query[i][2]) };
        const double took = least(all[i], 3, arguments[i], layouts);
        if (took < seconds[i]) seconds[i] = took;
        DO(dnnl_primitive_desc_destroy(all[i]));
    }
}

/* A few of many products at a time, so that what they write stays in the caches. */
static double multiply(const long *v) {
    const dnnl_dim_t batch = v[0] < AT_ONCE ? v[0] : AT_ONCE;
    const dnnl_dims_t left = { batch, v[1], v[3] }, right = { batch, v[3], v[2] }, result = { batch, v[1], v[2] };
    const int arguments[3] = { DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST };
    dnnl_memory_desc_t a, b, c;
    dnnl_matmul_desc_t operation;
    dnnl_primitive_desc_t descriptor;
    DO(dnnl_memory_desc_init_by_tag(&a, 3, left, dnnl_f32, dnnl_abc));
    DO(dnnl_memory_desc_init_by_tag(&b, 3, right, dnnl_f32, batch > 1 ? dnnl_abc : dnnl_format_tag_any));
    DO(dnnl_memory_desc_init_by_tag(&c, 3, result, dnnl_f32, dnnl_abc));
    DO(dnnl_matmul_desc_init(&operation, &a, &b, NULL, &c));
    DO(dnnl_primitive_desc_create(&descriptor, &operation, NULL, engine, NULL));
    const dnnl_memory_desc_t *const layouts[3] = { layout_of(descriptor, dnnl_query_src_md),
                                                   layout_of(descriptor, dnnl_query_weights_md),
                                                   layout_of(descriptor, dnnl_query_dst_md) };
    const double seconds = least(descriptor, 3, arguments, layouts);
    DO(dnnl_primitive_desc_destroy(descriptor));
    return seconds * (double)v[0] / (double)batch;
}

static double copy_rate(void) {
    const long count = STREAM_BYTES / (long)sizeof(float);
    float *from = calloc((size_t)count, sizeof *from), *to = calloc((size_t)count, sizeof *to);
    double best = 1e30;
    if (!from || !to) check(dnnl_out_of_memory, "stream");
    for (int run = 0; run < 2 * RUNS; run++) {
        const double start = omp_get_wtime();
#pragma omp parallel for simd
        for (long i = 0; i < count; i++)
            to[i] = from[i] + 1.0f;
        const double seconds = omp_get_wtime() - start;
        if (run && seconds < best) best = seconds;
    }
    free(from);
    free(to);
    return 2.0 * STREAM_BYTES / best;
}

int main(void) {
    char line[256];
    long v[8];
    DO(dnnl_engine_create(&engine, dnnl_cpu, 0));
    DO(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "conv %ld %ld %ld %ld %ld %ld %ld %ld", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7) ==
            8) {
            double seconds[3] = { 1e30, 1e30, 1e30 };
            convolve(v, dnnl_format_tag_any, seconds);
            convolve(v, dnnl_ndhwc, seconds);
            printf("%.9f %.9f %.9f\n", seconds[0], seconds[1], seconds[2]);
        } else if (sscanf(line, "gemm %ld %ld %ld %ld", v, v + 1, v + 2, v + 3) == 4) {
            printf("%.9f\n", multiply(v));
        } else if (strncmp(line, "stream", 6) == 0) {
            printf("%.1f\n", copy_rate());
        } else {
            fprintf(stderr, "floor: no layer: %s", line);
            return 1;
        }
        fflush(stdout);
    }
    return 0;
}
