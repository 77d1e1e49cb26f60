/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that implement safetensors.h share. */
#ifndef REN_FORMAT_SAFETENSORS_FILE_H
#define REN_FORMAT_SAFETENSORS_FILE_H

#include "format/safetensors.h"

enum { REN__HEADER_CAP = 64 << 20, REN__TENSOR_NAME_CAP = 1024, REN__TENSOR_COUNT_CAP = 1000000 };

typedef struct ren__pair {
    const char *key, *value; /* in the arena */
} ren__pair;

struct ren__safetensors {
    ren_context *context; /* held */
    char *path;
    int descriptor; /* -1: not open */
    size_t size;    /* of the file, when it was opened */
    ren__arena *arena;
    ren__tensor_entry *entries; /* by offset */
    size_t count;
    size_t *by_name; /* indices of `entries` */
    ren__pair *pairs;
    size_t pair_count;
};

const char *ren__dtype_name(enum ren__dtype type);
int ren__compare_names(const void *entries, size_t a, size_t b);
/* All of `size` bytes at `offset`, or an error without the path: the file has been cut since it was opened. */
ren_status ren__safetensors_pread(const ren__safetensors *file, void *bytes, size_t size, size_t offset);

#endif
