/* SPDX-License-Identifier: Apache-2.0 */
/* The data set: its cache gives back what preparation made, bit for bit, and its memory keeps to the budget. */
#include "train/dataset.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "format/safetensors.h"
#include "train/dataset_cache.h"
#include "train/split.h"
#include "train_cohort.h"

enum { EDGE = 16, CELLS = EDGE * EDGE * EDGE };

static cohort people;

/* A folder that is not there yet. */
static const char *fresh_folder(char path[TEST_PATH]) {
    static int made;
    char name[32];

    snprintf(name, sizeof name, "cache%d", made++);
    return test_file(path, name);
}

/* Prepared without a data set. */
static ren_status prepare(ren_context *context, const ren__dataset_item *item, const ren_preset *preset,
                          ren_scan **out) {
    ren_status st = REN_OK;
    ren_volume *image = NULL, *lobes = NULL;

    REN_TRY(ren_volume_read(context, item->image, &image));
    REN_TRY(ren_volume_read(context, item->lobes, &lobes));
    REN_TRY(ren_scan_create(context, image, lobes, preset, NULL, out));
out:
    ren_volume_free(image);
    ren_volume_free(lobes);
    return st;
}

static ren_status compare(const ren_scan *a, const ren_scan *b) {
    ren_status st = REN_OK;

    CHECK(memcmp(a->image, b->image, CELLS * sizeof *a->image) == 0);
    CHECK(memcmp(a->lobe, b->lobe, CELLS) == 0);
    CHECK(!a->label == !b->label);
    if (a->label) CHECK(memcmp(a->label, b->label, CELLS * sizeof *a->label) == 0);
    CHECK(memcmp(a->affine, b->affine, sizeof a->affine) == 0);
    CHECK(memcmp(a->box, b->box, sizeof a->box) == 0);
    CHECK(memcmp(a->voxels, b->voxels, sizeof a->voxels) == 0);
    CHECK(ren__preset_equal(&a->preset, &b->preset));
    CHECK_INT(a->warning_count, b->warning_count);
    for (int32_t i = 0; i < a->warning_count; i++)
        CHECK_TEXT(ren_scan_warning(a, i), ren_scan_warning(b, i));
out:
    return st;
}

static ren_status round_trip(ren_context *context, int32_t kind) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_scan *direct = NULL, *made = NULL, *read = NULL;
    ren_preset preset = cohort_preset();
    char folder[TEST_PATH];

    preset.kind = kind;
    REN_TRY(cohort_make(context, 2, 4, &people)); /* without a middle lobe: there is a warning */
    REN_TRY(prepare(context, &people.item[0], &preset, &direct));
    CHECK(direct->warning_count >= 1);
    CHECK_INT(direct->voxels[REN_REGION_RML], 0);
    REN_TRY(cohort_dataset(context, fresh_folder(folder), &preset, people.item, 2, 0, &dataset));
    REN_TRY(ren__dataset_scan(dataset, 0, NULL, &made)); /* prepares and stores */
    REN_TRY(ren__dataset_scan(dataset, 0, NULL, &read));
    CHECK(made != read);
    REN_TRY(compare(direct, made));
    REN_TRY(compare(direct, read));
out:
    ren_scan_free(direct);
    ren_scan_free(made);
    ren_scan_free(read);
    ren_dataset_free(dataset);
    return st;
}

static ren_status test_the_cache_gives_the_same_bits(ren_context *context) {
    return round_trip(context, REN_PRESET_LUNG);
}

static ren_status test_the_cache_keeps_the_papers_preset(ren_context *context) {
    return round_trip(context, REN_PRESET_PAPER);
}

/* A budget of nothing, of one region, and of all: the same values. */
static ren_status test_regions_are_the_same_under_every_budget(ren_context *context) {
    static const size_t budgets[3] = { 1, 9000, 0 };
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_scan *scan = NULL;
    ren_preset preset = cohort_preset();
    float *wanted = NULL, *values = NULL;
    char folder[TEST_PATH];
    int64_t voxels;

    wanted = ren__alloc_array(context, CELLS, sizeof *wanted);
    values = ren__alloc_array(context, CELLS, sizeof *values);
    CHECK_MEMORY(wanted);
    CHECK_MEMORY(values);
    REN_TRY(cohort_make(context, 3, 0, &people));
    fresh_folder(folder);
    for (int b = 0; b < 3; b++) {
        REN_TRY(cohort_dataset(context, folder, &preset, people.item, 3, budgets[b], &dataset));
        for (int i = 0; i < 12; i++) {
            const int32_t index = i * 5 % 3, region = i % REN_REGION_COUNT;
            REN_TRY(ren__dataset_scan(dataset, index, NULL, &scan));
            ren__scan_fill(scan, region, NULL, wanted);
            REN_TRY(ren__dataset_fill(dataset, index, region, NULL, values, &voxels));
            CHECK(memcmp(values, wanted, CELLS * sizeof *values) == 0);
            CHECK_INT(voxels, scan->voxels[region]);
            CHECK(voxels > 0);
            ren_scan_free(scan);
            scan = NULL;
        }
        ren_dataset_free(dataset);
        dataset = NULL;
    }
out:
    ren_scan_free(scan);
    ren_dataset_free(dataset);
    ren__free(values);
    ren__free(wanted);
    return st;
}

/* The label map of the same cells, from the cache folder's box and from a scan that is held. */
static ren_status test_lobes_are_the_same_under_every_budget(ren_context *context) {
    static const size_t budgets[3] = { 1, 9000, 0 };
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_scan *scan = NULL;
    ren_preset preset = cohort_preset();
    float *values = NULL;
    char folder[TEST_PATH];

    values = ren__alloc_array(context, CELLS, sizeof *values);
    CHECK_MEMORY(values);
    REN_TRY(cohort_make(context, 3, 0, &people));
    fresh_folder(folder);
    for (int b = 0; b < 4; b++) {
        REN_TRY(cohort_dataset(context, b < 3 ? folder : NULL, &preset, people.item, 3, budgets[b % 3], &dataset));
        for (int32_t i = 0; i < 6; i++) {
            int32_t labelled = 0;
            REN_TRY(ren__dataset_scan(dataset, i % 3, NULL, &scan));
            REN_TRY(ren__dataset_fill(dataset, i % 3, REN_REGION_LUNGS, NULL, values, NULL)); /* takes turns with it */
            REN_TRY(ren__dataset_fill_lobes(dataset, i % 3, NULL, values));
            for (int n = 0; n < CELLS; n++) {
                CHECK(values[n] == (float)scan->lobe[n]);
                labelled += values[n] > 0.0f;
            }
            CHECK_INT(labelled, scan->voxels[REN_REGION_LUNGS]);
            ren_scan_free(scan);
            scan = NULL;
        }
        ren_dataset_free(dataset);
        dataset = NULL;
    }
out:
    ren_scan_free(scan);
    ren_dataset_free(dataset);
    ren__free(values);
    return st;
}

static ren_status test_memory_keeps_to_the_budget(ren_context *context) {
    enum { BUDGET = 16384 };
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_preset preset = cohort_preset();
    float *values = NULL;
    char folder[TEST_PATH];

    values = ren__alloc_array(context, CELLS, sizeof *values);
    CHECK_MEMORY(values);
    REN_TRY(cohort_make(context, 8, 0, &people));
    REN_TRY(cohort_dataset(context, fresh_folder(folder), &preset, people.item, 8, BUDGET, &dataset));
    REN_TRY(ren__dataset_prepare(dataset, NULL, 0, NULL));
    const size_t before = ren_context_memory_used(context);
    for (int32_t i = 0; i < 8 * REN_REGION_COUNT; i++)
        REN_TRY(ren__dataset_fill(dataset, i % 8, i / 8, NULL, values, NULL));
    CHECK(ren_context_memory_used(context) > before);
    CHECK(ren_context_memory_used(context) <= before + BUDGET + 64 * 128); /* and what the allocator adds to a block */
out:
    ren_dataset_free(dataset);
    ren__free(values);
    return st;
}

static ren_status test_patients_are_numbered(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    char folder[TEST_PATH];
    static const ren__dataset_item items[5] = { { "zoe", "1", "a", "b", 1 },
                                                { "al", "1", "a", "b", 0 },
                                                { "zoe", "2", "a", "b", 1 },
                                                { "bo", "1", "a", "b", 0 },
                                                { "al", "2", "a", "b", 0 } };
    static const int32_t wanted[5] = { 0, 1, 0, 2, 1 };

    fresh_folder(folder);
    REN_TRY(cohort_dataset(context, folder, NULL, items, 5, 0, &dataset));
    CHECK_INT(ren_dataset_count(dataset), 5);
    for (int32_t i = 0; i < 5; i++) {
        CHECK_INT(ren__dataset_patient(dataset, i), wanted[i]);
        CHECK_TEXT(ren__dataset_at(dataset, i)->patient, items[i].patient);
    }
    CHECK_INT(ren__dataset_preset(dataset)->size[0], 96);
out:
    ren_dataset_free(dataset);
    return st;
}

static ren_status write_garbage(const char *path) {
    return ren__file_write(path, "no image at all", 15);
}

static ren_status test_a_broken_scan_is_named(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_preset preset = cohort_preset();
    char folder[TEST_PATH], broken[TEST_PATH], missing[TEST_PATH];

    REN_TRY(cohort_make(context, 1, 0, &people));
    REN_TRY(write_garbage(test_file(broken, "broken.nii")));
    const ren__dataset_item items[3] = { people.item[0],
                                         { "smith", "s7", broken, people.lobes[0], 0 },
                                         { "jones", "s8", test_file(missing, "missing.nii"), people.lobes[0], 0 } };
    REN_TRY(cohort_dataset(context, fresh_folder(folder), &preset, items, 3, 0, &dataset));
    CHECK_FAILS(ren__dataset_prepare(dataset, NULL, 0, NULL), REN_E_FORMAT, "patient smith, scan s7");
    CHECK_FAILS(ren__dataset_prepare(dataset, (const int32_t[]){ 2 }, 1, NULL), REN_E_IO, "patient jones, scan s8");
out:
    ren_dataset_free(dataset);
    return st;
}

/* How many files a folder has; `path` becomes the last one's. */
static int count_files(const char *folder, char path[2 * TEST_PATH]) {
    DIR *open = opendir(folder);
    int found = 0;

    for (const struct dirent *entry; open && (entry = readdir(open));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, 2 * TEST_PATH, "%s/%s", folder, entry->d_name);
        found++;
    }
    if (open) closedir(open);
    return found;
}

/* Damage is repaired by preparing anew; a changed source has another file. */
static ren_status test_damaged_and_outdated_files_are_made_anew(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_scan *direct = NULL, *read = NULL;
    ren_preset preset = cohort_preset();
    char folder[TEST_PATH], file[2 * TEST_PATH];
    const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = 1000000000 } };
    struct stat info;

    REN_TRY(cohort_make(context, 1, 0, &people));
    REN_TRY(prepare(context, &people.item[0], &preset, &direct));
    REN_TRY(cohort_dataset(context, fresh_folder(folder), &preset, people.item, 1, 0, &dataset));
    REN_TRY(ren__dataset_prepare(dataset, NULL, 0, NULL));
    CHECK_INT(count_files(folder, file), 1);
    CHECK(stat(file, &info) == 0);
    CHECK(truncate(file, info.st_size - 100) == 0);
    REN_TRY(ren__dataset_scan(dataset, 0, NULL, &read));
    REN_TRY(compare(direct, read));
    CHECK_INT(count_files(folder, file), 1);
    ren_dataset_free(dataset);
    dataset = NULL;
    CHECK(utimensat(AT_FDCWD, people.image[0], times, 0) == 0);
    REN_TRY(cohort_dataset(context, folder, &preset, people.item, 1, 0, &dataset));
    REN_TRY(ren__dataset_prepare(dataset, NULL, 0, NULL));
    CHECK_INT(count_files(folder, file), 2);
out:
    ren_scan_free(direct);
    ren_scan_free(read);
    ren_dataset_free(dataset);
    return st;
}

/* ------------------------------------------------------------------------------------------------- the handle */

/* From files with and without a cache folder, and from scans that the host has prepared: the same values. */
static ren_status test_held_scans_give_the_same_values(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *stored = NULL, *held = NULL, *given = NULL;
    ren_scan *scan = NULL, *again = NULL;
    ren_preset preset = cohort_preset();
    float *wanted = NULL, *values = NULL;
    char folder[TEST_PATH];
    int64_t count, voxels;

    wanted = ren__alloc_array(context, CELLS, sizeof *wanted);
    values = ren__alloc_array(context, CELLS, sizeof *values);
    CHECK_MEMORY(wanted);
    CHECK_MEMORY(values);
    REN_TRY(cohort_make(context, 2, 0, &people));
    REN_TRY(cohort_dataset(context, fresh_folder(folder), &preset, people.item, 2, 0, &stored));
    REN_TRY(cohort_dataset(context, NULL, &preset, people.item, 2, 0, &held));
    REN_TRY(cohort_dataset(context, NULL, &preset, NULL, 0, 0, &given));
    for (int32_t i = 0; i < 2; i++) {
        REN_TRY(ren_dataset_scan(stored, i, NULL, &scan));
        REN_TRY(ren_dataset_add_scan(given, people.item[i].patient, people.item[i].scan, scan, people.item[i].label));
        ren_scan_free(scan); /* the data set holds it */
        scan = NULL;
    }
    REN_TRY(ren_dataset_prepare(held, NULL));
    for (int32_t i = 0; i < 2 * REN_REGION_COUNT; i++) {
        REN_TRY(ren__dataset_fill(stored, i % 2, i / 2, NULL, wanted, &count));
        REN_TRY(ren__dataset_fill(held, i % 2, i / 2, NULL, values, &voxels));
        CHECK(memcmp(values, wanted, CELLS * sizeof *values) == 0 && voxels == count);
        REN_TRY(ren__dataset_fill(given, i % 2, i / 2, NULL, values, &voxels));
        CHECK(memcmp(values, wanted, CELLS * sizeof *values) == 0 && voxels == count);
    }
    REN_TRY(ren_dataset_scan(held, 1, NULL, &scan));
    REN_TRY(ren_dataset_scan(held, 1, NULL, &again));
    CHECK(scan == again);
out:
    ren_scan_free(again);
    ren_scan_free(scan);
    ren_dataset_free(given);
    ren_dataset_free(held);
    ren_dataset_free(stored);
    ren__free(values);
    ren__free(wanted);
    return st;
}

static ren_status test_what_is_added_is_checked(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL, *none = NULL;
    ren_scan *scan = NULL;
    ren_preset preset = cohort_preset();
    ren_dataset_options options;
    char path[TEST_PATH];

    REN_TRY(cohort_make(context, 1, 0, &people));
    REN_TRY(prepare(context, &people.item[0], &preset, &scan));
    REN_TRY(cohort_dataset(context, NULL, NULL, people.item, 1, 0, &dataset));
    CHECK_FAILS(ren_dataset_add_files(dataset, NULL, "s", "a", "b", 0), REN_E_INVALID, "the patient has no name");
    CHECK_FAILS(ren_dataset_add_files(dataset, "p", "", "a", "b", 0), REN_E_INVALID, "the scan has no name");
    CHECK_FAILS(ren_dataset_add_files(dataset, "p\n", "s", "a", "b", 0), REN_E_INVALID, "\"p?\"");
    CHECK_FAILS(ren_dataset_add_files(dataset, "p", "\xff", "a", "b", 0), REN_E_INVALID, "UTF-8");
    CHECK_FAILS(ren_dataset_add_files(dataset, "p", "s", NULL, "b", 0), REN_E_INVALID, "ct");
    CHECK_FAILS(ren_dataset_add_files(dataset, "p", "s", "a", NULL, 0), REN_E_INVALID, "lobes");
    CHECK_FAILS(ren_dataset_add_files(dataset, "p", "s", "a", "b", 2), REN_E_INVALID, "is 2, must be 0 or 1");
    CHECK_FAILS(ren_dataset_add_files(dataset, "p0", "a", "a", "b", 0), REN_E_INVALID, "has a scan a already");
    CHECK_FAILS(ren_dataset_add_files(NULL, "p", "s", "a", "b", 0), REN_E_INVALID, "dataset");
    CHECK_FAILS(ren_dataset_add_scan(dataset, "p", "s", scan, 0), REN_E_DATA, "another preset");
    CHECK_FAILS(ren_dataset_add_scan(dataset, "p", "s", NULL, 0), REN_E_INVALID, "prepared");
    CHECK_FAILS(ren_dataset_prepare(NULL, NULL), REN_E_INVALID, "dataset");
    CHECK_INT(ren_dataset_count(dataset), 1);
    ren_scan_free(scan);
    scan = NULL;
    CHECK_FAILS(ren_dataset_scan(dataset, 1, NULL, &scan), REN_E_INVALID, "there is no scan 1");
    CHECK_FAILS(ren_dataset_scan(dataset, -1, NULL, &scan), REN_E_INVALID, "there is no scan -1");
    CHECK_FAILS(ren_dataset_create(context, NULL, NULL), REN_E_INVALID, "out");
    CHECK_FAILS(ren_dataset_create(NULL, NULL, &none), REN_E_INVALID, "context");
    REN_TRY(ren_dataset_options_init(&options, sizeof options));
    preset.size[1] = -4;
    options.preset = &preset;
    CHECK_FAILS(ren_dataset_create(context, &options, &none), REN_E_INVALID, NULL);
    options.preset = NULL;
    test_file(path, "nowhere/cache");
    options.cache_folder = path;
    CHECK_FAILS(ren_dataset_create(context, &options, &none), REN_E_IO, "nowhere");
    CHECK(none == NULL);
    ren_dataset_free(NULL);
out:
    ren_scan_free(scan);
    ren_dataset_free(dataset);
    return st;
}

/* More scans than there is room for at first. */
static ren_status test_a_data_set_grows(ren_context *context) {
    enum { COUNT = 70 };
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    char patient[16], scan[16];

    REN_TRY(ren_dataset_create(context, NULL, &dataset));
    for (int32_t i = 0; i < COUNT; i++) {
        snprintf(patient, sizeof patient, "p%d", i % 9);
        snprintf(scan, sizeof scan, "s%d", i);
        REN_TRY(ren_dataset_add_files(dataset, patient, scan, "ct", "lobes", i % 2));
    }
    CHECK_INT(ren_dataset_count(dataset), COUNT);
    CHECK_INT(ren__dataset_patients(dataset), 9);
    for (int32_t i = 0; i < COUNT; i++) {
        snprintf(scan, sizeof scan, "s%d", i);
        CHECK_TEXT(ren_dataset_scan_name(dataset, i), scan);
        CHECK_INT(ren__dataset_patient(dataset, i), i % 9);
        CHECK_INT(ren_dataset_label(dataset, i), i % 2);
    }
    CHECK_TEXT(ren_dataset_patient(dataset, 10), "p1");
    CHECK(!ren_dataset_patient(dataset, COUNT) && !ren_dataset_scan_name(dataset, -1));
    CHECK(ren_dataset_label(dataset, COUNT) == -1 && ren_dataset_label(NULL, 0) == -1);
    CHECK(ren_dataset_count(NULL) == 0 && !ren_dataset_patient(NULL, 0));
out:
    ren_dataset_free(dataset);
    return st;
}

/* --------------------------------------------------------------------------------------------------- the split */

enum { MANY = 60, PEOPLE = 24 };

/* Patients with one to three scans; every third one is positive, by one scan alone where there are several. */
static ren_status make_many(ren_context *context, ren_dataset **out) {
    ren_status st = REN_OK;
    char patient[16], scan[16];

    REN_TRY(ren_dataset_create(context, NULL, out));
    for (int32_t i = 0; i < MANY; i++) {
        const int32_t number = i % PEOPLE;
        snprintf(patient, sizeof patient, "p%d", number);
        snprintf(scan, sizeof scan, "s%d", i / PEOPLE);
        REN_TRY(ren_dataset_add_files(*out, patient, scan, "ct", "lobes", i < PEOPLE && number % 3 == 0));
    }
out:
    return st;
}

/* Without folds: everyone is in one of two sets, with a fifth of each label's patients for validation. */
static ren_status test_a_split_keeps_patients_together(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    int32_t indices[MANY], of_patient[PEOPLE] = { 0 };
    int32_t patients[3][2] = { { 0 } };
    size_t count, total = 0;

    REN_TRY(make_many(context, &dataset));
    for (int32_t set = REN_SET_TRAINING; set <= REN_SET_VALIDATION; set++) {
        REN_TRY(ren_dataset_split(dataset, NULL, set, indices, MANY, &count));
        total += count;
        for (size_t i = 0; i < count; i++) {
            int32_t *where = &of_patient[ren__dataset_patient(dataset, indices[i])];
            CHECK(i == 0 || indices[i] > indices[i - 1]);
            CHECK(*where == 0 || *where == set + 1);
            if (*where == 0) patients[set][(where - of_patient) % 3 == 0]++;
            *where = set + 1;
        }
    }
    CHECK_INT(total, MANY);
    CHECK_INT(patients[REN_SET_VALIDATION][1], 2); /* of 8, rounded */
    CHECK_INT(patients[REN_SET_VALIDATION][0], 3); /* of 16 */
out:
    ren_dataset_free(dataset);
    return st;
}

/* With folds: the sets that split.h makes for a study of these patients. */
static ren_status test_a_split_is_a_studys(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren__split *split = NULL;
    const ren__split_options study = { 4, 0.25, 1, REN__PROTOCOL_DEFAULT, 99 };
    ren_split_options options;
    int32_t indices[MANY], label[PEOPLE];
    size_t count;

    REN_TRY(make_many(context, &dataset));
    for (int32_t i = 0; i < PEOPLE; i++)
        label[i] = i % 3 == 0;
    REN_TRY(ren__split_make(context, &study, label, PEOPLE, &split));
    REN_TRY(ren_split_options_init(&options, sizeof options));
    options.seed = 99;
    options.folds = 4;
    options.validation = 0.25;
    for (int32_t k = 0; k < 4 * 3; k++) {
        size_t found = 0;
        options.fold = k / 3;
        REN_TRY(ren_dataset_split(dataset, &options, k % 3, indices, MANY, &count));
        for (int32_t i = 0; i < MANY; i++)
            if (split->set[options.fold * PEOPLE + i % PEOPLE] == k % 3) CHECK(found < count && indices[found++] == i);
        CHECK_INT(found, count);
    }
out:
    ren__free(split);
    ren_dataset_free(dataset);
    return st;
}

static ren_status test_impossible_splits_are_refused(ren_context *context) {
    static const struct {
        double validation;
        int32_t folds, fold, set;
        ren_status status;
        const char *text;
    } cases[] = {
        { 1.0, 0, 0, 0, REN_E_INVALID, "share" },
        { -0.1, 0, 0, 0, REN_E_INVALID, "share" },
        { NAN, 0, 0, 0, REN_E_INVALID, "share" },
        { 0.2, 1, 0, 0, REN_E_INVALID, "1 folds" },
        { 0.2, -2, 0, 0, REN_E_INVALID, "-2 folds" },
        { 0.2, 51, 0, 0, REN_E_INVALID, "51 folds" },
        { 0.2, 3, 3, 0, REN_E_INVALID, "no fold 3" },
        { 0.2, 0, 1, 0, REN_E_INVALID, "no fold 1" },
        { 0.2, 3, -1, 0, REN_E_INVALID, "no fold -1" },
        { 0.2, 3, 0, 3, REN_E_INVALID, "no set 3" },
        { 0.2, 0, 0, -1, REN_E_INVALID, "no set -1" },
        { 0.2, 0, 0, 2, REN_E_INVALID, "a test set needs folds" },
        { 0.2, 12, 0, 0, REN_E_DATA, "fewer folds or more" },
    };
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL, *empty = NULL;
    ren_split_options options;
    int32_t indices[MANY];
    size_t count = 77;

    REN_TRY(make_many(context, &dataset));
    REN_TRY(ren_dataset_create(context, NULL, &empty));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REN_TRY(ren_split_options_init(&options, sizeof options));
        options.validation = cases[i].validation;
        options.folds = cases[i].folds;
        options.fold = cases[i].fold;
        CHECK_FAILS(ren_dataset_split(dataset, &options, cases[i].set, indices, MANY, &count), cases[i].status,
                    cases[i].text);
    }
    CHECK_FAILS(ren_dataset_split(dataset, NULL, 0, indices, MANY - 1, &count), REN_E_INVALID, "room for 59");
    CHECK_FAILS(ren_dataset_split(dataset, NULL, 0, NULL, MANY, &count), REN_E_INVALID, "indices");
    CHECK_FAILS(ren_dataset_split(dataset, NULL, 0, indices, MANY, NULL), REN_E_INVALID, "count");
    CHECK_FAILS(ren_dataset_split(NULL, NULL, 0, indices, MANY, &count), REN_E_INVALID, "dataset");
    CHECK_FAILS(ren_dataset_split(empty, NULL, 0, indices, MANY, &count), REN_E_DATA, "take more patients");
    CHECK_INT(count, 77);
out:
    ren_dataset_free(empty);
    ren_dataset_free(dataset);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_held_scans_give_the_same_values), CASE(test_what_is_added_is_checked),
          CASE(test_a_data_set_grows), CASE(test_a_split_keeps_patients_together), CASE(test_a_split_is_a_studys),
          CASE(test_impossible_splits_are_refused), CASE_SAMPLED(test_the_cache_gives_the_same_bits),
          CASE_SAMPLED(test_the_cache_keeps_the_papers_preset),
          CASE_SAMPLED(test_regions_are_the_same_under_every_budget),
          CASE_SAMPLED(test_lobes_are_the_same_under_every_budget), CASE_SAMPLED(test_memory_keeps_to_the_budget),
          CASE(test_patients_are_numbered), CASE_SAMPLED(test_a_broken_scan_is_named),
          CASE_SAMPLED(test_damaged_and_outdated_files_are_made_anew))
