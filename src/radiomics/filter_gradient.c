/* SPDX-License-Identifier: Apache-2.0 */
/* Gradient magnitude by central differences, the border voxel going on outside: ITK's, in double, stored as floats. */
#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/filters.h"
#include "radiomics/frame.h"
#include "radiomics/pixels.h"

enum { ROW_GRAIN = 32 };

typedef struct gradient_job {
    const double *values; /* of `from` */
    const ren__part3 *from, *part;
    const ren_volume *image;
    double scale[3]; /* 1/2 and the spacing */
    float *out;      /* of `part` */
} gradient_job;

static double value_at(const gradient_job *job, int64_t x, int64_t y, int64_t z) {
    const ren__part3 *from = job->from;
    return job
        ->values[((z - from->begin[2]) * from->shape[1] + y - from->begin[1]) * from->shape[0] + x - from->begin[0]];
}

static void gradient_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const gradient_job *job = argument;
    const int64_t *shape = job->part->shape, *first = job->part->begin;
    int64_t below[3], above[3];
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        int64_t at[3] = { 0, first[1] + row % shape[1], first[2] + row / shape[1] };
        for (int64_t i = 0; i < shape[0]; i++) {
            at[0] = first[0] + i;
            for (int a = 0; a < 3; a++) {
                below[a] = at[a] > 0 ? at[a] - 1 : 0;
                above[a] = at[a] + 1 < job->image->shape[a] ? at[a] + 1 : at[a];
            }
            const double x =
                (value_at(job, above[0], at[1], at[2]) - value_at(job, below[0], at[1], at[2])) * job->scale[0];
            const double y =
                (value_at(job, at[0], above[1], at[2]) - value_at(job, at[0], below[1], at[2])) * job->scale[1];
            const double z =
                (value_at(job, at[0], at[1], above[2]) - value_at(job, at[0], at[1], below[2])) * job->scale[2];
            job->out[row * shape[0] + i] = (float)sqrt(x * x + y * y + z * z);
        }
    }
}

REN__DERIVE(ren__derive_gradient) {
    static const int64_t halo[3] = { 1, 1, 1 };
    ren_status st = REN_OK;
    ren_context *context = image->context;
    ren__part3 part, from;
    gradient_job job = { .from = &from, .part = &part, .image = image };
    double spacing[3], *values = NULL;
    ren__wanted_part(image, roi, settings, &part);
    ren__widened_part(image, &part, halo, &from);
    ren__spacing_of(image, spacing);
    for (int a = 0; a < 3; a++)
        job.scale[a] = settings->gradient_use_spacing ? 0.5 / spacing[a] : 0.5;
    values = ren__alloc_array(context, (size_t)(from.shape[0] * from.shape[1] * from.shape[2]), sizeof *values);
    if (!values) return ren__out_of_memory();
    REN_TRY(ren__pixels_read(image, from.begin, from.shape, run, values));
    job.values = values;
    job.out = ren__alloc_array(context, (size_t)(part.shape[0] * part.shape[1] * part.shape[2]), sizeof *job.out);
    if (!job.out) {
        st = ren__out_of_memory();
        goto out;
    }
    ren__parallel_for(context, run, part.shape[1] * part.shape[2], ROW_GRAIN, gradient_rows, &job);
    REN_TRY(ren__run_check(run));
    REN_TRY(ren__emit_singles(image, job.out, &part, &part, "gradient", emit, user));
out:
    ren__free(values);
    ren__free(job.out);
    return st;
}
