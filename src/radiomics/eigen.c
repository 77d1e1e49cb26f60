/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Householder's reduction to tridiagonal form, then the QL algorithm with implicit shifts (Golub and Van Loan, Matrix
 * Computations, 8.3). All loops run along rows.
 */
#include "radiomics/eigen.h"

#include <float.h>
#include <math.h>

enum { ITERATIONS_MAX = 100 }; /* for one eigenvalue; two or three are usual */

static double dot(int64_t n, const double *a, const double *b) {
    double sum = 0.0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_scaled(int64_t n, double factor, const double *x, double *y) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* Makes v of x in place, so that (1 - beta v v') x = (alpha, 0, 0, ...); gives beta. */
static double reflector(int64_t n, double *x, double *alpha) {
    const double rest = dot(n - 1, x + 1, x + 1);

    *alpha = x[0];
    if (rest == 0.0) return 0.0;
    *alpha = x[0] > 0.0 ? -sqrt(x[0] * x[0] + rest) : sqrt(x[0] * x[0] + rest);
    x[0] -= *alpha;
    return 2.0 / (x[0] * x[0] + rest);
}

/* a -= v w' + w v' for the upper triangle, where p = beta a v and w = p - beta (p'v) v / 2: a becomes h a h with the
 * reflector h = 1 - beta v v'. */
static void reflect_both_sides(int64_t n, int64_t stride, double beta, const double *v, double *p, double *a) {
    for (int64_t i = 0; i < n; i++)
        p[i] = 0.0;
    for (int64_t i = 0; i < n; i++) {
        const double *row = a + i * stride;
        p[i] += beta * dot(n - i, row + i, v + i);
        add_scaled(n - i - 1, beta * v[i], row + i + 1, p + i + 1);
    }
    add_scaled(n, -0.5 * beta * dot(n, p, v), v, p);
    for (int64_t i = 0; i < n; i++) {
        double *row = a + i * stride;
        add_scaled(n - i, -v[i], p + i, row + i);
        add_scaled(n - i, -p[i], v + i, row + i);
    }
}

/* The diagonal into d, the elements beside it into e[0 .. n - 2]; with vectors, their rows become the transposed
 * product of all reflectors. The lower triangle keeps the betas, row k right of the diagonal its v. */
static void tridiagonalise(int64_t n, double *a, double *d, double *e, double *vectors) {
    for (int64_t k = 0; k + 1 < n; k++) {
        double *v = a + k * n + k + 1;
        const double beta = reflector(n - k - 1, v, &e[k]);

        a[(k + 1) * n + k] = beta;
        if (beta != 0.0) reflect_both_sides(n - k - 1, n, beta, v, d + k + 1, a + (k + 1) * n + k + 1);
    }
    for (int64_t k = 0; k < n; k++)
        d[k] = a[k * n + k];
    if (!vectors) return;
    for (int64_t i = 0; i < n * n; i++)
        vectors[i] = i % (n + 1) == 0 ? 1.0 : 0.0;
    for (int64_t k = n - 2; k >= 0; k--) {
        const double *v = a + k * n + k + 1, beta = a[(k + 1) * n + k];
        for (int64_t i = k + 1; i < n && beta != 0.0; i++) {
            double *row = vectors + i * n + k + 1;
            add_scaled(n - k - 1, -beta * dot(n - k - 1, row, v), v, row);
        }
    }
}

static void rotate_rows(int64_t n, double c, double s, double *upper, double *lower) {
#pragma omp simd
    for (int64_t k = 0; k < n; k++) {
        const double u = upper[k], l = lower[k];
        lower[k] = s * u + c * l;
        upper[k] = c * u - s * l;
    }
}

/* One QL step with an implicit shift on the unreduced block l .. m. */
static void ql_step(int64_t n, int64_t l, int64_t m, double *d, double *e, double *vectors) {
    const double half = (d[l + 1] - d[l]) / (2.0 * e[l]), root = hypot(half, 1.0);
    double g = d[m] - d[l] + e[l] / (half + copysign(root, half)), c = 1.0, s = 1.0, p = 0.0;

    for (int64_t i = m - 1; i >= l; i--) {
        const double f = s * e[i], b = c * e[i], r = hypot(f, g);

        e[i + 1] = r;
        if (r == 0.0) { /* the block has fallen apart */
            d[i + 1] -= p;
            e[m] = 0.0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        const double t = (d[i] - g) * s + 2.0 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        if (vectors) rotate_rows(n, c, s, vectors + i * n, vectors + (i + 1) * n);
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0.0;
}

/* Of the tridiagonal matrix with all elements at most 1: one below a sixteenth of eps is 0, or values within rounding
 * of 0 would never part. 0: no convergence, which no finite matrix has shown. */
static int ql(int64_t n, double *d, double *e, double *vectors) {
    e[n - 1] = 0.0;
    for (int64_t l = 0; l < n; l++) {
        for (int32_t iteration = 0;; iteration++) {
            int64_t m = l;
            while (m < n - 1 && fabs(e[m]) > DBL_EPSILON * (fabs(d[m]) + fabs(d[m + 1])) &&
                   fabs(e[m]) > DBL_EPSILON / 16.0)
                m++;
            if (m == l) break;
            if (iteration == ITERATIONS_MAX) return 0;
            ql_step(n, l, m, d, e, vectors);
        }
    }
    return 1;
}

static void sort_rising(int64_t n, double *values, double *vectors) {
    for (int64_t i = 0; i + 1 < n; i++) {
        int64_t least = i;
        for (int64_t k = i + 1; k < n; k++)
            if (values[k] < values[least]) least = k;
        if (least == i) continue;
        const double value = values[i];
        values[i] = values[least];
        values[least] = value;
        for (int64_t k = 0; vectors && k < n; k++) {
            const double element = vectors[i * n + k];
            vectors[i * n + k] = vectors[least * n + k];
            vectors[least * n + k] = element;
        }
    }
}

void ren__eigen_symmetric(int32_t size, double *matrix, double *values, double *vectors, double *scratch) {
    const int64_t n = size;
    double largest = 0.0;
    int finite = 1;

    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = i; k < n; k++) {
            finite &= isfinite(matrix[i * n + k]) != 0;
            if (fabs(matrix[i * n + k]) > largest) largest = fabs(matrix[i * n + k]);
        }
    }
    const double scale = largest > 0.0 ? largest : 1.0; /* divided by it, no square overflows or vanishes */
    for (int64_t i = 0; i < n && finite; i++)
        for (int64_t k = i; k < n; k++)
            matrix[i * n + k] /= scale;
    if (finite) tridiagonalise(n, matrix, values, scratch, vectors);
    finite = finite && ql(n, values, scratch, vectors);
    for (int64_t i = 0; i < n; i++)
        values[i] = finite ? values[i] * scale : (double)NAN;
    for (int64_t i = 0; vectors && !finite && i < n * n; i++)
        vectors[i] = (double)NAN;
    if (finite) sort_rising(n, values, vectors);
}
