/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of predictors share: predictor.c (linear models, rows), predictor_trees.c, predictor_explain.c and
 * predictor_json.c. */
#ifndef REN_MOE_PREDICTOR_PARTS_H
#define REN_MOE_PREDICTOR_PARTS_H

#include "moe/predictor.h"

/* No tree is deeper: bounds the recursion of explanations, whatever a file says. */
enum { REN__TREE_DEPTH = 64 };

enum ren__predictor_kind { REN__PREDICTOR_LINEAR, REN__PREDICTOR_TREES };

struct ren__predictor {
    atomic_int references;
    ren_context *context; /* held */
    int32_t kind;
    int32_t columns; /* of a row */
    int32_t reads;   /* how many of them are read: */
    int32_t *read;   /* which, rising, */
    char **name;     /* and what they are called */
    double bias;
    size_t features; /* linear */
    ren__linear_feature *feature;
    size_t trees; /* trees */
    int32_t *begin, *depth;
    ren__tree_node *node;
    int32_t average;
};

/* An empty predictor of a kind for rows of these columns. */
ren_status ren__predictor_new(ren_context *context, int32_t kind, const ren__columns *columns, ren__predictor **out);
/* Notes what is read: columns whose `mark` is not 0. */
ren_status ren__predictor_note_reads(ren__predictor *predictor, const ren__columns *columns, const char *where,
                                     const char *mark);

double ren__predictor_linear_term(const ren__linear_feature *feature, const double *row);
/* What trees compare: the value as float32, kept within 1e37 (XGBoost refuses infinities); NaN for one that is missing.
 */
float ren__tree_number(double value);
double ren__predictor_trees_logit(const ren__predictor *predictor, const double *row);
/* The child that the row goes to. */
int32_t ren__tree_next(const ren__tree_node *node, const double *row);

#endif
