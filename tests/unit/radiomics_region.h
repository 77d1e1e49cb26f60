/* SPDX-License-Identifier: Apache-2.0 */
/* Small regions for the tests of feature classes, made without volumes. */
#ifndef REN_TESTS_RADIOMICS_REGION_H
#define REN_TESTS_RADIOMICS_REGION_H

#include "base/random.h"
#include "harness.h"
#include "radiomics/classes.h"

enum { TEST_SIDE = 16, TEST_VOXELS = TEST_SIDE * TEST_SIDE * TEST_SIDE };

/* A region with its arrays; they are too large for some stacks: make it static. */
typedef struct test_region {
    ren__region region;
    uint8_t inside[TEST_VOXELS];
    double values[TEST_VOXELS];
    uint16_t levels[TEST_VOXELS];
} test_region;

static inline void test_region_init(test_region *t, ren_context *context, int64_t nx, int64_t ny, int64_t nz) {
    memset(t, 0, sizeof *t);
    t->region.context = context;
    t->region.shape[0] = nx;
    t->region.shape[1] = ny;
    t->region.shape[2] = nz;
    t->region.spacing[0] = t->region.spacing[1] = t->region.spacing[2] = 1.0;
    t->region.inside = t->inside;
    t->region.values = t->values;
}

static inline void test_region_set(test_region *t, int64_t x, int64_t y, int64_t z) {
    uint8_t *voxel = &t->inside[(z * t->region.shape[1] + y) * t->region.shape[0] + x];

    t->region.count += !*voxel;
    *voxel = 1;
}

static inline void test_region_fill(test_region *t) {
    const int64_t *shape = t->region.shape;

    memset(t->inside, 1, (size_t)(shape[0] * shape[1] * shape[2]));
    t->region.count = shape[0] * shape[1] * shape[2];
}

/* A random box of at most TEST_SIDE voxels a side, each inside with one of several probabilities, at least one. */
static inline void test_region_random(test_region *t, ren_context *context, ren__rng *rng) {
    static const double spacings[] = { 1.0, 0.7, 0.9765625, 2.5, 3.3 };
    int64_t side[3];

    for (int d = 0; d < 3; d++)
        side[d] = 1 + ren__rng_below(rng, ren__rng_below(rng, 4) ? TEST_SIDE / 2 : TEST_SIDE);
    test_region_init(t, context, side[0], side[1], side[2]);
    for (int d = 0; d < 3; d++)
        t->region.spacing[d] = spacings[ren__rng_below(rng, 5)];
    const uint32_t share = 1 + ren__rng_below(rng, 8);
    for (int64_t i = 0; i < side[0] * side[1] * side[2]; i++) {
        t->inside[i] = ren__rng_below(rng, 8) < share;
        t->region.count += t->inside[i];
    }
    if (t->region.count == 0) test_region_set(t, side[0] - 1, 0, side[2] - 1);
}

/* The value of the class's feature of this name, alone; NaN in `values` marks what is not computed. */
static inline ren_status test_feature(const ren__feature_class *class, const test_region *t,
                                      const ren__radiomics_settings *settings, const char *name, double *value) {
    static const ren__radiomics_settings none = { 0 };
    ren_status st = REN_OK;
    uint8_t wanted[REN__CLASS_FEATURES_MAX] = { 0 };
    double values[REN__CLASS_FEATURES_MAX];
    int32_t found = -1;

    for (int32_t f = 0; f < class->count; f++) {
        values[f] = -12345.0;
        if (strcmp(class->features[f].name, name) == 0) found = f;
    }
    if (found < 0) return test_fail(__FILE__, __LINE__, "no feature %s", name);
    wanted[found] = 1;
    REN_TRY(class->compute(&t->region, settings ? settings : &none, wanted, NULL, values));
    for (int32_t f = 0; f < class->count; f++)
        if (f != found) CHECK(values[f] == -12345.0);
    *value = values[found];
out:
    return st;
}

#endif
