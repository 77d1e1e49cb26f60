/* SPDX-License-Identifier: Apache-2.0 */
/* Weights: how they are drawn, by their statistics; names, sharing, what is derived from them. */
#include "graph/op.h"
#include "nets/nets.h"
#include "ops/ops.h"

#include "harness.h"

static ren_status make(ren_context *context, ren__graph **graph, ren__weights **weights) {
    ren_status st = REN_OK;
    REN_TRY(ren__graph_create(context, graph));
    ren__value x = ren__graph_input(*graph, "x", ren__shape_of(5, (int64_t[]){ 2, 4, 4, 4, 12 }));
    const ren__conv_options options = { 48, { 3, 3, 3 }, { 0 }, { 1, 1, 1 }, 2, 0 };
    x = ren__batch_norm(*graph, ren__conv(*graph, x, "conv", &options), "norm");
    x = ren__linear(*graph, ren__flatten(*graph, x), "linear", 20, 0);
    ren__graph_output(*graph, "y", x);
    REN_TRY(ren__graph_status(*graph));
    REN_TRY(ren__weights_create(context, *graph, weights));
out:
    return st;
}

/* Uniform on (-bound, bound): range, mean, variance bound^2 / 3, fourth moment bound^4 / 5. */
static ren_status check_uniform(const ren__weights *weights, const char *name, double bound) {
    ren_status st = REN_OK;
    int32_t index = ren__weights_find(weights, name);
    CHECK(index >= 0);
    double n = (double)ren__weights_elements(weights, index), mean = 0, square = 0, fourth = 0, largest = 0;
    for (size_t i = 0; i < ren__weights_elements(weights, index); i++) {
        double value = (double)ren__weights_read(weights, index)[i] / bound;
        mean += value / n;
        square += value * value / n;
        fourth += pow(value, 4) / n;
        largest = fmax(largest, fabs(value));
    }
    CHECK(largest <= 1.0 + 1e-6 && largest > 1 - 10 / n);
    CHECK_NEAR(mean, 0, 5 * sqrt(1 / 3.0 / n));
    CHECK_NEAR(square, 1 / 3.0, 5 * sqrt((1 / 5.0 - 1 / 9.0) / n));
    CHECK_NEAR(fourth, 1 / 5.0, 5 * sqrt((1 / 9.0 - 1 / 25.0) / n));
out:
    return st;
}

static ren_status check_constant(const ren__weights *weights, const char *name, float wanted, int trained) {
    ren_status st = REN_OK;
    int32_t index = ren__weights_find(weights, name);
    CHECK(index >= 0);
    CHECK_INT(ren__weights_trained(weights, index), trained);
    for (size_t i = 0; i < ren__weights_elements(weights, index); i++)
        CHECK(ren__weights_read(weights, index)[i] == wanted);
out:
    return st;
}

/* PyTorch's defaults: bound 1 / sqrt(fan in) for weights and biases, norms the identity. */
static ren_status test_weights_are_drawn_as_described(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    REN_TRY(make(context, &graph, &weights));
    REN_TRY(ren__weights_initialise(weights, 9));
    REN_TRY(check_uniform(weights, "conv.weight", 1 / sqrt(6 * 27.0)));
    REN_TRY(check_uniform(weights, "conv.bias", 1 / sqrt(6 * 27.0)));
    REN_TRY(check_uniform(weights, "linear.weight", 1 / sqrt(48 * 64.0)));
    REN_TRY(check_uniform(weights, "linear.bias", 1 / sqrt(48 * 64.0)));
    REN_TRY(check_constant(weights, "norm.weight", 1, 1));
    REN_TRY(check_constant(weights, "norm.bias", 0, 1));
    REN_TRY(check_constant(weights, "norm.running_mean", 0, 0));
    REN_TRY(check_constant(weights, "norm.running_var", 1, 0));
out:
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status test_seeds_give_other_and_the_same_weights(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *a = NULL, *b = NULL;
    REN_TRY(make(context, &graph, &a));
    REN_TRY(ren__weights_create(context, graph, &b));
    REN_TRY(ren__weights_initialise(a, 9));
    REN_TRY(ren__weights_initialise(b, 9));
    for (int32_t i = 0; i < ren__weights_count(a); i++)
        CHECK(memcmp(ren__weights_read(a, i), ren__weights_read(b, i), ren__weights_elements(a, i) * sizeof(float)) ==
              0);
    REN_TRY(ren__weights_initialise(b, UINT64_C(9) + (UINT64_C(1) << 40)));
    int32_t index = ren__weights_find(a, "linear.weight");
    int64_t equal = 0, first_chunks = 0;
    for (size_t i = 0; i < ren__weights_elements(a, index); i++)
        equal += ren__weights_read(a, index)[i] == ren__weights_read(b, index)[i];
    for (size_t i = 0; i < 4096; i++) /* what one thread draws at a time */
        first_chunks += ren__weights_read(a, index)[i] == ren__weights_read(a, index)[4096 + i];
    CHECK(equal < 20 && first_chunks < 20);
out:
    ren__weights_release(a);
    ren__weights_release(b);
    ren__graph_free(graph);
    return st;
}

static ren_status test_truncated_normal(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    const int64_t count = 30000;
    REN_TRY(ren__graph_create(context, &graph));
    (void)ren__graph_parameter(graph, "p", "weight", ren__shape_of(1, &count),
                               (ren__initialiser){ REN__INIT_TRUNCATED_NORMAL, 0.02 }, 1);
    REN_TRY(ren__weights_create(context, graph, &weights));
    REN_TRY(ren__weights_initialise(weights, 2));
    double mean = 0, square = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double value = (double)ren__weights_read(weights, 0)[i] / 0.02;
        mean += value / (double)count;
        square += value * value / (double)count;
        largest = fmax(largest, fabs(value));
    }
    /* Variance within two standard deviations: 1 - 2 x 2 phi(2) / (2 Phi(2) - 1) = 0.773741. */
    CHECK(largest <= 2.0 + 1e-6 && largest > 1.98);
    CHECK_NEAR(mean, 0, 0.03);
    CHECK_NEAR(square, 0.773741, 0.03);
out:
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status test_names_are_found(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    size_t bytes = 0;
    REN_TRY(make(context, &graph, &weights));
    CHECK_INT(ren__weights_count(weights), 8);
    for (int32_t i = 0; i < 8; i++) {
        CHECK_INT(ren__weights_find(weights, ren__weights_name(weights, i)), i);
        CHECK((uintptr_t)ren__weights_read(weights, i) % 64 == 0);
        bytes += ren__weights_elements(weights, i) * sizeof(float);
    }
    CHECK_INT(ren__weights_find(weights, "conv"), -1);
    CHECK_INT(ren__weights_bytes(weights), bytes);
    CHECK_INT(ren__graph_parameters(graph), 48 * 6 * 27 + 48 + 2 * 48 + 20 * 48 * 64 + 20);
out:
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status test_columns_are_arranged(ren_context *context) {
    enum { ROWS = 5, CHANNELS = 19, CELLS = 35, COLUMNS = CHANNELS * CELLS };
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    float row[COLUMNS];
    const int64_t shape[2] = { ROWS, COLUMNS };
    REN_TRY(ren__graph_create(context, &graph));
    (void)ren__graph_parameter(graph, "fc", "weight", ren__shape_of(2, shape), (ren__initialiser){ REN__INIT_ZERO, 0 },
                               1);
    REN_TRY(ren__weights_create(context, graph, &weights));
    CHECK_INT(ren__weights_arranged(weights, 0), 0);
    CHECK_FAILS(ren__weights_arrange(weights, 0, 18), REN_E_INTERNAL, "fc.weight");
    REN_TRY(ren__weights_arrange(weights, 0, CHANNELS));
    CHECK_INT(ren__weights_arranged(weights, 0), CHANNELS);
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < COLUMNS; i++)
            row[i] = (float)(r * COLUMNS + i);
        ren__weights_put_row(weights, 0, r, row);
        memset(row, 0, sizeof row);
        for (int i = 0; i < COLUMNS; i++)
            CHECK_INT(ren__weights_read(weights, 0)[r * COLUMNS + i],
                      r * COLUMNS + i % CHANNELS * CELLS + i / CHANNELS);
        ren__weights_get_row(weights, 0, r, row);
        for (int i = 0; i < COLUMNS; i++)
            CHECK_INT(row[i], r * COLUMNS + i);
    }
out:
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status fill_seven(void *argument, void *out) {
    ++*(int *)argument;
    memset(out, 7, 16);
    return REN_OK;
}

static ren_status test_derived_data_is_made_once(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    const void *first = NULL, *second = NULL, *other = NULL;
    int made = 0;
    REN_TRY(make(context, &graph, &weights));
    REN_TRY(ren__weights_derive(weights, "ab", 2, 16, fill_seven, &made, &first));
    REN_TRY(ren__weights_derive(weights, "ab", 2, 16, fill_seven, &made, &second));
    REN_TRY(ren__weights_derive(weights, "ac", 2, 16, fill_seven, &made, &other));
    CHECK(first == second && first != other && made == 2 && *(const char *)first == 7);
out:
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

TEST_MAIN(CASE_ONCE(test_weights_are_drawn_as_described), CASE(test_seeds_give_other_and_the_same_weights),
          CASE(test_truncated_normal), CASE(test_names_are_found), CASE(test_columns_are_arranged),
          CASE(test_derived_data_is_made_once))
