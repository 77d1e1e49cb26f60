/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test data take part in nothing that is fitted: two studies that differ in the labels and the images of the test
 * fold's patients, and in nothing else, leave the same experts, predictors, gates, thresholds and models to the last
 * byte, and another evaluation.
 */
#include <unistd.h>

#include "base/random.h"
#include "study_fixture.h"

/* Makes the second cohort: links to the first one's scans, but for the test fold's, which get other images. */
typedef struct other {
    ren_context *context;
    const ren_study *first;
    const char *root, *from;
    int32_t changed;
} other;

static int is_test(const other *o, int32_t patient) {
    return o->first->split->set[patient] == REN__SET_TEST; /* of fold 0 */
}

/* The same scan with noise of 100 HU. */
static ren_status write_changed(const other *o, const char *from, const char *to, uint32_t number) {
    ren_context *context = o->context;
    ren_volume *volume = NULL, *noisy = NULL;
    float *values = NULL;
    ren_volume_desc desc;
    ren__rng rng;
    ren_status st = REN_OK;

    REN_TRY(ren_volume_read(context, from, &volume));
    REN_TRY(ren_volume_desc_init(&desc, sizeof desc));
    ren_volume_shape(volume, desc.shape);
    ren_volume_affine(volume, desc.affine);
    const size_t count = (size_t)(desc.shape[0] * desc.shape[1] * desc.shape[2]);
    REN_CALLOC(values, count);
    REN_TRY(ren_volume_copy(volume, values, count));
    ren__rng_init(&rng, 99, number, 0);
    for (size_t i = 0; i < count; i++)
        values[i] += (float)ren__rng_below(&rng, 200) - 100.0f;
    desc.data = values;
    desc.type = REN_TYPE_F32;
    REN_TRY(ren_volume_create(context, &desc, &noisy));
    st = ren_volume_write(noisy, to);
out:
    ren_volume_free(noisy);
    ren_volume_free(volume);
    ren__free(values);
    return st;
}

static ren_status write_scan(other *o, int32_t index, ren_text *table) {
    const ren__cohort *cohort = o->first->cohort;
    const ren__dataset_item *item = &cohort->item[index];
    const int test = is_test(o, cohort->patient[index]);
    char image[2 * TEST_PATH], lobes[2 * TEST_PATH];
    ren_status st = REN_OK;

    snprintf(image, sizeof image, "%s/%d.nii.gz", o->root, (int)index);
    snprintf(lobes, sizeof lobes, "%s/%d_lobes.nii.gz", o->root, (int)index);
    ren__text_addf(table, "%s,%s,%d,%s,%s\n", item->patient, item->scan, test ? 1 - item->label : item->label, image,
                   lobes);
    CHECK(symlink(item->lobes, lobes) == 0);
    if (!test) {
        CHECK(symlink(item->image, image) == 0);
    } else {
        REN_TRY(write_changed(o, item->image, image, (uint32_t)index));
        o->changed++;
    }
out:
    return st;
}

static ren_status write_cohort(other *o) {
    char path[TEST_PATH + 32];
    ren_text *table = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__folder_make(o->root));
    REN_TRY(ren__text_create(o->context, &table));
    ren__text_add(table, "patient,scan,label,image,lobes\n");
    for (int32_t i = 0; i < o->first->cohort->count; i++)
        REN_TRY(write_scan(o, i, table));
    REN_TRY(table->status);
    snprintf(path, sizeof path, "%s/labels.csv", o->root);
    st = ren__file_write(path, ren_text_data(table), ren_text_size(table));
out:
    ren_text_free(table);
    return st;
}

/* The first study's split with the new labels: dealing by label would deal them otherwise. */
static ren_status write_split(const other *o, const char *from, const char *to) {
    json_t *tree = NULL, *list;
    ren_status st = REN_OK;

    REN_TRY(ren__document_read(o->context, from, &tree));
    list = json_object_get(tree, "patients");
    for (int32_t patient = 0; patient < o->first->cohort->patient_count; patient++) {
        json_t *entry = json_array_get(list, (size_t)patient), *labels = json_object_get(entry, "labels");
        json_int_t any = 0;
        if (!is_test(o, patient)) continue;
        for (size_t i = 0; i < json_array_size(labels); i++) {
            const json_int_t label = 1 - json_integer_value(json_array_get(labels, i));
            json_integer_set(json_array_get(labels, i), label);
            any |= label;
        }
        json_integer_set(json_object_get(entry, "label"), any);
    }
    st = ren__json_file_write(o->context, to, tree);
out:
    json_decref(tree);
    return st;
}

/* A run folder that has been started with that split. */
static ren_status start_second(const other *o, const char *config, const char *first, const char *second) {
    char from[TEST_PATH + 32], to[TEST_PATH + 32];
    ren__study_config *resolved = NULL;
    ren_text *yaml = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__folder_make(second));
    snprintf(from, sizeof from, "%s/split.json", first);
    snprintf(to, sizeof to, "%s/split.json", second);
    REN_TRY(write_split(o, from, to));
    REN_TRY(ren__study_config_read(o->context, config, &resolved));
    REN_TRY(ren__yaml_write(o->context, resolved->tree, &yaml));
    snprintf(to, sizeof to, "%s/config.yaml", second);
    st = ren__file_write(to, ren_text_data(yaml), ren_text_size(yaml));
out:
    ren_text_free(yaml);
    ren__study_config_free(resolved);
    return st;
}

static ren_status expect_same(const other *o, const ren_study *second) {
    static const char *const files[] = { "model.safetensors", "predictor.json", "features.safetensors",
                                         "validation.csv",    "done.json",      NULL };
    ren_context *context = o->context;
    char a[TEST_PATH + 256], b[TEST_PATH + 256];
    int compared = 0;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < o->first->job_count; i++)
        for (int k = 0; files[k] && o->first->job[i].fold == 0; k++) {
            snprintf(a, sizeof a, "%s/jobs/%s/%s", o->first->folder, o->first->job[i].id, files[k]);
            snprintf(b, sizeof b, "%s/jobs/%s/%s", second->folder, second->job[i].id, files[k]);
            const int same = study_same_file(context, a, b);
            if (same == 0) return test_fail(__FILE__, __LINE__, "%s differs", b);
            compared += same == 1;
        }
    for (int32_t i = 0; i < o->first->config->mixture_count; i++) {
        snprintf(a, sizeof a, "%s/models/%s.safetensors", o->first->folder, o->first->config->mixture[i].name);
        snprintf(b, sizeof b, "%s/models/%s.safetensors", second->folder, o->first->config->mixture[i].name);
        CHECK_INT(study_same_file(context, a, b), 1);
    }
    CHECK(compared >= 3 * 13); /* thirteen models; model or predictor, predictions, done.json */
out:
    return st;
}

static ren_status test_changed_test_folds_change_no_fit(ren_context *context) {
    char root[TEST_PATH], changed[TEST_PATH], config[2][TEST_PATH], folder[2][TEST_PATH], a[TEST_PATH + 32],
        b[TEST_PATH + 32];
    ren_study *study[2] = { NULL, NULL };
    ren_text *json = NULL;
    other o = { .context = context, .root = changed };
    ren_status st = REN_OK;

    test_file(changed, "changed");
    REN_TRY(study_cohort(context, root));
    REN_TRY(study_config(root, STUDY_GATES STUDY_MIXTURES, "first.yaml", config[0]));
    REN_TRY(study_config(changed, STUDY_GATES STUDY_MIXTURES, "second.yaml", config[1]));
    REN_TRY(study_run(context, config[0], test_file(folder[0], "first"), &study[0]));
    REN_TRY(ren__study_need_data(study[0]));
    o.first = study[0];
    REN_TRY(write_cohort(&o));
    CHECK(o.changed > 2);
    REN_TRY(start_second(&o, config[1], folder[0], test_file(folder[1], "second")));
    REN_TRY(study_run(context, config[1], folder[1], &study[1]));
    REN_TRY(expect_same(&o, study[1]));
    for (int i = 0; i < 2; i++) {
        REN_TRY(ren_study_evaluate(study[i], 0, NULL, &json));
        ren_text_free(json);
        json = NULL;
    }
    snprintf(a, sizeof a, "%s/predictions/m-scan.csv", folder[0]);
    snprintf(b, sizeof b, "%s/predictions/m-scan.csv", folder[1]);
    CHECK_INT(study_same_file(context, a, b), 0); /* the test could see it */
out:
    ren_text_free(json);
    ren_study_free(study[0]);
    ren_study_free(study[1]);
    return st;
}

TEST_MAIN(CASE_ONCE(test_changed_test_folds_change_no_fit))
