/* SPDX-License-Identifier: Apache-2.0 */
/* YAML into a tree, from libyaml's events. Only what a configuration needs: see document.h for what is refused. */
#include "format/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "format/names.h"

typedef struct reader {
    yaml_parser_t parser;
    const char *name;
    size_t values;
} reader;

static ren_status fail_at(const reader *in, yaml_mark_t at, const char *what) {
    return ren__error(REN_E_FORMAT, "%s, line %zu, column %zu: %s", in->name, at.line + 1, at.column + 1, what);
}

static ren_status fail_about(const reader *in, yaml_mark_t at, const char *what, const char *text) {
    char quoted[REN__QUOTE_SIZE];
    return ren__error(REN_E_FORMAT, "%s, line %zu, column %zu: %s: \"%s\"", in->name, at.line + 1, at.column + 1, what,
                      ren__quote(text, quoted, sizeof quoted));
}

static ren_status out_of_memory(const reader *in) {
    return ren__error(REN_E_MEMORY, "%s: out of memory in the YAML reader", in->name);
}

/* The next event; the caller deletes it. On failure there is none to delete. */
static ren_status next_event(reader *in, yaml_event_t *event) {
    const yaml_parser_t *parser = &in->parser;

    if (yaml_parser_parse(&in->parser, event)) return REN_OK;
    memset(event, 0, sizeof *event);
    if (parser->error == YAML_MEMORY_ERROR) return out_of_memory(in);
    if (parser->error == YAML_READER_ERROR) /* bytes that are no text: libyaml knows the offset alone */
        return ren__error(REN_E_FORMAT, "%s, byte %zu: %s", in->name, parser->problem_offset + 1,
                          parser->problem ? parser->problem : "unreadable");
    return fail_at(in, parser->problem_mark, parser->problem ? parser->problem : "not YAML");
}

/* ----------------------------------------------------------------------------------------------------- scalars */

static size_t digits_at(const char *text) {
    return strspn(text, "0123456789");
}

enum number_form { NOT_A_NUMBER, INTEGER, REAL, AMBIGUOUS };

/* Decimal numbers as YAML 1.2's core schema has them. With a leading zero YAML 1.1 takes an integer as octal. */
static enum number_form number_form(const char *text) {
    const char *at = text + (*text == '-' || *text == '+');
    size_t whole = digits_at(at), fraction = 0;
    int leading_zero = whole > 1 && at[0] == '0';
    enum number_form form = INTEGER;

    at += whole;
    if (*at == '.') {
        fraction = digits_at(++at);
        at += fraction;
        form = REAL;
    }
    if (!whole && !fraction) return NOT_A_NUMBER;
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        if (!digits_at(at)) return NOT_A_NUMBER;
        at += digits_at(at);
        form = REAL;
    }
    if (*at) return NOT_A_NUMBER;
    return form == INTEGER && leading_zero ? AMBIGUOUS : form;
}

static int is_one_of(const char *text, const char *const *words) {
    for (; *words; words++)
        if (strcmp(text, *words) == 0) return 1;
    return 0;
}

static ren_status plain_scalar(const reader *in, const yaml_event_t *event, json_t **out) {
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    static const char *const infinite[] = { ".inf", ".Inf", ".INF", "+.inf", "-.inf", ".nan", ".NaN", ".NAN", NULL };
    const char *text = (const char *)event->data.scalar.value;
    double real = 0.0;
    long long integer;

    if (is_one_of(text, nulls))
        *out = json_null();
    else if (is_one_of(text, trues))
        *out = json_true();
    else if (is_one_of(text, falses))
        *out = json_false();
    else if (is_one_of(text, infinite))
        return fail_about(in, event->start_mark, "numbers must be finite", text);
    else
        switch (number_form(text)) {
        case INTEGER:
            errno = 0;
            integer = strtoll(text, NULL, 10);
            if (errno) return fail_about(in, event->start_mark, "the whole number has too many digits", text);
            *out = json_integer(integer);
            break;
        case REAL:
            if (!ren__parse_number(text, &real))
                return fail_about(in, event->start_mark, "the number is out of range", text);
            *out = json_real(real);
            break;
        case AMBIGUOUS:
            return fail_about(in, event->start_mark,
                              "a number with leading zeros: quote it if it is a name, else leave them out", text);
        case NOT_A_NUMBER:
            *out = json_stringn(text, event->data.scalar.length);
            break;
        }
    return *out ? REN_OK : out_of_memory(in);
}

/* Checks what keys and values have in common. */
static ren_status check_scalar(const reader *in, const yaml_event_t *event) {
    if (event->data.scalar.anchor) return fail_at(in, event->start_mark, "anchors are not supported");
    if (event->data.scalar.tag) return fail_at(in, event->start_mark, "tags are not supported");
    if (!ren__utf8_valid((const char *)event->data.scalar.value, event->data.scalar.length))
        return fail_at(in, event->start_mark, "a string with a zero byte or broken UTF-8");
    return REN_OK;
}

static ren_status read_scalar(const reader *in, const yaml_event_t *event, json_t **out) {
    ren_status st = check_scalar(in, event);

    if (st != REN_OK) return st;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) return plain_scalar(in, event, out);
    *out = json_stringn((const char *)event->data.scalar.value, event->data.scalar.length);
    return *out ? REN_OK : out_of_memory(in);
}

/* ------------------------------------------------------------------------------------------------------- nodes */

static ren_status read_node(reader *in, const yaml_event_t *event, int depth, json_t **out);

static ren_status check_key(const reader *in, const yaml_event_t *event, const json_t *map) {
    const char *key = (const char *)event->data.scalar.value;
    ren_status st;

    if (event->type == YAML_ALIAS_EVENT) return fail_at(in, event->start_mark, "aliases are not supported");
    if (event->type != YAML_SCALAR_EVENT) return fail_at(in, event->start_mark, "a key must be a word");
    st = check_scalar(in, event);
    if (st != REN_OK) return st;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        if (!*key) return fail_at(in, event->start_mark, "a key is missing");
        if (strcmp(key, "<<") == 0) return fail_at(in, event->start_mark, "merge keys are not supported");
    }
    if (json_object_get(map, key)) return fail_about(in, event->start_mark, "the key is here twice", key);
    return REN_OK;
}

static ren_status read_map(reader *in, int depth, json_t *map) {
    ren_status st = REN_OK;
    yaml_event_t key, value;
    json_t *item = NULL;

    for (;;) {
        memset(&value, 0, sizeof value);
        REN_TRY(next_event(in, &key));
        if (key.type == YAML_MAPPING_END_EVENT) break;
        st = check_key(in, &key, map);
        if (st == REN_OK) st = next_event(in, &value);
        if (st == REN_OK) st = read_node(in, &value, depth, &item);
        if (st == REN_OK && json_object_set_new(map, (const char *)key.data.scalar.value, item) != 0)
            st = out_of_memory(in);
        yaml_event_delete(&value);
        yaml_event_delete(&key);
        if (st != REN_OK) goto out;
    }
    yaml_event_delete(&key);
out:
    return st;
}

static ren_status read_list(reader *in, int depth, json_t *list) {
    ren_status st = REN_OK;
    yaml_event_t event;
    json_t *item = NULL;
    int end = 0;

    while (!end) {
        REN_TRY(next_event(in, &event));
        end = event.type == YAML_SEQUENCE_END_EVENT;
        if (!end) st = read_node(in, &event, depth, &item);
        yaml_event_delete(&event);
        if (st == REN_OK && !end && json_array_append_new(list, item) != 0) st = out_of_memory(in);
        if (st != REN_OK) goto out;
    }
out:
    return st;
}

/* The node that begins with `event`, which stays the caller's. `depth` counts the maps and lists around it. */
static ren_status read_node(reader *in, const yaml_event_t *event, int depth, json_t **out) {
    ren_status st = REN_OK;
    json_t *tree = NULL;

    *out = NULL;
    if (++in->values > REN__DOCUMENT_VALUES)
        return ren__error(REN_E_LIMIT, "%s, line %zu: more than %d values", in->name, event->start_mark.line + 1,
                          REN__DOCUMENT_VALUES);
    if (event->type == YAML_SCALAR_EVENT) return read_scalar(in, event, out);
    if (event->type == YAML_ALIAS_EVENT) return fail_at(in, event->start_mark, "aliases are not supported");
    if (event->type != YAML_SEQUENCE_START_EVENT && event->type != YAML_MAPPING_START_EVENT)
        return ren__error(REN_E_INTERNAL, "%s: unexpected event %d from libyaml", in->name, (int)event->type);
    if (depth >= REN__DOCUMENT_DEPTH) return fail_at(in, event->start_mark, "nested deeper than 64 levels");
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        if (event->data.sequence_start.anchor) return fail_at(in, event->start_mark, "anchors are not supported");
        if (event->data.sequence_start.tag) return fail_at(in, event->start_mark, "tags are not supported");
        tree = json_array();
        if (!tree) return out_of_memory(in);
        st = read_list(in, depth + 1, tree);
    } else {
        if (event->data.mapping_start.anchor) return fail_at(in, event->start_mark, "anchors are not supported");
        if (event->data.mapping_start.tag) return fail_at(in, event->start_mark, "tags are not supported");
        tree = json_object();
        if (!tree) return out_of_memory(in);
        st = read_map(in, depth + 1, tree);
    }
    if (st == REN_OK)
        *out = tree;
    else
        json_decref(tree);
    return st;
}

static ren_status expect_event(reader *in, yaml_event_type_t type, const char *otherwise) {
    yaml_event_t event;
    ren_status st = next_event(in, &event);

    if (st != REN_OK) return st;
    if (event.type != type)
        st = fail_at(in, event.start_mark, otherwise);
    else if (type == YAML_DOCUMENT_START_EVENT &&
             event.data.document_start.tag_directives.start != event.data.document_start.tag_directives.end)
        st = fail_at(in, event.start_mark, "tags are not supported");
    yaml_event_delete(&event);
    return st;
}

static ren_status read_document(reader *in, json_t **out) {
    ren_status st = REN_OK;
    yaml_event_t event;

    REN_TRY(expect_event(in, YAML_STREAM_START_EVENT, "not YAML"));
    REN_TRY(expect_event(in, YAML_DOCUMENT_START_EVENT, "the file is empty"));
    REN_TRY(next_event(in, &event));
    st = read_node(in, &event, 0, out);
    yaml_event_delete(&event);
    if (st != REN_OK) goto out;
    REN_TRY(expect_event(in, YAML_DOCUMENT_END_EVENT, "not YAML"));
    REN_TRY(expect_event(in, YAML_STREAM_END_EVENT, "a second document begins here: only one is supported"));
out:
    return st;
}

ren_status ren__yaml_parse(const char *text, size_t size, const char *name, json_t **out) {
    ren_status st = REN_OK;
    json_t *tree = NULL;
    reader in;

    *out = NULL;
    memset(&in, 0, sizeof in);
    in.name = name;
    if (size > REN__DOCUMENT_CAP)
        return ren__error(REN_E_LIMIT, "%s: %zu bytes, more than the %d that a document may have", name, size,
                          REN__DOCUMENT_CAP);
    if (size >= 3 &&
        memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* libyaml passes over it only where it guesses the encoding */
        text += 3;
        size -= 3;
    }
    if (!yaml_parser_initialize(&in.parser)) return out_of_memory(&in);
    yaml_parser_set_encoding(&in.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&in.parser, (const unsigned char *)text, size);
    REN_TRY(read_document(&in, &tree));
    *out = tree;
    tree = NULL;
out:
    json_decref(tree);
    yaml_parser_delete(&in.parser);
    return st;
}
