/* SPDX-License-Identifier: Apache-2.0 */
/* Label sets in a label map: their boxes in one pass, and the voxels of one. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/case.h"

enum { ROW_WORK = 1 << 16 };

/* One label's voxels: how many, and their box. */
typedef struct found {
    int64_t count;
    int64_t low[3], high[3]; /* inclusive */
} found;

typedef struct find_job {
    const ren_volume *mask;
    const int32_t *labels; /* rising */
    int32_t label_count;
    found *parts;  /* label_count for each thread */
    int32_t *rows; /* a row for each thread */
    atomic_int bad;
} find_job;

static int rising(const void *left, const void *right) {
    const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

/* Sorts labels and drops repeated ones; the count that is left. */
static int32_t sort_unique(int32_t *labels, int32_t count) {
    int32_t kept = 0;
    if (count > 1) qsort(labels, (size_t)count, sizeof *labels, rising);
    for (int32_t i = 0; i < count; i++)
        if (!i || labels[i] != labels[kept - 1]) labels[kept++] = labels[i];
    return kept;
}

static int32_t index_of(const int32_t *labels, int32_t count, int32_t label) {
    const int32_t *at = bsearch(&label, labels, (size_t)count, sizeof *labels, rising);
    return at ? (int32_t)(at - labels) : -1;
}

static void add_stretch(found *label, const int64_t begin[3], int64_t length) {
    const int64_t last[3] = { begin[0] + length - 1, begin[1], begin[2] };
    for (int a = 0; a < 3; a++) {
        if (!label->count || begin[a] < label->low[a]) label->low[a] = begin[a];
        if (!label->count || last[a] > label->high[a]) label->high[a] = last[a];
    }
    label->count += length;
}

static void find_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    find_job *job = argument;
    const int64_t width = job->mask->shape[0], height = job->mask->shape[1];
    const int64_t row_shape[3] = { width, 1, 1 };
    int32_t *row = job->rows + thread * width;
    found *parts = job->parts + (int64_t)thread * job->label_count;
    for (int64_t r = begin; r < end; r++) {
        int64_t at[3] = { 0, r % height, r / height };
        if (ren__volume_box_labels(job->mask, at, row_shape, NULL, row) != REN_OK) {
            atomic_store_explicit(&job->bad, 1, memory_order_relaxed);
            return;
        }
        while (at[0] < width) {
            const int32_t label = row[at[0]];
            int64_t next = at[0] + 1;
            while (next < width && row[next] == label)
                next++;
            const int32_t index = label ? index_of(job->labels, job->label_count, label) : -1;
            if (index >= 0) add_stretch(parts + index, at, next - at[0]);
            at[0] = next;
        }
    }
}

static ren_status bad_labels(void) {
    return ren__error(REN_E_DATA, "the label map holds values that are no whole numbers: an image where labels were "
                                  "expected, or labels that were interpolated");
}

/* All labels of all sets, rising, each once. */
static ren_status collect(ren_context *context, const ren__labelled *sets, int32_t count, int32_t **out,
                          int32_t *out_count) {
    size_t total = 0;
    for (int32_t s = 0; s < count; s++)
        total += (size_t)sets[s].label_count;
    int32_t *labels = ren__alloc_array(context, total, sizeof *labels), n = 0;
    if (!labels) return ren__out_of_memory();
    for (int32_t s = 0; s < count; s++) {
        memcpy(labels + n, sets[s].labels, (size_t)sets[s].label_count * sizeof *labels);
        n += sets[s].label_count;
    }
    *out = labels;
    *out_count = sort_unique(labels, n);
    return REN_OK;
}

static void merge(found *to, const found *from) {
    if (!from->count) return;
    for (int a = 0; a < 3; a++) {
        if (!to->count || from->low[a] < to->low[a]) to->low[a] = from->low[a];
        if (!to->count || from->high[a] > to->high[a]) to->high[a] = from->high[a];
    }
    to->count += from->count;
}

ren_status ren__labels_find(const ren_volume *mask, ren__labelled *sets, int32_t count, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = mask->context;
    find_job job = { .mask = mask };
    int32_t *labels = NULL;
    atomic_init(&job.bad, 0);
    for (int32_t s = 0; s < count; s++)
        sets[s].label_count = sort_unique(sets[s].labels, sets[s].label_count);
    REN_TRY(collect(context, sets, count, &labels, &job.label_count));
    job.labels = labels;
    REN_CALLOC(job.parts, (size_t)context->threads * (size_t)job.label_count);
    REN_CALLOC(job.rows, (size_t)context->threads * (size_t)mask->shape[0]);
    ren__parallel_for(context, run, mask->shape[1] * mask->shape[2], ROW_WORK / mask->shape[0] + 1, find_rows, &job);
    REN_TRY(ren__run_check(run));
    if (atomic_load(&job.bad)) {
        st = bad_labels();
        goto out;
    }
    for (int32_t t = 1; t < context->threads; t++)
        for (int32_t l = 0; l < job.label_count; l++)
            merge(job.parts + l, job.parts + (int64_t)t * job.label_count + l);
    for (int32_t s = 0; s < count; s++) {
        found all = { 0, { 0, 0, 0 }, { -1, -1, -1 } };
        for (int32_t l = 0; l < sets[s].label_count; l++)
            merge(&all, job.parts + index_of(labels, job.label_count, sets[s].labels[l]));
        sets[s].count = all.count;
        for (int a = 0; a < 3; a++) {
            sets[s].begin[a] = all.low[a];
            sets[s].shape[a] = all.high[a] - all.low[a] + 1;
        }
    }
out:
    ren__free(labels);
    ren__free(job.parts);
    ren__free(job.rows);
    return st;
}

typedef struct roi_job {
    const ren_volume *mask;
    const ren__labelled *set;
    const int64_t *begin, *shape;
    int32_t *rows; /* a row for each thread */
    uint8_t *inside;
    atomic_int bad;
} roi_job;

static void fill_rows(void *argument, int64_t begin, int64_t end, int32_t thread) {
    roi_job *job = argument;
    const int64_t width = job->shape[0], row_shape[3] = { width, 1, 1 };
    const int32_t only = job->set->labels[0];
    int32_t *row = job->rows + thread * width;
    for (int64_t r = begin; r < end; r++) {
        const int64_t at[3] = { job->begin[0], job->begin[1] + r % job->shape[1], job->begin[2] + r / job->shape[1] };
        uint8_t *inside = job->inside + r * width;
        if (ren__volume_box_labels(job->mask, at, row_shape, NULL, row) != REN_OK) {
            atomic_store_explicit(&job->bad, 1, memory_order_relaxed);
            return;
        }
        if (job->set->label_count == 1)
            for (int64_t i = 0; i < width; i++)
                inside[i] = row[i] == only;
        else
            for (int64_t i = 0; i < width; i++)
                inside[i] = row[i] && index_of(job->set->labels, job->set->label_count, row[i]) >= 0;
    }
}

ren_status ren__labels_roi(const ren_volume *mask, const ren__labelled *set, ren__run *run, ren__roi *out) {
    ren_status st = REN_OK;
    ren_context *context = mask->context;
    roi_job job = { .mask = mask, .set = set, .begin = set->begin, .shape = set->shape };
    atomic_init(&job.bad, 0);
    memset(out, 0, sizeof *out);
    if (!set->count) return REN_OK;
    REN_CALLOC(job.rows, (size_t)context->threads * (size_t)set->shape[0]);
    REN_ALLOC(job.inside, (size_t)(set->shape[0] * set->shape[1] * set->shape[2]));
    ren__parallel_for(context, run, set->shape[1] * set->shape[2], ROW_WORK / set->shape[0] + 1, fill_rows, &job);
    REN_TRY(ren__run_check(run));
    if (atomic_load(&job.bad)) {
        st = bad_labels();
        goto out;
    }
    memcpy(out->begin, set->begin, sizeof out->begin);
    memcpy(out->shape, set->shape, sizeof out->shape);
    out->count = set->count;
    out->inside = job.inside;
    job.inside = NULL;
out:
    ren__free(job.inside);
    ren__free(job.rows);
    return st;
}

ren_status ren__roi_within(ren_context *context, const ren__roi *roi, const int64_t begin[3], const int64_t shape[3],
                           ren__roi *out) {
    uint8_t *inside = ren__calloc(context, (size_t)(shape[0] * shape[1] * shape[2]), 1);
    int64_t low[3], high[3], count = 0;
    if (!inside) return ren__out_of_memory();
    for (int a = 0; a < 3; a++) {
        low[a] = begin[a] > roi->begin[a] ? begin[a] : roi->begin[a];
        high[a] =
            begin[a] + shape[a] < roi->begin[a] + roi->shape[a] ? begin[a] + shape[a] : roi->begin[a] + roi->shape[a];
    }
    for (int64_t k = low[2]; k < high[2]; k++)
        for (int64_t j = low[1]; j < high[1]; j++) {
            if (low[0] >= high[0]) continue;
            const uint8_t *from =
                roi->inside + ((k - roi->begin[2]) * roi->shape[1] + j - roi->begin[1]) * roi->shape[0];
            uint8_t *to = inside + ((k - begin[2]) * shape[1] + j - begin[1]) * shape[0];
            for (int64_t i = low[0]; i < high[0]; i++) {
                to[i - begin[0]] = from[i - roi->begin[0]];
                count += from[i - roi->begin[0]];
            }
        }
    for (int a = 0; a < 3; a++) {
        out->begin[a] = begin[a];
        out->shape[a] = shape[a];
    }
    out->inside = inside;
    out->count = count;
    return REN_OK;
}

ren_status ren__roi_shrink(ren_context *context, ren__roi *roi) {
    found all = { 0, { 0, 0, 0 }, { 0, 0, 0 } };
    ren__roi small;
    const uint8_t *inside = roi->inside;
    int64_t count = 0;
    for (int64_t k = 0; k < roi->shape[2]; k++)
        for (int64_t j = 0; j < roi->shape[1]; j++, inside += roi->shape[0]) {
            int64_t first = 0, last = roi->shape[0] - 1;
            while (first <= last && !inside[first])
                first++;
            if (first > last) continue;
            while (!inside[last])
                last--;
            for (int64_t i = first; i <= last; i++)
                count += inside[i];
            const int64_t at[3] = { first + roi->begin[0], j + roi->begin[1], k + roi->begin[2] };
            add_stretch(&all, at, last - first + 1);
        }
    if (!count) {
        ren__roi_free(roi);
        return REN_OK;
    }
    const int64_t shape[3] = { all.high[0] - all.low[0] + 1, all.high[1] - all.low[1] + 1,
                               all.high[2] - all.low[2] + 1 };
    roi->count = count;
    if (memcmp(shape, roi->shape, sizeof shape) == 0) return REN_OK;
    const ren_status st = ren__roi_within(context, roi, all.low, shape, &small);
    if (st != REN_OK) return st;
    ren__roi_free(roi);
    *roi = small;
    return REN_OK;
}

ren_status ren__roi_check(const ren__roi *roi, const char *name, const ren__radiomics_settings *settings) {
    int dimensions = 0;
    if (!roi->count) return ren__error(REN_E_DATA, "region %s has no voxels in the mask", name);
    for (int a = 0; a < 3; a++)
        dimensions += roi->shape[a] > 1;
    if (!dimensions) return ren__error(REN_E_DATA, "region %s has one voxel only: that is no region", name);
    if (dimensions < settings->minimum_dimensions)
        return ren__error(REN_E_DATA, "region %s has %d dimension%s, and minimumROIDimensions asks for %d", name,
                          dimensions, dimensions == 1 ? "" : "s", settings->minimum_dimensions);
    if (settings->minimum_size > 0 && roi->count <= settings->minimum_size)
        return ren__error(REN_E_DATA, "region %s has %lld voxels, and minimumROISize asks for more than %d", name,
                          (long long)roi->count, settings->minimum_size);
    return REN_OK;
}
