/* SPDX-License-Identifier: Apache-2.0 */
/* Grey level run lengths: matrices and the class. glrlm_count.c counts. */
#include "radiomics/glrlm.h"

#include <math.h>
#include <string.h>

#include "radiomics/classes.h"
#include "radiomics/glrlm_count.h"

/* Tables of this many cells for each thread at once. */
enum { CELLS_AT_ONCE = 1 << 21 };

/* The runs of one direction as cells, times `weight`. */
static ren_status take_runs(const ren__region *region, const ren__run_table *table, const uint32_t *counts,
                            double weight, ren__size_matrix *matrix, int *paired) {
    ren_status st = REN_OK;
    int64_t left = region->level_count;

    *paired = 0;
    for (int32_t k = 1; left > 0; k++) {
        left = 0;
        for (int32_t l = 1; l <= region->level_count; l++) {
            const uint32_t *own = counts + table->begin[l];
            if (table->begin[l] + k + 1 >= table->begin[l + 1] || !own[k]) continue;
            left++;
            if (own[k] != own[k + 1])
                REN_TRY(ren__size_matrix_add(region->context, matrix, l, k, (double)(own[k] - own[k + 1]) * weight));
        }
        if (left && k > 1) *paired = 1;
    }
out:
    return st;
}

/* Whether any line along `step` holds two voxels of the region, next to each other or not. */
static int some_line_holds_two(const ren__region *region, const ren__step *step) {
    const int64_t nx = region->shape[0], ny = region->shape[1], nz = region->shape[2];
    const int32_t *d = step->along;

    for (int64_t v = 0; v < nx * ny * nz; v++) {
        if (!region->inside[v]) continue;
        int64_t x = v % nx + d[0], y = v / nx % ny + d[1], z = v / (nx * ny) + d[2];
        for (; x >= 0 && x < nx && y >= 0 && y < ny && z >= 0 && z < nz; x += d[0], y += d[1], z += d[2])
            if (region->inside[(z * ny + y) * nx + x]) return 1;
    }
    return 0;
}

static ren_status add_features(const ren__region *region, ren__size_matrix *matrix, ren__texture_mean *mean) {
    ren_status st = REN_OK;
    double values[REN__SIZE_FEATURES];

    ren__size_matrix_finish(matrix);
    REN_TRY(ren__size_features(region->context, matrix, region->grey, region->level_count, 0.0, values));
    if (!isnan(values[REN__SIZE_SMALL])) ren__texture_mean_add(mean, values, REN__SIZE_FEATURES);
out:
    return st;
}

ren_status ren__glrlm_accumulate(const ren__region *region, const ren__glrlm_plan *plan, ren__run *run,
                                 ren__texture_mean *mean) {
    ren_status st = REN_OK;
    ren__level_grid grid = { 0 };
    ren__run_table table = { 0 };
    ren__size_matrix matrix = { 0 };

    REN_TRY(ren__level_grid_create(region, plan->steps, plan->count, run, &grid));
    REN_TRY(ren__run_table_create(region, run, &table));
    const int64_t at_once = 1 + CELLS_AT_ONCE / table.cells;
    for (int64_t s0 = 0; s0 < plan->count; s0 += at_once) {
        const int64_t end = s0 + at_once < plan->count ? s0 + at_once : plan->count;
        REN_TRY(ren__runs_count(region, &grid, plan->steps + s0, end - s0, run, &table));
        for (int64_t s = s0; s < end; s++) {
            const int64_t before = matrix.count;
            int paired;
            REN_TRY(take_runs(region, &table, table.counts + (s - s0) * table.cells,
                              plan->weights ? plan->weights[s] : 1.0, &matrix, &paired));
            if (plan->drop_single && !paired && !some_line_holds_two(region, &plan->steps[s])) matrix.count = before;
            if (plan->weights) continue;
            REN_TRY(add_features(region, &matrix, mean));
            matrix.count = 0;
        }
    }
    if (plan->weights) REN_TRY(add_features(region, &matrix, mean));
out:
    ren__size_matrix_free(&matrix);
    ren__run_table_free(&table);
    ren__level_grid_free(&grid);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ class */

static const ren__feature features[] = {
    { "GrayLevelNonUniformity", "1", "R5YN", 0 },
    { "GrayLevelNonUniformityNormalized", "1", "OVBL", 0 },
    { "GrayLevelVariance", "1", "8CE5", 0 },
    { "HighGrayLevelRunEmphasis", "1", "G3QZ", 0 },
    { "LongRunEmphasis", "1", "W4KF", 0 },
    { "LongRunHighGrayLevelEmphasis", "1", "3KUM", 0 },
    { "LongRunLowGrayLevelEmphasis", "1", "IVPO", 0 },
    { "LowGrayLevelRunEmphasis", "1", "V3SW", 0 },
    { "RunEntropy", "1", "HJ9O", 0 },
    { "RunLengthNonUniformity", "1", "W92Y", 0 },
    { "RunLengthNonUniformityNormalized", "1", "IC23", 0 },
    { "RunPercentage", "1", "9ZK5", 0 },
    { "RunVariance", "1", "SXLW", 0 },
    { "ShortRunEmphasis", "1", "22OV", 0 },
    { "ShortRunHighGrayLevelEmphasis", "1", "GD3A", 0 },
    { "ShortRunLowGrayLevelEmphasis", "1", "HTZT", 0 },
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
    REN__SIZE_ENTROPY,
    REN__SIZE_NONUNIFORMITY,
    REN__SIZE_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_PERCENTAGE,
    REN__SIZE_VARIANCE,
    REN__SIZE_SMALL,
    REN__SIZE_SMALL_HIGH,
    REN__SIZE_SMALL_LOW,
};

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    ren__steps steps = { NULL, 0 };
    ren__texture_mean mean = { 0 };
    double *weights = NULL;

    /* Runs have neighbours at distance 1 whatever `distances` says. */
    REN_TRY(ren__steps_create(context, region->shape, NULL, ren__still_axis(settings), 0, &steps));
    if (settings->weighting_norm != REN__NORM_NONE) {
        REN_ALLOC(weights, (size_t)steps.count * sizeof *weights);
        for (int64_t s = 0; s < steps.count; s++)
            weights[s] = ren__step_length(&steps.items[s], region->spacing, settings->weighting_norm);
    }
    if (steps.count > 0) {
        const ren__glrlm_plan plan = { steps.items, steps.count, weights, 1 };
        REN_TRY(ren__glrlm_accumulate(region, &plan, run, &mean));
    }
    for (int f = 0; f < FEATURES; f++)
        if (wanted[f]) values[f] = ren__texture_mean_value(&mean, sources[f]);
    if (mean.matrices == 0 && steps.count > 0 && (steps.count == 1 || weights)) {
        /* One matrix without runs: these two PyRadiomics gives as sums of nothing, the rest is undefined. */
        for (int f = 0; f < FEATURES; f++)
            if (wanted[f] && (sources[f] == REN__SIZE_ENTROPY || sources[f] == REN__SIZE_VARIANCE)) values[f] = 0.0;
    }
out:
    ren__steps_free(&steps);
    ren__free(weights);
    return st;
}

const ren__feature_class ren__class_glrlm = { "glrlm", features, FEATURES, REN__REGION_LEVELS, compute };
