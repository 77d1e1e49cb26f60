/* SPDX-License-Identifier: Apache-2.0 */
/* Trees: what XGBoost's Python package 1.7.6 predicts and how it explains it, recorded; what the library that is
 * installed says of models that it grew itself; forests against the shares in their leaves; hostile models. */
#include <dlfcn.h>
#include <float.h>
#include <stdlib.h>

#include "base/random.h"
#include "format/document.h"
#include "harness.h"
#include "moe/predictor_parts.h"
#include "train/fit_parts.h"
#include "train/xgboost.h"

enum { ROWS = 40, COLUMNS = 6 };

static const char *const names[COLUMNS] = { "a", "b", "c", "d", "e", "f" };
static const ren__columns columns = { names, COLUMNS };

typedef struct data {
    double value[ROWS * COLUMNS];
    int32_t label[ROWS];
    ren__fit_table table;
} data;

/* The same numbers as in the recorded fit, some of them missing. */
static void make_data(data *d) {
    for (int i = 0; i < ROWS; i++) {
        d->label[i] = i * 7 % 10 < 4;
        for (int j = 0; j < COLUMNS; j++)
            d->value[i * COLUMNS + j] = (i * (17 + 6 * j) + 5 * j) % (31 + 2 * j) / 8.0 + d->label[i] * (j % 3) * 1.25;
    }
    for (int i = 0; i < ROWS * COLUMNS; i += 7)
        d->value[i] = NAN;
    d->table = (ren__fit_table){ columns, ROWS, d->value, d->label };
}

#define NEED_XGBOOST()                                                                                                 \
    do {                                                                                                               \
        if (ren__fit_available("boosted_trees") == REN_E_UNSUPPORTED) SKIP("%s", ren_error_message());                 \
    } while (0)

static ren_status plain_settings(const char *kind, ren__fit_settings *settings) {
    const ren_status st = ren__fit_defaults(kind, settings);

    if (st == REN_OK) settings->subsample = settings->column_sample = 1.0;
    return st;
}

/* objective binary:logistic, base_score 0.5, eta 0.3, max_depth 3, tree_method exact, 8 rounds, balanced weights */
static ren_status test_boosted_trees_are_xgboosts(ren_context *context) {
    static const int rows[5] = { 0, 1, 2, 3, 13 };
    static const double margin[5] = { 2.38623381, -2.29819179, -0.031013757, 1.22393811, 1.67793632 };
    static const double base = -0.00284258556, explained[5][COLUMNS] = {
        { -0.0271508414, 0.153404295, 0.311222672, -0.0180046298, 0, 1.96960509 },
        { 0.0345314816, 0.0394391865, -1.40119624, -0.0516445674, 0, -0.916479111 },
        { -0.0796929896, 0.10980019, 0.921542048, -0.0516445674, 0, -0.928175986 },
        { 0.0882140324, 0.13412559, 1.79921007, -0.0205071121, 0, -0.774261832 },
        { -0.0271508414, 0.153404295, -0.18559061, 0.0435632542, 0, 1.69655299 },
    };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    double contribution[COLUMNS], got;
    data d;

    NEED_XGBOOST();
    make_data(&d);
    REN_TRY(plain_settings("boosted_trees", &settings));
    settings.trees = 8;
    settings.learning_rate = 0.3;
    REN_TRY(ren__fit(context, "boosted_trees", &d.table, &settings, NULL, &predictor));
    for (int i = 0; i < 5; i++) {
        const double *row = d.value + rows[i] * COLUMNS;
        CHECK_NEAR(ren__predictor_logit(predictor, row), margin[i], 1e-6);
        REN_TRY(ren__predictor_explain(predictor, row, contribution, &got));
        CHECK_NEAR(got, base, 1e-6);
        for (int j = 0; j < COLUMNS; j++)
            CHECK_NEAR(contribution[j], explained[i][j], 1e-6);
    }
out:
    ren__predictor_free(predictor);
    return st;
}

/* --------------------------------------------------------------------------------------- what the library itself says
 */

typedef struct live {
    ren__xgboost library;
    void *matrix, *booster;
    int (*predict)(void *booster, void *matrix, const char *config, const uint64_t **shape, uint64_t *dimensions,
                   const float **result);
} live;

enum { MANY = 300, WIDE = 12 };

static ren_status set_array(live *l, const char *field, const float *value) {
    char array[160];

    snprintf(array, sizeof array, "{\"data\": [%llu, true], \"shape\": [%d], \"typestr\": \"<f4\", \"version\": 3}",
             (unsigned long long)(uintptr_t)value, MANY);
    return ren__xgboost_check(&l->library, l->library.matrix_set(l->matrix, field, array));
}

/* A model of deep trees, which meet columns again on one path, with rows and columns left out. */
static ren_status grow_live(live *l, const float *value, const float *label) {
    static const char *const settings[][2] = {
        { "verbosity", "0" }, { "nthread", "1" },        { "objective", "binary:logistic" }, { "max_depth", "7" },
        { "eta", "0.2" },     { "subsample", "0.7" },    { "colsample_bytree", "0.5" },      { "base_score", "0.5" },
        { "seed", "4" },      { "tree_method", "exact" }
    };
    ren_status st = REN_OK;
    void *matrices[1];

    REN_TRY(ren__xgboost_open(&l->library));
    void *found = dlsym(l->library.library, "XGBoosterPredictFromDMatrix");
    memcpy(&l->predict, &found, sizeof found);
    CHECK(l->predict != NULL);
#define TRY(call) REN_TRY(ren__xgboost_check(&l->library, l->library.call))
    TRY(matrix_create(value, MANY, WIDE, NAN, &l->matrix));
    REN_TRY(set_array(l, "label", label));
    matrices[0] = l->matrix;
    TRY(booster_create(matrices, 1, &l->booster));
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        TRY(booster_set(l->booster, settings[i][0], settings[i][1]));
    for (int round = 0; round < 25; round++)
        TRY(booster_update(l->booster, round, l->matrix));
out:
    return st;
}

static void free_live(live *l) {
    if (l->booster) (void)l->library.booster_free(l->booster);
    if (l->matrix) (void)l->library.matrix_free(l->matrix);
    ren__xgboost_close(&l->library);
}

static ren_status import_live(ren_context *context, live *l, const ren__columns *wide, ren__predictor **out) {
    ren_status st = REN_OK;
    ren__fit_forest forest = { 0 };
    const char *bytes = NULL;
    uint64_t size = 0;

    TRY(booster_save(l->booster, "{\"format\": \"json\"}", &size, &bytes));
    REN_TRY(ren__fit_import(context, bytes, (size_t)size, &forest));
    CHECK_INT(forest.trees, 25);
    REN_TRY(ren__predictor_trees(context, wide, "XGBoost", 0.0, 0, forest.node, forest.begin, forest.trees, out));
out:
    ren__fit_forest_free(&forest);
    return st;
}

/* XGBoost sums in float32: what it answers differs in the sixth digit. */
static ren_status compare_live(live *l, const ren__predictor *predictor, const double *value) {
    static const char config[] = "{\"type\": %d, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, "
                                 "\"strict_shape\": false}";
    ren_status st = REN_OK;
    const uint64_t *shape;
    const float *result;
    uint64_t dimensions;
    char text[sizeof config + 8];
    double contribution[WIDE], base;

    snprintf(text, sizeof text, config, 1);
    REN_TRY(ren__xgboost_check(&l->library, l->predict(l->booster, l->matrix, text, &shape, &dimensions, &result)));
    for (int row = 0; row < MANY; row++)
        CHECK_NEAR(ren__predictor_logit(predictor, value + row * WIDE), (double)result[row], 3e-6);
    snprintf(text, sizeof text, config, 2);
    REN_TRY(ren__xgboost_check(&l->library, l->predict(l->booster, l->matrix, text, &shape, &dimensions, &result)));
    for (int row = 0; row < MANY; row++) {
        REN_TRY(ren__predictor_explain(predictor, value + row * WIDE, contribution, &base));
        for (int j = 0; j < WIDE; j++)
            CHECK_NEAR(contribution[j], (double)result[row * (WIDE + 1) + j], 1e-5);
        CHECK_NEAR(base, (double)result[row * (WIDE + 1) + WIDE], 1e-5);
    }
out:
    return st;
}

static ren_status test_the_installed_library_agrees(ren_context *context) {
    static const char *const wide_names[WIDE] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };
    static float numbers[MANY * WIDE], label[MANY];
    static double value[MANY * WIDE];
    const ren__columns wide = { wide_names, WIDE };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    live l = { 0 };
    ren__rng rng;

    NEED_XGBOOST();
    ren__rng_init(&rng, 8, 0, 0);
    for (int row = 0; row < MANY; row++) {
        double sum = 0.0;
        for (int j = 0; j < WIDE; j++) {
            double *at = &value[row * WIDE + j];
            *at = j < 3 ? ren__rng_below(&rng, 5) / 2.0 : ren__rng_normal(&rng); /* some columns with ties */
            sum += *at * (j % 4);
            if (ren__rng_below(&rng, 8) == 0) *at = NAN;
            numbers[row * WIDE + j] = ren__tree_number(*at);
        }
        label[row] = sum + 2.0 * ren__rng_normal(&rng) > 2.0;
    }
    REN_TRY(grow_live(&l, numbers, label));
    REN_TRY(import_live(context, &l, &wide, &predictor));
    REN_TRY(compare_live(&l, predictor, value));
out:
    ren__predictor_free(predictor);
    free_live(&l);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ forests
 */

/* Grown from all rows and columns, the trees of a forest are one tree; a leaf's probability is the share of class 1
 * among its rows, each class weighing half. */
static ren_status test_leaves_of_a_forest_are_shares(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    double logit[ROWS], weight[2];
    data d;

    NEED_XGBOOST();
    make_data(&d);
    REN_TRY(plain_settings("random_forest", &settings));
    settings.trees = 3;
    settings.depth = 2;
    REN_TRY(ren__fit(context, "random_forest", &d.table, &settings, NULL, &predictor));
    CHECK_INT(predictor->trees, 3);
    CHECK(predictor->average == 1);
    ren__fit_class_weights(d.label, ROWS, weight);
    CHECK_NEAR(weight[0] * 24 + weight[1] * 16, 40.0, 1e-12);
    CHECK_NEAR(weight[0] * 24, weight[1] * 16, 1e-12);
    for (int row = 0; row < ROWS; row++)
        logit[row] = ren__predictor_logit(predictor, d.value + row * COLUMNS);
    for (int row = 0; row < ROWS; row++) {
        double sum[2] = { 0.0, 0.0 };
        for (int other = 0; other < ROWS; other++)
            if (logit[other] == logit[row]) sum[d.label[other]] += weight[d.label[other]];
        const double share = fmin(fmax(sum[1] / (sum[0] + sum[1]), 1e-6), 1.0 - 1e-6);
        CHECK_NEAR(1.0 / (1.0 + exp(-logit[row])), share, 1e-6);
    }
out:
    ren__predictor_free(predictor);
    return st;
}

/* Fits twice and compares; then with another seed, which must matter. */
static ren_status check_seeds(ren_context *context, const char *kind, const data *d) {
    ren_status st = REN_OK;
    ren__predictor *predictor[3] = { NULL };
    ren__fit_settings settings;
    int differing = 0;

    REN_TRY(ren__fit_defaults(kind, &settings));
    settings.trees = 4;
    for (int i = 0; i < 3; i++) {
        settings.seed = i == 2 ? UINT64_MAX : 42;
        REN_TRY(ren__fit(context, kind, &d->table, &settings, NULL, &predictor[i]));
    }
    CHECK_INT(predictor[0]->begin[4], predictor[1]->begin[4]);
    for (int32_t i = 0; i < predictor[0]->begin[4]; i++) {
        const ren__tree_node *a = &predictor[0]->node[i], *b = &predictor[1]->node[i];
        CHECK(a->column == b->column && a->threshold == b->threshold && a->value == b->value && a->cover == b->cover);
        CHECK(a->left == b->left && a->right == b->right && a->missing_left == b->missing_left);
    }
    for (int row = 0; row < ROWS; row++)
        differing += ren__predictor_logit(predictor[0], d->value + row * COLUMNS) !=
                     ren__predictor_logit(predictor[2], d->value + row * COLUMNS);
    CHECK(differing > ROWS / 8); /* few trees on few rows often agree */
out:
    for (int i = 0; i < 3; i++)
        ren__predictor_free(predictor[i]);
    return st;
}

static ren_status test_seeds_decide(ren_context *context) {
    ren_status st = REN_OK;
    data d;

    NEED_XGBOOST();
    make_data(&d);
    REN_TRY(check_seeds(context, "boosted_trees", &d));
    REN_TRY(check_seeds(context, "random_forest", &d));
out:
    return st;
}

/* Numbers that float32 cannot hold, rows too few for a sample of them, one column. */
static ren_status test_awkward_tables(ren_context *context) {
    static const double huge[6] = { -DBL_MAX, 1e300, -INFINITY, DBL_MAX, NAN, 5.0 };
    static const int32_t label[6] = { 0, 1, 0, 1, 1, 0 };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    ren__fit_table table = { { names, 1 }, 6, huge, label };

    NEED_XGBOOST();
    REN_TRY(plain_settings("random_forest", &settings));
    settings.trees = 2;
    REN_TRY(ren__fit(context, "random_forest", &table, &settings, NULL, &predictor));
    CHECK(ren__predictor_logit(predictor, &huge[1]) > ren__predictor_logit(predictor, &huge[0]));
    ren__predictor_free(predictor);
    predictor = NULL;
    settings.trees = 20;
    settings.subsample = 0.3;
    table.rows = 2;
    REN_TRY(ren__fit(context, "random_forest", &table, &settings, NULL, &predictor));
    CHECK(predictor->trees > 0 && predictor->trees < 20); /* some had no row at all */
    CHECK(isfinite(ren__predictor_logit(predictor, huge)));
    ren__predictor_free(predictor);
    predictor = NULL;
    REN_TRY(ren__fit(context, "boosted_trees", &table, &settings, NULL, &predictor));
    CHECK(isfinite(ren__predictor_logit(predictor, huge)));
out:
    ren__predictor_free(predictor);
    return st;
}

/* --------------------------------------------------------------------------------------------------------- the process
 */

static int32_t asked_to_stop(void *user) {
    return ++*(int *)user > 0;
}

static ren_status test_growing_is_cancelled(ren_context *context) {
    static const char *const kinds[2] = { "boosted_trees", "random_forest" };
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren__run run;
    int asked = 0;
    data d;

    NEED_XGBOOST();
    make_data(&d);
    options.cancel = asked_to_stop;
    options.user = &asked;
    for (int i = 0; i < 2; i++) {
        REN_TRY(ren__fit_defaults(kinds[i], &settings));
        settings.trees = 10000;
        REN_TRY(ren__run_begin(&run, context, &options));
        st = ren__fit(context, kinds[i], &d.table, &settings, &run, &predictor);
        st = ren__run_end(&run, st);
        CHECK_FAILS(st, REN_E_CANCELLED, NULL);
        CHECK(predictor == NULL);
    }
    CHECK(asked > 0);
out:
    return st;
}

/* XGBoost's settings belong to the host, and an error of its is ours to report. */
static ren_status test_the_host_keeps_its_settings(ren_context *context) {
    ren_status st = REN_OK;
    ren__predictor *predictor = NULL;
    ren__fit_settings settings;
    ren__xgboost library = { 0 };
    const char *config = NULL;
    data d;

    NEED_XGBOOST();
    make_data(&d);
    REN_TRY(ren__xgboost_open(&library));
    CHECK(library.set_config("{\"verbosity\": 2}") == 0);
    REN_TRY(plain_settings("boosted_trees", &settings));
    settings.trees = 2;
    REN_TRY(ren__fit(context, "boosted_trees", &d.table, &settings, NULL, &predictor));
    CHECK(library.get_config(&config) == 0);
    CHECK(strstr(config, "\"verbosity\":2") != NULL);
    CHECK_FAILS(ren__xgboost_check(&library, library.set_config("no JSON")), REN_E_INTERNAL, "XGBoost: ");
out:
    if (library.library) (void)library.set_config("{\"verbosity\": 1}");
    ren__xgboost_close(&library);
    ren__predictor_free(predictor);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ hostile
 */

#define MODEL(left, right, column, number, missing, cover)                                                             \
    "{\"learner\":{\"gradient_booster\":{\"model\":{\"trees\":[{\"left_children\":" left ",\"right_children\":" right  \
    ",\"split_indices\":" column ",\"split_conditions\":" number ",\"default_left\":" missing                          \
    ",\"sum_hessian\":" cover "}]}}}}"

static ren_status test_hostile_models(ren_context *context) {
    static const struct {
        ren_status code;
        const char *text, *message;
    } bad[] = {
        { REN_E_FORMAT, "", "no list of trees" },
        { REN_E_FORMAT, "{\"learner\":[]}", "no list of trees" },
        { REN_E_FORMAT, "[1", "no list of trees" },
        { REN_E_FORMAT, MODEL("[]", "[]", "[]", "[]", "[]", "[]"), "no node" },
        { REN_E_FORMAT, MODEL("[-1]", "[-1]", "[0]", "[0]", "[0]", "[1,1]"), "one item a node" },
        { REN_E_FORMAT, MODEL("[-1]", "[-1]", "[0]", "[\"0\"]", "[0]", "[1]"), "numbers" },
        { REN_E_FORMAT, MODEL("[-1]", "[-1]", "[0]", "[1e300]", "[0]", "[1]"), "numbers" },
        { REN_E_FORMAT, MODEL("[-1]", "[0]", "[0]", "[1]", "[0]", "[1]"), "children" },
        { REN_E_FORMAT, MODEL("[1]", "[1]", "[0]", "[1]", "[0]", "[1]"), "children" },
        { REN_E_FORMAT, MODEL("[0]", "[0]", "[0]", "[1]", "[0]", "[1]"), "lead back" },
        { REN_E_FORMAT, MODEL("[1,0,-1]", "[2,2,-1]", "[0,0,0]", "[1,1,1]", "[0,0,0]", "[1,1,1]"), "lead back" },
        { REN_E_FORMAT, MODEL("[1,-1,-1]", "[2.0,-1,-1]", "[0,0,0]", "[1,1,1]", "[0,0,0]", "[1,1,1]"), "children" },
        { REN_E_FORMAT, MODEL("[1,-1,-1]", "[2,-1,-1]", "[-1,0,0]", "[1,1,1]", "[0,0,0]", "[1,1,1]"), "column" },
    };
    ren_status st = REN_OK;
    ren__fit_forest forest = { 0 };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_FAILS(ren__fit_import(context, bad[i].text, strlen(bad[i].text), &forest), bad[i].code, bad[i].message);
    CHECK_INT(forest.trees, 0);
out:
    ren__fit_forest_free(&forest);
    return st;
}

/* Nodes in any order, one that belongs to no tree, directions as numbers and as truth values. */
static ren_status test_nodes_in_any_order(ren_context *context) {
    static const char text[] =
        MODEL("[3,-1,-1,1,7]", "[2,-1,-1,4,-1]", "[2,0,0,5,9]", "[1.5,-1,2,0.5,8]", "[true,0,0,0,1]", "[6,1,3,3,2]");
    static const char good[] = MODEL("[3,-1,-1,1,-1,7]", "[2,-1,-1,4,-1,8]", "[2,0,0,5,0,9]", "[1.5,-1,2,0.5,8,3]",
                                     "[true,0,0,0,1,0]", "[6,1,3,3,2,5]");
    ren_status st = REN_OK;
    ren__fit_forest forest = { 0 };
    ren__predictor *predictor = NULL;
    double row[COLUMNS] = { 0.0, 0.0, NAN, 0.0, 0.0, 0.25 };

    CHECK_FAILS(ren__fit_import(context, text, sizeof text - 1, &forest), REN_E_FORMAT, "children");
    REN_TRY(ren__fit_import(context, good, sizeof good - 1, &forest));
    CHECK_INT(forest.trees, 1);
    CHECK_INT(forest.begin[1], 5);
    REN_TRY(ren__predictor_trees(context, &columns, "test", 0.0, 0, forest.node, forest.begin, 1, &predictor));
    CHECK(ren__predictor_logit(predictor, row) == -1.0);
    row[5] = NAN; /* goes right */
    CHECK(ren__predictor_logit(predictor, row) == 8.0);
    row[2] = 1.5;
    CHECK(ren__predictor_logit(predictor, row) == 2.0);
out:
    ren__predictor_free(predictor);
    ren__fit_forest_free(&forest);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_boosted_trees_are_xgboosts), CASE_SAMPLED(test_the_installed_library_agrees),
          CASE_SAMPLED(test_leaves_of_a_forest_are_shares), CASE_SAMPLED(test_seeds_decide),
          CASE_SAMPLED(test_awkward_tables), CASE_ONCE(test_growing_is_cancelled),
          CASE_SAMPLED(test_the_host_keeps_its_settings), CASE(test_hostile_models), CASE(test_nodes_in_any_order))
