/* SPDX-License-Identifier: Apache-2.0 */
/* The distribution of a region's grey values or levels: distinct values with their counts, and what IBSI's families of
 * statistics read off it. */
#ifndef REN_RADIOMICS_IBSI_DISTRIBUTION_H
#define REN_RADIOMICS_IBSI_DISTRIBUTION_H

#include "radiomics/region.h"

typedef struct ren__distribution {
    double *value;  /* rising, distinct */
    int64_t *count; /* of each, at least 1 */
    int64_t size;   /* distinct values, at least 1 */
    int64_t total;  /* sum of the counts */
} ren__distribution;

/* Of the grey values inside; of the grey levels inside. */
ren_status ren__distribution_of_values(const ren__region *region, ren__distribution *out) REN_CHECKED;
ren_status ren__distribution_of_levels(const ren__region *region, ren__distribution *out) REN_CHECKED;
void ren__distribution_free(ren__distribution *distribution); /* of one that was zeroed, too */

/* The statistics in the order of both families' features. */
enum {
    REN__STATISTIC_MEAN = 0,
    REN__STATISTIC_VARIANCE,
    REN__STATISTIC_SKEWNESS,
    REN__STATISTIC_KURTOSIS, /* excess; both 0 where all values are equal */
    REN__STATISTIC_MEDIAN,
    REN__STATISTIC_MINIMUM,
    REN__STATISTIC_P10,
    REN__STATISTIC_P90,
    REN__STATISTIC_MAXIMUM,
    REN__STATISTIC_INTERQUARTILE_RANGE,
    REN__STATISTIC_RANGE,
    REN__STATISTIC_MEAN_ABSOLUTE_DEVIATION,
    REN__STATISTIC_ROBUST_MEAN_ABSOLUTE_DEVIATION,
    REN__STATISTIC_MEDIAN_ABSOLUTE_DEVIATION,
    REN__STATISTIC_COEFFICIENT_OF_VARIATION, /* NaN for a mean of 0 */
    REN__STATISTIC_QUARTILE_COEFFICIENT,     /* NaN where the quartiles' sum is 0 */
    REN__STATISTIC_ENERGY,
    REN__STATISTIC_ROOT_MEAN_SQUARE,
    REN__STATISTIC_COUNT
};

void ren__distribution_statistics(const ren__distribution *distribution, double statistics[REN__STATISTIC_COUNT]);

#endif
