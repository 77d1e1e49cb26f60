/* SPDX-License-Identifier: Apache-2.0 */
/* The feature table: what it answers, as CSV, as JSON; Python's way to print; digests; components. */
#include "radiomics/features.h"

#include "format/csv.h"
#include "format/document.h"
#include "radiomics/diagnostics.h"
#include "radiomics/python_text.h"
#include "radiomics_fixture.h"

static ren_status extract(ren_context *context, const char *yaml, const char *const *labels, size_t count,
                          ren_features **out) {
    ren_status st = REN_OK;
    ren_radiomics *radiomics = NULL;
    ren_volume *image = NULL, *mask = NULL;

    REN_TRY(fixture_make(context, &image, &mask));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    REN_TRY(ren_radiomics_parse_params(radiomics, yaml, strlen(yaml), "yaml"));
    REN_TRY(ren_radiomics_extract(radiomics, image, mask, labels, count, NULL, out));
out:
    ren_radiomics_free(radiomics);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

static ren_status test_answers(ren_context *context) {
    static const char *const labels[] = { "1", "2" };
    ren_status st = REN_OK;
    ren_features *f = NULL;

    REN_TRY(extract(context, "featureClass: {shape: [MeshVolume], firstorder: [Mean, Energy]}", labels, 2, &f));
    CHECK_INT(ren_features_count(f), 3);
    CHECK_TEXT(ren_features_name(f, 2), "original_firstorder_Energy");
    CHECK_TEXT(ren_features_unit(f, 0), "mm3");
    CHECK_TEXT(ren_features_unit(f, 1), "[image]");
    CHECK_TEXT(ren_features_ibsi(f, 0), "RNU0");
    CHECK_INT(ren_features_find(f, "original_firstorder_Mean"), 1);
    CHECK_INT(ren_features_find(f, "original_firstorder_mean"), -1);
    CHECK(ren_features_row(f, 1)[2] == 3258033.0 && ren_features_value(f, 1, 2) == 3258033.0);
    /* out of range, and nothing at all */
    CHECK(ren_features_name(f, 3) == NULL && ren_features_name(f, -1) == NULL && ren_features_row(f, 2) == NULL);
    CHECK(isnan(ren_features_value(f, 2, 0)) && isnan(ren_features_value(f, 0, 3)));
    CHECK(ren_features_diagnostic_name(f, 0, 22) == NULL && ren_features_row_name(f, -1) == NULL);
    CHECK(ren_features_count(NULL) == 0 && ren_features_row_error(NULL, 0) == NULL);
    ren_features_free(NULL);
out:
    ren_features_free(f);
    return st;
}

static ren_status test_csv(ren_context *context) {
    static const char *const labels[] = { "4", "a,\"b\"=1" };
    ren_status st = REN_OK;
    ren_features *f = NULL;
    ren_text *csv = NULL;
    ren__csv *table = NULL;
    char path[TEST_PATH];

    REN_TRY(extract(context, "featureClass: {firstorder: [Mean, Energy]}", labels, 2, &f));
    REN_TRY(ren_features_csv(f, "an image.nii", NULL, &csv));
    REN_TRY(ren__file_write(test_file(path, "t.csv"), ren_text_data(csv), ren_text_size(csv)));
    REN_TRY(ren__csv_read(context, path, &table));
    CHECK_INT(ren__csv_columns(table), 3 + 22 + 2);
    CHECK_TEXT(ren__csv_name(table, 0), "Image");
    CHECK_TEXT(ren__csv_name(table, 2), "Region");
    CHECK_TEXT(ren__csv_name(table, 3), "diagnostics_Versions_PyRadiomics");
    CHECK_TEXT(ren__csv_get(table, 0, 0), "an image.nii");
    CHECK_TEXT(ren__csv_get(table, 1, 2), "a,\"b\"");
    CHECK_TEXT(ren__csv_get(table, 0, 26), "nan"); /* a single voxel is refused */
    CHECK_TEXT(ren__csv_get(table, 1, 25), "106.38333333333334");
    CHECK_TEXT(ren__csv_get(table, 1, 26), "996001.0");
out:
    ren__csv_free(table);
    ren_text_free(csv);
    ren_features_free(f);
    return st;
}

static ren_status test_json(ren_context *context) {
    static const char *const labels[] = { "4", "1" };
    ren_status st = REN_OK;
    ren_features *f = NULL;
    ren_text *json = NULL;
    json_t *tree = NULL;

    REN_TRY(extract(context, "featureClass: {firstorder: [Mean]}", labels, 2, &f));
    REN_TRY(ren_features_json(f, "im\"age", "\xff.nii", &json));
    REN_TRY(ren__json_parse(ren_text_data(json), ren_text_size(json), "features", &tree));
    const json_t *bad = json_array_get(tree, 0), *good = json_array_get(tree, 1);
    CHECK_INT(json_array_size(tree), 2);
    CHECK_TEXT(json_string_value(json_object_get(good, "Image")), "im\"age");
    CHECK_TEXT(json_string_value(json_object_get(good, "Mask")), "?.nii");
    CHECK(json_is_null(json_object_get(bad, "original_firstorder_Mean")) && json_object_get(bad, "error"));
    CHECK_NEAR(json_real_value(json_object_get(good, "original_firstorder_Mean")), 106.38333333333334, 1e-10);
    const json_t *meta = json_object_get(json_object_get(good, "meta"), "original_firstorder_Mean");
    CHECK_TEXT(json_string_value(json_object_get(meta, "unit")), "[image]");
    CHECK_TEXT(json_string_value(json_object_get(meta, "ibsi")), "Q4LE");
    json_decref(tree);
    tree = NULL;
    ren_text_free(json);
    json = NULL;
    ren_features_free(f);
    f = NULL;
    REN_TRY(extract(context, "featureClass: {firstorder: [Mean]}", labels + 1, 1, &f)); /* one region: its object */
    REN_TRY(ren_features_json(f, NULL, NULL, &json));
    REN_TRY(ren__json_parse(ren_text_data(json), ren_text_size(json), "features", &tree));
    CHECK(json_is_object(tree) && json_object_get(tree, "original_firstorder_Mean") && json_object_get(tree, "meta"));
out:
    json_decref(tree);
    ren_text_free(json);
    ren_features_free(f);
    return st;
}

/* What CPython 3.11 prints. */
static ren_status test_python_numbers(ren_context *context) {
    static const struct {
        double value;
        const char *text;
    } numbers[] = {
        { 0.0, "0.0" },
        { -0.0, "-0.0" },
        { 1.0, "1.0" },
        { 0.1, "0.1" },
        { -2.5, "-2.5" },
        { 1e15, "1000000000000000.0" },
        { 1e16, "1e+16" },
        { 123456789012345680.0, "1.2345678901234568e+17" },
        { 1e-4, "0.0001" },
        { 1e-5, "1e-05" },
        { 1.25e-7, "1.25e-07" },
        { 1e100, "1e+100" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 0.30000000000000004, "0.30000000000000004" },
        { 385.6564080810547, "385.6564080810547" },
        { 9007199254740993.0, "9007199254740992.0" },
        { 1.0 / 3.0, "0.3333333333333333" },
        { 2.0 / 3.0, "0.6666666666666666" },
        { 100.0, "100.0" },
        { 0.001234, "0.001234" },
        { INFINITY, "inf" },
        { -INFINITY, "-inf" },
        { NAN, "nan" },
    };
    ren_status st = REN_OK;
    ren_text *text = NULL;

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        REN_TRY(ren__text_create(context, &text));
        ren__python_number(text, numbers[i].value);
        REN_TRY(text->status);
        CHECK_TEXT(ren_text_data(text), numbers[i].text);
        ren_text_free(text);
        text = NULL;
    }
out:
    ren_text_free(text);
    return st;
}

static ren_status test_python_values(ren_context *context) {
    static const char json[] =
        "{\"a\": [1, 2.0, \"x'y\", \"q\\\"'\"], \"b\": {}, \"c\": null, \"d\": true, \"e\": \"\\n\"}";
    ren_status st = REN_OK;
    ren_text *text = NULL;
    json_t *tree = NULL;

    REN_TRY(ren__json_parse(json, strlen(json), "json", &tree));
    REN_TRY(ren__text_create(context, &text));
    ren__python_value(text, tree);
    REN_TRY(text->status);
    CHECK_TEXT(ren_text_data(text), "{'a': [1, 2.0, \"x'y\", 'q\"\\''], 'b': {}, 'c': None, 'd': True, 'e': '\\x0a'}");
out:
    json_decref(tree);
    ren_text_free(text);
    return st;
}

/* FIPS 180's own examples, and one of many blocks in uneven pieces. */
static ren_status test_sha1(ren_context *context) {
    ren_status st = REN_OK;
    char text[REN__SHA1_TEXT], million[1000];
    ren__sha1 hash;

    (void)context;
    ren__sha1_begin(&hash);
    ren__sha1_end(&hash, text);
    CHECK_TEXT(text, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    ren__sha1_begin(&hash);
    ren__sha1_add(&hash, "abc", 3);
    ren__sha1_end(&hash, text);
    CHECK_TEXT(text, "a9993e364706816aba3e25717850c26c9cd0d89d");
    ren__sha1_begin(&hash);
    ren__sha1_add(&hash, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
    ren__sha1_end(&hash, text);
    CHECK_TEXT(text, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    memset(million, 'a', sizeof million);
    ren__sha1_begin(&hash);
    for (size_t left = 1000000, piece = 1; left; left -= piece, piece = piece * 7 % 999 + 1) {
        piece = piece < left ? piece : left;
        ren__sha1_add(&hash, million, piece);
    }
    ren__sha1_end(&hash, text);
    CHECK_TEXT(text, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
out:
    return st;
}

/* Runs of voxels give what the label map's own components give. */
static ren_status test_components(ren_context *context) {
    static const double identity[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
    ren_status st = REN_OK;
    uint32_t state = 1;

    for (int32_t trial = 0; trial < 60 && st == REN_OK; trial++) {
        const int64_t shape[3] = { 1 + trial % 9, 1 + trial % 7, 1 + trial % 5 };
        ren_volume *volume = NULL, *numbered = NULL;
        ren__roi roi = { .shape = { shape[0], shape[1], shape[2] }, .count = 1 };
        int64_t count = 0;
        int32_t wanted = 0;
        void *voxels = NULL;

        st = ren__volume_allocate(context, REN_TYPE_U8, shape, identity, &voxels, &volume);
        for (int64_t i = 0; st == REN_OK && i < shape[0] * shape[1] * shape[2]; i++) {
            state = state * 1664525u + 1013904223u;
            ((uint8_t *)voxels)[i] = (uint8_t)((state >> 24) % 5 == 0);
        }
        roi.inside = voxels;
        if (st == REN_OK) st = ren_volume_components(volume, 26, &numbered, &wanted);
        if (st == REN_OK) st = ren__roi_components(context, &roi, &count);
        if (st == REN_OK && count != wanted)
            st = test_fail(__FILE__, __LINE__, "trial %d: %d components, not %d", trial, (int)count, (int)wanted);
        ren_volume_free(numbered);
        ren_volume_free(volume);
    }
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_answers), CASE_SAMPLED(test_csv), CASE_SAMPLED(test_json), CASE(test_python_numbers),
          CASE(test_python_values), CASE(test_sha1), CASE_SAMPLED(test_components))
