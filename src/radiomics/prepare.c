/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an image and a label map to regions, in PyRadiomics' order: normalisation, resampling or preCrop, the checks of
 * the region, resegmentation, the checks again.
 */
#include <string.h>

#include "radiomics/case.h"
#include "radiomics/resample.h"

/* -------------------------------------------------------------------------------------------------- the case */

void ren__case_free(ren__case *subject) {
    if (!subject) return;
    ren_context *context = subject->context;
    for (int32_t s = 0; subject->sets && s < subject->set_count; s++) {
        ren__free(subject->sets[s].name);
        ren__free(subject->sets[s].labels);
    }
    ren__free(subject->sets);
    ren__source_free(&subject->shared);
    ren_volume_free(subject->given);
    ren_volume_free(subject->image);
    ren_volume_free(subject->mask);
    ren__free(subject);
    ren__context_release(context);
}

const ren_volume *ren__case_image(const ren__case *subject) {
    return subject->given;
}

const ren_volume *ren__case_mask(const ren__case *subject) {
    return subject->mask;
}

static ren_status copy_sets(ren__case *subject, const ren__label_set *sets, int32_t count) {
    ren_status st = REN_OK;
    ren_context *context = subject->context;
    REN_CALLOC(subject->sets, (size_t)count);
    subject->set_count = count;
    for (int32_t s = 0; s < count; s++) {
        ren__labelled *set = &subject->sets[s];
        set->name = ren__strdup(context, sets[s].name ? sets[s].name : "");
        set->labels = ren__alloc_array(context, (size_t)sets[s].count, sizeof *set->labels);
        if (!set->name || !set->labels) return ren__out_of_memory();
        if (sets[s].count) memcpy(set->labels, sets[s].labels, (size_t)sets[s].count * sizeof *set->labels);
        set->label_count = sets[s].count;
    }
out:
    return st;
}

/* Where nothing is resampled, image and mask must share a grid; correctMask gives the mask that of the image. */
static ren_status match_grids(ren__case *subject, ren__run *run) {
    const ren__radiomics_settings *settings = &subject->settings;
    const double tolerance = settings->geometry_tolerance > 0.0 ? settings->geometry_tolerance : 1e-6;
    ren__frame image, mask;
    ren_volume *corrected = NULL;
    char difference[160];
    if (settings->resample) return REN_OK;
    ren__frame_of(subject->image, &image);
    ren__frame_of(subject->mask, &mask);
    if (!ren__frame_differs(&image, &mask, tolerance, difference, sizeof difference)) return REN_OK;
    if (!settings->correct_mask)
        return ren__error(REN_E_DATA,
                          "%s: raise geometryTolerance where that is an inaccuracy, or set correctMask to have the "
                          "mask resampled",
                          difference);
    ren_status st = ren__labels_find(subject->mask, subject->sets, subject->set_count, run);
    if (st != REN_OK) return st;
    for (int32_t s = 0; s < subject->set_count; s++) {
        ren__labelled *set = &subject->sets[s];
        set->outside = set->count && ren__check_covered(&image, &mask, set) != REN_OK;
    }
    st = ren__resample_mask(subject->mask, &image, run, &corrected);
    if (st != REN_OK) return st;
    ren_volume_free(subject->mask);
    subject->mask = corrected;
    return REN_OK;
}

ren_status ren__case_create(const ren_volume *image, const ren_volume *mask, const ren__label_set *sets, int32_t count,
                            const ren__radiomics_settings *settings, ren__run *run, ren__case **out) {
    ren_status st = REN_OK;
    ren_context *context = image->context;
    ren__case *subject = NULL;
    REN_CALLOC(subject, 1);
    subject->context = ren__context_retain(context);
    subject->settings = *settings;
    subject->given = ren__volume_retain(image);
    subject->mask = ren__volume_retain(mask);
    if (settings->normalize)
        REN_TRY(ren__normalise(image, settings, run, &subject->image));
    else
        subject->image = ren__volume_retain(image);
    REN_TRY(copy_sets(subject, sets, count));
    REN_TRY(match_grids(subject, run));
    REN_TRY(ren__labels_find(subject->mask, subject->sets, count, run));
    *out = subject;
    subject = NULL;
out:
    ren__case_free(subject);
    return st;
}

/* ---------------------------------------------------------------------------------------------- one label set */

/* The rois of a prepared region may share their voxels. */
void ren__prepared_free(ren__prepared *prepared) {
    ren__roi *rois[] = { &prepared->roi, &prepared->shape_roi, &prepared->original_roi, &prepared->interpolated_roi };
    for (size_t i = 0; i < sizeof rois / sizeof *rois; i++)
        for (size_t j = i + 1; j < sizeof rois / sizeof *rois; j++)
            if (rois[j]->inside == rois[i]->inside) rois[j]->inside = NULL;
    for (size_t i = 0; i < sizeof rois / sizeof *rois; i++)
        ren__roi_free(rois[i]);
    ren_volume_free(prepared->image);
    memset(prepared, 0, sizeof *prepared);
}

/* The image cropped to the region's box and padDistance around it; `roi` becomes relative to that. */
static ren_status crop(ren__prepared *prepared, int64_t pad) {
    const ren__roi *roi = &prepared->original_roi;
    int64_t begin[3], shape[3];
    ren_volume *part = NULL;
    for (int a = 0; a < 3; a++) {
        const int64_t end = roi->begin[a] + roi->shape[a] + pad, size = prepared->image->shape[a];
        begin[a] = roi->begin[a] > pad ? roi->begin[a] - pad : 0;
        shape[a] = (end < size ? end : size) - begin[a];
    }
    const ren_status st = ren__volume_part(prepared->image, begin, shape, &part);
    if (st != REN_OK) return st;
    ren_volume_free(prepared->image);
    prepared->image = part;
    for (int a = 0; a < 3; a++)
        prepared->roi.begin[a] = roi->begin[a] - begin[a];
    return REN_OK;
}

/* Resegmentation; the shape's region is the one before it, but (for PyRadiomics) within the box of the one after it,
 * unless resegmentShape is set. */
static ren_status resegment(ren__prepared *prepared, const char *name, const ren__radiomics_settings *settings,
                            ren__run *run) {
    ren__roi kept;
    memset(&kept, 0, sizeof kept);
    ren_status st = ren__resegment(prepared->image, &prepared->roi, settings, run, &kept);
    if (st == REN_OK) st = ren__roi_check(&kept, name, settings);
    /* IBSI's morphological mask stays whole */
    const int keep_shape = settings->mode == REN_RADIOMICS_IBSI && !settings->resegment_shape;
    if (st == REN_OK && !settings->resegment_shape && !keep_shape)
        st = ren__roi_within(prepared->image->context, &prepared->roi, kept.begin, kept.shape, &prepared->shape_roi);
    if (st != REN_OK) {
        ren__roi_free(&kept);
        return st;
    }
    if (!keep_shape && prepared->roi.inside != prepared->original_roi.inside &&
        prepared->roi.inside != prepared->interpolated_roi.inside)
        ren__roi_free(&prepared->roi);
    prepared->roi = kept;
    if (settings->resegment_shape) prepared->shape_roi = kept;
    prepared->resegmented = 1;
    return REN_OK;
}

ren_status ren__case_prepare(ren__case *subject, int32_t index, ren__run *run, ren__prepared *out) {
    ren_status st = REN_OK;
    const ren__radiomics_settings *settings = &subject->settings;
    const ren__labelled *set = &subject->sets[index];
    ren__prepared prepared;
    memset(&prepared, 0, sizeof prepared);
    if (!set->count) return ren__error(REN_E_DATA, "region %s has no voxels in the mask", set->name);
    if (set->outside)
        return ren__error(REN_E_DATA, "region %s reaches outside of the image, and correctMask cannot mend that",
                          set->name);
    REN_TRY(ren__labels_roi(subject->mask, set, run, &prepared.original_roi));
    if (settings->resample) {
        REN_TRY(ren__resample_region(subject, set, run, &prepared));
        prepared.interpolated = 1;
    } else {
        prepared.image = ren__volume_retain(subject->image);
        prepared.roi = prepared.original_roi;
    }
    REN_TRY(ren__roi_check(&prepared.roi, set->name, settings));
    /* cropping saves time alone; IBSI's local intensity peaks look around the region */
    if (settings->pre_crop && !settings->resample && settings->mode != REN_RADIOMICS_IBSI)
        REN_TRY(crop(&prepared, settings->pad_distance));
    prepared.shape_roi = prepared.roi;
    if (ren__resegments(settings)) REN_TRY(resegment(&prepared, set->name, settings, run));
    *out = prepared;
    memset(&prepared, 0, sizeof prepared);
out:
    ren__prepared_free(&prepared);
    return st;
}
