/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward convolution with more exact sums (exact.h). The work is cut into some rows of one output plane, the same for
 * every number of threads: what they read is copied into a frame of zeros as wide as the padding, where a row of the
 * kernel is one run of floats.
 */
#include <string.h>

#include "kernels/exact.h"

enum { MOST_FRAME = 1 << 16 }; /* floats; more where a single row needs it */

typedef struct convolution {
    const ren__exact *kernel;
    ren__conv_shape s;
    int64_t blocks, rows;  /* of output rows in a plane; rows of a block */
    int64_t height, width; /* of the frame, in voxels */
    size_t frame_floats, thread_bytes;
    const float *src, *bias;
    float *dst;
    float *packed;
    int64_t *offset; /* of the kernel's rows in the frame */
    uint8_t *threads;
} convolution;

static size_t round_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static ren__exact_weights weights_of(const ren__conv_shape *s, const float *weights) {
    const int64_t taps = s->kernel[0] * s->kernel[1] * s->kernel[2];
    return (ren__exact_weights){ weights, s->out_channels, s->in_channels * taps, taps, 1, s->in_channels, taps };
}

/* The work's sizes. Its scratch: packed weights, offsets, then each thread's frame. */
static convolution lay_out(const ren__conv_shape *s) {
    convolution c = { .s = *s };
    c.width = (s->out[2] - 1) * s->stride[2] + s->kernel[2];
    const int64_t row = c.width * s->in_channels * s->kernel[0];
    c.rows = (MOST_FRAME / row - s->kernel[1]) / s->stride[1] + 1;
    if (c.rows > s->out[1]) c.rows = s->out[1];
    if (c.rows < 1) c.rows = 1;
    c.blocks = (s->out[1] + c.rows - 1) / c.rows;
    c.height = (c.rows - 1) * s->stride[1] + s->kernel[1];
    c.frame_floats = (size_t)(row * c.height);
    c.thread_bytes = round_up(c.frame_floats * sizeof(float));
    return c;
}

static size_t packed_bytes(const ren__conv_shape *s) {
    const ren__exact_weights w = weights_of(s, NULL);
    return round_up(ren__exact_packed(&w) * sizeof(float));
}

static size_t offset_bytes(const ren__conv_shape *s) {
    return round_up((size_t)(s->kernel[0] * s->kernel[1]) * sizeof(int64_t));
}

size_t ren__exact_conv_scratch_bytes(const ren_context *context, const ren__conv_shape *s) {
    return packed_bytes(s) + offset_bytes(s) + (size_t)context->threads * lay_out(s).thread_bytes;
}

/* The input under the block's rows; what lies outside of it stays zero. */
static void fill_frame(const convolution *c, int64_t sample, int64_t plane, int64_t first, int64_t rows, float *frame) {
    const ren__conv_shape *s = &c->s;
    const int64_t channels = s->in_channels, from = s->pad[2];
    const int64_t height = (rows - 1) * s->stride[1] + s->kernel[1];
    const int64_t voxels = s->in[2] < c->width - from ? s->in[2] : c->width - from;
    memset(frame, 0, c->frame_floats * sizeof *frame);
    for (int64_t a = 0; a < s->kernel[0]; a++)
        for (int64_t b = 0; b < height; b++) {
            const int64_t d = plane * s->stride[0] - s->pad[0] + a, h = first * s->stride[1] - s->pad[1] + b;
            if (d < 0 || d >= s->in[0] || h < 0 || h >= s->in[1]) continue;
            memcpy(frame + ((a * c->height + b) * c->width + from) * channels,
                   c->src + ((sample * s->in[0] + d) * s->in[1] + h) * s->in[2] * channels,
                   (size_t)(voxels * channels) * sizeof *frame);
        }
}

/* Outputs o ... of the frame's rows, some rows or a part of one at a time. */
static void run_panel(const convolution *c, const float *frame, int64_t rows, int64_t o, float *dst) {
    const ren__conv_shape *s = &c->s;
    const int64_t taps = s->kernel[0] * s->kernel[1] * s->kernel[2];
    const int64_t count = s->out_channels - o < REN__EXACT_PANEL ? s->out_channels - o : REN__EXACT_PANEL;
    const int64_t voxels = s->out[2] < REN__EXACT_ROWS ? s->out[2] : REN__EXACT_ROWS;
    ren__exact_rows x = { .step = s->stride[2] * s->in_channels,
                          .runs = s->kernel[0] * s->kernel[1],
                          .length = s->kernel[2] * s->in_channels,
                          .offset = c->offset,
                          .group_step = s->stride[1] * c->width * s->in_channels };
    for (int64_t r = 0; r < rows; r += x.groups) {
        x.groups = voxels < s->out[2] ? 1 : REN__EXACT_ROWS / voxels;
        if (x.groups > rows - r) x.groups = rows - r;
        for (int64_t v = 0; v < s->out[2]; v += voxels) {
            x.x = frame + r * x.group_step + v * x.step;
            x.rows = s->out[2] - v < voxels ? s->out[2] - v : voxels;
            ren__exact_panel(c->kernel, &x, c->packed + o * taps * s->in_channels, c->bias ? c->bias + o : NULL, count,
                             dst + (r * s->out[2] + v) * s->out_channels + o, s->out_channels);
        }
    }
}

static void run_blocks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const convolution *c = argument;
    const ren__conv_shape *s = &c->s;
    float *frame = (float *)(void *)(c->threads + (size_t)thread * c->thread_bytes);
    for (int64_t item = begin; item < end; item++) {
        const int64_t first = item % c->blocks * c->rows, plane = item / c->blocks;
        const int64_t rows = s->out[1] - first < c->rows ? s->out[1] - first : c->rows;
        fill_frame(c, plane / s->out[0], plane % s->out[0], first, rows, frame);
        for (int64_t o = 0; o < s->out_channels; o += REN__EXACT_PANEL)
            run_panel(c, frame, rows, o, c->dst + (plane * s->out[1] + first) * s->out[2] * s->out_channels);
    }
}

void ren__exact_conv_forward(ren_context *context, ren__run *run, const ren__conv_shape *s, const float *src,
                             const float *weights, const float *bias, float *dst, void *scratch) {
    convolution c = lay_out(s);
    const ren__exact_weights w = weights_of(s, weights);
    c.packed = scratch;
    c.offset = (int64_t *)(void *)((uint8_t *)scratch + packed_bytes(s));
    c.threads = (uint8_t *)c.offset + offset_bytes(s);
    c.kernel = ren__exact_for(context);
    c.src = src;
    c.bias = bias;
    c.dst = dst;
    for (int64_t a = 0; a < s->kernel[0]; a++)
        for (int64_t b = 0; b < s->kernel[1]; b++)
            c.offset[a * s->kernel[1] + b] = (a * c.height + b) * c.width * s->in_channels;
    ren__exact_pack(context, &w, c.packed);
    ren__parallel_for(context, run, s->batch * s->out[0] * c.blocks, 1, run_blocks, &c);
}
