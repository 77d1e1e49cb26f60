/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What explains one outcome.
 *
 * Contributions: what each value that the gate read of a region (or, where the gate is fixed, that its own predictor of
 * the disease reads) adds to the predictor's logit, exactly. Of a stacked mixture: what each region's probability adds.
 *
 * Occlusion: the prediction for the scan with one region's voxels taken out, by running every expert that saw one of
 * them again: a lobe is a part of its lung as well. The weights are made anew; radiomics stay those of the whole scan.
 */
#include <math.h>
#include <string.h>

#include "format/names.h"
#include "moe/mixture_parts.h"
#include "moe/model_file.h"
#include "moe/result.h"

static ren_status begin(ren_result *result) {
    ren_context *context = result->context;
    ren_status st = REN_OK;

    REN_CALLOC(result->explanation, 1);
    result->explanation->context = context;
    REN_TRY(ren__arena_create(context, &result->explanation->arena));
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        result->explanation->without[region] = (double)NAN;
out:
    return st;
}

void ren__explanation_free(ren__explanation *explanation) {
    if (!explanation) return;
    ren__arena_free(explanation->arena);
    ren__free(explanation);
}

/* ------------------------------------------------------------------------------------------------ contributions */

static int by_size(const void *items, size_t a, size_t b) {
    const double *amount = items, x = fabs(amount[a]), y = fabs(amount[b]);

    return (x < y) - (x > y);
}

/* Those that are not 0, the largest first. */
static ren_status keep(ren__explanation *explanation, ren__region_explanation *to, const ren__columns *columns,
                       const double *row, const double *amount, const size_t *order) {
    int32_t count = 0;

    for (int32_t i = 0; i < columns->count; i++)
        count += amount[i] != 0.0;
    to->item = ren__arena_alloc(explanation->arena, (size_t)(count ? count : 1) * sizeof *to->item);
    if (!to->item) return ren__out_of_memory();
    for (int32_t i = 0; i < count; i++) {
        const char *name = ren__arena_strdup(explanation->arena, columns->name[order[i]]);
        if (!name) return ren__out_of_memory();
        to->item[i] = (ren__contribution){ name, row[order[i]], amount[order[i]] };
    }
    to->count = count;
    to->known = 1;
    to->sum = to->base;
    for (int32_t i = 0; i < count; i++)
        to->sum += to->item[i].amount;
    return REN_OK;
}

static ren_status explain_row(ren__explanation *explanation, ren__region_explanation *to,
                              const ren__predictor *predictor, const ren__columns *columns, const double *row) {
    ren_context *context = explanation->context;
    const size_t count = (size_t)columns->count;
    double *amount = NULL;
    size_t *order = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(amount, count);
    REN_CALLOC(order, count);
    REN_TRY(ren__predictor_explain(predictor, row, amount, &to->base));
    ren__sort_indices(order, count, by_size, amount);
    REN_TRY(keep(explanation, to, columns, row, amount, order));
out:
    ren__free(order);
    ren__free(amount);
    return st;
}

/* The stacked predictor's one row, told region by region. */
static ren_status explain_stack(const ren__consultation *c, ren__explanation *explanation) {
    const ren__columns regions = ren__region_columns();
    double row[REN_REGION_COUNT], amount[REN_REGION_COUNT], base, sum;

    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        row[region] = c->ran[region] ? c->answer[region][1] : (double)NAN;
    const ren_status st = ren__predictor_explain(c->mixture->stack, row, amount, &base);
    if (st != REN_OK) return st;
    explanation->of = REN__EXPLAINS_STACK;
    sum = base;
    for (int32_t region = 0; region < REN_REGION_COUNT; region++)
        sum += amount[region];
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        ren__region_explanation *to = &explanation->region[region];
        if (!c->ran[region]) continue;
        to->item = ren__arena_alloc(explanation->arena, sizeof *to->item);
        if (!to->item) return ren__out_of_memory();
        to->item[0] = (ren__contribution){ regions.name[region], row[region], amount[region] };
        to->count = to->known = 1;
        to->base = base;
        to->sum = sum;
    }
    return REN_OK;
}

static ren_status explain_gate(const ren__consultation *c, ren__explanation *explanation) {
    const ren_gate *gate = c->mixture->gate;
    const ren__columns columns = ren__gate_columns(gate);
    ren_status st = REN_OK;

    if (ren__gate_explains(gate) == REN__READS_NOTHING) return REN_OK;
    explanation->of = ren__gate_reads(gate) == REN__READS_NOTHING ? REN__EXPLAINS_PREDICTOR : REN__EXPLAINS_SCORE;
    for (int32_t region = 0; region < REN_REGION_COUNT && st == REN_OK; region++) {
        const ren__predictor *predictor = ren__gate_predictor(gate, region);
        if (!c->mixture->expert[region] || !predictor || !c->evidence.row[region]) continue;
        st = explain_row(explanation, &explanation->region[region], predictor, &columns, c->evidence.row[region]);
    }
    return st;
}

/* ---------------------------------------------------------------------------------------------------- occlusion */

/* Not 0 where nothing is left for the mixture to see. */
static int is_empty(const ren_mixture *mixture, const ren_scan *scan) {
    for (int32_t region = 0; region < REN__PLACES; region++)
        if (mixture->expert[region] && scan->voxels[region] > 0) return 0;
    return 1;
}

static ren_status predict_regions(const ren__consultation *c, const ren_scan *scan, uint32_t lobes, double *out) {
    ren__consultation again = { .mixture = c->mixture,
                                .scan = scan,
                                .radiomics = c->radiomics,
                                .options = c->options,
                                .run = c->run,
                                .before = c,
                                .missing = lobes };
    const ren_status st = ren__consult(&again);

    if (st == REN_OK) *out = again.probability[1];
    ren__consultation_end(&again);
    /* What is left may have no weight: there is no prediction then, and that is no failure. */
    return st == REN_E_DATA ? REN_OK : st;
}

static ren_status predict_whole(const ren__consultation *c, const ren_scan *scan, double *out) {
    ren__expert_outputs outputs = { .features = NULL };
    const ren_status st = ren__expert_run(ren__mixture_whole(c->mixture), c->mixture->cache, scan, c->run, &outputs);

    if (st == REN_OK) *out = outputs.probability[1];
    return st;
}

static ren_status occlude(const ren__consultation *c, int32_t region, double *out) {
    const uint32_t lobes = ren__region_lobes(region);
    ren_scan *scan = NULL;
    ren_status st = REN_OK;

    if (c->scan->voxels[region] == 0) return REN_OK;
    REN_TRY(ren__scan_without(c->scan, lobes, &scan));
    if (is_empty(c->mixture, scan)) goto out;
    REN_TRY(ren__mixture_whole(c->mixture) ? predict_whole(c, scan, out) : predict_regions(c, scan, lobes, out));
out:
    ren_scan_free(scan);
    return st;
}

ren_status ren__mixture_explain(const ren__consultation *c, ren_result *result) {
    ren_status st = REN_OK;

    REN_TRY(begin(result));
    if (c->mixture->stack)
        REN_TRY(explain_stack(c, result->explanation));
    else if (!ren__mixture_whole(c->mixture))
        REN_TRY(explain_gate(c, result->explanation));
    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        REN_TRY(ren__run_progress(c->run, "explanation", (double)region / REN_REGION_COUNT));
        REN_TRY(occlude(c, region, &result->explanation->without[region]));
    }
    REN_TRY(ren__run_progress(c->run, "explanation", 1.0));
out:
    return st;
}
