/* SPDX-License-Identifier: Apache-2.0 */
/* A prepared scan with lobes taken out, for explanations by occlusion. */
#include <string.h>

#include "volume/scan.h"

/* Boxes and sizes of the regions, from the labels. */
static void measure(ren_scan *scan) {
    const int64_t *size = scan->preset.size;
    int64_t at[3];
    size_t cell = 0;

    memset(scan->box, 0, sizeof scan->box);
    memset(scan->voxels, 0, sizeof scan->voxels);
    for (at[0] = 0; at[0] < size[0]; at[0]++)
        for (at[1] = 0; at[1] < size[1]; at[1]++)
            for (at[2] = 0; at[2] < size[2]; at[2]++, cell++)
                if (scan->lobe[cell]) ren__scan_count(scan, at, scan->lobe[cell]);
}

ren_status ren__scan_without(const ren_scan *scan, uint32_t lobes, ren_scan **out) {
    ren_context *context = scan->context;
    const size_t cells = (size_t)(scan->preset.size[0] * scan->preset.size[1] * scan->preset.size[2]);
    ren_scan *copy = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(copy, 1);
    atomic_init(&copy->references, 1);
    copy->context = ren__context_retain(context);
    copy->preset = scan->preset;
    memcpy(copy->affine, scan->affine, sizeof copy->affine);
    REN_TRY(ren__text_create(context, &copy->warnings));
    REN_ALLOC(copy->image, cells * sizeof *copy->image);
    REN_ALLOC(copy->lobe, cells);
    memcpy(copy->image, scan->image, cells * sizeof *copy->image);
    for (size_t i = 0; i < cells; i++)
        copy->lobe[i] = scan->lobe[i] && lobes >> (scan->lobe[i] - 1) & 1u ? 0 : scan->lobe[i];
    measure(copy);
    *out = copy;
    copy = NULL;
out:
    ren_scan_free(copy);
    return st;
}
