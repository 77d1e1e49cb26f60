/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What experts make of scans before their last layer: of the fold's training and validation scans, for the gates that
 * read it. Test scans are left to the evaluation.
 */
#include <math.h>
#include <string.h>

#include "format/safetensors.h"
#include "moe/moe.h"
#include "train/gates_table.h"
#include "train/jobs.h"
#include "train/study_files.h"

#define FEATURES_FILE "features.safetensors"

/* ------------------------------------------------------------------------------------------------------ running */

/* The scans that are not for test, in the cohort's order. */
static ren_status list_scans(const ren_study *study, int32_t fold, int32_t **scans, int32_t *count) {
    ren_context *context = study->context;
    const uint8_t *sets = study->split->set + (size_t)fold * (size_t)study->split->patients;
    ren_status st = REN_OK;

    *count = 0;
    REN_CALLOC(*scans, (size_t)study->cohort->count);
    for (int32_t scan = 0; scan < study->cohort->count; scan++)
        if (sets[study->cohort->patient[scan]] != REN__SET_TEST) (*scans)[(*count)++] = scan;
out:
    return st;
}

typedef struct work {
    ren_study *study;
    const ren__job *job;
    ren__run *run;
    int32_t *scans, count;
    int32_t columns;
    float *value[REN_REGION_COUNT]; /* scan x column; NaN: the region is empty */
} work;

static ren_status load_expert(const ren_study *study, const ren__job *job, ren_expert **out) {
    char *path = ren__job_path(study, job, REN__MODEL_FILE);
    const ren_status st = path ? ren_expert_load(study->context, path, out) : ren__out_of_memory();

    ren__free(path);
    return st;
}

/* One region of all scans. */
static ren_status run_region(work *w, int32_t index) {
    const ren__study_config *config = w->study->config;
    ren_context *context = w->study->context;
    ren_expert *expert = NULL;
    ren_scan *scan = NULL;
    float *to = NULL;
    ren_status st = REN_OK;

    REN_TRY(load_expert(w->study, ren__job_find(w->study, w->job->fold, w->job->of * config->region_count + index),
                        &expert));
    w->columns = ren__expert_features(expert);
    if (w->columns == 0) REN_FAIL(REN_E_UNSUPPORTED, "the experts give no features");
    REN_CALLOC(to, (size_t)w->count * (size_t)w->columns);
    for (int32_t i = 0; i < w->count; i++) {
        ren__expert_outputs outputs = { .features = to + (size_t)i * (size_t)w->columns };
        const double done = (double)(index * w->count + i) / (config->region_count * w->count);
        REN_TRY(ren__run_progress(w->run, "features", done));
        REN_TRY(ren__dataset_scan(w->study->dataset, w->scans[i], w->run, &scan));
        if (scan->voxels[config->region[index]] > 0)
            REN_TRY(ren__expert_run(expert, NULL, scan, w->run, &outputs));
        else
            for (int32_t k = 0; k < w->columns; k++)
                outputs.features[k] = NAN;
        ren_scan_free(scan);
        scan = NULL;
    }
    w->value[index] = to;
    to = NULL;
out:
    ren__free(to);
    ren_scan_free(scan);
    ren_expert_free(expert);
    return st;
}

static ren_status store(const work *w) {
    const ren_study *study = w->study;
    const ren__study_config *config = study->config;
    ren__tensor_source tensors[REN_REGION_COUNT] = { { .name = NULL } };
    char *path = ren__job_path(study, w->job, FEATURES_FILE);
    const char *metadata[] = { "job", w->job->id, NULL };
    json_t *done = NULL;
    ren_status st = REN_OK;

    if (!path) return ren__out_of_memory();
    for (int32_t i = 0; i < config->region_count; i++)
        tensors[i] = (ren__tensor_source){ .name = ren_region_name(config->region[i]),
                                           .type = REN__F32,
                                           .rank = 2,
                                           .shape = { w->count, w->columns },
                                           .data = w->value[i] };
    REN_TRY(ren__job_heading(study, w->job, &done));
    REN_TRY(ren__json_set(done, "scans", json_integer(w->count)));
    REN_TRY(ren__json_set(done, "features", json_integer(w->columns)));
    REN_TRY(ren__safetensors_write(study->context, path, tensors, (size_t)config->region_count, metadata));
    st = ren__job_store(w->study, w->job, done);
out:
    json_decref(done);
    ren__free(path);
    return st;
}

ren_status ren__features_run(ren_study *study, const ren__job *job, ren__run *run) {
    work w = { .study = study, .job = job, .run = run };
    ren_status st = REN_OK;

    REN_TRY(list_scans(study, job->fold, &w.scans, &w.count));
    for (int32_t i = 0; i < study->config->region_count; i++)
        REN_TRY(run_region(&w, i));
    st = store(&w);
out:
    for (int32_t i = 0; i < REN_REGION_COUNT; i++)
        ren__free(w.value[i]);
    ren__free(w.scans);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ reading */

static ren_status malformed(const char *path) {
    return ren__error(REN_E_FORMAT, "%s: is no table of this fold's features: remove the job's folder and run it again",
                      path);
}

static ren_status read_region(const ren__safetensors *file, const char *path, int32_t region, const int32_t *scans,
                              int32_t count, ren__region_table *out) {
    ren_context *context = out->context;
    const size_t columns = (size_t)out->columns.count;
    const ren__tensor_entry *entry = ren__safetensors_find(file, ren_region_name(region));
    double *values = NULL;
    ren_status st = REN_OK;

    if (!entry || entry->rank != 2 || entry->shape[0] != count || (size_t)entry->shape[1] != columns)
        REN_TRY(malformed(path));
    REN_CALLOC(values, entry->count);
    REN_TRY(ren__safetensors_read_f64(file, entry, values, entry->count));
    for (int32_t i = 0; i < count; i++) {
        const double *row = values + (size_t)i * columns;
        if (!isnan(row[0])) out->known[region][scans[i]] = 1;
        memcpy(out->value[region] + (size_t)scans[i] * columns, row, columns * sizeof *row);
    }
out:
    ren__free(values);
    return st;
}

static ren_status read_file(const ren_study *study, int32_t fold, const char *path, uint32_t regions,
                            ren__region_table *out) {
    ren__safetensors *file = NULL;
    ren__region_table table = { 0 };
    ren__columns columns = { NULL, 0 };
    int32_t *scans = NULL, count = 0;
    ren_status st = REN_OK;

    REN_TRY(list_scans(study, fold, &scans, &count));
    REN_TRY(ren__safetensors_open(study->context, path, &file));
    const ren__tensor_entry *any = ren__safetensors_at(file, 0);
    if (!any || any->rank != 2 || any->shape[1] < 1 || any->shape[1] > INT32_MAX / 2) REN_TRY(malformed(path));
    REN_TRY(ren__feature_columns(study->context, (int32_t)any->shape[1], &columns));
    REN_TRY(ren__region_table_make(study->context, &columns, study->cohort->count, regions, &table));
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (table.value[region]) REN_TRY(read_region(file, path, region, scans, count, &table));
    *out = table;
    memset(&table, 0, sizeof table);
out:
    ren__region_table_end(&table);
    ren__free((void *)(uintptr_t)columns.name);
    ren__safetensors_close(file);
    ren__free(scans);
    return st;
}

ren_status ren__features_table_read(const ren_study *study, int32_t fold, int32_t expert, uint32_t regions,
                                    const char *needed_by, ren__region_table *out) {
    const ren__job *job = ren__table_job(study, REN__JOB_FEATURES, fold, expert);
    ren_status st;

    if (!job || !ren__job_done(study, job))
        return ren__error(REN_E_STATE, "%s needs the job %s, which is not done: run it first", needed_by,
                          job ? job->id : "of the features");
    char *path = ren__job_path(study, job, FEATURES_FILE);
    st = path ? read_file(study, fold, path, regions, out) : ren__out_of_memory();
    ren__free(path);
    return st;
}
