/* SPDX-License-Identifier: Apache-2.0 */
/* IBSI's statistics, histograms and local peaks, against definitions written down plainly. */
#include <math.h>
#include <stdlib.h>

#include "radiomics/ibsi.h"
#include "radiomics/ibsi_distribution.h"
#include "volume/volume.h"

#include "radiomics_region.h"

static test_region region;

/* Whole numbers from `low` to `high`, in every voxel. */
static void fill_values(ren__rng *rng, double low, double high) {
    const int64_t voxels = region.region.shape[0] * region.region.shape[1] * region.region.shape[2];

    for (int64_t i = 0; i < voxels; i++)
        region.values[i] = low + (double)ren__rng_below(rng, (uint32_t)(high - low) + 1);
}

/* The values inside, sorted. */
static int rising(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static int64_t gather(double *sorted) {
    const int64_t voxels = region.region.shape[0] * region.region.shape[1] * region.region.shape[2];
    int64_t n = 0;

    for (int64_t i = 0; i < voxels; i++)
        if (region.inside[i]) sorted[n++] = region.values[i];
    qsort(sorted, (size_t)n, sizeof *sorted, rising);
    return n;
}

static ren_status test_distributions(ren_context *context) {
    static double sorted[TEST_VOXELS];
    ren_status st = REN_OK;
    ren__distribution d = { 0 };
    ren__rng rng;

    ren__rng_init(&rng, 3, 0, 0);
    for (int round = 0; round < 20; round++) {
        int64_t at = 0;
        test_region_random(&region, context, &rng);
        fill_values(&rng, -3, round % 4 == 0 ? -3 : 40);
        if (round % 3 == 0) region.values[0] = -0.0;
        const int64_t n = gather(sorted);
        REN_TRY(ren__distribution_of_values(&region.region, &d));
        CHECK_INT(d.total, n);
        for (int64_t k = 0; k < d.size; k++) {
            CHECK(k == 0 || d.value[k] > d.value[k - 1]);
            for (int64_t c = 0; c < d.count[k]; c++, at++)
                CHECK(at < n && sorted[at] == d.value[k]);
        }
        CHECK_INT(at, n);
        ren__distribution_free(&d);
    }
out:
    ren__distribution_free(&d);
    return st;
}

/* 1, 2, 2, 3, 10: everything by hand. */
static ren_status test_statistics_by_hand(ren_context *context) {
    static const double values[] = { 10, 2, 3, 1, 2 };
    ren_status st = REN_OK;
    ren__distribution d = { 0 };
    double s[REN__STATISTIC_COUNT];

    test_region_init(&region, context, 5, 1, 1);
    test_region_fill(&region);
    memcpy(region.values, values, sizeof values);
    REN_TRY(ren__distribution_of_values(&region.region, &d));
    ren__distribution_statistics(&d, s);
    CHECK_NEAR(s[REN__STATISTIC_MEAN], 3.6, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_VARIANCE], 10.64, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_SKEWNESS], 47.232 / pow(10.64, 1.5), 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_KURTOSIS], 347.3312 / (10.64 * 10.64) - 3, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_MEDIAN], 2, 0);
    CHECK_NEAR(s[REN__STATISTIC_P10], 1.4, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_P90], 7.2, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_INTERQUARTILE_RANGE], 1, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_RANGE], 9, 0);
    CHECK_NEAR(s[REN__STATISTIC_MEAN_ABSOLUTE_DEVIATION], 2.56, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_ROBUST_MEAN_ABSOLUTE_DEVIATION], 4.0 / 9, 1e-12); /* 2, 2, 3 */
    CHECK_NEAR(s[REN__STATISTIC_MEDIAN_ABSOLUTE_DEVIATION], 2, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_COEFFICIENT_OF_VARIATION], sqrt(10.64) / 3.6, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_QUARTILE_COEFFICIENT], 0.2, 1e-12);
    CHECK_NEAR(s[REN__STATISTIC_ENERGY], 118, 0);
    CHECK_NEAR(s[REN__STATISTIC_ROOT_MEAN_SQUARE], sqrt(23.6), 1e-12);
out:
    ren__distribution_free(&d);
    return st;
}

static ren_status test_what_is_undefined(ren_context *context) {
    ren_status st = REN_OK;
    double value;

    test_region_init(&region, context, 2, 1, 1);
    test_region_fill(&region);
    REN_TRY(test_feature(&ren__class_ibsi_stat, &region, NULL, "cov", &value)); /* mean 0 */
    CHECK(isnan(value));
    REN_TRY(test_feature(&ren__class_ibsi_stat, &region, NULL, "qcod", &value));
    CHECK(isnan(value));
    REN_TRY(test_feature(&ren__class_ibsi_stat, &region, NULL, "kurt", &value));
    CHECK_NEAR(value, 0, 0);
    REN_TRY(test_feature(&ren__class_ibsi_ivh, &region, NULL, "v10", &value));
    CHECK(isnan(value));
    REN_TRY(test_feature(&ren__class_ibsi_ivh, &region, NULL, "auc", &value));
    CHECK(isnan(value));
out:
    return st;
}

/* Levels 2 and 5 of 5 occur twice, 3 once. */
static ren_status test_histogram_by_hand(ren_context *context) {
    static const uint16_t levels[] = { 1, 3, 2, 1, 3 };
    static const double grey[] = { 2, 3, 5 };
    ren_status st = REN_OK;
    double value;

    test_region_init(&region, context, 5, 1, 1);
    test_region_fill(&region);
    memcpy(region.levels, levels, sizeof levels);
    region.region.levels = region.levels;
    region.region.grey = grey;
    region.region.level_count = 3;
    static const struct {
        const char *name;
        double value;
    } wanted[] = {
        { "mean", 3.4 },        { "mode", 2 },       { "entropy", 1.5219280948873621 },
        { "uniformity", 0.36 }, /* counts 0 2 1 0 2; gradients 2, 0.5, -1, 0.5, 2 */
        { "max_grad", 2 },      { "max_grad_g", 1 }, { "min_grad", -1 },
        { "min_grad_g", 3 },    { "median", 3 },     { "range", 3 },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        REN_TRY(test_feature(&ren__class_ibsi_ih, &region, NULL, wanted[i].name, &value));
        CHECK_NEAR(value, wanted[i].value, 1e-12);
    }
out:
    return st;
}

/* ---------------------------------------------------------------------------------------------------- ivh, plainly */

typedef struct plain {
    double point[4096], nu[4096];
    int64_t count;
} plain;

/* All points of the histogram and the share of values that reach them. */
static void draw(const double *sorted, int64_t n, double low, double high, plain *out) {
    out->count = 0;
    for (double g = low; g <= high; g += 1) {
        int64_t reach = 0;
        for (int64_t i = 0; i < n; i++)
            reach += sorted[i] >= g;
        out->point[out->count] = g;
        out->nu[out->count++] = (double)reach / (double)n;
    }
}

static double plain_volume(const plain *p, double fraction) {
    const double low = p->point[0], high = p->point[p->count - 1];

    for (int64_t i = 0; i < p->count; i++)
        if ((p->point[i] - low) / (high - low) >= fraction) return p->nu[i];
    return NAN;
}

static double plain_intensity(const plain *p, double fraction) {
    for (int64_t i = 0; i < p->count; i++)
        if (p->nu[i] <= fraction) return p->point[i];
    return p->point[p->count - 1] + 1;
}

static double plain_area(const plain *p) {
    double area = 0;

    for (int64_t i = 1; i < p->count; i++)
        area += 0.5 * (p->nu[i] + p->nu[i - 1]);
    return area / (double)(p->count - 1);
}

static ren_status check_ivh(const plain *p, const ren__radiomics_settings *settings, double base, double step) {
    ren_status st = REN_OK;
    double value;

    REN_TRY(test_feature(&ren__class_ibsi_ivh, &region, settings, "v10", &value));
    CHECK_NEAR(value, plain_volume(p, 0.1), 1e-12);
    REN_TRY(test_feature(&ren__class_ibsi_ivh, &region, settings, "v90", &value));
    CHECK_NEAR(value, plain_volume(p, 0.9), 1e-12);
    REN_TRY(test_feature(&ren__class_ibsi_ivh, &region, settings, "i10", &value));
    CHECK_NEAR(value, base + step * plain_intensity(p, 0.1), 1e-9);
    REN_TRY(test_feature(&ren__class_ibsi_ivh, &region, settings, "i90", &value));
    CHECK_NEAR(value, base + step * plain_intensity(p, 0.9), 1e-9);
    REN_TRY(test_feature(&ren__class_ibsi_ivh, &region, settings, "auc", &value));
    CHECK_NEAR(value, plain_area(p), 1e-12);
out:
    return st;
}

static ren_status test_volume_histograms(ren_context *context) {
    static double sorted[TEST_VOXELS];
    static plain p;
    ren_status st = REN_OK;
    ren__rng rng;

    ren__rng_init(&rng, 5, 0, 0);
    for (int round = 0; round < 15; round++) {
        ren__radiomics_settings settings = { .mode = REN_RADIOMICS_IBSI };
        test_region_init(&region, context, 4, 3, 5);
        test_region_fill(&region);
        fill_values(&rng, -20, 3.0 * round);
        region.values[0] = -20;
        region.values[1] = 3.0 * round;
        int64_t n = gather(sorted);
        draw(sorted, n, -20, 3.0 * round, &p);
        REN_TRY(check_ivh(&p, &settings, 0, 1));
        settings.resegment_range = (ren__doubles){ 2, { -25, 60 } };
        draw(sorted, n, -25, 60, &p);
        REN_TRY(check_ivh(&p, &settings, 0, 1));
        /* bins of 2.5 from -25: steps of the bins' numbers, from 0 */
        settings.ibsi.ivh_mode = REN__IVH_BIN_WIDTH;
        settings.ibsi.ivh_bin_width = 2.5;
        for (int64_t i = 0; i < n; i++)
            sorted[i] = floor((sorted[i] + 25) / 2.5);
        draw(sorted, n, 0, 34, &p);
        REN_TRY(check_ivh(&p, &settings, -25 + 1.25, 2.5));
        settings.ibsi.ivh_mode = REN__IVH_BIN_COUNT;
        settings.ibsi.ivh_bin_count = 8;
        n = gather(sorted);
        for (int64_t i = 0; i < n; i++)
            sorted[i] = fmin(8, floor(8 * (sorted[i] + 20) / (20 + 3.0 * round)) + 1);
        draw(sorted, n, 1, 8, &p);
        REN_TRY(check_ivh(&p, &settings, 0, 1));
    }
out:
    return st;
}

/* -------------------------------------------------------------------------------------------------------- local */

/* Mean of all voxels of the image within 6.2 mm. */
static double plain_mean(const float *voxels, const int64_t shape[3], const double spacing[3], const int64_t at[3]) {
    const double radius = 10 * pow(3 / (4 * 3.14159265358979323846), 1.0 / 3);
    double sum = 0;
    int64_t count = 0;

    for (int64_t z = 0; z < shape[2]; z++)
        for (int64_t y = 0; y < shape[1]; y++)
            for (int64_t x = 0; x < shape[0]; x++) {
                const double dx = (double)(x - at[0]) * spacing[0], dy = (double)(y - at[1]) * spacing[1];
                const double dz = (double)(z - at[2]) * spacing[2];
                if (sqrt(dx * dx + dy * dy + dz * dz) > radius) continue;
                sum += (double)voxels[(z * shape[1] + y) * shape[0] + x];
                count++;
            }
    return sum / (double)count;
}

static ren_status test_local_peaks(ren_context *context) {
    static const int64_t shape[3] = { 14, 11, 9 };
    static const double affine[16] = { 1.3, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2.9, 0, 0, 0, 0, 1 };
    static const double spacing[3] = { 1.3, 2, 2.9 };
    ren_status st = REN_OK;
    ren_volume *image = NULL;
    ren__region r = { 0 };
    uint8_t inside[5 * 4 * 3];
    ren__roi roi = { { 2, 5, 6 }, { 5, 4, 3 }, inside, 0 };
    ren__radiomics_settings settings = { .mode = REN_RADIOMICS_IBSI };
    const uint8_t wanted[2] = { 1, 1 };
    double values[2], local = -INFINITY, global = -INFINITY, highest = -INFINITY;
    ren__rng rng;
    void *data;

    ren__rng_init(&rng, 9, 0, 0);
    REN_TRY(ren__volume_allocate(context, REN_TYPE_F32, shape, affine, &data, &image));
    float *voxels = data;
    for (int64_t i = 0; i < shape[0] * shape[1] * shape[2]; i++)
        voxels[i] = (float)ren__rng_below(&rng, 7);
    for (int64_t i = 0; i < 60; i++)
        roi.count += inside[i] = ren__rng_below(&rng, 3) > 0;
    for (int64_t i = 0; i < 60; i++) {
        const int64_t at[3] = { 2 + i % 5, 5 + i / 5 % 4, 6 + i / 20 };
        const double grey = (double)voxels[(at[2] * shape[1] + at[1]) * shape[0] + at[0]];
        const double mean = plain_mean(voxels, shape, spacing, at);
        if (!inside[i]) continue;
        global = fmax(global, mean);
        local = grey > highest ? mean : grey == highest ? fmax(local, mean) : local;
        highest = fmax(highest, grey);
    }
    REN_TRY(ren__region_create(image, &roi, &settings, REN__REGION_VALUES, NULL, &r));
    REN_TRY(ren__class_ibsi_loc.compute(&r, &settings, wanted, NULL, values));
    CHECK_NEAR(values[0], local, 1e-12);
    CHECK_NEAR(values[1], global, 1e-12);
out:
    ren__region_free(&r);
    ren_volume_free(image);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_distributions), CASE(test_statistics_by_hand), CASE(test_what_is_undefined),
          CASE(test_histogram_by_hand), CASE_SAMPLED(test_volume_histograms), CASE(test_local_peaks))
