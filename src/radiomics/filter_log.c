/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laplacian of Gaussian by recursive filters (Deriche, "Recursively implementing the Gaussian and its derivatives",
 * INRIA report 1893, 1993; boundaries and coefficients as in ITK's LaplacianRecursiveGaussianImageFilter): for each
 * axis the second derivative along it and smoothing along the others. A line is filtered in double and every pass is
 * stored in floats, as ITK does, and so are the sums.
 *
 * Only the region's box and a halo are filtered: the response falls below 1e-16 there, far under a float's last bit.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parallel.h"
#include "base/text.h"
#include "radiomics/filters.h"
#include "radiomics/frame.h"
#include "radiomics/pixels.h"

enum { STRIP = 8, GRAIN = 4, ADD_GRAIN = 1 << 16 };

/* Deviations of the Gaussian, in voxels, after which its slowest mode exp(-1.3732 x) has fallen by 1e-17. */
static const double halo_deviations = 29.0;

/* ------------------------------------------------------------------------------------------- coefficients */

typedef struct recursion {
    double n[4], d[4], m[4]; /* causal, feedback, anticausal */
    double bn[4], bm[4];     /* feedback from the constant beyond the borders */
} recursion;

/* Deriche's approximation by two damped cosines; columns: Gaussian, first, second derivative. */
static const double a1[3] = { 1.3530, -0.6724, -1.3563 }, b1[3] = { 1.8151, -3.4327, 5.2318 };
static const double a2[3] = { -0.3531, 0.6724, 0.3446 }, b2[3] = { 0.0902, 0.6100, -2.2355 };
static const double w1 = 0.6681, l1 = -1.3932, w2 = 2.0787, l2 = -1.3732;

typedef struct waves {
    double sin1, sin2, cos1, cos2, exp1, exp2;
} waves;

typedef struct moments {
    double sum, first, second; /* of coefficient k times 1, k and k squared */
} moments;

static moments numerator(const waves *w, int order, double n[4]) {
    const double p = a1[order], q = a2[order], r = b1[order], s = b2[order];
    moments result;
    n[0] = p + q;
    n[1] = w->exp2 * (s * w->sin2 - (q + 2 * p) * w->cos2) + w->exp1 * (r * w->sin1 - (p + 2 * q) * w->cos1);
    n[2] = 2 * w->exp1 * w->exp2 * ((p + q) * w->cos2 * w->cos1 - r * w->cos2 * w->sin1 - s * w->cos1 * w->sin2) +
           q * w->exp1 * w->exp1 + p * w->exp2 * w->exp2;
    n[3] = w->exp2 * w->exp1 * w->exp1 * (s * w->sin2 - q * w->cos2) +
           w->exp1 * w->exp2 * w->exp2 * (r * w->sin1 - p * w->cos1);
    result.sum = n[0] + n[1] + n[2] + n[3];
    result.first = n[1] + 2 * n[2] + 3 * n[3];
    result.second = n[1] + 4 * n[2] + 9 * n[3];
    return result;
}

/* The Gaussian of `sigma` mm (order 0) or its second derivative times sigma squared (order 2), `spacing` mm apart. */
static void make_recursion(double sigma, double spacing, int order, recursion *out) {
    const double x = sigma / spacing;
    const waves w = { sin(w1 / x), sin(w2 / x), cos(w1 / x), cos(w2 / x), exp(l1 / x), exp(l2 / x) };
    double *d = out->d, *n = out->n, smooth[4];
    d[3] = w.exp1 * w.exp1 * w.exp2 * w.exp2;
    d[2] = -2 * w.cos1 * w.exp1 * w.exp2 * w.exp2 - 2 * w.cos2 * w.exp2 * w.exp1 * w.exp1;
    d[1] = 4 * w.cos2 * w.cos1 * w.exp1 * w.exp2 + w.exp1 * w.exp1 + w.exp2 * w.exp2;
    d[0] = -2 * (w.exp2 * w.cos2 + w.exp1 * w.cos1);
    const double sd = 1.0 + d[0] + d[1] + d[2] + d[3];
    const double dd = d[0] + 2 * d[1] + 3 * d[2] + 4 * d[3], ed = d[0] + 4 * d[1] + 9 * d[2] + 16 * d[3];
    moments s = numerator(&w, 0, smooth);
    double scale = 1.0 / (2 * s.sum / sd - smooth[0]);
    if (order == 0) {
        memcpy(n, smooth, sizeof smooth);
    } else {
        moments t = numerator(&w, 2, n);
        const double beta = -(2 * t.sum - sd * n[0]) / (2 * s.sum - sd * smooth[0]);
        for (int k = 0; k < 4; k++)
            n[k] += beta * smooth[k];
        t.sum += beta * s.sum;
        t.first += beta * s.first;
        t.second += beta * s.second;
        const double alpha =
            (t.second * sd * sd - ed * t.sum * sd - 2 * t.first * dd * sd + 2 * dd * dd * t.sum) / (sd * sd * sd);
        scale = sigma * sigma / alpha;
    }
    for (int k = 0; k < 4; k++)
        n[k] *= scale;
    for (int k = 0; k < 3; k++)
        out->m[k] = n[k + 1] - d[k] * n[0];
    out->m[3] = -d[3] * n[0];
    const double sum_n = n[0] + n[1] + n[2] + n[3], sum_m = out->m[0] + out->m[1] + out->m[2] + out->m[3];
    for (int k = 0; k < 4; k++) {
        out->bn[k] = d[k] * sum_n / sd;
        out->bm[k] = d[k] * sum_m / sd;
    }
}

/* ------------------------------------------------------------------------------------------------- passes */

/* One step for STRIP lines: out = sum of c x data, less the sum of f x feedback. */
static void step(double *out, const double *const data[4], const double c[4], const double *const feedback[4],
                 const double f[4]) {
#pragma omp simd
    for (int i = 0; i < STRIP; i++) {
        const double ahead = data[0][i] * c[0] + data[1][i] * c[1] + data[2][i] * c[2] + data[3][i] * c[3];
        out[i] =
            ahead - (feedback[0][i] * f[0] + feedback[1][i] * f[1] + feedback[2][i] * f[2] + feedback[3][i] * f[3]);
    }
}

/* STRIP lines of `count` samples side by side; `back` is as long as the lines. Result in `out`. */
static void filter_strip(const recursion *r, const double *in, int64_t count, double *out, double *back) {
    const double *first = in, *last = in + (count - 1) * STRIP, *data[4], *feedback[4];
    double f[4];
    for (int64_t i = 0; i < count; i++) {
        for (int k = 0; k < 4; k++) {
            data[k] = i >= k ? in + (i - k) * STRIP : first;
            feedback[k] = i > k ? out + (i - k - 1) * STRIP : first;
            f[k] = i > k ? r->d[k] : r->bn[k];
        }
        step(out + i * STRIP, data, r->n, feedback, f);
    }
    for (int64_t i = count - 1; i >= 0; i--) {
        for (int k = 0; k < 4; k++) {
            const int there = i + k + 1 < count;
            data[k] = there ? in + (i + k + 1) * STRIP : last;
            feedback[k] = there ? back + (i + k + 1) * STRIP : last;
            f[k] = there ? r->d[k] : r->bm[k];
        }
        step(back + i * STRIP, data, r->m, feedback, f);
    }
    for (int64_t i = 0; i < count * STRIP; i++)
        out[i] += back[i];
}

typedef struct pass_job {
    recursion r;
    const double *doubles; /* input: one of the two */
    const float *singles;
    float *to;
    int64_t shape[3];
    int axis;
    double *scratch; /* 3 x STRIP lines for each thread */
} pass_job;

/* An item is STRIP lines side by side along x, or along y where the lines are rows. */
static void pass_strips(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const pass_job *job = argument;
    const int64_t *shape = job->shape, steps[3] = { 1, shape[0], shape[0] * shape[1] };
    const int side = job->axis == 0 ? 1 : 0, other = 3 - job->axis - side;
    const int64_t count = shape[job->axis], strips = (shape[side] + STRIP - 1) / STRIP;
    double *in = job->scratch + (int64_t)thread * 3 * STRIP * count, *out = in + STRIP * count;
    for (int64_t item = begin; item < end; item++) {
        const int64_t at = item % strips * STRIP, base = item / strips * steps[other] + at * steps[side];
        const int64_t width = shape[side] - at < STRIP ? shape[side] - at : STRIP;
        for (int64_t i = 0; i < count; i++)
            for (int64_t w = 0; w < STRIP; w++) {
                const int64_t from = base + i * steps[job->axis] + (w < width ? w : 0) * steps[side];
                in[i * STRIP + w] = job->doubles ? job->doubles[from] : (double)job->singles[from];
            }
        filter_strip(&job->r, in, count, out, out + STRIP * count);
        for (int64_t i = 0; i < count; i++)
            for (int64_t w = 0; w < width; w++)
                job->to[base + i * steps[job->axis] + w * steps[side]] = (float)out[i * STRIP + w];
    }
}

static ren_status pass(ren_context *context, ren__run *run, pass_job *job) {
    const int side = job->axis == 0 ? 1 : 0, other = 3 - job->axis - side;
    const int64_t strips = (job->shape[side] + STRIP - 1) / STRIP;
    job->scratch = ren__alloc_array(context, (size_t)context->threads * 3 * STRIP,
                                    (size_t)job->shape[job->axis] * sizeof *job->scratch);
    if (!job->scratch) return ren__out_of_memory();
    ren__parallel_for(context, run, strips * job->shape[other], GRAIN, pass_strips, job);
    ren__free(job->scratch);
    return ren__run_check(run);
}

typedef struct add_job {
    float *sum;
    const float *values;
    double scale;
} add_job;

static void add_range(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const add_job *job = argument;
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        job->sum[i] = (float)((double)job->sum[i] + (double)job->values[i] * job->scale);
}

/* `sum` += each axis's part of the Laplacian of `values` smoothed; `work` is one more image. */
static ren_status laplacian(ren_context *context, ren__run *run, const double *values, const int64_t shape[3], int axes,
                            const double spacing[3], double sigma, float *work, float *sum) {
    ren_status st = REN_OK;
    const int64_t count = shape[0] * shape[1] * shape[2];
    memset(sum, 0, (size_t)count * sizeof *sum);
    for (int axis = 0; axis < axes; axis++) {
        pass_job job = { .doubles = values, .to = work, .shape = { shape[0], shape[1], shape[2] }, .axis = axis };
        make_recursion(sigma, spacing[axis], 2, &job.r);
        REN_TRY(pass(context, run, &job));
        job.doubles = NULL;
        job.singles = work; /* in place: a strip is read before it is written */
        for (job.axis = 0; job.axis < axes; job.axis++) {
            if (job.axis == axis) continue;
            make_recursion(sigma, spacing[job.axis], 0, &job.r);
            REN_TRY(pass(context, run, &job));
        }
        add_job add = { sum, work, 1.0 / (spacing[axis] * spacing[axis]) };
        ren__parallel_for(context, run, count, ADD_GRAIN, add_range, &add);
        REN_TRY(ren__run_check(run));
    }
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------ the type */

/* Python's str of the number, its point a dash: "log-sigma-2-0-mm-3D", and "log-sigma-2-mm-3D" for a whole number. */
static ren_status name_of(ren_context *context, double sigma, int whole, char *name, size_t size) {
    ren_text *text = NULL;
    ren_status st = ren__text_create(context, &text);
    if (st != REN_OK) return st;
    /* the shortest that reads back, without an exponent where Python has none */
    const int whole_digits = sigma >= 1.0 && sigma < 1e16 ? (int)floor(log10(sigma)) + 1 : 1;
    for (int digits = whole_digits; digits <= 17; digits++) {
        double back;
        ren_text_free(text);
        text = NULL;
        st = ren__text_create(context, &text);
        if (st != REN_OK) return st;
        ren__text_add_number(text, sigma, digits);
        if (text->status == REN_OK && ren__parse_number(ren_text_data(text), &back) && back == sigma) break;
    }
    if (!whole && !strpbrk(ren_text_data(text), ".e")) ren__text_add(text, ".0");
    st = text->status;
    snprintf(name, size, "log-sigma-%s-mm-3D", ren_text_data(text));
    for (char *c = name; *c; c++)
        if (*c == '.') *c = '-';
    ren_text_free(text);
    return st;
}

static int too_small(const ren_volume *image, int axes, const double spacing[3], double sigma) {
    for (int a = 0; a < axes; a++)
        if ((double)image->shape[a] < ceil(sigma / spacing[a]) + 1.0) return 1;
    return 0;
}

static ren_status derive_one(const ren_volume *image, const ren__part3 *part, int axes, const double spacing[3],
                             double sigma, const char *name, ren__run *run, ren__emit_fn emit, void *user) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    int64_t halo[3];
    ren__part3 from;
    double *values = NULL;
    float *work = NULL, *sum = NULL;
    for (int a = 0; a < 3; a++) {
        const double wide = ceil(halo_deviations * sigma / spacing[a]) + 4.0;
        halo[a] = wide < (double)image->shape[a] ? (int64_t)wide : image->shape[a];
    }
    ren__widened_part(image, part, halo, &from);
    const size_t count = (size_t)(from.shape[0] * from.shape[1] * from.shape[2]);
    REN_ALLOC(values, count * sizeof *values);
    REN_ALLOC(work, count * sizeof *work);
    REN_ALLOC(sum, count * sizeof *sum);
    REN_TRY(ren__pixels_read(image, from.begin, from.shape, run, values));
    REN_TRY(laplacian(context, run, values, from.shape, axes, spacing, sigma, work, sum));
    ren__free(values);
    ren__free(work);
    values = NULL;
    work = NULL;
    REN_TRY(ren__emit_singles(image, sum, &from, part, name, emit, user));
out:
    ren__free(values);
    ren__free(work);
    ren__free(sum);
    return st;
}

REN__DERIVE(ren__derive_log) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    const int axes = settings->planar ? 2 : 3;
    ren__part3 part;
    double spacing[3];
    char name[64];
    if (image->shape[0] < 4 || image->shape[1] < 4 || image->shape[axes - 1] < 4) {
        ren__log(context, REN_LOG_WARNING, "no LoG image: the image has fewer than 4 voxels along an axis");
        return REN_OK;
    }
    ren__wanted_part(image, roi, settings, &part);
    ren__spacing_of(image, spacing);
    for (int32_t s = 0; s < settings->sigma.count; s++) {
        const double sigma = settings->sigma.values[s];
        REN_TRY(name_of(context, sigma, settings->sigma_whole[s], name, sizeof name));
        if (!(sigma > 0.0) || too_small(image, axes, spacing, sigma)) {
            ren__log(context, REN_LOG_WARNING, "no image %s: the image is too small for it", name);
            continue;
        }
        REN_TRY(derive_one(image, &part, axes, spacing, sigma, name, run, emit, user));
    }
out:
    return st;
}
