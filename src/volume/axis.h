/* SPDX-License-Identifier: Apache-2.0 */
/* Separable resampling, one axis at a time: every output is a short weighted sum of inputs along that axis. */
#ifndef REN_VOLUME_AXIS_H
#define REN_VOLUME_AXIS_H

#include "base/context.h"

/* Output i is the sum over t < taps of weights[i * taps + t] x input[first[i] + t]. Borders are folded into the
 * weights, so that first[i] + taps <= inputs always, and first never falls. */
typedef struct ren__axis {
    int64_t inputs, outputs;
    int64_t taps;
    int64_t *first;
    float *weights;
} ren__axis;

/* Output i lies at input position begin + step x i, step > 0. Cubic: B-spline weights over coefficients, mirrored about
 * the centres of the border voxels. Linear: the border voxel goes on outside. */
ren_status ren__axis_cubic(ren_context *context, int64_t inputs, int64_t outputs, double begin, double step,
                           ren__axis *out);
ren_status ren__axis_linear(ren_context *context, int64_t inputs, int64_t outputs, double begin, double step,
                            ren__axis *out);
/* Mean over inputs ren__area_begin .. ren__area_end. */
ren_status ren__axis_area(ren_context *context, int64_t inputs, int64_t outputs, ren__axis *out);
void ren__axis_free(ren__axis *axis); /* of one that was zeroed, too */

/* The inputs of bin i of PyTorch's adaptive average pooling: floor(i n / m) to ceil((i + 1) n / m). Never empty; bins
 * may share an input. */
int64_t ren__area_begin(int64_t inputs, int64_t outputs, int64_t index);
int64_t ren__area_end(int64_t inputs, int64_t outputs, int64_t index);
/* The input under the centre of output i of a resize, always one of the bin's: floor((i + 1/2) n / m). */
int64_t ren__centre_index(int64_t inputs, int64_t outputs, int64_t index);
/* The input nearest to a position; borders go on outside. */
int64_t ren__nearest_index(int64_t inputs, double position);

/* Part of a grid along one axis. */
typedef struct ren__part {
    int64_t begin, count;
} ren__part;

/* The inputs that outputs [part.begin, + part.count) need. */
ren__part ren__axis_needs(const ren__axis *axis, ren__part outputs);
/* Applies the kernel along axis `which` of packed floats (axis 0 fastest). `in` has the inputs from in_begin on along
 * that axis; `out` gets outputs `part` there, and the same extent elsewhere. */
ren_status ren__axis_apply(ren_context *context, ren__run *run, const ren__axis *axis, int which, const float *in,
                           const int64_t in_shape[3], int64_t in_begin, ren__part part, float *out);

/* In place: values of packed floats become the coefficients of the cubic B-spline through them (Unser, IEEE SPM 1999),
 * mirrored about the centres of the border voxels. */
ren_status ren__spline_filter(ren_context *context, ren__run *run, float *values, const int64_t shape[3]);

#endif
