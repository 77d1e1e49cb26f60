/* SPDX-License-Identifier: Apache-2.0 */
/* The extractor's handle, and the extraction within a call that is under way. */
#ifndef REN_RADIOMICS_EXTRACTOR_H
#define REN_RADIOMICS_EXTRACTOR_H

#include "radiomics/features.h"
#include "radiomics/label_texts.h"

struct ren_radiomics {
    ren_context *context; /* held */
    /* What was asked for: sections `setting`, `voxelSetting`, `featureClass`, `imageType`, `ibsi`, all there; an empty
     * one of the middle two enables nothing. Every change makes a new tree and resolves it. */
    json_t *tree;
    ren__radiomics_params params; /* the tree, resolved */
};

/* The parameters for one image: the extractor's own, or for an image of two dimensions a copy, in `*made` to be freed.
 * REN_E_DATA where resampledPixelSpacing has another number of dimensions. */
ren_status ren__radiomics_params_for(const ren_radiomics *radiomics, const ren_volume *image,
                                     ren__radiomics_params **made, const ren__radiomics_params **out) REN_CHECKED;
ren_status ren__radiomics_extract(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                                  const ren__labels *labels, ren__run *run, ren_features **out) REN_CHECKED;

#endif
