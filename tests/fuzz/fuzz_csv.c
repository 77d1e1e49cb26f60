/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: CSV; what is understood is written again and must read back equal. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_bytes(ren_context *context, const void *bytes, size_t size, ren__csv **out) {
    char path[64];
    int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    ren_status st;

    if (descriptor < 0 || write(descriptor, bytes, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    st = ren__csv_read(context, path, out);
    close(descriptor);
    return st == REN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ren_context *context;
    ren__csv *table = NULL, *back = NULL;
    ren_text *text = NULL;
    int32_t columns = 0;

    if (!context && ren_context_create(NULL, &context) != REN_OK) abort();
    if (!read_bytes(context, data, size, &table)) return 0;
    columns = ren__csv_columns(table);
    if (ren__text_create(context, &text) != REN_OK) abort();
    ren__text_add(text, "\xEF\xBB\xBF"); /* the first name may begin with another mark */
    for (int32_t i = 0; i < columns; i++)
        ren__csv_add(text, ren__csv_name(table, i), i + 1 == columns);
    for (size_t row = 0; row < ren__csv_rows(table); row++)
        for (int32_t i = 0; i < columns; i++)
            ren__csv_add(text, ren__csv_get(table, row, i), i + 1 == columns);
    if (!read_bytes(context, ren_text_data(text), ren_text_size(text), &back)) abort();
    if (ren__csv_rows(back) != ren__csv_rows(table) || ren__csv_columns(back) != columns) abort();
    for (size_t row = 0; row < ren__csv_rows(table); row++)
        for (int32_t i = 0; i < columns; i++)
            if (strcmp(ren__csv_get(table, row, i), ren__csv_get(back, row, i)) != 0) abort();
    ren_text_free(text);
    ren__csv_free(back);
    ren__csv_free(table);
    if (ren_context_memory_used(context) != 0) abort();
    return 0;
}
