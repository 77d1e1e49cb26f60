/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling in millimetres, box by box, and resizing. */
#include "volume/resample.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "volume/geometry.h"

/* Voxels of a slab's largest intermediate: 64 MB of floats. */
enum { SLAB_VOXELS = 1 << 24, HALO = 16, ROW_WORK = 65536 };

static const double longest_axis = 1e9;

ren_status ren__grid_create(const ren_volume *volume, const double spacing[3], ren__grid *out) {
    static const double origin[3] = { 0.0, 0.0, 0.0 };
    double old[3];
    ren__affine_spacing(volume->affine, old);
    for (int a = 0; a < 3; a++) {
        if (!(spacing[a] > 0.0) || !isfinite(spacing[a]))
            return ren__error(REN_E_INVALID, "the new spacing along axis %d must be positive and finite", a);
        const double count = ceil((double)volume->shape[a] * old[a] / spacing[a] - 1e-4);
        if (!(count <= longest_axis))
            return ren__error(REN_E_INVALID, "the new spacing along axis %d gives more than a thousand million voxels",
                              a);
        out->shape[a] = count < 1.0 ? 1 : (int64_t)count;
        out->step[a] = spacing[a] / old[a];
    }
    ren__affine_rescale(volume->affine, origin, out->step, out->affine);
    return REN_OK;
}

ren_status ren__resampler_create(const ren_volume *volume, const ren__grid *grid, int32_t interpolation,
                                 ren__resampler *out) {
    memset(out, 0, sizeof *out);
    out->volume = volume;
    out->interpolation = interpolation;
    out->grid = *grid;
    for (int a = 0; a < 3; a++) {
        const ren_status st = (interpolation == REN_CUBIC ? ren__axis_cubic : ren__axis_linear)(
            volume->context, volume->shape[a], grid->shape[a], 0.0, grid->step[a], &out->axis[a]);
        if (st == REN_OK) continue;
        ren__resampler_free(out);
        return st;
    }
    return REN_OK;
}

void ren__resampler_free(ren__resampler *resampler) {
    for (int a = 0; a < 3; a++)
        ren__axis_free(&resampler->axis[a]);
}

typedef struct replace_job {
    float *values;
    float replacement;
} replace_job;

static void replace_range(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const replace_job *job = argument;
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        if (!isfinite(job->values[i])) job->values[i] = job->replacement;
}

/* Voxels, or spline coefficients, of a box of the volume. */
static ren_status load_source(const ren__resampler *resampler, const int64_t begin[3], const int64_t shape[3],
                              ren__run *run, float *values) {
    const ren_volume *volume = resampler->volume;
    ren_status st = ren__volume_box_f32(volume, begin, shape, run, values);
    if (st != REN_OK) return st;
    if (resampler->replacement && volume->type >= REN_TYPE_F32) {
        replace_job job = { values, *resampler->replacement };
        ren__parallel_for(volume->context, run, shape[0] * shape[1] * shape[2], ROW_WORK, replace_range, &job);
        st = ren__run_check(run);
        if (st != REN_OK) return st;
    }
    return resampler->interpolation == REN_CUBIC ? ren__spline_filter(volume->context, run, values, shape) : REN_OK;
}

static void source_box(const ren__resampler *resampler, const ren__part part[3], int64_t begin[3], int64_t shape[3]) {
    const int64_t halo = resampler->interpolation == REN_CUBIC ? HALO : 0;
    for (int a = 0; a < 3; a++) {
        const ren__part needed = ren__axis_needs(&resampler->axis[a], part[a]);
        const int64_t inputs = resampler->axis[a].inputs;
        begin[a] = needed.begin > halo ? needed.begin - halo : 0;
        const int64_t end = needed.begin + needed.count + halo;
        shape[a] = (end < inputs ? end : inputs) - begin[a];
    }
}

static ren_status allocate_box(ren_context *context, const int64_t shape[3], float **out) {
    size_t count = sizeof **out;
    for (int a = 0; a < 3; a++)
        if (!ren__mul_size(count, (size_t)shape[a], &count))
            return ren__error(REN_E_INVALID, "a resampled volume would have too many voxels");
    *out = ren__alloc(context, count);
    return *out ? REN_OK : ren__out_of_memory();
}

static ren_status resample_slab(const ren__resampler *resampler, const ren__part part[3], ren__run *run,
                                float *values) {
    ren_status st = REN_OK;
    ren_context *context = resampler->volume->context;
    int64_t begin[3], shape[3];
    float *from = NULL, *to = NULL;
    source_box(resampler, part, begin, shape);
    REN_TRY(allocate_box(context, shape, &from));
    REN_TRY(load_source(resampler, begin, shape, run, from));
    for (int a = 0; a < 3; a++) {
        int64_t next[3] = { shape[0], shape[1], shape[2] };
        next[a] = part[a].count;
        if (a < 2) REN_TRY(allocate_box(context, next, &to));
        REN_TRY(
            ren__axis_apply(context, run, &resampler->axis[a], a, from, shape, begin[a], part[a], a < 2 ? to : values));
        shape[a] = next[a];
        ren__free(from);
        from = to;
        to = NULL;
    }
out:
    ren__free(from);
    ren__free(to);
    return st;
}

/* Planes of the result that are made at once: few enough for the memory, many enough for the halo to be small. */
static int64_t slab_planes(const ren__resampler *resampler, const ren__part part[3]) {
    int64_t begin[3], shape[3];
    source_box(resampler, part, begin, shape);
    const double x = (double)(shape[0] > part[0].count ? shape[0] : part[0].count);
    const double y = (double)(shape[1] > part[1].count ? shape[1] : part[1].count);
    const double slabs = ceil(x * y * (double)shape[2] / SLAB_VOXELS);
    const int64_t planes = (int64_t)ceil((double)part[2].count / slabs);
    return planes > 1 ? planes : 1;
}

ren_status ren__resample_box(const ren__resampler *resampler, const ren__part part[3], ren__run *run, float *values) {
    ren_status st = REN_OK;
    if (!part[0].count || !part[1].count || !part[2].count) return REN_OK;
    const int64_t planes = slab_planes(resampler, part), plane = part[0].count * part[1].count;
    for (int64_t at = 0; at < part[2].count && st == REN_OK; at += planes) {
        const int64_t count = part[2].count - at < planes ? part[2].count - at : planes;
        const ren__part slab[3] = { part[0], part[1], { part[2].begin + at, count } };
        st = resample_slab(resampler, slab, run, values + at * plane);
        if (st == REN_OK) st = ren__run_progress(run, "resample", (double)(at + count) / (double)part[2].count);
    }
    return st;
}

typedef struct pick_job {
    const ren_volume *volume;
    const int64_t *index[3];
    uint8_t *out;
    int64_t shape[3];
    size_t element;
} pick_job;

static void pick_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const pick_job *job = argument;
    const ren_volume *volume = job->volume;
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const uint8_t *from = volume->data + job->index[1][row % job->shape[1]] * volume->strides[1] +
                              job->index[2][row / job->shape[1]] * volume->strides[2];
        uint8_t *to = job->out + (size_t)(row * job->shape[0]) * job->element;
        for (int64_t i = 0; i < job->shape[0]; i++)
            memcpy(to + (size_t)i * job->element, from + job->index[0][i] * volume->strides[0], job->element);
    }
}

static ren_status resample_nearest(const ren_volume *volume, const ren__grid *grid, ren__run *run, ren_volume **out) {
    ren_status st = REN_OK;
    ren_context *context = volume->context;
    int64_t *index[3] = { NULL, NULL, NULL };
    ren_volume *result = NULL;
    void *voxels = NULL;
    for (int a = 0; a < 3; a++) {
        REN_ALLOC(index[a], (size_t)grid->shape[a] * sizeof *index[a]);
        for (int64_t i = 0; i < grid->shape[a]; i++)
            index[a][i] = ren__nearest_index(volume->shape[a], grid->step[a] * (double)i);
    }
    REN_TRY(ren__volume_allocate_raw(context, volume->type, grid->shape, grid->affine, &voxels, &result));
    pick_job job = { volume, { index[0], index[1], index[2] }, voxels, { 0, 0, 0 }, ren__type_size(volume->type) };
    memcpy(job.shape, grid->shape, sizeof job.shape);
    ren__parallel_for(context, run, job.shape[1] * job.shape[2], ROW_WORK / job.shape[0] + 1, pick_rows, &job);
    REN_TRY(ren__run_check(run));
    result->slope = volume->slope;
    result->intercept = volume->intercept;
    result->rescaled = volume->rescaled;
    *out = result;
    result = NULL;
out:
    ren_volume_free(result);
    for (int a = 0; a < 3; a++)
        ren__free(index[a]);
    return st;
}

typedef struct finite_job {
    const ren_volume *volume;
    atomic_int found;
} finite_job;

static void find_not_finite(void *argument, int64_t begin, int64_t end, int32_t thread) {
    finite_job *job = argument;
    const ren_volume *volume = job->volume;
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const uint8_t *from =
            volume->data + row % volume->shape[1] * volume->strides[1] + row / volume->shape[1] * volume->strides[2];
        for (int64_t i = 0; i < volume->shape[0]; i++, from += volume->strides[0]) {
            double value;
            float single;
            if (volume->type == REN_TYPE_F64) {
                memcpy(&value, from, sizeof value);
            } else {
                memcpy(&single, from, sizeof single);
                value = (double)single;
            }
            if (!isfinite(value)) atomic_store_explicit(&job->found, 1, memory_order_relaxed);
        }
    }
}

/* A spline would spread one such voxel over its whole neighbourhood. */
static ren_status refuse_not_finite(const ren_volume *volume, ren__run *run) {
    finite_job job = { volume, 0 };
    if (volume->type < REN_TYPE_F32) return REN_OK;
    ren__parallel_for(volume->context, run, volume->shape[1] * volume->shape[2], ROW_WORK / volume->shape[0] + 1,
                      find_not_finite, &job);
    const ren_status st = ren__run_check(run);
    if (st != REN_OK || !atomic_load(&job.found)) return st;
    return ren__error(REN_E_DATA,
                      "the volume holds NaN or infinite voxels, which a spline would spread: replace them, or "
                      "resample linearly");
}

static ren_status resample(const ren_volume *volume, const double spacing[3], int32_t interpolation, ren__run *run,
                           ren_volume **out) {
    ren_status st = REN_OK;
    ren__grid grid;
    ren__resampler resampler;
    ren_volume *result = NULL;
    void *voxels = NULL;
    memset(&resampler, 0, sizeof resampler);
    REN_TRY(ren__grid_create(volume, spacing, &grid));
    if (interpolation == REN_NEAREST) {
        REN_TRY(resample_nearest(volume, &grid, run, &result));
    } else {
        if (interpolation == REN_CUBIC) REN_TRY(refuse_not_finite(volume, run));
        REN_TRY(ren__resampler_create(volume, &grid, interpolation, &resampler));
        REN_TRY(ren__volume_allocate_raw(volume->context, REN_TYPE_F32, grid.shape, grid.affine, &voxels, &result));
        const ren__part all[3] = { { 0, grid.shape[0] }, { 0, grid.shape[1] }, { 0, grid.shape[2] } };
        REN_TRY(ren__resample_box(&resampler, all, run, voxels));
    }
    result->unit_unknown = volume->unit_unknown;
    *out = result;
    result = NULL;
out:
    ren_volume_free(result);
    ren__resampler_free(&resampler);
    return st;
}

ren_status ren_volume_resample(const ren_volume *volume, const double spacing[3], int32_t interpolation,
                               const ren_run_options *options, ren_volume **out) {
    ren__run run;
    REN_REQUIRE(out);
    *out = NULL;
    REN_REQUIRE(volume && spacing);
    REN_REQUIRE(interpolation == REN_NEAREST || interpolation == REN_LINEAR || interpolation == REN_CUBIC);
    const ren_status st = ren__run_begin(&run, volume->context, options);
    if (st != REN_OK) return st;
    return ren__run_end(&run, resample(volume, spacing, interpolation, &run, out));
}

ren_status ren__resize(ren_context *context, ren__run *run, int32_t kind, const float *values, const int64_t shape[3],
                       float *out, const int64_t out_shape[3]) {
    ren_status st = REN_OK;
    int64_t now[3] = { shape[0], shape[1], shape[2] };
    const float *from = values;
    float *step[2] = { NULL, NULL };
    ren__axis axis;
    memset(&axis, 0, sizeof axis);
    for (int a = 0; a < 3; a++) {
        const double scale = (double)shape[a] / (double)out_shape[a];
        if (kind == REN__RESIZE_AREA)
            REN_TRY(ren__axis_area(context, shape[a], out_shape[a], &axis));
        else
            REN_TRY(ren__axis_linear(context, shape[a], out_shape[a], 0.5 * scale - 0.5, scale, &axis));
        const ren__part all = { 0, out_shape[a] };
        int64_t next[3] = { now[0], now[1], now[2] };
        next[a] = out_shape[a];
        if (a < 2) REN_TRY(allocate_box(context, next, &step[a]));
        REN_TRY(ren__axis_apply(context, run, &axis, a, from, now, 0, all, a < 2 ? step[a] : out));
        from = step[a < 2 ? a : 1];
        now[a] = next[a];
        ren__axis_free(&axis);
    }
out:
    ren__axis_free(&axis);
    ren__free(step[0]);
    ren__free(step[1]);
    return st;
}
