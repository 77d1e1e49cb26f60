/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes and the thread's error text. */
#ifndef REN_BASE_STATUS_H
#define REN_BASE_STATUS_H

#include <stdarg.h>

#include "ren.h"

/* Sets this thread's error text and gives `code`. Never allocates. A macro, so that static analysis sees that a failure
 * is not REN_OK. */
#define ren__error(code, ...) (ren__error_text(__VA_ARGS__), (ren_status)(code))
void ren__error_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Puts "context: " before the text of the failure that is being passed on; gives `code`. */
#define ren__error_context(code, ...) (ren__error_text_before(__VA_ARGS__), (ren_status)(code))
void ren__error_text_before(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* vsnprintf with a decimal point whatever the locale. */
int ren__format(char *buffer, size_t size, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));

/* Leaves for the label `out` with the failure. Every function that uses them has `ren_status st = REN_OK;`. */
#define REN_TRY(expression)                                                                                            \
    do {                                                                                                               \
        st = (expression);                                                                                             \
        if (st != REN_OK) goto out;                                                                                    \
    } while (0)
#define REN_FAIL(...)                                                                                                  \
    do {                                                                                                               \
        st = ren__error(__VA_ARGS__);                                                                                  \
        goto out;                                                                                                      \
    } while (0)
/* A missing argument: names it. For public functions, before anything is held. */
#define REN_REQUIRE(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) return ren__error(REN_E_INVALID, "%s: %s does not hold", __func__, #condition);              \
    } while (0)

#endif
