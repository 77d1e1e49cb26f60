/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small random changes of a training sample. Everything drawn follows from (seed, epoch, sample) alone: the same bits
 * for every number of threads, and for a run that was stopped and resumed.
 */
#ifndef REN_VOLUME_AUGMENT_H
#define REN_VOLUME_AUGMENT_H

#include "base/context.h"

/* Three changes, each made with its own probability, independently; probability 0: never. */
typedef struct ren__augment_options {
    double rotation, rotation_probability;   /* largest angle about each of the three axes, radians */
    double noise, noise_probability;         /* standard deviation, in units of the window */
    double shift, scale, affine_probability; /* largest shift along each axis, cells; largest relative change of size */
} ren__augment_options;

/* What was drawn for one sample. Output cell x shows the input at matrix[.][0..2] x + matrix[.][3], in cells. */
typedef struct ren__augment_change {
    double matrix[3][4];
    int32_t moves; /* 0: the matrix is the identity */
    double noise;  /* standard deviation; 0: none */
    uint64_t key;  /* of the noise */
    uint32_t epoch, sample;
} ren__augment_change;

/* Draws the change: rotation about the grid's centre (about the first, then the second, then the third axis), one
 * relative size for all axes, a shift for each. Angles, sizes and shifts are uniform in their ranges, in cells of the
 * grid as the published training does it, whatever the cells' millimetres. `size` is D, H, W. */
void ren__augment_draw(const ren__augment_options *options, uint64_t seed, uint32_t epoch, uint32_t sample,
                       const int64_t size[3], ren__augment_change *change);

/* Applies it in one trilinear pass, zero outside the grid. Noise goes to cells that are not exactly zero: what lies
 * outside a region stays zero, as the expert will see it when it predicts. (The published training adds it everywhere;
 * there, too, all later input is zero outside.) `source` and `target` hold D x H x W floats, W fastest, and may not
 * overlap. Errors: REN_E_CANCELLED, REN_E_DEADLINE; `run` may be NULL. */
ren_status ren__augment_apply(ren_context *context, ren__run *run, const ren__augment_change *change,
                              const int64_t size[3], const float *source, float *target);

/* The same for a map of labels: each cell shows the nearest cell's label, no noise, label 0 outside the grid. So an
 * image and its labels stay on each other to within half a cell. */
ren_status ren__augment_labels(ren_context *context, ren__run *run, const ren__augment_change *change,
                               const int64_t size[3], const float *source, float *target);

/* Both. */
ren_status ren__augment(ren_context *context, ren__run *run, const ren__augment_options *options, uint64_t seed,
                        uint32_t epoch, uint32_t sample, const int64_t size[3], const float *source, float *target);

#endif
