/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: JSON and YAML; what is understood is written in every form and must read back equal. */
#include <stdint.h>
#include <stdlib.h>

#include "format/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(ren_context *context, const json_t *tree, int yaml, int indent) {
    ren_text *text = NULL;
    json_t *back = NULL;
    ren_status st = yaml ? ren__yaml_write(context, tree, &text) : ren__json_write(context, tree, indent, &text);

    if (st != REN_OK) abort();
    st = yaml ? ren__yaml_parse(ren_text_data(text), ren_text_size(text), "written", &back)
              : ren__json_parse(ren_text_data(text), ren_text_size(text), "written", &back);
    /* A document may grow past the cap by its indents. */
    if (st != REN_E_LIMIT && (st != REN_OK || !json_equal(tree, back))) abort();
    json_decref(back);
    ren_text_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ren_context *context;

    if (!context && ren_context_create(NULL, &context) != REN_OK) abort();
    for (int yaml = 0; yaml < 2; yaml++) {
        json_t *tree = NULL;
        ren_status st = yaml ? ren__yaml_parse((const char *)data, size, "fuzz", &tree)
                             : ren__json_parse((const char *)data, size, "fuzz", &tree);
        if (st != REN_OK) continue;
        round_trip(context, tree, 0, 0);
        round_trip(context, tree, 0, 2);
        round_trip(context, tree, 1, 0);
        json_decref(tree);
    }
    if (ren_context_memory_used(context) != 0) abort();
    return 0;
}
