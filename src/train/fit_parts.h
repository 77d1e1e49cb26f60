/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that fit predictors share: tables in standardised form (fit_design.c), the minimiser (fit_newton.c),
 * and the kinds of predictors (fit_logistic.c, fit_trees.c with fit_import.c and xgboost.c). */
#ifndef REN_TRAIN_FIT_PARTS_H
#define REN_TRAIN_FIT_PARTS_H

#include "train/fit.h"

/* --------------------------------------------------------------------------------------------- standardised tables */

/* Some rows of a table. */
typedef struct ren__fit_view {
    const double *value; /* rows x columns */
    int32_t rows, columns;
    const char *use; /* rows: not 0 for those that count; NULL: all */
} ren__fit_view;

/* Mean and standard deviation (of the population) of a column's numbers, and its rows standardised by them; 0 for
 * missing values and rows that do not count. Answers 0, and sets nothing, for a column that does not vary. */
int ren__fit_standardise(const ren__fit_view *view, int32_t column, double *mean, double *scale, double *z);

/* How much a standardised column promises; larger is better. */
typedef ren_status (*ren__fit_score_fn)(ren_context *context, const void *argument, const double *z, double *score);

/* The columns that a linear model is fitted to. */
typedef struct ren__fit_design {
    int32_t rows, count;
    ren__linear_feature *feature; /* count; the weights are 0 */
    double *z;                    /* rows x count */
} ren__fit_design;

/* The `limit` columns of the best score that vary, without those that correlate above 0.95 (Pearson, either sign) with
 * a better one; 0: all that vary. Equal scores: the earlier column. None at all is no failure. */
ren_status ren__fit_design_make(ren_context *context, const ren__fit_view *view, int32_t limit, ren__fit_score_fn score,
                                const void *argument, ren__run *run, ren__fit_design *out) REN_CHECKED;
void ren__fit_design_free(ren__fit_design *design);
/* weight0 + sum of weight x z of a row, and the transpose: adds `factor` x (1, z) to `sum`. Both of 1 + count numbers.
 */
double ren__fit_design_row(const ren__fit_design *design, int32_t row, const double *weight);
void ren__fit_design_add(const ren__fit_design *design, int32_t row, double factor, double *sum);

/* ---------------------------------------------------------------------------------------------------- minimisation */

/* A function of `size` numbers that has a second derivative. */
typedef struct ren__fit_problem {
    int32_t size;
    void *state;
    double (*value)(void *state, const double *x, double *gradient);
    /* second derivative x v, at the point that `value` last saw */
    void (*multiply)(void *state, const double *v, double *product);
} ren__fit_problem;

/* Newton's method from `x`: each step by conjugate gradients (stopped where the curvature is negative), shortened until
 * the value falls enough. The value never rises. *converged: the gradient's length is 1e-10 at most, or the value falls
 * no more within rounding and the gradient's length is below 1e-6. */
ren_status ren__fit_minimise(ren_context *context, const ren__fit_problem *problem, ren__run *run, double *x,
                             int *converged) REN_CHECKED;

/* ----------------------------------------------------------------------------------------------------------- kinds */

ren_status ren__fit_logistic(ren_context *context, const ren__fit_table *table, const ren__fit_settings *settings,
                             ren__run *run, ren__predictor **out) REN_CHECKED;
ren_status ren__fit_trees(ren_context *context, int32_t forest, const ren__fit_table *table,
                          const ren__fit_settings *settings, ren__run *run, ren__predictor **out) REN_CHECKED;

/* The weight of a row of each class, so that both weigh alike and the mean is 1. */
void ren__fit_class_weights(const int32_t *label, int32_t rows, double weight[2]);

/* Trees that are being collected. */
typedef struct ren__fit_forest {
    ren__tree_node *node;
    size_t nodes, node_capacity;
    int32_t *begin; /* trees + 1 */
    size_t trees, begin_capacity;
} ren__fit_forest;

/* Adds the trees of XGBoost's model as JSON (its document "Introduction to Model IO"). REN_E_FORMAT for what is none:
 * lists of different lengths, children outside, nodes that lead back. Left out: trees that no row came to. */
ren_status ren__fit_import(ren_context *context, const char *text, size_t size, ren__fit_forest *forest) REN_CHECKED;
void ren__fit_forest_free(ren__fit_forest *forest);

#endif
