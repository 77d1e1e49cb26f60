/* SPDX-License-Identifier: Apache-2.0 */
/* The report's explanation: what happens without each region, and which values moved the weights. */
#include <math.h>

#include "moe/report_parts.h"

enum { SHOWN = 8 }; /* contributions of a region */

/* A signed number with so many decimals. */
static void add_signed(ren_text *page, double value, int decimals) {
    if (value >= 0.0) ren__text_add(page, "+");
    ren__add_fixed(page, value, decimals);
}

/* A bar to the right for what raises, to the left for what lowers; `share` of half the width. */
static void add_signed_bar(ren_text *page, double share) {
    const double length = 50.0 * fmin(fabs(share), 1.0);

    ren__text_add(page, "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                        "<rect class=\"trough\" width=\"100\" height=\"8\"/><rect x=\"");
    ren__add_fixed(page, share < 0.0 ? 50.0 - length : 50.0, 1);
    ren__text_add(page, "\" width=\"");
    ren__add_fixed(page, length, 1);
    ren__text_add(page, "\" height=\"8\" fill=\"");
    ren__add_colour(page, ren__probability_colour(share < 0.0 ? 0.0 : 1.0, 0.5));
    ren__text_add(page, "\"/><rect class=\"tick\" x=\"49.8\" width=\"0.4\" height=\"8\"/></svg>");
}

/* ---------------------------------------------------------------------------------------------------- occlusion */

static void add_occlusion(ren_text *page, const ren_result *result) {
    const double whole = ren_result_probability(result, 1);
    double most = 0.0;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (!isnan(ren_result_without(result, region)))
            most = fmax(most, fabs(ren_result_without(result, region) - whole));
    ren__text_add(
        page, "<h3>Without a region</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Taken out</th>"
              "<th scope=\"col\" class=\"num\">Probability of ILD</th><th scope=\"col\" colspan=\"2\">Change</th>"
              "</tr></thead>\n<tbody>\n");
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        const double without = ren_result_without(result, region);
        ren__text_addf(page, "<tr%s><th scope=\"row\">%s</th><td class=\"num\">",
                       isnan(without) ? " class=\"absent\"" : "", ren__region_title(region));
        ren__add_fixed(page, without, 3);
        ren__text_add(page, "</td><td class=\"num\">");
        if (!isnan(without)) add_signed(page, without - whole, 3);
        ren__text_add(page, "</td><td class=\"wide\">");
        if (!isnan(without)) add_signed_bar(page, most > 0.0 ? (without - whole) / most : 0.0);
        ren__text_add(page, "</td></tr>\n");
    }
    ren__text_add(page, "</tbody>\n</table></div>\n<p class=\"note\">The region's voxels were taken out of the image, "
                        "and every expert that sees one of them was run again: a lobe is a part of its lung as well. "
                        "No number: the region is empty, or nothing would be left.</p>\n");
}

/* ------------------------------------------------------------------------------------------------ contributions */

static void add_items(ren_text *page, const ren_result *result, int32_t index) {
    const int32_t count = ren_result_contribution_count(result, index);
    const double most = fabs(ren_result_contribution(result, index, 0));

    for (int32_t i = 0; i < count && i < SHOWN; i++) {
        ren__text_add(page, "<tr><th scope=\"row\">");
        ren__text_add_html(page, ren_result_contribution_name(result, index, i));
        ren__text_add(page, "</th><td class=\"num\">");
        if (isnan(ren_result_contribution_value(result, index, i)))
            ren__text_add(page, "–");
        else
            ren__text_add_number(page, ren_result_contribution_value(result, index, i), 6);
        ren__text_add(page, "</td><td class=\"num\">");
        add_signed(page, ren_result_contribution(result, index, i), 3);
        ren__text_add(page, "</td><td class=\"wide\">");
        add_signed_bar(page, ren_result_contribution(result, index, i) / most);
        ren__text_add(page, "</td></tr>\n");
    }
}

static void add_region(ren_text *page, const ren_result *result, int32_t index) {
    const int32_t count = ren_result_contribution_count(result, index);

    if (count == 0) return;
    ren__text_addf(page, "<details%s><summary>%s: from ", index == 0 ? " open" : "",
                   ren__region_title(result->region[index].region));
    ren__add_fixed(page, ren_result_contribution_base(result, index), 3);
    ren__text_add(page, " to ");
    ren__add_fixed(page, result->explanation->region[result->region[index].region].sum, 3);
    ren__text_add(page, "</summary>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Value</th><th "
                        "scope=\"col\" class=\"num\">Of this scan</th><th scope=\"col\" colspan=\"2\">Contribution</th>"
                        "</tr></thead>\n<tbody>\n");
    add_items(page, result, index);
    ren__text_add(page, "</tbody>\n</table></div>\n");
    if (count > SHOWN) ren__text_addf(page, "<p class=\"note\">And %d smaller ones.</p>\n", (int)(count - SHOWN));
    ren__text_add(page, "</details>\n");
}

static void add_contributions(ren_text *page, const ren_result *result) {
    static const char *const titles[] = {
        NULL,
        "<h3>What moved the weights</h3>\n<p class=\"note\">The gate scores each region by what it shows. A score "
        "begins at what it is without knowledge; each value adds its part, and the sum is the score.</p>\n",
        "<h3>What the regions' own predictors read</h3>\n<p class=\"note\">The weights are the same for every scan: "
        "how "
        "well a predictor told the disease by the region's radiomics alone. This is what moved that predictor here: it "
        "begins at what it says without knowledge, and each value adds its part.</p>\n",
        "<h3>What moved the predictor that joins the experts</h3>\n<p class=\"note\">It begins at what it says without "
        "knowledge; each region's probability adds its part.</p>\n",
    };
    const char *title = titles[result->explanation->of];

    if (!title) return;
    ren__text_add(page, title);
    for (int32_t i = 0; i < result->region_count; i++)
        add_region(page, result, i);
}

void ren__add_explanation(ren_text *page, const ren_result *result) {
    if (!result->explanation) return;
    ren__text_add(page, "<section id=\"explanation\">\n<h2>Explanation</h2>\n");
    add_occlusion(page, result);
    add_contributions(page, result);
    ren__text_add(page, "</section>\n");
}
