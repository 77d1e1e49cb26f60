/* SPDX-License-Identifier: Apache-2.0 */
/* Gates as JSON, as model files, and as what a model card says of them. */
#include <string.h>

#include "moe/gate.h"
#include "moe/model_file.h"
#include "moe/predictor_parts.h"

static const char *const normalisations[] = { "sum", "hierarchical" };
static const char *const params_modes[] = { "pyradiomics", "ibsi" };
static const char fixed_mode[] = "fixed", learned_mode[] = "learned";
static const char where_weights[] = "the gate's weights";

enum { REGIONS_KNOWN = REN_REGION_COUNT + 1 };

/* Weights for each scan go by two names: study configurations call them so by the source. */
static const char *scan_mode(const char *source) {
    return strcmp(source, "features") == 0 ? "dynamic" : "per_scan";
}

static const char *mode_name(const ren_gate *gate) {
    if (gate->mode == REN__GATE_PER_SCAN) return scan_mode(ren__gate_source(gate));
    return gate->mode == REN__GATE_LEARNED ? learned_mode : fixed_mode;
}

static void region_names(const char *known[REGIONS_KNOWN]) {
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        known[region] = ren_region_name(region);
    known[REN_REGION_COUNT] = NULL;
}

/* ------------------------------------------------------------------------------------------------------ writing */

/* Takes over `value`; NULL is a failed allocation. */
static int set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

/* Region name to number, of those that are not 0. */
static json_t *numbers_json(const double number[REN_REGION_COUNT]) {
    json_t *object = json_object();

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (number[region] == 0.0 || set(object, ren_region_name(region), json_real(number[region]))) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *columns_json(const ren_gate *gate) {
    json_t *list = json_array();

    for (int32_t i = 0; i < gate->column_count; i++) {
        if (json_array_append_new(list, json_string(gate->column[i])) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static int any(ren__predictor *const predictor[REN_REGION_COUNT]) {
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (predictor[region]) return 1;
    return 0;
}

static json_t *predictors_json(ren__predictor *const predictor[REN_REGION_COUNT]) {
    json_t *object = json_object();

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!predictor[region]) continue;
        if (set(object, ren_region_name(region), ren__predictor_json(predictor[region]))) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

/* What files and cards both say. A plain gate says no more than it needs to. */
static int add_numbers(const ren_gate *gate, json_t *object) {
    if (!set(object, "source", json_string(ren__gate_source(gate)))) return 0;
    if (!set(object, "normalisation", json_string(normalisations[gate->normalisation]))) return 0;
    if (gate->mode != REN__GATE_FIXED && !set(object, "mode", json_string(mode_name(gate)))) return 0;
    if (gate->temperature != 1.0 && !set(object, "temperature", json_real(gate->temperature))) return 0;
    if (gate->measure && !set(object, "measure", json_string(gate->measure))) return 0;
    if (strcmp(ren__gate_source(gate), "uniform") != 0 && !set(object, "weights", numbers_json(gate->value))) return 0;
    return gate->mode != REN__GATE_LEARNED || set(object, "logits", numbers_json(gate->logit));
}

/* The parameters as an object. */
static int add_params(const ren_gate *gate, json_t *object) {
    json_t *params = NULL;

    if (!gate->params) return 1;
    if (!set(object, "params_mode", json_string(params_modes[gate->params_mode == REN_RADIOMICS_IBSI]))) return 0;
    if (ren__json_parse(gate->params, strlen(gate->params), "the gate's parameters", &params) != REN_OK) return 0;
    return set(object, "params", params);
}

json_t *ren__gate_json(const ren_gate *gate) {
    json_t *object = json_object();
    int good = object && add_numbers(gate, object);

    if (gate->column_count > 0) good = good && set(object, "columns", columns_json(gate));
    if (any(gate->score)) good = good && set(object, "scores", predictors_json(gate->score));
    if (any(gate->predictor)) good = good && set(object, "predictors", predictors_json(gate->predictor));
    if (good && add_params(gate, object)) return object;
    json_decref(object);
    return NULL;
}

/* --------------------------------------------------------------------------------------------------------- cards */

json_t *ren__predictor_card(const ren__predictor *predictor) {
    const char *kind = predictor->kind == REN__PREDICTOR_LINEAR ? "logistic regression"
                       : predictor->average                     ? "random forest"
                                                                : "boosted trees";
    json_t *reads = json_array();

    for (int32_t i = 0; i < predictor->reads; i++) {
        if (json_array_append_new(reads, json_string(predictor->name[i])) == 0) continue;
        json_decref(reads);
        return NULL;
    }
    json_t *card = json_pack("{s:s, s:o}", "kind", kind, "reads", reads);
    if (!card || predictor->kind == REN__PREDICTOR_LINEAR) return card;
    if (set(card, "trees", json_integer((json_int_t)predictor->trees))) return card;
    json_decref(card);
    return NULL;
}

static json_t *predictor_cards(ren__predictor *const predictor[REN_REGION_COUNT]) {
    json_t *object = json_object();

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!predictor[region]) continue;
        if (set(object, ren_region_name(region), ren__predictor_card(predictor[region]))) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

/* As the file, but that mode and temperature are always said, columns counted, and predictors described. */
json_t *ren__gate_card(const ren_gate *gate) {
    json_t *card = json_object();
    int good = card && add_numbers(gate, card) && set(card, "mode", json_string(mode_name(gate))) &&
               set(card, "temperature", json_real(gate->temperature));

    if (gate->column_count > 0) good = good && set(card, "columns", json_integer(gate->column_count));
    if (any(gate->score)) good = good && set(card, "scores", predictor_cards(gate->score));
    if (any(gate->predictor)) good = good && set(card, "predictors", predictor_cards(gate->predictor));
    if (good && add_params(gate, card)) return card;
    json_decref(card);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------ reading */

static ren_status parse_numbers(const json_t *object, const char *key, const char *where, const char *what,
                                double number[REN_REGION_COUNT]) {
    const json_t *numbers;
    const char *known[REGIONS_KNOWN];

    ren_status st = ren__need_member(object, key, where, JSON_OBJECT, &numbers);
    region_names(known);
    if (st == REN_OK) st = ren__check_keys(numbers, what, known);
    for (int32_t region = 0; st == REN_OK && region < REN_REGION_COUNT; region++)
        st = ren__get_number(numbers, known[region], what, &number[region]);
    return st;
}

static ren_status parse_mode(const json_t *object, const char *where, ren__gate_parts *parts) {
    const char *mode = fixed_mode;

    const ren_status st = ren__get_string(object, "mode", where, &mode);
    if (st != REN_OK) return st;
    parts->mode = REN__GATE_FIXED;
    if (strcmp(mode, fixed_mode) == 0) return REN_OK;
    parts->mode = strcmp(mode, learned_mode) == 0 ? REN__GATE_LEARNED : REN__GATE_PER_SCAN;
    if (parts->mode == REN__GATE_PER_SCAN && strcmp(mode, scan_mode(parts->source)) != 0)
        return ren__error(REN_E_FORMAT, "%s: \"mode\" is not fixed, learned or %s", where, scan_mode(parts->source));
    return REN_OK;
}

static ren_status parse_kind(const json_t *object, const char *where, ren__gate_parts *parts) {
    const char *normalisation;
    ren_status st = REN_OK;

    REN_TRY(ren__need_string(object, "source", where, &parts->source));
    REN_TRY(ren__need_string(object, "normalisation", where, &normalisation));
    if (!ren__gate_knows(parts->source))
        REN_FAIL(REN_E_UNSUPPORTED, "%s: this version knows no gate of that source", where);
    parts->normalisation = strcmp(normalisation, normalisations[REN_GATE_HIERARCHICAL]) == 0;
    if (!parts->normalisation && strcmp(normalisation, normalisations[REN_GATE_SUM]) != 0)
        REN_FAIL(REN_E_FORMAT, "%s: \"normalisation\" is neither \"sum\" nor \"hierarchical\"", where);
    REN_TRY(parse_mode(object, where, parts));
    REN_TRY(ren__get_number(object, "temperature", where, &parts->temperature));
    if (!(parts->temperature > 0.0)) REN_FAIL(REN_E_FORMAT, "%s: \"temperature\" must be above 0", where);
    REN_TRY(ren__get_string(object, "measure", where, &parts->measure));
    if (strcmp(parts->source, "uniform") != 0)
        REN_TRY(parse_numbers(object, "weights", where, where_weights, parts->value));
    if (parts->mode == REN__GATE_LEARNED)
        REN_TRY(parse_numbers(object, "logits", where, "the gate's logits", parts->logit));
    else if (json_object_get(object, "logits"))
        REN_FAIL(REN_E_FORMAT, "%s: \"logits\" belong to the mode learned", where);
out:
    return st;
}

/* The names belong to the tree; ren__free ends their list. */
static ren_status parse_columns(ren_context *context, const json_t *object, const char *where, ren__columns *columns) {
    const json_t *list;
    const char **name = NULL;
    ren_status st = REN_OK;

    if (!json_object_get(object, "columns")) return REN_OK;
    REN_TRY(ren__need_member(object, "columns", where, JSON_ARRAY, &list));
    const size_t count = json_array_size(list);
    if (count == 0 || count > INT32_MAX) REN_FAIL(REN_E_FORMAT, "%s: \"columns\" is empty", where);
    REN_CALLOC(name, count);
    for (size_t i = 0; i < count; i++) {
        name[i] = json_string_value(json_array_get(list, i));
        if (!name[i]) REN_FAIL(REN_E_FORMAT, "%s: \"columns\" holds something else than names", where);
    }
    *columns = (ren__columns){ name, (int32_t)count };
    name = NULL;
out:
    ren__free(name);
    return st;
}

static ren_status parse_predictors(ren_context *context, const json_t *object, const char *key, const char *where,
                                   const ren__columns *columns, ren__predictor *predictor[REN_REGION_COUNT]) {
    const char *known[REGIONS_KNOWN];
    const json_t *map;
    ren_status st = REN_OK;

    if (!json_object_get(object, key)) return REN_OK;
    REN_TRY(ren__need_member(object, key, where, JSON_OBJECT, &map));
    region_names(known);
    REN_TRY(ren__check_keys(map, key, known));
    if (columns->count == 0) REN_FAIL(REN_E_FORMAT, "%s: \"%s\" need \"columns\"", where, key);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const json_t *one = json_object_get(map, known[region]);
        if (!one) continue;
        if (!json_is_object(one))
            REN_FAIL(REN_E_FORMAT, "%s: \"%s\" holds no object for %s", where, key, known[region]);
        REN_TRY(ren__predictor_parse(context, one, key, columns, &predictor[region]));
    }
out:
    return st;
}

static ren_status parse_params(ren_context *context, const json_t *object, const char *where, ren__gate_parts *parts,
                               ren_text **text) {
    const char *mode = params_modes[0];
    const json_t *params;
    ren_status st = REN_OK;

    REN_TRY(ren__get_string(object, "params_mode", where, &mode));
    parts->params_mode = strcmp(mode, params_modes[1]) == 0 ? REN_RADIOMICS_IBSI : REN_RADIOMICS_PYRADIOMICS;
    if (strcmp(mode, params_modes[0]) != 0 && strcmp(mode, params_modes[1]) != 0)
        REN_FAIL(REN_E_FORMAT, "%s: \"params_mode\" is neither \"pyradiomics\" nor \"ibsi\"", where);
    if (!json_object_get(object, "params")) return REN_OK;
    REN_TRY(ren__need_member(object, "params", where, JSON_OBJECT, &params));
    REN_TRY(ren__json_write(context, params, 0, text));
    parts->params = ren_text_data(*text);
out:
    return st;
}

ren_status ren__gate_parse(ren_context *context, const json_t *object, const char *where, ren_gate **out) {
    static const char *const known[] = { "kind",    "source",      "normalisation", "mode",    "temperature",
                                         "measure", "weights",     "logits",        "columns", "scores",
                                         "params",  "params_mode", "predictors",    NULL };
    ren__gate_parts parts = { .temperature = 1.0 };
    ren_text *params = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__check_keys(object, where, known));
    REN_TRY(parse_kind(object, where, &parts));
    REN_TRY(parse_columns(context, object, where, &parts.columns));
    REN_TRY(parse_predictors(context, object, "scores", where, &parts.columns, parts.score));
    REN_TRY(parse_predictors(context, object, "predictors", where, &parts.columns, parts.predictor));
    REN_TRY(parse_params(context, object, where, &parts, &params));
    REN_TRY(ren__gate_make(context, &parts, out));
out:
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        ren__predictor_free(parts.score[region]);
        ren__predictor_free(parts.predictor[region]);
    }
    ren_text_free(params);
    ren__free((void *)parts.columns.name);
    return st;
}

/* -------------------------------------------------------------------------------------------------------- files */

ren_status ren_gate_load(ren_context *context, const char *path, ren_gate **out) {
    ren__safetensors *file = NULL;
    json_t *model = NULL;
    ren_gate *gate = NULL;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && path != NULL);
    ren_status st = ren__model_open(context, path, "gate", &file, &model);
    if (st != REN_OK) return st;
    st = ren__model_check(file, NULL, 0, 0);
    if (st == REN_OK) st = ren__gate_parse(context, model, "ren.model", &gate);
    json_decref(model);
    ren__safetensors_close(file);
    if (st != REN_OK) return ren__model_error(st, path);
    *out = gate;
    return REN_OK;
}

ren_status ren_gate_save(const ren_gate *gate, const char *path) {
    REN_REQUIRE(gate != NULL && path != NULL);
    json_t *model = json_pack("{s:s}", "kind", "gate"), *rest = ren__gate_json(gate);
    ren_status st = REN_OK;

    if (!model || !rest || json_object_update(model, rest) != 0)
        st = ren__json_memory();
    else
        st = ren__model_write(gate->context, path, model, NULL, 0, 0);
    json_decref(rest);
    json_decref(model);
    return st;
}
