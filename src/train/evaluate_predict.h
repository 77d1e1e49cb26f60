/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of a study's models for the test scans of a fold. */
#ifndef REN_TRAIN_EVALUATE_PREDICT_H
#define REN_TRAIN_EVALUATE_PREDICT_H

#include "train/evaluate.h"

/* Adds the rows of fold run[index] to every model's `test`, and sets each model's parameters and FLOP. */
ren_status ren__evaluation_predict_fold(ren__evaluation *evaluation, int32_t index, ren__run *run) REN_CHECKED;

#endif
