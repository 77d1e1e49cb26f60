/* SPDX-License-Identifier: Apache-2.0 */
/* The class shape and principal axes: PyRadiomics' numbers, closed forms, and what is undefined. */
#include "radiomics/axes.h"
#include "radiomics_region.h"

static test_region t;

static ren_status check(const char *name, double wanted) {
    ren_status st = REN_OK;
    double value;

    REN_TRY(test_feature(&ren__class_shape, &t, NULL, name, &value));
    if (!(fabs(value - wanted) <= 1e-13 * fabs(wanted)) && !(isnan(value) && isnan(wanted)))
        st = test_fail(__FILE__, __LINE__, "%s is %.17g, not %.17g", name, value, wanted);
out:
    return st;
}

static ren_status test_what_pyradiomics_gives(ren_context *context) {
    static const struct {
        const char *name;
        double value;
    } wanted[] = { /* PyRadiomics 3.1.0 */
                   { "Compactness1", 0.012027157947475922 },
                   { "Compactness2", 0.051395876275484115 },
                   { "Elongation", 0.55695592976995045 },
                   { "Flatness", 0.41985082928563672 },
                   { "LeastAxisLength", 4.7477580636825865 },
                   { "MajorAxisLength", 11.308202181619484 },
                   { "Maximum2DDiameterColumn", 10.594810050208546 },
                   { "Maximum2DDiameterRow", 10.925200226998131 },
                   { "Maximum2DDiameterSlice", 6.5192024052026492 },
                   { "Maximum3DDiameter", 11.47214016650773 },
                   { "MeshVolume", 102.74687499999995 },
                   { "MinorAxisLength", 6.2981702600904619 },
                   { "SphericalDisproportion", 2.6896178292617172 },
                   { "Sphericity", 0.37180003386373062 },
                   { "SurfaceArea", 285.3341682488562 },
                   { "SurfaceVolumeRatio", 2.7770593339102172 },
                   { "VoxelVolume", 134.75000000000003 }
    };
    ren_status st = REN_OK;

    test_region_init(&t, context, 6, 5, 4);
    t.region.spacing[0] = 0.7;
    t.region.spacing[1] = 1.1;
    t.region.spacing[2] = 2.5;
    for (int64_t z = 0; z < 4; z++)
        for (int64_t y = 0; y < 5; y++)
            for (int64_t x = 0; x < 6; x++)
                if ((x * x + 3 * y + 5 * z * z) % 7 < 4) test_region_set(&t, x, y, z);
    CHECK_INT(ren__class_shape.count, sizeof wanted / sizeof *wanted);
    for (int32_t f = 0; f < ren__class_shape.count; f++) {
        CHECK_TEXT(ren__class_shape.features[f].name, wanted[f].name); /* and in this order */
        REN_TRY(check(wanted[f].name, wanted[f].value));
    }
out:
    return st;
}

static ren_status test_one_voxel_has_no_longest_axis(ren_context *context) {
    ren_status st = REN_OK;

    test_region_init(&t, context, 1, 1, 1);
    test_region_fill(&t);
    REN_TRY(check("MajorAxisLength", 0.0));
    REN_TRY(check("LeastAxisLength", 0.0));
    REN_TRY(check("Elongation", (double)NAN));
    REN_TRY(check("Flatness", (double)NAN));
    REN_TRY(check("VoxelVolume", 1.0));
    REN_TRY(check("Sphericity", cbrt(36.0 * 3.14159265358979323846 / 36.0) / sqrt(3.0)));
out:
    return st;
}

/* A line of n voxels has the variance (n^2 - 1) / 12. */
static ren_status test_lines_and_plates(ren_context *context) {
    ren_status st = REN_OK;

    test_region_init(&t, context, 1, 9, 1);
    test_region_fill(&t);
    t.region.spacing[1] = 0.7;
    REN_TRY(check("MajorAxisLength", 4.0 * 0.7 * sqrt(80.0 / 12.0)));
    REN_TRY(check("MinorAxisLength", 0.0));
    REN_TRY(check("Elongation", 0.0));
    test_region_init(&t, context, 9, 5, 9);
    for (int64_t z = 0; z < 9; z++) /* an oblique plate: x = z */
        for (int64_t y = 0; y < 5; y++)
            test_region_set(&t, z, y, z);
    REN_TRY(check("MajorAxisLength", 4.0 * sqrt(2.0 * 80.0 / 12.0)));
    REN_TRY(check("MinorAxisLength", 4.0 * sqrt(2.0)));
    REN_TRY(check("LeastAxisLength", 0.0));
    REN_TRY(check("Flatness", 0.0));
out:
    return st;
}

static ren_status test_axes_against_sums(ren_context *context) {
    ren_status st = REN_OK;
    ren__rng rng;

    ren__rng_init(&rng, 5, 0, 0);
    for (int round = 0; round < 30; round++) {
        ren__axes axes;
        double mean[3] = { 0 }, covariance[9] = { 0 }, trace = 0.0;
        test_region_random(&t, context, &rng);
        const int64_t *shape = t.region.shape;
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t i = 0; i < shape[0] * shape[1] * shape[2]; i++) {
                if (!t.inside[i]) continue;
                const int64_t at[3] = { i % shape[0], i / shape[0] % shape[1], i / shape[0] / shape[1] };
                double p[3];
                for (int d = 0; d < 3; d++)
                    p[d] = (double)at[d] * t.region.spacing[d] - (pass ? mean[d] : 0.0);
                for (int d = 0; d < 3 && !pass; d++)
                    mean[d] += p[d] / (double)t.region.count;
                for (int d = 0; d < 9 && pass; d++)
                    covariance[d] += p[d / 3] * p[d % 3] / (double)t.region.count;
            }
        }
        REN_TRY(ren__axes_measure(&t.region, NULL, &axes));
        for (int d = 0; d < 3; d++) {
            CHECK_NEAR(axes.mean[d], mean[d], 1e-12);
            trace += covariance[4 * d];
        }
        for (int k = 0; k < 3; k++) { /* covariance times direction is variance times direction */
            const double *v = axes.directions + 3 * k;
            for (int d = 0; d < 3; d++) {
                const double *row = covariance + 3 * d;
                CHECK_NEAR(row[0] * v[0] + row[1] * v[1] + row[2] * v[2], axes.variance[k] * v[d], 1e-13 * (1 + trace));
            }
        }
    }
out:
    return st;
}

/* Three voxels in a diagonal and one apart: the marching cubes' volume is 0, as PyRadiomics' is. */
static ren_status test_no_volume_divides_nothing(ren_context *context) {
    ren_status st = REN_OK;

    test_region_init(&t, context, 3, 3, 3);
    test_region_set(&t, 1, 0, 0);
    test_region_set(&t, 2, 2, 0);
    test_region_set(&t, 1, 2, 1);
    test_region_set(&t, 0, 2, 2);
    REN_TRY(check("MeshVolume", 0.0));
    REN_TRY(check("SurfaceArea", 8.660254037844386));
    REN_TRY(check("Sphericity", 0.0));
    REN_TRY(check("SurfaceVolumeRatio", NAN));
    REN_TRY(check("SphericalDisproportion", NAN));
out:
    return st;
}

TEST_MAIN(CASE(test_no_volume_divides_nothing), CASE_SAMPLED(test_what_pyradiomics_gives),
          CASE(test_one_voxel_has_no_longest_axis), CASE(test_lines_and_plates), CASE_SAMPLED(test_axes_against_sums))
