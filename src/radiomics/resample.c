/* SPDX-License-Identifier: Apache-2.0 */
/* Resampling of regions: the grid, the image on it, and the region's voxels. */
#include "radiomics/resample.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/pixels.h"
#include "radiomics/sampler.h"

enum { ROW_GRAIN = 16 };

/* ------------------------------------------------------------------------------------------------- the grid */

/* As ITK computes it for an index that is no whole number: the origin is added last. */
static void point_of(const ren__frame *frame, const double index[3], double point[3]) {
    for (int r = 0; r < 3; r++) {
        double sum = 0.0;
        for (int c = 0; c < 3; c++)
            sum += frame->to_point[3 * r + c] * index[c];
        point[r] = sum + frame->origin[r];
    }
}

ren_status ren__check_covered(const ren__frame *image, const ren__frame *mask, const ren__labelled *set) {
    const double tolerance = 1e-3;
    double ends[2][3], point[3], index[2][3];
    for (int a = 0; a < 3; a++) {
        ends[0][a] = (double)set->begin[a] - 0.5;
        ends[1][a] = (double)(set->begin[a] + set->shape[a]) - 0.5;
    }
    for (int e = 0; e < 2; e++) {
        point_of(mask, ends[e], point);
        ren__frame_index(image, point, index[e]);
    }
    for (int a = 0; a < 3; a++)
        if (!(fmin(index[0][a], index[1][a]) >= -0.5 - tolerance) ||
            !(fmax(index[0][a], index[1][a]) <= (double)image->shape[a] - 0.5 + tolerance))
            return ren__error(REN_E_DATA, "region %s reaches outside of the image along axis %d", set->name, a);
    return REN_OK;
}

/* Spacing of the new grid: 0 in the setting, and axes along which the region has one slice, keep the mask's. */
static void wanted_spacing(const ren__radiomics_settings *settings, const ren__frame *mask, const ren__labelled *set,
                           double spacing[3]) {
    const int ibsi = settings->mode == REN_RADIOMICS_IBSI;
    for (int a = 0; a < 3; a++) {
        const int keep =
            settings->resampled_spacing[a] == 0.0 || set->shape[a] == 1 || (ibsi && settings->ibsi.in_plane && a == 2);
        spacing[a] = keep ? mask->spacing[a] : settings->resampled_spacing[a];
    }
}

/* numpy's allclose. */
static int same_spacing(const double image[3], const double wanted[3]) {
    for (int a = 0; a < 3; a++)
        if (!(fabs(image[a] - wanted[a]) <= 1e-8 + 1e-5 * fabs(wanted[a]))) return 0;
    return 1;
}

/* padDistance; in IBSI's mode at least what its local intensity peaks read around the region, 6.21 mm. */
static double margin_of(const ren__radiomics_settings *settings, double spacing) {
    const double pad = (double)settings->pad_distance;
    return settings->mode == REN_RADIOMICS_IBSI ? fmax(pad, ceil(6.21 / spacing)) : pad;
}

/* The part of the new grid that covers the region and `pad` voxels around it. PyRadiomics' grid begins at the corner of
 * the mask's first voxel, IBSI's shares the mask's centre. */
static ren_status make_grid(const ren__radiomics_settings *settings, const ren__frame *mask, const ren__labelled *set,
                            const double spacing[3], ren__frame *out) {
    const int centred = settings->mode == REN_RADIOMICS_IBSI && settings->ibsi.grid_at_centre;
    const double most = 2147483647.0;
    double first[3];
    memcpy(out->spacing, spacing, sizeof out->spacing);
    memcpy(out->direction, mask->direction, sizeof out->direction);
    for (int a = 0; a < 3; a++) {
        const double ratio = mask->spacing[a] / spacing[a], size = (double)mask->shape[a];
        const double pad = margin_of(settings, spacing[a]);
        const double corner = 0.5 * (spacing[a] - mask->spacing[a]) / mask->spacing[a];
        const double begin = centred ? 0.5 * (size - 1.0) - 0.5 * (ceil(size * ratio) - 1.0) / ratio : corner;
        const double shift = centred ? begin : 0.0;
        double low = floor(((double)set->begin[a] - 0.5 - shift) * ratio - pad);
        double high = ceil(((double)(set->begin[a] + set->shape[a]) - 0.5 - shift) * ratio + pad);
        low = fmax(low, 0.0);
        high = fmin(high, ceil(size * ratio) - 1.0);
        if (!(high <= most))
            return ren__error(REN_E_DATA, "resampledPixelSpacing gives too many voxels along axis %d", a);
        out->shape[a] = (int64_t)(high - low) + 1;
        if (out->shape[a] < 1) out->shape[a] = 1;
        first[a] = begin + low / ratio;
    }
    point_of(mask, first, out->origin);
    ren__frame_complete(out);
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------ the image */

typedef struct cast_job {
    int32_t type;
    int rounds;
    double lowest, highest; /* of an integer type */
    uint8_t *to;
} cast_job;

/* As a cast in C++: what is stored as an integer is cut off there. */
static void cast_values(void *user, int64_t first, double *values, int64_t count) {
    const cast_job *job = user;
    if (job->rounds) {
        for (int64_t i = 0; i < count; i++)
            values[i] = floor(values[i] + 0.5);
    } else if (job->type != REN_TYPE_F64 && job->type != REN_TYPE_F32) {
        const double lowest = job->lowest, highest = job->highest;
        for (int64_t i = 0; i < count; i++) {
            const double value = values[i] > lowest ? values[i] : lowest; /* a NaN, too */
            values[i] = value < highest ? value : highest;
        }
    }
    ren__pixels_store(job->type, values, count, job->to + (size_t)first * ren__type_size(job->type));
}

/* PyRadiomics keeps the image's type; IBSI keeps the digits, or rounds them. */
static ren_status resample_image(const ren__case *subject, const ren__source *source, const ren__frame *frame,
                                 ren__run *run, ren_volume **out) {
    const ren__radiomics_settings *settings = &subject->settings;
    const int ibsi = settings->mode == REN_RADIOMICS_IBSI;
    cast_job job = { ibsi ? REN_TYPE_F64 : ren__pixels_type(subject->image), ibsi && settings->ibsi.round, 0, 0, NULL };
    ren_volume *image = NULL;
    double affine[16];
    void *voxels = NULL;
    ren__frame_affine(frame, affine);
    ren_status st = ren__volume_allocate_raw(subject->context, job.type, frame->shape, affine, &voxels, &image);
    if (st != REN_OK) return st;
    job.to = voxels;
    job.lowest = ren__pixels_cast(job.type, -INFINITY);
    job.highest = ren__pixels_cast(job.type, INFINITY);
    st = ren__sample(subject->context, source, frame, run, cast_values, &job);
    if (st == REN_OK)
        *out = image;
    else
        ren_volume_free(image);
    return st;
}

/* ----------------------------------------------------------------------------------------------- the labels */

typedef struct label_job {
    const ren__frame *frame, *mask;
    const ren__roi *roi;   /* the region on the mask's grid, for `inside` */
    const int32_t *labels; /* the whole mask, for `out` */
    double threshold;      /* IBSI: share of a voxel; 0: nearest */
    uint8_t *inside;
    int32_t *out;
    ren__support *supports; /* along x: a row for each thread, made anew where the positions change */
    int64_t *columns;       /* of the region's box, the nearest to each; -1: none */
    ren__row_positions *made;
} label_job;

/* Supports along x of one row. On grids along the same axes all rows have the same. */
static const ren__support *row_supports(const label_job *job, const ren__row_positions *positions, int32_t kind,
                                        int32_t thread) {
    const int64_t width = job->frame->shape[0];
    ren__support *supports = job->supports + thread * width;
    ren__row_positions *made = &job->made[thread];
    if (made->count > 0.0 && made->start[0] == positions->start[0] && made->step[0] == positions->step[0])
        return supports;
    *made = *positions;
    for (int64_t i = 0; i < width; i++) {
        ren__support_of(kind, job->mask->shape[0], job->mask->spacing[0], ren__row_position(positions, 0, i),
                        &supports[i]);
        if (!job->roi) continue;
        const int64_t at = supports[i].taps ? supports[i].index[0] - job->roi->begin[0] : -1;
        job->columns[thread * width + i] = at < job->roi->shape[0] ? at : -1;
    }
    return supports;
}

/* A row along the region's rows: one of them, nearest to it, or nothing. */
static void nearest_row(const label_job *job, const int64_t *columns, const ren__support *y, const ren__support *z,
                        uint8_t *out) {
    const ren__roi *roi = job->roi;
    const int64_t width = job->frame->shape[0];
    if (!y->taps || !z->taps) return; /* was zeroed */
    const int64_t j = y->index[0] - roi->begin[1], k = z->index[0] - roi->begin[2];
    if (j < 0 || j >= roi->shape[1] || k < 0 || k >= roi->shape[2]) return;
    const uint8_t *from = roi->inside + (k * roi->shape[1] + j) * roi->shape[0];
    for (int64_t i = 0; i < width; i++)
        out[i] = columns[i] >= 0 ? from[columns[i]] : 0;
}

static int roi_has(const ren__roi *roi, const int64_t index[3]) {
    int64_t at[3];
    for (int a = 0; a < 3; a++) {
        at[a] = index[a] - roi->begin[a];
        if (at[a] < 0 || at[a] >= roi->shape[a]) return 0;
    }
    return roi->inside[(at[2] * roi->shape[1] + at[1]) * roi->shape[0] + at[0]];
}

/* Half a voxel is common: new slices lie in the middle between old ones. Rounding must not decide. */
static const double tie = 1e-9;

/* The region interpolated linearly. */
static double share_inside(const ren__roi *roi, const ren__support *const at[3]) {
    double sum = 0.0;
    for (int corner = 0; corner < 8; corner++) {
        double weight = 1.0;
        int64_t index[3];
        for (int a = 0; a < 3; a++) {
            const int upper = corner >> a & 1;
            weight *= upper ? at[a]->weight[0] : 1.0 - at[a]->weight[0];
            index[a] = at[a]->index[upper];
        }
        if (weight > 0.0 && roi_has(roi, index)) sum += weight;
    }
    return sum;
}

static void label_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const label_job *job = argument;
    const int64_t *shape = job->frame->shape, *size = job->mask->shape;
    const int32_t kind = job->threshold > 0.0 ? REN__INTERPOLATE_LINEAR : REN__INTERPOLATE_NEAREST;
    for (int64_t row = begin; row < end; row++) {
        ren__row_positions positions;
        ren__support across[3];
        const ren__support *at[3] = { NULL, &across[1], &across[2] };
        ren__row_positions_of(job->frame, job->mask, row % shape[1], row / shape[1], &positions);
        const ren__support *along = row_supports(job, &positions, kind, thread);
        if (!job->out && kind == REN__INTERPOLATE_NEAREST && positions.step[1] == 0.0 && positions.step[2] == 0.0) {
            for (int a = 1; a < 3; a++)
                ren__support_of(kind, size[a], job->mask->spacing[a], positions.start[a], &across[a]);
            nearest_row(job, job->columns + thread * shape[0], &across[1], &across[2], job->inside + row * shape[0]);
            continue;
        }
        for (int64_t i = 0; i < shape[0]; i++) {
            const int64_t to = row * shape[0] + i;
            at[0] = &along[i];
            for (int a = 1; a < 3; a++) /* the same for a whole row where the grids are along the same axes */
                if (i == 0 || positions.step[a] != 0.0)
                    ren__support_of(kind, size[a], job->mask->spacing[a], ren__row_position(&positions, a, i),
                                    &across[a]);
            if (!at[0]->taps || !at[1]->taps || !at[2]->taps) {
                if (job->out) job->out[to] = 0;
                continue; /* `inside` was zeroed */
            }
            const int64_t index[3] = { at[0]->index[0], at[1]->index[0], at[2]->index[0] };
            if (job->out)
                job->out[to] = job->labels[(index[2] * size[1] + index[1]) * size[0] + index[0]];
            else if (job->threshold > 0.0)
                job->inside[to] = share_inside(job->roi, at) >= job->threshold - tie;
            else
                job->inside[to] = (uint8_t)roi_has(job->roi, index);
        }
    }
}

static ren_status run_labels(ren_context *context, ren__run *run, label_job *job) {
    ren_status st = REN_OK;
    const int64_t *shape = job->frame->shape;
    REN_CALLOC(job->supports, (size_t)context->threads * (size_t)shape[0]);
    REN_CALLOC(job->columns, (size_t)context->threads * (size_t)shape[0]);
    REN_CALLOC(job->made, (size_t)context->threads);
    ren__parallel_for(context, run, shape[1] * shape[2], ROW_GRAIN, label_rows, job);
    st = ren__run_check(run);
out:
    ren__free(job->supports);
    ren__free(job->columns);
    ren__free(job->made);
    return st;
}

/* The region on another grid, shrunk to its box. */
static ren_status resample_roi(const ren__case *subject, const ren__frame *mask, const ren__frame *frame, int linear,
                               const ren__roi *roi, ren__run *run, ren__roi *out) {
    ren_status st = REN_OK;
    ren_context *context = subject->context;
    const double threshold = subject->settings.ibsi.mask_threshold;
    label_job job = { .frame = frame, .mask = mask, .roi = roi };
    ren__roi result;
    memset(&result, 0, sizeof result);
    if (linear) job.threshold = threshold > 0.0 ? threshold : 0.5;
    memcpy(result.shape, frame->shape, sizeof result.shape);
    REN_CALLOC(result.inside, (size_t)(frame->shape[0] * frame->shape[1] * frame->shape[2]));
    job.inside = result.inside;
    REN_TRY(run_labels(context, run, &job));
    REN_TRY(ren__roi_shrink(context, &result));
    *out = result;
    memset(&result, 0, sizeof result);
out:
    ren__roi_free(&result);
    return st;
}

ren_status ren__resample_mask(const ren_volume *mask, const ren__frame *frame, ren__run *run, ren_volume **out) {
    static const int64_t origin[3] = { 0, 0, 0 };
    ren_status st = REN_OK;
    ren_context *context = mask->context;
    ren__frame from;
    label_job job = { .frame = frame, .mask = &from };
    ren_volume *result = NULL;
    double affine[16];
    void *voxels = NULL;
    int32_t *labels = NULL;
    ren__frame_of(mask, &from);
    ren__frame_affine(frame, affine);
    labels = ren__alloc_array(context, (size_t)(from.shape[0] * from.shape[1] * from.shape[2]), sizeof *labels);
    if (!labels) return ren__out_of_memory();
    REN_TRY(ren__volume_box_labels(mask, origin, mask->shape, run, labels));
    REN_TRY(ren__volume_allocate_raw(context, REN_TYPE_I32, frame->shape, affine, &voxels, &result));
    job.labels = labels;
    job.out = voxels;
    REN_TRY(run_labels(context, run, &job));
    *out = result;
    result = NULL;
out:
    ren__free(labels);
    ren_volume_free(result);
    return st;
}

/* ----------------------------------------------------------------------------------------------- the region */

/* The image has the wanted spacing: the region alone is brought to its grid, and the image is cropped. */
static ren_status crop_only(const ren__case *subject, const ren__frame *image, const ren__frame *mask, ren__run *run,
                            ren__prepared *prepared) {
    int64_t begin[3], shape[3];
    ren__roi *roi = &prepared->roi;
    ren_status st = REN_OK;
    if (ren__frame_equal(image, mask))
        *roi = prepared->original_roi;
    else
        st = resample_roi(subject, mask, image, 0, &prepared->original_roi, run, roi);
    if (st != REN_OK) return st;
    prepared->interpolated_roi = *roi;
    if (!roi->count) {
        prepared->image = ren__volume_retain(subject->image);
        return REN_OK;
    }
    for (int a = 0; a < 3; a++) {
        const int64_t pad = (int64_t)margin_of(&subject->settings, image->spacing[a]);
        const int64_t end = roi->begin[a] + roi->shape[a] + pad;
        begin[a] = roi->begin[a] > pad ? roi->begin[a] - pad : 0;
        shape[a] = (end < image->shape[a] ? end : image->shape[a]) - begin[a];
    }
    for (int a = 0; a < 3; a++)
        prepared->interpolated_roi.begin[a] = roi->begin[a] -= begin[a];
    return ren__volume_part(subject->image, begin, shape, &prepared->image);
}

/* --------------------------------------------------------------------------- one filter for several regions */

/* What sets take of the image, and what it costs to filter that: voxels with the halo. */
typedef struct needs {
    int64_t begin[3], end[3];
    double most, sum;
    int32_t count;
} needs;

static double filter_cost(const ren__frame *image, const int64_t begin[3], const int64_t shape[3]) {
    int64_t at[3] = { begin[0], begin[1], begin[2] }, size[3] = { shape[0], shape[1], shape[2] };
    ren__source_widen(image, REN__INTERPOLATE_BSPLINE, at, size);
    return (double)size[0] * (double)size[1] * (double)size[2];
}

static void add_needs(const ren__frame *image, const int64_t begin[3], const int64_t shape[3], needs *all) {
    const double cost = filter_cost(image, begin, shape);
    for (int a = 0; a < 3; a++) {
        if (!all->count || begin[a] < all->begin[a]) all->begin[a] = begin[a];
        if (!all->count || begin[a] + shape[a] > all->end[a]) all->end[a] = begin[a] + shape[a];
    }
    all->most = fmax(all->most, cost);
    all->sum += cost;
    all->count++;
}

/* Whether the box of all sets is filtered at once: where that is less work than a box for each, and at most three times
 * the memory of the largest. */
static ren_status decide_sharing(ren__case *subject, const ren__frame *image, const ren__frame *mask, ren__run *run) {
    const ren__radiomics_settings *settings = &subject->settings;
    needs all = { .count = 0 };
    int64_t begin[3], shape[3];
    subject->sharing_decided = 1;
    if (settings->interpolator != REN__INTERPOLATE_BSPLINE) return REN_OK;
    for (int32_t s = 0; s < subject->set_count; s++) {
        const ren__labelled *set = &subject->sets[s];
        double spacing[3];
        ren__frame frame;
        if (!set->count || ren__check_covered(image, mask, set) != REN_OK) continue;
        wanted_spacing(settings, mask, set, spacing);
        if (same_spacing(image->spacing, spacing) || make_grid(settings, mask, set, spacing, &frame) != REN_OK)
            continue;
        if (ren__source_box(image, &frame, settings->interpolator, begin, shape)) add_needs(image, begin, shape, &all);
    }
    if (all.count < 2) return REN_OK;
    for (int a = 0; a < 3; a++)
        shape[a] = all.end[a] - all.begin[a];
    const double cost = filter_cost(image, all.begin, shape);
    if (cost > all.sum || cost > 3.0 * all.most) return REN_OK;
    subject->shared_left = all.count;
    return ren__source_create(subject->image, settings->interpolator, all.begin, shape, run, &subject->shared);
}

static int covers(const ren__source *source, const int64_t begin[3], const int64_t shape[3]) {
    for (int a = 0; a < 3; a++)
        if (!source->values || begin[a] < source->begin[a] || begin[a] + shape[a] > source->begin[a] + source->shape[a])
            return 0;
    return 1;
}

/* The set's image, from what the sets share or from its own. */
static ren_status sample_image(ren__case *subject, const ren__frame *image, const ren__frame *mask,
                               const ren__frame *frame, ren__run *run, ren_volume **out) {
    const int32_t interpolator = subject->settings.interpolator;
    int64_t begin[3], shape[3];
    ren__source own;
    ren_status st = subject->sharing_decided ? REN_OK : decide_sharing(subject, image, mask, run);
    if (st != REN_OK) return st;
    if (ren__source_box(image, frame, interpolator, begin, shape) && covers(&subject->shared, begin, shape)) {
        st = resample_image(subject, &subject->shared, frame, run, out);
        if (--subject->shared_left <= 0) ren__source_free(&subject->shared);
        return st;
    }
    st = ren__source_create(subject->image, interpolator, begin, shape, run, &own);
    if (st == REN_OK) st = resample_image(subject, &own, frame, run, out);
    ren__source_free(&own);
    return st;
}

ren_status ren__resample_region(ren__case *subject, const ren__labelled *set, ren__run *run, ren__prepared *prepared) {
    const ren__radiomics_settings *settings = &subject->settings;
    ren__frame image, mask, frame;
    double spacing[3];
    ren__frame_of(subject->image, &image);
    ren__frame_of(subject->mask, &mask);
    ren_status st = ren__check_covered(&image, &mask, set);
    if (st != REN_OK) return st;
    wanted_spacing(settings, &mask, set, spacing);
    if (same_spacing(image.spacing, spacing)) return crop_only(subject, &image, &mask, run, prepared);
    st = make_grid(settings, &mask, set, spacing, &frame);
    if (st != REN_OK) return st;
    st = resample_roi(subject, &mask, &frame, settings->mode == REN_RADIOMICS_IBSI, &prepared->original_roi, run,
                      &prepared->roi);
    if (st != REN_OK) return st;
    prepared->interpolated_roi = prepared->roi;
    return sample_image(subject, &image, &mask, &frame, run, &prepared->image);
}
