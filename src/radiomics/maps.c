/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Voxel-based maps: the feature classes, unchanged, on the neighbourhood of every voxel of a region. A neighbourhood is
 * a small region of its own that is cut out of the whole one after discretisation, so that its levels are the whole's.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parallel.h"
#include "radiomics/case.h"
#include "radiomics/extractor.h"
#include "radiomics/glcm.h"
#include "radiomics/image_types.h"

typedef struct feature_map {
    char *name;
    ren_volume *volume;
    double *values; /* the volume's */
} feature_map;

struct ren_feature_maps {
    ren_context *context; /* held */
    int32_t count, capacity;
    feature_map *maps;
};

/* A request: one region, any number of image types. */
typedef struct mapping {
    ren_context *context;
    const ren__radiomics_params *params;
    const ren__prepared *prepared;
    int32_t type; /* of the image that is derived */
    ren__run *run;
    ren_feature_maps *maps;
} mapping;

/* All that the maps of one derived image are made from. */
typedef struct field {
    const ren__radiomics_params *params;
    const ren__radiomics_settings *settings;
    ren__roi mask;      /* the region within the crop: where there are values in the maps */
    ren__roi kernel;    /* what counts in neighbourhoods: the region, or everything */
    ren__region region; /* kernel's */
    int64_t *centres;   /* voxels of the crop that are in the mask, rising */
    feature_map *first; /* the maps of this image, in the order of the classes' features */
    int64_t reach[3];
    int64_t kernel_size;     /* voxels of a whole neighbourhood */
    struct scratch *scratch; /* of each thread */
    /* Directions that hold a pair, a bit each, `words` for each centre; NULL unless JointAverage needs them */
    ren__steps steps;
    uint64_t *directions;
    int64_t words;
    atomic_int failure; /* ren_status of the first neighbourhood that failed */
    char message[256];
} field;

/* One thread's neighbourhood. */
typedef struct scratch {
    double *values, *grey;
    uint8_t *inside;
    uint16_t *levels, *rank, *found; /* rank: of each level of the whole region, 0 while it has not been met */
    double *features;                /* of all classes */
} scratch;

/* -------------------------------------------------------------------------------------------------------- handle */

void ren_feature_maps_free(ren_feature_maps *maps) {
    if (!maps) return;
    ren_context *context = maps->context;

    for (int32_t i = 0; i < maps->count; i++) {
        ren__free(maps->maps[i].name);
        ren_volume_free(maps->maps[i].volume);
    }
    ren__free(maps->maps);
    ren__free(maps);
    ren__context_release(context);
}

int32_t ren_feature_maps_count(const ren_feature_maps *maps) {
    return maps ? maps->count : 0;
}

const char *ren_feature_maps_name(const ren_feature_maps *maps, int32_t index) {
    return maps && index >= 0 && index < maps->count ? maps->maps[index].name : NULL;
}

ren_status ren_feature_maps_volume(const ren_feature_maps *maps, int32_t index, ren_volume **out) {
    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(maps != NULL);
    if (index < 0 || index >= maps->count)
        return ren__error(REN_E_INVALID, "there is no map %d: there are %d", index, maps->count);
    *out = ren__volume_retain(maps->maps[index].volume);
    return REN_OK;
}

static ren_status grow(ren_feature_maps *maps, int32_t more) {
    const int32_t capacity = maps->count + more;
    feature_map *grown = ren__realloc(maps->context, maps->maps, (size_t)capacity * sizeof *grown);

    if (!grown) return ren__out_of_memory();
    memset(grown + maps->count, 0, (size_t)more * sizeof *grown);
    maps->maps = grown;
    maps->capacity = capacity;
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------------- classes */

static const ren__feature_class *class_at(const ren__radiomics_params *params, int32_t slot) {
    return ren__radiomics_classes(params->settings.mode)[params->classes[slot].index];
}

static int is_mapped(const ren__radiomics_params *params, int32_t slot) {
    return !ren__class_of_shape(params, slot) && params->classes[slot].feature_count > 0;
}

static int32_t feature_total(const ren__radiomics_params *params) {
    int32_t total = 0;

    for (int32_t slot = 0; slot < params->class_count; slot++)
        if (is_mapped(params, slot)) total += params->classes[slot].feature_count;
    return total;
}

static int32_t parts_of(const ren__radiomics_params *params) {
    int32_t parts = REN__REGION_VALUES;

    for (int32_t slot = 0; slot < params->class_count; slot++)
        if (is_mapped(params, slot)) parts |= class_at(params, slot)->parts;
    return parts;
}

/* Place of glcm's JointAverage among the maps of an image; -1: it is not asked for. */
static int32_t find_joint_average(const ren__radiomics_params *params) {
    int32_t at = 0;

    for (int32_t slot = 0; slot < params->class_count; slot++) {
        if (!is_mapped(params, slot)) continue;
        for (int32_t i = 0; i < params->classes[slot].feature_count; i++, at++)
            if (class_at(params, slot) == &ren__class_glcm &&
                params->classes[slot].features[i] == REN__GLCM_JOINT_AVERAGE)
                return at;
    }
    return -1;
}

/* ------------------------------------------------------------------------------------------------ neighbourhoods */

/* Cuts what surrounds a voxel out of the region; its levels keep their numbers in the whole. */
static void cut(const field *f, int64_t centre, scratch *s, ren__region *out) {
    const ren__region *whole = &f->region;
    const int64_t *shape = whole->shape;
    const int64_t at[3] = { centre % shape[0], centre / shape[0] % shape[1], centre / (shape[0] * shape[1]) };
    int64_t begin[3], n = 0;

    *out = *whole;
    out->values = s->values;
    out->inside = s->inside;
    out->levels = whole->levels ? s->levels : NULL;
    out->grey = s->grey;
    out->image = NULL;
    out->roi = NULL;
    out->count = 0;
    for (int a = 0; a < 3; a++) {
        begin[a] = at[a] > f->reach[a] ? at[a] - f->reach[a] : 0;
        const int64_t end = at[a] + f->reach[a] + 1;
        out->shape[a] = (end < shape[a] ? end : shape[a]) - begin[a];
    }
    for (int64_t z = 0; z < out->shape[2]; z++)
        for (int64_t y = 0; y < out->shape[1]; y++) {
            const int64_t row = ((begin[2] + z) * shape[1] + begin[1] + y) * shape[0] + begin[0];
            for (int64_t x = 0; x < out->shape[0]; x++, n++) {
                s->values[n] = whole->values[row + x];
                s->inside[n] = whole->inside[row + x];
                out->count += s->inside[n];
                if (whole->levels) s->levels[n] = whole->levels[row + x];
            }
        }
}

static void insert_level(scratch *s, int32_t *count, uint16_t level) {
    int32_t at = *count;

    if (s->rank[level]) return;
    s->rank[level] = 1;
    while (at > 0 && s->found[at - 1] > level) {
        s->found[at] = s->found[at - 1];
        at--;
    }
    s->found[at] = level;
    ++*count;
}

/* Leaves the levels out that do not occur, for speed: matrices are as small as they can be. The whole region's lowest
 * and highest stay: formulas have the highest, and a flat neighbourhood in a region of several levels is not a flat
 * region. */
static void rank_levels(const field *f, scratch *s, ren__region *out) {
    const int64_t voxels = out->shape[0] * out->shape[1] * out->shape[2];
    int32_t count = 0;

    if (!out->levels) return;
    insert_level(s, &count, 1);
    insert_level(s, &count, (uint16_t)f->region.level_count);
    for (int64_t i = 0; i < voxels; i++)
        if (s->levels[i]) insert_level(s, &count, s->levels[i]);
    for (int32_t k = 0; k < count; k++) {
        s->rank[s->found[k]] = (uint16_t)(k + 1);
        s->grey[k] = f->region.grey[s->found[k] - 1];
    }
    for (int64_t i = 0; i < voxels; i++)
        if (s->levels[i]) s->levels[i] = s->rank[s->levels[i]];
    for (int32_t k = 0; k < count; k++)
        s->rank[s->found[k]] = 0;
    out->level_count = count;
}

static ren_status compute_classes(const field *f, const ren__region *region, double *to) {
    double values[REN__CLASS_FEATURES_MAX];

    for (int32_t slot = 0; slot < f->params->class_count; slot++) {
        if (!is_mapped(f->params, slot)) continue;
        for (int32_t i = 0; i < REN__CLASS_FEATURES_MAX; i++)
            values[i] = NAN;
        const uint8_t *wanted = f->params->wanted[f->params->classes[slot].index];
        const ren_status st = class_at(f->params, slot)->compute(region, f->settings, wanted, NULL, values);
        if (st != REN_OK) return st;
        for (int32_t i = 0; i < f->params->classes[slot].feature_count; i++)
            *to++ = values[f->params->classes[slot].features[i]];
    }
    return REN_OK;
}

static int holds_pair(const ren__region *r, const ren__step *step) {
    for (int64_t z = 0; z < r->shape[2]; z++)
        for (int64_t y = 0; y < r->shape[1]; y++)
            for (int64_t x = 0; x < r->shape[0]; x++) {
                const int64_t u = x + step->along[0], v = y + step->along[1], w = z + step->along[2];
                if (u < 0 || u >= r->shape[0] || v < 0 || v >= r->shape[1] || w < 0 || w >= r->shape[2]) continue;
                if (r->inside[(z * r->shape[1] + y) * r->shape[0] + x] &&
                    r->inside[(w * r->shape[1] + v) * r->shape[0] + u])
                    return 1;
            }
    return 0;
}

static void note_directions(const field *f, const ren__region *region, uint64_t *words) {
    for (int64_t k = 0; k < f->steps.count; k++)
        if (holds_pair(region, &f->steps.items[k])) words[k / 64] |= UINT64_C(1) << (k % 64);
}

static void map_voxels(void *argument, int64_t begin, int64_t end, int32_t thread) {
    field *f = argument;
    scratch *s = f->scratch + thread;
    const int32_t total = feature_total(f->params);

    for (int64_t i = begin; i < end && atomic_load(&f->failure) == REN_OK; i++) {
        ren__region region;
        cut(f, f->centres[i], s, &region);
        if (f->directions) note_directions(f, &region, f->directions + i * f->words);
        rank_levels(f, s, &region);
        const ren_status st = compute_classes(f, &region, s->features);
        if (st != REN_OK) {
            int none = REN_OK;
            if (atomic_compare_exchange_strong(&f->failure, &none, st))
                snprintf(f->message, sizeof f->message, "%s", ren_error_message());
            return;
        }
        for (int32_t k = 0; k < total; k++)
            f->first[k].values[f->centres[i]] = s->features[k];
    }
}

/* PyRadiomics' JointAverage is a plain mean over the directions that hold a pair anywhere in a batch of voxels (all of
 * them unless voxelBatch is given), and no number where one of these holds none in the neighbourhood. */
static void spoil_joint_average(field *f) {
    const int32_t map = find_joint_average(f->params);
    const int64_t count = f->mask.count, batch = f->settings->voxel_batch > 0 ? f->settings->voxel_batch : count;

    for (int64_t begin = 0; begin < count; begin += batch) {
        const int64_t end = begin + batch < count ? begin + batch : count;
        for (int64_t w = 0; w < f->words; w++) {
            uint64_t any = 0;
            for (int64_t i = begin; i < end; i++)
                any |= f->directions[i * f->words + w];
            for (int64_t i = begin; i < end; i++)
                if (f->directions[i * f->words + w] != any) f->first[map].values[f->centres[i]] = NAN;
        }
    }
}

/* ------------------------------------------------------------------------------------------------------ one image */

static void field_free(field *f, ren_context *context) {
    for (int32_t t = 0; f->scratch && t < context->threads; t++) {
        ren__free(f->scratch[t].values);
        ren__free(f->scratch[t].grey);
        ren__free(f->scratch[t].inside);
        ren__free(f->scratch[t].levels);
        ren__free(f->scratch[t].rank);
        ren__free(f->scratch[t].found);
        ren__free(f->scratch[t].features);
    }
    ren__free(f->scratch);
    ren__free(f->centres);
    ren__free(f->directions);
    ren__steps_free(&f->steps);
    ren__region_free(&f->region);
    if (f->kernel.inside != f->mask.inside) ren__roi_free(&f->kernel);
    ren__roi_free(&f->mask);
}

/* The region's box and a margin of the kernel's radius, as far as the image goes. */
static ren_status crop(field *f, const ren_volume *image, const ren__roi *roi) {
    ren_context *context = image->context;
    ren_status st = REN_OK;
    const int64_t radius = f->settings->kernel_radius;
    int64_t begin[3], shape[3], n = 0;

    f->kernel_size = 1;
    for (int a = 0; a < 3; a++) {
        const int64_t end = roi->begin[a] + roi->shape[a] + radius, size = image->shape[a];
        begin[a] = roi->begin[a] > radius ? roi->begin[a] - radius : 0;
        shape[a] = (end < size ? end : size) - begin[a];
        f->reach[a] = a == ren__still_axis(f->settings) ? 0 : radius < shape[a] ? radius : shape[a] - 1;
        f->kernel_size *= 2 * f->reach[a] + 1 < shape[a] ? 2 * f->reach[a] + 1 : shape[a];
    }
    const int64_t voxels = shape[0] * shape[1] * shape[2];
    REN_TRY(ren__roi_within(context, roi, begin, shape, &f->mask));
    f->kernel = f->mask;
    if (!f->settings->masked_kernel) {
        f->kernel.inside = NULL;
        f->kernel.count = voxels;
        REN_ALLOC(f->kernel.inside, (size_t)voxels);
        memset(f->kernel.inside, 1, (size_t)voxels);
    }
    REN_CALLOC(f->centres, (size_t)f->mask.count);
    for (int64_t i = 0; i < voxels; i++)
        if (f->mask.inside[i]) f->centres[n++] = i;
out:
    return st;
}

static ren_status make_scratch(field *f, ren_context *context) {
    const size_t kernel = (size_t)f->kernel_size, levels = (size_t)f->region.level_count + 2;
    ren_status st = REN_OK;

    REN_CALLOC(f->scratch, (size_t)context->threads);
    for (int32_t t = 0; t < context->threads; t++) {
        scratch *s = f->scratch + t;
        const size_t different = kernel + 2 < levels ? kernel + 2 : levels;
        REN_CALLOC(s->values, kernel);
        REN_CALLOC(s->inside, kernel);
        REN_CALLOC(s->levels, kernel);
        REN_CALLOC(s->rank, levels);
        REN_CALLOC(s->found, different);
        REN_CALLOC(s->grey, different);
        REN_CALLOC(s->features, (size_t)feature_total(f->params));
    }
out:
    return st;
}

static ren_status note_all_directions(field *f, ren_context *context) {
    ren_status st = REN_OK;

    if (find_joint_average(f->params) < 0 || f->settings->weighting_norm != REN__NORM_NONE) return REN_OK;
    REN_TRY(ren__steps_create(context, f->region.shape, &f->settings->distances, ren__still_axis(f->settings), 0,
                              &f->steps));
    f->words = (f->steps.count + 63) / 64;
    REN_CALLOC(f->directions, (size_t)(f->words * f->mask.count));
out:
    return st;
}

static ren_status name_map(ren_context *context, const char *prefix, const char *class, const char *feature,
                           char **out) {
    const size_t size = strlen(prefix) + strlen(class) + strlen(feature) + 3;
    char *name = ren__alloc(context, size);

    if (!name) return ren__out_of_memory();
    snprintf(name, size, "%s_%s_%s", prefix, class, feature);
    *out = name;
    return REN_OK;
}

/* Adds the maps of an image, filled with initValue. */
static ren_status add_maps(mapping *m, const char *prefix, const ren_volume *image, field *f) {
    ren_feature_maps *maps = m->maps;
    const int64_t voxels = f->region.shape[0] * f->region.shape[1] * f->region.shape[2];
    const int32_t first = maps->count;
    double affine[16];
    ren_status st = REN_OK;

    memcpy(affine, image->affine, sizeof affine);
    for (int r = 0; r < 3; r++)
        for (int a = 0; a < 3; a++)
            affine[4 * r + 3] += affine[4 * r + a] * (double)f->mask.begin[a];
    REN_TRY(grow(maps, feature_total(m->params)));
    for (int32_t slot = 0; slot < m->params->class_count; slot++)
        for (int32_t i = 0; is_mapped(m->params, slot) && i < m->params->classes[slot].feature_count; i++) {
            const ren__feature_class *of = class_at(m->params, slot);
            feature_map *map = maps->maps + maps->count++;
            void *data = NULL;
            REN_TRY(name_map(m->context, prefix, of->name, of->features[m->params->classes[slot].features[i]].name,
                             &map->name));
            REN_TRY(ren__volume_allocate_raw(m->context, REN_TYPE_F64, f->region.shape, affine, &data, &map->volume));
            map->values = data;
            for (int64_t k = 0; k < voxels; k++)
                map->values[k] = f->settings->init_value;
        }
    f->first = maps->maps + first;
out:
    return st;
}

static ren_status map_image(void *user, const char *name, const ren_volume *image) {
    mapping *m = user;
    ren_context *context = m->context;
    ren_status st = REN_OK;
    field f = { .params = m->params, .settings = &m->params->image_types[m->type].settings };

    atomic_init(&f.failure, REN_OK);
    REN_TRY(ren__run_check(m->run));
    REN_TRY(crop(&f, image, &m->prepared->roi));
    REN_TRY(ren__region_create(image, &f.kernel, f.settings, parts_of(m->params), m->run, &f.region));
    REN_TRY(make_scratch(&f, context));
    REN_TRY(note_all_directions(&f, context));
    REN_TRY(add_maps(m, name, image, &f));
    ren__parallel_for(context, m->run, f.mask.count, 16, map_voxels, &f);
    REN_TRY(ren__run_check(m->run));
    if (atomic_load(&f.failure) != REN_OK) REN_FAIL(atomic_load(&f.failure), "%s", f.message);
    if (f.directions) spoil_joint_average(&f);
out:
    field_free(&f, context);
    return st;
}

/* -------------------------------------------------------------------------------------------------------- public */

static ren_status map_types(mapping *m) {
    const ren__radiomics_params *params = m->params;
    ren_status st = REN_OK;

    for (m->type = 0; m->type < params->image_type_count; m->type++) {
        const double done = (double)m->type / (double)params->image_type_count;
        REN_TRY(ren__run_progress(m->run, "maps", done));
        REN_TRY(params->image_types[m->type].type->derive(
            m->prepared->image, &m->prepared->roi, &params->image_types[m->type].settings, m->run, map_image, m));
    }
    REN_TRY(ren__run_progress(m->run, "maps", 1.0));
out:
    return st;
}

static ren_status make_maps(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                            const ren__labels *labels, ren__run *run, ren_feature_maps **out) {
    ren_context *context = radiomics->context;
    ren_status st = REN_OK;
    ren__case *subject = NULL;
    ren__prepared prepared;
    ren__radiomics_params *made = NULL;
    mapping m = { context, NULL, &prepared, 0, run, NULL };

    memset(&prepared, 0, sizeof prepared);
    REN_TRY(ren__radiomics_params_for(radiomics, image, &made, &m.params));
    REN_CALLOC(m.maps, 1);
    m.maps->context = ren__context_retain(context);
    REN_TRY(ren__case_create(image, mask, labels->sets, 1, &m.params->settings, run, &subject));
    REN_TRY(ren__case_prepare(subject, 0, run, &prepared));
    REN_TRY(map_types(&m));
    *out = m.maps;
    m.maps = NULL;
out:
    ren__prepared_free(&prepared);
    ren__case_free(subject);
    ren_feature_maps_free(m.maps);
    ren__free(made);
    return st;
}

ren_status ren_radiomics_map(const ren_radiomics *radiomics, const ren_volume *image, const ren_volume *mask,
                             const char *label, const ren_run_options *options, ren_feature_maps **out) {
    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(image != NULL);
    REN_REQUIRE(mask != NULL);
    ren__labels labels;
    ren__run run;
    const ren__radiomics_params *params = &radiomics->params;

    if (params->settings.mode != REN_RADIOMICS_PYRADIOMICS)
        return ren__error(REN_E_UNSUPPORTED, "voxel-based maps are of the mode pyradiomics alone");
    if (feature_total(params) == 0 || params->image_type_count == 0)
        return ren__error(REN_E_STATE, "no feature is enabled: enable an image type and a feature class but shape");
    ren_status st =
        ren__labels_parse(radiomics->context, label ? &label : NULL, label ? 1 : 0, params->settings.label, &labels);
    if (st != REN_OK) return st;
    st = ren__run_begin(&run, radiomics->context, options);
    if (st == REN_OK) st = make_maps(radiomics, image, mask, &labels, &run, out);
    st = ren__run_end(&run, st);
    ren__labels_free(&labels);
    return st;
}
