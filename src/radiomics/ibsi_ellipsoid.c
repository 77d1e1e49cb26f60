/* SPDX-License-Identifier: Apache-2.0 */
/* Ellipsoids: the least one around a hull, and the area of one. */
#include <math.h>

#include "radiomics/eigen.h"
#include "radiomics/ibsi_hull.h"

/* ---------------------------------------------------------------------------------------------------------- area */

/* IBSI's series, 21 terms: 4 pi a b sum_n (alpha beta)^n / (1 - 4 n^2) P_n((alpha^2 + beta^2) / (2 alpha beta)).
 * Legendre's polynomials are taken times (alpha beta)^n, so that nothing is divided by what may be 0. */
double ren__ellipsoid_area(const double semi_axes[3]) {
    static const double pi = 3.14159265358979323846;
    const double c = semi_axes[0], b = semi_axes[1], a = semi_axes[2];

    if (!(b > 0)) return NAN;
    const double alpha = 1 - (b / a) * (b / a), beta = 1 - (c / a) * (c / a); /* squares */
    const double half_sum = 0.5 * (alpha + beta), product = alpha * beta;
    double before = 1, here = half_sum, sum = 1 - here / 3;
    for (int n = 1; n < 20; n++) {
        const double next = ((2 * n + 1) * half_sum * here - n * product * before) / (n + 1);
        before = here;
        here = next;
        sum += here / (1 - 4.0 * (n + 1) * (n + 1));
    }
    return 4 * pi * a * b * sum;
}

/* ------------------------------------------------------------------------------------------- the least one around */

/*
 * Khachiyan's algorithm with steps away (Todd and Yildirim 2007): weights on the points, of which in the end only
 * those on the ellipsoid have any. Points are lifted to (x, y, z, 1); a point's distance is q' M^-1 q, M the weighted
 * sum of q q', and 4 for all that carry weight once it is done.
 */
enum { DIMENSIONS = 4, ROUNDS_MAX = 100000 };
static const double tolerance = 1e-6; /* of the distances; of the volume about as much */

/* Inverse of a symmetric positive matrix by Gauss-Jordan; 0 where it is singular. */
static int invert(const double m[DIMENSIONS][DIMENSIONS], double out[DIMENSIONS][DIMENSIONS]) {
    double a[DIMENSIONS][2 * DIMENSIONS];

    for (int i = 0; i < DIMENSIONS; i++)
        for (int j = 0; j < DIMENSIONS; j++) {
            a[i][j] = m[i][j];
            a[i][DIMENSIONS + j] = i == j;
        }
    for (int i = 0; i < DIMENSIONS; i++) {
        const double pivot = a[i][i];
        if (!(pivot > 0)) return 0;
        for (int j = 0; j < 2 * DIMENSIONS; j++)
            a[i][j] /= pivot;
        for (int k = 0; k < DIMENSIONS; k++) {
            const double factor = a[k][i];
            for (int j = 0; k != i && j < 2 * DIMENSIONS; j++)
                a[k][j] -= factor * a[i][j];
        }
    }
    for (int i = 0; i < DIMENSIONS; i++)
        for (int j = 0; j < DIMENSIONS; j++)
            out[i][j] = a[i][DIMENSIONS + j];
    return 1;
}

static void lift(const ren__hull *hull, int64_t i, const double centre[3], double scale, double q[DIMENSIONS]) {
    for (int k = 0; k < 3; k++)
        q[k] = (hull->vertex[i][k] - centre[k]) * scale;
    q[3] = 1;
}

/* Weighted sum of q q'. */
static void moments(const ren__hull *hull, const double centre[3], double scale, const double *weight,
                    double m[DIMENSIONS][DIMENSIONS]) {
    for (int k = 0; k < DIMENSIONS; k++)
        for (int l = 0; l < DIMENSIONS; l++)
            m[k][l] = 0;
    for (int64_t i = 0; i < hull->vertex_count; i++) {
        double q[DIMENSIONS];
        if (!(weight[i] > 0)) continue;
        lift(hull, i, centre, scale, q);
        for (int k = 0; k < DIMENSIONS; k++)
            for (int l = 0; l < DIMENSIONS; l++)
                m[k][l] += weight[i] * q[k] * q[l];
    }
}

typedef struct extremes {
    int64_t farthest, nearest; /* nearest of those with weight */
    double high, low;
} extremes;

static extremes distances(const ren__hull *hull, const double centre[3], double scale, const double *weight,
                          const double inverse[DIMENSIONS][DIMENSIONS]) {
    extremes found = { 0, 0, -INFINITY, INFINITY };

    for (int64_t i = 0; i < hull->vertex_count; i++) {
        double q[DIMENSIONS], distance = 0;
        lift(hull, i, centre, scale, q);
        for (int k = 0; k < DIMENSIONS; k++)
            for (int l = 0; l < DIMENSIONS; l++)
                distance += q[k] * inverse[k][l] * q[l];
        if (distance > found.high) {
            found.high = distance;
            found.farthest = i;
        }
        if (weight[i] > 0 && distance < found.low) {
            found.low = distance;
            found.nearest = i;
        }
    }
    return found;
}

/* Moves weight to the farthest point or from the nearest; 0: nothing is left to do. */
static int improve(double *weight, int64_t count, const extremes *e) {
    const int64_t to = e->high - DIMENSIONS > DIMENSIONS - e->low ? e->farthest : e->nearest;
    const double distance = to == e->farthest ? e->high : e->low;
    double step;

    if (fmax(e->high - DIMENSIONS, DIMENSIONS - e->low) <= tolerance * DIMENSIONS) return 0;
    step = distance > 1 ? (distance - DIMENSIONS) / (DIMENSIONS * (distance - 1)) : -1;
    if (distance < DIMENSIONS) step = fmax(step, -weight[to] / (1 - weight[to]));
    for (int64_t i = 0; i < count; i++)
        weight[i] *= 1 - step;
    weight[to] += step;
    if (weight[to] < 1e-15) weight[to] = 0;
    return 1;
}

/* Centre of the points' box and 1 over its longest side: numbers near 1. */
static double frame_of(const ren__hull *hull, double centre[3]) {
    double longest = 0;

    for (int k = 0; k < 3; k++) {
        double low = INFINITY, high = -INFINITY;
        for (int64_t i = 0; i < hull->vertex_count; i++) {
            low = fmin(low, hull->vertex[i][k]);
            high = fmax(high, hull->vertex[i][k]);
        }
        centre[k] = 0.5 * (low + high);
        longest = fmax(longest, high - low);
    }
    return 1 / longest;
}

ren_status ren__hull_ellipsoid(ren_context *context, const ren__hull *hull, ren__run *run, double semi_axes[3]) {
    ren_status st = REN_OK;
    double m[DIMENSIONS][DIMENSIONS], inverse[DIMENSIONS][DIMENSIONS], covariance[9], scratch[6], centre[3];
    const double scale = frame_of(hull, centre);
    double *weight = NULL;

    semi_axes[0] = semi_axes[1] = semi_axes[2] = NAN;
    REN_CALLOC(weight, (size_t)hull->vertex_count);
    for (int64_t i = 0; i < hull->vertex_count; i++)
        weight[i] = 1 / (double)hull->vertex_count;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        REN_TRY(ren__run_check(run));
        moments(hull, centre, scale, weight, m);
        if (!invert((const double(*)[DIMENSIONS])m, inverse)) goto out;
        const extremes e = distances(hull, centre, scale, weight, (const double(*)[DIMENSIONS])inverse);
        if (!improve(weight, hull->vertex_count, &e)) break;
    }
    for (int k = 0; k < 3; k++)
        for (int l = 0; l < 3; l++)
            covariance[3 * k + l] = 3 * (m[k][l] - m[k][3] * m[l][3]);
    ren__eigen_symmetric(3, covariance, semi_axes, NULL, scratch);
    for (int k = 0; k < 3; k++)
        semi_axes[k] = sqrt(semi_axes[k]) / scale;
out:
    ren__free(weight);
    return st;
}
