/* SPDX-License-Identifier: Apache-2.0 */
/* The section `ibsi` of a parameter file. */
#include "format/document.h"
#include "radiomics/ibsi.h"

#include "harness.h"

static ren_status read_text(const char *text, ren__ibsi_settings *settings) {
    json_t *tree = NULL;
    ren_status st = ren__yaml_parse(text, strlen(text), "p.yaml", &tree);

    if (st == REN_OK) st = ren__ibsi_settings_read(tree, "p.yaml: ibsi", settings);
    json_decref(tree);
    return st;
}

static int same(const ren__ibsi_settings *a, const ren__ibsi_settings *b) {
    return a->aggregation == b->aggregation && a->round == b->round && a->outlier_filter == b->outlier_filter &&
           a->outlier_sigma == b->outlier_sigma && a->bin_at_range == b->bin_at_range &&
           a->grid_at_centre == b->grid_at_centre && a->in_plane == b->in_plane &&
           a->mask_threshold == b->mask_threshold && a->ivh_mode == b->ivh_mode &&
           a->ivh_bin_width == b->ivh_bin_width && a->ivh_bin_count == b->ivh_bin_count;
}

static ren_status test_every_key(ren_context *context) {
    ren_status st = REN_OK;
    ren__ibsi_settings s;

    (void)context;
    ren__ibsi_settings_default(&s);
    CHECK_INT(s.aggregation, REN__AGGREGATE_3D_MERGED);
    CHECK_INT(s.outlier_filter, 0);
    CHECK_INT(s.ivh_mode, REN__IVH_INTENSITIES);
    REN_TRY(read_text("{aggregation: 2_5D_avg, rounding: true, outlierSigma: 2.5, binOrigin: multiple,"
                      " gridAlignment: corner, inPlane: true, maskThreshold: 0.25, ivhBinWidth: 2.5}",
                      &s));
    CHECK_INT(s.aggregation, REN__AGGREGATE_25D_AVERAGED);
    CHECK_INT(s.round, 1);
    CHECK_INT(s.outlier_filter, 1);
    CHECK_NEAR(s.outlier_sigma, 2.5, 0);
    CHECK_INT(s.bin_at_range, 0);
    CHECK_INT(s.grid_at_centre, 0);
    CHECK_INT(s.in_plane, 1);
    CHECK_NEAR(s.mask_threshold, 0.25, 0);
    CHECK_INT(s.ivh_mode, REN__IVH_BIN_WIDTH);
    CHECK_NEAR(s.ivh_bin_width, 2.5, 0);
    /* what is not named stays, null takes back */
    REN_TRY(read_text("{outlierSigma: null, ivhBinWidth: null, ivhBinCount: 1000}", &s));
    CHECK_INT(s.outlier_filter, 0);
    CHECK_INT(s.ivh_mode, REN__IVH_BIN_COUNT);
    CHECK_INT(s.ivh_bin_count, 1000);
    CHECK_INT(s.round, 1);
    REN_TRY(read_text("{ivhBinCount: null}", &s));
    CHECK_INT(s.ivh_mode, REN__IVH_INTENSITIES);
out:
    return st;
}

static ren_status test_refusals(ren_context *context) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "{agregation: 3D_avg}", "aggregation" },
        { "{aggregation: 3D}", "3D_comb" },
        { "{aggregation: 3}", "aggregation" },
        { "{rounding: 1}", "rounding" },
        { "{outlierSigma: 0}", "outlierSigma" },
        { "{outlierSigma: yes}", "outlierSigma" },
        { "{binOrigin: zero}", "multiple" },
        { "{gridAlignment: left}", "centre" },
        { "{maskThreshold: 1.5}", "maskThreshold" },
        { "{maskThreshold: null}", "maskThreshold" },
        { "{ivhBinWidth: 1, ivhBinCount: 2}", "exclude" },
        { "{ivhBinCount: 2.5}", "whole" },
        { "{ivhBinCount: 100000}", "65535" },
        { "[1]", "mapping" },
    };
    ren_status st = REN_OK;
    ren__ibsi_settings s, before;

    (void)context;
    ren__ibsi_settings_default(&s);
    s.aggregation = REN__AGGREGATE_2D_MERGED;
    before = s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_FAILS(read_text(cases[i].text, &s), REN_E_FORMAT, cases[i].message);
        CHECK(same(&s, &before));
    }
out:
    return st;
}

static ren_status test_what_is_written_reads_back(ren_context *context) {
    static const char *const texts[] = { "{}", "{aggregation: 2D_avg, ivhBinWidth: 0.5, outlierSigma: 3}",
                                         "{ivhBinCount: 7, inPlane: true, binOrigin: multiple}" };
    ren_status st = REN_OK;

    (void)context;
    for (size_t i = 0; i < 3; i++) {
        ren__ibsi_settings s, back;
        ren__ibsi_settings_default(&s);
        ren__ibsi_settings_default(&back);
        REN_TRY(read_text(texts[i], &s));
        json_t *tree = ren__ibsi_settings_json(&s);
        CHECK(tree != NULL);
        st = ren__ibsi_settings_read(tree, "back", &back);
        json_decref(tree);
        REN_TRY(st);
        CHECK(same(&s, &back));
    }
out:
    return st;
}

static ren_status test_suffixes(ren_context *context) {
    ren_status st = REN_OK;
    ren__ibsi_settings s;

    (void)context;
    ren__ibsi_settings_default(&s);
    s.aggregation = REN__AGGREGATE_25D_MERGED;
    CHECK_TEXT(ren__ibsi_suffix(&ren__class_ibsi_rlm, &s), "_2_5D_comb");
    CHECK_TEXT(ren__ibsi_suffix(&ren__class_ibsi_dzm, &s), "_2_5D");
    CHECK_TEXT(ren__ibsi_suffix(&ren__class_ibsi_ih, &s), "");
    CHECK_TEXT(ren__ibsi_aggregation_name(s.aggregation), "2_5D_comb");
out:
    return st;
}

TEST_MAIN(CASE(test_every_key), CASE(test_refusals), CASE(test_what_is_written_reads_back), CASE(test_suffixes))
