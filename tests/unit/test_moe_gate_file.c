/* SPDX-License-Identifier: Apache-2.0 */
/* Files of gates: round trips, what is refused, cards. */
#include "base/text.h"
#include "format/document.h"
#include "format/safetensors.h"
#include "gate_fixture.h"

static const int32_t all[REN_REGION_COUNT] = { 1, 1, 1, 1, 1, 1, 1 };

/* Saved, loaded and saved again: the same bytes and the same weights, to the bit. */
static ren_status check_round_trip(ren_context *context, const ren_gate *gate, const ren__evidence *evidence) {
    char path[TEST_PATH], again[TEST_PATH];
    ren_gate *loaded = NULL;
    char *first = NULL, *second = NULL;
    size_t first_size, second_size;
    double a[REN_REGION_COUNT], b[REN_REGION_COUNT];
    ren_status st = REN_OK;

    REN_TRY(ren_gate_save(gate, test_file(path, "gate.safetensors")));
    REN_TRY(ren_gate_load(context, path, &loaded));
    REN_TRY(ren__gate_weights(gate, all, evidence, a));
    REN_TRY(ren__gate_weights(loaded, all, evidence, b));
    CHECK(memcmp(a, b, sizeof a) == 0);
    CHECK_INT(ren__gate_reads(loaded), ren__gate_reads(gate));
    CHECK_INT(ren__gate_explains(loaded), ren__gate_explains(gate));
    CHECK_INT(ren__gate_columns(loaded).count, ren__gate_columns(gate).count);
    REN_TRY(ren_gate_save(loaded, test_file(again, "again.safetensors")));
    REN_TRY(ren__file_read(context, path, 1 << 20, &first, &first_size));
    REN_TRY(ren__file_read(context, again, 1 << 20, &second, &second_size));
    CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
out:
    ren__free(first);
    ren__free(second);
    ren_gate_free(loaded);
    return st;
}

static ren_status test_plain(ren_context *context) {
    ren_gate_options options;
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_gate_options_init(&options, sizeof options));
    options.source = "validation_accuracy";
    options.normalisation = REN_GATE_HIERARCHICAL;
    memcpy(options.weights, fixture_aucs, sizeof options.weights);
    REN_TRY(ren_gate_create(context, &options, &gate));
    REN_TRY(check_round_trip(context, gate, NULL));
    ren_gate_free(gate);
    gate = NULL;
    options.temperature = 3.0;
    options.logits[4] = 0.1;
    REN_TRY(ren_gate_create(context, &options, &gate));
    REN_TRY(check_round_trip(context, gate, NULL));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_radiomics(ren_context *context) {
    const double row[FIXTURE_COLUMNS] = { -700.0, 2500.0, 1.0 };
    const ren__evidence evidence = { .row = { row, row, row, NULL, row, row, row } };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    for (int32_t mode = REN__GATE_FIXED; mode <= REN__GATE_PER_SCAN; mode += REN__GATE_PER_SCAN - REN__GATE_FIXED) {
        REN_TRY(fixture_radiomics_gate(context, mode, REN_GATE_HIERARCHICAL, 0.7, 0x7f, &gate));
        REN_TRY(check_round_trip(context, gate, &evidence));
        ren_gate_free(gate);
        gate = NULL;
    }
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_features(ren_context *context) {
    const double row[2] = { 1.0 / 3.0, 0.0 };
    const ren__evidence evidence = { .row = { row, row, row, row, row, row, row } };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_features_gate(context, 2, 0.1, 0.7, 1.0 / 7.0, &gate));
    REN_TRY(check_round_trip(context, gate, &evidence));
out:
    ren_gate_free(gate);
    return st;
}

/* What ren_model_describe says of a gate. */
static ren_status test_card(ren_context *context) {
    char path[TEST_PATH];
    ren_gate *gate = NULL;
    ren_text *text = NULL;
    json_t *card = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_radiomics_gate(context, REN__GATE_PER_SCAN, REN_GATE_SUM, 0.7, 0x03, &gate));
    REN_TRY(ren_gate_save(gate, test_file(path, "gate.safetensors")));
    REN_TRY(ren_model_describe(context, path, &text));
    REN_TRY(ren__json_parse(ren_text_data(text), ren_text_size(text), "card", &card));
    CHECK_TEXT(json_string_value(json_object_get(card, "source")), "radiomics");
    CHECK_TEXT(json_string_value(json_object_get(card, "mode")), "per_scan");
    CHECK(json_number_value(json_object_get(card, "temperature")) == 0.7);
    CHECK_INT(json_integer_value(json_object_get(card, "columns")), FIXTURE_COLUMNS);
    const json_t *score = json_object_get(json_object_get(card, "scores"), "LLL");
    CHECK_TEXT(json_string_value(json_object_get(score, "kind")), "logistic regression");
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(score, "reads"), 0)), fixture_radiomics[0]);
    const json_t *trees = json_object_get(json_object_get(card, "predictors"), "LUL");
    CHECK_TEXT(json_string_value(json_object_get(trees, "kind")), "boosted trees");
    CHECK_INT(json_integer_value(json_object_get(trees, "trees")), 1);
    CHECK_TEXT(json_string_value(json_object_get(card, "params_mode")), "pyradiomics");
    CHECK(json_is_object(json_object_get(card, "params")));
out:
    json_decref(card);
    ren_text_free(text);
    ren_gate_free(gate);
    return st;
}

/* A model file without tensors that says `model` of itself. */
static ren_status write_model(ren_context *context, const char *path, const char *version, const char *model) {
    const char *const metadata[] = { "ren.format", version, "ren.model", model, NULL };

    return ren__safetensors_write(context, path, NULL, 0, metadata);
}

static ren_status refuse(ren_context *context, const char *version, const char *model, ren_status code,
                         const char *message) {
    char path[TEST_PATH];
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(write_model(context, test_file(path, "hostile.safetensors"), version, model));
    CHECK_FAILS(ren_gate_load(context, path, &gate), code, message);
    CHECK(gate == NULL);
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_hostile_files(ren_context *context) {
    ren_status st = REN_OK;

    REN_TRY(refuse(context, "2", "{}", REN_E_UNSUPPORTED, "version"));
    REN_TRY(refuse(context, "1", "[]", REN_E_FORMAT, "object"));
    REN_TRY(refuse(context, "1", "{", REN_E_FORMAT, NULL));
    REN_TRY(refuse(context, "1", "{\"source\": \"uniform\"}", REN_E_FORMAT, "kind"));
    REN_TRY(refuse(context, "1", "{\"kind\": \"expert\"}", REN_E_DATA, "expert"));
    REN_TRY(refuse(context, "1", "{\"kind\": \"gate\"}", REN_E_FORMAT, "source"));
    REN_TRY(refuse(context, "1", "{\"kind\": \"gate\", \"source\": 1, \"normalisation\": \"sum\"}", REN_E_FORMAT,
                   "source"));
    REN_TRY(refuse(context, "1", "{\"kind\": \"gate\", \"source\": \"x\", \"normalisation\": \"sum\"}",
                   REN_E_UNSUPPORTED, "source"));
    REN_TRY(refuse(context, "1", "{\"kind\": \"gate\", \"source\": \"given\", \"normalisation\": \"sum\"}",
                   REN_E_FORMAT, "weights"));
    REN_TRY(refuse(context, "1",
                   "{\"kind\": \"gate\", \"source\": \"given\", \"normalisation\": \"sum\", \"weights\": {\"LUL\": "
                   "-1}}",
                   REN_E_DATA, "LUL"));
    REN_TRY(refuse(context, "1",
                   "{\"kind\": \"gate\", \"source\": \"given\", \"normalisation\": \"sum\", \"weights\": {\"MUL\": "
                   "1}}",
                   REN_E_FORMAT, "MUL"));
    REN_TRY(refuse(context, "1", "{\"kind\": \"gate\", \"source\": \"uniform\", \"normalisation\": \"sum\", \"x\": 1}",
                   REN_E_FORMAT, "x"));
out:
    return st;
}

/* {"kind": "gate", SOURCE, "normalisation": "sum", "weights": {"LUL": 0.8}, REST} */
static ren_status refuse_more(ren_context *context, const char *source, const char *rest, ren_status code,
                              const char *message) {
    char model[2048];

    snprintf(model, sizeof model,
             "{\"kind\": \"gate\", \"source\": \"%s\", \"normalisation\": \"sum\", \"weights\": {\"LUL\": 0.8}, %s}",
             source, rest);
    return refuse(context, "1", model, code, message);
}

#define LINEAR(column)                                                                                                 \
    "{\"kind\": \"linear\", \"bias\": 0, \"features\": [{\"column\": \"" column                                        \
    "\", \"mean\": 0, \"scale\": 1, \"weight\": 1}]}"

static ren_status test_hostile_modes(ren_context *context) {
    ren_status st = REN_OK;

    REN_TRY(refuse_more(context, "given", "\"mode\": \"per_scan\"", REN_E_FORMAT, "nothing of a scan"));
    REN_TRY(refuse_more(context, "radiomics", "\"mode\": \"dynamic\"", REN_E_FORMAT, "per_scan"));
    REN_TRY(refuse_more(context, "features", "\"mode\": \"per_scan\"", REN_E_FORMAT, "dynamic"));
    REN_TRY(refuse_more(context, "radiomics", "\"mode\": 3", REN_E_FORMAT, "mode"));
    REN_TRY(refuse_more(context, "radiomics", "\"mode\": \"per_scan\"", REN_E_FORMAT, "score"));
    REN_TRY(refuse_more(context, "given", "\"temperature\": 0", REN_E_FORMAT, "temperature"));
    REN_TRY(refuse_more(context, "given", "\"temperature\": -1", REN_E_FORMAT, "temperature"));
    REN_TRY(refuse_more(context, "given", "\"temperature\": 1e9", REN_E_FORMAT, "temperature"));
    REN_TRY(refuse_more(context, "given", "\"mode\": \"learned\"", REN_E_FORMAT, "logits"));
    REN_TRY(refuse_more(context, "given", "\"logits\": {\"LUL\": 1}", REN_E_FORMAT, "logits"));
    REN_TRY(refuse_more(context, "given", "\"mode\": \"learned\", \"logits\": {\"LUL\": 1e300}", REN_E_DATA, "LUL"));
    REN_TRY(refuse_more(context, "given", "\"mode\": \"learned\", \"logits\": {\"RIGHT\": 1}", REN_E_FORMAT, "RIGHT"));
out:
    return st;
}

static ren_status test_hostile_evidence(ren_context *context) {
    ren_status st = REN_OK;

    REN_TRY(refuse_more(context, "given", "\"columns\": [\"a\"]", REN_E_FORMAT, "no columns"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": []", REN_E_FORMAT, "empty"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [1]", REN_E_FORMAT, "names"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": {}", REN_E_FORMAT, "list"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [\"a\", \"a\"]", REN_E_FORMAT, "two columns"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [\"\"]", REN_E_FORMAT, "name"));
    REN_TRY(refuse_more(context, "features", "\"columns\": [\"feature.1\"]", REN_E_FORMAT, "feature.0"));
    REN_TRY(refuse_more(context, "radiomics", "\"predictors\": {\"LUL\": " LINEAR("a") "}", REN_E_FORMAT, "columns"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [\"b\"], \"predictors\": {\"LUL\": " LINEAR("a") "}",
                        REN_E_FORMAT, "\"a\""));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [\"a\"], \"predictors\": {\"XXL\": " LINEAR("a") "}",
                        REN_E_FORMAT, "XXL"));
    REN_TRY(
        refuse_more(context, "radiomics", "\"columns\": [\"a\"], \"predictors\": {\"LUL\": 1}", REN_E_FORMAT, "LUL"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [\"a\"], \"scores\": {\"LUL\": " LINEAR("a") "}",
                        REN_E_FORMAT, "no scores"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [\"a\"], \"params\": 1", REN_E_FORMAT, "object"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [\"a\"], \"params\": {\"x\": {}}", REN_E_FORMAT, "x"));
    REN_TRY(refuse_more(context, "radiomics", "\"columns\": [\"a\"], \"params_mode\": \"both\"", REN_E_FORMAT, "ibsi"));
    REN_TRY(refuse_more(context, "features", "\"params\": {}", REN_E_FORMAT, "radiomics"));
    REN_TRY(refuse_more(context, "features", "\"measure\": \"\"", REN_E_FORMAT, "measure"));
out:
    return st;
}

TEST_MAIN(CASE(test_plain), CASE_SAMPLED(test_radiomics), CASE(test_features), CASE_SAMPLED(test_card),
          CASE(test_hostile_files), CASE(test_hostile_modes), CASE_SAMPLED(test_hostile_evidence))
