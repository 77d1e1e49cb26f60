/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions in which experts are left out, gates that read a scan, stacked mixtures: against sums by hand. */
#include "mixture_fixture.h"
#include "moe/session_cache.h"

static const double raw[REN_REGION_COUNT] = { 0.7, 0.9, 0.6, 0.65, 0.95, 0.75, 0.85 };

/* The regions of `mask` ran and no others; weights and probability follow from the raw weights. */
static ren_status check_ran(const ren_result *result, uint32_t mask, uint32_t empty) {
    double sum = 0.0, probability = 0.0;
    ren_status st = REN_OK;

    for (int i = 0; i < ren_result_region_count(result); i++)
        sum += mask >> i & 1u ? raw[i] : 0.0;
    for (int i = 0; i < ren_result_region_count(result); i++) {
        CHECK_INT(ren_result_region_ran(result, i), mask >> i & 1u);
        if (mask >> i & 1u) {
            CHECK(ren_result_region_skipped(result, i) == NULL);
            CHECK_NEAR(ren_result_region_weight(result, i), raw[i] / sum, 1e-15);
            probability += raw[i] / sum * ren_result_region_probability(result, i);
        } else {
            CHECK_TEXT(ren_result_region_skipped(result, i), empty >> i & 1u ? "empty" : "weight");
            CHECK(ren_result_region_weight(result, i) == 0.0 && isnan(ren_result_region_probability(result, i)));
        }
    }
    CHECK_NEAR(ren_result_probability(result, 1), probability, 1e-15);
    CHECK(ren_result_region_skipped(result, 7) == NULL);
out:
    return st;
}

static ren_status predict_and_check(ren_context *context, const ren_scan *scan, int32_t top_k, double min_weight,
                                    uint32_t mask, uint32_t empty) {
    ren_mixture *mixture = NULL;
    ren_result *result = NULL;
    size_t sessions, bytes;
    ren_status st = REN_OK;

    REN_TRY(fixture_mixture(context, 0, 6, &mixture));
    REN_TRY(fixture_predict(mixture, scan, NULL, top_k, min_weight, 0, &result));
    REN_TRY(check_ran(result, mask, empty));
    CHECK_INT(ren_result_warning_count(result), empty != 0);
    /* What was left out was not computed: it has not even a session. */
    ren__session_cache_count(mixture->cache, &sessions, &bytes);
    CHECK((int)sessions == __builtin_popcount(mask) || test_injecting());
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    return st;
}

static ren_status test_leaves_out(ren_context *context) {
    ren_scan *scan = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(predict_and_check(context, scan, 2, 0.0, 0x12, 0));   /* LLL and RLL */
    REN_TRY(predict_and_check(context, scan, 0, 0.138, 0x72, 0)); /* 0.75 / 5.4 and above */
    REN_TRY(predict_and_check(context, scan, 3, 0.167, 0x10, 0)); /* RLL alone: 0.176 */
    REN_TRY(predict_and_check(context, scan, 0, 1.0, 0x10, 0));   /* the largest always runs */
    REN_TRY(predict_and_check(context, scan, 100, 0.0, 0x7f, 0));
out:
    ren_scan_free(scan);
    return st;
}

/* An empty lobe takes no place among the k. */
static ren_status test_leaves_out_beside_empty(ren_context *context) {
    ren_scan *scan = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 5, &scan));
    REN_TRY(predict_and_check(context, scan, 2, 0.0, 0x42, 0x10)); /* LLL and right lung */
out:
    ren_scan_free(scan);
    return st;
}

static ren_status test_refused_options(ren_context *context) {
    const ren__columns regions = ren__region_columns();
    ren_mixture *plain = NULL, *deep = NULL, *stacked = NULL;
    ren__predictor *stack = NULL;
    ren_gate *gate = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_mixture(context, 0, 1, &plain));
    CHECK_FAILS(fixture_predict(plain, scan, NULL, -1, 0.0, 0, &result), REN_E_INVALID, "top_k");
    CHECK_FAILS(fixture_predict(plain, scan, NULL, 0, 1.5, 0, &result), REN_E_INVALID, "min_weight");
    CHECK_FAILS(fixture_predict(plain, scan, NULL, 0, NAN, 0, &result), REN_E_INVALID, "min_weight");
    REN_TRY(fixture_features_gate(context, 64, 0.0, 1.0, 1.0, &gate));
    REN_TRY(fixture_mixture_of(context, gate, NULL, 0, 1, &deep));
    CHECK_FAILS(fixture_predict(deep, scan, NULL, 1, 0.0, 0, &result), REN_E_INVALID, "features");
    REN_TRY(fixture_linear(context, &regions, 0.0, 0.5, 1.0, 1.0, &stack));
    REN_TRY(fixture_mixture_of(context, NULL, stack, 0, 1, &stacked));
    CHECK_FAILS(fixture_predict(stacked, scan, NULL, 0, 0.1, 0, &result), REN_E_INVALID, "stacked");
    CHECK(result == NULL);
out:
    ren_mixture_free(plain);
    ren_mixture_free(deep);
    ren_mixture_free(stacked);
    ren__predictor_free(stack);
    ren_gate_free(gate);
    ren_scan_free(scan);
    return st;
}

/* ----------------------------------------------------------------------------------------- gates that read a scan */

static ren_status test_reads_radiomics(ren_context *context) {
    const double a[FIXTURE_COLUMNS] = { -810.0, 1.0, 1.0 }, b[FIXTURE_COLUMNS] = { -900.0, 1.0, 1.0 };
    const ren__evidence evidence = { .row = { a, b, a, b, NULL, NULL, NULL }, .missing = { [4] = "too small" } };
    static const int32_t ran[REN_REGION_COUNT] = { 1, 1, 1, 1, 1, 0, 0 };
    double weights[REN_REGION_COUNT], sum = 0.0;
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL, *two = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_radiomics_gate(context, REN__GATE_PER_SCAN, REN_GATE_SUM, 1.0, 0x7f, &gate));
    REN_TRY(fixture_mixture_of(context, gate, NULL, 0, 4, &mixture));
    REN_TRY(fixture_predict(mixture, scan, &evidence, 0, 0.0, 0, &result));
    REN_TRY(ren__gate_weights(gate, ran, &evidence, weights));
    for (int i = 0; i < 5; i++) {
        CHECK_NEAR(ren_result_region_weight(result, i), weights[i], 1e-15);
        sum += weights[i] * ren_result_region_probability(result, i);
    }
    CHECK_NEAR(ren_result_probability(result, 1), sum, 1e-15);
    CHECK_INT(ren_result_warning_count(result), 1);
    CHECK(strstr(ren_result_warning(result, 0), "RLL (too small)") != NULL);
    /* The weights of this scan decide who runs. */
    REN_TRY(fixture_predict(mixture, scan, &evidence, 2, 0.0, 0, &two));
    for (int i = 0; i < 5; i++) {
        int larger = 0;
        for (int j = 0; j < 5; j++)
            larger += weights[j] > weights[i];
        CHECK_INT(ren_result_region_ran(two, i), larger < 2);
    }
out:
    ren_result_free(result);
    ren_result_free(two);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    ren_scan_free(scan);
    return st;
}

/* The expert's features, asked for by themselves. */
static ren_status features_of(const ren_expert *expert, const ren_scan *scan, double *row) {
    float features[64];
    ren__expert_outputs outputs = { .features = features };
    ren__run run;
    ren_status st = ren__run_begin(&run, expert->context, NULL);

    if (st == REN_OK) st = ren__expert_run(expert, NULL, scan, &run, &outputs);
    st = ren__run_end(&run, st);
    for (int i = 0; st == REN_OK && i < 64; i++)
        row[i] = (double)features[i];
    return st;
}

static ren_status test_reads_features(ren_context *context) {
    static const int32_t ran[REN_REGION_COUNT] = { 0, 1, 1, 0, 1, 0, 0 };
    double rows[REN_REGION_COUNT][64], weights[REN_REGION_COUNT], sum = 0.0;
    ren__evidence evidence = { .row = { NULL } };
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 4, &scan)); /* RML is empty */
    REN_TRY(fixture_features_gate(context, 64, 0.05, 0.01, 1.0, &gate));
    REN_TRY(fixture_mixture_of(context, gate, NULL, 1, 4, &mixture));
    for (int region = 1; region <= 4; region++) {
        if (!ran[region]) continue;
        REN_TRY(features_of(mixture->expert[region], scan, rows[region]));
        evidence.row[region] = rows[region];
    }
    REN_TRY(ren__gate_weights(gate, ran, &evidence, weights));
    REN_TRY(fixture_predict(mixture, scan, NULL, 0, 0.0, 0, &result));
    for (int i = 0; i < 4; i++) {
        CHECK_NEAR(ren_result_region_weight(result, i), weights[i + 1], 1e-15);
        if (ran[i + 1]) sum += weights[i + 1] * ren_result_region_probability(result, i);
    }
    CHECK_NEAR(ren_result_probability(result, 1), sum, 1e-15);
    CHECK(fabs(weights[1] - 0.6 / 2.2) > 1e-3); /* the features did move something */
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    ren_scan_free(scan);
    return st;
}

static ren_status test_refused_mixtures(ren_context *context) {
    const ren__columns regions = ren__region_columns();
    ren__predictor *stack = NULL;
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_features_gate(context, 63, 0.0, 1.0, 1.0, &gate));
    CHECK_FAILS(fixture_mixture_of(context, gate, NULL, 0, 1, &mixture), REN_E_INVALID, "63 deep features");
    REN_TRY(fixture_linear(context, &regions, 0.0, 0.5, 1.0, 1.0, &stack)); /* reads LUL */
    CHECK_FAILS(fixture_mixture_of(context, NULL, stack, 1, 2, &mixture), REN_E_INVALID, "no expert");
    CHECK(mixture == NULL);
out:
    ren__predictor_free(stack);
    ren_gate_free(gate);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ stacking */

static ren_status make_stack(ren_context *context, ren__predictor **out) {
    const ren__linear_feature features[2] = { { .column = 4, .mean = 0.5, .scale = 0.1, .weight = 0.75 },
                                              { .column = 5, .mean = 0.4, .scale = 0.2, .weight = -0.5 } };
    const ren__columns regions = ren__region_columns();

    return ren__predictor_linear(context, &regions, "stack", -0.3, features, 2, out);
}

static ren_status test_stacked(ren_context *context) {
    char path[TEST_PATH];
    ren__predictor *stack = NULL;
    ren_mixture *mixture = NULL, *loaded = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL, *again = NULL;
    ren_text *card = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(make_stack(context, &stack));
    REN_TRY(fixture_mixture_of(context, NULL, stack, 3, 6, &mixture));
    REN_TRY(fixture_predict(mixture, scan, NULL, 0, 0.0, 1, &result));
    const double a = 7.5 * (ren_result_region_probability(result, 1) - 0.5);
    const double b = -2.5 * (ren_result_region_probability(result, 2) - 0.4);
    CHECK_NEAR(ren_result_probability(result, 1), 1.0 / (1.0 + exp(0.3 - a - b)), 1e-12);
    CHECK_NEAR(ren_result_probability(result, 0) + ren_result_probability(result, 1), 1.0, 1e-15);
    CHECK_NEAR(ren_result_region_weight(result, 1), fabs(a) / (fabs(a) + fabs(b)), 1e-12);
    CHECK(ren_result_region_weight(result, 0) == 0.0);
    CHECK_TEXT(ren_result_explains(result), "stack");
    CHECK_INT(ren_result_contribution_count(result, 2), 1);
    CHECK_NEAR(ren_result_contribution(result, 2, 0), b, 1e-12);
    REN_TRY(ren_mixture_save(mixture, test_file(path, "stacked.safetensors")));
    REN_TRY(ren_mixture_load(context, path, &loaded));
    REN_TRY(fixture_predict(loaded, scan, NULL, 0, 0.0, 0, &again));
    CHECK(ren_result_probability(again, 1) == ren_result_probability(result, 1));
    REN_TRY(ren_model_describe(context, path, &card));
    CHECK(strstr(ren_text_data(card), "\"stacking\"") && strstr(ren_text_data(card), "logistic regression"));
out:
    ren_text_free(card);
    ren_result_free(result);
    ren_result_free(again);
    ren_mixture_free(mixture);
    ren_mixture_free(loaded);
    ren__predictor_free(stack);
    ren_scan_free(scan);
    return st;
}

/* A region that did not run counts as its mean: nothing moves. */
static ren_status test_stacked_with_empty_lobe(ren_context *context) {
    ren__predictor *stack = NULL;
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 5, &scan));
    REN_TRY(make_stack(context, &stack));
    REN_TRY(fixture_mixture_of(context, NULL, stack, 4, 5, &mixture));
    REN_TRY(fixture_predict(mixture, scan, NULL, 0, 0.0, 0, &result));
    const double b = -2.5 * (ren_result_region_probability(result, 1) - 0.4);
    CHECK_NEAR(ren_result_probability(result, 1), 1.0 / (1.0 + exp(0.3 - b)), 1e-12);
    CHECK(ren_result_region_weight(result, 1) == 1.0);
    CHECK_TEXT(ren_result_region_skipped(result, 0), "empty");
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren__predictor_free(stack);
    ren_scan_free(scan);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_leaves_out), CASE_SAMPLED(test_leaves_out_beside_empty), CASE_SAMPLED(test_refused_options),
          CASE_SAMPLED(test_reads_radiomics), CASE_SAMPLED(test_reads_features), CASE_SAMPLED(test_refused_mixtures),
          CASE_SAMPLED(test_stacked), CASE_SAMPLED(test_stacked_with_empty_lobe))
