/* SPDX-License-Identifier: Apache-2.0 */
/* The data set's handle: which scans there are, of whom, with which label. */
#include "train/dataset.h"

#include <string.h>

#include "format/names.h"
#include "train/dataset_parts.h"
#include "train/study_files.h"

enum { DEFAULT_MEMORY = 512 << 20, FIRST_ENTRIES = 16, MOST_ENTRIES = INT32_MAX / 64 };

/* ---------------------------------------------------------------------------------------------- create and end */

ren_status ren_dataset_options_init(ren_dataset_options *options, size_t size) {
    const ren_dataset_options defaults = { .struct_size = sizeof defaults };

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_dataset_options");
}

static ren_status create(ren_context *context, const ren_dataset_options *options, ren_dataset **out) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;

    REN_CALLOC(dataset, 1);
    atomic_init(&dataset->references, 1);
    dataset->context = ren__context_retain(context);
    dataset->memory = options->memory ? options->memory : DEFAULT_MEMORY;
    REN_TRY(ren__preset_resolve(options->preset, &dataset->preset));
    REN_TRY(ren__arena_create(context, &dataset->strings));
    if (options->cache_folder) {
        dataset->folder = ren__arena_strdup(dataset->strings, options->cache_folder);
        if (!dataset->folder) REN_TRY(ren__out_of_memory());
        REN_TRY(ren__folder_make(dataset->folder));
    }
    *out = dataset;
    dataset = NULL;
out:
    ren_dataset_free(dataset);
    return st;
}

ren_status ren_dataset_create(ren_context *context, const ren_dataset_options *options, ren_dataset **out) {
    ren_dataset_options set = { .struct_size = sizeof set };

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL);
    const ren_status st = ren__options_copy(&set, sizeof set, options, "ren_dataset_options");
    return st == REN_OK ? create(context, &set, out) : st;
}

ren_dataset *ren__dataset_retain(ren_dataset *dataset) {
    atomic_fetch_add_explicit(&dataset->references, 1, memory_order_relaxed);
    return dataset;
}

void ren_dataset_free(ren_dataset *dataset) {
    if (!dataset || atomic_fetch_sub_explicit(&dataset->references, 1, memory_order_acq_rel) != 1) return;
    ren_context *context = dataset->context;
    for (ren__patch *next, *patch = dataset->newest; patch; patch = next) {
        next = patch->older;
        ren__free(patch->values);
        ren__free(patch);
    }
    for (int32_t i = 0; i < dataset->count; i++)
        ren_scan_free(dataset->entry[i].scan);
    ren__free(dataset->entry);
    ren__arena_free(dataset->strings);
    ren__free(dataset);
    ren__context_release(context);
}

/* ---------------------------------------------------------------------------------------------------- adding */

/* Names stand in error texts and in tables. */
static ren_status check_name(const char *name, const char *what) {
    char quoted[REN__QUOTE_SIZE];
    int control = 0;

    if (!name || !*name) return ren__error(REN_E_INVALID, "data set: the %s has no name", what);
    for (const char *c = name; *c; c++)
        control |= (unsigned char)*c < 0x20 || *c == 0x7f;
    if (!control && ren__utf8_valid(name, strlen(name))) return REN_OK;
    return ren__error(REN_E_INVALID, "data set: the %s's name \"%s\" must be of printable characters, in UTF-8", what,
                      ren__quote(name, quoted, sizeof quoted));
}

static uint64_t hash_name(const char *name) { /* FNV-1a */
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash;
}

/* Numbers the entry's patient. The search is linear: a comparison of hashes a scan is nothing beside preparing it. */
static ren_status find_patient(const ren_dataset *dataset, ren__dataset_entry *entry) {
    const char *patient = entry->item.patient;

    entry->patient = -1;
    for (int32_t i = 0; i < dataset->count; i++) {
        const ren__dataset_entry *other = &dataset->entry[i];
        if (other->patient_hash != entry->patient_hash || strcmp(other->item.patient, patient) != 0) continue;
        entry->patient = other->patient;
        if (strcmp(other->item.scan, entry->item.scan) == 0)
            return ren__error(REN_E_INVALID, "data set: patient %s has a scan %s already", patient, entry->item.scan);
    }
    if (entry->patient < 0) entry->patient = dataset->patients;
    return REN_OK;
}

static ren_status make_room(ren_dataset *dataset) {
    size_t bytes;

    if (dataset->count < dataset->capacity) return REN_OK;
    const int32_t capacity = dataset->capacity ? 2 * dataset->capacity : FIRST_ENTRIES;
    if (capacity > MOST_ENTRIES || !ren__mul_size((size_t)capacity, sizeof *dataset->entry, &bytes))
        return ren__error(REN_E_LIMIT, "data set: %d scans are the most it can have", (int)dataset->count);
    ren__dataset_entry *entry = ren__realloc(dataset->context, dataset->entry, bytes);
    if (!entry) return ren__out_of_memory();
    dataset->entry = entry;
    dataset->capacity = capacity;
    return REN_OK;
}

/* Copies the strings; a failure leaves the data set as it was, but for a few bytes of its arena. */
static ren_status add(ren_dataset *dataset, const ren__dataset_item *from, const ren_scan *scan) {
    ren_status st = REN_OK;
    ren__arena *strings = dataset->strings;
    ren__dataset_entry entry = { .item = *from };

    REN_TRY(check_name(from->patient, "patient"));
    REN_TRY(check_name(from->scan, "scan"));
    if (from->label != 0 && from->label != 1)
        REN_FAIL(REN_E_INVALID, "data set: the label of patient %s, scan %s is %d, must be 0 or 1", from->patient,
                 from->scan, (int)from->label);
    entry.patient_hash = hash_name(from->patient);
    REN_TRY(find_patient(dataset, &entry));
    REN_TRY(make_room(dataset));
    entry.item.patient = ren__arena_strdup(strings, from->patient);
    entry.item.scan = ren__arena_strdup(strings, from->scan);
    if (!entry.item.patient || !entry.item.scan) REN_TRY(ren__out_of_memory());
    if (!scan) {
        entry.item.image = ren__arena_strdup(strings, from->image);
        entry.item.lobes = ren__arena_strdup(strings, from->lobes);
        if (!entry.item.image || !entry.item.lobes) REN_TRY(ren__out_of_memory());
    }
    entry.scan = ren__scan_retain(scan);
    dataset->patients += entry.patient == dataset->patients;
    dataset->entry[dataset->count++] = entry;
out:
    return st;
}

ren_status ren_dataset_add_files(ren_dataset *dataset, const char *patient, const char *scan, const char *ct,
                                 const char *lobes, int32_t label) {
    REN_REQUIRE(dataset != NULL && ct != NULL && lobes != NULL);
    const ren__dataset_item item = { patient, scan, ct, lobes, label };
    return add(dataset, &item, NULL);
}

ren_status ren_dataset_add_scan(ren_dataset *dataset, const char *patient, const char *scan, const ren_scan *prepared,
                                int32_t label) {
    REN_REQUIRE(dataset != NULL && prepared != NULL);
    if (!ren__preset_equal(&prepared->preset, &dataset->preset))
        return ren__error(REN_E_DATA, "data set: the scan was prepared with another preset than the data set's: give "
                                      "ren_scan_create and ren_dataset_create the same");
    const ren__dataset_item item = { patient, scan, NULL, NULL, label };
    return add(dataset, &item, prepared);
}

/* --------------------------------------------------------------------------------------------------- getters */

static const ren__dataset_item *item_at(const ren_dataset *dataset, int32_t index) {
    return dataset && index >= 0 && index < dataset->count ? &dataset->entry[index].item : NULL;
}

int32_t ren_dataset_count(const ren_dataset *dataset) {
    return dataset ? dataset->count : 0;
}

const char *ren_dataset_patient(const ren_dataset *dataset, int32_t index) {
    const ren__dataset_item *item = item_at(dataset, index);

    return item ? item->patient : NULL;
}

const char *ren_dataset_scan_name(const ren_dataset *dataset, int32_t index) {
    const ren__dataset_item *item = item_at(dataset, index);

    return item ? item->scan : NULL;
}

int32_t ren_dataset_label(const ren_dataset *dataset, int32_t index) {
    const ren__dataset_item *item = item_at(dataset, index);

    return item ? item->label : -1;
}

const ren__dataset_item *ren__dataset_at(const ren_dataset *dataset, int32_t index) {
    return &dataset->entry[index].item;
}

const ren_preset *ren__dataset_preset(const ren_dataset *dataset) {
    return &dataset->preset;
}

int32_t ren__dataset_patient(const ren_dataset *dataset, int32_t index) {
    return dataset->entry[index].patient;
}

int32_t ren__dataset_patients(const ren_dataset *dataset) {
    return dataset->patients;
}
