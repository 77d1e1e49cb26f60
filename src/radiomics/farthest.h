/* SPDX-License-Identifier: Apache-2.0 */
/* The two points of a set that are farthest from each other. */
#ifndef REN_RADIOMICS_FARTHEST_H
#define REN_RADIOMICS_FARTHEST_H

#include "base/context.h"

/* z, y, x in mm */
typedef struct ren__point {
    double at[3];
} ren__point;

/* PyRadiomics' squared distance, with its order of sums: the same bits. */
static inline double ren__distance_squared(const ren__point *a, const ren__point *b) {
    const double z = a->at[0] - b->at[0], y = a->at[1] - b->at[1], x = a->at[2] - b->at[2];

    return z * z + y * y + x * x;
}

/* The square of the largest distance between two of `points`, exactly as comparing all pairs would find it, in far
 * less time; 0 for fewer than two points. The points are reordered. */
ren_status ren__farthest_pair(ren_context *context, ren__run *run, ren__point *points, int64_t count,
                              double *squared) REN_CHECKED;

#endif
