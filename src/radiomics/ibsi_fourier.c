/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Fourier transform for sizes of 2, 3 and 5, by Stockham's self-sorting steps. Lines are transformed a batch at a
 * time as [n][batch], so that the inner loops run over many lines at once.
 */
#include "radiomics/ibsi_fourier.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"

static const double pi = 3.14159265358979323846;

enum { BATCH = 32 };

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

/* a + factor b, and the same with a factor along the imaginary axis. */
static ren__complex plus_times(ren__complex a, double factor, ren__complex b) {
    return (ren__complex){ a.re + factor * b.re, a.im + factor * b.im };
}

static ren__complex plus_turned(ren__complex a, double factor, ren__complex b) {
    return (ren__complex){ a.re - factor * b.im, a.im + factor * b.re };
}

/* A step of radix r takes r numbers that lie `m` places apart and makes sub-transforms of what they give; `stride`
 * numbers of as many transforms lie side by side. */
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

static void step_three(const transform *t, int64_t m, int64_t stride, const ren__complex *from, ren__complex *to) {
    const int64_t turn = t->n / (m * 3);
    const double sine = t->sign * 0.86602540378443864676;

    for (int64_t p = 0; p < m; p++) {
        const ren__complex w = t->root[p * turn], v = t->root[2 * p * turn];
        for (int64_t q = 0; q < stride; q++) {
            const ren__complex a = from[q + stride * p], b = from[q + stride * (p + m)];
            const ren__complex c = from[q + stride * (p + 2 * m)], sum = plus(b, c);
            const ren__complex half = plus_times(a, -0.5, sum), off = minus(b, c);
            to[q + stride * (3 * p)] = plus(a, sum);
            to[q + stride * (3 * p + 1)] = times(plus_turned(half, sine, off), w);
            to[q + stride * (3 * p + 2)] = times(plus_turned(half, -sine, off), v);
        }
    }
}

static void step_four(const transform *t, int64_t m, int64_t stride, const ren__complex *from, ren__complex *to) {
    const int64_t turn = t->n / (m * 4);

    for (int64_t p = 0; p < m; p++) {
        const ren__complex w = t->root[p * turn], v = t->root[2 * p * turn], u = t->root[3 * p * turn];
        for (int64_t q = 0; q < stride; q++) {
            const ren__complex a = from[q + stride * p], b = from[q + stride * (p + m)];
            const ren__complex c = from[q + stride * (p + 2 * m)], d = from[q + stride * (p + 3 * m)];
            const ren__complex even = plus(a, c), odd = plus(b, d), off = minus(a, c), turned = minus(b, d);
            to[q + stride * (4 * p)] = plus(even, odd);
            to[q + stride * (4 * p + 1)] = times(plus_turned(off, t->sign, turned), w);
            to[q + stride * (4 * p + 2)] = times(minus(even, odd), v);
            to[q + stride * (4 * p + 3)] = times(plus_turned(off, -t->sign, turned), u);
        }
    }
}

static void step_five(const transform *t, int64_t m, int64_t stride, const ren__complex *from, ren__complex *to) {
    const int64_t turn = t->n / (m * 5);
    const double cos1 = 0.30901699437494742410, cos2 = -0.80901699437494742410;
    const double sin1 = t->sign * 0.95105651629515357212, sin2 = t->sign * 0.58778525229247312917;

    for (int64_t p = 0; p < m; p++) {
        const ren__complex *w = t->root;
        const int64_t k = p * turn;
        for (int64_t q = 0; q < stride; q++) {
            const ren__complex a = from[q + stride * p], b = from[q + stride * (p + m)];
            const ren__complex c = from[q + stride * (p + 2 * m)], d = from[q + stride * (p + 3 * m)];
            const ren__complex e = from[q + stride * (p + 4 * m)];
            const ren__complex be = plus(b, e), cd = plus(c, d), off = minus(b, e), inner = minus(c, d);
            const ren__complex first = plus_times(plus_times(a, cos1, be), cos2, cd);
            const ren__complex second = plus_times(plus_times(a, cos2, be), cos1, cd);
            to[q + stride * (5 * p)] = plus(a, plus(be, cd));
            to[q + stride * (5 * p + 1)] = times(plus_turned(plus_turned(first, sin1, off), sin2, inner), w[k]);
            to[q + stride * (5 * p + 2)] = times(plus_turned(plus_turned(second, sin2, off), -sin1, inner), w[2 * k]);
            to[q + stride * (5 * p + 3)] = times(plus_turned(plus_turned(second, -sin2, off), sin1, inner), w[3 * k]);
            to[q + stride * (5 * p + 4)] = times(plus_turned(plus_turned(first, -sin1, off), -sin2, inner), w[4 * k]);
        }
    }
}

/* Transforms [n][batch]; the result is in `data`, `other` is scratch of the same size. */
static void transform_lines(const transform *t, int64_t batch, ren__complex *data, ren__complex *other) {
    ren__complex *from = data, *to = other;
    int64_t rest = t->n, stride = batch;

    while (rest > 1) {
        const int64_t radix = rest % 4 == 0 ? 4 : rest % 2 == 0 ? 2 : rest % 3 == 0 ? 3 : 5;
        rest /= radix;
        (radix == 4   ? step_four
         : radix == 2 ? step_two
         : radix == 3 ? step_three
                      : step_five)(t, rest, stride, from, to);
        stride *= radix;
        ren__complex *const swap = from;
        from = to;
        to = swap;
    }
    if (from != data) memcpy(data, from, (size_t)(t->n * batch) * sizeof *data);
}

typedef struct axis_job {
    const ren__fourier *what;
    transform t;
    int64_t pitch[3];      /* elements from a place to the next along each axis */
    int32_t beside, outer; /* the axis along which lines are batched, and the other one */
    int64_t blocks;        /* batches along `beside` */
    ren__complex *scratch; /* 2 n BATCH for each thread */
} axis_job;

static void transform_blocks(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const axis_job *job = argument;
    const ren__fourier *what = job->what;
    const int64_t n = job->t.n, stored = what->shape[what->axis], along = job->pitch[what->axis];
    ren__complex *lines = job->scratch + (int64_t)thread * 2 * n * BATCH, *other = lines + n * BATCH;

    for (int64_t block = begin; block < end; block++) {
        const int64_t first = block % job->blocks * BATCH, left = what->lines[job->beside] - first;
        const int64_t batch = left < BATCH ? left : BATCH, step = job->pitch[job->beside];
        ren__complex *data = what->data + block / job->blocks * job->pitch[job->outer] + first * step;

        for (int64_t i = 0; i < n; i++) {
            const ren__complex *place = data + (i < stored ? i : n - i) * along;
            for (int64_t q = 0; q < batch; q++)
                lines[i * batch + q] = place[q * step];
        }
        transform_lines(&job->t, batch, lines, other);
        for (int64_t i = 0; i < stored; i++)
            for (int64_t q = 0; q < batch; q++)
                data[i * along + q * step] = lines[i * batch + q];
    }
}

ren_status ren__fourier_transform(ren_context *context, ren__run *run, const ren__fourier *what) {
    ren_status st = REN_OK;
    const int64_t n = what->even_length ? what->even_length : what->shape[what->axis];
    ren__complex *root = NULL;
    axis_job job = { .what = what, .pitch = { 1, what->shape[0], what->shape[0] * what->shape[1] } };

    job.beside = what->axis == 0 ? 1 : 0;
    job.outer = what->axis == 2 ? 1 : 2;
    job.blocks = (what->lines[job.beside] + BATCH - 1) / BATCH;
    REN_CALLOC(root, (size_t)n);
    REN_CALLOC(job.scratch, (size_t)(2 * n * BATCH * context->threads));
    for (int64_t k = 0; k < n; k++) {
        const double angle = 2 * pi * (double)k / (double)n;
        root[k] = (ren__complex){ cos(angle), what->sign * sin(angle) };
    }
    job.t = (transform){ n, root, what->sign };
    ren__parallel_for(context, run, job.blocks * what->lines[job.outer], 4, transform_blocks, &job);
    REN_TRY(ren__run_check(run));
out:
    ren__free(root);
    ren__free(job.scratch);
    return st;
}
