/* SPDX-License-Identifier: Apache-2.0 */
/* The vector kernels, compiled once for each instruction set: included by vector_plain.c, vector_avx2.c,
 * vector_avx512.c with REN__VECTOR_TABLE set to the table's name. */
#include <math.h>
#include <string.h>

#include "kernels/elementary.h"
#include "kernels/vector.h"

#define MADD REN_MADD

enum { ROWS_A_PARTIAL = 64, CHANNELS_AT_ONCE = 64, FLOATS_A_PARTIAL = 4096 };

static void moments(const float *x, int64_t rows, int64_t channels, const float *pivot, double *sum, double *square) {
    for (int64_t c0 = 0; c0 < channels; c0 += CHANNELS_AT_ONCE) {
        int64_t n = channels - c0 < CHANNELS_AT_ONCE ? channels - c0 : CHANNELS_AT_ONCE;
        for (int64_t r0 = 0; r0 < rows; r0 += ROWS_A_PARTIAL) {
            int64_t end = r0 + ROWS_A_PARTIAL < rows ? r0 + ROWS_A_PARTIAL : rows;
            float s[CHANNELS_AT_ONCE] = { 0 }, q[CHANNELS_AT_ONCE] = { 0 };
            for (int64_t r = r0; r < end; r++) {
                const float *row = x + r * channels + c0;
#pragma omp simd
                for (int64_t c = 0; c < n; c++) {
                    float d = row[c] - pivot[c0 + c];
                    s[c] += d;
                    q[c] = MADD(d, d, q[c]);
                }
            }
            for (int64_t c = 0; c < n; c++) {
                sum[c0 + c] += (double)s[c];
                square[c0 + c] += (double)q[c];
            }
        }
    }
}

static void affine(const float *x, int64_t rows, int64_t channels, const float *scale, const float *shift, int relu,
                   float *y) {
    float floor_value = relu ? 0.0f : -INFINITY;
    for (int64_t r = 0; r < rows; r++) {
        const float *from = x + r * channels;
        float *to = y + r * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            float v = MADD(scale[c], from[c], shift[c]);
            to[c] = v > floor_value ? v : floor_value;
        }
    }
}

static void moments_backward(const float *x, const float *dy, int64_t rows, int64_t channels, const float *pivot,
                             const float *scale, const float *shift, int relu, double *sum, double *product) {
    float floor_value = relu ? 0.0f : -INFINITY;
    for (int64_t c0 = 0; c0 < channels; c0 += CHANNELS_AT_ONCE) {
        int64_t n = channels - c0 < CHANNELS_AT_ONCE ? channels - c0 : CHANNELS_AT_ONCE;
        for (int64_t r0 = 0; r0 < rows; r0 += ROWS_A_PARTIAL) {
            int64_t end = r0 + ROWS_A_PARTIAL < rows ? r0 + ROWS_A_PARTIAL : rows;
            float s[CHANNELS_AT_ONCE] = { 0 }, p[CHANNELS_AT_ONCE] = { 0 };
            for (int64_t r = r0; r < end; r++) {
                const float *row = x + r * channels + c0, *grow = dy + r * channels + c0;
#pragma omp simd
                for (int64_t c = 0; c < n; c++) {
                    float v = MADD(scale[c0 + c], row[c], shift[c0 + c]);
                    float g = v > floor_value ? grow[c] : 0.0f;
                    s[c] += g;
                    p[c] = MADD(g, row[c] - pivot[c0 + c], p[c]);
                }
            }
            for (int64_t c = 0; c < n; c++) {
                sum[c0 + c] += (double)s[c];
                product[c0 + c] += (double)p[c];
            }
        }
    }
}

static void affine_backward(const float *x, const float *dy, int64_t rows, int64_t channels, const float *pivot,
                            const float *scale, const float *shift, int relu, const float *a, const float *b,
                            const float *d, float *dx) {
    float floor_value = relu ? 0.0f : -INFINITY;
    for (int64_t r = 0; r < rows; r++) {
        const float *from = x + r * channels, *grow = dy ? dy + r * channels : from;
        float *to = dx + r * channels;
        if (!dy) {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++)
                to[c] = MADD(b[c], from[c] - pivot[c], d[c]);
            continue;
        }
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            float v = MADD(scale[c], from[c], shift[c]);
            float g = v > floor_value ? grow[c] : 0.0f;
            to[c] = MADD(a[c], g, MADD(b[c], from[c] - pivot[c], d[c]));
        }
    }
}

/* Eight channels at a time, whatever the instruction set: compilers split or join them. */
typedef float lanes __attribute__((vector_size(32)));
typedef int32_t lane_mask __attribute__((vector_size(32)));
enum { LANES = 8, TRIPLE = 3 * LANES };

/* By pointer: whether such a vector fits a register differs between the tables. */
static inline void load_lanes(const float *from, int64_t count, lanes *v) {
    if (count == LANES)
        memcpy(v, from, sizeof *v);
    else
        memcpy(v, from, (size_t)count * sizeof *from);
}

static void window_max(const float *x, const int64_t *offsets, int32_t count, int64_t channels, const float *scale,
                       const float *shift, int relu, float *y, uint8_t *which) {
    for (int64_t c = 0; c < channels; c += LANES) {
        int64_t n = channels - c < LANES ? channels - c : LANES;
        const lanes zero = { 0 };
        lanes factor = zero + 1, offset = zero, value = zero, best = zero;
        lane_mask index = { 0 }, better;
        if (scale) {
            load_lanes(scale + c, n, &factor);
            load_lanes(shift + c, n, &offset);
        }
        load_lanes(x + offsets[0] + c, n, &best);
        best = best * factor + offset;
        for (int32_t k = 1; k < count; k++) {
            load_lanes(x + offsets[k] + c, n, &value);
            value = value * factor + offset;
            better = value > best;
            index = (index & ~better) | (k & better);
            best = (lanes)(((lane_mask)value & better) | ((lane_mask)best & ~better));
        }
        if (relu) best = (lanes)((lane_mask)best & (best > zero));
        memcpy(y + c, &best, (size_t)n * sizeof *y);
        for (int64_t i = 0; which && i < n; i++)
            which[c + i] = (uint8_t)index[i];
    }
}

/* acc += x * w, lane by lane. */
#if defined(__FMA__) && defined(__AVX__)
#include <immintrin.h>
#define MADD_LANES(x, w, acc) ((lanes)_mm256_fmadd_ps((__m256)(x), (__m256)(w), (__m256)(acc)))
#else
#define MADD_LANES(x, w, acc) ((acc) + (x) * (w))
#endif

enum { STEM_VOXELS = 4 }; /* along a row at once: two pooled cells */

/* The two cells at `x`, for `blocks` times eight channels of `stride`; `blocks` is a constant of the caller. */
static inline __attribute__((always_inline)) void stem_cells(const float *x, int64_t plane, int64_t row, int64_t stride,
                                                             const float *weights, const float *bias, const int blocks,
                                                             lanes best[2][3]) {
    for (int corner = 0; corner < 4; corner++) { /* the rows of voxels under the two cells */
        const float *from = x + (corner / 2) * plane + (corner % 2) * row;
        const float *w = weights;
        lanes acc[STEM_VOXELS][3];
#pragma GCC unroll 4
        for (int v = 0; v < STEM_VOXELS; v++)
#pragma GCC unroll 3
            for (int b = 0; b < blocks; b++)
                memcpy(&acc[v][b], bias + (ptrdiff_t)b * LANES, sizeof acc[v][b]);
        for (int k = 0; k < 9; k++) { /* rows of the kernel */
            const float *line = from + (k / 3) * plane + (k % 3) * row;
#pragma GCC unroll 3
            for (int t = 0; t < 3; t++, w += stride) {
                lanes factor[3];
#pragma GCC unroll 3
                for (int b = 0; b < blocks; b++)
                    memcpy(&factor[b], w + (ptrdiff_t)b * LANES, sizeof factor[b]);
#pragma GCC unroll 4
                for (int v = 0; v < STEM_VOXELS; v++) {
                    lanes value = line[v + t] - (lanes){ 0 };
#pragma GCC unroll 3
                    for (int b = 0; b < blocks; b++)
                        acc[v][b] = MADD_LANES(value, factor[b], acc[v][b]);
                }
            }
        }
#pragma GCC unroll 4
        for (int v = 0; v < STEM_VOXELS; v++)
#pragma GCC unroll 3
            for (int b = 0; b < blocks; b++) {
                lanes *top = &best[v / 2][b];
                lane_mask better = acc[v][b] > *top;
                *top = (lanes)(((lane_mask)acc[v][b] & better) | ((lane_mask)*top & ~better));
            }
    }
}

static inline __attribute__((always_inline)) void stem_blocks(const float *x, int64_t plane, int64_t row,
                                                              int64_t columns, int64_t channels, const float *weights,
                                                              const float *bias, int relu, const int blocks, float *y) {
    const lanes lowest = (relu ? 0.0f : -INFINITY) - (lanes){ 0 };
    for (int64_t c = 0; c < columns; c += 2) {
        lanes best[2][3];
#pragma GCC unroll 3
        for (int b = 0; b < blocks; b++)
            best[0][b] = best[1][b] = lowest;
        stem_cells(x + 2 * c, plane, row, channels, weights, bias, blocks, best);
        for (int64_t k = 0; k < 2 && c + k < columns; k++)
#pragma GCC unroll 3
            for (int b = 0; b < blocks; b++)
                memcpy(y + (c + k) * channels + (ptrdiff_t)b * LANES, &best[k][b], sizeof best[k][b]);
    }
}

static void stem_row(const float *x, int64_t plane, int64_t row, int64_t columns, int64_t channels,
                     const float *weights, const float *bias, int relu, float *y) {
    int64_t c = 0;
    for (; c + TRIPLE <= channels; c += TRIPLE)
        stem_blocks(x, plane, row, columns, channels, weights + c, bias + c, relu, 3, y + c);
    for (; c < channels; c += LANES)
        stem_blocks(x, plane, row, columns, channels, weights + c, bias + c, relu, 1, y + c);
}

/* The widest vector of the instruction set, and rows of voxels of a pooled cell that fit its registers at once. */
#if defined(__AVX512F__)
enum { WIDE = 16, WIDE_ROWS = 4 };
typedef float wide __attribute__((vector_size(64)));
typedef int32_t wide_mask __attribute__((vector_size(64)));
#define MADD_WIDE(x, w, acc) ((wide)_mm512_fmadd_ps((__m512)(x), (__m512)(w), (__m512)(acc)))
#elif defined(__AVX2__) && defined(__FMA__)
enum { WIDE = 8, WIDE_ROWS = 2 };
typedef float wide __attribute__((vector_size(32)));
typedef int32_t wide_mask __attribute__((vector_size(32)));
#define MADD_WIDE(x, w, acc) ((wide)_mm256_fmadd_ps((__m256)(x), (__m256)(w), (__m256)(acc)))
#else
enum { WIDE = 4, WIDE_ROWS = 2 };
typedef float wide __attribute__((vector_size(16)));
typedef int32_t wide_mask __attribute__((vector_size(16)));
#define MADD_WIDE(x, w, acc) ((acc) + (x) * (w))
#endif

/* The largest of a pooled cell's eight voxels: two by two rows of two. Each weight that is loaded serves all of them;
 * `vectors` is a constant of the caller. */
static inline __attribute__((always_inline)) void pooled_cell(const float *x, int64_t plane, int64_t row,
                                                              int64_t channels, const float *weights, int64_t panel,
                                                              const float *bias, const int vectors, wide best[3]) {
    enum { VOXELS = 2 * WIDE_ROWS };
    for (int rows = 0; rows < 4; rows += WIDE_ROWS) {
        const float *corner = x + rows / 2 * plane, *w = weights;
        wide acc[VOXELS][3];
#pragma GCC unroll 8
        for (int p = 0; p < VOXELS; p++)
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++)
                memcpy(&acc[p][v], bias + (ptrdiff_t)v * WIDE, sizeof acc[p][v]);
        for (int k = 0; k < 9; k++) { /* rows of the kernel: three voxels side by side are one run of channels */
            const float *line = corner + k / 3 * plane + k % 3 * row;
            for (int64_t i = 0; i < 3 * channels; i++, w += panel) {
                wide factor[3];
#pragma GCC unroll 3
                for (int v = 0; v < vectors; v++)
                    memcpy(&factor[v], w + (ptrdiff_t)v * WIDE, sizeof factor[v]);
#pragma GCC unroll 8
                for (int p = 0; p < VOXELS; p++) {
                    wide value = line[p / 4 * plane + p / 2 % 2 * row + p % 2 * channels + i] - (wide){ 0 };
#pragma GCC unroll 3
                    for (int v = 0; v < vectors; v++)
                        acc[p][v] = MADD_WIDE(value, factor[v], acc[p][v]);
                }
            }
        }
#pragma GCC unroll 8
        for (int p = 0; p < VOXELS; p++)
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++) {
                wide_mask better = acc[p][v] > best[v];
                best[v] = (wide)(((wide_mask)acc[p][v] & better) | ((wide_mask)best[v] & ~better));
            }
    }
}

static inline __attribute__((always_inline)) void pooled_blocks(const float *x, int64_t plane, int64_t row,
                                                                int64_t columns, int64_t channels, int64_t outputs,
                                                                const float *weights, int64_t panel, const float *bias,
                                                                int relu, const int vectors, float *y) {
    const wide lowest = (relu ? 0.0f : -INFINITY) - (wide){ 0 };
    for (int64_t c = 0; c < columns; c++) {
        wide best[3] = { lowest, lowest, lowest };
        pooled_cell(x + 2 * c * channels, plane, row, channels, weights, panel, bias, vectors, best);
        memcpy(y + c * outputs, best, (size_t)vectors * sizeof best[0]);
    }
}

static void pooled_row(const float *x, int64_t plane, int64_t row, int64_t columns, int64_t channels, int64_t outputs,
                       const float *weights, const float *bias, int relu, float *y) {
    for (int64_t o = 0; o < outputs; o += REN__PANEL) {
        int64_t panel = outputs - o < REN__PANEL ? outputs - o : REN__PANEL, i = 0;
        const float *w = weights + o * 27 * channels;
        for (; i + (int64_t)3 * WIDE <= panel; i += (int64_t)3 * WIDE)
            pooled_blocks(x, plane, row, columns, channels, outputs, w + i, panel, bias + o + i, relu, 3, y + o + i);
        for (; i < panel; i += WIDE)
            pooled_blocks(x, plane, row, columns, channels, outputs, w + i, panel, bias + o + i, relu, 1, y + o + i);
    }
}

enum { ACCUMULATORS = 8 };

/* Lanes of all accumulators, added in a fixed order, and set to zero. */
static inline double drain(lanes sum[ACCUMULATORS]) {
    const lanes zero = { 0 };
    double total = 0;
    for (int width = ACCUMULATORS / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            sum[k] += sum[k + width];
    for (int i = 0; i < LANES; i++)
        total += (double)sum[0][i];
    for (int k = 0; k < ACCUMULATORS; k++)
        sum[k] = zero;
    return total;
}

static double dot(const float *a, const float *b, int64_t count) {
    enum { STEP = ACCUMULATORS * LANES };
    const lanes zero = { 0 };
    lanes sum[ACCUMULATORS], x = zero, y = zero;
    double total = 0;
    int64_t i = 0;
    for (int k = 0; k < ACCUMULATORS; k++)
        sum[k] = zero;
    for (int64_t end; i + STEP <= count; i = end) {
        end = i + (count - i < FLOATS_A_PARTIAL ? (count - i) / STEP * STEP : FLOATS_A_PARTIAL);
        for (int64_t at = i; at < end; at += STEP)
#pragma GCC unroll 8
            for (int64_t k = 0; k < ACCUMULATORS; k++) {
                memcpy(&x, a + at + k * LANES, sizeof x);
                memcpy(&y, b + at + k * LANES, sizeof y);
                sum[k] = MADD_LANES(x, y, sum[k]);
            }
        total += drain(sum);
    }
    for (int k = 0; i < count; i += LANES, k++) {
        x = y = zero;
        load_lanes(a + i, count - i < LANES ? count - i : LANES, &x);
        load_lanes(b + i, count - i < LANES ? count - i : LANES, &y);
        sum[k] = MADD_LANES(x, y, sum[k]);
    }
    return total + drain(sum);
}

static void add_scaled(float factor, const float *x, int64_t count, float *y) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        y[i] = MADD(factor, x[i], y[i]);
}

/* Values and derivatives of the activations, in the order of ren__activation (ops/ops.h). */
#define EACH(formula)                                                                                                  \
    _Pragma("omp simd") for (int64_t i = 0; i < count; i++) {                                                          \
        const float v = x[i];                                                                                          \
        formula;                                                                                                       \
    }                                                                                                                  \
    break

/* NOLINTBEGIN(bugprone-branch-clone): vectorised loops that differ in their formula are not one. */
static void activate(int32_t kind, const float *x, int64_t count, float *y) {
    switch (kind) {
    case 1:
        EACH(y[i] = v > 0 ? v : 0);
    case 2:
        EACH(y[i] = v > 0 ? v : 0.01f * v);
    case 3:
        EACH(y[i] = ren__sigmoid(v));
    case 4:
        for (int64_t i = 0; i < count; i++)
            y[i] = tanhf(x[i]);
        break;
    case 5:
        EACH(y[i] = ren__gelu(v));
    case 6:
        EACH(y[i] = v * ren__sigmoid(v));
    case 7:
        EACH(y[i] = ren__softplus(v));
    default:
        memmove(y, x, (size_t)count * sizeof *y);
    }
}

static void activate_backward(int32_t kind, const float *x, const float *dy, int64_t count, float *dx) {
    switch (kind) {
    case 1:
        EACH(dx[i] = v > 0 ? dy[i] : 0);
    case 2:
        EACH(dx[i] = v > 0 ? dy[i] : 0.01f * dy[i]);
    case 3:
        EACH(const float s = ren__sigmoid(v); dx[i] = dy[i] * s * (1.0f - s));
    case 4:
        for (int64_t i = 0; i < count; i++) {
            const float t = tanhf(x[i]);
            dx[i] = dy[i] * (1.0f - t * t);
        }
        break;
    case 5:
        EACH(dx[i] = dy[i] * ren__gelu_slope(v));
    case 6:
        EACH(const float s = ren__sigmoid(v); dx[i] = dy[i] * s * (1.0f + v * (1.0f - s)));
    case 7:
        EACH(dx[i] = dy[i] * ren__sigmoid(v));
    default:
        memmove(dx, dy, (size_t)count * sizeof *dx);
    }
}

/* NOLINTEND(bugprone-branch-clone) */
#undef EACH

/* ---- dropout ---- */

/* Numbers below 2^32 in lanes of 64 bits, of which only the lower half counts. */
#if defined(__AVX512F__)
enum { WORDS = 8 };
#define LOW_PAIRS            0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_PAIRS           4, 12, 5, 13, 6, 14, 7, 15
#define MULTIPLY_WORDS(a, b) ((words)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#elif defined(__AVX2__)
enum { WORDS = 4 };
#define LOW_PAIRS            0, 4, 1, 5
#define HIGH_PAIRS           2, 6, 3, 7
#define MULTIPLY_WORDS(a, b) ((words)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#else
enum { WORDS = 2 };
#define LOW_PAIRS            0, 2
#define HIGH_PAIRS           1, 3
#define MULTIPLY_WORDS(a, b) (((a)&0xFFFFFFFFu) * (b))
#endif
enum { DRAWN = 4 * WORDS };

typedef uint64_t words __attribute__((vector_size(WORDS * sizeof(uint64_t))));

/* Blocks first ... of ren__philox, one after the other. */
static inline void philox_blocks(const uint32_t key[2], const uint32_t place[3], uint32_t first,
                                 uint32_t numbers[DRAWN]) {
    const words zero = { 0 }, factor0 = zero + 0xD2511F53u, factor1 = zero + 0xCD9E8D57u, lower = zero + 0xFFFFFFFFu;
    words c0 = zero, c1 = zero + place[0], c2 = zero + place[1], c3 = zero + place[2];
    uint32_t k0 = key[0], k1 = key[1];
    for (uint32_t b = 0; b < WORDS; b++)
        c0[b] = (uint32_t)(first + b);
    for (int round = 0; round < 10; round++) {
        const words product0 = MULTIPLY_WORDS(c0, factor0), product1 = MULTIPLY_WORDS(c2, factor1);
        c0 = (product1 >> 32) ^ c1 ^ (uint64_t)k0;
        c1 = product1;
        c2 = (product0 >> 32) ^ c3 ^ (uint64_t)k1;
        c3 = product0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    c0 = (c0 & lower) | c1 << 32;
    c2 = (c2 & lower) | c3 << 32;
    /* Little-endian: the lower half of a word is its first number. */
    const words low = __builtin_shufflevector(c0, c2, LOW_PAIRS), high = __builtin_shufflevector(c0, c2, HIGH_PAIRS);
    memcpy(numbers, &low, sizeof low);
    memcpy(numbers + DRAWN / 2, &high, sizeof high);
}

static void dropout(const uint32_t key[2], const uint32_t place[3], uint64_t first, int64_t count, uint64_t limit,
                    float kept, float *factors) {
    uint32_t numbers[DRAWN];
    float drawn[DRAWN];
    const uint32_t last = (uint32_t)(limit - 1); /* dropped up to this number, where limit is not 0 */
    const float lost = limit ? 0.0f : kept;
    for (int64_t done = 0; done < count;) {
        const int64_t skipped = (int64_t)(first % 4), whole = DRAWN - skipped;
        const int64_t more = count - done < whole ? count - done : whole;
        float *to = more == DRAWN ? factors + done : drawn;
        philox_blocks(key, place, (uint32_t)(first / 4), numbers);
#pragma omp simd
        for (int i = 0; i < DRAWN; i++)
            to[i] = numbers[i] <= last ? lost : kept;
        if (to == drawn) memcpy(factors + done, drawn + skipped, (size_t)more * sizeof *drawn);
        done += more;
        first += (uint64_t)more;
    }
}

#undef MULTIPLY_WORDS
#undef LOW_PAIRS
#undef HIGH_PAIRS

const ren__vector REN__VECTOR_TABLE = {
    moments,    affine, moments_backward, affine_backward, window_max,        stem_row,
    pooled_row, dot,    add_scaled,       activate,        activate_backward, dropout,
};
