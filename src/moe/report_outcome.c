/* SPDX-License-Identifier: Apache-2.0 */
/* The report's numbers: outcome and table of regions. */
#include <math.h>
#include <string.h>

#include "moe/report_parts.h"

const char *ren__region_title(int32_t region) {
    static const char *const titles[REN__PLACES] = { "Left upper lobe",   "Left lower lobe",  "Right upper lobe",
                                                     "Right middle lobe", "Right lower lobe", "Left lung",
                                                     "Right lung",        "Both lungs" };

    return titles[region];
}

void ren__add_fixed(ren_text *text, double value, int decimals) {
    int64_t unit = 1;

    for (int i = 0; i < decimals; i++)
        unit *= 10;
    if (!isfinite(value) || fabs(value) > 1e12) {
        ren__text_add(text, "–");
        return;
    }
    const int64_t scaled = llround(fabs(value) * (double)unit);
    if (value < 0.0 && scaled != 0) ren__text_add(text, "−");
    ren__text_addf(text, "%lld", (long long)(scaled / unit));
    if (decimals > 0) ren__text_addf(text, ".%0*lld", decimals, (long long)(scaled % unit));
}

double ren__most_weight(const ren_result *result) {
    double most = 0.0;

    for (int32_t i = 0; i < result->region_count; i++)
        most = fmax(most, result->region[i].weight);
    return most;
}

void ren__add_bar(ren_text *text, double share, ren__colour colour, double tick) {
    ren__text_add(text, "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                        "<rect class=\"trough\" width=\"100\" height=\"8\"/><rect width=\"");
    ren__add_fixed(text, 100.0 * fmin(fmax(share, 0.0), 1.0), 1);
    ren__text_add(text, "\" height=\"8\" fill=\"");
    ren__add_colour(text, colour);
    ren__text_add(text, "\"/>");
    if (tick >= 0.0) {
        ren__text_add(text, "<rect class=\"tick\" x=\"");
        ren__add_fixed(text, 100.0 * tick - 0.4, 1);
        ren__text_add(text, "\" width=\"0.8\" height=\"8\"/>");
    }
    ren__text_add(text, "</svg>");
}

/* ------------------------------------------------------------------------------------------------------ outcome */

/* From 0 to 1 in the probabilities' colours, the threshold as a line, the probability as a marker. */
static void add_gauge(ren_text *page, const ren_result *result, double probability) {
    ren__text_add(page,
                  "<svg class=\"gauge\" viewBox=\"-14 0 528 58\" role=\"img\" aria-label=\"probability on a scale "
                  "from 0 to 1\"><defs><linearGradient id=\"odds\">");
    for (int i = 0; i <= 20; i++) {
        ren__text_addf(page, "<stop offset=\"%d%%\" stop-color=\"", 5 * i);
        ren__add_colour(page, ren__probability_colour(i / 20.0, result->threshold));
        ren__text_add(page, "\"/>");
    }
    ren__text_add(page, "</linearGradient></defs><rect class=\"scale\" y=\"16\" width=\"500\" height=\"16\" rx=\"3\" "
                        "fill=\"url(#odds)\"/><text x=\"0\" y=\"50\">0</text><text x=\"500\" y=\"50\" "
                        "text-anchor=\"end\">1</text><line class=\"limit\" y1=\"13\" y2=\"36\" x1=\"");
    ren__add_fixed(page, 500.0 * result->threshold, 1);
    ren__text_add(page, "\" x2=\"");
    ren__add_fixed(page, 500.0 * result->threshold, 1);
    ren__text_add(page, "\"/><text text-anchor=\"middle\" y=\"50\" x=\"");
    ren__add_fixed(page, fmin(fmax(500.0 * result->threshold, 64.0), 436.0), 1);
    ren__text_add(page, "\">threshold ");
    ren__add_fixed(page, result->threshold, 2);
    ren__text_add(page, "</text><path class=\"marker\" d=\"M");
    ren__add_fixed(page, 500.0 * probability, 1);
    ren__text_add(page, " 15 l-8 -13 h16 z\"/></svg>\n");
}

static void add_wording(ren_text *page, const ren_result *result) {
    if (result->classes != 2) {
        ren__text_addf(page, "The model's most probable class is number %d of %d (counted from 0).", result->label,
                       result->classes);
        return;
    }
    ren__text_add(page, result->label ? "At or above the model's threshold of " : "Below the model's threshold of ");
    ren__add_fixed(page, result->threshold, 2);
    ren__text_add(page, result->label ? ": the model classifies this scan as <strong>ILD</strong>."
                                      : ": the model classifies this scan as <strong>not ILD</strong>.");
}

/* Not 0 where a predictor on the experts' probabilities takes the place of weights. */
static int is_stacked(const ren_result *result) {
    return json_object_get(result->card, "stacking") != NULL;
}

void ren__add_outcome(ren_text *page, const ren_result *result) {
    const double probability = ren_result_probability(result, 1);
    int32_t ran = 0;

    for (int32_t i = 0; i < result->region_count; i++)
        ran += result->region[i].ran;
    ren__text_add(
        page,
        "<section id=\"outcome\">\n<h2 class=\"hidden\">Outcome</h2>\n<div class=\"answer\"><p class=\"number\">");
    ren__add_fixed(page, probability, 2);
    ren__text_add(page, "</p><p class=\"meaning\">probability of interstitial lung disease (ILD)</p></div>\n"
                        "<div class=\"reading\"><p>");
    add_wording(page, result);
    if (!result->whole)
        ren__text_addf(page, " %s of %d of %d regional experts.</p>\n",
                       is_stacked(result) ? "A predictor joins the answers" : "Weighted mean", ran,
                       result->region_count);
    else if (result->region_count == 1)
        ren__text_add(page, " One network, on both lungs.</p>\n");
    else
        ren__text_addf(page, " One network, which weighs %d regions itself.</p>\n", result->region_count);
    add_gauge(page, result, probability);
    ren__text_add(page, "</div>\n</section>\n");
}

/* ------------------------------------------------------------------------------------------------------ regions */

static double millilitres(const ren__anatomy *anatomy, int32_t region) {
    const uint32_t lobes = ren__region_lobes(region);
    double sum = 0.0;

    for (int lobe = 0; lobe < REN__LOBES; lobe++)
        if ((lobes >> lobe) & 1u) sum += anatomy->millilitres[lobe];
    return sum;
}

static void add_region(ren_text *page, const ren_result *result, const ren__region_result *region,
                       const ren__anatomy *anatomy) {
    const double most = ren__most_weight(result);

    ren__text_addf(page, "<tr%s><th scope=\"row\">%s <span class=\"short\">%s</span></th><td>%s</td><td class=\"num\">",
                   region->ran ? "" : " class=\"absent\"", ren__region_title(region->region),
                   region->region < REN__LOBES ? ren_region_name(region->region) : "",
                   region->ran                              ? "yes"
                   : region->skipped == REN__SKIPPED_WEIGHT ? "no, too little weight"
                                                            : "no, empty");
    ren__add_fixed(page, millilitres(anatomy, region->region), 0);
    ren__text_add(page, "</td><td class=\"num\">");
    ren__add_fixed(page, region->ran ? region->probability : (double)NAN, 2);
    ren__text_add(page, "</td><td class=\"wide\">");
    if (region->ran && isfinite(region->probability))
        ren__add_bar(page, region->probability, ren__probability_colour(region->probability, result->threshold),
                     result->threshold);
    ren__text_add(page, "</td><td class=\"num\">");
    if (region->ran) ren__add_fixed(page, 100.0 * region->weight, 1);
    ren__text_add(page, region->ran ? " %</td><td class=\"wide\">" : "–</td><td class=\"wide\">");
    if (region->ran) ren__add_bar(page, region->weight / most, ren__weight_colour(region->weight, most), -1.0);
    ren__text_add(page, "</td><td class=\"num\">");
    ren__add_fixed(page, region->ran ? region->weight * region->probability : (double)NAN, 3);
    ren__text_add(page, "</td></tr>\n");
}

void ren__add_regions(ren_text *page, const ren_result *result, const ren__anatomy *anatomy) {
    ren__text_add(page,
                  "<section id=\"regions\">\n<h2>Regions</h2>\n<div class=\"scroll\"><table>\n<thead><tr>"
                  "<th scope=\"col\">Region</th><th scope=\"col\">Ran</th><th scope=\"col\" class=\"num\">Volume, "
                  "ml</th><th scope=\"col\" colspan=\"2\">Probability of ILD</th><th scope=\"col\" colspan=\"2\">"
                  "Weight</th><th scope=\"col\" class=\"num\">Contribution</th></tr></thead>\n<tbody>\n");
    for (int32_t i = 0; i < result->region_count; i++)
        add_region(page, result, &result->region[i], anatomy);
    ren__text_add(page, "</tbody>\n<tfoot><tr><th scope=\"row\">Mixture</th><td></td><td></td><td class=\"num\">");
    ren__add_fixed(page, ren_result_probability(result, 1), 2);
    ren__text_add(page, "</td><td class=\"wide\"></td><td class=\"num\">100.0 %</td><td class=\"wide\"></td>"
                        "<td class=\"num\">");
    ren__add_fixed(page, ren_result_probability(result, 1), 3);
    ren__text_add(page, "</td></tr></tfoot>\n</table></div>\n<p class=\"note\">");
    ren__text_add(page,
                  result->whole ? "One network has seen both lungs and given the probability. Where it divides "
                                  "them itself, the weights are those that it gave its regions; a region has no "
                                  "probability of its own then."
                  : is_stacked(result)
                      ? "Each expert sees its own region alone. A predictor joins their probabilities: weights are "
                        "shares of what moved it, and contributions do not add up to the probability."
                      : "Each expert sees its own region alone. Contribution is weight times "
                        "probability; the contributions add up to the mixture's probability.");
    ren__text_add(page, " The line in a probability bar is the threshold. Volumes are those of the lobe "
                        "map.</p>\n</section>\n");
}
