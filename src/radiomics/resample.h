/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resampling as ITK's ResampleImageFilter does it with PyRadiomics' grids: in double, to the last bit where directions
 * are those of the axes.
 *
 * Not volume/resample.h's, whose floats and separable sums are what networks need: here a resampled integer image is
 * truncated to integers again, and a sum in another order changes a whole grey level wherever a sample falls on an old
 * voxel.
 */
#ifndef REN_RADIOMICS_RESAMPLE_H
#define REN_RADIOMICS_RESAMPLE_H

#include "radiomics/case.h"

/* Coefficients of the spline through a box of an image. */
typedef struct ren__coefficients ren__coefficients;
void ren__coefficients_free(ren__coefficients *coefficients);

/* A label map on another grid: the nearest label, 0 outside. */
ren_status ren__resample_mask(const ren_volume *mask, const ren__frame *frame, ren__run *run,
                              ren_volume **out) REN_CHECKED;
/* Image and region of a set on its grid of resampledPixelSpacing: sets image, roi and interpolated_roi. */
ren_status ren__resample_region(ren__case *subject, const ren__labelled *set, ren__run *run,
                                ren__prepared *prepared) REN_CHECKED;

#endif
