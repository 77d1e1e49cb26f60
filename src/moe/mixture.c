/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures: experts of different regions and a gate. p = sum over the regions that ran of weight x probability. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "moe/model_file.h"
#include "moe/result.h"
#include "moe/session_cache.h"

enum { NAME_CAP = 200 }; /* bytes of a mixture's name */

size_t ren__mixture_experts(const ren_mixture *mixture, ren_expert *experts[REN_REGION_COUNT]) {
    size_t count = 0;

    for (int32_t region = 0; region < REN__PLACES; region++)
        if (mixture->expert[region]) experts[count++] = mixture->expert[region];
    return count;
}

void ren_mixture_free(ren_mixture *mixture) {
    if (!mixture || atomic_fetch_sub_explicit(&mixture->references, 1, memory_order_acq_rel) != 1) return;
    ren_context *context = mixture->context;
    ren__session_cache_free(mixture->cache);
    for (int32_t region = 0; region < REN__PLACES; region++)
        ren_expert_free(mixture->expert[region]);
    ren_gate_free(mixture->gate);
    ren__predictor_free(mixture->stack);
    json_decref(mixture->record);
    json_decref(mixture->card);
    ren__free(mixture->name);
    ren__free(mixture);
    ren__context_release(context);
}

/* ----------------------------------------------------------------------------------------------------- creation */

/* One expert a region, all fed alike. */
static ren_status add_expert(ren_mixture *mixture, ren_expert *expert) {
    const char *region = ren_region_name(expert->region);
    ren_expert *others[REN_REGION_COUNT];

    if (ren__mixture_experts(mixture, others) > 0 &&
        (expert->region >= REN_REGION_COUNT || ren__mixture_whole(mixture)))
        return ren__error(REN_E_INVALID,
                          "an expert of region %s is a mixture of its own alone: it sees what the others see",
                          ren_region_name(REN_REGION_LUNGS));
    if (mixture->expert[expert->region])
        return ren__error(REN_E_INVALID, "two experts are for region %s: a mixture has one a region", region);
    if (ren__mixture_experts(mixture, others) > 0) {
        if (!ren__preset_equal(&others[0]->preset, &expert->preset))
            return ren__error(REN_E_INVALID,
                              "the experts of regions %s and %s have different presets: one scan "
                              "cannot feed both",
                              ren_region_name(others[0]->region), region);
        if (others[0]->classes != expert->classes)
            return ren__error(REN_E_INVALID, "the experts of regions %s and %s have %d and %d classes",
                              ren_region_name(others[0]->region), region, others[0]->classes, expert->classes);
    }
    if (expert->region < REN_REGION_COUNT) {
        const ren_status st = ren__gate_check_region(mixture->gate, expert->region);
        if (st != REN_OK) return st;
    }
    mixture->expert[expert->region] = ren__expert_retain(expert);
    return REN_OK;
}

/* With every region present some expert must have weight. */
static ren_status check_weights(const ren_mixture *mixture) {
    int32_t all[REN_REGION_COUNT];
    double weights[REN_REGION_COUNT];

    if (ren__mixture_whole(mixture)) return REN_OK;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        all[region] = mixture->expert[region] != NULL;
    if (ren__gate_weights(mixture->gate, all, NULL, weights) != REN_OK)
        return ren__error(REN_E_DATA, "the gate gives no weight to any of the experts");
    return REN_OK;
}

/* A gate that reads deep features needs them of every expert, all of the length that it knows. */
static ren_status check_features(const ren_mixture *mixture) {
    const ren__columns columns = ren__gate_columns(mixture->gate);

    if (columns.count == 0 || strcmp(ren__gate_source(mixture->gate), "features") != 0) return REN_OK;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const ren_expert *expert = mixture->expert[region];
        const int32_t features = expert ? ren__expert_features(expert) : columns.count;
        if (features == 0)
            return ren__error(REN_E_UNSUPPORTED,
                              "the gate reads deep features, but the network %s of region %s gives none",
                              expert->net->name, ren_region_name(region));
        if (features != columns.count)
            return ren__error(REN_E_INVALID, "the gate reads %d deep features, but the expert of region %s gives %d",
                              (int)columns.count, ren_region_name(region), (int)features);
    }
    return REN_OK;
}

static ren_status set_stack(ren_mixture *mixture, const ren__predictor *stack) {
    ren_expert *experts[REN_REGION_COUNT];
    int32_t reads[REN_REGION_COUNT];

    if (!stack) return REN_OK;
    ren__mixture_experts(mixture, experts);
    if (ren__mixture_whole(mixture) || experts[0]->classes != 2)
        return ren__error(REN_E_INVALID, "a stacked predictor joins regional experts of two classes");
    const int32_t count = ren__predictor_reads(stack, NULL);
    if (count <= REN_REGION_COUNT) ren__predictor_reads(stack, reads);
    for (int32_t i = 0; i < count; i++)
        if (count > REN_REGION_COUNT || reads[i] >= REN_REGION_COUNT || !mixture->expert[reads[i]])
            return ren__error(REN_E_INVALID, "the stacked predictor reads a region that has no expert");
    mixture->stack = ren__predictor_retain(stack);
    return REN_OK;
}

static ren_status check_name(const char *name) {
    const size_t size = strlen(name);

    if (size == 0 || size > NAME_CAP || !ren__utf8_valid(name, size))
        return ren__error(REN_E_INVALID, "a mixture's name is UTF-8 of 1 to %d bytes", NAME_CAP);
    return REN_OK;
}

ren_status ren__mixture_make(ren_context *context, ren_expert *const *experts, size_t count, ren_gate *gate,
                             const ren__mixture_options *options, ren_mixture **out) {
    static const ren__mixture_options none = { .name = NULL };
    const ren__mixture_options *set = options ? options : &none;
    const char *name = set->name ? set->name : "mixture";
    ren_status st = REN_OK;
    ren_mixture *mixture = NULL;

    if (count == 0 || count > REN_REGION_COUNT)
        REN_FAIL(REN_E_INVALID, "a mixture has 1 to %d experts, not %zu", REN_REGION_COUNT, count);
    REN_TRY(check_name(name));
    REN_CALLOC(mixture, 1);
    atomic_init(&mixture->references, 1);
    mixture->context = ren__context_retain(context);
    mixture->gate = ren__gate_retain(gate);
    mixture->name = ren__strdup(context, name);
    if (!mixture->name) REN_TRY(ren__out_of_memory());
    mixture->threshold = set->threshold != 0.0 ? set->threshold : 0.5;
    if (!(mixture->threshold > 0.0 && mixture->threshold <= 1.0))
        REN_FAIL(REN_E_INVALID, "a mixture's threshold is above 0 and at most 1");
    if (set->record) {
        if (!json_is_object(set->record)) REN_FAIL(REN_E_INVALID, "the training record is no JSON object");
        mixture->record = json_deep_copy(set->record);
        if (!mixture->record) REN_TRY(ren__json_memory());
    }
    for (size_t i = 0; i < count; i++) {
        if (!experts[i]) REN_FAIL(REN_E_INVALID, "expert %zu of the mixture is NULL", i);
        REN_TRY(add_expert(mixture, experts[i]));
    }
    REN_TRY(check_weights(mixture));
    REN_TRY(check_features(mixture));
    REN_TRY(set_stack(mixture, set->stack));
    REN_TRY(ren__mixture_card(mixture, &mixture->card));
    REN_TRY(ren__session_cache_create(context, &mixture->cache));
    *out = mixture;
    mixture = NULL;
out:
    ren_mixture_free(mixture);
    return st;
}

ren_status ren_mixture_create(ren_context *context, ren_expert *const *experts, size_t count, ren_gate *gate,
                              ren_mixture **out) {
    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && experts != NULL && gate != NULL);
    return ren__mixture_make(context, experts, count, gate, NULL, out);
}

/* -------------------------------------------------------------------------------------------------------- files */

static ren_status parse_experts(ren_context *context, const json_t *model, ren_expert *experts[REN_REGION_COUNT],
                                size_t *count) {
    const json_t *list;
    ren_preset preset = { .struct_size = sizeof preset };
    int64_t classes;
    ren_status st = REN_OK;

    REN_TRY(ren__need_member(model, "experts", "ren.model", JSON_ARRAY, &list));
    REN_TRY(ren__model_input(model, &preset, &classes));
    if (json_array_size(list) < 1 || json_array_size(list) > REN_REGION_COUNT)
        REN_FAIL(REN_E_FORMAT, "ren.model: a mixture has 1 to %d experts, not %zu", REN_REGION_COUNT,
                 json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *object = json_array_get(list, i);
        if (!json_is_object(object)) REN_FAIL(REN_E_FORMAT, "ren.model: \"experts\" holds something else than objects");
        REN_TRY(ren__expert_parse(context, object, "ren.model's expert", &preset, classes, &experts[i]));
        *count = i + 1;
    }
out:
    return st;
}

ren_status ren__mixture_parse(ren_context *context, const json_t *model, ren_mixture **out) {
    static const char *const known[] = { "kind", "name",     "preset",  "classes",         "threshold",
                                         "gate", "stacking", "experts", "training_record", NULL };
    const ren__columns regions = ren__region_columns();
    ren_expert *experts[REN_REGION_COUNT] = { NULL };
    ren_gate *gate = NULL;
    ren__predictor *stack = NULL;
    const json_t *stored;
    ren__mixture_options options = { .threshold = -1.0 };
    size_t count = 0;
    ren_status st = REN_OK;

    REN_TRY(ren__check_keys(model, "ren.model", known));
    REN_TRY(ren__need_string(model, "name", "ren.model", &options.name));
    REN_TRY(ren__get_number(model, "threshold", "ren.model", &options.threshold));
    if (!(options.threshold > 0.0)) REN_FAIL(REN_E_FORMAT, "ren.model: \"threshold\" must be a number above 0");
    options.record = json_object_get(model, "training_record");
    REN_TRY(ren__need_member(model, "gate", "ren.model", JSON_OBJECT, &stored));
    REN_TRY(ren__gate_parse(context, stored, "gate", &gate));
    if (json_object_get(model, "stacking")) {
        REN_TRY(ren__need_member(model, "stacking", "ren.model", JSON_OBJECT, &stored));
        REN_TRY(ren__predictor_parse(context, stored, "stacking", &regions, &stack));
        options.stack = stack;
    }
    REN_TRY(parse_experts(context, model, experts, &count));
    REN_TRY(ren__mixture_make(context, experts, count, gate, &options, out));
out:
    for (size_t i = 0; i < count; i++)
        ren_expert_free(experts[i]);
    ren__predictor_free(stack);
    ren_gate_free(gate);
    return st;
}

/* The mixture of a file, or of an expert's. */
static ren_status parse_any(ren_context *context, const json_t *model, ren_mixture **out, int *prefixed) {
    const char *kind = json_string_value(json_object_get(model, "kind"));
    char quoted[REN__QUOTE_SIZE];
    ren_expert *expert = NULL;

    if (strcmp(kind, "mixture") == 0) return ren__mixture_parse(context, model, out);
    if (strcmp(kind, "expert") != 0)
        return ren__error(REN_E_DATA, "the file holds a model of kind \"%s\", not \"mixture\" or \"expert\"",
                          ren__quote(kind, quoted, sizeof quoted));
    *prefixed = 0;
    ren_status st = ren__expert_file_parse(context, model, &expert);
    if (st == REN_OK) {
        const ren__mixture_options options = { .name = expert->net->name };
        st = ren__mixture_of_one(context, expert, &options, out);
    }
    ren_expert_free(expert);
    return st;
}

ren_status ren_mixture_load(ren_context *context, const char *path, ren_mixture **out) {
    ren__safetensors *file = NULL;
    json_t *model = NULL;
    ren_mixture *mixture = NULL;
    ren_expert *experts[REN_REGION_COUNT];
    size_t count = 0;
    int prefixed = 1; /* the tensors' names in a mixture; not in an expert's file, which is the mixture of that alone */

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && path != NULL);
    ren_status st = ren__model_open(context, path, NULL, &file, &model);
    if (st != REN_OK) return st;
    st = parse_any(context, model, &mixture, &prefixed);
    if (st == REN_OK) {
        count = ren__mixture_experts(mixture, experts);
        st = ren__model_check(file, experts, count, prefixed);
    }
    for (size_t i = 0; st == REN_OK && i < count; i++)
        st = ren__model_read_weights(file, experts[i], prefixed);
    json_decref(model);
    ren__safetensors_close(file);
    if (st != REN_OK) {
        ren_mixture_free(mixture);
        return ren__model_error(st, path);
    }
    *out = mixture;
    return REN_OK;
}

static json_t *mixture_json(const ren_mixture *mixture) {
    ren_expert *experts[REN_REGION_COUNT];
    const size_t count = ren__mixture_experts(mixture, experts);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, ren__expert_json(experts[i])) == 0) continue;
        json_decref(list);
        return NULL;
    }
    json_t *model = json_pack("{s:s, s:s, s:o, s:i, s:f, s:o, s:o, s:O*}", "kind", "mixture", "name", mixture->name,
                              "preset", ren__preset_json(&experts[0]->preset), "classes", (int)experts[0]->classes,
                              "threshold", mixture->threshold, "gate", ren__gate_json(mixture->gate), "experts", list,
                              "training_record", mixture->record);
    if (!model || !mixture->stack) return model;
    if (json_object_set_new(model, "stacking", ren__predictor_json(mixture->stack)) == 0) return model;
    json_decref(model);
    return NULL;
}

ren_status ren_mixture_save(const ren_mixture *mixture, const char *path) {
    ren_expert *experts[REN_REGION_COUNT];

    REN_REQUIRE(mixture != NULL && path != NULL);
    const size_t count = ren__mixture_experts(mixture, experts);
    json_t *model = mixture_json(mixture);
    const ren_status st =
        model ? ren__model_write(mixture->context, path, model, experts, count, 1) : ren__json_memory();
    json_decref(model);
    return st;
}
