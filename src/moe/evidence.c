/* SPDX-License-Identifier: Apache-2.0 */
#include "moe/evidence.h"

#include <string.h>

#include "radiomics/extractor.h"
#include "volume/scan.h"

/* The sets of the wanted regions alone, in the order of the regions. */
static int32_t keep_wanted(ren__labels *labels, const int32_t wanted[REN_REGION_COUNT],
                           int32_t region[REN_REGION_COUNT]) {
    int32_t kept = 0;

    for (int32_t r = 0; r < REN_REGION_COUNT; r++) {
        if (!wanted[r]) continue;
        labels->sets[kept] = labels->sets[r];
        region[kept++] = r;
    }
    labels->count = kept;
    return kept;
}

static ren_status take_rows(const ren_gate *gate, const int32_t *region, ren__extraction *to) {
    ren_context *context = gate->context;
    const size_t columns = (size_t)gate->column_count;
    const int32_t rows = ren_features_row_count(to->features);
    ren_status st = REN_OK;

    REN_CALLOC(to->values, (size_t)rows * columns);
    for (int32_t i = 0; i < rows; i++) {
        double *row = to->values + (size_t)i * columns;
        to->evidence.missing[region[i]] = ren_features_row_error(to->features, i);
        if (to->evidence.missing[region[i]]) continue;
        ren__gate_row(gate, to->features, i, row);
        to->evidence.row[region[i]] = row;
    }
out:
    return st;
}

ren_status ren__extract_evidence(const ren_gate *gate, const ren_volume *ct, const ren_volume *lobes,
                                 const int32_t wanted[REN_REGION_COUNT], ren__run *run, ren__extraction *extraction) {
    static const char unusable[] = "radiomics cannot be extracted from this pair of CT and lobes";
    int32_t region[REN_REGION_COUNT];
    ren__labels labels = { .arena = NULL };
    ren_status st = REN_OK;

    REN_TRY(ren__labels_regions(gate->context, &labels));
    if (keep_wanted(&labels, wanted, region) == 0) goto out;
    st = ren__radiomics_extract(gate->extractor, ct, lobes, &labels, run, &extraction->features);
    if (st == REN_E_DATA) {
        for (int32_t i = 0; i < labels.count; i++)
            extraction->evidence.missing[region[i]] = unusable;
        st = REN_OK;
        goto out;
    }
    if (st == REN_OK) st = take_rows(gate, region, extraction);
out:
    ren__labels_free(&labels);
    return st;
}

void ren__extraction_end(ren__extraction *extraction) {
    ren_features_free(extraction->features);
    ren__free(extraction->values);
    memset(extraction, 0, sizeof *extraction);
}
