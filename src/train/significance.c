/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap, Holm, Wilcoxon, DeLong. */
#include "train/significance.h"

#include <math.h>
#include <stdlib.h>

#include "base/parallel.h"
#include "base/random.h"
#include "train/metrics.h"

#define NORMAL_975 1.959963984540054

static int rising(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ------------------------------------------------------------------------------------------------ bootstrap */

/* The patients of one prediction in order of score. A resample is then a count for each patient, and its AUC one pass.
 */
typedef struct ordered {
    double score;
    int32_t label, patient;
} ordered;

typedef struct bootstrap {
    ren_context *context;
    const int32_t *labels;
    const double *coefficient; /* of each prediction's AUC in the sum */
    int32_t count, sides;
    uint64_t seed;
    ordered **side;
    int32_t *drawn; /* [threads x count]: how often a patient is in the resample */
    double *value;  /* [resamples] */
} bootstrap;

static int by_score(const void *a, const void *b) {
    const ordered *x = a, *y = b;

    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return (x->patient > y->patient) - (x->patient < y->patient);
}

/* AUC where each patient counts `drawn` times. */
static double weighted_auc(const ordered *order, int32_t count, const int32_t *drawn) {
    int64_t below = 0, positives = 0, twice = 0; /* wins x 2: whole numbers */

    for (int32_t begin = 0, end; begin < count; begin = end) {
        int64_t up = 0, down = 0;
        for (end = begin; end < count && order[end].score == order[begin].score; end++) {
            const int64_t times = drawn[order[end].patient];
            *(order[end].label ? &up : &down) += times;
        }
        twice += up * (2 * below + down);
        below += down;
        positives += up;
    }
    return (double)twice / (2.0 * (double)positives * (double)below);
}

/* Draws patients with replacement until both classes are there. */
static void draw(const bootstrap *b, int64_t resample, int32_t *drawn) {
    ren__rng rng;
    int32_t positives;

    ren__rng_init(&rng, b->seed, (uint32_t)resample, 0);
    do {
        positives = 0;
        for (int32_t i = 0; i < b->count; i++)
            drawn[i] = 0;
        for (int32_t i = 0; i < b->count; i++) {
            const uint32_t patient = ren__rng_below(&rng, (uint32_t)b->count);
            drawn[patient]++;
            positives += b->labels[patient];
        }
    } while (positives == 0 || positives == b->count);
}

static void resample_chunk(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const bootstrap *b = argument;
    int32_t *drawn = b->drawn + (size_t)thread * (size_t)b->count;

    for (int64_t r = begin; r < end; r++) {
        draw(b, r, drawn);
        b->value[r] = 0.0;
        for (int32_t k = 0; k < b->sides; k++)
            b->value[r] += b->coefficient[k] * weighted_auc(b->side[k], b->count, drawn);
    }
}

/* numpy.percentile's default: linear between order statistics. */
static double quantile(const double *sorted, int32_t count, double q) {
    const double position = q * (double)(count - 1);
    const int32_t low = (int32_t)position;

    if (low >= count - 1) return sorted[count - 1];
    return sorted[low] + (position - (double)low) * (sorted[low + 1] - sorted[low]);
}

static void summarise(const double *value, int32_t resamples, ren__comparison *out) {
    int32_t not_above = 0, not_below = 0;

    for (int32_t r = 0; r < resamples; r++) {
        not_above += value[r] <= 0.0;
        not_below += value[r] >= 0.0;
    }
    out->low = quantile(value, resamples, 0.025);
    out->high = quantile(value, resamples, 0.975);
    out->p = fmin(1.0, 2.0 * (1.0 + fmin(not_above, not_below)) / (1.0 + (double)resamples));
}

static ren_status sort_side(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                            ordered **out) {
    ren_status st = REN_OK;

    REN_CALLOC(*out, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        (*out)[i] = (ordered){ .score = scores[i], .label = labels[i], .patient = i };
    qsort(*out, (size_t)count, sizeof **out, by_score);
out:
    return st;
}

ren_status ren__bootstrap_auc_contrast(ren_context *context, ren__run *run, const int32_t *labels,
                                       const double *const *scores, const double *coefficient, int32_t sides,
                                       int32_t count, int32_t resamples, uint64_t seed, ren__comparison *out) {
    ren_status st = REN_OK;
    bootstrap b = {
        .context = context, .labels = labels, .coefficient = coefficient, .count = count, .sides = sides, .seed = seed
    };
    ren__comparison result = { .estimate = 0.0 };

    if (resamples < 1) REN_FAIL(REN_E_INVALID, "bootstrap: at least one resample is needed");
    if (sides < 1) REN_FAIL(REN_E_INVALID, "bootstrap: at least one prediction is needed");
    REN_CALLOC(b.side, (size_t)sides);
    for (int32_t k = 0; k < sides; k++) {
        double auc;
        REN_TRY(ren__metric_auc(context, labels, scores[k], count, &auc)); /* checks labels and scores as well */
        REN_TRY(sort_side(context, labels, scores[k], count, &b.side[k]));
        result.estimate += coefficient[k] * auc;
    }
    REN_CALLOC(b.drawn, (size_t)context->threads * (size_t)count);
    REN_CALLOC(b.value, (size_t)resamples);
    ren__parallel_for(context, run, resamples, 16, resample_chunk, &b);
    REN_TRY(ren__run_check(run));
    qsort(b.value, (size_t)resamples, sizeof *b.value, rising);
    summarise(b.value, resamples, &result);
    *out = result;
out:
    ren__free(b.value);
    ren__free(b.drawn);
    for (int32_t k = 0; b.side && k < sides; k++)
        ren__free(b.side[k]);
    ren__free(b.side);
    return st;
}

ren_status ren__bootstrap_auc_difference(ren_context *context, ren__run *run, const int32_t *labels, const double *a,
                                         const double *b, int32_t count, int32_t resamples, uint64_t seed,
                                         ren__comparison *out) {
    static const double coefficient[2] = { 1.0, -1.0 };
    const double *scores[2] = { a, b };

    return ren__bootstrap_auc_contrast(context, run, labels, scores, coefficient, 2, count, resamples, seed, out);
}

ren_status ren__bootstrap_auc(ren_context *context, ren__run *run, const int32_t *labels, const double *scores,
                              int32_t count, int32_t resamples, uint64_t seed, ren__comparison *out) {
    static const double coefficient = 1.0;
    const ren_status st =
        ren__bootstrap_auc_contrast(context, run, labels, &scores, &coefficient, 1, count, resamples, seed, out);

    if (st == REN_OK) out->p = NAN;
    return st;
}

/* ----------------------------------------------------------------------------------------------------- Holm */

typedef struct tested {
    double p;
    int32_t index;
} tested;

static int by_p(const void *a, const void *b) {
    const tested *x = a, *y = b;

    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

ren_status ren__holm(ren_context *context, double *p, int32_t count) {
    ren_status st = REN_OK;
    tested *order = NULL;
    int32_t tests = 0;
    double least = 0.0;

    if (count < 1) return REN_OK;
    REN_CALLOC(order, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        if (p[i] < 0.0 || p[i] > 1.0) REN_FAIL(REN_E_INVALID, "Holm: p value %d is not between 0 and 1", (int)i);
        if (!isnan(p[i])) order[tests++] = (tested){ .p = p[i], .index = i };
    }
    qsort(order, (size_t)tests, sizeof *order, by_p);
    for (int32_t k = 0; k < tests; k++) {
        least = fmax(least, fmin(1.0, (double)(tests - k) * order[k].p));
        p[order[k].index] = least;
    }
out:
    ren__free(order);
    return st;
}

/* ------------------------------------------------------------------------------------------------- Wilcoxon */

enum { WILCOXON_MOST = 200 };

typedef struct signed_rank {
    double size;             /* absolute difference */
    int32_t positive, twice; /* twice the midrank: a whole number */
} signed_rank;

static int by_size(const void *a, const void *b) {
    const signed_rank *x = a, *y = b;

    return (x->size > y->size) - (x->size < y->size);
}

/* Ranks those that are not 0, midranks for ties; gives how many. */
static int32_t rank_signed(const double *differences, int32_t count, signed_rank *ranks) {
    int32_t n = 0;

    for (int32_t i = 0; i < count; i++)
        if (differences[i] != 0.0)
            ranks[n++] = (signed_rank){ .size = fabs(differences[i]), .positive = differences[i] > 0.0 };
    qsort(ranks, (size_t)n, sizeof *ranks, by_size);
    for (int32_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && ranks[end].size == ranks[begin].size; end++)
            continue;
        for (int32_t i = begin; i < end; i++)
            ranks[i].twice = begin + 1 + end; /* mean of ranks begin + 1 .. end, doubled */
    }
    return n;
}

/* Probability that the rank sum of a random sign pattern is at most `limit` (both doubled). share[s] is the share of
 * patterns over the ranks so far with sum s. */
static double at_most(const signed_rank *ranks, int32_t n, int32_t limit, double *share_of) {
    int32_t reach = 0;
    double sum = 0.0;

    share_of[0] = 1.0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t step = ranks[i].twice;
        for (int32_t s = reach + step; s >= 0; s--) {
            const double without = s <= reach ? share_of[s] : 0.0;
            share_of[s] = 0.5 * (without + (s >= step ? share_of[s - step] : 0.0));
        }
        reach += step;
    }
    for (int32_t s = 0; s <= limit; s++)
        sum += share_of[s];
    return sum;
}

ren_status ren__wilcoxon(ren_context *context, const double *differences, int32_t count, double *statistic, double *p) {
    ren_status st = REN_OK;
    signed_rank *ranks = NULL;
    double *share_of = NULL;
    int32_t positive = 0, negative = 0;

    if (count < 0 || count > WILCOXON_MOST)
        REN_FAIL(REN_E_INVALID, "Wilcoxon: %d differences, at most %d are possible", (int)count, WILCOXON_MOST);
    for (int32_t i = 0; i < count; i++)
        if (!isfinite(differences[i])) REN_FAIL(REN_E_DATA, "Wilcoxon: difference %d is not finite", (int)i);
    REN_CALLOC(ranks, (size_t)count);
    const int32_t n = rank_signed(differences, count, ranks);
    for (int32_t i = 0; i < n; i++)
        *(ranks[i].positive ? &positive : &negative) += ranks[i].twice;
    REN_CALLOC(share_of, (size_t)(positive + negative) + 1);
    const int32_t smaller = positive < negative ? positive : negative;
    *p = fmin(1.0, 2.0 * at_most(ranks, n, smaller, share_of));
    if (statistic) *statistic = 0.5 * (double)smaller;
out:
    ren__free(share_of);
    ren__free(ranks);
    return st;
}

/* --------------------------------------------------------------------------------------------------- DeLong */

/* For one prediction: of each positive, the share of negatives that it beats; of each negative, the share of positives
 * that beat it (the structural components). Their order is the patients' within each class. */
static ren_status components(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                             double *positive, double *negative, double *auc) {
    ren_status st = REN_OK;
    ordered *order = NULL;
    int32_t *place = NULL; /* of each patient within its class */
    int32_t p = 0, n = 0, below_p = 0, below_n = 0;
    double sum = 0.0;

    REN_CALLOC(place, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        place[i] = labels[i] ? p++ : n++;
    REN_TRY(sort_side(context, labels, scores, count, &order));
    for (int32_t begin = 0, end; begin < count; begin = end) {
        int32_t up = 0, down = 0;
        for (end = begin; end < count && order[end].score == order[begin].score; end++)
            *(order[end].label ? &up : &down) += 1;
        for (int32_t i = begin; i < end; i++) {
            const int32_t k = place[order[i].patient];
            if (order[i].label)
                positive[k] = ((double)below_n + 0.5 * (double)down) / (double)n;
            else
                negative[k] = ((double)(p - below_p - up) + 0.5 * (double)up) / (double)p;
        }
        below_p += up;
        below_n += down;
    }
    for (int32_t k = 0; k < p; k++)
        sum += positive[k];
    *auc = sum / (double)p;
out:
    ren__free(order);
    ren__free(place);
    return st;
}

/* Unbiased variance over the number of values: what a class adds to the variance of the AUC. */
static double class_variance(const double *a, const double *b, int32_t count) {
    double mean = 0.0, sum = 0.0;

    for (int32_t i = 0; i < count; i++)
        mean += a[i] - (b ? b[i] : 0.0);
    mean /= (double)count;
    for (int32_t i = 0; i < count; i++) {
        const double off = a[i] - (b ? b[i] : 0.0) - mean;
        sum += off * off;
    }
    return sum / (double)(count - 1) / (double)count;
}

static ren_status count_classes(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                                int32_t classes[2]) {
    double unused;
    const ren_status st = ren__metric_auc(context, labels, scores, count, &unused); /* for its checks */

    if (st != REN_OK) return st;
    classes[0] = classes[1] = 0;
    for (int32_t i = 0; i < count; i++)
        classes[labels[i]]++;
    if (classes[0] < 2 || classes[1] < 2)
        return ren__error(REN_E_DATA, "DeLong: %d patients of class 0 and %d of class 1: at least 2 of each are needed",
                          (int)classes[0], (int)classes[1]);
    return REN_OK;
}

static ren_status delong(ren_context *context, const int32_t *labels, const double *const *scores, int32_t sides,
                         int32_t count, ren__comparison *out) {
    ren_status st = REN_OK;
    double *values = NULL; /* [sides x count]: positives, then negatives */
    double auc[2] = { 0.0, 0.0 };
    int32_t classes[2];

    for (int32_t k = 0; k < sides; k++)
        REN_TRY(count_classes(context, labels, scores[k], count, classes));
    REN_CALLOC(values, (size_t)sides * (size_t)count);
    for (int32_t k = 0; k < sides; k++)
        REN_TRY(components(context, labels, scores[k], count, values + (size_t)k * (size_t)count,
                           values + (size_t)k * (size_t)count + classes[1], &auc[k]));
    const double *other = sides == 2 ? values + count : NULL;
    const double error = sqrt(class_variance(values, other, classes[1]) +
                              class_variance(values + classes[1], other ? other + classes[1] : NULL, classes[0]));
    const double estimate = auc[0] - auc[1];
    const double z = error > 0.0 ? estimate / error : estimate == 0.0 ? 0.0 : INFINITY;
    *out = (ren__comparison){ .estimate = estimate,
                              .low = estimate - NORMAL_975 * error,
                              .high = estimate + NORMAL_975 * error,
                              .p = erfc(fabs(z) / sqrt(2.0)) };
out:
    ren__free(values);
    return st;
}

ren_status ren__delong_auc(ren_context *context, const int32_t *labels, const double *scores, int32_t count,
                           ren__comparison *out) {
    const ren_status st = delong(context, labels, &scores, 1, count, out);

    if (st != REN_OK) return st;
    out->low = fmax(0.0, out->low);
    out->high = fmin(1.0, out->high);
    out->p = NAN;
    return REN_OK;
}

ren_status ren__delong_difference(ren_context *context, const int32_t *labels, const double *a, const double *b,
                                  int32_t count, ren__comparison *out) {
    const double *scores[2] = { a, b };

    return delong(context, labels, scores, 2, count, out);
}
