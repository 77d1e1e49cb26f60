/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation as one page for people: the question that was asked, the answer, and what it rests on. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "moe/report_parts.h"
#include "train/evaluate.h"

static const char style[] =
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:20px;margin:0}\n"
    ".plots h3{margin:0 0 4px}\n"
    ".plot{display:block;width:100%;max-width:460px;height:auto}\n"
    ".plot.wide{max-width:860px}\n"
    ".plot text{font-size:12px;fill:currentColor}\n"
    ".plot .axis{font-size:13px}\n"
    ".grid{stroke:var(--line);stroke-width:1;fill:none}\n"
    ".chance{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4;fill:none}\n"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}\n"
    ".dot{stroke:var(--paper);stroke-width:1.5}\n"
    ".whisker{stroke:var(--ink);stroke-width:2;fill:none}\n"
    ".fold{fill:var(--paper);stroke:var(--ink);stroke-width:1.2}\n"
    ".key{list-style:none;padding:0;margin:0 0 10px;display:flex;flex-wrap:wrap;gap:4px 22px}\n"
    ".key i{display:inline-block;width:14px;height:4px;border-radius:2px;margin:0 7px 3px 0;vertical-align:middle}\n"
    "tr.first th,tr.first td{font-weight:650}\n"
    ".compact{font-size:13.5px}.compact th,.compact td{padding:5px 6px}.compact thead th{font-size:12px}\n"
    "@media print{.plots{grid-template-columns:1fr 1fr}.plot{max-width:80mm}.plot.wide{max-width:150mm}"
    "section{break-inside:avoid}}\n";

static const char *name_of(const ren__evaluation *evaluation, int32_t model) {
    return evaluation->study->config->model[model].name;
}

static void add_interval(ren_text *page, const ren__comparison *of, int decimals) {
    ren__text_add(page, "[");
    ren__add_fixed(page, of->low, decimals);
    ren__text_add(page, ", ");
    ren__add_fixed(page, of->high, decimals);
    ren__text_add(page, "]");
}

/* A bootstrap of 2,000 knows no p below 1 in 1,000. */
static void add_p(ren_text *page, double p) {
    if (isnan(p)) {
        ren__text_add(page, "-");
        return;
    }
    ren__add_fixed(page, p, 3);
}

/* ------------------------------------------------------------------------------------------------------ heading */

static void add_heading(const ren__evaluation *evaluation, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;

    ren__text_add(page, "<header><h1>");
    ren__text_add_html(page, config->study);
    ren__text_add(page, ": evaluation</h1>\n");
    ren__text_addf(page,
                   "<p class=\"subtitle\">%d test patients with %d scans &middot; %d of %d folds &middot; protocol %s "
                   "&middot; libren %s &middot; test folds read %s",
                   evaluation->patients, evaluation->scans, config->run_count, config->folds,
                   config->protocol == REN__PROTOCOL_PAPER ? "paper" : "default", ren_version(),
                   evaluation->number == 1 ? "once" : "");
    if (evaluation->number > 1) ren__text_addf(page, "%lld times", (long long)evaluation->number);
    ren__text_add(page, "</p></header>\n<p class=\"banner\">Research use only, not verified.</p>\n");
}

/* The model that stands at the top: the first of the primary comparison, else the first mixture, else the first. */
static int32_t headline(const ren__evaluation *evaluation) {
    const ren__study_config *config = evaluation->study->config;

    if (config->primary[0] >= 0) return config->primary[0];
    return config->mixture_count > 0 ? ren__study_first_mixture(config) : 0;
}

static void add_primary(const ren__evaluation *evaluation, ren_text *page) {
    const ren__pair *pair = &evaluation->primary;

    if (pair->a < 0 || pair->b < 0) {
        ren__text_add(page, "<p>No primary comparison was named before training: what is compared below is "
                            "exploratory.</p>\n");
        return;
    }
    const ren__level *b = &evaluation->model[pair->b].level[REN__UNIT_PATIENT];
    ren__text_add(page, "<p><b>Primary comparison</b>, named before training: ");
    ren__text_add_html(page, name_of(evaluation, pair->a));
    ren__text_add(page, " against ");
    ren__text_add_html(page, name_of(evaluation, pair->b));
    ren__text_add(page, " (AUC ");
    ren__add_fixed(page, b->pooled.defined ? b->pooled.metrics.auc : NAN, 3);
    ren__text_add(page, ").</p>\n<p>Difference of AUC <b>");
    if (pair->bootstrap.estimate > 0.0) ren__text_add(page, "+");
    ren__add_fixed(page, pair->bootstrap.estimate, 3);
    ren__text_add(page, "</b>, 95 % interval ");
    add_interval(page, &pair->bootstrap, 3);
    ren__text_add(page, ", p = <b>");
    add_p(page, pair->bootstrap.p);
    ren__text_addf(page,
                   "</b></p>\n<p class=\"note\">Paired bootstrap over %d patients, %d resamples, out-of-fold "
                   "predictions of all folds pooled.</p>\n",
                   pair->patients, REN__BOOTSTRAP_RESAMPLES);
}

static void add_outcome(const ren__evaluation *evaluation, ren_text *page) {
    const int32_t model = headline(evaluation);
    const ren__level *level = &evaluation->model[model].level[REN__UNIT_PATIENT];

    ren__text_add(page, "<section id=\"outcome\"><div class=\"answer\"><p class=\"number\">");
    ren__add_fixed(page, level->pooled.defined ? level->pooled.metrics.auc : NAN, 3);
    ren__text_add(page, "</p><p class=\"meaning\">AUC of <b>");
    ren__text_add_html(page, name_of(evaluation, model));
    ren__text_add(page, "</b> by patient<br>95 % interval ");
    add_interval(page, &level->bootstrap, 3);
    ren__text_add(page, "</p></div>\n<div class=\"reading\">");
    add_primary(evaluation, page);
    ren__text_add(page, "</div></section>\n");
}

/* ------------------------------------------------------------------------------------------------------- tables */

static void add_mean(ren_text *page, const ren__level *level) {
    ren__text_add(page, "<td class=\"num\">");
    ren__add_fixed(page, level->mean[0], 3);
    if (!isnan(level->sd[0])) {
        ren__text_add(page, " &plusmn; ");
        ren__add_fixed(page, level->sd[0], 3);
    }
    ren__text_add(page, "</td>");
}

static void add_cell(ren_text *page, double value, int decimals) {
    ren__text_add(page, "<td class=\"num\">");
    ren__add_fixed(page, value, decimals);
    ren__text_add(page, "</td>");
}

static void add_model_row(const ren__evaluation *evaluation, int32_t model, enum ren__unit unit, ren_text *page) {
    const ren__model_evaluation *of = &evaluation->model[model];
    const ren__level *level = &of->level[unit];
    const ren__metrics *metrics = &level->pooled.metrics;
    const int defined = level->pooled.defined;

    ren__text_addf(page, "<tr%s><th scope=\"row\">", model == headline(evaluation) ? " class=\"first\"" : "");
    ren__text_add_html(page, name_of(evaluation, model));
    ren__text_addf(page, "</th><td class=\"num\">%d</td>", metrics->count);
    add_cell(page, defined ? metrics->auc : NAN, 3);
    if (unit == REN__UNIT_PATIENT) {
        ren__text_add(page, "<td class=\"num\">");
        add_interval(page, &level->bootstrap, 2);
        ren__text_add(page, "</td>");
    }
    add_mean(page, level);
    const double values[] = { metrics->average_precision, metrics->accuracy, metrics->sensitivity,
                              metrics->specificity,       metrics->f1,       metrics->brier,
                              metrics->calibration_error };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        add_cell(page, defined ? values[i] : NAN, 3);
    add_cell(page, (double)of->parameters / 1e6, of->parameters < 10000000 ? 2 : 1);
    add_cell(page, of->flops / 1e9, of->flops < 1e10 ? 2 : 1);
    ren__text_add(page, "</tr>\n");
}

/* Mixtures first: they are what was built. */
static void add_models(const ren__evaluation *evaluation, enum ren__unit unit, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;

    ren__text_addf(page,
                   "<div class=\"scroll\"><table class=\"compact\"><thead><tr><th>Model</th><th "
                   "class=\"num\">%s</th><th class=\"num\">"
                   "AUC</th>%s<th class=\"num\">over folds</th><th class=\"num\">Av. prec.</th><th "
                   "class=\"num\">Accuracy</th><th class=\"num\">Sens.</th><th class=\"num\">Spec.</th><th "
                   "class=\"num\">F1</th><th class=\"num\">Brier</th><th class=\"num\">Calib. err.</th><th "
                   "class=\"num\">M par.</th><th class=\"num\">GFLOP</th></tr></thead>\n<tbody>\n",
                   unit == REN__UNIT_PATIENT ? "Patients" : "Scans",
                   unit == REN__UNIT_PATIENT ? "<th class=\"num\">95 % interval</th>" : "");
    for (int32_t model = 0; model < config->model_count; model++)
        if (config->model[model].mixture >= 0) add_model_row(evaluation, model, unit, page);
    for (int32_t model = 0; model < config->model_count; model++)
        if (config->model[model].mixture < 0) add_model_row(evaluation, model, unit, page);
    ren__text_add(page, "</tbody></table></div>\n");
}

static void add_pairs(const ren__evaluation *evaluation, ren_text *page) {
    if (evaluation->other_count == 0) return;
    ren__text_add(page, "<section><h2>Other comparisons</h2>\n<p class=\"note\">Exploratory; p corrected by Holm over "
                        "all rows.</p>\n<div class=\"scroll\"><table><thead><tr><th>Model</th><th>against</th><th "
                        "class=\"num\">Patients</th><th class=\"num\">Difference of AUC</th><th class=\"num\">95 % "
                        "interval</th><th class=\"num\">p</th><th class=\"num\">p (Holm)</th></tr></thead>\n<tbody>\n");
    for (int32_t i = 0; i < evaluation->other_count; i++) {
        const ren__pair *pair = &evaluation->other[i];
        ren__text_add(page, "<tr><th scope=\"row\">");
        ren__text_add_html(page, name_of(evaluation, pair->a));
        ren__text_add(page, "</th><td>");
        ren__text_add_html(page, name_of(evaluation, pair->b));
        ren__text_addf(page, "</td><td class=\"num\">%d</td>", pair->patients);
        add_cell(page, pair->bootstrap.estimate, 3);
        ren__text_add(page, "<td class=\"num\">");
        add_interval(page, &pair->bootstrap, 3);
        ren__text_add(page, "</td><td class=\"num\">");
        add_p(page, pair->bootstrap.p);
        ren__text_add(page, "</td><td class=\"num\">");
        add_p(page, pair->holm);
        ren__text_add(page, "</td></tr>\n");
    }
    ren__text_add(page, "</tbody></table></div></section>\n");
}

static void add_folds(const ren__evaluation *evaluation, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;

    ren__text_add(page, "<details><summary>AUC of every fold, by patient</summary>\n<div class=\"scroll\"><table>"
                        "<thead><tr><th>Model</th>");
    for (int32_t i = 0; i < config->run_count; i++)
        ren__text_addf(page, "<th class=\"num\">Fold %d</th>", config->run[i]);
    ren__text_add(page, "</tr></thead>\n<tbody>\n");
    for (int32_t model = 0; model < config->model_count; model++) {
        const ren__level *level = &evaluation->model[model].level[REN__UNIT_PATIENT];
        ren__text_add(page, "<tr><th scope=\"row\">");
        ren__text_add_html(page, name_of(evaluation, model));
        ren__text_add(page, "</th>");
        for (int32_t i = 0; i < config->run_count; i++)
            add_cell(page, level->fold[i].defined ? level->fold[i].metrics.auc : NAN, 3);
        ren__text_add(page, "</tr>\n");
    }
    ren__text_add(page, "</tbody></table></div></details>\n");
}

/* ----------------------------------------------------------------------------------------------------- pictures */

/* The primary pair, then mixtures and baselines: what has seen all that there is to see. */
static int32_t plotted(const ren__evaluation *evaluation, int32_t models[REN__PLOT_SERIES]) {
    const ren__study_config *config = evaluation->study->config;
    int32_t count = 0;

    models[count++] = headline(evaluation);
    if (config->primary[1] >= 0) models[count++] = config->primary[1];
    for (int32_t model = 0; model < config->model_count && count < REN__PLOT_SERIES; model++) {
        int seen = strcmp(ren__study_model_kind(&config->model[model]), "expert") == 0;
        for (int32_t i = 0; i < count; i++)
            seen |= models[i] == model;
        if (!seen) models[count++] = model;
    }
    return count;
}

static void add_curves(const ren__evaluation *evaluation, ren_text *page) {
    int32_t models[REN__PLOT_SERIES];
    const int32_t count = plotted(evaluation, models);

    ren__text_add(page, "<section><h2>Discrimination and calibration</h2>\n<ul class=\"key\">");
    for (int32_t i = 0; i < count; i++) {
        ren__text_addf(page, "<li><i style=\"background:%s\"></i>", ren__plot_colours[i]);
        ren__text_add_html(page, name_of(evaluation, models[i]));
        ren__text_add(page, "</li>");
    }
    ren__text_add(page, "</ul>\n<div class=\"plots\"><div><h3>ROC</h3>\n");
    ren__plot_roc(evaluation, models, count, page);
    ren__text_add(page, "<p class=\"note\">Patients of all folds. The dot is where the thresholds chosen on validation "
                        "lead.</p></div>\n<div><h3>Calibration</h3>\n");
    ren__plot_calibration(evaluation, models, count, page);
    ren__text_addf(page,
                   "<p class=\"note\">%d groups of equal size, by probability; on the dashed line probability is "
                   "frequency.</p></div></div></section>\n",
                   REN__CALIBRATION_BINS);
}

static ren_status add_regions(const ren__evaluation *evaluation, ren_text *page) {
    ren_context *context = evaluation->context;
    const ren__study_config *config = evaluation->study->config;
    int32_t *models = NULL, count = 0;
    ren_status st = REN_OK;

    REN_CALLOC(models, (size_t)config->model_count);
    for (int32_t model = 0; model < config->model_count; model++)
        if (config->model[model].mixture >= 0) models[count++] = model;
    for (int32_t model = 0; model < config->model_count; model++)
        if (config->model[model].mixture < 0) models[count++] = model;
    ren__text_add(page, "<section><h2>AUC by model and region</h2>\n");
    ren__plot_bars(evaluation, models, count, page);
    ren__text_addf(page,
                   "<p class=\"note\">By patient, all folds. Line: 95 %% interval (bootstrap)%s. Dashed: "
                   "chance.</p>\n",
                   config->run_count > 1 ? "; circles: single folds" : "");
    add_folds(evaluation, page);
    ren__text_add(page, "</section>\n");
out:
    ren__free(models);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ methods */

static void add_methods(const ren__evaluation *evaluation, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;

    ren__text_add(page, "<section><h2>How this was measured</h2>\n<dl>\n<dt>Split</dt><dd>");
    ren__text_addf(page, "%d folds grouped by patient%s, made once with seed %llu and stored. ", config->folds,
                   config->stratified ? " and stratified by label" : "", (unsigned long long)config->seed);
    ren__text_add(page, config->protocol == REN__PROTOCOL_PAPER
                            ? "Each held-out fold is halved by patient into validation and test."
                            : "Each held-out fold is test; validation comes from the training patients.");
    ren__text_add(page, "</dd>\n<dt>Chosen on validation</dt><dd>Epoch, gate weights and thresholds (Youden). Test "
                        "folds were read after all of these were fixed.</dd>\n<dt>Patient</dt><dd>Mean probability of "
                        "the patient's scans; positive where one scan is.</dd>\n<dt>Pooled</dt><dd>Out-of-fold "
                        "predictions of all folds together; each fold decides by its own threshold.</dd>\n<dt>Over "
                        "folds</dt><dd>Mean &plusmn; standard deviation (n &minus; 1). ");
    if (evaluation->primary.a >= 0) {
        ren__text_add(page, "For description only, primary pair: Wilcoxon p over folds ");
        add_p(page, evaluation->wilcoxon);
        ren__text_add(page, ", which cannot fall below 0.0625 with five folds; DeLong p ");
        add_p(page, evaluation->delong.p);
        ren__text_add(page, ".");
    }
    ren__text_add(page, "</dd>\n</dl></section>\n");
}

ren_status ren__evaluation_html(const ren__evaluation *evaluation, ren_text *page) {
    ren_status st = REN_OK;

    ren__text_add(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                        "content=\"width=device-width,initial-scale=1\"><title>");
    ren__text_add_html(page, evaluation->study->config->study);
    ren__text_add(page, ": evaluation</title>\n<style>\n");
    ren__text_add(page, ren__report_style);
    ren__text_add(page, style);
    ren__text_add(page, "</style></head><body><main>\n");
    add_heading(evaluation, page);
    add_outcome(evaluation, page);
    add_curves(evaluation, page);
    REN_TRY(add_regions(evaluation, page));
    ren__text_add(page, "<section><h2>Models, by patient</h2>\n");
    add_models(evaluation, REN__UNIT_PATIENT, page);
    ren__text_add(page, "<details><summary>The same by scan</summary>\n");
    add_models(evaluation, REN__UNIT_SCAN, page);
    ren__text_add(page, "<p class=\"note\">Scans of one patient are alike: no interval is given.</p></details>"
                        "</section>\n");
    add_pairs(evaluation, page);
    add_methods(evaluation, page);
    ren__text_addf(page, "<footer>libren %s. Research use only, not verified.</footer>\n</main></body></html>\n",
                   ren_version());
    st = page->status;
out:
    return st;
}
