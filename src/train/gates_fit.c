/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What joins a fold's experts, fitted on its validation scans: their predictions there are of experts that have not
 * been trained on them. A fixed gate needs figures of finished jobs alone.
 */
#include "train/gates_fit.h"

#include <math.h>
#include <string.h>

#include "moe/moe.h"
#include "train/jobs.h"
#include "train/study_files.h"

/* ------------------------------------------------------------------------------------------------------- reading */

void ren__mixture_data_end(ren__mixture_data *data) {
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        ren__predictor_free(data->predictor[region]);
    ren__region_table_end(&data->table);
    ren__free(data->probability);
    ren__free(data->label);
    ren__free(data->scan);
    ren__arena_free(data->arena);
    memset(data, 0, sizeof *data);
}

/* Sets the probabilities of one region from the expert's table, whose rows are in the scans' order. */
static ren_status read_expert(ren__mixture_data *data, int32_t index) {
    const ren_study *study = data->study;
    const ren__study_config *config = study->config;
    const ren__job *job = ren__job_find(study, data->job->fold, data->mixture->expert * config->region_count + index);
    ren__predictions table = { .context = study->context };
    char *path = ren__job_path(study, job, REN__VALIDATION_FILE);
    ren_status st = path ? ren__predictions_read(&table, study->cohort, path) : ren__out_of_memory();
    int32_t at = 0;

    for (int32_t i = 0; st == REN_OK && i < table.count; i++) {
        while (at < data->count && data->scan[at] < table.item[i].scan)
            at++;
        if (at == data->count || data->scan[at] != table.item[i].scan)
            st = ren__error(REN_E_FORMAT, "%s: has a scan that is none of the fold's for validation", path);
        else
            data->probability[(size_t)at * REN_REGION_COUNT + (size_t)config->region[index]] =
                table.item[i].probability;
    }
    ren__predictions_free(&table);
    ren__free(path);
    return st;
}

static ren_status read_experts(ren__mixture_data *data) {
    ren_context *context = data->study->context;
    const ren__cohort *cohort = data->study->cohort;
    ren_status st = REN_OK;

    REN_TRY(ren__job_scans(data->study, data->job, REN__SET_VALIDATION, &data->scan, &data->count));
    REN_CALLOC(data->label, (size_t)data->count);
    REN_CALLOC(data->probability, (size_t)data->count * REN_REGION_COUNT);
    for (int32_t i = 0; i < data->count; i++)
        data->label[i] = cohort->item[data->scan[i]].label;
    for (size_t i = 0; i < (size_t)data->count * REN_REGION_COUNT; i++)
        data->probability[i] = NAN;
    for (int32_t i = 0; i < data->study->config->region_count; i++)
        REN_TRY(read_expert(data, i));
out:
    return st;
}

/* Predictors of a radiomics gate: its weights come from them, and explanations need them. */
static ren_status read_predictors(ren__mixture_data *data) {
    const ren__study_config *config = data->study->config;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->region_count; i++) {
        const ren__job *job =
            ren__job_find(data->study, data->job->fold, ren__study_predictor(config, data->mixture->gate, i));
        if (!data->columns.name) REN_TRY(ren__regional_columns_read(data->study, job, data->arena, &data->columns));
        REN_TRY(ren__regional_predictor_read(data->study, job, &data->columns, &data->predictor[config->region[i]]));
    }
out:
    return st;
}

static ren_status read_gate(ren__mixture_data *data) {
    const ren_study *study = data->study;
    const ren__mixture_entry *mixture = data->mixture;
    const ren__job *job = data->job;
    ren_status st = REN_OK;

    REN_TRY(ren__gate_values(study, job->fold, mixture->gate, mixture->expert, job->id, data->value));
    REN_TRY(ren__study_gate_base(study, job->fold, mixture->gate, mixture->expert, job->id, data->base));
    if (data->gate->mode == REN__GATE_PER_SCAN) {
        const uint32_t regions = ren__study_regions(study);
        REN_TRY(data->gate->predictor
                    ? ren__radiomics_table_read(study, mixture->gate, regions, job->id, &data->table)
                    : ren__features_table_read(study, job->fold, data->gate->of, regions, job->id, &data->table));
        data->columns = data->table.columns;
    }
    if (data->gate->predictor) REN_TRY(read_predictors(data));
out:
    return st;
}

ren_status ren__mixture_data_read(const ren_study *study, const ren__job *job, ren__mixture_data *out) {
    const ren__study_config *config = study->config;
    const ren__mixture_entry *mixture = &config->mixture[config->model[job->model].mixture];
    ren__mixture_data data = { .study = study, .job = job, .mixture = mixture };
    ren_status st = REN_OK;

    if (mixture->gate >= 0) data.gate = &config->gate[mixture->gate];
    REN_TRY(ren__arena_create(study->context, &data.arena));
    REN_TRY(read_experts(&data));
    if (data.gate) REN_TRY(read_gate(&data));
    *out = data;
    memset(&data, 0, sizeof data);
out:
    ren__mixture_data_end(&data);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- fitting */

/* What is fitted to: the rows of the scans in use. */
typedef struct part {
    int32_t count;
    int32_t *label;
    double *probability; /* scan x REN_REGION_COUNT */
} part;

static void part_end(part *of) {
    ren__free(of->label);
    ren__free(of->probability);
}

static ren_status take(const ren__mixture_data *data, const int32_t *use, int32_t count, part *out) {
    ren_context *context = data->study->context;
    const size_t row = REN_REGION_COUNT * sizeof *out->probability;
    ren_status st = REN_OK;

    REN_CALLOC(out->label, (size_t)count);
    REN_CALLOC(out->probability, (size_t)count * REN_REGION_COUNT);
    out->count = count;
    for (int32_t i = 0; i < count; i++) {
        out->label[i] = data->label[use[i]];
        memcpy(out->probability + (size_t)i * REN_REGION_COUNT, data->probability + (size_t)use[i] * REN_REGION_COUNT,
               row);
    }
out:
    return st;
}

static ren_status fit_stack(const ren__mixture_data *data, const part *of, ren__run *run, ren__combiner *out) {
    ren__fit_settings settings = data->mixture->fit;
    const ren__fit_table table = {
        .columns = ren__region_columns(), .rows = of->count, .value = of->probability, .label = of->label
    };

    settings.seed = ren__job_seed(data->study, data->job);
    return ren__fit(data->study->context, data->mixture->stacking, &table, &settings, run, &out->stack);
}

/* A region's columns of what the scores are fitted to: evidence and probability of the scans in use. */
static void fill_member(const ren__mixture_data *data, const int32_t *use, const part *of, int32_t region,
                        double *value, double *probability) {
    const size_t columns = (size_t)data->columns.count;

    for (int32_t i = 0; i < of->count; i++) {
        const double *row = ren__region_row(&data->table, region, data->scan[use[i]]);
        probability[i] = of->probability[(size_t)i * REN_REGION_COUNT + (size_t)region];
        for (size_t k = 0; k < columns; k++)
            value[(size_t)i * columns + k] = row ? row[k] : NAN;
    }
}

static ren_status fit_scores(const ren__mixture_data *data, const int32_t *use, const part *of, ren__run *run,
                             ren__predictor *score[REN_REGION_COUNT]) {
    ren_context *context = data->study->context;
    const ren__study_config *config = data->study->config;
    ren__fit_member member[REN_REGION_COUNT];
    ren__fit_settings settings = data->gate->scores;
    ren__predictor *made[REN_REGION_COUNT] = { NULL };
    double *value[REN_REGION_COUNT] = { NULL }, *probability[REN_REGION_COUNT] = { NULL };
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->region_count; i++) {
        const int32_t region = config->region[i];
        REN_CALLOC(value[i], (size_t)of->count * (size_t)data->columns.count);
        REN_CALLOC(probability[i], (size_t)of->count);
        fill_member(data, use, of, region, value[i], probability[i]);
        member[i] = (ren__fit_member){ value[i], probability[i], data->base[region] };
    }
    settings.seed = ren__job_seed(data->study, data->job);
    REN_TRY(ren__fit_scores(context, &data->columns, member, config->region_count, of->label, of->count,
                            data->gate->temperature, &settings, run, made));
    for (int32_t i = 0; i < config->region_count; i++)
        score[config->region[i]] = made[i];
out:
    for (int32_t i = 0; i < REN_REGION_COUNT; i++) {
        ren__free(value[i]);
        ren__free(probability[i]);
    }
    return st;
}

static void fit_logits(const ren__mixture_data *data, const part *of, double logit[REN_REGION_COUNT]) {
    const ren__logits_task task = { .probability = of->probability,
                                    .label = of->label,
                                    .scans = of->count,
                                    .base = data->base,
                                    .normalisation = data->gate->normalisation,
                                    .temperature = data->gate->temperature,
                                    .l2 = data->gate->scores.l2 };

    ren__fit_logits(&task, logit);
}

static ren_status fit_gate(const ren__mixture_data *data, const int32_t *use, const part *of, ren__run *run,
                           ren__combiner *out) {
    const ren__gate_entry *entry = data->gate;
    ren__gate_parts parts = { .source = entry->source,
                              .normalisation = entry->normalisation,
                              .mode = entry->mode,
                              .temperature = entry->temperature,
                              .measure = entry->measure,
                              .columns = data->columns };
    ren_text *params = NULL;
    ren_status st = REN_OK;

    memcpy(parts.value, data->value, sizeof parts.value);
    memcpy(parts.predictor, data->predictor, sizeof parts.predictor);
    if (entry->params) {
        REN_TRY(ren__json_write(data->study->context, entry->params, 0, &params));
        parts.params = ren_text_data(params);
    }
    if (entry->mode == REN__GATE_LEARNED) fit_logits(data, of, parts.logit);
    if (entry->mode == REN__GATE_PER_SCAN) REN_TRY(fit_scores(data, use, of, run, parts.score));
    st = ren__gate_make(data->study->context, &parts, &out->gate);
out:
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        ren__predictor_free(parts.score[region]);
    ren_text_free(params);
    return st;
}

ren_status ren__mixture_fit(const ren__mixture_data *data, const int32_t *use, int32_t count, ren__run *run,
                            ren__combiner *out) {
    part of = { 0 };
    ren_status st = REN_OK;

    REN_TRY(take(data, use, count, &of));
    st = data->gate ? fit_gate(data, use, &of, run, out) : fit_stack(data, &of, run, out);
out:
    part_end(&of);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ combining */

void ren__combiner_end(ren__combiner *combiner) {
    ren_gate_free(combiner->gate);
    ren__predictor_free(combiner->stack);
    memset(combiner, 0, sizeof *combiner);
}

ren_status ren__combiner_apply(const ren__combiner *combiner, const double probability[REN_REGION_COUNT],
                               const ren__evidence *evidence, ren__prediction *out) {
    int32_t ran[REN_REGION_COUNT], count = 0;

    memset(out->weight, 0, sizeof out->weight);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        count += ran[region] = !isnan(probability[region]);
    if (count == 0) return ren__error(REN_E_DATA, "no expert has a region in this scan: the lungs are empty");
    if (combiner->stack) {
        out->probability = ren__logit_probability(ren__predictor_logit(combiner->stack, probability));
        return REN_OK;
    }
    const ren_status st = ren__gate_weights(combiner->gate, ran, evidence, out->weight);
    if (st != REN_OK) return st;
    out->probability = 0.0;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (ran[region]) out->probability += out->weight[region] * probability[region];
    return REN_OK;
}

ren_status ren__mixture_apply(const ren__mixture_data *data, const ren__combiner *combiner, int32_t index,
                              ren__prediction *out) {
    ren__evidence evidence;

    ren__region_evidence(&data->table, data->scan[index], &evidence);
    return ren__combiner_apply(combiner, data->probability + (size_t)index * REN_REGION_COUNT, &evidence, out);
}

/* A gate is a model file; a stack is JSON, and has its place in the mixture's model file later. */
ren_status ren__combiner_read(const ren_study *study, const ren__job *job, ren__combiner *out) {
    const ren__mixture_entry *mixture = &study->config->mixture[study->config->model[job->model].mixture];
    const ren__columns columns = ren__region_columns();
    char *path = NULL;
    ren_status st;

    memset(out, 0, sizeof *out);
    if (mixture->stacking) return ren__regional_predictor_read(study, job, &columns, &out->stack);
    path = ren__job_path(study, job, REN__MODEL_FILE);
    st = path ? ren_gate_load(study->context, path, &out->gate) : ren__out_of_memory();
    ren__free(path);
    return st;
}

ren_status ren__combiner_write(const ren_study *study, const ren__job *job, const ren__combiner *combiner) {
    const ren__mixture_entry *mixture = &study->config->mixture[study->config->model[job->model].mixture];
    const ren__columns columns = ren__region_columns();
    char *path = NULL;
    ren_status st;

    if (combiner->stack) return ren__regional_predictor_write(study, job, mixture->stacking, &columns, combiner->stack);
    path = ren__job_path(study, job, REN__MODEL_FILE);
    st = path ? ren_gate_save(combiner->gate, path) : ren__out_of_memory();
    ren__free(path);
    return st;
}
