/* SPDX-License-Identifier: Apache-2.0 */
/* Gates of studies: what they read, what is fitted, and that model files say what the evaluation has said. */
#include "graph/op.h"
#include "moe/moe.h"
#include "study_fixture.h"
#include "train/gates_fit.h"
#include "train/jobs.h"

/* ------------------------------------------------------------------------------------------------------- figures */

/* Two features, one of which tells the labels apart: by hand. */
static ren_status test_separability(ren_context *context) {
    static const double value[] = { 0, 1, 2, 3, 4, 1, 6, 3 };
    static const int32_t label[] = { 0, 0, 1, 1 }, one[] = { 1, 1, 1, 1 };
    ren_status st = REN_OK;
    double got = -1.0;

    /* means (1, 2) and (5, 2), of all (3, 2): between 2 * 4 + 2 * 4; total 9 + 1 + 1 + 1 + 1 + 1 + 9 + 1 */
    REN_TRY(ren__separability(context, value, label, 4, 2, &got));
    CHECK_NEAR(got, 16.0 / 24.0, 1e-15);
    CHECK_FAILS(ren__separability(context, value, one, 4, 2, &got), REN_E_DATA, "one label only");
out:
    return st;
}

/* The loss that the logits shall minimise, written down anew. */
static double logits_loss(const ren__logits_task *task, const double *logit) {
    double loss = 0.0;

    for (int32_t scan = 0; scan < task->scans; scan++) {
        const double *p = task->probability + scan * REN_REGION_COUNT;
        double raw[REN_REGION_COUNT], sum[2] = { 0.0, 0.0 }, mixed = 0.0;
        for (int r = 0; r < REN_REGION_COUNT; r++) {
            raw[r] = task->base[r] > 0.0 && !isnan(p[r])
                         ? exp((log(task->base[r] + 1e-8) + logit[r]) / task->temperature)
                         : 0.0;
            sum[task->normalisation == REN_GATE_HIERARCHICAL && r >= REN_REGION_LEFT_LUNG] += raw[r];
        }
        for (int r = 0; r < REN_REGION_COUNT; r++) {
            const int group = task->normalisation == REN_GATE_HIERARCHICAL && r >= REN_REGION_LEFT_LUNG;
            const double share = sum[0] > 0.0 && sum[1] > 0.0 ? 0.5 : 1.0;
            if (raw[r] > 0.0) mixed += share * raw[r] / sum[group] * p[r];
        }
        loss -= log(task->label[scan] ? mixed : 1.0 - mixed);
    }
    for (int r = 0; r < REN_REGION_COUNT; r++)
        loss += 0.5 * task->l2 * logit[r] * logit[r];
    return loss;
}

/* No neighbour is better, in no direction; the region that is right gets more than the one that is wrong. */
static ren_status test_logits_are_least(ren_context *context) {
    static const int32_t label[] = { 0, 1, 0, 1, 1, 0 };
    double probability[6 * REN_REGION_COUNT], logit[REN_REGION_COUNT], moved[REN_REGION_COUNT];
    double base[REN_REGION_COUNT] = { 0.5, 0.9, 0.7, 0.0, 1.0, 0.6, 0.8 };
    ren_status st = REN_OK;

    (void)context;
    for (int i = 0; i < 6 * REN_REGION_COUNT; i++)
        probability[i] = 0.2 + 0.6 * ((i * 37 % 41) / 41.0);
    for (int scan = 0; scan < 6; scan++) {
        probability[scan * REN_REGION_COUNT] = label[scan] ? 0.9 : 0.1;     /* right */
        probability[scan * REN_REGION_COUNT + 1] = label[scan] ? 0.2 : 0.8; /* wrong */
        probability[scan * REN_REGION_COUNT + 2] = scan < 2 ? NAN : 0.5;    /* says nothing */
    }
    for (int hierarchical = 0; hierarchical < 2; hierarchical++) {
        const ren__logits_task task = { probability, label, 6, base, hierarchical, 0.7, 0.3 };
        ren__fit_logits(&task, logit);
        const double least = logits_loss(&task, logit);
        for (int r = 0; r < REN_REGION_COUNT; r++)
            for (int sign = -1; sign < 2; sign += 2) {
                memcpy(moved, logit, sizeof moved);
                moved[r] += sign * 1e-3;
                CHECK(logits_loss(&task, moved) > least - 1e-12);
            }
        CHECK(logit[0] > 0.0 && logit[1] < 0.0 && logit[0] > logit[2] && logit[2] > logit[1]);
        CHECK_NEAR(logit[3], 0.0, 0.0); /* takes no part */
    }
out:
    return st;
}

static ren_status test_logit_probability(ren_context *context) {
    ren_status st = REN_OK;

    (void)context;
    CHECK_NEAR(ren__logit_probability(0.0), 0.5, 0);
    CHECK_NEAR(ren__logit_probability(log(3.0)), 0.75, 1e-15);
    CHECK_NEAR(ren__logit_probability(-800.0), 0.0, 0);
    CHECK_NEAR(ren__logit_probability(800.0), 1.0, 0);
out:
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- jobs */

static const char *const stages[][2] = {
    { "radiomics.rad", "1" },      { "fold0.cnn.left_lung", "1" }, { "fold0.rad.right_lung", "2" },
    { "fold0.cnn.features", "2" }, { "fold0.m-auc", "2" },         { "fold0.m-rad", "3" },
    { "fold0.m-scan", "3" },       { "fold0.m-deep", "3" },        { "fold0.m-stack", "2" },
};

static int32_t find_job(const ren_study *study, const char *id) {
    for (int32_t i = 0; i < ren_study_job_count(study); i++)
        if (strcmp(ren_study_job_id(study, i), id) == 0) return i;
    return -1;
}

static ren_status test_stages_and_needs(ren_context *context) {
    char root[TEST_PATH], config[TEST_PATH], folder[TEST_PATH];
    ren_study *study = NULL;
    ren_status st = REN_OK;

    REN_TRY(study_cohort(context, root));
    REN_TRY(study_config(root, STUDY_GATES STUDY_MIXTURES, "stages.yaml", config));
    REN_TRY(ren_study_open(context, config, test_file(folder, "stages"), 1, &study));
    CHECK_INT(ren_study_job_count(study), 1 + 2 + 4 + 1 + 7);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        const int32_t job = find_job(study, stages[i][0]);
        CHECK(job >= 0);
        CHECK_INT(ren_study_job_stage(study, job), stages[i][1][0] - '0');
    }
    for (int32_t job = 0; job < ren_study_job_count(study); job++)
        for (int32_t k = 0, need; (need = ren_study_job_need(study, job, k)) >= 0; k++) {
            CHECK(need < job);
            CHECK(ren_study_job_stage(study, need) < ren_study_job_stage(study, job));
        }
    CHECK_INT(ren_study_job_need(study, find_job(study, "fold0.m-scan"), 2), find_job(study, "radiomics.rad"));
    CHECK_INT(ren_study_job_stage(study, 99), 0);
    CHECK_INT(ren_study_job_need(study, 99, 0), -1);
    CHECK_FAILS(ren_study_run_job(study, "fold0.rad.left_lung", NULL), REN_E_STATE, "needs the job radiomics.rad");
    CHECK_FAILS(ren_study_run_job(study, "fold0.cnn.features", NULL), REN_E_STATE, "fold0.cnn.left_lung");
    CHECK_FAILS(ren_study_run_job(study, "fold0.m-deep", NULL), REN_E_STATE, "fold0.cnn.left_lung");
out:
    ren_study_free(study);
    return st;
}

/* The table has what the extractor says of a scan, to the last bit. */
static ren_status check_table(const ren_study *study, int32_t scan) {
    static const char params[] = "featureClass: {firstorder: [], glcm: []}\n";
    ren_context *context = study->context;
    ren__region_table table = { 0 };
    ren_radiomics *radiomics = NULL;
    ren_volume *ct = NULL, *lobes = NULL;
    ren_features *features = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__radiomics_table_read(study, 3, ren__study_regions(study), "the test", &table));
    REN_TRY(ren_radiomics_create(context, REN_RADIOMICS_PYRADIOMICS, &radiomics));
    REN_TRY(ren_radiomics_parse_params(radiomics, params, strlen(params), "yaml"));
    REN_TRY(ren_volume_read(context, study->cohort->item[scan].image, &ct));
    REN_TRY(ren_volume_read(context, study->cohort->item[scan].lobes, &lobes));
    REN_TRY(ren_radiomics_extract_regions(radiomics, ct, lobes, NULL, &features));
    CHECK_INT(table.columns.count, ren_features_count(features));
    CHECK(table.value[REN_REGION_LUL] == NULL); /* no region of the study */
    const double *row = ren__region_row(&table, REN_REGION_RIGHT_LUNG, scan);
    CHECK(row != NULL);
    for (int32_t i = 0; i < table.columns.count; i++) {
        CHECK_TEXT(table.columns.name[i], ren_features_name(features, i));
        const double wanted = ren_features_value(features, REN_REGION_RIGHT_LUNG, i);
        CHECK(isnan(wanted) ? isnan(row[i]) : memcmp(&row[i], &wanted, sizeof wanted) == 0);
    }
out:
    ren_features_free(features);
    ren_volume_free(lobes);
    ren_volume_free(ct);
    ren_radiomics_free(radiomics);
    ren__region_table_end(&table);
    return st;
}

/* The regional predictor's validation predictions are those of its file on the table's rows. */
static ren_status check_predictor(const ren_study *study) {
    const ren__job *job = ren__job_find(study, 0, ren__study_predictor(study->config, 2, 0));
    ren__region_table table = { 0 };
    ren__predictor *predictor = NULL;
    ren__predictions rows = { .context = study->context };
    char *path = ren__job_path(study, job, REN__VALIDATION_FILE);
    ren_status st = REN_OK;

    CHECK_MEMORY(path);
    REN_TRY(ren__radiomics_table_read(study, 2, ren__study_regions(study), "the test", &table));
    REN_TRY(ren__regional_predictor_read(study, job, &table.columns, &predictor));
    REN_TRY(ren__predictions_read(&rows, study->cohort, path));
    CHECK(rows.count > 2);
    for (int32_t i = 0; i < rows.count; i++) {
        const double *row = ren__region_row(&table, REN_REGION_LEFT_LUNG, rows.item[i].scan);
        CHECK(row != NULL);
        CHECK_NEAR(rows.item[i].probability, ren__logit_probability(ren__predictor_logit(predictor, row)), 0);
    }
out:
    ren__predictions_free(&rows);
    ren__predictor_free(predictor);
    ren__region_table_end(&table);
    ren__free(path);
    return st;
}

/* The base weights that networks begin with: 0.1 + 3.8 (AUC - 0.5) of the predictors. */
static ren_status check_base(const ren_study *study) {
    double base[REN_REGION_COUNT], auc = 0.0;
    json_t *done = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__study_gate_base(study, 0, 2, -1, "the test", base));
    const ren__job *job = ren__job_find(study, 0, ren__study_predictor(study->config, 2, 1));
    REN_TRY(ren__job_record(study, job, "the test", &done));
    REN_TRY(ren__job_number(done, job, "validation", "auc", &auc));
    CHECK_NEAR(base[REN_REGION_RIGHT_LUNG], auc > 0.5 ? 0.1 + 3.8 * (auc - 0.5) : 0.1, 1e-12);
    CHECK_NEAR(base[REN_REGION_LUL], 0.0, 0.0);
    CHECK_FAILS(ren__study_gate_base(study, 0, 0, -1, "the test", base), REN_E_INVALID, "give it \"of\"");
out:
    json_decref(done);
    return st;
}

/* What ren_mixture_predict says of the volumes with the model that was kept, and what evaluation has stored. */
static ren_status check_model(const ren_study *study, const char *name) {
    ren_context *context = study->context;
    ren__predictions rows = { .context = context };
    ren_mixture *mixture = NULL;
    ren_volume *ct = NULL, *lobes = NULL;
    ren_result *result = NULL;
    char path[TEST_PATH + 64];
    int compared = 0;
    ren_status st = REN_OK;

    snprintf(path, sizeof path, "%s/models/%s.safetensors", study->folder, name);
    REN_TRY(ren_mixture_load(context, path, &mixture));
    snprintf(path, sizeof path, "%s/predictions/%s.csv", study->folder, name);
    REN_TRY(ren__predictions_read(&rows, study->cohort, path));
    for (int32_t i = 0; i < rows.count && compared < 3; i++) {
        const ren__prediction *item = &rows.item[i];
        if (item->set != REN__SET_TEST) continue;
        REN_TRY(ren_volume_read(context, study->cohort->item[item->scan].image, &ct));
        REN_TRY(ren_volume_read(context, study->cohort->item[item->scan].lobes, &lobes));
        REN_TRY(ren_mixture_predict(mixture, ct, lobes, NULL, &result));
        CHECK_NEAR(ren_result_probability(result, 1), item->probability, 1e-12);
        ren_result_free(result);
        ren_volume_free(lobes);
        ren_volume_free(ct);
        result = NULL;
        ct = lobes = NULL;
        compared++;
    }
    CHECK_INT(compared, 3);
out:
    ren_result_free(result);
    ren_volume_free(lobes);
    ren_volume_free(ct);
    ren_mixture_free(mixture);
    ren__predictions_free(&rows);
    return st;
}

static ren_status test_models_say_what_evaluation_said(ren_context *context) {
    char root[TEST_PATH], config[TEST_PATH], folder[TEST_PATH];
    ren_study *study = NULL;
    ren_text *json = NULL;
    ren_status st = REN_OK;

    REN_TRY(study_cohort(context, root));
    REN_TRY(study_config(root, STUDY_GATES STUDY_MIXTURES, "whole.yaml", config));
    REN_TRY(study_run(context, config, test_file(folder, "whole"), &study));
    REN_TRY(ren_study_evaluate(study, 0, NULL, &json));
    CHECK(strstr(ren_text_data(json), "\"rad.left_lung\"") && strstr(ren_text_data(json), "\"radiomics\""));
    REN_TRY(check_table(study, 3));
    REN_TRY(check_predictor(study));
    REN_TRY(check_base(study));
    for (int32_t i = 0; i < study->config->mixture_count; i++)
        REN_TRY(check_model(study, study->config->mixture[i].name));
out:
    ren_text_free(json);
    ren_study_free(study);
    return st;
}

/* Weights that depend on the scan do; and all of them say so in the predictions. */
static ren_status test_weights_of_scans(ren_context *context) {
    char root[TEST_PATH], config[TEST_PATH], folder[TEST_PATH], path[TEST_PATH + 64];
    ren_study *study = NULL;
    ren_status st = REN_OK;

    REN_TRY(study_cohort(context, root));
    REN_TRY(study_config(root, STUDY_GATES STUDY_MIXTURES, "weights.yaml", config));
    REN_TRY(study_run(context, config, test_file(folder, "weights"), &study));
    REN_TRY(ren__study_need_data(study));
    for (int32_t i = 0; i < study->config->mixture_count; i++) {
        ren__predictions rows = { .context = context };
        const int32_t gate = study->config->mixture[i].gate;
        double least = 2.0, most = -1.0, sum = 0.0;
        snprintf(path, sizeof path, "%s/predictions/%s.csv", folder, study->config->mixture[i].name);
        st = ren__predictions_read(&rows, study->cohort, path);
        for (int32_t k = 0; k < rows.count; k++) {
            const double weight = rows.item[k].weight[REN_REGION_LEFT_LUNG];
            least = weight < least ? weight : least;
            most = weight > most ? weight : most;
            sum += weight + rows.item[k].weight[REN_REGION_RIGHT_LUNG];
        }
        const int32_t count = rows.count;
        ren__predictions_free(&rows);
        if (st != REN_OK) goto out;
        CHECK(count > 2);
        CHECK_NEAR(sum, gate >= 0 ? count : 0.0, 1e-9);
        if (gate < 0 || study->config->gate[gate].mode == REN__GATE_FIXED)
            CHECK(!(most > least));
        else if (study->config->gate[gate].mode == REN__GATE_PER_SCAN)
            CHECK(most > least);
    }
out:
    ren_study_free(study);
    return st;
}

/* A lobe that was taken out is a row of its own kind; a scan that cannot be read ends the job with its name. */
static ren_status test_tables_of_bad_scans(ren_context *context) {
    char root[TEST_PATH], bad[TEST_PATH], config[TEST_PATH], folder[TEST_PATH], path[TEST_PATH + 32];
    ren_study *study = NULL;
    char *table = NULL, *rest;
    size_t size = 0;
    ren_text *text = NULL;
    ren_status st = REN_OK;

    REN_TRY(study_cohort(context, root));
    REN_TRY(ren__folder_make(test_file(bad, "bad")));
    snprintf(path, sizeof path, "%s/labels.csv", root);
    REN_TRY(ren__file_read(context, path, 1 << 20, &table, &size));
    REN_TRY(ren__text_create(context, &text));
    ren__text_add(text, "patient,scan,label,image,lobes\n");
    for (char *line = strtok_r(table, "\n", &rest); (line = strtok_r(NULL, "\n", &rest));) {
        char patient[64], scan[64];
        int label = 0;
        CHECK(sscanf(line, "%63[^,],%63[^,],%d", patient, scan, &label) == 3);
        ren__text_addf(text, "%s,%s,%d,%s/%s/%s.nii.gz,%s/%s/%s_lobes.nii.gz\n", patient, scan, label, root, patient,
                       text->size < 64 ? "missing" : scan, root, patient, scan);
    }
    REN_TRY(text->status);
    snprintf(path, sizeof path, "%s/labels.csv", bad);
    REN_TRY(ren__file_write(path, ren_text_data(text), ren_text_size(text)));
    REN_TRY(study_config(bad, STUDY_GATES, "bad.yaml", config));
    REN_TRY(ren_study_open(context, config, test_file(folder, "bad_run"), 1, &study));
    CHECK_FAILS(ren_study_run_job(study, "radiomics.rad", NULL), REN_E_DATA, "missing.nii.gz");
    CHECK(strstr(ren_error_message(), "radiomics.rad: patient ") != NULL);
    CHECK_INT(ren_study_job_done(study, 0), 0);
out:
    ren_text_free(text);
    ren__free(table);
    ren_study_free(study);
    return st;
}

/* Files that are not what they were: an answer, not a crash. */
static ren_status damage(const ren_study *study, const char *id, const char *file, const char *needed, const char *what,
                         const char *message) {
    char path[TEST_PATH + 256];
    ren_study *open = (ren_study *)(uintptr_t)study;
    ren_status st = REN_OK;

    snprintf(path, sizeof path, "%s/jobs/%s/%s", study->folder, id, file);
    REN_TRY(ren__file_write(path, what, strlen(what)));
    CHECK_FAILS(ren_study_run_job(open, needed, NULL), REN_E_FORMAT, message);
out:
    return st;
}

static ren_status test_damaged_files(ren_context *context) {
    char root[TEST_PATH], config[TEST_PATH], folder[TEST_PATH];
    ren_study *study = NULL;
    ren_status st = REN_OK;
    static const char *const jobs[] = { "radiomics.rad",         "fold0.cnn.left_lung",  "fold0.cnn.right_lung",
                                        "fold0.rad.left_lung",   "fold0.rad.right_lung", "fold0.scan.left_lung",
                                        "fold0.scan.right_lung", "fold0.cnn.features" };

    REN_TRY(study_cohort(context, root));
    REN_TRY(study_config(root, STUDY_GATES STUDY_MIXTURES, "damaged.yaml", config));
    REN_TRY(ren_study_open(context, config, test_file(folder, "damaged"), 1, &study));
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        REN_TRY(ren_study_run_job(study, jobs[i], NULL));
    REN_TRY(
        damage(study, "fold0.rad.left_lung", "predictor.json", "fold0.m-rad", "{\"columns\": 3}", "is no predictor"));
    REN_TRY(damage(study, "fold0.rad.left_lung", "predictor.json", "fold0.m-rad", "{\"columns\": []}", "predictor"));
    REN_TRY(damage(study, "fold0.scan.left_lung", "predictor.json", "fold0.m-scan", "{\"columns\": [\"a\"]}",
                   "is no predictor of this table"));
    REN_TRY(damage(study, "fold0.cnn.features", "features.safetensors", "fold0.m-deep", "nonsense", "features"));
    REN_TRY(damage(study, "radiomics.rad", "radiomics.csv", "fold0.m-scan", "a,b\n1,2\n", "is no table of radiomics"));
    REN_TRY(
        damage(study, "radiomics.rad", "radiomics.csv", "fold0.m-scan", "patient,scan,Region,error,x\n", "has 0 rows"));
    REN_TRY(damage(study, "fold0.cnn.left_lung", "done.json", "fold0.m-auc", "{}", "has no number \"auc\""));
    REN_TRY(damage(study, "fold0.cnn.left_lung", "validation.csv", "fold0.m-stack", "a\n", "table of predictions"));
out:
    ren_study_free(study);
    return st;
}

/* Makes all jobs undone but the experts', which have cases of their own. */
static ren_status undo(const ren_study *study) {
    ren_status st = REN_OK;

    for (int32_t i = 0; i < study->job_count; i++) {
        const ren__job *job = &study->job[i];
        const ren__study_model *model = job->model >= 0 ? &study->config->model[job->model] : NULL;
        if (model && model->gate < 0 && model->mixture < 0) continue;
        char *path = ren__job_path(study, job, REN__DONE_FILE);
        CHECK_MEMORY(path);
        ren__file_remove(path);
        ren__free(path);
    }
out:
    return st;
}

/* In one folder for all runs, so that the experts are trained once. */
static ren_status test_failing_allocations(ren_context *context) {
    char root[TEST_PATH], config[TEST_PATH], folder[TEST_PATH];
    ren_study *study = NULL;
    ren_status st = REN_OK;

    REN_TRY(study_cohort(context, root));
    REN_TRY(study_config(root, STUDY_GATES STUDY_MIXTURES, "failing.yaml", config));
    REN_TRY(ren_study_open(context, config, test_file(folder, "failing"), 1, &study));
    REN_TRY(undo(study));
    REN_TRY(ren_study_run(study, NULL));
out:
    ren_study_free(study);
    return st;
}

TEST_MAIN(CASE(test_separability), CASE(test_logits_are_least), CASE(test_logit_probability),
          CASE_ONCE(test_stages_and_needs), CASE_ONCE(test_models_say_what_evaluation_said),
          CASE_ONCE(test_weights_of_scans), CASE_ONCE(test_tables_of_bad_scans), CASE_ONCE(test_damaged_files),
          CASE_SAMPLED(test_failing_allocations))
