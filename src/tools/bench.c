/* SPDX-License-Identifier: Apache-2.0 */
/* Timing of a network: whole passes, and on request every operator. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"
#include "format/document.h"
#include "kernels/kernels.h"
#include "moe/model_file.h"
#include "nets/nets.h"
#include "ren_tools.h"
#include "train/optimiser.h"

enum { MAX_RUNS = 1000, MATMUL_SIZE = 2048 };
static const double LEARNING_RATE = 1e-4;

ren_status ren_bench_options_init(ren_bench_options *options, size_t size) {
    static const ren_bench_options defaults = { .struct_size = sizeof defaults, .arch = "cnn" };
    REN_REQUIRE(options && size >= sizeof options->struct_size);
    memset(options, 0, size);
    memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
    options->struct_size = size;
    return REN_OK;
}

typedef struct benchmark {
    ren_context *context;
    ren__run *run;
    ren_bench_options o;
    ren__graph *graph;
    ren__weights *weights;
    ren__session *session;
    ren__optimiser *optimiser; /* of a training step */
    float **parameters;        /* trained ones, and their gradients */
    const float **gradients;
    double *seconds, *forward, *backward;
    double matmul;
} benchmark;

/* The optimiser that the CNN is trained with, over all trained parameters. */
static ren_status make_optimiser(benchmark *b) {
    ren_status st = REN_OK;
    ren_context *context = b->context;
    const ren__optimiser_options options = REN__OPTIMISER_OPTIONS_INIT;
    int32_t count = ren__weights_count(b->weights), trained = 0;
    size_t *elements = NULL;
    REN_CALLOC(b->parameters, (size_t)count);
    REN_CALLOC(b->gradients, (size_t)count);
    REN_CALLOC(elements, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        if (!ren__weights_trained(b->weights, i)) continue;
        b->parameters[trained] = ren__weights_data(b->weights, i);
        b->gradients[trained] = ren__session_gradient(b->session, i);
        elements[trained++] = ren__weights_elements(b->weights, i);
    }
    REN_TRY(ren__optimiser_create(context, &options, elements, trained, &b->optimiser));
out:
    ren__free(elements);
    return st;
}

static ren_status build(benchmark *b) {
    ren_status st = REN_OK;
    const ren__net *net = ren__net_find(b->o.arch);
    json_t *loss = NULL, *config = NULL;
    if (!net) return ren__error(REN_E_NOT_FOUND, "there is no architecture %s in this version", b->o.arch);
    int size = (int)b->o.size;
    config = json_pack("{s:[i,i,i]}", "input_size", size, size, size);
    if (b->o.train) loss = json_pack("{s:s,s:f}", "kind", "cross_entropy", "label_smoothing", 0.05);
    if (!config || (b->o.train && !loss)) REN_FAIL(REN_E_MEMORY, "no memory for a configuration");
    REN_TRY(ren__net_graph(b->context, net, config, b->o.batch, loss, &b->graph));
    REN_TRY(ren__weights_create(b->context, b->graph, &b->weights));
    if (b->o.weights)
        REN_TRY(ren__checkpoint_read(b->context, b->o.weights, b->weights));
    else
        REN_TRY(ren__weights_initialise(b->weights, 1));
    REN_TRY(ren__session_create(b->graph, b->weights, b->o.train ? REN__TRAIN : REN__INFER, &b->session));
out:
    json_decref(loss);
    json_decref(config);
    return st;
}

static void fill_inputs(benchmark *b) {
    for (int32_t i = 0; i < ren__graph_input_count(b->graph); i++) {
        const char *name = ren__graph_input_name(b->graph, i);
        float *values = ren__session_input(b->session, name);
        int64_t count = ren__shape_elements(ren__graph_shape(b->graph, ren__graph_find_input(b->graph, name)));
        ren__rng rng;
        ren__rng_init(&rng, 7, (uint32_t)i, 0);
        for (int64_t k = 0; k < count; k++)
            values[k] = strcmp(name, "y") == 0 ? (float)(k % 2) : (float)ren__rng_uniform(&rng);
    }
}

static ren_status one_pass(benchmark *b, double *seconds) {
    double start = ren__now();
    ren_status st = ren__session_run(b->session, b->run);
    if (st == REN_OK && b->o.train) st = ren__session_backward(b->session, b->run);
    if (st == REN_OK && b->o.train)
        st = ren__optimiser_step(b->optimiser, b->parameters, b->gradients, LEARNING_RATE, NULL);
    *seconds = ren__now() - start;
    return st;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static ren_status measure(benchmark *b) {
    ren_status st = REN_OK;
    ren_context *context = b->context;
    double warm;
    size_t steps = (size_t)ren__session_step_count(b->session);
    REN_CALLOC(b->seconds, (size_t)b->o.runs);
    REN_CALLOC(b->forward, steps);
    REN_CALLOC(b->backward, steps);
    fill_inputs(b);
    REN_TRY(one_pass(b, &warm));
    for (int32_t i = 0; i < b->o.runs; i++)
        REN_TRY(one_pass(b, &b->seconds[i]));
    qsort(b->seconds, (size_t)b->o.runs, sizeof *b->seconds, ascending);
    if (b->o.operators) {
        ren__session_time(b->session, b->forward, b->backward);
        REN_TRY(one_pass(b, &warm));
    }
out:
    return st;
}

static json_t *operator_rows(const benchmark *b) {
    json_t *rows = json_array();
    for (int32_t i = 0; rows && i < ren__session_step_count(b->session); i++) {
        ren__shape shape;
        double flops;
        const char *name = ren__session_step(b->session, i, &shape, &flops);
        json_t *dims = json_array();
        for (int32_t k = 0; dims && k < shape.rank; k++)
            json_array_append_new(dims, json_integer(shape.dim[k]));
        json_t *row = json_pack("{s:s,s:o,s:f,s:f}", "operator", name, "shape", dims, "forward_ms", b->forward[i] * 1e3,
                                "gflops", b->forward[i] > 0 ? flops / b->forward[i] * 1e-9 : 0.0);
        if (row && b->o.train) json_object_set_new(row, "backward_ms", json_real(b->backward[i] * 1e3));
        if (!row || json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

/* A training pass is counted as three forward passes: forward, and the gradients of inputs and of weights. */
static ren_status write_json(const benchmark *b, ren_text **json) {
    ren_status st = REN_OK;
    double gflop = ren__graph_flops(b->graph) * (b->o.train ? 3e-9 : 1e-9), best = b->seconds[0];
    json_t *tree = json_pack(
        "{s:s,s:I,s:i,s:b,s:i,s:s,s:s,s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:I}", "arch", b->o.arch, "size",
        (json_int_t)b->o.size, "batch", (int)b->o.batch, "train", (int)b->o.train, "threads", (int)b->context->threads,
        "isa", ren_context_isa(b->context), "onednn", ren__onednn_version(), "milliseconds_min", best * 1e3,
        "milliseconds_median", b->seconds[b->o.runs / 2] * 1e3, "gflop", gflop, "gflops", gflop / best, "matmul_gflops",
        b->matmul, "share", gflop / best / b->matmul, "peak_bytes", (json_int_t)ren__session_bytes(b->session),
        "weight_bytes", (json_int_t)ren__weights_bytes(b->weights));
    if (!tree || (b->o.operators && json_object_set_new(tree, "operators", operator_rows(b)) != 0))
        REN_FAIL(REN_E_MEMORY, "no memory for the result");
    REN_TRY(ren__json_write(b->context, tree, 2, json));
out:
    json_decref(tree);
    return st;
}

ren_status ren_bench(ren_context *context, const ren_bench_options *options, const ren_run_options *run_options,
                     ren_text **json) {
    REN_REQUIRE(context && options && json);
    ren__run run;
    benchmark b = { .context = context, .run = &run, .o = { .struct_size = sizeof b.o } };
    ren_status st = ren__options_copy(&b.o, sizeof b.o, options, "ren_bench_options");
    if (st != REN_OK) return st;
    if (!b.o.arch) b.o.arch = "cnn";
    if (!b.o.size) b.o.size = 96;
    if (!b.o.batch) b.o.batch = 1;
    if (!b.o.runs) b.o.runs = 10;
    REN_REQUIRE(b.o.size > 0 && b.o.size <= 1024 && b.o.batch > 0 && b.o.runs > 0 && b.o.runs <= MAX_RUNS);
    st = ren__run_begin(&run, context, run_options);
    if (st != REN_OK) return st;
    REN_TRY(
        ren__matmul_rate(context, MATMUL_SIZE, &b.matmul)); /* first: its matrices are gone when memory is counted */
    REN_TRY(build(&b));
    if (b.o.train) REN_TRY(make_optimiser(&b));
    REN_TRY(measure(&b));
    REN_TRY(write_json(&b, json));
out:
    ren__optimiser_free(b.optimiser);
    ren__free(b.parameters);
    ren__free(b.gradients);
    ren__session_free(b.session);
    ren__weights_release(b.weights);
    ren__graph_free(b.graph);
    ren__free(b.seconds);
    ren__free(b.forward);
    ren__free(b.backward);
    return ren__run_end(&run, st);
}
