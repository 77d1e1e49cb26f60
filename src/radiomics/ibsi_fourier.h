/* SPDX-License-Identifier: Apache-2.0 */
/* Fourier transforms of boxes along one axis after the other, for sums over all pairs of a region's voxels. */
#ifndef REN_RADIOMICS_IBSI_FOURIER_H
#define REN_RADIOMICS_IBSI_FOURIER_H

#include "base/context.h"

typedef struct ren__complex {
    double re, im;
} ren__complex;

/* Which lines are transformed. */
typedef struct ren__fourier {
    ren__complex *data; /* shape[0] x shape[1] x shape[2], x fastest */
    int64_t shape[3];
    int32_t axis;     /* along which lines run */
    int64_t lines[3]; /* only lines whose places on the other axes are below these: zeros need no transform */
    int32_t sign;     /* -1 forwards, +1 back, neither divided by the length */
    /* 0, or the length of lines of which the data hold the first length / 2 + 1 elements, the others being their
     * mirror image, before and after the transform */
    int64_t even_length;
} ren__fourier;

/* The smallest product of 2, 3 and 5 that is at least `least`. */
int64_t ren__fourier_size(int64_t least);
/* The discrete transform of lines, in place; their length comes from ren__fourier_size. The same bits for every number
 * of threads. */
ren_status ren__fourier_transform(ren_context *context, ren__run *run, const ren__fourier *what) REN_CHECKED;

#endif
