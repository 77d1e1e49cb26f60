/* SPDX-License-Identifier: Apache-2.0 */
/* The networks. Each is one file that describes itself in terms of operators; nets.c has one line for each. */
#ifndef REN_NETS_NETS_H
#define REN_NETS_NETS_H

#include <jansson.h>

#include "ops/ops.h"

typedef struct ren__net {
    const char *name; /* "cnn" */
    /* Describes the network for `batch` samples: inputs ("x"; N, D, H, W, 1), outputs ("logits": N, classes;
     * "features"), parameters. `config` is a JSON object of the network's settings, checked here: unknown keys are
     * errors, missing ones take the published defaults. */
    ren_status (*build)(ren__graph *graph, const json_t *config, int64_t batch);
    /* The published training settings (ren.md), as a JSON object in the keys of an `experts` entry. Static text. */
    const char *training;
    /* Mixtures that are one network: the buffer that a gate's base weights go to, and prefixes of the parameters of the
     * backbone (NULL-terminated), which learns at a rate of its own. NULL: neither. */
    const char *base;
    const char *const *backbone;
} ren__net;

/* `general_moe`: its head, which is trained on the features of finished experts and is no network of a scan by itself;
 * and the whole, experts and head, whose experts' parameters are called "experts.REGION." and their own name. */
extern const ren__net ren__general_moe_net, ren__joined_experts_net;

const ren__net *ren__net_find(const char *name); /* NULL: not there */
const ren__net *ren__net_at(int32_t index);      /* NULL past the end */

/* Builds the graph for a network and checks it; `loss` (nullable) is a JSON object for ren__net_loss, for instance
 * {"kind": "cross_entropy", "weight": [..], "label_smoothing": s}. `config` may be NULL. */
ren_status ren__net_graph(ren_context *context, const ren__net *net, const json_t *config, int64_t batch,
                          const json_t *loss, ren__graph **out);
/* Adds the loss that `loss` describes (losses.c lists the kinds): its own inputs, and the output "loss". */
ren_status ren__net_loss(ren__graph *graph, const json_t *loss, int64_t batch);
/* The input size (D, H, W) a configuration asks for; 96 by default. */
ren_status ren__net_input_size(const json_t *config, int64_t size[3]);
/* Lobe labels of REN's regions, label k as bit k: five lobes, left lung, right lung. */
enum { REN__NET_REGIONS = 7 };
extern const uint32_t ren__net_region_labels[REN__NET_REGIONS];
/* prefix and suffix in one; gives `name` back. */
enum { REN__NET_NAME = 128 };
const char *ren__net_name(char name[REN__NET_NAME], const char *prefix, const char *suffix);
/* Three sizes under `key`, which keep their values where it is missing. */
ren_status ren__net_sizes(const json_t *config, const char *key, int64_t size[3]);
/* N, D, H, W, C cut into patches, each a token of `width` channels: N, T, width. Convolution `name`. */
ren__value ren__net_patches(ren__graph *graph, ren__value x, const char *name, const int64_t patch[3], int64_t width);

#endif
