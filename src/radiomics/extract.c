/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One extraction: regions, image types, feature classes.
 *
 * Where every region is computed on the same image, a filter runs once and its image serves all regions; without
 * filters, and where resampling or preCrop make an image of its own for each region, regions come one after the other.
 * Either way the arrays of one region are held at a time.
 */
#include <math.h>
#include <string.h>

#include "radiomics/diagnostics.h"
#include "radiomics/image_types.h"

typedef struct extraction {
    ren_context *context;
    const ren__radiomics_params *params;
    const ren__labels *labels;
    ren__case *subject;
    ren__run *run;
    ren_features *features;
    ren__diagnostics diagnostics;
    int64_t steps, steps_done;
    int64_t begin[3], end[3]; /* box of all regions that can be used, where they share their image */
    /* while images are derived */
    int32_t type;
    int32_t row;             /* whose image is derived; -1: all rows' */
    const ren__prepared *of; /* with row */
} extraction;

static ren_status step(extraction *e) {
    const double done = (double)e->steps_done++ / (double)(e->steps ? e->steps : 1);
    return ren__run_progress(e->run, "radiomics", done);
}

/* What is wrong with a region is told in its row; all else ends the call. */
static ren_status settle(extraction *e, int32_t row, ren_status st) {
    return st == REN_E_DATA ? ren__features_fail(e->features, row, ren_error_message()) : st;
}

/* ------------------------------------------------------------------------------------------------------ classes */

static const ren__feature_class *class_at(const extraction *e, int32_t slot) {
    return ren__radiomics_classes(e->params->settings.mode)[e->params->classes[slot].index];
}

/* What the classes that are computed on a block's images read of them; -1: there is no such class. */
static int32_t parts_of(const extraction *e, int shape) {
    int32_t parts = -1;

    for (int32_t slot = 0; slot < e->params->class_count; slot++) {
        if (ren__class_of_shape(e->params, slot) != shape || !ren__class_has_columns(e->params, slot)) continue;
        parts = (parts < 0 ? 0 : parts) | class_at(e, slot)->parts;
    }
    return parts;
}

/* The classes of the block that read grey values, or those that do not; the row's values go to `to`. */
static ren_status compute_classes(extraction *e, const ren__region *region, const ren__radiomics_settings *settings,
                                  int shape, int with_values, double *to) {
    double values[REN__CLASS_FEATURES_MAX];

    for (int32_t slot = 0; slot < e->params->class_count; slot++) {
        const ren__feature_class *of = class_at(e, slot);
        const int32_t count = e->params->classes[slot].feature_count;
        if (ren__class_of_shape(e->params, slot) != shape || !ren__class_has_columns(e->params, slot)) continue;
        to += count;
        if (((of->parts & REN__REGION_VALUES) != 0) != with_values) continue;
        for (int32_t i = 0; i < REN__CLASS_FEATURES_MAX; i++)
            values[i] = NAN;
        const ren_status st =
            of->compute(region, settings, e->params->wanted[e->params->classes[slot].index], e->run, values);
        if (st != REN_OK) return st;
        for (int32_t i = 0; i < count; i++)
            to[i - count] = values[e->params->classes[slot].features[i]];
    }
    return REN_OK;
}

/* Grey values are eight of the eleven bytes that a voxel takes: they go before the matrices come. */
static ren_status compute_all(extraction *e, ren__region *region, const ren__radiomics_settings *settings, int shape,
                              double *to) {
    const ren_status st = compute_classes(e, region, settings, shape, 1, to);

    if (st != REN_OK) return st;
    ren__region_drop_values(region);
    return compute_classes(e, region, settings, shape, 0, to);
}

static ren_status compute_block(extraction *e, int32_t row, int32_t type, const char *prefix, const ren_volume *image,
                                const ren__prepared *prepared) {
    const int shape = type < 0;
    const int32_t parts = parts_of(e, shape);
    const ren__radiomics_settings *settings = shape ? &e->params->settings : &e->params->image_types[type].settings;
    ren_status st = REN_OK;
    ren__feature_block *block = NULL;
    ren__region region;

    memset(&region, 0, sizeof region);
    if (parts < 0) return REN_OK;
    REN_TRY(ren__features_block(e->features, e->params, type, prefix, &block));
    REN_TRY(ren__region_create(image, shape ? &prepared->shape_roi : &prepared->roi, settings, parts, e->run, &region));
    region.shape_roi = &prepared->shape_roi;
    double *to = block->values + (size_t)row * (size_t)block->count;
    REN_TRY(compute_all(e, &region, settings, shape, to));
out:
    ren__region_free(&region);
    return st;
}

/* -------------------------------------------------------------------------------------------------- derived images */

static ren_status compute_row(extraction *e, int32_t row, const char *name, const ren_volume *image) {
    ren__prepared prepared;
    ren_status st;

    if (e->features->rows[row].error) return REN_OK;
    memset(&prepared, 0, sizeof prepared);
    st = ren__case_prepare(e->subject, row, e->run, &prepared);
    if (st == REN_OK) st = compute_block(e, row, e->type, name, image, &prepared);
    ren__prepared_free(&prepared);
    return settle(e, row, st);
}

/* A derived image: of one row, or of all of them. */
static ren_status take_image(void *user, const char *name, const ren_volume *image) {
    extraction *e = user;
    ren_status st = ren__run_check(e->run);

    if (st != REN_OK) return st;
    if (e->row >= 0) return compute_block(e, e->row, e->type, name, image, e->of);
    for (int32_t row = 0; row < e->labels->count && st == REN_OK; row++)
        st = compute_row(e, row, name, image);
    return st;
}

static ren_status derive(extraction *e, int32_t type, int32_t row, const ren__prepared *prepared,
                         const ren__roi *where) {
    e->type = type;
    e->row = row;
    e->of = prepared;
    return e->params->image_types[type].type->derive(prepared->image, where, &e->params->image_types[type].settings,
                                                     e->run, take_image, e);
}

/* LBP3D looks at the voxels of the region alone, so its images are of one region. */
static int is_of_region(const extraction *e, int32_t type) {
    return strcmp(e->params->image_types[type].type->name, "LBP3D") == 0;
}

static int is_original(const extraction *e, int32_t type) {
    return strcmp(e->params->image_types[type].type->name, "Original") == 0;
}

/* Not 0 where the image type is derived once for all rows. */
static int is_shared(const extraction *e, int32_t type) {
    const ren__radiomics_settings *settings = &e->params->settings;

    return e->labels->count > 1 && !settings->resample && !settings->pre_crop && !is_of_region(e, type) &&
           !is_original(e, type);
}

/* The first row that can be used stands for all, with the box of all of them: their image is the same. */
static ren_status derive_shared(extraction *e, int32_t type) {
    ren__prepared prepared;
    ren__roi box = { .count = 1 };
    ren_status st = REN_OK;
    int32_t row = 0;

    memset(&prepared, 0, sizeof prepared);
    while (row < e->labels->count && e->features->rows[row].error)
        row++;
    if (row == e->labels->count) return REN_OK;
    for (int a = 0; a < 3; a++) {
        box.begin[a] = e->begin[a];
        box.shape[a] = e->end[a] - e->begin[a];
    }
    st = ren__case_prepare(e->subject, row, e->run, &prepared);
    if (st == REN_OK) st = derive(e, type, -1, &prepared, &box);
    ren__prepared_free(&prepared);
    for (row = 0; row < e->labels->count && st == REN_E_DATA; row++) /* the filter refused the image */
        if (ren__features_fail(e->features, row, ren_error_message()) != REN_OK) return ren__out_of_memory();
    return st == REN_E_DATA ? REN_OK : st;
}

/* --------------------------------------------------------------------------------------------------------- rows */

static void widen_box(extraction *e, const ren__roi *roi) {
    const int first = e->end[0] == 0;

    for (int a = 0; a < 3; a++) {
        const int64_t end = roi->begin[a] + roi->shape[a];
        if (first || roi->begin[a] < e->begin[a]) e->begin[a] = roi->begin[a];
        if (first || end > e->end[a]) e->end[a] = end;
    }
}

static ren_status extract_prepared(extraction *e, int32_t row, const ren__prepared *prepared) {
    ren_status st = REN_OK;

    widen_box(e, &prepared->roi);
    REN_TRY(ren__diagnostics_row(&e->diagnostics, &e->labels->sets[row], prepared, e->run, e->features, row));
    REN_TRY(compute_block(e, row, -1, "original", prepared->image, prepared));
    for (int32_t type = 0; type < e->params->image_type_count; type++) {
        if (is_shared(e, type)) continue;
        REN_TRY(step(e));
        REN_TRY(derive(e, type, row, prepared, &prepared->roi));
    }
out:
    return st;
}

static ren_status extract_row(extraction *e, int32_t row) {
    ren__prepared prepared;
    ren_status st;

    memset(&prepared, 0, sizeof prepared);
    st = step(e);
    if (st == REN_OK) st = ren__case_prepare(e->subject, row, e->run, &prepared);
    if (st == REN_OK) st = extract_prepared(e, row, &prepared);
    ren__prepared_free(&prepared);
    return settle(e, row, st);
}

/* Columns that are known beforehand, so that a table without a usable region has them. */
static ren_status begin_blocks(extraction *e) {
    ren__feature_block *block;
    ren_status st = REN_OK;

    if (parts_of(e, 1) >= 0) REN_TRY(ren__features_block(e->features, e->params, -1, "original", &block));
    for (int32_t type = 0; type < e->params->image_type_count; type++)
        if (is_original(e, type) && parts_of(e, 0) >= 0)
            REN_TRY(ren__features_block(e->features, e->params, type, "original", &block));
out:
    return st;
}

ren_status ren__radiomics_extract(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                                  const ren__labels *labels, ren__run *run, ren_features **out) {
    extraction e = { .context = radiomics->context, .params = &radiomics->params, .labels = labels, .run = run };
    ren__radiomics_params *made = NULL;
    ren_status st = ren__radiomics_params_for(radiomics, image, &made, &e.params);

    if (st != REN_OK) return st;
    if (parts_of(&e, 1) < 0 && (parts_of(&e, 0) < 0 || e.params->image_type_count == 0))
        REN_FAIL(REN_E_STATE, "no feature is enabled: enable an image type and a feature class");
    e.steps = (int64_t)labels->count * (1 + e.params->image_type_count);
    REN_TRY(ren__features_create(radiomics->context, labels->sets, labels->count, &e.features));
    REN_TRY(ren__run_progress(run, "radiomics", 0.0));
    REN_TRY(ren__case_create(image, mask, labels->sets, labels->count, &e.params->settings, run, &e.subject));
    REN_TRY(ren__diagnostics_begin(radiomics, image, mask, e.subject, run, &e.diagnostics));
    REN_TRY(begin_blocks(&e));
    for (int32_t row = 0; row < labels->count; row++)
        REN_TRY(extract_row(&e, row));
    for (int32_t type = 0; type < e.params->image_type_count; type++)
        if (is_shared(&e, type)) REN_TRY(derive_shared(&e, type));
    REN_TRY(ren__features_finish(e.features));
    REN_TRY(ren__run_progress(run, "radiomics", 1.0));
    *out = e.features;
    e.features = NULL;
out:
    ren__case_free(e.subject);
    ren_features_free(e.features);
    ren__free(made);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- public */

static ren_status extract(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                          const ren__labels *labels, const ren_run_options *options, ren_features **out) {
    ren__run run;
    ren_status st = ren__run_begin(&run, radiomics->context, options);

    if (st == REN_OK) st = ren__radiomics_extract(radiomics, image, mask, labels, &run, out);
    return ren__run_end(&run, st);
}

ren_status ren_radiomics_extract(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                                 const char *const *labels, size_t count, const ren_run_options *run,
                                 ren_features **out) {
    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(image != NULL);
    REN_REQUIRE(mask != NULL);
    ren__labels parsed;
    ren_status st = ren__labels_parse(radiomics->context, labels, count, radiomics->params.settings.label, &parsed);

    if (st == REN_OK) st = extract(radiomics, image, mask, &parsed, run, out);
    ren__labels_free(&parsed);
    return st;
}

ren_status ren_radiomics_extract_regions(const ren_radiomics *radiomics, const ren_volume *ct, const ren_volume *lobes,
                                         const ren_run_options *run, ren_features **out) {
    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(ct != NULL);
    REN_REQUIRE(lobes != NULL);
    ren__labels parsed;
    ren_status st = ren__labels_regions(radiomics->context, &parsed);

    if (st == REN_OK) st = extract(radiomics, ct, lobes, &parsed, run, out);
    ren__labels_free(&parsed);
    return st;
}
