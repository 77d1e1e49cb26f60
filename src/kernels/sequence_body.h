/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of sequence.h, compiled once for each instruction set: included by sequence_plain.c, sequence_avx2.c,
 * sequence_avx512.c with REN__SEQUENCE_TABLE set to the table's name. */
#include <string.h>

#include "kernels/elementary.h"
#include "kernels/sequence.h"

enum { LANES = REN__SCAN_LANES, CHUNK = REN__SCAN_CHUNK };

#define EACH_LANE _Pragma("omp simd") for (int i = 0; i < LANES; i++)

/* Up to LANES channels of a row; missing ones are `fill`. */
static inline void load(const float *row, int64_t first, int64_t count, float fill, float lanes[LANES]) {
    if (count == LANES) {
        memcpy(lanes, row + first, LANES * sizeof *lanes);
        return;
    }
    for (int64_t i = 0; i < LANES; i++)
        lanes[i] = i < count ? row[first + i] : fill;
}

static inline void store(float *row, int64_t first, int64_t count, const float lanes[LANES]) {
    memcpy(row + first, lanes, (size_t)count * sizeof *lanes);
}

/* One block of channels: what it is made of. */
typedef struct scan_block {
    const ren__scan *s;
    int64_t first, count;
    float *a; /* states x LANES */
    float d[LANES], bias[LANES];
} scan_block;

static scan_block open_block(const ren__scan *s, int64_t first, float *scratch) {
    scan_block b = { .s = s, .first = first, .count = s->channels - first, .a = scratch };
    if (b.count > LANES) b.count = LANES;
    for (int64_t k = 0; k < s->states; k++)
        for (int64_t i = 0; i < LANES; i++)
            b.a[k * LANES + i] = i < b.count ? s->a[(first + i) * s->states + k] : -1.0f;
    load(s->d, first, b.count, 0.0f, b.d);
    load(s->bias, first, b.count, 0.0f, b.bias);
    return b;
}

/* delta and delta x u of a token. */
static inline void token(const scan_block *b, int64_t t, float delta[LANES], float u[LANES]) {
    float raw[LANES];
    load(b->s->raw + t * b->s->channels, b->first, b->count, 0.0f, raw);
    load(b->s->u + t * b->s->channels, b->first, b->count, 0.0f, u);
    EACH_LANE {
        delta[i] = ren__softplus(raw[i] + b->bias[i]);
    }
}

static void scan(const ren__scan *s, int64_t first, float *y, float *kept, float *scratch) {
    const scan_block b = open_block(s, first, scratch);
    const size_t each = (size_t)s->states * LANES;
    float *h = scratch + each;
    memset(h, 0, each * sizeof *h);
    for (int64_t t = 0; t < s->length; t++) {
        float delta[LANES], u[LANES], z[LANES], sum[LANES], input[LANES];
        if (kept && t % CHUNK == 0) memcpy(kept + (size_t)(t / CHUNK) * each, h, each * sizeof *h);
        token(&b, t, delta, u);
        load(s->z + t * s->channels, first, b.count, 0.0f, z);
        EACH_LANE {
            input[i] = delta[i] * u[i];
            sum[i] = b.d[i] * u[i];
        }
        for (int64_t k = 0; k < s->states; k++) {
            const float bk = s->b[t * s->states + k], ck = s->c[t * s->states + k];
            const float *a = b.a + k * LANES;
            float *state = h + k * LANES;
            EACH_LANE {
                state[i] = REN_MADD(ren__exp(delta[i] * a[i]), state[i], input[i] * bk);
                sum[i] = REN_MADD(state[i], ck, sum[i]);
            }
        }
        EACH_LANE {
            sum[i] *= z[i] * ren__sigmoid(z[i]);
        }
        store(y + t * s->channels, first, b.count, sum);
    }
}

/* States and decays of the tokens of a chunk: states[0] is the one before it. */
static void replay(const scan_block *b, int64_t begin, int64_t end, float *states, float *decays) {
    const ren__scan *s = b->s;
    const int64_t each = s->states * LANES;
    for (int64_t t = begin; t < end; t++) {
        float delta[LANES], u[LANES], input[LANES];
        const float *before = states + (t - begin) * each;
        float *after = states + (t - begin + 1) * each, *decay = decays + (t - begin) * each;
        token(b, t, delta, u);
        EACH_LANE {
            input[i] = delta[i] * u[i];
        }
        for (int64_t k = 0; k < s->states; k++) {
            const float bk = s->b[t * s->states + k];
            EACH_LANE {
                decay[k * LANES + i] = ren__exp(delta[i] * b->a[k * LANES + i]);
                after[k * LANES + i] = REN_MADD(decay[k * LANES + i], before[k * LANES + i], input[i] * bk);
            }
        }
    }
}

typedef struct scan_sums {
    float *state, *a; /* gradients: of the state after the token at hand, of A; states x LANES */
    float d[LANES], bias[LANES];
} scan_sums;

/* One token backwards. `before`, `after` and `decay` are the token's states and decay. */
static void token_backward(const scan_block *b, int64_t t, const ren__scan_gradient *g, const float *before,
                           const float *after, const float *decay, scan_sums *sums) {
    const ren__scan *s = b->s;
    float delta[LANES], u[LANES], z[LANES], dy[LANES], y[LANES], raw[LANES];
    float ddelta[LANES] = { 0 }, du[LANES], dinput[LANES] = { 0 };
    token(b, t, delta, u);
    load(s->z + t * s->channels, b->first, b->count, 0.0f, z);
    load(g->dy + t * s->channels, b->first, b->count, 0.0f, dy);
    load(s->raw + t * s->channels, b->first, b->count, 0.0f, raw);
    EACH_LANE {
        y[i] = b->d[i] * u[i];
    }
    for (int64_t k = 0; k < s->states; k++) {
        const float ck = s->c[t * s->states + k];
        EACH_LANE {
            y[i] = REN_MADD(after[k * LANES + i], ck, y[i]);
        }
    }
    EACH_LANE {
        const float open = ren__sigmoid(z[i]), upstream = dy[i];
        dy[i] = upstream * z[i] * open;
        z[i] = upstream * y[i] * open * (1.0f + z[i] * (1.0f - open));
        du[i] = dy[i] * b->d[i];
        sums->d[i] += dy[i] * u[i];
    }
    store(g->dz + t * s->channels, b->first, b->count, z);
    for (int64_t k = 0; k < s->states; k++) {
        const float bk = s->b[t * s->states + k], ck = s->c[t * s->states + k];
        const float *a = b->a + k * LANES, *e = decay + k * LANES, *h0 = before + k * LANES, *h1 = after + k * LANES;
        float *gradient = sums->state + k * LANES, *da = sums->a + k * LANES, db = 0, dc = 0;
#pragma omp simd reduction(+ : db, dc)
        for (int i = 0; i < LANES; i++) {
            const float whole = REN_MADD(dy[i], ck, gradient[i]), through = whole * h0[i] * e[i];
            dc += dy[i] * h1[i];
            db += whole * delta[i] * u[i];
            dinput[i] = REN_MADD(whole, bk, dinput[i]);
            ddelta[i] = REN_MADD(through, a[i], ddelta[i]);
            da[i] = REN_MADD(through, delta[i], da[i]);
            gradient[i] = whole * e[i];
        }
        g->db[t * s->states + k] = db;
        g->dc[t * s->states + k] = dc;
    }
    EACH_LANE {
        du[i] = REN_MADD(dinput[i], delta[i], du[i]);
        ddelta[i] = REN_MADD(dinput[i], u[i], ddelta[i]) * ren__sigmoid(raw[i] + b->bias[i]);
        sums->bias[i] += ddelta[i];
    }
    store(g->du + t * s->channels, b->first, b->count, du);
    store(g->draw + t * s->channels, b->first, b->count, ddelta);
}

static void scan_backward(const ren__scan *s, int64_t first, const ren__scan_gradient *g, const float *kept,
                          float *scratch) {
    const scan_block b = open_block(s, first, scratch);
    const int64_t each = s->states * LANES;
    scan_sums sums = { .state = scratch + each, .a = scratch + 2 * each };
    float *states = scratch + 3 * each, *decays = states + (CHUNK + 1) * each;
    memset(sums.state, 0, 2 * (size_t)each * sizeof(float));
    for (int64_t begin = (s->length - 1) / CHUNK * CHUNK; begin >= 0; begin -= CHUNK) {
        const int64_t end = begin + CHUNK < s->length ? begin + CHUNK : s->length;
        memcpy(states, kept + begin / CHUNK * each, (size_t)each * sizeof *states);
        replay(&b, begin, end, states, decays);
        for (int64_t t = end - 1; t >= begin; t--)
            token_backward(&b, t, g, states + (t - begin) * each, states + (t - begin + 1) * each,
                           decays + (t - begin) * each, &sums);
    }
    for (int64_t i = 0; i < b.count; i++) {
        for (int64_t k = 0; k < s->states; k++)
            g->da[(first + i) * s->states + k] = sums.a[k * LANES + i];
        g->dd[first + i] = sums.d[i];
        g->dbias[first + i] = sums.bias[i];
    }
}

/* ---- causal convolution ---- */

static void causal_at(const float *x, int64_t channels, int64_t t, int64_t first, int64_t count, const float *w,
                      const float *bias, int64_t taps, float *y) {
    const int64_t missing = t < taps - 1 ? taps - 1 - t : 0;
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        y[i] = bias[first + i];
    for (int64_t k = missing; k < taps; k++) {
        const float *row = x + (t - taps + 1 + k) * channels + first, *weight = w + k * channels + first;
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            y[i] = REN_MADD(weight[i], row[i], y[i]);
    }
}

static void causal(const float *x, int64_t length, int64_t channels, int64_t first, int64_t count, const float *w,
                   const float *bias, int64_t taps, int32_t silu, float *y) {
    for (int64_t t = 0; t < length; t++) {
        float *to = y + t * channels + first;
        causal_at(x, channels, t, first, count, w, bias, taps, to);
        if (!silu) continue;
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            to[i] *= ren__sigmoid(to[i]);
    }
}

/* `count` is at most LANES. */
static void causal_backward(const float *x, const float *dy, int64_t length, int64_t channels, int64_t first,
                            int64_t count, const float *w, const float *bias, int64_t taps, int32_t silu, float *dx,
                            float *dw, float *dbias, float *scratch) {
    float sum[LANES] = { 0 };
    for (int64_t t = 0; t < length; t++) { /* the gradient before the activation */
        float *g = scratch + t * LANES;
        memcpy(g, dy + t * channels + first, (size_t)count * sizeof *g);
        if (silu) {
            float y[LANES];
            causal_at(x, channels, t, first, count, w, bias, taps, y);
            for (int64_t i = 0; i < count; i++) {
                const float open = ren__sigmoid(y[i]);
                g[i] *= open * (1.0f + y[i] * (1.0f - open));
            }
        }
        for (int64_t i = 0; i < count; i++)
            sum[i] += g[i];
    }
    memcpy(dbias + first, sum, (size_t)count * sizeof *sum);
    for (int64_t k = 0; k < taps; k++) {
        float *to = dw + k * channels + first;
        memset(to, 0, (size_t)count * sizeof *to);
        for (int64_t t = taps - 1 - k; t < length; t++)
            for (int64_t i = 0; i < count; i++)
                to[i] += scratch[t * LANES + i] * x[(t - taps + 1 + k) * channels + first + i];
    }
    for (int64_t t = 0; dx && t < length; t++) {
        float *to = dx + t * channels + first;
        memset(to, 0, (size_t)count * sizeof *to);
        for (int64_t k = 0; k < taps; k++) {
            const int64_t later = t + taps - 1 - k;
            for (int64_t i = 0; later < length && i < count; i++)
                to[i] += w[k * channels + first + i] * scratch[later * LANES + i];
        }
    }
}

#undef EACH_LANE

const ren__sequence REN__SEQUENCE_TABLE = { scan, scan_backward, causal, causal_backward };
