/* SPDX-License-Identifier: Apache-2.0 */
/* The table of feature classes. */
#include "radiomics/ibsi.h"

/* clang-format off */
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

/* IBSI's families in the manual's order, under its names; they are all that this mode has. */
static const ren__feature_class *const ibsi_classes[] = {
    &ren__class_ibsi_morph,
    &ren__class_ibsi_loc,
    &ren__class_ibsi_stat,
    &ren__class_ibsi_ih,
    &ren__class_ibsi_ivh,
    &ren__class_ibsi_cm,
    &ren__class_ibsi_rlm,
    &ren__class_ibsi_szm,
    &ren__class_ibsi_dzm,
    &ren__class_ibsi_ngt,
    &ren__class_ibsi_ngl,
    NULL,
};
/* clang-format on */

const ren__feature_class *const *ren__radiomics_classes(int32_t mode) {
    return mode == REN_RADIOMICS_IBSI ? ibsi_classes : pyradiomics_classes;
}
