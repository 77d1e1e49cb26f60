/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes, their names and texts, and the thread's error text. */
#include "base/status.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Every code once: name, words for a person. */
#define STATUS_TABLE(X)                                                                                                \
    X(REN_OK, "no error")                                                                                              \
    X(REN_E_INVALID, "invalid argument")                                                                               \
    X(REN_E_MEMORY, "out of memory")                                                                                   \
    X(REN_E_LIMIT, "over the memory limit")                                                                            \
    X(REN_E_IO, "input/output error")                                                                                  \
    X(REN_E_FORMAT, "malformed file")                                                                                  \
    X(REN_E_DATA, "data not usable")                                                                                   \
    X(REN_E_UNSUPPORTED, "not supported by this build")                                                                \
    X(REN_E_CANCELLED, "cancelled")                                                                                    \
    X(REN_E_DEADLINE, "deadline passed")                                                                               \
    X(REN_E_FORKED, "the process forked after threads were started: spawn it")                                         \
    X(REN_E_STATE, "calls in the wrong order")                                                                         \
    X(REN_E_NOT_FOUND, "no such name")                                                                                 \
    X(REN_E_CHECK, "verification failed")                                                                              \
    X(REN_E_INTERNAL, "defect of the library, please report it")

/* Long enough for a sentence with a path in it; longer texts are cut between characters. */
enum { ERROR_TEXT = 2048 };

static _Thread_local char error_text[ERROR_TEXT];

const char *ren_status_name(ren_status status) {
    switch (status) {
#define CASE_NAME(code, text)                                                                                          \
    case code:                                                                                                         \
        return #code;
        STATUS_TABLE(CASE_NAME)
#undef CASE_NAME
    default:
        return "unknown status";
    }
}

const char *ren_status_text(ren_status status) {
    switch (status) {
#define CASE_TEXT(code, text)                                                                                          \
    case code:                                                                                                         \
        return text;
        STATUS_TABLE(CASE_TEXT)
#undef CASE_TEXT
    default:
        return "unknown status";
    }
}

const char *ren_error_message(void) {
    return error_text;
}

int ren__format(char *buffer, size_t size, const char *format, va_list arguments) {
    /* The thread's locale alone is switched; glibc's "C" object is static, so that nothing is allocated. */
    const locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    const locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0;
    const int length = vsnprintf(buffer, size, format, arguments);

    if (c_locale) {
        uselocale(before);
        freelocale(c_locale);
    }
    return length;
}

/* Removes the start of a UTF-8 character that the cut has left without its end. */
static void trim_utf8(char *text) {
    size_t length = strlen(text), start = length;

    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0) return;
    const unsigned char lead = (unsigned char)text[start - 1];
    const size_t wanted = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (length - start < wanted) text[start - 1] = '\0';
}

/* The arguments may point into the present text: the new one is made beside it. */
static void set_text(const char *format, va_list arguments, const char *tail) {
    char text[ERROR_TEXT];
    int length = ren__format(text, sizeof text, format, arguments);

    if (length < 0) {
        length = 0;
        text[0] = '\0';
    }
    if ((size_t)length < sizeof text && tail) {
        const size_t room = sizeof text - (size_t)length;
        length += snprintf(text + length, room, ": %s", tail);
    }
    if ((size_t)length >= sizeof text) trim_utf8(text);
    memcpy(error_text, text, strlen(text) + 1);
}

void ren__error_text(const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    set_text(format, arguments, NULL);
    va_end(arguments);
}

void ren__error_text_before(const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    set_text(format, arguments, error_text);
    va_end(arguments);
}

#define TEXT_OF(number)                   #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *ren_version(void) {
    return VERSION_TEXT(REN_VERSION_MAJOR, REN_VERSION_MINOR, REN_VERSION_PATCH);
}

int32_t ren_version_number(void) {
    return REN_VERSION_NUMBER;
}
