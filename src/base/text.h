/* SPDX-License-Identifier: Apache-2.0 */
/* Growing text, independent of the locale. */
#ifndef REN_BASE_TEXT_H
#define REN_BASE_TEXT_H

#include "base/context.h"

struct ren_text {
    ren_context *context; /* held */
    char *data;           /* always terminated once created */
    size_t size, capacity;
    ren_status status; /* the first failure sticks; later additions do nothing */
};

ren_status ren__text_create(ren_context *context, ren_text **out);
void ren__text_add(ren_text *text, const char *string);
void ren__text_add_bytes(ren_text *text, const void *bytes, size_t size);
/* printf without %f/%g/%e: the decimal point would follow the locale. */
void ren__text_addf(ren_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A decimal number with `digits` significant digits, "nan", "inf" or "-inf"; always a point. 17 digits round-trip. */
void ren__text_add_number(ren_text *text, double value, int digits);
void ren__text_add_html(ren_text *text, const char *string); /* & < > " ' escaped */
void ren__text_add_base64(ren_text *text, const void *bytes, size_t size);

/* A number from text whatever the locale; 0 unless all of `string` is one. */
int ren__parse_number(const char *string, double *value);

/* Writes `size` bytes to `path` atomically: temporary file in the same folder, fsync, rename. */
ren_status ren__file_write(const char *path, const void *bytes, size_t size);
/* The whole file, terminated; REN_E_LIMIT above `cap` bytes. */
ren_status ren__file_read(ren_context *context, const char *path, size_t cap, char **bytes, size_t *size);

/* The same in steps, for large files. */
typedef struct ren__file_writer ren__file_writer;
ren_status ren__file_writer_open(ren_context *context, const char *path, ren__file_writer **out);
ren_status ren__file_writer_write(ren__file_writer *writer, const void *bytes, size_t size);
ren_status ren__file_writer_commit(ren__file_writer *writer); /* flush, fsync, rename; frees */
void ren__file_writer_abort(ren__file_writer *writer);        /* removes the temporary file; frees; NULL is fine */

#endif
