/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact evaluation of a network whose input is zero outside a box.
 *
 * What the network makes of zeros is constant: it is computed once (the background). Only cells that the box can reach
 * differ. The cropped network computes a box that holds all of them, aligned to the network's total stride, and takes
 * from the background what its convolutions see around the box; a linear layer on the flattened map adds the box's
 * difference to its answer on the background. The result is the dense network's up to rounding.
 *
 * Applies to networks with one input N, spatial, C that begin with a chain of local operators (convolutions, pooling,
 * pointwise ones) and then flatten into a linear layer, at sizes that the strides divide.
 */
#ifndef REN_OPS_CROP_H
#define REN_OPS_CROP_H

#include "graph/graph.h"
#include "graph/weights.h"

typedef struct ren__crop ren__crop;

/* Runs the network (batch 1) on zeros. REN_E_UNSUPPORTED where cropping does not apply. */
ren_status ren__crop_create(const ren__graph *graph, ren__weights *weights, ren__run *run, ren__crop **out);
void ren__crop_free(ren__crop *crop);
size_t ren__crop_bytes(const ren__crop *crop);
/* The box to be computed (origin and size in input voxels) for an input that is zero outside [begin, end). */
void ren__crop_box(const ren__crop *crop, const int64_t begin[3], const int64_t end[3], int64_t origin[3],
                   int64_t size[3]);
/* A graph for boxes of this size; it and its sessions must not outlive the crop. The input "x" is the box alone; before
 * a run ren__session_place() says where it lies. Compare ren__graph_flops() to see whether it pays. */
ren_status ren__crop_graph(const ren__crop *crop, const int64_t size[3], ren__graph **out);

#endif
