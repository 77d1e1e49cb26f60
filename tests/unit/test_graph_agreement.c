/* SPDX-License-Identifier: Apache-2.0 */
/* The number of threads changes no bit of any pass; instruction sets agree within rounding. */
#include "reference.h"

/* Everything that a pass over a case's network gave: outputs of both modes, gradients, running statistics. */
typedef struct outcome {
    float *values;
    size_t count, room;
} outcome;

static ren_status collect(ren_context *context, outcome *o, const float *values, size_t count) {
    if (o->count + count > o->room) {
        size_t room = 2 * (o->count + count);
        float *larger = ren__realloc(context, o->values, room * sizeof *larger);
        if (!larger) return ren__out_of_memory();
        o->values = larger;
        o->room = room;
    }
    memcpy(o->values + o->count, values, count * sizeof *values);
    o->count += count;
    return REN_OK;
}

static ren_status collect_outputs(ren_context *context, outcome *o, const ren__session *session,
                                  const ren__graph *graph) {
    ren_status st = REN_OK;
    for (int32_t i = 0; i < ren__graph_output_count(graph) && st == REN_OK; i++) {
        const char *name = ren__graph_output_name(graph, i);
        st = collect(context, o, ren__session_output(session, name),
                     (size_t)ren__shape_elements(ren__session_output_shape(session, name)));
    }
    return st;
}

static ren_status run_mode(ren_context *context, const reference *r, ren__weights *weights, int32_t mode, outcome *o) {
    ren_status st = REN_OK;
    ren__session *session = NULL;
    REN_TRY(reference_session(r, weights, mode, &session));
    REN_TRY(ren__session_run(session, NULL));
    REN_TRY(collect_outputs(context, o, session, r->graph));
    if (mode == REN__INFER) goto out;
    REN_TRY(ren__session_backward(session, NULL));
    for (int32_t i = 0; i < ren__weights_count(weights) && st == REN_OK; i++)
        st = collect(context, o,
                     ren__weights_trained(weights, i) ? ren__session_gradient(session, i)
                                                      : ren__weights_read(weights, i),
                     ren__weights_elements(weights, i));
out:
    ren__session_free(session);
    return st;
}

/* In a context of its own; `context` pays for the outcome. */
static ren_status run_case(ren_context *context, const reference_case *c, int32_t threads, int32_t isa, outcome *o) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *own = NULL;
    reference *r = NULL;
    ren__weights *weights = NULL;
    test_allocator(&options);
    options.threads = threads;
    options.isa = isa;
    REN_TRY(ren_context_create(&options, &own));
    REN_TRY(reference_create(own, &r));
    REN_TRY(reference_finish(r, c->build(r, c), 0));
    REN_TRY(reference_weights(r, &weights));
    o->count = 0;
    REN_TRY(run_mode(context, r, weights, REN__INFER, o));
    REN_TRY(run_mode(context, r, weights, REN__TRAIN, o));
out:
    ren__weights_release(weights);
    reference_free(r);
    ren_context_free(own);
    return st;
}

/* Larger ones than in reference_cases.c, so that there is work for several threads in every loop. */
static int large_cnn(reference *r, const reference_case *c) {
    int x = reference_input(r, c->shape);
    for (int i = 0; i < 2; i++) {
        x = reference_activate(r, reference_norm(r, reference_conv(r, x, &c->conv)), REN__RELU);
        x = reference_dropout(r, reference_max_pool(r, x, 2, 2), 0.3, 1);
    }
    x = reference_activate(r, reference_norm(r, x), REN__TANH);
    x = reference_add(r, reference_softmax(r, x), reference_dropout(r, x, 0.2, 0));
    x = reference_norm(r, reference_linear(r, reference_flatten(r, x), 150, 0));
    return reference_dropout(r, reference_activate(r, x, REN__RELU), 0.5, 0);
}

static int large_rows(reference *r, const reference_case *c) {
    int x = reference_linear(r, reference_input(r, c->shape), 40, 0);
    x = reference_activate(r, reference_norm(r, x), REN__GELU);
    x = reference_average_pool(r, reference_max_pool(r, x, 3, 2), 2, 1);
    x = reference_conv(r, x, &c->conv);
    return reference_adaptive_average_pool(r, x, 3);
}

static const reference_case large_cases[] = {
    { "a CNN", large_cnn, { 5, { 3, 24, 16, 20, 2 } }, { 24, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 0, 0 }, 0, 0, 0, 0 },
    { "many rows", large_rows, { 4, { 3, 50, 64, 5 } }, { 20, { 3, 3 }, { 2, 2 }, { 1, 1 }, 4, 0 }, 0, 0, 0, 0 },
    { NULL, NULL, { 0 }, { 0 }, 0, 0, 0, 0 },
};

static ren_status compare_threads(ren_context *context, const reference_case *c, int32_t most) {
    ren_status st = REN_OK;
    outcome one = { 0 }, several = { 0 };
    REN_TRY(run_case(context, c, 1, REN_ISA_BEST, &one));
    for (int32_t threads = 2; threads <= most; threads++) {
        REN_TRY(run_case(context, c, threads, REN_ISA_BEST, &several));
        CHECK_INT(several.count, one.count);
        for (size_t i = 0; i < one.count; i++)
            if (memcmp(&one.values[i], &several.values[i], sizeof(float)) != 0) {
                st = test_fail(__FILE__, __LINE__, "%s: %d threads change value %zu from %.9g to %.9g", c->name,
                               (int)threads, i, (double)one.values[i], (double)several.values[i]);
                goto out;
            }
    }
out:
    ren__free(one.values);
    ren__free(several.values);
    return st;
}

static ren_status test_threads_change_no_bit(ren_context *context) {
    ren_status st = REN_OK;
    const reference_case *c;
    for (c = large_cases; c->name; c++)
        REN_TRY(compare_threads(context, c, 3));
    for (int i = 0; (c = reference_case_at(i)); i++)
        REN_TRY(compare_threads(context, c, 2));
out:
    return st;
}

/* Rounding in another order; no ReLU of these networks stands on an edge. */
static ren_status compare_sets(ren_context *context, const reference_case *c, int32_t isa, double tolerance) {
    ren_status st = REN_OK;
    outcome plain = { 0 }, other = { 0 };
    REN_TRY(run_case(context, c, 2, REN_ISA_PLAIN, &plain));
    REN_TRY(run_case(context, c, 2, isa, &other));
    CHECK_INT(other.count, plain.count);
    for (size_t i = 0; i < plain.count; i++) {
        double difference = fabs((double)plain.values[i] - (double)other.values[i]);
        if (!(difference <= tolerance * (1 + fabs((double)plain.values[i])))) {
            st = test_fail(__FILE__, __LINE__, "%s: value %zu is %.9g in plain C and %.9g in %s", c->name, i,
                           (double)plain.values[i], (double)other.values[i], isa == REN_ISA_AVX2 ? "AVX2" : "AVX-512");
            goto out;
        }
    }
out:
    ren__free(plain.values);
    ren__free(other.values);
    return st;
}

static ren_status compare_all_sets(ren_context *context, int32_t isa, const char *name) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *probe = NULL;
    const reference_case *c;
    options.isa = isa;
    test_allocator(&options);
    REN_TRY(ren_context_create(&options, &probe));
    if (strcmp(ren_context_isa(probe), name) != 0) SKIP("this processor has no %s", name);
    for (int i = 0; (c = reference_case_at(i)); i++)
        REN_TRY(compare_sets(context, c, isa, 1e-5));
    REN_TRY(compare_sets(context, &large_cases[1], isa, 1e-4));
out:
    ren_context_free(probe);
    return st;
}

static ren_status test_avx2_agrees_with_plain(ren_context *context) {
    return compare_all_sets(context, REN_ISA_AVX2, "avx2");
}

static ren_status test_avx512_agrees_with_plain(ren_context *context) {
    return compare_all_sets(context, REN_ISA_AVX512, "avx512");
}

TEST_MAIN(CASE_ONCE(test_threads_change_no_bit), CASE_ONCE(test_avx2_agrees_with_plain),
          CASE_ONCE(test_avx512_agrees_with_plain))
