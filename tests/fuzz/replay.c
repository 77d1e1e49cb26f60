/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target on files, or on all files of folders, without a fuzzer: for corpora and for what a fuzzer found.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int failures, replayed;

static void fail(const char *path) {
    perror(path);
    failures++;
}

static void replay_file(const char *path, size_t size) {
    uint8_t *bytes = malloc(size ? size : 1);
    FILE *file = fopen(path, "rb");

    if (!bytes || !file || fread(bytes, 1, size, file) != size) {
        fail(path);
    } else {
        (void)LLVMFuzzerTestOneInput(bytes, size);
        replayed++;
    }
    if (file) fclose(file);
    free(bytes);
}

static void replay(const char *path) {
    struct stat status;
    struct dirent *entry;
    DIR *folder;

    if (stat(path, &status) != 0) {
        fail(path);
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        replay_file(path, (size_t)status.st_size);
        return;
    }
    folder = opendir(path);
    if (!folder) {
        fail(path);
        return;
    }
    while ((entry = readdir(folder))) {
        char inner[4096];
        if (entry->d_name[0] == '.') continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner) replay(inner);
    }
    closedir(folder);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%s: %d inputs replayed, %d not readable\n", argv[0], replayed, failures);
    return failures ? 1 : 0;
}
