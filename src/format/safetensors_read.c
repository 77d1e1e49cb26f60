/* SPDX-License-Identifier: Apache-2.0 */
/* Reading safetensors: the header is taken apart and checked here, values come from safetensors_values.c.
 *
 * A file is 8 bytes with the header's length (little-endian), the header as one JSON object, and the data:
 *     {"__metadata__": {"key": "value"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
 * The header is walked member by member and only strings and single tensors go through jansson, whose trees take up to
 * eighty times the text: so its memory stays small whatever a hostile header holds. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/document.h"
#include "format/names.h"
#include "format/safetensors_file.h"

/* Longer than any tensor's text with REN__MAX_RANK numbers and generous blanks. */
enum { TENSOR_TEXT_CAP = 4096 };

size_t ren__dtype_size(enum ren__dtype type) {
    switch (type) {
    case REN__U8:
        return 1;
    case REN__F16:
    case REN__BF16:
        return 2;
    case REN__F32:
        return 4;
    case REN__F64:
    case REN__I64:
        return 8;
    }
    return 0;
}

const char *ren__dtype_name(enum ren__dtype type) {
    static const char *const names[] = { "", "F16", "BF16", "F32", "F64", "I64", "U8" };
    return names[type];
}

static enum ren__dtype dtype_of(const char *name) {
    for (int type = REN__F16; type <= REN__U8; type++)
        if (strcmp(name, ren__dtype_name((enum ren__dtype)type)) == 0) return (enum ren__dtype)type;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ cursor */

typedef struct cursor {
    const char *text;
    size_t size, at;
} cursor;

static ren_status malformed(const cursor *in, const char *what) {
    return ren__error(REN_E_FORMAT, "header, byte %zu: %s", in->at, what);
}

static int is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The character after blanks, 0 at the end. */
static char skip_blanks(cursor *in) {
    while (in->at < in->size && is_blank(in->text[in->at]))
        in->at++;
    return in->at < in->size ? in->text[in->at] : '\0';
}

static ren_status expect(cursor *in, char wanted) {
    char message[] = "'?' is missing";

    if (skip_blanks(in) != wanted) {
        message[1] = wanted;
        return malformed(in, message);
    }
    in->at++;
    return REN_OK;
}

/* Not 0 where the object ends here; else the cursor is at its next member's key. */
static ren_status next_member(cursor *in, int first, int *end) {
    char c = skip_blanks(in);

    *end = 0;
    if (c == '}') {
        in->at++;
        *end = 1;
        return REN_OK;
    }
    return first ? REN_OK : expect(in, ',');
}

static ren_status load(const cursor *in, size_t size, json_t **out) {
    json_error_t error;
    char quoted[2 * REN__QUOTE_SIZE];

    *out = ren__json_load(in->text + in->at, size, &error);
    if (*out) return REN_OK;
    if (!error.text[0]) return ren__error(REN_E_MEMORY, "out of memory in the JSON reader");
    return ren__error(REN_E_FORMAT, "header, byte %zu: %s", in->at, ren__quote(error.text, quoted, sizeof quoted));
}

/* Reads a string into the arena. */
static ren_status read_string(cursor *in, ren__arena *arena, const char **out) {
    ren_status st = REN_OK;
    json_t *string = NULL;
    size_t end;

    if (skip_blanks(in) != '"') return malformed(in, "a string is missing");
    for (end = in->at + 1; end < in->size && in->text[end] != '"'; end++)
        if (in->text[end] == '\\') end++;
    if (end >= in->size) return malformed(in, "a string without an end");
    REN_TRY(load(in, end + 1 - in->at, &string));
    in->at = end + 1;
    *out = ren__arena_strdup(arena, json_string_value(string));
    if (!*out) st = ren__out_of_memory();
out:
    json_decref(string);
    return st;
}

/* Size of the object that starts here, at most TENSOR_TEXT_CAP and two levels deep. */
static ren_status measure_tensor(cursor *in, size_t *size) {
    int depth = 0, inside = 0;

    if (skip_blanks(in) != '{') return malformed(in, "a tensor's description must be an object");
    for (size_t i = in->at; i < in->size && i - in->at < TENSOR_TEXT_CAP; i++) {
        char c = in->text[i];
        if (inside) {
            if (c == '\\')
                i++;
            else if (c == '"')
                inside = 0;
            continue;
        }
        if (c == '-') return malformed(in, "a negative number");
        if (c == '"') inside = 1;
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        if (depth > 2) return malformed(in, "a tensor's description is nested too deep");
        if (depth == 0) {
            *size = i + 1 - in->at;
            return REN_OK;
        }
    }
    return malformed(in, "a tensor's description has no end or is far too long");
}

/* ----------------------------------------------------------------------------------------------------- tensors */

static ren_status read_shape(const json_t *shape, ren__tensor_entry *entry) {
    if (!json_is_array(shape)) return ren__error(REN_E_FORMAT, "\"shape\" must be a list");
    if (json_array_size(shape) > REN__MAX_RANK)
        return ren__error(REN_E_UNSUPPORTED, "%zu dimensions, at most %d are supported", json_array_size(shape),
                          REN__MAX_RANK);
    entry->rank = (int32_t)json_array_size(shape);
    entry->count = 1;
    for (int32_t i = 0; i < entry->rank; i++) {
        const json_t *number = json_array_get(shape, (size_t)i);
        if (!json_is_integer(number) || json_integer_value(number) < 0)
            return ren__error(REN_E_FORMAT, "dimension %d is no whole number", (int)i);
        entry->shape[i] = json_integer_value(number);
        if (!ren__mul_size(entry->count, (size_t)entry->shape[i], &entry->count))
            return ren__error(REN_E_FORMAT, "the product of the shape does not fit in 64 bits");
    }
    if (!ren__mul_size(entry->count, ren__dtype_size(entry->type), &entry->bytes))
        return ren__error(REN_E_FORMAT, "the size in bytes does not fit in 64 bits");
    return REN_OK;
}

static ren_status read_offsets(const json_t *offsets, ren__tensor_entry *entry) {
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    size_t low, high;

    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return ren__error(REN_E_FORMAT, "\"data_offsets\" must be two whole numbers");
    if (json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return ren__error(REN_E_FORMAT, "\"data_offsets\" end before they begin");
    low = (size_t)json_integer_value(begin);
    high = (size_t)json_integer_value(end);
    if (high - low != entry->bytes)
        return ren__error(REN_E_FORMAT, "\"data_offsets\" hold %zu bytes, type and shape need %zu", high - low,
                          entry->bytes);
    entry->offset = low; /* within the data; check_layout makes it one within the file */
    return REN_OK;
}

static ren_status read_entry(const json_t *tensor, ren__tensor_entry *entry) {
    const char *key, *type = json_string_value(json_object_get(tensor, "dtype"));
    char quoted[REN__QUOTE_SIZE];
    json_t *value;
    ren_status st;

    json_object_foreach((json_t *)tensor, key, value) {
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 && strcmp(key, "data_offsets") != 0)
            return ren__error(REN_E_FORMAT, "unknown key \"%s\"", ren__quote(key, quoted, sizeof quoted));
    }
    if (!type) return ren__error(REN_E_FORMAT, "\"dtype\" must be a string");
    entry->type = dtype_of(type);
    if (!entry->type)
        return ren__error(REN_E_UNSUPPORTED, "type %s is not supported: F16, BF16, F32, F64, I64 and U8 are",
                          ren__quote(type, quoted, sizeof quoted));
    st = read_shape(json_object_get(tensor, "shape"), entry);
    if (st == REN_OK) st = read_offsets(json_object_get(tensor, "data_offsets"), entry);
    return st;
}

static ren_status read_tensor(cursor *in, const char *name, ren__tensor_entry *entry) {
    ren_status st = REN_OK;
    char quoted[REN__QUOTE_SIZE];
    json_t *tensor = NULL;
    size_t size = 0;

    REN_TRY(measure_tensor(in, &size));
    REN_TRY(load(in, size, &tensor));
    in->at += size;
    entry->name = name;
    st = read_entry(tensor, entry);
out:
    if (st != REN_OK) st = ren__error_context(st, "tensor \"%s\"", ren__quote(name, quoted, sizeof quoted));
    json_decref(tensor);
    return st;
}

/* One more item at the end of a growing array; it comes zeroed. */
static void *grow(ren_context *context, void **items, size_t count, size_t *capacity, size_t size) {
    if (count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 16, bytes;
        void *grown = ren__mul_size(larger, size, &bytes) ? ren__realloc(context, *items, bytes) : NULL;
        if (!grown) return NULL;
        *items = grown;
        *capacity = larger;
    }
    return memset((char *)*items + count * size, 0, size);
}

static ren_status read_metadata(ren__safetensors *file, cursor *in) {
    ren_status st = REN_OK;
    size_t capacity = 0;
    int end = 0;

    REN_TRY(expect(in, '{'));
    for (;;) {
        ren__pair *pair;
        REN_TRY(next_member(in, file->pair_count == 0, &end));
        if (end) break;
        pair = grow(file->context, (void **)&file->pairs, file->pair_count, &capacity, sizeof *pair);
        if (!pair) return ren__out_of_memory();
        REN_TRY(read_string(in, file->arena, &pair->key));
        REN_TRY(expect(in, ':'));
        REN_TRY(read_string(in, file->arena, &pair->value));
        file->pair_count++;
    }
out:
    return st == REN_OK ? st : ren__error_context(st, "__metadata__");
}

static ren_status read_members(ren__safetensors *file, cursor *in) {
    ren_status st = REN_OK;
    size_t capacity = 0;
    const char *name = NULL;
    int end = 0, first = 1, metadata = 0;

    if (in->size == 0 || in->text[0] != '{') return malformed(in, "it must begin with '{'");
    in->at = 1;
    for (;; first = 0) {
        ren__tensor_entry *entry;
        REN_TRY(next_member(in, first, &end));
        if (end) break;
        REN_TRY(read_string(in, file->arena, &name));
        REN_TRY(expect(in, ':'));
        if (strcmp(name, "__metadata__") == 0) {
            if (metadata++) REN_FAIL(REN_E_FORMAT, "header: __metadata__ is there twice");
            REN_TRY(read_metadata(file, in));
            continue;
        }
        if (!*name) REN_FAIL(REN_E_FORMAT, "header, byte %zu: a tensor without a name", in->at);
        if (strlen(name) > REN__TENSOR_NAME_CAP)
            REN_FAIL(REN_E_FORMAT, "header, byte %zu: a tensor's name of %zu bytes, at most %d are allowed", in->at,
                     strlen(name), REN__TENSOR_NAME_CAP);
        if (file->count == REN__TENSOR_COUNT_CAP)
            REN_FAIL(REN_E_LIMIT, "header: more than %d tensors", REN__TENSOR_COUNT_CAP);
        entry = grow(file->context, (void **)&file->entries, file->count, &capacity, sizeof *entry);
        if (!entry) return ren__out_of_memory();
        REN_TRY(read_tensor(in, name, entry));
        file->count++;
    }
    skip_blanks(in);
    if (in->at != in->size) st = malformed(in, "something stands after its end");
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------------ checks */

int ren__compare_names(const void *items, size_t a, size_t b) {
    const ren__tensor_entry *entries = items;
    return strcmp(entries[a].name, entries[b].name);
}

static int compare_offsets(const void *items, size_t a, size_t b) {
    const ren__tensor_entry *left = (const ren__tensor_entry *)items + a, *right = (const ren__tensor_entry *)items + b;
    if (left->offset != right->offset) return left->offset < right->offset ? -1 : 1;
    return left->bytes < right->bytes ? -1 : left->bytes > right->bytes;
}

static int compare_keys(const void *items, size_t a, size_t b) {
    const ren__pair *pairs = items;
    return strcmp(pairs[a].key, pairs[b].key);
}

static ren_status check_metadata(const ren__safetensors *file) {
    ren_status st = REN_OK;
    size_t *order = ren__alloc_array(file->context, file->pair_count, sizeof *order);
    char quoted[REN__QUOTE_SIZE];

    if (!order) return ren__out_of_memory();
    ren__sort_indices(order, file->pair_count, compare_keys, file->pairs);
    for (size_t i = 1; i < file->pair_count && st == REN_OK; i++)
        if (compare_keys(file->pairs, order[i - 1], order[i]) == 0)
            st = ren__error(REN_E_FORMAT, "__metadata__: key \"%s\" is there twice",
                            ren__quote(file->pairs[order[i]].key, quoted, sizeof quoted));
    ren__free(order);
    return st;
}

/* Puts the entries in order of their offsets and follows them from the data's first byte to the file's last. */
static ren_status check_layout(ren__safetensors *file, size_t data_start) {
    ren_status st = REN_OK;
    ren_context *context = file->context;
    ren__tensor_entry *sorted = NULL;
    size_t data_size = file->size - data_start, end = 0, bytes;
    char quoted[REN__QUOTE_SIZE], other[REN__QUOTE_SIZE];

    if (!ren__mul_size(file->count, sizeof *sorted, &bytes)) return ren__error(REN_E_LIMIT, "too many tensors");
    REN_ALLOC(sorted, bytes);
    ren__sort_indices(file->by_name, file->count, compare_offsets, file->entries);
    for (size_t i = 0; i < file->count; i++) {
        ren__tensor_entry *entry = &sorted[i];
        *entry = file->entries[file->by_name[i]];
        ren__quote(entry->name, quoted, sizeof quoted);
        if (entry->offset > data_size || entry->bytes > data_size - entry->offset)
            REN_FAIL(REN_E_FORMAT, "tensor \"%s\" ends at byte %zu of the data, there are %zu: the file is truncated",
                     quoted, entry->offset + entry->bytes, data_size);
        if (entry->offset < end)
            REN_FAIL(REN_E_FORMAT, "tensor \"%s\" begins inside \"%s\"", quoted,
                     ren__quote(sorted[i - 1].name, other, sizeof other));
        if (entry->offset > end)
            REN_FAIL(REN_E_FORMAT, "%zu bytes before tensor \"%s\" belong to no tensor", entry->offset - end, quoted);
        end += entry->bytes;
        entry->offset += data_start;
    }
    if (end != data_size) REN_FAIL(REN_E_FORMAT, "%zu bytes at the end belong to no tensor", data_size - end);
    ren__free(file->entries);
    file->entries = sorted;
    sorted = NULL;
    ren__sort_indices(file->by_name, file->count, ren__compare_names, file->entries);
    for (size_t i = 1; i < file->count; i++)
        if (ren__compare_names(file->entries, file->by_name[i - 1], file->by_name[i]) == 0)
            REN_FAIL(REN_E_FORMAT, "tensor \"%s\" is there twice",
                     ren__quote(file->entries[file->by_name[i]].name, quoted, sizeof quoted));
out:
    ren__free(sorted);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- opening */

static ren_status open_file(ren__safetensors *file, const char *path) {
    struct stat status;

    /* Without O_NONBLOCK a pipe under this name would hold us up for ever. */
    file->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->descriptor < 0 || fstat(file->descriptor, &status) != 0) {
        char reason[128];
        return ren__error(REN_E_IO, "cannot be opened: %s", strerror_r(errno, reason, sizeof reason));
    }
    if (!S_ISREG(status.st_mode)) return ren__error(REN_E_IO, "is not a regular file");
    file->size = (size_t)status.st_size;
    return REN_OK;
}

static ren_status read_header(ren__safetensors *file) {
    ren_status st = REN_OK;
    ren_context *context = file->context;
    unsigned char start[8];
    uint64_t length = 0;
    char *header = NULL;
    cursor in = { NULL, 0, 0 };

    if (file->size < sizeof start)
        return ren__error(REN_E_FORMAT, "has %zu bytes: too short for a safetensors file", file->size);
    REN_TRY(ren__safetensors_pread(file, start, sizeof start, 0));
    for (int i = 8; i-- > 0;)
        length = length << 8 | start[i];
    if (length > REN__HEADER_CAP)
        REN_FAIL(REN_E_FORMAT, "says that its header has %llu bytes, at most %d are allowed: not a safetensors file?",
                 (unsigned long long)length, REN__HEADER_CAP);
    if (length > file->size - sizeof start)
        REN_FAIL(REN_E_FORMAT, "ends after %zu of %llu header bytes: the file is truncated", file->size - sizeof start,
                 (unsigned long long)length);
    REN_ALLOC(header, (size_t)length);
    REN_TRY(ren__safetensors_pread(file, header, (size_t)length, sizeof start));
    in.text = header;
    in.size = (size_t)length;
    REN_TRY(read_members(file, &in));
    REN_TRY(check_metadata(file));
    file->by_name = ren__alloc_array(context, file->count, sizeof *file->by_name);
    if (!file->by_name) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(check_layout(file, sizeof start + (size_t)length));
out:
    ren__free(header);
    return st;
}

ren_status ren__safetensors_open(ren_context *context, const char *path, ren__safetensors **out) {
    ren_status st = REN_OK;
    ren__safetensors *file = NULL;

    *out = NULL;
    REN_CALLOC(file, 1);
    file->descriptor = -1;
    file->context = ren__context_retain(context);
    file->path = ren__strdup(context, path);
    if (!file->path) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren__arena_create(context, &file->arena));
    st = open_file(file, path);
    if (st == REN_OK) st = read_header(file);
    if (st != REN_OK) {
        st = ren__error_context(st, "%s", path);
        goto out;
    }
    *out = file;
    file = NULL;
out:
    ren__safetensors_close(file);
    return st;
}

void ren__safetensors_close(ren__safetensors *file) {
    ren_context *context;

    if (!file) return;
    context = file->context;
    if (file->descriptor >= 0) close(file->descriptor);
    ren__free(file->entries);
    ren__free(file->by_name);
    ren__free(file->pairs);
    ren__arena_free(file->arena);
    ren__free(file->path);
    ren__free(file);
    ren__context_release(context);
}

/* ------------------------------------------------------------------------------------------------------ access */

size_t ren__safetensors_count(const ren__safetensors *file) {
    return file->count;
}

const ren__tensor_entry *ren__safetensors_at(const ren__safetensors *file, size_t index) {
    return index < file->count ? &file->entries[index] : NULL;
}

const ren__tensor_entry *ren__safetensors_find(const ren__safetensors *file, const char *name) {
    size_t low = 0, high = file->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const ren__tensor_entry *entry = &file->entries[file->by_name[middle]];
        int order = strcmp(name, entry->name);
        if (order == 0) return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *ren__safetensors_metadata(const ren__safetensors *file, const char *key) {
    for (size_t i = 0; i < file->pair_count; i++)
        if (strcmp(file->pairs[i].key, key) == 0) return file->pairs[i].value;
    return NULL;
}
