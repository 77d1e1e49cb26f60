/* SPDX-License-Identifier: Apache-2.0 */
/* Explanations: occlusion against predictions for scans that lack the region, contributions against predictors. */
#include "format/document.h"
#include "mixture_fixture.h"

static ren_status predict(const ren_mixture *mixture, const ren_scan *scan, ren_result **out) {
    return fixture_predict(mixture, scan, NULL, 0, 0.0, 0, out);
}

/* A scan without lobes: as one that never had them. */
static ren_status test_scan_without(ren_context *context) {
    ren_scan *whole = NULL, *wanted = NULL, *out = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &whole));
    for (int lobe = 1; lobe <= 5; lobe++) {
        REN_TRY(fixture_scan(context, 16, lobe, &wanted));
        REN_TRY(ren__scan_without(whole, 1u << (lobe - 1), &out));
        CHECK(memcmp(out->lobe, wanted->lobe, FIXTURE_CELLS) == 0);
        CHECK(memcmp(out->image, wanted->image, FIXTURE_CELLS * sizeof *out->image) == 0);
        CHECK(memcmp(out->box, wanted->box, sizeof out->box) == 0);
        CHECK(memcmp(out->voxels, wanted->voxels, sizeof out->voxels) == 0);
        CHECK(ren__preset_equal(&out->preset, &whole->preset));
        ren_scan_free(wanted);
        ren_scan_free(out);
        wanted = out = NULL;
    }
    REN_TRY(ren__scan_without(whole, 0x1f, &out));
    CHECK_INT(out->voxels[REN_REGION_LUNGS], 0);
out:
    ren_scan_free(whole);
    ren_scan_free(wanted);
    ren_scan_free(out);
    return st;
}

/* Every lobe out: what the mixture says of a scan that lacks it. */
static ren_status check_lobes(ren_context *context, const ren_mixture *mixture, const ren_result *explained) {
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    for (int lobe = 1; lobe <= 5; lobe++) {
        REN_TRY(fixture_scan(context, 16, lobe, &scan));
        REN_TRY(predict(mixture, scan, &result));
        CHECK(ren_result_without(explained, lobe - 1) == ren_result_probability(result, 1));
        ren_result_free(result);
        ren_scan_free(scan);
        result = NULL;
        scan = NULL;
    }
out:
    ren_result_free(result);
    ren_scan_free(scan);
    return st;
}

static ren_status test_occlusion(ren_context *context) {
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL, *left = NULL;
    ren_result *explained = NULL, *plain = NULL, *right = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_mixture(context, 0, 6, &mixture));
    REN_TRY(fixture_predict(mixture, scan, NULL, 0, 0.0, 1, &explained));
    REN_TRY(predict(mixture, scan, &plain));
    CHECK(ren_result_probability(explained, 1) == ren_result_probability(plain, 1));
    REN_TRY(check_lobes(context, mixture, explained));
    REN_TRY(ren__scan_without(scan, 0x03, &left));
    REN_TRY(predict(mixture, left, &right));
    CHECK(ren_result_without(explained, REN_REGION_LEFT_LUNG) == ren_result_probability(right, 1));
    CHECK(ren_result_explains(explained) == NULL && ren_result_contribution_count(explained, 0) == 0);
    CHECK(isnan(ren_result_without(plain, 0)) && isnan(ren_result_without(explained, REN_REGION_LUNGS)));
    CHECK(ren_result_seconds(explained, "explanation") > 0.0 && ren_result_seconds(plain, "explanation") == 0.0);
out:
    ren_result_free(explained);
    ren_result_free(plain);
    ren_result_free(right);
    ren_mixture_free(mixture);
    ren_scan_free(scan);
    ren_scan_free(left);
    return st;
}

/* Of a network on both lungs, with a lobe that is not there, and where nothing is left. */
static ren_status test_occlusion_of_one(ren_context *context) {
    ren_expert *lungs = NULL, *lobe = NULL;
    ren_mixture *whole = NULL, *single = NULL;
    ren_scan *scan = NULL, *absent = NULL;
    ren_result *explained = NULL, *other = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_expert(context, REN_REGION_LUNGS, 3, &lungs));
    REN_TRY(ren__mixture_of_one(context, lungs, NULL, &whole));
    REN_TRY(fixture_predict(whole, scan, NULL, 0, 0.0, 1, &explained));
    REN_TRY(check_lobes(context, whole, explained));
    ren_result_free(explained);
    explained = NULL;
    REN_TRY(fixture_scan(context, 16, 3, &absent));
    REN_TRY(fixture_predict(whole, absent, NULL, 0, 0.0, 1, &explained));
    CHECK(isnan(ren_result_without(explained, REN_REGION_RUL)) && !isnan(ren_result_without(explained, 0)));
    REN_TRY(fixture_expert(context, REN_REGION_LLL, 3, &lobe));
    REN_TRY(ren__mixture_of_one(context, lobe, NULL, &single));
    REN_TRY(fixture_predict(single, scan, NULL, 0, 0.0, 1, &other));
    CHECK(ren_result_without(other, REN_REGION_LUL) == ren_result_probability(other, 1));
    CHECK(isnan(ren_result_without(other, REN_REGION_LLL)) && isnan(ren_result_without(other, REN_REGION_LEFT_LUNG)));
out:
    ren_result_free(explained);
    ren_result_free(other);
    ren_mixture_free(whole);
    ren_mixture_free(single);
    ren_expert_free(lungs);
    ren_expert_free(lobe);
    ren_scan_free(scan);
    ren_scan_free(absent);
    return st;
}

/* Experts that were left out come in where a region is taken out. */
static ren_status test_occlusion_with_top_k(ren_context *context) {
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL, *absent = NULL;
    ren_result *explained = NULL, *other = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_scan(context, 16, 5, &absent));
    REN_TRY(fixture_mixture(context, 0, 4, &mixture));
    REN_TRY(fixture_predict(mixture, scan, NULL, 1, 0.0, 1, &explained)); /* RLL alone */
    REN_TRY(fixture_predict(mixture, absent, NULL, 1, 0.0, 0, &other));   /* LLL alone */
    CHECK(ren_result_without(explained, REN_REGION_RLL) == ren_result_probability(other, 1));
    CHECK(ren_result_without(explained, REN_REGION_LUL) == ren_result_probability(explained, 1));
out:
    ren_result_free(explained);
    ren_result_free(other);
    ren_mixture_free(mixture);
    ren_scan_free(scan);
    ren_scan_free(absent);
    return st;
}

/* ------------------------------------------------------------------------------------------------ contributions */

/* The largest first, and base and contributions are the predictor's logit. */
static ren_status check_contributions(const ren_result *result, int32_t index, double logit) {
    double sum = ren_result_contribution_base(result, index), last = HUGE_VAL;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < ren_result_contribution_count(result, index); i++) {
        const double amount = ren_result_contribution(result, index, i);
        CHECK(fabs(amount) <= last && amount != 0.0);
        CHECK(ren_result_contribution_name(result, index, i) != NULL);
        last = fabs(amount);
        sum += amount;
    }
    CHECK_NEAR(sum, logit, 1e-12);
    CHECK(ren_result_contribution_name(result, index, FIXTURE_COLUMNS) == NULL);
    CHECK(isnan(ren_result_contribution(result, index, -1)) && isnan(ren_result_contribution_value(result, index, -1)));
out:
    return st;
}

static ren_status test_contributions(ren_context *context) {
    const double row[FIXTURE_COLUMNS] = { -810.0, 1500.0, 1.0 };
    const ren__evidence evidence = { .row = { row, row, NULL, NULL, NULL, NULL, NULL } };
    static const char *const wanted[] = { "predictor", NULL, "score" };
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    for (int32_t mode = REN__GATE_FIXED; mode <= REN__GATE_PER_SCAN; mode += 2) {
        REN_TRY(fixture_radiomics_gate(context, mode, REN_GATE_SUM, 1.0, 0x7f, &gate));
        REN_TRY(fixture_mixture_of(context, gate, NULL, 0, 2, &mixture));
        REN_TRY(fixture_predict(mixture, scan, &evidence, 0, 0.0, 1, &result));
        CHECK_TEXT(ren_result_explains(result), wanted[mode]);
        for (int i = 0; i < 2; i++) {
            REN_TRY(check_contributions(result, i, ren__predictor_logit(ren__gate_predictor(gate, i), row)));
            CHECK_INT(ren_result_contribution_count(result, i), 1);
            CHECK_TEXT(ren_result_contribution_name(result, i, 0), fixture_radiomics[mode == REN__GATE_FIXED]);
            CHECK(ren_result_contribution_value(result, i, 0) == row[mode == REN__GATE_FIXED]);
        }
        CHECK_INT(ren_result_contribution_count(result, 2), 0);
        CHECK(isnan(ren_result_contribution_base(result, 2)));
        CHECK_INT(ren_result_warning_count(result), mode == REN__GATE_PER_SCAN); /* of RUL, whose row is missing */
        ren_result_free(result);
        ren_mixture_free(mixture);
        ren_gate_free(gate);
        result = NULL;
        mixture = NULL;
        gate = NULL;
    }
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    ren_scan_free(scan);
    return st;
}

static ren_status test_json(ren_context *context) {
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_text *text = NULL;
    json_t *tree = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_features_gate(context, 64, 0.0, 1.0, 1.0, &gate));
    REN_TRY(fixture_mixture_of(context, gate, NULL, 0, 1, &mixture));
    REN_TRY(fixture_predict(mixture, scan, NULL, 0, 0.0, 1, &result));
    REN_TRY(ren_result_json(result, 0.25, &text));
    REN_TRY(ren__json_parse(ren_text_data(text), ren_text_size(text), "result", &tree));
    const json_t *explanation = json_object_get(tree, "explanation");
    CHECK_TEXT(json_string_value(json_object_get(explanation, "explains")), "score");
    const json_t *occlusion = json_object_get(explanation, "occlusion");
    CHECK_INT(json_array_size(occlusion), REN_REGION_COUNT);
    const json_t *lul = json_array_get(occlusion, 0), *left = json_array_get(occlusion, 5);
    const double without = json_number_value(json_object_get(lul, "probability_without"));
    CHECK(without == ren_result_without(result, 0));
    CHECK_NEAR(json_number_value(json_object_get(lul, "change")), without - ren_result_probability(result, 1), 1e-15);
    CHECK(json_is_null(json_object_get(left, "probability_without")) && json_is_null(json_object_get(left, "change")));
    const json_t *first = json_array_get(json_object_get(explanation, "contributions"), 0);
    CHECK_TEXT(json_string_value(json_object_get(first, "name")), "LUL");
    CHECK(json_is_array(json_object_get(first, "contributions")) && json_is_number(json_object_get(first, "sum")));
    CHECK(json_is_null(json_object_get(json_array_get(json_object_get(tree, "regions"), 0), "skipped")));
out:
    json_decref(tree);
    ren_text_free(text);
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    ren_scan_free(scan);
    return st;
}

TEST_MAIN(CASE(test_scan_without), CASE_SAMPLED(test_occlusion), CASE_SAMPLED(test_occlusion_of_one),
          CASE_SAMPLED(test_occlusion_with_top_k), CASE_SAMPLED(test_contributions), CASE_SAMPLED(test_json))
