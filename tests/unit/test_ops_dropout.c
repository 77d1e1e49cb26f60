/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout by its statistics: rate, scale, what the draws depend on and what not. */
#include "graph/weights.h"
#include "ops/ops.h"

#include "harness.h"

enum { BATCH = 8, EDGE = 12, CHANNELS = 24, ELEMENTS = BATCH * EDGE * EDGE * CHANNELS };

typedef struct fixture {
    ren__graph *graph;
    ren__weights *weights;
    ren__session *session;
} fixture;

/* Two layers, so that one can be compared with the other. The input is 1 everywhere. */
static ren_status set_up(ren_context *context, fixture *f, double rate, int channels) {
    ren_status st = REN_OK;
    const ren__shape shape = { 4, { BATCH, EDGE, EDGE, CHANNELS } };
    REN_TRY(ren__graph_create(context, &f->graph));
    ren__value x = ren__graph_input(f->graph, "x", shape);
    for (int i = 0; i < 2; i++)
        ren__graph_output(f->graph, i ? "b" : "a",
                          channels ? ren__channel_dropout(f->graph, x, rate) : ren__dropout(f->graph, x, rate));
    REN_TRY(ren__weights_create(context, f->graph, &f->weights));
    REN_TRY(ren__session_create(f->graph, f->weights, REN__TRAIN, &f->session));
    for (int64_t i = 0; i < ELEMENTS; i++)
        ren__session_input(f->session, "x")[i] = 1;
out:
    return st;
}

static void tear_down(fixture *f) {
    ren__session_free(f->session);
    ren__weights_release(f->weights);
    ren__graph_free(f->graph);
}

static ren_status run(fixture *f, uint64_t seed, uint32_t epoch, uint32_t first_sample) {
    uint32_t samples[BATCH];
    for (uint32_t i = 0; i < BATCH; i++)
        samples[i] = first_sample + i;
    ren_status st = ren__session_randomness(f->session, seed, epoch, samples, BATCH);
    return st == REN_OK ? ren__session_run(f->session, NULL) : st;
}

/* Share of elements that are 0 in one and not in the other. */
static double difference(const float *a, const float *b, int64_t count) {
    int64_t different = 0;
    for (int64_t i = 0; i < count; i++)
        different += (a[i] > 0) != (b[i] > 0);
    return (double)different / (double)count;
}

/* Five standard deviations of a share of `count` draws. */
static double five_sd(double rate, double count) {
    return 5 * sqrt(rate * (1 - rate) / count);
}

static ren_status check_rate(ren_context *context, double rate) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    int64_t zeros = 0, pairs = 0;
    REN_TRY(set_up(context, &f, rate, 0));
    REN_TRY(run(&f, 7, 0, 0));
    const float *y = ren__session_output(f.session, "a");
    for (int64_t i = 0; i < ELEMENTS; i++) {
        CHECK(y[i] == 0 || fabs((double)y[i] - 1 / (1 - rate)) < 1e-6);
        zeros += y[i] == 0;
        pairs += i > 0 && y[i] == 0 && y[i - 1] == 0;
    }
    CHECK_NEAR((double)zeros / ELEMENTS, rate, five_sd(rate, ELEMENTS) + 1e-9);
    CHECK_NEAR((double)pairs / ELEMENTS, rate * rate, five_sd(rate * rate, ELEMENTS / 2.0) + 1e-9);
    for (int b = 0; b < BATCH; b++) { /* each sample by itself */
        int64_t each = ELEMENTS / BATCH, mine = 0;
        for (int64_t i = 0; i < each; i++)
            mine += y[b * each + i] == 0;
        CHECK_NEAR((double)mine / (double)each, rate, five_sd(rate, (double)each) + 1e-9);
    }
out:
    tear_down(&f);
    return st;
}

static ren_status test_rate_and_scale(ren_context *context) {
    static const double rates[] = { 0, 0.05, 0.5, 0.9 };
    ren_status st = REN_OK;
    for (size_t i = 0; i < sizeof rates / sizeof *rates && st == REN_OK; i++)
        st = check_rate(context, rates[i]);
    return st;
}

static ren_status test_channels_go_as_a_whole(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    int zeros = 0, draws = 0;
    REN_TRY(set_up(context, &f, 0.5, 1));
    for (uint32_t epoch = 0; epoch < 20; epoch++) {
        REN_TRY(run(&f, 1, epoch, 0));
        const float *y = ren__session_output(f.session, "a");
        for (int64_t b = 0; b < BATCH; b++)
            for (int64_t c = 0; c < CHANNELS; c++) {
                const float *first = y + b * EDGE * EDGE * CHANNELS + c;
                CHECK(*first == 0 || *first == 2);
                for (int64_t v = 0; v < EDGE * EDGE; v++)
                    CHECK(first[v * CHANNELS] == *first);
                zeros += *first == 0;
                draws++;
            }
    }
    CHECK_NEAR((double)zeros / draws, 0.5, five_sd(0.5, draws));
out:
    tear_down(&f);
    return st;
}

/* Half of the elements differ between two independent draws at rate 1/2. */
static ren_status check_dependence(ren_context *context, fixture *f) {
    static const struct {
        uint64_t seed;
        uint32_t epoch, sample;
        int same;
    } cases[] = { { 5, 2, 40, 1 }, { 6, 2, 40, 0 },  { (UINT64_C(1) << 32) + 5, 2, 40, 0 },
                  { 5, 3, 40, 0 }, { 5, 2, 140, 0 }, { 5, 2, 40, 1 } };
    ren_status st = REN_OK;
    float *first = NULL;
    size_t bytes = ELEMENTS * sizeof *first;
    REN_ALLOC(first, bytes);
    REN_TRY(run(f, 5, 2, 40));
    memcpy(first, ren__session_output(f->session, "a"), bytes);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        REN_TRY(run(f, cases[i].seed, cases[i].epoch, cases[i].sample));
        const float *y = ren__session_output(f->session, "a");
        if (cases[i].same)
            CHECK(memcmp(first, y, bytes) == 0);
        else
            CHECK_NEAR(difference(first, y, ELEMENTS), 0.5, five_sd(0.5, ELEMENTS));
        CHECK_NEAR(difference(y, ren__session_output(f->session, "b"), ELEMENTS), 0.5, five_sd(0.5, ELEMENTS));
    }
    /* The same sample in another place of the batch is dropped in the same way. */
    REN_TRY(run(f, 5, 2, 43));
    const float *moved = ren__session_output(f->session, "a");
    CHECK(memcmp(first + ELEMENTS / BATCH * 3, moved, ELEMENTS / BATCH * sizeof *moved) == 0);
    CHECK_NEAR(difference(moved, moved + ELEMENTS / BATCH, ELEMENTS / BATCH), 0.5, five_sd(0.5, ELEMENTS / BATCH));
out:
    ren__free(first);
    return st;
}

static ren_status test_draws_depend_on_seed_epoch_and_sample(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 0.5, 0));
    REN_TRY(check_dependence(context, &f));
out:
    tear_down(&f);
    return st;
}

static ren_status test_inference_drops_nothing(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__session *session = NULL;
    REN_TRY(set_up(context, &f, 0.9, 0));
    REN_TRY(ren__session_create(f.graph, f.weights, REN__INFER, &session));
    CHECK_INT(ren__session_step_count(session), 0);
    ren__session_input(session, "x")[77] = 3;
    REN_TRY(ren__session_run(session, NULL));
    CHECK(ren__session_output(session, "a")[77] == 3 && ren__session_output(session, "b")[77] == 3);
out:
    ren__session_free(session);
    tear_down(&f);
    return st;
}

static ren_status test_rates_out_of_range_are_refused(ren_context *context) {
    static const double rates[] = { -0.1, 1.0, 2.0, NAN };
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        REN_TRY(ren__graph_create(context, &graph));
        ren__value x = ren__graph_input(graph, "x", ren__shape_of(2, (int64_t[]){ 2, 3 }));
        (void)ren__dropout(graph, x, rates[i]);
        CHECK_FAILS(ren__graph_status(graph), REN_E_INVALID, "rate");
        ren__graph_free(graph);
        graph = NULL;
    }
out:
    ren__graph_free(graph);
    return st;
}

TEST_MAIN(CASE_ONCE(test_rate_and_scale), CASE_ONCE(test_channels_go_as_a_whole),
          CASE_SAMPLED(test_draws_depend_on_seed_epoch_and_sample), CASE(test_inference_drops_nothing),
          CASE(test_rates_out_of_range_are_refused))
