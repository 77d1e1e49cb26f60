/* SPDX-License-Identifier: Apache-2.0 */
/* Gates: weights against numbers worked out by hand, files, what is refused. */
#include "base/text.h"
#include "format/safetensors.h"
#include "harness.h"
#include "moe/moe.h"

static const double aucs[REN_REGION_COUNT] = { 0.8, 0.9, 0.7, 0.6, 1.0, 0.75, 0.85 };
static const int32_t all[REN_REGION_COUNT] = { 1, 1, 1, 1, 1, 1, 1 };

static ren_status make_gate(ren_context *context, const char *source, int32_t normalisation, const double *values,
                            ren_gate **out) {
    ren_gate_options options;
    ren_status st = REN_OK;

    REN_TRY(ren_gate_options_init(&options, sizeof options));
    options.source = source;
    options.normalisation = normalisation;
    if (values) memcpy(options.weights, values, sizeof options.weights);
    REN_TRY(ren_gate_create(context, &options, out));
out:
    return st;
}

static ren_status check_weights(const ren_gate *gate, const int32_t *ran, const double *wanted) {
    double weights[REN_REGION_COUNT];
    ren_status st = REN_OK;

    REN_TRY(ren__gate_weights(gate, ran, weights));
    for (int i = 0; i < REN_REGION_COUNT; i++)
        CHECK_NEAR(weights[i], wanted[i], 1e-15);
out:
    return st;
}

static ren_status test_uniform(ren_context *context) {
    static const int32_t lobes[REN_REGION_COUNT] = { 1, 1, 1, 0, 1, 0, 0 };
    static const double wanted[REN_REGION_COUNT] = { 0.25, 0.25, 0.25, 0, 0.25, 0, 0 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "uniform", REN_GATE_SUM, NULL, &gate));
    REN_TRY(check_weights(gate, lobes, wanted));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_auc_sums_to_one(ren_context *context) {
    /* 0.8 + 0.9 + 0.7 + 0.6 + 1.0 + 0.75 + 0.85 = 5.6 */
    static const double wanted[REN_REGION_COUNT] = { 1 / 7.0, 0.9 / 5.6,  0.125,     0.6 / 5.6,
                                                     1 / 5.6, 0.75 / 5.6, 0.85 / 5.6 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "validation_auc", REN_GATE_SUM, aucs, &gate));
    REN_TRY(check_weights(gate, all, wanted));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_hierarchical(ren_context *context) {
    /* Lobes sum to 4, lungs to 1.6, each level counts half. */
    static const double both[REN_REGION_COUNT] = { 0.1, 0.1125, 0.0875, 0.075, 0.125, 0.234375, 0.265625 };
    static const int32_t no_rml[REN_REGION_COUNT] = { 1, 1, 1, 0, 1, 1, 1 };
    static const double without[REN_REGION_COUNT] = { 0.4 / 3.4, 0.45 / 3.4, 0.35 / 3.4, 0,
                                                      0.5 / 3.4, 0.234375,   0.265625 };
    static const int32_t lungs[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 1, 1 };
    static const double alone[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 0.46875, 0.53125 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "validation_auc", REN_GATE_HIERARCHICAL, aucs, &gate));
    REN_TRY(check_weights(gate, all, both));
    REN_TRY(check_weights(gate, no_rml, without));
    REN_TRY(check_weights(gate, lungs, alone));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_inverse_loss(ren_context *context) {
    static const double losses[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 0.5, 0.25 };
    static const double wanted[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 1 / 3.0, 2 / 3.0 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "inverse_loss", REN_GATE_SUM, losses, &gate));
    REN_TRY(check_weights(gate, all, wanted));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_refusals(ren_context *context) {
    static const double none[REN_REGION_COUNT] = { 0 };
    double values[REN_REGION_COUNT];
    static const int32_t nothing[REN_REGION_COUNT] = { 0 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    CHECK_FAILS(make_gate(context, "given", REN_GATE_SUM, none, &gate), REN_E_DATA, "all weights are 0");
    CHECK_FAILS(make_gate(context, "test_auc", REN_GATE_SUM, aucs, &gate), REN_E_INVALID, "test_auc");
    CHECK_FAILS(make_gate(context, "given", 7, aucs, &gate), REN_E_INVALID, "normalisation");
    memcpy(values, aucs, sizeof values);
    values[3] = NAN;
    CHECK_FAILS(make_gate(context, "validation_auc", REN_GATE_SUM, values, &gate), REN_E_DATA, "RML");
    values[3] = 1.5;
    CHECK_FAILS(make_gate(context, "validation_accuracy", REN_GATE_SUM, values, &gate), REN_E_DATA, "above 1");
    values[3] = -0.1;
    CHECK_FAILS(make_gate(context, "given", REN_GATE_SUM, values, &gate), REN_E_DATA, "negative");
    values[3] = 1e-320;
    CHECK_FAILS(make_gate(context, "inverse_loss", REN_GATE_SUM, values, &gate), REN_E_DATA, "too small");
    CHECK(gate == NULL);
    REN_TRY(make_gate(context, "given", REN_GATE_SUM, aucs, &gate));
    CHECK_FAILS(ren__gate_weights(gate, nothing, values), REN_E_DATA, "empty");
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_round_trip(ren_context *context) {
    char path[TEST_PATH], again[TEST_PATH];
    ren_gate *gate = NULL, *loaded = NULL;
    char *first = NULL, *second = NULL;
    size_t first_size, second_size;
    double a[REN_REGION_COUNT], b[REN_REGION_COUNT];
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "validation_accuracy", REN_GATE_HIERARCHICAL, aucs, &gate));
    REN_TRY(ren_gate_save(gate, test_file(path, "gate.safetensors")));
    REN_TRY(ren_gate_load(context, path, &loaded));
    REN_TRY(ren__gate_weights(gate, all, a));
    REN_TRY(ren__gate_weights(loaded, all, b));
    CHECK(memcmp(a, b, sizeof a) == 0);
    REN_TRY(ren_gate_save(loaded, test_file(again, "again.safetensors")));
    REN_TRY(ren__file_read(context, path, 1 << 20, &first, &first_size));
    REN_TRY(ren__file_read(context, again, 1 << 20, &second, &second_size));
    CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
out:
    ren__free(first);
    ren__free(second);
    ren_gate_free(gate);
    ren_gate_free(loaded);
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

TEST_MAIN(CASE(test_uniform), CASE(test_auc_sums_to_one), CASE(test_hierarchical), CASE(test_inverse_loss),
          CASE(test_refusals), CASE(test_round_trip), CASE(test_hostile_files))
