/* SPDX-License-Identifier: Apache-2.0 */
/* The largest distances between vertices of a region's surface mesh. */
#ifndef REN_RADIOMICS_DIAMETER_H
#define REN_RADIOMICS_DIAMETER_H

#include "radiomics/farthest.h"
#include "radiomics/region.h"

enum {
    REN__DIAMETER_SLICE = 1,  /* both ends in one plane of equal z */
    REN__DIAMETER_COLUMN = 2, /* of equal y */
    REN__DIAMETER_ROW = 4,    /* of equal x */
    REN__DIAMETER_3D = 8
};

typedef struct ren__diameters {
    double slice, column, row, all; /* mm */
} ren__diameters;

/* Those of `wanted` (REN__DIAMETER_*); the others are left as they are. A vertex is the middle between a voxel inside
 * and a neighbour outside, in whole planes of voxels as well as half-way between two. The bits are those of comparing
 * all pairs of vertices. */
ren_status ren__diameters_measure(const ren__region *region, int32_t wanted, ren__run *run,
                                  ren__diameters *out) REN_CHECKED;

/* The vertices that are corners of their plane's (equal z) convex hull, in mm from the first corner of the padded box:
 * all corners of the mesh's convex hull are among them. In the order of z; to be freed. */
ren_status ren__mesh_extremes(const ren__region *region, ren__run *run, ren__point **points,
                              int64_t *count) REN_CHECKED;

#endif
