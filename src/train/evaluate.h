/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation: the test folds are read once, and everything that is reported comes from these predictions.
 *
 * Units are scans, and patients with the mean of their scans' probabilities. Results are given per fold, as mean and
 * standard deviation over folds, and pooled: the out-of-fold predictions of all folds together. Decisions are made at
 * the threshold that validation gave the fold, also in the pooled figures.
 *
 * One test is confirmatory, the primary comparison. Everything else describes: other comparisons, ablations and
 * regional contrasts are three families, and Holm's correction is made within each.
 */
#ifndef REN_TRAIN_EVALUATE_H
#define REN_TRAIN_EVALUATE_H

#include "train/metrics.h"
#include "train/significance.h"
#include "train/study.h"

enum ren__unit { REN__UNIT_PATIENT, REN__UNIT_SCAN, REN__UNIT_COUNT };
enum { REN__METRIC_COUNT = 11, REN__LOBE_COUNT = 5 };

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

/* The weights that a mixture gave the regions on the test scans; an empty region has weight 0. */
typedef struct ren__model_weights {
    int32_t scans;  /* that have weights; 0: the model has none */
    int32_t varies; /* not 0: scans of one fold in which the same regions ran differ, so the gate reads the scan */
    double mean[REN_REGION_COUNT], low[REN_REGION_COUNT], high[REN_REGION_COUNT]; /* over scans; percentiles 5, 95 */
    double sd[REN_REGION_COUNT];                   /* over the scans of a fold, pooled over folds; NaN: one scan */
    double by_label[2][REN_REGION_COUNT];          /* mean over the scans of one label; NaN: there is none */
    double fold[REN__FOLDS_MAX][REN_REGION_COUNT]; /* mean over the fold's scans; NaN: there is none */
} ren__model_weights;

typedef struct ren__model_evaluation {
    ren__predictions test, validation;
    double threshold[REN__UNIT_COUNT][REN__FOLDS_MAX];
    ren__level level[REN__UNIT_COUNT];
    ren__model_weights weights;
    int64_t parameters;
    double flops; /* of one prediction, dense */
} ren__model_evaluation;

/* Two models on the patients that both have predicted. */
typedef struct ren__pair {
    int32_t a, b, patients;
    double auc[2]; /* on these patients; NaN: one class only */
    ren__comparison bootstrap;
    double holm; /* corrected p; the primary comparison: its own p */
} ren__pair;

/* A mixture with a part taken away or replaced, made of the stored predictions: its experts' probabilities, weighted
 * anew and normalised over the experts that are left. */
enum ren__ablation_kind {
    REN__WITHOUT_REGION,     /* one expert is left out, the others keep their weights */
    REN__LOBES_ALONE,        /* the lungs' experts are left out */
    REN__LUNGS_ALONE,        /* the lobes' experts are left out */
    REN__UNIFORM_WEIGHTS,    /* all experts weigh alike */
    REN__VALIDATION_WEIGHTS, /* weights in proportion to the experts' validation AUC: what a gate that reads
                              * radiomics or features stands against */
    REN__STEADY_WEIGHTS,     /* for every scan the mean weights of the fold's validation scans */
    REN__BEST_EXPERT,        /* the one expert with the highest validation AUC of the fold */
    REN__ABLATION_KINDS
};

typedef struct ren__ablation {
    enum ren__ablation_kind kind;
    int32_t model;          /* the mixture */
    int32_t region;         /* that is left out; -1: the kind says it */
    int32_t patients;       /* with a prediction of both */
    double whole, left;     /* AUC of the mixture and of the ablated one on these patients; NaN: one class only */
    ren__comparison change; /* left - whole */
    double holm;
} ren__ablation;

/* Lower lobes against the others: mean AUC of the models in LLL and RLL less that of LUL, RUL and RML, on the patients
 * that all five have predicted. One for each group of models that differ in their region alone, and where several are
 * experts one for the means over these. */
typedef struct ren__contrast {
    int32_t group_count;   /* groups in it */
    const int32_t *groups; /* first models of the groups: what the names begin with */
    int32_t patients;
    double lower, upper;
    ren__comparison difference;
    double holm;
} ren__contrast;

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
    ren__ablation *ablation;
    int32_t ablation_count;
    ren__contrast *contrast;
    int32_t contrast_count;
    int32_t *group; /* first models of the groups, experts' before others' */
    int32_t group_count;
} ren__evaluation;

/* evaluate_measure.c: from predictions to figures. `test` and `validation` of all models must be there. */
ren_status ren__evaluation_measure(ren__evaluation *evaluation, ren__run *run) REN_CHECKED;
/* All that the evaluation owns; a zeroed one is fine. */
void ren__evaluation_end(ren__evaluation *evaluation);
/* Patients of rows that are in order of folds, with the mean of their scans; `threshold` (one a fold that runs) makes
 * the decisions. */
ren_status ren__sample_patients(const ren__evaluation *evaluation, const ren__predictions *rows,
                                const double *threshold, ren__sample *sample) REN_CHECKED;
void ren__sample_free(ren__sample *sample);
extern const ren__comparison ren__undefined;

/* evaluate_compare.c: the primary comparison, the others, and the regional contrasts. */
ren_status ren__evaluation_compare(ren__evaluation *evaluation, ren__run *run) REN_CHECKED;
/* AUC of `a` minus AUC of `b` on the patients of both; `out` is undefined where these are of one class. `auc`
 * (nullable) gets both AUC, `delong` (nullable) DeLong's answer to the same question. */
ren_status ren__compare_samples(const ren__evaluation *evaluation, const ren__sample *a, const ren__sample *b,
                                ren__run *run, int32_t *patients, double auc[2], ren__comparison *out,
                                ren__comparison *delong) REN_CHECKED;
/* How much of a model's name tells its group: what is before ".REGION". */
int ren__group_length(const ren__study_model *model);
/* The model of a group in a region; -1: there is none. */
int32_t ren__group_member(const ren__study_config *config, int32_t group, int32_t region);

/* evaluate_weights.c */
ren_status ren__evaluation_weigh(ren__evaluation *evaluation) REN_CHECKED;

/* evaluate_ablate.c */
ren_status ren__evaluation_ablate(ren__evaluation *evaluation, ren__run *run) REN_CHECKED;
/* "LUL left out", "equal weights", ...: what was done to the mixture. */
void ren__ablation_title(const ren__evaluation *evaluation, const ren__ablation *ablation, ren_text *text);
/* "without_region", "uniform_weights", ... */
const char *ren__ablation_name(enum ren__ablation_kind kind);
/* The experts that a mixture joins, by region (-1: none), and how many; 0: the model is one network. */
int32_t ren__mixture_members(const ren__study_config *config, int32_t model, int32_t member[REN_REGION_COUNT]);
/* The gate that a mixture has; NULL: none. */
const ren__gate_entry *ren__mixture_gate(const ren__study_config *config, int32_t model);

/* evaluate_write.c */
ren_status ren__evaluation_json(const ren__evaluation *evaluation, json_t **out) REN_CHECKED;

/* evaluate_tables.c: one row a model, unit and fold; one a test; one a mixture and region. */
ren_status ren__evaluation_csv(const ren__evaluation *evaluation, ren_text *text) REN_CHECKED;
ren_status ren__evaluation_tests_csv(const ren__evaluation *evaluation, ren_text *text) REN_CHECKED;
ren_status ren__evaluation_weights_csv(const ren__evaluation *evaluation, ren_text *text) REN_CHECKED;

/* evaluation_report.c: one self-contained page. */
ren_status ren__evaluation_html(const ren__evaluation *evaluation, ren_text *text) REN_CHECKED;

#endif
