/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's values between its voxels, in double and in ITK's order of operations, on another grid.
 *
 * Not volume/resample.h's floats and separable sums, which are what networks need: here a resampled integer image is
 * truncated to integers again, so that a sum in another order would change a whole grey level wherever a sample falls
 * on an old voxel.
 */
#ifndef REN_RADIOMICS_SAMPLER_H
#define REN_RADIOMICS_SAMPLER_H

#include "radiomics/frame.h"
#include "radiomics/settings.h"

enum { REN__TAPS_MAX = 10 };

/* What a sample at one position takes from along one axis. */
typedef struct ren__support {
    int32_t taps; /* 0: the position is outside of the image */
    int64_t index[REN__TAPS_MAX];
    double weight[REN__TAPS_MAX]; /* linear: weight[0] is the share of index[1] */
} ren__support;

/* The support of `position`, a voxel index, along an axis of `size` voxels `spacing` mm apart. */
void ren__support_of(int32_t interpolator, int64_t size, double spacing, double position, ren__support *out);

/* Samples `image` on `frame` into packed doubles, x fastest, not yet rounded to the image's type. Only the part of the
 * image that is needed is read: a spline is filtered there and SPLINE_HALO voxels around, beyond which its bits have
 * met those of the whole image's. Outside of the image: 0. */
ren_status ren__sample(const ren_volume *image, const ren__frame *frame, int32_t interpolator, ren__run *run,
                       double *values) REN_CHECKED;

/* Positions of a frame's voxels in another's indices, along a row: start + i x step / shape[0], ITK's way. */
typedef struct ren__row_positions {
    double start[3], step[3], count;
} ren__row_positions;
void ren__row_positions_of(const ren__frame *frame, const ren__frame *in, int64_t j, int64_t k,
                           ren__row_positions *out);
double ren__row_position(const ren__row_positions *row, int axis, int64_t i);

/* Whose arithmetic: ITK filters along x first and truncates the start, scipy filters along z first. */
enum { REN__PREFILTER_ITK = 0, REN__PREFILTER_SCIPY };
/* In place: values become the coefficients of the cubic B-spline through them, mirrored about the border voxels. */
ren_status ren__prefilter(ren_context *context, ren__run *run, int flavour, double *values,
                          const int64_t shape[3]) REN_CHECKED;

#endif
