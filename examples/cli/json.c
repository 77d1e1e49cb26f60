/* SPDX-License-Identifier: Apache-2.0 */
/* A reader for JSON that the library made: no checks beyond staying inside the text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char *skip_space(const char *at) {
    return at + strspn(at, " \t\r\n");
}

static const char *skip_string(const char *at) {
    for (at++; *at && *at != '"'; at++)
        if (*at == '\\' && at[1]) at++;
    return *at ? at + 1 : at;
}

static const char *skip_value(const char *at) {
    int depth = 0;

    do {
        if (*at == '"') {
            at = skip_string(at);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (depth > 0) {
            at++;
        } else {
            at += strcspn(at, ",}] \t\r\n");
        }
    } while (depth > 0 && *at);
    return at;
}

static cli_json_member member_at(const char *at) {
    cli_json_member member = { NULL, NULL, NULL };

    at = skip_space(at);
    if (*at == '}' || *at == ']' || *at == '\0') return member;
    const char *after = *at == '"' ? skip_space(skip_string(at)) : at;
    if (*after == ':') {
        member.key = at;
        at = skip_space(after + 1);
    }
    member.value = at;
    member.next = skip_space(skip_value(at));
    return member;
}

cli_json_member cli_json_first(const char *container) {
    const char *at = container ? skip_space(container) : "";

    return member_at(*at == '{' || *at == '[' ? at + 1 : "");
}

cli_json_member cli_json_next(cli_json_member member) {
    return member_at(*member.next == ',' ? member.next + 1 : "");
}

const char *cli_json_get(const char *object, const char *key) {
    const size_t length = strlen(key);

    for (cli_json_member m = cli_json_first(object); m.value; m = cli_json_next(m))
        if (m.key && strncmp(m.key + 1, key, length) == 0 && m.key[length + 1] == '"') return m.value;
    return NULL;
}

double cli_json_number(const char *value) {
    char *end;

    if (!value || (*value != '-' && (*value < '0' || *value > '9'))) return NAN;
    const double number = strtod(value, &end);
    return end == value ? NAN : number;
}

/* The code point of \uXXXX as UTF-8; halves of surrogate pairs become '?'. */
static size_t put_escape(const char *digits, char *out) {
    char hex[5] = { 0 };

    memcpy(hex, digits, strnlen(digits, 4));
    const unsigned long code = strtoul(hex, NULL, 16);
    if (code < 0x80) {
        out[0] = code < ' ' ? ' ' : (char)code;
        return 1;
    }
    if (code >= 0xd800 && code < 0xe000) {
        out[0] = '?';
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | (code >> 12));
    out[1] = (char)(0x80 | ((code >> 6) & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

const char *cli_json_text(const char *value, char *buffer, size_t size) {
    size_t used = 0;

    if (!value) value = "";
    if (*value != '"') {
        const size_t length = (size_t)(skip_value(value) - value);
        used = length < size ? length : size - 1;
        memcpy(buffer, value, used);
    } else {
        for (const char *at = value + 1; *at && *at != '"' && used + 4 < size; at++) {
            if (*at != '\\') {
                buffer[used++] = (unsigned char)*at < ' ' ? ' ' : *at;
            } else if (at[1] == 'u' && strnlen(at + 2, 4) == 4) {
                used += put_escape(at + 2, buffer + used);
                at += 5;
            } else if (at[1]) {
                at++;
                buffer[used++] = strchr("\"\\/", *at) ? *at : ' ';
            }
        }
    }
    buffer[used] = '\0';
    return buffer;
}

static void print_scalar(FILE *stream, const char *value) {
    char text[1024];

    fputs(*value == 'n' ? "-" : cli_json_text(value, text, sizeof text), stream);
}

/* A list of scalars stands on one line. */
static int is_flat_list(const char *value) {
    if (*value != '[') return 0;
    for (cli_json_member m = cli_json_first(value); m.value; m = cli_json_next(m))
        if (*m.value == '{' || *m.value == '[') return 0;
    return 1;
}

static void print_flat_list(FILE *stream, const char *value) {
    const char *between = "";

    if (!cli_json_first(value).value) fputs("none", stream);
    for (cli_json_member m = cli_json_first(value); m.value; m = cli_json_next(m), between = ", ") {
        fputs(between, stream);
        print_scalar(stream, m.value);
    }
}

static void print_members(FILE *stream, const char *container, int depth) {
    char key[128];

    for (cli_json_member m = cli_json_first(container); m.value; m = cli_json_next(m)) {
        const int nested = (*m.value == '{' || *m.value == '[') && !is_flat_list(m.value);

        fprintf(stream, "%*s%s%s", 2 * depth, "", m.key ? cli_json_text(m.key, key, sizeof key) : "-",
                m.key ? ":" : "");
        if (nested && depth < 16) {
            fputc('\n', stream);
            print_members(stream, m.value, depth + 1);
            continue;
        }
        fputc(' ', stream);
        if (is_flat_list(m.value))
            print_flat_list(stream, m.value);
        else
            print_scalar(stream, m.value);
        fputc('\n', stream);
    }
}

void cli_json_outline(FILE *stream, const char *json) {
    print_members(stream, json, 0);
}
