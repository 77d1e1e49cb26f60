/* SPDX-License-Identifier: Apache-2.0 */
/* What a radiomics gate reads of a scan: extracted from the original CT and lobes. */
#ifndef REN_MOE_EVIDENCE_H
#define REN_MOE_EVIDENCE_H

#include "moe/gate.h"

/* Evidence and what it lives in. Begins zeroed. */
typedef struct ren__extraction {
    ren__evidence evidence;
    ren_features *features; /* NULL: nothing was extracted */
    double *values;
} ren__extraction;

/* Extracts the wanted regions in one call, with the gate's parameters. A region that cannot be used has no row, and
 * `missing` says why; where the pair of volumes cannot be used that holds for all. _end follows whatever it returns. */
ren_status ren__extract_evidence(const ren_gate *gate, const ren_volume *ct, const ren_volume *lobes,
                                 const int32_t wanted[REN_REGION_COUNT], ren__run *run,
                                 ren__extraction *extraction) REN_CHECKED;
void ren__extraction_end(ren__extraction *extraction);

#endif
