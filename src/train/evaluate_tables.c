/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation as tables for other programs. CSV; a field is empty where there is no number. */
#include <math.h>
#include <string.h>

#include "format/csv.h"
#include "format/document_write.h"
#include "train/evaluate.h"

static void number_field(ren_text *text, double value) {
    ren__text_add(text, ",");
    if (!isnan(value)) ren__write_real(text, value);
}

/* -------------------------------------------------------------------------------------------- models and folds */

static const char *const unit_names[REN__UNIT_COUNT] = { "patient", "scan" };

static void row_begin(const ren__evaluation *evaluation, int32_t model, int32_t unit, const char *fold,
                      ren_text *text) {
    const ren__study_model *of = &evaluation->study->config->model[model];

    ren__csv_add(text, of->name, 0);
    ren__text_addf(text, "%s,%s,%s", ren__study_model_kind(of), unit_names[unit], fold);
}

/* What the model is made of and how large it is: the same in all its rows, for tables are filtered by it. */
static void row_end(const ren__evaluation *evaluation, int32_t model, ren_text *text) {
    const ren__study_config *config = evaluation->study->config;
    const ren__study_model *of = &config->model[model];
    const ren__mixture_entry *mixture = of->mixture >= 0 ? &config->mixture[of->mixture] : NULL;
    const int32_t gate = mixture ? mixture->gate : of->gate;

    ren__text_addf(text, ",%s,%s,%s,%lld", of->expert >= 0 ? config->expert[of->expert].name : "",
                   of->region >= 0 ? ren_region_name(of->region) : "", gate >= 0 ? config->gate[gate].name : "",
                   (long long)evaluation->model[model].parameters);
    number_field(text, evaluation->model[model].flops);
    ren__text_add(text, "\n");
}

static void measured_fields(const ren__measured *from, const ren__comparison *interval, ren_text *text) {
    const ren__metrics *metrics = &from->metrics;

    ren__text_addf(text, ",%d,%d", metrics->count, metrics->positives);
    number_field(text, metrics->threshold);
    for (int32_t k = 0; k < REN__METRIC_COUNT; k++)
        number_field(text, from->defined ? ren__metric_value(metrics, k) : (double)NAN);
    number_field(text, interval ? interval->low : (double)NAN);
    number_field(text, interval ? interval->high : (double)NAN);
    if (from->defined)
        ren__text_addf(text, ",%d,%d,%d,%d", metrics->confusion[0][0], metrics->confusion[0][1],
                       metrics->confusion[1][0], metrics->confusion[1][1]);
    else
        ren__text_add(text, ",,,,");
}

static void averages_fields(const double values[REN__METRIC_COUNT], ren_text *text) {
    ren__text_add(text, ",,,");
    for (int32_t k = 0; k < REN__METRIC_COUNT; k++)
        number_field(text, values[k]);
    ren__text_add(text, ",,,,,,");
}

static void level_rows(const ren__evaluation *evaluation, int32_t model, int32_t unit, ren_text *text) {
    const ren__study_config *config = evaluation->study->config;
    const ren__level *level = &evaluation->model[model].level[unit];

    for (int32_t i = 0; i < config->run_count; i++) {
        row_begin(evaluation, model, unit, "", text);
        ren__text_addf(text, "%d", config->run[i]);
        measured_fields(&level->fold[i], NULL, text);
        row_end(evaluation, model, text);
    }
    row_begin(evaluation, model, unit, "mean", text);
    averages_fields(level->mean, text);
    row_end(evaluation, model, text);
    row_begin(evaluation, model, unit, "sd", text);
    averages_fields(level->sd, text);
    row_end(evaluation, model, text);
    row_begin(evaluation, model, unit, "pooled", text);
    measured_fields(&level->pooled, unit == REN__UNIT_PATIENT ? &level->bootstrap : NULL, text);
    row_end(evaluation, model, text);
}

ren_status ren__evaluation_csv(const ren__evaluation *evaluation, ren_text *text) {
    ren__text_add(text, "model,kind,unit,fold,count,positives,threshold");
    for (int32_t k = 0; k < REN__METRIC_COUNT; k++)
        ren__text_addf(text, ",%s", ren__metric_names[k].key);
    ren__text_add(text, ",auc_low,auc_high,true_negative,false_positive,false_negative,true_positive,expert,region,"
                        "gate,parameters,flop\n");
    for (int32_t model = 0; model < evaluation->study->config->model_count; model++)
        for (int32_t unit = 0; unit < REN__UNIT_COUNT; unit++)
            level_rows(evaluation, model, unit, text);
    return text->status;
}

/* -------------------------------------------------------------------------------------------------------- tests */

static void test_fields(const ren__comparison *found, double a, double b, double holm, ren_text *text) {
    number_field(text, a);
    number_field(text, b);
    number_field(text, found->estimate);
    number_field(text, found->low);
    number_field(text, found->high);
    number_field(text, found->p);
    number_field(text, holm);
    ren__text_add(text, "\n");
}

static void pair_row(const ren__evaluation *evaluation, const char *family, const ren__pair *pair, ren_text *text) {
    const ren__study_config *config = evaluation->study->config;

    ren__csv_add(text, family, 0);
    ren__csv_add(text, config->model[pair->a].name, 0);
    ren__csv_add(text, config->model[pair->b].name, 0);
    ren__text_addf(text, "%d", pair->patients);
    test_fields(&pair->bootstrap, pair->auc[0], pair->auc[1], pair->holm, text);
}

static void contrast_row(const ren__evaluation *evaluation, const ren__contrast *contrast, ren_text *text) {
    for (int side = 0; side < 2; side++) {
        ren__text_add(text, side == 0 ? "regional contrast," : ",");
        for (int32_t i = 0; i < contrast->group_count; i++) {
            const ren__study_model *first = &evaluation->study->config->model[contrast->groups[i]];
            ren__text_addf(text, "%s%.*s", i > 0 ? " " : "", ren__group_length(first), first->name);
        }
        ren__text_add(text, side == 0 ? " lower lobes" : " other lobes");
    }
    ren__text_addf(text, ",%d", contrast->patients);
    test_fields(&contrast->difference, contrast->lower, contrast->upper, contrast->holm, text);
}

static void ablation_row(const ren__evaluation *evaluation, const ren__ablation *ablation, ren_text *text) {
    const char *name = evaluation->study->config->model[ablation->model].name;

    ren__text_addf(text, "ablation,%s ", name);
    ren__ablation_title(evaluation, ablation, text);
    ren__text_addf(text, ",%s,%d", name, ablation->patients);
    test_fields(&ablation->change, ablation->left, ablation->whole, ablation->holm, text);
}

ren_status ren__evaluation_tests_csv(const ren__evaluation *evaluation, ren_text *text) {
    ren__text_add(text, "family,a,b,patients,auc_a,auc_b,difference,low,high,p,p_holm\n");
    if (evaluation->primary.a >= 0) pair_row(evaluation, "primary", &evaluation->primary, text);
    for (int32_t i = 0; i < evaluation->other_count; i++)
        pair_row(evaluation, "other", &evaluation->other[i], text);
    for (int32_t i = 0; i < evaluation->contrast_count; i++)
        contrast_row(evaluation, &evaluation->contrast[i], text);
    for (int32_t i = 0; i < evaluation->ablation_count; i++)
        ablation_row(evaluation, &evaluation->ablation[i], text);
    return text->status;
}

/* ------------------------------------------------------------------------------------------------------ weights */

ren_status ren__evaluation_weights_csv(const ren__evaluation *evaluation, ren_text *text) {
    const ren__study_config *config = evaluation->study->config;

    ren__text_add(text, "model,region,scans,per_scan,mean,sd_over_scans,percentile_5,percentile_95,mean_label_0,"
                        "mean_label_1");
    for (int32_t i = 0; i < config->run_count; i++)
        ren__text_addf(text, ",fold%d", config->run[i]);
    ren__text_add(text, "\n");
    for (int32_t model = 0; model < config->model_count; model++) {
        const ren__model_weights *of = &evaluation->model[model].weights;
        for (int32_t region = 0; region < REN_REGION_COUNT && of->scans > 0; region++) {
            if (!(of->mean[region] > 0.0)) continue;
            ren__csv_add(text, config->model[model].name, 0);
            ren__text_addf(text, "%s,%d,%d", ren_region_name(region), of->scans, of->varies);
            const double values[] = { of->mean[region], of->sd[region],          of->low[region],
                                      of->high[region], of->by_label[0][region], of->by_label[1][region] };
            for (size_t i = 0; i < sizeof values / sizeof *values; i++)
                number_field(text, values[i]);
            for (int32_t i = 0; i < config->run_count; i++)
                number_field(text, of->fold[i][region]);
            ren__text_add(text, "\n");
        }
    }
    return text->status;
}
