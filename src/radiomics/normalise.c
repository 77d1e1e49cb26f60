/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalisation of a whole image to mean 0 and deviation 1, outliers clipped, scaled: float64, as SimpleITK's Normalize
 * gives it. Sums are taken plane by plane and then over planes, so that they do not depend on the number of threads.
 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/case.h"
#include "radiomics/pixels.h"

typedef struct normalise_job {
    const ren_volume *image;
    double *values;
    double *sums; /* of each plane */
    int squared;  /* sum squared distances from the mean */
    double mean, scale, bound, factor;
} normalise_job;

/* Compensated (Neumaier), as ITK's. */
static double sum_of(const double *values, int64_t count, double mean, int squared) {
    double sum = 0.0, lost = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const double distance = values[i] - mean, value = squared ? distance * distance : values[i];
        const double next = sum + value;
        lost += fabs(sum) >= fabs(value) ? (sum - next) + value : (value - next) + sum;
        sum = next;
    }
    return sum + lost;
}

static void sum_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const normalise_job *job = argument;
    const int64_t plane = job->image->shape[0] * job->image->shape[1];
    (void)thread;
    for (int64_t k = begin; k < end; k++)
        job->sums[k] = sum_of(job->values + k * plane, plane, job->mean, job->squared);
}

static void change_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const normalise_job *job = argument;
    const int64_t plane = job->image->shape[0] * job->image->shape[1];
    (void)thread;
    for (int64_t i = begin * plane; i < end * plane; i++) {
        double value = (job->values[i] - job->mean) * job->scale;
        if (value > job->bound) value = job->bound;
        if (value < -job->bound) value = -job->bound;
        job->values[i] = value * job->factor;
    }
}

ren_status ren__normalise(const ren_volume *image, const ren__radiomics_settings *settings, ren__run *run,
                          ren_volume **out) {
    static const int64_t origin[3] = { 0, 0, 0 };
    ren_status st = REN_OK;
    ren_context *context = image->context;
    normalise_job job = { .image = image, .bound = INFINITY, .factor = settings->normalize_scale };
    ren_volume *result = NULL;
    void *values = NULL;
    const int64_t planes = image->shape[2];
    const double count = (double)image->shape[0] * (double)image->shape[1] * (double)planes;
    REN_TRY(ren__volume_allocate_raw(context, REN_TYPE_F64, image->shape, image->affine, &values, &result));
    memcpy(result->spacing, image->spacing, sizeof result->spacing);
    job.values = values;
    REN_TRY(ren__pixels_read(image, origin, image->shape, run, values));
    REN_CALLOC(job.sums, (size_t)planes);
    ren__parallel_for(context, run, planes, 1, sum_planes, &job);
    REN_TRY(ren__run_check(run));
    job.mean = sum_of(job.sums, planes, 0.0, 0) / count;
    job.squared = 1;
    ren__parallel_for(context, run, planes, 1, sum_planes, &job);
    REN_TRY(ren__run_check(run));
    job.scale = 1.0 / sqrt(sum_of(job.sums, planes, 0.0, 0) / (count - 1.0));
    if (settings->remove_outliers > 0.0) job.bound = settings->remove_outliers;
    ren__parallel_for(context, run, planes, 1, change_planes, &job);
    REN_TRY(ren__run_check(run));
    *out = result;
    result = NULL;
out:
    ren__free(job.sums);
    ren_volume_free(result);
    return st;
}
