/* SPDX-License-Identifier: Apache-2.0 */
/* Grey level dependence against plain loops. */
#include "radiomics/gldm.h"

#include "texture_fixture.h"

enum { SIZES = 250, LEVELS = 300 };

static void count_plainly(const ren__region *region, const ren__radiomics_settings *settings, double *p) {
    const int64_t *n = region->shape;
    const int reach = 3;

    memset(p, 0, sizeof *p * LEVELS * SIZES);
    for (int64_t v = 0; v < n[0] * n[1] * n[2]; v++) {
        const int64_t x = v % n[0], y = v / n[0] % n[1], z = v / n[0] / n[1];
        const int level = region->levels[v];
        int dependent = 0;
        if (!level) continue;
        for (int dz = -reach; dz <= reach; dz++)
            for (int dy = -reach; dy <= reach; dy++)
                for (int dx = -reach; dx <= reach; dx++) {
                    const int other = test_level(region, x + dx, y + dy, z + dz);
                    if (!other || !test_is_step(settings, 1, dx, dy, dz)) continue;
                    dependent += fabs(region->grey[level - 1] - region->grey[other - 1]) <= settings->gldm_a;
                }
        p[(level - 1) * SIZES + dependent]++;
    }
}

static ren_status compare(const ren__region *region, const ren__radiomics_settings *settings, double *p) {
    ren_status st = REN_OK;
    static const struct {
        const char *name;
        int32_t which;
    } names[] = {
        { "DependenceEntropy", REN__SIZE_ENTROPY },
        { "DependenceNonUniformity", REN__SIZE_NONUNIFORMITY },
        { "DependenceNonUniformityNormalized", REN__SIZE_NONUNIFORMITY_NORMALIZED },
        { "DependencePercentage", REN__SIZE_PERCENTAGE },
        { "DependenceVariance", REN__SIZE_VARIANCE },
        { "GrayLevelNonUniformity", REN__SIZE_LEVEL_NONUNIFORMITY },
        { "GrayLevelNonUniformityNormalized", REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED },
        { "GrayLevelVariance", REN__SIZE_LEVEL_VARIANCE },
        { "HighGrayLevelEmphasis", REN__SIZE_HIGH_LEVEL },
        { "LargeDependenceEmphasis", REN__SIZE_LARGE },
        { "LargeDependenceHighGrayLevelEmphasis", REN__SIZE_LARGE_HIGH },
        { "LargeDependenceLowGrayLevelEmphasis", REN__SIZE_LARGE_LOW },
        { "LowGrayLevelEmphasis", REN__SIZE_LOW_LEVEL },
        { "SmallDependenceEmphasis", REN__SIZE_SMALL },
        { "SmallDependenceHighGrayLevelEmphasis", REN__SIZE_SMALL_HIGH },
        { "SmallDependenceLowGrayLevelEmphasis", REN__SIZE_SMALL_LOW },
    };
    double values[32];

    count_plainly(region, settings, p);
    const test_sizes plain = { region->level_count, SIZES, p, region->grey, (double)region->count };
    CHECK_INT(ren__class_gldm.count, sizeof names / sizeof *names);
    REN_TRY(test_features(&ren__class_gldm, region, settings, values));
    for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
        const double wanted = test_any_size_feature(&plain, names[f].which);
        CHECK(test_close(test_value(&ren__class_gldm, values, names[f].name), wanted, 1e-10));
    }
out:
    return st;
}

static ren_status test_dependence_is_that_of_plain_loops(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = {
        { { 9, 8, 7 }, 4, 0.8, 1, 0 }, { { 9, 8, 7 }, 6, 0.5, 0, 1 },  { { 23, 3, 2 }, 300, 0.9, 0, 1 },
        { { 1, 9, 8 }, 3, 0.9, 1, 0 }, { { 12, 1, 1 }, 2, 0.7, 1, 0 }, { { 8, 8, 8 }, 1, 1.0, 0, 0 },
    };
    double *p = NULL;
    test_region made = { 0 };

    REN_ALLOC(p, sizeof *p * LEVELS * SIZES);
    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++)
        for (int variant = 0; variant < 3; variant++) {
            ren__radiomics_settings settings = test_settings();
            settings.gldm_a = variant;
            if (variant == 1) settings.distances = (ren__doubles){ 2, { 1.0, 3.0 } };
            if (variant == 2) {
                settings.force_2d = 1;
                settings.force_2d_dimension = (int32_t)c % 2;
            }
            REN_TRY(test_region_create(context, &shapes[c], 31 + c, &made));
            REN_TRY(compare(&made.region, &settings, p));
            test_region_free(&made);
        }
out:
    ren__free(p);
    test_region_free(&made);
    return st;
}

static ren_status test_threads_change_no_bit(ren_context *context) {
    ren_status st = REN_OK;
    const test_shape shape = { { 70, 60, 50 }, 20, 0.7, 1, 0 };
    const ren__radiomics_settings settings = test_settings();
    double one[32], two[32];
    test_region made = { 0 };

    REN_TRY(test_region_create(context, &shape, 41, &made));
    REN_TRY(test_features(&ren__class_gldm, &made.region, &settings, two));
    context->threads = 1;
    REN_TRY(test_features(&ren__class_gldm, &made.region, &settings, one));
    CHECK(memcmp(one, two, sizeof *one * (size_t)ren__class_gldm.count) == 0);
out:
    context->threads = 2;
    test_region_free(&made);
    return st;
}

static ren_status test_one_voxel_is_undefined(ren_context *context) {
    ren_status st = REN_OK;
    const test_shape shape = { { 1, 1, 1 }, 1, 1.0, 0, 0 };
    const ren__radiomics_settings settings = test_settings();
    double values[32];
    test_region made = { 0 };

    REN_TRY(test_region_create(context, &shape, 1, &made));
    REN_TRY(test_features(&ren__class_gldm, &made.region, &settings, values));
    for (int f = 0; f < ren__class_gldm.count; f++)
        CHECK(isnan(values[f]));
out:
    test_region_free(&made);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_dependence_is_that_of_plain_loops), CASE_SAMPLED(test_threads_change_no_bit),
          CASE(test_one_voxel_is_undefined))
