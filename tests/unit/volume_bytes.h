/* SPDX-License-Identifier: Apache-2.0 */
/* NIfTI files made byte by byte, by the offsets of the standard and without any library's structures. */
#ifndef REN_TESTS_VOLUME_BYTES_H
#define REN_TESTS_VOLUME_BYTES_H

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "harness.h"

enum { NIFTI_LARGEST = 8192 };

typedef struct nifti_bytes {
    int version, big; /* 1 or 2; byte order */
    size_t size;
    uint8_t bytes[NIFTI_LARGEST];
} nifti_bytes;

/* `size` bytes of a number at `offset`, in the file's byte order. */
static inline void put_integer(nifti_bytes *file, size_t offset, size_t size, uint64_t value) {
    for (size_t i = 0; i < size; i++)
        file->bytes[offset + (file->big ? size - 1 - i : i)] = (uint8_t)(value >> 8 * i);
}

/* A floating-point field: float in version 1, double in 2. */
static inline void put_real(nifti_bytes *file, size_t offset, double value) {
    const float narrow = (float)value;
    uint32_t bits32;
    uint64_t bits64;
    memcpy(&bits32, &narrow, sizeof bits32);
    memcpy(&bits64, &value, sizeof bits64);
    if (file->version == 1)
        put_integer(file, offset, 4, bits32);
    else
        put_integer(file, offset, 8, bits64);
}

/* Offsets of the fields in both versions. */
static inline size_t at_field(const nifti_bytes *file, size_t one, size_t two) {
    return file->version == 1 ? one : two;
}

#define AT_DIM(f, i)     at_field((f), 40 + 2 * (size_t)(i), 16 + 8 * (size_t)(i))
#define AT_TYPE(f)       at_field((f), 70, 12)
#define AT_BITS(f)       at_field((f), 72, 14)
#define AT_PIXDIM(f, i)  at_field((f), 76 + 4 * (size_t)(i), 104 + 8 * (size_t)(i))
#define AT_OFFSET(f)     at_field((f), 108, 168)
#define AT_SLOPE(f)      at_field((f), 112, 176)
#define AT_INTER(f)      at_field((f), 116, 184)
#define AT_UNITS(f)      at_field((f), 123, 500)
#define AT_QCODE(f)      at_field((f), 252, 344)
#define AT_SCODE(f)      at_field((f), 254, 348)
#define AT_QUATERN(f, i) at_field((f), 256 + 4 * (size_t)(i), 352 + 8 * (size_t)(i)) /* b c d x y z */
#define AT_SROW(f, i)    at_field((f), 280 + 4 * (size_t)(i), 400 + 8 * (size_t)(i))

static inline void put_dim(nifti_bytes *file, int index, int64_t value) {
    put_integer(file, AT_DIM(file, index), at_field(file, 2, 8), (uint64_t)value);
}

static inline void put_code(nifti_bytes *file, size_t offset, int value) {
    put_integer(file, offset, at_field(file, 2, 4), (uint64_t)(int64_t)value);
}

static inline size_t header_size(const nifti_bytes *file) {
    return at_field(file, 348, 540);
}

/* A valid header of `shape` with an oblique sform in millimetres; single file. The voxels are still zero. */
static inline void make_header(nifti_bytes *file, int version, int big, const int64_t shape[3], int type, int bits) {
    static const double srow[12] = { -1.5, 0.25, 0, 10, 0.125, 2, 0.5, -20, 0, -0.75, 2.5, 30.5 };
    memset(file, 0, sizeof *file);
    file->version = version;
    file->big = big;
    put_integer(file, 0, 4, header_size(file));
    memcpy(file->bytes + at_field(file, 344, 4), version == 1 ? "n+1\0" : "n+2\0\r\n\032\n", version == 1 ? 4 : 8);
    put_dim(file, 0, 3);
    for (int i = 0; i < 7; i++)
        put_dim(file, i + 1, i < 3 ? shape[i] : 1);
    put_integer(file, AT_TYPE(file), 2, (uint64_t)type);
    put_integer(file, AT_BITS(file), 2, (uint64_t)bits);
    for (int i = 0; i < 4; i++)
        put_real(file, AT_PIXDIM(file, i), i ? 1.0 + i : 1.0);
    if (version == 1)
        put_real(file, AT_OFFSET(file), 352);
    else
        put_integer(file, AT_OFFSET(file), 8, 544);
    put_real(file, AT_SLOPE(file), 1);
    put_integer(file, AT_UNITS(file), at_field(file, 1, 4), 2);
    put_code(file, AT_SCODE(file), 1);
    for (int i = 0; i < 12; i++)
        put_real(file, AT_SROW(file, i), srow[i]);
    file->size = header_size(file) + 4 + (size_t)(shape[0] * shape[1] * shape[2] * bits / 8);
}

static inline void write_bytes(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file) return; /* reading it will fail and say so */
    fwrite(bytes, 1, size, file);
    fclose(file);
}

/* One gzip member; its size. `out` needs size + 1024 bytes. */
static inline size_t gzip_bytes(const void *bytes, size_t size, uint8_t *out) {
    z_stream z;
    memset(&z, 0, sizeof z);
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
    z.next_in = (uint8_t *)(uintptr_t)bytes;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)(size + 1024);
    deflate(&z, Z_FINISH);
    const size_t length = z.total_out;
    deflateEnd(&z);
    return length;
}

#endif
