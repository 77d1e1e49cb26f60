/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: named tensors and a map of strings. Reads trust nothing. */
#ifndef REN_FORMAT_SAFETENSORS_H
#define REN_FORMAT_SAFETENSORS_H

#include "base/context.h"

enum { REN__MAX_RANK = 8 };
enum ren__dtype { REN__F16 = 1, REN__BF16, REN__F32, REN__F64, REN__I64, REN__U8 };

size_t ren__dtype_size(enum ren__dtype type);

typedef struct ren__tensor_entry {
    const char *name;
    enum ren__dtype type;
    int32_t rank;
    int64_t shape[REN__MAX_RANK];
    size_t count;  /* elements */
    size_t offset; /* of the first byte, in the file */
    size_t bytes;
} ren__tensor_entry;

typedef struct ren__safetensors ren__safetensors;

/* Opens and checks the whole header (length cap 64 MiB, JSON without duplicate keys, types, shape products, bounds,
 * overlaps, holes, trailing bytes, unknown keys); tensors are read on demand. What is kept comes from the context; the
 * JSON reader's own memory holds one tensor's few values at a time. Other types than ours: REN_E_UNSUPPORTED. */
ren_status ren__safetensors_open(ren_context *context, const char *path, ren__safetensors **out);
void ren__safetensors_close(ren__safetensors *file);

size_t ren__safetensors_count(const ren__safetensors *file);
const ren__tensor_entry *ren__safetensors_at(const ren__safetensors *file, size_t index); /* in order of the offsets */
const ren__tensor_entry *ren__safetensors_find(const ren__safetensors *file, const char *name); /* NULL: not there */
const char *ren__safetensors_metadata(const ren__safetensors *file, const char *key);           /* NULL: not there */

/* Reads a tensor, converted from any stored type to float32, float64 or int64; `count` must be its count. Integers are
 * rounded to the nearest float; a finite F64 beyond float32, and a float tensor read as integers, are REN_E_DATA.
 * Several threads may read at once. */
ren_status ren__safetensors_read_f32(const ren__safetensors *file, const ren__tensor_entry *entry, float *values,
                                     size_t count);
/* `count` values from the value `first` on. */
ren_status ren__safetensors_read_f32_part(const ren__safetensors *file, const ren__tensor_entry *entry, size_t first,
                                          float *values, size_t count);
ren_status ren__safetensors_read_f64(const ren__safetensors *file, const ren__tensor_entry *entry, double *values,
                                     size_t count);
ren_status ren__safetensors_read_i64(const ren__safetensors *file, const ren__tensor_entry *entry, int64_t *values,
                                     size_t count);

/* Writing: tensors are laid out without gaps (the format allows none), wider types first so that each is aligned to its
 * own size, else in the order given; the data starts at a multiple of 64. Header keys are in the order of the data,
 * metadata in the order given, so that equal contents give equal bytes. Atomic. `data` is in the machine's
 * (little-endian) order. */
typedef struct ren__tensor_source {
    const char *name;
    enum ren__dtype type;
    int32_t rank;
    int64_t shape[REN__MAX_RANK];
    const void *data;
} ren__tensor_source;

ren_status ren__safetensors_write(ren_context *context, const char *path, const ren__tensor_source *tensors,
                                  size_t count, const char *const *metadata /* key, value, ..., NULL */);

/* Values of a tensor that are kept in another order: `fill` gives piece `index`, `bytes` long; its first argument is
 * the tensor's `data`. `fill` NULL: `data` holds the values as they are. */
typedef struct ren__tensor_pieces {
    void (*fill)(const void *data, size_t index, void *piece);
    size_t bytes;
} ren__tensor_pieces;

/* The same, with pieces[i] for tensors[i]. */
ren_status ren__safetensors_write_pieces(ren_context *context, const char *path, const ren__tensor_source *tensors,
                                         const ren__tensor_pieces *pieces, size_t count, const char *const *metadata);

#endif
