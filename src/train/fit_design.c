/* SPDX-License-Identifier: Apache-2.0 */
/* Tables standardised, and the choice of the columns that a linear model gets. */
#include <math.h>
#include <string.h>

#include "format/names.h"
#include "train/fit_parts.h"

static const double highest_correlation = 0.95;

static double number(const ren__fit_view *view, int32_t row, int32_t column) {
    if (view->use && !view->use[row]) return NAN;
    return view->value[(size_t)row * (size_t)view->columns + (size_t)column];
}

int ren__fit_standardise(const ren__fit_view *view, int32_t column, double *mean, double *scale, double *z) {
    double sum = 0.0, squares = 0.0, largest = 0.0;
    int32_t count = 0;

    for (int32_t row = 0; row < view->rows; row++) {
        const double value = number(view, row, column);
        if (!isfinite(value)) continue;
        sum += value;
        largest = fmax(largest, fabs(value));
        count++;
    }
    const double middle = sum / (count ? count : 1);
    for (int32_t row = 0; row < view->rows; row++) {
        const double value = number(view, row, column);
        if (isfinite(value)) squares += (value - middle) * (value - middle);
    }
    const double deviation = sqrt(squares / (count ? count : 1));
    /* Also not: what only rounding tells apart, and what is too large to be squared. */
    if (!(deviation > 1e-12 * largest) || !isfinite(deviation)) return 0;
    *mean = middle;
    *scale = deviation;
    for (int32_t row = 0; row < view->rows; row++) {
        const double value = number(view, row, column);
        z[row] = isfinite(value) ? (value - middle) / deviation : 0.0;
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------------------------- choice */

/* What the choice works with. Chosen columns are kept one after the other, as correlations read them. */
typedef struct choice {
    const ren__fit_view *view;
    double *z;      /* rows */
    double *score;  /* columns; -1: does not vary */
    size_t *order;  /* columns, the best first */
    double *chosen; /* count x rows */
    double *length; /* count: of the chosen columns as vectors */
    int32_t *column, count;
} choice;

static int better(const void *items, size_t a, size_t b) {
    const double *score = items;

    return score[a] > score[b] ? -1 : score[a] < score[b];
}

static ren_status score_columns(ren_context *context, choice *c, ren__fit_score_fn score, const void *argument,
                                ren__run *run) {
    ren_status st = REN_OK;
    double mean, scale;

    for (int32_t column = 0; column < c->view->columns; column++) {
        c->score[column] = -1.0;
        if (ren__fit_standardise(c->view, column, &mean, &scale, c->z))
            REN_TRY(score(context, argument, c->z, &c->score[column]));
        REN_TRY(ren__run_check(run));
    }
    ren__sort_indices(c->order, (size_t)c->view->columns, better, c->score);
out:
    return st;
}

static double dot(const double *a, const double *b, int32_t count) {
    double sum = 0.0;

    for (int32_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Takes the column that is in `z` unless it says what a chosen one says. */
static void consider(choice *c, int32_t column) {
    const size_t rows = (size_t)c->view->rows;
    const double length = sqrt(dot(c->z, c->z, c->view->rows));

    for (int32_t i = 0; i < c->count; i++) {
        const double product = dot(c->z, c->chosen + (size_t)i * rows, c->view->rows);
        if (fabs(product) > highest_correlation * length * c->length[i]) return;
    }
    memcpy(c->chosen + (size_t)c->count * rows, c->z, rows * sizeof *c->z);
    c->length[c->count] = length;
    c->column[c->count++] = column;
}

static ren_status choose(choice *c, int32_t limit, ren__run *run) {
    ren_status st = REN_OK;
    double mean, scale;

    for (int32_t i = 0; i < c->view->columns && c->count < limit; i++) {
        const int32_t column = (int32_t)c->order[i];
        if (c->score[column] < 0.0) break;
        if (ren__fit_standardise(c->view, column, &mean, &scale, c->z)) consider(c, column);
        REN_TRY(ren__run_check(run));
    }
out:
    return st;
}

static ren_status choose_best(ren_context *context, choice *c, int32_t limit, ren__fit_score_fn score,
                              const void *argument, ren__run *run) {
    ren_status st = REN_OK;
    const size_t columns = (size_t)c->view->columns;

    REN_CALLOC(c->score, columns);
    REN_CALLOC(c->order, columns);
    c->chosen = ren__alloc_array(context, (size_t)limit * (size_t)c->view->rows, sizeof *c->chosen);
    if (!c->chosen) REN_TRY(ren__out_of_memory());
    REN_CALLOC(c->length, (size_t)limit);
    REN_TRY(score_columns(context, c, score, argument, run));
    REN_TRY(choose(c, limit, run));
out:
    ren__free(c->length);
    ren__free(c->chosen);
    ren__free(c->order);
    ren__free(c->score);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- design */

static ren_status fill(ren_context *context, const choice *c, ren__fit_design *design) {
    ren_status st = REN_OK;
    const size_t count = (size_t)c->count, rows = (size_t)c->view->rows;

    REN_CALLOC(design->feature, count);
    design->z = ren__alloc_array(context, count * rows, sizeof *design->z);
    if (!design->z) REN_TRY(ren__out_of_memory());
    design->rows = c->view->rows;
    design->count = c->count;
    for (size_t i = 0; i < count; i++) {
        ren__linear_feature *feature = &design->feature[i];
        feature->column = c->column[i];
        (void)ren__fit_standardise(c->view, feature->column, &feature->mean, &feature->scale, c->z);
        for (size_t row = 0; row < rows; row++)
            design->z[row * count + i] = c->z[row];
    }
out:
    return st;
}

ren_status ren__fit_design_make(ren_context *context, const ren__fit_view *view, int32_t limit, ren__fit_score_fn score,
                                const void *argument, ren__run *run, ren__fit_design *out) {
    ren_status st = REN_OK;
    choice c = { .view = view };
    double mean, scale;

    *out = (ren__fit_design){ 0 };
    REN_CALLOC(c.z, (size_t)view->rows);
    REN_CALLOC(c.column, (size_t)view->columns);
    if (limit > 0) {
        if (limit > view->columns) limit = view->columns;
        REN_TRY(choose_best(context, &c, limit, score, argument, run));
    } else {
        for (int32_t column = 0; column < view->columns; column++)
            if (ren__fit_standardise(view, column, &mean, &scale, c.z)) c.column[c.count++] = column;
    }
    REN_TRY(fill(context, &c, out));
out:
    if (st != REN_OK) ren__fit_design_free(out);
    ren__free(c.column);
    ren__free(c.z);
    return st;
}

void ren__fit_design_free(ren__fit_design *design) {
    ren__free(design->feature);
    ren__free(design->z);
    *design = (ren__fit_design){ 0 };
}

double ren__fit_design_row(const ren__fit_design *design, int32_t row, const double *weight) {
    return weight[0] + dot(weight + 1, design->z + (size_t)row * (size_t)design->count, design->count);
}

void ren__fit_design_add(const ren__fit_design *design, int32_t row, double factor, double *sum) {
    const double *z = design->z + (size_t)row * (size_t)design->count;

    sum[0] += factor;
    for (int32_t i = 0; i < design->count; i++)
        sum[1 + i] += factor * z[i];
}
