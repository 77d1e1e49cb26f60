/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convex hull by Quickhull (Barber et al. 1996), on a lattice: the mesh's vertices are halves of voxels, so that twice
 * their coordinates are whole numbers and every test of sides is exact. A point in the plane of a face does not see it;
 * then what a point sees is bounded by one closed line, and no new triangle is degenerate.
 */
#include "radiomics/ibsi_hull.h"

#include <math.h>
#include <string.h>

enum { NONE = -1 };

typedef struct lattice_point {
    int32_t at[3];
    int32_t next; /* in the list of points that see the same face */
} lattice_point;

typedef struct facet {
    int32_t corner[3];    /* counter-clockwise from outside */
    int32_t neighbour[3]; /* across the edge from corner k to corner k + 1; NONE in a facet that is gone */
    int32_t points;       /* first of those that see it, or NONE */
    int32_t seen;         /* number of the last point that saw it */
    int64_t normal[3];
} facet;

typedef struct horizon_edge {
    int32_t from, to, beyond; /* seen from inside the hull's rest; the facet that stays */
} horizon_edge;

typedef struct builder {
    ren_context *context;
    lattice_point *point;
    int64_t point_count, point_capacity;
    facet *facets;
    int64_t facet_count, facet_capacity;
    int32_t *stack; /* facets, as many as there are */
    horizon_edge *horizon;
    int64_t horizon_count;
    int64_t work_capacity; /* of stack and horizon */
    int32_t *starting;     /* of each point: the new facet whose horizon edge begins there */
} builder;

static void builder_free(builder *b) {
    ren__free(b->point);
    ren__free(b->facets);
    ren__free(b->stack);
    ren__free(b->horizon);
    ren__free(b->starting);
}

/* ----------------------------------------------------------------------------------------------------- points */

static ren_status add_point(builder *b, int axis, int64_t along, int64_t u, int64_t v) {
    const int first = axis == 0 ? 1 : 0, second = axis == 2 ? 1 : 2;

    if (b->point_count == b->point_capacity) {
        const int64_t capacity = b->point_capacity ? 2 * b->point_capacity : 256;
        void *grown = ren__realloc(b->context, b->point, (size_t)capacity * sizeof *b->point);
        if (!grown) return ren__out_of_memory();
        b->point = grown;
        b->point_capacity = capacity;
    }
    lattice_point *p = b->point + b->point_count++;
    p->at[axis] = (int32_t)along;
    p->at[first] = (int32_t)(2 * u);
    p->at[second] = (int32_t)(2 * v);
    p->next = NONE;
    return REN_OK;
}

/* The two ends of each line of voxels along each axis, half a voxel further out: no other vertex can be on the hull. */
static ren_status collect_points(builder *b, const uint8_t *inside, const int64_t shape[3], ren__run *run) {
    const int64_t pitch[3] = { 1, shape[0], shape[0] * shape[1] };
    ren_status st = REN_OK;

    for (int axis = 0; axis < 3; axis++) {
        const int first = axis == 0 ? 1 : 0, second = axis == 2 ? 1 : 2;
        REN_TRY(ren__run_check(run));
        for (int64_t v = 0; v < shape[second]; v++)
            for (int64_t u = 0; u < shape[first]; u++) {
                const uint8_t *line = inside + u * pitch[first] + v * pitch[second];
                int64_t low = 0, high = shape[axis] - 1;
                while (low <= high && !line[low * pitch[axis]])
                    low++;
                if (low > high) continue;
                while (!line[high * pitch[axis]])
                    high--;
                REN_TRY(add_point(b, axis, 2 * low - 1, u, v));
                REN_TRY(add_point(b, axis, 2 * high + 1, u, v));
            }
    }
out:
    return st;
}

/* ----------------------------------------------------------------------------------------------------- facets */

static void cross(const int64_t a[3], const int64_t b[3], int64_t out[3]) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

static void between(const builder *b, int32_t from, int32_t to, int64_t out[3]) {
    for (int k = 0; k < 3; k++)
        out[k] = (int64_t)b->point[to].at[k] - b->point[from].at[k];
}

/* Above 0 where the point sees the facet. */
static int64_t height(const builder *b, const facet *f, int32_t point) {
    int64_t to[3];

    between(b, f->corner[0], point, to);
    return f->normal[0] * to[0] + f->normal[1] * to[1] + f->normal[2] * to[2];
}

/* Room for `more` facets, and as much in stack and horizon. */
static ren_status reserve_facets(builder *b, int64_t more) {
    ren_status st = REN_OK;
    const int64_t needed = b->facet_count + more;
    void *grown;

    if (needed <= b->work_capacity) return REN_OK;
    const int64_t capacity = 2 * needed + 64;
    if (capacity > INT32_MAX) return ren__error(REN_E_LIMIT, "the region's convex hull has too many faces");
    if (!(grown = ren__realloc(b->context, b->facets, (size_t)capacity * sizeof *b->facets)))
        REN_TRY(ren__out_of_memory());
    b->facets = grown;
    if (!(grown = ren__realloc(b->context, b->stack, (size_t)capacity * 3 * sizeof *b->stack)))
        REN_TRY(ren__out_of_memory());
    b->stack = grown;
    if (!(grown = ren__realloc(b->context, b->horizon, (size_t)capacity * sizeof *b->horizon)))
        REN_TRY(ren__out_of_memory());
    b->horizon = grown;
    b->work_capacity = capacity;
out:
    return st;
}

static int32_t add_facet(builder *b, int32_t i, int32_t j, int32_t k) {
    facet *f = b->facets + b->facet_count;
    int64_t u[3], v[3];

    *f = (facet){ { i, j, k }, { NONE, NONE, NONE }, NONE, NONE, { 0, 0, 0 } };
    between(b, i, j, u);
    between(b, i, k, v);
    cross(u, v, f->normal);
    return (int32_t)b->facet_count++;
}

static void give_point(builder *b, int32_t facet_index, int32_t point) {
    b->point[point].next = b->facets[facet_index].points;
    b->facets[facet_index].points = point;
}

/* To the first of the facets from `from` on that the point sees; inside all, it is forgotten. */
static void assign_point(builder *b, int64_t from, int32_t point) {
    for (int64_t f = from; f < b->facet_count; f++)
        if (height(b, &b->facets[f], point) > 0) {
            give_point(b, (int32_t)f, point);
            return;
        }
}

/* --------------------------------------------------------------------------------------------- first tetrahedron */

static int64_t square(const int64_t v[3]) {
    return v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
}

/* The point farthest from the line through points i and j. */
static int32_t farthest_from_line(const builder *b, int32_t i, int32_t j) {
    int64_t along[3], to[3], normal[3];
    double best = -1;
    int32_t found = 0;

    between(b, i, j, along);
    for (int32_t p = 0; p < (int32_t)b->point_count; p++) {
        between(b, i, p, to);
        cross(along, to, normal);
        /* a comparison by size only: rounding cannot make 0 of what is not */
        const double size = (double)normal[0] * (double)normal[0] + (double)normal[1] * (double)normal[1] +
                            (double)normal[2] * (double)normal[2];
        if (size > best) {
            best = size;
            found = p;
        }
    }
    return found;
}

/* Any voxel's six vertices span space, so four points that do are always there. */
static ren_status first_facets(builder *b) {
    ren_status st = REN_OK;
    int64_t best = -1, to[3];
    int32_t i = 0, j = 0, k, l = 0;

    for (int32_t p = 1; p < (int32_t)b->point_count; p++) {
        between(b, i, p, to);
        if (square(to) > best) {
            best = square(to);
            j = p;
        }
    }
    k = farthest_from_line(b, i, j);
    REN_TRY(reserve_facets(b, 4));
    best = 0;
    add_facet(b, i, j, k);
    for (int32_t p = 0; p < (int32_t)b->point_count; p++) {
        const int64_t above = height(b, b->facets, p);
        if ((above < 0 ? -above : above) > (best < 0 ? -best : best)) {
            best = above;
            l = p;
        }
    }
    b->facet_count = 0;
    if (best > 0) { /* the fourth point must be below the first face */
        const int32_t swap = j;
        j = k;
        k = swap;
    }
    add_facet(b, i, j, k);
    add_facet(b, j, i, l);
    add_facet(b, k, j, l);
    add_facet(b, i, k, l);
    const int32_t neighbours[4][3] = { { 1, 2, 3 }, { 0, 3, 2 }, { 0, 1, 3 }, { 0, 2, 1 } };
    for (int f = 0; f < 4; f++)
        memcpy(b->facets[f].neighbour, neighbours[f], sizeof neighbours[f]);
    for (int32_t p = 0; p < (int32_t)b->point_count; p++)
        assign_point(b, 0, p);
out:
    return st;
}

/* ----------------------------------------------------------------------------------------------------- growing */

static int32_t highest_point(const builder *b, const facet *f) {
    int64_t best = -1;
    int32_t found = NONE;

    for (int32_t p = f->points; p != NONE; p = b->point[p].next) {
        const int64_t above = height(b, f, p);
        if (above > best) {
            best = above;
            found = p;
        }
    }
    return found;
}

/* Marks the facets that the point sees, lists them on the stack (their number is returned) and their horizon. */
static int64_t look_around(builder *b, int32_t start, int32_t point) {
    int64_t count = 0;

    b->horizon_count = 0;
    b->stack[count++] = start;
    b->facets[start].seen = point;
    for (int64_t at = 0; at < count; at++) {
        const facet *f = b->facets + b->stack[at];
        for (int k = 0; k < 3; k++) {
            facet *next = b->facets + f->neighbour[k];
            if (next->seen == point) continue;
            if (height(b, next, point) > 0) {
                next->seen = point;
                b->stack[count++] = f->neighbour[k];
            } else {
                b->horizon[b->horizon_count++] =
                    (horizon_edge){ f->corner[k], f->corner[(k + 1) % 3], f->neighbour[k] };
            }
        }
    }
    return count;
}

/* A facet from each edge of the horizon to the point. */
static void close_horizon(builder *b, int32_t point) {
    const int64_t from = b->facet_count;

    for (int64_t h = 0; h < b->horizon_count; h++) {
        const horizon_edge *edge = b->horizon + h;
        const int32_t made = add_facet(b, edge->from, edge->to, point);
        facet *beyond = b->facets + edge->beyond;
        b->facets[made].neighbour[0] = edge->beyond;
        for (int k = 0; k < 3; k++)
            if (beyond->corner[k] == edge->to && beyond->corner[(k + 1) % 3] == edge->from) beyond->neighbour[k] = made;
        b->starting[edge->from] = made;
    }
    for (int64_t f = from; f < b->facet_count; f++) {
        const int32_t next = b->starting[b->facets[f].corner[1]];
        b->facets[f].neighbour[1] = next;
        b->facets[next].neighbour[2] = (int32_t)f;
    }
}

static ren_status add_to_hull(builder *b, int32_t facet_index) {
    const int32_t point = highest_point(b, b->facets + facet_index);
    const int64_t seen = look_around(b, facet_index, point), from = b->facet_count;
    const ren_status st = reserve_facets(b, b->horizon_count);

    if (st != REN_OK) return st;
    close_horizon(b, point);
    for (int64_t s = 0; s < seen; s++) {
        facet *gone = b->facets + b->stack[s];
        int32_t p = gone->points;
        gone->neighbour[0] = NONE;
        gone->points = NONE;
        while (p != NONE) {
            const int32_t next = b->point[p].next;
            if (p != point) assign_point(b, from, p);
            p = next;
        }
    }
    return REN_OK;
}

/* -------------------------------------------------------------------------------------------------------- result */

static ren_status take_out(builder *b, const double spacing[3], ren__hull *out) {
    ren_context *context = b->context;
    ren_status st = REN_OK;
    ren__hull hull = { 0 };

    for (int64_t p = 0; p < b->point_count; p++)
        b->starting[p] = NONE;
    for (int64_t f = 0; f < b->facet_count; f++) {
        if (b->facets[f].neighbour[0] == NONE) continue;
        hull.face_count++;
        for (int k = 0; k < 3; k++) {
            int32_t *number = b->starting + b->facets[f].corner[k];
            if (*number == NONE) *number = (int32_t)hull.vertex_count++;
        }
    }
    REN_CALLOC(hull.vertex, (size_t)hull.vertex_count);
    REN_CALLOC(hull.face, (size_t)hull.face_count);
    for (int64_t p = 0; p < b->point_count; p++)
        for (int k = 0; k < 3 && b->starting[p] != NONE; k++)
            hull.vertex[b->starting[p]][k] = 0.5 * b->point[p].at[k] * spacing[k];
    for (int64_t f = 0, n = 0; f < b->facet_count; f++) {
        if (b->facets[f].neighbour[0] == NONE) continue;
        for (int k = 0; k < 3; k++)
            hull.face[n][k] = b->starting[b->facets[f].corner[k]];
        n++;
    }
    *out = hull;
    hull = (ren__hull){ 0 };
out:
    ren__hull_free(&hull);
    return st;
}

ren_status ren__hull_create(ren_context *context, const uint8_t *inside, const int64_t shape[3],
                            const double spacing[3], ren__run *run, ren__hull *out) {
    ren_status st = REN_OK;
    builder b = { .context = context };

    REN_TRY(collect_points(&b, inside, shape, run));
    if (b.point_count > INT32_MAX / 2) REN_FAIL(REN_E_LIMIT, "the region's surface is too large for a convex hull");
    REN_CALLOC(b.starting, (size_t)b.point_count);
    REN_TRY(first_facets(&b));
    for (int64_t f = 0; f < b.facet_count; f++) { /* new facets come at the end */
        if (b.facets[f].neighbour[0] == NONE || b.facets[f].points == NONE) continue;
        REN_TRY(ren__run_check(run));
        REN_TRY(add_to_hull(&b, (int32_t)f));
    }
    REN_TRY(take_out(&b, spacing, out));
out:
    builder_free(&b);
    return st;
}

void ren__hull_free(ren__hull *hull) {
    ren__free(hull->vertex);
    ren__free(hull->face);
    *hull = (ren__hull){ 0 };
}

void ren__hull_measure(const ren__hull *hull, double *volume, double *area) {
    *volume = *area = 0;
    for (int64_t f = 0; f < hull->face_count; f++) {
        const double *a = hull->vertex[hull->face[f][0]], *b = hull->vertex[hull->face[f][1]];
        const double *c = hull->vertex[hull->face[f][2]];
        double u[3], v[3], n[3];

        for (int k = 0; k < 3; k++) {
            u[k] = b[k] - a[k];
            v[k] = c[k] - a[k];
        }
        n[0] = u[1] * v[2] - u[2] * v[1];
        n[1] = u[2] * v[0] - u[0] * v[2];
        n[2] = u[0] * v[1] - u[1] * v[0];
        *volume += (a[0] * n[0] + a[1] * n[1] + a[2] * n[2]) / 6;
        *area += 0.5 * sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    }
}
