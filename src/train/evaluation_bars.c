/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation's bars as inline SVG: AUC of models, weights of regions. */
#include <math.h>
#include <string.h>

#include "moe/report_parts.h"
#include "train/evaluation_parts.h"

/* In the viewBox's units: names, bars, numbers. */
enum { LEFT = 150, WIDTH = 300, RIGHT = 50, STEP = 24, HEIGHT = 13, TOP = 6 };

static void place(ren_text *text, double share) {
    ren__add_fixed(text, LEFT + WIDTH * fmin(fmax(share, 0.0), 1.0), 1);
}

/* Vertical lines every fifth of `most`, numbered below; `dashed` (a share of the width; negative: none) stands out. */
static void begin(ren_text *text, const char *label, int32_t rows, double most, double dashed) {
    const int bottom = TOP + STEP * rows;

    ren__text_addf(text, "<svg class=\"plot bars\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                   LEFT + WIDTH + RIGHT, bottom + 22);
    ren__text_add_html(text, label);
    ren__text_add(text, "\">\n");
    for (int tick = 0; tick <= 5; tick++) {
        const int x = LEFT + WIDTH * tick / 5;
        ren__text_addf(text, "<path class=\"grid\" d=\"M%d %dV%d\"/><text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", x,
                       TOP, bottom, x, bottom + 16);
        ren__text_add_number(text, most * tick / 5.0, 3);
        ren__text_add(text, "</text>\n");
    }
    if (dashed < 0.0) return;
    ren__text_add(text, "<path class=\"chance\" d=\"M");
    place(text, dashed);
    ren__text_addf(text, " %dV%d\"/>\n", TOP, bottom);
}

static int row_middle(int32_t row) {
    return TOP + STEP * row + STEP / 2;
}

static void add_label(ren_text *text, const char *label, int32_t row) {
    ren__text_addf(text, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", LEFT - 8, row_middle(row) + 4);
    ren__text_add_html(text, label);
    ren__text_add(text, "</text>");
}

static void add_bar(ren_text *text, int32_t row, double share, const char *colour) {
    ren__text_addf(text, "<rect x=\"%d\" y=\"%d\" height=\"%d\" fill=\"%s\" fill-opacity=\".75\" width=\"", LEFT,
                   row_middle(row) - HEIGHT / 2, HEIGHT, colour);
    ren__add_fixed(text, WIDTH * fmin(fmax(share, 0.0), 1.0), 1);
    ren__text_add(text, "\"/>");
}

static void add_whisker(ren_text *text, int32_t row, double low, double high) {
    ren__text_add(text, "<path class=\"whisker\" d=\"M");
    place(text, low);
    ren__text_addf(text, " %dH", row_middle(row));
    place(text, high);
    ren__text_add(text, "\"/>");
}

static void add_fold(ren_text *text, int32_t row, double share) {
    ren__text_add(text, "<circle class=\"fold\" r=\"2.6\" cx=\"");
    place(text, share);
    ren__text_addf(text, "\" cy=\"%d\"/>", row_middle(row));
}

static void add_value(ren_text *text, int32_t row, double value) {
    ren__text_addf(text, "<text x=\"%d\" y=\"%d\">", LEFT + WIDTH + 10, row_middle(row) + 4);
    ren__add_fixed(text, value, 3);
    ren__text_add(text, "</text>\n");
}

/* ---------------------------------------------------------------------------------------------------------- AUC */

static const char *kind_colour(const ren__study_model *model) {
    const char *kind = ren__study_model_kind(model);

    if (strcmp(kind, "mixture") == 0) return ren__plot_colours[0];
    if (strcmp(kind, "baseline") == 0) return ren__plot_colours[1];
    return ren__plot_colours[strcmp(kind, "expert") == 0 ? 5 : 2];
}

static void auc_row(const ren__evaluation *evaluation, int32_t model, int32_t row, ren_text *text) {
    const ren__study_config *config = evaluation->study->config;
    const ren__level *level = &evaluation->model[model].level[REN__UNIT_PATIENT];

    add_label(text, config->model[model].name, row);
    if (!level->pooled.defined) {
        ren__text_addf(text, "<text x=\"%d\" y=\"%d\">one class only</text>\n", LEFT + 6, row_middle(row) + 4);
        return;
    }
    add_bar(text, row, level->pooled.metrics.auc, kind_colour(&config->model[model]));
    add_whisker(text, row, level->bootstrap.low, level->bootstrap.high);
    for (int32_t i = 0; i < config->run_count && config->run_count > 1; i++)
        if (level->fold[i].defined) add_fold(text, row, level->fold[i].metrics.auc);
    add_value(text, row, level->pooled.metrics.auc);
}

void ren__plot_bars(const ren__evaluation *evaluation, const int32_t *models, int32_t count, ren_text *text) {
    begin(text, "AUC of models", count, 1.0, 0.5);
    for (int32_t i = 0; i < count; i++)
        auc_row(evaluation, models[i], i, text);
    ren__text_add(text, "</svg>\n");
}

/* ------------------------------------------------------------------------------------------------------ weights */

/* The end of the scale, above everything that is drawn: one whose fifths are round numbers. */
static double weight_scale(const ren__evaluation *evaluation, const ren__model_weights *of) {
    static const double scales[] = { 0.1, 0.2, 0.25, 0.5, 1.0 };
    double most = 0.0;
    size_t scale = 0;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        most = fmax(most, fmax(of->mean[region], of->varies ? of->high[region] : 0.0));
        for (int32_t i = 0; i < evaluation->study->config->run_count; i++)
            if (!isnan(of->fold[i][region])) most = fmax(most, of->fold[i][region]);
    }
    while (scale < sizeof scales / sizeof *scales - 1 && most > scales[scale])
        scale++;
    return scales[scale];
}

void ren__plot_weights(const ren__evaluation *evaluation, int32_t model, ren_text *text) {
    const ren__model_weights *of = &evaluation->model[model].weights;
    const ren__study_config *config = evaluation->study->config;
    const double most = weight_scale(evaluation, of);
    int32_t rows = 0, row = 0;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        rows += of->mean[region] > 0.0;
    begin(text, "Weights of the regions", rows, most, 1.0 / rows / most);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (!(of->mean[region] > 0.0)) continue;
        add_label(text, ren__region_title(region), row);
        add_bar(text, row, of->mean[region] / most, ren__plot_colours[0]);
        if (of->varies) add_whisker(text, row, of->low[region] / most, of->high[region] / most);
        for (int32_t i = 0; i < config->run_count && config->run_count > 1; i++)
            if (!isnan(of->fold[i][region])) add_fold(text, row, of->fold[i][region] / most);
        add_value(text, row++, of->mean[region]);
    }
    ren__text_add(text, "</svg>\n");
}
