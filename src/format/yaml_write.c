/* SPDX-License-Identifier: Apache-2.0 */
/* A tree as block YAML. Whatever another reader could take for something else stands in quotes. */
#include <string.h>
#include <strings.h>

#include "format/document_write.h"

/* Words that YAML 1.1 or 1.2 does not read as strings. */
static int is_reserved(const char *text) {
    static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y", "n", NULL };

    for (size_t i = 0; words[i]; i++)
        if (strcasecmp(text, words[i]) == 0) return 1;
    return 0;
}

/* Names, file names and words with single spaces need no quotes. What starts with a digit, a sign or a point does. */
static int is_plain(const char *text, size_t size) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/0123456789.+- ";

    if (!size || !strchr(letters, text[0]) || text[size - 1] == ' ' || strstr(text, "  ")) return 0;
    return strspn(text, all) == size && !is_reserved(text);
}

static void add_string(ren_text *text, const char *string, size_t size) {
    if (is_plain(string, size))
        ren__text_add_bytes(text, string, size);
    else
        ren__write_string(text, string, size, 1);
}

/* What fits on the line of its key: scalars, lists of scalars, and empty maps. 0: it does not, nothing written. */
static int write_on_line(ren_text *text, const json_t *value) {
    if (json_is_string(value)) {
        add_string(text, json_string_value(value), json_string_length(value));
        return 1;
    }
    if (ren__write_scalar(text, value, 1)) return 1;
    if (json_is_object(value) && json_object_size(value)) return 0;
    if (json_is_array(value) && !ren__scalars_only(value)) return 0;
    if (json_is_object(value)) {
        ren__text_add(text, "{}");
        return 1;
    }
    ren__text_add(text, "[");
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i) ren__text_add(text, ", ");
        (void)write_on_line(text, json_array_get(value, i));
    }
    ren__text_add(text, "]");
    return 1;
}

static void start_line(ren_text *text, int depth) {
    ren__text_addf(text, "%*s", 2 * depth, "");
}

static ren_status write_block(ren_text *text, const json_t *value, int depth, int begun);

/* YAML takes "key:" for a key only within 1024 characters; a longer one is announced by "? ". */
enum { LONGEST_SIMPLE_KEY = 512 };

static ren_status write_pair(ren_text *text, const char *key, const json_t *item, int depth) {
    size_t start, size = strlen(key);

    if (size > LONGEST_SIMPLE_KEY / 6) { /* six bytes at most for one that is escaped */
        ren__text_add(text, "? ");
        add_string(text, key, size);
        ren__text_add(text, "\n");
        start_line(text, depth);
    } else {
        add_string(text, key, size);
    }
    ren__text_add(text, ":");
    start = text->size;
    ren__text_add(text, " ");
    if (write_on_line(text, item)) {
        ren__text_add(text, "\n");
        return text->status;
    }
    if (text->status != REN_OK) return text->status;
    text->size = start; /* the blank */
    ren__text_add(text, "\n");
    return write_block(text, item, depth + 1, 0);
}

/* A map or list that needs lines of its own. `begun`: the first line has its indent already, after a "- ". */
static ren_status write_block(ren_text *text, const json_t *value, int depth, int begun) {
    ren_status st = REN_OK;
    const char *key;
    json_t *item;

    if (depth > REN__DOCUMENT_DEPTH) return ren__too_deep();
    if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, item) {
            if (!begun) start_line(text, depth);
            begun = 0;
            REN_TRY(write_pair(text, key, item, depth));
        }
        return text->status;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!begun) start_line(text, depth);
        begun = 0;
        item = json_array_get(value, i);
        ren__text_add(text, "- ");
        if (write_on_line(text, item))
            ren__text_add(text, "\n");
        else
            REN_TRY(write_block(text, item, depth + 1, 1));
    }
    st = text->status;
out:
    return st;
}

ren_status ren__yaml_write(ren_context *context, const json_t *tree, ren_text **out) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    *out = NULL;
    REN_TRY(ren__text_create(context, &text));
    if (write_on_line(text, tree))
        ren__text_add(text, "\n");
    else
        REN_TRY(write_block(text, tree, 0, 0));
    REN_TRY(text->status);
    *out = text;
    text = NULL;
out:
    ren_text_free(text);
    return st;
}
