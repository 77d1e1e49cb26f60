/* SPDX-License-Identifier: Apache-2.0 */
/* The image types: filters that make derived images of an image. A type is one file and one line in image_types.c. */
#ifndef REN_RADIOMICS_IMAGE_TYPES_H
#define REN_RADIOMICS_IMAGE_TYPES_H

#include "radiomics/region.h"

/* Takes one derived image. `name` is the prefix of its features ("original", "log-sigma-2-0-mm-3D", "wavelet-LLH").
 * The image is the callee's to read during the call, and is on the grid of the image it was derived from; but only its
 * voxels in the roi's box and kernelRadius around it are set, so that a small region of a large scan costs little. */
typedef ren_status (*ren__emit_fn)(void *user, const char *name, const ren_volume *image);

typedef struct ren__image_type {
    const char *name; /* as in the parameter file: "LoG" */
    /* Calls `emit` for each derived image in PyRadiomics' order; one that cannot be made where PyRadiomics skips it
     * with a warning is skipped here and logged. A failure of `emit` ends it. Memory: at most five arrays of the roi's
     * box and the filter's reach around it, in float64, the derived image among them. */
    ren_status (*derive)(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                         ren__run *run, ren__emit_fn emit, void *user);
} ren__image_type;

/* By its name in the parameter file; NULL: there is none. */
const ren__image_type *ren__image_type_find(const char *name);
/* All, ended by a NULL name. */
const ren__image_type *ren__image_type_list(void);

#endif
