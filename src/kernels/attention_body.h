/* SPDX-License-Identifier: Apache-2.0 */
/* The tiles of attention.h, compiled once for each instruction set: included by attention_plain.c, attention_avx2.c,
 * attention_avx512.c with REN__ATTENTION_TABLE set to the table's name. */
#include <math.h>
#include <string.h>

#include "kernels/attention.h"
#include "kernels/elementary.h"

/* A tile of C stays in registers: TILE rows of up to two vectors. LARGER gives its second operand where one is NaN. */
#if defined(__AVX512F__)
#include <immintrin.h>
enum { FLOATS = 16, TILE = 12 };
#define MADD_VECTOR(x, w, acc) ((vector)_mm512_fmadd_ps((__m512)(x), (__m512)(w), (__m512)(acc)))
#define LARGER(a, b)           ((vector)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define LARGEST_OF(v)          _mm512_reduce_max_ps((__m512)(v))
#define SUM_OF(v)              _mm512_reduce_add_ps((__m512)(v))
#elif defined(__AVX2__)
#include <immintrin.h>
enum { FLOATS = 8, TILE = 6 };
#define MADD_VECTOR(x, w, acc) ((vector)_mm256_fmadd_ps((__m256)(x), (__m256)(w), (__m256)(acc)))
#define LARGER(a, b)           ((vector)_mm256_max_ps((__m256)(a), (__m256)(b)))
#else
enum { FLOATS = 4, TILE = 4 };
#define MADD_VECTOR(x, w, acc) ((acc) + (x) * (w))
#define LARGER(a, b)           ((vector)(((whole_vector)(a) & ((a) > (b))) | ((whole_vector)(b) & ~((a) > (b)))))
#endif
enum { MAX_VECTORS = 2 };

typedef float vector __attribute__((vector_size(FLOATS * sizeof(float))));
typedef int32_t whole_vector __attribute__((vector_size(FLOATS * sizeof(int32_t))));

#ifndef SUM_OF
static inline float sum_of(vector v) {
    for (int half = FLOATS / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            v[i] += v[i + half];
    return v[0];
}

static inline float largest_of(vector v) {
    for (int half = FLOATS / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            v[i] = v[i] > v[i + half] ? v[i] : v[i + half];
    return v[0];
}
#define SUM_OF     sum_of
#define LARGEST_OF largest_of
#endif

typedef struct operands {
    const float *a;
    int64_t a_row, a_step;
    const float *b;
    int64_t b_stride;
    float *c;
    int64_t c_stride, depth;
    int add;
} operands;

#define INLINED static inline __attribute__((always_inline))

/* `rows` and `vectors` are constants of the caller, and so is one of A's two strides. */
INLINED void tile(const operands *o, int64_t row, int64_t column, const int rows, const int vectors,
                  const int64_t a_row, const int64_t a_step) {
    vector acc[TILE][MAX_VECTORS];
    const float *a = o->a + row * a_row, *b = o->b + column;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            acc[r][v] = (vector){ 0 };
    for (int64_t k = 0; k < o->depth; k++, a += a_step, b += o->b_stride) {
        vector right[MAX_VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            memcpy(&right[v], b + (ptrdiff_t)v * FLOATS, sizeof right[v]);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            const vector left = a[r * a_row] - (vector){ 0 };
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] = MADD_VECTOR(left, right[v], acc[r][v]);
        }
    }
    float *c = o->c + row * o->c_stride + column;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++, c += o->c_stride)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            vector before = { 0 };
            if (o->add) memcpy(&before, c + (ptrdiff_t)v * FLOATS, sizeof before);
            before += acc[r][v];
            memcpy(c + (ptrdiff_t)v * FLOATS, &before, sizeof before);
        }
}

INLINED void column_of_tiles(const operands *o, int64_t rows, int64_t column, const int vectors, const int64_t a_row,
                             const int64_t a_step) {
    int64_t row = 0;
    for (; row + TILE <= rows; row += TILE)
        tile(o, row, column, TILE, vectors, a_row, a_step);
    for (; row + 4 <= rows; row += 4)
        tile(o, row, column, 4, vectors, a_row, a_step);
    for (; row < rows; row++)
        tile(o, row, column, 1, vectors, a_row, a_step);
}

INLINED void product(const operands *o, int64_t rows, int64_t columns, const int64_t a_row, const int64_t a_step) {
    int64_t column = 0;
    for (; column + (int64_t)MAX_VECTORS * FLOATS <= columns; column += (int64_t)MAX_VECTORS * FLOATS)
        column_of_tiles(o, rows, column, MAX_VECTORS, a_row, a_step);
    for (; column < columns; column += FLOATS)
        column_of_tiles(o, rows, column, 1, a_row, a_step);
}

static void rows_product(int64_t rows, int64_t columns, int64_t depth, const float *a, const float *b, int64_t b_stride,
                         float *c, int64_t c_stride, int add) {
    const operands o = {
        .a = a, .b = b, .b_stride = b_stride, .c = c, .c_stride = c_stride, .depth = depth, .add = add
    };
    product(&o, rows, columns, REN__ATTENTION_KEYS, 1);
}

static void columns_product(int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t a_stride,
                            const float *b, int64_t b_stride, float *c, int64_t c_stride, int add) {
    const operands o = {
        .a = a, .b = b, .b_stride = b_stride, .c = c, .c_stride = c_stride, .depth = depth, .add = add
    };
    product(&o, rows, columns, 1, a_stride);
}

/* ---- rows of a block ---- */

INLINED vector load(const float *from) {
    vector v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINED void store(float *to, vector v) {
    memcpy(to, &v, sizeof v);
}

/* As ren__exp, for x <= 0; below -87.3 it stays at 1e-38. NaN remains. */
INLINED vector exp_of(vector x) {
    const vector magic = 12582912.0f - (vector){ 0 }, lowest = -87.3f - (vector){ 0 };
    x = LARGER(lowest, x);
    const vector shifted = MADD_VECTOR(x, 1.44269504f - (vector){ 0 }, magic), n = shifted - magic;
    vector r = MADD_VECTOR(n, -0.693359375f - (vector){ 0 }, x);
    r = MADD_VECTOR(n, 2.12194440e-4f - (vector){ 0 }, r);
    vector p = 1.39336e-3f - (vector){ 0 };
    p = MADD_VECTOR(p, r, 8.36318e-3f - (vector){ 0 });
    p = MADD_VECTOR(p, r, 4.166647e-2f - (vector){ 0 });
    p = MADD_VECTOR(p, r, 1.6666577e-1f - (vector){ 0 });
    p = MADD_VECTOR(p, r, 0.5f - (vector){ 0 });
    p = MADD_VECTOR(p * r, r, r) + 1.0f;
    return p * (vector)(((whole_vector)shifted + 127) << 23);
}

/* The first `count` floats of s, then minus infinity. */
INLINED vector up_to(vector s, int32_t count) {
    static const int32_t numbers[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    const vector lowest = -INFINITY - (vector){ 0 };
    whole_vector number;
    memcpy(&number, numbers, sizeof number);
    const whole_vector there = number < count;
    return (vector)(((whole_vector)s & there) | ((whole_vector)lowest & ~there));
}

static float exponentials(float *row, int64_t count, float scale, const float *bias, float *top) {
    const vector factor = scale - (vector){ 0 };
    vector largest = -INFINITY - (vector){ 0 }, sum = { 0 };
    for (int64_t i = 0; i < count; i += FLOATS) {
        vector s = bias ? MADD_VECTOR(load(row + i), factor, load(bias + i)) : load(row + i) * factor;
        if (count - i < FLOATS) s = up_to(s, (int32_t)(count - i));
        store(row + i, s);
        largest = LARGER(s, largest);
    }
    const float highest = LARGEST_OF(largest);
    if (highest > *top) *top = highest;
    largest = *top - (vector){ 0 };
    for (int64_t i = 0; i < count; i += FLOATS) {
        const vector p = exp_of(load(row + i) - largest);
        store(row + i, p);
        sum += p;
    }
    return SUM_OF(sum);
}

static void probabilities(float *row, int64_t count, float scale, const float *bias, float top, float share) {
    const vector factor = scale - (vector){ 0 };
    for (int64_t i = 0; i < count; i += FLOATS) {
        const vector s = bias ? MADD_VECTOR(load(row + i), factor, load(bias + i)) : load(row + i) * factor;
        store(row + i, exp_of(s - top) * share);
    }
}

static void scores_gradient(const float *p, const float *factors, int64_t count, float inner, float *g) {
    for (int64_t i = 0; i < count; i += FLOATS) {
        const vector through = factors ? load(g + i) * load(factors + i) : load(g + i);
        store(g + i, load(p + i) * (through - inner));
    }
}

static void add(const float *x, int64_t count, float *y) {
    for (int64_t i = 0; i < count; i += FLOATS)
        store(y + i, load(y + i) + load(x + i));
}

static void multiply(const float *factors, int64_t count, float *y) {
    for (int64_t i = 0; i < count; i += FLOATS)
        store(y + i, load(y + i) * load(factors + i));
}

static void mask(const float *bias, const uint8_t *group, uint8_t own, int64_t count, float *y) {
    if (bias) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] = bias[i] + (group[i] == own ? 0.0f : REN__ATTENTION_MASKED);
    } else {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] = group[i] == own ? 0.0f : REN__ATTENTION_MASKED;
    }
    for (int64_t i = count; i % REN__ATTENTION_LANES; i++)
        y[i] = 0;
}

static void scale(const float *x, int64_t count, float factor, float *y) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] * factor;
}

#undef INLINED
#undef MADD_VECTOR
#undef LARGER
#undef LARGEST_OF
#undef SUM_OF

const ren__attention_tiles REN__ATTENTION_TABLE = {
    rows_product, columns_product, exponentials, probabilities, scores_gradient, add, multiply, mask, scale,
};
