/* SPDX-License-Identifier: Apache-2.0 */
/* The study configuration: defaults, the resolved form, and an answer to every mistake. */
#include "harness.h"
#include "train/config.h"
#include "train/study_files.h"

#define HEAD   "study: s\ndata: {root: /nowhere}\n"
#define EXPERT "experts:\n- {name: cnn, arch: cnn}\n"
#define BODY   HEAD EXPERT "gates:\n- {name: g, source: uniform}\nmixtures:\n- {name: ren, experts: cnn, gate: g}\n"

static ren_status resolve(ren_context *context, const char *text, ren__study_config **out) {
    json_t *tree = NULL;
    ren_status st = ren__yaml_parse(text, strlen(text), "test", &tree);

    *out = NULL;
    if (st == REN_OK) st = ren__study_config_resolve(context, tree, "/tmp", out);
    json_decref(tree);
    return st;
}

/* A configuration that must be refused, with these words. */
static ren_status expect(ren_context *context, const char *text, ren_status code, const char *message) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL;

    CHECK_FAILS(resolve(context, text, &config), code, message);
out:
    ren__study_config_free(config);
    return st;
}

static ren_status test_defaults(ren_context *context) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL;

    REN_TRY(resolve(context, BODY, &config));
    CHECK_INT(config->seed, 1); /* the context's */
    CHECK_TEXT(config->table, "labels.csv");
    CHECK_INT(config->folds, 5);
    CHECK_INT(config->run_count, 5);
    CHECK_NEAR(config->validation, 0.2, 0);
    CHECK(config->stratified && config->protocol == REN__PROTOCOL_DEFAULT);
    CHECK_INT(config->region_count, 7);
    CHECK_INT(config->preset.kind, REN_PRESET_LUNG);
    CHECK_INT(config->preset.size[2], 96);
    CHECK_NEAR(config->preset.window[0], -1350, 0);
    CHECK_INT(config->expert[0].settings.epochs, 100);
    CHECK_NEAR(config->expert[0].settings.smoothing, 0.05, 0);
    CHECK_INT(config->expert[0].settings.early_stop.start, 16);
    CHECK_INT(config->gate[0].normalisation, REN_GATE_SUM);
    CHECK_INT(config->model_count, 8);
    CHECK_TEXT(config->model[5].name, "cnn.left_lung");
    CHECK_TEXT(config->model[7].name, "ren");
    CHECK_INT(config->primary[0], -1);
    CHECK_INT(config->other_count, 7); /* all against the mixture */
out:
    ren__study_config_free(config);
    return st;
}

static const char full[] =
    "study: full\nseed: 42\ndata:\n  root: phantom\n  table: t.csv\n"
    "  preset: {kind: paper, window: [-1000, 200], size: [16, 24, 32], spacing: 1.5}\n"
    "split: {folds: 4, validation: 0.25, stratify: none, protocol: paper, run: [2, 0, 2]}\nregions: 2\nexperts:\n"
    "- {name: a, arch: cnn, epochs: 3, batch: 2, lr: 1e-3, dropout: 0.1, schedule: constant, early_stopping: false}\n"
    "- {name: b, arch: cnn, augmentation: false, smoothing: 0}\n"
    "gates:\n- {name: auc, source: validation_auc}\n- {name: loss, source: inverse_loss, normalisation: hierarchical}\n"
    "mixtures:\n- {name: m, experts: b, gate: loss}\n- {name: n, experts: a, gate: auc}\n"
    "compare: {primary: [m, a.right_lung], others: [n]}\n";

static ren_status test_all_settings(ren_context *context) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL;

    REN_TRY(resolve(context, full, &config));
    CHECK_TEXT(config->root, "/tmp/phantom");
    CHECK_INT(config->preset.kind, REN_PRESET_PAPER);
    CHECK_INT(config->preset.size[1], 24);
    CHECK_INT(config->protocol, REN__PROTOCOL_PAPER);
    CHECK_INT(config->run_count, 2);
    CHECK_INT(config->run[0], 0);
    CHECK_INT(config->run[1], 2);
    CHECK_INT(config->region[0], REN_REGION_LEFT_LUNG);
    CHECK_INT(config->expert[0].settings.batch, 2);
    CHECK_INT(config->expert[0].settings.stops_early, 0);
    CHECK_INT(config->expert[0].settings.schedule.kind, REN__SCHEDULE_CONSTANT);
    CHECK_NEAR(config->expert[1].settings.augmentation.noise_probability, 0, 0);
    CHECK_INT(json_integer_value(json_array_get(json_object_get(config->expert[0].network, "input_size"), 2)), 32);
    CHECK_NEAR(json_number_value(json_object_get(config->expert[0].network, "dropout")), 0.1, 0);
    CHECK_INT(config->mixture[0].expert, 1);
    CHECK_INT(config->mixture[0].gate, 1);
    CHECK_TEXT(config->model[config->primary[0]].name, "m");
    CHECK_TEXT(config->model[config->primary[1]].name, "a.right_lung");
    CHECK_INT(config->other_count, 1);
out:
    ren__study_config_free(config);
    return st;
}

/* What is written to config.yaml must read back as itself, down to the last default. */
static ren_status test_resolved_form_is_fixed(ren_context *context) {
    static const char *const texts[] = { BODY, full };
    ren_status st = REN_OK;
    ren__study_config *config = NULL, *again = NULL;
    ren_text *yaml = NULL;

    for (int i = 0; i < 2; i++) {
        REN_TRY(resolve(context, texts[i], &config));
        REN_TRY(ren__yaml_write(context, config->tree, &yaml));
        REN_TRY(resolve(context, ren_text_data(yaml), &again));
        REN_TRY(ren__study_config_same(context, config->tree, again->tree));
        CHECK(json_equal(config->tree, again->tree));
        ren_text_free(yaml);
        yaml = NULL;
        ren__study_config_free(config);
        config = NULL;
        ren__study_config_free(again);
        again = NULL;
    }
out:
    ren_text_free(yaml);
    ren__study_config_free(config);
    ren__study_config_free(again);
    return st;
}

static ren_status test_first_difference_is_named(ren_context *context) {
    ren_status st = REN_OK;
    ren__study_config *a = NULL, *b = NULL;

    REN_TRY(resolve(context, BODY, &a));
    REN_TRY(resolve(context, HEAD "experts:\n- {name: cnn, arch: cnn, lr: 2e-4}\n", &b));
    CHECK_FAILS(ren__study_config_same(context, a->tree, b->tree), REN_E_STATE,
                "experts[0].lr is 0.0001 in the run folder and 0.0002 in the configuration");
    ren__study_config_free(b);
    b = NULL;
    REN_TRY(resolve(context, BODY "compare: {primary: [ren, cnn.LUL]}\n", &b));
    CHECK_FAILS(ren__study_config_same(context, a->tree, b->tree), REN_E_STATE, "compare.");
out:
    ren__study_config_free(a);
    ren__study_config_free(b);
    return st;
}

typedef struct mistake {
    const char *text;
    ren_status code;
    const char *message;
} mistake;

static ren_status expect_all(ren_context *context, const mistake *mistakes, size_t count) {
    ren_status st = REN_OK;

    for (size_t i = 0; i < count && st == REN_OK; i++)
        st = expect(context, mistakes[i].text, mistakes[i].code, mistakes[i].message);
    return st;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static ren_status test_unknown_keys(ren_context *context) {
    static const mistake mistakes[] = {
        { BODY "splitt: {}\n", REN_E_FORMAT, "unknown key \"splitt\"; did you mean \"split\"?" },
        { "study: s\ndata: {rooot: x}\n", REN_E_FORMAT, "data: unknown key \"rooot\"; did you mean \"root\"?" },
        { HEAD "split: {fold: 3}\n", REN_E_FORMAT, "split: unknown key \"fold\"; did you mean \"folds\"?" },
        { "study: s\ndata: {preset: {windw: [0, 1]}}\n", REN_E_FORMAT, "data.preset: unknown key \"windw\"" },
        { HEAD "experts:\n- {name: cnn, arch: cnn, epoch: 3}\n", REN_E_FORMAT,
          "experts[0]: unknown key \"epoch\"; did you mean \"epochs\"?" },
        { HEAD "experts:\n- {name: cnn, arch: cnn, dropuot: 0}\n", REN_E_FORMAT, "did you mean \"dropout\"?" },
        { HEAD EXPERT "gates:\n- {name: g, source: uniform, normalization: sum}\n", REN_E_FORMAT,
          "did you mean \"normalisation\"?" },
        { HEAD EXPERT "mixtures:\n- {name: m, experts: cnn, gates: g}\n", REN_E_FORMAT,
          "mixtures[0]: unknown key \"gates\"; did you mean \"gate\"?" },
        { BODY "compare: {primry: [ren, cnn.LUL]}\n", REN_E_FORMAT, "did you mean \"primary\"?" },
    };

    return expect_all(context, mistakes, COUNT(mistakes));
}

static ren_status test_what_later_versions_have(ren_context *context) {
    static const mistake mistakes[] = {
        { HEAD "experts:\n- {name: m, arch: region_expert}\n", REN_E_UNSUPPORTED,
          "experts[0]: \"arch\": region_expert" },
        { BODY "stages: []\n", REN_E_UNSUPPORTED, "\"stages\"" },
        { "study: s\ndata: {modalities: {}}\n", REN_E_UNSUPPORTED, "data: \"modalities\"" },
    };

    return expect_all(context, mistakes, COUNT(mistakes));
}

static ren_status test_wrong_values(ren_context *context) {
    static const mistake mistakes[] = {
        { "data: {}\n", REN_E_FORMAT, "\"study\" is missing" },
        { "study: s\n", REN_E_FORMAT, "\"data\" is missing" },
        { HEAD, REN_E_FORMAT, "\"experts\" is missing" },
        { BODY "regions: 3\n", REN_E_FORMAT, "must be 2 (lungs), 5 (lobes) or 7 (both)" },
        { BODY "seed: -1\n", REN_E_FORMAT, "seed" },
        { BODY "split: {folds: 1}\n", REN_E_FORMAT, "folds" },
        { BODY "split: {validation: 1}\n", REN_E_FORMAT, "between 0 and 1" },
        { BODY "split: {run: [5]}\n", REN_E_FORMAT, "from 0 to 4" },
        { BODY "split: {run: []}\n", REN_E_FORMAT, "leave it out for all" },
        { BODY "split: {protocol: papre}\n", REN_E_FORMAT, "\"protocol\" is \"papre\", must be default or paper" },
        { "study: s\ndata: {preset: lungs}\n", REN_E_FORMAT, "must be lung or paper" },
        { "study: s\ndata: {preset: {window: [3, 3]}}\n", REN_E_FORMAT, "must rise" },
        { "study: s\ndata: {preset: {size: [96, 96]}}\n", REN_E_FORMAT, "one or three whole numbers" },
        { HEAD "experts:\n- {name: cnn, arch: cnm}\n", REN_E_FORMAT, "\"cnm\", which is no network" },
        { HEAD "experts:\n- {name: cnn, arch: cnn, epochs: 0}\n", REN_E_FORMAT, "experts[0]: \"epochs\"" },
        { HEAD "experts:\n- {name: cnn, arch: cnn, classes: 3}\n", REN_E_FORMAT, "\"classes\" must be 2" },
        { HEAD "experts:\n- {name: cnn, arch: cnn, input_size: [8, 8, 8]}\n", REN_E_FORMAT, "differs from the size" },
        { HEAD "experts:\n- {name: a.b, arch: cnn}\n", REN_E_FORMAT, "letters, digits, - or _" },
        { HEAD "experts:\n- {name: ../x, arch: cnn}\n", REN_E_FORMAT, "letters, digits, - or _" },
        { HEAD "experts:\n- cnn\n", REN_E_FORMAT, "experts[0]" },
    };

    return expect_all(context, mistakes, COUNT(mistakes));
}

#define SIZED(size, network)                                                                                           \
    "study: s\ndata: {root: /nowhere, preset: {size: " size "}}\nexperts:\n- {name: e, " network "}\n"

/* What does not fit is refused before anything is trained. */
static ren_status test_sizes_that_do_not_fit(ren_context *context) {
    static const mistake mistakes[] = {
        { SIZED("[20, 16, 16]", "arch: vit"), REN_E_FORMAT, "patches of 8 do not divide the preset's size of 20" },
        { SIZED("16", "arch: mamba, patch_size: [4, 5, 4]"), REN_E_FORMAT, "patches of 5 do not divide" },
        { SIZED("16", "arch: vit, patch_size: 4"), REN_E_FORMAT, "patch_size: a list of three numbers" },
        { SIZED("16", "arch: vit, embed_dim: 30"), REN_E_FORMAT, "experts[0]: " },
        { SIZED("48", "arch: swin_unetr"), REN_E_FORMAT, "an input axis of 48 is no multiple of 32" },
        { SIZED("32", "arch: swin_unetr, feature_size: 12"), REN_E_FORMAT,
          "cannot be trained on images of 32 x 32 x 32 in batches of 1: instance_norm" },
        { SIZED("[64, 32, 32]", "arch: swin_unetr, out_channels: 3"), REN_E_FORMAT, "the network makes a map" },
        { SIZED("[64, 32, 32]", "arch: swin_unetr, in_channels: 2"), REN_E_FORMAT, "\"in_channels\" must be 1" },
        { SIZED("[64, 32, 32]", "arch: swin_unetr, feature_sise: 12"), REN_E_FORMAT, "did you mean \"feature_size\"?" },
        { SIZED("16", "arch: vit, embed_dims: 12"), REN_E_FORMAT, "unknown key \"embed_dims\"" },
        { SIZED("4", "arch: cnn"), REN_E_FORMAT, "whole numbers from 8 to 512" },
    };

    return expect_all(context, mistakes, COUNT(mistakes));
}

static ren_status test_baselines(ren_context *context) {
    static const char text[] =
        "study: s\ndata: {root: /nowhere, preset: {size: [32, 32, 64]}}\nregions: 2\nexperts:\n"
        "- {name: a, arch: vit, patch_size: [8, 16, 8], embed_dim: 16, n_layers: 2, n_heads: 2, mlp_ratio: 2}\n"
        "- {name: b, arch: mamba, d_model: 16, d_state: 4, d_conv: 3, expand: 1, n_layers: 1}\n"
        "baselines:\n- {name: swin, arch: swin_unetr, feature_size: 12, window_size: [4, 4, 4]}\n"
        "- {name: whole, arch: cnn}\n"
        "gates:\n- {name: g, source: uniform}\nmixtures:\n- {name: ren, experts: b, gate: g}\n"
        "compare: {primary: [ren, swin]}\n";
    static const char *const names[] = { "a.left_lung", "a.right_lung", "b.left_lung", "b.right_lung",
                                         "swin",        "whole",        "ren" };
    ren_status st = REN_OK;
    ren__study_config *config = NULL, *again = NULL;

    REN_TRY(resolve(context, text, &config));
    CHECK_INT(config->expert_count, 2);
    CHECK_INT(config->baseline_count, 2);
    CHECK_INT(config->model_count, (int)COUNT(names));
    for (int32_t i = 0; i < config->model_count; i++)
        CHECK_TEXT(config->model[i].name, names[i]);
    CHECK_INT(ren__study_first_mixture(config), 6);
    CHECK_INT(config->model[4].region, REN_REGION_LUNGS);
    CHECK_TEXT(ren__study_model_kind(&config->model[3]), "expert");
    CHECK_TEXT(ren__study_model_kind(&config->model[4]), "baseline");
    CHECK_TEXT(ren__study_model_kind(&config->model[6]), "mixture");
    CHECK_TEXT(config->expert[config->model[4].expert].net->name, "swin_unetr");
    CHECK_INT(config->expert[0].settings.batch, 2);
    CHECK_INT(config->expert[2].settings.batch, 1);
    CHECK_INT(config->primary[0], 6);
    CHECK_INT(config->primary[1], 4);
    CHECK_INT(config->other_count, 5);
    REN_TRY(ren__study_config_resolve(context, config->tree, "/tmp", &again));
    CHECK(json_equal(config->tree, again->tree));
out:
    ren__study_config_free(config);
    ren__study_config_free(again);
    return st;
}

static ren_status test_wrong_references(ren_context *context) {
    static const mistake mistakes[] = {
        { HEAD "experts:\n- {name: a, arch: cnn}\n- {name: a, arch: cnn}\n", REN_E_FORMAT,
          "experts[1]: another expert, baseline or mixture is called \"a\" too" },
        { BODY "baselines:\n- {name: cnn, arch: vit}\n", REN_E_FORMAT, "baselines[0]: another" },
        { BODY "baselines:\n- {name: ren, arch: vit}\n", REN_E_FORMAT, "mixtures[0]: another" },
        { HEAD EXPERT "gates:\n- {name: g, source: uniform}\nmixtures:\n- {name: cnn, experts: cnn, gate: g}\n",
          REN_E_FORMAT, "mixtures[0]: another" },
        { HEAD EXPERT "gates:\n- {name: g, source: uniform}\n- {name: g, source: uniform}\n", REN_E_FORMAT,
          "gates[1]: another gate is called" },
        { HEAD EXPERT "mixtures:\n- {name: m, experts: cnn, gate: g}\n", REN_E_FORMAT,
          "no entry of gates is called \"g\"" },
        { BODY "compare: {primary: [ren]}\n", REN_E_FORMAT, "a list of two models" },
        { BODY "compare: {primary: [ren, cnn]}\n", REN_E_FORMAT, "there is no model \"cnn\"" },
        { BODY "compare: {primary: [ren, ren]}\n", REN_E_FORMAT, "the same model twice" },
        { BODY "compare: {primary: [ren, cnn.LUL], others: [cnn.LUL]}\n", REN_E_FORMAT, "is in the primary" },
        { BODY "compare: {others: [cnn.LUL, cnn.LUL]}\n", REN_E_FORMAT, "twice" },
        { HEAD EXPERT "compare: {others: [cnn.LUL]}\n", REN_E_FORMAT, "needs \"primary\" or a mixture" },
    };

    return expect_all(context, mistakes, COUNT(mistakes));
}

static ren_status test_read_names_the_file(ren_context *context) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL;
    char path[TEST_PATH], message[TEST_PATH];

    test_file(path, "bad.json");
    REN_TRY(ren__file_write(path, "{\"study\": 3}", 12));
    snprintf(message, sizeof message, "%.4000s: ", path);
    CHECK_FAILS(ren__study_config_read(context, path, &config), REN_E_FORMAT, message);
    CHECK(config == NULL);
out:
    return st;
}

TEST_MAIN(CASE(test_defaults), CASE(test_all_settings), CASE(test_resolved_form_is_fixed),
          CASE(test_first_difference_is_named), CASE(test_unknown_keys), CASE(test_what_later_versions_have),
          CASE(test_wrong_values), CASE_SAMPLED(test_sizes_that_do_not_fit), CASE_SAMPLED(test_baselines),
          CASE(test_wrong_references), CASE(test_read_names_the_file))
