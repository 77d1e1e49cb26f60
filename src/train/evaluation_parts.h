/* SPDX-License-Identifier: Apache-2.0 */
/* The sections of the evaluation's page, each added to its text, and what they share. A failed addition sticks to the
 * text. */
#ifndef REN_TRAIN_EVALUATION_PARTS_H
#define REN_TRAIN_EVALUATION_PARTS_H

#include "train/evaluate.h"

/* evaluation_cells.c */
const char *ren__model_name(const ren__evaluation *evaluation, int32_t model);
/* The model that stands at the top: the first of the primary comparison, else the first mixture, else the first. */
int32_t ren__headline(const ren__evaluation *evaluation);
/* "[0.71, 0.93]"; "–" where there is none. */
void ren__add_interval(ren_text *page, const ren__comparison *of, int decimals);
void ren__add_signed(ren_text *page, double value, int decimals);
/* The bootstrap knows no p below 2 / 2,001. */
void ren__add_p(ren_text *page, double p);
void ren__add_cell(ren_text *page, double value, int decimals);
/* Cells of a test: estimate, interval, p, corrected p. */
void ren__add_test_cells(ren_text *page, const ren__comparison *of, double holm);
/* The head of a table; columns beginning with '#' hold numbers. ren__end_table closes it. */
void ren__begin_table(ren_text *page, const char *class, const char *const *columns, size_t count);
void ren__end_table(ren_text *page);
/* How many tests Holm's correction was over, and whether so many can give a p below 0.05 at all. */
void ren__add_family_note(ren_text *page, int32_t tests);

/* Kinds of models in order of report, and their titles; NULL ends. */
typedef struct ren__kind_title {
    const char *kind, *title;
} ren__kind_title;
extern const ren__kind_title ren__kind_titles[];

/* evaluation_models.c: bars and tables of all models. */
ren_status ren__add_model_bars(const ren__evaluation *evaluation, ren_text *page) REN_CHECKED;
void ren__add_model_tables(const ren__evaluation *evaluation, ren_text *page);
/* evaluation_regions.c: regions by kind of expert, lower lobes against the others, weights. */
void ren__add_regions_of_models(const ren__evaluation *evaluation, ren_text *page);
void ren__add_weights(const ren__evaluation *evaluation, ren_text *page);
/* evaluation_tests.c: ablations and other comparisons. */
void ren__add_ablations(const ren__evaluation *evaluation, ren_text *page);
void ren__add_pairs(const ren__evaluation *evaluation, ren_text *page);

/* evaluation_plots.c: inline SVG. `models` are drawn in this order, `count` at most REN__PLOT_SERIES; `emphasis` makes
 * all but the first two faint. */
enum { REN__PLOT_SERIES = 7 };
extern const char *const ren__plot_colours[REN__PLOT_SERIES];
void ren__plot_roc(const ren__evaluation *evaluation, const int32_t *models, int32_t count, int emphasis,
                   ren_text *text);
void ren__plot_calibration(const ren__evaluation *evaluation, const int32_t *models, int32_t count, int emphasis,
                           ren_text *text);

/* evaluation_bars.c */
/* AUC of the pooled patients with its interval, a dot a fold: one bar a model, of any number. */
void ren__plot_bars(const ren__evaluation *evaluation, const int32_t *models, int32_t count, ren_text *text);
/* A mixture's mean weights, with their spread over scans where they vary, a dot a fold. */
void ren__plot_weights(const ren__evaluation *evaluation, int32_t model, ren_text *text);

#endif
