/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/exact.h"

#include "kernels/kernels.h"

const ren__exact *ren__exact_for(const ren_context *context) {
    const int32_t isa = ren__kernels_isa(context);
    if (isa >= REN_ISA_AVX512) return &ren__exact_avx512;
    return isa == REN_ISA_AVX2 ? &ren__exact_avx2 : &ren__exact_plain;
}

int64_t ren__exact_width(int64_t outputs) {
    return (outputs + REN__EXACT_LANES - 1) / REN__EXACT_LANES * REN__EXACT_LANES;
}

/* Chains: short runs are joined, long ones are cut into equal pieces. A chain's weights, a few kilobytes, serve all
 * rows before the next ones are loaded. */
static void sum_chains(const ren__exact *kernel, const ren__exact_rows *rows, const float *panel, int64_t width,
                       double *sums) {
    const int64_t joined = rows->length < REN__EXACT_CHAIN ? REN__EXACT_CHAIN / rows->length : 1;
    const int64_t pieces = (rows->length + REN__EXACT_CHAIN - 1) / REN__EXACT_CHAIN;
    for (int64_t j = 0; j < rows->runs; j += joined)
        for (int64_t i = 0; i < pieces; i++) {
            const int64_t begin = i * rows->length / pieces, end = (i + 1) * rows->length / pieces;
            ren__exact_rows part = *rows;
            part.x += begin;
            part.offset += j;
            part.runs = rows->runs - j < joined ? rows->runs - j : joined;
            part.length = end - begin;
            for (int64_t g = 0; g < rows->groups; g++, part.x += rows->group_step)
                kernel->add(&part, panel + (j * rows->length + begin) * width, width, sums + g * rows->rows * width);
        }
}

void ren__exact_panel(const ren__exact *kernel, const ren__exact_rows *rows, const float *panel, const float *bias,
                      int64_t outputs, float *y, int64_t y_step) {
    const int64_t width = ren__exact_width(outputs), count = rows->groups * rows->rows;
    double sums[REN__EXACT_ROWS * REN__EXACT_PANEL];
    kernel->begin(bias, outputs, count, width, sums);
    sum_chains(kernel, rows, panel, width, sums);
    kernel->finish(sums, count, width, outputs, y, y_step);
}

/* ---- packing ---- */

typedef struct packing {
    const ren__exact_weights *w;
    float *packed;
} packing;

size_t ren__exact_packed(const ren__exact_weights *w) {
    return (size_t)(ren__exact_width(w->outputs) * w->taps * w->inputs);
}

/* REN__EXACT_LANES outputs: what is written is whole lines of the cache. Outputs that are not there are zero. */
static void pack_lanes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const packing *p = argument;
    const ren__exact_weights *w = p->w;
    const int64_t all = ren__exact_width(w->outputs);
    (void)thread;
    for (int64_t o = begin * REN__EXACT_LANES; o < end * REN__EXACT_LANES; o += REN__EXACT_LANES) {
        const int64_t first = o / REN__EXACT_PANEL * REN__EXACT_PANEL;
        const int64_t width = all - first < REN__EXACT_PANEL ? all - first : REN__EXACT_PANEL;
        const int64_t count = w->outputs - o < REN__EXACT_LANES ? w->outputs - o : REN__EXACT_LANES;
        float *panel = p->packed + first * w->taps * w->inputs + (o - first);
        for (int64_t i = 0; i < w->inputs; i++)
            for (int64_t t = 0; t < w->taps; t++) {
                const float *from = w->data + o * w->output_step + t * w->tap_step + i * w->input_step;
                float *to = panel + (t * w->inputs + i) * width;
                for (int64_t k = 0; k < REN__EXACT_LANES; k++)
                    to[k] = k < count ? from[k * w->output_step] : 0.0f;
            }
    }
}

void ren__exact_pack(ren_context *context, const ren__exact_weights *w, float *packed) {
    packing p = { w, packed };
    ren__parallel_for(context, NULL, ren__exact_width(w->outputs) / REN__EXACT_LANES, 1, pack_lanes, &p);
}

/* ---- linear layers ---- */

typedef struct linear {
    const ren__exact *kernel;
    int64_t inputs, outputs;
    const float *x, *packed, *bias;
    float *y;
} linear;

static void linear_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const linear *l = argument;
    const int64_t offset = 0;
    const ren__exact_rows rows = { l->x + begin * l->inputs, end - begin, l->inputs, 1, l->inputs, &offset, 1, 0 };
    (void)thread;
    for (int64_t o = 0; o < l->outputs; o += REN__EXACT_PANEL) {
        const int64_t count = l->outputs - o < REN__EXACT_PANEL ? l->outputs - o : REN__EXACT_PANEL;
        ren__exact_panel(l->kernel, &rows, l->packed + o * l->inputs, l->bias ? l->bias + o : NULL, count,
                         l->y + begin * l->outputs + o, l->outputs);
    }
}

void ren__exact_linear(ren_context *context, ren__run *run, int64_t rows, int64_t inputs, int64_t outputs,
                       const float *x, const float *packed, const float *bias, float *y) {
    linear l = { ren__exact_for(context), inputs, outputs, x, packed, bias, y };
    ren__parallel_for(context, run, rows, REN__EXACT_ROWS, linear_rows, &l);
}
