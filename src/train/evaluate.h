/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation: the test folds are read once, and everything that is reported comes from these predictions.
 *
 * Units are scans, and patients with the mean of their scans' probabilities. Results are given per fold, as mean and
 * standard deviation over folds, and pooled: the out-of-fold predictions of all folds together. Decisions are made at
 * the threshold that validation gave the fold, also in the pooled figures.
 */
#ifndef REN_TRAIN_EVALUATE_H
#define REN_TRAIN_EVALUATE_H

#include "train/metrics.h"
#include "train/significance.h"
#include "train/study.h"

enum ren__unit { REN__UNIT_PATIENT, REN__UNIT_SCAN, REN__UNIT_COUNT };
enum { REN__METRIC_COUNT = 11 };

/* The metrics that are doubles, in order of report. */
typedef struct ren__metric_name {
    const char *key, *title;
    size_t offset; /* within ren__metrics */
} ren__metric_name;
extern const ren__metric_name ren__metric_names[REN__METRIC_COUNT];
double ren__metric_value(const ren__metrics *metrics, int32_t index);

/* Predictions of one model by unit, fold after fold. */
typedef struct ren__sample {
    int32_t count;
    int32_t *label, *unit;             /* unit: number of the scan or patient */
    double *score, *decision;          /* decision 0 or 1 */
    int32_t begin[REN__FOLDS_MAX + 1]; /* of the folds that run */
} ren__sample;

/* Metrics of a set; where it has one class only they are undefined, and only counts are set. */
typedef struct ren__measured {
    int defined;
    ren__metrics metrics;
} ren__measured;

typedef struct ren__level {
    ren__sample sample;
    ren__measured fold[REN__FOLDS_MAX], pooled;
    double mean[REN__METRIC_COUNT], sd[REN__METRIC_COUNT]; /* over the folds where they are defined; sd: n - 1 */
    int32_t averaged;                                      /* how many these are */
    ren__comparison bootstrap, delong;                     /* AUC of the pooled patients */
} ren__level;

typedef struct ren__model_evaluation {
    ren__predictions test;
    double threshold[REN__UNIT_COUNT][REN__FOLDS_MAX];
    ren__level level[REN__UNIT_COUNT];
    int64_t parameters;
    double flops; /* of one prediction, dense */
} ren__model_evaluation;

/* Two models on the patients that both have predicted. */
typedef struct ren__pair {
    int32_t a, b, patients;
    ren__comparison bootstrap;
    double holm; /* corrected p; the primary comparison: its own p */
} ren__pair;

typedef struct ren__evaluation {
    const ren_study *study;
    ren_context *context; /* borrowed */
    int64_t number;       /* how often the test folds have been read */
    ren__model_evaluation *model;
    int32_t scans, patients; /* tested */
    ren__pair primary;       /* a -1: none was named */
    ren__pair *other;
    int32_t other_count;
    double wilcoxon;        /* over the folds' AUC of the primary pair; NaN: fewer than two */
    ren__comparison delong; /* of the primary pair; NaN where there is none */
} ren__evaluation;

/* evaluate_measure.c: from predictions to figures. */
ren_status ren__evaluation_measure(ren__evaluation *evaluation, ren__run *run) REN_CHECKED;
void ren__sample_free(ren__sample *sample);

/* evaluate_write.c */
ren_status ren__evaluation_json(const ren__evaluation *evaluation, json_t **out) REN_CHECKED;
ren_status ren__evaluation_csv(const ren__evaluation *evaluation, ren_text *text) REN_CHECKED;

/* evaluation_report.c: one self-contained page. */
ren_status ren__evaluation_html(const ren__evaluation *evaluation, ren_text *text) REN_CHECKED;

/* evaluation_plots.c: inline SVG. `models` are drawn in this order, `count` at most REN__PLOT_SERIES. */
enum { REN__PLOT_SERIES = 6 };
extern const char *const ren__plot_colours[REN__PLOT_SERIES];
void ren__plot_roc(const ren__evaluation *evaluation, const int32_t *models, int32_t count, ren_text *text);
void ren__plot_calibration(const ren__evaluation *evaluation, const int32_t *models, int32_t count, ren_text *text);
/* AUC of the pooled patients with its interval, a dot a fold: one bar a model. */
void ren__plot_bars(const ren__evaluation *evaluation, const int32_t *models, int32_t count, ren_text *text);

#endif
