/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, loading and running studies. */
#include "train/jobs.h"

#include <string.h>

#include "train/study_files.h"

/* ------------------------------------------------------------------------------------------------------- making */

/* Takes over `config`, whatever happens. */
static ren_status create(ren_context *context, const char *folder, ren__study_config *config, ren_study **out) {
    ren_status st = REN_OK;
    ren_study *study = NULL;

    *out = NULL;
    REN_CALLOC(study, 1);
    study->context = ren__context_retain(context);
    study->config = config;
    config = NULL;
    study->folder = ren__strdup(context, folder);
    study->log = ren__path_join(context, folder, "log.txt");
    if (!study->folder || !study->log) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren__jobs_list(study));
    *out = study;
    study = NULL;
out:
    ren__study_config_free(config);
    ren_study_free(study);
    return st;
}

void ren_study_free(ren_study *study) {
    if (!study) return;
    ren_context *context = study->context;

    ren_dataset_free(study->dataset);
    ren__free(study->split);
    ren__cohort_free(study->cohort);
    ren__free(study->job);
    ren__study_config_free(study->config);
    ren__free(study->log);
    ren__free(study->folder);
    ren__free(study);
    ren__context_release(context);
}

static ren__split_options split_options(const ren__study_config *config) {
    return (ren__split_options){ .folds = config->folds,
                                 .validation = config->validation,
                                 .stratified = config->stratified,
                                 .protocol = config->protocol,
                                 .seed = config->seed };
}

/* Kept by the study only when it has all scans. */
static ren_status create_dataset(ren_study *study) {
    ren_context *context = study->context;
    char *scans = ren__path_join(context, study->folder, "scans");
    const ren_dataset_options options = { .struct_size = sizeof options,
                                          .cache_folder = scans,
                                          .preset = &study->config->preset };
    ren_dataset *dataset = NULL;
    ren_status st = REN_OK;

    if (!scans) return ren__out_of_memory();
    REN_TRY(ren_dataset_create(context, &options, &dataset));
    for (int32_t i = 0; i < study->cohort->count; i++) {
        const ren__dataset_item *item = &study->cohort->item[i];
        REN_TRY(ren_dataset_add_files(dataset, item->patient, item->scan, item->image, item->lobes, item->label));
    }
    study->dataset = dataset;
    dataset = NULL;
out:
    ren_dataset_free(dataset);
    ren__free(scans);
    return st;
}

ren_status ren__study_need_data(ren_study *study) {
    ren_context *context = study->context;
    char *path = NULL;
    ren_status st = REN_OK;

    if (study->dataset) return REN_OK;
    if (!study->cohort) REN_TRY(ren__cohort_read(context, study->config->root, study->config->table, &study->cohort));
    if (!study->split) {
        path = ren__path_join(context, study->folder, "split.json");
        if (!path) {
            st = ren__out_of_memory();
            goto out;
        }
        REN_TRY(ren__split_read(context, path, study->cohort, study->config->folds, &study->split));
    }
    REN_TRY(create_dataset(study));
out:
    ren__free(path);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ opening */

static ren_status make_folders(ren_context *context, const char *folder) {
    static const char *const names[] = { "jobs", "predictions", "models" };
    ren_status st = REN_OK;

    for (size_t i = 0; i < 3 && st == REN_OK; i++) {
        char *path = ren__path_join(context, folder, "%s", names[i]);
        st = path ? ren__folder_make(path) : ren__out_of_memory();
        ren__free(path);
    }
    return st;
}

/* The split first, the configuration last: a process that dies between leaves a folder that has not been started. */
static ren_status start(ren_study *study, const char *config_path) {
    ren_context *context = study->context;
    const ren__split_options options = split_options(study->config);
    char *split_path = ren__path_join(context, study->folder, "split.json");
    ren_text *text = NULL;
    ren_status st = REN_OK;

    if (!split_path) return ren__out_of_memory();
    REN_TRY(ren__cohort_read(context, study->config->root, study->config->table, &study->cohort));
    REN_TRY(
        ren__split_make(context, &options, study->cohort->patient_label, study->cohort->patient_count, &study->split));
    REN_TRY(make_folders(context, study->folder));
    REN_TRY(ren__split_write(context, study->split, &options, study->cohort, split_path));
    REN_TRY(ren__yaml_write(context, study->config->tree, &text));
    REN_TRY(ren__file_write(config_path, ren_text_data(text), ren_text_size(text)));
    ren__log_append(study->log, "study started, libren %s: %d patients, %d scans, %d jobs", ren_version(),
                    (int)study->cohort->patient_count, (int)study->cohort->count, (int)study->job_count);
out:
    ren_text_free(text);
    ren__free(split_path);
    return st;
}

static ren_status go_on(ren_study *study, const char *config_path, int32_t resume) {
    ren__study_config *stored = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__study_config_read(study->context, config_path, &stored));
    st = ren__study_config_same(study->context, stored->tree, study->config->tree);
    if (st != REN_OK) {
        st = ren__error_context(st, "%s", study->folder);
        goto out;
    }
    if (!resume)
        REN_FAIL(REN_E_STATE,
                 "%s: this study has been started: go on with --resume (`resume` not 0), or take another "
                 "folder",
                 study->folder);
    REN_TRY(make_folders(study->context, study->folder));
    REN_TRY(ren__study_need_data(study));
out:
    ren__study_config_free(stored);
    return st;
}

/* What shall be fitted can be fitted here: better known now than when days of training are done. */
static ren_status check_fits(const ren__study_config *config) {
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->gate_count && st == REN_OK; i++)
        if (config->gate[i].predictor) {
            st = ren__fit_available(config->gate[i].predictor);
            if (st != REN_OK) st = ren__error_context(st, "gates[%d]", (int)i);
        }
    for (int32_t i = 0; i < config->mixture_count && st == REN_OK; i++)
        if (config->mixture[i].stacking) {
            st = ren__fit_available(config->mixture[i].stacking);
            if (st != REN_OK) st = ren__error_context(st, "mixtures[%d]", (int)i);
        }
    return st;
}

ren_status ren_study_open(ren_context *context, const char *config_path, const char *run_folder, int32_t resume,
                          ren_study **out) {
    ren__study_config *config = NULL;
    ren_study *study = NULL;
    char *stored = NULL;
    ren__run run;
    int lock = -1;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && config_path != NULL && run_folder != NULL);
    ren_status st = ren__run_begin(&run, context, NULL);
    if (st != REN_OK) goto out;
    REN_TRY(ren__study_config_read(context, config_path, &config));
    REN_TRY(check_fits(config));
    REN_TRY(ren__folder_make(run_folder));
    st = create(context, run_folder, config, &study);
    config = NULL;
    if (st != REN_OK) goto out;
    stored = ren__path_join(context, run_folder, "config.yaml");
    if (!stored) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren__folder_lock(run_folder, REN__LOCK_PATIENCE, &run,
                             &lock)); /* two processes that start at once make one split */
    REN_TRY(ren__path_exists(stored) ? go_on(study, stored, resume) : start(study, stored));
    *out = study;
    study = NULL;
out:
    ren__folder_unlock(lock);
    ren__free(stored);
    ren_study_free(study);
    return ren__run_end(&run, st);
}

ren_status ren_study_load(ren_context *context, const char *run_folder, ren_study **out) {
    ren__study_config *config = NULL;
    char *stored = NULL;
    ren__run run;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && run_folder != NULL);
    ren_status st = ren__run_begin(&run, context, NULL);
    if (st != REN_OK) goto out;
    stored = ren__path_join(context, run_folder, "config.yaml");
    if (!stored) {
        st = ren__out_of_memory();
        goto out;
    }
    if (!ren__path_exists(stored))
        REN_FAIL(REN_E_IO, "%s: is no run folder: there is no config.yaml in it", run_folder);
    REN_TRY(ren__study_config_read(context, stored, &config));
    st = create(context, run_folder, config, out);
out:
    ren__free(stored);
    return ren__run_end(&run, st);
}

/* --------------------------------------------------------------------------------------------------------- jobs */

int32_t ren_study_job_count(const ren_study *study) {
    return study ? study->job_count : 0;
}

const char *ren_study_job_id(const ren_study *study, int32_t index) {
    return study && index >= 0 && index < study->job_count ? study->job[index].id : NULL;
}

int32_t ren_study_job_done(const ren_study *study, int32_t index) {
    return study && index >= 0 && index < study->job_count && ren__job_done(study, &study->job[index]);
}

int32_t ren_study_job_stage(const ren_study *study, int32_t index) {
    return study && index >= 0 && index < study->job_count ? study->job[index].stage : 0;
}

int32_t ren_study_job_need(const ren_study *study, int32_t index, int32_t need) {
    if (!study || index < 0 || index >= study->job_count || need < 0) return -1;
    const ren__job *found = ren__job_need(study, &study->job[index], need);
    return found ? (int32_t)(found - study->job) : -1;
}

/* Gives the frame's progress the job's name. */
static ren_status run_one(ren_study *study, const ren__job *job, ren__run *run) {
    run->stage = job->id;
    run->stage_begin = 0.0;
    run->stage_end = 1.0;
    ren_status st = ren__job_run(study, job, run);
    if (st == REN_OK) st = ren__run_progress(run, job->id, 1.0);
    run->stage = NULL;
    if (st != REN_OK) ren__log_append(study->log, "%s ended early: %s", job->id, ren_status_name(st));
    return st;
}

ren_status ren_study_run_job(ren_study *study, const char *id, const ren_run_options *options) {
    const ren__job *job = NULL;
    ren__run run;

    REN_REQUIRE(study != NULL && id != NULL);
    for (int32_t i = 0; i < study->job_count && !job; i++)
        if (strcmp(study->job[i].id, id) == 0) job = &study->job[i];
    if (!job)
        return ren__error(REN_E_NOT_FOUND,
                          "there is no job \"%.80s\" in this study: the first is %s, --list-jobs names "
                          "all",
                          id, study->job_count > 0 ? study->job[0].id : "missing");
    ren_status st = ren__run_begin(&run, study->context, options);
    if (st == REN_OK) st = run_one(study, job, &run);
    return ren__run_end(&run, st);
}

ren_status ren_study_run(ren_study *study, const ren_run_options *options) {
    ren__run run;

    REN_REQUIRE(study != NULL);
    ren_status st = ren__run_begin(&run, study->context, options);
    for (int32_t i = 0; i < study->job_count && st == REN_OK; i++)
        if (!ren__job_done(study, &study->job[i])) st = run_one(study, &study->job[i], &run);
    for (int32_t model = 0; model < study->config->model_count && st == REN_OK; model++)
        st = ren__study_gather(study, model, 0); /* a process that died after its last job */
    return ren__run_end(&run, st);
}
