/* SPDX-License-Identifier: Apache-2.0 */
/* Experts: files, checkpoints, what is refused, prediction against the session run by hand. */
#include "moe_fixture.h"

#include "format/document.h"
#include "format/safetensors.h"

enum { MAX_TENSORS = 64 };

/* Changes that make a checkpoint of an expert's weights another one. */
typedef struct checkpoint_change {
    const char *prefix;  /* before all names */
    const char *without; /* tensor that is left out */
    const char *bent;    /* tensor whose first two sides are swapped */
    const char *extra;   /* one more tensor of one element */
    enum ren__dtype type;
} checkpoint_change;

static ren_status write_checkpoint(ren_context *context, const ren__weights *weights, const char *path,
                                   const checkpoint_change *change) {
    static const double one = 1.0;
    ren__tensor_source sources[MAX_TENSORS];
    char names[MAX_TENSORS][80];
    double *wide = NULL;
    size_t count = 0, used = 0, total = 0;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < ren__weights_count(weights); i++)
        total += ren__weights_elements(weights, i);
    REN_CALLOC(wide, total);
    for (int32_t i = 0; i < ren__weights_count(weights); i++) {
        const char *name = ren__weights_name(weights, i);
        const ren__shape *shape = ren__weights_shape(weights, i);
        if (change->without && strcmp(change->without, name) == 0) continue;
        ren__tensor_source *source = &sources[count];
        *source = (ren__tensor_source){ .name = names[count], .type = change->type, .rank = shape->rank };
        snprintf(names[count++], sizeof names[0], "%s%s", change->prefix, name);
        memcpy(source->shape, shape->dim, sizeof source->shape);
        if (change->bent && strcmp(change->bent, name) == 0) {
            source->shape[0] = shape->dim[1];
            source->shape[1] = shape->dim[0];
        }
        source->data = ren__weights_read(weights, i);
        if (change->type == REN__F64) {
            const float *values = ren__weights_read(weights, i);
            for (size_t e = 0; e < ren__weights_elements(weights, i); e++)
                wide[used + e] = (double)values[e];
            source->data = wide + used;
            used += ren__weights_elements(weights, i);
        }
    }
    if (change->extra) {
        snprintf(names[count], sizeof names[0], "%s%s", change->prefix, change->extra);
        sources[count] = (ren__tensor_source){ .name = names[count], .type = REN__F64, .rank = 0, .data = &one };
        count++;
    }
    REN_TRY(ren__safetensors_write(context, path, sources, count, NULL));
out:
    ren__free(wide);
    return st;
}

static ren_status load_checkpoint(ren_context *context, const char *path, ren_expert **out) {
    ren_expert_options options;
    ren_status st = REN_OK;

    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.config = fixture_config;
    options.weights = path;
    REN_TRY(ren_expert_create(context, &options, out));
out:
    return st;
}

/* A copy of the expert's weights as a checkpoint has them. */
static ren_status published_weights(const ren_expert *expert, ren__weights **out) {
    const ren__weights *from = expert->weights;
    ren__weights *weights = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__weights_create(expert->context, expert->graph, &weights));
    for (int32_t i = 0; i < ren__weights_count(from); i++) {
        float *to = ren__weights_data(weights, i);
        const int64_t *dim = ren__weights_shape(from, i)->dim;
        if (ren__weights_arranged(from, i))
            for (int64_t row = 0; row < dim[0]; row++)
                ren__weights_get_row(from, i, row, to + row * dim[1]);
        else
            memcpy(to, ren__weights_read(from, i), ren__weights_elements(from, i) * sizeof *to);
    }
    *out = weights;
    weights = NULL;
out:
    ren__weights_release(weights);
    return st;
}

static ren_status same_weights(const ren_expert *a, const ren_expert *b) {
    ren_status st = REN_OK;

    CHECK_INT(ren__weights_count(a->weights), ren__weights_count(b->weights));
    for (int32_t i = 0; i < ren__weights_count(a->weights); i++)
        CHECK(memcmp(ren__weights_read(a->weights, i), ren__weights_read(b->weights, i),
                     ren__weights_elements(a->weights, i) * sizeof(float)) == 0);
out:
    return st;
}

static ren_status test_checkpoint(ren_context *context) {
    static const checkpoint_change changes[] = {
        { .prefix = "", .type = REN__F32 },
        { .prefix = "module.", .extra = "bn1.num_batches_tracked", .type = REN__F32 },
        { .prefix = "", .type = REN__F64 },
    };
    ren_expert *expert = NULL, *loaded = NULL;
    ren__weights *weights = NULL;
    char path[TEST_PATH];
    ren_status st = REN_OK;

    test_file(path, "checkpoint.safetensors");
    REN_TRY(fixture_expert(context, REN_REGION_LUL, 3, &expert));
    REN_TRY(published_weights(expert, &weights));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        REN_TRY(write_checkpoint(context, weights, path, &changes[i]));
        REN_TRY(load_checkpoint(context, path, &loaded));
        REN_TRY(same_weights(expert, loaded));
        ren_expert_free(loaded);
        loaded = NULL;
    }
out:
    ren__weights_release(weights);
    ren_expert_free(expert);
    ren_expert_free(loaded);
    return st;
}

static ren_status test_checkpoint_refusals(ren_context *context) {
    static const struct {
        checkpoint_change change;
        const char *message;
    } cases[] = {
        { { .prefix = "", .without = "fc2.bias", .type = REN__F32 }, "fc2.bias is missing" },
        { { .prefix = "", .bent = "fc2.weight", .type = REN__F32 },
          "fc2.weight is 256 x 64, but the network needs 64 x 256" },
        { { .prefix = "", .extra = "vit.cls_token", .type = REN__F32 }, "vit.cls_token" },
        { { .prefix = "module.net.", .type = REN__F32 }, "net.conv1.weight" },
    };
    ren_expert *expert = NULL, *loaded = NULL;
    ren__weights *weights = NULL;
    char path[TEST_PATH];
    ren_status st = REN_OK;

    test_file(path, "refused.safetensors");
    REN_TRY(fixture_expert(context, REN_REGION_LUL, 3, &expert));
    REN_TRY(published_weights(expert, &weights));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REN_TRY(write_checkpoint(context, weights, path, &cases[i].change));
        CHECK_FAILS(load_checkpoint(context, path, &loaded), REN_E_DATA, cases[i].message);
        CHECK(loaded == NULL);
    }
out:
    ren__weights_release(weights);
    ren_expert_free(expert);
    return st;
}

static ren_status test_round_trip(ren_context *context) {
    char first[TEST_PATH], second[TEST_PATH];
    char *a = NULL, *b = NULL;
    size_t a_size, b_size;
    ren_expert *expert = NULL, *adopted = NULL, *loaded = NULL;
    ren__weights *weights = NULL;
    json_t *record = NULL;
    ren_status st = REN_OK;

    record = json_pack("{s:s, s:i}", "data", "phantom", "seed", 42);
    CHECK(record != NULL);
    REN_TRY(fixture_expert(context, REN_REGION_RML, 9, &expert));
    REN_TRY(published_weights(expert, &weights));
    REN_TRY(ren__expert_adopt(context, expert->net, expert->config, weights, REN_REGION_RML, &expert->preset, record,
                              &adopted));
    REN_TRY(ren_expert_save(adopted, test_file(first, "expert.safetensors")));
    REN_TRY(ren_expert_load(context, first, &loaded));
    CHECK_INT(ren_expert_region(loaded), REN_REGION_RML);
    CHECK_INT(ren_expert_classes(loaded), 2);
    CHECK(json_equal(loaded->record, record) && json_equal(loaded->config, expert->config));
    CHECK(ren__preset_equal(&loaded->preset, &expert->preset));
    REN_TRY(same_weights(expert, loaded));
    REN_TRY(ren_expert_save(loaded, test_file(second, "again.safetensors")));
    REN_TRY(ren__file_read(context, first, 64 << 20, &a, &a_size));
    REN_TRY(ren__file_read(context, second, 64 << 20, &b, &b_size));
    CHECK(a_size == b_size && memcmp(a, b, a_size) == 0);
out:
    ren__free(a);
    ren__free(b);
    ren__weights_release(weights);
    json_decref(record);
    ren_expert_free(expert);
    ren_expert_free(adopted);
    ren_expert_free(loaded);
    return st;
}

/* The probability of class 1 by a dense session, its input filled by hand. */
static ren_status dense_probability(const ren_expert *expert, const ren_scan *scan, int lobe, double *probability) {
    const int64_t side = scan->preset.size[0];
    ren__session *session = NULL;
    ren__weights *weights = NULL;
    ren_status st = REN_OK;

    REN_TRY(published_weights(expert, &weights));
    REN_TRY(ren__session_create(expert->graph, weights, REN__INFER, &session));
    float *x = ren__session_input(session, "x");
    for (int64_t i = 0; i < side * side * side; i++)
        x[i] = scan->lobe[i] == lobe ? scan->image[i] : 0.0f;
    REN_TRY(ren__session_run(session, NULL));
    const float *logits = ren__session_output(session, "logits");
    *probability = 1.0 / (1.0 + exp((double)logits[0] - (double)logits[1]));
out:
    ren__session_free(session);
    ren__weights_release(weights);
    return st;
}

static ren_status compare_with_dense(ren_context *context, int side, const char *config, int32_t region) {
    ren_expert_options options;
    ren_expert *expert = NULL;
    ren_scan *scan = NULL;
    float got[2], again[2];
    double wanted;
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, side, 0, &scan));
    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.config = config;
    options.region = region;
    options.seed = 11;
    REN_TRY(ren_expert_create(context, &options, &expert));
    REN_TRY(ren_expert_predict(expert, scan, NULL, got, 2));
    REN_TRY(ren_expert_predict(expert, scan, NULL, again, 2)); /* from the cached session */
    CHECK(memcmp(got, again, sizeof got) == 0);
    CHECK_NEAR(got[0] + got[1], 1.0, 1e-6);
    REN_TRY(dense_probability(expert, scan, region + 1, &wanted));
    CHECK_NEAR(got[1], wanted, 1e-6);
    CHECK(fabs(wanted - 0.5) > 1e-4); /* or the comparison would say little */
out:
    ren_expert_free(expert);
    ren_scan_free(scan);
    return st;
}

static ren_status test_predicts(ren_context *context) {
    return compare_with_dense(context, 16, fixture_config, REN_REGION_RLL);
}

static ren_status test_predicts_region_alone(ren_context *context) {
    return compare_with_dense(context, 48, fixture_config_48, REN_REGION_LLL);
}

/* Pooling does not divide 20 cells. */
static ren_status test_predicts_densely(ren_context *context) {
    ren_expert_options options;
    ren_expert *expert = NULL, *adopted = NULL;
    ren__weights *weights = NULL;
    ren_scan *scan = NULL;
    float sparse[2], dense[2];
    ren_status st = REN_OK;

    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.config = "{\"input_size\": [20, 20, 20]}";
    REN_TRY(ren_expert_create(context, &options, &expert));
    CHECK(expert->sparse == NULL);
    ren_expert_free(expert);
    expert = NULL;
    REN_TRY(fixture_scan(context, 16, 0, &scan)); /* and who shares the weights leaves them as they are */
    REN_TRY(fixture_expert(context, REN_REGION_RML, 9, &expert));
    REN_TRY(published_weights(expert, &weights));
    REN_TRY(ren__expert_adopt(context, expert->net, expert->config, weights, REN_REGION_RML, &expert->preset, NULL,
                              &adopted));
    CHECK(expert->sparse != NULL && adopted->sparse == NULL);
    REN_TRY(ren_expert_predict(expert, scan, NULL, sparse, 2));
    REN_TRY(ren_expert_predict(adopted, scan, NULL, dense, 2));
    CHECK_NEAR(sparse[1], dense[1], 1e-6);
out:
    ren_expert_free(expert);
    ren_expert_free(adopted);
    ren__weights_release(weights);
    ren_scan_free(scan);
    return st;
}

static ren_status test_predict_refusals(ren_context *context) {
    ren_expert *expert = NULL;
    ren_scan *scan = NULL;
    float values[2];
    ren_status st = REN_OK;

    REN_TRY(fixture_scan(context, 16, 4, &scan)); /* without the middle lobe */
    REN_TRY(fixture_expert(context, REN_REGION_RML, 1, &expert));
    CHECK_FAILS(ren_expert_predict(expert, scan, NULL, values, 2), REN_E_DATA, "RML is empty");
    CHECK_FAILS(ren_expert_predict(expert, scan, NULL, values, 3), REN_E_INVALID, "2 classes");
    scan->preset.window[1] += 1.0;
    CHECK_FAILS(ren_expert_predict(expert, scan, NULL, values, 2), REN_E_DATA, "preset");
out:
    ren_expert_free(expert);
    ren_scan_free(scan);
    return st;
}

static ren_status test_option_refusals(ren_context *context) {
    const ren_preset other = { .struct_size = sizeof other, .size = { 24, 24, 24 } };
    ren_expert_options options;
    ren_expert *expert = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.config = fixture_config;
    options.arch = "resnet";
    CHECK_FAILS(ren_expert_create(context, &options, &expert), REN_E_NOT_FOUND, "resnet");
    options.arch = "cnn";
    options.region = 8;
    CHECK_FAILS(ren_expert_create(context, &options, &expert), REN_E_INVALID, "8");
    options.region = 0;
    options.preset = &other;
    CHECK_FAILS(ren_expert_create(context, &options, &expert), REN_E_INVALID, "24 x 24 x 24");
    options.preset = NULL;
    options.config = "[]";
    CHECK_FAILS(ren_expert_create(context, &options, &expert), REN_E_INVALID, "object");
    options.config = "{\"inputsize\": 3}";
    CHECK_FAILS(ren_expert_create(context, &options, &expert), REN_E_FORMAT, "inputsize");
    options.config = fixture_config;
    options.weights = "/nowhere/x.safetensors";
    CHECK_FAILS(ren_expert_create(context, &options, &expert), REN_E_IO, "/nowhere/x.safetensors");
    CHECK(expert == NULL);
out:
    ren_expert_free(expert);
    return st;
}

/* A file with the expert's tensors that says `model` of itself. */
static ren_status refuse(ren_context *context, const char *model, ren_status code, const char *message) {
    static const float value = 0.0f;
    const ren__tensor_source tensor = {
        .name = "conv1.weight", .type = REN__F32, .rank = 1, .shape = { 1 }, .data = &value
    };
    const char *const metadata[] = { "ren.format", "1", "ren.model", model, NULL };
    char path[TEST_PATH];
    ren_expert *expert = NULL;
    ren_text *json = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__safetensors_write(context, test_file(path, "hostile.safetensors"), &tensor, 1, metadata));
    CHECK_FAILS(ren_expert_load(context, path, &expert), code, message);
    CHECK_FAILS(ren_model_describe(context, path, &json), code, message);
out:
    ren_expert_free(expert);
    ren_text_free(json);
    return st;
}

#define PRESET "\"preset\": {\"kind\": \"lung\", \"window\": [-1350, 150], \"spacing\": 1, \"size\": [16, 16, 16]}"
#define HEAD   "{\"kind\": \"expert\", \"arch\": \"cnn\", "

static ren_status test_hostile_files(ren_context *context) {
    static const struct {
        const char *model;
        ren_status code;
        const char *message;
    } cases[] = {
        { HEAD "\"region\": \"LUL\", \"config\": {}}", REN_E_FORMAT, "preset" },
        { HEAD "\"region\": \"LUL\", \"config\": {}, \"classes\": 2, \"preset\": {}}", REN_E_FORMAT, "kind" },
        { HEAD "\"region\": \"LUL\", \"config\": {}, " PRESET "}", REN_E_FORMAT, "classes" },
        { HEAD "\"region\": \"LUL\", \"config\": {}, \"classes\": 99, " PRESET "}", REN_E_FORMAT, "classes" },
        { HEAD "\"region\": \"nowhere\", \"config\": {}, \"classes\": 2, " PRESET "}", REN_E_FORMAT, "nowhere" },
        { HEAD "\"region\": \"LUL\", \"config\": [], \"classes\": 2, " PRESET "}", REN_E_FORMAT, "config" },
        { HEAD "\"region\": \"LUL\", \"config\": {\"input_size\": [16, 16, 16]}, \"classes\": 3, " PRESET "}",
          REN_E_FORMAT, "classes" },
        { HEAD "\"region\": \"LUL\", \"config\": {}, \"classes\": 2, " PRESET "}", REN_E_FORMAT, "96 x 96 x 96" },
        { HEAD "\"region\": \"LUL\", \"config\": {}, \"classes\": 2, \"more\": 1, " PRESET "}", REN_E_FORMAT, "more" },
        { HEAD "\"region\": \"LUL\", \"config\": {\"input_size\": [16, 16, 16]}, \"classes\": 2, \"training_record\": "
               "1, " PRESET "}",
          REN_E_FORMAT, "training_record" },
        { HEAD "\"region\": \"LUL\", \"config\": {\"input_size\": [16, 16, 16]}, \"classes\": 2, " PRESET "}",
          REN_E_DATA, "conv1.weight is 1, but the network needs 24 x 1 x 3 x 3 x 3" },
    };
    ren_status st = REN_OK;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REN_TRY(refuse(context, cases[i].model, cases[i].code, cases[i].message));
    }
out:
    return st;
}

static ren_status test_huge_network(ren_context *context) {
    static const char *const sizes[] = { "1048576", "9223372036854775807", "-1", "1e300" };
    char model[512], path[TEST_PATH];
    ren_expert *expert = NULL;
    ren_status st = REN_OK;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(model, sizeof model,
                 HEAD "\"region\": \"LUL\", \"classes\": 2, \"config\": {\"input_size\": [%s, 16, 16]}, " PRESET "}",
                 sizes[i]);
        const char *const metadata[] = { "ren.format", "1", "ren.model", model, NULL };
        REN_TRY(ren__safetensors_write(context, test_file(path, "huge.safetensors"), NULL, 0, metadata));
        st = ren_expert_load(context, path, &expert);
        CHECK(st != REN_OK && expert == NULL);
        CHECK(ren_context_memory_used(context) < 1u << 20);
        if (st == REN_E_MEMORY && test_injecting()) goto out;
        st = REN_OK;
    }
out:
    ren_expert_free(expert);
    return st;
}

static ren_status test_card(ren_context *context) {
    char path[TEST_PATH];
    ren_expert *expert = NULL;
    ren_text *text = NULL;
    json_t *card = NULL;
    size_t bytes = 0;
    int64_t parameters = 0;
    ren_status st = REN_OK;

    REN_TRY(fixture_expert(context, REN_REGION_LEFT_LUNG, 1, &expert));
    REN_TRY(ren_expert_save(expert, test_file(path, "card.safetensors")));
    REN_TRY(ren_model_describe(context, path, &text));
    REN_TRY(ren__json_parse(ren_text_data(text), ren_text_size(text), "card", &card));
    /* Convolutions, their norms, 768 x 256, 256 x 64, 64 x 2 with biases and norms. */
    parameters = 24 * 27 + 24 + 48 + 48 * 24 * 27 + 48 + 96 + 96 * 48 * 27 + 96 + 192;
    parameters += 768 * 256 + 256 + 512 + 256 * 64 + 64 + 128 + 64 * 2 + 2;
    CHECK_INT(json_integer_value(json_object_get(card, "parameters")), parameters);
    CHECK_TEXT(json_string_value(json_object_get(card, "kind")), "expert");
    CHECK_TEXT(json_string_value(json_object_get(card, "architecture")), "cnn");
    CHECK_TEXT(json_string_value(json_array_get(json_object_get(card, "regions"), 0)), "left_lung");
    REN_TRY(ren_expert_session_bytes(expert, &bytes));
    CHECK_INT(json_integer_value(json_object_get(card, "session_bytes")), bytes);
    CHECK(json_number_value(json_object_get(card, "flop")) > 2.0 * 4096 * 24 * 27);
out:
    json_decref(card);
    ren_text_free(text);
    ren_expert_free(expert);
    return st;
}

/* What the configuration leaves open is the preset's size; what it says, it says. */
static ren_status test_size_of_the_preset(ren_context *context) {
    ren_status st = REN_OK;
    ren_expert_options options;
    ren_expert *expert = NULL;
    const ren_preset preset = { .struct_size = sizeof preset, .size = { 16, 24, 16 } };

    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.preset = &preset;
    for (int given = 0; given < 2; given++) {
        options.config = given ? "{\"dropout\": 0.1}" : NULL;
        REN_TRY(ren_expert_create(context, &options, &expert));
        const ren__shape *x = ren__graph_shape(expert->graph, ren__graph_find_input(expert->graph, "x"));
        CHECK(x->dim[1] == 16 && x->dim[2] == 24 && x->dim[3] == 16);
        CHECK_INT(expert->preset.size[1], 24);
        CHECK_INT(json_object_size(expert->config), given ? 2 : 1);
        ren_expert_free(expert);
        expert = NULL;
    }
    options.config = "{\"input_size\": [16, 16, 16]}";
    CHECK_FAILS(ren_expert_create(context, &options, &expert), REN_E_INVALID, "input_size");
    options.config = "[]";
    CHECK_FAILS(ren_expert_create(context, &options, &expert), REN_E_INVALID, "no JSON object");
out:
    ren_expert_free(expert);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_checkpoint), CASE_SAMPLED(test_checkpoint_refusals), CASE(test_round_trip),
          CASE(test_predicts), CASE_SAMPLED(test_predicts_region_alone), CASE_SAMPLED(test_predicts_densely),

          CASE(test_predict_refusals), CASE(test_option_refusals), CASE_SAMPLED(test_hostile_files),
          CASE(test_huge_network), CASE(test_card), CASE_SAMPLED(test_size_of_the_preset))
