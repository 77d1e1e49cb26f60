/* SPDX-License-Identifier: Apache-2.0 */
/* The scan handle: a checked and prepared pair of CT and lobes. */
#include "volume/scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "volume/survey.h"

ren_scan *ren__scan_retain(const ren_scan *scan) {
    ren_scan *writable = (ren_scan *)(uintptr_t)scan; /* the count is not part of what is const */
    if (writable) atomic_fetch_add_explicit(&writable->references, 1, memory_order_relaxed);
    return writable;
}

void ren_scan_free(ren_scan *scan) {
    if (!scan || atomic_fetch_sub_explicit(&scan->references, 1, memory_order_acq_rel) != 1) return;
    ren_context *context = scan->context;
    ren__free(scan->image);
    ren__free(scan->label);
    ren__free(scan->lobe);
    ren_text_free(scan->warnings);
    ren__free(scan);
    ren__context_release(context);
}

ren_status ren__scan_warn(ren_scan *scan, const char *format, ...) {
    char line[320];
    va_list arguments;
    va_start(arguments, format);
    (void)ren__format(line, sizeof line, format, arguments);
    va_end(arguments);
    ren__text_add_bytes(scan->warnings, line, strlen(line) + 1);
    if (scan->warnings->status == REN_OK) scan->warning_count++;
    return scan->warnings->status;
}

/* A view of `volume` in RAS order, the order of a network's D, H, W. */
static ren_status view_ras(const ren_volume *volume, ren_volume **out) {
    int32_t order[3] = { 0, 1, 2 }, flip[3] = { 0, 0, 0 };
    const ren_status st = ren__volume_axes(volume, "RAS", order, flip);
    return st == REN_OK ? ren__volume_view(volume, order, flip, out) : st;
}

static ren_status create(ren_context *context, const ren_volume *ct, const ren_volume *lobes, const ren_preset *preset,
                         ren__run *run, ren_scan **out) {
    ren_status st = REN_OK;
    ren_volume *ct_ras = NULL, *lobes_ras = NULL;
    ren__survey survey;
    ren_scan *scan = NULL;
    memset(&survey, 0, sizeof survey);
    REN_CALLOC(scan, 1);
    atomic_init(&scan->references, 1);
    scan->context = ren__context_retain(context);
    REN_TRY(ren__preset_resolve(preset, &scan->preset));
    REN_TRY(ren__text_create(context, &scan->warnings));
    REN_TRY(view_ras(ct, &ct_ras));
    REN_TRY(view_ras(lobes, &lobes_ras));
    REN_TRY(ren__survey_create(ct_ras, lobes_ras, run, scan, &survey));
    REN_TRY(ren__scan_prepare(&survey, run, scan));
    *out = scan;
    scan = NULL;
out:
    ren__survey_free(&survey);
    ren_volume_free(ct_ras);
    ren_volume_free(lobes_ras);
    ren_scan_free(scan);
    return st;
}

ren_status ren_scan_create(ren_context *context, const ren_volume *ct, const ren_volume *lobes,
                           const ren_preset *preset, const ren_run_options *options, ren_scan **out) {
    ren__run run;
    REN_REQUIRE(out);
    *out = NULL;
    REN_REQUIRE(context && ct && lobes);
    const ren_status st = ren__run_begin(&run, context, options);
    if (st != REN_OK) return st;
    return ren__run_end(&run, create(context, ct, lobes, preset, &run, out));
}

int32_t ren_scan_warning_count(const ren_scan *scan) {
    return scan ? scan->warning_count : 0;
}

const char *ren_scan_warning(const ren_scan *scan, int32_t index) {
    if (!scan || index < 0 || index >= scan->warning_count) return NULL;
    const char *line = ren_text_data(scan->warnings);
    for (int32_t i = 0; i < index; i++)
        line += strlen(line) + 1;
    return line;
}

static int in_region(const ren_scan *scan, int32_t region, size_t at) {
    return scan->lobe[at] && (ren__region_lobes(region) >> (scan->lobe[at] - 1) & 1U);
}

void ren__scan_fill(const ren_scan *scan, int32_t region, const ren__box *box, float *values) {
    const ren__box whole = { { 0, 0, 0 }, { scan->preset.size[0], scan->preset.size[1], scan->preset.size[2] } };
    if (!box) box = &whole;
    for (int64_t d = box->begin[0]; d < box->end[0]; d++)
        for (int64_t h = box->begin[1]; h < box->end[1]; h++) {
            const size_t row = (size_t)((d * scan->preset.size[1] + h) * scan->preset.size[2]);
            for (int64_t w = box->begin[2]; w < box->end[2]; w++) {
                const size_t at = row + (size_t)w;
                *values++ = in_region(scan, region, at) ? scan->image[at] : 0.0F;
            }
        }
}

void ren__scan_lobes(const ren_scan *scan, float *values) {
    const int64_t cells = scan->preset.size[0] * scan->preset.size[1] * scan->preset.size[2];
    for (int64_t at = 0; at < cells; at++)
        values[at] = (float)scan->lobe[at];
}

static void release_scan(void *user, void *data) {
    (void)data;
    ren_scan_free(user);
}

static void release_values(void *user, void *data) {
    (void)user;
    ren__free(data);
}

/* A volume over values in the network's order, W fastest. */
static ren_status wrap(const ren_scan *scan, float *values, void (*release)(void *user, void *data), void *user,
                       ren_volume **out) {
    ren_volume_desc desc;
    ren_status st = ren_volume_desc_init(&desc, sizeof desc);
    if (st != REN_OK) return st;
    desc.data = values;
    desc.type = REN_TYPE_F32;
    memcpy(desc.shape, scan->preset.size, sizeof desc.shape);
    desc.strides[2] = (int64_t)sizeof *values;
    desc.strides[1] = desc.strides[2] * desc.shape[2];
    desc.strides[0] = desc.strides[1] * desc.shape[1];
    memcpy(desc.affine, scan->affine, sizeof desc.affine);
    desc.release = release;
    desc.user = user;
    return ren_volume_create(scan->context, &desc, out);
}

ren_status ren_scan_image(const ren_scan *scan, ren_volume **out) {
    REN_REQUIRE(out);
    *out = NULL;
    REN_REQUIRE(scan);
    ren_scan *held = ren__scan_retain(scan);
    const ren_status st = wrap(scan, held->image, release_scan, held, out);
    if (st != REN_OK) ren_scan_free(held);
    return st;
}

ren_status ren_scan_region(const ren_scan *scan, int32_t region, ren_volume **out) {
    ren_status st = REN_OK;
    float *values = NULL;
    REN_REQUIRE(out);
    *out = NULL;
    REN_REQUIRE(scan && ren_region_name(region) != NULL);
    ren_context *context = scan->context;
    REN_ALLOC(values, (size_t)(scan->preset.size[0] * scan->preset.size[1] * scan->preset.size[2]) * sizeof *values);
    ren__scan_fill(scan, region, NULL, values);
    REN_TRY(wrap(scan, values, release_values, NULL, out));
    values = NULL;
out:
    ren__free(values);
    return st;
}
