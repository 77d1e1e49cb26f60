/* SPDX-License-Identifier: Apache-2.0 */
/* Counting of pairs of levels. */
#include "radiomics/glcm_count.h"

#include <string.h>

#include "base/parallel.h"

/* A thread's tables stay in its second-level cache. */
enum { TABLE_BYTES = 4 << 20, TABLE_BYTES_AT_ONCE = 1 << 20, CELLS_PER_VOXEL = 8, CELLS_FREE = 4096 };

/* ----------------------------------------------------------------------------------------------------------- matrix */

ren_status ren__glcm_reserve(ren_context *context, ren__glcm *matrix, int32_t level_count, int64_t capacity) {
    if (!matrix->begin || matrix->level_count < level_count) {
        int64_t *begin = ren__realloc(context, matrix->begin, ((size_t)level_count + 1) * sizeof *begin);
        if (!begin) return ren__out_of_memory();
        matrix->begin = begin;
    }
    matrix->level_count = level_count;
    matrix->begin[0] = 0;
    if (capacity <= matrix->capacity) return REN_OK;
    uint16_t *columns = ren__realloc(context, matrix->columns, (size_t)capacity * sizeof *columns);
    if (!columns) return ren__out_of_memory();
    matrix->columns = columns;
    double *values = ren__realloc(context, matrix->values, (size_t)capacity * sizeof *values);
    if (!values) return ren__out_of_memory();
    matrix->values = values;
    matrix->capacity = capacity;
    return REN_OK;
}

void ren__glcm_free(ren__glcm *matrix) {
    ren__free(matrix->begin);
    ren__free(matrix->columns);
    ren__free(matrix->values);
    *matrix = (ren__glcm){ 0 };
}

/* ----------------------------------------------------------------------------------------------------------- tables */

int64_t ren__pair_tables_suit(const ren__region *region) {
    const int64_t area = ((int64_t)region->level_count + 1) * (region->level_count + 1);
    const int64_t bytes = area * (int64_t)sizeof(uint32_t);

    if (bytes > TABLE_BYTES || area > CELLS_PER_VOXEL * region->count + CELLS_FREE) return 0;
    return bytes < TABLE_BYTES_AT_ONCE ? TABLE_BYTES_AT_ONCE / bytes : 1;
}

typedef struct pairs_job {
    const ren__level_grid *grid;
    const int64_t *distances;
    int64_t steps, side;
    int alone;        /* on one thread, whatever its number */
    uint32_t *counts; /* [thread][steps][side][side] */
} pairs_job;

/* Directions within voxels, so that a bin is not hit again before the last time is through. */
#define COUNT_ROW(name, type)                                                                                          \
    static void name(const pairs_job *job, const type *centre, int64_t n, uint32_t *counts) {                          \
        const int64_t area = job->side * job->side, steps = job->steps;                                                \
        const int64_t *distances = job->distances;                                                                     \
                                                                                                                       \
        for (int64_t x = 0; x < n; x++) {                                                                              \
            if (!centre[x]) continue;                                                                                  \
            uint32_t *table = counts + centre[x] * job->side;                                                          \
            for (int64_t s = 0; s < steps; s++, table += area)                                                         \
                table[centre[x + distances[s]]]++;                                                                     \
        }                                                                                                              \
    }

COUNT_ROW(count_bytes, uint8_t)
COUNT_ROW(count_words, uint16_t)

static void count_slices(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const pairs_job *job = argument;
    const ren__level_grid *grid = job->grid;
    const int64_t ny = grid->shape[1], own = job->alone ? 0 : thread;
    uint32_t *counts = job->counts + own * job->steps * job->side * job->side;

    for (int64_t row = begin * ny; row < end * ny; row++) {
        const int64_t first = grid->spans[2 * row], n = grid->spans[2 * row + 1] - first;
        const int64_t cell = grid->origin + row / ny * grid->plane + row % ny * grid->pitch + first;
        if (grid->wide)
            count_words(job, (const uint16_t *)grid->cells + cell, n, counts);
        else
            count_bytes(job, (const uint8_t *)grid->cells + cell, n, counts);
    }
}

ren_status ren__pairs_count(const ren__region *region, const ren__level_grid *grid, const ren__step *steps,
                            int64_t count, ren__run *run, ren__pair_tables *tables) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    const int64_t slices = ren__slices_at_once(region->shape), nz = region->shape[2];
    pairs_job job = { .grid = grid, .steps = count, .side = region->level_count + 1, .alone = nz <= slices };
    const int64_t copies = job.alone ? 1 : context->threads, cells = count * job.side * job.side;
    int64_t *distances = NULL;

    REN_ALLOC(distances, (size_t)count * sizeof *distances);
    REN_CALLOC(job.counts, (size_t)(copies * cells));
    for (int64_t s = 0; s < count; s++)
        distances[s] = ren__level_grid_distance(grid, &steps[s]);
    job.distances = distances;
    ren__parallel_for(context, run, nz, job.alone ? nz : slices, count_slices, &job);
    REN_TRY(ren__run_check(run));
    for (int64_t t = 1; t < copies; t++)
        for (int64_t c = 0; c < cells; c++)
            job.counts[c] += job.counts[t * cells + c];
    tables->side = job.side;
    tables->counts = job.counts; /* those of the other threads lie behind */
    job.counts = NULL;
out:
    ren__free(job.counts);
    ren__free(distances);
    return st;
}

void ren__pairs_add(const ren__pair_tables *tables, int64_t step, int symmetrical, double weight, double *sum) {
    const int64_t side = tables->side;
    const uint32_t *counts = tables->counts + step * side * side;

    for (int64_t i = 1; i < side; i++)
        for (int64_t j = 1; j < side; j++) {
            const double count = (double)counts[i * side + j] + (symmetrical ? (double)counts[j * side + i] : 0.0);
            sum[(i - 1) * (side - 1) + j - 1] += count * weight;
        }
}

ren_status ren__pairs_take(ren_context *context, const double *sum, int32_t level_count, ren__glcm *matrix) {
    const ren_status st = ren__glcm_reserve(context, matrix, level_count, (int64_t)level_count * level_count);
    int64_t entries = 0;

    if (st != REN_OK) return st;
    for (int32_t i = 0; i < level_count; i++) {
        for (int32_t j = 0; j < level_count; j++) {
            const double value = sum[(int64_t)i * level_count + j];
            matrix->columns[entries] = (uint16_t)j;
            matrix->values[entries] = value;
            entries += value > 0.0;
        }
        matrix->begin[i + 1] = entries;
    }
    return REN_OK;
}

/* ----------------------------------------------------------------------------------------------------- many levels */

ren_status ren__voxels_by_level_create(const ren__region *region, const ren__level_grid *grid, ren__run *run,
                                       ren__voxels_by_level *out) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    const int64_t nx = region->shape[0], ny = region->shape[1], rows = ny * region->shape[2];
    ren__voxels_by_level voxels = { NULL, NULL };

    if (grid->origin + region->shape[2] * grid->plane > UINT32_MAX)
        REN_FAIL(REN_E_LIMIT, "a region's box is too large for so many grey levels");
    REN_ALLOC(voxels.cells, (size_t)region->count * sizeof *voxels.cells);
    REN_CALLOC(voxels.begin, (size_t)region->level_count + 2);
    for (int64_t v = 0; v < nx * rows; v++)
        voxels.begin[region->levels[v] + 1]++;
    voxels.begin[1] = 0; /* outside; begin[l] now is where level l goes, and moves on as it is filled */
    for (int32_t l = 1; l <= region->level_count; l++)
        voxels.begin[l + 1] += voxels.begin[l];
    for (int64_t row = 0; row < rows; row++) {
        const int64_t cell = grid->origin + row / ny * grid->plane + row % ny * grid->pitch;
        if (row % ny == 0) REN_TRY(ren__run_check(run));
        for (int64_t x = grid->spans[2 * row]; x < grid->spans[2 * row + 1]; x++) {
            const uint16_t level = region->levels[row * nx + x];
            if (level) voxels.cells[voxels.begin[level]++] = (uint32_t)(cell + x);
        }
    }
    voxels.begin[0] = 0; /* level l + 1 of the region, l of the matrix, ends where begin[l + 1] has come to */
    *out = voxels;
out:
    if (st != REN_OK) ren__voxels_by_level_free(&voxels);
    return st;
}

void ren__voxels_by_level_free(ren__voxels_by_level *voxels) {
    ren__free(voxels->cells);
    ren__free(voxels->begin);
    *voxels = (ren__voxels_by_level){ NULL, NULL };
}

static inline uint16_t level_at(const ren__level_grid *grid, int64_t cell) {
    return grid->wide ? ((const uint16_t *)grid->cells)[cell] : ((const uint8_t *)grid->cells)[cell];
}

/* Levels that are a step from the voxels of one level, into `row`; gives how many there are. */
static int64_t fill_row(const ren__level_grid *grid, const ren__voxels_by_level *voxels, int32_t level,
                        int64_t distance, double weight, double *row, uint16_t *touched, int64_t count) {
    for (int64_t v = voxels->begin[level]; v < voxels->begin[level + 1]; v++) {
        const uint16_t other = level_at(grid, voxels->cells[v] + distance);
        if (!other) continue;
        if (row[other - 1] == 0.0) touched[count++] = (uint16_t)(other - 1);
        row[other - 1] += weight;
    }
    return count;
}

/* Insertion for few, a scan of the row for many. */
static void sort_touched(uint16_t *touched, int64_t count, const double *row, int32_t level_count) {
    if (count > 32 && count > level_count / 64) {
        int64_t k = 0;
        for (int32_t j = 0; j < level_count; j++)
            if (row[j] != 0.0) touched[k++] = (uint16_t)j;
        return;
    }
    for (int64_t gap = count > 32 ? 31 : 1; gap > 0; gap = gap == 31 ? 7 : gap == 7 ? 1 : 0)
        for (int64_t k = gap; k < count; k++) {
            const uint16_t moved = touched[k];
            int64_t to = k;
            for (; to >= gap && touched[to - gap] > moved; to -= gap)
                touched[to] = touched[to - gap];
            touched[to] = moved;
        }
}

ren_status ren__pairs_sparse(const ren__region *region, const ren__level_grid *grid, const ren__voxels_by_level *voxels,
                             const ren__step *steps, const double *weights, int64_t count, int symmetrical,
                             ren__run *run, double *row, uint16_t *touched, ren__glcm *matrix) {
    ren_status st = ren__glcm_reserve(region->context, matrix, region->level_count, 0);
    int64_t entries = 0;

    for (int32_t i = 0; i < region->level_count && st == REN_OK; i++) {
        int64_t reached = 0;
        for (int64_t s = 0; s < count; s++) {
            const int64_t distance = ren__level_grid_distance(grid, &steps[s]);
            const double weight = weights ? weights[s] : 1.0;
            if (!(weight > 0.0)) continue; /* a weight that is no more than 0 adds nothing */
            reached = fill_row(grid, voxels, i, distance, weight, row, touched, reached);
            if (symmetrical) reached = fill_row(grid, voxels, i, -distance, weight, row, touched, reached);
        }
        if (entries + reached > matrix->capacity)
            REN_TRY(ren__glcm_reserve(region->context, matrix, region->level_count, 2 * (entries + reached) + 256));
        sort_touched(touched, reached, row, region->level_count);
        for (int64_t k = 0; k < reached; k++, entries++) {
            matrix->columns[entries] = touched[k];
            matrix->values[entries] = row[touched[k]];
            row[touched[k]] = 0.0;
        }
        matrix->begin[i + 1] = entries;
        if (i % 256 == 0 && run) st = ren__run_check(run);
    }
out:
    return st;
}
