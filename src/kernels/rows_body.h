/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of rows.h, compiled once for each instruction set: included by rows_plain.c, rows_avx2.c, rows_avx512.c
 * with REN__ROWS_TABLE set to the table's name. */
#include <math.h>

#include "kernels/elementary.h"
#include "kernels/rows.h"

static void layer_norm(const float *x, int64_t rows, int64_t channels, const float *weight, const float *bias, float *y,
                       float *stats) {
    const float share = 1.0f / (float)channels;
    for (int64_t r = 0; r < rows; r++) {
        const float *from = x + r * channels;
        float *to = y + r * channels, sum = 0, square = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t c = 0; c < channels; c++)
            sum += from[c];
        const float mean = sum * share;
#pragma omp simd reduction(+ : square)
        for (int64_t c = 0; c < channels; c++)
            square += (from[c] - mean) * (from[c] - mean);
        const float inverse = 1.0f / sqrtf(square * share + 1e-5f);
        if (stats) {
            stats[2 * r] = mean;
            stats[2 * r + 1] = inverse;
        }
        if (weight) {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++)
                to[c] = REN_MADD((from[c] - mean) * inverse, weight[c], bias[c]);
        } else {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++)
                to[c] = (from[c] - mean) * inverse;
        }
    }
}

static void layer_norm_backward(const float *x, const float *dy, int64_t rows, int64_t channels, const float *weight,
                                const float *stats, float *dx, double *dweight, double *dbias) {
    const float share = 1.0f / (float)channels;
    for (int64_t r = 0; r < rows; r++) {
        const float *from = x + r * channels, *g = dy + r * channels, mean = stats[2 * r], inverse = stats[2 * r + 1];
        if (dweight) {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++) {
                dweight[c] += (double)(g[c] * (from[c] - mean) * inverse);
                dbias[c] += (double)g[c];
            }
        }
        if (!dx) continue;
        float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
        for (int64_t c = 0; c < channels; c++) {
            const float h = weight ? g[c] * weight[c] : g[c];
            sum += h;
            product += h * (from[c] - mean);
        }
        const float a = sum * share, b = product * share * inverse * inverse;
        float *to = dx + r * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float h = weight ? g[c] * weight[c] : g[c];
            to[c] = inverse * (h - a - (from[c] - mean) * b);
        }
    }
}

static float exponentials(float *row, int64_t count, float scale, const float *bias, float *largest) {
    float top = -INFINITY, sum = 0;
    if (bias) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            row[i] = REN_MADD(row[i], scale, bias[i]);
    } else {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            row[i] *= scale;
    }
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < count; i++)
        top = row[i] > top ? row[i] : top;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) {
        row[i] = ren__exp(row[i] - top);
        sum += row[i];
    }
    if (largest) *largest = top;
    return sum;
}

enum { ROWS_A_PARTIAL = 64, CHANNELS_AT_ONCE = 64 };

/* Few channels would make short loops: so many rows are taken as one wide row, with what belongs to a channel repeated
 * (at most CHANNELS_AT_ONCE values). */
static int64_t rows_at_once(int64_t channels) {
    return channels <= CHANNELS_AT_ONCE / 2 ? CHANNELS_AT_ONCE / channels : 1;
}

static const float *repeat(const float *values, int64_t channels, int64_t times, float *room) {
    for (int64_t i = 0; i < times * channels; i++)
        room[i] = values[i % channels];
    return room;
}

typedef struct wide_centre {
    float mean[CHANNELS_AT_ONCE], rest[CHANNELS_AT_ONCE], scale[CHANNELS_AT_ONCE];
} wide_centre;

static ren__centre repeat_centre(const ren__centre *centre, int64_t channels, int64_t times, wide_centre *room) {
    return (ren__centre){ repeat(centre->mean, channels, times, room->mean),
                          repeat(centre->rest, channels, times, room->rest),
                          repeat(centre->scale, channels, times, room->scale) };
}

/* Sums of the wide row's channels to those of the rows. */
static void fold(const double *wide, int64_t channels, int64_t times, double *sum) {
    for (int64_t i = 0; i < times * channels; i++)
        sum[i % channels] += wide[i];
}

static void moments_of(const float *x, int64_t rows, int64_t channels, const float *pivot, double *sum,
                       double *square) {
    for (int64_t c0 = 0; c0 < channels; c0 += CHANNELS_AT_ONCE) {
        const int64_t n = channels - c0 < CHANNELS_AT_ONCE ? channels - c0 : CHANNELS_AT_ONCE;
        double s[CHANNELS_AT_ONCE] = { 0 }, q[CHANNELS_AT_ONCE] = { 0 };
        for (int64_t r = 0; r < rows; r++) {
            const float *row = x + r * channels + c0;
#pragma omp simd
            for (int64_t c = 0; c < n; c++) {
                const double d = (double)row[c] - (double)pivot[c0 + c];
                s[c] += d;
                q[c] += d * d;
            }
        }
        for (int64_t c = 0; c < n; c++) {
            sum[c0 + c] += s[c];
            square[c0 + c] += q[c];
        }
    }
}

static void moments(const float *x, int64_t rows, int64_t channels, const float *pivot, double *sum, double *square) {
    const int64_t times = rows_at_once(channels), wide = rows / times;
    if (times > 1) {
        float room[CHANNELS_AT_ONCE] = { 0 };
        double s[CHANNELS_AT_ONCE] = { 0 }, q[CHANNELS_AT_ONCE] = { 0 };
        moments_of(x, wide, times * channels, repeat(pivot, channels, times, room), s, q);
        fold(s, channels, times, sum);
        fold(q, channels, times, square);
        x += wide * times * channels;
        rows -= wide * times;
    }
    moments_of(x, rows, channels, pivot, sum, square);
}

static void normalise_rows(const float *x, int64_t rows, int64_t channels, const ren__centre *centre, float slope,
                           float *y) {
    const float *mean = centre->mean, *rest = centre->rest, *scale = centre->scale;
    for (int64_t r = 0; r < rows; r++) {
        const float *from = x + r * channels;
        float *to = y + r * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float v = ((from[c] - mean[c]) - rest[c]) * scale[c];
            to[c] = v > 0 ? v : slope * v;
        }
    }
}

static void normalise_slope(const float *x, int64_t rows, int64_t channels, const ren__centre *centre, float slope,
                            float *y) {
    const int64_t times = rows_at_once(channels), wide = rows / times, done = wide * times;
    if (times > 1) {
        wide_centre room;
        const ren__centre repeated = repeat_centre(centre, channels, times, &room);
        normalise_rows(x, wide, times * channels, &repeated, slope, y);
        x += done * channels;
        y += done * channels;
        rows -= done;
    }
    normalise_rows(x, rows, channels, centre, slope, y);
}

static void sums_of(const float *x, const float *dy, int64_t rows, int64_t channels, const ren__centre *centre,
                    float slope, double *sum, double *product) {
    for (int64_t c0 = 0; c0 < channels; c0 += CHANNELS_AT_ONCE) {
        const int64_t n = channels - c0 < CHANNELS_AT_ONCE ? channels - c0 : CHANNELS_AT_ONCE;
        const float *mean = centre->mean + c0, *rest = centre->rest + c0, *scale = centre->scale + c0;
        for (int64_t r0 = 0; r0 < rows; r0 += ROWS_A_PARTIAL) {
            const int64_t end = r0 + ROWS_A_PARTIAL < rows ? r0 + ROWS_A_PARTIAL : rows;
            float s[CHANNELS_AT_ONCE] = { 0 }, p[CHANNELS_AT_ONCE] = { 0 };
            for (int64_t r = r0; r < end; r++) {
                const float *row = x + r * channels + c0, *gradient = dy + r * channels + c0;
#pragma omp simd
                for (int64_t c = 0; c < n; c++) {
                    const float v = ((row[c] - mean[c]) - rest[c]) * scale[c];
                    const float g = v > 0 ? gradient[c] : slope * gradient[c];
                    s[c] += g;
                    p[c] = REN_MADD(g, v, p[c]);
                }
            }
            for (int64_t c = 0; c < n; c++) {
                sum[c0 + c] += (double)s[c];
                product[c0 + c] += (double)p[c];
            }
        }
    }
}

static void slope_sums(const float *x, const float *dy, int64_t rows, int64_t channels, const ren__centre *centre,
                       float slope, double *sum, double *product) {
    const int64_t times = rows_at_once(channels), wide = rows / times, done = wide * times;
    if (times > 1) {
        wide_centre room;
        double s[CHANNELS_AT_ONCE] = { 0 }, p[CHANNELS_AT_ONCE] = { 0 };
        const ren__centre repeated = repeat_centre(centre, channels, times, &room);
        sums_of(x, dy, wide, times * channels, &repeated, slope, s, p);
        fold(s, channels, times, sum);
        fold(p, channels, times, product);
        x += done * channels;
        dy += done * channels;
        rows -= done;
    }
    sums_of(x, dy, rows, channels, centre, slope, sum, product);
}

static void backward_rows(const float *x, const float *dy, int64_t rows, int64_t channels, const ren__centre *centre,
                          float slope, const float *a, const float *b, float *dx) {
    const float *mean = centre->mean, *rest = centre->rest, *scale = centre->scale;
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * channels, *gradient = dy + r * channels;
        float *to = dx + r * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float v = ((row[c] - mean[c]) - rest[c]) * scale[c];
            const float g = v > 0 ? gradient[c] : slope * gradient[c];
            to[c] = scale[c] * (g - a[c] - v * b[c]);
        }
    }
}

static void slope_backward(const float *x, const float *dy, int64_t rows, int64_t channels, const ren__centre *centre,
                           float slope, const float *a, const float *b, float *dx) {
    const int64_t times = rows_at_once(channels), wide = rows / times, done = wide * times;
    if (times > 1) {
        wide_centre room;
        float wide_a[CHANNELS_AT_ONCE], wide_b[CHANNELS_AT_ONCE];
        const ren__centre repeated = repeat_centre(centre, channels, times, &room);
        backward_rows(x, dy, wide, times * channels, &repeated, slope, repeat(a, channels, times, wide_a),
                      repeat(b, channels, times, wide_b), dx);
        x += done * channels;
        dy += done * channels;
        dx += done * channels;
        rows -= done;
    }
    backward_rows(x, dy, rows, channels, centre, slope, a, b, dx);
}

const ren__rows REN__ROWS_TABLE = {
    layer_norm, layer_norm_backward, exponentials, moments, normalise_slope, slope_sums, slope_backward,
};
