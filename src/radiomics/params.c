/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter file: its sections, which image types and features they enable. */
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "format/names.h"
#include "radiomics/classes.h"
#include "radiomics/ibsi.h"
#include "radiomics/image_types.h"

enum { NAMES_MAX = REN__CLASS_FEATURES_MAX + 16, WHERE = 256 };

/* --------------------------------------------------------------------------------------------- feature classes */

static int32_t class_count_of(int32_t mode) {
    int32_t count = 0;

    while (ren__radiomics_classes(mode)[count])
        count++;
    return count;
}

static void enable_feature(ren__radiomics_params *params, int32_t class_index, int32_t feature) {
    const int32_t slot = params->class_count - 1;

    if (params->wanted[class_index][feature]) return;
    params->wanted[class_index][feature] = 1;
    params->classes[slot].features[params->classes[slot].feature_count++] = (uint8_t)feature;
}

static void begin_class(ren__radiomics_params *params, int32_t class_index) {
    params->classes[params->class_count].index = class_index;
    params->classes[params->class_count].feature_count = 0;
    params->class_count++;
}

static void enable_all(ren__radiomics_params *params, int32_t class_index) {
    const ren__feature_class *feature_class = ren__radiomics_classes(params->settings.mode)[class_index];

    for (int32_t f = 0; f < feature_class->count; f++)
        if (!(feature_class->features[f].flags & REN__FEATURE_BY_NAME)) enable_feature(params, class_index, f);
}

/* The error of a name that nobody knows, with the nearest one: what ren__check_keys says of a map's key. */
static ren_status unknown_name(const char *given, const char *where, const char *const *known) {
    json_t *map = json_pack("{s:n}", given);
    ren_status st;

    if (!map) return ren__error(REN_E_MEMORY, "%s: out of memory", where);
    st = ren__check_keys(map, where, known);
    json_decref(map);
    return st != REN_OK ? st : ren__error(REN_E_INTERNAL, "%s: \"%s\" is known after all", where, given);
}

static ren_status unknown_feature(const ren__feature_class *feature_class, const char *given, const char *where) {
    const char *known[NAMES_MAX];
    int32_t count = 0;

    for (; count < feature_class->count; count++)
        known[count] = feature_class->features[count].name;
    known[count] = NULL;
    return unknown_name(given, where, known);
}

static ren_status read_feature(const json_t *item, const char *where, int32_t class_index,
                               ren__radiomics_params *params) {
    const ren__feature_class *feature_class = ren__radiomics_classes(params->settings.mode)[class_index];
    const char *given = json_string_value(item);

    if (!given) return ren__error(REN_E_FORMAT, "%s: must be a list of names", where);
    for (int32_t f = 0; f < feature_class->count; f++)
        if (strcmp(feature_class->features[f].name, given) == 0) {
            enable_feature(params, class_index, f);
            return REN_OK;
        }
    return unknown_feature(feature_class, given, where);
}

/* null and [] are all features of the class. */
static ren_status read_class(const char *key, const json_t *list, const char *name, ren__radiomics_params *params) {
    const ren__feature_class *const *classes = ren__radiomics_classes(params->settings.mode);
    char where[WHERE];
    int32_t index = 0;
    ren_status st;

    while (strcmp(classes[index]->name, key) != 0)
        index++; /* the keys have been checked */
    begin_class(params, index);
    snprintf(where, sizeof where, "%.200s: featureClass: %s", name, key);
    if (!json_is_null(list) && !json_is_array(list))
        return ren__error(REN_E_FORMAT, "%s: must be a list of names, or nothing for all of them", where);
    if (json_array_size(list) == 0) enable_all(params, index);
    for (size_t i = 0; i < json_array_size(list); i++) {
        st = read_feature(json_array_get(list, i), where, index, params);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

static ren_status read_classes(const json_t *section, const char *name, ren__radiomics_params *params) {
    const ren__feature_class *const *classes = ren__radiomics_classes(params->settings.mode);
    const char *known[REN__CLASSES_MAX + 1], *key;
    char where[WHERE];
    int32_t count = 0;
    json_t *list;
    ren_status st;

    for (; classes[count]; count++)
        known[count] = classes[count]->name;
    known[count] = NULL;
    snprintf(where, sizeof where, "%.200s: featureClass", name);
    st = ren__check_keys(section, where, known);
    if (st != REN_OK) return st;
    params->class_count = 0;
    memset(params->wanted, 0, sizeof params->wanted);
    json_object_foreach((json_t *)section, key, list) {
        st = read_class(key, list, name, params);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

/* Without a section: every class; `planar`: shape2D as well. */
static void default_classes(ren__radiomics_params *params, int planar) {
    const int32_t count = class_count_of(params->settings.mode);

    params->class_count = 0;
    memset(params->wanted, 0, sizeof params->wanted);
    for (int32_t c = 0; c < count; c++) {
        if (!planar && strcmp(ren__radiomics_classes(params->settings.mode)[c]->name, "shape2D") == 0) continue;
        begin_class(params, c);
        enable_all(params, c);
    }
}

/* ---------------------------------------------------------------------------------------------------- settings */

static ren_status read_settings(const json_t *section, const char *name, const char *section_name, int voxel,
                                ren__radiomics_settings *settings) {
    const char *known[REN__SETTINGS_MAX], *key;
    char where[WHERE];
    json_t *value;
    ren_status st;

    if (!section) return REN_OK;
    ren__radiomics_setting_names(voxel, known);
    snprintf(where, sizeof where, "%.200s: %s", name, section_name);
    st = ren__check_keys(section, where, known);
    if (st != REN_OK) return st;
    json_object_foreach((json_t *)section, key, value) {
        st = ren__radiomics_setting_read(key, value, where, settings);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------- image types */

static ren_status read_type(const char *key, const json_t *own, const char *name, ren__radiomics_params *params) {
    const ren__image_type *type = ren__image_type_find(key);
    const int32_t slot = params->image_type_count;
    char where[64];
    ren_status st;

    if (slot == REN__IMAGE_TYPES_MAX) return ren__error(REN_E_FORMAT, "%s: imageType: too many", name);
    snprintf(where, sizeof where, "imageType: %.40s", key);
    if (json_is_null(own))
        return ren__error(REN_E_FORMAT, "%s: %s: nothing follows: write \"%.40s: {}\"", name, where, key);
    if (json_object_get(own, "label"))
        return ren__error(REN_E_UNSUPPORTED, "%s: %s: \"label\" cannot differ between image types: give it in setting",
                          name, where);
    params->image_types[slot].type = type;
    params->image_types[slot].settings = params->settings;
    st = read_settings(own, name, where, 0, &params->image_types[slot].settings);
    if (st == REN_OK) params->image_type_count++;
    return st;
}

static ren_status read_types(const json_t *section, const char *name, ren__radiomics_params *params) {
    const char *known[REN__IMAGE_TYPES_MAX + 1], *key;
    char where[WHERE];
    int32_t count = 0;
    json_t *own;
    ren_status st;

    for (const ren__image_type *type = ren__image_type_list(); type->name && count < REN__IMAGE_TYPES_MAX; type++)
        known[count++] = type->name;
    known[count] = NULL;
    snprintf(where, sizeof where, "%.200s: imageType", name);
    st = ren__check_keys(section, where, known);
    if (st != REN_OK) return st;
    params->image_type_count = 0;
    json_object_foreach((json_t *)section, key, own) {
        st = read_type(key, own, name, params);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

static void default_types(ren__radiomics_params *params) {
    params->image_type_count = 1;
    params->image_types[0].type = ren__image_type_find("Original");
    params->image_types[0].settings = params->settings;
}

/* -------------------------------------------------------------------------------------------------- everything */

void ren__radiomics_defaults(int32_t mode, ren__radiomics_params *params) {
    memset(params, 0, sizeof *params);
    ren__radiomics_settings_default(mode, &params->settings);
    default_classes(params, 0);
    default_types(params);
}

static ren_status read_all(const json_t *tree, const char *name, int empty_is_default, ren__radiomics_params *read) {
    static const char *const known[] = { "setting", "voxelSetting", "featureClass", "imageType", NULL };
    static const char *const known_ibsi[] = { "setting", "voxelSetting", "featureClass", "imageType", "ibsi", NULL };
    const int ibsi = read->settings.mode == REN_RADIOMICS_IBSI;
    const json_t *classes = json_object_get(tree, "featureClass"), *types = json_object_get(tree, "imageType");
    char where[WHERE];
    ren_status st = REN_OK;

    if (!ibsi && json_object_get(tree, "ibsi"))
        REN_FAIL(REN_E_FORMAT, "%s: the section \"ibsi\" belongs to the mode ibsi: choose that mode", name);
    REN_TRY(ren__check_keys(tree, name, ibsi ? known_ibsi : known));
    REN_TRY(read_settings(json_object_get(tree, "setting"), name, "setting", 0, &read->settings));
    REN_TRY(read_settings(json_object_get(tree, "voxelSetting"), name, "voxelSetting", 1, &read->settings));
    if (json_object_get(tree, "ibsi")) {
        snprintf(where, sizeof where, "%.200s: ibsi", name);
        REN_TRY(ren__ibsi_settings_read(json_object_get(tree, "ibsi"), where, &read->settings.ibsi));
    }
    default_classes(read, 1);
    default_types(read);
    if (classes && !(empty_is_default && json_is_object(classes) && json_object_size(classes) == 0))
        REN_TRY(read_classes(classes, name, read));
    if (types && !(empty_is_default && json_is_object(types) && json_object_size(types) == 0))
        REN_TRY(read_types(types, name, read));
out:
    return st;
}

static ren_status read_tree(const json_t *tree, const char *name, int empty_is_default, ren__radiomics_params *params) {
    const int32_t mode = params->settings.mode;
    ren__radiomics_params read;
    ren_status st;

    ren__radiomics_defaults(mode, &read);
    st = read_all(tree, name, empty_is_default, &read);
    if (st == REN_OK) *params = read;
    return st;
}

ren_status ren__radiomics_params_read(const json_t *tree, const char *name, ren__radiomics_params *params) {
    return read_tree(tree, name, 1, params);
}

ren_status ren__radiomics_params_resolve(const json_t *tree, const char *name, ren__radiomics_params *params) {
    return read_tree(tree, name, 0, params);
}
