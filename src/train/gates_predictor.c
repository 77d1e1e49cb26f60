/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regional predictors: one region's radiomics, fitted on the fold's training scans and measured on its validation
 * scans. They weigh the regions of their gate, and are models of their own: radiomics without a network.
 */
#include <math.h>
#include <string.h>

#include "train/gates_fit.h"
#include "train/jobs.h"
#include "train/study_files.h"

#define PREDICTOR_FILE "predictor.json"

/* ----------------------------------------------------------------------------------------------------- reading */

static ren_status open_file(const ren_study *study, const ren__job *job, json_t **tree) {
    char *path = ren__job_path(study, job, PREDICTOR_FILE);
    const ren_status st = path ? ren__document_read(study->context, path, tree) : ren__out_of_memory();

    ren__free(path);
    return st;
}

static ren_status no_predictor(const ren__job *job) {
    return ren__error(REN_E_FORMAT,
                      "jobs/%s/" PREDICTOR_FILE ": is no predictor of this table: remove the job's folder and run it "
                      "again",
                      job->id);
}

ren_status ren__regional_columns_read(const ren_study *study, const ren__job *job, ren__arena *arena,
                                      ren__columns *out) {
    json_t *tree = NULL;
    const char **names = NULL;
    ren_status st = REN_OK;

    REN_TRY(open_file(study, job, &tree));
    const json_t *list = json_object_get(tree, "columns");
    if (!json_is_array(list) || json_array_size(list) > INT32_MAX / 2) REN_TRY(no_predictor(job));
    names = ren__arena_alloc(arena, (json_array_size(list) + 1) * sizeof *names);
    if (!names) REN_TRY(ren__out_of_memory());
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name) REN_TRY(no_predictor(job));
        names[i] = ren__arena_strdup(arena, name);
        if (!names[i]) REN_TRY(ren__out_of_memory());
    }
    *out = (ren__columns){ names, (int32_t)json_array_size(list) };
out:
    json_decref(tree);
    return st;
}

ren_status ren__regional_predictor_read(const ren_study *study, const ren__job *job, const ren__columns *columns,
                                        ren__predictor **out) {
    json_t *tree = NULL;
    ren_status st = REN_OK;

    REN_TRY(open_file(study, job, &tree));
    const json_t *list = json_object_get(tree, "columns");
    int same = json_array_size(list) == (size_t)columns->count;
    for (int32_t i = 0; same && i < columns->count; i++) {
        const char *name = json_string_value(json_array_get(list, (size_t)i));
        same = name && strcmp(name, columns->name[i]) == 0;
    }
    if (!same) REN_TRY(no_predictor(job));
    st = ren__predictor_parse(study->context, json_object_get(tree, "predictor"), PREDICTOR_FILE, columns, out);
out:
    json_decref(tree);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- running */

/* The rows of a region for one of the fold's sets. */
typedef struct rows {
    int32_t count;
    int32_t *scan, *label;
    double *value;
} rows;

static void rows_end(rows *of) {
    ren__free(of->scan);
    ren__free(of->label);
    ren__free(of->value);
}

static ren_status gather(const ren_study *study, const ren__job *job, enum ren__set set, const ren__region_table *table,
                         int32_t region, rows *out) {
    ren_context *context = study->context;
    const size_t columns = (size_t)table->columns.count;
    size_t cells;
    int32_t listed = 0;
    ren_status st = REN_OK;

    REN_TRY(ren__job_scans(study, job, set, &out->scan, &listed));
    for (int32_t i = 0; i < listed; i++)
        if (ren__region_row(table, region, out->scan[i])) out->scan[out->count++] = out->scan[i];
    if (!ren__mul_size((size_t)out->count, columns, &cells)) REN_FAIL(REN_E_LIMIT, "too many features for one table");
    REN_CALLOC(out->label, (size_t)out->count);
    REN_CALLOC(out->value, cells);
    for (int32_t i = 0; i < out->count; i++) {
        out->label[i] = study->cohort->item[out->scan[i]].label;
        memcpy(out->value + (size_t)i * columns, ren__region_row(table, region, out->scan[i]),
               columns * sizeof *out->value);
    }
out:
    return st;
}

ren_status ren__regional_predictor_write(const ren_study *study, const ren__job *job, const char *kind,
                                         const ren__columns *columns, const ren__predictor *predictor) {
    char *path = ren__job_path(study, job, PREDICTOR_FILE);
    json_t *tree =
        json_pack("{s:s, s:s, s:s, s:[]}", "library", ren_version(), "job", job->id, "kind", kind, "columns");
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(tree));
    if (!path) REN_TRY(ren__out_of_memory());
    for (int32_t i = 0; i < columns->count; i++)
        REN_TRY(ren__json_append(json_object_get(tree, "columns"), json_string(columns->name[i])));
    REN_TRY(ren__json_set(tree, "predictor", ren__predictor_json(predictor)));
    st = ren__json_file_write(study->context, path, tree);
out:
    json_decref(tree);
    ren__free(path);
    return st;
}

static ren_status predict(const ren__job *job, const ren__predictor *predictor, const rows *validation, size_t columns,
                          ren__predictions *out) {
    ren_status st = REN_OK;

    for (int32_t i = 0; i < validation->count && st == REN_OK; i++) {
        const double logit = ren__predictor_logit(predictor, validation->value + (size_t)i * columns);
        const ren__prediction item = { .scan = validation->scan[i],
                                       .fold = job->fold,
                                       .set = REN__SET_VALIDATION,
                                       .probability = ren__logit_probability(logit) };
        st = ren__predictions_add(out, &item);
    }
    return st;
}

static ren_status store(ren_study *study, const ren__job *job, const rows *training, const rows *validation,
                        const ren__predictor *predictor, const ren__columns *columns) {
    const ren__gate_entry *gate = &study->config->gate[study->config->model[job->model].gate];
    ren__predictions predictions = { .context = study->context };
    json_t *done = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__job_heading(study, job, &done));
    REN_TRY(ren__json_set(done, "predictor", json_string(gate->predictor)));
    REN_TRY(ren__json_set(done, "training_scans", json_integer(training->count)));
    REN_TRY(ren__json_set(done, "features", json_integer(columns->count)));
    REN_TRY(ren__json_set(done, "features_used", json_integer(ren__predictor_reads(predictor, NULL))));
    REN_TRY(predict(job, predictor, validation, (size_t)columns->count, &predictions));
    REN_TRY(ren__regional_predictor_write(study, job, gate->predictor, columns, predictor));
    st = ren__job_finish(study, job, &predictions, done);
out:
    ren__predictions_free(&predictions);
    json_decref(done);
    return st;
}

ren_status ren__predictor_run(ren_study *study, const ren__job *job, ren__run *run) {
    const ren__study_model *model = &study->config->model[job->model];
    const ren__gate_entry *gate = &study->config->gate[model->gate];
    ren__fit_settings settings = gate->fit;
    ren__region_table table = { 0 };
    ren__predictor *predictor = NULL;
    rows training = { 0 }, validation = { 0 };
    ren_status st = REN_OK;

    REN_TRY(ren__radiomics_table_read(study, model->gate, 1u << model->region, job->id, &table));
    REN_TRY(gather(study, job, REN__SET_TRAINING, &table, model->region, &training));
    REN_TRY(gather(study, job, REN__SET_VALIDATION, &table, model->region, &validation));
    settings.seed = ren__job_seed(study, job);
    const ren__fit_table fitted = {
        .columns = table.columns, .rows = training.count, .value = training.value, .label = training.label
    };
    REN_TRY(ren__fit(study->context, gate->predictor, &fitted, &settings, run, &predictor));
    st = store(study, job, &training, &validation, predictor, &table.columns);
out:
    ren__predictor_free(predictor);
    rows_end(&validation);
    rows_end(&training);
    ren__region_table_end(&table);
    return st;
}
