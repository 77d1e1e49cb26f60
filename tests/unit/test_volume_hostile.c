/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malformed NIfTI files, made here and the same in every run: truncations, flipped bytes, hostile sizes, damaged gzip.
 * Each must be refused with a sentence that names the file, or read without harm, within a memory limit.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "harness.h"
#include "volume/volume.h"
#include "volume_bytes.h"

enum { MEMORY_LIMIT = 32 << 20 };

static const int64_t shape_542[3] = { 5, 4, 2 };

static ren_status limited_context(ren_context **out) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    test_allocator(&options);
    options.memory_limit = MEMORY_LIMIT;
    return ren_context_create(&options, out);
}

static void make_valid(nifti_bytes *file, int version, int big) {
    make_header(file, version, big, shape_542, 4, 16);
    for (size_t at = header_size(file) + 4; at < file->size; at++)
        file->bytes[at] = (uint8_t)at;
}

/* Reads what may be anything. An error must be one of those of the interface and name the file. */
static ren_status read_anything(ren_context *context, const char *path, int *refused) {
    ren_status st = REN_OK;
    ren_volume *volume = NULL;
    const char *name = strrchr(path, '/') + 1;
    const ren_status got = ren_volume_read(context, path, &volume);
    if (got == REN_E_MEMORY) return got;
    if (got != REN_OK) {
        CHECK(got == REN_E_IO || got == REN_E_FORMAT || got == REN_E_DATA || got == REN_E_UNSUPPORTED ||
              got == REN_E_LIMIT);
        if (got != REN_E_LIMIT) CHECK(strstr(ren_error_message(), name));
        CHECK(!volume);
        ++*refused;
        return REN_OK;
    }
    /* what was accepted must hold together: every voxel can be read */
    const size_t voxels = (size_t)(volume->shape[0] * volume->shape[1] * volume->shape[2]);
    float *values = ren__alloc_array(context, voxels, sizeof *values);
    CHECK_MEMORY(values);
    st = ren_volume_copy(volume, values, voxels);
    ren__free(values);
out:
    ren_volume_free(volume);
    return st;
}

/* ------------------------------------------------------------------------------------------- headers with one lie */

typedef struct lie {
    const char *name;
    void (*tell)(nifti_bytes *file);
    ren_status code;
    const char *message; /* a part of it */
} lie;

static void tell_dim_zero(nifti_bytes *f) {
    put_dim(f, 0, 0);
}
static void tell_dim_eight(nifti_bytes *f) {
    put_dim(f, 0, 8);
}
static void tell_dim_huge(nifti_bytes *f) {
    put_dim(f, 0, f->version == 1 ? 32767 : INT64_MAX / 3);
}
static void tell_dim_negative(nifti_bytes *f) {
    put_dim(f, 0, -3);
}
static void tell_no_voxels(nifti_bytes *f) {
    put_dim(f, 2, 0);
}
static void tell_negative_voxels(nifti_bytes *f) {
    put_dim(f, 3, -1);
}
static void tell_long_rows(nifti_bytes *f) {
    put_dim(f, 1, 32767);
}
static void tell_overflow(nifti_bytes *f) {
    for (int i = 1; i <= 3; i++)
        put_dim(f, i, f->version == 1 ? 32767 : (int64_t)1 << 40);
}
static void tell_series(nifti_bytes *f) {
    put_dim(f, 0, 4);
    put_dim(f, 4, 2);
}
static void tell_seventh(nifti_bytes *f) {
    put_dim(f, 0, 7);
    put_dim(f, 7, 3);
}
static void tell_type(nifti_bytes *f) {
    put_integer(f, AT_TYPE(f), 2, 5);
}
static void tell_type_zero(nifti_bytes *f) {
    put_integer(f, AT_TYPE(f), 2, 0);
}
static void tell_colour(nifti_bytes *f) {
    put_integer(f, AT_TYPE(f), 2, 128);
    put_integer(f, AT_BITS(f), 2, 24);
}
static void tell_complex(nifti_bytes *f) {
    put_integer(f, AT_TYPE(f), 2, 32);
    put_integer(f, AT_BITS(f), 2, 64);
}
static void tell_quad(nifti_bytes *f) {
    put_integer(f, AT_TYPE(f), 2, 1536);
}
static void tell_bits(nifti_bytes *f) {
    put_integer(f, AT_BITS(f), 2, 8);
}
static void tell_bits_zero(nifti_bytes *f) {
    put_integer(f, AT_BITS(f), 2, 0);
}
static void put_offset(nifti_bytes *f, double value) {
    if (f->version == 1)
        put_real(f, AT_OFFSET(f), value);
    else
        put_integer(f, AT_OFFSET(f), 8, (uint64_t)(int64_t)value);
}
static void tell_offset_low(nifti_bytes *f) {
    put_offset(f, 100);
}
static void tell_offset_negative(nifti_bytes *f) {
    put_offset(f, -352);
}
static void tell_offset_far(nifti_bytes *f) {
    put_offset(f, 1e12);
}
static void tell_offset_farther(nifti_bytes *f) {
    put_offset(f, 9.1e18);
}
static void tell_offset_end(nifti_bytes *f) {
    put_offset(f, (double)f->size - 8);
}
static void tell_srow_nan(nifti_bytes *f) {
    put_real(f, AT_SROW(f, 3), NAN);
}
static void tell_srow_zero(nifti_bytes *f) {
    for (int i = 0; i < 12; i++)
        put_real(f, AT_SROW(f, i), 0);
}
static void tell_srow_flat(nifti_bytes *f) {
    for (int i = 0; i < 4; i++)
        put_real(f, AT_SROW(f, 8 + i), i);
    for (int i = 0; i < 4; i++)
        put_real(f, AT_SROW(f, 4 + i), 2 * i);
}
static void tell_srow_huge(nifti_bytes *f) {
    put_real(f, AT_SROW(f, 0), 1e30);
}
static void tell_no_spacing(nifti_bytes *f) {
    put_code(f, AT_SCODE(f), 0);
    put_real(f, AT_PIXDIM(f, 2), 0);
}
static void tell_spacing_nan(nifti_bytes *f) {
    put_real(f, AT_PIXDIM(f, 1), NAN);
}
static void tell_spacing_infinite(nifti_bytes *f) {
    put_real(f, AT_PIXDIM(f, 3), INFINITY);
}
static void tell_qform_nan(nifti_bytes *f) {
    put_code(f, AT_SCODE(f), 0);
    put_code(f, AT_QCODE(f), 1);
    put_real(f, AT_QUATERN(f, 1), NAN);
}
static void tell_slope_nan(nifti_bytes *f) {
    put_real(f, AT_SLOPE(f), NAN);
}
static void tell_slope_infinite(nifti_bytes *f) {
    put_real(f, AT_SLOPE(f), -INFINITY);
}
static void tell_inter_nan(nifti_bytes *f) {
    put_real(f, AT_INTER(f), NAN);
}
static void tell_no_magic(nifti_bytes *f) {
    memset(f->bytes + at_field(f, 344, 4), 0, 4);
}
static void tell_other_magic(nifti_bytes *f) {
    memcpy(f->bytes + at_field(f, 344, 4), "n+3", 3);
}
static void tell_size(nifti_bytes *f) {
    put_integer(f, 0, 4, 349);
}
static void tell_size_swapped(nifti_bytes *f) {
    put_integer(f, 0, 4, 0x5c010001);
}
static void tell_pair(nifti_bytes *f) {
    memcpy(f->bytes + at_field(f, 344, 4), "ni", 2);
}

static const lie lies[] = { { "dim_zero", tell_dim_zero, REN_E_FORMAT, "0 dimensions" },
                            { "dim_eight", tell_dim_eight, REN_E_FORMAT, "8 dimensions" },
                            { "dim_huge", tell_dim_huge, REN_E_FORMAT, "dimensions" },
                            { "dim_negative", tell_dim_negative, REN_E_FORMAT, "-3 dimensions" },
                            { "no_voxels", tell_no_voxels, REN_E_FORMAT, "dimension 2" },
                            { "negative_voxels", tell_negative_voxels, REN_E_FORMAT, "-1 voxels" },
                            { "long_rows", tell_long_rows, REN_E_FORMAT, "truncated" },
                            { "overflow", tell_overflow, REN_E_FORMAT, NULL },
                            { "series", tell_series, REN_E_DATA, "series" },
                            { "seventh", tell_seventh, REN_E_DATA, "series" },
                            { "type", tell_type, REN_E_FORMAT, "datatype 5" },
                            { "type_zero", tell_type_zero, REN_E_FORMAT, "datatype 0" },
                            { "colour", tell_colour, REN_E_UNSUPPORTED, "colour" },
                            { "complex", tell_complex, REN_E_UNSUPPORTED, "complex" },
                            { "quad", tell_quad, REN_E_UNSUPPORTED, "128-bit" },
                            { "bits", tell_bits, REN_E_FORMAT, "16 bits" },
                            { "bits_zero", tell_bits_zero, REN_E_FORMAT, "16 bits" },
                            { "offset_low", tell_offset_low, REN_E_FORMAT, "offset" },
                            { "offset_negative", tell_offset_negative, REN_E_FORMAT, "offset" },
                            { "offset_far", tell_offset_far, REN_E_FORMAT, NULL },
                            { "offset_farther", tell_offset_farther, REN_E_FORMAT, NULL },
                            { "offset_end", tell_offset_end, REN_E_FORMAT, "truncated" },
                            { "srow_nan", tell_srow_nan, REN_E_FORMAT, "sform" },
                            { "srow_zero", tell_srow_zero, REN_E_FORMAT, "sform" },
                            { "srow_flat", tell_srow_flat, REN_E_FORMAT, "invertible" },
                            { "srow_huge", tell_srow_huge, REN_E_FORMAT, "sform" },
                            { "no_spacing", tell_no_spacing, REN_E_FORMAT, "spacing" },
                            { "spacing_nan", tell_spacing_nan, REN_E_FORMAT, "spacing" },
                            { "spacing_infinite", tell_spacing_infinite, REN_E_FORMAT, "spacing" },
                            { "qform_nan", tell_qform_nan, REN_E_FORMAT, "qform" },
                            { "slope_nan", tell_slope_nan, REN_E_FORMAT, "scl_slope" },
                            { "slope_infinite", tell_slope_infinite, REN_E_FORMAT, "scl_slope" },
                            { "inter_nan", tell_inter_nan, REN_E_FORMAT, "scl_inter" },
                            { "other_magic", tell_other_magic, REN_E_FORMAT, "signature" },
                            { "size", tell_size, REN_E_FORMAT, "not a NIfTI" },
                            { "size_swapped", tell_size_swapped, REN_E_FORMAT, "not a NIfTI" },
                            { "pair", tell_pair, REN_E_FORMAT, ".hdr" } };

enum { LIES = (int)(sizeof lies / sizeof *lies) };

/* Every lie in both versions and byte orders: 4 x 37 files. */
static ren_status test_lying_headers(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    ren_volume *volume = NULL;
    nifti_bytes file;
    for (int l = 0; l < LIES; l++)
        for (int form = 0; form < 4; form++) {
            make_valid(&file, 1 + form / 2, form % 2);
            lies[l].tell(&file);
            write_bytes(test_file(path, lies[l].name), file.bytes, file.size);
            CHECK_FAILS(ren_volume_read(context, path, &volume), lies[l].code, lies[l].message);
            CHECK(strstr(ren_error_message(), lies[l].name));
        }
    make_valid(&file, 1, 0);
    tell_no_magic(&file);
    write_bytes(test_file(path, "analyze.hdr"), file.bytes, 348);
    CHECK_FAILS(ren_volume_read(context, path, &volume), REN_E_UNSUPPORTED, "ANALYZE");
out:
    ren_volume_free(volume);
    return st;
}

/* ------------------------------------------------------------------------------------------------ cut and flipped */

/* A file of every length. */
static ren_status test_truncated_files(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    ren_volume *volume = NULL;
    nifti_bytes file;
    for (int version = 1; version <= 2; version++) {
        make_valid(&file, version, version - 1);
        for (size_t size = 0; size<file.size; size += size> 360 && size < 520 ? 20 : 7) {
            write_bytes(test_file(path, "cut.nii"), file.bytes, size);
            CHECK_FAILS(ren_volume_read(context, path, &volume), REN_E_FORMAT, "cut.nii");
        }
    }
out:
    ren_volume_free(volume);
    return st;
}

static ren_status test_truncated_gzip(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    ren_volume *volume = NULL;
    nifti_bytes file;
    uint8_t packed[NIFTI_LARGEST];
    make_valid(&file, 1, 0);
    const size_t size = gzip_bytes(file.bytes, file.size, packed);
    for (size_t length = 0; length < size; length++) { /* also without the last byte of the checksum */
        write_bytes(test_file(path, "cut.nii.gz"), packed, length);
        CHECK_FAILS(ren_volume_read(context, path, &volume), REN_E_FORMAT, "cut.nii.gz");
    }
    for (size_t at = size - 8; at < size; at++) { /* checksum and length */
        packed[at] ^= 0x40;
        write_bytes(path, packed, size);
        CHECK_FAILS(ren_volume_read(context, path, &volume), REN_E_FORMAT, "damaged");
        packed[at] ^= 0x40;
    }
out:
    ren_volume_free(volume);
    return st;
}

/* Random bytes of the header are replaced; most files are refused, those that are read hold together. */
static ren_status flip_and_read(ren_context *context, int version, int compressed, int count, int *refused) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    nifti_bytes file;
    uint8_t packed[NIFTI_LARGEST];
    ren__rng rng;
    ren__rng_init(&rng, 2026, (uint32_t)version, (uint32_t)compressed);
    test_file(path, "flipped.nii");
    for (int n = 0; n < count; n++) {
        make_valid(&file, version, n % 2);
        uint8_t *bytes = compressed ? packed : file.bytes;
        const size_t size = compressed ? gzip_bytes(file.bytes, file.size, packed) : file.size;
        const uint32_t span = (uint32_t)(compressed ? size : header_size(&file));
        for (uint32_t flips = 1 + ren__rng_below(&rng, 4); flips > 0; flips--)
            bytes[ren__rng_below(&rng, span)] = (uint8_t)ren__rng_u32(&rng);
        write_bytes(path, bytes, size);
        REN_TRY(read_anything(context, path, refused));
    }
out:
    return st;
}

static ren_status test_flipped_bytes(ren_context *context) {
    ren_status st = REN_OK;
    ren_context *limited = NULL;
    int refused = 0;
    (void)context;
    REN_TRY(limited_context(&limited));
    for (int version = 1; version <= 2; version++)
        for (int compressed = 0; compressed < 2; compressed++) {
            REN_TRY(flip_and_read(limited, version, compressed, 150, &refused));
            CHECK_INT(ren_context_memory_used(limited), 0);
        }
    CHECK(refused > 150);
    CHECK(ren_context_memory_peak(limited) <= MEMORY_LIMIT);
out:
    ren_context_free(limited);
    return st;
}

/* ------------------------------------------------------------------------------------------------ sizes and bombs */

/* The two files on which libnifti's own reader fails. */
static ren_status test_known_cases(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    ren_volume *volume = NULL;
    nifti_bytes file;
    uint8_t packed[NIFTI_LARGEST];
    make_valid(&file, 2, 0); /* dim[0] is an index into eight elements on the stack */
    put_dim(&file, 0, 0x7fffffffffffffff);
    write_bytes(test_file(path, "stack.nii"), file.bytes, file.size);
    CHECK_FAILS(ren_volume_read(context, path, &volume), REN_E_FORMAT, "dimensions");

    make_valid(&file, 1, 0); /* some hundred bytes that ask for 18 GB */
    for (int i = 1; i <= 3; i++)
        put_dim(&file, i, 2100);
    put_dim(&file, 3, 2048);
    const size_t size = gzip_bytes(file.bytes, file.size, packed);
    CHECK(size < 600);
    write_bytes(test_file(path, "eighteen.nii.gz"), packed, size);
    CHECK_FAILS(ren_volume_read(context, path, &volume), REN_E_FORMAT, "compressed bytes can hold");
out:
    ren_volume_free(volume);
    return st;
}

/* 40 MB of zeros in 40 kB: plausible, so that the limit decides; and the same after the last voxel. */
static ren_status test_memory_limit(ren_context *context) {
    enum { BOMB = 40 << 20 };
    ren_status st = REN_OK;
    char path[TEST_PATH];
    ren_context *limited = NULL;
    ren_volume *volume = NULL;
    nifti_bytes file;
    uint8_t *plain = NULL, *packed = NULL;
    REN_TRY(limited_context(&limited));
    REN_CALLOC(plain, BOMB + 352);
    REN_ALLOC(packed, BOMB + 2048);
    make_valid(&file, 1, 0);
    const int64_t shape[3] = { 1024, 1024, 20 };
    for (int i = 0; i < 3; i++)
        put_dim(&file, i + 1, shape[i]);
    memcpy(plain, file.bytes, 352);
    write_bytes(test_file(path, "limit.nii.gz"), packed, gzip_bytes(plain, BOMB + 352, packed));
    CHECK_FAILS(ren_volume_read(limited, path, &volume), REN_E_LIMIT, NULL);
    CHECK(ren_context_memory_peak(limited) < (size_t)1 << 20);
    for (int i = 0; i < 3; i++)
        put_dim(&file, i + 1, shape_542[i]);
    memcpy(plain, file.bytes, 352);
    write_bytes(test_file(path, "tail.nii.gz"), packed, gzip_bytes(plain, BOMB + 352, packed));
    CHECK_FAILS(ren_volume_read(limited, path, &volume), REN_E_FORMAT, "after the last voxel");
out:
    ren__free(plain);
    ren__free(packed);
    ren_volume_free(volume);
    ren_context_free(limited);
    return st;
}

static ren_status test_no_regular_file(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    ren_volume *volume = NULL;
    test_file(path, "pipe.nii");
    unlink(path);
    CHECK(!mkfifo(path, 0600));
    CHECK_FAILS(ren_volume_read(context, path, &volume), REN_E_IO, "regular");
    unlink(path);
    CHECK_FAILS(ren_volume_read(context, path, &volume), REN_E_IO, "opened");
    CHECK_FAILS(ren_volume_read(context, "/", &volume), REN_E_IO, "regular");
    CHECK_FAILS(ren_volume_read(context, "", &volume), REN_E_IO, NULL);
out:
    ren_volume_free(volume);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_lying_headers), CASE_SAMPLED(test_truncated_files), CASE_SAMPLED(test_truncated_gzip),
          CASE_ONCE(test_flipped_bytes), CASE(test_known_cases), CASE_ONCE(test_memory_limit),
          CASE(test_no_regular_file))
