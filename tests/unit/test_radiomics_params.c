/* SPDX-License-Identifier: Apache-2.0 */
/* Parameter files: what is read, what is refused and how that is said. */
#include "format/document.h"
#include "harness.h"
#include "radiomics/classes.h"
#include "radiomics/image_types.h"

/* The schema's settings as the parameter files of PyRadiomics' users have them. */
static const char every_setting[] =
    "setting:\n"
    "  minimumROIDimensions: 1\n  minimumROISize: 50\n  geometryTolerance: 1e-4\n  correctMask: true\n"
    "  additionalInfo: false\n  label: 3\n  label_channel: 0\n  binWidth: 12.5\n  binCount: 32\n  normalize: true\n"
    "  normalizeScale: 100\n  removeOutliers: 3\n  resampledPixelSpacing: [1, 1.5, 0]\n  interpolator: sitkLinear\n"
    "  padDistance: 10\n  distances: [1, 2]\n  force2D: true\n  force2Ddimension: 2\n  resegmentRange: [-3, 3]\n"
    "  resegmentMode: sigma\n  resegmentShape: true\n  preCrop: true\n  sigma: [1, 3.0]\n  start_level: 1\n  level: 2\n"
    "  wavelet: bior3.7\n  gradientUseSpacing: false\n  lbp2DRadius: 2\n  lbp2DSamples: 9\n  lbp2DMethod: ror\n"
    "  lbp3DLevels: 3\n  lbp3DIcosphereRadius: 1.5\n  lbp3DIcosphereSubdivision: 2\n  voxelArrayShift: -300\n"
    "  symmetricalGLCM: false\n  weightingNorm: manhattan\n  gldm_a: 1\n"
    "voxelSetting:\n  kernelRadius: 2\n  maskedKernel: false\n  initValue: nan\n  voxelBatch: 1000\n";

static ren_status read_yaml(const char *text, ren__radiomics_params *params) {
    ren_status st = REN_OK;
    json_t *tree = NULL;

    REN_TRY(ren__yaml_parse(text, strlen(text), "p.yaml", &tree));
    st = ren__radiomics_params_read(tree, "p.yaml", params);
out:
    json_decref(tree);
    return st;
}

static ren_status check_image_settings(const ren__radiomics_settings *s) {
    ren_status st = REN_OK;

    CHECK_INT(s->minimum_dimensions, 1);
    CHECK_INT(s->minimum_size, 50);
    CHECK(s->geometry_tolerance == 1e-4 && s->correct_mask && !s->additional_info);
    CHECK_INT(s->label, 3);
    CHECK(s->bin_width == 12.5 && s->bin_count == 32);
    CHECK(s->normalize && s->normalize_scale == 100 && s->remove_outliers == 3);
    CHECK(s->resample && s->resampled_spacing[1] == 1.5 && s->resampled_spacing[2] == 0);
    CHECK_INT(s->interpolator, REN__INTERPOLATE_LINEAR);
    CHECK(s->pad_distance == 10 && s->distances.count == 2 && s->distances.values[1] == 2);
    CHECK(s->force_2d && s->force_2d_dimension == 2);
    CHECK(s->resegment_range.count == 2 && s->resegment_range.values[0] == -3);
    CHECK(s->resegment_mode == REN__RESEGMENT_SIGMA && s->resegment_shape && s->pre_crop);
out:
    return st;
}

static ren_status test_reads_every_setting(ren_context *context) {
    ren__radiomics_params params;
    const ren__radiomics_settings *s = &params.settings;
    ren_status st = REN_OK;

    (void)context;
    ren__radiomics_defaults(REN_RADIOMICS_PYRADIOMICS, &params);
    REN_TRY(read_yaml(every_setting, &params));
    REN_TRY(check_image_settings(s));
    CHECK(s->sigma.count == 2 && s->sigma.values[1] == 3 && s->sigma_whole[0] && !s->sigma_whole[1]);
    CHECK(s->start_level == 1 && s->level == 2);
    CHECK_TEXT(s->wavelet, "bior3.7");
    CHECK_TEXT(s->lbp2d_method, "ror");
    CHECK(!s->gradient_use_spacing && s->lbp2d_radius == 2 && s->lbp2d_samples == 9);
    CHECK(s->lbp3d_levels == 3 && s->lbp3d_icosphere_radius == 1.5 && s->lbp3d_icosphere_subdivision == 2);
    CHECK(s->voxel_array_shift == -300 && !s->symmetrical_glcm && s->gldm_a == 1);
    CHECK_INT(s->weighting_norm, REN__NORM_MANHATTAN);
    CHECK(s->kernel_radius == 2 && !s->masked_kernel && isnan(s->init_value) && s->voxel_batch == 1000);
out:
    return st;
}

/* What is written of the settings gives the same settings. */
static ren_status test_settings_round_trip(ren_context *context) {
    ren__radiomics_params params, again;
    ren_status st = REN_OK;
    json_t *tree = NULL;

    (void)context;
    ren__radiomics_defaults(REN_RADIOMICS_PYRADIOMICS, &params);
    ren__radiomics_defaults(REN_RADIOMICS_PYRADIOMICS, &again);
    REN_TRY(read_yaml(every_setting, &params));
    tree = json_pack("{s:o, s:o}", "setting", ren__radiomics_settings_json(&params.settings, 0), "voxelSetting",
                     ren__radiomics_settings_json(&params.settings, 1));
    CHECK(tree != NULL);
    REN_TRY(ren__radiomics_params_read(tree, "again", &again));
    CHECK(isnan(again.settings.init_value));
    params.settings.init_value = again.settings.init_value = 0; /* NaN is not equal to itself, bits may differ */
    CHECK(memcmp(&params.settings, &again.settings, sizeof params.settings) == 0);
out:
    json_decref(tree);
    return st;
}

static ren_status test_null_is_none(ren_context *context) {
    ren__radiomics_params params;
    ren_status st = REN_OK;

    (void)context;
    ren__radiomics_defaults(REN_RADIOMICS_PYRADIOMICS, &params);
    REN_TRY(read_yaml("setting:\n  resampledPixelSpacing:\n  weightingNorm:\n  binCount:\n  resegmentRange:\n"
                      "  minimumROISize:\n  removeOutliers:\n  normalize:\n",
                      &params));
    CHECK(!params.settings.resample && params.settings.weighting_norm == REN__NORM_NONE);
    CHECK(params.settings.bin_count == 0 && params.settings.resegment_range.count == 0 && !params.settings.normalize);
    REN_TRY(read_yaml("setting: {interpolator: null, resampledPixelSpacing: [1, 1, 1]}", &params));
    CHECK(!params.settings.resample);
    REN_TRY(read_yaml("setting: {resampledPixelSpacing: [1, 1, 1], interpolator: 2}", &params));
    CHECK(params.settings.resample && params.settings.interpolator == REN__INTERPOLATE_LINEAR);
out:
    return st;
}

/* Every refusal names the file, and the key or what is nearest to it. */
static ren_status test_refuses_what_it_does_not_know(ren_context *context) {
    static const struct {
        const char *text, *message;
    } wrong[] = {
        { "setings: {}", "did you mean \"setting\"?" },
        { "setting: {binwidth: 25}", "did you mean \"binWidth\"?" },
        { "setting: {kernelRadius: 1}", "kernelRadius" },
        { "voxelSetting: {kernelradius: 1}", "did you mean \"kernelRadius\"?" },
        { "setting:", "setting" },
        { "setting: [1]", "setting" },
        { "setting: {binWidth: 0}", "\"binWidth\" must be a number above 0" },
        { "setting: {binWidth: -1}", "above 0" },
        { "setting: {binWidth: many}", "binWidth" },
        { "setting: {binWidth: true}", "binWidth" },
        { "setting: {binWidth: null}", "binWidth" },
        { "setting: {label: 0}", "from 1" },
        { "setting: {label: 1.0}", "whole number" },
        { "setting: {minimumROIDimensions: 4}", "from 1 to 3" },
        { "setting: {force2Ddimension: 3}", "from 0 to 2" },
        { "setting: {force2D: 1}", "true or false" },
        { "setting: {resampledPixelSpacing: [1]}", "three numbers" },
        { "setting: {resampledPixelSpacing: [1, -1, 1]}", "resampledPixelSpacing" },
        { "setting: {interpolator: sitkCubic}", "sitkBSpline" },
        { "setting: {interpolator: 11}", "interpolator" },
        { "setting: {distances: []}", "at least one" },
        { "setting: {distances: [0]}", "distances" },
        { "setting: {distances: [1.5]}", "whole numbers" },
        { "setting: {resegmentRange: [1, 2, 3]}", "one or two" },
        { "setting: {resegmentMode: none}", "absolute, relative, sigma" },
        { "setting: {wavelet: morl}", "discrete wavelet" },
        { "setting: {wavelet: db39}", "discrete wavelet" },
        { "setting: {weightingNorm: euclid}", "euclidean" },
        { "setting: {lbp2DMethod: circle}", "uniform" },
        { "setting: {binWidth: 1, binWidth: 2}", "twice" },
        { "imageType: {Orginal: {}}", "did you mean \"Original\"?" },
        { "imageType: {Original: }", "{}" },
        { "imageType: {Original: {binwidth: 5}}", "did you mean \"binWidth\"?" },
        { "imageType: {Original: {label: 2}}", "label" },
        { "featureClass: {Shape: }", "did you mean \"shape\"?" },
        { "featureClass: {shape: [Elongatoin]}", "did you mean \"Elongation\"?" },
        { "featureClass: {shape: Elongation}", "list" },
        { "featureClass: {shape: [1]}", "list of names" },
        { "featureClass: []", "featureClass" },
        { "ibsi: {}", "mode ibsi" },
        { "[]", "p.yaml" },
    };
    ren__radiomics_params params, before;
    ren_status st = REN_OK;

    (void)context;
    memset(&params, 0, sizeof params);
    ren__radiomics_defaults(REN_RADIOMICS_PYRADIOMICS, &params);
    memcpy(&before, &params, sizeof params);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        st = read_yaml(wrong[i].text, &params);
        if (st == REN_E_MEMORY) goto out;
        if (st == REN_OK || !strstr(ren_error_message(), wrong[i].message) || !strstr(ren_error_message(), "p.yaml")) {
            st = test_fail(__FILE__, __LINE__, "%s: \"%s\" does not say %s", wrong[i].text, ren_error_message(),
                           wrong[i].message);
            goto out;
        }
        st = REN_OK;
        CHECK(memcmp(&before, &params, sizeof params) == 0); /* as before */
    }
out:
    return st;
}

static int32_t class_index(const char *name) {
    int32_t i = 0;

    while (strcmp(ren__radiomics_classes(REN_RADIOMICS_PYRADIOMICS)[i]->name, name) != 0)
        i++;
    return i;
}

/* The file's order of classes and features is that of the columns; null and [] are all of them. */
static ren_status test_classes_in_the_files_order(ren_context *context) {
    ren__radiomics_params params;
    ren_status st = REN_OK;

    (void)context;
    ren__radiomics_defaults(REN_RADIOMICS_PYRADIOMICS, &params);
    REN_TRY(read_yaml("featureClass:\n  firstorder: [Variance, Mean, StandardDeviation, Mean]\n  shape:\n", &params));
    CHECK_INT(params.class_count, 2);
    CHECK_INT(params.classes[0].index, class_index("firstorder"));
    CHECK_INT(params.classes[0].feature_count, 3);
    const ren__feature *features = ren__class_firstorder.features;
    CHECK_TEXT(features[params.classes[0].features[0]].name, "Variance");
    CHECK_TEXT(features[params.classes[0].features[1]].name, "Mean");
    CHECK_TEXT(features[params.classes[0].features[2]].name, "StandardDeviation");
    CHECK_INT(params.classes[1].feature_count, 14); /* without the deprecated three */
    REN_TRY(read_yaml("featureClass: {shape: [Compactness1]}", &params));
    CHECK_INT(params.classes[0].feature_count, 1);
    REN_TRY(read_yaml("featureClass: {glcm: [Dissimilarity, Contrast], shape: }", &params));
    CHECK_INT(params.classes[0].feature_count, 2); /* PyRadiomics knows the first and does not compute it */
out:
    return st;
}

/* No file: all but shape2D. A file without the section: shape2D too. */
static ren_status test_defaults(ren_context *context) {
    ren__radiomics_params params;
    int32_t features = 0;
    ren_status st = REN_OK;

    (void)context;
    ren__radiomics_defaults(REN_RADIOMICS_PYRADIOMICS, &params);
    for (int32_t i = 0; i < params.class_count; i++)
        features += params.classes[i].feature_count;
    CHECK_INT(params.class_count, 7);
    CHECK_INT(features, 107);
    CHECK(params.settings.bin_width == 25 && params.settings.lbp2d_samples == 8);
    REN_TRY(read_yaml("{}", &params));
    CHECK_INT(params.class_count, 8);
    REN_TRY(read_yaml("featureClass: {}\nimageType: {}\n", &params));
    CHECK_INT(params.class_count, 8);
    CHECK_INT(params.image_type_count, 1);
    CHECK_TEXT(params.image_types[0].type->name, "Original");
out:
    return st;
}

/* A type's own settings count for it alone. A file begins anew: what an earlier one said is gone. */
static ren_status test_settings_of_image_types(ren_context *context) {
    ren__radiomics_params params;
    ren_status st = REN_OK;

    (void)context;
    ren__radiomics_defaults(REN_RADIOMICS_PYRADIOMICS, &params);
    REN_TRY(read_yaml("imageType:\n  Wavelet: {binWidth: 10, wavelet: haar}\n  Original: {}\nsetting: {binWidth: 5, "
                      "force2D: true}\n",
                      &params));
    CHECK_INT(params.image_type_count, 2);
    CHECK_TEXT(params.image_types[0].type->name, "Wavelet");
    CHECK(params.image_types[0].settings.bin_width == 10 && params.image_types[0].settings.force_2d);
    CHECK_TEXT(params.image_types[0].settings.wavelet, "haar");
    CHECK(params.image_types[1].settings.bin_width == 5 && params.settings.bin_width == 5);
    CHECK_TEXT(params.settings.wavelet, "coif1");
    REN_TRY(read_yaml("imageType: {Original: {}}", &params));
    CHECK(params.settings.bin_width == 25 && params.image_type_count == 1 && !params.settings.force_2d);
out:
    return st;
}

static ren_status test_ibsi_section(ren_context *context) {
    ren__radiomics_params params;
    ren_status st = REN_OK;

    (void)context;
    ren__radiomics_defaults(REN_RADIOMICS_IBSI, &params);
    REN_TRY(read_yaml("ibsi: {aggregation: 2D_comb, rounding: true}", &params));
    CHECK_INT(params.settings.ibsi.aggregation, REN__AGGREGATE_2D_MERGED);
    CHECK(params.image_types[0].settings.ibsi.round);
    CHECK_FAILS(read_yaml("ibsi: {agregation: 2D_comb}", &params), REN_E_FORMAT, "did you mean \"aggregation\"?");
out:
    return st;
}

TEST_MAIN(CASE(test_reads_every_setting), CASE(test_settings_round_trip), CASE(test_null_is_none),
          CASE(test_refuses_what_it_does_not_know), CASE(test_classes_in_the_files_order), CASE(test_defaults),
          CASE(test_settings_of_image_types), CASE(test_ibsi_section))
