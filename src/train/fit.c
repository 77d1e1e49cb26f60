/* SPDX-License-Identifier: Apache-2.0 */
/* What can be fitted, with which settings, and to which tables. */
#include <math.h>
#include <string.h>

#include "train/fit_parts.h"
#include "train/xgboost.h"

enum { LOGISTIC, BOOSTED_TREES, RANDOM_FOREST, KIND_COUNT };
enum { MOST_TREES = 10000, DEEPEST = 16 };

static const char *const kinds[KIND_COUNT] = { "logistic", "boosted_trees", "random_forest" };
static const ren__fit_settings defaults[KIND_COUNT] = {
    [LOGISTIC] = { .features = 20,
                   .l2 = 1.0,
                   .trees = 1,
                   .depth = 1,
                   .learning_rate = 1.0,
                   .subsample = 1.0,
                   .column_sample = 1.0 },
    [BOOSTED_TREES] = { .l2 = 1.0,
                        .trees = 100,
                        .depth = 3,
                        .learning_rate = 0.1,
                        .subsample = 0.8,
                        .column_sample = 0.8 },
    /* 0.632: the share of the rows that a bootstrap sample has */
    [RANDOM_FOREST] = { .l2 = 1.0,
                        .trees = 200,
                        .depth = 6,
                        .learning_rate = 1.0,
                        .subsample = 0.632,
                        .column_sample = 0.0 },
};

static ren_status find_kind(const char *name, int32_t *kind) {
    for (int32_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i], name) != 0) continue;
        *kind = i;
        return REN_OK;
    }
    return ren__error(REN_E_FORMAT,
                      "no predictor is called \"%.40s\": logistic, boosted_trees and random_forest "
                      "are",
                      name);
}

ren_status ren__fit_defaults(const char *kind, ren__fit_settings *settings) {
    int32_t found = 0;
    const ren_status st = find_kind(kind, &found);

    if (st == REN_OK) *settings = defaults[found];
    return st;
}

ren_status ren__fit_available(const char *kind) {
    int32_t found = 0;
    ren__xgboost library;
    ren_status st = find_kind(kind, &found);

    if (st != REN_OK || found == LOGISTIC) return st;
    st = ren__xgboost_open(&library);
    if (st == REN_OK) ren__xgboost_close(&library);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- checking */

static int is_share(double value) {
    return value > 0.0 && value <= 1.0;
}

static ren_status check_settings(int32_t kind, const ren__fit_settings *settings) {
    if (kind == LOGISTIC) {
        if (settings->features < 0 || !(settings->l2 > 0.0) || !isfinite(settings->l2))
            return ren__error(REN_E_INVALID, "logistic: \"features\" is 0 or more, and \"l2\" above 0");
        return REN_OK;
    }
    if (settings->trees < 1 || settings->trees > MOST_TREES || settings->depth < 1 || settings->depth > DEEPEST)
        return ren__error(REN_E_INVALID, "%s: between 1 and %d trees of a depth between 1 and %d", kinds[kind],
                          MOST_TREES, DEEPEST);
    if (!is_share(settings->subsample) || (settings->column_sample != 0.0 && !is_share(settings->column_sample)))
        return ren__error(REN_E_INVALID, "%s: the shares of rows and of columns lie above 0 and are at most 1",
                          kinds[kind]);
    if (!is_share(settings->learning_rate))
        return ren__error(REN_E_INVALID, "%s: the learning rate lies above 0 and is at most 1", kinds[kind]);
    return REN_OK;
}

/* Some column has two different numbers. */
static int varies(const ren__fit_table *table) {
    const size_t columns = (size_t)table->columns.count;

    for (size_t column = 0; column < columns; column++) {
        double first = NAN;
        for (size_t row = 0; row < (size_t)table->rows; row++) {
            const double value = table->value[row * columns + column];
            if (!isfinite(value)) continue;
            if (isnan(first)) first = value;
            if (value != first) return 1;
        }
    }
    return 0;
}

static ren_status check_table(const ren__fit_table *table) {
    int32_t count[2] = { 0, 0 };

    for (int32_t row = 0; row < table->rows; row++) {
        if (table->label[row] != 0 && table->label[row] != 1)
            return ren__error(REN_E_DATA, "row %d of the table has the label %d: only 0 and 1 can be fitted", row + 1,
                              table->label[row]);
        count[table->label[row]]++;
    }
    if (!count[0] || !count[1])
        return ren__error(REN_E_DATA, "a predictor cannot be fitted to one class only: %d rows of class 0, %d of 1",
                          count[0], count[1]);
    if (!varies(table))
        return ren__error(REN_E_DATA, "a predictor cannot be fitted: none of the %d columns varies over the %d rows",
                          table->columns.count, table->rows);
    return REN_OK;
}

void ren__fit_class_weights(const int32_t *label, int32_t rows, double weight[2]) {
    int32_t count[2] = { 0, 0 };

    for (int32_t row = 0; row < rows; row++)
        count[label[row]]++;
    for (int32_t which = 0; which < 2; which++)
        weight[which] = (double)rows / (2.0 * count[which]);
}

ren_status ren__fit(ren_context *context, const char *kind, const ren__fit_table *table,
                    const ren__fit_settings *settings, ren__run *run, ren__predictor **out) {
    ren_status st = REN_OK;
    int32_t found = 0;

    *out = NULL;
    REN_TRY(find_kind(kind, &found));
    REN_TRY(check_settings(found, settings));
    REN_TRY(check_table(table));
    if (found == LOGISTIC)
        REN_TRY(ren__fit_logistic(context, table, settings, run, out));
    else
        REN_TRY(ren__fit_trees(context, found == RANDOM_FOREST, table, settings, run, out));
out:
    return st;
}
