/* SPDX-License-Identifier: Apache-2.0 */
/* Making a result, and what reports ask of it. */
#ifndef REN_MOE_RESULT_H
#define REN_MOE_RESULT_H

#include "moe/moe.h"

/* What every result and report says. */
extern const char ren__notice[];

/* A result of the mixture for the scan: its regions, none of which has run, and the scan's warnings. */
ren_status ren__result_create(const ren_mixture *mixture, const ren_scan *scan, ren_result **out);
ren_status ren__result_warn(ren_result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A number as JSON, or null where it is none. */
json_t *ren__result_number(double value);
/* result_explanation.c: of a result that has one; NULL: no memory. */
json_t *ren__explanation_json(const ren_result *result);
void ren__explanation_free(ren__explanation *explanation); /* mixture_explain.c; NULL is fine */
/* Sets the label from the probabilities and the threshold. */
void ren__result_decide(ren_result *result);

#endif
