/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the study configuration. What is accepted resolves to a form that resolves to itself. */
#include <stdint.h>
#include <stdlib.h>

#include "format/document.h"
#include "train/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fixed(ren_context *context, const ren__study_config *config) {
    ren__study_config *again = NULL;

    if (ren__study_config_resolve(context, config->tree, "/nowhere", &again) != REN_OK) abort();
    if (!json_equal(config->tree, again->tree)) abort();
    if (ren__study_config_same(context, config->tree, again->tree) != REN_OK) abort();
    ren__study_config_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ren_context *context;
    ren__study_config *config = NULL;
    json_t *tree = NULL;

    if (!context && ren_context_create(NULL, &context) != REN_OK) abort();
    if (ren__yaml_parse((const char *)data, size, "fuzz", &tree) != REN_OK) return 0;
    if (ren__study_config_resolve(context, tree, "/nowhere", &config) == REN_OK)
        check_fixed(context, config);
    else if (ren_error_message()[0] == '\0')
        abort(); /* a refusal says why */
    ren__study_config_free(config);
    json_decref(tree);
    if (ren_context_memory_used(context) != 0) abort();
    return 0;
}
