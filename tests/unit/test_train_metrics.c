/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics against scikit-learn, with tied scores; the calibration error against a few lines of numpy. */
#include "train/metrics.h"

#include "harness.h"

enum { CASES = 24 };

static const int32_t labels[CASES] = { 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0 };

static void make(double p[CASES], double q[CASES]) {
    for (int i = 0; i < CASES; i++) {
        p[i] = (i * 29 % 23) / 32.0 + 0.03125 + labels[i] * 0.125; /* 18 distinct values */
        q[i] = ((i * 31 + 5) % 24) / 40.0 + 0.0625 + labels[i] * 0.25;
    }
}

static ren_status test_ranking_measures(ren_context *context) {
    ren_status st = REN_OK;
    double p[CASES], q[CASES], value;

    make(p, q);
    REN_TRY(ren__metric_auc(context, labels, p, CASES, &value));
    CHECK_NEAR(value, 0.7535714285714286, 1e-15);
    REN_TRY(ren__metric_auc(context, labels, q, CASES, &value));
    CHECK_NEAR(value, 0.825, 1e-15);
    REN_TRY(ren__metric_average_precision(context, labels, p, CASES, &value));
    CHECK_NEAR(value, 0.7538461538461538, 1e-14);
    REN_TRY(ren__metric_average_precision(context, labels, q, CASES, &value));
    CHECK_NEAR(value, 0.7921085858585858, 1e-14);
out:
    return st;
}

static ren_status test_everything_at_a_threshold(ren_context *context) {
    ren_status st = REN_OK;
    ren__metrics m;
    double p[CASES], q[CASES];

    make(p, q);
    REN_TRY(ren__metrics_compute(context, labels, q, CASES, 0.25, &m));
    CHECK_INT(m.count, 24);
    CHECK_INT(m.positives, 10);
    CHECK_INT(m.confusion[0][0], 4);
    CHECK_INT(m.confusion[0][1], 10);
    CHECK_INT(m.confusion[1][0], 0);
    CHECK_INT(m.confusion[1][1], 10);
    CHECK_NEAR(m.auc, 0.825, 1e-15);
    CHECK_NEAR(m.accuracy, 0.5833333333333334, 1e-15);
    CHECK_NEAR(m.sensitivity, 1.0, 0.0);
    CHECK_NEAR(m.specificity, 0.2857142857142857, 1e-15);
    CHECK_NEAR(m.precision, 0.7916666666666666, 1e-15);
    CHECK_NEAR(m.recall, 0.5833333333333334, 1e-15);
    CHECK_NEAR(m.f1, 0.537037037037037, 1e-15);
    CHECK_NEAR(m.brier, 0.1711979166666667, 1e-15);
    CHECK_NEAR(m.cross_entropy, 0.5129330148975363, 1e-14);
    CHECK_NEAR(m.calibration_error, 0.171875, 1e-15);
    REN_TRY(ren__metrics_compute(context, labels, p, CASES, 0.5, &m));
    CHECK_NEAR(m.accuracy, 0.7083333333333334, 1e-15);
    CHECK_NEAR(m.precision, 0.7055555555555554, 1e-15);
    CHECK_NEAR(m.f1, 0.705686630369026, 1e-15);
    CHECK_NEAR(m.brier, 0.18965657552083334, 1e-15);
    CHECK_NEAR(m.cross_entropy, 0.5470628171398083, 1e-14);
    CHECK_NEAR(m.calibration_error, 0.14713541666666666, 1e-15);
out:
    return st;
}

static ren_status test_youden_lies_between_scores(ren_context *context) {
    static const int32_t tied[4] = { 0, 1, 0, 1 };
    static const double scores[4] = { 0.1, 0.4, 0.6, 0.9 };
    ren_status st = REN_OK;
    double p[CASES], q[CASES], threshold;

    make(p, q);
    REN_TRY(ren__metric_youden(context, labels, p, CASES, &threshold));
    CHECK_NEAR(threshold, 0.59375, 1e-15); /* scikit-learn's 0.625, halfway down to the next score, 0.5625 */
    REN_TRY(ren__metric_youden(context, labels, q, CASES, &threshold));
    CHECK_NEAR(threshold, 0.45, 1e-15); /* 0.4625, next 0.4375 */
    REN_TRY(ren__metric_youden(context, tied, scores, 4, &threshold));
    CHECK_NEAR(threshold, 0.25, 1e-15); /* as good as 0.75 and as near to 0.5: the lower */
out:
    return st;
}

static ren_status test_what_cannot_be_measured_is_refused(ren_context *context) {
    static const int32_t ones[3] = { 1, 1, 1 }, three[3] = { 0, 1, 2 }, both[3] = { 0, 1, 1 };
    static const double scores[3] = { 0.1, 0.5, 0.9 }, broken[3] = { 0.1, NAN, 0.9 }, logits[3] = { -1.0, 0.5, 3.0 };
    ren_status st = REN_OK;
    ren__metrics m;
    double value = 7.0;

    CHECK_FAILS(ren__metric_auc(context, ones, scores, 3, &value), REN_E_DATA, "both classes");
    CHECK_FAILS(ren__metric_auc(context, three, scores, 3, &value), REN_E_DATA, "label 2");
    CHECK_FAILS(ren__metric_auc(context, both, broken, 3, &value), REN_E_DATA, "finite");
    CHECK_FAILS(ren__metric_youden(context, ones, scores, 3, &value), REN_E_DATA, "both classes");
    CHECK_FAILS(ren__metric_average_precision(context, ones, scores, 0, &value), REN_E_DATA, "no prediction");
    CHECK_FAILS(ren__metrics_compute(context, both, logits, 3, 0.5, &m), REN_E_DATA, "no probability");
    CHECK(value == 7.0);
    REN_TRY(ren__metric_auc(context, both, logits, 3, &value)); /* any score ranks */
    CHECK(value == 1.0);
    REN_TRY(ren__metric_accuracy(ones, scores, 3, 0.5, &value)); /* one class suffices */
    CHECK_NEAR(value, 2.0 / 3.0, 1e-15);
out:
    return st;
}

static ren_status test_few_cases_leave_bins_empty(ren_context *context) {
    static const int32_t few[3] = { 0, 1, 1 }, same[4] = { 1, 0, 1, 0 };
    static const double p[3] = { 0.25, 0.5, 0.875 }, flat[4] = { 0.5, 0.5, 0.5, 0.5 };
    ren_status st = REN_OK;
    double error;

    REN_TRY(ren__metric_calibration_error(context, few, p, 3, 10, &error));
    CHECK_NEAR(error, (0.25 + 0.5 + 0.125) / 3.0, 1e-15);
    REN_TRY(ren__metric_calibration_error(context, same, flat, 4, 4, &error));
    CHECK_NEAR(error, 0.0, 1e-15); /* cases of one probability are alike, in whatever order they come */
    CHECK_FAILS(ren__metric_calibration_error(context, few, p, 3, 0, &error), REN_E_INVALID, "bin");
out:
    return st;
}

static ren_status test_patients_are_means_of_their_scans(ren_context *context) {
    static const int32_t patient[6] = { 40, 7, 40, 7, 1000000, 40 }, label[6] = { 1, 0, 1, 0, 1, 1 };
    static const int32_t mixed[6] = { 1, 0, 1, 1, 1, 1 };
    static const double score[6] = { 0.5, 0.25, 0.75, 0.5, 0.125, 1.0 };
    ren_status st = REN_OK;
    ren__patient_means means = { 0 };

    REN_TRY(ren__patient_means_make(context, patient, label, score, 6, &means));
    CHECK_INT(means.count, 3);
    CHECK(means.score[0] == 0.75 && means.score[1] == 0.375 && means.score[2] == 0.125);
    CHECK(means.label[0] == 1 && means.label[1] == 0 && means.label[2] == 1);
    CHECK(means.first[0] == 0 && means.first[1] == 1 && means.first[2] == 4);
    CHECK(means.scans[0] == 3 && means.scans[1] == 2 && means.scans[2] == 1);
    ren__patient_means_free(&means);
    CHECK_FAILS(ren__patient_means_make(context, patient, mixed, score, 6, &means), REN_E_DATA, "scans 1 and 3");
out:
    ren__patient_means_free(&means);
    return st;
}

TEST_MAIN(CASE(test_ranking_measures), CASE(test_everything_at_a_threshold), CASE(test_youden_lies_between_scores),
          CASE(test_what_cannot_be_measured_is_refused), CASE(test_few_cases_leave_bins_empty),
          CASE(test_patients_are_means_of_their_scans))
