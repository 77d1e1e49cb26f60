/* SPDX-License-Identifier: Apache-2.0 */
/* Points on a sphere, and spherical harmonics at them: what LBP3D samples and sums with. */
#ifndef REN_RADIOMICS_SPHERE_H
#define REN_RADIOMICS_SPHERE_H

#include "base/context.h"

enum { REN__SPHERE_SUBDIVISIONS_MAX = 6 };

typedef struct ren__sphere {
    int32_t count;
    double (*points)[3];
} ren__sphere;

/* An icosahedron, each triangle cut in four `subdivisions` times, its points moved to `radius`: 12, 42, 162, ... */
ren_status ren__sphere_create(ren_context *context, int32_t subdivisions, double radius, ren__sphere *out) REN_CHECKED;
void ren__sphere_free(ren__sphere *sphere); /* of one that was zeroed, too */

/* Real part and imaginary part of the harmonic of degree n and order m, with the phase of Condon and Shortley. */
void ren__harmonic(int32_t m, int32_t n, double azimuth, double polar, double value[2]);

#endif
