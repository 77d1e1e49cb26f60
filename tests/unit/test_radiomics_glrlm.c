/* SPDX-License-Identifier: Apache-2.0 */
/* Run lengths against runs that are walked along, one direction after the other. */
#include "radiomics/glrlm.h"

#include "texture_fixture.h"

static int64_t longest(const ren__region *region) {
    const int64_t *n = region->shape;

    return n[0] > n[1] ? (n[0] > n[2] ? n[0] : n[2]) : (n[1] > n[2] ? n[1] : n[2]);
}

static const struct {
    const char *name;
    int32_t which;
} names[] = {
    { "GrayLevelNonUniformity", REN__SIZE_LEVEL_NONUNIFORMITY },
    { "GrayLevelNonUniformityNormalized", REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED },
    { "GrayLevelVariance", REN__SIZE_LEVEL_VARIANCE },
    { "HighGrayLevelRunEmphasis", REN__SIZE_HIGH_LEVEL },
    { "LongRunEmphasis", REN__SIZE_LARGE },
    { "LongRunHighGrayLevelEmphasis", REN__SIZE_LARGE_HIGH },
    { "LongRunLowGrayLevelEmphasis", REN__SIZE_LARGE_LOW },
    { "LowGrayLevelRunEmphasis", REN__SIZE_LOW_LEVEL },
    { "RunEntropy", REN__SIZE_ENTROPY },
    { "RunLengthNonUniformity", REN__SIZE_NONUNIFORMITY },
    { "RunLengthNonUniformityNormalized", REN__SIZE_NONUNIFORMITY_NORMALIZED },
    { "RunPercentage", REN__SIZE_PERCENTAGE },
    { "RunVariance", REN__SIZE_VARIANCE },
    { "ShortRunEmphasis", REN__SIZE_SMALL },
    { "ShortRunHighGrayLevelEmphasis", REN__SIZE_SMALL_HIGH },
    { "ShortRunLowGrayLevelEmphasis", REN__SIZE_SMALL_LOW },
};

enum { NAMES = sizeof names / sizeof *names };

/* Adds the runs along one direction, times `weight`; nothing where no line holds two voxels. */
static void add_runs(const ren__region *region, int dx, int dy, int dz, double weight, double *own, double *p) {
    const int64_t *n = region->shape, sizes = longest(region), cells = region->level_count * sizes;
    int two = 0;

    memset(own, 0, sizeof *own * (size_t)cells);
    for (int64_t v = 0; v < n[0] * n[1] * n[2]; v++) {
        const int64_t x = v % n[0], y = v / n[0] % n[1], z = v / n[0] / n[1];
        const int level = region->levels[v];
        int length = 1;
        if (!level) continue;
        for (int64_t k = 1; k < sizes && !two; k++)
            two |= test_level(region, x + k * dx, y + k * dy, z + k * dz) != 0;
        if (test_level(region, x - dx, y - dy, z - dz) == level) continue;
        while (test_level(region, x + length * dx, y + length * dy, z + length * dz) == level)
            length++;
        own[(level - 1) * sizes + length - 1]++;
    }
    for (int64_t c = 0; two && c < cells; c++)
        p[c] += own[c] * weight;
}

static double weight_of(const ren__region *region, int32_t norm, int dx, int dy, int dz) {
    const double x = abs(dx) * region->spacing[0], y = abs(dy) * region->spacing[1], z = abs(dz) * region->spacing[2];

    if (norm == REN__NORM_EUCLIDEAN) return sqrt(x * x + y * y + z * z);
    if (norm == REN__NORM_MANHATTAN) return x + y + z;
    if (norm == REN__NORM_INFINITY) return fmax(x, fmax(y, z));
    return 1.0;
}

/* Adds a matrix's features to sums, unless it is empty. */
static int add_features(const ren__region *region, const double *p, double *sums) {
    const int32_t size_count = (int32_t)longest(region);
    double voxels = 0.0;

    for (int32_t i = 0; i < region->level_count; i++)
        for (int32_t j = 0; j < size_count; j++)
            voxels += p[i * size_count + j] * (j + 1);
    if (!(voxels > 0.0)) return 0;
    const test_sizes plain = { region->level_count, size_count, p, region->grey, voxels };
    for (int f = 0; f < NAMES; f++)
        sums[f] += test_any_size_feature(&plain, names[f].which);
    return 1;
}

/* Each direction and its opposite: the same runs twice, and the same means. */
static ren_status compare(ren_context *context, const ren__region *region, const ren__radiomics_settings *settings) {
    ren_status st = REN_OK;
    const size_t cells = (size_t)(region->level_count * longest(region));
    double *p = NULL, *own = NULL, sums[NAMES] = { 0 }, values[NAMES];
    int matrices = 0;

    REN_CALLOC(p, cells);
    REN_ALLOC(own, cells * sizeof *own);
    for (int d = 0; d < 27; d++) {
        const int dx = d % 3 - 1, dy = d / 3 % 3 - 1, dz = d / 9 - 1;
        if (!test_is_step(settings, 0, dx, dy, dz)) continue;
        add_runs(region, dx, dy, dz, weight_of(region, settings->weighting_norm, dx, dy, dz), own, p);
        if (settings->weighting_norm != REN__NORM_NONE) continue;
        matrices += add_features(region, p, sums);
        memset(p, 0, cells * sizeof *p);
    }
    if (settings->weighting_norm != REN__NORM_NONE) {
        for (size_t c = 0; c < cells; c++)
            p[c] /= 2.0;
        matrices = add_features(region, p, sums);
    }
    CHECK_INT(ren__class_glrlm.count, NAMES);
    REN_TRY(test_features(&ren__class_glrlm, region, settings, values));
    for (int f = 0; f < NAMES && matrices > 0; f++)
        CHECK(test_close(test_value(&ren__class_glrlm, values, names[f].name), sums[f] / matrices, 1e-10));
    CHECK(matrices > 0 || isnan(test_value(&ren__class_glrlm, values, "ShortRunEmphasis")));
out:
    ren__free(p);
    ren__free(own);
    return st;
}

static ren_status test_runs_are_those_walked_along(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = {
        { { 9, 8, 7 }, 3, 0.9, 1, 0 },   { { 9, 8, 7 }, 6, 0.5, 0, 1 },  { { 200, 3, 2 }, 2, 1.0, 1, 0 },
        { { 3, 4, 6 }, 250, 0.9, 0, 1 }, { { 1, 9, 8 }, 3, 0.9, 1, 0 },  { { 1, 12, 1 }, 2, 0.7, 1, 0 },
        { { 6, 6, 6 }, 1, 1.0, 0, 0 },   { { 5, 5, 5 }, 2, 0.03, 0, 0 },
    };
    test_region made = { 0 };

    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++)
        for (int variant = 0; variant < 3; variant++) {
            ren__radiomics_settings settings = test_settings();
            settings.force_2d = variant == 1;
            settings.force_2d_dimension = (int32_t)c % 3;
            if (variant == 2) settings.weighting_norm = REN__NORM_NO_WEIGHTING + (int32_t)c % 4;
            REN_TRY(test_region_create(context, &shapes[c], 51 + c, &made));
            REN_TRY(compare(context, &made.region, &settings));
            test_region_free(&made);
        }
out:
    test_region_free(&made);
    return st;
}

/* Large enough for several slabs, and so many levels that each has places of its own. */
static ren_status test_slabs_and_threads_change_nothing(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = { { { 40, 50, 200 }, 2, 0.98, 1, 0 }, { { 60, 50, 190 }, 700, 0.9, 1, 0 } };
    double one[NAMES], two[NAMES];
    test_region made = { 0 };

    for (int c = 0; c < 2; c++) {
        const ren__radiomics_settings settings = test_settings();
        REN_TRY(test_region_create(context, &shapes[c], 61, &made));
        REN_TRY(test_features(&ren__class_glrlm, &made.region, &settings, two));
        context->threads = 1;
        REN_TRY(test_features(&ren__class_glrlm, &made.region, &settings, one));
        context->threads = 2;
        CHECK(memcmp(one, two, sizeof one) == 0);
        if (c == 0) REN_TRY(compare(context, &made.region, &settings));
        test_region_free(&made);
    }
out:
    context->threads = 2;
    test_region_free(&made);
    return st;
}

static ren_status test_one_voxel_is_undefined(ren_context *context) {
    ren_status st = REN_OK;
    const test_shape shape = { { 1, 1, 1 }, 1, 1.0, 0, 0 };
    const ren__radiomics_settings settings = test_settings();
    double values[NAMES];
    test_region made = { 0 };

    REN_TRY(test_region_create(context, &shape, 1, &made));
    REN_TRY(test_features(&ren__class_glrlm, &made.region, &settings, values));
    for (int f = 0; f < NAMES; f++)
        CHECK(isnan(values[f]));
out:
    test_region_free(&made);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_runs_are_those_walked_along), CASE_ONCE(test_slabs_and_threads_change_nothing),
          CASE(test_one_voxel_is_undefined))
