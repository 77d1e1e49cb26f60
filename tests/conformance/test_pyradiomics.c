/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays what PyRadiomics 3.1 gave (pyradiomics/README.md): names, order, values, feature maps, diagnostics, refused
 * parameter files, and the tables of its own program.
 *
 * Real images are not in the repository: REN_SHARED names the folder of shared data, REN_PYRADIOMICS_DATA the images of
 * PyRadiomics' source archive as NIfTI. With REN_RECORD set, the section of docs/radiomics-conformance.md is written.
 */
#include "format/csv.h"

#include "conformance/pyradiomics_replay.h"
#include "conformance/pyradiomics_section.h"
#include "unit/harness.h"

static const char document[] = "docs/radiomics-conformance.md";

/* --------------------------------------------------------------------------------------------------------- groups */

static const char *const group_names[] = {
    "regions",        "thin",
    "bins",           "texture",
    "names",          "flat2d",
    "geometry",       "resegment",
    "resample",       "normalise",
    "filters",        "voxel",
    "real/brain1",    "real/pyradiomics",
    "real/ibsi",      "real/chest_small",
    "real/chest",     "real/chest_shape",
    "real/chest_1mm", "real/sarcoma",
};

#define GROUP(name, file)                                                                                              \
    static ren_status test_##name(ren_context *context) {                                                              \
        return replay_group(context, file);                                                                            \
    }

GROUP(regions, "regions")
GROUP(thin, "thin")
GROUP(bins, "bins")
GROUP(texture, "texture")
GROUP(names, "names")
GROUP(flat2d, "flat2d")
GROUP(geometry, "geometry")
GROUP(resegment, "resegment")
GROUP(resample, "resample")
GROUP(normalise, "normalise")
GROUP(filters, "filters")
GROUP(voxel, "voxel")
GROUP(real_brain, "real/brain1")
GROUP(real_pyradiomics, "real/pyradiomics")
GROUP(real_ibsi, "real/ibsi")
GROUP(real_chest_small, "real/chest_small")
GROUP(real_chest, "real/chest")
GROUP(real_chest_shape, "real/chest_shape")
GROUP(real_chest_1mm, "real/chest_1mm")
GROUP(real_sarcoma, "real/sarcoma")

/* ------------------------------------------------------------------------------------------------ parameter files */

static ren_status test_schema(ren_context *context) {
    ren_status st = REN_OK;
    replay r = { .context = context, .group = "schema" };
    json_t *recorded = NULL, *of;
    ren_radiomics *radiomics = NULL;
    size_t index;

    REN_TRY(load("schema", &recorded));
    json_array_foreach(json_object_get(recorded, "cases"), index, of) {
        snprintf(r.where, sizeof r.where, "schema/%s", json_string_value(json_object_get(of, "name")));
        st = parse(context, json_object_get(of, "params"), &radiomics);
        if (st == REN_OK && !json_object_get(of, "result") && !excepted(RULE_ANSWERS, r.where, "*"))
            differs(&r, "the parameter file", "accepted", json_string_value(json_object_get(of, "error")));
        else if (st == REN_E_FORMAT && !json_object_get(of, "error") && !excepted(RULE_REFUSES, r.where, "*"))
            differs(&r, "the parameter file", ren_error_message(), "accepted");
        else if (st != REN_E_FORMAT)
            REN_TRY(st);
        st = REN_OK;
        ren_radiomics_free(radiomics);
        radiomics = NULL;
    }
    CHECK(index > 0);
    CHECK_INT(r.failures, 0);
out:
    json_decref(recorded);
    return st;
}

/* ------------------------------------------------------------------------------------------- the program's tables */

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void compare_cell(replay *r, const char *column, const char *ours, const char *theirs) {
    double value, recorded;

    if (ren__parse_number(ours, &value) && ren__parse_number(theirs, &recorded)) {
        if (!agrees(r->where, column, value, recorded, NULL)) differs(r, column, ours, theirs);
    } else if (strcmp(ours, theirs) != 0 && !excepted(RULE_DIFFERS, r->where, column)) {
        differs(r, column, ours, theirs);
    }
}

static void compare_input(replay *r, const char *column, const char *ours, const char *theirs) {
    if (strcmp(ours, theirs) != 0) differs(r, column, ours, theirs);
}

/* A row of values, or one of a case that failed: empty in theirs, with an error in ours. */
static void compare_row(replay *r, const ren__csv *ours, const ren__csv *theirs, size_t row, int32_t first_result) {
    const int32_t error = ren__csv_column(ours, "error"), last = ren__csv_columns(theirs) - 1;
    const int failed = error >= 0 && ren__csv_get(ours, row, error)[0];
    const int expected = ren__csv_get(theirs, row, last)[0] == '\0';

    if (failed || expected) {
        if (failed != expected && !excepted(failed ? RULE_REFUSES : RULE_ANSWERS, r->where, "*"))
            differs(r, "the row", failed ? ren__csv_get(ours, row, error) : "full", expected ? "empty" : "full");
        return;
    }
    for (int32_t c = 0; c <= last; c++) {
        const char *name = ren__csv_name(theirs, c);
        const int32_t own = ren__csv_column(ours, name);
        if (own < 0)
            differs(r, name, "not there", "there");
        else if (c < first_result)
            compare_input(r, name, last_part(ren__csv_get(ours, row, own)), last_part(ren__csv_get(theirs, row, c)));
        else
            compare_cell(r, name, ren__csv_get(ours, row, own), ren__csv_get(theirs, row, c));
    }
}

/* Results come in the same order. */
static ren_status compare_tables(replay *r, const char *path, const char *their_path) {
    ren_status st = REN_OK;
    ren__csv *ours = NULL, *theirs = NULL;
    int32_t before = -1, first_result = 0;

    REN_TRY(ren__csv_read(r->context, path, &ours));
    REN_TRY(ren__csv_read(r->context, their_path, &theirs));
    for (int32_t c = 0; c < ren__csv_columns(theirs); c++) {
        const int32_t own = ren__csv_column(ours, ren__csv_name(theirs, c));
        if (first_result == 0 && is_diagnostic(ren__csv_name(theirs, c))) first_result = c;
        if (first_result == 0) continue;
        if (own >= 0 && own < before) differs(r, ren__csv_name(theirs, c), "in another place", "recorded");
        before = own;
    }
    CHECK_INT(ren__csv_rows(ours), ren__csv_rows(theirs));
    for (size_t row = 0; row < ren__csv_rows(theirs); row++) {
        snprintf(r->where, sizeof r->where, "%s/%zu", r->group, row + 1);
        tally_of(&groups, r->group)->cases++;
        compare_row(r, ours, theirs, row, first_result);
    }
out:
    ren__csv_free(ours);
    ren__csv_free(theirs);
    return st;
}

static ren_status load_cli(replay *r, ren_radiomics **radiomics) {
    ren_status st = REN_OK;

    REN_TRY(open_volume(r, FOLDER "/inputs/ct_image.nii.gz", r->image_path, &r->image));
    REN_TRY(open_volume(r, FOLDER "/inputs/ct_mask.nii.gz", r->mask_path, &r->mask));
    REN_TRY(ren_radiomics_create(r->context, REN_RADIOMICS_PYRADIOMICS, radiomics));
    REN_TRY(ren_radiomics_load_params(*radiomics, FOLDER "/cli/params.yaml"));
out:
    return st;
}

/* Names in PyRadiomics' order, values as numbers; what is a structure there is its text here. */
static ren_status compare_json(replay *r, const char *text) {
    ren_status st = REN_OK;
    json_error_t error;
    json_t *ours = json_loads(text, 0, &error), *theirs = NULL, *value;
    const char *name;
    void *at;

    CHECK(ours != NULL);
    REN_TRY(load("cli/one.out", &theirs));
    at = json_object_iter(ours);
    json_object_foreach(json_array_get(theirs, 0), name, value) {
        while (at && strcmp(json_object_iter_key(at), name) != 0)
            at = json_object_iter_next(ours, at);
        if (!at)
            differs(r, name, "not there or in another place", "recorded");
        else if (json_is_number(value) && json_is_number(json_object_iter_value(at)))
            compare_number(r, name, json_number_value(json_object_iter_value(at)), value);
    }
out:
    json_decref(ours);
    json_decref(theirs);
    return st;
}

static ren_status test_cli_one(ren_context *context) {
    ren_status st = REN_OK;
    replay r = { .context = context, .group = "cli/one" };
    ren_radiomics *radiomics = NULL;
    ren_features *features = NULL;
    ren_text *csv = NULL, *json = NULL;
    char path[TEST_PATH];

    REN_TRY(load_cli(&r, &radiomics));
    REN_TRY(ren_radiomics_extract(radiomics, r.image, r.mask, NULL, 0, NULL, &features));
    REN_TRY(ren_features_csv(features, "ct_image.nii.gz", "ct_mask.nii.gz", &csv));
    test_file(path, "one.csv");
    REN_TRY(ren__file_write(path, ren_text_data(csv), csv->size));
    REN_TRY(compare_tables(&r, path, FOLDER "/cli/one.out.csv"));
    REN_TRY(ren_features_json(features, "ct_image.nii.gz", "ct_mask.nii.gz", &json));
    REN_TRY(compare_json(&r, ren_text_data(json)));
    CHECK_INT(r.failures, 0);
out:
    ren_text_free(csv);
    ren_text_free(json);
    ren_features_free(features);
    ren_radiomics_free(radiomics);
    ren_volume_free(r.image);
    ren_volume_free(r.mask);
    return st;
}

static ren_status test_cli_batch(ren_context *context) {
    ren_status st = REN_OK;
    replay r = { .context = context, .group = "cli/batch" };
    ren_radiomics *radiomics = NULL;
    char path[TEST_PATH];

    REN_TRY(load_cli(&r, &radiomics));
    test_file(path, "batch.csv");
    REN_TRY(ren_radiomics_batch(radiomics, FOLDER "/cli/batch.csv", path, NULL, NULL, NULL));
    REN_TRY(compare_tables(&r, path, FOLDER "/cli/batch.out.csv"));
    CHECK_INT(r.failures, 0);
out:
    ren_radiomics_free(radiomics);
    ren_volume_free(r.image);
    ren_volume_free(r.mask);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- the document */

/* Not 0 where every recorded group was replayed with all its images. */
static int whole_run(void) {
    int missing = cases_left_out != 0;

    for (size_t i = 0; i < sizeof group_names / sizeof *group_names; i++)
        missing |= tally_of(&groups, group_names[i])->cases == 0;
    return !missing;
}

/* An exception that nothing needed is one too many. */
static ren_status check_uses(void) {
    ren_status st = REN_OK;

    for (int i = 0; i < EXCEPTIONS && whole_run(); i++)
        if (exception_uses[i] == 0)
            st = test_fail(__FILE__, __LINE__, "the exception \"%s %s\" is not needed", exceptions[i].where,
                           exceptions[i].what);
    return st;
}

/* The last case: by now every group was replayed, if no pattern of cases was given. */
static ren_status test_document(ren_context *context) {
    ren_status st = REN_OK;
    json_t *noise = NULL;

    REN_TRY(check_uses());
    if (getenv("REN_RECORD")) {
        CHECK(whole_run());
        REN_TRY(load("noise", &noise));
        REN_TRY(record_section(context, document, json_object_get(noise, "cases")));
    }
    REN_TRY(check_section(context, document));
out:
    json_decref(noise);
    return st;
}

TEST_MAIN(CASE_ONCE(test_regions), CASE_ONCE(test_thin), CASE_ONCE(test_bins), CASE_ONCE(test_texture),
          CASE_ONCE(test_names), CASE_ONCE(test_flat2d), CASE_ONCE(test_geometry), CASE_ONCE(test_resegment),
          CASE_ONCE(test_resample), CASE_ONCE(test_normalise), CASE_ONCE(test_filters), CASE_ONCE(test_voxel),
          CASE_ONCE(test_schema), CASE_ONCE(test_real_brain), CASE_ONCE(test_real_pyradiomics),
          CASE_ONCE(test_real_ibsi), CASE_ONCE(test_real_chest_small), CASE_ONCE(test_real_chest),
          CASE_ONCE(test_real_chest_shape), CASE_ONCE(test_real_chest_1mm), CASE_ONCE(test_real_sarcoma),
          CASE_ONCE(test_cli_one), CASE_ONCE(test_cli_batch), CASE_ONCE(test_document))
