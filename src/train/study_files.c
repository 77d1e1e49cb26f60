/* SPDX-License-Identifier: Apache-2.0 */
/* The run folder's files. */
#include "train/study_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static ren_status io_error(const char *path, const char *what, int number) {
    char text[128];

    return ren__error(REN_E_IO, "%s: %s: %s", path, what, strerror_r(number, text, sizeof text));
}

char *ren__path_join(ren_context *context, const char *folder, const char *format, ...) {
    const size_t head = strlen(folder);
    const int slash = head > 0 && folder[head - 1] != '/';
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    const int tail = vsnprintf(NULL, 0, format, arguments);
    char *path = tail < 0 ? NULL : ren__alloc(context, head + (size_t)slash + (size_t)tail + 1);
    if (path) {
        snprintf(path, head + (size_t)slash + 1, "%s%s", folder, slash ? "/" : "");
        vsnprintf(path + head + (size_t)slash, (size_t)tail + 1, format, again);
    }
    va_end(again);
    va_end(arguments);
    return path;
}

ren_status ren__folder_make(const char *path) {
    struct stat what;

    if (mkdir(path, 0777) == 0) return REN_OK; /* less the umask */
    if (errno != EEXIST) return io_error(path, "the folder cannot be made", errno);
    if (stat(path, &what) != 0) return io_error(path, "cannot be read", errno);
    if (!S_ISDIR(what.st_mode)) return io_error(path, "is in the way of a folder", ENOTDIR);
    return REN_OK;
}

int ren__path_exists(const char *path) {
    struct stat what;

    return stat(path, &what) == 0;
}

ren_status ren__path_resolve(ren_context *context, const char *path, char **out) {
    char *resolved = realpath(path, NULL);

    *out = NULL;
    if (!resolved) return io_error(path, "cannot be found", errno);
    *out = ren__strdup(context, resolved);
    free(resolved); /* realpath's own */
    return *out ? REN_OK : ren__out_of_memory();
}

void ren__file_remove(const char *path) {
    unlink(path);
}

void ren__log_append(const char *path, const char *format, ...) {
    char line[512];
    struct tm parts;
    struct timespec now;
    va_list arguments;

    clock_gettime(CLOCK_REALTIME, &now);
    if (!gmtime_r(&now.tv_sec, &parts)) return;
    int size = snprintf(line, sizeof line, "%04d-%02d-%02dT%02d:%02d:%02dZ ", parts.tm_year + 1900, parts.tm_mon + 1,
                        parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    if (size < 0 || (size_t)size >= sizeof line / 2) return;
    va_start(arguments, format);
    const int more = ren__format(line + size, sizeof line - (size_t)size - 1, format, arguments);
    va_end(arguments);
    if (more < 0) return;
    size = (int)strlen(line);
    line[size] = '\n';
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) return;
    const ssize_t written = write(file, line, (size_t)size + 1);
    (void)written;
    close(file);
}

/* Not 0 where somebody else has the lock. File systems without locks give it to everybody: files that appear whole or
 * not at all keep two equal jobs from harming each other. */
static int is_locked(int folder) {
    int refused;

    do {
        refused = flock(folder, LOCK_EX | LOCK_NB) != 0;
    } while (refused && errno == EINTR);
    return refused && errno == EWOULDBLOCK;
}

ren_status ren__folder_lock(const char *path, double patience, ren__run *run, int *lock) {
    const struct timespec pause = { .tv_nsec = 50000000L };
    const double started = ren__now();
    ren_status st = REN_OK;

    *lock = -1;
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return io_error(path, "cannot be opened", errno);
    while (st == REN_OK && is_locked(folder)) {
        st = ren__run_check(run);
        if (st == REN_OK && ren__now() - started >= patience)
            st = ren__error(REN_E_STATE, "%s: another process is at work on it: wait for it, or run another job", path);
        if (st == REN_OK) nanosleep(&pause, NULL);
    }
    if (st == REN_OK)
        *lock = folder;
    else
        close(folder);
    return st;
}

void ren__folder_unlock(int lock) {
    if (lock >= 0) close(lock);
}

ren_status ren__json_file_write(ren_context *context, const char *path, const json_t *tree) {
    ren_status st = REN_OK;
    ren_text *text = NULL;

    REN_TRY(ren__json_write(context, tree, 2, &text));
    ren__text_add(text, "\n");
    REN_TRY(text->status);
    st = ren__file_write(path, ren_text_data(text), ren_text_size(text));
out:
    ren_text_free(text);
    return st;
}

static ren_status no_memory(void) {
    return ren__error(REN_E_MEMORY, "out of memory while a document was being made");
}

ren_status ren__json_set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0 ? REN_OK : no_memory(); /* refuses NULL */
}

ren_status ren__json_append(json_t *list, json_t *value) {
    return json_array_append_new(list, value) == 0 ? REN_OK : no_memory();
}

ren_status ren__json_checked(const json_t *value) {
    return value ? REN_OK : no_memory();
}

json_t *ren__json_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}
