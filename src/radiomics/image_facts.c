/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of whole images for the diagnostics: digests and grey values, plane by plane; components of a region. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/diagnostics.h"
#include "radiomics/pixels.h"

/* ------------------------------------------------------------------------------------------------------ digests */

static int is_packed(const ren_volume *volume) {
    const int64_t size = (int64_t)ren__type_size(volume->type);

    return volume->strides[0] == size && volume->strides[1] == size * volume->shape[0] &&
           volume->strides[2] == size * volume->shape[0] * volume->shape[1];
}

static int is_plain(const ren_volume *volume) {
    return volume->slope == 1.0 && volume->intercept == 0.0;
}

/* Stored voxels, row by row, as they are. */
static void gather_plane(const ren_volume *volume, int64_t z, uint8_t *to) {
    const size_t size = ren__type_size(volume->type);

    for (int64_t y = 0; y < volume->shape[1]; y++) {
        const uint8_t *from = volume->data + z * volume->strides[2] + y * volume->strides[1];
        for (int64_t x = 0; x < volume->shape[0]; x++, to += size)
            memcpy(to, from + x * volume->strides[0], size);
    }
}

static ren_status hash_planes(const ren_volume *image, ren__run *run, ren__sha1 *hash) {
    ren_context *context = image->context;
    const int64_t plane = image->shape[0] * image->shape[1];
    const int64_t shape[3] = { image->shape[0], image->shape[1], 1 };
    const int32_t type = ren__pixels_type(image);
    const size_t size = (size_t)plane * ren__type_size(type);
    const int plain = is_plain(image);
    ren_status st = REN_OK;
    double *values = NULL;
    uint8_t *bytes = NULL;

    REN_ALLOC(bytes, size);
    if (!plain) REN_ALLOC(values, (size_t)plane * sizeof *values);
    for (int64_t z = 0; z < image->shape[2]; z++) {
        const int64_t begin[3] = { 0, 0, z };
        REN_TRY(ren__run_check(run));
        if (plain) {
            gather_plane(image, z, bytes);
        } else {
            REN_TRY(ren__pixels_read(image, begin, shape, run, values));
            ren__pixels_store(type, values, plane, bytes);
        }
        ren__sha1_add(hash, bytes, size);
    }
out:
    ren__free(bytes);
    ren__free(values);
    return st;
}

ren_status ren__image_hash(const ren_volume *image, ren__run *run, char text[REN__SHA1_TEXT]) {
    ren__sha1 hash;
    ren_status st = REN_OK;

    ren__sha1_begin(&hash);
    if (is_plain(image) && is_packed(image))
        ren__sha1_add(&hash, image->data,
                      (size_t)(image->shape[0] * image->shape[1] * image->shape[2]) * ren__type_size(image->type));
    else
        st = hash_planes(image, run, &hash);
    if (st == REN_OK) ren__sha1_end(&hash, text);
    return st;
}

/* Small labels as they are stored, widened. 0: the volume holds something else. */
static int widen_labels(const ren_volume *mask, int64_t z, uint32_t *labels) {
    const uint8_t *bytes = mask->data + z * mask->strides[2];
    const int64_t count = mask->shape[0] * mask->shape[1];

    if (!is_plain(mask) || !is_packed(mask) || mask->type != REN_TYPE_U8) return 0;
    for (int64_t i = 0; i < count; i++)
        labels[i] = bytes[i];
    return 1;
}

ren_status ren__mask_hash(const ren_volume *mask, ren__run *run, char text[REN__SHA1_TEXT]) {
    ren_context *context = mask->context;
    const int64_t plane = mask->shape[0] * mask->shape[1], shape[3] = { mask->shape[0], mask->shape[1], 1 };
    ren_status st = REN_OK;
    ren__sha1 hash;
    uint32_t *labels = NULL;

    ren__sha1_begin(&hash);
    REN_ALLOC(labels, (size_t)plane * sizeof *labels);
    for (int64_t z = 0; z < mask->shape[2]; z++) {
        const int64_t begin[3] = { 0, 0, z };
        REN_TRY(ren__run_check(run));
        if (!widen_labels(mask, z, labels)) REN_TRY(ren__volume_box_labels(mask, begin, shape, run, (int32_t *)labels));
        ren__sha1_add(&hash, labels, (size_t)plane * sizeof *labels);
    }
    ren__sha1_end(&hash, text);
out:
    ren__free(labels);
    return st;
}

/* -------------------------------------------------------------------------------------------------- grey values */

/* Mean is the sum here; planes are added in their order. */
static void extent_of(const double *values, int64_t count, ren__image_extent *out) {
    double sums[8] = { 0 }, lows[8], highs[8];
    int64_t i = 0;

    for (int k = 0; k < 8; k++) {
        lows[k] = INFINITY;
        highs[k] = -INFINITY;
    }
    for (; i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++) {
            const double value = values[i + k];
            sums[k] += value;
            lows[k] = value < lows[k] ? value : lows[k];
            highs[k] = value > highs[k] ? value : highs[k];
        }
    for (; i < count; i++) {
        sums[0] += values[i];
        lows[0] = fmin(lows[0], values[i]);
        highs[0] = fmax(highs[0], values[i]);
    }
    *out = (ren__image_extent){ 0.0, INFINITY, -INFINITY };
    for (int k = 0; k < 8; k++) {
        out->mean += sums[k];
        out->minimum = fmin(out->minimum, lows[k]);
        out->maximum = fmax(out->maximum, highs[k]);
    }
}

/* Small integers as they are stored: exact sums, and nothing is converted. 0: the volume holds something else. */
#define EXTENT(type)                                                                                                   \
    do {                                                                                                               \
        const type *at = (const type *)(const void *)bytes;                                                            \
        type low = at[0], high = at[0];                                                                                \
        int64_t sum = 0;                                                                                               \
        for (int64_t i = 0; i < count; i++) {                                                                          \
            sum += at[i];                                                                                              \
            low = at[i] < low ? at[i] : low;                                                                           \
            high = at[i] > high ? at[i] : high;                                                                        \
        }                                                                                                              \
        *out = (ren__image_extent){ (double)sum, (double)low, (double)high };                                          \
    } while (0)

static int stored_extent(const ren_volume *image, int64_t z, ren__image_extent *out) {
    const uint8_t *bytes = image->data + z * image->strides[2];
    const int64_t count = image->shape[0] * image->shape[1];

    if (!is_plain(image) || !is_packed(image)) return 0;
    switch (image->type) {
    case REN_TYPE_U8:
        EXTENT(uint8_t);
        return 1;
    case REN_TYPE_I16:
        EXTENT(int16_t);
        return 1;
    case REN_TYPE_U16:
        EXTENT(uint16_t);
        return 1;
    default:
        return 0;
    }
}

static ren_status plane_extent(const ren_volume *image, int64_t z, ren__image_extent *out) {
    ren_context *context = image->context;
    const int64_t begin[3] = { 0, 0, z }, shape[3] = { image->shape[0], image->shape[1], 1 };
    ren_status st = REN_OK;
    double *values = NULL;

    if (stored_extent(image, z, out)) return REN_OK;
    REN_ALLOC(values, (size_t)(shape[0] * shape[1]) * sizeof *values);
    REN_TRY(ren__pixels_read(image, begin, shape, NULL, values));
    extent_of(values, shape[0] * shape[1], out);
out:
    ren__free(values);
    return st;
}

static void add_planes(const ren_volume *image, const ren__image_extent *planes, ren__image_extent *out) {
    const double count = (double)image->shape[0] * (double)image->shape[1] * (double)image->shape[2];

    *out = (ren__image_extent){ 0.0, INFINITY, -INFINITY };
    for (int64_t z = 0; z < image->shape[2]; z++) {
        out->mean += planes[z].mean;
        out->minimum = fmin(out->minimum, planes[z].minimum);
        out->maximum = fmax(out->maximum, planes[z].maximum);
    }
    out->mean /= count;
    if (isnan(out->mean)) out->minimum = out->maximum = NAN; /* as numpy has it: what holds a NaN has no least value */
}

/* ---------------------------------------------------------------------------------------------- all in one go */

/* Items of the loop: the two digests, which take longest, then the planes. */
enum { HASH_IMAGE = 0, HASH_MASK, PLANES };

typedef struct survey {
    const ren_volume *image, *mask;
    ren__image_facts *facts;
    ren__image_extent *planes;
    atomic_int failed; /* the first failure's status; its text is its thread's, and is kept here */
    char error[512];
} survey;

static void survey_items(void *argument, int64_t begin, int64_t end, int32_t thread) {
    survey *s = argument;
    ren_status st = REN_OK;
    int none = REN_OK;

    (void)thread;
    for (int64_t item = begin; item < end && st == REN_OK; item++) {
        if (item == HASH_IMAGE)
            st = ren__image_hash(s->image, NULL, s->facts->image_hash);
        else if (item == HASH_MASK)
            st = s->mask ? ren__mask_hash(s->mask, NULL, s->facts->mask_hash) : REN_OK;
        else
            st = plane_extent(s->image, item - PLANES, &s->planes[item - PLANES]);
    }
    if (st != REN_OK && atomic_compare_exchange_strong(&s->failed, &none, st))
        snprintf(s->error, sizeof s->error, "%s", ren_error_message());
}

ren_status ren__image_survey(const ren_volume *image, const ren_volume *mask, ren__run *run, ren__image_facts *out) {
    ren_context *context = image->context;
    ren_status st = REN_OK;
    survey s = { .image = image, .mask = mask, .facts = out };

    *out = (ren__image_facts){ .image_hash = "", .mask_hash = "" };
    atomic_init(&s.failed, REN_OK);
    REN_CALLOC(s.planes, (size_t)image->shape[2]);
    ren__parallel_for(context, run, PLANES + image->shape[2], 1, survey_items, &s);
    REN_TRY(ren__run_check(run));
    if (atomic_load(&s.failed) != REN_OK) REN_FAIL(atomic_load(&s.failed), "%s", s.error);
    add_planes(image, s.planes, &out->extent);
out:
    ren__free(s.planes);
    return st;
}

/* --------------------------------------------------------------------------------------------------- components */

/* A run of voxels along x. */
typedef struct run_of_voxels {
    int64_t begin, end;
    int64_t parent; /* index of a run of the same component; its own: the root */
} run_of_voxels;

typedef struct runs {
    ren_context *context;
    run_of_voxels *list;
    int64_t count, capacity, components;
} runs;

static int64_t root_of(runs *all, int64_t index) {
    while (all->list[index].parent != index) {
        all->list[index].parent = all->list[all->list[index].parent].parent;
        index = all->list[index].parent;
    }
    return index;
}

static void join(runs *all, int64_t a, int64_t b) {
    a = root_of(all, a);
    b = root_of(all, b);
    if (a == b) return;
    all->list[a > b ? a : b].parent = a > b ? b : a;
    all->components--;
}

static ren_status add_run(runs *all, int64_t begin, int64_t end) {
    if (all->count == all->capacity) {
        const int64_t capacity = all->capacity ? 2 * all->capacity : 1024;
        run_of_voxels *grown = ren__realloc(all->context, all->list, (size_t)capacity * sizeof *grown);
        if (!grown) return ren__out_of_memory();
        all->list = grown;
        all->capacity = capacity;
    }
    all->list[all->count] = (run_of_voxels){ begin, end, all->count };
    all->count++;
    all->components++;
    return REN_OK;
}

static ren_status find_runs(runs *all, const uint8_t *row, int64_t length) {
    ren_status st = REN_OK;

    for (int64_t x = 0; x < length && st == REN_OK;) {
        const uint8_t *next = memchr(row + x, 1, (size_t)(length - x));
        if (!next) break;
        const int64_t begin = next - row;
        const uint8_t *end = memchr(next, 0, (size_t)(length - begin));
        x = end ? end - row : length;
        st = add_run(all, begin, x);
    }
    return st;
}

/* Joins the runs of one row with those of an earlier one that touch them, corners counted. */
static void join_rows(runs *all, int64_t a, int64_t a_end, int64_t b, int64_t b_end) {
    while (a < a_end && b < b_end) {
        const run_of_voxels *one = &all->list[a], *other = &all->list[b];
        if (one->begin <= other->end && other->begin <= one->end) join(all, a, b);
        if (one->end < other->end)
            a++;
        else
            b++;
    }
}

ren_status ren__roi_components(ren_context *context, const ren__roi *roi, int64_t *count) {
    const int64_t rows = roi->shape[1] * roi->shape[2], per_plane = roi->shape[1];
    ren_status st = REN_OK;
    runs all = { .context = context };
    int64_t *first = NULL; /* of each row's runs; one more at the end */

    REN_CALLOC(first, (size_t)rows + 1);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t y = row % per_plane;
        first[row] = all.count;
        REN_TRY(find_runs(&all, roi->inside + row * roi->shape[0], roi->shape[0]));
        first[row + 1] = all.count;
        if (y > 0) join_rows(&all, first[row], all.count, first[row - 1], first[row]);
        for (int64_t shift = -1; shift <= 1; shift++) {
            const int64_t below = row - per_plane + shift;
            if (row < per_plane || y + shift < 0 || y + shift >= per_plane) continue;
            join_rows(&all, first[row], all.count, first[below], first[below + 1]);
        }
    }
    *count = all.components;
out:
    ren__free(all.list);
    ren__free(first);
    return st;
}
