/* SPDX-License-Identifier: Apache-2.0 */
/* The diagnostics of one region, line by line as PyRadiomics' generalinfo.py has them. */
#include "radiomics/diagnostics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "radiomics/pixels.h"
#include "radiomics/python_text.h"
#include "volume/geometry.h"

/* A row that is being filled; the first failure sticks. */
typedef struct writer {
    ren_features *features;
    int32_t row, axes; /* axes: dimensions of the image */
    ren_text *text;
    ren_status status;
} writer;

static ren_status open_writer(ren_features *features, int32_t row, int32_t axes, writer *out) {
    *out = (writer){ .features = features, .row = row, .axes = axes };
    return ren__text_create(features->context, &out->text);
}

/* Adds what the text holds under `name`, which is copied, and empties it. */
static void add(writer *to, const char *stage, const char *name) {
    const size_t size = strlen("diagnostics_") + strlen(stage) + strlen(name) + 1;
    char *full;

    if (to->status == REN_OK) to->status = to->text->status;
    if (to->status != REN_OK) return;
    full = ren__arena_alloc(to->features->arena, size);
    if (!full) {
        to->status = ren__out_of_memory();
        return;
    }
    snprintf(full, size, "diagnostics_%s%s", stage, name);
    to->status = ren__features_diagnostic(to->features, to->row, full, ren_text_data(to->text));
    to->text->size = 0;
    to->text->data[0] = '\0';
}

static void add_text(writer *to, const char *stage, const char *name, const char *value) {
    ren__text_add(to->text, value);
    add(to, stage, name);
}

static void add_number(writer *to, const char *stage, const char *name, double value) {
    ren__python_number(to->text, value);
    add(to, stage, name);
}

static void add_whole(writer *to, const char *stage, const char *name, int64_t value) {
    ren__text_addf(to->text, "%lld", (long long)value);
    add(to, stage, name);
}

static void add_extent(writer *to, const char *stage, const ren__image_extent *extent) {
    add_number(to, stage, "Mean", extent->mean);
    add_number(to, stage, "Minimum", extent->minimum);
    add_number(to, stage, "Maximum", extent->maximum);
}

static void add_grid(writer *to, const char *stage, const ren_volume *volume) {
    double spacing[3];

    ren_volume_spacing(volume, spacing);
    ren__python_numbers(to->text, spacing, to->axes);
    add(to, stage, "Spacing");
    ren__python_integers(to->text, volume->shape, to->axes);
    add(to, stage, "Size");
}

/* ------------------------------------------------------------------------------------------------------ settings */

/* PyRadiomics prints its own defaults, then what was given, in the order of giving. */
static json_t *settings_of(const ren_radiomics *radiomics, const ren__label_set *set) {
    json_t *all =
        json_pack("{s:i, s:n, s:b, s:i, s:n, s:n, s:s, s:b, s:i, s:[i], s:b, s:i, s:n, s:i, s:b}",
                  "minimumROIDimensions", 2, "minimumROISize", "normalize", 0, "normalizeScale", 1, "removeOutliers",
                  "resampledPixelSpacing", "interpolator", "sitkBSpline", "preCrop", 0, "padDistance", 5, "distances",
                  1, "force2D", 0, "force2Ddimension", 0, "resegmentRange", "label", 1, "additionalInfo", 1);
    json_t *label = NULL;
    char text[16];

    if (!all) return NULL;
    if (json_object_update(all, json_object_get(radiomics->tree, "setting")) != 0) goto failed;
    if (json_object_update(all, json_object_get(radiomics->tree, "voxelSetting")) != 0) goto failed;
    if (radiomics->params.settings.mode == REN_RADIOMICS_IBSI &&
        json_object_set(all, "ibsi", json_object_get(radiomics->tree, "ibsi")) != 0)
        goto failed;
    label = json_integer(set->count ? set->labels[0] : 1);
    for (int32_t i = 1; label && i < set->count; i++) { /* merged labels: "1+2" */
        json_t *merged;
        if (i == 1) {
            snprintf(text, sizeof text, "%d", (int)set->labels[0]);
            json_decref(label);
            label = json_string(text);
            if (!label) break;
        }
        merged = json_sprintf("%s+%d", json_string_value(label), (int)set->labels[i]);
        json_decref(label);
        label = merged;
    }
    if (label && json_object_set_new(all, "label", label) == 0) return all;
failed:
    json_decref(all);
    return NULL;
}

static void add_json(ren_text *text, const json_t *value) {
    if (value)
        ren__python_value(text, value);
    else if (text->status == REN_OK)
        text->status = ren__error(REN_E_MEMORY, "out of memory: the settings cannot be printed");
}

void ren__diagnostics_settings(const ren_radiomics *radiomics, const ren__label_set *set, ren_text *text) {
    json_t *all = settings_of(radiomics, set);

    add_json(text, all);
    json_decref(all);
}

void ren__diagnostics_types(const ren_radiomics *radiomics, ren_text *text) {
    add_json(text, json_object_get(radiomics->tree, "imageType"));
}

static void add_versions(writer *to, const ren_radiomics *radiomics, const ren__label_set *set) {
    ren__text_addf(to->text, "libren %s", ren_version());
    add(to, "", "Versions_PyRadiomics");
    add_text(to, "", "Versions_Numpy", "none");
    add_text(to, "", "Versions_SimpleITK", "none");
    add_text(to, "", "Versions_PyWavelet", "none");
    add_text(to, "", "Versions_Python", "none");
    ren__diagnostics_settings(radiomics, set, to->text);
    add(to, "", "Configuration_Settings");
    ren__diagnostics_types(radiomics, to->text);
    add(to, "", "Configuration_EnabledImageTypes");
}

/* ------------------------------------------------------------------------------------------------------- region */

/* Means of the voxels' indices. */
static void centre_of(const ren__roi *roi, double centre[3]) {
    int64_t sums[3] = { 0, 0, 0 };
    const uint8_t *at = roi->inside;

    for (int64_t z = 0; z < roi->shape[2]; z++)
        for (int64_t y = 0; y < roi->shape[1]; y++, at += roi->shape[0]) {
            int64_t in_row = 0, x_sum = 0;
            for (int64_t x = 0; x < roi->shape[0]; x++) {
                in_row += at[x];
                x_sum += at[x] ? x : 0;
            }
            sums[0] += x_sum;
            sums[1] += y * in_row;
            sums[2] += z * in_row;
        }
    for (int a = 0; a < 3; a++)
        centre[a] = (double)(sums[a] + roi->begin[a] * roi->count) / (double)roi->count;
}

static void add_place(writer *to, const char *stage, const ren__roi *roi, const ren_volume *grid) {
    int64_t box[6];
    int64_t components = 0;
    double centre[3] = { 0, 0, 0 }, point[3];

    memcpy(box, roi->begin, sizeof roi->begin);
    memcpy(box + to->axes, roi->shape, sizeof roi->shape);
    add_grid(to, stage, grid);
    ren__python_integers(to->text, box, 2 * to->axes);
    add(to, stage, "BoundingBox");
    add_whole(to, stage, "VoxelNum", roi->count);
    if (to->status == REN_OK) to->status = ren__roi_components(to->features->context, roi, &components);
    add_whole(to, stage, "VolumeNum", components);
    centre_of(roi, centre);
    ren__python_numbers(to->text, centre, to->axes);
    add(to, stage, "CenterOfMassIndex");
    ren__affine_apply(grid->affine, centre, point);
    point[0] = -point[0]; /* ITK's millimetres are LPS */
    point[1] = -point[1];
    ren__python_numbers(to->text, point, to->axes);
    add(to, stage, "CenterOfMass");
}

/* Grey values inside, plane by plane. */
static ren_status region_extent(const ren_volume *image, const ren__roi *roi, ren__run *run, ren__image_extent *out) {
    ren_context *context = image->context;
    const int64_t plane = roi->shape[0] * roi->shape[1], shape[3] = { roi->shape[0], roi->shape[1], 1 };
    ren_status st = REN_OK;
    double *values = NULL;

    *out = (ren__image_extent){ 0.0, INFINITY, -INFINITY };
    REN_ALLOC(values, (size_t)plane * sizeof *values);
    for (int64_t z = 0; z < roi->shape[2]; z++) {
        const int64_t begin[3] = { roi->begin[0], roi->begin[1], roi->begin[2] + z };
        const uint8_t *inside = roi->inside + z * plane;
        double sum = 0.0;
        REN_TRY(ren__run_check(run));
        REN_TRY(ren__pixels_read(image, begin, shape, run, values));
        for (int64_t i = 0; i < plane; i++) {
            if (!inside[i]) continue;
            sum += values[i];
            out->minimum = fmin(out->minimum, values[i]);
            out->maximum = fmax(out->maximum, values[i]);
        }
        out->mean += sum;
    }
    out->mean /= (double)roi->count;
    if (isnan(out->mean)) out->minimum = out->maximum = NAN;
out:
    ren__free(values);
    return st;
}

static void add_region(writer *to, const char *stage, const ren__roi *roi, const ren_volume *image, ren__run *run) {
    ren__image_extent extent;

    add_place(to, stage, roi, image);
    if (to->status == REN_OK) to->status = region_extent(image, roi, run, &extent);
    if (to->status == REN_OK) add_extent(to, stage, &extent);
}

/* The image that features are computed on, after resampling. */
static void add_interpolated(writer *to, const ren__prepared *prepared, ren__run *run) {
    ren__image_facts facts;

    add_grid(to, "Image-interpolated_", prepared->image);
    if (to->status == REN_OK) to->status = ren__image_survey(prepared->image, NULL, run, &facts);
    if (to->status == REN_OK) add_extent(to, "Image-interpolated_", &facts.extent);
    add_region(to, "Mask-interpolated_", &prepared->interpolated_roi, prepared->image, run);
}

/* Where correctMask has moved the label map, what came in is looked at by itself. */
static void add_given_mask(writer *to, const ren__diagnostics *from, const ren__label_set *set, ren__run *run) {
    ren__case *alone = NULL;
    ren__prepared prepared;
    ren__radiomics_settings settings;

    memset(&prepared, 0, sizeof prepared);
    ren__radiomics_settings_default(REN_RADIOMICS_PYRADIOMICS, &settings);
    settings.minimum_dimensions = 1;
    if (to->status != REN_OK) return;
    to->status = ren__case_create(from->mask, from->mask, set, 1, &settings, run, &alone);
    if (to->status == REN_OK) to->status = ren__case_prepare(alone, 0, run, &prepared);
    if (to->status == REN_OK) add_place(to, "Mask-original_", &prepared.original_roi, from->mask);
    ren__prepared_free(&prepared);
    ren__case_free(alone);
}

ren_status ren__diagnostics_begin(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                                  ren__case *subject, ren__run *run, ren__diagnostics *out) {
    *out = (ren__diagnostics){ .radiomics = radiomics, .image = image, .mask = mask, .subject = subject };
    if (!radiomics->params.settings.additional_info) return REN_OK;
    return ren__image_survey(image, mask, run, &out->facts);
}

ren_status ren__diagnostics_row(const ren__diagnostics *diagnostics, const ren__label_set *set,
                                const ren__prepared *prepared, ren__run *run, ren_features *features, int32_t row) {
    const int corrected = ren__case_mask(diagnostics->subject) != diagnostics->mask;
    ren_status st = REN_OK;
    writer to;

    if (!diagnostics->radiomics->params.settings.additional_info) return REN_OK;
    const int planar = diagnostics->image->planar;
    REN_TRY(open_writer(features, row, planar ? 2 : 3, &to));
    add_versions(&to, diagnostics->radiomics, set);
    add_text(&to, "Image-original_", "Hash", diagnostics->facts.image_hash);
    add_text(&to, "Image-original_", "Dimensionality", planar ? "2D" : "3D");
    add_grid(&to, "Image-original_", diagnostics->image);
    add_extent(&to, "Image-original_", &diagnostics->facts.extent);
    add_text(&to, "Mask-original_", "Hash", diagnostics->facts.mask_hash);
    if (corrected)
        add_given_mask(&to, diagnostics, set, run);
    else
        add_place(&to, "Mask-original_", &prepared->original_roi, diagnostics->mask);
    if (prepared->interpolated) add_interpolated(&to, prepared, run);
    if (corrected && !diagnostics->radiomics->params.settings.pre_crop) /* where it crops, PyRadiomics does not tell */
        add_region(&to, "Mask-corrected_", &prepared->original_roi, diagnostics->image, run);
    if (prepared->resegmented) add_region(&to, "Mask-resegmented_", &prepared->roi, prepared->image, run);
    st = to.status;
out:
    ren_text_free(to.text);
    return st;
}
