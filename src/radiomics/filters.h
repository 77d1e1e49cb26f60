/* SPDX-License-Identifier: Apache-2.0 */
/* The image types, each in a file of its own; image_types.c lists them. And what they share. */
#ifndef REN_RADIOMICS_FILTERS_H
#define REN_RADIOMICS_FILTERS_H

#include "radiomics/image_types.h"

#define REN__DERIVE(name)                                                                                              \
    ren_status name(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,             \
                    ren__run *run, ren__emit_fn emit, void *user)

REN__DERIVE(ren__derive_log);
REN__DERIVE(ren__derive_wavelet);
REN__DERIVE(ren__derive_square);
REN__DERIVE(ren__derive_square_root);
REN__DERIVE(ren__derive_logarithm);
REN__DERIVE(ren__derive_exponential);
REN__DERIVE(ren__derive_gradient);
REN__DERIVE(ren__derive_lbp2d);
REN__DERIVE(ren__derive_lbp3d);

/* Part of an image. */
typedef struct ren__part3 {
    int64_t begin[3], shape[3];
} ren__part3;

/* Where a derived image is wanted: the region's box and kernelRadius around it. */
void ren__wanted_part(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                      ren__part3 *out);
/* The part and `halo` voxels around it, as far as there are any. */
void ren__widened_part(const ren_volume *image, const ren__part3 *part, const int64_t halo[3], ren__part3 *out);

/* A derived image of `type` with `part` of it taken from `values`, packed doubles of box `from`, and given to `emit`.
 * F32 or F64 or the type of an image whose values fit. */
ren_status ren__emit_doubles(const ren_volume *image, int32_t type, const double *values, const ren__part3 *from,
                             const ren__part3 *part, const char *name, ren__emit_fn emit, void *user) REN_CHECKED;
ren_status ren__emit_singles(const ren_volume *image, const float *values, const ren__part3 *from,
                             const ren__part3 *part, const char *name, ren__emit_fn emit, void *user) REN_CHECKED;

#endif
