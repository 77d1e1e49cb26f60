/* SPDX-License-Identifier: Apache-2.0 */
/* Predictors: values against sums written out, explanations against Shapley's formula over all sets of columns and
 * against XGBoost's own, JSON there and back, and what is no predictor. */
#include "moe/predictor.h"

#include <float.h>
#include <limits.h>

#include "base/random.h"
#include "format/document.h"
#include "harness.h"

enum { COLUMNS = 5, NODES = 63 };

static const char *const names[COLUMNS] = { "shape", "mean", "entropy", "busyness", "zones" };
static const ren__columns columns = { names, COLUMNS };

static double sum_of(const double *value, int32_t count) {
    double sum = 0.0;

    for (int32_t i = 0; i < count; i++)
        sum += value[i];
    return sum;
}

/* ------------------------------------------------------------------------------------------------------ fixtures */

/* A random tree: grown from the root, some nodes left as leaves; children behind their parents. Gives its nodes. */
static int32_t random_tree(ren__rng *rng, ren__tree_node *node, int32_t most) {
    int32_t count = 1;

    for (int32_t i = 0; i < count; i++) {
        node[i] = (ren__tree_node){ .column = -1, .value = ren__rng_normal(rng), .cover = 1.0 };
        if (count + 2 > most || (i > 2 && ren__rng_below(rng, 4) == 0)) continue;
        node[i].column = (int32_t)ren__rng_below(rng, COLUMNS);
        node[i].threshold = (float)ren__rng_normal(rng);
        node[i].missing_left = (int32_t)ren__rng_below(rng, 2);
        node[i].left = count++;
        node[i].right = count++;
    }
    for (int32_t i = count - 1; i >= 0; i--) { /* covers add up, as those of grown trees do */
        if (node[i].column < 0)
            node[i].cover = 0.5 + ren__rng_uniform(rng);
        else
            node[i].cover = node[node[i].left].cover + node[node[i].right].cover;
    }
    return count;
}

/* Forests of random trees; `average` makes their leaves probabilities. */
static ren_status random_forest(ren_context *context, uint64_t seed, int32_t average, ren__predictor **out) {
    enum { TREES = 6 };
    ren__tree_node node[TREES * NODES];
    int32_t begin[TREES + 1] = { 0 };
    ren__rng rng;

    ren__rng_init(&rng, seed, 0, 0);
    for (int32_t tree = 0; tree < TREES; tree++)
        begin[tree + 1] = begin[tree] + random_tree(&rng, node + begin[tree], 3 + 4 * tree * tree / 2);
    for (int32_t i = 0; average && i < begin[TREES]; i++)
        node[i].value = ren__rng_uniform(&rng);
    return ren__predictor_trees(context, &columns, "test", average ? 0.0 : 0.25, average, node, begin, TREES, out);
}

static void random_row(ren__rng *rng, double row[COLUMNS]) {
    for (int32_t i = 0; i < COLUMNS; i++)
        row[i] = ren__rng_below(rng, 6) == 0 ? NAN : ren__rng_normal(rng);
}

/* ---------------------------------------------------------------------------------------------------- linear models */

static const ren__linear_feature features[3] = {
    { .column = 3, .mean = 2.0, .scale = 0.5, .weight = 0.25 },
    { .column = 0, .mean = -1.0, .scale = 4.0, .weight = -2.0 },
    { .column = 4, .mean = 0.0, .scale = 1.0, .weight = 1.5 },
};

static ren_status test_linear_sum_and_terms(ren_context *context) {
    static const double row[COLUMNS] = { 3.0, 9.0, 9.0, 4.0, NAN };
    static const double extreme[COLUMNS] = { DBL_MAX, 0.0, 0.0, -DBL_MAX, INFINITY };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    double contribution[COLUMNS], base;
    int32_t list[COLUMNS] = { 0 };

    REN_TRY(ren__predictor_linear(context, &columns, "test", 0.125, features, 3, &predictor));
    CHECK_NEAR(ren__predictor_logit(predictor, row), 0.125 + 0.25 * 4.0 - 2.0 * 1.0 + 0.0, 1e-15);
    REN_TRY(ren__predictor_explain(predictor, row, contribution, &base));
    CHECK(base == 0.125 && contribution[3] == 1.0 && contribution[0] == -2.0 && contribution[4] == 0.0);
    CHECK(contribution[1] == 0.0 && contribution[2] == 0.0);
    CHECK_INT(ren__predictor_reads(predictor, NULL), 3);
    CHECK_INT(ren__predictor_reads(predictor, list), 3);
    CHECK(list[0] == 0 && list[1] == 3 && list[2] == 4);
    CHECK(isfinite(ren__predictor_logit(predictor, extreme)));
out:
    ren__predictor_free(predictor);
    return st;
}

static ren_status test_linear_refusals(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__linear_feature bad[2] = { features[0], features[1] };

    CHECK_FAILS(ren__predictor_linear(context, &columns, "w", NAN, bad, 2, &predictor), REN_E_FORMAT, "bias");
    bad[1].column = COLUMNS;
    CHECK_FAILS(ren__predictor_linear(context, &columns, "w", 0.0, bad, 2, &predictor), REN_E_FORMAT, "column 5 of 5");
    bad[1].column = -1;
    CHECK_FAILS(ren__predictor_linear(context, &columns, "w", 0.0, bad, 2, &predictor), REN_E_FORMAT, "w: feature 1");
    bad[1].column = bad[0].column;
    CHECK_FAILS(ren__predictor_linear(context, &columns, "w", 0.0, bad, 2, &predictor), REN_E_FORMAT, "another");
    bad[1] = (ren__linear_feature){ 1, 0.0, 0.0, 1.0 };
    CHECK_FAILS(ren__predictor_linear(context, &columns, "w", 0.0, bad, 2, &predictor), REN_E_FORMAT, "scale above 0");
    bad[1] = (ren__linear_feature){ 1, INFINITY, 1.0, 1.0 };
    CHECK_FAILS(ren__predictor_linear(context, &columns, "w", 0.0, bad, 2, &predictor), REN_E_FORMAT, "finite");
    CHECK(predictor == NULL);
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ trees */

static ren_status test_a_tree_by_hand(ren_context *context) {
    static const ren__tree_node node[5] = {
        { .column = 1, .left = 1, .right = 2, .threshold = 0.1f, .cover = 10.0 },
        { .column = -1, .value = -1.0, .cover = 4.0 },
        { .column = 4, .left = 3, .right = 4, .missing_left = 1, .threshold = 2.0f, .cover = 6.0 },
        { .column = -1, .value = 0.25, .cover = 1.5 },
        { .column = -1, .value = 3.0, .cover = 4.5 },
    };
    static const int32_t begin[2] = { 0, 5 };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    /* 0.1 as a double is below 0.1f, but not as float32: it goes right */
    double row[COLUMNS] = { 0.0, 0.1, 0.0, 0.0, 2.0 };

    REN_TRY(ren__predictor_trees(context, &columns, "test", 0.5, 0, node, begin, 1, &predictor));
    CHECK_NEAR(ren__predictor_logit(predictor, row), 3.5, 0.0);
    row[4] = NAN;
    CHECK_NEAR(ren__predictor_logit(predictor, row), 0.75, 0.0);
    row[4] = -DBL_MAX;
    CHECK_NEAR(ren__predictor_logit(predictor, row), 0.75, 0.0);
    row[1] = 0.0999;
    CHECK_NEAR(ren__predictor_logit(predictor, row), -0.5, 0.0);
    row[1] = INFINITY; /* missing: to the right */
    CHECK_NEAR(ren__predictor_logit(predictor, row), 0.75, 0.0);
    CHECK_INT(ren__predictor_reads(predictor, NULL), 2);
out:
    ren__predictor_free(predictor);
    return st;
}

static ren_status test_a_forest_averages_probabilities(ren_context *context) {
    static const ren__tree_node node[4] = {
        { .column = 2, .left = 1, .right = 2, .threshold = 0.0f, .cover = 2.0 },
        { .column = -1, .value = 1.0, .cover = 1.0 },
        { .column = -1, .value = 0.5, .cover = 1.0 },
        { .column = -1, .value = 1.0, .cover = 2.0 },
    };
    static const int32_t begin[3] = { 0, 3, 4 };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    double row[COLUMNS] = { 0.0, 0.0, 1.0, 0.0, 0.0 }, contribution[COLUMNS], base;

    REN_TRY(ren__predictor_trees(context, &columns, "test", 0.0, 1, node, begin, 2, &predictor));
    CHECK_NEAR(ren__predictor_logit(predictor, row), log(3.0), 1e-15);
    REN_TRY(ren__predictor_explain(predictor, row, contribution, &base));
    CHECK_NEAR(base, 0.875, 1e-15);
    CHECK_NEAR(contribution[2], -0.125, 1e-15);
    row[2] = -1.0; /* certain: kept away from 1 */
    CHECK_NEAR(ren__predictor_logit(predictor, row), log((1.0 - 1e-6) / 1e-6), 1e-9);
out:
    ren__predictor_free(predictor);
    return st;
}

/* ----------------------------------------------------------------------------------------------- Shapley's formula */

/* What a tree is worth where the columns of `known` (a bit each) are known. */
static double worth(const ren__tree_node *node, int32_t at, const double *row, unsigned known) {
    const ren__tree_node *n = &node[at];
    const double left_cover = n->column < 0 ? 0.0 : node[n->left].cover;

    if (n->column < 0) return n->value;
    if (known >> n->column & 1u) {
        const float value = (float)row[n->column];
        const int left = isnan(value) ? n->missing_left : value < n->threshold;
        return worth(node, left ? n->left : n->right, row, known);
    }
    return (left_cover * worth(node, n->left, row, known) + node[n->right].cover * worth(node, n->right, row, known)) /
           (left_cover + node[n->right].cover);
}

static double shapley(const ren__tree_node *node, const double *row, int32_t column) {
    static const double factorial[COLUMNS + 1] = { 1.0, 1.0, 2.0, 6.0, 24.0, 120.0 };
    double sum = 0.0;

    for (unsigned set = 0; set < 1u << COLUMNS; set++) {
        if (set >> column & 1u) continue;
        const int size = __builtin_popcount(set);
        const double weight = factorial[size] * factorial[COLUMNS - 1 - size] / factorial[COLUMNS];
        sum += weight * (worth(node, 0, row, set | 1u << column) - worth(node, 0, row, set));
    }
    return sum;
}

static ren_status test_explanations_are_shapley_values(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__tree_node node[NODES];
    ren__rng rng;
    double row[COLUMNS], contribution[COLUMNS], base;

    ren__rng_init(&rng, 5, 0, 0);
    for (int trial = 0; trial < 12; trial++) {
        const int32_t begin[2] = { 0, random_tree(&rng, node, 1 + 5 * trial) };
        REN_TRY(ren__predictor_trees(context, &columns, "test", 0.0, 0, node, begin, 1, &predictor));
        random_row(&rng, row);
        REN_TRY(ren__predictor_explain(predictor, row, contribution, &base));
        CHECK_NEAR(base, worth(node, 0, row, 0), 1e-13);
        for (int32_t column = 0; column < COLUMNS; column++)
            CHECK_NEAR(contribution[column], shapley(node, row, column), 1e-13);
        CHECK_NEAR(base + sum_of(contribution, COLUMNS), ren__predictor_logit(predictor, row), 1e-12);
        ren__predictor_free(predictor);
        predictor = NULL;
    }
out:
    ren__predictor_free(predictor);
    return st;
}

/* A chain of 64 splits on 64 columns, the deepest tree and the longest path there is; only its last leaf has a value.
 */
static ren_status test_the_deepest_tree(ren_context *context) {
    enum { DEPTH = 64, DEEP_NODES = 2 * (DEPTH + 1) + 1 };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    const char *name[DEPTH + 1];
    char text[DEPTH + 1][16];
    ren__tree_node node[DEEP_NODES];
    double row[DEPTH + 1], contribution[DEPTH + 1], base;
    int32_t begin[2] = { 0, 2 * DEPTH + 1 };

    for (int32_t i = 0; i <= DEPTH; i++) {
        snprintf(text[i], sizeof text[i], "c%d", i);
        name[i] = text[i];
        row[i] = 1.0;
        node[2 * i] =
            (ren__tree_node){ .column = i, .left = 2 * i + 1, .right = 2 * i + 2, .threshold = 0.5f, .cover = 1.0 };
        node[2 * i + 1] = (ren__tree_node){ .column = -1, .value = 0.0, .cover = 1.0 };
    }
    node[2 * DEPTH] = node[2 * DEPTH + 2] = (ren__tree_node){ .column = -1, .value = 65.0, .cover = 1.0 };
    const ren__columns many = { name, DEPTH + 1 };
    REN_TRY(ren__predictor_trees(context, &many, "deep", 0.0, 0, node, begin, 1, &predictor));
    REN_TRY(ren__predictor_explain(predictor, row, contribution, &base));
    /* All 64 columns are alike: each adds a 64th of the leaf. */
    for (int32_t i = 0; i < DEPTH; i++)
        CHECK_NEAR(contribution[i], 65.0 * (1.0 - ldexp(1.0, -DEPTH)) / DEPTH, 1e-12);
    CHECK_NEAR(base, 65.0 * ldexp(1.0, -DEPTH), 1e-30);
    ren__predictor_free(predictor);
    predictor = NULL;
    node[2 * DEPTH] = (ren__tree_node){ .column = DEPTH, .left = 2 * DEPTH + 1, .right = 2 * DEPTH + 2, .cover = 1.0 };
    begin[1] += 2;
    CHECK_FAILS(ren__predictor_trees(context, &many, "deep", 0.0, 0, node, begin, 1, &predictor), REN_E_FORMAT,
                "deeper than 64");
out:
    ren__predictor_free(predictor);
    return st;
}

static ren_status test_tree_refusals(ren_context *context) {
    static const ren__tree_node good[3] = {
        { .column = 1, .left = 1, .right = 2, .cover = 2.0 },
        { .column = -1, .value = -1.0, .cover = 1.0 },
        { .column = -1, .value = 2.0, .cover = 1.0 },
    };
    static const struct {
        int32_t index;
        ren__tree_node node;
        const char *message;
    } bad[] = {
        { 0, { .column = COLUMNS, .left = 1, .right = 2, .cover = 2.0 }, "column 5 of 5" },
        { 0, { .column = INT32_MAX, .left = 1, .right = 2, .cover = 2.0 }, "column" },
        { 0, { .column = 1, .left = 0, .right = 2, .cover = 2.0 }, "not behind it" },
        { 0, { .column = 1, .left = 1, .right = 1, .cover = 2.0 }, "another parent" },
        { 0, { .column = 1, .left = 1, .right = 3, .cover = 2.0 }, "not behind it" },
        { 0, { .column = 1, .left = INT32_MIN, .right = 2, .cover = 2.0 }, "not behind it" },
        { 0, { .column = 1, .left = 1, .right = 2, .threshold = NAN, .cover = 2.0 }, "threshold" },
        { 0, { .column = -1, .cover = 2.0 }, "no node leads" },
        { 1, { .column = 1, .left = 2, .right = 2, .cover = 1.0 }, "another parent" },
        { 1, { .column = -1, .value = NAN, .cover = 1.0 }, "float32" },
        { 1, { .column = -1, .value = 1e300, .cover = 1.0 }, "float32" },
        { 1, { .column = -1, .value = 0.0, .cover = 0.0 }, "cover" },
        { 2, { .column = -1, .value = 0.0, .cover = NAN }, "cover" },
    };
    static const int32_t begin[2] = { 0, 3 }, empty[3] = { 0, 3, 3 }, backward[2] = { 3, 0 };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__tree_node node[3];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(node, good, sizeof node);
        node[bad[i].index] = bad[i].node;
        CHECK_FAILS(ren__predictor_trees(context, &columns, "w", 0.0, 0, node, begin, 1, &predictor), REN_E_FORMAT,
                    bad[i].message);
    }
    CHECK_FAILS(ren__predictor_trees(context, &columns, "w", 0.0, 0, good, empty, 2, &predictor), REN_E_FORMAT,
                "tree 1 has no node");
    CHECK_FAILS(ren__predictor_trees(context, &columns, "w", 0.0, 0, good, backward, 1, &predictor), REN_E_FORMAT,
                "no node");
    CHECK_FAILS(ren__predictor_trees(context, &columns, "w", 0.0, 1, good, begin, 1, &predictor), REN_E_FORMAT,
                "no probability");
    CHECK_FAILS(ren__predictor_trees(context, &columns, "w", 0.0, 1, good, begin, 0, &predictor), REN_E_FORMAT,
                "no tree");
    CHECK_FAILS(ren__predictor_trees(context, &columns, "w", INFINITY, 0, good, begin, 1, &predictor), REN_E_FORMAT,
                "bias");
    CHECK(predictor == NULL);
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------------------- JSON */

/* Through text, with the columns in another order and others between: the same bits. */
static ren_status check_round_trip(ren_context *context, const ren__predictor *predictor) {
    static const char *const others[7] = { "zones", "x", "busyness", "entropy", "mean", "y", "shape" };
    static const int32_t place[COLUMNS] = { 6, 4, 3, 2, 0 };
    const ren__columns turned = { others, 7 };
    ren_status st = REN_OK;
    json_t *json = ren__predictor_json(predictor), *read = NULL;
    ren__predictor *back = NULL;
    ren_text *text = NULL;
    ren__rng rng;
    double row[COLUMNS], other[7] = { 0.0 }, contribution[COLUMNS], moved[7], base, base_back;

    CHECK(json != NULL);
    REN_TRY(ren__json_write(context, json, 0, &text));
    REN_TRY(ren__json_parse(ren_text_data(text), ren_text_size(text), "test", &read));
    REN_TRY(ren__predictor_parse(context, read, "test", &turned, &back));
    ren__rng_init(&rng, 99, 0, 0);
    for (int trial = 0; trial < 20; trial++) {
        random_row(&rng, row);
        for (int32_t i = 0; i < COLUMNS; i++)
            other[place[i]] = row[i];
        CHECK(ren__predictor_logit(predictor, row) == ren__predictor_logit(back, other));
        REN_TRY(ren__predictor_explain(predictor, row, contribution, &base));
        REN_TRY(ren__predictor_explain(back, other, moved, &base_back));
        CHECK(base == base_back);
        for (int32_t i = 0; i < COLUMNS; i++)
            CHECK(contribution[i] == moved[place[i]]);
    }
out:
    json_decref(json);
    json_decref(read);
    ren_text_free(text);
    ren__predictor_free(back);
    return st;
}

static ren_status test_json_round_trips(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL, *held = NULL;
    ren__linear_feature awkward[2] = { { 2, 0.1, 1.0 / 3.0, -1e-300 }, { 0, -0.0, DBL_MIN, 12345678.9 } };

    REN_TRY(ren__predictor_linear(context, &columns, "test", 0.1 + 0.2, awkward, 2, &predictor));
    REN_TRY(check_round_trip(context, predictor));
    ren__predictor_free(predictor);
    predictor = NULL;
    for (uint64_t seed = 0; seed < 4; seed++) {
        REN_TRY(random_forest(context, seed, seed % 2 != 0, &predictor));
        held = ren__predictor_retain(predictor);
        ren__predictor_free(predictor);
        predictor = NULL;
        REN_TRY(check_round_trip(context, held));
        ren__predictor_free(held);
        held = NULL;
    }
out:
    ren__predictor_free(predictor);
    ren__predictor_free(held);
    return st;
}

static ren_status test_a_predictor_that_reads_nothing(ren_context *context) {
    const ren__columns none = { NULL, 0 };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL, *back = NULL;
    json_t *json = NULL;
    double base;

    REN_TRY(ren__predictor_linear(context, &none, "test", 0.75, NULL, 0, &predictor));
    json = ren__predictor_json(predictor);
    CHECK(json != NULL);
    REN_TRY(ren__predictor_parse(context, json, "test", &none, &back));
    CHECK(ren__predictor_logit(back, NULL) == 0.75);
    REN_TRY(ren__predictor_explain(back, NULL, NULL, &base));
    CHECK(base == 0.75);
out:
    json_decref(json);
    ren__predictor_free(predictor);
    ren__predictor_free(back);
    return st;
}

#define TREES(tree)     "{\"kind\":\"trees\",\"bias\":0,\"columns\":[\"mean\",\"zones\"],\"trees\":[" tree "]}"
#define LINEAR(feature) "{\"kind\":\"linear\",\"bias\":0,\"features\":[" feature "]}"

static ren_status test_hostile_json(ren_context *context) {
    static const struct {
        ren_status code;
        const char *text, *message;
    } bad[] = {
        { REN_E_FORMAT, "[]", "an object" },
        { REN_E_FORMAT, "{\"bias\":0}", "\"kind\" is missing" },
        { REN_E_UNSUPPORTED, "{\"kind\":\"oracle\",\"bias\":0}", "oracle" },
        { REN_E_FORMAT, "{\"kind\":\"linear\",\"features\":[]}", "bias" },
        { REN_E_FORMAT, "{\"kind\":\"linear\",\"bias\":\"0\",\"features\":[]}", "bias" },
        { REN_E_FORMAT, "{\"kind\":\"linear\",\"bias\":0,\"features\":{}}", "a list" },
        { REN_E_FORMAT, "{\"kind\":\"linear\",\"bias\":0,\"features\":[],\"trees\":[]}", "trees" },
        { REN_E_FORMAT, LINEAR("1"), "no object" },
        { REN_E_FORMAT, LINEAR("{\"column\":\"height\",\"mean\":0,\"scale\":1,\"weight\":1}"), "height" },
        { REN_E_FORMAT, LINEAR("{\"column\":\"mean\",\"scale\":1,\"weight\":1}"), "finite" },
        { REN_E_FORMAT, LINEAR("{\"column\":\"mean\",\"mean\":0,\"scale\":-1,\"weight\":1}"), "scale" },
        { REN_E_FORMAT, LINEAR("0,0,0,0,0,0"), "6 items" },
        { REN_E_FORMAT, TREES("5"), "no list" },
        { REN_E_FORMAT, TREES("[]"), "no node" },
        { REN_E_FORMAT, TREES("[[0,1,2]]"), "neither" },
        { REN_E_FORMAT, TREES("[[\"0\",1]]"), "neither" },
        { REN_E_FORMAT, TREES("[[2,0.5,1,2,true,2],[1,1],[1,1]]"), "neither" },
        { REN_E_FORMAT, TREES("[[-1,0.5,1,2,true,2],[1,1],[1,1]]"), "neither" },
        { REN_E_FORMAT, TREES("[[0,1e39,1,2,true,2],[1,1],[1,1]]"), "neither" },
        { REN_E_FORMAT, TREES("[[0,0.5,1,2,1,2],[1,1],[1,1]]"), "neither" },
        { REN_E_FORMAT, TREES("[[0,0.5,1,4294967298,true,2],[1,1],[1,1]]"), "neither" },
        { REN_E_FORMAT, TREES("[[0,0.5,0,2,true,2],[1,1],[1,1]]"), "not behind it" },
        { REN_E_FORMAT, TREES("[[0,0.5,1,2,true,2],[0,0.5,0,2,true,1],[1,1]]"), "not behind it" },
        { REN_E_FORMAT, TREES("[[0,0.5,1,2,true,2],[1,1],[1,-1]]"), "cover" },
        { REN_E_FORMAT, "{\"kind\":\"trees\",\"bias\":0,\"columns\":[7],\"trees\":[]}", "names" },
        { REN_E_FORMAT, "{\"kind\":\"trees\",\"bias\":0,\"columns\":[],\"average\":1,\"trees\":[]}", "average" },
        { REN_E_FORMAT, "{\"kind\":\"trees\",\"bias\":0,\"columns\":[],\"average\":true,\"trees\":[]}", "no tree" },
    };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    json_t *json = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REN_TRY(ren__json_parse(bad[i].text, strlen(bad[i].text), "test", &json));
        CHECK_FAILS(ren__predictor_parse(context, json, "w", &columns, &predictor), bad[i].code, bad[i].message);
        CHECK(predictor == NULL);
        json_decref(json);
        json = NULL;
    }
out:
    json_decref(json);
    return st;
}

TEST_MAIN(CASE(test_linear_sum_and_terms), CASE(test_linear_refusals), CASE(test_a_tree_by_hand),
          CASE(test_a_forest_averages_probabilities), CASE(test_explanations_are_shapley_values),
          CASE(test_the_deepest_tree), CASE(test_tree_refusals), CASE(test_json_round_trips),
          CASE(test_a_predictor_that_reads_nothing), CASE(test_hostile_json))
