/* SPDX-License-Identifier: Apache-2.0 */
/* The report's small print: model card, training record, input geometry, versions. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "kernels/kernels.h"
#include "moe/report_parts.h"

enum { RECORD_DEPTH = 6, RECORD_LINES = 300 }; /* of a training record, which comes from a file */

static void open_row(ren_text *page, const char *title) {
    ren__text_add(page, "<dt>");
    ren__text_add_html(page, title);
    ren__text_add(page, "</dt><dd>");
}

static void add_row(ren_text *page, const char *title, const char *value) {
    open_row(page, title);
    ren__text_add_html(page, value ? value : "–");
    ren__text_add(page, "</dd>\n");
}

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const char *string_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* -------------------------------------------------------------------------------------------------------- model */

static void add_list(ren_text *page, const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (i > 0) ren__text_add(page, ", ");
        ren__text_add_html(page, name ? name : "");
    }
}

static void add_preset(ren_text *page, const json_t *preset) {
    const json_t *window = json_object_get(preset, "window"), *size = json_object_get(preset, "size");
    const char *kind = string_of(preset, "kind");

    open_row(page, "Preprocessing");
    ren__text_add_html(page, kind ? kind : "");
    ren__text_add(page, ": window ");
    ren__add_fixed(page, json_number_value(json_array_get(window, 0)), 0);
    ren__text_add(page, " to ");
    ren__add_fixed(page, json_number_value(json_array_get(window, 1)), 0);
    ren__text_add(page, " HU, ");
    ren__text_add_number(page, number_of(preset, "spacing"), 6);
    ren__text_add(page, " mm, network's grid ");
    for (size_t i = 0; i < json_array_size(size); i++)
        ren__text_addf(page, i ? " × %lld" : "%lld", (long long)json_integer_value(json_array_get(size, i)));
    ren__text_add(page, "</dd>\n");
}

/* A name of the model file in words: "validation auc". */
static void add_words(ren_text *page, const char *name) {
    for (; name && *name; name++)
        ren__text_add_bytes(page, *name == '_' ? " " : name, 1);
}

static void add_kind(ren_text *page, const json_t *predictors, const char *what) {
    const char *region;
    json_t *one;

    json_object_foreach((json_t *)predictors, region, one) {
        ren__text_addf(page, "; %s by ", what);
        ren__text_add_html(page, string_of(one, "kind"));
        return; /* one gate's are all of a kind */
    }
}

static void add_gate(ren_text *page, const json_t *card) {
    const json_t *gate = json_object_get(card, "gate"), *stacking = json_object_get(card, "stacking");
    const char *normalisation = string_of(gate, "normalisation");
    const double temperature = number_of(gate, "temperature");

    open_row(page, "Gate");
    if (stacking) {
        ren__text_add(page, "none: a predictor joins the experts' probabilities, by ");
        ren__text_add_html(page, string_of(stacking, "kind"));
        ren__text_add(page, "</dd>\n");
        return;
    }
    add_words(page, string_of(gate, "source"));
    if (string_of(gate, "mode")) ren__text_add(page, ", ");
    add_words(page, string_of(gate, "mode"));
    if (isfinite(temperature) && temperature != 1.0) {
        ren__text_add(page, ", temperature ");
        ren__text_add_number(page, temperature, 4);
    }
    add_kind(page, json_object_get(gate, "scores"), "scores");
    add_kind(page, json_object_get(gate, "predictors"), "regional predictors");
    ren__text_add(page, normalisation && strcmp(normalisation, "hierarchical") == 0
                            ? "; lobes and lungs normalised separately"
                            : "; all weights sum to 1");
    ren__text_add(page, "</dd>\n");
}

static void add_cost(ren_text *page, const json_t *card) {
    open_row(page, "Parameters");
    ren__add_fixed(page, number_of(card, "parameters") / 1e6, 2);
    ren__text_add(page, " million</dd>\n");
    open_row(page, "Computation");
    ren__add_fixed(page, number_of(card, "flop") / 1e9, 2);
    ren__text_add(page, " GFLOP for whole volumes, ");
    ren__add_fixed(page, number_of(card, "session_bytes") / 1e6, 1);
    ren__text_add(page, " MB of working memory</dd>\n");
}

static void add_value(ren_text *page, const json_t *value, int depth, int *lines);

static void add_object(ren_text *page, const json_t *object, int depth, int *lines) {
    const char *key;
    json_t *value;

    ren__text_add(page, "<dl class=\"record\">\n");
    json_object_foreach((json_t *)object, key, value) {
        if (++*lines > RECORD_LINES) break;
        open_row(page, key);
        add_value(page, value, depth + 1, lines);
        ren__text_add(page, "</dd>\n");
    }
    ren__text_add(page, "</dl>\n");
}

static void add_array(ren_text *page, const json_t *list, int depth, int *lines) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (++*lines > RECORD_LINES) break;
        if (i > 0) ren__text_add(page, ", ");
        add_value(page, json_array_get(list, i), depth + 1, lines);
    }
}

static void add_value(ren_text *page, const json_t *value, int depth, int *lines) {
    if (depth > RECORD_DEPTH)
        ren__text_add(page, "…");
    else if (json_is_object(value))
        add_object(page, value, depth, lines);
    else if (json_is_array(value))
        add_array(page, value, depth, lines);
    else if (json_is_string(value))
        ren__text_add_html(page, json_string_value(value));
    else if (json_is_integer(value))
        ren__text_addf(page, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        ren__text_add_number(page, json_real_value(value), 6);
    else
        ren__text_add(page, json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "–");
}

/* The mixture's record, and those of experts that have one. */
static void add_records(ren_text *page, const json_t *card) {
    const json_t *record = json_object_get(card, "training_record"), *experts = json_object_get(card, "experts");
    int lines = 0;

    ren__text_add(page, "<h3>Training record</h3>\n");
    if (record)
        add_object(page, record, 1, &lines);
    else
        ren__text_add(page, "<p class=\"none\">The model file has none for the mixture.</p>\n");
    for (size_t i = 0; i < json_array_size(experts); i++) {
        const json_t *expert = json_array_get(experts, i);
        const json_t *own = json_object_get(expert, "training_record");
        if (!own) continue;
        ren__text_add(page, "<details><summary>Expert ");
        ren__text_add_html(page, string_of(expert, "region"));
        ren__text_add(page, "</summary>\n");
        add_object(page, own, 1, &lines);
        ren__text_add(page, "</details>\n");
    }
    if (lines > RECORD_LINES) ren__text_add(page, "<p class=\"none\">The record is longer than what is shown.</p>\n");
}

void ren__add_model(ren_text *page, const ren_result *result) {
    const json_t *card = result->card;

    ren__text_add(page, "<dl>\n");
    add_row(page, "Name", string_of(card, "name"));
    add_row(page, "Architecture", string_of(card, "architecture"));
    open_row(page, "Regions");
    add_list(page, json_object_get(card, "regions"));
    ren__text_add(page, "</dd>\n");
    add_gate(page, card);
    open_row(page, "Threshold");
    ren__add_fixed(page, result->threshold, 4);
    ren__text_add(page, "</dd>\n");
    add_preset(page, json_object_get(card, "preset"));
    add_cost(page, card);
    ren__text_add(page, "</dl>\n");
    add_records(page, card);
}

/* -------------------------------------------------------------------------------------------------------- input */

static const char *type_name(int32_t type) {
    static const char *const names[] = { "",      "uint8",  "int8",  "uint16",  "int16",  "uint32",
                                         "int32", "uint64", "int64", "float32", "float64" };

    return type >= REN_TYPE_U8 && type <= REN_TYPE_F64 ? names[type] : "";
}

static void add_volume(ren_text *page, const char *title, const ren_volume *volume) {
    int64_t shape[3];
    double spacing[3];
    char axes[4];

    ren_volume_shape(volume, shape);
    ren_volume_spacing(volume, spacing);
    ren_volume_orientation(volume, axes);
    open_row(page, title);
    ren__text_addf(page, "%lld × %lld × %lld voxels of ", (long long)shape[0], (long long)shape[1],
                   (long long)shape[2]);
    for (int i = 0; i < 3; i++) {
        if (i > 0) ren__text_add(page, " × ");
        ren__add_fixed(page, spacing[i], 3);
    }
    ren__text_addf(page, " mm, %s, stored %s</dd>\n", type_name(ren_volume_type(volume)), axes);
}

void ren__add_input(ren_text *page, const ren_result *result, const ren_volume *ct, const ren_volume *lobes) {
    ren__text_add(page, "<dl>\n");
    add_volume(page, "CT", ct);
    add_volume(page, "Lobe map", lobes);
    open_row(page, "Software");
    ren__text_addf(page, "libren %s, oneDNN %s</dd>\n", ren_version(), ren__onednn_version());
    open_row(page, "Computed with");
    ren__text_addf(page, "%d thread%s, instruction set %s</dd>\n", result->threads, result->threads == 1 ? "" : "s",
                   result->isa);
    ren__text_add(page, "</dl>\n");
}
