/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks, limits, accounts, arenas. */
#include <stdint.h>

#include "base/parallel.h"
#include "harness.h"

static ren_status test_blocks_are_aligned_and_zeroed(ren_context *context) {
    ren_status st = REN_OK;
    void *blocks[8] = { 0 };
    unsigned char *zeros = NULL;

    for (size_t i = 0; i < 8; i++) {
        CHECK_MEMORY(blocks[i] = ren__alloc(context, i * 13));
        CHECK_INT((uintptr_t)blocks[i] % 64, 0);
    }
    CHECK_MEMORY(zeros = ren__calloc(context, 100, 7));
    for (size_t i = 0; i < 700; i++)
        CHECK_INT(zeros[i], 0);
out:
    ren__free(zeros);
    for (size_t i = 0; i < 8; i++)
        ren__free(blocks[i]);
    return st;
}

static ren_status test_sizes_that_overflow_are_refused(ren_context *context) {
    ren_status st = REN_OK;
    size_t result = 7;

    CHECK(ren__calloc(context, SIZE_MAX / 2, 3) == NULL);
    CHECK_INT(ren__out_of_memory(), REN_E_MEMORY);
    CHECK(ren__alloc_array(context, SIZE_MAX, SIZE_MAX) == NULL);
    CHECK(ren__alloc(context, SIZE_MAX) == NULL);
    CHECK(ren__alloc(context, SIZE_MAX - 63) == NULL);
    CHECK(strstr(ren_error_message(), "out of memory") != NULL);
    CHECK(!ren__mul_size(SIZE_MAX, 2, &result) && !ren__add_size(SIZE_MAX, 1, &result));
    CHECK(ren__mul_size(1 << 20, 1 << 20, &result) && result == (size_t)1 << 40);
    CHECK(ren__add_size(SIZE_MAX - 1, 1, &result) && result == SIZE_MAX);
out:
    return st;
}

static ren_status test_realloc_keeps_contents(ren_context *context) {
    ren_status st = REN_OK;
    char *text = NULL, *larger;

    CHECK_MEMORY(text = ren__strdup(context, "lower left lobe"));
    CHECK_MEMORY(larger = ren__realloc(context, text, 1000));
    text = larger;
    CHECK_TEXT(text, "lower left lobe");
    CHECK_MEMORY(larger = ren__realloc(context, text, 5));
    text = larger;
    CHECK(memcmp(text, "lower", 5) == 0);
    CHECK(ren__realloc(context, text, SIZE_MAX) == NULL); /* the old block stays */
    CHECK(memcmp(text, "lower", 5) == 0);
out:
    ren__free(text);
    return st;
}

static ren_status test_used_and_peak_count_blocks(ren_context *context) {
    ren_status st = REN_OK;
    void *one = NULL, *two = NULL;

    CHECK_INT(ren_context_memory_used(context), 0);
    CHECK_MEMORY(one = ren__alloc(context, 1000));
    CHECK_MEMORY(two = ren__alloc(context, 5000));
    const size_t both = ren_context_memory_used(context);
    CHECK(both >= 6000 && both <= 6000 + 2 * 64);
    ren__free(two);
    two = NULL;
    CHECK(ren_context_memory_used(context) < 1100);
    CHECK_INT(ren_context_memory_peak(context), both);
    ren_context_memory_peak_reset(context);
    CHECK_INT(ren_context_memory_peak(context), ren_context_memory_used(context));
    CHECK_INT(ren_context_memory_used(NULL), 0);
    CHECK_INT(ren_context_memory_peak(NULL), 0);
    ren_context_memory_peak_reset(NULL);
out:
    ren__free(one);
    ren__free(two);
    return st;
}

static ren_status test_context_limit_holds(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *limited = NULL;
    void *one = NULL, *two = NULL;

    (void)context;
    test_allocator(&options);
    options.memory_limit = 10000;
    REN_TRY(ren_context_create(&options, &limited));
    CHECK_MEMORY(one = ren__alloc(limited, 6000));
    CHECK((two = ren__alloc(limited, 6000)) == NULL);
    CHECK_INT(ren__out_of_memory(), REN_E_LIMIT);
    CHECK(strstr(ren_error_message(), "limit of 10000") != NULL);
    CHECK(ren_context_memory_used(limited) < 6100);
    ren__free(one);
    CHECK_MEMORY(one = ren__alloc(limited, 9900));
out:
    ren__free(one);
    ren__free(two);
    ren_context_free(limited);
    return st;
}

/* A block that outlives the call stays on the call's account and on the context's, and leaves both when it is freed. */
static ren_status test_call_limit_holds_and_blocks_outlive_it(ren_context *context) {
    ren_status st = REN_OK;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren__run run = { 0 }, inner = { 0 };
    void *before = NULL, *kept = NULL, *refused = NULL;

    CHECK_MEMORY(before = ren__alloc(context, 50000)); /* not the call's */
    options.memory_limit = 4000;
    REN_TRY(ren__run_begin(&run, context, &options));
    CHECK_MEMORY(kept = ren__alloc(context, 3000));
    CHECK((refused = ren__alloc(context, 3000)) == NULL);
    CHECK_INT(ren__out_of_memory(), REN_E_LIMIT);
    options.memory_limit = 1000000; /* a nested call cannot widen what its caller may hold */
    REN_TRY(ren__run_begin(&inner, context, &options));
    CHECK((refused = ren__alloc(context, 3000)) == NULL);
    CHECK_INT(ren__out_of_memory(), REN_E_LIMIT);
    CHECK_INT(ren__run_end(&inner, REN_OK), REN_OK);
    CHECK_INT(ren__run_end(&run, REN_OK), REN_OK);
    CHECK_MEMORY(refused = ren__alloc(context, 30000)); /* the limit went with the call */
    CHECK(ren_context_memory_used(context) > 83000);
out:
    (void)ren__run_end(&inner, st);
    st = ren__run_end(&run, st);
    ren__free(before);
    ren__free(kept);
    ren__free(refused);
    return st;
}

static void allocate_in_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    void **blocks = argument;

    (void)thread;
    for (int64_t i = begin; i < end; i++)
        blocks[i + 1] = ren__alloc(blocks[0], 1000);
}

/* Pool threads charge the account of the call that they work for. */
static ren_status test_call_limit_holds_on_pool_threads(ren_context *context) {
    ren_status st = REN_OK;
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren__run run = { 0 };
    void *blocks[101] = { context };
    int got = 0;

    options.memory_limit = 20000;
    REN_TRY(ren__run_begin(&run, context, &options));
    ren__parallel_for(context, &run, 100, 1, allocate_in_chunk, blocks);
    for (int i = 1; i <= 100; i++)
        got += blocks[i] != NULL;
    CHECK(got >= 17 && got <= 18); /* 20000 / (1000 + 64), less the one that may be made to fail */
out:
    for (int i = 1; i <= 100; i++)
        ren__free(blocks[i]);
    return ren__run_end(&run, st);
}

static ren_status test_arena_gives_zeroed_objects(ren_context *context) {
    ren_status st = REN_OK;
    ren__arena *arena = NULL;
    char *first, *each;

    REN_TRY(ren__arena_create(context, &arena));
    CHECK_MEMORY(first = ren__arena_strdup(arena, "RUL"));
    for (size_t size = 0; size < 3000; size += 31) {
        CHECK_MEMORY(each = ren__arena_alloc(arena, size));
        CHECK_INT((uintptr_t)each % 16, 0);
        for (size_t i = 0; i < size; i++)
            CHECK_INT(each[i], 0);
        memset(each, 0x5A, size);
    }
    CHECK_TEXT(first, "RUL"); /* nothing has run over it */
    CHECK(ren__arena_alloc(arena, SIZE_MAX) == NULL);
    CHECK(ren__arena_alloc(arena, SIZE_MAX / 2) == NULL);
out:
    ren__arena_free(arena);
    return st;
}

static ren_status test_free_of_null_does_nothing(ren_context *context) {
    (void)context;
    ren__free(NULL);
    ren__arena_free(NULL);
    ren_context_free(NULL);
    return REN_OK;
}

TEST_MAIN(CASE(test_blocks_are_aligned_and_zeroed), CASE(test_sizes_that_overflow_are_refused),
          CASE(test_realloc_keeps_contents), CASE(test_used_and_peak_count_blocks), CASE(test_context_limit_holds),
          CASE(test_call_limit_holds_and_blocks_outlive_it), CASE(test_call_limit_holds_on_pool_threads),
          CASE(test_arena_gives_zeroed_objects), CASE(test_free_of_null_does_nothing))
