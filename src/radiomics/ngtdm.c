/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbourhood grey tone difference: counting. ngtdm_features.c has the formulas. */
#include "radiomics/ngtdm.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/classes.h"
#include "radiomics/texture_rows.h"

/*
 * |g - sum / k| is |g k - sum| / k, a whole number over the number k of neighbours. The whole numbers are summed for
 * each level and k: exactly, so that the order of voxels does not matter, and each difference is divided once.
 */
typedef struct ngtdm_job {
    const ren__region *region;
    const ren__level_grid *grid;
    const ren__row_kernels *kernels;
    const int64_t *distances;
    int64_t steps, row;
    int alone;        /* on one thread, whatever its number */
    uint16_t *counts; /* [thread][row] */
    uint32_t *sums;   /* [thread][row] */
    uint64_t *tables; /* [thread][level_count][steps + 1]: sums of whole numbers; in column 0, voxels */
    uint32_t *voxels; /* [thread][level_count] of those with neighbours */
} ngtdm_job;

static void count_row(const ngtdm_job *job, int64_t row, int32_t thread) {
    const ren__level_grid *grid = job->grid;
    const int64_t begin = grid->spans[2 * row], n = grid->spans[2 * row + 1] - begin, ny = grid->shape[1];
    const int64_t cell = grid->origin + row / ny * grid->plane + row % ny * grid->pitch + begin;
    const uint16_t *levels = job->region->levels + row * grid->shape[0] + begin;
    const int64_t columns = job->steps + 1, level_count = job->region->level_count;
    uint16_t *counts = job->counts + thread * job->row;
    uint32_t *sums = job->sums + thread * job->row, *voxels = job->voxels + thread * level_count;
    uint64_t *table = job->tables + thread * level_count * columns;

    if (n <= 0) return;
    job->kernels->neighbours((const char *)grid->cells + (grid->wide ? 2 * cell : cell), job->distances, job->steps, n,
                             counts, sums);
    for (int64_t x = 0; x < n; x++) {
        if (!levels[x]) continue;
        const int64_t level = levels[x] - 1;
        const int64_t difference = (int64_t)job->region->grey[level] * counts[x] - sums[x];
        if (counts[x]) {
            voxels[level]++;
            table[level * columns + counts[x]] += (uint64_t)(difference < 0 ? -difference : difference);
        } else {
            table[level * columns]++;
        }
    }
}

static void count_slices(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const ngtdm_job *job = argument;
    const int64_t ny = job->grid->shape[1];

    for (int64_t row = begin * ny; row < end * ny; row++)
        count_row(job, row, job->alone ? 0 : thread);
}

static void take_sums(const ngtdm_job *job, int32_t tables, int lonely, ren__ngtdm *out) {
    const int64_t columns = job->steps + 1, level_count = job->region->level_count;

    for (int64_t l = 0; l < level_count; l++) {
        const uint64_t *own = job->tables + l * columns;
        out->voxels[l] = 0;
        out->differences[l] = 0.0;
        for (int32_t t = 0; t < tables; t++) {
            out->voxels[l] += job->voxels[t * level_count + l];
            if (lonely) out->voxels[l] += (int64_t)own[t * level_count * columns];
        }
        for (int64_t k = 1; k < columns; k++) {
            uint64_t sum = 0;
            for (int32_t t = 0; t < tables; t++)
                sum += own[t * level_count * columns + k];
            out->differences[l] += (double)sum / (double)k;
        }
    }
}

/* The grey levels in a grid of their own, as if they were levels. */
static ren_status grey_grid(const ren__region *region, const ren__steps *steps, ren__run *run, ren__level_grid *grid) {
    const double highest = region->grey[region->level_count - 1];
    ren_status st = REN_OK;
    ren__region as_grey = *region;

    /* Levels without gaps are grey levels already. */
    if (highest > region->level_count) as_grey.level_count = highest <= UINT8_MAX ? UINT8_MAX : UINT16_MAX;
    REN_TRY(ren__level_grid_create(&as_grey, steps->items, steps->count, run, grid));
    if (highest <= region->level_count) goto out;
    for (int64_t row = 0; row < region->shape[1] * region->shape[2]; row++) {
        const int64_t ny = region->shape[1];
        const int64_t cell = grid->origin + row / ny * grid->plane + row % ny * grid->pitch;
        for (int64_t x = grid->spans[2 * row]; x < grid->spans[2 * row + 1]; x++) {
            const uint16_t level = region->levels[row * region->shape[0] + x];
            const uint16_t grey = level ? (uint16_t)region->grey[level - 1] : 0;
            if (grid->wide)
                ((uint16_t *)grid->cells)[cell + x] = grey;
            else
                ((uint8_t *)grid->cells)[cell + x] = (uint8_t)grey;
        }
    }
out:
    return st;
}

/* One voxel after the other in doubles, where the tables would be too large or grey levels too high for them. */
static ren_status count_plainly(const ren__region *region, const ren__level_grid *grid, const ren__steps *steps,
                                const int64_t *distances, int lonely, ren__run *run, ren__ngtdm *out) {
    const int64_t nx = region->shape[0], ny = region->shape[1];
    ren_status st = REN_OK;

    for (int64_t row = 0; row < ny * region->shape[2]; row++) {
        if (row % ny == 0 && (st = ren__run_check(run)) != REN_OK) return st;
        for (int64_t x = grid->spans[2 * row]; x < grid->spans[2 * row + 1]; x++) {
            const uint16_t level = region->levels[row * nx + x];
            const int64_t cell = grid->origin + row / ny * grid->plane + row % ny * grid->pitch + x;
            double count = 0.0, sum = 0.0;
            if (!level) continue;
            for (int64_t s = 0; s < steps->count; s++) {
                const int64_t at = cell + distances[s];
                const int32_t near =
                    grid->wide ? ((const uint16_t *)grid->cells)[at] : ((const uint8_t *)grid->cells)[at];
                if (!near) continue;
                count += 1.0;
                sum += region->grey[near - 1];
            }
            if (count > 0.0) out->differences[level - 1] += fabs(region->grey[level - 1] - sum / count);
            out->voxels[level - 1] += count > 0.0 || lonely;
        }
    }
    return REN_OK;
}

static ren_status count_in_tables(ngtdm_job *job, int lonely, ren__run *run, ren__ngtdm *out) {
    ren_status st = REN_OK;
    ren_context *context = job->region->context;
    const int64_t slices = ren__slices_at_once(job->region->shape);
    job->alone = job->region->shape[2] <= slices;
    const int32_t tables = job->alone ? 1 : context->threads;
    const size_t levels = (size_t)job->region->level_count * (size_t)tables;

    job->row = job->region->shape[0] + REN__ROW_OVERRUN;
    REN_CALLOC(job->tables, levels * (size_t)(job->steps + 1));
    REN_CALLOC(job->voxels, levels);
    REN_ALLOC(job->counts, (size_t)job->row * (size_t)tables * sizeof *job->counts);
    REN_ALLOC(job->sums, (size_t)job->row * (size_t)tables * sizeof *job->sums);
    job->kernels = ren__row_kernels_of(context, job->grid->wide);
    ren__parallel_for(context, run, job->region->shape[2], job->alone ? job->region->shape[2] : slices, count_slices,
                      job);
    REN_TRY(ren__run_check(run));
    take_sums(job, tables, lonely, out);
out:
    ren__free(job->tables);
    ren__free(job->voxels);
    ren__free(job->counts);
    ren__free(job->sums);
    return st;
}

/* Tables of at most 2 MB, of sums that cannot overflow: a difference is below 65,535 squared. */
enum { TABLE_CELLS_MAX = 1 << 18 };

ren_status ren__ngtdm_count(const ren__region *region, const ren__steps *steps, int lonely, ren__run *run,
                            ren__ngtdm *out) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    ren__level_grid grid = { 0 };
    ren__ngtdm matrix = { .level_count = region->level_count };
    ngtdm_job job = { .region = region, .grid = &grid, .steps = steps->count };
    int64_t *distances = NULL;
    const int tabled = region->grey[region->level_count - 1] <= UINT16_MAX && steps->count <= UINT16_MAX &&
                       region->level_count * (steps->count + 1) <= TABLE_CELLS_MAX;

    REN_CALLOC(matrix.voxels, (size_t)region->level_count);
    REN_CALLOC(matrix.differences, (size_t)region->level_count);
    REN_ALLOC(distances, (size_t)steps->count * sizeof *distances);
    if (tabled)
        REN_TRY(grey_grid(region, steps, run, &grid));
    else
        REN_TRY(ren__level_grid_create(region, steps->items, steps->count, run, &grid));
    for (int64_t s = 0; s < steps->count; s++)
        distances[s] = ren__level_grid_distance(&grid, &steps->items[s]);
    job.distances = distances;
    if (tabled)
        REN_TRY(count_in_tables(&job, lonely, run, &matrix));
    else
        REN_TRY(count_plainly(region, &grid, steps, distances, lonely, run, &matrix));
    *out = matrix;
out:
    if (st != REN_OK) ren__ngtdm_free(&matrix);
    ren__free(distances);
    ren__level_grid_free(&grid);
    return st;
}

void ren__ngtdm_free(ren__ngtdm *matrix) {
    ren__free(matrix->voxels);
    ren__free(matrix->differences);
    *matrix = (ren__ngtdm){ 0 };
}

/* ------------------------------------------------------------------------------------------------------------ class */

static const ren__feature features[REN__NGTDM_FEATURES] = {
    { "Busyness", "1", "NQ30", 0 }, { "Coarseness", "1", "QCDE", 0 }, { "Complexity", "1", "HDEZ", 0 },
    { "Contrast", "1", "65HE", 0 }, { "Strength", "1", "1X9X", 0 },
};

static ren_status compute(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values) {
    ren_status st = REN_OK;
    ren__steps steps = { NULL, 0 };
    ren__ngtdm matrix = { 0 };
    double all[REN__NGTDM_FEATURES];

    for (int f = 0; f < REN__NGTDM_FEATURES; f++)
        all[f] = (double)NAN;
    REN_TRY(
        ren__steps_create(region->context, region->shape, &settings->distances, ren__still_axis(settings), 1, &steps));
    if (steps.count > 0) { /* a box of one voxel: PyRadiomics gives up */
        REN_TRY(ren__ngtdm_count(region, &steps, 1, run, &matrix));
        REN_TRY(ren__ngtdm_features(region->context, &matrix, region->grey, run, all));
    }
    for (int f = 0; f < REN__NGTDM_FEATURES; f++)
        if (wanted[f]) values[f] = all[f];
out:
    ren__steps_free(&steps);
    ren__ngtdm_free(&matrix);
    return st;
}

const ren__feature_class ren__class_ngtdm = { "ngtdm", features, REN__NGTDM_FEATURES, REN__REGION_LEVELS, compute };
