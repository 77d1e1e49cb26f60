/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation's page: every model, with all its figures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "moe/report_parts.h"
#include "train/evaluation_parts.h"

/* -------------------------------------------------------------------------------------------------------- bars */

static int is_kind(const ren__study_config *config, int32_t model, const char *kind) {
    return strcmp(ren__study_model_kind(&config->model[model]), kind) == 0;
}

/* Mixtures and baselines: what has seen all that there is to see. The regions' models have a section of their own. */
ren_status ren__add_model_bars(const ren__evaluation *evaluation, ren_text *page) {
    ren_context *context = evaluation->context;
    const ren__study_config *config = evaluation->study->config;
    int32_t *models = NULL, count = 0;
    ren_status st = REN_OK;

    REN_CALLOC(models, (size_t)config->model_count);
    for (int32_t model = 0; model < config->model_count; model++)
        if (is_kind(config, model, "mixture")) models[count++] = model;
    for (int32_t model = 0; model < config->model_count; model++)
        if (is_kind(config, model, "baseline")) models[count++] = model;
    if (count == 0) goto out;
    ren__text_add(page, "<section><h2>AUC of mixtures and baselines</h2>\n");
    ren__plot_bars(evaluation, models, count, page);
    ren__text_addf(page,
                   "<p class=\"note\">By patient, all folds. Line: 95 %% interval (bootstrap)%s. Dashed: chance. "
                   "Blue: mixtures; orange: baselines.</p></section>\n",
                   config->run_count > 1 ? "; circles: single folds" : "");
out:
    ren__free(models);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ figures */

static void add_mean(ren_text *page, const ren__level *level) {
    ren__text_add(page, "<td class=\"num\">");
    ren__add_fixed(page, level->mean[0], 3);
    if (!isnan(level->sd[0])) {
        ren__text_add(page, " &plusmn; ");
        ren__add_fixed(page, level->sd[0], 3);
    }
    ren__text_add(page, "</td>");
}

static void begin_row(const ren__evaluation *evaluation, int32_t model, ren_text *page) {
    ren__text_addf(page, "<tr%s><th scope=\"row\">", model == ren__headline(evaluation) ? " class=\"first\"" : "");
    ren__text_add_html(page, ren__model_name(evaluation, model));
    ren__text_add(page, "</th>");
}

static void metrics_row(const ren__evaluation *evaluation, int32_t model, int32_t unit, ren_text *page) {
    const ren__level *level = &evaluation->model[model].level[unit];
    const ren__metrics *metrics = &level->pooled.metrics;

    begin_row(evaluation, model, page);
    ren__text_addf(page, "<td class=\"num\">%d</td>", metrics->count);
    ren__add_cell(page, level->pooled.defined ? metrics->auc : (double)NAN, 3);
    if (unit == REN__UNIT_PATIENT) {
        ren__text_add(page, "<td class=\"num\">");
        ren__add_interval(page, &level->bootstrap, 2);
        ren__text_add(page, "</td>");
    }
    add_mean(page, level);
    for (int32_t k = 1; k < REN__METRIC_COUNT; k++)
        ren__add_cell(page, level->pooled.defined ? ren__metric_value(metrics, k) : (double)NAN, 3);
    ren__text_add(page, "</tr>\n");
}

/* Confusion matrix as counts, then size. */
static void size_row(const ren__evaluation *evaluation, int32_t model, ren_text *page) {
    const ren__model_evaluation *of = &evaluation->model[model];
    const ren__measured *pooled = &of->level[REN__UNIT_PATIENT].pooled;

    begin_row(evaluation, model, page);
    for (int truth = 0; truth < 2; truth++)
        for (int decision = 0; decision < 2; decision++)
            ren__add_cell(page, pooled->defined ? (double)pooled->metrics.confusion[truth][decision] : (double)NAN, 0);
    ren__add_cell(page, (double)of->parameters / 1e6, of->parameters < 10000000 ? 3 : 1);
    ren__add_cell(page, of->flops / 1e9, of->flops < 1e10 ? 3 : 1);
    ren__text_add(page, "</tr>\n");
}

static void folds_row(const ren__evaluation *evaluation, int32_t model, ren_text *page) {
    const ren__level *level = &evaluation->model[model].level[REN__UNIT_PATIENT];

    begin_row(evaluation, model, page);
    for (int32_t i = 0; i < evaluation->study->config->run_count; i++)
        ren__add_cell(page, level->fold[i].defined ? level->fold[i].metrics.auc : (double)NAN, 3);
    ren__text_add(page, "</tr>\n");
}

/* --------------------------------------------------------------------------------------------------------- tables */

enum table { BY_PATIENT = REN__UNIT_PATIENT, BY_SCAN = REN__UNIT_SCAN, SIZES, FOLDS };

static void add_row(const ren__evaluation *evaluation, int32_t model, enum table table, ren_text *page) {
    if (table == SIZES)
        size_row(evaluation, model, page);
    else if (table == FOLDS)
        folds_row(evaluation, model, page);
    else
        metrics_row(evaluation, model, (int32_t)table, page);
}

/* Rows by kind, each kind under its title. */
static void add_rows(const ren__evaluation *evaluation, enum table table, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;

    for (const ren__kind_title *kind = ren__kind_titles; kind->kind; kind++) {
        int32_t count = 0;
        for (int32_t model = 0; model < config->model_count; model++) {
            if (!is_kind(config, model, kind->kind)) continue;
            if (count++ == 0)
                ren__text_addf(page, "<tr class=\"kind\"><th scope=\"rowgroup\" colspan=\"20\">%s</th></tr>\n",
                               kind->title);
            add_row(evaluation, model, table, page);
        }
    }
    ren__end_table(page);
}

static void add_metrics(const ren__evaluation *evaluation, enum table table, ren_text *page) {
    static const char *const patient[] = { "Model",   "#Patients", "#AUC",   "#95 % interval", "#over folds",
                                           "#AP",     "#Acc.",     "#Sens.", "#Spec.",         "#Prec.",
                                           "#Recall", "#F1",       "#Brier", "#ECE",           "#CE" };
    static const char *const scan[] = { "Model",  "#Scans", "#AUC",    "#over folds", "#AP",    "#Acc.", "#Sens.",
                                        "#Spec.", "#Prec.", "#Recall", "#F1",         "#Brier", "#ECE",  "#CE" };
    const int by_patient = table == BY_PATIENT;

    ren__begin_table(page, "compact", by_patient ? patient : scan,
                     by_patient ? sizeof patient / sizeof *patient : sizeof scan / sizeof *scan);
    add_rows(evaluation, table, page);
}

static void add_fold_table(const ren__evaluation *evaluation, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;
    const char *columns[REN__FOLDS_MAX + 1] = { "Model" };
    char name[REN__FOLDS_MAX][16];

    for (int32_t i = 0; i < config->run_count; i++) {
        snprintf(name[i], sizeof name[i], "#Fold %d", config->run[i]);
        columns[i + 1] = name[i];
    }
    ren__begin_table(page, "compact", columns, (size_t)config->run_count + 1);
    add_rows(evaluation, FOLDS, page);
}

void ren__add_model_tables(const ren__evaluation *evaluation, ren_text *page) {
    static const char *const sizes[] = { "Model",      "#True neg.",    "#False pos.",  "#False neg.",
                                         "#True pos.", "#M parameters", "#GFLOP a scan" };

    ren__text_add(page, "<section><h2>All figures</h2>\n<h3>By patient</h3>\n");
    add_metrics(evaluation, BY_PATIENT, page);
    ren__text_add(page, "<p class=\"note\">All folds together; accuracy to F1 at the thresholds that validation gave "
                        "each fold. Precision, recall and F1 are means over both classes weighted by their counts, so "
                        "that recall is accuracy. AP: average precision; ECE: expected calibration error; CE: "
                        "cross-entropy.</p>\n<h3>Confusion and size</h3>\n");
    ren__begin_table(page, "compact", sizes, sizeof sizes / sizeof *sizes);
    add_rows(evaluation, SIZES, page);
    ren__text_add(page,
                  "<p class=\"note\">Confusion by patient. A mixture has the parameters and the operations of all "
                  "its experts; operations of one prediction, counted densely.</p>\n<details><summary>By "
                  "scan</summary>\n");
    add_metrics(evaluation, BY_SCAN, page);
    ren__text_add(page, "<p class=\"note\">Scans of one patient are alike: no interval is given.</p></details>\n"
                        "<details><summary>AUC of every fold, by patient</summary>\n");
    add_fold_table(evaluation, page);
    ren__text_add(page, "</details></section>\n");
}
