/* SPDX-License-Identifier: Apache-2.0 */
/* Regions and label maps on another grid: PyRadiomics' resampleImage and correctMask, and IBSI's interpolation. */
#ifndef REN_RADIOMICS_RESAMPLE_H
#define REN_RADIOMICS_RESAMPLE_H

#include "radiomics/case.h"

/* REN_E_DATA where a box of the mask's grid reaches outside of the image by more than a thousandth of a voxel. */
ren_status ren__check_covered(const ren__frame *image, const ren__frame *mask, const ren__labelled *set) REN_CHECKED;
/* A label map on another grid: the nearest label, 0 outside. */
ren_status ren__resample_mask(const ren_volume *mask, const ren__frame *frame, ren__run *run,
                              ren_volume **out) REN_CHECKED;
/* Image and region of a set on its grid of resampledPixelSpacing: sets image, roi and interpolated_roi (which share
 * their voxels) from original_roi. Where a spline's coefficients serve several sets they are kept in the case until
 * each set had its turn; values do not depend on that. */
ren_status ren__resample_region(ren__case *subject, const ren__labelled *set, ren__run *run,
                                ren__prepared *prepared) REN_CHECKED;

#endif
