/* SPDX-License-Identifier: Apache-2.0 */
/* Python's repr() for numbers, tuples, lists and dictionaries. */
#include "radiomics/python_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS_MAX = 17, NUMBER = 64 };

/* The `count` significant digits of a finite positive value and the exponent of the first one; read without regard to
 * the locale's decimal point. */
static int digits_of(double value, int count, char digits[DIGITS_MAX + 1]) {
    char text[NUMBER];
    int found = 0;
    const char *at = text;

    snprintf(text, sizeof text, "%.*e", count - 1, value);
    for (; *at != 'e' && *at; at++)
        if (*at >= '0' && *at <= '9' && found < DIGITS_MAX) digits[found++] = *at;
    digits[found] = '\0';
    int exponent = 0;
    const int negative = at[0] == 'e' && at[1] == '-';
    for (at += at[0] == 'e' ? 2 : 0; *at >= '0' && *at <= '9'; at++)
        exponent = 10 * exponent + (*at - '0');
    return negative ? -exponent : exponent;
}

/* Python writes an exponent below 1e-4 and from 1e16 on. */
static void lay_out(const char *digits, int exponent, char out[NUMBER]) {
    const int count = (int)strlen(digits);

    if (exponent < -4 || exponent >= 16) {
        snprintf(out, NUMBER, "%c%s%se%c%02d", digits[0], count > 1 ? "." : "", digits + 1, exponent < 0 ? '-' : '+',
                 exponent < 0 ? -exponent : exponent);
    } else if (exponent < 0) {
        snprintf(out, NUMBER, "0.%.*s%s", -exponent - 1, "000", digits);
    } else if (count <= exponent + 1) {
        snprintf(out, NUMBER, "%s%.*s.0", digits, exponent + 1 - count, "0000000000000000");
    } else {
        snprintf(out, NUMBER, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    }
}

void ren__python_number(ren_text *text, double value) {
    char digits[DIGITS_MAX + 1], out[NUMBER] = "0.0";
    const double size = fabs(value);
    double back = 0.0;

    if (isnan(value)) {
        ren__text_add(text, "nan");
        return;
    }
    if (signbit(value)) ren__text_add(text, "-");
    if (isinf(value)) {
        ren__text_add(text, "inf");
        return;
    }
    for (int count = 15; size > 0.0 && count <= DIGITS_MAX; count++) {
        const int exponent = digits_of(size, count, digits);
        size_t length = strlen(digits);
        while (length > 1 && digits[length - 1] == '0')
            digits[--length] = '\0';
        lay_out(digits, exponent, out);
        if (ren__parse_number(out, &back) && back == size) break;
    }
    ren__text_add(text, out);
}

void ren__python_numbers(ren_text *text, const double *values, int32_t count) {
    ren__text_add(text, "(");
    for (int32_t i = 0; i < count; i++) {
        if (i) ren__text_add(text, ", ");
        ren__python_number(text, values[i]);
    }
    ren__text_add(text, ")");
}

void ren__python_integers(ren_text *text, const int64_t *values, int32_t count) {
    ren__text_add(text, "(");
    for (int32_t i = 0; i < count; i++)
        ren__text_addf(text, "%s%lld", i ? ", " : "", (long long)values[i]);
    ren__text_add(text, ")");
}

/* In single quotes, in double ones where the string has single ones alone. */
static void add_string(ren_text *text, const char *string) {
    const char quote = strchr(string, '\'') && !strchr(string, '"') ? '"' : '\'';

    ren__text_addf(text, "%c", quote);
    for (; *string; string++) {
        const unsigned char c = (unsigned char)*string;
        if (*string == quote || *string == '\\')
            ren__text_addf(text, "\\%c", *string);
        else if (c < ' ' || c == 0x7F)
            ren__text_addf(text, "\\x%02x", c);
        else
            ren__text_add_bytes(text, string, 1);
    }
    ren__text_addf(text, "%c", quote);
}

static void add_list(ren_text *text, const json_t *list) {
    ren__text_add(text, "[");
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i) ren__text_add(text, ", ");
        ren__python_value(text, json_array_get(list, i));
    }
    ren__text_add(text, "]");
}

static void add_map(ren_text *text, const json_t *map) {
    const char *key;
    json_t *value;
    int first = 1;

    ren__text_add(text, "{");
    json_object_foreach((json_t *)map, key, value) {
        if (!first) ren__text_add(text, ", ");
        first = 0;
        add_string(text, key);
        ren__text_add(text, ": ");
        ren__python_value(text, value);
    }
    ren__text_add(text, "}");
}

void ren__python_value(ren_text *text, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_map(text, value);
        break;
    case JSON_ARRAY:
        add_list(text, value);
        break;
    case JSON_STRING:
        add_string(text, json_string_value(value));
        break;
    case JSON_INTEGER:
        ren__text_addf(text, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        ren__python_number(text, json_real_value(value));
        break;
    default:
        ren__text_add(text, json_is_null(value) ? "None" : json_is_true(value) ? "True" : "False");
    }
}
