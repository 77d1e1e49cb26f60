/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `vit` expert of REN (arXiv 2510.04923): patches of 8x8x8, class token and learned positions, pre-norm blocks of
 * attention and MLP, a head on the class token. Parameter names are the published checkpoint's.
 */
#include <stdio.h>

#include "format/document.h"
#include "nets/vit.h"

typedef struct vit {
    int64_t size[3], patch[3], classes, width, layers, heads;
    double mlp_ratio, dropout;
} vit;

static ren_status read_config(const json_t *config, vit *v) {
    static const char *const known[] = { "input_size", "classes",   "patch_size", "embed_dim", "n_layers",
                                         "n_heads",    "mlp_ratio", "dropout",    NULL };
    ren_status st = ren__net_input_size(config, v->size);
    if (st == REN_OK) st = ren__check_keys(config, "vit", known);
    if (st == REN_OK) st = ren__net_sizes(config, "patch_size", v->patch);
    if (st == REN_OK) st = ren__get_integer(config, "classes", "vit", 2, REN__MAX_CLASSES, &v->classes);
    if (st == REN_OK) st = ren__get_integer(config, "embed_dim", "vit", 1, 4096, &v->width);
    if (st == REN_OK) st = ren__get_integer(config, "n_layers", "vit", 1, 64, &v->layers);
    if (st == REN_OK) st = ren__get_integer(config, "n_heads", "vit", 1, 64, &v->heads);
    if (st == REN_OK) st = ren__get_number(config, "mlp_ratio", "vit", &v->mlp_ratio);
    if (st == REN_OK) st = ren__get_number(config, "dropout", "vit", &v->dropout);
    if (st == REN_OK && !(v->mlp_ratio > 0 && v->mlp_ratio <= 64))
        st = ren__error(REN_E_INVALID, "vit: mlp_ratio must lie in (0, 64]");
    return st;
}

ren__value ren__vit_block_add(ren__graph *graph, ren__value x, const char *prefix, const ren__vit_block *options) {
    const int64_t width = options->width, hidden = (int64_t)((double)width * options->mlp_ratio);
    char name[REN__NET_NAME];
    ren__value y = ren__layer_norm(graph, x, ren__net_name(name, prefix, "norm1"));
    y = ren__linear_truncated(graph, y, ren__net_name(name, prefix, options->qkv), 3 * width, 0);
    y = ren__attention_heads(graph, y, options->heads, options->dropout);
    y = ren__linear_truncated(graph, y, ren__net_name(name, prefix, options->projection), width, 0);
    x = ren__add(graph, x, ren__dropout(graph, y, options->dropout));
    y = ren__layer_norm(graph, x, ren__net_name(name, prefix, "norm2"));
    y = ren__linear_truncated(graph, y, ren__net_name(name, prefix, "mlp.0"), hidden, 0);
    y = ren__dropout(graph, ren__activate(graph, y, REN__GELU), options->dropout);
    y = ren__linear_truncated(graph, y, ren__net_name(name, prefix, "mlp.3"), width, 0);
    return ren__add(graph, x, ren__dropout(graph, y, options->dropout));
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    vit v = {
        .patch = { 8, 8, 8 }, .classes = 2, .width = 128, .layers = 3, .heads = 4, .mlp_ratio = 1.5, .dropout = 0.2
    };
    char prefix[32];
    const ren_status st = read_config(config, &v);
    if (st != REN_OK) return st;
    ren__value x =
        ren__graph_input(graph, "x", ren__shape_of(5, (int64_t[]){ batch, v.size[0], v.size[1], v.size[2], 1 }));
    x = ren__net_patches(graph, x, "vit.patch_embed.proj", v.patch, v.width);
    x = ren__positions(graph, ren__class_token(graph, x, "vit.cls_token"), "vit.pos_embed");
    x = ren__dropout(graph, x, v.dropout);
    const ren__vit_block block = { v.width, v.heads, v.mlp_ratio, v.dropout, "attn.qkv", "attn.proj" };
    for (int64_t i = 0; i < v.layers; i++) {
        snprintf(prefix, sizeof prefix, "vit.blocks.%d.", (int)i);
        x = ren__vit_block_add(graph, x, prefix, &block);
    }
    /* Only the class token is read after the last norm, which is a row's own. */
    x = ren__slice(graph, x, (int64_t[]){ 0, 0, 0 }, (int64_t[]){ batch, 1, v.width });
    x = ren__layer_norm(graph, ren__reshape(graph, x, ren__shape_of(2, (int64_t[]){ batch, v.width })), "vit.norm");
    ren__graph_output(graph, "features", x);
    ren__graph_output(graph, "logits", ren__linear_truncated(graph, x, "vit.head", v.classes, 0));
    return ren__graph_status(graph);
}

const ren__net ren__vit_net = {
    .name = "vit",
    .build = build,
    .training = "{\"epochs\": 80, \"batch\": 2, \"optimiser\": \"adamw\", \"lr\": 5e-5, \"weight_decay\": 1e-3,"
                " \"schedule\": {\"kind\": \"cosine\", \"t_max\": 50, \"min_lr\": 1e-6}, \"smoothing\": 0.2,"
                " \"dropout\": 0.2, \"clip\": 1.0,"
                " \"early_stopping\": {\"patience\": 15, \"min_delta\": 0.001, \"from_epoch\": 16, \"max_gap\": 0.15},"
                " \"augmentation\": {\"rotation\": 0.05, \"noise\": 0.005, \"shift\": 3, \"scale\": 0.05,"
                " \"probabilities\": [0.2, 0.1, 0.1]}}",
};
