/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `region_expert` of REN's radiomics mixture (arXiv 2510.04923): SwinUNETR's map F of the whole image, weighted by
 * an attention that is confined to the expert's region and scaled by the region's weight, F sigmoid(conv F) m w,
 * averaged over all voxels, then a linear layer. Inputs beside the image: the lobe labels, and the region's weight for
 * each sample. Parameter names are the published checkpoint's; `classifier`, for training an expert by itself, is ours.
 */
#include "format/document.h"
#include "nets/swin_unetr.h"

typedef struct region_expert {
    int64_t size[3], classes, region;
    ren__swin_unetr swin;
} region_expert;

static ren_status read_config(const json_t *config, region_expert *e) {
    static const char *const known[] = { "input_size",    "feature_size", "depths",  "num_heads", "window_size",
                                         "patch_merging", "dropout",      "classes", "region",    NULL };
    ren_status st = ren__net_input_size(config, e->size);
    if (st == REN_OK) st = ren__check_keys(config, "region_expert", known);
    if (st == REN_OK) st = ren__get_integer(config, "classes", "region_expert", 0, REN__MAX_CLASSES, &e->classes);
    if (st == REN_OK) st = ren__get_integer(config, "region", "region_expert", 0, REN__NET_REGIONS - 1, &e->region);
    if (st == REN_OK) st = ren__swin_unetr_config(config, "region_expert", &e->swin);
    if (st == REN_OK && e->classes == 1)
        st = ren__error(REN_E_INVALID, "region_expert: classes is 0 (features alone) or at least 2");
    return st;
}

/* The mean over voxels of maps (N, D, H, W, C) as rows N, C. */
static ren__value average(ren__graph *graph, ren__value maps) {
    const ren__shape shape = *ren__graph_shape(graph, maps);
    return ren__reshape(graph, ren__adaptive_average_pool(graph, maps, 1),
                        ren__shape_of(2, (int64_t[]){ shape.rank ? shape.dim[0] : 1, shape.rank ? shape.dim[4] : 1 }));
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    static const ren__conv_options one = { .channels = 1, .kernel = { 3, 3, 3 }, .pad = { 1, 1, 1 } };
    region_expert e = { .classes = 2, .swin = ren__swin_unetr_defaults() };
    const ren_status st = read_config(config, &e);
    if (st != REN_OK) return st;
    e.swin.out_channels = e.swin.feature_size;
    const ren__shape volume = ren__shape_of(5, (int64_t[]){ batch, e.size[0], e.size[1], e.size[2], 1 });
    const ren__value x = ren__graph_input(graph, "x", volume), lobes = ren__graph_input(graph, "lobes", volume);
    const ren__value weight = ren__graph_input(graph, "region_weight", ren__shape_of(2, (int64_t[]){ batch, 1 }));
    const ren__value maps =
        ren__swin_unetr_out(graph, ren__swin_unetr_features(graph, x, "swin_unetr.", &e.swin), "swin_unetr.", &e.swin);
    ren__value attention = ren__conv(graph, maps, "region_attention.attention_conv", &one);
    attention = ren__activate(graph, attention, REN__SIGMOID);
    attention = ren__select_labels(graph, attention, lobes, ren__net_region_labels[e.region]);
    ren__value y = average(graph, ren__multiply(graph, maps, attention));
    y = ren__multiply(graph, y, weight); /* one number a sample, so it may come after the average */
    y = ren__linear(graph, y, "classification_head.2", e.swin.feature_size, 0);
    ren__graph_output(graph, "features", y);
    if (e.classes) ren__graph_output(graph, "logits", ren__linear(graph, y, "classifier", e.classes, 0));
    return ren__graph_status(graph);
}

const ren__net ren__region_expert_net = {
    .name = "region_expert",
    .build = build,
    .training = "{\"epochs\": 50, \"batch\": 1, \"optimiser\": \"adamw\", \"lr\": 1e-4, \"weight_decay\": 1e-5,"
                " \"schedule\": {\"kind\": \"cosine\", \"t_max\": 50, \"min_lr\": 1e-6}, \"smoothing\": 0.0,"
                " \"dropout\": 0.0, \"clip\": 1.0,"
                " \"early_stopping\": {\"patience\": 10, \"min_delta\": 0.001, \"from_epoch\": 16, \"max_gap\": 0.15},"
                " \"augmentation\": {\"rotation\": 0.1, \"noise\": 0.01, \"shift\": 5, \"scale\": 0.1,"
                " \"probabilities\": [0.3, 0.2, 0.2]}}",
};
