/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures that are one network, as experts on both lungs: what they are fed, what they say of the regions, files. */
#include <math.h>

#include "format/document.h"
#include "moe/model_file.h"
#include "moe/result.h"
#include "moe/session_cache.h"
#include "moe_fixture.h"

#define SMALL "\"expert_feature_dim\": 8, \"d_model\": 8, \"d_state\": 4, \"expand\": 1"

static const char config_16[] = "{\"input_size\": [16, 16, 16], " SMALL ", \"weight_mode\": \"dynamic\"}";
static const char config_7[] = "{\"input_size\": [16, 16, 16], " SMALL ", \"n_experts\": 7}";

static ren_status make(ren_context *context, const char *arch, const char *config, int32_t region, ren_expert **out) {
    ren_expert_options options;
    ren_status st = REN_OK;

    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.arch = arch;
    options.config = config;
    options.region = region;
    options.seed = 3;
    REN_TRY(ren_expert_create(context, &options, out));
out:
    return st;
}

/* The network's own session on inputs that are made here: image where there is a lobe, and the lobes. */
static ren_status by_hand(const ren_expert *expert, const ren_scan *scan, double *probability, float *weights,
                          int32_t count) {
    ren__session *session = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__session_create(expert->graph, expert->weights, REN__INFER, &session));
    float *x = ren__session_input(session, "x"), *lobes = ren__session_input(session, "lobes");
    for (int i = 0; i < FIXTURE_CELLS; i++) {
        x[i] = scan->lobe[i] ? scan->image[i] : 0.0f;
        lobes[i] = (float)scan->lobe[i];
    }
    REN_TRY(ren__session_run(session, NULL));
    const float *logits = ren__session_output(session, "logits");
    *probability = 1.0 / (1.0 + exp((double)logits[0] - (double)logits[1]));
    memcpy(weights, ren__session_output(session, "combined_weights"), (size_t)count * sizeof *weights);
out:
    ren__session_free(session);
    return st;
}

static ren_status check_network(ren_context *context, const char *config, int32_t count) {
    ren_status st = REN_OK;
    ren_scan *scan = NULL;
    ren_expert *expert = NULL;
    ren__expert_outputs outputs = { .features = NULL };
    float weights[REN_REGION_COUNT], features[256];
    double probability, sum = 0.0, energy = 0.0;

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(make(context, "gating_mamba", config, REN_REGION_LUNGS, &expert));
    CHECK_INT(ren__expert_regions(expert), count);
    CHECK_INT(ren__expert_features(expert), 256);
    REN_TRY(by_hand(expert, scan, &probability, weights, count));
    outputs.features = features;
    REN_TRY(ren__expert_run(expert, NULL, scan, NULL, &outputs));
    CHECK_NEAR(outputs.probability[1], probability, 1e-12);
    CHECK_NEAR(outputs.probability[0] + outputs.probability[1], 1.0, 1e-12);
    for (int32_t i = 0; i < REN_REGION_COUNT; i++) {
        CHECK_NEAR(outputs.weight[i], i < count ? weights[i] : 0.0, 1e-6);
        CHECK(i >= count || outputs.weight[i] > 0.0);
        sum += outputs.weight[i];
    }
    CHECK_NEAR(sum, 1.0, 1e-12);
    for (int i = 0; i < 256; i++)
        energy += fabs((double)features[i]);
    CHECK(energy > 0.0);
out:
    ren_expert_free(expert);
    ren_scan_free(scan);
    return st;
}

static ren_status test_fed_with_image_and_lobes(ren_context *context) {
    ren_status st = REN_OK;

    REN_TRY(check_network(context, config_16, 5));
    REN_TRY(check_network(context, config_7, 7));
out:
    return st;
}

/* Another label map, the same image: another answer. */
static ren_status test_lobes_matter(ren_context *context) {
    ren_status st = REN_OK;
    ren_scan *scan = NULL;
    ren_expert *expert = NULL;
    float before[2], after[2];

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(make(context, "gating_mamba", config_16, REN_REGION_LUNGS, &expert));
    REN_TRY(ren_expert_predict(expert, scan, NULL, before, 2));
    for (int i = 0; i < FIXTURE_CELLS; i++)
        if (scan->lobe[i]) scan->lobe[i] = (uint8_t)(6 - scan->lobe[i]);
    REN_TRY(ren_expert_predict(expert, scan, NULL, after, 2));
    CHECK(before[1] != after[1]);
out:
    ren_expert_free(expert);
    ren_scan_free(scan);
    return st;
}

static ren_status test_refusals(ren_context *context) {
    ren_status st = REN_OK;
    ren_expert *expert = NULL;

    CHECK_FAILS(make(context, "gating_mamba", config_16, REN_REGION_LUL, &expert), REN_E_INVALID, "lungs");
    CHECK_FAILS(make(context, "region_expert", "{\"input_size\": [32, 32, 32], \"feature_size\": 12}", REN_REGION_LUNGS,
                     &expert),
                REN_E_UNSUPPORTED, "region_weight");
    CHECK_FAILS(make(context, "general_moe_head", "{}", REN_REGION_LUNGS, &expert), REN_E_UNSUPPORTED, "no classifier");
    CHECK(!expert);
out:
    ren_expert_free(expert);
    return st;
}

/* The result's regions are the network's, with its weights; a region that is empty is named. */
static ren_status check_result(const ren_scan *scan, const ren_mixture *mixture, int32_t warnings) {
    ren_status st = REN_OK;
    ren_result *result = NULL;
    ren_text *text = NULL;
    json_t *tree = NULL;
    ren__expert_outputs outputs = { .features = NULL };

    REN_TRY(ren__expert_run(mixture->expert[REN_REGION_LUNGS], NULL, scan, NULL, &outputs));
    REN_TRY(ren__mixture_predict_scan(mixture, scan, NULL, &result));
    CHECK(ren_result_probability(result, 1) == outputs.probability[1]);
    CHECK_INT(ren_result_label(result), outputs.probability[1] >= 0.5);
    CHECK_INT(ren_result_region_count(result), 5);
    for (int32_t i = 0; i < 5; i++) {
        CHECK_TEXT(ren_result_region_name(result, i), ren_region_name(i));
        CHECK(ren_result_region_ran(result, i) && isnan(ren_result_region_probability(result, i)));
        CHECK(ren_result_region_weight(result, i) == outputs.weight[i]);
    }
    CHECK_INT(ren_result_warning_count(result), warnings);
    if (warnings) CHECK(strstr(ren_result_warning(result, 0), "1 of 5 regions are empty (RML)") != NULL);
    REN_TRY(ren_result_json(result, 0.0, &text));
    REN_TRY(ren__json_parse(ren_text_data(text), ren_text_size(text), "result", &tree));
    const json_t *rll = json_array_get(json_object_get(tree, "regions"), 4);
    CHECK_TEXT(json_string_value(json_object_get(rll, "name")), "RLL");
    CHECK(json_is_null(json_object_get(rll, "probability")));
    CHECK(json_number_value(json_object_get(rll, "weight")) == outputs.weight[4]);
out:
    json_decref(tree);
    ren_text_free(text);
    ren_result_free(result);
    return st;
}

static ren_status test_results_have_the_networks_weights(ren_context *context) {
    ren_status st = REN_OK;
    ren_scan *whole = NULL, *without = NULL;
    ren_expert *expert = NULL;
    ren_mixture *mixture = NULL;
    char path[TEST_PATH];

    REN_TRY(fixture_scan(context, 16, 0, &whole));
    REN_TRY(fixture_scan(context, 16, 4, &without));
    REN_TRY(make(context, "gating_mamba", config_16, REN_REGION_LUNGS, &expert));
    REN_TRY(ren_expert_save(expert, test_file(path, "network.safetensors")));
    REN_TRY(ren_mixture_load(context, path, &mixture));
    CHECK_TEXT(mixture->name, "gating_mamba");
    REN_TRY(check_result(whole, mixture, 0));
    REN_TRY(check_result(without, mixture, 1));
out:
    ren_mixture_free(mixture);
    ren_expert_free(expert);
    ren_scan_free(without);
    ren_scan_free(whole);
    return st;
}

/* Features of a network that is evaluated sparsely are the dense network's. */
static ren_status test_features_of_a_sparse_network(ren_context *context) {
    ren_status st = REN_OK;
    ren_scan *scan = NULL;
    ren_expert *expert = NULL, *dense = NULL;
    ren__weights *weights = NULL;
    float features[64], wanted[64];
    ren__expert_outputs sparsely = { .features = features }, densely = { .features = wanted };

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    REN_TRY(fixture_expert(context, REN_REGION_LLL, 8, &expert));
    CHECK(expert->sparse != NULL);
    CHECK_INT(ren__expert_features(expert), 64);
    CHECK_INT(ren__expert_regions(expert), 0);
    REN_TRY(ren__weights_create(context, expert->graph, &weights));
    REN_TRY(ren__weights_initialise(weights, 8));
    REN_TRY(ren__expert_adopt(context, expert->net, expert->config, weights, REN_REGION_LLL, &expert->preset, NULL,
                              &dense));
    CHECK(dense->sparse == NULL);
    REN_TRY(ren__expert_run(expert, NULL, scan, NULL, &sparsely));
    REN_TRY(ren__expert_run(dense, NULL, scan, NULL, &densely));
    for (int i = 0; i < 64; i++)
        CHECK_NEAR(features[i], wanted[i], 1e-4);
    CHECK_NEAR(sparsely.probability[1], densely.probability[1], 1e-5);
    CHECK(sparsely.weight[0] == 0.0);
out:
    ren__weights_release(weights);
    ren_expert_free(dense);
    ren_expert_free(expert);
    ren_scan_free(scan);
    return st;
}

/* Experts and head in one network: as many regions as it has experts; what no such network can be is refused. */
static ren_status test_general_moe(ren_context *context) {
#define MAMBA                 "{\"arch\": \"mamba\", \"config\": {\"input_size\": [16, 16, 16], \"d_model\": 8, \"n_layers\": 1}}"
#define JOINED(count, expert) "{\"input_size\": [16, 16, 16], \"n_experts\": " count ", \"expert\": " expert "}"
    static const char *const wrong[][2] = {
        { JOINED("3", MAMBA), "n_experts" },
        { JOINED("5", "{\"arch\": \"general_moe\"}"), "no network of one region" },
        { JOINED("5", "{\"arch\": \"gating_mamba\", \"config\": "
                      "{\"input_size\": [16, 16, 16]}}"),
          "no expert on one" },
        { JOINED("5", "{\"arch\": \"mamba\"}"), "input_size" },
        { JOINED("5", "[]"), "must be an object" },
    };
    static const int32_t regions[3] = { 0, 5, 7 };
    static const char *const right[3] = { JOINED("2", MAMBA), JOINED("5", MAMBA), JOINED("7", MAMBA) };
    ren_status st = REN_OK;
    ren_scan *scan = NULL;
    ren_expert *expert = NULL;
    float probability[2];

    REN_TRY(fixture_scan(context, 16, 0, &scan));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_FAILS(make(context, "general_moe", wrong[i][0], REN_REGION_LUNGS, &expert), REN_E_INVALID, wrong[i][1]);
    CHECK_FAILS(make(context, "general_moe", JOINED("5", "{\"arc\": \"mamba\"}"), REN_REGION_LUNGS, &expert),
                REN_E_FORMAT, "arc");
    for (int i = 0; i < 3; i++) {
        REN_TRY(make(context, "general_moe", right[i], REN_REGION_LUNGS, &expert));
        CHECK_INT(ren__expert_regions(expert), regions[i]);
        CHECK(ren__weights_find(expert->weights,
                                i ? "experts.RLL.mamba.norm.weight" : "experts.left_lung.mamba.norm.weight") >= 0);
        CHECK(ren__weights_find(expert->weights, "experts.RLL.mamba.head.weight") <
              0); /* no part before the features */
        REN_TRY(ren_expert_predict(expert, scan, NULL, probability, 2));
        CHECK_NEAR(probability[0] + probability[1], 1.0, 1e-6);
        ren_expert_free(expert);
        expert = NULL;
    }
out:
    ren_expert_free(expert);
    ren_scan_free(scan);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_fed_with_image_and_lobes), CASE_ONCE(test_lobes_matter), CASE_SAMPLED(test_refusals),
          CASE_SAMPLED(test_results_have_the_networks_weights), CASE_SAMPLED(test_features_of_a_sparse_network),
          CASE_SAMPLED(test_general_moe))
