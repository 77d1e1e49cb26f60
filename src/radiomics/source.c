/* SPDX-License-Identifier: Apache-2.0 */
/* What samples are taken from: the box of an image that a grid needs, read once. */
#include <string.h>

#include "radiomics/pixels.h"
#include "radiomics/sampler.h"

/* What the grid's indices along one axis take from; 0 where nothing. */
static int needed_along(const ren__frame *in, const ren__frame *frame, int32_t interpolator, int a, int64_t *begin,
                        int64_t *shape) {
    int64_t low = INT64_MAX, high = -1;
    ren__row_positions positions;
    ren__support support;
    ren__row_positions_of(frame, in, 0, 0, &positions);
    for (int64_t i = 0; i < frame->shape[a]; i++) {
        if (a > 0) ren__row_positions_of(frame, in, a == 1 ? i : 0, a == 2 ? i : 0, &positions);
        ren__support_of(interpolator, in->shape[a], in->spacing[a], ren__row_position(&positions, a, a == 0 ? i : 0),
                        &support);
        for (int t = 0; t < support.taps; t++) {
            if (support.index[t] < low) low = support.index[t];
            if (support.index[t] > high) high = support.index[t];
        }
    }
    if (high < 0) return 0;
    *begin = low;
    *shape = high - low + 1;
    return 1;
}

int ren__source_box(const ren__frame *in, const ren__frame *frame, int32_t interpolator, int64_t begin[3],
                    int64_t shape[3]) {
    const int parallel = ren__frame_parallel(in, frame);
    for (int a = 0; a < 3; a++) {
        begin[a] = 0;
        shape[a] = in->shape[a];
        if (!parallel || needed_along(in, frame, interpolator, a, &begin[a], &shape[a])) continue;
        memset(begin, 0, 3 * sizeof *begin);
        memset(shape, 0, 3 * sizeof *shape);
        return 0;
    }
    return 1;
}

void ren__source_widen(const ren__frame *in, int32_t interpolator, int64_t begin[3], int64_t shape[3]) {
    const int64_t halo = interpolator == REN__INTERPOLATE_BSPLINE ? REN__SPLINE_HALO : 0;
    for (int a = 0; a < 3; a++) {
        const int64_t low = begin[a] > halo ? begin[a] - halo : 0, end = begin[a] + shape[a] + halo;
        begin[a] = low;
        shape[a] = (end < in->shape[a] ? end : in->shape[a]) - low;
    }
}

void ren__source_free(ren__source *source) {
    ren__free(source->values);
    source->values = NULL;
}

/* Gives the planes back that the filter alone needed. Where there is no memory for the copy they stay. */
static void drop_halo(ren_context *context, ren__source *source, int64_t begin, int64_t count) {
    const size_t plane = (size_t)source->shape[0] * (size_t)source->shape[1];
    if (count == source->shape[2]) return;
    double *kept = ren__alloc_array(context, plane * (size_t)count, sizeof *kept);
    if (!kept) return;
    memcpy(kept, source->values + (size_t)(begin - source->begin[2]) * plane, plane * (size_t)count * sizeof *kept);
    ren__free(source->values);
    source->values = kept;
    source->begin[2] = begin;
    source->shape[2] = count;
}

ren_status ren__source_create(const ren_volume *image, int32_t interpolator, const int64_t begin[3],
                              const int64_t shape[3], ren__run *run, ren__source *out) {
    int64_t wide_begin[3], wide_shape[3];
    ren_status st;
    memset(out, 0, sizeof *out);
    out->interpolator = interpolator;
    ren__frame_of(image, &out->in);
    memcpy(out->begin, begin, sizeof out->begin);
    memcpy(out->shape, shape, sizeof out->shape);
    if (!shape[0]) return REN_OK;
    memcpy(wide_begin, begin, sizeof wide_begin);
    memcpy(wide_shape, shape, sizeof wide_shape);
    ren__source_widen(&out->in, interpolator, wide_begin, wide_shape);
    out->begin[2] = wide_begin[2];
    out->shape[2] = wide_shape[2]; /* part of a volume that exists: no product overflows but with 8 */
    out->values = ren__alloc_array(
        image->context, (size_t)out->shape[0] * (size_t)out->shape[1] * (size_t)out->shape[2], sizeof *out->values);
    if (!out->values) return ren__out_of_memory();
    if (interpolator == REN__INTERPOLATE_BSPLINE)
        st = ren__prefilter_part(image, wide_begin, wide_shape, begin, shape, run, out->values);
    else
        st = ren__pixels_read(image, out->begin, out->shape, run, out->values);
    if (st == REN_OK)
        drop_halo(image->context, out, begin[2], shape[2]);
    else
        ren__source_free(out);
    return st;
}
