/* SPDX-License-Identifier: Apache-2.0 */
/* The outcome of one prediction. */
#include <math.h>
#include <string.h>

#include "format/document.h"
#include "moe/model_file.h"
#include "moe/result.h"

const char ren__notice[] = "research use only, not verified";

static const char *const stage_names[REN__STAGE_COUNT] = { "preprocess", "radiomics",   "experts",
                                                           "gate",       "explanation", "total" };

void ren_result_free(ren_result *result) {
    if (!result || atomic_fetch_sub_explicit(&result->references, 1, memory_order_acq_rel) != 1) return;
    ren_context *context = result->context;
    json_decref(result->card);
    ren_text_free(result->warnings);
    ren__explanation_free(result->explanation);
    ren__free(result);
    ren__context_release(context);
}

ren_status ren__result_warn(ren_result *result, const char *format, ...) {
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    ren__format(line, sizeof line, format, arguments);
    va_end(arguments);
    ren__text_add_bytes(result->warnings, line, strlen(line) + 1);
    if (result->warnings->status == REN_OK) result->warning_count++;
    return result->warnings->status;
}

ren_status ren__result_create(const ren_mixture *mixture, const ren_scan *scan, ren_result **out) {
    ren_context *context = mixture->context;
    ren_status st = REN_OK;
    ren_result *result = NULL;
    ren_expert *experts[REN_REGION_COUNT];
    const size_t count = ren__mixture_experts(mixture, experts);

    REN_CALLOC(result, 1);
    atomic_init(&result->references, 1);
    result->context = ren__context_retain(context);
    /* A copy: jansson looks at a reference count before it adds to it atomically, which races with another thread. */
    result->card = json_deep_copy(mixture->card);
    if (!result->card) REN_FAIL(REN_E_MEMORY, "out of memory for the model's card");
    result->classes = experts[0]->classes;
    result->threshold = mixture->threshold;
    result->threads = context->threads;
    result->isa = ren_context_isa(context);
    result->region_count = (int32_t)count;
    for (size_t i = 0; i < count; i++)
        result->region[i] = (ren__region_result){ .region = experts[i]->region, .probability = (double)NAN };
    REN_TRY(ren__text_create(context, &result->warnings));
    for (int32_t i = 0; i < ren_scan_warning_count(scan); i++)
        REN_TRY(ren__result_warn(result, "%s", ren_scan_warning(scan, i)));
    *out = result;
    result = NULL;
out:
    ren_result_free(result);
    return st;
}

void ren__result_decide(ren_result *result) {
    int32_t best = 0;

    if (result->classes == 2) {
        result->label = result->probability[1] >= result->threshold;
        return;
    }
    for (int32_t c = 1; c < result->classes; c++)
        if (result->probability[c] > result->probability[best]) best = c;
    result->label = best;
}

/* ------------------------------------------------------------------------------------------------------ getters */

static const ren__region_result *region_at(const ren_result *result, int32_t index) {
    return result && index >= 0 && index < result->region_count ? &result->region[index] : NULL;
}

double ren_result_probability(const ren_result *result, int32_t label) {
    return result && label >= 0 && label < result->classes ? result->probability[label] : (double)NAN;
}

int32_t ren_result_label(const ren_result *result) {
    return result ? result->label : -1;
}

int32_t ren_result_region_count(const ren_result *result) {
    return result ? result->region_count : 0;
}

const char *ren_result_region_name(const ren_result *result, int32_t index) {
    const ren__region_result *region = region_at(result, index);

    return region ? ren_region_name(region->region) : NULL;
}

int32_t ren_result_region_ran(const ren_result *result, int32_t index) {
    const ren__region_result *region = region_at(result, index);

    return region ? region->ran : 0;
}

double ren_result_region_probability(const ren_result *result, int32_t index) {
    const ren__region_result *region = region_at(result, index);

    return region ? region->probability : (double)NAN;
}

double ren_result_region_weight(const ren_result *result, int32_t index) {
    const ren__region_result *region = region_at(result, index);

    return region ? region->weight : (double)NAN;
}

const char *ren_result_region_skipped(const ren_result *result, int32_t index) {
    const ren__region_result *region = region_at(result, index);

    if (!region || region->skipped == REN__RAN) return NULL;
    return region->skipped == REN__SKIPPED_EMPTY ? "empty" : "weight";
}

int32_t ren_result_warning_count(const ren_result *result) {
    return result ? result->warning_count : 0;
}

const char *ren_result_warning(const ren_result *result, int32_t index) {
    if (!result || index < 0 || index >= result->warning_count) return NULL;
    const char *line = ren_text_data(result->warnings);
    for (; index > 0; index--)
        line += strlen(line) + 1;
    return line;
}

double ren_result_seconds(const ren_result *result, const char *stage) {
    for (int i = 0; result && stage && i < REN__STAGE_COUNT; i++)
        if (strcmp(stage, stage_names[i]) == 0) return result->seconds[i];
    return (double)NAN;
}

/* --------------------------------------------------------------------------------------------------------- JSON */

json_t *ren__result_number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *regions_json(const ren_result *result) {
    json_t *list = json_array();

    for (int32_t i = 0; i < result->region_count; i++) {
        const ren__region_result *region = &result->region[i];
        json_t *object = json_pack("{s:s, s:b, s:o, s:o, s:s?}", "name", ren_region_name(region->region), "ran",
                                   (int)region->ran, "probability", ren__result_number(region->probability), "weight",
                                   ren__result_number(region->weight), "skipped", ren_result_region_skipped(result, i));
        if (json_array_append_new(list, object) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *warnings_json(const ren_result *result) {
    json_t *list = json_array();

    for (int32_t i = 0; i < result->warning_count; i++) {
        if (json_array_append_new(list, json_string(ren_result_warning(result, i))) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *seconds_json(const ren_result *result, double read_seconds) {
    json_t *object = json_pack("{s:o}", "read", ren__result_number(read_seconds));

    for (int i = 0; i < REN__STAGE_COUNT; i++) {
        if (json_object_set_new(object, stage_names[i], ren__result_number(result->seconds[i])) == 0) continue;
        json_decref(object);
        return NULL;
    }
    return object;
}

ren_status ren_result_json(const ren_result *result, double read_seconds, ren_text **json) {
    REN_REQUIRE(json != NULL);
    *json = NULL;
    REN_REQUIRE(result != NULL);
    const json_t *preset = json_object_get(result->card, "preset");
    json_t *tree =
        json_pack("{s:o, s:i, s:f, s:o, s:o, s:O, s:s, s:O, s:O, s:s, s:i, s:o, s:s}", "probability",
                  ren__result_number(ren_result_probability(result, 1)), "label", (int)result->label, "threshold",
                  result->threshold, "regions", regions_json(result), "warnings", warnings_json(result), "model",
                  json_object_get(result->card, "name"), "library", ren_version(), "preset",
                  json_object_get(preset, "kind"), "preset_settings", preset, "isa", result->isa, "threads",
                  (int)result->threads, "seconds", seconds_json(result, read_seconds), "notice", ren__notice);
    if (tree && result->explanation && json_object_set_new(tree, "explanation", ren__explanation_json(result)) != 0) {
        json_decref(tree);
        tree = NULL;
    }
    if (!tree) return ren__json_memory();
    const ren_status st = ren__json_write(result->context, tree, 2, json);
    json_decref(tree);
    return st;
}
