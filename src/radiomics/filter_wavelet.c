/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stationary wavelet transform of PyWavelets, one level at a time with undilated filters, as PyRadiomics calls it.
 * The image has a period: its own size along an axis, and one more voxel, the first again, where that is odd.
 *
 * Only the region's box and the filters' reach around it are transformed, or the whole period where that is less. The
 * sub-bands are made one after the other, depth first, so that no more than one image for each axis is held.
 */
#include <stdio.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/filters.h"
#include "radiomics/pixels.h"
#include "radiomics/wavelets.h"

enum { ROW_GRAIN = 32, LEVELS_REACH = 1 << 24 /* a reach beyond any image */ };

/* Positions along the period's line; `begin` may be negative, and the end beyond the period. */
typedef struct stretch3 {
    int64_t begin[3], length[3];
} stretch3;

typedef struct convolve_job {
    const void *in, *filter;
    void *out;
    stretch3 from, to;
    int64_t period[3];
    int whole[3]; /* `from` is the whole period along this axis: positions wrap */
    int32_t taps;
    int axis;
} convolve_job;

typedef struct load_job {
    const ren_volume *image;
    const int64_t *period;
    stretch3 to;
    double *rows; /* a row of the image for each thread */
    void *out;
} load_job;

static int64_t wrap(int64_t position, int64_t period) {
    return (position % period + period) % period;
}

/* Where the input of tap t of output g lies in the input's array, along the axis of the convolution. */
static int64_t source_of(const convolve_job *job, int64_t g, int32_t t) {
    const int64_t position = g + job->taps / 2 - t;
    if (job->whole[job->axis]) return wrap(position, job->period[job->axis]);
    return position - job->from.begin[job->axis];
}

/* How many taps of output g reach over the end of the period. */
static int64_t overhang_of(const convolve_job *job, int64_t g) {
    const int64_t period = job->period[job->axis];
    const int64_t overhang = wrap(g, period) + job->taps / 2 - period + 1;
    return overhang > 0 ? overhang : 0;
}

static int64_t voxel_of(const load_job *job, int axis, int64_t position) {
    const int64_t voxel = wrap(position, job->period[axis]);
    return voxel < job->image->shape[axis] ? voxel : 0;
}

#define REAL        double
#define NAMED(name) name##_double
#include "radiomics/wavelet_body.h"
#undef REAL
#undef NAMED
#define REAL        float
#define NAMED(name) name##_single
#include "radiomics/wavelet_body.h"
#undef REAL
#undef NAMED

/* ---------------------------------------------------------------------------------------------- transform */

typedef struct transform {
    const ren_volume *image;
    ren__run *run;
    ren__emit_fn emit;
    void *user;
    ren__part3 part; /* what is wanted */
    int axes[3], axis_count;
    int64_t period[3];
    int whole[3];
    int single; /* floats, not doubles */
    int32_t taps;
    double filters[2][REN__WAVELET_TAPS_MAX]; /* low, high */
    float single_filters[2][REN__WAVELET_TAPS_MAX];
    int emits;           /* this level's sub-bands are wanted */
    int32_t number;      /* of the level, from 1, in names */
    void *approximation; /* the next level's input */
    stretch3 approximation_box;
} transform;

static size_t bytes_of(const transform *t, const stretch3 *box) {
    const size_t element = t->single ? sizeof(float) : sizeof(double);
    return (size_t)box->length[0] * (size_t)box->length[1] * (size_t)box->length[2] * element;
}

/* The box that the input of a level needs when `levels` are still to come, that one among them. */
static void level_box(const transform *t, int64_t levels, stretch3 *out) {
    for (int a = 0; a < 3; a++) {
        int filtered = 0;
        for (int i = 0; i < t->axis_count; i++)
            filtered |= t->axes[i] == a;
        const int64_t half = t->taps / 2, reach = filtered ? (levels < LEVELS_REACH ? levels : LEVELS_REACH) : 0;
        out->begin[a] = t->whole[a] ? 0 : t->part.begin[a] - reach * (t->taps - 1 - half);
        out->length[a] = t->whole[a] ? t->period[a] : t->part.shape[a] + reach * (t->taps - 1);
    }
}

static ren_status emit_band(const transform *t, const char *letters, int32_t number, const void *values,
                            const stretch3 *box) {
    ren__part3 from;
    char name[32];
    if (number == 1)
        snprintf(name, sizeof name, "wavelet-%s", letters);
    else
        snprintf(name, sizeof name, "wavelet%d-%s", number, letters);
    memcpy(from.begin, box->begin, sizeof from.begin);
    memcpy(from.shape, box->length, sizeof from.shape);
    if (t->single) return ren__emit_singles(t->image, values, &from, &t->part, name, t->emit, t->user);
    return ren__emit_doubles(t->image, REN_TYPE_F64, values, &from, &t->part, name, t->emit, t->user);
}

static ren_status convolve(const transform *t, const void *in, const stretch3 *from, int axis, int high, stretch3 *to,
                           void **out) {
    const int64_t half = t->taps / 2;
    ren_context *context = t->image->context;
    convolve_job job = { .in = in, .from = *from, .taps = t->taps, .axis = axis };
    *to = *from;
    if (!t->whole[axis]) {
        to->begin[axis] += t->taps - 1 - half;
        to->length[axis] -= t->taps - 1;
    }
    job.to = *to;
    memcpy(job.period, t->period, sizeof job.period);
    memcpy(job.whole, t->whole, sizeof job.whole);
    job.filter = t->single ? (const void *)t->single_filters[high] : (const void *)t->filters[high];
    *out = job.out = ren__alloc(context, bytes_of(t, to));
    if (!job.out) return ren__out_of_memory();
    ren__parallel_for(context, t->run, to->length[1] * to->length[2], ROW_GRAIN,
                      t->single ? convolve_rows_single : convolve_rows_double, &job);
    return ren__run_check(t->run);
}

/* All sub-bands below what `in` holds, which has been filtered along the first `depth` axes; `letters` says how. */
static ren_status descend(transform *t, const void *in, const stretch3 *from, int depth, char letters[4]) {
    ren_status st = REN_OK;
    for (int high = 0; high < 2 && st == REN_OK; high++) {
        void *out = NULL;
        stretch3 to;
        if (high && !t->emits) break; /* only the way to the next level */
        letters[depth] = high ? 'H' : 'L';
        letters[depth + 1] = 0;
        st = convolve(t, in, from, t->axes[depth], high, &to, &out);
        if (st == REN_OK) {
            if (depth + 1 < t->axis_count) {
                st = descend(t, out, &to, depth + 1, letters);
            } else if (strchr(letters, 'H')) {
                st = emit_band(t, letters, t->number, out, &to);
            } else {
                t->approximation = out;
                t->approximation_box = to;
                out = NULL;
            }
        }
        ren__free(out);
    }
    return st;
}

static ren_status load(const transform *t, const stretch3 *box, void **out) {
    ren_status st = REN_OK;
    ren_context *context = t->image->context;
    load_job job = { .image = t->image, .period = t->period, .to = *box };
    REN_CALLOC(job.rows, (size_t)context->threads * (size_t)t->image->shape[0]);
    REN_ALLOC(job.out, bytes_of(t, box));
    *out = job.out; /* the caller's, whatever happens */
    ren__parallel_for(context, t->run, box->length[1] * box->length[2], ROW_GRAIN,
                      t->single ? load_rows_single : load_rows_double, &job);
    st = ren__run_check(t->run);
out:
    ren__free(job.rows);
    return st;
}

static ren_status prepare(transform *t, const ren__roi *roi, const ren__radiomics_settings *settings) {
    const ren__wavelet *wavelet = ren__wavelet_find(settings->wavelet);
    const int left_out = settings->force_2d ? 2 - settings->force_2d_dimension : -1;
    stretch3 box;
    if (!wavelet) return ren__error(REN_E_INVALID, "wavelet \"%s\" is no discrete wavelet", settings->wavelet);
    t->single = ren__pixels_type(t->image) == REN_TYPE_F32;
    t->taps = wavelet->taps;
    ren__wavelet_filters(wavelet, t->filters[0], t->filters[1]);
    for (int high = 0; high < 2; high++)
        ren__wavelet_single(wavelet, t->filters[high], t->single_filters[high]);
    ren__wanted_part(t->image, roi, settings, &t->part);
    for (int a = 0; a < 3; a++) {
        if (a != left_out && (a != 2 || !settings->planar)) t->axes[t->axis_count++] = a;
        t->period[a] = t->image->shape[a] + t->image->shape[a] % 2;
    }
    level_box(t, (int64_t)settings->start_level + settings->level, &box);
    for (int a = 0; a < 3; a++)
        t->whole[a] = box.length[a] >= t->period[a] && a != left_out;
    return REN_OK;
}

REN__DERIVE(ren__derive_wavelet) {
    ren_status st = REN_OK;
    transform t = { .image = image, .run = run, .emit = emit, .user = user };
    const int64_t levels = (int64_t)settings->start_level + settings->level;
    char letters[4] = { 0, 0, 0, 0 };
    void *data = NULL;
    stretch3 box;
    REN_TRY(prepare(&t, roi, settings));
    level_box(&t, levels, &box);
    REN_TRY(load(&t, &box, &data));
    for (int64_t l = 0; l < levels; l++) {
        t.emits = l >= settings->start_level;
        t.number = (int32_t)(l - settings->start_level) + 1;
        REN_TRY(descend(&t, data, &box, 0, letters));
        ren__free(data);
        data = t.approximation;
        box = t.approximation_box;
        t.approximation = NULL;
    }
    for (int i = 0; i < t.axis_count; i++)
        letters[i] = 'L';
    letters[t.axis_count] = 0;
    REN_TRY(emit_band(&t, letters, settings->level, data, &box));
out:
    ren__free(data);
    ren__free(t.approximation);
    return st;
}
