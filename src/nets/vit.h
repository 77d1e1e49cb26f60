/* SPDX-License-Identifier: Apache-2.0 */
/* A vision transformer's block as a part of other networks. */
#ifndef REN_NETS_VIT_H
#define REN_NETS_VIT_H

#include "nets/nets.h"

typedef struct ren__vit_block {
    int64_t width, heads;
    double mlp_ratio, dropout;
    const char *qkv, *projection; /* names of the attention's linear layers */
} ren__vit_block;

/* x + attention(norm1 x), then x + mlp(norm2 x), of tokens N, T, width. `prefix` ends with a point. */
ren__value ren__vit_block_add(ren__graph *graph, ren__value x, const char *prefix, const ren__vit_block *options);

#endif
