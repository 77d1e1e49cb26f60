/* SPDX-License-Identifier: Apache-2.0 */
/* What the sections of the evaluation's page share: numbers and tables. */
#include "train/evaluation_parts.h"

#include <math.h>
#include <string.h>

#include "moe/report_parts.h"

const ren__kind_title ren__kind_titles[] = { { "mixture", "Mixtures" },
                                             { "baseline", "Baselines: one network on both lungs" },
                                             { "expert", "Regional experts" },
                                             { "radiomics", "Radiomics of one region" },
                                             { NULL, NULL } };

const char *ren__model_name(const ren__evaluation *evaluation, int32_t model) {
    return evaluation->study->config->model[model].name;
}

int32_t ren__headline(const ren__evaluation *evaluation) {
    const ren__study_config *config = evaluation->study->config;

    if (config->primary[0] >= 0) return config->primary[0];
    return config->mixture_count > 0 ? ren__study_first_mixture(config) : 0;
}

void ren__add_interval(ren_text *page, const ren__comparison *of, int decimals) {
    if (isnan(of->low) || isnan(of->high)) {
        ren__text_add(page, "–");
        return;
    }
    ren__text_add(page, "[");
    ren__add_fixed(page, of->low, decimals);
    ren__text_add(page, ", ");
    ren__add_fixed(page, of->high, decimals);
    ren__text_add(page, "]");
}

void ren__add_signed(ren_text *page, double value, int decimals) {
    if (value > 0.0) ren__text_add(page, "+");
    ren__add_fixed(page, value, decimals);
}

void ren__add_p(ren_text *page, double p) {
    ren__add_fixed(page, p, 3); /* a dash for NaN */
}

void ren__add_cell(ren_text *page, double value, int decimals) {
    ren__text_add(page, "<td class=\"num\">");
    ren__add_fixed(page, value, decimals);
    ren__text_add(page, "</td>");
}

void ren__add_test_cells(ren_text *page, const ren__comparison *of, double holm) {
    ren__text_add(page, "<td class=\"num\">");
    ren__add_signed(page, of->estimate, 3);
    ren__text_add(page, "</td><td class=\"num\">");
    ren__add_interval(page, of, 3);
    ren__text_add(page, "</td><td class=\"num\">");
    ren__add_p(page, of->p);
    ren__text_add(page, "</td><td class=\"num\">");
    ren__add_p(page, holm);
    ren__text_add(page, "</td>");
}

void ren__begin_table(ren_text *page, const char *class, const char *const *columns, size_t count) {
    ren__text_addf(page, "<div class=\"scroll\"><table class=\"%s\"><thead><tr>", class);
    for (size_t i = 0; i < count; i++)
        ren__text_addf(page, "<th scope=\"col\"%s>%s</th>", columns[i][0] == '#' ? " class=\"num\"" : "",
                       columns[i] + (columns[i][0] == '#'));
    ren__text_add(page, "</tr></thead>\n<tbody>\n");
}

void ren__end_table(ren_text *page) {
    ren__text_add(page, "</tbody></table></div>\n");
}

void ren__add_family_note(ren_text *page, int32_t tests) {
    const double least = 2.0 / (REN__BOOTSTRAP_RESAMPLES + 1.0) * tests;

    ren__text_addf(page, "Corrected by Holm over %d test%s", tests, tests == 1 ? "" : "s");
    if (least > 0.05) {
        ren__text_addf(page, "; with %d resamples so many tests cannot give a corrected p below ",
                       REN__BOOTSTRAP_RESAMPLES);
        ren__add_fixed(page, fmin(1.0, least), 2);
        ren__text_add(page, ": read the intervals");
    }
    ren__text_add(page, ".");
}
