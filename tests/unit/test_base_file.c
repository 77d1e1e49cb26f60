/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files: atomic writing, reading under a cap. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "harness.h"

static ren_status file_is(ren_context *context, const char *path, const char *wanted) {
    ren_status st = REN_OK;
    char *bytes = NULL;
    size_t size = 0;

    REN_TRY(ren__file_read(context, path, 1 << 20, &bytes, &size));
    CHECK_INT(size, strlen(wanted));
    CHECK_TEXT(bytes, wanted);
out:
    ren__free(bytes);
    return st;
}

static int files_beside(const char *path) {
    char folder[TEST_PATH];
    int count = 0;

    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    DIR *entries = opendir(folder);
    if (!entries) return -1;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return count;
}

static ren_status test_write_then_read(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    struct stat what;
    const mode_t mask = umask(027);

    test_file(path, "a.txt");
    REN_TRY(ren__file_write(path, "first", 5));
    REN_TRY(file_is(context, path, "first"));
    CHECK(stat(path, &what) == 0 && (what.st_mode & 0777) == 0640); /* as the umask says */
    REN_TRY(ren__file_write(path, "", 0));
    REN_TRY(file_is(context, path, ""));
    CHECK_INT(files_beside(path), 1);
out:
    (void)umask(mask);
    return st;
}

static ren_status test_writer_writes_small_and_large_pieces(ren_context *context) {
    ren_status st = REN_OK;
    enum { LARGE = 300000, SMALL = 100000 };
    char path[TEST_PATH], *large = NULL, *back = NULL;
    ren__file_writer *writer = NULL;
    size_t size = 0;

    test_file(path, "pieces");
    CHECK_MEMORY(large = ren__alloc(context, LARGE));
    for (int i = 0; i < LARGE; i++)
        large[i] = (char)(i % 251);
    REN_TRY(ren__file_writer_open(context, path, &writer));
    for (int i = 0; i < SMALL; i++)
        REN_TRY(ren__file_writer_write(writer, large + i, 1));
    REN_TRY(ren__file_writer_write(writer, large + SMALL, LARGE - SMALL));
    REN_TRY(ren__file_writer_write(writer, "end", 3));
    CHECK(access(path, F_OK) != 0); /* not before it is whole */
    st = ren__file_writer_commit(writer);
    writer = NULL;
    REN_TRY(st);
    REN_TRY(ren__file_read(context, path, 1 << 20, &back, &size));
    CHECK_INT(size, LARGE + 3);
    CHECK(memcmp(back, large, LARGE) == 0 && memcmp(back + LARGE, "end", 4) == 0);
out:
    ren__file_writer_abort(writer);
    ren__free(large);
    ren__free(back);
    return st;
}

static ren_status test_abort_leaves_the_old_file(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    ren__file_writer *writer = NULL;

    test_file(path, "kept");
    REN_TRY(ren__file_write(path, "old", 3));
    REN_TRY(ren__file_writer_open(context, path, &writer));
    REN_TRY(ren__file_writer_write(writer, "new", 3));
    CHECK_INT(files_beside(path), 2);
    ren__file_writer_abort(writer);
    writer = NULL;
    CHECK_INT(files_beside(path), 1);
    REN_TRY(file_is(context, path, "old"));
    ren__file_writer_abort(NULL);
out:
    ren__file_writer_abort(writer);
    return st;
}

/* A full disk, played by a limit on the size of files. */
static ren_status test_failed_write_leaves_the_old_file(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH], *large = NULL;
    struct rlimit before, small;
    ren__file_writer *writer = NULL;

    test_file(path, "kept");
    CHECK_MEMORY(large = ren__calloc(context, 1, 300000));
    REN_TRY(ren__file_write(path, "old", 3));
    REN_TRY(ren__file_writer_open(context, path, &writer));
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = before;
    small.rlim_cur = 100000;
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const ren_status whole = ren__file_write(path, large, 300000);
    const ren_status piece = ren__file_writer_write(writer, large, 300000);
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK_INT(whole, REN_E_IO);
    CHECK_INT(piece, REN_E_IO);
    CHECK(strstr(ren_error_message(), path) != NULL);
    ren__file_writer_abort(writer);
    writer = NULL;
    CHECK_INT(files_beside(path), 1);
    REN_TRY(file_is(context, path, "old"));
out:
    ren__file_writer_abort(writer);
    ren__free(large);
    return st;
}

static ren_status test_links_are_followed_and_devices_kept(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH], link_path[TEST_PATH];
    struct stat what;

    test_file(path, "real");
    test_file(link_path, "link");
    REN_TRY(ren__file_write(path, "old", 3));
    CHECK(symlink("real", link_path) == 0);
    REN_TRY(ren__file_write(link_path, "new", 3));
    CHECK(lstat(link_path, &what) == 0 && S_ISLNK(what.st_mode));
    REN_TRY(file_is(context, path, "new"));
    REN_TRY(ren__file_write("/dev/null", "gone", 4));
    CHECK(stat("/dev/null", &what) == 0 && S_ISCHR(what.st_mode));
out:
    return st;
}

static ren_status test_longest_names_can_be_written(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH], name[256];

    memset(name, 'n', 255);
    name[255] = '\0';
    test_file(path, name);
    REN_TRY(ren__file_write(path, "x", 1));
    REN_TRY(file_is(context, path, "x"));
out:
    return st;
}

static ren_status test_wrong_paths_are_named(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH], *bytes = NULL, long_path[6000];
    size_t size = 0;

    test_file(path, "no/such/folder");
    CHECK_FAILS(ren__file_write(path, "x", 1), REN_E_IO, path);
    CHECK_FAILS(ren__file_read(context, path, 100, &bytes, &size), REN_E_IO, path);
    CHECK_FAILS(ren__file_write("/tmp", "x", 1), REN_E_IO, "/tmp");
    CHECK_FAILS(ren__file_read(context, "/tmp", 100, &bytes, &size), REN_E_IO, "/tmp");
    CHECK_FAILS(ren__file_write("", "x", 1), REN_E_IO, "empty");
    memset(long_path, 'a', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    CHECK_FAILS(ren__file_write(long_path, "x", 1), REN_E_IO, "too long");
    CHECK(bytes == NULL && size == 0);
out:
    return st;
}

static ren_status test_cap_is_kept(ren_context *context) {
    ren_status st = REN_OK;
    char path[TEST_PATH], *bytes = NULL;
    size_t size = 0;

    test_file(path, "seven");
    REN_TRY(ren__file_write(path, "1234567", 7));
    CHECK_FAILS(ren__file_read(context, path, 6, &bytes, &size), REN_E_LIMIT, "6 bytes");
    REN_TRY(ren__file_read(context, path, 7, &bytes, &size));
    CHECK_TEXT(bytes, "1234567");
    ren__free(bytes);
    bytes = NULL;
    CHECK_FAILS(ren__file_read(context, "/dev/zero", 200000, &bytes, &size), REN_E_LIMIT, "/dev/zero"); /* endless */
    CHECK(bytes == NULL);
out:
    ren__free(bytes);
    return st;
}

TEST_MAIN(CASE(test_write_then_read), CASE(test_writer_writes_small_and_large_pieces),
          CASE(test_abort_leaves_the_old_file), CASE(test_failed_write_leaves_the_old_file),
          CASE(test_links_are_followed_and_devices_kept), CASE(test_longest_names_can_be_written),
          CASE(test_wrong_paths_are_named), CASE(test_cap_is_kept))
