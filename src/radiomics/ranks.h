/* SPDX-License-Identifier: Apache-2.0 */
/* A region's grey values block by block, and those at given ranks, without a copy of them all. */
#ifndef REN_RADIOMICS_RANKS_H
#define REN_RADIOMICS_RANKS_H

#include <string.h>

#include "radiomics/region.h"

enum { REN__BLOCK = 1024 }; /* voxels read at once: 8 KB of values */

/* The values of the voxels inside among `count` (at most REN__BLOCK) from `begin` on, numbered through the box.
 * Gives how many; `values` has room for all. */
static inline int64_t ren__region_gather(const ren__region *region, int64_t begin, int64_t count, double *values) {
    const uint8_t *inside = region->inside + begin;
    const double *from = region->values + begin;
    int64_t gathered = 0, i = 0;

    for (; i + 8 <= count; i += 8) {
        uint64_t word;
        memcpy(&word, inside + i, sizeof word);
        if (word == 0) continue;
        if (word == UINT64_C(0x0101010101010101)) {
            memcpy(values + gathered, from + i, 8 * sizeof *values);
            gathered += 8;
            continue;
        }
        for (int k = 0; k < 8; k++) { /* without a branch: the word is at the region's border */
            values[gathered] = from[i + k];
            gathered += inside[i + k] != 0;
        }
    }
    for (; i < count; i++) {
        values[gathered] = from[i];
        gathered += inside[i] != 0;
    }
    return gathered;
}

enum { REN__RANKS_MAX = 32 };

/* values[i] is the region's value at ranks[i], 0 for the smallest; the `count` ranks (at most REN__RANKS_MAX)
 * are below region->count. All values are finite, and their smallest and largest are known. */
ren_status ren__region_ranks(const ren__region *region, double minimum, double maximum, const int64_t *ranks,
                             int32_t count, ren__run *run, double *values) REN_CHECKED;

/* numpy's linear interpolation from `below` to `above`, the same bits. */
static inline double ren__interpolate(double part, double below, double above) {
    const double step = above - below;

    return part >= 0.5 ? above - step * (1.0 - part) : below + step * part;
}

/* numpy's percentiles, interpolated linearly, of `shares` from 0 to 1; at most half as many. */
ren_status ren__region_percentiles(const ren__region *region, double minimum, double maximum, const double *shares,
                                   int32_t count, ren__run *run, double *percentiles) REN_CHECKED;

#endif
