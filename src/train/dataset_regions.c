/* SPDX-License-Identifier: Apache-2.0 */
/* What experts see of a data set's scans, with the boxes of regions kept in memory under the budget. */
#include <string.h>

#include "train/dataset_parts.h"

static void unlink_patch(ren_dataset *dataset, ren__patch *p) {
    *(p->newer ? &p->newer->older : &dataset->newest) = p->older;
    *(p->older ? &p->older->newer : &dataset->oldest) = p->newer;
    p->newer = p->older = NULL;
}

static void put_first(ren_dataset *dataset, ren__patch *p) {
    p->older = dataset->newest;
    *(dataset->newest ? &dataset->newest->newer : &dataset->oldest) = p;
    dataset->newest = p;
}

/* Makes room for `bytes`, which are at most the budget. */
static void forget_oldest(ren_dataset *dataset, size_t bytes) {
    while (dataset->oldest && dataset->kept > dataset->memory - bytes) {
        ren__patch *p = dataset->oldest;
        unlink_patch(dataset, p);
        dataset->entry[p->index].patch[p->place] = NULL;
        dataset->kept -= p->bytes;
        ren__free(p->values);
        ren__free(p);
    }
}

static void keep(ren_dataset *dataset, ren__patch *p) {
    forget_oldest(dataset, p->bytes);
    put_first(dataset, p);
    dataset->entry[p->index].patch[p->place] = p;
    dataset->kept += p->bytes;
}

static void cut_labels(const ren_scan *scan, const ren__box *box, uint8_t *labels) {
    const int64_t *size = scan->preset.size;
    const size_t width = (size_t)(box->end[2] - box->begin[2]);

    for (int64_t d = box->begin[0]; d < box->end[0]; d++)
        for (int64_t h = box->begin[1]; h < box->end[1]; h++, labels += width)
            memcpy(labels, scan->lobe + (d * size[1] + h) * size[2] + box->begin[2], width);
}

static ren_status make_patch(ren_dataset *dataset, int32_t index, int32_t place, ren__run *run, ren__patch **out) {
    const int is_labels = place == REN__LABEL_PATCH;
    const int32_t region = is_labels ? REN_REGION_LUNGS : place;
    ren_status st = REN_OK;
    ren_context *context = dataset->context;
    ren_scan *scan = NULL;
    ren__patch *p = NULL;

    REN_TRY(ren__dataset_scan(dataset, index, run, &scan));
    REN_CALLOC(p, 1);
    p->index = index;
    p->place = place;
    p->box = scan->box[region];
    p->voxels = scan->voxels[region];
    size_t cells = 1;
    for (int a = 0; a < 3; a++)
        cells *= (size_t)(p->box.end[a] - p->box.begin[a]);
    const size_t bytes = cells * (is_labels ? sizeof(uint8_t) : sizeof(float));
    p->bytes = sizeof *p + bytes;
    if (cells > 0) {
        REN_ALLOC(p->values, bytes);
        if (is_labels)
            cut_labels(scan, &p->box, p->values);
        else
            ren__scan_fill(scan, region, &p->box, p->values);
    }
    *out = p;
    p = NULL;
out:
    ren__free(p);
    ren_scan_free(scan);
    return st;
}

/* The box into the whole grid, zero around it. */
static void spread(const ren__patch *p, const int64_t size[3], float *values) {
    const int64_t *begin = p->box.begin, *end = p->box.end, width = end[2] - begin[2];
    const float *row = p->values;
    const uint8_t *labels = p->values;

    memset(values, 0, (size_t)(size[0] * size[1] * size[2]) * sizeof *values);
    for (int64_t d = begin[0]; d < end[0]; d++)
        for (int64_t h = begin[1]; h < end[1]; h++, row += width, labels += width) {
            float *to = values + (d * size[1] + h) * size[2] + begin[2];
            if (p->place != REN__LABEL_PATCH) memcpy(to, row, (size_t)width * sizeof *row);
            for (int64_t w = 0; p->place == REN__LABEL_PATCH && w < width; w++)
                to[w] = (float)labels[w];
        }
}

static ren_status fill_from_box(ren_dataset *dataset, int32_t index, int32_t place, ren__run *run, float *values,
                                int64_t *voxels) {
    ren__patch *p = dataset->entry[index].patch[place];
    int lasting = 1;

    if (p) {
        unlink_patch(dataset, p);
        put_first(dataset, p);
    } else {
        const ren_status st = make_patch(dataset, index, place, run, &p);
        if (st != REN_OK) return st;
        lasting = p->bytes <= dataset->memory;
        if (lasting) keep(dataset, p);
    }
    spread(p, dataset->preset.size, values);
    *voxels = p->voxels;
    if (!lasting) {
        ren__free(p->values);
        ren__free(p);
    }
    return REN_OK;
}

/* A scan that is held needs no box beside it. */
static ren_status fill_from_scan(ren_dataset *dataset, int32_t index, int32_t place, ren__run *run, float *values,
                                 int64_t *voxels) {
    ren_scan *scan = NULL;
    const ren_status st = ren__dataset_scan(dataset, index, run, &scan);

    if (st != REN_OK) return st;
    if (place == REN__LABEL_PATCH)
        ren__scan_lobes(scan, values);
    else
        ren__scan_fill(scan, place, NULL, values);
    *voxels = scan->voxels[place == REN__LABEL_PATCH ? REN_REGION_LUNGS : place];
    ren_scan_free(scan);
    return REN_OK;
}

static ren_status fill(ren_dataset *dataset, int32_t index, int32_t place, ren__run *run, float *values,
                       int64_t *voxels) {
    const int held = dataset->entry[index].scan || !dataset->folder;

    return (held ? fill_from_scan : fill_from_box)(dataset, index, place, run, values, voxels);
}

ren_status ren__dataset_fill(ren_dataset *dataset, int32_t index, int32_t region, ren__run *run, float *values,
                             int64_t *voxels) {
    int64_t count = 0;
    const ren_status st = fill(dataset, index, region, run, values, &count);

    if (st == REN_OK && voxels) *voxels = count;
    return st;
}

ren_status ren__dataset_fill_lobes(ren_dataset *dataset, int32_t index, ren__run *run, float *values) {
    int64_t count;

    return fill(dataset, index, REN__LABEL_PATCH, run, values, &count);
}
