/* SPDX-License-Identifier: Apache-2.0 */
/* Sums and means of trees: what is checked of them, and where a row ends in them. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "moe/predictor_parts.h"

/* A mean probability of 0 or 1 has no logit: it is kept this far away. */
static const double probability_margin = 1e-6;
static const double largest_cover = 1e30;

/* ------------------------------------------------------------------------------------------------------- checking */

static ren_status check_leaf(const ren__tree_node *node, int32_t average, const char *where, size_t tree,
                             int32_t index) {
    if (!(fabs(node->value) <= (double)FLT_MAX))
        return ren__error(REN_E_FORMAT, "%s: tree %zu, node %d: a leaf's value is no float32", where, tree, index);
    if (average && (node->value < 0.0 || node->value > 1.0))
        return ren__error(REN_E_FORMAT, "%s: tree %zu, node %d: a leaf of a forest that averages is no probability",
                          where, tree, index);
    return REN_OK;
}

/* A child lies behind its parent and has no other, so that no walk comes by twice. `level`: 0 for nodes that nothing
 * has led to yet. */
static ren_status check_child(int32_t child, int32_t index, int32_t count, int32_t *level, const char *where,
                              size_t tree) {
    if (child <= index || child >= count)
        return ren__error(REN_E_FORMAT, "%s: tree %zu, node %d: its child %d is not behind it in the tree of %d nodes",
                          where, tree, index, child, count);
    if (level[child])
        return ren__error(REN_E_FORMAT, "%s: tree %zu, node %d: its child %d has another parent", where, tree, index,
                          child);
    level[child] = level[index] + 1;
    return REN_OK;
}

static ren_status check_split(const ren__tree_node *node, const ren__columns *columns, const char *where, size_t tree,
                              int32_t index) {
    if (node->column >= columns->count)
        return ren__error(REN_E_FORMAT, "%s: tree %zu, node %d reads column %d of %d", where, tree, index, node->column,
                          columns->count);
    if (!isfinite(node->threshold))
        return ren__error(REN_E_FORMAT, "%s: tree %zu, node %d: the threshold is not finite", where, tree, index);
    return REN_OK;
}

/* One tree of `count` nodes; `level` has room for them and is 0. */
static ren_status check_tree(const ren__tree_node *node, int32_t count, int32_t average, const ren__columns *columns,
                             const char *where, size_t tree, int32_t *level, char *mark, int32_t *depth) {
    ren_status st = REN_OK;

    level[0] = 1;
    *depth = 0;
    for (int32_t i = 0; i < count; i++) {
        if (!level[i]) REN_FAIL(REN_E_FORMAT, "%s: tree %zu, node %d: no node leads to it", where, tree, i);
        if (level[i] - 1 > *depth) *depth = level[i] - 1;
        if (*depth > REN__TREE_DEPTH)
            REN_FAIL(REN_E_FORMAT, "%s: tree %zu is deeper than %d levels", where, tree, REN__TREE_DEPTH);
        if (!(node[i].cover > 0.0) || node[i].cover > largest_cover)
            REN_FAIL(REN_E_FORMAT, "%s: tree %zu, node %d: the cover is no number above 0", where, tree, i);
        if (node[i].column < 0) {
            REN_TRY(check_leaf(&node[i], average, where, tree, i));
            continue;
        }
        REN_TRY(check_split(&node[i], columns, where, tree, i));
        REN_TRY(check_child(node[i].left, i, count, level, where, tree));
        REN_TRY(check_child(node[i].right, i, count, level, where, tree));
        mark[node[i].column] = 1;
    }
out:
    return st;
}

/* The ranges of the trees, and how many nodes the largest has. */
static ren_status check_ranges(const int32_t *begin, size_t trees, const char *where, int32_t *largest) {
    *largest = 0;
    for (size_t tree = 0; tree < trees; tree++) {
        if (begin[tree] < 0 || begin[tree + 1] <= begin[tree] || begin[0] != 0)
            return ren__error(REN_E_FORMAT, "%s: tree %zu has no node", where, tree);
        if (begin[tree + 1] - begin[tree] > *largest) *largest = begin[tree + 1] - begin[tree];
    }
    return REN_OK;
}

static ren_status copy_trees(ren__predictor *predictor, const ren__tree_node *node, const int32_t *begin,
                             size_t trees) {
    ren_context *context = predictor->context;
    ren_status st = REN_OK;
    const size_t nodes = trees ? (size_t)begin[trees] : 0;

    REN_CALLOC(predictor->begin, trees + 1);
    REN_CALLOC(predictor->depth, trees);
    REN_CALLOC(predictor->node, nodes);
    if (trees) memcpy(predictor->begin, begin, (trees + 1) * sizeof *begin);
    if (nodes) memcpy(predictor->node, node, nodes * sizeof *node);
    predictor->trees = trees;
out:
    return st;
}

ren_status ren__predictor_trees(ren_context *context, const ren__columns *columns, const char *where, double bias,
                                int32_t average, const ren__tree_node *node, const int32_t *begin, size_t trees,
                                ren__predictor **out) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    int32_t *level = NULL;
    char *mark = NULL;
    int32_t largest = 0;

    *out = NULL;
    if (!isfinite(bias)) REN_FAIL(REN_E_FORMAT, "%s: the bias is not finite", where);
    if (average && !trees) REN_FAIL(REN_E_FORMAT, "%s: a forest that averages has no tree", where);
    REN_TRY(check_ranges(begin, trees, where, &largest));
    REN_TRY(ren__predictor_new(context, REN__PREDICTOR_TREES, columns, &predictor));
    REN_TRY(copy_trees(predictor, node, begin, trees));
    REN_CALLOC(mark, (size_t)columns->count);
    REN_CALLOC(level, (size_t)largest);
    for (size_t tree = 0; tree < trees; tree++) {
        const int32_t count = begin[tree + 1] - begin[tree];
        memset(level, 0, (size_t)count * sizeof *level);
        REN_TRY(
            check_tree(node + begin[tree], count, average, columns, where, tree, level, mark, &predictor->depth[tree]));
    }
    predictor->bias = bias;
    predictor->average = average != 0;
    REN_TRY(ren__predictor_note_reads(predictor, columns, where, mark));
    *out = predictor;
    predictor = NULL;
out:
    ren__free(level);
    ren__free(mark);
    ren__predictor_free(predictor);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ evaluation */

float ren__tree_number(double value) {
    static const double largest = 1e37;

    if (!isfinite(value)) return NAN;
    return (float)(value > largest ? largest : value < -largest ? -largest : value);
}

int32_t ren__tree_next(const ren__tree_node *node, const double *row) {
    const float value = ren__tree_number(row[node->column]);

    if (isnan(value)) return node->missing_left ? node->left : node->right;
    return value < node->threshold ? node->left : node->right;
}

double ren__predictor_trees_logit(const ren__predictor *predictor, const double *row) {
    double sum = 0.0;

    for (size_t tree = 0; tree < predictor->trees; tree++) {
        const ren__tree_node *node = predictor->node + predictor->begin[tree];
        int32_t at = 0;
        while (node[at].column >= 0)
            at = ren__tree_next(&node[at], row);
        sum += node[at].value;
    }
    if (!predictor->average) return predictor->bias + sum;
    double probability = predictor->bias + sum / (double)predictor->trees;
    if (probability < probability_margin) probability = probability_margin;
    if (probability > 1.0 - probability_margin) probability = 1.0 - probability_margin;
    return log(probability / (1.0 - probability));
}
