/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of one head against the formula in double precision, over several blocks of queries and keys, for each
 * instruction set: with and without bias, groups, dropout and rows in another order. */
#include "base/random.h"
#include "kernels/attention.h"

#include "harness.h"

enum { TOKENS = 301, WIDTH = 40, STRIDE = 3 * WIDTH + 5 };

/* What is computed, for both sides. */
typedef struct attention_case {
    int64_t tokens, width;
    int biased, grouped, dropped, placed;
} attention_case;

typedef struct arrays {
    float *x, *bias, *out, *dout, *dx, *dbias, *normaliser, *scratch;
    double *p, *want, *dq, *dk, *dv, *dwant;
    int64_t place[TOKENS];
    uint8_t group[TOKENS];
} arrays;

static float factor_of(int64_t row, int64_t key) {
    return (row * 31 + key * 17) % 5 == 0 ? 0.0f : 1.25f;
}

static void drop(void *user, int64_t row, int64_t first, int64_t count, float *factors) {
    (void)user;
    for (int64_t i = 0; i < count; i++)
        factors[i] = factor_of(row, first + i);
}

static ren_status make(ren_context *context, arrays *a, const attention_case *c) {
    ren_status st = REN_OK;
    ren__rng rng;
    const size_t rows = TOKENS * STRIDE, pairs = (size_t)(c->tokens * ren__attention_bias_stride(c->tokens));
    const size_t square = (size_t)(c->tokens * c->tokens), size = (size_t)(c->tokens * c->width);
    REN_CALLOC(a->x, rows);
    REN_CALLOC(a->out, rows);
    REN_CALLOC(a->dout, rows);
    REN_CALLOC(a->dx, rows);
    REN_CALLOC(a->bias, pairs);
    REN_CALLOC(a->dbias, pairs);
    REN_CALLOC(a->normaliser, 2 * (size_t)c->tokens);
    REN_CALLOC(a->scratch, ren__attention_scratch(c->tokens, c->width, 1));
    REN_CALLOC(a->p, square);
    REN_CALLOC(a->dwant, square);
    REN_CALLOC(a->want, size);
    REN_CALLOC(a->dq, size);
    REN_CALLOC(a->dk, size);
    REN_CALLOC(a->dv, size);
    ren__rng_init(&rng, 5, 0, 0);
    for (size_t i = 0; i < rows; i++) {
        a->x[i] = (float)ren__rng_normal(&rng) * 1.5f;
        a->dout[i] = (float)ren__rng_normal(&rng);
    }
    for (size_t i = 0; i < pairs; i++)
        a->bias[i] = (float)ren__rng_normal(&rng);
    for (int64_t t = 0; t < c->tokens; t++) {
        a->place[t] = c->placed ? c->tokens - 1 - t : t;
        a->group[t] = (uint8_t)(c->grouped && t % 3 == 1);
    }
out:
    return st;
}

static void release(arrays *a) {
    void *const all[] = { a->x,       a->out, a->dout, a->dx, a->bias, a->dbias, a->normaliser,
                          a->scratch, a->p,   a->want, a->dq, a->dk,   a->dv,    a->dwant };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ren__free(all[i]);
}

static double inner(const float *a, const float *b, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Row `token` of q, k or v. */
static const float *row(const arrays *a, int64_t token, int64_t part) {
    return a->x + a->place[token] * STRIDE + part * WIDTH;
}

static void row_by_formula(arrays *a, const attention_case *c, int64_t i) {
    const int64_t t = c->tokens, w = c->width;
    double *p = a->p + i * t, top = -1e300, sum = 0, through = 0;
    const float *dout = a->dout + a->place[i] * STRIDE;
    for (int64_t j = 0; j < t; j++) {
        p[j] = inner(row(a, i, 0), row(a, j, 1), w) / sqrt((double)w);
        if (c->biased) p[j] += (double)a->bias[i * ren__attention_bias_stride(t) + j];
        if (a->group[i] != a->group[j]) p[j] -= 100;
        top = fmax(top, p[j]);
    }
    for (int64_t j = 0; j < t; j++)
        sum += p[j] = exp(p[j] - top);
    for (int64_t j = 0; j < t; j++) {
        const double f = c->dropped ? (double)factor_of(i, j) : 1, dp = f * inner(dout, row(a, j, 2), w);
        p[j] /= sum;
        through += p[j] * dp;
        for (int64_t d = 0; d < w; d++) {
            a->want[i * w + d] += p[j] * f * (double)row(a, j, 2)[d];
            a->dv[j * w + d] += p[j] * f * (double)dout[d];
        }
        a->dwant[i * t + j] = dp;
    }
    for (int64_t j = 0; j < t; j++) {
        const double ds = a->dwant[i * t + j] = p[j] * (a->dwant[i * t + j] - through);
        for (int64_t d = 0; d < w; d++) {
            a->dq[i * w + d] += ds * (double)row(a, j, 1)[d] / sqrt((double)w);
            a->dk[j * w + d] += ds * (double)row(a, i, 0)[d] / sqrt((double)w);
        }
    }
}

static ren_status compare(const arrays *a, const attention_case *c) {
    ren_status st = REN_OK;
    const int64_t w = c->width, t = c->tokens;
    for (int64_t i = 0; i < t; i++)
        for (int64_t d = 0; d < w; d++) {
            const float *dx = a->dx + a->place[i] * STRIDE + d;
            CHECK_NEAR(a->out[a->place[i] * STRIDE + d], a->want[i * w + d], 2e-5);
            CHECK_NEAR(dx[0], a->dq[i * w + d], 1e-4);
            CHECK_NEAR(dx[WIDTH], a->dk[i * w + d], 1e-4);
            CHECK_NEAR(dx[2 * WIDTH], a->dv[i * w + d], 1e-4);
        }
    for (int64_t i = 0; i < t; i++)
        for (int64_t j = 0; j < t; j++)
            CHECK_NEAR(a->dbias[i * ren__attention_bias_stride(t) + j], a->dwant[i * t + j], 2e-5);
out:
    return st;
}

static ren_status check_case(ren_context *context, int32_t isa, const attention_case *c) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *own = NULL;
    arrays a = { 0 };
    options.threads = 1;
    options.isa = isa;
    REN_TRY(ren_context_create(&options, &own));
    REN_TRY(make(context, &a, c));
    for (int64_t i = 0; i < c->tokens; i++)
        row_by_formula(&a, c, i);
    const ren__attention attention = { .tokens = c->tokens,
                                       .width = c->width,
                                       .q = a.x,
                                       .k = a.x + WIDTH,
                                       .v = a.x + 2 * WIDTH,
                                       .stride = STRIDE,
                                       .place = c->placed ? a.place : NULL,
                                       .bias = c->biased ? a.bias : NULL,
                                       .bias_stride = ren__attention_bias_stride(c->tokens),
                                       .group = c->grouped ? a.group : NULL,
                                       .normaliser = a.normaliser,
                                       .drop = c->dropped ? drop : NULL };
    ren__attention_forward(own, &attention, a.out, STRIDE, a.scratch);
    ren__attention_backward(own, &attention, a.out, a.dout, STRIDE, a.dx, a.dx + WIDTH, a.dx + 2 * WIDTH, STRIDE,
                            a.dbias, a.scratch);
    REN_TRY(compare(&a, c));
out:
    release(&a);
    ren_context_free(own);
    return st;
}

static ren_status test_it_is_what_the_formula_says(ren_context *context) {
    static const attention_case cases[] = { { 1, 1, 0, 0, 0, 0 },    { 5, 3, 1, 1, 0, 1 },
                                            { 48, 16, 0, 0, 1, 0 },  { 129, 32, 1, 0, 0, 0 },
                                            { 300, 24, 1, 1, 1, 1 }, { TOKENS, WIDTH, 0, 1, 0, 0 } };
    static const int32_t sets[] = { REN_ISA_PLAIN, REN_ISA_AVX2, REN_ISA_AVX512 };
    ren_status st = REN_OK;
    for (int s = 0; s < 3; s++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            REN_TRY(check_case(context, sets[s], &cases[i]));
out:
    return st;
}

TEST_MAIN(CASE_ONCE(test_it_is_what_the_formula_says))
