/* SPDX-License-Identifier: Apache-2.0 */
/* Names that come out of files: checked, put in order, and made fit for an error text. */
#ifndef REN_FORMAT_NAMES_H
#define REN_FORMAT_NAMES_H

#include <stddef.h>

enum { REN__QUOTE_SIZE = 80 };

/* `name` for a message: control characters (a terminal would obey them) and broken UTF-8 as '?', cut to fit with "...".
 * Gives `buffer` back. */
const char *ren__quote(const char *name, char *buffer, size_t capacity);

/* Not 0 where all `size` bytes are well-formed UTF-8 (RFC 3629) without a zero byte. */
int ren__utf8_valid(const char *bytes, size_t size);

/* Below, at or above 0 as item `a` comes before, with or after item `b`. */
typedef int (*ren__compare_fn)(const void *items, size_t a, size_t b);

/* Fills `order` with 0 ... count - 1, sorted; equal items stay in order. In place and never quadratic (the C library's
 * qsort takes memory past the host's allocator). */
void ren__sort_indices(size_t *order, size_t count, ren__compare_fn compare, const void *items);

#endif
