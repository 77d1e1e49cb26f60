/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in and out, and checked access to a tree. YAML is in yaml_read.c and yaml_write.c. */
#include "format/document.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "format/document_write.h"
#include "format/names.h"

/* ----------------------------------------------------------------------------------------------------- reading */

json_t *ren__json_load(const char *text, size_t size, json_error_t *error) {
    /* jansson rewrites the decimal point to the locale's before strtod, one byte of it, and asserts that all was read:
     * with a point of two bytes (ps_AF) that ends the process. The thread's locale is put back before we return. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before;
    json_t *tree;

    memset(error, 0, sizeof *error);
    if (!plain) return NULL;
    before = uselocale(plain);
    tree = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, error);
    uselocale(before);
    freelocale(plain);
    if (!tree && json_error_code(error) == json_error_out_of_memory) error->text[0] = 0;
    return tree;
}

/* Depth and number of values are bounded before jansson, which recurses, sees the text. */
static ren_status scan_json(const char *text, size_t size, const char *name) {
    size_t depth = 0, values = 1, line = 1;
    int inside = 0; /* a string */

    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '\n') line++;
        if (inside) {
            if (c == '\\')
                i++;
            else if (c == '"')
                inside = 0;
            continue;
        }
        if (c == '"') inside = 1;
        if (c == '[' || c == '{') depth++;
        if ((c == ']' || c == '}') && depth) depth--;
        if (c == '[' || c == '{' || c == ',') values++;
        if (depth > REN__DOCUMENT_DEPTH)
            return ren__error(REN_E_FORMAT, "%s, line %zu: nested deeper than %d levels", name, line,
                              REN__DOCUMENT_DEPTH);
        if (values > REN__DOCUMENT_VALUES)
            return ren__error(REN_E_LIMIT, "%s, line %zu: more than %d values", name, line, REN__DOCUMENT_VALUES);
    }
    return REN_OK;
}

ren_status ren__json_parse(const char *text, size_t size, const char *name, json_t **out) {
    json_error_t error;
    char quoted[2 * REN__QUOTE_SIZE];
    ren_status st;

    *out = NULL;
    if (size > REN__DOCUMENT_CAP)
        return ren__error(REN_E_LIMIT, "%s: %zu bytes, more than the %d that a document may have", name, size,
                          REN__DOCUMENT_CAP);
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        size -= 3;
    }
    st = scan_json(text, size, name);
    if (st != REN_OK) return st;
    *out = ren__json_load(text, size, &error);
    if (*out) return REN_OK;
    if (!error.text[0]) return ren__error(REN_E_MEMORY, "%s: out of memory in the JSON reader", name);
    return ren__error(REN_E_FORMAT, "%s, line %d, column %d: %s", name, error.line, error.column,
                      ren__quote(error.text, quoted, sizeof quoted));
}

ren_status ren__document_read(ren_context *context, const char *path, json_t **out) {
    ren_status st = REN_OK;
    const char *dot = strrchr(path, '.');
    char *text = NULL;
    size_t size = 0;

    *out = NULL;
    REN_TRY(ren__file_read(context, path, REN__DOCUMENT_CAP, &text, &size));
    if (dot && strcmp(dot, ".json") == 0)
        REN_TRY(ren__json_parse(text, size, path, out));
    else
        REN_TRY(ren__yaml_parse(text, size, path, out));
out:
    ren__free(text);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- writing */

void ren__write_real(ren_text *text, double value) {
    size_t start = text->size;

    for (int digits = 15; digits <= 17; digits++) {
        double back = 0.0;
        if (text->status != REN_OK) return;
        text->size = start;
        ren__text_add_number(text, value, digits);
        if (text->status == REN_OK && ren__parse_number(text->data + start, &back) && back == value) break;
    }
    /* 1 would come back as an integer. */
    if (text->status == REN_OK && !strpbrk(text->data + start, ".eEn")) ren__text_add(text, ".0");
}

/* The character at `at` if YAML's reader refuses it or folds it as a line break: DEL, C1 with NEL, LS, PS, BOM, U+FFFE
 * and U+FFFF; else 0. `width` is its size. */
static unsigned yaml_escape(const unsigned char *at, size_t left, size_t *width) {
    unsigned code = at[0];

    if (code == 0x7F) return code;
    if (code == 0xC2 && left > 1 && at[1] < 0xA0) {
        *width = 2;
        return at[1];
    }
    if ((code != 0xE2 && code != 0xEF) || left < 3) return 0;
    code = (code & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    if (code != 0x2028 && code != 0x2029 && code != 0xFEFF && code != 0xFFFE && code != 0xFFFF) return 0;
    *width = 3;
    return code;
}

void ren__write_string(ren_text *text, const char *string, size_t size, int yaml) {
    const unsigned char *at = (const unsigned char *)string;
    size_t plain = 0; /* start of what can be copied as it is */

    ren__text_add(text, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned code = at[i];
        size_t width = 1;
        if (yaml && code >= 0x7F) {
            code = yaml_escape(at + i, size - i, &width);
            if (!code) continue;
        } else if (code >= 0x20 && code != '"' && code != '\\') {
            continue;
        }
        ren__text_add_bytes(text, string + plain, i - plain);
        if (code == '"' || code == '\\')
            ren__text_addf(text, "\\%c", (int)code);
        else if (code == '\n')
            ren__text_add(text, "\\n");
        else if (code == '\t')
            ren__text_add(text, "\\t");
        else
            ren__text_addf(text, "\\u%04x", code);
        i += width - 1;
        plain = i + 1;
    }
    ren__text_add_bytes(text, string + plain, size - plain);
    ren__text_add(text, "\"");
}

int ren__write_scalar(ren_text *text, const json_t *value, int yaml) {
    switch (json_typeof(value)) {
    case JSON_NULL:
        ren__text_add(text, "null");
        return 1;
    case JSON_TRUE:
        ren__text_add(text, "true");
        return 1;
    case JSON_FALSE:
        ren__text_add(text, "false");
        return 1;
    case JSON_INTEGER:
        ren__text_addf(text, "%lld", (long long)json_integer_value(value));
        return 1;
    case JSON_REAL:
        ren__write_real(text, json_real_value(value));
        return 1;
    case JSON_STRING:
        ren__write_string(text, json_string_value(value), json_string_length(value), yaml);
        return 1;
    default:
        return 0;
    }
}

int ren__scalars_only(const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (json_is_array(item) || json_is_object(item)) return 0;
    }
    return 1;
}

ren_status ren__too_deep(void) {
    return ren__error(REN_E_INVALID, "a document to be written is nested deeper than %d levels", REN__DOCUMENT_DEPTH);
}

/* To the next item: a new line with the indent, or a space where all is on one line. */
static void next_line(ren_text *text, int indent, int depth, const char *inline_gap) {
    if (!indent)
        ren__text_add(text, inline_gap);
    else
        ren__text_addf(text, "\n%*s", indent * depth, "");
}

static ren_status write_json(ren_text *text, const json_t *value, int indent, int depth) {
    ren_status st = REN_OK;
    const char *key;
    json_t *item;
    size_t index = 0;

    if (depth > REN__DOCUMENT_DEPTH) return ren__too_deep();
    if (ren__write_scalar(text, value, 0)) return text->status;
    if (json_is_array(value)) {
        int lines = ren__scalars_only(value) ? 0 : indent;
        ren__text_add(text, "[");
        for (index = 0; index < json_array_size(value); index++) {
            if (index) ren__text_add(text, ",");
            next_line(text, lines, depth + 1, index ? " " : "");
            REN_TRY(write_json(text, json_array_get(value, index), indent, depth + 1));
        }
        next_line(text, lines, depth, "");
        ren__text_add(text, "]");
        return text->status;
    }
    ren__text_add(text, "{");
    json_object_foreach((json_t *)value, key, item) {
        if (index++) ren__text_add(text, ",");
        next_line(text, indent, depth + 1, index > 1 ? " " : "");
        ren__write_string(text, key, strlen(key), 0);
        ren__text_add(text, ": ");
        REN_TRY(write_json(text, item, indent, depth + 1));
    }
    if (index) next_line(text, indent, depth, "");
    ren__text_add(text, "}");
    st = text->status;
out:
    return st;
}

ren_status ren__json_write(ren_context *context, const json_t *tree, int indent, ren_text **out) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    *out = NULL;
    REN_TRY(ren__text_create(context, &text));
    REN_TRY(write_json(text, tree, indent, 0));
    *out = text;
    text = NULL;
out:
    ren_text_free(text);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ access */

static const char *kind_name(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "a map";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

/* The value of a key, NULL where there is none. */
static ren_status look_up(const json_t *object, const char *key, const char *where, const json_t **value) {
    *value = NULL;
    if (!json_is_object(object))
        return ren__error(REN_E_FORMAT, "%s: must be a map with keys, found %s", where,
                          object ? kind_name(object) : "nothing");
    *value = json_object_get(object, key);
    return REN_OK;
}

static ren_status wrong_kind(const char *where, const char *key, const char *wanted, const json_t *value) {
    return ren__error(REN_E_FORMAT, "%s: \"%s\" must be %s, found %s", where, key, wanted, kind_name(value));
}

ren_status ren__get_string(const json_t *object, const char *key, const char *where, const char **value) {
    const json_t *found;
    ren_status st = look_up(object, key, where, &found);

    if (st != REN_OK || !found) return st;
    if (!json_is_string(found)) return wrong_kind(where, key, "a string", found);
    *value = json_string_value(found);
    return REN_OK;
}

ren_status ren__get_number(const json_t *object, const char *key, const char *where, double *value) {
    const json_t *found;
    ren_status st = look_up(object, key, where, &found);

    if (st != REN_OK || !found) return st;
    if (!json_is_number(found)) return wrong_kind(where, key, "a number", found);
    *value = json_number_value(found);
    return REN_OK;
}

ren_status ren__get_integer(const json_t *object, const char *key, const char *where, int64_t low, int64_t high,
                            int64_t *value) {
    const json_t *found;
    ren_status st = look_up(object, key, where, &found);
    long long number;

    if (st != REN_OK || !found) return st;
    if (!json_is_integer(found)) return wrong_kind(where, key, "a whole number", found);
    number = json_integer_value(found);
    if (number < low || number > high)
        return ren__error(REN_E_FORMAT, "%s: \"%s\" is %lld, must be from %lld to %lld", where, key, number,
                          (long long)low, (long long)high);
    *value = number;
    return REN_OK;
}

ren_status ren__get_boolean(const json_t *object, const char *key, const char *where, int *value) {
    const json_t *found;
    ren_status st = look_up(object, key, where, &found);

    if (st != REN_OK || !found) return st;
    if (!json_is_boolean(found)) return wrong_kind(where, key, "true or false", found);
    *value = json_is_true(found);
    return REN_OK;
}

enum { LONGEST_KEY = 63 };

/* Levenshtein's distance; keys longer than any of ours are far from all of them. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[LONGEST_KEY + 1];
    size_t rows = strlen(a), columns = strlen(b);

    if (rows > LONGEST_KEY || columns > LONGEST_KEY) return rows + columns;
    for (size_t j = 0; j <= columns; j++)
        row[j] = j;
    for (size_t i = 1; i <= rows; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[columns];
}

static ren_status unknown_key(const char *key, const char *where, const char *const *known) {
    char quoted[REN__QUOTE_SIZE], list[256];
    const char *nearest = NULL;
    size_t least = strlen(key) / 2 + 1; /* further away is no misspelling */
    size_t used = 0;

    for (size_t i = 0; known[i]; i++) {
        size_t distance = edit_distance(key, known[i]);
        size_t size = strlen(known[i]);
        if (distance < least) {
            least = distance;
            nearest = known[i];
        }
        if (used + size + 3 > sizeof list) continue;
        if (used) {
            memcpy(list + used, ", ", 2);
            used += 2;
        }
        memcpy(list + used, known[i], size);
        used += size;
    }
    list[used] = 0;
    ren__quote(key, quoted, sizeof quoted);
    if (nearest)
        return ren__error(REN_E_FORMAT, "%s: unknown key \"%s\"; did you mean \"%s\"?", where, quoted, nearest);
    return ren__error(REN_E_FORMAT, "%s: unknown key \"%s\"; known are: %s", where, quoted, list);
}

ren_status ren__check_keys(const json_t *object, const char *where, const char *const *known) {
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return ren__error(REN_E_FORMAT, "%s: must be a map with keys, found %s", where,
                          object ? kind_name(object) : "nothing");
    json_object_foreach((json_t *)object, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i]) return unknown_key(key, where, known);
    }
    return REN_OK;
}
