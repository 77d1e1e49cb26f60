/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation's curves as inline SVG: ROC and calibration. Colours of axes follow the page. */
#include <math.h>
#include <string.h>

#include "format/names.h"
#include "moe/report_parts.h"
#include "train/evaluation_parts.h"

/* Told apart by eyes of all kinds, on light and dark paper. */
const char *const ren__plot_colours[REN__PLOT_SERIES] = { "#2f7ed8", "#d9742b", "#2a9d76", "#b5519c",
                                                          "#8c7a1f", "#7a8288", "#7d6be0" };

/* The square of a plot with axes from 0 to 1, in the viewBox's units. */
enum { LEFT = 46, TOP = 10, SIDE = 300, PLOT_WIDTH = LEFT + SIDE + 14, PLOT_HEIGHT = TOP + SIDE + 44 };

static void point(ren_text *text, double x, double y) {
    ren__add_fixed(text, LEFT + SIDE * x, 1);
    ren__text_add(text, ",");
    ren__add_fixed(text, TOP + SIDE * (1.0 - y), 1);
    ren__text_add(text, " ");
}

static void frame(ren_text *text, const char *label, const char *x_title, const char *y_title) {
    ren__text_addf(text, "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", PLOT_WIDTH,
                   PLOT_HEIGHT, label);
    for (int tick = 0; tick <= 5; tick++) {
        const int x = LEFT + SIDE * tick / 5, y = TOP + SIDE - SIDE * tick / 5;
        ren__text_addf(text,
                       "<path class=\"grid\" d=\"M%d %dV%dM%d %dH%d\"/><text x=\"%d\" y=\"%d\" "
                       "text-anchor=\"middle\">%s</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
                       x, TOP, TOP + SIDE, LEFT, y, LEFT + SIDE, x, TOP + SIDE + 17,
                       (const char *[]){ "0", "0.2", "0.4", "0.6", "0.8", "1" }[tick], LEFT - 6, y + 4,
                       (const char *[]){ "0", "0.2", "0.4", "0.6", "0.8", "1" }[tick]);
    }
    ren__text_addf(text,
                   "<path class=\"chance\" d=\"M%d %dL%d %d\"/><text class=\"axis\" x=\"%d\" y=\"%d\" "
                   "text-anchor=\"middle\">%s</text><text class=\"axis\" transform=\"translate(12 %d) rotate(-90)\" "
                   "text-anchor=\"middle\">%s</text>\n",
                   LEFT, TOP + SIDE, LEFT + SIDE, TOP, LEFT + SIDE / 2, TOP + SIDE + 36, x_title, TOP + SIDE / 2,
                   y_title);
}

static int compare_scores(const void *items, size_t a, size_t b) {
    const double *score = items;

    return (score[a] > score[b]) - (score[a] < score[b]);
}

/* Units by rising score; NULL sets the text's status. The caller's. */
static size_t *rising(const ren__evaluation *evaluation, const ren__sample *sample, ren_text *text) {
    const size_t count = (size_t)sample->count;
    size_t *order = ren__calloc(evaluation->context, count, sizeof *order);

    if (order)
        ren__sort_indices(order, count, compare_scores, sample->score);
    else if (text->status == REN_OK)
        text->status = ren__out_of_memory();
    return order;
}

/* From the highest score down; equal scores are one step, which is then a slope. */
static void roc_line(const ren__evaluation *evaluation, const ren__level *level, const char *class, const char *colour,
                     ren_text *text) {
    const ren__sample *sample = &level->sample;
    const double positives = level->pooled.metrics.positives, negatives = sample->count - positives;
    size_t *order = rising(evaluation, sample, text);
    double hits = 0.0, alarms = 0.0;

    if (!order) return;
    ren__text_addf(text, "<polyline class=\"%s\" stroke=\"%s\" points=\"", class, colour);
    point(text, 0.0, 0.0);
    for (int32_t i = sample->count - 1; i >= 0; i--) {
        const int last = i == 0 || sample->score[order[i - 1]] < sample->score[order[i]];
        if (sample->label[order[i]])
            hits += 1.0;
        else
            alarms += 1.0;
        if (last) point(text, alarms / negatives, hits / positives);
    }
    ren__text_add(text, "\"/>\n");
    ren__free(order);
}

/* Where the fold's thresholds put the pooled decisions. */
static void roc_dot(const ren__level *level, const char *class, const char *colour, ren_text *text) {
    ren__text_add(text, "<circle cx=\"");
    ren__add_fixed(text, LEFT + SIDE * (1.0 - level->pooled.metrics.specificity), 1);
    ren__text_add(text, "\" cy=\"");
    ren__add_fixed(text, TOP + SIDE * (1.0 - level->pooled.metrics.sensitivity), 1);
    ren__text_addf(text, "\" r=\"4.5\" fill=\"%s\" class=\"%s\"/>\n", colour, class);
}

void ren__plot_roc(const ren__evaluation *evaluation, const int32_t *models, int32_t count, int emphasis,
                   ren_text *text) {
    frame(text, "ROC curves", "1 - specificity", "Sensitivity");
    for (int32_t i = count - 1; i >= 0; i--) { /* the first on top */
        const ren__level *level = &evaluation->model[models[i]].level[REN__UNIT_PATIENT];
        if (!level->pooled.defined) continue;
        roc_line(evaluation, level, emphasis && i > 1 ? "line faint" : "line", ren__plot_colours[i], text);
        roc_dot(level, emphasis && i > 1 ? "dot faint" : "dot", ren__plot_colours[i], text);
    }
    ren__text_add(text, "</svg>\n");
}

/* The bins of the calibration error: equal numbers of patients, by probability. */
static void calibration_line(const ren__evaluation *evaluation, const ren__sample *sample, const char *class,
                             const char *colour, ren_text *text) {
    size_t *order = rising(evaluation, sample, text);
    double x[REN__CALIBRATION_BINS], y[REN__CALIBRATION_BINS];
    int bins = 0;

    if (!order) return;
    for (int64_t bin = 0; bin < REN__CALIBRATION_BINS; bin++) {
        const int64_t begin = bin * sample->count / REN__CALIBRATION_BINS;
        const int64_t end = (bin + 1) * sample->count / REN__CALIBRATION_BINS;
        double probability = 0.0, positive = 0.0;
        for (int64_t i = begin; i < end; i++) {
            probability += sample->score[order[i]];
            positive += sample->label[order[i]];
        }
        if (begin == end) continue;
        x[bins] = probability / (double)(end - begin);
        y[bins++] = positive / (double)(end - begin);
    }
    ren__text_addf(text, "<g class=\"%s\"><polyline class=\"line\" stroke=\"%s\" points=\"", class, colour);
    for (int i = 0; i < bins; i++)
        point(text, x[i], y[i]);
    ren__text_addf(text, "\"/><g fill=\"%s\">", colour);
    for (int i = 0; i < bins; i++) {
        ren__text_add(text, "<circle r=\"3\" cx=\"");
        ren__add_fixed(text, LEFT + SIDE * x[i], 1);
        ren__text_add(text, "\" cy=\"");
        ren__add_fixed(text, TOP + SIDE * (1.0 - y[i]), 1);
        ren__text_add(text, "\"/>");
    }
    ren__text_add(text, "</g></g>\n");
    ren__free(order);
}

void ren__plot_calibration(const ren__evaluation *evaluation, const int32_t *models, int32_t count, int emphasis,
                           ren_text *text) {
    frame(text, "Calibration curves", "Predicted probability", "Share of ILD");
    for (int32_t i = count - 1; i >= 0; i--)
        calibration_line(evaluation, &evaluation->model[models[i]].level[REN__UNIT_PATIENT].sample,
                         emphasis && i > 1 ? "faint" : "", ren__plot_colours[i], text);
    ren__text_add(text, "</svg>\n");
}
