/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictors as JSON:
 *     {"kind": "linear", "bias": b, "features": [{"column": name, "mean": m, "scale": s, "weight": w}, ...]}
 *     {"kind": "trees", "bias": b, "average": false, "columns": [name, ...], "trees": [[node, ...], ...]}
 * A node is [value, cover] (a leaf) or [column, threshold, left, right, missing left, cover], columns counted in
 * "columns", children in the tree. Numbers read back to the same bits.
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "format/names.h"
#include "moe/model_file.h"
#include "moe/predictor_parts.h"

static const char *const kinds[] = { "linear", "trees" };

/* -------------------------------------------------------------------------------------------------------- writing */

/* Where `column` is in the list of columns that are read. It is there. */
static int32_t read_index(const ren__predictor *predictor, int32_t column) {
    int32_t low = 0, high = predictor->reads - 1;

    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (predictor->read[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The list, or NULL where it is NULL, the item is, or there is no memory; takes both. */
static json_t *append(json_t *list, json_t *item) {
    if (!list) {
        json_decref(item);
        return NULL;
    }
    if (json_array_append_new(list, item) == 0) return list;
    json_decref(list);
    return NULL;
}

static json_t *features_json(const ren__predictor *predictor) {
    json_t *list = json_array();

    for (size_t i = 0; list && i < predictor->features; i++) {
        const ren__linear_feature *feature = &predictor->feature[i];
        const char *name = predictor->name[read_index(predictor, feature->column)];
        list = append(list, json_pack("{s:s, s:f, s:f, s:f}", "column", name, "mean", feature->mean, "scale",
                                      feature->scale, "weight", feature->weight));
    }
    return list;
}

/* A number of few digits that is `value` as float32: half of a tree's text would be digits that say nothing. */
static double short_number(float value) {
    if (value == 0.0f) return (double)value;
    const int exponent = (int)floor(log10(fabs((double)value)));
    for (int digits = 6; digits <= 9; digits++) {
        const double power = pow(10.0, digits - 1 - exponent), rounded = round((double)value * power) / power;
        if (isfinite(rounded) && fabs(rounded) <= (double)FLT_MAX && (float)rounded == value) return rounded;
    }
    return (double)value;
}

static json_t *node_json(const ren__predictor *predictor, const ren__tree_node *node) {
    if (node->column < 0) return json_pack("[f, f]", node->value, node->cover);
    return json_pack("[i, f, i, i, b, f]", (int)read_index(predictor, node->column), short_number(node->threshold),
                     (int)node->left, (int)node->right, (int)(node->missing_left != 0), node->cover);
}

static json_t *trees_json(const ren__predictor *predictor) {
    json_t *list = json_array();

    for (size_t tree = 0; list && tree < predictor->trees; tree++) {
        json_t *nodes = json_array();
        for (int32_t i = predictor->begin[tree]; nodes && i < predictor->begin[tree + 1]; i++)
            nodes = append(nodes, node_json(predictor, &predictor->node[i]));
        list = append(list, nodes);
    }
    return list;
}

static json_t *names_json(const ren__predictor *predictor) {
    json_t *list = json_array();

    for (int32_t i = 0; list && i < predictor->reads; i++)
        list = append(list, json_string(predictor->name[i]));
    return list;
}

json_t *ren__predictor_json(const ren__predictor *predictor) {
    /* json_pack takes the lists ("o"), also where it fails. */
    if (predictor->kind == REN__PREDICTOR_LINEAR)
        return json_pack("{s:s, s:f, s:o}", "kind", kinds[REN__PREDICTOR_LINEAR], "bias", predictor->bias, "features",
                         features_json(predictor));
    return json_pack("{s:s, s:f, s:b, s:o, s:o}", "kind", kinds[REN__PREDICTOR_TREES], "bias", predictor->bias,
                     "average", (int)predictor->average, "columns", names_json(predictor), "trees",
                     trees_json(predictor));
}

/* -------------------------------------------------------------------------------------------------------- reading */

/* Finds a column by name. The search goes on behind the last one found: names in order cost one look each. */
static ren_status find_column(const ren__columns *columns, const char *name, const char *where, int32_t *last) {
    char quoted[REN__QUOTE_SIZE];

    for (int32_t step = 1; step <= columns->count; step++) {
        const int32_t at = (int32_t)(((int64_t)*last + step) % columns->count);
        if (strcmp(columns->name[at], name) != 0) continue;
        *last = at;
        return REN_OK;
    }
    return ren__error(REN_E_FORMAT, "%s: reads a column \"%s\", which is not among the %d that there are", where,
                      ren__quote(name, quoted, sizeof quoted), columns->count);
}

/* A list that says something of each column at most once: bounds what a file can ask for. */
static ren_status need_list(const json_t *object, const char *key, const char *where, const ren__columns *columns,
                            const json_t **list) {
    ren_status st = ren__need_member(object, key, where, JSON_ARRAY, list);

    if (st == REN_OK && columns && json_array_size(*list) > (size_t)columns->count)
        st = ren__error(REN_E_FORMAT, "%s: \"%s\" has %zu items, but there are %d columns", where, key,
                        json_array_size(*list), columns->count);
    return st;
}

static ren_status parse_feature(const json_t *object, const char *where, const ren__columns *columns, int32_t *last,
                                ren__linear_feature *feature) {
    static const char *const known[] = { "column", "mean", "scale", "weight", NULL };
    ren_status st = REN_OK;
    const char *name;

    if (!json_is_object(object)) REN_FAIL(REN_E_FORMAT, "%s: a feature is no object", where);
    *feature = (ren__linear_feature){ .mean = NAN, .scale = NAN, .weight = NAN };
    REN_TRY(ren__check_keys(object, where, known));
    REN_TRY(ren__need_string(object, "column", where, &name));
    REN_TRY(find_column(columns, name, where, last));
    feature->column = *last;
    REN_TRY(ren__get_number(object, "mean", where, &feature->mean));
    REN_TRY(ren__get_number(object, "scale", where, &feature->scale));
    REN_TRY(ren__get_number(object, "weight", where, &feature->weight));
out:
    return st;
}

static ren_status parse_linear(ren_context *context, const json_t *object, const char *where,
                               const ren__columns *columns, double bias, ren__predictor **out) {
    static const char *const known[] = { "kind", "bias", "features", NULL };
    ren_status st = REN_OK;
    ren__linear_feature *feature = NULL;
    const json_t *list;
    int32_t last = -1;

    REN_TRY(ren__check_keys(object, where, known));
    REN_TRY(need_list(object, "features", where, columns, &list));
    const size_t count = json_array_size(list);
    REN_CALLOC(feature, count);
    for (size_t i = 0; i < count; i++)
        REN_TRY(parse_feature(json_array_get(list, i), where, columns, &last, &feature[i]));
    REN_TRY(ren__predictor_linear(context, columns, where, bias, feature, count, out));
out:
    ren__free(feature);
    return st;
}

/* Item `index` of a node, as a finite number or as one of the 32-bit integers; 0 where it is none. */
static int get_number(const json_t *node, size_t index, double *value) {
    const json_t *item = json_array_get(node, index);

    *value = json_number_value(item);
    return json_is_number(item) && isfinite(*value);
}

static int get_index(const json_t *node, size_t index, int32_t *value) {
    const json_t *item = json_array_get(node, index);
    const json_int_t number = json_integer_value(item);

    *value = (int32_t)number;
    return json_is_integer(item) && number >= 0 && number <= INT32_MAX;
}

/* `map`: the column that each of the `reads` columns is. Only what the conversion needs is checked here. */
static int parse_node(const json_t *item, const int32_t *map, size_t reads, ren__tree_node *node) {
    double threshold = 0.0;

    *node = (ren__tree_node){ .column = -1 };
    if (json_array_size(item) == 2) return get_number(item, 0, &node->value) && get_number(item, 1, &node->cover);
    if (json_array_size(item) != 6 || !get_index(item, 0, &node->column) || (size_t)node->column >= reads) return 0;
    node->column = map[node->column];
    node->missing_left = json_is_true(json_array_get(item, 4));
    if (!get_number(item, 1, &threshold) || fabs(threshold) > (double)FLT_MAX) return 0;
    node->threshold = (float)threshold;
    return get_index(item, 2, &node->left) && get_index(item, 3, &node->right) &&
           json_is_boolean(json_array_get(item, 4)) && get_number(item, 5, &node->cover);
}

static ren_status parse_columns(ren_context *context, const json_t *list, const char *where,
                                const ren__columns *columns, int32_t **map) {
    ren_status st = REN_OK;
    int32_t last = -1;

    REN_CALLOC(*map, json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name) REN_FAIL(REN_E_FORMAT, "%s: \"columns\" is not a list of names", where);
        REN_TRY(find_column(columns, name, where, &last));
        (*map)[i] = last;
    }
out:
    return st;
}

/* The ranges of the trees in the list of all nodes. */
static ren_status count_nodes(const json_t *trees, const char *where, int32_t *begin) {
    size_t nodes = 0;

    for (size_t tree = 0; tree < json_array_size(trees); tree++) {
        const json_t *list = json_array_get(trees, tree);
        begin[tree] = (int32_t)nodes;
        if (!json_is_array(list)) return ren__error(REN_E_FORMAT, "%s: tree %zu is no list of nodes", where, tree);
        nodes += json_array_size(list);
        if (nodes > INT32_MAX) return ren__error(REN_E_FORMAT, "%s: more than %d nodes", where, INT32_MAX);
    }
    begin[json_array_size(trees)] = (int32_t)nodes;
    return REN_OK;
}

static ren_status parse_nodes(const json_t *trees, const char *where, const int32_t *map, size_t reads,
                              ren__tree_node *node) {
    for (size_t tree = 0; tree < json_array_size(trees); tree++) {
        const json_t *list = json_array_get(trees, tree);
        for (size_t i = 0; i < json_array_size(list); i++)
            if (!parse_node(json_array_get(list, i), map, reads, node++))
                return ren__error(REN_E_FORMAT,
                                  "%s: tree %zu, node %zu is neither [value, cover] nor [column, threshold, left, "
                                  "right, missing left, cover]",
                                  where, tree, i);
    }
    return REN_OK;
}

static ren_status parse_trees(ren_context *context, const json_t *object, const char *where,
                              const ren__columns *columns, double bias, ren__predictor **out) {
    static const char *const known[] = { "kind", "bias", "average", "columns", "trees", NULL };
    ren_status st = REN_OK;
    ren__tree_node *node = NULL;
    int32_t *map = NULL, *begin = NULL;
    const json_t *names, *trees;
    int average = 0;

    REN_TRY(ren__check_keys(object, where, known));
    REN_TRY(ren__get_boolean(object, "average", where, &average));
    REN_TRY(need_list(object, "columns", where, columns, &names));
    REN_TRY(need_list(object, "trees", where, NULL, &trees));
    REN_TRY(parse_columns(context, names, where, columns, &map));
    const size_t count = json_array_size(trees);
    REN_CALLOC(begin, count + 1);
    REN_TRY(count_nodes(trees, where, begin));
    REN_CALLOC(node, (size_t)begin[count]);
    REN_TRY(parse_nodes(trees, where, map, json_array_size(names), node));
    REN_TRY(ren__predictor_trees(context, columns, where, bias, average, node, begin, count, out));
out:
    ren__free(node);
    ren__free(begin);
    ren__free(map);
    return st;
}

ren_status ren__predictor_parse(ren_context *context, const json_t *object, const char *where,
                                const ren__columns *columns, ren__predictor **out) {
    ren_status st = REN_OK;
    const char *kind;
    char quoted[REN__QUOTE_SIZE];
    double bias = NAN;

    *out = NULL;
    if (!json_is_object(object)) REN_FAIL(REN_E_FORMAT, "%s: a predictor is an object", where);
    REN_TRY(ren__need_string(object, "kind", where, &kind));
    REN_TRY(ren__get_number(object, "bias", where, &bias));
    if (strcmp(kind, kinds[REN__PREDICTOR_LINEAR]) == 0)
        REN_TRY(parse_linear(context, object, where, columns, bias, out));
    else if (strcmp(kind, kinds[REN__PREDICTOR_TREES]) == 0)
        REN_TRY(parse_trees(context, object, where, columns, bias, out));
    else
        REN_FAIL(REN_E_UNSUPPORTED, "%s: this version knows no predictor of kind \"%s\"", where,
                 ren__quote(kind, quoted, sizeof quoted));
out:
    return st;
}
