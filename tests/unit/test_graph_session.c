/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: what they hold, what they refuse, and that a run asks for no memory. */
#include "format/document.h"
#include "graph/internal.h"
#include "nets/nets.h"

#include "harness.h"

typedef struct fixture {
    json_t *config, *loss;
    ren__graph *graph;
    ren__weights *weights;
} fixture;

static ren_status set_up(ren_context *context, fixture *f, int32_t batch) {
    ren_status st = REN_OK;
    const char *config = "{\"input_size\": [24, 16, 32]}", *loss = "{\"kind\": \"cross_entropy\"}";
    REN_TRY(ren__json_parse(config, strlen(config), "config", &f->config));
    REN_TRY(ren__json_parse(loss, strlen(loss), "loss", &f->loss));
    REN_TRY(ren__net_graph(context, ren__net_find("cnn"), f->config, batch, f->loss, &f->graph));
    REN_TRY(ren__weights_create(context, f->graph, &f->weights));
    REN_TRY(ren__weights_initialise(f->weights, 1));
out:
    return st;
}

static void tear_down(fixture *f) {
    ren__weights_release(f->weights);
    ren__graph_free(f->graph);
    json_decref(f->loss);
    json_decref(f->config);
}

static ren_status check_bytes(ren_context *context, const fixture *f, int32_t mode) {
    ren_status st = REN_OK;
    ren__session *first = NULL, *second = NULL;
    size_t measured = 0;
    REN_TRY(ren__session_measure(f->graph, mode, &measured));
    REN_TRY(ren__session_create(f->graph, f->weights, mode, &first)); /* packs the weights for all that follow */
    size_t before = ren_context_memory_used(context);
    REN_TRY(ren__session_create(f->graph, f->weights, mode, &second));
    size_t held = ren_context_memory_used(context) - before;
    CHECK_INT(ren__session_bytes(second), measured);
    CHECK(held >= measured && held < measured + (160 << 10)); /* besides: descriptions and kernels' handles */
out:
    ren__session_free(first);
    ren__session_free(second);
    return st;
}

static ren_status test_bytes_are_those_that_are_held(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 2));
    REN_TRY(check_bytes(context, &f, REN__INFER));
    REN_TRY(check_bytes(context, &f, REN__TRAIN));
out:
    tear_down(&f);
    return st;
}

static ren_status test_a_run_asks_for_no_memory(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__session *session = NULL;
    REN_TRY(set_up(context, &f, 2));
    REN_TRY(ren__session_create(f.graph, f.weights, REN__INFER, &session));
    for (int i = 0; i < 3; i++) {
        size_t used = ren_context_memory_used(context);
        ren_context_memory_peak_reset(context);
        REN_TRY(ren__session_run(session, NULL));
        CHECK_INT(ren_context_memory_peak(context), used);
    }
out:
    ren__session_free(session);
    tear_down(&f);
    return st;
}

/* What is alive at the same time lies apart, in the plan of the published network. */
static ren_status check_plan(const ren__graph *graph, const ren__memory_plan *plan) {
    ren_status st = REN_OK;
    for (int32_t i = 0; i < graph->node_count; i++) {
        const ren__node *node = graph->nodes[i];
        ren__value out = node->output;
        size_t bytes = (size_t)ren__shape_elements(ren__graph_shape(graph, out)) * sizeof(float);
        CHECK(plan->value[out] != REN__NOWHERE && plan->value[out] % 64 == 0 &&
              plan->value[out] + bytes <= plan->scratch);
        for (int32_t k = 0; k < node->input_count; k++) {
            ren__value in = node->input[k];
            size_t in_bytes = (size_t)ren__shape_elements(ren__graph_shape(graph, in)) * sizeof(float);
            int same = plan->value[in] == plan->value[out] && k == 0 && node->op->flags & REN__IN_PLACE;
            int apart = plan->value[in] + in_bytes <= plan->value[out] || plan->value[out] + bytes <= plan->value[in];
            CHECK(same || apart);
        }
    }
out:
    return st;
}

static ren_status test_a_node_writes_over_nothing_it_reads(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__graph *copy = NULL;
    ren__step *steps = NULL;
    ren__memory_plan plan = { 0 };
    REN_TRY(set_up(context, &f, 3));
    for (int32_t mode = REN__INFER; mode <= REN__TRAIN; mode++) {
        REN_TRY(ren__graph_copy(f.graph, &copy));
        REN_TRY(ren__graph_fuse(copy, mode));
        REN_CALLOC(steps, (size_t)copy->node_count);
        REN_TRY(ren__memory_plan_make(copy, steps, mode, &plan));
        REN_TRY(check_plan(copy, &plan));
        ren__memory_plan_free(&plan);
        ren__free(steps);
        steps = NULL;
        ren__graph_free(copy);
        copy = NULL;
    }
out:
    ren__memory_plan_free(&plan);
    ren__free(steps);
    ren__graph_free(copy);
    tear_down(&f);
    return st;
}

static ren_status test_the_published_network_is_fused(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__session *session = NULL;
    static const char *const infer[] = { "conv",   "conv",   "conv",   "flatten",
                                         "linear", "linear", "linear", "cross_entropy" };
    ren__shape shape;
    double flops, total = 0;
    REN_TRY(set_up(context, &f, 1));
    REN_TRY(ren__session_create(f.graph, f.weights, REN__INFER, &session));
    CHECK_INT(ren__session_step_count(session), 8);
    for (int32_t i = 0; i < 8; i++) {
        CHECK_TEXT(ren__session_step(session, i, &shape, &flops), infer[i]);
        total += flops;
    }
    /* 2 x voxels x 27 x channels in x channels out of each convolution, and the linear layers. */
    double voxels = 24 * 16 * 32, wanted = 2 * 27 * voxels * (24 + 24 * 48 / 8.0 + 48 * 96 / 64.0);
    wanted += 2.0 * (3 * 2 * 4 * 96 * 256 + 256 * 64 + 64 * 2);
    CHECK_NEAR(total, wanted, 1e-3 * wanted);
out:
    ren__session_free(session);
    tear_down(&f);
    return st;
}

static ren_status test_steps_can_be_timed(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__session *session = NULL;
    double forward[64], backward[64];
    REN_TRY(set_up(context, &f, 2));
    REN_TRY(ren__session_create(f.graph, f.weights, REN__TRAIN, &session));
    CHECK(ren__session_step_count(session) <= 64);
    for (int i = 0; i < 64; i++)
        forward[i] = backward[i] = -1;
    ren__session_time(session, forward, backward);
    REN_TRY(ren__session_run(session, NULL));
    REN_TRY(ren__session_backward(session, NULL));
    for (int32_t i = 0; i < 64; i++) {
        CHECK(i < ren__session_step_count(session) ? forward[i] >= 0 : forward[i] == -1);
        CHECK(i < ren__session_step_count(session) ? backward[i] >= 0 : backward[i] == -1);
    }
out:
    ren__session_free(session);
    tear_down(&f);
    return st;
}

static ren_status test_what_a_session_refuses(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__graph *other = NULL;
    ren__session *session = NULL;
    REN_TRY(set_up(context, &f, 2));
    REN_TRY(ren__session_create(f.graph, f.weights, REN__INFER, &session));
    CHECK_FAILS(ren__session_backward(session, NULL), REN_E_STATE, "training session");
    CHECK(ren__session_input(session, "z") == NULL && ren__session_output(session, "z") == NULL);
    CHECK(ren__session_output_shape(session, "z") == NULL && ren__session_gradient(session, 0) == NULL);
    ren__session_input(session, "y")[1] = 2; /* there are two classes */
    CHECK_FAILS(ren__session_run(session, NULL), REN_E_DATA, "target 1");
    ren__session_input(session, "y")[1] = 0.5f;
    CHECK_FAILS(ren__session_run(session, NULL), REN_E_DATA, "target 1");
    ren__session_free(session);
    session = NULL;
    REN_TRY(ren__graph_create(context, &other));
    ren__value x = ren__graph_input(other, "x", ren__shape_of(2, (int64_t[]){ 2, 3 }));
    ren__graph_output(other, "y", ren__linear(other, x, "fc9", 4, 0));
    CHECK_FAILS(ren__session_create(other, f.weights, REN__INFER, &session), REN_E_INVALID, "fc9.weight");
out:
    ren__session_free(session);
    ren__graph_free(other);
    tear_down(&f);
    return st;
}

/* No trained parameter: there is nothing to differentiate, and nothing happens. */
static ren_status test_a_loss_of_inputs_alone(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    REN_TRY(ren__graph_create(context, &graph));
    ren__value x = ren__graph_input(graph, "x", ren__shape_of(2, (int64_t[]){ 2, 4 }));
    ren__value y = ren__graph_input(graph, "y", ren__shape_of(1, (int64_t[]){ 2 }));
    ren__graph_output(graph, "loss", ren__cross_entropy(graph, x, y, NULL, 0));
    REN_TRY(ren__weights_create(context, graph, &weights));
    REN_TRY(ren__session_create(graph, weights, REN__TRAIN, &session));
    REN_TRY(ren__session_run(session, NULL));
    CHECK_NEAR(*ren__session_output(session, "loss"), log(4.0), 1e-6);
    REN_TRY(ren__session_backward(session, NULL));
out:
    ren__session_free(session);
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

/* Infers, but is not trained: two steps would overwrite each other's gradient. */
static ren_status test_a_parameter_that_is_used_twice(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    REN_TRY(ren__graph_create(context, &graph));
    ren__value x = ren__graph_input(graph, "x", ren__shape_of(2, (int64_t[]){ 1, 1 }));
    ren__graph_output(graph, "y", ren__linear(graph, ren__linear(graph, x, "fc", 1, 1), "fc", 1, 1));
    REN_TRY(ren__weights_create(context, graph, &weights));
    CHECK_INT(ren__weights_count(weights), 1);
    ren__weights_data(weights, 0)[0] = 3;
    REN_TRY(ren__session_create(graph, weights, REN__INFER, &session));
    ren__session_input(session, "x")[0] = 2;
    REN_TRY(ren__session_run(session, NULL));
    CHECK(*ren__session_output(session, "y") == 18);
    ren__session_free(session);
    session = NULL;
    CHECK_FAILS(ren__session_create(graph, weights, REN__TRAIN, &session), REN_E_UNSUPPORTED,
                "fc.weight is used twice");
out:
    ren__session_free(session);
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_bytes_are_those_that_are_held), CASE_ONCE(test_a_run_asks_for_no_memory),
          CASE(test_a_node_writes_over_nothing_it_reads), CASE_SAMPLED(test_the_published_network_is_fused),
          CASE_SAMPLED(test_steps_can_be_timed), CASE_SAMPLED(test_what_a_session_refuses),
          CASE(test_a_loss_of_inputs_alone), CASE(test_a_parameter_that_is_used_twice))
