/* SPDX-License-Identifier: Apache-2.0 */
/* Malformed safetensors: each a clear error, or a harmless read where a flipped bit gave another valid file. Made to
 * run under AddressSanitizer. The files live in memory (memfd), made here from tables and a seeded generator. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/random.h"
#include "format/safetensors.h"
#include "harness.h"

enum { MEMORY_BOUND = 1 << 20 }; /* of what one small hostile file may cost */

/* Opens a file of these bytes, made `hole` zero bytes longer, and reads every tensor in every type. */
static ren_status try_bytes(ren_context *context, const void *bytes, size_t size, size_t hole) {
    ren_status st = REN_OK;
    char path[64];
    ren__safetensors *file = NULL;
    void *values = NULL;
    int descriptor = memfd_create("hostile", MFD_CLOEXEC);

    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    CHECK(descriptor >= 0 && write(descriptor, bytes, size) == (ssize_t)size);
    CHECK(ftruncate(descriptor, (off_t)(size + hole)) == 0);
    REN_TRY(ren__safetensors_open(context, path, &file));
    for (size_t i = 0; i < ren__safetensors_count(file); i++) {
        const ren__tensor_entry *entry = ren__safetensors_at(file, i);
        CHECK(entry->offset + entry->bytes <= size + hole && ren__safetensors_find(file, entry->name) == entry);
        values = ren__alloc_array(context, entry->count, sizeof(double));
        CHECK_MEMORY(values);
        st = ren__safetensors_read_f32(file, entry, values, entry->count);
        if (st == REN_E_DATA) st = REN_OK; /* an F64 that float32 cannot hold */
        if (st == REN_OK) st = ren__safetensors_read_f64(file, entry, values, entry->count);
        if (st == REN_OK) st = ren__safetensors_read_i64(file, entry, values, entry->count);
        if (st == REN_E_DATA) st = REN_OK;
        ren__free(values);
        if (st != REN_OK) goto out;
    }
out:
    ren__safetensors_close(file);
    if (descriptor >= 0) close(descriptor);
    return st;
}

static ren_status try_header(ren_context *context, const char *header, size_t length, size_t data) {
    ren_status st = REN_OK;
    char *bytes = ren__alloc(context, 8 + length);

    CHECK_MEMORY(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)((uint64_t)length >> 8 * i & 255);
    memcpy(bytes + 8, header, length);
    st = try_bytes(context, bytes, 8 + length, data);
out:
    ren__free(bytes);
    return st;
}

#define OFFSETS(begin, end)             "\"data_offsets\":[" #begin "," #end "]"
#define TENSOR(type, shape, begin, end) "{\"dtype\":\"" type "\",\"shape\":" shape "," OFFSETS(begin, end) "}"
#define ONE                             TENSOR("F32", "[2]", 0, 8)

typedef struct hostile_header {
    const char *header;
    size_t data;
    ren_status code;
    const char *message;
} hostile_header;

static const hostile_header headers[] = {
    /* the frame */
    { "", 0, REN_E_FORMAT, "begin with '{'" },
    { " {}", 0, REN_E_FORMAT, "begin with '{'" },
    { "[]", 0, REN_E_FORMAT, "begin with '{'" },
    { "null", 0, REN_E_FORMAT, "begin with '{'" },
    { "{", 0, REN_E_FORMAT, "string is missing" },
    { "{}}", 0, REN_E_FORMAT, "after its end" },
    { "{} x", 0, REN_E_FORMAT, "after its end" },
    { "{},{}", 0, REN_E_FORMAT, "after its end" },
    { "{,}", 0, REN_E_FORMAT, "string is missing" },
    { "{1:2}", 0, REN_E_FORMAT, "string is missing" },
    { "{\"a", 0, REN_E_FORMAT, "without an end" },
    { "{\"a\\", 0, REN_E_FORMAT, "without an end" },
    { "{\"a\"", 0, REN_E_FORMAT, "':' is missing" },
    { "{\"a\"}", 0, REN_E_FORMAT, "':' is missing" },
    { "{\"a\":", 0, REN_E_FORMAT, "must be an object" },
    { "{\"a\":1}", 0, REN_E_FORMAT, "must be an object" },
    { "{\"a\":[]}", 0, REN_E_FORMAT, "must be an object" },
    { "{\"a\":" ONE, 8, REN_E_FORMAT, "',' is missing" },
    { "{\"a\":" ONE ",}", 8, REN_E_FORMAT, "string is missing" },
    { "{\"a\":" ONE " \"b\":" ONE "}", 8, REN_E_FORMAT, "',' is missing" },
    { "{}", 1, REN_E_FORMAT, "1 bytes at the end" },
    /* names */
    { "{\"\":" ONE "}", 8, REN_E_FORMAT, "without a name" },
    { "{\"a\\u0000b\":" ONE "}", 8, REN_E_FORMAT, "NUL" },
    { "{\"\xFF\":" ONE "}", 8, REN_E_FORMAT, "header, byte 1" },
    { "{\"\xC0\x80\":" ONE "}", 8, REN_E_FORMAT, "header, byte 1" },
    { "{\"\xED\xA0\x80\":" ONE "}", 8, REN_E_FORMAT, "header, byte 1" },
    { "{\"\\ud800\":" ONE "}", 8, REN_E_FORMAT, "header, byte 1" },
    { "{\"\\x\":" ONE "}", 8, REN_E_FORMAT, "header, byte 1" },
    { "{\"a\nb\":" ONE "}", 8, REN_E_FORMAT, "header, byte 1" },
    { "{\"a\":" ONE ",\"a\":" TENSOR("F32", "[2]", 8, 16) "}", 16, REN_E_FORMAT, "twice" },
    { "{\"a\":" ONE ",\"\\u0061\":" TENSOR("F32", "[2]", 8, 16) "}", 16, REN_E_FORMAT, "twice" },
    /* keys of a tensor */
    { "{\"a\":{}}", 0, REN_E_FORMAT, "\"dtype\"" },
    { "{\"a\":{\"shape\":[2]," OFFSETS(0, 8) "}}", 8, REN_E_FORMAT, "\"dtype\"" },
    { "{\"a\":{\"dtype\":\"F32\"," OFFSETS(0, 8) "}}", 8, REN_E_FORMAT, "\"shape\"" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, REN_E_FORMAT, "\"data_offsets\"" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"extra\":1," OFFSETS(0, 8) "}}", 8, REN_E_FORMAT, "key \"extra\"" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"\x1B[2J\":1," OFFSETS(0, 8) "}}", 8, REN_E_FORMAT, "tensor \"a\"" },
    { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"U8\",\"shape\":[2]," OFFSETS(0, 8) "}}", 8, REN_E_FORMAT, "duplicate" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]," OFFSETS(0, 8) ",}}", 8, REN_E_FORMAT, "tensor \"a\"" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]," OFFSETS(0, 8) "]}", 8, REN_E_FORMAT, "tensor \"a\"" },
    /* types */
    { "{\"a\":" TENSOR("F8_E4M3", "[8]", 0, 8) "}", 8, REN_E_UNSUPPORTED, "F8_E4M3" },
    { "{\"a\":" TENSOR("BOOL", "[8]", 0, 8) "}", 8, REN_E_UNSUPPORTED, "BOOL" },
    { "{\"a\":" TENSOR("I32", "[2]", 0, 8) "}", 8, REN_E_UNSUPPORTED, "I32" },
    { "{\"a\":" TENSOR("f32", "[2]", 0, 8) "}", 8, REN_E_UNSUPPORTED, "f32" },
    { "{\"a\":" TENSOR("", "[2]", 0, 8) "}", 8, REN_E_UNSUPPORTED, "type" },
    { "{\"a\":{\"dtype\":4,\"shape\":[2]," OFFSETS(0, 8) "}}", 8, REN_E_FORMAT, "must be a string" },
    { "{\"a\":{\"dtype\":[\"F32\"],\"shape\":[2]," OFFSETS(0, 8) "}}", 8, REN_E_FORMAT, "must be a string" },
    /* shapes */
    { "{\"a\":" TENSOR("F32", "2", 0, 8) "}", 8, REN_E_FORMAT, "must be a list" },
    { "{\"a\":" TENSOR("F32", "\"2\"", 0, 8) "}", 8, REN_E_FORMAT, "must be a list" },
    { "{\"a\":" TENSOR("F32", "{\"0\":2}", 0, 8) "}", 8, REN_E_FORMAT, "must be a list" },
    { "{\"a\":" TENSOR("F32", "null", 0, 8) "}", 8, REN_E_FORMAT, "must be a list" },
    { "{\"a\":" TENSOR("F32", "[[2]]", 0, 8) "}", 8, REN_E_FORMAT, "too deep" },
    { "{\"a\":" TENSOR("F32", "[2.0]", 0, 8) "}", 8, REN_E_FORMAT, "no whole number" },
    { "{\"a\":" TENSOR("F32", "[2e0]", 0, 8) "}", 8, REN_E_FORMAT, "no whole number" },
    { "{\"a\":" TENSOR("F32", "[\"2\"]", 0, 8) "}", 8, REN_E_FORMAT, "no whole number" },
    { "{\"a\":" TENSOR("F32", "[true]", 0, 8) "}", 8, REN_E_FORMAT, "no whole number" },
    { "{\"a\":" TENSOR("F32", "[null]", 0, 8) "}", 8, REN_E_FORMAT, "no whole number" },
    { "{\"a\":" TENSOR("F32", "[NaN]", 0, 8) "}", 8, REN_E_FORMAT, "tensor \"a\"" },
    { "{\"a\":" TENSOR("F32", "[Infinity]", 0, 8) "}", 8, REN_E_FORMAT, "tensor \"a\"" },
    { "{\"a\":" TENSOR("F32", "[02]", 0, 8) "}", 8, REN_E_FORMAT, "tensor \"a\"" },
    { "{\"a\":" TENSOR("F32", "[0x2]", 0, 8) "}", 8, REN_E_FORMAT, "tensor \"a\"" },
    { "{\"a\":" TENSOR("F32", "[-2]", 0, 8) "}", 8, REN_E_FORMAT, "negative" },
    { "{\"a\":" TENSOR("F32", "[-1,-2]", 0, 8) "}", 8, REN_E_FORMAT, "negative" },
    { "{\"a\":" TENSOR("F32", "[-0]", 0, 0) "}", 0, REN_E_FORMAT, "negative" },
    { "{\"a\":" TENSOR("F32", "[1,1,1,1,1,1,1,1,2]", 0, 8) "}", 8, REN_E_UNSUPPORTED, "9 dimensions" },
    { "{\"a\":" TENSOR("F32", "[4294967296,4294967296]", 0, 0) "}", 0, REN_E_FORMAT, "product" },
    { "{\"a\":" TENSOR("F32", "[4294967296,4294967296,0]", 0, 0) "}", 0, REN_E_FORMAT, "product" },
    { "{\"a\":" TENSOR("F32", "[4611686018427387904]", 0, 0) "}", 0, REN_E_FORMAT, "size in bytes" },
    { "{\"a\":" TENSOR("I64", "[2305843009213693952]", 0, 0) "}", 0, REN_E_FORMAT, "size in bytes" },
    { "{\"a\":" TENSOR("F32", "[9223372036854775808]", 0, 0) "}", 0, REN_E_FORMAT, "too big" },
    { "{\"a\":" TENSOR("F32", "[18446744073709551616]", 0, 0) "}", 0, REN_E_FORMAT, "too big" },
    { "{\"a\":" TENSOR("F32", "[1e400]", 0, 0) "}", 0, REN_E_FORMAT, "tensor \"a\"" },
    { "{\"a\":" TENSOR("F32", "[3]", 0, 8) "}", 8, REN_E_FORMAT, "need 12" },
    { "{\"a\":" TENSOR("F64", "[2]", 0, 8) "}", 8, REN_E_FORMAT, "need 16" },
    { "{\"a\":" TENSOR("F32", "[]", 0, 8) "}", 8, REN_E_FORMAT, "need 4" },
    { "{\"a\":" TENSOR("F32", "[0]", 0, 8) "}", 8, REN_E_FORMAT, "need 0" },
    /* offsets */
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[]}}", 8, REN_E_FORMAT, "two whole numbers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, REN_E_FORMAT, "two whole numbers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4,8]}}", 8, REN_E_FORMAT, "two whole numbers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":{}}}", 8, REN_E_FORMAT, "two whole numbers" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":8}}", 8, REN_E_FORMAT, "two whole numbers" },
    { "{\"a\":" TENSOR("F32", "[2]", 0.0, 8.0) "}", 8, REN_E_FORMAT, "two whole numbers" },
    { "{\"a\":" TENSOR("F32", "[2]", "0", "8") "}", 8, REN_E_FORMAT, "two whole numbers" },
    { "{\"a\":" TENSOR("F32", "[2]", -8, 0) "}", 8, REN_E_FORMAT, "negative" },
    { "{\"a\":" TENSOR("F32", "[2]", 8, 0) "}", 8, REN_E_FORMAT, "end before" },
    { "{\"a\":" TENSOR("F32", "[2]", 0, 9) "}", 9, REN_E_FORMAT, "hold 9 bytes" },
    { "{\"a\":" TENSOR("F32", "[2]", 0, 8) "}", 7, REN_E_FORMAT, "truncated" },
    { "{\"a\":" TENSOR("F32", "[2]", 0, 8) "}", 0, REN_E_FORMAT, "truncated" },
    { "{\"a\":" TENSOR("F32", "[2]", 0, 8) "}", 9, REN_E_FORMAT, "1 bytes at the end" },
    { "{\"a\":" TENSOR("F32", "[2]", 4, 12) "}", 12, REN_E_FORMAT, "4 bytes before" },
    { "{\"a\":" TENSOR("F32", "[2]", 9223372036854775799, 9223372036854775807) "}", 8, REN_E_FORMAT, "truncated" },
    { "{\"a\":" TENSOR("F32", "[2]", 18446744073709551608, 18446744073709551616) "}", 8, REN_E_FORMAT, "too big" },
    { "{\"a\":" TENSOR("F32", "[0]", 9223372036854775807, 9223372036854775807) "}", 8, REN_E_FORMAT, "truncated" },
    { "{\"a\":" ONE ",\"b\":" TENSOR("F32", "[2]", 4, 12) "}", 12, REN_E_FORMAT, "\"b\" begins inside \"a\"" },
    { "{\"a\":" ONE ",\"b\":" ONE "}", 8, REN_E_FORMAT, "begins inside" },
    { "{\"a\":" ONE ",\"b\":" TENSOR("F32", "[2]", 12, 20) "}", 20, REN_E_FORMAT, "4 bytes before tensor \"b\"" },
    { "{\"b\":" TENSOR("F32", "[2]", 12, 20) ",\"a\":" ONE "}", 20, REN_E_FORMAT, "4 bytes before tensor \"b\"" },
    { "{\"a\":" TENSOR("F32", "[4]", 0, 16) ",\"b\":" TENSOR("F32", "[1]", 4, 8) "}", 16, REN_E_FORMAT, "inside" },
    { "{\"a\":" ONE ",\"z\":" TENSOR("F32", "[0]", 4, 4) "}", 8, REN_E_FORMAT, "begins inside" },
    /* metadata */
    { "{\"__metadata__\":[]}", 0, REN_E_FORMAT, "__metadata__" },
    { "{\"__metadata__\":null}", 0, REN_E_FORMAT, "__metadata__" },
    { "{\"__metadata__\":{\"a\":1}}", 0, REN_E_FORMAT, "string is missing" },
    { "{\"__metadata__\":{\"a\":{}}}", 0, REN_E_FORMAT, "string is missing" },
    { "{\"__metadata__\":{\"a\":null}}", 0, REN_E_FORMAT, "string is missing" },
    { "{\"__metadata__\":{\"a\":\"b\"", 0, REN_E_FORMAT, "',' is missing" },
    { "{\"__metadata__\":{\"a\":\"b\",}}", 0, REN_E_FORMAT, "string is missing" },
    { "{\"__metadata__\":{\"a\":\"\xFF\"}}", 0, REN_E_FORMAT, "__metadata__" },
    { "{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", 0, REN_E_FORMAT, "\"a\" is there twice" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, REN_E_FORMAT, "there twice" },
    /* harmless */
    { "{}", 0, REN_OK, NULL },
    { "{} \n\t ", 0, REN_OK, NULL },
    { "{ \"a\" : " ONE " , \"__metadata__\" : { \"k\" : \"v\" } }", 8, REN_OK, NULL },
    { "{\"z\":" TENSOR("U8", "[0,4294967296]", 0, 0) ",\"a\":" ONE ",\"y\":" TENSOR("I64", "[0]", 8, 8) "}", 8, REN_OK,
      NULL },
    { "{\"a\":" TENSOR("F64", "[]", 0, 8) "}", 8, REN_OK, NULL },
};

static ren_status test_hostile_headers(ren_context *context) {
    ren_status st = REN_OK;

    ren_context_memory_peak_reset(context);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const hostile_header *one = &headers[i];
        st = try_header(context, one->header, strlen(one->header), one->data);
        if (one->code == REN_OK) {
            if (st != REN_OK) goto out;
            continue;
        }
        CHECK_FAILS(st, one->code, one->message);
    }
    CHECK(ren_context_memory_peak(context) < MEMORY_BOUND);
out:
    return st;
}

static ren_status test_hostile_lengths(ren_context *context) {
    ren_status st = REN_OK;
    static const uint64_t lengths[] = { 3,
                                        100,
                                        0x7FFFFFFF,
                                        0x80000000,
                                        0xFFFFFFFF,
                                        (64 << 20) + 1,
                                        UINT64_C(1) << 32,
                                        UINT64_C(1) << 63,
                                        UINT64_MAX,
                                        UINT64_MAX - 7,
                                        UINT64_MAX - 8,
                                        INT64_MAX };
    unsigned char bytes[10] = { 0, 0, 0, 0, 0, 0, 0, 0, '{', '}' };

    ren_context_memory_peak_reset(context);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int k = 0; k < 8; k++)
            bytes[k] = (unsigned char)(lengths[i] >> 8 * k);
        CHECK_FAILS(try_bytes(context, bytes, sizeof bytes, 0), REN_E_FORMAT, "header");
    }
    memset(bytes, 0, 8);
    CHECK_FAILS(try_bytes(context, bytes, 8, 0), REN_E_FORMAT, "begin with '{'");
    CHECK_FAILS(ren__safetensors_open(context, "/dev/null", &(ren__safetensors *){ NULL }), REN_E_IO, "regular");
    CHECK_FAILS(ren__safetensors_open(context, "/", &(ren__safetensors *){ NULL }), REN_E_IO, "regular");
    CHECK_FAILS(ren__safetensors_open(context, "/nowhere/x", &(ren__safetensors *){ NULL }), REN_E_IO,
                "cannot be opened");
    CHECK(ren_context_memory_peak(context) < MEMORY_BOUND);
out:
    return st;
}

/* A small valid file with every type. */
static size_t valid_file(unsigned char bytes[1024]) {
    static const char header[] = "{\"__metadata__\":{\"kind\":\"test\",\"config\":\"{\\\"a\\\": [1]}\"},\"a\":" TENSOR(
        "F32", "[2,3]", 0,
        24) ",\"b\":" TENSOR("F16", "[4]", 24,
                             32) ",\"c.d\":" TENSOR("F64", "[]", 32,
                                                    40) ",\"e\":" TENSOR("I64", "[1]", 40,
                                                                         48) ",\"f\":" TENSOR("U8", "[2]", 48,
                                                                                              50) ",\"g\":" TENSOR("BF1"
                                                                                                                   "6",
                                                                                                                   "[1"
                                                                                                                   "]",
                                                                                                                   50,
                                                                                                                   52) "}   ";
    size_t length = sizeof header - 1;

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < 52; i++)
        bytes[8 + length + i] = (unsigned char)(37 * i + 5);
    return 8 + length + 52;
}

static ren_status test_truncations(ren_context *context) {
    ren_status st = REN_OK;
    unsigned char bytes[1024];
    size_t size = valid_file(bytes);

    REN_TRY(try_bytes(context, bytes, size, 0));
    for (size_t kept = 0; kept < size; kept++)
        CHECK_FAILS(try_bytes(context, bytes, kept, 0), REN_E_FORMAT, kept < 8 ? "too short" : "truncated");
    /* Cut and the length made to fit: the JSON itself ends early. */
    for (size_t kept = 8; kept < size - 52 - 3; kept++) {
        bytes[0] = (unsigned char)(kept - 8);
        bytes[1] = (unsigned char)((kept - 8) >> 8);
        CHECK_FAILS(try_bytes(context, bytes, kept, 0), REN_E_FORMAT, "header, byte");
    }
    for (size_t more = 1; more < 5000; more *= 3) {
        size = valid_file(bytes);
        CHECK_FAILS(try_bytes(context, bytes, size, more), REN_E_FORMAT, "at the end");
    }
out:
    return st;
}

static ren_status test_flipped_bytes(ren_context *context) {
    ren_status st = REN_OK;
    enum { ROUNDS = 3000 };
    unsigned char bytes[1024];
    int refused = 0;
    ren__rng rng;

    ren__rng_init(&rng, 20, 1, 0);
    ren_context_memory_peak_reset(context);
    for (int round = 0; round < ROUNDS; round++) {
        size_t size = valid_file(bytes);
        uint32_t flips = 1 + ren__rng_below(&rng, 4);
        for (uint32_t i = 0; i < flips; i++)
            bytes[ren__rng_below(&rng, (uint32_t)size)] ^= (unsigned char)(1 + ren__rng_below(&rng, 255));
        st = try_bytes(context, bytes, size, 0);
        CHECK(st == REN_OK || st == REN_E_FORMAT || st == REN_E_UNSUPPORTED);
        CHECK(st == REN_OK || ren_error_message()[0]);
        refused += st != REN_OK;
    }
    st = REN_OK;
    CHECK(refused > ROUNDS / 2 && refused < ROUNDS); /* most are errors; flipped data are not */
    CHECK(ren_context_memory_peak(context) < MEMORY_BOUND);
out:
    return st;
}

/* A megabyte of one thing: the reader's memory and stack stay small, and nothing takes quadratic time. */
static ren_status test_long_repetitions(ren_context *context) {
    ren_status st = REN_OK;
    static const struct {
        const char *start, *repeated, *message;
    } cases[] = {
        { "{", "[", "string is missing" },
        { "{\"a\":", "[", "must be an object" },
        { "{\"a\":", "{\"a\":", "too deep" },
        { "{\"a\":{\"shape\":", "[", "too deep" },
        { "{\"a\":{\"shape\":[", "0,", "far too long" },
        { "{\"a\":{\"dtype\":\"", "F", "far too long" },
        { "{\"", "a", "without an end" },
        { "{\"", "\\", "without an end" },
        { "{", " ", "string is missing" },
        { "{\"__metadata__\":", "{\"k\":", "string is missing" },
        { "{\"__metadata__\":{\"a\":\"b\"", ",\"a\":\"b\"", NULL },
        { "{\"a\":" ONE, ",\"a\":" ONE, NULL },
    };
    enum { SIZE = 1 << 20 };
    char *header = ren__alloc(context, SIZE);

    CHECK_MEMORY(header);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t used = strlen(cases[i].start), step = strlen(cases[i].repeated);
        memcpy(header, cases[i].start, used);
        for (; used + step + 2 <= SIZE; used += step)
            memcpy(header + used, cases[i].repeated, step);
        if (!cases[i].message) {
            memcpy(header + used, "}}", 2);
            used += i + 1 == sizeof cases / sizeof *cases ? 1 : 2;
        }
        CHECK_FAILS(try_header(context, header, used, 0), REN_E_FORMAT, cases[i].message);
    }
    for (size_t length = 1024; length <= 1025; length++) { /* the longest name, and one more */
        memcpy(header, "{\"", 2);
        memset(header + 2, 'n', length);
        memcpy(header + 2 + length, "\":" ONE "}", sizeof "\":" ONE "}" - 1);
        st = try_header(context, header, 2 + length + sizeof "\":" ONE "}" - 1, 8);
        if (length == 1024)
            REN_TRY(st);
        else
            CHECK_FAILS(st, REN_E_FORMAT, "name of 1025 bytes");
    }
out:
    ren__free(header);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_hostile_headers), CASE_SAMPLED(test_hostile_lengths), CASE_ONCE(test_truncations),
          CASE_ONCE(test_flipped_bytes), CASE_ONCE(test_long_repetitions))
