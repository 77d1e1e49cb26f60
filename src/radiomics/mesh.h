/* SPDX-License-Identifier: Apache-2.0 */
/* The surface mesh of a region. */
#ifndef REN_RADIOMICS_MESH_H
#define REN_RADIOMICS_MESH_H

#include "radiomics/region.h"

typedef struct ren__mesh {
    double volume; /* mm3: signed tetrahedra from the corner of the padded box, as PyRadiomics sums them */
    double area;   /* mm2 */
} ren__mesh;

/* PyRadiomics' mesh of the region's box with a margin of one voxel: marching cubes with vertices in the middle of
 * edges. Where cubes meet at an ambiguous face the mesh has small holes, so that the volume depends on where the box
 * begins; it does in PyRadiomics, too. The mesh itself is never made: memory is a few rows for each thread. */
ren_status ren__mesh_measure(const ren__region *region, ren__run *run, ren__mesh *out) REN_CHECKED;

#endif
