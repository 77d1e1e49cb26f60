/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: model files. An input that begins with '{' is the whole header of a safetensors file; one that begins
 * with 'm' goes on with what a mixture says of itself, any other with what an expert says, and gets the tensors of a
 * valid model. Zeros follow for the tensors. Loading ends with a model, or with an error that says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seeds.h"

enum { MEMORY_LIMIT = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ren_context *context;
static json_t *header[2]; /* of valid models, by enum seed_model */
static size_t data_bytes[2];

static void prepare(void) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;

    options.memory_limit = MEMORY_LIMIT;
    options.threads = 1;
    if (ren_context_create(&options, &context) != REN_OK) abort();
    for (int kind = SEED_EXPERT; kind <= SEED_MIXTURE; kind++)
        if (seed_model_header(context, (enum seed_model)kind, &header[kind], &data_bytes[kind]) != REN_OK) abort();
}

/* A valid model's header with another description; NULL where the description is no UTF-8. */
static char *describe(enum seed_model kind, const uint8_t *data, size_t size) {
    json_t *metadata = json_object_get(header[kind], "__metadata__");
    json_t *description = json_stringn((const char *)data, size);

    if (!description) return NULL;
    if (json_object_set_new(metadata, "ren.model", description) != 0) abort();
    return json_dumps(header[kind], JSON_COMPACT);
}

static int write_file(const char *text, size_t size, size_t zeros) {
    const int file = memfd_create("fuzz", MFD_CLOEXEC);
    const uint64_t length = size;

    if (file < 0 || write(file, &length, sizeof length) != sizeof length) abort();
    if (write(file, text, size) != (ssize_t)size) abort();
    if (ftruncate(file, (off_t)(sizeof length + size + zeros)) != 0) abort();
    return file;
}

static void load(const char *path) {
    ren_expert *expert = NULL;
    ren_mixture *mixture = NULL;

    if (ren_expert_load(context, path, &expert) != REN_OK && ren_error_message()[0] == '\0') abort();
    if (ren_mixture_load(context, path, &mixture) != REN_OK && ren_error_message()[0] == '\0') abort();
    if (expert && ren_expert_region(expert) > REN_REGION_LUNGS) abort();
    ren_mixture_free(mixture);
    ren_expert_free(expert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64], *text = NULL;

    if (!context) prepare();
    if (size == 0) return 0;
    const enum seed_model kind = data[0] == 'm' ? SEED_MIXTURE : SEED_EXPERT;
    const int whole = data[0] == '{';
    if (!whole) {
        text = describe(kind, data + 1, size - 1);
        if (!text) return 0;
    }
    const int file = whole ? write_file((const char *)data, size, data_bytes[kind])
                           : write_file(text, strlen(text), data_bytes[kind]);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    load(path);
    close(file);
    free(text);
    if (ren_context_memory_used(context) != 0) abort();
    return 0;
}
