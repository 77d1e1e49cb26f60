/* SPDX-License-Identifier: Apache-2.0 */
/*
 * REN's mixtures that are one network (arXiv 2510.04923): a backbone sees the whole image, an expert and an attention
 * see each region of it (x where the lobe label is the region's), and a gate weights the experts. `gating_mamba`,
 * `gating_vit`, `gating_swin_unetr` and `moe_swin_unetr` differ in backbone, sizes and names, which are the published
 * checkpoints'.
 */
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "graph/op.h"
#include "nets/mamba.h"
#include "nets/swin_unetr.h"
#include "nets/vit.h"

enum { LAYERS = 3, REGIONS = REN__NET_REGIONS };

typedef struct gating {
    int64_t size[3], classes, experts, features; /* of an expert */
    int32_t mode;
    double temperature, dropout;
    ren__mamba mamba;
    struct {
        int64_t patch[3], width, depth, heads;
        double mlp_ratio;
    } vit;
    ren__swin_unetr swin;
} gating;

/* What one of the four is. */
typedef struct variant {
    const char *name;
    ren__value (*backbone)(ren__graph *graph, ren__value x, const gating *g);
    int64_t channels[LAYERS]; /* of an expert's extractor; 0: expert_feature_dim */
    const char *extractor;    /* "expert_extractors.%d" and this: ".extractor." or "." */
    const char *attention;    /* the same of "region_attention.%d" */
    const char *base, *logits;
} variant;

/* ---- backbones ---- */

/* Convolutions of stride 2, each with instance norm and ReLU; `prefix` ends with a point and 0, 3, 6 follow. */
static ren__value extractor(ren__graph *graph, ren__value x, const char *prefix, const int64_t channels[LAYERS]) {
    char name[REN__NET_NAME];
    for (int i = 0; i < LAYERS; i++) {
        const ren__conv_options options = {
            .channels = channels[i], .kernel = { 3, 3, 3 }, .stride = { 2, 2, 2 }, .pad = { 1, 1, 1 }
        };
        snprintf(name, sizeof name, "%.96s%d", prefix, 3 * i);
        x = ren__activate(graph, ren__instance_norm(graph, ren__conv(graph, x, name, &options)), REN__RELU);
    }
    return x;
}

static ren__value as_rows(ren__graph *graph, ren__value x) {
    const ren__shape *shape = ren__graph_shape(graph, x);
    const int64_t batch = shape->rank ? shape->dim[0] : 1;
    return ren__reshape(graph, x, ren__shape_of(2, (int64_t[]){ batch, ren__shape_elements(shape) / batch }));
}

static ren__value global_average(ren__graph *graph, ren__value x) {
    return as_rows(graph, ren__adaptive_average_pool(graph, x, 1));
}

static ren__value mamba_backbone(ren__graph *graph, ren__value x, const gating *g) {
    static const int64_t channels[LAYERS] = { 32, 64, 128 };
    x = ren__adaptive_average_pool(graph, extractor(graph, x, "feature_extractor.", channels), 4);
    x = ren__linear(graph, ren__flatten(graph, x), "feature_projection", g->mamba.d_model, 0);
    const int64_t batch = ren__graph_shape(graph, x)->dim[0];
    x = ren__reshape(graph, x, ren__shape_of(3, (int64_t[]){ batch, 1, g->mamba.d_model })); /* one token */
    return as_rows(graph, ren__mamba_layer(graph, x, "mamba_backbone.", &g->mamba));
}

static ren__value vit_backbone(ren__graph *graph, ren__value x, const gating *g) {
    x = ren__net_patches(graph, x, "vit_backbone.patch_embedding.projection", g->vit.patch, g->vit.width);
    x = ren__positions(graph, ren__class_token(graph, x, "vit_backbone.cls_token"), "vit_backbone.pos_embedding");
    x = ren__dropout(graph, x, g->dropout);
    const ren__vit_block block = { g->vit.width, g->vit.heads,    g->vit.mlp_ratio,
                                   g->dropout,   "attention.qkv", "attention.projection" };
    char prefix[REN__NET_NAME];
    for (int64_t i = 0; i < g->vit.depth; i++) {
        snprintf(prefix, sizeof prefix, "vit_backbone.transformer_blocks.%d.", (int)i);
        x = ren__vit_block_add(graph, x, prefix, &block);
    }
    const int64_t batch = ren__graph_shape(graph, x)->dim[0];
    x = ren__slice(graph, x, (int64_t[]){ 0, 0, 0 }, (int64_t[]){ batch, 1, g->vit.width });
    return ren__layer_norm(graph, as_rows(graph, x), "vit_backbone.norm");
}

/* The head's convolution comes after the average, which commutes. */
static ren__value swin_backbone(ren__graph *graph, ren__value x, const gating *g) {
    x = global_average(graph, ren__swin_unetr_features(graph, x, "swin_backbone.", &g->swin));
    return ren__swin_unetr_out(graph, x, "swin_backbone.", &g->swin);
}

/* ---- experts, gate, classifier ---- */

static ren__value attention(ren__graph *graph, ren__value x, const variant *v, int64_t region) {
    char prefix[REN__NET_NAME], name[REN__NET_NAME];
    ren__conv_options options = { .channels = 16, .kernel = { 3, 3, 3 }, .pad = { 1, 1, 1 } };
    snprintf(prefix, sizeof prefix, "region_attention.%d%s", (int)region, v->attention);
    x = ren__conv(graph, x, ren__net_name(name, prefix, "0"), &options);
    x = ren__activate(graph, ren__instance_norm(graph, x), REN__RELU);
    options.channels = 8;
    x = ren__conv(graph, x, ren__net_name(name, prefix, "3"), &options);
    x = ren__activate(graph, ren__instance_norm(graph, x), REN__RELU);
    x = ren__flatten(graph, ren__adaptive_average_pool(graph, x, 8));
    x = ren__activate(graph, ren__linear(graph, x, ren__net_name(name, prefix, "8"), 32, 0), REN__RELU);
    return ren__activate(graph, ren__linear(graph, x, ren__net_name(name, prefix, "10"), 1, 0), REN__SIGMOID);
}

/* Features N, E, F and attentions N, E of all regions. */
static void experts(ren__graph *graph, ren__value x, ren__value lobes, const gating *g, const variant *v,
                    ren__value *features, ren__value *attentions) {
    ren__value feature[REGIONS], weight[REGIONS];
    int64_t channels[LAYERS];
    char prefix[REN__NET_NAME];
    for (int i = 0; i < LAYERS; i++)
        channels[i] = v->channels[i] ? v->channels[i] : g->features;
    const int64_t batch = ren__graph_shape(graph, x)->dim[0];
    for (int64_t region = 0; region < g->experts; region++) {
        const ren__value seen = ren__select_labels(graph, x, lobes, ren__net_region_labels[region]);
        snprintf(prefix, sizeof prefix, "expert_extractors.%d%s", (int)region, v->extractor);
        const ren__value y = global_average(graph, extractor(graph, seen, prefix, channels));
        feature[region] = ren__reshape(graph, y, ren__shape_of(3, (int64_t[]){ batch, 1, channels[LAYERS - 1] }));
        weight[region] = attention(graph, seen, v, region);
    }
    *features = ren__concat(graph, feature, (int32_t)g->experts, 1);
    *attentions = ren__concat(graph, weight, (int32_t)g->experts, 1);
}

static ren__value dense(ren__graph *graph, ren__value x, const char *name, int64_t features, double dropout) {
    x = ren__activate(graph, ren__linear(graph, x, name, features, 0), REN__RELU);
    return ren__dropout(graph, x, dropout);
}

static ren__value weigh(ren__graph *graph, ren__value backbone, ren__value attentions, const gating *g,
                        const variant *v) {
    const ren__gate_options options = { g->mode, g->temperature, v->base, v->logits };
    ren__value predicted = REN__NONE;
    if (g->mode == REN__GATE_DYNAMIC) {
        predicted = dense(graph, backbone, "weight_predictor.0", 128, g->dropout);
        predicted = dense(graph, predicted, "weight_predictor.3", 64, g->dropout);
        predicted = ren__linear(graph, predicted, "weight_predictor.6", g->experts, 0);
    }
    return ren__expert_weights(graph, attentions, predicted, &options);
}

static void describe(ren__graph *graph, const gating *g, const variant *v, int64_t batch) {
    const ren__shape volume = ren__shape_of(5, (int64_t[]){ batch, g->size[0], g->size[1], g->size[2], 1 });
    const ren__value x = ren__graph_input(graph, "x", volume), lobes = ren__graph_input(graph, "lobes", volume);
    ren__value features = REN__NONE, attentions = REN__NONE;
    const ren__value backbone = v->backbone(graph, x, g);
    experts(graph, x, lobes, g, v, &features, &attentions);
    const ren__value weights = weigh(graph, backbone, attentions, g, v);
    const ren__value parts[2] = { backbone, ren__mix(graph, weights, features) };
    ren__graph_output(graph, "backbone_features", backbone);
    ren__graph_output(graph, "expert_features", features);
    ren__graph_output(graph, "expert_attentions", attentions);
    ren__graph_output(graph, "combined_weights", weights);
    ren__value y = dense(graph, ren__concat(graph, parts, 2, 1), "feature_fusion.0", 512, g->dropout);
    y = dense(graph, y, "feature_fusion.3", 256, g->dropout);
    ren__graph_output(graph, "features", y);
    y = dense(graph, y, "classifier.0", 128, g->dropout);
    ren__graph_output(graph, "logits", ren__linear(graph, y, "classifier.3", g->classes, 0));
}

/* ---- configuration ---- */

static ren_status read_mode(const json_t *config, const char *where, gating *g) {
    static const char *const names[] = { "fixed", "learned", "dynamic" };
    const char *mode = names[g->mode];
    const ren_status st = ren__get_string(config, "weight_mode", where, &mode);
    if (st != REN_OK) return st;
    for (int32_t i = 0; i < 3; i++)
        if (strcmp(mode, names[i]) == 0) {
            g->mode = i;
            return REN_OK;
        }
    return ren__error(REN_E_INVALID, "%s: weight_mode is fixed, learned or dynamic, not %.32s", where, mode);
}

static ren_status read_config(const json_t *config, const char *where, gating *g) {
    ren_status st = ren__net_input_size(config, g->size);
    if (st == REN_OK) st = ren__get_integer(config, "classes", where, 2, REN__MAX_CLASSES, &g->classes);
    if (st == REN_OK) st = ren__get_integer(config, "n_experts", where, 5, REGIONS, &g->experts);
    if (st == REN_OK) st = ren__get_integer(config, "expert_feature_dim", where, 1, 4096, &g->features);
    if (st == REN_OK) st = ren__get_number(config, "temperature", where, &g->temperature);
    if (st == REN_OK) st = ren__get_number(config, "dropout", where, &g->dropout);
    if (st == REN_OK) st = read_mode(config, where, g);
    if (st == REN_OK && g->experts == 6) st = ren__error(REN_E_INVALID, "%s: n_experts is 5 (lobes) or 7", where);
    return st;
}

static gating defaults(void) {
    gating g = { .classes = 2,
                 .experts = 5,
                 .features = 128,
                 .mode = REN__GATE_LEARNED,
                 .temperature = 1.0,
                 .dropout = 0.3,
                 .mamba = { .d_model = 256, .d_state = 16, .d_conv = 4, .expand = 2 },
                 .swin = ren__swin_unetr_defaults() };
    for (int i = 0; i < 3; i++)
        g.vit.patch[i] = 12;
    g.vit.width = 256;
    g.vit.depth = 6;
    g.vit.heads = 8;
    g.vit.mlp_ratio = 4;
    return g;
}

#define COMMON_KEYS "input_size", "classes", "n_experts", "expert_feature_dim", "temperature", "dropout", "weight_mode"

static ren_status build_mamba(ren__graph *graph, const json_t *config, int64_t batch) {
    static const variant v = { "gating_mamba", mamba_backbone,   { 32, 64, 0 },       ".extractor.",
                               ".attention.",  "gating_weights", "weight_adjustments" };
    static const char *const known[] = { COMMON_KEYS, "d_model", "d_state", "d_conv", "expand", NULL };
    gating g = defaults();
    ren_status st = ren__check_keys(config, v.name, known);
    if (st == REN_OK) st = read_config(config, v.name, &g);
    if (st == REN_OK) st = ren__mamba_config(config, v.name, &g.mamba);
    if (st != REN_OK) return st;
    describe(graph, &g, &v, batch);
    return ren__graph_status(graph);
}

static ren_status build_vit(ren__graph *graph, const json_t *config, int64_t batch) {
    static const variant v = { "gating_vit",  vit_backbone,     { 32, 64, 0 },       ".extractor.",
                               ".attention.", "gating_weights", "weight_adjustments" };
    static const char *const known[] = { COMMON_KEYS, "patch_size", "embed_dim", "n_layers",
                                         "n_heads",   "mlp_ratio",  NULL };
    gating g = defaults();
    ren_status st = ren__check_keys(config, v.name, known);
    if (st == REN_OK) st = read_config(config, v.name, &g);
    if (st == REN_OK) st = ren__net_sizes(config, "patch_size", g.vit.patch);
    if (st == REN_OK) st = ren__get_integer(config, "embed_dim", v.name, 1, 4096, &g.vit.width);
    if (st == REN_OK) st = ren__get_integer(config, "n_layers", v.name, 1, 64, &g.vit.depth);
    if (st == REN_OK) st = ren__get_integer(config, "n_heads", v.name, 1, 64, &g.vit.heads);
    if (st == REN_OK) st = ren__get_number(config, "mlp_ratio", v.name, &g.vit.mlp_ratio);
    if (st == REN_OK && !(g.vit.mlp_ratio > 0 && g.vit.mlp_ratio <= 64))
        st = ren__error(REN_E_INVALID, "%s: mlp_ratio must lie in (0, 64]", v.name);
    if (st != REN_OK) return st;
    describe(graph, &g, &v, batch);
    return ren__graph_status(graph);
}

/* The backbone gives 8 x feature_size channels. */
static ren_status build_swin(ren__graph *graph, const json_t *config, int64_t batch, const variant *v) {
    static const char *const known[] = { COMMON_KEYS,   "feature_size",  "depths", "num_heads",
                                         "window_size", "patch_merging", NULL };
    gating g = defaults();
    ren_status st = ren__check_keys(config, v->name, known);
    if (st == REN_OK) st = read_config(config, v->name, &g);
    if (st == REN_OK) st = ren__swin_unetr_config(config, v->name, &g.swin);
    if (st != REN_OK) return st;
    g.swin.dropout = 0; /* the rate is that of the mixture's own layers */
    g.swin.out_channels = 8 * g.swin.feature_size;
    describe(graph, &g, v, batch);
    return ren__graph_status(graph);
}

static ren_status build_gating_swin(ren__graph *graph, const json_t *config, int64_t batch) {
    static const variant v = { "gating_swin_unetr", swin_backbone,    { 32, 64, 0 },       ".extractor.",
                               ".attention.",       "gating_weights", "weight_adjustments" };
    return build_swin(graph, config, batch, &v);
}

static ren_status build_moe_swin(ren__graph *graph, const json_t *config, int64_t batch) {
    static const variant v = { "moe_swin_unetr", swin_backbone,  { 16, 32, 64 }, ".", ".",
                               "base_weights",   "weight_logits" };
    return build_swin(graph, config, batch, &v);
}

/* The gating networks' cross-entropy is plain: no class weighs more. */
#define TRAINING(decay, class_weights, regulariser)                                                                    \
    "{\"epochs\": 50, \"batch\": 2, \"optimiser\": \"adamw\", \"lr\": 1e-4, \"backbone_lr\": 0.1,"                     \
    " \"weight_decay\": " decay ", \"class_weights\": \"" class_weights "\", \"regulariser\": {" regulariser "},"      \
    " \"schedule\": {\"kind\": \"cosine\", \"t_max\": 50, \"min_lr\": 1e-6}, \"smoothing\": 0.0,"                      \
    " \"dropout\": 0.3, \"clip\": 1.0,"                                                                                \
    " \"early_stopping\": {\"patience\": 10, \"min_delta\": 0.001, \"from_epoch\": 1, \"max_gap\": 0.15},"             \
    " \"augmentation\": {\"rotation\": 0.1, \"noise\": 0.01, \"shift\": 5, \"scale\": 0.1,"                            \
    " \"probabilities\": [0.3, 0.2, 0.2]}}"

#define GATING_TRAINING                                                                                                \
    TRAINING("1e-2", "none", "\"kind\": \"balance\", \"weight\": 0.005, \"diversity\": 0.01, \"gating\": 0.005")
#define MOE_TRAINING TRAINING("1e-5", "balanced", "\"kind\": \"entropy\", \"weight\": 0.01, \"diversity\": 0.01")

static const char *const mamba_parts[] = { "feature_extractor.", "feature_projection.", "mamba_backbone.", NULL };
static const char *const vit_parts[] = { "vit_backbone.", NULL };
static const char *const swin_parts[] = { "swin_backbone.", NULL };

const ren__net ren__gating_mamba_net = { "gating_mamba", build_mamba, GATING_TRAINING, "gating_weights", mamba_parts };
const ren__net ren__gating_vit_net = { "gating_vit", build_vit, GATING_TRAINING, "gating_weights", vit_parts };
const ren__net ren__gating_swin_unetr_net = { "gating_swin_unetr", build_gating_swin, GATING_TRAINING, "gating_weights",
                                              swin_parts };
const ren__net ren__moe_swin_unetr_net = { "moe_swin_unetr", build_moe_swin, MOE_TRAINING, "base_weights", swin_parts };
