/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefilter of the cubic B-spline in double (after Unser, IEEE SPM 1999), each operation as in ITK's decomposition
 * filter, with its start truncated to 1e-10, or as in scipy's: a value that lands on a voxel comes out with their bits.
 * Lines are filtered side by side, the vector unit across them.
 */
#include <math.h>

#include "base/parallel.h"
#include "radiomics/sampler.h"

enum { STRIP = 32, BLOCK = 8 };

typedef struct pole {
    double z, gain, last;
    int flavour;     /* REN__PREFILTER_* */
    int64_t horizon; /* terms of the causal start on a longer line */
} pole;

static pole cubic_pole(int flavour) {
    pole result;
    result.flavour = flavour;
    /* ITK computes the pole, with a digit less */
    result.z = flavour == REN__PREFILTER_SCIPY ? -0.267949192431122706472553658494127633 : sqrt(3.0) - 2.0;
    result.gain = (1.0 - result.z) * (1.0 - 1.0 / result.z);
    result.last = result.z / (result.z * result.z - 1.0);
    result.horizon = (int64_t)ceil(log(1e-10) / log(fabs(result.z)));
    return result;
}

/* `first` += weight x sample, across the strip. */
static void add_scaled(double *first, const double *sample, double weight, int64_t width) {
#pragma omp simd
    for (int64_t i = 0; i < width; i++)
        first[i] += weight * sample[i];
}

/* scipy: the whole line, the far end's mirror image taken along. */
static void whole_start(const pole *p, double *line, int64_t count, int64_t stride, int64_t width) {
    const double back = pow(p->z, (double)(count - 1));
    double power = p->z;
    add_scaled(line, line + (count - 1) * stride, back, width);
    for (int64_t k = 1; k < count - 1; k++, power *= p->z) {
        const double *sample = line + k * stride, *mirrored = line + (count - 1 - k) * stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            line[i] += power * (sample[i] + back * mirrored[i]);
    }
    for (int64_t i = 0; i < width; i++)
        line[i] /= 1.0 - back * back;
}

static void causal_start(const pole *p, double *line, int64_t count, int64_t stride, int64_t width) {
    double power = p->z;
    if (p->flavour == REN__PREFILTER_SCIPY) {
        whole_start(p, line, count, stride, width);
        return;
    }
    if (p->horizon < count) {
        for (int64_t k = 1; k < p->horizon; k++, power *= p->z)
            add_scaled(line, line + k * stride, power, width);
        return;
    }
    const double inverse = 1.0 / p->z;
    double back = pow(p->z, (double)(count - 1));
    add_scaled(line, line + (count - 1) * stride, back, width);
    back *= back * inverse;
    for (int64_t k = 1; k <= count - 2; k++, power *= p->z, back *= inverse)
        add_scaled(line, line + k * stride, power + back, width);
    for (int64_t i = 0; i < width; i++)
        line[i] /= 1.0 - power * power;
}

/* `width` lines of `count` >= 2 samples, `stride` doubles from sample to sample. */
static void filter_strip(const pole *p, double *line, int64_t count, int64_t stride, int64_t width) {
    const double z = p->z, gain = p->gain;
    for (int64_t k = 0; k < count; k++) {
        double *now = line + k * stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            now[i] *= gain;
    }
    causal_start(p, line, count, stride, width);
    for (int64_t k = 1; k < count; k++)
        add_scaled(line + k * stride, line + (k - 1) * stride, z, width);
    double *end = line + (count - 1) * stride;
    for (int64_t i = 0; i < width; i++)
        end[i] = p->flavour == REN__PREFILTER_SCIPY ? (z * end[i - stride] + end[i]) * z / (z * z - 1.0)
                                                    : p->last * (z * end[i - stride] + end[i]);
    for (int64_t k = count - 2; k >= 0; k--) {
        double *now = line + k * stride;
        const double *after = now + stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            now[i] = z * (after[i] - now[i]);
    }
}

typedef struct filter_job {
    pole p;
    double *values, *scratch; /* shape[0] x BLOCK for each thread */
    int64_t shape[3], rows;
    int axis;
} filter_job;

/* Along x: rows become the columns of a small block, are filtered there and go back. */
static void filter_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    filter_job *job = argument;
    const int64_t count = job->shape[0];
    double *block = job->scratch + (int64_t)thread * count * BLOCK;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first = item * BLOCK, width = job->rows - first < BLOCK ? job->rows - first : BLOCK;
        for (int64_t r = 0; r < width; r++)
            for (int64_t i = 0; i < count; i++)
                block[i * BLOCK + r] = job->values[(first + r) * count + i];
        filter_strip(&job->p, block, count, BLOCK, width);
        for (int64_t r = 0; r < width; r++)
            for (int64_t i = 0; i < count; i++)
                job->values[(first + r) * count + i] = block[i * BLOCK + r];
    }
}

/* Along y or z: an item is a strip of one plane of lines. */
static void filter_columns(void *argument, int64_t begin, int64_t end, int32_t thread) {
    filter_job *job = argument;
    const int64_t width = job->shape[0], plane = width * job->shape[1], strips = (width + STRIP - 1) / STRIP;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        const int64_t at = item % strips * STRIP, other = item / strips;
        const int64_t part = width - at < STRIP ? width - at : STRIP;
        if (job->axis == 1)
            filter_strip(&job->p, job->values + other * plane + at, job->shape[1], width, part);
        else
            filter_strip(&job->p, job->values + other * width + at, job->shape[2], plane, part);
    }
}

static ren_status filter_axis(ren_context *context, ren__run *run, filter_job *job) {
    const int64_t *shape = job->shape, strips = (shape[0] + STRIP - 1) / STRIP;
    if (shape[job->axis] == 1) return REN_OK; /* a single sample is its own coefficient */
    if (job->axis == 0)
        ren__parallel_for(context, run, (job->rows + BLOCK - 1) / BLOCK, 8, filter_rows, job);
    else
        ren__parallel_for(context, run, strips * shape[3 - job->axis], 4, filter_columns, job);
    return ren__run_check(run);
}

ren_status ren__prefilter(ren_context *context, ren__run *run, int flavour, double *values, const int64_t shape[3]) {
    ren_status st = REN_OK;
    filter_job job = { cubic_pole(flavour), values, NULL, { shape[0], shape[1], shape[2] }, shape[1] * shape[2], 0 };
    REN_CALLOC(job.scratch, (size_t)context->threads * (size_t)shape[0] * BLOCK);
    for (int a = 0; a < 3; a++) {
        job.axis = flavour == REN__PREFILTER_SCIPY ? 2 - a : a;
        REN_TRY(filter_axis(context, run, &job));
    }
out:
    ren__free(job.scratch);
    return st;
}
