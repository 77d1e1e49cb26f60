/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling to another spacing along a volume's own axes, and resizing to another shape. */
#ifndef REN_VOLUME_RESAMPLE_H
#define REN_VOLUME_RESAMPLE_H

#include "volume/axis.h"
#include "volume/volume.h"

/* A finer or coarser grid over a volume's extent: voxel i lies at index step x i of the volume, from the centre of its
 * first voxel on; ceil(shape x old spacing / new) voxels, a ten-thousandth of a voxel forgiven. */
typedef struct ren__grid {
    int64_t shape[3];
    double step[3];
    double affine[16];
} ren__grid;

/* REN_E_INVALID for a spacing that is not positive or gives more voxels than can be counted. */
ren_status ren__grid_create(const ren_volume *volume, const double spacing[3], ren__grid *out);

/* Linear or cubic interpolation of a volume on a grid. */
typedef struct ren__resampler {
    const ren_volume *volume; /* the caller's */
    int32_t interpolation;    /* REN_LINEAR, REN_CUBIC */
    ren__grid grid;
    ren__axis axis[3];
    const float *replacement; /* for values that are not finite; NULL: they stay */
} ren__resampler;

ren_status ren__resampler_create(const ren_volume *volume, const ren__grid *grid, int32_t interpolation,
                                 ren__resampler *out);
void ren__resampler_free(ren__resampler *resampler); /* of one that was zeroed, too */
/* Voxels part[0] x part[1] x part[2] of the grid, packed, x fastest. The work is that of the box: the volume is read
 * and filtered there and a halo of 16 voxels around, beyond which the spline's response is below 1e-9. */
ren_status ren__resample_box(const ren__resampler *resampler, const ren__part part[3], ren__run *run, float *values);

enum { REN__RESIZE_AREA = 0, REN__RESIZE_TRILINEAR = 1 };

/* Packed floats, x fastest, to another shape: as PyTorch's adaptive_avg_pool3d, or as its trilinear interpolation with
 * align_corners=False. */
ren_status ren__resize(ren_context *context, ren__run *run, int32_t kind, const float *values, const int64_t shape[3],
                       float *out, const int64_t out_shape[3]);

#endif
