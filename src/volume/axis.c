/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of separable resampling, and their application along one axis of a box. */
#include "volume/axis.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"

enum { ROW_WORK = 32768 };

static ren_status allocate(ren_context *context, int64_t inputs, int64_t outputs, int64_t taps, ren__axis *out) {
    size_t weights;
    memset(out, 0, sizeof *out);
    out->inputs = inputs;
    out->outputs = outputs;
    out->taps = taps;
    if (!ren__mul_size((size_t)outputs, (size_t)taps, &weights))
        return ren__error(REN_E_INVALID, "a resampled axis would have too many voxels");
    out->first = ren__alloc_array(context, (size_t)outputs, sizeof *out->first);
    out->weights = ren__calloc(context, weights, sizeof *out->weights);
    if (out->first && out->weights) return REN_OK;
    const ren_status st = ren__out_of_memory();
    ren__axis_free(out);
    return st;
}

void ren__axis_free(ren__axis *axis) {
    ren__free(axis->first);
    ren__free(axis->weights);
    memset(axis, 0, sizeof *axis);
}

/* Index of the whole-sample symmetric continuation: ... 2 1 0 1 2 ... n-2 n-1 n-2 ... */
static int64_t mirror(int64_t index, int64_t inputs) {
    if (inputs == 1) return 0;
    const int64_t period = 2 * (inputs - 1);
    index = (index % period + period) % period;
    return index < inputs ? index : period - index;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

ren_status ren__axis_cubic(ren_context *context, int64_t inputs, int64_t outputs, double begin, double step,
                           ren__axis *out) {
    const ren_status st = allocate(context, inputs, outputs, inputs < 4 ? inputs : 4, out);
    if (st != REN_OK) return st;
    for (int64_t i = 0; i < outputs; i++) {
        const double position = begin + step * (double)i, low = floor(position), t = position - low;
        const double weights[4] = { (1 - t) * (1 - t) * (1 - t) / 6, (4 - 6 * t * t + 3 * t * t * t) / 6,
                                    (1 + 3 * t + 3 * t * t - 3 * t * t * t) / 6, t * t * t / 6 };
        const int64_t base = clamp((int64_t)low - 1, 0, inputs - out->taps);
        out->first[i] = base;
        for (int k = 0; k < 4; k++) {
            /* positions are at most one voxel outside, so the mirrored index is within the window of 4 */
            const int64_t index = clamp(mirror((int64_t)low - 1 + k, inputs) - base, 0, out->taps - 1);
            out->weights[i * out->taps + index] += (float)weights[k];
        }
    }
    return REN_OK;
}

ren_status ren__axis_linear(ren_context *context, int64_t inputs, int64_t outputs, double begin, double step,
                            ren__axis *out) {
    const ren_status st = allocate(context, inputs, outputs, inputs < 2 ? inputs : 2, out);
    if (st != REN_OK) return st;
    for (int64_t i = 0; i < outputs; i++) {
        const double position = fmin(fmax(begin + step * (double)i, 0.0), (double)(inputs - 1));
        const int64_t base = clamp((int64_t)floor(position), 0, inputs - out->taps);
        const double t = position - (double)base;
        out->first[i] = base;
        out->weights[i * out->taps] = (float)(1.0 - t);
        if (out->taps == 2) out->weights[i * 2 + 1] = (float)t;
    }
    return REN_OK;
}

int64_t ren__area_begin(int64_t inputs, int64_t outputs, int64_t index) {
    return index * inputs / outputs;
}

int64_t ren__area_end(int64_t inputs, int64_t outputs, int64_t index) {
    return ((index + 1) * inputs + outputs - 1) / outputs;
}

int64_t ren__centre_index(int64_t inputs, int64_t outputs, int64_t index) {
    return (2 * index + 1) * inputs / (2 * outputs);
}

int64_t ren__nearest_index(int64_t inputs, double position) {
    if (!(position > 0.0)) return 0;
    if (position >= (double)(inputs - 1)) return inputs - 1;
    return (int64_t)floor(position + 0.5);
}

ren_status ren__axis_area(ren_context *context, int64_t inputs, int64_t outputs, ren__axis *out) {
    int64_t taps = 1;
    for (int64_t i = 0; i < outputs; i++) {
        const int64_t count = ren__area_end(inputs, outputs, i) - ren__area_begin(inputs, outputs, i);
        if (count > taps) taps = count;
    }
    const ren_status st = allocate(context, inputs, outputs, taps, out);
    if (st != REN_OK) return st;
    for (int64_t i = 0; i < outputs; i++) {
        const int64_t begin = ren__area_begin(inputs, outputs, i), end = ren__area_end(inputs, outputs, i);
        out->first[i] = clamp(begin, 0, inputs - taps);
        for (int64_t k = begin; k < end; k++)
            out->weights[i * taps + k - out->first[i]] = (float)(1.0 / (double)(end - begin));
    }
    return REN_OK;
}

ren__part ren__axis_needs(const ren__axis *axis, ren__part outputs) {
    ren__part inputs = { 0, 0 };
    if (outputs.count < 1) return inputs;
    inputs.begin = axis->first[outputs.begin];
    inputs.count = axis->first[outputs.begin + outputs.count - 1] + axis->taps - inputs.begin;
    return inputs;
}

typedef struct apply_job {
    const ren__axis *axis;
    int which;
    const float *in;
    float *out;
    int64_t in_shape[3], out_shape[3], in_begin, out_begin;
} apply_job;

/* Along the fastest axis: every output gathers its own inputs. */
static void gather_row(const apply_job *job, const float *in, float *out) {
    const int64_t taps = job->axis->taps;
    const int64_t *first = job->axis->first + job->out_begin;
    const float *weights = job->axis->weights + job->out_begin * taps;
    const float *from = in - job->in_begin;
    if (taps == 4) {
        for (int64_t i = 0; i < job->out_shape[0]; i++, weights += 4) {
            const float *x = from + first[i];
            out[i] = weights[0] * x[0] + weights[1] * x[1] + weights[2] * x[2] + weights[3] * x[3];
        }
        return;
    }
    for (int64_t i = 0; i < job->out_shape[0]; i++, weights += taps) {
        float sum = 0.0F;
        for (int64_t t = 0; t < taps; t++)
            sum += weights[t] * from[first[i] + t];
        out[i] = sum;
    }
}

/* Along another axis: an output row is a sum of input rows, `step` floats apart. */
static void combine_rows(const float *in, int64_t step, const float *weights, int64_t taps, int64_t width, float *out) {
    if (taps == 4) {
        const float a = weights[0], b = weights[1], c = weights[2], d = weights[3];
        const float *x = in, *y = in + step, *z = in + 2 * step, *w = in + 3 * step;
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            out[i] = a * x[i] + b * y[i] + c * z[i] + d * w[i];
        return;
    }
#pragma omp simd
    for (int64_t i = 0; i < width; i++)
        out[i] = weights[0] * in[i];
    for (int64_t t = 1; t < taps; t++) {
        const float weight = weights[t];
        const float *row = in + t * step;
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            out[i] += weight * row[i];
    }
}

static void apply_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const apply_job *job = argument;
    const int64_t width = job->out_shape[0], in_width = job->in_shape[0], in_plane = in_width * job->in_shape[1];
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const int64_t j = row % job->out_shape[1], k = row / job->out_shape[1];
        float *out = job->out + row * width;
        if (job->which == 0) {
            gather_row(job, job->in + row * in_width, out);
            continue;
        }
        const int64_t index = job->out_begin + (job->which == 1 ? j : k);
        const int64_t first = job->axis->first[index] - job->in_begin;
        const float *in =
            job->which == 1 ? job->in + k * in_plane + first * in_width : job->in + first * in_plane + j * in_width;
        combine_rows(in, job->which == 1 ? in_width : in_plane, job->axis->weights + index * job->axis->taps,
                     job->axis->taps, width, out);
    }
}

ren_status ren__axis_apply(ren_context *context, ren__run *run, const ren__axis *axis, int which, const float *in,
                           const int64_t in_shape[3], int64_t in_begin, ren__part part, float *out) {
    apply_job job = { axis, which, in, out, { 0, 0, 0 }, { 0, 0, 0 }, in_begin, part.begin };
    for (int a = 0; a < 3; a++) {
        job.in_shape[a] = in_shape[a];
        job.out_shape[a] = a == which ? part.count : in_shape[a];
        if (!job.out_shape[a]) return REN_OK;
    }
    ren__parallel_for(context, run, job.out_shape[1] * job.out_shape[2], ROW_WORK / job.out_shape[0] + 1, apply_rows,
                      &job);
    return ren__run_check(run);
}
