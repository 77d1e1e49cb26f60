/* SPDX-License-Identifier: Apache-2.0 */
/* Fourier transforms of whole boxes, for sums over all pairs of a region's voxels. */
#ifndef REN_RADIOMICS_IBSI_FOURIER_H
#define REN_RADIOMICS_IBSI_FOURIER_H

#include "base/context.h"

typedef struct ren__complex {
    double re, im;
} ren__complex;

/* The smallest product of 2, 3 and 5 that is at least `least`. */
int64_t ren__fourier_size(int64_t least);
/* The discrete transform of shape[0] x shape[1] x shape[2] numbers, x fastest, in place; `sign` -1 forwards, +1 back,
 * neither divided by their number. All sizes come from ren__fourier_size. The same bits for every number of threads. */
ren_status ren__fourier_transform(ren_context *context, ren__run *run, ren__complex *data, const int64_t shape[3],
                                  int sign) REN_CHECKED;

#endif
