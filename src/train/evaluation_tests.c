/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation's page: ablations, and comparisons other than the primary one. Both describe. */
#include "moe/report_parts.h"
#include "train/evaluation_parts.h"

static void add_ablation_rows(const ren__evaluation *evaluation, int32_t model, ren_text *page) {
    for (int32_t i = 0; i < evaluation->ablation_count; i++) {
        const ren__ablation *ablation = &evaluation->ablation[i];
        if (ablation->model != model) continue;
        ren__text_add(page, "<tr><th scope=\"row\">");
        ren__ablation_title(evaluation, ablation, page);
        ren__text_addf(page, "</th><td class=\"num\">%d</td>", ablation->patients);
        ren__add_cell(page, ablation->whole, 3);
        ren__add_cell(page, ablation->left, 3);
        ren__add_test_cells(page, &ablation->change, ablation->holm);
        ren__text_add(page, "</tr>\n");
    }
}

static int is_ablated(const ren__evaluation *evaluation, int32_t model) {
    for (int32_t i = 0; i < evaluation->ablation_count; i++)
        if (evaluation->ablation[i].model == model) return 1;
    return 0;
}

static void add_ablation_table(const ren__evaluation *evaluation, int32_t model, ren_text *page) {
    static const char *const columns[] = { "Ablation",     "#Patients", "#AUC of the mixture",
                                           "#AUC without", "#Change",   "#95 % interval",
                                           "#p",           "#p (Holm)" };

    ren__text_addf(page, "<details%s><summary><b>", model == ren__headline(evaluation) ? " open" : "");
    ren__text_add_html(page, ren__model_name(evaluation, model));
    ren__text_add(page, "</b></summary>\n");
    ren__begin_table(page, "compact", columns, sizeof columns / sizeof *columns);
    add_ablation_rows(evaluation, model, page);
    ren__end_table(page);
    ren__text_add(page, "</details>\n");
}

static const char meaning[] =
    "<details><summary>What each ablation is</summary><dl>\n"
    "<dt>without a region</dt><dd>That region's expert is left out; the others keep their weights.</dd>\n"
    "<dt>lobes alone, lungs alone</dt><dd>The two lungs' experts, or the five lobes', are left out.</dd>\n"
    "<dt>equal weights</dt><dd>The gate is replaced: all experts weigh alike.</dd>\n"
    "<dt>weights from validation AUC; without radiomics, without features</dt><dd>The gate is replaced by weights in "
    "proportion to the experts' own validation AUC.</dd>\n"
    "<dt>one set of weights for all scans</dt><dd>A gate that reads the scan is replaced by its mean weights on the "
    "fold's validation scans.</dd>\n"
    "<dt>best single expert</dt><dd>The mixture is replaced by the expert with the highest validation AUC of the "
    "fold.</dd>\n</dl></details>\n";

void ren__add_ablations(const ren__evaluation *evaluation, ren_text *page) {
    const int32_t count = evaluation->study->config->model_count;

    if (evaluation->ablation_count == 0) return;
    ren__text_add(page, "<section><h2>Ablations</h2>\n<p>What becomes of a mixture where a part is taken away or "
                        "replaced. A negative change: the part had helped.</p>\n");
    for (int32_t model = 0; model < count; model++)
        if (is_ablated(evaluation, model)) add_ablation_table(evaluation, model, page);
    ren__text_add(page, meaning);
    ren__text_add(page, "<p class=\"note\">For description, apart from the primary comparison. Made of the stored "
                        "predictions: weights are normalised over the experts that are left, nothing is trained again. "
                        "Paired bootstrap over patients of the change of AUC. ");
    ren__add_family_note(page, evaluation->ablation_count);
    ren__text_add(page, "</p></section>\n");
}

void ren__add_pairs(const ren__evaluation *evaluation, ren_text *page) {
    static const char *const columns[] = {
        "Model", "against", "#Patients", "#AUC", "#AUC of the other", "#Difference", "#95 % interval", "#p", "#p (Holm)"
    };

    if (evaluation->other_count == 0) return;
    ren__text_add(page, "<section><h2>Other comparisons</h2>\n");
    ren__begin_table(page, "compact", columns, sizeof columns / sizeof *columns);
    for (int32_t i = 0; i < evaluation->other_count; i++) {
        const ren__pair *pair = &evaluation->other[i];
        ren__text_add(page, "<tr><th scope=\"row\">");
        ren__text_add_html(page, ren__model_name(evaluation, pair->a));
        ren__text_add(page, "</th><td>");
        ren__text_add_html(page, ren__model_name(evaluation, pair->b));
        ren__text_addf(page, "</td><td class=\"num\">%d</td>", pair->patients);
        ren__add_cell(page, pair->auc[0], 3);
        ren__add_cell(page, pair->auc[1], 3);
        ren__add_test_cells(page, &pair->bootstrap, pair->holm);
        ren__text_add(page, "</tr>\n");
    }
    ren__end_table(page);
    ren__text_add(page, "<p class=\"note\">Exploratory. Paired bootstrap over the patients that both have predicted. ");
    ren__add_family_note(page, evaluation->other_count);
    ren__text_add(page, "</p></section>\n");
}
