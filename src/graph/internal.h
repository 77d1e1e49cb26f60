/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of graph/ share with each other. */
#ifndef REN_GRAPH_INTERNAL_H
#define REN_GRAPH_INTERNAL_H

#include "graph/op.h"

typedef struct ren__tensor {
    ren__shape shape;
    const char *name;    /* of an input, else NULL */
    ren__node *producer; /* NULL for inputs */
} ren__tensor;

typedef struct ren__end {
    const char *name;
    ren__value value;
} ren__end;

struct ren__graph {
    ren_context *context; /* held */
    ren__arena *arena;    /* everything below, and the nodes' options */
    ren__tensor *tensors;
    ren__node **nodes; /* in an order that respects what needs what */
    ren__parameter *parameters;
    ren__end *inputs, *outputs;
    int32_t tensor_count, node_count, parameter_count, input_count, output_count;
    int32_t tensor_room, node_room, parameter_room, input_room, output_room;
    int32_t described; /* nodes ever added: the next one's index */
    int32_t keeps_float;
    ren_status status;
    char message[256];
};

/* Rewrites the graph for a mode: drops what is the identity, lets operators absorb their only reader. */
ren_status ren__graph_fuse(ren__graph *graph, int32_t mode);

/* Floating-point operations of one node's forward pass. */
double ren__node_flops(const ren__graph *graph, const ren__node *node);

/* Where everything of a session lies within one block. Offsets in bytes; REN__NOWHERE where there is none. */
#define REN__NOWHERE SIZE_MAX
typedef struct ren__memory_plan {
    size_t *value;    /* by value: its elements */
    size_t *gradient; /* by value: its gradient, where one has to reach it (training) */
    size_t *saved;    /* by node */
    size_t *partial;  /* by node and input (node * REN__MAX_INPUTS + input): a gradient to be added to the value's */
    size_t scratch;   /* one area for whichever node runs */
    size_t total;
} ren__memory_plan;

/* `steps` gives each node's saved and scratch bytes. Arrays are freed by ren__memory_plan_free. */
ren_status ren__memory_plan_make(const ren__graph *graph, const ren__step *steps, int32_t mode, ren__memory_plan *plan);
void ren__memory_plan_free(ren__memory_plan *plan);

#endif
