/* SPDX-License-Identifier: Apache-2.0 */
/* The class shape2D: PyRadiomics' numbers along each axis, closed forms, and what is refused. */
#include "radiomics_region.h"

static test_region t;
static ren__radiomics_settings settings;

static ren_status check(const char *name, double wanted) {
    ren_status st = REN_OK;
    double value;

    REN_TRY(test_feature(&ren__class_shape2d, &t, &settings, name, &value));
    if (!(fabs(value - wanted) <= 1e-14 * fabs(wanted)) && !(isnan(value) && isnan(wanted)))
        st = test_fail(__FILE__, __LINE__, "%s is %.17g, not %.17g", name, value, wanted);
out:
    return st;
}

/* A plane of 4 rows and 6 columns, across the axis of force2Ddimension (0 z, 1 y, 2 x). */
static void make_plane(ren_context *context, int32_t dimension) {
    static const int64_t shapes[3][3] = { { 6, 4, 1 }, { 6, 1, 4 }, { 1, 6, 4 } };
    static const double spacings[3][3] = { { 0.7, 1.1, 2.5 }, { 0.7, 2.5, 1.1 }, { 2.5, 0.7, 1.1 } };

    test_region_init(&t, context, shapes[dimension][0], shapes[dimension][1], shapes[dimension][2]);
    memcpy(t.region.spacing, spacings[dimension], sizeof t.region.spacing);
    for (int64_t row = 0; row < 4; row++) {
        for (int64_t column = 0; column < 6; column++) {
            if ((column * column + 3 * row) % 7 >= 4) continue;
            t.inside[6 * row + column] = 1;
            t.region.count++;
        }
    }
    settings.force_2d = 1;
    settings.force_2d_dimension = dimension;
}

static ren_status test_what_pyradiomics_gives(ren_context *context) {
    static const struct {
        const char *name;
        double value;
    } wanted[] = {
        /* PyRadiomics 3.1.0 */
        { "Elongation", 0.90352720009119081 },
        { "MajorAxisLength", 4.9640934254098621 },
        { "MaximumDiameter", 5.215361924162119 },
        { "MeshSurface", 9.625 },
        { "MinorAxisLength", 4.485193433651661 },
        { "Perimeter", 23.446085772486363 },
        { "PerimeterSurfaceRatio", 2.4359569633752067 },
        { "PixelSurface", 10.780000000000001 },
        { "SphericalDisproportion", 2.1318912559924708 },
        { "Sphericity", 0.46906707703271888 },
    };
    ren_status st = REN_OK;

    for (int32_t dimension = 0; dimension < 3; dimension++) {
        make_plane(context, dimension);
        CHECK_INT(ren__class_shape2d.count, sizeof wanted / sizeof *wanted);
        for (int32_t f = 0; f < ren__class_shape2d.count; f++) {
            CHECK_TEXT(ren__class_shape2d.features[f].name, wanted[f].name);
            REN_TRY(check(wanted[f].name, wanted[f].value));
        }
    }
out:
    return st;
}

static ren_status test_one_pixel_is_a_rhombus(ren_context *context) {
    ren_status st = REN_OK;

    test_region_init(&t, context, 1, 1, 1);
    test_region_fill(&t);
    settings.force_2d = 1;
    settings.force_2d_dimension = 0;
    REN_TRY(check("MeshSurface", 0.5));
    REN_TRY(check("Perimeter", 4.0 * sqrt(0.5)));
    REN_TRY(check("MaximumDiameter", 1.0));
    REN_TRY(check("MajorAxisLength", 0.0));
    REN_TRY(check("Elongation", (double)NAN));
out:
    return st;
}

static ren_status test_needs_force2d_and_one_plane(ren_context *context) {
    ren_status st = REN_OK;

    make_plane(context, 0);
    settings.force_2d = 0;
    REN_TRY(check("Perimeter", (double)NAN));
    settings.force_2d = 1;
    settings.force_2d_dimension = 1; /* four voxels thick along y */
    REN_TRY(check("Perimeter", (double)NAN));
    REN_TRY(check("Elongation", (double)NAN));
out:
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_what_pyradiomics_gives), CASE(test_one_pixel_is_a_rhombus),
          CASE(test_needs_force2d_and_one_plane))
