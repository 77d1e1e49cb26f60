/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maximal correlation coefficient: the root of the second largest eigenvalue of
 *
 *     Q(i, j) = sum_k P(i, k) P(j, k) / (px(i) py(k) + eps).
 *
 * PyRadiomics takes all eigenvalues of Q (LAPACK's geev), the cube of the number of levels. Here Q is never made: the
 * Arnoldi process asks for products with vectors alone, and finds the outermost eigenvalues first. Q is scaled by
 * sqrt(px(i) / px(j)), which makes it symmetric but for eps; eps matters where px and py are both tiny, and is kept.
 *
 * The largest eigenvalue, 1 but for eps, has the vector sqrt(px). It is put into the basis, and the process runs beside
 * it: so the second one comes out also where it is as large, as it is when levels fall into groups that have no pairs,
 * or next to none, with each other. The projection of Q onto the basis is tridiagonal but for eps, and how its largest
 * eigenvalue grows says when to stop. Where eps matters, the eigenvalues of the whole projection are then found by
 * Francis' QR steps. More than BASIS_MAX levels may stop at BASIS_MAX vectors, with the digits found by then.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "radiomics/glcm.h"

/* Vectors in the basis, after which the value is taken as it is; the first look at it, and those that follow. */
enum { BASIS_MAX = 128, LOOK_FIRST = 8, LOOK_EVERY = 4, SWEEPS_MAX = 60 };

/* Where eps is a smaller part of all px py than this, Q counts as symmetric: the value changes by less than half. */
static const double negligible = 2e-7;

typedef struct mcc {
    const ren__glcm *matrix;
    double *weighted; /* [entries] P / (px py + eps) */
    double *root;     /* [levels] sqrt(px) */
    double *columns;  /* [levels] scratch of a product */
    int32_t *member;  /* [members] levels that have pairs */
    int32_t members;
    double *basis;        /* [BASIS_MAX + 1][members] */
    double *image;        /* [members] Q times the first vector of the basis */
    double *projected;    /* [vectors of the basis][BASIS_MAX] */
    double *small;        /* its copy, which is destroyed */
    double first, second; /* the two largest eigenvalues */
    int symmetric;
    double diagonal[BASIS_MAX], beside[BASIS_MAX]; /* of the projection, from the second vector of the basis on */
    uint64_t random;
} mcc;

/* ------------------------------------------------------------------------------------ eigenvalues of a Hessenberg
 * matrix */

#define H(i, j) h[(int64_t)(i)*BASIS_MAX + (j)]

/* The row from which on the last part of 0 .. hi is a block of its own. */
static int block_start(double *h, int hi) {
    int l = hi;

    for (; l > 0; l--) {
        const double size = fabs(H(l - 1, l - 1)) + fabs(H(l, l));
        if (fabs(H(l, l - 1)) <= DBL_EPSILON * size || fabs(H(l, l - 1)) < DBL_MIN) break;
    }
    if (l > 0) H(l, l - 1) = 0.0;
    return l;
}

/* Mirrors rows and columns k .. k + 2 (k + 1 at the end) so that the vector `v` has its first element alone. */
static void mirror(double *h, int lo, int hi, int k, const double v[3], int size) {
    double norm = 0.0, u[3] = { 0.0, 0.0, 0.0 }, length = 0.0;

    for (int i = 0; i < size; i++)
        norm += v[i] * v[i];
    norm = sqrt(norm);
    if (norm == 0.0) return;
    u[0] = v[0] + (v[0] < 0.0 ? -norm : norm);
    for (int i = 1; i < size; i++)
        u[i] = v[i];
    for (int i = 0; i < size; i++)
        length += u[i] * u[i];
    for (int j = k > lo ? k - 1 : lo; j <= hi; j++) {
        double dot = 0.0;
        for (int i = 0; i < size; i++)
            dot += u[i] * H(k + i, j);
        dot *= 2.0 / length;
        for (int i = 0; i < size; i++)
            H(k + i, j) -= dot * u[i];
    }
    for (int j = lo; j <= (k + 3 < hi ? k + 3 : hi); j++) {
        double dot = 0.0;
        for (int i = 0; i < size; i++)
            dot += u[i] * H(j, k + i);
        dot *= 2.0 / length;
        for (int i = 0; i < size; i++)
            H(j, k + i) -= dot * u[i];
    }
}

/* One Francis step on rows and columns lo .. hi with a double shift of the given sum and product. */
static void francis(double *h, int lo, int hi, double sum, double product) {
    double v[3] = { H(lo, lo) * H(lo, lo) + H(lo, lo + 1) * H(lo + 1, lo) - sum * H(lo, lo) + product,
                    H(lo + 1, lo) * (H(lo, lo) + H(lo + 1, lo + 1) - sum), H(lo + 1, lo) * H(lo + 2, lo + 1) };

    for (int k = lo; k < hi; k++) {
        const int size = k + 2 <= hi ? 3 : 2;
        if (k > lo) {
            v[0] = H(k, k - 1);
            v[1] = H(k + 1, k - 1);
            v[2] = size == 3 ? H(k + 2, k - 1) : 0.0;
        }
        mirror(h, lo, hi, k, v, size);
        for (int i = 1; k > lo && i < size; i++)
            H(k + i, k - 1) = 0.0;
    }
}

/* Similar and upper Hessenberg, by elimination with pivots. */
static void make_hessenberg(double *h, int n) {
    for (int k = 1; k < n - 1; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++)
            if (fabs(H(i, k - 1)) > fabs(H(pivot, k - 1))) pivot = i;
        if (H(pivot, k - 1) == 0.0) continue;
        for (int j = 0; j < n && pivot != k; j++) {
            const double swap = H(pivot, j);
            H(pivot, j) = H(k, j);
            H(k, j) = swap;
        }
        for (int i = 0; i < n && pivot != k; i++) {
            const double swap = H(i, pivot);
            H(i, pivot) = H(i, k);
            H(i, k) = swap;
        }
        for (int i = k + 1; i < n; i++) {
            const double factor = H(i, k - 1) / H(k, k - 1);
            if (factor == 0.0) continue;
            for (int j = k - 1; j < n; j++)
                H(i, j) -= factor * H(k, j);
            H(i, k - 1) = 0.0;
            for (int j = 0; j < n; j++)
                H(j, k) += factor * H(j, i);
        }
    }
}

static void keep_largest(mcc *m, double value) {
    if (value > m->first) {
        m->second = m->first;
        m->first = value;
    } else if (value > m->second) {
        m->second = value;
    }
}

/* Real parts of the eigenvalues of the 2 x 2 block that ends at hi. */
static void keep_pair(mcc *m, const double *h, int hi) {
    const double mean = (H(hi - 1, hi - 1) + H(hi, hi)) / 2.0, half = (H(hi - 1, hi - 1) - H(hi, hi)) / 2.0;
    const double square = half * half + H(hi - 1, hi) * H(hi, hi - 1), root = square > 0.0 ? sqrt(square) : 0.0;

    keep_largest(m, mean + root);
    keep_largest(m, mean - root);
}

/* The largest two of the leading n x n part, into first and second. */
static void largest_two(mcc *m, int n) {
    double *h = m->small;

    m->first = m->second = 0.0;
    for (int i = 0; i < n; i++)
        memcpy(&H(i, 0), m->projected + (int64_t)i * BASIS_MAX, (size_t)n * sizeof *h);
    make_hessenberg(h, n);
    for (int hi = n - 1, sweeps = 0; hi >= 0;) {
        const int lo = block_start(h, hi);
        /* So many sweeps were never seen; what is left of the coupling is small by then. */
        if (lo == hi || (lo < hi - 1 && ++sweeps > SWEEPS_MAX)) {
            keep_largest(m, H(hi, hi));
            hi--;
            sweeps = 0;
        } else if (lo == hi - 1) {
            keep_pair(m, h, hi);
            hi -= 2;
            sweeps = 0;
        } else {
            double sum = H(hi, hi) + H(hi - 1, hi - 1);
            double product = H(hi, hi) * H(hi - 1, hi - 1) - H(hi, hi - 1) * H(hi - 1, hi);
            if (sweeps % 10 == 0) { /* breaks a cycle */
                const double size = fabs(H(hi, hi - 1)) + fabs(H(hi - 1, hi - 2));
                sum = 1.5 * size;
                product = size * size;
            }
            francis(h, lo, hi, sum, product);
        }
    }
}

/* ---------------------------------------------------------------------------------------------------------- Arnoldi */

/* y = D Q D^-1 x, D = diag(sqrt(px)). */
static void multiply(const mcc *m, const double *x, double *y) {
    const ren__glcm *p = m->matrix;

    memset(m->columns, 0, (size_t)p->level_count * sizeof *m->columns);
    for (int32_t a = 0; a < m->members; a++) {
        const int32_t i = m->member[a];
        const double scaled = x[a] / m->root[i];
        for (int64_t e = p->begin[i]; e < p->begin[i + 1]; e++)
            m->columns[p->columns[e]] += p->values[e] * scaled;
    }
    for (int32_t a = 0; a < m->members; a++) {
        const int32_t i = m->member[a];
        double sum = 0.0;
        for (int64_t e = p->begin[i]; e < p->begin[i + 1]; e++)
            sum += m->weighted[e] * m->columns[p->columns[e]];
        y[a] = sum * m->root[i];
    }
}

static double dot(const double *a, const double *b, int32_t n) {
    double sum = 0.0;

#pragma omp simd reduction(+ : sum)
    for (int32_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Takes the parts along the first `count` vectors of the basis out of y, twice: once loses digits. They go into
 * `column` of the projection (NULL: nowhere). Gives the length of what is left. */
static double orthogonalise(const mcc *m, int count, double *y, double *column) {
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < count; k++) {
            const double *q = m->basis + (int64_t)k * m->members;
            const double part = dot(q, y, m->members);
            if (column) column[(int64_t)k * BASIS_MAX] += part;
#pragma omp simd
            for (int32_t a = 0; a < m->members; a++)
                y[a] -= part * q[a];
        }
    return sqrt(dot(y, y, m->members));
}

static void scale(double *y, int32_t n, double factor) {
    for (int32_t i = 0; i < n; i++)
        y[i] *= factor;
}

/* A unit vector that is orthogonal to the first `count` of the basis and has a part along all the rest; the same in
 * every run. */
static void start(mcc *m, int count, double *q) {
    double length = 0.0;

    for (int attempt = 0; attempt < 8 && !(length > 1e-3); attempt++) {
        for (int32_t a = 0; a < m->members; a++) {
            m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            q[a] = (double)(m->random >> 40) / (double)(1 << 23) - 1.0;
        }
        scale(q, m->members, 1.0 / sqrt(dot(q, q, m->members)));
        length = orthogonalise(m, count, q, NULL);
        scale(q, m->members, 1.0 / length);
        /* What a short rest has of the basis after it was made long. */
        scale(q, m->members, 1.0 / orthogonalise(m, count, q, NULL));
    }
}

/* The largest two eigenvalues on the first `count` vectors of the basis. */
static void look_at(mcc *m, int count) {
    for (int k = 0; k < count; k++)
        m->projected[(int64_t)k * BASIS_MAX] = dot(m->basis + (int64_t)k * m->members, m->image, m->members);
    largest_two(m, count);
}

/* Whether the symmetric tridiagonal part of the projection has an eigenvalue above x, by the signs of its pivots. */
static int any_above(const mcc *m, int count, double x) {
    double pivot = 1.0;

    for (int k = 1; k < count; k++) {
        const double beside = k > 1 ? m->beside[k - 1] : 0.0;
        pivot = m->diagonal[k] - x - beside * beside / pivot;
        if (pivot > 0.0) return 1;
        if (pivot == 0.0) pivot = -DBL_MIN;
    }
    return 0;
}

/* Raises m->second to the largest eigenvalue of the tridiagonal part. 0: it was that already. */
static int raise_second(mcc *m, int count) {
    double low = m->second, high = 2.0;

    if (!any_above(m, count, low * (1.0 + 1e-13) + DBL_MIN)) return 0;
    while (high - low > DBL_EPSILON * high) {
        const double middle = (low + high) / 2.0;
        if (middle <= low || middle >= high) break;
        if (any_above(m, count, middle))
            low = middle;
        else
            high = middle;
    }
    m->second = high;
    return 1;
}

/* The next vector of the basis after `count`, from what the product with the last has left. */
static void extend(mcc *m, int count, double *next, double rest) {
    m->beside[count - 1] = rest > 1e-14 ? rest : 0.0;
    if (rest > 1e-14) {
        m->projected[(int64_t)count * BASIS_MAX + count - 1] = rest;
        scale(next, m->members, 1.0 / rest);
    } else { /* the basis is complete for its start: there may be more */
        start(m, count, next);
    }
}

static ren_status solve(mcc *m, ren__run *run) {
    const int most = m->members < BASIS_MAX ? (int)m->members : BASIS_MAX;
    double *q = m->basis;
    int calm = 0, count = 2;

    for (int32_t a = 0; a < m->members; a++)
        q[a] = m->root[m->member[a]];
    scale(q, m->members, 1.0 / sqrt(dot(q, q, m->members)));
    multiply(m, q, m->image);
    if (most < 2) return REN_OK;
    start(m, 1, q + m->members);
    for (;; count++) { /* vectors in the basis, of which the last is new */
        const ren_status st = ren__run_check(run);
        if (st != REN_OK) return st;
        double *next = m->basis + (int64_t)count * m->members;
        multiply(m, next - m->members, next);
        const double rest = orthogonalise(m, count, next, m->projected + count - 1);
        m->diagonal[count - 1] = m->projected[(int64_t)(count - 1) * BASIS_MAX + count - 1];
        if (count == most) break;
        if (count >= LOOK_FIRST && count % LOOK_EVERY == 0) {
            calm = raise_second(m, count) ? 0 : calm + 1;
            if (calm == 2) break;
        }
        extend(m, count, next, rest);
    }
    if (m->symmetric)
        raise_second(m, count);
    else
        look_at(m, count);
    return REN_OK;
}

/* The least positive value. */
static double least(const double *p, int64_t n) {
    double value = 1.0;

    for (int64_t i = 0; i < n; i++)
        if (p[i] > 0.0 && p[i] < value) value = p[i];
    return value;
}

ren_status ren__glcm_mcc(ren_context *context, const ren__glcm *matrix, const double *px, const double *py,
                         ren__run *run, double *value) {
    ren_status st = REN_OK;
    const int64_t n = matrix->level_count, entries = matrix->begin[n];
    mcc m = { .matrix = matrix, .random = UINT64_C(0x9E3779B97F4A7C15) };
    double *numbers = NULL;

    if (matrix->level_total == 1) { /* a flat region, by definition */
        *value = 1.0;
        return REN_OK;
    }
    REN_ALLOC(m.member, (size_t)n * sizeof *m.member);
    for (int32_t i = 0; i < n; i++)
        if (px[i] > 0.0) m.member[m.members++] = i;
    const int64_t vectors = (m.members < BASIS_MAX ? m.members : BASIS_MAX) + 2, rows = vectors * BASIS_MAX;
    REN_CALLOC(numbers, (size_t)(entries + 2 * n + vectors * m.members + 2 * rows));
    m.weighted = numbers;
    m.root = m.weighted + entries;
    m.columns = m.root + n;
    m.image = m.columns + n;
    m.basis = m.image + m.members;
    m.projected = m.basis + (vectors - 1) * m.members;
    m.small = m.projected + rows;
    for (int32_t i = 0; i < n; i++) {
        m.root[i] = sqrt(px[i]);
        for (int64_t e = matrix->begin[i]; e < matrix->begin[i + 1]; e++)
            m.weighted[e] = matrix->values[e] / (px[i] * py[matrix->columns[e]] + DBL_EPSILON);
    }
    m.symmetric = least(px, n) * least(py, n) * negligible > DBL_EPSILON;
    REN_TRY(solve(&m, run));
    /* What is left of 0 by rounding is 0. */
    *value = m.second > 1e-15 ? sqrt(m.second) : 0.0;
out:
    ren__free(numbers);
    ren__free(m.member);
    return st;
}
