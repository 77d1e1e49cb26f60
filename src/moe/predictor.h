/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictors: small models on a row of named numbers (a region's radiomics, an expert's features) that give a logit:
 * logistic regression on standardised features, or a sum of trees. Gates score regions with them, stacked mixtures join
 * probabilities with them. What fits them is in train/fit.h; nothing here knows how they came to be.
 *
 * Immutable, counted by reference, shared between threads.
 */
#ifndef REN_MOE_PREDICTOR_H
#define REN_MOE_PREDICTOR_H

#include <jansson.h>

#include "base/context.h"

typedef struct ren__predictor ren__predictor;

/* The columns of a row, in order. Borrowed. */
typedef struct ren__columns {
    const char *const *name;
    int32_t count;
} ren__columns;

/* logit = bias + sum over features of weight x (value - mean) / scale; a missing value (NaN) counts as the mean. In all
 * predictors infinite values are missing too. Standardised values and terms beyond 1e9 count as 1e9: every logit is
 * finite. Each column is read by one feature at most. */
typedef struct ren__linear_feature {
    int32_t column;
    double mean, scale, weight;
} ren__linear_feature;

/* A node of a tree: left where value < threshold (both as float32, as the trees were grown), or where the value is
 * missing and `missing_left`. A leaf has column -1 and its value. `cover`: the weight of training rows that came here,
 * above 0 (for explanations). Children lie behind their parent, and every node but the first has one. */
typedef struct ren__tree_node {
    int32_t column; /* -1: a leaf */
    int32_t left, right;
    int32_t missing_left;
    float threshold;
    double value, cover;
} ren__tree_node;

/* Everything is copied. REN_E_FORMAT (beginning with `where`) for what is no predictor: columns outside, scales not
 * above 0, numbers that are not finite, nodes that lead back. */
ren_status ren__predictor_linear(ren_context *context, const ren__columns *columns, const char *where, double bias,
                                 const ren__linear_feature *feature, size_t count, ren__predictor **out) REN_CHECKED;
/* logit = bias + sum over trees of their leaf; tree i is node[begin[i]] to node[begin[i + 1] - 1], children counted
 * from its first; no tree is deeper than 64. `average` (random forests): the leaves are probabilities; bias and their
 * mean are the probability, kept within 1e-6 and 1 - 1e-6, of which the logit is given. */
ren_status ren__predictor_trees(ren_context *context, const ren__columns *columns, const char *where, double bias,
                                int32_t average, const ren__tree_node *node, const int32_t *begin, size_t trees,
                                ren__predictor **out) REN_CHECKED;
ren__predictor *ren__predictor_retain(const ren__predictor *predictor);
void ren__predictor_free(ren__predictor *predictor);

/* To JSON, with the columns it reads by name (NULL: no memory), and back: each name must be among `columns`. */
json_t *ren__predictor_json(const ren__predictor *predictor);
ren_status ren__predictor_parse(ren_context *context, const json_t *object, const char *where,
                                const ren__columns *columns, ren__predictor **out) REN_CHECKED;

/* The logit for a row in the order of the columns that the predictor was made with; NaN: missing. */
double ren__predictor_logit(const ren__predictor *predictor, const double *row);
/* What each column adds to the logit: their sum and `base` (the logit of no knowledge) is the logit. Linear: weight x
 * standardised value. Trees: exact Shapley values of the trees with paths weighted by cover (Lundberg et al., 2020,
 * "From local explanations to global understanding with explainable AI for trees", algorithm 2, as XGBoost's
 * pred_contribs; computed as predictor_explain.c says). `contribution` has room for all columns; unread ones get 0. For
 * an averaging forest the sum is that of the mean probability. */
ren_status ren__predictor_explain(const ren__predictor *predictor, const double *row, double *contribution,
                                  double *base) REN_CHECKED;
/* Columns that it reads, rising; how many. `list` NULL: only the number. */
int32_t ren__predictor_reads(const ren__predictor *predictor, int32_t *list);

#endif
