/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: predictors as JSON, and XGBoost's models, whose first tree is taken for a predictor. What is accepted
 * has finite logits for every row, explanations that add up to them, and a form that reads back to the same bits.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "format/document.h"
#include "moe/predictor_parts.h"
#include "train/fit_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS = 4, ROWS = 6 };

static ren_context *context;
static const char *const names[COLUMNS] = { "a", "b", "c", "d" };
static const ren__columns columns = { names, COLUMNS };
static const double rows[ROWS][COLUMNS] = {
    { 0.0, 0.0, 0.0, 0.0 },
    { 1.0, -1.0, 0.5, 2.0 },
    { NAN, NAN, NAN, NAN },
    { 1e9, NAN, -1e9, INFINITY },
    { DBL_MAX, -DBL_MAX, DBL_MIN, 1e-40 },
    { -0.5, 3.0, 7.0, -2.0 },
};

/* What rounding is measured by: all that the sums may be made of. */
static double magnitude(const ren__predictor *predictor, const double *row) {
    double sum = fabs(predictor->bias) + 1.0;

    for (size_t i = 0; i < predictor->features; i++)
        sum += fabs(ren__predictor_linear_term(&predictor->feature[i], row));
    for (int32_t i = 0; predictor->trees && i < predictor->begin[predictor->trees]; i++)
        sum += fabs(predictor->node[i].value);
    return sum;
}

static void check_row(const ren__predictor *predictor, const ren__predictor *back, const double *row) {
    const double logit = ren__predictor_logit(predictor, row);
    double contribution[COLUMNS], sum;

    if (!isfinite(logit) || ren__predictor_logit(back, row) != logit) abort();
    if (ren__predictor_explain(predictor, row, contribution, &sum) != REN_OK) abort();
    for (int i = 0; i < COLUMNS; i++)
        sum += contribution[i];
    if (!isfinite(sum)) abort();
    if (!predictor->average && fabs(sum - logit) > 1e-9 * magnitude(predictor, row)) abort();
}

static void check_predictor(const ren__predictor *predictor) {
    json_t *json = ren__predictor_json(predictor), *read = NULL;
    ren__predictor *back = NULL;
    ren_text *text = NULL;

    if (!json || ren__json_write(context, json, 0, &text) != REN_OK) abort();
    if (ren__json_parse(ren_text_data(text), ren_text_size(text), "back", &read) != REN_OK) abort();
    if (ren__predictor_parse(context, read, "back", &columns, &back) != REN_OK) abort();
    for (int i = 0; i < ROWS; i++)
        check_row(predictor, back, rows[i]);
    ren__predictor_free(back);
    ren_text_free(text);
    json_decref(read);
    json_decref(json);
}

static ren_status import(const uint8_t *data, size_t size, ren__predictor **out) {
    ren__fit_forest forest = { 0 };
    ren_status st = ren__fit_import(context, (const char *)data, size, &forest);

    if (st == REN_OK)
        st = ren__predictor_trees(context, &columns, "fuzz", 0.0, 0, forest.node, forest.begin, forest.trees, out);
    ren__fit_forest_free(&forest);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ren__predictor *predictor = NULL;
    json_t *json = NULL;

    if (!context && ren_context_create(NULL, &context) != REN_OK) abort();
    if (ren__json_parse((const char *)data, size, "fuzz", &json) != REN_OK) return 0;
    if (json_object_get(json, "learner"))
        (void)!import(data, size, &predictor);
    else
        (void)!ren__predictor_parse(context, json, "fuzz", &columns, &predictor);
    if (predictor) check_predictor(predictor);
    ren__predictor_free(predictor);
    json_decref(json);
    if (ren_context_memory_used(context) != 0) abort();
    return 0;
}
