/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a plain or gzip-compressed file, front to back. What is compressed is told from the bytes, not the name. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "volume/nifti.h"

enum { INPUT_BYTES = 1 << 18, SKIP_BYTES = 1 << 16, TRAILING_BYTES = 1 << 24 };

/* The most that deflate expands: 258 bytes from 2 bits (zlib's technical notes say 1032:1). */
enum { DEFLATE_RATIO = 1032 };

struct ren__nifti_stream {
    ren_context *context; /* of the caller */
    char *path;
    int file;
    uint64_t length;
    int compressed, finished;
    int inflating; /* `z` needs its end */
    z_stream z;
    uint8_t *input; /* INPUT_BYTES */
    size_t begin, end;
};

static void *zlib_alloc(void *user, uInt count, uInt size) {
    return ren__alloc_array(user, count, size);
}

static void zlib_free(void *user, void *memory) {
    (void)user;
    ren__free(memory);
}

static ren_status system_error(const ren__nifti_stream *stream, const char *what) {
    char text[128];
    return ren__error(REN_E_IO, "%s: %s: %s", stream->path, what, strerror_r(errno, text, sizeof text));
}

/* Makes input available unless the file is at its end. */
static ren_status fill(ren__nifti_stream *stream) {
    ssize_t got;
    if (stream->begin < stream->end) return REN_OK;
    do
        got = read(stream->file, stream->input, INPUT_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0) return system_error(stream, "cannot be read");
    stream->begin = 0;
    stream->end = (size_t)got;
    return REN_OK;
}

static ren_status open_file(ren__nifti_stream *stream) {
    struct stat info;
    /* without O_NONBLOCK a named pipe would hold us until somebody writes */
    stream->file = open(stream->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (stream->file < 0) return system_error(stream, "cannot be opened");
    if (fstat(stream->file, &info)) return system_error(stream, "cannot be read");
    if (!S_ISREG(info.st_mode)) return ren__error(REN_E_IO, "%s: not a regular file", stream->path);
    stream->length = (uint64_t)info.st_size;
    return REN_OK;
}

ren_status ren__nifti_stream_open(ren_context *context, const char *path, ren__nifti_stream **out) {
    ren_status st = REN_OK;
    ren__nifti_stream *stream = ren__calloc(context, 1, sizeof *stream);
    if (!stream) return ren__out_of_memory();
    stream->context = context;
    stream->file = -1;
    stream->path = ren__strdup(context, path);
    stream->input = ren__alloc(context, INPUT_BYTES);
    if (!stream->path || !stream->input) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(open_file(stream));
    REN_TRY(fill(stream));
    if (stream->end >= 2 && stream->input[0] == 0x1f && stream->input[1] == 0x8b) {
        stream->compressed = 1;
        stream->z.zalloc = zlib_alloc;
        stream->z.zfree = zlib_free;
        stream->z.opaque = context;
        if (inflateInit2(&stream->z, 15 + 16) != Z_OK) {
            st = ren__out_of_memory();
            goto out;
        }
        stream->inflating = 1;
    }
    *out = stream;
    return REN_OK;
out:
    ren__nifti_stream_close(stream);
    return st;
}

void ren__nifti_stream_close(ren__nifti_stream *stream) {
    if (!stream) return;
    if (stream->inflating) inflateEnd(&stream->z);
    if (stream->file >= 0) close(stream->file);
    ren__free(stream->input);
    ren__free(stream->path);
    ren__free(stream);
}

static ren_status read_plain(ren__nifti_stream *stream, uint8_t *bytes, size_t size, size_t *got) {
    *got = 0;
    while (*got < size) {
        size_t part = stream->end - stream->begin;
        if (part) { /* what opening has read ahead */
            if (part > size - *got) part = size - *got;
            memcpy(bytes + *got, stream->input + stream->begin, part);
            stream->begin += part;
            *got += part;
            continue;
        }
        size_t wanted = size - *got < SSIZE_MAX / 2 ? size - *got : SSIZE_MAX / 2;
        ssize_t now = read(stream->file, bytes + *got, wanted);
        if (now < 0 && errno == EINTR) continue;
        if (now < 0) return system_error(stream, "cannot be read");
        if (now == 0) break;
        *got += (size_t)now;
    }
    return REN_OK;
}

/* After the end of a gzip member another may follow; anything else there is padding and ignored, as gzip does. */
static ren_status next_member(ren__nifti_stream *stream) {
    ren_status st = fill(stream);
    if (st != REN_OK) return st;
    if (stream->end - stream->begin >= 2 && stream->input[stream->begin] == 0x1f &&
        stream->input[stream->begin + 1] == 0x8b && inflateReset(&stream->z) == Z_OK)
        return REN_OK;
    stream->finished = 1;
    return REN_OK;
}

static ren_status inflate_error(const ren__nifti_stream *stream, int code) {
    if (code == Z_MEM_ERROR) return ren__out_of_memory();
    return ren__error(REN_E_FORMAT, "%s: the compressed data are damaged (%s): copy the file again", stream->path,
                      stream->z.msg ? stream->z.msg : "unexpected content");
}

static ren_status read_compressed(ren__nifti_stream *stream, uint8_t *bytes, size_t size, size_t *got) {
    ren_status st = REN_OK;
    *got = 0;
    while (*got < size && !stream->finished) {
        REN_TRY(fill(stream));
        if (stream->begin == stream->end)
            REN_FAIL(REN_E_FORMAT, "%s: the compressed data end too early: the file is truncated, copy it again",
                     stream->path);
        const uInt room = size - *got < UINT_MAX ? (uInt)(size - *got) : UINT_MAX;
        stream->z.next_in = stream->input + stream->begin;
        stream->z.avail_in = (uInt)(stream->end - stream->begin);
        stream->z.next_out = bytes + *got;
        stream->z.avail_out = room;
        int code = inflate(&stream->z, Z_NO_FLUSH);
        stream->begin = stream->end - stream->z.avail_in;
        *got += room - stream->z.avail_out;
        if (code == Z_STREAM_END)
            REN_TRY(next_member(stream));
        else if (code != Z_OK && code != Z_BUF_ERROR)
            REN_TRY(inflate_error(stream, code));
    }
out:
    return st;
}

ren_status ren__nifti_stream_read(ren__nifti_stream *stream, void *bytes, size_t size, size_t *got) {
    return stream->compressed ? read_compressed(stream, bytes, size, got) : read_plain(stream, bytes, size, got);
}

ren_status ren__nifti_stream_skip(ren__nifti_stream *stream, uint64_t size, uint64_t *skipped) {
    ren_status st = REN_OK;
    ren_context *context = stream->context;
    uint8_t *scratch = NULL;
    *skipped = 0;
    REN_ALLOC(scratch, SKIP_BYTES);
    while (*skipped < size) {
        size_t got, part = size - *skipped < SKIP_BYTES ? (size_t)(size - *skipped) : SKIP_BYTES;
        REN_TRY(ren__nifti_stream_read(stream, scratch, part, &got));
        *skipped += got;
        if (got < part) break;
    }
out:
    ren__free(scratch);
    return st;
}

ren_status ren__nifti_stream_holds(const ren__nifti_stream *stream, uint64_t size) {
    if (!stream->compressed) {
        if (size <= stream->length) return REN_OK;
        return ren__error(REN_E_FORMAT, "%s: ends after %llu of %llu bytes: the file is truncated, copy it again",
                          stream->path, (unsigned long long)stream->length, (unsigned long long)size);
    }
    if (size / DEFLATE_RATIO <= stream->length) return REN_OK;
    return ren__error(REN_E_FORMAT,
                      "%s: the header asks for %llu bytes, more than %llu compressed bytes can hold: the file "
                      "is truncated or its header damaged",
                      stream->path, (unsigned long long)size, (unsigned long long)stream->length);
}

ren_status ren__nifti_stream_finish(ren__nifti_stream *stream) {
    uint64_t skipped = 0;
    if (!stream->compressed || stream->finished) return REN_OK;
    ren_status st = ren__nifti_stream_skip(stream, TRAILING_BYTES, &skipped);
    if (st != REN_OK) return st;
    if (!stream->finished)
        return ren__error(REN_E_FORMAT,
                          "%s: goes on for more than %d bytes after the last voxel: the header does not "
                          "describe this file",
                          stream->path, TRAILING_BYTES);
    return REN_OK;
}
