/* SPDX-License-Identifier: Apache-2.0 */
/* Model cards: what a person wants to know of a model, from its description alone. */
#include <string.h>

#include "graph/op.h"
#include "moe/model_file.h"

/* Sums over experts; `session_bytes` is the largest, for they run one after another. */
typedef struct totals {
    int64_t parameters;
    double flops;
    size_t session_bytes;
    size_t tensors;
} totals;

static ren_status add_totals(totals *sum, const ren_expert *expert) {
    size_t bytes = 0;
    const ren_status st = ren_expert_session_bytes(expert, &bytes);

    if (st != REN_OK) return st;
    sum->parameters += ren__graph_parameters(expert->graph);
    sum->flops += ren__graph_flops(expert->graph);
    sum->tensors += (size_t)ren__graph_parameter_count(expert->graph);
    if (bytes > sum->session_bytes) sum->session_bytes = bytes;
    return REN_OK;
}

/* What experts and mixtures have in common; takes the members of `more`. NULL inputs are failed allocations. */
static ren_status finish(json_t *card, json_t *more, const totals *sum, const json_t *record, json_t **out) {
    json_t *last = json_pack("{s:I, s:f, s:I, s:I, s:O*}", "parameters", (json_int_t)sum->parameters, "flop",
                             sum->flops, "session_bytes", (json_int_t)sum->session_bytes, "tensors",
                             (json_int_t)sum->tensors, "training_record", record);
    const int good = card && more && last && json_object_update(card, more) == 0 && json_object_update(card, last) == 0;

    json_decref(more);
    json_decref(last);
    if (!good) {
        json_decref(card);
        return ren__json_memory();
    }
    *out = card;
    return REN_OK;
}

ren_status ren__expert_card(const ren_expert *expert, json_t **out) {
    totals sum = { 0 };
    const ren_status st = add_totals(&sum, expert);

    if (st != REN_OK) return st;
    json_t *card = json_pack("{s:s, s:s, s:[s]}", "kind", "expert", "architecture", expert->net->name, "regions",
                             ren_region_name(expert->region));
    json_t *more = json_pack("{s:O, s:o, s:i}", "config", expert->config, "preset", ren__preset_json(&expert->preset),
                             "classes", (int)expert->classes);
    return finish(card, more, &sum, expert->record, out);
}

/* "cnn", or "cnn, vit" where the experts differ. */
static json_t *architectures(ren_expert *const *experts, size_t count) {
    json_t *names = json_string(experts[0]->net->name);

    for (size_t i = 1; names && i < count; i++) {
        int seen = 0;
        for (size_t j = 0; j < i; j++)
            seen |= experts[j]->net == experts[i]->net;
        if (seen) continue;
        json_t *longer = json_sprintf("%s, %s", json_string_value(names), experts[i]->net->name);
        json_decref(names);
        names = longer;
    }
    return names;
}

static json_t *expert_list(ren_expert *const *experts, size_t count) {
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, ren__expert_json(experts[i])) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

ren_status ren__mixture_card(const ren_mixture *mixture, json_t **out) {
    ren_expert *experts[REN_REGION_COUNT];
    const size_t count = ren__mixture_experts(mixture, experts);
    totals sum = { 0 };
    ren_status st = REN_OK;

    for (size_t i = 0; st == REN_OK && i < count; i++)
        st = add_totals(&sum, experts[i]);
    if (st != REN_OK) return st;
    json_t *regions = json_array();
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(regions, json_string(ren_region_name(experts[i]->region))) == 0) continue;
        json_decref(regions);
        return ren__json_memory();
    }
    json_t *card = json_pack("{s:s, s:s, s:o, s:o}", "kind", "mixture", "name", mixture->name, "architecture",
                             architectures(experts, count), "regions", regions);
    json_t *more = json_pack("{s:o, s:i, s:f, s:o, s:o}", "preset", ren__preset_json(&experts[0]->preset), "classes",
                             (int)experts[0]->classes, "threshold", mixture->threshold, "gate",
                             ren__gate_card(mixture->gate), "experts", expert_list(experts, count));
    if (mixture->stack && json_object_set_new(more, "stacking", ren__predictor_card(mixture->stack)) != 0) {
        json_decref(more);
        more = NULL;
    }
    return finish(card, more, &sum, mixture->record, out);
}

static ren_status gate_card(ren_context *context, const json_t *model, const ren__safetensors *file, json_t **out) {
    ren_gate *gate = NULL;
    ren_status st = ren__model_check(file, NULL, 0, 0);

    if (st == REN_OK) st = ren__gate_parse(context, model, "ren.model", &gate);
    if (st != REN_OK) return st;
    json_t *card = json_pack("{s:s}", "kind", "gate"), *more = ren__gate_card(gate);
    ren_gate_free(gate);
    if (!card || !more || json_object_update(card, more) != 0) {
        json_decref(card);
        card = NULL;
        st = ren__json_memory();
    }
    json_decref(more);
    *out = card;
    return st;
}

static ren_status expert_card(ren_context *context, const json_t *model, const ren__safetensors *file, json_t **out) {
    ren_expert *expert = NULL;
    ren_status st = ren__expert_file_parse(context, model, &expert);

    if (st == REN_OK) st = ren__model_check(file, &expert, 1, 0);
    if (st == REN_OK) st = ren__expert_card(expert, out);
    ren_expert_free(expert);
    return st;
}

static ren_status mixture_card(ren_context *context, const json_t *model, const ren__safetensors *file, json_t **out) {
    ren_mixture *mixture = NULL;
    ren_expert *experts[REN_REGION_COUNT];

    ren_status st = ren__mixture_parse(context, model, &mixture);
    if (st == REN_OK) st = ren__model_check(file, experts, ren__mixture_experts(mixture, experts), 1);
    if (st == REN_OK) *out = json_incref(mixture->card);
    ren_mixture_free(mixture);
    return st;
}

static ren_status card_of(ren_context *context, const json_t *model, const ren__safetensors *file, json_t **out) {
    const char *kind = json_string_value(json_object_get(model, "kind"));

    if (strcmp(kind, "expert") == 0) return expert_card(context, model, file, out);
    if (strcmp(kind, "mixture") == 0) return mixture_card(context, model, file, out);
    if (strcmp(kind, "gate") == 0) return gate_card(context, model, file, out);
    return ren__error(REN_E_UNSUPPORTED, "this version knows experts, gates and mixtures, not this kind of model");
}

ren_status ren_model_describe(ren_context *context, const char *path, ren_text **json) {
    ren__safetensors *file = NULL;
    json_t *model = NULL, *card = NULL;

    REN_REQUIRE(json != NULL);
    *json = NULL;
    REN_REQUIRE(context != NULL && path != NULL);
    ren_status st = ren__model_open(context, path, NULL, &file, &model);
    if (st != REN_OK) return st;
    st = card_of(context, model, file, &card);
    ren__safetensors_close(file);
    json_decref(model);
    if (st != REN_OK) return ren__model_error(st, path);
    st = ren__json_write(context, card, 2, json);
    json_decref(card);
    return st;
}
