/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/sparse.h"

#include <stdio.h>
#include <string.h>

#include "kernels/linear.h"
#include "kernels/pooled.h"
#include "ops/active.h"
#include "ops/internal.h"

extern const ren__op ren__conv_op, ren__flatten_op, ren__linear_op;

enum { MAX_BLOCKS = 8 };

typedef struct block {
    const ren__node *conv;
    const ren__node *norm; /* or NULL */
    int32_t relu;
} block;

struct ren__sparse {
    ren_context *context; /* held */
    ren__graph *graph;    /* the whole network; the nodes below are its own */
    ren__shape input;
    int32_t block_count;
    block block[MAX_BLOCKS];
    const ren__node *linear;
    int32_t rest;                           /* the first node after the linear layer */
    int64_t small[3];                       /* edges of the image that the background is found on */
    ren__background background[MAX_BLOCKS]; /* by block: of what it gives */
    float *base;                            /* the linear layer on the background */
};

/* ---- recognising the network ---- */

/* The node at *index, if it is the only reader of *value and of this kind: *value is its output then, and *index moves
 * past it and past what inference leaves out. */
static const ren__node *take(const ren__graph *graph, const ren__op *op, int32_t *index, ren__value *value) {
    const ren__node *node = NULL;
    while (*index < ren__graph_node_count(graph)) {
        const ren__node *next = ren__graph_node_at(graph, *index);
        int left_out = (next->op->flags & REN__SKIPPED_IN_INFERENCE) != 0;
        if (next->input_count != 1 || next->input[0] != *value || ren__graph_readers(graph, *value, NULL) != 1) break;
        if (!left_out && (node || next->op != op)) break;
        if (!left_out) node = next;
        *value = next->output;
        ++*index;
    }
    return node;
}

static int take_block(const ren__graph *graph, int32_t *index, ren__value *value, block *b) {
    ren__conv_shape shape;
    b->conv = take(graph, &ren__conv_op, index, value);
    if (!b->conv || ren__conv_shape_of(graph, b->conv, &shape) != REN_OK) return 0;
    b->norm = take(graph, &ren__batch_norm_op, index, value);
    const ren__node *relu = take(graph, &ren__activate_op, index, value);
    if (relu && ren__activate_kind(relu) != REN__RELU) return 0;
    b->relu = relu != NULL;
    const ren__node *pool = take(graph, &ren__max_pool_op, index, value);
    return pool && ren__pooled_applies(&shape, ren__max_pool_edge(graph, pool));
}

static ren_status recognise(ren__sparse *sparse) {
    const ren__graph *graph = sparse->graph;
    int32_t index = 0;
    if (ren__graph_input_count(graph) != 1) goto no;
    ren__value value = ren__graph_find_input(graph, ren__graph_input_name(graph, 0));
    sparse->input = *ren__graph_shape(graph, value);
    if (sparse->input.rank != 5 || sparse->input.dim[0] != 1 || sparse->input.dim[4] != 1) goto no;
    while (!take(graph, &ren__flatten_op, &index, &value))
        if (sparse->block_count == MAX_BLOCKS ||
            !take_block(graph, &index, &value, &sparse->block[sparse->block_count++]))
            goto no;
    sparse->linear = take(graph, &ren__linear_op, &index, &value);
    if (!sparse->linear || sparse->block_count == 0) goto no;
    for (sparse->rest = 0; ren__graph_node_at(graph, sparse->rest) != sparse->linear;)
        sparse->rest++;
    sparse->rest++;
    return REN_OK;
no:
    return ren__error(REN_E_UNSUPPORTED, "this network cannot be evaluated on active cells alone");
}

static int64_t channels_of(const ren__sparse *sparse, int32_t index) {
    return ren__channels_of(ren__graph_shape(sparse->graph, sparse->block[index].conv->output));
}

static int64_t features_of(const ren__sparse *sparse) {
    return ren__channels_of(ren__graph_shape(sparse->graph, sparse->linear->output));
}

/* Room for the background. At each resolution the border reaches one cell into the map: four cells of the last one, and
 * what lies under them, have all that any size has. */
static ren_status make_room(ren__sparse *sparse) {
    ren_status st = REN_OK;
    ren_context *context = sparse->context;
    for (int a = 0; a < 3; a++) {
        int64_t enough = (int64_t)4 << sparse->block_count, whole = sparse->input.dim[1 + a];
        sparse->small[a] = whole < enough ? whole : enough;
    }
    for (int32_t i = 0; i < sparse->block_count; i++) {
        ren__background *b = &sparse->background[i];
        b->channels = channels_of(sparse, i);
        for (int a = 0; a < 3; a++) {
            b->size[a] = sparse->input.dim[1 + a] >> (i + 1);
            b->kept[a] = sparse->small[a] >> (i + 1);
        }
        REN_CALLOC(b->value, (size_t)(b->kept[0] * b->kept[1] * b->kept[2] * b->channels));
    }
    REN_CALLOC(sparse->base, (size_t)features_of(sparse));
out:
    return st;
}

ren_status ren__sparse_create(const ren__graph *graph, ren__sparse **out) {
    ren_status st = REN_OK;
    ren__sparse *sparse = NULL;
    ren_context *context = ren__graph_context(graph);
    REN_CALLOC(sparse, 1);
    sparse->context = ren__context_retain(context);
    REN_TRY(ren__graph_copy(graph, &sparse->graph));
    REN_TRY(recognise(sparse));
    REN_TRY(make_room(sparse));
    *out = sparse;
    return REN_OK;
out:
    ren__sparse_free(sparse);
    return st;
}

void ren__sparse_free(ren__sparse *sparse) {
    if (!sparse) return;
    ren_context *context = sparse->context;
    for (int32_t i = 0; i < sparse->block_count; i++)
        ren__free(sparse->background[i].value);
    ren__free(sparse->base);
    ren__graph_free(sparse->graph);
    ren__free(sparse);
    ren__context_release(context);
}

/* ---- weights ---- */

/* A parameter of a node of the whole network, among the weights. */
static int32_t weight_of(const ren__sparse *sparse, const ren__weights *weights, const ren__node *node, int32_t i) {
    return ren__weights_find(weights, ren__graph_parameter_at(sparse->graph, node->parameter[i])->name);
}

ren_status ren__sparse_arrange(const ren__sparse *sparse, ren__weights *weights) {
    return ren__weights_arrange(weights, weight_of(sparse, weights, sparse->linear, 0),
                                channels_of(sparse, sparse->block_count - 1));
}

int ren__sparse_arranged(const ren__sparse *sparse, const ren__weights *weights) {
    return ren__weights_arranged(weights, weight_of(sparse, weights, sparse->linear, 0)) ==
           channels_of(sparse, sparse->block_count - 1);
}

/* ---- the graph ---- */

/* Adds a node's parameters to those of a block; returns how many there are now. */
static int32_t share_parameters(const ren__sparse *sparse, ren__graph *graph, const ren__node *node, int32_t count,
                                int32_t parameters[REN__MAX_PARAMETERS]) {
    for (int32_t i = 0; i < node->parameter_count && count < REN__MAX_PARAMETERS; i++)
        parameters[count++] =
            ren__graph_share_parameter(graph, ren__graph_parameter_at(sparse->graph, node->parameter[i]));
    return count;
}

static ren__value add_block(const ren__sparse *sparse, ren__graph *graph, int32_t index, ren__value x, ren__value rows,
                            ren__value reached, ren__value box) {
    const block *b = &sparse->block[index];
    int32_t parameters[REN__MAX_PARAMETERS];
    const int32_t count = share_parameters(sparse, graph, b->conv, 0, parameters);
    if (b->norm) (void)share_parameters(sparse, graph, b->norm, count, parameters);
    const ren__active_block_options options = { .background = index ? &sparse->background[index - 1] : NULL,
                                                .channels = channels_of(sparse, index),
                                                .has_bias = b->conv->parameter_count > 1,
                                                .normed = b->norm != NULL,
                                                .relu = b->relu };
    return ren__active_block(graph, x, rows, reached, box, &options, parameters);
}

/* From the image to what the linear layer gives. */
static ren__value add_active(const ren__sparse *sparse, ren__graph *graph) {
    const char *image = ren__graph_input_name(sparse->graph, 0);
    ren__value x = ren__graph_input(graph, image, sparse->input);
    ren__value box = ren__graph_input(graph, "box", ren__shape_of(1, (int64_t[]){ 6 }));
    ren__value rows = ren__active_rows(graph, x, box);
    for (int32_t i = 0; i < sparse->block_count; i++) {
        ren__value reached = ren__reached_rows(graph, rows, sparse->input.dim[3] >> i);
        x = add_block(sparse, graph, i, x, rows, reached, i ? REN__NONE : box);
        rows = reached;
    }
    const ren__parameter *weight = ren__graph_parameter_at(sparse->graph, sparse->linear->parameter[0]);
    return ren__active_linear(graph, x, rows, &sparse->background[sparse->block_count - 1], sparse->base,
                              ren__graph_share_parameter(graph, weight), weight->shape.dim[0]);
}

ren_status ren__sparse_graph(const ren__sparse *sparse, ren__graph **out) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    const ren__graph *whole = sparse->graph;
    ren__value *map = NULL;
    ren_context *context = sparse->context;
    REN_TRY(ren__graph_create(context, &graph));
    REN_CALLOC(map, (size_t)ren__graph_value_count(whole));
    map[sparse->linear->output] = add_active(sparse, graph);
    for (int32_t i = sparse->rest; i < ren__graph_node_count(whole); i++) {
        const ren__node *node = ren__graph_node_at(whole, i);
        ren__value inputs[REN__MAX_INPUTS];
        for (int32_t k = 0; k < node->input_count; k++)
            inputs[k] = map[node->input[k]];
        map[node->output] = ren__graph_add_like(graph, whole, node, node->options, inputs);
    }
    for (int32_t i = 0; i < ren__graph_output_count(whole); i++) {
        const char *name = ren__graph_output_name(whole, i);
        ren__graph_output(graph, name, map[ren__graph_find_output(whole, name)]);
    }
    REN_TRY(ren__graph_status(graph));
    *out = graph;
    graph = NULL;
out:
    ren__free(map);
    ren__graph_free(graph);
    return st;
}

/* ---- the background ---- */

/* The blocks on an image in which every voxel counts as active; block i's map is the output "i", the active rows of its
 * input are the input "rows i". */
static ren_status whole_graph(const ren__sparse *sparse, const int64_t size[3], ren__graph **out) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    char name[32];
    REN_TRY(ren__graph_create(sparse->context, &graph));
    ren__value x = ren__graph_input(graph, "x", ren__shape_of(5, (int64_t[]){ 1, size[0], size[1], size[2], 1 }));
    ren__value rows = ren__graph_input(graph, "rows 0", ren__shape_of(4, (int64_t[]){ 1, size[0], size[1], 2 }));
    for (int32_t i = 0; i < sparse->block_count; i++) {
        int64_t reached_shape[] = { 1, size[0] >> (i + 1), size[1] >> (i + 1), 2 };
        snprintf(name, sizeof name, "rows %d", (int)i + 1);
        ren__value reached = ren__graph_input(graph, name, ren__shape_of(4, reached_shape));
        x = add_block(sparse, graph, i, x, rows, reached, REN__NONE);
        snprintf(name, sizeof name, "%d", (int)i);
        ren__graph_output(graph, name, x);
        rows = reached;
    }
    REN_TRY(ren__graph_status(graph));
    *out = graph;
    graph = NULL;
out:
    ren__graph_free(graph);
    return st;
}

static void activate_all(const ren__sparse *sparse, ren__session *session) {
    const int64_t *size = sparse->small;
    char name[32];
    for (int32_t i = 0; i <= sparse->block_count; i++) {
        snprintf(name, sizeof name, "rows %d", (int)i);
        float *rows = ren__session_input(session, name);
        for (int64_t k = 0; k < (size[0] >> i) * (size[1] >> i); k++)
            rows[2 * k + 1] = (float)(size[2] >> i);
    }
}

/* Runs the blocks on a small image of zeros and keeps what they give. */
static ren_status find_background(ren__sparse *sparse, ren__weights *weights, ren__run *run) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__session *session = NULL;
    char name[32];
    REN_TRY(whole_graph(sparse, sparse->small, &graph));
    REN_TRY(ren__session_create(graph, weights, REN__INFER, &session)); /* its input is zero */
    activate_all(sparse, session);
    REN_TRY(ren__session_run(session, run));
    for (int32_t i = 0; i < sparse->block_count; i++) {
        snprintf(name, sizeof name, "%d", (int)i);
        const int64_t count = ren__shape_elements(ren__session_output_shape(session, name));
        memcpy(sparse->background[i].value, ren__session_output(session, name), (size_t)count * sizeof(float));
    }
out:
    ren__session_free(session);
    ren__graph_free(graph);
    return st;
}

/* The linear layer's answer on the whole background. */
static ren_status find_base(ren__sparse *sparse, const ren__weights *weights, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = sparse->context;
    const ren__background *b = &sparse->background[sparse->block_count - 1];
    const ren__node *linear = sparse->linear;
    const float *matrix = ren__weights_read(weights, weight_of(sparse, weights, linear, 0));
    const float *bias =
        linear->parameter_count > 1 ? ren__weights_read(weights, weight_of(sparse, weights, linear, 1)) : NULL;
    ren__linear_shape shape = { 1, b->size[0] * b->size[1] * b->size[2] * b->channels, features_of(sparse) };
    float *flat = NULL, *to;
    REN_ALLOC(flat, (size_t)shape.inputs * sizeof *flat);
    to = flat;
    for (int64_t d = 0; d < b->size[0]; d++)
        for (int64_t h = 0; h < b->size[1]; h++)
            for (int64_t w = 0; w < b->size[2]; w++, to += b->channels)
                memcpy(to, ren__background_cell(b, d, h, w), (size_t)b->channels * sizeof *to);
    REN_TRY(ren__linear_forward(context, run, &shape, flat, matrix, bias, 0, sparse->base));
    REN_TRY(ren__run_check(run));
out:
    ren__free(flat);
    return st;
}

ren_status ren__sparse_prepare(ren__sparse *sparse, ren__weights *weights, ren__run *run) {
    ren_status st = find_background(sparse, weights, run);
    if (st == REN_OK) st = find_base(sparse, weights, run);
    return st;
}
