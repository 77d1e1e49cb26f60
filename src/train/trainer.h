/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trains one network on one region of a data set: epochs over shuffled and augmented batches, validation after each,
 * the learning rate's schedule, early stopping, and checkpoints from which a later call goes on to the same bits.
 *
 * All that is drawn follows from counters: order of samples (seed, epoch), augmentation and dropout (seed, epoch,
 * sample's index in the data set). The state at the end of an epoch is thus weights, moments, best weights and a few
 * numbers; the checkpoint holds exactly these. It is written to a temporary name and renamed, so a process that is
 * killed at any moment leaves the previous one.
 */
#ifndef REN_TRAIN_TRAINER_H
#define REN_TRAIN_TRAINER_H

#include "graph/weights.h"
#include "nets/nets.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/early_stop.h"
#include "train/optimiser.h"
#include "train/schedule.h"
#include "volume/augment.h"

/* What a mixture that is one network adds to its loss (nets/losses.c, gating_moe). */
typedef struct ren__mixture_loss {
    int used;
    int entropy; /* kind: 0 balance, 1 entropy */
    double weight, diversity, gating;
} ren__mixture_loss;

typedef struct ren__train_settings {
    int64_t epochs, batch;
    double smoothing;     /* of labels */
    int balanced;         /* class weights n / (K n_c) from the training samples; else all 1 */
    int mixture;          /* a mixture that is one network: has what follows */
    double backbone_rate; /* factor of its backbone's learning rate */
    ren__mixture_loss mixture_loss;
    ren__optimiser_options optimiser;
    ren__schedule_options schedule;
    ren__early_stop_options early_stop;
    int stops_early; /* 0: all epochs run; the best epoch's weights are returned all the same */
    ren__augment_options augmentation;
} ren__train_settings;

/*
 * Settings of an entry of `experts` (or `baselines`): net->training overlaid with `entry`, key by key, objects within
 * merged. These keys are the training's:
 *
 *     epochs: 100, batch: 4, optimiser: adamw | sgd, lr: 1.0e-4, weight_decay: 1.0e-4, momentum: 0.9 (of sgd alone),
 *     clip: 1.0 (global norm of the gradients; 0: none), smoothing: 0.05, class_weights: balanced | none,
 *     schedule: {kind: plateau, factor: 0.5, patience: 5, threshold: 1.0e-4, min_lr: 0}
 *             | {kind: cosine, t_max: 50, min_lr: 0} | {kind: polynomial, total: 100, power: 0.9} | {kind: constant}
 *             | the kind alone (t_max and total are then `epochs`)
 *     early_stopping: {patience: 15, min_delta: 0.001, from_epoch: 16, max_gap: 0.15} | false
 *     augmentation: {rotation: 0.1, noise: 0.01, shift: 5, scale: 0.1, probabilities: [0.3, 0.2, 0.2]} | false
 *             (radians, sd in units of the window, cells, relative; of rotation, of noise, of shift with scale)
 *
 * and of mixtures that are one network:
 *
 *     backbone_lr: 0.1 (factor of the backbone's learning rate; 0: it stays as drawn)
 *     regulariser: {kind: balance | entropy, weight: 0.005, diversity: 0.01, gating: 0.005} | false
 *
 * A schedule of another kind than the network's own replaces it as a whole.
 *
 * All other keys but `name` and `arch` are the network's own settings (dropout, ...) and come back in `network`, a new
 * object for the caller to json_decref; ren__net_graph refuses those that the network does not know. A value out of
 * range is REN_E_FORMAT with `where` ("experts[0]") and the key in the text.
 */
ren_status ren__train_settings_read(const json_t *entry, const ren__net *net, const char *where,
                                    ren__train_settings *settings, json_t **network) REN_CHECKED;
/* The settings as one JSON object in the keys above, nothing left out: for resolved configurations and model records.
 * NULL: no memory. */
json_t *ren__train_settings_json(const ren__train_settings *settings);

/* What to train. Pointers are borrowed for the call. */
typedef struct ren__train_task {
    const ren__net *net;
    const json_t *network; /* the network's settings; NULL: defaults */
    const ren__train_settings *settings;
    /* A head on finished experts (general_moe): what it reads instead of images, `feature_count` numbers a scan of the
     * data set, NaN first where the scan takes no part. Nothing is augmented then. NULL: images. */
    const float *features;
    size_t feature_count;
    const double *base;   /* base weights of the regions, of a mixture that is one network; NULL: all 1 */
    ren_dataset *dataset; /* its preset.size must be the network's */
    int32_t region;       /* REN_REGION_*; a network that takes lobes needs both lungs */
    const int32_t *training, *validation; /* indices into the data set */
    int32_t training_count, validation_count;
    uint64_t seed;
    const char *folder;        /* takes checkpoint.safetensors and history.csv; must exist, and be this training's alone
                                  while it runs. NULL: neither is written */
    double checkpoint_seconds; /* no two checkpoints closer than this; less than 0: after every epoch. What is written
                                  when never changes the result. 0: 10 s, or 10 times what writing one takes */
} ren__train_task;

/* What came of it. Samples whose region is empty (a resected lobe) took no part and are counted. */
typedef struct ren__train_outcome {
    ren__weights *weights; /* of the best epoch; ren__train_outcome_end drops them */
    int64_t epochs;        /* that ran, over all calls */
    int64_t best_epoch;    /* from 1 */
    ren__stop_reason stopped;
    double training_auc, training_loss;     /* of the best epoch, as it ran: augmented, with dropout */
    double validation_auc, validation_loss; /* of the best epoch; the loss is plain cross-entropy, unweighted */
    double validation_accuracy;             /* at 0.5 */
    int32_t training_samples, validation_samples;
    int32_t training_empty, validation_empty;
    ren__history_row *history; /* a row an epoch */
} ren__train_outcome;

/* Drops weights and history, if there are any. */
void ren__train_outcome_end(ren__train_outcome *outcome);

/*
 * Trains to the end, going on from folder's checkpoint where there is one. A checkpoint of another task (settings,
 * network, seed, region, samples) is REN_E_STATE. The checkpoint stays; the caller removes it once the model is stored.
 * Training or validation samples of one class only are REN_E_DATA, as is a loss or gradient that is not finite. Cancel
 * and deadline of `run` end the call within a batch and leave the last checkpoint.
 *
 * The last batch of an epoch is as small as it comes, except that a single sample is left out (batch normalisation has
 * no variance of one; PyTorch refuses it): with the order drawn anew each epoch no sample is left out for long. With
 * `batch` 1 networks that normalise over the batch are refused by their own operators.
 */
ren_status ren__train(ren_context *context, const ren__train_task *task, ren__run *run,
                      ren__train_outcome *out) REN_CHECKED;

/* Names within `folder`. */
#define REN__CHECKPOINT_FILE "checkpoint.safetensors"
#define REN__HISTORY_FILE    "history.csv"

#endif
