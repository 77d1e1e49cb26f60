/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One convolution of the stationary wavelet transform, for REAL float or double: included twice by filter_wavelet.c.
 * Sums run in PyWavelets' order, so that floats come out with its bits.
 */

/* Tap number `n` of output position g: ascending, but what hangs over the end of the period comes first and backwards.
 */
static int32_t NAMED(tap)(int64_t overhang, int32_t n) {
    return n < overhang ? (int32_t)(overhang - 1 - n) : n;
}

static void NAMED(along_row)(const convolve_job *job, const REAL *in, REAL *out) {
    const REAL *filter = job->filter;
    const int32_t taps = job->taps;
    const int64_t length = job->to.length[0];
    for (int64_t x = 0; x < length; x++) {
        const int64_t g = job->to.begin[0] + x, overhang = overhang_of(job, g);
        REAL sum = 0;
        for (int32_t n = 0; n < taps; n++) {
            const int32_t t = NAMED(tap)(overhang, n);
            sum += filter[t] * in[source_of(job, g, t)];
        }
        out[x] = sum;
    }
}

/* Outputs whose taps neither wrap nor hang over: the vector unit takes several side by side. */
static void NAMED(along_row_inside)(const convolve_job *job, const REAL *in, int64_t begin, int64_t end, REAL *out) {
    const REAL *filter = job->filter;
    for (int64_t x = begin; x < end; x++)
        out[x] = 0;
    for (int32_t t = 0; t < job->taps; t++) {
        const REAL weight = filter[t];
        const REAL *from = in + job->to.begin[0] + job->taps / 2 - t - job->from.begin[0];
#pragma omp simd
        for (int64_t x = begin; x < end; x++)
            out[x] += weight * from[x];
    }
}

static void NAMED(row)(const convolve_job *job, const REAL *in, REAL *out) {
    convolve_job edge = *job;
    const int64_t length = job->to.length[0], half = job->taps / 2, before = job->taps - 1 - half;
    int64_t begin = before + job->from.begin[0] - job->to.begin[0], end;
    const int64_t period_end = job->period[0] - half, from_end = job->from.begin[0] + job->from.length[0] - half;
    end = (period_end < from_end ? period_end : from_end) - job->to.begin[0];
    if (begin < 0) begin = 0;
    if (-job->to.begin[0] > begin) begin = -job->to.begin[0]; /* before the period: its end, which hangs over */
    if (end > length) end = length;
    if (end <= begin) {
        NAMED(along_row)(job, in, out);
        return;
    }
    edge.to.length[0] = begin;
    NAMED(along_row)(&edge, in, out);
    NAMED(along_row_inside)(job, in, begin, end, out);
    edge.to.begin[0] += end;
    edge.to.length[0] = length - end;
    NAMED(along_row)(&edge, in, out + end);
}

static void NAMED(convolve_rows)(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const convolve_job *job = argument;
    const REAL *in = job->in, *filter = job->filter;
    const int64_t width = job->to.length[0], in_width = job->from.length[0], in_height = job->from.length[1];
    (void)thread;
    for (int64_t r = begin; r < end; r++) {
        const int64_t j = r % job->to.length[1], k = r / job->to.length[1];
        const int64_t y = job->to.begin[1] + j - job->from.begin[1], z = job->to.begin[2] + k - job->from.begin[2];
        REAL *out = (REAL *)job->out + r * width;
        if (job->axis == 0) {
            NAMED(row)(job, in + (z * in_height + y) * in_width, out);
            continue;
        }
        const int64_t g = job->to.begin[job->axis] + (job->axis == 1 ? j : k), overhang = overhang_of(job, g);
        memset(out, 0, (size_t)width * sizeof *out);
        for (int32_t n = 0; n < job->taps; n++) {
            const int32_t t = NAMED(tap)(overhang, n);
            const int64_t source = source_of(job, g, t);
            const int64_t row = job->axis == 1 ? z * in_height + source : source * in_height + y;
            const REAL *from = in + row * in_width + job->to.begin[0] - job->from.begin[0], weight = filter[t];
#pragma omp simd
            for (int64_t x = 0; x < width; x++)
                out[x] += weight * from[x];
        }
    }
}

/* Rows of the box, picked from the image: the image goes on with its period. */
static void NAMED(load_rows)(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const load_job *job = argument;
    const int64_t width = job->to.length[0], row_shape[3] = { job->image->shape[0], 1, 1 };
    double *row = job->rows + thread * job->image->shape[0];
    for (int64_t r = begin; r < end; r++) {
        const int64_t at[3] = { 0, voxel_of(job, 1, job->to.begin[1] + r % job->to.length[1]),
                                voxel_of(job, 2, job->to.begin[2] + r / job->to.length[1]) };
        REAL *out = (REAL *)job->out + r * width;
        if (ren__pixels_read(job->image, at, row_shape, NULL, row) != REN_OK) continue; /* a row of the image */
        for (int64_t x = 0; x < width; x++)
            out[x] = (REAL)row[voxel_of(job, 0, job->to.begin[0] + x)];
    }
}
