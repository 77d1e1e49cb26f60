/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of a batch: one row a case and region, those that are done with their fields as text. The file is written
 * whole each time, under another name first, so that what is there is always whole rows in the table's order.
 */
#ifndef REN_RADIOMICS_BATCH_TABLE_H
#define REN_RADIOMICS_BATCH_TABLE_H

#include "format/csv.h"
#include "radiomics/diagnostics.h"

/* Names of columns that several rows share. */
typedef struct ren__batch_columns {
    struct ren__batch_columns *next;
    int32_t count, diagnostics; /* of them the first ones are diagnostics */
    const char **names;
} ren__batch_columns;

typedef struct ren__batch_row {
    const char *region;
    const ren__batch_columns *columns; /* NULL: not done, or failed */
    char *fields;                      /* a text for each column, each with its terminator */
    char *error;                       /* NULL: none */
} ren__batch_row;

typedef struct ren__batch_case {
    size_t line;     /* row of the input */
    ren__labels own; /* of the cell `Label`; count 0: the call's */
    char *bad_label; /* why the cell cannot be used */
    size_t first, count;
} ren__batch_case;

typedef struct ren__batch_table {
    ren_context *context;
    ren__arena *arena; /* names */
    const char *out_path;
    ren__csv *input;
    int32_t image, mask, label; /* columns of the input; label -1: none */
    ren__batch_case *cases;
    ren__batch_row *rows;
    size_t case_count, row_count;
    const ren__labels *labels; /* of cases without their own */
    ren__batch_columns *columns;
} ren__batch_table;

/* Reads the cases; their labels are `labels` (which must live as long) unless a cell says otherwise. */
ren_status ren__batch_table_open(ren_context *context, const char *cases_path, const char *out_path,
                                 const ren__labels *labels, ren__batch_table *out) REN_CHECKED;
void ren__batch_table_close(ren__batch_table *table); /* of one that was zeroed, too */
/* Takes over the rows of an earlier run that are without error. REN_E_STATE where the file is something else or was
 * made with other parameters. */
ren_status ren__batch_table_resume(ren__batch_table *table, const ren_radiomics *radiomics) REN_CHECKED;
const ren__labels *ren__batch_labels(const ren__batch_table *table, const ren__batch_case *of);
/* Stores row `from` of a table of features. */
ren_status ren__batch_table_store(ren__batch_table *table, size_t row, const ren_features *features,
                                  int32_t from) REN_CHECKED;
ren_status ren__batch_table_fail(ren__batch_table *table, size_t row, const char *error) REN_CHECKED;
ren_status ren__batch_table_write(const ren__batch_table *table) REN_CHECKED;
size_t ren__batch_table_failed(const ren__batch_table *table);
/* "done" is: computed, or failed. */
int ren__batch_row_done(const ren__batch_row *row);

#endif
