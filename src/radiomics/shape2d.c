/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The class `shape2D`: size and form of a region in one plane.
 *
 * It needs force2D, and a region that is one voxel thick along force2Ddimension; otherwise all its features are NaN.
 * PyRadiomics leaves the features out without force2D and stops the extraction where the region is thicker; its test
 * of the thickness looks at the wrong axis as well, so that it never computes them for force2Ddimension 1, nor for
 * regions that are one voxel wide along x (dimension 0) or along z (dimension 2). They are computed here.
 */
#include <math.h>

#include "radiomics/axes.h"
#include "radiomics/classes.h"
#include "radiomics/diameter.h"
#include "radiomics/mesh_tables.h"

#define PI 3.14159265358979323846

enum {
    ELONGATION,
    MAJOR_AXIS,
    MAXIMUM_DIAMETER,
    MESH_SURFACE,
    MINOR_AXIS,
    PERIMETER,
    PERIMETER_SURFACE_RATIO,
    PIXEL_SURFACE,
    SPHERICAL_DISPROPORTION,
    SPHERICITY,
    FEATURES
};

static const ren__feature features[FEATURES] = {
    [ELONGATION] = { "Elongation", "1", NULL, 0 },
    [MAJOR_AXIS] = { "MajorAxisLength", "mm", NULL, 0 },
    [MAXIMUM_DIAMETER] = { "MaximumDiameter", "mm", NULL, 0 },
    [MESH_SURFACE] = { "MeshSurface", "mm2", NULL, 0 },
    [MINOR_AXIS] = { "MinorAxisLength", "mm", NULL, 0 },
    [PERIMETER] = { "Perimeter", "mm", NULL, 0 },
    [PERIMETER_SURFACE_RATIO] = { "PerimeterSurfaceRatio", "mm-1", NULL, 0 },
    [PIXEL_SURFACE] = { "PixelSurface", "mm2", NULL, 0 },
    [SPHERICAL_DISPROPORTION] = { "SphericalDisproportion", "1", NULL, REN__FEATURE_BY_NAME },
    [SPHERICITY] = { "Sphericity", "1", NULL, 0 },
};

enum { CASES = 16 };

/* The region's plane, row after row: its axes are the region's other two in PyRadiomics' order. */
typedef struct plane {
    const uint8_t *inside;
    int64_t rows, columns;
    double step[2];   /* mm from row to row and from column to column */
    int32_t diameter; /* REN__DIAMETER_* of such planes */
} plane;

/* 0: the region is thicker. */
static int plane_of(const ren__region *region, int32_t dimension, plane *out) {
    const int64_t nx = region->shape[0], ny = region->shape[1], nz = region->shape[2];
    const double *s = region->spacing;

    if (dimension == 0 && nz == 1)
        *out = (plane){ region->inside, ny, nx, { s[1], s[0] }, REN__DIAMETER_SLICE };
    else if (dimension == 1 && ny == 1)
        *out = (plane){ region->inside, nz, nx, { s[2], s[0] }, REN__DIAMETER_COLUMN };
    else if (dimension == 2 && nx == 1)
        *out = (plane){ region->inside, nz, ny, { s[2], s[1] }, REN__DIAMETER_ROW };
    else
        return 0;
    return 1;
}

/* Squares of one case: their number and the sums of their rows and columns, whole numbers. */
typedef struct tally {
    double count, at[2];
} tally;

static int pixel(const plane *p, int64_t row, int64_t column) {
    return row >= 0 && row < p->rows && column >= 0 && column < p->columns && p->inside[row * p->columns + column];
}

/* Square (row, column) lies between the pixels of the row before and this one, and likewise for columns. */
static void count_squares(const plane *p, tally *tallies) {
    for (int64_t row = 0; row <= p->rows; row++) {
        int code = 0; /* of the square before: its right side is the next one's left side */
        for (int64_t column = 0; column <= p->columns; column++) {
            code = (code & 2) >> 1 | (code & 4) << 1 | pixel(p, row - 1, column) << 1 | pixel(p, row, column) << 2;
            tallies[code].count += 1.0;
            tallies[code].at[0] += (double)row;
            tallies[code].at[1] += (double)column;
        }
    }
}

/* Length of the outline and signed area of its triangles with the corner of the padded box, in mm: see mesh.c. */
static void measure_outline(const plane *p, double *perimeter, double *surface) {
    tally tallies[CASES] = { { 0 } };
    double eighths = 0.0;

    count_squares(p, tallies);
    *perimeter = 0.0;
    for (int code = 1; code < CASES - 1; code++) {
        const tally *t = &tallies[code];
        for (const int8_t *line = ren__mesh_lines[code]; *line >= 0; line += 2) {
            const int8_t *a = ren__mesh_sides[line[0]], *b = ren__mesh_sides[line[1]];
            const double down = 0.5 * (a[0] - b[0]) * p->step[0], across = 0.5 * (a[1] - b[1]) * p->step[1];
            *perimeter += t->count * sqrt(down * down + across * across);
            eighths +=
                t->count * (a[0] * b[1] - b[0] * a[1]) + 2.0 * (t->at[0] * (b[1] - a[1]) - t->at[1] * (b[0] - a[0]));
        }
    }
    *surface = eighths / 8.0 * (p->step[0] * p->step[1]);
}

static void put(const uint8_t *wanted, double *values, int feature, double value) {
    if (wanted[feature]) values[feature] = value;
}

static ren_status compute_plane(const ren__region *region, const plane *p, const uint8_t *wanted, ren__run *run,
                                double *values) {
    ren_status st = REN_OK;
    double perimeter, surface;
    ren__axes axes;
    ren__diameters d = { 0 };

    measure_outline(p, &perimeter, &surface);
    const double circle = 2.0 * sqrt(PI * surface); /* the outline of the circle of this surface */
    put(wanted, values, MESH_SURFACE, surface);
    put(wanted, values, PERIMETER, perimeter);
    put(wanted, values, PERIMETER_SURFACE_RATIO, perimeter / surface);
    put(wanted, values, PIXEL_SURFACE, (double)region->count * (p->step[1] * p->step[0]));
    put(wanted, values, SPHERICAL_DISPROPORTION, perimeter / circle);
    put(wanted, values, SPHERICITY, circle / perimeter);
    if (wanted[ELONGATION] || wanted[MAJOR_AXIS] || wanted[MINOR_AXIS]) {
        REN_TRY(ren__axes_measure(region, run, &axes));
        put(wanted, values, ELONGATION, sqrt(axes.variance[1] / axes.variance[2]));
        put(wanted, values, MAJOR_AXIS, 4.0 * sqrt(axes.variance[2]));
        put(wanted, values, MINOR_AXIS, 4.0 * sqrt(axes.variance[1]));
    }
    if (wanted[MAXIMUM_DIAMETER]) {
        REN_TRY(ren__diameters_measure(region, p->diameter, run, &d));
        put(wanted, values, MAXIMUM_DIAMETER, d.slice + d.column + d.row); /* two of them are 0 */
    }
out:
    return st;
}

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    plane p;

    for (int f = 0; f < FEATURES; f++)
        put(wanted, values, f, (double)NAN);
    if (!settings->force_2d && !settings->planar) return REN_OK;
    if (!plane_of(region, settings->planar ? 0 : settings->force_2d_dimension, &p)) return REN_OK;
    return compute_plane(region, &p, wanted, run, values);
}

const ren__feature_class ren__class_shape2d = {
    .name = "shape2D", .features = features, .count = FEATURES, .parts = 0, .compute = compute
};
