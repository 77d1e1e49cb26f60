/* SPDX-License-Identifier: Apache-2.0 */
/* What a CT and its lobes look like before anything is computed from them, and the rules by which they are refused. */
#ifndef REN_VOLUME_SURVEY_H
#define REN_VOLUME_SURVEY_H

#include "base/text.h"
#include "volume/scan.h"

enum { REN__LABELS = 6 }; /* 0 and the five lobes */

/* Both volumes are RAS views. */
typedef struct ren__survey {
    const ren_volume *ct, *lobes;
    int64_t voxels[REN__LABELS];  /* of each label */
    int64_t sums[REN__LABELS][3]; /* of the indices of each label's voxels */
    ren__box box;                 /* of labels 1 to 5 */
    int64_t not_finite;           /* CT voxels that are NaN or infinite */
    int has_air;                  /* a CT value below -200 HU */
    uint8_t *labels;              /* of the box, packed, x fastest */
} ren__survey;

/* Applies every rule. Refusals are REN_E_DATA; what is tolerated becomes a warning of the scan. */
ren_status ren__survey_create(const ren_volume *ct, const ren_volume *lobes, ren__run *run, ren_scan *scan,
                              ren__survey *out);
void ren__survey_free(ren__survey *survey); /* of one that was zeroed, too */

/* Adds a line to the scan's warnings. */
ren_status ren__scan_warn(ren_scan *scan, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fills image, label, lobe, affine, boxes and counts of the scan. */
ren_status ren__scan_prepare(const ren__survey *survey, ren__run *run, ren_scan *scan);

#endif
