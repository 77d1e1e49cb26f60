/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of REN's general mixture (arXiv 2510.04923): experts' features (N, E, F) meet a gating network and a fusion
 * layer, y = sum of g_e f_e + ReLU(LayerNorm(Linear(concat f))), then a classifier. Parameter names are the published
 * checkpoint's. It is trained on the features of experts that were trained before.
 */
#include "format/document.h"
#include "nets/nets.h"

static ren__value layer(ren__graph *graph, ren__value x, const char *name, int64_t features, double dropout) {
    x = ren__activate(graph, ren__linear(graph, x, name, features, 0), REN__RELU);
    return ren__dropout(graph, x, dropout);
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    static const char *const known[] = { "n_experts", "feature_size", "num_classes", "classes", "dropout", NULL };
    int64_t experts = 7, features = 64, classes = 2;
    double dropout = 0.3;
    ren_status st = ren__check_keys(config, "general_moe_head", known);
    if (st == REN_OK) st = ren__get_integer(config, "n_experts", "general_moe_head", 1, REN__MAX_EXPERTS, &experts);
    if (st == REN_OK) st = ren__get_integer(config, "feature_size", "general_moe_head", 1, 65536, &features);
    if (st == REN_OK) st = ren__get_integer(config, "num_classes", "general_moe_head", 2, REN__MAX_CLASSES, &classes);
    if (st == REN_OK) st = ren__get_integer(config, "classes", "general_moe_head", 2, REN__MAX_CLASSES, &classes);
    if (st == REN_OK) st = ren__get_number(config, "dropout", "general_moe_head", &dropout);
    if (st != REN_OK) return st;
    const ren__value x =
        ren__graph_input(graph, "expert_features", ren__shape_of(3, (int64_t[]){ batch, experts, features }));
    const ren__value row = ren__reshape(graph, x, ren__shape_of(2, (int64_t[]){ batch, experts * features }));
    ren__value gates = layer(graph, row, "gating_network.0", 128, dropout);
    gates = layer(graph, gates, "gating_network.3", 64, dropout);
    gates = ren__softmax(graph, ren__linear(graph, gates, "gating_network.6", experts, 0));
    ren__graph_output(graph, "gates", gates);
    ren__value fused = ren__linear(graph, row, "fusion_layer.0", features, 0);
    fused = ren__activate(graph, ren__layer_norm(graph, fused, "fusion_layer.1"), REN__RELU);
    ren__value y = ren__add(graph, ren__mix(graph, gates, x), ren__dropout(graph, fused, dropout));
    y = ren__layer_norm(graph, ren__linear(graph, y, "final_classifier.0", 128, 0), "final_classifier.1");
    y = ren__dropout(graph, ren__activate(graph, y, REN__RELU), dropout);
    y = layer(graph, y, "final_classifier.4", 64, dropout);
    ren__graph_output(graph, "logits", ren__linear(graph, y, "final_classifier.7", classes, 0));
    return ren__graph_status(graph);
}

const ren__net ren__general_moe_net = {
    .name = "general_moe_head",
    .build = build,
    .training = "{\"epochs\": 50, \"batch\": 16, \"optimiser\": \"adamw\", \"lr\": 1e-4, \"weight_decay\": 1e-5,"
                " \"schedule\": {\"kind\": \"cosine\", \"t_max\": 50, \"min_lr\": 1e-6}, \"smoothing\": 0.0,"
                " \"dropout\": 0.3, \"clip\": 1.0,"
                " \"early_stopping\": {\"patience\": 10, \"min_delta\": 0.001, \"from_epoch\": 1, \"max_gap\": 0.15},"
                " \"augmentation\": false}",
};
