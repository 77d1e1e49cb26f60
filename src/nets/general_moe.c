/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of REN's general mixture (arXiv 2510.04923): experts' features (N, E, F) meet a gating network and a fusion
 * layer, y = sum of g_e f_e + ReLU(LayerNorm(Linear(concat f))), then a classifier. Parameter names are the published
 * checkpoint's. It is trained on the features of experts that were trained before.
 */
#include "nets/general_moe.h"

#include "format/document.h"

static ren__value layer(ren__graph *graph, ren__value x, const char *name, int64_t features, double dropout) {
    x = ren__activate(graph, ren__linear(graph, x, name, features, 0), REN__RELU);
    return ren__dropout(graph, x, dropout);
}

void ren__general_moe_head(ren__graph *graph, ren__value x, const ren__general_moe *o) {
    const int64_t batch = ren__graph_shape(graph, x)->dim[0];
    const ren__value row = ren__reshape(graph, x, ren__shape_of(2, (int64_t[]){ batch, o->experts * o->features }));
    ren__value gates = layer(graph, row, "gating_network.0", 128, o->dropout);
    gates = layer(graph, gates, "gating_network.3", 64, o->dropout);
    gates = ren__softmax(graph, ren__linear(graph, gates, "gating_network.6", o->experts, 0));
    ren__graph_output(graph, "gates", gates);
    ren__value fused = ren__linear(graph, row, "fusion_layer.0", o->features, 0);
    fused = ren__activate(graph, ren__layer_norm(graph, fused, "fusion_layer.1"), REN__RELU);
    ren__value y = ren__add(graph, ren__mix(graph, gates, x), ren__dropout(graph, fused, o->dropout));
    y = ren__layer_norm(graph, ren__linear(graph, y, "final_classifier.0", 128, 0), "final_classifier.1");
    y = ren__dropout(graph, ren__activate(graph, y, REN__RELU), o->dropout);
    y = layer(graph, y, "final_classifier.4", 64, o->dropout);
    ren__graph_output(graph, "features", y);
    ren__graph_output(graph, "logits", ren__linear(graph, y, "final_classifier.7", o->classes, 0));
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    static const char *const known[] = { "n_experts", "feature_size", "num_classes", "classes", "dropout", NULL };
    static const char where[] = "general_moe_head";
    ren__general_moe o = { .experts = 7, .features = 64, .classes = 2, .dropout = 0.3 };
    ren_status st = ren__check_keys(config, where, known);
    if (st == REN_OK) st = ren__get_integer(config, "n_experts", where, 1, REN__MAX_EXPERTS, &o.experts);
    if (st == REN_OK) st = ren__get_integer(config, "feature_size", where, 1, 65536, &o.features);
    if (st == REN_OK) st = ren__get_integer(config, "num_classes", where, 2, REN__MAX_CLASSES, &o.classes);
    if (st == REN_OK) st = ren__get_integer(config, "classes", where, 2, REN__MAX_CLASSES, &o.classes);
    if (st == REN_OK) st = ren__get_number(config, "dropout", where, &o.dropout);
    if (st != REN_OK) return st;
    const ren__shape shape = ren__shape_of(3, (int64_t[]){ batch, o.experts, o.features });
    ren__general_moe_head(graph, ren__graph_input(graph, "expert_features", shape), &o);
    return ren__graph_status(graph);
}

const ren__net ren__general_moe_net = {
    .name = "general_moe_head",
    .build = build,
    .training = REN__GENERAL_MOE_TRAINING,
};
