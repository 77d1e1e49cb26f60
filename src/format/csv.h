/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated tables with a header row (RFC 4180). */
#ifndef REN_FORMAT_CSV_H
#define REN_FORMAT_CSV_H

#include "base/text.h"

typedef struct ren__csv ren__csv;

/* Reads a table: quoted fields, CRLF, UTF-8 byte-order mark; every row as long as the header; columns unique. */
ren_status ren__csv_read(ren_context *context, const char *path, ren__csv **out);
void ren__csv_free(ren__csv *table);
size_t ren__csv_rows(const ren__csv *table);
int32_t ren__csv_columns(const ren__csv *table);
const char *ren__csv_name(const ren__csv *table, int32_t column);
int32_t ren__csv_column(const ren__csv *table, const char *name); /* -1: not there */
const char *ren__csv_get(const ren__csv *table, size_t row, int32_t column);

/* Adds a field, quoted where needed, and a comma or newline after it. */
void ren__csv_add(ren_text *text, const char *field, int last);

#endif
