/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Fourier transform for sizes of 2, 3 and 5, by Stockham's self-sorting steps. What is transformed is [n][batch] with
 * the batch contiguous, so that the inner loops run over many lines at once.
 */
#include "radiomics/ibsi_fourier.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"

static const double pi = 3.14159265358979323846;

enum { RADIX_MAX = 5, BATCH = 32 };

int64_t ren__fourier_size(int64_t least) {
    for (int64_t size = least < 1 ? 1 : least;; size++) {
        int64_t rest = size;
        for (int64_t radix = 2; radix <= 5; radix++)
            while (rest % radix == 0)
                rest /= radix;
        if (rest == 1) return size;
    }
}

static ren__complex times(ren__complex a, ren__complex b) {
    return (ren__complex){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

static ren__complex plus(ren__complex a, ren__complex b) {
    return (ren__complex){ a.re + b.re, a.im + b.im };
}

static ren__complex minus(ren__complex a, ren__complex b) {
    return (ren__complex){ a.re - b.re, a.im - b.im };
}

/* One line's roots of unity: root[k] = exp(sign 2 pi i k / n). */
typedef struct transform {
    int64_t n;
    const ren__complex *root;
    int sign;
} transform;

/* One step of radix 2: sub-transforms of `m` x 2 numbers, `stride` of them side by side. */
static void step_two(const transform *t, int64_t m, int64_t stride, const ren__complex *from, ren__complex *to) {
    const int64_t turn = t->n / (m * 2);

    for (int64_t p = 0; p < m; p++) {
        const ren__complex w = t->root[p * turn];
        for (int64_t q = 0; q < stride; q++) {
            const ren__complex a = from[q + stride * p], b = from[q + stride * (p + m)];
            to[q + stride * (2 * p)] = plus(a, b);
            to[q + stride * (2 * p + 1)] = times(minus(a, b), w);
        }
    }
}

/* One step of any radix. */
static void step_any(const transform *t, int64_t radix, int64_t m, int64_t stride, const ren__complex *from,
                     ren__complex *to) {
    const int64_t turn = t->n / (m * radix), part = t->n / radix;

    for (int64_t p = 0; p < m; p++)
        for (int64_t j = 0; j < radix; j++) {
            const ren__complex w = t->root[p * j * turn];
            ren__complex u[RADIX_MAX];
            for (int64_t k = 0; k < radix; k++)
                u[k] = times(t->root[j * k % radix * part], w);
            for (int64_t q = 0; q < stride; q++) {
                ren__complex sum = times(from[q + stride * p], u[0]);
                for (int64_t k = 1; k < radix; k++)
                    sum = plus(sum, times(from[q + stride * (p + k * m)], u[k]));
                to[q + stride * (radix * p + j)] = sum;
            }
        }
}

/* Transforms [n][batch]; the result is in `data`, `other` is scratch of the same size. */
static void transform_lines(const transform *t, int64_t batch, ren__complex *data, ren__complex *other) {
    ren__complex *from = data, *to = other;
    int64_t rest = t->n, stride = batch;

    while (rest > 1) {
        const int64_t radix = rest % 5 == 0 ? 5 : rest % 3 == 0 ? 3 : 2;
        rest /= radix;
        if (radix == 2)
            step_two(t, rest, stride, from, to);
        else
            step_any(t, radix, rest, stride, from, to);
        stride *= radix;
        ren__complex *const swap = from;
        from = to;
        to = swap;
    }
    if (from != data) memcpy(data, from, (size_t)(t->n * batch) * sizeof *data);
}

/* Lines along one axis: `inner` of them begin side by side, each of `n` elements that lie `inner` apart. */
typedef struct axis_job {
    transform t;
    int64_t inner;
    int64_t blocks;               /* of at most BATCH lines in each group of `inner` */
    ren__complex *data, *scratch; /* scratch: 2 n BATCH for each thread */
} axis_job;

static void transform_blocks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const axis_job *job = argument;
    const int64_t n = job->t.n;
    ren__complex *lines = job->scratch + thread * 2 * n * BATCH, *other = lines + n * BATCH;

    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block % job->blocks * BATCH;
        const int64_t batch = job->inner - first < BATCH ? job->inner - first : BATCH;
        ren__complex *data = job->data + block / job->blocks * n * job->inner + first;

        for (int64_t i = 0; i < n; i++)
            memcpy(lines + i * batch, data + i * job->inner, (size_t)batch * sizeof *lines);
        transform_lines(&job->t, batch, lines, other);
        for (int64_t i = 0; i < n; i++)
            memcpy(data + i * job->inner, lines + i * batch, (size_t)batch * sizeof *lines);
    }
}

ren_status ren__fourier_transform(ren_context *context, ren__run *run, ren__complex *data, const int64_t shape[3],
                                  int sign) {
    ren_status st = REN_OK;
    ren__complex *root = NULL, *scratch = NULL;
    int64_t longest = shape[0], inner = 1;

    for (int a = 1; a < 3; a++)
        if (shape[a] > longest) longest = shape[a];
    REN_CALLOC(root, (size_t)longest);
    REN_CALLOC(scratch, (size_t)(2 * longest * BATCH * context->threads));
    for (int a = 0; a < 3; a++) {
        const int64_t n = shape[a], groups = shape[0] * shape[1] * shape[2] / (n * inner);
        const int64_t blocks = (inner + BATCH - 1) / BATCH;
        axis_job job = { { n, root, sign }, inner, blocks, data, scratch };

        for (int64_t k = 0; k < n; k++) {
            const double angle = 2 * pi * (double)k / (double)n;
            root[k] = (ren__complex){ cos(angle), sign * sin(angle) };
        }
        if (n > 1) ren__parallel_for(context, run, groups * blocks, 8, transform_blocks, &job);
        REN_TRY(ren__run_check(run));
        inner *= n;
    }
out:
    ren__free(root);
    ren__free(scratch);
    return st;
}
