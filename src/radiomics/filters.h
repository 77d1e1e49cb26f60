/* SPDX-License-Identifier: Apache-2.0 */
/* The image types, each in a file of its own; image_types.c lists them. */
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

#endif
