/* SPDX-License-Identifier: Apache-2.0 */
/* Named parameters of a network in the checkpoint's layout, and what is derived from them once (packed, folded). */
#ifndef REN_GRAPH_WEIGHTS_H
#define REN_GRAPH_WEIGHTS_H

#include "graph/graph.h"

typedef struct ren__weights ren__weights;

/* Storage for all parameters of the graph, one 64-byte aligned float array each, undefined until drawn or read. Trained
 * parameters and buffers (running statistics) alike; counted by reference, immutable once shared. */
ren_status ren__weights_create(ren_context *context, const ren__graph *graph, ren__weights **out);
ren__weights *ren__weights_retain(ren__weights *weights);
void ren__weights_release(ren__weights *weights);

/* Every parameter drawn as its description says, from (seed, parameter index, element): no other state. */
ren_status ren__weights_initialise(ren__weights *weights, uint64_t seed);

int32_t ren__weights_count(const ren__weights *weights);
/* Parameters in the graph's order. */
const char *ren__weights_name(const ren__weights *weights, int32_t index);
const ren__shape *ren__weights_shape(const ren__weights *weights, int32_t index);
int ren__weights_trained(const ren__weights *weights, int32_t index);
size_t ren__weights_elements(const ren__weights *weights, int32_t index);
float *ren__weights_data(ren__weights *weights, int32_t index); /* writable: only while nobody shares them */
const float *ren__weights_read(const ren__weights *weights, int32_t index);
int32_t ren__weights_find(const ren__weights *weights, const char *name); /* -1: not there */
size_t ren__weights_bytes(const ren__weights *weights);

/* Columns of a linear layer on a flattened map come in the published order, channels first. Arranged, they are in the
 * order of the map in memory, channels last, so that what belongs to neighbouring cells lies together (ops/sparse.h).
 * Arranging comes before the weights are drawn or read, and never with weights that are to be trained: a matrix of
 * hundreds of megabytes is kept in one order only. */
ren_status ren__weights_arrange(ren__weights *weights, int32_t index, int64_t channels);
int64_t ren__weights_arranged(const ren__weights *weights, int32_t index); /* the channels; 0: the published order */
/* A row of an arranged matrix, from and to the published order. */
void ren__weights_put_row(ren__weights *weights, int32_t index, int64_t row, const float *values);
void ren__weights_get_row(const ren__weights *weights, int32_t index, int64_t row, float *values);

/* Something computed from the weights once and kept with them, found again by `key`. `fill` writes `bytes` bytes; the
 * first caller runs it, others wait. Shared weights only. */
typedef ren_status (*ren__derive_fn)(void *argument, void *out);
ren_status ren__weights_derive(ren__weights *weights, const void *key, size_t key_bytes, size_t bytes,
                               ren__derive_fn fill, void *argument, const void **out);

#endif
