/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation as JSON (all of it) and CSV (one row a model, unit and fold). */
#include <math.h>
#include <string.h>

#include "format/csv.h"
#include "format/document_write.h"
#include "train/evaluate.h"
#include "train/study_files.h"

static const char *const unit_names[REN__UNIT_COUNT] = { "patient", "scan" };

/* --------------------------------------------------------------------------------------------------------- JSON */

/* `fold` -1: pooled. */
static ren_status measured_json(const ren__measured *from, int32_t fold, json_t **out) {
    const ren__metrics *metrics = &from->metrics;
    json_t *object = json_object();
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(object));
    if (fold >= 0) REN_TRY(ren__json_set(object, "fold", json_integer(fold)));
    REN_TRY(ren__json_set(object, "count", json_integer(metrics->count)));
    REN_TRY(ren__json_set(object, "positives", json_integer(metrics->positives)));
    if (fold >= 0) REN_TRY(ren__json_set(object, "threshold", ren__json_real(metrics->threshold)));
    for (int32_t k = 0; k < REN__METRIC_COUNT; k++)
        REN_TRY(ren__json_set(object, ren__metric_names[k].key,
                              from->defined ? ren__json_real(ren__metric_value(metrics, k)) : json_null()));
    if (from->defined)
        REN_TRY(
            ren__json_set(object, "confusion",
                          json_pack("{s:i, s:i, s:i, s:i}", "true_negative", (int)metrics->confusion[0][0],
                                    "false_positive", (int)metrics->confusion[0][1], "false_negative",
                                    (int)metrics->confusion[1][0], "true_positive", (int)metrics->confusion[1][1])));
    *out = object;
    object = NULL;
out:
    json_decref(object);
    return st;
}

static json_t *interval_json(const ren__comparison *from) {
    return isnan(from->estimate) ? json_null() : json_pack("[f, f]", from->low, from->high);
}

static ren_status averages_json(const double values[REN__METRIC_COUNT], json_t *level, const char *key) {
    json_t *object = json_object();
    ren_status st = ren__json_set(level, key, object);

    for (int32_t k = 0; k < REN__METRIC_COUNT && st == REN_OK; k++)
        st = ren__json_set(object, ren__metric_names[k].key, ren__json_real(values[k]));
    return st;
}

static ren_status level_json(const ren__evaluation *evaluation, const ren__level *from, json_t *model, int32_t unit) {
    const ren__study_config *config = evaluation->study->config;
    json_t *level = json_object(), *measured = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__json_set(model, unit_names[unit], level));
    REN_TRY(measured_json(&from->pooled, -1, &measured));
    REN_TRY(ren__json_set(level, "pooled", measured));
    if (unit == REN__UNIT_PATIENT) {
        REN_TRY(ren__json_set(measured, "auc_interval_bootstrap", interval_json(&from->bootstrap)));
        REN_TRY(ren__json_set(measured, "auc_interval_delong", interval_json(&from->delong)));
    }
    REN_TRY(averages_json(from->mean, level, "mean"));
    REN_TRY(averages_json(from->sd, level, "sd"));
    REN_TRY(ren__json_set(level, "folds_averaged", json_integer(from->averaged)));
    json_t *folds = json_array();
    REN_TRY(ren__json_set(level, "folds", folds));
    for (int32_t i = 0; i < config->run_count; i++) {
        REN_TRY(measured_json(&from->fold[i], config->run[i], &measured));
        REN_TRY(ren__json_append(folds, measured));
    }
out:
    return st;
}

/* Of what a model is made: an expert, a gate, a network of its own. */
static ren_status origin_json(const ren__study_config *config, const ren__study_model *model, json_t *object) {
    const ren__mixture_entry *mixture = model->mixture >= 0 ? &config->mixture[model->mixture] : NULL;
    const ren__expert_entry *expert = model->expert >= 0 ? &config->expert[model->expert] : NULL;
    const int32_t number = mixture ? mixture->gate : model->gate;
    const ren__net *net = mixture && mixture->network.net ? mixture->network.net : expert ? expert->net : NULL;
    ren_status st = REN_OK;

    if (expert) REN_TRY(ren__json_set(object, "expert", json_string(expert->name)));
    if (net) REN_TRY(ren__json_set(object, "architecture", json_string(net->name)));
    if (number >= 0) {
        REN_TRY(ren__json_set(object, "gate", json_string(config->gate[number].name)));
        REN_TRY(ren__json_set(object, "gate_source", json_string(config->gate[number].source)));
    }
    if (model->gate >= 0) REN_TRY(ren__json_set(object, "predictor", json_string(config->gate[number].predictor)));
    if (mixture && mixture->stacking) REN_TRY(ren__json_set(object, "stacking", json_string(mixture->stacking)));
    if (model->region >= 0) REN_TRY(ren__json_set(object, "region", json_string(ren_region_name(model->region))));
out:
    return st;
}

static ren_status model_json(const ren__evaluation *evaluation, int32_t index, json_t *list) {
    const ren__study_config *config = evaluation->study->config;
    const ren__study_model *model = &config->model[index];
    const ren__model_evaluation *from = &evaluation->model[index];
    json_t *object = json_object();
    ren_status st = REN_OK;

    REN_TRY(ren__json_append(list, object));
    REN_TRY(ren__json_set(object, "name", json_string(model->name)));
    REN_TRY(ren__json_set(object, "kind", json_string(ren__study_model_kind(model))));
    REN_TRY(origin_json(config, model, object));
    REN_TRY(ren__json_set(object, "parameters", json_integer(from->parameters)));
    REN_TRY(ren__json_set(object, "flop", json_real(from->flops)));
    for (int32_t unit = 0; unit < REN__UNIT_COUNT; unit++)
        REN_TRY(level_json(evaluation, &from->level[unit], object, unit));
out:
    return st;
}

static ren_status pair_json(const ren__evaluation *evaluation, const ren__pair *pair, json_t **out) {
    const ren__study_config *config = evaluation->study->config;
    const ren__comparison *found = &pair->bootstrap;
    json_t *object = json_object();
    ren_status st = REN_OK;

    REN_TRY(ren__json_checked(object));
    REN_TRY(ren__json_set(object, "a", json_string(config->model[pair->a].name)));
    REN_TRY(ren__json_set(object, "b", json_string(config->model[pair->b].name)));
    REN_TRY(ren__json_set(object, "patients", json_integer(pair->patients)));
    REN_TRY(ren__json_set(object, "auc_difference", ren__json_real(found->estimate)));
    REN_TRY(ren__json_set(object, "interval", interval_json(found)));
    REN_TRY(ren__json_set(object, "p", ren__json_real(found->p)));
    *out = object;
    object = NULL;
out:
    json_decref(object);
    return st;
}

/* What is for description only is told apart by name and by a sentence. */
static ren_status descriptive_json(const ren__evaluation *evaluation, json_t *tree) {
    json_t *object = json_object();
    ren_status st = REN_OK;

    if (evaluation->primary.a < 0) {
        json_decref(object);
        return REN_OK;
    }
    REN_TRY(ren__json_set(tree, "descriptive", object));
    REN_TRY(ren__json_set(object, "note",
                          json_string("not a test of the hypothesis: over five folds the smallest two-sided exact "
                                      "Wilcoxon p is 0.0625, and folds share their training patients")));
    REN_TRY(ren__json_set(object, "wilcoxon_p_over_folds", ren__json_real(evaluation->wilcoxon)));
    REN_TRY(ren__json_set(object, "delong_p", ren__json_real(evaluation->delong.p)));
    REN_TRY(ren__json_set(object, "delong_interval", interval_json(&evaluation->delong)));
out:
    return st;
}

static ren_status comparisons_json(const ren__evaluation *evaluation, json_t *tree) {
    json_t *pair = NULL, *list = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__json_set(tree, "comparison_method",
                          json_pack("{s:s, s:i, s:I, s:s}", "test",
                                    "paired bootstrap over patients of the difference of AUC, pooled out-of-fold "
                                    "predictions",
                                    "resamples", (int)REN__BOOTSTRAP_RESAMPLES, "seed",
                                    (json_int_t)evaluation->study->config->seed, "correction",
                                    "the primary comparison stands alone; all others are corrected by Holm")));
    if (evaluation->primary.a >= 0) REN_TRY(pair_json(evaluation, &evaluation->primary, &pair));
    REN_TRY(ren__json_set(tree, "primary", pair ? pair : json_null()));
    list = json_array();
    REN_TRY(ren__json_set(tree, "others", list));
    for (int32_t i = 0; i < evaluation->other_count; i++) {
        REN_TRY(pair_json(evaluation, &evaluation->other[i], &pair));
        REN_TRY(ren__json_append(list, pair));
        REN_TRY(ren__json_set(pair, "p_holm", ren__json_real(evaluation->other[i].holm)));
    }
    REN_TRY(descriptive_json(evaluation, tree));
out:
    return st;
}

ren_status ren__evaluation_json(const ren__evaluation *evaluation, json_t **out) {
    const ren__study_config *config = evaluation->study->config;
    json_t *tree = NULL, *list = NULL;
    ren_status st = REN_OK;

    *out = NULL;
    tree = json_pack("{s:s, s:s, s:I, s:s, s:I, s:s, s:i, s:[], s:i, s:i}", "study", config->study, "library",
                     ren_version(), "evaluations", (json_int_t)evaluation->number, "notice",
                     "research use only, not verified", "seed", (json_int_t)config->seed, "protocol",
                     config->protocol == REN__PROTOCOL_PAPER ? "paper" : "default", "folds", (int)config->folds,
                     "folds_run", "tested_patients", (int)evaluation->patients, "tested_scans", (int)evaluation->scans);
    REN_TRY(ren__json_checked(tree));
    for (int32_t i = 0; i < config->run_count; i++)
        REN_TRY(ren__json_append(json_object_get(tree, "folds_run"), json_integer(config->run[i])));
    REN_TRY(comparisons_json(evaluation, tree));
    list = json_array();
    REN_TRY(ren__json_set(tree, "models", list));
    for (int32_t model = 0; model < config->model_count; model++)
        REN_TRY(model_json(evaluation, model, list));
    *out = tree;
    tree = NULL;
out:
    json_decref(tree);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- CSV */

static void number_field(ren_text *text, double value) {
    ren__text_add(text, ",");
    if (!isnan(value)) ren__write_real(text, value);
}

static void row_begin(const ren__evaluation *evaluation, int32_t model, int32_t unit, const char *fold,
                      ren_text *text) {
    const ren__study_model *of = &evaluation->study->config->model[model];

    ren__csv_add(text, of->name, 0);
    ren__text_addf(text, "%s,%s,%s", ren__study_model_kind(of), unit_names[unit], fold);
}

static void measured_row(const ren__measured *from, const ren__comparison *interval, ren_text *text) {
    const ren__metrics *metrics = &from->metrics;

    ren__text_addf(text, ",%d,%d", metrics->count, metrics->positives);
    number_field(text, metrics->threshold);
    for (int32_t k = 0; k < REN__METRIC_COUNT; k++)
        number_field(text, from->defined ? ren__metric_value(metrics, k) : NAN);
    number_field(text, interval ? interval->low : NAN);
    number_field(text, interval ? interval->high : NAN);
    if (from->defined)
        ren__text_addf(text, ",%d,%d,%d,%d\n", metrics->confusion[0][0], metrics->confusion[0][1],
                       metrics->confusion[1][0], metrics->confusion[1][1]);
    else
        ren__text_add(text, ",,,,\n");
}

static void averages_row(const double values[REN__METRIC_COUNT], ren_text *text) {
    ren__text_add(text, ",,,");
    for (int32_t k = 0; k < REN__METRIC_COUNT; k++)
        number_field(text, values[k]);
    ren__text_add(text, ",,,,,,\n");
}

static void level_rows(const ren__evaluation *evaluation, int32_t model, int32_t unit, ren_text *text) {
    const ren__study_config *config = evaluation->study->config;
    const ren__level *level = &evaluation->model[model].level[unit];

    for (int32_t i = 0; i < config->run_count; i++) {
        row_begin(evaluation, model, unit, "", text);
        ren__text_addf(text, "%d", config->run[i]);
        measured_row(&level->fold[i], NULL, text);
    }
    row_begin(evaluation, model, unit, "mean", text);
    averages_row(level->mean, text);
    row_begin(evaluation, model, unit, "sd", text);
    averages_row(level->sd, text);
    row_begin(evaluation, model, unit, "pooled", text);
    measured_row(&level->pooled, unit == REN__UNIT_PATIENT ? &level->bootstrap : NULL, text);
}

ren_status ren__evaluation_csv(const ren__evaluation *evaluation, ren_text *text) {
    ren__text_add(text, "model,kind,unit,fold,count,positives,threshold");
    for (int32_t k = 0; k < REN__METRIC_COUNT; k++)
        ren__text_addf(text, ",%s", ren__metric_names[k].key);
    ren__text_add(text, ",auc_low,auc_high,true_negative,false_positive,false_negative,true_positive\n");
    for (int32_t model = 0; model < evaluation->study->config->model_count; model++)
        for (int32_t unit = 0; unit < REN__UNIT_COUNT; unit++)
            level_rows(evaluation, model, unit, text);
    return text->status;
}
