/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels along a sequence of tokens: the selective scan of Mamba (Gu & Dao 2023, algorithm 2) and the causal
 * convolution before it. One table for each instruction set, each call the work of one thread on REN__SCAN_LANES
 * channels (or fewer, at the end), as in kernels/vector.h.
 *
 * The scan's state (lanes x states) stays in registers and the first-level cache. Nothing of size length x channels x
 * states exists: training keeps the state every REN__SCAN_CHUNK tokens, and backward computes the others again.
 */
#ifndef REN_KERNELS_SEQUENCE_H
#define REN_KERNELS_SEQUENCE_H

#include "base/context.h"

enum { REN__SCAN_LANES = 16, REN__SCAN_CHUNK = 64, REN__SCAN_STATES = 256 };

/* One sample. delta = softplus(raw + bias), h <- exp(delta A) h + delta B u, y = (C h + D u) z sigmoid(z). */
typedef struct ren__scan {
    int64_t length, channels, states;
    const float *u, *raw, *z; /* length x channels */
    const float *b, *c;       /* length x states */
    const float *a;           /* channels x states, negative */
    const float *d, *bias;    /* channels */
} ren__scan;

/* Where a backward pass adds what the block contributes. */
typedef struct ren__scan_gradient {
    const float *dy;       /* length x channels */
    float *du, *draw, *dz; /* length x channels, overwritten on the block's channels */
    float *db, *dc;        /* length x states, overwritten: this block's share */
    float *da;             /* channels x states, overwritten on the block's channels */
    float *dd, *dbias;     /* channels, likewise */
} ren__scan_gradient;

typedef struct ren__sequence {
    /* Channels first ... first + lanes - 1 (or to the end). `kept` (nullable) gets the states before every chunk. */
    void (*scan)(const ren__scan *s, int64_t first, float *y, float *kept, float *scratch);
    void (*scan_backward)(const ren__scan *s, int64_t first, const ren__scan_gradient *g, const float *kept,
                          float *scratch);
    /* y[t] = bias + sum over k of w[k] x[t - taps + 1 + k], then SiLU where `silu`; w is taps x channels. */
    void (*causal)(const float *x, int64_t length, int64_t channels, int64_t first, int64_t count, const float *w,
                   const float *bias, int64_t taps, int32_t silu, float *y);
    /* dx (nullable), dw and dbias for the channels first ... first + count - 1; all overwritten. */
    void (*causal_backward)(const float *x, const float *dy, int64_t length, int64_t channels, int64_t first,
                            int64_t count, const float *w, const float *bias, int64_t taps, int32_t silu, float *dx,
                            float *dw, float *dbias, float *scratch);
} ren__sequence;

const ren__sequence *ren__sequence_for(const ren_context *context);

/* Floats: scratch of a scan, forward or backward; of causal_backward; states kept for one block. */
size_t ren__scan_scratch(int64_t states, int backward);
size_t ren__causal_scratch(int64_t length);
size_t ren__scan_kept(int64_t length, int64_t states);

extern const ren__sequence ren__sequence_plain, ren__sequence_avx2, ren__sequence_avx512;

#endif
