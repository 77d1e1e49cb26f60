/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study and its run folder:
 *
 *     config.yaml                the configuration, resolved; its presence means "started"
 *     split.json                 who is in which set of which fold
 *     scans/                     prepared scans, shared by all jobs
 *     jobs/ID/                   what one job has written: checkpoint.safetensors (while it trains), history.csv,
 *                                validation.csv, model.safetensors (an expert, a mixture's gate, a mixture that is one
 *                                network), predictor.json (of a region's radiomics), radiomics.csv and cases.csv (a
 *                                table), features.safetensors, done.json (last)
 *     predictions/NAME.csv       of a model, all folds: validation once its jobs are done, test once it is evaluated
 *     models/NAME.safetensors    of a mixture, once its jobs are done
 *     evaluation.{json,csv,html}
 *     log.txt
 */
#ifndef REN_TRAIN_STUDY_H
#define REN_TRAIN_STUDY_H

#include "train/predictions.h"

/*
 * What a job does. A model's job trains one expert on one region of one fold, fits one regional predictor, or fits one
 * mixture. The others make tables that several models read:
 *     table      the radiomics of all scans, for all gates with these parameters. Reads no label: one for all folds
 *     features   what an entry of experts makes of the training and validation scans of a fold before its last layer
 */
enum ren__job_kind { REN__JOB_MODEL, REN__JOB_TABLE, REN__JOB_FEATURES };

typedef struct ren__job {
    char id[REN__MODEL_NAME_SIZE + 16]; /* "radiomics.gate", "fold0.cnn.LUL", "fold0.cnn.features", "fold0.ren" */
    enum ren__job_kind kind;
    int32_t fold;  /* -1: all */
    int32_t model; /* of the configuration; -1: of none */
    int32_t of;    /* table: the gate; features: the entry of experts; else -1 */
    int32_t stage; /* from 1: jobs need jobs of lower stages alone */
} ren__job;

struct ren_study {
    ren_context *context; /* held */
    char *folder;
    char *log; /* path */
    ren__study_config *config;
    ren__job *job; /* tables, then fold after fold, in each what is needed before what needs it */
    int32_t job_count;
    ren__cohort *cohort; /* these three: NULL until ren__study_need_data */
    ren__split *split;
    ren_dataset *dataset;
};

/* Reads table and split where that was not done yet: a stored evaluation can be had without the data. */
ren_status ren__study_need_data(ren_study *study) REN_CHECKED;

/* jobs.c */
/* What this job needs, counted from 0; NULL past the end. */
const ren__job *ren__job_need(const ren_study *study, const ren__job *job, int32_t need);
/* A seed of its own for every job, whatever other jobs there are. */
uint64_t ren__job_seed(const ren_study *study, const ren__job *job);
/* What the training record says of the study; NULL: no memory. */
json_t *ren__job_origin(const ren_study *study, const ren__job *job);
/* The scans of one of the fold's sets, in the data set's order, which is the table's; ren__free ends the list. */
ren_status ren__job_scans(const ren_study *study, const ren__job *job, enum ren__set set, int32_t **scans,
                          int32_t *count) REN_CHECKED;
/* The IDs of what the job needs, as a list for done.json. */
ren_status ren__job_needs_json(const ren_study *study, const ren__job *job, json_t **out) REN_CHECKED;
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

/* gates_base.c: the base weights that a gate gives the regions of the study in a fold: above 0, not normalised; 0 for
 * other regions. `expert` is the entry whose validation counts where the gate names none. From finished jobs; the job
 * `needed_by` is named where one is missing. */
ren_status ren__study_gate_base(const ren_study *study, int32_t fold, int32_t gate, int32_t expert,
                                const char *needed_by, double base[REN_REGION_COUNT]) REN_CHECKED;

/* ensemble.c */
/* Fits a mixture's gate, or the predictor that stacks, to the fold's finished experts. */
ren_status ren__ensemble_run(ren_study *study, const ren__job *job, ren__run *run) REN_CHECKED;
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
