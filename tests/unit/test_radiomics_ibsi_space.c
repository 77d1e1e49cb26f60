/* SPDX-License-Identifier: Apache-2.0 */
/* IBSI's morphology and what it and the distance zones are made of: transforms, autocorrelation, depths, hulls. */
#include <math.h>
#include <stdlib.h>

#include "radiomics/ibsi.h"
#include "radiomics/ibsi_autocorrelation.h"
#include "radiomics/ibsi_depth.h"
#include "radiomics/ibsi_fourier.h"
#include "radiomics/ibsi_hull.h"

#include "radiomics_region.h"

static const double pi = 3.14159265358979323846;
static test_region region;

/* ------------------------------------------------------------------------------------------- transforms and sums */

/* All axes, all lines. */
static ren_status transform(ren_context *context, ren__complex *data, const int64_t n[3], int sign) {
    ren_status st = REN_OK;

    for (int32_t axis = 0; axis < 3 && st == REN_OK; axis++) {
        const ren__fourier what = { data, { n[0], n[1], n[2] }, axis, { n[0], n[1], n[2] }, sign, 0 };
        st = ren__fourier_transform(context, NULL, &what);
    }
    return st;
}

static ren_status test_transform_is_the_definition(ren_context *context) {
    static const int64_t shapes[][3] = { { 1, 1, 1 },  { 5, 1, 1 },  { 4, 3, 2 },  { 1, 6, 10 },
                                         { 15, 2, 9 }, { 45, 1, 1 }, { 36, 2, 1 }, { 1, 40, 1 } };
    ren_status st = REN_OK;
    ren__complex *data = NULL, *given = NULL;
    ren__rng rng;

    CHECK_INT(ren__fourier_size(1), 1);
    CHECK_INT(ren__fourier_size(7), 8);
    CHECK_INT(ren__fourier_size(199), 200);
    CHECK_INT(ren__fourier_size(241), 243);
    ren__rng_init(&rng, 1, 0, 0);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int64_t *n = shapes[s], count = n[0] * n[1] * n[2];
        REN_CALLOC(data, (size_t)count);
        REN_CALLOC(given, (size_t)count);
        for (int64_t i = 0; i < count; i++)
            data[i] = given[i] = (ren__complex){ ren__rng_uniform(&rng) - 0.5, ren__rng_uniform(&rng) - 0.5 };
        REN_TRY(transform(context, data, n, -1));
        for (int64_t k = 0; k < count; k++) {
            double re = 0, im = 0;
            for (int64_t i = 0; i < count; i++) {
                const double turn = (double)(i % n[0] * (k % n[0])) / (double)n[0] +
                                    (double)(i / n[0] % n[1] * (k / n[0] % n[1])) / (double)n[1] +
                                    (double)(i / (n[0] * n[1]) * (k / (n[0] * n[1]))) / (double)n[2];
                const double c = cos(2 * pi * turn), d = -sin(2 * pi * turn);
                re += given[i].re * c - given[i].im * d;
                im += given[i].re * d + given[i].im * c;
            }
            CHECK_NEAR(data[k].re, re, 1e-11);
            CHECK_NEAR(data[k].im, im, 1e-11);
        }
        REN_TRY(transform(context, data, n, +1));
        for (int64_t i = 0; i < count; i++)
            CHECK_NEAR(data[i].im / (double)count, given[i].im, 1e-13);
        ren__free(data);
        ren__free(given);
        data = given = NULL;
    }
out:
    ren__free(data);
    ren__free(given);
    return st;
}

/* Both sums over all pairs. */
static void all_pairs(double *moran, double *geary) {
    const ren__region *r = &region.region;
    const int64_t *n = r->shape, voxels = n[0] * n[1] * n[2];
    double mean = 0, weights = 0, products = 0, differences = 0, squares = 0;

    for (int64_t i = 0; i < voxels; i++)
        mean += r->inside[i] ? r->values[i] / (double)r->count : 0;
    for (int64_t i = 0; i < voxels; i++) {
        if (!r->inside[i]) continue;
        squares += (r->values[i] - mean) * (r->values[i] - mean);
        for (int64_t j = 0; j < voxels; j++) {
            const double dx = (double)(i % n[0] - j % n[0]) * r->spacing[0];
            const double dy = (double)(i / n[0] % n[1] - j / n[0] % n[1]) * r->spacing[1];
            const double dz = (double)(i / (n[0] * n[1]) - j / (n[0] * n[1])) * r->spacing[2];
            if (i == j || !r->inside[j]) continue;
            const double weight = 1 / sqrt(dx * dx + dy * dy + dz * dz);
            weights += weight;
            products += weight * (r->values[i] - mean) * (r->values[j] - mean);
            differences += weight * (r->values[i] - r->values[j]) * (r->values[i] - r->values[j]);
        }
    }
    *moran = (double)r->count / weights * products / squares;
    *geary = (double)(r->count - 1) / (2 * weights) * differences / squares;
}

static ren_status test_autocorrelation_of_all_pairs(ren_context *context) {
    ren_status st = REN_OK;
    ren__autocorrelation found;
    ren__rng rng;

    ren__rng_init(&rng, 2, 0, 0);
    for (int round = 0; round < 8; round++) {
        double moran, geary;
        test_region_random(&region, context, &rng);
        for (int64_t i = 0; i < TEST_VOXELS; i++)
            region.values[i] = (double)ren__rng_below(&rng, 100) - 1000;
        if (region.region.count < 3 || region.region.count > 600) continue;
        REN_TRY(ren__autocorrelation_of(&region.region, NULL, &found));
        all_pairs(&moran, &geary);
        CHECK_NEAR(found.moran, moran, 1e-11);
        CHECK_NEAR(found.geary, geary, 1e-11);
    }
    test_region_init(&region, context, 3, 2, 1);
    test_region_fill(&region); /* all values 0 */
    REN_TRY(ren__autocorrelation_of(&region.region, NULL, &found));
    CHECK(isnan(found.moran) && isnan(found.geary));
out:
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- depths */

static int is_inside(int64_t x, int64_t y, int64_t z) {
    const int64_t *n = region.region.shape;

    return x >= 0 && y >= 0 && z >= 0 && x < n[0] && y < n[1] && z < n[2] && region.inside[(z * n[1] + y) * n[0] + x];
}

/* Least number of steps to a voxel outside, tried out; `still` as in ren__depth_create. */
static int64_t plain_depth(const int64_t at[3], int32_t still) {
    int64_t best = INT64_MAX;
    const int64_t reach = TEST_SIDE;

    for (int64_t z = -reach; z <= reach; z++)
        for (int64_t y = -reach; y <= reach; y++)
            for (int64_t x = -reach; x <= reach; x++) {
                const int64_t steps[3] = { x, y, z }, length = llabs(x) + llabs(y) + llabs(z);
                if (still >= 0 && steps[still]) continue;
                if (length < best && !is_inside(at[0] + x, at[1] + y, at[2] + z)) best = length;
            }
    return best;
}

static ren_status test_depths(ren_context *context) {
    ren_status st = REN_OK;
    uint16_t *depth = NULL;
    ren__rng rng;

    ren__rng_init(&rng, 4, 0, 0);
    for (int round = 0; round < 6; round++) {
        const int32_t still = round % 2 ? 2 : -1;
        const int64_t *n = region.region.shape;
        test_region_init(&region, context, 7, 6, 5);
        test_region_fill(&region);
        for (int hole = 0; hole < round; hole++)
            region.inside[ren__rng_below(&rng, 210)] = 0;
        REN_TRY(ren__depth_create(&region.region, still, NULL, &depth));
        for (int64_t i = 0; i < 210; i++) {
            const int64_t at[3] = { i % n[0], i / n[0] % n[1], i / (n[0] * n[1]) };
            CHECK_INT(depth[i], plain_depth(at, still));
        }
        ren__free(depth);
        depth = NULL;
    }
    /* within a mask that is larger, an intensity mask's hole counts for nothing */
    uint8_t mask[5 * 5 * 5];
    ren__roi roi = { { 3, 3, 3 }, { 1, 1, 1 }, NULL, 1 }, mask_roi = { { 1, 1, 1 }, { 5, 5, 5 }, mask, 125 };
    memset(mask, 1, sizeof mask);
    test_region_init(&region, context, 1, 1, 1);
    test_region_fill(&region);
    region.region.roi = &roi;
    region.region.shape_roi = &mask_roi;
    REN_TRY(ren__depth_create(&region.region, -1, NULL, &depth));
    CHECK_INT(depth[0], 3);
out:
    ren__free(depth);
    return st;
}

/* ----------------------------------------------------------------------------------------------------------- hulls */

/* Six times the volume of a tetrahedron. */
static double beyond(const ren__hull *hull, int64_t face, const double p[3]) {
    const double *a = hull->vertex[hull->face[face][0]], *b = hull->vertex[hull->face[face][1]];
    const double *c = hull->vertex[hull->face[face][2]];
    double u[3], v[3], w[3];

    for (int k = 0; k < 3; k++) {
        u[k] = b[k] - a[k];
        v[k] = c[k] - a[k];
        w[k] = p[k] - a[k];
    }
    return w[0] * (u[1] * v[2] - u[2] * v[1]) + w[1] * (u[2] * v[0] - u[0] * v[2]) + w[2] * (u[0] * v[1] - u[1] * v[0]);
}

/* Every vertex of the mesh is behind every face, and the faces close: Euler's formula, each edge twice. */
static ren_status check_hull(const ren__hull *hull) {
    const ren__region *r = &region.region;
    const int64_t *n = r->shape, voxels = n[0] * n[1] * n[2];
    ren_status st = REN_OK;

    CHECK_INT(hull->face_count, 2 * hull->vertex_count - 4);
    for (int64_t f = 0; f < hull->face_count; f++)
        for (int64_t i = 0; i < voxels; i++)
            for (int side = 0; r->inside[i] && side < 6; side++) {
                double p[3] = { (double)(i % n[0]), (double)(i / n[0] % n[1]), (double)(i / (n[0] * n[1])) };
                p[side / 2] += side % 2 ? 0.5 : -0.5;
                for (int k = 0; k < 3; k++)
                    p[k] *= r->spacing[k];
                CHECK(beyond(hull, f, p) <= 1e-9);
            }
    for (int64_t f = 0; f < hull->face_count; f++)
        for (int k = 0; k < 3; k++) {
            int found = 0;
            for (int64_t g = 0; g < hull->face_count; g++)
                for (int l = 0; l < 3; l++)
                    found += hull->face[g][l] == hull->face[f][(k + 1) % 3] &&
                             hull->face[g][(l + 1) % 3] == hull->face[f][k];
            CHECK_INT(found, 1);
        }
out:
    return st;
}

static ren_status test_hulls_hold_the_mesh(ren_context *context) {
    ren_status st = REN_OK;
    ren__hull hull = { 0 };
    double volume, area;
    ren__rng rng;

    ren__rng_init(&rng, 6, 0, 0);
    for (int round = 0; round < 40; round++) {
        test_region_random(&region, context, &rng);
        const ren__region *r = &region.region;
        if (r->count > 400) continue;
        REN_TRY(ren__hull_create(context, r->inside, r->shape, r->spacing, NULL, &hull));
        REN_TRY(check_hull(&hull));
        ren__hull_free(&hull);
    }
    /* one voxel: an octahedron */
    test_region_init(&region, context, 1, 1, 1);
    test_region_fill(&region);
    region.region.spacing[2] = 3;
    REN_TRY(ren__hull_create(context, region.inside, region.region.shape, region.region.spacing, NULL, &hull));
    CHECK_INT(hull.vertex_count, 6);
    ren__hull_measure(&hull, &volume, &area);
    CHECK_NEAR(volume, 4.0 / 3 * 0.5 * 0.5 * 1.5, 1e-12);
    CHECK_NEAR(area, 8 * 0.5 * sqrt(0.25 * 2.25 + 0.25 * 2.25 + 0.25 * 0.25), 1e-12);
out:
    ren__hull_free(&hull);
    return st;
}

/* A cuboid with sides 2, 3 and 7, turned and moved. */
static ren_status test_box_and_ellipsoid_of_a_cuboid(ren_context *context) {
    static const int32_t faces[12][3] = {
        { 0, 2, 1 }, { 1, 2, 3 }, { 4, 5, 6 }, { 5, 7, 6 }, { 0, 1, 4 }, { 1, 5, 4 },
        { 2, 6, 3 }, { 3, 6, 7 }, { 0, 4, 2 }, { 2, 4, 6 }, { 1, 3, 5 }, { 3, 7, 5 }
    };
    static const double sides[3] = { 2, 3, 7 };
    ren_status st = REN_OK;
    double vertex[8][3], found[3];
    int32_t face[12][3];
    ren__hull hull = { 8, vertex, 12, face };
    const double c = cos(0.4), s = sin(0.4), d = cos(1.1), t = sin(1.1);

    memcpy(face, faces, sizeof face);
    for (int i = 0; i < 8; i++) {
        const double x = (i & 1) * sides[0], y = (i >> 1 & 1) * sides[1], z = (i >> 2) * sides[2];
        const double u = c * x - s * y, v = s * x + c * y;
        vertex[i][0] = u + 100;
        vertex[i][1] = d * v - t * z;
        vertex[i][2] = t * v + d * z - 5;
    }
    REN_TRY(ren__hull_box(context, &hull, NULL, found));
    CHECK_NEAR(found[0] * found[1] * found[2], 42, 1e-9);
    CHECK_NEAR(found[0] * found[1] + found[1] * found[2] + found[2] * found[0], 41, 1e-9);
    REN_TRY(ren__hull_ellipsoid(context, &hull, NULL, found));
    for (int k = 0; k < 3; k++)
        CHECK_NEAR(found[k], sqrt(3) * sides[k] / 2, 1e-5 * sides[k]);
out:
    return st;
}

/* The smallest ellipsoid holds all points, and its volume is what Khachiyan's bound says: no other is smaller. */
static ren_status test_ellipsoids_around_regions(ren_context *context) {
    ren_status st = REN_OK;
    ren__hull hull = { 0 };
    ren__rng rng;

    ren__rng_init(&rng, 8, 0, 0);
    for (int round = 0; round < 10; round++) {
        double axes[3], volume, area, box[3];
        test_region_random(&region, context, &rng);
        const ren__region *r = &region.region;
        REN_TRY(ren__hull_create(context, r->inside, r->shape, r->spacing, NULL, &hull));
        ren__hull_measure(&hull, &volume, &area);
        REN_TRY(ren__hull_ellipsoid(context, &hull, NULL, axes));
        REN_TRY(ren__hull_box(context, &hull, NULL, box));
        const double ellipsoid = 4 * pi / 3 * axes[0] * axes[1] * axes[2];
        CHECK(axes[0] <= axes[1] && axes[1] <= axes[2]);
        CHECK(ellipsoid >= volume); /* it holds the hull; shrunk to a third it lies in it (John) */
        CHECK(ellipsoid / 27 <= volume);
        CHECK(box[0] * box[1] * box[2] >= volume * (1 - 1e-12));
        ren__hull_free(&hull);
    }
    const double sphere[3] = { 2, 2, 2 }, needle[3] = { 0, 0, 1 };
    CHECK_NEAR(ren__ellipsoid_area(sphere), 16 * pi, 1e-12);
    CHECK(isnan(ren__ellipsoid_area(needle)));
out:
    ren__hull_free(&hull);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ morphology */

static ren_status test_morphology_of_a_line(ren_context *context) {
    ren_status st = REN_OK;
    double value;

    test_region_init(&region, context, 4, 1, 1);
    test_region_fill(&region);
    for (int i = 0; i < 4; i++)
        region.values[i] = i; /* centre of mass at 14 / 6 */
    region.region.spacing[0] = 2;
    const struct {
        const char *name;
        double value;
    } wanted[] = {
        { "vol_approx", 8 },   { "diam", 8 },           { "com", 2 * (14.0 / 6 - 1.5) },        { "pca_least_axis", 0 },
        { "pca_flatness", 0 }, { "pca_elongation", 0 }, { "pca_maj_axis", 4 * sqrt(20.0 / 3) },
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        REN_TRY(test_feature(&ren__class_ibsi_morph, &region, NULL, wanted[i].name, &value));
        CHECK_NEAR(value, wanted[i].value, 1e-9);
    }
    REN_TRY(test_feature(&ren__class_ibsi_morph, &region, NULL, "vol_dens_aee", &value));
    CHECK(isnan(value));
    test_region_init(&region, context, 1, 1, 1);
    test_region_fill(&region);
    REN_TRY(test_feature(&ren__class_ibsi_morph, &region, NULL, "pca_maj_axis", &value));
    CHECK(isnan(value));
    REN_TRY(test_feature(&ren__class_ibsi_morph, &region, NULL, "com", &value)); /* intensities sum to 0 */
    CHECK(isnan(value));
out:
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_transform_is_the_definition), CASE_SAMPLED(test_autocorrelation_of_all_pairs),
          CASE(test_depths), CASE_SAMPLED(test_hulls_hold_the_mesh), CASE(test_box_and_ellipsoid_of_a_cuboid),
          CASE_SAMPLED(test_ellipsoids_around_regions), CASE_SAMPLED(test_morphology_of_a_line))
