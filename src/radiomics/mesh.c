/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Area and volume of the surface mesh, from how many cubes of each case there are.
 *
 * All cubes of one case have the same triangles, and the volume det(o + a, o + b, o + c) of a triangle abc in the cube
 * at o is det(a, b, c) + o . (a x b + b x c + c x a): linear in o. So it is enough to count the cubes of each of the
 * 256 cases and to add up where they are, in whole numbers, and no rounding grows with the size of the surface.
 */
#include "radiomics/mesh.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/mesh_tables.h"

enum { CASES = 256, WORD = 8, MARGIN = 2 * WORD };

/* Cubes of one case: their number and the sums of their z, y, x. Whole numbers, exact in double, so that the order in
 * which threads add them up does not matter. */
typedef struct tally {
    double count, at[3];
} tally;

typedef struct survey {
    const ren__region *region;
    tally *tallies;    /* CASES for each thread */
    uint8_t *columns;  /* two rows for each thread */
    int64_t row_bytes; /* of a row of columns, with a margin of zeros */
} survey;

/* Each cube has four corners on either side along x. A column is one side: bit 0 for the lower plane's voxel of a row,
 * bit 4 for the upper plane's. columns[i] belongs to voxel i - 1; NULL planes are outside the box. */
static void read_columns(const uint8_t *lower, const uint8_t *upper, int64_t count, uint8_t *columns) {
    uint8_t *to = columns + 1;

    if (lower && upper) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            to[i] = (uint8_t)(lower[i] | upper[i] << 4);
    } else if (lower || upper) {
        const uint8_t *only = lower ? lower : upper;
        const int shift = lower ? 0 : 4;
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            to[i] = (uint8_t)(only[i] << shift);
    } else {
        memset(to, 0, (size_t)count);
    }
}

static uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

/* One row of cubes between two rows of columns: the corners' bits, eight cubes at once. */
static void survey_row(const uint8_t *near, const uint8_t *far, int64_t cubes, double z, double y, tally *tallies) {
    for (int64_t x = 0; x < cubes; x += WORD) {
        const uint64_t word =
            word_at(near + x) | word_at(near + x + 1) << 1 | word_at(far + x + 1) << 2 | word_at(far + x) << 3;
        uint8_t cases[WORD];

        if (word == 0 || word == UINT64_MAX) continue; /* wholly outside or inside */
        memcpy(cases, &word, sizeof cases);
        const int64_t end = cubes - x < WORD ? cubes - x : WORD;
        for (int64_t i = 0; i < end; i++) {
            tally *t = &tallies[cases[i]];
            if (cases[i] == 0 || cases[i] == CASES - 1) continue;
            t->count += 1.0;
            t->at[0] += z;
            t->at[1] += y;
            t->at[2] += (double)(x + i);
        }
    }
}

/* Planes of cubes: plane z lies between the voxels' planes z - 1 and z. */
static void survey_planes(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const survey *job = argument;
    const int64_t *shape = job->region->shape;
    const int64_t plane = shape[0] * shape[1];
    uint8_t *near = job->columns + 2 * job->row_bytes * thread, *far = near + job->row_bytes;
    tally *tallies = job->tallies + (int64_t)CASES * thread;

    for (int64_t z = begin; z < end; z++) {
        memset(near, 0, (size_t)job->row_bytes);
        for (int64_t y = 0; y <= shape[1]; y++) {
            const uint8_t *row = y < shape[1] ? job->region->inside + z * plane + y * shape[0] : NULL;
            read_columns(row && z > 0 ? row - plane : NULL, z < shape[2] ? row : NULL, shape[0], far);
            survey_row(near, far, shape[0] + 1, (double)z, (double)y, tallies);
            uint8_t *passed = near;
            near = far;
            far = passed;
        }
    }
}

static void cross(const double a[3], const double b[3], double out[3]) {
    out[0] = a[1] * b[2] - b[1] * a[2];
    out[1] = a[2] * b[0] - b[2] * a[0];
    out[2] = a[0] * b[1] - b[0] * a[1];
}

static double dot(const double a[3], const double b[3]) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/* Adds one triangle of all cubes of a case. Corners are in half steps: z, y, x. `volume` is in 48ths of a voxel. */
static void add_triangle(const int8_t edges[3], const tally *cubes, double sign, const double spacing[3],
                         double *volume, double *area) {
    double corner[3][3], product[3], sides[2][3];

    for (int i = 0; i < 3; i++)
        for (int d = 0; d < 3; d++)
            corner[i][d] = (double)ren__mesh_edges[edges[i]][d];
    cross(corner[0], corner[1], product);
    *volume += sign * cubes->count * dot(product, corner[2]);
    for (int i = 0; i < 3; i++) {
        cross(corner[i], corner[(i + 1) % 3], product);
        *volume += 2.0 * sign * dot(product, cubes->at);
    }
    for (int i = 0; i < 2; i++)
        for (int d = 0; d < 3; d++)
            sides[i][d] = (corner[i][d] - corner[2][d]) * 0.5 * spacing[d];
    cross(sides[0], sides[1], product);
    *area += cubes->count * 0.5 * sqrt(dot(product, product));
}

static void sum_up(const tally *tallies, int32_t threads, const double spacing[3], ren__mesh *out) {
    double volume = 0.0, area = 0.0;

    for (int32_t code = 1; code < CASES - 1; code++) {
        const int turned = code >= CASES / 2;
        const int8_t *triangles = ren__mesh_triangles[turned ? CASES - 1 - code : code];
        tally all = { 0 };

        for (int32_t t = 0; t < threads; t++) {
            const tally *part = &tallies[t * CASES + code];
            all.count += part->count;
            for (int d = 0; d < 3; d++)
                all.at[d] += part->at[d];
        }
        for (; all.count > 0.0 && triangles[0] >= 0; triangles += 3)
            add_triangle(triangles, &all, turned ? -1.0 : 1.0, spacing, &volume, &area);
    }
    out->volume = volume / 48.0 * (spacing[0] * spacing[1] * spacing[2]);
    out->area = area;
}

ren_status ren__mesh_measure(const ren__region *region, ren__run *run, ren__mesh *out) {
    ren_context *context = region->context;
    ren_status st = REN_OK;
    const double spacing[3] = { region->spacing[2], region->spacing[1], region->spacing[0] };
    const size_t threads = (size_t)context->threads;
    survey job = { .region = region, .row_bytes = (region->shape[0] + MARGIN + 63) / 64 * 64 };

    REN_CALLOC(job.tallies, threads * CASES);
    REN_CALLOC(job.columns, threads * 2 * (size_t)job.row_bytes);
    ren__parallel_for(context, run, region->shape[2] + 1, 1, survey_planes, &job);
    REN_TRY(ren__run_check(run));
    sum_up(job.tallies, context->threads, spacing, out);
out:
    ren__free(job.tallies);
    ren__free(job.columns);
    return st;
}
