/* SPDX-License-Identifier: Apache-2.0 */
/* Names that come out of files: quoting, UTF-8 and a heap sort of indices. */
#include "format/names.h"

#include <string.h>

/* Bytes of the well-formed character at `bytes`, 0 where there is none (RFC 3629, table in section 4). */
static size_t character_size(const unsigned char *bytes, size_t left) {
    unsigned char first = bytes[0];
    unsigned char low = 0x80, high = 0xBF;
    size_t size;

    if (first < 0x80) return 1;
    if (first < 0xC2 || first > 0xF4) return 0;
    size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (left < size) return 0;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    if (bytes[1] < low || bytes[1] > high) return 0;
    for (size_t i = 2; i < size; i++)
        if ((bytes[i] & 0xC0) != 0x80) return 0;
    return size;
}

int ren__utf8_valid(const char *bytes, size_t size) {
    const unsigned char *at = (const unsigned char *)bytes;
    size_t i = 0;

    while (i < size) {
        size_t step = at[i] ? character_size(at + i, size - i) : 0;
        if (!step) return 0;
        i += step;
    }
    return 1;
}

const char *ren__quote(const char *name, char *buffer, size_t capacity) {
    const unsigned char *at = (const unsigned char *)name;
    size_t left = strlen(name), used = 0;

    while (left) {
        size_t step = character_size(at, left);
        int shown = step && at[0] >= 0x20 && at[0] != 0x7F && !(at[0] == 0xC2 && at[1] < 0xA0);
        size_t width = shown ? step : 1;
        /* What follows must still fit: this character and the dots, or this character as the last one. */
        if (used + width + (left > (step ? step : 1) ? 4u : 1u) > capacity) {
            memcpy(buffer + used, "...", 4);
            return buffer;
        }
        if (shown)
            memcpy(buffer + used, at, step);
        else
            buffer[used] = '?';
        used += width;
        at += step ? step : 1;
        left -= step ? step : 1;
    }
    buffer[used] = 0;
    return buffer;
}

/* Not 0 where index `a` must come after index `b`. */
static int after(ren__compare_fn compare, const void *items, size_t a, size_t b) {
    int order = compare(items, a, b);
    return order > 0 || (order == 0 && a > b);
}

static void sift_down(size_t *order, size_t root, size_t count, ren__compare_fn compare, const void *items) {
    size_t moved = order[root];

    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && after(compare, items, order[child + 1], order[child])) child++;
        if (!after(compare, items, order[child], moved)) break;
        order[root] = order[child];
        root = child;
    }
    order[root] = moved;
}

void ren__sort_indices(size_t *order, size_t count, ren__compare_fn compare, const void *items) {
    int sorted = 1;

    for (size_t i = 0; i < count; i++) {
        order[i] = i;
        if (i && compare(items, i - 1, i) > 0) sorted = 0;
    }
    if (sorted) return; /* the usual file */
    for (size_t i = count / 2; i-- > 0;)
        sift_down(order, i, count, compare, items);
    for (size_t end = count; end-- > 1;) {
        size_t last = order[end];
        order[end] = order[0];
        order[0] = last;
        sift_down(order, 0, end, compare, items);
    }
}
