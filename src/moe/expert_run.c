/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prediction by one expert. Its input is zero outside its region, and what the network makes of zeros is computed once:
 * so only the region's box is run through the network where that is less work, with the same result up to rounding.
 * Which way is taken depends on the scan alone, so that equal scans give equal bits.
 */
#include <math.h>

#include "moe/moe.h"
#include "moe/session_cache.h"

/* The box must save at least a quarter of the voxels: cropping has work of its own. */
#define PAYING_SHARE 0.75

ren_status ren_expert_session_bytes(const ren_expert *expert, size_t *bytes) {
    REN_REQUIRE(expert != NULL && bytes != NULL);
    return ren__session_measure(expert->graph, REN__INFER, bytes);
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

static ren_status measure_dense(const ren__session_key *key, size_t *bytes) {
    return ren__session_measure(key->expert->graph, REN__INFER, bytes);
}

static ren_status make_dense(const ren__session_key *key, ren__session **session) {
    return ren__session_create(key->expert->graph, key->expert->weights, REN__INFER, session);
}

/* The box alone: a graph of its own for each size. */
static ren_status measure_cropped(const ren__session_key *key, size_t *bytes) {
    ren__graph *graph = NULL;

    ren_status st = ren__crop_graph(key->expert->crop, key->size, &graph);
    if (st == REN_OK) st = ren__session_measure(graph, REN__INFER, bytes);
    ren__graph_free(graph);
    return st;
}

static ren_status make_cropped(const ren__session_key *key, ren__session **session) {
    ren__graph *graph = NULL;

    ren_status st = ren__crop_graph(key->expert->crop, key->size, &graph);
    if (st == REN_OK) st = ren__session_create(graph, key->expert->weights, REN__INFER, session);
    ren__graph_free(graph);
    return st;
}

/* Makes the crop at the expert's first prediction; others wait. NULL where the network cannot be cropped. */
static ren_status find_crop(const ren_expert *expert, ren__run *run, const ren__crop **crop) {
    ren_expert *self = (ren_expert *)expert; /* what is made once is no change */
    ren_status st = REN_OK;

    pthread_mutex_lock(&self->mutex);
    if (!self->crop_tried) {
        st = ren__crop_create(expert->graph, expert->weights, run, &self->crop);
        self->crop_tried = st == REN_OK || st == REN_E_UNSUPPORTED;
        if (st == REN_E_UNSUPPORTED) st = REN_OK;
    }
    *crop = self->crop;
    pthread_mutex_unlock(&self->mutex);
    return st;
}

/* The box to be computed, and the key of its session; not 0 where it is worth it. */
static int choose_box(const ren_expert *expert, const ren__crop *crop, const ren_scan *scan, ren__session_key *key,
                      ren__box *box) {
    const ren__box *region = &scan->box[expert->region];
    double share = 1.0;

    *key = (ren__session_key){ .expert = expert };
    if (!crop) return 0;
    ren__crop_box(crop, region->begin, region->end, box->begin, key->size);
    for (int axis = 0; axis < 3; axis++) {
        box->end[axis] = box->begin[axis] + key->size[axis];
        share *= (double)key->size[axis] / (double)expert->preset.size[axis];
    }
    if (share <= PAYING_SHARE) return 1;
    *key = (ren__session_key){ .expert = expert };
    return 0;
}

static ren_status run_session(const ren_expert *expert, ren__session_cache *cache, const ren_scan *scan, ren__run *run,
                              double *probabilities) {
    static const ren__session_kind dense = { measure_dense, make_dense };
    static const ren__session_kind cropped = { measure_cropped, make_cropped };
    const ren__crop *crop;
    ren__session_key key;
    ren__box box;
    ren__session *session = NULL;
    ren_status st = REN_OK;

    REN_TRY(find_crop(expert, run, &crop));
    const int boxed = choose_box(expert, crop, scan, &key, &box);
    REN_TRY(ren__session_borrow(cache, &key, boxed ? &cropped : &dense, &session));
    ren__scan_fill(scan, expert->region, boxed ? &box : NULL, ren__session_input(session, "x"));
    if (boxed) ren__session_place(session, box.begin);
    REN_TRY(ren__session_run(session, run));
    REN_TRY(softmax(expert, ren__session_output(session, "logits"), probabilities));
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

ren_status ren__expert_probabilities(const ren_expert *expert, ren__session_cache *cache, const ren_scan *scan,
                                     ren__run *run, double *probabilities) {
    ren_status st = REN_OK;

    REN_TRY(check_scan(expert, scan));
    REN_TRY(ren__run_check(run));
    REN_TRY(run_session(expert, cache ? cache : expert->cache, scan, run, probabilities));
out:
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
