/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The class `shape`: the region's size and form in space, without its grey values.
 *
 * What is undefined is NaN: Elongation and Flatness of a single voxel, which has no longest axis. Where PyRadiomics has
 * rounding noise, this has what the noise is about: the least axis of a region in an oblique plane is 0, not 1e-8 mm.
 */
#include <math.h>

#include "radiomics/axes.h"
#include "radiomics/classes.h"
#include "radiomics/diameter.h"
#include "radiomics/mesh.h"

#define PI 3.14159265358979323846

enum {
    COMPACTNESS_1,
    COMPACTNESS_2,
    ELONGATION,
    FLATNESS,
    LEAST_AXIS,
    MAJOR_AXIS,
    MAXIMUM_COLUMN,
    MAXIMUM_ROW,
    MAXIMUM_SLICE,
    MAXIMUM_3D,
    MESH_VOLUME,
    MINOR_AXIS,
    SPHERICAL_DISPROPORTION,
    SPHERICITY,
    SURFACE_AREA,
    SURFACE_VOLUME_RATIO,
    VOXEL_VOLUME,
    FEATURES
};

static const ren__feature features[FEATURES] = {
    [COMPACTNESS_1] = { "Compactness1", "1", "SKGS", REN__FEATURE_BY_NAME },
    [COMPACTNESS_2] = { "Compactness2", "1", "BQWJ", REN__FEATURE_BY_NAME },
    [ELONGATION] = { "Elongation", "1", "Q3CK", 0 },
    [FLATNESS] = { "Flatness", "1", "N17B", 0 },
    [LEAST_AXIS] = { "LeastAxisLength", "mm", "7J51", 0 },
    [MAJOR_AXIS] = { "MajorAxisLength", "mm", "TDIC", 0 },
    [MAXIMUM_COLUMN] = { "Maximum2DDiameterColumn", "mm", NULL, 0 },
    [MAXIMUM_ROW] = { "Maximum2DDiameterRow", "mm", NULL, 0 },
    [MAXIMUM_SLICE] = { "Maximum2DDiameterSlice", "mm", NULL, 0 },
    [MAXIMUM_3D] = { "Maximum3DDiameter", "mm", "L0JK", 0 },
    [MESH_VOLUME] = { "MeshVolume", "mm3", "RNU0", 0 },
    [MINOR_AXIS] = { "MinorAxisLength", "mm", "P9VJ", 0 },
    [SPHERICAL_DISPROPORTION] = { "SphericalDisproportion", "1", "KRCK", REN__FEATURE_BY_NAME },
    [SPHERICITY] = { "Sphericity", "1", "QCFX", 0 },
    [SURFACE_AREA] = { "SurfaceArea", "mm2", "C0JK", 0 },
    [SURFACE_VOLUME_RATIO] = { "SurfaceVolumeRatio", "mm-1", "2PR5", 0 },
    [VOXEL_VOLUME] = { "VoxelVolume", "mm3", "YEKZ", 0 },
};

static int any(const uint8_t *wanted, const int *which, int count) {
    for (int i = 0; i < count; i++)
        if (wanted[which[i]]) return 1;
    return 0;
}

static void put(const uint8_t *wanted, double *values, int feature, double value) {
    if (wanted[feature]) values[feature] = value;
}

static ren_status compute_mesh(const ren__region *region, const uint8_t *wanted, ren__run *run, double *values) {
    static const int which[] = { COMPACTNESS_1, COMPACTNESS_2, MESH_VOLUME,         SPHERICAL_DISPROPORTION,
                                 SPHERICITY,    SURFACE_AREA,  SURFACE_VOLUME_RATIO };
    ren_status st = REN_OK;
    ren__mesh mesh;

    if (!any(wanted, which, (int)(sizeof which / sizeof *which))) return REN_OK;
    REN_TRY(ren__mesh_measure(region, run, &mesh));
    const double v = mesh.volume, a = mesh.area,
                 sphere = cbrt(36.0 * PI * v * v); /* the sphere of this volume's area */
    const int hollow = v == 0.0; /* parts that count as turned inside out: nothing can be divided by that volume */
    put(wanted, values, COMPACTNESS_1, v / (a * sqrt(a) * sqrt(PI)));
    put(wanted, values, COMPACTNESS_2, 36.0 * PI * v * v / (a * a * a));
    put(wanted, values, MESH_VOLUME, v);
    put(wanted, values, SPHERICAL_DISPROPORTION, hollow ? NAN : a / sphere);
    put(wanted, values, SPHERICITY, sphere / a);
    put(wanted, values, SURFACE_AREA, a);
    put(wanted, values, SURFACE_VOLUME_RATIO, hollow ? NAN : a / v);
out:
    return st;
}

static ren_status compute_axes(const ren__region *region, const uint8_t *wanted, ren__run *run, double *values) {
    static const int which[] = { ELONGATION, FLATNESS, LEAST_AXIS, MAJOR_AXIS, MINOR_AXIS };
    ren_status st = REN_OK;
    ren__axes axes;

    if (!any(wanted, which, (int)(sizeof which / sizeof *which))) return REN_OK;
    REN_TRY(ren__axes_measure(region, run, &axes));
    put(wanted, values, ELONGATION, sqrt(axes.variance[1] / axes.variance[2]));
    put(wanted, values, FLATNESS, sqrt(axes.variance[0] / axes.variance[2]));
    put(wanted, values, LEAST_AXIS, 4.0 * sqrt(axes.variance[0]));
    put(wanted, values, MAJOR_AXIS, 4.0 * sqrt(axes.variance[2]));
    put(wanted, values, MINOR_AXIS, 4.0 * sqrt(axes.variance[1]));
out:
    return st;
}

static ren_status compute_diameters(const ren__region *region, const uint8_t *wanted, ren__run *run, double *values) {
    const int32_t which = (wanted[MAXIMUM_SLICE] ? REN__DIAMETER_SLICE : 0) |
                          (wanted[MAXIMUM_COLUMN] ? REN__DIAMETER_COLUMN : 0) |
                          (wanted[MAXIMUM_ROW] ? REN__DIAMETER_ROW : 0) | (wanted[MAXIMUM_3D] ? REN__DIAMETER_3D : 0);
    ren_status st = REN_OK;
    ren__diameters diameters = { 0 };

    if (!which) return REN_OK;
    REN_TRY(ren__diameters_measure(region, which, run, &diameters));
    put(wanted, values, MAXIMUM_COLUMN, diameters.column);
    put(wanted, values, MAXIMUM_ROW, diameters.row);
    put(wanted, values, MAXIMUM_SLICE, diameters.slice);
    put(wanted, values, MAXIMUM_3D, diameters.all);
out:
    return st;
}

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    ren_status st = REN_OK;
    const double *s = region->spacing;

    (void)settings;
    put(wanted, values, VOXEL_VOLUME, (double)region->count * (s[2] * s[0] * s[1]));
    REN_TRY(compute_mesh(region, wanted, run, values));
    REN_TRY(compute_axes(region, wanted, run, values));
    REN_TRY(compute_diameters(region, wanted, run, values));
out:
    return st;
}

const ren__feature_class ren__class_shape = {
    .name = "shape", .features = features, .count = FEATURES, .parts = 0, .compute = compute
};
