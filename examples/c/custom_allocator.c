/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host that owns its memory and its time: a counting allocator, a limit on what libren may hold, and a call that is
 * cancelled from its callback. It needs no file: the volume lies over the host's own buffer.
 * Introduces: ren_context_options (alloc, free, memory_limit), ren_volume_create, ren_run_options (cancel).
 *
 *     cc custom_allocator.c $(pkg-config --cflags --libs ren) -o custom_allocator
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ren.h>

enum { EDGE = 96 };

typedef struct counter {
    long blocks; /* of this example's one thread: a host with several makes this atomic */
    size_t bytes, peak;
} counter;

static void *count_alloc(void *user, size_t size, size_t alignment) {
    counter *counted = user;
    void *memory = NULL;

    if (posix_memalign(&memory, alignment < sizeof(void *) ? sizeof(void *) : alignment, size ? size : 1) != 0)
        return NULL;
    counted->blocks++;
    counted->bytes += size;
    if (counted->bytes > counted->peak) counted->peak = counted->bytes;
    return memory;
}

static void count_free(void *user, void *memory, size_t size) {
    counter *counted = user;

    if (!memory) return;
    counted->blocks--;
    counted->bytes -= size;
    free(memory);
}

static int32_t cancel_at_once(void *user) {
    return ++*(int *)user > 0;
}

/* Resamples to half the spacing: eight times the voxels. */
static ren_status resample(const ren_volume *volume, const ren_run_options *run) {
    const double spacing[3] = { 0.5, 0.5, 0.5 };
    ren_volume *fine = NULL;
    const ren_status status = ren_volume_resample(volume, spacing, REN_CUBIC, run, &fine);

    ren_volume_free(fine);
    return status;
}

static int expect(const char *what, ren_status got, ren_status wanted) {
    printf("%-16s %s%s%s\n", what, ren_status_name(got), got == REN_OK ? "" : ": ",
           got == REN_OK ? "" : ren_error_message());
    return got == wanted;
}

int main(void) {
    static int16_t voxels[EDGE * EDGE * EDGE];
    counter counted = { 0, 0, 0 };
    int asked = 0, good = 1;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_run_options limited = REN_RUN_OPTIONS_INIT, cancelled = REN_RUN_OPTIONS_INIT;
    ren_context *context = NULL;
    ren_volume_desc desc;
    ren_volume *volume = NULL;

    options.alloc = count_alloc;
    options.free = count_free;
    options.allocator_user = &counted;
    options.threads = 1;
    options.memory_limit = (size_t)256 << 20;
    if (ren_context_create(&options, &context) != REN_OK || ren_volume_desc_init(&desc, sizeof desc) != REN_OK) {
        fprintf(stderr, "custom_allocator: %s\n", ren_error_message());
        return 1;
    }
    memset(voxels, 0, sizeof voxels);
    desc.data = voxels;
    desc.type = REN_TYPE_I16;
    for (int axis = 0; axis < 3; axis++)
        desc.shape[axis] = EDGE;

    limited.memory_limit = (size_t)1 << 20; /* too little for the result, for this call alone */
    cancelled.cancel = cancel_at_once;
    cancelled.user = &asked;
    good &= expect("volume", ren_volume_create(context, &desc, &volume), REN_OK);
    good &= expect("resample", resample(volume, NULL), REN_OK);
    good &= expect("within 1 MiB", resample(volume, &limited), REN_E_LIMIT);
    good &= expect("cancelled", resample(volume, &cancelled), REN_E_CANCELLED);

    ren_volume_free(volume);
    ren_context_free(context);
    printf("at most %.1f MiB held, %ld blocks and %zu bytes left\n", (double)counted.peak / 1048576.0, counted.blocks,
           counted.bytes);
    return good && counted.blocks == 0 && counted.bytes == 0 && asked > 0 ? 0 : 1;
}
