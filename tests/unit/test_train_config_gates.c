/* SPDX-License-Identifier: Apache-2.0 */
/* The sections gates and mixtures of a study's configuration. */
#include "harness.h"
#include "moe/gate.h"
#include "train/config.h"
#include "train/study_files.h"

#define HEAD                                                                                                           \
    "study: s\ndata: {root: /nowhere, preset: {size: [16, 16, 16]}}\nregions: 5\n"                                     \
    "experts:\n- {name: cnn, arch: cnn}\n- {name: small, arch: cnn, epochs: 2}\n"
#define GATE(text)    HEAD "gates:\n- {name: g, " text "}\n"
#define MIXTURE(text) GATE("source: uniform") "mixtures:\n- {name: m, " text "}\n"

static ren_status resolve(ren_context *context, const char *text, ren__study_config **out) {
    json_t *tree = NULL;
    ren_status st = ren__yaml_parse(text, strlen(text), "test", &tree);
    char folder[TEST_PATH];

    *out = NULL;
    if (st == REN_OK) st = ren__study_config_resolve(context, tree, test_file(folder, ""), out);
    json_decref(tree);
    return st;
}

typedef struct mistake {
    const char *text, *message;
} mistake;

static ren_status expect_all(ren_context *context, const mistake *mistakes, size_t count) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL;

    for (size_t i = 0; i < count; i++)
        CHECK_FAILS(resolve(context, mistakes[i].text, &config), REN_E_FORMAT, mistakes[i].message);
out:
    ren__study_config_free(config);
    return st;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* What is left out, source by source. */
static ren_status test_defaults(ren_context *context) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL;
    const ren__gate_entry *gate;

    REN_TRY(resolve(
        context,
        HEAD "gates:\n- {name: even, source: uniform}\n- {name: rad, source: radiomics}\n"
             "- {name: deep, source: features, of: small}\n"
             "- {name: scan, source: radiomics, mode: per_scan, predictor: logistic}\n"
             "mixtures:\n- {name: a, experts: cnn, gate: rad}\n- {name: b, experts: small, stacking: logistic}\n",
        &config));
    CHECK_INT(config->gate_count, 4);
    gate = &config->gate[0];
    CHECK(gate->mode == REN__GATE_FIXED && gate->of == -1 && gate->table == -1);
    CHECK(!gate->predictor && !gate->measure && !gate->params);
    CHECK_NEAR(gate->temperature, 1, 0);
    gate = &config->gate[1];
    CHECK_TEXT(gate->predictor, "boosted_trees");
    CHECK_INT(gate->table, 1);
    CHECK(json_object_get(json_object_get(gate->params, "featureClass"), "glcm") != NULL);
    gate = &config->gate[2];
    CHECK_TEXT(gate->measure, "separability");
    CHECK_INT(gate->of, 1);
    gate = &config->gate[3];
    CHECK_INT(gate->mode, REN__GATE_PER_SCAN);
    CHECK_INT(gate->table, 1); /* the same parameters, one table */
    CHECK(gate->scores.l2 > 0.0);
    CHECK_TEXT(config->mixture[1].stacking, "logistic");
    CHECK_INT(config->mixture[1].gate, -1);
    /* models: two experts and two radiomics gates in five regions, two mixtures */
    CHECK_INT(config->model_count, 22);
    CHECK_TEXT(config->model[10].name, "rad.LUL");
    CHECK_TEXT(ren__study_model_kind(&config->model[10]), "radiomics");
    CHECK_INT(ren__study_predictor(config, 3, 4), 19);
    CHECK_TEXT(config->model[19].name, "scan.RLL");
    CHECK_INT(ren__study_first_mixture(config), 20);
    CHECK_INT(ren__study_find_model(config, "b"), 21);
out:
    ren__study_config_free(config);
    return st;
}

static const char full[] =
    HEAD "gates:\n"
         "- {name: auc, source: validation_auc, of: small, mode: learned, temperature: 2, scores: {l2: 0.5}}\n"
         "- {name: loss, source: inverse_loss, normalisation: hierarchical, of: cnn, temperature: 0.5}\n"
         "- {name: rad, source: radiomics, predictor: {kind: boosted_trees, trees: 20, depth: 2, learning_rate: 0.2,\n"
         "   subsample: 0.8, column_sample: 0.9}, params: {setting: {binWidth: 50},\n"
         "   imageType: {Original: {}, LoG: {sigma: [2.0, 4]}, Wavelet: {binWidth: 10}},\n"
         "   featureClass: {firstorder: [Mean, Skewness]}}}\n"
         "- {name: scan, source: radiomics, predictor: {kind: logistic, features: 3, l2: 2}, mode: per_scan,\n"
         "   scores: {features: 4, l2: 3}, params: {featureClass: {firstorder: [Mean, Skewness]},\n"
         "   imageType: {Wavelet: {binWidth: 10}, LoG: {sigma: [2.0, 4]}, Original: {}},\n"
         "   setting: {binWidth: 50.0}}}\n"
         "- {name: deep, source: features, of: cnn, mode: dynamic, measure: logistic, temperature: 1.5}\n"
         "mixtures:\n- {name: m, experts: cnn, gate: deep}\n- {name: n, experts: small, gate: auc}\n"
         "- {name: forest, experts: cnn, stacking: {kind: random_forest, trees: 30, depth: 3}}\n"
         "- {name: whole, arch: gating_mamba, gate: rad, mode: learned, epochs: 3, d_model: 32, d_state: 4}\n"
         "compare: {primary: [m, rad.LUL]}\n";

static ren_status test_all_settings(ren_context *context) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL;

    REN_TRY(resolve(context, full, &config));
    const ren__gate_entry *gate = config->gate;
    CHECK_INT(gate[0].mode, REN__GATE_LEARNED);
    CHECK_INT(gate[0].of, 1);
    CHECK_NEAR(gate[0].temperature, 2, 0);
    CHECK_NEAR(gate[0].scores.l2, 0.5, 0);
    CHECK_INT(gate[1].normalisation, REN_GATE_HIERARCHICAL);
    CHECK_INT(gate[2].fit.trees, 20);
    CHECK_INT(gate[2].fit.depth, 2);
    CHECK_NEAR(gate[2].fit.learning_rate, 0.2, 0);
    CHECK_NEAR(gate[2].fit.column_sample, 0.9, 0);
    CHECK_INT(gate[3].fit.features, 3);
    CHECK_INT(gate[3].scores.features, 4);
    CHECK_INT(gate[3].table, 2); /* the order of keys is none of the parameters */
    CHECK_TEXT(gate[4].measure, "logistic");
    CHECK_INT(config->mixture[2].fit.trees, 30);
    CHECK_TEXT(config->mixture[2].stacking, "random_forest");
    const ren__mixture_entry *whole = &config->mixture[3];
    CHECK_TEXT(whole->network.net->name, "gating_mamba");
    CHECK_INT(whole->network.settings.epochs, 3);
    CHECK_INT(whole->gate, 2);
    CHECK_INT(whole->expert, -1);
    CHECK_TEXT(json_string_value(json_object_get(whole->network.network, "weight_mode")), "learned");
    CHECK_INT(json_integer_value(json_object_get(whole->network.network, "n_experts")), 5);
    CHECK_TEXT(config->model[config->primary[1]].name, "rad.LUL");
out:
    ren__study_config_free(config);
    return st;
}

/* Complete, and resolving to itself: through YAML, as config.yaml is read back. */
static ren_status test_resolved_form_is_fixed(ren_context *context) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL, *again = NULL;
    ren_text *yaml = NULL;

    REN_TRY(resolve(context, full, &config));
    REN_TRY(ren__yaml_write(context, config->tree, &yaml));
    REN_TRY(resolve(context, ren_text_data(yaml), &again));
    REN_TRY(ren__study_config_same(context, config->tree, again->tree));
    CHECK(json_equal(config->tree, again->tree));
    const json_t *gate = json_array_get(json_object_get(config->tree, "gates"), 2);
    CHECK_NEAR(
        json_number_value(json_object_get(json_object_get(json_object_get(gate, "params"), "setting"), "binWidth")), 50,
        0);
    CHECK(json_object_get(json_object_get(gate, "predictor"), "subsample") != NULL);
    CHECK(json_object_get(gate, "scores") == NULL);
    const json_t *whole = json_array_get(json_object_get(config->tree, "mixtures"), 3);
    CHECK_TEXT(json_string_value(json_object_get(whole, "mode")), "learned");
    CHECK(json_object_get(whole, "weight_mode") == NULL && json_object_get(whole, "lr") != NULL);
out:
    ren_text_free(yaml);
    ren__study_config_free(config);
    ren__study_config_free(again);
    return st;
}

/* A parameter file is read from the configuration's folder, and what it says stands in the resolved form. */
static ren_status test_parameter_files(ren_context *context) {
    static const char params[] = "featureClass: {shape: [VoxelVolume]}\n";
    ren_status st = REN_OK;
    ren__study_config *config = NULL;
    char path[TEST_PATH];

    REN_TRY(ren__file_write(test_file(path, "params.yaml"), params, strlen(params)));
    REN_TRY(resolve(context, GATE("source: radiomics, params: params.yaml"), &config));
    CHECK_INT(json_object_size(json_object_get(config->gate[0].params, "featureClass")), 1);
    CHECK(json_object_get(json_object_get(config->gate[0].params, "setting"), "binWidth") != NULL);
    ren__study_config_free(config);
    config = NULL;
    CHECK_FAILS(resolve(context, GATE("source: radiomics, params: missing.yaml"), &config), REN_E_IO, "missing.yaml");
out:
    ren__study_config_free(config);
    return st;
}

static ren_status test_mistakes_of_gates(ren_context *context) {
    static const mistake mistakes[] = {
        { GATE("source: learned"), "must be uniform, validation_auc, validation_accuracy, inverse_loss, radiomics" },
        { GATE("source: given"), "\"given\", must be uniform" },
        { GATE("sorce: uniform"), "\"source\" is missing" },
        { GATE("source: uniform, normalization: sum"), "did you mean \"normalisation\"?" },
        { GATE("source: uniform, of: cnn"), "\"of\" says nothing where \"source\" is uniform: leave it out" },
        { GATE("source: validation_auc, predictor: logistic"), "\"predictor\" says nothing" },
        { GATE("source: radiomics, measure: auc"), "\"measure\" says nothing" },
        { GATE("source: features, of: cnn, params: x"), "\"params\" says nothing" },
        { GATE("source: features"), "gates[0]: \"of\" is missing" },
        { GATE("source: features, of: vit"), "no entry of experts is called \"vit\"" },
        { GATE("source: features, of: cnn, measure: fisher"), "must be separability, auc or logistic" },
        { GATE("source: uniform, mode: per_scan"), "must be fixed or learned where \"source\" is uniform" },
        { GATE("source: radiomics, mode: dynamic"), "must be fixed, learned or per_scan" },
        { GATE("source: features, of: cnn, mode: per_scan"), "must be fixed, learned or dynamic" },
        { GATE("source: radiomics, mode: per_scan, normalisation: hierarchical"), "\"normalisation\" must be sum" },
        { GATE("source: uniform, temperature: 0"), "from 0.001 to 1000" },
        { GATE("source: uniform, scores: {l2: 1}"), "mode fixed fits no scores" },
        { GATE("source: uniform, mode: learned, scores: {features: 2}"), "unknown key \"features\"" },
        { GATE("source: uniform, mode: learned, scores: {l2: 0}"), "gates[0].scores: \"l2\" must be above 0" },
        { GATE("source: radiomics, predictor: forest"), "must be boosted_trees or logistic" },
        { GATE("source: radiomics, predictor: [logistic]"), "gates[0].predictor" },
        { GATE("source: radiomics, predictor: {kind: logistic, trees: 3}"), "unknown key \"trees\"" },
        { GATE("source: radiomics, predictor: {trees: 0}"), "\"trees\"" },
        { GATE("source: radiomics, predictor: {subsample: 1.5}"), "\"subsample\" must be above 0 and at most 1" },
        { GATE("source: radiomics, params: 3"), "\"params\" must be the name of a parameter file" },
        { GATE("source: radiomics, params: {seting: {}}"), "did you mean \"setting\"?" },
        { HEAD "gates:\n- {name: cnn, source: radiomics}\n", "an expert is called \"cnn\" too" },
        { HEAD "gates:\n- {name: a, source: uniform}\n- {name: a, source: radiomics}\n", "gates[1]: another gate" },
    };

    return expect_all(context, mistakes, COUNT(mistakes));
}

#define TWO_GATES                                                                                                      \
    HEAD "gates:\n- {name: deep, source: features, of: cnn, mode: dynamic}\n- {name: auc, source: validation_auc}\n"   \
         "mixtures:\n- {name: m, "

static ren_status test_mistakes_of_mixtures(ren_context *context) {
    static const mistake mistakes[] = {
        { MIXTURE("gate: g"), "\"experts\" is missing" },
        { MIXTURE("experts: cnn"), "\"gate\" is missing" },
        { MIXTURE("experts: cnn, gates: g"), "did you mean \"gate\"?" },
        { MIXTURE("experts: cnn, gate: h"), "no entry of gates is called \"h\"" },
        { MIXTURE("experts: vit, gate: g"), "no entry of experts is called \"vit\"" },
        { MIXTURE("experts: cnn, gate: g, mode: learned"), "is of mixtures that are one network" },
        { MIXTURE("experts: cnn, gate: g, epochs: 3"), "give it \"arch\", or leave it out" },
        { MIXTURE("experts: cnn, gate: g, stacking: logistic"), "exclude each other" },
        { MIXTURE("experts: cnn, stacking: boosted_trees"), "must be logistic or random_forest" },
        { TWO_GATES "experts: small, gate: deep}\n", "give the gate \"of: small\", or choose its mode fixed" },
        { TWO_GATES "arch: gating_mamba, gate: deep}\n", "choose a gate of mode fixed (deep is not)" },
        { TWO_GATES "arch: gating_mamba, gate: auc}\n", "must say whose validation it reads, as in \"of: cnn\"" },
        { MIXTURE("arch: gating_mamba"), "\"gate\" is missing" },
        { MIXTURE("arch: gating_mamba, gate: g, experts: cnn"), "has experts of its own" },
        { MIXTURE("arch: gating_mamba, gate: g, mode: softmax"), "\"mode\" must be fixed, learned or dynamic" },
        { MIXTURE("arch: gating_mamba, gate: g, weight_mode: fixed"), "\"weight_mode\" follows from \"mode\"" },
        { MIXTURE("arch: gating_mamba, gate: g, n_experts: 7"), "\"n_experts\" follows from the study" },
        { MIXTURE("arch: gating_mamba, gate: g, stacking: logistic"), "\"arch\" and \"stacking\" exclude" },
        { MIXTURE("arch: general_moe, experts: cnn, gate: g"), "leave \"gate\" and \"mode\" out" },
        { MIXTURE("arch: general_moe"), "\"experts\" is missing" },
        { MIXTURE("arch: cnn, gate: g"), "other networks are experts or baselines" },
        { "study: s\ndata: {root: /nowhere, preset: {size: 16}}\nregions: 2\nexperts:\n- {name: cnn, arch: cnn}\n"
          "gates:\n- {name: g, source: uniform}\nmixtures:\n- {name: m, arch: gating_mamba, gate: g}\n",
          "\"regions\" must be 5 or 7" },
    };

    return expect_all(context, mistakes, COUNT(mistakes));
}

TEST_MAIN(CASE(test_defaults), CASE_SAMPLED(test_all_settings), CASE_SAMPLED(test_resolved_form_is_fixed),
          CASE(test_parameter_files), CASE_SAMPLED(test_mistakes_of_gates), CASE_SAMPLED(test_mistakes_of_mixtures))
