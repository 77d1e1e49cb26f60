/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of experts and mixtures share: a small prepared scan, small experts, small volumes. */
#ifndef REN_TESTS_MOE_FIXTURE_H
#define REN_TESTS_MOE_FIXTURE_H

#include "base/random.h"
#include "harness.h"
#include "moe/moe.h"

enum { FIXTURE_SIDE = 16, FIXTURE_CELLS = FIXTURE_SIDE * FIXTURE_SIDE * FIXTURE_SIDE };
static const char fixture_config_48[] = "{\"input_size\": [48, 48, 48]}";
static const char fixture_config[] = "{\"input_size\": [16, 16, 16]}";

/* Lobe of a cell of a grid of 16^3: two boxes for lungs, divided along the body's axis; `missing` is left out. */
static inline uint8_t fixture_lobe(int d, int h, int w, int missing) {
    int lobe = 0;

    if (h < 3 || h > 12 || w < 2 || w > 13) return 0;
    if (d >= 1 && d <= 6) lobe = w < 8 ? 2 : 1;
    if (d >= 9 && d <= 14) lobe = w < 6 ? 5 : w < 9 ? 4 : 3;
    return (uint8_t)(lobe == missing ? 0 : lobe);
}

static inline void fixture_count(ren_scan *scan, int d, int h, int w, uint8_t lobe) {
    const int64_t at[3] = { d, h, w };

    for (int32_t region = 0; region < REN__PLACES && lobe; region++) {
        if (!((ren__region_lobes(region) >> (lobe - 1)) & 1u)) continue;
        ren__box *box = &scan->box[region];
        for (int axis = 0; axis < 3; axis++) {
            if (scan->voxels[region] == 0 || at[axis] < box->begin[axis]) box->begin[axis] = at[axis];
            if (at[axis] >= box->end[axis]) box->end[axis] = at[axis] + 1;
        }
        scan->voxels[region]++;
    }
}

/* A prepared scan of side^3 cells (a multiple of 16) with noise for lung. */
static inline ren_status fixture_scan(ren_context *context, int side, int missing, ren_scan **out) {
    const ren_preset preset = { .struct_size = sizeof preset, .size = { side, side, side } };
    const int scale = side / FIXTURE_SIDE;
    ren_scan *scan = NULL;
    ren__rng rng;
    ren_status st = REN_OK;

    ren__rng_init(&rng, 7, 0, 0);
    REN_CALLOC(scan, 1);
    atomic_init(&scan->references, 1);
    scan->context = ren__context_retain(context);
    REN_TRY(ren__preset_resolve(&preset, &scan->preset));
    REN_CALLOC(scan->image, (size_t)side * (size_t)side * (size_t)side);
    REN_CALLOC(scan->lobe, (size_t)side * (size_t)side * (size_t)side);
    REN_TRY(ren__text_create(context, &scan->warnings));
    for (int d = 0, i = 0; d < side; d++) {
        for (int h = 0; h < side; h++) {
            for (int w = 0; w < side; w++, i++) {
                scan->image[i] = (float)ren__rng_uniform(&rng);
                scan->lobe[i] = fixture_lobe(d / scale, h / scale, w / scale, missing);
                fixture_count(scan, d, h, w, scan->lobe[i]);
            }
        }
    }
    *out = scan;
    scan = NULL;
out:
    ren_scan_free(scan);
    return st;
}

static inline ren_status fixture_expert(ren_context *context, int32_t region, uint64_t seed, ren_expert **out) {
    ren_expert_options options;
    ren_status st = REN_OK;

    REN_TRY(ren_expert_options_init(&options, sizeof options));
    options.config = fixture_config;
    options.region = region;
    options.seed = seed;
    REN_TRY(ren_expert_create(context, &options, out));
out:
    return st;
}

static inline ren_status fixture_gate(ren_context *context, ren_gate **out) {
    static const double weights[REN_REGION_COUNT] = { 0.7, 0.9, 0.6, 0.65, 0.95, 0.75, 0.85 };
    ren_gate_options options;
    ren_status st = REN_OK;

    REN_TRY(ren_gate_options_init(&options, sizeof options));
    options.source = "validation_auc";
    memcpy(options.weights, weights, sizeof weights);
    REN_TRY(ren_gate_create(context, &options, out));
out:
    return st;
}

/* Experts of regions first..last with a gate. */
static inline ren_status fixture_mixture(ren_context *context, int32_t first, int32_t last, ren_mixture **out) {
    ren_expert *experts[REN_REGION_COUNT] = { NULL };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_gate(context, &gate));
    for (int32_t region = first; region <= last; region++)
        REN_TRY(fixture_expert(context, region, 100u + (uint64_t)region, &experts[region - first]));
    REN_TRY(ren_mixture_create(context, experts, (size_t)(last - first + 1), gate, out));
out:
    for (int i = 0; i < REN_REGION_COUNT; i++)
        ren_expert_free(experts[i]);
    ren_gate_free(gate);
    return st;
}

#endif
