/* SPDX-License-Identifier: Apache-2.0 */
/* Counting of runs, apart from what becomes of the counts. */
#ifndef REN_RADIOMICS_GLRLM_COUNT_H
#define REN_RADIOMICS_GLRLM_COUNT_H

#include "radiomics/texture.h"

/*
 * How many voxels of a level have the place k in their run: as many as there are runs of at least k voxels. No run's
 * end has to be found: those of exactly k are the difference of two neighbours.
 */
typedef struct ren__run_table {
    int64_t *begin;   /* [level_count + 2]: places of level l are cells begin[l] + 1 .. begin[l + 1] - 1, then a 0 */
    int64_t cells;    /* of the table of one step */
    uint32_t *counts; /* [steps][cells] */
} ren__run_table;

/* Where each level's places begin, for `levels` up to as many places as the longest run can have. */
ren_status ren__run_table_create(const ren__region *region, ren__run *run, ren__run_table *table) REN_CHECKED;
void ren__run_table_free(ren__run_table *table);

/* Fills table->counts for `count` steps, of which each component is -1, 0 or 1. */
ren_status ren__runs_count(const ren__region *region, const ren__level_grid *grid, const ren__step *steps,
                           int64_t count, ren__run *run, ren__run_table *table) REN_CHECKED;

#endif
