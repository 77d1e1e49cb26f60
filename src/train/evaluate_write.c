/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation as JSON: all of it. */
#include <math.h>
#include <string.h>

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

static ren_status region_weight_json(const ren__evaluation *evaluation, const ren__model_weights *from, int32_t region,
                                     json_t *list) {
    json_t *object = json_object();
    ren_status st = REN_OK;

    REN_TRY(ren__json_append(list, object));
    REN_TRY(ren__json_set(object, "region", json_string(ren_region_name(region))));
    REN_TRY(ren__json_set(object, "mean", ren__json_real(from->mean[region])));
    REN_TRY(ren__json_set(object, "sd_over_scans", ren__json_real(from->sd[region])));
    REN_TRY(ren__json_set(object, "percentile_5", ren__json_real(from->low[region])));
    REN_TRY(ren__json_set(object, "percentile_95", ren__json_real(from->high[region])));
    REN_TRY(ren__json_set(object, "mean_label_0", ren__json_real(from->by_label[0][region])));
    REN_TRY(ren__json_set(object, "mean_label_1", ren__json_real(from->by_label[1][region])));
    json_t *folds = json_array();
    REN_TRY(ren__json_set(object, "mean_of_folds", folds));
    for (int32_t i = 0; i < evaluation->study->config->run_count; i++)
        REN_TRY(ren__json_append(folds, ren__json_real(from->fold[i][region])));
out:
    return st;
}

/* Of mixtures that weight regions. */
static ren_status weights_json(const ren__evaluation *evaluation, const ren__model_weights *from, json_t *model) {
    json_t *object, *list;
    ren_status st = REN_OK;

    if (from->scans == 0) return REN_OK;
    object = json_object();
    REN_TRY(ren__json_set(model, "weights", object));
    REN_TRY(ren__json_set(object, "scans", json_integer(from->scans)));
    REN_TRY(ren__json_set(object, "per_scan", json_boolean(from->varies)));
    list = json_array();
    REN_TRY(ren__json_set(object, "regions", list));
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (from->mean[region] > 0.0) REN_TRY(region_weight_json(evaluation, from, region, list));
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
    REN_TRY(ren__json_set(object, "flop", ren__json_real(from->flops)));
    REN_TRY(weights_json(evaluation, &from->weights, object));
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

    REN_TRY(ren__json_set(
        tree, "comparison_method",
        json_pack("{s:s, s:i, s:I, s:s}", "test",
                  "paired bootstrap over patients of the difference of AUC, pooled out-of-fold "
                  "predictions",
                  "resamples", (int)REN__BOOTSTRAP_RESAMPLES, "seed", (json_int_t)evaluation->study->config->seed,
                  "correction",
                  "the primary comparison stands alone; other comparisons, ablations and regional contrasts "
                  "are corrected by Holm, each of the three among themselves")));
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

/* --------------------------------------------------------------------------------------- ablations, contrasts */

static ren_status test_json(const ren__comparison *found, double holm, const char *key, json_t *object) {
    ren_status st = REN_OK;

    REN_TRY(ren__json_set(object, key, ren__json_real(found->estimate)));
    REN_TRY(ren__json_set(object, "interval", interval_json(found)));
    REN_TRY(ren__json_set(object, "p", ren__json_real(found->p)));
    REN_TRY(ren__json_set(object, "p_holm", ren__json_real(holm)));
out:
    return st;
}

static ren_status ablation_json(const ren__evaluation *evaluation, const ren__ablation *from, json_t *list) {
    json_t *object = json_object();
    ren_text *title = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__json_append(list, object));
    REN_TRY(ren__text_create(evaluation->context, &title));
    ren__ablation_title(evaluation, from, title);
    REN_TRY(title->status);
    REN_TRY(ren__json_set(object, "mixture", json_string(evaluation->study->config->model[from->model].name)));
    REN_TRY(ren__json_set(object, "ablation", json_string(ren_text_data(title))));
    REN_TRY(ren__json_set(object, "kind", json_string(ren__ablation_name(from->kind))));
    if (from->region >= 0) REN_TRY(ren__json_set(object, "region", json_string(ren_region_name(from->region))));
    REN_TRY(ren__json_set(object, "patients", json_integer(from->patients)));
    REN_TRY(ren__json_set(object, "auc_mixture", ren__json_real(from->whole)));
    REN_TRY(ren__json_set(object, "auc", ren__json_real(from->left)));
    REN_TRY(test_json(&from->change, from->holm, "auc_change", object));
out:
    ren_text_free(title);
    return st;
}

static ren_status ablations_json(const ren__evaluation *evaluation, json_t *tree) {
    json_t *object = json_object(), *list;
    ren_status st = REN_OK;

    REN_TRY(ren__json_set(tree, "ablations", object));
    REN_TRY(ren__json_set(object, "note",
                          json_string("descriptive: made of the stored predictions, weights normalised over the "
                                      "experts that are left, nothing trained again; p corrected by Holm over all "
                                      "ablations; auc_change is AUC without the part less AUC of the mixture")));
    list = json_array();
    REN_TRY(ren__json_set(object, "list", list));
    for (int32_t i = 0; i < evaluation->ablation_count; i++)
        REN_TRY(ablation_json(evaluation, &evaluation->ablation[i], list));
out:
    return st;
}

static ren_status contrast_json(const ren__evaluation *evaluation, const ren__contrast *from, json_t *list) {
    json_t *object = json_object(), *names = json_array();
    ren_status st = ren__json_append(list, object);

    if (st != REN_OK) {
        json_decref(names);
        return st;
    }
    REN_TRY(ren__json_set(object, "models", names));
    for (int32_t i = 0; i < from->group_count; i++) {
        const ren__study_model *first = &evaluation->study->config->model[from->groups[i]];
        REN_TRY(ren__json_append(names, json_stringn(first->name, (size_t)ren__group_length(first))));
    }
    REN_TRY(ren__json_set(object, "patients", json_integer(from->patients)));
    REN_TRY(ren__json_set(object, "auc_lower_lobes", ren__json_real(from->lower)));
    REN_TRY(ren__json_set(object, "auc_other_lobes", ren__json_real(from->upper)));
    REN_TRY(test_json(&from->difference, from->holm, "auc_difference", object));
out:
    return st;
}

static ren_status contrasts_json(const ren__evaluation *evaluation, json_t *tree) {
    json_t *object = json_object(), *list;
    ren_status st = REN_OK;

    REN_TRY(ren__json_set(tree, "regional_contrasts", object));
    REN_TRY(ren__json_set(object, "note",
                          json_string("descriptive: mean AUC of the models of LLL and RLL less that of LUL, RUL and "
                                      "RML; p corrected by Holm over all contrasts")));
    list = json_array();
    REN_TRY(ren__json_set(object, "list", list));
    for (int32_t i = 0; i < evaluation->contrast_count; i++)
        REN_TRY(contrast_json(evaluation, &evaluation->contrast[i], list));
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
    REN_TRY(contrasts_json(evaluation, tree));
    REN_TRY(ablations_json(evaluation, tree));
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
