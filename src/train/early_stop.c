/* SPDX-License-Identifier: Apache-2.0 */
/* Early stopping. */
#include "train/early_stop.h"

#include <math.h>

ren_status ren__early_stop_init(ren__early_stop *stop, const ren__early_stop_options *options) {
    if (options->patience < 0 || options->start < 0)
        return ren__error(REN_E_INVALID, "early stopping: patience and start must be 0 or more");
    if (!(options->delta >= 0.0 && options->delta < 1.0))
        return ren__error(REN_E_INVALID, "early stopping: the smallest gain must be at least 0 and below 1");
    if (!(options->gap >= 0.0 && options->gap <= 1.0))
        return ren__error(REN_E_INVALID, "early stopping: the gap must be from 0 (never) to 1");
    *stop =
        (ren__early_stop){ .options = *options, .best_auc = -INFINITY, .best_loss = INFINITY, .reference = -INFINITY };
    return REN_OK;
}

ren__stop_reason ren__early_stop_update(ren__early_stop *stop, int64_t epoch, double training_auc,
                                        double validation_auc, double validation_loss, int *keep) {
    const ren__early_stop_options *options = &stop->options;
    const int higher = validation_auc > stop->best_auc;

    *keep = higher || (validation_auc >= stop->best_auc && validation_loss < stop->best_loss);
    if (*keep) {
        stop->best_auc = validation_auc;
        stop->best_loss = validation_loss;
        stop->best_epoch = epoch;
    }
    if (validation_auc > stop->reference + options->delta) {
        stop->reference = validation_auc;
        stop->waited = 0;
    } else if (epoch >= options->start) {
        stop->waited++;
    }
    if (epoch < options->start) return REN__STOP_NO;
    if (options->gap > 0.0 && training_auc - validation_auc > options->gap) return REN__STOP_GAP;
    if (options->patience > 0 && stop->waited >= options->patience) return REN__STOP_PATIENCE;
    return REN__STOP_NO;
}
