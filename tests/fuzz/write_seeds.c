/* SPDX-License-Identifier: Apache-2.0 */
/* write_seeds FOLDER: writes the seeds as files, FOLDER/TARGET/NAME, for a fuzzer. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "seeds.h"

static int write_seed(const char *folder, const seed *item) {
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%.*s", folder, (int)strcspn(item->name, "/"), item->name);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, item->name);
    file = fopen(path, "wb");
    if (!file) return 0;
    const size_t written = fwrite(item->bytes, 1, item->size, file);
    return fclose(file) == 0 && written == item->size;
}

int main(int argc, char **argv) {
    ren_context *context = NULL;
    seed_list list = { .count = 0 };
    int failed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    mkdir(argv[1], 0777);
    if (ren_context_create(NULL, &context) != REN_OK || seeds_make(context, &list) != REN_OK) {
        fprintf(stderr, "%s\n", ren_error_message());
        failed = 1;
    }
    for (int32_t i = 0; i < list.count; i++)
        failed |= !write_seed(argv[1], &list.item[i]);
    seeds_free(&list);
    ren_context_free(context);
    return failed;
}
