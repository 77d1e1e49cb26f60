/* SPDX-License-Identifier: Apache-2.0 */
/* Counting of pairs of levels, apart from what becomes of the matrices. */
#ifndef REN_RADIOMICS_GLCM_COUNT_H
#define REN_RADIOMICS_GLCM_COUNT_H

#include "radiomics/glcm.h"

/* Makes room for `capacity` entries of `level_count` levels; what is in the matrix stays. */
ren_status ren__glcm_reserve(ren_context *context, ren__glcm *matrix, int32_t level_count,
                             int64_t capacity) REN_CHECKED;

/* Tables of all pairs, while levels are few for the number of voxels. */
typedef struct ren__pair_tables {
    int64_t side;     /* levels + 1: level 0, outside, is counted too and left out afterwards */
    uint32_t *counts; /* [steps][side][side] */
} ren__pair_tables;

/* Whether tables suit, and then for how many steps at once. 0: they do not. */
int64_t ren__pair_tables_suit(const ren__region *region);
/* Fills `tables` for `count` steps; free tables->counts. */
ren_status ren__pairs_count(const ren__region *region, const ren__level_grid *grid, const ren__step *steps,
                            int64_t count, ren__run *run, ren__pair_tables *tables) REN_CHECKED;
/* Adds one step's table, times `weight`, to `sum` (level_count x level_count). */
void ren__pairs_add(const ren__pair_tables *tables, int64_t step, int symmetrical, double weight, double *sum);
ren_status ren__pairs_take(ren_context *context, const double *sum, int32_t level_count, ren__glcm *matrix) REN_CHECKED;

/* The region's voxels by level, for matrices that are gone through level by level. */
typedef struct ren__voxels_by_level {
    uint32_t *cells; /* of the grid, by rising level */
    int64_t *begin;  /* level l + 1: cells begin[l] .. begin[l + 1] - 1 */
} ren__voxels_by_level;

ren_status ren__voxels_by_level_create(const ren__region *region, const ren__level_grid *grid, ren__run *run,
                                       ren__voxels_by_level *out) REN_CHECKED;
void ren__voxels_by_level_free(ren__voxels_by_level *voxels);
/* The weighted sum (weights NULL: 1) of the matrices of some steps. `row` has level_count zeros, `touched` as many
 * elements; both are scratch, and row is left at 0. */
ren_status ren__pairs_sparse(const ren__region *region, const ren__level_grid *grid, const ren__voxels_by_level *voxels,
                             const ren__step *steps, const double *weights, int64_t count, int symmetrical,
                             ren__run *run, double *row, uint16_t *touched, ren__glcm *matrix) REN_CHECKED;

#endif
