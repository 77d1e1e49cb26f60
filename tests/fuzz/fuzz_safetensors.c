/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: opens a safetensors file and reads all its tensors in every type. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const ren__safetensors *file) {
    for (size_t i = 0; i < ren__safetensors_count(file); i++) {
        const ren__tensor_entry *entry = ren__safetensors_at(file, i);
        void *values = calloc(entry->count ? entry->count : 1, sizeof(double));
        if (!values) continue;
        if (ren__safetensors_find(file, entry->name) != entry) abort();
        (void)ren__safetensors_read_f32(file, entry, values, entry->count);
        (void)ren__safetensors_read_f64(file, entry, values, entry->count);
        (void)ren__safetensors_read_i64(file, entry, values, entry->count);
        free(values);
    }
    (void)ren__safetensors_metadata(file, "kind");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ren_context *context;
    ren__safetensors *file = NULL;
    char path[64];
    int descriptor = memfd_create("fuzz", MFD_CLOEXEC);

    if (!context && ren_context_create(NULL, &context) != REN_OK) abort();
    if (descriptor < 0 || write(descriptor, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    if (ren__safetensors_open(context, path, &file) == REN_OK) read_all(file);
    ren__safetensors_close(file);
    close(descriptor);
    if (ren_context_memory_used(context) != 0) abort();
    return 0;
}
