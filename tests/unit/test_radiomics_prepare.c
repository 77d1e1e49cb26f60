/* SPDX-License-Identifier: Apache-2.0 */
/* From volumes to regions, against PyRadiomics (region_vectors.h), and what is refused. */
#include "conformance/pyradiomics/region_vectors.h"
#include "radiomics/case.h"
#include "radiomics_wave.h"

typedef struct prepared_case {
    ren_volume *image, *mask;
    ren__case *subject;
    ren__prepared prepared;
    ren__radiomics_settings settings;
} prepared_case;

static const int32_t one[] = { 1 };

static ren_status prepare_one(ren_context *context, int32_t type, int flip, const char *settings, prepared_case *out) {
    ren_status st = REN_OK;
    const ren__label_set set = { "one", one, 1 };
    REN_TRY(wave_settings(settings, &out->settings));
    REN_TRY(wave_create(context, type, flip, 0, wave_shape, &out->image, &out->mask));
    REN_TRY(ren__case_create(out->image, out->mask, &set, 1, &out->settings, NULL, &out->subject));
    REN_TRY(ren__case_prepare(out->subject, 0, NULL, &out->prepared));
out:
    return st;
}

static void prepared_case_free(prepared_case *used) {
    ren__prepared_free(&used->prepared);
    ren__case_free(used->subject);
    ren_volume_free(used->image);
    ren_volume_free(used->mask);
    memset(used, 0, sizeof *used);
}

static ren_status check_digests(const double *values, int64_t count, const double wanted[2], double tolerance,
                                const char *what) {
    ren_status st = REN_OK;
    for (int which = 0; which < 2; which++) {
        double scale;
        const double got = wave_digest(values, count, which, &scale);
        if (!(fabs(got - wanted[which]) <= tolerance * scale)) {
            st = test_fail(__FILE__, __LINE__, "%s: digest %d is %.17g, not %.17g", what, which, got, wanted[which]);
            goto out;
        }
    }
out:
    return st;
}

static ren_status check_bytes(ren_context *context, const uint8_t *bytes, int64_t count, const double wanted[2],
                              const char *what) {
    ren_status st = REN_OK;
    double *values = NULL;
    REN_ALLOC(values, (size_t)count * sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = bytes[i];
    st = check_digests(values, count, wanted, 0.0, what);
out:
    ren__free(values);
    return st;
}

static ren_status check_image(ren_context *context, const prepare_vector *vector, const ren_volume *image) {
    static const int64_t origin[3] = { 0, 0, 0 };
    ren_status st = REN_OK;
    double *values = NULL;
    const int64_t count = image->shape[0] * image->shape[1] * image->shape[2];
    CHECK_INT(ren__pixels_type(image), vector->type);
    for (int a = 0; a < 3; a++) {
        CHECK_INT(image->shape[a], vector->shape[a]);
        CHECK_NEAR(image->affine[4 * a + 3], vector->origin[a], 1e-12);
    }
    REN_ALLOC(values, (size_t)count * sizeof *values);
    REN_TRY(ren__pixels_read(image, origin, image->shape, NULL, values));
    REN_TRY(check_digests(values, count, vector->image, 1e-13, "image"));
out:
    ren__free(values);
    return st;
}

static ren_status check_levels(ren_context *context, const prepare_vector *vector, const prepared_case *got) {
    ren_status st = REN_OK;
    ren__region region;
    double *values = NULL;
    memset(&region, 0, sizeof region);
    REN_TRY(ren__region_create(got->prepared.image, &got->prepared.roi, &got->settings,
                               REN__REGION_VALUES | REN__REGION_LEVELS, NULL, &region));
    const int64_t count = region.shape[0] * region.shape[1] * region.shape[2];
    CHECK_INT(region.level_count, vector->level_count);
    REN_ALLOC(values, (size_t)count * sizeof *values);
    for (int64_t i = 0; i < count; i++)
        values[i] = region.levels[i] ? region.grey[region.levels[i] - 1] : 0.0;
    REN_TRY(check_digests(values, count, vector->levels, 0.0, "levels"));
out:
    ren__free(values);
    ren__region_free(&region);
    return st;
}

static ren_status check_vector(ren_context *context, const prepare_vector *vector) {
    ren_status st = REN_OK;
    prepared_case got;
    memset(&got, 0, sizeof got);
    REN_TRY(prepare_one(context, vector->image_type, vector->flip, vector->settings, &got));
    const ren__roi *roi = &got.prepared.roi, *shape_roi = &got.prepared.shape_roi;
    CHECK_INT(roi->count, vector->count);
    for (int a = 0; a < 3; a++) {
        CHECK_INT(roi->begin[a], vector->begin[a]);
        CHECK_INT(shape_roi->shape[a], roi->shape[a]);
    }
    const int64_t count = roi->shape[0] * roi->shape[1] * roi->shape[2];
    REN_TRY(check_image(context, vector, got.prepared.image));
    REN_TRY(check_bytes(context, roi->inside, count, vector->inside, "inside"));
    REN_TRY(check_bytes(context, shape_roi->inside, count, vector->shape_inside, "the shape's region"));
    REN_TRY(check_levels(context, vector, &got));
out:
    prepared_case_free(&got);
    return st;
}

static ren_status test_pyradiomics_regions(ren_context *context) {
    ren_status st = REN_OK;
    for (size_t v = 0; v < sizeof prepare_vectors / sizeof *prepare_vectors && st == REN_OK; v++) {
        st = check_vector(context, &prepare_vectors[v]);
        if (st == TEST_FAILED) fprintf(stderr, "settings: %s\n", prepare_vectors[v].settings);
    }
    return st;
}

/* Several sets, one of them merged, in one case; each has its own box. */
static ren_status test_label_sets(ren_context *context) {
    static const int32_t both[] = { 2, 1, 2 }, absent[] = { 7 };
    const ren__label_set sets[3] = { { "one", one, 1 }, { "both", both, 3 }, { "absent", absent, 1 } };
    ren_status st = REN_OK;
    ren__radiomics_settings settings;
    ren_volume *image = NULL, *mask = NULL;
    ren__case *subject = NULL;
    ren__prepared first, second, third;
    int64_t count = 0;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    memset(&third, 0, sizeof third);
    REN_TRY(wave_settings("{}", &settings));
    REN_TRY(wave_create(context, REN_TYPE_I16, 0, 0, wave_shape, &image, &mask));
    REN_TRY(ren__case_create(image, mask, sets, 3, &settings, NULL, &subject));
    REN_TRY(ren__case_prepare(subject, 0, NULL, &first));
    REN_TRY(ren__case_prepare(subject, 1, NULL, &second));
    CHECK_FAILS(ren__case_prepare(subject, 2, NULL, &third), REN_E_DATA, "absent");
    for (int64_t i = 0; i < 12 * 10 * 8; i++)
        count += mask->data[i] != 0;
    CHECK_INT(second.roi.count, count);
    CHECK_INT(first.roi.shape[0], 6);
    CHECK_INT(second.roi.shape[0], 12);
    CHECK(first.image == image && !first.interpolated && !first.resegmented);
    CHECK(ren__case_image(subject) == image && ren__case_mask(subject) == mask);
out:
    ren__prepared_free(&first);
    ren__prepared_free(&second);
    ren__case_free(subject);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

/* The same voxels moved by a little, and by much; correctMask mends what lies within the image. */
static ren_status test_grids_must_match(ren_context *context) {
    const ren__label_set set = { "one", one, 1 };
    ren_status st = REN_OK;
    ren__radiomics_settings settings;
    ren_volume *image = NULL, *mask = NULL;
    ren__case *subject = NULL;
    ren__prepared prepared;
    memset(&prepared, 0, sizeof prepared);
    REN_TRY(wave_settings("{}", &settings));
    REN_TRY(wave_create(context, REN_TYPE_I16, 0, 0, wave_shape, &image, &mask));
    mask->affine[3] += 0.75 * 0.9e-6;
    REN_TRY(ren__case_create(image, mask, &set, 1, &settings, NULL, &subject));
    ren__case_free(subject);
    subject = NULL;
    mask->affine[3] += 0.75;
    CHECK_FAILS(ren__case_create(image, mask, &set, 1, &settings, NULL, &subject), REN_E_DATA, "0.751 mm");
    settings.correct_mask = 1;
    REN_TRY(ren__case_create(image, mask, &set, 1, &settings, NULL, &subject));
    CHECK_FAILS(ren__case_prepare(subject, 0, NULL, &prepared), REN_E_DATA, "outside");
    ren__case_free(subject);
    subject = NULL;
    mask->affine[3] -= 1.5; /* one voxel to the other side: the labels move by one */
    REN_TRY(ren__case_create(image, mask, &set, 1, &settings, NULL, &subject));
    REN_TRY(ren__case_prepare(subject, 0, NULL, &prepared));
    CHECK_INT(prepared.roi.begin[0], 1);
    CHECK_INT(prepared.roi.count, 214);
out:
    ren__prepared_free(&prepared);
    ren__case_free(subject);
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

static ren_status refused(ren_context *context, const char *settings, const char *message) {
    ren_status st = REN_OK;
    prepared_case got;
    memset(&got, 0, sizeof got);
    CHECK_FAILS(prepare_one(context, REN_TYPE_I16, 0, settings, &got), REN_E_DATA, message);
out:
    prepared_case_free(&got);
    return st;
}

static ren_status test_small_regions(ren_context *context) {
    ren_status st = REN_OK;
    REN_TRY(refused(context, "{\"minimumROISize\": 214}", "214"));
    REN_TRY(refused(context, "{\"resegmentRange\": [5000]}", "resegment"));
    REN_TRY(refused(context, "{\"resampledPixelSpacing\": [1e-9, 1, 1]}", "too many"));
out:
    return st;
}

/* A plane through space, resampled linearly on IBSI's grid: its values follow from where the voxels lie. */
static ren_status check_ibsi_grid(ren_context *context, int32_t rounds, int32_t in_plane) {
    static const int64_t origin[3] = { 0, 0, 0 };
    const ren__label_set set = { "one", one, 1 };
    ren_status st = REN_OK;
    ren__radiomics_settings settings;
    prepared_case got;
    double *values = NULL;
    memset(&got, 0, sizeof got);
    REN_TRY(wave_settings("{\"resampledPixelSpacing\": [1, 1, 1], \"interpolator\": \"sitkLinear\"}", &settings));
    settings.mode = REN_RADIOMICS_IBSI;
    settings.ibsi.grid_at_centre = 1;
    settings.ibsi.mask_threshold = 0.5;
    settings.ibsi.round = rounds;
    settings.ibsi.in_plane = in_plane;
    REN_TRY(wave_create(context, REN_TYPE_F64, 0, 0, wave_shape, &got.image, &got.mask));
    double *voxel = (double *)(uintptr_t)got.image->data;
    for (int64_t i = 0; i < 12 * 10 * 8; i++)
        voxel[i] = 2.0 * (double)(i % 12) + 3.0 * (double)(i / 12 % 10) - 5.0 * (double)(i / 120) + 0.3171;
    REN_TRY(ren__case_create(got.image, got.mask, &set, 1, &settings, NULL, &got.subject));
    REN_TRY(ren__case_prepare(got.subject, 0, NULL, &got.prepared));
    const ren_volume *image = got.prepared.image;
    const int64_t *shape = image->shape, count = shape[0] * shape[1] * shape[2];
    CHECK_INT(ren__pixels_type(image), REN_TYPE_F64);
    CHECK_NEAR(image->affine[10], in_plane ? 2.5 : 1.0, 1e-15);
    REN_ALLOC(values, (size_t)count * sizeof *values);
    REN_TRY(ren__pixels_read(image, origin, shape, NULL, values));
    for (int64_t i = 0; i < count; i++) {
        const double at[3] = { (double)(i % shape[0]), (double)(i / shape[0] % shape[1]),
                               (double)(i / (shape[0] * shape[1])) };
        double index[3];
        int edge = 0;
        for (int a = 0; a < 3; a++) {
            index[a] = (image->affine[5 * a] * at[a] + image->affine[4 * a + 3] - got.image->affine[4 * a + 3]) /
                       got.image->affine[5 * a];
            edge |= index[a] < 0.0 || index[a] > (double)(wave_shape[a] - 1);
        }
        if (edge) continue; /* the border voxel goes on */
        const double wanted = 2.0 * index[0] + 3.0 * index[1] - 5.0 * index[2] + 0.3171;
        CHECK_NEAR(values[i], rounds ? floor(wanted + 0.5) : wanted, 1e-12);
    }
    /* the two grids share their centre: 9 voxels of 1 mm over 12 of 0.75 mm, so the first is at 0.25 voxels */
    const double first = (image->affine[3] - got.image->affine[3]) / got.image->affine[0];
    CHECK_NEAR((first - (5.5 - 4.0 / 0.75)) * 0.75, nearbyint((first - (5.5 - 4.0 / 0.75)) * 0.75), 1e-12);
out:
    ren__free(values);
    prepared_case_free(&got);
    return st;
}

static ren_status test_ibsi_grid(ren_context *context) {
    ren_status st = REN_OK;
    REN_TRY(check_ibsi_grid(context, 0, 0));
    REN_TRY(check_ibsi_grid(context, 1, 0));
    REN_TRY(check_ibsi_grid(context, 0, 1));
out:
    return st;
}

/* A range, and then three deviations of what is left of it, as IBSI combines them. */
static ren_status test_ibsi_resegments_twice(ren_context *context) {
    ren_status st = REN_OK;
    const ren__label_set set = { "one", one, 1 };
    ren__radiomics_settings settings;
    prepared_case got;
    memset(&got, 0, sizeof got);
    REN_TRY(wave_settings("{\"resegmentRange\": [-1000, 1000]}", &settings));
    settings.mode = REN_RADIOMICS_IBSI;
    settings.ibsi.outlier_filter = 1;
    settings.ibsi.outlier_sigma = 3.0;
    REN_TRY(wave_create(context, REN_TYPE_F64, 0, 0, wave_shape, &got.image, &got.mask));
    double *voxel = (double *)(uintptr_t)got.image->data;
    int64_t inside = 0;
    for (int64_t i = 0; i < 12 * 10 * 8; i++) {
        voxel[i] = (double)(i % 3);
        if (got.mask->data[i] != 1) continue;
        if (inside == 0) voxel[i] = 1e6; /* out of the range; it would hide the other */
        if (inside == 1) voxel[i] = 90.0;
        inside++;
    }
    REN_TRY(ren__case_create(got.image, got.mask, &set, 1, &settings, NULL, &got.subject));
    REN_TRY(ren__case_prepare(got.subject, 0, NULL, &got.prepared));
    CHECK_INT(got.prepared.roi.count, inside - 2);
    CHECK(got.prepared.resegmented);
out:
    prepared_case_free(&got);
    return st;
}

/* A box that fits already is counted, too; holes are not. */
static ren_status test_shrinking_counts(ren_context *context) {
    static const uint8_t fits[8] = { 1, 0, 0, 0, 0, 0, 0, 1 }, loose[8] = { 0, 0, 0, 0, 1, 1, 0, 0 };
    ren_status st = REN_OK;
    ren__roi roi = { { 5, 6, 7 }, { 2, 2, 2 }, NULL, 0 };
    REN_ALLOC(roi.inside, 8);
    memcpy(roi.inside, fits, 8);
    REN_TRY(ren__roi_shrink(context, &roi));
    CHECK_INT(roi.count, 2);
    CHECK_INT(roi.shape[2], 2);
    memcpy(roi.inside, loose, 8);
    REN_TRY(ren__roi_shrink(context, &roi));
    CHECK_INT(roi.count, 2);
    CHECK_INT(roi.begin[2], 8);
    CHECK_INT(roi.shape[0], 2);
    CHECK_INT(roi.shape[1] * roi.shape[2], 1);
    memset(roi.inside, 0, 2);
    REN_TRY(ren__roi_shrink(context, &roi));
    CHECK(roi.count == 0 && roi.inside == NULL);
out:
    ren__roi_free(&roi);
    return st;
}

static ren_status test_mask_of_fractions(ren_context *context) {
    const ren__label_set set = { "one", one, 1 };
    ren_status st = REN_OK;
    ren__radiomics_settings settings;
    ren_volume *image = NULL, *mask = NULL;
    ren__case *subject = NULL;
    REN_TRY(wave_settings("{}", &settings));
    REN_TRY(wave_create(context, REN_TYPE_F32, 0, 0, wave_shape, &image, &mask));
    CHECK_FAILS(ren__case_create(image, image, &set, 1, &settings, NULL, &subject), REN_E_DATA, "whole numbers");
out:
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_pyradiomics_regions), CASE(test_label_sets), CASE(test_grids_must_match),
          CASE(test_small_regions), CASE(test_shrinking_counts), CASE(test_ibsi_grid), CASE(test_ibsi_resegments_twice),
          CASE(test_mask_of_fractions))
