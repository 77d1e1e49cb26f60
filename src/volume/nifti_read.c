/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a NIfTI file into a volume: voxels go from the file straight into the volume's own buffer. */
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "volume/nifti.h"
#include "volume/volume.h"

static int ends_with(const char *text, const char *suffix) {
    size_t a = strlen(text), b = strlen(suffix);
    return a >= b && !strcasecmp(text + a - b, suffix);
}

/* Turns x.hdr into x.img or back, in place, keeping upper case and ".gz". 0: the name is not of this kind. */
static int exchange(char *path, const char *from, const char *to) {
    size_t length = strlen(path), end = ends_with(path, ".gz") ? length - 3 : length;
    if (end < 4 || strncasecmp(path + end - 4, from, 4) != 0) return 0;
    const int upper = path[end - 1] < 'a';
    for (size_t i = 1; i < 4; i++)
        path[end - 4 + i] = (char)(upper ? to[i] & ~0x20 : to[i]);
    return 1;
}

/* The other file of a pair, with or without compression, whichever exists; `*out` from ren__strdup. */
static ren_status sibling(ren_context *context, const char *path, const char *from, const char *to, char **out) {
    ren_status st = REN_OK;
    char *name = NULL;
    size_t length = strlen(path);
    *out = NULL;
    REN_ALLOC(name, length + 4);
    memcpy(name, path, length + 1);
    if (!exchange(name, from, to))
        REN_FAIL(REN_E_FORMAT, "%s: a header of a pair of files must be named .hdr, its voxels .img", path);
    if (access(name, F_OK)) {
        if (ends_with(name, ".gz"))
            name[length - 3] = '\0';
        else
            memcpy(name + length, ".gz", 4);
    }
    if (access(name, F_OK)) REN_FAIL(REN_E_IO, "%s: the %s file that belongs to it is missing", path, to);
    *out = name;
    return REN_OK;
out:
    ren__free(name);
    return st;
}

static ren_status read_header(ren__nifti_stream *stream, const char *path, ren__nifti_header *header,
                              size_t *consumed) {
    uint8_t bytes[REN__NIFTI2_BYTES];
    size_t got = 0, size, rest = 0;
    ren_status st = ren__nifti_stream_read(stream, bytes, 4, &got);
    if (st != REN_OK) return st;
    size = got == 4 ? ren__nifti_header_size(bytes) : 0;
    if (!size)
        return ren__error(REN_E_FORMAT, "%s: not a NIfTI file (it does not start with a header of 348 or 540 bytes)",
                          path);
    st = ren__nifti_stream_read(stream, bytes + 4, size - 4, &rest);
    if (st != REN_OK) return st;
    if (rest != size - 4)
        return ren__error(REN_E_FORMAT, "%s: ends after %zu of %zu header bytes: the file is truncated, copy it again",
                          path, got + rest, size);
    *consumed = size;
    st = ren__nifti_header_parse(bytes, size, header);
    return st == REN_OK ? st : ren__error_context(st, "%s", path);
}

static void swap_elements(uint8_t *bytes, size_t size, size_t element) {
    if (element == 2)
        for (size_t i = 0; i < size; i += 2) {
            uint16_t value;
            memcpy(&value, bytes + i, 2);
            value = __builtin_bswap16(value);
            memcpy(bytes + i, &value, 2);
        }
    if (element == 4)
        for (size_t i = 0; i < size; i += 4) {
            uint32_t value;
            memcpy(&value, bytes + i, 4);
            value = __builtin_bswap32(value);
            memcpy(bytes + i, &value, 4);
        }
    if (element == 8)
        for (size_t i = 0; i < size; i += 8) {
            uint64_t value;
            memcpy(&value, bytes + i, 8);
            value = __builtin_bswap64(value);
            memcpy(bytes + i, &value, 8);
        }
}

/* `stream` stands at byte `position` of the file with the voxels. */
static ren_status read_voxels(ren_context *context, ren__nifti_stream *stream, const char *path, uint64_t position,
                              const ren__nifti_header *header, ren_volume **out) {
    ren_status st = REN_OK;
    ren_volume *volume = NULL;
    void *voxels = NULL;
    uint64_t skipped = 0, skip;
    size_t got = 0;
    if (header->voxel_offset < position) REN_FAIL(REN_E_FORMAT, "%s: the voxels would begin inside the header", path);
    skip = header->voxel_offset - position;
    REN_TRY(ren__nifti_stream_holds(stream, header->voxel_offset + header->voxel_bytes));
    REN_TRY(ren__volume_allocate_raw(context, header->type, header->shape, header->affine, &voxels, &volume));
    REN_TRY(ren__nifti_stream_skip(stream, skip, &skipped));
    if (skipped == skip) REN_TRY(ren__nifti_stream_read(stream, voxels, header->voxel_bytes, &got));
    if (got != header->voxel_bytes)
        REN_FAIL(REN_E_FORMAT, "%s: ends after %zu of %zu voxel bytes: the file is truncated, copy it again", path, got,
                 header->voxel_bytes);
    REN_TRY(ren__nifti_stream_finish(stream));
    if (header->swapped) swap_elements(voxels, header->voxel_bytes, ren__type_size(header->type));
    volume->slope = header->slope;
    volume->intercept = header->intercept;
    volume->rescaled = header->slope != 1.0 || header->intercept != 0.0;
    volume->unit_unknown = header->unit_unknown;
    volume->planar = header->planar;
    memcpy(volume->spacing, header->spacing, sizeof volume->spacing);
    *out = volume;
    volume = NULL;
out:
    ren_volume_free(volume);
    return st;
}

ren_status ren_volume_read(ren_context *context, const char *path, ren_volume **out) {
    ren_status st = REN_OK;
    ren__nifti_stream *stream = NULL;
    ren__nifti_header header;
    char *header_path = NULL, *image_path = NULL;
    size_t consumed = 0;
    REN_REQUIRE(out);
    *out = NULL;
    REN_REQUIRE(context && path);
    if (ends_with(path, ".img") || ends_with(path, ".img.gz"))
        REN_TRY(sibling(context, path, ".img", ".hdr", &header_path));
    if (!header_path && !(header_path = ren__strdup(context, path))) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren__nifti_stream_open(context, header_path, &stream));
    REN_TRY(read_header(stream, header_path, &header, &consumed));
    if (header.pair) {
        REN_TRY(sibling(context, header_path, ".hdr", ".img", &image_path));
        ren__nifti_stream_close(stream);
        stream = NULL;
        REN_TRY(ren__nifti_stream_open(context, image_path, &stream));
        consumed = 0;
    }
    REN_TRY(read_voxels(context, stream, image_path ? image_path : header_path, consumed, &header, out));
out:
    ren__nifti_stream_close(stream);
    ren__free(image_path);
    ren__free(header_path);
    return st;
}
