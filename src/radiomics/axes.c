/* SPDX-License-Identifier: Apache-2.0 */
/* Principal axes from sums of voxel numbers, which are whole and exact in double up to 2^53. */
#include "radiomics/axes.h"

#include <float.h>
#include <math.h>

#include "base/parallel.h"
#include "radiomics/eigen.h"

enum {
    BLOCK = 256,
    ROWS_AT_ONCE = 256,
    COUNT = 0,
    X = 1,
    Y = 2,
    Z = 3,
    XX = 4,
    XY = 5,
    XZ = 6,
    YY = 7,
    YZ = 8,
    ZZ = 9,
    SUMS
};

typedef struct survey {
    const ren__region *region;
    double (*sums)[SUMS]; /* for each chunk of rows */
} survey;

/* Number of voxels of a row, sum of their x and of its square. In a block of 256 all three fit into 32 bits. */
static void sum_row(const uint8_t *row, int64_t count, double *n, double *x, double *xx) {
    for (int64_t begin = 0; begin < count; begin += BLOCK) {
        const int32_t end = count - begin < BLOCK ? (int32_t)(count - begin) : BLOCK;
        const double at = (double)begin;
        int32_t s0 = 0, s1 = 0, s2 = 0;

#pragma omp simd reduction(+ : s0, s1, s2)
        for (int32_t i = 0; i < end; i++) {
            const int32_t voxel = row[begin + i], weighted = voxel * i;
            s0 += voxel;
            s1 += weighted;
            s2 += weighted * i;
        }
        *n += s0;
        *x += s1 + at * s0;
        *xx += s2 + 2.0 * at * s1 + at * at * s0;
    }
}

static void sum_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const survey *job = argument;
    const int64_t *shape = job->region->shape;
    double *sums = job->sums[begin / ROWS_AT_ONCE];

    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const int64_t plane = row / shape[1];
        const double y = (double)(row - plane * shape[1]), z = (double)plane;
        double n = 0.0, x = 0.0, xx = 0.0;

        sum_row(job->region->inside + row * shape[0], shape[0], &n, &x, &xx);
        if (n == 0.0) continue;
        const double row_sums[SUMS] = {
            [COUNT] = n,  [X] = x,      [Y] = y * n,      [Z] = z * n,      [XX] = xx,
            [XY] = x * y, [XZ] = x * z, [YY] = y * y * n, [YZ] = y * z * n, [ZZ] = z * z * n
        };
        for (int i = 0; i < SUMS; i++)
            sums[i] += row_sums[i];
    }
}

/* Mean and covariance in mm. The sums are first moved, in whole numbers, to the voxel next to the mean, so that the
 * subtraction of what the rest of the mean makes loses nothing. */
static void covariance(const double sums[SUMS], const double spacing[3], double mean[3], double matrix[9]) {
    static const int second[3][3] = { { XX, XY, XZ }, { XY, YY, YZ }, { XZ, YZ, ZZ } };
    const double n = sums[COUNT];
    double centre[3], rest[3];

    for (int d = 0; d < 3; d++) {
        centre[d] = nearbyint(sums[X + d] / n);
        rest[d] = (sums[X + d] - n * centre[d]) / n;
        mean[d] = (centre[d] + rest[d]) * spacing[d];
    }
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            const double about =
                sums[second[i][k]] - centre[i] * sums[X + k] - centre[k] * sums[X + i] + n * centre[i] * centre[k];
            matrix[3 * i + k] = (about / n - rest[i] * rest[k]) * spacing[i] * spacing[k];
        }
    }
}

ren_status ren__axes_measure(const ren__region *region, ren__run *run, ren__axes *out) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    const int64_t rows = region->shape[1] * region->shape[2], chunks = (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    double sums[SUMS] = { 0 }, matrix[9], scratch[3];
    survey job = { .region = region };

    REN_CALLOC(job.sums, (size_t)chunks);
    ren__parallel_for(context, run, rows, ROWS_AT_ONCE, sum_rows, &job);
    REN_TRY(ren__run_check(run));
    for (int64_t c = 0; c < chunks; c++)
        for (int i = 0; i < SUMS; i++)
            sums[i] += job.sums[c][i];
    covariance(sums, region->spacing, out->mean, matrix);
    ren__eigen_symmetric(3, matrix, out->variance, out->directions, scratch);
    for (int d = 0; d < 3; d++)
        if (out->variance[d] <= 8.0 * DBL_EPSILON * out->variance[2]) out->variance[d] = 0.0;
out:
    ren__free(job.sums);
    return st;
}
