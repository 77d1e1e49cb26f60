/* SPDX-License-Identifier: Apache-2.0 */
/* The study configuration as a whole: reading, the plain sections, comparing. */
#include "train/config.h"

#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "moe/model_file.h"
#include "train/study_files.h"

/* ------------------------------------------------------------------------------------------------------ helpers */

ren_status ren__config_list(const json_t *tree, const char *key, const json_t **list) {
    *list = json_object_get(tree, key);
    if (!*list) return REN_OK;
    if (!json_is_array(*list)) return ren__error(REN_E_FORMAT, "%s: must be a list", key);
    if (json_array_size(*list) > REN__ENTRIES_MAX)
        return ren__error(REN_E_FORMAT, "%s: has %zu entries, at most %d are allowed", key, json_array_size(*list),
                          REN__ENTRIES_MAX);
    return REN_OK;
}

ren_status ren__config_name(const json_t *entry, const char *where, const char **name) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char quoted[REN__QUOTE_SIZE];
    ren_status st;

    *name = NULL;
    st = ren__get_string(entry, "name", where, name);
    if (st != REN_OK) return st;
    if (!*name) return ren__error(REN_E_FORMAT, "%s: \"name\" is missing", where);
    const size_t length = strlen(*name);
    if (length == 0 || length > REN__NAME_LENGTH || strspn(*name, allowed) != length)
        return ren__error(REN_E_FORMAT,
                          "%s: the name \"%s\" must have 1 to %d letters, digits, - or _: files are named after it",
                          where, ren__quote(*name, quoted, sizeof quoted), REN__NAME_LENGTH);
    return REN_OK;
}

/* REN_E_UNSUPPORTED where one of `keys` (NULL-terminated) is in the entry. */
static ren_status refuse_later(const json_t *entry, const char *where, const char *const *keys) {
    for (size_t i = 0; keys[i]; i++)
        if (json_object_get(entry, keys[i]))
            return ren__error(REN_E_UNSUPPORTED, "%s: \"%s\" is not in this version of libren (%s)", where, keys[i],
                              ren_version());
    return REN_OK;
}

int32_t ren__study_find_model(const ren__study_config *config, const char *name) {
    for (int32_t i = 0; i < config->model_count; i++)
        if (strcmp(config->model[i].name, name) == 0) return i;
    return -1;
}

int32_t ren__study_predictor(const ren__study_config *config, int32_t gate, int32_t index) {
    int32_t number = config->expert_count * config->region_count + config->baseline_count + index;

    for (int32_t i = 0; i < gate; i++)
        number += config->gate[i].predictor ? config->region_count : 0;
    return number;
}

int32_t ren__study_first_mixture(const ren__study_config *config) {
    return ren__study_predictor(config, config->gate_count, 0);
}

const char *ren__study_model_kind(const ren__study_model *model) {
    if (model->mixture >= 0) return "mixture";
    if (model->gate >= 0) return "radiomics";
    return model->region == REN_REGION_LUNGS ? "baseline" : "expert";
}

/* --------------------------------------------------------------------------------------------------------- data */

/* `root` from the file system's root on. A folder that is not there stays as it is written: a stored evaluation can be
 * read without the scans. */
static ren_status resolve_root(ren__study_config *config, const char *root, const char *folder, json_t *data) {
    ren_context *context = config->context;
    ren_status st = REN_OK;
    char *joined = NULL, *resolved = NULL;

    joined = root[0] == '/' ? ren__strdup(context, root) : ren__path_join(context, folder, "%s", root);
    if (!joined) return ren__out_of_memory();
    if (ren__path_exists(joined)) REN_TRY(ren__path_resolve(context, joined, &resolved));
    REN_TRY(ren__json_set(data, "root", json_string(resolved ? resolved : joined)));
out:
    ren__free(resolved);
    ren__free(joined);
    return st;
}

static ren_status read_window(const json_t *list, double window[2]) {
    if (!json_is_array(list) || json_array_size(list) != 2 || !json_is_number(json_array_get(list, 0)) ||
        !json_is_number(json_array_get(list, 1)))
        return ren__error(REN_E_FORMAT, "data.preset: \"window\" must be two numbers in HU, as in [-1350, 150]");
    for (size_t i = 0; i < 2; i++)
        window[i] = json_number_value(json_array_get(list, i));
    if (!(window[0] < window[1])) /* equal values would quietly mean the kind's own */
        return ren__error(REN_E_FORMAT, "data.preset: \"window\" must rise, as in [-1350, 150]");
    return REN_OK;
}

static ren_status read_size(const json_t *value, int64_t size[3]) {
    for (size_t axis = 0; axis < 3; axis++) {
        const json_t *length =
            json_is_array(value) && json_array_size(value) == 3 ? json_array_get(value, axis) : value;
        if (!json_is_integer(length) || json_integer_value(length) < 8 || json_integer_value(length) > 512)
            return ren__error(
                REN_E_FORMAT,
                "data.preset: \"size\" must be one or three whole numbers from 8 to 512, as in [96, 96, 96]");
        size[axis] = json_integer_value(length);
    }
    return REN_OK;
}

static ren_status preset_kind(const char *name, const char *where, int32_t *kind) {
    char quoted[REN__QUOTE_SIZE];

    if (strcmp(name, "lung") == 0)
        *kind = REN_PRESET_LUNG;
    else if (strcmp(name, "paper") == 0)
        *kind = REN_PRESET_PAPER;
    else
        return ren__error(REN_E_FORMAT, "%s is \"%s\", must be lung or paper", where,
                          ren__quote(name, quoted, sizeof quoted));
    return REN_OK;
}

static ren_status read_preset(const json_t *value, ren_preset *preset) {
    static const char *const known[] = { "kind", "window", "size", "spacing", NULL };
    const char *kind = "lung";
    ren_status st;

    if (!value) return REN_OK;
    if (json_is_string(value)) return preset_kind(json_string_value(value), "data: \"preset\"", &preset->kind);
    st = ren__check_keys(value, "data.preset", known);
    if (st == REN_OK) st = ren__get_string(value, "kind", "data.preset", &kind);
    if (st == REN_OK) st = preset_kind(kind, "data.preset: \"kind\"", &preset->kind);
    if (st == REN_OK) st = ren__get_number(value, "spacing", "data.preset", &preset->spacing);
    if (st == REN_OK && json_object_get(value, "window"))
        st = read_window(json_object_get(value, "window"), preset->window);
    if (st == REN_OK && json_object_get(value, "size")) st = read_size(json_object_get(value, "size"), preset->size);
    return st;
}

static ren_status resolve_preset(ren__study_config *config, const json_t *value, json_t *data) {
    ren_preset preset;
    ren_status st = ren_preset_init(&preset, sizeof preset);

    if (st == REN_OK) st = read_preset(value, &preset);
    if (st != REN_OK) return st;
    config->preset.struct_size = sizeof config->preset;
    if (ren__preset_resolve(&preset, &config->preset) != REN_OK) return ren__error_context(REN_E_FORMAT, "data.preset");
    const ren_preset *full = &config->preset;
    return ren__json_set(data, "preset",
                         json_pack("{s:s, s:[f,f], s:[I,I,I], s:f}", "kind",
                                   full->kind == REN_PRESET_PAPER ? "paper" : "lung", "window", full->window[0],
                                   full->window[1], "size", (json_int_t)full->size[0], (json_int_t)full->size[1],
                                   (json_int_t)full->size[2], "spacing", full->spacing));
}

ren_status ren__config_data(ren__study_config *config, const json_t *tree, const char *folder) {
    static const char *const known[] = { "root", "table", "preset", NULL };
    static const char *const later[] = { "modalities", NULL };
    const json_t *given = json_object_get(tree, "data");
    const char *root = ".", *table = "labels.csv";
    ren_status st = REN_OK;

    if (!given) REN_FAIL(REN_E_FORMAT, "\"data\" is missing: it says where the scans and their table are");
    json_t *data = json_object();
    REN_TRY(ren__json_set(config->tree, "data", data));
    REN_TRY(refuse_later(given, "data", later));
    REN_TRY(ren__check_keys(given, "data", known));
    REN_TRY(ren__get_string(given, "root", "data", &root));
    REN_TRY(ren__get_string(given, "table", "data", &table));
    if (table[0] == '\0') REN_FAIL(REN_E_FORMAT, "data: \"table\" is empty");
    REN_TRY(resolve_root(config, root, folder, data));
    REN_TRY(ren__json_set(data, "table", json_string(table)));
    REN_TRY(resolve_preset(config, json_object_get(given, "preset"), data));
    config->root = json_string_value(json_object_get(data, "root"));
    config->table = json_string_value(json_object_get(data, "table"));
out:
    return st;
}

/* -------------------------------------------------------------------------------------------------------- split */

/* `run`: which folds. Kept rising and without repeats, so that equal choices resolve equally. */
static ren_status read_run(ren__study_config *config, const json_t *list) {
    uint8_t wanted[REN__FOLDS_MAX] = { 0 };

    if (list && (!json_is_array(list) || json_array_size(list) == 0))
        return ren__error(REN_E_FORMAT, "split: \"run\" must be a list of folds, as in [0, 1]; leave it out for all");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *fold = json_array_get(list, i);
        if (!json_is_integer(fold) || json_integer_value(fold) < 0 || json_integer_value(fold) >= config->folds)
            return ren__error(REN_E_FORMAT, "split: \"run\": folds are numbered from 0 to %d", config->folds - 1);
        wanted[json_integer_value(fold)] = 1;
    }
    for (int32_t fold = 0; fold < config->folds; fold++)
        if (!list || wanted[fold]) config->run[config->run_count++] = fold;
    return REN_OK;
}

static ren_status choose(const json_t *given, const char *key, const char *const names[2], int32_t *choice) {
    char quoted[REN__QUOTE_SIZE];
    const char *name = names[0];
    const ren_status st = ren__get_string(given, key, "split", &name);

    if (st != REN_OK) return st;
    for (*choice = 0; *choice < 2; (*choice)++)
        if (strcmp(name, names[*choice]) == 0) return REN_OK;
    return ren__error(REN_E_FORMAT, "split: \"%s\" is \"%s\", must be %s or %s", key,
                      ren__quote(name, quoted, sizeof quoted), names[0], names[1]);
}

static ren_status store_split(ren__study_config *config, const char *stratify, const char *protocol) {
    ren_status st = REN_OK;
    json_t *split = json_object(), *run = json_array();

    REN_TRY(ren__json_set(config->tree, "split", split));
    REN_TRY(ren__json_set(split, "folds", json_integer(config->folds)));
    REN_TRY(ren__json_set(split, "validation", json_real(config->validation)));
    REN_TRY(ren__json_set(split, "stratify", json_string(stratify)));
    REN_TRY(ren__json_set(split, "protocol", json_string(protocol)));
    REN_TRY(ren__json_checked(run));
    for (int32_t i = 0; i < config->run_count; i++)
        REN_TRY(ren__json_append(run, json_integer(config->run[i])));
    st = ren__json_set(split, "run", run);
    run = NULL;
out:
    json_decref(run);
    return st;
}

ren_status ren__config_split(ren__study_config *config, const json_t *tree) {
    static const char *const known[] = { "folds", "validation", "stratify", "protocol", "run", NULL };
    static const char *const stratify[2] = { "label", "none" }, *const protocol[2] = { "default", "paper" };
    const json_t *given = json_object_get(tree, "split");
    int64_t folds = 5;
    int32_t stratum = 0, kind = 0;
    ren_status st = REN_OK;

    config->validation = 0.2;
    if (given) {
        REN_TRY(ren__check_keys(given, "split", known));
        REN_TRY(ren__get_integer(given, "folds", "split", 2, REN__FOLDS_MAX, &folds));
        REN_TRY(ren__get_number(given, "validation", "split", &config->validation));
        REN_TRY(choose(given, "stratify", stratify, &stratum));
        REN_TRY(choose(given, "protocol", protocol, &kind));
    }
    if (!(config->validation > 0.0 && config->validation < 1.0))
        REN_FAIL(REN_E_FORMAT, "split: \"validation\" must be between 0 and 1: the share of the training patients");
    config->folds = (int32_t)folds;
    config->stratified = stratum == 0;
    config->protocol = kind == 0 ? REN__PROTOCOL_DEFAULT : REN__PROTOCOL_PAPER;
    REN_TRY(read_run(config, given ? json_object_get(given, "run") : NULL));
    REN_TRY(store_split(config, stratify[stratum], protocol[kind]));
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------ the whole file */

static ren_status read_heading(ren__study_config *config, const json_t *tree) {
    int64_t seed = (int64_t)(config->context->seed & INT64_MAX), regions = 7;
    ren_status st = REN_OK;

    REN_TRY(ren__get_string(tree, "study", "the configuration", &config->study));
    if (!config->study) REN_FAIL(REN_E_FORMAT, "\"study\" is missing: the study's name");
    if (config->study[0] == '\0' || strlen(config->study) > 200)
        REN_FAIL(REN_E_FORMAT, "\"study\" must have 1 to 200 bytes");
    REN_TRY(ren__get_integer(tree, "seed", "the configuration", 0, INT64_MAX, &seed));
    REN_TRY(ren__get_integer(tree, "regions", "the configuration", 2, 7, &regions));
    if (regions != 2 && regions != 5 && regions != 7)
        REN_FAIL(REN_E_FORMAT, "\"regions\" is %d, must be 2 (lungs), 5 (lobes) or 7 (both)", (int)regions);
    config->seed = (uint64_t)seed;
    for (int32_t region = regions == 2 ? REN_REGION_LEFT_LUNG : 0; config->region_count < (int32_t)regions; region++)
        config->region[config->region_count++] = region;
    REN_TRY(ren__json_set(config->tree, "study", json_string(config->study)));
    REN_TRY(ren__json_set(config->tree, "seed", json_integer(seed)));
    config->study = json_string_value(json_object_get(config->tree, "study"));
out:
    return st;
}

static ren_status check_top(const json_t *tree) {
    static const char *const known[] = { "study",     "seed",  "data",     "split",   "regions", "experts",
                                         "baselines", "gates", "mixtures", "compare", NULL };
    static const char *const later[] = { "network", "stages", NULL };
    ren_status st = REN_OK;

    REN_TRY(refuse_later(tree, "the configuration", later));
    REN_TRY(ren__check_keys(tree, "the configuration", known));
out:
    return st;
}

ren_status ren__study_config_resolve(ren_context *context, const json_t *tree, const char *folder,
                                     ren__study_config **out) {
    ren_status st = REN_OK;
    ren__study_config *config = NULL;

    *out = NULL;
    REN_CALLOC(config, 1);
    config->context = ren__context_retain(context);
    config->primary[0] = config->primary[1] = -1;
    config->folder = folder;
    config->tree = json_object();
    REN_TRY(ren__json_checked(config->tree));
    REN_TRY(check_top(tree));
    REN_TRY(read_heading(config, tree));
    REN_TRY(ren__config_data(config, tree, folder));
    REN_TRY(ren__config_split(config, tree));
    REN_TRY(ren__json_set(config->tree, "regions", json_integer(config->region_count)));
    REN_TRY(ren__config_experts(config, tree));
    REN_TRY(ren__config_baselines(config, tree));
    REN_TRY(ren__config_gates(config, tree));
    REN_TRY(ren__config_mixtures(config, tree));
    REN_TRY(ren__config_compare(config, tree));
    config->folder = NULL;
    *out = config;
    config = NULL;
out:
    ren__study_config_free(config);
    return st;
}

void ren__study_config_free(ren__study_config *config) {
    if (!config) return;
    ren_context *context = config->context;

    for (int32_t i = 0; config->expert && i < config->expert_count + config->baseline_count; i++)
        ren__expert_entry_end(&config->expert[i]);
    for (int32_t i = 0; config->mixture && i < config->mixture_count; i++)
        ren__expert_entry_end(&config->mixture[i].network);
    ren__free(config->expert);
    ren__free(config->gate);
    ren__free(config->mixture);
    ren__free(config->model);
    ren__free(config->other);
    json_decref(config->tree);
    ren__free(config);
    ren__context_release(context);
}

ren_status ren__study_config_read(ren_context *context, const char *path, ren__study_config **out) {
    const char *slash = strrchr(path, '/');
    ren_status st = REN_OK;
    json_t *tree = NULL;
    char *folder = NULL;

    *out = NULL;
    REN_TRY(ren__document_read(context, path, &tree));
    folder = ren__path_join(context, slash ? "" : ".", "%.*s", slash ? (int)(slash - path) + 1 : 0, path);
    if (!folder) {
        st = ren__out_of_memory();
        goto out;
    }
    st = ren__study_config_resolve(context, tree, folder, out);
    if (st != REN_OK) st = ren__error_context(st, "%s", path);
out:
    ren__free(folder);
    json_decref(tree);
    return st;
}

/* ---------------------------------------------------------------------------------------------------- comparing */

static ren_status differs(ren_context *context, const char *where, const json_t *stored, const json_t *wanted) {
    ren_status st = REN_OK;
    ren_text *before = NULL, *after = NULL;

    if (stored) REN_TRY(ren__json_write(context, stored, 0, &before));
    if (wanted) REN_TRY(ren__json_write(context, wanted, 0, &after));
    st = ren__error(REN_E_STATE,
                    "%s is %.80s in the run folder and %.80s in the configuration: take another folder, or the "
                    "configuration that this one was started with",
                    where, before ? ren_text_data(before) : "missing", after ? ren_text_data(after) : "missing");
out:
    ren_text_free(before);
    ren_text_free(after);
    return st;
}

/* 1.0 and 1 are the same setting. */
static int equal_scalars(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b))
        return !(json_number_value(a) < json_number_value(b)) && !(json_number_value(a) > json_number_value(b));
    return json_equal(a, b);
}

/* Depth is bounded by the documents' own (64). */
static ren_status same_below(ren_context *context, const char *where, const json_t *stored, const json_t *wanted) {
    char inner[256];
    const char *key;
    json_t *value;
    size_t index;
    ren_status st = REN_OK;

    if (json_is_object(stored) && json_is_object(wanted)) {
        json_object_foreach((json_t *)stored, key, value) {
            snprintf(inner, sizeof inner, "%s%s%s", where, where[0] ? "." : "", key);
            REN_TRY(same_below(context, inner, value, json_object_get(wanted, key)));
        }
        json_object_foreach((json_t *)wanted, key, value) {
            snprintf(inner, sizeof inner, "%s%s%s", where, where[0] ? "." : "", key);
            if (!json_object_get(stored, key)) REN_TRY(differs(context, inner, NULL, value));
        }
    } else if (json_is_array(stored) && json_is_array(wanted) && json_array_size(stored) == json_array_size(wanted)) {
        json_array_foreach((json_t *)stored, index, value) {
            snprintf(inner, sizeof inner, "%s[%zu]", where, index);
            REN_TRY(same_below(context, inner, value, json_array_get(wanted, index)));
        }
    } else if (!stored || !wanted || !equal_scalars(stored, wanted)) {
        st = differs(context, where, stored, wanted);
    }
out:
    return st;
}

ren_status ren__study_config_same(ren_context *context, const json_t *stored, const json_t *wanted) {
    return same_below(context, "", stored, wanted);
}
