/* SPDX-License-Identifier: Apache-2.0 */
/* Grey level dependence. */
#include "radiomics/gldm.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/classes.h"
#include "radiomics/texture_rows.h"

typedef struct gldm_job {
    const ren__region *region;
    const ren__level_grid *grid;
    const ren__row_kernels *kernels;
    const int64_t *distances;
    int64_t steps;
    const uint16_t *low, *width; /* [level_count + 1]: levels that depend on a level; NULL: only the level itself */
    uint16_t *rows;              /* [thread][3][row] */
    int64_t row;
    int alone;        /* on one thread, whatever its number */
    uint32_t *tables; /* [thread][level_count][steps + 1] */
} gldm_job;

static void count_row(const gldm_job *job, int64_t row, uint16_t *dependent, uint32_t *table) {
    const ren__level_grid *grid = job->grid;
    const int64_t begin = grid->spans[2 * row], n = grid->spans[2 * row + 1] - begin, ny = grid->shape[1];
    const int64_t cell = grid->origin + row / ny * grid->plane + row % ny * grid->pitch + begin;
    const uint16_t *levels = job->region->levels + row * grid->shape[0] + begin;
    const void *centre = (const char *)grid->cells + (grid->wide ? 2 * cell : cell);
    const int64_t columns = job->steps + 1;

    if (n <= 0) return;
    if (job->low) {
        uint16_t *low = dependent + job->row, *width = low + job->row;
        for (int64_t x = 0; x < n; x++) {
            low[x] = job->low[levels[x]];
            width[x] = job->width[levels[x]];
        }
        job->kernels->within(centre, job->distances, job->steps, n, low, width, dependent);
    } else {
        job->kernels->equal(centre, job->distances, job->steps, n, dependent);
    }
    for (int64_t x = 0; x < n; x++)
        if (levels[x]) table[(levels[x] - 1) * columns + dependent[x]]++;
}

static void count_slices(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const gldm_job *job = argument;
    const int64_t ny = job->grid->shape[1];
    const int64_t own = job->alone ? 0 : thread;
    uint16_t *dependent = job->rows + 3 * job->row * own;
    uint32_t *table = job->tables + own * job->region->level_count * (job->steps + 1);

    for (int64_t row = begin * ny; row < end * ny; row++)
        count_row(job, row, dependent, table);
}

/* For each level the levels whose grey levels differ by at most alpha. */
static void find_ranges(const ren__region *region, double alpha, uint16_t *low, uint16_t *width) {
    int32_t first = 0, last = 0;

    low[0] = width[0] = 1;
    for (int32_t l = 0; l < region->level_count; l++) {
        while (region->grey[l] - region->grey[first] > alpha)
            first++;
        while (last + 1 < region->level_count && region->grey[last + 1] - region->grey[l] <= alpha)
            last++;
        low[l + 1] = (uint16_t)(first + 1);
        width[l + 1] = (uint16_t)(last - first);
    }
}

static ren_status take_cells(ren_context *context, gldm_job *job, int32_t tables, ren__size_matrix *matrix) {
    ren_status st = REN_OK;
    const int64_t columns = job->steps + 1, cells = job->region->level_count * columns;

    for (int64_t j = 0; j < columns; j++)
        for (int64_t l = 0; l < job->region->level_count; l++) {
            double count = 0.0;
            for (int32_t t = 0; t < tables; t++)
                count += job->tables[t * cells + l * columns + j];
            if (count > 0.0) REN_TRY(ren__size_matrix_add(context, matrix, (int32_t)l + 1, (int32_t)j + 1, count));
        }
out:
    return st;
}

ren_status ren__gldm_count(const ren__region *region, const ren__steps *steps, double alpha, ren__run *run,
                           ren__size_matrix *matrix) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    ren__level_grid grid = { 0 };
    gldm_job job = { .region = region, .grid = &grid, .steps = steps->count };
    const int64_t slices = ren__slices_at_once(region->shape);
    uint16_t *ranges = NULL;
    int64_t *distances = NULL;
    size_t cells, rows;
    /* A table of more than 1 MB is not worth having twice. */
    job.alone = region->shape[2] <= slices || region->level_count * (steps->count + 1) > 1 << 18;
    const int32_t tables = job.alone ? 1 : context->threads;

    if (steps->count > UINT16_MAX)
        REN_FAIL(REN_E_LIMIT, "distances: they give %lld neighbours, more than 65,535", (long long)steps->count);
    REN_TRY(ren__level_grid_create(region, steps->items, steps->count, run, &grid));
    job.row = region->shape[0] + REN__ROW_OVERRUN;
    if (!ren__mul_size((size_t)region->level_count * (size_t)tables, (size_t)steps->count + 1, &cells) ||
        !ren__mul_size((size_t)job.row * 3, (size_t)tables * sizeof *job.rows, &rows))
        REN_FAIL(REN_E_LIMIT, "a region has too many levels or rows that are too long for its dependence matrix");
    REN_CALLOC(job.tables, cells);
    REN_ALLOC(job.rows, rows);
    REN_ALLOC(distances, (size_t)steps->count * sizeof *distances);
    for (int64_t s = 0; s < steps->count; s++)
        distances[s] = ren__level_grid_distance(&grid, &steps->items[s]);
    if (alpha > 0.0) {
        REN_ALLOC(ranges, ((size_t)region->level_count + 1) * 2 * sizeof *ranges);
        find_ranges(region, alpha, ranges, ranges + region->level_count + 1);
        job.low = ranges;
        job.width = ranges + region->level_count + 1;
    }
    job.distances = distances;
    job.kernels = ren__row_kernels_of(context, grid.wide);
    ren__parallel_for(context, run, region->shape[2], job.alone ? region->shape[2] : slices, count_slices, &job);
    REN_TRY(ren__run_check(run));
    REN_TRY(take_cells(context, &job, tables, matrix));
out:
    ren__free(job.tables);
    ren__free(job.rows);
    ren__free(distances);
    ren__free(ranges);
    ren__level_grid_free(&grid);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ class */

static const ren__feature features[] = {
    { "DependenceEntropy", "1", "FCBV", 0 },
    { "DependenceNonUniformity", "1", "Z87G", 0 },
    { "DependenceNonUniformityNormalized", "1", "OKJI", 0 },
    { "DependencePercentage", "1", "6XV8", REN__FEATURE_BY_NAME },
    { "DependenceVariance", "1", "DNX2", 0 },
    { "GrayLevelNonUniformity", "1", "FP8K", 0 },
    { "GrayLevelNonUniformityNormalized", "1", "5SPA", REN__FEATURE_BY_NAME },
    { "GrayLevelVariance", "1", "1PFV", 0 },
    { "HighGrayLevelEmphasis", "1", "OAE7", 0 },
    { "LargeDependenceEmphasis", "1", "IMOQ", 0 },
    { "LargeDependenceHighGrayLevelEmphasis", "1", "9QMG", 0 },
    { "LargeDependenceLowGrayLevelEmphasis", "1", "NBZI", 0 },
    { "LowGrayLevelEmphasis", "1", "TL9H", 0 },
    { "SmallDependenceEmphasis", "1", "SODN", 0 },
    { "SmallDependenceHighGrayLevelEmphasis", "1", "JA6D", 0 },
    { "SmallDependenceLowGrayLevelEmphasis", "1", "EQ3F", 0 },
};

enum { FEATURES = sizeof features / sizeof *features };

static const int32_t sources[FEATURES] = {
    REN__SIZE_ENTROPY,
    REN__SIZE_NONUNIFORMITY,
    REN__SIZE_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_PERCENTAGE,
    REN__SIZE_VARIANCE,
    REN__SIZE_LEVEL_NONUNIFORMITY,
    REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_LEVEL_VARIANCE,
    REN__SIZE_HIGH_LEVEL,
    REN__SIZE_LARGE,
    REN__SIZE_LARGE_HIGH,
    REN__SIZE_LARGE_LOW,
    REN__SIZE_LOW_LEVEL,
    REN__SIZE_SMALL,
    REN__SIZE_SMALL_HIGH,
    REN__SIZE_SMALL_LOW,
};

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    ren_status st = REN_OK;
    ren__steps steps = { NULL, 0 };
    ren__size_matrix matrix = { 0 };
    double all[REN__SIZE_FEATURES];

    for (int f = 0; f < REN__SIZE_FEATURES; f++)
        all[f] = (double)NAN;
    REN_TRY(
        ren__steps_create(region->context, region->shape, &settings->distances, ren__still_axis(settings), 1, &steps));
    if (steps.count > 0) { /* a box of one voxel: PyRadiomics gives up */
        REN_TRY(ren__gldm_count(region, &steps, settings->gldm_a, run, &matrix));
        REN_TRY(ren__size_features(region->context, &matrix, region->grey, region->level_count, (double)region->count,
                                   all));
    }
    for (int f = 0; f < FEATURES; f++)
        if (wanted[f]) values[f] = all[sources[f]];
out:
    ren__steps_free(&steps);
    ren__size_matrix_free(&matrix);
    return st;
}

const ren__feature_class ren__class_gldm = { "gldm", features, FEATURES, REN__REGION_LEVELS, compute };
