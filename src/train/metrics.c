/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of binary predictions. */
#include "train/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

typedef struct ranked {
    double score;
    int32_t label, index;
} ranked;

/* Falling score; equal ones by index, so that the order is one and the same whatever the C library's sort does. */
static int falling(const void *a, const void *b) {
    const ranked *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static ren_status check(const int32_t *labels, const double *scores, int32_t count, int32_t *positives) {
    int32_t found = 0;

    if (count < 1) return ren__error(REN_E_DATA, "metrics: there is no prediction");
    for (int32_t i = 0; i < count; i++) {
        if (labels[i] != 0 && labels[i] != 1)
            return ren__error(REN_E_DATA, "metrics: label %d of prediction %d is neither 0 nor 1", (int)labels[i],
                              (int)i);
        if (!isfinite(scores[i]))
            return ren__error(REN_E_DATA, "metrics: prediction %d is not a finite number", (int)i);
        found += labels[i];
    }
    *positives = found;
    return REN_OK;
}

static ren_status check_both(const int32_t *labels, const double *scores, int32_t count, int32_t *positives) {
    const ren_status st = check(labels, scores, count, positives);

    if (st != REN_OK) return st;
    if (*positives == 0 || *positives == count)
        return ren__error(REN_E_DATA, "metrics: all %d predictions are of class %d: both classes are needed",
                          (int)count, *positives ? 1 : 0);
    return REN_OK;
}

static ren_status check_probabilities(const double *probabilities, int32_t count) {
    for (int32_t i = 0; i < count; i++)
        if (probabilities[i] < 0.0 || probabilities[i] > 1.0)
            return ren__error(REN_E_DATA, "metrics: prediction %d is no probability", (int)i);
    return REN_OK;
}

/* The predictions by falling score; ren__free ends them. */
static ren_status rank(ren_context *context, const int32_t *labels, const double *scores, int32_t count, ranked **out) {
    ren_status st = REN_OK;
    ranked *order = NULL;

    REN_CALLOC(order, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        order[i] = (ranked){ .score = scores[i], .label = labels[i], .index = i };
    qsort(order, (size_t)count, sizeof *order, falling);
    *out = order;
out:
    return st;
}

/* First index after the group of equal scores that begins at `begin`. */
static int32_t group_end(const ranked *order, int32_t count, int32_t begin) {
    int32_t end = begin + 1;

    while (end < count && order[end].score == order[begin].score)
        end++;
    return end;
}

static int32_t group_positives(const ranked *order, int32_t begin, int32_t end) {
    int32_t positives = 0;

    for (int32_t i = begin; i < end; i++)
        positives += order[i].label;
    return positives;
}

ren_status ren__metric_auc(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                           double *auc) {
    ren_status st = REN_OK;
    ranked *order = NULL;
    int32_t positives, above = 0;
    double wins = 0.0; /* of a positive over a negative; halves are exact */

    REN_TRY(check_both(labels, scores, count, &positives));
    REN_TRY(rank(context, labels, scores, count, &order));
    for (int32_t begin = 0, end; begin < count; begin = end) {
        end = group_end(order, count, begin);
        const int32_t up = group_positives(order, begin, end), down = end - begin - up;
        wins += (double)down * ((double)above + 0.5 * (double)up);
        above += up;
    }
    *auc = wins / ((double)positives * (double)(count - positives));
out:
    ren__free(order);
    return st;
}

ren_status ren__metric_average_precision(ren_context *context, const int32_t *labels, const double *scores,
                                         int32_t count, double *precision) {
    ren_status st = REN_OK;
    ranked *order = NULL;
    int32_t positives, found = 0;
    double sum = 0.0;

    REN_TRY(check_both(labels, scores, count, &positives));
    REN_TRY(rank(context, labels, scores, count, &order));
    for (int32_t begin = 0, end; begin < count; begin = end) {
        end = group_end(order, count, begin);
        const int32_t up = group_positives(order, begin, end);
        found += up;
        sum += (double)up / (double)positives * ((double)found / (double)end);
    }
    *precision = sum;
out:
    ren__free(order);
    return st;
}

/* Between two neighbouring scores, also where their middle rounds to the lower one. */
static double between(double low, double high) {
    const double middle = low + (high - low) / 2.0;

    return middle > low ? middle : high;
}

ren_status ren__metric_youden(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                              double *threshold) {
    ren_status st = REN_OK;
    ranked *order = NULL;
    int32_t positives, hits = 0, alarms = 0;
    int64_t best = INT64_MIN;
    double chosen = 0.5;

    REN_TRY(check_both(labels, scores, count, &positives));
    REN_TRY(rank(context, labels, scores, count, &order));
    for (int32_t begin = 0, end; begin < count; begin = end) {
        end = group_end(order, count, begin);
        const int32_t up = group_positives(order, begin, end);
        hits += up;
        alarms += end - begin - up;
        /* sensitivity - false alarm rate, times both classes' counts: whole numbers, so ties are ties */
        const int64_t gain = (int64_t)hits * (count - positives) - (int64_t)alarms * positives;
        const double cut = end < count ? between(order[end].score, order[begin].score) : order[begin].score;
        const double nearer = fabs(chosen - 0.5) - fabs(cut - 0.5);
        if (gain > best || (gain == best && (nearer > 0.0 || (nearer == 0.0 && cut < chosen)))) {
            best = gain;
            chosen = cut;
        }
    }
    *threshold = chosen;
out:
    ren__free(order);
    return st;
}

ren_status ren__metric_calibration_error(ren_context *context, const int32_t *labels, const double *probabilities,
                                         int32_t count, int32_t bins, double *error) {
    ren_status st = REN_OK;
    ranked *order = NULL;
    double *label = NULL; /* mean label of the cases of one probability, in order */
    int32_t positives;
    double total = 0.0;

    if (bins < 1) REN_FAIL(REN_E_INVALID, "metrics: calibration needs at least one bin");
    REN_TRY(check(labels, probabilities, count, &positives));
    REN_TRY(check_probabilities(probabilities, count));
    REN_TRY(rank(context, labels, probabilities, count, &order));
    REN_CALLOC(label, (size_t)count);
    for (int32_t begin = 0, end; begin < count; begin = end) {
        end = group_end(order, count, begin);
        const double mean = (double)group_positives(order, begin, end) / (double)(end - begin);
        for (int32_t i = begin; i < end; i++)
            label[count - 1 - i] = mean; /* rising from here on */
    }
    for (int32_t b = 0; b < bins; b++) {
        const int32_t begin = (int32_t)((int64_t)b * count / bins), end = (int32_t)((int64_t)(b + 1) * count / bins);
        double difference = 0.0;
        for (int32_t i = begin; i < end; i++)
            difference += label[i] - order[count - 1 - i].score;
        total += fabs(difference);
    }
    *error = total / (double)count;
out:
    ren__free(label);
    ren__free(order);
    return st;
}

ren_status ren__metric_cross_entropy(const int32_t *labels, const double *probabilities, int32_t count, double *loss) {
    int32_t positives;
    double sum = 0.0;
    ren_status st = check(labels, probabilities, count, &positives);

    if (st == REN_OK) st = check_probabilities(probabilities, count);
    if (st != REN_OK) return st;
    for (int32_t i = 0; i < count; i++) {
        const double p = fmin(fmax(probabilities[i], DBL_EPSILON), 1.0 - DBL_EPSILON);
        sum -= labels[i] ? log(p) : log1p(-p);
    }
    *loss = sum / (double)count;
    return REN_OK;
}

ren_status ren__metric_accuracy(const int32_t *labels, const double *scores, int32_t count, double threshold,
                                double *accuracy) {
    int32_t positives, right = 0;
    const ren_status st = check(labels, scores, count, &positives);

    if (st != REN_OK) return st;
    for (int32_t i = 0; i < count; i++)
        right += labels[i] == (scores[i] >= threshold);
    *accuracy = (double)right / (double)count;
    return REN_OK;
}

static double share(int32_t part, int32_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

/* What follows from the confusion matrix. A class that is never predicted has precision 0, as scikit-learn says it. */
static void count_up(ren__metrics *m) {
    const int32_t(*c)[2] = (const int32_t(*)[2])m->confusion;

    m->accuracy = share(c[0][0] + c[1][1], m->count);
    m->sensitivity = share(c[1][1], c[1][0] + c[1][1]);
    m->specificity = share(c[0][0], c[0][0] + c[0][1]);
    m->precision = m->recall = m->f1 = 0.0;
    for (int k = 0; k < 2; k++) {
        const int32_t truly = c[k][0] + c[k][1], predicted = c[0][k] + c[1][k];
        const double weight = share(truly, m->count);
        m->precision += weight * share(c[k][k], predicted);
        m->recall += weight * share(c[k][k], truly);
        m->f1 += weight * share(2 * c[k][k], truly + predicted);
    }
}

ren_status ren__metrics_compute(ren_context *context, const int32_t *labels, const double *probabilities, int32_t count,
                                double threshold, ren__metrics *out) {
    ren_status st = REN_OK;
    ren__metrics m = { .count = count, .threshold = threshold };

    if (!isfinite(threshold)) REN_FAIL(REN_E_INVALID, "metrics: the threshold is not a finite number");
    REN_TRY(check_both(labels, probabilities, count, &m.positives));
    REN_TRY(ren__metric_auc(context, labels, probabilities, count, &m.auc));
    REN_TRY(ren__metric_average_precision(context, labels, probabilities, count, &m.average_precision));
    REN_TRY(ren__metric_calibration_error(context, labels, probabilities, count, REN__CALIBRATION_BINS,
                                          &m.calibration_error));
    REN_TRY(ren__metric_cross_entropy(labels, probabilities, count, &m.cross_entropy));
    for (int32_t i = 0; i < count; i++) {
        const double difference = probabilities[i] - (double)labels[i];
        m.brier += difference * difference;
        m.confusion[labels[i]][probabilities[i] >= threshold]++;
    }
    m.brier /= (double)count;
    count_up(&m);
    *out = m;
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------- patients */

typedef struct keyed {
    int32_t patient, index;
} keyed;

static int by_patient(const void *a, const void *b) {
    const keyed *x = a, *y = b;

    if (x->patient != y->patient) return x->patient < y->patient ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* first[i] becomes the index of the first scan of scan i's patient. */
static ren_status find_first(ren_context *context, const int32_t *patient, int32_t count, int32_t *first) {
    ren_status st = REN_OK;
    keyed *order = NULL;

    REN_CALLOC(order, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        order[i] = (keyed){ .patient = patient[i], .index = i };
    qsort(order, (size_t)count, sizeof *order, by_patient);
    for (int32_t i = 0, begin = 0; i < count; i++) {
        if (order[i].patient != order[begin].patient) begin = i;
        first[order[i].index] = order[begin].index;
    }
out:
    ren__free(order);
    return st;
}

/* Adds scan i to its patient, whose place is already known from the first scan. */
static ren_status add_scan(ren__patient_means *means, int32_t place, int32_t scan, const int32_t *labels,
                           double score) {
    if (labels[means->first[place]] != labels[scan])
        return ren__error(REN_E_DATA, "scans %d and %d are of one patient but have labels %d and %d",
                          (int)means->first[place], (int)scan, (int)labels[means->first[place]], (int)labels[scan]);
    means->score[place] += score;
    means->scans[place]++;
    return REN_OK;
}

ren_status ren__patient_means_make(ren_context *context, const int32_t *patient, const int32_t *labels,
                                   const double *scores, int32_t count, ren__patient_means *out) {
    ren_status st = REN_OK;
    ren__patient_means means = { 0 };
    int32_t *first = NULL, *place = NULL;
    const size_t size = count > 0 ? (size_t)count : 0;

    REN_CALLOC(first, size);
    REN_CALLOC(place, size);
    REN_CALLOC(means.label, size);
    REN_CALLOC(means.score, size);
    REN_CALLOC(means.first, size);
    REN_CALLOC(means.scans, size);
    REN_TRY(find_first(context, patient, count, first));
    for (int32_t i = 0; i < count; i++) {
        if (first[i] == i) {
            place[i] = means.count++;
            means.first[place[i]] = i;
            means.label[place[i]] = labels[i];
        }
        REN_TRY(add_scan(&means, place[first[i]], i, labels, scores[i]));
    }
    for (int32_t k = 0; k < means.count; k++)
        means.score[k] /= (double)means.scans[k];
    *out = means;
    means = (ren__patient_means){ 0 };
out:
    ren__free(place);
    ren__free(first);
    ren__patient_means_free(&means);
    return st;
}

void ren__patient_means_free(ren__patient_means *means) {
    if (!means) return;
    ren__free(means->label);
    ren__free(means->score);
    ren__free(means->first);
    ren__free(means->scans);
    *means = (ren__patient_means){ 0 };
}
