/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a batch: cases in, rows out. */
#include "radiomics/batch_table.h"

#include <string.h>
#include <sys/stat.h>

#include "format/names.h"
#include "radiomics/python_text.h"

/* -------------------------------------------------------------------------------------------------------- cases */

const ren__labels *ren__batch_labels(const ren__batch_table *table, const ren__batch_case *of) {
    return of->own.count ? &of->own : table->labels;
}

int ren__batch_row_done(const ren__batch_row *row) {
    return row->columns || row->error;
}

static ren_status find_columns(ren__batch_table *table, const char *path) {
    char quoted[REN__QUOTE_SIZE];

    table->image = ren__csv_column(table->input, "Image");
    table->mask = ren__csv_column(table->input, "Mask");
    table->label = ren__csv_column(table->input, "Label");
    if (table->image < 0 || table->mask < 0)
        return ren__error(REN_E_FORMAT, "%s: there is no column %s: the header needs Image and Mask", path,
                          table->image < 0 ? "Image" : "Mask");
    for (int32_t i = 0; i < ren__csv_columns(table->input); i++) {
        const char *name = ren__csv_name(table->input, i);
        if (strcmp(name, "Region") == 0 || strcmp(name, "error") == 0 || strncmp(name, "diagnostics_", 12) == 0)
            return ren__error(REN_E_FORMAT, "%s: the column \"%s\" has the name of one of the result's: rename it",
                              path, ren__quote(name, quoted, sizeof quoted));
    }
    return REN_OK;
}

/* The labels of one case. A cell that is no label is the case's error, not the table's. */
static ren_status read_labels(ren__batch_table *table, ren__batch_case *to) {
    const char *cell = table->label >= 0 ? ren__csv_get(table->input, to->line, table->label) : "";
    ren_status st;

    to->count = (size_t)table->labels->count;
    if (cell[0] == '\0') return REN_OK;
    st = ren__labels_parse(table->context, &cell, 1, 1, &to->own);
    to->count = 1;
    if (st != REN_E_INVALID) return st;
    to->bad_label = ren__strdup(table->context, ren_error_message());
    return to->bad_label ? REN_OK : ren__out_of_memory();
}

static ren_status name_rows(ren__batch_table *table) {
    for (size_t c = 0; c < table->case_count; c++) {
        const ren__batch_case *of = &table->cases[c];
        if (of->bad_label) {
            table->rows[of->first].region = ren__csv_get(table->input, of->line, table->label);
            table->rows[of->first].error = ren__strdup(table->context, of->bad_label);
            if (!table->rows[of->first].error) return ren__out_of_memory();
            continue;
        }
        for (size_t i = 0; i < of->count; i++)
            table->rows[of->first + i].region = ren__batch_labels(table, of)->sets[i].name;
    }
    return REN_OK;
}

static int is_same_file(const char *a, const char *b) {
    struct stat one, other;

    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

ren_status ren__batch_table_open(ren_context *context, const char *cases_path, const char *out_path,
                                 const ren__labels *labels, ren__batch_table *out) {
    ren_status st = REN_OK;
    ren__batch_table table = { .context = context, .out_path = out_path, .labels = labels };

    if (is_same_file(cases_path, out_path))
        REN_FAIL(REN_E_INVALID, "%s: is the table of cases itself: choose another file for the result", out_path);
    REN_TRY(ren__arena_create(context, &table.arena));
    REN_TRY(ren__csv_read(context, cases_path, &table.input));
    REN_TRY(find_columns(&table, cases_path));
    REN_CALLOC(table.cases, ren__csv_rows(table.input));
    table.case_count = ren__csv_rows(table.input);
    for (size_t c = 0; c < table.case_count; c++) {
        table.cases[c].line = c;
        table.cases[c].first = table.row_count;
        REN_TRY(read_labels(&table, &table.cases[c]));
        table.row_count += table.cases[c].count;
    }
    REN_CALLOC(table.rows, table.row_count);
    REN_TRY(name_rows(&table));
    *out = table;
    memset(&table, 0, sizeof table);
out:
    ren__batch_table_close(&table);
    return st;
}

void ren__batch_table_close(ren__batch_table *table) {
    for (size_t c = 0; table->cases && c < table->case_count; c++) {
        ren__labels_free(&table->cases[c].own);
        ren__free(table->cases[c].bad_label);
    }
    for (size_t r = 0; table->rows && r < table->row_count; r++) {
        ren__free(table->rows[r].fields);
        ren__free(table->rows[r].error);
    }
    ren__free(table->cases);
    ren__free(table->rows);
    ren__csv_free(table->input);
    ren__arena_free(table->arena);
    memset(table, 0, sizeof *table);
}

size_t ren__batch_table_failed(const ren__batch_table *table) {
    size_t failed = 0;

    for (size_t r = 0; r < table->row_count; r++)
        failed += table->rows[r].error != NULL;
    return failed;
}

/* -------------------------------------------------------------------------------------------------------- rows */

/* The columns of these names, which are copied where they are new. */
static ren_status share_columns(ren__batch_table *table, const char *const *names, int32_t count, int32_t diagnostics,
                                const ren__batch_columns **out) {
    ren__batch_columns *made;

    for (made = table->columns; made; made = made->next) {
        int32_t same = 0;
        if (made->count != count || made->diagnostics != diagnostics) continue;
        while (same < count && strcmp(made->names[same], names[same]) == 0)
            same++;
        if (same == count) break;
    }
    if (!made) {
        made = ren__arena_alloc(table->arena, sizeof *made);
        if (made) made->names = ren__arena_alloc(table->arena, ((size_t)count + 1) * sizeof *made->names);
        if (!made || !made->names) return ren__out_of_memory();
        for (int32_t i = 0; i < count; i++) {
            made->names[i] = ren__arena_strdup(table->arena, names[i]);
            if (!made->names[i]) return ren__out_of_memory();
        }
        made->count = count;
        made->diagnostics = diagnostics;
        made->next = table->columns;
        table->columns = made;
    }
    *out = made;
    return REN_OK;
}

/* Takes over the text's bytes as the row's fields. */
static ren_status set_fields(ren__batch_table *table, ren__batch_row *row, const ren__batch_columns *columns,
                             const ren_text *text) {
    ren_context *context = table->context;
    ren_status st = REN_OK;
    char *fields = NULL;

    REN_TRY(text->status);
    REN_ALLOC(fields, text->size + 1);
    memcpy(fields, text->data, text->size);
    ren__free(row->fields);
    ren__free(row->error);
    row->error = NULL;
    row->fields = fields;
    row->columns = columns;
out:
    return st;
}

static void end_field(ren_text *text) {
    ren__text_add_bytes(text, "", 1);
}

/* A copied column must not hide one of the result's. */
static ren_status check_collision(const ren__batch_table *table, const ren_features *features) {
    for (int32_t i = 0; i < ren__csv_columns(table->input); i++)
        if (ren_features_find(features, ren__csv_name(table->input, i)) >= 0)
            return ren__error(REN_E_FORMAT, "the column \"%s\" of the cases has the name of a feature: rename it",
                              ren__csv_name(table->input, i));
    return REN_OK;
}

ren_status ren__batch_table_store(ren__batch_table *table, size_t row, const ren_features *features, int32_t from) {
    ren_context *context = table->context;
    const int32_t diagnostics = ren_features_diagnostic_count(features, from);
    const int32_t values = ren_features_count(features);
    ren_status st = REN_OK;
    const ren__batch_columns *columns = NULL;
    const char **names = NULL;
    ren_text *text = NULL;

    if (ren_features_row_error(features, from))
        return ren__batch_table_fail(table, row, ren_features_row_error(features, from));
    REN_TRY(check_collision(table, features));
    REN_CALLOC(names, (size_t)diagnostics + (size_t)values);
    REN_TRY(ren__text_create(context, &text));
    for (int32_t i = 0; i < diagnostics; i++) {
        names[i] = ren_features_diagnostic_name(features, from, i);
        ren__text_add(text, ren_features_diagnostic_text(features, from, i));
        end_field(text);
    }
    for (int32_t i = 0; i < values; i++) {
        names[diagnostics + i] = ren_features_name(features, i);
        ren__python_number(text, ren_features_value(features, from, i));
        end_field(text);
    }
    REN_TRY(share_columns(table, names, diagnostics + values, diagnostics, &columns));
    st = set_fields(table, &table->rows[row], columns, text);
out:
    ren_text_free(text);
    ren__free(names);
    return st;
}

ren_status ren__batch_table_fail(ren__batch_table *table, size_t row, const char *error) {
    char *copy = ren__strdup(table->context, error);

    if (!copy) return ren__out_of_memory();
    ren__free(table->rows[row].error);
    table->rows[row].error = copy;
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------- earlier runs */

/* Columns that each row has: Image, Mask, Region, what the input has more, error. */
static int32_t fixed_count(const ren__batch_table *table) {
    return ren__csv_columns(table->input) + 2;
}

static const char *fixed_name(const ren__batch_table *table, int32_t column) {
    static const char *const first[] = { "Image", "Mask", "Region" };

    if (column < 3) return first[column];
    if (column + 1 == fixed_count(table)) return "error";
    int32_t left = column - 3, at = 0;
    for (;; at++) {
        if (at == table->image || at == table->mask) continue;
        if (left-- == 0) return ren__csv_name(table->input, at);
    }
}

static const ren__batch_case *case_of(const ren__batch_table *table, size_t row) {
    size_t low = 0, high = table->case_count;

    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (table->cases[middle].first <= row)
            low = middle;
        else
            high = middle;
    }
    return &table->cases[low];
}

static const char *fixed_text(const ren__batch_table *table, size_t row, int32_t column) {
    const char *name = fixed_name(table, column);
    const ren__batch_row *of = &table->rows[row];

    if (column == 2) return of->region;
    if (column + 1 == fixed_count(table)) return of->error ? of->error : "";
    return ren__csv_get(table->input, case_of(table, row)->line, ren__csv_column(table->input, name));
}

static ren_status not_ours(const ren__batch_table *table, const char *why) {
    return ren__error(REN_E_STATE, "%s: is there already, and %s: choose another file, or remove it", table->out_path,
                      why);
}

static ren_status check_header(const ren__batch_table *table, const ren__csv *old) {
    if (ren__csv_columns(old) < fixed_count(table)) return not_ours(table, "is no table of these cases");
    for (int32_t i = 0; i < fixed_count(table); i++)
        if (strcmp(ren__csv_name(old, i), fixed_name(table, i)) != 0)
            return not_ours(table, "is no table of these cases");
    return REN_OK;
}

/* "glcm_Contrast" at the end of "original_glcm_Contrast". */
static int ends_with(const char *name, const char *of, const char *feature) {
    const size_t size = strlen(name), class_size = strlen(of), feature_size = strlen(feature);
    const char *at = strstr(name, of);

    if (size < class_size + feature_size + 1) return 0;
    for (; at; at = strstr(at + 1, of))
        if ((at == name || at[-1] == '_') && at[class_size] == '_' &&
            strncmp(at + class_size + 1, feature, feature_size) == 0 &&
            (at[class_size + 1 + feature_size] == '\0' || at[class_size + 1 + feature_size] == '_'))
            return 1;
    return 0;
}

static int is_enabled(const ren__radiomics_params *params, const char *name) {
    for (int32_t slot = 0; slot < params->class_count; slot++) {
        const ren__feature_class *of = ren__radiomics_classes(params->settings.mode)[params->classes[slot].index];
        for (int32_t i = 0; i < params->classes[slot].feature_count; i++)
            if (ends_with(name, of->name, of->features[params->classes[slot].features[i]].name)) return 1;
    }
    return 0;
}

static int has_feature(const ren__csv *old, int32_t from, const char *of, const char *feature) {
    for (int32_t i = from; i < ren__csv_columns(old); i++)
        if (ends_with(ren__csv_name(old, i), of, feature)) return 1;
    return 0;
}

/* The same features as those that are enabled now; a table of failures alone has none. */
static ren_status check_features(const ren__batch_table *table, const ren__csv *old, const ren_radiomics *radiomics) {
    const ren__radiomics_params *params = &radiomics->params;
    const int32_t from = fixed_count(table);

    if (ren__csv_columns(old) == from) return REN_OK;
    for (int32_t i = from; i < ren__csv_columns(old); i++)
        if (strncmp(ren__csv_name(old, i), "diagnostics_", 12) != 0 && !is_enabled(params, ren__csv_name(old, i)))
            return not_ours(table, "has features that are not enabled now");
    for (int32_t slot = 0; slot < params->class_count; slot++) {
        const ren__feature_class *of = ren__radiomics_classes(params->settings.mode)[params->classes[slot].index];
        for (int32_t i = 0; i < params->classes[slot].feature_count && ren__class_has_columns(params, slot); i++)
            if (!has_feature(old, from, of->name, of->features[params->classes[slot].features[i]].name))
                return not_ours(table, "lacks features that are enabled now");
    }
    return REN_OK;
}

static int is_row_of(const ren__batch_table *table, size_t row, const ren__csv *old, size_t line) {
    for (int32_t i = 0; i + 1 < fixed_count(table); i++)
        if (strcmp(fixed_text(table, row, i), ren__csv_get(old, line, i)) != 0) return 0;
    return 1;
}

/* The settings that made a stored row must be those of now. */
static ren_status check_settings(const ren__batch_table *table, size_t row, const ren__csv *old, size_t line,
                                 const ren_radiomics *radiomics) {
    static const char *const names[2] = { "diagnostics_Configuration_Settings",
                                          "diagnostics_Configuration_EnabledImageTypes" };
    const ren__batch_case *of = case_of(table, row);
    const ren__label_set *set = &ren__batch_labels(table, of)->sets[row - of->first];
    ren_status st = REN_OK;
    ren_text *text = NULL;

    for (int k = 0; k < 2; k++) {
        const int32_t column = ren__csv_column(old, names[k]);
        if (column < 0 || ren__csv_get(old, line, column)[0] == '\0') continue;
        REN_TRY(ren__text_create(table->context, &text));
        if (k == 0)
            ren__diagnostics_settings(radiomics, set, text);
        else
            ren__diagnostics_types(radiomics, text);
        REN_TRY(text->status);
        if (strcmp(ren_text_data(text), ren__csv_get(old, line, column)) != 0)
            REN_TRY(not_ours(table, "was made with other settings"));
        ren_text_free(text);
        text = NULL;
    }
out:
    ren_text_free(text);
    return st;
}

/* The fields that the stored row has; those that are empty were another row's columns. */
static ren_status take_row(ren__batch_table *table, size_t row, const ren__csv *old, size_t line) {
    ren_context *context = table->context;
    const int32_t from = fixed_count(table), columns = ren__csv_columns(old);
    ren_status st = REN_OK;
    const ren__batch_columns *shared = NULL;
    const char **names = NULL;
    ren_text *text = NULL;
    int32_t count = 0, diagnostics = 0;

    REN_CALLOC(names, (size_t)columns);
    REN_TRY(ren__text_create(context, &text));
    for (int32_t i = from; i < columns; i++) {
        const char *field = ren__csv_get(old, line, i), *name = ren__csv_name(old, i);
        if (field[0] == '\0') continue;
        diagnostics += strncmp(name, "diagnostics_", 12) == 0;
        names[count++] = name;
        ren__text_add(text, field);
        end_field(text);
    }
    REN_TRY(share_columns(table, names, count, diagnostics, &shared));
    st = set_fields(table, &table->rows[row], shared, text);
out:
    ren_text_free(text);
    ren__free(names);
    return st;
}

static ren_status take_rows(ren__batch_table *table, const ren__csv *old, const ren_radiomics *radiomics) {
    const int32_t error = fixed_count(table) - 1;
    size_t next = 0; /* stored rows are in the table's order, so the search goes on where the last one ended */
    ren_status st = REN_OK;

    for (size_t line = 0; line < ren__csv_rows(old) && st == REN_OK; line++) {
        if (ren__csv_get(old, line, error)[0] != '\0') continue; /* failed: done again */
        for (size_t tried = 0; tried < table->row_count; tried++) {
            const size_t row = (next + tried) % table->row_count;
            if (ren__batch_row_done(&table->rows[row]) || !is_row_of(table, row, old, line)) continue;
            st = check_settings(table, row, old, line, radiomics);
            if (st == REN_OK) st = take_row(table, row, old, line);
            next = row + 1;
            break;
        }
    }
    return st;
}

ren_status ren__batch_table_resume(ren__batch_table *table, const ren_radiomics *radiomics) {
    ren_status st = REN_OK;
    ren__csv *old = NULL;
    struct stat status;

    if (stat(table->out_path, &status) != 0 || status.st_size == 0) return REN_OK;
    st = ren__csv_read(table->context, table->out_path, &old);
    if (st == REN_E_FORMAT) return not_ours(table, "is no table");
    REN_TRY(st);
    REN_TRY(check_header(table, old));
    REN_TRY(check_features(table, old, radiomics));
    REN_TRY(take_rows(table, old, radiomics));
out:
    ren__csv_free(old);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ writing */

/* Columns behind the fixed ones, in the order in which the rows bring them; diagnostics first. */
typedef struct layout {
    const char **names;
    int32_t count, diagnostics;
    /* of the columns that were last asked for: where each stands in a row; -1: nowhere */
    const ren__batch_columns *mapped;
    int32_t *map, *starts;
} layout;

static int is_known(const layout *l, const char *name) {
    for (int32_t i = 0; i < l->count; i++)
        if (strcmp(l->names[i], name) == 0) return 1;
    return 0;
}

static void add_names(layout *l, const ren__batch_columns *columns, int diagnostics) {
    for (int32_t i = diagnostics ? 0 : columns->diagnostics; i < (diagnostics ? columns->diagnostics : columns->count);
         i++)
        if (!is_known(l, columns->names[i])) l->names[l->count++] = columns->names[i];
}

static ren_status make_layout(const ren__batch_table *table, layout *l) {
    ren_context *context = table->context;
    ren_status st = REN_OK;
    size_t most = 0, longest = 0;

    for (const ren__batch_columns *c = table->columns; c; c = c->next) {
        most += (size_t)c->count;
        longest = (size_t)c->count > longest ? (size_t)c->count : longest;
    }
    REN_CALLOC(l->names, most);
    REN_CALLOC(l->map, most);
    REN_CALLOC(l->starts, longest);
    for (int diagnostics = 1; diagnostics >= 0; diagnostics--) {
        const ren__batch_columns *last = NULL;
        for (size_t r = 0; r < table->row_count; r++) {
            if (!table->rows[r].columns || table->rows[r].columns == last) continue;
            last = table->rows[r].columns;
            add_names(l, last, diagnostics);
        }
        if (diagnostics) l->diagnostics = l->count;
    }
out:
    return st;
}

static void map_columns(layout *l, const ren__batch_columns *columns) {
    if (l->mapped == columns) return;
    for (int32_t i = 0; i < l->count; i++) {
        l->map[i] = -1;
        for (int32_t k = 0; k < columns->count && l->map[i] < 0; k++)
            if (strcmp(columns->names[k], l->names[i]) == 0) l->map[i] = k;
    }
    l->mapped = columns;
}

static void add_row(ren_text *text, const ren__batch_table *table, layout *l, size_t row) {
    const ren__batch_row *of = &table->rows[row];
    int32_t offset = 0;

    for (int32_t i = 0; i < fixed_count(table); i++)
        ren__csv_add(text, fixed_text(table, row, i), i + 1 == fixed_count(table) && l->count == 0);
    if (of->columns && !of->error) {
        map_columns(l, of->columns);
        for (int32_t k = 0; k < of->columns->count; k++) {
            l->starts[k] = offset;
            offset += (int32_t)strlen(of->fields + offset) + 1;
        }
    }
    for (int32_t i = 0; i < l->count; i++) {
        const int has = of->columns && !of->error && l->map[i] >= 0;
        ren__csv_add(text, has ? of->fields + l->starts[l->map[i]] : "", i + 1 == l->count);
    }
}

/* Rows go out in portions, so that the file is never in memory as a whole. */
static ren_status write_rows(const ren__batch_table *table, layout *l, ren__file_writer *writer, ren_text *text) {
    enum { PORTION = 1 << 20 };
    ren_status st = REN_OK;

    for (int32_t i = 0; i < fixed_count(table); i++)
        ren__csv_add(text, fixed_name(table, i), i + 1 == fixed_count(table) && l->count == 0);
    for (int32_t i = 0; i < l->count; i++)
        ren__csv_add(text, l->names[i], i + 1 == l->count);
    for (size_t row = 0; row <= table->row_count; row++) {
        if (row < table->row_count && ren__batch_row_done(&table->rows[row])) add_row(text, table, l, row);
        if (text->size < PORTION && row < table->row_count) continue;
        REN_TRY(text->status);
        REN_TRY(ren__file_writer_write(writer, text->data, text->size));
        text->size = 0;
        text->data[0] = '\0';
    }
out:
    return st;
}

ren_status ren__batch_table_write(const ren__batch_table *table) {
    ren_status st = REN_OK;
    layout l = { NULL, 0, 0, NULL, NULL, NULL };
    ren__file_writer *writer = NULL;
    ren_text *text = NULL;

    REN_TRY(make_layout(table, &l));
    REN_TRY(ren__text_create(table->context, &text));
    REN_TRY(ren__file_writer_open(table->context, table->out_path, &writer));
    REN_TRY(write_rows(table, &l, writer, text));
    st = ren__file_writer_commit(writer);
    writer = NULL;
out:
    ren__file_writer_abort(writer);
    ren_text_free(text);
    ren__free(l.names);
    ren__free(l.map);
    ren__free(l.starts);
    return st;
}
