/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ablations: what becomes of a mixture where a part of it is taken away, from the stored predictions alone. Nothing is
 * trained or fitted again, so an expert's place is not filled by what others would have learned without it; and what
 * replaces a gate is chosen on validation.
 */
#include <math.h>
#include <string.h>

#include "moe/gate.h"
#include "train/evaluate.h"

enum { MOST_ABLATIONS = REN_REGION_COUNT + REN__ABLATION_KINDS }; /* of one mixture */

/* One mixture while it is taken apart. */
typedef struct parts {
    const ren__evaluation *evaluation;
    int32_t model, members, member[REN_REGION_COUNT];
    const ren__gate_entry *gate; /* or NULL */
    double *probability;         /* REN_REGION_COUNT of each scan of the cohort; NaN: the expert has not seen it */
    int weighted; /* not 0: the mixture is the mean of its experts' probabilities with the weights that are stored */
    double auc[REN__FOLDS_MAX][REN_REGION_COUNT];    /* of the experts on validation; NaN: unknown */
    double steady[REN__FOLDS_MAX][REN_REGION_COUNT]; /* mean weights on validation; all 0: unknown */
} parts;

int32_t ren__mixture_members(const ren__study_config *config, int32_t model, int32_t member[REN_REGION_COUNT]) {
    const ren__study_model *of = &config->model[model];
    const int joins = of->mixture >= 0 && of->expert >= 0 && of->expert < config->expert_count;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        member[region] = -1;
    for (int32_t k = 0; k < config->region_count && joins; k++)
        member[config->region[k]] = of->expert * config->region_count + k;
    return joins ? config->region_count : 0;
}

const ren__gate_entry *ren__mixture_gate(const ren__study_config *config, int32_t model) {
    const int32_t mixture = config->model[model].mixture;

    if (mixture < 0 || config->mixture[mixture].gate < 0) return NULL;
    return &config->gate[config->mixture[mixture].gate];
}

/* ------------------------------------------------------------------------------------------- what there is of it */

static int32_t run_index(const ren__study_config *config, int32_t fold) {
    int32_t index = 0;

    while (index < config->run_count - 1 && config->run[index] != fold)
        index++;
    return index;
}

/* Each scan is tested in one fold. */
static void collect_probabilities(const parts *of) {
    const size_t cells = (size_t)of->evaluation->study->cohort->count * REN_REGION_COUNT;

    for (size_t i = 0; i < cells; i++)
        of->probability[i] = NAN;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (of->member[region] < 0) continue;
        const ren__predictions *rows = &of->evaluation->model[of->member[region]].test;
        for (int32_t i = 0; i < rows->count; i++)
            of->probability[(size_t)rows->item[i].scan * REN_REGION_COUNT + (size_t)region] = rows->item[i].probability;
    }
}

/* The mean of the probabilities with these weights over the experts that have seen the scan; NaN: none of them has. */
static double weighted_mean(const double *probability, const double *weight) {
    double sum = 0.0, total = 0.0;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (isnan(probability[region]) || !(weight[region] > 0.0)) continue;
        sum += weight[region] * probability[region];
        total += weight[region];
    }
    return total > 0.0 ? fmin(1.0, sum / total) : NAN;
}

/* A stacked mixture or a network may store weights too, but is no mean: then leaving out a weight says nothing of it.
 * Stored numbers are exact; a mixture may have summed them in another order. */
static int is_weighted_mean(const parts *of) {
    const ren__predictions *rows = &of->evaluation->model[of->model].test;

    for (int32_t i = 0; i < rows->count; i++) {
        const ren__prediction *item = &rows->item[i];
        const double mean = weighted_mean(of->probability + (size_t)item->scan * REN_REGION_COUNT, item->weight);
        if (!(fabs(mean - item->probability) <= 1e-9)) return 0;
    }
    return rows->count > 0;
}

static ren_status validation_auc(const ren__evaluation *evaluation, int32_t model, int32_t fold, double *auc) {
    ren_context *context = evaluation->context;
    const ren__predictions *rows = &evaluation->model[model].validation;
    int32_t *label = NULL, count = 0, positives = 0;
    double *score = NULL;
    ren_status st = REN_OK;

    *auc = NAN;
    REN_CALLOC(label, (size_t)rows->count);
    REN_CALLOC(score, (size_t)rows->count);
    for (int32_t i = 0; i < rows->count; i++) {
        if (rows->item[i].fold != fold) continue;
        label[count] = evaluation->study->cohort->item[rows->item[i].scan].label;
        positives += label[count];
        score[count++] = rows->item[i].probability;
    }
    if (positives > 0 && positives < count) st = ren__metric_auc(context, label, score, count, auc);
out:
    ren__free(score);
    ren__free(label);
    return st;
}

static ren_status read_validation(parts *of) {
    const ren__study_config *config = of->evaluation->study->config;
    const ren__predictions *rows = &of->evaluation->model[of->model].validation;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < config->run_count && st == REN_OK; i++)
        for (int32_t region = 0; region < REN_REGION_COUNT && st == REN_OK; region++) {
            of->auc[i][region] = NAN;
            if (of->member[region] >= 0)
                st = validation_auc(of->evaluation, of->member[region], config->run[i], &of->auc[i][region]);
        }
    for (int32_t i = 0; i < rows->count; i++)
        for (int32_t region = 0; region < REN_REGION_COUNT; region++)
            of->steady[run_index(config, rows->item[i].fold)][region] += rows->item[i].weight[region];
    return st;
}

/* ------------------------------------------------------------------------------------------------- other weights */

static int32_t best_region(const double auc[REN_REGION_COUNT]) {
    int32_t best = -1;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (!isnan(auc[region]) && (best < 0 || auc[region] > auc[best])) best = region;
    return best;
}

/* As the gate that is replaced does it: lobes and lungs to the same sum where both are there. */
static void normalise_levels(const double *probability, double weight[REN_REGION_COUNT]) {
    double level[2] = { 0.0, 0.0 };

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (!isnan(probability[region])) level[region >= REN__LOBE_COUNT] += weight[region];
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (level[region >= REN__LOBE_COUNT] > 0.0) weight[region] /= level[region >= REN__LOBE_COUNT];
}

static void replace_weights(const parts *of, const ren__ablation *ablation, const ren__prediction *item,
                            double weight[REN_REGION_COUNT]) {
    const int32_t fold = run_index(of->evaluation->study->config, item->fold);
    const double *probability = of->probability + (size_t)item->scan * REN_REGION_COUNT;
    const int32_t best = best_region(of->auc[fold]);

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const int lung = region >= REN__LOBE_COUNT;
        const double auc = of->auc[fold][region], kept = item->weight[region];
        const double value[REN__ABLATION_KINDS] = { [REN__WITHOUT_REGION] = region == ablation->region ? 0.0 : kept,
                                                    [REN__LOBES_ALONE] = lung ? 0.0 : kept,
                                                    [REN__LUNGS_ALONE] = lung ? kept : 0.0,
                                                    [REN__UNIFORM_WEIGHTS] = 1.0,
                                                    [REN__VALIDATION_WEIGHTS] = isnan(auc) ? 0.0 : fmax(auc, 1e-6),
                                                    [REN__STEADY_WEIGHTS] = of->steady[fold][region],
                                                    [REN__BEST_EXPERT] = region == best ? 1.0 : 0.0 };
        weight[region] = value[ablation->kind];
    }
    if (of->gate && of->gate->normalisation == REN_GATE_HIERARCHICAL &&
        (ablation->kind == REN__UNIFORM_WEIGHTS || ablation->kind == REN__VALIDATION_WEIGHTS))
        normalise_levels(probability, weight);
}

/* -------------------------------------------------------------------------------------------------- one ablation */

static ren_status ablated_rows(const parts *of, const ren__ablation *ablation, ren__predictions *rows) {
    const ren__predictions *whole = &of->evaluation->model[of->model].test;
    ren_status st = REN_OK;

    for (int32_t i = 0; i < whole->count && st == REN_OK; i++) {
        ren__prediction item = whole->item[i];
        double weight[REN_REGION_COUNT];
        replace_weights(of, ablation, &whole->item[i], weight);
        item.probability = weighted_mean(of->probability + (size_t)item.scan * REN_REGION_COUNT, weight);
        if (!isnan(item.probability)) st = ren__predictions_add(rows, &item);
    }
    return st;
}

static ren_status measure(const parts *of, ren__ablation *ablation, ren__run *run) {
    static const double threshold[REN__FOLDS_MAX] = { 0.0 }; /* no decision is asked for */
    const ren__evaluation *evaluation = of->evaluation;
    ren__predictions rows = { .context = evaluation->context };
    ren__sample sample = { 0 };
    double auc[2];
    ren_status st = REN_OK;

    REN_TRY(ablated_rows(of, ablation, &rows));
    REN_TRY(ren__sample_patients(evaluation, &rows, threshold, &sample));
    REN_TRY(ren__compare_samples(evaluation, &sample, &evaluation->model[of->model].level[REN__UNIT_PATIENT].sample,
                                 run, &ablation->patients, auc, &ablation->change, NULL));
    ablation->left = auc[0];
    ablation->whole = auc[1];
out:
    ren__sample_free(&sample);
    ren__predictions_free(&rows);
    return st;
}

/* Not 0 where the gate is already what an ablation would put in its place. */
static int gives(const parts *of, const char *source) {
    const ren__gate_entry *gate = of->gate;

    return gate && strcmp(gate->source, source) == 0 && gate->mode == REN__GATE_FIXED &&
           (gate->of < 0 || gate->of == of->evaluation->study->config->model[of->model].expert);
}

/* What can be asked of this mixture; `list` has room for MOST_ABLATIONS. */
static int32_t plan(const parts *of, ren__ablation *list) {
    const ren__model_weights *weights = &of->evaluation->model[of->model].weights;
    const int both = of->member[REN_REGION_LUL] >= 0 && of->member[REN_REGION_LEFT_LUNG] >= 0;
    const int wanted[REN__ABLATION_KINDS] = { [REN__LOBES_ALONE] = of->weighted && both,
                                              [REN__LUNGS_ALONE] = of->weighted && both,
                                              [REN__UNIFORM_WEIGHTS] = !gives(of, "uniform"),
                                              [REN__VALIDATION_WEIGHTS] = !gives(of, "validation_auc"),
                                              [REN__STEADY_WEIGHTS] = of->weighted && weights->varies,
                                              [REN__BEST_EXPERT] = 1 };
    int32_t count = 0;

    if (of->members < 2) return 0;
    for (int32_t region = 0; region < REN_REGION_COUNT && of->weighted; region++)
        if (of->member[region] >= 0)
            list[count++] = (ren__ablation){ .kind = REN__WITHOUT_REGION, .model = of->model, .region = region };
    for (int kind = 0; kind < REN__ABLATION_KINDS; kind++)
        if (wanted[kind])
            list[count++] = (ren__ablation){ .kind = (enum ren__ablation_kind)kind, .model = of->model, .region = -1 };
    return count;
}

static ren_status ablate(ren__evaluation *evaluation, int32_t model, ren__run *run) {
    ren_context *context = evaluation->context;
    ren__ablation *list = evaluation->ablation + evaluation->ablation_count;
    parts *of = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(of, 1);
    of->evaluation = evaluation;
    of->model = model;
    of->members = ren__mixture_members(evaluation->study->config, model, of->member);
    of->gate = ren__mixture_gate(evaluation->study->config, model);
    if (of->members == 0) goto out;
    REN_CALLOC(of->probability, (size_t)evaluation->study->cohort->count * REN_REGION_COUNT);
    collect_probabilities(of);
    of->weighted = is_weighted_mean(of);
    REN_TRY(read_validation(of));
    const int32_t count = plan(of, list);
    for (int32_t i = 0; i < count; i++)
        REN_TRY(measure(of, &list[i], run));
    evaluation->ablation_count += count;
out:
    if (of) ren__free(of->probability);
    ren__free(of);
    return st;
}

ren_status ren__evaluation_ablate(ren__evaluation *evaluation, ren__run *run) {
    ren_context *context = evaluation->context;
    const ren__study_config *config = evaluation->study->config;
    double *p = NULL;
    ren_status st = REN_OK;

    if (config->mixture_count == 0) return REN_OK;
    REN_CALLOC(evaluation->ablation, (size_t)config->mixture_count * MOST_ABLATIONS);
    REN_CALLOC(p, (size_t)config->mixture_count * MOST_ABLATIONS);
    for (int32_t model = 0; model < config->model_count; model++)
        if (config->model[model].mixture >= 0) REN_TRY(ablate(evaluation, model, run));
    for (int32_t i = 0; i < evaluation->ablation_count; i++)
        p[i] = evaluation->ablation[i].change.p;
    REN_TRY(ren__holm(context, p, evaluation->ablation_count));
    for (int32_t i = 0; i < evaluation->ablation_count; i++)
        evaluation->ablation[i].holm = p[i];
out:
    ren__free(p);
    return st;
}

/* --------------------------------------------------------------------------------------------------------- names */

const char *ren__ablation_name(enum ren__ablation_kind kind) {
    static const char *const names[REN__ABLATION_KINDS] = { "without_region",  "lobes_alone",        "lungs_alone",
                                                            "uniform_weights", "validation_weights", "steady_weights",
                                                            "best_expert" };

    return names[kind];
}

static int reads_the_scan(const ren__gate_entry *gate) {
    return gate && (strcmp(gate->source, "radiomics") == 0 || strcmp(gate->source, "features") == 0);
}

void ren__ablation_title(const ren__evaluation *evaluation, const ren__ablation *ablation, ren_text *text) {
    static const char *const titles[REN__ABLATION_KINDS] = { [REN__LOBES_ALONE] = "lobes alone",
                                                             [REN__LUNGS_ALONE] = "lungs alone",
                                                             [REN__UNIFORM_WEIGHTS] = "equal weights",
                                                             [REN__VALIDATION_WEIGHTS] = "weights from validation AUC",
                                                             [REN__STEADY_WEIGHTS] = "one set of weights for all scans",
                                                             [REN__BEST_EXPERT] = "best single expert" };
    static const char *const regions[REN_REGION_COUNT] = { "LUL", "LLL",           "RUL",           "RML",
                                                           "RLL", "the left lung", "the right lung" };
    const ren__gate_entry *gate = ren__mixture_gate(evaluation->study->config, ablation->model);

    if (ablation->kind == REN__WITHOUT_REGION)
        ren__text_addf(text, "without %s", regions[ablation->region]);
    else if (ablation->kind == REN__VALIDATION_WEIGHTS && reads_the_scan(gate))
        ren__text_addf(text, "without %s", gate->source);
    else
        ren__text_add(text, titles[ablation->kind]);
}
