/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: reading under a cap, writing so that the old file or the new one is there, never a half. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { BUFFER_BYTES = 1 << 16, NAME_ATTEMPTS = 100 };

static ren_status io_error(const char *path, const char *what, int number) {
    char text[128];

    return ren__error(REN_E_IO, "%s: %s: %s", path, what, strerror_r(number, text, sizeof text));
}

/* ---------------------------------------------------------------------------------------------------- writing */

/* A file on its way. `direct` is for what cannot be replaced: pipes, terminals, devices. */
typedef struct target {
    int file;
    int direct;
    char path[PATH_MAX];      /* for error texts, and where it will be: symbolic links followed */
    char temporary[PATH_MAX]; /* in the same folder */
} target;

static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* A name that does not depend on the file's, which may have the longest length already. */
static ren_status create_temporary(target *to) {
    const size_t folder = folder_length(to->path);
    struct timespec now;

    for (unsigned attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        clock_gettime(CLOCK_REALTIME, &now);
        const unsigned long salt = (unsigned long)now.tv_nsec ^ ((unsigned long)now.tv_sec << 20) ^ attempt;
        const int length = snprintf(to->temporary, sizeof to->temporary, "%.*s.ren-%ld-%08lx.tmp", (int)folder,
                                    to->path, (long)getpid(), salt & 0xFFFFFFFFul);
        if (length < 0 || (size_t)length >= sizeof to->temporary)
            return ren__error(REN_E_IO, "%s: the path is too long", to->path);
        to->file = open(to->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); /* less the umask */
        if (to->file >= 0) return REN_OK;
        if (errno != EEXIST) break;
    }
    return io_error(to->path, "cannot create a file in its folder", errno);
}

static ren_status target_open(target *to, const char *path) {
    struct stat what;

    to->file = -1;
    to->direct = 0;
    if (strlen(path) >= sizeof to->path) return ren__error(REN_E_IO, "%.200s...: the path is too long", path);
    if (!realpath(path, to->path)) memcpy(to->path, path, strlen(path) + 1); /* there is no such file yet */
    if (to->path[0] == '\0') return ren__error(REN_E_IO, "the path of the file to write is empty");
    if (stat(path, &what) == 0 && !S_ISREG(what.st_mode)) {
        if (S_ISDIR(what.st_mode)) return io_error(path, "cannot be written", EISDIR);
        to->direct = 1;
        to->file = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return to->file >= 0 ? REN_OK : io_error(path, "cannot be written", errno);
    }
    return create_temporary(to);
}

static ren_status target_write(target *to, const void *bytes, size_t size) {
    const char *from = bytes;

    while (size > 0) {
        const ssize_t written = write(to->file, from, size < SSIZE_MAX ? size : SSIZE_MAX);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return io_error(to->path, "cannot be written", errno);
        from += written;
        size -= (size_t)written;
    }
    return REN_OK;
}

static void target_abort(target *to) {
    if (to->file < 0) return;
    close(to->file);
    to->file = -1;
    if (!to->direct) unlink(to->temporary);
}

/* The rename itself must survive a power cut. Some file systems cannot sync a folder and say EINVAL. */
static ren_status sync_folder(const target *to) {
    char folder[PATH_MAX];
    const size_t length = folder_length(to->path);

    memcpy(folder, to->path, length);
    memcpy(folder + length, ".", 2);
    const int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return REN_OK; /* a folder that may be written but not read */
    const int failed = fsync(file) != 0 && errno == EIO;
    close(file);
    return failed ? io_error(to->path, "its folder cannot be flushed", EIO) : REN_OK;
}

/* Ends the target in every case. */
static ren_status target_commit(target *to) {
    if (!to->direct && fsync(to->file) != 0) {
        const ren_status st = io_error(to->path, "cannot be flushed", errno);
        target_abort(to);
        return st;
    }
    const int closed = close(to->file);
    to->file = -1;
    if (to->direct) return closed == 0 ? REN_OK : io_error(to->path, "cannot be written", errno);
    if (closed != 0 || rename(to->temporary, to->path) != 0) {
        const ren_status st = io_error(to->path, "cannot be replaced", errno);
        unlink(to->temporary);
        return st;
    }
    return sync_folder(to);
}

ren_status ren__file_write(const char *path, const void *bytes, size_t size) {
    target to;
    ren_status st = target_open(&to, path);

    if (st != REN_OK) return st;
    st = target_write(&to, bytes, size);
    if (st == REN_OK) return target_commit(&to);
    target_abort(&to);
    return st;
}

struct ren__file_writer {
    ren_context *context; /* held */
    target to;
    size_t buffered;
    unsigned char buffer[BUFFER_BYTES];
};

ren_status ren__file_writer_open(ren_context *context, const char *path, ren__file_writer **out) {
    ren_status st = REN_OK;
    ren__file_writer *writer;

    *out = NULL;
    REN_ALLOC(writer, sizeof *writer);
    writer->buffered = 0;
    st = target_open(&writer->to, path);
    if (st != REN_OK) {
        ren__free(writer);
        return st;
    }
    writer->context = ren__context_retain(context);
    *out = writer;
out:
    return st;
}

static ren_status flush(ren__file_writer *writer) {
    const ren_status st = target_write(&writer->to, writer->buffer, writer->buffered);

    writer->buffered = 0;
    return st;
}

ren_status ren__file_writer_write(ren__file_writer *writer, const void *bytes, size_t size) {
    if (size > BUFFER_BYTES - writer->buffered) {
        const ren_status st = flush(writer);
        if (st != REN_OK) return st;
    }
    if (size >= BUFFER_BYTES) return target_write(&writer->to, bytes, size);
    if (size > 0) memcpy(writer->buffer + writer->buffered, bytes, size);
    writer->buffered += size;
    return REN_OK;
}

static void writer_free(ren__file_writer *writer) {
    ren_context *context = writer->context;

    ren__free(writer);
    ren__context_release(context);
}

ren_status ren__file_writer_commit(ren__file_writer *writer) {
    ren_status st = flush(writer);

    if (st == REN_OK)
        st = target_commit(&writer->to);
    else
        target_abort(&writer->to);
    writer_free(writer);
    return st;
}

void ren__file_writer_abort(ren__file_writer *writer) {
    if (!writer) return;
    target_abort(&writer->to);
    writer_free(writer);
}

/* ---------------------------------------------------------------------------------------------------- reading */

static ren_status too_large(const char *path, size_t cap) {
    return ren__error(REN_E_LIMIT, "%s: is larger than the %zu bytes that are allowed here", path, cap);
}

/* Everything up to the end, however long the file turns out to be: it may be a pipe, or grow while it is read. */
static ren_status read_all(ren_context *context, int file, const char *path, size_t expected, size_t cap, char **bytes,
                           size_t *size) {
    ren_status st = REN_OK;
    size_t capacity = expected + 1, used = 0;
    char *data;

    REN_ALLOC(data, capacity);
    for (;;) {
        if (used + 1 == capacity) { /* full but for the terminator: room to find out whether there is more */
            const size_t larger = capacity < BUFFER_BYTES ? BUFFER_BYTES : capacity + capacity / 2;
            char *grown = ren__realloc(context, data, larger);
            if (!grown) {
                st = ren__out_of_memory();
                goto out;
            }
            data = grown;
            capacity = larger;
        }
        const ssize_t got = read(file, data + used, capacity - 1 - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            st = io_error(path, "cannot be read", errno);
            goto out;
        }
        if (got == 0) break;
        used += (size_t)got;
        if (used > cap) REN_TRY(too_large(path, cap));
    }
    data[used] = '\0';
    *bytes = data;
    *size = used;
    data = NULL;
out:
    ren__free(data);
    return st;
}

ren_status ren__file_read(ren_context *context, const char *path, size_t cap, char **bytes, size_t *size) {
    ren_status st = REN_OK;
    struct stat what;

    *bytes = NULL;
    *size = 0;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0) return io_error(path, "cannot be opened", errno);
    if (fstat(file, &what) != 0) {
        st = io_error(path, "cannot be read", errno);
    } else if (S_ISDIR(what.st_mode)) {
        st = io_error(path, "cannot be read", EISDIR);
    } else if (S_ISREG(what.st_mode) && (uintmax_t)what.st_size > cap) {
        st = too_large(path, cap);
    } else {
        /* One byte more than it says, so that the end is seen without growing. */
        const size_t expected = S_ISREG(what.st_mode) ? (size_t)what.st_size + 1 : BUFFER_BYTES;
        st = read_all(context, file, path, expected, cap, bytes, size);
    }
    close(file);
    return st;
}
