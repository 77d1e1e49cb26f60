/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mixtures of one expert: a baseline, or a mixture that is one network, on both lungs; or an expert's file by itself.
 * A network on both lungs answers for the scan as a whole. One that is a mixture itself has weighed regions, and the
 * result gives these weights; the regions have no probabilities of their own then.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "moe/model_file.h"
#include "moe/result.h"
#include "moe/session_cache.h"

const ren_expert *ren__mixture_whole(const ren_mixture *mixture) {
    return mixture->expert[REN_REGION_LUNGS];
}

ren_status ren__mixture_of_one(ren_context *context, ren_expert *expert, const ren__mixture_options *options,
                               ren_mixture **out) {
    ren_gate_options uniform;
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren_gate_options_init(&uniform, sizeof uniform));
    REN_TRY(ren_gate_create(context, &uniform, &gate));
    REN_TRY(ren__mixture_make(context, &expert, 1, gate, options, out));
out:
    ren_gate_free(gate);
    return st;
}

/* One warning that names the regions that the network has weighed although there is nothing of them to see. */
static ren_status warn_of_empty(const ren_scan *scan, ren_result *result) {
    char names[128] = "";
    int32_t empty = 0;

    for (int32_t i = 0; i < result->region_count; i++) {
        const int32_t region = result->region[i].region;
        if (scan->voxels[region] > 0) continue;
        const size_t used = strlen(names); /* seven short names fit */
        snprintf(names + used, sizeof names - used, "%s%s", empty++ ? ", " : "", ren_region_name(region));
    }
    if (empty == 0) return REN_OK;
    return ren__result_warn(result,
                            "%d of %d regions are empty (%s): the network is one and has computed them all the same, "
                            "on zeros",
                            empty, result->region_count, names);
}

ren_status ren__mixture_predict_whole(const ren_mixture *mixture, const ren_scan *scan, ren__run *run,
                                      ren_result *result) {
    const ren_expert *expert = ren__mixture_whole(mixture);
    const int32_t regions = ren__expert_regions(expert);
    ren__expert_outputs outputs = { .features = NULL };
    ren_status st = REN_OK;

    REN_TRY(ren__run_progress(run, "experts", 0.0));
    REN_TRY(ren__expert_run(expert, mixture->cache, scan, run, &outputs));
    REN_TRY(ren__run_progress(run, "experts", 1.0));
    memcpy(result->probability, outputs.probability, sizeof result->probability);
    result->whole = 1;
    if (regions == 0) {
        result->region[0].ran = 1;
        result->region[0].probability = outputs.probability[1];
        result->region[0].weight = 1.0;
    } else {
        result->region_count = regions;
        for (int32_t i = 0; i < regions; i++)
            result->region[i] =
                (ren__region_result){ .region = i, .ran = 1, .probability = (double)NAN, .weight = outputs.weight[i] };
        REN_TRY(warn_of_empty(scan, result));
    }
    ren__result_decide(result);
out:
    return st;
}
