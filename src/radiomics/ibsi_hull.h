/* SPDX-License-Identifier: Apache-2.0 */
/* The convex hull of a region's mesh. */
#ifndef REN_RADIOMICS_IBSI_HULL_H
#define REN_RADIOMICS_IBSI_HULL_H

#include "radiomics/region.h"

typedef struct ren__hull {
    int64_t vertex_count;
    double (*vertex)[3]; /* mm along x, y, z from the centre of the mask's first voxel */
    int64_t face_count;
    int32_t (*face)[3]; /* triangles; those of one plane stand for one face of the hull */
} ren__hull;

/* Of the mesh's vertices, which lie half a voxel outside the mask's voxels along each axis. Exact: computed in whole
 * numbers, then scaled. */
ren_status ren__hull_create(ren_context *context, const uint8_t *inside, const int64_t shape[3],
                            const double spacing[3], ren__run *run, ren__hull *out) REN_CHECKED;
void ren__hull_free(ren__hull *hull); /* of one that was zeroed, too */
void ren__hull_measure(const ren__hull *hull, double *volume, double *area);

/* The box of least volume among those with a side in a face of the hull and another along an edge of its outline. */
ren_status ren__hull_box(ren_context *context, const ren__hull *hull, ren__run *run, double sides[3]) REN_CHECKED;
/* Semi-axes of the ellipsoid of least volume around the hull, rising; its volume is within 1e-5 of the least. */
ren_status ren__hull_ellipsoid(ren_context *context, const ren__hull *hull, ren__run *run,
                               double semi_axes[3]) REN_CHECKED;
/* Area of an ellipsoid with rising semi-axes by the manual's series, which IBSI's reference values follow: up to some
 * percent off the area itself. NaN where more than one axis is 0. */
double ren__ellipsoid_area(const double semi_axes[3]);

#endif
