/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an extraction does: the settings of PyRadiomics' parameter file under their own names, the image types and
 * features that are enabled, and the `ibsi` section. Plain data, filled by params.c and read by everything else.
 */
#ifndef REN_RADIOMICS_SETTINGS_H
#define REN_RADIOMICS_SETTINGS_H

#include <jansson.h>

#include "base/context.h"

enum { REN__LIST_MAX = 32 }; /* distances, sigmas, ranges: longer lists are refused */

enum {
    REN__NORM_NONE = 0, /* `weightingNorm` absent: directions are averaged, not weighted */
    REN__NORM_NO_WEIGHTING,
    REN__NORM_EUCLIDEAN,
    REN__NORM_MANHATTAN,
    REN__NORM_INFINITY
};

enum { REN__RESEGMENT_ABSOLUTE = 0, REN__RESEGMENT_RELATIVE, REN__RESEGMENT_SIGMA };

enum {
    REN__INTERPOLATE_NONE = -1, /* `interpolator` null: no resampling, whatever resampledPixelSpacing says */
    REN__INTERPOLATE_NEAREST = 0,
    REN__INTERPOLATE_LINEAR,
    REN__INTERPOLATE_BSPLINE,
    REN__INTERPOLATE_GAUSSIAN,
    REN__INTERPOLATE_LABEL_GAUSSIAN,
    REN__INTERPOLATE_HAMMING,
    REN__INTERPOLATE_COSINE,
    REN__INTERPOLATE_WELCH,
    REN__INTERPOLATE_LANCZOS,
    REN__INTERPOLATE_BLACKMAN
};

/* How a texture matrix is made of directions and slices (IBSI reference manual, 3.6 and 3.7). */
enum {
    REN__AGGREGATE_2D_AVERAGED = 0, /* each direction of each slice by itself, averaged over all */
    REN__AGGREGATE_2D_MERGED,       /* directions merged within a slice, averaged over slices */
    REN__AGGREGATE_25D_AVERAGED,    /* slices merged for each direction, averaged over directions */
    REN__AGGREGATE_25D_MERGED,      /* all slices and directions merged */
    REN__AGGREGATE_3D_AVERAGED,
    REN__AGGREGATE_3D_MERGED
};

typedef struct ren__doubles {
    int32_t count;
    double values[REN__LIST_MAX];
} ren__doubles;

/* The section `ibsi`, of mode REN_RADIOMICS_IBSI alone. */
typedef struct ren__ibsi_settings {
    int32_t aggregation;    /* REN__AGGREGATE_* */
    int32_t round;          /* grey values to whole numbers after interpolation */
    int32_t outlier_filter; /* resegment to mean +- sigma, after and together with resegmentRange */
    double outlier_sigma;   /* 3 */
    int32_t bin_at_range;   /* fixed bins start at the resegmentation's minimum, where there is one */
    int32_t grid_at_centre; /* the resampled grid shares the image's centre, not its corner */
    int32_t in_plane;       /* 2-D interpolation: slices stay as they are */
    double mask_threshold;  /* share of a voxel that is inside, 0.5, where the mask is interpolated linearly */
    int32_t ivh_mode;       /* REN__IVH_*: see ibsi_volume_histogram.c */
    double ivh_bin_width;   /* 0: as the mode says */
    int32_t ivh_bin_count;  /* 0: as the mode says */
} ren__ibsi_settings;

typedef struct ren__radiomics_settings {
    int32_t mode;   /* REN_RADIOMICS_* */
    int32_t planar; /* the image has two dimensions; set for one extraction, no setting */
    /* geometry */
    int32_t label, label_channel;
    int32_t minimum_dimensions; /* minimumROIDimensions, 1 to 3 */
    int32_t minimum_size;       /* minimumROISize in voxels; 0: none */
    double geometry_tolerance;  /* 0: PyRadiomics' own, 1e-6 */
    int32_t correct_mask, additional_info;
    /* image */
    int32_t normalize;
    double normalize_scale, remove_outliers; /* remove_outliers 0: none */
    int32_t resample;                        /* resampledPixelSpacing is given, and an interpolator */
    int32_t spacing_given;                   /* how many numbers resampledPixelSpacing has: 2, 3; 0: not given */
    double resampled_spacing[3];             /* x, y, z; 0: the image's own along that axis */
    int32_t interpolator;                    /* REN__INTERPOLATE_* */
    int32_t pre_crop, pad_distance;
    ren__doubles resegment_range; /* 0, 1 or 2 values */
    int32_t resegment_mode, resegment_shape;
    /* discretisation */
    double bin_width;
    int32_t bin_count; /* 0: bin_width counts */
    /* features */
    int32_t force_2d, force_2d_dimension; /* 0 z, 1 y, 2 x: PyRadiomics' order */
    ren__doubles distances;               /* whole numbers from 1 */
    int32_t symmetrical_glcm;
    int32_t weighting_norm; /* REN__NORM_* */
    double gldm_a, voxel_array_shift;
    /* filters */
    ren__doubles sigma;
    /* sigma_whole[i]: sigma i was written as a whole number, 3 and not 3.0. PyRadiomics names the image after it:
     * log-sigma-3-mm-3D and log-sigma-3-0-mm-3D. */
    uint8_t sigma_whole[REN__LIST_MAX];
    char wavelet[16];
    int32_t start_level, level;
    int32_t gradient_use_spacing;
    double lbp2d_radius;
    int32_t lbp2d_samples;
    char lbp2d_method[16];
    int32_t lbp3d_levels;
    double lbp3d_icosphere_radius;
    int32_t lbp3d_icosphere_subdivision;
    /* voxel-based maps */
    int32_t kernel_radius, masked_kernel;
    double init_value;
    int32_t voxel_batch; /* 0: not given. PyRadiomics' bound of its memory, which decides a few values of maps */
    ren__ibsi_settings ibsi;
} ren__radiomics_settings;

enum { REN__IMAGE_TYPES_MAX = 16, REN__CLASSES_MAX = 16, REN__CLASS_FEATURES_MAX = 128 };

struct ren__image_type;    /* image_types.h */
struct ren__feature_class; /* classes.h */

/* A parameter file, resolved. */
typedef struct ren__radiomics_params {
    ren__radiomics_settings settings; /* for shape, geometry and everything before the image types */
    int32_t image_type_count;
    struct {
        const struct ren__image_type *type;
        ren__radiomics_settings settings; /* the general ones overlaid with this type's own */
    } image_types[REN__IMAGE_TYPES_MAX];  /* in the file's order */
    /* wanted[class][feature], classes in the order of ren__radiomics_classes(mode) */
    uint8_t wanted[REN__CLASSES_MAX][REN__CLASS_FEATURES_MAX];
    /* The order of the columns: enabled classes and their features as the file names them, PyRadiomics' own where it
     * does not. */
    int32_t class_count;
    struct {
        int32_t index; /* in ren__radiomics_classes(mode) */
        int32_t feature_count;
        uint8_t features[REN__CLASS_FEATURES_MAX]; /* indices in the class's list */
    } classes[REN__CLASSES_MAX];
} ren__radiomics_params;

/* PyRadiomics' defaults: image type Original, all features but shape2D and those that are given only by name. `mode` is
 * REN_RADIOMICS_*. */
void ren__radiomics_defaults(int32_t mode, ren__radiomics_params *params);
/* What a parameter file's tree asks for, everything it does not name at its default: sections `setting`,
 * `voxelSetting`, `featureClass`, `imageType`, and in the mode for it `ibsi`. As in PyRadiomics a file stands for
 * itself: without `imageType` the image type is Original, without `featureClass` all classes are enabled, shape2D too.
 * The mode is params->settings.mode. An unknown key or a value of the wrong kind or out of range is REN_E_FORMAT, with
 * `name` (the file), the key and the nearest known one in the text; params is then as before. */
ren_status ren__radiomics_params_read(const json_t *tree, const char *name, ren__radiomics_params *params) REN_CHECKED;
/* The same for a tree whose empty sections mean what they say: nothing is enabled. */
ren_status ren__radiomics_params_resolve(const json_t *tree, const char *name,
                                         ren__radiomics_params *params) REN_CHECKED;
/* One key of `setting` or `voxelSetting` in `settings`. */
ren_status ren__radiomics_setting_read(const char *key, const json_t *value, const char *name,
                                       ren__radiomics_settings *settings) REN_CHECKED;
/* Names of the keys of `setting` (`voxel` 0) or `voxelSetting` (1), ended by NULL. */
enum { REN__SETTINGS_MAX = 48 };
void ren__radiomics_setting_names(int voxel, const char *names[REN__SETTINGS_MAX]);
/* All settings of `setting` (`voxel` 0) or `voxelSetting` (1) under their names; NULL: no memory. */
json_t *ren__radiomics_settings_json(const ren__radiomics_settings *settings, int voxel);
void ren__radiomics_settings_default(int32_t mode, ren__radiomics_settings *settings);

#endif
