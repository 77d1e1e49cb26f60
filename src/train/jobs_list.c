/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which jobs a study has, and what each needs. Everything follows from the configuration; a job's stage is one more
 * than the highest of those it needs, so that jobs of one stage may run in any order and side by side.
 */
#include <stdio.h>
#include <string.h>

#include "train/gates_table.h"
#include "train/jobs.h"
#include "train/study_files.h"

/* -------------------------------------------------------------------------------------------------------- needs */

/* Calls come with ever higher numbers until the job runs out: small enough to look each one up. */
typedef struct search {
    const ren_study *study;
    const ren__job *job;
    int32_t left; /* needs to pass over */
    const ren__job *found;
} search;

static void offer(search *s, const ren__job *need) {
    if (!s->found && need && s->left-- == 0) s->found = need;
}

static void offer_experts(search *s, int32_t expert) {
    const int32_t regions = s->study->config->region_count;

    for (int32_t i = 0; expert >= 0 && i < regions; i++)
        offer(s, ren__job_find(s->study, s->job->fold, expert * regions + i));
}

/* Not 0 where the gate reads what experts make of scans before their last layer. */
static int reads_features(const ren__gate_entry *gate) {
    return gate->measure && (gate->mode == REN__GATE_PER_SCAN || strcmp(gate->measure, "auc") != 0);
}

static void offer_gate(search *s, int32_t index, int32_t expert) {
    const ren_study *study = s->study;
    const ren__gate_entry *gate = &study->config->gate[index];

    if (gate->of >= 0 && gate->of != expert) offer_experts(s, gate->of);
    if (reads_features(gate)) offer(s, ren__table_job(study, REN__JOB_FEATURES, s->job->fold, gate->of));
    if (!gate->predictor) return;
    if (gate->mode == REN__GATE_PER_SCAN) offer(s, ren__table_job(study, REN__JOB_TABLE, -1, gate->table));
    for (int32_t i = 0; i < study->config->region_count; i++)
        offer(s, ren__job_find(study, s->job->fold, ren__study_predictor(study->config, index, i)));
}

const ren__job *ren__job_need(const ren_study *study, const ren__job *job, int32_t need) {
    const ren__study_config *config = study->config;
    search s = { .study = study, .job = job, .left = need };

    if (job->kind == REN__JOB_FEATURES) {
        offer_experts(&s, job->of);
    } else if (job->kind == REN__JOB_MODEL && config->model[job->model].gate >= 0) {
        offer(&s, ren__table_job(study, REN__JOB_TABLE, -1, config->gate[config->model[job->model].gate].table));
    } else if (job->kind == REN__JOB_MODEL && config->model[job->model].mixture >= 0) {
        const ren__mixture_entry *mixture = &config->mixture[config->model[job->model].mixture];
        offer_experts(&s, mixture->expert);
        if (mixture->gate >= 0) offer_gate(&s, mixture->gate, mixture->expert);
    }
    return s.found;
}

ren_status ren__job_needs_json(const ren_study *study, const ren__job *job, json_t **out) {
    json_t *list = json_array();
    const ren__job *need;
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(list));
    for (int32_t i = 0; (need = ren__job_need(study, job, i)); i++)
        REN_TRY(ren__json_append(list, json_string(need->id)));
    *out = list;
    list = NULL;
out:
    json_decref(list);
    return st;
}

/* --------------------------------------------------------------------------------------------------------- list */

static ren__job *add(ren_study *study, enum ren__job_kind kind, int32_t fold, int32_t model, int32_t of) {
    ren__job *job = &study->job[study->job_count++];

    *job = (ren__job){ .kind = kind, .fold = fold, .model = model, .of = of };
    return job;
}

/* A table for each set of parameters, under the name of the first gate that has it. */
static void add_tables(ren_study *study) {
    const ren__study_config *config = study->config;

    for (int32_t gate = 0; gate < config->gate_count; gate++) {
        if (config->gate[gate].table != gate) continue;
        ren__job *job = add(study, REN__JOB_TABLE, -1, -1, gate);
        snprintf(job->id, sizeof job->id, "radiomics.%s", config->gate[gate].name);
    }
}

/* For an entry of experts that some gate reads the features of. */
static void add_features(ren_study *study, int32_t fold, int32_t expert) {
    const ren__study_config *config = study->config;
    int wanted = 0;

    for (int32_t gate = 0; gate < config->gate_count; gate++)
        wanted |= config->gate[gate].of == expert && reads_features(&config->gate[gate]);
    if (!wanted) return;
    ren__job *job = add(study, REN__JOB_FEATURES, fold, -1, expert);
    snprintf(job->id, sizeof job->id, "fold%d.%s.features", (int)fold, config->expert[expert].name);
}

static void add_model(ren_study *study, int32_t fold, int32_t model) {
    ren__job *job = add(study, REN__JOB_MODEL, fold, model, -1);

    snprintf(job->id, sizeof job->id, "fold%d.%s", (int)fold, study->config->model[model].name);
}

/* What a job needs stands before it. */
static void set_stages(ren_study *study) {
    for (int32_t i = 0; i < study->job_count; i++) {
        const ren__job *need;
        study->job[i].stage = 1;
        for (int32_t k = 0; (need = ren__job_need(study, &study->job[i], k)); k++)
            if (need->stage >= study->job[i].stage) study->job[i].stage = need->stage + 1;
    }
}

ren_status ren__jobs_list(ren_study *study) {
    ren_context *context = study->context;
    const ren__study_config *config = study->config;
    const size_t of_fold = (size_t)config->model_count + (size_t)config->expert_count;
    const int32_t mixtures = ren__study_first_mixture(config);
    ren_status st = REN_OK;

    REN_CALLOC(study->job, (size_t)config->gate_count + (size_t)config->run_count * of_fold);
    add_tables(study);
    for (int32_t i = 0; i < config->run_count; i++) {
        for (int32_t model = 0; model < mixtures; model++)
            add_model(study, config->run[i], model);
        for (int32_t expert = 0; expert < config->expert_count; expert++)
            add_features(study, config->run[i], expert);
        for (int32_t model = mixtures; model < config->model_count; model++)
            add_model(study, config->run[i], model);
    }
    set_stages(study);
out:
    return st;
}
