/* SPDX-License-Identifier: Apache-2.0 */
/* Trees out of XGBoost's model as JSON: learner.gradient_booster.model.trees, each a set of lists with one item a node.
 * Its nodes may stand in any order, and some may belong to no tree; ours are numbered as a walk by levels meets them.
 */
#include <float.h>
#include <math.h>

#include "format/document.h"
#include "train/fit_parts.h"

/* The lists of a tree. */
typedef struct lists {
    const json_t *left, *right, *column, *number, *missing_left, *cover;
    size_t nodes;
} lists;

static ren_status need(const json_t *tree, const char *key, size_t index, size_t *nodes, const json_t **list) {
    *list = json_object_get(tree, key);
    if (!json_is_array(*list) || (*nodes && json_array_size(*list) != *nodes))
        return ren__error(REN_E_FORMAT, "XGBoost's tree %zu: \"%s\" is no list with one item a node", index, key);
    *nodes = json_array_size(*list);
    if (!*nodes || *nodes > INT32_MAX)
        return ren__error(REN_E_FORMAT, "XGBoost's tree %zu has no node, or too many", index);
    return REN_OK;
}

static ren_status get_lists(const json_t *tree, size_t index, lists *l) {
    ren_status st = REN_OK;

    *l = (lists){ 0 };
    REN_TRY(need(tree, "left_children", index, &l->nodes, &l->left));
    REN_TRY(need(tree, "right_children", index, &l->nodes, &l->right));
    REN_TRY(need(tree, "split_indices", index, &l->nodes, &l->column));
    REN_TRY(need(tree, "split_conditions", index, &l->nodes, &l->number));
    REN_TRY(need(tree, "default_left", index, &l->nodes, &l->missing_left));
    REN_TRY(need(tree, "sum_hessian", index, &l->nodes, &l->cover));
out:
    return st;
}

/* A whole number between -1 and `limit`; -2 for anything else. */
static int32_t whole(const json_t *list, size_t at, size_t limit) {
    const json_t *item = json_array_get(list, at);
    const json_int_t value = json_integer_value(item);

    return json_is_integer(item) && value >= -1 && (value < 0 || (size_t)value < limit) ? (int32_t)value : -2;
}

/* Versions differ in whether a direction is a number or a truth value. */
static int is_set(const json_t *item) {
    return json_is_true(item) || (json_is_number(item) && json_number_value(item) != 0.0);
}

/* Node `at` of the lists; its children get the numbers `next` and `next + 1` where it has any. */
static ren_status get_node(const lists *l, size_t index, size_t at, int32_t next, ren__tree_node *node) {
    const int32_t left = whole(l->left, at, l->nodes), right = whole(l->right, at, l->nodes);
    const double number = json_number_value(json_array_get(l->number, at));

    *node = (ren__tree_node){ .column = -1, .cover = json_number_value(json_array_get(l->cover, at)) };
    if (!json_is_number(json_array_get(l->number, at)) || !json_is_number(json_array_get(l->cover, at)) ||
        !(fabs(number) <= (double)FLT_MAX))
        return ren__error(REN_E_FORMAT, "XGBoost's tree %zu, node %zu: its numbers are none", index, at);
    if (left == -1 && right == -1) {
        node->value = number;
        return REN_OK;
    }
    node->column = whole(l->column, at, INT32_MAX);
    if (left < 0 || right < 0 || node->column < 0)
        return ren__error(REN_E_FORMAT, "XGBoost's tree %zu, node %zu: its children or its column are none", index, at);
    node->threshold = (float)number;
    node->missing_left = is_set(json_array_get(l->missing_left, at));
    node->left = next;
    node->right = next + 1;
    return REN_OK;
}

/* -------------------------------------------------------------------------------------------------------- collecting
 */

static ren_status grow(ren_context *context, void **items, size_t wanted, size_t size, size_t *capacity) {
    size_t bytes, larger = *capacity ? *capacity : 64;

    if (wanted <= *capacity) return REN_OK;
    while (larger < wanted)
        larger *= 2;
    if (!ren__mul_size(larger, size, &bytes)) return ren__error(REN_E_LIMIT, "too many trees");
    void *moved = ren__realloc(context, *items, bytes);
    if (!moved) return ren__out_of_memory();
    *items = moved;
    *capacity = larger;
    return REN_OK;
}

/* Walks the tree by levels; `from` says which node of the lists each of ours is. A tree of `nodes` nodes has no more
 * than these to walk: whoever would meet more goes in circles. */
static ren_status walk(const lists *l, size_t index, size_t *from, ren__tree_node *node, size_t *count) {
    *count = 1;
    from[0] = 0;
    for (size_t i = 0; i < *count; i++) {
        const ren_status st = get_node(l, index, from[i], (int32_t)*count, &node[i]);
        if (st != REN_OK) return st;
        if (node[i].column < 0) continue;
        if (*count + 2 > l->nodes)
            return ren__error(REN_E_FORMAT, "XGBoost's tree %zu, node %zu: its children lead back", index, from[i]);
        from[(*count)++] = (size_t)whole(l->left, from[i], l->nodes);
        from[(*count)++] = (size_t)whole(l->right, from[i], l->nodes);
    }
    return REN_OK;
}

static ren_status add_tree(ren_context *context, const json_t *tree, size_t index, ren__fit_forest *forest) {
    ren_status st = REN_OK;
    lists l;
    size_t *from = NULL, count = 0;

    REN_TRY(get_lists(tree, index, &l));
    REN_CALLOC(from, l.nodes);
    REN_TRY(
        grow(context, (void **)&forest->node, forest->nodes + l.nodes, sizeof *forest->node, &forest->node_capacity));
    REN_TRY(grow(context, (void **)&forest->begin, forest->trees + 2, sizeof *forest->begin, &forest->begin_capacity));
    REN_TRY(walk(&l, index, from, forest->node + forest->nodes, &count));
    if (count == 1 && !(forest->node[forest->nodes].cover > 0.0)) goto out; /* its part of the rows was none */
    if (forest->nodes + count > INT32_MAX) REN_FAIL(REN_E_LIMIT, "too many trees");
    forest->begin[forest->trees] = (int32_t)forest->nodes;
    forest->nodes += count;
    forest->begin[++forest->trees] = (int32_t)forest->nodes;
out:
    ren__free(from);
    return st;
}

ren_status ren__fit_import(ren_context *context, const char *text, size_t size, ren__fit_forest *forest) {
    ren_status st = REN_OK;
    json_error_t error;
    json_t *model = ren__json_load(text, size, &error);
    const json_t *booster = json_object_get(json_object_get(model, "learner"), "gradient_booster");
    const json_t *trees = json_object_get(json_object_get(booster, "model"), "trees");

    if (!model && !error.text[0]) REN_FAIL(REN_E_MEMORY, "out of memory in the JSON reader");
    if (!json_is_array(trees)) REN_FAIL(REN_E_FORMAT, "XGBoost's model has no list of trees");
    for (size_t i = 0; i < json_array_size(trees); i++)
        REN_TRY(add_tree(context, json_array_get(trees, i), i, forest));
out:
    json_decref(model);
    return st;
}

void ren__fit_forest_free(ren__fit_forest *forest) {
    ren__free(forest->node);
    ren__free(forest->begin);
    *forest = (ren__fit_forest){ 0 };
}
