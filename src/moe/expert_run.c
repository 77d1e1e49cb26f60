/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prediction by one expert. Its input is zero outside its region: where the network allows it, only what the region
 * reaches is computed (ops/sparse.h), with the same result up to rounding. A mixture that is one network gets the
 * label map as well, and tells how it weighed the regions.
 */
#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "moe/moe.h"
#include "moe/session_cache.h"

/* What the expert's sessions are made of; the caller frees it. */
static ren_status session_graph(const ren_expert *expert, ren__graph **graph) {
    return expert->sparse ? ren__sparse_graph(expert->sparse, graph) : ren__graph_copy(expert->graph, graph);
}

ren_status ren_expert_session_bytes(const ren_expert *expert, size_t *bytes) {
    ren__graph *graph = NULL;

    REN_REQUIRE(expert != NULL && bytes != NULL);
    ren_status st = session_graph(expert, &graph);
    if (st == REN_OK) st = ren__session_measure(graph, REN__INFER, bytes);
    ren__graph_free(graph);
    return st;
}

ren_status ren__expert_session(const ren_expert *expert, ren__session **session) {
    ren__graph *graph = NULL;

    ren_status st = session_graph(expert, &graph);
    if (st == REN_OK) st = ren__session_create(graph, expert->weights, REN__INFER, session);
    ren__graph_free(graph);
    return st;
}

/* Probabilities from logits, in double: exp(l - max) / sum. */
static ren_status softmax(const ren_expert *expert, const float *logits, double *probabilities) {
    double highest = -HUGE_VAL, sum = 0.0;

    for (int32_t c = 0; c < expert->classes; c++) {
        if (!isfinite(logits[c]))
            return ren__error(REN_E_DATA, "the expert of region %s gave no finite number: its weights are unusable",
                              ren_region_name(expert->region));
        if (logits[c] > highest) highest = logits[c];
    }
    for (int32_t c = 0; c < expert->classes; c++) {
        probabilities[c] = exp((double)logits[c] - highest);
        sum += probabilities[c];
    }
    for (int32_t c = 0; c < expert->classes; c++)
        probabilities[c] /= sum;
    return REN_OK;
}

/* What the network makes of zeros is found at the expert's first prediction; others wait. */
static ren_status prepare(const ren_expert *expert, ren__run *run) {
    ren_expert *self = (ren_expert *)expert; /* what is made once is no change */
    ren_status st = REN_OK;

    if (!expert->sparse) return REN_OK;
    pthread_mutex_lock(&self->mutex);
    if (!self->prepared) st = ren__sparse_prepare(self->sparse, self->weights, run);
    if (st == REN_OK) self->prepared = 1;
    pthread_mutex_unlock(&self->mutex);
    return st;
}

/* The region's voxels: of the whole image, or of the region's box alone. */
static void fill_input(const ren_expert *expert, const ren_scan *scan, ren__session *session) {
    const ren__box *region = &scan->box[expert->region];
    float *box = ren__session_input(session, "box"), *lobes = ren__session_input(session, "lobes");

    if (lobes) ren__scan_lobes(scan, lobes);
    ren__scan_fill(scan, expert->region, box ? region : NULL, ren__session_input(session, "x"));
    for (int axis = 0; box && axis < 3; axis++) {
        box[axis] = (float)region->begin[axis];
        box[3 + axis] = (float)region->end[axis];
    }
}

/* What else the caller wants, once the session has run. */
static void read_outputs(const ren_expert *expert, ren__session *session, ren__expert_outputs *out) {
    const int32_t regions = ren__expert_regions(expert);
    const float *weights = ren__session_output(session, "combined_weights");
    double sum = 0.0;

    if (out->features)
        memcpy(out->features, ren__session_output(session, "features"),
               (size_t)ren__expert_features(expert) * sizeof *out->features);
    for (int32_t i = 0; i < REN_REGION_COUNT; i++) {
        out->weight[i] = i < regions ? (double)weights[i] : 0.0;
        sum += out->weight[i];
    }
    for (int32_t i = 0; i < regions && sum > 0.0; i++) /* the network's own sum is 1 but for its float and its 1e-8 */
        out->weight[i] /= sum;
}

static ren_status run_session(const ren_expert *expert, ren__session_cache *cache, const ren_scan *scan, ren__run *run,
                              ren__expert_outputs *outputs) {
    ren__session *session = NULL;
    ren_status st = REN_OK;

    REN_TRY(prepare(expert, run));
    REN_TRY(ren__session_borrow(cache, expert, &session));
    fill_input(expert, scan, session);
    REN_TRY(ren__session_run(session, run));
    REN_TRY(softmax(expert, ren__session_output(session, "logits"), outputs->probability));
    read_outputs(expert, session, outputs);
out:
    ren__session_return(cache, session);
    return st;
}

static ren_status check_scan(const ren_expert *expert, const ren_scan *scan) {
    if (!ren__preset_equal(&scan->preset, &expert->preset))
        return ren__error(REN_E_DATA,
                          "the scan was prepared with another preset than the expert of region %s was "
                          "trained on: give its preset to ren_scan_create",
                          ren_region_name(expert->region));
    if (scan->voxels[expert->region] == 0)
        return ren__error(REN_E_DATA, "region %s is empty in this scan", ren_region_name(expert->region));
    return REN_OK;
}

ren_status ren__expert_run(const ren_expert *expert, ren__session_cache *cache, const ren_scan *scan, ren__run *run,
                           ren__expert_outputs *out) {
    ren_status st = REN_OK;

    REN_TRY(check_scan(expert, scan));
    if (out->features && ren__expert_features(expert) == 0)
        REN_FAIL(REN_E_UNSUPPORTED, "the network %s has no features before its output layer", expert->net->name);
    REN_TRY(ren__run_check(run));
    REN_TRY(run_session(expert, cache ? cache : expert->cache, scan, run, out));
out:
    return st;
}

ren_status ren__expert_probabilities(const ren_expert *expert, ren__session_cache *cache, const ren_scan *scan,
                                     ren__run *run, double *probabilities) {
    ren__expert_outputs outputs = { .features = NULL };
    const ren_status st = ren__expert_run(expert, cache, scan, run, &outputs);

    if (st == REN_OK) memcpy(probabilities, outputs.probability, (size_t)expert->classes * sizeof *probabilities);
    return st;
}

ren_status ren_expert_predict(const ren_expert *expert, const ren_scan *scan, const ren_run_options *options,
                              float *probabilities, size_t count) {
    double exact[REN__MAX_CLASSES] = { 0 };
    ren__run run;

    REN_REQUIRE(expert != NULL && scan != NULL && probabilities != NULL);
    if (count != (size_t)expert->classes)
        return ren__error(REN_E_INVALID, "ren_expert_predict: room for %zu probabilities, but there are %d classes",
                          count, expert->classes);
    ren_status st = ren__run_begin(&run, expert->context, options);
    if (st == REN_OK) st = ren__expert_probabilities(expert, NULL, scan, &run, exact);
    if (st == REN_OK) st = ren__run_progress(&run, "experts", 1.0);
    st = ren__run_end(&run, st);
    for (size_t c = 0; st == REN_OK && c < count; c++)
        probabilities[c] = (float)exact[c];
    return st;
}
