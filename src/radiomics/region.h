/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A region of interest, cropped to its box: what a feature class computes on. And its way there from an image and a
 * label map: geometry checks, normalisation, resampling, resegmentation (prepare.c), reading and discretisation
 * (region.c).
 */
#ifndef REN_RADIOMICS_REGION_H
#define REN_RADIOMICS_REGION_H

#include "radiomics/settings.h"
#include "volume/volume.h"

/* The voxels of a region within their bounding box on some image's grid. */
typedef struct ren__roi {
    int64_t begin[3], shape[3]; /* bounding box, voxels along x, y, z */
    uint8_t *inside;            /* shape[0] x shape[1] x shape[2], x fastest, 0 or 1 */
    int64_t count;              /* voxels inside; 0: begin and shape are 0 and inside is NULL */
} ren__roi;

void ren__roi_free(ren__roi *roi); /* of one that was zeroed, too */

/* One region of one image, ready for the feature classes. All arrays have shape[0] x shape[1] x shape[2] elements, x
 * fastest: PyRadiomics' [z][y][x]. */
typedef struct ren__region {
    ren_context *context;
    int64_t shape[3];
    double spacing[3];     /* mm along x, y, z */
    int64_t count;         /* voxels inside, at least 1 */
    const uint8_t *inside; /* 0 or 1 */
    const double *values;  /* grey values, also of the box's voxels outside; NULL where only shape is wanted */
    /* Discretised: 1 .. level_count inside, 0 outside. Levels that do not occur are left out, so that matrices are as
     * small as they can be: grey[l - 1] is the grey level (PyRadiomics' bin number, from 1) of level l, rising. */
    const uint16_t *levels;
    const double *grey;
    int32_t level_count;
    double bin_width; /* of the discretisation; NaN where the bins are of a fixed number */
    /* Where the box lies, as ren__region_create got it, borrowed. */
    const ren_volume *image;
    const ren__roi *roi;
    /* IBSI's morphological mask, on the same grid, borrowed: whoever extracts sets it after ren__region_create; NULL:
     * the region itself. */
    const ren__roi *shape_roi;
} ren__region;

enum { REN__REGION_VALUES = 1, REN__REGION_LEVELS = 2 };

/* Reads the box of `roi` from `image`, which is on roi's grid, and discretises: `parts` says what is needed
 * (REN__REGION_*; levels need values). More than 65,535 different levels are REN_E_DATA: the bin width is too small.
 * `roi` is borrowed and must live as long. */
ren_status ren__region_create(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                              int32_t parts, ren__run *run, ren__region *out) REN_CHECKED;
void ren__region_free(ren__region *region); /* of one that was zeroed, too */
/* Frees the grey values, for classes that read levels alone. */
void ren__region_drop_values(ren__region *region);

/* --------------------------------------------------------------------------------- from volumes to regions */

/* A set of labels that make one region, for instance the left lung: "1+2". */
typedef struct ren__label_set {
    const char *name; /* the row's name */
    const int32_t *labels;
    int32_t count;
} ren__label_set;

/* An image with a label map on its grid, checked, and the boxes of all label sets found in one pass. */
typedef struct ren__case ren__case;

/* Checks the two grids (geometryTolerance; correctMask resamples the label map; a mismatch is REN_E_DATA with the
 * difference in mm), normalises where asked for, and finds the label sets. Nothing is copied unless normalisation asks
 * for it. A set without voxels is no error here. */
ren_status ren__case_create(const ren_volume *image, const ren_volume *mask, const ren__label_set *sets, int32_t count,
                            const ren__radiomics_settings *settings, ren__run *run, ren__case **out) REN_CHECKED;
void ren__case_free(ren__case *subject);

/* One label set after normalisation, resampling and resegmentation. */
typedef struct ren__prepared {
    ren_volume *image;     /* held; what the image types are derived from */
    ren__roi roi;          /* for every class but shape */
    ren__roi shape_roi;    /* for shape and shape2D: resegmentShape decides whether it is the resegmented one; may be a
                              copy of roi's box */
    ren__roi original_roi; /* before resampling and resegmentation, on the original grid, for the diagnostics */
    int interpolated, resegmented;
    ren__roi interpolated_roi; /* after resampling, before resegmentation; count 0 unless interpolated */
} ren__prepared;

/* Everything PyRadiomics does before features are computed, for set `index` of the case. A region that is empty, too
 * small (minimumROISize) or of too few dimensions is REN_E_DATA. */
ren_status ren__case_prepare(ren__case *subject, int32_t index, ren__run *run, ren__prepared *out) REN_CHECKED;
void ren__prepared_free(ren__prepared *prepared);

/* The image and the label map of the case as they came in (the map after correctMask). */
const ren_volume *ren__case_image(const ren__case *subject);
const ren_volume *ren__case_mask(const ren__case *subject);

#endif
