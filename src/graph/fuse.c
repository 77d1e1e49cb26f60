/* SPDX-License-Identifier: Apache-2.0 */
/* Rewriting a graph for a mode. What can be taken together is known by the operators (`absorb`), not here. */
#include <string.h>

#include "graph/internal.h"

int32_t ren__graph_readers(const ren__graph *graph, ren__value value, const ren__node **last) {
    int32_t readers = 0;
    for (int32_t i = 0; i < graph->node_count; i++)
        for (int32_t k = 0; k < graph->nodes[i]->input_count; k++)
            if (graph->nodes[i]->input[k] == value) {
                readers++;
                if (last) *last = graph->nodes[i];
            }
    for (int32_t i = 0; i < graph->output_count; i++)
        readers += graph->outputs[i].value == value;
    return readers;
}

static void remove_node(ren__graph *graph, int32_t index) {
    graph->node_count--;
    memmove(&graph->nodes[index], &graph->nodes[index + 1], (size_t)(graph->node_count - index) * sizeof *graph->nodes);
}

static void redirect(ren__graph *graph, ren__value from, ren__value to) {
    for (int32_t i = 0; i < graph->node_count; i++)
        for (int32_t k = 0; k < graph->nodes[i]->input_count; k++)
            if (graph->nodes[i]->input[k] == from) graph->nodes[i]->input[k] = to;
    for (int32_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].value == from) graph->outputs[i].value = to;
}

static void drop_identities(ren__graph *graph) {
    for (int32_t i = graph->node_count - 1; i >= 0; i--) {
        const ren__node *node = graph->nodes[i];
        if (!(node->op->flags & REN__SKIPPED_IN_INFERENCE)) continue;
        ren__value from = node->output, to = node->input[0];
        remove_node(graph, i);
        redirect(graph, from, to);
    }
}

static int32_t node_position(const ren__graph *graph, const ren__node *node) {
    for (int32_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i] == node) return i;
    return -1;
}

ren_status ren__graph_fuse(ren__graph *graph, int32_t mode) {
    if (mode == REN__INFER) drop_identities(graph);
    for (int32_t i = 0; i < graph->node_count; i++) {
        ren__node *node = graph->nodes[i];
        while (node->op->absorb) {
            const ren__node *next = NULL;
            if (ren__graph_readers(graph, node->output, &next) != 1 || !next || next->input[0] != node->output ||
                !node->op->absorb(graph, node, next, mode))
                break;
            node->output = next->output;
            graph->tensors[node->output].producer = node;
            remove_node(graph, node_position(graph, next));
        }
    }
    return REN_OK;
}
