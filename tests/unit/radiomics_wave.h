/* SPDX-License-Identifier: Apache-2.0 */
/* The small images and masks of tests/conformance/pyradiomics/make_region_vectors.py, made again, and its digests. */
#ifndef REN_TESTS_RADIOMICS_WAVE_H
#define REN_TESTS_RADIOMICS_WAVE_H

#include <jansson.h>

#include "harness.h"
#include "radiomics/pixels.h"
#include "radiomics/region.h"

static const int64_t wave_shape[3] = { 12, 10, 8 };

/* `merged`: the mask has label 1 alone. */
static inline ren_status wave_create(ren_context *context, int32_t type, int flip, int merged, const int64_t shape[3],
                                     ren_volume **image, ren_volume **mask) {
    static const double plain[16] = { -0.75, 0, 0, 20.5, 0, -1.25, 0, -31.25, 0, 0, 2.5, 7, 0, 0, 0, 1 };
    static const double turned[16] = { 0.75, 0, 0, 20.5, 0, 0, -2.5, -31.25, 0, 1.25, 0, 7, 0, 0, 0, 1 };
    ren_status st = REN_OK;
    void *voxels = NULL, *labels = NULL;
    double *values = NULL;
    const int64_t count = shape[0] * shape[1] * shape[2];
    REN_TRY(ren__volume_allocate(context, type, shape, flip ? turned : plain, &voxels, image));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, flip ? turned : plain, &labels, mask));
    REN_ALLOC(values, (size_t)count * sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        const int64_t x = i % shape[0], y = i / shape[0] % shape[1], z = i / (shape[0] * shape[1]);
        double value = (double)((x * 37 + y * 101 + z * 53 + x * y * 7 + y * z * 3) % 97 - 40) * 11.0;
        if (type == REN_TYPE_U8) value = trunc((value + 440.0) / 8.0);
        if (type >= REN_TYPE_F32) value = value * 0.37 + 0.125;
        values[i] = value;
        const int inside = (x * 5 + y * 3 + z * 7) % 11 < 7 && y > 1 && z < shape[2] - 1;
        ((uint8_t *)labels)[i] = (uint8_t)(inside ? (merged ? 1 : 1 + (x > 5)) : 0);
    }
    ren__pixels_store(type, values, count, voxels);
out:
    ren__free(values);
    return st;
}

/* One of the two weighted sums; `scale` (nullable) gets the sum of what its terms weigh, for a tolerance. */
static inline double wave_digest(const double *values, int64_t count, int which, double *scale) {
    double sum = 0.0, weight = 1e-300;
    for (int64_t i = 0; i < count; i++) {
        const double by = which ? (double)((i * 53 + 7) % 89 - 44) : (double)((i * 37 + 11) % 101 - 50);
        sum += values[i] * by;
        weight += fabs(values[i] * by);
    }
    if (scale) *scale = weight;
    return sum;
}

static inline ren_status wave_settings(const char *text, ren__radiomics_settings *settings) {
    const char *key = NULL;
    json_t *tree = json_loads(text, 0, NULL), *value = NULL;
    ren_status st = tree ? REN_OK : TEST_FAILED;
    ren__radiomics_settings_default(REN_RADIOMICS_PYRADIOMICS, settings);
    json_object_foreach(tree, key, value) {
        if (st == REN_OK) st = ren__radiomics_setting_read(key, value, "settings", settings);
    }
    json_decref(tree);
    settings->resample = settings->spacing_given && settings->interpolator >= 0;
    return st;
}

#endif
