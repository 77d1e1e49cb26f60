/* SPDX-License-Identifier: Apache-2.0 */
/* The class of grey level size zones. glszm_zones.c finds the zones. */
#include "radiomics/glszm.h"

#include <math.h>

#include "radiomics/classes.h"

static const ren__feature features[] = {
    { "GrayLevelNonUniformity", "1", "JNSA", 0 },
    { "GrayLevelNonUniformityNormalized", "1", "Y1RO", 0 },
    { "GrayLevelVariance", "1", "BYLV", 0 },
    { "HighGrayLevelZoneEmphasis", "1", "5GN9", 0 },
    { "LargeAreaEmphasis", "1", "48P8", 0 },
    { "LargeAreaHighGrayLevelEmphasis", "1", "J17V", 0 },
    { "LargeAreaLowGrayLevelEmphasis", "1", "YH51", 0 },
    { "LowGrayLevelZoneEmphasis", "1", "XMSY", 0 },
    { "SizeZoneNonUniformity", "1", "4JP3", 0 },
    { "SizeZoneNonUniformityNormalized", "1", "VB3A", 0 },
    { "SmallAreaEmphasis", "1", "5QRC", 0 },
    { "SmallAreaHighGrayLevelEmphasis", "1", "HW1V", 0 },
    { "SmallAreaLowGrayLevelEmphasis", "1", "5RAI", 0 },
    { "ZoneEntropy", "1", "GU8N", 0 },
    { "ZonePercentage", "1", "P30P", 0 },
    { "ZoneVariance", "1", "3NSA", 0 },
};

enum { FEATURES = sizeof features / sizeof *features };

static const int32_t sources[FEATURES] = {
    REN__SIZE_LEVEL_NONUNIFORMITY,
    REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_LEVEL_VARIANCE,
    REN__SIZE_HIGH_LEVEL,
    REN__SIZE_LARGE,
    REN__SIZE_LARGE_HIGH,
    REN__SIZE_LARGE_LOW,
    REN__SIZE_LOW_LEVEL,
    REN__SIZE_NONUNIFORMITY,
    REN__SIZE_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_SMALL,
    REN__SIZE_SMALL_HIGH,
    REN__SIZE_SMALL_LOW,
    REN__SIZE_ENTROPY,
    REN__SIZE_PERCENTAGE,
    REN__SIZE_VARIANCE,
};

/* Whether anything in the box has a neighbour; where nothing has, PyRadiomics gives up. */
static int has_neighbours(const ren__region *region, int32_t still) {
    for (int32_t a = 0; a < 3; a++)
        if (a != still && region->shape[a] > 1) return 1;
    return 0;
}

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    ren_status st = REN_OK;
    const int32_t still = ren__still_axis(settings);
    ren__size_matrix sizes = { 0 };
    double all[REN__SIZE_FEATURES];

    for (int f = 0; f < REN__SIZE_FEATURES; f++)
        all[f] = (double)NAN;
    if (has_neighbours(region, still)) {
        REN_TRY(ren__zones_count(region, still, NULL, run, &sizes, NULL));
        REN_TRY(ren__size_features(region->context, &sizes, region->grey, region->level_count, 0.0, all));
    }
    for (int f = 0; f < FEATURES; f++)
        if (wanted[f]) values[f] = all[sources[f]];
out:
    ren__size_matrix_free(&sizes);
    return st;
}

const ren__feature_class ren__class_glszm = { "glszm", features, FEATURES, REN__REGION_LEVELS, compute };
