/* SPDX-License-Identifier: Apache-2.0 */
/* Zones against zones that are filled from a voxel to its neighbours. */
#include "radiomics/glszm.h"

#include "texture_fixture.h"

static const struct {
    const char *name;
    int32_t which;
} names[] = {
    { "GrayLevelNonUniformity", REN__SIZE_LEVEL_NONUNIFORMITY },
    { "GrayLevelNonUniformityNormalized", REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED },
    { "GrayLevelVariance", REN__SIZE_LEVEL_VARIANCE },
    { "HighGrayLevelZoneEmphasis", REN__SIZE_HIGH_LEVEL },
    { "LargeAreaEmphasis", REN__SIZE_LARGE },
    { "LargeAreaHighGrayLevelEmphasis", REN__SIZE_LARGE_HIGH },
    { "LargeAreaLowGrayLevelEmphasis", REN__SIZE_LARGE_LOW },
    { "LowGrayLevelZoneEmphasis", REN__SIZE_LOW_LEVEL },
    { "SizeZoneNonUniformity", REN__SIZE_NONUNIFORMITY },
    { "SizeZoneNonUniformityNormalized", REN__SIZE_NONUNIFORMITY_NORMALIZED },
    { "SmallAreaEmphasis", REN__SIZE_SMALL },
    { "SmallAreaHighGrayLevelEmphasis", REN__SIZE_SMALL_HIGH },
    { "SmallAreaLowGrayLevelEmphasis", REN__SIZE_SMALL_LOW },
    { "ZoneEntropy", REN__SIZE_ENTROPY },
    { "ZonePercentage", REN__SIZE_PERCENTAGE },
    { "ZoneVariance", REN__SIZE_VARIANCE },
};

enum { NAMES = sizeof names / sizeof *names };

/* Where filling stands. */
typedef struct filling {
    const ren__region *region;
    const uint16_t *distance;
    int32_t still;
    uint8_t *done;
    int64_t *stack;
} filling;

/* Fills the zone of voxel v; gives its size and the least distance of its voxels. */
static int64_t fill_zone(const filling *f, int64_t v, int32_t *nearest) {
    const int64_t *n = f->region->shape;
    int64_t size = 0, top = 0;

    f->done[v] = 1;
    f->stack[top++] = v;
    *nearest = UINT16_MAX;
    while (top > 0) {
        const int64_t at = f->stack[--top], x = at % n[0], y = at / n[0] % n[1], z = at / n[0] / n[1];
        size++;
        if (f->distance && f->distance[at] < *nearest) *nearest = f->distance[at];
        for (int d = 0; d < 27; d++) {
            const int step[3] = { d % 3 - 1, d / 3 % 3 - 1, d / 9 - 1 };
            const int64_t other = (z + step[2]) * n[0] * n[1] + (y + step[1]) * n[0] + x + step[0];
            if (f->still >= 0 && step[f->still]) continue;
            if (test_level(f->region, x + step[0], y + step[1], z + step[2]) != f->region->levels[at]) continue;
            if (f->done[other]) continue;
            f->done[other] = 1;
            f->stack[top++] = other;
        }
    }
    return size;
}

static ren_status fill_plainly(ren_context *context, filling *f, ren__size_matrix *sizes, ren__size_matrix *distances) {
    ren_status st = REN_OK;
    const int64_t total = f->region->shape[0] * f->region->shape[1] * f->region->shape[2];

    REN_CALLOC(f->done, (size_t)total);
    REN_ALLOC(f->stack, (size_t)total * sizeof *f->stack);
    for (int64_t v = 0; v < total; v++) {
        int32_t nearest;
        if (!f->region->levels[v] || f->done[v]) continue;
        const int64_t size = fill_zone(f, v, &nearest);
        REN_TRY(ren__size_matrix_add(context, sizes, f->region->levels[v], (int32_t)size, 1.0));
        if (distances) REN_TRY(ren__size_matrix_add(context, distances, f->region->levels[v], nearest, 1.0));
    }
    ren__size_matrix_finish(sizes);
    if (distances) ren__size_matrix_finish(distances);
out:
    ren__free(f->done);
    ren__free(f->stack);
    return st;
}

static int equal(const ren__size_matrix *a, const ren__size_matrix *b) {
    if (a->count != b->count) return 0;
    for (int64_t c = 0; c < a->count; c++)
        if (a->cells[c].level != b->cells[c].level || a->cells[c].size != b->cells[c].size ||
            a->cells[c].count != b->cells[c].count)
            return 0;
    return 1;
}

static ren_status compare(ren_context *context, const ren__region *region, int32_t still) {
    ren_status st = REN_OK;
    const size_t total = (size_t)(region->shape[0] * region->shape[1] * region->shape[2]);
    ren__size_matrix plain = { 0 }, sizes = { 0 }, alone = { 0 }, plain_near = { 0 }, near = { 0 };
    uint16_t *distance = NULL;
    ren__rng rng;

    REN_ALLOC(distance, total * sizeof *distance);
    ren__rng_init(&rng, 5, 1, 1);
    for (size_t v = 0; v < total; v++)
        distance[v] = (uint16_t)(1 + ren__rng_below(&rng, 9));
    filling f = { region, distance, still, NULL, NULL };
    REN_TRY(fill_plainly(context, &f, &plain, &plain_near));
    REN_TRY(ren__zones_count(region, still, distance, NULL, &sizes, &near));
    REN_TRY(ren__zones_count(region, still, NULL, NULL, &alone, NULL));
    CHECK(equal(&sizes, &plain));
    CHECK(equal(&alone, &plain));
    CHECK(equal(&near, &plain_near));
out:
    ren__free(distance);
    ren__size_matrix_free(&plain);
    ren__size_matrix_free(&sizes);
    ren__size_matrix_free(&alone);
    ren__size_matrix_free(&plain_near);
    ren__size_matrix_free(&near);
    return st;
}

static ren_status test_zones_are_those_filled(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = {
        { { 9, 8, 7 }, 3, 0.9, 1, 0 },   { { 9, 8, 7 }, 2, 0.3, 0, 0 },    { { 120, 3, 2 }, 2, 1.0, 1, 0 },
        { { 5, 4, 6 }, 290, 0.9, 0, 1 }, { { 1, 9, 8 }, 3, 0.9, 1, 0 },    { { 30, 30, 1 }, 2, 0.6, 0, 0 },
        { { 6, 6, 6 }, 1, 1.0, 0, 0 },   { { 14, 13, 12 }, 5, 0.8, 1, 0 }, { { 1, 1, 1 }, 1, 1.0, 0, 0 },
    };
    test_region made = { 0 };

    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++) {
        REN_TRY(test_region_create(context, &shapes[c], 71 + c, &made));
        for (int32_t still = REN__STILL_NONE; still < 3; still++)
            REN_TRY(compare(context, &made.region, still));
        test_region_free(&made);
    }
out:
    test_region_free(&made);
    return st;
}

/* Zones that go through several slabs, part there and meet again. */
static ren_status test_zones_go_on_from_slab_to_slab(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = {
        { { 90, 64, 96 }, 2, 0.5, 0, 0 },
        { { 90, 64, 96 }, 12, 0.9, 0, 0 },
        { { 64, 90, 70 }, 1, 0.12, 0, 0 },
    };
    test_region made = { 0 };

    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++) {
        REN_TRY(test_region_create(context, &shapes[c], 81 + c, &made));
        REN_TRY(compare(context, &made.region, REN__STILL_NONE));
        REN_TRY(compare(context, &made.region, (int32_t)c));
        test_region_free(&made);
    }
out:
    test_region_free(&made);
    return st;
}

/* Failing allocations in the loop over slabs. */
static ren_status test_slabs_without_memory(ren_context *context) {
    ren_status st = REN_OK;
    const test_shape shape = { { 90, 64, 70 }, 4, 0.6, 1, 0 };
    const ren__radiomics_settings settings = test_settings();
    double values[NAMES];
    test_region made = { 0 };

    REN_TRY(test_region_create(context, &shape, 91, &made));
    REN_TRY(test_features(&ren__class_glszm, &made.region, &settings, values));
out:
    test_region_free(&made);
    return st;
}

static ren_status test_features_are_the_matrix_features(ren_context *context) {
    ren_status st = REN_OK;
    enum { SIZES = 600 };
    static const test_shape shapes[] = { { { 9, 8, 7 }, 4, 0.8, 1, 1 }, { { 1, 1, 1 }, 1, 1.0, 0, 0 } };
    const ren__radiomics_settings settings = test_settings();
    double p[4 * SIZES] = { 0 }, values[NAMES];
    ren__size_matrix plain = { 0 };
    test_region made = { 0 };

    CHECK_INT(ren__class_glszm.count, NAMES);
    REN_TRY(test_region_create(context, &shapes[0], 95, &made));
    filling f = { &made.region, NULL, REN__STILL_NONE, NULL, NULL };
    REN_TRY(fill_plainly(context, &f, &plain, NULL));
    for (int64_t c = 0; c < plain.count; c++)
        p[(plain.cells[c].level - 1) * SIZES + plain.cells[c].size - 1] = plain.cells[c].count;
    const test_sizes sizes = { 4, SIZES, p, made.grey, (double)made.region.count };
    REN_TRY(test_features(&ren__class_glszm, &made.region, &settings, values));
    for (int n = 0; n < NAMES; n++)
        CHECK(test_close(test_value(&ren__class_glszm, values, names[n].name),
                         test_any_size_feature(&sizes, names[n].which), 1e-10));
    test_region_free(&made);
    REN_TRY(test_region_create(context, &shapes[1], 96, &made));
    REN_TRY(test_features(&ren__class_glszm, &made.region, &settings, values));
    for (int n = 0; n < NAMES; n++)
        CHECK(isnan(values[n]));
out:
    ren__size_matrix_free(&plain);
    test_region_free(&made);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_zones_are_those_filled), CASE_ONCE(test_zones_go_on_from_slab_to_slab),
          CASE_SAMPLED(test_slabs_without_memory), CASE(test_features_are_the_matrix_features))
