/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions over oneDNN 2.x. Backward with respect to data, at stride 1, is a forward convolution with flipped and
 * transposed weights: oneDNN's forward kernels for channels-last are the faster ones. At other strides it is oneDNN's
 * own backward kernel, one call a sample. In bfloat16 each slab's source is rounded on its way: what is read twice
 * where slabs meet costs less than a second map in memory.
 */
#include <omp.h>
#include <string.h>

#include "kernels/bfloat.h"
#include "kernels/conv.h"
#include "kernels/onednn.h"

enum { MAX_VARIANTS = 8, MAX_GROUPS_OF_SLABS = 16, CHANNELS_FOR_BFLOAT = 8 };
enum { SRC, WEIGHTS, BIAS, DST, SCRATCH, ROLES };
static const size_t SLAB_BYTES = (size_t)1
                                 << 20; /* of output: with its input it stays in a core's second-level cache */

/* Kernels for slabs of one form. Memory objects are each thread's own, because setting their pointers is a write. */
typedef struct variant {
    int64_t planes, front, back, in_planes; /* output planes, padding before and behind, input planes read */
    dnnl_primitive_desc_t descriptor;
    dnnl_primitive_t primitive;
    dnnl_memory_t (*memory)[ROLES]; /* by thread */
    size_t scratch_bytes;
} variant;

typedef struct slab {
    int64_t begin, planes, in_begin;
    int32_t variant;
} slab;

struct ren__convolution {
    ren_context *context;
    ren__conv_shape shape; /* of the convolution that is run: turned round for backward data at stride 1 */
    ren__conv_shape given;
    int32_t direction, flipped, relu, threads;
    int32_t unsuited; /* oneDNN has no kernel but its reference for a form of slab */
    variant variants[MAX_VARIANTS];
    int32_t variant_count;
    slab *slabs;                                      /* of one sample */
    int64_t slab_count, largest_slab, largest_source; /* largest: output floats, input planes */
    dnnl_memory_desc_t packed;
    dnnl_stream_t *streams; /* by thread */
    size_t scratch_bytes;   /* of oneDNN, of one thread */
};

static size_t round_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static size_t weight_elements(const ren__conv_shape *s) {
    return (size_t)(s->out_channels * (s->in_channels / s->groups) * s->kernel[0] * s->kernel[1] * s->kernel[2]);
}

/* O, I/groups, D, H, W of the convolution with respect to data: groups keep their place, inputs and outputs change
 * places, every axis of the kernel is reversed. */
static void flip_weights(const ren__conv_shape *given, const float *weights, float *flipped) {
    int64_t outputs = given->out_channels / given->groups, inputs = given->in_channels / given->groups;
    int64_t taps = given->kernel[0] * given->kernel[1] * given->kernel[2];
    for (int64_t g = 0; g < given->groups; g++)
        for (int64_t o = 0; o < outputs; o++)
            for (int64_t i = 0; i < inputs; i++) {
                const float *from = weights + ((g * outputs + o) * inputs + i) * taps;
                float *to = flipped + ((g * inputs + i) * outputs + o) * taps;
                for (int64_t t = 0; t < taps; t++)
                    to[taps - 1 - t] = from[t];
            }
}

/* ---- making ---- */

int ren__conv_bfloat_gains(const ren__conv_shape *shape) {
    return shape->in_channels / shape->groups >= CHANNELS_FOR_BFLOAT;
}

static int is_bfloat(const ren__convolution *conv) {
    return conv->direction == REN__CONV_FORWARD_BFLOAT;
}

static ren_status weight_descriptor(const ren__conv_shape *s, dnnl_data_type_t type, dnnl_format_tag_t plain,
                                    dnnl_memory_desc_t *out) {
    dnnl_dims_t dims = { s->out_channels, s->in_channels, s->kernel[0], s->kernel[1], s->kernel[2] };
    dnnl_dims_t grouped = {
        s->groups, s->out_channels / s->groups, s->in_channels / s->groups, s->kernel[0], s->kernel[1], s->kernel[2]
    };
    dnnl_format_tag_t tag = plain == dnnl_format_tag_any ? plain : s->groups > 1 ? dnnl_goidhw : dnnl_oidhw;
    return ren__onednn_check(
        dnnl_memory_desc_init_by_tag(out, s->groups > 1 ? 6 : 5, s->groups > 1 ? grouped : dims, type, tag),
        "dnnl_memory_desc_init_by_tag");
}

/* Without a neighbourhood the cells are rows of a matrix product. Its kernels want them along the last axis, and choose
 * the layout of weights by their number: a last slab of fewer would be left to oneDNN's reference kernel, which takes
 * longer than all the others together. So it is computed whole, and what is beyond the end is dropped. */
static int is_joined(const ren__convolution *conv) {
    const ren__conv_shape *s = &conv->shape;
    int others = !is_bfloat(conv);
    for (int i = 0; i < 3; i++)
        others |= s->kernel[i] != 1 || s->stride[i] != 1 || s->pad[i] != 0;
    return !others;
}

static void join_axes(dnnl_dims_t dims) {
    dims[4] *= dims[2] * dims[3];
    dims[2] = dims[3] = 1;
}

/* The primitive descriptor of a slab form. The packed layout is chosen by the first variant and kept for the others. */
static ren_status describe_variant(ren__convolution *conv, variant *v, dnnl_engine_t engine,
                                   dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t *hint) {
    ren_status st = REN_OK;
    const ren__conv_shape *s = &conv->shape;
    dnnl_dims_t src_dims = { 1, s->in_channels, v->in_planes, s->in[1], s->in[2] };
    dnnl_dims_t dst_dims = { 1, s->out_channels, v->planes, s->out[1], s->out[2] };
    dnnl_dims_t bias_dims = { s->out_channels }, stride = { s->stride[0], s->stride[1], s->stride[2] };
    dnnl_dims_t pad = { v->front, s->pad[1], s->pad[2] }, end = { v->back, 0, 0 };
    dnnl_memory_desc_t src, dst, bias, weights = conv->packed;
    dnnl_convolution_desc_t descriptor;
    const dnnl_data_type_t type = is_bfloat(conv) ? dnnl_bf16 : dnnl_f32;
    int first = v == conv->variants;
    for (int i = 1; i < 3; i++)
        end[i] = (s->out[i] - 1) * s->stride[i] + s->kernel[i] - s->in[i] - s->pad[i];
    if (is_joined(conv)) {
        join_axes(src_dims);
        join_axes(dst_dims);
    }
    REN_DNNL(dnnl_memory_desc_init_by_tag(&src, 5, src_dims, type, dnnl_ndhwc));
    REN_DNNL(dnnl_memory_desc_init_by_tag(&dst, 5, dst_dims, dnnl_f32, dnnl_ndhwc));
    REN_DNNL(dnnl_memory_desc_init_by_tag(&bias, 1, bias_dims, dnnl_f32, dnnl_a));
    if (first) REN_TRY(weight_descriptor(s, type, dnnl_format_tag_any, &weights));
    dnnl_prop_kind_t kind = conv->direction == REN__CONV_FORWARD || is_bfloat(conv) || conv->flipped
                                ? dnnl_forward_inference
                                : dnnl_forward_training;
    REN_DNNL(dnnl_convolution_forward_desc_init(&descriptor, kind, dnnl_convolution_direct, &src, &weights, &bias, &dst,
                                                stride, pad, end));
    REN_DNNL(dnnl_primitive_desc_create(hint, &descriptor, attributes, engine, NULL));
    if (kind == dnnl_forward_inference) {
        v->descriptor = *hint;
        *hint = NULL;
        return REN_OK;
    }
    if (conv->direction == REN__CONV_BACKWARD_DATA)
        REN_DNNL(dnnl_convolution_backward_data_desc_init(&descriptor, dnnl_convolution_direct, &src, &weights, &dst,
                                                          stride, pad, end));
    else
        REN_DNNL(dnnl_convolution_backward_weights_desc_init(&descriptor, dnnl_convolution_direct, &src, &weights,
                                                             &bias, &dst, stride, pad, end));
    REN_DNNL(dnnl_primitive_desc_create(&v->descriptor, &descriptor, attributes, engine, *hint));
out:
    return st;
}

static ren_status make_memories(ren__convolution *conv, variant *v, dnnl_engine_t engine) {
    ren_status st = REN_OK;
    ren_context *context = conv->context;
    int backward_data = conv->direction == REN__CONV_BACKWARD_DATA && !conv->flipped;
    int backward_weights = conv->direction == REN__CONV_BACKWARD_WEIGHTS;
    const dnnl_query_t query[ROLES] = { backward_data ? dnnl_query_diff_src_md : dnnl_query_src_md,
                                        backward_weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md,
                                        backward_weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md,
                                        backward_data || backward_weights ? dnnl_query_diff_dst_md : dnnl_query_dst_md,
                                        dnnl_query_scratchpad_md };
    REN_CALLOC(v->memory, (size_t)conv->threads);
    for (int32_t t = 0; t < conv->threads; t++)
        for (int role = 0; role < ROLES; role++) {
            const dnnl_memory_desc_t *d =
                dnnl_primitive_desc_query_md(v->descriptor, query[role], role == BIAS ? 1 : 0);
            if (role == BIAS && backward_data) continue;
            REN_DNNL(dnnl_memory_create(&v->memory[t][role], d, engine, DNNL_MEMORY_NONE));
        }
    v->scratch_bytes = dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(v->descriptor, query[SCRATCH], 0));
    if (v->scratch_bytes > conv->scratch_bytes) conv->scratch_bytes = v->scratch_bytes;
out:
    return st;
}

static ren_status make_variant(ren__convolution *conv, variant *v) {
    ren_status st = REN_OK;
    dnnl_engine_t engine = NULL;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t post = NULL;
    dnnl_primitive_desc_t hint = NULL;
    const char *kernel = "";
    REN_TRY(ren__onednn_engine(&engine));
    REN_TRY(ren__onednn_headroom((size_t)8 << 20)); /* descriptors and generated code: under 1 MB each */
    REN_DNNL(dnnl_primitive_attr_create(&attributes));
    REN_DNNL(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user));
    if (conv->relu) {
        REN_DNNL(dnnl_post_ops_create(&post));
        REN_DNNL(dnnl_post_ops_append_eltwise(post, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f));
        REN_DNNL(dnnl_primitive_attr_set_post_ops(attributes, post));
    }
    REN_TRY(describe_variant(conv, v, engine, attributes, &hint));
    REN_DNNL(dnnl_primitive_desc_query(v->descriptor, dnnl_query_impl_info_str, 0, &kernel));
    conv->unsuited |= strncmp(kernel, "ref", 3) == 0;
    REN_DNNL(dnnl_primitive_create(&v->primitive, v->descriptor));
    REN_TRY(make_memories(conv, v, engine));
    if (v == conv->variants)
        conv->packed = *dnnl_primitive_desc_query_md(
            v->descriptor,
            conv->direction == REN__CONV_BACKWARD_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
out:
    if (hint) dnnl_primitive_desc_destroy(hint);
    if (post) dnnl_post_ops_destroy(post);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    return st;
}

/* Output planes of a slab. In bfloat16 slabs are as equal as can be, because the last may be computed whole. */
static int64_t slab_height(const ren__convolution *conv, int64_t planes) {
    const ren__conv_shape *s = &conv->shape;
    const int64_t plane_bytes = s->out[1] * s->out[2] * s->out_channels * (int64_t)sizeof(float);
    int64_t height = planes;
    if (conv->direction == REN__CONV_BACKWARD_DATA && !conv->flipped) return s->out[0];
    while ((height + planes) * plane_bytes <= (int64_t)SLAB_BYTES && (height + planes) * 4 <= s->out[0])
        height += planes;
    if (planes == 1 && height == 1 && s->out[0] >= 4) height = 2; /* single planes waste the halo */
    if (!is_bfloat(conv)) return height;
    const int64_t count = (s->out[0] + height - 1) / height, units = (s->out[0] + planes - 1) / planes;
    return (units + count - 1) / count * planes;
}

/* Cuts a sample's output planes into slabs and collects their forms: first, inner, last, remainder. */
static ren_status cut(ren__convolution *conv, int64_t planes) {
    ren_status st = REN_OK;
    ren_context *context = conv->context;
    const ren__conv_shape *s = &conv->shape;
    const int64_t height = slab_height(conv, planes);
    const int whole = conv->direction == REN__CONV_BACKWARD_DATA && !conv->flipped, joined = is_joined(conv);
    conv->largest_slab = height * s->out[1] * s->out[2] * s->out_channels;
    conv->slab_count = (s->out[0] + height - 1) / height;
    REN_CALLOC(conv->slabs, (size_t)conv->slab_count);
    for (int64_t i = 0; i < conv->slab_count; i++) {
        slab *p = &conv->slabs[i];
        variant v = { 0 };
        p->begin = i * height;
        p->planes = v.planes = s->out[0] - p->begin < height ? s->out[0] - p->begin : height;
        int64_t from = p->begin * s->stride[0] - s->pad[0];
        int64_t to = (p->begin + v.planes - 1) * s->stride[0] - s->pad[0] + s->kernel[0];
        v.front = from < 0 ? -from : 0;
        v.back = to > s->in[0] ? to - s->in[0] : 0;
        p->in_begin = from < 0 ? 0 : from;
        v.in_planes = (to > s->in[0] ? s->in[0] : to) - p->in_begin;
        if (whole) v.in_planes = s->in[0], v.back = to - s->in[0];
        if (joined) v.in_planes = v.planes = height;
        if (v.in_planes > conv->largest_source) conv->largest_source = v.in_planes;
        for (p->variant = 0; p->variant < conv->variant_count; p->variant++) {
            const variant *known = &conv->variants[p->variant];
            if (known->planes == v.planes && known->front == v.front && known->back == v.back) break;
        }
        if (p->variant == MAX_VARIANTS)
            REN_FAIL(REN_E_UNSUPPORTED, "a convolution with padding %lld and kernel %lld is out of range",
                     (long long)s->pad[0], (long long)s->kernel[0]);
        if (p->variant == conv->variant_count) conv->variants[conv->variant_count++] = v;
    }
out:
    return st;
}

/* The convolution whose forward pass is the backward pass with respect to data. */
static ren__conv_shape turn_round(const ren__conv_shape *s) {
    ren__conv_shape r = *s;
    r.in_channels = s->out_channels;
    r.out_channels = s->in_channels;
    for (int i = 0; i < 3; i++) {
        r.in[i] = s->out[i];
        r.out[i] = s->in[i];
        r.pad[i] = s->kernel[i] - 1 - s->pad[i];
    }
    return r;
}

static ren_status make_variants(ren__convolution *conv, int64_t planes) {
    const int width = omp_get_max_threads();
    ren_status st = cut(conv, planes);
    omp_set_num_threads(1); /* kernels are made for the number of threads they are made under */
    for (int32_t i = 0; i < conv->variant_count && st == REN_OK; i++)
        st = make_variant(conv, &conv->variants[i]);
    omp_set_num_threads(width);
    return st;
}

static void free_variants(ren__convolution *conv) {
    for (int32_t i = 0; i < conv->variant_count; i++) {
        variant *v = &conv->variants[i];
        for (int32_t t = 0; v->memory && t < conv->threads; t++)
            for (int role = 0; role < ROLES; role++)
                if (v->memory[t][role]) dnnl_memory_destroy(v->memory[t][role]);
        ren__free(v->memory);
        if (v->primitive) dnnl_primitive_destroy(v->primitive);
        if (v->descriptor) dnnl_primitive_desc_destroy(v->descriptor);
    }
    ren__free(conv->slabs);
    conv->slabs = NULL;
    conv->variant_count = 0;
}

ren_status ren__conv_create(ren_context *context, const ren__conv_shape *shape, int32_t direction, int32_t relu,
                            int64_t planes, ren__convolution **out) {
    ren_status st = REN_OK;
    ren__convolution *conv = NULL;
    dnnl_engine_t engine = NULL;
    REN_CALLOC(conv, 1);
    conv->context = context;
    conv->given = *shape;
    conv->direction = direction;
    conv->relu = relu;
    conv->threads = context->threads;
    conv->flipped =
        direction == REN__CONV_BACKWARD_DATA && shape->stride[0] == 1 && shape->stride[1] == 1 && shape->stride[2] == 1;
    conv->shape = conv->flipped ? turn_round(shape) : *shape;
    REN_TRY(make_variants(conv, planes));
    if (is_bfloat(conv) && conv->unsuited) { /* float is faster than the reference */
        free_variants(conv);
        conv->direction = REN__CONV_FORWARD;
        conv->scratch_bytes = 0;
        REN_TRY(make_variants(conv, planes));
    }
    REN_TRY(ren__onednn_engine(&engine));
    REN_CALLOC(conv->streams, (size_t)conv->threads);
    for (int32_t t = 0; t < conv->threads; t++)
        REN_DNNL(dnnl_stream_create(&conv->streams[t], engine, dnnl_stream_default_flags));
    *out = conv;
    return REN_OK;
out:
    ren__conv_free(conv);
    return st;
}

void ren__conv_free(ren__convolution *conv) {
    if (!conv) return;
    free_variants(conv);
    for (int32_t t = 0; conv->streams && t < conv->threads; t++)
        if (conv->streams[t]) dnnl_stream_destroy(conv->streams[t]);
    ren__free(conv->streams);
    ren__free(conv);
}

/* ---- packing ---- */

const void *ren__conv_packing(const ren__convolution *conv, size_t *bytes) {
    *bytes = sizeof conv->packed;
    return &conv->packed;
}

size_t ren__conv_packed_bytes(const ren__convolution *conv) {
    return round_up(dnnl_memory_desc_get_size(&conv->packed));
}

static ren_status reorder(const dnnl_memory_desc_t *from, const void *src, const dnnl_memory_desc_t *to, void *dst) {
    ren_status st = REN_OK;
    dnnl_engine_t engine = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_primitive_desc_t descriptor = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t source = NULL, target = NULL;
    union {
        const void *constant;
        void *plain;
    } pointer = { .constant = src }; /* oneDNN takes no const pointers; it does not write here */
    REN_TRY(ren__onednn_engine(&engine));
    REN_TRY(ren__onednn_headroom(dnnl_memory_desc_get_size(to) + ((size_t)2 << 20)));
    REN_DNNL(dnnl_reorder_primitive_desc_create(&descriptor, from, engine, to, engine, NULL));
    REN_DNNL(dnnl_primitive_create(&primitive, descriptor));
    REN_DNNL(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    REN_DNNL(dnnl_memory_create(&source, from, engine, pointer.plain));
    REN_DNNL(dnnl_memory_create(&target, to, engine, dst));
    dnnl_exec_arg_t arguments[] = { { DNNL_ARG_FROM, source }, { DNNL_ARG_TO, target } };
    REN_DNNL(dnnl_primitive_execute(primitive, stream, 2, arguments));
    REN_DNNL(dnnl_stream_wait(stream));
out:
    if (target) dnnl_memory_destroy(target);
    if (source) dnnl_memory_destroy(source);
    if (stream) dnnl_stream_destroy(stream);
    if (primitive) dnnl_primitive_destroy(primitive);
    if (descriptor) dnnl_primitive_desc_destroy(descriptor);
    return st;
}

ren_status ren__conv_pack(const ren__convolution *conv, const float *weights, void *packed) {
    ren_status st = REN_OK;
    ren_context *context = conv->context;
    float *flipped = NULL;
    dnnl_memory_desc_t plain;
    REN_TRY(weight_descriptor(&conv->shape, dnnl_f32, dnnl_oidhw, &plain));
    if (conv->flipped) {
        REN_ALLOC(flipped, weight_elements(&conv->given) * sizeof(float));
        flip_weights(&conv->given, weights, flipped);
        weights = flipped;
    }
    REN_TRY(reorder(&plain, weights, &conv->packed, packed));
out:
    ren__free(flipped);
    return st;
}

/* ---- running ---- */

typedef struct job {
    const ren__convolution *conv;
    const float *src, *bias;
    float *dst; /* the output, or (backward data) the source's gradient, or NULL with `after` */
    void *weights;
    uint8_t *scratch;
    size_t scratch_stride;
    ren__slab_fn after;
    void *argument;
    float *parts; /* backward weights: partial sums, one set a group of slabs */
    size_t part_floats;
    int64_t groups;
    atomic_int failed; /* a dnnl_status_t */
} job;

/* oneDNN's pointers are not const; what it only reads it does not write. */
static void *writable(const void *pointer) {
    union {
        const void *constant;
        void *plain;
    } u = { .constant = pointer };
    return u.plain;
}

static dnnl_status_t point(dnnl_memory_t memory, void *pointer) {
    void *before = NULL;
    dnnl_memory_get_data_handle(memory, &before);
    return before == pointer ? dnnl_success : dnnl_memory_set_data_handle(memory, pointer);
}

static size_t in_plane(const ren__conv_shape *s) {
    return (size_t)(s->in[1] * s->in[2] * s->in_channels);
}

static size_t out_plane(const ren__conv_shape *s) {
    return (size_t)(s->out[1] * s->out[2] * s->out_channels);
}

static size_t kept_bytes(const ren__convolution *conv) {
    return round_up((size_t)conv->largest_slab * sizeof(float));
}

static size_t rounded_bytes(const ren__convolution *conv) {
    return round_up((size_t)conv->largest_source * in_plane(&conv->shape) * sizeof(uint16_t));
}

/* oneDNN's scratch, the slab that `after` takes, and the source in bfloat16; or for backward weights the thread's own
 * result: for one thread. */
static size_t thread_scratch(const ren__convolution *conv) {
    size_t bytes = round_up(conv->scratch_bytes);
    if (conv->direction == REN__CONV_BACKWARD_WEIGHTS)
        return bytes + ren__conv_packed_bytes(conv) + round_up((size_t)conv->shape.out_channels * sizeof(float));
    return bytes + kept_bytes(conv) + (is_bfloat(conv) ? rounded_bytes(conv) : 0);
}

/* A slab's source in the thread's scratch, rounded to bfloat16. */
static uint16_t *round_source(const ren__convolution *conv, int64_t planes, const float *src, uint8_t *scratch) {
    uint16_t *rounded = (uint16_t *)(void *)(scratch + round_up(conv->scratch_bytes) + kept_bytes(conv));
    ren__to_bfloat(conv->context, src, planes * (int64_t)in_plane(&conv->shape), rounded);
    return rounded;
}

static void run_slab(job *j, int64_t item, int32_t thread) {
    const ren__convolution *conv = j->conv;
    const ren__conv_shape *s = &conv->shape;
    int64_t sample = item / conv->slab_count;
    const slab *p = &conv->slabs[item % conv->slab_count];
    const variant *v = &conv->variants[p->variant];
    dnnl_memory_t *m = v->memory[thread];
    uint8_t *scratch = j->scratch + (size_t)thread * j->scratch_stride;
    float *kept = (float *)(void *)(scratch + round_up(conv->scratch_bytes));
    size_t in = ((size_t)(sample * s->in[0] + p->in_begin)) * in_plane(s);
    size_t out = ((size_t)(sample * s->out[0] + p->begin)) * out_plane(s);
    int backward = conv->direction == REN__CONV_BACKWARD_DATA && !conv->flipped;
    const int dropping = p->planes < v->planes;
    float *result = j->after || dropping ? kept : j->dst + (backward ? in : out);
    dnnl_status_t status = point(m[WEIGHTS], j->weights);
    dnnl_exec_arg_t arguments[5] = { { DNNL_ARG_WEIGHTS, m[WEIGHTS] }, { DNNL_ARG_SCRATCHPAD, m[SCRATCH] } };
    if (status == dnnl_success) status = point(m[SCRATCH], scratch);
    if (backward) {
        arguments[2] = (dnnl_exec_arg_t){ DNNL_ARG_DIFF_SRC, m[SRC] };
        arguments[3] = (dnnl_exec_arg_t){ DNNL_ARG_DIFF_DST, m[DST] };
        if (status == dnnl_success) status = point(m[SRC], result);
        if (status == dnnl_success) status = point(m[DST], writable(j->src + out));
    } else {
        arguments[2] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, m[SRC] };
        arguments[3] = (dnnl_exec_arg_t){ DNNL_ARG_DST, m[DST] };
        arguments[4] = (dnnl_exec_arg_t){ DNNL_ARG_BIAS, m[BIAS] };
        const int64_t planes = dropping ? p->planes : v->in_planes; /* dropped rows come from anything */
        void *src = is_bfloat(conv) ? (void *)round_source(conv, planes, j->src + in, scratch) : writable(j->src + in);
        if (status == dnnl_success) status = point(m[SRC], src);
        if (status == dnnl_success) status = point(m[DST], result);
        if (status == dnnl_success) status = point(m[BIAS], writable(j->bias));
    }
    if (status == dnnl_success)
        status = dnnl_primitive_execute(v->primitive, conv->streams[thread], backward ? 4 : 5, arguments);
    if (status == dnnl_success) status = dnnl_stream_wait(conv->streams[thread]);
    if (status != dnnl_success)
        atomic_store(&j->failed, (int)status);
    else if (j->after)
        j->after(j->argument, kept, sample, p->begin, p->planes);
    else if (dropping)
        memcpy(j->dst + out, kept, (size_t)p->planes * out_plane(s) * sizeof *kept);
}

static void run_slabs(void *argument, int64_t begin, int64_t end, int32_t thread) {
    for (int64_t item = begin; item < end; item++)
        run_slab(argument, item, thread);
}

/* Bias that a convolution without one is given. */
static size_t zero_bias_bytes(const ren__convolution *conv) {
    return round_up((size_t)conv->shape.out_channels * sizeof(float));
}

static size_t part_bytes(const ren__convolution *conv) {
    return ren__conv_packed_bytes(conv) + zero_bias_bytes(conv);
}

/* Partial sums of the weights' gradient: as many as keep them small, the same for every number of threads. */
static int64_t slab_groups(const ren__convolution *conv) {
    int64_t slabs = conv->slab_count * conv->shape.batch,
            groups = slabs < MAX_GROUPS_OF_SLABS ? slabs : MAX_GROUPS_OF_SLABS;
    while (groups > 4 && part_bytes(conv) * (size_t)groups > ((size_t)64 << 20))
        groups /= 2;
    return groups;
}

size_t ren__conv_scratch_bytes(const ren__convolution *conv) {
    size_t bytes = (size_t)conv->threads * thread_scratch(conv) + zero_bias_bytes(conv);
    if (conv->direction == REN__CONV_BACKWARD_WEIGHTS) bytes += part_bytes(conv) * (size_t)slab_groups(conv);
    return bytes;
}

static ren_status run_job(job *j, ren__run *run) {
    const ren__convolution *conv = j->conv;
    j->scratch_stride = thread_scratch(conv);
    atomic_init(&j->failed, dnnl_success);
    ren__parallel_for(conv->context, run, conv->slab_count * conv->shape.batch, 1, run_slabs, j);
    return ren__onednn_check((dnnl_status_t)atomic_load(&j->failed), "convolution");
}

ren_status ren__conv_forward(const ren__convolution *conv, ren__run *run, const float *src, const void *packed,
                             const float *bias, float *dst, void *scratch, ren__slab_fn after, void *argument) {
    if (!bias) {
        float *zeros = (float *)(void *)((uint8_t *)scratch + (size_t)conv->threads * thread_scratch(conv));
        memset(zeros, 0, zero_bias_bytes(conv));
        bias = zeros;
    }
    job j = { .conv = conv,
              .src = src,
              .bias = bias,
              .dst = dst,
              .weights = writable(packed),
              .scratch = scratch,
              .after = after,
              .argument = argument };
    return run_job(&j, run);
}

ren_status ren__conv_backward_data(const ren__convolution *conv, ren__run *run, const float *diff_dst,
                                   const void *packed, float *diff_src, void *scratch) {
    return ren__conv_forward(conv, run, diff_dst, packed, NULL, diff_src, scratch, NULL, NULL);
}

/* All slabs of one group, one after the other, summed into the group's part. */
static void run_group(void *argument, int64_t begin, int64_t end, int32_t thread) {
    job *j = argument;
    const ren__convolution *conv = j->conv;
    const ren__conv_shape *s = &conv->shape;
    int64_t items = conv->slab_count * s->batch;
    uint8_t *scratch = j->scratch + (size_t)thread * j->scratch_stride;
    float *own = (float *)(void *)(scratch + round_up(conv->scratch_bytes));
    float *own_bias = (float *)(void *)((uint8_t *)own + ren__conv_packed_bytes(conv));
    for (int64_t group = begin; group < end; group++) {
        float *part = j->parts + (size_t)group * j->part_floats;
        memset(part, 0, j->part_floats * sizeof *part);
        for (int64_t item = group * items / j->groups; item < (group + 1) * items / j->groups; item++) {
            const slab *p = &conv->slabs[item % conv->slab_count];
            const variant *v = &conv->variants[p->variant];
            dnnl_memory_t *m = v->memory[thread];
            int64_t sample = item / conv->slab_count;
            const float *src = j->src + (size_t)(sample * s->in[0] + p->in_begin) * in_plane(s);
            const float *dst = j->dst + (size_t)(sample * s->out[0] + p->begin) * out_plane(s);
            void *const pointers[ROLES] = { writable(src), own, own_bias, writable(dst), scratch };
            dnnl_exec_arg_t arguments[ROLES] = { { DNNL_ARG_SRC, m[SRC] },
                                                 { DNNL_ARG_DIFF_WEIGHTS, m[WEIGHTS] },
                                                 { DNNL_ARG_DIFF_BIAS, m[BIAS] },
                                                 { DNNL_ARG_DIFF_DST, m[DST] },
                                                 { DNNL_ARG_SCRATCHPAD, m[SCRATCH] } };
            dnnl_status_t status = dnnl_success;
            for (int role = 0; role < ROLES && status == dnnl_success; role++)
                status = point(m[role], pointers[role]);
            if (status == dnnl_success)
                status = dnnl_primitive_execute(v->primitive, conv->streams[thread], ROLES, arguments);
            if (status == dnnl_success) status = dnnl_stream_wait(conv->streams[thread]);
            if (status != dnnl_success) atomic_store(&j->failed, (int)status);
            for (size_t i = 0; i < j->part_floats; i++) /* weights and bias lie one behind the other in both */
                part[i] += own[i];
        }
    }
}

ren_status ren__conv_backward_weights(const ren__convolution *conv, ren__run *run, const float *src,
                                      const float *diff_dst, float *diff_weights, float *diff_bias, void *scratch) {
    ren_status st = REN_OK;
    dnnl_memory_desc_t plain;
    job j = { .conv = conv, .src = src, .dst = writable(diff_dst), .scratch = scratch };
    j.scratch_stride = thread_scratch(conv);
    j.groups = slab_groups(conv);
    j.part_floats = part_bytes(conv) / sizeof(float);
    j.parts = (float *)(void *)((uint8_t *)scratch + (size_t)conv->threads * j.scratch_stride + zero_bias_bytes(conv));
    atomic_init(&j.failed, dnnl_success);
    ren__parallel_for(conv->context, run, j.groups, 1, run_group, &j);
    REN_TRY(ren__onednn_check((dnnl_status_t)atomic_load(&j.failed), "convolution, backward"));
    REN_TRY(ren__run_check(run));
    for (int64_t group = 1; group < j.groups; group++)
        for (size_t i = 0; i < j.part_floats; i++)
            j.parts[i] += j.parts[(size_t)group * j.part_floats + i];
    REN_TRY(weight_descriptor(&conv->shape, dnnl_f32, dnnl_oidhw, &plain));
    REN_TRY(reorder(&conv->packed, j.parts, &plain, diff_weights));
    if (diff_bias)
        memcpy(diff_bias, (uint8_t *)j.parts + ren__conv_packed_bytes(conv),
               (size_t)conv->shape.out_channels * sizeof(float));
out:
    return st;
}
