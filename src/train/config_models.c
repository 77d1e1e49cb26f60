/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of a configuration that name models: experts, baselines, comparisons; and the list of all models. */
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "train/config.h"
#include "train/study_files.h"

enum { WHERE = 32 };

static const char *place(char where[WHERE], const char *key, int32_t index) {
    snprintf(where, WHERE, "%s[%d]", key, index);
    return where;
}

ren_status ren__config_entries(ren__study_config *config, const json_t *given, const char *key,
                               ren__entry_reader read_entry, int32_t *count) {
    json_t *list = json_array();
    char where[WHERE];
    ren_status st = ren__json_set(config->tree, key, list);

    for (*count = 0; st == REN_OK && *count < (int32_t)json_array_size(given);) {
        const int32_t index = (*count)++;
        st = read_entry(config, json_array_get(given, (size_t)index), place(where, key, index), index, list);
    }
    return st;
}

/* ------------------------------------------------------------------------------------------------------ experts */

ren_status ren__config_unique(const ren__study_config *config, const char *name, const char *where) {
    int taken = 0;

    for (int32_t i = 0; i < config->expert_count + config->baseline_count; i++)
        taken |= config->expert[i].name && strcmp(config->expert[i].name, name) == 0;
    for (int32_t i = 0; i < config->mixture_count; i++)
        taken |= config->mixture[i].name && strcmp(config->mixture[i].name, name) == 0;
    if (taken)
        return ren__error(REN_E_FORMAT, "%s: another expert, baseline or mixture is called \"%s\" too", where, name);
    return REN_OK;
}

static ren_status read_network(ren__study_config *config, const json_t *entry, const char *where,
                               ren__expert_entry *expert, json_t *list) {
    const char *name;
    ren_status st = REN_OK;

    REN_TRY(ren__config_name(entry, where, &name));
    REN_TRY(ren__config_unique(config, name, where));
    REN_TRY(ren__expert_entry_read(config->context, entry, &config->preset, where, expert));
    expert->name = name;
    REN_TRY(ren__json_append(list, ren__expert_entry_json(expert)));
    expert->name = json_string_value(json_object_get(json_array_get(list, json_array_size(list) - 1), "name"));
out:
    return st;
}

static ren_status read_expert(ren__study_config *config, const json_t *entry, const char *where, int32_t index,
                              json_t *list) {
    return read_network(config, entry, where, &config->expert[index], list);
}

static ren_status read_baseline(ren__study_config *config, const json_t *entry, const char *where, int32_t index,
                                json_t *list) {
    return read_network(config, entry, where, &config->expert[config->expert_count + index], list);
}

ren_status ren__config_experts(ren__study_config *config, const json_t *tree) {
    ren_context *context = config->context;
    const json_t *given, *baselines;
    ren_status st = REN_OK;

    REN_TRY(ren__config_list(tree, "experts", &given));
    REN_TRY(ren__config_list(tree, "baselines", &baselines));
    if (json_array_size(given) == 0)
        REN_FAIL(REN_E_FORMAT, "\"experts\" is missing: at least one, as in - {name: cnn, arch: cnn}");
    REN_CALLOC(config->expert, json_array_size(given) + json_array_size(baselines));
    REN_TRY(ren__config_entries(config, given, "experts", read_expert, &config->expert_count));
out:
    return st;
}

ren_status ren__config_baselines(ren__study_config *config, const json_t *tree) {
    const json_t *given;
    ren_status st = REN_OK;

    REN_TRY(ren__config_list(tree, "baselines", &given));
    REN_TRY(ren__config_entries(config, given, "baselines", read_baseline, &config->baseline_count));
out:
    return st;
}

/* -------------------------------------------------------------------------------------------------- comparisons */

static ren_status list_models(ren__study_config *config) {
    ren_context *context = config->context;
    ren_status st = REN_OK;

    REN_CALLOC(config->model, (size_t)(ren__study_first_mixture(config) + config->mixture_count));
    for (int32_t expert = 0; expert < config->expert_count; expert++) {
        for (int32_t i = 0; i < config->region_count; i++) {
            ren__study_model *model = &config->model[config->model_count++];
            *model = (ren__study_model){ .mixture = -1, .gate = -1, .expert = expert, .region = config->region[i] };
            snprintf(model->name, sizeof model->name, "%s.%s", config->expert[expert].name,
                     ren_region_name(config->region[i]));
        }
    }
    for (int32_t i = 0; i < config->baseline_count; i++) {
        const int32_t expert = config->expert_count + i;
        ren__study_model *model = &config->model[config->model_count++];
        *model = (ren__study_model){ .mixture = -1, .gate = -1, .expert = expert, .region = REN_REGION_LUNGS };
        snprintf(model->name, sizeof model->name, "%s", config->expert[expert].name);
    }
    for (int32_t gate = 0; gate < config->gate_count; gate++) {
        for (int32_t i = 0; config->gate[gate].predictor && i < config->region_count; i++) {
            ren__study_model *model = &config->model[config->model_count++];
            *model = (ren__study_model){ .mixture = -1, .gate = gate, .expert = -1, .region = config->region[i] };
            snprintf(model->name, sizeof model->name, "%s.%s", config->gate[gate].name,
                     ren_region_name(config->region[i]));
        }
    }
    for (int32_t i = 0; i < config->mixture_count; i++) {
        ren__study_model *model = &config->model[config->model_count++];
        *model = (ren__study_model){ .mixture = i, .gate = -1, .expert = config->mixture[i].expert, .region = -1 };
        snprintf(model->name, sizeof model->name, "%s", config->mixture[i].name);
    }
out:
    return st;
}

static ren_status read_model(const ren__study_config *config, const json_t *value, const char *key, int32_t *model) {
    char quoted[REN__QUOTE_SIZE];
    const char *name = json_string_value(value);

    *model = name ? ren__study_find_model(config, name) : -1;
    if (*model >= 0) return REN_OK;
    if (!name) return ren__error(REN_E_FORMAT, "compare: \"%s\" must be a list of names of models", key);
    return ren__error(
        REN_E_FORMAT,
        "compare: \"%s\": there is no model \"%s\"; a mixture's or baseline's name, or an expert with its "
        "region as in %s",
        key, ren__quote(name, quoted, sizeof quoted), config->model[0].name);
}

static ren_status read_primary(ren__study_config *config, const json_t *list) {
    ren_status st = REN_OK;

    if (!json_is_array(list) || json_array_size(list) != 2)
        REN_FAIL(REN_E_FORMAT, "compare: \"primary\" must be a list of two models, as in [ren, %s]",
                 config->model[0].name);
    for (size_t i = 0; i < 2; i++)
        REN_TRY(read_model(config, json_array_get(list, i), "primary", &config->primary[i]));
    if (config->primary[0] == config->primary[1])
        REN_FAIL(REN_E_FORMAT, "compare: \"primary\" names the same model twice");
out:
    return st;
}

/* What all others are compared with. */
static int32_t reference(const ren__study_config *config) {
    if (config->primary[0] >= 0) return config->primary[0];
    return config->mixture_count > 0 ? ren__study_first_mixture(config) : -1;
}

static ren_status read_others(ren__study_config *config, const json_t *given) {
    const int all = !given || (json_is_string(given) && strcmp(json_string_value(given), "all") == 0);
    ren_context *context = config->context;
    ren_status st = REN_OK;

    if (!all && !json_is_array(given)) REN_FAIL(REN_E_FORMAT, "compare: \"others\" must be all or a list of models");
    if (!all && json_array_size(given) > 0 && reference(config) < 0)
        REN_FAIL(REN_E_FORMAT, "compare: \"others\" needs \"primary\" or a mixture to compare with");
    if (!all && json_array_size(given) > (size_t)config->model_count)
        REN_FAIL(REN_E_FORMAT, "compare: \"others\" has more entries than there are models");
    REN_CALLOC(config->other, (size_t)config->model_count);
    for (int32_t i = 0; all && i < config->model_count; i++)
        if (reference(config) >= 0 && i != reference(config) && i != config->primary[1])
            config->other[config->other_count++] = i;
    for (size_t i = 0; !all && i < json_array_size(given); i++) {
        int32_t model;
        REN_TRY(read_model(config, json_array_get(given, i), "others", &model));
        if (model == reference(config) || model == config->primary[1])
            REN_FAIL(REN_E_FORMAT, "compare: \"others\": %s is in the primary comparison", config->model[model].name);
        for (int32_t k = 0; k < config->other_count; k++)
            if (config->other[k] == model)
                REN_FAIL(REN_E_FORMAT, "compare: \"others\" names %s twice", config->model[model].name);
        config->other[config->other_count++] = model;
    }
out:
    return st;
}

static ren_status store_compare(ren__study_config *config) {
    ren_status st = REN_OK;
    json_t *compare = json_object();

    REN_TRY(ren__json_set(config->tree, "compare", compare));
    if (config->primary[0] >= 0)
        REN_TRY(ren__json_set(
            compare, "primary",
            json_pack("[s,s]", config->model[config->primary[0]].name, config->model[config->primary[1]].name)));
    json_t *others = json_array();
    REN_TRY(ren__json_set(compare, "others", others));
    for (int32_t i = 0; i < config->other_count; i++)
        REN_TRY(ren__json_append(others, json_string(config->model[config->other[i]].name)));
out:
    return st;
}

ren_status ren__config_compare(ren__study_config *config, const json_t *tree) {
    static const char *const known[] = { "primary", "others", NULL };
    const json_t *given = json_object_get(tree, "compare");
    ren_status st = REN_OK;

    REN_TRY(list_models(config));
    if (given) {
        REN_TRY(ren__check_keys(given, "compare", known));
        if (json_object_get(given, "primary")) REN_TRY(read_primary(config, json_object_get(given, "primary")));
    }
    REN_TRY(read_others(config, given ? json_object_get(given, "others") : NULL));
    REN_TRY(store_compare(config));
out:
    return st;
}
