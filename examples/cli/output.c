/* SPDX-License-Identifier: Apache-2.0 */
/* Where results go: standard output, or a file that appears whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

enum { PATH_BYTES = 4096 };

int cli_begin(const cli_call *call, cli_output *output) {
    *output = (cli_output){ NULL, NULL, 0 };
    output->stream = open_memstream(&output->bytes, &output->size);
    return output->stream ? EXIT_DONE : cli_error(call, EXIT_MEMORY, "out of memory: the result cannot be held");
}

void cli_drop(cli_output *output) {
    if (output->stream) fclose(output->stream);
    free(output->bytes);
    *output = (cli_output){ NULL, NULL, 0 };
}

static int write_all(int file, const char *bytes, size_t size) {
    while (size > 0) {
        const ssize_t written = write(file, bytes, size);

        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return 0;
        bytes += written;
        size -= (size_t)written;
    }
    return 1;
}

/* mkstemp makes a private file; a result gets what the umask would have given it. */
static int share_like_others(int file) {
    const mode_t mask = umask(0);

    umask(mask);
    return fchmod(file, 0666 & ~mask) == 0;
}

static int is_special(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

/* A pipe or a device cannot be replaced by a renamed file. */
static int write_special(const char *path, const char *bytes, size_t size) {
    const int file = open(path, O_WRONLY | O_CLOEXEC);

    if (file < 0) return 0;
    const int good = write_all(file, bytes, size);
    return close(file) == 0 && good;
}

static int write_file(const char *path, const char *bytes, size_t size) {
    char temporary[PATH_BYTES];

    if (is_special(path)) return write_special(path, bytes, size);
    const int length = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (length < 0 || (size_t)length >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return 0;
    }
    const int file = mkstemp(temporary);
    if (file < 0) return 0;
    int good = write_all(file, bytes, size) && share_like_others(file) && fsync(file) == 0;
    good = close(file) == 0 && good;
    if (good && rename(temporary, path) == 0) return 1;
    const int reason = errno;
    unlink(temporary);
    errno = reason;
    return 0;
}

int cli_finish(const cli_call *call, cli_output *output) {
    const int failed = ferror(output->stream) | fclose(output->stream);

    output->stream = NULL;
    if (failed) return cli_error(call, EXIT_MEMORY, "out of memory: the result cannot be held");
    if (cli_interrupted()) return cli_check_interrupt(call);
    cli_clear_bar();
    if (call->out) {
        if (write_file(call->out, output->bytes, output->size)) return EXIT_DONE;
        return cli_error(call, EXIT_FAILED, "%s: cannot be written: %s: choose another -o", call->out, strerror(errno));
    }
    if (fwrite(output->bytes, 1, output->size, stdout) == output->size && fflush(stdout) == 0) return EXIT_DONE;
    return cli_error(call, EXIT_FAILED, "standard output cannot be written: %s: use -o FILE", strerror(errno));
}

int cli_make_folder(const cli_call *call, const char *path) {
    char part[PATH_BYTES];
    struct stat status;
    const size_t length = strlen(path);

    if (length >= sizeof part) return cli_error(call, EXIT_USAGE, "%s: the path is too long", path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) == 0 || errno == EEXIST) continue;
        return cli_error(call, EXIT_FAILED, "%s: the folder cannot be made: %s: choose another", part, strerror(errno));
    }
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return cli_error(call, EXIT_FAILED, "%s: is no folder: choose another", path);
    return EXIT_DONE;
}

const char *cli_path(const cli_call *call, const char *folder, const char *name) {
    static char path[PATH_BYTES];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);

    if (length >= 0 && (size_t)length < sizeof path) return path;
    cli_error(call, EXIT_USAGE, "%s: the path is too long", folder);
    return NULL;
}
