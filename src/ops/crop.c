/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/crop.h"

#include <stdio.h>
#include <string.h>

#include "kernels/linear.h"
#include "ops/background.h"
#include "ops/internal.h"

extern const ren__op ren__conv_op, ren__flatten_op, ren__linear_op;

struct ren__crop {
    ren_context *context; /* held */
    ren__graph *graph;    /* the whole network */
    ren__weights *weights;
    int32_t local_count;         /* nodes of the local chain: nodes[0 .. local_count), then flatten, then linear */
    ren__background *background; /* by node of the chain: of its input; last: of the flatten's input */
    float *base;                 /* the linear layer on the background */
    int64_t stride[3];           /* total */
    size_t bytes;
};

/* Kernel, stride and padding of a local node along one of three axes (missing axes in front: 1, 1, 0). */
static void window_of(const ren__node *node, int32_t axes, int32_t axis, int64_t *kernel, int64_t *stride,
                      int64_t *pad) {
    *kernel = *stride = 1;
    *pad = 0;
    if (node->op->window && axis >= 3 - axes) node->op->window(node, axis - (3 - axes), kernel, stride, pad);
}

static int32_t axes_of(const ren__crop *crop) {
    return ren__graph_shape(crop->graph, ren__graph_node_at(crop->graph, 0)->input[0])->rank - 2;
}

/* The chain must be one, its windows aligned: padding does not exceed what the kernel sees beyond its stride, pooling
 * has no padding and no overlap, and the strides divide every map. */
static int is_alignable(const ren__graph *graph, const ren__node *node, int32_t axes) {
    ren__extent in = ren__extent_of(ren__graph_shape(graph, node->input[0]));
    for (int32_t a = 0; a < 3; a++) {
        int64_t kernel, stride, pad;
        window_of(node, axes, a, &kernel, &stride, &pad);
        if (in.size[a] % stride || kernel - stride - pad < 0) return 0;
        if (node->op != &ren__conv_op && (pad || kernel != stride)) return 0;
    }
    return 1;
}

static ren_status find_chain(ren__crop *crop) {
    const ren__graph *graph = crop->graph;
    int32_t count = ren__graph_node_count(graph), i = 0;
    if (ren__graph_input_count(graph) != 1 || count < 3) goto no;
    ren__value value = ren__graph_find_input(graph, ren__graph_input_name(graph, 0));
    int32_t axes = ren__graph_shape(graph, value)->rank - 2;
    if (axes < 1 || axes > 3 || ren__graph_shape(graph, value)->dim[0] != 1) goto no;
    for (; i < count; i++) {
        const ren__node *node = ren__graph_node_at(graph, i);
        if (node->input_count != 1 || node->input[0] != value || ren__graph_readers(graph, value, NULL) != 1) goto no;
        if (!node->op->window && !node->op->pointwise) break;
        if (!is_alignable(graph, node, axes)) goto no;
        value = node->output;
    }
    if (i == 0 || i + 1 >= count || ren__graph_node_at(graph, i)->op != &ren__flatten_op ||
        ren__graph_node_at(graph, i + 1)->op != &ren__linear_op)
        goto no;
    crop->local_count = i;
    return REN_OK;
no:
    return ren__error(REN_E_UNSUPPORTED, "this network cannot be evaluated on a box alone");
}

static void find_stride(ren__crop *crop) {
    for (int32_t a = 0; a < 3; a++) {
        crop->stride[a] = 1;
        for (int32_t i = 0; i < crop->local_count; i++) {
            int64_t kernel, stride, pad;
            window_of(ren__graph_node_at(crop->graph, i), axes_of(crop), a, &kernel, &stride, &pad);
            crop->stride[a] *= stride;
        }
    }
}

/* The smallest edge (in input voxels) of a volume whose maps still have a cell that no border reaches: each padded
 * convolution lets the border reach further in, each stride brings it nearer. At most the whole edge. */
static int64_t small_edge(const ren__crop *crop, int32_t axis, int64_t whole) {
    int64_t total = crop->stride[axis], edge = total;
    for (int64_t reach = 0, scale = 1, i = 0; i < crop->local_count; i++) {
        int64_t kernel, stride, pad;
        window_of(ren__graph_node_at(crop->graph, (int32_t)i), axes_of(crop), axis, &kernel, &stride, &pad);
        int64_t beyond = pad > kernel - stride - pad ? pad : kernel - stride - pad;
        reach = (reach + beyond + stride - 1) / stride;
        scale *= stride;
        while (edge / scale < 2 * reach + 2)
            edge += total;
    }
    return edge < whole ? edge : whole;
}

/* Whether the value that node `index` of the chain reads (after the last: that the flatten reads) is looked at outside
 * the box. All others may be fused away. */
static int is_looked_at(const ren__crop *crop, int32_t index) {
    int64_t kernel, stride, pad, beyond = 0;
    for (int32_t a = 0; a < 3 && index < crop->local_count; a++) {
        window_of(ren__graph_node_at(crop->graph, index), axes_of(crop), a, &kernel, &stride, &pad);
        beyond += kernel - stride;
    }
    return index == crop->local_count || beyond > 0;
}

/* The chain alone on a volume of this shape; the values that are looked at are its outputs "1", "2", ... */
static ren_status chain_graph(const ren__crop *crop, const ren__shape *shape, ren__graph **out) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    char name[16];
    REN_TRY(ren__graph_create(crop->context, &graph));
    ren__value value = ren__graph_input(graph, "x", *shape);
    for (int32_t i = 0; i < crop->local_count; i++) {
        const ren__node *node = ren__graph_node_at(crop->graph, i);
        value = ren__graph_add_like(graph, crop->graph, node, node->options, &value);
        snprintf(name, sizeof name, "%d", (int)i + 1);
        if (is_looked_at(crop, i + 1)) ren__graph_output(graph, name, value);
    }
    REN_TRY(ren__graph_status(graph));
    *out = graph;
    graph = NULL;
out:
    ren__graph_free(graph);
    return st;
}

static ren_status keep(ren__crop *crop, int32_t index, const float *values, const ren__shape *shape,
                       const int64_t stride[3]) {
    ren_status st = REN_OK;
    ren_context *context = crop->context;
    ren__background *b = &crop->background[index];
    const ren__shape *whole = ren__graph_shape(crop->graph, ren__graph_node_at(crop->graph, index)->input[0]);
    ren__extent small = ren__extent_of(shape), large = ren__extent_of(whole);
    size_t bytes = (size_t)ren__shape_elements(shape) * sizeof *values;
    b->axes = small.axes;
    b->channels = small.channels;
    memcpy(b->size, large.size, sizeof b->size);
    memcpy(b->kept, small.size, sizeof b->kept);
    memcpy(b->stride, stride, sizeof b->stride);
    REN_ALLOC(b->value, bytes);
    memcpy(b->value, values, bytes);
    crop->bytes += bytes;
out:
    return st;
}

/* Runs the chain on a small volume of zeros and keeps every value. */
static ren_status find_background(ren__crop *crop, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = crop->context;
    ren__graph *graph = NULL;
    ren__session *session = NULL;
    char name[16];
    int64_t stride[3] = { 1, 1, 1 };
    int32_t axes = axes_of(crop);
    ren__shape shape = *ren__graph_shape(crop->graph, ren__graph_node_at(crop->graph, 0)->input[0]);
    for (int32_t a = 0; a < axes; a++)
        shape.dim[1 + a] = small_edge(crop, 3 - axes + a, shape.dim[1 + a]);
    REN_TRY(chain_graph(crop, &shape, &graph));
    REN_TRY(ren__session_create(graph, crop->weights, REN__INFER, &session)); /* its input is zero */
    REN_TRY(ren__session_run(session, run));
    REN_CALLOC(crop->background, (size_t)crop->local_count + 1);
    REN_TRY(keep(crop, 0, ren__session_input(session, "x"), &shape, stride));
    for (int32_t i = 0; i < crop->local_count; i++) {
        for (int32_t a = 0; a < 3; a++) {
            int64_t kernel, step, pad;
            window_of(ren__graph_node_at(crop->graph, i), axes, a, &kernel, &step, &pad);
            stride[a] *= step;
        }
        if (!is_looked_at(crop, i + 1)) continue;
        snprintf(name, sizeof name, "%d", (int)i + 1);
        REN_TRY(
            keep(crop, i + 1, ren__session_output(session, name), ren__session_output_shape(session, name), stride));
    }
out:
    ren__session_free(session);
    ren__graph_free(graph);
    return st;
}

/* The linear layer's answer on the whole background, which is laid out for it channels first. */
static ren_status find_base(ren__crop *crop, ren__run *run) {
    ren_status st = REN_OK;
    ren_context *context = crop->context;
    const ren__background *b = &crop->background[crop->local_count];
    const ren__node *linear = ren__graph_node_at(crop->graph, crop->local_count + 1);
    const float *parameter[2] = { NULL, NULL };
    int64_t cells = b->size[0] * b->size[1] * b->size[2];
    ren__linear_shape shape = { 1, cells * b->channels,
                                ren__channels_of(ren__graph_shape(crop->graph, linear->output)) };
    float *flat = NULL;
    for (int32_t i = 0; i < linear->parameter_count && i < 2; i++)
        parameter[i] = ren__weights_read(
            crop->weights,
            ren__weights_find(crop->weights, ren__graph_parameter_at(crop->graph, linear->parameter[i])->name));
    REN_ALLOC(flat, (size_t)shape.inputs * sizeof *flat);
    REN_ALLOC(crop->base, (size_t)shape.outputs * sizeof *crop->base);
    for (int64_t i = 0; i < cells; i++) {
        const float *cell =
            ren__background_cell(b, i / (b->size[1] * b->size[2]), i / b->size[2] % b->size[1], i % b->size[2]);
        for (int64_t c = 0; c < b->channels; c++)
            flat[c * cells + i] = cell[c];
    }
    REN_TRY(ren__linear_forward(context, run, &shape, flat, parameter[0], parameter[1], 0, crop->base));
    REN_TRY(ren__run_check(run));
out:
    ren__free(flat);
    return st;
}

ren_status ren__crop_create(const ren__graph *graph, ren__weights *weights, ren__run *run, ren__crop **out) {
    ren_status st = REN_OK;
    ren__crop *crop = NULL;
    ren_context *context = ren__graph_context(graph);
    REN_CALLOC(crop, 1);
    crop->context = ren__context_retain(context);
    crop->weights = ren__weights_retain(weights);
    REN_TRY(ren__graph_copy(graph, &crop->graph));
    REN_TRY(find_chain(crop));
    find_stride(crop);
    REN_TRY(find_background(crop, run));
    REN_TRY(find_base(crop, run));
    *out = crop;
    return REN_OK;
out:
    ren__crop_free(crop);
    return st;
}

void ren__crop_free(ren__crop *crop) {
    if (!crop) return;
    ren_context *context = crop->context;
    for (int32_t i = 0; crop->background && i <= crop->local_count; i++)
        ren__free(crop->background[i].value);
    ren__free(crop->background);
    ren__free(crop->base);
    ren__graph_free(crop->graph);
    ren__weights_release(crop->weights);
    ren__free(crop);
    ren__context_release(context);
}

size_t ren__crop_bytes(const ren__crop *crop) {
    return crop->bytes;
}

void ren__crop_box(const ren__crop *crop, const int64_t begin[3], const int64_t end[3], int64_t origin[3],
                   int64_t size[3]) {
    for (int32_t a = 0; a < 3; a++) {
        int64_t b = begin[a], e = end[a];
        for (int32_t i = 0; i < crop->local_count; i++) {
            const ren__node *node = ren__graph_node_at(crop->graph, i);
            int64_t kernel, stride, pad;
            int64_t limit = ren__extent_of(ren__graph_shape(crop->graph, node->output)).size[a];
            window_of(node, axes_of(crop), a, &kernel, &stride, &pad);
            int64_t first = b - kernel + 1 + pad; /* of the padded axis: the first window that sees b */
            b = first > 0 ? (first + stride - 1) / stride : 0;
            e = (e - 1 + pad) / stride + 1;
            if (e > limit) e = limit;
            if (b >= e) b = e - 1;
        }
        origin[a] = b * crop->stride[a];
        size[a] = (e - b) * crop->stride[a];
    }
}

/* A node of the chain, on the box: a convolution gets its surroundings from the background instead of padding. */
static ren__value add_local(const ren__crop *crop, ren__graph *graph, int32_t index, ren__value value) {
    const ren__node *node = ren__graph_node_at(crop->graph, index);
    int64_t before[3], after[3];
    int padded = 0;
    for (int32_t a = 0; a < 3; a++) {
        int64_t kernel, stride;
        window_of(node, axes_of(crop), a, &kernel, &stride, &before[a]);
        after[a] = kernel - stride - before[a];
        padded |= before[a] || after[a];
    }
    if (!padded) return ren__graph_add_like(graph, crop->graph, node, node->options, &value);
    value = ren__halo(graph, value, &crop->background[index], before, after);
    return ren__conv_unpadded(graph, crop->graph, node, value);
}

ren_status ren__crop_graph(const ren__crop *crop, const int64_t size[3], ren__graph **out) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    const ren__graph *whole = crop->graph;
    int32_t axes = axes_of(crop), count = ren__graph_node_count(whole);
    const char *input = ren__graph_input_name(whole, 0);
    ren__value *map = NULL;
    ren_context *context = crop->context;
    REN_TRY(ren__graph_create(context, &graph));
    REN_CALLOC(map, (size_t)ren__graph_value_count(whole));
    ren__shape shape = *ren__graph_shape(whole, ren__graph_find_input(whole, input));
    for (int32_t i = 0; i < axes; i++)
        shape.dim[1 + i] = size[3 - axes + i];
    ren__value value = ren__graph_input(graph, input, shape);
    for (int32_t i = 0; i < crop->local_count; i++)
        value = add_local(crop, graph, i, value);
    const ren__node *linear = ren__graph_node_at(whole, crop->local_count + 1);
    const ren__parameter *weight = ren__graph_parameter_at(whole, linear->parameter[0]);
    map[linear->output] = ren__box_linear(graph, value, &crop->background[crop->local_count], crop->base,
                                          ren__graph_share_parameter(graph, weight), weight->shape.dim[0]);
    for (int32_t i = crop->local_count + 2; i < count; i++) {
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
