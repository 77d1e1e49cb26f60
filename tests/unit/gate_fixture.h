/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of gates that read something share: columns, small predictors, gates. */
#ifndef REN_TESTS_GATE_FIXTURE_H
#define REN_TESTS_GATE_FIXTURE_H

#include "harness.h"
#include "moe/moe.h"

enum { FIXTURE_COLUMNS = 3 };
static const char *const fixture_radiomics[FIXTURE_COLUMNS] = { "original_firstorder_Mean",
                                                                "original_firstorder_Energy",
                                                                "original_shape_VoxelVolume" };
/* Few features of few classes: extraction takes no time. */
static const char fixture_params[] =
    "{\"setting\": {\"binWidth\": 25}, \"imageType\": {\"Original\": {}}, \"featureClass\": {\"firstorder\": "
    "[\"Mean\", \"Energy\"], \"shape\": [\"VoxelVolume\"]}}";
static const double fixture_aucs[REN_REGION_COUNT] = { 0.7, 0.9, 0.5, 0.62, 0.95, 0.75, 0.85 };

/* bias + weight x (first column - mean) / scale */
static inline ren_status fixture_linear(ren_context *context, const ren__columns *columns, double bias, double mean,
                                        double scale, double weight, ren__predictor **out) {
    const ren__linear_feature feature = { .column = 0, .mean = mean, .scale = scale, .weight = weight };

    return ren__predictor_linear(context, columns, "fixture", bias, &feature, 1, out);
}

/* One tree: column 1 below `threshold` gives `low`, else `high`. */
static inline ren_status fixture_tree(ren_context *context, const ren__columns *columns, float threshold, double low,
                                      double high, ren__predictor **out) {
    const ren__tree_node node[3] = {
        { .column = 1, .left = 1, .right = 2, .missing_left = 1, .threshold = threshold, .cover = 10.0 },
        { .column = -1, .value = low, .cover = 4.0 },
        { .column = -1, .value = high, .cover = 6.0 },
    };
    const int32_t begin[2] = { 0, 3 };

    return ren__predictor_trees(context, columns, "fixture", 0.25, 0, node, begin, 1, out);
}

/* A radiomics gate: scores in mode per_scan, regional trees in mode fixed; for the regions of `mask`. */
static inline ren_status fixture_radiomics_gate(ren_context *context, int32_t mode, int32_t normalisation,
                                                double temperature, uint32_t mask, ren_gate **out) {
    ren__gate_parts parts = { .source = "radiomics",
                              .normalisation = normalisation,
                              .mode = mode,
                              .temperature = temperature,
                              .columns = { fixture_radiomics, FIXTURE_COLUMNS },
                              .params = fixture_params };
    ren_status st = REN_OK;

    memcpy(parts.value, fixture_aucs, sizeof fixture_aucs);
    for (int region = 0; region < REN_REGION_COUNT; region++) {
        if (!(mask >> region & 1u)) continue;
        if (mode == REN__GATE_PER_SCAN)
            REN_TRY(fixture_linear(context, &parts.columns, 0.1 * region, -850.0, 40.0, 0.5 - 0.2 * region,
                                   &parts.score[region]));
        REN_TRY(fixture_tree(context, &parts.columns, 1000.0f * (float)(region + 1), -0.5, 0.25 * (region + 1),
                             &parts.predictor[region]));
    }
    REN_TRY(ren__gate_make(context, &parts, out));
out:
    for (int region = 0; region < REN_REGION_COUNT; region++) {
        ren__predictor_free(parts.score[region]);
        ren__predictor_free(parts.predictor[region]);
    }
    return st;
}

/* A gate on `count` deep features; every region's score is bias + weight x (feature 0 - mean) / scale. */
static inline ren_status fixture_features_gate(ren_context *context, int32_t count, double mean, double scale,
                                               double weight, ren_gate **out) {
    ren__gate_parts parts = { .source = "features", .mode = REN__GATE_PER_SCAN, .measure = "separability" };
    ren_status st = REN_OK;

    REN_TRY(ren__feature_columns(context, count, &parts.columns));
    for (int region = 0; region < REN_REGION_COUNT; region++) {
        parts.value[region] = 0.5 + 0.1 * region;
        REN_TRY(fixture_linear(context, &parts.columns, 0.2 * region, mean, scale, weight, &parts.score[region]));
    }
    REN_TRY(ren__gate_make(context, &parts, out));
out:
    for (int region = 0; region < REN_REGION_COUNT; region++)
        ren__predictor_free(parts.score[region]);
    ren__free((void *)parts.columns.name);
    return st;
}

#endif
