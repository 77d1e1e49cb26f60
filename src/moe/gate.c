/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gates: how much each region's expert counts.
 *
 * A gate holds one number a region as it was given, and a raw weight w made from it:
 *     uniform                                  w = 1
 *     validation_auc, validation_accuracy      w = the metric, in (0, 1]
 *     inverse_loss                             w = 1 / validation loss
 *     given                                    w = the number
 * 0 is "nothing for this region". For a scan the raw weights of the regions that ran are normalised: to the sum 1, or
 * hierarchically: lobes to 1 and lungs to 1, each halved where both levels have weight.
 */
#include <math.h>
#include <string.h>

#include "moe/model_file.h"

enum { UNIFORM, VALIDATION_AUC, VALIDATION_ACCURACY, INVERSE_LOSS, GIVEN, SOURCE_COUNT };
static const char *const sources[SOURCE_COUNT] = { "uniform", "validation_auc", "validation_accuracy", "inverse_loss",
                                                   "given" };
static const char *const normalisations[] = { "sum", "hierarchical" };

ren_status ren_gate_options_init(ren_gate_options *options, size_t size) {
    const ren_gate_options defaults = { .struct_size = sizeof defaults, .source = "uniform" };

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_gate_options");
}

ren_gate *ren__gate_retain(const ren_gate *gate) {
    ren_gate *held = (ren_gate *)gate;

    atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    return held;
}

void ren_gate_free(ren_gate *gate) {
    if (!gate || atomic_fetch_sub_explicit(&gate->references, 1, memory_order_acq_rel) != 1) return;
    ren_context *context = gate->context;
    ren__free(gate);
    ren__context_release(context);
}

/* ----------------------------------------------------------------------------------------------------- creation */

static ren_status find_source(const char *name, int32_t *source) {
    if (!name) return ren__error(REN_E_INVALID, "the gate has no source: \"uniform\" is the simplest");
    for (int32_t i = 0; i < SOURCE_COUNT; i++) {
        if (strcmp(sources[i], name) != 0) continue;
        *source = i;
        return REN_OK;
    }
    return ren__error(REN_E_INVALID,
                      "no gate source is called \"%.40s\": uniform, validation_auc, "
                      "validation_accuracy, inverse_loss and given are",
                      name);
}

/* The raw weight of a region. A metric that is missing is an error, never a guess. */
static ren_status raw_weight(int32_t source, int32_t region, double value, double *weight) {
    if (source == UNIFORM) {
        *weight = 1.0;
        return REN_OK;
    }
    if (!isfinite(value) || value < 0.0)
        return ren__error(REN_E_DATA, "gate %s: the number for region %s is missing or negative", sources[source],
                          ren_region_name(region));
    if ((source == VALIDATION_AUC || source == VALIDATION_ACCURACY) && value > 1.0)
        return ren__error(REN_E_DATA, "gate %s: the number for region %s is above 1", sources[source],
                          ren_region_name(region));
    *weight = source == INVERSE_LOSS && value > 0.0 ? 1.0 / value : value;
    if (!isfinite(*weight))
        return ren__error(REN_E_DATA, "gate %s: the number for region %s is too small", sources[source],
                          ren_region_name(region));
    return REN_OK;
}

static ren_status make(ren_context *context, int32_t source, int32_t normalisation,
                       const double value[REN_REGION_COUNT], ren_gate **out) {
    ren_status st = REN_OK;
    ren_gate *gate = NULL;
    double sum = 0.0;

    REN_CALLOC(gate, 1);
    atomic_init(&gate->references, 1);
    gate->context = ren__context_retain(context);
    gate->source = source;
    gate->normalisation = normalisation;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        gate->value[region] = source == UNIFORM ? 0.0 : value[region];
        REN_TRY(raw_weight(source, region, value[region], &gate->weight[region]));
        sum += gate->weight[region];
    }
    if (!(sum > 0.0)) REN_FAIL(REN_E_DATA, "gate %s: all weights are 0", sources[source]);
    if (!isfinite(sum)) REN_FAIL(REN_E_DATA, "gate %s: the weights are too large", sources[source]);
    *out = gate;
    gate = NULL;
out:
    ren_gate_free(gate);
    return st;
}

ren_status ren_gate_create(ren_context *context, const ren_gate_options *options, ren_gate **out) {
    ren_gate_options set = { .struct_size = sizeof set, .source = "uniform" };
    int32_t source = UNIFORM;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && options != NULL);
    ren_status st = ren__options_copy(&set, sizeof set, options, "ren_gate_options");
    if (st == REN_OK) st = find_source(set.source, &source);
    if (st != REN_OK) return st;
    if (set.normalisation != REN_GATE_SUM && set.normalisation != REN_GATE_HIERARCHICAL)
        return ren__error(REN_E_INVALID, "ren_gate_options: no normalisation has the number %d", set.normalisation);
    return make(context, source, set.normalisation, set.weights, out);
}

ren_status ren__gate_check_region(const ren_gate *gate, int32_t region) {
    if (gate->source != GIVEN && !(gate->weight[region] > 0.0))
        return ren__error(REN_E_DATA, "gate %s: the number for region %s, which has an expert, is missing or 0",
                          sources[gate->source], ren_region_name(region));
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------------ weights */

static int is_lung(int32_t region) {
    return region == REN_REGION_LEFT_LUNG || region == REN_REGION_RIGHT_LUNG;
}

ren_status ren__gate_weights(const ren_gate *gate, const int32_t ran[REN_REGION_COUNT],
                             double weights[REN_REGION_COUNT]) {
    double sum[2] = { 0.0, 0.0 }; /* of lobes and of lungs */

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        weights[region] = ran[region] ? gate->weight[region] : 0.0;
        sum[is_lung(region)] += weights[region];
    }
    if (!(sum[0] + sum[1] > 0.0))
        return ren__error(REN_E_DATA, "no region that has a weight could be computed: the lungs are empty");
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!(weights[region] > 0.0)) continue;
        if (gate->normalisation == REN_GATE_SUM)
            weights[region] /= sum[0] + sum[1];
        else
            weights[region] /= sum[is_lung(region)] * (sum[0] > 0.0 && sum[1] > 0.0 ? 2.0 : 1.0);
    }
    return REN_OK;
}

/* -------------------------------------------------------------------------------------------------------- files */

json_t *ren__gate_json(const ren_gate *gate) {
    json_t *object =
        json_pack("{s:s, s:s}", "source", sources[gate->source], "normalisation", normalisations[gate->normalisation]);
    json_t *weights = json_object();

    for (int32_t region = 0; gate->source != UNIFORM && region < REN_REGION_COUNT; region++) {
        if (!(gate->value[region] > 0.0)) continue;
        if (json_object_set_new(weights, ren_region_name(region), json_real(gate->value[region])) != 0) goto failed;
    }
    if (gate->source == UNIFORM) {
        json_decref(weights);
        return object;
    }
    if (json_object_set_new(object, "weights", weights) == 0) return object;
    weights = NULL;
failed:
    json_decref(weights);
    json_decref(object);
    return NULL;
}

static ren_status parse_weights(const json_t *object, const char *where, double value[REN_REGION_COUNT]) {
    const json_t *weights;
    const char *known[REN_REGION_COUNT + 1] = { NULL };

    ren_status st = ren__need_member(object, "weights", where, JSON_OBJECT, &weights);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        known[region] = ren_region_name(region);
    if (st == REN_OK) st = ren__check_keys(weights, "the gate's weights", known);
    for (int32_t region = 0; st == REN_OK && region < REN_REGION_COUNT; region++)
        st = ren__get_number(weights, known[region], "the gate's weights", &value[region]);
    return st;
}

ren_status ren__gate_parse(ren_context *context, const json_t *object, const char *where, ren_gate **out) {
    static const char *const known[] = { "kind", "source", "normalisation", "weights", NULL };
    double value[REN_REGION_COUNT] = { 0.0 };
    const char *name, *normalisation;
    ren_status st = REN_OK;
    int32_t source = UNIFORM;

    REN_TRY(ren__check_keys(object, where, known));
    REN_TRY(ren__need_string(object, "source", where, &name));
    REN_TRY(ren__need_string(object, "normalisation", where, &normalisation));
    if (find_source(name, &source) != REN_OK) {
        REN_FAIL(REN_E_UNSUPPORTED, "%s: this version knows no gate of that source", where);
    }
    const int hierarchical = strcmp(normalisation, normalisations[REN_GATE_HIERARCHICAL]) == 0;
    if (!hierarchical && strcmp(normalisation, normalisations[REN_GATE_SUM]) != 0)
        REN_FAIL(REN_E_FORMAT, "%s: \"normalisation\" is neither \"sum\" nor \"hierarchical\"", where);
    if (source != UNIFORM) REN_TRY(parse_weights(object, where, value));
    REN_TRY(make(context, source, hierarchical ? REN_GATE_HIERARCHICAL : REN_GATE_SUM, value, out));
out:
    return st;
}

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
