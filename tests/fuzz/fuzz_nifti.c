/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: NIfTI files, plain and compressed.
 *
 * The bytes become a file without a name. Whatever they are, reading ends with an error or with a volume all of whose
 * voxels can be read, within the memory limit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ren.h"

enum { MEMORY_LIMIT = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(ren_volume *volume) {
    int64_t shape[3];
    ren_volume *turned = NULL;
    ren_volume_shape(volume, shape);
    const size_t count = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    float *values = malloc(count * sizeof *values);
    if (values && ren_volume_reorient(volume, "RAS", &turned) == REN_OK &&
        ren_volume_copy(turned, values, count) != REN_OK)
        abort(); /* an accepted volume can be read: this is the fuzzer's alarm */
    free(values);
    ren_volume_free(turned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *context = NULL;
    ren_volume *volume = NULL;
    char path[64];
    options.memory_limit = MEMORY_LIMIT;
    options.threads = 1;
    const int file = memfd_create("fuzz", MFD_CLOEXEC);
    if (file < 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (write(file, data, size) == (ssize_t)size && ren_context_create(&options, &context) == REN_OK &&
        ren_volume_read(context, path, &volume) == REN_OK)
        use(volume);
    ren_volume_free(volume);
    ren_context_free(context);
    close(file);
    return 0;
}
