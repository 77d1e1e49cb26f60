/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation as one page for people: the question that was asked, the answer, how sure it is, and what it rests on.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "moe/report_parts.h"
#include "train/evaluation_parts.h"

static const char style[] =
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,330px),1fr));gap:20px;margin:0 0 10px}\n"
    ".plots.wide{grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr))}\n"
    ".faint{opacity:.45}\n"
    ".plots h3{margin:0 0 4px}\n"
    ".plots>div{min-width:0}\n"
    ".plot{display:block;width:100%;max-width:460px;height:auto}\n"
    ".plot.bars{max-width:640px}\n"
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
    ".under{color:var(--soft);font-size:12px}\n"
    "@media (max-width:640px){.plot.bars text{font-size:15px}}\n"
    ".findings{padding-left:20px;margin:0}.findings li{margin:0 0 6px}\n"
    ".reading dl{grid-template-columns:max-content 1fr;gap:6px 16px;margin:0}\n"
    "tr.first th,tr.first td{font-weight:650}\n"
    "tr.kind th{color:var(--soft);font-size:12px;font-weight:600;padding-top:12px}\n"
    ".scroll tbody th{position:sticky;left:0;background:var(--paper)}\n"
    ".compact{font-size:13.5px}.compact th,.compact td{padding:5px 6px}.compact thead th{font-size:12px}\n"
    "@media (max-width:640px){main{padding:14px}.number{font-size:48px}.reading dl,#methods dl,details "
    "dl{grid-template-columns:1fr;gap:0}.reading dd,#methods dd,details dd{margin-bottom:8px}.scroll tbody "
    "th{max-width:38vw;overflow:hidden;text-overflow:ellipsis}}\n"
    "@media print{.plots{grid-template-columns:1fr 1fr}.plot{max-width:80mm}.plot.bars{max-width:85mm}"
    "section{break-inside:avoid}details>summary{display:none}}\n";

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

/* ------------------------------------------------------------------------------------------------------ outcome */

static void add_names(const ren__evaluation *evaluation, const char *a, int32_t first, const char *b, int32_t second,
                      const char *end, ren_text *page) {
    ren__text_add(page, a);
    ren__text_add_html(page, ren__model_name(evaluation, first));
    ren__text_add(page, b);
    ren__text_add_html(page, ren__model_name(evaluation, second));
    ren__text_add(page, end);
}

/* The answer in words, which follow from the interval alone. */
static void add_verdict(const ren__evaluation *evaluation, ren_text *page) {
    const ren__pair *pair = &evaluation->primary;
    const ren__comparison *found = &pair->bootstrap;

    if (isnan(found->estimate))
        ren__text_add(page, "<b>None.</b> The patients that both models have predicted are of one class.");
    else if (found->low > 0.0)
        add_names(evaluation, "<b>", pair->a, " had a higher AUC than ", pair->b, ".</b>", page);
    else if (found->high < 0.0)
        add_names(evaluation, "<b>", pair->a, " had a lower AUC than ", pair->b, ".</b>", page);
    else
        add_names(evaluation, "<b>No difference was shown</b> between ", pair->a, " and ", pair->b,
                  ": the interval includes 0.", page);
    if (isnan(found->estimate)) return;
    ren__text_add(page, " AUC ");
    ren__add_fixed(page, pair->auc[0], 3);
    ren__text_add(page, " against ");
    ren__add_fixed(page, pair->auc[1], 3);
    ren__text_add(page, ", difference <b>");
    ren__add_signed(page, found->estimate, 3);
    ren__text_add(page, "</b>.");
}

static void add_certainty(const ren__evaluation *evaluation, ren_text *page) {
    const ren__pair *pair = &evaluation->primary;
    const ren__comparison *found = &pair->bootstrap;

    ren__text_add(page, "95 % interval of the difference ");
    ren__add_interval(page, found, 3);
    ren__text_add(page, ", p = ");
    ren__add_p(page, found->p);
    ren__text_addf(page, ", %d patients.", pair->patients);
    if (isnan(found->estimate) || found->low > 0.0 || found->high < 0.0) return;
    ren__text_add(page, " These data are compatible with everything from ");
    ren__add_signed(page, found->low, 3);
    ren__text_add(page, " to ");
    ren__add_signed(page, found->high, 3);
    ren__text_add(page, "; they do not show that the models are equal.");
}

static void add_primary(const ren__evaluation *evaluation, ren_text *page) {
    const ren__pair *pair = &evaluation->primary;

    if (pair->a < 0) {
        ren__text_add(page, "<p>No primary comparison was named before training: everything below describes, nothing "
                            "is confirmed.</p>\n");
        return;
    }
    add_names(evaluation, "<dl><dt>Asked</dt><dd>Does the AUC of <b>", pair->a, "</b> differ from that of <b>", pair->b,
              "</b>? Named before training, tested once.</dd>\n<dt>Answer</dt><dd>", page);
    add_verdict(evaluation, page);
    ren__text_add(page, "</dd>\n<dt>How sure</dt><dd>");
    add_certainty(evaluation, page);
    ren__text_add(page, "</dd></dl>\n");
}

static void add_outcome(const ren__evaluation *evaluation, ren_text *page) {
    const int32_t model = ren__headline(evaluation);
    const ren__level *level = &evaluation->model[model].level[REN__UNIT_PATIENT];

    ren__text_add(page, "<section id=\"outcome\"><div class=\"answer\"><p class=\"number\">");
    ren__add_fixed(page, level->pooled.defined ? level->pooled.metrics.auc : (double)NAN, 3);
    ren__text_add(page, "</p><p class=\"meaning\">AUC of <b>");
    ren__text_add_html(page, ren__model_name(evaluation, model));
    ren__text_add(page, "</b> by patient<br>95 % interval ");
    ren__add_interval(page, &level->bootstrap, 3);
    ren__text_add(page, "</p></div>\n<div class=\"reading\">");
    add_primary(evaluation, page);
    ren__text_add(page, "</div></section>\n");
}

/* ----------------------------------------------------------------------------------------------------- findings */

/* "difference +0.012 [-0.030, 0.055]" and what the interval says. */
static void add_finding(const ren__comparison *found, ren_text *page) {
    ren__add_signed(page, found->estimate, 3);
    ren__text_add(page, " ");
    ren__add_interval(page, found, 3);
    if (found->low <= 0.0 && found->high >= 0.0) ren__text_add(page, ": no difference shown");
    ren__text_add(page, ".</li>\n");
}

static void add_best(const ren__evaluation *evaluation, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;
    int32_t best = -1;

    for (int32_t model = 0; model < config->model_count; model++) {
        const ren__measured *pooled = &evaluation->model[model].level[REN__UNIT_PATIENT].pooled;
        if (pooled->defined &&
            (best < 0 || pooled->metrics.auc > evaluation->model[best].level[REN__UNIT_PATIENT].pooled.metrics.auc))
            best = model;
    }
    if (best < 0) return;
    ren__text_addf(page, "<li>Highest AUC of all %d models: <b>", config->model_count);
    ren__text_add_html(page, ren__model_name(evaluation, best));
    ren__text_addf(page, "</b> (%s), ", ren__study_model_kind(&config->model[best]));
    ren__add_fixed(page, evaluation->model[best].level[REN__UNIT_PATIENT].pooled.metrics.auc, 3);
    ren__text_add(page, " ");
    ren__add_interval(page, &evaluation->model[best].level[REN__UNIT_PATIENT].bootstrap, 3);
    ren__text_add(page, ". The highest of many looks better than it is.</li>\n");
}

static void add_contrast_finding(const ren__evaluation *evaluation, ren_text *page) {
    if (evaluation->contrast_count == 0) return;
    int32_t most = 0; /* the means over all experts where there are several */
    for (int32_t i = 1; i < evaluation->contrast_count; i++)
        if (evaluation->contrast[i].group_count > evaluation->contrast[most].group_count) most = i;
    const ren__contrast *contrast = &evaluation->contrast[most];
    ren__text_add(page, "<li>Lower lobes against the others, mean AUC of regional experts: ");
    ren__add_fixed(page, contrast->lower, 3);
    ren__text_add(page, " against ");
    ren__add_fixed(page, contrast->upper, 3);
    ren__text_add(page, ", difference ");
    add_finding(&contrast->difference, page);
}

/* What replaces the gate of the model at the top. */
static void add_gate_findings(const ren__evaluation *evaluation, ren_text *page) {
    for (int32_t i = 0; i < evaluation->ablation_count; i++) {
        const ren__ablation *ablation = &evaluation->ablation[i];
        if (ablation->model != ren__headline(evaluation) || ablation->kind < REN__UNIFORM_WEIGHTS) continue;
        ren__text_add(page, "<li>");
        ren__text_add_html(page, ren__model_name(evaluation, ablation->model));
        ren__text_add(page, ", ");
        ren__ablation_title(evaluation, ablation, page);
        ren__text_add(page, ": AUC ");
        ren__add_fixed(page, ablation->left, 3);
        ren__text_add(page, ", change ");
        add_finding(&ablation->change, page);
    }
}

static void add_findings(const ren__evaluation *evaluation, ren_text *page) {
    ren__text_add(page, "<section><h2>What else came out</h2>\n<p class=\"note\">For description: these questions were "
                        "not named before training. Intervals are 95 %, not corrected for their number.</p>\n<ul "
                        "class=\"findings\">\n");
    add_best(evaluation, page);
    add_contrast_finding(evaluation, page);
    add_gate_findings(evaluation, page);
    ren__text_add(page, "</ul></section>\n");
}

/* ----------------------------------------------------------------------------------------------------- pictures */

/* The primary pair, then mixtures and baselines: what has seen all that there is to see. */
static int32_t plotted(const ren__evaluation *evaluation, int32_t models[REN__PLOT_SERIES]) {
    const ren__study_config *config = evaluation->study->config;
    int32_t count = 0;

    models[count++] = ren__headline(evaluation);
    if (config->primary[1] >= 0) models[count++] = config->primary[1];
    for (int32_t model = 0; model < config->model_count && count < REN__PLOT_SERIES; model++) {
        int seen = config->model[model].mixture < 0 && config->model[model].region != REN_REGION_LUNGS;
        for (int32_t i = 0; i < count; i++)
            seen |= models[i] == model;
        if (!seen) models[count++] = model;
    }
    return count;
}

static void add_curves(const ren__evaluation *evaluation, ren_text *page) {
    int32_t models[REN__PLOT_SERIES];
    const int32_t count = plotted(evaluation, models);
    const ren__study_config *config = evaluation->study->config;

    ren__text_add(page, "<section><h2>Discrimination and calibration</h2>\n<ul class=\"key\">");
    for (int32_t i = 0; i < count; i++) {
        ren__text_addf(page, "<li><i style=\"background:%s\"></i>", ren__plot_colours[i]);
        ren__text_add_html(page, ren__model_name(evaluation, models[i]));
        ren__text_add(page, "</li>");
    }
    ren__text_add(page, "</ul>\n<div class=\"plots\"><div><h3>ROC</h3>\n");
    ren__plot_roc(evaluation, models, count, config->primary[0] >= 0, page);
    ren__text_add(page, "<p class=\"note\">Patients of all folds. The dot is where the thresholds chosen on validation "
                        "lead.</p></div>\n<div><h3>Calibration</h3>\n");
    ren__plot_calibration(evaluation, models, count, config->primary[0] >= 0, page);
    ren__text_addf(page,
                   "<p class=\"note\">%d groups of equal size, by probability; on the dashed line probability is "
                   "frequency. A group has about %d patients: steps are coarse.</p></div></div></section>\n",
                   REN__CALIBRATION_BINS, (evaluation->patients + REN__CALIBRATION_BINS / 2) / REN__CALIBRATION_BINS);
}

/* ------------------------------------------------------------------------------------------------------ methods */

static void add_methods(const ren__evaluation *evaluation, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;

    ren__text_add(page, "<section id=\"methods\"><h2>How this was measured</h2>\n<dl>\n<dt>Split</dt><dd>");
    ren__text_addf(page, "%d folds grouped by patient%s, made once with seed %llu and stored. ", config->folds,
                   config->stratified ? " and stratified by label" : "", (unsigned long long)config->seed);
    ren__text_add(page, config->protocol == REN__PROTOCOL_PAPER
                            ? "Each held-out fold is halved by patient into validation and test."
                            : "Each held-out fold is test; validation comes from the training patients.");
    ren__text_add(page,
                  "</dd>\n<dt>Chosen on validation</dt><dd>Epoch, gates, thresholds (Youden), and what replaces a "
                  "part in an ablation. Test folds were read after all models were "
                  "fixed.</dd>\n<dt>Patient</dt><dd>Mean probability of "
                  "the patient's scans; positive where one scan is.</dd>\n<dt>Pooled</dt><dd>Out-of-fold "
                  "predictions of all folds together; each fold decides by its own threshold.</dd>\n<dt>Intervals, "
                  "p</dt><dd>Bootstrap over patients, percentiles 2.5 and 97.5, two-sided p. Models stay as they "
                  "were trained: chance in training is not in the intervals.</dd>\n<dt>Over "
                  "folds</dt><dd>Mean &plusmn; standard deviation (n &minus; 1). ");
    if (evaluation->primary.a >= 0) {
        ren__text_add(page, "For description only, primary pair: Wilcoxon p over folds ");
        ren__add_p(page, evaluation->wilcoxon);
        ren__text_add(page, ", which cannot fall below 0.0625 with five folds; DeLong p ");
        ren__add_p(page, evaluation->delong.p);
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
    add_findings(evaluation, page);
    REN_TRY(ren__add_model_bars(evaluation, page));
    add_curves(evaluation, page);
    ren__add_regions_of_models(evaluation, page);
    ren__add_weights(evaluation, page);
    ren__add_ablations(evaluation, page);
    ren__add_pairs(evaluation, page);
    ren__add_model_tables(evaluation, page);
    add_methods(evaluation, page);
    ren__text_addf(page, "<footer>libren %s. Research use only, not verified.</footer>\n</main></body></html>\n",
                   ren_version());
    st = page->status;
out:
    return st;
}
