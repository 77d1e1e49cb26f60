/* SPDX-License-Identifier: Apache-2.0 */
/* Voxel-based maps: against what PyRadiomics recorded, and against extractions of single neighbourhoods. */
#include <math.h>
#include <stdlib.h>

#include "format/document.h"
#include "radiomics/extractor.h"
#include "volume/volume.h"

#include "unit/harness.h"

static const char recorded[] = "tests/conformance/pyradiomics";

/* ------------------------------------------------------------------------------------------------------- recorded */

/* NaN is recorded as text. */
static double number_of(const json_t *value) {
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static int is_near(double value, double wanted) {
    if (isnan(wanted) || isnan(value)) return isnan(wanted) && isnan(value);
    return fabs(value - wanted) <= 1e-9 + 1e-6 * fabs(wanted);
}

static ren_status check_map(const char *case_name, const char *name, const ren_volume *volume, const json_t *wanted) {
    ren_status st = REN_OK;
    const json_t *values = json_object_get(wanted, "values");
    const double *own = (const double *)(const void *)volume->data;

    CHECK_INT(volume->type, REN_TYPE_F64);
    for (size_t a = 0; a < 3; a++) {
        const double spacing = json_number_value(json_array_get(json_object_get(wanted, "spacing"), a));
        const double origin = json_number_value(json_array_get(json_object_get(wanted, "origin"), a));
        const double sign = a < 2 ? -1 : 1; /* recorded in LPS */
        double length = 0;
        CHECK_INT(volume->shape[a], json_integer_value(json_array_get(json_object_get(wanted, "size"), a)));
        for (size_t r = 0; r < 3; r++)
            length += volume->affine[4 * r + a] * volume->affine[4 * r + a];
        CHECK_NEAR(sqrt(length), spacing, 1e-6);
        CHECK_NEAR(volume->affine[4 * a + 3], sign * origin, 1e-4);
    }
    for (size_t i = 0; i < json_array_size(values); i++)
        if (!is_near(own[i], number_of(json_array_get(values, i)))) {
            st = test_fail(__FILE__, __LINE__, "%s, %s: voxel %zu is %.17g, not %.17g", case_name, name, i, own[i],
                           number_of(json_array_get(values, i)));
            goto out;
        }
out:
    return st;
}

static ren_status check_maps(const json_t *entry, const ren_feature_maps *maps) {
    ren_status st = REN_OK;
    const char *case_name = json_string_value(json_object_get(entry, "name"));
    json_t *result = json_object_get(entry, "result");
    ren_volume *volume = NULL;
    const char *name;
    json_t *wanted;
    int32_t found = 0;

    json_object_foreach(result, name, wanted) {
        int32_t at = 0;
        if (strncmp(name, "diagnostics_", 12) == 0) continue;
        while (at < ren_feature_maps_count(maps) && strcmp(ren_feature_maps_name(maps, at), name) != 0)
            at++;
        CHECK_INT(at, found++);                      /* PyRadiomics' order */
        if (strstr(name, "Dissimilarity")) continue; /* PyRadiomics: a map full of initValue; ours: values */
        REN_TRY(ren_feature_maps_volume(maps, at, &volume));
        REN_TRY(check_map(case_name, name, volume, wanted));
        ren_volume_free(volume);
        volume = NULL;
    }
    CHECK_INT(ren_feature_maps_count(maps), found);
out:
    ren_volume_free(volume);
    return st;
}

static ren_status replay(ren_context *context, const json_t *entry) {
    ren_status st = REN_OK;
    ren_radiomics *radiomics = NULL;
    ren_volume *image = NULL, *mask = NULL;
    ren_feature_maps *maps = NULL;
    ren_text *params = NULL;
    char path[TEST_PATH], label[32];

    snprintf(path, sizeof path, "%s/%s", recorded, json_string_value(json_object_get(entry, "image")));
    REN_TRY(ren_volume_read(context, path, &image));
    snprintf(path, sizeof path, "%s/%s", recorded, json_string_value(json_object_get(entry, "mask")));
    REN_TRY(ren_volume_read(context, path, &mask));
    snprintf(label, sizeof label, "%lld", (long long)json_integer_value(json_object_get(entry, "label")));
    REN_TRY(ren__json_write(context, json_object_get(entry, "params"), 0, &params));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    REN_TRY(ren_radiomics_parse_params(radiomics, ren_text_data(params), params->size, "json"));
    REN_TRY(ren_radiomics_map(radiomics, image, mask, label, NULL, &maps));
    REN_TRY(check_maps(entry, maps));
out:
    ren_feature_maps_free(maps);
    ren_radiomics_free(radiomics);
    ren_text_free(params);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

static ren_status test_recorded_maps(ren_context *context) {
    ren_status st = REN_OK;
    json_t *tree = NULL;
    char path[TEST_PATH];

    snprintf(path, sizeof path, "%s/voxel.json", recorded);
    REN_TRY(ren__document_read(context, path, &tree));
    const json_t *cases = json_object_get(tree, "cases");
    CHECK(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++)
        REN_TRY(replay(context, json_array_get(cases, i)));
out:
    json_decref(tree);
    return st;
}

/* -------------------------------------------------------------------------------------------------------- computed */

enum { NX = 6, NY = 5, NZ = 4, VOXELS = NX * NY * NZ };

/* A small image at bins' lower edges, and a mask with a hole that leaves the first and the last column out. */
static ren_status make_case(ren_context *context, ren_volume **image, ren_volume **mask) {
    static const int64_t shape[3] = { NX, NY, NZ };
    static const double affine[16] = { 2, 0, 0, 10, 0, 2, 0, 20, 0, 0, 3, 30, 0, 0, 0, 1 };
    ren_status st = REN_OK;
    void *grey = NULL, *labels = NULL;

    REN_TRY(ren__volume_allocate(context, REN_TYPE_I16, shape, affine, &grey, image));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, affine, &labels, mask));
    for (int i = 0; i < VOXELS; i++) {
        ((int16_t *)grey)[i] = (int16_t)(25 * ((i * 7 + i / NX * 3) % 5));
        ((uint8_t *)labels)[i] = i % NX > 0 && i % NX < NX - 1 && i != 2 + NX * (2 + NY);
    }
out:
    return st;
}

/* Mean, and Contrast of bins of 25, of the neighbourhood of a voxel within the mask. */
static void neighbourhood(const int16_t *grey, const uint8_t *mask, int at, double *mean, double *contrast) {
    double sum = 0, directions = 0;
    int count = 0, x = at % NX, y = at / NX % NY, z = at / (NX * NY);

    *contrast = 0;
    for (int step = 14; step <= 27; step++) { /* 13 and its opposite are the voxel itself; 14 to 26: one of each pair */
        double squares = 0;
        int pairs = 0;
        for (int n = 0; n < 27; n++) {
            const int u = x + n % 3 - 1, v = y + n / 3 % 3 - 1, w = z + n / 9 - 1;
            const int p = u + step % 3 - 1, q = v + step / 3 % 3 - 1, r = w + step / 9 - 1;
            if (u < 0 || v < 0 || w < 0 || u >= NX || v >= NY || w >= NZ || !mask[u + NX * (v + NY * w)]) continue;
            if (step == 27) {
                sum += grey[u + NX * (v + NY * w)];
                count++;
            }
            if (step == 27 || abs(p - x) > 1 || abs(q - y) > 1 || abs(r - z) > 1) continue;
            if (p < 0 || q < 0 || r < 0 || p >= NX || q >= NY || r >= NZ || !mask[p + NX * (q + NY * r)]) continue;
            const double difference = (grey[u + NX * (v + NY * w)] - grey[p + NX * (q + NY * r)]) / 25.0;
            squares += difference * difference;
            pairs++;
        }
        if (pairs) {
            *contrast += squares / pairs;
            directions++;
        }
    }
    *mean = sum / count;
    *contrast /= directions;
}

static ren_status check_neighbourhoods(const ren_volume *image, const ren_volume *mask, const ren_volume *mean,
                                       const ren_volume *contrast) {
    ren_status st = REN_OK;
    const int16_t *grey = (const int16_t *)(const void *)image->data;
    const uint8_t *inside = mask->data;

    /* the region's box and a voxel around it are the whole image */
    CHECK_INT(mean->shape[0], NX);
    CHECK_INT(mean->shape[2], NZ);
    CHECK(memcmp(mean->affine, image->affine, sizeof mean->affine) == 0);
    for (int i = 0; i < VOXELS; i++) {
        double wanted_mean = -1, wanted_contrast = -1;
        if (inside[i]) neighbourhood(grey, inside, i, &wanted_mean, &wanted_contrast);
        CHECK_NEAR(((const double *)(const void *)mean->data)[i], wanted_mean, 1e-9);
        CHECK_NEAR(((const double *)(const void *)contrast->data)[i], wanted_contrast, 1e-9);
    }
out:
    return st;
}

static ren_status test_neighbourhoods(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL, *mean = NULL, *contrast = NULL;
    ren_radiomics *radiomics = NULL;
    ren_feature_maps *maps = NULL;

    REN_TRY(make_case(context, &image, &mask));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    ren_radiomics_clear(radiomics);
    REN_TRY(ren_radiomics_enable_image_type(radiomics, "Original", NULL));
    REN_TRY(ren_radiomics_enable_class(radiomics, "firstorder", "[\"Mean\"]"));
    REN_TRY(ren_radiomics_enable_class(radiomics, "glcm", "[\"Contrast\"]"));
    REN_TRY(ren_radiomics_set(radiomics, "initValue", "-1"));
    REN_TRY(ren_radiomics_map(radiomics, image, mask, NULL, NULL, &maps));
    CHECK_INT(ren_feature_maps_count(maps), 2);
    CHECK_TEXT(ren_feature_maps_name(maps, 0), "original_firstorder_Mean");
    CHECK_TEXT(ren_feature_maps_name(maps, 1), "original_glcm_Contrast");
    CHECK(ren_feature_maps_name(maps, 2) == NULL && ren_feature_maps_name(maps, -1) == NULL);
    REN_TRY(ren_feature_maps_volume(maps, 0, &mean));
    CHECK_FAILS(ren_feature_maps_volume(maps, 2, &contrast), REN_E_INVALID, "2");
    REN_TRY(ren_feature_maps_volume(maps, 1, &contrast));
    REN_TRY(check_neighbourhoods(image, mask, mean, contrast));
out:
    ren_volume_free(mean);
    ren_volume_free(contrast);
    ren_feature_maps_free(maps);
    ren_radiomics_free(radiomics);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

static ren_status test_refusals(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL;
    ren_radiomics *radiomics = NULL, *ibsi = NULL;
    ren_feature_maps *maps = NULL;

    REN_TRY(make_case(context, &image, &mask));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_IBSI, &ibsi));
    CHECK_FAILS(ren_radiomics_map(radiomics, NULL, mask, NULL, NULL, &maps), REN_E_INVALID, "image");
    CHECK_FAILS(ren_radiomics_map(radiomics, image, mask, "7", NULL, &maps), REN_E_DATA, "7");
    CHECK_FAILS(ren_radiomics_map(radiomics, image, mask, "x", NULL, &maps), REN_E_INVALID, NULL);
    CHECK_FAILS(ren_radiomics_map(ibsi, image, mask, NULL, NULL, &maps), REN_E_UNSUPPORTED, "pyradiomics");
    ren_radiomics_clear(radiomics);
    CHECK_FAILS(ren_radiomics_map(radiomics, image, mask, NULL, NULL, &maps), REN_E_STATE, "enable");
    REN_TRY(ren_radiomics_enable_image_type(radiomics, "Original", NULL));
    REN_TRY(ren_radiomics_enable_class(radiomics, "shape", NULL));
    CHECK_FAILS(ren_radiomics_map(radiomics, image, mask, NULL, NULL, &maps), REN_E_STATE, "shape");
    CHECK(maps == NULL);
    CHECK_INT(ren_feature_maps_count(NULL), 0);
    ren_feature_maps_free(NULL);
out:
    ren_radiomics_free(radiomics);
    ren_radiomics_free(ibsi);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

TEST_MAIN(CASE_ONCE(test_recorded_maps), CASE_SAMPLED(test_neighbourhoods), CASE_SAMPLED(test_refusals))
