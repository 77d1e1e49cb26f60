/* SPDX-License-Identifier: Apache-2.0 */
/* The section "PyRadiomics" of docs/radiomics-conformance.md: what was compared, how far it is off, every exception. */
#ifndef REN_TESTS_PYRADIOMICS_SECTION_H
#define REN_TESTS_PYRADIOMICS_SECTION_H

#include "base/text.h"
#include "conformance/pyradiomics_rules.h"
#include "unit/harness.h"

static const char section_begin[] = "<!-- pyradiomics: written by tests/conformance/test_pyradiomics.c -->\n";
static const char section_end[] = "<!-- pyradiomics: end -->\n";

/* Rounded up to a power of ten: the last bits are the machine's. */
static void add_bound(ren_text *text, double worst) {
    const double power = worst > 0 ? ceil(log10(worst)) : -16;

    if (power <= -12)
        ren__text_add(text, "below 1e-12");
    else
        ren__text_addf(text, "below 1e%d", (int)power);
}

static void add_tallies(ren_text *text, const char *title, const tallies *all, int with_cases) {
    tally sum = { 0 };

    ren__text_addf(text, "\n| %s |%s values | worst relative difference | at |\n", title, with_cases ? " cases |" : "");
    ren__text_addf(text, "| --- |%s --- | --- | --- |\n", with_cases ? " --- |" : "");
    for (int32_t i = 0; i < all->count; i++) {
        const tally *t = &all->list[i];
        ren__text_addf(text, "| %s |", t->name);
        if (with_cases) ren__text_addf(text, " %lld |", (long long)t->cases);
        ren__text_addf(text, " %lld | ", (long long)t->values);
        add_bound(text, t->worst);
        ren__text_addf(text, " | %s |\n", t->worst > 1e-12 ? t->where : "");
        sum.cases += t->cases;
        sum.values += t->values;
    }
    if (with_cases)
        ren__text_addf(text, "| together | %lld | %lld | | |\n", (long long)sum.cases, (long long)sum.values);
}

/* A bar would end the table's cell. */
static void add_cell(ren_text *text, const char *pattern) {
    for (; *pattern; pattern++)
        ren__text_addf(text, *pattern == '|' ? "\\%c" : "%c", *pattern);
}

static void add_exceptions(ren_text *text) {
    ren__text_add(text, "\n| where | what | how | why |\n| --- | --- | --- | --- |\n");
    for (int i = 0; i < EXCEPTIONS; i++) {
        ren__text_add(text, "| `");
        add_cell(text, exceptions[i].where);
        ren__text_add(text, "` | `");
        add_cell(text, exceptions[i].what);
        ren__text_addf(text, "` | %s | %s |\n", rule_names[exceptions[i].rule], exceptions[i].reason);
    }
}

static void add_noise(ren_text *text, json_t *noise) {
    const char *name, *feature;
    json_t *moves, *value;

    ren__text_add(text, "\n| case | feature | moves by |\n| --- | --- | --- |\n");
    json_object_foreach(noise, name, moves) json_object_foreach(moves, feature, value) {
        ren__text_addf(text, "| %s | `%s` | ", name, feature);
        if (json_is_number(value))
            ren__text_add_number(text, json_number_value(value), 3);
        else
            ren__text_add(text, "NaN and back");
        ren__text_add(text, " |\n");
    }
}

static void write_section(ren_text *text, json_t *noise) {
    ren__text_add(text, section_begin);
    ren__text_addf(text,
                   "\nRelative difference at most 1e-6, of derived images 1e-4, or 1e-9 absolute. Names and their "
                   "order, diagnostics, maps and\nrefused parameter files are compared too.\n");
    add_tallies(text, "recorded group", &groups, 1);
    add_tallies(text, "class, derived image or diagnostic", &families, 0);
    ren__text_add(text, "\n### Exceptions\nAll of them. A pattern that no case needs fails the test.\n");
    add_exceptions(text);
    ren__text_add(text,
                  "\n### Rounding noise\nPyRadiomics' own values move by this much, relatively, when its sums are "
                  "taken in another order; ours may be ten\ntimes as far off.\n");
    add_noise(text, noise);
    ren__text_add(text, section_end);
}

/* Replaces what is between the marks. */
static ren_status record_section(ren_context *context, const char *path, json_t *noise) {
    ren_status st = REN_OK;
    ren_text *text = NULL;
    char *old = NULL;
    size_t size = 0;

    REN_TRY(ren__file_read(context, path, 4 << 20, &old, &size));
    const char *begin = strstr(old, section_begin), *end = strstr(old, section_end);
    CHECK(begin && end && begin < end);
    REN_TRY(ren__text_create(context, &text));
    ren__text_add_bytes(text, old, (size_t)(begin - old));
    write_section(text, noise);
    ren__text_add(text, end + strlen(section_end));
    REN_TRY(text->status);
    REN_TRY(ren__file_write(path, ren_text_data(text), text->size));
out:
    ren_text_free(text);
    ren__free(old);
    return st;
}

/* The document's table of exceptions is the one above. */
static ren_status check_section(ren_context *context, const char *path) {
    ren_status st = REN_OK;
    ren_text *text = NULL;
    char *document_text = NULL;
    size_t size = 0;

    REN_TRY(ren__file_read(context, path, 4 << 20, &document_text, &size));
    REN_TRY(ren__text_create(context, &text));
    add_exceptions(text);
    REN_TRY(text->status);
    if (!strstr(document_text, ren_text_data(text)))
        st = test_fail(__FILE__, __LINE__, "%s has other exceptions than the test: run it again with REN_RECORD=1",
                       path);
out:
    ren_text_free(text);
    ren__free(document_text);
    return st;
}

#endif
