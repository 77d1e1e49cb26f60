/* SPDX-License-Identifier: Apache-2.0 */
/* The extractor: changes of its parameters, labels, regions that fail, diagnostics, filters that serve all regions. */
#include "radiomics/extractor.h"

#include "format/document.h"
#include "radiomics_fixture.h"

typedef struct setup {
    ren_radiomics *radiomics;
    ren_volume *image, *mask;
} setup;

static ren_status begin(ren_context *context, setup *s) {
    ren_status st = REN_OK;

    *s = (setup){ NULL, NULL, NULL };
    REN_TRY(fixture_make(context, &s->image, &s->mask));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &s->radiomics));
out:
    return st;
}

static void end(setup *s) {
    ren_radiomics_free(s->radiomics);
    ren_volume_free(s->image);
    ren_volume_free(s->mask);
}

static ren_status configure(setup *s, const char *yaml) {
    return ren_radiomics_parse_params(s->radiomics, yaml, strlen(yaml), "yaml");
}

static double value_of(const ren_features *features, int32_t row, const char *name) {
    return ren_features_value(features, row, ren_features_find(features, name));
}

/* ------------------------------------------------------------------------------------------------------ parameters */

static ren_status describe(const ren_radiomics *radiomics, json_t **tree) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    *tree = NULL;
    REN_TRY(ren_radiomics_describe(radiomics, &text));
    REN_TRY(ren__json_parse(ren_text_data(text), ren_text_size(text), "description", tree));
out:
    ren_text_free(text);
    return st;
}

static ren_status test_calls_and_their_refusals(ren_context *context) {
    ren_status st = REN_OK;
    ren_radiomics *r = NULL, *none = NULL;
    json_t *before = NULL, *after = NULL;

    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &r));
    REN_TRY(ren_radiomics_set(r, "binWidth", "10"));
    REN_TRY(ren_radiomics_set(r, "kernelRadius", "2"));
    REN_TRY(ren_radiomics_enable_image_type(r, "Original", "{\"binWidth\": 5}"));
    REN_TRY(ren_radiomics_enable_class(r, "shape", "[\"MeshVolume\"]"));
    CHECK(r->params.settings.bin_width == 10 && r->params.settings.kernel_radius == 2);
    CHECK(r->params.image_types[0].settings.bin_width == 5);
    REN_TRY(describe(r, &before));
    CHECK_FAILS(ren_radiomics_set(r, "binwidth", "10"), REN_E_INVALID, "did you mean \"binWidth\"?");
    CHECK_FAILS(ren_radiomics_set(r, "binWidth", "-10"), REN_E_INVALID, "above 0");
    CHECK_FAILS(ren_radiomics_set(r, "binWidth", "ten"), REN_E_INVALID, "the value");
    CHECK_FAILS(ren_radiomics_set(r, "binWidth", ""), REN_E_INVALID, NULL);
    CHECK_FAILS(ren_radiomics_set(r, "\xff", "1"), REN_E_INVALID, NULL);
    CHECK_FAILS(ren_radiomics_enable_class(r, "shapes", NULL), REN_E_INVALID, "did you mean \"shape\"?");
    CHECK_FAILS(ren_radiomics_enable_class(r, "shape", "[\"Volume\"]"), REN_E_INVALID, "Volume");
    CHECK_FAILS(ren_radiomics_enable_image_type(r, "original", NULL), REN_E_INVALID, "did you mean \"Original\"?");
    CHECK_FAILS(ren_radiomics_parse_params(r, "a: 1", 4, "toml"), REN_E_INVALID, "yaml");
    CHECK_FAILS(ren_radiomics_parse_params(r, "a: 1", 4, "yaml"), REN_E_FORMAT, "unknown key \"a\"");
    CHECK_FAILS(ren_radiomics_load_params(r, "/nowhere/p.yaml"), REN_E_IO, "/nowhere/p.yaml");
    REN_TRY(describe(r, &after));
    CHECK(json_equal(before, after));
    CHECK_FAILS(ren_radiomics_create(context, 7, &none), REN_E_INVALID, "mode 7");
    CHECK(none == NULL);
out:
    json_decref(before);
    json_decref(after);
    ren_radiomics_free(r);
    return st;
}

/* What is described is read back as the same. */
static ren_status test_description_round_trip(ren_context *context) {
    static const char text[] = "setting: {binWidth: 7.5, resampledPixelSpacing: [2, 2, 2], sigma: [1, 2.0]}\n"
                               "imageType: {Original: {}, Square: {binCount: 16}}\n"
                               "featureClass: {firstorder: [Mean, Energy], shape: }\nvoxelSetting: {initValue: nan}\n";
    ren_status st = REN_OK;
    ren_radiomics *one = NULL, *other = NULL;
    ren_text *json = NULL;
    json_t *a = NULL, *b = NULL;

    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &one));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &other));
    REN_TRY(ren_radiomics_parse_params(one, text, strlen(text), "yaml"));
    REN_TRY(ren_radiomics_describe(one, &json));
    REN_TRY(ren_radiomics_parse_params(other, ren_text_data(json), ren_text_size(json), "json"));
    REN_TRY(describe(one, &a));
    REN_TRY(describe(other, &b));
    CHECK(json_equal(a, b));
    CHECK(other->params.settings.bin_width == 7.5 && other->params.image_types[1].settings.bin_count == 16);
    CHECK_INT(other->params.classes[0].feature_count, 2);
    CHECK(other->params.settings.sigma_whole[0] && !other->params.settings.sigma_whole[1]);
out:
    json_decref(a);
    json_decref(b);
    ren_text_free(json);
    ren_radiomics_free(one);
    ren_radiomics_free(other);
    return st;
}

static ren_status test_clear(ren_context *context) {
    ren_status st = REN_OK;
    setup s;
    ren_features *features = NULL;

    REN_TRY(begin(context, &s));
    ren_radiomics_clear(s.radiomics);
    CHECK_FAILS(ren_radiomics_extract(s.radiomics, s.image, s.mask, NULL, 0, NULL, &features), REN_E_STATE, "enable");
    CHECK(features == NULL);
    REN_TRY(ren_radiomics_enable_class(s.radiomics, "firstorder", "[\"Mean\"]"));
    CHECK_FAILS(ren_radiomics_extract(s.radiomics, s.image, s.mask, NULL, 0, NULL, &features), REN_E_STATE, "enable");
    REN_TRY(ren_radiomics_enable_image_type(s.radiomics, "Original", NULL));
    REN_TRY(ren_radiomics_extract(s.radiomics, s.image, s.mask, NULL, 0, NULL, &features));
    CHECK_INT(ren_features_count(features), 1);
out:
    ren_features_free(features);
    end(&s);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- labels */

static ren_status test_labels(ren_context *context) {
    static const char *const labels[] = { "1", "1+2", "both=2+1", "corner=3", "5", "4" };
    ren_status st = REN_OK;
    setup s;
    ren_features *f = NULL;

    REN_TRY(begin(context, &s));
    REN_TRY(configure(&s, "featureClass: {firstorder: [Mean, Minimum, Maximum, Energy]}\n"));
    REN_TRY(ren_radiomics_extract(s.radiomics, s.image, s.mask, labels, 6, NULL, &f));
    CHECK_INT(ren_features_row_count(f), 6);
    CHECK_TEXT(ren_features_row_name(f, 1), "1+2");
    CHECK_TEXT(ren_features_row_name(f, 2), "both");
    CHECK_NEAR(value_of(f, 0, "original_firstorder_Mean"), 106.38333333333334, 1e-10);
    CHECK_NEAR(value_of(f, 1, "original_firstorder_Mean"), 163.25, 1e-10);
    CHECK(value_of(f, 1, "original_firstorder_Energy") == 4254034.0);
    CHECK(value_of(f, 2, "original_firstorder_Maximum") == 393 && value_of(f, 2, "original_firstorder_Minimum") == -59);
    CHECK_NEAR(value_of(f, 3, "original_firstorder_Mean"), 356.5, 1e-10);
    CHECK(ren_features_row_error(f, 0) == NULL);
    CHECK(strstr(ren_features_row_error(f, 4), "no voxels") != NULL && strstr(ren_features_row_error(f, 5), "4"));
    CHECK(isnan(value_of(f, 4, "original_firstorder_Mean")) && ren_features_diagnostic_count(f, 4) == 0);
out:
    ren_features_free(f);
    end(&s);
    return st;
}

static ren_status test_hostile_labels(ren_context *context) {
    static const char *const hostile[] = { "",     "0",          "-1",  "1+",  "+1",  "1++2", "1 + 2",
                                           "1.5",  "2147483648", "1,2", "=1",  "a=",  "a=b",  "1+1",
                                           "\n=1", "\xff=1",     "1;2", "0x1", "1e3", " 1",   "99999999999999999999" };
    ren_status st = REN_OK;
    setup s;
    ren_features *f = NULL;

    REN_TRY(begin(context, &s));
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        CHECK_FAILS(ren_radiomics_extract(s.radiomics, s.image, s.mask, &hostile[i], 1, NULL, &f), REN_E_INVALID,
                    "write 2, 1+2 or name=1+2");
    static const char *const twice[] = { "a=1", "a=2" }, *const none[] = { NULL };
    CHECK_FAILS(ren_radiomics_extract(s.radiomics, s.image, s.mask, twice, 2, NULL, &f), REN_E_INVALID, "another row");
    CHECK_FAILS(ren_radiomics_extract(s.radiomics, s.image, s.mask, none, 1, NULL, &f), REN_E_INVALID, "NULL");
out:
    end(&s);
    return st;
}

static ren_status test_seven_regions(ren_context *context) {
    ren_status st = REN_OK;
    setup s;
    ren_features *f = NULL;

    REN_TRY(begin(context, &s));
    REN_TRY(configure(&s, "featureClass: {firstorder: [Mean]}\n"));
    REN_TRY(ren_radiomics_extract_regions(s.radiomics, s.image, s.mask, NULL, &f));
    CHECK_INT(ren_features_row_count(f), 7);
    for (int32_t i = 0; i < 7; i++)
        CHECK_TEXT(ren_features_row_name(f, i), ren_region_name(i));
    CHECK_NEAR(value_of(f, REN_REGION_LEFT_LUNG, "original_firstorder_Mean"), 163.25, 1e-10);
    CHECK(ren_features_row_error(f, REN_REGION_RLL) != NULL && ren_features_row_error(f, REN_REGION_LUL) == NULL);
out:
    ren_features_free(f);
    end(&s);
    return st;
}

static ren_status test_other_grid(ren_context *context) {
    static const int64_t shape[3] = { 4, 4, 4 };
    static const char *const labels[] = { "1", "2" };
    ren_status st = REN_OK;
    setup s;
    ren_volume *other = NULL;
    ren_features *f = NULL;

    REN_TRY(begin(context, &s));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, fixture_affine, NULL, &other));
    CHECK_FAILS(ren_radiomics_extract(s.radiomics, s.image, other, labels, 2, NULL, &f), REN_E_DATA, "4 x 4 x 4");
    CHECK(f == NULL);
out:
    ren_volume_free(other);
    end(&s);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- filters */

static ren_status extract_one(const setup *s, const char *label, ren_features **out) {
    return ren_radiomics_extract(s->radiomics, s->image, s->mask, &label, 1, NULL, out);
}

static int same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

/* A filter that runs once for all regions gives each what it would have got alone; columns keep the file's order. */
static ren_status test_filters_serve_all_regions(ren_context *context) {
    static const char *const labels[] = { "1", "5", "2", "1+2" };
    ren_status st = REN_OK;
    setup s;
    ren_features *all = NULL, *one = NULL;

    REN_TRY(begin(context, &s));
    REN_TRY(configure(&s, "imageType: {Square: {}, Original: {}, Gradient: {binWidth: 3}}\n"
                          "featureClass: {firstorder: , shape: [MeshVolume]}\n"));
    REN_TRY(ren_radiomics_extract(s.radiomics, s.image, s.mask, labels, 4, NULL, &all));
    CHECK_INT(ren_features_count(all), 1 + 3 * 18);
    CHECK_TEXT(ren_features_name(all, 0), "original_shape_MeshVolume");
    CHECK_TEXT(ren_features_name(all, 1), "square_firstorder_10Percentile");
    CHECK_TEXT(ren_features_name(all, 19), "original_firstorder_10Percentile");
    CHECK_TEXT(ren_features_name(all, 37), "gradient_firstorder_10Percentile");
    for (int32_t i = 0; i < 4; i++) {
        if (i == 1) continue; /* there is no such label */
        REN_TRY(extract_one(&s, labels[i], &one));
        CHECK_INT(ren_features_count(one), ren_features_count(all));
        for (int32_t k = 0; k < 55; k++)
            CHECK(same(ren_features_value(one, 0, k), ren_features_value(all, i, k)));
        ren_features_free(one);
        one = NULL;
    }
    CHECK(isnan(ren_features_value(all, 1, 40)));
out:
    ren_features_free(all);
    ren_features_free(one);
    end(&s);
    return st;
}

/* Resampling gives each region an image of its own. */
static ren_status test_resampled_regions(ren_context *context) {
    static const char *const labels[] = { "1", "2" };
    ren_status st = REN_OK;
    setup s;
    ren_features *all = NULL, *one = NULL;

    REN_TRY(begin(context, &s));
    REN_TRY(configure(&s, "setting: {resampledPixelSpacing: [1, 1, 1]}\nimageType: {Square: {}}\n"
                          "featureClass: {firstorder: [Mean, Energy]}\n"));
    REN_TRY(ren_radiomics_extract(s.radiomics, s.image, s.mask, labels, 2, NULL, &all));
    for (int32_t i = 0; i < 2; i++) {
        REN_TRY(extract_one(&s, labels[i], &one));
        CHECK(memcmp(ren_features_row(one, 0), ren_features_row(all, i), 2 * sizeof(double)) == 0);
        CHECK(ren_features_diagnostic_count(one, 0) > 30); /* of the interpolated image as well */
        ren_features_free(one);
        one = NULL;
    }
out:
    ren_features_free(all);
    ren_features_free(one);
    end(&s);
    return st;
}

static ren_status test_number_of_threads(ren_context *context) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    static const char *const labels[] = { "1", "2" };
    ren_status st = REN_OK;
    ren_context *alone = NULL;
    setup two, one = { NULL, NULL, NULL };
    ren_features *a = NULL, *b = NULL;

    REN_TRY(begin(context, &two));
    test_allocator(&options);
    options.threads = 1;
    REN_TRY(ren_context_create(&options, &alone));
    REN_TRY(begin(alone, &one));
    REN_TRY(ren_radiomics_extract(two.radiomics, two.image, two.mask, labels, 2, NULL, &a));
    REN_TRY(ren_radiomics_extract(one.radiomics, one.image, one.mask, labels, 2, NULL, &b));
    CHECK_INT(ren_features_count(a), ren_features_count(b));
    for (int32_t row = 0; row < 2; row++)
        CHECK(memcmp(ren_features_row(a, row), ren_features_row(b, row),
                     (size_t)ren_features_count(a) * sizeof(double)) == 0);
out:
    ren_features_free(a);
    ren_features_free(b);
    end(&two);
    end(&one);
    ren_context_free(alone);
    return st;
}

static int32_t always(void *user) {
    (void)user;
    return 1;
}

static ren_status test_cancel(ren_context *context) {
    ren_run_options run = REN_RUN_OPTIONS_INIT;
    ren_status st = REN_OK;
    setup s;
    ren_features *f = NULL;

    REN_TRY(begin(context, &s));
    run.cancel = always;
    CHECK_FAILS(ren_radiomics_extract(s.radiomics, s.image, s.mask, NULL, 0, &run, &f), REN_E_CANCELLED, NULL);
    CHECK(f == NULL);
out:
    end(&s);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ diagnostics */

static const char *diagnostic(const ren_features *f, int32_t row, const char *name) {
    for (int32_t i = 0; i < ren_features_diagnostic_count(f, row); i++)
        if (strcmp(ren_features_diagnostic_name(f, row, i) + strlen("diagnostics_"), name) == 0)
            return ren_features_diagnostic_text(f, row, i);
    return NULL;
}

/* Digests and means computed by Python's hashlib and numpy on the same numbers. */
static ren_status test_diagnostics(ren_context *context) {
    static const char *const labels[] = { "1+2", "3" };
    ren_status st = REN_OK;
    setup s;
    ren_features *f = NULL;

    REN_TRY(begin(context, &s));
    REN_TRY(configure(&s, "setting: {binWidth: 5.0, distances: [1, 2]}\nfeatureClass: {firstorder: [Mean]}\n"));
    REN_TRY(ren_radiomics_extract(s.radiomics, s.image, s.mask, labels, 2, NULL, &f));
    CHECK_INT(ren_features_diagnostic_count(f, 0), 22);
    CHECK_TEXT(diagnostic(f, 0, "Image-original_Hash"), "61322da9ee1913abfd80cd2c47f9ded662685b59");
    CHECK_TEXT(diagnostic(f, 0, "Mask-original_Hash"), "9f7e64698dcf602f3664f4065085683a7ff7d2b7");
    CHECK_TEXT(diagnostic(f, 0, "Image-original_Mean"), "177.94642857142858");
    CHECK_TEXT(diagnostic(f, 0, "Image-original_Minimum"), "-197.0");
    CHECK_TEXT(diagnostic(f, 0, "Image-original_Spacing"), "(1.5, 1.25, 2.0)");
    CHECK_TEXT(diagnostic(f, 0, "Mask-original_BoundingBox"), "(1, 1, 1, 6, 5, 4)");
    CHECK_TEXT(diagnostic(f, 0, "Mask-original_VoxelNum"), "120");
    CHECK_TEXT(diagnostic(f, 1, "Mask-original_VolumeNum"), "1"); /* a corner joins */
    CHECK_TEXT(diagnostic(f, 0, "Mask-original_CenterOfMassIndex"), "(3.5, 3.0, 2.5)");
    CHECK_TEXT(diagnostic(f, 0, "Mask-original_CenterOfMass"), "(4.75, -23.75, 10.0)"); /* LPS */
    CHECK_TEXT(
        diagnostic(f, 0, "Configuration_Settings"),
        "{'minimumROIDimensions': 2, 'minimumROISize': None, 'normalize': False, 'normalizeScale': 1, "
        "'removeOutliers': None, 'resampledPixelSpacing': None, 'interpolator': 'sitkBSpline', 'preCrop': False, "
        "'padDistance': 5, 'distances': [1, 2], 'force2D': False, 'force2Ddimension': 0, 'resegmentRange': None, "
        "'label': '1+2', 'additionalInfo': True, 'binWidth': 5.0}");
    CHECK_TEXT(diagnostic(f, 0, "Configuration_EnabledImageTypes"), "{'Original': {}}");
    ren_features_free(f);
    f = NULL;
    REN_TRY(ren_radiomics_set(s.radiomics, "additionalInfo", "false"));
    REN_TRY(ren_radiomics_extract(s.radiomics, s.image, s.mask, labels, 2, NULL, &f));
    CHECK_INT(ren_features_diagnostic_count(f, 0), 0);
out:
    ren_features_free(f);
    end(&s);
    return st;
}

/* Scaled voxels are 32-bit floats to SimpleITK; strides do not matter. */
static ren_status test_hash_of_scaled_voxels(ren_context *context) {
    ren_status st = REN_OK;
    setup s;
    ren_features *f = NULL;
    ren_volume_desc desc;
    ren_volume *scaled = NULL;

    REN_TRY(begin(context, &s));
    REN_TRY(ren_volume_desc_init(&desc, sizeof desc));
    desc.data = s.image->data;
    desc.type = REN_TYPE_I16;
    memcpy(desc.shape, s.image->shape, sizeof desc.shape);
    memcpy(desc.affine, fixture_affine, sizeof desc.affine);
    desc.slope = 0.5;
    desc.intercept = 3;
    REN_TRY(ren_volume_create(context, &desc, &scaled));
    REN_TRY(configure(&s, "featureClass: {firstorder: [Mean]}\n"));
    REN_TRY(ren_radiomics_extract(s.radiomics, scaled, s.mask, NULL, 0, NULL, &f));
    CHECK_TEXT(diagnostic(f, 0, "Image-original_Hash"), "e8bef3b490d29aa7982cda3b8b9fb4a10d977a7b");
out:
    ren_features_free(f);
    ren_volume_free(scaled);
    end(&s);
    return st;
}

TEST_MAIN(CASE(test_calls_and_their_refusals), CASE(test_description_round_trip), CASE(test_clear),
          CASE_SAMPLED(test_labels), CASE(test_hostile_labels), CASE_SAMPLED(test_seven_regions), CASE(test_other_grid),
          CASE_SAMPLED(test_filters_serve_all_regions), CASE_SAMPLED(test_resampled_regions),
          CASE_SAMPLED(test_number_of_threads), CASE(test_cancel), CASE_SAMPLED(test_diagnostics),
          CASE_SAMPLED(test_hash_of_scaled_voxels))
