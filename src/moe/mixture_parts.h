/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of mixtures share: one scan's way through a mixture, and explanations of its outcome. */
#ifndef REN_MOE_MIXTURE_PARTS_H
#define REN_MOE_MIXTURE_PARTS_H

#include "moe/moe.h"

/* A scan that a mixture's regional experts are asked about. Begun with the first group of fields set, all else 0. */
typedef struct ren__consultation {
    const ren_mixture *mixture;
    const ren_scan *scan;
    const ren__evidence *radiomics; /* NULL: nothing is known */
    const ren_predict_options *options;
    ren__run *run;
    int32_t wants_features; /* not 0: keep the experts' deep features although the weights do not need them */
    /* The same scan with more lobes, asked about before, and which lobes (bits) are missing here: an expert that none
     * of them concerns says what it said there. NULL: all are asked. */
    const struct ren__consultation *before;
    uint32_t missing;
    /* The outcome, by region. */
    int32_t skipped[REN_REGION_COUNT]; /* REN__RAN or why not; of regions with an expert */
    int32_t ran[REN_REGION_COUNT];
    double answer[REN_REGION_COUNT][REN__MAX_CLASSES];
    double *features;       /* a row of the gate's columns for each region; freed by _end */
    ren__evidence evidence; /* what the gate was given */
    double weight[REN_REGION_COUNT];
    double probability[REN__MAX_CLASSES];
} ren__consultation;

/* Asks the experts, weighs and combines. Whatever it returns, _end follows. */
ren_status ren__consult(ren__consultation *consultation);
void ren__consultation_end(ren__consultation *consultation);

/* What explains the outcome of a consultation, for the result; of a mixture that is one network, `consultation` is one
 * that was not asked. */
ren_status ren__mixture_explain(const ren__consultation *consultation, ren_result *result);

#endif
