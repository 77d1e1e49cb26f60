/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification of the selective scan by itself. Recorded are sequences as N, C, L (C channels or states, L tokens) and
 * A, while the operator takes N, L, C and A_log. So that every input gets a gradient, each sequence is the weight of a
 * linear layer without bias whose input is a single 1; the loss is the sum of the output times `dy`.
 */
#include <math.h>
#include <string.h>

#include "format/document.h"
#include "ops/ops.h"
#include "tools/verify.h"

enum { U, DELTA, B, C, Z, SEQUENCES };
static const char *const sequences[SEQUENCES] = { "u", "delta", "B", "C", "z" };
static const char *const sequence_weights[SEQUENCES] = { "u.weight", "delta.weight", "B.weight", "C.weight",
                                                         "z.weight" };
/* The operator's own parameters: A with a formula of its own, the others as they are. */
static const char *const own[3] = { "A", "D", "delta_bias" };
static const char *const own_weights[3] = { "scan.A_log", "scan.D", "scan.dt_proj.bias" };

static const ren__tensor_entry *find(const ren__verification *v, const char *name) {
    char full[32] = "input.";
    strncat(full, name, sizeof full - 8);
    return ren__safetensors_find(v->io, full);
}

/* One sample's C, L turned to L, C or back, for all samples. */
static void turn(int64_t batch, int64_t rows, int64_t columns, const float *from, float *to) {
    for (int64_t n = 0; n < batch; n++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                to[(n * columns + c) * rows + r] = from[(n * rows + r) * columns + c];
}

static ren_status describe(ren__verification *v) {
    ren_status st = REN_OK;
    ren__value one, part[SEQUENCES], y, dy;
    const ren__tensor_entry *u = find(v, "u");
    if (!u || u->rank != 3) return ren__error(REN_E_DATA, "the vector file has no input.u of three axes");
    REN_TRY(ren__graph_create(v->context, &v->graph));
    one = ren__graph_input(v->graph, "one", ren__shape_of(2, (int64_t[]){ 1, 1 }));
    for (int i = 0; i < SEQUENCES; i++) {
        const ren__tensor_entry *entry = find(v, sequences[i]);
        if (!entry || entry->rank != 3)
            REN_FAIL(REN_E_DATA, "the vector file has no input.%s of three axes", sequences[i]);
        part[i] = ren__linear(v->graph, one, sequences[i], (int64_t)entry->count, 1);
        part[i] = ren__reshape(v->graph, part[i],
                               ren__shape_of(3, (int64_t[]){ entry->shape[0], entry->shape[2], entry->shape[1] }));
    }
    y = ren__selective_scan(v->graph, part, "scan");
    ren__graph_output(v->graph, "y", y);
    dy = ren__graph_input(v->graph, "dy", ren__shape_of(3, (int64_t[]){ u->shape[0], u->shape[2], u->shape[1] }));
    y = ren__reshape(v->graph, ren__multiply(v->graph, y, dy), ren__shape_of(2, (int64_t[]){ 1, (int64_t)u->count }));
    y = ren__linear(v->graph, y, "sum", 1, 1);
    ren__graph_output(v->graph, "loss", ren__reshape(v->graph, y, ren__shape_of(0, NULL)));
    REN_TRY(ren__graph_status(v->graph));
out:
    return st;
}

/* input.NAME in the operator's order. */
static ren_status read_input(const ren__verification *v, const char *name, float *to, size_t count) {
    ren_status st = REN_OK;
    ren_context *context = v->context;
    float *values = NULL;
    const ren__tensor_entry *entry = find(v, name);
    if (!entry || entry->count != count)
        REN_FAIL(REN_E_DATA, "the vector file has no input.%s of %zu elements", name, count);
    REN_ALLOC(values, (count ? count : 1) * sizeof *values);
    REN_TRY(ren__safetensors_read_f32(v->io, entry, values, count));
    if (entry->rank == 3)
        turn(entry->shape[0], entry->shape[1], entry->shape[2], values, to);
    else
        memcpy(to, values, count * sizeof *to);
out:
    ren__free(values);
    return st;
}

static ren_status fill_parameter(ren__verification *v, const char *parameter, const char *input) {
    const int32_t index = ren__weights_find(v->weights, parameter);
    return read_input(v, input, ren__weights_data(v->weights, index), ren__weights_elements(v->weights, index));
}

static ren_status fill_parameters(ren__verification *v) {
    ren_status st = REN_OK;
    for (int i = 0; i < SEQUENCES; i++)
        REN_TRY(fill_parameter(v, sequence_weights[i], sequences[i]));
    for (int i = 0; i < 3; i++)
        REN_TRY(fill_parameter(v, own_weights[i], own[i]));
    int32_t index = ren__weights_find(v->weights, own_weights[0]);
    float *a = ren__weights_data(v->weights, index);
    for (size_t i = 0; i < ren__weights_elements(v->weights, index); i++) {
        if (!(a[i] < 0)) REN_FAIL(REN_E_DATA, "input.A: a value that is not below 0: A is -exp of a parameter");
        a[i] = (float)log(-(double)a[i]);
    }
    index = ren__weights_find(v->weights, "sum.weight");
    for (size_t i = 0; i < ren__weights_elements(v->weights, index); i++)
        ren__weights_data(v->weights, index)[i] = 1;
out:
    return st;
}

static ren_status run(ren__verification *v, int32_t mode) {
    ren_status st = REN_OK;
    ren__session_free(v->session);
    v->session = NULL;
    REN_TRY(ren__session_create(v->graph, v->weights, mode, &v->session));
    *ren__session_input(v->session, "one") = 1;
    const ren__shape *shape = ren__graph_shape(v->graph, ren__graph_find_input(v->graph, "dy"));
    REN_TRY(read_input(v, "dy", ren__session_input(v->session, "dy"), (size_t)ren__shape_elements(shape)));
    REN_TRY(ren__session_run(v->session, v->run));
    if (mode == REN__TRAIN) REN_TRY(ren__session_backward(v->session, v->run));
out:
    return st;
}

/* What was computed for a recorded tensor, in the operator's order; NULL: nothing. */
static const float *computed(const ren__verification *v, const char *name, size_t *count) {
    if (strcmp(name, "output.y") == 0) {
        *count = (size_t)ren__shape_elements(ren__session_output_shape(v->session, "y"));
        return ren__session_output(v->session, "y");
    }
    for (int i = 0; i < SEQUENCES + 3; i++) {
        const char *input = i < SEQUENCES ? sequences[i] : own[i - SEQUENCES];
        if (strncmp(name, "grad.", 5) != 0 || strcmp(name + 5, input) != 0) continue;
        const int32_t index =
            ren__weights_find(v->weights, i < SEQUENCES ? sequence_weights[i] : own_weights[i - SEQUENCES]);
        *count = ren__weights_elements(v->weights, index);
        return ren__session_gradient(v->session, index);
    }
    return NULL;
}

static ren_status compare(ren__verification *v, const ren__tensor_entry *entry) {
    ren_status st = REN_OK;
    ren_context *context = v->context;
    float *turned = NULL;
    size_t count = 0;
    const float *ours = computed(v, entry->name, &count);
    if (!ours || count != entry->count) return ren__verify_compare(v, entry, NULL, 0);
    REN_ALLOC(turned, (count ? count : 1) * sizeof *turned);
    if (entry->rank == 3)
        turn(entry->shape[0], entry->shape[2], entry->shape[1], ours, turned);
    else
        memcpy(turned, ours, count * sizeof *turned);
    if (strcmp(entry->name, "grad.A") == 0) { /* A = -exp(A_log), so dA = dA_log / A */
        const float *log_a = ren__weights_read(v->weights, ren__weights_find(v->weights, own_weights[0]));
        for (size_t i = 0; i < count; i++)
            turned[i] = (float)((double)turned[i] / -exp((double)log_a[i]));
    }
    REN_TRY(ren__verify_compare(v, entry, turned, count));
out:
    ren__free(turned);
    return st;
}

static ren_status compare_kind(ren__verification *v, const char *prefix) {
    ren_status st = REN_OK;
    for (size_t i = 0; i < ren__safetensors_count(v->io) && st == REN_OK; i++) {
        const ren__tensor_entry *entry = ren__safetensors_at(v->io, i);
        if (strncmp(entry->name, prefix, strlen(prefix)) == 0) st = compare(v, entry);
    }
    return st;
}

ren_status ren__verify_scan(ren__verification *v) {
    ren_status st = REN_OK;
    const char *kind = "dot", *of = "y", *with = "dy";
    const json_t *softplus = json_object_get(v->config, "delta_softplus");
    if (softplus && !json_is_true(softplus))
        return ren__error(REN_E_UNSUPPORTED, "selective_scan: only steps through softplus are known");
    REN_TRY(ren__get_string(v->loss, "kind", "loss", &kind));
    REN_TRY(ren__get_string(v->loss, "of", "loss", &of));
    REN_TRY(ren__get_string(v->loss, "with", "loss", &with));
    if (strcmp(kind, "dot") != 0 || strcmp(of, "y") != 0 || strcmp(with, "dy") != 0)
        REN_FAIL(REN_E_UNSUPPORTED, "selective_scan: the loss is the sum of y times dy");
    REN_TRY(describe(v));
    REN_TRY(ren__weights_create(v->context, v->graph, &v->weights));
    REN_TRY(fill_parameters(v));
    REN_TRY(run(v, REN__INFER));
    REN_TRY(compare_kind(v, "output."));
    REN_TRY(run(v, REN__TRAIN));
    REN_TRY(compare_kind(v, "train."));
    REN_TRY(compare_kind(v, "grad."));
out:
    return st;
}
