/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a gate knows of the regions before it sees a scan: a number a region, from the validation of experts, of
 * regional predictors, or from what experts make of the scans.
 *
 * Measures of deep features:
 *     auc           the expert's own validation AUC
 *     separability  the share of the features' variance over the validation scans that lies between the two labels:
 *                   sum over labels of n_c |m_c - m|^2 / sum over scans of |x - m|^2, from 0 to 1
 *     logistic      logistic regression on the training scans' features; with its AUC on the validation scans
 *                   0.1 + 3.8 (AUC - 0.5), 0.1 up to an AUC of 0.5
 */
#include <math.h>
#include <string.h>

#include "train/gates_fit.h"
#include "train/jobs.h"
#include "train/metrics.h"
#include "train/study_files.h"

/* A gate tells "nothing was given" by 0: the worst expert of a tiny validation set may earn just that. */
static double above_nothing(double value) {
    return value > 1e-6 ? value : 1e-6;
}

/* ------------------------------------------------------------------------------------------- numbers of finished jobs
 */

static ren_status validation_number(const ren_study *study, const ren__job *job, const char *key, const char *needed_by,
                                    double *value) {
    json_t *done = NULL;
    ren_status st = ren__job_record(study, job, needed_by, &done);

    if (st == REN_OK) st = ren__job_number(done, job, "validation", key, value);
    json_decref(done);
    return st;
}

/* The numbers that a source takes its weights from, in done.json. */
static const char *source_key(const char *source) {
    if (strcmp(source, "validation_auc") == 0) return "auc";
    if (strcmp(source, "validation_accuracy") == 0) return "accuracy";
    return strcmp(source, "inverse_loss") == 0 ? "loss" : NULL;
}

static ren_status expert_numbers(const ren_study *study, int32_t fold, int32_t expert, const char *key,
                                 const char *needed_by, double value[REN_REGION_COUNT]) {
    const ren__study_config *config = study->config;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->region_count; i++) {
        const ren__job *job = ren__job_find(study, fold, expert * config->region_count + i);
        double number;
        REN_TRY(validation_number(study, job, key, needed_by, &number));
        value[config->region[i]] = above_nothing(number);
    }
out:
    return st;
}

static ren_status predictor_numbers(const ren_study *study, int32_t fold, int32_t gate, const char *needed_by,
                                    double value[REN_REGION_COUNT]) {
    const ren__study_config *config = study->config;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->region_count; i++) {
        const ren__job *job = ren__job_find(study, fold, ren__study_predictor(config, gate, i));
        double number;
        REN_TRY(validation_number(study, job, "auc", needed_by, &number));
        value[config->region[i]] = above_nothing(number);
    }
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------- deep features */

/* The rows of a region that are known, of one set of the fold. */
typedef struct rows {
    int32_t count;
    int32_t *label;
    double *value;
} rows;

static void rows_end(rows *of) {
    ren__free(of->label);
    ren__free(of->value);
}

static ren_status gather(const ren_study *study, int32_t fold, enum ren__set set, const ren__region_table *table,
                         int32_t region, rows *out) {
    ren_context *context = study->context;
    const ren__cohort *cohort = study->cohort;
    const uint8_t *sets = study->split->set + (size_t)fold * (size_t)study->split->patients;
    const size_t columns = (size_t)table->columns.count;
    ren_status st = REN_OK;

    REN_CALLOC(out->label, (size_t)cohort->count);
    REN_CALLOC(out->value, (size_t)cohort->count * columns); /* no larger than the table */
    for (int32_t scan = 0; scan < cohort->count; scan++) {
        const double *row = ren__region_row(table, region, scan);
        if (!row || sets[cohort->patient[scan]] != set) continue;
        memcpy(out->value + (size_t)out->count * columns, row, columns * sizeof *row);
        out->label[out->count++] = cohort->item[scan].label;
    }
out:
    return st;
}

ren_status ren__separability(ren_context *context, const double *value, const int32_t *label, int32_t count,
                             int32_t columns, double *out) {
    double total = 0.0, between = 0.0, *mean = NULL;
    int32_t of_label[2] = { 0, 0 };
    const size_t width = (size_t)columns;
    ren_status st = REN_OK;

    REN_CALLOC(mean, 3 * width); /* of label 0, of label 1, of all */
    for (int32_t i = 0; i < count; i++) {
        of_label[label[i]]++;
        for (size_t k = 0; k < width; k++)
            mean[(size_t)label[i] * width + k] += value[(size_t)i * width + k];
    }
    if (of_label[0] == 0 || of_label[1] == 0)
        REN_FAIL(REN_E_DATA, "separability: the validation scans that have the region are of one label only");
    for (size_t k = 0; k < width; k++) {
        mean[2 * width + k] = (mean[k] + mean[width + k]) / count;
        mean[k] /= of_label[0];
        mean[width + k] /= of_label[1];
        for (int32_t c = 0; c < 2; c++) {
            const double apart = mean[(size_t)c * width + k] - mean[2 * width + k];
            between += of_label[c] * apart * apart;
        }
    }
    for (int32_t i = 0; i < count; i++)
        for (size_t k = 0; k < width; k++) {
            const double apart = value[(size_t)i * width + k] - mean[2 * width + k];
            total += apart * apart;
        }
    *out = total > 0.0 ? between / total : 0.0;
out:
    ren__free(mean);
    return st;
}

/* How well a regression on the training scans' features tells the validation scans apart. */
static ren_status logistic_auc(const ren_study *study, int32_t fold, const ren__region_table *table, int32_t region,
                               const rows *validation, double *auc) {
    ren_context *context = study->context;
    const size_t columns = (size_t)table->columns.count;
    rows training = { 0 };
    ren__fit_settings settings;
    ren__predictor *predictor = NULL;
    double *score = NULL;
    ren_status st = REN_OK;

    REN_TRY(gather(study, fold, REN__SET_TRAINING, table, region, &training));
    REN_TRY(ren__fit_defaults("logistic", &settings));
    settings.features = 0; /* an expert's features are few, and each is part of what it has learned */
    const ren__fit_table fitted = {
        .columns = table->columns, .rows = training.count, .value = training.value, .label = training.label
    };
    REN_TRY(ren__fit(context, "logistic", &fitted, &settings, NULL, &predictor));
    REN_CALLOC(score, (size_t)validation->count);
    for (int32_t i = 0; i < validation->count; i++)
        score[i] = ren__predictor_logit(predictor, validation->value + (size_t)i * columns);
    st = ren__metric_auc(context, validation->label, score, validation->count, auc);
out:
    ren__free(score);
    ren__predictor_free(predictor);
    rows_end(&training);
    return st;
}

static ren_status measure_features(const ren_study *study, int32_t fold, const ren__gate_entry *gate,
                                   const char *needed_by, double value[REN_REGION_COUNT]) {
    ren__region_table table = { 0 };
    rows validation = { 0 };
    ren_status st = REN_OK;

    REN_TRY(ren__features_table_read(study, fold, gate->of, ren__study_regions(study), needed_by, &table));
    for (int32_t i = 0; i < study->config->region_count; i++) {
        const int32_t region = study->config->region[i];
        double number = 0.0;
        REN_TRY(gather(study, fold, REN__SET_VALIDATION, &table, region, &validation));
        if (strcmp(gate->measure, "separability") == 0) {
            REN_TRY(ren__separability(study->context, validation.value, validation.label, validation.count,
                                      table.columns.count, &number));
        } else {
            REN_TRY(logistic_auc(study, fold, &table, region, &validation, &number));
            number = number > 0.5 ? 0.1 + 3.8 * (number - 0.5) : 0.1;
        }
        value[region] = above_nothing(number);
        rows_end(&validation);
        validation = (rows){ 0 };
    }
out:
    rows_end(&validation);
    ren__region_table_end(&table);
    return st;
}

/* -------------------------------------------------------------------------------------------------------- values */

ren_status ren__gate_values(const ren_study *study, int32_t fold, int32_t gate, int32_t expert, const char *needed_by,
                            double value[REN_REGION_COUNT]) {
    const ren__gate_entry *entry = &study->config->gate[gate];
    const int32_t of = entry->of >= 0 ? entry->of : expert;
    const char *key = source_key(entry->source);

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        value[region] = 0.0;
    if (entry->predictor) return predictor_numbers(study, fold, gate, needed_by, value);
    if (entry->measure && strcmp(entry->measure, "auc") != 0)
        return measure_features(study, fold, entry, needed_by, value);
    if (entry->measure) key = "auc";
    if (!key) return REN_OK; /* uniform */
    if (of < 0)
        return ren__error(REN_E_INVALID, "the gate %s does not say whose validation it reads: give it \"of\"",
                          entry->name);
    return expert_numbers(study, fold, of, key, needed_by, value);
}

ren_status ren__study_gate_base(const ren_study *study, int32_t fold, int32_t gate, int32_t expert,
                                const char *needed_by, double base[REN_REGION_COUNT]) {
    const uint32_t regions = ren__study_regions(study);
    ren__gate_parts parts = { .source = study->config->gate[gate].source, .mode = REN__GATE_FIXED };
    ren_gate *made = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__gate_values(study, fold, gate, expert, needed_by, parts.value));
    REN_TRY(ren__gate_make(study->context, &parts, &made));
    ren__gate_base(made, base);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (!(regions >> region & 1)) base[region] = 0.0;
out:
    ren_gate_free(made);
    return st;
}
