/* SPDX-License-Identifier: Apache-2.0 */
/* Subdivided icosahedra and spherical harmonics. */
#include "radiomics/sphere.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct edge {
    int32_t a, b; /* a < b */
} edge;

typedef struct mesh {
    int32_t points, faces;
    double (*point)[3];
    int32_t (*face)[3];
} mesh;

static void mesh_free(mesh *m) {
    ren__free(m->point);
    ren__free(m->face);
    memset(m, 0, sizeof *m);
}

static ren_status icosahedron(ren_context *context, mesh *out) {
    static const int8_t signs[12][3] = { { -1, 1, 0 }, { 1, 1, 0 }, { -1, -1, 0 }, { 1, -1, 0 },
                                         { 0, -1, 1 }, { 0, 1, 1 }, { 0, -1, -1 }, { 0, 1, -1 },
                                         { 1, 0, -1 }, { 1, 0, 1 }, { -1, 0, -1 }, { -1, 0, 1 } };
    static const uint8_t faces[20][3] = { { 0, 11, 5 }, { 0, 5, 1 },  { 0, 1, 7 },   { 0, 7, 10 }, { 0, 10, 11 },
                                          { 1, 5, 9 },  { 5, 11, 4 }, { 11, 10, 2 }, { 10, 7, 6 }, { 7, 1, 8 },
                                          { 3, 9, 4 },  { 3, 4, 2 },  { 3, 2, 6 },   { 3, 6, 8 },  { 3, 8, 9 },
                                          { 4, 9, 5 },  { 2, 4, 11 }, { 6, 2, 10 },  { 8, 6, 7 },  { 9, 8, 1 } };
    const double golden = (1.0 + sqrt(5.0)) / 2.0, length = sqrt(2.0 + golden);
    out->point = ren__alloc_array(context, 12, sizeof *out->point);
    out->face = ren__alloc_array(context, 20, sizeof *out->face);
    if (!out->point || !out->face) return ren__out_of_memory();
    out->points = 12;
    out->faces = 20;
    for (int p = 0; p < 12; p++)
        for (int a = 0; a < 3; a++) {
            /* the coordinate after the zero is the short one: 1, then the golden ratio, in turn */
            const int after_zero = signs[p][(a + 2) % 3] == 0;
            out->point[p][a] = signs[p][a] * (after_zero ? 1.0 : golden) / length;
        }
    for (int f = 0; f < 20; f++)
        for (int a = 0; a < 3; a++)
            out->face[f][a] = faces[f][a];
    return REN_OK;
}

static void move_to_radius(mesh *m, double radius) {
    for (int32_t p = 0; p < m->points; p++) {
        double *v = m->point[p];
        const double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]), by = radius - length;
        for (int a = 0; a < 3; a++)
            v[a] += v[a] / length * by;
    }
}

static int by_ends(const void *left, const void *right) {
    const edge *x = left, *y = right;
    if (x->a != y->a) return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

static edge edge_of(const int32_t face[3], int side) {
    const int32_t a = face[side], b = face[(side + 1) % 3];
    const edge result = { a < b ? a : b, a < b ? b : a };
    return result;
}

/* Each triangle becomes four, with a new point in the middle of each edge. */
static ren_status subdivide(ren_context *context, const mesh *from, mesh *out) {
    ren_status st = REN_OK;
    int32_t count = 0;
    edge *edges = NULL;
    REN_CALLOC(edges, (size_t)from->faces * 3);
    for (int32_t f = 0; f < from->faces; f++)
        for (int side = 0; side < 3; side++)
            edges[3 * f + side] = edge_of(from->face[f], side);
    qsort(edges, (size_t)from->faces * 3, sizeof *edges, by_ends);
    for (int32_t e = 0; e < from->faces * 3; e++)
        if (!count || by_ends(&edges[e], &edges[count - 1]) != 0) edges[count++] = edges[e];
    out->points = from->points + count;
    out->faces = 4 * from->faces;
    out->point = ren__alloc_array(context, (size_t)out->points, sizeof *out->point);
    out->face = ren__alloc_array(context, (size_t)out->faces, sizeof *out->face);
    if (!out->point || !out->face) {
        st = ren__out_of_memory();
        goto out;
    }
    memcpy(out->point, from->point, (size_t)from->points * sizeof *out->point);
    for (int32_t e = 0; e < count; e++)
        for (int a = 0; a < 3; a++)
            out->point[from->points + e][a] = (from->point[edges[e].a][a] + from->point[edges[e].b][a]) / 2.0;
    for (int32_t f = 0; f < from->faces; f++) {
        int32_t middle[3];
        for (int side = 0; side < 3; side++) {
            const edge wanted = edge_of(from->face[f], side);
            const edge *at = bsearch(&wanted, edges, (size_t)count, sizeof *edges, by_ends);
            middle[side] = from->points + (at ? (int32_t)(at - edges) : 0);
        }
        for (int corner = 0; corner < 3; corner++) {
            out->face[4 * f + corner][0] = from->face[f][corner];
            out->face[4 * f + corner][1] = middle[corner];
            out->face[4 * f + corner][2] = middle[(corner + 2) % 3];
            out->face[4 * f + 3][corner] = middle[corner];
        }
    }
out:
    ren__free(edges);
    return st;
}

ren_status ren__sphere_create(ren_context *context, int32_t subdivisions, double radius, ren__sphere *out) {
    ren_status st = REN_OK;
    mesh now, next;
    memset(&now, 0, sizeof now);
    memset(&next, 0, sizeof next);
    if (subdivisions > REN__SPHERE_SUBDIVISIONS_MAX)
        return ren__error(REN_E_UNSUPPORTED, "lbp3DIcosphereSubdivision %d: at most %d is supported", subdivisions,
                          REN__SPHERE_SUBDIVISIONS_MAX);
    REN_TRY(icosahedron(context, &now));
    if (subdivisions <= 0) move_to_radius(&now, radius);
    for (int32_t s = 0; s < subdivisions; s++) {
        REN_TRY(subdivide(context, &now, &next));
        mesh_free(&now);
        now = next;
        memset(&next, 0, sizeof next);
        move_to_radius(&now, radius);
    }
    out->count = now.points;
    out->points = now.point;
    now.point = NULL;
out:
    mesh_free(&now);
    mesh_free(&next);
    return st;
}

void ren__sphere_free(ren__sphere *sphere) {
    ren__free(sphere->points);
    memset(sphere, 0, sizeof *sphere);
}

void ren__harmonic(int32_t m, int32_t n, double azimuth, double polar, double value[2]) {
    const double pi = 3.14159265358979323846, x = cos(polar), y = sqrt((1.0 - x) * (1.0 + x));
    const int32_t order = m < 0 ? -m : m;
    double before = 0.0, now = 1.0, scale = (2.0 * n + 1.0) / (4.0 * pi);
    for (int32_t k = 1; k <= order; k++)
        now *= -(2.0 * k - 1.0) * y; /* P_m^m with the phase */
    for (int32_t k = order + 1; k <= n; k++) {
        const double next = ((2.0 * k - 1.0) * x * now - (k + order - 1.0) * before) / (k - order);
        before = now;
        now = next;
    }
    for (int32_t k = n - order + 1; k <= n + order; k++)
        scale /= k;
    now *= sqrt(scale);
    if (m < 0 && order % 2) now = -now;
    value[0] = now * cos(m * azimuth);
    value[1] = now * sin(m * azimuth);
}
