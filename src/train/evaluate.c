/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluating a study: predictions of the test folds, and the files that come of them. */
#include "train/evaluate.h"

#include <string.h>

#include "train/evaluate_predict.h"
#include "train/study_files.h"

enum { STORED_CAP = 256 << 20 };

/* --------------------------------------------------------------------------------------------------- thresholds */

/* All jobs must be done; their thresholds are all that is taken from them beside the models. */
static ren_status read_thresholds(ren__evaluation *evaluation) {
    const ren_study *study = evaluation->study;
    const ren__study_config *config = study->config;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->run_count; i++) {
        for (int32_t model = 0; model < config->model_count && st == REN_OK; model++) {
            const ren__job *job = ren__job_find(study, config->run[i], model);
            ren__model_evaluation *to = &evaluation->model[model];
            json_t *done = NULL;
            st = ren__job_record(study, job, "the evaluation", &done);
            if (st == REN_OK)
                st = ren__job_number(done, job, "validation", "threshold", &to->threshold[REN__UNIT_SCAN][i]);
            if (st == REN_OK)
                st =
                    ren__job_number(done, job, "validation", "patient_threshold", &to->threshold[REN__UNIT_PATIENT][i]);
            json_decref(done);
        }
    }
    return st;
}

/* Validation's predictions, by which ablations choose. */
static ren_status read_validation(ren__evaluation *evaluation) {
    const ren_study *study = evaluation->study;
    const ren__study_config *config = study->config;
    ren_status st = REN_OK;

    for (int32_t model = 0; model < config->model_count; model++) {
        for (int32_t i = 0; i < config->run_count && st == REN_OK; i++) {
            char *table = ren__job_path(study, ren__job_find(study, config->run[i], model), "validation.csv");
            st = table ? ren__predictions_read(&evaluation->model[model].validation, study->cohort, table)
                       : ren__out_of_memory();
            ren__free(table);
        }
    }
    return st;
}

/* -------------------------------------------------------------------------------------------------------- files */

static ren_status write_predictions(const ren__evaluation *evaluation) {
    const ren_study *study = evaluation->study;
    const ren__study_config *config = study->config;
    ren_status st = REN_OK;

    for (int32_t model = 0; model < config->model_count && st == REN_OK; model++) {
        ren__predictions all = { .context = study->context };
        char *path = ren__path_join(study->context, study->folder, "predictions/%s.csv", config->model[model].name);
        if (!path) st = ren__out_of_memory();
        if (st == REN_OK) st = ren__predictions_append(&all, &evaluation->model[model].validation);
        if (st == REN_OK) st = ren__predictions_append(&all, &evaluation->model[model].test);
        if (st == REN_OK) st = ren__predictions_write(&all, study->cohort, path);
        ren__predictions_free(&all);
        ren__free(path);
    }
    return st;
}

static ren_status write_text(const ren_study *study, const char *name, const ren_text *text) {
    char *path = ren__path_join(study->context, study->folder, "%s", name);
    const ren_status st = path ? ren__file_write(path, ren_text_data(text), ren_text_size(text)) : ren__out_of_memory();

    ren__free(path);
    return st;
}

typedef ren_status (*text_maker)(const ren__evaluation *evaluation, ren_text *text);

static ren_status write_made(const ren__evaluation *evaluation, const char *name, text_maker make) {
    ren_text *text = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__text_create(evaluation->context, &text));
    REN_TRY(make(evaluation, text));
    REN_TRY(write_text(evaluation->study, name, text));
out:
    ren_text_free(text);
    return st;
}

/* The JSON last: its presence means that the study has been evaluated. */
static ren_status write_files(const ren__evaluation *evaluation, ren_text **json) {
    ren_text *text = NULL;
    json_t *tree = NULL;
    ren_status st = REN_OK;

    REN_TRY(write_predictions(evaluation));
    REN_TRY(write_made(evaluation, "evaluation.csv", ren__evaluation_csv));
    REN_TRY(write_made(evaluation, "evaluation.tests.csv", ren__evaluation_tests_csv));
    REN_TRY(write_made(evaluation, "evaluation.weights.csv", ren__evaluation_weights_csv));
    REN_TRY(write_made(evaluation, "evaluation.html", ren__evaluation_html));
    REN_TRY(ren__evaluation_json(evaluation, &tree));
    REN_TRY(ren__json_write(evaluation->context, tree, 2, &text));
    REN_TRY(write_text(evaluation->study, "evaluation.json", text));
    *json = text;
    text = NULL;
out:
    json_decref(tree);
    ren_text_free(text);
    return st;
}

/* What is stored, or NULL, and how often the test folds have been read. */
static ren_status read_stored(const ren_study *study, ren_text **text, int64_t *number) {
    ren_context *context = study->context;
    char *path = ren__path_join(context, study->folder, "evaluation.json");
    char *bytes = NULL;
    size_t size = 0;
    json_t *tree = NULL;
    ren_status st = REN_OK;

    *text = NULL;
    *number = 0;
    if (!path) return ren__out_of_memory();
    if (!ren__path_exists(path)) goto out;
    REN_TRY(ren__file_read(context, path, STORED_CAP, &bytes, &size));
    REN_TRY(ren__json_parse(bytes, size, path, &tree));
    REN_TRY(ren__get_integer(tree, "evaluations", path, 1, INT32_MAX, number));
    REN_TRY(ren__text_create(context, text));
    ren__text_add_bytes(*text, bytes, size);
    st = (*text)->status;
out:
    if (st != REN_OK) {
        ren_text_free(*text);
        *text = NULL;
    }
    json_decref(tree);
    ren__free(bytes);
    ren__free(path);
    return st;
}

/* --------------------------------------------------------------------------------------------------- evaluation */

static ren_status evaluate(ren_study *study, int64_t number, ren__run *run, ren_text **json) {
    ren_context *context = study->context;
    ren__evaluation evaluation = { .study = study, .context = context, .number = number };
    ren_status st = REN_OK;

    REN_CALLOC(evaluation.model, (size_t)study->config->model_count);
    for (int32_t i = 0; i < study->config->model_count; i++)
        evaluation.model[i].test.context = evaluation.model[i].validation.context = context;
    REN_TRY(read_thresholds(&evaluation));
    REN_TRY(ren__study_need_data(study));
    REN_TRY(read_validation(&evaluation));
    for (int32_t i = 0; i < study->config->run_count; i++)
        REN_TRY(ren__evaluation_predict_fold(&evaluation, i, run));
    REN_TRY(ren__evaluation_measure(&evaluation, run));
    REN_TRY(write_files(&evaluation, json));
    ren__log_append(study->log, "evaluated: test folds read for the %d. time, %d scans", (int)number,
                    (int)evaluation.scans);
out:
    ren__evaluation_end(&evaluation);
    return st;
}

ren_status ren_study_evaluate(ren_study *study, int32_t again, const ren_run_options *options, ren_text **json) {
    ren_text *stored = NULL;
    int64_t number = 0;
    char *folder = NULL;
    ren__run run;
    int lock = -1;

    REN_REQUIRE(json != NULL);
    *json = NULL;
    REN_REQUIRE(study != NULL);
    ren_status st = ren__run_begin(&run, study->context, options);
    if (st != REN_OK) goto out;
    REN_TRY(read_stored(study, &stored, &number));
    if (stored && !again) {
        *json = stored;
        stored = NULL;
        goto out;
    }
    folder = ren__path_join(study->context, study->folder, "predictions");
    if (!folder) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren__folder_lock(folder, REN__LOCK_PATIENCE, &run, &lock));
    REN_TRY(evaluate(study, number + 1, &run, json));
    REN_TRY(ren__run_progress(&run, "evaluating", 1.0));
out:
    if (st != REN_OK) {
        ren_text_free(*json);
        *json = NULL;
    }
    ren__folder_unlock(lock);
    ren__free(folder);
    ren_text_free(stored);
    return ren__run_end(&run, st);
}
