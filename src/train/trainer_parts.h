/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the training loop share. */
#ifndef REN_TRAIN_TRAINER_PARTS_H
#define REN_TRAIN_TRAINER_PARTS_H

#include "train/trainer.h"

/* One set of samples, and what the network said of them in the order they were run. */
typedef struct ren__sample_set {
    int32_t *index; /* into the data set; empty regions are left out */
    int32_t count, empty, classes[2];
    int32_t *label;
    double *score;
    int32_t scored;
} ren__sample_set;

/* A training under way. */
typedef struct ren__training {
    ren_context *context;
    const ren__train_task *task;
    const ren__train_settings *settings;
    ren__run *run;
    ren__train_state state;
    ren__sample_set training, validation;
    json_t *loss;
    ren__session *session; /* for training, of `session_batch` samples */
    int64_t session_batch;
    ren__graph *inference; /* of `inference_batch` samples */
    int64_t inference_batch;
    size_t cells;       /* of one sample */
    float *sample;      /* one sample before augmentation */
    uint32_t *numbers;  /* [batch]: what dropout tells samples apart by */
    float **parameters; /* of the weights, the trained ones in order */
    const float **gradients;
    int32_t *trained; /* their indices among the weights */
    int32_t trained_count;
    ren_text *identity;
    char *checkpoint, *history;              /* paths; NULL: not written */
    double last_checkpoint, checkpoint_took; /* seconds */
} ren__training;

/* trainer_samples.c */
/* Prepares the scans of both lists and chooses those whose region is not empty. */
ren_status ren__samples_choose(ren__training *t) REN_CHECKED;
void ren__samples_free(ren__sample_set *set);
int32_t ren__sample_label(const ren__training *t, int32_t index);
/* One sample's inputs at a place of the session's batch: changed as epoch `epoch` draws it, or as it is (0). */
ren_status ren__sample_fill(ren__training *t, ren__session *session, int32_t place, int32_t index,
                            uint32_t epoch) REN_CHECKED;

/* trainer_state.c */
/* Weights, optimiser and the rest as they are before the first epoch, or as the folder's checkpoint has them. */
ren_status ren__training_begin(ren__training *t) REN_CHECKED;
ren_status ren__training_store(ren__training *t) REN_CHECKED; /* a checkpoint, where it is time for one */
void ren__training_end(ren__training *t);

#endif
