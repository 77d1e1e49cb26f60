/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions that make no sense are refused where they are made, and the first error stays. */
#include "graph/op.h"
#include "ops/ops.h"

#include "harness.h"

typedef ren__value (*describe_fn)(ren__graph *graph);

static ren__value map_of(ren__graph *graph) {
    return ren__graph_input(graph, "x", (ren__shape){ 5, { 2, 4, 5, 6, 6 } });
}

static ren__value rows_of(ren__graph *graph, int64_t rows, int64_t columns) {
    return ren__graph_input(graph, "x", (ren__shape){ 2, { rows, columns } });
}

static ren__value conv_with(ren__graph *graph, int64_t kernel, int64_t stride, int64_t pad, int64_t groups,
                            int64_t channels) {
    const ren__conv_options o = { channels, { kernel, 1, 1 }, { stride, 1, 1 }, { pad, 0, 0 }, groups, 0 };
    return ren__conv(graph, map_of(graph), "conv", &o);
}

static ren__value conv_large_kernel(ren__graph *g) {
    return conv_with(g, 5, 1, 0, 1, 4);
}
static ren__value conv_no_kernel(ren__graph *g) {
    return conv_with(g, 0, 1, 0, 1, 4);
}
static ren__value conv_negative_stride(ren__graph *g) {
    return conv_with(g, 3, -1, 0, 1, 4);
}
static ren__value conv_negative_padding(ren__graph *g) {
    return conv_with(g, 3, 1, -1, 1, 4);
}
static ren__value conv_wide_padding(ren__graph *g) {
    return conv_with(g, 3, 1, 3, 1, 4);
}
static ren__value conv_groups(ren__graph *g) {
    return conv_with(g, 1, 1, 0, 4, 8);
}
static ren__value conv_groups_out(ren__graph *g) {
    return conv_with(g, 1, 1, 0, 3, 8);
}
static ren__value conv_negative_groups(ren__graph *g) {
    return conv_with(g, 1, 1, 0, -2, 8);
}
static ren__value conv_no_channels(ren__graph *g) {
    return conv_with(g, 1, 1, 0, 1, 0);
}
static ren__value conv_many_channels(ren__graph *g) {
    return conv_with(g, 1, 1, 0, 1, INT64_MAX / 2);
}

static ren__value conv_of_rows(ren__graph *g) {
    const ren__conv_options o = { 4, { 1 }, { 1 }, { 0 }, 1, 0 };
    return ren__conv(g, rows_of(g, 2, 3), "conv", &o);
}

static ren__value linear_of_nothing(ren__graph *g) {
    return ren__linear(g, rows_of(g, 2, 3), "fc", 0, 0);
}
static ren__value linear_of_a_vector(ren__graph *g) {
    return ren__linear(g, ren__graph_input(g, "x", (ren__shape){ 1, { 3 } }), "fc", 4, 0);
}
static ren__value max_pool_large(ren__graph *g) {
    return ren__max_pool(g, map_of(g), 5, 1);
}
static ren__value max_pool_no_stride(ren__graph *g) {
    return ren__max_pool(g, map_of(g), 2, 0);
}
static ren__value max_pool_no_window(ren__graph *g) {
    return ren__max_pool(g, map_of(g), 0, 1);
}
static ren__value average_pool_large(ren__graph *g) {
    return ren__average_pool(g, map_of(g), 5, 1);
}
static ren__value average_pool_no_stride(ren__graph *g) {
    return ren__average_pool(g, map_of(g), 2, -1);
}
static ren__value adaptive_no_cells(ren__graph *g) {
    return ren__adaptive_average_pool(g, map_of(g), 0);
}
static ren__value add_shapes(ren__graph *g) {
    return ren__add(g, map_of(g), ren__graph_input(g, "z", (ren__shape){ 5, { 2, 4, 5, 6, 7 } }));
}
static ren__value reshape_more(ren__graph *g) {
    return ren__reshape(g, rows_of(g, 2, 3), (ren__shape){ 2, { 3, 3 } });
}
static ren__value flatten_vector(ren__graph *g) {
    return ren__flatten(g, ren__graph_input(g, "x", (ren__shape){ 1, { 3 } }));
}
static ren__value empty_input(ren__graph *g) {
    return rows_of(g, 0, 3);
}
static ren__value vast_input(ren__graph *g) {
    return rows_of(g, INT64_C(1) << 30, INT64_C(1) << 30);
}

static ren__value loss_of(ren__graph *g, int64_t classes, int64_t targets, double smoothing) {
    ren__value y = ren__graph_input(g, "y", (ren__shape){ 1, { targets } });
    return ren__cross_entropy(g, rows_of(g, 4, classes), y, NULL, smoothing);
}

static ren__value loss_targets(ren__graph *g) {
    return loss_of(g, 2, 3, 0);
}
static ren__value loss_classes(ren__graph *g) {
    return loss_of(g, REN__MAX_CLASSES + 1, 4, 0);
}
static ren__value loss_smoothing(ren__graph *g) {
    return loss_of(g, 2, 4, 1);
}
static ren__value loss_nan(ren__graph *g) {
    return loss_of(g, 2, 4, NAN);
}

static const struct {
    const char *name;
    describe_fn describe;
} refusals[] = {
    { "a kernel larger than the map", conv_large_kernel },
    { "no kernel", conv_no_kernel },
    { "a negative stride", conv_negative_stride },
    { "negative padding", conv_negative_padding },
    { "padding as wide as the kernel", conv_wide_padding },
    { "groups that do not divide the input", conv_groups },
    { "groups that do not divide the output", conv_groups_out },
    { "negative groups", conv_negative_groups },
    { "no channels", conv_no_channels },
    { "more channels than can be counted", conv_many_channels },
    { "a convolution of rows", conv_of_rows },
    { "no features", linear_of_nothing },
    { "a linear layer on a vector", linear_of_a_vector },
    { "max-pooling, window", max_pool_large },
    { "max-pooling, stride", max_pool_no_stride },
    { "max-pooling, no window", max_pool_no_window },
    { "average pooling, window", average_pool_large },
    { "average pooling, stride", average_pool_no_stride },
    { "no cells", adaptive_no_cells },
    { "a sum of two shapes", add_shapes },
    { "another number of elements", reshape_more },
    { "a flat vector", flatten_vector },
    { "an empty input", empty_input },
    { "a vast input", vast_input },
    { "another number of targets", loss_targets },
    { "too many classes", loss_classes },
    { "smoothing of 1", loss_smoothing },
    { "smoothing of NaN", loss_nan },
};

static ren_status check_refusal(ren_context *context, size_t i) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL, *copy = NULL;
    ren__weights *weights = NULL;
    REN_TRY(ren__graph_create(context, &graph));
    ren__value value = refusals[i].describe(graph);
    st = ren__graph_status(graph);
    if (st == REN_E_MEMORY && test_injecting()) goto out;
    if (value != REN__NONE || st != REN_E_INVALID || !*ren_error_message()) {
        st = test_fail(__FILE__, __LINE__, "%s: value %d, %s", refusals[i].name, (int)value, ren_status_name(st));
        goto out;
    }
    char first[256];
    snprintf(first, sizeof first, "%s", ren_error_message());
    (void)ren__softmax(graph, ren__max_pool(graph, value, 99, 0)); /* what follows an error adds none */
    ren__graph_output(graph, "y", value);
    CHECK_FAILS(ren__graph_status(graph), REN_E_INVALID, first);
    CHECK_FAILS(ren__weights_create(context, graph, &weights), REN_E_INVALID, first);
    CHECK_FAILS(ren__graph_copy(graph, &copy), REN_E_INVALID, first);
out:
    ren__graph_free(graph);
    return st;
}

static ren_status test_senseless_descriptions_are_refused(ren_context *context) {
    ren_status st = REN_OK;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals && st == REN_OK; i++)
        st = check_refusal(context, i);
    return st;
}

static ren_status test_training_a_norm_needs_two_rows(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    REN_TRY(ren__graph_create(context, &graph));
    ren__graph_output(graph, "y", ren__batch_norm(graph, rows_of(graph, 1, 3), "norm"));
    REN_TRY(ren__weights_create(context, graph, &weights));
    CHECK_FAILS(ren__session_create(graph, weights, REN__TRAIN, &session), REN_E_INVALID, "more than one value");
    REN_TRY(ren__session_create(graph, weights, REN__INFER, &session));
out:
    ren__session_free(session);
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status test_one_name_has_one_shape(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    REN_TRY(ren__graph_create(context, &graph));
    ren__value x = rows_of(graph, 2, 3);
    (void)ren__linear(graph, ren__linear(graph, x, "fc", 4, 0), "fc", 4, 0);
    CHECK_FAILS(ren__graph_status(graph), REN_E_INTERNAL, "fc.weight is used with two shapes");
out:
    ren__graph_free(graph);
    return st;
}

TEST_MAIN(CASE(test_senseless_descriptions_are_refused), CASE(test_training_a_norm_needs_two_rows),
          CASE(test_one_name_has_one_shape))
