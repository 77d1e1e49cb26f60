/* SPDX-License-Identifier: Apache-2.0 */
/* The data set: its cache gives back what preparation made, bit for bit, and its memory keeps to the budget. */
#include "train/dataset.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "format/safetensors.h"
#include "train/dataset_cache.h"
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

TEST_MAIN(CASE_SAMPLED(test_the_cache_gives_the_same_bits), CASE_SAMPLED(test_the_cache_keeps_the_papers_preset),
          CASE_SAMPLED(test_regions_are_the_same_under_every_budget), CASE_SAMPLED(test_memory_keeps_to_the_budget),
          CASE(test_patients_are_numbered), CASE_SAMPLED(test_a_broken_scan_is_named),
          CASE_SAMPLED(test_damaged_and_outdated_files_are_made_anew))
