/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentation: one affine resampling and noise, from counters. */
#include "volume/augment.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"

/* Keeps these numbers apart from what else is drawn for the same (seed, epoch, sample), such as dropout. */
static const uint64_t AUGMENT_KEY = 0x9e3779b97f4a7c15u;

/* rotation <- rotation x (turn by `angle` in the plane of axes a, b) */
static void turn(double rotation[3][3], int a, int b, double angle) {
    const double c = cos(angle), s = sin(angle);

    for (int row = 0; row < 3; row++) {
        const double x = rotation[row][a], y = rotation[row][b];

        rotation[row][a] = x * c + y * s;
        rotation[row][b] = y * c - x * s;
    }
}

static double symmetric(ren__rng *rng, double largest) {
    return largest * (2.0 * ren__rng_uniform(rng) - 1.0);
}

void ren__augment_draw(const ren__augment_options *options, uint64_t seed, uint32_t epoch, uint32_t sample,
                       const int64_t size[3], ren__augment_change *change) {
    ren__rng rng;
    double chance[3], angle[3], shift[3], scale, rotation[3][3] = { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } };
    int rotates, fits;

    /* always the same number of draws: one option does not change what another one gets */
    ren__rng_init(&rng, seed ^ AUGMENT_KEY, epoch, sample);
    for (int n = 0; n < 3; n++)
        chance[n] = ren__rng_uniform(&rng);
    for (int n = 0; n < 3; n++)
        angle[n] = symmetric(&rng, options->rotation);
    for (int n = 0; n < 3; n++)
        shift[n] = symmetric(&rng, options->shift);
    scale = 1.0 + symmetric(&rng, options->scale);
    rotates = chance[0] < options->rotation_probability;
    fits = chance[1] < options->affine_probability;

    *change =
        (ren__augment_change){ .moves = rotates || fits, .epoch = epoch, .sample = sample, .key = seed ^ ~AUGMENT_KEY };
    if (chance[2] < options->noise_probability) change->noise = options->noise;
    if (rotates) {
        turn(rotation, 1, 2, angle[0]);
        turn(rotation, 2, 0, angle[1]);
        turn(rotation, 0, 1, angle[2]);
    }
    /* output = centre + scale R (input - centre) + shift, so input = centre + R' (output - centre - shift) / scale */
    for (int row = 0; row < 3; row++) {
        change->matrix[row][3] = 0.5 * (double)(size[row] - 1);
        for (int a = 0; a < 3; a++) {
            const double m = rotation[a][row] / (fits ? scale : 1.0);

            change->matrix[row][a] = m;
            change->matrix[row][3] -= m * (0.5 * (double)(size[a] - 1) + (fits ? shift[a] : 0.0));
        }
    }
}

typedef struct augment_job {
    const ren__augment_change *change;
    const int64_t *size;
    const float *source;
    float *target;
    int32_t is_labels;
} augment_job;

/* One of the eight neighbours; zero outside the grid. */
static float neighbour(const augment_job *job, int64_t d, int64_t h, int64_t w) {
    const int64_t *n = job->size;

    if (d < 0 || h < 0 || w < 0 || d >= n[0] || h >= n[1] || w >= n[2]) return 0.0f;
    return job->source[(d * n[1] + h) * n[2] + w];
}

static float lerp(float a, float b, float t) {
    return a + t * (b - a);
}

/* The source between its cells, at a position that is less than one cell outside the grid at most. */
static float interpolate(const augment_job *job, const double at[3]) {
    const int64_t *n = job->size;
    int64_t low[3];
    float t[3], v[8];
    int inside = 1;

    for (int a = 0; a < 3; a++) {
        const double whole = floor(at[a]);

        low[a] = (int64_t)whole;
        t[a] = (float)(at[a] - whole);
        inside &= low[a] >= 0 && low[a] + 1 < n[a];
    }
    if (inside) {
        const float *p = job->source + (low[0] * n[1] + low[1]) * n[2] + low[2], *q = p + n[1] * n[2];

        v[0] = p[0], v[1] = p[1], v[2] = p[n[2]], v[3] = p[n[2] + 1];
        v[4] = q[0], v[5] = q[1], v[6] = q[n[2]], v[7] = q[n[2] + 1];
    } else {
        for (int c = 0; c < 8; c++)
            v[c] = neighbour(job, low[0] + (c >> 2), low[1] + ((c >> 1) & 1), low[2] + (c & 1));
    }
    return lerp(lerp(lerp(v[0], v[1], t[2]), lerp(v[2], v[3], t[2]), t[1]),
                lerp(lerp(v[4], v[5], t[2]), lerp(v[6], v[7], t[2]), t[1]), t[0]);
}

static float nearest(const augment_job *job, const double at[3]) {
    return neighbour(job, (int64_t)floor(at[0] + 0.5), (int64_t)floor(at[1] + 0.5), (int64_t)floor(at[2] + 0.5));
}

static void move_row(const augment_job *job, int64_t d, int64_t h, float *row) {
    const int64_t *n = job->size;
    const double(*m)[4] = job->change->matrix;

    for (int64_t w = 0; w < n[2]; w++) {
        double at[3];
        int near = 1;

        for (int a = 0; a < 3; a++) {
            at[a] = m[a][0] * (double)d + m[a][1] * (double)h + m[a][2] * (double)w + m[a][3];
            near &= at[a] > -1.0 && at[a] < (double)n[a];
        }
        row[w] = !near ? 0.0f : job->is_labels ? nearest(job, at) : interpolate(job, at);
    }
}

/* Adds noise to the cells of a row that are not zero. A cell's number depends on its index alone: four cells share a
 * Philox block, whose words give two pairs of normal numbers (Box-Muller). */
static void add_noise(const augment_job *job, int64_t first, float *row, int64_t count) {
    const ren__augment_change *change = job->change;
    const uint32_t key[2] = { (uint32_t)change->key, (uint32_t)(change->key >> 32) };
    int64_t block = -1;
    float normal[4] = { 0.0f, 0.0f, 0.0f, 0.0f };

    for (int64_t w = 0; w < count; w++) {
        const int64_t index = first + w;

        if (row[w] == 0.0f) continue;
        if (index / 4 != block) {
            const uint32_t counter[4] = { (uint32_t)(index / 4), (uint32_t)((uint64_t)(index / 4) >> 32), change->epoch,
                                          change->sample };
            uint32_t word[4];

            block = index / 4;
            ren__philox(counter, key, word);
            for (int n = 0; n < 4; n += 2) {
                const double u = ((double)word[n] + 1.0) * 0x1p-32, radius = sqrt(-2.0 * log(u)); /* u in (0, 1] */
                const double angle = (double)word[n + 1] * (6.28318530717958647693 * 0x1p-32);

                normal[n] = (float)(radius * cos(angle));
                normal[n + 1] = (float)(radius * sin(angle));
            }
        }
        row[w] += (float)change->noise * normal[index & 3];
    }
}

static void augment_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const augment_job *job = argument;
    const int64_t *n = job->size;

    (void)thread;
    for (int64_t d = begin; d < end; d++) {
        for (int64_t h = 0; h < n[1]; h++) {
            const int64_t first = (d * n[1] + h) * n[2];
            float *row = job->target + first;

            if (job->change->moves)
                move_row(job, d, h, row);
            else
                memcpy(row, job->source + first, (size_t)n[2] * sizeof *row);
            if (job->change->noise > 0.0 && !job->is_labels) add_noise(job, first, row, n[2]);
        }
    }
}

ren_status ren__augment_apply(ren_context *context, ren__run *run, const ren__augment_change *change,
                              const int64_t size[3], const float *source, float *target) {
    augment_job job = { change, size, source, target, 0 };

    ren__parallel_for(context, run, size[0], 1, augment_planes, &job);
    return ren__run_check(run);
}

ren_status ren__augment_labels(ren_context *context, ren__run *run, const ren__augment_change *change,
                               const int64_t size[3], const float *source, float *target) {
    augment_job job = { change, size, source, target, 1 };

    ren__parallel_for(context, run, size[0], 1, augment_planes, &job);
    return ren__run_check(run);
}

ren_status ren__augment(ren_context *context, ren__run *run, const ren__augment_options *options, uint64_t seed,
                        uint32_t epoch, uint32_t sample, const int64_t size[3], const float *source, float *target) {
    ren__augment_change change;

    ren__augment_draw(options, seed, epoch, sample, size, &change);
    return ren__augment_apply(context, run, &change, size, source, target);
}
