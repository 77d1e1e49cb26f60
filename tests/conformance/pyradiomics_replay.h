/* SPDX-License-Identifier: Apache-2.0 */
/* Replays recorded extractions and maps of PyRadiomics, and compares. */
#ifndef REN_TESTS_PYRADIOMICS_REPLAY_H
#define REN_TESTS_PYRADIOMICS_REPLAY_H

#include <stdlib.h>
#include <unistd.h>

#include "conformance/pyradiomics_rules.h"
#include "radiomics/python_text.h"
#include "unit/harness.h"
#include "volume/volume.h"

#define FOLDER "tests/conformance/pyradiomics"

/* --------------------------------------------------------------------------------------------------- one recording */

typedef struct replay {
    ren_context *context;
    const char *group;
    char where[TALLY_NAME]; /* group/case */
    const json_t *noise;    /* of the case */
    int32_t failures, left_out;
    char image_path[TEST_PATH], mask_path[TEST_PATH]; /* of the volumes that are kept from case to case */
    ren_volume *image, *mask;
} replay;

enum { FAILURES_SHOWN = 40 };

static void differs(replay *r, const char *what, const char *ours, const char *theirs) {
    if (r->failures++ < FAILURES_SHOWN) printf("    %s: %s is %s, not %s\n", r->where, what, ours, theirs);
}

static void number_differs(replay *r, const char *what, double ours, double theirs) {
    char text[2][40];

    snprintf(text[0], sizeof text[0], "%.17g", ours);
    snprintf(text[1], sizeof text[1], "%.17g", theirs);
    differs(r, what, text[0], text[1]);
}

static void compare_number(replay *r, const char *column, double ours, const json_t *recorded) {
    double theirs = 0;

    if (!recorded_number(recorded, &theirs))
        differs(r, column, "a number", "recorded as one");
    else if (!agrees(r->where, column, ours, theirs, r->noise))
        number_differs(r, column, ours, theirs);
}

/* Where an image of a case is; 0: not on this machine. */
static int image_path(const char *name, char path[TEST_PATH]) {
    static const char shared[] = "shared:", archive[] = "pyradiomics-data:";
    const char *folder = getenv("REN_PYRADIOMICS_DATA");
    char below[TEST_PATH];

    if (strncmp(name, shared, sizeof shared - 1) == 0) {
        snprintf(below, sizeof below, "data/%s", name + sizeof shared - 1);
        return test_shared(path, below);
    }
    if (strncmp(name, archive, sizeof archive - 1) == 0) {
        snprintf(path, TEST_PATH, "%s/%s", folder ? folder : "", name + sizeof archive - 1);
        return folder && access(path, R_OK) == 0;
    }
    snprintf(path, TEST_PATH, "%s/%s", FOLDER, name);
    return 1;
}

static ren_status open_volume(replay *r, const char *path, char known[TEST_PATH], ren_volume **volume) {
    if (strcmp(path, known) == 0) return REN_OK;
    ren_volume_free(*volume);
    *volume = NULL;
    known[0] = '\0';
    const ren_status st = ren_volume_read(r->context, path, volume);
    if (st == REN_OK) snprintf(known, TEST_PATH, "%s", path);
    return st;
}

/* REN_OK without volumes where an image is not on this machine. */
static ren_status open_images(replay *r, const json_t *of, int *found) {
    char image[TEST_PATH], mask[TEST_PATH];
    ren_status st = REN_OK;

    *found = image_path(json_string_value(json_object_get(of, "image")), image) &&
             image_path(json_string_value(json_object_get(of, "mask")), mask);
    if (!*found) return REN_OK;
    REN_TRY(open_volume(r, image, r->image_path, &r->image));
    REN_TRY(open_volume(r, mask, r->mask_path, &r->mask));
out:
    return st;
}

static ren_status parse(ren_context *context, const json_t *params, ren_radiomics **out) {
    ren_status st = REN_OK;
    ren_radiomics *radiomics = NULL;
    char *text = json_dumps(params, JSON_COMPACT);

    CHECK(text != NULL);
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    REN_TRY(ren_radiomics_parse_params(radiomics, text, strlen(text), "json"));
    *out = radiomics;
    radiomics = NULL;
out:
    free(text);
    ren_radiomics_free(radiomics);
    return st;
}

static const char *label_text(const json_t *of, char text[32]) {
    const json_t *label = json_object_get(of, "label");

    if (json_is_string(label))
        snprintf(text, 32, "%s", json_string_value(label));
    else
        snprintf(text, 32, "%lld", (long long)json_integer_value(label));
    return text;
}

/* ------------------------------------------------------------------------------------------------------- features */

static int is_diagnostic(const char *name) {
    return strncmp(name, "diagnostics_", 12) == 0;
}

/* Same names in the same order; what an exception names is passed over on its side. */
static void compare_features(replay *r, const ren_features *features, json_t *result) {
    const int32_t count = ren_features_count(features);
    const char *name;
    json_t *value;
    int32_t at = 0;

    json_object_foreach(result, name, value) {
        if (is_diagnostic(name)) continue;
        while (at < count && strcmp(ren_features_name(features, at), name) != 0 &&
               !json_object_get(result, ren_features_name(features, at)) &&
               excepted(RULE_FURTHER, r->where, ren_features_name(features, at)))
            at++;
        if (at < count && strcmp(ren_features_name(features, at), name) == 0) {
            compare_number(r, name, ren_features_value(features, 0, at++), value);
        } else if (!excepted(RULE_ABSENT, r->where, name)) {
            differs(r, "the next column", at < count ? ren_features_name(features, at) : "none", name);
            const int32_t other = ren_features_find(features, name);
            if (other >= 0) at = other + 1;
        }
    }
    for (; at < count; at++)
        if (!excepted(RULE_FURTHER, r->where, ren_features_name(features, at)))
            differs(r, "a further column", ren_features_name(features, at), "there");
}

/* "(1.0, 2.0)" against a list. */
static int list_agrees(replay *r, const char *column, const char *text, const json_t *list) {
    size_t index = 0;
    double theirs = 0;
    char *end;

    if (*text++ != '(') return 0;
    for (; index < json_array_size(list); index++) {
        const double ours = strtod(text, &end);
        if (end == text || !recorded_number(json_array_get(list, index), &theirs)) return 0;
        if (!agrees(r->where, column, ours, theirs, NULL)) return 0;
        text = end + strspn(end, ", ");
    }
    return strcmp(text, ")") == 0;
}

static ren_status compare_diagnostic(replay *r, const char *column, const char *ours, const json_t *recorded) {
    ren_status st = REN_OK;
    ren_text *text = NULL;
    double theirs = 0, value = 0;
    int good;

    REN_TRY(ren__text_create(r->context, &text));
    ren__python_value(text, recorded);
    REN_TRY(text->status);
    if (json_is_array(recorded))
        good = list_agrees(r, column, ours, recorded);
    else if (recorded_number(recorded, &theirs))
        good = ren__parse_number(ours, &value) && agrees(r->where, column, value, theirs, NULL);
    else
        good = strcmp(ours, json_is_string(recorded) ? json_string_value(recorded) : ren_text_data(text)) == 0;
    if (!good && !excepted(RULE_DIFFERS, r->where, column)) differs(r, column, ours, ren_text_data(text));
out:
    ren_text_free(text);
    return st;
}

static ren_status compare_diagnostics(replay *r, const ren_features *features, json_t *result) {
    const int32_t count = ren_features_diagnostic_count(features, 0);
    ren_status st = REN_OK;
    const char *name;
    json_t *value;
    int32_t at = 0;

    json_object_foreach(result, name, value) {
        if (!is_diagnostic(name)) continue;
        const char *ours = ren_features_diagnostic_name(features, 0, at);
        if (at < count && strcmp(ours, name) == 0)
            REN_TRY(compare_diagnostic(r, name, ren_features_diagnostic_text(features, 0, at++), value));
        else if (!excepted(RULE_ABSENT, r->where, name))
            differs(r, "the next diagnostic", at < count ? ours : "none", name);
    }
    for (; at < count; at++)
        if (!excepted(RULE_FURTHER, r->where, ren_features_diagnostic_name(features, 0, at)))
            differs(r, "a further diagnostic", ren_features_diagnostic_name(features, 0, at), "there");
out:
    return st;
}

/* Of a call that gave no values: PyRadiomics must not have given any either. The text must say what is wrong. */
static void compare_refusal(replay *r, const json_t *of, const char *message) {
    const char *theirs = json_string_value(json_object_get(of, "error"));

    if (theirs && message[0]) return;
    if (!excepted(RULE_REFUSES, r->where, "*")) differs(r, "the answer", message, theirs ? theirs : "values");
}

/* Undefined as a whole is an answer to what PyRadiomics raises an exception for. */
static int all_nan(const ren_features *features) {
    for (int32_t i = 0; i < ren_features_count(features); i++)
        if (!isnan(ren_features_value(features, 0, i))) return 0;
    return 1;
}

static ren_status replay_extraction(replay *r, const ren_radiomics *radiomics, const json_t *of) {
    ren_status st = REN_OK;
    ren_features *features = NULL;
    char label[32];
    const char *labels[] = { label_text(of, label) };
    json_t *result = json_object_get(of, "result");

    st = ren_radiomics_extract(radiomics, r->image, r->mask, labels, 1, NULL, &features);
    if (st == REN_E_MEMORY || st == REN_E_STATE) goto out;
    if (st != REN_OK || ren_features_row_error(features, 0)) {
        compare_refusal(r, of, st != REN_OK ? ren_error_message() : ren_features_row_error(features, 0));
        st = REN_OK;
    } else if (!result) {
        if (!all_nan(features) && !excepted(RULE_ANSWERS, r->where, "*"))
            differs(r, "the answer", "values", json_string_value(json_object_get(of, "error")));
    } else {
        REN_TRY(compare_diagnostics(r, features, result));
        compare_features(r, features, result);
    }
out:
    ren_features_free(features);
    return st;
}

/* ----------------------------------------------------------------------------------------------------------- maps */

static void compare_grid(replay *r, const char *name, const ren_volume *map, const json_t *recorded) {
    double spacing[3], affine[16];
    char column[TALLY_WHERE];
    size_t axis;
    json_t *value;

    ren_volume_spacing(map, spacing);
    ren_volume_affine(map, affine);
    snprintf(column, sizeof column, "%s's size", name);
    json_array_foreach(json_object_get(recorded, "size"), axis, value)
        compare_number(r, column, (double)map->shape[axis], value);
    snprintf(column, sizeof column, "%s's spacing", name);
    json_array_foreach(json_object_get(recorded, "spacing"), axis, value)
        compare_number(r, column, spacing[axis], value);
    snprintf(column, sizeof column, "%s's origin", name);
    json_array_foreach(json_object_get(recorded, "origin"), axis, value)
        compare_number(r, column, axis < 2 ? -affine[4 * axis + 3] : affine[4 * axis + 3], value);
}

static ren_status compare_map(replay *r, const char *name, const ren_volume *map, const json_t *recorded) {
    ren_context *context = r->context;
    const json_t *values = json_object_get(recorded, "values");
    const size_t count = (size_t)(map->shape[0] * map->shape[1] * map->shape[2]);
    const int64_t origin[3] = { 0, 0, 0 };
    ren_status st = REN_OK;
    double *ours = NULL;
    size_t index;
    json_t *value;

    compare_grid(r, name, map, recorded);
    if (json_array_size(values) != count) {
        differs(r, name, "of another size", "recorded");
        return REN_OK;
    }
    REN_ALLOC(ours, count * sizeof *ours);
    REN_TRY(ren__volume_box_f64(map, origin, map->shape, NULL, ours));
    json_array_foreach(values, index, value) compare_number(r, name, ours[index], value);
out:
    ren__free(ours);
    return st;
}

static ren_status compare_maps(replay *r, const ren_feature_maps *maps, json_t *result) {
    const int32_t count = ren_feature_maps_count(maps);
    ren_status st = REN_OK;
    ren_volume *map = NULL;
    const char *name;
    json_t *value;
    int32_t at = 0;

    json_object_foreach(result, name, value) {
        if (is_diagnostic(name)) continue;
        if (at == count || strcmp(ren_feature_maps_name(maps, at), name) != 0) {
            if (!excepted(RULE_ABSENT, r->where, name))
                differs(r, "the next map", at < count ? ren_feature_maps_name(maps, at) : "none", name);
            continue;
        }
        REN_TRY(ren_feature_maps_volume(maps, at++, &map));
        REN_TRY(compare_map(r, name, map, value));
        ren_volume_free(map);
        map = NULL;
    }
    for (; at < count; at++)
        differs(r, "a further map", ren_feature_maps_name(maps, at), "there");
out:
    ren_volume_free(map);
    return st;
}

static ren_status replay_maps(replay *r, const ren_radiomics *radiomics, const json_t *of) {
    ren_status st = REN_OK;
    ren_feature_maps *maps = NULL;
    char label[32];
    json_t *result = json_object_get(of, "result");

    st = ren_radiomics_map(radiomics, r->image, r->mask, label_text(of, label), NULL, &maps);
    if (st == REN_OK && result) {
        st = compare_maps(r, maps, result);
    } else if (st == REN_OK && !excepted(RULE_ANSWERS, r->where, "*")) {
        differs(r, "the answer", "maps", json_string_value(json_object_get(of, "error")));
    } else if (st == REN_E_DATA || st == REN_E_INVALID) {
        compare_refusal(r, of, ren_error_message());
        st = REN_OK;
    }
    ren_feature_maps_free(maps);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- cases */

static ren_status replay_case(replay *r, const json_t *of, const json_t *noise) {
    ren_status st = REN_OK;
    ren_radiomics *radiomics = NULL;
    int found = 0;

    snprintf(r->where, sizeof r->where, "%s/%s", r->group, json_string_value(json_object_get(of, "name")));
    r->noise = json_object_get(noise, r->where);
    REN_TRY(open_images(r, of, &found));
    if (!found) {
        r->left_out++;
        goto out;
    }
    tally_of(&groups, r->group)->cases++;
    st = parse(r->context, json_object_get(of, "params"), &radiomics);
    if (st == REN_E_FORMAT) {
        compare_refusal(r, of, ren_error_message());
        st = REN_OK;
        goto out;
    }
    if (st == REN_OK && json_is_true(json_object_get(of, "voxelBased")))
        REN_TRY(replay_maps(r, radiomics, of));
    else if (st == REN_OK)
        REN_TRY(replay_extraction(r, radiomics, of));
out:
    if (st == REN_E_DATA || st == REN_E_FORMAT || st == REN_E_IO)
        st = test_fail(__FILE__, __LINE__, "%s: %s", r->where, ren_error_message());
    ren_radiomics_free(radiomics);
    return st;
}

static int32_t cases_left_out; /* their images are not on this machine */

static ren_status load(const char *name, json_t **out) {
    ren_status st = REN_OK;
    char path[TEST_PATH];
    json_error_t error;

    snprintf(path, sizeof path, "%s/%s.json", FOLDER, name);
    *out = json_load_file(path, 0, &error);
    if (!*out) st = test_fail(__FILE__, __LINE__, "%s: line %d: %s", path, error.line, error.text);
    return st;
}

static void print_tally(const tally *t) {
    printf("%s: %lld cases, %lld values, %lld of them equal to the last bit; worst relative difference %.2g%s%s\n",
           t->name, (long long)t->cases, (long long)t->values, (long long)t->equal, t->worst,
           t->worst > 0 ? " at " : "", t->where);
}

static ren_status replay_group(ren_context *context, const char *group) {
    ren_status st = REN_OK;
    replay r = { .context = context, .group = group };
    json_t *recorded = NULL, *noise = NULL, *of;
    size_t index;

    REN_TRY(load(group, &recorded));
    REN_TRY(load("noise", &noise));
    json_array_foreach(json_object_get(recorded, "cases"), index, of)
        REN_TRY(replay_case(&r, of, json_object_get(noise, "cases")));
    if (tally_of(&groups, group)->cases) print_tally(tally_of(&groups, group));
    cases_left_out += r.left_out;
    if (r.failures > FAILURES_SHOWN) printf("    and %d more\n", (int)r.failures - FAILURES_SHOWN);
    CHECK_INT(r.failures, 0);
    if (r.left_out) SKIP("%d of %d cases: their images are not here", (int)r.left_out, (int)index);
out:
    ren_volume_free(r.image);
    ren_volume_free(r.mask);
    json_decref(recorded);
    json_decref(noise);
    return st;
}

#endif
