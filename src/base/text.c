/* SPDX-License-Identifier: Apache-2.0 */
/* Growing text, and numbers to and from text whatever the locale. */
#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

ren_status ren__text_create(ren_context *context, ren_text **out) {
    ren_status st = REN_OK;
    ren_text *text;

    *out = NULL;
    REN_CALLOC(text, 1);
    text->capacity = 64;
    text->data = ren__alloc(context, text->capacity);
    if (!text->data) {
        ren__free(text);
        return ren__out_of_memory();
    }
    text->data[0] = '\0';
    text->context = ren__context_retain(context);
    *out = text;
out:
    return st;
}

const char *ren_text_data(const ren_text *text) {
    return text ? text->data : "";
}

size_t ren_text_size(const ren_text *text) {
    return text ? text->size : 0;
}

void ren_text_free(ren_text *text) {
    if (!text) return;
    ren_context *context = text->context;

    ren__free(text->data);
    ren__free(text);
    ren__context_release(context);
}

/* Room for `more` bytes and the terminator; 0 once the text has failed. */
static int make_room(ren_text *text, size_t more) {
    size_t wanted;

    if (text->status != REN_OK) return 0;
    if (!ren__add_size(text->size, more, &wanted) || !ren__add_size(wanted, 1, &wanted)) {
        text->status = ren__error(REN_E_MEMORY, "out of memory: the text is too long");
        return 0;
    }
    if (wanted <= text->capacity) return 1;
    if (wanted < SIZE_MAX / 2 && wanted < 2 * text->capacity) wanted = 2 * text->capacity;
    char *larger = ren__realloc(text->context, text->data, wanted);
    if (!larger) {
        text->status = ren__out_of_memory();
        return 0;
    }
    text->data = larger;
    text->capacity = wanted;
    return 1;
}

void ren__text_add_bytes(ren_text *text, const void *bytes, size_t size) {
    if (size == 0 || !make_room(text, size)) return;
    memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void ren__text_add(ren_text *text, const char *string) {
    ren__text_add_bytes(text, string, strlen(string));
}

void ren__text_addf(ren_text *text, const char *format, ...) {
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = ren__format(NULL, 0, format, arguments);
    if (length < 0) {
        if (text->status == REN_OK) text->status = ren__error(REN_E_INTERNAL, "a text could not be formatted");
    } else if (make_room(text, (size_t)length)) {
        (void)ren__format(text->data + text->size, (size_t)length + 1, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void ren__text_add_number(ren_text *text, double value, int digits) {
    if (isnan(value))
        ren__text_add(text, "nan"); /* without the sign that some processors give it */
    else if (isinf(value))
        ren__text_add(text, value > 0 ? "inf" : "-inf");
    else
        ren__text_addf(text, "%.*g", digits, value);
}

void ren__text_add_html(ren_text *text, const char *string) {
    for (;;) {
        const size_t plain = strcspn(string, "&<>\"'");
        ren__text_add_bytes(text, string, plain);
        string += plain;
        switch (*string++) {
        case '\0':
            return;
        case '&':
            ren__text_add(text, "&amp;");
            break;
        case '<':
            ren__text_add(text, "&lt;");
            break;
        case '>':
            ren__text_add(text, "&gt;");
            break;
        case '"':
            ren__text_add(text, "&quot;");
            break;
        default:
            ren__text_add(text, "&#39;");
            break;
        }
    }
}

/* RFC 4648, section 4. */
void ren__text_add_base64(ren_text *text, const void *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes;
    size_t length;

    if (!ren__mul_size(size / 3 + (size % 3 != 0), 4, &length)) length = SIZE_MAX; /* refused for its length below */
    if (!make_room(text, length)) return;
    char *to = text->data + text->size;
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned a = from[i], b = left > 1 ? from[i + 1] : 0, c = left > 2 ? from[i + 2] : 0;
        *to++ = digits[a >> 2];
        *to++ = digits[(a & 3) << 4 | b >> 4];
        *to++ = left > 1 ? digits[(b & 15) << 2 | c >> 6] : '=';
        *to++ = left > 2 ? digits[c & 63] : '=';
    }
    *to = '\0';
    text->size += length;
}

/* Only what JSON, CSV and people write: strtod alone also takes hexadecimal, leading blanks and "nan(...)". */
static int looks_like_number(const char *string) {
    const char *digits = string + (*string == '-' || *string == '+');

    if (strcmp(digits, "nan") == 0 || strcmp(digits, "inf") == 0 || strcmp(digits, "NaN") == 0) return 1;
    return *digits != '\0' && strspn(digits, "0123456789.eE+-") == strlen(digits);
}

int ren__parse_number(const char *string, double *value) {
    if (!looks_like_number(string)) return 0;
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* static in glibc: nothing is allocated */
    if (!c_locale) return 0;
    const int errno_before = errno;
    char *end;
    errno = 0;
    const double parsed = strtod_l(string, &end, c_locale);
    const int overflow = errno == ERANGE && isinf(parsed);
    errno = errno_before;
    freelocale(c_locale);
    if (end == string || *end != '\0' || overflow) return 0;
    *value = parsed;
    return 1;
}
