/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer as a host sees it: from lists of scans to an expert that predicts; stopped and resumed; refusing. */
#include "train/trainer_handle.h"

#include <pthread.h>
#include <unistd.h>

#include "format/document.h"
#include "moe/moe.h"
#include "train/study_files.h"
#include "train_cohort.h"

enum { SCANS = 22, TRAINING = 14, VALIDATION = 8 };

#define SETTINGS "\"lr\": 1e-3, \"dropout\": 0.1, \"batch\": 4"

static cohort people;

/* Of patients p0 to p6, and p7 to p10. */
static const int32_t training[TRAINING] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };
static const int32_t validation[VALIDATION] = { 14, 15, 16, 17, 18, 19, 20, 21 };

static const char *fresh_name(char path[TEST_PATH]) {
    static int made;
    char name[32];

    snprintf(name, sizeof name, "trainer%d", made++);
    return test_file(path, name);
}

static ren_status make_dataset(ren_context *context, const char *cache, ren_dataset **out) {
    const ren_preset preset = cohort_preset();
    const ren_status st = cohort_make(context, SCANS, 0, &people);

    return st == REN_OK ? cohort_dataset(context, cache, &preset, people.item, SCANS, 0, out) : st;
}

/* What most cases train; `config` holds the epochs. */
static ren_status set_options(ren_dataset *dataset, const char *config, const char *folder,
                              ren_trainer_options *options) {
    const ren_status st = ren_trainer_options_init(options, sizeof *options);

    options->config = config;
    options->dataset = dataset;
    options->region = REN_REGION_LLL;
    options->training = training;
    options->validation = validation;
    options->training_count = TRAINING;
    options->validation_count = VALIDATION;
    options->seed = 5;
    options->folder = folder;
    options->checkpoint_seconds = -1.0;
    return st;
}

static ren_status same_experts(const ren_expert *a, const ren_expert *b) {
    const ren__weights *x = a->weights, *y = b->weights;
    ren_status st = REN_OK;

    CHECK_INT(ren__weights_count(x), ren__weights_count(y));
    for (int32_t i = 0; i < ren__weights_count(x); i++)
        CHECK(memcmp(ren__weights_read(x, i), ren__weights_read(y, i), ren__weights_elements(x, i) * sizeof(float)) ==
              0);
    CHECK(json_equal(a->record, b->record));
out:
    return st;
}

/* ---------------------------------------------------------------------------------------------------- what comes */

/* The outcome, the getters and the model card say the same. */
static ren_status check_outcome(const ren_trainer *trainer, const ren_expert *expert) {
    ren_status st = REN_OK;
    ren_text *text = NULL;
    json_t *outcome = NULL;

    REN_TRY(ren_trainer_outcome(trainer, &text));
    REN_TRY(ren__json_parse(ren_text_data(text), ren_text_size(text), "outcome", &outcome));
    CHECK_INT(ren_trainer_number(trainer, "epochs"), 10);
    CHECK_INT(ren_trainer_number(trainer, "training_scans"), TRAINING);
    CHECK(ren_trainer_number(trainer, "validation_auc") > 0.99);
    CHECK(isnan(ren_trainer_number(trainer, "settings")) && isnan(ren_trainer_number(trainer, "nothing")));
    CHECK(isnan(ren_trainer_number(trainer, NULL)) && isnan(ren_trainer_number(NULL, "epochs")));
    CHECK_INT(json_array_size(json_object_get(outcome, "history")), 10);
    const size_t best = (size_t)ren_trainer_number(trainer, "best_epoch") - 1;
    const json_t *row = json_array_get(json_object_get(outcome, "history"), best);
    CHECK_INT(json_integer_value(json_object_get(row, "epoch")), best + 1);
    CHECK_INT(json_integer_value(json_object_get(row, "best")), 1);
    CHECK(json_equal(json_object_get(row, "val_auc"), json_object_get(outcome, "validation_auc")));
    CHECK_TEXT(json_string_value(json_object_get(outcome, "expert")), "mine");
    CHECK_TEXT(json_string_value(json_object_get(outcome, "stopped")), "epochs");
    CHECK_INT(json_integer_value(json_object_get(json_object_get(outcome, "settings"), "batch")), 4);
    REN_TRY(json_object_del(outcome, "history") == 0 ? REN_OK : REN_E_MEMORY);
    CHECK(json_equal(outcome, expert->record));
out:
    json_decref(outcome);
    ren_text_free(text);
    return st;
}

/* With everything that it was made of ended, the expert tells the validation's scans apart. */
static ren_status test_the_expert_is_ready(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_trainer *trainer = NULL;
    ren_trainer_options options;
    ren_expert *expert = NULL, *again = NULL, *loaded = NULL;
    ren_scan *scan[2] = { NULL, NULL };
    ren_text *text = NULL;
    char path[TEST_PATH];
    float ill[2], well[2];

    REN_TRY(make_dataset(context, NULL, &dataset));
    REN_TRY(set_options(dataset, "{\"name\": \"mine\", \"epochs\": 10, \"augmentation\": false, " SETTINGS "}", NULL,
                        &options));
    REN_TRY(ren_trainer_create(context, &options, &trainer));
    CHECK_FAILS(ren_trainer_outcome(trainer, &text), REN_E_STATE, "before ren_trainer_run");
    CHECK(isnan(ren_trainer_number(trainer, "epochs")));
    REN_TRY(ren_trainer_run(trainer, NULL, &expert));
    REN_TRY(ren_trainer_run(trainer, NULL, &again));
    CHECK(expert == again);
    REN_TRY(check_outcome(trainer, expert));
    REN_TRY(ren_dataset_scan(dataset, 16, NULL, &scan[0])); /* of p8, healthy */
    REN_TRY(ren_dataset_scan(dataset, 18, NULL, &scan[1])); /* of p9, ILD */
    ren_dataset_free(dataset);
    dataset = NULL;
    ren_trainer_free(trainer);
    trainer = NULL;
    REN_TRY(ren_expert_save(expert, test_file(path, "expert.safetensors")));
    REN_TRY(ren_expert_load(context, path, &loaded));
    REN_TRY(ren_expert_predict(loaded, scan[0], NULL, well, 2));
    REN_TRY(ren_expert_predict(expert, scan[1], NULL, ill, 2));
    CHECK(ill[1] > well[1]);
    CHECK_INT(ren_expert_region(loaded), REN_REGION_LLL);
    REN_TRY(same_experts(expert, loaded));
out:
    ren_text_free(text);
    ren_scan_free(scan[0]);
    ren_scan_free(scan[1]);
    ren_expert_free(loaded);
    ren_expert_free(again);
    ren_expert_free(expert);
    ren_trainer_free(trainer);
    ren_dataset_free(dataset);
    return st;
}

/* An expert's weights may be arranged for prediction; those of the loop are as published. */
static ren_status same_values(ren_context *context, const ren__weights *loop, const ren__weights *expert) {
    ren_status st = REN_OK;
    float *row = NULL;

    for (int32_t i = 0; i < ren__weights_count(loop); i++) {
        const size_t elements = ren__weights_elements(loop, i);
        const size_t rows = ren__weights_arranged(expert, i) ? (size_t)ren__weights_shape(expert, i)->dim[0] : 1;
        const size_t columns = elements / rows;
        ren__free(row);
        REN_CALLOC(row, columns);
        for (size_t k = 0; k < rows; k++) {
            if (ren__weights_arranged(expert, i))
                ren__weights_get_row(expert, i, (int64_t)k, row);
            else
                memcpy(row, ren__weights_read(expert, i), columns * sizeof *row);
            CHECK(memcmp(row, ren__weights_read(loop, i) + k * columns, columns * sizeof *row) == 0);
        }
    }
out:
    ren__free(row);
    return st;
}

/* The trainer adds nothing to the loop. */
static ren_status test_it_is_the_loop_of_studies(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_trainer *trainer = NULL;
    ren_trainer_options options;
    ren_expert *expert = NULL;
    ren__train_outcome outcome = { .weights = NULL };
    ren__train_task task = { .net = ren__net_find("cnn"), .region = REN_REGION_LLL, .seed = 5 };
    ren__train_settings settings;
    json_t *tree = NULL, *network = NULL;
    static const char config[] = "{\"epochs\": 2, \"input_size\": [16, 16, 16], " SETTINGS "}";

    REN_TRY(make_dataset(context, NULL, &dataset));
    REN_TRY(set_options(dataset, config, NULL, &options));
    REN_TRY(ren_trainer_create(context, &options, &trainer));
    REN_TRY(ren_trainer_run(trainer, NULL, &expert));
    REN_TRY(ren__json_parse(config, sizeof config - 1, "config", &tree));
    REN_TRY(ren__train_settings_read(tree, task.net, "config", &settings, &network));
    task.network = network;
    task.settings = &settings;
    task.dataset = dataset;
    task.training = training;
    task.validation = validation;
    task.training_count = TRAINING;
    task.validation_count = VALIDATION;
    REN_TRY(ren__train(context, &task, NULL, &outcome));
    REN_TRY(same_values(context, outcome.weights, expert->weights));
    CHECK(outcome.validation_loss == ren_trainer_number(trainer, "validation_loss"));
out:
    json_decref(network);
    json_decref(tree);
    ren__train_outcome_end(&outcome);
    ren_expert_free(expert);
    ren_trainer_free(trainer);
    ren_dataset_free(dataset);
    return st;
}

static ren_status test_memory_may_run_out(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_trainer *trainer = NULL;
    ren_trainer_options options;
    ren_expert *expert = NULL;
    ren_text *text = NULL;
    char folder[TEST_PATH];

    REN_TRY(make_dataset(context, NULL, &dataset));
    REN_TRY(set_options(dataset, "{\"epochs\": 1, " SETTINGS "}", fresh_name(folder), &options));
    options.training_count = 8;
    options.validation_count = 4;
    REN_TRY(ren_trainer_create(context, &options, &trainer));
    REN_TRY(ren_trainer_run(trainer, NULL, &expert));
    REN_TRY(ren_trainer_outcome(trainer, &text));
out:
    ren_text_free(text);
    ren_expert_free(expert);
    ren_trainer_free(trainer);
    ren_dataset_free(dataset);
    return st;
}

/* ------------------------------------------------------------------------------------------- stopping, resuming */

/* Asks to stop once the training has gone on for so long. */
typedef struct stopper {
    double from;
    int asked;
} stopper;

static void watch(void *user, const char *stage, double fraction) {
    stopper *s = user;

    if (strcmp(stage, "training") == 0 && fraction >= s->from) s->asked = 1;
}

static int32_t cancel(void *user) {
    return ((stopper *)user)->asked;
}

/* A trainer of its own each time, as after a new start of the host. */
static ren_status run_until(ren_context *context, const ren_trainer_options *options, double from, ren_expert **out) {
    stopper s = { .from = from };
    ren_run_options run = REN_RUN_OPTIONS_INIT;
    ren_trainer *trainer = NULL;
    ren_status st = ren_trainer_create(context, options, &trainer);

    run.progress = watch;
    run.cancel = cancel;
    run.user = &s;
    if (st == REN_OK) st = ren_trainer_run(trainer, &run, out);
    ren_trainer_free(trainer);
    return st;
}

/* Cancelled twice, and then by a deadline that grows, against one run without a folder. */
static ren_status test_stopped_runs_end_in_the_same_bits(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_trainer *trainer = NULL;
    ren_trainer_options options;
    ren_run_options run = REN_RUN_OPTIONS_INIT;
    ren_expert *straight = NULL, *resumed = NULL;
    char folder[TEST_PATH], path[TEST_PATH + 64];

    REN_TRY(make_dataset(context, NULL, &dataset));
    REN_TRY(set_options(dataset, "{\"epochs\": 6, " SETTINGS "}", NULL, &options));
    REN_TRY(run_until(context, &options, 2.0, &straight));
    options.folder = fresh_name(folder);
    CHECK_FAILS(run_until(context, &options, 0.25, &resumed), REN_E_CANCELLED, NULL);
    snprintf(path, sizeof path, "%s/" REN__CHECKPOINT_FILE, folder);
    CHECK(access(path, F_OK) == 0 && !resumed);
    CHECK_FAILS(run_until(context, &options, 0.6, &resumed), REN_E_CANCELLED, NULL);
    REN_TRY(ren_trainer_create(context, &options, &trainer));
    run.deadline_seconds = 0.03;
    while ((st = ren_trainer_run(trainer, &run, &resumed)) == REN_E_DEADLINE) {
        CHECK(!resumed);
        run.deadline_seconds *= 2.0;
    }
    if (st != REN_OK) goto out;
    REN_TRY(same_experts(straight, resumed));
    snprintf(path, sizeof path, "%s/" REN__HISTORY_FILE, folder);
    CHECK(access(path, F_OK) == 0);
out:
    ren_expert_free(straight);
    ren_expert_free(resumed);
    ren_trainer_free(trainer);
    ren_dataset_free(dataset);
    return st;
}

static ren_status test_a_folder_is_one_trainings(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_trainer_options options;
    ren_trainer *trainer = NULL;
    ren_run_options run = REN_RUN_OPTIONS_INIT;
    ren_expert *expert = NULL;
    char folder[TEST_PATH];
    int lock = -1;

    REN_TRY(make_dataset(context, NULL, &dataset));
    REN_TRY(set_options(dataset, "{\"epochs\": 1, " SETTINGS "}", fresh_name(folder), &options));
    REN_TRY(run_until(context, &options, 2.0, &expert));
    ren_expert_free(expert);
    expert = NULL;
    options.seed++;
    CHECK_FAILS(run_until(context, &options, 2.0, &expert), REN_E_STATE, "another training");
    options.seed--;
    options.training_count--;
    CHECK_FAILS(run_until(context, &options, 2.0, &expert), REN_E_STATE, "another training");
    options.training_count++;
    REN_TRY(ren_trainer_create(context, &options, &trainer));
    REN_TRY(ren__folder_lock(folder, 0.0, NULL, &lock));
    run.deadline_seconds = 0.2;
    CHECK_FAILS(ren_trainer_run(trainer, &run, &expert), REN_E_DEADLINE, NULL);
    ren__folder_unlock(lock);
    lock = -1;
    CHECK(!expert);
    REN_TRY(ren_trainer_run(trainer, NULL, &expert)); /* the checkpoint of the first run is its end */
    CHECK_INT(ren_trainer_number(trainer, "epochs"), 1);
out:
    ren__folder_unlock(lock);
    ren_expert_free(expert);
    ren_trainer_free(trainer);
    ren_dataset_free(dataset);
    return st;
}

/* ----------------------------------------------------------------------------------------------------- refusals */

typedef struct refusal {
    const char *arch, *config;
    int32_t region;
    ren_status status;
    const char *text;
} refusal;

static ren_status test_settings_are_checked(ren_context *context) {
    static const refusal cases[] = {
        { NULL, NULL, 8, REN_E_INVALID, "no region has the number 8" },
        { NULL, NULL, -1, REN_E_INVALID, "no region has the number -1" },
        { "resnet", NULL, 0, REN_E_FORMAT, "\"resnet\"" },
        { "general_moe", NULL, 0, REN_E_UNSUPPORTED, "general_moe" },
        { "cnn", "{\"arch\": \"vit\"}", 0, REN_E_INVALID, "another than the options' arch" },
        { NULL, "{\"arch\": 3}", 0, REN_E_FORMAT, "config: \"arch\"" },
        { NULL, "{\"name\": 3}", 0, REN_E_FORMAT, "config: \"name\"" },
        { NULL, "{", 0, REN_E_FORMAT, "config" },
        { NULL, "", 0, REN_E_FORMAT, "config" },
        { NULL, "[1]", 0, REN_E_FORMAT, "must be a JSON object" },
        { NULL, "{\"epochs\": 0}", 0, REN_E_FORMAT, "config: \"epochs\"" },
        { NULL, "{\"epoch\": 3}", 0, REN_E_FORMAT, "epoch" },
        { NULL, "{\"input_size\": [8, 8, 8]}", 0, REN_E_FORMAT, "differs from the size" },
        { NULL, "{\"classes\": 3}", 0, REN_E_FORMAT, "\"classes\" must be 2" },
    };
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_trainer_options options;
    ren_trainer *trainer = NULL;

    REN_TRY(make_dataset(context, NULL, &dataset));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REN_TRY(set_options(dataset, cases[i].config, NULL, &options));
        options.arch = cases[i].arch;
        options.region = cases[i].region;
        CHECK_FAILS(ren_trainer_create(context, &options, &trainer), cases[i].status, cases[i].text);
        CHECK(!trainer);
    }
    REN_TRY(set_options(dataset, "{\"arch\": \"cnn\", \"epochs\": 3}", NULL, &options));
    options.arch = "cnn";
    REN_TRY(ren_trainer_create(context, &options, &trainer));
out:
    ren_trainer_free(trainer);
    ren_dataset_free(dataset);
    return st;
}

static ren_status test_lists_are_checked(ren_context *context) {
    static const int32_t beyond[3] = { 14, 18, SCANS }, negative[2] = { -1, 18 }, twice[3] = { 14, 18, 14 };
    static const int32_t shared[3] = { 14, 18, 1 }, one_label[2] = { 14, 15 };
    static const struct {
        const int32_t *list;
        size_t count;
        ren_status status;
        const char *text;
    } cases[] = {
        { beyond, 3, REN_E_INVALID, "validation[2] is 22, the data set has 22" },
        { negative, 2, REN_E_INVALID, "validation[0] is -1" },
        { twice, 3, REN_E_INVALID, "validation has scan 14 twice" },
        { shared, 3, REN_E_DATA, "patient p0 is in training and in validation" },
        { one_label, 2, REN_E_DATA, "validation has 0 scans of label 0 and 2 of label 1" },
        { one_label, 0, REN_E_DATA, "validation has 0 scans" },
        { NULL, 2, REN_E_INVALID, "validation is NULL" },
    };
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_trainer_options options;
    ren_trainer *trainer = NULL;

    REN_TRY(make_dataset(context, NULL, &dataset));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REN_TRY(set_options(dataset, NULL, NULL, &options));
        options.validation = cases[i].list;
        options.validation_count = cases[i].count;
        CHECK_FAILS(ren_trainer_create(context, &options, &trainer), cases[i].status, cases[i].text);
    }
    REN_TRY(set_options(dataset, NULL, NULL, &options));
    options.training_count = 2; /* p0 alone */
    CHECK_FAILS(ren_trainer_create(context, &options, &trainer), REN_E_DATA, "training has 2 scans of label 0");
    options.training = NULL;
    CHECK_FAILS(ren_trainer_create(context, &options, &trainer), REN_E_INVALID, "training is NULL");
    CHECK(!trainer);
out:
    ren_dataset_free(dataset);
    return st;
}

static ren_status test_arguments_are_checked(ren_context *context) {
    ren_status st = REN_OK;
    ren_dataset *dataset = NULL;
    ren_trainer_options options;
    ren_trainer *trainer = NULL;
    ren_expert *expert = NULL;
    ren_text *text = NULL;
    char folder[TEST_PATH];

    REN_TRY(make_dataset(context, NULL, &dataset));
    REN_TRY(set_options(dataset, NULL, test_file(folder, "nowhere/job"), &options));
    CHECK_FAILS(ren_trainer_create(NULL, &options, &trainer), REN_E_INVALID, "context");
    CHECK_FAILS(ren_trainer_create(context, NULL, &trainer), REN_E_INVALID, "options");
    CHECK_FAILS(ren_trainer_create(context, &options, NULL), REN_E_INVALID, "out");
    CHECK_FAILS(ren_trainer_options_init(NULL, sizeof options), REN_E_INVALID, "NULL");
    CHECK_FAILS(ren_trainer_run(NULL, NULL, &expert), REN_E_INVALID, "trainer");
    CHECK_FAILS(ren_trainer_outcome(NULL, &text), REN_E_INVALID, "trainer");
    REN_TRY(ren_trainer_create(context, &options, &trainer));
    CHECK_FAILS(ren_trainer_run(trainer, NULL, NULL), REN_E_INVALID, "expert");
    CHECK_FAILS(ren_trainer_outcome(trainer, NULL), REN_E_INVALID, "json");
    CHECK_FAILS(ren_trainer_run(trainer, NULL, &expert), REN_E_IO, "nowhere");
    ren_trainer_free(trainer);
    trainer = NULL;
    options.checkpoint_seconds = NAN;
    CHECK_FAILS(ren_trainer_create(context, &options, &trainer), REN_E_INVALID, "checkpoint_seconds");
    options.dataset = NULL;
    CHECK_FAILS(ren_trainer_create(context, &options, &trainer), REN_E_INVALID, "dataset is NULL");
    ren_trainer_free(NULL);
out:
    ren_trainer_free(trainer);
    ren_dataset_free(dataset);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- threads */

typedef struct worker {
    ren_context *context;
    const char *cache;
    pthread_t thread;
    ren_status status;
    ren_expert *expert;
} worker;

static ren_status work(worker *w) {
    ren_status st = REN_OK;
    const ren_preset preset = cohort_preset();
    ren_dataset *dataset = NULL;
    ren_trainer *trainer = NULL;
    ren_trainer_options options;

    REN_TRY(cohort_dataset(w->context, w->cache, &preset, people.item, SCANS, 0, &dataset));
    REN_TRY(set_options(dataset, "{\"epochs\": 2, " SETTINGS "}", NULL, &options));
    REN_TRY(ren_trainer_create(w->context, &options, &trainer));
    REN_TRY(ren_trainer_run(trainer, NULL, &w->expert));
out:
    ren_trainer_free(trainer);
    ren_dataset_free(dataset);
    return st;
}

static void *begin(void *argument) {
    worker *w = argument;

    w->status = work(w);
    return NULL;
}

/* One context, one cache folder, a data set for each thread: nothing else is needed, and the bits are equal. */
static ren_status test_threads_train_at_once(ren_context *context) {
    enum { THREADS = 3 };
    ren_status st = REN_OK;
    worker workers[THREADS] = { { .expert = NULL } };
    char cache[TEST_PATH];
    int started = 0;

    REN_TRY(cohort_make(context, SCANS, 0, &people));
    fresh_name(cache);
    for (; started < THREADS; started++) {
        workers[started] = (worker){ .context = context, .cache = cache };
        CHECK(pthread_create(&workers[started].thread, NULL, begin, &workers[started]) == 0);
    }
out:
    for (int i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        if (st == REN_OK) st = workers[i].status;
    }
    for (int i = 1; i < started && st == REN_OK; i++)
        st = same_experts(workers[0].expert, workers[i].expert);
    for (int i = 0; i < started; i++)
        ren_expert_free(workers[i].expert);
    return st;
}

TEST_MAIN(CASE_ONCE(test_the_expert_is_ready), CASE_ONCE(test_it_is_the_loop_of_studies),
          CASE_SAMPLED(test_memory_may_run_out), CASE_ONCE(test_stopped_runs_end_in_the_same_bits),
          CASE_ONCE(test_a_folder_is_one_trainings), CASE_SAMPLED(test_settings_are_checked),
          CASE_SAMPLED(test_lists_are_checked), CASE_SAMPLED(test_arguments_are_checked),
          CASE_ONCE(test_threads_train_at_once))
