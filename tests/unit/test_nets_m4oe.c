/* SPDX-License-Identifier: Apache-2.0 */
/* M4oE and lungmask's U-Net: sizes that are refused, numbers that name nothing, experts that are left out. */
#include "format/document.h"
#include "graph/weights.h"
#include "nets/nets.h"

#include "harness.h"

#define SMALL "\"img_size\": [16, 8], \"patch_size\": 2, \"embed_dim\": 4, \"depths\": [1, 1], \"num_heads\": [1, 2]"

static ren_status make_graph(ren_context *context, const char *arch, const char *config, const char *loss,
                             ren__graph **graph) {
    ren_status st = REN_OK;
    json_t *settings = NULL, *kind = NULL;
    REN_TRY(ren__json_parse(config, strlen(config), "config", &settings));
    if (loss) REN_TRY(ren__json_parse(loss, strlen(loss), "loss", &kind));
    st = ren__net_graph(context, ren__net_find(arch), settings, 2, kind, graph);
out:
    json_decref(settings);
    json_decref(kind);
    return st;
}

static ren_status test_configurations_that_are_refused(ren_context *context) {
    static const struct {
        const char *arch, *config, *text;
    } refused[] = {
        { "m4oe", "{\"img_size\": 112}", "multiple of 32" },
        { "m4oe", "{\"img_size\": [64, 64, 64]}", "img_size" },
        { "m4oe", "{\"depths\": [2, 2]}", "different lengths" },
        { "m4oe", "{\"num_heads\": [5, 6, 12, 24]}", "heads" },
        { "m4oe", "{\"gate\": \"other\"}", "gate" },
        { "m4oe", "{\"gate\": \"modality\", \"top_k\": 1}", "top_k" },
        { "m4oe", "{\"num_experts\": 2, \"top_k\": 3}", "top_k" },
        { "m4oe", "{\"num_classes\": []}", "num_classes" },
        { "m4oe", "{\"drop_path\": 1.0}", "drop_path" },
        { "m4oe", "{\"input_planes\": 2}", "planes" },
        { "m4oe", "{\"size\": 64}", "size" },
        { "lungmask_unet", "{\"input_size\": [40, 32]}", "multiple of 16" },
        { "lungmask_unet", "{\"input_size\": [32]}", "input_size" },
        { "lungmask_unet", "{\"residual\": true}", "residual" },
        { "lungmask_unet", "{\"up_mode\": \"upconv\"}", "up_mode" },
    };
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        st = make_graph(context, refused[i].arch, refused[i].config, NULL, &graph);
        if (st == REN_E_MEMORY) goto out;
        if (st == REN_OK || !strstr(ren_error_message(), refused[i].text)) {
            st = test_fail(__FILE__, __LINE__, "%s is not refused for its %s", refused[i].config, refused[i].text);
            goto out;
        }
    }
    st = REN_OK;
out:
    ren__graph_free(graph);
    return st;
}

static ren_status make_session(ren_context *context, const char *config, ren__weights **weights,
                               ren__session **session) {
    static const char loss[] = "{\"kind\": \"segmentation\"}";
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    REN_TRY(make_graph(context, "m4oe", config, loss, &graph));
    REN_TRY(ren__weights_create(context, graph, weights));
    REN_TRY(ren__weights_initialise(*weights, 5));
    REN_TRY(ren__session_create(graph, *weights, REN__TRAIN, session));
    memset(ren__session_input(*session, "labels"), 0, 2 * 16 * 8 * sizeof(float));
    for (int i = 0; i < 2 * 16 * 8; i++)
        ren__session_input(*session, "x")[i] = (float)(i % 7) / 7;
out:
    ren__graph_free(graph);
    return st;
}

/* A number that names no head, expert or class is an error of the data. */
static ren_status test_numbers_that_name_nothing(ren_context *context) {
    static const char config[] = "{" SMALL ", \"num_classes\": [3, 2], \"gate\": \"modality\", \"num_experts\": 2}";
    static const struct {
        const char *input, *text;
        float value;
    } wrong[] = { { "predict_head", "head", 2 }, { "predict_head", "head", 0.5F }, { "dataset_id", "expert", -1 },
                  { "dataset_id", "expert", 2 }, { "labels", "class", 2 },         { "labels", "class", 0.25F } };
    ren_status st = REN_OK;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    REN_TRY(make_session(context, config, &weights, &session));
    ren__session_input(session, "predict_head")[0] = ren__session_input(session, "predict_head")[1] = 1;
    ren__session_input(session, "dataset_id")[0] = ren__session_input(session, "dataset_id")[1] = 0;
    REN_TRY(ren__session_run(session, NULL));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        float *input = ren__session_input(session, wrong[i].input), before = input[1];
        input[1] = wrong[i].value;
        CHECK_FAILS(ren__session_run(session, NULL), REN_E_DATA, wrong[i].text);
        input[1] = before;
    }
    st = ren__session_run(session, NULL);
out:
    ren__session_free(session);
    ren__weights_release(weights);
    return st;
}

static int is_of_expert(const char *name, const char *expert) {
    return strstr(name, expert) != NULL;
}

/* An expert that no sample names learns nothing; the named one does. */
static ren_status test_an_expert_left_out_has_no_gradient(ren_context *context) {
    static const char config[] = "{" SMALL ", \"num_classes\": 2, \"gate\": \"modality\", \"num_experts\": 2}";
    ren_status st = REN_OK;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    REN_TRY(make_session(context, config, &weights, &session));
    ren__session_input(session, "dataset_id")[0] = ren__session_input(session, "dataset_id")[1] = 1;
    REN_TRY(ren__session_run(session, NULL));
    REN_TRY(ren__session_backward(session, NULL));
    for (int32_t i = 0; i < ren__weights_count(weights); i++) {
        double sum = 0;
        for (size_t k = 0; k < ren__weights_elements(weights, i); k++)
            sum += fabs((double)ren__session_gradient(session, i)[k]);
        if (is_of_expert(ren__weights_name(weights, i), "experts.0.")) CHECK(sum == 0);
        if (is_of_expert(ren__weights_name(weights, i), "experts.1.")) CHECK(sum > 0);
    }
out:
    ren__session_free(session);
    ren__weights_release(weights);
    return st;
}

TEST_MAIN(CASE_ONCE(test_configurations_that_are_refused), CASE_SAMPLED(test_numbers_that_name_nothing),
          CASE_ONCE(test_an_expert_left_out_has_no_gradient))
