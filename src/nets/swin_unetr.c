/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SwinUNETR (Hatamizadeh et al. 2022): a Swin transformer whose five resolutions feed the decoder of a residual U-Net.
 * Parameter names are MONAI's. As an expert or baseline of REN: global average pool and a linear layer.
 */
#include "nets/swin_unetr.h"

#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "graph/op.h"
#include "nets/swin.h"

enum { STAGES = 4, MULTIPLE = 32 };

ren__swin_unetr ren__swin_unetr_defaults(void) {
    return (ren__swin_unetr){
        .feature_size = 48, .depths = { 2, 2, 2, 2 }, .heads = { 3, 6, 12, 24 }, .window = { 7, 7, 7 }
    };
}

static ren_status read_stages(const json_t *config, const char *key, const char *where, int64_t values[STAGES]) {
    const json_t *list = json_object_get(config, key);
    if (!list) return REN_OK;
    if (!json_is_array(list) || json_array_size(list) != STAGES)
        return ren__error(REN_E_INVALID, "%s: %s is no list of %d numbers", where, key, (int)STAGES);
    for (size_t i = 0; i < STAGES; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_integer(item) || json_integer_value(item) < 1 || json_integer_value(item) > 64)
            return ren__error(REN_E_INVALID, "%s: %s holds whole numbers from 1 to 64", where, key);
        values[i] = (int64_t)json_integer_value(item);
    }
    return REN_OK;
}

ren_status ren__swin_unetr_config(const json_t *config, const char *where, ren__swin_unetr *options) {
    const char *merging = options->repeats_cells ? "monai-1.4" : "monai-1.5";
    ren_status st = ren__get_integer(config, "feature_size", where, 1, 1024, &options->feature_size);
    if (st == REN_OK) st = ren__get_integer(config, "out_channels", where, 1, 4096, &options->out_channels);
    if (st == REN_OK) st = read_stages(config, "depths", where, options->depths);
    if (st == REN_OK) st = read_stages(config, "num_heads", where, options->heads);
    if (st == REN_OK) st = ren__net_sizes(config, "window_size", options->window);
    if (st == REN_OK) st = ren__get_string(config, "patch_merging", where, &merging);
    if (st == REN_OK) st = ren__get_number(config, "dropout", where, &options->dropout);
    if (st != REN_OK) return st;
    options->repeats_cells = strcmp(merging, "monai-1.4") == 0;
    if (!options->repeats_cells && strcmp(merging, "monai-1.5") != 0)
        return ren__error(REN_E_INVALID,
                          "%s: patch_merging is \"monai-1.5\" or, for checkpoints of older versions, "
                          "\"monai-1.4\", not \"%.32s\"",
                          where, merging);
    return REN_OK;
}

/* ---- the transformer ---- */

static ren__value swin_block(ren__graph *graph, ren__value x, const char *prefix, const ren__swin_unetr *options,
                             int64_t heads, int shifted) {
    char name[REN__NET_NAME];
    const int64_t channels = ren__graph_shape(graph, x)->dim[4];
    const ren__swin windows = {
        heads, { options->window[0], options->window[1], options->window[2] }, shifted, options->dropout
    };
    ren__value y =
        ren__swin_attention(graph, ren__layer_norm(graph, x, ren__net_name(name, prefix, "norm1")), prefix, &windows);
    x = ren__add(graph, x, y);
    y = ren__layer_norm(graph, x, ren__net_name(name, prefix, "norm2"));
    y = ren__activate(
        graph, ren__linear_truncated(graph, y, ren__net_name(name, prefix, "mlp.linear1"), 4 * channels, 0), REN__GELU);
    y = ren__linear_truncated(graph, ren__dropout(graph, y, options->dropout),
                              ren__net_name(name, prefix, "mlp.linear2"), channels, 0);
    return ren__add(graph, x, ren__dropout(graph, y, options->dropout));
}

static ren__value downsample(ren__graph *graph, ren__value x, const char *prefix, const ren__swin_unetr *options) {
    static const uint8_t cells[2][REN__MERGE_CELLS] = { { 0, 4, 2, 1, 6, 5, 3, 7 }, { 0, 4, 2, 1, 5, 2, 1, 7 } };
    return ren__swin_merge(graph, x, prefix, cells[options->repeats_cells], REN__MERGE_CELLS);
}

/* The map after the patch embedding and after each stage, normalised. */
static void transformer(ren__graph *graph, ren__value x, const char *prefix, const ren__swin_unetr *options,
                        ren__value hidden[STAGES + 1]) {
    char name[REN__NET_NAME];
    const ren__conv_options embed = { .channels = options->feature_size, .kernel = { 2, 2, 2 }, .stride = { 2, 2, 2 } };
    x = ren__dropout(graph, ren__conv(graph, x, ren__net_name(name, prefix, "swinViT.patch_embed.proj"), &embed),
                     options->dropout);
    hidden[0] = ren__layer_norm(graph, x, NULL);
    for (int stage = 0; stage < STAGES; stage++) {
        for (int i = 0; i < (int)options->depths[stage]; i++) {
            snprintf(name, sizeof name, "%.64sswinViT.layers%d.0.blocks.%d.", prefix, stage + 1, i);
            x = swin_block(graph, x, name, options, options->heads[stage], i % 2);
        }
        snprintf(name, sizeof name, "%.64sswinViT.layers%d.0.downsample.", prefix, stage + 1);
        x = downsample(graph, x, name, options);
        hidden[stage + 1] = ren__layer_norm(graph, x, NULL);
    }
}

/* ---- the U-Net ---- */

static ren__value conv(ren__graph *graph, ren__value x, const char *prefix, const char *name, int64_t channels,
                       int64_t kernel) {
    char full[REN__NET_NAME];
    const ren__conv_options options = { .channels = channels,
                                        .kernel = { kernel, kernel, kernel },
                                        .pad = { kernel / 2, kernel / 2, kernel / 2 },
                                        .no_bias = 1 };
    snprintf(full, sizeof full, "%.96s%.16s.conv", prefix, name);
    return ren__instance_norm(graph, ren__conv(graph, x, full, &options));
}

static ren__value residual(ren__graph *graph, ren__value x, const char *prefix, int64_t channels) {
    ren__value y = ren__activate(graph, conv(graph, x, prefix, "conv1", channels, 3), REN__LEAKY_RELU);
    y = conv(graph, y, prefix, "conv2", channels, 3);
    if (ren__graph_shape(graph, x)->dim[4] != channels) x = conv(graph, x, prefix, "conv3", channels, 1);
    return ren__activate(graph, ren__add(graph, y, x), REN__LEAKY_RELU);
}

static ren__value encoder(ren__graph *graph, ren__value x, const char *prefix, int number, int64_t channels) {
    char name[REN__NET_NAME];
    snprintf(name, sizeof name, "%.64sencoder%d.layer.", prefix, number);
    return residual(graph, x, name, channels);
}

static ren__value decoder(ren__graph *graph, ren__value x, ren__value skip, const char *prefix, int number,
                          int64_t channels) {
    char name[REN__NET_NAME];
    const int64_t twice[3] = { 2, 2, 2 };
    snprintf(name, sizeof name, "%.64sdecoder%d.transp_conv.conv", prefix, number);
    const ren__value parts[2] = { ren__conv_transpose(graph, x, name, channels, twice, 1), skip };
    snprintf(name, sizeof name, "%.64sdecoder%d.conv_block.", prefix, number);
    return residual(graph, ren__concat(graph, parts, 2, 4), name, channels);
}

ren__value ren__swin_unetr_features(ren__graph *graph, ren__value x, const char *prefix,
                                    const ren__swin_unetr *options) {
    const int64_t f = options->feature_size;
    ren__value hidden[STAGES + 1];
    for (int i = 1; i < 4; i++)
        if (ren__graph_shape(graph, x)->dim[i] % MULTIPLE)
            return ren__graph_fail(graph, REN_E_INVALID, "swin_unetr: an input axis of %lld is no multiple of %d",
                                   (long long)ren__graph_shape(graph, x)->dim[i], (int)MULTIPLE);
    transformer(graph, x, prefix, options, hidden);
    ren__value y = decoder(graph, encoder(graph, hidden[4], prefix, 10, 16 * f), hidden[3], prefix, 5, 8 * f);
    y = decoder(graph, y, encoder(graph, hidden[2], prefix, 4, 4 * f), prefix, 4, 4 * f);
    y = decoder(graph, y, encoder(graph, hidden[1], prefix, 3, 2 * f), prefix, 3, 2 * f);
    y = decoder(graph, y, encoder(graph, hidden[0], prefix, 2, f), prefix, 2, f);
    return decoder(graph, y, encoder(graph, x, prefix, 1, f), prefix, 1, f);
}

ren__value ren__swin_unetr_out(ren__graph *graph, ren__value x, const char *prefix, const ren__swin_unetr *options) {
    char name[REN__NET_NAME];
    const int32_t rank = ren__graph_shape(graph, x)->rank;
    const ren__conv_options point = { .channels = options->out_channels, .kernel = { 1, 1, 1 } };
    ren__net_name(name, prefix, "out.conv.conv");
    if (rank != 2) return ren__conv(graph, x, name, &point);
    const int64_t batch = ren__graph_shape(graph, x)->dim[0];
    x = ren__reshape(graph, x, ren__shape_of(5, (int64_t[]){ batch, 1, 1, 1, options->feature_size }));
    return ren__reshape(graph, ren__conv(graph, x, name, &point),
                        ren__shape_of(2, (int64_t[]){ batch, options->out_channels }));
}

/* With `out_channels` and no `classes` a map "y" is the output, as published; else features and logits. */
static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    static const char *const known[] = { "input_size", "in_channels", "feature_size",  "out_channels", "depths",
                                         "num_heads",  "window_size", "patch_merging", "dropout",      "classes",
                                         NULL };
    ren__swin_unetr options = ren__swin_unetr_defaults();
    int64_t size[3], channels = 1, classes = 2;
    ren_status st = ren__net_input_size(config, size);
    if (st == REN_OK) st = ren__check_keys(config, "swin_unetr", known);
    if (st == REN_OK) st = ren__get_integer(config, "in_channels", "swin_unetr", 1, 16, &channels);
    if (st == REN_OK) st = ren__get_integer(config, "classes", "swin_unetr", 2, REN__MAX_CLASSES, &classes);
    if (st == REN_OK) st = ren__swin_unetr_config(config, "swin_unetr", &options);
    if (st != REN_OK) return st;
    const int is_map = options.out_channels > 0 && !json_object_get(config, "classes");
    if (!options.out_channels) options.out_channels = options.feature_size;
    ren__value x =
        ren__graph_input(graph, "x", ren__shape_of(5, (int64_t[]){ batch, size[0], size[1], size[2], channels }));
    x = ren__swin_unetr_features(graph, x, "", &options);
    if (is_map) {
        ren__graph_output(graph, "y", ren__swin_unetr_out(graph, x, "", &options));
        return ren__graph_status(graph);
    }
    x = ren__reshape(graph, ren__adaptive_average_pool(graph, x, 1),
                     ren__shape_of(2, (int64_t[]){ batch, options.feature_size }));
    x = ren__swin_unetr_out(graph, x, "", &options);
    ren__graph_output(graph, "features", x);
    ren__graph_output(graph, "logits", ren__linear(graph, x, "classifier", classes, 0));
    return ren__graph_status(graph);
}

const ren__net ren__swin_unetr_net = {
    .name = "swin_unetr",
    .build = build,
    .training = "{\"epochs\": 50, \"batch\": 1, \"optimiser\": \"adamw\", \"lr\": 1e-4, \"weight_decay\": 1e-5,"
                " \"schedule\": {\"kind\": \"cosine\", \"t_max\": 50, \"min_lr\": 1e-6}, \"smoothing\": 0.0,"
                " \"dropout\": 0.0, \"clip\": 1.0,"
                " \"early_stopping\": {\"patience\": 10, \"min_delta\": 0.001, \"from_epoch\": 16, \"max_gap\": 0.15},"
                " \"augmentation\": {\"rotation\": 0.1, \"noise\": 0.01, \"shift\": 5, \"scale\": 0.1,"
                " \"probabilities\": [0.3, 0.2, 0.2]}}",
};
