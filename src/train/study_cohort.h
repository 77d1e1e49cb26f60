/* SPDX-License-Identifier: Apache-2.0 */
/* The cohort's table: one row a scan. */
#ifndef REN_TRAIN_STUDY_COHORT_H
#define REN_TRAIN_STUDY_COHORT_H

#include "train/dataset.h"

typedef struct ren__cohort {
    ren_context *context; /* held */
    ren__arena *strings;
    ren__dataset_item *item; /* in the table's order */
    int32_t count;
    int32_t *patient; /* of each scan; patients are numbered from 0 in order of their first row */
    int32_t patient_count;
    const char **patient_name;
    int32_t *patient_label; /* 1: at least one of the patient's scans is positive */
} ren__cohort;

/* Columns patient, scan and label (0 or 1); others are passed over. Files: columns image and lobes, or else
 * PATIENT/SCAN.nii.gz and PATIENT/SCAN_lobes.nii.gz; both below `root`, as `table` itself. Reads no scan. */
ren_status ren__cohort_read(ren_context *context, const char *root, const char *table, ren__cohort **out) REN_CHECKED;
void ren__cohort_free(ren__cohort *cohort);

#endif
