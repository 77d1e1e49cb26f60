/* SPDX-License-Identifier: Apache-2.0 */
/* Networks in bfloat16 beside float32: probabilities within 0.01, areas under the curve within 0.002, the same bits
 * with every number of threads; training and sessions that keep float do not know of it. */
#include "base/random.h"
#include "format/document.h"
#include "graph/op.h"
#include "kernels/kernels.h"
#include "nets/nets.h"
#include "train/metrics.h"
#include "train/optimiser.h"

#include "harness.h"

enum { INPUTS = 5 };

typedef struct network {
    const char *arch, *config;
} network;

static const network networks[] = {
    { "swin_unetr", "{\"input_size\": [32, 32, 32], \"feature_size\": 12}" },
    { "vit", "{\"input_size\": [32, 24, 40]}" },
    { "mamba", "{\"input_size\": [32, 40, 24]}" },
    { "cnn", "{\"input_size\": [24, 16, 32]}" },
};

/* A network in a context of its own. */
typedef struct model {
    ren_context *context;
    ren__graph *graph;
    ren__weights *weights;
    ren__session *session;
} model;

static ren_status make_context(int32_t precision, int32_t threads, ren_context **out) {
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    test_allocator(&options);
    options.precision = precision;
    options.threads = threads;
    return ren_context_create(&options, out);
}

static ren_status make_graph(ren_context *context, const network *n, int64_t batch, int loss, ren__graph **graph) {
    ren_status st = REN_OK;
    json_t *config = NULL, *loss_config = NULL;
    REN_TRY(ren__json_parse(n->config, strlen(n->config), "config", &config));
    if (loss) REN_TRY(ren__json_parse("{}", 2, "loss", &loss_config));
    REN_TRY(ren__net_graph(context, ren__net_find(n->arch), config, batch, loss_config, graph));
out:
    json_decref(config);
    json_decref(loss_config);
    return st;
}

static void unmake(model *m) {
    ren__session_free(m->session);
    ren__weights_release(m->weights);
    ren__graph_free(m->graph);
    ren_context_free(m->context);
    *m = (model){ 0 };
}

static ren_status make(const network *n, int32_t precision, int32_t threads, int32_t mode, model *m) {
    ren_status st = REN_OK;
    *m = (model){ 0 };
    REN_TRY(make_context(precision, threads, &m->context));
    REN_TRY(make_graph(m->context, n, INPUTS, mode == REN__TRAIN, &m->graph));
    REN_TRY(ren__weights_create(m->context, m->graph, &m->weights));
    REN_TRY(ren__weights_initialise(m->weights, 3));
    REN_TRY(ren__session_create(m->graph, m->weights, mode, &m->session));
out:
    return st;
}

/* Sample `index`: noise, and a ball in it whose brightness is `level`. */
static void draw_sample(uint32_t index, double level, const ren__shape *shape, float *x) {
    const int64_t *size = shape->dim + 1;
    ren__rng rng;
    ren__rng_init(&rng, 21, index, 0);
    for (int64_t i = 0; i < size[0] * size[1] * size[2]; i++) {
        const int64_t at[3] = { i / (size[1] * size[2]), i / size[2] % size[1], i % size[2] };
        double distance = 0;
        for (int a = 0; a < 3; a++) {
            const double d = 2.0 * (double)at[a] / (double)size[a] - 1.0;
            distance += d * d;
        }
        x[i] = (float)(ren__rng_uniform(&rng) + (distance < 0.4 ? level : 0.0));
    }
}

static void fill(model *m) {
    const ren__shape *shape = ren__graph_shape(m->graph, ren__graph_find_input(m->graph, "x"));
    const int64_t each = ren__shape_elements(shape) / shape->dim[0];
    float *labels = ren__session_input(m->session, "y");
    for (int32_t i = 0; i < INPUTS; i++) {
        draw_sample((uint32_t)i, 0.5 * i - 1.0, shape, ren__session_input(m->session, "x") + i * each);
        if (labels) labels[i] = (float)(i % 2);
    }
}

/* Logits of all inputs. */
static ren_status infer(const network *n, int32_t precision, int32_t threads, float logits[2 * INPUTS]) {
    ren_status st = REN_OK;
    model m;
    REN_TRY(make(n, precision, threads, REN__INFER, &m));
    fill(&m);
    REN_TRY(ren__session_run(m.session, NULL));
    memcpy(logits, ren__session_output(m.session, "logits"), 2 * INPUTS * sizeof *logits);
out:
    unmake(&m);
    return st;
}

/* With weights as they are drawn all probabilities are near a half: the classifier's are scaled until the surest answer
 * is exp(2). */
static ren_status compare(const network *n) {
    ren_status st = REN_OK;
    float exact[2 * INPUTS], rounded[2 * INPUTS], again[2 * INPUTS];
    double most = 0;
    int differ = 0;
    REN_TRY(infer(n, REN_PRECISION_F32, 2, exact));
    REN_TRY(infer(n, REN_PRECISION_BF16, 1, rounded));
    REN_TRY(infer(n, REN_PRECISION_BF16, 2, again));
    CHECK(memcmp(rounded, again, sizeof again) == 0);
    for (int i = 0; i < INPUTS; i++)
        most = fmax(most, fabs((double)exact[2 * i + 1] - (double)exact[2 * i]));
    CHECK(most > 0);
    for (int i = 0; i < INPUTS; i++) {
        const double scale = 2.0 / most;
        const double p = 1 / (1 + exp(scale * ((double)exact[2 * i] - (double)exact[2 * i + 1])));
        const double q = 1 / (1 + exp(scale * ((double)rounded[2 * i] - (double)rounded[2 * i + 1])));
        differ |= p != q;
        if (!(fabs(p - q) <= 0.01)) {
            st =
                test_fail(__FILE__, __LINE__, "%s: probability %.6f of input %d is %.6f in bfloat16", n->arch, p, i, q);
            goto out;
        }
    }
    CHECK(differ); /* else nothing was rounded */
out:
    return st;
}

static ren_status test_probabilities(ren_context *context) {
    ren_status st = REN_OK;
    (void)context;
    if (!ren__onednn_bfloat()) SKIP("this processor multiplies no bfloat16");
    for (size_t i = TEST_SANITIZED ? 1 : 0; i < sizeof networks / sizeof *networks; i++)
        REN_TRY(compare(&networks[i]));
out:
    return st;
}

static ren_status test_training_stays_float(ren_context *context) {
    ren_status st = REN_OK;
    model exact = { 0 }, rounded = { 0 };
    (void)context;
    if (!ren__onednn_bfloat()) SKIP("this processor multiplies no bfloat16");
    REN_TRY(make(&networks[1], REN_PRECISION_F32, 1, REN__TRAIN, &exact));
    REN_TRY(make(&networks[1], REN_PRECISION_BF16, 1, REN__TRAIN, &rounded));
    for (int i = 0; i < 2; i++) {
        model *m = i ? &rounded : &exact;
        const uint32_t samples[INPUTS] = { 0, 1, 2, 3, 4 };
        fill(m);
        REN_TRY(ren__session_randomness(m->session, 1, 0, samples, INPUTS));
        REN_TRY(ren__session_run(m->session, NULL));
        REN_TRY(ren__session_backward(m->session, NULL));
    }
    for (int32_t i = 0; i < ren__weights_count(exact.weights); i++)
        if (ren__weights_trained(exact.weights, i))
            CHECK(memcmp(ren__session_gradient(exact.session, i), ren__session_gradient(rounded.session, i),
                         ren__weights_elements(exact.weights, i) * sizeof(float)) == 0);
out:
    unmake(&exact);
    unmake(&rounded);
    return st;
}

static ren_status test_a_graph_may_keep_float(ren_context *context) {
    ren_status st = REN_OK;
    float exact[2 * INPUTS];
    model m = { 0 };
    (void)context;
    if (!ren__onednn_bfloat()) SKIP("this processor multiplies no bfloat16");
    REN_TRY(infer(&networks[1], REN_PRECISION_F32, 1, exact));
    REN_TRY(make(&networks[1], REN_PRECISION_BF16, 1, REN__INFER, &m));
    ren__session_free(m.session);
    m.session = NULL;
    ren__graph_keep_float(m.graph);
    REN_TRY(ren__session_create(m.graph, m.weights, REN__INFER, &m.session));
    fill(&m);
    REN_TRY(ren__session_run(m.session, NULL));
    CHECK(memcmp(ren__session_output(m.session, "logits"), exact, sizeof exact) == 0);
out:
    unmake(&m);
    return st;
}

/* ---- a trained network's ranking ---- */

enum { STEPS = 60, BATCH = 16, CASES = 320, MOST_PARAMETERS = 128 };

/* The ball is brighter on average where the label is 1, and as often as not it is not: a ranking with many near ties.
 */
static void draw_case(uint32_t index, const ren__shape *shape, float *x, int32_t *label) {
    ren__rng rng;
    ren__rng_init(&rng, 22, index, 0);
    *label = (int32_t)(index % 2);
    draw_sample(index, 0.5 * ((double)*label + 1.2 * ren__rng_normal(&rng)), shape, x);
}

static ren_status train(ren_context *context, const network *n, ren__weights *weights) {
    ren_status st = REN_OK;
    const ren__optimiser_options options = REN__OPTIMISER_OPTIONS_INIT;
    ren__graph *graph = NULL;
    ren__session *session = NULL;
    ren__optimiser *optimiser = NULL;
    float *parameters[MOST_PARAMETERS];
    const float *gradients[MOST_PARAMETERS];
    size_t elements[MOST_PARAMETERS];
    uint32_t samples[BATCH];
    int32_t trained = 0;
    REN_TRY(make_graph(context, n, BATCH, 1, &graph));
    REN_TRY(ren__session_create(graph, weights, REN__TRAIN, &session));
    CHECK(ren__weights_count(weights) <= MOST_PARAMETERS);
    for (int32_t i = 0; i < ren__weights_count(weights); i++) {
        if (!ren__weights_trained(weights, i)) continue;
        parameters[trained] = ren__weights_data(weights, i);
        gradients[trained] = ren__session_gradient(session, i);
        elements[trained++] = ren__weights_elements(weights, i);
    }
    REN_TRY(ren__optimiser_create(context, &options, elements, trained, &optimiser));
    const ren__shape *shape = ren__graph_shape(graph, ren__graph_find_input(graph, "x"));
    for (uint32_t step = 0; step < STEPS; step++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            int32_t label;
            samples[i] = 100000 + step * BATCH + i;
            draw_case(samples[i], shape, ren__session_input(session, "x") + i * ren__shape_elements(shape) / BATCH,
                      &label);
            ren__session_input(session, "y")[i] = (float)label;
        }
        REN_TRY(ren__session_randomness(session, 1, step, samples, BATCH));
        REN_TRY(ren__session_run(session, NULL));
        REN_TRY(ren__session_backward(session, NULL));
        REN_TRY(ren__optimiser_step(optimiser, parameters, gradients, 3e-3, NULL));
    }
out:
    ren__optimiser_free(optimiser);
    ren__session_free(session);
    ren__graph_free(graph);
    return st;
}

typedef struct ranking {
    double probability[CASES], auc;
} ranking;

/* With the weights of another context. */
static ren_status rank(const network *n, int32_t precision, const ren__weights *trained, ranking *r) {
    ren_status st = REN_OK;
    model m = { 0 };
    int32_t labels[CASES];
    REN_TRY(make(n, precision, 2, REN__INFER, &m));
    ren__session_free(m.session);
    m.session = NULL;
    ren__weights_release(m.weights);
    m.weights = NULL;
    REN_TRY(ren__weights_create(m.context, m.graph, &m.weights)); /* nothing is derived from these yet */
    for (int32_t i = 0; i < ren__weights_count(trained); i++)
        memcpy(ren__weights_data(m.weights, i), ren__weights_read(trained, i),
               ren__weights_elements(trained, i) * sizeof(float));
    REN_TRY(ren__session_create(m.graph, m.weights, REN__INFER, &m.session));
    const ren__shape *shape = ren__graph_shape(m.graph, ren__graph_find_input(m.graph, "x"));
    for (uint32_t begin = 0; begin < CASES; begin += INPUTS) {
        for (uint32_t i = 0; i < INPUTS; i++)
            draw_case(begin + i, shape, ren__session_input(m.session, "x") + i * ren__shape_elements(shape) / INPUTS,
                      &labels[begin + i]);
        REN_TRY(ren__session_run(m.session, NULL));
        const float *logits = ren__session_output(m.session, "logits");
        for (uint32_t i = 0; i < INPUTS; i++)
            r->probability[begin + i] = 1 / (1 + exp((double)logits[2 * i] - (double)logits[2 * i + 1]));
    }
    REN_TRY(ren__metric_auc(m.context, labels, r->probability, CASES, &r->auc));
out:
    unmake(&m);
    return st;
}

static ren_status compare_rankings(const network *n) {
    ren_status st = REN_OK;
    ren_context *context = NULL;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ranking exact, rounded;
    double most = 0;
    REN_TRY(make_context(REN_PRECISION_F32, 2, &context));
    REN_TRY(make_graph(context, n, 1, 0, &graph));
    REN_TRY(ren__weights_create(context, graph, &weights));
    REN_TRY(ren__weights_initialise(weights, 5));
    REN_TRY(train(context, n, weights));
    REN_TRY(rank(n, REN_PRECISION_F32, weights, &exact));
    REN_TRY(rank(n, REN_PRECISION_BF16, weights, &rounded));
    for (int i = 0; i < CASES; i++)
        most = fmax(most, fabs(exact.probability[i] - rounded.probability[i]));
    if (!(exact.auc > 0.62 && exact.auc < 0.85))
        st = test_fail(__FILE__, __LINE__, "%s has learnt an AUC of %.4f: the best is 0.72", n->arch, exact.auc);
    else if (!(most > 0 && most <= 0.01 && fabs(exact.auc - rounded.auc) <= 0.002))
        st = test_fail(__FILE__, __LINE__, "%s: probabilities differ by up to %.5f, AUC is %.5f and %.5f in bfloat16",
                       n->arch, most, exact.auc, rounded.auc);
out:
    ren__weights_release(weights);
    ren__graph_free(graph);
    ren_context_free(context);
    return st;
}

static ren_status test_rankings(ren_context *context) {
    static const network trained[] = {
        { "vit", "{\"input_size\": [16, 16, 16], \"dropout\": 0.0}" },
        { "mamba", "{\"input_size\": [16, 16, 16], \"dropout\": 0.0}" },
        { "cnn", "{\"input_size\": [16, 16, 16], \"dropout\": 0.0}" },
    };
    ren_status st = REN_OK;
    (void)context;
    if (!ren__onednn_bfloat()) SKIP("this processor multiplies no bfloat16");
    if (TEST_SANITIZED) SKIP("training takes minutes with a sanitizer");
    for (size_t i = 0; i < sizeof trained / sizeof *trained; i++)
        REN_TRY(compare_rankings(&trained[i]));
out:
    return st;
}

TEST_MAIN(CASE_ONCE(test_probabilities), CASE_SAMPLED(test_training_stays_float),
          CASE_SAMPLED(test_a_graph_may_keep_float), CASE_ONCE(test_rankings))
