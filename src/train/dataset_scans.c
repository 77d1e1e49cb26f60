/* SPDX-License-Identifier: Apache-2.0 */
/* A data set's prepared scans: from the cache folder, from memory, or prepared when they are asked for. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "train/dataset_cache.h"
#include "train/dataset_parts.h"
#include "train/study_files.h"

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
static void hash_text(const ren_text *text, char key[REN__DATASET_KEY_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    uint64_t hash[2] = { UINT64_C(0xcbf29ce484222325), UINT64_C(0x9ae16a3b2f90404f) };

    for (size_t i = 0; i < text->size; i++)
        for (int k = 0; k < 2; k++)
            hash[k] = (hash[k] ^ (uint8_t)text->data[i]) * UINT64_C(0x100000001b3);
    for (int i = 0; i < REN__DATASET_KEY_SIZE - 1; i++)
        key[i] = digits[hash[i / 16] >> (4 * (i % 16)) & 15];
    key[REN__DATASET_KEY_SIZE - 1] = '\0';
}

static ren_status find_key(ren_dataset *dataset, int32_t index) {
    ren_status st = REN_OK;
    ren_text *text = NULL;
    const ren_preset *preset = &dataset->preset;
    const double numbers[3] = { preset->window[0], preset->window[1], preset->spacing };

    if (dataset->entry[index].key[0]) return REN_OK;
    REN_TRY(ren__text_create(dataset->context, &text));
    REN_TRY(describe_image(dataset->context, text, dataset->entry[index].item.image));
    REN_TRY(describe_image(dataset->context, text, dataset->entry[index].item.lobes));
    ren__text_addf(text, "prepared %d preset %d", REN__PREPARED_VERSION, (int)preset->kind);
    for (int i = 0; i < 3; i++) {
        ren__text_add(text, " ");
        ren__text_add_number(text, numbers[i], 17);
        ren__text_addf(text, " %" PRId64, preset->size[i]);
    }
    REN_TRY(text->status);
    hash_text(text, dataset->entry[index].key);
out:
    ren_text_free(text);
    return st;
}

/* Path of the prepared file; the caller's. */
static ren_status cache_path(ren_dataset *dataset, int32_t index, ren_text **out) {
    ren_text *path = NULL;
    ren_status st = find_key(dataset, index);

    if (st == REN_OK) st = ren__text_create(dataset->context, &path);
    if (st != REN_OK) return st;
    ren__text_addf(path, "%s/%s.safetensors", dataset->folder, dataset->entry[index].key);
    if (path->status != REN_OK) {
        st = path->status;
        ren_text_free(path);
        return st;
    }
    *out = path;
    return REN_OK;
}

/* ---------------------------------------------------------------------------------------------------- preparing */

/* Entries may move while a callback adds to the data set; the strings do not. */
static ren_status read_and_prepare(const ren_dataset *dataset, int32_t index, ren_scan **out) {
    ren_context *context = dataset->context;
    const ren__dataset_item item = dataset->entry[index].item;
    ren_volume *image = NULL, *lobes = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_volume_read(context, item.image, &image));
    REN_TRY(ren_volume_read(context, item.lobes, &lobes));
    /* no options: the call inside shares the cancel, deadline and account of the one that is running */
    REN_TRY(ren_scan_create(context, image, lobes, &dataset->preset, NULL, out));
out:
    ren_volume_free(lobes);
    ren_volume_free(image);
    return st;
}

static ren_status name_item(const ren_dataset *dataset, int32_t index, ren_status st) {
    const ren__dataset_item *item = &dataset->entry[index].item;

    if (st == REN_OK || st == REN_E_CANCELLED || st == REN_E_DEADLINE) return st;
    return ren__error_context(st, "patient %s, scan %s (%s)", item->patient, item->scan,
                              item->image ? item->image : "in memory");
}

static ren_status prepare_and_store(ren_dataset *dataset, int32_t index, const char *path, ren_scan **out) {
    ren_scan *scan = NULL;
    ren_status st = read_and_prepare(dataset, index, &scan);

    if (st == REN_OK) st = ren__prepared_write(scan, path, dataset->entry[index].key);
    if (st == REN_OK)
        *out = scan;
    else
        ren_scan_free(scan);
    return st;
}

/* Without a cache folder the data set keeps what it has prepared. */
static ren_status prepare_and_hold(ren_dataset *dataset, int32_t index) {
    ren_scan *scan = NULL;
    const ren_status st = read_and_prepare(dataset, index, &scan);

    if (st == REN_OK) dataset->entry[index].scan = scan;
    return st;
}

/* Prepares one scan unless it is held or its file is there. */
static ren_status prepare_one(ren_dataset *dataset, int32_t index) {
    ren_text *path = NULL;
    ren_scan *scan = NULL;
    ren_status st;

    if (dataset->entry[index].scan) return REN_OK;
    if (!dataset->folder) return name_item(dataset, index, prepare_and_hold(dataset, index));
    st = cache_path(dataset, index, &path);
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

ren_status ren__dataset_prepare(ren_dataset *dataset, const int32_t *indices, int32_t count, ren__run *run) {
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

/* A file that is not what it should be (a full disk of long ago, another version) is made anew. */
static ren_status read_or_prepare(ren_dataset *dataset, int32_t index, ren_scan **out) {
    ren_text *path = NULL;
    ren_status st = cache_path(dataset, index, &path);

    if (st != REN_OK) return st;
    st = ren__path_exists(ren_text_data(path)) ? ren__prepared_read(dataset->context, ren_text_data(path),
                                                                    dataset->entry[index].key, &dataset->preset, out)
                                               : REN_E_NOT_FOUND;
    if (st == REN_E_NOT_FOUND || st == REN_E_FORMAT || st == REN_E_DATA || st == REN_E_UNSUPPORTED)
        st = prepare_and_store(dataset, index, ren_text_data(path), out);
    ren_text_free(path);
    return st;
}

ren_status ren__dataset_scan(ren_dataset *dataset, int32_t index, ren__run *run, ren_scan **out) {
    ren_status st = ren__run_check(run);

    if (st == REN_OK && !dataset->entry[index].scan)
        st = dataset->folder ? read_or_prepare(dataset, index, out) : prepare_and_hold(dataset, index);
    if (st == REN_OK && dataset->entry[index].scan) *out = ren__scan_retain(dataset->entry[index].scan);
    return name_item(dataset, index, st);
}

ren_status ren_dataset_prepare(ren_dataset *dataset, const ren_run_options *options) {
    ren__run run;

    REN_REQUIRE(dataset != NULL);
    ren_status st = ren__run_begin(&run, dataset->context, options);
    if (st == REN_OK) st = ren__dataset_prepare(dataset, NULL, 0, &run);
    return ren__run_end(&run, st);
}

ren_status ren_dataset_scan(ren_dataset *dataset, int32_t index, const ren_run_options *options, ren_scan **out) {
    ren__run run;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(dataset != NULL);
    if (index < 0 || index >= dataset->count)
        return ren__error(REN_E_INVALID, "data set: there is no scan %d: it has %d", (int)index, (int)dataset->count);
    ren_status st = ren__run_begin(&run, dataset->context, options);
    if (st == REN_OK) st = ren__dataset_scan(dataset, index, &run, out);
    return ren__run_end(&run, st);
}
