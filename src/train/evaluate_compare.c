/* SPDX-License-Identifier: Apache-2.0 */
/* Models against each other on the same patients: the primary comparison, the others, and lower lobes against the rest.
 */
#include <math.h>
#include <string.h>

#include "train/evaluate.h"

/* ------------------------------------------------------------------------------------------------ two samples */

/* The patients of both samples, in the order of the first. */
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

/* Scores by patient of the cohort; NaN: not in the sample. */
static void spread(const ren__sample *sample, int32_t patients, double *score) {
    for (int32_t i = 0; i < patients; i++)
        score[i] = NAN;
    for (int32_t i = 0; i < sample->count; i++)
        score[sample->unit[i]] = sample->score[i];
}

static ren_status match(const ren__evaluation *evaluation, const ren__sample *first, const ren__sample *second,
                        matched *both) {
    ren_context *context = evaluation->context;
    const int32_t patients = evaluation->study->cohort->patient_count;
    double *score = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(score, (size_t)patients);
    REN_CALLOC(both->label, (size_t)first->count);
    REN_CALLOC(both->a, (size_t)first->count);
    REN_CALLOC(both->b, (size_t)first->count);
    spread(second, patients, score);
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

ren_status ren__compare_samples(const ren__evaluation *evaluation, const ren__sample *a, const ren__sample *b,
                                ren__run *run, int32_t *patients, double auc[2], ren__comparison *out,
                                ren__comparison *delong) {
    ren_context *context = evaluation->context;
    matched both = { 0 };
    ren_status st = REN_OK;

    *out = ren__undefined;
    if (delong) *delong = ren__undefined;
    if (auc) auc[0] = auc[1] = NAN;
    REN_TRY(match(evaluation, a, b, &both));
    *patients = both.count;
    if (both.positives == 0 || both.positives == both.count) goto out;
    REN_TRY(ren__bootstrap_auc_difference(context, run, both.label, both.a, both.b, both.count,
                                          REN__BOOTSTRAP_RESAMPLES, evaluation->study->config->seed, out));
    if (auc) {
        REN_TRY(ren__metric_auc(context, both.label, both.a, both.count, &auc[0]));
        REN_TRY(ren__metric_auc(context, both.label, both.b, both.count, &auc[1]));
    }
    if (delong && both.positives > 1 && both.count - both.positives > 1)
        REN_TRY(ren__delong_difference(context, both.label, both.a, both.b, both.count, delong));
out:
    matched_free(&both);
    return st;
}

/* ------------------------------------------------------------------------------------------- named comparisons */

static ren_status compare(const ren__evaluation *evaluation, int32_t a, int32_t b, ren__run *run, ren__pair *pair,
                          ren__comparison *delong) {
    *pair = (ren__pair){ .a = a, .b = b };
    const ren_status st = ren__compare_samples(evaluation, &evaluation->model[a].level[REN__UNIT_PATIENT].sample,
                                               &evaluation->model[b].level[REN__UNIT_PATIENT].sample, run,
                                               &pair->patients, pair->auc, &pair->bootstrap, delong);

    pair->holm = pair->bootstrap.p;
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

/* ------------------------------------------------------------------------------------------------------ groups */

int ren__group_length(const ren__study_model *model) {
    const char *dot = strrchr(model->name, '.');

    if (model->region < 0 || model->region >= REN_REGION_COUNT || !dot ||
        strcmp(dot + 1, ren_region_name(model->region)) != 0)
        return (int)strlen(model->name);
    return (int)(dot - model->name);
}

static int same_group(const ren__study_model *a, const ren__study_model *b) {
    const int length = ren__group_length(a);

    return length == ren__group_length(b) && strncmp(a->name, b->name, (size_t)length) == 0 &&
           strcmp(ren__study_model_kind(a), ren__study_model_kind(b)) == 0;
}

int32_t ren__group_member(const ren__study_config *config, int32_t group, int32_t region) {
    for (int32_t model = 0; model < config->model_count; model++)
        if (config->model[model].region == region && config->model[model].mixture < 0 &&
            same_group(&config->model[group], &config->model[model]))
            return model;
    return -1;
}

/* Models of one region, each group by the first of its members. */
static ren_status list_groups(ren__evaluation *evaluation) {
    ren_context *context = evaluation->context;
    const ren__study_config *config = evaluation->study->config;
    ren_status st = REN_OK;

    REN_CALLOC(evaluation->group, (size_t)config->model_count);
    for (int32_t experts = 1; experts >= 0; experts--) {
        for (int32_t model = 0; model < config->model_count; model++) {
            const ren__study_model *of = &config->model[model];
            int seen = of->mixture >= 0 || of->region < 0 || of->region >= REN_REGION_COUNT ||
                       (strcmp(ren__study_model_kind(of), "expert") == 0) != experts;
            for (int32_t i = 0; i < evaluation->group_count && !seen; i++)
                seen = same_group(&config->model[evaluation->group[i]], of);
            if (!seen) evaluation->group[evaluation->group_count++] = model;
        }
    }
out:
    return st;
}

/* --------------------------------------------------------------------------------------------------- contrasts */

/* Regions are numbered as lobes are labelled: LUL, LLL, RUL, RML, RLL. */
static const double lobe_part[REN__LOBE_COUNT] = { -1.0 / 3, 0.5, -1.0 / 3, -1.0 / 3, 0.5 };

static int has_lobes(const ren__study_config *config, int32_t group) {
    for (int32_t lobe = 0; lobe < REN__LOBE_COUNT; lobe++)
        if (ren__group_member(config, group, lobe) < 0) return 0;
    return 1;
}

/* Scores of all the lobes' models by patient: groups x lobes x patients of the cohort; NaN where there is none. */
static ren_status gather(const ren__evaluation *evaluation, const ren__contrast *contrast, double **out) {
    ren_context *context = evaluation->context;
    const int32_t patients = evaluation->study->cohort->patient_count;
    ren_status st = REN_OK;

    REN_CALLOC(*out, (size_t)contrast->group_count * REN__LOBE_COUNT * (size_t)patients);
    for (int32_t side = 0; side < contrast->group_count * REN__LOBE_COUNT; side++) {
        const int32_t model = ren__group_member(evaluation->study->config, contrast->groups[side / REN__LOBE_COUNT],
                                                side % REN__LOBE_COUNT);
        spread(&evaluation->model[model].level[REN__UNIT_PATIENT].sample, patients,
               *out + (size_t)side * (size_t)patients);
    }
out:
    return st;
}

/* Keeps the patients that every side has predicted, in place; gives their number and labels. */
static int32_t keep_common(const ren__cohort *cohort, double *score, int32_t sides, int32_t *label,
                           int32_t *positives) {
    const size_t patients = (size_t)cohort->patient_count;
    int32_t kept = 0;

    *positives = 0;
    for (size_t i = 0; i < patients; i++) {
        int missing = 0;
        for (size_t side = 0; side < (size_t)sides; side++)
            missing |= isnan(score[side * patients + i]);
        if (missing) continue;
        for (size_t side = 0; side < (size_t)sides; side++)
            score[side * patients + (size_t)kept] = score[side * patients + i];
        label[kept++] = cohort->patient_label[i];
        *positives += cohort->patient_label[i];
    }
    return kept;
}

static ren_status measure_contrast(const ren__evaluation *evaluation, ren__run *run, ren__contrast *contrast) {
    ren_context *context = evaluation->context;
    const ren__cohort *cohort = evaluation->study->cohort;
    const int32_t sides = contrast->group_count * REN__LOBE_COUNT;
    double *score = NULL, *coefficient = NULL;
    const double **side = NULL;
    int32_t *label = NULL, positives;
    ren_status st = REN_OK;

    contrast->lower = contrast->upper = NAN;
    contrast->difference = ren__undefined;
    REN_CALLOC(label, (size_t)cohort->patient_count);
    REN_CALLOC(coefficient, (size_t)sides);
    REN_CALLOC(side, (size_t)sides);
    REN_TRY(gather(evaluation, contrast, &score));
    contrast->patients = keep_common(cohort, score, sides, label, &positives);
    if (positives == 0 || positives == contrast->patients) goto out;
    contrast->lower = contrast->upper = 0.0;
    for (int32_t k = 0; k < sides; k++) {
        double auc;
        side[k] = score + (size_t)k * (size_t)cohort->patient_count;
        coefficient[k] = lobe_part[k % REN__LOBE_COUNT] / contrast->group_count;
        REN_TRY(ren__metric_auc(context, label, side[k], contrast->patients, &auc));
        *(coefficient[k] > 0.0 ? &contrast->lower : &contrast->upper) += fabs(coefficient[k]) * auc;
    }
    REN_TRY(ren__bootstrap_auc_contrast(context, run, label, side, coefficient, sides, contrast->patients,
                                        REN__BOOTSTRAP_RESAMPLES, evaluation->study->config->seed,
                                        &contrast->difference));
out:
    ren__free(score);
    ren__free(side);
    ren__free(coefficient);
    ren__free(label);
    return st;
}

static ren_status contrast_regions(ren__evaluation *evaluation, ren__run *run) {
    ren_context *context = evaluation->context;
    const ren__study_config *config = evaluation->study->config;
    double *p = NULL;
    int32_t experts = 0;
    ren_status st = REN_OK;

    REN_CALLOC(evaluation->contrast, (size_t)evaluation->group_count + 1);
    REN_CALLOC(p, (size_t)evaluation->group_count + 1);
    for (int32_t i = 0; i < evaluation->group_count; i++) {
        if (!has_lobes(config, evaluation->group[i])) continue;
        experts += strcmp(ren__study_model_kind(&config->model[evaluation->group[i]]), "expert") == 0;
        evaluation->contrast[evaluation->contrast_count++] =
            (ren__contrast){ .group_count = 1, .groups = &evaluation->group[i] };
    }
    if (experts > 1) /* experts come first, and all of a study have the same regions */
        evaluation->contrast[evaluation->contrast_count++] =
            (ren__contrast){ .group_count = experts, .groups = evaluation->group };
    for (int32_t i = 0; i < evaluation->contrast_count; i++) {
        REN_TRY(measure_contrast(evaluation, run, &evaluation->contrast[i]));
        p[i] = evaluation->contrast[i].difference.p;
    }
    REN_TRY(ren__holm(context, p, evaluation->contrast_count));
    for (int32_t i = 0; i < evaluation->contrast_count; i++)
        evaluation->contrast[i].holm = p[i];
out:
    ren__free(p);
    return st;
}

ren_status ren__evaluation_compare(ren__evaluation *evaluation, ren__run *run) {
    const ren__study_config *config = evaluation->study->config;
    ren_status st = REN_OK;

    evaluation->primary = (ren__pair){ .a = -1, .b = -1, .bootstrap = ren__undefined, .holm = NAN };
    evaluation->wilcoxon = NAN;
    evaluation->delong = ren__undefined;
    if (config->primary[0] >= 0) {
        REN_TRY(compare(evaluation, config->primary[0], config->primary[1], run, &evaluation->primary,
                        &evaluation->delong));
        REN_TRY(describe_folds(evaluation));
    }
    REN_TRY(compare_others(evaluation, run));
    REN_TRY(list_groups(evaluation));
    REN_TRY(contrast_regions(evaluation, run));
out:
    return st;
}
