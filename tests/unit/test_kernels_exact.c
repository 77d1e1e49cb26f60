/* SPDX-License-Identifier: Apache-2.0 */
/* Products with exact sums, each instruction set, against plain loops in double: sizes around panels, chains and
 * blocks, and sums whose terms cancel, where a chain of floats is off by far more than a float's rounding. */
#include "base/random.h"
#include "kernels/exact.h"

#include "harness.h"

static void draw(ren__rng *rng, float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(2 * ren__rng_uniform(rng) - 1);
}

/* A float's own rounding, and five deviations of what the chains are off by: a random walk of roundings each. */
static double allowed(double value, int64_t products) {
    const double chain = products < REN__EXACT_CHAIN ? (double)products : REN__EXACT_CHAIN;
    return 6e-8 * fabs(value) + 5 * 1e-8 * sqrt(chain * (double)products) + 1e-7;
}

/* ---- linear layers ---- */

static ren_status check_linear(ren_context *context, int64_t rows, int64_t inputs, int64_t outputs) {
    ren_status st = REN_OK;
    float *x = NULL, *w = NULL, *bias = NULL, *y = NULL, *packed = NULL;
    ren__rng rng;
    ren__rng_init(&rng, 11, 0, 0);
    REN_ALLOC(x, (size_t)(rows * inputs) * sizeof *x);
    REN_ALLOC(w, (size_t)(outputs * inputs) * sizeof *w);
    REN_ALLOC(bias, (size_t)outputs * sizeof *bias);
    REN_CALLOC(y, (size_t)(rows * outputs) + 1);
    const ren__exact_weights weights = { w, outputs, inputs, 1, 0, inputs, 1 };
    REN_ALLOC(packed, ren__exact_packed(&weights) * sizeof *packed);
    draw(&rng, x, rows * inputs);
    draw(&rng, w, outputs * inputs);
    draw(&rng, bias, outputs);
    y[rows * outputs] = 7;
    ren__exact_pack(context, &weights, packed);
    for (int biased = 0; biased < 2; biased++) {
        ren__exact_linear(context, NULL, rows, inputs, outputs, x, packed, biased ? bias : NULL, y);
        for (int64_t i = 0; i < rows * outputs; i++) {
            const int64_t r = i / outputs, o = i % outputs;
            double sum = biased ? (double)bias[o] : 0;
            for (int64_t k = 0; k < inputs; k++)
                sum += (double)x[r * inputs + k] * (double)w[o * inputs + k];
            CHECK_NEAR(y[i], sum, allowed(sum, inputs));
        }
    }
    CHECK(y[rows * outputs] == 7);
out:
    ren__free(x);
    ren__free(w);
    ren__free(bias);
    ren__free(y);
    ren__free(packed);
    return st;
}

/* ---- convolutions ---- */

static double convolved(const ren__conv_shape *s, const float *x, const float *w, int64_t n, const int64_t at[3],
                        int64_t o) {
    double sum = 0;
    for (int64_t a = 0; a < s->kernel[0]; a++)
        for (int64_t b = 0; b < s->kernel[1]; b++)
            for (int64_t c = 0; c < s->kernel[2]; c++) {
                const int64_t d = at[0] * s->stride[0] - s->pad[0] + a, h = at[1] * s->stride[1] - s->pad[1] + b;
                const int64_t v = at[2] * s->stride[2] - s->pad[2] + c;
                if (d < 0 || d >= s->in[0] || h < 0 || h >= s->in[1] || v < 0 || v >= s->in[2]) continue;
                for (int64_t i = 0; i < s->in_channels; i++)
                    sum += (double)x[(((n * s->in[0] + d) * s->in[1] + h) * s->in[2] + v) * s->in_channels + i] *
                           (double)
                               w[(((o * s->in_channels + i) * s->kernel[0] + a) * s->kernel[1] + b) * s->kernel[2] + c];
            }
    return sum;
}

static ren_status compare_conv(const ren__conv_shape *s, const float *x, const float *w, const float *bias,
                               const float *y) {
    ren_status st = REN_OK;
    const int64_t products = s->in_channels * s->kernel[0] * s->kernel[1] * s->kernel[2], *out = s->out;
    for (int64_t i = 0; i < s->batch * out[0] * out[1] * out[2] * s->out_channels; i++) {
        const int64_t o = i % s->out_channels, v = i / s->out_channels, n = v / (out[0] * out[1] * out[2]);
        const int64_t at[3] = { v / (out[1] * out[2]) % out[0], v / out[2] % out[1], v % out[2] };
        const double sum = convolved(s, x, w, n, at, o) + (bias ? (double)bias[o] : 0);
        CHECK_NEAR(y[i], sum, allowed(sum, products));
    }
out:
    return st;
}

static ren_status check_conv(ren_context *context, ren__conv_shape s, int biased) {
    ren_status st = REN_OK;
    float *x = NULL, *w = NULL, *y = NULL;
    void *scratch = NULL;
    float bias[160];
    ren__rng rng;
    for (int i = 0; i < 3; i++)
        s.out[i] = (s.in[i] + 2 * s.pad[i] - s.kernel[i]) / s.stride[i] + 1;
    const int64_t inputs = s.batch * s.in[0] * s.in[1] * s.in[2] * s.in_channels;
    const int64_t outputs = s.batch * s.out[0] * s.out[1] * s.out[2] * s.out_channels;
    const int64_t weights = s.out_channels * s.in_channels * s.kernel[0] * s.kernel[1] * s.kernel[2];
    ren__rng_init(&rng, 12, 0, 0);
    REN_ALLOC(x, (size_t)inputs * sizeof *x);
    REN_ALLOC(w, (size_t)weights * sizeof *w);
    REN_CALLOC(y, (size_t)outputs + 1);
    REN_ALLOC(scratch, ren__exact_conv_scratch_bytes(context, &s));
    draw(&rng, x, inputs);
    draw(&rng, w, weights);
    draw(&rng, bias, s.out_channels);
    y[outputs] = 7;
    ren__exact_conv_forward(context, NULL, &s, x, w, biased ? bias : NULL, y, scratch);
    REN_TRY(compare_conv(&s, x, w, biased ? bias : NULL, y));
    CHECK(y[outputs] == 7);
out:
    ren__free(x);
    ren__free(w);
    ren__free(y);
    ren__free(scratch);
    return st;
}

static ren_status check_all(ren_context *context) {
    static const int64_t linears[][3] = { { 1, 1, 1 },    { 9, 72, 16 },   { 64, 73, 48 },  { 65, 71, 49 },
                                          { 130, 7, 97 }, { 31, 300, 15 }, { 66, 145, 33 }, { 3, 1000, 64 } };
    static const ren__conv_shape convs[] = {
        { 2, { 5, 4, 7 }, { 0 }, 1, 24, 1, { 3, 3, 3 }, { 1, 1, 1 }, { 1, 1, 1 } },
        { 1, { 3, 5, 66 }, { 0 }, 3, 17, 1, { 3, 3, 3 }, { 1, 1, 1 }, { 1, 1, 1 } },
        { 1, { 4, 6, 5 }, { 0 }, 30, 49, 1, { 3, 3, 3 }, { 1, 1, 1 }, { 1, 1, 1 } },
        { 2, { 7, 6, 9 }, { 0 }, 5, 32, 1, { 3, 3, 3 }, { 2, 2, 2 }, { 1, 1, 1 } },
        { 1, { 8, 9, 17 }, { 0 }, 1, 20, 1, { 4, 4, 4 }, { 4, 4, 4 }, { 0, 0, 0 } }, /* a patch embedding, cropped */
        { 1, { 2, 3, 130 }, { 0 }, 8, 3, 1, { 1, 1, 1 }, { 1, 1, 1 }, { 0, 0, 0 } },
        { 1, { 1, 1, 40 }, { 0 }, 6, 144, 1, { 1, 1, 5 }, { 1, 1, 3 }, { 0, 0, 4 } },
        { 1, { 2, 40, 30 }, { 0 }, 100, 2, 1, { 1, 3, 3 }, { 1, 1, 1 }, { 0, 1, 1 } }, /* more than one frame a plane */
    };
    ren_status st = REN_OK;
    for (size_t i = 0; i < sizeof linears / sizeof *linears; i++)
        REN_TRY(check_linear(context, linears[i][0], linears[i][1], linears[i][2]));
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++)
        REN_TRY(check_conv(context, convs[i], (int)(i & 1)));
out:
    return st;
}

/* Every instruction set that the machine has. */
static ren_status test_against_plain_loops(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *own = NULL;
    (void)context;
    test_allocator(&options);
    options.threads = 2;
    for (int32_t isa = REN_ISA_PLAIN; isa <= REN_ISA_AVX512; isa++) {
        options.isa = isa;
        REN_TRY(ren_context_create(&options, &own));
        REN_TRY(check_all(own));
        ren_context_free(own);
        own = NULL;
    }
out:
    ren_context_free(own);
    return st;
}

/* A thousand chains whose sums cancel, and one small product: a single chain of floats would lose it. */
static ren_status test_chains_end(ren_context *context) {
    enum { CHAINS = 1000, INPUTS = CHAINS * REN__EXACT_CHAIN };
    ren_status st = REN_OK;
    float *x = NULL, *w = NULL, *packed = NULL, y[1];
    REN_ALLOC(x, INPUTS * sizeof *x);
    REN_ALLOC(w, INPUTS * sizeof *w);
    const ren__exact_weights weights = { w, 1, INPUTS, 1, 0, INPUTS, 1 };
    REN_ALLOC(packed, ren__exact_packed(&weights) * sizeof *packed);
    for (int64_t i = 0; i < INPUTS; i++) {
        x[i] = 3;
        w[i] = i < INPUTS / 2 ? 1 : -1;
    }
    w[INPUTS / 2 - 1] += 0x1p-14f;
    ren__exact_pack(context, &weights, packed);
    ren__exact_linear(context, NULL, 1, INPUTS, 1, x, packed, NULL, y);
    CHECK(y[0] == 3 * 0x1p-14f);
out:
    ren__free(x);
    ren__free(w);
    ren__free(packed);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_against_plain_loops), CASE(test_chains_end))
