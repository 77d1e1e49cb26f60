/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which patient is in which set of which fold: made once for a study, stored in its folder, used by every stage. All
 * scans of a patient are in the same set. A patient counts as positive as soon as one of the scans is.
 */
#ifndef REN_TRAIN_SPLIT_H
#define REN_TRAIN_SPLIT_H

#include "train/config.h"
#include "train/study_cohort.h"

enum ren__set { REN__SET_TRAINING, REN__SET_VALIDATION, REN__SET_TEST, REN__SET_COUNT };

/* "train", "validation", "test". */
const char *ren__set_name(enum ren__set set);

typedef struct ren__split {
    int32_t folds, patients;
    uint8_t set[]; /* enum ren__set of fold x patients + patient */
} ren__split;

typedef struct ren__split_options {
    int32_t folds;     /* 0: no test set, and one "fold" of training and validation; protocol default */
    double validation; /* share of the training patients; protocol default */
    int32_t stratified;
    enum ren__protocol protocol;
    uint64_t seed;
} ren__split_options;

/*
 * Patients of each label (stratified; else all together) are shuffled and dealt to the folds in turn, which are the
 * held-out ones.
 * default: the held-out fold is the test set; `validation` of the other patients, of each label and at least one, is
 * the validation set. paper:   the held-out fold is halved into validation and test; all others train. A set with
 * patients of one label only is REN_E_DATA.
 */
ren_status ren__split_make(ren_context *context, const ren__split_options *options, const int32_t *labels,
                           int32_t patients, ren__split **out) REN_CHECKED;
/* ren__free ends a split. */

ren_status ren__split_write(ren_context *context, const ren__split *split, const ren__split_options *options,
                            const ren__cohort *cohort, const char *path) REN_CHECKED;
/* REN_E_STATE where the file is of another cohort: other patients, scans or labels. */
ren_status ren__split_read(ren_context *context, const char *path, const ren__cohort *cohort, int32_t folds,
                           ren__split **out) REN_CHECKED;

/* The scans of a set in the table's order; `patient` is that of each scan, `scans` has room for all. Gives how many. */
int32_t ren__split_scans(const ren__split *split, const int32_t *patient, int32_t count, int32_t fold,
                         enum ren__set set, int32_t *scans);

#endif
