/* SPDX-License-Identifier: Apache-2.0 */
/* Early stopping: what is kept, when it stops. */
#include "train/early_stop.h"

#include "harness.h"

static ren_status test_patience_counts_from_the_start_epoch(ren_context *context) {
    ren_status st = REN_OK;
    ren__early_stop_options options = REN__EARLY_STOP_OPTIONS_INIT;
    ren__early_stop stop;
    int keep;

    (void)context;
    options.patience = 3;
    options.start = 5;
    REN_TRY(ren__early_stop_init(&stop, &options));
    for (int epoch = 1; epoch <= 6; epoch++)
        CHECK_INT(ren__early_stop_update(&stop, epoch, 0.7, 0.7, 1.0, &keep), REN__STOP_NO);
    CHECK_INT(ren__early_stop_update(&stop, 7, 0.7, 0.7, 1.0, &keep), REN__STOP_PATIENCE);
    CHECK_INT(stop.best_epoch, 1);
out:
    return st;
}

static ren_status test_a_gain_resets_patience(ren_context *context) {
    static const double auc[] = { 0.7, 0.7005, 0.7009, 0.702, 0.702, 0.702 }; /* the 4th is a gain over 0.7 */
    ren_status st = REN_OK;
    ren__early_stop_options options = REN__EARLY_STOP_OPTIONS_INIT;
    ren__early_stop stop;
    int keep, kept = 0;

    (void)context;
    options.patience = 3;
    options.start = 1;
    REN_TRY(ren__early_stop_init(&stop, &options));
    for (int epoch = 1; epoch <= 6; epoch++) {
        CHECK_INT(ren__early_stop_update(&stop, epoch, 0.7, auc[epoch - 1], 1.0, &keep), REN__STOP_NO);
        kept += keep;
    }
    CHECK_INT(kept, 4); /* every higher AUC, however small the rise */
    CHECK_INT(stop.best_epoch, 4);
    CHECK_INT(ren__early_stop_update(&stop, 7, 0.7, 0.702, 1.0, &keep), REN__STOP_PATIENCE);
out:
    return st;
}

static ren_status test_equal_auc_is_decided_by_loss(ren_context *context) {
    ren_status st = REN_OK;
    ren__early_stop_options options = REN__EARLY_STOP_OPTIONS_INIT;
    ren__early_stop stop;
    int keep;

    (void)context;
    REN_TRY(ren__early_stop_init(&stop, &options));
    CHECK_INT(ren__early_stop_update(&stop, 1, 1.0, 1.0, 0.6, &keep), REN__STOP_NO);
    CHECK_INT(keep, 1);
    CHECK_INT(ren__early_stop_update(&stop, 2, 1.0, 1.0, 0.7, &keep), REN__STOP_NO);
    CHECK_INT(keep, 0);
    CHECK_INT(ren__early_stop_update(&stop, 3, 1.0, 1.0, 0.5, &keep), REN__STOP_NO);
    CHECK_INT(keep, 1);
    CHECK_INT(ren__early_stop_update(&stop, 4, 1.0, 0.9, 0.1, &keep), REN__STOP_NO);
    CHECK_INT(keep, 0);
    CHECK_INT(stop.best_epoch, 3);
out:
    return st;
}

static ren_status test_the_gap_stops_from_the_start_epoch(ren_context *context) {
    ren_status st = REN_OK;
    ren__early_stop_options options = REN__EARLY_STOP_OPTIONS_INIT;
    ren__early_stop stop;
    int keep;

    (void)context;
    options.start = 3;
    REN_TRY(ren__early_stop_init(&stop, &options));
    CHECK_INT(ren__early_stop_update(&stop, 2, 0.99, 0.6, 1.0, &keep), REN__STOP_NO);
    CHECK_INT(ren__early_stop_update(&stop, 3, 0.76, 0.62, 1.0, &keep), REN__STOP_NO);
    CHECK_INT(ren__early_stop_update(&stop, 4, 0.86, 0.7, 1.0, &keep), REN__STOP_GAP);
    CHECK_INT(keep, 1); /* still the best so far */
    options.gap = 0.0;
    REN_TRY(ren__early_stop_init(&stop, &options));
    CHECK_INT(ren__early_stop_update(&stop, 4, 1.0, 0.5, 1.0, &keep), REN__STOP_NO);
    options.gap = -1.0;
    CHECK_FAILS(ren__early_stop_init(&stop, &options), REN_E_INVALID, "gap");
out:
    return st;
}

TEST_MAIN(CASE(test_patience_counts_from_the_start_epoch), CASE(test_a_gain_resets_patience),
          CASE(test_equal_auc_is_decided_by_loss), CASE(test_the_gap_stops_from_the_start_epoch))
