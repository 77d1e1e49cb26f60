/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting of runs. The place of a voxel in its run is that of the voxel a step before plus one if both have the same
 * level, else one: row by row from places of rows before, in vectors, for one direction and one slab of slices at a
 * time. A slab's first slice finds the places before it by walking back.
 */
#include "radiomics/glrlm_count.h"

#include <string.h>

#include "base/parallel.h"
#include "radiomics/texture_rows.h"

enum { SLABS_MAX = 4, SLAB_VOXELS = 1 << 17, UNIFORM_CELLS = 1 << 17 };

static int64_t longest(const int64_t shape[3]) {
    int64_t most = shape[0];

    for (int a = 1; a < 3; a++)
        if (shape[a] > most) most = shape[a];
    return most;
}

ren_status ren__run_table_create(const ren__region *region, ren__run *run, ren__run_table *table) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    const int64_t n = region->level_count, most = longest(region->shape);
    const int64_t area = region->shape[0] * region->shape[1];

    if (most > UINT16_MAX)
        REN_FAIL(REN_E_LIMIT, "a region's box of %lld voxels along an axis is too long for run lengths",
                 (long long)most);
    REN_CALLOC(table->begin, (size_t)n + 2);
    if ((n + 1) * (most + 2) <= UNIFORM_CELLS || n == 0) {
        for (int64_t l = 0; l < n + 2; l++)
            table->begin[l] = l * (most + 2);
    } else { /* no run is longer than its level has voxels */
        for (int64_t z = 0; z < region->shape[2]; z++) {
            REN_TRY(ren__run_check(run));
            for (int64_t v = z * area; v < (z + 1) * area; v++)
                table->begin[region->levels[v] + 1]++;
        }
        table->begin[1] = most; /* outside */
        for (int64_t l = 1; l < n + 2; l++)
            table->begin[l] = table->begin[l - 1] + (table->begin[l] < most ? table->begin[l] : most) + 2;
    }
    table->cells = table->begin[n + 1];
out:
    return st;
}

void ren__run_table_free(ren__run_table *table) {
    ren__free(table->begin);
    ren__free(table->counts);
    *table = (ren__run_table){ 0 };
}

typedef struct runs_job {
    const ren__region *region;
    const ren__level_grid *grid;
    const ren__row_kernels *kernels;
    const ren__step *steps;
    int64_t count, slabs;
    int alone; /* on one thread, whatever its number */
    const ren__run_table *table;
    uint32_t *counts; /* [thread][steps][cells] */
    uint16_t *places; /* [thread][2][plane]: of this slice and the one before, as the grid's planes with a border */
    int64_t plane;    /* elements */
} runs_job;

/* A slab of one direction. */
typedef struct runs_part {
    const runs_job *job;
    int32_t dx, dy, dz; /* the first that is not 0, from dz on, is positive */
    int64_t distance;   /* of the neighbour before */
    uint16_t *now, *before;
    uint32_t *counts;
} runs_part;

static int64_t cell_of(const ren__level_grid *grid, int64_t y, int64_t z) {
    return grid->origin + z * grid->plane + y * grid->pitch;
}

static int level_at(const ren__level_grid *grid, int64_t cell) {
    return grid->wide ? ((const uint16_t *)grid->cells)[cell] : ((const uint8_t *)grid->cells)[cell];
}

/* Element of voxel (0, y) in a slice of places: rows as in the grid, with a row and a column before the first. */
static int64_t place_of(const ren__level_grid *grid, int64_t y) {
    return (y + 1) * (grid->shape[0] + 1) + 1;
}

/* Places in the slice before a slab. */
static void walk_back(const runs_part *part, int64_t z) {
    const ren__level_grid *grid = part->job->grid;

    for (int64_t y = 0; y < grid->shape[1]; y++) {
        const int32_t *span = grid->spans + 2 * (z * grid->shape[1] + y);
        uint16_t *places = part->before + place_of(grid, y);
        for (int64_t x = span[0]; x < span[1]; x++) {
            int64_t cell = cell_of(grid, y, z) + x;
            const int level = level_at(grid, cell);
            uint16_t place = 1;
            /* A run ends at the border's zeros at the latest. */
            while (level && level_at(grid, cell += part->distance) == level)
                place++;
            places[x] = place;
        }
    }
}

static void places_along_x(const ren__level_grid *grid, int64_t cell, int64_t n, uint16_t *places) {
    uint16_t place = 0;

    for (int64_t x = 0; x < n; x++) {
        place = level_at(grid, cell + x) == level_at(grid, cell + x - 1) ? (uint16_t)(place + 1) : 1;
        places[x] = place;
    }
}

static void count_slice(const runs_part *part, int64_t z) {
    const runs_job *job = part->job;
    const ren__level_grid *grid = job->grid;
    const int64_t *begin_of = job->table->begin;

    for (int64_t y = 0; y < grid->shape[1]; y++) {
        const int64_t row = z * grid->shape[1] + y, begin = grid->spans[2 * row];
        const int64_t n = grid->spans[2 * row + 1] - begin, cell = cell_of(grid, y, z) + begin;
        const uint16_t *levels = job->region->levels + row * grid->shape[0] + begin;
        uint16_t *places = part->now + place_of(grid, y) + begin;
        const uint16_t *before = part->dz ? part->before : part->now;
        if (n <= 0) continue;
        if (part->dz || part->dy)
            job->kernels->advance((const char *)grid->cells + (grid->wide ? 2 * cell : cell), part->distance, n,
                                  before + place_of(grid, y - part->dy) + begin - part->dx, places);
        else
            places_along_x(grid, cell, n, places);
        for (int64_t x = 0; x < n; x++)
            if (levels[x]) part->counts[begin_of[levels[x]] + places[x]]++;
    }
}

static void count_slab(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const runs_job *job = argument;
    const int64_t nz = job->grid->shape[2], own = job->alone ? 0 : thread;

    for (int64_t item = begin; item < end; item++) {
        const int64_t s = item / job->slabs, slab = item % job->slabs;
        const int64_t z0 = nz * slab / job->slabs, z1 = nz * (slab + 1) / job->slabs;
        const int32_t *a = job->steps[s].along;
        const int32_t sign = a[2] ? a[2] : a[1] ? a[1] : a[0];
        uint16_t *planes = job->places + own * 2 * job->plane;
        runs_part part = { .job = job, .dx = a[0] * sign, .dy = a[1] * sign, .dz = a[2] * sign };

        part.distance = -(part.dx + part.dy * job->grid->pitch + part.dz * job->grid->plane);
        part.counts = job->counts + (own * job->count + s) * job->table->cells;
        part.before = planes;
        part.now = planes + job->plane;
        if (z0 > 0 && part.dz) walk_back(&part, z0 - 1);
        for (int64_t z = z0; z < z1; z++) {
            uint16_t *other = part.before;
            count_slice(&part, z);
            part.before = part.now;
            part.now = other;
        }
    }
}

ren_status ren__runs_count(const ren__region *region, const ren__level_grid *grid, const ren__step *steps,
                           int64_t count, ren__run *run, ren__run_table *table) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    const int64_t voxels = region->shape[0] * region->shape[1] * region->shape[2];
    runs_job job = { .region = region, .grid = grid, .steps = steps, .count = count, .table = table };
    job.alone = voxels * count <= SLAB_VOXELS;
    const int64_t tables = job.alone ? 1 : context->threads, cells = count * table->cells;

    job.slabs = voxels / SLAB_VOXELS < SLABS_MAX ? voxels / SLAB_VOXELS + 1 : SLABS_MAX;
    job.kernels = ren__row_kernels_of(context, grid->wide);
    job.plane = (region->shape[0] + 1) * (region->shape[1] + 2) + REN__ROW_OVERRUN;
    REN_CALLOC(job.counts, (size_t)(tables * cells));
    REN_CALLOC(job.places, (size_t)(tables * 2 * job.plane));
    ren__parallel_for(context, run, count * job.slabs, job.alone ? count * job.slabs : 1, count_slab, &job);
    REN_TRY(ren__run_check(run));
    for (int64_t t = 1; t < tables; t++)
        for (int64_t c = 0; c < cells; c++)
            job.counts[c] += job.counts[t * cells + c];
    ren__free(table->counts);
    table->counts = job.counts; /* those of the other threads lie behind */
    job.counts = NULL;
out:
    ren__free(job.counts);
    ren__free(job.places);
    return st;
}
