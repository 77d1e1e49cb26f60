/* SPDX-License-Identifier: Apache-2.0 */
/* SwinUNETR as a part of other networks. */
#ifndef REN_NETS_SWIN_UNETR_H
#define REN_NETS_SWIN_UNETR_H

#include "nets/nets.h"

typedef struct ren__swin_unetr {
    int64_t feature_size, out_channels;
    int64_t depths[4], heads[4], window[3];
    int32_t repeats_cells; /* patch merging as in MONAI 1.4 and before, which takes two of eight cells twice */
    double dropout;
} ren__swin_unetr;

/* The published sizes: feature size 48, depths 2, heads 3 6 12 24, window 7. */
ren__swin_unetr ren__swin_unetr_defaults(void);
/* Overlays `options` with the keys feature_size, out_channels (0 where it is missing), depths, num_heads, window_size,
 * patch_merging and dropout of `config`. */
ren_status ren__swin_unetr_config(const json_t *config, const char *where, ren__swin_unetr *options);
/* N, D, H, W, C, multiples of 32 -> N, D, H, W, feature_size: all but the last 1x1x1 convolution. `prefix` stands
 * before all names ("" or "swin."). */
ren__value ren__swin_unetr_features(ren__graph *graph, ren__value x, const char *prefix,
                                    const ren__swin_unetr *options);
/* The last convolution, of a map or of its average over all voxels (N, feature_size), which commute. */
ren__value ren__swin_unetr_out(ren__graph *graph, ren__value x, const char *prefix, const ren__swin_unetr *options);

#endif
