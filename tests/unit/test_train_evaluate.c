/* SPDX-License-Identifier: Apache-2.0 */
/* From predictions to figures and files. The expected numbers were computed from the definitions in a few lines of
 * numpy. */
#include "harness.h"
#include "train/evaluate.h"
#include "train/study_files.h"

enum { PATIENTS = 12, SCANS = 24, FOLDS = 2, MODELS = 3 };

static const char text[] =
    "study: s <1>\nseed: 9\ndata: {root: /nowhere}\nregions: 2\nsplit: {folds: 2}\n"
    "experts:\n- {name: cnn, arch: cnn}\ngates:\n- {name: g, source: uniform}\n"
    "mixtures:\n- {name: ren, experts: cnn, gate: g}\ncompare: {primary: [ren, cnn.right_lung]}\n";

static int label_of(int row) {
    const int scan = row / PATIENTS, patient = row % PATIENTS;

    return patient % 2 && (scan == 1 || patient > 4);
}

static double probability(int model, int row) {
    return (row * (7 + 4 * model) + 3) % 29 / 32.0 + (label_of(row) ? 0.1 * (1 + model) : 0.0);
}

typedef struct fixture {
    ren_study study;
    ren__evaluation evaluation;
} fixture;

static ren_status read_cohort(ren_context *context, fixture *f) {
    ren_status st = REN_OK;
    ren_text *table = NULL;
    char path[TEST_PATH];

    test_file(path, "evaluate.csv");
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

static ren_status add_rows(fixture *f, int model) {
    ren_status st = REN_OK;

    for (int fold = 0; fold < FOLDS; fold++) {
        for (int row = 0; row < SCANS && st == REN_OK; row++) {
            const ren__prediction item = {
                .scan = row, .fold = fold, .set = REN__SET_TEST, .probability = probability(model % 2, row)
            };
            if (row % PATIENTS / 2 % 2 != fold || (model == 1 && row == 3)) continue; /* an empty region */
            st = ren__predictions_add(&f->evaluation.model[model].test, &item);
        }
    }
    return st;
}

static ren_status setup(ren_context *context, fixture *f) {
    static const double threshold[REN__UNIT_COUNT][FOLDS] = { { 0.45, 0.55 }, { 0.5, 0.4 } };
    ren_status st = REN_OK;
    json_t *tree = NULL;

    memset(f, 0, sizeof *f);
    f->study.context = context;
    f->evaluation.study = &f->study;
    f->evaluation.context = context;
    f->evaluation.number = 1;
    f->evaluation.scans = SCANS;
    REN_TRY(ren__yaml_parse(text, strlen(text), "test", &tree));
    REN_TRY(ren__study_config_resolve(context, tree, "/tmp", &f->study.config));
    CHECK_INT(f->study.config->model_count, MODELS);
    REN_TRY(read_cohort(context, f));
    f->evaluation.model = ren__calloc(context, MODELS, sizeof *f->evaluation.model);
    CHECK_MEMORY(f->evaluation.model);
    for (int model = 0; model < MODELS; model++) {
        f->evaluation.model[model].test.context = f->evaluation.model[model].validation.context = context;
        for (int unit = 0; unit < REN__UNIT_COUNT; unit++)
            memcpy(f->evaluation.model[model].threshold[unit], threshold[unit], sizeof threshold[unit]);
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

static ren_status test_metrics_by_patient(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    const ren__level *level = &f.evaluation.model[0].level[REN__UNIT_PATIENT];
    CHECK_INT(f.evaluation.patients, PATIENTS);
    CHECK_INT(level->pooled.metrics.count, PATIENTS);
    CHECK_INT(level->pooled.metrics.positives, 6);
    CHECK_NEAR(level->fold[0].metrics.auc, 1.0 / 3, 1e-15);
    CHECK_NEAR(level->fold[1].metrics.auc, 1.0, 0);
    CHECK_NEAR(level->pooled.metrics.auc, 0.5833333333333334, 1e-15);
    CHECK_NEAR(level->pooled.metrics.accuracy, 0.6666666666666666, 1e-15); /* each fold by its own threshold */
    CHECK_NEAR(level->pooled.metrics.sensitivity, 0.5, 1e-15);
    CHECK_NEAR(level->pooled.metrics.specificity, 0.8333333333333334, 1e-15);
    CHECK_NEAR(level->pooled.metrics.brier, 0.21738118489583333, 1e-15);
    CHECK_NEAR(level->mean[0], 0.6666666666666666, 1e-15);
    CHECK_NEAR(level->sd[0], 0.4714045207910317, 1e-15);
    CHECK(level->bootstrap.low < 0.58 && level->bootstrap.high > 0.59);
out:
    teardown(&f);
    return st;
}

static ren_status test_metrics_by_scan(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    const ren__level *level = &f.evaluation.model[0].level[REN__UNIT_SCAN];
    CHECK_INT(level->pooled.metrics.count, SCANS);
    CHECK_NEAR(level->fold[1].metrics.auc, 0.9428571428571428, 1e-15);
    CHECK_NEAR(level->pooled.metrics.auc, 0.5857142857142857, 1e-15);
    CHECK_NEAR(level->pooled.metrics.accuracy, 0.4583333333333333, 1e-15);
    CHECK(isnan(level->bootstrap.estimate));              /* scans of a patient are no sample */
    level = &f.evaluation.model[1].level[REN__UNIT_SCAN]; /* one scan had an empty region */
    CHECK_INT(level->pooled.metrics.count, SCANS - 1);
    CHECK_NEAR(level->pooled.metrics.auc, 0.6307692307692307, 1e-15);
    CHECK_NEAR(level->pooled.metrics.specificity, 0.46153846153846156, 1e-15);
    CHECK_INT(level->pooled.metrics.confusion[0][0], 6);
    CHECK_INT(level->pooled.metrics.confusion[1][1], 7);
out:
    teardown(&f);
    return st;
}

static ren_status test_comparisons(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;

    REN_TRY(setup(context, &f));
    CHECK_INT(f.evaluation.primary.a, 2);
    CHECK_INT(f.evaluation.primary.b, 1);
    CHECK_INT(f.evaluation.primary.patients, PATIENTS);
    CHECK_NEAR(f.evaluation.primary.bootstrap.estimate, 0.5833333333333334 - 0.6666666666666666, 1e-15);
    CHECK_NEAR(f.evaluation.wilcoxon, 1.0, 0);                    /* one fold equal, one left */
    CHECK_INT(f.evaluation.other_count, 1);                       /* the other region */
    CHECK_NEAR(f.evaluation.other[0].bootstrap.estimate, 0.0, 0); /* the same predictions */
    CHECK_NEAR(f.evaluation.other[0].holm, 1.0, 0);
out:
    teardown(&f);
    return st;
}

static ren_status test_json_and_csv(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;
    json_t *tree = NULL;
    ren_text *csv = NULL;

    REN_TRY(setup(context, &f));
    REN_TRY(ren__evaluation_json(&f.evaluation, &tree));
    CHECK_INT(json_integer_value(json_object_get(tree, "evaluations")), 1);
    CHECK_INT(json_integer_value(json_object_get(tree, "tested_patients")), PATIENTS);
    const json_t *models = json_object_get(tree, "models");
    CHECK_INT(json_array_size(models), MODELS);
    const json_t *patient = json_object_get(json_array_get(models, 1), "patient");
    CHECK_NEAR(json_number_value(json_object_get(json_object_get(patient, "pooled"), "auc")), 0.6666666666666666,
               1e-15);
    CHECK_NEAR(json_number_value(json_object_get(json_object_get(patient, "sd"), "auc")), 0.23570226039551587, 1e-15);
    CHECK_INT(json_array_size(json_object_get(patient, "folds")), FOLDS);
    CHECK_TEXT(json_string_value(json_object_get(json_object_get(tree, "primary"), "b")), "cnn.right_lung");
    CHECK(json_is_number(json_object_get(json_array_get(json_object_get(tree, "others"), 0), "p_holm")));
    REN_TRY(ren__text_create(context, &csv));
    REN_TRY(ren__evaluation_csv(&f.evaluation, csv));
    int lines = 0, commas = 0;
    for (const char *at = ren_text_data(csv); *at; at++) {
        lines += *at == '\n';
        commas += *at == ',';
    }
    CHECK_INT(lines, 1 + MODELS * REN__UNIT_COUNT * (FOLDS + 3));
    CHECK_INT(commas, 28 * lines); /* every row is as long as the heading */
out:
    ren_text_free(csv);
    json_decref(tree);
    teardown(&f);
    return st;
}

static ren_status test_page_stands_alone(ren_context *context) {
    static const char *const without[] = { "http", "src=", "href=", "url(", "@import", "s <1>" };
    ren_status st = REN_OK;
    fixture f;
    ren_text *page = NULL;

    REN_TRY(setup(context, &f));
    REN_TRY(ren__text_create(context, &page));
    REN_TRY(ren__evaluation_html(&f.evaluation, page));
    CHECK(strstr(ren_text_data(page), "<h1>s &lt;1&gt;: evaluation</h1>") != NULL);
    CHECK(strstr(ren_text_data(page), "esearch use only, not verified") != NULL);
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        CHECK(strstr(ren_text_data(page), without[i]) == NULL);
out:
    ren_text_free(page);
    teardown(&f);
    return st;
}

/* Keeps the predictions and forgets what was made of them. */
static ren_status measure_again(fixture *f) {
    ren_context *context = f->evaluation.context;
    ren__evaluation again = { .study = &f->study, .context = context, .number = 1, .scans = SCANS };
    ren_status st = REN_OK;

    REN_CALLOC(again.model, MODELS);
    for (int model = 0; model < MODELS; model++) {
        ren__model_evaluation *from = &f->evaluation.model[model], *to = &again.model[model];
        to->test = from->test;
        to->validation = from->validation;
        memcpy(to->threshold, from->threshold, sizeof to->threshold);
        memset(&from->test, 0, sizeof from->test);
        memset(&from->validation, 0, sizeof from->validation);
    }
    ren__evaluation_end(&f->evaluation);
    f->evaluation = again;
    REN_TRY(ren__evaluation_measure(&f->evaluation, NULL));
out:
    return st;
}

/* A fold in which one label is missing has no AUC: it is left out and said so, never guessed. */
static ren_status test_one_class_is_undefined(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;
    json_t *tree = NULL;

    REN_TRY(setup(context, &f));
    ren__model_evaluation *model = &f.evaluation.model[0];
    int32_t kept = 0;
    for (int32_t i = 0; i < model->test.count; i++)
        if (model->test.item[i].fold == 1 || model->test.item[i].scan % 2 == 0)
            model->test.item[kept++] = model->test.item[i];
    model->test.count = kept;
    REN_TRY(measure_again(&f));
    const ren__level *level = &f.evaluation.model[0].level[REN__UNIT_PATIENT];
    CHECK_INT(level->fold[0].defined, 0);
    CHECK_INT(level->fold[0].metrics.count, 3);
    CHECK_INT(level->averaged, 1);
    CHECK_NEAR(level->mean[0], 1.0, 0);
    REN_TRY(ren__evaluation_json(&f.evaluation, &tree));
    const json_t *folds =
        json_object_get(json_object_get(json_array_get(json_object_get(tree, "models"), 0), "patient"), "folds");
    CHECK(json_is_null(json_object_get(json_array_get(folds, 0), "auc")));
out:
    json_decref(tree);
    teardown(&f);
    return st;
}

static ren_status test_predictions_round_trip(ren_context *context) {
    ren_status st = REN_OK;
    fixture f;
    static const char bad[] = "patient,scan,label,fold,set,probability,weights\nP0,S0,0,0,test,1.5,\n";
    char path[TEST_PATH];

    REN_TRY(setup(context, &f));
    ren__predictions back = { .context = context };
    ren__prediction *first = &f.evaluation.model[0].test.item[0];
    test_file(path, "p.csv");
    first->weight[REN_REGION_LUL] = 1.0 / 3;
    first->weight[REN_REGION_LEFT_LUNG] = 2.0 / 3;
    f.evaluation.model[0].test.count = 12; /* one fold: the scans are in the table's order */
    REN_TRY(ren__predictions_write(&f.evaluation.model[0].test, f.study.cohort, path));
    st = ren__predictions_read(&back, f.study.cohort, path);
    if (st == REN_OK && back.count == 12 && memcmp(back.item, first, 12 * sizeof *first) != 0)
        st = test_fail(__FILE__, __LINE__, "the predictions came back different");
    if (st == REN_OK && back.count != 12) st = test_fail(__FILE__, __LINE__, "%d predictions came back", back.count);
    ren__predictions_free(&back);
    if (st != REN_OK) goto out;
    REN_TRY(ren__file_write(path, bad, sizeof bad - 1));
    CHECK_FAILS(ren__predictions_read(&back, f.study.cohort, path), REN_E_FORMAT, "row 2 is not a prediction");
    ren__predictions_free(&back);
out:
    teardown(&f);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_metrics_by_patient), CASE_SAMPLED(test_metrics_by_scan), CASE_SAMPLED(test_comparisons),
          CASE_SAMPLED(test_json_and_csv), CASE_SAMPLED(test_page_stands_alone),
          CASE_SAMPLED(test_one_class_is_undefined), CASE_SAMPLED(test_predictions_round_trip))
