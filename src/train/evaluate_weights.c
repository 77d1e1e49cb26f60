/* SPDX-License-Identifier: Apache-2.0 */
/* What weights a mixture gave the regions: their mean, and how much they move between scans and between folds. */
#include <math.h>
#include <string.h>

#include "format/names.h"
#include "train/evaluate.h"

static int has_weights(const ren__prediction *item) {
    double sum = 0.0;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        sum += item->weight[region];
    return sum > 0.0;
}

static int same_regions(const ren__prediction *a, const ren__prediction *b) {
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if ((a->weight[region] > 0.0) != (b->weight[region] > 0.0)) return 0;
    return 1;
}

/* A gate that does not read the scan gives the same numbers to all scans with the same regions, up to rounding. */
static int differ(const ren__prediction *a, const ren__prediction *b) {
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        if (fabs(a->weight[region] - b->weight[region]) > 1e-9) return 1;
    return 0;
}

/* Compared with the fold's first scan of all regions, or else with its first. */
static int varies_in(const ren__predictions *rows, int32_t fold) {
    const ren__prediction *first = NULL;

    for (int32_t i = 0; i < rows->count; i++) {
        const ren__prediction *item = &rows->item[i];
        if (item->fold != fold || !has_weights(item)) continue;
        if (!first)
            first = item;
        else if (same_regions(first, item) && differ(first, item))
            return 1;
    }
    return 0;
}

/* Mean of the rows of a fold (-1: all) with a label (-1: any), NaN where there is none. */
static double mean_of(const ren__predictions *rows, const ren__cohort *cohort, int32_t region, int32_t fold,
                      int32_t label) {
    double sum = 0.0;
    int32_t count = 0;

    for (int32_t i = 0; i < rows->count; i++) {
        const ren__prediction *item = &rows->item[i];
        if (!has_weights(item) || (fold >= 0 && item->fold != fold) ||
            (label >= 0 && cohort->item[item->scan].label != label))
            continue;
        sum += item->weight[region];
        count++;
    }
    return count > 0 ? sum / count : NAN;
}

/* Standard deviation around each fold's own mean. */
static double sd_within(const ren__evaluation *evaluation, const ren__predictions *rows, const ren__model_weights *of,
                        int32_t region) {
    const ren__study_config *config = evaluation->study->config;
    double squares = 0.0;
    int32_t freedom = 0;

    for (int32_t i = 0; i < config->run_count; i++) {
        int32_t count = 0;
        for (int32_t k = 0; k < rows->count; k++) {
            const ren__prediction *item = &rows->item[k];
            if (item->fold != config->run[i] || !has_weights(item)) continue;
            squares += (item->weight[region] - of->fold[i][region]) * (item->weight[region] - of->fold[i][region]);
            count++;
        }
        freedom += count > 1 ? count - 1 : 0;
    }
    return freedom > 0 ? sqrt(squares / freedom) : NAN;
}

static int compare_values(const void *items, size_t a, size_t b) {
    const double *value = items;

    return (value[a] > value[b]) - (value[a] < value[b]);
}

/* Percentiles, linear between order statistics. */
static double percentile(const double *value, const size_t *order, int32_t count, double share) {
    const double position = share * (double)(count - 1);
    const int32_t low = (int32_t)position;

    if (low >= count - 1) return value[order[count - 1]];
    return value[order[low]] + (position - low) * (value[order[low + 1]] - value[order[low]]);
}

static ren_status spread(ren_context *context, const ren__predictions *rows, int32_t region, ren__model_weights *of) {
    double *value = NULL;
    size_t *order = NULL;
    int32_t count = 0;
    ren_status st = REN_OK;

    REN_CALLOC(value, (size_t)rows->count);
    REN_CALLOC(order, (size_t)rows->count);
    for (int32_t i = 0; i < rows->count; i++)
        if (has_weights(&rows->item[i])) value[count++] = rows->item[i].weight[region];
    ren__sort_indices(order, (size_t)count, compare_values, value);
    of->low[region] = percentile(value, order, count, 0.05);
    of->high[region] = percentile(value, order, count, 0.95);
out:
    ren__free(order);
    ren__free(value);
    return st;
}

static ren_status weigh(const ren__evaluation *evaluation, const ren__predictions *rows, ren__model_weights *of) {
    const ren__study_config *config = evaluation->study->config;
    const ren__cohort *cohort = evaluation->study->cohort;
    ren_status st = REN_OK;

    memset(of, 0, sizeof *of);
    for (int32_t i = 0; i < rows->count; i++)
        of->scans += has_weights(&rows->item[i]);
    if (of->scans == 0) return REN_OK;
    for (int32_t i = 0; i < config->run_count; i++)
        of->varies |= varies_in(rows, config->run[i]);
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        of->mean[region] = mean_of(rows, cohort, region, -1, -1);
        for (int32_t label = 0; label < 2; label++)
            of->by_label[label][region] = mean_of(rows, cohort, region, -1, label);
        for (int32_t i = 0; i < config->run_count; i++)
            of->fold[i][region] = mean_of(rows, cohort, region, config->run[i], -1);
        of->sd[region] = sd_within(evaluation, rows, of, region);
        REN_TRY(spread(evaluation->context, rows, region, of));
    }
out:
    return st;
}

ren_status ren__evaluation_weigh(ren__evaluation *evaluation) {
    ren_status st = REN_OK;

    for (int32_t model = 0; model < evaluation->study->config->model_count && st == REN_OK; model++)
        st = weigh(evaluation, &evaluation->model[model].test, &evaluation->model[model].weights);
    return st;
}
