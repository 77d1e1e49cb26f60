/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of predictions: one row a scan, with the set it was in and, for mixtures, the weights of the regions. */
#ifndef REN_TRAIN_PREDICTIONS_H
#define REN_TRAIN_PREDICTIONS_H

#include "train/split.h"

typedef struct ren__prediction {
    int32_t scan; /* of the cohort */
    int32_t fold;
    enum ren__set set;
    double probability;              /* of label 1 */
    double weight[REN_REGION_COUNT]; /* mixtures: sum 1; experts: all 0 */
} ren__prediction;

typedef struct ren__predictions {
    ren_context *context; /* borrowed */
    ren__prediction *item;
    int32_t count, capacity;
} ren__predictions;

/* A zeroed structure with its context is empty. Scans whose region is empty have no row. */
ren_status ren__predictions_add(ren__predictions *predictions, const ren__prediction *item) REN_CHECKED;
ren_status ren__predictions_append(ren__predictions *predictions, const ren__predictions *more) REN_CHECKED;
void ren__predictions_free(ren__predictions *predictions); /* the items */

/* CSV with the columns patient, scan, label, fold, set, probability, weights ("LUL=0.25 LLL=0.75"). Atomic. */
ren_status ren__predictions_write(const ren__predictions *predictions, const ren__cohort *cohort,
                                  const char *path) REN_CHECKED;
/* Adds the rows of a file that was written for this cohort, its scans in the cohort's order. */
ren_status ren__predictions_read(ren__predictions *predictions, const ren__cohort *cohort,
                                 const char *path) REN_CHECKED;

#endif
