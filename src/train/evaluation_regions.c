/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation's page: what single regions tell, lower lobes against the others, and what gates make of it. */
#include <math.h>
#include <string.h>

#include "moe/report_parts.h"
#include "train/evaluation_parts.h"

/* ------------------------------------------------------------------------------------------- regions by expert */

static void add_group_name(const ren__evaluation *evaluation, int32_t first, ren_text *page) {
    const ren__study_model *model = &evaluation->study->config->model[first];
    char name[REN__MODEL_NAME_SIZE];
    const int length = ren__group_length(model);

    memcpy(name, model->name, (size_t)length);
    name[length] = '\0';
    ren__text_add_html(page, name);
    if (strcmp(ren__study_model_kind(model), "radiomics") == 0) ren__text_add(page, " (radiomics alone)");
}

static void add_region_cell(const ren__evaluation *evaluation, int32_t model, ren_text *page) {
    if (model < 0) {
        ren__text_add(page, "<td class=\"num\">–</td>");
        return;
    }
    const ren__level *level = &evaluation->model[model].level[REN__UNIT_PATIENT];
    ren__text_add(page, "<td class=\"num\">");
    ren__add_fixed(page, level->pooled.defined ? level->pooled.metrics.auc : (double)NAN, 3);
    ren__text_add(page, "<br><span class=\"under\">");
    ren__add_interval(page, &level->bootstrap, 2);
    ren__text_add(page, "</span></td>");
}

static void add_matrix(const ren__evaluation *evaluation, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;
    const char *columns[REN_REGION_COUNT + 1] = { "Models" };
    static const char *const short_names[REN_REGION_COUNT] = { "#LUL", "#LLL",       "#RUL",       "#RML",
                                                               "#RLL", "#Left lung", "#Right lung" };

    for (int32_t k = 0; k < config->region_count; k++)
        columns[k + 1] = short_names[config->region[k]];
    ren__begin_table(page, "", columns, (size_t)config->region_count + 1);
    for (int32_t i = 0; i < evaluation->group_count; i++) {
        ren__text_add(page, "<tr><th scope=\"row\">");
        add_group_name(evaluation, evaluation->group[i], page);
        ren__text_add(page, "</th>");
        for (int32_t k = 0; k < config->region_count; k++)
            add_region_cell(evaluation, ren__group_member(config, evaluation->group[i], config->region[k]), page);
        ren__text_add(page, "</tr>\n");
    }
    ren__end_table(page);
    ren__text_add(page, "<p class=\"note\">AUC by patient with its 95 % interval. LUL, LLL: left upper and lower lobe; "
                        "RUL, RML, RLL: right upper, middle and lower lobe.</p>\n");
}

static int32_t members(const ren__evaluation *evaluation, int32_t group, int32_t models[REN_REGION_COUNT]) {
    int32_t count = 0;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const int32_t model = ren__group_member(evaluation->study->config, group, region);
        if (model >= 0) models[count++] = model;
    }
    return count;
}

static void add_key(const ren__evaluation *evaluation, const int32_t *models, int32_t count, ren_text *page) {
    ren__text_add(page, "<ul class=\"key\">");
    for (int32_t i = 0; i < count; i++)
        ren__text_addf(page, "<li><i style=\"background:%s\"></i>%s</li>", ren__plot_colours[i],
                       ren__region_title(evaluation->study->config->model[models[i]].region));
    ren__text_add(page, "</ul>\n");
}

static void add_group_curves(const ren__evaluation *evaluation, int32_t group, ren_text *page) {
    int32_t models[REN_REGION_COUNT];
    const int32_t count = members(evaluation, group, models);

    ren__text_add(page, "<details><summary>Curves and bars: ");
    add_group_name(evaluation, group, page);
    ren__text_add(page, "</summary>\n");
    add_key(evaluation, models, count, page);
    ren__text_add(page, "<div class=\"plots wide\"><div><h3>ROC</h3>\n");
    ren__plot_roc(evaluation, models, count, 0, page);
    ren__text_add(page, "</div>\n<div><h3>Calibration</h3>\n");
    ren__plot_calibration(evaluation, models, count, 0, page);
    ren__text_add(page, "</div>\n<div><h3>AUC</h3>\n");
    ren__plot_bars(evaluation, models, count, page);
    ren__text_add(page, "</div></div></details>\n");
}

static void add_contrasts(const ren__evaluation *evaluation, ren_text *page) {
    static const char *const columns[] = {
        "Models", "#Patients", "#AUC of lower lobes", "#AUC of other lobes", "#Difference", "#95 % interval",
        "#p",     "#p (Holm)"
    };

    if (evaluation->contrast_count == 0) return;
    ren__text_add(page, "<h3>Lower lobes against the others</h3>\n");
    ren__begin_table(page, "", columns, sizeof columns / sizeof *columns);
    for (int32_t i = 0; i < evaluation->contrast_count; i++) {
        const ren__contrast *contrast = &evaluation->contrast[i];
        ren__text_add(page, "<tr><th scope=\"row\">");
        if (contrast->group_count > 1)
            ren__text_add(page, "all experts");
        else
            add_group_name(evaluation, contrast->groups[0], page);
        ren__text_addf(page, "</th><td class=\"num\">%d</td>", contrast->patients);
        ren__add_cell(page, contrast->lower, 3);
        ren__add_cell(page, contrast->upper, 3);
        ren__add_test_cells(page, &contrast->difference, contrast->holm);
        ren__text_add(page, "</tr>\n");
    }
    ren__end_table(page);
    ren__text_add(page, "<p class=\"note\">For description. Mean AUC of LLL and RLL, of LUL, RUL and RML, and their "
                        "difference, on the patients whose five lobes all have a prediction; paired bootstrap over "
                        "patients. ");
    ren__add_family_note(page, evaluation->contrast_count);
    ren__text_add(page, "</p>\n");
}

void ren__add_regions_of_models(const ren__evaluation *evaluation, ren_text *page) {
    if (evaluation->group_count == 0) return;
    ren__text_add(page, "<section><h2>What single regions tell</h2>\n");
    add_matrix(evaluation, page);
    add_contrasts(evaluation, page);
    for (int32_t i = 0; i < evaluation->group_count; i++)
        add_group_curves(evaluation, evaluation->group[i], page);
    ren__text_add(page, "</section>\n");
}

/* ------------------------------------------------------------------------------------------------------ weights */

static void add_origin(const ren__evaluation *evaluation, int32_t model, ren_text *page) {
    const ren__study_config *config = evaluation->study->config;
    const ren__gate_entry *gate = ren__mixture_gate(config, model);
    const ren__study_model *of = &config->model[model];
    const ren__net *net = of->mixture >= 0 ? config->mixture[of->mixture].network.net : NULL;
    const char *before = "";

    ren__text_add(page, "<p class=\"note\">");
    if (net) {
        ren__text_addf(page, "network %s", net->name);
        before = ", ";
    } else if (of->expert >= 0) {
        ren__text_add(page, "experts ");
        ren__text_add_html(page, config->expert[of->expert].name);
        before = ", ";
    }
    if (gate) {
        ren__text_addf(page, "%sgate ", before);
        ren__text_add_html(page, gate->name);
        ren__text_addf(page, " (%s)", gate->source);
    }
    ren__text_addf(page, "; %s</p>\n",
                   evaluation->model[model].weights.varies ? "weights differ from scan to scan"
                                                           : "one set of weights for all scans of a fold");
}

static void add_weight_row(const ren__evaluation *evaluation, int32_t model, int32_t region, ren_text *page) {
    const ren__model_weights *of = &evaluation->model[model].weights;

    ren__text_add(page, "<tr><th scope=\"row\">");
    ren__text_add_html(page, ren__model_name(evaluation, model));
    ren__text_addf(page, "</th><td>%s</td>", ren__region_title(region));
    ren__add_cell(page, of->mean[region], 3);
    ren__add_cell(page, of->sd[region], 3);
    ren__text_add(page, "<td class=\"num\">");
    ren__add_fixed(page, of->low[region], 3);
    ren__text_add(page, " to ");
    ren__add_fixed(page, of->high[region], 3);
    ren__text_add(page, "</td>");
    ren__add_cell(page, of->by_label[0][region], 3);
    ren__add_cell(page, of->by_label[1][region], 3);
    ren__text_add(page, "</tr>\n");
}

static void add_weight_table(const ren__evaluation *evaluation, ren_text *page) {
    static const char *const columns[] = { "Mixture",    "Region",   "#Mean weight", "#SD over scans",
                                           "#5 to 95 %", "#Healthy", "#ILD" };

    ren__text_add(page, "<details><summary>The same as a table</summary>\n");
    ren__begin_table(page, "compact", columns, sizeof columns / sizeof *columns);
    for (int32_t model = 0; model < evaluation->study->config->model_count; model++)
        for (int32_t region = 0; region < REN_REGION_COUNT; region++)
            if (evaluation->model[model].weights.scans > 0 && evaluation->model[model].weights.mean[region] > 0.0)
                add_weight_row(evaluation, model, region, page);
    ren__end_table(page);
    ren__text_add(page, "<p class=\"note\">SD over the scans of a fold, pooled over folds; percentiles over all test "
                        "scans; means of the scans without and with ILD.</p></details>\n");
}

void ren__add_weights(const ren__evaluation *evaluation, ren_text *page) {
    const int32_t count = evaluation->study->config->model_count;
    int32_t weighted = 0;

    for (int32_t model = 0; model < count; model++)
        weighted += evaluation->model[model].weights.scans > 0;
    if (weighted == 0) return;
    ren__text_add(page, "<section><h2>Weights of the regions</h2>\n<div class=\"plots wide\">\n");
    for (int32_t model = 0; model < count; model++) {
        if (evaluation->model[model].weights.scans == 0) continue;
        ren__text_add(page, "<div><h3>");
        ren__text_add_html(page, ren__model_name(evaluation, model));
        ren__text_add(page, "</h3>\n");
        add_origin(evaluation, model, page);
        ren__plot_weights(evaluation, model, page);
        ren__text_add(page, "</div>\n");
    }
    ren__text_addf(
        page,
        "</div>\n<p class=\"note\">Mean over the test scans, an empty region counting as 0%s. Line: from the "
        "5th to the 95th percentile of scans, where weights differ from scan to scan. Dashed: equal "
        "weights.</p>\n",
        evaluation->study->config->run_count > 1 ? "; circles: means of single folds" : "");
    add_weight_table(evaluation, page);
    ren__text_add(page, "</section>\n");
}
