/* SPDX-License-Identifier: Apache-2.0 */
/* The texts by which a host names regions. */
#include "radiomics/label_texts.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "format/names.h"
#include "volume/scan.h"

enum { SETS_MAX = 4096, MERGED_MAX = 256, NAME_MAX_BYTES = 128 };

static ren_status malformed(const char *text, const char *why) {
    char quoted[REN__QUOTE_SIZE];

    return ren__error(REN_E_INVALID, "label \"%s\": %s: write 2, 1+2 or name=1+2",
                      ren__quote(text, quoted, sizeof quoted), why);
}

/* One whole number from 1; *at moves behind it. */
static int read_label(const char **at, int32_t *label) {
    int64_t value = 0;

    if (**at < '0' || **at > '9') return 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        value = 10 * value + (**at - '0');
        if (value > INT32_MAX) return 0;
    }
    *label = (int32_t)value;
    return value > 0;
}

/* The row's name is what stands before '=', else the whole text. */
static ren_status check_name(const char *text, size_t length) {
    if (length == 0) return malformed(text, "the name is empty");
    if (length > NAME_MAX_BYTES) return malformed(text, "the name is longer than 128 bytes");
    if (!ren__utf8_valid(text, length)) return malformed(text, "the name is no UTF-8");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F) return malformed(text, "the name has control characters");
    return REN_OK;
}

static ren_status parse_numbers(const char *text, const char *at, int32_t labels[MERGED_MAX], int32_t *count) {
    for (*count = 0;; at++) {
        int32_t label = 0;
        if (*count == MERGED_MAX) return malformed(text, "more than 256 labels are merged");
        if (!read_label(&at, &label)) return malformed(text, "labels are whole numbers from 1, joined by +");
        for (int32_t i = 0; i < *count; i++)
            if (labels[i] == label) return malformed(text, "a label is there twice");
        labels[(*count)++] = label;
        if (*at == '\0') return REN_OK;
        if (*at != '+') return malformed(text, "labels are whole numbers from 1, joined by +");
    }
}

static ren_status keep(ren__labels *out, const char *name, size_t length, const int32_t *labels, int32_t count) {
    ren__label_set *set = &out->sets[out->count];
    char *own_name = ren__arena_alloc(out->arena, length + 1);
    int32_t *own_labels = own_name ? ren__arena_alloc(out->arena, (size_t)count * sizeof *own_labels) : NULL;

    if (!own_labels) return ren__out_of_memory();
    memcpy(own_name, name, length);
    memcpy(own_labels, labels, (size_t)count * sizeof *own_labels);
    for (int32_t i = 0; i < out->count; i++)
        if (strcmp(out->sets[i].name, own_name) == 0) return malformed(name, "another row has this name");
    *set = (ren__label_set){ .name = own_name, .labels = own_labels, .count = count };
    out->count++;
    return REN_OK;
}

static ren_status parse_one(const char *text, ren__labels *out) {
    const char *equals = text ? strrchr(text, '=') : NULL;
    int32_t labels[MERGED_MAX], count = 0;
    ren_status st;

    if (!text) return ren__error(REN_E_INVALID, "a label is NULL: give its text, as in \"1\"");
    const size_t length = equals ? (size_t)(equals - text) : strlen(text);
    st = parse_numbers(text, equals ? equals + 1 : text, labels, &count);
    if (st == REN_OK) st = check_name(text, length);
    return st == REN_OK ? keep(out, text, length, labels, count) : st;
}

static ren_status begin(ren_context *context, size_t count, ren__labels *out) {
    ren_status st = REN_OK;

    *out = (ren__labels){ NULL, NULL, 0 };
    if (count > SETS_MAX) REN_FAIL(REN_E_INVALID, "%zu labels: at most %d in one call", count, SETS_MAX);
    REN_TRY(ren__arena_create(context, &out->arena));
    out->sets = ren__arena_alloc(out->arena, (count ? count : 1) * sizeof *out->sets);
    if (!out->sets) st = ren__out_of_memory();
out:
    return st;
}

ren_status ren__labels_parse(ren_context *context, const char *const *texts, size_t count, int32_t otherwise,
                             ren__labels *out) {
    ren_status st = REN_OK;
    char text[16];

    REN_TRY(begin(context, count, out));
    snprintf(text, sizeof text, "%d", (int)otherwise);
    if (count == 0 || !texts) REN_TRY(parse_one(text, out));
    for (size_t i = 0; i < count && texts; i++)
        REN_TRY(parse_one(texts[i], out));
out:
    if (st != REN_OK) ren__labels_free(out);
    return st;
}

ren_status ren__labels_regions(ren_context *context, ren__labels *out) {
    ren_status st = REN_OK;

    REN_TRY(begin(context, REN_REGION_COUNT, out));
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const uint32_t lobes = ren__region_lobes(region);
        int32_t labels[8], count = 0;
        for (int32_t bit = 0; bit < 8; bit++)
            if (lobes >> bit & 1u) labels[count++] = bit + 1;
        REN_TRY(keep(out, ren_region_name(region), strlen(ren_region_name(region)), labels, count));
    }
out:
    if (st != REN_OK) ren__labels_free(out);
    return st;
}

void ren__labels_free(ren__labels *labels) {
    ren__arena_free(labels->arena);
    *labels = (ren__labels){ NULL, NULL, 0 };
}
