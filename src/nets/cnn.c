/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `cnn` expert of REN (arXiv 2510.04923): three blocks of conv 3x3x3, batch-norm, ReLU, max-pooling and channel
 * dropout, then three linear layers. Parameter names are the published checkpoint's.
 */
#include <stdio.h>

#include "format/document.h"
#include "nets/nets.h"

enum { BLOCKS = 3, HIDDEN = 256, FEATURES = 64 };
static const int64_t channels[BLOCKS] = { 24, 48, 96 };

static ren__value block(ren__graph *graph, ren__value x, int index, double dropout) {
    char conv[16], norm[16];
    snprintf(conv, sizeof conv, "conv%d", index + 1);
    snprintf(norm, sizeof norm, "bn%d", index + 1);
    const ren__conv_options options = { .channels = channels[index], .kernel = { 3, 3, 3 }, .pad = { 1, 1, 1 } };
    x = ren__conv(graph, x, conv, &options);
    x = ren__activate(graph, ren__batch_norm(graph, x, norm), REN__RELU);
    return ren__channel_dropout(graph, ren__max_pool(graph, x, 2, 2), dropout);
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    static const char *const known[] = { "input_size", "classes", "dropout", NULL };
    int64_t size[3], classes = 2;
    double dropout = 0.5;
    ren_status st = ren__net_input_size(config, size);
    if (st == REN_OK) st = ren__check_keys(config, "cnn", known);
    if (st == REN_OK) st = ren__get_integer(config, "classes", "cnn", 2, REN__MAX_CLASSES, &classes);
    if (st == REN_OK) st = ren__get_number(config, "dropout", "cnn", &dropout);
    if (st != REN_OK) return st;
    ren__value x = ren__graph_input(graph, "x", ren__shape_of(5, (int64_t[]){ batch, size[0], size[1], size[2], 1 }));
    for (int i = 0; i < BLOCKS; i++)
        x = block(graph, x, i, dropout);
    x = ren__linear(graph, ren__flatten(graph, x), "fc1", HIDDEN, 0);
    x = ren__dropout(graph, ren__activate(graph, ren__batch_norm(graph, x, "bn_fc1"), REN__RELU), dropout);
    x = ren__linear(graph, x, "fc2", FEATURES, 0);
    x = ren__activate(graph, ren__batch_norm(graph, x, "bn_fc2"), REN__RELU);
    ren__graph_output(graph, "features", x);
    x = ren__linear(graph, ren__dropout(graph, x, dropout), "output", classes, 0);
    ren__graph_output(graph, "logits", x);
    return ren__graph_status(graph);
}

const ren__net ren__cnn_net = {
    .name = "cnn",
    .build = build,
    .training = "{\"epochs\": 100, \"batch\": 4, \"optimiser\": \"adamw\", \"lr\": 1e-4, \"weight_decay\": 1e-4,"
                " \"schedule\": {\"kind\": \"plateau\", \"factor\": 0.5, \"patience\": 5}, \"smoothing\": 0.05,"
                " \"dropout\": 0.5, \"clip\": 1.0,"
                " \"early_stopping\": {\"patience\": 15, \"min_delta\": 0.001, \"from_epoch\": 16, \"max_gap\": 0.15},"
                " \"augmentation\": {\"rotation\": 0.1, \"noise\": 0.01, \"shift\": 5, \"scale\": 0.1,"
                " \"probabilities\": [0.3, 0.2, 0.2]}}",
};
