/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of a region's grey values. */
#ifndef REN_RADIOMICS_STATISTICS_H
#define REN_RADIOMICS_STATISTICS_H

#include "radiomics/region.h"

enum { REN__STATISTICS_CENTRAL = 1, REN__STATISTICS_PERCENTILES = 2, REN__STATISTICS_ROBUST = 4 };

typedef struct ren__statistics {
    double lowest, highest, mean;
    double energy; /* sum of (value + shift)^2 */
    /* With CENTRAL: means of |d|, d^2, d^3, d^4, where d is a value's distance from the mean times 2^-exponent, at
     * most about 1, so that no power overflows or vanishes. All 0 for a flat region. */
    double absolute, second, third, fourth;
    int exponent;
    double percentiles[5]; /* with PERCENTILES: 10, 25, 50, 75, 90, interpolated as numpy does */
    /* With ROBUST, which needs PERCENTILES: mean distance from their mean of the values from the 10th to the 90th
     * percentile; NaN where there is none, as for two values. */
    double robust;
} ren__statistics;

/* Of all values inside, which are finite; `parts` (REN__STATISTICS_*) says what is needed. Sums are in a fixed order,
 * with Neumaier's correction: the same for every number of threads. */
ren_status ren__statistics_measure(const ren__region *region, double shift, int32_t parts, ren__run *run,
                                   ren__statistics *out) REN_CHECKED;

/* A sum and what its roundings have lost. */
typedef struct ren__exact {
    double sum, lost;
} ren__exact;

static inline void ren__exact_add(ren__exact *to, double value) {
    const double sum = to->sum + value, large = to->sum < 0.0 ? -to->sum : to->sum;

    to->lost += large >= (value < 0.0 ? -value : value) ? (to->sum - sum) + value : (value - sum) + to->sum;
    to->sum = sum;
}

/* The same for a large region whose values are all whole and within some thousands, as those of a CT are: reads it
 * once. `done` 0: it is no such region, and `out` is as it was. */
ren_status ren__statistics_measure_whole(const ren__region *region, double shift, int32_t parts, ren__run *run,
                                         ren__statistics *out, int *done) REN_CHECKED;

#endif
