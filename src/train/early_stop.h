/* SPDX-License-Identifier: Apache-2.0 */
/* When to stop, and which epoch's weights to keep. A plain structure: a checkpoint stores its state. */
#ifndef REN_TRAIN_EARLY_STOP_H
#define REN_TRAIN_EARLY_STOP_H

#include "base/context.h"

typedef struct ren__early_stop_options {
    int64_t patience; /* epochs without a gain that are tolerated; 0: never stops for want of one */
    double delta;     /* smallest rise of validation AUC that is a gain */
    int64_t start;    /* first epoch (from 1) that counts for patience and gap */
    double gap;       /* stops when training AUC - validation AUC is above; 0: never */
} ren__early_stop_options;

#define REN__EARLY_STOP_OPTIONS_INIT                                                                                   \
    { 15, 0.001, 16, 0.15 }

typedef enum ren__stop_reason { REN__STOP_NO, REN__STOP_PATIENCE, REN__STOP_GAP } ren__stop_reason;

typedef struct ren__early_stop {
    ren__early_stop_options options;
    /* the state */
    double best_auc, best_loss; /* on validation, of the weights to keep */
    int64_t best_epoch;         /* from 1; 0: none yet */
    double reference;           /* the AUC that a gain is counted from */
    int64_t waited;             /* epochs since the last gain, from `start` on */
} ren__early_stop;

ren_status ren__early_stop_init(ren__early_stop *stop, const ren__early_stop_options *options) REN_CHECKED;
/* After `epoch` (from 1). `keep` is set to 1 when this epoch's weights are the best so far: a higher validation AUC, or
 * the same AUC with a lower validation loss (small validation sets know few AUCs). Patience is reset only by a gain of
 * more than `delta`. */
ren__stop_reason ren__early_stop_update(ren__early_stop *stop, int64_t epoch, double training_auc,
                                        double validation_auc, double validation_loss, int *keep);

#endif
