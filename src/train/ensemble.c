/* SPDX-License-Identifier: Apache-2.0 */
/* Mixtures of a study: the gate fitted on each fold's validation scans, and the model that is kept. */
#include <math.h>
#include <string.h>

#include "moe/moe.h"
#include "train/study.h"
#include "train/study_files.h"

/* The numbers that a source takes its weights from, in done.json. */
static const char *source_key(const char *source) {
    if (strcmp(source, "validation_auc") == 0) return "auc";
    if (strcmp(source, "validation_accuracy") == 0) return "accuracy";
    return strcmp(source, "inverse_loss") == 0 ? "loss" : NULL;
}

/* The fold's job for one region of the mixture's expert. */
static const ren__job *expert_job(const ren_study *study, int32_t fold, const ren__study_model *mixture,
                                  int32_t index) {
    return ren__job_find(study, fold, mixture->expert * study->config->region_count + index);
}

/* A gate tells "nothing was given" by 0: the worst expert of a tiny validation set may earn just that. */
static double above_nothing(double value) {
    return value > 1e-6 ? value : 1e-6;
}

static ren_status fit_gate(const ren_study *study, const ren__job *job, json_t *needs, ren_gate **gate) {
    const ren__study_config *config = study->config;
    const ren__study_model *model = &config->model[job->model];
    const ren__gate_entry *entry = &config->gate[config->mixture[model->mixture].gate];
    const char *key = source_key(entry->source);
    ren_gate_options options;
    json_t *done = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_gate_options_init(&options, sizeof options));
    options.source = entry->source;
    options.normalisation = entry->normalisation;
    for (int32_t i = 0; i < config->region_count; i++) {
        const ren__job *need = expert_job(study, job->fold, model, i);
        double value = 1.0;
        REN_TRY(ren__job_record(study, need, job->id, &done));
        if (key) REN_TRY(ren__job_number(done, need, "validation", key, &value));
        options.weights[config->region[i]] = above_nothing(value);
        json_decref(done);
        done = NULL;
        REN_TRY(ren__json_append(needs, json_string(need->id)));
    }
    REN_TRY(ren_gate_create(study->context, &options, gate));
out:
    json_decref(done);
    return st;
}

ren_status ren__ensemble_combine(const ren_gate *gate, const double probability[REN_REGION_COUNT],
                                 ren__prediction *out) {
    int32_t ran[REN_REGION_COUNT];

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        ran[region] = !isnan(probability[region]);
    const ren_status st = ren__gate_weights(gate, ran, NULL, out->weight);
    if (st != REN_OK) return st;
    out->probability = 0.0;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (ran[region]) out->probability += out->weight[region] * probability[region];
    return REN_OK;
}

/* The experts' validation predictions, REN_REGION_COUNT a scan of the cohort; NaN: did not run. */
static ren_status read_experts(const ren_study *study, const ren__job *job, double *probability) {
    const ren__study_config *config = study->config;
    const size_t cells = (size_t)study->cohort->count * REN_REGION_COUNT;
    ren_status st = REN_OK;

    for (size_t i = 0; i < cells; i++)
        probability[i] = NAN;
    for (int32_t i = 0; i < config->region_count && st == REN_OK; i++) {
        ren__predictions table = { .context = study->context };
        char *path =
            ren__job_path(study, expert_job(study, job->fold, &config->model[job->model], i), "validation.csv");
        st = path ? ren__predictions_read(&table, study->cohort, path) : ren__out_of_memory();
        for (int32_t k = 0; k < table.count; k++)
            probability[(size_t)table.item[k].scan * REN_REGION_COUNT + (size_t)config->region[i]] =
                table.item[k].probability;
        ren__predictions_free(&table);
        ren__free(path);
    }
    return st;
}

static ren_status combine_validation(const ren_study *study, const ren__job *job, const ren_gate *gate,
                                     ren__predictions *out) {
    ren_context *context = study->context;
    const uint8_t *sets = study->split->set + (size_t)job->fold * (size_t)study->split->patients;
    double *probability = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(probability, (size_t)study->cohort->count * REN_REGION_COUNT);
    REN_TRY(read_experts(study, job, probability));
    for (int32_t scan = 0; scan < study->cohort->count; scan++) {
        ren__prediction item = { .scan = scan, .fold = job->fold, .set = REN__SET_VALIDATION };
        if (sets[study->cohort->patient[scan]] != REN__SET_VALIDATION) continue;
        REN_TRY(ren__ensemble_combine(gate, probability + (size_t)scan * REN_REGION_COUNT, &item));
        REN_TRY(ren__predictions_add(out, &item));
    }
out:
    ren__free(probability);
    return st;
}

/* What every scan gets where all regions run: the gate as a person reads it. */
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

ren_status ren__ensemble_run(ren_study *study, const ren__job *job) {
    const ren__study_config *config = study->config;
    const ren__mixture_entry *mixture = &config->mixture[config->model[job->model].mixture];
    const ren__gate_entry *entry = &config->gate[mixture->gate];
    ren__predictions validation = { .context = study->context };
    ren_gate *gate = NULL;
    char *path = ren__job_path(study, job, "model.safetensors");
    json_t *done =
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:[]}", "library", ren_version(), "job", job->id, "fold",
                  (int)job->fold, "mixture", mixture->name, "gate", entry->name, "source", entry->source,
                  "normalisation", entry->normalisation == REN_GATE_HIERARCHICAL ? "hierarchical" : "sum", "experts");
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(done));
    if (!path) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(fit_gate(study, job, json_object_get(done, "experts"), &gate));
    REN_TRY(add_weights(study, gate, done));
    REN_TRY(combine_validation(study, job, gate, &validation));
    REN_TRY(ren_gate_save(gate, path));
    REN_TRY(ren__job_finish(study, job, &validation, done));
out:
    json_decref(done);
    ren_gate_free(gate);
    ren__predictions_free(&validation);
    ren__free(path);
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
    ren_status st = REN_OK;

    for (int32_t i = 0; i < study->config->region_count && st == REN_OK; i++) {
        const ren__job *job = expert_job(study, chosen->fold, &study->config->model[chosen->model], i);
        char *path = ren__job_path(study, job, "model.safetensors");
        st = path ? ren_expert_load(study->context, path, &experts[i]) : ren__out_of_memory();
        ren__free(path);
    }
    return st;
}

ren_status ren__ensemble_write_model(ren_study *study, int32_t model, const char *path) {
    ren_context *context = study->context;
    ren_expert *experts[REN_REGION_COUNT] = { NULL };
    ren_gate *gate = NULL;
    ren_mixture *mixture = NULL;
    json_t *record = NULL;
    const ren__job *chosen = NULL;
    ren__mixture_options options = { .name = study->config->model[model].name };
    char *gate_path = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__study_need_data(study));
    REN_TRY(make_record(study, model, &chosen, &options.threshold, &record));
    options.record = record;
    gate_path = ren__job_path(study, chosen, "model.safetensors");
    if (!gate_path) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(ren_gate_load(context, gate_path, &gate));
    REN_TRY(load_experts(study, chosen, experts));
    REN_TRY(ren__mixture_make(context, experts, (size_t)study->config->region_count, gate, &options, &mixture));
    REN_TRY(ren_mixture_save(mixture, path));
    ren__log_append(study->log, "model %s is that of fold %d", options.name, (int)chosen->fold);
out:
    ren_mixture_free(mixture);
    for (int32_t i = 0; i < REN_REGION_COUNT; i++)
        ren_expert_free(experts[i]);
    ren_gate_free(gate);
    json_decref(record);
    ren__free(gate_path);
    return st;
}
