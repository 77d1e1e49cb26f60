/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions of a study's models for the test scans of a fold. */
#include "train/evaluate_predict.h"

#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "moe/moe.h"
#include "train/gates_fit.h"
#include "train/jobs.h"

/* One fold while it is predicted. */
typedef struct fold_work {
    ren__evaluation *evaluation;
    int32_t index, fold; /* index into config->run */
    int32_t *scans, count;
    double *probability;          /* model x scan of the fold; NaN: the region is empty */
    ren__region_table *radiomics; /* by gate: the table of the first gate with these parameters; zeroed: not read yet */
    ren__region_table *features;  /* by entry of experts; zeroed: no gate reads them */
    ren__run *run;
} fold_work;

static ren_status progress(const fold_work *work, int32_t model, int32_t scan) {
    const ren__study_config *config = work->evaluation->study->config;
    const double done = ((double)model + (double)scan / work->count) / config->model_count;

    return ren__run_progress(work->run, "evaluating", (work->index + done) / config->run_count);
}

static double *probabilities_of(const fold_work *work, int32_t model) {
    return work->probability + (size_t)model * (size_t)work->count;
}

/* ------------------------------------------------------------------------------------------------------ experts */

static ren_status load_expert(const ren_study *study, const ren__job *job, ren_expert **expert) {
    char *path = ren__job_path(study, job, REN__MODEL_FILE);
    const ren_status st = path ? ren_expert_load(study->context, path, expert) : ren__out_of_memory();

    ren__free(path);
    return st;
}

/* Not 0 where a mixture's gate reads what these experts make of the scan. */
static int features_wanted(const ren__study_config *config, int32_t expert) {
    for (int32_t i = 0; i < config->mixture_count; i++) {
        const ren__gate_entry *gate = config->mixture[i].gate >= 0 ? &config->gate[config->mixture[i].gate] : NULL;
        if (gate && gate->measure && gate->mode == REN__GATE_PER_SCAN && gate->of == expert) return 1;
    }
    return 0;
}

static ren_status features_room(const fold_work *work, const ren_expert *expert, ren__region_table *table) {
    const ren_study *study = work->evaluation->study;
    ren__columns columns = { NULL, 0 };
    ren_status st = REN_OK;

    if (table->columns.name) return REN_OK; /* another region's expert has made it */
    REN_TRY(ren__feature_columns(study->context, ren__expert_features(expert), &columns));
    REN_TRY(ren__region_table_make(study->context, &columns, study->cohort->count, ren__study_regions(study), table));
out:
    ren__free((void *)(uintptr_t)columns.name);
    return st;
}

static void keep_features(ren__region_table *table, int32_t region, int32_t scan, const float *features) {
    double *to = table->value[region] + (size_t)scan * (size_t)table->columns.count;

    table->known[region][scan] = 1;
    for (int32_t k = 0; k < table->columns.count; k++)
        to[k] = features[k];
}

/* One scan; `table` NULL: nobody wants the features, for which `features` is room. */
static ren_status predict_scan(const fold_work *work, const ren_expert *expert, int32_t scan, ren__region_table *table,
                               float *features, double *probability) {
    const int32_t region = ren_expert_region(expert);
    ren__expert_outputs outputs = { .features = features };
    ren_scan *prepared = NULL;
    ren_status st = REN_OK;

    *probability = NAN;
    REN_TRY(ren__dataset_scan(work->evaluation->study->dataset, scan, work->run, &prepared));
    if (prepared->voxels[region] == 0) goto out;
    REN_TRY(ren__expert_run(expert, NULL, prepared, work->run, &outputs));
    *probability = outputs.probability[1];
    if (table) keep_features(table, region, scan, features);
out:
    ren_scan_free(prepared);
    return st;
}

static ren_status predict_expert(const fold_work *work, int32_t model) {
    ren__evaluation *evaluation = work->evaluation;
    const ren_study *study = evaluation->study;
    ren_context *context = study->context;
    const int32_t entry = study->config->model[model].expert;
    ren__region_table *table = features_wanted(study->config, entry) ? &work->features[entry] : NULL;
    double *to = probabilities_of(work, model);
    float *features = NULL;
    ren_expert *expert = NULL;
    ren_status st = REN_OK;

    REN_TRY(load_expert(study, ren__job_find(study, work->fold, model), &expert));
    evaluation->model[model].parameters = ren__graph_parameters(expert->graph);
    evaluation->model[model].flops = ren__graph_flops(expert->graph);
    if (table) {
        REN_TRY(features_room(work, expert, table));
        REN_CALLOC(features, (size_t)table->columns.count);
    }
    for (int32_t i = 0; i < work->count; i++) {
        REN_TRY(progress(work, model, i));
        REN_TRY(predict_scan(work, expert, work->scans[i], table, features, &to[i]));
    }
out:
    ren__free(features);
    ren_expert_free(expert);
    return st;
}

/* --------------------------------------------------------------------------------------------- regional predictors */

/* The table of a gate's radiomics, read at its first use. */
static ren_status need_radiomics(const fold_work *work, int32_t gate, ren__region_table **out) {
    const ren_study *study = work->evaluation->study;
    ren__region_table *table = &work->radiomics[study->config->gate[gate].table];

    *out = table;
    if (table->columns.name) return REN_OK;
    return ren__radiomics_table_read(study, gate, ren__study_regions(study), "the evaluation", table);
}

static ren_status predict_radiomics(const fold_work *work, int32_t model) {
    const ren_study *study = work->evaluation->study;
    const ren__study_model *of = &study->config->model[model];
    double *to = probabilities_of(work, model);
    ren__region_table *table = NULL;
    ren__predictor *predictor = NULL;
    ren_status st = REN_OK;

    REN_TRY(need_radiomics(work, of->gate, &table));
    REN_TRY(ren__regional_predictor_read(study, ren__job_find(study, work->fold, model), &table->columns, &predictor));
    for (int32_t i = 0; i < work->count; i++) {
        const double *row = ren__region_row(table, of->region, work->scans[i]);
        to[i] = row ? ren__logit_probability(ren__predictor_logit(predictor, row)) : NAN;
    }
out:
    ren__predictor_free(predictor);
    return st;
}

static ren_status add_rows(const fold_work *work, int32_t model) {
    ren_status st = REN_OK;

    for (int32_t i = 0; i < work->count && st == REN_OK; i++) {
        const ren__prediction item = { .scan = work->scans[i],
                                       .fold = work->fold,
                                       .set = REN__SET_TEST,
                                       .probability = probabilities_of(work, model)[i] };
        if (!isnan(item.probability)) st = ren__predictions_add(&work->evaluation->model[model].test, &item);
    }
    return st;
}

/* ----------------------------------------------------------------------------------------------------- mixtures */

/* What the mixture's gate reads of scans; NULL: nothing. */
static ren_status find_evidence(const fold_work *work, int32_t model, ren__region_table **out) {
    const ren__study_config *config = work->evaluation->study->config;
    const int32_t gate = config->mixture[config->model[model].mixture].gate;

    *out = NULL;
    if (gate < 0 || config->gate[gate].mode != REN__GATE_PER_SCAN) return REN_OK;
    if (config->gate[gate].predictor) return need_radiomics(work, gate, out);
    *out = &work->features[config->gate[gate].of];
    return REN_OK;
}

/* A mixture from its experts' probabilities and what the fold joins them by: what ren_mixture_predict computes. */
static ren_status add_joined(const fold_work *work, int32_t model) {
    const ren_study *study = work->evaluation->study;
    const ren__study_config *config = study->config;
    const int32_t first = config->model[model].expert * config->region_count;
    ren__model_evaluation *to = &work->evaluation->model[model];
    ren__region_table *table = NULL;
    ren__combiner combiner = { 0 };
    ren_status st = REN_OK;

    REN_TRY(find_evidence(work, model, &table));
    REN_TRY(ren__combiner_read(study, ren__job_find(study, work->fold, model), &combiner));
    for (int32_t i = 0; i < work->count; i++) {
        ren__prediction item = { .scan = work->scans[i], .fold = work->fold, .set = REN__SET_TEST };
        double probability[REN_REGION_COUNT];
        ren__evidence evidence;
        for (int32_t region = 0; region < REN_REGION_COUNT; region++)
            probability[region] = NAN;
        for (int32_t k = 0; k < config->region_count; k++)
            probability[config->region[k]] = probabilities_of(work, first + k)[i];
        if (table) ren__region_evidence(table, work->scans[i], &evidence);
        REN_TRY(ren__combiner_apply(&combiner, probability, table ? &evidence : NULL, &item));
        REN_TRY(ren__predictions_add(&to->test, &item));
    }
    to->parameters = 0;
    to->flops = 0.0;
    for (int32_t k = 0; k < config->region_count; k++) {
        to->parameters += work->evaluation->model[first + k].parameters;
        to->flops += work->evaluation->model[first + k].flops;
    }
out:
    ren__combiner_end(&combiner);
    return st;
}

static ren_status predict_network(const fold_work *work, const ren_mixture *mixture, int32_t scan,
                                  ren__prediction *item) {
    ren_scan *prepared = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__dataset_scan(work->evaluation->study->dataset, scan, work->run, &prepared));
    REN_TRY(ren__mixture_predict_scan(mixture, prepared, work->run, &result));
    item->probability = ren_result_probability(result, 1);
    for (int32_t i = 0; i < result->region_count; i++) {
        const ren__region_result *region = &result->region[i];
        if (region->region < REN_REGION_COUNT && region->weight > 0.0) item->weight[region->region] = region->weight;
    }
out:
    ren_result_free(result);
    ren_scan_free(prepared);
    return st;
}

/* A mixture that is one network. */
static ren_status add_network(const fold_work *work, int32_t model) {
    const ren_study *study = work->evaluation->study;
    ren__model_evaluation *to = &work->evaluation->model[model];
    char *path = ren__job_path(study, ren__job_find(study, work->fold, model), REN__MODEL_FILE);
    ren_mixture *mixture = NULL;
    ren_status st = REN_OK;

    if (!path) return ren__out_of_memory();
    REN_TRY(ren_mixture_load(study->context, path, &mixture));
    to->parameters = 0;
    to->flops = 0.0;
    for (int32_t place = 0; place < REN__PLACES; place++) {
        if (!mixture->expert[place]) continue;
        to->parameters += ren__graph_parameters(mixture->expert[place]->graph);
        to->flops += ren__graph_flops(mixture->expert[place]->graph);
    }
    for (int32_t i = 0; i < work->count; i++) {
        ren__prediction item = { .scan = work->scans[i], .fold = work->fold, .set = REN__SET_TEST };
        REN_TRY(progress(work, model, i));
        REN_TRY(predict_network(work, mixture, work->scans[i], &item));
        REN_TRY(ren__predictions_add(&to->test, &item));
    }
out:
    ren_mixture_free(mixture);
    ren__free(path);
    return st;
}

/* --------------------------------------------------------------------------------------------------------- fold */

static ren_status predict_model(const fold_work *work, int32_t model) {
    const ren__study_config *config = work->evaluation->study->config;
    const ren__study_model *of = &config->model[model];
    ren_status st = REN_OK;

    if (of->mixture >= 0)
        return config->mixture[of->mixture].network.net ? add_network(work, model) : add_joined(work, model);
    REN_TRY(of->gate >= 0 ? predict_radiomics(work, model) : predict_expert(work, model));
    st = add_rows(work, model);
out:
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
    REN_CALLOC(work.radiomics, (size_t)config->gate_count);
    REN_CALLOC(work.features, (size_t)config->expert_count);
    for (int32_t model = 0; model < config->model_count; model++)
        REN_TRY(predict_model(&work, model));
    evaluation->scans += work.count;
out:
    for (int32_t i = 0; work.radiomics && i < config->gate_count; i++)
        ren__region_table_end(&work.radiomics[i]);
    for (int32_t i = 0; work.features && i < config->expert_count; i++)
        ren__region_table_end(&work.features[i]);
    ren__free(work.features);
    ren__free(work.radiomics);
    ren__free(work.probability);
    ren__free(work.scans);
    return st;
}
