/* SPDX-License-Identifier: Apache-2.0 */
/* What gates and their predictors read: rows of numbers, one a region and scan, radiomics or deep features. */
#ifndef REN_TRAIN_GATES_TABLE_H
#define REN_TRAIN_GATES_TABLE_H

#include "moe/gate.h"
#include "train/study.h"

/* Rows for scans of the cohort by their numbers. */
typedef struct ren__region_table {
    ren_context *context; /* borrowed */
    ren__arena *arena;    /* holds the columns' names */
    ren__columns columns;
    int32_t scans;
    double *value[REN_REGION_COUNT];  /* scans x columns; NaN: missing. NULL: nothing of this region */
    uint8_t *known[REN_REGION_COUNT]; /* by scan: 0: nothing is known, the region is empty */
} ren__region_table;

/* Room for the regions of the mask (bit k: region k), nothing known yet; the columns' names are copied. */
ren_status ren__region_table_make(ren_context *context, const ren__columns *columns, int32_t scans, uint32_t regions,
                                  ren__region_table *out) REN_CHECKED;
void ren__region_table_end(ren__region_table *table); /* zeroed is fine */
/* One scan's row, NULL: nothing is known. */
const double *ren__region_row(const ren__region_table *table, int32_t region, int32_t scan);
void ren__region_evidence(const ren__region_table *table, int32_t scan, ren__evidence *out);

/* gates_table.c: the radiomics of a finished table's job, of all scans. */
ren_status ren__radiomics_table_read(const ren_study *study, int32_t gate, uint32_t regions, const char *needed_by,
                                     ren__region_table *out) REN_CHECKED;
/* gates_features.c: the features of the fold's training and validation scans, of a finished job. */
ren_status ren__features_table_read(const ren_study *study, int32_t fold, int32_t expert, uint32_t regions,
                                    const char *needed_by, ren__region_table *out) REN_CHECKED;
/* The job that makes a table (of a gate: fold -1; of an entry of experts). NULL: there is none. */
const ren__job *ren__table_job(const ren_study *study, enum ren__job_kind kind, int32_t fold, int32_t of);

/* gates_predictor.c: the regional predictor of a finished job; its columns are the table's. */
ren_status ren__regional_predictor_read(const ren_study *study, const ren__job *job, const ren__columns *columns,
                                        ren__predictor **out) REN_CHECKED;
ren_status ren__regional_predictor_write(const ren_study *study, const ren__job *job, const char *kind,
                                         const ren__columns *columns, const ren__predictor *predictor) REN_CHECKED;
/* The columns that it was fitted to: names in `arena`. */
ren_status ren__regional_columns_read(const ren_study *study, const ren__job *job, ren__arena *arena,
                                      ren__columns *out) REN_CHECKED;

/* Bits of the study's regions. */
uint32_t ren__study_regions(const ren_study *study);

#endif
