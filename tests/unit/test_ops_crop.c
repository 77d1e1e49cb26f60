/* SPDX-License-Identifier: Apache-2.0 */
/* The cropped network gives what the whole one gives, wherever the box lies, for the cost of the box. */
#include "base/random.h"
#include "format/document.h"
#include "nets/nets.h"
#include "ops/crop.h"

#include "harness.h"

typedef struct fixture {
    json_t *config;
    ren__graph *graph;
    ren__weights *weights;
    ren__session *dense;
    int64_t size[3];
} fixture;

/* A network whose norms are not the identity, so that zeros do not stay zeros. */
static ren_status set_up(ren_context *context, fixture *f, const char *config) {
    ren_status st = REN_OK;
    ren__rng rng;
    ren__rng_init(&rng, 3, 0, 0);
    REN_TRY(ren__json_parse(config, strlen(config), "config", &f->config));
    REN_TRY(ren__net_input_size(f->config, f->size));
    REN_TRY(ren__net_graph(context, ren__net_find("cnn"), f->config, 1, NULL, &f->graph));
    REN_TRY(ren__weights_create(context, f->graph, &f->weights));
    REN_TRY(ren__weights_initialise(f->weights, 5));
    for (int32_t i = 0; i < ren__weights_count(f->weights); i++)
        if (ren__weights_shape(f->weights, i)->rank == 1)
            for (size_t k = 0; k < ren__weights_elements(f->weights, i); k++)
                ren__weights_data(f->weights, i)[k] += (float)(0.5 * ren__rng_uniform(&rng));
    REN_TRY(ren__session_create(f->graph, f->weights, REN__INFER, &f->dense));
out:
    return st;
}

static void tear_down(fixture *f) {
    ren__session_free(f->dense);
    ren__weights_release(f->weights);
    ren__graph_free(f->graph);
    json_decref(f->config);
}

/* Values in the box [begin, end) of the dense input, the same in the cropped one. */
static void fill(const fixture *f, const int64_t begin[3], const int64_t end[3], const int64_t origin[3],
                 const int64_t size[3], float *whole, float *box) {
    ren__rng rng;
    ren__rng_init(&rng, 11, 0, 0);
    memset(whole, 0, (size_t)(f->size[0] * f->size[1] * f->size[2]) * sizeof *whole);
    memset(box, 0, (size_t)(size[0] * size[1] * size[2]) * sizeof *box);
    for (int64_t d = begin[0]; d < end[0]; d++)
        for (int64_t h = begin[1]; h < end[1]; h++)
            for (int64_t w = begin[2]; w < end[2]; w++) {
                float value = (float)ren__rng_uniform(&rng);
                whole[(d * f->size[1] + h) * f->size[2] + w] = value;
                box[((d - origin[0]) * size[1] + h - origin[1]) * size[2] + w - origin[2]] = value;
            }
}

static ren_status compare_box(const fixture *f, const ren__crop *crop, const int64_t begin[3], const int64_t end[3]) {
    ren_status st = REN_OK;
    int64_t origin[3], size[3];
    ren__graph *graph = NULL;
    ren__session *session = NULL;
    ren__crop_box(crop, begin, end, origin, size);
    for (int i = 0; i < 3; i++)
        CHECK(origin[i] >= 0 && origin[i] <= begin[i] && origin[i] + size[i] >= end[i] &&
              origin[i] + size[i] <= f->size[i]);
    REN_TRY(ren__crop_graph(crop, size, &graph));
    REN_TRY(ren__session_create(graph, f->weights, REN__INFER, &session));
    fill(f, begin, end, origin, size, ren__session_input(f->dense, "x"), ren__session_input(session, "x"));
    ren__session_place(session, origin);
    REN_TRY(ren__session_run(f->dense, NULL));
    REN_TRY(ren__session_run(session, NULL));
    for (int i = 0; i < 2; i++)
        CHECK_NEAR(ren__session_output(session, "logits")[i], ren__session_output(f->dense, "logits")[i], 2e-6);
    for (int i = 0; i < 64; i++)
        CHECK_NEAR(ren__session_output(session, "features")[i], ren__session_output(f->dense, "features")[i], 2e-6);
out:
    ren__session_free(session);
    ren__graph_free(graph);
    return st;
}

static ren_status test_boxes_anywhere_give_the_dense_result(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__crop *crop = NULL;
    static const int64_t boxes[][2][3] = {
        { { 0, 0, 0 }, { 1, 1, 1 } },     { { 39, 31, 47 }, { 40, 32, 48 } }, { { 16, 8, 24 }, { 24, 16, 32 } },
        { { 15, 7, 23 }, { 17, 9, 25 } }, { { 0, 10, 3 }, { 40, 11, 5 } },    { { 0, 0, 0 }, { 40, 32, 48 } },
        { { 7, 7, 7 }, { 8, 8, 8 } },     { { 8, 8, 8 }, { 9, 9, 9 } },       { { 20, 1, 2 }, { 38, 30, 3 } },
    };
    REN_TRY(set_up(context, &f, "{\"input_size\": [40, 32, 48]}"));
    REN_TRY(ren__crop_create(f.graph, f.weights, NULL, &crop));
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++)
        REN_TRY(compare_box(&f, crop, boxes[i][0], boxes[i][1]));
out:
    ren__crop_free(crop);
    tear_down(&f);
    return st;
}

static ren_status test_a_box_costs_less(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__crop *crop = NULL;
    ren__graph *graph = NULL;
    static const int64_t begin[3] = { 10, 10, 10 }, end[3] = { 14, 14, 14 };
    int64_t origin[3], size[3];
    REN_TRY(set_up(context, &f, "{\"input_size\": [64, 64, 64]}"));
    REN_TRY(ren__crop_create(f.graph, f.weights, NULL, &crop));
    ren__crop_box(crop, begin, end, origin, size);
    CHECK(size[0] <= 24 && size[1] <= 24 && size[2] <= 24);
    REN_TRY(ren__crop_graph(crop, size, &graph));
    CHECK(ren__graph_flops(graph) < 0.1 * ren__graph_flops(f.graph));
out:
    ren__graph_free(graph);
    ren__crop_free(crop);
    tear_down(&f);
    return st;
}

static ren_status test_sizes_that_strides_do_not_divide_are_refused(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    ren__crop *crop = NULL;
    REN_TRY(set_up(context, &f, "{\"input_size\": [20, 24, 24]}"));
    CHECK_FAILS(ren__crop_create(f.graph, f.weights, NULL, &crop), REN_E_UNSUPPORTED, "box");
out:
    tear_down(&f);
    return st;
}

TEST_MAIN(CASE_ONCE(test_boxes_anywhere_give_the_dense_result), CASE_SAMPLED(test_a_box_costs_less),
          CASE(test_sizes_that_strides_do_not_divide_are_refused))
