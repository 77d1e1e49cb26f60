/* SPDX-License-Identifier: Apache-2.0 */
/*
 * M4oE (Jiang et al. 2024): a SwinUNet of slices whose MLPs are mixtures of experts, one expert a modality, and a head
 * for each data set. Parameter names are the published ones. Gates:
 *   released  the released code's: a softmax over channels times the sum of all experts, which prefers none
 *   paper     the publication's: a softmax over experts for each token, of which the `top_k` best may be computed alone
 *   modality  the expert that the sample's data set names, no gate at all
 */
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "graph/op.h"
#include "nets/swin.h"

enum { MAX_STAGES = 6, MAX_BLOCKS = 64, MAX_EDGE = 4096 };
enum { RELEASED, PAPER, MODALITY };

static const char where[] = "m4oe";

typedef struct m4oe {
    int64_t size[2], patch, planes, channels, width; /* planes: given ones, which become `channels` */
    int64_t stages, depths[MAX_STAGES], heads[MAX_STAGES], window;
    int64_t experts, chosen, outputs, classes[REN__MAX_HEADS];
    double ratio, dropout, drop_path;
    int gate;
} m4oe;

/* ---- configuration ---- */

/* A list of `at_least` to `room` whole numbers, or one number where a list of one may be written so. */
static ren_status read_list(const json_t *config, const char *key, int64_t at_least, int64_t room, int64_t high,
                            int64_t *values, int64_t *count) {
    const json_t *list = json_object_get(config, key);
    if (!list) return REN_OK;
    if (json_is_integer(list) && at_least == 1) {
        *count = 1;
        return ren__get_integer(config, key, where, 1, high, values);
    }
    const int64_t size = (int64_t)json_array_size(list);
    if (!json_is_array(list) || size < at_least || size > room)
        return ren__error(REN_E_INVALID, "%s: %s is no list of %lld to %lld numbers", where, key, (long long)at_least,
                          (long long)room);
    for (int64_t i = 0; i < size; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        if (!json_is_integer(item) || json_integer_value(item) < 1 || json_integer_value(item) > high)
            return ren__error(REN_E_INVALID, "%s: %s holds whole numbers from 1 to %lld", where, key, (long long)high);
        values[i] = (int64_t)json_integer_value(item);
    }
    *count = size;
    return REN_OK;
}

static ren_status read_gate(const json_t *config, m4oe *m) {
    static const char *const names[] = { "released", "paper", "modality" };
    const char *gate = "paper";
    ren_status st = ren__get_string(config, "gate", where, &gate);
    m->experts = m->outputs;
    if (st == REN_OK) st = ren__get_integer(config, "num_experts", where, 1, REN__MAX_EXPERTS, &m->experts);
    m->chosen = m->experts;
    if (st == REN_OK) st = ren__get_integer(config, "top_k", where, 1, m->experts, &m->chosen);
    if (st != REN_OK) return st;
    for (m->gate = 0; m->gate < 3 && strcmp(names[m->gate], gate) != 0;)
        m->gate++;
    if (m->gate == 3)
        return ren__error(REN_E_INVALID, "%s: the gate is released, paper or modality, not %.32s", where, gate);
    if (m->gate != PAPER && json_object_get(config, "top_k"))
        return ren__error(REN_E_INVALID, "%s: top_k belongs to the gate \"paper\"", where);
    return REN_OK;
}

static ren_status check_sizes(const m4oe *m) {
    const int64_t multiple = m->patch << (m->stages - 1);
    for (int i = 0; i < 2; i++)
        if (m->size[i] % multiple)
            return ren__error(REN_E_INVALID, "%s: an image axis of %lld is no multiple of %lld", where,
                              (long long)m->size[i], (long long)multiple);
    for (int64_t i = 0; i < m->stages; i++)
        if ((m->width << i) % m->heads[i])
            return ren__error(REN_E_INVALID, "%s: %lld channels of stage %lld are not for %lld heads", where,
                              (long long)(m->width << i), (long long)i, (long long)m->heads[i]);
    if (m->planes != 1 && m->planes != m->channels)
        return ren__error(REN_E_INVALID, "%s: %lld planes do not become %lld channels", where, (long long)m->planes,
                          (long long)m->channels);
    if (!(m->ratio > 0 && m->ratio <= 16) || !(m->drop_path >= 0 && m->drop_path < 1))
        return ren__error(REN_E_INVALID, "%s: mlp_ratio lies in (0, 16], drop_path in [0, 1)", where);
    return REN_OK;
}

static ren_status read_stages(const json_t *config, m4oe *m) {
    int64_t stages = m->stages, heads = m->stages;
    ren_status st = read_list(config, "depths", 2, MAX_STAGES, MAX_BLOCKS, m->depths, &stages);
    if (st == REN_OK) st = read_list(config, "num_heads", 2, MAX_STAGES, 64, m->heads, &heads);
    if (st == REN_OK && heads != stages)
        st = ren__error(REN_E_INVALID, "%s: depths and num_heads have different lengths", where);
    m->stages = stages;
    return st;
}

static ren_status read_config(const json_t *config, m4oe *m) {
    static const char *const known[] = { "img_size",    "patch_size", "in_chans",  "input_planes",
                                         "num_classes", "embed_dim",  "depths",    "num_heads",
                                         "window_size", "mlp_ratio",  "gate",      "top_k",
                                         "num_experts", "dropout",    "drop_path", NULL };
    int64_t axes = 2;
    *m = (m4oe){ .size = { 224, 224 },
                 .patch = 4,
                 .planes = 1,
                 .channels = 3,
                 .width = 96,
                 .stages = 4,
                 .depths = { 2, 2, 2, 2 },
                 .heads = { 3, 6, 12, 24 },
                 .window = 7,
                 .outputs = 1,
                 .classes = { 2 },
                 .ratio = 4 };
    ren_status st = ren__check_keys(config, where, known);
    if (st == REN_OK) st = read_list(config, "img_size", 1, 2, MAX_EDGE, m->size, &axes);
    if (axes == 1) m->size[1] = m->size[0];
    if (st == REN_OK) st = ren__get_integer(config, "patch_size", where, 1, 64, &m->patch);
    if (st == REN_OK) st = ren__get_integer(config, "in_chans", where, 1, 64, &m->channels);
    if (st == REN_OK) st = ren__get_integer(config, "input_planes", where, 1, 64, &m->planes);
    if (st == REN_OK)
        st = read_list(config, "num_classes", 1, REN__MAX_HEADS, REN__MAX_SEGMENTS, m->classes, &m->outputs);
    if (st == REN_OK) st = ren__get_integer(config, "embed_dim", where, 2, 1024, &m->width);
    if (st == REN_OK) st = read_stages(config, m);
    if (st == REN_OK) st = ren__get_integer(config, "window_size", where, 1, 64, &m->window);
    if (st == REN_OK) st = ren__get_number(config, "mlp_ratio", where, &m->ratio);
    if (st == REN_OK) st = ren__get_number(config, "dropout", where, &m->dropout);
    if (st == REN_OK) st = ren__get_number(config, "drop_path", where, &m->drop_path);
    if (st == REN_OK) st = read_gate(config, m);
    return st == REN_OK ? check_sizes(m) : st;
}

/* ---- description ---- */

typedef struct builder {
    ren__graph *graph;
    const m4oe *m;
    ren__value data_set;        /* of gate `modality`: number of each sample's expert */
    ren__value weights;         /* of gate `paper`: N, blocks so far, experts */
    char prefix[REN__NET_NAME]; /* of the block that is being described */
} builder;

static const char *in_block(const builder *b, char name[REN__NET_NAME], const char *suffix) {
    return ren__net_name(name, b->prefix, suffix);
}

/* Mean weight of each expert over a sample's tokens, behind those of the blocks before. */
static void keep_weights(builder *b, ren__value gates) {
    const int64_t batch = ren__graph_shape(b->graph, gates)->dim[0];
    const ren__shape shape = ren__shape_of(3, (int64_t[]){ batch, 1, b->m->experts });
    ren__value mean = ren__reshape(b->graph, ren__adaptive_average_pool(b->graph, gates, 1), shape);
    const ren__value both[2] = { b->weights, mean };
    b->weights = b->weights == REN__NONE ? mean : ren__concat(b->graph, both, 2, 1);
}

static ren__value mixture(builder *b, ren__value x) {
    char name[REN__NET_NAME], suffix[32];
    const int64_t channels = ren__graph_shape(b->graph, x)->dim[3];
    ren__value sum = REN__NONE, gates = REN__NONE;
    ren__expert_options options = { (int64_t)((double)channels * b->m->ratio), 0, (int32_t)b->m->experts, 0 };
    in_block(b, name, "mlp.gating_network");
    if (b->m->gate == PAPER) {
        gates = ren__linear_truncated(b->graph, x, name, b->m->experts, 0);
        gates = ren__top_softmax(b->graph, gates, b->m->chosen);
        keep_weights(b, gates);
    }
    if (b->m->gate == MODALITY) gates = b->data_set;
    options.chosen = b->m->gate == PAPER ? (int32_t)b->m->chosen : b->m->gate == MODALITY ? 1 : 0;
    for (; options.expert < options.experts; options.expert++) {
        char expert[REN__NET_NAME];
        snprintf(suffix, sizeof suffix, "mlp.experts.%d", (int)options.expert);
        sum = ren__expert_mlp(b->graph, sum, x, gates, in_block(b, expert, suffix), &options);
    }
    if (b->m->gate != RELEASED) return sum;
    gates = ren__softmax(b->graph, ren__linear_truncated(b->graph, x, name, channels, 0));
    return ren__multiply(b->graph, sum, gates);
}

/* A residual branch: left out altogether for some samples. */
static ren__value add_branch(builder *b, ren__value x, ren__value branch, double rate) {
    return ren__add(b->graph, x, rate > 0 ? ren__drop_path(b->graph, branch, rate) : branch);
}

static ren__value block(builder *b, ren__value x, int64_t heads, int shifted, double rate) {
    char name[REN__NET_NAME];
    const int64_t *size = ren__graph_shape(b->graph, x)->dim + 1, least = size[0] < size[1] ? size[0] : size[1];
    const int64_t window = least <= b->m->window ? least : b->m->window;
    const ren__swin windows = { heads, { window, window }, shifted && least > b->m->window, b->m->dropout };
    ren__value y = ren__layer_norm(b->graph, x, in_block(b, name, "norm1"));
    x = add_branch(b, x, ren__swin_attention(b->graph, y, b->prefix, &windows), rate);
    y = ren__layer_norm(b->graph, x, in_block(b, name, "norm2"));
    return add_branch(b, x, mixture(b, y), rate);
}

/* The rates of drop path grow evenly over the encoder's blocks; a stage of the decoder takes those of its twin. */
static ren__value blocks(builder *b, ren__value x, const char *prefix, int64_t stage) {
    int64_t before = 0, all = 0;
    for (int64_t i = 0; i < b->m->stages; i++) {
        if (i < stage) before += b->m->depths[i];
        all += b->m->depths[i];
    }
    for (int64_t i = 0; i < b->m->depths[stage]; i++) {
        const double rate = all > 1 ? b->m->drop_path * (double)(before + i) / (double)(all - 1) : 0;
        snprintf(b->prefix, sizeof b->prefix, "%.64sblocks.%d.", prefix, (int)i);
        x = block(b, x, b->m->heads[stage], i % 2 != 0, rate);
    }
    return x;
}

/* prefix.{expand, norm}: `edge` times as many cells an axis, with `channels` each. */
static ren__value expand(ren__graph *graph, ren__value x, const char *prefix, int64_t edge, int64_t channels) {
    char name[REN__NET_NAME];
    x = ren__linear_truncated(graph, x, ren__net_name(name, prefix, "expand"), edge * edge * channels, 1);
    return ren__layer_norm(graph, ren__pixel_shuffle(graph, x, edge), ren__net_name(name, prefix, "norm"));
}

static ren__value encoder(builder *b, ren__value x, ren__value skip[MAX_STAGES]) {
    static const uint8_t cells[4] = { 0, 2, 1, 3 }; /* (row, column): (0,0), (1,0), (0,1), (1,1) */
    char prefix[REN__NET_NAME];
    for (int64_t stage = 0; stage < b->m->stages; stage++) {
        skip[stage] = x;
        snprintf(prefix, sizeof prefix, "layers.%d.", (int)stage);
        x = blocks(b, x, prefix, stage);
        snprintf(prefix, sizeof prefix, "layers.%d.downsample.", (int)stage);
        if (stage + 1 < b->m->stages) x = ren__swin_merge(b->graph, x, prefix, cells, 4);
    }
    return ren__layer_norm(b->graph, x, "norm");
}

static ren__value decoder(builder *b, ren__value x, const ren__value skip[MAX_STAGES]) {
    char name[REN__NET_NAME];
    const int64_t last = b->m->stages - 1;
    x = expand(b->graph, x, "layers_up.0.", 2, b->m->width << (last - 1));
    for (int64_t step = 1; step <= last; step++) {
        const int64_t stage = last - step, channels = b->m->width << stage;
        const ren__value both[2] = { x, skip[stage] };
        snprintf(name, sizeof name, "concat_back_dim.%d", (int)step);
        x = ren__linear_truncated(b->graph, ren__concat(b->graph, both, 2, 3), name, channels, 0);
        snprintf(name, sizeof name, "layers_up.%d.", (int)step);
        x = blocks(b, x, name, stage);
        snprintf(name, sizeof name, "layers_up.%d.upsample.", (int)step);
        if (stage > 0) x = expand(b->graph, x, name, 2, channels / 2);
    }
    return expand(b->graph, ren__layer_norm(b->graph, x, "norm_up"), "up.", b->m->patch, b->m->width);
}

/* A sample's own head fills the channels of its classes; the others stay 0. */
static ren__value heads(builder *b, ren__value x, int64_t batch) {
    char name[REN__NET_NAME];
    const ren__value numbers =
        b->m->outputs > 1 ? ren__graph_input(b->graph, "predict_head", ren__shape_of(1, &batch)) : REN__NONE;
    ren__head_options options = { .heads = (int32_t)b->m->outputs };
    ren__value sum = REN__NONE;
    for (int64_t i = 0; i < b->m->outputs; i++)
        if (b->m->classes[i] > options.width) options.width = b->m->classes[i];
    for (; options.head < options.heads; options.head++) {
        options.classes = b->m->classes[options.head];
        snprintf(name, sizeof name, "outputs.%d", (int)options.head);
        sum = ren__head(b->graph, sum, x, numbers, name, &options);
    }
    return sum;
}

static ren__value embed(ren__graph *graph, ren__value x, const m4oe *m) {
    const ren__conv_options patches = { .channels = m->width,
                                        .kernel = { m->patch, m->patch },
                                        .stride = { m->patch, m->patch } };
    const ren__value once = x;
    for (int64_t i = m->planes; i < m->channels; i++) {
        const ren__value more[2] = { x, once };
        x = ren__concat(graph, more, 2, 3);
    }
    return ren__layer_norm(graph, ren__conv(graph, x, "patch_embed.proj", &patches), "patch_embed.norm");
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    m4oe m;
    ren__value skip[MAX_STAGES];
    ren_status st = read_config(config, &m);
    if (st != REN_OK) return st;
    builder b = { .graph = graph, .m = &m, .data_set = REN__NONE, .weights = REN__NONE };
    ren__value x = ren__graph_input(graph, "x", ren__shape_of(4, (int64_t[]){ batch, m.size[0], m.size[1], m.planes }));
    if (m.gate == MODALITY) b.data_set = ren__graph_input(graph, "dataset_id", ren__shape_of(1, &batch));
    x = encoder(&b, embed(graph, x, &m), skip);
    ren__graph_output(graph, "logits", heads(&b, decoder(&b, x, skip), batch));
    if (m.gate == PAPER) ren__graph_output(graph, "expert_weights", b.weights);
    return ren__graph_status(graph);
}

const ren__net ren__m4oe_net = {
    .name = "m4oe",
    .build = build,
    .training = "{\"epochs\": 150, \"batch\": 24, \"optimiser\": \"sgd\", \"momentum\": 0.9, \"lr\": 0.05,"
                " \"weight_decay\": 1e-4, \"schedule\": {\"kind\": \"polynomial\", \"power\": 0.9},"
                " \"drop_path\": 0.2, \"loss\": {\"kind\": \"segmentation\", \"cross_entropy\": 0.4, \"dice\": 0.7},"
                " \"early_stopping\": {\"patience\": 7}}",
};
