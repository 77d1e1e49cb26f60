/* SPDX-License-Identifier: Apache-2.0 */
/* Studies on a tiny synthetic cohort: from the configuration to the evaluation, in one go, in pieces, and killed. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "moe/moe.h"
#include "ren_tools.h"
#include "train/study.h"
#include "train/study_files.h"

enum { PATIENTS = 10, JOBS = 6 };

static const char settings[] = "data: {root: %s, preset: {size: [16, 16, 16]}}\nsplit: {folds: 2, validation: 0.4}\n"
                               "regions: 2\nexperts:\n- {name: cnn, arch: cnn, epochs: %d}\n"
                               "gates:\n- {name: auc, source: validation_auc, normalisation: hierarchical}\n"
                               "mixtures:\n- {name: ren, experts: cnn, gate: auc}\n"
                               "compare: {primary: [ren, cnn.left_lung]}\n";

/* The cohort, made once for all cases, and a configuration beside it. */
static ren_status prepare(ren_context *context, int epochs, const char *name, char config[TEST_PATH]) {
    ren_status st = REN_OK;
    ren_phantom_options options;
    char cohort[TEST_PATH], table[TEST_PATH + 16], text[2 * TEST_PATH] = "study: test\nseed: 5\n";

    test_file(cohort, "cohort");
    test_file(config, name);
    snprintf(table, sizeof table, "%s/labels.csv", cohort);
    if (!ren__path_exists(table)) {
        REN_TRY(ren_phantom_options_init(&options, sizeof options));
        options.patients = PATIENTS;
        options.scans = 2;
        options.size = 32;
        options.seed = 11;
        REN_TRY(ren_phantom_write(context, &options, cohort, NULL));
    }
    const size_t head = strlen(text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text + head, sizeof text - head, settings, cohort, epochs);
#pragma GCC diagnostic pop
    st = ren__file_write(config, text, strlen(text));
out:
    return st;
}

/* Not 0 where both run folders have this file with the same bytes. */
static int same_file(ren_context *context, const char *a, const char *b, const char *name) {
    char *path[2] = { ren__path_join(context, a, "%s", name), ren__path_join(context, b, "%s", name) };
    char *bytes[2] = { NULL, NULL };
    size_t size[2] = { 0, 0 };
    int same = path[0] && path[1];

    for (int i = 0; i < 2 && same; i++)
        same = ren__file_read(context, path[i], 1 << 30, &bytes[i], &size[i]) == REN_OK;
    same = same && size[0] > 0 && size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0;
    for (int i = 0; i < 2; i++) {
        ren__free(bytes[i]);
        ren__free(path[i]);
    }
    return same;
}

/* Everything that a study leaves behind but its log, its settings' paths and the history's seconds. */
static const char *const results[] = {
    "split.json",
    "jobs/fold0.cnn.left_lung/model.safetensors",
    "jobs/fold0.cnn.right_lung/done.json",
    "jobs/fold1.cnn.left_lung/validation.csv",
    "jobs/fold1.cnn.right_lung/model.safetensors",
    "jobs/fold1.ren/model.safetensors",
    "jobs/fold0.ren/done.json",
    "predictions/ren.csv",
    "predictions/cnn.left_lung.csv",
    "models/ren.safetensors",
};

static ren_status expect_same(ren_context *context, const char *a, const char *b) {
    ren_status st = REN_OK;

    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (!same_file(context, a, b, results[i])) return test_fail(__FILE__, __LINE__, "%s differs", results[i]);
    return st;
}

static ren_status run_whole(ren_context *context, const char *config, const char *folder) {
    ren_study *study = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_study_open(context, config, folder, 1, &study));
    REN_TRY(ren_study_run(study, NULL));
out:
    ren_study_free(study);
    return st;
}

/* A process that is killed knows nothing of it. First of the cases: a child has no pool once its parent had one. */
static ren_status test_killed_at_any_moment(ren_context *unused) {
    ren_status st = REN_OK;
    ren_context *context = NULL;
    ren_context_options options;
    char config[TEST_PATH], whole[TEST_PATH], pieces[TEST_PATH];
    int status = -1, killed = 0;

    (void)unused;
    REN_TRY(ren_context_options_init(&options, sizeof options));
    test_allocator(&options);
    options.threads = 1;
    options.seed = 1;
    REN_TRY(ren_context_create(&options, &context));
    REN_TRY(prepare(context, 2, "kill.yaml", config));
    REN_TRY(run_whole(context, config, test_file(whole, "kill_whole")));
    test_file(pieces, "kill_pieces");
    for (int round = 0; status != 0 && round < 100; round++) {
        const pid_t child = fork();
        if (child == 0) _exit(run_whole(context, config, pieces) == REN_OK ? 0 : 1);
        CHECK(child > 0);
        usleep((useconds_t)(40000 << (round / 2)));
        kill(child, SIGKILL);
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(!WIFEXITED(status) || WEXITSTATUS(status) == 0);
        killed += WIFSIGNALED(status);
    }
    CHECK_INT(status, 0);
    CHECK(killed > 0);
    REN_TRY(expect_same(context, whole, pieces));
out:
    ren_context_free(context);
    return st;
}

static ren_status test_jobs_and_needs(ren_context *context) {
    static const char *const ids[JOBS] = { "fold0.cnn.left_lung", "fold0.cnn.right_lung", "fold0.ren",
                                           "fold1.cnn.left_lung", "fold1.cnn.right_lung", "fold1.ren" };
    ren_status st = REN_OK;
    ren_study *study = NULL;
    ren_text *json = NULL;
    char config[TEST_PATH], folder[TEST_PATH];

    REN_TRY(prepare(context, 1, "jobs.yaml", config));
    REN_TRY(ren_study_open(context, config, test_file(folder, "jobs_run"), 0, &study));
    CHECK_INT(ren_study_job_count(study), JOBS);
    for (int i = 0; i < JOBS; i++) {
        CHECK_TEXT(ren_study_job_id(study, i), ids[i]);
        CHECK_INT(ren_study_job_done(study, i), 0);
    }
    CHECK(ren_study_job_id(study, JOBS) == NULL);
    CHECK_FAILS(ren_study_run_job(study, "fold0.ren", NULL), REN_E_STATE,
                "fold0.ren needs the job fold0.cnn.left_lung, which is not done");
    CHECK_FAILS(ren_study_run_job(study, "fold2.ren", NULL), REN_E_NOT_FOUND, "no job \"fold2.ren\"");
    CHECK_FAILS(ren_study_evaluate(study, 0, NULL, &json), REN_E_STATE, "the evaluation needs the job");
    REN_TRY(ren_study_run_job(study, "fold0.cnn.left_lung", NULL));
    CHECK_INT(ren_study_job_done(study, 0), 1);
    REN_TRY(ren_study_run_job(study, "fold0.cnn.left_lung", NULL)); /* at once */
    CHECK_FAILS(ren_study_run_job(study, "fold0.ren", NULL), REN_E_STATE, "fold0.cnn.right_lung");
out:
    ren_text_free(json);
    ren_study_free(study);
    return st;
}

static ren_status test_folders_are_kept_apart(ren_context *context) {
    ren_status st = REN_OK;
    ren_study *study = NULL;
    char config[TEST_PATH], other[TEST_PATH], folder[TEST_PATH], missing[TEST_PATH];

    REN_TRY(prepare(context, 1, "one.yaml", config));
    REN_TRY(prepare(context, 2, "other.yaml", other));
    test_file(folder, "apart");
    test_file(missing, "not_there");
    REN_TRY(ren_study_open(context, config, folder, 0, &study));
    ren_study_free(study);
    study = NULL;
    CHECK_FAILS(ren_study_open(context, config, folder, 0, &study), REN_E_STATE, "has been started");
    CHECK_FAILS(ren_study_open(context, other, folder, 1, &study), REN_E_STATE,
                "experts[0].epochs is 1 in the run folder and 2 in the configuration");
    CHECK_FAILS(ren_study_load(context, missing, &study), REN_E_IO, "no config.yaml");
    REN_TRY(ren_study_open(context, config, folder, 1, &study));
out:
    ren_study_free(study);
    return st;
}

static ren_status test_locks(ren_context *context) {
    ren_status st = REN_OK;
    char folder[TEST_PATH];
    int first = -1, second = -1;

    (void)context;
    REN_TRY(ren__folder_make(test_file(folder, "locked")));
    REN_TRY(ren__folder_lock(folder, 0.0, NULL, &first));
    CHECK_FAILS(ren__folder_lock(folder, 0.1, NULL, &second), REN_E_STATE, "another process is at work");
    CHECK_INT(second, -1);
    ren__folder_unlock(first);
    first = -1;
    REN_TRY(ren__folder_lock(folder, 0.0, NULL, &second));
out:
    ren__folder_unlock(first);
    ren__folder_unlock(second);
    return st;
}

typedef struct clock_of_cancel {
    int left;
} clock_of_cancel;

static int32_t cancel_after(void *user) {
    clock_of_cancel *counter = user;

    return --counter->left < 0;
}

/* In one go; and job by job, in another order, each cancelled a few times, by a library that is loaded anew. */
static ren_status test_pieces_give_the_same_bytes(ren_context *context) {
    static const char *const order[JOBS] = { "fold1.cnn.right_lung", "fold0.cnn.left_lung",
                                             "fold0.cnn.right_lung", "fold0.ren",
                                             "fold1.cnn.left_lung",  "fold1.ren" };
    ren_status st = REN_OK;
    ren_study *study = NULL;
    char config[TEST_PATH], whole[TEST_PATH], pieces[TEST_PATH];

    REN_TRY(prepare(context, 2, "pieces.yaml", config));
    REN_TRY(run_whole(context, config, test_file(whole, "whole")));
    test_file(pieces, "pieces");
    for (int i = 0; i < JOBS; i++) {
        for (int patience = 1;; patience *= 8) {
            clock_of_cancel counter = { patience };
            ren_run_options run = REN_RUN_OPTIONS_INIT;
            run.cancel = cancel_after;
            run.user = &counter;
            REN_TRY(ren_study_open(context, config, pieces, 1, &study));
            st = ren_study_run_job(study, order[i], &run);
            ren_study_free(study);
            study = NULL;
            if (st == REN_OK) break;
            if (st != REN_E_CANCELLED) goto out;
        }
    }
    REN_TRY(expect_same(context, whole, pieces));
out:
    ren_study_free(study);
    return st;
}

static ren_status check_evaluation(const ren_text *json, int number) {
    ren_status st = REN_OK;
    json_t *tree = NULL;

    REN_TRY(ren__json_parse(ren_text_data(json), ren_text_size(json), "evaluation", &tree));
    CHECK_INT(json_integer_value(json_object_get(tree, "evaluations")), number);
    CHECK_INT(json_integer_value(json_object_get(tree, "tested_patients")), PATIENTS);
    CHECK_INT(json_array_size(json_object_get(tree, "models")), 3);
out:
    json_decref(tree);
    return st;
}

static ren_status test_evaluation_is_stored(ren_context *context) {
    ren_status st = REN_OK;
    ren_study *study = NULL;
    ren_text *first = NULL, *stored = NULL, *again = NULL;
    char config[TEST_PATH], folder[TEST_PATH];

    REN_TRY(prepare(context, 1, "evaluate.yaml", config));
    REN_TRY(run_whole(context, config, test_file(folder, "evaluated")));
    REN_TRY(ren_study_load(context, folder, &study));
    REN_TRY(ren_study_evaluate(study, 0, NULL, &first));
    REN_TRY(check_evaluation(first, 1));
    ren_study_free(study);
    study = NULL;
    REN_TRY(ren_study_load(context, folder, &study));
    REN_TRY(ren_study_evaluate(study, 0, NULL, &stored));
    CHECK_TEXT(ren_text_data(stored), ren_text_data(first));
    REN_TRY(ren_study_evaluate(study, 1, NULL, &again));
    REN_TRY(check_evaluation(again, 2));
out:
    ren_text_free(first);
    ren_text_free(stored);
    ren_text_free(again);
    ren_study_free(study);
    return st;
}

/* The model that is kept says about a test scan what evaluation has said. */
static ren_status test_model_agrees_with_evaluation(ren_context *context) {
    ren_status st = REN_OK;
    ren_study *study = NULL;
    ren_mixture *mixture = NULL;
    ren_result *result = NULL;
    ren_scan *scan = NULL;
    ren_text *json = NULL;
    ren__predictions rows = { .context = context };
    json_t *record = NULL;
    char config[TEST_PATH], folder[TEST_PATH], path[TEST_PATH + 64];
    int compared = 0;

    REN_TRY(prepare(context, 1, "evaluate.yaml", config));
    REN_TRY(run_whole(context, config, test_file(folder, "evaluated")));
    snprintf(path, sizeof path, "%s/models/ren.safetensors", folder);
    REN_TRY(ren_mixture_load(context, path, &mixture));
    REN_TRY(ren_model_describe(context, path, &json));
    REN_TRY(ren__json_parse(ren_text_data(json), ren_text_size(json), "card", &record));
    const json_t *fold = json_object_get(json_object_get(record, "training_record"), "fold");
    CHECK(json_is_integer(fold));
    REN_TRY(ren_study_load(context, folder, &study));
    REN_TRY(ren__study_need_data(study));
    snprintf(path, sizeof path, "%s/jobs/fold%d.ren/validation.csv", folder, (int)json_integer_value(fold));
    REN_TRY(ren__predictions_read(&rows, study->cohort, path));
    for (int32_t i = 0; i < rows.count; i++, compared++) {
        REN_TRY(ren__dataset_scan(study->dataset, rows.item[i].scan, NULL, &scan));
        REN_TRY(ren__mixture_predict_scan(mixture, scan, NULL, &result));
        CHECK_NEAR(ren_result_probability(result, 1), rows.item[i].probability, 1e-15);
        ren_result_free(result);
        result = NULL;
        ren_scan_free(scan);
        scan = NULL;
    }
    CHECK(compared > 1);
out:
    json_decref(record);
    ren_text_free(json);
    ren__predictions_free(&rows);
    ren_scan_free(scan);
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_study_free(study);
    return st;
}

static ren_status test_failing_allocations(ren_context *context) {
    ren_status st = REN_OK;
    ren_study *study = NULL;
    char config[TEST_PATH], folder[TEST_PATH], name[32];
    static int round;

    snprintf(name, sizeof name, "failing%d", round++);
    REN_TRY(prepare(context, 1, "failing.yaml", config));
    REN_TRY(ren_study_open(context, config, test_file(folder, name), 0, &study));
    REN_TRY(ren_study_run_job(study, "fold0.cnn.left_lung", NULL));
    REN_TRY(ren_study_run_job(study, "fold0.cnn.right_lung", NULL));
    REN_TRY(ren_study_run_job(study, "fold0.ren", NULL));
out:
    ren_study_free(study);
    return st;
}

TEST_MAIN(CASE_ONCE(test_killed_at_any_moment), CASE_ONCE(test_jobs_and_needs), CASE_ONCE(test_folders_are_kept_apart),
          CASE(test_locks), CASE_ONCE(test_pieces_give_the_same_bytes), CASE_ONCE(test_evaluation_is_stored),
          CASE_ONCE(test_model_agrees_with_evaluation), CASE_SAMPLED(test_failing_allocations))
