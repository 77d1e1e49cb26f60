/* SPDX-License-Identifier: Apache-2.0 */
/* PyRadiomics' diagnostics_*: what an image, a mask and a region were, in the names, order and text of version 3.1. */
#ifndef REN_RADIOMICS_DIAGNOSTICS_H
#define REN_RADIOMICS_DIAGNOSTICS_H

#include "radiomics/extractor.h"
#include "radiomics/sha1.h"

typedef struct ren__image_extent {
    double mean, minimum, maximum;
} ren__image_extent;

/* Of whole images: the same for all regions. The digests are of the voxels as SimpleITK holds them: in the image's own
 * type, and of a label map as 32-bit numbers. */
typedef struct ren__image_facts {
    char image_hash[REN__SHA1_TEXT], mask_hash[REN__SHA1_TEXT];
    ren__image_extent extent;
} ren__image_facts;

typedef struct ren__diagnostics {
    const ren_radiomics *radiomics;
    const ren_volume *image, *mask; /* as they came in */
    ren__case *subject;
    ren__image_facts facts;
} ren__diagnostics;

/* Nothing where additionalInfo is off. */
ren_status ren__diagnostics_begin(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                                  ren__case *subject, ren__run *run, ren__diagnostics *out) REN_CHECKED;
/* Adds all of one region to its row. */
ren_status ren__diagnostics_row(const ren__diagnostics *diagnostics, const ren__label_set *set,
                                const ren__prepared *prepared, ren__run *run, ren_features *features,
                                int32_t row) REN_CHECKED;
/* "{'minimumROIDimensions': 2, ...}" of a region, and "{'Original': {}}". */
void ren__diagnostics_settings(const ren_radiomics *radiomics, const ren__label_set *set, ren_text *text);
void ren__diagnostics_types(const ren_radiomics *radiomics, ren_text *text);

/* Components of a region whose voxels touch by a face, an edge or a corner. */
ren_status ren__roi_components(ren_context *context, const ren__roi *roi, int64_t *count) REN_CHECKED;
/* `mask` may be NULL. */
ren_status ren__image_survey(const ren_volume *image, const ren_volume *mask, ren__run *run,
                             ren__image_facts *out) REN_CHECKED;
ren_status ren__image_hash(const ren_volume *image, ren__run *run, char text[REN__SHA1_TEXT]) REN_CHECKED;
ren_status ren__mask_hash(const ren_volume *mask, ren__run *run, char text[REN__SHA1_TEXT]) REN_CHECKED;

#endif
