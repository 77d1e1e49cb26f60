/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of a study's models for the test scans of a fold. */
#include "train/evaluate_predict.h"

#include <math.h>

#include "graph/op.h"
#include "moe/moe.h"

/* One fold while it is predicted. */
typedef struct fold_work {
    ren__evaluation *evaluation;
    int32_t index, fold; /* index into config->run */
    int32_t *scans, count;
    double *probability; /* model x scan of the fold; NaN: the region is empty */
    ren__run *run;
} fold_work;

static ren_status load_expert(const ren_study *study, const ren__job *job, ren_expert **expert) {
    char *path = ren__job_path(study, job, "model.safetensors");
    const ren_status st = path ? ren_expert_load(study->context, path, expert) : ren__out_of_memory();

    ren__free(path);
    return st;
}

static ren_status predict_expert(const fold_work *work, int32_t model) {
    ren__evaluation *evaluation = work->evaluation;
    const ren_study *study = evaluation->study;
    const ren__study_config *config = study->config;
    const int32_t singles = ren__study_first_mixture(config);
    double *to = work->probability + (size_t)model * (size_t)work->count;
    ren_expert *expert = NULL;
    ren_scan *scan = NULL;
    ren_status st = REN_OK;

    REN_TRY(load_expert(study, ren__job_find(study, work->fold, model), &expert));
    evaluation->model[model].parameters = ren__graph_parameters(expert->graph);
    evaluation->model[model].flops = ren__graph_flops(expert->graph);
    for (int32_t i = 0; i < work->count; i++) {
        double probabilities[REN__MAX_CLASSES];
        const double steps = (double)singles * work->count;
        const double done = ((double)model * work->count + i) / steps;
        REN_TRY(ren__run_progress(work->run, "evaluating", (work->index + done) / config->run_count));
        REN_TRY(ren__dataset_scan(study->dataset, work->scans[i], work->run, &scan));
        to[i] = NAN;
        if (scan->voxels[ren_expert_region(expert)] > 0) {
            REN_TRY(ren__expert_probabilities(expert, NULL, scan, work->run, probabilities));
            to[i] = probabilities[1];
        }
        ren_scan_free(scan);
        scan = NULL;
    }
out:
    ren_scan_free(scan);
    ren_expert_free(expert);
    return st;
}

static ren_status add_expert_rows(const fold_work *work, int32_t model) {
    ren_status st = REN_OK;

    for (int32_t i = 0; i < work->count && st == REN_OK; i++) {
        const ren__prediction item = { .scan = work->scans[i],
                                       .fold = work->fold,
                                       .set = REN__SET_TEST,
                                       .probability =
                                           work->probability[(size_t)model * (size_t)work->count + (size_t)i] };
        if (!isnan(item.probability)) st = ren__predictions_add(&work->evaluation->model[model].test, &item);
    }
    return st;
}

/* A mixture from its experts' probabilities and the fold's gate: what ren_mixture_predict computes. */
static ren_status add_mixture_rows(const fold_work *work, int32_t model) {
    const ren_study *study = work->evaluation->study;
    const ren__study_config *config = study->config;
    const int32_t first = config->model[model].expert * config->region_count;
    ren__model_evaluation *to = &work->evaluation->model[model];
    ren_gate *gate = NULL;
    char *path = ren__job_path(study, ren__job_find(study, work->fold, model), "model.safetensors");
    ren_status st = path ? ren_gate_load(study->context, path, &gate) : ren__out_of_memory();

    for (int32_t i = 0; i < work->count && st == REN_OK; i++) {
        ren__prediction item = { .scan = work->scans[i], .fold = work->fold, .set = REN__SET_TEST };
        double probability[REN_REGION_COUNT];
        for (int32_t region = 0; region < REN_REGION_COUNT; region++)
            probability[region] = NAN;
        for (int32_t k = 0; k < config->region_count; k++)
            probability[config->region[k]] = work->probability[(size_t)(first + k) * (size_t)work->count + (size_t)i];
        st = ren__ensemble_combine(gate, probability, &item);
        if (st == REN_OK) st = ren__predictions_add(&to->test, &item);
    }
    to->parameters = 0;
    to->flops = 0.0;
    for (int32_t k = 0; k < config->region_count; k++) {
        to->parameters += work->evaluation->model[first + k].parameters;
        to->flops += work->evaluation->model[first + k].flops;
    }
    ren_gate_free(gate);
    ren__free(path);
    return st;
}

ren_status ren__evaluation_predict_fold(ren__evaluation *evaluation, int32_t index, ren__run *run) {
    ren_context *context = evaluation->context;
    const ren_study *study = evaluation->study;
    const ren__study_config *config = study->config;
    const size_t singles = (size_t)ren__study_first_mixture(config);
    fold_work work = { .evaluation = evaluation, .index = index, .fold = config->run[index], .run = run };
    ren_status st = REN_OK;

    REN_CALLOC(work.scans, (size_t)study->cohort->count);
    work.count = ren__split_scans(study->split, study->cohort->patient, study->cohort->count, work.fold, REN__SET_TEST,
                                  work.scans);
    REN_CALLOC(work.probability, singles * (size_t)work.count);
    for (int32_t model = 0; model < config->model_count; model++) {
        if (config->model[model].mixture >= 0) {
            REN_TRY(add_mixture_rows(&work, model));
            continue;
        }
        REN_TRY(predict_expert(&work, model));
        REN_TRY(add_expert_rows(&work, model));
    }
    evaluation->scans += work.count;
out:
    ren__free(work.probability);
    ren__free(work.scans);
    return st;
}
