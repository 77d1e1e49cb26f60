/* SPDX-License-Identifier: Apache-2.0 */
/* Eigenvalues of symmetric matrices: against closed forms, and by putting the matrix together again. */
#include "radiomics/eigen.h"

#include "base/random.h"
#include "harness.h"

typedef struct problem {
    int32_t n;
    double *matrix, *kept, *values, *vectors, *scratch;
} problem;

static ren_status problem_create(ren_context *context, int32_t n, problem *p) {
    const size_t size = (size_t)n * (size_t)n;

    p->n = n;
    p->matrix = ren__calloc(context, 3 * size + 2 * (size_t)n, sizeof(double));
    if (!p->matrix) return ren__out_of_memory();
    p->kept = p->matrix + size;
    p->vectors = p->kept + size;
    p->values = p->vectors + size;
    p->scratch = p->values + n;
    return REN_OK;
}

static void set(problem *p, int32_t i, int32_t k, double value) {
    p->matrix[i * p->n + k] = p->matrix[k * p->n + i] = p->kept[i * p->n + k] = p->kept[k * p->n + i] = value;
}

/* The largest element of |a - v' diag(values) v| and of |v v' - 1|, in units of the largest of a and of 1. */
static double residual(const problem *p) {
    double worst = 0.0, largest = 0.0;
    const int32_t n = p->n;

    for (int32_t i = 0; i < n * n; i++)
        if (fabs(p->kept[i]) > largest) largest = fabs(p->kept[i]);
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < n; k++) {
            double rebuilt = 0.0, product = 0.0;
            for (int32_t j = 0; j < n; j++) {
                rebuilt += p->vectors[j * n + i] * p->values[j] * p->vectors[j * n + k];
                product += p->vectors[i * n + j] * p->vectors[k * n + j];
            }
            worst = fmax(worst, fabs(rebuilt - p->kept[i * n + k]) / (largest > 0.0 ? largest : 1.0));
            worst = fmax(worst, fabs(product - (i == k ? 1.0 : 0.0)));
        }
    }
    return worst;
}

/* 2 on the diagonal, -1 beside it: 2 - 2 cos(k pi / (n + 1)). */
static ren_status test_second_differences(ren_context *context) {
    static const int32_t sizes[] = { 1, 2, 3, 7, 64 };
    ren_status st = REN_OK;
    problem p = { 0 };

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int32_t n = sizes[s];
        REN_TRY(problem_create(context, n, &p));
        for (int32_t i = 0; i < n; i++) {
            set(&p, i, i, 2.0);
            if (i > 0) set(&p, i, i - 1, -1.0);
        }
        ren__eigen_symmetric(n, p.matrix, p.values, p.vectors, p.scratch);
        for (int32_t k = 0; k < n; k++)
            CHECK_NEAR(p.values[k], 2.0 - 2.0 * cos((k + 1) * 3.14159265358979323846 / (n + 1)), 1e-14);
        CHECK_NEAR(residual(&p), 0.0, 1e-14);
        ren__free(p.matrix);
        p.matrix = NULL;
    }
out:
    ren__free(p.matrix);
    return st;
}

static ren_status test_random_matrices_are_put_together_again(ren_context *context) {
    static const double scales[] = { 1.0, 1e-160, 1e150 };
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__rng rng;

    ren__rng_init(&rng, 7, 0, 0);
    for (int32_t n = 1; n <= 40; n += n < 8 ? 1 : 16) {
        REN_TRY(problem_create(context, n, &p));
        for (int32_t i = 0; i < n; i++)
            for (int32_t k = i; k < n; k++)
                set(&p, i, k, ren__rng_normal(&rng) * scales[n % 3]);
        ren__eigen_symmetric(n, p.matrix, p.values, p.vectors, p.scratch);
        CHECK_NEAR(residual(&p), 0.0, 1e-13);
        for (int32_t k = 1; k < n; k++)
            CHECK(p.values[k - 1] <= p.values[k]);
        /* without vectors: the same values */
        double sum = 0.0, trace = 0.0;
        memcpy(p.matrix, p.kept, sizeof(double) * (size_t)n * (size_t)n);
        for (int32_t k = 0; k < n; k++)
            sum += p.values[k], trace += p.kept[k * n + k];
        CHECK_NEAR(sum / scales[n % 3], trace / scales[n % 3], 1e-12);
        memcpy(p.vectors, p.values, sizeof(double) * (size_t)n);
        ren__eigen_symmetric(n, p.matrix, p.values, NULL, p.scratch);
        CHECK(memcmp(p.vectors, p.values, sizeof(double) * (size_t)n) == 0);
        ren__free(p.matrix);
        p.matrix = NULL;
    }
out:
    ren__free(p.matrix);
    return st;
}

static ren_status test_singular_and_equal_values(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };

    REN_TRY(problem_create(context, 12, &p));
    ren__eigen_symmetric(12, p.matrix, p.values, p.vectors, p.scratch); /* all zero */
    for (int32_t k = 0; k < 12; k++)
        CHECK(p.values[k] == 0.0);
    CHECK_NEAR(residual(&p), 0.0, 0.0);
    for (int32_t i = 0; i < 12; i++)
        for (int32_t k = i; k < 12; k++)
            set(&p, i, k, 1.0); /* rank one: 0 eleven times, and 12 */
    ren__eigen_symmetric(12, p.matrix, p.values, p.vectors, p.scratch);
    for (int32_t k = 0; k < 11; k++)
        CHECK_NEAR(p.values[k], 0.0, 1e-14);
    CHECK_NEAR(p.values[11], 12.0, 1e-13);
    CHECK_NEAR(residual(&p), 0.0, 1e-14);
    for (int32_t i = 0; i < 12; i++)
        for (int32_t k = i; k < 12; k++)
            set(&p, i, k, i == k ? pow(10.0, -3.0 * i) : 0.0); /* graded: a diagonal is left as it is */
    ren__eigen_symmetric(12, p.matrix, p.values, p.vectors, p.scratch);
    for (int32_t k = 0; k < 12; k++)
        CHECK(p.values[k] == pow(10.0, -3.0 * (11 - k)));
out:
    ren__free(p.matrix);
    return st;
}

/* Matrices of low rank: most eigenvalues lie within rounding of 0, beside one another, at many scales. */
static ren_status test_many_values_near_zero(ren_context *context) {
    enum { N = 190, RANK = 30 };
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__rng rng;
    double factor[N][RANK];

    REN_TRY(problem_create(context, N, &p));
    ren__rng_init(&rng, 5, 0, 0);
    for (int32_t trial = 0; trial < 24; trial++) {
        for (int32_t i = 0; i < N; i++)
            for (int32_t k = 0; k < RANK; k++)
                factor[i][k] = ren__rng_uniform(&rng) < 0.33
                                   ? ren__rng_uniform(&rng) * pow(10.0, -2.0 * floor(12.0 * ren__rng_uniform(&rng)))
                                   : 0.0;
        for (int32_t i = 0; i < N; i++)
            for (int32_t k = i; k < N; k++) {
                double sum = 0.0;
                for (int32_t j = 0; j < RANK; j++)
                    sum += factor[i][j] * factor[k][j];
                set(&p, i, k, sum);
            }
        ren__eigen_symmetric(N, p.matrix, p.values, p.vectors, p.scratch);
        CHECK(isfinite(p.values[0]) && residual(&p) < 1e-12);
    }
out:
    ren__free(p.matrix);
    return st;
}

static ren_status test_what_is_not_finite_gives_nan(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };

    REN_TRY(problem_create(context, 3, &p));
    set(&p, 0, 2, (double)INFINITY);
    ren__eigen_symmetric(3, p.matrix, p.values, p.vectors, p.scratch);
    for (int32_t k = 0; k < 3; k++)
        CHECK(isnan(p.values[k]) && isnan(p.vectors[k]));
out:
    ren__free(p.matrix);
    return st;
}

TEST_MAIN(CASE(test_second_differences), CASE(test_random_matrices_are_put_together_again),
          CASE(test_singular_and_equal_values), CASE_ONCE(test_many_values_near_zero),
          CASE(test_what_is_not_finite_gives_nan))
