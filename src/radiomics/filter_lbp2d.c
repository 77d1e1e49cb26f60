/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local binary patterns of every slice (Ojala, Pietikainen and Maenpaa, PAMI 2002) with the sampling, the rounding and
 * the definitions of scikit-image's local_binary_pattern. The result goes back into the image's own type, as
 * PyRadiomics has it.
 */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/filters.h"
#include "radiomics/pixels.h"

enum { METHOD_DEFAULT = 0, METHOD_ROR, METHOD_UNIFORM, METHOD_VAR, SAMPLES_MAX = 4096 };

/* A sampling position along one axis: between two voxels. */
typedef struct between {
    int64_t low, high;
    double share; /* of the high one */
} between;

typedef struct lbp_job {
    const ren_volume *image;
    const double *values; /* of `from` */
    const ren__part3 *from, *part;
    int across, row, column; /* axes: the slices' normal, and those within */
    int32_t samples;
    int method;
    int32_t type;
    const double *row_offset, *column_offset; /* of each sample */
    double *texture;                          /* samples for each thread */
    uint8_t *sign;
    double *out; /* of `part` */
} lbp_job;

static between position_at(double position) {
    between result = { -2, -2, 0.0 };
    if (!(fabs(position) < 1e9)) return result; /* outside of any image */
    result.low = (int64_t)floor(position);
    result.high = (int64_t)ceil(position);
    result.share = position - (double)result.low;
    return result;
}

/* 0 outside of the slice. */
static double value_at(const lbp_job *job, int64_t at[3], int64_t row, int64_t column) {
    const ren__part3 *from = job->from;
    int64_t index[3];
    if (row < 0 || row >= job->image->shape[job->row] || column < 0 || column >= job->image->shape[job->column])
        return 0.0;
    at[job->row] = row;
    at[job->column] = column;
    for (int a = 0; a < 3; a++)
        index[a] = at[a] - from->begin[a];
    return job->values[(index[2] * from->shape[1] + index[1]) * from->shape[0] + index[0]];
}

static double sample(const lbp_job *job, int64_t at[3], const between *row, const between *column) {
    const double top = (1.0 - column->share) * value_at(job, at, row->low, column->low) +
                       column->share * value_at(job, at, row->low, column->high);
    const double bottom = (1.0 - column->share) * value_at(job, at, row->high, column->low) +
                          column->share * value_at(job, at, row->high, column->high);
    return (1.0 - row->share) * top + row->share * bottom;
}

static double variance(const double *texture, int32_t samples) {
    double sum = 0.0, squares = 0.0;
    for (int32_t p = 0; p < samples; p++) {
        sum += texture[p];
        squares += texture[p] * texture[p];
    }
    const double result = (squares - sum * sum / samples) / samples;
    return result != 0.0 ? result : NAN;
}

static double uniform(const uint8_t *sign, int32_t samples) {
    int32_t changes = 0, ones = 0;
    for (int32_t p = 0; p < samples; p++) {
        ones += sign[p];
        changes += p + 1 < samples && sign[p] != sign[p + 1];
    }
    return changes <= 2 ? ones : samples + 1;
}

/* Weights are 32-bit powers of two that overflow to nothing, and sums are doubles. */
static double pattern(const uint8_t *sign, int32_t samples) {
    double sum = 0.0;
    for (int32_t p = 0; p < samples && p < 32; p++)
        sum += sign[p] ? (p < 31 ? (double)((int32_t)1 << p) : -2147483648.0) : 0.0;
    return sum;
}

static double least_rotation(double value, int32_t samples) {
    const uint32_t bits = (uint32_t)(int32_t)value, length = samples < 32 ? (uint32_t)samples : 32;
    int32_t best = (int32_t)bits, now = best;
    for (uint32_t r = 1; r < length; r++) {
        const uint32_t last = (uint32_t)now & 1U;
        now = (int32_t)((uint32_t)(now >> 1) | last << (length - 1));
        if (now < best) best = now;
    }
    return best;
}

/* numpy's cast from double: whole numbers wrap, what has no whole number becomes the type's "indefinite". */
static double cast(int32_t type, double value) {
    if (type == REN_TYPE_F64) return value;
    if (type == REN_TYPE_F32) return (double)(float)value;
    if (type == REN_TYPE_U64) return value > 0.0 ? trunc(value) : 0.0;
    if (type == REN_TYPE_I64 || type == REN_TYPE_U32) {
        const int64_t whole = fabs(value) < 9e18 ? (int64_t)value : INT64_MIN;
        return type == REN_TYPE_I64 ? (double)whole : (double)(uint32_t)whole;
    }
    const int32_t whole = fabs(value) < 2147483648.0 ? (int32_t)value : INT32_MIN;
    switch (type) {
    case REN_TYPE_U8:
        return (double)(uint8_t)whole;
    case REN_TYPE_I8:
        return (double)(int8_t)whole;
    case REN_TYPE_U16:
        return (double)(uint16_t)whole;
    case REN_TYPE_I16:
        return (double)(int16_t)whole;
    default:
        return (double)whole;
    }
}

static void lbp_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const lbp_job *job = argument;
    const int64_t *shape = job->part->shape;
    double *texture = job->texture + (int64_t)thread * job->samples;
    uint8_t *sign = job->sign + (int64_t)thread * job->samples;
    for (int64_t item = begin; item < end; item++)
        for (int64_t i = 0; i < shape[0]; i++) {
            const int64_t here[3] = { job->part->begin[0] + i, job->part->begin[1] + item % shape[1],
                                      job->part->begin[2] + item / shape[1] };
            int64_t at[3] = { here[0], here[1], here[2] };
            const double centre = value_at(job, at, here[job->row], here[job->column]);
            double result;
            for (int32_t p = 0; p < job->samples; p++) {
                const between row = position_at((double)here[job->row] + job->row_offset[p]);
                const between column = position_at((double)here[job->column] + job->column_offset[p]);
                texture[p] = sample(job, at, &row, &column);
                sign[p] = texture[p] - centre >= 0.0;
            }
            if (job->method == METHOD_VAR)
                result = variance(texture, job->samples);
            else if (job->method == METHOD_UNIFORM)
                result = uniform(sign, job->samples);
            else
                result = pattern(sign, job->samples);
            if (job->method == METHOD_ROR) result = least_rotation(result, job->samples);
            job->out[item * shape[0] + i] = cast(job->type, result);
        }
}

static int method_of(const char *name) {
    static const char *const names[] = { "default", "ror", "uniform", "var" };
    for (int m = 0; m < 4; m++)
        if (strcmp(name, names[m]) == 0) return m;
    return -1;
}

/* Where the samples lie from the centre, rounded to five decimals. */
static void place_samples(int32_t samples, double radius, double *rows, double *columns) {
    const double pi = 3.14159265358979323846;
    for (int32_t p = 0; p < samples; p++) {
        rows[p] = nearbyint(-radius * sin(2.0 * pi * p / samples) * 1e5) / 1e5;
        columns[p] = nearbyint(radius * cos(2.0 * pi * p / samples) * 1e5) / 1e5;
    }
}

static ren_status run_lbp(lbp_job *job, ren__run *run, ren__emit_fn emit, void *user) {
    ren_status st = REN_OK;
    ren_context *context = job->image->context;
    const ren__part3 *from = job->from, *part = job->part;
    const size_t count = (size_t)job->samples, threads = (size_t)context->threads;
    double *values = NULL;
    REN_CALLOC(job->texture, threads * count);
    REN_CALLOC(job->sign, threads * count);
    REN_CALLOC(job->out, (size_t)(part->shape[0] * part->shape[1] * part->shape[2]));
    values = ren__alloc_array(context, (size_t)(from->shape[0] * from->shape[1] * from->shape[2]), sizeof *values);
    if (!values) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren__pixels_read(job->image, from->begin, from->shape, run, values));
    job->values = values;
    ren__parallel_for(context, run, part->shape[1] * part->shape[2], 8, lbp_rows, job);
    REN_TRY(ren__run_check(run));
    REN_TRY(ren__emit_doubles(job->image, job->type, job->out, part, part, "lbp-2D", emit, user));
out:
    ren__free(values);
    ren__free(job->texture);
    ren__free(job->sign);
    ren__free(job->out);
    return st;
}

REN__DERIVE(ren__derive_lbp2d) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    const double radius = settings->lbp2d_radius;
    const int dimension = settings->planar ? 0 : settings->force_2d_dimension;
    ren__part3 part, from;
    lbp_job job = { .image = image, .from = &from, .part = &part, .samples = settings->lbp2d_samples };
    int64_t halo[3];
    double *offsets = NULL;
    job.method = method_of(settings->lbp2d_method);
    if (job.method < 0) return ren__error(REN_E_INVALID, "lbp2DMethod \"%s\" is unknown", settings->lbp2d_method);
    if (job.samples > SAMPLES_MAX)
        return ren__error(REN_E_UNSUPPORTED, "lbp2DSamples %d: at most %d are supported", job.samples, SAMPLES_MAX);
    if (!settings->force_2d && !settings->planar)
        ren__log(context, REN_LOG_WARNING, "LBP2D is made of slices, and force2D is not set: features are 3-D");
    job.across = 2 - dimension; /* numpy's order, z first; the axis that takes the place of z is swapped with it */
    job.row = dimension == 1 ? 2 : 1;
    job.column = dimension == 2 ? 2 : 0;
    job.type = ren__pixels_type(image);
    ren__wanted_part(image, roi, settings, &part);
    for (int a = 0; a < 3; a++)
        halo[a] = a == job.across ? 0 : radius < 1e6 ? (int64_t)ceil(radius) + 1 : 1000001;
    ren__widened_part(image, &part, halo, &from);
    REN_CALLOC(offsets, 2 * (size_t)job.samples);
    place_samples(job.samples, radius, offsets, offsets + job.samples);
    job.row_offset = offsets;
    job.column_offset = offsets + job.samples;
    REN_TRY(run_lbp(&job, run, emit, user));
out:
    ren__free(offsets);
    return st;
}
