/* SPDX-License-Identifier: Apache-2.0 */
/* The table of networks, and what their descriptions share. */
#include "nets/nets.h"

#include <stdio.h>
#include <string.h>

#include "format/document.h"

/* clang-format off */
/* One line a network: its declaration, and a place in the table. */
#define NETWORKS(each) \
    each(cnn) \
    each(vit) \
    each(mamba) \
    each(swin_unetr) \
    each(region_expert) \
    each(gating_mamba) \
    each(gating_vit) \
    each(gating_swin_unetr) \
    each(moe_swin_unetr) \
    each(general_moe) \
    each(joined_experts) \
    each(m4oe) \
    each(lungmask_unet)
/* clang-format on */

#define DECLARE(name) extern const ren__net ren__##name##_net;
#define ENTRY(name)   &ren__##name##_net,

NETWORKS(DECLARE)
static const ren__net *const nets[] = { NETWORKS(ENTRY) };

const uint32_t ren__net_region_labels[REN__NET_REGIONS] = { 1U << 1, 1U << 2, 1U << 3, 1U << 4,
                                                            1U << 5, 3U << 1, 7U << 3 };

enum { NET_COUNT = sizeof nets / sizeof nets[0], MAX_EDGE = 1024 };

const ren__net *ren__net_at(int32_t index) {
    return index >= 0 && index < NET_COUNT ? nets[index] : NULL;
}

const ren__net *ren__net_find(const char *name) {
    for (int32_t i = 0; i < NET_COUNT; i++)
        if (strcmp(nets[i]->name, name) == 0) return nets[i];
    return NULL;
}

const char *ren__net_name(char name[REN__NET_NAME], const char *prefix, const char *suffix) {
    snprintf(name, REN__NET_NAME, "%s%s", prefix, suffix);
    return name;
}

ren_status ren__net_sizes(const json_t *config, const char *key, int64_t size[3]) {
    const json_t *list = json_object_get(config, key);
    if (!list) return REN_OK;
    if (!json_is_array(list) || json_array_size(list) != 3)
        return ren__error(REN_E_INVALID, "%s: a list of three numbers is needed", key);
    for (size_t i = 0; i < 3; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_integer(item) || json_integer_value(item) < 1 || json_integer_value(item) > MAX_EDGE)
            return ren__error(REN_E_INVALID, "%s: a whole number from 1 to %d is needed", key, (int)MAX_EDGE);
        size[i] = (int64_t)json_integer_value(item);
    }
    return REN_OK;
}

ren_status ren__net_input_size(const json_t *config, int64_t size[3]) {
    for (int i = 0; i < 3; i++)
        size[i] = 96;
    return ren__net_sizes(config, "input_size", size);
}

ren__value ren__net_patches(ren__graph *graph, ren__value x, const char *name, const int64_t patch[3], int64_t width) {
    ren__conv_options options = { .channels = width };
    for (int i = 0; i < 3; i++)
        options.kernel[i] = options.stride[i] = patch[i];
    x = ren__conv(graph, x, name, &options);
    const ren__shape *shape = ren__graph_shape(graph, x);
    return ren__reshape(
        graph, x, ren__shape_of(3, (int64_t[]){ shape->dim[0], shape->dim[1] * shape->dim[2] * shape->dim[3], width }));
}

ren_status ren__net_graph(ren_context *context, const ren__net *net, const json_t *config, int64_t batch,
                          const json_t *loss, ren__graph **out) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    json_t *defaults = NULL;
    if (batch < 1) return ren__error(REN_E_INVALID, "a batch of %lld", (long long)batch);
    REN_TRY(ren__graph_create(context, &graph));
    if (!config && !(config = defaults = json_object())) REN_FAIL(REN_E_MEMORY, "no memory for a configuration");
    REN_TRY(net->build(graph, config, batch));
    if (loss) REN_TRY(ren__net_loss(graph, loss, batch));
    *out = graph;
    graph = NULL;
out:
    json_decref(defaults);
    ren__graph_free(graph);
    return st;
}
