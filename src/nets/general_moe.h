/* SPDX-License-Identifier: Apache-2.0 */
/* The head of `general_moe` as a part of other networks. */
#ifndef REN_NETS_GENERAL_MOE_H
#define REN_NETS_GENERAL_MOE_H

#include "nets/nets.h"

/* As ren__net has it. */
#define REN__GENERAL_MOE_TRAINING                                                                                      \
    "{\"epochs\": 50, \"batch\": 16, \"optimiser\": \"adamw\", \"lr\": 1e-4, \"weight_decay\": 1e-5,"                  \
    " \"schedule\": {\"kind\": \"cosine\", \"t_max\": 50, \"min_lr\": 1e-6}, \"smoothing\": 0.0,"                      \
    " \"dropout\": 0.3, \"clip\": 1.0,"                                                                                \
    " \"early_stopping\": {\"patience\": 10, \"min_delta\": 0.001, \"from_epoch\": 1, \"max_gap\": 0.15},"             \
    " \"augmentation\": false}"

typedef struct ren__general_moe {
    int64_t experts, features, classes; /* features: of each expert */
    double dropout;
} ren__general_moe;

/* From features N, E, F to the outputs "gates" (N, E), "features" and "logits". */
void ren__general_moe_head(ren__graph *graph, ren__value x, const ren__general_moe *options);

#endif
