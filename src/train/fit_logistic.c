/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logistic regression. With standardised columns z and row weights c that make both classes weigh alike, the least of
 *     1/rows (sum of c log(1 + exp(-(2 y - 1) (b + w z))) + l2 / 2 w^2)
 * which is scikit-learn's LogisticRegression(C = 1 / l2, class_weight = "balanced"). It is convex: there is one answer.
 */
#include <math.h>

#include "train/fit_parts.h"
#include "train/metrics.h"

typedef struct regression {
    const ren__fit_design *design;
    const int32_t *label;
    double weight[2];  /* of a row by its class */
    double l2;         /* over the rows */
    double *curvature; /* rows: second derivative of each row's term by its logit */
} regression;

static double value(void *state, const double *x, double *gradient) {
    regression *r = state;
    const int32_t rows = r->design->rows, count = r->design->count;
    double sum = 0.0, squares = 0.0;

    gradient[0] = 0.0;
    for (int32_t i = 1; i <= count; i++) {
        gradient[i] = r->l2 * x[i];
        squares += x[i] * x[i];
    }
    for (int32_t row = 0; row < rows; row++) {
        const double sign = r->label[row] ? 1.0 : -1.0, margin = sign * ren__fit_design_row(r->design, row, x);
        const double weight = r->weight[r->label[row]] / rows, e = exp(-fabs(margin));
        const double wrong = (margin > 0.0 ? e : 1.0) / (1.0 + e); /* probability of the other class */
        sum += weight * (log1p(e) + (margin < 0.0 ? -margin : 0.0));
        r->curvature[row] = weight * e / ((1.0 + e) * (1.0 + e));
        ren__fit_design_add(r->design, row, -sign * weight * wrong, gradient);
    }
    return sum + 0.5 * r->l2 * squares;
}

static void multiply(void *state, const double *v, double *product) {
    const regression *r = state;

    product[0] = 0.0;
    for (int32_t i = 1; i <= r->design->count; i++)
        product[i] = r->l2 * v[i];
    for (int32_t row = 0; row < r->design->rows; row++)
        ren__fit_design_add(r->design, row, r->curvature[row] * ren__fit_design_row(r->design, row, v), product);
}

/* How far the column's AUC lies from chance, on either side. */
static ren_status score_column(ren_context *context, const void *argument, const double *z, double *score) {
    const ren__fit_table *table = argument;
    double auc = 0.5;
    const ren_status st = ren__metric_auc(context, table->label, z, table->rows, &auc);

    *score = fabs(auc - 0.5);
    return st;
}

ren_status ren__fit_logistic(ren_context *context, const ren__fit_table *table, const ren__fit_settings *settings,
                             ren__run *run, ren__predictor **out) {
    ren_status st = REN_OK;
    const ren__fit_view view = { table->value, table->rows, table->columns.count, NULL };
    ren__fit_design design = { 0 };
    regression r = { .design = &design, .label = table->label, .l2 = settings->l2 / table->rows };
    ren__fit_problem problem = { .state = &r, .value = value, .multiply = multiply };
    double *x = NULL;
    int converged = 0;

    REN_TRY(ren__fit_design_make(context, &view, settings->features, score_column, table, run, &design));
    if (!design.count) REN_FAIL(REN_E_DATA, "logistic: no column varies by more than rounding");
    problem.size = 1 + design.count;
    ren__fit_class_weights(table->label, table->rows, r.weight);
    REN_CALLOC(r.curvature, (size_t)table->rows);
    REN_CALLOC(x, (size_t)problem.size);
    REN_TRY(ren__fit_minimise(context, &problem, run, x, &converged));
    if (!converged)
        ren__log(context, REN_LOG_WARNING, "logistic regression on %d columns has not converged: raise l2",
                 design.count);
    for (int32_t i = 0; i < design.count; i++)
        design.feature[i].weight = x[1 + i];
    REN_TRY(
        ren__predictor_linear(context, &table->columns, "logistic", x[0], design.feature, (size_t)design.count, out));
out:
    ren__free(x);
    ren__free(r.curvature);
    ren__fit_design_free(&design);
    return st;
}
