/* SPDX-License-Identifier: Apache-2.0 */
/* Steps to neighbours, the bordered grid of levels, slices of regions and means over matrices. */
#include "radiomics/texture.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/texture_rows.h"

/* ------------------------------------------------------------------------------------------------------------ steps */

enum { STEPS_MAX = 1 << 20 };

/* How many steps a distance has, both ways: the shell between two boxes, each cut to what fits into `shape`. */
static double shell(const int64_t shape[3], double distance, int32_t still) {
    double outer = 1.0, inner = 1.0;

    for (int a = 0; a < 3; a++) {
        const double size = (double)shape[a];
        if (a == still) continue;
        outer *= distance < size ? 2.0 * distance + 1.0 : 2.0 * size - 1.0;
        inner *= distance < size ? 2.0 * distance - 1.0 : 2.0 * size - 1.0;
    }
    return outer - inner;
}

static int is_listed(const double *distances, int32_t count, int32_t norm) {
    for (int32_t d = 0; d < count; d++)
        if ((int32_t)distances[d] == norm) return 1;
    return 0;
}

static int32_t larger(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* Once through all steps of the box from +reach down, x fastest; goes on from `made` and stops at `count`. */
static int64_t fill(const int32_t reach[3], const double *distances, int32_t listed, ren__step *items, int64_t made,
                    int64_t count) {
    for (int32_t z = reach[2]; z >= -reach[2]; z--)
        for (int32_t y = reach[1]; y >= -reach[1]; y--)
            for (int32_t x = reach[0]; x >= -reach[0] && made < count; x--) {
                const int32_t norm = larger(larger(x < 0 ? -x : x, y < 0 ? -y : y), z < 0 ? -z : z);
                if (norm > 0 && is_listed(distances, listed, norm)) items[made++] = (ren__step){ { x, y, z } };
            }
    return made;
}

ren_status ren__steps_create(ren_context *context, const int64_t shape[3], const ren__doubles *distances, int32_t still,
                             int both, ren__steps *out) {
    ren_status st = REN_OK;
    const double nearest = 1.0;
    const double *listed = distances ? distances->values : &nearest;
    const int32_t listed_count = distances ? distances->count : 1;
    ren__steps steps = { NULL, 0 };
    double total = 0.0, farthest = 0.0;
    int32_t reach[3];

    for (int32_t d = 0; d < listed_count; d++) {
        total += shell(shape, listed[d], still);
        if (listed[d] > farthest) farthest = listed[d];
    }
    if (!both) total /= 2.0;
    if (total > STEPS_MAX) REN_FAIL(REN_E_LIMIT, "distances: they give more than %d neighbours", (int)STEPS_MAX);
    for (int a = 0; a < 3; a++) {
        const double most = a == still ? 0.0 : (double)shape[a] - 1.0;
        reach[a] = (int32_t)(farthest < most ? farthest : most);
    }
    steps.count = (int64_t)total;
    REN_ALLOC(steps.items, (size_t)steps.count * sizeof *steps.items);
    /* As PyRadiomics' generator does, which begins again where a distance is listed twice. */
    for (int64_t made = 0; made < steps.count;)
        made = fill(reach, listed, listed_count, steps.items, made, steps.count);
    *out = steps;
out:
    return st;
}

void ren__steps_free(ren__steps *steps) {
    ren__free(steps->items);
    *steps = (ren__steps){ NULL, 0 };
}

int32_t ren__still_axis(const ren__radiomics_settings *settings) {
    return settings->force_2d ? 2 - settings->force_2d_dimension : REN__STILL_NONE;
}

double ren__step_length(const ren__step *step, const double spacing[3], int32_t norm) {
    double v[3];

    for (int a = 0; a < 3; a++)
        v[a] = fabs(step->along[a] * spacing[a]);
    switch (norm) {
    case REN__NORM_EUCLIDEAN:
        return sqrt(v[2] * v[2] + v[1] * v[1] + v[0] * v[0]);
    case REN__NORM_MANHATTAN:
        return v[2] + v[1] + v[0];
    case REN__NORM_INFINITY:
        return fmax(v[2], fmax(v[1], v[0]));
    default:
        return 1.0;
    }
}

void ren__region_slice(const ren__region *region, int64_t z, ren__region *slice) {
    const int64_t area = region->shape[0] * region->shape[1];

    *slice = *region;
    slice->shape[2] = 1;
    slice->inside = region->inside + z * area;
    if (region->values) slice->values = region->values + z * area;
    if (region->levels) slice->levels = region->levels + z * area;
    slice->count = 0;
    for (int64_t v = 0; v < area; v++)
        slice->count += slice->inside[v];
}

/* ------------------------------------------------------------------------------------------------------------- grid */

enum { CELLS_AT_ONCE = 1 << 16 };

typedef struct copy_job {
    const ren__region *region;
    ren__level_grid *grid;
    int64_t border[3];
} copy_job;

/* First x from `x` on where a voxel is inside, eight at a time. */
static int64_t first_inside(const uint8_t *inside, int64_t x, int64_t end) {
    for (uint64_t eight; x + 8 <= end; x += 8) {
        memcpy(&eight, inside + x, 8);
        if (eight) break;
    }
    while (x < end && !inside[x])
        x++;
    return x;
}

static int64_t after_last_inside(const uint8_t *inside, int64_t begin, int64_t end) {
    for (uint64_t eight; end - 8 >= begin; end -= 8) {
        memcpy(&eight, inside + end - 8, 8);
        if (eight) break;
    }
    while (end > begin && !inside[end - 1])
        end--;
    return end;
}

static void copy_row(const copy_job *job, int64_t row, int64_t cell) {
    const int64_t nx = job->region->shape[0];
    const uint8_t *inside = job->region->inside + row * nx;
    const uint16_t *levels = job->region->levels + row * nx;
    const int64_t begin = first_inside(inside, 0, nx), end = after_last_inside(inside, begin, nx);

    job->grid->spans[2 * row] = (int32_t)(begin < end ? begin : 0);
    job->grid->spans[2 * row + 1] = (int32_t)(begin < end ? end : 0);
    if (job->grid->wide) {
        if (begin < end)
            memcpy((uint16_t *)job->grid->cells + cell + begin, levels + begin, (size_t)(end - begin) * sizeof *levels);
        return;
    }
    uint8_t *to = (uint8_t *)job->grid->cells + cell;
#pragma omp simd
    for (int64_t x = begin; x < end; x++)
        to[x] = (uint8_t)levels[x];
}

/* Planes of cells, those of the border among them. */
static void copy_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const copy_job *job = argument;
    const ren__level_grid *grid = job->grid;
    const size_t bytes = grid->wide ? 2 : 1;

    (void)thread;
    for (int64_t p = begin; p < end; p++) {
        const int64_t z = p - job->border[2];
        memset((char *)grid->cells + (size_t)(p * grid->plane) * bytes, 0, (size_t)grid->plane * bytes);
        if (z < 0 || z >= job->region->shape[2]) continue;
        for (int64_t y = 0; y < job->region->shape[1]; y++)
            copy_row(job, z * job->region->shape[1] + y, grid->origin + z * grid->plane + y * grid->pitch);
    }
}

ren_status ren__level_grid_create(const ren__region *region, const ren__step *steps, int64_t count, ren__run *run,
                                  ren__level_grid *out) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    ren__level_grid grid = { .wide = region->level_count > UINT8_MAX };
    copy_job job = { region, &grid, { 0, 0, 0 } };
    size_t bytes;

    for (int64_t s = 0; s < count; s++)
        for (int a = 0; a < 3; a++) {
            const int64_t reach = steps[s].along[a] < 0 ? -steps[s].along[a] : steps[s].along[a];
            if (reach > job.border[a]) job.border[a] = reach;
        }
    memcpy(grid.shape, region->shape, sizeof grid.shape);
    /* The border behind a row is the one before the next, and so for planes. */
    grid.pitch = region->shape[0] + job.border[0];
    grid.plane = grid.pitch * (region->shape[1] + job.border[1]);
    const int64_t lead = job.border[1] * grid.pitch + job.border[0], planes = region->shape[2] + 2 * job.border[2];
    grid.origin = job.border[2] * grid.plane + lead;
    if (!ren__mul_size((size_t)planes, (size_t)grid.plane, &bytes) ||
        !ren__add_size(bytes, (size_t)lead + REN__ROW_OVERRUN, &bytes) ||
        !ren__mul_size(bytes, grid.wide ? 2 : 1, &bytes))
        REN_FAIL(REN_E_LIMIT, "a region's box is too large for its texture");
    REN_ALLOC(grid.cells, bytes);
    REN_ALLOC(grid.spans, (size_t)(region->shape[1] * region->shape[2]) * 2 * sizeof *grid.spans);
    ren__parallel_for(context, run, planes, 1 + CELLS_AT_ONCE / grid.plane, copy_planes, &job);
    REN_TRY(ren__run_check(run));
    memset((char *)grid.cells + (size_t)(planes * grid.plane) * (grid.wide ? 2 : 1), 0,
           (size_t)(lead + REN__ROW_OVERRUN) * (grid.wide ? 2 : 1));
    *out = grid;
out:
    if (st != REN_OK) ren__level_grid_free(&grid);
    return st;
}

void ren__level_grid_free(ren__level_grid *grid) {
    ren__free(grid->cells);
    ren__free(grid->spans);
    *grid = (ren__level_grid){ 0 };
}

int64_t ren__level_grid_distance(const ren__level_grid *grid, const ren__step *step) {
    return step->along[0] + step->along[1] * grid->pitch + step->along[2] * grid->plane;
}

/* ------------------------------------------------------------------------------------------------------------ means */

void ren__texture_mean_add(ren__texture_mean *mean, const double *values, int32_t count) {
    mean->matrices++;
    for (int32_t f = 0; f < count; f++) {
        if (isnan(values[f])) continue;
        mean->sum[f] += values[f];
        mean->counted[f]++;
    }
}

double ren__texture_mean_value(const ren__texture_mean *mean, int32_t feature) {
    return mean->counted[feature] ? mean->sum[feature] / (double)mean->counted[feature] : (double)NAN;
}

/* ------------------------------------------------------------------------------------------------------------ loops */

enum { VOXELS_AT_ONCE = 1 << 16 };

int64_t ren__slices_at_once(const int64_t shape[3]) {
    return 1 + VOXELS_AT_ONCE / (1 + shape[0] * shape[1]);
}

ren_status ren__texture_failed(ren_status st) {
    return st == REN_OK ? REN_OK : ren__error(st, "out of memory while counting a texture");
}

/* ---------------------------------------------------------------------------------------------------------- sorting */

static void sift(ren__keyed *items, int64_t root, int64_t count) {
    const ren__keyed moved = items[root];

    for (int64_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && items[child + 1].key > items[child].key) child++;
        if (items[child].key <= moved.key) break;
        items[root] = items[child];
        root = child;
    }
    items[root] = moved;
}

void ren__sort_keyed(ren__keyed *items, int64_t count) {
    for (int64_t root = count / 2 - 1; root >= 0; root--)
        sift(items, root, count);
    for (int64_t last = count - 1; last > 0; last--) {
        const ren__keyed top = items[0];
        items[0] = items[last];
        items[last] = top;
        sift(items, 0, last);
    }
}
