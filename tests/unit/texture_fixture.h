/* SPDX-License-Identifier: Apache-2.0 */
/* Random regions, and what a texture is made of in plain loops: nothing of it is the library's. */
#ifndef REN_TESTS_TEXTURE_FIXTURE_H
#define REN_TESTS_TEXTURE_FIXTURE_H

#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "radiomics/classes.h"
#include "radiomics/texture.h"

#include "harness.h"

typedef struct test_region {
    ren__region region;
    uint8_t *inside;
    uint16_t *levels;
    double *grey;
} test_region;

/* How a random region is: `smooth` repeats levels along x, so that there are runs and zones; `gaps` leaves grey levels
 * out; `density` is the share of voxels inside. */
typedef struct test_shape {
    int64_t shape[3];
    int32_t levels;
    double density;
    int smooth, gaps;
} test_shape;

static inline void test_region_free(test_region *made) {
    ren__free(made->inside);
    ren__free(made->levels);
    ren__free(made->grey);
    *made = (test_region){ 0 };
}

static inline ren_status test_region_create(ren_context *context, const test_shape *shape, uint64_t seed,
                                            test_region *made) {
    ren_status st = REN_OK;
    const size_t total = (size_t)(shape->shape[0] * shape->shape[1] * shape->shape[2]);
    uint16_t last = 1;
    ren__rng rng;

    *made = (test_region){ 0 };
    REN_ALLOC(made->inside, total);
    REN_ALLOC(made->levels, total * sizeof *made->levels);
    REN_ALLOC(made->grey, (size_t)shape->levels * sizeof *made->grey);
    ren__rng_init(&rng, seed, 7, 7);
    made->region = (ren__region){ .context = context, .inside = made->inside, .levels = made->levels };
    for (size_t v = 0; v < total; v++) {
        made->inside[v] = ren__rng_uniform(&rng) < shape->density || v == total / 2;
        if (!shape->smooth || ren__rng_below(&rng, 3) == 0)
            last = (uint16_t)(1 + ren__rng_below(&rng, (uint32_t)shape->levels));
        made->levels[v] = made->inside[v] ? last : 0;
        made->region.count += made->inside[v];
    }
    for (int32_t l = 0; l < shape->levels; l++)
        made->grey[l] = (l ? made->grey[l - 1] : 0.0) + 1.0 + (shape->gaps ? ren__rng_below(&rng, 4) : 0);
    memcpy(made->region.shape, shape->shape, sizeof shape->shape);
    made->region.spacing[0] = 0.7;
    made->region.spacing[1] = 0.9;
    made->region.spacing[2] = 2.5;
    made->region.grey = made->grey;
    made->region.level_count = shape->levels;
    made->region.bin_width = 25.0;
out:
    if (st != REN_OK) test_region_free(made);
    return st;
}

/* The level at a voxel; 0 outside of the region or of its box. */
static inline int test_level(const ren__region *region, int64_t x, int64_t y, int64_t z) {
    if (x < 0 || y < 0 || z < 0 || x >= region->shape[0] || y >= region->shape[1] || z >= region->shape[2]) return 0;
    return region->levels[(z * region->shape[1] + y) * region->shape[0] + x];
}

static inline ren__radiomics_settings test_settings(void) {
    ren__radiomics_settings settings = { .symmetrical_glcm = 1, .distances = { 1, { 1.0 } }, .bin_width = 25.0 };
    return settings;
}

/* Whether (dx, dy, dz) is a step that the settings ask for. */
static inline int test_is_step(const ren__radiomics_settings *settings, int distances, int dx, int dy, int dz) {
    const int d[3] = { abs(dx), abs(dy), abs(dz) };
    const int norm = d[0] > d[1] ? (d[0] > d[2] ? d[0] : d[2]) : (d[1] > d[2] ? d[1] : d[2]);

    if (settings->force_2d && d[2 - settings->force_2d_dimension]) return 0;
    if (!distances) return norm == 1;
    for (int32_t k = 0; k < settings->distances.count; k++)
        if ((int)settings->distances.values[k] == norm) return 1;
    return 0;
}

/* |a - b| within `relative` of b, or of 1e-9; NaN equals NaN. */
static inline int test_close(double a, double b, double relative) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return fabs(a - b) <= relative * fabs(b) + 1e-9 * (relative > 0.0);
}

/* All features of a class, those by name too. */
static inline ren_status test_features(const ren__feature_class *of, const ren__region *region,
                                       const ren__radiomics_settings *settings, double *values) {
    uint8_t wanted[REN__CLASS_FEATURES_MAX];

    memset(wanted, 1, sizeof wanted);
    return of->compute(region, settings, wanted, NULL, values);
}

static inline double test_value(const ren__feature_class *of, const double *values, const char *name) {
    for (int32_t f = 0; f < of->count; f++)
        if (strcmp(of->features[f].name, name) == 0) return values[f];
    return -12345.0;
}

/* Compares features with those of a matrix of levels by sizes in a plain array: P[level][size], sizes from 1. */
typedef struct test_sizes {
    int32_t levels, sizes;
    const double *p;
    const double *grey;
    double voxels; /* what the percentage divides by */
} test_sizes;

static inline double test_size_feature(const test_sizes *m, int32_t which) {
    double n = 0.0, sum = 0.0, mean_i = 0.0, mean_j = 0.0;

    for (int32_t i = 0; i < m->levels; i++)
        for (int32_t j = 1; j <= m->sizes; j++) {
            const double p = m->p[i * m->sizes + j - 1];
            n += p;
            mean_i += p * m->grey[i];
            mean_j += p * j;
        }
    if (which == REN__SIZE_PERCENTAGE) return n / m->voxels;
    for (int32_t i = 0; i < m->levels; i++)
        for (int32_t j = 1; j <= m->sizes; j++) {
            const double p = m->p[i * m->sizes + j - 1], gi = m->grey[i];
            const double low = 1.0 / (gi * gi), high = gi * gi, small = 1.0 / ((double)j * j), large = (double)j * j;
            const double di = gi - mean_i / n, dj = j - mean_j / n;
            const double terms[REN__SIZE_FEATURES] = {
                [REN__SIZE_SMALL] = small,
                [REN__SIZE_LARGE] = large,
                [REN__SIZE_LEVEL_VARIANCE] = di * di,
                [REN__SIZE_VARIANCE] = dj * dj,
                [REN__SIZE_ENTROPY] = p > 0.0 ? -log2(p / n) : 0.0,
                [REN__SIZE_LOW_LEVEL] = low,
                [REN__SIZE_HIGH_LEVEL] = high,
                [REN__SIZE_SMALL_LOW] = small * low,
                [REN__SIZE_SMALL_HIGH] = small * high,
                [REN__SIZE_LARGE_LOW] = large * low,
                [REN__SIZE_LARGE_HIGH] = large * high,
                [REN__SIZE_ENERGY] = p / n,
            };
            sum += p / n * terms[which];
        }
    return sum;
}

/* Non-uniformity over levels or over sizes. */
static inline double test_nonuniformity(const test_sizes *m, int over_levels, int normalised) {
    double n = 0.0, sum = 0.0;

    for (int32_t a = 0; a < (over_levels ? m->levels : m->sizes); a++) {
        double line = 0.0;
        for (int32_t b = 0; b < (over_levels ? m->sizes : m->levels); b++)
            line += over_levels ? m->p[a * m->sizes + b] : m->p[b * m->sizes + a];
        n += line;
        sum += line * line;
    }
    return sum / n / (normalised ? n : 1.0);
}

static inline double test_any_size_feature(const test_sizes *m, int32_t which) {
    switch (which) {
    case REN__SIZE_LEVEL_NONUNIFORMITY:
    case REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED:
        return test_nonuniformity(m, 1, which == REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED);
    case REN__SIZE_NONUNIFORMITY:
    case REN__SIZE_NONUNIFORMITY_NORMALIZED:
        return test_nonuniformity(m, 0, which == REN__SIZE_NONUNIFORMITY_NORMALIZED);
    default:
        return test_size_feature(m, which);
    }
}

#endif
