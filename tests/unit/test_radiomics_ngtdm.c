/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbourhood grey tone difference against plain loops. */
#include "radiomics/ngtdm.h"

#include "texture_fixture.h"

typedef struct tones {
    int32_t levels;
    double *n, *s; /* of each level */
    const double *grey;
} tones;

static void count_plainly(const ren__region *region, const ren__radiomics_settings *settings, int lonely, tones *t) {
    const int64_t *n = region->shape;
    const int reach = 3;

    for (int32_t l = 0; l < t->levels; l++)
        t->n[l] = t->s[l] = 0.0;
    for (int64_t v = 0; v < n[0] * n[1] * n[2]; v++) {
        const int64_t x = v % n[0], y = v / n[0] % n[1], z = v / n[0] / n[1];
        const int level = region->levels[v];
        double sum = 0.0, count = 0.0;
        if (!level) continue;
        for (int dz = -reach; dz <= reach; dz++)
            for (int dy = -reach; dy <= reach; dy++)
                for (int dx = -reach; dx <= reach; dx++) {
                    const int other = test_level(region, x + dx, y + dy, z + dz);
                    if (!other || !test_is_step(settings, 1, dx, dy, dz)) continue;
                    sum += region->grey[other - 1];
                    count += 1.0;
                }
        if (count > 0.0) t->s[level - 1] += fabs(region->grey[level - 1] - sum / count);
        if (count > 0.0 || lonely) t->n[level - 1] += 1.0;
    }
}

/* The sums over pairs as the formulas have them. */
static void features_plainly(const tones *t, double *busyness, double *coarseness, double *complexity, double *contrast,
                             double *strength) {
    double total = 0.0, ps = 0.0, s = 0.0, levels = 0.0, products = 0.0, absolute = 0.0, parts = 0.0, spread = 0.0;

    for (int32_t i = 0; i < t->levels; i++) {
        total += t->n[i];
        s += t->s[i];
        levels += t->n[i] > 0.0;
    }
    for (int32_t i = 0; i < t->levels; i++) {
        const double pi = t->n[i] / total, gi = t->grey[i];
        ps += pi * t->s[i];
        for (int32_t j = 0; j < t->levels; j++) {
            const double pj = t->n[j] / total, gj = t->grey[j];
            if (!(pi > 0.0) || !(pj > 0.0)) continue;
            products += pi * pj * (gi - gj) * (gi - gj);
            absolute += fabs(gi * pi - gj * pj);
            parts += fabs(gi - gj) * (pi * t->s[i] + pj * t->s[j]) / (pi + pj);
            spread += (pi + pj) * (gi - gj) * (gi - gj);
        }
    }
    *busyness = absolute > 0.0 ? ps / absolute : 0.0;
    *coarseness = ps > 0.0 ? 1.0 / ps : 1e6;
    *complexity = parts / total;
    *contrast = levels > 1.0 ? products * s / total / (levels * (levels - 1.0)) : 0.0;
    *strength = s > 0.0 ? spread / s : 0.0;
}

static ren_status compare(ren_context *context, const ren__region *region, const ren__radiomics_settings *settings) {
    ren_status st = REN_OK;
    tones t = { region->level_count, NULL, NULL, region->grey };
    ren__steps steps = { NULL, 0 };
    ren__ngtdm matrix = { 0 };
    double values[REN__NGTDM_FEATURES], wanted[REN__NGTDM_FEATURES];

    REN_CALLOC(t.n, (size_t)t.levels);
    REN_CALLOC(t.s, (size_t)t.levels);
    count_plainly(region, settings, 1, &t);
    features_plainly(&t, &wanted[REN__NGTDM_BUSYNESS], &wanted[REN__NGTDM_COARSENESS], &wanted[REN__NGTDM_COMPLEXITY],
                     &wanted[REN__NGTDM_CONTRAST], &wanted[REN__NGTDM_STRENGTH]);
    REN_TRY(test_features(&ren__class_ngtdm, region, settings, values));
    for (int f = 0; f < REN__NGTDM_FEATURES; f++)
        CHECK(test_close(values[f], wanted[f], 1e-10));
    count_plainly(region, settings, 0, &t);
    REN_TRY(ren__steps_create(context, region->shape, &settings->distances, ren__still_axis(settings), 1, &steps));
    REN_TRY(ren__ngtdm_count(region, &steps, 0, NULL, &matrix));
    for (int32_t l = 0; l < t.levels; l++) {
        CHECK_INT(matrix.voxels[l], t.n[l]);
        CHECK_NEAR(matrix.differences[l], t.s[l], 1e-10 * (1.0 + t.s[l]));
    }
out:
    ren__free(t.n);
    ren__free(t.s);
    ren__steps_free(&steps);
    ren__ngtdm_free(&matrix);
    return st;
}

static ren_status test_tones_are_those_of_plain_loops(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = {
        { { 9, 8, 7 }, 4, 0.8, 1, 0 },   { { 9, 8, 7 }, 6, 0.1, 0, 1 },  { { 23, 3, 2 }, 300, 0.9, 0, 1 },
        { { 1, 9, 8 }, 3, 0.9, 1, 0 },   { { 12, 1, 1 }, 2, 0.4, 1, 0 }, { { 6, 6, 6 }, 1, 1.0, 0, 0 },
        { { 9, 5, 4 }, 120, 0.9, 0, 1 },
    };
    test_region made = { 0 };

    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++)
        for (int variant = 0; variant < 3; variant++) {
            ren__radiomics_settings settings = test_settings();
            if (variant == 1) settings.distances = (ren__doubles){ 2, { 1.0, 3.0 } };
            if (variant == 2) {
                settings.force_2d = 1;
                settings.force_2d_dimension = (int32_t)c % 2;
            }
            REN_TRY(test_region_create(context, &shapes[c], 101 + c, &made));
            REN_TRY(compare(context, &made.region, &settings));
            test_region_free(&made);
        }
out:
    test_region_free(&made);
    return st;
}

/* Grey levels beyond 16 bits, and tables that would be too large: the loop in doubles. */
static ren_status test_high_grey_levels(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = { { { 7, 6, 5 }, 9, 0.8, 0, 0 }, { { 12, 12, 12 }, 1500, 0.9, 0, 0 } };
    ren__radiomics_settings settings = test_settings();
    test_region made = { 0 };

    REN_TRY(test_region_create(context, &shapes[0], 111, &made));
    made.grey[8] = 1e9;
    REN_TRY(compare(context, &made.region, &settings));
    test_region_free(&made);
    settings.distances = (ren__doubles){ 2, { 2.0, 3.0 } };
    REN_TRY(test_region_create(context, &shapes[1], 112, &made));
    REN_TRY(compare(context, &made.region, &settings));
out:
    test_region_free(&made);
    return st;
}

static ren_status test_threads_change_no_bit(ren_context *context) {
    ren_status st = REN_OK;
    const test_shape shape = { { 70, 60, 50 }, 20, 0.7, 1, 1 };
    const ren__radiomics_settings settings = test_settings();
    double one[REN__NGTDM_FEATURES], two[REN__NGTDM_FEATURES];
    test_region made = { 0 };

    REN_TRY(test_region_create(context, &shape, 121, &made));
    REN_TRY(test_features(&ren__class_ngtdm, &made.region, &settings, two));
    context->threads = 1;
    REN_TRY(test_features(&ren__class_ngtdm, &made.region, &settings, one));
    CHECK(memcmp(one, two, sizeof one) == 0);
out:
    context->threads = 2;
    test_region_free(&made);
    return st;
}

static ren_status test_flat_and_single(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = { { { 4, 4, 4 }, 1, 1.0, 0, 0 }, { { 1, 1, 1 }, 1, 1.0, 0, 0 } };
    const ren__radiomics_settings settings = test_settings();
    double values[REN__NGTDM_FEATURES];
    test_region made = { 0 };

    REN_TRY(test_region_create(context, &shapes[0], 1, &made));
    REN_TRY(test_features(&ren__class_ngtdm, &made.region, &settings, values));
    CHECK_NEAR(values[REN__NGTDM_COARSENESS], 1e6, 0.0);
    CHECK_NEAR(values[REN__NGTDM_BUSYNESS], 0.0, 0.0);
    CHECK_NEAR(values[REN__NGTDM_CONTRAST], 0.0, 0.0);
    CHECK_NEAR(values[REN__NGTDM_STRENGTH], 0.0, 0.0);
    test_region_free(&made);
    REN_TRY(test_region_create(context, &shapes[1], 1, &made));
    REN_TRY(test_features(&ren__class_ngtdm, &made.region, &settings, values));
    for (int f = 0; f < REN__NGTDM_FEATURES; f++)
        CHECK(isnan(values[f]));
out:
    test_region_free(&made);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_tones_are_those_of_plain_loops), CASE_SAMPLED(test_high_grey_levels),
          CASE_SAMPLED(test_threads_change_no_bit), CASE(test_flat_and_single))
