/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IBSI's texture families (manual, 3.6 to 3.11): the matrices of the texture classes, aggregated as the section `ibsi`
 * says. 2-D: each slice by itself, then means over slices; 2.5-D: all slices in one matrix, steps within slices; 3-D.
 */
#include <math.h>

#include "radiomics/glcm.h"
#include "radiomics/gldm.h"
#include "radiomics/glrlm.h"
#include "radiomics/glszm.h"
#include "radiomics/ibsi.h"
#include "radiomics/ibsi_depth.h"
#include "radiomics/ngtdm.h"

enum { AXIS_Z = 2 };

/* --------------------------------------------------------------------------------------------------- aggregation */

/* What one matrix is made from: a slice or the whole region, and how. */
typedef struct texture {
    const ren__region *region; /* the whole */
    const ren__radiomics_settings *settings;
    ren__run *run;
    int32_t still;
    ren__steps steps;
    double *weights;       /* of the steps, where directions are merged; else NULL */
    uint16_t *depth;       /* distance zones: each voxel's distance from the outside */
    const uint8_t *wanted; /* co-occurrence: [REN__GLCM_FEATURES] */
    ren__texture_mean mean;
} texture;

/* Adds the features of one part's matrices to the mean; the part begins at plane `z` of the region. */
typedef ren_status (*part_fn)(texture *t, const ren__region *part, int64_t z);

static int is_two_dimensional(const ren__radiomics_settings *settings) {
    return settings->ibsi.aggregation == REN__AGGREGATE_2D_AVERAGED ||
           settings->ibsi.aggregation == REN__AGGREGATE_2D_MERGED;
}

static int is_three_dimensional(const ren__radiomics_settings *settings) {
    return settings->ibsi.aggregation == REN__AGGREGATE_3D_AVERAGED ||
           settings->ibsi.aggregation == REN__AGGREGATE_3D_MERGED;
}

static int is_merged(const ren__radiomics_settings *settings) {
    return settings->ibsi.aggregation == REN__AGGREGATE_2D_MERGED ||
           settings->ibsi.aggregation == REN__AGGREGATE_25D_MERGED ||
           settings->ibsi.aggregation == REN__AGGREGATE_3D_MERGED;
}

static texture texture_of(const ren__region *region, const ren__radiomics_settings *settings, ren__run *run) {
    return (texture){ .region = region,
                      .settings = settings,
                      .run = run,
                      .still = is_three_dimensional(settings) ? ren__still_axis(settings) : AXIS_Z };
}

static void texture_free(texture *t) {
    ren__steps_free(&t->steps);
    ren__free(t->weights);
    ren__free(t->depth);
}

static ren_status aggregate(texture *t, part_fn add) {
    ren_status st = REN_OK;

    if (!is_two_dimensional(t->settings)) return add(t, t->region, 0);
    for (int64_t z = 0; z < t->region->shape[AXIS_Z]; z++) {
        ren__region slice;
        ren__region_slice(t->region, z, &slice);
        if (slice.count > 0) REN_TRY(add(t, &slice, z));
    }
out:
    return st;
}

/* Weights of merged directions: all 1 unless weightingNorm is given. Directions that are averaged need none: a weight
 * would be gone once their matrix is normalised. */
static ren_status weigh_steps(texture *t, int exponential) {
    ren_context *context = t->region->context;
    ren_status st = REN_OK;
    const int32_t norm = t->settings->weighting_norm;

    if (!is_merged(t->settings)) goto out;
    REN_CALLOC(t->weights, (size_t)t->steps.count);
    for (int64_t s = 0; s < t->steps.count; s++) {
        const double length = ren__step_length(&t->steps.items[s], t->region->spacing, norm);
        const int weighted = norm != REN__NORM_NONE && norm != REN__NORM_NO_WEIGHTING;
        t->weights[s] = !weighted ? 1 : exponential ? exp(-length * length) : length;
    }
out:
    return st;
}

static void put_means(const texture *t, const ren__feature_class *family, const uint8_t *sources, const uint8_t *wanted,
                      double *values) {
    for (int32_t f = 0; f < family->count; f++)
        if (wanted[f]) values[f] = ren__texture_mean_value(&t->mean, sources[f]);
}

/* Where the features of run length, zones and dependence stand among REN__SIZE_*: IBSI lists all four alike. */
static const uint8_t size_sources[] = {
    REN__SIZE_SMALL,
    REN__SIZE_LARGE,
    REN__SIZE_LOW_LEVEL,
    REN__SIZE_HIGH_LEVEL,
    REN__SIZE_SMALL_LOW,
    REN__SIZE_SMALL_HIGH,
    REN__SIZE_LARGE_LOW,
    REN__SIZE_LARGE_HIGH,
    REN__SIZE_LEVEL_NONUNIFORMITY,
    REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_NONUNIFORMITY,
    REN__SIZE_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_PERCENTAGE,
    REN__SIZE_LEVEL_VARIANCE,
    REN__SIZE_VARIANCE,
    REN__SIZE_ENTROPY,
    REN__SIZE_ENERGY,
};

/* Adds the features of one matrix of levels by sizes. */
static ren_status add_sizes(texture *t, const ren__size_matrix *matrix, double voxels) {
    const ren__region *region = t->region;
    double values[REN__SIZE_FEATURES];
    const ren_status st =
        ren__size_features(region->context, matrix, region->grey, region->level_count, voxels, values);

    if (st == REN_OK && matrix->count > 0) ren__texture_mean_add(&t->mean, values, REN__SIZE_FEATURES);
    return st;
}

/* -------------------------------------------------------------------------------------------------- co-occurrence */

static const ren__feature cm_features[] = {
    { "joint_max", "1", "GYBY", 0 },
    { "joint_avg", "1", "60VM", 0 },
    { "joint_var", "1", "UR99", 0 },
    { "joint_entr", "bit", "TU9B", 0 },
    { "diff_avg", "1", "TF7R", 0 },
    { "diff_var", "1", "D3YU", 0 },
    { "diff_entr", "bit", "NTRS", 0 },
    { "sum_avg", "1", "ZGXS", 0 },
    { "sum_var", "1", "OEEB", 0 },
    { "sum_entr", "bit", "P6QZ", 0 },
    { "energy", "1", "8ZQL", 0 },
    { "contrast", "1", "ACUI", 0 },
    { "dissimilarity", "1", "8S9J", 0 },
    { "inv_diff", "1", "IB1Z", 0 },
    { "inv_diff_norm", "1", "NDRX", 0 },
    { "inv_diff_mom", "1", "WF0Z", 0 },
    { "inv_diff_mom_norm", "1", "1QCO", 0 },
    { "inv_var", "1", "E8JP", 0 },
    { "corr", "1", "NI2N", 0 },
    { "auto_corr", "1", "QWB0", 0 },
    { "clust_tend", "1", "DG8W", 0 },
    { "clust_shade", "1", "7NFM", 0 },
    { "clust_prom", "1", "AE86", 0 },
    { "info_corr1", "1", "R8DG", 0 },
    { "info_corr2", "1", "JN9H", 0 },
};

/* Where they stand among REN__GLCM_*. */
static const uint8_t cm_sources[] = {
    REN__GLCM_MAXIMUM_PROBABILITY,
    REN__GLCM_JOINT_AVERAGE,
    REN__GLCM_SUM_SQUARES,
    REN__GLCM_JOINT_ENTROPY,
    REN__GLCM_DIFFERENCE_AVERAGE,
    REN__GLCM_DIFFERENCE_VARIANCE,
    REN__GLCM_DIFFERENCE_ENTROPY,
    REN__GLCM_SUM_AVERAGE,
    REN__GLCM_SUM_VARIANCE,
    REN__GLCM_SUM_ENTROPY,
    REN__GLCM_JOINT_ENERGY,
    REN__GLCM_CONTRAST,
    REN__GLCM_DISSIMILARITY,
    REN__GLCM_ID,
    REN__GLCM_IDN,
    REN__GLCM_IDM,
    REN__GLCM_IDMN,
    REN__GLCM_INVERSE_VARIANCE,
    REN__GLCM_CORRELATION,
    REN__GLCM_AUTOCORRELATION,
    REN__GLCM_CLUSTER_TENDENCY,
    REN__GLCM_CLUSTER_SHADE,
    REN__GLCM_CLUSTER_PROMINENCE,
    REN__GLCM_IMC1,
    REN__GLCM_IMC2,
};

static ren_status add_cm(texture *t, const ren__region *part, int64_t z) {
    const ren__glcm_plan plan = { t->steps.items, t->steps.count, t->weights, t->settings->symmetrical_glcm,
                                  t->wanted };

    (void)z;
    return ren__glcm_accumulate(part, &plan, t->run, &t->mean);
}

static ren_status compute_cm(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                             ren__run *run, double *values) {
    ren_status st = REN_OK;
    texture t = texture_of(region, settings, run);
    uint8_t wanted_of_glcm[REN__GLCM_FEATURES] = { 0 };

    for (int32_t f = 0; f < ren__class_ibsi_cm.count; f++)
        if (wanted[f]) wanted_of_glcm[cm_sources[f]] = 1;
    t.wanted = wanted_of_glcm;
    REN_TRY(ren__steps_create(region->context, region->shape, &settings->distances, t.still, 0, &t.steps));
    REN_TRY(weigh_steps(&t, 1));
    REN_TRY(aggregate(&t, add_cm));
    put_means(&t, &ren__class_ibsi_cm, cm_sources, wanted, values);
out:
    texture_free(&t);
    return st;
}

const ren__feature_class ren__class_ibsi_cm = {
    .name = "ibsi_cm",
    .features = cm_features,
    .count = (int32_t)(sizeof cm_features / sizeof *cm_features),
    .parts = REN__REGION_LEVELS,
    .compute = compute_cm,
};

/* ------------------------------------------------------------------------------------------------------ run length */

static const ren__feature rlm_features[] = {
    { "sre", "1", "22OV", 0 },       { "lre", "1", "W4KF", 0 },    { "lgre", "1", "V3SW", 0 },
    { "hgre", "1", "G3QZ", 0 },      { "srlge", "1", "HTZT", 0 },  { "srhge", "1", "GD3A", 0 },
    { "lrlge", "1", "IVPO", 0 },     { "lrhge", "1", "3KUM", 0 },  { "glnu", "1", "R5YN", 0 },
    { "glnu_norm", "1", "OVBL", 0 }, { "rlnu", "1", "W92Y", 0 },   { "rlnu_norm", "1", "IC23", 0 },
    { "r_perc", "1", "9ZK5", 0 },    { "gl_var", "1", "8CE5", 0 }, { "rl_var", "1", "SXLW", 0 },
    { "rl_entr", "bit", "HJ9O", 0 },
};

static ren_status add_rlm(texture *t, const ren__region *part, int64_t z) {
    const ren__glrlm_plan plan = { t->steps.items, t->steps.count, t->weights, 0 };

    (void)z;
    return ren__glrlm_accumulate(part, &plan, t->run, &t->mean);
}

static ren_status compute_rlm(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                              ren__run *run, double *values) {
    ren_status st = REN_OK;
    texture t = texture_of(region, settings, run);

    REN_TRY(ren__steps_create(region->context, region->shape, NULL, t.still, 0, &t.steps));
    REN_TRY(weigh_steps(&t, 0));
    REN_TRY(aggregate(&t, add_rlm));
    put_means(&t, &ren__class_ibsi_rlm, size_sources, wanted, values);
out:
    texture_free(&t);
    return st;
}

const ren__feature_class ren__class_ibsi_rlm = {
    .name = "ibsi_rlm",
    .features = rlm_features,
    .count = (int32_t)(sizeof rlm_features / sizeof *rlm_features),
    .parts = REN__REGION_LEVELS,
    .compute = compute_rlm,
};

/* ---------------------------------------------------------------------------------------- size zone, distance zone */

static const ren__feature szm_features[] = {
    { "sze", "1", "5QRC", 0 },       { "lze", "1", "48P8", 0 },    { "lgze", "1", "XMSY", 0 },
    { "hgze", "1", "5GN9", 0 },      { "szlge", "1", "5RAI", 0 },  { "szhge", "1", "HW1V", 0 },
    { "lzlge", "1", "YH51", 0 },     { "lzhge", "1", "J17V", 0 },  { "glnu", "1", "JNSA", 0 },
    { "glnu_norm", "1", "Y1RO", 0 }, { "zsnu", "1", "4JP3", 0 },   { "zsnu_norm", "1", "VB3A", 0 },
    { "z_perc", "1", "P30P", 0 },    { "gl_var", "1", "BYLV", 0 }, { "zs_var", "1", "3NSA", 0 },
    { "zs_entr", "bit", "GU8N", 0 },
};

static const ren__feature dzm_features[] = {
    { "sde", "1", "0GBI", 0 },       { "lde", "1", "MB4I", 0 },    { "lgze", "1", "S1RA", 0 },
    { "hgze", "1", "K26C", 0 },      { "sdlge", "1", "RUVG", 0 },  { "sdhge", "1", "DKNJ", 0 },
    { "ldlge", "1", "A7WM", 0 },     { "ldhge", "1", "KLTH", 0 },  { "glnu", "1", "VFT7", 0 },
    { "glnu_norm", "1", "7HP3", 0 }, { "zdnu", "1", "V294", 0 },   { "zdnu_norm", "1", "IATH", 0 },
    { "z_perc", "1", "VIWW", 0 },    { "gl_var", "1", "QK93", 0 }, { "zd_var", "1", "7WT1", 0 },
    { "zd_entr", "bit", "GBDU", 0 },
};

/* Zones by size, or by distance where the texture has a map of depths. */
static ren_status add_zones(texture *t, const ren__region *part, int64_t z) {
    ren_status st = REN_OK;
    ren__size_matrix sizes = { 0 }, distances = { 0 };
    const int64_t plane = part->shape[0] * part->shape[1];
    const uint16_t *depth = t->depth ? t->depth + z * plane : NULL;

    REN_TRY(ren__zones_count(part, t->still, depth, t->run, &sizes, &distances));
    REN_TRY(add_sizes(t, depth ? &distances : &sizes, (double)part->count));
out:
    ren__size_matrix_free(&sizes);
    ren__size_matrix_free(&distances);
    return st;
}

static ren_status compute_szm(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                              ren__run *run, double *values) {
    ren_status st = REN_OK;
    texture t = texture_of(region, settings, run);

    REN_TRY(aggregate(&t, add_zones));
    put_means(&t, &ren__class_ibsi_szm, size_sources, wanted, values);
out:
    texture_free(&t);
    return st;
}

static ren_status compute_dzm(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                              ren__run *run, double *values) {
    ren_status st = REN_OK;
    texture t = texture_of(region, settings, run);

    REN_TRY(ren__depth_create(region, t.still, run, &t.depth));
    REN_TRY(aggregate(&t, add_zones));
    put_means(&t, &ren__class_ibsi_dzm, size_sources, wanted, values);
out:
    texture_free(&t);
    return st;
}

const ren__feature_class ren__class_ibsi_szm = {
    .name = "ibsi_szm",
    .features = szm_features,
    .count = (int32_t)(sizeof szm_features / sizeof *szm_features),
    .parts = REN__REGION_LEVELS,
    .compute = compute_szm,
};

const ren__feature_class ren__class_ibsi_dzm = {
    .name = "ibsi_dzm",
    .features = dzm_features,
    .count = (int32_t)(sizeof dzm_features / sizeof *dzm_features),
    .parts = REN__REGION_LEVELS,
    .compute = compute_dzm,
};

/* ------------------------------------------------------------------------------ neighbourhood grey tone difference */

static const ren__feature ngt_features[] = {
    { "coarseness", "1", "QCDE", 0 }, { "contrast", "1", "65HE", 0 }, { "busyness", "1", "NQ30", 0 },
    { "complexity", "1", "HDEZ", 0 }, { "strength", "1", "1X9X", 0 },
};

/* Where they stand among REN__NGTDM_*. */
static const uint8_t ngt_sources[] = {
    REN__NGTDM_COARSENESS, REN__NGTDM_CONTRAST, REN__NGTDM_BUSYNESS, REN__NGTDM_COMPLEXITY, REN__NGTDM_STRENGTH,
};

static ren_status add_ngt(texture *t, const ren__region *part, int64_t z) {
    ren_status st = REN_OK;
    ren__ngtdm matrix = { 0 };
    double values[REN__NGTDM_FEATURES];

    (void)z;
    REN_TRY(ren__ngtdm_count(part, &t->steps, 0, t->run, &matrix));
    REN_TRY(ren__ngtdm_features(part->context, &matrix, t->region->grey, t->run, values));
    ren__texture_mean_add(&t->mean, values, REN__NGTDM_FEATURES);
out:
    ren__ngtdm_free(&matrix);
    return st;
}

static ren_status compute_ngt(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                              ren__run *run, double *values) {
    ren_status st = REN_OK;
    texture t = texture_of(region, settings, run);

    REN_TRY(ren__steps_create(region->context, region->shape, &settings->distances, t.still, 1, &t.steps));
    REN_TRY(aggregate(&t, add_ngt));
    put_means(&t, &ren__class_ibsi_ngt, ngt_sources, wanted, values);
out:
    texture_free(&t);
    return st;
}

const ren__feature_class ren__class_ibsi_ngt = {
    .name = "ibsi_ngt",
    .features = ngt_features,
    .count = (int32_t)(sizeof ngt_features / sizeof *ngt_features),
    .parts = REN__REGION_LEVELS,
    .compute = compute_ngt,
};

/* ------------------------------------------------------------------------------ neighbouring grey level dependence */

static const ren__feature ngl_features[] = {
    { "lde", "1", "SODN", 0 },       { "hde", "1", "IMOQ", 0 },       { "lgce", "1", "TL9H", 0 },
    { "hgce", "1", "OAE7", 0 },      { "ldlge", "1", "EQ3F", 0 },     { "ldhge", "1", "JA6D", 0 },
    { "hdlge", "1", "NBZI", 0 },     { "hdhge", "1", "9QMG", 0 },     { "glnu", "1", "FP8K", 0 },
    { "glnu_norm", "1", "5SPA", 0 }, { "dcnu", "1", "Z87G", 0 },      { "dcnu_norm", "1", "OKJI", 0 },
    { "dc_perc", "1", "6XV8", 0 },   { "gl_var", "1", "1PFV", 0 },    { "dc_var", "1", "DNX2", 0 },
    { "dc_entr", "bit", "FCBV", 0 }, { "dc_energy", "1", "CAS9", 0 },
};

static ren_status add_ngl(texture *t, const ren__region *part, int64_t z) {
    ren_status st = REN_OK;
    ren__size_matrix matrix = { 0 };

    (void)z;
    REN_TRY(ren__gldm_count(part, &t->steps, t->settings->gldm_a, t->run, &matrix));
    REN_TRY(add_sizes(t, &matrix, (double)part->count));
out:
    ren__size_matrix_free(&matrix);
    return st;
}

static ren_status compute_ngl(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                              ren__run *run, double *values) {
    ren_status st = REN_OK;
    texture t = texture_of(region, settings, run);

    REN_TRY(ren__steps_create(region->context, region->shape, &settings->distances, t.still, 1, &t.steps));
    REN_TRY(aggregate(&t, add_ngl));
    put_means(&t, &ren__class_ibsi_ngl, size_sources, wanted, values);
out:
    texture_free(&t);
    return st;
}

const ren__feature_class ren__class_ibsi_ngl = {
    .name = "ibsi_ngl",
    .features = ngl_features,
    .count = (int32_t)(sizeof ngl_features / sizeof *ngl_features),
    .parts = REN__REGION_LEVELS,
    .compute = compute_ngl,
};
