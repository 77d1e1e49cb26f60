/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of predictions. */
#include "train/predictions.h"

#include <string.h>

#include "format/csv.h"
#include "format/document_write.h"

ren_status ren__predictions_add(ren__predictions *predictions, const ren__prediction *item) {
    if (predictions->count == predictions->capacity) {
        const int32_t capacity = predictions->capacity > 0 ? 2 * predictions->capacity : 64;
        size_t bytes;
        if (capacity <= 0 || !ren__mul_size((size_t)capacity, sizeof *item, &bytes))
            return ren__error(REN_E_LIMIT, "too many predictions for one table");
        ren__prediction *larger = ren__realloc(predictions->context, predictions->item, bytes);
        if (!larger) return ren__out_of_memory();
        predictions->item = larger;
        predictions->capacity = capacity;
    }
    predictions->item[predictions->count++] = *item;
    return REN_OK;
}

ren_status ren__predictions_append(ren__predictions *predictions, const ren__predictions *more) {
    ren_status st = REN_OK;

    for (int32_t i = 0; i < more->count && st == REN_OK; i++)
        st = ren__predictions_add(predictions, &more->item[i]);
    return st;
}

void ren__predictions_free(ren__predictions *predictions) {
    ren__free(predictions->item);
    predictions->item = NULL;
    predictions->count = predictions->capacity = 0;
}

/* ------------------------------------------------------------------------------------------------------ writing */

static void add_row(ren_text *text, const ren__prediction *item, const ren__cohort *cohort) {
    const ren__dataset_item *scan = &cohort->item[item->scan];
    int first = 1;

    ren__csv_add(text, scan->patient, 0);
    ren__csv_add(text, scan->scan, 0);
    ren__text_addf(text, "%d,%d,%s,", scan->label, item->fold, ren__set_name(item->set));
    ren__write_real(text, item->probability);
    ren__text_add(text, ",");
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!(item->weight[region] > 0.0)) continue;
        ren__text_addf(text, "%s%s=", first ? "" : " ", ren_region_name(region));
        ren__write_real(text, item->weight[region]);
        first = 0;
    }
    ren__text_add(text, "\n");
}

ren_status ren__predictions_write(const ren__predictions *predictions, const ren__cohort *cohort, const char *path) {
    ren_text *text = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__text_create(predictions->context, &text));
    ren__text_add(text, "patient,scan,label,fold,set,probability,weights\n");
    for (int32_t i = 0; i < predictions->count; i++)
        add_row(text, &predictions->item[i], cohort);
    REN_TRY(text->status);
    st = ren__file_write(path, ren_text_data(text), ren_text_size(text));
out:
    ren_text_free(text);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ reading */

typedef struct columns {
    int32_t patient, scan, fold, set, probability, weights;
} columns;

static int find_columns(const ren__csv *table, columns *out) {
    out->patient = ren__csv_column(table, "patient");
    out->scan = ren__csv_column(table, "scan");
    out->fold = ren__csv_column(table, "fold");
    out->set = ren__csv_column(table, "set");
    out->probability = ren__csv_column(table, "probability");
    out->weights = ren__csv_column(table, "weights");
    return out->patient >= 0 && out->scan >= 0 && out->fold >= 0 && out->set >= 0 && out->probability >= 0 &&
           out->weights >= 0;
}

/* "LUL=0.25 LLL=0.75" */
static int parse_weights(const char *text, double weight[REN_REGION_COUNT]) {
    while (*text) {
        const size_t length = strcspn(text, " ");
        const char *equals = memchr(text, '=', length);
        char number[40];
        int32_t region = 0;
        if (!equals || length - (size_t)(equals + 1 - text) >= sizeof number) return 0;
        while (region < REN_REGION_COUNT && (strncmp(ren_region_name(region), text, (size_t)(equals - text)) != 0 ||
                                             ren_region_name(region)[equals - text] != '\0'))
            region++;
        memcpy(number, equals + 1, length - (size_t)(equals + 1 - text));
        number[length - (size_t)(equals + 1 - text)] = '\0';
        if (region == REN_REGION_COUNT || !ren__parse_number(number, &weight[region])) return 0;
        text += length + (text[length] == ' ');
    }
    return 1;
}

static int parse_row(const ren__csv *table, size_t row, const columns *column, ren__prediction *item) {
    const char *set = ren__csv_get(table, row, column->set);
    int32_t number = 0;
    double fold;

    while (number < REN__SET_COUNT && strcmp(set, ren__set_name((enum ren__set)number)) != 0)
        number++;
    if (number == REN__SET_COUNT) return 0;
    item->set = (enum ren__set)number;
    if (!ren__parse_number(ren__csv_get(table, row, column->fold), &fold) || !(fold >= 0.0 && fold < REN__FOLDS_MAX))
        return 0;
    item->fold = (int32_t)fold;
    return ren__parse_number(ren__csv_get(table, row, column->probability), &item->probability) &&
           item->probability >= 0.0 && item->probability <= 1.0 &&
           parse_weights(ren__csv_get(table, row, column->weights), item->weight);
}

ren_status ren__predictions_read(ren__predictions *predictions, const ren__cohort *cohort, const char *path) {
    ren__csv *table = NULL;
    columns column;
    int32_t scan = 0;
    ren_status st = REN_OK;

    REN_TRY(ren__csv_read(predictions->context, path, &table));
    if (!find_columns(table, &column)) REN_FAIL(REN_E_FORMAT, "%s: is not a table of predictions", path);
    for (size_t row = 0; row < ren__csv_rows(table); row++, scan++) {
        ren__prediction item = { .scan = 0 };
        const char *patient = ren__csv_get(table, row, column.patient), *name = ren__csv_get(table, row, column.scan);
        while (scan < cohort->count &&
               (strcmp(cohort->item[scan].scan, name) != 0 || strcmp(cohort->item[scan].patient, patient) != 0))
            scan++;
        if (scan == cohort->count || !parse_row(table, row, &column, &item))
            REN_FAIL(REN_E_FORMAT, "%s: row %zu is not a prediction for this cohort", path, row + 2);
        item.scan = scan;
        REN_TRY(ren__predictions_add(predictions, &item));
    }
out:
    ren__csv_free(table);
    return st;
}
