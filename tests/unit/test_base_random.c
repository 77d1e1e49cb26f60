/* SPDX-License-Identifier: Apache-2.0 */
/* Philox against the known answers of Random123 1.09 (kat_vectors), and the shape of what is made from it. */
#include "base/random.h"

#include "harness.h"

static ren_status test_philox_gives_the_known_answers(ren_context *context) {
    ren_status st = REN_OK;
    static const uint32_t vectors[3][10] = {
        { 0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 },
        { ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd },
        { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
          0x24126ea1 },
    };
    uint32_t out[4];

    (void)context;
    for (size_t i = 0; i < 3; i++) {
        ren__philox(vectors[i], vectors[i] + 4, out);
        CHECK(memcmp(out, vectors[i] + 6, sizeof out) == 0);
    }
out:
    return st;
}

static ren_status test_streams_repeat_and_differ(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng a, b, c, d;
    int equal_c = 0, equal_d = 0;

    (void)context;
    ren__rng_init(&a, 99, 1, 2);
    ren__rng_init(&b, 99, 1, 2);
    ren__rng_init(&c, 99, 2, 1);
    ren__rng_init(&d, UINT64_C(99) + (UINT64_C(1) << 32), 1, 2);
    for (int i = 0; i < 1000; i++) {
        const uint32_t value = ren__rng_u32(&a);
        CHECK_INT(value, ren__rng_u32(&b));
        equal_c += value == ren__rng_u32(&c);
        equal_d += value == ren__rng_u32(&d);
    }
    CHECK(equal_c < 2 && equal_d < 2);
out:
    return st;
}

static ren_status test_uniform_and_below_are_flat(ren_context *context) {
    ren_status st = REN_OK;
    enum { DRAWS = 70000, BINS = 7 };
    int uniform[BINS] = { 0 }, below[BINS] = { 0 };
    double sum = 0.0, square_u = 0.0, square_b = 0.0;
    ren__rng rng;

    (void)context;
    ren__rng_init(&rng, 5, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        const double u = ren__rng_uniform(&rng);
        CHECK(u >= 0.0 && u < 1.0);
        sum += u;
        uniform[(int)(u * BINS)]++;
        below[ren__rng_below(&rng, BINS)]++;
    }
    for (int i = 0; i < BINS; i++) {
        square_u += pow(uniform[i] - DRAWS / BINS, 2) / (DRAWS / BINS);
        square_b += pow(below[i] - DRAWS / BINS, 2) / (DRAWS / BINS);
    }
    CHECK(square_u < 22.5 && square_b < 22.5); /* chi-squared, 6 degrees: above it once in 1,000 */
    CHECK_NEAR(sum / DRAWS, 0.5, 0.005);
    for (int i = 0; i < 100; i++)
        CHECK_INT(ren__rng_below(&rng, 1), 0);
out:
    return st;
}

static ren_status test_normal_has_the_moments(ren_context *context) {
    ren_status st = REN_OK;
    enum { DRAWS = 200000 };
    double power[5] = { 0 };
    int beyond_three = 0;
    ren__rng rng;

    (void)context;
    ren__rng_init(&rng, 6, 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        const double x = ren__rng_normal(&rng);
        for (int k = 1; k <= 4; k++)
            power[k] += pow(x, k) / DRAWS;
        beyond_three += fabs(x) > 3.0;
    }
    CHECK_NEAR(power[1], 0.0, 0.01); /* 4.5 standard errors and more, each */
    CHECK_NEAR(power[2], 1.0, 0.015);
    CHECK_NEAR(power[3], 0.0, 0.04);
    CHECK_NEAR(power[4], 3.0, 0.12);
    CHECK_NEAR(beyond_three, 540.0, 110.0); /* 0.0027 of all */
out:
    return st;
}

/* Box-Muller from the same uniform numbers with the C library's functions. */
static ren_status test_normal_is_box_muller(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng normal, uniform;

    (void)context;
    ren__rng_init(&normal, 7, 3, 4);
    uniform = normal;
    for (int i = 0; i < 20000; i++) {
        const double u = ren__rng_uniform(&uniform), v = ren__rng_uniform(&uniform);
        CHECK_NEAR(ren__rng_normal(&normal), sqrt(-2.0 * log(1.0 - u)) * cos(2.0 * acos(-1.0) * v), 1e-14);
    }
out:
    return st;
}

static ren_status test_shuffle_permutes_evenly(ren_context *context) {
    ren_status st = REN_OK;
    enum { ROUNDS = 24000 };
    int seen[256] = { 0 };
    ren__rng rng;

    (void)context;
    ren__rng_init(&rng, 8, 0, 0);
    for (int round = 0; round < ROUNDS; round++) {
        int32_t items[4] = { 0, 1, 2, 3 };
        ren__rng_shuffle(&rng, items, 4);
        CHECK_INT(1 << items[0] | 1 << items[1] | 1 << items[2] | 1 << items[3], 15);
        seen[items[0] | items[1] << 2 | items[2] << 4 | items[3] << 6]++;
    }
    for (int i = 0; i < 256; i++)
        CHECK(seen[i] == 0 || (seen[i] > 850 && seen[i] < 1150)); /* 24 orders, 1,000 of each */
    ren__rng_shuffle(&rng, NULL, 0);
out:
    return st;
}

TEST_MAIN(CASE(test_philox_gives_the_known_answers), CASE(test_streams_repeat_and_differ),
          CASE(test_uniform_and_below_are_flat), CASE(test_normal_has_the_moments), CASE(test_normal_is_box_muller),
          CASE(test_shuffle_permutes_evenly))
