/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study and its run folder:
 *
 *     config.yaml                the configuration, resolved; its presence means "started"
 *     split.json                 who is in which set of which fold
 *     scans/                     prepared scans, shared by all jobs
 *     jobs/ID/                   what one job has written: checkpoint.safetensors (while it trains), history.csv,
 *                                validation.csv, model.safetensors (an expert, or a mixture's gate), done.json (last)
 *     predictions/NAME.csv       of a model, all folds: validation once its jobs are done, test once it is evaluated
 *     models/NAME.safetensors    of a mixture, once its jobs are done
 *     evaluation.{json,csv,html}
 *     log.txt
 */
#ifndef REN_TRAIN_STUDY_H
#define REN_TRAIN_STUDY_H

#include "train/predictions.h"

/* One job trains one expert on one region of one fold, or fits one mixture's gate on one fold. */
typedef struct ren__job {
    char id[REN__MODEL_NAME_SIZE + 16]; /* "fold0.cnn.LUL", "fold0.ren" */
    int32_t fold;
    int32_t model; /* of the configuration */
} ren__job;

struct ren_study {
    ren_context *context; /* held */
    char *folder;
    char *log; /* path */
    ren__study_config *config;
    ren__job *job; /* fold after fold, in each the configuration's models in order: experts before mixtures */
    int32_t job_count;
    ren__cohort *cohort; /* these three: NULL until ren__study_need_data */
    ren__split *split;
    ren_dataset *dataset;
};

/* Reads table and split where that was not done yet: a stored evaluation can be had without the data. */
ren_status ren__study_need_data(ren_study *study) REN_CHECKED;

/* jobs.c */
int ren__job_done(const ren_study *study, const ren__job *job);
/* The job of a model in a fold (one that runs); NULL: there is none. */
const ren__job *ren__job_find(const ren_study *study, int32_t fold, int32_t model);
/* A file of the job's folder; the caller's. */
char *ren__job_path(const ren_study *study, const ren__job *job, const char *file);
/* What a finished job says of itself; REN_E_STATE, naming `needed_by`, for one that is not done. */
ren_status ren__job_record(const ren_study *study, const ren__job *job, const char *needed_by,
                           json_t **done) REN_CHECKED;
/* Runs the job unless it is done. */
ren_status ren__job_run(ren_study *study, const ren__job *job, ren__run *run) REN_CHECKED;
/* predictions/NAME.csv and models/NAME.safetensors of a model all of whose jobs are done; `anew` 0: what is there
 * stays. */
ren_status ren__study_gather(ren_study *study, int32_t model, int anew) REN_CHECKED;
/* The number `key` of `group` in a job's done.json; REN_E_FORMAT where it is missing. */
ren_status ren__job_number(const json_t *done, const ren__job *job, const char *group, const char *key,
                           double *value) REN_CHECKED;
/* The end of a job, for all kinds: validation.csv, then done.json with what validation says. */
ren_status ren__job_finish(ren_study *study, const ren__job *job, const ren__predictions *validation,
                           json_t *done) REN_CHECKED;

/* ensemble.c */
/* Fits a mixture's gate to the fold's finished experts. */
ren_status ren__ensemble_run(ren_study *study, const ren__job *job) REN_CHECKED;
/* What a gate makes of the regions' probabilities (NaN: did not run). */
ren_status ren__ensemble_combine(const ren_gate *gate, const double probability[REN_REGION_COUNT],
                                 ren__prediction *out) REN_CHECKED;
/* models/NAME.safetensors: the mixture of the fold with the best validation AUC (of equals the first). */
ren_status ren__ensemble_write_model(ren_study *study, int32_t model, const char *path) REN_CHECKED;

/* What validation says of a model: by scan and by patient (mean of the patient's scans; positive where one scan is). */
typedef struct ren__validation {
    int32_t scans, patients;
    double auc, accuracy, loss, threshold; /* accuracy at 0.5; threshold: Youden's */
    double patient_auc, patient_threshold;
} ren__validation;
ren_status ren__validation_measure(const ren__cohort *cohort, const ren__predictions *predictions,
                                   ren__validation *out) REN_CHECKED;

#endif
