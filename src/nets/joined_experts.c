/* SPDX-License-Identifier: Apache-2.0 */
/*
 * REN's general mixture as a whole (arXiv 2510.04923): an expert of any kind on each region of the image, up to the
 * vector before its output layer, and the head of general_moe.c on these vectors. The experts were trained before; the
 * head is trained on what they say, so nothing here has to be.
 *
 * The configuration has the experts' network as "expert": {"arch": ..., "config": {...}}, and their number: 5 (lobes),
 * 2 (lungs) or 7 (both).
 */
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "graph/op.h"
#include "nets/general_moe.h"

typedef struct joined {
    int64_t size[3], first; /* first: the first expert's region */
    ren__general_moe head;
    const ren__net *net;
    const json_t *config; /* of an expert */
} joined;

static const char *const region_names[REN__NET_REGIONS] = {
    "LUL", "LLL", "RUL", "RML", "RLL", "left_lung", "right_lung"
};

/* ------------------------------------------------------------------------------------------------- an expert's part */

/* Which nodes a value needs; they are in an order that respects what needs what. */
static void mark_needed(const ren__graph *from, ren__value value, uint8_t *needed) {
    needed[value] = 1;
    for (int32_t n = ren__graph_node_count(from); n-- > 0;) {
        const ren__node *node = ren__graph_node_at(from, n);
        for (int32_t i = 0; needed[node->output] && i < node->input_count; i++)
            needed[node->input[i]] = 1;
    }
}

/* The node with its parameters under the region's name. */
static ren__value add_node(ren__graph *graph, const ren__graph *from, const ren__node *node, const char *region,
                           const ren__value *inputs) {
    char name[2 * REN__NET_NAME];
    int32_t parameters[REN__MAX_PARAMETERS];

    for (int32_t i = 0; i < node->parameter_count; i++) {
        const ren__parameter *parameter = ren__graph_parameter_at(from, node->parameter[i]);
        snprintf(name, sizeof name, "experts.%s.%.*s", region, (int)REN__NET_NAME, parameter->name);
        parameters[i] =
            ren__graph_parameter(graph, name, "", parameter->shape, parameter->initialiser, parameter->trained);
    }
    return ren__graph_add(graph, node->op, node->options, inputs, node->input_count, parameters, node->parameter_count);
}

/* The network `from` on another image, up to its features, in this graph. */
static ren__value embed(ren__graph *graph, const ren__graph *from, const char *region, ren__value image) {
    ren_context *context = ren__graph_context(graph);
    const ren__value features = ren__graph_find_output(from, "features");
    const size_t count = (size_t)ren__graph_value_count(from);
    uint8_t *needed = ren__calloc(context, count, 1);
    ren__value *map = ren__calloc(context, count, sizeof *map), inputs[REN__MAX_INPUTS], found = REN__NONE;

    if (!needed || !map) {
        ren__graph_fail(graph, REN_E_MEMORY, "out of memory for an expert's description");
    } else {
        mark_needed(from, features, needed);
        map[ren__graph_find_input(from, "x")] = image;
        for (int32_t n = 0; n < ren__graph_node_count(from); n++) {
            const ren__node *node = ren__graph_node_at(from, n);
            if (!needed[node->output]) continue;
            for (int32_t i = 0; i < node->input_count; i++)
                inputs[i] = map[node->input[i]];
            map[node->output] = add_node(graph, from, node, region, inputs);
        }
        found = map[features];
    }
    ren__free(map);
    ren__free(needed);
    return found;
}

/* -------------------------------------------------------------------------------------------------------- the whole */

static void describe(ren__graph *graph, const ren__graph *expert, const joined *j, int64_t batch) {
    const ren__shape volume = ren__shape_of(5, (int64_t[]){ batch, j->size[0], j->size[1], j->size[2], 1 });
    const ren__value x = ren__graph_input(graph, "x", volume), lobes = ren__graph_input(graph, "lobes", volume);
    const ren__shape row = ren__shape_of(3, (int64_t[]){ batch, 1, j->head.features });
    ren__value feature[REN__NET_REGIONS] = { REN__NONE };

    for (int64_t i = 0; i < j->head.experts; i++) {
        const int64_t region = j->first + i;
        const ren__value seen = ren__select_labels(graph, x, lobes, ren__net_region_labels[region]);
        feature[i] = ren__reshape(graph, embed(graph, expert, region_names[region], seen), row);
    }
    const ren__value features = ren__concat(graph, feature, (int32_t)j->head.experts, 1);
    ren__graph_output(graph, "expert_features", features);
    ren__general_moe_head(graph, features, &j->head);
    /* What a mixture's result gives of the regions from the first one on. */
    if (j->first == 0) ren__graph_output(graph, "combined_weights", ren__graph_find_output(graph, "gates"));
}

static ren_status read_expert(const json_t *config, joined *j) {
    static const char *const known[] = { "arch", "config", NULL };
    const json_t *expert = json_object_get(config, "expert");
    const char *arch = "cnn";
    ren_status st = REN_OK;

    if (expert && !json_is_object(expert))
        return ren__error(REN_E_INVALID, "general_moe: \"expert\" must be an object: arch and config of the experts");
    if (expert) st = ren__check_keys(expert, "general_moe.expert", known);
    if (expert && st == REN_OK) st = ren__get_string(expert, "arch", "general_moe.expert", &arch);
    if (st != REN_OK) return st;
    j->net = ren__net_find(arch);
    j->config = json_object_get(expert, "config");
    if (!j->net || j->net == &ren__joined_experts_net)
        return ren__error(REN_E_INVALID, "general_moe: no network of one region is called %.40s", arch);
    if (j->config && !json_is_object(j->config))
        return ren__error(REN_E_INVALID, "general_moe: the experts' config is no object");
    return REN_OK;
}

static ren_status read_config(const json_t *config, joined *j) {
    static const char *const known[] = { "input_size", "classes", "n_experts", "dropout", "expert", NULL };
    static const char where[] = "general_moe";
    ren_status st = ren__check_keys(config, where, known);

    if (st == REN_OK) st = ren__net_input_size(config, j->size);
    if (st == REN_OK) st = ren__get_integer(config, "classes", where, 2, REN__MAX_CLASSES, &j->head.classes);
    if (st == REN_OK) st = ren__get_integer(config, "n_experts", where, 2, REN__NET_REGIONS, &j->head.experts);
    if (st == REN_OK) st = ren__get_number(config, "dropout", where, &j->head.dropout);
    if (st == REN_OK) st = read_expert(config, j);
    if (st == REN_OK && j->head.experts != 2 && j->head.experts != 5 && j->head.experts != 7)
        st = ren__error(REN_E_INVALID, "%s: n_experts is 2 (lungs), 5 (lobes) or 7 (both)", where);
    j->first = j->head.experts == 2 ? 5 : 0;
    return st;
}

/* An expert reads an image of the whole's size and nothing else, and has features. */
static ren_status check_expert(const ren__graph *expert, joined *j, int64_t batch) {
    const ren__value x = ren__graph_find_input(expert, "x"), features = ren__graph_find_output(expert, "features");
    const ren__shape image = ren__shape_of(5, (int64_t[]){ batch, j->size[0], j->size[1], j->size[2], 1 });

    if (x == REN__NONE || features == REN__NONE || ren__graph_input_count(expert) != 1)
        return ren__error(REN_E_INVALID, "general_moe: %s is no expert on one region with features", j->net->name);
    if (!ren__shape_equal(ren__graph_shape(expert, x), &image))
        return ren__error(REN_E_INVALID, "general_moe: the experts' input_size is not the whole's");
    j->head.features = ren__graph_shape(expert, features)->dim[1];
    return REN_OK;
}

static ren_status build(ren__graph *graph, const json_t *config, int64_t batch) {
    joined j = { .head = { .experts = 7, .classes = 2, .dropout = 0.3 } };
    ren__graph *expert = NULL;
    ren_status st = read_config(config, &j);

    if (st == REN_OK) st = ren__net_graph(ren__graph_context(graph), j.net, j.config, batch, NULL, &expert);
    if (st == REN_OK) st = check_expert(expert, &j, batch);
    if (st == REN_OK) {
        describe(graph, expert, &j, batch);
        st = ren__graph_status(graph);
    }
    ren__graph_free(expert);
    return st;
}

const ren__net ren__joined_experts_net = { .name = "general_moe",
                                           .build = build,
                                           .training = REN__GENERAL_MOE_TRAINING };
