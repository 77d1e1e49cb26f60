/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout of attention's probabilities by its statistics. Queries and keys are zero, so every probability is 1 / T;
 * values are 1, so an output is the number of kept keys over T (1 - rate). */
#include "graph/weights.h"
#include "ops/ops.h"

#include "harness.h"

enum {
    BATCH = 4,
    EDGE = 16,
    TOKENS = EDGE * EDGE,
    WINDOW = 8,
    HEADS = 3,
    CHANNELS = 6,
    COUNT = BATCH * TOKENS * HEADS
};
static const double RATE = 0.3;

typedef struct fixture {
    ren__graph *graph;
    ren__weights *weights;
    ren__session *session;
} fixture;

static void tear_down(fixture *f) {
    ren__session_free(f->session);
    ren__weights_release(f->weights);
    ren__graph_free(f->graph);
}

static ren_status set_up(ren_context *context, fixture *f, int windows, int32_t mode) {
    ren_status st = REN_OK;
    const ren__window_options options = {
        .heads = HEADS, .table = { WINDOW, WINDOW }, .window = { WINDOW, WINDOW }, .dropout = RATE
    };
    REN_TRY(ren__graph_create(context, &f->graph));
    const ren__shape map = { 4, { BATCH, EDGE, EDGE, 3 * CHANNELS } }, row = { 3, { BATCH, TOKENS, 3 * CHANNELS } };
    const ren__value x = ren__graph_input(f->graph, "x", windows ? map : row);
    ren__graph_output(f->graph, "y",
                      windows ? ren__window_attention(f->graph, x, "attn", &options)
                              : ren__attention_heads(f->graph, x, HEADS, RATE));
    REN_TRY(ren__graph_status(f->graph));
    REN_TRY(ren__weights_create(context, f->graph, &f->weights));
    for (int32_t i = 0; i < ren__weights_count(f->weights); i++)
        memset(ren__weights_data(f->weights, i), 0, ren__weights_elements(f->weights, i) * sizeof(float));
    REN_TRY(ren__session_create(f->graph, f->weights, mode, &f->session));
    float *input = ren__session_input(f->session, "x");
    for (int i = 0; i < BATCH * TOKENS * 3 * CHANNELS; i++)
        input[i] = i % (3 * CHANNELS) >= 2 * CHANNELS ? 1.0f : 0.0f;
    REN_TRY(ren__session_run(f->session, NULL));
out:
    return st;
}

/* The mean over rows is 1, their variance that of `keys` draws, and heads are drawn apart. */
static ren_status check_statistics(const fixture *f, int keys) {
    ren_status st = REN_OK;
    const float *y = ren__session_output(f->session, "y");
    const double variance = RATE / (1 - RATE) / keys;
    double sum = 0, square = 0, between = 0;
    for (int row = 0; row < BATCH * TOKENS; row++)
        for (int head = 0; head < HEADS; head++) {
            const double v = (double)y[row * CHANNELS + 2 * head] - 1;
            const double next = (double)y[row * CHANNELS + 2 * ((head + 1) % HEADS)] - 1;
            const double kept = (v + 1) * keys * (1 - RATE);
            CHECK_NEAR(kept, round(kept), 1e-3);
            CHECK_NEAR((double)y[row * CHANNELS + 2 * head + 1] - 1, v, 1e-6); /* one draw for a head's channels */
            sum += v;
            square += v * v;
            between += v * next;
        }
    CHECK_NEAR(sum / COUNT, 0, 5 * sqrt(variance / COUNT));
    CHECK_NEAR(square / COUNT, variance, 5 * variance * sqrt(2.0 / COUNT));
    CHECK_NEAR(between / COUNT, 0, 5 * variance / sqrt(COUNT / 2.0));
out:
    return st;
}

static ren_status check_both(ren_context *context, int windows, int keys) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, windows, REN__TRAIN));
    REN_TRY(check_statistics(&f, keys));
    tear_down(&f);
    memset(&f, 0, sizeof f);
    REN_TRY(set_up(context, &f, windows, REN__INFER)); /* nothing is dropped */
    for (int i = 0; i < BATCH * TOKENS * CHANNELS; i++)
        CHECK_NEAR((double)ren__session_output(f.session, "y")[i], 1, 1e-5);
out:
    tear_down(&f);
    return st;
}

static ren_status test_probabilities_of_sequences(ren_context *context) {
    return check_both(context, 0, TOKENS);
}

static ren_status test_probabilities_of_windows(ren_context *context) {
    return check_both(context, 1, WINDOW * WINDOW);
}

TEST_MAIN(CASE_SAMPLED(test_probabilities_of_sequences), CASE_SAMPLED(test_probabilities_of_windows))
