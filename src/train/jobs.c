/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs. What a job leaves depends on the study and on finished jobs alone, and done.json comes last: a job that is
 * killed is simply run again, from its checkpoint, and leaves the same bytes.
 */
#include <string.h>

#include "base/random.h"
#include "moe/moe.h"
#include "train/jobs.h"
#include "train/metrics.h"
#include "train/mixture_network.h"
#include "train/study_files.h"
#include "train/trainer_handle.h"

#define DONE_FILE       REN__DONE_FILE
#define MODEL_FILE      REN__MODEL_FILE
#define VALIDATION_FILE REN__VALIDATION_FILE

char *ren__job_path(const ren_study *study, const ren__job *job, const char *file) {
    return ren__path_join(study->context, study->folder, "jobs/%s%s%s", job->id, file[0] ? "/" : "", file);
}

int ren__job_done(const ren_study *study, const ren__job *job) {
    char *path = ren__job_path(study, job, DONE_FILE);
    const int done = path && ren__path_exists(path);

    ren__free(path);
    return done;
}

const ren__job *ren__job_find(const ren_study *study, int32_t fold, int32_t model) {
    for (int32_t i = 0; i < study->job_count; i++)
        if (study->job[i].kind == REN__JOB_MODEL && study->job[i].fold == fold && study->job[i].model == model)
            return &study->job[i];
    return NULL;
}

ren_status ren__job_record(const ren_study *study, const ren__job *job, const char *needed_by, json_t **done) {
    char *path = ren__job_path(study, job, DONE_FILE);
    ren_status st;

    *done = NULL;
    if (!path) return ren__out_of_memory();
    if (!ren__path_exists(path))
        st = ren__error(REN_E_STATE, "%s needs the job %s, which is not done: run it first", needed_by, job->id);
    else
        st = ren__document_read(study->context, path, done);
    ren__free(path);
    return st;
}

ren_status ren__job_number(const json_t *done, const ren__job *job, const char *group, const char *key, double *value) {
    const json_t *number = json_object_get(json_object_get(done, group), key);

    if (!json_is_number(number))
        return ren__error(REN_E_FORMAT,
                          "jobs/%s/" DONE_FILE ": \"%s\" has no number \"%s\": remove the job's folder and "
                          "run it again",
                          job->id, group, key);
    *value = json_number_value(number);
    return REN_OK;
}

ren_status ren__job_heading(const ren_study *study, const ren__job *job, json_t **out) {
    json_t *heading = json_pack("{s:s, s:s}", "library", ren_version(), "job", job->id), *needs = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(heading));
    if (job->fold >= 0) REN_TRY(ren__json_set(heading, "fold", json_integer(job->fold)));
    REN_TRY(ren__job_needs_json(study, job, &needs));
    REN_TRY(ren__json_set(heading, "needs", needs));
    *out = heading;
    heading = NULL;
out:
    json_decref(heading);
    return st;
}

ren_status ren__job_store(ren_study *study, const ren__job *job, json_t *done) {
    char *path = ren__job_path(study, job, DONE_FILE);
    const ren_status st = path ? ren__json_file_write(study->context, path, done) : ren__out_of_memory();

    if (st == REN_OK) ren__log_append(study->log, "%s done", job->id);
    ren__free(path);
    return st;
}

/* --------------------------------------------------------------------------------------------------- validation */

static ren_status measure_patients(ren_context *context, const ren__cohort *cohort, const int32_t *patient,
                                   const double *score, int32_t count, ren__validation *out) {
    ren__patient_means means = { 0 };
    int32_t *label = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(label, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        label[i] = cohort->patient_label[patient[i]];
    REN_TRY(ren__patient_means_make(context, patient, label, score, count, &means));
    REN_TRY(ren__metric_auc(context, means.label, means.score, means.count, &out->patient_auc));
    REN_TRY(ren__metric_youden(context, means.label, means.score, means.count, &out->patient_threshold));
    out->patients = means.count;
out:
    ren__patient_means_free(&means);
    ren__free(label);
    return st;
}

ren_status ren__validation_measure(const ren__cohort *cohort, const ren__predictions *predictions,
                                   ren__validation *out) {
    ren_context *context = predictions->context;
    const int32_t count = predictions->count;
    int32_t *label = NULL, *patient = NULL;
    double *score = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(label, (size_t)count);
    REN_CALLOC(patient, (size_t)count);
    REN_CALLOC(score, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        label[i] = cohort->item[predictions->item[i].scan].label;
        patient[i] = cohort->patient[predictions->item[i].scan];
        score[i] = predictions->item[i].probability;
    }
    out->scans = count;
    REN_TRY(ren__metric_auc(context, label, score, count, &out->auc));
    REN_TRY(ren__metric_youden(context, label, score, count, &out->threshold));
    REN_TRY(ren__metric_accuracy(label, score, count, 0.5, &out->accuracy));
    REN_TRY(ren__metric_cross_entropy(label, score, count, &out->loss));
    REN_TRY(measure_patients(context, cohort, patient, score, count, out));
out:
    ren__free(score);
    ren__free(patient);
    ren__free(label);
    return st;
}

static json_t *validation_json(const ren__validation *from) {
    return json_pack("{s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f}", "scans", (int)from->scans, "patients",
                     (int)from->patients, "auc", from->auc, "accuracy", from->accuracy, "loss", from->loss, "threshold",
                     from->threshold, "patient_auc", from->patient_auc, "patient_threshold", from->patient_threshold);
}

ren_status ren__job_finish(ren_study *study, const ren__job *job, const ren__predictions *predictions, json_t *done) {
    ren__validation validation = { 0 };
    char *table = ren__job_path(study, job, VALIDATION_FILE), *path = ren__job_path(study, job, DONE_FILE);
    ren_status st = REN_OK;

    if (!table || !path) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren__validation_measure(study->cohort, predictions, &validation));
    REN_TRY(ren__json_set(done, "validation", validation_json(&validation)));
    REN_TRY(ren__predictions_write(predictions, study->cohort, table));
    REN_TRY(ren__json_file_write(study->context, path, done));
    ren__log_append(study->log, "%s done: validation AUC %.4f, %d scans", job->id, validation.auc,
                    (int)validation.scans);
out:
    ren__free(path);
    ren__free(table);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ experts */

/* FNV-1a of the ID, through Philox. */
uint64_t ren__job_seed(const ren_study *study, const ren__job *job) {
    const uint64_t seed = study->config->seed;
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    uint64_t hash = 0xCBF29CE484222325u;
    uint32_t out[4];

    for (const char *id = job->id; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 0x100000001B3u;
    const uint32_t counter[4] = { (uint32_t)hash, (uint32_t)(hash >> 32), 0, 0x4A4F4253u };
    ren__philox(counter, key, out);
    return (uint64_t)out[1] << 32 | out[0];
}

json_t *ren__job_origin(const ren_study *study, const ren__job *job) {
    const ren__study_config *config = study->config;

    return json_pack("{s:s, s:s, s:I, s:i, s:i, s:s}", "study", config->study, "job", job->id, "seed",
                     (json_int_t)config->seed, "fold", (int)job->fold, "folds", (int)config->folds, "protocol",
                     config->protocol == REN__PROTOCOL_PAPER ? "paper" : "default");
}

/* The expert's predictions for the fold's validation scans, by the code that predicts everywhere else. */
static ren_status predict_validation(ren_study *study, const ren__job *job, const ren_expert *expert,
                                     const int32_t *scans, int32_t count, ren__run *run, ren__predictions *out) {
    ren_scan *scan = NULL;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < count; i++) {
        ren__prediction item = { .scan = scans[i], .fold = job->fold, .set = REN__SET_VALIDATION };
        double probabilities[REN__MAX_CLASSES];
        REN_TRY(ren__run_progress(run, "validation", (double)i / count));
        REN_TRY(ren__dataset_scan(study->dataset, scans[i], run, &scan));
        if (scan->voxels[ren_expert_region(expert)] > 0) {
            REN_TRY(ren__expert_probabilities(expert, NULL, scan, run, probabilities));
            item.probability = probabilities[1];
            REN_TRY(ren__predictions_add(out, &item));
        }
        ren_scan_free(scan);
        scan = NULL;
    }
out:
    ren_scan_free(scan);
    return st;
}

/* From the trained expert to a finished job; `scans` are the fold's for validation. */
static ren_status store_expert(ren_study *study, const ren__job *job, const ren_trainer *trainer, const int32_t *scans,
                               int32_t count, ren__run *run) {
    const ren_expert *expert = ren__trainer_expert(trainer);
    ren__predictions validation = { .context = study->context };
    json_t *done = json_copy((json_t *)(uintptr_t)ren__trainer_record(trainer)); /* counts references, no more */
    char *path = ren__job_path(study, job, MODEL_FILE), *checkpoint = ren__job_path(study, job, REN__CHECKPOINT_FILE);
    ren_status st = REN_OK;

    if (!path || !checkpoint) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren__json_checked(done));
    REN_TRY(predict_validation(study, job, expert, scans, count, run, &validation));
    REN_TRY(ren_expert_save(expert, path));
    REN_TRY(ren__job_finish(study, job, &validation, done));
    ren__file_remove(checkpoint); /* three times the model's size, and no longer of use */
out:
    json_decref(done);
    ren__predictions_free(&validation);
    ren__free(checkpoint);
    ren__free(path);
    return st;
}

static void stage_part(ren__run *run, double begin, double end) {
    run->stage_begin = begin;
    run->stage_end = end;
}

ren_status ren__job_scans(const ren_study *study, const ren__job *job, enum ren__set set, int32_t **scans,
                          int32_t *count) {
    ren_context *context = study->context;
    const ren__cohort *cohort = study->cohort;
    ren_status st = REN_OK;

    REN_CALLOC(*scans, (size_t)cohort->count);
    *count = ren__split_scans(study->split, cohort->patient, cohort->count, job->fold, set, *scans);
out:
    return st;
}

static ren_status run_expert(ren_study *study, const ren__job *job, ren__run *run) {
    const ren__study_model *model = &study->config->model[job->model];
    ren_trainer *trainer = NULL;
    int32_t *training = NULL, *validation = NULL, training_count, validation_count;
    json_t *origin = ren__job_origin(study, job);
    char *folder = ren__job_path(study, job, "");
    ren_status st = folder ? ren__json_checked(origin) : ren__out_of_memory();

    if (st != REN_OK) goto out;
    REN_TRY(ren__job_scans(study, job, REN__SET_TRAINING, &training, &training_count));
    REN_TRY(ren__job_scans(study, job, REN__SET_VALIDATION, &validation, &validation_count));
    const ren__trainer_parts parts = { .entry = &study->config->expert[model->expert],
                                       .dataset = study->dataset,
                                       .region = model->region,
                                       .training = training,
                                       .validation = validation,
                                       .training_count = (size_t)training_count,
                                       .validation_count = (size_t)validation_count,
                                       .seed = ren__job_seed(study, job),
                                       .folder = folder,
                                       .origin = origin };
    REN_TRY(ren__trainer_make(study->context, &parts, &trainer));
    stage_part(run, 0.0, 0.95);
    REN_TRY(ren__trainer_train(trainer, run));
    stage_part(run, 0.95, 1.0);
    REN_TRY(store_expert(study, job, trainer, validation, validation_count, run));
out:
    ren_trainer_free(trainer);
    ren__free(validation);
    ren__free(training);
    json_decref(origin);
    ren__free(folder);
    return st;
}

/* --------------------------------------------------------------------------------------------------- any job */

/* Everything that the job needs, before it begins. */
static ren_status check_needs(const ren_study *study, const ren__job *job) {
    const ren__job *need;

    for (int32_t i = 0; (need = ren__job_need(study, job, i)); i++)
        if (!ren__job_done(study, need))
            return ren__error(REN_E_STATE, "%s needs the job %s, which is not done: run it first", job->id, need->id);
    return REN_OK;
}

static ren_status run_model(ren_study *study, const ren__job *job, ren__run *run) {
    const ren__study_model *model = &study->config->model[job->model];

    if (model->gate >= 0) return ren__predictor_run(study, job, run);
    if (model->mixture < 0) return run_expert(study, job, run);
    if (study->config->mixture[model->mixture].network.net) return ren__mixture_network_run(study, job, run);
    return ren__ensemble_run(study, job, run);
}

static ren_status run_locked(ren_study *study, const ren__job *job, ren__run *run) {
    ren_status st = REN_OK;

    if (ren__job_done(study, job)) return REN_OK; /* another process was faster */
    ren__log_append(study->log, "%s begins", job->id);
    if (job->kind == REN__JOB_TABLE)
        st = ren__table_run(study, job, run);
    else if (job->kind == REN__JOB_FEATURES)
        st = ren__features_run(study, job, run);
    else
        st = run_model(study, job, run);
    if (st != REN_OK) return ren__error_context(st, "%s", job->id);
    return job->kind == REN__JOB_MODEL ? ren__study_gather(study, job->model, 1) : REN_OK;
}

ren_status ren__job_run(ren_study *study, const ren__job *job, ren__run *run) {
    char *folder = NULL;
    int lock = -1;
    ren_status st = REN_OK;

    if (ren__job_done(study, job)) return job->model >= 0 ? ren__study_gather(study, job->model, 0) : REN_OK;
    REN_TRY(check_needs(study, job));
    REN_TRY(ren__study_need_data(study));
    folder = ren__job_path(study, job, "");
    if (!folder) return ren__out_of_memory();
    REN_TRY(ren__folder_make(folder));
    REN_TRY(ren__folder_lock(folder, REN__LOCK_PATIENCE, run, &lock));
    REN_TRY(run_locked(study, job, run));
out:
    ren__folder_unlock(lock);
    ren__free(folder);
    return st;
}

/* ---------------------------------------------------------------------------------------------------- gathering */

static ren_status gather_predictions(ren_study *study, int32_t model, const char *path) {
    ren__predictions all = { .context = study->context };
    ren_status st = REN_OK;

    REN_TRY(ren__study_need_data(study));
    for (int32_t i = 0; i < study->config->run_count; i++) {
        const ren__job *job = ren__job_find(study, study->config->run[i], model);
        char *table = ren__job_path(study, job, VALIDATION_FILE);
        st = table ? ren__predictions_read(&all, study->cohort, table) : ren__out_of_memory();
        ren__free(table);
        if (st != REN_OK) goto out;
    }
    REN_TRY(ren__predictions_write(&all, study->cohort, path));
out:
    ren__predictions_free(&all);
    return st;
}

ren_status ren__study_gather(ren_study *study, int32_t model, int anew) {
    const ren__study_model *of = &study->config->model[model];
    char *predictions = NULL, *file = NULL;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < study->config->run_count; i++)
        if (!ren__job_done(study, ren__job_find(study, study->config->run[i], model))) return REN_OK;
    predictions = ren__path_join(study->context, study->folder, "predictions/%s.csv", of->name);
    file = ren__path_join(study->context, study->folder, "models/%s.safetensors", of->name);
    if (!predictions || !file) {
        st = ren__out_of_memory();
        goto out;
    }
    if (anew || !ren__path_exists(predictions)) REN_TRY(gather_predictions(study, model, predictions));
    if (of->mixture >= 0 && (anew || !ren__path_exists(file))) REN_TRY(ren__ensemble_write_model(study, model, file));
out:
    ren__free(file);
    ren__free(predictions);
    return st;
}
