/* SPDX-License-Identifier: Apache-2.0 */
/* Linear kernels at sizes around their blocks, against sums in double precision. */
#include "base/random.h"
#include "kernels/linear.h"
#include "kernels/vector.h"

#include "harness.h"

typedef struct fixture {
    float *x, *w, *dy, *y, *dx, *dw, bias[256], db[256];
} fixture;

static void draw(ren__rng *rng, float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(2 * ren__rng_uniform(rng) - 1);
}

static ren_status set_up(ren_context *context, fixture *f, const ren__linear_shape *s) {
    ren_status st = REN_OK;
    ren__rng rng;
    memset(f, 0, sizeof *f);
    ren__rng_init(&rng, 5, 0, 0);
    REN_CALLOC(f->x, (size_t)(s->rows * s->inputs));
    REN_CALLOC(f->w, (size_t)(s->outputs * s->inputs));
    REN_CALLOC(f->dy, (size_t)(s->rows * s->outputs));
    REN_CALLOC(f->y, (size_t)(s->rows * s->outputs));
    REN_CALLOC(f->dx, (size_t)(s->rows * s->inputs));
    REN_CALLOC(f->dw, (size_t)(s->outputs * s->inputs));
    draw(&rng, f->x, s->rows * s->inputs);
    draw(&rng, f->w, s->outputs * s->inputs);
    draw(&rng, f->dy, s->rows * s->outputs);
    draw(&rng, f->bias, 256);
out:
    return st;
}

static void tear_down(fixture *f) {
    ren__free(f->x);
    ren__free(f->w);
    ren__free(f->dy);
    ren__free(f->y);
    ren__free(f->dx);
    ren__free(f->dw);
}

/* sum over k of a[k * a_step] b[k * b_step] */
static double product(const float *a, int64_t a_step, const float *b, int64_t b_step, int64_t count) {
    double sum = 0;
    for (int64_t k = 0; k < count; k++)
        sum += (double)a[k * a_step] * (double)b[k * b_step];
    return sum;
}

static ren_status compare(const fixture *f, const ren__linear_shape *s, int relu) {
    ren_status st = REN_OK;
    const int64_t n = s->inputs, m = s->outputs;
    for (int64_t r = 0; r < s->rows; r++)
        for (int64_t o = 0; o < m; o++) {
            double wanted = product(f->x + r * n, 1, f->w + o * n, 1, n) + (double)f->bias[o];
            CHECK_NEAR(f->y[r * m + o], relu && wanted < 0 ? 0 : wanted, 1e-6 * (4 + sqrt((double)n)));
        }
    for (int64_t r = 0; r < s->rows; r++)
        for (int64_t i = 0; i < n; i++)
            CHECK_NEAR(f->dx[r * n + i], product(f->dy + r * m, 1, f->w + i, n, m), 1e-6 * (4 + sqrt((double)m)));
    for (int64_t o = 0; o < m; o++) {
        double sum = 0;
        for (int64_t r = 0; r < s->rows; r++)
            sum += (double)f->dy[r * m + o];
        CHECK_NEAR(f->db[o], sum, 1e-6 * (4 + sqrt((double)s->rows)));
        for (int64_t i = 0; i < n; i++)
            CHECK_NEAR(f->dw[o * n + i], product(f->dy + o, m, f->x + i, n, s->rows),
                       1e-6 * (4 + sqrt((double)s->rows)));
    }
out:
    return st;
}

static ren_status check(ren_context *context, const ren__linear_shape *s, int relu) {
    ren_status st = REN_OK;
    fixture f;
    REN_TRY(set_up(context, &f, s));
    REN_TRY(ren__linear_forward(context, NULL, s, f.x, f.w, f.bias, relu, f.y));
    REN_TRY(ren__linear_backward_data(context, NULL, s, f.dy, f.w, f.dx));
    REN_TRY(ren__linear_backward_weights(context, NULL, s, f.x, f.dy, f.dw, f.db));
    REN_TRY(compare(&f, s, relu));
    REN_TRY(ren__linear_backward_weights(context, NULL, s, f.x, f.dy, f.dw, NULL));
out:
    tear_down(&f);
    return st;
}

static ren_status test_linear_kernels(ren_context *context) {
    static const ren__linear_shape shapes[] = {
        { 1, 1, 1 },    { 1, 63, 9 },   { 8, 64, 8 },   { 9, 65, 7 },     { 3, 4097, 5 }, { 2, 8193, 17 },
        { 8, 2049, 3 }, { 64, 16, 64 }, { 65, 17, 65 }, { 130, 33, 129 }, { 200, 1, 3 },  { 9, 300, 1 },
    };
    ren_status st = REN_OK;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        REN_TRY(check(context, &shapes[i], (int)(i & 1)));
out:
    return st;
}

/* Every table, at counts around its vectors' and partial sums' lengths. */
static ren_status test_dot_and_add_scaled(ren_context *context) {
    static const int64_t counts[] = { 1, 7, 15, 16, 17, 63, 64, 65, 127, 4095, 4096, 4097, 9000 };
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *own = NULL;
    float *a = NULL, *b = NULL;
    ren__rng rng;
    ren__rng_init(&rng, 6, 0, 0);
    test_allocator(&options);
    REN_CALLOC(a, 9000);
    REN_CALLOC(b, 9001);
    draw(&rng, a, 9000);
    for (int32_t isa = REN_ISA_PLAIN; isa <= REN_ISA_AVX512; isa++) {
        options.isa = isa;
        REN_TRY(ren_context_create(&options, &own));
        const ren__vector *v = ren__vector_for(own);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            int64_t n = counts[i];
            draw(&rng, b, 9000);
            CHECK_NEAR(v->dot(a, b, n), product(a, 1, b, 1, n), 1e-6 * (2 + sqrt((double)n)));
            b[n] = 1.5f;
            float last = b[n - 1];
            v->add_scaled(0.75f, a, n, b);
            CHECK_NEAR(b[n - 1], (double)last + 0.75 * (double)a[n - 1], 1e-6);
            CHECK(b[n] == 1.5f);
        }
        ren_context_free(own);
        own = NULL;
    }
out:
    ren__free(a);
    ren__free(b);
    ren_context_free(own);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_linear_kernels), CASE(test_dot_and_add_scaled))
