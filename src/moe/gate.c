/* SPDX-License-Identifier: Apache-2.0 */
/* Gates: what they are made of, and the weights that they give. gate.h has the formulas. */
#include "moe/gate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "moe/model_file.h"

enum { UNIFORM, VALIDATION_AUC, VALIDATION_ACCURACY, INVERSE_LOSS, GIVEN, RADIOMICS, FEATURES, SOURCE_COUNT };
static const char *const sources[SOURCE_COUNT] = { "uniform",      "validation_auc", "validation_accuracy",
                                                   "inverse_loss", "given",          "radiomics",
                                                   "features" };

enum { COLUMNS_MAX = 1 << 16, COLUMN_NAME_MAX = 512, MEASURE_MAX = 100 };
static const double temperature_low = 1e-3, temperature_high = 1e3, logit_most = 1e6, learned_offset = 1e-8;

ren_status ren_gate_options_init(ren_gate_options *options, size_t size) {
    const ren_gate_options defaults = { .struct_size = sizeof defaults, .source = "uniform", .temperature = 1.0 };

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
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        ren__predictor_free(gate->score[region]);
        ren__predictor_free(gate->predictor[region]);
    }
    ren_radiomics_free(gate->extractor);
    ren__arena_free(gate->arena);
    ren__free(gate);
    ren__context_release(context);
}

/* ------------------------------------------------------------------------------------------------------ numbers */

static ren_status find_source(const char *name, int32_t *source) {
    char quoted[REN__QUOTE_SIZE];

    if (!name) return ren__error(REN_E_INVALID, "the gate has no source: \"uniform\" is the simplest");
    for (int32_t i = 0; i < SOURCE_COUNT; i++) {
        if (strcmp(sources[i], name) != 0) continue;
        *source = i;
        return REN_OK;
    }
    return ren__error(REN_E_INVALID,
                      "no gate source is called \"%s\": uniform, validation_auc, validation_accuracy, inverse_loss, "
                      "given, radiomics and features are",
                      ren__quote(name, quoted, sizeof quoted));
}

int ren__gate_knows(const char *source) {
    for (int32_t i = 0; i < SOURCE_COUNT; i++)
        if (strcmp(sources[i], source) == 0) return 1;
    return 0;
}

/* The base weight of a region. A number that is missing is an error, never a guess. */
static ren_status base_weight(int32_t source, int32_t region, double value, double *base) {
    const int share = source == VALIDATION_AUC || source == VALIDATION_ACCURACY || source == RADIOMICS;

    if (source == UNIFORM) {
        *base = 1.0;
        return REN_OK;
    }
    if (!isfinite(value) || value < 0.0)
        return ren__error(REN_E_DATA, "gate %s: the number for region %s is missing or negative", sources[source],
                          ren_region_name(region));
    if (share && value > 1.0)
        return ren__error(REN_E_DATA, "gate %s: the number for region %s is above 1", sources[source],
                          ren_region_name(region));
    *base = value;
    if (source == INVERSE_LOSS && value > 0.0) *base = 1.0 / value;
    if (source == RADIOMICS && value > 0.0) *base = 0.1 + (value > 0.5 ? (value - 0.5) * 3.8 : 0.0);
    if (!isfinite(*base))
        return ren__error(REN_E_DATA, "gate %s: the number for region %s is too small", sources[source],
                          ren_region_name(region));
    return REN_OK;
}

/* What can be known of the raw weights before there is a scan. Fixed weights at temperature 1 are the base's own bits.
 */
static void prepare_region(ren_gate *gate, int32_t region) {
    const double base = gate->base[region], temperature = gate->temperature;

    gate->factor[region] = base;
    gate->exponent[region] = 0.0;
    if (!(base > 0.0) || gate->mode == REN__GATE_PER_SCAN) return;
    if (gate->mode == REN__GATE_FIXED && temperature == 1.0) return;
    gate->factor[region] = 1.0;
    gate->exponent[region] = gate->mode == REN__GATE_LEARNED
                                 ? (log(base + learned_offset) + gate->logit[region]) / temperature
                                 : log(base) / temperature;
}

static ren_status set_numbers(ren_gate *gate, const ren__gate_parts *parts) {
    const char *source = sources[gate->source];
    double sum = 0.0;
    ren_status st = REN_OK;

    gate->temperature = parts->temperature == 0.0 ? 1.0 : parts->temperature;
    if (!(gate->temperature >= temperature_low && gate->temperature <= temperature_high))
        REN_FAIL(REN_E_INVALID, "gate %s: the temperature must be 0.001 to 1000", source);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        gate->value[region] = gate->source == UNIFORM ? 0.0 : parts->value[region];
        REN_TRY(base_weight(gate->source, region, parts->value[region], &gate->base[region]));
        sum += gate->base[region];
        if (gate->mode == REN__GATE_LEARNED) gate->logit[region] = parts->logit[region];
        if (!(fabs(gate->logit[region]) <= logit_most))
            REN_FAIL(REN_E_DATA, "gate %s: the logit of region %s is no number of sense", source,
                     ren_region_name(region));
        prepare_region(gate, region);
    }
    if (!(sum > 0.0)) REN_FAIL(REN_E_DATA, "gate %s: all weights are 0", source);
    if (!isfinite(sum)) REN_FAIL(REN_E_DATA, "gate %s: the weights are too large", source);
out:
    return st;
}

/* --------------------------------------------------------------------------------------------- columns, predictors */

static int compare_names(const void *items, size_t a, size_t b) {
    const char *const *name = items;

    return strcmp(name[a], name[b]);
}

/* No name twice: predictors find their columns by it. */
static ren_status check_distinct(ren_context *context, const ren_gate *gate) {
    const size_t count = (size_t)gate->column_count;
    char quoted[REN__QUOTE_SIZE];
    size_t *order = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(order, count);
    ren__sort_indices(order, count, compare_names, gate->column);
    for (size_t i = 1; i < count; i++)
        if (strcmp(gate->column[order[i - 1]], gate->column[order[i]]) == 0)
            REN_FAIL(REN_E_INVALID, "the gate has two columns \"%s\"",
                     ren__quote(gate->column[order[i]], quoted, sizeof quoted));
out:
    ren__free(order);
    return st;
}

static ren_status check_column(const ren_gate *gate, int32_t index, const char *name) {
    const size_t size = name ? strlen(name) : 0;
    char wanted[32];

    if (size == 0 || size > COLUMN_NAME_MAX || !ren__utf8_valid(name, size))
        return ren__error(REN_E_INVALID, "column %d of the gate has no name in UTF-8 of 1 to %d bytes", (int)index,
                          (int)COLUMN_NAME_MAX);
    if (gate->source != FEATURES) return REN_OK;
    snprintf(wanted, sizeof wanted, "feature.%d", (int)index);
    return strcmp(name, wanted) == 0 ? REN_OK
                                     : ren__error(REN_E_INVALID,
                                                  "column %d of the gate must be called %s, as deep "
                                                  "features are",
                                                  (int)index, wanted);
}

static ren_status set_columns(ren_gate *gate, const ren__columns *columns) {
    ren_context *context = gate->context;
    const int32_t count = columns->count;
    ren_status st = REN_OK;

    if (count == 0) return REN_OK;
    if (gate->source != RADIOMICS && gate->source != FEATURES)
        REN_FAIL(REN_E_INVALID, "a gate of source %s reads no columns", sources[gate->source]);
    if (count < 0 || count > COLUMNS_MAX || !columns->name)
        REN_FAIL(REN_E_INVALID, "a gate has at most %d columns", (int)COLUMNS_MAX);
    gate->column = ren__arena_alloc(gate->arena, (size_t)count * sizeof *gate->column);
    if (!gate->column) REN_TRY(ren__out_of_memory());
    for (int32_t i = 0; i < count; i++) {
        REN_TRY(check_column(gate, i, columns->name[i]));
        gate->column[i] = ren__arena_strdup(gate->arena, columns->name[i]);
        if (!gate->column[i]) REN_TRY(ren__out_of_memory());
    }
    gate->column_count = count;
    REN_TRY(check_distinct(context, gate));
out:
    return st;
}

/* Holds a predictor that reads nothing beyond the gate's columns. */
static ren_status hold(const ren_gate *gate, const ren__predictor *predictor, ren__predictor **to) {
    ren_context *context = gate->context;
    int32_t *list = NULL;
    ren_status st = REN_OK;

    if (!predictor) return REN_OK;
    const int32_t count = ren__predictor_reads(predictor, NULL);
    if (count > gate->column_count) REN_FAIL(REN_E_INVALID, "a predictor reads columns that the gate does not have");
    if (count > 0) {
        REN_CALLOC(list, (size_t)count);
        ren__predictor_reads(predictor, list);
        if (list[count - 1] >= gate->column_count)
            REN_FAIL(REN_E_INVALID, "a predictor reads columns that the gate does not have");
    }
    *to = ren__predictor_retain(predictor);
out:
    ren__free(list);
    return st;
}

static ren_status set_predictors(ren_gate *gate, const ren__gate_parts *parts) {
    const int evidence = gate->source == RADIOMICS || gate->source == FEATURES;
    int scores = 0;
    ren_status st = REN_OK;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!evidence && (parts->score[region] || parts->predictor[region]))
            REN_FAIL(REN_E_INVALID, "a gate of source %s has no predictors", sources[gate->source]);
        if (gate->mode != REN__GATE_PER_SCAN && parts->score[region])
            REN_FAIL(REN_E_INVALID, "a gate whose weights are the same for all scans has no scores");
        REN_TRY(hold(gate, parts->score[region], &gate->score[region]));
        REN_TRY(hold(gate, parts->predictor[region], &gate->predictor[region]));
        scores += gate->score[region] != NULL;
    }
    if (gate->mode == REN__GATE_PER_SCAN && scores == 0)
        REN_FAIL(REN_E_INVALID, "a gate with weights for each scan needs a score for a region at least");
out:
    return st;
}

/* The extractor, and its parameters as it has resolved them. */
static ren_status set_extractor(ren_gate *gate, const ren__gate_parts *parts) {
    ren_text *resolved = NULL;
    ren_status st = REN_OK;

    if (gate->source != RADIOMICS && parts->params)
        REN_FAIL(REN_E_INVALID, "a gate of source %s extracts no radiomics", sources[gate->source]);
    if (gate->source != RADIOMICS || gate->column_count == 0) return REN_OK;
    gate->params_mode = parts->params_mode;
    REN_TRY(ren_radiomics_create(gate->context, parts->params_mode, &gate->extractor));
    if (parts->params)
        REN_TRY(ren_radiomics_parse_params(gate->extractor, parts->params, strlen(parts->params), "json"));
    REN_TRY(ren_radiomics_describe(gate->extractor, &resolved));
    gate->params = ren__arena_strdup(gate->arena, ren_text_data(resolved));
    if (!gate->params) REN_TRY(ren__out_of_memory());
out:
    ren_text_free(resolved);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- creation */

static ren_status check_kind(const ren_gate *gate) {
    if (gate->normalisation != REN_GATE_SUM && gate->normalisation != REN_GATE_HIERARCHICAL)
        return ren__error(REN_E_INVALID, "no normalisation of gates has the number %d", (int)gate->normalisation);
    if (gate->mode < REN__GATE_FIXED || gate->mode > REN__GATE_PER_SCAN)
        return ren__error(REN_E_INVALID, "no mode of gates has the number %d", (int)gate->mode);
    if (gate->mode == REN__GATE_PER_SCAN && gate->source != RADIOMICS && gate->source != FEATURES)
        return ren__error(REN_E_INVALID, "a gate of source %s has nothing of a scan to weigh it by",
                          sources[gate->source]);
    return REN_OK;
}

static ren_status set_measure(ren_gate *gate, const char *measure) {
    if (!measure) return REN_OK;
    const size_t size = strlen(measure);
    if (size == 0 || size > MEASURE_MAX || !ren__utf8_valid(measure, size))
        return ren__error(REN_E_INVALID, "a gate's measure has a name in UTF-8 of 1 to %d bytes", (int)MEASURE_MAX);
    gate->measure = ren__arena_strdup(gate->arena, measure);
    return gate->measure ? REN_OK : ren__out_of_memory();
}

ren_status ren__gate_make(ren_context *context, const ren__gate_parts *parts, ren_gate **out) {
    ren_status st = REN_OK;
    ren_gate *gate = NULL;

    REN_CALLOC(gate, 1);
    atomic_init(&gate->references, 1);
    gate->context = ren__context_retain(context);
    gate->normalisation = parts->normalisation;
    gate->mode = parts->mode;
    REN_TRY(find_source(parts->source, &gate->source));
    REN_TRY(check_kind(gate));
    REN_TRY(ren__arena_create(context, &gate->arena));
    REN_TRY(set_numbers(gate, parts));
    REN_TRY(set_measure(gate, parts->measure));
    REN_TRY(set_columns(gate, &parts->columns));
    REN_TRY(set_predictors(gate, parts));
    REN_TRY(set_extractor(gate, parts));
    *out = gate;
    gate = NULL;
out:
    ren_gate_free(gate);
    return st;
}

ren_status ren_gate_create(ren_context *context, const ren_gate_options *options, ren_gate **out) {
    ren_gate_options set = { .struct_size = sizeof set, .source = "uniform", .temperature = 1.0 };
    ren__gate_parts parts = { .mode = REN__GATE_FIXED };

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && options != NULL);
    const ren_status st = ren__options_copy(&set, sizeof set, options, "ren_gate_options");
    if (st != REN_OK) return st;
    parts.source = set.source;
    parts.normalisation = set.normalisation;
    parts.temperature = set.temperature;
    memcpy(parts.value, set.weights, sizeof parts.value);
    memcpy(parts.logit, set.logits, sizeof parts.logit);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (set.logits[region] != 0.0) parts.mode = REN__GATE_LEARNED;
    return ren__gate_make(context, &parts, out);
}

ren_status ren__gate_check_region(const ren_gate *gate, int32_t region) {
    if (gate->source != GIVEN && !(gate->base[region] > 0.0))
        return ren__error(REN_E_DATA, "gate %s: the number for region %s, which has an expert, is missing or 0",
                          sources[gate->source], ren_region_name(region));
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------------ weights */

static int is_lung(int32_t region) {
    return region == REN_REGION_LEFT_LUNG || region == REN_REGION_RIGHT_LUNG;
}

/* The exponent of a region's raw weight for this scan. */
static ren_status exponent_of(const ren_gate *gate, int32_t region, const ren__evidence *evidence, double *exponent) {
    const ren__predictor *score = gate->score[region];
    const double *row = evidence ? evidence->row[region] : NULL;

    *exponent = gate->exponent[region];
    if (!score || !row) return REN_OK;
    *exponent += ren__predictor_logit(score, row) / gate->temperature;
    if (!isfinite(*exponent))
        return ren__error(REN_E_DATA, "the gate's score of region %s is no finite number: its %s is out of all bounds",
                          ren_region_name(region), gate->source == RADIOMICS ? "radiomics" : "expert's feature vector");
    return REN_OK;
}

/* Raw weights, divided by the largest exponential among those that are normalised together: nothing overflows. */
static ren_status raw_weights(const ren_gate *gate, const int32_t ran[REN_REGION_COUNT], const ren__evidence *evidence,
                              double weights[REN_REGION_COUNT]) {
    const int levels = gate->normalisation == REN_GATE_HIERARCHICAL;
    double exponent[REN_REGION_COUNT], peak[2] = { -HUGE_VAL, -HUGE_VAL };

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const int level = levels && is_lung(region);
        weights[region] = 0.0;
        if (!ran[region] || !(gate->factor[region] > 0.0)) continue;
        const ren_status st = exponent_of(gate, region, evidence, &exponent[region]);
        if (st != REN_OK) return st;
        peak[level] = fmax(peak[level], exponent[region]);
        weights[region] = gate->factor[region];
    }
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (weights[region] > 0.0) weights[region] *= exp(exponent[region] - peak[levels && is_lung(region)]);
    return REN_OK;
}

ren_status ren__gate_weights(const ren_gate *gate, const int32_t ran[REN_REGION_COUNT], const ren__evidence *evidence,
                             double weights[REN_REGION_COUNT]) {
    double sum[2] = { 0.0, 0.0 }; /* of lobes and of lungs */

    const ren_status st = raw_weights(gate, ran, evidence, weights);
    if (st != REN_OK) return st;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        sum[is_lung(region)] += weights[region];
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

/* ------------------------------------------------------------------------------------------------------ getters */

void ren__gate_base(const ren_gate *gate, double base[REN_REGION_COUNT]) {
    memcpy(base, gate->base, sizeof gate->base);
}

const char *ren__gate_source(const ren_gate *gate) {
    return sources[gate->source];
}

int32_t ren__gate_reads(const ren_gate *gate) {
    if (gate->mode != REN__GATE_PER_SCAN) return REN__READS_NOTHING;
    return gate->source == RADIOMICS ? REN__READS_RADIOMICS : REN__READS_FEATURES;
}

const ren__predictor *ren__gate_predictor(const ren_gate *gate, int32_t region) {
    if (region < 0 || region >= REN_REGION_COUNT) return NULL;
    return gate->mode == REN__GATE_PER_SCAN ? gate->score[region] : gate->predictor[region];
}

int32_t ren__gate_explains(const ren_gate *gate) {
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (ren__gate_predictor(gate, region))
            return gate->source == RADIOMICS ? REN__READS_RADIOMICS : REN__READS_FEATURES;
    return REN__READS_NOTHING;
}

ren__columns ren__gate_columns(const ren_gate *gate) {
    return (ren__columns){ gate->column, gate->column_count };
}

/* ----------------------------------------------------------------------------------------------------- evidence */

/* The table's column of that name; most often the one after the last that was found. */
static int32_t find_column(const ren_features *features, const char *name, int32_t after) {
    const char *next = ren_features_name(features, after + 1);

    return next && strcmp(next, name) == 0 ? after + 1 : ren_features_find(features, name);
}

void ren__gate_row(const ren_gate *gate, const ren_features *features, int32_t row, double *values) {
    int32_t found = -1;

    for (int32_t i = 0; i < gate->column_count; i++) {
        const int32_t column = find_column(features, gate->column[i], found);
        values[i] = column < 0 ? (double)NAN : ren_features_value(features, row, column);
        if (column >= 0) found = column;
    }
}

ren_status ren__feature_columns(ren_context *context, int32_t count, ren__columns *columns) {
    enum { SIZE = 24 }; /* "feature." and a number */
    size_t bytes;

    *columns = (ren__columns){ NULL, 0 };
    if (count < 0 || !ren__mul_size((size_t)count, sizeof(char *) + SIZE, &bytes))
        return ren__error(REN_E_INVALID, "no network gives %d features", (int)count);
    const char **name = ren__alloc(context, bytes);
    if (!name) return ren__out_of_memory();
    char *text = (char *)(name + count);
    for (int32_t i = 0; i < count; i++, text += SIZE) {
        snprintf(text, SIZE, "feature.%d", (int)i);
        name[i] = text;
    }
    *columns = (ren__columns){ name, count };
    return REN_OK;
}

ren__columns ren__region_columns(void) {
    static const char *const names[REN_REGION_COUNT] = { "LUL", "LLL", "RUL", "RML", "RLL", "left_lung", "right_lung" };

    return (ren__columns){ names, REN_REGION_COUNT };
}
