/* SPDX-License-Identifier: Apache-2.0 */
/* All that a training is at the end of an epoch, and its file. */
#ifndef REN_TRAIN_CHECKPOINT_H
#define REN_TRAIN_CHECKPOINT_H

#include "graph/weights.h"
#include "train/early_stop.h"
#include "train/optimiser.h"
#include "train/schedule.h"

/* Columns of the history, one row an epoch. */
enum ren__history_column {
    REN__HISTORY_EPOCH,
    REN__HISTORY_RATE,
    REN__HISTORY_TRAINING_LOSS,
    REN__HISTORY_TRAINING_AUC,
    REN__HISTORY_VALIDATION_LOSS,
    REN__HISTORY_VALIDATION_AUC,
    REN__HISTORY_VALIDATION_ACCURACY,
    REN__HISTORY_BEST, /* 1: these weights were the best so far */
    REN__HISTORY_COLUMNS
};

typedef double ren__history_row[REN__HISTORY_COLUMNS];

/* "epoch", "lr", ...: the column's name in history.csv. */
const char *ren__history_name(enum ren__history_column column);

typedef struct ren__train_state {
    ren__weights *weights, *best; /* of the best epoch so far; the same parameters */
    ren__optimiser *optimiser;    /* for the trained parameters, in the weights' order */
    ren__schedule schedule;
    ren__early_stop early_stop;
    ren__stop_reason stopped;
    int64_t epoch;             /* epochs ended */
    ren__history_row *history; /* room for all epochs */
} ren__train_state;

/* Writes the state; atomic. `identity` says what is trained: it must be the same when the state is read back. */
ren_status ren__checkpoint_write(ren_context *context, const char *path, const char *identity,
                                 const ren__train_state *state) REN_CHECKED;
/* Reads into a state that was made for the same task and has trained nothing; `epochs` is the history's room. Another
 * identity is REN_E_STATE, a damaged file REN_E_FORMAT; the state is then undefined. */
ren_status ren__checkpoint_load(ren_context *context, const char *path, const char *identity, int64_t epochs,
                                ren__train_state *state) REN_CHECKED;
/* Removes what writers that were killed have left half done in the folder. Nobody else may be writing there. */
void ren__checkpoint_sweep(const char *folder);
/* The history as CSV; atomic. */
ren_status ren__history_write(ren_context *context, const char *path, const ren__train_state *state) REN_CHECKED;

#endif
