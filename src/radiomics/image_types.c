/* SPDX-License-Identifier: Apache-2.0 */
/* The table of image types. */
#include "radiomics/image_types.h"

#include <string.h>

#include "radiomics/filters.h"

static REN__DERIVE(derive_original) {
    (void)roi;
    (void)settings;
    (void)run;
    return emit(user, "original", image);
}

/* In the order of PyRadiomics' documentation. */
static const ren__image_type types[] = {
    { "Original", derive_original },
    { NULL, NULL },
};

const ren__image_type *ren__image_type_list(void) {
    return types;
}

const ren__image_type *ren__image_type_find(const char *name) {
    for (const ren__image_type *type = types; type->name; type++)
        if (strcmp(type->name, name) == 0) return type;
    return NULL;
}
