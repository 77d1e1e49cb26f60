/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer's handle: what a study's jobs train their experts with, and hosts as well. */
#ifndef REN_TRAIN_TRAINER_HANDLE_H
#define REN_TRAIN_TRAINER_HANDLE_H

#include "train/expert_entry.h"

/* What a trainer is made of. Everything is copied or held. */
typedef struct ren__trainer_parts {
    const ren__expert_entry *entry;
    ren_dataset *dataset;
    int32_t region;
    const int32_t *training, *validation; /* indices into the data set */
    size_t training_count, validation_count;
    uint64_t seed;
    const char *folder;        /* NULL: nothing is written */
    double checkpoint_seconds; /* as ren__train_task has it */
    const double *base;        /* as ren__train_task has it; REN_REGION_COUNT of them, or NULL */
    const float *features;     /* as ren__train_task has them, borrowed until the trainer is ended; or NULL */
    size_t feature_count;
    const json_t *origin; /* where it comes from (study, fold, ...): members of the training record; NULL: none */
} ren__trainer_parts;

/* Refuses lists that cannot be trained on, as ren_trainer_create says. */
ren_status ren__trainer_make(ren_context *context, const ren__trainer_parts *parts, ren_trainer **out) REN_CHECKED;

/* ren_trainer_run within a call that is under way. The folder must be there, and nobody else at work in it. */
ren_status ren__trainer_train(ren_trainer *trainer, ren__run *run) REN_CHECKED;
/* Once trained: the expert, and the training record of its model card. They belong to the trainer. */
const ren_expert *ren__trainer_expert(const ren_trainer *trainer);
const json_t *ren__trainer_record(const ren_trainer *trainer);
/* Of a trainer with features, which makes no expert: the head's weights. */
const ren__weights *ren__trainer_head(const ren_trainer *trainer);

#endif
