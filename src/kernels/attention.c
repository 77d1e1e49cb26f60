/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/attention.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

enum { ROWS = REN__ATTENTION_ROWS, KEYS = REN__ATTENTION_KEYS, LANES = REN__ATTENTION_LANES, PARTS = 16 };

static const ren__attention_tiles *tiles_for(const ren_context *context) {
    const int32_t isa = ren__kernels_isa(context);

    if (isa >= REN_ISA_AVX512) return &ren__attention_avx512;
    return isa == REN_ISA_AVX2 ? &ren__attention_avx2 : &ren__attention_plain;
}

static int64_t whole_vectors(int64_t count) {
    return (count + LANES - 1) / LANES * LANES;
}

int64_t ren__attention_bias_stride(int64_t tokens) {
    return whole_vectors(tokens);
}

static int64_t whole_blocks(int64_t tokens) {
    return (tokens + KEYS - 1) / KEYS * KEYS;
}

/* The scratch. "Columns" are transposed: blocks of width x KEYS, or one of width x ROWS; "rows" have `wide` floats. */
typedef struct work {
    const ren__attention *a;
    const ren__attention_tiles *tiles;
    int64_t wide;                                                       /* the width in whole vectors */
    float scale;                                                        /* 1 / sqrt(width) */
    float *key_columns, *value_columns, *key_rows, *value_rows;         /* of all tokens */
    float *key_gradient, *value_gradient;                               /* the same, rows */
    float *query_columns, *query_rows, *dout_columns, *dout_rows, *sum; /* of a block of queries; sum: rows */
    float *scores, *gradient;                                           /* ROWS x KEYS */
    float *top, *total, *room, *factors;                                /* by row; by key of a block */
} work;

size_t ren__attention_scratch(int64_t tokens, int64_t width, int backward) {
    const int64_t wide = whole_vectors(width), blocked = whole_blocks(tokens);
    const int64_t both = blocked * width + tokens * wide + ROWS * (width + wide + KEYS + 2) + 2 * (int64_t)KEYS;
    const int64_t more = blocked * width + 2 * tokens * wide + ROWS * (width + 2 * wide + KEYS);
    return (size_t)(both + (backward ? more : 0) + PARTS * (int64_t)LANES); /* each part begins at a whole vector */
}

static float *take(float **next, int64_t floats) {
    float *own = *next;
    *next += whole_vectors(floats);
    return own;
}

static work open_work(const ren_context *context, const ren__attention *a, int backward, float *scratch) {
    const int64_t wide = whole_vectors(a->width), blocked = whole_blocks(a->tokens);
    work w = { .a = a, .tiles = tiles_for(context), .wide = wide, .scale = 1.0f / sqrtf((float)a->width) };
    w.key_columns = take(&scratch, blocked * a->width);
    w.query_columns = take(&scratch, a->width * ROWS);
    w.sum = take(&scratch, ROWS * wide);
    w.scores = take(&scratch, (int64_t)ROWS * KEYS);
    w.top = take(&scratch, ROWS);
    w.total = take(&scratch, ROWS);
    w.room = take(&scratch, KEYS);
    w.factors = take(&scratch, KEYS);
    float **rows = backward ? &w.key_rows : &w.value_rows;
    *rows = take(&scratch, a->tokens * wide);
    if (!backward) return w;
    w.value_columns = take(&scratch, blocked * a->width);
    w.key_gradient = take(&scratch, a->tokens * wide);
    w.value_gradient = take(&scratch, a->tokens * wide);
    w.query_rows = take(&scratch, ROWS * wide);
    w.dout_columns = take(&scratch, a->width * ROWS);
    w.dout_rows = take(&scratch, ROWS * wide);
    w.gradient = take(&scratch, (int64_t)ROWS * KEYS);
    return w;
}

/* ---- packing ---- */

static const float *row_of(const ren__attention *a, const float *x, int64_t stride, int64_t token) {
    return x + (a->place ? a->place[token] : token) * stride;
}

/* Tokens first ... first + count - 1 as rows, zeros up to the whole vector. */
static void pack_rows(const work *w, const float *x, int64_t stride, int64_t first, int64_t count, float *rows) {
    const size_t width = (size_t)w->a->width;
    for (int64_t t = 0; t < count; t++, rows += w->wide) {
        memcpy(rows, row_of(w->a, x, stride, first + t), width * sizeof *rows);
        memset(rows + width, 0, ((size_t)w->wide - width) * sizeof *rows);
    }
}

/* The same as columns of `room` tokens, zeros behind the last. */
static void pack_columns(const work *w, const float *x, int64_t stride, int64_t first, int64_t count, int64_t room,
                         float *columns) {
    const float *row[KEYS];
    for (int64_t t = 0; t < count; t++)
        row[t] = row_of(w->a, x, stride, first + t);
    for (int64_t d = 0; d < w->a->width; d++, columns += room) {
        for (int64_t t = 0; t < count; t++)
            columns[t] = row[t][d];
        for (int64_t t = count; t < room; t++)
            columns[t] = 0;
    }
}

static void pack_blocks(const work *w, const float *x, float *columns) {
    for (int64_t first = 0; first < w->a->tokens; first += KEYS) {
        const int64_t count = w->a->tokens - first < KEYS ? w->a->tokens - first : KEYS;
        pack_columns(w, x, w->a->stride, first, count, KEYS, columns + first * w->a->width);
    }
}

/* Rows back to where they belong, if that is wanted. */
static void unpack(const work *w, const float *rows, float factor, int64_t first, int64_t count, float *x,
                   int64_t stride) {
    for (int64_t t = 0; x && t < count; t++)
        w->tiles->scale(rows + t * w->wide, w->a->width, factor,
                        x + (w->a->place ? w->a->place[first + t] : first + t) * stride);
}

/* What is added to the scores of a row's keys. */
static const float *row_bias(const work *w, int64_t row, int64_t key, int64_t keys) {
    const ren__attention *a = w->a;
    const float *bias = a->bias ? a->bias + row * a->bias_stride + key : NULL;
    if (!a->group) return bias;
    w->tiles->mask(bias, a->group + key, a->group[row], keys, w->room);
    return w->room;
}

/* ---- forward ---- */

/* One block of keys: raw scores to their part of the sum. */
static void forward_block(const work *w, int64_t first, int64_t rows, int64_t key, int64_t keys) {
    const ren__attention *a = w->a;
    w->tiles->columns_product(rows, whole_vectors(keys), a->width, w->query_columns, ROWS,
                              w->key_columns + key * a->width, KEYS, w->scores, KEYS, 0);
    for (int64_t r = 0; r < rows; r++) {
        const float before = w->top[r];
        float *row = w->scores + r * KEYS;
        const float sum = w->tiles->exponentials(row, keys, w->scale, row_bias(w, first + r, key, keys), w->top + r);
        if (key && before < w->top[r]) {
            const float smaller = expf(before - w->top[r]);
            w->total[r] *= smaller;
            w->tiles->scale(w->sum + r * w->wide, w->wide, smaller, w->sum + r * w->wide);
        }
        w->total[r] = key ? w->total[r] + sum : sum;
        if (a->drop) {
            a->drop(a->drop_user, first + r, key, keys, w->factors);
            w->tiles->multiply(w->factors, keys, row);
        }
    }
    w->tiles->rows_product(rows, w->wide, keys, w->scores, w->value_rows + key * w->wide, w->wide, w->sum, w->wide,
                           key > 0);
}

void ren__attention_forward(const ren_context *context, const ren__attention *a, float *out, int64_t out_stride,
                            float *scratch) {
    const work w = open_work(context, a, 0, scratch);
    pack_blocks(&w, a->k, w.key_columns);
    pack_rows(&w, a->v, a->stride, 0, a->tokens, w.value_rows);
    for (int64_t first = 0; first < a->tokens; first += ROWS) {
        const int64_t rows = a->tokens - first < ROWS ? a->tokens - first : ROWS;
        pack_columns(&w, a->q, a->stride, first, rows, ROWS, w.query_columns);
        for (int64_t r = 0; r < rows; r++)
            w.top[r] = -INFINITY;
        for (int64_t key = 0; key < a->tokens; key += KEYS)
            forward_block(&w, first, rows, key, a->tokens - key < KEYS ? a->tokens - key : KEYS);
        for (int64_t r = 0; r < rows; r++) {
            const float share = 1.0f / w.total[r];
            unpack(&w, w.sum + r * w.wide, share, first + r, 1, out, out_stride);
            if (!a->normaliser) continue;
            a->normaliser[2 * (first + r)] = w.top[r];
            a->normaliser[2 * (first + r) + 1] = share;
        }
    }
}

/* ---- backward: dS = P (f dP - sum P f dP), f the factors of dropout; that sum is out dout ---- */

/* One block of keys for a block of queries whose columns and rows are packed; `total` has the rows' sums. */
static void backward_block(const work *w, int64_t first, int64_t rows, int64_t key, int64_t keys, float *dbias) {
    const ren__attention *a = w->a;
    const int64_t columns = whole_vectors(keys), at = key * w->wide;
    w->tiles->columns_product(rows, columns, a->width, w->query_columns, ROWS, w->key_columns + key * a->width, KEYS,
                              w->scores, KEYS, 0);
    w->tiles->columns_product(rows, columns, a->width, w->dout_columns, ROWS, w->value_columns + key * a->width, KEYS,
                              w->gradient, KEYS, 0);
    for (int64_t r = 0; r < rows; r++) {
        float *p = w->scores + r * KEYS, *g = w->gradient + r * KEYS;
        const float *normaliser = a->normaliser + 2 * (first + r);
        w->tiles->probabilities(p, keys, w->scale, row_bias(w, first + r, key, keys), normaliser[0], normaliser[1]);
        if (a->drop) a->drop(a->drop_user, first + r, key, keys, w->factors);
        w->tiles->scores_gradient(p, a->drop ? w->factors : NULL, keys, w->total[r], g);
        if (a->drop) w->tiles->multiply(w->factors, keys, p);
        if (dbias) w->tiles->add(g, keys, dbias + (first + r) * a->bias_stride + key);
    }
    w->tiles->rows_product(rows, w->wide, keys, w->gradient, w->key_rows + at, w->wide, w->sum, w->wide, key > 0);
    w->tiles->columns_product(keys, w->wide, rows, w->gradient, KEYS, w->query_rows, w->wide, w->key_gradient + at,
                              w->wide, first > 0);
    w->tiles->columns_product(keys, w->wide, rows, w->scores, KEYS, w->dout_rows, w->wide, w->value_gradient + at,
                              w->wide, first > 0);
}

static void inner_products(const work *w, const float *out, const float *dout, int64_t stride, int64_t first,
                           int64_t rows) {
    for (int64_t r = 0; r < rows; r++) {
        const float *y = row_of(w->a, out, stride, first + r), *dy = row_of(w->a, dout, stride, first + r);
        float sum = 0;
        for (int64_t d = 0; d < w->a->width; d++)
            sum += y[d] * dy[d];
        w->total[r] = sum;
    }
}

void ren__attention_backward(const ren_context *context, const ren__attention *a, const float *out, const float *dout,
                             int64_t out_stride, float *dq, float *dk, float *dv, int64_t grad_stride, float *dbias,
                             float *scratch) {
    const work w = open_work(context, a, 1, scratch);
    pack_blocks(&w, a->k, w.key_columns);
    pack_blocks(&w, a->v, w.value_columns);
    pack_rows(&w, a->k, a->stride, 0, a->tokens, w.key_rows);
    for (int64_t first = 0; first < a->tokens; first += ROWS) {
        const int64_t rows = a->tokens - first < ROWS ? a->tokens - first : ROWS;
        pack_columns(&w, a->q, a->stride, first, rows, ROWS, w.query_columns);
        pack_columns(&w, dout, out_stride, first, rows, ROWS, w.dout_columns);
        pack_rows(&w, a->q, a->stride, first, rows, w.query_rows);
        pack_rows(&w, dout, out_stride, first, rows, w.dout_rows);
        inner_products(&w, out, dout, out_stride, first, rows);
        for (int64_t key = 0; key < a->tokens; key += KEYS)
            backward_block(&w, first, rows, key, a->tokens - key < KEYS ? a->tokens - key : KEYS, dbias);
        unpack(&w, w.sum, w.scale, first, rows, dq, grad_stride);
    }
    unpack(&w, w.key_gradient, w.scale, 0, a->tokens, dk, grad_stride);
    unpack(&w, w.value_gradient, 1.0f, 0, a->tokens, dv, grad_stride);
}
