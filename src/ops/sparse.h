/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact evaluation of a network on an image that is zero in most places.
 *
 * What the network makes of zeros is constant: it is computed once (the background). Of each map only the active cells,
 * those that a voxel other than zero reaches, are computed, row by row; a linear layer on the flattened map adds what
 * they change to its answer on the background. The result is the dense network's up to rounding, for any image.
 *
 * Applies to networks with one input 1, D, H, W, 1 that begin with blocks of convolution 3x3x3, batch-norm, ReLU and
 * 2x2x2 max-pooling and then flatten into a linear layer, at sizes that the pooling divides.
 */
#ifndef REN_OPS_SPARSE_H
#define REN_OPS_SPARSE_H

#include "graph/graph.h"
#include "graph/weights.h"

typedef struct ren__sparse ren__sparse;

/* REN_E_UNSUPPORTED where it does not apply. */
ren_status ren__sparse_create(const ren__graph *graph, ren__sparse **out);
void ren__sparse_free(ren__sparse *sparse);

/* Arranges the weights for it (graph/weights.h), before they have values. And whether they are. */
ren_status ren__sparse_arrange(const ren__sparse *sparse, ren__weights *weights);
int ren__sparse_arranged(const ren__sparse *sparse, const ren__weights *weights);

/* Finds the background with these weights, which are arranged. Once, before a session runs. */
ren_status ren__sparse_prepare(ren__sparse *sparse, ren__weights *weights, ren__run *run);

/* The network, made of the operators of ops/active.h; it and its sessions must not outlive `sparse`. Beside the dense
 * network's input there is another, "box", of six numbers: the image is zero outside of the box [begin, end), and the
 * first input holds the box alone, packed. */
ren_status ren__sparse_graph(const ren__sparse *sparse, ren__graph **out);

#endif
