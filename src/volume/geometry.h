/* SPDX-License-Identifier: Apache-2.0 */
/* Affines: row-major 4x4, voxel index to RAS+ millimetres. */
#ifndef REN_VOLUME_GEOMETRY_H
#define REN_VOLUME_GEOMETRY_H

#include <stdint.h>

void ren__affine_identity(double affine[16]);
/* 0 unless all elements are finite, the last row is 0 0 0 1 and no axis is flat or lies in the plane of the others. */
int ren__affine_valid(const double affine[16]);
/* Length of the step along each voxel axis, mm. */
void ren__affine_spacing(const double affine[16], double spacing[3]);
void ren__affine_apply(const double affine[16], const double index[3], double position[3]);
/* out = a x b; `out` may be neither of them. */
void ren__affine_multiply(const double a[16], const double b[16], double out[16]);
/* The affine of a grid whose voxel i lies at index begin + step x i of the old one, axis by axis. */
void ren__affine_rescale(const double affine[16], const double begin[3], const double step[3], double out[16]);
/* Largest distance in mm between the corners of two grids. */
double ren__affine_mismatch(const double a[16], const int64_t a_shape[3], const double b[16], const int64_t b_shape[3]);
/* World axis (0 to 2) nearest to each voxel axis, one to one, and whether the voxel axis runs against it. */
void ren__affine_nearest_axes(const double affine[16], int32_t world[3], int32_t against[3]);
/* 1 where the axes stand at right angles (within 1e-4 of a radian): a rotation, a flip and spacings. */
int ren__affine_rigid(const double affine[16]);

#endif
