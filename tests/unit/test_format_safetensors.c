/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: what is written reads back, conversions against numbers worked out by hand, order and alignment. */
#include <stdint.h>
#include <unistd.h>

#include "base/text.h"
#include "format/safetensors.h"
#include "harness.h"

static const char *const metadata[] = { "kind", "expert", "note", "a \"quoted\"\nline, \xC3\xA4", NULL };

static ren_status test_round_trip(ren_context *context) {
    ren_status st = REN_OK;
    static const float weights[6] = { 0.0f, -1.5f, 3.25f, 1e-40f, 1e38f, 7.0f };
    static const int64_t step = -123456789012345;
    char path[TEST_PATH];
    float values[6];
    int64_t count = 0;
    ren__safetensors *file = NULL;
    const ren__tensor_entry *entry;
    const ren__tensor_source tensors[] = { { "conv.weight", REN__F32, 2, { 2, 3 }, weights },
                                           { "steps", REN__I64, 0, { 0 }, &step },
                                           { "empty", REN__F32, 2, { 0, 5 }, NULL } };

    REN_TRY(ren__safetensors_write(context, test_file(path, "a.safetensors"), tensors, 3, metadata));
    REN_TRY(ren__safetensors_open(context, path, &file));
    CHECK_INT(ren__safetensors_count(file), 3);
    CHECK_TEXT(ren__safetensors_metadata(file, "note"), metadata[3]);
    CHECK(!ren__safetensors_metadata(file, "nothing"));
    CHECK(!ren__safetensors_find(file, "conv"));
    entry = ren__safetensors_find(file, "conv.weight");
    CHECK(entry && entry->rank == 2 && entry->shape[0] == 2 && entry->shape[1] == 3 && entry->bytes == 24);
    REN_TRY(ren__safetensors_read_f32(file, entry, values, 6));
    CHECK(memcmp(values, weights, sizeof weights) == 0);
    CHECK_FAILS(ren__safetensors_read_f32(file, entry, values, 5), REN_E_INVALID, "conv.weight");
    CHECK_FAILS(ren__safetensors_read_i64(file, entry, &count, 6), REN_E_DATA, "is F32");
    REN_TRY(ren__safetensors_read_i64(file, ren__safetensors_find(file, "steps"), &count, 1));
    CHECK_INT(count, step);
    CHECK_INT(ren__safetensors_find(file, "empty")->count, 0);
    /* Eight-byte values come first, the data begins at a multiple of 64. */
    CHECK_TEXT(ren__safetensors_at(file, 0)->name, "steps");
    CHECK_INT(ren__safetensors_at(file, 0)->offset % 64, 0);
    CHECK(!ren__safetensors_at(file, 3));
out:
    ren__safetensors_close(file);
    return st;
}

static ren_status test_bytes_are_canonical(ren_context *context) {
    ren_status st = REN_OK;
    static const uint8_t data[3] = { 1, 2, 3 };
    static const char wanted[] = "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"U8\",\"shape\":[3],"
                                 "\"data_offsets\":[0,3]}}";
    static const char *const pairs[] = { "k", "v", NULL };
    const ren__tensor_source tensor = { "a", REN__U8, 1, { 3 }, data };
    char path[TEST_PATH], *bytes = NULL;
    size_t size = 0;

    REN_TRY(ren__safetensors_write(context, test_file(path, "b.safetensors"), &tensor, 1, pairs));
    REN_TRY(ren__file_read(context, path, 4096, &bytes, &size));
    CHECK_INT(size, 128 + 3);
    CHECK_INT(bytes[0], 120);
    CHECK(memcmp(bytes + 8, wanted, sizeof wanted - 1) == 0);
    CHECK(bytes[8 + sizeof wanted - 1] == ' ' && bytes[127] == ' ');
    CHECK(memcmp(bytes + 128, data, 3) == 0);
out:
    ren__free(bytes);
    return st;
}

static ren_status test_conversions(ren_context *context) {
    ren_status st = REN_OK;
    /* binary16: 1, -2, largest, smallest subnormal, largest subnormal, -0, infinity, NaN */
    static const uint16_t half[8] = { 0x3C00, 0xC000, 0x7BFF, 0x0001, 0x03FF, 0x8000, 0x7C00, 0x7E00 };
    static const uint16_t brain[3] = { 0x3F80, 0xC040, 0x7F80 };
    static const double wide[2] = { 0.1, -1e300 };
    static const uint8_t small[3] = { 0, 7, 255 };
    const ren__tensor_source tensors[] = { { "half", REN__F16, 1, { 8 }, half },
                                           { "brain", REN__BF16, 1, { 3 }, brain },
                                           { "wide", REN__F64, 1, { 2 }, wide },
                                           { "small", REN__U8, 1, { 3 }, small } };
    ren__safetensors *file = NULL;
    char path[TEST_PATH];
    float f[8];
    double d[8];
    int64_t i[8];

    REN_TRY(ren__safetensors_write(context, test_file(path, "c.safetensors"), tensors, 4, NULL));
    REN_TRY(ren__safetensors_open(context, path, &file));
    REN_TRY(ren__safetensors_read_f32(file, ren__safetensors_find(file, "half"), f, 8));
    CHECK(f[0] == 1.0f && f[1] == -2.0f && f[2] == 65504.0f && f[3] == 0x1p-24f && f[4] == 1023.0f * 0x1p-24f);
    CHECK(f[5] == 0.0f && signbit(f[5]) && isinf(f[6]) && isnan(f[7]));
    REN_TRY(ren__safetensors_read_f64(file, ren__safetensors_find(file, "half"), d, 8));
    CHECK(d[2] == 65504.0 && d[3] == 0x1p-24);
    REN_TRY(ren__safetensors_read_f32(file, ren__safetensors_find(file, "brain"), f, 3));
    CHECK(f[0] == 1.0f && f[1] == -3.0f && isinf(f[2]));
    REN_TRY(ren__safetensors_read_f64(file, ren__safetensors_find(file, "wide"), d, 2));
    CHECK(d[0] == 0.1 && d[1] == -1e300);
    CHECK_FAILS(ren__safetensors_read_f32(file, ren__safetensors_find(file, "wide"), f, 2), REN_E_DATA, "too large");
    REN_TRY(ren__safetensors_read_i64(file, ren__safetensors_find(file, "small"), i, 3));
    CHECK(i[0] == 0 && i[1] == 7 && i[2] == 255);
out:
    ren__safetensors_close(file);
    return st;
}

/* More than one chunk of conversion, and a file that is cut while it is open. */
static ren_status test_long_tensor_and_cut(ren_context *context) {
    ren_status st = REN_OK;
    enum { COUNT = 100000 };
    ren__tensor_source tensor = { "long", REN__F64, 1, { COUNT }, NULL };
    ren__safetensors *file = NULL;
    char path[TEST_PATH];
    double *written = ren__alloc_array(context, COUNT, sizeof *written);
    float *values = ren__alloc_array(context, COUNT, sizeof *values);
    FILE *handle;

    CHECK_MEMORY(written);
    CHECK_MEMORY(values);
    for (int i = 0; i < COUNT; i++)
        written[i] = i * 0.5;
    tensor.data = written;
    REN_TRY(ren__safetensors_write(context, test_file(path, "d.safetensors"), &tensor, 1, NULL));
    REN_TRY(ren__safetensors_open(context, path, &file));
    REN_TRY(ren__safetensors_read_f32(file, ren__safetensors_at(file, 0), values, COUNT));
    for (int i = 0; i < COUNT; i++)
        CHECK(values[i] == (float)(i * 0.5));
    handle = fopen(path, "w"); /* the same file, now empty */
    CHECK(handle && fclose(handle) == 0);
    CHECK_FAILS(ren__safetensors_read_f32(file, ren__safetensors_at(file, 0), values, COUNT), REN_E_IO, "was cut");
out:
    ren__free(written);
    ren__free(values);
    ren__safetensors_close(file);
    return st;
}

static ren_status test_writer_refuses(ren_context *context) {
    ren_status st = REN_OK;
    static const float one[1] = { 1 };
    static const char *const odd[] = { "key", NULL }, *const twice[] = { "k", "1", "k", "2", NULL };
    char path[TEST_PATH];
    const ren__tensor_source same[2] = { { "a", REN__F32, 0, { 0 }, one }, { "a", REN__F32, 0, { 0 }, one } };
    const ren__tensor_source nameless = { "", REN__F32, 0, { 0 }, one };
    const ren__tensor_source reserved = { "__metadata__", REN__F32, 0, { 0 }, one };
    const ren__tensor_source broken = { "\xFF", REN__F32, 0, { 0 }, one };
    const ren__tensor_source huge = { "a", REN__F32, 2, { INT64_C(1) << 40, INT64_C(1) << 40 }, one };
    const ren__tensor_source negative = { "a", REN__F32, 1, { -1 }, one };
    const ren__tensor_source absent = { "a", REN__F32, 0, { 0 }, NULL };

    test_file(path, "e.safetensors");
    CHECK_FAILS(ren__safetensors_write(context, path, same, 2, NULL), REN_E_INVALID, "twice");
    CHECK_FAILS(ren__safetensors_write(context, path, &nameless, 1, NULL), REN_E_INVALID, "name");
    CHECK_FAILS(ren__safetensors_write(context, path, &reserved, 1, NULL), REN_E_INVALID, "__metadata__");
    CHECK_FAILS(ren__safetensors_write(context, path, &broken, 1, NULL), REN_E_INVALID, "UTF-8");
    CHECK_FAILS(ren__safetensors_write(context, path, &huge, 1, NULL), REN_E_INVALID, "shape");
    CHECK_FAILS(ren__safetensors_write(context, path, &negative, 1, NULL), REN_E_INVALID, "shape");
    CHECK_FAILS(ren__safetensors_write(context, path, &absent, 1, NULL), REN_E_INVALID, "no data");
    CHECK_FAILS(ren__safetensors_write(context, path, same, 1, odd), REN_E_INVALID, "no value");
    CHECK_FAILS(ren__safetensors_write(context, path, same, 1, twice), REN_E_INVALID, "twice");
    CHECK(access(path, F_OK) != 0); /* nothing was left behind */
out:
    return st;
}

/* Piece `index` of numbers that count up. */
static void count_up(const void *data, size_t index, void *piece) {
    float values[4];
    for (size_t i = 0; i < 4; i++)
        values[i] = *(const float *)data + (float)(4 * index + i);
    memcpy(piece, values, sizeof values);
}

static ren_status test_values_in_pieces(ren_context *context) {
    ren_status st = REN_OK;
    static const float first = 10, plain[2] = { 1, 2 };
    char path[TEST_PATH];
    ren__safetensors *file = NULL;
    float values[12];
    const ren__tensor_source tensors[2] = { { "counted", REN__F32, 2, { 3, 4 }, &first },
                                            { "plain", REN__F32, 1, { 2 }, plain } };
    ren__tensor_pieces pieces[2] = { { count_up, 4 * sizeof(float) }, { NULL, 0 } };

    test_file(path, "f.safetensors");
    REN_TRY(ren__safetensors_write_pieces(context, path, tensors, pieces, 2, NULL));
    REN_TRY(ren__safetensors_open(context, path, &file));
    REN_TRY(ren__safetensors_read_f32(file, ren__safetensors_find(file, "counted"), values, 12));
    for (int i = 0; i < 12; i++)
        CHECK_INT(values[i], 10 + i);
    REN_TRY(ren__safetensors_read_f32_part(file, ren__safetensors_find(file, "counted"), 5, values, 7));
    for (int i = 0; i < 7; i++)
        CHECK_INT(values[i], 15 + i);
    CHECK_FAILS(ren__safetensors_read_f32_part(file, ren__safetensors_find(file, "counted"), 6, values, 7),
                REN_E_INVALID, "values 6 to 13");
    REN_TRY(ren__safetensors_read_f32(file, ren__safetensors_find(file, "plain"), values, 2));
    CHECK(values[0] == 1 && values[1] == 2);
    pieces[0].bytes = 20;
    CHECK_FAILS(ren__safetensors_write_pieces(context, path, tensors, pieces, 2, NULL), REN_E_INVALID, "pieces");
    pieces[0].bytes = 0;
    CHECK_FAILS(ren__safetensors_write_pieces(context, path, tensors, pieces, 2, NULL), REN_E_INVALID, "pieces");
out:
    ren__safetensors_close(file);
    return st;
}

TEST_MAIN(CASE(test_round_trip), CASE(test_bytes_are_canonical), CASE(test_conversions), CASE(test_long_tensor_and_cut),
          CASE(test_writer_refuses), CASE(test_values_in_pieces))
