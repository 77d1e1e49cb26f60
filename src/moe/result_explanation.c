/* SPDX-License-Identifier: Apache-2.0 */
/* What a result tells of its explanation. */
#include <math.h>

#include "moe/result.h"

static const char *const explained[] = { NULL, "score", "predictor", "stack" };

/* Contributions in JSON and for hosts: of the region at a place in the result. */
static const ren__region_explanation *at(const ren_result *result, int32_t index) {
    if (!result || !result->explanation || index < 0 || index >= result->region_count) return NULL;
    const int32_t region = result->region[index].region;
    if (region >= REN_REGION_COUNT || !result->explanation->region[region].known) return NULL;
    return &result->explanation->region[region];
}

static const ren__contribution *item_at(const ren_result *result, int32_t index, int32_t rank) {
    const ren__region_explanation *region = at(result, index);

    return region && rank >= 0 && rank < region->count ? &region->item[rank] : NULL;
}

double ren_result_without(const ren_result *result, int32_t region) {
    if (!result || !result->explanation || region < 0 || region >= REN_REGION_COUNT) return (double)NAN;
    return result->explanation->without[region];
}

const char *ren_result_explains(const ren_result *result) {
    return result && result->explanation ? explained[result->explanation->of] : NULL;
}

int32_t ren_result_contribution_count(const ren_result *result, int32_t index) {
    const ren__region_explanation *region = at(result, index);

    return region ? region->count : 0;
}

const char *ren_result_contribution_name(const ren_result *result, int32_t index, int32_t rank) {
    const ren__contribution *item = item_at(result, index, rank);

    return item ? item->name : NULL;
}

double ren_result_contribution_value(const ren_result *result, int32_t index, int32_t rank) {
    const ren__contribution *item = item_at(result, index, rank);

    return item ? item->value : (double)NAN;
}

double ren_result_contribution(const ren_result *result, int32_t index, int32_t rank) {
    const ren__contribution *item = item_at(result, index, rank);

    return item ? item->amount : (double)NAN;
}

double ren_result_contribution_base(const ren_result *result, int32_t index) {
    const ren__region_explanation *region = at(result, index);

    return region ? region->base : (double)NAN;
}

/* --------------------------------------------------------------------------------------------------------- JSON */

/* Appends an item, which it takes; 0: no memory. */
static int append(json_t *list, json_t *item) {
    return json_array_append_new(list, item) == 0;
}

static json_t *occlusion_json(const ren_result *result) {
    const double whole = ren_result_probability(result, 1);
    json_t *list = json_array();

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const double without = ren_result_without(result, region);
        if (append(list, json_pack("{s:s, s:o, s:o}", "name", ren_region_name(region), "probability_without",
                                   ren__result_number(without), "change", ren__result_number(without - whole))))
            continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *items_json(const ren__region_explanation *region) {
    json_t *list = json_array();

    for (int32_t i = 0; i < region->count; i++) {
        const ren__contribution *item = &region->item[i];
        if (append(list, json_pack("{s:s, s:o, s:o}", "name", item->name, "value", ren__result_number(item->value),
                                   "contribution", ren__result_number(item->amount))))
            continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *contributions_json(const ren_result *result) {
    json_t *list = json_array();

    for (int32_t i = 0; i < result->region_count; i++) {
        const ren__region_explanation *region = at(result, i);
        if (!region) continue;
        if (append(list, json_pack("{s:s, s:o, s:o, s:o}", "name", ren_result_region_name(result, i), "base",
                                   ren__result_number(region->base), "sum", ren__result_number(region->sum),
                                   "contributions", items_json(region))))
            continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

json_t *ren__explanation_json(const ren_result *result) {
    return json_pack("{s:s?, s:o, s:o}", "explains", ren_result_explains(result), "contributions",
                     contributions_json(result), "occlusion", occlusion_json(result));
}
