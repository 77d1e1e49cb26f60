/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oriented bounding box of a hull: for each face of the hull the hull's outline seen along the face's normal, and
 * the rectangle of least area around that, which has a side along one of the outline's edges (Freeman and Shapira
 * 1975). The box of least volume of all has at least two sides along edges (O'Rourke 1985), not always one in a face:
 * ours is at most a little larger.
 */
#include "radiomics/ibsi_hull.h"

#include <math.h>

#include "base/parallel.h"

typedef struct flat_point {
    double x, y;
} flat_point;

typedef struct box_job {
    const ren__hull *hull;
    flat_point *scratch; /* 2 x vertices for each thread */
    double (*sides)[3];  /* of each face; of one that was left out -1 */
} box_job;

/* ----------------------------------------------------------------------------------------------------- outlines */

static int before(flat_point a, flat_point b) {
    return a.x < b.x || (a.x == b.x && a.y < b.y);
}

static void sift_down(flat_point *p, int64_t at, int64_t count) {
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(p[child], p[child + 1])) child++;
        if (!before(p[at], p[child])) return;
        const flat_point swap = p[at];
        p[at] = p[child];
        p[child] = swap;
    }
}

/* Heapsort: in place, and qsort may take memory past the host's allocator. */
static void sort_points(flat_point *p, int64_t count) {
    for (int64_t at = count / 2; at-- > 0;)
        sift_down(p, at, count);
    for (int64_t last = count - 1; last > 0; last--) {
        const flat_point swap = p[0];
        p[0] = p[last];
        p[last] = swap;
        sift_down(p, 0, last);
    }
}

static double turn(flat_point a, flat_point b, flat_point c) {
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/* The convex outline, counter-clockwise, into `out` (as many places as points and one): their number. */
static int64_t outline(flat_point *points, int64_t count, flat_point *out) {
    int64_t n = 0;

    sort_points(points, count);
    for (int64_t i = 0; i < count; i++) {
        while (n >= 2 && turn(out[n - 2], out[n - 1], points[i]) <= 0)
            n--;
        out[n++] = points[i];
    }
    const int64_t lower = n + 1;
    for (int64_t i = count - 1; i-- > 0;) {
        while (n >= lower && turn(out[n - 2], out[n - 1], points[i]) <= 0)
            n--;
        out[n++] = points[i];
    }
    return n - 1; /* the first point came again */
}

static double along(flat_point p, double x, double y) {
    return p.x * x + p.y * y;
}

/* Least rectangle around a convex outline: three points go round with each edge (Toussaint 1983). */
static void least_rectangle(const flat_point *p, int64_t n, double sides[2]) {
    int64_t right = 0, top = 0, left = 0;
    double least = INFINITY;

    for (int64_t e = 0; e < n; e++) {
        double x = p[(e + 1) % n].x - p[e].x, y = p[(e + 1) % n].y - p[e].y;
        const double length = sqrt(x * x + y * y);
        if (!(length > 0)) continue;
        x /= length;
        y /= length;
        for (int64_t i = 0; i < n && along(p[(right + 1) % n], x, y) >= along(p[right], x, y); i++)
            right = (right + 1) % n;
        if (e == 0) top = right;
        for (int64_t i = 0; i < n && along(p[(top + 1) % n], -y, x) >= along(p[top], -y, x); i++)
            top = (top + 1) % n;
        if (e == 0) left = top;
        for (int64_t i = 0; i < n && along(p[(left + 1) % n], x, y) <= along(p[left], x, y); i++)
            left = (left + 1) % n;
        const double width = along(p[right], x, y) - along(p[left], x, y);
        const double height = along(p[top], -y, x) - along(p[e], -y, x);
        if (width * height < least) {
            least = width * height;
            sides[0] = width;
            sides[1] = height;
        }
    }
}

/* -------------------------------------------------------------------------------------------------------- boxes */

static int unit_normal(const ren__hull *hull, int64_t face, double n[3]) {
    const double *a = hull->vertex[hull->face[face][0]], *b = hull->vertex[hull->face[face][1]];
    const double *c = hull->vertex[hull->face[face][2]];
    double u[3], v[3];

    for (int k = 0; k < 3; k++) {
        u[k] = b[k] - a[k];
        v[k] = c[k] - a[k];
    }
    n[0] = u[1] * v[2] - u[2] * v[1];
    n[1] = u[2] * v[0] - u[0] * v[2];
    n[2] = u[0] * v[1] - u[1] * v[0];
    const double length = sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    for (int k = 0; k < 3; k++)
        n[k] /= length;
    return length > 0;
}

static double dot(const double a[3], const double b[3]) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* Two unit vectors that are at right angles to n and to each other. */
static void plane_of(const double n[3], double u[3], double v[3]) {
    const int least = fabs(n[0]) <= fabs(n[1]) && fabs(n[0]) <= fabs(n[2]) ? 0 : fabs(n[1]) <= fabs(n[2]) ? 1 : 2;
    double length = 0;

    for (int k = 0; k < 3; k++) {
        u[k] = (k == least) - n[least] * n[k];
        length += u[k] * u[k];
    }
    for (int k = 0; k < 3; k++)
        u[k] /= sqrt(length);
    v[0] = n[1] * u[2] - n[2] * u[1];
    v[1] = n[2] * u[0] - n[0] * u[2];
    v[2] = n[0] * u[1] - n[1] * u[0];
}

static void box_on_face(const box_job *job, int64_t face, flat_point *points, flat_point *out, double sides[3]) {
    const ren__hull *hull = job->hull;
    double n[3], u[3], v[3], low = INFINITY, high = -INFINITY;

    if (!unit_normal(hull, face, n)) return;
    plane_of(n, u, v);
    for (int64_t i = 0; i < hull->vertex_count; i++) {
        const double depth = dot(n, hull->vertex[i]);
        low = fmin(low, depth);
        high = fmax(high, depth);
        points[i] = (flat_point){ dot(u, hull->vertex[i]), dot(v, hull->vertex[i]) };
    }
    least_rectangle(out, outline(points, hull->vertex_count, out), sides);
    sides[2] = high - low;
}

/* Triangles of one plane follow each other rarely enough; the one before is looked at all the same. */
static int same_plane_as_before(const ren__hull *hull, int64_t face) {
    double n[3], m[3];

    return face > 0 && unit_normal(hull, face, n) && unit_normal(hull, face - 1, m) && dot(n, m) > 1 - 1e-12;
}

static void find_boxes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const box_job *job = argument;
    flat_point *points = job->scratch + thread * (2 * job->hull->vertex_count + 1);

    for (int64_t face = begin; face < end; face++) {
        job->sides[face][0] = -1;
        if (!same_plane_as_before(job->hull, face))
            box_on_face(job, face, points, points + job->hull->vertex_count, job->sides[face]);
    }
}

ren_status ren__hull_box(ren_context *context, const ren__hull *hull, ren__run *run, double sides[3]) {
    ren_status st = REN_OK;
    box_job job = { .hull = hull };
    double least = INFINITY;

    REN_CALLOC(job.scratch, (size_t)((2 * hull->vertex_count + 1) * context->threads));
    REN_CALLOC(job.sides, (size_t)hull->face_count);
    ren__parallel_for(context, run, hull->face_count, 16, find_boxes, &job);
    REN_TRY(ren__run_check(run));
    for (int64_t f = 0; f < hull->face_count; f++) {
        const double *s = job.sides[f], volume = s[0] * s[1] * s[2];
        if (s[0] < 0 || !(volume < least)) continue;
        least = volume;
        for (int k = 0; k < 3; k++)
            sides[k] = s[k];
    }
out:
    ren__free(job.scratch);
    ren__free(job.sides);
    return st;
}
