/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones of equal level, found slice by slice.
 *
 * A slab of slices is gone through once. Each voxel asks which of the 13 neighbours before it (in its row, its slice
 * and the slice before) have its level, takes over the zone of one and joins those of the others (union-find). After
 * a slice, zones that no voxel of it belongs to can grow no more and are counted; the others get new numbers. So labels
 * are kept for two slices. A zone that touches the first or the last slice of a slab goes on in the next slab: such
 * zones are kept as `ends`, the labels of these two slices too, and joined when all slabs are done.
 */
#include "radiomics/glszm.h"

#include <string.h>

#include "base/parallel.h"
#include "radiomics/texture_rows.h"

enum { NEIGHBOURS = 13, SLAB_VOXELS = 1 << 17, SMALL = 32, SMALL_LEVELS = 4096, NOBODY = -1 };

/* Neighbours before a voxel, those first that touch most of the others: once the zone of one is taken over, those that
 * touch it are of the same zone. */
static const ren__step before[NEIGHBOURS] = {
    { { 0, 0, -1 } },  { { 0, -1, 0 } },  { { -1, 0, 0 } }, { { 0, -1, -1 } }, { { -1, 0, -1 } },
    { { 1, 0, -1 } },  { { 0, 1, -1 } },  { { 1, -1, 0 } }, { { -1, -1, 0 } }, { { -1, -1, -1 } },
    { { 1, -1, -1 } }, { { -1, 1, -1 } }, { { 1, 1, -1 } },
};

typedef struct zone {
    int64_t size;
    int32_t parent; /* never larger than its own number */
    int32_t end;    /* number among the slab's ends, or NOBODY */
    uint16_t level, nearest;
    uint8_t alive; /* has a voxel in the slice under way */
} zone;

/* A zone that touches a face of its slab. */
typedef struct end_zone {
    int64_t size;
    int32_t parent; /* among all ends */
    uint16_t level, nearest;
} end_zone;

typedef struct slab {
    int64_t z0, z1;
    int32_t *faces[2]; /* labels of the first and of the last slice: numbers of ends */
    end_zone *ends;
    int32_t end_count, end_capacity;
    ren__size_matrix sizes, distances; /* of zones that ended within */
    ren_status status;
} slab;

typedef struct zones_job {
    const ren__region *region;
    const ren__level_grid *grid;
    const ren__row_kernels *kernels;
    const uint16_t *distance;
    uint16_t touching[NEIGHBOURS]; /* neighbours that touch a neighbour, as bits */
    uint16_t allowed;              /* neighbours that are not across the still axis */
    uint16_t same_slice;           /* neighbours in the voxel's own slice */
    int64_t distances[NEIGHBOURS]; /* in cells of the grid */
    int64_t labels_at[NEIGHBOURS]; /* in labels, within a slice */
    int64_t pitch, plane;          /* of labels: a border of one */
    slab *slabs;
    int64_t slab_count;
} zones_job;

/* What one slab needs while it is gone through. */
typedef struct walk {
    const zones_job *job;
    slab *slab;
    int32_t *now, *last; /* labels of this slice, and of the one before, the latter through `renumbered` */
    int32_t *renumbered;
    zone *zones;
    int64_t zone_count, zone_capacity;
    uint16_t *match;
    uint32_t *small; /* [level][size up to SMALL] of zones that ended */
} walk;

/* -------------------------------------------------------------------------------------------------------- counting */

static ren_status count_zone(walk *w, const zone *z) {
    ren_context *context = w->job->region->context;
    ren_status st = REN_OK;

    if (w->small && z->size <= SMALL)
        w->small[(int64_t)(z->level - 1) * SMALL + z->size - 1]++;
    else
        st = ren__size_matrix_add(context, &w->slab->sizes, z->level, (int32_t)z->size, 1.0);
    if (st == REN_OK && w->job->distance)
        st = ren__size_matrix_add(context, &w->slab->distances, z->level, z->nearest, 1.0);
    return st;
}

static ren_status count_small(walk *w) {
    ren_status st = REN_OK;
    const int64_t levels = w->job->region->level_count;

    for (int64_t s = 0; w->small && s < SMALL; s++)
        for (int64_t l = 0; l < levels && st == REN_OK; l++)
            if (w->small[l * SMALL + s])
                st = ren__size_matrix_add(w->job->region->context, &w->slab->sizes, (int32_t)l + 1, (int32_t)s + 1,
                                          w->small[l * SMALL + s]);
    return st;
}

static ren_status add_end(walk *w, zone *z) {
    slab *own = w->slab;

    if (own->end_count == own->end_capacity) {
        const int32_t capacity = own->end_capacity ? 2 * own->end_capacity : 256;
        end_zone *ends = ren__realloc(w->job->region->context, own->ends, (size_t)capacity * sizeof *ends);
        if (!ends) return ren__out_of_memory();
        own->ends = ends;
        own->end_capacity = capacity;
    }
    z->end = own->end_count;
    own->ends[own->end_count] = (end_zone){ 0, own->end_count, z->level, UINT16_MAX };
    own->end_count++;
    return REN_OK;
}

static int32_t root_of_end(end_zone *ends, int32_t e) {
    while (ends[e].parent != e) {
        ends[e].parent = ends[ends[e].parent].parent;
        e = ends[e].parent;
    }
    return e;
}

static void join_ends(end_zone *ends, int32_t a, int32_t b) {
    a = root_of_end(ends, a);
    b = root_of_end(ends, b);
    if (a < b)
        ends[b].parent = a;
    else
        ends[a].parent = b;
}

static void add_to_end(end_zone *end, const zone *z) {
    end->size += z->size;
    if (z->nearest < end->nearest) end->nearest = z->nearest;
}

/* ----------------------------------------------------------------------------------------------------- union-find */

static int32_t root_of(zone *zones, int32_t z) {
    while (zones[z].parent != z) {
        zones[z].parent = zones[zones[z].parent].parent;
        z = zones[z].parent;
    }
    return z;
}

static int32_t join(zone *zones, int32_t a, int32_t b) {
    b = root_of(zones, b);
    if (a == b) return a;
    if (a > b) {
        const int32_t swap = a;
        a = b;
        b = swap;
    }
    zones[b].parent = a;
    return a;
}

/* Room for as many new zones. */
static ren_status reserve(walk *w, int64_t voxels) {
    const int64_t needed = w->zone_count + voxels;
    ren_context *context = w->job->region->context;

    if (needed <= w->zone_capacity) return REN_OK;
    const int64_t capacity = needed + needed / 4 + 64;
    zone *zones = ren__realloc(context, w->zones, (size_t)capacity * sizeof *zones);
    if (!zones) return ren__out_of_memory();
    w->zones = zones;
    int32_t *renumbered = ren__realloc(context, w->renumbered, (size_t)capacity * sizeof *renumbered);
    if (!renumbered) return ren__out_of_memory();
    w->renumbered = renumbered;
    w->zone_capacity = capacity;
    return REN_OK;
}

/* The zone of a voxel, from its neighbours' and new if it has none of its level. */
static inline int32_t zone_of(walk *w, uint32_t match, int64_t label, uint16_t level) {
    const zones_job *job = w->job;
    int32_t z = NOBODY;

    while (match) {
        const int n = __builtin_ctz(match);
        const int64_t at = label + job->labels_at[n];
        const int32_t other = before[n].along[2] ? w->renumbered[w->last[at]] : w->now[at];
        z = z == NOBODY ? root_of(w->zones, other) : join(w->zones, z, other);
        match &= ~(uint32_t)job->touching[n] & ~(1u << n);
    }
    if (z == NOBODY) {
        z = (int32_t)w->zone_count++;
        w->zones[z] = (zone){ 0, z, NOBODY, level, UINT16_MAX, 0 };
    }
    return z;
}

static ren_status label_row(walk *w, int64_t y, int64_t z) {
    const zones_job *job = w->job;
    const ren__level_grid *grid = job->grid;
    const int64_t row = z * grid->shape[1] + y, begin = grid->spans[2 * row], n = grid->spans[2 * row + 1] - begin;
    const int64_t cell = grid->origin + z * grid->plane + y * grid->pitch + begin;
    const int64_t label = (y + 1) * job->pitch + 1 + begin, voxel = row * grid->shape[0] + begin;
    const uint16_t *levels = job->region->levels + voxel;
    const uint32_t allowed = job->allowed;
    /* What lies before a slab's first slice belongs to the slab before. */
    const uint32_t within = z == w->slab->z0 ? job->same_slice : UINT16_MAX;

    if (n <= 0) return REN_OK;
    const ren_status st = reserve(w, n);
    if (st != REN_OK) return st;
    job->kernels->match((const char *)grid->cells + (grid->wide ? 2 * cell : cell), job->distances, NEIGHBOURS, n,
                        w->match);
    for (int64_t x = 0; x < n; x++) {
        if (!levels[x]) continue;
        const int32_t own = zone_of(w, w->match[x] & allowed & within, label + x, levels[x]);
        zone *into = &w->zones[own];
        w->now[label + x] = own;
        into->size++;
        into->alive = 1;
        if (job->distance && job->distance[voxel + x] < into->nearest) into->nearest = job->distance[voxel + x];
    }
    return REN_OK;
}

/* Brings what zones have gathered to their roots. Parents come before children. */
static void gather(walk *w) {
    for (int64_t i = 0; i < w->zone_count; i++) {
        zone *z = &w->zones[i];
        if (z->parent == i) continue;
        z->parent = w->zones[z->parent].parent;
        zone *root = &w->zones[z->parent];
        root->size += z->size;
        root->alive |= z->alive;
        if (z->nearest < root->nearest) root->nearest = z->nearest;
        if (z->end == NOBODY) continue;
        if (root->end == NOBODY)
            root->end = z->end;
        else
            join_ends(w->slab->ends, root->end, z->end);
    }
}

/* After a slice: counts the zones that ended and numbers the others from 0. */
static ren_status close_slice(walk *w, int to_ends) {
    ren_status st = REN_OK;
    int64_t kept = 0;

    gather(w);
    for (int64_t i = 0; i < w->zone_count; i++) {
        zone *z = &w->zones[i];
        if (z->parent != i) {
            w->renumbered[i] = w->renumbered[z->parent];
            continue;
        }
        if (z->alive && to_ends && z->end == NOBODY) REN_TRY(add_end(w, z));
        if (!z->alive) {
            if (z->end == NOBODY)
                REN_TRY(count_zone(w, z));
            else
                add_to_end(&w->slab->ends[z->end], z);
            continue;
        }
        zone moved = *z;
        moved.parent = (int32_t)kept;
        moved.alive = 0;
        w->renumbered[i] = (int32_t)kept;
        w->zones[kept++] = moved;
    }
    w->zone_count = kept;
out:
    return st;
}

/* -------------------------------------------------------------------------------------------------------- slabs */

/* Labels of a face as numbers of ends. */
static ren_status keep_face(walk *w, int64_t z, int which) {
    const zones_job *job = w->job;
    const ren__level_grid *grid = job->grid;
    int32_t *face = ren__alloc(job->region->context, (size_t)job->plane * sizeof *face);

    if (!face) return ren__out_of_memory();
    w->slab->faces[which] = face;
    for (int64_t y = 0; y < grid->shape[1]; y++) {
        const int32_t *span = grid->spans + 2 * (z * grid->shape[1] + y);
        const uint16_t *levels = job->region->levels + (z * grid->shape[1] + y) * grid->shape[0];
        for (int64_t x = span[0]; x < span[1]; x++) {
            const int64_t label = (y + 1) * job->pitch + 1 + x;
            if (levels[x]) face[label] = w->zones[w->renumbered[w->now[label]]].end;
        }
    }
    return REN_OK;
}

static ren_status walk_slab(walk *w) {
    ren_status st = REN_OK;
    const zones_job *job = w->job;
    const int first = w->slab->z0 == 0, last = w->slab->z1 == job->grid->shape[2];

    for (int64_t z = w->slab->z0; z < w->slab->z1; z++) {
        const int at_first = z == w->slab->z0 && !first, at_last = z == w->slab->z1 - 1 && !last;
        int32_t *other = w->last;
        for (int64_t y = 0; y < job->grid->shape[1]; y++)
            REN_TRY(label_row(w, y, z));
        REN_TRY(close_slice(w, at_first || at_last));
        if (at_first) REN_TRY(keep_face(w, z, 0));
        if (at_last) REN_TRY(keep_face(w, z, 1));
        w->last = w->now;
        w->now = other;
    }
    for (int64_t i = 0; i < w->zone_count; i++) {
        if (w->zones[i].end == NOBODY)
            REN_TRY(count_zone(w, &w->zones[i]));
        else
            add_to_end(&w->slab->ends[w->zones[i].end], &w->zones[i]);
    }
    REN_TRY(count_small(w));
out:
    return st;
}

static ren_status run_slab(const zones_job *job, slab *own) {
    ren_status st = REN_OK;
    ren_context *context = job->region->context;
    walk w = { .job = job, .slab = own };

    REN_ALLOC(w.now, (size_t)job->plane * sizeof *w.now);
    REN_ALLOC(w.last, (size_t)job->plane * sizeof *w.last);
    REN_ALLOC(w.match, (size_t)(job->grid->shape[0] + REN__ROW_OVERRUN) * sizeof *w.match);
    if (job->region->level_count <= SMALL_LEVELS && job->region->count > 16 * (int64_t)job->region->level_count)
        REN_CALLOC(w.small, (size_t)job->region->level_count * SMALL);
    REN_TRY(walk_slab(&w));
out:
    ren__free(w.now);
    ren__free(w.last);
    ren__free(w.match);
    ren__free(w.small);
    ren__free(w.zones);
    ren__free(w.renumbered);
    return st;
}

static void run_slabs(void *argument, int64_t begin, int64_t end, int32_t thread) {
    zones_job *job = argument;

    (void)thread;
    for (int64_t s = begin; s < end; s++)
        job->slabs[s].status = run_slab(job, &job->slabs[s]);
}

/* ------------------------------------------------------------------------------------------------------- joining */

static void join_faces(const zones_job *job, int64_t s, end_zone *ends, int32_t below_first, int32_t above_first) {
    const slab *below = &job->slabs[s], *above = &job->slabs[s + 1];
    const ren__region *region = job->region;
    const int64_t nx = region->shape[0], ny = region->shape[1], z = above->z0;
    const uint16_t *levels = region->levels + z * nx * ny;

    for (int64_t y = 0; y < ny; y++)
        for (int64_t x = 0; x < nx; x++) {
            const uint16_t level = levels[y * nx + x];
            if (!level) continue;
            for (int n = 0; n < NEIGHBOURS; n++) {
                const int64_t x1 = x + before[n].along[0], y1 = y + before[n].along[1];
                if (!before[n].along[2] || !(job->allowed >> n & 1)) continue;
                if (x1 < 0 || x1 >= nx || y1 < 0 || y1 >= ny || levels[(y1 - ny) * nx + x1] != level) continue;
                join_ends(ends, above_first + above->faces[0][(y + 1) * job->pitch + 1 + x],
                          below_first + below->faces[1][(y1 + 1) * job->pitch + 1 + x1]);
            }
        }
}

static ren_status count_ends(const zones_job *job, end_zone *ends, int32_t count, ren__size_matrix *sizes,
                             ren__size_matrix *distances) {
    ren_status st = REN_OK;

    for (int32_t e = 0; e < count; e++) {
        const int32_t root = root_of_end(ends, e);
        if (root == e) continue;
        ends[root].size += ends[e].size;
        if (ends[e].nearest < ends[root].nearest) ends[root].nearest = ends[e].nearest;
    }
    for (int32_t e = 0; e < count && st == REN_OK; e++) {
        if (ends[e].parent != e) continue;
        st = ren__size_matrix_add(job->region->context, sizes, ends[e].level, (int32_t)ends[e].size, 1.0);
        if (st == REN_OK && job->distance)
            st = ren__size_matrix_add(job->region->context, distances, ends[e].level, ends[e].nearest, 1.0);
    }
    return st;
}

static ren_status join_slabs(zones_job *job, ren__size_matrix *sizes, ren__size_matrix *distances) {
    ren_status st = REN_OK;
    ren_context *context = job->region->context;
    end_zone *ends = NULL;
    int64_t total = 0;
    int32_t first = 0;

    for (int64_t s = 0; s < job->slab_count; s++) {
        const slab *own = &job->slabs[s];
        for (int64_t c = 0; c < own->sizes.count; c++)
            REN_TRY(ren__size_matrix_add(context, sizes, own->sizes.cells[c].level, own->sizes.cells[c].size,
                                         own->sizes.cells[c].count));
        for (int64_t c = 0; c < own->distances.count; c++)
            REN_TRY(ren__size_matrix_add(context, distances, own->distances.cells[c].level,
                                         own->distances.cells[c].size, own->distances.cells[c].count));
        total += own->end_count;
    }
    if (total > INT32_MAX) REN_FAIL(REN_E_LIMIT, "a region has too many zones");
    REN_ALLOC(ends, (size_t)total * sizeof *ends);
    for (int64_t s = 0; s < job->slab_count; s++) {
        const slab *own = &job->slabs[s];
        for (int32_t e = 0; e < own->end_count; e++) {
            ends[first + e] = own->ends[e];
            ends[first + e].parent += first;
        }
        if (s > 0) join_faces(job, s - 1, ends, first - job->slabs[s - 1].end_count, first);
        first += own->end_count;
    }
    REN_TRY(count_ends(job, ends, first, sizes, distances));
out:
    ren__free(ends);
    return st;
}

static int distance_1(int32_t a, int32_t b) {
    return a - b <= 1 && b - a <= 1;
}

static void prepare(zones_job *job, int32_t still) {
    job->pitch = job->region->shape[0] + 2;
    job->plane = job->pitch * (job->region->shape[1] + 2);
    for (int n = 0; n < NEIGHBOURS; n++) {
        const int32_t *a = before[n].along;
        job->distances[n] = ren__level_grid_distance(job->grid, &before[n]);
        job->labels_at[n] = a[0] + a[1] * job->pitch;
        if (a[2] == 0) job->same_slice |= (uint16_t)(1u << n);
        if (still == REN__STILL_NONE || a[still] == 0) job->allowed |= (uint16_t)(1u << n);
    }
    for (int n = 0; n < NEIGHBOURS; n++)
        for (int m = 0; m < NEIGHBOURS; m++) {
            const int32_t *a = before[n].along, *b = before[m].along;
            if (distance_1(a[0], b[0]) && distance_1(a[1], b[1]) && distance_1(a[2], b[2]))
                job->touching[n] |= (uint16_t)(1u << m);
        }
}

ren_status ren__zones_count(const ren__region *region, int32_t still, const uint16_t *distance, ren__run *run,
                            ren__size_matrix *sizes, ren__size_matrix *distances) {
    ren_status st = REN_OK;
    ren_context *context = region->context;
    ren__level_grid grid = { 0 };
    zones_job job = { .region = region, .grid = &grid, .distance = distance };
    const int64_t area = region->shape[0] * region->shape[1], nz = region->shape[2];

    if (area * 4 > INT32_MAX || region->count > INT32_MAX)
        REN_FAIL(REN_E_LIMIT, "a region of %lld voxels is too large for its zones", (long long)region->count);
    REN_TRY(ren__level_grid_create(region, before, NEIGHBOURS, run, &grid));
    job.kernels = ren__row_kernels_of(context, grid.wide);
    prepare(&job, still);
    /* A slab has at least 16 slices, so that its faces are a small part of it. */
    const int64_t slices = SLAB_VOXELS / area > 16 ? SLAB_VOXELS / area : 16;
    const int64_t slab_count = nz / slices > 1 ? nz / slices : 1;
    REN_CALLOC(job.slabs, (size_t)slab_count);
    job.slab_count = slab_count;
    for (int64_t s = 0; s < slab_count; s++) {
        job.slabs[s].z0 = nz * s / slab_count;
        job.slabs[s].z1 = nz * (s + 1) / slab_count;
    }
    ren__parallel_for(context, run, slab_count, 1, run_slabs, &job);
    REN_TRY(ren__run_check(run));
    for (int64_t s = 0; s < slab_count; s++)
        REN_TRY(ren__texture_failed(job.slabs[s].status));
    REN_TRY(join_slabs(&job, sizes, distances));
    ren__size_matrix_finish(sizes);
    if (distances) ren__size_matrix_finish(distances);
out:
    for (int64_t s = 0; s < job.slab_count; s++) {
        slab *own = &job.slabs[s];
        ren__free(own->faces[0]);
        ren__free(own->faces[1]);
        ren__free(own->ends);
        ren__size_matrix_free(&own->sizes);
        ren__size_matrix_free(&own->distances);
    }
    ren__free(job.slabs);
    ren__level_grid_free(&grid);
    return st;
}
