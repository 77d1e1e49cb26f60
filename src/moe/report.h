/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the report share: planes through the lungs, and colours. */
#ifndef REN_MOE_REPORT_H
#define REN_MOE_REPORT_H

#include "moe/moe.h"

enum { REN__LOBES = 5, REN__LUNGS = 2 };

typedef struct ren__colour {
    uint8_t red, green, blue, shown; /* shown 0: nothing is drawn */
} ren__colour;

/* report_colour.c. Both scales are told apart with every colour blindness: viridis from 0 to `most`, and blue below and
 * red above the threshold, light at it. */
ren__colour ren__weight_colour(double weight, double most);
ren__colour ren__probability_colour(double probability, double threshold);
void ren__add_colour(ren_text *text, ren__colour colour); /* "#rrggbb" */

/* CT and lobes with axes in the order and direction R, A, S, on the same grid, and where the lungs lie in it. */
typedef struct ren__anatomy {
    ren_volume *ct, *lobes; /* held views */
    int64_t shape[3];
    double spacing[3];
    double millilitres[REN__LOBES];
    double centre[REN__LUNGS][3]; /* of the left and the right lung, in voxels */
    int64_t voxels[REN__LUNGS];
    int64_t begin[3], end[3]; /* of both lungs, half open */
} ren__anatomy;

ren_status ren__anatomy_read(ren_context *context, const ren_volume *ct, const ren_volume *lobes, ren__run *run,
                             ren__anatomy *anatomy);
void ren__anatomy_free(ren__anatomy *anatomy);

/* A plane as a radiologist looks at it: patient's right on the left, front or head up, square pixels. */
typedef struct ren__plane {
    const char *name;     /* "Axial" */
    char edges[4];        /* letters at the left, right, top and bottom */
    int32_t normal;       /* axis */
    int64_t index, count; /* which slice of how many, from 0 */
    int32_t width, height;
    double pixel;   /* mm */
    uint8_t *grey;  /* CT in the lung window */
    uint8_t *label; /* lobe label of each pixel */
} ren__plane;

enum { REN__AXIAL, REN__CORONAL, REN__SAGITTAL_RIGHT, REN__SAGITTAL_LEFT, REN__PLANES };

/* A sagittal plane through a lung that is not there: `shown` is 0 and the plane is empty. */
ren_status ren__plane_make(ren_context *context, const ren__anatomy *anatomy, int32_t which, ren__run *run,
                           ren__plane *plane, int *shown);
void ren__plane_free(ren__plane *plane);

/* The plane as PNG, lobes filled and lungs outlined with these colours. */
ren_status ren__plane_png(ren_context *context, const ren__plane *plane, const ren__colour lobes[REN__LOBES],
                          const ren__colour lungs[REN__LUNGS], uint8_t **png, size_t *size);
/* A point well inside of what `lobes` (bit k: label k + 1) covers in the plane, as shares of width and height; 0 where
 * that is too small for a word. */
int ren__plane_spot(const ren__plane *plane, uint32_t lobes, double *x, double *y);

extern const char ren__report_style[];

#endif
