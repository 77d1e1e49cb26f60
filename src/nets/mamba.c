/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `mamba` expert of REN (arXiv 2510.04923): patches of 8x8x8 and positions as in `vit`, blocks of
 * x + Mamba(LayerNorm(x)) in token order, the mean over all tokens, a head. Mamba is version 1 (Gu & Dao 2023), its
 * parameter names those of state-spaces/mamba.
 */
#include "nets/mamba.h"

#include <stdio.h>
#include <string.h>

#include "format/document.h"

ren_status ren__mamba_config(const json_t *config, const char *where, ren__mamba *options) {
    ren_status st = ren__get_integer(config, "d_model", where, 1, 4096, &options->d_model);
    if (st == REN_OK) st = ren__get_integer(config, "d_state", where, 1, 256, &options->d_state);
    if (st == REN_OK) st = ren__get_integer(config, "d_conv", where, 1, 64, &options->d_conv);
    if (st == REN_OK) st = ren__get_integer(config, "expand", where, 1, 16, &options->expand);
    return st;
}

/* Channels first ... first + count - 1 of a sequence. */
static ren__value channels(ren__graph *graph, ren__value x, int64_t first, int64_t count) {
    const ren__shape *shape = ren__graph_shape(graph, x);
    return ren__slice(graph, x, (int64_t[]){ 0, 0, first }, (int64_t[]){ shape->dim[0], shape->dim[1], count });
}

ren__value ren__mamba_layer(ren__graph *graph, ren__value x, const char *prefix, const ren__mamba *options) {
    const int64_t inner = options->expand * options->d_model, rank = (options->d_model + 15) / 16;
    const int64_t states = options->d_state;
    char name[REN__NET_NAME];
    const ren__value both = ren__linear_truncated(graph, x, ren__net_name(name, prefix, "in_proj"), 2 * inner, 1);
    ren__value u = channels(graph, both, 0, inner);
    u = ren__causal_conv(graph, u, ren__net_name(name, prefix, "conv1d"), options->d_conv);
    u = ren__activate(graph, u, REN__SILU);
    const ren__value steps =
        ren__linear_truncated(graph, u, ren__net_name(name, prefix, "x_proj"), rank + 2 * states, 1);
    /* The bias of dt_proj belongs to the scan, which adds it before the softplus. */
    const ren__value delta =
        ren__linear(graph, channels(graph, steps, 0, rank), ren__net_name(name, prefix, "dt_proj"), inner, 1);
    const ren__value inputs[5] = { u, delta, channels(graph, steps, rank, states),
                                   channels(graph, steps, rank + states, states), channels(graph, both, inner, inner) };
    snprintf(name, sizeof name, "%.*s", (int)strlen(prefix) - 1, prefix);
    const ren__value y = ren__selective_scan(graph, inputs, name);
    return ren__linear_truncated(graph, y, ren__net_name(name, prefix, "out_proj"), options->d_model, 1);
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    static const char *const known[] = { "input_size", "classes", "patch_size", "d_model", "n_layers",
                                         "d_state",    "d_conv",  "expand",     "dropout", NULL };
    ren__mamba options = { .d_model = 128, .d_state = 32, .d_conv = 4, .expand = 2 };
    int64_t size[3], patch[3] = { 8, 8, 8 }, classes = 2, layers = 3;
    double dropout = 0.2;
    char name[REN__NET_NAME];
    ren_status st = ren__net_input_size(config, size);
    if (st == REN_OK) st = ren__check_keys(config, "mamba", known);
    if (st == REN_OK) st = ren__net_sizes(config, "patch_size", patch);
    if (st == REN_OK) st = ren__get_integer(config, "classes", "mamba", 2, REN__MAX_CLASSES, &classes);
    if (st == REN_OK) st = ren__get_integer(config, "n_layers", "mamba", 1, 64, &layers);
    if (st == REN_OK) st = ren__get_number(config, "dropout", "mamba", &dropout);
    if (st == REN_OK) st = ren__mamba_config(config, "mamba", &options);
    if (st != REN_OK) return st;
    ren__value x = ren__graph_input(graph, "x", ren__shape_of(5, (int64_t[]){ batch, size[0], size[1], size[2], 1 }));
    x = ren__net_patches(graph, x, "mamba.patch_embed.proj", patch, options.d_model);
    x = ren__dropout(graph, ren__positions(graph, x, "mamba.pos_embed"), dropout);
    for (int64_t i = 0; i < layers; i++) {
        snprintf(name, sizeof name, "mamba.blocks.%d.norm", (int)i);
        ren__value y = ren__layer_norm(graph, x, name);
        snprintf(name, sizeof name, "mamba.blocks.%d.mamba.", (int)i);
        y = ren__mamba_layer(graph, y, name, &options);
        x = ren__add(graph, x, ren__dropout(graph, y, dropout));
    }
    x = ren__adaptive_average_pool(graph, ren__layer_norm(graph, x, "mamba.norm"), 1);
    x = ren__reshape(graph, x, ren__shape_of(2, (int64_t[]){ batch, options.d_model }));
    ren__graph_output(graph, "features", x);
    ren__graph_output(graph, "logits", ren__linear_truncated(graph, x, "mamba.head", classes, 0));
    return ren__graph_status(graph);
}

const ren__net ren__mamba_net = {
    .name = "mamba",
    .build = build,
    .training = "{\"epochs\": 80, \"batch\": 4, \"optimiser\": \"adamw\", \"lr\": 1e-4, \"weight_decay\": 1e-3,"
                " \"schedule\": {\"kind\": \"cosine\", \"t_max\": 50, \"min_lr\": 1e-6}, \"smoothing\": 0.2,"
                " \"dropout\": 0.2, \"clip\": 1.0,"
                " \"early_stopping\": {\"patience\": 15, \"min_delta\": 0.001, \"from_epoch\": 16, \"max_gap\": 0.15},"
                " \"augmentation\": {\"rotation\": 0.05, \"noise\": 0.005, \"shift\": 3, \"scale\": 0.05,"
                " \"probabilities\": [0.2, 0.1, 0.1]}}",
};
