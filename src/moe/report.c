/* SPDX-License-Identifier: Apache-2.0 */
/* The report of a result: one HTML page that needs nothing else. It holds no time, no file name and nothing about the
 * patient but the pictures, so that equal inputs give equal bytes. */
#include <math.h>
#include <string.h>

#include "moe/report_parts.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
    "'unsafe-inline'\">\n"
    "<meta name=\"generator\" content=\"libren\">\n<title>ILD on chest CT: computed prediction</title>\n<style>\n";

static void add_banner(ren_text *page) {
    ren__text_add(page, "<p class=\"banner\" role=\"note\"><strong>Research use only, not verified.</strong> This page "
                        "was computed by software that is not a medical device. It must not guide diagnosis or "
                        "treatment.</p>\n");
}

static void add_warnings(ren_text *page, const ren_result *result) {
    ren__text_add(page, "<section id=\"warnings\">\n<h2>Warnings</h2>\n");
    if (result->warning_count == 0) {
        ren__text_add(page, "<p class=\"none\">None: the input met every rule.</p>\n</section>\n");
        return;
    }
    ren__text_add(page, "<ul class=\"warnings\">\n");
    for (int32_t i = 0; i < result->warning_count; i++) {
        ren__text_add(page, "<li>");
        ren__text_add_html(page, ren_result_warning(result, i));
        ren__text_add(page, "</li>\n");
    }
    ren__text_add(page, "</ul>\n</section>\n");
}

static ren_status add_page(ren_text *page, const ren_result *result, const ren_volume *ct, const ren_volume *lobes,
                           const ren__anatomy *anatomy, ren__run *run) {
    ren__text_add(page, head);
    ren__text_add(page, ren__report_style);
    ren__text_add(page, "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>Interstitial lung disease on chest CT</h1>\n"
                        "<p class=\"subtitle\">Prediction of a mixture of regional expert networks (REN)</p>\n"
                        "</header>\n");
    add_banner(page);
    ren__add_outcome(page, result);
    add_warnings(page, result);
    ren__add_regions(page, result, anatomy);
    ren__add_explanation(page, result);
    const ren_status st = ren__add_pictures(page, result, anatomy, run);
    if (st != REN_OK) return st;
    ren__text_add(page, "<section id=\"model\">\n<h2>Model</h2>\n");
    ren__add_model(page, result);
    ren__text_add(page, "</section>\n<section id=\"input\">\n<h2>Input and software</h2>\n");
    ren__add_input(page, result, ct, lobes);
    ren__text_add(page, "</section>\n<footer>");
    ren__text_add_html(page, ren__notice);
    ren__text_add(page, "</footer>\n</main>\n</body>\n</html>\n");
    return page->status;
}

ren_status ren_report_write(const ren_result *result, const ren_volume *ct, const ren_volume *lobes, const char *path,
                            const ren_run_options *options) {
    ren__anatomy anatomy = { 0 };
    ren_text *page = NULL;
    ren__run run;
    ren_status st = REN_OK;

    REN_REQUIRE(result != NULL && ct != NULL && lobes != NULL && path != NULL);
    REN_TRY(ren__run_begin(&run, result->context, options));
    REN_TRY(ren__anatomy_read(result->context, ct, lobes, &run, &anatomy));
    REN_TRY(ren__text_create(result->context, &page));
    REN_TRY(add_page(page, result, ct, lobes, &anatomy, &run));
    REN_TRY(ren__run_progress(&run, "report", 1.0));
    REN_TRY(ren__file_write(path, ren_text_data(page), ren_text_size(page)));
out:
    ren_text_free(page);
    ren__anatomy_free(&anatomy);
    return ren__run_end(&run, st);
}
