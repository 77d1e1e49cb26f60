/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learned weights: a logit a region, the same for all scans. Seven numbers at most, so that plain descent along the
 * gradient with a step that adapts is quick enough. With z = (log(base + 1e-8) + l) / T, s = softmax(z) within a group
 * of regions that ran (all of them, or lobes and lungs apart, with the shares c), and q the probability that a region
 * gives the scan's own label:
 *     Q = sum over groups of c sum of s q,   d(-log Q) / dl = -c s (q - sum of s q) / (Q T)
 */
#include <math.h>

#include "train/gates_fit.h"

enum { STEPS = 2000, GROUPS = 2 };

double ren__logit_probability(double logit) {
    if (logit >= 0.0) return 1.0 / (1.0 + exp(-logit));
    const double odds = exp(logit);
    return odds / (1.0 + odds);
}

static int group_of(const ren__logits_task *task, int32_t region) {
    return task->normalisation == REN_GATE_HIERARCHICAL &&
           (region == REN_REGION_LEFT_LUNG || region == REN_REGION_RIGHT_LUNG);
}

/* One scan: the softmax within each group, the groups' shares and the probability of its label in each. */
typedef struct scan_terms {
    double softmax[REN_REGION_COUNT], own[REN_REGION_COUNT];
    double share[GROUPS], within[GROUPS];
} scan_terms;

static void weigh(const ren__logits_task *task, int32_t scan, const double *logit, scan_terms *t) {
    const double *p = task->probability + (size_t)scan * REN_REGION_COUNT;
    double highest[GROUPS] = { -HUGE_VAL, -HUGE_VAL }, sum[GROUPS] = { 0.0, 0.0 };

    for (int32_t r = 0; r < REN_REGION_COUNT; r++) {
        t->softmax[r] = (log(task->base[r] + 1e-8) + logit[r]) / task->temperature;
        const int group = group_of(task, r);
        if (task->base[r] > 0.0 && !isnan(p[r]) && t->softmax[r] > highest[group]) highest[group] = t->softmax[r];
    }
    for (int32_t r = 0; r < REN_REGION_COUNT; r++) {
        const int group = group_of(task, r);
        t->softmax[r] = task->base[r] > 0.0 && !isnan(p[r]) ? exp(t->softmax[r] - highest[group]) : 0.0;
        t->own[r] = isnan(p[r]) ? 0.0 : task->label[scan] ? p[r] : 1.0 - p[r];
        sum[group] += t->softmax[r];
    }
    for (int group = 0; group < GROUPS; group++) {
        t->share[group] = sum[group] > 0.0 ? (sum[0] > 0.0 && sum[1] > 0.0 ? 0.5 : 1.0) : 0.0;
        t->within[group] = 0.0;
    }
    for (int32_t r = 0; r < REN_REGION_COUNT; r++) {
        const int group = group_of(task, r);
        if (sum[group] > 0.0) t->softmax[r] /= sum[group];
        t->within[group] += t->softmax[r] * t->own[r];
    }
}

/* Scans in which nothing ran say nothing. */
static double loss_at(const ren__logits_task *task, const double *logit, double gradient[REN_REGION_COUNT]) {
    double loss = 0.0;

    for (int32_t r = 0; r < REN_REGION_COUNT; r++) {
        loss += 0.5 * task->l2 * logit[r] * logit[r];
        gradient[r] = task->l2 * logit[r];
    }
    for (int32_t scan = 0; scan < task->scans; scan++) {
        scan_terms t;
        weigh(task, scan, logit, &t);
        if (!(t.share[0] + t.share[1] > 0.0)) continue;
        const double own = fmax(t.share[0] * t.within[0] + t.share[1] * t.within[1], 1e-12);
        loss -= log(own);
        for (int32_t r = 0; r < REN_REGION_COUNT; r++) {
            const int group = group_of(task, r);
            gradient[r] -= t.share[group] * t.softmax[r] * (t.own[r] - t.within[group]) / (own * task->temperature);
        }
    }
    return loss;
}

void ren__fit_logits(const ren__logits_task *task, double logit[REN_REGION_COUNT]) {
    double gradient[REN_REGION_COUNT], tried[REN_REGION_COUNT], next[REN_REGION_COUNT], step = 1.0;

    for (int32_t r = 0; r < REN_REGION_COUNT; r++)
        logit[r] = 0.0;
    double loss = loss_at(task, logit, gradient);
    for (int i = 0; i < STEPS && step > 1e-12; i++) {
        double slope = 0.0;
        for (int32_t r = 0; r < REN_REGION_COUNT; r++) {
            slope += gradient[r] * gradient[r];
            tried[r] = logit[r] - step * gradient[r];
        }
        if (slope < 1e-18) break;
        const double reached = loss_at(task, tried, next);
        if (!(reached <= loss - 0.25 * step * slope)) {
            step *= 0.5;
            continue;
        }
        for (int32_t r = 0; r < REN_REGION_COUNT; r++) {
            logit[r] = tried[r];
            gradient[r] = next[r];
        }
        loss = reached;
        step *= 1.5;
    }
}
