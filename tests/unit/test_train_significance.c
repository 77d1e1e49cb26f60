/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap against 200,000 resamples by numpy, DeLong against its definition by numpy, Wilcoxon against scipy. */
#include "train/significance.h"

#include "harness.h"

enum { CASES = 24 };

static const int32_t labels[CASES] = { 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0 };

static void make(double p[CASES], double q[CASES]) {
    for (int i = 0; i < CASES; i++) {
        p[i] = (i * 29 % 23) / 32.0 + 0.03125 + labels[i] * 0.125;
        q[i] = ((i * 31 + 5) % 24) / 40.0 + 0.0625 + labels[i] * 0.25;
    }
}

static ren_status test_bootstrap_of_a_difference(ren_context *context) {
    ren_status st = REN_OK;
    ren__comparison c, again;
    double p[CASES], q[CASES];

    make(p, q);
    REN_TRY(ren__bootstrap_auc_difference(context, NULL, labels, p, q, CASES, REN__BOOTSTRAP_RESAMPLES, 42, &c));
    CHECK_NEAR(c.estimate, -0.0714285714285714, 1e-15);
    CHECK_NEAR(c.low, -0.36134, 0.025); /* the spread of 2,000 resamples around 200,000 */
    CHECK_NEAR(c.high, 0.21481, 0.025);
    CHECK_NEAR(c.p, 0.62371, 0.05);
    REN_TRY(ren__bootstrap_auc_difference(context, NULL, labels, p, q, CASES, REN__BOOTSTRAP_RESAMPLES, 42, &again));
    CHECK(memcmp(&c, &again, sizeof c) == 0);
    REN_TRY(ren__bootstrap_auc_difference(context, NULL, labels, p, q, CASES, REN__BOOTSTRAP_RESAMPLES, 43, &again));
    CHECK(c.low != again.low || c.p != again.p);
    REN_TRY(ren__bootstrap_auc_difference(context, NULL, labels, p, p, CASES, 500, 42, &c));
    CHECK(c.estimate == 0.0 && c.low == 0.0 && c.high == 0.0 && c.p == 1.0);
out:
    return st;
}

static ren_status test_bootstrap_of_a_contrast(ren_context *context) {
    static const double halves[3] = { 0.5, 0.5, -1.0 };
    ren_status st = REN_OK;
    ren__comparison difference, contrast;
    double p[CASES], q[CASES];

    make(p, q);
    const double *const sides[3] = { p, p, q };
    REN_TRY(ren__bootstrap_auc_difference(context, NULL, labels, p, q, CASES, 500, 42, &difference));
    REN_TRY(ren__bootstrap_auc_contrast(context, NULL, labels, sides, halves, 3, CASES, 500, 42, &contrast));
    CHECK(memcmp(&contrast, &difference, sizeof contrast) == 0); /* halves add up exactly */
    CHECK_FAILS(ren__bootstrap_auc_contrast(context, NULL, labels, sides, halves, 0, CASES, 500, 42, &contrast),
                REN_E_INVALID, "at least one prediction");
out:
    return st;
}

static ren_status test_bootstrap_does_not_depend_on_threads(ren_context *context) {
    ren_status st = REN_OK;
    ren_context *single = NULL;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren__comparison one, two;
    double p[CASES], q[CASES];

    make(p, q);
    test_allocator(&options);
    options.threads = 1;
    REN_TRY(ren_context_create(&options, &single));
    REN_TRY(ren__bootstrap_auc_difference(single, NULL, labels, p, q, CASES, 500, 1, &one));
    REN_TRY(ren__bootstrap_auc_difference(context, NULL, labels, p, q, CASES, 500, 1, &two));
    CHECK(memcmp(&one, &two, sizeof one) == 0);
out:
    ren_context_free(single);
    return st;
}

static ren_status test_bootstrap_of_one_prediction(ren_context *context) {
    static const int32_t rare[6] = { 0, 0, 0, 0, 0, 1 }; /* a third of the draws has one class only */
    static const double scores[6] = { 0.1, 0.2, 0.3, 0.4, 0.6, 0.5 };
    ren_status st = REN_OK;
    ren__comparison c;
    double p[CASES], q[CASES];

    make(p, q);
    REN_TRY(ren__bootstrap_auc(context, NULL, labels, p, CASES, REN__BOOTSTRAP_RESAMPLES, 7, &c));
    CHECK_NEAR(c.estimate, 0.7535714285714286, 1e-15);
    CHECK(c.low > 0.45 && c.low < 0.62 && c.high > 0.88 && c.high < 1.0); /* DeLong: 0.548 to 0.959 */
    CHECK(isnan(c.p));
    REN_TRY(ren__bootstrap_auc(context, NULL, rare, scores, 6, 500, 7, &c));
    CHECK_NEAR(c.estimate, 0.8, 1e-15);
    CHECK(c.low >= 0.0 && c.high == 1.0);
    CHECK_FAILS(ren__bootstrap_auc(context, NULL, rare, scores, 5, 500, 7, &c), REN_E_DATA, "both classes");
out:
    return st;
}

static ren_status test_holm_steps_down(ren_context *context) {
    ren_status st = REN_OK;
    double p[6] = { 0.01, 0.04, NAN, 0.03, 0.005, 0.9 }, bad[1] = { 1.5 };

    REN_TRY(ren__holm(context, p, 6)); /* 5 tests: 0.005 x 5, 0.01 x 4, 0.03 x 3, 0.04 x 2 (kept at 0.09), 0.9 */
    CHECK_NEAR(p[4], 0.025, 1e-15);
    CHECK_NEAR(p[0], 0.04, 1e-15);
    CHECK_NEAR(p[3], 0.09, 1e-15);
    CHECK_NEAR(p[1], 0.09, 1e-15);
    CHECK_NEAR(p[5], 0.9, 1e-15);
    CHECK(isnan(p[2]));
    CHECK_FAILS(ren__holm(context, bad, 1), REN_E_INVALID, "p value 0");
out:
    return st;
}

static ren_status test_wilcoxon_is_exact(ren_context *context) {
    static const double five[5] = { 0.05, -0.01, 0.03, 0.02, 0.04 }, up[5] = { 0.1, 0.2, 0.3, 0.4, 0.5 };
    /* Hollander and Wolfe's depression scores */
    static const double nine[9] = { 0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01 };
    static const double tied[8] = { 1, 2, -2, 3, 0, 4, -1, 5 }; /* all 2^7 patterns counted by hand: W 5, p 0.171875 */
    static const double none[2] = { 0.0, 0.0 };
    ren_status st = REN_OK;
    double w, p;

    REN_TRY(ren__wilcoxon(context, five, 5, &w, &p));
    CHECK_NEAR(w, 1.0, 0.0);
    CHECK_NEAR(p, 0.125, 1e-15);
    REN_TRY(ren__wilcoxon(context, up, 5, NULL, &p));
    CHECK_NEAR(p, 0.0625, 1e-15); /* the smallest that five folds can give */
    REN_TRY(ren__wilcoxon(context, nine, 9, &w, &p));
    CHECK_NEAR(w, 5.0, 0.0);
    CHECK_NEAR(p, 0.0390625, 1e-15);
    REN_TRY(ren__wilcoxon(context, tied, 8, &w, &p));
    CHECK_NEAR(w, 5.0, 0.0);
    CHECK_NEAR(p, 0.171875, 1e-15);
    REN_TRY(ren__wilcoxon(context, none, 2, &w, &p));
    CHECK(w == 0.0 && p == 1.0);
    CHECK_FAILS(ren__wilcoxon(context, none, 201, &w, &p), REN_E_INVALID, "at most");
out:
    return st;
}

static ren_status test_delong(ren_context *context) {
    static const int32_t apart[4] = { 0, 0, 1, 1 }, lone[3] = { 0, 0, 1 };
    static const double perfect[4] = { 0.1, 0.2, 0.8, 0.9 }, wrong[4] = { 0.9, 0.8, 0.2, 0.1 };
    ren_status st = REN_OK;
    ren__comparison c;
    double p[CASES], q[CASES];

    make(p, q);
    REN_TRY(ren__delong_auc(context, labels, p, CASES, &c));
    CHECK_NEAR(c.estimate, 0.7535714285714286, 1e-14);
    CHECK_NEAR(c.low, 0.5482071981907827, 1e-14);
    CHECK_NEAR(c.high, 0.9589356589520744, 1e-14);
    REN_TRY(ren__delong_difference(context, labels, p, q, CASES, &c));
    CHECK_NEAR(c.estimate, -0.0714285714285714, 1e-14);
    CHECK_NEAR(c.low, -0.35660739222637106, 1e-14);
    CHECK_NEAR(c.high, 0.21375024936922826, 1e-14);
    CHECK_NEAR(c.p, 0.6234893783647905, 1e-14);
    REN_TRY(ren__delong_difference(context, apart, perfect, perfect, 4, &c));
    CHECK(c.estimate == 0.0 && c.p == 1.0);
    REN_TRY(ren__delong_difference(context, apart, perfect, wrong, 4, &c));
    CHECK(c.estimate == 1.0 && c.p == 0.0);
    CHECK_FAILS(ren__delong_auc(context, lone, perfect, 3, &c), REN_E_DATA, "at least 2");
out:
    return st;
}

TEST_MAIN(CASE(test_bootstrap_of_a_difference), CASE(test_bootstrap_of_a_contrast),
          CASE(test_bootstrap_does_not_depend_on_threads), CASE(test_bootstrap_of_one_prediction),
          CASE(test_holm_steps_down), CASE(test_wilcoxon_is_exact), CASE(test_delong))
