/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: parameter files of radiomics, in both modes. What is accepted describes itself in a form that is
 * accepted and describes itself equally; what is refused says why and leaves the extractor as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ren.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ren_context *context;

static ren_text *describe(const ren_radiomics *radiomics) {
    ren_text *text = NULL;

    if (ren_radiomics_describe(radiomics, &text) != REN_OK) abort();
    return text;
}

static void check_description(const ren_radiomics *radiomics, int32_t mode) {
    ren_radiomics *again = NULL;
    ren_text *first = describe(radiomics), *second;

    if (ren_radiomics_create(context, mode, &again) != REN_OK) abort();
    if (ren_radiomics_parse_params(again, ren_text_data(first), ren_text_size(first), "json") != REN_OK) abort();
    second = describe(again);
    if (strcmp(ren_text_data(first), ren_text_data(second)) != 0) abort();
    ren_text_free(second);
    ren_text_free(first);
    ren_radiomics_free(again);
}

static void read_in(int32_t mode, const char *format, const uint8_t *data, size_t size) {
    ren_radiomics *radiomics = NULL;
    ren_text *before, *after;

    if (ren_radiomics_create(context, mode, &radiomics) != REN_OK) abort();
    before = describe(radiomics);
    const ren_status st = ren_radiomics_parse_params(radiomics, (const char *)data, size, format);
    after = describe(radiomics);
    if (st == REN_OK)
        check_description(radiomics, mode);
    else if (ren_error_message()[0] == '\0' || strcmp(ren_text_data(before), ren_text_data(after)) != 0)
        abort();
    ren_text_free(before);
    ren_text_free(after);
    ren_radiomics_free(radiomics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!context && ren_context_create(NULL, &context) != REN_OK) abort();
    read_in(REN_RADIOMICS_PYRADIOMICS, "yaml", data, size);
    read_in(REN_RADIOMICS_IBSI, "yaml", data, size);
    read_in(REN_RADIOMICS_PYRADIOMICS, "json", data, size);
    if (ren_context_memory_used(context) != 0) abort();
    return 0;
}
