/* SPDX-License-Identifier: Apache-2.0 */
/* What networks with windows that shift have in common, for maps of 2 or 3 axes: N, spatial, C. */
#ifndef REN_NETS_SWIN_H
#define REN_NETS_SWIN_H

#include "nets/nets.h"

typedef struct ren__swin {
    int64_t heads, window[3]; /* one entry a spatial axis, which the bias table is for */
    int shifted;              /* by half a window, along axes that are longer than one */
    double dropout;           /* of the probabilities and of the result */
} ren__swin;

/* prefix.attn.{qkv, proj, relative_position_bias_table}. Zeros up to a whole number of windows take part, and are cut
 * off again; an axis not longer than the window is one window. */
ren__value ren__swin_attention(ren__graph *graph, ren__value x, const char *prefix, const ren__swin *options);
/* prefix.{norm, reduction}: `count` cells of each block of 2 an axis one behind the other (zeros beyond an odd axis'
 * end), normalised, to twice the channels. */
ren__value ren__swin_merge(ren__graph *graph, ren__value x, const char *prefix, const uint8_t *cells, int32_t count);

#endif
