/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures of a study: what joins the experts, fitted on each fold's validation scans, and the model that is kept. */
#include <string.h>

#include "moe/moe.h"
#include "train/gates_fit.h"
#include "train/jobs.h"
#include "train/study_files.h"

/* ------------------------------------------------------------------------------------------ predicting validation */

enum { PARTS = 5 };

/*
 * What is fitted to the validation labels says too much of the scans it was fitted to, and a threshold found there
 * would be one for nothing else. So the predictions for validation are crossed: patients of each label are dealt to
 * parts in turn, and each part is predicted by a fit to the others. `*parts` is how many there are: below 2 where there
 * are fewer patients of a label, and 0 where nothing is fitted; then all scans are in part 0.
 */
static ren_status deal(const ren__mixture_data *data, int32_t **part, int32_t *parts) {
    ren_context *context = data->study->context;
    const ren__cohort *cohort = data->study->cohort;
    int32_t *of_patient = NULL, dealt[2] = { 0, 0 };
    ren_status st = REN_OK;

    REN_CALLOC(*part, (size_t)data->count);
    REN_CALLOC(of_patient, (size_t)cohort->patient_count);
    for (int32_t i = 0; i < cohort->patient_count; i++)
        of_patient[i] = -1;
    for (int32_t i = 0; i < data->count; i++) {
        int32_t *number = &of_patient[cohort->patient[data->scan[i]]];
        if (*number < 0) *number = dealt[cohort->patient_label[cohort->patient[data->scan[i]]]]++;
    }
    *parts = dealt[0] < dealt[1] ? dealt[0] : dealt[1];
    if (*parts > PARTS) *parts = PARTS;
    for (int32_t i = 0; i<data->count && * parts> 1; i++)
        (*part)[i] = of_patient[cohort->patient[data->scan[i]]] % *parts;
out:
    ren__free(of_patient);
    return st;
}

/* The scans of the part (or, `others`, all scans but those), rising. */
static int32_t list_part(const ren__mixture_data *data, const int32_t *part, int32_t number, int others,
                         int32_t *list) {
    int32_t count = 0;

    for (int32_t i = 0; i < data->count; i++)
        if ((part[i] == number) != others) list[count++] = i;
    return count;
}

static ren_status predict_part(const ren__mixture_data *data, const ren__combiner *combiner, const int32_t *list,
                               int32_t count, ren__prediction *out) {
    ren_status st = REN_OK;

    for (int32_t i = 0; i < count && st == REN_OK; i++) {
        ren__prediction *item = &out[list[i]];
        *item = (ren__prediction){ .scan = data->scan[list[i]], .fold = data->job->fold, .set = REN__SET_VALIDATION };
        st = ren__mixture_apply(data, combiner, list[i], item);
    }
    return st;
}

/* The validation scans' predictions: by `whole`, or crossed where that was fitted to them. */
static ren_status predict_validation(const ren__mixture_data *data, const ren__combiner *whole, ren__run *run,
                                     int32_t *parts, ren__predictions *out) {
    ren_context *context = data->study->context;
    int32_t *part = NULL, *list = NULL;
    ren__prediction *item = NULL;
    ren__combiner combiner = { 0 };
    ren_status st = REN_OK;

    REN_CALLOC(list, (size_t)data->count);
    REN_CALLOC(item, (size_t)data->count);
    REN_TRY(deal(data, &part, parts));
    if (*parts < 2) REN_TRY(predict_part(data, whole, list, list_part(data, part, 0, 0, list), item));
    for (int32_t number = 0; *parts > 1 && number < *parts; number++) {
        REN_TRY(ren__mixture_fit(data, list, list_part(data, part, number, 1, list), run, &combiner));
        REN_TRY(predict_part(data, &combiner, list, list_part(data, part, number, 0, list), item));
        ren__combiner_end(&combiner);
    }
    for (int32_t i = 0; i < data->count; i++)
        REN_TRY(ren__predictions_add(out, &item[i]));
out:
    ren__combiner_end(&combiner);
    ren__free(item);
    ren__free(list);
    ren__free(part);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ the job */

/* What every scan gets where all regions run and nothing is known of them: the gate as a person reads it. */
static ren_status add_weights(const ren_study *study, const ren_gate *gate, json_t *done) {
    int32_t ran[REN_REGION_COUNT] = { 0 };
    double weight[REN_REGION_COUNT];
    json_t *weights = json_object();
    ren_status st = REN_OK;

    REN_TRY(ren__json_set(done, "weights", weights));
    for (int32_t i = 0; i < study->config->region_count; i++)
        ran[study->config->region[i]] = 1;
    REN_TRY(ren__gate_weights(gate, ran, NULL, weight));
    for (int32_t i = 0; i < study->config->region_count; i++)
        REN_TRY(ren__json_set(weights, ren_region_name(study->config->region[i]),
                              json_real(weight[study->config->region[i]])));
out:
    return st;
}

static ren_status describe(const ren__mixture_data *data, const ren__combiner *combiner, int32_t parts, json_t *done) {
    const ren__gate_entry *gate = data->gate;
    ren_status st = REN_OK;

    REN_TRY(ren__json_set(done, "mixture", json_string(data->mixture->name)));
    if (gate) {
        REN_TRY(ren__json_set(done, "gate", json_string(gate->name)));
        REN_TRY(ren__json_set(done, "source", json_string(gate->source)));
        REN_TRY(ren__json_set(done, "normalisation",
                              json_string(gate->normalisation == REN_GATE_HIERARCHICAL ? "hierarchical" : "sum")));
        REN_TRY(add_weights(data->study, combiner->gate, done));
    } else {
        REN_TRY(ren__json_set(done, "stacking", json_string(data->mixture->stacking)));
    }
    /* 0: nothing was fitted; 1: too few patients, and validation's figures are those of the fit itself */
    st = ren__json_set(done, "crossed_parts", json_integer(parts));
out:
    return st;
}

ren_status ren__ensemble_run(ren_study *study, const ren__job *job, ren__run *run) {
    ren__predictions validation = { .context = study->context };
    ren__mixture_data data = { 0 };
    ren__combiner whole = { 0 };
    ren_context *context = study->context;
    int32_t *all = NULL, parts = 0;
    json_t *done = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__mixture_data_read(study, job, &data));
    REN_CALLOC(all, (size_t)data.count);
    for (int32_t i = 0; i < data.count; i++)
        all[i] = i;
    REN_TRY(ren__mixture_fit(&data, all, data.count, run, &whole));
    REN_TRY(predict_validation(&data, &whole, run, &parts, &validation));
    REN_TRY(ren__job_heading(study, job, &done));
    REN_TRY(describe(&data, &whole, parts, done));
    REN_TRY(ren__combiner_write(study, job, &whole));
    st = ren__job_finish(study, job, &validation, done);
out:
    json_decref(done);
    ren__free(all);
    ren__combiner_end(&whole);
    ren__mixture_data_end(&data);
    ren__predictions_free(&validation);
    return st;
}

/* --------------------------------------------------------------------------------------------- the model to keep */

/* How the fold was chosen, for the record: every fold's validation AUC. */
static ren_status choose_fold(const ren_study *study, int32_t model, json_t *folds, const ren__job **chosen,
                              double *threshold) {
    double best = -1.0;
    json_t *done = NULL;
    ren_status st = REN_OK;

    *chosen = NULL;
    for (int32_t i = 0; i < study->config->run_count; i++) {
        const ren__job *job = ren__job_find(study, study->config->run[i], model);
        double auc, own;
        REN_TRY(ren__job_record(study, job, study->config->model[model].name, &done));
        REN_TRY(ren__job_number(done, job, "validation", "auc", &auc));
        REN_TRY(ren__job_number(done, job, "validation", "threshold", &own));
        json_decref(done);
        done = NULL;
        REN_TRY(ren__json_append(folds, json_pack("{s:i, s:f}", "fold", (int)job->fold, "validation_auc", auc)));
        if (auc <= best) continue;
        best = auc;
        *chosen = job;
        *threshold = own;
    }
    if (!*chosen) REN_FAIL(REN_E_FORMAT, "%s: no fold has a validation AUC", study->config->model[model].name);
out:
    json_decref(done);
    return st;
}

static ren_status make_record(const ren_study *study, int32_t model, const ren__job **chosen, double *threshold,
                              json_t **out) {
    const ren__study_config *config = study->config;
    json_t *folds = json_array(), *record = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(folds));
    REN_TRY(choose_fold(study, model, folds, chosen, threshold));
    record = json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:s, s:i, s:i, s:s, s:O}", "library", ren_version(), "study",
                       config->study, "job", (*chosen)->id, "seed", (json_int_t)config->seed, "fold",
                       (int)(*chosen)->fold, "folds", (int)config->folds, "protocol",
                       config->protocol == REN__PROTOCOL_PAPER ? "paper" : "default", "patients",
                       (int)study->cohort->patient_count, "scans", (int)study->cohort->count, "choice",
                       "the fold with the highest validation AUC, of equals the first", "candidates", folds);
    REN_TRY(ren__json_checked(record));
    *out = record;
out:
    json_decref(folds);
    return st;
}

static ren_status load_experts(const ren_study *study, const ren__job *chosen, ren_expert **experts) {
    const int32_t first = study->config->model[chosen->model].expert * study->config->region_count;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < study->config->region_count && st == REN_OK; i++) {
        char *path = ren__job_path(study, ren__job_find(study, chosen->fold, first + i), REN__MODEL_FILE);
        st = path ? ren_expert_load(study->context, path, &experts[i]) : ren__out_of_memory();
        ren__free(path);
    }
    return st;
}

static ren_status make_uniform(ren_context *context, ren_gate **out) {
    const ren__gate_parts parts = { .source = "uniform" };

    return ren__gate_make(context, &parts, out);
}

/* Experts and what joins them, in one file. */
static ren_status write_joined(const ren_study *study, const ren__job *chosen, ren__mixture_options *options,
                               const char *path) {
    ren_expert *experts[REN_REGION_COUNT] = { NULL };
    ren__combiner combiner = { 0 };
    ren_mixture *mixture = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__combiner_read(study, chosen, &combiner));
    REN_TRY(load_experts(study, chosen, experts));
    options->stack = combiner.stack;
    if (combiner.stack) REN_TRY(make_uniform(study->context, &combiner.gate)); /* unread */
    REN_TRY(ren__mixture_make(study->context, experts, (size_t)study->config->region_count, combiner.gate, options,
                              &mixture));
    st = ren_mixture_save(mixture, path);
out:
    ren_mixture_free(mixture);
    for (int32_t i = 0; i < REN_REGION_COUNT; i++)
        ren_expert_free(experts[i]);
    ren__combiner_end(&combiner);
    return st;
}

/* A mixture that is one network is a model file already. */
static ren_status write_network(const ren_study *study, const ren__job *chosen, const ren__mixture_options *options,
                                const char *path) {
    char *from = ren__job_path(study, chosen, REN__MODEL_FILE);
    ren_mixture *mixture = NULL;
    ren_status st = REN_OK;

    if (!from) return ren__out_of_memory();
    REN_TRY(ren_mixture_load(study->context, from, &mixture));
    mixture->threshold = options->threshold; /* nobody shares it yet */
    json_decref(mixture->record);
    mixture->record = json_incref((json_t *)(uintptr_t)options->record);
    st = ren_mixture_save(mixture, path);
out:
    ren_mixture_free(mixture);
    ren__free(from);
    return st;
}

ren_status ren__ensemble_write_model(ren_study *study, int32_t model, const char *path) {
    const ren__study_model *of = &study->config->model[model];
    const ren__job *chosen = NULL;
    ren__mixture_options options = { .name = of->name };
    json_t *record = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__study_need_data(study));
    REN_TRY(make_record(study, model, &chosen, &options.threshold, &record));
    options.record = record;
    REN_TRY(study->config->mixture[of->mixture].network.net ? write_network(study, chosen, &options, path)
                                                            : write_joined(study, chosen, &options, path));
    ren__log_append(study->log, "model %s is that of fold %d", options.name, (int)chosen->fold);
out:
    json_decref(record);
    return st;
}
