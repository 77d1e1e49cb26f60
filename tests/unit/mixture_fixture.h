/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of predictions share: mixtures with any gate, and one line for a prediction. */
#ifndef REN_TESTS_MIXTURE_FIXTURE_H
#define REN_TESTS_MIXTURE_FIXTURE_H

#include "gate_fixture.h"
#include "moe_fixture.h"

/* Experts of regions first..last with this gate, or with a uniform one and this predictor on their probabilities. */
static inline ren_status fixture_mixture_of(ren_context *context, ren_gate *gate, const ren__predictor *stack,
                                            int32_t first, int32_t last, ren_mixture **out) {
    const ren__mixture_options options = { .stack = stack };
    ren_expert *experts[REN_REGION_COUNT] = { NULL };
    ren_gate_options plain;
    ren_gate *uniform = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_gate_options_init(&plain, sizeof plain));
    REN_TRY(ren_gate_create(context, &plain, &uniform));
    for (int32_t region = first; region <= last; region++)
        REN_TRY(fixture_expert(context, region, 100u + (uint64_t)region, &experts[region - first]));
    REN_TRY(ren__mixture_make(context, experts, (size_t)(last - first + 1), gate ? gate : uniform, &options, out));
out:
    for (int i = 0; i < REN_REGION_COUNT; i++)
        ren_expert_free(experts[i]);
    ren_gate_free(uniform);
    return st;
}

static inline ren_status fixture_predict(const ren_mixture *mixture, const ren_scan *scan,
                                         const ren__evidence *evidence, int32_t top_k, double min_weight,
                                         int32_t explain, ren_result **out) {
    const ren_predict_options options = { sizeof options, top_k, explain, min_weight };
    ren__run run;
    ren_status st = ren__run_begin(&run, mixture->context, NULL);

    if (st == REN_OK) st = ren__mixture_predict_prepared(mixture, scan, evidence, &options, &run, out);
    return ren__run_end(&run, st);
}

#endif
