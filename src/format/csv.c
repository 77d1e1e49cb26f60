/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated tables. The fields stay where the file's text was read to, unquoted in place. */
#include "format/csv.h"

#include <string.h>

#include "format/names.h"

enum { FILE_CAP = 256 << 20, COLUMN_CAP = 65536 };

struct ren__csv {
    ren_context *context; /* held */
    char *text;
    const char **fields; /* header first, then row by row */
    size_t count, capacity;
    int32_t columns;
};

typedef struct scanner {
    char *at, *end; /* *end is 0 */
    size_t line;
} scanner;

static ren_status add_field(ren__csv *table, const char *field) {
    if (table->count == table->capacity) {
        size_t larger = table->capacity ? 2 * table->capacity : 64, bytes;
        const char **grown;
        if (!ren__mul_size(larger, sizeof *grown, &bytes)) return ren__error(REN_E_LIMIT, "too many fields");
        grown = ren__realloc(table->context, (void *)table->fields, bytes);
        if (!grown) return ren__out_of_memory();
        table->fields = grown;
        table->capacity = larger;
    }
    table->fields[table->count++] = field;
    return REN_OK;
}

/* Unquotes in place. On success `at` is behind the closing quote and `close` on the last place of what was read. */
static ren_status read_quoted(scanner *in, const char **field, char **close) {
    size_t begun = in->line;
    char *to = ++in->at;

    *field = to;
    for (; in->at < in->end; in->at++) {
        if (*in->at == '"') {
            if (in->at[1] != '"') {
                *close = to;
                in->at++;
                return REN_OK;
            }
            in->at++; /* a doubled quote is one */
        } else if (*in->at == '\n') {
            in->line++;
        }
        *to++ = *in->at;
    }
    return ren__error(REN_E_FORMAT, "line %zu: a quote is opened and never closed", begun);
}

/* One field and what ends it: ',' or '\n' (also for the end of the file). */
static ren_status read_field(scanner *in, const char **field, char *ended) {
    ren_status st = REN_OK;
    char *close;

    if (*in->at == '"') {
        REN_TRY(read_quoted(in, field, &close));
    } else {
        *field = in->at;
        in->at += strcspn(in->at, ",\"\r\n");
        close = in->at;
    }
    if (in->at[0] == '\r' && (in->at[1] == '\n' || in->at + 1 == in->end)) in->at++;
    if (in->at < in->end && *in->at != ',' && *in->at != '\n')
        REN_FAIL(REN_E_FORMAT, "line %zu: %s", in->line,
                 *in->at == '"' ? "a quote inside a field: put the field in quotes and double it"
                                : "a field goes on after its closing quote, or a line ends with CR alone");
    *ended = in->at < in->end ? *in->at : '\n';
    if (in->at < in->end) in->at++;
    *close = '\0';
out:
    return st;
}

static ren_status read_row(ren__csv *table, scanner *in, int32_t *fields) {
    ren_status st = REN_OK;
    const char *field = NULL;
    char ended = ',';

    for (*fields = 0; ended == ','; ++*fields) {
        if (*fields == COLUMN_CAP) REN_FAIL(REN_E_LIMIT, "line %zu: more than %d columns", in->line, COLUMN_CAP);
        REN_TRY(read_field(in, &field, &ended));
        REN_TRY(add_field(table, field));
    }
out:
    return st;
}

static int compare_columns(const void *items, size_t a, size_t b) {
    const char *const *names = items;
    return strcmp(names[a], names[b]);
}

static ren_status check_header(const ren__csv *table) {
    ren_status st = REN_OK;
    char quoted[REN__QUOTE_SIZE];
    size_t count = (size_t)table->columns;
    size_t *order = ren__alloc_array(table->context, count, sizeof *order);

    if (!order) return ren__out_of_memory();
    if (count == 1 && strpbrk(table->fields[0], ";\t"))
        REN_FAIL(REN_E_FORMAT, "the columns are separated by semicolons or tabs: save it with commas");
    ren__sort_indices(order, count, compare_columns, (const void *)table->fields);
    for (size_t i = 1; i < count; i++)
        if (compare_columns((const void *)table->fields, order[i - 1], order[i]) == 0)
            REN_FAIL(REN_E_FORMAT, "column \"%s\" is there twice",
                     ren__quote(table->fields[order[i]], quoted, sizeof quoted));
out:
    ren__free(order);
    return st;
}

static int is_blank_line(const scanner *in) {
    return in->at[0] == '\n' || (in->at[0] == '\r' && (in->at[1] == '\n' || in->at + 1 == in->end));
}

static ren_status parse(ren__csv *table, size_t size) {
    ren_status st = REN_OK;
    scanner in = { table->text, table->text + size, 1 };

    if (!ren__utf8_valid(table->text, size))
        return ren__error(REN_E_FORMAT, "is not UTF-8 text (or has zero bytes): save it as CSV in UTF-8");
    if (size >= 3 && memcmp(in.at, "\xEF\xBB\xBF", 3) == 0) in.at += 3;
    if (in.at == in.end) return ren__error(REN_E_FORMAT, "is empty: a header row is needed");
    REN_TRY(read_row(table, &in, &table->columns));
    REN_TRY(check_header(table));
    while (in.at < in.end) {
        size_t line = ++in.line;
        int32_t fields = 0;
        if (table->columns > 1 && is_blank_line(&in)) {
            in.at += in.at[0] == '\r' && in.at[1] == '\n' ? 2 : 1;
            continue;
        }
        REN_TRY(read_row(table, &in, &fields));
        if (fields != table->columns)
            REN_FAIL(REN_E_FORMAT, "line %zu: %d fields, the header has %d", line, (int)fields, (int)table->columns);
    }
out:
    return st;
}

ren_status ren__csv_read(ren_context *context, const char *path, ren__csv **out) {
    ren_status st = REN_OK;
    ren__csv *table = NULL;
    size_t size = 0;

    *out = NULL;
    REN_CALLOC(table, 1);
    table->context = ren__context_retain(context);
    REN_TRY(ren__file_read(context, path, FILE_CAP, &table->text, &size));
    st = parse(table, size);
    if (st != REN_OK) {
        st = ren__error_context(st, "%s", path);
        goto out;
    }
    *out = table;
    table = NULL;
out:
    ren__csv_free(table);
    return st;
}

void ren__csv_free(ren__csv *table) {
    ren_context *context;

    if (!table) return;
    context = table->context;
    ren__free((void *)table->fields);
    ren__free(table->text);
    ren__free(table);
    ren__context_release(context);
}

size_t ren__csv_rows(const ren__csv *table) {
    return table->count / (size_t)table->columns - 1;
}

int32_t ren__csv_columns(const ren__csv *table) {
    return table->columns;
}

const char *ren__csv_name(const ren__csv *table, int32_t column) {
    return table->fields[column];
}

int32_t ren__csv_column(const ren__csv *table, const char *name) {
    for (int32_t i = 0; i < table->columns; i++)
        if (strcmp(table->fields[i], name) == 0) return i;
    return -1;
}

const char *ren__csv_get(const ren__csv *table, size_t row, int32_t column) {
    return table->fields[(row + 1) * (size_t)table->columns + (size_t)column];
}

void ren__csv_add(ren_text *text, const char *field, int last) {
    size_t size = strlen(field);
    int first = text->size == 0 || text->data[text->size - 1] == '\n';
    /* Alone in its row, an empty field would make a blank line, which readers pass over. */
    int quote = field[strcspn(field, ",\"\r\n")] || (size && (field[0] == ' ' || field[size - 1] == ' ')) ||
                (!size && first && last);

    if (quote) ren__text_add(text, "\"");
    while (quote && *field) {
        size_t run = strcspn(field, "\"");
        ren__text_add_bytes(text, field, run);
        if (field[run]) ren__text_add(text, "\"\"");
        field += run + (field[run] != '\0');
    }
    ren__text_add(text, field);
    if (quote) ren__text_add(text, "\"");
    ren__text_add(text, last ? "\n" : ",");
}
