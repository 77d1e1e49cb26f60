/* SPDX-License-Identifier: Apache-2.0 */
/* The section `ibsi` of the parameter file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "radiomics/ibsi.h"

static const char *const aggregation_names[] = { "2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb" };
static const char *const origin_names[] = { "multiple", "range" };   /* by bin_at_range */
static const char *const alignment_names[] = { "corner", "centre" }; /* by grid_at_centre */

enum { BIN_COUNT_MAX = 65535, CHOICES_MAX = 6 };

void ren__ibsi_settings_default(ren__ibsi_settings *settings) {
    *settings = (ren__ibsi_settings){
        .aggregation = REN__AGGREGATE_3D_MERGED,
        .outlier_sigma = 3,
        .bin_at_range = 1,
        .grid_at_centre = 1,
        .mask_threshold = 0.5,
        .ivh_mode = REN__IVH_INTENSITIES,
    };
}

const char *ren__ibsi_aggregation_name(int32_t aggregation) {
    return aggregation_names[aggregation];
}

/* One of `count` names; its place becomes *value. */
static ren_status read_choice(const json_t *section, const char *key, const char *name, const char *const *choices,
                              int32_t count, int32_t *value) {
    const char *given = NULL;
    char list[CHOICES_MAX * 16] = "";
    size_t used = 0;
    const ren_status st = ren__get_string(section, key, name, &given);

    if (st != REN_OK || !given) return st;
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(given, choices[i]) == 0) {
            *value = i;
            return REN_OK;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", choices[i]);
    }
    return ren__error(REN_E_FORMAT, "%s: \"%s\" must be one of %s", name, key, list);
}

static ren_status read_switch(const json_t *section, const char *key, const char *name, int32_t *value) {
    int given = *value;
    const ren_status st = ren__get_boolean(section, key, name, &given);

    *value = given;
    return st;
}

/* A number above 0, at most `high`; null and absence leave *given 0. */
static ren_status read_positive(const json_t *section, const char *key, const char *name, double high, double *value,
                                int *given) {
    const json_t *node = json_object_get(section, key);
    double number = 0;
    ren_status st;

    *given = 0;
    if (!node || json_is_null(node)) return REN_OK;
    st = ren__get_number(section, key, name, &number);
    if (st != REN_OK) return st;
    if (!(number > 0) || !(number <= high))
        return ren__error(REN_E_FORMAT, "%s: \"%s\" must be above 0 and at most %lld", name, key, (long long)high);
    *value = number;
    *given = 1;
    return REN_OK;
}

static ren_status read_ivh(const json_t *section, const char *name, ren__ibsi_settings *settings) {
    ren_status st = REN_OK;
    double width = 0, bins = 0;
    int has_width = 0, has_bins = 0;

    REN_TRY(read_positive(section, "ivhBinWidth", name, 1e12, &width, &has_width));
    REN_TRY(read_positive(section, "ivhBinCount", name, BIN_COUNT_MAX, &bins, &has_bins));
    if (has_width && has_bins)
        REN_FAIL(REN_E_FORMAT, "%s: \"ivhBinWidth\" and \"ivhBinCount\" exclude each other", name);
    if (bins != floor(bins)) REN_FAIL(REN_E_FORMAT, "%s: \"ivhBinCount\" must be a whole number", name);
    if (!has_width && !has_bins && !json_object_get(section, "ivhBinWidth") && !json_object_get(section, "ivhBinCount"))
        goto out;
    settings->ivh_mode = has_width ? REN__IVH_BIN_WIDTH : has_bins ? REN__IVH_BIN_COUNT : REN__IVH_INTENSITIES;
    settings->ivh_bin_width = width;
    settings->ivh_bin_count = (int32_t)bins;
out:
    return st;
}

ren_status ren__ibsi_settings_read(const json_t *section, const char *name, ren__ibsi_settings *settings) {
    static const char *const known[] = { "aggregation", "rounding",      "outlierSigma", "binOrigin",   "gridAlignment",
                                         "inPlane",     "maskThreshold", "ivhBinWidth",  "ivhBinCount", NULL };
    ren__ibsi_settings read = *settings;
    ren_status st = REN_OK;
    int given = 0;

    if (!json_is_object(section)) REN_FAIL(REN_E_FORMAT, "%s: must be a mapping", name);
    REN_TRY(ren__check_keys(section, name, known));
    REN_TRY(read_choice(section, "aggregation", name, aggregation_names, 6, &read.aggregation));
    REN_TRY(read_choice(section, "binOrigin", name, origin_names, 2, &read.bin_at_range));
    REN_TRY(read_choice(section, "gridAlignment", name, alignment_names, 2, &read.grid_at_centre));
    REN_TRY(read_switch(section, "rounding", name, &read.round));
    REN_TRY(read_switch(section, "inPlane", name, &read.in_plane));
    REN_TRY(read_positive(section, "outlierSigma", name, 1e6, &read.outlier_sigma, &given));
    if (json_object_get(section, "outlierSigma")) read.outlier_filter = given;
    if (json_is_null(json_object_get(section, "maskThreshold")))
        REN_FAIL(REN_E_FORMAT, "%s: \"maskThreshold\" must be a number", name);
    REN_TRY(read_positive(section, "maskThreshold", name, 1, &read.mask_threshold, &given));
    REN_TRY(read_ivh(section, name, &read));
    *settings = read;
out:
    return st;
}

json_t *ren__ibsi_settings_json(const ren__ibsi_settings *settings) {
    const int width = settings->ivh_mode == REN__IVH_BIN_WIDTH, bins = settings->ivh_mode == REN__IVH_BIN_COUNT;

    return json_pack("{s:s, s:b, s:o, s:s, s:s, s:b, s:f, s:o, s:o}", "aggregation",
                     aggregation_names[settings->aggregation], "rounding", settings->round, "outlierSigma",
                     settings->outlier_filter ? json_real(settings->outlier_sigma) : json_null(), "binOrigin",
                     origin_names[settings->bin_at_range], "gridAlignment", alignment_names[settings->grid_at_centre],
                     "inPlane", settings->in_plane, "maskThreshold", settings->mask_threshold, "ivhBinWidth",
                     width ? json_real(settings->ivh_bin_width) : json_null(), "ivhBinCount",
                     bins ? json_integer(settings->ivh_bin_count) : json_null());
}

const char *ren__ibsi_suffix(const ren__feature_class *family, const ren__ibsi_settings *settings) {
    static const char *const directed[] = { "_2D_avg", "_2D_comb", "_2_5D_avg", "_2_5D_comb", "_3D_avg", "_3D_comb" };
    static const char *const undirected[] = { "_2D", "_2D", "_2_5D", "_2_5D", "_3D", "_3D" };
    const char *name = family->name;

    if (strcmp(name, "ibsi_cm") == 0 || strcmp(name, "ibsi_rlm") == 0) return directed[settings->aggregation];
    if (strcmp(name, "ibsi_szm") == 0 || strcmp(name, "ibsi_dzm") == 0 || strcmp(name, "ibsi_ngt") == 0 ||
        strcmp(name, "ibsi_ngl") == 0)
        return undirected[settings->aggregation];
    return "";
}
