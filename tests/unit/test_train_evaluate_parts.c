/* SPDX-License-Identifier: Apache-2.0 */
/* Ablations, weights of regions and regional contrasts, in figures and files. The expected numbers were computed from
 * the definitions with numpy. */
#include "harness.h"
#include "train/evaluate.h"
#include "train/study_files.h"

enum { PATIENTS = 16, SCANS = 32, FOLDS = 2, EXPERTS = 7, SINGLES = 14, REN = SINGLES, LEVEL, ODD, MODELS };

static const char text[] =
    "study: parts\nseed: 9\ndata: {root: /nowhere}\nregions: 7\nsplit: {folds: 2}\nexperts:\n- {name: cnn, arch: cnn}\n"
    "gates:\n- {name: g, source: radiomics, predictor: logistic, params: {featureClass: {shape: }}}\n- {name: h, "
    "source: validation_auc, normalisation: hierarchical}\n"
    "mixtures:\n- {name: ren, experts: cnn, gate: g}\n- {name: level, experts: cnn, gate: h}\n"
    "- {name: odd, experts: cnn, gate: g}\ncompare: {primary: [ren, cnn.RUL]}\n";

typedef struct fixture {
    ren_study study;
    ren__evaluation evaluation;
} fixture;

static int label_of(int row) {
    return row % PATIENTS % 2;
}

static int fold_of(int row) {
    return row % PATIENTS / 2 % 2;
}

static double tested(int region, int row) {
    return (row * (7 + 4 * region) + 3 * region + 3) % 29 / 32.0 + (label_of(row) ? 0.01 * (region + 1) : 0.0);
}

static double validated(int region, int row) {
    return (row * (5 + 2 * region) + region) % 31 / 34.0 + (label_of(row) ? 0.008 * (region + 1) : 0.0);
}

static double raw_weight(int model, int region, int row) {
    return model == LEVEL ? 1 + region + fold_of(row) : 1 + row * (region + 2) % 5;
}

/* The radiomics of a region say what its expert says. A mixture's row: `empty` is the region that the scan lacks, -1
 * none. */
static void mix(int model, int row, int empty, ren__prediction *item) {
    double total = 0.0;

    for (int region = 0; region < EXPERTS; region++)
        total += region == empty ? 0.0 : raw_weight(model, region, row);
    for (int region = 0; region < EXPERTS; region++) {
        if (region == empty) continue;
        item->weight[region] = raw_weight(model, region, row) / total;
        item->probability += item->weight[region] * tested(region, row);
    }
    if (model == ODD) item->probability *= item->probability; /* no mean: as if it were stacked */
}

static ren_status add_rows(fixture *f, int model) {
    ren__model_evaluation *to = &f->evaluation.model[model];
    ren_status st = REN_OK;

    for (int fold = 0; fold < FOLDS; fold++) {
        for (int row = 0; row < SCANS && st == REN_OK; row++) {
            ren__prediction item = { .scan = row, .fold = fold };
            const int test = fold_of(row) == fold;
            item.set = test ? REN__SET_TEST : REN__SET_VALIDATION;
            if (model >= SINGLES)
                mix(model, row, test && row == 3 ? REN_REGION_RUL : -1, &item);
            else if (test && row == 3 && model % EXPERTS == REN_REGION_RUL)
                continue;
            else
                item.probability = test ? tested(model % EXPERTS, row) : validated(model % EXPERTS, row);
            st = ren__predictions_add(test ? &to->test : &to->validation, &item);
        }
    }
    return st;
}

static ren_status read_cohort(ren_context *context, fixture *f) {
    ren_status st = REN_OK;
    ren_text *table = NULL;
    char path[TEST_PATH];

    test_file(path, "parts.csv");
    REN_TRY(ren__text_create(context, &table));
    ren__text_add(table, "patient,scan,label\n");
    for (int row = 0; row < SCANS; row++)
        ren__text_addf(table, "P%d,S%d,%d\n", row % PATIENTS, row / PATIENTS, label_of(row));
    REN_TRY(table->status);
    REN_TRY(ren__file_write(path, ren_text_data(table), ren_text_size(table)));
    REN_TRY(ren__cohort_read(context, "/", path, &f->study.cohort));
out:
    ren_text_free(table);
    return st;
}

static ren_status setup(ren_context *context, fixture *f) {
    ren_status st = REN_OK;
    json_t *tree = NULL;

    memset(f, 0, sizeof *f);
    f->study.context = context;
    f->evaluation = (ren__evaluation){ .study = &f->study, .context = context, .number = 1, .scans = SCANS };
    REN_TRY(ren__yaml_parse(text, strlen(text), "test", &tree));
    REN_TRY(ren__study_config_resolve(context, tree, "/tmp", &f->study.config));
    CHECK_INT(f->study.config->model_count, MODELS);
    REN_TRY(read_cohort(context, f));
    REN_CALLOC(f->evaluation.model, MODELS);
    for (int model = 0; model < MODELS; model++) {
        f->evaluation.model[model].test.context = f->evaluation.model[model].validation.context = context;
        REN_TRY(add_rows(f, model));
    }
    REN_TRY(ren__evaluation_measure(&f->evaluation, NULL));
out:
    json_decref(tree);
    return st;
}

static void teardown(fixture *f) {
    ren__evaluation_end(&f->evaluation);
    ren__cohort_free(f->study.cohort);
    ren__study_config_free(f->study.config);
}

/* -------------------------------------------------------------------------------------------------------- ablations */

typedef struct expected {
    enum ren__ablation_kind kind;
    int region;
    double whole, left;
} expected;

static ren_status expect_ablations(const fixture *f, int model, const expected *wanted, int count) {
    ren_status st = REN_OK;
    int found = 0;

    for (int32_t i = 0; i < f->evaluation.ablation_count; i++) {
        const ren__ablation *ablation = &f->evaluation.ablation[i];
        if (ablation->model != model) continue;
        CHECK(found < count);
        CHECK_INT(ablation->kind, wanted[found].kind);
        CHECK_INT(ablation->region, wanted[found].region);
        CHECK_INT(ablation->patients, PATIENTS);
        CHECK_NEAR(ablation->whole, wanted[found].whole, 1e-15);
        CHECK_NEAR(ablation->left, wanted[found].left, 1e-15);
        CHECK_NEAR(ablation->change.estimate, wanted[found].left - wanted[found].whole, 1e-15);
        CHECK(ablation->change.low <= ablation->change.estimate && ablation->change.high >= ablation->change.estimate);
        CHECK(ablation->holm >= ablation->change.p);
        found++;
    }
    CHECK_INT(found, count);
out:
    return st;
}

static ren_status test_ablations_of_a_gate_that_reads_scans(ren_context *context) {
    static const expected wanted[] = {
        { REN__WITHOUT_REGION, 0, 0.640625, 0.65625 },       { REN__WITHOUT_REGION, 1, 0.640625, 0.421875 },
        { REN__WITHOUT_REGION, 2, 0.640625, 0.6875 },        { REN__WITHOUT_REGION, 3, 0.640625, 0.609375 },
        { REN__WITHOUT_REGION, 4, 0.640625, 0.578125 },      { REN__WITHOUT_REGION, 5, 0.640625, 0.59375 },
        { REN__WITHOUT_REGION, 6, 0.640625, 0.546875 },      { REN__LOBES_ALONE, -1, 0.640625, 0.5 },
        { REN__LUNGS_ALONE, -1, 0.640625, 0.65625 },         { REN__UNIFORM_WEIGHTS, -1, 0.640625, 0.609375 },
        { REN__VALIDATION_WEIGHTS, -1, 0.640625, 0.609375 }, { REN__STEADY_WEIGHTS, -1, 0.640625, 0.640625 },
        { REN__BEST_EXPERT, -1, 0.640625, 0.53125 },
    };
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    REN_TRY(expect_ablations(&f, REN, wanted, sizeof wanted / sizeof *wanted));
out:
    teardown(&f);
    return st;
}

static ren_status test_ablations_of_a_hierarchical_gate(ren_context *context) {
    static const expected wanted[] = {
        { REN__WITHOUT_REGION, 0, 0.625, 0.5625 },   { REN__WITHOUT_REGION, 1, 0.625, 0.546875 },
        { REN__WITHOUT_REGION, 2, 0.625, 0.671875 }, { REN__WITHOUT_REGION, 3, 0.625, 0.59375 },
        { REN__WITHOUT_REGION, 4, 0.625, 0.515625 }, { REN__WITHOUT_REGION, 5, 0.625, 0.59375 },
        { REN__WITHOUT_REGION, 6, 0.625, 0.515625 }, { REN__LOBES_ALONE, -1, 0.625, 0.515625 },
        { REN__LUNGS_ALONE, -1, 0.625, 0.65625 },    { REN__UNIFORM_WEIGHTS, -1, 0.625, 0.53125 },
        { REN__BEST_EXPERT, -1, 0.625, 0.53125 },
    };
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    REN_TRY(expect_ablations(&f, LEVEL, wanted, sizeof wanted / sizeof *wanted));
out:
    teardown(&f);
    return st;
}

/* Where the mixture is no weighted mean, leaving out a weight would say nothing. */
static ren_status test_ablations_of_what_is_no_mean(ren_context *context) {
    static const expected wanted[] = { { REN__UNIFORM_WEIGHTS, -1, 0.640625, 0.609375 },
                                       { REN__VALIDATION_WEIGHTS, -1, 0.640625, 0.609375 },
                                       { REN__BEST_EXPERT, -1, 0.640625, 0.53125 } };
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    REN_TRY(expect_ablations(&f, ODD, wanted, sizeof wanted / sizeof *wanted));
out:
    teardown(&f);
    return st;
}

/* The correction is over all ablations: the least p is multiplied by their number. */
static ren_status test_holm_is_over_all_ablations(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;
    int least = 0;

    REN_TRY(setup(context, &f));
    CHECK_INT(f.evaluation.ablation_count, 27);
    for (int i = 1; i < 27; i++)
        if (f.evaluation.ablation[i].change.p < f.evaluation.ablation[least].change.p) least = i;
    CHECK_NEAR(f.evaluation.ablation[least].holm, fmin(1.0, 27 * f.evaluation.ablation[least].change.p), 1e-15);
    CHECK_NEAR(f.evaluation.primary.holm, f.evaluation.primary.bootstrap.p, 0); /* not in the family */
out:
    teardown(&f);
    return st;
}

/* A network has no experts whose weights could be changed. */
static ren_status test_networks_have_no_ablation(ren_context *context) {
    int32_t member[REN_REGION_COUNT];
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    CHECK_INT(ren__mixture_members(f.study.config, REN, member), EXPERTS);
    CHECK_INT(member[REN_REGION_RIGHT_LUNG], REN_REGION_RIGHT_LUNG);
    CHECK_INT(ren__mixture_members(f.study.config, 0, member), 0);
    CHECK_INT(ren__mixture_members(f.study.config, EXPERTS, member), 0);
    f.study.config->model[REN].expert = -1;
    f.study.config->mixture[0].gate = -1;
    CHECK_INT(ren__mixture_members(f.study.config, REN, member), 0);
    CHECK(ren__mixture_gate(f.study.config, REN) == NULL);
    ren__free(f.evaluation.ablation);
    f.evaluation.ablation = NULL;
    f.evaluation.ablation_count = 0;
    REN_TRY(ren__evaluation_ablate(&f.evaluation, NULL));
    CHECK_INT(f.evaluation.ablation_count, 14);
    for (int i = 0; i < 14; i++)
        CHECK(f.evaluation.ablation[i].model != REN);
out:
    teardown(&f);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- weights */

static ren_status test_weights(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    const ren__model_weights *of = &f.evaluation.model[REN].weights;
    CHECK_INT(of->scans, SCANS);
    CHECK_INT(of->varies, 1);
    CHECK_NEAR(of->mean[0], 0.15527811004784686, 1e-15);
    CHECK_NEAR(of->sd[0], 0.04539579901108054, 1e-15);
    CHECK_NEAR(of->low[0], 0.09090909090909091, 1e-15);
    CHECK_NEAR(of->high[0], 0.22727272727272727, 1e-15);
    CHECK_NEAR(of->fold[0][2], 0.14935064935064934, 1e-15); /* with the empty region as 0 */
    CHECK_NEAR(of->fold[1][2], 0.15746753246753245, 1e-15);
    CHECK_NEAR(of->by_label[0][6], 0.15503246753246752, 1e-15);
    CHECK_NEAR(of->by_label[1][6], 0.15971035543403964, 1e-15);
    CHECK_INT(f.evaluation.model[LEVEL].weights.varies, 0); /* but for the scan that lacks a region */
    CHECK_INT(f.evaluation.model[0].weights.scans, 0);
out:
    teardown(&f);
    return st;
}

/* -------------------------------------------------------------------------------------------------------- contrasts */

static ren_status test_contrast_of_lobes(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    CHECK_INT(f.evaluation.group_count, 2);
    CHECK_INT(f.evaluation.contrast_count, 2); /* none over all experts: there is one kind */
    CHECK_TEXT(ren__study_model_kind(&f.study.config->model[f.evaluation.contrast[1].groups[0]]), "radiomics");
    CHECK_NEAR(f.evaluation.contrast[1].difference.estimate, 0.13541666666666669, 1e-15);
    const ren__contrast *contrast = &f.evaluation.contrast[0];
    CHECK_INT(contrast->group_count, 1);
    CHECK_INT(contrast->patients, PATIENTS);
    CHECK_NEAR(contrast->lower, 0.578125, 1e-15);
    CHECK_NEAR(contrast->upper, 0.4427083333333333, 1e-15);
    CHECK_NEAR(contrast->difference.estimate, 0.13541666666666669, 1e-15);
    CHECK(contrast->difference.low < 0.13 && contrast->difference.high > 0.14);
    CHECK_INT(ren__group_length(&f.study.config->model[3]), 3);
    CHECK_INT(ren__group_member(f.study.config, 0, REN_REGION_LEFT_LUNG), 5);
    CHECK_INT(ren__group_member(f.study.config, 0, REN_REGION_LUNGS), -1);
out:
    teardown(&f);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------ files */

static ren_status check_table(const char *table, int wanted_lines, int wanted_commas) {
    ren_status st = REN_OK;
    int lines = 0, commas = 0;

    for (const char *at = table; *at; at++) {
        lines += *at == '\n';
        commas += *at == ',';
        if (*at == '\n') CHECK_INT(commas, wanted_commas * lines); /* every row is as long as the heading */
    }
    CHECK_INT(lines, wanted_lines);
out:
    return st;
}

static ren_status test_tables(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;
    ren_text *tests = NULL, *weights = NULL;

    REN_TRY(setup(context, &f));
    REN_TRY(ren__text_create(context, &tests));
    REN_TRY(ren__evaluation_tests_csv(&f.evaluation, tests));
    REN_TRY(check_table(ren_text_data(tests), 1 + 1 + (MODELS - 2) + 2 + 27, 10));
    CHECK(strstr(ren_text_data(tests), "\nprimary,ren,cnn.RUL,16,0.640625,0.265625,0.375,") != NULL);
    CHECK(strstr(ren_text_data(tests), "\nregional contrast,cnn lower lobes,cnn other lobes,16,0.578125,") != NULL);
    CHECK(strstr(ren_text_data(tests), "\nablation,ren without radiomics,ren,16,0.609375,0.640625,-0.03125,") != NULL);
    REN_TRY(ren__text_create(context, &weights));
    REN_TRY(ren__evaluation_weights_csv(&f.evaluation, weights));
    REN_TRY(check_table(ren_text_data(weights), 1 + 3 * EXPERTS, 11));
out:
    ren_text_free(tests);
    ren_text_free(weights);
    teardown(&f);
    return st;
}

static ren_status test_json(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;
    json_t *tree = NULL;

    REN_TRY(setup(context, &f));
    REN_TRY(ren__evaluation_json(&f.evaluation, &tree));
    const json_t *list = json_object_get(json_object_get(tree, "ablations"), "list");
    CHECK_INT(json_array_size(list), 27);
    const json_t *first = json_array_get(list, 0);
    CHECK_TEXT(json_string_value(json_object_get(first, "kind")), "without_region");
    CHECK_TEXT(json_string_value(json_object_get(first, "region")), "LUL");
    CHECK_TEXT(json_string_value(json_object_get(first, "mixture")), "ren");
    CHECK_NEAR(json_number_value(json_object_get(first, "auc_change")), 0.65625 - 0.640625, 1e-15);
    CHECK(json_is_number(json_object_get(first, "p_holm")));
    list = json_object_get(json_object_get(tree, "regional_contrasts"), "list");
    CHECK_INT(json_array_size(list), 2);
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(json_array_get(list, 0), "models"), 0)), "cnn");
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(json_array_get(list, 1), "models"), 0)), "g");
    const json_t *models = json_object_get(tree, "models");
    CHECK(json_object_get(json_array_get(models, 0), "weights") == NULL);
    const json_t *weights = json_object_get(json_array_get(models, REN), "weights");
    CHECK(json_is_true(json_object_get(weights, "per_scan")));
    const json_t *region = json_array_get(json_object_get(weights, "regions"), 0);
    CHECK_NEAR(json_number_value(json_object_get(region, "mean")), 0.15527811004784686, 1e-15);
    CHECK_INT(json_array_size(json_object_get(region, "mean_of_folds")), FOLDS);
out:
    json_decref(tree);
    teardown(&f);
    return st;
}

/* What a reader must find, and what must not be there; sections close what they open. */
static ren_status test_page(ren_context *context) {
    static const char *const with[] = { "<dt>Asked</dt>",
                                        "<dt>Answer</dt>",
                                        "<dt>How sure</dt>",
                                        "<h2>Ablations</h2>",
                                        "<h2>Weights of the regions</h2>",
                                        "<h3>Lower lobes against the others</h3>",
                                        "without radiomics",
                                        "g (radiomics alone)",
                                        "best single expert",
                                        "Corrected by Holm over 27 tests",
                                        "esearch use only, not verified" };
    static const char *const without[] = { "http", "src=", "href=", "url(", "@import", "<script", "nan" };
    static const char *const pairs[][2] = { { "<section", "</section>" }, { "<details", "</details>" },
                                            { "<table", "</table>" },     { "<svg", "</svg>" },
                                            { "<tr", "</tr>" },           { "<td", "</td>" },
                                            { "<div", "</div>" },         { "<li>", "</li>" },
                                            { "<dd>", "</dd>" } };
    ren_status st = REN_OK;
    fixture f;
    ren_text *page = NULL;

    REN_TRY(setup(context, &f));
    REN_TRY(ren__text_create(context, &page));
    REN_TRY(ren__evaluation_html(&f.evaluation, page));
    const char *data = ren_text_data(page);
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (!strstr(data, with[i])) st = test_fail(__FILE__, __LINE__, "\"%s\" is missing", with[i]);
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if (strstr(data, without[i])) st = test_fail(__FILE__, __LINE__, "\"%s\" is there", without[i]);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        int open = 0;
        for (const char *at = data; (at = strstr(at, pairs[i][0])) != NULL; at++)
            open++;
        for (const char *at = data; (at = strstr(at, pairs[i][1])) != NULL; at++)
            open--;
        if (open != 0) st = test_fail(__FILE__, __LINE__, "%d of %s are open", open, pairs[i][0]);
    }
out:
    ren_text_free(page);
    teardown(&f);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_ablations_of_a_gate_that_reads_scans), CASE_SAMPLED(test_ablations_of_a_hierarchical_gate),
          CASE_SAMPLED(test_ablations_of_what_is_no_mean), CASE_SAMPLED(test_holm_is_over_all_ablations),
          CASE_SAMPLED(test_networks_have_no_ablation), CASE_SAMPLED(test_weights),
          CASE_SAMPLED(test_contrast_of_lobes), CASE_SAMPLED(test_tables), CASE_SAMPLED(test_json),
          CASE_SAMPLED(test_page))
