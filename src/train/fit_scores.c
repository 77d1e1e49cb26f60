/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gate's per-scan scores, all members' linear predictors at once. For a scan, u_m = log base_m + s_m / temperature of
 * the members that ran, w = softmax(u), P = sum w_m p_m with p_m the member's probability of the true class. The loss
 * is -log P = log sum exp(u_m) - log sum exp(u_m + log p_m) whose first derivative by u is w - v, v = w p / P being the
 * share that each member had in the answer, and whose second is (diag w - w w') - (diag v - v v'). The second part
 * makes the problem a non-convex one; the penalty, on the biases too, bounds it, and the search starts from the gate
 * without scores and only goes down.
 */
#include <math.h>
#include <string.h>

#include "train/fit_parts.h"

/* Probabilities are kept so far away from 0, so that no scan's loss is infinite. */
static const double least_probability = 1e-7;

typedef struct joint {
    int32_t members, scans;
    double l2; /* over the scans */
    double temperature;
    ren__fit_design *design; /* members */
    int32_t *first;          /* members: where their weights begin */
    double *log_base;        /* members */
    double *log_truth;       /* scans x members: log of the true class's probability; NaN where it did not run */
    double *weight, *share;  /* scans x members: w and v at the point last seen; 0 where it did not run */
    double *slope;           /* members */
} joint;

/* log of the sum of exp; `which` is turned into shares of that sum. NaN counts as nothing. */
static double normalise(double *which, int32_t count) {
    double largest = -INFINITY, sum = 0.0; /* 1 at least: the largest is among what is summed */

    for (int32_t m = 0; m < count; m++)
        if (which[m] > largest) largest = which[m];
    for (int32_t m = 0; m < count; m++) {
        which[m] = isnan(which[m]) ? 0.0 : exp(which[m] - largest);
        sum += which[m];
    }
    for (int32_t m = 0; m < count; m++)
        which[m] /= sum;
    return largest + log(fmax(sum, 1.0));
}

/* The scan's loss at x; its weights and shares are kept. A scan that no member saw loses nothing. */
static double scan_loss(joint *j, int32_t scan, const double *x) {
    const size_t at = (size_t)scan * (size_t)j->members;
    const double *log_truth = j->log_truth + at;
    double *weight = j->weight + at, *share = j->share + at;
    int32_t ran = 0;

    for (int32_t m = 0; m < j->members; m++) {
        weight[m] = share[m] = 0.0;
        if (isnan(log_truth[m])) continue;
        ran++;
    }
    if (!ran) return 0.0;
    for (int32_t m = 0; m < j->members; m++) {
        const double score = isnan(log_truth[m]) ? NAN : ren__fit_design_row(&j->design[m], scan, x + j->first[m]);
        weight[m] = j->log_base[m] + score / j->temperature;
        share[m] = weight[m] + log_truth[m];
    }
    const double all = normalise(weight, j->members);
    return all - normalise(share, j->members);
}

static double value(void *state, const double *x, double *gradient) {
    joint *j = state;
    const int32_t size = j->first[j->members];
    double sum = 0.0, squares = 0.0;

    for (int32_t i = 0; i < size; i++) {
        squares += x[i] * x[i];
        gradient[i] = j->l2 * x[i];
    }
    for (int32_t scan = 0; scan < j->scans; scan++) {
        const size_t at = (size_t)scan * (size_t)j->members;
        sum += scan_loss(j, scan, x);
        for (int32_t m = 0; m < j->members; m++) {
            const double slope = (j->weight[at + (size_t)m] - j->share[at + (size_t)m]) / j->temperature;
            if (slope != 0.0) ren__fit_design_add(&j->design[m], scan, slope / j->scans, gradient + j->first[m]);
        }
    }
    return sum / j->scans + 0.5 * j->l2 * squares;
}

static void multiply(void *state, const double *v, double *product) {
    joint *j = state;
    const int32_t size = j->first[j->members];

    for (int32_t i = 0; i < size; i++)
        product[i] = j->l2 * v[i];
    for (int32_t scan = 0; scan < j->scans; scan++) {
        const size_t at = (size_t)scan * (size_t)j->members;
        const double *weight = j->weight + at, *share = j->share + at;
        double by_weight = 0.0, by_share = 0.0;
        for (int32_t m = 0; m < j->members; m++) {
            j->slope[m] = 0.0;
            if (isnan(j->log_truth[at + (size_t)m])) continue;
            j->slope[m] = ren__fit_design_row(&j->design[m], scan, v + j->first[m]) / j->temperature;
            by_weight += weight[m] * j->slope[m];
            by_share += share[m] * j->slope[m];
        }
        for (int32_t m = 0; m < j->members; m++) {
            if (isnan(j->log_truth[at + (size_t)m])) continue;
            const double change = weight[m] * (j->slope[m] - by_weight) - share[m] * (j->slope[m] - by_share);
            ren__fit_design_add(&j->design[m], scan, change / j->temperature / j->scans, product + j->first[m]);
        }
    }
}

/* --------------------------------------------------------------------------------------------------------- designs */

/* What a member's columns are chosen by: how much more or less than its base weight it deserved in each scan. */
typedef struct deserts {
    int32_t scans;
    double *more; /* scans: v - w without scores; 0 where it did not run */
} deserts;

/* The slope of the loss along the column's weight, at the gate without scores. */
static ren_status score_column(ren_context *context, const void *argument, const double *z, double *score) {
    const deserts *d = argument;
    double sum = 0.0;

    (void)context;
    for (int32_t scan = 0; scan < d->scans; scan++)
        sum += z[scan] * d->more[scan];
    *score = fabs(sum);
    return REN_OK;
}

/* Weights and shares of the gate without scores: the designs are still empty, so only biases are read. */
static ren_status start(ren_context *context, joint *j) {
    ren_status st = REN_OK;
    double *x = NULL;

    REN_CALLOC(x, (size_t)j->members);
    for (int32_t m = 0; m < j->members; m++)
        j->first[m] = m;
    for (int32_t scan = 0; scan < j->scans; scan++)
        (void)scan_loss(j, scan, x);
out:
    ren__free(x);
    return st;
}

static ren_status make_designs(ren_context *context, joint *j, const ren__columns *columns,
                               const ren__fit_member *member, int32_t limit, ren__run *run) {
    ren_status st = REN_OK;
    deserts d = { .scans = j->scans };
    char *use = NULL;

    REN_TRY(start(context, j));
    REN_CALLOC(d.more, (size_t)j->scans);
    REN_CALLOC(use, (size_t)j->scans);
    for (int32_t m = 0; m < j->members; m++) {
        const ren__fit_view view = { member[m].value, j->scans, columns->count, use };
        for (int32_t scan = 0; scan < j->scans; scan++) {
            const size_t at = (size_t)scan * (size_t)j->members + (size_t)m;
            use[scan] = (char)!isnan(j->log_truth[at]);
            d.more[scan] = j->share[at] - j->weight[at];
        }
        REN_TRY(ren__fit_design_make(context, &view, limit, score_column, &d, run, &j->design[m]));
    }
    j->first[0] = 0;
    for (int32_t m = 0; m < j->members; m++) {
        if (j->first[m] > INT32_MAX / 16 - j->design[m].count)
            REN_FAIL(REN_E_LIMIT, "the scores of %d members would have too many weights", j->members);
        j->first[m + 1] = j->first[m] + 1 + j->design[m].count;
    }
out:
    ren__free(use);
    ren__free(d.more);
    return st;
}

/* --------------------------------------------------------------------------------------------------------- checking */

static ren_status check_member(const ren__fit_member *member, int32_t index, int32_t scans) {
    if (!(member->base > 0.0) || !isfinite(member->base))
        return ren__error(REN_E_INVALID, "the base weight of member %d of a gate is not above 0", index);
    for (int32_t scan = 0; scan < scans; scan++)
        if (!isnan(member->probability[scan]) &&
            !(member->probability[scan] >= 0.0 && member->probability[scan] <= 1.0))
            return ren__error(REN_E_DATA, "member %d, scan %d: what the member said is no probability", index, scan);
    return REN_OK;
}

static ren_status check(const ren__fit_member *member, int32_t count, const int32_t *label, int32_t scans,
                        double temperature, const ren__fit_settings *settings) {
    int32_t classes[2] = { 0, 0 };

    if (count < 1) return ren__error(REN_E_INVALID, "a gate without members has no scores");
    if (!(temperature > 0.0) || !isfinite(temperature))
        return ren__error(REN_E_INVALID, "the temperature of a gate is above 0");
    if (settings->features < 0 || !(settings->l2 > 0.0) || !isfinite(settings->l2))
        return ren__error(REN_E_INVALID, "a gate's scores: \"features\" is 0 or more, and \"l2\" above 0");
    for (int32_t scan = 0; scan < scans; scan++) {
        if (label[scan] != 0 && label[scan] != 1)
            return ren__error(REN_E_DATA, "scan %d has the label %d: only 0 and 1 can be fitted", scan, label[scan]);
        classes[label[scan]]++;
    }
    if (!classes[0] || !classes[1])
        return ren__error(REN_E_DATA,
                          "a gate's scores cannot be fitted to one class only: %d scans of class 0, %d of 1",
                          classes[0], classes[1]);
    for (int32_t m = 0; m < count; m++) {
        const ren_status st = check_member(&member[m], m, scans);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

static ren_status make_joint(ren_context *context, const ren__fit_member *member, const int32_t *label, joint *j) {
    ren_status st = REN_OK;
    const size_t members = (size_t)j->members, scans = (size_t)j->scans;

    REN_CALLOC(j->design, members);
    REN_CALLOC(j->first, members + 1);
    REN_CALLOC(j->log_base, members);
    REN_CALLOC(j->slope, members);
    REN_CALLOC(j->log_truth, scans * members);
    REN_CALLOC(j->weight, scans * members);
    REN_CALLOC(j->share, scans * members);
    for (size_t m = 0; m < members; m++) {
        j->log_base[m] = log(member[m].base);
        for (size_t scan = 0; scan < scans; scan++) {
            const double p = member[m].probability[scan], truth = label[scan] ? p : 1.0 - p;
            j->log_truth[scan * members + m] = isnan(p) ? NAN : log(fmax(truth, least_probability));
        }
    }
out:
    return st;
}

static void free_joint(joint *j) {
    for (int32_t m = 0; j->design && m < j->members; m++)
        ren__fit_design_free(&j->design[m]);
    ren__free(j->design);
    ren__free(j->first);
    ren__free(j->log_base);
    ren__free(j->slope);
    ren__free(j->log_truth);
    ren__free(j->weight);
    ren__free(j->share);
}

static ren_status make_predictors(ren_context *context, const ren__columns *columns, const joint *j, const double *x,
                                  ren__predictor **out) {
    for (int32_t m = 0; m < j->members; m++) {
        const ren__fit_design *design = &j->design[m];
        const double *weight = x + j->first[m];
        for (int32_t i = 0; i < design->count; i++)
            design->feature[i].weight = weight[1 + i];
        const ren_status st = ren__predictor_linear(context, columns, "a gate's scores", weight[0], design->feature,
                                                    (size_t)design->count, &out[m]);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

ren_status ren__fit_scores(ren_context *context, const ren__columns *columns, const ren__fit_member *member,
                           int32_t count, const int32_t *label, int32_t scans, double temperature,
                           const ren__fit_settings *settings, ren__run *run, ren__predictor **out) {
    ren_status st = REN_OK;
    joint j = { .members = count, .scans = scans, .l2 = settings->l2 / scans, .temperature = temperature };
    ren__fit_problem problem = { .state = &j, .value = value, .multiply = multiply };
    double *x = NULL;
    int converged = 0;

    for (int32_t m = 0; m < count; m++)
        out[m] = NULL;
    REN_TRY(check(member, count, label, scans, temperature, settings));
    REN_TRY(make_joint(context, member, label, &j));
    REN_TRY(make_designs(context, &j, columns, member, settings->features, run));
    problem.size = j.first[count];
    REN_CALLOC(x, (size_t)problem.size);
    REN_TRY(ren__fit_minimise(context, &problem, run, x, &converged));
    if (!converged)
        ren__log(context, REN_LOG_WARNING, "the scores of a gate have not converged: raise l2, or take fewer features");
    REN_TRY(make_predictors(context, columns, &j, x, out));
out:
    for (int32_t m = 0; st != REN_OK && m < count; m++) {
        ren__predictor_free(out[m]);
        out[m] = NULL;
    }
    ren__free(x);
    free_joint(&j);
    return st;
}
