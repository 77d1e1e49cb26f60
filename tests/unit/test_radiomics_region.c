/* SPDX-License-Identifier: Apache-2.0 */
/* Discretisation: edges, gaps, many levels, and values that are no numbers. */
#include "radiomics_wave.h"

/* A region of one row of values. */
typedef struct row_region {
    ren_volume *image;
    ren__roi roi;
    ren__region region;
    ren__radiomics_settings settings;
    uint8_t inside[16];
} row_region;

static ren_status row_image(ren_context *context, int32_t type, const double *values, int64_t count, row_region *out) {
    static const double identity[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
    const int64_t shape[3] = { count, 1, 1 };
    void *voxels = NULL;
    ren_status st = ren__volume_allocate(context, type, shape, identity, &voxels, &out->image);
    if (st != REN_OK) return st;
    ren__pixels_store(type, values, count, voxels);
    memset(out->inside, 1, sizeof out->inside);
    memcpy(out->roi.shape, shape, sizeof shape);
    out->roi.inside = out->inside;
    out->roi.count = count;
    ren__radiomics_settings_default(REN_RADIOMICS_PYRADIOMICS, &out->settings);
    return REN_OK;
}

static ren_status row_create(row_region *row) {
    return ren__region_create(row->image, &row->roi, &row->settings, REN__REGION_VALUES | REN__REGION_LEVELS, NULL,
                              &row->region);
}

static void row_free(row_region *row) {
    ren__region_free(&row->region);
    ren_volume_free(row->image);
}

static ren_status check_row(ren_context *context, int32_t type, double width, int32_t bins, const double *values,
                            int64_t count, const double *wanted) {
    ren_status st = REN_OK;
    row_region row;
    memset(&row, 0, sizeof row);
    REN_TRY(row_image(context, type, values, count, &row));
    row.settings.bin_width = width;
    row.settings.bin_count = bins;
    REN_TRY(row_create(&row));
    CHECK_INT(row.region.count, count);
    CHECK(bins ? isnan(row.region.bin_width) : row.region.bin_width == width);
    for (int64_t i = 0; i < count; i++) {
        CHECK_NEAR(row.region.values[i], values[i], 0.0);
        CHECK_NEAR(row.region.grey[row.region.levels[i] - 1], wanted[i], 0.0);
    }
    for (int32_t l = 1; l < row.region.level_count; l++)
        CHECK(row.region.grey[l] > row.region.grey[l - 1]);
out:
    row_free(&row);
    return st;
}

/* Edges at multiples of the width, a value on one belongs above; negative numbers; gaps. */
static ren_status test_fixed_width(ren_context *context) {
    static const double values[] = { -26, -25, -1, 0, 24, 25, 74, 75, 1000 };
    static const double wanted[] = { 1, 2, 2, 3, 3, 4, 5, 6, 43 };
    return check_row(context, REN_TYPE_I16, 25.0, 0, values, 9, wanted);
}

static ren_status test_fixed_count(ren_context *context) {
    static const double values[] = { -8, -7.5, -4, 0, 3.75, 4, 7.999, 8 };
    static const double wanted[] = { 1, 1, 2, 3, 3, 4, 4, 4 };
    return check_row(context, REN_TYPE_F64, 25.0, 4, values, 8, wanted);
}

static ren_status test_flat(ren_context *context) {
    static const double values[] = { 50, 50, 50 }, wanted[] = { 1, 1, 1 };
    ren_status st = check_row(context, REN_TYPE_F32, 25.0, 0, values, 3, wanted);
    return st == REN_OK ? check_row(context, REN_TYPE_F32, 25.0, 8, values, 3, (const double[]){ 5, 5, 5 }) : st;
}

/* Far more bins than have a table; and bins narrower than the spacing of doubles, which are one. */
static ren_status test_many_bins(ren_context *context) {
    static const double values[] = { 0.05, 1e6, 123456.75, 0.15, 1e6 };
    static const double wanted[] = { 1, 10000001, 1234568, 2, 10000001 };
    static const double huge[] = { 1e300, 2e300 };
    ren_status st = check_row(context, REN_TYPE_F64, 0.1, 0, values, 5, wanted);
    return st == REN_OK ? check_row(context, REN_TYPE_F64, 1e-3, 0, huge, 2, (const double[]){ 1, 1 }) : st;
}

static ren_status test_not_finite(ren_context *context) {
    const double values[] = { 1, 2, NAN, INFINITY, 5 };
    ren_status st = REN_OK;
    row_region row;
    memset(&row, 0, sizeof row);
    REN_TRY(row_image(context, REN_TYPE_F32, values, 5, &row));
    CHECK_FAILS(row_create(&row), REN_E_DATA, "2 of the region's 5 voxels");
    row.inside[2] = row.inside[3] = 0;
    row.roi.count = 3;
    REN_TRY(row_create(&row));
    CHECK_INT(row.region.levels[2], 0);
    CHECK_INT(row.region.level_count, 1);
out:
    row_free(&row);
    return st;
}

/* Every value a level of its own: 65,535 are taken, one more is refused. */
static ren_status test_too_many_levels(ren_context *context) {
    static const double identity[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
    const int64_t shape[3] = { 256, 256, 1 };
    ren_status st = REN_OK;
    ren_volume *image = NULL;
    ren__region region;
    ren__radiomics_settings settings;
    ren__roi roi = { { 0, 0, 0 }, { 256, 256, 1 }, NULL, 65536 };
    void *voxels = NULL;
    memset(&region, 0, sizeof region);
    ren__radiomics_settings_default(REN_RADIOMICS_PYRADIOMICS, &settings);
    settings.bin_width = 1.0;
    REN_TRY(ren__volume_allocate(context, REN_TYPE_I32, shape, identity, &voxels, &image));
    REN_ALLOC(roi.inside, 65536);
    memset(roi.inside, 1, 65536);
    for (int32_t step = 1; step < 100; step += 98) { /* a table, then a hash */
        for (int32_t i = 0; i < 65536; i++)
            ((int32_t *)voxels)[i] = i * step;
        roi.inside[77] = 1;
        CHECK_FAILS(ren__region_create(image, &roi, &settings, REN__REGION_LEVELS, NULL, &region), REN_E_DATA,
                    "binWidth");
        roi.inside[77] = 0;
        REN_TRY(ren__region_create(image, &roi, &settings, REN__REGION_LEVELS, NULL, &region));
        CHECK_INT(region.level_count, 65535);
        CHECK_INT(region.levels[65535], 65535);
        CHECK_INT(region.levels[76], 77);
        CHECK_INT(region.levels[78], 78);
        ren__region_free(&region);
    }
out:
    ren__region_free(&region);
    ren__free(roi.inside);
    ren_volume_free(image);
    return st;
}

/* Stored integers with a slope are what ITK reads: 32-bit floats. */
static ren_status test_scaled_values_are_singles(ren_context *context) {
    const double values[] = { 0, 1, 3 };
    ren_status st = REN_OK;
    row_region row;
    memset(&row, 0, sizeof row);
    REN_TRY(row_image(context, REN_TYPE_I16, values, 3, &row));
    row.image->slope = 0.1;
    row.settings.bin_width = 0.1;
    CHECK_INT(ren__pixels_type(row.image), REN_TYPE_F32);
    REN_TRY(row_create(&row));
    for (int i = 0; i < 3; i++)
        CHECK_NEAR(row.region.values[i], (double)(float)(values[i] * 0.1), 0.0);
out:
    row_free(&row);
    return st;
}

TEST_MAIN(CASE(test_fixed_width), CASE(test_fixed_count), CASE(test_flat), CASE(test_many_bins), CASE(test_not_finite),
          CASE_SAMPLED(test_too_many_levels), CASE(test_scaled_values_are_singles))
