/* SPDX-License-Identifier: Apache-2.0 */
/* A cohort of block-shaped chests for the tests of training: small enough to prepare in milliseconds, and with lungs
 * that are denser where the label is 1. */
#ifndef REN_TESTS_TRAIN_COHORT_H
#define REN_TESTS_TRAIN_COHORT_H

#include <sys/stat.h>

#include "base/random.h"
#include "harness.h"
#include "train/dataset.h"

enum { COHORT_EDGE = 20, COHORT_CELLS = COHORT_EDGE * COHORT_EDGE * COHORT_EDGE, COHORT_MOST = 32 };

/* The lobe of a voxel: x rises to the right in RAS, z to the head. `without` is a label that is left out. */
static inline uint8_t cohort_lobe(int x, int y, int z, int without) {
    uint8_t lobe = 0;

    if (y < 4 || y > 15 || z < 3 || z > 16) return 0;
    if (x >= 2 && x <= 7) lobe = z >= 10 ? 1 : 2;
    if (x >= 12 && x <= 17) lobe = z >= 12 ? 3 : z >= 9 ? 4 : 5;
    return lobe == without ? 0 : lobe;
}

static inline ren_status cohort_write_one(ren_context *context, const char *path, int32_t type, const void *voxels) {
    ren_status st = REN_OK;
    ren_volume *volume = NULL;
    ren_volume_desc desc;

    REN_TRY(ren_volume_desc_init(&desc, sizeof desc));
    desc.data = voxels;
    desc.type = type;
    for (int a = 0; a < 3; a++) {
        desc.shape[a] = COHORT_EDGE;
        desc.affine[5 * a] = 8.0; /* mm */
        desc.affine[4 * a + 3] = -76.0;
    }
    desc.affine[15] = 1.0;
    REN_TRY(ren_volume_create(context, &desc, &volume));
    REN_TRY(ren_volume_write(volume, path));
out:
    ren_volume_free(volume);
    return st;
}

/* Scan `index`: lungs around -800 HU, around -600 for label 1, noise from the index. */
static inline ren_status cohort_write(ren_context *context, int index, int label, int without, const char *image,
                                      const char *lobes) {
    ren_status st = REN_OK;
    int16_t *hu = ren__calloc(context, COHORT_CELLS, sizeof *hu);
    uint8_t *lobe = ren__calloc(context, COHORT_CELLS, 1);
    ren__rng rng;

    CHECK_MEMORY(hu);
    CHECK_MEMORY(lobe);
    ren__rng_init(&rng, 4711, (uint32_t)index, 0);
    for (int i = 0; i < COHORT_CELLS; i++) {
        const int x = i % COHORT_EDGE, y = i / COHORT_EDGE % COHORT_EDGE, z = i / COHORT_EDGE / COHORT_EDGE;
        lobe[i] = cohort_lobe(x, y, z, without);
        hu[i] = (int16_t)(lobe[i] ? (label ? -600 : -800) + (int)ren__rng_below(&rng, 300) - 150 : 20);
        if (x == 0 || y == 0 || x == COHORT_EDGE - 1 || y == COHORT_EDGE - 1) hu[i] = -1000;
    }
    REN_TRY(cohort_write_one(context, image, REN_TYPE_I16, hu));
    REN_TRY(cohort_write_one(context, lobes, REN_TYPE_U8, lobe));
out:
    ren__free(lobe);
    ren__free(hu);
    return st;
}

typedef struct cohort {
    char name[COHORT_MOST][16], image[COHORT_MOST][TEST_PATH], lobes[COHORT_MOST][TEST_PATH];
    ren__dataset_item item[COHORT_MOST];
} cohort;

/* `count` scans, two a patient, labels by turns of patients; written once a program. `cohort` is large: not on the
 * stack. */
static inline ren_status cohort_make(ren_context *context, int count, int without, cohort *c) {
    ren_status st = REN_OK;
    char name[32];

    for (int i = 0; i < count; i++) {
        const int label = i / 2 % 2;
        struct stat info;
        snprintf(name, sizeof name, "ct%d_%d.nii", i, without);
        test_file(c->image[i], name);
        snprintf(name, sizeof name, "lobes%d_%d.nii", i, without);
        test_file(c->lobes[i], name);
        snprintf(c->name[i], sizeof c->name[i], "p%d", i / 2);
        c->item[i] = (ren__dataset_item){ c->name[i], i % 2 ? "b" : "a", c->image[i], c->lobes[i], label };
        if (stat(c->lobes[i], &info) == 0) continue;
        REN_TRY(cohort_write(context, i, label, without, c->image[i], c->lobes[i]));
    }
out:
    return st;
}

/* A data set of these items; `preset` may be NULL. */
static inline ren_status cohort_dataset(ren_context *context, const char *folder, const ren_preset *preset,
                                        const ren__dataset_item *items, int32_t count, size_t memory,
                                        ren_dataset **out) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_dataset_options options;

    REN_TRY(ren_dataset_options_init(&options, sizeof options));
    options.cache_folder = folder;
    options.preset = preset;
    options.memory = memory;
    REN_TRY(ren_dataset_create(context, &options, &dataset));
    for (int32_t i = 0; i < count; i++)
        REN_TRY(ren_dataset_add_files(dataset, items[i].patient, items[i].scan, items[i].image, items[i].lobes,
                                      items[i].label));
    *out = dataset;
    dataset = NULL;
out:
    ren_dataset_free(dataset);
    return st;
}

/* Networks of 16^3 cells of 8 mm. */
static inline ren_preset cohort_preset(void) {
    ren_preset preset = {
        .struct_size = sizeof preset, .kind = REN_PRESET_LUNG, .spacing = 8.0, .size = { 16, 16, 16 }
    };

    return preset;
}

#endif
