/* SPDX-License-Identifier: Apache-2.0 */
/* Newton's method with conjugate gradients (J. Nocedal, S. J. Wright, "Numerical Optimization", 2nd edition, 2006,
 * algorithm 7.1). Sums have a fixed order: equal problems give equal bits. */
#include <math.h>
#include <string.h>

#include "train/fit_parts.h"

enum { STEPS = 200, HALVINGS = 60 };
static const double gradient_small = 1e-10, gradient_rounded = 1e-6, enough_decrease = 1e-4;

/* Vectors of the problem's size. */
typedef struct vectors {
    double *gradient, *direction, *trial, *trial_gradient;
    double *residual, *search, *product; /* of the conjugate gradients */
} vectors;

static double dot(const double *a, const double *b, int32_t count) {
    double sum = 0.0;

    for (int32_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static ren_status make_vectors(ren_context *context, int32_t size, double **block, vectors *v) {
    const size_t count = (size_t)size;

    *block = ren__calloc(context, count, 7 * sizeof **block);
    if (!*block) return ren__out_of_memory();
    *v = (vectors){ *block,
                    *block + count,
                    *block + 2 * count,
                    *block + 3 * count,
                    *block + 4 * count,
                    *block + 5 * count,
                    *block + 6 * count };
    return REN_OK;
}

/* A direction in which the value falls: H direction = -gradient, the more exactly the smaller the gradient is. Where
 * the curvature is negative, what there is until then; at once, the steepest way. */
static ren_status find_direction(const ren__fit_problem *problem, ren__run *run, vectors *v) {
    const int32_t size = problem->size;
    const double length = sqrt(dot(v->gradient, v->gradient, size));
    const double wanted = length * fmin(0.1, length);
    double square = length * length;

    memset(v->direction, 0, (size_t)size * sizeof *v->direction);
    for (int32_t i = 0; i < size; i++)
        v->residual[i] = v->search[i] = -v->gradient[i];
    /* In exact arithmetic `size` rounds end it; rounding asks for some more. */
    for (int32_t round = 0; round < 2 * size + 20 && sqrt(square) > wanted; round++) {
        const ren_status st = ren__run_check(run);
        if (st != REN_OK) return st;
        problem->multiply(problem->state, v->search, v->product);
        const double curvature = dot(v->search, v->product, size);
        if (!(curvature > 1e-14 * dot(v->search, v->search, size))) {
            if (round == 0) memcpy(v->direction, v->search, (size_t)size * sizeof *v->direction);
            break;
        }
        const double step = square / curvature, before = square;
        for (int32_t i = 0; i < size; i++) {
            v->direction[i] += step * v->search[i];
            v->residual[i] -= step * v->product[i];
        }
        square = dot(v->residual, v->residual, size);
        for (int32_t i = 0; i < size; i++)
            v->search[i] = v->residual[i] + square / before * v->search[i];
    }
    return REN_OK;
}

/* Goes along the direction. 0: nowhere on it is the value lower. Close to the minimum, where rounding hides whether it
 * fell, a step counts that makes the gradient shorter. */
static int take_step(const ren__fit_problem *problem, vectors *v, double *x, double *value) {
    const int32_t size = problem->size;
    const double slope = dot(v->gradient, v->direction, size), square = dot(v->gradient, v->gradient, size);
    double step = 1.0;

    for (int halving = 0; halving < HALVINGS; halving++, step *= 0.5) {
        for (int32_t i = 0; i < size; i++)
            v->trial[i] = x[i] + step * v->direction[i];
        const double reached = problem->value(problem->state, v->trial, v->trial_gradient);
        const int fell = reached <= *value + enough_decrease * step * slope && reached < *value;
        const int level =
            reached <= *value + 4e-16 * fabs(*value) && dot(v->trial_gradient, v->trial_gradient, size) < 0.25 * square;
        if (!fell && !level) continue;
        memcpy(x, v->trial, (size_t)size * sizeof *x);
        memcpy(v->gradient, v->trial_gradient, (size_t)size * sizeof *x);
        *value = reached;
        return 1;
    }
    return 0;
}

ren_status ren__fit_minimise(ren_context *context, const ren__fit_problem *problem, ren__run *run, double *x,
                             int *converged) {
    ren_status st = REN_OK;
    double *block = NULL, length = 0.0;
    vectors v;

    *converged = 0;
    REN_TRY(make_vectors(context, problem->size, &block, &v));
    double value = problem->value(problem->state, x, v.gradient);
    for (int step = 0; step < STEPS; step++) {
        length = sqrt(dot(v.gradient, v.gradient, problem->size));
        if (length <= gradient_small) break;
        REN_TRY(find_direction(problem, run, &v));
        if (!take_step(problem, &v, x, &value)) break;
        length = sqrt(dot(v.gradient, v.gradient, problem->size));
    }
    *converged = length <= gradient_rounded;
out:
    ren__free(block);
    return st;
}
