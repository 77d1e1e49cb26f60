/* SPDX-License-Identifier: Apache-2.0 */
/* Valid inputs of every fuzz target: what mutations start from. */
#ifndef REN_TESTS_SEEDS_H
#define REN_TESTS_SEEDS_H

#include <jansson.h>
#include <stdint.h>

#include "ren.h"

enum { SEEDS_MAX = 40, SEED_NAME = 64 };

typedef struct seed {
    char name[SEED_NAME]; /* TARGET/NAME */
    uint8_t *bytes;       /* of malloc */
    size_t size;
} seed;

typedef struct seed_list {
    seed item[SEEDS_MAX];
    int32_t count;
} seed_list;

/* The model files that fuzz_model.c takes apart. */
enum seed_model { SEED_EXPERT, SEED_MIXTURE };
/* Makes a small model, saves it, and gives its safetensors header and how many bytes of tensors follow it. */
ren_status seed_model_header(ren_context *context, enum seed_model kind, json_t **header, size_t *data_bytes);

ren_status seeds_make(ren_context *context, seed_list *list);
void seeds_free(seed_list *list);

#endif
