/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel of exact.h, compiled once for each instruction set: included by exact_plain.c, exact_avx2.c,
 * exact_avx512.c with REN__EXACT_TABLE set to the table's name. */
#include <string.h>

#include "kernels/exact.h"

/* The widest vector of the instruction set, and rows that fit its registers beside three vectors of weights. */
#if defined(__AVX512F__)
#include <immintrin.h>
enum { WIDE = 16, ROWS = 8 };
typedef float wide __attribute__((vector_size(64)));
#define MADD_WIDE(x, w, acc) ((wide)_mm512_fmadd_ps((__m512)(x), (__m512)(w), (__m512)(acc)))
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
enum { WIDE = 8, ROWS = 4 };
typedef float wide __attribute__((vector_size(32)));
#define MADD_WIDE(x, w, acc) ((wide)_mm256_fmadd_ps((__m256)(x), (__m256)(w), (__m256)(acc)))
#else
enum { WIDE = 4, ROWS = 4 };
typedef float wide __attribute__((vector_size(16)));
#define MADD_WIDE(x, w, acc) ((acc) + (x) * (w))
#endif

static inline __attribute__((always_inline)) void drain(const wide *from, double *sums) {
    float part[WIDE];
    memcpy(part, from, sizeof part);
#pragma omp simd
    for (int i = 0; i < WIDE; i++)
        sums[i] += (double)part[i];
}

/* `rows` by `vectors` of results, both constants of the caller: each weight that is loaded serves all rows. */
static inline __attribute__((always_inline)) void tile(const ren__exact_rows *r, int64_t first, const float *panel,
                                                       int64_t width, const int rows, const int vectors, double *sums) {
    const int64_t step = r->step, length = r->length;
    wide acc[8][3];
#pragma GCC unroll 8
    for (int p = 0; p < rows; p++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            acc[p][v] = (wide){ 0 };
    for (int64_t j = 0; j < r->runs; j++) {
        const float *from = r->x + first * step + r->offset[j];
        for (int64_t k = 0; k < length; k++, panel += width) {
            wide factor[3];
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++)
                memcpy(&factor[v], panel + (ptrdiff_t)v * WIDE, sizeof factor[v]);
#pragma GCC unroll 8
            for (int p = 0; p < rows; p++) {
                const wide value = from[p * step + k] - (wide){ 0 };
#pragma GCC unroll 3
                for (int v = 0; v < vectors; v++)
                    acc[p][v] = MADD_WIDE(value, factor[v], acc[p][v]);
            }
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < rows; p++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            drain(&acc[p][v], sums + (first + p) * width + (ptrdiff_t)v * WIDE);
}

/* All rows of `vectors` vectors side by side. */
static inline __attribute__((always_inline)) void column(const ren__exact_rows *r, const float *panel, int64_t width,
                                                         const int vectors, double *sums) {
    int64_t p = 0;
    for (; p + ROWS <= r->rows; p += ROWS)
        tile(r, p, panel, width, ROWS, vectors, sums);
    for (; ROWS > 4 && p + 4 <= r->rows; p += 4)
        tile(r, p, panel, width, 4, vectors, sums);
    for (; p + 2 <= r->rows; p += 2)
        tile(r, p, panel, width, 2, vectors, sums);
    for (; p < r->rows; p++)
        tile(r, p, panel, width, 1, vectors, sums);
}

static void add(const ren__exact_rows *r, const float *panel, int64_t width, double *sums) {
    int64_t o = 0;
    for (; o + (int64_t)3 * WIDE <= width; o += (int64_t)3 * WIDE)
        column(r, panel + o, width, 3, sums + o);
    for (; o + (int64_t)2 * WIDE <= width; o += (int64_t)2 * WIDE)
        column(r, panel + o, width, 2, sums + o);
    for (; o < width; o += WIDE)
        column(r, panel + o, width, 1, sums + o);
}

static void begin(const float *bias, int64_t outputs, int64_t count, int64_t width, double *sums) {
    for (int64_t o = 0; o < width; o++)
        sums[o] = bias && o < outputs ? (double)bias[o] : 0.0;
    for (int64_t r = 1; r < count; r++)
        memcpy(sums + r * width, sums, (size_t)width * sizeof *sums);
}

static void finish(const double *sums, int64_t count, int64_t width, int64_t outputs, float *y, int64_t y_step) {
    for (int64_t r = 0; r < count; r++) {
        const double *from = sums + r * width;
        float *to = y + r * y_step;
#pragma omp simd
        for (int64_t o = 0; o < outputs; o++)
            to[o] = (float)from[o];
    }
}

const ren__exact REN__EXACT_TABLE = { begin, add, finish };
