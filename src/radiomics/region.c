/* SPDX-License-Identifier: Apache-2.0 */
/* A region's box, read from an image and discretised. */
#include "radiomics/region.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/discretise.h"
#include "radiomics/frame.h"
#include "radiomics/pixels.h"

void ren__roi_free(ren__roi *roi) {
    ren__free(roi->inside);
    memset(roi, 0, sizeof *roi);
}

void ren__region_free(ren__region *region) {
    /* what was allocated here; `inside` is the roi's */
    ren__free((void *)(uintptr_t)region->values);
    ren__free((void *)(uintptr_t)region->levels);
    ren__free((void *)(uintptr_t)region->grey);
    memset(region, 0, sizeof *region);
}

void ren__region_drop_values(ren__region *region) {
    ren__free((void *)(uintptr_t)region->values);
    region->values = NULL;
}

/* A value that is no number would be in no bin; PyRadiomics fails on most such regions, too, and is undefined on the
 * rest (the answer depends on where the first one stands). */
static ren_status refuse_not_finite(const ren__extremes *extremes, int64_t count) {
    if (!extremes->not_finite) return REN_OK;
    return ren__error(
        REN_E_DATA, "%lld of the region's %lld voxels are NaN or infinite in this image: mask them out or repair them",
        (long long)extremes->not_finite, (long long)count);
}

static ren_status fill(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                       int32_t parts, ren__run *run, ren__region *region) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    const int64_t total = roi->shape[0] * roi->shape[1] * roi->shape[2];
    ren__extremes extremes;
    double *values = NULL, *grey = NULL;
    uint16_t *levels = NULL;
    values = ren__alloc_array(context, (size_t)total, sizeof *values);
    if (!values) return ren__out_of_memory();
    region->values = values;
    REN_TRY(ren__pixels_read(image, roi->begin, roi->shape, run, values));
    REN_TRY(ren__extremes_find(context, values, roi->inside, total, run, &extremes));
    REN_TRY(refuse_not_finite(&extremes, roi->count));
    if (!(parts & REN__REGION_LEVELS)) goto out;
    levels = ren__alloc_array(context, (size_t)total, sizeof *levels);
    if (!levels) {
        st = ren__out_of_memory();
        goto out;
    }
    region->levels = levels;
    REN_TRY(ren__discretise(context, values, roi->inside, total, &extremes, ren__pixels_type(image) == REN_TYPE_F32,
                            settings, run, levels, &grey, &region->level_count));
    region->grey = grey;
out:
    return st;
}

ren_status ren__region_create(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                              int32_t parts, ren__run *run, ren__region *out) {
    ren__region region;
    memset(&region, 0, sizeof region);
    if (roi->count < 1) return ren__error(REN_E_DATA, "the region is empty");
    region.context = image->context;
    memcpy(region.shape, roi->shape, sizeof region.shape);
    ren__spacing_of(image, region.spacing);
    region.count = roi->count;
    region.inside = roi->inside;
    region.image = image;
    region.roi = roi;
    region.bin_width = settings->bin_count > 0 ? NAN : settings->bin_width;
    if (parts & (REN__REGION_VALUES | REN__REGION_LEVELS)) {
        const ren_status st = fill(image, roi, settings, parts, run, &region);
        if (st != REN_OK) {
            ren__region_free(&region);
            return st;
        }
    }
    *out = region;
    return REN_OK;
}
