/* SPDX-License-Identifier: Apache-2.0 */
/* A data set: items, the prepared scans of the cache folder, and the regions kept in memory. */
#include "train/dataset.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "train/dataset_cache.h"
#include "train/study_files.h"

enum { KEY_SIZE = 33, DEFAULT_MEMORY = 512 << 20 };

/* A region's box of one scan, in the list of those kept, most recently used first. */
typedef struct patch {
    struct patch *newer, *older;
    int32_t slot; /* index x REN_REGION_COUNT + region */
    ren__box box; /* all 0: the region is empty */
    int64_t voxels;
    size_t bytes;
    float *values; /* packed; NULL: empty */
} patch;

struct ren__dataset {
    ren_context *context; /* held */
    ren__arena *arena;    /* strings */
    const char *folder;
    ren_preset preset;
    int32_t count;
    ren__dataset_item *item;
    int32_t *patient;
    char (*key)[KEY_SIZE]; /* name of the prepared file; "" until needed */
    patch **slot;          /* [count x regions] */
    patch *newest, *oldest;
    size_t kept, memory;
};

/* ---------------------------------------------------------------------------------------------------- create */

typedef struct numbered {
    const char *patient;
    int32_t index;
} numbered;

static int by_name(const void *a, const void *b) {
    const numbered *x = a, *y = b;
    const int order = strcmp(x->patient, y->patient);

    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* Equal names get the index of their first scan, which is then counted up in order. */
static ren_status number_patients(ren__dataset *dataset) {
    ren_status st = REN_OK;
    ren_context *context = dataset->context;
    numbered *order = NULL;
    int32_t *number = NULL;
    int32_t patients = 0;

    REN_CALLOC(order, (size_t)dataset->count);
    REN_CALLOC(number, (size_t)dataset->count);
    for (int32_t i = 0; i < dataset->count; i++)
        order[i] = (numbered){ .patient = dataset->item[i].patient, .index = i };
    qsort(order, (size_t)dataset->count, sizeof *order, by_name);
    for (int32_t i = 0, first = 0; i < dataset->count; i++) {
        if (strcmp(order[i].patient, order[first].patient) != 0) first = i;
        dataset->patient[order[i].index] = order[first].index;
    }
    for (int32_t i = 0; i < dataset->count; i++) {
        const int32_t first = dataset->patient[i];
        if (first == i) number[i] = patients++;
        dataset->patient[i] = number[first];
    }
out:
    ren__free(number);
    ren__free(order);
    return st;
}

static ren_status copy_item(ren__dataset *dataset, int32_t index, const ren__dataset_item *from) {
    ren__dataset_item *to = &dataset->item[index];

    if (!from->patient || !from->scan || !from->image || !from->lobes)
        return ren__error(REN_E_INVALID, "data set: item %d lacks patient, scan, image or lobes", (int)index);
    *to = (ren__dataset_item){ .patient = ren__arena_strdup(dataset->arena, from->patient),
                               .scan = ren__arena_strdup(dataset->arena, from->scan),
                               .image = ren__arena_strdup(dataset->arena, from->image),
                               .lobes = ren__arena_strdup(dataset->arena, from->lobes),
                               .label = from->label };
    return to->patient && to->scan && to->image && to->lobes ? REN_OK : ren__out_of_memory();
}

ren_status ren__dataset_create(ren_context *context, const char *cache_folder, const ren_preset *preset,
                               const ren__dataset_item *items, int32_t count, size_t memory, ren__dataset **out) {
    ren_status st = REN_OK;
    ren__dataset *dataset = NULL;

    if (count < 0) REN_FAIL(REN_E_INVALID, "data set: %d items", (int)count);
    REN_CALLOC(dataset, 1);
    dataset->context = ren__context_retain(context);
    dataset->memory = memory ? memory : DEFAULT_MEMORY;
    REN_TRY(ren__preset_resolve(preset, &dataset->preset));
    REN_TRY(ren__arena_create(context, &dataset->arena));
    dataset->folder = ren__arena_strdup(dataset->arena, cache_folder);
    if (!dataset->folder) REN_TRY(ren__out_of_memory());
    REN_CALLOC(dataset->item, (size_t)count);
    REN_CALLOC(dataset->patient, (size_t)count);
    REN_CALLOC(dataset->key, (size_t)count);
    dataset->slot = ren__calloc(context, (size_t)count * REN_REGION_COUNT, sizeof(patch *));
    if (!dataset->slot) REN_TRY(ren__out_of_memory());
    dataset->count = count;
    for (int32_t i = 0; i < count; i++)
        REN_TRY(copy_item(dataset, i, &items[i]));
    REN_TRY(number_patients(dataset));
    REN_TRY(ren__folder_make(dataset->folder));
    *out = dataset;
    dataset = NULL;
out:
    ren__dataset_free(dataset);
    return st;
}

void ren__dataset_free(ren__dataset *dataset) {
    if (!dataset) return;
    ren_context *context = dataset->context;
    for (patch *next, *p = dataset->newest; p; p = next) {
        next = p->older;
        ren__free(p->values);
        ren__free(p);
    }
    ren__free(dataset->slot);
    ren__free(dataset->key);
    ren__free(dataset->patient);
    ren__free(dataset->item);
    ren__arena_free(dataset->arena);
    ren__free(dataset);
    ren__context_release(context);
}

int32_t ren__dataset_count(const ren__dataset *dataset) {
    return dataset->count;
}

const ren__dataset_item *ren__dataset_at(const ren__dataset *dataset, int32_t index) {
    return &dataset->item[index];
}

const ren_preset *ren__dataset_preset(const ren__dataset *dataset) {
    return &dataset->preset;
}

int32_t ren__dataset_patient(const ren__dataset *dataset, int32_t index) {
    return dataset->patient[index];
}

/* ------------------------------------------------------------------------------------------------ cache files */

/* One file's path, length and time of change. */
static ren_status describe_file(ren_text *text, const char *path) {
    struct stat info;
    char reason[128];

    if (stat(path, &info) != 0) return ren__error(REN_E_IO, "%s: %s", path, strerror_r(errno, reason, sizeof reason));
    ren__text_addf(text, "%s\n%" PRId64 " %" PRId64 " %ld\n", path, (int64_t)info.st_size, (int64_t)info.st_mtim.tv_sec,
                   info.st_mtim.tv_nsec);
    return text->status;
}

/* A .hdr's voxels are in an .img beside it. */
static ren_status describe_image(ren_context *context, ren_text *text, const char *path) {
    const size_t length = strlen(path);
    ren_status st = describe_file(text, path);
    char *pair = NULL;

    if (st != REN_OK || length < 4 || strcmp(path + length - 4, ".hdr") != 0) return st;
    pair = ren__strdup(context, path);
    if (!pair) return ren__out_of_memory();
    pair[length - 3] = 'i';
    pair[length - 2] = 'm';
    pair[length - 1] = 'g';
    st = describe_file(text, pair);
    ren__free(pair);
    return st;
}

/* FNV-1a, twice with different beginnings: 128 bits against accidents, not against malice. */
static void hash_text(const ren_text *text, char key[KEY_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    uint64_t hash[2] = { UINT64_C(0xcbf29ce484222325), UINT64_C(0x9ae16a3b2f90404f) };

    for (size_t i = 0; i < text->size; i++)
        for (int k = 0; k < 2; k++)
            hash[k] = (hash[k] ^ (uint8_t)text->data[i]) * UINT64_C(0x100000001b3);
    for (int i = 0; i < KEY_SIZE - 1; i++)
        key[i] = digits[hash[i / 16] >> (4 * (i % 16)) & 15];
    key[KEY_SIZE - 1] = '\0';
}

static ren_status find_key(ren__dataset *dataset, int32_t index) {
    ren_status st = REN_OK;
    ren_text *text = NULL;
    const ren_preset *preset = &dataset->preset;
    const double numbers[3] = { preset->window[0], preset->window[1], preset->spacing };

    if (dataset->key[index][0]) return REN_OK;
    REN_TRY(ren__text_create(dataset->context, &text));
    REN_TRY(describe_image(dataset->context, text, dataset->item[index].image));
    REN_TRY(describe_image(dataset->context, text, dataset->item[index].lobes));
    ren__text_addf(text, "prepared %d preset %d", REN__PREPARED_VERSION, (int)preset->kind);
    for (int i = 0; i < 3; i++) {
        ren__text_add(text, " ");
        ren__text_add_number(text, numbers[i], 17);
        ren__text_addf(text, " %" PRId64, preset->size[i]);
    }
    REN_TRY(text->status);
    hash_text(text, dataset->key[index]);
out:
    ren_text_free(text);
    return st;
}

/* Path of the prepared file; the caller's. */
static ren_status cache_path(ren__dataset *dataset, int32_t index, ren_text **out) {
    ren_text *path = NULL;
    ren_status st = find_key(dataset, index);

    if (st == REN_OK) st = ren__text_create(dataset->context, &path);
    if (st != REN_OK) return st;
    ren__text_addf(path, "%s/%s.safetensors", dataset->folder, dataset->key[index]);
    if (path->status != REN_OK) {
        st = path->status;
        ren_text_free(path);
        return st;
    }
    *out = path;
    return REN_OK;
}

static ren_status read_and_prepare(ren__dataset *dataset, int32_t index, ren_scan **out) {
    ren_context *context = dataset->context;
    const ren__dataset_item *item = &dataset->item[index];
    ren_volume *image = NULL, *lobes = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_volume_read(context, item->image, &image));
    REN_TRY(ren_volume_read(context, item->lobes, &lobes));
    /* no options: the call inside shares the cancel, deadline and account of the one that is running */
    REN_TRY(ren_scan_create(context, image, lobes, &dataset->preset, NULL, out));
out:
    ren_volume_free(lobes);
    ren_volume_free(image);
    return st;
}

static ren_status name_item(const ren__dataset *dataset, int32_t index, ren_status st) {
    const ren__dataset_item *item = &dataset->item[index];

    if (st == REN_OK || st == REN_E_CANCELLED || st == REN_E_DEADLINE) return st;
    return ren__error_context(st, "patient %s, scan %s (%s)", item->patient, item->scan, item->image);
}

static ren_status prepare_and_store(ren__dataset *dataset, int32_t index, const char *path, ren_scan **out) {
    ren_scan *scan = NULL;
    ren_status st = read_and_prepare(dataset, index, &scan);

    if (st == REN_OK) st = ren__prepared_write(scan, path, dataset->key[index]);
    if (st == REN_OK)
        *out = scan;
    else
        ren_scan_free(scan);
    return st;
}

/* Prepares one scan unless its file is there. */
static ren_status prepare_one(ren__dataset *dataset, int32_t index) {
    ren_text *path = NULL;
    ren_scan *scan = NULL;
    ren_status st = cache_path(dataset, index, &path);

    if (st == REN_OK && !ren__path_exists(ren_text_data(path)))
        st = prepare_and_store(dataset, index, ren_text_data(path), &scan);
    ren_scan_free(scan);
    ren_text_free(path);
    return name_item(dataset, index, st);
}

/* Part of the progress that nested steps fill. */
typedef struct stage {
    const char *name;
    double begin, end;
} stage;

static stage get_stage(const ren__run *run) {
    return run ? (stage){ run->stage, run->stage_begin, run->stage_end } : (stage){ NULL, 0.0, 1.0 };
}

static void set_stage(ren__run *run, stage part) {
    if (!run) return;
    run->stage = part.name;
    run->stage_begin = part.begin;
    run->stage_end = part.end;
}

/* What preparing one scan reports becomes a part of "preparing", and that a part of the stage the caller is in. */
static stage part_of(stage whole, double from, double to) {
    if (!whole.name) whole = (stage){ "preparing", 0.0, 1.0 };
    const double length = whole.end - whole.begin;
    return (stage){ whole.name, whole.begin + from * length, whole.begin + to * length };
}

ren_status ren__dataset_prepare(ren__dataset *dataset, const int32_t *indices, int32_t count, ren__run *run) {
    ren_status st = REN_OK;
    const int32_t total = indices ? count : dataset->count;
    const stage before = get_stage(run);

    for (int32_t i = 0; i < total && st == REN_OK; i++) {
        set_stage(run, part_of(before, (double)i / total, (double)(i + 1) / total));
        st = prepare_one(dataset, indices ? indices[i] : i);
        if (st == REN_OK) st = ren__run_progress(run, "preparing", 1.0);
    }
    set_stage(run, before);
    return st;
}

ren_status ren__dataset_scan(ren__dataset *dataset, int32_t index, ren__run *run, ren_scan **out) {
    ren_text *path = NULL;
    ren_status st = ren__run_check(run);

    if (st == REN_OK) st = cache_path(dataset, index, &path);
    if (st != REN_OK) return name_item(dataset, index, st);
    st = ren__path_exists(ren_text_data(path))
             ? ren__prepared_read(dataset->context, ren_text_data(path), dataset->key[index], &dataset->preset, out)
             : REN_E_NOT_FOUND;
    /* A file that is not what it should be (a full disk of long ago, another version) is made anew. */
    if (st == REN_E_NOT_FOUND || st == REN_E_FORMAT || st == REN_E_DATA || st == REN_E_UNSUPPORTED)
        st = prepare_and_store(dataset, index, ren_text_data(path), out);
    ren_text_free(path);
    return name_item(dataset, index, st);
}

/* -------------------------------------------------------------------------------------------- regions in memory */

static void unlink_patch(ren__dataset *dataset, patch *p) {
    *(p->newer ? &p->newer->older : &dataset->newest) = p->older;
    *(p->older ? &p->older->newer : &dataset->oldest) = p->newer;
    p->newer = p->older = NULL;
}

static void put_first(ren__dataset *dataset, patch *p) {
    p->older = dataset->newest;
    *(dataset->newest ? &dataset->newest->newer : &dataset->oldest) = p;
    dataset->newest = p;
}

/* Makes room for `bytes`, which are at most the budget. */
static void forget_oldest(ren__dataset *dataset, size_t bytes) {
    while (dataset->oldest && dataset->kept > dataset->memory - bytes) {
        patch *p = dataset->oldest;
        unlink_patch(dataset, p);
        dataset->slot[p->slot] = NULL;
        dataset->kept -= p->bytes;
        ren__free(p->values);
        ren__free(p);
    }
}

static void keep(ren__dataset *dataset, patch *p) {
    forget_oldest(dataset, p->bytes);
    put_first(dataset, p);
    dataset->slot[p->slot] = p;
    dataset->kept += p->bytes;
}

static ren_status make_patch(ren__dataset *dataset, int32_t index, int32_t region, ren__run *run, patch **out) {
    ren_status st = REN_OK;
    ren_context *context = dataset->context;
    ren_scan *scan = NULL;
    patch *p = NULL;

    REN_TRY(ren__dataset_scan(dataset, index, run, &scan));
    REN_CALLOC(p, 1);
    p->slot = index * REN_REGION_COUNT + region;
    p->box = scan->box[region];
    p->voxels = scan->voxels[region];
    size_t cells = 1;
    for (int a = 0; a < 3; a++)
        cells *= (size_t)(p->box.end[a] - p->box.begin[a]);
    p->bytes = sizeof *p + cells * sizeof(float);
    if (cells > 0) {
        REN_ALLOC(p->values, cells * sizeof(float));
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
static void spread(const patch *p, const int64_t size[3], float *values) {
    const int64_t *begin = p->box.begin, *end = p->box.end, width = end[2] - begin[2];
    const float *row = p->values;

    memset(values, 0, (size_t)(size[0] * size[1] * size[2]) * sizeof *values);
    for (int64_t d = begin[0]; d < end[0]; d++)
        for (int64_t h = begin[1]; h < end[1]; h++, row += width)
            memcpy(values + (d * size[1] + h) * size[2] + begin[2], row, (size_t)width * sizeof *row);
}

ren_status ren__dataset_fill(ren__dataset *dataset, int32_t index, int32_t region, ren__run *run, float *values,
                             int64_t *voxels) {
    patch *p = dataset->slot[index * REN_REGION_COUNT + region];
    int lasting = 1;

    if (p) {
        unlink_patch(dataset, p);
        put_first(dataset, p);
    } else {
        const ren_status st = make_patch(dataset, index, region, run, &p);
        if (st != REN_OK) return st;
        lasting = p->bytes <= dataset->memory;
        if (lasting) keep(dataset, p);
    }
    spread(p, dataset->preset.size, values);
    if (voxels) *voxels = p->voxels;
    if (!lasting) {
        ren__free(p->values);
        ren__free(p);
    }
    return REN_OK;
}
