/* SPDX-License-Identifier: Apache-2.0 */
/* Reading boxes of voxels as float, double or label numbers, whatever the stored type, strides and scaling. */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "volume/volume.h"

enum { ROW_WORK = 65536, CHUNK = 256 };

/* One row of `count` voxels, `stride` bytes apart, into a packed row. A host's buffer need not be aligned, so elements
 * are copied out; for a packed row the compiler turns the loop into vector loads. */
#define DEFINE_ROW(name, type, target)                                                                                 \
    static void name(const uint8_t *from, int64_t stride, int64_t count, target *to) {                                 \
        type element;                                                                                                  \
        if (stride == (int64_t)sizeof element) {                                                                       \
            for (int64_t i = 0; i < count; i++) {                                                                      \
                memcpy(&element, from + i * (int64_t)sizeof element, sizeof element);                                  \
                to[i] = (target)element;                                                                               \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int64_t i = 0; i < count; i++) {                                                                      \
                memcpy(&element, from + i * stride, sizeof element);                                                   \
                to[i] = (target)element;                                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }

#define DEFINE_ROWS(target, suffix)                                                                                    \
    DEFINE_ROW(row_u8_##suffix, uint8_t, target)                                                                       \
    DEFINE_ROW(row_i8_##suffix, int8_t, target)                                                                        \
    DEFINE_ROW(row_u16_##suffix, uint16_t, target)                                                                     \
    DEFINE_ROW(row_i16_##suffix, int16_t, target)                                                                      \
    DEFINE_ROW(row_u32_##suffix, uint32_t, target)                                                                     \
    DEFINE_ROW(row_i32_##suffix, int32_t, target)                                                                      \
    DEFINE_ROW(row_u64_##suffix, uint64_t, target)                                                                     \
    DEFINE_ROW(row_i64_##suffix, int64_t, target)                                                                      \
    DEFINE_ROW(row_f32_##suffix, float, target)                                                                        \
    DEFINE_ROW(row_f64_##suffix, double, target)

DEFINE_ROWS(float, float)
DEFINE_ROWS(double, double)
DEFINE_ROW(row_u8_int, uint8_t, int32_t)
DEFINE_ROW(row_i8_int, int8_t, int32_t)
DEFINE_ROW(row_u16_int, uint16_t, int32_t)
DEFINE_ROW(row_i16_int, int16_t, int32_t)
DEFINE_ROW(row_i32_int, int32_t, int32_t)

typedef void (*float_row)(const uint8_t *from, int64_t stride, int64_t count, float *to);
typedef void (*double_row)(const uint8_t *from, int64_t stride, int64_t count, double *to);
typedef void (*int_row)(const uint8_t *from, int64_t stride, int64_t count, int32_t *to);

/* Indexed by REN_TYPE_*. */
static const float_row float_rows[] = { NULL,          row_u8_float,  row_i8_float,  row_u16_float,
                                        row_i16_float, row_u32_float, row_i32_float, row_u64_float,
                                        row_i64_float, row_f32_float, row_f64_float };
static const double_row double_rows[] = { NULL,           row_u8_double,  row_i8_double,  row_u16_double,
                                          row_i16_double, row_u32_double, row_i32_double, row_u64_double,
                                          row_i64_double, row_f32_double, row_f64_double };
static const int_row int_rows[] = { NULL,        row_u8_int, row_i8_int, row_u16_int, row_i16_int, NULL,
                                    row_i32_int, NULL,       NULL,       NULL,        NULL };

static int scaled(const ren_volume *volume) {
    return volume->slope != 1.0 || volume->intercept != 0.0;
}

static void read_double(const ren_volume *volume, const uint8_t *from, int64_t count, double *to) {
    double_rows[volume->type](from, volume->strides[0], count, to);
    if (!scaled(volume)) return;
    for (int64_t i = 0; i < count; i++)
        to[i] = to[i] * volume->slope + volume->intercept;
}

static void read_float(const ren_volume *volume, const uint8_t *from, int64_t count, float *to) {
    if (!scaled(volume)) {
        float_rows[volume->type](from, volume->strides[0], count, to);
        return;
    }
    double chunk[CHUNK]; /* scaled in double: large integers times small slopes keep their digits */
    for (int64_t at = 0; at < count; at += CHUNK) {
        int64_t part = count - at < CHUNK ? count - at : CHUNK;
        read_double(volume, from + at * volume->strides[0], part, chunk);
        for (int64_t i = 0; i < part; i++)
            to[at + i] = (float)chunk[i];
    }
}

/* 0 where a value is no integer that fits. A thousandth is forgiven: scaled labels need not be whole. */
static int read_labels(const ren_volume *volume, const uint8_t *from, int64_t count, int32_t *to) {
    if (!scaled(volume) && int_rows[volume->type]) {
        int_rows[volume->type](from, volume->strides[0], count, to);
        return 1;
    }
    double chunk[CHUNK];
    for (int64_t at = 0; at < count; at += CHUNK) {
        int64_t part = count - at < CHUNK ? count - at : CHUNK;
        read_double(volume, from + at * volume->strides[0], part, chunk);
        for (int64_t i = 0; i < part; i++) {
            double whole = nearbyint(chunk[i]);
            if (!(fabs(chunk[i] - whole) <= 1e-3) || fabs(whole) > 2147483647.0) return 0;
            to[at + i] = (int32_t)whole;
        }
    }
    return 1;
}

typedef struct box_job {
    const ren_volume *volume;
    const uint8_t *first; /* voxel `begin` */
    int64_t shape[3];
    float *floats; /* one of the three */
    double *doubles;
    int32_t *labels;
    atomic_int bad;
} box_job;

static void read_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    box_job *job = argument;
    const ren_volume *volume = job->volume;
    const int64_t width = job->shape[0];
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        const uint8_t *from =
            job->first + (row % job->shape[1]) * volume->strides[1] + (row / job->shape[1]) * volume->strides[2];
        if (job->floats) read_float(volume, from, width, job->floats + row * width);
        if (job->doubles) read_double(volume, from, width, job->doubles + row * width);
        if (job->labels && !read_labels(volume, from, width, job->labels + row * width))
            atomic_store_explicit(&job->bad, 1, memory_order_relaxed);
    }
}

static ren_status read_box(box_job *job, const int64_t begin[3], ren__run *run) {
    const ren_volume *volume = job->volume;
    job->first = volume->data;
    for (int a = 0; a < 3; a++) {
        if (begin[a] < 0 || job->shape[a] < 0 || job->shape[a] > volume->shape[a] ||
            begin[a] > volume->shape[a] - job->shape[a])
            return ren__error(REN_E_INVALID, "a box reaches outside the volume along axis %d", a);
        if (!job->shape[a]) return REN_OK;
        job->first += begin[a] * volume->strides[a];
    }
    int64_t grain = ROW_WORK / job->shape[0] + 1;
    ren__parallel_for(volume->context, run, job->shape[1] * job->shape[2], grain, read_rows, job);
    return ren__run_check(run);
}

static void prepare(box_job *job, const ren_volume *volume, const int64_t shape[3]) {
    memset(job, 0, sizeof *job);
    job->volume = volume;
    memcpy(job->shape, shape, sizeof job->shape);
    atomic_init(&job->bad, 0);
}

ren_status ren__volume_box_f32(const ren_volume *volume, const int64_t begin[3], const int64_t shape[3], ren__run *run,
                               float *values) {
    box_job job;
    prepare(&job, volume, shape);
    job.floats = values;
    return read_box(&job, begin, run);
}

ren_status ren__volume_box_f64(const ren_volume *volume, const int64_t begin[3], const int64_t shape[3], ren__run *run,
                               double *values) {
    box_job job;
    prepare(&job, volume, shape);
    job.doubles = values;
    return read_box(&job, begin, run);
}

ren_status ren__volume_box_labels(const ren_volume *volume, const int64_t begin[3], const int64_t shape[3],
                                  ren__run *run, int32_t *values) {
    box_job job;
    prepare(&job, volume, shape);
    job.labels = values;
    ren_status st = read_box(&job, begin, run);
    if (st == REN_OK && atomic_load(&job.bad))
        st = ren__error(REN_E_DATA, "the label map holds values that are no whole numbers: an image where labels were "
                                    "expected, or labels that were interpolated");
    return st;
}

ren_status ren_volume_copy(const ren_volume *volume, float *values, size_t count) {
    static const int64_t origin[3] = { 0, 0, 0 };
    ren__run run;
    REN_REQUIRE(volume && values);
    size_t voxels = (size_t)volume->shape[0] * (size_t)volume->shape[1] * (size_t)volume->shape[2];
    if (count != voxels)
        return ren__error(REN_E_INVALID, "ren_volume_copy: count is %zu, the volume has %zu voxels", count, voxels);
    ren_status st = ren__run_begin(&run, volume->context, NULL);
    if (st != REN_OK) return st;
    return ren__run_end(&run, ren__volume_box_f32(volume, origin, volume->shape, &run, values));
}
