/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Square, SquareRoot, Logarithm and Exponential: functions of one voxel and of the greatest absolute value of the whole
 * image, in float64.
 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/filters.h"
#include "radiomics/pixels.h"

enum { GRAIN = 1 << 15, ROW_VOXELS = 1 << 16 };

typedef struct greatest_job {
    const ren_volume *image;
    double *rows;     /* a row for each thread */
    double *greatest; /* of each thread */
    atomic_int nan;
} greatest_job;

static void find_greatest(void *argument, int64_t begin, int64_t end, int32_t thread) {
    greatest_job *job = argument;
    const int64_t width = job->image->shape[0], height = job->image->shape[1], shape[3] = { width, 1, 1 };
    double *row = job->rows + thread * width, greatest = job->greatest[thread];
    for (int64_t r = begin; r < end; r++) {
        const int64_t at[3] = { 0, r % height, r / height };
        if (ren__pixels_read(job->image, at, shape, NULL, row) != REN_OK) continue; /* a row of the volume */
        for (int64_t i = 0; i < width; i++) {
            const double value = fabs(row[i]);
            if (value > greatest) greatest = value;
            if (isnan(value)) atomic_store_explicit(&job->nan, 1, memory_order_relaxed);
        }
    }
    job->greatest[thread] = greatest;
}

/* The greatest absolute value, NaN where there is one, as numpy has it. */
static ren_status greatest_value(const ren_volume *image, ren__run *run, double *out) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    greatest_job job = { .image = image };
    atomic_init(&job.nan, 0);
    REN_CALLOC(job.rows, (size_t)context->threads * (size_t)image->shape[0]);
    REN_CALLOC(job.greatest, (size_t)context->threads);
    ren__parallel_for(context, run, image->shape[1] * image->shape[2], ROW_VOXELS / image->shape[0] + 1, find_greatest,
                      &job);
    REN_TRY(ren__run_check(run));
    *out = 0.0;
    for (int32_t t = 0; t < context->threads; t++)
        *out = fmax(*out, job.greatest[t]);
    if (atomic_load(&job.nan)) *out = NAN;
out:
    ren__free(job.rows);
    ren__free(job.greatest);
    return st;
}

typedef double (*point_function)(double value, double factor);

static double square(double value, double factor) {
    return factor * value * (factor * value);
}

static double square_root(double value, double factor) {
    if (value > 0.0) return sqrt(value * factor);
    return value < 0.0 ? -sqrt(-value * factor) : value;
}

static double signed_logarithm(double value) {
    if (value > 0.0) return log(value + 1.0);
    return value < 0.0 ? -log(-(value - 1.0)) : value;
}

static double logarithm(double value, double factor) {
    return signed_logarithm(value) * factor;
}

static double exponential(double value, double factor) {
    return exp(factor * value);
}

typedef struct point_job {
    double *values;
    point_function function;
    double factor;
} point_job;

static void change_values(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const point_job *job = argument;
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        job->values[i] = job->function(job->values[i], job->factor);
}

/* `factor_of` gives the function's factor for the image's greatest absolute value. */
static ren_status derive(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                         ren__run *run, ren__emit_fn emit, void *user, point_function function,
                         double (*factor_of)(double greatest), const char *name) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    point_job job = { NULL, function, 0.0 };
    ren__part3 part;
    double greatest;
    ren__wanted_part(image, roi, settings, &part);
    const int64_t count = part.shape[0] * part.shape[1] * part.shape[2];
    REN_TRY(greatest_value(image, run, &greatest));
    job.factor = factor_of(greatest);
    job.values = ren__alloc_array(context, (size_t)count, sizeof *job.values);
    if (!job.values) return ren__out_of_memory();
    REN_TRY(ren__pixels_read(image, part.begin, part.shape, run, job.values));
    ren__parallel_for(context, run, count, GRAIN, change_values, &job);
    REN_TRY(ren__run_check(run));
    REN_TRY(ren__emit_doubles(image, REN_TYPE_F64, job.values, &part, &part, name, emit, user));
out:
    ren__free(job.values);
    return st;
}

static double square_factor(double greatest) {
    return 1.0 / sqrt(greatest);
}

static double root_factor(double greatest) {
    return greatest;
}

/* Both signs have the same logarithm, and it rises: the greatest of the image is that of the greatest value. */
static double logarithm_factor(double greatest) {
    return greatest / log(greatest + 1.0);
}

static double exponential_factor(double greatest) {
    return log(greatest) / greatest;
}

REN__DERIVE(ren__derive_square) {
    return derive(image, roi, settings, run, emit, user, square, square_factor, "square");
}

REN__DERIVE(ren__derive_square_root) {
    return derive(image, roi, settings, run, emit, user, square_root, root_factor, "squareroot");
}

REN__DERIVE(ren__derive_logarithm) {
    return derive(image, roi, settings, run, emit, user, logarithm, logarithm_factor, "logarithm");
}

REN__DERIVE(ren__derive_exponential) {
    return derive(image, roi, settings, run, emit, user, exponential, exponential_factor, "exponential");
}
