/* SPDX-License-Identifier: Apache-2.0 */
/* The extractor: parameters from files and calls. */
#include "radiomics/extractor.h"

#include <string.h>

#include "format/document.h"
#include "radiomics/ibsi.h"

static const char *const sections[] = { "setting", "voxelSetting", "featureClass", "imageType", "ibsi" };
enum { SETTING = 0, VOXEL, CLASSES, TYPES, IBSI, SECTIONS };

static ren_status no_memory(void) {
    return ren__error(REN_E_MEMORY, "out of memory: the parameters cannot be kept");
}

/* ---------------------------------------------------------------------------------------------------- the tree */

/* All classes that PyRadiomics enables without being told: `planar`, shape2D as well. */
static json_t *default_classes(int32_t mode, int planar) {
    const ren__feature_class *const *classes = ren__radiomics_classes(mode);
    json_t *map = json_object();

    for (; map && *classes; classes++) {
        if (!planar && strcmp((*classes)->name, "shape2D") == 0) continue;
        if (json_object_set_new(map, (*classes)->name, json_array()) == 0) continue;
        json_decref(map);
        map = NULL;
    }
    return map;
}

static json_t *default_section(int32_t section, int32_t mode, int planar) {
    if (section == CLASSES) return default_classes(mode, planar);
    return section == TYPES ? json_pack("{s:{}}", "Original") : json_object();
}

/* A file's tree with every section there: what it leaves out, or leaves empty, at its default. */
static json_t *complete(const json_t *given, int32_t mode, int planar) {
    json_t *tree = json_object();

    for (int32_t i = 0; tree && i < SECTIONS; i++) {
        const json_t *section = json_object_get(given, sections[i]);
        json_t *copy = json_object_size(section) ? json_deep_copy(section) : default_section(i, mode, planar);
        if (json_object_set_new(tree, sections[i], copy) == 0) continue;
        json_decref(tree);
        tree = NULL;
    }
    return tree;
}

/* The resolver knows no section `ibsi` in the other mode. */
static ren_status resolve(const json_t *tree, const char *name, ren__radiomics_params *params) {
    json_t *view = json_copy((json_t *)tree);
    ren_status st;

    if (!view) return no_memory();
    if (params->settings.mode != REN_RADIOMICS_IBSI) json_object_del(view, "ibsi");
    st = ren__radiomics_params_resolve(view, name, params);
    json_decref(view);
    return st;
}

/* Settings that PyRadiomics takes from `setting` alone. */
static void warn_of_idle_settings(const ren_radiomics *radiomics) {
    static const char *const general[] = { "minimumROIDimensions",
                                           "minimumROISize",
                                           "geometryTolerance",
                                           "correctMask",
                                           "additionalInfo",
                                           "label_channel",
                                           "normalize",
                                           "normalizeScale",
                                           "removeOutliers",
                                           "resampledPixelSpacing",
                                           "interpolator",
                                           "padDistance",
                                           "resegmentRange",
                                           "resegmentMode",
                                           "resegmentShape",
                                           "preCrop",
                                           NULL };
    const char *type;
    json_t *own;

    json_object_foreach(json_object_get(radiomics->tree, "imageType"), type, own) for (int i = 0; general[i]; i++) {
        if (json_object_get(own, general[i]))
            ren__log(radiomics->context, REN_LOG_WARNING,
                     "imageType %s: \"%s\" has no effect there, as in PyRadiomics: give it in setting", type,
                     general[i]);
    }
}

/* Takes over `tree` (NULL: no memory) if it resolves. */
static ren_status adopt(ren_radiomics *radiomics, json_t *tree, const char *name) {
    ren__radiomics_params params = radiomics->params;
    ren_status st;

    if (!tree) return no_memory();
    st = resolve(tree, name, &params);
    if (st != REN_OK) {
        json_decref(tree);
        return st;
    }
    json_decref(radiomics->tree);
    radiomics->tree = tree;
    radiomics->params = params;
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------------- handle */

ren_status ren_radiomics_create(ren_context *context, int32_t mode, ren_radiomics **out) {
    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL);
    if (mode != REN_RADIOMICS_PYRADIOMICS && mode != REN_RADIOMICS_IBSI)
        return ren__error(REN_E_INVALID,
                          "ren_radiomics_create: mode %d: give REN_RADIOMICS_PYRADIOMICS or "
                          "REN_RADIOMICS_IBSI",
                          (int)mode);
    ren_status st = REN_OK;
    ren_radiomics *radiomics = NULL;

    REN_CALLOC(radiomics, 1);
    radiomics->context = ren__context_retain(context);
    radiomics->params.settings.mode = mode;
    REN_TRY(adopt(radiomics, complete(NULL, mode, 0), "the defaults"));
    *out = radiomics;
    radiomics = NULL;
out:
    ren_radiomics_free(radiomics);
    return st;
}

void ren_radiomics_free(ren_radiomics *radiomics) {
    if (!radiomics) return;
    ren_context *context = radiomics->context;
    json_decref(radiomics->tree);
    ren__free(radiomics);
    ren__context_release(context);
}

/* ------------------------------------------------------------------------------------------------------- files */

static ren_status load_tree(ren_radiomics *radiomics, const json_t *given, const char *name) {
    const int32_t mode = radiomics->params.settings.mode;
    ren__radiomics_params params = radiomics->params;
    ren_status st = ren__radiomics_params_read(given, name, &params); /* the file as it is: all its errors */

    if (st == REN_OK) st = adopt(radiomics, complete(given, mode, 1), name);
    if (st == REN_OK) warn_of_idle_settings(radiomics);
    return st;
}

ren_status ren_radiomics_load_params(ren_radiomics *radiomics, const char *path) {
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(path != NULL);
    json_t *tree = NULL;
    ren_status st = ren__document_read(radiomics->context, path, &tree);

    if (st == REN_OK) st = load_tree(radiomics, tree, path);
    json_decref(tree);
    return st;
}

ren_status ren_radiomics_parse_params(ren_radiomics *radiomics, const char *text, size_t size, const char *format) {
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(text != NULL || size == 0);
    REN_REQUIRE(format != NULL);
    static const char name[] = "the parameters";
    json_t *tree = NULL;
    ren_status st;

    if (strcmp(format, "json") == 0)
        st = ren__json_parse(text ? text : "", size, name, &tree);
    else if (strcmp(format, "yaml") == 0)
        st = ren__yaml_parse(text ? text : "", size, name, &tree);
    else
        return ren__error(REN_E_INVALID, "ren_radiomics_parse_params: give the format \"yaml\" or \"json\"");
    if (st == REN_OK) st = load_tree(radiomics, tree, name);
    json_decref(tree);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- calls */

/* What is wrong with an argument is wrong with a call, not with a file. */
static ren_status as_argument(ren_status st) {
    return st == REN_E_FORMAT ? REN_E_INVALID : st;
}

static ren_status parse_argument(const char *text, const char *name, json_t **out) {
    return as_argument(ren__json_parse(text, strlen(text), name, out));
}

/* Puts `value`, which it takes over, under a key of a section. */
static ren_status change(ren_radiomics *radiomics, int32_t section, const char *key, json_t *value, const char *name) {
    json_t *tree = json_deep_copy(radiomics->tree);
    ren_status st;

    if (!tree || !value) {
        json_decref(value);
        json_decref(tree);
        return no_memory();
    }
    if (json_object_set_new(json_object_get(tree, sections[section]), key, value) != 0) {
        json_decref(tree);
        return ren__error(REN_E_INVALID, "%s: a name that is not UTF-8, or out of memory", name);
    }
    st = adopt(radiomics, tree, name);
    return as_argument(st);
}

static int is_listed(const char *const *names, const char *name) {
    for (; *names; names++)
        if (strcmp(*names, name) == 0) return 1;
    return 0;
}

/* The section that has a setting of this name. An unknown one goes where its error names the nearest. */
static int32_t section_of(const ren_radiomics *radiomics, const char *name) {
    const char *names[REN__SETTINGS_MAX];

    ren__radiomics_setting_names(1, names);
    if (is_listed(names, name)) return VOXEL;
    ren__radiomics_setting_names(0, names);
    if (is_listed(names, name) || radiomics->params.settings.mode != REN_RADIOMICS_IBSI) return SETTING;
    return IBSI;
}

ren_status ren_radiomics_set(ren_radiomics *radiomics, const char *name, const char *value) {
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(name != NULL);
    REN_REQUIRE(value != NULL);
    json_t *tree = NULL;
    const ren_status st = parse_argument(value, "ren_radiomics_set: the value", &tree);

    if (st != REN_OK) return st;
    return change(radiomics, section_of(radiomics, name), name, tree, "ren_radiomics_set");
}

ren_status ren_radiomics_enable_image_type(ren_radiomics *radiomics, const char *name, const char *settings) {
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(name != NULL);
    json_t *own = NULL;
    ren_status st = parse_argument(settings ? settings : "{}", "ren_radiomics_enable_image_type: the settings", &own);

    if (st == REN_OK) st = change(radiomics, TYPES, name, own, "ren_radiomics_enable_image_type");
    if (st == REN_OK) warn_of_idle_settings(radiomics);
    return st;
}

ren_status ren_radiomics_enable_class(ren_radiomics *radiomics, const char *name, const char *features) {
    REN_REQUIRE(radiomics != NULL);
    REN_REQUIRE(name != NULL);
    json_t *list = NULL;
    ren_status st = parse_argument(features ? features : "[]", "ren_radiomics_enable_class: the features", &list);

    if (st == REN_OK) st = change(radiomics, CLASSES, name, list, "ren_radiomics_enable_class");
    return st;
}

void ren_radiomics_clear(ren_radiomics *radiomics) {
    if (!radiomics) return;
    json_object_clear(json_object_get(radiomics->tree, "imageType"));
    json_object_clear(json_object_get(radiomics->tree, "featureClass"));
    radiomics->params.image_type_count = 0;
    radiomics->params.class_count = 0;
    memset(radiomics->params.wanted, 0, sizeof radiomics->params.wanted);
}

/* ----------------------------------------------------------------------------------------------------- describe */

static ren_status put(json_t *tree, const char *key, json_t *value) {
    return json_object_set_new(tree, key, value) == 0 ? REN_OK : no_memory();
}

/* Every setting with its value; what is enabled as it was asked for. */
ren_status ren_radiomics_describe(const ren_radiomics *radiomics, ren_text **json) {
    REN_REQUIRE(json != NULL);
    *json = NULL;
    REN_REQUIRE(radiomics != NULL);
    const ren__radiomics_settings *settings = &radiomics->params.settings;
    ren_status st = REN_OK;
    json_t *tree = json_object();

    if (!tree) return no_memory();
    REN_TRY(put(tree, "setting", ren__radiomics_settings_json(settings, 0)));
    REN_TRY(put(tree, "voxelSetting", ren__radiomics_settings_json(settings, 1)));
    REN_TRY(put(tree, "featureClass", json_deep_copy(json_object_get(radiomics->tree, "featureClass"))));
    REN_TRY(put(tree, "imageType", json_deep_copy(json_object_get(radiomics->tree, "imageType"))));
    if (settings->mode == REN_RADIOMICS_IBSI) REN_TRY(put(tree, "ibsi", ren__ibsi_settings_json(&settings->ibsi)));
    REN_TRY(ren__json_write(radiomics->context, tree, 2, json));
out:
    json_decref(tree);
    return st;
}

/* --------------------------------------------------------------------------------------------- for one image */

/* Of a 2-D image numpy's first axis is y: force2Ddimension counts from there. */
static void make_planar(ren__radiomics_settings *settings) {
    settings->planar = 1;
    settings->force_2d = settings->force_2d && settings->force_2d_dimension < 2;
    settings->force_2d_dimension += settings->force_2d;
}

ren_status ren__radiomics_params_for(const ren_radiomics *radiomics, const ren_volume *image,
                                     ren__radiomics_params **made, const ren__radiomics_params **out) {
    const ren__radiomics_settings *settings = &radiomics->params.settings;
    const int axes = image->planar ? 2 : 3;
    ren__radiomics_params *own;

    *made = NULL;
    *out = &radiomics->params;
    if (settings->resample && settings->spacing_given != axes)
        return ren__error(REN_E_DATA, "resampledPixelSpacing has %d numbers, and the image %d dimensions",
                          (int)settings->spacing_given, axes);
    if (!image->planar) return REN_OK;
    own = ren__alloc(radiomics->context, sizeof *own);
    if (!own) return ren__out_of_memory();
    *own = radiomics->params;
    make_planar(&own->settings);
    for (int32_t i = 0; i < own->image_type_count; i++)
        make_planar(&own->image_types[i].settings);
    *out = *made = own;
    return REN_OK;
}
