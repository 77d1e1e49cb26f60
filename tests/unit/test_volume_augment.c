/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentation: known movements, exact repetition, the statistics of noise and of what is drawn. */
#include "harness.h"
#include "volume/augment.h"

enum { D = 9, H = 11, W = 13, CELLS = D * H * W };
static const int64_t SIZE[3] = { D, H, W };
static const ren__augment_options ALL = { 0.1, 1.0, 0.01, 1.0, 5.0, 0.1, 1.0 };

/* A linear function of the position inside a box, zero outside. */
static void fill_ramp(float *values) {
    for (int n = 0; n < CELLS; n++) {
        const int d = n / (H * W), h = n / W % H, w = n % W;

        values[n] = 2.0f + 0.5f * (float)d - 0.25f * (float)h + 0.125f * (float)w;
    }
}

static ren_status test_augment_probability_zero(ren_context *context) {
    ren_status st = REN_OK;
    const ren__augment_options never = { 0.1, 0.0, 0.01, 0.0, 5.0, 0.1, 0.0 };
    float source[CELLS], target[CELLS];

    fill_ramp(source);
    for (uint32_t sample = 0; sample < 50; sample++) {
        REN_TRY(ren__augment(context, NULL, &never, 7, 1, sample, SIZE, source, target));
        CHECK_INT(memcmp(source, target, sizeof source), 0);
    }
out:
    return st;
}

/* Whole shifts move cells, and what comes from outside is zero. */
static ren_status test_augment_shift(ren_context *context) {
    ren_status st = REN_OK;
    const ren__augment_change change = { .matrix = { { 1, 0, 0, -2 }, { 0, 1, 0, 1 }, { 0, 0, 1, 3 } }, .moves = 1 };
    float source[CELLS], target[CELLS];

    fill_ramp(source);
    REN_TRY(ren__augment_apply(context, NULL, &change, SIZE, source, target));
    for (int n = 0; n < CELLS; n++) {
        const int d = n / (H * W) - 2, h = n / W % H + 1, w = n % W + 3;

        if (d >= 0 && h < H && w < W)
            CHECK(target[n] == source[(d * H + h) * W + w]);
        else
            CHECK(target[n] == 0.0f);
    }
out:
    return st;
}

/* A quarter turn about the first axis permutes a cube's cells. */
static ren_status test_augment_quarter_turn(ren_context *context) {
    enum { N = 8 };
    ren_status st = REN_OK;
    const int64_t cube[3] = { N, N, N };
    const ren__augment_options turns = { 1.57079632679489662, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0 };
    ren__augment_change change;
    float source[N * N * N], target[N * N * N];

    for (int n = 0; n < N * N * N; n++)
        source[n] = (float)(n * 37 % 101);
    change = (ren__augment_change){ .matrix = { { 1, 0, 0, 0 }, { 0, 0, 1, 0 }, { 0, -1, 0, N - 1 } }, .moves = 1 };
    REN_TRY(ren__augment_apply(context, NULL, &change, cube, source, target));
    for (int d = 0; d < N; d++) {
        for (int h = 0; h < N; h++) {
            for (int w = 0; w < N; w++)
                CHECK(target[(d * N + h) * N + w] == source[(d * N + w) * N + N - 1 - h]);
        }
    }
    /* what is drawn is a rotation about the centre: orthonormal, right-handed, and the centre stays */
    for (uint32_t sample = 0; sample < 20; sample++) {
        ren__augment_draw(&turns, 3, 0, sample, cube, &change);
        for (int a = 0; a < 3; a++) {
            const double *m = change.matrix[a], *o = change.matrix[(a + 1) % 3], *z = change.matrix[(a + 2) % 3];

            CHECK_NEAR(m[0] * m[0] + m[1] * m[1] + m[2] * m[2], 1.0, 1e-12);
            CHECK_NEAR(m[0] * o[0] + m[1] * o[1] + m[2] * o[2], 0.0, 1e-12);
            CHECK_NEAR(m[1] * o[2] - m[2] * o[1], z[0], 1e-12);
            CHECK_NEAR(3.5 * (m[0] + m[1] + m[2]) + m[3], 3.5, 1e-12);
        }
    }
out:
    return st;
}

/* Trilinear interpolation of a linear function is that function at the moved position. */
static ren_status test_augment_linear_function(ren_context *context) {
    ren_status st = REN_OK;
    ren__augment_options still = ALL;
    float source[CELLS], target[CELLS];
    int compared = 0;

    still.noise = 0.0;
    still.shift = 2.0;
    fill_ramp(source);
    for (uint32_t sample = 0; sample < 10; sample++) {
        ren__augment_change change;

        ren__augment_draw(&still, 11, 2, sample, SIZE, &change);
        CHECK_INT(change.moves, 1);
        REN_TRY(ren__augment(context, NULL, &still, 11, 2, sample, SIZE, source, target));
        for (int n = 0; n < CELLS; n++) {
            double at[3];
            int inside = 1;

            for (int a = 0; a < 3; a++) {
                const double *m = change.matrix[a];

                at[a] = m[0] * (n / (H * W)) + m[1] * (n / W % H) + m[2] * (n % W) + m[3];
                inside &= at[a] >= 0.0 && at[a] <= (double)(SIZE[a] - 1);
            }
            if (inside) CHECK_NEAR(target[n], 2.0 + 0.5 * at[0] - 0.25 * at[1] + 0.125 * at[2], 1e-5);
            compared += inside;
        }
    }
    CHECK(compared > 4000);
out:
    return st;
}

static ren_status test_augment_same_bits(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *single = NULL;
    float source[CELLS], a[CELLS], b[CELLS];

    test_allocator(&options);
    options.threads = 1;
    REN_TRY(ren_context_create(&options, &single));
    fill_ramp(source);
    REN_TRY(ren__augment(context, NULL, &ALL, 5, 3, 17, SIZE, source, a));
    REN_TRY(ren__augment(single, NULL, &ALL, 5, 3, 17, SIZE, source, b));
    CHECK_INT(memcmp(a, b, sizeof a), 0);
    REN_TRY(ren__augment(single, NULL, &ALL, 5, 3, 18, SIZE, source, b));
    CHECK(memcmp(a, b, sizeof a) != 0);
    REN_TRY(ren__augment(single, NULL, &ALL, 5, 4, 17, SIZE, source, b));
    CHECK(memcmp(a, b, sizeof a) != 0);
    REN_TRY(ren__augment(single, NULL, &ALL, 6, 3, 17, SIZE, source, b));
    CHECK(memcmp(a, b, sizeof a) != 0);
out:
    ren_context_free(single);
    return st;
}

/* Mean, deviation and tails of the normal distribution; zeros stay zeros; neighbours are independent. */
static ren_status test_augment_noise(ren_context *context) {
    enum { N = 48, COUNT = N * N * N };
    ren_status st = REN_OK;
    const int64_t cube[3] = { N, N, N };
    const ren__augment_options noisy = { 0.0, 0.0, 0.01, 1.0, 0.0, 0.0, 0.0 };
    float *source = ren__alloc_array(context, COUNT, sizeof *source), *target = NULL;
    double sum = 0.0, square = 0.0, product = 0.0, before = 0.0;
    int64_t changed = 0, beyond = 0;

    CHECK_MEMORY(source);
    target = ren__alloc_array(context, COUNT, sizeof *target);
    CHECK_MEMORY(target);
    for (int n = 0; n < COUNT; n++)
        source[n] = n % 3 ? 0.5f : 0.0f;
    REN_TRY(ren__augment(context, NULL, &noisy, 1, 0, 0, cube, source, target));
    for (int n = 0; n < COUNT; n++) {
        const double z = ((double)target[n] - (double)source[n]) / 0.01;

        if (n % 3 == 0) CHECK(target[n] == 0.0f);
        if (n % 3 == 0) continue;
        changed++;
        sum += z;
        square += z * z;
        product += n % 3 == 2 ? z * before : 0.0;
        beyond += fabs(z) > 1.959964;
        before = z;
    }
    CHECK_INT(changed, COUNT * 2 / 3);
    CHECK_NEAR(sum / (double)changed, 0.0, 5.0 / sqrt((double)changed));
    CHECK_NEAR(square / (double)changed, 1.0, 5.0 * sqrt(2.0 / (double)changed));
    CHECK_NEAR((double)beyond / (double)changed, 0.05, 5.0 * sqrt(0.0475 / (double)changed));
    CHECK_NEAR(2.0 * product / (double)changed, 0.0, 5.0 * sqrt(2.0 / (double)changed));
out:
    ren__free(source);
    ren__free(target);
    return st;
}

/* Each change comes as often as asked for, independently, and within its range. */
static ren_status test_augment_probabilities(ren_context *context) {
    enum { DRAWS = 20000 };
    ren_status st = REN_OK;
    ren__augment_options options = { 0.1, 0.3, 0.01, 0.2, 5.0, 0.1, 0.2 };
    int moves = 0, noisy = 0, both = 0;
    double widest = 0.0, largest = 0.0;

    (void)context;
    for (uint32_t n = 0; n < DRAWS; n++) {
        ren__augment_change change;

        ren__augment_draw(&options, 2, n / 100, n % 100, SIZE, &change);
        moves += change.moves;
        noisy += change.noise > 0.0;
        both += change.moves && change.noise > 0.0;
    }
    CHECK_NEAR(moves, 0.44 * DRAWS, 5.0 * sqrt(0.44 * 0.56 * DRAWS)); /* 1 - 0.7 x 0.8 */
    CHECK_NEAR(noisy, 0.20 * DRAWS, 5.0 * sqrt(0.20 * 0.80 * DRAWS));
    CHECK_NEAR(both, 0.088 * DRAWS, 5.0 * sqrt(0.088 * 0.912 * DRAWS));
    options.rotation_probability = 0.0;
    options.affine_probability = 1.0;
    for (uint32_t n = 0; n < 2000; n++) {
        ren__augment_change change;

        ren__augment_draw(&options, 2, 0, n, SIZE, &change);
        const double scale = 1.0 / change.matrix[0][0];
        const double shift = scale * (4.0 - (4.0 * change.matrix[0][0] + change.matrix[0][3])); /* of the centre, D */

        CHECK_NEAR(change.matrix[1][1], change.matrix[0][0], 1e-15);
        CHECK(scale >= 0.9 && scale <= 1.1 && fabs(shift) <= 5.0 + 1e-9);
        if (fabs(scale - 1.0) > widest) widest = fabs(scale - 1.0);
        if (fabs(shift) > largest) largest = fabs(shift);
    }
    CHECK(widest > 0.095 && largest > 4.8);
out:
    return st;
}

/* Sizes of one cell, and everything moved out of the grid. */
static ren_status test_augment_edges(ren_context *context) {
    ren_status st = REN_OK;
    const int64_t one[3] = { 1, 1, 5 };
    ren__augment_change change = { .matrix = { { 1, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 0.5 } }, .moves = 1 };
    const float source[5] = { 1.0f, 2.0f, 4.0f, 8.0f, 16.0f };
    float target[5];

    REN_TRY(ren__augment_apply(context, NULL, &change, one, source, target));
    CHECK(target[0] == 1.5f && target[3] == 12.0f && target[4] == 8.0f);
    change.matrix[0][3] = 1e12;
    REN_TRY(ren__augment_apply(context, NULL, &change, one, source, target));
    for (int n = 0; n < 5; n++)
        CHECK(target[n] == 0.0f);
out:
    return st;
}

/* Labels are those of the nearest cells, under any movement; noise leaves them alone. */
static ren_status test_augment_labels(ren_context *context) {
    ren_status st = REN_OK;
    ren__augment_change change;
    float source[CELLS], target[CELLS];
    int moved = 0;

    for (int n = 0; n < CELLS; n++)
        source[n] = (float)(n * 37 % 6);
    for (uint32_t sample = 0; sample < 8; sample++) {
        ren__augment_draw(&ALL, 3, 1, sample, SIZE, &change);
        CHECK(change.moves && change.noise > 0.0);
        REN_TRY(ren__augment_labels(context, NULL, &change, SIZE, source, target));
        for (int n = 0; n < CELLS; n++) {
            const double at[3] = { n / (H * W), n / W % H, n % W };
            long long cell[3];
            int inside = 1;
            for (int a = 0; a < 3; a++) {
                const double *m = change.matrix[a];
                cell[a] = llround(m[0] * at[0] + m[1] * at[1] + m[2] * at[2] + m[3]); /* no draw falls on a half */
                inside &= cell[a] >= 0 && cell[a] < SIZE[a];
            }
            const float wanted = inside ? source[(cell[0] * H + cell[1]) * W + cell[2]] : 0.0f;
            CHECK(target[n] == wanted);
            moved += target[n] != source[n];
        }
    }
    CHECK(moved > CELLS);
out:
    return st;
}

/* An image and its labels go the same way: a block of ones stays on its label but for cells at its edges. */
static ren_status test_augment_labels_stay_on_their_image(ren_context *context) {
    enum { N = 24 };
    ren_status st = REN_OK;
    const int64_t cube[3] = { N, N, N };
    ren__augment_change change;
    float *block = ren__calloc(context, N * N * N, sizeof *block);
    float *image = ren__alloc_array(context, N * N * N, sizeof *image);
    float *labels = ren__alloc_array(context, N * N * N, sizeof *labels);

    CHECK_MEMORY(block);
    CHECK_MEMORY(image);
    CHECK_MEMORY(labels);
    for (int n = 0; n < N * N * N; n++)
        block[n] = n / (N * N) >= 8 && n / (N * N) < 16 && n / N % N >= 8 && n / N % N < 16 && n % N >= 8 && n % N < 16;
    for (uint32_t sample = 0; sample < 4; sample++) {
        ren__augment_draw(&ALL, 9, 2, sample, cube, &change);
        change.noise = 0.0;
        REN_TRY(ren__augment_apply(context, NULL, &change, cube, block, image));
        REN_TRY(ren__augment_labels(context, NULL, &change, cube, block, labels));
        for (int n = 0; n < N * N * N; n++) {
            if (image[n] > 0.999f) CHECK(labels[n] == 1.0f);
            if (image[n] == 0.0f) CHECK(labels[n] == 0.0f);
        }
    }
out:
    ren__free(labels);
    ren__free(image);
    ren__free(block);
    return st;
}

TEST_MAIN(CASE(test_augment_labels), CASE(test_augment_labels_stay_on_their_image), CASE(test_augment_probability_zero),
          CASE(test_augment_shift), CASE(test_augment_quarter_turn), CASE(test_augment_linear_function),
          CASE(test_augment_same_bits), CASE(test_augment_noise), CASE(test_augment_probabilities),
          CASE(test_augment_edges))
