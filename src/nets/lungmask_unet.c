/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The U-Net of lungmask (Hofmanninger et al. 2020), which finds lungs and lobes in CT slices. Parameter names are the
 * published ones. A level is twice conv, ReLU, batch-norm, in this order. The convolution that follows each upsampling
 * has a kernel of one cell, so it comes first here: the same numbers from a quarter of the cells.
 */
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "graph/op.h"
#include "nets/nets.h"

enum { MAX_DEPTH = 8, MAX_EDGE = 4096 };

static const char where[] = "lungmask_unet";

typedef struct unet {
    int64_t size[2], planes, classes, depth, width; /* the first level has 2^width channels */
} unet;

static ren_status read_size(const json_t *config, int64_t size[2]) {
    const json_t *list = json_object_get(config, "input_size");
    if (!list) return REN_OK;
    if (!json_is_array(list) || json_array_size(list) != 2)
        return ren__error(REN_E_INVALID, "%s: input_size is no list of two numbers", where);
    for (size_t i = 0; i < 2; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_integer(item) || json_integer_value(item) < 1 || json_integer_value(item) > MAX_EDGE)
            return ren__error(REN_E_INVALID, "%s: input_size holds whole numbers from 1 to %d", where, (int)MAX_EDGE);
        size[i] = (int64_t)json_integer_value(item);
    }
    return REN_OK;
}

/* Published forms that no published weights have. */
static ren_status check_form(const json_t *config) {
    int padding = 1, norm = 1, residual = 0;
    const char *mode = "upsample";
    double dropout = 0;
    ren_status st = ren__get_boolean(config, "padding", where, &padding);
    if (st == REN_OK) st = ren__get_boolean(config, "batch_norm", where, &norm);
    if (st == REN_OK) st = ren__get_boolean(config, "residual", where, &residual);
    if (st == REN_OK) st = ren__get_string(config, "up_mode", where, &mode);
    if (st == REN_OK) st = ren__get_number(config, "dropout", where, &dropout);
    if (st == REN_OK && (!padding || !norm || residual || strcmp(mode, "upsample") != 0 || dropout != 0))
        st = ren__error(REN_E_UNSUPPORTED,
                        "%s: only padding, batch_norm, up_mode \"upsample\", no residual and no dropout", where);
    return st;
}

static ren_status read_config(const json_t *config, unet *u) {
    static const char *const known[] = { "input_size", "in_channels", "n_classes", "depth",   "wf", "padding",
                                         "batch_norm", "up_mode",     "residual",  "dropout", NULL };
    *u = (unet){ { 256, 256 }, 1, 3, 5, 6 };
    ren_status st = ren__check_keys(config, where, known);
    if (st == REN_OK) st = read_size(config, u->size);
    if (st == REN_OK) st = ren__get_integer(config, "in_channels", where, 1, 64, &u->planes);
    if (st == REN_OK) st = ren__get_integer(config, "n_classes", where, 2, REN__MAX_SEGMENTS, &u->classes);
    if (st == REN_OK) st = ren__get_integer(config, "depth", where, 2, MAX_DEPTH, &u->depth);
    if (st == REN_OK) st = ren__get_integer(config, "wf", where, 0, 8, &u->width);
    if (st == REN_OK) st = check_form(config);
    for (int i = 0; i < 2 && st == REN_OK; i++)
        if (u->size[i] % (INT64_C(1) << (u->depth - 1)))
            st = ren__error(REN_E_INVALID, "%s: an image axis of %lld is no multiple of %d", where,
                            (long long)u->size[i], 1 << (u->depth - 1));
    return st;
}

static ren__value conv(ren__graph *graph, ren__value x, const char *name, int64_t channels, int64_t kernel) {
    const ren__conv_options options = { .channels = channels,
                                        .kernel = { kernel, kernel },
                                        .pad = { kernel / 2, kernel / 2 } };
    return ren__conv(graph, x, name, &options);
}

/* prefix.{0, 2, 3, 5}: the ReLUs in between count as well. */
static ren__value level(ren__graph *graph, ren__value x, const char *prefix, int64_t channels) {
    char name[REN__NET_NAME];
    x = ren__activate(graph, conv(graph, x, ren__net_name(name, prefix, "0"), channels, 3), REN__RELU);
    x = ren__batch_norm(graph, x, ren__net_name(name, prefix, "2"));
    x = ren__activate(graph, conv(graph, x, ren__net_name(name, prefix, "3"), channels, 3), REN__RELU);
    return ren__batch_norm(graph, x, ren__net_name(name, prefix, "5"));
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    unet u;
    char name[REN__NET_NAME];
    ren__value skip[MAX_DEPTH];
    ren_status st = read_config(config, &u);
    if (st != REN_OK) return st;
    ren__value x = ren__graph_input(graph, "x", ren__shape_of(4, (int64_t[]){ batch, u.size[0], u.size[1], u.planes }));
    for (int64_t i = 0; i < u.depth; i++) {
        if (i > 0) x = ren__average_pool(graph, x, 2, 2);
        snprintf(name, sizeof name, "down_path.%d.block.", (int)i);
        skip[i] = x = level(graph, x, name, INT64_C(1) << (u.width + i));
    }
    for (int64_t i = u.depth - 2; i >= 0; i--) {
        const int64_t channels = INT64_C(1) << (u.width + i);
        snprintf(name, sizeof name, "up_path.%d.up.1", (int)(u.depth - 2 - i));
        const ren__value both[2] = { ren__upsample(graph, conv(graph, x, name, channels, 1)), skip[i] };
        snprintf(name, sizeof name, "up_path.%d.conv_block.block.", (int)(u.depth - 2 - i));
        x = level(graph, ren__concat(graph, both, 2, 3), name, channels);
    }
    x = conv(graph, x, "last", u.classes, 1);
    ren__graph_output(graph, "log_probabilities", ren__log_softmax(graph, x));
    return ren__graph_status(graph);
}

const ren__net ren__lungmask_unet_net = {
    .name = "lungmask_unet",
    .build = build,
    .training = "{\"epochs\": 100, \"batch\": 8, \"optimiser\": \"adamw\", \"lr\": 1e-3, \"weight_decay\": 1e-4}",
};
