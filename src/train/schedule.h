/* SPDX-License-Identifier: Apache-2.0 */
/* How the learning rate goes from epoch to epoch: PyTorch's ReduceLROnPlateau, CosineAnnealingLR and PolynomialLR, all
 * as closed forms or a few numbers of state, which a checkpoint stores. */
#ifndef REN_TRAIN_SCHEDULE_H
#define REN_TRAIN_SCHEDULE_H

#include "base/context.h"

typedef enum ren__schedule_kind {
    REN__SCHEDULE_CONSTANT,
    REN__SCHEDULE_PLATEAU,
    REN__SCHEDULE_COSINE,
    REN__SCHEDULE_POLYNOMIAL
} ren__schedule_kind;

typedef struct ren__schedule_options {
    ren__schedule_kind kind;
    double rate;      /* of the first epoch */
    double minimum;   /* plateau and cosine: no lower rate (eta_min) */
    double factor;    /* plateau: what the rate is multiplied with */
    double threshold; /* plateau: relative gain that counts as better */
    int64_t patience; /* plateau: epochs without a gain that are tolerated */
    int64_t length;   /* cosine: T_max (the rate rises again after it); polynomial: total_iters (0 from there on) */
    double power;     /* polynomial */
} ren__schedule_options;

/* Constant 1e-4; plateau 0.5 after 5, threshold 1e-4; length 50; power 0.9. */
#define REN__SCHEDULE_OPTIONS_INIT                                                                                     \
    { REN__SCHEDULE_CONSTANT, 1e-4, 0.0, 0.5, 1e-4, 5, 50, 0.9 }

typedef struct ren__schedule {
    ren__schedule_options options;
    /* the state */
    int64_t epoch; /* epochs ended */
    double rate;   /* of the epoch that comes */
    double best;   /* plateau: best metric so far, -infinity before any */
    int64_t bad;   /* plateau: epochs since */
} ren__schedule;

/* REN_E_INVALID for settings that make no sense, each named. */
ren_status ren__schedule_init(ren__schedule *schedule, const ren__schedule_options *options) REN_CHECKED;
/* After an epoch: `metric` is what is to rise (validation AUC); only the plateau looks at it, and a NaN is no gain. */
void ren__schedule_step(ren__schedule *schedule, double metric);

#endif
