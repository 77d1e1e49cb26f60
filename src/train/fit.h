/* SPDX-License-Identifier: Apache-2.0 */
/* Fitting predictors (moe/predictor.h) to tables of numbers. Deterministic: equal tables and settings give equal bits.
 */
#ifndef REN_TRAIN_FIT_H
#define REN_TRAIN_FIT_H

#include "moe/predictor.h"

/* Rows in order, each with all columns; NaN: missing. Borrowed. Labels are 0 or 1, and both occur. */
typedef struct ren__fit_table {
    ren__columns columns;
    int32_t rows;
    const double *value; /* rows x columns */
    const int32_t *label;
} ren__fit_table;

/* What a predictor is fitted with; config.md's keys. */
typedef struct ren__fit_settings {
    int32_t features; /* logistic: at most so many, the best by univariate AUC, none correlated above 0.95 (Pearson)
                       * with a better one; 0: all that vary */
    double l2; /* logistic: penalty on the standardised weights, in units of 1 / rows; above 0. It is the 1 / C of
                * scikit-learn */
    int32_t trees, depth; /* trees: 1 to 10,000, of depth 1 to 16 */
    double learning_rate; /* boosted trees, above 0, at most 1 */
    double subsample;     /* share of the rows that each tree sees, above 0, at most 1 */
    double column_sample; /* share of the columns that each boosted tree, or each level of a forest's tree, sees, at
                           * most 1; 0: the square root of their number */
    uint64_t seed;        /* trees */
} ren__fit_settings;

/* "logistic", "boosted_trees", "random_forest"; the defaults of that kind. REN_E_FORMAT for another name. */
ren_status ren__fit_defaults(const char *kind, ren__fit_settings *settings) REN_CHECKED;
/* Can this kind be fitted here? Trees are grown by XGBoost, which is loaded when the first is asked for: where it is
 * not installed, REN_E_UNSUPPORTED, and the text says which package to install. */
ren_status ren__fit_available(const char *kind) REN_CHECKED;
/* REN_E_DATA for a table that cannot be fitted to: one class only, no column that varies; REN_E_INVALID for settings
 * out of their ranges. Both classes weigh alike. A regression that has not converged is logged as a warning. */
ren_status ren__fit(ren_context *context, const char *kind, const ren__fit_table *table,
                    const ren__fit_settings *settings, ren__run *run, ren__predictor **out) REN_CHECKED;

/* A gate's per-scan scores, fitted jointly: for each of `count` members (regions) a linear predictor s_m of that
 * member's own row, so that the mixture's probability sum_m w_m p_m with w = softmax over the members that ran of
 * (log base_m + s_m / temperature) has the least cross-entropy: mean over the scans, plus l2 / 2 over their number of
 * the squared standardised weights and biases (so that what the scans do not tell stays with the base weights). Of each
 * member's columns only `settings->features` are read: those along whose weight the loss falls fastest at the gate
 * without scores, that is by association with how much more weight the member deserved than its base, w p / sum(w p) -
 * w with p its probability of the true class; none correlated above 0.95 with a better one; 0: all that vary. The loss
 * is not convex; the search starts at the gate without scores and never rises. Members' tables have the same scans in
 * the same order; a member did not run where its probability is NaN. `out` gets `count` predictors, or none. */
typedef struct ren__fit_member {
    const double *value;       /* scans x columns */
    const double *probability; /* scans */
    double base;               /* above 0 */
} ren__fit_member;
ren_status ren__fit_scores(ren_context *context, const ren__columns *columns, const ren__fit_member *member,
                           int32_t count, const int32_t *label, int32_t scans, double temperature,
                           const ren__fit_settings *settings, ren__run *run, ren__predictor **out) REN_CHECKED;

#endif
