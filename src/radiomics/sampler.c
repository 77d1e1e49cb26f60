/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling of an image on another grid: ITK's interpolators, row by row. */
#include "radiomics/sampler.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/pixels.h"

enum { SPLINE_HALO = 64, ROW_GRAIN = 16, DISTINCT_MAX = 64, SIDE = 8 };

void ren__row_positions_of(const ren__frame *frame, const ren__frame *in, int64_t j, int64_t k,
                           ren__row_positions *out) {
    const double first[3] = { 0.0, (double)j, (double)k };
    const double last[3] = { (double)frame->shape[0], (double)j, (double)k };
    double point[3], end[3];
    ren__frame_point(frame, first, point);
    ren__frame_index(in, point, out->start);
    ren__frame_point(frame, last, point);
    ren__frame_index(in, point, end);
    for (int a = 0; a < 3; a++)
        out->step[a] = end[a] - out->start[a];
    out->count = (double)frame->shape[0];
}

double ren__row_position(const ren__row_positions *row, int axis, int64_t i) {
    return row->start[axis] + (double)i / row->count * row->step[axis];
}

/* ------------------------------------------------------------------------------------- one sample at a time */

typedef struct source {
    const double *values; /* voxels or coefficients of a box */
    int64_t begin[3], shape[3];
    int32_t interpolator;
} source;

static double value_at(const source *from, int64_t x, int64_t y, int64_t z) {
    return from
        ->values[((z - from->begin[2]) * from->shape[1] + y - from->begin[1]) * from->shape[0] + x - from->begin[0]];
}

static double between(double a, double b, double share) {
    return share > 0.0 ? a + (b - a) * share : a;
}

static double linear(const source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    double plane[2], row[2];
    for (int k = 0; k < 2; k++) {
        for (int j = 0; j < 2; j++)
            row[j] = between(value_at(from, x->index[0], y->index[j], z->index[k]),
                             value_at(from, x->index[1], y->index[j], z->index[k]), x->weight[0]);
        plane[k] = between(row[0], row[1], y->weight[0]);
    }
    return between(plane[0], plane[1], z->weight[0]);
}

static double spline(const source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    double sum = 0.0;
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++)
            for (int i = 0; i < 4; i++)
                sum +=
                    x->weight[i] * y->weight[j] * z->weight[k] * value_at(from, x->index[i], y->index[j], z->index[k]);
    return sum;
}

static double windowed(const source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    double sum = 0.0;
    for (int k = 0; k < z->taps; k++)
        for (int j = 0; j < y->taps; j++)
            for (int i = 0; i < x->taps; i++)
                sum +=
                    value_at(from, x->index[i], y->index[j], z->index[k]) * x->weight[i] * y->weight[j] * z->weight[k];
    return sum;
}

static double gaussian(const source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    double sum = 0.0, weights = 0.0;
    for (int k = 0; k < z->taps; k++)
        for (int j = 0; j < y->taps; j++)
            for (int i = 0; i < x->taps; i++) {
                const double weight = x->weight[i] * y->weight[j] * z->weight[k];
                sum += value_at(from, x->index[i], y->index[j], z->index[k]) * weight;
                weights += weight;
            }
    return sum / weights;
}

/* The value with the greatest sum of weights. Its support is at most 3 voxels wide: 27 values. */
static double label_gaussian(const source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    double labels[DISTINCT_MAX], sums[DISTINCT_MAX], most = 0.0, best = 0.0;
    int count = 0;
    for (int k = 0; k < z->taps; k++)
        for (int j = 0; j < y->taps; j++)
            for (int i = 0; i < x->taps; i++) {
                const double label = value_at(from, x->index[i], y->index[j], z->index[k]);
                int at = 0;
                while (at < count && labels[at] != label)
                    at++;
                if (at == DISTINCT_MAX) continue;
                if (at == count) {
                    labels[count] = label;
                    sums[count++] = 0.0;
                }
                sums[at] += x->weight[i] * y->weight[j] * z->weight[k];
                if (sums[at] > most) {
                    most = sums[at];
                    best = label;
                }
            }
    return best;
}

static double sample(const source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    if (!x->taps || !y->taps || !z->taps) return 0.0;
    switch (from->interpolator) {
    case REN__INTERPOLATE_NEAREST:
        return value_at(from, x->index[0], y->index[0], z->index[0]);
    case REN__INTERPOLATE_LINEAR:
        return linear(from, x, y, z);
    case REN__INTERPOLATE_BSPLINE:
        return spline(from, x, y, z);
    case REN__INTERPOLATE_GAUSSIAN:
        return gaussian(from, x, y, z);
    case REN__INTERPOLATE_LABEL_GAUSSIAN:
        return label_gaussian(from, x, y, z);
    default:
        return windowed(from, x, y, z);
    }
}

/* ------------------------------------------------------------------------------------------------- all rows */

typedef struct sample_job {
    source from;
    const ren__frame *frame, *in;
    ren__support *supports[3]; /* of each index along each axis, where the two grids are parallel; else NULL */
    double *values;
} sample_job;

/* Up to SIDE voxels of a row of the spline where y and z are fixed. Each sum keeps its order; they run side by side. */
static void spline_block(const ren__support *x, int64_t count, const ren__support *y, const ren__support *z,
                         const double *const rows[16], double *out) {
    double weight[4][SIDE], sum[SIDE];
    int64_t index[4][SIDE];
    for (int64_t i = 0; i < SIDE; i++) {
        const ren__support *at = i < count ? x + i : x; /* what is past the end is computed and dropped */
        sum[i] = 0.0;
        for (int t = 0; t < 4; t++) {
            weight[t][i] = at->weight[t];
            index[t][i] = at->index[t];
        }
    }
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++) {
            const double *row = rows[4 * k + j], along_y = y->weight[j], along_z = z->weight[k];
            for (int t = 0; t < 4; t++)
#pragma omp simd
                for (int i = 0; i < SIDE; i++)
                    sum[i] += weight[t][i] * along_y * along_z * row[index[t][i]];
        }
    memcpy(out, sum, (size_t)count * sizeof *out);
}

static void spline_row(const sample_job *job, const ren__support *y, const ren__support *z, double *out) {
    const source *from = &job->from;
    const int64_t width = job->frame->shape[0];
    const double *rows[16];
    int64_t begin = 0, end = width; /* voxels within the image along x: neighbours, since positions rise or fall */
    while (begin < width && !job->supports[0][begin].taps)
        out[begin++] = 0.0;
    while (end > begin && !job->supports[0][end - 1].taps)
        out[--end] = 0.0;
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++)
            rows[4 * k + j] =
                from->values +
                ((z->index[k] - from->begin[2]) * from->shape[1] + y->index[j] - from->begin[1]) * from->shape[0] -
                from->begin[0];
    for (int64_t i = begin; i < end; i += SIDE)
        spline_block(job->supports[0] + i, end - i < SIDE ? end - i : SIDE, y, z, rows, out + i);
}

static void sample_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const sample_job *job = argument;
    const int64_t *shape = job->frame->shape;
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const int64_t j = row % shape[1], k = row / shape[1];
        double *out = job->values + row * shape[0];
        if (job->supports[0]) {
            const ren__support *y = job->supports[1] + j, *z = job->supports[2] + k;
            if (y->taps && z->taps && job->from.interpolator == REN__INTERPOLATE_BSPLINE) {
                spline_row(job, y, z, out);
                continue;
            }
            for (int64_t i = 0; i < shape[0]; i++)
                out[i] = sample(&job->from, job->supports[0] + i, y, z);
            continue;
        }
        ren__row_positions positions;
        ren__support at[3];
        ren__row_positions_of(job->frame, job->in, j, k, &positions);
        for (int64_t i = 0; i < shape[0]; i++) {
            for (int a = 0; a < 3; a++)
                ren__support_of(job->from.interpolator, job->in->shape[a], job->in->spacing[a],
                                ren__row_position(&positions, a, i), &at[a]);
            out[i] = sample(&job->from, &at[0], &at[1], &at[2]);
        }
    }
}

/* Supports of all indices along each axis, for grids with the same directions. */
static ren_status make_supports(ren_context *context, sample_job *job) {
    const ren__frame *frame = job->frame, *in = job->in;
    ren__row_positions positions;
    for (int a = 0; a < 3; a++) {
        job->supports[a] = ren__alloc_array(context, (size_t)frame->shape[a], sizeof *job->supports[a]);
        if (!job->supports[a]) return ren__out_of_memory();
        ren__row_positions_of(frame, in, 0, 0, &positions);
        for (int64_t i = 0; i < frame->shape[a]; i++) {
            if (a > 0) ren__row_positions_of(frame, in, a == 1 ? i : 0, a == 2 ? i : 0, &positions);
            ren__support_of(job->from.interpolator, in->shape[a], in->spacing[a],
                            ren__row_position(&positions, a, a == 0 ? i : 0), &job->supports[a][i]);
        }
    }
    return REN_OK;
}

/* The box of voxels that the supports name; 0 where there is none. */
static int needed_box(const sample_job *job, int64_t begin[3], int64_t shape[3]) {
    for (int a = 0; a < 3; a++) {
        int64_t low = INT64_MAX, high = -1;
        for (int64_t i = 0; job->supports[0] && i < job->frame->shape[a]; i++) {
            const ren__support *support = job->supports[a] + i;
            for (int t = 0; t < support->taps; t++) {
                if (support->index[t] < low) low = support->index[t];
                if (support->index[t] > high) high = support->index[t];
            }
        }
        if (!job->supports[0]) {
            low = 0;
            high = job->in->shape[a] - 1;
        }
        if (high < 0) return 0;
        const int64_t halo = job->from.interpolator == REN__INTERPOLATE_BSPLINE ? SPLINE_HALO : 0;
        const int64_t end = high + 1 + halo;
        begin[a] = low > halo ? low - halo : 0;
        shape[a] = (end < job->in->shape[a] ? end : job->in->shape[a]) - begin[a];
    }
    return 1;
}

ren_status ren__sample(const ren_volume *image, const ren__frame *frame, int32_t interpolator, ren__run *run,
                       double *values) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    ren__frame in;
    sample_job job = { .frame = frame, .in = &in, .values = values };
    double *box = NULL;
    size_t count = sizeof *box;
    ren__frame_of(image, &in);
    job.from.interpolator = interpolator;
    if (ren__frame_parallel(&in, frame)) REN_TRY(make_supports(context, &job));
    if (!needed_box(&job, job.from.begin, job.from.shape)) {
        memset(values, 0, (size_t)(frame->shape[0] * frame->shape[1] * frame->shape[2]) * sizeof *values);
        goto out;
    }
    for (int a = 0; a < 3; a++)
        count *= (size_t)job.from.shape[a]; /* part of a volume that exists */
    REN_ALLOC(box, count);
    REN_TRY(ren__pixels_read(image, job.from.begin, job.from.shape, run, box));
    if (interpolator == REN__INTERPOLATE_BSPLINE)
        REN_TRY(ren__prefilter(context, run, REN__PREFILTER_ITK, box, job.from.shape));
    job.from.values = box;
    ren__parallel_for(context, run, frame->shape[1] * frame->shape[2], ROW_GRAIN, sample_rows, &job);
    REN_TRY(ren__run_check(run));
out:
    for (int a = 0; a < 3; a++)
        ren__free(job.supports[a]);
    ren__free(box);
    return st;
}
