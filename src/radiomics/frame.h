/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grid in space with ITK's arithmetic between indices and millimetres, operation by operation: positions that fall
 * exactly between two voxels are decided by their last bit. (ITK counts in LPS and this library in RAS; that changes
 * signs only.)
 */
#ifndef REN_RADIOMICS_FRAME_H
#define REN_RADIOMICS_FRAME_H

#include "volume/volume.h"

typedef struct ren__frame {
    int64_t shape[3];
    double spacing[3], origin[3];
    double direction[9]; /* row-major; column a is the unit vector of axis a */
    double to_point[9];  /* direction x spacing */
    double to_index[9];  /* its inverse */
} ren__frame;

/* Spacing along each axis, mm: the file's own, or of the affine. Where the axes are oblique the length of a step has
 * lost its last digits on the way through the affine; it is taken for the short decimal or the 32-bit float that it is
 * next to, because a grid's size can hang on them. */
void ren__spacing_of(const ren_volume *volume, double spacing[3]);
void ren__frame_of(const ren_volume *volume, ren__frame *out);
/* Sets the products of direction and spacing after either has changed. */
void ren__frame_complete(ren__frame *frame);
void ren__frame_affine(const ren__frame *frame, double affine[16]);
void ren__frame_point(const ren__frame *frame, const double index[3], double point[3]);
void ren__frame_index(const ren__frame *frame, const double point[3], double index[3]);

/* Not 0 where the axes have the same directions, to the last bit; and where all is the same. */
int ren__frame_parallel(const ren__frame *frame, const ren__frame *other);
int ren__frame_equal(const ren__frame *frame, const ren__frame *other);

/* How far the second frame is from the first: 0 where ITK takes them for the same within `tolerance`, else 1 with
 * `text` filled: what differs, and by how many millimetres. */
int ren__frame_differs(const ren__frame *frame, const ren__frame *other, double tolerance, char *text, size_t size);

#endif
