/* SPDX-License-Identifier: Apache-2.0 */
/* The report's pictures: each plane as CT, coloured by weight and coloured by probability. */
#include <math.h>
#include <string.h>

#include "moe/report_parts.h"

enum { PLAIN, BY_WEIGHT, BY_PROBABILITY, KINDS };

/* What one picture shows of the result. */
typedef struct painting {
    const ren_result *result;
    int kind;
    ren__colour lobes[REN__LOBES], lungs[REN__LUNGS];
} painting;

static int has_lobes(const ren_result *result) {
    for (int32_t i = 0; i < result->region_count; i++)
        if (result->region[i].region < REN__LOBES) return 1;
    return 0;
}

static int has_lungs(const ren_result *result) {
    for (int32_t i = 0; i < result->region_count; i++)
        if (result->region[i].region >= REN__LOBES) return 1;
    return 0;
}

/* Lobes' experts fill, lungs' experts outline; without lobes' experts the lungs' fill. */
static void choose_colours(const ren_result *result, int kind, painting *p) {
    *p = (painting){ .result = result, .kind = kind };
    for (int32_t i = 0; i < result->region_count && kind != PLAIN; i++) {
        const ren__region_result *region = &result->region[i];
        const uint32_t lobes = ren__region_lobes(region->region);
        if (!region->ran || (kind == BY_PROBABILITY && !isfinite(region->probability))) continue;
        const ren__colour colour = kind == BY_WEIGHT ? ren__weight_colour(region->weight, ren__most_weight(result))
                                                     : ren__probability_colour(region->probability, result->threshold);
        if (region->region >= REN__LOBES && has_lobes(result)) {
            p->lungs[region->region - REN_REGION_LEFT_LUNG] = colour;
            continue;
        }
        for (int lobe = 0; lobe < REN__LOBES; lobe++)
            if ((lobes >> lobe) & 1u) p->lobes[lobe] = colour;
    }
}

/* The region's name and number where it lies. */
static void add_spot(ren_text *page, const painting *p, const ren__plane *plane, const ren__region_result *region) {
    double x, y;

    if (!region->ran || (region->region >= REN__LOBES && has_lobes(p->result))) return;
    if (p->kind == BY_PROBABILITY && !isfinite(region->probability)) return;
    if (!ren__plane_spot(plane, ren__region_lobes(region->region), &x, &y)) return;
    ren__text_add(page, "<span class=\"spot\" style=\"left:");
    ren__add_fixed(page, 100.0 * x, 1);
    ren__text_add(page, "%;top:");
    ren__add_fixed(page, 100.0 * y, 1);
    ren__text_addf(page, "%%\">%s<br>",
                   region->region == REN_REGION_LEFT_LUNG    ? "left"
                   : region->region == REN_REGION_RIGHT_LUNG ? "right"
                                                             : ren_region_name(region->region));
    if (p->kind == BY_WEIGHT) {
        ren__add_fixed(page, 100.0 * region->weight, 0);
        ren__text_add(page, " %");
    } else {
        ren__add_fixed(page, region->probability, 2);
    }
    ren__text_add(page, "</span>");
}

static void add_marks(ren_text *page, const painting *p, const ren__plane *plane) {
    static const char *const places[4] = { "left", "right", "top", "bottom" };

    for (int i = 0; i < 4; i++)
        ren__text_addf(page, "<span class=\"edge %s\">%c</span>", places[i], plane->edges[i]);
    if (p->kind == PLAIN) {
        ren__text_add(page, "<span class=\"ruler\" style=\"width:");
        ren__add_fixed(page, 5000.0 / (plane->width * plane->pixel), 2);
        ren__text_add(page, "%\">5 cm</span>");
        return;
    }
    for (int32_t i = 0; i < p->result->region_count; i++)
        add_spot(page, p, plane, &p->result->region[i]);
}

/* All pictures to one scale: `widest` is the width in mm that fills a column. */
static ren_status add_picture(ren_text *page, const painting *p, const ren__plane *plane, double widest) {
    static const char *const what[KINDS] = { "CT in the lung window", "regions coloured by weight",
                                             "regions coloured by probability" };
    uint8_t *png = NULL;
    size_t size = 0;

    const ren_status st = ren__plane_png(page->context, plane, p->lobes, p->lungs, &png, &size);
    if (st != REN_OK) return st;
    ren__text_add(page, "<div class=\"picture\" style=\"width:");
    ren__add_fixed(page, 100.0 * plane->width * plane->pixel / widest, 2);
    ren__text_addf(page, "%%\"><img width=\"%d\" height=\"%d\" alt=\"%s, %s\" src=\"data:image/png;base64,",
                   plane->width, plane->height, plane->name, what[p->kind]);
    ren__text_add_base64(page, png, size);
    ren__free(png);
    ren__text_add(page, "\">");
    add_marks(page, p, plane);
    ren__text_add(page, "</div>\n");
    return page->status;
}

static void add_caption(ren_text *page, const ren__plane *plane) {
    static const char *const from[3] = { "the left", "the back", "the feet" };

    ren__text_addf(page, "<figcaption>%s <span>slice %lld of %lld from %s</span></figcaption>\n", plane->name,
                   (long long)plane->index + 1, (long long)plane->count, from[plane->normal]);
}

static ren_status add_plane(ren_text *page, const ren_result *result, const ren__anatomy *anatomy, int32_t which,
                            double widest, ren__run *run) {
    ren__plane plane;
    painting p;
    int shown = 0;
    ren_status st = REN_OK;

    REN_TRY(ren__plane_make(page->context, anatomy, which, run, &plane, &shown));
    if (!shown) return REN_OK;
    ren__text_add(page, "<figure>\n");
    add_caption(page, &plane);
    for (int kind = 0; st == REN_OK && kind < KINDS; kind++) {
        choose_colours(result, kind, &p);
        st = ren__run_check(run);
        if (st == REN_OK) st = add_picture(page, &p, &plane, widest);
    }
    ren__text_add(page, "</figure>\n");
    ren__plane_free(&plane);
out:
    return st;
}

/* A scale with its ends and, for probabilities, the threshold. */
static void add_legend(ren_text *page, const ren_result *result, int kind) {
    const double most = kind == BY_WEIGHT ? ren__most_weight(result) : 1.0;
    const char *id = kind == BY_WEIGHT ? "weights" : "probabilities";

    ren__text_addf(page,
                   "<svg class=\"legend\" viewBox=\"0 0 300 34\" role=\"img\" aria-label=\"colour scale\"><defs>"
                   "<linearGradient id=\"%s\">",
                   id);
    for (int i = 0; i <= 20; i++) {
        ren__text_addf(page, "<stop offset=\"%d%%\" stop-color=\"", 5 * i);
        ren__add_colour(page, kind == BY_WEIGHT ? ren__weight_colour(i / 20.0, 1.0)
                                                : ren__probability_colour(i / 20.0, result->threshold));
        ren__text_add(page, "\"/>");
    }
    ren__text_addf(page,
                   "</linearGradient></defs><rect width=\"300\" height=\"14\" fill=\"url(#%s)\"/>"
                   "<text y=\"30\">0</text><text x=\"300\" y=\"30\" text-anchor=\"end\">",
                   id);
    ren__add_fixed(page, kind == BY_WEIGHT ? 100.0 * most : 1.0, kind == BY_WEIGHT ? 1 : 0);
    ren__text_add(page, kind == BY_WEIGHT ? " %</text>" : "</text>");
    if (kind == BY_PROBABILITY) {
        ren__text_add(page, "<text text-anchor=\"middle\" y=\"30\" x=\"");
        ren__add_fixed(page, fmin(fmax(300.0 * result->threshold, 62.0), 238.0), 1);
        ren__text_add(page, "\">threshold ");
        ren__add_fixed(page, result->threshold, 2);
        ren__text_add(page, "</text>");
    }
    ren__text_add(page, "</svg>");
}

static void add_heads(ren_text *page, const ren_result *result) {
    ren__text_add(page,
                  "<div class=\"heads\">\n<div><h3>CT</h3><p class=\"note\">Lung window, −1350 to 150 HU</p></div>\n"
                  "<div><h3>Coloured by weight</h3>");
    add_legend(page, result, BY_WEIGHT);
    ren__text_add(page, "</div>\n<div><h3>Coloured by probability</h3>");
    add_legend(page, result, BY_PROBABILITY);
    ren__text_add(page, "</div>\n</div>\n");
}

static void add_note(ren_text *page, const ren_result *result) {
    ren__text_add(page, "<p class=\"note\">Planes through the centre of mass of the lungs, patient's right on the "
                        "viewer's left, all to one scale. ");
    if (has_lobes(result) && has_lungs(result))
        ren__text_add(page, "Lobes are filled with the colour of the lobe's expert, lungs outlined with the colour of "
                            "the lung's expert. ");
    ren__text_add(page, "Regions without colour did not run or have no expert. Colours say how an expert judges its "
                        "whole region; they do not show where in it there is disease.</p>\n");
}

ren_status ren__add_pictures(ren_text *page, const ren_result *result, const ren__anatomy *anatomy, ren__run *run) {
    double widest = 0.0;
    ren_status st = REN_OK;

    /* Columns hold the wider of left to right and back to front. */
    for (int axis = 0; axis < 2; axis++) {
        const double lungs = (double)(anatomy->end[axis] - anatomy->begin[axis]) * anatomy->spacing[axis] + 44.0;
        widest = fmax(widest, lungs);
    }
    ren__text_add(page, "<section id=\"views\">\n<h2>Views</h2>\n");
    add_note(page, result);
    add_heads(page, result);
    for (int32_t which = 0; which < REN__PLANES; which++) {
        REN_TRY(ren__run_progress(run, "report", (double)which / REN__PLANES));
        REN_TRY(add_plane(page, result, anatomy, which, widest, run));
    }
    ren__text_add(page, "</section>\n");
out:
    return st;
}
