/* SPDX-License-Identifier: Apache-2.0 */
/* The section `gates`: where weights come from, and how what is fitted for them is fitted. */
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "moe/gate.h"
#include "train/config.h"
#include "train/study_files.h"

enum { KEYS_MAX = 16 };

/* A name out of a list whose last is NULL; -1: not there. */
static int32_t find_name(const char *name, const char *const *names) {
    for (int32_t i = 0; names[i]; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

/* ----------------------------------------------------------------------------------------------------- fitting */

static const char *const linear_keys[] = { "kind", "features", "l2", NULL };
static const char *const tree_keys[] = {
    "kind", "trees", "depth", "learning_rate", "subsample", "column_sample", NULL
};

static ren_status in_range(const char *where, const char *key, double value, double above, double most) {
    if (value > above && value <= most) return REN_OK;
    return ren__error(REN_E_FORMAT, "%s: \"%s\" must be above %g and at most %g", where, key, above, most);
}

static ren_status read_linear(const json_t *given, const char *where, ren__fit_settings *settings) {
    int64_t features = settings->features;
    ren_status st = REN_OK;

    REN_TRY(ren__get_integer(given, "features", where, 0, 100000, &features));
    REN_TRY(ren__get_number(given, "l2", where, &settings->l2));
    REN_TRY(in_range(where, "l2", settings->l2, 0.0, 1e6));
    settings->features = (int32_t)features;
out:
    return st;
}

/* Random forests may leave the share of columns to the number of columns: 0 is its square root. */
static ren_status read_trees(const json_t *given, const char *where, int forest, ren__fit_settings *settings) {
    int64_t trees = settings->trees, depth = settings->depth;
    ren_status st = REN_OK;

    REN_TRY(ren__get_integer(given, "trees", where, 1, 10000, &trees));
    REN_TRY(ren__get_integer(given, "depth", where, 1, 16, &depth));
    REN_TRY(ren__get_number(given, "learning_rate", where, &settings->learning_rate));
    REN_TRY(in_range(where, "learning_rate", settings->learning_rate, 0.0, 1.0));
    REN_TRY(ren__get_number(given, "subsample", where, &settings->subsample));
    REN_TRY(in_range(where, "subsample", settings->subsample, 0.0, 1.0));
    REN_TRY(ren__get_number(given, "column_sample", where, &settings->column_sample));
    if (!forest || settings->column_sample != 0.0)
        REN_TRY(in_range(where, "column_sample", settings->column_sample, 0.0, 1.0));
    settings->trees = (int32_t)trees;
    settings->depth = (int32_t)depth;
out:
    return st;
}

static json_t *fit_json(const char *kind, const ren__fit_settings *settings) {
    if (strcmp(kind, "logistic") == 0)
        return json_pack("{s:s, s:i, s:f}", "kind", kind, "features", (int)settings->features, "l2", settings->l2);
    return json_pack("{s:s, s:i, s:i, s:f, s:f, s:f}", "kind", kind, "trees", (int)settings->trees, "depth",
                     (int)settings->depth, "learning_rate", settings->learning_rate, "subsample", settings->subsample,
                     "column_sample", settings->column_sample);
}

ren_status ren__config_fit(const json_t *entry, const char *where, const char *key, const char *const *kinds,
                           const char **kind, ren__fit_settings *settings, json_t **resolved) {
    const json_t *given = json_object_get(entry, key);
    const json_t *named = json_is_object(given) ? json_object_get(given, "kind") : given;
    char inner[64], quoted[REN__QUOTE_SIZE];
    ren_status st = REN_OK;

    snprintf(inner, sizeof inner, "%s.%s", where, key);
    const int32_t choice = !named ? 0 : json_is_string(named) ? find_name(json_string_value(named), kinds) : -1;
    if (choice < 0)
        REN_FAIL(REN_E_FORMAT, "%s: is \"%s\", must be %s or %s, or a map with that as its \"kind\"", inner,
                 ren__quote(json_is_string(named) ? json_string_value(named) : "no text", quoted, sizeof quoted),
                 kinds[0], kinds[1]);
    *kind = kinds[choice];
    const int linear = strcmp(*kind, "logistic") == 0;
    REN_TRY(ren__fit_defaults(*kind, settings));
    if (json_is_object(given)) {
        REN_TRY(ren__check_keys(given, inner, linear ? linear_keys : tree_keys));
        REN_TRY(linear ? read_linear(given, inner, settings)
                       : read_trees(given, inner, strcmp(*kind, "random_forest") == 0, settings));
    }
    *resolved = fit_json(*kind, settings);
    st = ren__json_checked(*resolved);
out:
    return st;
}

/* How scores or logits are fitted: `scores: {features: 8, l2: 0.1}`. */
static ren_status read_scores(const json_t *entry, const char *where, ren__gate_entry *gate, json_t *full) {
    static const char *const all[] = { "features", "l2", NULL }, *const learned[] = { "l2", NULL };
    const json_t *given = json_object_get(entry, "scores");
    char inner[64];
    ren_status st = REN_OK;

    snprintf(inner, sizeof inner, "%s.scores", where);
    if (given && gate->mode == REN__GATE_FIXED)
        REN_FAIL(REN_E_FORMAT, "%s: mode fixed fits no scores: leave them out, or choose another mode", inner);
    if (gate->mode == REN__GATE_FIXED) goto out;
    REN_TRY(ren__fit_defaults("logistic", &gate->scores));
    if (given) {
        REN_TRY(ren__check_keys(given, inner, gate->mode == REN__GATE_LEARNED ? learned : all));
        REN_TRY(read_linear(given, inner, &gate->scores));
    }
    if (gate->mode == REN__GATE_LEARNED)
        REN_TRY(ren__json_set(full, "scores", json_pack("{s:f}", "l2", gate->scores.l2)));
    else
        REN_TRY(ren__json_set(full, "scores",
                              json_pack("{s:i, s:f}", "features", (int)gate->scores.features, "l2", gate->scores.l2)));
out:
    return st;
}

/* --------------------------------------------------------------------------------------------------- one source */

static ren_status read_of(const ren__study_config *config, const json_t *entry, const char *where, int needed,
                          ren__gate_entry *gate, json_t *full) {
    char quoted[REN__QUOTE_SIZE];
    const char *name = NULL;
    ren_status st = REN_OK;

    gate->of = -1;
    REN_TRY(ren__get_string(entry, "of", where, &name));
    if (!name && needed) REN_FAIL(REN_E_FORMAT, "%s: \"of\" is missing: the experts whose features are read", where);
    if (!name) goto out;
    for (int32_t i = 0; i < config->expert_count; i++)
        if (strcmp(config->expert[i].name, name) == 0) gate->of = i;
    if (gate->of < 0)
        REN_FAIL(REN_E_FORMAT, "%s: \"of\": no entry of experts is called \"%s\"", where,
                 ren__quote(name, quoted, sizeof quoted));
    st = ren__json_set(full, "of", json_string(name));
out:
    return st;
}

/* The parameters as the extractor resolves them, from a file's name or a map. */
static ren_status resolve_params(ren_context *context, const json_t *given, const char *where, const char *folder,
                                 json_t **out) {
    ren_radiomics *radiomics = NULL;
    ren_text *text = NULL;
    char *path = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    if (json_is_string(given)) {
        const char *name = json_string_value(given);
        path = name[0] == '/' ? ren__strdup(context, name) : ren__path_join(context, folder, "%s", name);
        st = path ? ren_radiomics_load_params(radiomics, path) : ren__out_of_memory();
    } else if (given) {
        REN_TRY(ren__json_write(context, given, 0, &text));
        st = ren_radiomics_parse_params(radiomics, ren_text_data(text), ren_text_size(text), "json");
        ren_text_free(text);
        text = NULL;
    }
    if (st != REN_OK) {
        st = ren__error_context(st, "%s.params", where);
        goto out;
    }
    REN_TRY(ren_radiomics_describe(radiomics, &text));
    st = ren__json_parse(ren_text_data(text), ren_text_size(text), where, out);
out:
    ren__free(path);
    ren_text_free(text);
    ren_radiomics_free(radiomics);
    return st;
}

static ren_status read_params(ren__study_config *config, const json_t *entry, const char *where, int32_t index,
                              json_t *full) {
    const json_t *given = json_object_get(entry, "params");
    ren__gate_entry *gate = &config->gate[index];
    json_t *params = NULL;
    ren_status st = REN_OK;

    if (given && !json_is_string(given) && !json_is_object(given))
        REN_FAIL(REN_E_FORMAT, "%s: \"params\" must be the name of a parameter file, or its contents as a map", where);
    REN_TRY(resolve_params(config->context, given, where, config->folder, &params));
    REN_TRY(ren__json_set(full, "params", params));
    gate->params = params;
    for (gate->table = 0; gate->table < index; gate->table++)
        if (config->gate[gate->table].params && json_equal(config->gate[gate->table].params, params)) break;
out:
    return st;
}

static ren_status read_radiomics(ren__study_config *config, const json_t *entry, const char *where, int32_t index,
                                 json_t *full) {
    static const char *const kinds[] = { "boosted_trees", "logistic", NULL };
    ren__gate_entry *gate = &config->gate[index];
    json_t *fit = NULL;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->expert_count; i++)
        if (strcmp(config->expert[i].name, gate->name) == 0)
            REN_FAIL(REN_E_FORMAT, "%s: an expert is called \"%s\" too: the gate's regional predictors need a name",
                     where, gate->name);
    REN_TRY(ren__config_fit(entry, where, "predictor", kinds, &gate->predictor, &gate->fit, &fit));
    REN_TRY(ren__json_set(full, "predictor", fit));
    st = read_params(config, entry, where, index, full);
out:
    return st;
}

static ren_status read_measure(const json_t *entry, const char *where, ren__gate_entry *gate, json_t *full) {
    static const char *const measures[] = { "separability", "auc", "logistic", NULL };
    char quoted[REN__QUOTE_SIZE];
    const char *name = measures[0];
    ren_status st = REN_OK;

    REN_TRY(ren__get_string(entry, "measure", where, &name));
    const int32_t choice = find_name(name, measures);
    if (choice < 0)
        REN_FAIL(REN_E_FORMAT, "%s: \"measure\" is \"%s\", must be separability, auc or logistic", where,
                 ren__quote(name, quoted, sizeof quoted));
    gate->measure = measures[choice];
    st = ren__json_set(full, "measure", json_string(gate->measure));
out:
    return st;
}

/* ---------------------------------------------------------------------------------------------------- one entry */

enum source { UNIFORM, VALIDATION_AUC, VALIDATION_ACCURACY, INVERSE_LOSS, RADIOMICS, FEATURES };
static const char *const sources[] = {
    "uniform", "validation_auc", "validation_accuracy", "inverse_loss", "radiomics", "features", NULL
};

static ren_status read_source(const json_t *entry, const char *where, enum source *source) {
    char quoted[REN__QUOTE_SIZE];
    const char *name = NULL;
    const ren_status st = ren__get_string(entry, "source", where, &name);

    if (st != REN_OK) return st;
    if (!name) return ren__error(REN_E_FORMAT, "%s: \"source\" is missing: where the weights come from", where);
    const int32_t found = find_name(name, sources);
    if (found < 0)
        return ren__error(REN_E_FORMAT,
                          "%s: \"source\" is \"%s\", must be uniform, validation_auc, validation_accuracy, "
                          "inverse_loss, radiomics or features",
                          where, ren__quote(name, quoted, sizeof quoted));
    *source = (enum source)found;
    return REN_OK;
}

/* Keys that this source has; one of another source is told from a misspelt one. */
static ren_status check_keys(const json_t *entry, const char *where, enum source source) {
    static const char *const own[][4] = {
        [UNIFORM] = { NULL },
        [VALIDATION_AUC] = { "of", NULL },
        [VALIDATION_ACCURACY] = { "of", NULL },
        [INVERSE_LOSS] = { "of", NULL },
        [RADIOMICS] = { "predictor", "params", NULL },
        [FEATURES] = { "of", "measure", NULL },
    };
    static const char *const foreign[] = { "of", "measure", "predictor", "params", NULL };
    const char *known[KEYS_MAX] = { "name", "source", "normalisation", "mode", "temperature", "scores" };
    size_t count = 6;

    for (size_t i = 0; own[source][i]; i++)
        known[count++] = own[source][i];
    for (size_t i = 0; foreign[i]; i++)
        if (json_object_get(entry, foreign[i]) && find_name(foreign[i], known) < 0)
            return ren__error(REN_E_FORMAT, "%s: \"%s\" says nothing where \"source\" is %s: leave it out", where,
                              foreign[i], sources[source]);
    return ren__check_keys(entry, where, known);
}

/* "per_scan" is what radiomics call it, "dynamic" what deep features do. */
static ren_status read_mode(const json_t *entry, const char *where, enum source source, ren__gate_entry *gate,
                            json_t *full) {
    const char *const per_scan = source == RADIOMICS ? "per_scan" : source == FEATURES ? "dynamic" : NULL;
    const char *const modes[] = { "fixed", "learned", per_scan, NULL };
    char quoted[REN__QUOTE_SIZE];
    const char *name = "fixed";
    ren_status st = REN_OK;

    gate->temperature = 1.0;
    REN_TRY(ren__get_string(entry, "mode", where, &name));
    gate->mode = find_name(name, modes);
    if (gate->mode < 0)
        REN_FAIL(REN_E_FORMAT, "%s: \"mode\" is \"%s\", must be fixed%s learned%s%s where \"source\" is %s", where,
                 ren__quote(name, quoted, sizeof quoted), per_scan ? "," : " or", per_scan ? " or " : "",
                 per_scan ? per_scan : "", sources[source]);
    REN_TRY(ren__get_number(entry, "temperature", where, &gate->temperature));
    if (!(gate->temperature >= 0.001 && gate->temperature <= 1000.0))
        REN_FAIL(REN_E_FORMAT, "%s: \"temperature\" must be from 0.001 to 1000", where);
    REN_TRY(ren__json_set(full, "mode", json_string(name)));
    st = ren__json_set(full, "temperature", json_real(gate->temperature));
out:
    return st;
}

static ren_status read_normalisation(const json_t *entry, const char *where, ren__gate_entry *gate, json_t *full) {
    static const char *const names[] = { "sum", "hierarchical", NULL };
    const char *name = names[0];
    ren_status st = REN_OK;

    REN_TRY(ren__get_string(entry, "normalisation", where, &name));
    const int32_t choice = find_name(name, names);
    if (choice < 0) REN_FAIL(REN_E_FORMAT, "%s: \"normalisation\" must be sum or hierarchical", where);
    if (choice == 1 && gate->mode == REN__GATE_PER_SCAN)
        REN_FAIL(REN_E_FORMAT, "%s: \"normalisation\" must be sum where the weights depend on the scan", where);
    gate->normalisation = choice == 0 ? REN_GATE_SUM : REN_GATE_HIERARCHICAL;
    st = ren__json_set(full, "normalisation", json_string(name));
out:
    return st;
}

static ren_status read_name(const ren__study_config *config, const json_t *entry, const char *where, int32_t index,
                            json_t *full) {
    const char *name;
    ren_status st = REN_OK;

    REN_TRY(ren__config_name(entry, where, &name));
    for (int32_t i = 0; i < index; i++)
        if (strcmp(config->gate[i].name, name) == 0)
            REN_FAIL(REN_E_FORMAT, "%s: another gate is called \"%s\" too", where, name);
    REN_TRY(ren__json_set(full, "name", json_string(name)));
    config->gate[index].name = json_string_value(json_object_get(full, "name"));
out:
    return st;
}

static ren_status read_gate(ren__study_config *config, const json_t *entry, const char *where, int32_t index,
                            json_t *list) {
    ren__gate_entry *gate = &config->gate[index];
    json_t *full = json_object();
    enum source source = UNIFORM;
    ren_status st = REN_OK;

    REN_TRY(ren__json_append(list, full));
    gate->of = gate->table = -1;
    REN_TRY(read_source(entry, where, &source));
    REN_TRY(check_keys(entry, where, source));
    REN_TRY(read_name(config, entry, where, index, full));
    gate->source = sources[source];
    REN_TRY(ren__json_set(full, "source", json_string(gate->source)));
    REN_TRY(read_mode(entry, where, source, gate, full));
    REN_TRY(read_normalisation(entry, where, gate, full));
    if (source != RADIOMICS) REN_TRY(read_of(config, entry, where, source == FEATURES, gate, full));
    if (source == RADIOMICS) REN_TRY(read_radiomics(config, entry, where, index, full));
    if (source == FEATURES) REN_TRY(read_measure(entry, where, gate, full));
    st = read_scores(entry, where, gate, full);
out:
    return st;
}

ren_status ren__config_gates(ren__study_config *config, const json_t *tree) {
    ren_context *context = config->context;
    const json_t *given;
    ren_status st = REN_OK;

    REN_TRY(ren__config_list(tree, "gates", &given));
    REN_CALLOC(config->gate, json_array_size(given));
    REN_TRY(ren__config_entries(config, given, "gates", read_gate, &config->gate_count));
out:
    return st;
}
