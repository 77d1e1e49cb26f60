/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding to bfloat16 against the C library's arithmetic, and convolutions in bfloat16 against sums in double
 * precision of the rounded factors. */
#include "base/random.h"
#include "kernels/bfloat.h"
#include "kernels/conv.h"
#include "kernels/kernels.h"

#include "harness.h"

/* The nearest number with eight significant bits; halves to the even one. */
static double nearest(double x) {
    int exponent;
    if (x == 0 || !isfinite(x)) return x;
    (void)frexp(x, &exponent);
    const int unit = exponent < -125 ? -133 : exponent - 8; /* below 2^-126 the steps stay the same */
    return ldexp(nearbyint(ldexp(x, -unit)), unit);
}

static float widened(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static ren_status check_rounding(const ren_context *context, const float *x, uint16_t *y, int64_t count) {
    ren_status st = REN_OK;
    y[count] = 0x1234;
    ren__to_bfloat(context, x, count, y);
    for (int64_t i = 0; i < count; i++) {
        const double wanted = nearest((double)x[i]), got = (double)widened(y[i]);
        if (isnan(x[i]))
            CHECK(isnan(got));
        else if (fabs(wanted) > 3.3961e38)
            CHECK(isinf(got) && (got > 0) == (wanted > 0));
        else
            CHECK(got == wanted);
    }
    CHECK_INT(y[count], 0x1234);
out:
    return st;
}

static ren_status test_rounding(ren_context *context) {
    enum { COUNT = 4099 };
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *own = NULL;
    float *x = NULL;
    uint16_t *y = NULL;
    ren__rng rng;
    const uint32_t special[] = { 0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF,
                                 0x7F7FFFFF, 0x3F808000, 0x3F818000, 0x3F808001, 0x00000001, 0x00008000, 0x80018000 };
    ren__rng_init(&rng, 11, 0, 0);
    test_allocator(&options);
    REN_CALLOC(x, COUNT);
    REN_CALLOC(y, COUNT + 1);
    for (int i = 0; i < COUNT; i++) {
        const uint32_t bits = i < (int)(sizeof special / sizeof *special)
                                  ? special[i]
                                  : (uint32_t)ren__rng_below(&rng, 65536) << 16 | (uint32_t)ren__rng_below(&rng, 65536);
        memcpy(&x[i], &bits, sizeof bits);
    }
    for (int32_t isa = REN_ISA_PLAIN; isa <= REN_ISA_AVX512; isa++) {
        options.isa = isa;
        REN_TRY(ren_context_create(&options, &own));
        REN_TRY(check_rounding(own, x, y, COUNT));
        for (int64_t count = 1; count < 40; count++)
            REN_TRY(check_rounding(own, x, y, count));
        ren_context_free(own);
        own = NULL;
    }
out:
    ren__free(x);
    ren__free(y);
    ren_context_free(own);
    return st;
}

/* ---- convolutions ---- */

typedef struct fixture {
    ren__conv_shape shape;
    int64_t planes; /* of which slabs have multiples */
    int32_t relu;
} fixture;

typedef struct arrays {
    float *x, *w, *bias, *y, *other;
    void *packed, *scratch;
} arrays;

static int64_t cells(const int64_t size[3]) {
    return size[0] * size[1] * size[2];
}

static int64_t outputs_of(const ren__conv_shape *s) {
    return s->batch * cells(s->out) * s->out_channels;
}

static ren_status make(ren_context *context, const ren__conv_shape *s, arrays *a) {
    ren_status st = REN_OK;
    ren__rng rng;
    const int64_t inputs = s->batch * cells(s->in) * s->in_channels;
    const int64_t weights = s->out_channels * s->in_channels * cells(s->kernel);
    memset(a, 0, sizeof *a);
    ren__rng_init(&rng, 12, 0, 0);
    REN_CALLOC(a->x, (size_t)inputs);
    REN_CALLOC(a->w, (size_t)weights);
    REN_CALLOC(a->bias, (size_t)s->out_channels);
    REN_CALLOC(a->y, (size_t)outputs_of(s));
    REN_CALLOC(a->other, (size_t)outputs_of(s));
    for (int64_t i = 0; i < inputs; i++)
        a->x[i] = (float)(2 * ren__rng_uniform(&rng) - 1);
    for (int64_t i = 0; i < weights; i++)
        a->w[i] = (float)(2 * ren__rng_uniform(&rng) - 1);
    for (int64_t i = 0; i < s->out_channels; i++)
        a->bias[i] = (float)(2 * ren__rng_uniform(&rng) - 1);
out:
    return st;
}

static void unmake(arrays *a) {
    ren__free(a->x);
    ren__free(a->w);
    ren__free(a->bias);
    ren__free(a->y);
    ren__free(a->other);
    ren__free(a->packed);
    ren__free(a->scratch);
}

typedef struct collecting {
    const ren__conv_shape *shape;
    float *y;
} collecting;

static void collect(void *argument, const float *slab, int64_t sample, int64_t plane, int64_t planes) {
    const collecting *c = argument;
    const int64_t each = c->shape->out[1] * c->shape->out[2] * c->shape->out_channels;
    memcpy(c->y + (sample * c->shape->out[0] + plane) * each, slab, (size_t)(planes * each) * sizeof *slab);
}

/* The convolution with so many threads into y, and slab by slab into other; `context` pays. */
static ren_status run(ren_context *context, const fixture *f, int32_t threads, arrays *a) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *own = NULL;
    ren__convolution *conv = NULL;
    collecting c = { &f->shape, a->other };
    test_allocator(&options);
    options.threads = threads;
    REN_TRY(ren_context_create(&options, &own));
    REN_TRY(ren__conv_create(own, &f->shape, REN__CONV_FORWARD_BFLOAT, f->relu, f->planes, &conv));
    ren__free(a->packed);
    ren__free(a->scratch);
    a->packed = a->scratch = NULL;
    REN_ALLOC(a->packed, ren__conv_packed_bytes(conv));
    REN_ALLOC(a->scratch, ren__conv_scratch_bytes(conv));
    memset(a->scratch, 0xFF, ren__conv_scratch_bytes(conv)); /* rows beyond the end may be no numbers */
    REN_TRY(ren__conv_pack(conv, a->w, a->packed));
    REN_TRY(ren__conv_forward(conv, NULL, a->x, a->packed, a->bias, a->y, a->scratch, NULL, NULL));
    REN_TRY(ren__conv_forward(conv, NULL, a->x, a->packed, a->bias, NULL, a->scratch, collect, &c));
out:
    ren__conv_free(conv);
    ren_context_free(own);
    return st;
}

/* One output in double precision from rounded factors. */
static double exact(const ren__conv_shape *s, const arrays *a, int64_t sample, const int64_t at[3], int64_t o) {
    double sum = (double)a->bias[o];
    for (int64_t d = 0; d < s->kernel[0]; d++)
        for (int64_t h = 0; h < s->kernel[1]; h++)
            for (int64_t w = 0; w < s->kernel[2]; w++) {
                const int64_t z = at[0] * s->stride[0] + d - s->pad[0], y = at[1] * s->stride[1] + h - s->pad[1];
                const int64_t x = at[2] * s->stride[2] + w - s->pad[2];
                if (z < 0 || y < 0 || x < 0 || z >= s->in[0] || y >= s->in[1] || x >= s->in[2]) continue;
                for (int64_t c = 0; c < s->in_channels; c++) {
                    const int64_t tap = (d * s->kernel[1] + h) * s->kernel[2] + w;
                    const float weight = a->w[(o * s->in_channels + c) * cells(s->kernel) + tap];
                    const float value =
                        a->x[(((sample * s->in[0] + z) * s->in[1] + y) * s->in[2] + x) * s->in_channels + c];
                    sum += nearest((double)weight) * nearest((double)value);
                }
            }
    return sum;
}

static ren_status compare(const fixture *f, const arrays *a) {
    ren_status st = REN_OK;
    const ren__conv_shape *s = &f->shape;
    const double tolerance = 1e-6 * (4 + sqrt((double)(s->in_channels * cells(s->kernel))));
    for (int64_t i = 0; i < outputs_of(s); i += 1 + i % 7) {
        const int64_t o = i % s->out_channels, cell = i / s->out_channels % cells(s->out);
        const int64_t at[3] = { cell / (s->out[1] * s->out[2]), cell / s->out[2] % s->out[1], cell % s->out[2] };
        const double wanted = exact(s, a, i / s->out_channels / cells(s->out), at, o);
        CHECK_NEAR(a->y[i], f->relu && wanted < 0 ? 0 : wanted, tolerance);
    }
out:
    return st;
}

static ren_status check_shape(ren_context *context, const fixture *f) {
    ren_status st = REN_OK;
    arrays a;
    float *one = NULL;
    const size_t bytes = (size_t)outputs_of(&f->shape) * sizeof *one;
    REN_TRY(make(context, &f->shape, &a));
    REN_ALLOC(one, bytes);
    REN_TRY(run(context, f, 1, &a));
    REN_TRY(compare(f, &a));
    CHECK(memcmp(a.other, a.y, bytes) == 0);
    memcpy(one, a.y, bytes);
    for (int32_t threads = 2; threads <= 3; threads++) {
        memset(a.y, 0, bytes);
        REN_TRY(run(context, f, threads, &a));
        CHECK(memcmp(a.y, one, bytes) == 0);
        CHECK(memcmp(a.other, one, bytes) == 0);
    }
out:
    unmake(&a);
    ren__free(one);
    return st;
}

/* Neighbourhoods, strides, rows (whose last slab is computed whole), and numbers of cells around the slabs'. */
static ren_status test_convolutions(ren_context *context) {
    static const fixture cases[] = {
        { { 2, { 6, 5, 7 }, { 6, 5, 7 }, 16, 24, 1, { 3, 3, 3 }, { 1, 1, 1 }, { 1, 1, 1 } }, 1, 0 },
        { { 1, { 8, 8, 8 }, { 8, 8, 8 }, 24, 48, 1, { 3, 3, 3 }, { 1, 1, 1 }, { 1, 1, 1 } }, 2, 1 },
        { { 1, { 3, 3, 3 }, { 3, 3, 3 }, 64, 32, 1, { 3, 3, 3 }, { 1, 1, 1 }, { 1, 1, 1 } }, 1, 0 },
        { { 1, { 8, 6, 6 }, { 4, 3, 3 }, 8, 16, 1, { 2, 2, 2 }, { 2, 2, 2 }, { 0, 0, 0 } }, 1, 0 },
        { { 1, { 7, 6, 5 }, { 7, 6, 5 }, 48, 32, 1, { 1, 1, 1 }, { 1, 1, 1 }, { 0, 0, 0 } }, 1, 1 },
        { { 1, { 9, 1, 1 }, { 9, 1, 1 }, 8, 8, 1, { 1, 1, 1 }, { 1, 1, 1 }, { 0, 0, 0 } }, 1, 0 },
        { { 1, { 217, 1, 1 }, { 217, 1, 1 }, 40, 72, 1, { 1, 1, 1 }, { 1, 1, 1 }, { 0, 0, 0 } }, 1, 0 },
        { { 1, { 1031, 1, 1 }, { 1031, 1, 1 }, 12, 576, 1, { 1, 1, 1 }, { 1, 1, 1 }, { 0, 0, 0 } }, 1, 1 },
    };
    ren_status st = REN_OK;
    if (!ren__onednn_bfloat()) SKIP("this processor multiplies no bfloat16");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        REN_TRY(check_shape(context, &cases[i]));
out:
    return st;
}

TEST_MAIN(CASE(test_rounding), CASE_SAMPLED(test_convolutions))
