/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a session: every tensor gets a place in one block for the time it is needed.
 *
 * Time: node i of n runs forward at i and backward at 2n - 1 - i. Places are given first-fit in the order of size,
 * largest first, which on chains of shrinking tensors is within a few per cent of the largest concurrent need.
 */
#include <stdlib.h>
#include <string.h>

#include "graph/internal.h"

enum { ALIGNMENT = 64 };

/* One tensor's stay: [begin, end] in time, `bytes` long, its place written to *offset. */
typedef struct item {
    int32_t begin, end;
    size_t bytes, place;
    size_t *offset;
} item;

typedef struct items {
    item *list;
    int32_t count, room;
} items;

static size_t round_up(size_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t value_bytes(const ren__graph *graph, ren__value value) {
    return round_up((size_t)ren__shape_elements(ren__graph_shape(graph, value)) * sizeof(float));
}

static void add_item(items *all, int32_t begin, int32_t end, size_t bytes, size_t *offset) {
    if (bytes) all->list[all->count++] = (item){ begin, end, bytes, 0, offset };
}

static int larger_first(const void *left, const void *right) {
    const item *a = left, *b = right;
    if (a->bytes != b->bytes) return a->bytes < b->bytes ? 1 : -1;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* First-fit: the lowest place that no item of overlapping time uses. Quadratic in the number of items, once. */
static size_t place_items(items *all) {
    size_t total = 0;
    qsort(all->list, (size_t)all->count, sizeof *all->list, larger_first);
    for (int32_t i = 0; i < all->count; i++) {
        item *mine = &all->list[i];
        size_t place = 0;
        for (int moved = 1; moved;) {
            moved = 0;
            for (int32_t k = 0; k < i; k++) {
                const item *other = &all->list[k];
                if (other->begin > mine->end || other->end < mine->begin) continue;
                if (place < other->place + other->bytes && other->place < place + mine->bytes) {
                    place = other->place + other->bytes;
                    moved = 1;
                }
            }
        }
        mine->place = place;
        *mine->offset = place;
        if (place + mine->bytes > total) total = place + mine->bytes;
    }
    return total;
}

/* Which values a gradient has to reach: they depend on a trained parameter, and the loss depends on them. */
static void find_wanted(const ren__graph *graph, uint8_t *wanted) {
    enum { FROM_PARAMETER = 1, TO_LOSS = 2 };
    ren__value loss = ren__graph_find_output(graph, "loss");
    for (int32_t i = 0; i < graph->node_count; i++) {
        const ren__node *node = graph->nodes[i];
        uint8_t from = 0;
        for (int32_t k = 0; k < node->parameter_count; k++)
            from |= graph->parameters[node->parameter[k]].trained != 0;
        for (int32_t k = 0; k < node->input_count; k++)
            from |= wanted[node->input[k]] & FROM_PARAMETER;
        wanted[node->output] = node->op->flags & REN__NO_GRADIENT ? 0 : from;
    }
    if (loss != REN__NONE) wanted[loss] |= TO_LOSS;
    for (int32_t i = graph->node_count - 1; i >= 0; i--) {
        const ren__node *node = graph->nodes[i];
        if (!(wanted[node->output] & TO_LOSS) || node->op->flags & REN__NO_GRADIENT) continue;
        for (int32_t k = 0; k < node->input_count; k++)
            wanted[node->input[k]] |= TO_LOSS;
    }
    for (ren__value v = 0; v < graph->tensor_count; v++)
        wanted[v] = wanted[v] == (FROM_PARAMETER | TO_LOSS);
}

static int is_output(const ren__graph *graph, ren__value value) {
    for (int32_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i].value == value) return 1;
    return 0;
}

/* The last time a value is read; its first is when it is written. Inputs and outputs stay for the whole run. */
static void value_life(const ren__graph *graph, ren__value value, int32_t mode, int32_t *begin, int32_t *end) {
    int32_t n = graph->node_count, last = 2 * n;
    *begin = 0;
    *end = 0;
    if (!graph->tensors[value].producer || is_output(graph, value)) {
        *end = last;
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        const ren__node *node = graph->nodes[i];
        int32_t backward = 2 * n - 1 - i;
        if (node->output == value) {
            *begin = i;
            if (*end < i) *end = i;
            if (mode == REN__TRAIN && node->op->flags & REN__KEEPS_OUTPUT) *end = backward;
        }
        for (int32_t k = 0; k < node->input_count; k++) {
            if (node->input[k] != value) continue;
            int32_t use = mode == REN__TRAIN && node->op->flags & REN__KEEPS_INPUT ? backward : i;
            if (*end < use) *end = use;
        }
    }
}

/* The node that may write its result over `value`: its last reader, through input 0, where nothing else needs it. */
static int may_overwrite(const ren__graph *graph, const ren__node *node, int32_t mode) {
    uint32_t flags = node->op->flags;
    ren__value value = node->input[0];
    if (!(flags & REN__IN_PLACE) || ren__graph_readers(graph, value, NULL) != 1) return 0;
    const ren__node *producer = graph->tensors[value].producer;
    if (!producer || value_bytes(graph, value) != value_bytes(graph, node->output)) return 0;
    if (mode == REN__INFER) return 1;
    return !(flags & REN__KEEPS_INPUT) && !(producer->op->flags & REN__KEEPS_OUTPUT);
}

/* Values that share a place: a chain of in-place nodes is one item under the first value of the chain. */
static void plan_values(const ren__graph *graph, int32_t mode, ren__memory_plan *plan, ren__value *owner, items *all) {
    for (ren__value v = 0; v < graph->tensor_count; v++)
        owner[v] = v;
    for (int32_t i = 0; i < graph->node_count; i++)
        if (may_overwrite(graph, graph->nodes[i], mode))
            owner[graph->nodes[i]->output] = owner[graph->nodes[i]->input[0]];
    for (ren__value v = 0; v < graph->tensor_count; v++) {
        if (owner[v] != v) continue;
        int32_t begin, end, used = !graph->tensors[v].producer;
        value_life(graph, v, mode, &begin, &end);
        for (int32_t i = 0; i < graph->node_count; i++)
            used |= graph->nodes[i]->output == v;
        for (ren__value w = v + 1; w < graph->tensor_count; w++) {
            int32_t other_begin, other_end;
            if (owner[w] != v) continue;
            value_life(graph, w, mode, &other_begin, &other_end);
            if (other_end > end) end = other_end;
        }
        if (used) add_item(all, begin, end, value_bytes(graph, v), &plan->value[v]);
    }
}

/* Gradients live from the backward of the value's last reader to the backward of its producer; readers that lead to no
 * loss have none. One that may lie over the value itself (an input that nobody needs any more) takes no place of its
 * own. */
static void plan_gradients(const ren__graph *graph, ren__memory_plan *plan, const uint8_t *wanted, ren__value *shares,
                           items *all) {
    int32_t n = graph->node_count;
    for (ren__value v = 0; v < graph->tensor_count; v++)
        shares[v] = REN__NONE;
    for (int32_t i = 0; i < n; i++) {
        const ren__node *node = graph->nodes[i];
        int32_t begin = 2 * n - 1 - i, readers = 0;
        ren__value v = node->output;
        const ren__node *reader = NULL;
        if (!wanted[v]) continue;
        for (int32_t k = i + 1; k < n; k++)
            for (int32_t j = 0; j < graph->nodes[k]->input_count; j++)
                if (graph->nodes[k]->input[j] == v && wanted[graph->nodes[k]->output]) {
                    begin = 2 * n - 1 - k < begin ? 2 * n - 1 - k : begin;
                    readers++;
                    reader = graph->nodes[k];
                }
        uint32_t kept = node->op->flags & REN__KEEPS_OUTPUT;
        if (readers == 1 && reader->input[0] == v && reader->op->flags & REN__GRADIENT_IN_PLACE && !kept &&
            !is_output(graph, v))
            shares[v] = v;
        else
            add_item(all, begin, 2 * n - 1 - i, value_bytes(graph, v), &plan->gradient[v]);
        if (readers > 1) /* each reader after the first writes beside, and is added */
            for (int32_t k = i + 1; k < n; k++)
                for (int32_t j = 0; j < graph->nodes[k]->input_count; j++)
                    if (graph->nodes[k]->input[j] == v && wanted[graph->nodes[k]->output])
                        add_item(all, 2 * n - 1 - k, 2 * n - 1 - k, value_bytes(graph, v),
                                 &plan->partial[k * REN__MAX_INPUTS + j]);
    }
}

/* A gradient over its value keeps that value's place for as long as the gradient is needed. */
static void extend_shared(const ren__graph *graph, const ren__memory_plan *plan, const ren__value *shares,
                          const ren__value *owner, items *all) {
    for (ren__value v = 0; v < graph->tensor_count; v++) {
        if (shares[v] == REN__NONE) continue;
        for (int32_t i = 0; i < all->count; i++)
            if (all->list[i].offset == &plan->value[owner[v]])
                for (int32_t k = 0; k < graph->node_count; k++)
                    if (graph->nodes[k]->output == v && all->list[i].end < 2 * graph->node_count - 1 - k)
                        all->list[i].end = 2 * graph->node_count - 1 - k;
    }
}

static ren_status allocate_plan(const ren__graph *graph, ren__memory_plan *plan, items *all, ren__value **owner,
                                ren__value **shares, uint8_t **wanted) {
    ren_status st = REN_OK;
    ren_context *context = graph->context;
    size_t values = (size_t)graph->tensor_count + 1, nodes = (size_t)graph->node_count + 1;
    REN_CALLOC(plan->value, values);
    REN_CALLOC(plan->gradient, values);
    REN_CALLOC(plan->saved, nodes);
    REN_CALLOC(plan->partial, nodes * REN__MAX_INPUTS);
    REN_CALLOC(*owner, values);
    REN_CALLOC(*shares, values);
    REN_CALLOC(*wanted, values);
    all->room = (int32_t)(2 * values + nodes * (REN__MAX_INPUTS + 2));
    REN_CALLOC(all->list, (size_t)all->room);
    for (size_t i = 0; i < values; i++)
        plan->value[i] = plan->gradient[i] = REN__NOWHERE;
    for (size_t i = 0; i < nodes; i++)
        plan->saved[i] = REN__NOWHERE;
    for (size_t i = 0; i < nodes * REN__MAX_INPUTS; i++)
        plan->partial[i] = REN__NOWHERE;
out:
    return st;
}

ren_status ren__memory_plan_make(const ren__graph *graph, const ren__step *steps, int32_t mode,
                                 ren__memory_plan *plan) {
    ren_status st = REN_OK;
    items all = { 0 };
    ren__value *owner = NULL, *shares = NULL;
    uint8_t *wanted = NULL;
    size_t scratch = 0;
    int32_t n = graph->node_count;
    memset(plan, 0, sizeof *plan);
    REN_TRY(allocate_plan(graph, plan, &all, &owner, &shares, &wanted));
    plan_values(graph, mode, plan, owner, &all);
    if (mode == REN__TRAIN) {
        find_wanted(graph, wanted);
        plan_gradients(graph, plan, wanted, shares, &all);
        extend_shared(graph, plan, shares, owner, &all);
    }
    for (int32_t i = 0; i < n; i++) {
        add_item(&all, i, mode == REN__TRAIN ? 2 * n - 1 - i : i, round_up(steps[i].saved_bytes), &plan->saved[i]);
        if (steps[i].scratch_bytes > scratch) scratch = steps[i].scratch_bytes;
    }
    plan->scratch = place_items(&all);
    plan->total = plan->scratch + round_up(scratch);
    for (ren__value v = 0; v < graph->tensor_count; v++) {
        plan->value[v] = plan->value[owner[v]];
        if (mode == REN__TRAIN && shares[v] != REN__NONE) plan->gradient[v] = plan->value[v];
    }
out:
    ren__free(all.list);
    ren__free(owner);
    ren__free(shares);
    ren__free(wanted);
    if (st != REN_OK) ren__memory_plan_free(plan);
    return st;
}

void ren__memory_plan_free(ren__memory_plan *plan) {
    ren__free(plan->value);
    ren__free(plan->gradient);
    ren__free(plan->saved);
    ren__free(plan->partial);
    memset(plan, 0, sizeof *plan);
}
