/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a data set's cache folder. */
#ifndef REN_TRAIN_DATASET_CACHE_H
#define REN_TRAIN_DATASET_CACHE_H

#include "volume/scan.h"

/* Raised whenever the preparation of scans or this file's layout changes: old files are then left alone. */
enum { REN__PREPARED_VERSION = 2 };

/* Stores a prepared scan without loss: the box of the cells that differ from the first one, and the first one. `key` is
 * what ren__prepared_read must be given. Atomic. */
ren_status ren__prepared_write(const ren_scan *scan, const char *path, const char *key) REN_CHECKED;
/* Reads it back, bit for bit. REN_E_FORMAT or REN_E_DATA where the file is not one of these or has another key. */
ren_status ren__prepared_read(ren_context *context, const char *path, const char *key, const ren_preset *preset,
                              ren_scan **out) REN_CHECKED;

#endif
