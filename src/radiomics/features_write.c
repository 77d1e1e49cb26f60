/* SPDX-License-Identifier: Apache-2.0 */
/* The feature table as CSV and as JSON. */
#include <math.h>
#include <string.h>

#include "format/csv.h"
#include "format/document_write.h"
#include "format/names.h"
#include "radiomics/features.h"
#include "radiomics/python_text.h"

/* ---------------------------------------------------------------------------------------------------------- CSV */

/* The rows need not have the same diagnostics: columns are those of the row that has most, and what others have more.
 */
typedef struct names {
    const char **list;
    size_t count;
} names;

static int has_name(const names *known, const char *name) {
    for (size_t i = 0; i < known->count; i++)
        if (strcmp(known->list[i], name) == 0) return 1;
    return 0;
}

static int32_t fullest_row(const ren_features *features) {
    int32_t best = 0;

    for (int32_t row = 1; row < features->row_count; row++)
        if (features->rows[row].diagnostic_count > features->rows[best].diagnostic_count) best = row;
    return best;
}

static ren_status collect_names(const ren_features *features, names *known) {
    ren_context *context = features->context;
    ren_status st = REN_OK;
    size_t most = 0;

    *known = (names){ NULL, 0 };
    for (int32_t row = 0; row < features->row_count; row++)
        most += (size_t)features->rows[row].diagnostic_count;
    REN_CALLOC(known->list, most);
    const int32_t first = fullest_row(features);
    for (int32_t i = -1; i < features->row_count; i++) {
        const ren__feature_row *row = &features->rows[i < 0 ? first : i];
        for (int32_t k = 0; k < row->diagnostic_count; k++)
            if (!has_name(known, row->diagnostics[k].name)) known->list[known->count++] = row->diagnostics[k].name;
    }
out:
    return st;
}

static const char *diagnostic_text(const ren__feature_row *row, const char *name) {
    for (int32_t i = 0; i < row->diagnostic_count; i++)
        if (strcmp(row->diagnostics[i].name, name) == 0) return row->diagnostics[i].text;
    return "";
}

static void add_header(ren_text *text, const ren_features *features, const names *diagnostics) {
    const size_t total = diagnostics->count + (size_t)features->column_count;

    ren__csv_add(text, "Image", 0);
    ren__csv_add(text, "Mask", 0);
    ren__csv_add(text, "Region", total == 0);
    for (size_t i = 0; i < diagnostics->count; i++)
        ren__csv_add(text, diagnostics->list[i], i + 1 == total);
    for (int32_t i = 0; i < features->column_count; i++)
        ren__csv_add(text, features->columns[i].name, i + 1 == features->column_count);
}

static void add_row(ren_text *text, const ren_features *features, const names *diagnostics, int32_t row,
                    const char *image, const char *mask) {
    const size_t total = diagnostics->count + (size_t)features->column_count;

    ren__csv_add(text, image, 0);
    ren__csv_add(text, mask, 0);
    ren__csv_add(text, features->rows[row].name, total == 0);
    for (size_t i = 0; i < diagnostics->count; i++)
        ren__csv_add(text, diagnostic_text(&features->rows[row], diagnostics->list[i]), i + 1 == total);
    for (int32_t i = 0; i < features->column_count; i++) {
        ren__python_number(text, ren_features_value(features, row, i));
        ren__text_add(text, i + 1 == features->column_count ? "\n" : ",");
    }
}

ren_status ren_features_csv(const ren_features *features, const char *image, const char *mask, ren_text **csv) {
    REN_REQUIRE(csv != NULL);
    *csv = NULL;
    REN_REQUIRE(features != NULL);
    ren_status st = REN_OK;
    ren_text *text = NULL;
    names diagnostics = { NULL, 0 };

    REN_TRY(ren__text_create(features->context, &text));
    REN_TRY(collect_names(features, &diagnostics));
    add_header(text, features, &diagnostics);
    for (int32_t row = 0; row < features->row_count; row++)
        add_row(text, features, &diagnostics, row, image ? image : "", mask ? mask : "");
    REN_TRY(text->status);
    *csv = text;
    text = NULL;
out:
    ren__free(diagnostics.list);
    ren_text_free(text);
    return st;
}

/* --------------------------------------------------------------------------------------------------------- JSON */

static void add_string(ren_text *text, const char *string) {
    ren__write_string(text, string, strlen(string), 0);
}

/* Values may be paths, which need not be UTF-8; JSON must be. */
static void add_pair(ren_text *text, const char *key, const char *value) {
    char quoted[4096];

    ren__text_add(text, "  ");
    add_string(text, key);
    ren__text_add(text, ": ");
    add_string(text, ren__utf8_valid(value, strlen(value)) ? value : ren__quote(value, quoted, sizeof quoted));
    ren__text_add(text, ",\n");
}

/* JSON has no NaN and no infinities: null. */
static void add_number(ren_text *text, double value) {
    if (isfinite(value))
        ren__python_number(text, value);
    else
        ren__text_add(text, "null");
}

static void add_meta(ren_text *text, const ren_features *features) {
    ren__text_add(text, "  \"meta\": {");
    for (int32_t i = 0; i < features->column_count; i++) {
        ren__text_add(text, i ? ",\n    " : "\n    ");
        add_string(text, features->columns[i].name);
        ren__text_add(text, ": {\"unit\": ");
        add_string(text, ren_features_unit(features, i));
        ren__text_add(text, ", \"ibsi\": ");
        add_string(text, ren_features_ibsi(features, i));
        ren__text_add(text, "}");
    }
    ren__text_add(text, features->column_count ? "\n  }\n" : "}\n");
}

static void add_object(ren_text *text, const ren_features *features, int32_t row, const char *image, const char *mask) {
    const ren__feature_row *of = &features->rows[row];

    ren__text_add(text, "{\n");
    add_pair(text, "Image", image);
    add_pair(text, "Mask", mask);
    add_pair(text, "Region", of->name);
    if (of->error) add_pair(text, "error", of->error);
    for (int32_t i = 0; i < of->diagnostic_count; i++)
        add_pair(text, of->diagnostics[i].name, of->diagnostics[i].text);
    for (int32_t i = 0; i < features->column_count; i++) {
        ren__text_add(text, "  ");
        add_string(text, features->columns[i].name);
        ren__text_add(text, ": ");
        add_number(text, ren_features_value(features, row, i));
        ren__text_add(text, ",\n");
    }
    add_meta(text, features);
    ren__text_add(text, "}");
}

ren_status ren_features_json(const ren_features *features, const char *image, const char *mask, ren_text **json) {
    REN_REQUIRE(json != NULL);
    *json = NULL;
    REN_REQUIRE(features != NULL);
    ren_status st = REN_OK;
    ren_text *text = NULL;

    REN_TRY(ren__text_create(features->context, &text));
    if (features->row_count != 1) ren__text_add(text, "[");
    for (int32_t row = 0; row < features->row_count; row++) {
        if (row) ren__text_add(text, ",\n");
        add_object(text, features, row, image ? image : "", mask ? mask : "");
    }
    if (features->row_count != 1) ren__text_add(text, "]");
    REN_TRY(text->status);
    *json = text;
    text = NULL;
out:
    ren_text_free(text);
    return st;
}
