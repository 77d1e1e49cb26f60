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
static int32_t rows_of(const ren__predictions *test, int32_t first, int32_t fold) {
    int32_t end = first;

    while (end < test->count && test->item[end].fold == fold)
        end++;
    return end;
}

/* Adds the patients of rows [first, end). */
static ren_status add_patients(const ren__evaluation *evaluation, const ren__model_evaluation *model, int32_t first,
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
        patient[i] = cohort->patient[model->test.item[first + i].scan];
        label[i] = cohort->patient_label[patient[i]];
        score[i] = model->test.item[first + i].probability;
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

static ren_status make_samples(const ren__evaluation *evaluation, ren__model_evaluation *model) {
    const ren__study_config *config = evaluation->study->config;
    const ren__cohort *cohort = evaluation->study->cohort;
    ren__sample *scans = &model->level[REN__UNIT_SCAN].sample, *patients = &model->level[REN__UNIT_PATIENT].sample;
    int32_t first = 0;
    ren_status st = REN_OK;

    REN_TRY(sample_room(evaluation->context, scans, model->test.count));
    REN_TRY(sample_room(evaluation->context, patients, model->test.count));
    for (int32_t i = 0; i < config->run_count; i++) {
        const int32_t end = rows_of(&model->test, first, config->run[i]);
        for (int32_t row = first; row < end; row++) {
            const ren__prediction *item = &model->test.item[row];
            sample_add(scans, item->scan, cohort->item[item->scan].label, item->probability,
                       model->threshold[REN__UNIT_SCAN][i]);
        }
        REN_TRY(add_patients(evaluation, model, first, end, model->threshold[REN__UNIT_PATIENT][i], patients));
        scans->begin[i + 1] = scans->count;
        patients->begin[i + 1] = patients->count;
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

static const ren__comparison undefined = { NAN, NAN, NAN, NAN };

static ren_status measure_model(ren__evaluation *evaluation, ren__model_evaluation *model, ren__run *run) {
    ren_context *context = evaluation->context;
    const ren__study_config *config = evaluation->study->config;
    ren_status st = REN_OK;

    REN_TRY(make_samples(evaluation, model));
    for (int32_t unit = 0; unit < REN__UNIT_COUNT; unit++) {
        ren__level *level = &model->level[unit];
        const ren__sample *sample = &level->sample;
        for (int32_t i = 0; i < config->run_count; i++)
            REN_TRY(measure_range(context, sample, sample->begin[i], sample->begin[i + 1], model->threshold[unit][i],
                                  &level->fold[i]));
        REN_TRY(measure_range(context, sample, 0, sample->count, NAN, &level->pooled));
        average(level, config->run_count);
        level->bootstrap = level->delong = undefined;
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

/* -------------------------------------------------------------------------------------------------- comparisons */

/* The patients of both models, in the order of the first. */
typedef struct matched {
    int32_t count, positives;
    int32_t *label;
    double *a, *b;
} matched;

static void matched_free(matched *both) {
    ren__free(both->label);
    ren__free(both->a);
    ren__free(both->b);
}

static ren_status match(const ren__evaluation *evaluation, int32_t a, int32_t b, matched *both) {
    ren_context *context = evaluation->context;
    const ren__sample *first = &evaluation->model[a].level[REN__UNIT_PATIENT].sample;
    const ren__sample *second = &evaluation->model[b].level[REN__UNIT_PATIENT].sample;
    double *score = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(score, (size_t)evaluation->study->cohort->patient_count);
    REN_CALLOC(both->label, (size_t)first->count);
    REN_CALLOC(both->a, (size_t)first->count);
    REN_CALLOC(both->b, (size_t)first->count);
    for (int32_t i = 0; i < evaluation->study->cohort->patient_count; i++)
        score[i] = NAN;
    for (int32_t i = 0; i < second->count; i++)
        score[second->unit[i]] = second->score[i];
    for (int32_t i = 0; i < first->count; i++) {
        if (isnan(score[first->unit[i]])) continue;
        both->label[both->count] = first->label[i];
        both->a[both->count] = first->score[i];
        both->b[both->count++] = score[first->unit[i]];
        both->positives += first->label[i];
    }
out:
    ren__free(score);
    return st;
}

static ren_status compare(ren__evaluation *evaluation, int32_t a, int32_t b, ren__run *run, ren__pair *pair,
                          ren__comparison *delong) {
    ren_context *context = evaluation->context;
    matched both = { 0 };
    ren_status st = REN_OK;

    *pair = (ren__pair){ .a = a, .b = b, .bootstrap = undefined, .holm = NAN };
    REN_TRY(match(evaluation, a, b, &both));
    pair->patients = both.count;
    if (both.positives == 0 || both.positives == both.count) goto out;
    REN_TRY(ren__bootstrap_auc_difference(context, run, both.label, both.a, both.b, both.count,
                                          REN__BOOTSTRAP_RESAMPLES, evaluation->study->config->seed, &pair->bootstrap));
    pair->holm = pair->bootstrap.p;
    if (delong && both.positives > 1 && both.count - both.positives > 1)
        REN_TRY(ren__delong_difference(context, both.label, both.a, both.b, both.count, delong));
out:
    matched_free(&both);
    return st;
}

/* Over folds: only ever a description, for five folds cannot give a p below 0.0625. */
static ren_status describe_folds(ren__evaluation *evaluation) {
    const ren__level *a = &evaluation->model[evaluation->primary.a].level[REN__UNIT_PATIENT];
    const ren__level *b = &evaluation->model[evaluation->primary.b].level[REN__UNIT_PATIENT];
    double difference[REN__FOLDS_MAX];
    int32_t count = 0;

    for (int32_t i = 0; i < evaluation->study->config->run_count; i++)
        if (a->fold[i].defined && b->fold[i].defined)
            difference[count++] = a->fold[i].metrics.auc - b->fold[i].metrics.auc;
    if (count < 2) return REN_OK;
    return ren__wilcoxon(evaluation->context, difference, count, NULL, &evaluation->wilcoxon);
}

static ren_status compare_others(ren__evaluation *evaluation, ren__run *run) {
    ren_context *context = evaluation->context;
    const ren__study_config *config = evaluation->study->config;
    const int32_t mixture = ren__study_first_mixture(config);
    const int32_t reference = config->primary[0] >= 0 ? config->primary[0] : mixture;
    double *p = NULL;
    ren_status st = REN_OK;

    if (config->other_count == 0) return REN_OK;
    REN_CALLOC(evaluation->other, (size_t)config->other_count);
    REN_CALLOC(p, (size_t)config->other_count);
    for (int32_t i = 0; i < config->other_count; i++) {
        REN_TRY(compare(evaluation, reference, config->other[i], run, &evaluation->other[i], NULL));
        p[i] = evaluation->other[i].bootstrap.p;
    }
    REN_TRY(ren__holm(context, p, config->other_count));
    for (int32_t i = 0; i < config->other_count; i++)
        evaluation->other[i].holm = p[i];
    evaluation->other_count = config->other_count;
out:
    ren__free(p);
    return st;
}

/* Patients with a prediction of any model. */
static ren_status count_patients(ren__evaluation *evaluation) {
    ren_context *context = evaluation->context;
    uint8_t *seen = NULL;
    ren_status st = REN_OK;

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

    evaluation->primary = (ren__pair){ .a = -1, .b = -1, .bootstrap = undefined, .holm = NAN };
    evaluation->wilcoxon = NAN;
    evaluation->delong = undefined;
    for (int32_t model = 0; model < config->model_count; model++)
        REN_TRY(measure_model(evaluation, &evaluation->model[model], run));
    REN_TRY(count_patients(evaluation));
    if (config->primary[0] >= 0) {
        REN_TRY(compare(evaluation, config->primary[0], config->primary[1], run, &evaluation->primary,
                        &evaluation->delong));
        REN_TRY(describe_folds(evaluation));
    }
    REN_TRY(compare_others(evaluation, run));
out:
    return st;
}
