/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an entry of `experts` down to the last key, and writing it out. */
#include "train/expert_entry.h"

#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "train/study_files.h"

static ren_status find_net(const json_t *entry, const char *where, const ren__net **net) {
    static const char *const later[] = { "vit", "mamba", "swin_unetr", "region_expert", "general_moe", NULL };
    char quoted[REN__QUOTE_SIZE];
    const char *arch = NULL;
    const ren_status st = ren__get_string(entry, "arch", where, &arch);

    if (st != REN_OK) return st;
    if (!arch) return ren__error(REN_E_FORMAT, "%s: \"arch\" is missing: the network, for instance cnn", where);
    *net = ren__net_find(arch);
    if (*net && (*net)->training) return REN_OK;
    for (size_t i = 0; later[i]; i++)
        if (*net || strcmp(arch, later[i]) == 0)
            return ren__error(REN_E_UNSUPPORTED, "%s: \"arch\": %s cannot be trained by this version of libren (%s)",
                              where, arch, ren_version());
    return ren__error(REN_E_FORMAT, "%s: \"arch\" is \"%s\", which is no network that libren knows; cnn is one", where,
                      ren__quote(arch, quoted, sizeof quoted));
}

/* Whether the network has a setting, by building it with that one alone: for error texts only. */
static int net_knows(ren_context *context, const ren__net *net, const char *key, json_t *value) {
    ren__graph *graph = NULL;
    json_t *alone = json_pack("{s:O}", key, value);
    const ren_status st = alone ? ren__net_graph(context, net, alone, 2, NULL, &graph) : REN_E_MEMORY;

    ren__graph_free(graph);
    json_decref(alone);
    return st == REN_OK;
}

/* The network has refused its settings: was it for a misspelt setting of the training? Then that is the better answer;
 * else REN_OK. */
static ren_status explain_refusal(ren_context *context, const json_t *entry, const ren__expert_entry *expert,
                                  const char *where) {
    const char *known[64] = { "name", "arch" };
    size_t count = 2;
    const char *key;
    json_t *value;
    ren_status st = REN_OK;
    json_t *training = ren__train_settings_json(&expert->settings);

    REN_TRY(ren__json_checked(training));
    json_object_foreach(training, key, value) if (count < 62) known[count++] = key;
    json_object_foreach(expert->network, key, value) if (count < 62 && net_knows(context, expert->net, key, value))
        known[count++] = key;
    known[count++] = "dropout";
    known[count] = NULL;
    st = ren__check_keys(entry, where, known);
out:
    json_decref(training);
    return st;
}

/* The network takes what the preset makes. */
static ren_status set_input_size(const ren_preset *preset, json_t *network, const char *where) {
    const int64_t *size = preset->size;
    const json_t *given = json_object_get(network, "input_size");
    json_t *wanted = json_pack("[I,I,I]", (json_int_t)size[0], (json_int_t)size[1], (json_int_t)size[2]);
    ren_status st = ren__json_checked(wanted);

    if (st == REN_OK && given && !json_equal(given, wanted))
        st = ren__error(REN_E_FORMAT,
                        "%s: \"input_size\" differs from the size of the preset, [%d, %d, %d]: leave it out", where,
                        (int)size[0], (int)size[1], (int)size[2]);
    if (st != REN_OK || given) {
        json_decref(wanted);
        return st;
    }
    return ren__json_set(network, "input_size", wanted);
}

/* Healthy or ILD. */
static ren_status check_classes(const ren__graph *graph, const char *where) {
    const ren__shape *logits = ren__graph_shape(graph, ren__graph_find_output(graph, "logits"));

    if (logits->dim[1] == 2) return REN_OK;
    return ren__error(REN_E_FORMAT, "%s: \"classes\" must be 2: the labels are 0 and 1", where);
}

static ren_status check_network(ren_context *context, const json_t *entry, const ren__expert_entry *expert,
                                const char *where) {
    ren__graph *graph = NULL;
    ren_status st = ren__net_graph(context, expert->net, expert->network, 2, NULL, &graph);

    if (st == REN_OK) {
        st = check_classes(graph, where);
        ren__graph_free(graph);
        return st;
    }
    if (st == REN_E_MEMORY || st == REN_E_LIMIT) return st;
    char refusal[512];
    snprintf(refusal, sizeof refusal, "%s", ren_error_message());
    const ren_status better = explain_refusal(context, entry, expert, where);
    return better != REN_OK ? better : ren__error(st, "%s: %s", where, refusal);
}

ren_status ren__expert_entry_read(ren_context *context, const json_t *entry, const ren_preset *preset,
                                  const char *where, ren__expert_entry *out) {
    ren__expert_entry made = { 0 };
    ren_status st = REN_OK;

    REN_TRY(find_net(entry, where, &made.net));
    REN_TRY(ren__train_settings_read(entry, made.net, where, &made.settings, &made.network));
    REN_TRY(set_input_size(preset, made.network, where));
    REN_TRY(check_network(context, entry, &made, where));
    *out = made;
    made.network = NULL;
out:
    ren__expert_entry_end(&made);
    return st;
}

void ren__expert_entry_end(ren__expert_entry *entry) {
    json_decref(entry->network);
    entry->network = NULL;
}

json_t *ren__expert_entry_json(const ren__expert_entry *entry) {
    json_t *full = json_pack("{s:s, s:s}", "name", entry->name, "arch", entry->net->name);
    json_t *training = ren__train_settings_json(&entry->settings);
    const int good =
        full && training && json_object_update(full, training) == 0 && json_object_update(full, entry->network) == 0;

    json_decref(training);
    if (good) return full;
    json_decref(full);
    return NULL;
}
