/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer on a small separable problem: it learns, and however it is interrupted it ends in the same bits. */
#include "train/trainer.h"

#include <unistd.h>

#include "format/csv.h"
#include "format/document.h"
#include "graph/weights.h"
#include "train/checkpoint.h"
#include "train_cohort.h"

enum { SCANS = 22, TRAINING = 14, VALIDATION = 8 };

static cohort people;

/* Of patients p0 to p6 for training, p7 to p10 for validation. */
static const int32_t training[TRAINING] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };
static const int32_t validation[VALIDATION] = { 14, 15, 16, 17, 18, 19, 20, 21 };

typedef struct problem {
    ren_dataset *dataset;
    json_t *network;
    ren__train_settings settings;
    ren__train_task task;
} problem;

static void free_problem(problem *p) {
    ren_dataset_free(p->dataset);
    json_decref(p->network);
}

static const char *fresh_folder(char path[TEST_PATH]) {
    static int made;
    char name[32];

    snprintf(name, sizeof name, "job%d", made++);
    test_file(path, name);
    mkdir(path, 0777);
    return path;
}

/* Learns fast: 16^3 cells, large steps, little noise. */
static ren_status make_problem(ren_context *context, int64_t epochs, const char *folder, problem *p) {
    static const char entry[] = "{\"name\": \"small\", \"arch\": \"cnn\", \"lr\": 1e-3, \"dropout\": 0.1,"
                                "\"input_size\": [16, 16, 16]}";
    ren_status st = REN_OK;
    const ren_preset preset = cohort_preset();
    char cache[TEST_PATH];
    json_t *tree = NULL;

    REN_TRY(cohort_make(context, SCANS, 0, &people));
    REN_TRY(cohort_dataset(context, test_file(cache, "cache"), &preset, people.item, SCANS, 0, &p->dataset));
    REN_TRY(ren__json_parse(entry, strlen(entry), "entry", &tree));
    REN_TRY(ren__train_settings_read(tree, ren__net_find("cnn"), "experts[0]", &p->settings, &p->network));
    p->settings.epochs = epochs;
    p->task = (ren__train_task){ .net = ren__net_find("cnn"),
                                 .network = p->network,
                                 .settings = &p->settings,
                                 .dataset = p->dataset,
                                 .region = REN_REGION_LLL,
                                 .training = training,
                                 .validation = validation,
                                 .training_count = TRAINING,
                                 .validation_count = VALIDATION,
                                 .seed = 5,
                                 .folder = folder,
                                 .checkpoint_seconds = -1.0 };
out:
    json_decref(tree);
    return st;
}

static ren_status same_weights(const ren__weights *a, const ren__weights *b) {
    ren_status st = REN_OK;

    CHECK_INT(ren__weights_count(a), ren__weights_count(b));
    for (int32_t i = 0; i < ren__weights_count(a); i++)
        CHECK(memcmp(ren__weights_read(a, i), ren__weights_read(b, i), ren__weights_elements(a, i) * sizeof(float)) ==
              0);
out:
    return st;
}

static ren_status same_files(ren_context *context, const char *a, const char *b, const char *name) {
    ren_status st = REN_OK;
    char path[TEST_PATH + 64], *first = NULL, *second = NULL;
    size_t first_size, second_size;

    snprintf(path, sizeof path, "%s/%s", a, name);
    REN_TRY(ren__file_read(context, path, 1 << 28, &first, &first_size));
    snprintf(path, sizeof path, "%s/%s", b, name);
    REN_TRY(ren__file_read(context, path, 1 << 28, &second, &second_size));
    CHECK(first_size == second_size && memcmp(first, second, first_size) == 0);
out:
    ren__free(first);
    ren__free(second);
    return st;
}

static ren_status test_it_learns(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome outcome = { 0 };
    ren__csv *history = NULL;
    char folder[TEST_PATH], path[TEST_PATH + 64];
    double first, last;

    REN_TRY(make_problem(context, 10, fresh_folder(folder), &p));
    p.settings.augmentation = (ren__augment_options){ 0 }; /* so that the loss is of the same samples each time */
    REN_TRY(ren__train(context, &p.task, NULL, &outcome));
    CHECK_INT(outcome.epochs, 10);
    CHECK_INT(outcome.training_samples, TRAINING);
    CHECK_INT(outcome.validation_samples, VALIDATION);
    CHECK_INT(outcome.training_empty, 0);
    CHECK(outcome.best_epoch >= 1 && outcome.best_epoch <= 10);
    CHECK(outcome.validation_auc > 0.99);

    snprintf(path, sizeof path, "%s/%s", folder, REN__HISTORY_FILE);
    REN_TRY(ren__csv_read(context, path, &history));
    CHECK_INT(ren__csv_rows(history), 10);
    const int32_t column = ren__csv_column(history, "train_loss");
    CHECK(ren__parse_number(ren__csv_get(history, 0, column), &first));
    CHECK(ren__parse_number(ren__csv_get(history, 9, column), &last));
    CHECK(last < 0.7 * first);
out:
    ren__csv_free(history);
    ren__train_outcome_end(&outcome);
    free_problem(&p);
    return st;
}

/* Small enough to be run with many an allocation failing. */
static ren_status test_memory_may_run_out(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome outcome = { 0 };
    char folder[TEST_PATH];

    REN_TRY(make_problem(context, 1, fresh_folder(folder), &p));
    p.task.training_count = 8;
    p.task.validation_count = 4;
    REN_TRY(ren__train(context, &p.task, NULL, &outcome));
    CHECK_INT(outcome.epochs, 1);
out:
    ren__train_outcome_end(&outcome);
    free_problem(&p);
    return st;
}

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

static ren_status train_until(ren_context *context, const ren__train_task *task, double from, ren__train_outcome *out) {
    stopper s = { .from = from };
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren__run run;

    options.progress = watch;
    options.cancel = cancel;
    options.user = &s;
    ren_status st = ren__run_begin(&run, context, &options);
    if (st != REN_OK) return st;
    return ren__run_end(&run, ren__train(context, task, &run, out));
}

/* Straight through; and in three calls, the first two cancelled in the middle of an epoch. */
static ren_status interrupted(ren_context *context, ren__optimiser_kind kind) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome straight = { 0 }, resumed = { 0 };
    char one[TEST_PATH], two[TEST_PATH];

    REN_TRY(make_problem(context, 6, fresh_folder(one), &p));
    p.settings.optimiser.kind = kind;
    REN_TRY(ren__train(context, &p.task, NULL, &straight));
    p.task.folder = fresh_folder(two);
    CHECK_FAILS(train_until(context, &p.task, 0.25, &resumed), REN_E_CANCELLED, NULL);
    CHECK(access(two, F_OK) == 0 && !resumed.weights);
    CHECK_FAILS(train_until(context, &p.task, 0.6, &resumed), REN_E_CANCELLED, NULL);
    REN_TRY(ren__train(context, &p.task, NULL, &resumed));
    CHECK_INT(resumed.epochs, 6);
    CHECK_INT(resumed.best_epoch, straight.best_epoch);
    CHECK(resumed.validation_auc == straight.validation_auc && resumed.validation_loss == straight.validation_loss);
    REN_TRY(same_weights(straight.weights, resumed.weights));
    REN_TRY(same_files(context, one, two, REN__CHECKPOINT_FILE));
    REN_TRY(same_files(context, one, two, REN__HISTORY_FILE));
out:
    ren__train_outcome_end(&straight);
    ren__train_outcome_end(&resumed);
    free_problem(&p);
    return st;
}

static ren_status test_interrupted_training_ends_in_the_same_bits(ren_context *context) {
    return interrupted(context, REN__ADAMW);
}

static ren_status test_interrupted_sgd_ends_in_the_same_bits(ren_context *context) {
    return interrupted(context, REN__SGD);
}

/* When checkpoints are written, and whether at all, changes nothing; a finished training answers at once. */
static ren_status test_checkpoints_change_nothing(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome with = { 0 }, without = { 0 }, again = { 0 };
    char folder[TEST_PATH];

    REN_TRY(make_problem(context, 3, fresh_folder(folder), &p));
    REN_TRY(ren__train(context, &p.task, NULL, &with));
    p.task.folder = NULL;
    REN_TRY(ren__train(context, &p.task, NULL, &without));
    REN_TRY(same_weights(with.weights, without.weights));
    p.task.folder = folder;
    REN_TRY(ren__train(context, &p.task, NULL, &again));
    CHECK_INT(again.epochs, 3);
    REN_TRY(same_weights(with.weights, again.weights));
out:
    ren__train_outcome_end(&with);
    ren__train_outcome_end(&without);
    ren__train_outcome_end(&again);
    free_problem(&p);
    return st;
}

static ren_status test_one_thread_gives_the_same_bits(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 }, q = { 0 };
    ren_context *contexts[2] = { NULL, NULL };
    ren__train_outcome two = { 0 }, one = { 0 };
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;

    (void)context;
    test_allocator(&options);
    options.deterministic = 1;
    for (int32_t k = 0; k < 2; k++) {
        options.threads = k + 1;
        REN_TRY(ren_context_create(&options, &contexts[k]));
    }
    REN_TRY(make_problem(contexts[0], 2, NULL, &p));
    REN_TRY(ren__train(contexts[0], &p.task, NULL, &one));
    REN_TRY(make_problem(contexts[1], 2, NULL, &q));
    REN_TRY(ren__train(contexts[1], &q.task, NULL, &two));
    REN_TRY(same_weights(one.weights, two.weights));
out:
    ren__train_outcome_end(&one);
    ren__train_outcome_end(&two);
    free_problem(&p);
    free_problem(&q);
    for (int k = 0; k < 2; k++)
        ren_context_free(contexts[k]);
    return st;
}

static ren_status test_another_task_is_not_resumed(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome outcome = { 0 }, none = { 0 };
    char folder[TEST_PATH], path[TEST_PATH + 64];

    REN_TRY(make_problem(context, 1, fresh_folder(folder), &p));
    REN_TRY(ren__train(context, &p.task, NULL, &outcome));
    p.task.seed++;
    CHECK_FAILS(ren__train(context, &p.task, NULL, &none), REN_E_STATE, "another training");
    p.task.seed--;
    p.task.region = REN_REGION_RUL;
    CHECK_FAILS(ren__train(context, &p.task, NULL, &none), REN_E_STATE, "another training");
    p.task.region = REN_REGION_LLL;
    p.task.training_count--;
    CHECK_FAILS(ren__train(context, &p.task, NULL, &none), REN_E_STATE, "another training");
    p.task.training_count++;
    snprintf(path, sizeof path, "%s/%s", folder, REN__CHECKPOINT_FILE);
    CHECK(truncate(path, 5000) == 0);
    CHECK_FAILS(ren__train(context, &p.task, NULL, &none), REN_E_FORMAT, REN__CHECKPOINT_FILE);
    CHECK(!none.weights);
out:
    ren__train_outcome_end(&outcome);
    free_problem(&p);
    return st;
}

static ren_status test_what_cannot_be_trained_is_refused(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome none = { 0 };
    static const int32_t one_class[4] = { 0, 1, 4, 5 }, strange[2] = { 0, SCANS };

    REN_TRY(make_problem(context, 1, NULL, &p));
    p.task.training = one_class;
    p.task.training_count = 4;
    CHECK_FAILS(ren__train(context, &p.task, NULL, &none), REN_E_DATA, "training samples of LLL");
    p.task.training = training;
    p.task.validation = one_class;
    p.task.validation_count = 4;
    CHECK_FAILS(ren__train(context, &p.task, NULL, &none), REN_E_DATA, "validation samples of LLL");
    p.task.validation = strange;
    p.task.validation_count = 2;
    CHECK_FAILS(ren__train(context, &p.task, NULL, &none), REN_E_INVALID, "not in the data set");
    p.task.validation = validation;
    p.task.validation_count = VALIDATION;
    REN_TRY(json_object_del(p.network, "input_size") == 0 ? REN_OK : REN_E_MEMORY); /* 96^3 by default */
    CHECK_FAILS(ren__train(context, &p.task, NULL, &none), REN_E_INVALID, "input_size");
out:
    free_problem(&p);
    return st;
}

/* 13 samples in batches of 4: the last one is alone and left out. A batch of 5 leaves three. */
static ren_status test_a_single_last_sample_is_left_out(ren_context *context) {
    ren_status st = REN_OK;
    problem p = { 0 };
    ren__train_outcome outcome = { 0 };

    REN_TRY(make_problem(context, 1, NULL, &p));
    p.task.training_count = 13;
    REN_TRY(ren__train(context, &p.task, NULL, &outcome));
    CHECK_INT(outcome.training_samples, 13);
    ren__train_outcome_end(&outcome);
    p.settings.batch = 5;
    REN_TRY(ren__train(context, &p.task, NULL, &outcome));
    ren__train_outcome_end(&outcome);
    p.settings.batch = 1;
    CHECK_FAILS(ren__train(context, &p.task, NULL, &outcome), REN_E_INVALID, "more than one value");
out:
    ren__train_outcome_end(&outcome);
    free_problem(&p);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ settings */

static ren_status read_settings(const char *entry, ren__train_settings *settings, json_t **network) {
    ren_status st = REN_OK;
    json_t *tree = NULL;

    REN_TRY(ren__json_parse(entry, strlen(entry), "entry", &tree));
    REN_TRY(ren__train_settings_read(tree, ren__net_find("cnn"), "experts[0]", settings, network));
out:
    json_decref(tree);
    return st;
}

static ren_status test_settings_default_to_the_published(ren_context *context) {
    ren_status st = REN_OK;
    ren__train_settings s;
    json_t *network = NULL;

    (void)context;
    REN_TRY(read_settings("{\"name\": \"x\", \"arch\": \"cnn\"}", &s, &network));
    CHECK(s.epochs == 100 && s.batch == 4 && s.smoothing == 0.05 && s.balanced == 1);
    CHECK(s.optimiser.kind == REN__ADAMW && s.optimiser.weight_decay == 1e-4 && s.optimiser.clip == 1.0);
    CHECK(s.schedule.kind == REN__SCHEDULE_PLATEAU && s.schedule.rate == 1e-4 && s.schedule.factor == 0.5);
    CHECK(s.schedule.patience == 5 && s.schedule.threshold == 1e-4);
    CHECK(s.stops_early && s.early_stop.patience == 15 && s.early_stop.start == 16 && s.early_stop.gap == 0.15);
    CHECK(s.augmentation.rotation == 0.1 && s.augmentation.rotation_probability == 0.3);
    CHECK(s.augmentation.shift == 5.0 && s.augmentation.affine_probability == 0.2);
    CHECK_INT(json_object_size(network), 1);
    CHECK_NEAR(json_number_value(json_object_get(network, "dropout")), 0.5, 0.0);
out:
    json_decref(network);
    return st;
}

static ren_status test_settings_are_laid_over(ren_context *context) {
    ren_status st = REN_OK;
    ren__train_settings s, t;
    json_t *network = NULL, *written = NULL;
    ren_text *text = NULL;

    REN_TRY(read_settings("{\"epochs\": 7, \"optimiser\": \"sgd\", \"momentum\": 0.8, \"schedule\": \"cosine\","
                          "\"early_stopping\": {\"patience\": 3}, \"augmentation\": false, \"dropout\": 0.2,"
                          "\"class_weights\": \"none\", \"input_size\": [32, 32, 32]}",
                          &s, &network));
    CHECK(s.epochs == 7 && s.optimiser.kind == REN__SGD && s.optimiser.momentum == 0.8 && !s.balanced);
    CHECK(s.schedule.kind == REN__SCHEDULE_COSINE && s.schedule.length == 7);
    CHECK(s.early_stop.patience == 3 && s.early_stop.delta == 0.001); /* the rest is the network's */
    CHECK(s.augmentation.rotation_probability == 0.0 && s.augmentation.noise_probability == 0.0);
    CHECK_INT(json_object_size(network), 2);
    written = ren__train_settings_json(&s); /* what is written reads back the same */
    REN_TRY(written ? REN_OK : REN_E_MEMORY);
    REN_TRY(ren__json_write(context, written, 0, &text));
    json_decref(network);
    network = NULL;
    REN_TRY(read_settings(ren_text_data(text), &t, &network));
    CHECK(t.schedule.kind == s.schedule.kind && t.schedule.length == 7 && t.optimiser.momentum == 0.8);
    CHECK(t.stops_early == 1 && t.early_stop.patience == 3 && t.balanced == 0);
    CHECK(t.augmentation.rotation_probability == 0.0);
    json_decref(network);
    network = NULL;
    REN_TRY(read_settings("{\"schedule\": {\"patience\": 2}, \"early_stopping\": false}", &t, &network));
    CHECK(t.schedule.kind == REN__SCHEDULE_PLATEAU && t.schedule.patience == 2 && t.schedule.factor == 0.5);
    CHECK(!t.stops_early);
out:
    ren_text_free(text);
    json_decref(written);
    json_decref(network);
    return st;
}

static ren_status test_settings_that_make_no_sense_are_named(ren_context *context) {
    static const char *const entries[][2] = {
        { "{\"lr\": 0}", "\"lr\"" },
        { "{\"epochs\": 0}", "\"epochs\"" },
        { "{\"batch\": \"four\"}", "\"batch\"" },
        { "{\"optimiser\": \"adam\"}", "adamw, sgd" },
        { "{\"momentum\": 0.5}", "\"momentum\"" },
        { "{\"schedule\": \"step\"}", "experts[0].schedule" },
        { "{\"schedule\": {\"kind\": \"cosine\", \"factor\": 0.5}}", "factor" },
        { "{\"schedule\": {\"kind\": \"cosine\", \"min_lr\": 1}}", "\"min_lr\"" },
        { "{\"early_stopping\": true}", "\"early_stopping\"" },
        { "{\"early_stopping\": {\"gap\": 1}}", "gap" },
        { "{\"augmentation\": {\"probabilities\": [0.1, 2, 0]}}", "\"probabilities\"" },
        { "{\"augmentation\": {\"rotation\": -1}}", "\"rotation\"" },
        { "{\"class_weights\": \"all\"}", "none, balanced" },
    };
    ren_status st = REN_OK;
    ren__train_settings s;
    json_t *network = NULL;

    (void)context;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        CHECK_FAILS(read_settings(entries[i][0], &s, &network), REN_E_FORMAT, entries[i][1]);
out:
    json_decref(network);
    return st;
}

TEST_MAIN(CASE_ONCE(test_it_learns), CASE_SAMPLED(test_memory_may_run_out),
          CASE_ONCE(test_interrupted_training_ends_in_the_same_bits),
          CASE_ONCE(test_interrupted_sgd_ends_in_the_same_bits), CASE_ONCE(test_checkpoints_change_nothing),
          CASE_ONCE(test_one_thread_gives_the_same_bits), CASE_ONCE(test_another_task_is_not_resumed),
          CASE_ONCE(test_what_cannot_be_trained_is_refused), CASE_ONCE(test_a_single_last_sample_is_left_out),
          CASE(test_settings_default_to_the_published), CASE(test_settings_are_laid_over),
          CASE(test_settings_that_make_no_sense_are_named))
