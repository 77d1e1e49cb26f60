/* SPDX-License-Identifier: Apache-2.0 */
/* The published CNN: names, shapes and numbers of its checkpoint, and which configurations are refused. */
#include "format/document.h"
#include "graph/op.h"
#include "nets/nets.h"

#include "harness.h"

static ren_status build(ren_context *context, const char *config, const char *loss, ren__graph **graph) {
    ren_status st = REN_OK;
    json_t *config_tree = NULL, *loss_tree = NULL;
    if (config) REN_TRY(ren__json_parse(config, strlen(config), "config", &config_tree));
    if (loss) REN_TRY(ren__json_parse(loss, strlen(loss), "loss", &loss_tree));
    REN_TRY(ren__net_graph(context, ren__net_find("cnn"), config_tree, 3, loss_tree, graph));
out:
    json_decref(config_tree);
    json_decref(loss_tree);
    return st;
}

static ren_status test_the_checkpoint_names_and_shapes(ren_context *context) {
    static const struct {
        const char *name;
        ren__shape shape;
    } wanted[] = {
        { "conv1.weight", { 5, { 24, 1, 3, 3, 3 } } },
        { "conv1.bias", { 1, { 24 } } },
        { "bn1.weight", { 1, { 24 } } },
        { "bn1.bias", { 1, { 24 } } },
        { "bn1.running_mean", { 1, { 24 } } },
        { "bn1.running_var", { 1, { 24 } } },
        { "conv2.weight", { 5, { 48, 24, 3, 3, 3 } } },
        { "conv3.weight", { 5, { 96, 48, 3, 3, 3 } } },
        { "fc1.weight", { 2, { 256, 165888 } } },
        { "fc1.bias", { 1, { 256 } } },
        { "bn_fc1.running_var", { 1, { 256 } } },
        { "fc2.weight", { 2, { 64, 256 } } },
        { "bn_fc2.weight", { 1, { 64 } } },
        { "output.weight", { 2, { 2, 64 } } },
        { "output.bias", { 1, { 2 } } },
    };
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    REN_TRY(build(context, NULL, NULL, &graph));
    CHECK_INT(ren__graph_parameter_count(graph), 3 * 6 + 2 * 6 + 2);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        int found = 0;
        for (int32_t k = 0; k < ren__graph_parameter_count(graph); k++) {
            const ren__parameter *p = ren__graph_parameter_at(graph, k);
            if (strcmp(p->name, wanted[i].name) == 0) found = ren__shape_equal(&p->shape, &wanted[i].shape);
        }
        if (!found) {
            st = test_fail(__FILE__, __LINE__, "no %s of that shape", wanted[i].name);
            goto out;
        }
    }
    /* Weights and biases of the layers, and two numbers for each channel that is normalised. */
    const int64_t convs = 24 * 27 + 24 + 48 * 24 * 27 + 48 + 96 * 48 * 27 + 96;
    const int64_t linear = 256 * INT64_C(165888) + 256 + 64 * 256 + 64 + 2 * 64 + 2;
    CHECK_INT(ren__graph_parameters(graph), convs + linear + 2 * (24 + 48 + 96 + 256 + 64));
out:
    ren__graph_free(graph);
    return st;
}

static ren_status test_inputs_and_outputs(ren_context *context) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    REN_TRY(build(context, "{\"input_size\": [17, 8, 31], \"classes\": 5}", "{}", &graph));
    const ren__shape x = { 5, { 3, 17, 8, 31, 1 } }, y = { 1, { 3 } }, logits = { 2, { 3, 5 } },
                     features = { 2, { 3, 64 } };
    CHECK(ren__shape_equal(ren__graph_shape(graph, ren__graph_find_input(graph, "x")), &x));
    CHECK(ren__shape_equal(ren__graph_shape(graph, ren__graph_find_input(graph, "y")), &y));
    CHECK(ren__shape_equal(ren__graph_shape(graph, ren__graph_find_output(graph, "logits")), &logits));
    CHECK(ren__shape_equal(ren__graph_shape(graph, ren__graph_find_output(graph, "features")), &features));
    CHECK_INT(ren__graph_shape(graph, ren__graph_find_output(graph, "loss"))->rank, 0);
    CHECK_INT(ren__graph_input_count(graph), 2);
    CHECK_INT(ren__graph_output_count(graph), 3);
    CHECK(!ren__graph_input_name(graph, 2) && !ren__graph_output_name(graph, -1));
out:
    ren__graph_free(graph);
    return st;
}

static ren_status test_configurations_that_are_refused(ren_context *context) {
    static const struct {
        const char *config, *loss, *says;
    } wrong[] = {
        { "{\"input_size\": [7, 8, 8]}", NULL, "" },
        { "{\"input_size\": [96, 96]}", NULL, "input_size" },
        { "{\"input_size\": [96, 96, 1025]}", NULL, "input_size" },
        { "{\"input_size\": [96, 96, 9.5]}", NULL, "input_size" },
        { "{\"input_size\": 96}", NULL, "input_size" },
        { "{\"classes\": 1}", NULL, "classes" },
        { "{\"classes\": 17}", NULL, "classes" },
        { "{\"classes\": \"two\"}", NULL, "classes" },
        { "{\"dropout\": 1}", NULL, "dropout" },
        { "{\"dropout\": -0.5}", NULL, "dropout" },
        { "{\"drop_out\": 0.5}", NULL, "dropout" },
        { NULL, "{\"weight\": [1, 2, 3]}", "loss.weight" },
        { NULL, "{\"weight\": [1, null]}", "loss.weight" },
        { NULL, "{\"label_smoothing\": -1}", "smoothing" },
        { NULL, "{\"kind\": \"hinge\"}", "hinge" },
        { NULL, "{\"smoothing\": 0.1}", "smoothing" },
    };
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        st = build(context, wrong[i].config, wrong[i].loss, &graph);
        if (st == REN_E_MEMORY && test_injecting()) goto out;
        if ((st != REN_E_INVALID && st != REN_E_FORMAT && st != REN_E_UNSUPPORTED) ||
            !strstr(ren_error_message(), wrong[i].says)) {
            st = test_fail(__FILE__, __LINE__, "%s %s: %s, %s", wrong[i].config ? wrong[i].config : "",
                           wrong[i].loss ? wrong[i].loss : "", ren_status_name(st), ren_error_message());
            goto out;
        }
    }
    st = REN_OK;
    CHECK_FAILS(ren__net_graph(context, ren__net_find("cnn"), NULL, 0, NULL, &graph), REN_E_INVALID, "batch");
    CHECK(ren__net_find("CNN") == NULL && ren__net_at(-1) == NULL && ren__net_at(1000) == NULL);
out:
    ren__graph_free(graph);
    return st;
}

/* The published training settings are JSON of known keys. */
static ren_status test_the_training_settings_parse(ren_context *context) {
    ren_status st = REN_OK;
    json_t *tree = NULL;
    (void)context;
    for (int32_t i = 0; ren__net_at(i); i++) {
        const char *text = ren__net_at(i)->training;
        REN_TRY(ren__json_parse(text, strlen(text), "training", &tree));
        CHECK(json_is_object(tree) && json_integer_value(json_object_get(tree, "epochs")) > 0);
        json_decref(tree);
        tree = NULL;
    }
out:
    json_decref(tree);
    return st;
}

TEST_MAIN(CASE(test_the_checkpoint_names_and_shapes), CASE(test_inputs_and_outputs),
          CASE(test_configurations_that_are_refused), CASE(test_the_training_settings_parse))
