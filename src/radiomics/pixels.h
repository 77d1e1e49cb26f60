/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Voxel values with the type that SimpleITK gives them. It decides on which side of a bin's edge a value falls and what
 * a filter rounds to, so it belongs to the values: stored integers with a slope become 32-bit floats when ITK reads
 * them, resampled integers are integers again.
 */
#ifndef REN_RADIOMICS_PIXELS_H
#define REN_RADIOMICS_PIXELS_H

#include "volume/volume.h"

/* REN_TYPE_* of the values, scaled ones taken into account. */
int32_t ren__pixels_type(const ren_volume *image);
/* A box as doubles, rounded to that type where scaling would give more digits. */
ren_status ren__pixels_read(const ren_volume *image, const int64_t begin[3], const int64_t shape[3], ren__run *run,
                            double *values) REN_CHECKED;
/* The double nearest to what a cast in C++ to `type` gives: towards zero for integers, clamped to the type's range. */
double ren__pixels_cast(int32_t type, double value);
/* Stores values, which must fit, as `type`, packed. */
void ren__pixels_store(int32_t type, const double *values, int64_t count, void *to);

#endif
