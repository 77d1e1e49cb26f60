/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prediction by a mixture: which experts run, what they say, how it is weighed.
 *
 * Where the weights are known before the experts run (they do not depend on what the experts see), those that cannot
 * matter need not run at all: `top_k` and `min_weight`.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "moe/evidence.h"
#include "moe/mixture_parts.h"
#include "moe/model_file.h"
#include "moe/result.h"
#include "moe/session_cache.h"

ren_status ren_predict_options_init(ren_predict_options *options, size_t size) {
    const ren_predict_options defaults = { .struct_size = sizeof defaults };

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_predict_options");
}

/* ------------------------------------------------------------------------------------------------- who is asked */

static int is_conditional(const ren_predict_options *options) {
    return options->top_k > 0 || options->min_weight > 0.0;
}

static ren_status check_options(const ren_mixture *mixture, const ren_predict_options *options) {
    if (options->top_k < 0 || !(options->min_weight >= 0.0 && options->min_weight <= 1.0))
        return ren__error(REN_E_INVALID, "ren_predict_options: top_k is 0 or more, and min_weight 0 to 1");
    if (!is_conditional(options)) return REN_OK;
    if (mixture->stack)
        return ren__error(REN_E_INVALID, "top_k and min_weight leave experts out, but this mixture's stacked predictor "
                                         "needs the answers of all");
    if (ren__gate_reads(mixture->gate) == REN__READS_FEATURES)
        return ren__error(REN_E_INVALID, "top_k and min_weight leave experts out, but this mixture's gate reads the "
                                         "features of all: its weights are known only when they have run");
    return REN_OK;
}

/* Regions by falling weight; of equals the first comes first. */
static void rank_regions(const double weight[REN_REGION_COUNT], int32_t order[REN_REGION_COUNT]) {
    for (int32_t i = 0; i < REN_REGION_COUNT; i++) {
        int32_t at = i;
        for (; at > 0 && weight[i] > weight[order[at - 1]]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* Leaves out the experts whose weight is too small. The largest always runs. */
static ren_status leave_out(ren__consultation *c) {
    int32_t order[REN_REGION_COUNT];

    const ren_status st = ren__gate_weights(c->mixture->gate, c->ran, &c->evidence, c->weight);
    if (st != REN_OK) return st;
    rank_regions(c->weight, order);
    for (int32_t i = 1; i < REN_REGION_COUNT; i++) {
        const int32_t region = order[i];
        if (!c->ran[region]) continue;
        const double weight = c->weight[region];
        if (weight > 0.0 && weight >= c->options->min_weight && (c->options->top_k == 0 || i < c->options->top_k))
            continue;
        c->ran[region] = 0;
        c->skipped[region] = REN__SKIPPED_WEIGHT;
    }
    return REN_OK;
}

static ren_status choose(ren__consultation *c) {
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!c->mixture->expert[region]) continue;
        c->ran[region] = c->scan->voxels[region] > 0;
        c->skipped[region] = c->ran[region] ? REN__RAN : REN__SKIPPED_EMPTY;
    }
    return is_conditional(c->options) ? leave_out(c) : REN_OK;
}

/* ------------------------------------------------------------------------------------------------ what they say */

static double *features_of(const ren__consultation *c, int32_t region) {
    return c->features ? c->features + (size_t)region * (size_t)ren__gate_columns(c->mixture->gate).count : NULL;
}

/* An expert that sees here what it saw before says the same. */
static int repeat(ren__consultation *c, int32_t region) {
    const size_t count = (size_t)ren__gate_columns(c->mixture->gate).count;

    if (!c->before || !c->before->ran[region] || (ren__region_lobes(region) & c->missing)) return 0;
    memcpy(c->answer[region], c->before->answer[region], sizeof c->answer[region]);
    if (c->features) memcpy(features_of(c, region), features_of(c->before, region), count * sizeof *c->features);
    return 1;
}

static ren_status ask(ren__consultation *c, int32_t region, float *features) {
    const size_t count = (size_t)ren__gate_columns(c->mixture->gate).count;
    ren__expert_outputs outputs = { .features = features };

    if (repeat(c, region)) return REN_OK;
    const ren_status st = ren__expert_run(c->mixture->expert[region], c->mixture->cache, c->scan, c->run, &outputs);
    if (st != REN_OK) return st;
    memcpy(c->answer[region], outputs.probability, sizeof c->answer[region]);
    for (size_t i = 0; features && i < count; i++)
        features_of(c, region)[i] = (double)features[i];
    return REN_OK;
}

static ren_status ask_all(ren__consultation *c) {
    ren_context *context = c->mixture->context;
    const size_t count = (size_t)ren__gate_columns(c->mixture->gate).count;
    const int wants = c->wants_features || ren__gate_reads(c->mixture->gate) == REN__READS_FEATURES;
    float *features = NULL;
    int32_t number = 0, asked = 0;
    ren_status st = REN_OK;

    if (wants) {
        REN_CALLOC(features, count);
        REN_CALLOC(c->features, count * REN_REGION_COUNT);
    }
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        number += c->ran[region];
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!c->ran[region]) continue;
        if (!c->before) REN_TRY(ren__run_progress(c->run, "experts", (double)asked++ / number));
        REN_TRY(ask(c, region, features));
        if (wants) c->evidence.row[region] = features_of(c, region);
    }
    if (!c->before) REN_TRY(ren__run_progress(c->run, "experts", 1.0));
out:
    ren__free(features);
    return st;
}

/* ---------------------------------------------------------------------------------------------------- combining */

/* A stacked mixture: a predictor on the experts' probabilities. Its regions' weights are the shares of what moved it.
 */
static ren_status combine_stacked(ren__consultation *c) {
    const ren__predictor *stack = c->mixture->stack;
    double row[REN_REGION_COUNT], moved[REN_REGION_COUNT], base, sum = 0.0;
    int32_t ran = 0;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        row[region] = c->ran[region] ? c->answer[region][1] : (double)NAN;
        ran += c->ran[region];
    }
    if (ran == 0) return ren__error(REN_E_DATA, "no region that has a weight could be computed: the lungs are empty");
    const ren_status st = ren__predictor_explain(stack, row, moved, &base);
    if (st != REN_OK) return st;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (c->ran[region]) sum += fabs(moved[region]);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        c->weight[region] = !c->ran[region] ? 0.0 : sum > 0.0 ? fabs(moved[region]) / sum : 1.0 / ran;
    c->probability[1] = 1.0 / (1.0 + exp(-ren__predictor_logit(stack, row)));
    c->probability[0] = 1.0 - c->probability[1];
    return REN_OK;
}

static ren_status combine(ren__consultation *c) {
    ren_expert *experts[REN_REGION_COUNT];

    if (c->mixture->stack) return combine_stacked(c);
    const ren_status st = ren__gate_weights(c->mixture->gate, c->ran, &c->evidence, c->weight);
    if (st != REN_OK) return st;
    ren__mixture_experts(c->mixture, experts);
    for (int32_t class = 0; class < experts[0]->classes; class ++) {
        c->probability[class] = 0.0;
        for (int32_t region = 0; region < REN_REGION_COUNT; region++)
            if (c->ran[region]) c->probability[class] += c->weight[region] * c->answer[region][class];
    }
    return REN_OK;
}

ren_status ren__consult(ren__consultation *c) {
    ren_status st = REN_OK;

    if (c->radiomics) c->evidence = *c->radiomics;
    REN_TRY(choose(c));
    REN_TRY(ask_all(c));
    REN_TRY(combine(c));
out:
    return st;
}

void ren__consultation_end(ren__consultation *c) {
    ren__free(c->features);
    c->features = NULL;
}

/* ------------------------------------------------------------------------------------------------------- result */

/* One warning that names all regions that are empty. */
static ren_status warn_of_absent(ren_result *result) {
    char names[128] = "";
    int32_t absent = 0;

    for (int32_t i = 0; i < result->region_count; i++) {
        if (result->region[i].skipped != REN__SKIPPED_EMPTY) continue;
        const size_t used = strlen(names); /* seven short names fit */
        snprintf(names + used, sizeof names - used, "%s%s", absent++ ? ", " : "",
                 ren_region_name(result->region[i].region));
    }
    if (absent == 0) return REN_OK;
    return ren__result_warn(result,
                            "%d of %d experts did not run, for their region is empty (%s): the weights of the "
                            "others are normalised without %s",
                            absent, result->region_count, names, absent == 1 ? "it" : "them");
}

/* Regions that ran and whose radiomics the gate should have seen. */
static ren_status warn_of_unknown(const ren__consultation *c, ren_result *result) {
    ren_status st = REN_OK;

    if (c->mixture->stack || ren__gate_reads(c->mixture->gate) != REN__READS_RADIOMICS) return REN_OK;
    for (int32_t region = 0; region < REN_REGION_COUNT && st == REN_OK; region++) {
        if (!c->mixture->expert[region] || c->skipped[region] == REN__SKIPPED_EMPTY) continue;
        if (!ren__gate_predictor(c->mixture->gate, region) || c->evidence.row[region]) continue;
        const char *why = c->evidence.missing[region];
        st = ren__result_warn(result, "the gate has no radiomics of region %s (%s): it weighs it without",
                              ren_region_name(region), why ? why : "none were given");
    }
    return st;
}

static ren_status take_outcome(const ren__consultation *c, ren_result *result) {
    memcpy(result->probability, c->probability, sizeof result->probability);
    for (int32_t i = 0; i < result->region_count; i++) {
        ren__region_result *to = &result->region[i];
        to->ran = c->ran[to->region];
        to->skipped = c->skipped[to->region];
        to->weight = c->weight[to->region];
        if (to->ran) to->probability = c->answer[to->region][1];
        if (!to->ran) to->weight = 0.0;
    }
    ren__result_decide(result);
    const ren_status st = warn_of_absent(result);
    return st == REN_OK ? warn_of_unknown(c, result) : st;
}

static ren_status predict_regions(ren__consultation *c, ren_result *result) {
    ren_status st = REN_OK;
    const double started = ren__now();

    c->wants_features = c->options->explain && ren__gate_explains(c->mixture->gate) == REN__READS_FEATURES;
    if (c->radiomics) c->evidence = *c->radiomics;
    REN_TRY(choose(c));
    REN_TRY(ask_all(c));
    const double answered = ren__now();
    REN_TRY(combine(c));
    REN_TRY(take_outcome(c, result));
    result->seconds[REN__EXPERTS] = answered - started;
    result->seconds[REN__GATE] = ren__now() - answered;
out:
    return st;
}

static ren_status predict_whole(ren__consultation *c, ren_result *result) {
    const double started = ren__now();
    const ren_status st = ren__mixture_predict_whole(c->mixture, c->scan, c->run, result);

    result->seconds[REN__EXPERTS] = ren__now() - started;
    return st;
}

ren_status ren__mixture_predict_prepared(const ren_mixture *mixture, const ren_scan *scan,
                                         const ren__evidence *evidence, const ren_predict_options *options,
                                         ren__run *run, ren_result **out) {
    static const ren_predict_options plain = { .struct_size = sizeof plain };
    ren__consultation c = { .mixture = mixture, .scan = scan, .radiomics = evidence, .run = run };
    ren_result *result = NULL;
    ren_status st = REN_OK;
    const double started = ren__now();

    c.options = options ? options : &plain;
    REN_TRY(check_options(mixture, c.options));
    REN_TRY(ren__result_create(mixture, scan, &result));
    REN_TRY(ren__mixture_whole(mixture) ? predict_whole(&c, result) : predict_regions(&c, result));
    if (c.options->explain) {
        const double answered = ren__now();
        REN_TRY(ren__mixture_explain(&c, result));
        result->seconds[REN__EXPLANATION] = ren__now() - answered;
    }
    result->seconds[REN__TOTAL] = ren__now() - started;
    *out = result;
    result = NULL;
out:
    ren__consultation_end(&c);
    ren_result_free(result);
    return st;
}

ren_status ren__mixture_predict_scan(const ren_mixture *mixture, const ren_scan *scan, ren__run *run,
                                     ren_result **out) {
    return ren__mixture_predict_prepared(mixture, scan, NULL, NULL, run, out);
}

/* --------------------------------------------------------------------------------------------------- of volumes */

/* Not 0 where the radiomics are wanted: by the gate, or by an explanation of it. */
static int wants_radiomics(const ren_mixture *mixture, const ren_predict_options *options) {
    if (ren__mixture_whole(mixture) || mixture->stack) return 0;
    if (ren__gate_reads(mixture->gate) == REN__READS_RADIOMICS) return 1;
    return options->explain && ren__gate_explains(mixture->gate) == REN__READS_RADIOMICS;
}

static ren_status extract(const ren_mixture *mixture, const ren_scan *scan, const ren_volume *ct,
                          const ren_volume *lobes, ren__run *run, ren__extraction *extraction) {
    int32_t wanted[REN_REGION_COUNT];

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        wanted[region] =
            mixture->expert[region] && scan->voxels[region] > 0 && ren__gate_predictor(mixture->gate, region) != NULL;
    return ren__extract_evidence(mixture->gate, ct, lobes, wanted, run, extraction);
}

static ren_status predict(const ren_mixture *mixture, const ren_volume *ct, const ren_volume *lobes,
                          const ren_predict_options *options, ren__run *run, ren_result **out) {
    ren_expert *experts[REN_REGION_COUNT];
    ren__extraction extraction = { .features = NULL };
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;
    const double started = ren__now();

    REN_TRY(check_options(mixture, options));
    ren__mixture_experts(mixture, experts);
    REN_TRY(ren_scan_create(mixture->context, ct, lobes, &experts[0]->preset, NULL, &scan));
    const double prepared = ren__now();
    if (wants_radiomics(mixture, options)) REN_TRY(extract(mixture, scan, ct, lobes, run, &extraction));
    const double extracted = ren__now();
    REN_TRY(ren__mixture_predict_prepared(mixture, scan, &extraction.evidence, options, run, &result));
    result->seconds[REN__PREPROCESS] = prepared - started;
    result->seconds[REN__RADIOMICS] = extraction.features ? extracted - prepared : 0.0;
    result->seconds[REN__TOTAL] = ren__now() - started;
    *out = result;
out:
    ren__extraction_end(&extraction);
    ren_scan_free(scan);
    return st;
}

ren_status ren_mixture_predict_with(const ren_mixture *mixture, const ren_volume *ct, const ren_volume *lobes,
                                    const ren_predict_options *options, const ren_run_options *run_options,
                                    ren_result **out) {
    ren_predict_options set = { .struct_size = sizeof set };
    ren_result *result = NULL;
    ren__run run;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(mixture != NULL && ct != NULL && lobes != NULL);
    ren_status st = options ? ren__options_copy(&set, sizeof set, options, "ren_predict_options") : REN_OK;
    if (st != REN_OK) return st;
    st = ren__run_begin(&run, mixture->context, run_options);
    if (st == REN_OK) st = predict(mixture, ct, lobes, &set, &run, &result);
    st = ren__run_end(&run, st);
    if (st == REN_OK)
        *out = result;
    else
        ren_result_free(result);
    return st;
}

ren_status ren_mixture_predict(const ren_mixture *mixture, const ren_volume *ct, const ren_volume *lobes,
                               const ren_run_options *run, ren_result **out) {
    return ren_mixture_predict_with(mixture, ct, lobes, NULL, run, out);
}
