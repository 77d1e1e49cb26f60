/* SPDX-License-Identifier: Apache-2.0 */
/* Label texts: "2", "1+2", "left_lung=1+2". */
#ifndef REN_RADIOMICS_LABEL_TEXTS_H
#define REN_RADIOMICS_LABEL_TEXTS_H

#include "radiomics/region.h"

typedef struct ren__labels {
    ren__arena *arena; /* holds all below */
    ren__label_set *sets;
    int32_t count;
} ren__labels;

/* The sets that the texts name; none: the label `otherwise` alone. A text that is malformed, names a label twice or a
 * row that another has is REN_E_INVALID. */
ren_status ren__labels_parse(ren_context *context, const char *const *texts, size_t count, int32_t otherwise,
                             ren__labels *out) REN_CHECKED;
/* The seven lung regions. */
ren_status ren__labels_regions(ren_context *context, ren__labels *out) REN_CHECKED;
void ren__labels_free(ren__labels *labels); /* of one that was zeroed, too */

#endif
