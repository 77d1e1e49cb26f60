/* SPDX-License-Identifier: Apache-2.0 */
/* Co-occurrence against matrices of all pairs in plain loops, and PyRadiomics' formulas over them. */
#include "radiomics/glcm.h"

#include <float.h>

#include "texture_fixture.h"

/* Probabilities of all pairs of levels. */
typedef struct pairs {
    int32_t n;
    double *p, *px, *py, *scratch;
    const double *grey;
} pairs;

static void add_pairs(const ren__region *region, int dx, int dy, int dz, int symmetrical, double weight, pairs *m) {
    const int64_t *n = region->shape;

    for (int64_t v = 0; v < n[0] * n[1] * n[2]; v++) {
        const int64_t x = v % n[0], y = v / n[0] % n[1], z = v / n[0] / n[1];
        const int level = region->levels[v], other = test_level(region, x + dx, y + dy, z + dz);
        if (!level || !other) continue;
        m->p[(level - 1) * m->n + other - 1] += weight;
        if (symmetrical) m->p[(other - 1) * m->n + level - 1] += weight;
    }
}

static int normalise(pairs *m) {
    double total = 0.0;

    for (int32_t c = 0; c < m->n * m->n; c++)
        total += m->p[c];
    for (int32_t i = 0; i < m->n; i++)
        m->px[i] = m->py[i] = 0.0;
    for (int32_t c = 0; c < m->n * m->n && total > 0.0; c++) {
        m->p[c] /= total;
        m->px[c / m->n] += m->p[c];
        m->py[c % m->n] += m->p[c];
    }
    return total > 0.0;
}

static double entropy(const double *p, int32_t count) {
    double sum = 0.0;

    for (int32_t i = 0; i < count; i++)
        sum -= p[i] * log2(p[i] + DBL_EPSILON);
    return sum;
}

/* Entropy of i + j or |i - j|. */
static double group_entropy(const pairs *m, int sums) {
    enum { GROUPS = 4096 };
    double groups[GROUPS] = { 0 };

    for (int32_t c = 0; c < m->n * m->n; c++) {
        const double i = m->grey[c / m->n], j = m->grey[c % m->n];
        groups[(int)(sums ? i + j : fabs(i - j))] += m->p[c];
    }
    return entropy(groups, GROUPS);
}

/* Eigenvalues of a symmetric matrix onto its diagonal, by Jacobi's rotations. */
static void diagonalise(double *a, int32_t n) {
    for (int sweep = 0; sweep < 12; sweep++)
        for (int32_t p = 0; p < n; p++)
            for (int32_t q = p + 1; q < n; q++) {
                if (fabs(a[p * n + q]) < 1e-18) continue;
                const double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
                const double t = (theta < 0.0 ? -1.0 : 1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
                const double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
                for (int32_t k = 0; k < n; k++) {
                    const double x = a[k * n + p], y = a[k * n + q];
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for (int32_t k = 0; k < n; k++) {
                    const double x = a[p * n + k], y = a[q * n + k];
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                }
            }
}

/* The second singular value of P / sqrt(px py): without PyRadiomics' eps, which does not matter in a small region. */
static double correlation_maximum(const pairs *m) {
    double *q = m->scratch, first = 0.0, second = 0.0;
    int32_t n = 0, row = 0;

    if (m->n == 1) return 1.0;
    for (int32_t i = 0; i < m->n; i++)
        n += m->px[i] > 0.0;
    for (int32_t i = 0; i < m->n; i++) {
        int32_t column = 0;
        for (int32_t j = 0; j < m->n && m->px[i] > 0.0; j++) {
            double sum = 0.0;
            if (!(m->px[j] > 0.0)) continue;
            for (int32_t k = 0; k < m->n; k++)
                if (m->py[k] > 0.0) sum += m->p[i * m->n + k] * m->p[j * m->n + k] / m->py[k];
            q[row * n + column++] = sum / sqrt(m->px[i] * m->px[j]);
        }
        row += m->px[i] > 0.0;
    }
    diagonalise(q, n);
    for (int32_t i = 0; i < n; i++) {
        const double value = q[i * n + i];
        second = value > first ? first : fmax(second, value);
        first = fmax(first, value);
    }
    return sqrt(second > 1e-15 ? second : 0.0);
}

static void information(const pairs *m, double *values) {
    const double hxy = entropy(m->p, m->n * m->n), hx = entropy(m->px, m->n), hy = entropy(m->py, m->n);
    double hxy1 = 0.0, hxy2 = 0.0;

    for (int32_t i = 0; i < m->n; i++)
        for (int32_t j = 0; j < m->n; j++) {
            const double product = m->px[i] * m->py[j];
            hxy1 -= m->p[i * m->n + j] * log2(product + DBL_EPSILON);
            hxy2 -= product * log2(product + DBL_EPSILON);
        }
    values[REN__GLCM_JOINT_ENTROPY] = hxy;
    values[REN__GLCM_IMC1] = (hxy - hxy1) / fmax(hx, hy);
    values[REN__GLCM_IMC2] = hxy2 == hxy ? 0.0 : sqrt(1.0 - exp(-2.0 * (hxy2 - hxy)));
    values[REN__GLCM_SUM_ENTROPY] = group_entropy(m, 1);
    values[REN__GLCM_DIFFERENCE_ENTROPY] = group_entropy(m, 0);
    values[REN__GLCM_MCC] = correlation_maximum(m);
}

static void moments(const pairs *m, double *v) {
    const double ng = m->grey[m->n - 1];
    double ux = 0.0, uy = 0.0, xx = 0.0, yy = 0.0, xy = 0.0;

    for (int32_t i = 0; i < m->n; i++) {
        ux += m->grey[i] * m->px[i];
        uy += m->grey[i] * m->py[i];
    }
    for (int32_t c = 0; c < m->n * m->n; c++) {
        const double p = m->p[c], i = m->grey[c / m->n], j = m->grey[c % m->n], k = fabs(i - j), s = i + j - ux - uy;
        xx += p * (i - ux) * (i - ux);
        yy += p * (j - uy) * (j - uy);
        xy += p * (i - ux) * (j - uy);
        v[REN__GLCM_AUTOCORRELATION] += p * i * j;
        v[REN__GLCM_CLUSTER_TENDENCY] += p * s * s;
        v[REN__GLCM_CLUSTER_SHADE] += p * s * s * s;
        v[REN__GLCM_CLUSTER_PROMINENCE] += p * s * s * s * s;
        v[REN__GLCM_CONTRAST] += p * k * k;
        v[REN__GLCM_DIFFERENCE_AVERAGE] += p * k;
        v[REN__GLCM_ID] += p / (1.0 + k);
        v[REN__GLCM_IDM] += p / (1.0 + k * k);
        v[REN__GLCM_IDN] += p / (1.0 + k / ng);
        v[REN__GLCM_IDMN] += p / (1.0 + k * k / ng / ng);
        v[REN__GLCM_INVERSE_VARIANCE] += k > 0.0 ? p / (k * k) : 0.0;
        v[REN__GLCM_JOINT_ENERGY] += p * p;
        v[REN__GLCM_MAXIMUM_PROBABILITY] = fmax(v[REN__GLCM_MAXIMUM_PROBABILITY], p);
        v[REN__GLCM_SUM_AVERAGE] += p * (i + j);
    }
    v[REN__GLCM_DIFFERENCE_VARIANCE] =
        v[REN__GLCM_CONTRAST] - v[REN__GLCM_DIFFERENCE_AVERAGE] * v[REN__GLCM_DIFFERENCE_AVERAGE];
    v[REN__GLCM_JOINT_AVERAGE] = ux;
    v[REN__GLCM_SUM_SQUARES] = xx;
    v[REN__GLCM_CORRELATION] = xx * yy > 0.0 ? xy / sqrt(xx * yy) : 1.0;
    v[REN__GLCM_DISSIMILARITY] = v[REN__GLCM_DIFFERENCE_AVERAGE];
    v[REN__GLCM_HOMOGENEITY1] = v[REN__GLCM_ID];
    v[REN__GLCM_HOMOGENEITY2] = v[REN__GLCM_IDM];
    v[REN__GLCM_SUM_VARIANCE] = v[REN__GLCM_CLUSTER_TENDENCY];
}

static int add_features(pairs *m, double *sums, int *counted) {
    double values[REN__GLCM_FEATURES] = { 0 };

    if (!normalise(m)) return 0;
    information(m, values);
    moments(m, values);
    for (int f = 0; f < REN__GLCM_FEATURES; f++)
        if (!isnan(values[f])) {
            sums[f] += values[f];
            counted[f]++;
        }
    return 1;
}

static double weight_of(const ren__region *region, int32_t norm, int dx, int dy, int dz) {
    const double x = abs(dx) * region->spacing[0], y = abs(dy) * region->spacing[1], z = abs(dz) * region->spacing[2];

    if (norm == REN__NORM_EUCLIDEAN) return exp(-(x * x + y * y + z * z));
    if (norm == REN__NORM_MANHATTAN) return exp(-(x + y + z) * (x + y + z));
    if (norm == REN__NORM_INFINITY) return exp(-pow(fmax(x, fmax(y, z)), 2.0));
    return 1.0;
}

/* One of each pair of opposite steps, as PyRadiomics: the first that is not 0, from z on, is positive. */
static int is_first(int dx, int dy, int dz) {
    return dz > 0 || (dz == 0 && (dy > 0 || (dy == 0 && dx > 0)));
}

static ren_status plainly(ren_context *context, const ren__region *region, const ren__radiomics_settings *settings,
                          double *wanted) {
    ren_status st = REN_OK;
    const size_t n = (size_t)region->level_count;
    double sums[REN__GLCM_FEATURES] = { 0 };
    int counted[REN__GLCM_FEATURES] = { 0 };
    pairs m = { region->level_count, NULL, NULL, NULL, NULL, region->grey };

    REN_CALLOC(m.p, n * n + 2 * n);
    REN_ALLOC(m.scratch, n * n * sizeof *m.scratch);
    m.px = m.p + n * n;
    m.py = m.px + n;
    for (int d = 0; d < 125; d++) {
        const int dx = d % 5 - 2, dy = d / 5 % 5 - 2, dz = d / 25 - 2;
        if (!is_first(dx, dy, dz) || !test_is_step(settings, 1, dx, dy, dz)) continue;
        add_pairs(region, dx, dy, dz, settings->symmetrical_glcm,
                  weight_of(region, settings->weighting_norm, dx, dy, dz), &m);
        if (settings->weighting_norm != REN__NORM_NONE) continue;
        add_features(&m, sums, counted);
        memset(m.p, 0, n * n * sizeof *m.p);
    }
    if (settings->weighting_norm != REN__NORM_NONE) add_features(&m, sums, counted);
    for (int f = 0; f < REN__GLCM_FEATURES; f++)
        wanted[f] = counted[f] ? sums[f] / counted[f] : (double)NAN;
out:
    ren__free(m.p);
    ren__free(m.scratch);
    return st;
}

static ren_status compare(ren_context *context, const ren__region *region, const ren__radiomics_settings *settings) {
    ren_status st = REN_OK;
    double values[REN__GLCM_FEATURES], wanted[REN__GLCM_FEATURES];

    CHECK_INT(ren__class_glcm.count, REN__GLCM_FEATURES);
    REN_TRY(plainly(context, region, settings, wanted));
    REN_TRY(test_features(&ren__class_glcm, region, settings, values));
    for (int f = 0; f < REN__GLCM_FEATURES; f++) {
        /* The root of what is left of 0 after rounding. */
        const double noise = f == REN__GLCM_MCC || f == REN__GLCM_IMC2 ? 1e-7 : 1e-9;
        if (test_close(values[f], wanted[f], 1e-8) || fabs(values[f] - wanted[f]) < noise) continue;
        st = test_fail(__FILE__, __LINE__, "%s is %.17g, not %.17g", ren__class_glcm.features[f].name, values[f],
                       wanted[f]);
        goto out;
    }
out:
    return st;
}

static ren_status test_pairs_are_those_of_plain_loops(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = {
        { { 9, 8, 7 }, 4, 0.8, 1, 0 },    { { 9, 8, 7 }, 6, 0.6, 0, 1 },  { { 10, 9, 2 }, 30, 0.9, 1, 1 },
        { { 1, 9, 8 }, 3, 0.9, 1, 0 },    { { 12, 1, 1 }, 2, 0.9, 1, 0 }, { { 4, 4, 4 }, 2, 1.0, 1, 0 },
        { { 11, 10, 9 }, 40, 0.9, 1, 0 },
    };
    test_region made = { 0 };

    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++)
        for (int variant = 0; variant < 4; variant++) {
            ren__radiomics_settings settings = test_settings();
            settings.symmetrical_glcm = variant != 3;
            settings.force_2d = variant == 1;
            settings.force_2d_dimension = (int32_t)c % 3;
            if (variant == 1) settings.distances = (ren__doubles){ 2, { 1.0, 2.0 } };
            if (variant == 2) settings.weighting_norm = REN__NORM_NO_WEIGHTING + (int32_t)c % 4;
            REN_TRY(test_region_create(context, &shapes[c], 131 + c, &made));
            REN_TRY(compare(context, &made.region, &settings));
            test_region_free(&made);
        }
out:
    test_region_free(&made);
    return st;
}

/* More levels than tables are made for: voxels level by level, and marginals that are taken together. */
static ren_status test_many_levels(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = { { { 7, 6, 5 }, 100, 0.9, 0, 1 }, { { 6, 6, 6 }, 300, 0.9, 1, 1 } };
    test_region made = { 0 };

    for (int c = 0; c < 2; c++)
        for (int weighted = 0; weighted < 2; weighted++) {
            ren__radiomics_settings settings = test_settings();
            settings.force_2d = 1;
            settings.weighting_norm = weighted ? REN__NORM_EUCLIDEAN : REN__NORM_NONE;
            REN_TRY(test_region_create(context, &shapes[c], 141, &made));
            REN_TRY(compare(context, &made.region, &settings));
            test_region_free(&made);
        }
out:
    test_region_free(&made);
    return st;
}

static ren_status test_threads_change_no_bit(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape shapes[] = { { { 70, 60, 50 }, 20, 0.7, 1, 0 }, { { 24, 24, 24 }, 2000, 0.7, 1, 0 } };
    const ren__radiomics_settings settings = test_settings();
    double one[REN__GLCM_FEATURES], two[REN__GLCM_FEATURES];
    test_region made = { 0 };

    for (int c = 0; c < 2; c++) {
        REN_TRY(test_region_create(context, &shapes[c], 151, &made));
        REN_TRY(test_features(&ren__class_glcm, &made.region, &settings, two));
        context->threads = 1;
        REN_TRY(test_features(&ren__class_glcm, &made.region, &settings, one));
        context->threads = 2;
        CHECK(memcmp(one, two, sizeof one) == 0);
        test_region_free(&made);
    }
out:
    context->threads = 2;
    test_region_free(&made);
    return st;
}

/* A matrix whose coefficient is known: two groups of levels without pairs between them, or next to none. */
static ren_status test_groups_of_levels_correlate_fully(ren_context *context) {
    ren_status st = REN_OK;
    int64_t begin[5] = { 0, 3, 5, 8, 10 };
    uint16_t columns[10] = { 0, 1, 2, 0, 1, 0, 2, 3, 2, 3 };
    double values[10] = { 0.2, 0.1, 1e-25, 0.1, 0.1, 1e-25, 0.2, 0.1, 0.1, 0.1 }, p[4] = { 0.3, 0.2, 0.3, 0.2 }, value;
    const ren__glcm matrix = { 4, 4, 4.0, begin, columns, values, 10 };

    REN_TRY(ren__glcm_mcc(context, &matrix, p, p, NULL, &value));
    CHECK_NEAR(value, 1.0, 1e-12);
    /* Two levels, p(1, 1) = p(2, 2) = a, p(1, 2) = p(2, 1) = b: the correlation is 2 (a - b). */
    const ren__glcm two = {
        2, 2, 2.0, (int64_t[]){ 0, 2, 4 }, (uint16_t[]){ 0, 1, 0, 1 }, (double[]){ 0.4, 0.1, 0.1, 0.4 }, 4
    };
    REN_TRY(ren__glcm_mcc(context, &two, (const double[]){ 0.5, 0.5 }, (const double[]){ 0.5, 0.5 }, NULL, &value));
    CHECK_NEAR(value, 0.6, 1e-14);
out:
    return st;
}

static ren_status test_flat_regions(ren_context *context) {
    ren_status st = REN_OK;
    static const test_shape flat = { { 4, 4, 4 }, 1, 1.0, 0, 0 }, single = { { 1, 1, 1 }, 1, 1.0, 0, 0 };
    const ren__radiomics_settings settings = test_settings();
    double values[REN__GLCM_FEATURES];
    test_region made = { 0 };

    REN_TRY(test_region_create(context, &flat, 1, &made));
    REN_TRY(test_features(&ren__class_glcm, &made.region, &settings, values));
    CHECK_NEAR(values[REN__GLCM_CORRELATION], 1.0, 0.0);
    CHECK_NEAR(values[REN__GLCM_MCC], 1.0, 0.0);
    CHECK_NEAR(values[REN__GLCM_IMC1], 0.0, 0.0);
    CHECK_NEAR(values[REN__GLCM_IMC2], 0.0, 0.0);
    CHECK_NEAR(values[REN__GLCM_JOINT_ENTROPY], -3.203426503814917e-16, 1e-20);
    CHECK_NEAR(values[REN__GLCM_MAXIMUM_PROBABILITY], 1.0, 0.0);
    test_region_free(&made);
    REN_TRY(test_region_create(context, &single, 1, &made));
    REN_TRY(test_features(&ren__class_glcm, &made.region, &settings, values));
    for (int f = 0; f < REN__GLCM_FEATURES; f++)
        CHECK(isnan(values[f]));
    test_region_free(&made);
    /* Two voxels that are no neighbours: no pairs. */
    REN_TRY(test_region_create(context, &flat, 1, &made));
    for (int v = 0; v < 64; v++)
        made.levels[v] = made.inside[v] = v == 0 || v == 63;
    made.region.count = 2;
    REN_TRY(test_features(&ren__class_glcm, &made.region, &settings, values));
    for (int f = 0; f < REN__GLCM_FEATURES; f++)
        CHECK(f == REN__GLCM_MCC ? values[f] == 1.0 : isnan(values[f]));
out:
    test_region_free(&made);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_pairs_are_those_of_plain_loops), CASE_SAMPLED(test_many_levels),
          CASE_SAMPLED(test_threads_change_no_bit), CASE(test_groups_of_levels_correlate_fully),
          CASE(test_flat_regions))
