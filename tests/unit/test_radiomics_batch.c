/* SPDX-License-Identifier: Apache-2.0 */
/* Many cases: rows, failures, resuming, and what is refused. */
#include <stdlib.h>
#include <unistd.h>

#include "format/csv.h"
#include "radiomics/extractor.h"
#include "radiomics_fixture.h"

typedef struct setup {
    ren_radiomics *radiomics;
    char cases[TEST_PATH], out[TEST_PATH], image[TEST_PATH], mask[TEST_PATH];
} setup;

static const char only_means[] = "featureClass: {firstorder: [Mean, Energy]}";

static ren_status write_text(const char *path, const char *text) {
    return ren__file_write(path, text, strlen(text));
}

static ren_status begin(ren_context *context, setup *s, const char *table) {
    ren_status st = REN_OK;
    ren_volume *image = NULL, *mask = NULL;

    s->radiomics = NULL;
    REN_TRY(fixture_make(context, &image, &mask));
    REN_TRY(ren_volume_write(image, test_file(s->image, "image.nii")));
    REN_TRY(ren_volume_write(mask, test_file(s->mask, "mask.nii")));
    REN_TRY(write_text(test_file(s->cases, "cases.csv"), table));
    test_file(s->out, "out.csv");
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &s->radiomics));
    REN_TRY(ren_radiomics_parse_params(s->radiomics, only_means, strlen(only_means), "yaml"));
out:
    ren_volume_free(image);
    ren_volume_free(mask);
    return st;
}

static ren_status run(const setup *s, int32_t jobs, int32_t *failed) {
    ren_radiomics_batch_options options;
    const ren_status st = ren_radiomics_batch_options_init(&options, sizeof options);

    if (st != REN_OK) return st;
    options.jobs = jobs;
    return ren_radiomics_batch(s->radiomics, s->cases, s->out, &options, NULL, failed);
}

/* Six cases of which three cannot be done. */
static const char mixed[] = "who,Image,Mask,Label\n"
                            "a,image.nii,mask.nii,\n"
                            "b,missing.nii,mask.nii,2\n"
                            "\"c, d\",image.nii,mask.nii,left=1+2\n"
                            "e,image.nii,mask.nii,9\n"
                            "f,image.nii,mask.nii,x\n"
                            "g,image.nii,mask.nii,2\n";

static ren_status check_mixed(ren_context *context, const setup *s) {
    ren_status st = REN_OK;
    ren__csv *t = NULL;

    REN_TRY(ren__csv_read(context, s->out, &t));
    CHECK_INT(ren__csv_rows(t), 6);
    CHECK_TEXT(ren__csv_name(t, 0), "Image");
    CHECK_TEXT(ren__csv_name(t, 3), "who");
    CHECK_TEXT(ren__csv_name(t, 5), "error");
    CHECK_TEXT(ren__csv_get(t, 2, 2), "left");
    CHECK_TEXT(ren__csv_get(t, 2, 3), "c, d");
    const int32_t energy = ren__csv_column(t, "original_firstorder_Energy");
    CHECK_TEXT(ren__csv_get(t, 0, energy), "996001.0");
    CHECK_TEXT(ren__csv_get(t, 2, energy), "4254034.0");
    CHECK_TEXT(ren__csv_get(t, 5, energy), "3258033.0");
    CHECK_TEXT(ren__csv_get(t, 1, energy), "");
    CHECK(strstr(ren__csv_get(t, 1, 5), "missing.nii") && strstr(ren__csv_get(t, 3, 5), "no voxels"));
    CHECK(strstr(ren__csv_get(t, 4, 5), "whole numbers") && ren__csv_get(t, 0, 5)[0] == '\0');
out:
    ren__csv_free(t);
    return st;
}

static ren_status test_one_broken_case_stops_no_other(ren_context *context) {
    ren_status st = REN_OK;
    setup s;
    int32_t failed = 0;

    REN_TRY(begin(context, &s, mixed));
    REN_TRY(run(&s, 2, &failed));
    if (test_injecting()) goto out; /* a case that had no memory is a row with an error */
    CHECK_INT(failed, 3);
    REN_TRY(check_mixed(context, &s));
out:
    ren_radiomics_free(s.radiomics);
    return st;
}

/* The file's bytes, from malloc. */
static char *bytes_of(const char *path) {
    FILE *file = fopen(path, "rb");
    char *bytes = calloc(1, 1 << 20);

    if (file && bytes) (void)!fread(bytes, 1, (1 << 20) - 1, file);
    if (file) fclose(file);
    return bytes;
}

static int32_t calls_left;

static int32_t after_a_while(void *user) {
    (void)user;
    return --calls_left < 0;
}

/* Stopped after any number of polls, the file has whole rows; what is finished later has the bytes of an undisturbed
 * run, whatever the number of jobs. */
static ren_status test_stopped_and_resumed(ren_context *context) {
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren_status st = REN_OK;
    setup s;
    char *whole = NULL, *resumed = NULL;

    REN_TRY(begin(context, &s, mixed));
    REN_TRY(run(&s, 1, NULL));
    whole = bytes_of(s.out);
    options.cancel = after_a_while;
    for (int32_t polls = 0; polls < 12; polls++) {
        unlink(s.out);
        calls_left = polls;
        st = ren_radiomics_batch(s.radiomics, s.cases, s.out, NULL, &options, NULL);
        if (st != REN_OK && st != REN_E_CANCELLED) goto out;
        REN_TRY(run(&s, polls % 3, NULL));
        resumed = bytes_of(s.out);
        CHECK(whole && resumed && strcmp(whole, resumed) == 0);
        free(resumed);
        resumed = NULL;
    }
out:
    free(whole);
    free(resumed);
    ren_radiomics_free(s.radiomics);
    return st;
}

/* Only what is missing or failed is done: with the image gone, finished rows stay and nothing is read. */
static ren_status test_finished_rows_are_kept(ren_context *context) {
    static const char table[] = "Image,Mask,Label\nimage.nii,mask.nii,1\nimage.nii,mask.nii,2\n";
    ren_status st = REN_OK;
    setup s;
    int32_t failed = -1;
    char *before = NULL, *after = NULL;

    REN_TRY(begin(context, &s, table));
    REN_TRY(run(&s, 0, &failed));
    CHECK_INT(failed, 0);
    before = bytes_of(s.out);
    unlink(s.image);
    REN_TRY(run(&s, 0, &failed));
    CHECK_INT(failed, 0);
    after = bytes_of(s.out);
    CHECK(before && after && strcmp(before, after) == 0);
    /* one more case, which cannot be done: it alone fails */
    REN_TRY(
        write_text(s.cases, "Image,Mask,Label\nimage.nii,mask.nii,3\nimage.nii,mask.nii,1\nimage.nii,mask.nii,2\n"));
    REN_TRY(run(&s, 0, &failed));
    CHECK_INT(failed, 1);
out:
    free(before);
    free(after);
    ren_radiomics_free(s.radiomics);
    return st;
}

static ren_status test_regions_of_a_broken_scan(ren_context *context) {
    ren_radiomics_batch_options options;
    ren_status st = REN_OK;
    setup s;
    int32_t failed = 0;

    REN_TRY(begin(context, &s, "Image,Mask\nimage.nii,mask.nii\nno.nii,mask.nii\n"));
    REN_TRY(ren_radiomics_batch_options_init(&options, sizeof options));
    options.regions = 1;
    REN_TRY(ren_radiomics_batch(s.radiomics, s.cases, s.out, &options, NULL, &failed));
    CHECK_INT(failed, 2 + 7); /* a single voxel and an absent label; all of the second */
out:
    ren_radiomics_free(s.radiomics);
    return st;
}

static ren_status test_refusals(ren_context *context) {
    ren_radiomics_batch_options options;
    ren_status st = REN_OK;
    setup s;
    static const char *const label = "0";

    REN_TRY(begin(context, &s, "Image,Mask\nimage.nii,mask.nii\n"));
    CHECK_FAILS(ren_radiomics_batch(s.radiomics, "/nowhere/c.csv", s.out, NULL, NULL, NULL), REN_E_IO, "/nowhere");
    CHECK_FAILS(ren_radiomics_batch(s.radiomics, s.cases, "/nowhere/o.csv", NULL, NULL, NULL), REN_E_IO, "/nowhere");
    CHECK_FAILS(ren_radiomics_batch(s.radiomics, s.cases, s.cases, NULL, NULL, NULL), REN_E_INVALID, "cases itself");
    REN_TRY(ren_radiomics_batch_options_init(&options, sizeof options));
    options.labels = &label;
    options.label_count = 1;
    CHECK_FAILS(ren_radiomics_batch(s.radiomics, s.cases, s.out, &options, NULL, NULL), REN_E_INVALID, "whole numbers");
    options.regions = 1;
    CHECK_FAILS(ren_radiomics_batch(s.radiomics, s.cases, s.out, &options, NULL, NULL), REN_E_INVALID, "exclude");
    REN_TRY(write_text(s.out, "a,b\n1,2\n"));
    CHECK_FAILS(run(&s, 0, NULL), REN_E_STATE, "no table of these cases");
    REN_TRY(write_text(s.out, "\"a"));
    CHECK_FAILS(run(&s, 0, NULL), REN_E_STATE, "no table");
    unlink(s.out);
    REN_TRY(write_text(s.cases, "Image,mask\nimage.nii,mask.nii\n"));
    CHECK_FAILS(run(&s, 0, NULL), REN_E_FORMAT, "no column Mask");
    REN_TRY(write_text(s.cases, "Image,Mask,error\nimage.nii,mask.nii,\n"));
    CHECK_FAILS(run(&s, 0, NULL), REN_E_FORMAT, "rename it");
    REN_TRY(write_text(s.cases, "Image,Mask,original_firstorder_Mean\nimage.nii,mask.nii,1\n"));
    CHECK_FAILS(run(&s, 0, NULL), REN_E_FORMAT, "name of a feature");
out:
    ren_radiomics_free(s.radiomics);
    return st;
}

/* Rows of other parameters are not mixed in. */
static ren_status test_other_parameters(ren_context *context) {
    ren_status st = REN_OK;
    setup s;

    REN_TRY(begin(context, &s, "Image,Mask\nimage.nii,mask.nii\n"));
    REN_TRY(run(&s, 0, NULL));
    if (test_injecting()) goto out; /* the row may be one of an error, which binds nobody */
    REN_TRY(ren_radiomics_set(s.radiomics, "binWidth", "10"));
    CHECK_FAILS(run(&s, 0, NULL), REN_E_STATE, "other settings");
    REN_TRY(ren_radiomics_parse_params(s.radiomics, only_means, strlen(only_means), "yaml"));
    REN_TRY(ren_radiomics_enable_class(s.radiomics, "firstorder", "[\"Mean\", \"Energy\", \"Median\"]"));
    CHECK_FAILS(run(&s, 0, NULL), REN_E_STATE, "lacks features");
    REN_TRY(ren_radiomics_enable_class(s.radiomics, "firstorder", "[\"Mean\"]"));
    CHECK_FAILS(run(&s, 0, NULL), REN_E_STATE, "not enabled now");
    REN_TRY(ren_radiomics_enable_class(s.radiomics, "firstorder", "[\"Energy\", \"Mean\"]"));
    REN_TRY(run(&s, 0, NULL));
out:
    ren_radiomics_free(s.radiomics);
    return st;
}

/* Cases that do not fit beside each other are done one by one; one that does not fit at all is a row with an error. */
static ren_status test_memory_limit(ren_context *context) {
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren_status st = REN_OK;
    setup s;
    int32_t failed = 0;

    REN_TRY(begin(context, &s, "Image,Mask,n\nimage.nii,mask.nii,1\nimage.nii,mask.nii,2\nimage.nii,mask.nii,3\n"));
    options.memory_limit = 1 << 20;
    REN_TRY(ren_radiomics_batch(s.radiomics, s.cases, s.out, NULL, &options, &failed));
    CHECK_INT(failed, 0);
    unlink(s.out);
out:
    ren_radiomics_free(s.radiomics);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_one_broken_case_stops_no_other), CASE_ONCE(test_stopped_and_resumed),
          CASE_ONCE(test_finished_rows_are_kept), CASE_ONCE(test_regions_of_a_broken_scan), CASE_ONCE(test_refusals),
          CASE_SAMPLED(test_other_parameters), CASE_ONCE(test_memory_limit))
