/* SPDX-License-Identifier: Apache-2.0 */
/* Connected components by union-find over runs: a row's consecutive voxels are one node. */
#include <stdlib.h>
#include <string.h>

#include "volume/volume.h"

/* Voxels [begin, end) of one row. */
typedef struct stretch {
    int64_t begin, end;
} stretch;

typedef struct component {
    int64_t voxels;
    int32_t root;
} component;

typedef struct labelling {
    const ren_volume *volume;
    double *row; /* values of one row */
    stretch *runs;
    int32_t *parent; /* of each run; a root is its own */
    int64_t count, capacity;
    int64_t *first; /* of each row: its first run; one more at the end */
} labelling;

static ren_status grow(labelling *work) {
    ren_context *context = work->volume->context;
    size_t bytes;
    if (work->count < work->capacity) return REN_OK;
    if (work->capacity > INT32_MAX / 2)
        return ren__error(REN_E_UNSUPPORTED, "the mask has more than a thousand million runs of voxels");
    const int64_t capacity = work->capacity ? 2 * work->capacity : 4096;
    if (!ren__mul_size((size_t)capacity, sizeof *work->runs, &bytes)) return ren__error(REN_E_INVALID, "too many runs");
    stretch *runs = ren__realloc(context, work->runs, bytes);
    if (!runs) return ren__out_of_memory();
    work->runs = runs;
    work->capacity = capacity;
    return REN_OK;
}

static ren_status add_row(labelling *work, int64_t j, int64_t k) {
    const int64_t width = work->volume->shape[0];
    const int64_t begin[3] = { 0, j, k }, shape[3] = { width, 1, 1 };
    ren_status st = ren__volume_box_f64(work->volume, begin, shape, NULL, work->row);
    if (st != REN_OK) return st;
    for (int64_t i = 0; i < width;) {
        if (work->row[i] == 0.0) {
            i++;
            continue;
        }
        st = grow(work);
        if (st != REN_OK) return st;
        stretch *run = work->runs + work->count++;
        run->begin = i;
        while (i < width && work->row[i] != 0.0)
            i++;
        run->end = i;
    }
    return REN_OK;
}

static ren_status find_runs(labelling *work) {
    ren_status st = REN_OK;
    ren_context *context = work->volume->context;
    const int64_t *shape = work->volume->shape;
    REN_ALLOC(work->row, (size_t)shape[0] * sizeof *work->row);
    REN_CALLOC(work->first, (size_t)(shape[1] * shape[2]) + 1);
    REN_TRY(grow(work));
    for (int64_t k = 0; k < shape[2]; k++)
        for (int64_t j = 0; j < shape[1]; j++) {
            work->first[k * shape[1] + j] = work->count;
            REN_TRY(add_row(work, j, k));
        }
    work->first[shape[1] * shape[2]] = work->count;
    REN_CALLOC(work->parent, (size_t)work->count);
    for (int64_t r = 0; r < work->count; r++)
        work->parent[r] = (int32_t)r;
out:
    return st;
}

static int32_t find_root(int32_t *parent, int32_t run) {
    while (parent[run] != run) {
        parent[run] = parent[parent[run]];
        run = parent[run];
    }
    return run;
}

/* The older root stays, so that the root of a component is its first run. */
static void join(int32_t *parent, int32_t a, int32_t b) {
    a = find_root(parent, a);
    b = find_root(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/* Joins touching runs of two rows; `reach` 1: also those that meet at a corner. */
static void join_rows(labelling *work, int64_t row, int64_t other, int64_t reach) {
    int64_t a = work->first[row], b = work->first[other];
    const int64_t a_end = work->first[row + 1], b_end = work->first[other + 1];
    while (a < a_end && b < b_end) {
        const stretch *x = work->runs + a, *y = work->runs + b;
        if (x->begin < y->end + reach && y->begin < x->end + reach) join(work->parent, (int32_t)a, (int32_t)b);
        if (x->end < y->end)
            a++;
        else
            b++;
    }
}

/* Rows before this one that share a face (6), an edge (18) or a corner (26) with it. */
static void join_neighbours(labelling *work, int32_t connectivity) {
    const int64_t height = work->volume->shape[1], depth = work->volume->shape[2];
    const int64_t face_reach = connectivity > 6, edge_reach = connectivity > 18;
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = 0; j < height; j++) {
            const int64_t row = k * height + j;
            if (j > 0) join_rows(work, row, row - 1, face_reach);
            if (k == 0) continue;
            join_rows(work, row, row - height, face_reach);
            if (connectivity == 6) continue;
            if (j > 0) join_rows(work, row, row - height - 1, edge_reach);
            if (j + 1 < height) join_rows(work, row, row - height + 1, edge_reach);
        }
}

static int by_size(const void *left, const void *right) {
    const component *a = left, *b = right;
    if (a->voxels != b->voxels) return a->voxels < b->voxels ? 1 : -1;
    return a->root < b->root ? -1 : a->root > b->root;
}

/* Numbers the components; `*numbers` gets the number of each root, `*count` how many there are. */
static ren_status number_components(const labelling *work, int32_t **numbers, int32_t *count) {
    ren_status st = REN_OK;
    ren_context *context = work->volume->context;
    component *components = NULL;
    int64_t *voxels = NULL;
    int32_t *number = NULL, found = 0;
    REN_CALLOC(voxels, (size_t)work->count);
    REN_CALLOC(number, (size_t)work->count);
    for (int64_t r = 0; r < work->count; r++)
        voxels[find_root(work->parent, (int32_t)r)] += work->runs[r].end - work->runs[r].begin;
    for (int64_t r = 0; r < work->count; r++)
        found += voxels[r] > 0;
    REN_CALLOC(components, (size_t)found);
    found = 0;
    for (int64_t r = 0; r < work->count; r++)
        if (voxels[r]) components[found++] = (component){ voxels[r], (int32_t)r };
    if (found) qsort(components, (size_t)found, sizeof *components, by_size);
    for (int32_t c = 0; c < found; c++)
        number[components[c].root] = c + 1;
    *numbers = number;
    *count = found;
    number = NULL;
out:
    ren__free(number);
    ren__free(voxels);
    ren__free(components);
    return st;
}

static void paint(const labelling *work, const int32_t *numbers, int32_t *voxels) {
    const int64_t *shape = work->volume->shape;
    for (int64_t row = 0; row < shape[1] * shape[2]; row++)
        for (int64_t r = work->first[row]; r < work->first[row + 1]; r++) {
            const int32_t number = numbers[find_root(work->parent, (int32_t)r)];
            for (int64_t i = work->runs[r].begin; i < work->runs[r].end; i++)
                voxels[row * shape[0] + i] = number;
        }
}

ren_status ren_volume_components(const ren_volume *volume, int32_t connectivity, ren_volume **out, int32_t *count) {
    ren_status st = REN_OK;
    labelling work;
    int32_t *numbers = NULL, found = 0;
    void *voxels = NULL;
    REN_REQUIRE(out);
    *out = NULL;
    REN_REQUIRE(volume);
    REN_REQUIRE(connectivity == 6 || connectivity == 18 || connectivity == 26);
    memset(&work, 0, sizeof work);
    work.volume = volume;
    REN_TRY(find_runs(&work));
    join_neighbours(&work, connectivity);
    REN_TRY(number_components(&work, &numbers, &found));
    REN_TRY(ren__volume_allocate(volume->context, REN_TYPE_I32, volume->shape, volume->affine, &voxels, out));
    (*out)->unit_unknown = volume->unit_unknown;
    paint(&work, numbers, voxels);
    if (count) *count = found;
out:
    ren__free(numbers);
    ren__free(work.row);
    ren__free(work.runs);
    ren__free(work.parent);
    ren__free(work.first);
    return st;
}
