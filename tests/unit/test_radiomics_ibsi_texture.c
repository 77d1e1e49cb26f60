/* SPDX-License-Identifier: Apache-2.0 */
/* IBSI's aggregations where they must agree, whole extractions while memory runs out, and what regions may give. */
#include <math.h>

#include "radiomics/classes.h"
#include "volume/volume.h"

#include "harness.h"
#include "base/random.h"

/* An image of `levels` grey values and a mask of labels 0 and 1, at least two voxels of it 1. */
static ren_status make_case(ren_context *context, ren__rng *rng, const int64_t shape[3], uint32_t levels,
                            ren_volume **image, ren_volume **mask) {
    static const double affine[16] = { 1.5, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2.5, 0, 0, 0, 0, 1 };
    const uint32_t share = 1 + ren__rng_below(rng, 8);
    ren_status st = REN_OK;
    void *grey = NULL, *labels = NULL;

    REN_TRY(ren__volume_allocate(context, REN_TYPE_I16, shape, affine, &grey, image));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, affine, &labels, mask));
    for (int64_t i = 0; i < shape[0] * shape[1] * shape[2]; i++) {
        ((int16_t *)grey)[i] = (int16_t)(ren__rng_below(rng, levels) * 10 - 20);
        ((uint8_t *)labels)[i] = i < 2 || ren__rng_below(rng, 8) < share;
    }
out:
    return st;
}

static ren_status extract(ren_context *context, const char *params, const ren_volume *image, const ren_volume *mask,
                          ren_features **out) {
    ren_status st = REN_OK;
    ren_radiomics *radiomics = NULL;

    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_IBSI, &radiomics));
    REN_TRY(ren_radiomics_parse_params(radiomics, params, strlen(params), "yaml"));
    REN_TRY(ren_radiomics_extract(radiomics, image, mask, NULL, 0, NULL, out));
    if (ren_features_row_error(*out, 0)) {
        st = test_fail(__FILE__, __LINE__, "%s: %s", params, ren_features_row_error(*out, 0));
        goto out;
    }
out:
    ren_radiomics_free(radiomics);
    return st;
}

/* Equal values, or both no number. */
static ren_status check_same(const ren_features *a, const ren_features *b, double relative) {
    ren_status st = REN_OK;

    CHECK_INT(ren_features_count(a), ren_features_count(b));
    for (int32_t i = 0; i < ren_features_count(a); i++) {
        const double x = ren_features_value(a, 0, i), y = ren_features_value(b, 0, i);
        if (isnan(x) && isnan(y)) continue;
        if (!(fabs(x - y) <= relative * (fabs(x) + 1e-6))) {
            st = test_fail(__FILE__, __LINE__, "%s is %.17g, but %s is %.17g", ren_features_name(a, i), x,
                           ren_features_name(b, i), y);
            goto out;
        }
    }
out:
    return st;
}

static const char texture[] = "setting: {binWidth: 10, minimumROIDimensions: 1}\n"
                              "featureClass: {ibsi_cm: , ibsi_rlm: , ibsi_szm: , %s ibsi_ngt: , ibsi_ngl: }\n"
                              "ibsi: {aggregation: %s}\n";

/* Of one slice, slices averaged, slices merged and the volume are the same. Distance zones apart, which in a volume end
 * above and below the slice. */
static ren_status test_one_slice(ren_context *context) {
    static const char *const same[2][3] = { { "2D_avg", "2_5D_avg", "3D_avg" }, { "2D_comb", "2_5D_comb", "3D_comb" } };
    static const int64_t shape[3] = { 7, 6, 1 };
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL;
    ren_features *features[3] = { NULL, NULL, NULL };
    char params[512];
    ren__rng rng;

    ren__rng_init(&rng, 11, 0, 0);
    REN_TRY(make_case(context, &rng, shape, 4, &image, &mask));
    for (int merged = 0; merged < 2; merged++) {
        for (int a = 0; a < 3; a++) {
            snprintf(params, sizeof params, texture, "", same[merged][a]);
            REN_TRY(extract(context, params, image, mask, &features[a]));
        }
        REN_TRY(check_same(features[0], features[1], 1e-12));
        REN_TRY(check_same(features[1], features[2], 1e-12));
        for (int a = 0; a < 3; a++) {
            ren_features_free(features[a]);
            features[a] = NULL;
        }
    }
out:
    for (int a = 0; a < 3; a++)
        ren_features_free(features[a]);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

/* Of slices that are copies of one another, the mean over slices is each one's value. */
static ren_status test_equal_slices(ren_context *context) {
    static const int64_t one[3] = { 6, 5, 1 }, three[3] = { 6, 5, 3 };
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL, *images = NULL, *masks = NULL;
    ren_features *single = NULL, *mean = NULL;
    void *grey, *labels;
    char params[512];
    ren__rng rng;

    ren__rng_init(&rng, 12, 0, 0);
    REN_TRY(make_case(context, &rng, one, 5, &image, &mask));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_I16, three, image->affine, &grey, &images));
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, three, image->affine, &labels, &masks));
    for (int z = 0; z < 3; z++) {
        memcpy((int16_t *)grey + 30 * z, image->data, 30 * sizeof(int16_t));
        memcpy((uint8_t *)labels + 30 * z, mask->data, 30);
    }
    snprintf(params, sizeof params, texture, "ibsi_dzm: ,", "2D_comb");
    REN_TRY(extract(context, params, image, mask, &single));
    REN_TRY(extract(context, params, images, masks, &mean));
    REN_TRY(check_same(single, mean, 1e-12));
out:
    ren_features_free(single);
    ren_features_free(mean);
    ren_volume_free(image);
    ren_volume_free(mask);
    ren_volume_free(images);
    ren_volume_free(masks);
    return st;
}

/* Columns that may be no number: docs/radiomics-conformance.md. */
static int may_be_nan(const char *name) {
    static const char *const starts[] = { "ibsi_morph_pca", "ibsi_morph_com", "ibsi_morph_moran", "ibsi_morph_geary",
                                          "ibsi_stat_cov",  "ibsi_stat_qcod", "ibsi_ivh_v",       "ibsi_ivh_diff_v",
                                          "ibsi_ivh_auc",   "ibsi_cm_",       "ibsi_ngt_" };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0) return 1;
    return strstr(name, "_aee") != NULL || strstr(name, "_rmad") != NULL;
}

/* All families on any region: numbers, or no numbers where that is written down; the same bits on one thread. */
static ren_status test_any_region(ren_context *context) {
    static const char *const aggregations[] = { "2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb" };
    ren_status st = REN_OK;
    ren_context *alone = NULL;
    ren_context_options options;
    ren_volume *image = NULL, *mask = NULL;
    ren_features *features = NULL, *again = NULL;
    ren__rng rng;

    REN_TRY(ren_context_options_init(&options, sizeof options));
    test_allocator(&options);
    options.threads = 1;
    REN_TRY(ren_context_create(&options, &alone));
    ren__rng_init(&rng, 13, 0, 0);
    for (int round = 0; round < 150; round++) {
        char params[256];
        int64_t shape[3] = { 2, 1, 1 };
        for (int a = 0; a < 3; a++)
            shape[a] += ren__rng_below(&rng, 2) ? ren__rng_below(&rng, 8) : 0;
        snprintf(params, sizeof params,
                 "setting: {%s, minimumROIDimensions: 1}\nibsi: {aggregation: %s, ivhBinCount: %s}\n",
                 round % 2 ? "binCount: 5" : "binWidth: 7", aggregations[round % 6], round % 3 ? "null" : "10");
        REN_TRY(make_case(context, &rng, shape, 1 + ren__rng_below(&rng, 6), &image, &mask));
        REN_TRY(extract(context, params, image, mask, &features));
        REN_TRY(extract(alone, params, image, mask, &again));
        REN_TRY(check_same(features, again, 0));
        for (int32_t i = 0; i < ren_features_count(features); i++) {
            const char *name = ren_features_name(features, i);
            const double value = ren_features_value(features, 0, i);
            if (isfinite(value) || (isnan(value) && may_be_nan(name))) continue;
            st = test_fail(__FILE__, __LINE__, "round %d: %s is %g", round, name, value);
            goto out;
        }
        ren_features_free(features);
        ren_features_free(again);
        ren_volume_free(image);
        ren_volume_free(mask);
        features = again = NULL;
        image = mask = NULL;
    }
out:
    ren_features_free(features);
    ren_features_free(again);
    ren_volume_free(image);
    ren_volume_free(mask);
    ren_context_free(alone);
    return st;
}

/* Every family, interpolated and resegmented, with memory that ends anywhere. */
static ren_status test_memory_runs_out(ren_context *context) {
    static const int64_t shape[3] = { 6, 5, 4 };
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL;
    ren_features *features = NULL;
    ren__rng rng;

    ren__rng_init(&rng, 14, 0, 0);
    REN_TRY(make_case(context, &rng, shape, 6, &image, &mask));
    REN_TRY(extract(context,
                    "setting: {binCount: 4, resampledPixelSpacing: [2, 2, 2], interpolator: sitkLinear,"
                    " resegmentRange: [-20, 100]}\nibsi: {aggregation: 2D_comb, rounding: true, outlierSigma: 3}\n",
                    image, mask, &features));
    CHECK(ren_features_find(features, "ibsi_dzm_zd_entr_2D") >= 0);
    CHECK(ren_features_find(features, "ibsi_rlm_sre_2D_comb") >= 0);
    CHECK(ren_features_find(features, "ibsi_morph_volume") == 0);
out:
    ren_features_free(features);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_one_slice), CASE_SAMPLED(test_equal_slices), CASE_ONCE(test_any_region),
          CASE(test_memory_runs_out))
