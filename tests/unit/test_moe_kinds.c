/* SPDX-License-Identifier: Apache-2.0 */
/* Experts of every network: made, stored, read back, asked, and put together in one mixture. */
#include <math.h>

#include "moe_fixture.h"

enum { SIDE = 32, KINDS = 4 };

#define SIZE "\"input_size\": [32, 32, 32]"

static const struct kind {
    const char *arch, *config;
} kinds[KINDS] = {
    { "cnn", "{" SIZE "}" },
    { "vit", "{" SIZE ", \"patch_size\": [16, 8, 8], \"embed_dim\": 12, \"n_layers\": 1, \"n_heads\": 3}" },
    { "mamba", "{" SIZE ", \"d_model\": 8, \"d_state\": 4, \"n_layers\": 1, \"expand\": 1}" },
    { "swin_unetr", "{" SIZE ", \"feature_size\": 12, \"depths\": [1, 1, 1, 1], \"window_size\": [4, 4, 4]}" },
};

static ren_status make(ren_context *context, const struct kind *kind, int32_t region, ren_expert **out) {
    ren_expert_options options;
    ren_status st = REN_OK;

    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.arch = kind->arch;
    options.config = kind->config;
    options.region = region;
    options.seed = 50u + (uint64_t)region;
    REN_TRY(ren_expert_create(context, &options, out));
out:
    return st;
}

/* The same answer from the file, also of an expert on both lungs. */
static ren_status test_stored_and_read_back(ren_context *context) {
    ren_status st = REN_OK;
    ren_scan *scan = NULL;
    ren_expert *made = NULL, *read = NULL;
    char path[TEST_PATH];
    float before[2], after[2];

    test_file(path, "kind.safetensors");
    REN_TRY(fixture_scan(context, SIDE, 0, &scan));
    for (int i = 0; i < KINDS; i++) {
        REN_TRY(make(context, &kinds[i], i % 2 ? REN_REGION_LUNGS : REN_REGION_RLL, &made));
        REN_TRY(ren_expert_save(made, path));
        REN_TRY(ren_expert_load(context, path, &read));
        CHECK_INT(ren_expert_region(read), ren_expert_region(made));
        REN_TRY(ren_expert_predict(made, scan, NULL, before, 2));
        REN_TRY(ren_expert_predict(read, scan, NULL, after, 2));
        CHECK_NEAR(before[0] + before[1], 1.0, 1e-6);
        CHECK_NEAR(before[1], after[1], 0);
        ren_expert_free(made);
        ren_expert_free(read);
        made = read = NULL;
    }
out:
    ren_expert_free(made);
    ren_expert_free(read);
    ren_scan_free(scan);
    return st;
}

/* Seven experts of the kind; `kind` KINDS: of all kinds in turn. */
static ren_status mixture_of(ren_context *context, int kind, ren_expert *experts[REN_REGION_COUNT], ren_mixture **out) {
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        REN_TRY(make(context, &kinds[kind < KINDS ? kind : region % KINDS], region, &experts[region]));
    REN_TRY(fixture_gate(context, &gate));
    REN_TRY(ren_mixture_create(context, experts, REN_REGION_COUNT, gate, out));
out:
    ren_gate_free(gate);
    return st;
}

/* The mixture's probability is the weighted sum of what each expert says alone; its file says the same. */
static ren_status check_mixture(ren_context *context, int kind, const ren_scan *scan) {
    ren_expert *experts[REN_REGION_COUNT] = { NULL };
    ren_mixture *mixture = NULL, *read = NULL;
    ren_result *result = NULL, *again = NULL;
    ren_text *card = NULL;
    char path[TEST_PATH];
    double expected = 0.0;
    ren_status st = REN_OK;

    test_file(path, "mixture.safetensors");
    REN_TRY(mixture_of(context, kind, experts, &mixture));
    REN_TRY(ren__mixture_predict_scan(mixture, scan, NULL, &result));
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        float alone[2];
        REN_TRY(ren_expert_predict(experts[region], scan, NULL, alone, 2));
        CHECK_NEAR(ren_result_region_probability(result, region), alone[1], 1e-6);
        expected += ren_result_region_weight(result, region) * alone[1];
    }
    CHECK_NEAR(ren_result_probability(result, 1), expected, 1e-6);
    REN_TRY(ren_mixture_save(mixture, path));
    REN_TRY(ren_mixture_load(context, path, &read));
    REN_TRY(ren__mixture_predict_scan(read, scan, NULL, &again));
    CHECK_NEAR(ren_result_probability(again, 1), ren_result_probability(result, 1), 0);
    REN_TRY(ren_model_describe(context, path, &card));
    CHECK(strstr(ren_text_data(card), kind < KINDS ? kinds[kind].arch : "\"cnn, vit, mamba, swin_unetr\"") != NULL);
out:
    ren_text_free(card);
    ren_result_free(again);
    ren_result_free(result);
    ren_mixture_free(read);
    ren_mixture_free(mixture);
    for (int i = 0; i < REN_REGION_COUNT; i++)
        ren_expert_free(experts[i]);
    return st;
}

static ren_status test_seven_of_each(ren_context *context) {
    ren_status st = REN_OK;
    ren_scan *scan = NULL;

    REN_TRY(fixture_scan(context, SIDE, 0, &scan));
    for (int kind = 0; kind <= KINDS; kind++)
        REN_TRY(check_mixture(context, kind, scan));
out:
    ren_scan_free(scan);
    return st;
}

/* Beside no other expert, on whichever side. */
static ren_status test_both_lungs_are_alone(ren_context *context) {
    ren_status st = REN_OK;
    ren_expert *experts[3] = { NULL };
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;

    CHECK_TEXT(ren_region_name(REN_REGION_LUNGS), "lungs");
    REN_TRY(make(context, &kinds[1], REN_REGION_LUL, &experts[0]));
    REN_TRY(make(context, &kinds[1], REN_REGION_LUNGS, &experts[1]));
    REN_TRY(make(context, &kinds[1], REN_REGION_RLL, &experts[2]));
    REN_TRY(fixture_gate(context, &gate));
    CHECK_FAILS(ren_mixture_create(context, experts, 2, gate, &mixture), REN_E_INVALID, "lungs");
    CHECK_FAILS(ren_mixture_create(context, experts + 1, 2, gate, &mixture), REN_E_INVALID, "lungs");
out:
    for (int i = 0; i < 3; i++)
        ren_expert_free(experts[i]);
    ren_mixture_free(mixture);
    ren_gate_free(gate);
    return st;
}

/* The answer of an expert's file that is read as a mixture: the expert's own, of whatever region. */
static ren_status check_alone(ren_context *context, const struct kind *kind, int32_t region, const ren_scan *scan) {
    ren_status st = REN_OK;
    ren_expert *expert = NULL;
    ren_mixture *read = NULL, *again = NULL;
    ren_result *result = NULL, *second = NULL;
    ren_text *card = NULL;
    char path[TEST_PATH], other[TEST_PATH];
    float alone[2];

    REN_TRY(make(context, kind, region, &expert));
    REN_TRY(ren_expert_predict(expert, scan, NULL, alone, 2));
    REN_TRY(ren_expert_save(expert, test_file(path, "alone.safetensors")));
    REN_TRY(ren_mixture_load(context, path, &read));
    REN_TRY(ren__mixture_predict_scan(read, scan, NULL, &result));
    CHECK_INT(ren_result_region_count(result), 1);
    CHECK_TEXT(ren_result_region_name(result, 0), ren_region_name(region));
    CHECK(ren_result_region_ran(result, 0) && ren_result_region_weight(result, 0) == 1.0);
    CHECK_NEAR(ren_result_region_probability(result, 0), alone[1], 1e-7);
    CHECK(ren_result_probability(result, 1) == ren_result_region_probability(result, 0));
    REN_TRY(ren_mixture_save(read, test_file(other, "alone_mixture.safetensors")));
    REN_TRY(ren_mixture_load(context, other, &again));
    REN_TRY(ren__mixture_predict_scan(again, scan, NULL, &second));
    CHECK(ren_result_probability(second, 1) == ren_result_probability(result, 1));
    REN_TRY(ren_model_describe(context, other, &card));
    CHECK(strstr(ren_text_data(card), ren_region_name(region)) != NULL);
out:
    ren_text_free(card);
    ren_result_free(second);
    ren_result_free(result);
    ren_mixture_free(again);
    ren_mixture_free(read);
    ren_expert_free(expert);
    return st;
}

static ren_status test_one_expert_is_a_mixture(ren_context *context) {
    ren_status st = REN_OK;
    ren_scan *scan = NULL;

    REN_TRY(fixture_scan(context, SIDE, 0, &scan));
    REN_TRY(check_alone(context, &kinds[1], REN_REGION_LUNGS, scan));
    REN_TRY(check_alone(context, &kinds[0], REN_REGION_LUNGS, scan));
    REN_TRY(check_alone(context, &kinds[2], REN_REGION_RIGHT_LUNG, scan));
out:
    ren_scan_free(scan);
    return st;
}

TEST_MAIN(CASE_ONCE(test_stored_and_read_back), CASE_ONCE(test_seven_of_each), CASE(test_both_lungs_are_alone),
          CASE_SAMPLED(test_one_expert_is_a_mixture))
