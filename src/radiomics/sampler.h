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

enum { REN__TAPS_MAX = 10, REN__SPLINE_HALO = 64 };

/* What a sample at one position takes from along one axis. */
typedef struct ren__support {
    int32_t taps; /* 0: the position is outside of the image */
    int64_t index[REN__TAPS_MAX];
    double weight[REN__TAPS_MAX]; /* linear: weight[0] is the share of index[1] */
} ren__support;

/* The support of `position`, a voxel index, along an axis of `size` voxels `spacing` mm apart. */
void ren__support_of(int32_t interpolator, int64_t size, double spacing, double position, ren__support *out);

/* What samples are taken from: a box of an image, in double; for the spline its coefficients. */
typedef struct ren__source {
    int32_t interpolator;
    ren__frame in;              /* the image's grid */
    int64_t begin[3], shape[3]; /* the box; 0 voxels where no sample is within the image */
    double *values;
} ren__source;

/* The box of the grid `in` that samples on `frame` are taken from; 0 where all of them lie outside. */
int ren__source_box(const ren__frame *in, const ren__frame *frame, int32_t interpolator, int64_t begin[3],
                    int64_t shape[3]);
/* The same with what a spline's filter needs around it: REN__SPLINE_HALO voxels, beyond which its bits have met those
 * of the whole image's. For other interpolators the box itself. */
void ren__source_widen(const ren__frame *in, int32_t interpolator, int64_t begin[3], int64_t shape[3]);
/* Reads a box of `image` (shape all 0: none) and filters it. Holds 8 bytes a voxel of the box; while a spline is
 * filtered, up to twice that of the box widened along z. */
ren_status ren__source_create(const ren_volume *image, int32_t interpolator, const int64_t begin[3],
                              const int64_t shape[3], ren__run *run, ren__source *out) REN_CHECKED;
void ren__source_free(ren__source *source); /* of one that was zeroed, too */

/* Gets the samples of the frame's voxels `first` .. first + count - 1, x fastest; may change them. Called once for each
 * voxel, from any of the context's threads. */
typedef void (*ren__samples_fn)(void *user, int64_t first, double *values, int64_t count);
/* Samples `source`, whose box must cover what `frame` needs, not yet rounded to the image's type. Outside of the image:
 * 0. A sample's bits do not depend on what else is in the box. */
ren_status ren__sample(ren_context *context, const ren__source *source, const ren__frame *frame, ren__run *run,
                       ren__samples_fn take, void *user) REN_CHECKED;

/* The same for the spline on a grid along the axes of the image's: `supports` of each index along each axis. */
ren_status ren__sample_spline(ren_context *context, const ren__source *source, const int64_t shape[3],
                              ren__support *const supports[3], ren__run *run, ren__samples_fn take,
                              void *user) REN_CHECKED;

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
/* ITK's coefficients of the box `wide` of an image, of which the columns from begin[] on, shape[] of them along x and
 * y, are kept, in all planes of wide_shape[2]. Plane by plane, so that what is not kept is never held. */
ren_status ren__prefilter_part(const ren_volume *image, const int64_t wide_begin[3], const int64_t wide_shape[3],
                               const int64_t begin[2], const int64_t shape[2], ren__run *run,
                               double *values) REN_CHECKED;

#endif
