/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of network descriptions. `name` is the checkpoint's prefix: parameters are "name.weight", ... */
#ifndef REN_OPS_OPS_H
#define REN_OPS_OPS_H

#include "graph/graph.h"

typedef enum ren__activation {
    REN__IDENTITY,
    REN__RELU,
    REN__LEAKY_RELU, /* slope 0.01 */
    REN__SIGMOID,
    REN__TANH,
    REN__GELU, /* exact: x/2 (1 + erf(x / sqrt 2)) */
    REN__SILU,
    REN__SOFTPLUS
} ren__activation;

typedef struct ren__conv_options {
    int64_t channels;                     /* out */
    int64_t kernel[3], stride[3], pad[3]; /* one entry a spatial axis; stride 0 means 1 */
    int64_t groups;                       /* 0 means 1 */
    int32_t no_bias;
} ren__conv_options;

/* N, spatial (1 to 3 axes), C -> N, out spatial, channels. Weight O, C/groups, kernel... */
ren__value ren__conv(ren__graph *graph, ren__value x, const char *name, const ren__conv_options *options);
/* Over N and all spatial axes, per channel: eps 1e-5, momentum 0.1. */
ren__value ren__batch_norm(ren__graph *graph, ren__value x, const char *name);
/* Transposed, with a kernel that is its stride (one entry a spatial axis). Weight C, channels, kernel... */
ren__value ren__conv_transpose(ren__graph *graph, ren__value x, const char *name, int64_t channels,
                               const int64_t *kernel, int32_t no_bias);
/* Each channel of each sample over its voxels, eps 1e-5, no parameters. */
ren__value ren__instance_norm(ren__graph *graph, ren__value x);
/* Over the last axis, eps 1e-5; `name` NULL: no weight and bias. */
ren__value ren__layer_norm(ren__graph *graph, ren__value x, const char *name);
/* Last axis C -> features. Weight features, C. */
ren__value ren__linear(ren__graph *graph, ren__value x, const char *name, int64_t features, int32_t no_bias);
/* The same, drawn as transformers are: truncated normal of sd 0.02, bias 0. */
ren__value ren__linear_truncated(ren__graph *graph, ren__value x, const char *name, int64_t features, int32_t no_bias);
ren__value ren__activate(ren__graph *graph, ren__value x, ren__activation activation);
ren__value ren__max_pool(ren__graph *graph, ren__value x, int64_t kernel, int64_t stride);
ren__value ren__average_pool(ren__graph *graph, ren__value x, int64_t kernel, int64_t stride);
/* To `size` cells an axis, PyTorch's bins; size 1 is the global average. */
ren__value ren__adaptive_average_pool(ren__graph *graph, ren__value x, int64_t size);
/* Elements (or whole channels of a sample) to zero with `rate`, the others divided by 1 - rate. Training only. */
ren__value ren__dropout(ren__graph *graph, ren__value x, double rate);
ren__value ren__channel_dropout(ren__graph *graph, ren__value x, double rate);
/* Whole samples of a branch to zero with `rate`, the others divided by 1 - rate. Training only. */
ren__value ren__drop_path(ren__graph *graph, ren__value x, double rate);
/* N, spatial, C -> N, C x spatial in the published order C, D, H, W. */
ren__value ren__flatten(ren__graph *graph, ren__value x);
ren__value ren__reshape(ren__graph *graph, ren__value x, ren__shape shape); /* the same elements in memory order */
ren__value ren__softmax(ren__graph *graph, ren__value x);                   /* last axis */
ren__value ren__log_softmax(ren__graph *graph, ren__value x);
/* Of the `count` largest of the last axis; the others become 0. */
ren__value ren__top_softmax(ren__graph *graph, ren__value x, int64_t count);
ren__value ren__add(ren__graph *graph, ren__value a, ren__value b);
/* `factor` has x's shape, or 1 for its last axis: then one factor for all channels of a row. */
ren__value ren__multiply(ren__graph *graph, ren__value x, ren__value factor);
/* One behind the other along `axis` of the memory order. */
ren__value ren__concat(ren__graph *graph, const ren__value *values, int32_t count, int32_t axis);
/* The box of `size` elements an axis that starts at `begin`; and x within zeros. One entry for each axis of x. */
ren__value ren__slice(ren__graph *graph, ren__value x, const int64_t *begin, const int64_t *size);
ren__value ren__pad(ren__graph *graph, ren__value x, const int64_t *before, const int64_t *after);
enum { REN__MERGE_CELLS = 8 };
/* N, spatial (2 or 3 even axes), C -> N, half of each, count x C: of each block of 2 cells an axis the `cells` (bits D,
 * H, W from high to low) in that order. */
ren__value ren__merge_patches(ren__graph *graph, ren__value x, const uint8_t *cells, int32_t count);
/* N, H, W, C with C counted as (row, column, channel) -> N, edge H, edge W, C / edge^2. */
ren__value ren__pixel_shuffle(ren__graph *graph, ren__value x, int64_t edge);
/* N, H, W, C -> N, 2 H, 2 W, C: bilinear between cell centres, the edge's cells repeated. */
ren__value ren__upsample(ren__graph *graph, ren__value x);
/* Learned tensors of a sequence of tokens N, T, C: positions 1, T, C added to each sample (any rank), and a class token
 * 1, 1, C in front of each sequence. `name` is the whole name. */
ren__value ren__positions(ren__graph *graph, ren__value x, const char *name);
ren__value ren__class_token(ren__graph *graph, ren__value x, const char *name);

/* q, k, v of all heads (N, T, 3C) -> N, T, C; `dropout` of the probabilities. */
ren__value ren__attention_heads(ren__graph *graph, ren__value qkv, int64_t heads, double dropout);

/* u, raw delta, B, C, z (N, T, E and, B and C, N, T, S) -> N, T, E. Parameters name.A_log, name.D, name.dt_proj.bias.
 */
ren__value ren__selective_scan(ren__graph *graph, const ren__value inputs[5], const char *name);
/* N, T, C: each channel over the last `taps` tokens. Weight C, 1, taps. */
ren__value ren__causal_conv(ren__graph *graph, ren__value x, const char *name, int64_t taps);

typedef struct ren__window_options {
    int64_t heads;
    int64_t table[3];  /* the window that the table of relative positions is for; one entry a spatial axis */
    int64_t window[3]; /* the window in use, which tiles the map; a smaller one takes the table's first tokens */
    int64_t shift[3];  /* below the window; 0: none */
    double dropout;
} ren__window_options;

/* The same within windows of a map of 2 or 3 axes (N, spatial, 3C); parameter name.relative_position_bias_table. */
ren__value ren__window_attention(ren__graph *graph, ren__value qkv, const char *name,
                                 const ren__window_options *options);

/* ---- mixtures of experts ---- */

enum { REN__MAX_EXPERTS = 16 };
enum { REN__GATE_FIXED, REN__GATE_LEARNED, REN__GATE_DYNAMIC };

typedef struct ren__gate_options {
    int32_t mode;              /* REN__GATE_* */
    double temperature;        /* of the softmax, where the mode has one */
    const char *base, *logits; /* whole names of the buffer and, where learned, of the parameter */
} ren__gate_options;

/* x where the label map (the same with one channel) has a label whose bit is set in `chosen`, zero elsewhere. */
ren__value ren__select_labels(ren__graph *graph, ren__value x, ren__value labels, uint32_t chosen);
/* Attentions N, E (and, where dynamic, predicted logits N, E) -> weights N, E of sum 1. */
ren__value ren__expert_weights(ren__graph *graph, ren__value attentions, ren__value predicted,
                               const ren__gate_options *options);
/* Weights N, E and features N, E, F -> N, F. */
ren__value ren__mix(ren__graph *graph, ren__value weights, ren__value features);

typedef struct ren__regulariser {
    double balance, entropy, diversity;
} ren__regulariser;

/* A scalar to be added to the loss, of weights N, E and features N, E, F: see gate_regulariser.c. */
ren__value ren__gate_regulariser(ren__graph *graph, ren__value weights, ren__value features,
                                 const ren__regulariser *options);

typedef struct ren__expert_options {
    int64_t hidden;          /* channels between the two layers */
    int32_t expert, experts; /* which one, of how many */
    int32_t chosen;          /* of them, by a row; 0: all */
} ren__expert_options;

/* sum (x's shape, another tensor; REN__NONE: zeros) + g MLP(x), with Linear C -> hidden, GELU, Linear hidden -> C.
 * `gates` are the number of each sample's expert (N), or factors g of all experts (N, ..., experts: for each row of x
 * or each sample), or REN__NONE for a g of 1. Rows whose g is 0 cost nothing. Parameters name.0.* and name.2.*. */
ren__value ren__expert_mlp(ren__graph *graph, ren__value sum, ren__value x, ren__value gates, const char *name,
                           const ren__expert_options *options);

enum { REN__MAX_CLASSES = 16 };
/* Mean loss of logits N, K and targets N (class numbers as floats), PyTorch's definition. `weights`: K or NULL. */
ren__value ren__cross_entropy(ren__graph *graph, ren__value logits, ren__value targets, const double *weights,
                              double smoothing);

/* ---- segmentations with several heads ---- */

enum { REN__MAX_HEADS = 16, REN__MAX_SEGMENTS = 256 };

typedef struct ren__head_options {
    int64_t classes, width; /* of this head, of the output */
    int32_t head, heads;    /* which one, of how many */
} ren__head_options;

/* N, spatial, C -> N, spatial, width: sum (REN__NONE: zeros) and, for samples that name this head (`numbers` N;
 * REN__NONE: all do), x W^T added to the first `classes` channels. Weight classes, C and a 1 for each spatial axis. */
ren__value ren__head(ren__graph *graph, ren__value sum, ren__value x, ren__value numbers, const char *name,
                     const ren__head_options *options);

typedef struct ren__segmentation {
    double cross_entropy, dice; /* weights of the two */
    int32_t heads;
    int64_t classes[REN__MAX_HEADS];
} ren__segmentation;

/* Of logits N, spatial, K and labels N, spatial; `numbers` as above (REN__NONE: one head). See segmentation_loss.c. */
ren__value ren__segmentation_loss(ren__graph *graph, ren__value logits, ren__value labels, ren__value numbers,
                                  const ren__segmentation *options);
/* Half the mean of x^2. */
ren__value ren__half_mean_square(ren__graph *graph, ren__value x);

#endif
