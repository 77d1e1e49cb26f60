/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/stem.h"

#include <string.h>

#include "kernels/vector.h"

enum { TAPS = 27, SPARE = 8 }; /* spare: floats behind a row that the kernel may read and not use */

int ren__stem_applies(const ren__conv_shape *s, int64_t pool) {
    for (int i = 0; i < 3; i++)
        if (s->kernel[i] != 3 || s->stride[i] != 1 || s->pad[i] > 1 || s->out[i] % 2) return 0;
    return pool == 2 && s->in_channels == 1 && s->groups == 1 && s->out_channels % 8 == 0;
}

typedef struct stem {
    const ren__vector *vector;
    const ren__conv_shape *shape;
    const float *src, *packed, *bias;
    float *padded, *dst;
    int64_t height, width; /* of a padded plane */
    int32_t relu;
} stem;

static int64_t padded_edge(const ren__conv_shape *s, int axis) {
    return s->out[axis] + 2;
}

size_t ren__stem_scratch_bytes(const ren__conv_shape *s) {
    return (size_t)(s->batch * padded_edge(s, 0) * padded_edge(s, 1) * (padded_edge(s, 2) + SPARE)) * sizeof(float);
}

void ren__stem_pack(const ren__conv_shape *s, const float *weights, float *packed) {
    for (int64_t o = 0; o < s->out_channels; o++)
        for (int t = 0; t < TAPS; t++)
            packed[t * s->out_channels + o] = weights[o * TAPS + t];
}

/* Copies planes of the input into the middle of a zero frame as wide as the padding. */
static void pad_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const stem *j = argument;
    const ren__conv_shape *s = j->shape;
    int64_t planes = padded_edge(s, 0);
    (void)thread;
    for (int64_t plane = begin; plane < end; plane++) {
        float *to = j->padded + plane * j->height * j->width;
        int64_t sample = plane / planes, d = plane % planes - s->pad[0];
        memset(to, 0, (size_t)(j->height * j->width) * sizeof *to);
        for (int64_t h = 0; d >= 0 && d < s->in[0] && h < s->in[1]; h++)
            memcpy(to + (h + s->pad[1]) * j->width + s->pad[2],
                   j->src + ((sample * s->in[0] + d) * s->in[1] + h) * s->in[2], (size_t)s->in[2] * sizeof *to);
    }
}

static void pooled_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const stem *j = argument;
    const ren__conv_shape *s = j->shape;
    int64_t planes = s->out[0] / 2, rows = s->out[1] / 2, columns = s->out[2] / 2;
    (void)thread;
    for (int64_t plane = begin; plane < end; plane++) {
        int64_t sample = plane / planes, d = plane % planes;
        const float *from = j->padded + (sample * padded_edge(s, 0) + 2 * d) * j->height * j->width;
        for (int64_t h = 0; h < rows; h++)
            j->vector->stem_row(from + 2 * h * j->width, j->height * j->width, j->width, columns, s->out_channels,
                                j->packed, j->bias, j->relu, j->dst + (plane * rows + h) * columns * s->out_channels);
    }
}

void ren__stem_forward(ren_context *context, ren__run *run, const ren__conv_shape *shape, const float *src,
                       const float *packed, const float *bias, int32_t relu, float *dst, void *scratch) {
    stem j = { ren__vector_for(context),      shape, src, packed, bias, scratch, dst, padded_edge(shape, 1),
               padded_edge(shape, 2) + SPARE, relu };
    ren__parallel_for(context, run, shape->batch * padded_edge(shape, 0), 4, pad_planes, &j);
    ren__parallel_for(context, run, shape->batch * shape->out[0] / 2, 1, pooled_planes, &j);
}
