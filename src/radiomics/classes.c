/* SPDX-License-Identifier: Apache-2.0 */
/* The table of feature classes. */
#include "radiomics/classes.h"

/* PyRadiomics' order of columns: shape first, then the others by name. */
static const ren__feature_class *const pyradiomics_classes[] = {
    &ren__class_shape,
    &ren__class_shape2d,
    &ren__class_firstorder,
    &ren__class_glcm,
    &ren__class_gldm,
    &ren__class_glrlm,
    &ren__class_glszm,
    &ren__class_ngtdm,
    NULL,
};

/* IBSI's own families follow PyRadiomics' classes. */
static const ren__feature_class *const ibsi_classes[] = {
    &ren__class_shape,
    &ren__class_shape2d,
    &ren__class_firstorder,
    &ren__class_glcm,
    &ren__class_gldm,
    &ren__class_glrlm,
    &ren__class_glszm,
    &ren__class_ngtdm,
    NULL,
};

const ren__feature_class *const *ren__radiomics_classes(int32_t mode) {
    return mode == REN_RADIOMICS_IBSI ? ibsi_classes : pyradiomics_classes;
}
