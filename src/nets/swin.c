/* SPDX-License-Identifier: Apache-2.0 */
/* Swin transformers (Liu et al. 2021): attention within windows, and the merging of patches between stages. */
#include "nets/swin.h"

#include "graph/op.h"

/* The first `to` cells of each axis, zeros beyond the map's end. */
static ren__value resize(ren__graph *graph, ren__value x, const int64_t *to) {
    const ren__shape shape = *ren__graph_shape(graph, x);
    int64_t zero[REN__MAX_RANK] = { 0 }, after[REN__MAX_RANK] = { 0 }, size[REN__MAX_RANK] = { 0 };
    int grows = 0, shrinks = 0;
    for (int32_t i = 0; i < shape.rank; i++) {
        size[i] = i > 0 && i + 1 < shape.rank ? to[i - 1] : shape.dim[i];
        after[i] = size[i] - shape.dim[i];
        grows |= after[i] > 0;
        shrinks |= after[i] < 0;
    }
    if (!grows && !shrinks) return x;
    return grows ? ren__pad(graph, x, zero, after) : ren__slice(graph, x, zero, size);
}

ren__value ren__swin_attention(ren__graph *graph, ren__value x, const char *prefix, const ren__swin *options) {
    char name[REN__NET_NAME];
    const ren__shape shape = *ren__graph_shape(graph, x);
    const int32_t axes = shape.rank - 2;
    if (axes < 1 || axes > 3) return ren__graph_fail(graph, REN_E_INVALID, "windows need a map of 2 or 3 axes");
    const int64_t *size = shape.dim + 1, channels = shape.dim[axes + 1];
    ren__window_options windows = { .heads = options->heads, .dropout = options->dropout };
    int64_t padded[3];
    for (int32_t i = 0; i < axes; i++) {
        const int64_t window = options->window[i];
        windows.table[i] = window;
        windows.window[i] = size[i] <= window ? size[i] : window;
        windows.shift[i] = size[i] <= window || !options->shifted ? 0 : window / 2;
        padded[i] =
            windows.window[i] > 0 ? (size[i] + windows.window[i] - 1) / windows.window[i] * windows.window[i] : 0;
    }
    x = ren__linear_truncated(graph, resize(graph, x, padded), ren__net_name(name, prefix, "attn.qkv"), 3 * channels,
                              0);
    x = ren__window_attention(graph, x, ren__net_name(name, prefix, "attn"), &windows);
    return ren__dropout(
        graph,
        resize(graph, ren__linear_truncated(graph, x, ren__net_name(name, prefix, "attn.proj"), channels, 0), size),
        options->dropout);
}

ren__value ren__swin_merge(ren__graph *graph, ren__value x, const char *prefix, const uint8_t *cells, int32_t count) {
    char name[REN__NET_NAME];
    const ren__shape shape = *ren__graph_shape(graph, x);
    int64_t even[REN__MAX_RANK] = { 0 };
    for (int32_t i = 0; i + 2 < shape.rank; i++)
        even[i] = (shape.dim[1 + i] + 1) / 2 * 2;
    x = ren__merge_patches(graph, resize(graph, x, even), cells, count);
    x = ren__layer_norm(graph, x, ren__net_name(name, prefix, "norm"));
    return ren__linear_truncated(graph, x, ren__net_name(name, prefix, "reduction"),
                                 2 * (shape.rank ? shape.dim[shape.rank - 1] : 0), 1);
}
