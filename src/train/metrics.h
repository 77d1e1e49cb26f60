/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How good binary predictions are. Labels are 0 and 1, a score or probability speaks for class 1. All sums are in
 * double and in the order given; every function agrees with scikit-learn's of the same name where there is one.
 *
 * Errors: REN_E_DATA for no prediction at all, a label that is neither 0 nor 1, a score that is not finite, and, where
 * the measure needs both, for one class only. Outputs are set only on success.
 */
#ifndef REN_TRAIN_METRICS_H
#define REN_TRAIN_METRICS_H

#include "base/context.h"

enum { REN__CALIBRATION_BINS = 10 };

/* Everything that is reported of one set of predictions. */
typedef struct ren__metrics {
    int32_t count, positives;
    double threshold;              /* class 1 from this probability on */
    double auc, average_precision; /* do not depend on the threshold */
    double brier, calibration_error, cross_entropy;
    double accuracy, sensitivity, specificity;
    double precision, recall, f1; /* means over both classes weighted by their counts ("weighted") */
    int32_t confusion[2][2];      /* [true class][predicted class] */
} ren__metrics;

/* Probability that a random positive scores above a random negative, ties for half (midranks). */
ren_status ren__metric_auc(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                           double *auc) REN_CHECKED;
/* Sum over the distinct scores, falling, of (recall gained) x precision. */
ren_status ren__metric_average_precision(ren_context *context, const int32_t *labels, const double *scores,
                                         int32_t count, double *precision) REN_CHECKED;
/* The threshold with the largest sensitivity + specificity - 1. It lies halfway between two neighbouring scores, so
 * that rounding cannot move a case across it; of equals the one nearest to 0.5 wins, then the lower. */
ren_status ren__metric_youden(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                              double *threshold) REN_CHECKED;
/* Expected calibration error: cases in order of probability are cut into `bins` groups of equal size (bin b begins at
 * case b x count / bins, rounded down; with fewer cases than bins some are empty; cases of one probability are spread
 * by their mean label, so that their order does not matter), and |mean label - mean probability| is averaged, weighted
 * by the groups' sizes. */
ren_status ren__metric_calibration_error(ren_context *context, const int32_t *labels, const double *probabilities,
                                         int32_t count, int32_t bins, double *error) REN_CHECKED;
/* Mean of -ln(probability of the true class); probabilities are kept 2^-52 away from 0 and 1. */
ren_status ren__metric_cross_entropy(const int32_t *labels, const double *probabilities, int32_t count,
                                     double *loss) REN_CHECKED;
/* Share of right answers with class 1 from `threshold` on. One class suffices. */
ren_status ren__metric_accuracy(const int32_t *labels, const double *scores, int32_t count, double threshold,
                                double *accuracy) REN_CHECKED;
/* All of the above for probabilities (0 to 1) at a threshold; both classes must be there. */
ren_status ren__metrics_compute(ren_context *context, const int32_t *labels, const double *probabilities, int32_t count,
                                double threshold, ren__metrics *out) REN_CHECKED;

/* From scans to patients. `patient` numbers the patients in any way (equal numbers: one patient). The arrays of the
 * result are in order of each patient's first scan; `first` is that scan's index and `scans` how many there are. Scans
 * of one patient with different labels are REN_E_DATA. */
typedef struct ren__patient_means {
    int32_t count;
    int32_t *label;
    double *score; /* mean over the patient's scans */
    int32_t *first, *scans;
} ren__patient_means;

ren_status ren__patient_means_make(ren_context *context, const int32_t *patient, const int32_t *labels,
                                   const double *scores, int32_t count, ren__patient_means *out) REN_CHECKED;
void ren__patient_means_free(ren__patient_means *means); /* the arrays; a zeroed or freed structure is fine */

#endif
