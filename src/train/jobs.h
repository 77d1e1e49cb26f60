/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that run a study's jobs share. */
#ifndef REN_TRAIN_JOBS_H
#define REN_TRAIN_JOBS_H

#include "train/study.h"

#define REN__DONE_FILE       "done.json"
#define REN__MODEL_FILE      "model.safetensors"
#define REN__VALIDATION_FILE "validation.csv"

/* jobs_list.c: fills study->job. */
ren_status ren__jobs_list(ren_study *study) REN_CHECKED;

/* {library, job, fold (but of a job for all folds), needs}: what every done.json but an expert's begins with. */
ren_status ren__job_heading(const ren_study *study, const ren__job *job, json_t **out) REN_CHECKED;
/* done.json of a job that is no model's; the last file that it writes. */
ren_status ren__job_store(ren_study *study, const ren__job *job, json_t *done) REN_CHECKED;

/* Jobs by kind. The folder is there and locked, and what the job needs is done. */
ren_status ren__table_run(ren_study *study, const ren__job *job, ren__run *run) REN_CHECKED;     /* gates_table.c */
ren_status ren__features_run(ren_study *study, const ren__job *job, ren__run *run) REN_CHECKED;  /* gates_features.c */
ren_status ren__predictor_run(ren_study *study, const ren__job *job, ren__run *run) REN_CHECKED; /* gates_predictor.c */

#endif
