/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of mixtures that are one network: training, validation, and the model of the fold. */
#include "train/mixture_network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "moe/model_file.h"
#include "moe/result.h"
#include "moe/session_cache.h"
#include "train/study_files.h"
#include "train/trainer_handle.h"

#define MODEL_FILE "model.safetensors"

static const ren__mixture_entry *entry_of(const ren_study *study, const ren__job *job) {
    return &study->config->mixture[study->config->model[job->model].mixture];
}

/* -------------------------------------------------------------------------------------------------- predictions */

static ren_status predict_one(const ren_study *study, const ren_mixture *mixture, ren__prediction *item,
                              ren__run *run) {
    ren_scan *scan = NULL;
    ren_result *result = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__dataset_scan(study->dataset, item->scan, run, &scan));
    REN_TRY(ren__mixture_predict_scan(mixture, scan, run, &result));
    item->probability = result->probability[1];
    for (int32_t i = 0; i < result->region_count; i++)
        if (result->region[i].region < REN_REGION_COUNT)
            item->weight[result->region[i].region] = result->region[i].weight;
out:
    ren_result_free(result);
    ren_scan_free(scan);
    return st;
}

/* With the weights that the mixture gave the regions. What a prediction reports of its progress becomes a part of the
 * whole's. */
static ren_status predict_validation(const ren_study *study, const ren__job *job, const ren_mixture *mixture,
                                     const int32_t *scans, int32_t count, ren__run *run, ren__predictions *out) {
    const double begin = run->stage_begin, length = run->stage_end - run->stage_begin;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < count && st == REN_OK; i++) {
        ren__prediction item = { .scan = scans[i], .fold = job->fold, .set = REN__SET_VALIDATION };
        run->stage_begin = begin + length * i / count;
        run->stage_end = begin + length * (i + 1) / count;
        st = predict_one(study, mixture, &item, run);
        if (st == REN_OK) st = ren__predictions_add(out, &item);
    }
    run->stage_begin = begin;
    run->stage_end = begin + length;
    return st;
}

/* --------------------------------------------------------------------------------------------------- the end of it */

/* What done.json says beyond the training: which mixture, what it needed, and the gate it began with. */
static ren_status describe(const ren_study *study, const ren__job *job, const double *base, json_t *done) {
    const ren__mixture_entry *entry = entry_of(study, job);
    json_t *needs = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__job_needs_json(study, job, &needs));
    REN_TRY(ren__json_set(done, "needs", needs));
    REN_TRY(ren__json_set(done, "mixture", json_string(entry->name)));
    if (!base) goto out;
    json_t *weights = json_object();
    REN_TRY(ren__json_set(done, "base", weights));
    REN_TRY(ren__json_set(done, "gate", json_string(study->config->gate[entry->gate].name)));
    for (int32_t i = 0; i < study->config->region_count; i++)
        REN_TRY(ren__json_set(weights, ren_region_name(study->config->region[i]),
                              json_real(base[study->config->region[i]])));
out:
    return st;
}

/* Predicts the fold's validation scans, and stores model, predictions and done.json with the threshold they give.
 * `mixture` is the model but for its threshold and record. */
static ren_status store(ren_study *study, const ren__job *job, ren_mixture *mixture, const int32_t *scans,
                        int32_t count, json_t *done, ren__run *run) {
    ren__predictions validation = { .context = study->context };
    ren__validation measured;
    char *path = ren__job_path(study, job, MODEL_FILE), *checkpoint = ren__job_path(study, job, REN__CHECKPOINT_FILE);
    ren_status st = REN_OK;

    if (!path || !checkpoint) {
        st = ren__out_of_memory();
        goto out;
    }
    REN_TRY(predict_validation(study, job, mixture, scans, count, run, &validation));
    REN_TRY(ren__validation_measure(study->cohort, &validation, &measured));
    mixture->threshold = measured.threshold; /* nobody shares it yet */
    REN_TRY(ren_mixture_save(mixture, path));
    REN_TRY(ren__job_finish(study, job, &validation, done));
    ren__file_remove(checkpoint);
out:
    ren__predictions_free(&validation);
    ren__free(checkpoint);
    ren__free(path);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ training */

/* What a trainer of the job gets but for what it reads. The caller frees the lists, the origin and the folder. */
static ren_status begin(const ren_study *study, const ren__job *job, int32_t *lists[2], ren__trainer_parts *parts) {
    int32_t counts[2] = { 0, 0 };
    char *folder = ren__job_path(study, job, "");
    json_t *origin = ren__job_origin(study, job);
    ren_status st = folder ? ren__json_checked(origin) : ren__out_of_memory();

    if (st == REN_OK) st = ren__job_scans(study, job, REN__SET_TRAINING, &lists[0], &counts[0]);
    if (st == REN_OK) st = ren__job_scans(study, job, REN__SET_VALIDATION, &lists[1], &counts[1]);
    *parts = (ren__trainer_parts){ .entry = &entry_of(study, job)->network,
                                   .dataset = study->dataset,
                                   .region = REN_REGION_LUNGS,
                                   .training = lists[0],
                                   .validation = lists[1],
                                   .training_count = (size_t)counts[0],
                                   .validation_count = (size_t)counts[1],
                                   .seed = ren__job_seed(study, job),
                                   .folder = folder,
                                   .origin = origin };
    return st;
}

static void end(int32_t *lists[2], const ren__trainer_parts *parts) {
    ren__free(lists[0]);
    ren__free(lists[1]);
    ren__free((char *)(uintptr_t)parts->folder);
    json_decref((json_t *)(uintptr_t)parts->origin);
}

static ren_status run_network(ren_study *study, const ren__job *job, ren__run *run) {
    const ren__mixture_entry *entry = entry_of(study, job);
    const ren__mixture_options options = { .name = entry->name };
    double base[REN_REGION_COUNT] = { 0.0 };
    int32_t *lists[2] = { NULL, NULL };
    ren__trainer_parts parts = { .entry = NULL };
    ren_trainer *trainer = NULL;
    ren_expert *expert = NULL;
    ren_mixture *mixture = NULL;
    json_t *done = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__study_gate_base(study, job->fold, entry->gate, -1, job->id, base));
    REN_TRY(begin(study, job, lists, &parts));
    parts.base = base;
    REN_TRY(ren__trainer_make(study->context, &parts, &trainer));
    run->stage_end = 0.95;
    REN_TRY(ren__trainer_train(trainer, run));
    run->stage_begin = 0.95;
    run->stage_end = 1.0;
    done = json_copy((json_t *)(uintptr_t)ren__trainer_record(trainer)); /* counts references, no more */
    REN_TRY(ren__json_checked(done));
    REN_TRY(describe(study, job, base, done));
    expert = ren__expert_retain(ren__trainer_expert(trainer));
    REN_TRY(ren__mixture_of_one(study->context, expert, &options, &mixture));
    REN_TRY(store(study, job, mixture, parts.validation, (int32_t)parts.validation_count, done, run));
out:
    json_decref(done);
    ren_mixture_free(mixture);
    ren_expert_free(expert);
    ren_trainer_free(trainer);
    end(lists, &parts);
    return st;
}

/* ------------------------------------------------------------------------------------------ general_moe: the whole */

/* One parameter from wherever it lies, in the published order. */
static void copy_parameter(const ren__weights *from, int32_t index, float *to) {
    const int64_t rows = ren__weights_arranged(from, index) ? ren__weights_shape(from, index)->dim[0] : 0;

    if (rows == 0) memcpy(to, ren__weights_read(from, index), ren__weights_elements(from, index) * sizeof *to);
    for (int64_t row = 0; row < rows; row++)
        ren__weights_get_row(from, index, row, to + row * ren__weights_shape(from, index)->dim[1]);
}

/* Those of the whole whose names begin with `prefix`, from a network that calls them without. */
static ren_status copy_part(const ren__weights *from, const char *prefix, ren__weights *whole) {
    const size_t length = strlen(prefix);

    for (int32_t i = 0; i < ren__weights_count(whole); i++) {
        const char *name = ren__weights_name(whole, i);
        if (strncmp(name, prefix, length) != 0 || (length == 0 && strncmp(name, "experts.", 8) == 0)) continue;
        const int32_t index = ren__weights_find(from, name + length);
        if (index < 0 || !ren__shape_equal(ren__weights_shape(from, index), ren__weights_shape(whole, i)))
            return ren__error(REN_E_DATA, "a finished expert's model has no %s of this shape", name + length);
        copy_parameter(from, index, ren__weights_data(whole, i));
    }
    return REN_OK;
}

static ren_status copy_experts(const ren_study *study, const ren__job *job, ren__weights *whole) {
    const ren__study_config *config = study->config;
    char prefix[64];
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->region_count && st == REN_OK; i++) {
        const int32_t model = entry_of(study, job)->expert * config->region_count + i;
        char *path = ren__job_path(study, ren__job_find(study, job->fold, model), MODEL_FILE);
        ren_expert *expert = NULL;
        st = path ? ren_expert_load(study->context, path, &expert) : ren__out_of_memory();
        snprintf(prefix, sizeof prefix, "experts.%s.", ren_region_name(config->region[i]));
        if (st == REN_OK) st = copy_part(expert->weights, prefix, whole);
        ren_expert_free(expert);
        ren__free(path);
    }
    return st;
}

/* The fold's finished experts and the head in one network; `head` NULL: as it is drawn, for what the experts say alone.
 */
static ren_status join(const ren_study *study, const ren__job *job, const ren__weights *head, const json_t *record,
                       ren_expert **out) {
    const ren__expert_entry *of = &study->config->expert[entry_of(study, job)->expert];
    const json_t *network = entry_of(study, job)->network.network;
    ren_expert *whole = NULL;
    json_t *config =
        json_pack("{s:O, s:i, s:{s:s, s:O}, s:O*}", "input_size", json_object_get(of->network, "input_size"),
                  "n_experts", (int)study->config->region_count, "expert", "arch", of->net->name, "config", of->network,
                  "dropout", json_object_get(network, "dropout"));
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(config));
    REN_TRY(ren__expert_new(study->context, &ren__joined_experts_net, config, record, REN_REGION_LUNGS,
                            &study->config->preset, &whole));
    REN_TRY(ren__weights_create(study->context, whole->graph, &whole->weights));
    REN_TRY(ren__weights_initialise(whole->weights, 0));
    REN_TRY(copy_experts(study, job, whole->weights));
    if (head) REN_TRY(copy_part(head, "", whole->weights));
    *out = whole;
    whole = NULL;
out:
    ren_expert_free(whole);
    json_decref(config);
    return st;
}

/* ------------------------------------------------------------------------------------------- general_moe: the head */

/* What the experts say of the scans of one list, into rows of the data set's scans. */
static ren_status run_experts(const ren_study *study, ren__session *session, const int32_t *scans, size_t count,
                              size_t columns, double done, double share, ren__run *run, float *rows) {
    float *x = ren__session_input(session, "x"), *lobes = ren__session_input(session, "lobes");
    ren_status st = REN_OK;

    for (size_t i = 0; i < count; i++) {
        REN_TRY(ren__run_progress(run, "features", done + share * (double)i / (double)count));
        REN_TRY(ren__dataset_fill(study->dataset, scans[i], REN_REGION_LUNGS, run, x, NULL));
        REN_TRY(ren__dataset_fill_lobes(study->dataset, scans[i], run, lobes));
        REN_TRY(ren__session_run(session, run));
        memcpy(rows + (size_t)scans[i] * columns, ren__session_output(session, "expert_features"),
               columns * sizeof *rows);
    }
out:
    return st;
}

/* A row for each scan of the data set; of training and validation scans alone there is something in it. */
static ren_status make_features(const ren_study *study, const ren__job *job, ren__run *run, ren__trainer_parts *parts,
                                float **out) {
    const size_t scans = (size_t)ren_dataset_count(study->dataset);
    ren_context *context = study->context;
    ren_expert *whole = NULL;
    ren__session *session = NULL;
    float *rows = NULL;
    ren_status st = REN_OK;

    REN_TRY(join(study, job, NULL, NULL, &whole));
    REN_TRY(ren__expert_session(whole, &session));
    const ren__shape *shape = ren__session_output_shape(session, "expert_features");
    const size_t columns = (size_t)ren__shape_elements(shape);
    REN_CALLOC(rows, scans * columns);
    for (size_t i = 0; i < scans; i++)
        rows[i * columns] = NAN;
    REN_TRY(run_experts(study, session, parts->training, parts->training_count, columns, 0.0, 0.7, run, rows));
    REN_TRY(run_experts(study, session, parts->validation, parts->validation_count, columns, 0.7, 0.3, run, rows));
    parts->features = *out = rows;
    parts->feature_count = columns;
    rows = NULL;
out:
    ren__free(rows);
    ren__session_free(session);
    ren_expert_free(whole);
    return st;
}

static ren_status run_head(ren_study *study, const ren__job *job, ren__run *run) {
    const ren__mixture_options options = { .name = entry_of(study, job)->name };
    int32_t *lists[2] = { NULL, NULL };
    ren__trainer_parts parts = { .entry = NULL };
    float *features = NULL;
    ren_trainer *trainer = NULL;
    ren_expert *whole = NULL;
    ren_mixture *mixture = NULL;
    json_t *done = NULL;
    ren_status st = REN_OK;

    REN_TRY(begin(study, job, lists, &parts));
    run->stage_end = 0.5;
    REN_TRY(make_features(study, job, run, &parts, &features));
    run->stage_begin = 0.5;
    run->stage_end = 0.9;
    REN_TRY(ren__trainer_make(study->context, &parts, &trainer));
    REN_TRY(ren__trainer_train(trainer, run));
    run->stage_begin = 0.9;
    run->stage_end = 1.0;
    REN_TRY(join(study, job, ren__trainer_head(trainer), ren__trainer_record(trainer), &whole));
    REN_TRY(ren__mixture_of_one(study->context, whole, &options, &mixture));
    done = json_copy((json_t *)(uintptr_t)ren__trainer_record(trainer)); /* counts references, no more */
    REN_TRY(ren__json_checked(done));
    REN_TRY(describe(study, job, NULL, done));
    REN_TRY(store(study, job, mixture, parts.validation, (int32_t)parts.validation_count, done, run));
out:
    json_decref(done);
    ren_mixture_free(mixture);
    ren_expert_free(whole);
    ren_trainer_free(trainer);
    ren__free(features);
    end(lists, &parts);
    return st;
}

ren_status ren__mixture_network_run(ren_study *study, const ren__job *job, ren__run *run) {
    return entry_of(study, job)->expert >= 0 ? run_head(study, job, run) : run_network(study, job, run);
}
