/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feature classes. A class is one file (with what it is made of) and one line in the table of classes.c; a feature
 * is one line in its class's list.
 */
#ifndef REN_RADIOMICS_CLASSES_H
#define REN_RADIOMICS_CLASSES_H

#include "radiomics/region.h"

enum {
    REN__FEATURE_BY_NAME = 1 /* computed only when asked for by name: StandardDeviation and the deprecated ones */
};

typedef struct ren__feature {
    const char *name; /* PyRadiomics' */
    const char *unit; /* UCUM: "1", "mm", "mm2", "mm3", "[image]" for the image's own unit, "[image]2" its square */
    const char *ibsi; /* code of the IBSI reference manual, for instance "IAZD"; NULL: not in it */
    int32_t flags;
} ren__feature;

typedef struct ren__feature_class {
    const char *name; /* "glcm" */
    const ren__feature *features;
    int32_t count;
    int32_t parts; /* REN__REGION_* that it reads; 0: `inside` alone, which is then the shape's region */
    /* values[f] for every f with wanted[f]; a feature that is undefined for this region is NaN. Others are left as they
     * are, and what only they need is not computed. Fails for want of memory or when `run` stops, never because of
     * what is in the region. */
    ren_status (*compute)(const ren__region *region, const ren__radiomics_settings *settings, const uint8_t *wanted,
                          ren__run *run, double *values);
} ren__feature_class;

extern const ren__feature_class ren__class_shape;
extern const ren__feature_class ren__class_shape2d;
extern const ren__feature_class ren__class_firstorder;
extern const ren__feature_class ren__class_glcm;
extern const ren__feature_class ren__class_glrlm;
extern const ren__feature_class ren__class_glszm;
extern const ren__feature_class ren__class_gldm;
extern const ren__feature_class ren__class_ngtdm;

/* The classes of a mode (REN_RADIOMICS_*) in the order of their columns, ended by NULL. */
const ren__feature_class *const *ren__radiomics_classes(int32_t mode);

#endif
