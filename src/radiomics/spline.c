/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cubic B-spline on a grid along the image's axes. A sample is a sum over 64 coefficients whose order decides to
 * which side a whole number's sample is truncated, so it stays ITK's; what is saved is all around it. A thread takes a
 * column of samples, WIDTH x ROWS wide, from the first plane to the last. The coefficients along x are gathered once
 * for each row of the image and serve all samples around it; so do the weights of x times y.
 */
#include <string.h>

#include "base/parallel.h"
#include "radiomics/sampler.h"
#include "radiomics/spline_rows.h"

enum { WIDTH = REN__SPLINE_WIDTH, ROWS = 16, RING = 4, ROWS_MAX = 4 * ROWS, LINE = 8 };

/* Samples that are neighbours along x, for all rows. */
typedef struct block {
    int64_t index[4][WIDTH]; /* from the source's first voxel of the row */
    double weight[4][WIDTH];
    uint8_t within[WIDTH];
    int whole; /* all are within the image */
} block;

/* What one column of samples reads: 320 KB at most, about 150 KB where the spacings are alike. */
typedef struct scratch {
    ren__spline_taps taps[RING][ROWS_MAX]; /* plane z of the source is in z % RING: the four of a sample never meet */
    int64_t plane[RING];                   /* which plane is there; -1: none */
    int64_t rows[ROWS_MAX];                /* of the source, that the column needs */
    int row_count;
    int32_t row_of[ROWS][4]; /* of each row of samples: its four among them */
    ren__spline_weights weights[ROWS];
    double out[WIDTH];
} scratch;

typedef struct spline_job {
    const ren__source *from;
    const int64_t *shape;
    ren__support *const *supports;
    block *blocks;
    int64_t block_count;
    scratch *scratches; /* one for each thread */
    ren__spline_fn kernel;
    ren__samples_fn take;
    void *user;
} spline_job;

static void fill_block(const spline_job *job, int64_t number, block *out) {
    const int64_t first = number * WIDTH;
    memset(out, 0, sizeof *out); /* what is past the end is computed and dropped */
    out->whole = 1;
    for (int64_t i = 0; i < WIDTH && first + i < job->shape[0]; i++) {
        const ren__support *support = &job->supports[0][first + i];
        out->within[i] = support->taps != 0;
        out->whole &= out->within[i];
        for (int t = 0; t < support->taps; t++) {
            out->index[t][i] = support->index[t] - job->from->begin[0];
            out->weight[t][i] = support->weight[t];
        }
    }
}

/* The source's rows around the column, and the weights. */
static void begin_column(const spline_job *job, const block *at, int64_t first, int64_t height, scratch *s) {
    s->row_count = 0;
    for (int slot = 0; slot < RING; slot++)
        s->plane[slot] = -1;
    for (int64_t j = 0; j < height; j++) {
        const ren__support *y = &job->supports[1][first + j];
        for (int n = 0; n < y->taps; n++) {
            int row = s->row_count;
            while (row > 0 && s->rows[row - 1] != y->index[n])
                row--;
            if (!row) {
                s->rows[s->row_count++] = y->index[n];
                row = s->row_count;
            }
            s->row_of[j][n] = row - 1;
            for (int t = 0; t < 4; t++)
                for (int i = 0; i < WIDTH; i++)
                    s->weights[j][4 * n + t][i] = at->weight[t][i] * y->weight[n];
        }
    }
}

/* The row's part that the block takes from, on its way into the cache. */
static void prefetch(const double *row, const block *at) {
    for (int i = 0; i < WIDTH; i += LINE)
        __builtin_prefetch(row + at->index[0][i]);
    __builtin_prefetch(row + at->index[3][WIDTH - 1]);
}

/* The column's rows of plane z. They lie too far apart for the processor to guess the next ones: the next plane's are
 * asked for while this one's samples are computed. */
static void gather(const spline_job *job, const block *at, int64_t z, scratch *s) {
    const ren__source *from = job->from;
    const int64_t slot = z % RING, size = from->shape[0] * from->shape[1];
    if (s->plane[slot] == z) return;
    const double *plane = from->values + (z - from->begin[2]) * size - from->begin[1] * from->shape[0];
    const int next = z + 1 < from->begin[2] + from->shape[2];
    for (int r = 0; r < s->row_count; r++) {
        const double *row = plane + s->rows[r] * from->shape[0];
        for (int t = 0; t < 4; t++)
            for (int i = 0; i < WIDTH; i++)
                s->taps[slot][r][t][i] = row[at->index[t][i]];
        if (next) prefetch(row + size, at);
    }
    s->plane[slot] = z;
}

static void give(const spline_job *job, int64_t number, int64_t j, int64_t k, scratch *s) {
    const block *at = &job->blocks[number];
    const int64_t first = number * WIDTH, left = job->shape[0] - first;
    for (int i = 0; i < WIDTH && !at->whole; i++)
        if (!at->within[i]) s->out[i] = 0.0;
    job->take(job->user, (k * job->shape[1] + j) * job->shape[0] + first, s->out, left < WIDTH ? left : WIDTH);
}

/* The column in plane k of the grid. */
static void sample_plane(const spline_job *job, int64_t number, int64_t first, int64_t height, int64_t k, scratch *s) {
    const ren__support *z = &job->supports[2][k];
    const ren__spline_taps *rows[16];
    for (int n = 0; n < z->taps; n++)
        gather(job, &job->blocks[number], z->index[n], s);
    for (int64_t j = 0; j < height; j++) {
        if (z->taps && job->supports[1][first + j].taps) {
            for (int n = 0; n < 16; n++)
                rows[n] = (const ren__spline_taps *)&s->taps[z->index[n / 4] % RING][s->row_of[j][n % 4]];
            job->kernel((const ren__spline_weights *)&s->weights[j], rows, z->weight, s->out);
        } else {
            memset(s->out, 0, sizeof s->out);
        }
        give(job, number, first + j, k, s);
    }
}

static void sample_columns(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const spline_job *job = argument;
    scratch *s = &job->scratches[thread];
    for (int64_t item = begin; item < end; item++) {
        const int64_t number = item % job->block_count, first = item / job->block_count * ROWS;
        const int64_t left = job->shape[1] - first, height = left < ROWS ? left : ROWS;
        begin_column(job, &job->blocks[number], first, height, s);
        for (int64_t k = 0; k < job->shape[2]; k++)
            sample_plane(job, number, first, height, k, s);
    }
}

ren_status ren__sample_spline(ren_context *context, const ren__source *source, const int64_t shape[3],
                              ren__support *const supports[3], ren__run *run, ren__samples_fn take, void *user) {
    ren_status st = REN_OK;
    spline_job job = { .from = source, .shape = shape, .supports = supports, .take = take, .user = user };
    job.kernel = ren__spline_rows_of(context);
    job.block_count = (shape[0] + WIDTH - 1) / WIDTH;
    REN_CALLOC(job.blocks, (size_t)job.block_count);
    REN_CALLOC(job.scratches, (size_t)context->threads);
    for (int64_t b = 0; b < job.block_count; b++)
        fill_block(&job, b, &job.blocks[b]);
    ren__parallel_for(context, run, job.block_count * ((shape[1] + ROWS - 1) / ROWS), 1, sample_columns, &job);
    st = ren__run_check(run);
out:
    ren__free(job.blocks);
    ren__free(job.scratches);
    return st;
}
