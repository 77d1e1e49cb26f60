/* SPDX-License-Identifier: Apache-2.0 */
/* The description of a network: values, nodes, parameters, named ends. */
#include "graph/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

ren__shape ren__shape_of(int32_t rank, const int64_t *dims) {
    ren__shape shape = { 0 };
    shape.rank = rank;
    for (int32_t i = 0; i < rank; i++)
        shape.dim[i] = dims[i];
    return shape;
}

int64_t ren__shape_elements(const ren__shape *shape) {
    int64_t count = 1;
    for (int32_t i = 0; i < shape->rank; i++)
        count *= shape->dim[i];
    return count;
}

int ren__shape_equal(const ren__shape *a, const ren__shape *b) {
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

ren_status ren__graph_create(ren_context *context, ren__graph **out) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    REN_CALLOC(graph, 1);
    graph->context = ren__context_retain(context);
    REN_TRY(ren__arena_create(context, &graph->arena));
    *out = graph;
    return REN_OK;
out:
    ren__graph_free(graph);
    return st;
}

void ren__graph_free(ren__graph *graph) {
    if (!graph) return;
    ren_context *context = graph->context;
    ren__free(graph->tensors);
    ren__free(graph->nodes);
    ren__free(graph->parameters);
    ren__free(graph->inputs);
    ren__free(graph->outputs);
    ren__arena_free(graph->arena);
    ren__free(graph);
    ren__context_release(context);
}

ren_status ren__graph_status(const ren__graph *graph) {
    return graph->status == REN_OK ? REN_OK : ren__error(graph->status, "%s", graph->message);
}

ren__value ren__graph_fail(ren__graph *graph, ren_status status, const char *format, ...) {
    if (graph->status != REN_OK) return REN__NONE;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(graph->message, sizeof graph->message, format, arguments);
    va_end(arguments);
    graph->status = status;
    return REN__NONE;
}

static ren__value out_of_memory(ren__graph *graph) {
    return ren__graph_fail(graph, ren__out_of_memory(), "no memory for the network's description");
}

/* Room for one more item; `items` points to the array pointer. */
static int grow(ren__graph *graph, void *items, int32_t count, int32_t *room, size_t item_size) {
    if (graph->status != REN_OK) return 0;
    if (count < *room) return 1;
    int32_t wanted = *room ? *room * 2 : 16;
    void *old, *larger;
    memcpy(&old, items, sizeof old);
    larger = ren__realloc(graph->context, old, (size_t)wanted * item_size);
    if (!larger) {
        out_of_memory(graph);
        return 0;
    }
    memcpy(items, &larger, sizeof larger);
    *room = wanted;
    return 1;
}

static const char *copy_name(ren__graph *graph, const char *name) {
    const char *copy = ren__arena_strdup(graph->arena, name);
    if (!copy) out_of_memory(graph);
    return copy;
}

static int shape_is_sound(const ren__shape *shape) {
    int64_t count = 1;
    if (shape->rank < 0 || shape->rank > REN__MAX_RANK) return 0;
    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 1 || shape->dim[i] > (INT64_C(1) << 40) / count) return 0;
        count *= shape->dim[i];
    }
    return 1;
}

static ren__value add_tensor(ren__graph *graph, ren__shape shape, const char *name, ren__node *producer) {
    if (!shape_is_sound(&shape))
        return ren__graph_fail(graph, REN_E_INVALID, "%s: a tensor of no or more than 2^40 elements",
                               producer ? producer->op->name : name);
    if (!grow(graph, &graph->tensors, graph->tensor_count, &graph->tensor_room, sizeof *graph->tensors))
        return REN__NONE;
    graph->tensors[graph->tensor_count] = (ren__tensor){ shape, name, producer };
    return graph->tensor_count++;
}

static void add_end(ren__graph *graph, ren__end **ends, int32_t *count, int32_t *room, const char *name,
                    ren__value value) {
    if (grow(graph, ends, *count, room, sizeof **ends)) (*ends)[(*count)++] = (ren__end){ name, value };
}

ren__value ren__graph_input(ren__graph *graph, const char *name, ren__shape shape) {
    if (graph->status != REN_OK || !(name = copy_name(graph, name))) return REN__NONE;
    ren__value value = add_tensor(graph, shape, name, NULL);
    if (value != REN__NONE) add_end(graph, &graph->inputs, &graph->input_count, &graph->input_room, name, value);
    return graph->status == REN_OK ? value : REN__NONE;
}

void ren__graph_output(ren__graph *graph, const char *name, ren__value value) {
    if (graph->status != REN_OK || !(name = copy_name(graph, name))) return;
    if (value < 0) {
        ren__graph_fail(graph, REN_E_INTERNAL, "output %s has no value", name);
        return;
    }
    add_end(graph, &graph->outputs, &graph->output_count, &graph->output_room, name, value);
}

static ren__value find_end(const ren__end *ends, int32_t count, const char *name) {
    for (int32_t i = 0; i < count; i++)
        if (strcmp(ends[i].name, name) == 0) return ends[i].value;
    return REN__NONE;
}

ren__value ren__graph_find_input(const ren__graph *graph, const char *name) {
    return find_end(graph->inputs, graph->input_count, name);
}

ren__value ren__graph_find_output(const ren__graph *graph, const char *name) {
    return find_end(graph->outputs, graph->output_count, name);
}

int32_t ren__graph_input_count(const ren__graph *graph) {
    return graph->input_count;
}

const char *ren__graph_input_name(const ren__graph *graph, int32_t index) {
    return index >= 0 && index < graph->input_count ? graph->inputs[index].name : NULL;
}

int32_t ren__graph_output_count(const ren__graph *graph) {
    return graph->output_count;
}

const char *ren__graph_output_name(const ren__graph *graph, int32_t index) {
    return index >= 0 && index < graph->output_count ? graph->outputs[index].name : NULL;
}

/* The shape of a value; of REN__NONE (in a description that has failed) an empty one. */
const ren__shape *ren__graph_shape(const ren__graph *graph, ren__value value) {
    static const ren__shape nothing = { 0 };
    return value >= 0 && value < graph->tensor_count ? &graph->tensors[value].shape : &nothing;
}

int32_t ren__graph_parameter_count(const ren__graph *graph) {
    return graph->parameter_count;
}

const ren__parameter *ren__graph_parameter_at(const ren__graph *graph, int32_t index) {
    return &graph->parameters[index];
}

int32_t ren__graph_share_parameter(ren__graph *graph, const ren__parameter *parameter) {
    if (graph->status != REN_OK) return -1;
    for (int32_t i = 0; i < graph->parameter_count; i++)
        if (strcmp(graph->parameters[i].name, parameter->name) == 0) {
            if (ren__shape_equal(&graph->parameters[i].shape, &parameter->shape)) return i;
            return ren__graph_fail(graph, REN_E_INTERNAL, "parameter %s is used with two shapes", parameter->name);
        }
    const char *copy = copy_name(graph, parameter->name);
    if (!copy ||
        !grow(graph, &graph->parameters, graph->parameter_count, &graph->parameter_room, sizeof *graph->parameters))
        return -1;
    graph->parameters[graph->parameter_count] = *parameter;
    graph->parameters[graph->parameter_count].name = copy;
    return graph->parameter_count++;
}

int32_t ren__graph_parameter(ren__graph *graph, const char *name, const char *suffix, ren__shape shape,
                             ren__initialiser initialiser, int trained) {
    char full[256];
    if (snprintf(full, sizeof full, "%s%s%s", name, *suffix ? "." : "", suffix) >= (int)sizeof full)
        return ren__graph_fail(graph, REN_E_INVALID, "the parameter name %.64s... is too long", name);
    return ren__graph_share_parameter(graph, &(ren__parameter){ full, shape, initialiser, trained });
}

ren__value ren__graph_add(ren__graph *graph, const ren__op *op, const void *options, const ren__value *inputs,
                          int32_t input_count, const int32_t *parameters, int32_t parameter_count) {
    if (graph->status != REN_OK) return REN__NONE;
    if (input_count > REN__MAX_INPUTS || parameter_count > REN__MAX_PARAMETERS)
        return ren__graph_fail(graph, REN_E_UNSUPPORTED, "%s: %d inputs are too many", op->name, (int)input_count);
    ren__node *node = ren__arena_alloc(graph->arena, sizeof *node);
    if (node) node->options = ren__arena_alloc(graph->arena, op->option_bytes ? op->option_bytes : 1);
    if (!node || !node->options) return out_of_memory(graph);
    node->op = op;
    node->index = graph->described++;
    if (op->option_bytes) memcpy(node->options, options, op->option_bytes);
    for (int32_t i = 0; i < input_count; i++)
        node->input[i] = inputs[i];
    for (int32_t i = 0; i < parameter_count; i++)
        node->parameter[i] = parameters[i];
    node->input_count = input_count;
    node->parameter_count = parameter_count;
    ren__shape shape = { 0 };
    ren_status st = op->infer(graph, node, &shape);
    if (st != REN_OK) return ren__graph_fail(graph, st, "%s", ren_error_message());
    node->output = add_tensor(graph, shape, NULL, node);
    if (node->output == REN__NONE ||
        !grow(graph, &graph->nodes, graph->node_count, &graph->node_room, sizeof *graph->nodes))
        return REN__NONE;
    graph->nodes[graph->node_count++] = node;
    return node->output;
}

ren__value ren__graph_add_like(ren__graph *graph, const ren__graph *other, const ren__node *node, const void *options,
                               const ren__value *inputs) {
    int32_t parameters[REN__MAX_PARAMETERS];
    for (int32_t i = 0; i < node->parameter_count; i++) {
        parameters[i] = ren__graph_share_parameter(graph, &other->parameters[node->parameter[i]]);
    }
    return ren__graph_add(graph, node->op, options, inputs, node->input_count, parameters, node->parameter_count);
}

int32_t ren__graph_value_count(const ren__graph *graph) {
    return graph->tensor_count;
}

ren_context *ren__graph_context(const ren__graph *graph) {
    return graph->context;
}

int32_t ren__graph_node_count(const ren__graph *graph) {
    return graph->node_count;
}

const ren__node *ren__graph_node_at(const ren__graph *graph, int32_t index) {
    return graph->nodes[index];
}

void ren__graph_keep_float(ren__graph *graph) {
    graph->keeps_float = 1;
}

int64_t ren__graph_parameters(const ren__graph *graph) {
    int64_t count = 0;
    for (int32_t i = 0; i < graph->parameter_count; i++)
        if (graph->parameters[i].trained) count += ren__shape_elements(&graph->parameters[i].shape);
    return count;
}

double ren__node_flops(const ren__graph *graph, const ren__node *node) {
    return node->op->flops ? node->op->flops(graph, node)
                           : (double)ren__shape_elements(ren__graph_shape(graph, node->output));
}

double ren__graph_flops(const ren__graph *graph) {
    double total = 0;
    for (int32_t i = 0; i < graph->node_count; i++)
        total += ren__node_flops(graph, graph->nodes[i]);
    return total;
}

static int copy_items(ren__graph *graph, void *items, const void *source, int32_t count, int32_t *room,
                      size_t item_size) {
    if (count == 0) return 1;
    void *block = ren__alloc_array(graph->context, (size_t)count, item_size);
    if (!block) return 0;
    memcpy(block, source, (size_t)count * item_size);
    memcpy(items, &block, sizeof block);
    *room = count;
    return 1;
}

ren_status ren__graph_copy(const ren__graph *graph, ren__graph **out) {
    ren_status st = REN_OK;
    ren__graph *copy = NULL;
    REN_TRY(ren__graph_status(graph));
    REN_TRY(ren__graph_create(graph->context, &copy));
    if (!copy_items(copy, &copy->tensors, graph->tensors, graph->tensor_count, &copy->tensor_room,
                    sizeof *copy->tensors) ||
        !copy_items(copy, &copy->nodes, graph->nodes, graph->node_count, &copy->node_room, sizeof *copy->nodes) ||
        !copy_items(copy, &copy->parameters, graph->parameters, graph->parameter_count, &copy->parameter_room,
                    sizeof *copy->parameters) ||
        !copy_items(copy, &copy->inputs, graph->inputs, graph->input_count, &copy->input_room, sizeof *copy->inputs) ||
        !copy_items(copy, &copy->outputs, graph->outputs, graph->output_count, &copy->output_room,
                    sizeof *copy->outputs)) {
        st = ren__out_of_memory();
        goto out;
    }
    copy->tensor_count = graph->tensor_count;
    copy->parameter_count = graph->parameter_count;
    copy->input_count = graph->input_count;
    copy->output_count = graph->output_count;
    copy->described = graph->described;
    copy->keeps_float = graph->keeps_float;
    for (int32_t i = 0; i < graph->node_count; i++) {
        ren__node *node = ren__arena_alloc(copy->arena, sizeof *node);
        size_t bytes = graph->nodes[i]->op->option_bytes;
        if (node) *node = *graph->nodes[i];
        if (node) node->options = ren__arena_alloc(copy->arena, bytes ? bytes : 1);
        if (!node || !node->options) {
            st = ren__out_of_memory();
            goto out;
        }
        memcpy(node->options, graph->nodes[i]->options, bytes);
        copy->tensors[node->output].producer = node;
        copy->nodes[copy->node_count++] = node;
    }
    for (int32_t i = 0; i < copy->parameter_count; i++)
        if (!(copy->parameters[i].name = ren__arena_strdup(copy->arena, graph->parameters[i].name))) goto memory;
    for (int32_t i = 0; i < copy->input_count; i++) {
        if (!(copy->inputs[i].name = ren__arena_strdup(copy->arena, graph->inputs[i].name))) goto memory;
        copy->tensors[copy->inputs[i].value].name = copy->inputs[i].name;
    }
    for (int32_t i = 0; i < copy->output_count; i++)
        if (!(copy->outputs[i].name = ren__arena_strdup(copy->arena, graph->outputs[i].name))) goto memory;
    *out = copy;
    return REN_OK;
memory:
    st = ren__out_of_memory();
out:
    ren__graph_free(copy);
    return st;
}
