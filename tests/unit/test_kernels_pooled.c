/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of pooled cells, on every instruction set, against sums in double precision. */
#include "base/random.h"
#include "kernels/pooled.h"

#include "harness.h"

enum { MOST_CELLS = 5, MOST_IN = 24, MOST_OUT = 112, FRAME = 16 * (2 * MOST_CELLS + 2) * MOST_IN + REN__POOLED_SPARE };

typedef struct fixture {
    float *x, *weights, *packed, *y, bias[MOST_OUT];
} fixture;

static ren_status set_up(ren_context *context, fixture *f) {
    ren_status st = REN_OK;
    ren__rng rng;
    memset(f, 0, sizeof *f);
    ren__rng_init(&rng, 4, 0, 0);
    REN_CALLOC(f->x, FRAME);
    REN_CALLOC(f->weights, MOST_OUT * MOST_IN * 27);
    REN_CALLOC(f->packed, MOST_OUT * MOST_IN * 27);
    REN_CALLOC(f->y, MOST_CELLS * MOST_OUT + 1);
    for (int i = 0; i < FRAME; i++)
        f->x[i] = (float)(2 * ren__rng_uniform(&rng) - 1);
    for (int i = 0; i < MOST_OUT * MOST_IN * 27; i++)
        f->weights[i] = (float)(2 * ren__rng_uniform(&rng) - 1);
    for (int i = 0; i < MOST_OUT; i++)
        f->bias[i] = (float)(2 * ren__rng_uniform(&rng) - 1);
out:
    return st;
}

static void tear_down(fixture *f) {
    ren__free(f->x);
    ren__free(f->weights);
    ren__free(f->packed);
    ren__free(f->y);
}

static ren__conv_shape shape_of(int64_t in, int64_t out) {
    return (ren__conv_shape){ .batch = 1,
                              .in = { 4, 4, 4 },
                              .out = { 4, 4, 4 },
                              .in_channels = in,
                              .out_channels = out,
                              .groups = 1,
                              .kernel = { 3, 3, 3 },
                              .stride = { 1, 1, 1 },
                              .pad = { 1, 1, 1 } };
}

/* Output o of cell c: the largest of eight voxels. */
static double cell_of(const fixture *f, const ren__conv_shape *s, int64_t cells, int64_t c, int64_t o, int relu) {
    const int64_t in = s->in_channels, width = 2 * cells + 2;
    double best = relu ? 0 : -HUGE_VAL;
    for (int voxel = 0; voxel < 8; voxel++) {
        double sum = (double)f->bias[o];
        for (int t = 0; t < 27; t++)
            for (int64_t i = 0; i < in; i++) {
                const int64_t d = voxel / 4 + t / 9, h = voxel / 2 % 2 + t / 3 % 3, w = 2 * c + voxel % 2 + t % 3;
                sum += (double)f->x[((d * 4 + h) * width + w) * in + i] * (double)f->weights[(o * in + i) * 27 + t];
            }
        if (sum > best) best = sum;
    }
    return best;
}

static ren_status check(const fixture *f, const ren__vector *vector, int64_t in, int64_t out, int64_t cells, int relu) {
    ren_status st = REN_OK;
    const ren__conv_shape s = shape_of(in, out);
    const int64_t row = (2 * cells + 2) * in;
    CHECK(ren__pooled_applies(&s, 2));
    CHECK(ren__pooled_packed_bytes(&s) <= MOST_OUT * MOST_IN * 27 * sizeof(float));
    ren__pooled_pack(&s, f->weights, f->packed);
    f->y[cells * out] = 77;
    ren__pooled_row(vector, &s, f->x, 4 * row, row, cells, f->packed, f->bias, relu, f->y);
    CHECK(f->y[cells * out] == 77);
    for (int64_t c = 0; c < cells; c++)
        for (int64_t o = 0; o < out; o++)
            CHECK_NEAR(f->y[c * out + o], cell_of(f, &s, cells, c, o, relu), 1e-4);
out:
    return st;
}

static ren_status test_rows_of_cells(ren_context *context) {
    static const int64_t channels[][2] = { { 1, 8 },  { 1, 24 },  { 1, 40 },  { 2, 16 },
                                           { 3, 48 }, { 24, 48 }, { 16, 80 }, { 5, 112 } };
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *own = NULL;
    fixture f;
    REN_TRY(set_up(context, &f));
    test_allocator(&options);
    for (int32_t isa = REN_ISA_PLAIN; isa <= REN_ISA_AVX512; isa++) {
        options.isa = isa;
        REN_TRY(ren_context_create(&options, &own));
        for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
            for (int64_t cells = 1; cells <= MOST_CELLS; cells++)
                REN_TRY(check(&f, ren__vector_for(own), channels[i][0], channels[i][1], cells, (int)(cells & 1)));
        ren_context_free(own);
        own = NULL;
    }
out:
    ren_context_free(own);
    tear_down(&f);
    return st;
}

static ren_status test_other_convolutions_are_left_alone(ren_context *context) {
    ren_status st = REN_OK;
    const ren__conv_shape good = shape_of(8, 16);
    ren__conv_shape s = good;
    (void)context;
    CHECK(ren__pooled_applies(&good, 2));
    CHECK(!ren__pooled_applies(&good, 3) && !ren__pooled_applies(&good, 0));
    s.out_channels = 24;
    CHECK(!ren__pooled_applies(&s, 2));
    s = good, s.kernel[1] = 1;
    CHECK(!ren__pooled_applies(&s, 2));
    s = good, s.stride[2] = 2;
    CHECK(!ren__pooled_applies(&s, 2));
    s = good, s.pad[0] = 0;
    CHECK(!ren__pooled_applies(&s, 2));
    s = good, s.groups = 2;
    CHECK(!ren__pooled_applies(&s, 2));
    s = good, s.out[1] = 5;
    CHECK(!ren__pooled_applies(&s, 2));
out:
    return st;
}

TEST_MAIN(CASE(test_rows_of_cells), CASE(test_other_convolutions_are_left_alone))
