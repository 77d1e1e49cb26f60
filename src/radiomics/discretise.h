/* SPDX-License-Identifier: Apache-2.0 */
/* Grey levels of a region: bins of a fixed width or of a fixed number. */
#ifndef REN_RADIOMICS_DISCRETISE_H
#define REN_RADIOMICS_DISCRETISE_H

#include "radiomics/region.h"

/* What discretisation has to know of the values inside a region. */
typedef struct ren__extremes {
    double lowest, highest;
    int64_t not_finite; /* voxels; lowest and highest are of the others */
} ren__extremes;

/* Extremes of `total` values where `inside` is not 0. */
ren_status ren__extremes_find(ren_context *context, const double *values, const uint8_t *inside, int64_t total,
                              ren__run *run, ren__extremes *out) REN_CHECKED;

/* Grey levels as ren__region has them, 0 outside; `*grey` is the caller's to free. `single`: the image is one of
 * 32-bit floats, for which numpy rounds the edges of a fixed number of bins. */
ren_status ren__discretise(ren_context *context, const double *values, const uint8_t *inside, int64_t total,
                           const ren__extremes *extremes, int single, const ren__radiomics_settings *settings,
                           ren__run *run, uint16_t *levels, double **grey, int32_t *level_count) REN_CHECKED;

#endif
