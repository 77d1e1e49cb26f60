/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local binary patterns on a sphere around each voxel of the region, described by the energy of their spherical
 * harmonics, degree by degree (Banerjee et al., ACCV 2012 workshops), and the kurtosis of the values on the sphere.
 * Sampling is scipy's cubic map_coordinates: 0 outside of the image, samples of the image's own type. As in
 * PyRadiomics the sphere's x, y, z are added to z, y, x, and the angles' roles are exchanged.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/filters.h"
#include "radiomics/pixels.h"
#include "radiomics/sampler.h"
#include "radiomics/sphere.h"

enum { HALO = 64, ROW_GRAIN = 4, LEVELS_MAX = 32, PAIRWISE_BLOCK = 128 };

typedef struct lbp_job {
    const ren_volume *image;
    const ren__roi *roi;
    const double *values; /* of roi's box */
    const double *spline; /* coefficients of `from` */
    ren__part3 from;
    ren__sphere sphere;
    const double *harmonics; /* [point][harmonic][real, imaginary] */
    int32_t levels, harmonic_count, type;
    double *scratch; /* for each thread */
    size_t scratch_count;
    ren__part3 part; /* of the images: roi's box and a margin, 0 outside of the region */
    double *out;     /* levels + 1 images of `part` */
} lbp_job;

/* Cubic weights of scipy's map_coordinates, and where its four coefficients lie; 0 where the position is outside. */
typedef struct taps {
    double weight[4];
    int64_t index[4];
} taps;

static int taps_of(double position, int64_t size, taps *out) {
    if (position < 0.0 || position > (double)(size - 1)) return 0;
    const double low = floor(position), y = position - low, z = 1.0 - y;
    out->weight[1] = (y * y * (y - 2.0) * 3.0 + 4.0) / 6.0;
    out->weight[2] = (z * z * (z - 2.0) * 3.0 + 4.0) / 6.0;
    out->weight[0] = z * z * z / 6.0;
    out->weight[3] = 1.0 - out->weight[0] - out->weight[1] - out->weight[2];
    for (int k = 0; k < 4; k++) {
        int64_t index = (int64_t)low - 1 + k;
        if (size == 1) {
            index = 0;
        } else {
            const int64_t period = 2 * (size - 1);
            index = (index % period + period) % period;
            if (index >= size) index = period - index;
        }
        out->index[k] = index;
    }
    return 1;
}

/* ndimage's cast to the output's type: integers are rounded, halves away from zero, and clamped. */
static double round_to(int32_t type, double value) {
    if (type == REN_TYPE_F64) return value;
    if (type == REN_TYPE_F32) return (double)(float)value;
    return ren__pixels_cast(type, value > 0.0 ? value + 0.5 : value - 0.5);
}

static double sample(const lbp_job *job, const int64_t at[3], const double point[3]) {
    const int64_t *shape = job->from.shape, *begin = job->from.begin;
    taps along[3];
    double sum = 0.0;
    for (int a = 0; a < 3; a++)
        if (!taps_of((double)at[a] + point[2 - a], job->image->shape[a], &along[a])) return 0.0;
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++) {
            const double *row = job->spline +
                                ((along[2].index[k] - begin[2]) * shape[1] + along[1].index[j] - begin[1]) * shape[0] -
                                begin[0];
            for (int i = 0; i < 4; i++)
                sum += row[along[0].index[i]] * along[2].weight[k] * along[1].weight[j] * along[0].weight[i];
        }
    return round_to(job->type, sum);
}

/* ------------------------------------------------------------------------------------------- one voxel's numbers */

/* Means as numpy takes them, pair by pair, in the samples' type. */
#define DEFINE_KURTOSIS(type, epsilon)                                                                                 \
    static type sum_##type(const type *values, int32_t count) {                                                        \
        type sums[8], sum = 0;                                                                                         \
        int32_t i = 0;                                                                                                 \
        if (count > PAIRWISE_BLOCK) {                                                                                  \
            const int32_t half = count / 2 - count / 2 % 8;                                                            \
            return sum_##type(values, half) + sum_##type(values + half, count - half);                                 \
        }                                                                                                              \
        if (count >= 8) {                                                                                              \
            for (; i < 8; i++)                                                                                         \
                sums[i] = values[i];                                                                                   \
            for (; i < count - count % 8; i += 8)                                                                      \
                for (int k = 0; k < 8; k++)                                                                            \
                    sums[k] += values[i + k];                                                                          \
            sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));           \
        }                                                                                                              \
        for (; i < count; i++)                                                                                         \
            sum += values[i];                                                                                          \
        return sum;                                                                                                    \
    }                                                                                                                  \
    static type mean_##type(const type *values, int32_t count) {                                                       \
        return sum_##type(values, count) / (type)count;                                                                \
    }                                                                                                                  \
    static double kurtosis_##type(const double *samples, int32_t count, type *work) {                                  \
        for (int32_t i = 0; i < count; i++)                                                                            \
            work[i] = (type)samples[i];                                                                                \
        const type mean = mean_##type(work, count), least = (type)(epsilon)*mean;                                      \
        for (int32_t i = 0; i < count; i++)                                                                            \
            work[i] = (work[i] - mean) * (work[i] - mean);                                                             \
        const type second = mean_##type(work, count);                                                                  \
        for (int32_t i = 0; i < count; i++)                                                                            \
            work[i] *= work[i];                                                                                        \
        const type fourth = mean_##type(work, count);                                                                  \
        if (second <= least * least) return NAN;                                                                       \
        return (double)(fourth / (second * second) - 3);                                                               \
    }

DEFINE_KURTOSIS(double, 2.220446049250313e-16)
DEFINE_KURTOSIS(float, 1.1920929e-07F)

/* Real part of the square root of the sum over points of (sum over m of c x Y) squared. */
static double energy(const lbp_job *job, const double *coefficients, int32_t level) {
    const int64_t first = (int64_t)level * level;
    const int32_t count = 2 * level + 1;
    double real = 0.0, imaginary = 0.0;
    for (int32_t p = 0; p < job->sphere.count; p++) {
        const double *y = job->harmonics + 2 * ((int64_t)p * job->harmonic_count + first);
        const double *c = coefficients + 2 * first;
        double x = 0.0, i = 0.0;
        for (int32_t h = 0; h < count; h++, y += 2, c += 2) {
            x += c[0] * y[0] - c[1] * y[1];
            i += c[0] * y[1] + c[1] * y[0];
        }
        real += x * x - i * i;
        imaginary += 2.0 * x * i;
    }
    const double length = hypot(real, imaginary);
    if (real >= 0.0) return sqrt((length + real) / 2.0);
    return length > 0.0 ? fabs(imaginary) / sqrt(2.0 * (length - real)) : 0.0;
}

static int64_t voxels_of(const ren__part3 *part) {
    return part->shape[0] * part->shape[1] * part->shape[2];
}

/* `to`: the voxel's place in the images. */
static void describe(const lbp_job *job, double centre, double *samples, double *work, int64_t to) {
    const int64_t voxels = voxels_of(&job->part);
    const int32_t points = job->sphere.count;
    double *coefficients = work + points;
    job->out[job->levels * voxels + to] = job->type == REN_TYPE_F32
                                              ? kurtosis_float(samples, points, (float *)(void *)work)
                                              : kurtosis_double(samples, points, work);
    memset(coefficients, 0, 2 * (size_t)job->harmonic_count * sizeof *coefficients);
    for (int32_t p = 0; p < points; p++) {
        const double *y = job->harmonics + 2 * (int64_t)p * job->harmonic_count;
        if (!(samples[p] >= centre)) continue;
        for (int32_t h = 0; h < 2 * job->harmonic_count; h++)
            coefficients[h] += y[h];
    }
    for (int32_t level = 0; level < job->levels; level++)
        job->out[level * voxels + to] = energy(job, coefficients, level);
}

static void lbp_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const lbp_job *job = argument;
    const int64_t *shape = job->roi->shape, *first = job->roi->begin;
    double *samples = job->scratch + (size_t)thread * job->scratch_count;
    for (int64_t row = begin; row < end; row++)
        for (int64_t i = 0; i < shape[0]; i++) {
            const int64_t from = row * shape[0] + i, *corner = job->part.begin, *size = job->part.shape;
            const int64_t at[3] = { first[0] + i, first[1] + row % shape[1], first[2] + row / shape[1] };
            if (!job->roi->inside[from]) continue;
            for (int32_t p = 0; p < job->sphere.count; p++)
                samples[p] = sample(job, at, job->sphere.points[p]);
            describe(job, job->values[from], samples, samples + job->sphere.count,
                     ((at[2] - corner[2]) * size[1] + at[1] - corner[1]) * size[0] + at[0] - corner[0]);
        }
}

/* ---------------------------------------------------------------------------------------------- the type */

static ren_status make_harmonics(ren_context *context, const lbp_job *job, double radius, double **out) {
    double *values =
        ren__alloc_array(context, (size_t)job->sphere.count * (size_t)job->harmonic_count, 2 * sizeof *values);
    if (!values) return ren__out_of_memory();
    *out = values;
    for (int32_t p = 0; p < job->sphere.count; p++) {
        const double *point = job->sphere.points[p];
        const double ratio = fmax(-1.0, fmin(1.0, point[2] / radius));
        for (int32_t n = 0; n < job->levels; n++)
            for (int32_t m = -n; m <= n; m++, values += 2)
                ren__harmonic(m, n, acos(ratio), atan2(point[1], point[0]), values);
    }
    return REN_OK;
}

static ren_status make_spline(lbp_job *job, double radius, ren__run *run, double **out) {
    ren_context *context = job->image->context;
    const double reach = ceil(radius) + 3.0;
    int64_t halo[3];
    ren__part3 box;
    double *values;
    for (int a = 0; a < 3; a++)
        halo[a] = reach < (double)job->image->shape[a] ? (int64_t)reach + HALO : job->image->shape[a];
    memcpy(box.begin, job->roi->begin, sizeof box.begin);
    memcpy(box.shape, job->roi->shape, sizeof box.shape);
    ren__widened_part(job->image, &box, halo, &job->from);
    values = ren__alloc_array(context, (size_t)(job->from.shape[0] * job->from.shape[1] * job->from.shape[2]),
                              sizeof *values);
    if (!values) return ren__out_of_memory();
    *out = values;
    const ren_status st = ren__pixels_read(job->image, job->from.begin, job->from.shape, run, values);
    return st == REN_OK ? ren__prefilter(context, run, REN__PREFILTER_SCIPY, values, job->from.shape) : st;
}

static ren_status emit_all(const lbp_job *job, ren__emit_fn emit, void *user) {
    ren_status st = REN_OK;
    char name[32];
    for (int32_t level = 0; level <= job->levels && st == REN_OK; level++) {
        if (level < job->levels)
            snprintf(name, sizeof name, "lbp-3D-m%d", level + 1);
        else
            snprintf(name, sizeof name, "lbp-3D-k");
        st = ren__emit_doubles(job->image, REN_TYPE_F64, job->out + level * voxels_of(&job->part), &job->part,
                               &job->part, name, emit, user);
    }
    return st;
}

REN__DERIVE(ren__derive_lbp3d) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    const double radius = settings->lbp3d_icosphere_radius;
    lbp_job job = { .image = image, .roi = roi, .levels = settings->lbp3d_levels, .type = ren__pixels_type(image) };
    double *values = NULL, *spline = NULL, *harmonics = NULL;
    const size_t voxels = (size_t)(roi->shape[0] * roi->shape[1] * roi->shape[2]);
    if (settings->planar) {
        ren__log(context, REN_LOG_WARNING, "no LBP3D images: the image has two dimensions");
        return REN_OK;
    }
    if (job.levels > LEVELS_MAX)
        return ren__error(REN_E_UNSUPPORTED, "lbp3DLevels %d: at most %d are supported", job.levels, LEVELS_MAX);
    if (settings->force_2d)
        ren__log(context, REN_LOG_WARNING, "LBP3D samples in space, and force2D is set: features are 2-D");
    job.harmonic_count = job.levels * job.levels;
    REN_TRY(ren__sphere_create(context, settings->lbp3d_icosphere_subdivision, radius, &job.sphere));
    REN_TRY(make_harmonics(context, &job, radius, &harmonics));
    REN_TRY(make_spline(&job, radius, run, &spline));
    REN_ALLOC(values, voxels * sizeof *values);
    REN_TRY(ren__pixels_read(image, roi->begin, roi->shape, run, values));
    ren__wanted_part(image, roi, settings, &job.part);
    REN_CALLOC(job.out, (size_t)voxels_of(&job.part) * ((size_t)job.levels + 1));
    job.scratch_count = 2 * (size_t)job.sphere.count + 2 * (size_t)job.harmonic_count;
    REN_CALLOC(job.scratch, (size_t)context->threads * job.scratch_count);
    job.values = values;
    job.spline = spline;
    job.harmonics = harmonics;
    ren__parallel_for(context, run, roi->shape[1] * roi->shape[2], ROW_GRAIN, lbp_rows, &job);
    REN_TRY(ren__run_check(run));
    REN_TRY(emit_all(&job, emit, user));
out:
    ren__free(values);
    ren__free(spline);
    ren__free(harmonics);
    ren__free(job.out);
    ren__free(job.scratch);
    ren__sphere_free(&job.sphere);
    return st;
}
