/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling of an image on another grid: ITK's interpolators, row by row. */
#include "radiomics/sampler.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/pixels.h"

enum { ROW_GRAIN = 16, DISTINCT_MAX = 64 };

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

static double value_at(const ren__source *from, int64_t x, int64_t y, int64_t z) {
    return from
        ->values[((z - from->begin[2]) * from->shape[1] + y - from->begin[1]) * from->shape[0] + x - from->begin[0]];
}

static double between(double a, double b, double share) {
    return share > 0.0 ? a + (b - a) * share : a;
}

static double linear(const ren__source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    double plane[2], row[2];
    for (int k = 0; k < 2; k++) {
        for (int j = 0; j < 2; j++)
            row[j] = between(value_at(from, x->index[0], y->index[j], z->index[k]),
                             value_at(from, x->index[1], y->index[j], z->index[k]), x->weight[0]);
        plane[k] = between(row[0], row[1], y->weight[0]);
    }
    return between(plane[0], plane[1], z->weight[0]);
}

static double spline(const ren__source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    double sum = 0.0;
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++)
            for (int i = 0; i < 4; i++)
                sum +=
                    x->weight[i] * y->weight[j] * z->weight[k] * value_at(from, x->index[i], y->index[j], z->index[k]);
    return sum;
}

static double windowed(const ren__source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
    double sum = 0.0;
    for (int k = 0; k < z->taps; k++)
        for (int j = 0; j < y->taps; j++)
            for (int i = 0; i < x->taps; i++)
                sum +=
                    value_at(from, x->index[i], y->index[j], z->index[k]) * x->weight[i] * y->weight[j] * z->weight[k];
    return sum;
}

static double gaussian(const ren__source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
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
static double label_gaussian(const ren__source *from, const ren__support *x, const ren__support *y,
                             const ren__support *z) {
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

static double sample(const ren__source *from, const ren__support *x, const ren__support *y, const ren__support *z) {
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
    const ren__source *from;
    const ren__frame *frame;
    ren__support *supports[3]; /* of each index along each axis, where the two grids are parallel; else NULL */
    double *rows;              /* one for each thread */
    ren__samples_fn take;
    void *user;
} sample_job;

/* A row on a grid that is turned against the image's. */
static void turned_row(const sample_job *job, int64_t j, int64_t k, double *out) {
    const ren__frame *in = &job->from->in;
    ren__row_positions positions;
    ren__support at[3];
    ren__row_positions_of(job->frame, in, j, k, &positions);
    for (int64_t i = 0; i < job->frame->shape[0]; i++) {
        for (int a = 0; a < 3; a++)
            ren__support_of(job->from->interpolator, in->shape[a], in->spacing[a], ren__row_position(&positions, a, i),
                            &at[a]);
        out[i] = sample(job->from, &at[0], &at[1], &at[2]);
    }
}

static void sample_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const sample_job *job = argument;
    const int64_t *shape = job->frame->shape;
    double *out = job->rows + thread * shape[0];
    for (int64_t row = begin; row < end; row++) {
        const int64_t j = row % shape[1], k = row / shape[1];
        if (!job->supports[0]) turned_row(job, j, k, out);
        for (int64_t i = 0; job->supports[0] && i < shape[0]; i++)
            out[i] = sample(job->from, job->supports[0] + i, job->supports[1] + j, job->supports[2] + k);
        job->take(job->user, row * shape[0], out, shape[0]);
    }
}

/* Supports of all indices along each axis, for grids with the same directions. */
static ren_status make_supports(ren_context *context, sample_job *job) {
    const ren__frame *frame = job->frame, *in = &job->from->in;
    ren__row_positions positions;
    for (int a = 0; a < 3; a++) {
        job->supports[a] = ren__alloc_array(context, (size_t)frame->shape[a], sizeof *job->supports[a]);
        if (!job->supports[a]) return ren__out_of_memory();
        ren__row_positions_of(frame, in, 0, 0, &positions);
        for (int64_t i = 0; i < frame->shape[a]; i++) {
            if (a > 0) ren__row_positions_of(frame, in, a == 1 ? i : 0, a == 2 ? i : 0, &positions);
            ren__support_of(job->from->interpolator, in->shape[a], in->spacing[a],
                            ren__row_position(&positions, a, a == 0 ? i : 0), &job->supports[a][i]);
        }
    }
    return REN_OK;
}

ren_status ren__sample(ren_context *context, const ren__source *source, const ren__frame *frame, ren__run *run,
                       ren__samples_fn take, void *user) {
    ren_status st = REN_OK;
    sample_job job = { .from = source, .frame = frame, .take = take, .user = user };
    if (ren__frame_parallel(&source->in, frame)) REN_TRY(make_supports(context, &job));
    if (job.supports[0] && source->shape[0] && source->interpolator == REN__INTERPOLATE_BSPLINE) {
        st = ren__sample_spline(context, source, frame->shape, job.supports, run, take, user);
        goto out;
    }
    REN_CALLOC(job.rows, (size_t)context->threads * (size_t)frame->shape[0]);
    ren__parallel_for(context, run, frame->shape[1] * frame->shape[2], ROW_GRAIN, sample_rows, &job);
    st = ren__run_check(run);
out:
    for (int a = 0; a < 3; a++)
        ren__free(job.supports[a]);
    ren__free(job.rows);
    return st;
}
