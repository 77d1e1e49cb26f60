/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefilter of the interpolating cubic B-spline: for every axis a causal and an anticausal recursive filter with the
 * pole sqrt(3) - 2 and gain 6 (Unser, "Splines: a perfect fit for signal and image processing", IEEE SPM 1999). Lines
 * are filtered side by side in strips, so that the recursion runs along one axis and the vector unit along another.
 */
#include <math.h>

#include "base/parallel.h"
#include "volume/axis.h"

/* Of the causal start: pole^HORIZON is below 1e-18. */
enum { STRIP = 64, BLOCK = 16, HORIZON = 32 };

#define POLE (-0.26794919243112270647)

/* Weights of the first samples in the causal filter's start, for a signal mirrored about both ends; their count. */
static int64_t start_weights(int64_t count, float weights[HORIZON]) {
    double power = 1.0;
    if (count > HORIZON) {
        for (int k = 0; k < HORIZON; k++, power *= POLE)
            weights[k] = (float)power;
        return HORIZON;
    }
    const double period = pow(POLE, (double)(2 * count - 2)), scale = 1.0 / (1.0 - period);
    for (int64_t k = 0; k < count; k++, power *= POLE) {
        const int end = k == 0 || k == count - 1;
        weights[k] = (float)((end ? power : power + period / power) * scale);
    }
    return count;
}

/* `width` <= STRIP lines of `count` >= 2 samples, `stride` floats from sample to sample. */
static void filter_strip(float *line, int64_t count, int64_t stride, int64_t width) {
    const float pole = (float)POLE, last_gain = (float)(POLE / (POLE * POLE - 1.0));
    float weights[HORIZON], start[STRIP];
    const int64_t horizon = start_weights(count, weights);

    for (int64_t i = 0; i < width; i++)
        start[i] = 0.0F;
    for (int64_t k = 0; k < horizon; k++) {
        const float weight = weights[k];
        const float *sample = line + k * stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            start[i] += weight * sample[i];
    }
    for (int64_t i = 0; i < width; i++)
        line[i] = 6.0F * start[i];

    for (int64_t k = 1; k < count; k++) {
        float *now = line + k * stride;
        const float *before = now - stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            now[i] = 6.0F * now[i] + pole * before[i];
    }
    float *end = line + (count - 1) * stride;
    for (int64_t i = 0; i < width; i++)
        end[i] = last_gain * (end[i] + pole * end[i - stride]);
    for (int64_t k = count - 2; k >= 0; k--) {
        float *now = line + k * stride;
        const float *after = now + stride;
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            now[i] = pole * (after[i] - now[i]);
    }
}

typedef struct filter_job {
    float *values;
    float *scratch; /* shape[0] x BLOCK for each thread */
    int64_t shape[3], rows;
    int axis;
} filter_job;

/* Rows are turned into columns of a small block, filtered there and turned back. */
static void filter_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    filter_job *job = argument;
    const int64_t count = job->shape[0];
    float *block = job->scratch + (int64_t)thread * count * BLOCK;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first = item * BLOCK, width = job->rows - first < BLOCK ? job->rows - first : BLOCK;
        for (int64_t r = 0; r < width; r++)
            for (int64_t i = 0; i < count; i++)
                block[i * BLOCK + r] = job->values[(first + r) * count + i];
        filter_strip(block, count, BLOCK, width);
        for (int64_t r = 0; r < width; r++)
            for (int64_t i = 0; i < count; i++)
                job->values[(first + r) * count + i] = block[i * BLOCK + r];
    }
}

/* Along axis 1 or 2: an item is one strip of one plane of lines. */
static void filter_columns(void *argument, int64_t begin, int64_t end, int32_t thread) {
    filter_job *job = argument;
    const int64_t width = job->shape[0], plane = width * job->shape[1], strips = (width + STRIP - 1) / STRIP;
    (void)thread;
    for (int64_t item = begin; item < end; item++) {
        const int64_t at = item % strips * STRIP, other = item / strips;
        const int64_t part = width - at < STRIP ? width - at : STRIP;
        if (job->axis == 1)
            filter_strip(job->values + other * plane + at, job->shape[1], width, part);
        else
            filter_strip(job->values + other * width + at, job->shape[2], plane, part);
    }
}

ren_status ren__spline_filter(ren_context *context, ren__run *run, float *values, const int64_t shape[3]) {
    ren_status st = REN_OK;
    filter_job job = { values, NULL, { shape[0], shape[1], shape[2] }, shape[1] * shape[2], 0 };
    const int64_t strips = (shape[0] + STRIP - 1) / STRIP;
    if (shape[0] > 1) {
        job.scratch =
            ren__alloc_array(context, (size_t)context->threads, (size_t)shape[0] * BLOCK * sizeof *job.scratch);
        if (!job.scratch) return ren__out_of_memory();
        ren__parallel_for(context, run, (job.rows + BLOCK - 1) / BLOCK, 8, filter_rows, &job);
        REN_TRY(ren__run_check(run));
    }
    for (job.axis = 1; job.axis < 3; job.axis++) {
        if (shape[job.axis] == 1) continue; /* a single sample is its own coefficient */
        ren__parallel_for(context, run, strips * shape[3 - job.axis], 4, filter_columns, &job);
        REN_TRY(ren__run_check(run));
    }
out:
    ren__free(job.scratch);
    return st;
}
