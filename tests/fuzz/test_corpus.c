/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzz targets on malformed inputs without a fuzzer, the same in every run: each seed truncated, with bytes
 * flipped, with hostile numbers over its own, with parts repeated and left out. A target ends the process where
 * something is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "harness.h"
#include "seeds.h"

typedef int (*target_function)(const uint8_t *data, size_t size);

/* tests/fuzz/fuzz_*.c, each compiled with its entry point under its own name. */
int fuzz_config(const uint8_t *data, size_t size);
int fuzz_csv(const uint8_t *data, size_t size);
int fuzz_document(const uint8_t *data, size_t size);
int fuzz_model(const uint8_t *data, size_t size);
int fuzz_nifti(const uint8_t *data, size_t size);
int fuzz_params(const uint8_t *data, size_t size);
int fuzz_predictor(const uint8_t *data, size_t size);
int fuzz_radiomics(const uint8_t *data, size_t size);
int fuzz_safetensors(const uint8_t *data, size_t size);

enum { TRUNCATIONS = 24, FLIPS = 60, NUMBERS = 24, REPETITIONS = 12, GROWTH = 512 };

typedef struct mutation {
    target_function target;
    const seed *from;
    uint8_t *bytes; /* room for the seed and GROWTH more */
    ren__rng rng;
    long inputs;
} mutation;

static uint32_t position(mutation *m) {
    return ren__rng_below(&m->rng, (uint32_t)m->from->size);
}

/* An exact copy on the heap, so that the sanitizer sees a read beyond the end. */
static void feed(mutation *m, size_t size) {
    uint8_t *exact = malloc(size ? size : 1);

    if (!exact) return;
    memcpy(exact, m->bytes, size);
    (void)m->target(exact, size);
    free(exact);
    m->inputs++;
}

static void restore(mutation *m) {
    memcpy(m->bytes, m->from->bytes, m->from->size);
}

static void flip(mutation *m) {
    restore(m);
    for (uint32_t count = 1 + ren__rng_below(&m->rng, 3); count > 0; count--)
        m->bytes[position(m)] ^= (uint8_t)(1u << ren__rng_below(&m->rng, 8));
    feed(m, m->from->size);
}

/* Numbers at the ends of their ranges, binary or as digits. */
static void put_number(mutation *m) {
    static const struct {
        const char *bytes;
        size_t size;
    } numbers[] = { { "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8 },
                    { "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 8 },
                    { "\xFF\xFF\xFF\x7F", 4 },
                    { "\0\0\0\x80", 4 },
                    { "\xFF\x7F", 2 },
                    { "\0\0\xC0\x7F", 4 },
                    { "\0\0\x80\xFF", 4 },
                    { "99999999", 8 },
                    { "-1", 2 },
                    { "1e999", 5 },
                    { "\0", 1 } };
    const uint32_t which = ren__rng_below(&m->rng, (uint32_t)(sizeof numbers / sizeof *numbers));
    const size_t at = position(m), left = m->from->size - at;

    restore(m);
    memcpy(m->bytes + at, numbers[which].bytes, left < numbers[which].size ? left : numbers[which].size);
    feed(m, m->from->size);
}

/* A part is there twice, or not at all. */
static void repeat(mutation *m) {
    const size_t at = position(m), left = m->from->size - at;
    const size_t size = 1 + ren__rng_below(&m->rng, (uint32_t)(left < GROWTH ? left : GROWTH));

    restore(m);
    memmove(m->bytes + at + size, m->bytes + at, left);
    feed(m, m->from->size + size);
    restore(m);
    memmove(m->bytes + at, m->bytes + at + size, left - size);
    feed(m, m->from->size - size);
}

static void mutate(mutation *m) {
    restore(m);
    feed(m, m->from->size);
    for (size_t i = 0; i < TRUNCATIONS; i++)
        feed(m, i < 4 ? i : m->from->size * i / TRUNCATIONS);
    for (int i = 0; i < FLIPS; i++)
        flip(m);
    for (int i = 0; i < NUMBERS; i++)
        put_number(m);
    for (int i = 0; i < REPETITIONS; i++)
        repeat(m);
}

static ren_status run_target(ren_context *context, const char *name, target_function target) {
    ren_status st = REN_OK;
    seed_list list = { .count = 0 };
    mutation m = { .target = target };

    REN_TRY(seeds_make(context, &list));
    for (int32_t i = 0; i < list.count; i++) {
        if (strncmp(list.item[i].name, name, strlen(name)) != 0) continue;
        m.from = &list.item[i];
        ren__rng_init(&m.rng, 2026, (uint32_t)i, 0);
        m.bytes = malloc(m.from->size + GROWTH);
        CHECK(m.bytes);
        mutate(&m);
        free(m.bytes);
        m.bytes = NULL;
    }
    printf("%s %ld inputs\n", name, m.inputs);
    CHECK(m.inputs >= 200);
out:
    free(m.bytes);
    seeds_free(&list);
    return st;
}

static ren_status test_nifti(ren_context *context) {
    return run_target(context, "nifti/", fuzz_nifti);
}

static ren_status test_safetensors(ren_context *context) {
    return run_target(context, "safetensors/", fuzz_safetensors);
}

static ren_status test_documents(ren_context *context) {
    return run_target(context, "document/", fuzz_document);
}

static ren_status test_tables(ren_context *context) {
    return run_target(context, "csv/", fuzz_csv);
}

static ren_status test_configurations(ren_context *context) {
    return run_target(context, "config/", fuzz_config);
}

static ren_status test_params(ren_context *context) {
    return run_target(context, "params/", fuzz_params);
}

static ren_status test_predictors(ren_context *context) {
    return run_target(context, "predictor/", fuzz_predictor);
}

static ren_status test_label_maps(ren_context *context) {
    return run_target(context, "radiomics/", fuzz_radiomics);
}

static ren_status test_models(ren_context *context) {
    return run_target(context, "model/", fuzz_model);
}

TEST_MAIN(CASE_ONCE(test_nifti), CASE_ONCE(test_safetensors), CASE_ONCE(test_documents), CASE_ONCE(test_tables),
          CASE_ONCE(test_configurations), CASE_ONCE(test_params), CASE_ONCE(test_predictors),
          CASE_ONCE(test_label_maps), CASE_ONCE(test_models))
