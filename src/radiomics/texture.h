/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the texture classes share: steps to neighbours, the levels in a bordered grid, means over matrices, and the
 * features of all matrices of levels by sizes.
 *
 * A matrix is counted apart from its features, and from a region that need not be a whole one: a slice of a region
 * (ren__region_slice) counts in 2-D; steps without a component along z count all slices together (IBSI's 2.5-D); all
 * steps count in 3-D. Levels that do not occur in what is counted add nothing to any feature; Ng, where a formula has
 * it, is the last of `grey`.
 */
#ifndef REN_RADIOMICS_TEXTURE_H
#define REN_RADIOMICS_TEXTURE_H

#include "radiomics/region.h"

/* --------------------------------------------------------------------------------------------- steps to neighbours */

typedef struct ren__step {
    int32_t along[3]; /* voxels along x, y, z */
} ren__step;

typedef struct ren__steps {
    ren__step *items;
    int64_t count;
} ren__steps;

enum { REN__STILL_NONE = -1 };

/* Steps whose largest component is one of `distances` (NULL: 1) and that stay within a box of `shape`, in PyRadiomics'
 * order: from the largest component along z down. `still` is an axis (0 x, 1 y, 2 z) along which nothing moves, or
 * REN__STILL_NONE. `both` gives each step and its opposite, else one of each pair. A distance that is listed twice
 * gives its steps twice. A box of one voxel has none. */
ren_status ren__steps_create(ren_context *context, const int64_t shape[3], const ren__doubles *distances, int32_t still,
                             int both, ren__steps *out) REN_CHECKED;
void ren__steps_free(ren__steps *steps); /* of one that was zeroed, too */
/* force2D and force2Ddimension as an axis. */
int32_t ren__still_axis(const ren__radiomics_settings *settings);
/* A step's length in mm by REN__NORM_*; 1 for those without weighting. */
double ren__step_length(const ren__step *step, const double spacing[3], int32_t norm);

/* Slice z of a region, as a region of its own that borrows all arrays: count is of the slice and may be 0; the levels
 * keep the numbers of the whole. Not to be freed. */
void ren__region_slice(const ren__region *region, int64_t z, ren__region *slice);

/* ------------------------------------------------------------------------------------------------ levels in a grid */

/* A region's levels with a border of zeros, so that a step from any voxel leads to a cell: uint8_t cells where there
 * are at most 255 levels, else uint16_t. Cells past a row may be read and hold something else: a vector may run over.
 * Memory: one or two bytes a voxel. */
typedef struct ren__level_grid {
    void *cells;
    int wide;             /* uint16_t */
    int64_t shape[3];     /* the region's */
    int64_t origin;       /* index of voxel (0, 0, 0) */
    int64_t pitch, plane; /* cells from a row to the next, from a slice to the next */
    int32_t *spans;       /* for row y + shape[1] * z: x of its first voxel inside, and x after its last; 0, 0: none */
} ren__level_grid;

/* Bordered for the given steps. */
ren_status ren__level_grid_create(const ren__region *region, const ren__step *steps, int64_t count, ren__run *run,
                                  ren__level_grid *out) REN_CHECKED;
void ren__level_grid_free(ren__level_grid *grid); /* of one that was zeroed, too */
/* Cells from a voxel to its neighbour. */
int64_t ren__level_grid_distance(const ren__level_grid *grid, const ren__step *step);

/* ------------------------------------------------------------------------------------------------ means of features */

enum { REN__TEXTURE_FEATURES_MAX = 32 };

/* Features averaged over matrices (directions, slices); a matrix for which a feature is NaN is left out of its mean. */
typedef struct ren__texture_mean {
    int64_t matrices; /* that held anything */
    double sum[REN__TEXTURE_FEATURES_MAX];
    int64_t counted[REN__TEXTURE_FEATURES_MAX];
} ren__texture_mean;

void ren__texture_mean_add(ren__texture_mean *mean, const double *values, int32_t count);
double ren__texture_mean_value(const ren__texture_mean *mean, int32_t feature); /* NaN of none */

/* ---------------------------------------------------------------------------------------------------- sorted values */

typedef struct ren__keyed {
    double key, value;
} ren__keyed;

/* By rising key, in place: qsort would take memory past the host's allocator. */
void ren__sort_keyed(ren__keyed *items, int64_t count);

/* ---------------------------------------------------------------------------------------------- levels by sizes */

/* A matrix of levels by sizes: run lengths, zone sizes, dependences, distances. */
typedef struct ren__size_cell {
    int32_t level; /* from 1 */
    int32_t size;  /* from 1 */
    double count;  /* a whole number, unless matrices were weighted */
} ren__size_cell;

typedef struct ren__size_matrix {
    ren__size_cell *cells; /* by rising size, then rising level; each pair once */
    int64_t count, capacity;
} ren__size_matrix;

enum {
    REN__SIZE_SMALL = 0,           /* sum P / j^2, over N */
    REN__SIZE_LARGE,               /* sum P j^2 */
    REN__SIZE_LEVEL_NONUNIFORMITY, /* sum_i (sum_j P)^2 / N */
    REN__SIZE_LEVEL_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_NONUNIFORMITY, /* sum_j (sum_i P)^2 / N */
    REN__SIZE_NONUNIFORMITY_NORMALIZED,
    REN__SIZE_PERCENTAGE, /* N / voxels */
    REN__SIZE_LEVEL_VARIANCE,
    REN__SIZE_VARIANCE,
    REN__SIZE_ENTROPY,
    REN__SIZE_LOW_LEVEL,  /* sum P / i^2 */
    REN__SIZE_HIGH_LEVEL, /* sum P i^2 */
    REN__SIZE_SMALL_LOW,
    REN__SIZE_SMALL_HIGH,
    REN__SIZE_LARGE_LOW,
    REN__SIZE_LARGE_HIGH,
    REN__SIZE_ENERGY, /* sum (P / N)^2, of IBSI's dependence matrix */
    REN__SIZE_FEATURES
};

/* Adds a cell, in any order; ren__size_matrix_finish sorts and joins equal ones. */
ren_status ren__size_matrix_add(ren_context *context, ren__size_matrix *matrix, int32_t level, int32_t size,
                                double count) REN_CHECKED;
void ren__size_matrix_finish(ren__size_matrix *matrix);
void ren__size_matrix_free(ren__size_matrix *matrix); /* of one that was zeroed, too */

/* All features of a matrix; NaN if it is empty. `voxels` is what REN__SIZE_PERCENTAGE divides by; 0: the sum of
 * counts times sizes. `grey` are the region's grey levels. */
ren_status ren__size_features(ren_context *context, const ren__size_matrix *matrix, const double *grey,
                              int32_t level_count, double voxels, double values[REN__SIZE_FEATURES]) REN_CHECKED;

/* Chunks of slices, the same for every number of threads. */
int64_t ren__slices_at_once(const int64_t shape[3]);
/* The failure of a loop's chunk, whose text stayed on the thread that met it. */
ren_status ren__texture_failed(ren_status st);

#endif
