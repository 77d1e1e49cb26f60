/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each column adds to a predictor's logit.
 *
 * Trees: the Shapley values of the game in which a set of known columns is worth the expected leaf: a split on a known
 * column is followed, at one on an unknown column both ways count by their share of the cover. (S. M. Lundberg et al.,
 * "From local explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2, 2020,
 * "path-dependent".) To a leaf of value v leads a path on which column j contributes with_j (1: the row goes this way
 * at all its splits, else 0) where it is known and without_j (product of the shares) where not. Shapley's mean over all
 * orders of the columns is an integral over the probability t that another column is known (G. Owen, "Multilinear
 * extensions of games", Management Science 18, 1972):
 *     phi_i = v (with_i - without_i) * integral from 0 to 1 of product over j != i of (without_j + t (with_j -
 * without_j)) a polynomial in t of a degree below the number of columns on the path, which Gauss and Legendre's rule of
 * half as many points integrates exactly. All factors are within 0 and 1: nothing is divided, and nothing cancels.
 */
#include <math.h>
#include <string.h>

#include "moe/predictor_parts.h"

enum { POINTS = REN__TREE_DEPTH / 2 };

/* A column on the way to a leaf. */
typedef struct step {
    int32_t column;
    double with, without;
} step;

typedef struct walk {
    const ren__tree_node *node; /* of the tree */
    const double *row;
    double *contribution;
    double scale, base;
    int32_t points; /* of the rule, for integrals from 0 to 1 */
    double place[POINTS], weight[POINTS];
    int32_t length;
    step path[REN__TREE_DEPTH];
} walk;

/* The rule of `points` points: roots of Legendre's polynomial by Newton's method. */
static void make_rule(walk *w, int32_t points) {
    w->points = points;
    for (int32_t i = 0; i < points; i++) {
        double x = cos(3.14159265358979323846 * (i + 0.75) / (points + 0.5)), slope = 1.0;
        for (int iteration = 0; iteration < 8; iteration++) {
            double before = 0.0, value = 1.0;
            for (int32_t n = 1; n <= points; n++) {
                const double next = ((2 * n - 1) * x * value - (n - 1) * before) / n;
                before = value;
                value = next;
            }
            slope = points * (x * value - before) / (x * x - 1.0);
            x -= value / slope;
        }
        w->place[i] = 0.5 * (1.0 + x);
        w->weight[i] = 1.0 / ((1.0 - x * x) * slope * slope);
    }
}

static void add_leaf(walk *w, double value) {
    double before[REN__TREE_DEPTH], share[REN__TREE_DEPTH] = { 0.0 }, base = value;

    for (int32_t j = 0; j < w->length; j++)
        base *= w->path[j].without;
    w->base += base;
    for (int32_t point = 0; point < w->points; point++) {
        const double t = w->place[point];
        double product = w->weight[point];
        for (int32_t j = 0; j < w->length; j++) {
            before[j] = product;
            product *= w->path[j].without + t * (w->path[j].with - w->path[j].without);
        }
        product = 1.0; /* of the factors behind j */
        for (int32_t j = w->length - 1; j >= 0; j--) {
            share[j] += before[j] * product;
            product *= w->path[j].without + t * (w->path[j].with - w->path[j].without);
        }
    }
    for (int32_t j = 0; j < w->length; j++)
        w->contribution[w->path[j].column] += w->scale * value * (w->path[j].with - w->path[j].without) * share[j];
}

static void descend(walk *w, int32_t index) {
    const ren__tree_node *node = &w->node[index];
    int32_t at = 0;

    if (node->column < 0) {
        add_leaf(w, node->value);
        return;
    }
    while (at < w->length && w->path[at].column != node->column)
        at++;
    const int32_t length = w->length, next = ren__tree_next(node, w->row);
    const step met = at < length ? w->path[at] : (step){ node->column, 1.0, 1.0 };
    const double left = w->node[node->left].cover, right = w->node[node->right].cover;
    w->length = at < length ? length : length + 1;
    w->path[at] = (step){ met.column, next == node->left ? met.with : 0.0, met.without * (left / (left + right)) };
    descend(w, node->left);
    w->path[at] = (step){ met.column, next == node->right ? met.with : 0.0, met.without * (right / (left + right)) };
    descend(w, node->right);
    w->path[at] = met;
    w->length = length;
}

static void explain_trees(const ren__predictor *predictor, const double *row, double *contribution, double *base) {
    walk w = { .row = row, .contribution = contribution };
    int32_t deepest = 1;

    w.scale = predictor->average ? 1.0 / (double)predictor->trees : 1.0;
    for (size_t tree = 0; tree < predictor->trees; tree++)
        if (predictor->depth[tree] > deepest) deepest = predictor->depth[tree];
    make_rule(&w, (deepest + 1) / 2);
    for (size_t tree = 0; tree < predictor->trees; tree++) {
        w.node = predictor->node + predictor->begin[tree];
        w.length = 0;
        descend(&w, 0);
    }
    *base = predictor->bias + w.scale * w.base;
}

ren_status ren__predictor_explain(const ren__predictor *predictor, const double *row, double *contribution,
                                  double *base) {
    if (predictor->columns) memset(contribution, 0, (size_t)predictor->columns * sizeof *contribution);
    if (predictor->kind == REN__PREDICTOR_TREES) {
        explain_trees(predictor, row, contribution, base);
        return REN_OK;
    }
    for (size_t i = 0; i < predictor->features; i++)
        contribution[predictor->feature[i].column] = ren__predictor_linear_term(&predictor->feature[i], row);
    *base = predictor->bias;
    return REN_OK;
}
