/* SPDX-License-Identifier: Apache-2.0 */
/* Gates: weights against numbers worked out by hand, what is refused, threads. Their files: test_moe_gate_file.c. */
#include <pthread.h>

#include "gate_fixture.h"

static const double aucs[REN_REGION_COUNT] = { 0.8, 0.9, 0.7, 0.6, 1.0, 0.75, 0.85 };
static const int32_t all[REN_REGION_COUNT] = { 1, 1, 1, 1, 1, 1, 1 };

static ren_status make_gate(ren_context *context, const char *source, int32_t normalisation, const double *values,
                            ren_gate **out) {
    ren_gate_options options;
    ren_status st = REN_OK;

    REN_TRY(ren_gate_options_init(&options, sizeof options));
    options.source = source;
    options.normalisation = normalisation;
    if (values) memcpy(options.weights, values, sizeof options.weights);
    REN_TRY(ren_gate_create(context, &options, out));
out:
    return st;
}

static ren_status check_weights(const ren_gate *gate, const int32_t *ran, const double *wanted) {
    double weights[REN_REGION_COUNT];
    ren_status st = REN_OK;

    REN_TRY(ren__gate_weights(gate, ran, NULL, weights));
    for (int i = 0; i < REN_REGION_COUNT; i++)
        CHECK_NEAR(weights[i], wanted[i], 1e-15);
out:
    return st;
}

static ren_status test_uniform(ren_context *context) {
    static const int32_t lobes[REN_REGION_COUNT] = { 1, 1, 1, 0, 1, 0, 0 };
    static const double wanted[REN_REGION_COUNT] = { 0.25, 0.25, 0.25, 0, 0.25, 0, 0 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "uniform", REN_GATE_SUM, NULL, &gate));
    REN_TRY(check_weights(gate, lobes, wanted));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_auc_sums_to_one(ren_context *context) {
    /* 0.8 + 0.9 + 0.7 + 0.6 + 1.0 + 0.75 + 0.85 = 5.6 */
    static const double wanted[REN_REGION_COUNT] = { 1 / 7.0, 0.9 / 5.6,  0.125,     0.6 / 5.6,
                                                     1 / 5.6, 0.75 / 5.6, 0.85 / 5.6 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "validation_auc", REN_GATE_SUM, aucs, &gate));
    REN_TRY(check_weights(gate, all, wanted));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_hierarchical(ren_context *context) {
    /* Lobes sum to 4, lungs to 1.6, each level counts half. */
    static const double both[REN_REGION_COUNT] = { 0.1, 0.1125, 0.0875, 0.075, 0.125, 0.234375, 0.265625 };
    static const int32_t no_rml[REN_REGION_COUNT] = { 1, 1, 1, 0, 1, 1, 1 };
    static const double without[REN_REGION_COUNT] = { 0.4 / 3.4, 0.45 / 3.4, 0.35 / 3.4, 0,
                                                      0.5 / 3.4, 0.234375,   0.265625 };
    static const int32_t lungs[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 1, 1 };
    static const double alone[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 0.46875, 0.53125 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "validation_auc", REN_GATE_HIERARCHICAL, aucs, &gate));
    REN_TRY(check_weights(gate, all, both));
    REN_TRY(check_weights(gate, no_rml, without));
    REN_TRY(check_weights(gate, lungs, alone));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_inverse_loss(ren_context *context) {
    static const double losses[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 0.5, 0.25 };
    static const double wanted[REN_REGION_COUNT] = { 0, 0, 0, 0, 0, 1 / 3.0, 2 / 3.0 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "inverse_loss", REN_GATE_SUM, losses, &gate));
    REN_TRY(check_weights(gate, all, wanted));
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_refusals(ren_context *context) {
    static const double none[REN_REGION_COUNT] = { 0 };
    double values[REN_REGION_COUNT];
    static const int32_t nothing[REN_REGION_COUNT] = { 0 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    CHECK_FAILS(make_gate(context, "given", REN_GATE_SUM, none, &gate), REN_E_DATA, "all weights are 0");
    CHECK_FAILS(make_gate(context, "test_auc", REN_GATE_SUM, aucs, &gate), REN_E_INVALID, "test_auc");
    CHECK_FAILS(make_gate(context, "given", 7, aucs, &gate), REN_E_INVALID, "normalisation");
    memcpy(values, aucs, sizeof values);
    values[3] = NAN;
    CHECK_FAILS(make_gate(context, "validation_auc", REN_GATE_SUM, values, &gate), REN_E_DATA, "RML");
    values[3] = 1.5;
    CHECK_FAILS(make_gate(context, "validation_accuracy", REN_GATE_SUM, values, &gate), REN_E_DATA, "above 1");
    values[3] = -0.1;
    CHECK_FAILS(make_gate(context, "given", REN_GATE_SUM, values, &gate), REN_E_DATA, "negative");
    values[3] = 1e-320;
    CHECK_FAILS(make_gate(context, "inverse_loss", REN_GATE_SUM, values, &gate), REN_E_DATA, "too small");
    CHECK(gate == NULL);
    REN_TRY(make_gate(context, "given", REN_GATE_SUM, aucs, &gate));
    CHECK_FAILS(ren__gate_weights(gate, nothing, NULL, values), REN_E_DATA, "empty");
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_radiomics_base(ren_context *context) {
    /* 0.1 + 3.8 (AUC - 0.5), and never below 0.1; a region that nothing was given for stays without weight */
    static const double values[REN_REGION_COUNT] = { 0.86, 0.5, 0.3, 0.0, 1.0, 0.75, 0.6 };
    static const double wanted[REN_REGION_COUNT] = { 1.468, 0.1, 0.1, 0.0, 2.0, 1.05, 0.48 };
    double base[REN_REGION_COUNT], weights[REN_REGION_COUNT];
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    REN_TRY(make_gate(context, "radiomics", REN_GATE_SUM, values, &gate));
    ren__gate_base(gate, base);
    REN_TRY(ren__gate_weights(gate, all, NULL, weights));
    for (int i = 0; i < REN_REGION_COUNT; i++) {
        CHECK_NEAR(base[i], wanted[i], 1e-15);
        CHECK_NEAR(weights[i], wanted[i] / 5.198, 1e-15);
    }
    CHECK_INT(ren__gate_reads(gate), REN__READS_NOTHING);
    CHECK_INT(ren__gate_explains(gate), REN__READS_NOTHING);
    CHECK(gate->extractor == NULL && ren__gate_columns(gate).count == 0);
out:
    ren_gate_free(gate);
    return st;
}

/* Fixed weights at a temperature are powers; learned ones a softmax of logits (ren.md). */
static ren_status test_temperature(ren_context *context) {
    static const double logits[REN_REGION_COUNT] = { 0.3, -0.2, 0.0, 1.5, -1.0, 0.7, 0.1 };
    ren_gate_options options;
    ren_gate *fixed = NULL, *learned = NULL;
    double a[REN_REGION_COUNT], b[REN_REGION_COUNT], sum[2] = { 0.0, 0.0 };
    ren_status st = REN_OK;

    REN_TRY(ren_gate_options_init(&options, sizeof options));
    CHECK(options.temperature == 1.0);
    options.source = "validation_auc";
    options.temperature = 0.5;
    memcpy(options.weights, aucs, sizeof aucs);
    REN_TRY(ren_gate_create(context, &options, &fixed));
    memcpy(options.logits, logits, sizeof logits);
    options.temperature = 2.0;
    REN_TRY(ren_gate_create(context, &options, &learned));
    REN_TRY(ren__gate_weights(fixed, all, NULL, a));
    REN_TRY(ren__gate_weights(learned, all, NULL, b));
    for (int i = 0; i < REN_REGION_COUNT; i++) {
        sum[0] += aucs[i] * aucs[i];
        sum[1] += exp((log(aucs[i] + 1e-8) + logits[i]) / 2.0);
    }
    for (int i = 0; i < REN_REGION_COUNT; i++) {
        CHECK_NEAR(a[i], aucs[i] * aucs[i] / sum[0], 1e-15);
        CHECK_NEAR(b[i], exp((log(aucs[i] + 1e-8) + logits[i]) / 2.0) / sum[1], 1e-15);
    }
out:
    ren_gate_free(fixed);
    ren_gate_free(learned);
    return st;
}

/* Scores of the fixture for a mean of -850 + 40 x. */
static double score(int region, double x) {
    return 0.1 * region + (0.5 - 0.2 * region) * x;
}

static ren_status check_scan_weights(ren_context *context, int32_t normalisation, double x) {
    const double row[FIXTURE_COLUMNS] = { -850.0 + 40.0 * x, 500.0, 1.0 };
    const ren__evidence evidence = { .row = { row, row, row, NULL, row, row, row } };
    double base[REN_REGION_COUNT], raw[REN_REGION_COUNT], weights[REN_REGION_COUNT], sum[2] = { 0.0, 0.0 };
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    /* Region 3 has no row, region 6 no score: both keep their base weight alone. */
    REN_TRY(fixture_radiomics_gate(context, REN__GATE_PER_SCAN, normalisation, 0.8, 0x3f, &gate));
    ren__gate_base(gate, base);
    REN_TRY(ren__gate_weights(gate, all, &evidence, weights));
    for (int i = 0; i < REN_REGION_COUNT; i++) {
        raw[i] = base[i] * exp(i == 3 || i == 6 ? 0.0 : score(i, x) / 0.8);
        sum[normalisation == REN_GATE_HIERARCHICAL && i >= 5] += raw[i];
    }
    for (int i = 0; i < REN_REGION_COUNT; i++)
        CHECK_NEAR(weights[i], normalisation == REN_GATE_SUM ? raw[i] / sum[0] : raw[i] / (2.0 * sum[i >= 5]), 1e-14);
    CHECK_INT(ren__gate_reads(gate), REN__READS_RADIOMICS);
    CHECK_INT(ren__gate_columns(gate).count, FIXTURE_COLUMNS);
    CHECK(gate->extractor != NULL);
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_per_scan(ren_context *context) {
    ren_status st = REN_OK;

    REN_TRY(check_scan_weights(context, REN_GATE_SUM, 0.7));
    REN_TRY(check_scan_weights(context, REN_GATE_HIERARCHICAL, -1.3));
out:
    return st;
}

/* Scores beyond what exp can hold: the largest takes all, and each level keeps its half. */
static ren_status test_extreme_scores(ren_context *context) {
    const double row[FIXTURE_COLUMNS] = { 1e9, 500.0, 1.0 };
    const ren__evidence evidence = { .row = { row, row, row, row, row, row, row } };
    static const double wanted[2][REN_REGION_COUNT] = { { 1, 0, 0, 0, 0, 0, 0 }, { 0.5, 0, 0, 0, 0, 0.5, 0 } };
    ren_gate *gate = NULL;
    double weights[REN_REGION_COUNT];
    ren_status st = REN_OK;

    for (int32_t normalisation = REN_GATE_SUM; normalisation <= REN_GATE_HIERARCHICAL; normalisation++) {
        REN_TRY(fixture_radiomics_gate(context, REN__GATE_PER_SCAN, normalisation, 0.001, 0x7f, &gate));
        REN_TRY(ren__gate_weights(gate, all, &evidence, weights));
        for (int i = 0; i < REN_REGION_COUNT; i++)
            CHECK_NEAR(weights[i], wanted[normalisation][i], 1e-15);
        ren_gate_free(gate);
        gate = NULL;
    }
out:
    ren_gate_free(gate);
    return st;
}

static ren_status test_deep_features(ren_context *context) {
    static const int32_t two[REN_REGION_COUNT] = { 1, 0, 0, 0, 0, 1, 0 };
    const double left[4] = { 2.0, 0, 0, 0 }, lung[4] = { -1.0, 0, 0, 0 };
    const ren__evidence evidence = { .row = { left, NULL, NULL, NULL, NULL, lung } };
    ren_gate *gate = NULL;
    double weights[REN_REGION_COUNT];
    ren_status st = REN_OK;

    REN_TRY(fixture_features_gate(context, 4, 1.0, 2.0, 0.5, &gate));
    REN_TRY(ren__gate_weights(gate, two, &evidence, weights));
    /* 0.5 exp(0.25) against 1.0 exp(1.0 - 0.5) */
    const double a = 0.5 * exp(0.25), b = exp(0.5);
    CHECK_NEAR(weights[0], a / (a + b), 1e-15);
    CHECK_NEAR(weights[5], b / (a + b), 1e-15);
    CHECK_INT(ren__gate_reads(gate), REN__READS_FEATURES);
    CHECK_TEXT(ren__gate_columns(gate).name[3], "feature.3");
    CHECK_TEXT(ren__gate_source(gate), "features");
out:
    ren_gate_free(gate);
    return st;
}

/* One part of a gate that is wrong: what is said about it. */
static ren_status refuse(ren_context *context, const ren__gate_parts *parts, ren_status code, const char *message) {
    ren_gate *gate = NULL;
    ren_status st = REN_OK;

    CHECK_FAILS(ren__gate_make(context, parts, &gate), code, message);
    CHECK(gate == NULL);
out:
    ren_gate_free(gate);
    return st;
}

static ren__gate_parts plain_parts(const char *source) {
    ren__gate_parts parts = { .source = source };

    memcpy(parts.value, aucs, sizeof aucs);
    return parts;
}

static ren_status test_refused_parts(ren_context *context) {
    static const char *const twice[] = { "a", "b", "a" }, *const odd[] = { "feature.0", "feature.2" };
    const ren__columns columns = { fixture_radiomics, FIXTURE_COLUMNS };
    ren__gate_parts parts = plain_parts("radiomics");
    ren__predictor *linear = NULL, *tree = NULL;
    ren_status st = REN_OK;

    REN_TRY(fixture_linear(context, &columns, 0.0, 0.0, 1.0, 1.0, &linear));
    REN_TRY(fixture_tree(context, &columns, 1.0f, 0.0, 1.0, &tree));
    parts.mode = REN__GATE_PER_SCAN;
    parts.columns = columns;
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "needs a score"));
    parts.score[2] = linear;
    parts.columns = (ren__columns){ NULL, 0 };
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "columns"));
    parts.columns = (ren__columns){ twice, 3 };
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "two columns"));
    parts.columns = columns;
    parts.mode = REN__GATE_FIXED;
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "no scores"));
    parts.mode = 7;
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "mode"));
    parts = plain_parts("radiomics");
    parts.columns = columns;
    parts.params = "{\"settings\": {}}";
    REN_TRY(refuse(context, &parts, REN_E_FORMAT, "settings"));
    parts = plain_parts("features");
    parts.columns = (ren__columns){ odd, 2 };
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "feature.1"));
    parts.columns = (ren__columns){ odd, 1 };
    parts.params = "{}";
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "no radiomics"));
    parts.params = NULL;
    parts.predictor[0] = tree; /* reads column 1 of a single one */
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "does not have"));
    parts = plain_parts("validation_auc");
    parts.mode = REN__GATE_PER_SCAN;
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "nothing of a scan"));
    parts.mode = REN__GATE_FIXED;
    parts.predictor[0] = tree;
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "no predictors"));
    parts.predictor[0] = NULL;
    parts.temperature = 1e-4;
    REN_TRY(refuse(context, &parts, REN_E_INVALID, "temperature"));
    parts.temperature = 0.0;
    parts.mode = REN__GATE_LEARNED;
    parts.logit[1] = NAN;
    REN_TRY(refuse(context, &parts, REN_E_DATA, "LLL"));
    parts.logit[1] = 1e7;
    REN_TRY(refuse(context, &parts, REN_E_DATA, "LLL"));
out:
    ren__predictor_free(linear);
    ren__predictor_free(tree);
    return st;
}

typedef struct job {
    const ren_gate *gate;
    double weights[REN_REGION_COUNT];
    ren_status status;
} job;

static void *work(void *argument) {
    job *j = argument;

    for (int i = 0; i < 200 && j->status == REN_OK; i++) {
        const double row[FIXTURE_COLUMNS] = { -900.0, 1500.0, 1.0 };
        const ren__evidence evidence = { .row = { row, row, row, row, row, row, row } };
        ren_gate *held = ren__gate_retain(j->gate);
        j->status = ren__gate_weights(held, all, &evidence, j->weights);
        ren_gate_free(held);
    }
    return NULL;
}

static ren_status test_threads_share(ren_context *context) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    job jobs[THREADS];
    ren_gate *gate = NULL;
    int started = 0;
    ren_status st = REN_OK;

    REN_TRY(fixture_radiomics_gate(context, REN__GATE_PER_SCAN, REN_GATE_SUM, 1.0, 0x7f, &gate));
    for (; started < THREADS; started++) {
        jobs[started] = (job){ .gate = gate };
        if (pthread_create(&threads[started], NULL, work, &jobs[started]) != 0) break;
    }
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(started, THREADS);
    for (int i = 0; i < THREADS; i++) {
        REN_TRY(jobs[i].status);
        CHECK(memcmp(jobs[i].weights, jobs[0].weights, sizeof jobs[0].weights) == 0);
    }
out:
    ren_gate_free(gate);
    return st;
}

TEST_MAIN(CASE(test_uniform), CASE(test_auc_sums_to_one), CASE(test_hierarchical), CASE(test_inverse_loss),
          CASE(test_refusals), CASE(test_radiomics_base), CASE(test_temperature), CASE_SAMPLED(test_per_scan),
          CASE_SAMPLED(test_extreme_scores), CASE(test_deep_features), CASE_SAMPLED(test_refused_parts),
          CASE_ONCE(test_threads_share))
