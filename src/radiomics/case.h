/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of region.h's way from volumes to regions, shared between its files. */
#ifndef REN_RADIOMICS_CASE_H
#define REN_RADIOMICS_CASE_H

#include "radiomics/frame.h"
#include "radiomics/region.h"
#include "radiomics/sampler.h"

/* A label set and where it is on the mask's grid. */
typedef struct ren__labelled {
    char *name;
    int32_t *labels; /* rising, each once */
    int32_t label_count;
    int64_t begin[3], shape[3]; /* zero where count is */
    int64_t count;
    int32_t outside; /* correctMask: it reaches outside of the image */
} ren__labelled;

struct ren__case {
    ren_context *context;
    ren__radiomics_settings settings;
    ren_volume *given; /* the image as it came in */
    ren_volume *image; /* normalised, where asked for; else the same */
    ren_volume *mask;  /* after correctMask */
    ren__labelled *sets;
    int32_t set_count;
    /* Resampling: what several sets' samples are taken from, until each has been prepared once. */
    ren__source shared;
    int32_t shared_left;
    int sharing_decided;
};

/* labels.c: the boxes of all sets in one pass, and the voxels of one. */
ren_status ren__labels_find(const ren_volume *mask, ren__labelled *sets, int32_t count, ren__run *run) REN_CHECKED;
ren_status ren__labels_roi(const ren_volume *mask, const ren__labelled *set, ren__run *run, ren__roi *out) REN_CHECKED;
/* `roi` shrunk to the box of its voxels, which are counted; one that has none becomes empty. */
ren_status ren__roi_shrink(ren_context *context, ren__roi *roi) REN_CHECKED;
/* `roi` within another box, which may reach outside; its begin and shape stay those of the box. */
ren_status ren__roi_within(ren_context *context, const ren__roi *roi, const int64_t begin[3], const int64_t shape[3],
                           ren__roi *out) REN_CHECKED;
/* minimumROIDimensions, minimumROISize and the refusal of single voxels. */
ren_status ren__roi_check(const ren__roi *roi, const char *name, const ren__radiomics_settings *settings) REN_CHECKED;

/* normalise.c: the image normalised, with outliers removed and scaled, as float64. */
ren_status ren__normalise(const ren_volume *image, const ren__radiomics_settings *settings, ren__run *run,
                          ren_volume **out) REN_CHECKED;

/* resegment.c: the voxels of `roi` whose grey value is in range; its box is theirs. */
ren_status ren__resegment(const ren_volume *image, const ren__roi *roi, const ren__radiomics_settings *settings,
                          ren__run *run, ren__roi *out) REN_CHECKED;
int ren__resegments(const ren__radiomics_settings *settings);

/* A part of a volume, without a copy. */
ren_status ren__volume_part(const ren_volume *volume, const int64_t begin[3], const int64_t shape[3],
                            ren_volume **out) REN_CHECKED;

#endif
