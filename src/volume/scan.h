/* SPDX-License-Identifier: Apache-2.0 */
/* A CT and its lobes, prepared for the networks. Arrays are D, H, W with W fastest (RAS x, y, z in that order). */
#ifndef REN_VOLUME_SCAN_H
#define REN_VOLUME_SCAN_H

#include "base/text.h"
#include "volume/volume.h"

enum { REN__PLACES = REN_REGION_LUNGS + 1 }; /* the seven regions, and both lungs */

typedef struct ren__box {
    int64_t begin[3], end[3]; /* half open; empty: all 0 */
} ren__box;

struct ren_scan {
    atomic_int references;
    ren_context *context; /* held */
    ren_preset preset;    /* resolved: nothing is 0 */
    float *image;         /* preset.size voxels, in [0, 1] */
    float *label;         /* preset `paper`: area-averaged label; else NULL */
    uint8_t *lobe;        /* label of each cell, 0..5 (paper: where the average is exactly k) */
    double affine[16];    /* of the grid: cell (d, h, w) to RAS mm */
    ren__box box[REN__PLACES];
    int64_t voxels[REN__PLACES];
    ren_text *warnings; /* each ends in a zero byte */
    int32_t warning_count;
};

ren_scan *ren__scan_retain(const ren_scan *scan);
/* Bit k of lobes a region holds: label k+1. */
uint32_t ren__region_lobes(int32_t region);
/* Resolves zeros to the kind's values; REN_E_INVALID for a bad window, spacing or size. */
ren_status ren__preset_resolve(const ren_preset *caller, ren_preset *resolved);
int ren__preset_equal(const ren_preset *a, const ren_preset *b);
/* image x (label in region), whole grid (box NULL) or the box alone (packed). */
void ren__scan_fill(const ren_scan *scan, int32_t region, const ren__box *box, float *values);
/* The label of each cell, 0..5, on the whole grid: the second input of networks that divide the image themselves. */
void ren__scan_lobes(const ren_scan *scan, float *values);
/* Counts a cell of lobe 1..5 in the boxes and sizes of the regions that hold it. */
void ren__scan_count(ren_scan *scan, const int64_t cell[3], uint8_t lobe);
/* A scan of its own in which the cells of these lobes (bit k: label k+1) are outside of the lungs. No warnings. */
ren_status ren__scan_without(const ren_scan *scan, uint32_t lobes, ren_scan **out);

#endif
