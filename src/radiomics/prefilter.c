/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefilter of the cubic B-spline in double (after Unser, IEEE SPM 1999), each operation as in ITK's decomposition
 * filter, with its start truncated to 1e-10, or as in scipy's: a value that lands on a voxel comes out with their bits.
 * Lines are filtered side by side, the vector unit across them.
 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/pixels.h"
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

/* Along x: up to BLOCK rows of `count` become the columns of a small block, are filtered there and go back. */
static void filter_block(const pole *p, double *values, int64_t count, int64_t width, double *block) {
    if (count == 1) return; /* a single sample is its own coefficient */
    for (int64_t r = 0; r < width; r++)
        for (int64_t i = 0; i < count; i++)
            block[i * BLOCK + r] = values[r * count + i];
    filter_strip(p, block, count, BLOCK, width);
    for (int64_t r = 0; r < width; r++)
        for (int64_t i = 0; i < count; i++)
            values[r * count + i] = block[i * BLOCK + r];
}

static void filter_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    filter_job *job = argument;
    const int64_t count = job->shape[0];
    double *block = job->scratch + (int64_t)thread * count * BLOCK;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first = item * BLOCK, width = job->rows - first < BLOCK ? job->rows - first : BLOCK;
        filter_block(&job->p, job->values + first * count, count, width, block);
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

/* --------------------------------------------------------------------------------------------- plane by plane */

typedef struct plane_job {
    pole p;
    const ren_volume *image;
    const int64_t *wide_begin, *wide_shape, *begin, *shape;
    double *planes; /* for each thread: a plane, and a block of its rows */
    int64_t plane_size;
    double *values;
    atomic_int failed;
} plane_job;

/* Reads planes, filters them along x and y and keeps what is wanted of them. */
static void filter_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    plane_job *job = argument;
    const int64_t width = job->wide_shape[0], height = job->wide_shape[1], plane_shape[3] = { width, height, 1 };
    double *plane = job->planes + (int64_t)thread * job->plane_size, *block = plane + width * height;
    for (int64_t z = begin; z < end; z++) {
        const int64_t at[3] = { job->wide_begin[0], job->wide_begin[1], job->wide_begin[2] + z };
        const ren_status st = ren__pixels_read(job->image, at, plane_shape, NULL, plane);
        if (st != REN_OK) {
            atomic_store_explicit(&job->failed, st, memory_order_relaxed);
            return;
        }
        for (int64_t r = 0; r < height; r += BLOCK)
            filter_block(&job->p, plane + r * width, width, height - r < BLOCK ? height - r : BLOCK, block);
        for (int64_t i = 0; i < width && height > 1; i += STRIP)
            filter_strip(&job->p, plane + i, height, width, width - i < STRIP ? width - i : STRIP);
        const double *from = plane + (job->begin[1] - at[1]) * width + job->begin[0] - at[0];
        double *to = job->values + z * job->shape[0] * job->shape[1];
        for (int64_t r = 0; r < job->shape[1]; r++, from += width, to += job->shape[0])
            memcpy(to, from, (size_t)job->shape[0] * sizeof *to);
    }
}

ren_status ren__prefilter_part(const ren_volume *image, const int64_t wide_begin[3], const int64_t wide_shape[3],
                               const int64_t begin[2], const int64_t shape[2], ren__run *run, double *values) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    plane_job job = { .p = cubic_pole(REN__PREFILTER_ITK),
                      .image = image,
                      .wide_begin = wide_begin,
                      .wide_shape = wide_shape,
                      .begin = begin,
                      .shape = shape,
                      .values = values };
    filter_job along_z = { .p = job.p, .values = values, .shape = { shape[0], shape[1], wide_shape[2] }, .axis = 2 };
    atomic_init(&job.failed, REN_OK);
    job.plane_size = wide_shape[0] * (wide_shape[1] + BLOCK);
    job.planes = ren__calloc(context, (size_t)context->threads * (size_t)job.plane_size, sizeof *job.planes);
    if (!job.planes) return ren__out_of_memory();
    ren__parallel_for(context, run, wide_shape[2], 1, filter_planes, &job);
    REN_TRY(ren__run_check(run));
    if (atomic_load(&job.failed) != REN_OK) REN_FAIL(atomic_load(&job.failed), "a plane of the image cannot be read");
    st = filter_axis(context, run, &along_z);
out:
    ren__free(job.planes);
    return st;
}
