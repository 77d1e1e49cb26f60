/* SPDX-License-Identifier: Apache-2.0 */
/* Values of safetensors: read in chunks and converted. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "format/names.h"
#include "format/safetensors_file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors are little-endian, and used as they are");

enum { CHUNK = 1 << 16, LARGEST_READ = 1 << 30 };

ren_status ren__safetensors_pread(const ren__safetensors *file, void *bytes, size_t size, size_t offset) {
    char *to = bytes;

    while (size) {
        ssize_t got = pread(file->descriptor, to, size < LARGEST_READ ? size : LARGEST_READ, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            char reason[128];
            return ren__error(REN_E_IO, "cannot be read: %s", strerror_r(errno, reason, sizeof reason));
        }
        if (got == 0) return ren__error(REN_E_IO, "ends at byte %zu now: it was cut while it was open", offset);
        to += got;
        offset += (size_t)got;
        size -= (size_t)got;
    }
    return REN_OK;
}

/* IEEE 754 binary16, exactly: subnormals, infinities and NaN included. */
static float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 1023, bits;
    float value;

    if (exponent == 0) {
        value = (float)mantissa * 0x1p-24f;
        return sign ? -value : value;
    }
    bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float bfloat_to_float(uint16_t stored) {
    uint32_t bits = (uint32_t)stored << 16;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A chunk of `count` stored values; 0: one of them cannot be a `Wanted`. */
typedef int (*convert_fn)(enum ren__dtype type, const void *stored, size_t count, void *values);

static int to_f32(enum ren__dtype type, const void *stored, size_t count, void *values) {
    float *out = values;

    switch (type) {
    case REN__F16:
        for (size_t i = 0; i < count; i++)
            out[i] = half_to_float(((const uint16_t *)stored)[i]);
        break;
    case REN__BF16:
        for (size_t i = 0; i < count; i++)
            out[i] = bfloat_to_float(((const uint16_t *)stored)[i]);
        break;
    case REN__F32:
        memcpy(out, stored, count * sizeof *out);
        break;
    case REN__F64:
        for (size_t i = 0; i < count; i++) {
            double value = ((const double *)stored)[i];
            out[i] = (float)value;
            if (isinf(out[i]) && !isinf(value)) return 0;
        }
        break;
    case REN__I64:
        for (size_t i = 0; i < count; i++)
            out[i] = (float)((const int64_t *)stored)[i];
        break;
    case REN__U8:
        for (size_t i = 0; i < count; i++)
            out[i] = ((const uint8_t *)stored)[i];
        break;
    }
    return 1;
}

static int to_f64(enum ren__dtype type, const void *stored, size_t count, void *values) {
    double *out = values;

    switch (type) {
    case REN__F16:
        for (size_t i = 0; i < count; i++)
            out[i] = (double)half_to_float(((const uint16_t *)stored)[i]);
        break;
    case REN__BF16:
        for (size_t i = 0; i < count; i++)
            out[i] = (double)bfloat_to_float(((const uint16_t *)stored)[i]);
        break;
    case REN__F32:
        for (size_t i = 0; i < count; i++)
            out[i] = (double)((const float *)stored)[i];
        break;
    case REN__F64:
        memcpy(out, stored, count * sizeof *out);
        break;
    case REN__I64:
        for (size_t i = 0; i < count; i++)
            out[i] = (double)((const int64_t *)stored)[i];
        break;
    case REN__U8:
        for (size_t i = 0; i < count; i++)
            out[i] = ((const uint8_t *)stored)[i];
        break;
    }
    return 1;
}

static int to_i64(enum ren__dtype type, const void *stored, size_t count, void *values) {
    int64_t *out = values;

    if (type == REN__I64)
        memcpy(out, stored, count * sizeof *out);
    else if (type == REN__U8)
        for (size_t i = 0; i < count; i++)
            out[i] = ((const uint8_t *)stored)[i];
    else
        return 0;
    return 1;
}

static ren_status read_values(const ren__safetensors *file, const ren__tensor_entry *entry, convert_fn convert,
                              size_t wanted_size, void *values) {
    ren_status st = REN_OK;
    ren_context *context = file->context;
    size_t size = ren__dtype_size(entry->type), done = 0;
    char *to = values, *chunk = NULL;

    REN_ALLOC(chunk, CHUNK);
    while (done < entry->count) {
        size_t count = entry->count - done < CHUNK / size ? entry->count - done : CHUNK / size;
        REN_TRY(ren__safetensors_pread(file, chunk, count * size, entry->offset + done * size));
        if (!convert(entry->type, chunk, count, to + done * wanted_size))
            REN_FAIL(REN_E_DATA, "a value is too large for float32");
        done += count;
    }
out:
    ren__free(chunk);
    return st;
}

/* `stored` is the type that needs no conversion and goes straight to its place. */
static ren_status read_tensor(const ren__safetensors *file, const ren__tensor_entry *entry, enum ren__dtype stored,
                              convert_fn convert, void *values, size_t count) {
    char quoted[REN__QUOTE_SIZE];
    ren_status st;

    if (count != entry->count)
        st = ren__error(REN_E_INVALID, "has %zu values, %zu are wanted", entry->count, count);
    else if (convert == to_i64 && entry->type != REN__I64 && entry->type != REN__U8)
        st = ren__error(REN_E_DATA, "is %s, whole numbers are wanted", ren__dtype_name(entry->type));
    else if (entry->type == stored)
        st = ren__safetensors_pread(file, values, entry->bytes, entry->offset);
    else
        st = read_values(file, entry, convert, ren__dtype_size(stored), values);
    if (st == REN_OK) return st;
    return ren__error_context(st, "%s: tensor \"%s\"", file->path, ren__quote(entry->name, quoted, sizeof quoted));
}

ren_status ren__safetensors_read_f32(const ren__safetensors *file, const ren__tensor_entry *entry, float *values,
                                     size_t count) {
    return read_tensor(file, entry, REN__F32, to_f32, values, count);
}

ren_status ren__safetensors_read_f32_part(const ren__safetensors *file, const ren__tensor_entry *entry, size_t first,
                                          float *values, size_t count) {
    const size_t size = ren__dtype_size(entry->type);
    ren__tensor_entry part = *entry;

    if (first > entry->count || count > entry->count - first)
        return ren__error(REN_E_INVALID, "%s: values %zu to %zu of a tensor of %zu are wanted", file->path, first,
                          first + count, entry->count);
    part.offset += first * size;
    part.count = count;
    part.bytes = count * size;
    return read_tensor(file, &part, REN__F32, to_f32, values, count);
}

ren_status ren__safetensors_read_f64(const ren__safetensors *file, const ren__tensor_entry *entry, double *values,
                                     size_t count) {
    return read_tensor(file, entry, REN__F64, to_f64, values, count);
}

ren_status ren__safetensors_read_i64(const ren__safetensors *file, const ren__tensor_entry *entry, int64_t *values,
                                     size_t count) {
    return read_tensor(file, entry, REN__I64, to_i64, values, count);
}
