/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an entry of `experts` down to the last key, and writing it out. */
#include "train/expert_entry.h"

#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "train/study_files.h"

/* The configuration's name of the network whose trained part is general_moe_head: the experts before it are finished.
 */
#define GENERAL_MOE "general_moe"

/* What takes one image and gives its class; and the mixtures that are one network, which take labels and gates' weights
 * too, or experts' features alone. */
static const char *const classifiers[] = { "cnn", "vit", "mamba", "swin_unetr", NULL };
static const char *const mixtures[] = { "gating_mamba",   "gating_vit", "gating_swin_unetr",
                                        "moe_swin_unetr", GENERAL_MOE,  NULL };

static int is_one_of(const char *arch, const char *const *list) {
    for (; *list; list++)
        if (strcmp(arch, *list) == 0) return 1;
    return 0;
}

int ren__is_mixture_network(const char *arch) {
    return is_one_of(arch, mixtures);
}

/* The network of an entry; `which` are those that its place in the configuration allows. */
static ren_status find_net(const json_t *entry, const char *where, const char *const *which, const ren__net **net) {
    char quoted[REN__QUOTE_SIZE];
    const char *arch = NULL;
    const ren_status st = ren__get_string(entry, "arch", where, &arch);

    if (st != REN_OK) return st;
    if (!arch)
        return ren__error(REN_E_FORMAT, "%s: \"arch\" is missing: the network, for instance %s", where, which[0]);
    *net = strcmp(arch, GENERAL_MOE) == 0 ? &ren__general_moe_net : ren__net_find(arch);
    if (!*net)
        return ren__error(REN_E_FORMAT,
                          "%s: \"arch\" is \"%s\", which is no network that libren knows; cnn, vit, mamba and "
                          "swin_unetr are",
                          where, ren__quote(arch, quoted, sizeof quoted));
    if (is_one_of(arch, which)) return REN_OK;
    if (ren__is_mixture_network(arch))
        return ren__error(REN_E_FORMAT, "%s: \"arch\": %s is a mixture that is one network: it belongs to mixtures",
                          where, arch);
    if (is_one_of(arch, classifiers))
        return ren__error(REN_E_FORMAT, "%s: \"arch\": %s is no mixture: it belongs to experts or baselines", where,
                          arch);
    return ren__error(REN_E_UNSUPPORTED, "%s: \"arch\": %s cannot be trained in a study by this version of libren (%s)",
                      where, arch, ren_version());
}

static const char unknown_key[] = "unknown key"; /* what ren__check_keys says */

/* Whether the network has a setting, by building it with that one alone: for error texts only. */
static int net_knows(ren_context *context, const ren__net *net, const char *key, json_t *value) {
    ren__graph *graph = NULL;
    json_t *alone = json_pack("{s:O}", key, value);
    const ren_status st = alone ? ren__net_graph(context, net, alone, 2, NULL, &graph) : REN_E_MEMORY;

    ren__graph_free(graph);
    json_decref(alone);
    return st == REN_OK || ((st == REN_E_INVALID || st == REN_E_FORMAT) && !strstr(ren_error_message(), unknown_key));
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

/* A grid of patches leaves no cell of the image out: the published networks would pass over the rest in silence. */
static ren_status check_patches(const ren_preset *preset, const ren__expert_entry *expert, const char *where) {
    const int is_gating = strcmp(expert->net->name, "gating_vit") == 0;
    const int64_t edge = is_gating ? 12 : 8; /* where the entry leaves it open */
    int64_t patch[3] = { edge, edge, edge };

    if (!is_gating && strcmp(expert->net->name, "vit") != 0 && strcmp(expert->net->name, "mamba") != 0) return REN_OK;
    const ren_status st = ren__net_sizes(expert->network, "patch_size", patch);
    if (st != REN_OK) return REN_OK; /* the network says it better */
    for (int axis = 0; axis < 3; axis++)
        if (preset->size[axis] % patch[axis] != 0)
            return ren__error(REN_E_FORMAT,
                              "%s: \"patch_size\": patches of %d do not divide the preset's size of %d: change one of "
                              "them",
                              where, (int)patch[axis], (int)preset->size[axis]);
    return REN_OK;
}

/* One image in, healthy or ILD out. */
static ren_status check_ends(const ren__graph *graph, const char *where) {
    const ren__value image = ren__graph_find_input(graph, "x"), logits = ren__graph_find_output(graph, "logits");
    const int is_head = ren__graph_find_input(graph, "expert_features") != REN__NONE;

    if (!is_head && (image == REN__NONE || ren__graph_shape(graph, image)->dim[4] != 1))
        return ren__error(REN_E_FORMAT, "%s: \"in_channels\" must be 1: a scan is one image", where);
    if (logits == REN__NONE)
        return ren__error(
            REN_E_FORMAT,
            "%s: with \"out_channels\" and no \"classes\" the network makes a map: leave \"out_channels\" "
            "out",
            where);
    if (ren__graph_shape(graph, logits)->dim[1] == 2) return REN_OK;
    return ren__error(REN_E_FORMAT, "%s: \"classes\" must be 2: the labels are 0 and 1", where);
}

/* Plans a training step, whose demands are higher than a prediction's: SwinUNETR's innermost map is one voxel of an
 * image of 32, which has no variance. */
static ren_status check_training(const ren_preset *preset, const ren__graph *graph, int64_t batch, const char *where) {
    size_t bytes;
    const ren_status st = ren__session_measure(graph, REN__TRAIN, &bytes);

    if (st != REN_E_INVALID) return st;
    char refusal[256];
    snprintf(refusal, sizeof refusal, "%s", ren_error_message());
    return ren__error(REN_E_FORMAT, "%s: cannot be trained on images of %d x %d x %d in batches of %d: %s", where,
                      (int)preset->size[0], (int)preset->size[1], (int)preset->size[2], (int)batch, refusal);
}

static ren_status check_network(ren_context *context, const json_t *entry, const ren_preset *preset,
                                const ren__expert_entry *expert, const char *where) {
    ren__graph *graph = NULL;
    const int64_t batch = expert->settings.batch;
    ren_status st = ren__net_graph(context, expert->net, expert->network, batch, NULL, &graph);

    if (st == REN_OK) {
        st = check_ends(graph, where);
        if (st == REN_OK) st = check_training(preset, graph, batch, where);
        ren__graph_free(graph);
        return st;
    }
    if (st == REN_E_MEMORY || st == REN_E_LIMIT) return st;
    char refusal[512];
    snprintf(refusal, sizeof refusal, "%s", ren_error_message());
    const int unexplained = strstr(refusal, unknown_key) && !strstr(refusal, "did you mean");
    const ren_status better = unexplained ? explain_refusal(context, entry, expert, where) : REN_OK;
    if (better != REN_OK) return better;
    return ren__error(st == REN_E_INVALID ? REN_E_FORMAT : st, "%s: %s", where, refusal);
}

static ren_status read_entry(ren_context *context, const json_t *entry, const ren_preset *preset, const char *where,
                             const char *const *which, ren__expert_entry *out) {
    ren__expert_entry made = { 0 };
    ren_status st = REN_OK;

    REN_TRY(find_net(entry, where, which, &made.net));
    REN_TRY(ren__train_settings_read(entry, made.net, where, &made.settings, &made.network));
    if (made.net != &ren__general_moe_net) { /* which sees no image */
        REN_TRY(set_input_size(preset, made.network, where));
        REN_TRY(check_patches(preset, &made, where));
    }
    REN_TRY(check_network(context, entry, preset, &made, where));
    *out = made;
    made.network = NULL;
out:
    ren__expert_entry_end(&made);
    return st;
}

ren_status ren__expert_entry_read(ren_context *context, const json_t *entry, const ren_preset *preset,
                                  const char *where, ren__expert_entry *out) {
    return read_entry(context, entry, preset, where, classifiers, out);
}

ren_status ren__mixture_network_read(ren_context *context, const json_t *entry, const ren_preset *preset,
                                     const char *where, ren__expert_entry *out) {
    return read_entry(context, entry, preset, where, mixtures, out);
}

void ren__expert_entry_end(ren__expert_entry *entry) {
    json_decref(entry->network);
    entry->network = NULL;
}

json_t *ren__expert_entry_json(const ren__expert_entry *entry) {
    const char *arch = entry->net == &ren__general_moe_net ? GENERAL_MOE : entry->net->name;
    json_t *full = json_pack("{s:s, s:s}", "name", entry->name, "arch", arch);
    json_t *training = ren__train_settings_json(&entry->settings);
    const int good =
        full && training && json_object_update(full, training) == 0 && json_object_update(full, entry->network) == 0;

    json_decref(training);
    if (good) return full;
    json_decref(full);
    return NULL;
}
