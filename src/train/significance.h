/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a difference more than chance? One unit everywhere is one patient with one prediction: pool scans with
 * ren__patient_means_make first. Labels and errors as in metrics.h.
 */
#ifndef REN_TRAIN_SIGNIFICANCE_H
#define REN_TRAIN_SIGNIFICANCE_H

#include "base/context.h"

enum { REN__BOOTSTRAP_RESAMPLES = 2000 };

/* An estimate with its 95 % interval and the two-sided p of "it is 0" (for a single AUC: NaN). */
typedef struct ren__comparison {
    double estimate, low, high;
    double p;
} ren__comparison;

/* A sum of the AUCs of `sides` predictions on the same patients, each times its coefficient. Patients are drawn with
 * replacement `resamples` times, from Philox (seed, resample); a draw with one class only is drawn again. The interval
 * is the percentiles 2.5 and 97.5 (linear between order statistics); p = min(1, 2 min(1 + #{d <= 0}, 1 + #{d >= 0}) /
 * (1 + resamples)). The same bits for every number of threads. `run` may be NULL. */
ren_status ren__bootstrap_auc_contrast(ren_context *context, ren__run *run, const int32_t *labels,
                                       const double *const *scores, const double *coefficient, int32_t sides,
                                       int32_t count, int32_t resamples, uint64_t seed,
                                       ren__comparison *out) REN_CHECKED;
/* AUC of `a` minus AUC of `b`, by the same draws. */
ren_status ren__bootstrap_auc_difference(ren_context *context, ren__run *run, const int32_t *labels, const double *a,
                                         const double *b, int32_t count, int32_t resamples, uint64_t seed,
                                         ren__comparison *out) REN_CHECKED;
/* The AUC of one prediction with its percentile interval, by the same draws. */
ren_status ren__bootstrap_auc(ren_context *context, ren__run *run, const int32_t *labels, const double *scores,
                              int32_t count, int32_t resamples, uint64_t seed, ren__comparison *out) REN_CHECKED;

/* Holm's step-down correction in place; NaN entries (not tested) stay and are not counted. */
ren_status ren__holm(ren_context *context, double *p, int32_t count) REN_CHECKED;

/* Wilcoxon's signed-rank test of paired differences: zeros are left out, ties take midranks, the null distribution is
 * the exact one over all 2^n sign patterns. `statistic` (nullable) is the smaller of the two rank sums. With no
 * difference left p is 1. At most 200 differences. Over five folds the smallest p is 0.0625: descriptive only. */
ren_status ren__wilcoxon(ren_context *context, const double *differences, int32_t count, double *statistic,
                         double *p) REN_CHECKED;

/* DeLong, DeLong and Clarke-Pearson 1988 (midrank form of Sun and Xu 2014). Intervals are estimate +- 1.96 standard
 * errors, of a single AUC cut to [0, 1]. At least two patients of each class. A standard error of 0 gives p 1 for a
 * difference of 0, else 0. */
ren_status ren__delong_auc(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                           ren__comparison *out) REN_CHECKED;
ren_status ren__delong_difference(ren_context *context, const int32_t *labels, const double *a, const double *b,
                                  int32_t count, ren__comparison *out) REN_CHECKED;

#endif
