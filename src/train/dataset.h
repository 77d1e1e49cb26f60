/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A data set as training sees it: the scans prepared once and read back on demand.
 *
 * Preparing (ren_scan_create) costs seconds a scan, reading the prepared scan milliseconds: it is stored in a cache
 * folder as one safetensors file, cropped to the lungs' box. The file's name is a hash of the two files' paths, lengths
 * and modification times and of the preset, so that an old file is never mistaken for a new one. Files appear whole or
 * not at all: any number of processes may prepare and read the same folder at once. Without a folder, and for scans
 * that the host has prepared itself, the data set holds the prepared scan.
 *
 * What training asks for again and again, a region's box of a scan in the cache folder, is kept in memory under a byte
 * budget, least recently used first out. A cohort of any size works; a small one is read from disk once.
 *
 * A data set belongs to one thread at a time.
 */
#ifndef REN_TRAIN_DATASET_H
#define REN_TRAIN_DATASET_H

#include "volume/scan.h"

/* One scan as the table has it. */
typedef struct ren__dataset_item {
    const char *patient, *scan; /* identifiers, for predictions and errors */
    const char *image, *lobes;  /* paths; NULL: the host gave the prepared scan */
    int32_t label;              /* class number */
} ren__dataset_item;

ren_dataset *ren__dataset_retain(ren_dataset *dataset);
const ren__dataset_item *ren__dataset_at(const ren_dataset *dataset, int32_t index);
const ren_preset *ren__dataset_preset(const ren_dataset *dataset); /* resolved */
/* The scan's patient; patients are numbered from 0 in order of their first scan. */
int32_t ren__dataset_patient(const ren_dataset *dataset, int32_t index);
int32_t ren__dataset_patients(const ren_dataset *dataset); /* how many */

/* Prepares those of `indices` (NULL: all) that are not prepared yet; reports progress as stage "preparing". A scan that
 * cannot be used fails the call, and the error names patient, scan and file. */
ren_status ren__dataset_prepare(ren_dataset *dataset, const int32_t *indices, int32_t count, ren__run *run) REN_CHECKED;

/* The prepared scan: the one that is held, from the cache, or else prepared now; ended by ren_scan_free. */
ren_status ren__dataset_scan(ren_dataset *dataset, int32_t index, ren__run *run, ren_scan **out) REN_CHECKED;

/* What the expert of a region sees: the product of preset.size floats, D, H, W with W fastest (a network's input "x" of
 * one sample). `voxels` (nullable) gets how many cells belong to the region: 0 where it is empty. */
ren_status ren__dataset_fill(ren_dataset *dataset, int32_t index, int32_t region, ren__run *run, float *values,
                             int64_t *voxels) REN_CHECKED;
/* The labels of the same cells, 0..5: a network's input "lobes" of one sample. */
ren_status ren__dataset_fill_lobes(ren_dataset *dataset, int32_t index, ren__run *run, float *values) REN_CHECKED;

#endif
