/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the data set share. */
#ifndef REN_TRAIN_DATASET_PARTS_H
#define REN_TRAIN_DATASET_PARTS_H

#include "train/dataset.h"

enum { REN__DATASET_KEY_SIZE = 33 };

/* What is kept of a scan: each region's image, and the label map of both lungs. */
enum { REN__LABEL_PATCH = REN__PLACES, REN__PATCHES };

/* One of these, its box alone, in the list of those kept, most recently used first. */
typedef struct ren__patch {
    struct ren__patch *newer, *older;
    int32_t index, place; /* place: a region, or REN__LABEL_PATCH */
    ren__box box;         /* all 0: the region is empty */
    int64_t voxels;
    size_t bytes;
    void *values; /* packed; float, or uint8_t of the label map; NULL: empty */
} ren__patch;

typedef struct ren__dataset_entry {
    ren__dataset_item item;
    int32_t patient;
    uint64_t patient_hash;
    char key[REN__DATASET_KEY_SIZE]; /* name of the prepared file; "" until needed */
    ren_scan *scan;                  /* held; NULL: in the cache folder, or not prepared yet */
    ren__patch *patch[REN__PATCHES];
} ren__dataset_entry;

struct ren_dataset {
    atomic_int references;
    ren_context *context; /* held */
    ren__arena *strings;
    const char *folder; /* NULL: prepared scans are held */
    ren_preset preset;
    ren__dataset_entry *entry;
    int32_t count, capacity, patients;
    ren__patch *newest, *oldest;
    size_t kept, memory; /* bytes of patches: now, and at most */
};

#endif
