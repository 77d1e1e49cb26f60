/* SPDX-License-Identifier: Apache-2.0 */
/* From the test folds' predictions to figures: metrics per fold and pooled, comparisons. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "train/evaluate.h"

const ren__metric_name ren__metric_names[REN__METRIC_COUNT] = {
    { "auc", "AUC", offsetof(ren__metrics, auc) },
    { "average_precision", "Average precision", offsetof(ren__metrics, average_precision) },
    { "accuracy", "Accuracy", offsetof(ren__metrics, accuracy) },
    { "sensitivity", "Sensitivity", offsetof(ren__metrics, sensitivity) },
    { "specificity", "Specificity", offsetof(ren__metrics, specificity) },
    { "precision", "Precision", offsetof(ren__metrics, precision) },
    { "recall", "Recall", offsetof(ren__metrics, recall) },
    { "f1", "F1", offsetof(ren__metrics, f1) },
    { "brier", "Brier", offsetof(ren__metrics, brier) },
    { "calibration_error", "Calibration error", offsetof(ren__metrics, calibration_error) },
    { "cross_entropy", "Cross-entropy", offsetof(ren__metrics, cross_entropy) },
};

double ren__metric_value(const ren__metrics *metrics, int32_t index) {
    double value;

    memcpy(&value, (const char *)metrics + ren__metric_names[index].offset, sizeof value);
    return value;
}

/* ------------------------------------------------------------------------------------------------------ samples */

void ren__sample_free(ren__sample *sample) {
    ren__free(sample->label);
    ren__free(sample->unit);
    ren__free(sample->score);
    ren__free(sample->decision);
    memset(sample, 0, sizeof *sample);
}

static ren_status sample_room(ren_context *context, ren__sample *sample, int32_t count) {
    ren_status st = REN_OK;

    REN_CALLOC(sample->label, (size_t)count);
    REN_CALLOC(sample->unit, (size_t)count);
    REN_CALLOC(sample->score, (size_t)count);
    REN_CALLOC(sample->decision, (size_t)count);
out:
    return st;
}

static void sample_add(ren__sample *sample, int32_t unit, int32_t label, double score, double threshold) {
    sample->unit[sample->count] = unit;
    sample->label[sample->count] = label;
    sample->score[sample->count] = score;
    sample->decision[sample->count++] = score >= threshold ? 1.0 : 0.0;
}

/* The rows of one fold; rows are in order of folds. */
static int32_t rows_of(const ren__predictions *rows, int32_t first, int32_t fold) {
    int32_t end = first;

    while (end < rows->count && rows->item[end].fold == fold)
        end++;
    return end;
}

/* Adds the patients of rows [first, end). */
static ren_status add_patients(const ren__evaluation *evaluation, const ren__predictions *rows, int32_t first,
                               int32_t end, double threshold, ren__sample *sample) {
    ren_context *context = evaluation->context;
    const ren__cohort *cohort = evaluation->study->cohort;
    const int32_t count = end - first;
    ren__patient_means means = { 0 };
    int32_t *patient = NULL, *label = NULL;
    double *score = NULL;
    ren_status st = REN_OK;

    if (count == 0) return REN_OK;
    REN_CALLOC(patient, (size_t)count);
    REN_CALLOC(label, (size_t)count);
    REN_CALLOC(score, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        patient[i] = cohort->patient[rows->item[first + i].scan];
        label[i] = cohort->patient_label[patient[i]];
        score[i] = rows->item[first + i].probability;
    }
    REN_TRY(ren__patient_means_make(context, patient, label, score, count, &means));
    for (int32_t i = 0; i < means.count; i++)
        sample_add(sample, patient[means.first[i]], means.label[i], means.score[i], threshold);
out:
    ren__patient_means_free(&means);
    ren__free(score);
    ren__free(label);
    ren__free(patient);
    return st;
}

ren_status ren__sample_patients(const ren__evaluation *evaluation, const ren__predictions *rows,
                                const double *threshold, ren__sample *sample) {
    const ren__study_config *config = evaluation->study->config;
    int32_t first = 0;
    ren_status st = REN_OK;

    REN_TRY(sample_room(evaluation->context, sample, rows->count));
    for (int32_t i = 0; i < config->run_count; i++) {
        const int32_t end = rows_of(rows, first, config->run[i]);
        REN_TRY(add_patients(evaluation, rows, first, end, threshold[i], sample));
        sample->begin[i + 1] = sample->count;
        first = end;
    }
out:
    return st;
}

static ren_status sample_scans(const ren__evaluation *evaluation, const ren__predictions *rows, const double *threshold,
                               ren__sample *sample) {
    const ren__study_config *config = evaluation->study->config;
    int32_t first = 0;
    ren_status st = REN_OK;

    REN_TRY(sample_room(evaluation->context, sample, rows->count));
    for (int32_t i = 0; i < config->run_count; i++) {
        const int32_t end = rows_of(rows, first, config->run[i]);
        for (int32_t row = first; row < end; row++) {
            const ren__prediction *item = &rows->item[row];
            sample_add(sample, item->scan, evaluation->study->cohort->item[item->scan].label, item->probability,
                       threshold[i]);
        }
        sample->begin[i + 1] = sample->count;
        first = end;
    }
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------------ metrics */

/* Metrics of [begin, end) with the decisions that were made by each fold's threshold. */
static ren_status measure_range(ren_context *context, const ren__sample *sample, int32_t begin, int32_t end,
                                double threshold, ren__measured *out) {
    const int32_t *label = sample->label + begin;
    ren__metrics decided;
    ren_status st = REN_OK;

    memset(out, 0, sizeof *out);
    out->metrics.count = end - begin;
    for (int32_t i = 0; i < end - begin; i++)
        out->metrics.positives += label[i];
    out->metrics.threshold = threshold;
    if (out->metrics.positives == 0 || out->metrics.positives == end - begin) return REN_OK;
    REN_TRY(ren__metrics_compute(context, label, sample->score + begin, end - begin, 0.5, &out->metrics));
    REN_TRY(ren__metrics_compute(context, label, sample->decision + begin, end - begin, 0.5, &decided));
    out->metrics.threshold = threshold;
    out->metrics.accuracy = decided.accuracy;
    out->metrics.sensitivity = decided.sensitivity;
    out->metrics.specificity = decided.specificity;
    out->metrics.precision = decided.precision;
    out->metrics.recall = decided.recall;
    out->metrics.f1 = decided.f1;
    memcpy(out->metrics.confusion, decided.confusion, sizeof decided.confusion);
    out->defined = 1;
out:
    return st;
}

/* Over the folds, with the unbiased variance. */
static void average(ren__level *level, int32_t folds) {
    level->averaged = 0;
    for (int32_t i = 0; i < folds; i++)
        level->averaged += level->fold[i].defined;
    for (int32_t k = 0; k < REN__METRIC_COUNT; k++) {
        double sum = 0.0, squares = 0.0;
        for (int32_t i = 0; i < folds; i++)
            if (level->fold[i].defined) sum += ren__metric_value(&level->fold[i].metrics, k);
        level->mean[k] = level->averaged > 0 ? sum / level->averaged : NAN;
        for (int32_t i = 0; i < folds; i++) {
            const double distance = ren__metric_value(&level->fold[i].metrics, k) - level->mean[k];
            if (level->fold[i].defined) squares += distance * distance;
        }
        level->sd[k] = level->averaged > 1 ? sqrt(squares / (level->averaged - 1)) : NAN;
    }
}

const ren__comparison ren__undefined = { NAN, NAN, NAN, NAN };

static ren_status measure_model(ren__evaluation *evaluation, ren__model_evaluation *model, ren__run *run) {
    ren_context *context = evaluation->context;
    const ren__study_config *config = evaluation->study->config;
    ren_status st = REN_OK;

    REN_TRY(
        sample_scans(evaluation, &model->test, model->threshold[REN__UNIT_SCAN], &model->level[REN__UNIT_SCAN].sample));
    REN_TRY(ren__sample_patients(evaluation, &model->test, model->threshold[REN__UNIT_PATIENT],
                                 &model->level[REN__UNIT_PATIENT].sample));
    for (int32_t unit = 0; unit < REN__UNIT_COUNT; unit++) {
        ren__level *level = &model->level[unit];
        const ren__sample *sample = &level->sample;
        for (int32_t i = 0; i < config->run_count; i++)
            REN_TRY(measure_range(context, sample, sample->begin[i], sample->begin[i + 1], model->threshold[unit][i],
                                  &level->fold[i]));
        REN_TRY(measure_range(context, sample, 0, sample->count, NAN, &level->pooled));
        average(level, config->run_count);
        level->bootstrap = level->delong = ren__undefined;
        if (unit != REN__UNIT_PATIENT || !level->pooled.defined) continue; /* a patient's scans are no sample */
        REN_TRY(ren__bootstrap_auc(context, run, sample->label, sample->score, sample->count, REN__BOOTSTRAP_RESAMPLES,
                                   config->seed, &level->bootstrap));
        const int32_t positives = level->pooled.metrics.positives;
        if (positives > 1 && sample->count - positives > 1)
            REN_TRY(ren__delong_auc(context, sample->label, sample->score, sample->count, &level->delong));
    }
out:
    return st;
}

/* Patients with a prediction of any model. */
static ren_status count_patients(ren__evaluation *evaluation) {
    ren_context *context = evaluation->context;
    uint8_t *seen = NULL;
    ren_status st = REN_OK;

    evaluation->patients = 0;
    REN_CALLOC(seen, (size_t)evaluation->study->cohort->patient_count);
    for (int32_t model = 0; model < evaluation->study->config->model_count; model++) {
        const ren__sample *sample = &evaluation->model[model].level[REN__UNIT_PATIENT].sample;
        for (int32_t i = 0; i < sample->count; i++) {
            evaluation->patients += !seen[sample->unit[i]];
            seen[sample->unit[i]] = 1;
        }
    }
out:
    ren__free(seen);
    return st;
}

ren_status ren__evaluation_measure(ren__evaluation *evaluation, ren__run *run) {
    const ren__study_config *config = evaluation->study->config;
    ren_status st = REN_OK;

    for (int32_t model = 0; model < config->model_count; model++)
        REN_TRY(measure_model(evaluation, &evaluation->model[model], run));
    REN_TRY(count_patients(evaluation));
    REN_TRY(ren__evaluation_compare(evaluation, run));
    REN_TRY(ren__evaluation_weigh(evaluation));
    REN_TRY(ren__evaluation_ablate(evaluation, run));
out:
    return st;
}

void ren__evaluation_end(ren__evaluation *evaluation) {
    const int32_t count = evaluation->model ? evaluation->study->config->model_count : 0;

    for (int32_t i = 0; i < count; i++) {
        ren__predictions_free(&evaluation->model[i].test);
        ren__predictions_free(&evaluation->model[i].validation);
        for (int32_t unit = 0; unit < REN__UNIT_COUNT; unit++)
            ren__sample_free(&evaluation->model[i].level[unit].sample);
    }
    ren__free(evaluation->model);
    ren__free(evaluation->other);
    ren__free(evaluation->ablation);
    ren__free(evaluation->contrast);
    ren__free(evaluation->group);
    evaluation->model = NULL;
    evaluation->other = NULL;
    evaluation->ablation = NULL;
    evaluation->contrast = NULL;
    evaluation->group = NULL;
    evaluation->other_count = evaluation->ablation_count = evaluation->contrast_count = evaluation->group_count = 0;
}
