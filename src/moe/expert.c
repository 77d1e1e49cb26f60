/* SPDX-License-Identifier: Apache-2.0 */
/* An expert: one trained network for one region. */
#include <string.h>

#include "format/names.h"
#include "moe/model_file.h"
#include "moe/session_cache.h"

ren_status ren_expert_options_init(ren_expert_options *options, size_t size) {
    const ren_expert_options defaults = { .struct_size = sizeof defaults, .arch = "cnn" };

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_expert_options");
}

ren_expert *ren__expert_retain(const ren_expert *expert) {
    ren_expert *held = (ren_expert *)expert;

    atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    return held;
}

void ren_expert_free(ren_expert *expert) {
    if (!expert || atomic_fetch_sub_explicit(&expert->references, 1, memory_order_acq_rel) != 1) return;
    ren_context *context = expert->context;
    ren__session_cache_free(expert->cache); /* before what its sessions use */
    ren__sparse_free(expert->sparse);
    if (expert->has_mutex) pthread_mutex_destroy(&expert->mutex);
    ren__weights_release(expert->weights);
    ren__graph_free(expert->graph);
    json_decref(expert->config);
    json_decref(expert->record);
    ren__free(expert);
    ren__context_release(context);
}

/* ----------------------------------------------------------------------------------------------------- creation */

/* Nothing but the image and, for a network that sees both lungs, the lobes of its cells can be fed. */
static ren_status check_inputs(const ren_expert *expert) {
    const char *net = expert->net->name;

    for (int32_t i = 0; i < ren__graph_input_count(expert->graph); i++) {
        const char *name = ren__graph_input_name(expert->graph, i);
        if (strcmp(name, "x") != 0 && strcmp(name, "lobes") != 0)
            return ren__error(REN_E_UNSUPPORTED, "the network %s needs \"%s\", which no scan has", net, name);
    }
    const ren__value lobes = ren__graph_find_input(expert->graph, "lobes");
    if (lobes == REN__NONE) return REN_OK;
    if (expert->region != REN_REGION_LUNGS)
        return ren__error(REN_E_INVALID, "the network %s divides both lungs by itself: its region is %s, not %s", net,
                          ren_region_name(REN_REGION_LUNGS), ren_region_name(expert->region));
    const ren__shape *image = ren__graph_shape(expert->graph, ren__graph_find_input(expert->graph, "x"));
    if (!ren__shape_equal(image, ren__graph_shape(expert->graph, lobes)))
        return ren__error(REN_E_UNSUPPORTED, "the network %s takes an image and lobes of different shapes", net);
    return REN_OK;
}

/* Checks the ends that an expert needs: "x" N, D, H, W, 1 and "logits" N, classes. */
static ren_status check_ends(ren_expert *expert) {
    const char *net = expert->net->name;
    const ren__value x = ren__graph_find_input(expert->graph, "x");
    const ren__value logits = ren__graph_find_output(expert->graph, "logits");

    if (x == REN__NONE || logits == REN__NONE)
        return ren__error(REN_E_UNSUPPORTED, "the network %s is no classifier of one image", net);
    const ren__shape *in = ren__graph_shape(expert->graph, x), *out = ren__graph_shape(expert->graph, logits);
    if (in->rank != 5 || in->dim[4] != 1 || out->rank != 2)
        return ren__error(REN_E_UNSUPPORTED, "the network %s in this configuration is no classifier of one image", net);
    if (out->dim[1] < 2 || out->dim[1] > REN__MAX_CLASSES)
        return ren__error(REN_E_UNSUPPORTED, "an expert needs 2 to %d classes, not %lld", REN__MAX_CLASSES,
                          (long long)out->dim[1]);
    expert->classes = (int32_t)out->dim[1];
    return check_inputs(expert);
}

/* The preset at the network's own size; another size is an error. */
static ren_status fit_preset(ren_expert *expert, const ren_preset *preset) {
    const ren__shape *in = ren__graph_shape(expert->graph, ren__graph_find_input(expert->graph, "x"));
    ren_preset wanted = { .struct_size = sizeof wanted, .kind = REN_PRESET_LUNG };

    ren_status st = preset ? ren__options_copy(&wanted, sizeof wanted, preset, "ren_preset") : REN_OK;
    if (st != REN_OK) return st;
    for (int axis = 0; axis < 3; axis++) {
        if (wanted.size[axis] == 0) wanted.size[axis] = in->dim[axis + 1];
        if (wanted.size[axis] != in->dim[axis + 1])
            return ren__error(REN_E_INVALID,
                              "the preset makes images of %lld x %lld x %lld, but the network takes "
                              "%lld x %lld x %lld: set the configuration's input_size",
                              (long long)preset->size[0], (long long)preset->size[1], (long long)preset->size[2],
                              (long long)in->dim[1], (long long)in->dim[2], (long long)in->dim[3]);
    }
    return ren__preset_resolve(&wanted, &expert->preset);
}

static ren_status copy_tree(const json_t *tree, json_t **out) {
    *out = tree ? json_deep_copy(tree) : NULL;
    return tree && !*out ? ren__json_memory() : REN_OK;
}

static ren_status find_sparse(ren_expert *expert) {
    const ren_status st = ren__sparse_create(expert->graph, &expert->sparse);

    return st == REN_E_UNSUPPORTED ? REN_OK : st;
}

ren_status ren__expert_arrange(ren_expert *expert) {
    return expert->sparse ? ren__sparse_arrange(expert->sparse, expert->weights) : REN_OK;
}

ren_status ren__expert_new(ren_context *context, const ren__net *net, const json_t *config, const json_t *record,
                           int32_t region, const ren_preset *preset, ren_expert **out) {
    ren_status st = REN_OK;
    ren_expert *expert = NULL;

    if (!ren_region_name(region)) REN_FAIL(REN_E_INVALID, "no region has the number %d", region);
    if (config && !json_is_object(config)) REN_FAIL(REN_E_INVALID, "the network's configuration is no JSON object");
    if (record && !json_is_object(record)) REN_FAIL(REN_E_INVALID, "the training record is no JSON object");
    REN_CALLOC(expert, 1);
    atomic_init(&expert->references, 1);
    expert->context = ren__context_retain(context);
    expert->net = net;
    expert->region = region;
    if (config) {
        REN_TRY(copy_tree(config, &expert->config));
    } else if (!(expert->config = json_object())) {
        REN_TRY(ren__json_memory());
    }
    REN_TRY(copy_tree(record, &expert->record));
    expert->has_mutex = pthread_mutex_init(&expert->mutex, NULL) == 0;
    if (!expert->has_mutex) REN_FAIL(REN_E_MEMORY, "the system gives no mutex");
    REN_TRY(ren__net_graph(context, net, expert->config, 1, NULL, &expert->graph));
    REN_TRY(check_ends(expert));
    REN_TRY(find_sparse(expert));
    REN_TRY(fit_preset(expert, preset));
    REN_TRY(ren__session_cache_create(context, &expert->cache));
    *out = expert;
    expert = NULL;
out:
    ren_expert_free(expert);
    return st;
}

/* The graph finds its parameters by number: the weights must be those of the same description. */
static ren_status check_weights(const ren_expert *expert, const ren__weights *weights) {
    int same = ren__graph_parameter_count(expert->graph) == ren__weights_count(weights);

    for (int32_t i = 0; same && i < ren__weights_count(weights); i++) {
        const ren__parameter *parameter = ren__graph_parameter_at(expert->graph, i);
        same = strcmp(parameter->name, ren__weights_name(weights, i)) == 0 &&
               ren__shape_equal(&parameter->shape, ren__weights_shape(weights, i));
    }
    if (!same)
        return ren__error(REN_E_INVALID, "these are not weights of the network %s in this configuration",
                          expert->net->name);
    return REN_OK;
}

ren_status ren__expert_adopt(ren_context *context, const ren__net *net, const json_t *config, ren__weights *weights,
                             int32_t region, const ren_preset *preset, const json_t *record, ren_expert **out) {
    ren_expert *expert = NULL;

    REN_REQUIRE(context != NULL && net != NULL && weights != NULL && out != NULL);
    ren_status st = ren__expert_new(context, net, config, record, region, preset, &expert);
    if (st == REN_OK) st = check_weights(expert, weights);
    if (st != REN_OK) {
        ren_expert_free(expert);
        return st;
    }
    expert->weights = ren__weights_retain(weights);
    if (expert->sparse && !ren__sparse_arranged(expert->sparse, weights)) {
        ren__sparse_free(expert->sparse);
        expert->sparse = NULL;
    }
    *out = expert;
    return REN_OK;
}

static ren_status find_net(const char *arch, const ren__net **net) {
    char quoted[REN__QUOTE_SIZE];

    *net = arch ? ren__net_find(arch) : NULL;
    if (*net) return REN_OK;
    return ren__error(arch ? REN_E_NOT_FOUND : REN_E_INVALID, "no network is called \"%s\"",
                      arch ? ren__quote(arch, quoted, sizeof quoted) : "");
}

/* A configuration that leaves the input's size open takes the preset's, where that says one. */
static ren_status take_size(const ren_preset *caller, json_t **config) {
    ren_preset preset = { .struct_size = sizeof preset };
    int64_t size[3];
    int said = 0;

    ren_status st = ren__options_copy(&preset, sizeof preset, caller, "ren_preset");
    if (st == REN_OK) st = ren__net_input_size(NULL, size);
    if (st != REN_OK) return st;
    for (int axis = 0; axis < 3; axis++) {
        said |= preset.size[axis] != 0;
        if (preset.size[axis] != 0) size[axis] = preset.size[axis];
    }
    if (!said || (*config && (!json_is_object(*config) || json_object_get(*config, "input_size")))) return REN_OK;
    if (!*config) *config = json_object();
    json_t *list = json_pack("[I, I, I]", (json_int_t)size[0], (json_int_t)size[1], (json_int_t)size[2]);
    return json_object_set_new(*config, "input_size", list) == 0 ? REN_OK : ren__json_memory();
}

ren_status ren_expert_create(ren_context *context, const ren_expert_options *options, ren_expert **out) {
    ren_expert_options set = { .struct_size = sizeof set };
    const ren__net *net;
    json_t *config = NULL;
    ren_expert *expert = NULL;
    ren_status st = REN_OK;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && options != NULL);
    REN_TRY(ren__options_copy(&set, sizeof set, options, "ren_expert_options"));
    REN_TRY(find_net(set.arch, &net));
    if (set.config) REN_TRY(ren__json_parse(set.config, strlen(set.config), "config", &config));
    REN_TRY(take_size(set.preset, &config));
    REN_TRY(ren__expert_new(context, net, config, NULL, set.region, set.preset, &expert));
    REN_TRY(ren__weights_create(context, expert->graph, &expert->weights));
    REN_TRY(ren__expert_arrange(expert));
    if (set.weights)
        REN_TRY(ren__checkpoint_read(context, set.weights, expert->weights));
    else
        REN_TRY(ren__weights_initialise(expert->weights, set.seed));
    *out = expert;
    expert = NULL;
out:
    ren_expert_free(expert);
    json_decref(config);
    return st;
}

/* -------------------------------------------------------------------------------------------------------- files */

json_t *ren__expert_json(const ren_expert *expert) {
    return json_pack("{s:s, s:s, s:O, s:O*}", "region", ren_region_name(expert->region), "arch", expert->net->name,
                     "config", expert->config, "training_record", expert->record);
}

ren_status ren__expert_parse(ren_context *context, const json_t *object, const char *where, const ren_preset *preset,
                             int64_t classes, ren_expert **out) {
    static const char *const known[] = { "kind",   "arch",    "config",          "region",
                                         "preset", "classes", "training_record", NULL };
    const char *arch, *region;
    const json_t *config;
    const ren__net *net;
    ren_expert *expert = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__check_keys(object, where, known));
    REN_TRY(ren__need_string(object, "arch", where, &arch));
    REN_TRY(ren__need_string(object, "region", where, &region));
    REN_TRY(ren__need_member(object, "config", where, JSON_OBJECT, &config));
    const json_t *record = json_object_get(object, "training_record");
    if (record && !json_is_object(record)) REN_FAIL(REN_E_FORMAT, "%s: \"training_record\" is no object", where);
    REN_TRY(find_net(arch, &net));
    const int32_t number = ren__region_find(region);
    if (number < 0) {
        char quoted[REN__QUOTE_SIZE];
        REN_FAIL(REN_E_FORMAT, "%s: no region is called \"%s\"", where, ren__quote(region, quoted, sizeof quoted));
    }
    REN_TRY(ren__expert_new(context, net, config, record, number, preset, &expert));
    if (expert->classes != classes)
        REN_FAIL(REN_E_FORMAT, "%s: \"classes\" is %lld, but the network gives %d", where, (long long)classes,
                 expert->classes);
    *out = expert;
    expert = NULL;
out:
    ren_expert_free(expert);
    return st;
}

ren_status ren__expert_file_parse(ren_context *context, const json_t *model, ren_expert **out) {
    ren_preset preset = { .struct_size = sizeof preset };
    int64_t classes;
    const ren_status st = ren__model_input(model, &preset, &classes);

    return st == REN_OK ? ren__expert_parse(context, model, "ren.model", &preset, classes, out) : st;
}

ren_status ren_expert_load(ren_context *context, const char *path, ren_expert **out) {
    ren__safetensors *file = NULL;
    json_t *model = NULL;
    ren_expert *expert = NULL;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && path != NULL);
    ren_status st = ren__model_open(context, path, "expert", &file, &model);
    if (st != REN_OK) return st;
    st = ren__expert_file_parse(context, model, &expert);
    if (st == REN_OK) st = ren__model_check(file, &expert, 1, 0);
    if (st == REN_OK) st = ren__model_read_weights(file, expert, 0);
    json_decref(model);
    ren__safetensors_close(file);
    if (st != REN_OK) {
        ren_expert_free(expert);
        return ren__model_error(st, path);
    }
    *out = expert;
    return REN_OK;
}

ren_status ren_expert_save(const ren_expert *expert, const char *path) {
    ren_expert *self = (ren_expert *)expert;
    ren_status st = REN_OK;

    REN_REQUIRE(expert != NULL && path != NULL);
    json_t *model = json_pack("{s:s, s:o, s:i}", "kind", "expert", "preset", ren__preset_json(&expert->preset),
                              "classes", (int)expert->classes);
    json_t *rest = ren__expert_json(expert);
    if (!model || !rest || json_object_update(model, rest) != 0)
        st = ren__json_memory();
    else
        st = ren__model_write(expert->context, path, model, &self, 1, 0);
    json_decref(rest);
    json_decref(model);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ getters */

int32_t ren_expert_region(const ren_expert *expert) {
    return expert ? expert->region : -1;
}

int32_t ren_expert_classes(const ren_expert *expert) {
    return expert ? expert->classes : 0;
}

/* Length of an output's rows; 0 where it is no row, or not there. */
static int32_t row_length(const ren_expert *expert, const char *name) {
    const ren__value value = ren__graph_find_output(expert->graph, name);
    const ren__shape *shape = value == REN__NONE ? NULL : ren__graph_shape(expert->graph, value);

    return shape && shape->rank == 2 && shape->dim[1] <= INT32_MAX ? (int32_t)shape->dim[1] : 0;
}

int32_t ren__expert_features(const ren_expert *expert) {
    return row_length(expert, "features");
}

int32_t ren__expert_regions(const ren_expert *expert) {
    const int32_t count = row_length(expert, "combined_weights");

    return count <= REN_REGION_COUNT ? count : 0;
}
