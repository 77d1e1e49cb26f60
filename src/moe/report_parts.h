/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of the report, each added to the page's text. A failed addition sticks to the text. */
#ifndef REN_MOE_REPORT_PARTS_H
#define REN_MOE_REPORT_PARTS_H

#include "moe/report.h"
#include "moe/result.h"

/* "Left upper lobe" */
const char *ren__region_title(int32_t region);
/* A number with so many decimals; "-" where it is none. */
void ren__add_fixed(ren_text *text, double value, int decimals);
/* The largest weight of a region: the top of the weights' scale. */
double ren__most_weight(const ren_result *result);
/* A bar of a share of the full width; `tick` (a share; negative: none) marks the threshold. */
void ren__add_bar(ren_text *text, double share, ren__colour colour, double tick);

/* Outcome: probability, wording, gauge. */
void ren__add_outcome(ren_text *page, const ren_result *result);
/* Table of regions and the sum. */
void ren__add_regions(ren_text *page, const ren_result *result, const ren__anatomy *anatomy);
/* What moved the outcome, where the prediction was asked to explain itself. */
void ren__add_explanation(ren_text *page, const ren_result *result);
/* The planes, three times each: CT, weights, probabilities. */
ren_status ren__add_pictures(ren_text *page, const ren_result *result, const ren__anatomy *anatomy, ren__run *run);
/* Model, training record, input, versions. */
void ren__add_model(ren_text *page, const ren_result *result);
void ren__add_input(ren_text *page, const ren_result *result, const ren_volume *ct, const ren_volume *lobes);

#endif
