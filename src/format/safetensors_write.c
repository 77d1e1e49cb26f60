/* SPDX-License-Identifier: Apache-2.0 */
/* Writing safetensors: equal contents give equal bytes. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "format/document_write.h"
#include "format/names.h"
#include "format/safetensors_file.h"

enum { DATA_ALIGNMENT = 64 };

/* What is to be written, checked. */
typedef struct plan {
    ren__tensor_entry *entries; /* in the caller's order; `offset` within the data */
    size_t *order;              /* of the data */
    size_t count;
    ren_text *header;
} plan;

static int compare_widths(const void *items, size_t a, size_t b) {
    const ren__tensor_entry *entries = items;
    return (int)ren__dtype_size(entries[b].type) - (int)ren__dtype_size(entries[a].type);
}

static ren_status check_source(const ren__tensor_source *source, ren__tensor_entry *entry) {
    size_t length = source->name ? strlen(source->name) : 0;

    if (length == 0 || length > REN__TENSOR_NAME_CAP || !ren__utf8_valid(source->name, length))
        return ren__error(REN_E_INVALID, "a tensor needs a name of 1 to %d bytes in UTF-8", REN__TENSOR_NAME_CAP);
    if (strcmp(source->name, "__metadata__") == 0)
        return ren__error(REN_E_INVALID, "no tensor can have the name __metadata__");
    if (!ren__dtype_size(source->type) || source->rank < 0 || source->rank > REN__MAX_RANK)
        return ren__error(REN_E_INVALID, "tensor \"%s\": type %d or rank %d is impossible", source->name,
                          (int)source->type, (int)source->rank);
    entry->name = source->name;
    entry->type = source->type;
    entry->rank = source->rank;
    entry->count = 1;
    for (int32_t i = 0; i < source->rank; i++) {
        entry->shape[i] = source->shape[i];
        if (source->shape[i] < 0 || !ren__mul_size(entry->count, (size_t)source->shape[i], &entry->count))
            return ren__error(REN_E_INVALID, "tensor \"%s\": the shape is impossible", source->name);
    }
    if (!ren__mul_size(entry->count, ren__dtype_size(entry->type), &entry->bytes) || entry->bytes > INT64_MAX)
        return ren__error(REN_E_INVALID, "tensor \"%s\": the shape is impossible", source->name);
    if (entry->bytes && !source->data) return ren__error(REN_E_INVALID, "tensor \"%s\": no data", source->name);
    return REN_OK;
}

static ren_status check_metadata(const char *const *metadata) {
    for (size_t i = 0; metadata && metadata[i]; i += 2) {
        if (!metadata[i + 1]) return ren__error(REN_E_INVALID, "metadata \"%s\" has no value", metadata[i]);
        if (!ren__utf8_valid(metadata[i], strlen(metadata[i])) ||
            !ren__utf8_valid(metadata[i + 1], strlen(metadata[i + 1])))
            return ren__error(REN_E_INVALID, "metadata must be UTF-8");
        for (size_t j = 0; j < i; j += 2)
            if (strcmp(metadata[i], metadata[j]) == 0)
                return ren__error(REN_E_INVALID, "metadata \"%s\" is given twice", metadata[i]);
    }
    return REN_OK;
}

static ren_status lay_out(plan *all) {
    size_t end = 0;

    ren__sort_indices(all->order, all->count, ren__compare_names, all->entries);
    for (size_t i = 1; i < all->count; i++)
        if (ren__compare_names(all->entries, all->order[i - 1], all->order[i]) == 0)
            return ren__error(REN_E_INVALID, "tensor \"%s\" is given twice", all->entries[all->order[i]].name);
    ren__sort_indices(all->order, all->count, compare_widths, all->entries);
    for (size_t i = 0; i < all->count; i++) {
        ren__tensor_entry *entry = &all->entries[all->order[i]];
        entry->offset = end;
        if (!ren__add_size(end, entry->bytes, &end) || end > INT64_MAX)
            return ren__error(REN_E_INVALID, "the tensors are too large for a file");
    }
    return REN_OK;
}

static void add_entry(ren_text *header, const ren__tensor_entry *entry) {
    ren__write_string(header, entry->name, strlen(entry->name), 0);
    ren__text_addf(header, ":{\"dtype\":\"%s\",\"shape\":[", ren__dtype_name(entry->type));
    for (int32_t i = 0; i < entry->rank; i++)
        ren__text_addf(header, "%s%" PRId64, i ? "," : "", entry->shape[i]);
    ren__text_addf(header, "],\"data_offsets\":[%zu,%zu]}", entry->offset, entry->offset + entry->bytes);
}

/* The header's JSON, filled up with blanks so that the data starts at a multiple of DATA_ALIGNMENT. */
static ren_status build_header(plan *all, const char *const *metadata) {
    ren_text *header = all->header;
    const char *separator = "";

    ren__text_add(header, "{");
    if (metadata && metadata[0]) {
        ren__text_add(header, "\"__metadata__\":{");
        for (size_t i = 0; metadata[i]; i += 2) {
            if (i) ren__text_add(header, ",");
            ren__write_string(header, metadata[i], strlen(metadata[i]), 0);
            ren__text_add(header, ":");
            ren__write_string(header, metadata[i + 1], strlen(metadata[i + 1]), 0);
        }
        ren__text_add(header, "}");
        separator = ",";
    }
    for (size_t i = 0; i < all->count; i++) {
        ren__text_add(header, separator);
        add_entry(header, &all->entries[all->order[i]]);
        separator = ",";
    }
    ren__text_add(header, "}");
    while (header->status == REN_OK && (8 + header->size) % DATA_ALIGNMENT)
        ren__text_add(header, " ");
    if (header->status == REN_OK && (header->size > REN__HEADER_CAP || all->count > REN__TENSOR_COUNT_CAP))
        return ren__error(REN_E_INVALID, "too many tensors or too much metadata for a header");
    return header->status;
}

static ren_status make_plan(ren_context *context, plan *all, const ren__tensor_source *tensors,
                            const char *const *metadata) {
    ren_status st = REN_OK;

    REN_CALLOC(all->entries, all->count);
    REN_CALLOC(all->order, all->count);
    REN_TRY(ren__text_create(context, &all->header));
    for (size_t i = 0; i < all->count; i++)
        REN_TRY(check_source(&tensors[i], &all->entries[i]));
    REN_TRY(check_metadata(metadata));
    REN_TRY(lay_out(all));
    REN_TRY(build_header(all, metadata));
out:
    return st;
}

ren_status ren__safetensors_write(ren_context *context, const char *path, const ren__tensor_source *tensors,
                                  size_t count, const char *const *metadata) {
    return ren__safetensors_write_pieces(context, path, tensors, NULL, count, metadata);
}

/* Room for the largest piece, and whether pieces fill their tensors. */
static ren_status make_piece(ren_context *context, const plan *all, const ren__tensor_pieces *pieces, void **room) {
    size_t largest = 0;

    for (size_t i = 0; pieces && i < all->count; i++) {
        if (!pieces[i].fill) continue;
        if (pieces[i].bytes == 0 || all->entries[i].bytes % pieces[i].bytes)
            return ren__error(REN_E_INVALID, "tensor \"%s\": its pieces do not fill it", all->entries[i].name);
        if (pieces[i].bytes > largest) largest = pieces[i].bytes;
    }
    if (largest == 0) return REN_OK;
    *room = ren__alloc(context, largest);
    return *room ? REN_OK : ren__out_of_memory();
}

static ren_status write_values(ren__file_writer *writer, const void *data, size_t bytes,
                               const ren__tensor_pieces *pieces, void *room) {
    if (!pieces || !pieces->fill) return ren__file_writer_write(writer, data, bytes);
    for (size_t i = 0; i < bytes / pieces->bytes; i++) {
        pieces->fill(data, i, room);
        const ren_status st = ren__file_writer_write(writer, room, pieces->bytes);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

ren_status ren__safetensors_write_pieces(ren_context *context, const char *path, const ren__tensor_source *tensors,
                                         const ren__tensor_pieces *pieces, size_t count, const char *const *metadata) {
    ren_status st = REN_OK;
    plan all = { NULL, NULL, count, NULL };
    ren__file_writer *writer = NULL;
    unsigned char length[8];
    void *room = NULL;

    st = make_plan(context, &all, tensors, metadata);
    if (st == REN_OK) st = make_piece(context, &all, pieces, &room);
    if (st != REN_OK) {
        st = ren__error_context(st, "%s", path);
        goto out;
    }
    REN_TRY(ren__file_writer_open(context, path, &writer));
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(all.header->size >> 8 * i);
    REN_TRY(ren__file_writer_write(writer, length, sizeof length));
    REN_TRY(ren__file_writer_write(writer, all.header->data, all.header->size));
    for (size_t i = 0; i < count; i++) {
        const size_t k = all.order[i];
        REN_TRY(write_values(writer, tensors[k].data, all.entries[k].bytes, pieces ? &pieces[k] : NULL, room));
    }
    st = ren__file_writer_commit(writer);
    writer = NULL;
out:
    ren__file_writer_abort(writer);
    ren__free(room);
    ren_text_free(all.header);
    ren__free(all.order);
    ren__free(all.entries);
    return st;
}
