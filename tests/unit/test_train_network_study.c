/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures that are one network in a study: from the configuration to a model file that predicts, whole and resumed. */
#include "harness.h"
#include "moe/moe.h"
#include "ren_tools.h"
#include "train/study.h"
#include "train/study_files.h"

enum { PATIENTS = 10 };

/* clang-format off */
static const char settings[] =
    "data: {root: %s, preset: {size: [16, 16, 16]}}\nsplit: {folds: 2, validation: 0.4}\nregions: 5\n"
    "experts:\n- {name: cnn, arch: cnn, epochs: 1}\ngates:\n- {name: even, source: uniform}\nmixtures:\n"
    "- {name: net, arch: gating_mamba, gate: even, mode: learned, epochs: 2, batch: 4, d_model: 8, d_state: 4,"
    " expert_feature_dim: 8, lr: 1.0e-3}\n"
    "- {name: joined, arch: general_moe, experts: cnn, epochs: 3, batch: 4}\n";
/* clang-format on */

/* The cohort, made once for all cases, and a configuration beside it. */
static ren_status prepare(ren_context *context, char config[TEST_PATH]) {
    ren_status st = REN_OK;
    ren_phantom_options options;
    char cohort[TEST_PATH], table[TEST_PATH + 16], text[2 * TEST_PATH] = "study: test\nseed: 5\n";

    test_file(cohort, "cohort");
    test_file(config, "net.yaml");
    snprintf(table, sizeof table, "%s/labels.csv", cohort);
    if (!ren__path_exists(table)) {
        REN_TRY(ren_phantom_options_init(&options, sizeof options));
        options.patients = PATIENTS;
        options.scans = 1;
        options.size = 32;
        options.seed = 11;
        REN_TRY(ren_phantom_write(context, &options, cohort, NULL));
    }
    const size_t head = strlen(text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text + head, sizeof text - head, settings, cohort);
#pragma GCC diagnostic pop
    st = ren__file_write(config, text, strlen(text));
out:
    return st;
}

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

/* Asks to stop once the training of the job has gone on for so long. */
typedef struct stopper {
    double from;
    int asked;
} stopper;

static void watch(void *user, const char *stage, double fraction) {
    stopper *s = user;

    (void)stage;
    if (fraction >= s->from) s->asked = 1;
}

static int32_t cancel(void *user) {
    return ((stopper *)user)->asked;
}

/* Some jobs alone; a network with a uniform gate needs no expert. */
static ren_status run_jobs(ren_context *context, const char *config, const char *folder, const char *const *jobs,
                           double stop) {
    ren_study *study = NULL;
    stopper s = { .from = stop };
    ren_run_options options = REN_RUN_OPTIONS_INIT;
    ren_status st = REN_OK;

    options.progress = watch;
    options.cancel = cancel;
    options.user = &s;
    REN_TRY(ren_study_open(context, config, folder, 1, &study));
    for (; *jobs; jobs++)
        REN_TRY(ren_study_run_job(study, *jobs, &options));
out:
    ren_study_free(study);
    return st;
}

static const char *const results[] = { "jobs/fold0.net/model.safetensors",
                                       "jobs/fold0.net/done.json",
                                       "jobs/fold0.net/validation.csv",
                                       "jobs/fold1.net/model.safetensors",
                                       "jobs/fold1.net/history.csv",
                                       "predictions/net.csv",
                                       "models/net.safetensors" };

/* A volume pair of the cohort, and what the study's model says of it. */
static ren_status predict(ren_context *context, const char *folder, double *probability) {
    ren_status st = REN_OK;
    ren_phantom_options options;
    ren_phantom_truth truth = { .struct_size = sizeof truth };
    ren_volume *ct = NULL, *lobes = NULL;
    ren_mixture *mixture = NULL;
    ren_result *result = NULL;
    char *path = ren__path_join(context, folder, "models/net.safetensors"), page[TEST_PATH];
    double sum = 0.0;

    CHECK_MEMORY(path);
    REN_TRY(ren_phantom_options_init(&options, sizeof options));
    options.size = 32;
    REN_TRY(ren_phantom_make(context, &options, 0, 0, NULL, &ct, &lobes, &truth));
    REN_TRY(ren_mixture_load(context, path, &mixture));
    CHECK_TEXT(mixture->name, "net");
    REN_TRY(ren_mixture_predict(mixture, ct, lobes, NULL, &result));
    *probability = ren_result_probability(result, 1);
    CHECK_INT(ren_result_region_count(result), 5);
    for (int32_t i = 0; i < 5; i++)
        sum += ren_result_region_weight(result, i);
    CHECK_NEAR(sum, 1.0, 1e-9);
    REN_TRY(ren_report_write(result, ct, lobes, test_file(page, "page.html"), NULL));
out:
    ren_result_free(result);
    ren_mixture_free(mixture);
    ren_volume_free(ct);
    ren_volume_free(lobes);
    ren__free(path);
    return st;
}

/* Whole; and stopped in the middle of a training, then gone on with: the same files, and a model that predicts. */
static ren_status test_from_configuration_to_prediction(ren_context *context) {
    static const char *const jobs[] = { "fold0.net", "fold1.net", NULL };
    ren_status st = REN_OK;
    char config[TEST_PATH], whole[TEST_PATH], pieces[TEST_PATH];
    double first, second;

    REN_TRY(prepare(context, config));
    REN_TRY(run_jobs(context, config, test_file(whole, "whole"), jobs, 2.0));
    CHECK_FAILS(run_jobs(context, config, test_file(pieces, "pieces"), jobs, 0.6), REN_E_CANCELLED, NULL);
    REN_TRY(run_jobs(context, config, pieces, jobs, 2.0));
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (!same_file(context, whole, pieces, results[i]))
            return test_fail(__FILE__, __LINE__, "%s differs", results[i]);
    REN_TRY(predict(context, whole, &first));
    REN_TRY(predict(context, pieces, &second));
    CHECK(first > 0.0 && first < 1.0 && first == second);
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------- general_moe */

static ren_status load_model(const ren_study *study, const char *job, ren_mixture **out) {
    char *path = ren__path_join(study->context, study->folder, "jobs/%s/model.safetensors", job);
    const ren_status st = path ? ren_mixture_load(study->context, path, out) : ren__out_of_memory();

    ren__free(path);
    return st;
}

/* What the whole's part for a region makes of the scan, against the fold's expert by itself. */
static ren_status check_features(const ren_study *study, const ren_scan *scan, int32_t region, const float *rows) {
    ren_status st = REN_OK;
    ren_mixture *alone = NULL;
    float features[64];
    ren__expert_outputs outputs = { .features = features };
    char job[64];

    snprintf(job, sizeof job, "fold0.cnn.%s", ren_region_name(region));
    REN_TRY(load_model(study, job, &alone));
    CHECK_INT(ren__expert_features(alone->expert[region]), 64);
    REN_TRY(ren__expert_run(alone->expert[region], NULL, scan, NULL, &outputs));
    for (int i = 0; i < 64; i++)
        CHECK_NEAR(rows[(size_t)region * 64 + (size_t)i], features[i], 1e-4);
out:
    ren_mixture_free(alone);
    return st;
}

/* The model of the fold: the experts' own features, and gates as the regions' weights. */
static ren_status check_whole(ren_study *study) {
    ren_status st = REN_OK;
    ren_mixture *mixture = NULL;
    ren__session *session = NULL;
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    double sum = 0.0;

    REN_TRY(load_model(study, "fold0.joined", &mixture));
    const ren_expert *whole = mixture->expert[REN_REGION_LUNGS];
    CHECK(whole != NULL && strcmp(whole->net->name, "general_moe") == 0);
    REN_TRY(ren__study_need_data(study));
    REN_TRY(ren__dataset_scan(study->dataset, 1, NULL, &scan));
    REN_TRY(ren__session_create(whole->graph, whole->weights, REN__INFER, &session));
    ren__scan_fill(scan, REN_REGION_LUNGS, NULL, ren__session_input(session, "x"));
    ren__scan_lobes(scan, ren__session_input(session, "lobes"));
    REN_TRY(ren__session_run(session, NULL));
    for (int32_t region = 0; region < 5; region++)
        REN_TRY(check_features(study, scan, region, ren__session_output(session, "expert_features")));
    REN_TRY(ren__mixture_predict_scan(mixture, scan, NULL, &result));
    CHECK_INT(ren_result_region_count(result), 5);
    for (int32_t i = 0; i < 5; i++)
        sum += ren_result_region_weight(result, i);
    CHECK_NEAR(sum, 1.0, 1e-9);
    CHECK(mixture->threshold > 0.0 && ren_result_probability(result, 1) > 0.0);
out:
    ren_result_free(result);
    ren__session_free(session);
    ren_scan_free(scan);
    ren_mixture_free(mixture);
    return st;
}

static ren_status test_general_moe_joins_finished_experts(ren_context *context) {
    static const char *const experts[] = { "fold0.cnn.LUL", "fold0.cnn.LLL", "fold0.cnn.RUL",
                                           "fold0.cnn.RML", "fold0.cnn.RLL", NULL };
    static const char *const head[] = { "fold0.joined", NULL };
    ren_status st = REN_OK;
    ren_study *study = NULL;
    char config[TEST_PATH], folder[TEST_PATH];

    REN_TRY(prepare(context, config));
    CHECK_FAILS(run_jobs(context, config, test_file(folder, "joined"), head, 2.0), REN_E_STATE, "fold0.cnn.LUL");
    REN_TRY(run_jobs(context, config, folder, experts, 2.0));
    CHECK_FAILS(run_jobs(context, config, folder, head, 0.7), REN_E_CANCELLED, NULL);
    REN_TRY(run_jobs(context, config, folder, head, 2.0));
    REN_TRY(ren_study_open(context, config, folder, 1, &study));
    REN_TRY(check_whole(study));
out:
    ren_study_free(study);
    return st;
}

TEST_MAIN(CASE_ONCE(test_from_configuration_to_prediction), CASE_ONCE(test_general_moe_joins_finished_experts))
