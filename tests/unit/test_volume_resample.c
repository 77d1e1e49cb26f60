/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling and resizing against scipy and PyTorch (tests/conformance/preprocess.py), boxes against wholes. */
#include "conformance/preprocess.h"
#include "harness.h"
#include "volume/resample.h"

/* preprocess.py's wave(). */
static ren_status make_wave(ren_context *context, int64_t nx, int64_t ny, int64_t nz, const double spacing[3],
                            ren_volume **out) {
    const int64_t shape[3] = { nx, ny, nz };
    const double affine[16] = { spacing[0], 0, 0, -3, 0, spacing[1], 0, 5, 0, 0, spacing[2], 7, 0, 0, 0, 1 };
    void *data = NULL;
    const ren_status st = ren__volume_allocate(context, REN_TYPE_F32, shape, affine, &data, out);
    if (st != REN_OK) return st;
    float *value = data;
    for (int64_t k = 0; k < nz; k++)
        for (int64_t j = 0; j < ny; j++)
            for (int64_t i = 0; i < nx; i++)
                *value++ = (float)((i * 37 + j * 101 + k * 53 + i * j * 7 + j * k * 3) % 97 - 40);
    return st;
}

static double worst_difference(const float *a, const float *b, size_t count) {
    double worst = 0.0;
    for (size_t i = 0; i < count; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

static ren_status check_resampled(ren_context *context, const int64_t shape[3], const double old[3], double spacing,
                                  int32_t interpolation, const float *expected, size_t count) {
    ren_status st = REN_OK;
    ren_volume *wave = NULL, *result = NULL;
    const double wanted[3] = { spacing, spacing, spacing };
    double affine[16];
    float *values = NULL;
    REN_TRY(make_wave(context, shape[0], shape[1], shape[2], old, &wave));
    REN_TRY(ren_volume_resample(wave, wanted, interpolation, NULL, &result));
    REN_ALLOC(values, count * sizeof *values);
    REN_TRY(ren_volume_copy(result, values, count));
    CHECK_NEAR(worst_difference(values, expected, count), 0.0, 1e-4);
    ren_volume_affine(result, affine);
    CHECK_NEAR(affine[0], spacing, 1e-12);
    CHECK_NEAR(affine[10], spacing, 1e-12);
    CHECK_NEAR(affine[11], 7.0, 0.0);
out:
    ren__free(values);
    ren_volume_free(wave);
    ren_volume_free(result);
    return st;
}

static ren_status test_cubic_is_scipys(ren_context *context) {
    const int64_t shape[3] = { 9, 7, 6 };
    const double old[3] = { 1.25, 0.75, 3.0 };
    return check_resampled(context, shape, old, 2.0, REN_CUBIC, expected_cubic, 162);
}

static ren_status test_linear_is_scipys(ren_context *context) {
    const int64_t shape[3] = { 9, 7, 6 };
    const double old[3] = { 1.25, 0.75, 3.0 };
    return check_resampled(context, shape, old, 2.0, REN_LINEAR, expected_linear, 162);
}

static ren_status test_cubic_of_few_voxels(ren_context *context) {
    const int64_t shape[3] = { 3, 2, 1 };
    const double old[3] = { 2.0, 2.0, 2.0 };
    return check_resampled(context, shape, old, 0.75, REN_CUBIC, expected_cubic_small,
                           sizeof expected_cubic_small / sizeof *expected_cubic_small);
}

static ren_status test_coefficients_are_scipys(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *wave = NULL;
    const int64_t shape[3] = { 9, 7, 6 };
    const double spacing[3] = { 1, 1, 1 };
    float values[378];
    REN_TRY(make_wave(context, 9, 7, 6, spacing, &wave));
    REN_TRY(ren_volume_copy(wave, values, 378));
    REN_TRY(ren__spline_filter(context, NULL, values, shape));
    CHECK_NEAR(worst_difference(values, expected_coefficients, 378), 0.0, 5e-4);
out:
    ren_volume_free(wave);
    return st;
}

/* At its own spacing a spline gives back the samples, also where the line is longer than the filter's start. */
static ren_status test_cubic_interpolates(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *wave = NULL, *result = NULL;
    const double spacing[3] = { 0.5, 1.5, 2.5 };
    const size_t count = 70 * 41 * 2;
    float *before = NULL, *after = NULL;
    REN_TRY(make_wave(context, 70, 41, 2, spacing, &wave));
    REN_TRY(ren_volume_resample(wave, spacing, REN_CUBIC, NULL, &result));
    REN_ALLOC(before, count * sizeof *before);
    REN_ALLOC(after, count * sizeof *after);
    REN_TRY(ren_volume_copy(wave, before, count));
    REN_TRY(ren_volume_copy(result, after, count));
    CHECK_NEAR(worst_difference(before, after, count), 0.0, 1e-4);
out:
    ren__free(before);
    ren__free(after);
    ren_volume_free(wave);
    ren_volume_free(result);
    return st;
}

static ren_status test_nearest_keeps_type_and_labels(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *labels = NULL, *result = NULL;
    const int64_t shape[3] = { 4, 1, 1 };
    const double affine[16] = { 3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 }, spacing[3] = { 2, 1, 1 };
    const uint8_t expected[6] = { 7, 9, 9, 4, 1, 1 }; /* at 0, 2/3, 4/3, 2, 8/3, 10/3 */
    void *data = NULL;
    REN_TRY(ren__volume_allocate(context, REN_TYPE_U8, shape, affine, &data, &labels));
    memcpy(data, (const uint8_t[]){ 7, 9, 4, 1 }, 4);
    REN_TRY(ren_volume_resample(labels, spacing, REN_NEAREST, NULL, &result));
    CHECK_INT(ren_volume_type(result), REN_TYPE_U8);
    CHECK_INT(result->shape[0], 6);
    for (int i = 0; i < 6; i++)
        CHECK_INT(result->data[i], expected[i]);
out:
    ren_volume_free(labels);
    ren_volume_free(result);
    return st;
}

/* A box in the middle costs its own size, and differs from the whole by less than the halo's promise. */
static ren_status test_box_is_part_of_whole(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *wave = NULL;
    const double old[3] = { 1.0, 1.0, 2.0 }, fine[3] = { 0.7, 0.8, 0.9 };
    ren__grid grid;
    ren__resampler resampler;
    float *whole = NULL, *box = NULL;
    double worst = 0.0;
    memset(&resampler, 0, sizeof resampler);
    REN_TRY(make_wave(context, 90, 80, 70, old, &wave));
    REN_TRY(ren__grid_create(wave, fine, &grid));
    REN_TRY(ren__resampler_create(wave, &grid, REN_CUBIC, &resampler));
    const ren__part all[3] = { { 0, grid.shape[0] }, { 0, grid.shape[1] }, { 0, grid.shape[2] } };
    const ren__part part[3] = { { 60, 5 }, { 50, 7 }, { 75, 4 } };
    REN_ALLOC(whole, (size_t)(grid.shape[0] * grid.shape[1] * grid.shape[2]) * sizeof *whole);
    REN_ALLOC(box, 5 * 7 * 4 * sizeof *box);
    REN_TRY(ren__resample_box(&resampler, all, NULL, whole));
    REN_TRY(ren__resample_box(&resampler, part, NULL, box));
    for (int64_t k = 0; k < 4; k++)
        for (int64_t j = 0; j < 7; j++) {
            const float *row = whole + ((k + 75) * grid.shape[1] + j + 50) * grid.shape[0] + 60;
            worst = fmax(worst, worst_difference(row, box + (k * 7 + j) * 5, 5));
        }
    CHECK_NEAR(worst, 0.0, 2e-4);
out:
    ren__free(whole);
    ren__free(box);
    ren__resampler_free(&resampler);
    ren_volume_free(wave);
    return st;
}

static ren_status check_resized(ren_context *context, int32_t kind, const float expected[72]) {
    ren_status st = REN_OK;
    ren_volume *wave = NULL;
    const int64_t shape[3] = { 5, 7, 3 }, out_shape[3] = { 3, 4, 6 };
    const double spacing[3] = { 1, 1, 1 };
    float values[105], out[72];
    REN_TRY(make_wave(context, 5, 7, 3, spacing, &wave));
    REN_TRY(ren_volume_copy(wave, values, 105));
    REN_TRY(ren__resize(context, NULL, kind, values, shape, out, out_shape));
    CHECK_NEAR(worst_difference(out, expected, 72), 0.0, 1e-5);
out:
    ren_volume_free(wave);
    return st;
}

static ren_status test_area_is_pytorchs(ren_context *context) {
    return check_resized(context, REN__RESIZE_AREA, expected_area);
}

static ren_status test_trilinear_is_pytorchs(ren_context *context) {
    return check_resized(context, REN__RESIZE_TRILINEAR, expected_trilinear);
}

static ren_status resample_with(int32_t threads, float *values, size_t count) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *context = NULL;
    ren_volume *wave = NULL, *result = NULL;
    const double old[3] = { 1.0, 0.9, 2.0 }, fine[3] = { 0.7, 0.8, 0.9 };
    test_allocator(&options);
    options.threads = threads;
    REN_TRY(ren_context_create(&options, &context));
    REN_TRY(make_wave(context, 61, 57, 33, old, &wave));
    REN_TRY(ren_volume_resample(wave, fine, REN_CUBIC, NULL, &result));
    REN_TRY(ren_volume_copy(result, values, count));
out:
    ren_volume_free(wave);
    ren_volume_free(result);
    ren_context_free(context);
    return st;
}

static ren_status test_threads_do_not_change_bits(ren_context *context) {
    ren_status st = REN_OK;
    const size_t count = (size_t)88 * 65 * 74;
    float *one = NULL, *three = NULL;
    REN_ALLOC(one, count * sizeof *one);
    REN_ALLOC(three, count * sizeof *three);
    REN_TRY(resample_with(1, one, count));
    REN_TRY(resample_with(3, three, count));
    CHECK(!memcmp(one, three, count * sizeof *one));
out:
    ren__free(one);
    ren__free(three);
    return st;
}

static ren_status test_resample_refuses(ren_context *context) {
    ren_status st = REN_OK;
    ren_volume *wave = NULL, *result = NULL;
    const double old[3] = { 1, 1, 1 }, flat[3] = { 1, 0, 1 }, fine[3] = { 1, 1, 1e-12 };
    REN_TRY(make_wave(context, 5, 4, 3, old, &wave));
    CHECK_FAILS(ren_volume_resample(wave, flat, REN_LINEAR, NULL, &result), REN_E_INVALID, "axis 1");
    CHECK_FAILS(ren_volume_resample(wave, fine, REN_LINEAR, NULL, &result), REN_E_INVALID, "million");
    CHECK_FAILS(ren_volume_resample(wave, old, 7, NULL, &result), REN_E_INVALID, "interpolation");
    ((float *)(uintptr_t)wave->data)[7] = NAN;
    CHECK_FAILS(ren_volume_resample(wave, old, REN_CUBIC, NULL, &result), REN_E_DATA, "NaN");
    REN_TRY(ren_volume_resample(wave, old, REN_LINEAR, NULL, &result));
out:
    ren_volume_free(wave);
    ren_volume_free(result);
    return st;
}

TEST_MAIN(CASE(test_cubic_is_scipys), CASE(test_linear_is_scipys), CASE(test_cubic_of_few_voxels),
          CASE(test_coefficients_are_scipys), CASE(test_cubic_interpolates), CASE(test_nearest_keeps_type_and_labels),
          CASE_SAMPLED(test_box_is_part_of_whole), CASE(test_area_is_pytorchs), CASE(test_trilinear_is_pytorchs),
          CASE_ONCE(test_threads_do_not_change_bits), CASE(test_resample_refuses))
