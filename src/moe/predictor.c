/* SPDX-License-Identifier: Apache-2.0 */
/* Predictors: their life, which columns they read, and the linear ones. */
#include <math.h>
#include <string.h>

#include "format/names.h"
#include "moe/predictor_parts.h"

/* A standardised value, and a term of the sum, count at most so much: the logistic function is 0 or 1 long before, and
 * no row and no file can make a logit that is not finite. */
static const double term_limit = 1e9;

ren_status ren__predictor_new(ren_context *context, int32_t kind, const ren__columns *columns, ren__predictor **out) {
    ren__predictor *predictor = ren__calloc(context, 1, sizeof *predictor);

    if (!predictor) return ren__out_of_memory();
    atomic_init(&predictor->references, 1);
    predictor->context = ren__context_retain(context);
    predictor->kind = kind;
    predictor->columns = columns->count;
    *out = predictor;
    return REN_OK;
}

ren__predictor *ren__predictor_retain(const ren__predictor *predictor) {
    ren__predictor *held = (ren__predictor *)predictor;

    atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    return held;
}

void ren__predictor_free(ren__predictor *predictor) {
    if (!predictor || atomic_fetch_sub_explicit(&predictor->references, 1, memory_order_acq_rel) != 1) return;
    ren_context *context = predictor->context;
    for (int32_t i = 0; predictor->name && i < predictor->reads; i++)
        ren__free(predictor->name[i]);
    ren__free(predictor->name);
    ren__free(predictor->read);
    ren__free(predictor->feature);
    ren__free(predictor->begin);
    ren__free(predictor->depth);
    ren__free(predictor->node);
    ren__free(predictor);
    ren__context_release(context);
}

ren_status ren__predictor_note_reads(ren__predictor *predictor, const ren__columns *columns, const char *where,
                                     const char *mark) {
    ren_context *context = predictor->context;
    ren_status st = REN_OK;
    char quoted[REN__QUOTE_SIZE];
    size_t count = 0;

    for (int32_t i = 0; i < columns->count; i++)
        count += mark[i] != 0;
    REN_CALLOC(predictor->read, count);
    REN_CALLOC(predictor->name, count);
    predictor->reads = (int32_t)count;
    count = 0;
    for (int32_t i = 0; i < columns->count; i++) {
        if (!mark[i]) continue;
        const char *name = columns->name[i];
        if (!ren__utf8_valid(name, strlen(name)))
            REN_FAIL(REN_E_FORMAT, "%s: the column \"%s\" is no UTF-8", where, ren__quote(name, quoted, sizeof quoted));
        predictor->read[count] = i;
        predictor->name[count] = ren__strdup(context, name);
        if (!predictor->name[count++]) REN_TRY(ren__out_of_memory());
    }
out:
    return st;
}

int32_t ren__predictor_reads(const ren__predictor *predictor, int32_t *list) {
    if (list && predictor->reads) memcpy(list, predictor->read, (size_t)predictor->reads * sizeof *list);
    return predictor->reads;
}

/* ------------------------------------------------------------------------------------------------- linear models */

static ren_status check_feature(const ren__linear_feature *feature, const ren__columns *columns, const char *where,
                                size_t index, char *mark) {
    if (feature->column < 0 || feature->column >= columns->count)
        return ren__error(REN_E_FORMAT, "%s: feature %zu reads column %d of %d", where, index, feature->column,
                          columns->count);
    if (!isfinite(feature->mean) || !isfinite(feature->weight) || !isfinite(feature->scale) || !(feature->scale > 0.0))
        return ren__error(REN_E_FORMAT, "%s: feature %zu needs a mean and a weight that are finite and a scale above 0",
                          where, index);
    if (mark[feature->column])
        return ren__error(REN_E_FORMAT, "%s: feature %zu reads a column that another one reads", where, index);
    mark[feature->column] = 1;
    return REN_OK;
}

ren_status ren__predictor_linear(ren_context *context, const ren__columns *columns, const char *where, double bias,
                                 const ren__linear_feature *feature, size_t count, ren__predictor **out) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    char *mark = NULL;

    *out = NULL;
    if (!isfinite(bias)) REN_FAIL(REN_E_FORMAT, "%s: the bias is not finite", where);
    REN_TRY(ren__predictor_new(context, REN__PREDICTOR_LINEAR, columns, &predictor));
    REN_CALLOC(mark, (size_t)columns->count);
    for (size_t i = 0; i < count; i++)
        REN_TRY(check_feature(&feature[i], columns, where, i, mark));
    REN_CALLOC(predictor->feature, count);
    if (count) memcpy(predictor->feature, feature, count * sizeof *feature);
    predictor->features = count;
    predictor->bias = bias;
    REN_TRY(ren__predictor_note_reads(predictor, columns, where, mark));
    *out = predictor;
    predictor = NULL;
out:
    ren__free(mark);
    ren__predictor_free(predictor);
    return st;
}

static double limited(double value) {
    return value > term_limit ? term_limit : value < -term_limit ? -term_limit : value;
}

double ren__predictor_linear_term(const ren__linear_feature *feature, const double *row) {
    const double value = row[feature->column];

    if (!isfinite(value)) return 0.0;
    return limited(feature->weight * limited((value - feature->mean) / feature->scale));
}

double ren__predictor_logit(const ren__predictor *predictor, const double *row) {
    double sum = predictor->bias;

    if (predictor->kind == REN__PREDICTOR_TREES) return ren__predictor_trees_logit(predictor, row);
    for (size_t i = 0; i < predictor->features; i++)
        sum += ren__predictor_linear_term(&predictor->feature[i], row);
    return sum;
}
