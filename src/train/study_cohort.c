/* SPDX-License-Identifier: Apache-2.0 */
/* The cohort's table. */
#include "train/study_cohort.h"

#include <string.h>

#include "format/csv.h"
#include "format/names.h"
#include "train/study_files.h"

typedef struct columns {
    int32_t patient, scan, label, image, lobes;
} columns;

static ren_status find_columns(const ren__csv *table, const char *path, columns *out) {
    static const char *const names[] = { "patient", "scan", "label", "image", "lobes" };
    int32_t *const column[] = { &out->patient, &out->scan, &out->label, &out->image, &out->lobes };

    for (size_t i = 0; i < 5; i++) {
        *column[i] = ren__csv_column(table, names[i]);
        if (i < 3 && *column[i] < 0)
            return ren__error(REN_E_DATA, "%s: there is no column \"%s\"; needed are patient, scan and label", path,
                              names[i]);
    }
    if ((out->image < 0) != (out->lobes < 0))
        return ren__error(REN_E_DATA, "%s: the columns image and lobes come together: %s is missing", path,
                          out->image < 0 ? "image" : "lobes");
    return REN_OK;
}

/* A name in messages must not carry control characters, and one that climbs out of the folder is a mistake. */
static int usable(const char *name) {
    return name[0] != '\0' && ren__utf8_valid(name, strlen(name)) && !strpbrk(name, "\n\r\t") &&
           strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 && !strstr(name, "/../");
}

static const char *below(ren__cohort *cohort, const char *root, const char *a, const char *separator, const char *b,
                         const char *suffix) {
    char *path = a[0] == '/' && !suffix[0] ? ren__strdup(cohort->context, a)
                                           : ren__path_join(cohort->context, root, "%s%s%s%s", a, separator, b, suffix);
    const char *kept = path ? ren__arena_strdup(cohort->strings, path) : NULL;

    ren__free(path);
    return kept;
}

static ren_status read_row(ren__cohort *cohort, const ren__csv *table, const columns *column, const char *root,
                           const char *path, size_t row) {
    const char *patient = ren__csv_get(table, row, column->patient), *scan = ren__csv_get(table, row, column->scan);
    const char *label = ren__csv_get(table, row, column->label);
    ren__dataset_item *item = &cohort->item[row];

    if (!usable(patient) || !usable(scan))
        return ren__error(REN_E_DATA, "%s: row %zu: patient and scan must be names of printable characters", path,
                          row + 2);
    if (strcmp(label, "0") != 0 && strcmp(label, "1") != 0)
        return ren__error(REN_E_DATA, "%s: row %zu: the label must be 0 or 1", path, row + 2);
    item->label = label[0] == '1';
    item->patient = ren__arena_strdup(cohort->strings, patient);
    item->scan = ren__arena_strdup(cohort->strings, scan);
    if (column->image >= 0) {
        const char *image = ren__csv_get(table, row, column->image), *lobes = ren__csv_get(table, row, column->lobes);
        if (!image[0] || !lobes[0])
            return ren__error(REN_E_DATA, "%s: row %zu: image or lobes is empty", path, row + 2);
        item->image = below(cohort, root, image, "", "", "");
        item->lobes = below(cohort, root, lobes, "", "", "");
    } else {
        item->image = below(cohort, root, patient, "/", scan, ".nii.gz");
        item->lobes = below(cohort, root, patient, "/", scan, "_lobes.nii.gz");
    }
    return item->patient && item->scan && item->image && item->lobes ? REN_OK : ren__out_of_memory();
}

static int compare_items(const void *items, size_t a, size_t b) {
    const ren__dataset_item *item = items;
    const int order = strcmp(item[a].patient, item[b].patient);

    return order != 0 ? order : strcmp(item[a].scan, item[b].scan);
}

/* Numbers the patients, by way of the rows in order of names. */
static ren_status number_patients(ren__cohort *cohort, const char *path) {
    ren_context *context = cohort->context;
    const ren__dataset_item *item = cohort->item;
    const size_t count = (size_t)cohort->count;
    size_t *order = NULL;
    int32_t *first = NULL; /* of each row: the patient's first row */
    char quoted[REN__QUOTE_SIZE];
    ren_status st = REN_OK;

    REN_CALLOC(order, count);
    REN_CALLOC(first, count);
    ren__sort_indices(order, count, compare_items, item);
    for (size_t begin = 0, end; begin < count; begin = end) {
        size_t least = order[begin];
        for (end = begin; end < count && strcmp(item[order[end]].patient, item[order[begin]].patient) == 0; end++) {
            if (order[end] < least) least = order[end];
            if (end > begin && strcmp(item[order[end]].scan, item[order[end - 1]].scan) == 0)
                REN_FAIL(REN_E_DATA, "%s: rows %zu and %zu have the same patient and scan (\"%s\")", path,
                         order[end - 1] + 2, order[end] + 2, ren__quote(item[order[end]].scan, quoted, sizeof quoted));
        }
        for (size_t i = begin; i < end; i++)
            first[order[i]] = (int32_t)least;
    }
    for (size_t row = 0; row < count; row++) {
        const int32_t patient = first[row] == (int32_t)row ? cohort->patient_count++ : cohort->patient[first[row]];
        cohort->patient[row] = patient;
        if (first[row] == (int32_t)row) cohort->patient_name[patient] = item[row].patient;
        cohort->patient_label[patient] |= item[row].label;
    }
out:
    ren__free(first);
    ren__free(order);
    return st;
}

ren_status ren__cohort_read(ren_context *context, const char *root, const char *table_name, ren__cohort **out) {
    ren_status st = REN_OK;
    ren__cohort *cohort = NULL;
    ren__csv *table = NULL;
    char *path = NULL;
    columns column;

    *out = NULL;
    path = table_name[0] == '/' ? ren__strdup(context, table_name) : ren__path_join(context, root, "%s", table_name);
    if (!path) return ren__out_of_memory();
    REN_TRY(ren__csv_read(context, path, &table));
    REN_TRY(find_columns(table, path, &column));
    const size_t rows = ren__csv_rows(table);
    if (rows == 0) REN_FAIL(REN_E_DATA, "%s: has no row", path);
    if (rows > INT32_MAX / 64) REN_FAIL(REN_E_LIMIT, "%s: has more rows than libren can number", path);
    REN_CALLOC(cohort, 1);
    cohort->context = ren__context_retain(context);
    cohort->count = (int32_t)rows;
    REN_TRY(ren__arena_create(context, &cohort->strings));
    REN_CALLOC(cohort->item, rows);
    REN_CALLOC(cohort->patient, rows);
    REN_CALLOC(cohort->patient_name, rows);
    REN_CALLOC(cohort->patient_label, rows);
    for (size_t row = 0; row < rows; row++)
        REN_TRY(read_row(cohort, table, &column, root, path, row));
    REN_TRY(number_patients(cohort, path));
    *out = cohort;
    cohort = NULL;
out:
    ren__cohort_free(cohort);
    ren__csv_free(table);
    ren__free(path);
    return st;
}

void ren__cohort_free(ren__cohort *cohort) {
    if (!cohort) return;
    ren_context *context = cohort->context;

    ren__free(cohort->patient_label);
    ren__free(cohort->patient_name);
    ren__free(cohort->patient);
    ren__free(cohort->item);
    ren__arena_free(cohort->strings);
    ren__free(cohort);
    ren__context_release(context);
}
