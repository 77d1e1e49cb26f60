/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IBSI chapter 1 (Zwanenburg et al., Radiology 2020; reference manual arXiv:1612.07003): the section `ibsi` of the
 * parameter file, and the families of mode REN_RADIOMICS_IBSI. A family is one feature class; its features carry the
 * names that IBSI's reference tables give them, so that the column of the table's row "cm_joint_avg_3D_comb" is
 * "ibsi_cm_joint_avg_3D_comb".
 */
#ifndef REN_RADIOMICS_IBSI_H
#define REN_RADIOMICS_IBSI_H

#include "radiomics/classes.h"

/* What the intensity-volume histogram is made of (manual, 3.5). */
enum {
    REN__IVH_INTENSITIES = 0, /* the grey values themselves, in steps of 1: discrete units, as rounded HU */
    REN__IVH_BIN_WIDTH,       /* bins of ivh_bin_width from the resegmentation's minimum: continuous units */
    REN__IVH_BIN_COUNT        /* ivh_bin_count bins over the region's range: arbitrary units */
};

/* Aggregation over the volume with merged directions, grids aligned at their centres, bins from the resegmentation's
 * minimum, no rounding, no outlier filter, the histogram of the intensities themselves. */
void ren__ibsi_settings_default(ren__ibsi_settings *settings);
/* Overlays `settings` with the section `ibsi`:
 *     aggregation    "2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg" or "3D_comb"
 *     rounding       true: grey values to whole numbers after interpolation
 *     outlierSigma   3: resegment to mean +- 3 standard deviations, together with resegmentRange; null: do not
 *     binOrigin      "range": bins of fixed width start at the lower end of resegmentRange, without one at the lowest
 *                    value; "multiple": at a multiple of their width, as PyRadiomics'
 *     gridAlignment  "centre" or "corner"
 *     inPlane        true: slices stay as they are when the image is resampled
 *     maskThreshold  0.5: share of a resampled voxel from which on it is inside
 *     ivhBinWidth, ivhBinCount   at most one of them; null: none, the intensities themselves
 * An unknown key or a wrong value is REN_E_FORMAT that begins with `name`; settings are then as before. */
ren_status ren__ibsi_settings_read(const json_t *section, const char *name, ren__ibsi_settings *settings) REN_CHECKED;
/* The section that ren__ibsi_settings_read reads back; NULL: no memory. */
json_t *ren__ibsi_settings_json(const ren__ibsi_settings *settings);
/* "3D_comb" for REN__AGGREGATE_3D_MERGED. */
const char *ren__ibsi_aggregation_name(int32_t aggregation);

/* The families: morphology, local intensity, intensity statistics, intensity histogram, intensity-volume histogram,
 * co-occurrence, run length, size zone, distance zone, neighbourhood tone difference, neighbouring dependence. Their
 * names are "ibsi_morph", "ibsi_loc" and so on. */
extern const ren__feature_class ren__class_ibsi_morph;
extern const ren__feature_class ren__class_ibsi_loc;
extern const ren__feature_class ren__class_ibsi_stat;
extern const ren__feature_class ren__class_ibsi_ih;
extern const ren__feature_class ren__class_ibsi_ivh;
extern const ren__feature_class ren__class_ibsi_cm;
extern const ren__feature_class ren__class_ibsi_rlm;
extern const ren__feature_class ren__class_ibsi_szm;
extern const ren__feature_class ren__class_ibsi_dzm;
extern const ren__feature_class ren__class_ibsi_ngt;
extern const ren__feature_class ren__class_ibsi_ngl;

/* What follows a texture feature's name in its column: "_2_5D_comb" for co-occurrence and run length, "_2_5D" for the
 * matrices without directions, "" for the other families. */
const char *ren__ibsi_suffix(const ren__feature_class *family, const ren__ibsi_settings *settings);

#endif
