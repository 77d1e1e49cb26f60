/* SPDX-License-Identifier: Apache-2.0 */
/* The section `mixtures`: experts joined by a gate or by a stacked predictor, and mixtures that are one network. */
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "graph/op.h"
#include "moe/gate.h"
#include "train/config.h"
#include "train/study_files.h"

/* ---------------------------------------------------------------------------------------------------- references */

static ren_status find_experts(const ren__study_config *config, const json_t *entry, const char *where, int32_t *index,
                               json_t *full) {
    char quoted[REN__QUOTE_SIZE];
    const char *name = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__get_string(entry, "experts", where, &name));
    if (!name)
        REN_FAIL(REN_E_FORMAT, "%s: \"experts\" is missing: the entry of experts whose regions are joined", where);
    for (int32_t i = 0; i < config->expert_count; i++)
        if (strcmp(config->expert[i].name, name) == 0) *index = i;
    if (*index < 0)
        REN_FAIL(REN_E_FORMAT, "%s: \"experts\": no entry of experts is called \"%s\"", where,
                 ren__quote(name, quoted, sizeof quoted));
    st = ren__json_set(full, "experts", json_string(name));
out:
    return st;
}

static ren_status find_gate(const ren__study_config *config, const json_t *entry, const char *where, int32_t *index,
                            json_t *full) {
    char quoted[REN__QUOTE_SIZE];
    const char *name = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__get_string(entry, "gate", where, &name));
    if (!name) REN_FAIL(REN_E_FORMAT, "%s: \"gate\" is missing: the entry of gates that weights the regions", where);
    for (int32_t i = 0; i < config->gate_count; i++)
        if (strcmp(config->gate[i].name, name) == 0) *index = i;
    if (*index < 0)
        REN_FAIL(REN_E_FORMAT, "%s: \"gate\": no entry of gates is called \"%s\"", where,
                 ren__quote(name, quoted, sizeof quoted));
    st = ren__json_set(full, "gate", json_string(name));
out:
    return st;
}

/* ---------------------------------------------------------------------------------------------- experts, joined */

/* Scores that read features read those of the experts that run. */
static ren_status check_features(const ren__study_config *config, const ren__mixture_entry *mixture,
                                 const char *where) {
    const ren__gate_entry *gate = &config->gate[mixture->gate];

    if (!gate->measure || gate->mode != REN__GATE_PER_SCAN || gate->of == mixture->expert) return REN_OK;
    return ren__error(
        REN_E_FORMAT,
        "%s: the gate %s reads the features of %s for every scan, and this mixture runs %s: give the gate "
        "\"of: %s\", or choose its mode fixed or learned",
        where, gate->name, config->expert[gate->of].name, config->expert[mixture->expert].name,
        config->expert[mixture->expert].name);
}

static ren_status read_ensemble(ren__study_config *config, const json_t *entry, const char *where,
                                ren__mixture_entry *mixture, json_t *full) {
    static const char *const known[] = { "name", "experts", "gate", "stacking", NULL };
    static const char *const kinds[] = { "logistic", "random_forest", NULL };
    static const char *const networks[] = { "mode", "epochs", NULL };
    json_t *fit = NULL;
    ren_status st = REN_OK;

    for (size_t i = 0; networks[i]; i++)
        if (json_object_get(entry, networks[i]))
            REN_FAIL(REN_E_FORMAT,
                     "%s: \"%s\" is of mixtures that are one network: give it \"arch\", or leave it out%s", where,
                     networks[i], i == 0 ? " (a gate has a mode of its own)" : "");
    REN_TRY(ren__check_keys(entry, where, known));
    REN_TRY(find_experts(config, entry, where, &mixture->expert, full));
    if (json_object_get(entry, "gate") && json_object_get(entry, "stacking"))
        REN_FAIL(REN_E_FORMAT, "%s: \"gate\" and \"stacking\" exclude each other: make two mixtures", where);
    if (!json_object_get(entry, "stacking")) {
        REN_TRY(find_gate(config, entry, where, &mixture->gate, full));
        REN_TRY(check_features(config, mixture, where));
        goto out;
    }
    REN_TRY(ren__config_fit(entry, where, "stacking", kinds, &mixture->stacking, &mixture->fit, &fit));
    st = ren__json_set(full, "stacking", fit);
out:
    return st;
}

/* -------------------------------------------------------------------------------------------------- one network */

/* A network begins with weights that are the same for all scans, and learns the rest by itself. */
static ren_status check_base(const ren__study_config *config, const ren__mixture_entry *mixture, const char *where) {
    const ren__gate_entry *gate = &config->gate[mixture->gate];

    if (gate->mode != REN__GATE_FIXED)
        return ren__error(
            REN_E_FORMAT,
            "%s: a network begins with a gate's base weights: choose a gate of mode fixed (%s is not), and "
            "give the network its own mode",
            where, gate->name);
    if (gate->of < 0 && !gate->predictor && strcmp(gate->source, "uniform") != 0)
        return ren__error(
            REN_E_FORMAT,
            "%s: the gate %s must say whose validation it reads, as in \"of: %s\", for this network joins "
            "no experts",
            where, gate->name, config->expert[0].name);
    if (config->region_count == 2)
        return ren__error(REN_E_FORMAT, "%s: the network divides the lungs into lobes: \"regions\" must be 5 or 7",
                          where);
    return REN_OK;
}

/* Length of an expert's feature vector. */
static ren_status count_features(ren_context *context, const ren__expert_entry *expert, int64_t *count) {
    ren__graph *graph = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__net_graph(context, expert->net, expert->network, 1, NULL, &graph));
    const ren__value features = ren__graph_find_output(graph, "features");
    if (features == REN__NONE) REN_FAIL(REN_E_FORMAT, "the network %s gives no features", expert->net->name);
    *count = ren__graph_shape(graph, features)->dim[1];
out:
    ren__graph_free(graph);
    return st;
}

/* The settings of the network that follow from the study and from the entry's `mode`. */
static ren_status network_settings(const ren__study_config *config, const ren__mixture_entry *mixture, const char *mode,
                                   json_t **out) {
    int64_t features = 0;
    ren_status st = REN_OK;

    if (mixture->expert >= 0) REN_TRY(count_features(config->context, &config->expert[mixture->expert], &features));
    *out = mixture->expert >= 0
               ? json_pack("{s:i, s:I}", "n_experts", (int)config->region_count, "feature_size", (json_int_t)features)
               : json_pack("{s:i, s:s}", "n_experts", (int)config->region_count, "weight_mode", mode);
    st = ren__json_checked(*out);
out:
    return st;
}

/* The entry of the network by itself, without what is the mixture's. */
static ren_status network_entry(const json_t *entry, const char *where, const json_t *fixed, json_t **out) {
    static const char *const of_mixture[] = { "gate", "mode", "experts", NULL };
    json_t *made = json_copy((json_t *)(uintptr_t)entry); /* counts references, no more */
    const char *key;
    json_t *value;
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(made));
    for (size_t i = 0; of_mixture[i]; i++)
        json_object_del(made, of_mixture[i]);
    json_object_foreach((json_t *)(uintptr_t)fixed, key, value) {
        if (json_object_get(made, key))
            REN_FAIL(REN_E_FORMAT, "%s: \"%s\" follows from %s: leave it out", where, key,
                     strcmp(key, "weight_mode") == 0 ? "\"mode\"" : "the study");
        REN_TRY(ren__json_set(made, key, json_incref(value)));
    }
    *out = made;
    made = NULL;
out:
    json_decref(made);
    return st;
}

/* The resolved entry: the network's in full, but for what follows from the study. */
static ren_status store_network(const ren__expert_entry *network, const json_t *fixed, json_t *full) {
    json_t *entry = ren__expert_entry_json(network);
    const char *key;
    json_t *value;
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(entry));
    json_object_foreach(entry, key, value) if (!json_object_get(fixed, key) && strcmp(key, "name") != 0)
        REN_TRY(ren__json_set(full, key, json_incref(value)));
out:
    json_decref(entry);
    return st;
}

/* Whether the network weighs regions by a gate; general_moe joins trained experts. */
static ren_status check_arch(const json_t *entry, const char *where, int *weighs) {
    const char *arch = json_string_value(json_object_get(entry, "arch"));

    if (!arch || !ren__is_mixture_network(arch))
        return ren__error(REN_E_FORMAT,
                          "%s: \"arch\" must be gating_swin_unetr, gating_mamba, gating_vit, moe_swin_unetr or "
                          "general_moe; other networks are experts or baselines",
                          where);
    *weighs = strcmp(arch, "general_moe") != 0;
    if (*weighs && json_object_get(entry, "experts"))
        return ren__error(REN_E_FORMAT, "%s: %s has experts of its own: leave \"experts\" out", where, arch);
    if (!*weighs && (json_object_get(entry, "gate") || json_object_get(entry, "mode")))
        return ren__error(
            REN_E_FORMAT,
            "%s: the gate of general_moe is always computed from the experts' features: leave \"gate\" and "
            "\"mode\" out",
            where);
    if (json_object_get(entry, "stacking"))
        return ren__error(REN_E_FORMAT, "%s: \"arch\" and \"stacking\" exclude each other: make two mixtures", where);
    return REN_OK;
}

static ren_status read_mode(const json_t *entry, const char *where, const char **mode, json_t *full) {
    static const char *const modes[] = { "fixed", "learned", "dynamic", NULL };
    ren_status st = REN_OK;

    *mode = modes[0];
    REN_TRY(ren__get_string(entry, "mode", where, mode));
    for (size_t i = 0; modes[i]; i++)
        if (strcmp(*mode, modes[i]) == 0) return ren__json_set(full, "mode", json_string(modes[i]));
    st = ren__error(REN_E_FORMAT, "%s: \"mode\" must be fixed, learned or dynamic", where);
out:
    return st;
}

static ren_status read_network(ren__study_config *config, const json_t *entry, const char *where,
                               ren__mixture_entry *mixture, json_t *full) {
    const char *mode = NULL;
    json_t *fixed = NULL, *alone = NULL;
    int weighs = 0;
    ren_status st = REN_OK;

    REN_TRY(check_arch(entry, where, &weighs));
    if (weighs) {
        REN_TRY(find_gate(config, entry, where, &mixture->gate, full));
        REN_TRY(check_base(config, mixture, where));
        REN_TRY(read_mode(entry, where, &mode, full));
    } else {
        REN_TRY(find_experts(config, entry, where, &mixture->expert, full));
    }
    REN_TRY(network_settings(config, mixture, mode, &fixed));
    REN_TRY(network_entry(entry, where, fixed, &alone));
    REN_TRY(ren__mixture_network_read(config->context, alone, &config->preset, where, &mixture->network));
    mixture->network.name = mixture->name;
    st = store_network(&mixture->network, fixed, full);
out:
    json_decref(alone);
    json_decref(fixed);
    return st;
}

/* -------------------------------------------------------------------------------------------------- the section */

static ren_status read_mixture(ren__study_config *config, const json_t *entry, const char *where, int32_t index,
                               json_t *list) {
    ren__mixture_entry *mixture = &config->mixture[index];
    json_t *full = json_object();
    const char *name;
    ren_status st = REN_OK;

    REN_TRY(ren__json_append(list, full));
    mixture->expert = mixture->gate = -1;
    REN_TRY(ren__config_name(entry, where, &name));
    REN_TRY(ren__config_unique(config, name, where));
    REN_TRY(ren__json_set(full, "name", json_string(name)));
    mixture->name = json_string_value(json_object_get(full, "name"));
    st = json_object_get(entry, "arch") ? read_network(config, entry, where, mixture, full)
                                        : read_ensemble(config, entry, where, mixture, full);
out:
    return st;
}

ren_status ren__config_mixtures(ren__study_config *config, const json_t *tree) {
    ren_context *context = config->context;
    const json_t *given;
    ren_status st = REN_OK;

    REN_TRY(ren__config_list(tree, "mixtures", &given));
    REN_CALLOC(config->mixture, json_array_size(given));
    REN_TRY(ren__config_entries(config, given, "mixtures", read_mixture, &config->mixture_count));
out:
    return st;
}
