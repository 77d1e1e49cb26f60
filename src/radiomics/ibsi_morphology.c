/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IBSI's morphology (manual, 3.1). Shape is that of the morphological mask, intensities are those of the intensity
 * mask, which resegmentation may have thinned.
 */
#include <math.h>

#include "radiomics/eigen.h"
#include "radiomics/farthest.h"
#include "radiomics/ibsi.h"
#include "radiomics/ibsi_autocorrelation.h"
#include "radiomics/ibsi_hull.h"
#include "radiomics/mesh.h"

static const double pi = 3.14159265358979323846;

enum {
    MORPH_VOLUME = 0,
    MORPH_VOL_APPROX,
    MORPH_AREA_MESH,
    MORPH_AV,
    MORPH_COMP_1,
    MORPH_COMP_2,
    MORPH_SPH_DISPR,
    MORPH_SPHERICITY,
    MORPH_ASPHERICITY,
    MORPH_COM,
    MORPH_DIAM,
    MORPH_MAJOR,
    MORPH_MINOR,
    MORPH_LEAST,
    MORPH_ELONGATION,
    MORPH_FLATNESS,
    MORPH_VOL_AABB,
    MORPH_AREA_AABB,
    MORPH_VOL_OMBB,
    MORPH_AREA_OMBB,
    MORPH_VOL_AEE,
    MORPH_AREA_AEE,
    MORPH_VOL_MVEE,
    MORPH_AREA_MVEE,
    MORPH_VOL_HULL,
    MORPH_AREA_HULL,
    MORPH_INTEG_INT,
    MORPH_MORAN,
    MORPH_GEARY,
    MORPH_COUNT
};

static const ren__feature morph_features[MORPH_COUNT] = {
    { "volume", "mm3", "RNU0", 0 },
    { "vol_approx", "mm3", "YEKZ", 0 },
    { "area_mesh", "mm2", "C0JK", 0 },
    { "av", "mm-1", "2PR5", 0 },
    { "comp_1", "1", "SKGS", 0 },
    { "comp_2", "1", "BQWJ", 0 },
    { "sph_dispr", "1", "KRCK", 0 },
    { "sphericity", "1", "QCFX", 0 },
    { "asphericity", "1", "25C7", 0 },
    { "com", "mm", "KLMA", 0 },
    { "diam", "mm", "L0JK", 0 },
    { "pca_maj_axis", "mm", "TDIC", 0 },
    { "pca_min_axis", "mm", "P9VJ", 0 },
    { "pca_least_axis", "mm", "7J51", 0 },
    { "pca_elongation", "1", "Q3CK", 0 },
    { "pca_flatness", "1", "N17B", 0 },
    { "vol_dens_aabb", "1", "PBX1", 0 },
    { "area_dens_aabb", "1", "R59B", 0 },
    { "vol_dens_ombb", "1", "ZH1A", 0 },
    { "area_dens_ombb", "1", "IQYR", 0 },
    { "vol_dens_aee", "1", "6BDE", 0 },
    { "area_dens_aee", "1", "RDD2", 0 },
    { "vol_dens_mvee", "1", "SWZ1", 0 },
    { "area_dens_mvee", "1", "BRI8", 0 },
    { "vol_dens_conv_hull", "1", "R3ER", 0 },
    { "area_dens_conv_hull", "1", "7T7F", 0 },
    { "integ_int", "[image].mm3", "99N0", 0 },
    { "moran_i", "1", "N365", 0 },
    { "geary_c", "1", "NPT7", 0 },
};

typedef struct morphology {
    const ren__region *region; /* with the intensity mask */
    ren__region shape;         /* the morphological mask alone */
    int64_t offset[3];         /* of the region's box in the mask's */
    ren__run *run;
    ren__mesh mesh;
    double all[MORPH_COUNT];
} morphology;

static double ratio(double numerator, double denominator) {
    return denominator != 0 ? numerator / denominator : NAN;
}

static int any_wanted(const uint8_t *wanted, int32_t first, int32_t last) {
    for (int32_t f = first; f <= last; f++)
        if (wanted[f]) return 1;
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- mesh */

static void put_mesh(morphology *m) {
    const double volume = m->mesh.volume, area = m->mesh.area;
    const double *spacing = m->shape.spacing;
    const double compactness = ratio(36 * pi * volume * volume, area * area * area);

    m->all[MORPH_VOLUME] = volume;
    m->all[MORPH_VOL_APPROX] = (double)m->shape.count * spacing[0] * spacing[1] * spacing[2];
    m->all[MORPH_AREA_MESH] = area;
    m->all[MORPH_AV] = ratio(area, volume);
    m->all[MORPH_COMP_1] = ratio(volume, sqrt(pi) * area * sqrt(area));
    m->all[MORPH_COMP_2] = compactness;
    m->all[MORPH_SPHERICITY] = cbrt(compactness);
    m->all[MORPH_SPH_DISPR] = ratio(1, cbrt(compactness));
    m->all[MORPH_ASPHERICITY] = m->all[MORPH_SPH_DISPR] - 1;
}

static void put_densities(morphology *m, int32_t first, double volume, double area) {
    m->all[first] = ratio(m->mesh.volume, volume);
    m->all[first + 1] = ratio(m->mesh.area, area);
}

static void put_box(morphology *m, int32_t first, const double s[3]) {
    put_densities(m, first, s[0] * s[1] * s[2], 2 * (s[0] * s[1] + s[1] * s[2] + s[2] * s[0]));
}

static void put_ellipsoid(morphology *m, int32_t first, const double s[3]) {
    put_densities(m, first, 4 * pi / 3 * s[0] * s[1] * s[2], ren__ellipsoid_area(s));
}

/* ------------------------------------------------------------------------------------------------ principal axes */

/* Sums over the mask of coordinates in voxels and, where `mean` is given, of products of what is off the mean, in mm.
 */
static void sum_coordinates(const ren__region *shape, const double *mean, double first[3], double second[9]) {
    for (int k = 0; k < 3; k++)
        first[k] = 0;
    for (int k = 0; k < 9; k++)
        second[k] = 0;
    for (int64_t z = 0; z < shape->shape[2]; z++)
        for (int64_t y = 0; y < shape->shape[1]; y++) {
            const uint8_t *row = shape->inside + (z * shape->shape[1] + y) * shape->shape[0];
            for (int64_t x = 0; x < shape->shape[0]; x++) {
                const double at[3] = { (double)x, (double)y, (double)z };
                if (!row[x]) continue;
                for (int k = 0; k < 3; k++) {
                    first[k] += at[k];
                    for (int l = k; mean && l < 3; l++)
                        second[3 * k + l] +=
                            (at[k] - mean[k]) * shape->spacing[k] * ((at[l] - mean[l]) * shape->spacing[l]);
                }
            }
        }
}

static void put_axes(morphology *m) {
    const double n = (double)m->shape.count;
    double sum[3], mean[3], covariance[9], values[3], scratch[6], semi[3];

    sum_coordinates(&m->shape, NULL, sum, covariance);
    for (int k = 0; k < 3; k++)
        mean[k] = sum[k] / n;
    sum_coordinates(&m->shape, mean, sum, covariance);
    for (int k = 0; k < 9; k++) /* the sample's covariance, as in IBSI's reference values; one voxel has none */
        covariance[k] /= n - 1;
    ren__eigen_symmetric(3, covariance, values, NULL, scratch);
    for (int k = 0; k < 3; k++) /* what rounding leaves of a direction without extent is 0 */
        semi[k] = values[k] <= 1e-12 * values[2] ? 0 : 2 * sqrt(values[k]);
    m->all[MORPH_LEAST] = 2 * semi[0];
    m->all[MORPH_MINOR] = 2 * semi[1];
    m->all[MORPH_MAJOR] = 2 * semi[2];
    m->all[MORPH_ELONGATION] = ratio(semi[1], semi[2]);
    m->all[MORPH_FLATNESS] = ratio(semi[0], semi[2]);
    put_ellipsoid(m, MORPH_VOL_AEE, semi);
}

/* --------------------------------------------------------------------------------------------------------- hull */

static void put_aligned_box(morphology *m, const ren__hull *hull) {
    double sides[3];

    for (int k = 0; k < 3; k++) {
        double low = INFINITY, high = -INFINITY;
        for (int64_t i = 0; i < hull->vertex_count; i++) {
            low = fmin(low, hull->vertex[i][k]);
            high = fmax(high, hull->vertex[i][k]);
        }
        sides[k] = high - low;
    }
    put_box(m, MORPH_VOL_AABB, sides);
}

static ren_status put_diameter(morphology *m, const ren__hull *hull) {
    ren_context *context = m->region->context;
    ren_status st = REN_OK;
    ren__point *points = NULL;
    double squared = 0;

    REN_CALLOC(points, (size_t)hull->vertex_count);
    for (int64_t i = 0; i < hull->vertex_count; i++)
        for (int k = 0; k < 3; k++)
            points[i].at[2 - k] = hull->vertex[i][k];
    REN_TRY(ren__farthest_pair(context, m->run, points, hull->vertex_count, &squared));
    m->all[MORPH_DIAM] = sqrt(squared);
out:
    ren__free(points);
    return st;
}

static ren_status put_hull(morphology *m, const uint8_t *wanted) {
    ren_context *context = m->region->context;
    ren_status st = REN_OK;
    ren__hull hull = { 0 };
    double three[3], volume, area;

    REN_TRY(ren__hull_create(context, m->shape.inside, m->shape.shape, m->shape.spacing, m->run, &hull));
    ren__hull_measure(&hull, &volume, &area);
    put_densities(m, MORPH_VOL_HULL, volume, area);
    put_aligned_box(m, &hull);
    if (wanted[MORPH_DIAM]) REN_TRY(put_diameter(m, &hull));
    if (any_wanted(wanted, MORPH_VOL_OMBB, MORPH_AREA_OMBB)) {
        REN_TRY(ren__hull_box(context, &hull, m->run, three));
        put_box(m, MORPH_VOL_OMBB, three);
    }
    if (any_wanted(wanted, MORPH_VOL_MVEE, MORPH_AREA_MVEE)) {
        REN_TRY(ren__hull_ellipsoid(context, &hull, m->run, three));
        put_ellipsoid(m, MORPH_VOL_MVEE, three);
    }
out:
    ren__hull_free(&hull);
    return st;
}

/* --------------------------------------------------------------------------------------------------- intensities */

/* From the mask's centre to the intensities' centre of mass, and the integrated intensity. */
static void put_intensities(morphology *m) {
    const ren__region *r = m->region;
    double centre[3], unused[9], sum = 0, weighted[3] = { 0 }, square = 0;

    for (int64_t z = 0; z < r->shape[2]; z++)
        for (int64_t y = 0; y < r->shape[1]; y++)
            for (int64_t x = 0; x < r->shape[0]; x++) {
                const int64_t i = (z * r->shape[1] + y) * r->shape[0] + x;
                if (!r->inside[i]) continue;
                sum += r->values[i];
                weighted[0] += r->values[i] * (double)(x + m->offset[0]);
                weighted[1] += r->values[i] * (double)(y + m->offset[1]);
                weighted[2] += r->values[i] * (double)(z + m->offset[2]);
            }
    sum_coordinates(&m->shape, NULL, centre, unused);
    for (int k = 0; k < 3; k++) {
        const double off = (centre[k] / (double)m->shape.count - ratio(weighted[k], sum)) * r->spacing[k];
        square += off * off;
    }
    m->all[MORPH_COM] = sqrt(square);
    m->all[MORPH_INTEG_INT] = m->mesh.volume * sum / (double)r->count;
}

static ren_status put_autocorrelation(morphology *m) {
    ren__autocorrelation found;
    const ren_status st = ren__autocorrelation_of(m->region, m->run, &found);

    if (st != REN_OK) return st;
    m->all[MORPH_MORAN] = found.moran;
    m->all[MORPH_GEARY] = found.geary;
    return REN_OK;
}

/* -------------------------------------------------------------------------------------------------------- family */

static morphology morphology_of(const ren__region *region, ren__run *run) {
    const ren__roi *mask = region->shape_roi;
    morphology m = { .region = region, .run = run };

    m.shape = (ren__region){ .context = region->context, .inside = region->inside, .count = region->count };
    for (int k = 0; k < 3; k++) {
        m.shape.shape[k] = mask ? mask->shape[k] : region->shape[k];
        m.shape.spacing[k] = region->spacing[k];
        m.offset[k] = mask ? region->roi->begin[k] - mask->begin[k] : 0;
    }
    if (mask) {
        m.shape.inside = mask->inside;
        m.shape.count = mask->count;
    }
    return m;
}

static ren_status compute_morph(const ren__region *region, const ren__radiomics_settings *settings,
                                const uint8_t *wanted, ren__run *run, double *values) {
    ren_status st = REN_OK;
    morphology m = morphology_of(region, run);

    (void)settings;
    REN_TRY(ren__mesh_measure(&m.shape, run, &m.mesh));
    put_mesh(&m);
    put_axes(&m);
    put_intensities(&m);
    if (wanted[MORPH_DIAM] || any_wanted(wanted, MORPH_VOL_AABB, MORPH_AREA_OMBB) ||
        any_wanted(wanted, MORPH_VOL_MVEE, MORPH_AREA_HULL))
        REN_TRY(put_hull(&m, wanted));
    if (any_wanted(wanted, MORPH_MORAN, MORPH_GEARY)) REN_TRY(put_autocorrelation(&m));
    for (int32_t f = 0; f < MORPH_COUNT; f++)
        if (wanted[f]) values[f] = m.all[f];
out:
    return st;
}

const ren__feature_class ren__class_ibsi_morph = {
    .name = "ibsi_morph",
    .features = morph_features,
    .count = MORPH_COUNT,
    .parts = REN__REGION_VALUES,
    .compute = compute_morph,
};
