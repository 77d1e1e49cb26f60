/* SPDX-License-Identifier: Apache-2.0 */
/* A Mamba layer as a part of other networks. */
#ifndef REN_NETS_MAMBA_H
#define REN_NETS_MAMBA_H

#include "nets/nets.h"

typedef struct ren__mamba {
    int64_t d_model, d_state, d_conv, expand;
} ren__mamba;

/* Overlays `options` with the keys d_model, d_state, d_conv and expand of `config`. */
ren_status ren__mamba_config(const json_t *config, const char *where, ren__mamba *options);
/* One Mamba v1 layer (no norm, no residual): N, T, d_model to the same. `prefix` ends with a point. */
ren__value ren__mamba_layer(ren__graph *graph, ren__value x, const char *prefix, const ren__mamba *options);

#endif
