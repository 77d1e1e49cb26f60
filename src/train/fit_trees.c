/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ensembles of trees, grown by XGBoost on one thread with exact splits, so that equal tables give equal trees.
 *
 * Boosted trees: the logistic loss with both classes weighing alike, from a logit of 0. Random forest: trees that do
 * not know of each other, each grown in one round to the labels themselves with the squared loss, so that a leaf is its
 * rows' (weighted) share of class 1 and the split that of the Gini index; each from its own part of the rows and, at
 * each level, of the columns (XGBoost offers each node its own columns in histograms alone, which on these small tables
 * cost a hundred times as much). One at a time rather than as one round of many, so that growing them can be cancelled.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "base/text.h"
#include "moe/predictor_parts.h"
#include "train/fit_parts.h"
#include "train/xgboost.h"

typedef struct growth {
    ren_context *context;
    ren__run *run;
    const ren__fit_table *table;
    const ren__fit_settings *settings;
    int32_t forest; /* not 0: a random forest */
    ren__xgboost library;
    char *config; /* the host's, to be put back */
    void *matrix;
    ren__fit_forest trees;
} growth;

#define XGBOOST(call) ren__xgboost_check(&g->library, g->library.call)

/* ----------------------------------------------------------------------------------------------------------- tables */

/* Each number of a row: labels, and weights by class. */
static ren_status set_rows(growth *g, const char *field, const double by_class[2]) {
    ren_context *context = g->context;
    ren_status st = REN_OK;
    const int32_t rows = g->table->rows;
    float *value = NULL;
    char array[128];

    REN_CALLOC(value, (size_t)rows);
    for (int32_t row = 0; row < rows; row++)
        value[row] = (float)by_class[g->table->label[row]];
    /* numpy's array interface, which XGBoost reads */
    snprintf(array, sizeof array,
             "{\"data\": [%llu, true], \"shape\": [%d], \"typestr\": \"<f4\", \"version\": 3, \"strides\": null}",
             (unsigned long long)(uintptr_t)value, rows);
    REN_TRY(XGBOOST(matrix_set(g->matrix, field, array)));
out:
    ren__free(value);
    return st;
}

static ren_status make_matrix(growth *g) {
    static const double labels[2] = { 0.0, 1.0 };
    ren_context *context = g->context;
    ren_status st = REN_OK;
    const size_t rows = (size_t)g->table->rows, columns = (size_t)g->table->columns.count;
    float *value = ren__alloc_array(context, rows * columns, sizeof *value);
    double weight[2];

    if (!value) REN_TRY(ren__out_of_memory());
    for (size_t i = 0; i < rows * columns; i++)
        value[i] = ren__tree_number(g->table->value[i]);
    REN_TRY(XGBOOST(matrix_create(value, rows, columns, NAN, &g->matrix)));
    REN_TRY(set_rows(g, "label", labels));
    ren__fit_class_weights(g->table->label, g->table->rows, weight);
    REN_TRY(set_rows(g, "weight", weight));
out:
    ren__free(value);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- settings
 */

/* The same text whatever the locale. */
static ren_status set_number(growth *g, void *booster, const char *name, double value) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    REN_TRY(ren__text_create(g->context, &text));
    ren__text_add_number(text, value, 10); /* a seed's digits, all of them */
    REN_TRY(text->status);
    REN_TRY(XGBOOST(booster_set(booster, name, ren_text_data(text))));
out:
    ren_text_free(text);
    return st;
}

static ren_status set_texts(growth *g, void *booster) {
    const struct {
        const char *name, *value;
    } texts[] = {
        { "verbosity", "0" },
        { "nthread", "1" },
        { "booster", "gbtree" },
        { "tree_method", "exact" },
        { "lambda", g->forest ? "0" : "1" },
        { "min_child_weight", g->forest ? "0.1" : "1" }, /* less than any row has, but no rounding */
        { "seed_per_iteration", "1" },
        { "objective", g->forest ? "reg:squarederror" : "binary:logistic" },
        { "base_score", g->forest ? "0" : "0.5" },
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const ren_status st = XGBOOST(booster_set(booster, texts[i].name, texts[i].value));
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

static ren_status make_booster(growth *g, uint32_t seed, void **booster) {
    const ren__fit_settings *s = g->settings;
    const double all = (double)g->table->columns.count;
    const double columns = s->column_sample > 0.0 ? s->column_sample : sqrt(all) / all;
    void *const matrices[1] = { g->matrix };
    ren_status st = REN_OK;

    REN_TRY(XGBOOST(booster_create(matrices, 1, booster)));
    REN_TRY(set_texts(g, *booster));
    REN_TRY(set_number(g, *booster, "seed", (double)(seed >> 1))); /* it may not be negative */
    REN_TRY(set_number(g, *booster, "max_depth", s->depth));
    REN_TRY(set_number(g, *booster, "learning_rate", g->forest ? 1.0 : s->learning_rate));
    REN_TRY(set_number(g, *booster, "subsample", s->subsample));
    REN_TRY(set_number(g, *booster, g->forest ? "colsample_bylevel" : "colsample_bytree", columns));
out:
    return st;
}

/* ----------------------------------------------------------------------------------------------------------- growing
 */

static ren_status take_trees(growth *g, void *booster) {
    const char *bytes = NULL;
    uint64_t size = 0;
    const ren_status st = XGBOOST(booster_save(booster, "{\"format\": \"json\"}", &size, &bytes));

    return st == REN_OK ? ren__fit_import(g->context, bytes, (size_t)size, &g->trees) : st;
}

/* `rounds` trees that build on each other; `done` trees are there already, of all that are wanted. */
static ren_status grow_trees(growth *g, uint32_t seed, int32_t rounds, int32_t done) {
    ren_status st = REN_OK;
    void *booster = NULL;

    REN_TRY(make_booster(g, seed, &booster));
    for (int32_t round = 0; round < rounds; round++) {
        REN_TRY(ren__run_progress(g->run, "trees", (double)(done + round) / g->settings->trees));
        REN_TRY(XGBOOST(booster_update(booster, round, g->matrix)));
    }
    REN_TRY(take_trees(g, booster));
out:
    if (booster) (void)g->library.booster_free(booster);
    return st;
}

static ren_status grow_all(growth *g) {
    const int32_t trees = g->settings->trees;
    ren_status st = REN_OK;
    ren__rng rng;

    ren__rng_init(&rng, g->settings->seed, 0, 0);
    if (!g->forest) return grow_trees(g, ren__rng_u32(&rng), trees, 0);
    for (int32_t tree = 0; tree < trees && st == REN_OK; tree++)
        st = grow_trees(g, ren__rng_u32(&rng), 1, tree);
    return st;
}

/* Leaves are shares; XGBoost's sums in float32 pass 0 and 1 by their rounding. */
static void keep_probabilities(ren__fit_forest *trees) {
    for (size_t i = 0; i < trees->nodes; i++)
        if (trees->node[i].column < 0) trees->node[i].value = fmin(fmax(trees->node[i].value, 0.0), 1.0);
}

/* XGBoost's verbosity is the thread's: silent while we use it, and the host's again afterwards. */
static ren_status silence(growth *g) {
    const char *config = NULL;
    ren_status st = XGBOOST(get_config(&config));

    if (st != REN_OK) return st;
    g->config = ren__strdup(g->context, config);
    if (!g->config) return ren__out_of_memory();
    return XGBOOST(set_config("{\"verbosity\": 0}"));
}

ren_status ren__fit_trees(ren_context *context, int32_t forest, const ren__fit_table *table,
                          const ren__fit_settings *settings, ren__run *run, ren__predictor **out) {
    growth g = { .context = context, .run = run, .table = table, .settings = settings, .forest = forest };
    ren_status st = ren__xgboost_open(&g.library);

    if (st != REN_OK) return st;
    REN_TRY(silence(&g));
    REN_TRY(make_matrix(&g));
    REN_TRY(grow_all(&g));
    if (forest) keep_probabilities(&g.trees);
    REN_TRY(ren__predictor_trees(context, &table->columns, "XGBoost", 0.0, forest, g.trees.node, g.trees.begin,
                                 g.trees.trees, out));
out:
    if (g.matrix) (void)g.library.matrix_free(g.matrix);
    if (g.config) (void)g.library.set_config(g.config);
    ren__fit_forest_free(&g.trees);
    ren__free(g.config);
    ren__xgboost_close(&g.library);
    return st;
}
