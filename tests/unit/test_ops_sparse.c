/* SPDX-License-Identifier: Apache-2.0 */
/* The sparse network gives what the dense one gives, wherever the image is not zero. */
#include "base/random.h"
#include "format/document.h"
#include "nets/nets.h"
#include "ops/active.h"
#include "ops/ops.h"
#include "ops/sparse.h"

#include "harness.h"

typedef struct fixture {
    ren__graph *graph, *sparse_graph;
    ren__weights *published, *arranged; /* the same values */
    ren__session *dense, *session;
    ren__sparse *sparse;
    float *image;
    int64_t size[3];
    int32_t outputs;
} fixture;

/* Weights with norms that are not the identity, so that zeros do not stay zeros. */
static ren_status make_weights(ren_context *context, const ren__graph *graph, const ren__sparse *sparse,
                               ren__weights **out) {
    ren_status st = REN_OK;
    ren__weights *weights = NULL;
    ren__rng rng;
    ren__rng_init(&rng, 3, 0, 0);
    REN_TRY(ren__weights_create(context, graph, &weights));
    if (sparse) REN_TRY(ren__sparse_arrange(sparse, weights));
    REN_TRY(ren__weights_initialise(weights, 5));
    for (int32_t i = 0; i < ren__weights_count(weights); i++)
        if (ren__weights_shape(weights, i)->rank == 1)
            for (size_t k = 0; k < ren__weights_elements(weights, i); k++)
                ren__weights_data(weights, i)[k] += (float)(0.5 * ren__rng_uniform(&rng));
    *out = weights;
    weights = NULL;
out:
    ren__weights_release(weights);
    return st;
}

/* From the graph of the dense network on. */
static ren_status set_up(ren_context *context, fixture *f) {
    ren_status st = REN_OK;
    const ren__shape *x = ren__graph_shape(f->graph, ren__graph_find_input(f->graph, "x"));
    memcpy(f->size, &x->dim[1], sizeof f->size);
    f->outputs = (int32_t)ren__graph_shape(f->graph, ren__graph_find_output(f->graph, "logits"))->dim[1];
    REN_CALLOC(f->image, (size_t)(f->size[0] * f->size[1] * f->size[2]));
    REN_TRY(ren__sparse_create(f->graph, &f->sparse));
    REN_TRY(make_weights(context, f->graph, NULL, &f->published));
    REN_TRY(make_weights(context, f->graph, f->sparse, &f->arranged));
    REN_TRY(ren__session_create(f->graph, f->published, REN__INFER, &f->dense));
    CHECK(!ren__sparse_arranged(f->sparse, f->published) && ren__sparse_arranged(f->sparse, f->arranged));
    REN_TRY(ren__sparse_prepare(f->sparse, f->arranged, NULL));
    REN_TRY(ren__sparse_graph(f->sparse, &f->sparse_graph));
    REN_TRY(ren__session_create(f->sparse_graph, f->arranged, REN__INFER, &f->session));
out:
    return st;
}

static void tear_down(fixture *f) {
    ren__session_free(f->session);
    ren__session_free(f->dense);
    ren__graph_free(f->sparse_graph);
    ren__sparse_free(f->sparse);
    ren__weights_release(f->published);
    ren__weights_release(f->arranged);
    ren__graph_free(f->graph);
    ren__free(f->image);
}

static ren_status cnn(ren_context *context, const char *config, ren__graph **graph) {
    ren_status st = REN_OK;
    json_t *tree = NULL;
    REN_TRY(ren__json_parse(config, strlen(config), "config", &tree));
    REN_TRY(ren__net_graph(context, ren__net_find("cnn"), tree, 1, NULL, graph));
out:
    json_decref(tree);
    return st;
}

/* The image within the box to the sparse network, all of it to the dense one. */
static void give(const fixture *f, const int64_t begin[3], const int64_t end[3]) {
    float *x = ren__session_input(f->session, "x"), *box = ren__session_input(f->session, "box");
    memcpy(ren__session_input(f->dense, "x"), f->image,
           (size_t)(f->size[0] * f->size[1] * f->size[2]) * sizeof *f->image);
    for (int i = 0; i < 3; i++) {
        box[i] = (float)begin[i];
        box[3 + i] = (float)end[i];
    }
    for (int64_t d = begin[0]; d < end[0]; d++)
        for (int64_t h = begin[1]; h < end[1]; h++)
            for (int64_t w = begin[2]; w < end[2]; w++)
                *x++ = f->image[(d * f->size[1] + h) * f->size[2] + w];
}

static ren_status compare(const fixture *f, const int64_t begin[3], const int64_t end[3]) {
    ren_status st = REN_OK;
    give(f, begin, end);
    REN_TRY(ren__session_run(f->dense, NULL));
    REN_TRY(ren__session_run(f->session, NULL));
    for (int i = 0; i < f->outputs; i++)
        CHECK_NEAR(ren__session_output(f->session, "logits")[i], ren__session_output(f->dense, "logits")[i], 2e-6);
out:
    return st;
}

/* Voxels of the box that are not zero: one of `thinning`, or all those of a ball in it. */
enum { BALL = 0 };
static void draw_image(const fixture *f, const int64_t begin[3], const int64_t end[3], int64_t thinning) {
    ren__rng rng;
    ren__rng_init(&rng, 11, (uint32_t)thinning, 0);
    memset(f->image, 0, (size_t)(f->size[0] * f->size[1] * f->size[2]) * sizeof *f->image);
    for (int64_t d = begin[0]; d < end[0]; d++)
        for (int64_t h = begin[1]; h < end[1]; h++)
            for (int64_t w = begin[2]; w < end[2]; w++) {
                const int64_t at[3] = { d, h, w };
                double radius = 0;
                for (int i = 0; i < 3; i++) {
                    double offset = (double)(2 * at[i] + 1 - begin[i] - end[i]) / (double)(end[i] - begin[i]);
                    radius += offset * offset;
                }
                const int inside = thinning == BALL ? radius < 1 : ren__rng_uniform(&rng) * (double)thinning < 1;
                if (inside) f->image[(d * f->size[1] + h) * f->size[2] + w] = (float)(2 * ren__rng_uniform(&rng) - 1);
            }
}

static ren_status compare_images(const fixture *f) {
    static const int64_t boxes[][2][3] = {
        { { 0, 0, 0 }, { 1, 1, 1 } },     { { 39, 31, 47 }, { 40, 32, 48 } }, { { 16, 8, 24 }, { 24, 16, 32 } },
        { { 15, 7, 23 }, { 17, 9, 25 } }, { { 0, 10, 3 }, { 40, 11, 5 } },    { { 0, 0, 0 }, { 40, 32, 48 } },
        { { 7, 7, 7 }, { 8, 8, 8 } },     { { 8, 8, 8 }, { 9, 9, 9 } },       { { 20, 1, 2 }, { 38, 30, 3 } },
        { { 3, 0, 30 }, { 29, 20, 48 } }, { { 5, 5, 5 }, { 5, 5, 5 } },
    };
    static const int64_t thinnings[] = { 1, 3, 50, 1000, BALL };
    static const int64_t nowhere[3] = { 0, 0, 0 };
    ren_status st = REN_OK;
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++)
        for (size_t k = 0; k < sizeof thinnings / sizeof *thinnings; k++) {
            draw_image(f, boxes[i][0], boxes[i][1], thinnings[k]);
            REN_TRY(compare(f, boxes[i][0], boxes[i][1]));
            if (k < 2) REN_TRY(compare(f, nowhere, f->size)); /* a box may be larger than it must be */
        }
out:
    return st;
}

static ren_status test_any_image_gives_the_dense_result(ren_context *context) {
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *own = NULL;
    fixture f = { 0 };
    (void)context;
    test_allocator(&options);
    for (int32_t isa = REN_ISA_PLAIN; isa <= REN_ISA_AVX512; isa++) {
        options.isa = isa;
        REN_TRY(ren_context_create(&options, &own));
        REN_TRY(cnn(own, "{\"input_size\": [40, 32, 48]}", &f.graph));
        REN_TRY(set_up(own, &f));
        REN_TRY(compare_images(&f));
        tear_down(&f);
        ren_context_free(own);
        f = (fixture){ 0 };
        own = NULL;
    }
out:
    tear_down(&f);
    ren_context_free(own);
    return st;
}

/* Maps of which no cell is free of borders: the background is all of it. */
static ren_status test_small_networks(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    static const int64_t begin[3] = { 2, 3, 0 }, end[3] = { 4, 5, 7 };
    REN_TRY(cnn(context, "{\"input_size\": [8, 16, 24], \"classes\": 3}", &f.graph));
    REN_TRY(set_up(context, &f));
    draw_image(&f, begin, end, 2);
    REN_TRY(compare(&f, begin, end));
out:
    tear_down(&f);
    return st;
}

/* One block without bias and norm, and one without ReLU, and a linear layer without bias. */
static ren_status test_blocks_may_lack_parts(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    static const int64_t begin[3] = { 0, 3, 7 }, end[3] = { 4, 12, 8 };
    ren__conv_options conv = { .channels = 16, .kernel = { 3, 3, 3 }, .pad = { 1, 1, 1 }, .no_bias = 1 };
    REN_TRY(ren__graph_create(context, &f.graph));
    ren__value x = ren__graph_input(f.graph, "x", ren__shape_of(5, (int64_t[]){ 1, 16, 12, 8, 1 }));
    x = ren__max_pool(f.graph, ren__activate(f.graph, ren__conv(f.graph, x, "a", &conv), REN__RELU), 2, 2);
    conv = (ren__conv_options){ .channels = 32, .kernel = { 3, 3, 3 }, .pad = { 1, 1, 1 } };
    x = ren__max_pool(f.graph, ren__batch_norm(f.graph, ren__conv(f.graph, x, "b", &conv), "norm"), 2, 2);
    ren__graph_output(f.graph, "logits", ren__linear(f.graph, ren__flatten(f.graph, x), "fc", 5, 1));
    REN_TRY(ren__graph_status(f.graph));
    REN_TRY(set_up(context, &f));
    draw_image(&f, begin, end, 1);
    REN_TRY(compare(&f, begin, end));
out:
    tear_down(&f);
    return st;
}

static ren_status run_with_threads(int32_t threads, float logits[2]) {
    static const int64_t begin[3] = { 3, 0, 30 }, end[3] = { 29, 20, 48 };
    ren_status st = REN_OK;
    ren_context_options options = REN_CONTEXT_OPTIONS_INIT;
    ren_context *context = NULL;
    fixture f = { 0 };
    test_allocator(&options);
    options.threads = threads;
    REN_TRY(ren_context_create(&options, &context));
    REN_TRY(cnn(context, "{\"input_size\": [40, 32, 48]}", &f.graph));
    REN_TRY(set_up(context, &f));
    draw_image(&f, begin, end, BALL);
    give(&f, begin, end);
    REN_TRY(ren__session_run(f.session, NULL));
    memcpy(logits, ren__session_output(f.session, "logits"), 2 * sizeof *logits);
out:
    tear_down(&f);
    ren_context_free(context);
    return st;
}

static ren_status test_threads_do_not_change_bits(ren_context *context) {
    ren_status st = REN_OK;
    float one[2], other[2];
    (void)context;
    REN_TRY(run_with_threads(1, one));
    for (int32_t threads = 2; threads <= 3; threads++) {
        REN_TRY(run_with_threads(threads, other));
        CHECK(memcmp(one, other, sizeof one) == 0);
    }
out:
    return st;
}

/* Active rows of an image and what a block makes of them, against every voxel looked at by itself. */
static ren_status check_rows(const fixture *f, const float *rows, const float *reached) {
    ren_status st = REN_OK;
    const int64_t *n = f->size;
    for (int64_t row = 0; row < n[0] * n[1] / 4; row++) {
        int64_t begin = n[2], end = 0;
        for (int64_t at = 0; at < n[0] * n[1] * n[2]; at++) {
            const int64_t d = at / n[2] / n[1], h = at / n[2] % n[1], w = at % n[2];
            const int64_t pd = 2 * (row / (n[1] / 2)), ph = 2 * (row % (n[1] / 2));
            if (f->image[at] == 0.0f || d < pd - 1 || d > pd + 2 || h < ph - 1 || h > ph + 2) continue;
            for (int64_t cell = 0; cell < n[2] / 2; cell++)
                if (w >= 2 * cell - 1 && w <= 2 * cell + 2) {
                    if (cell < begin) begin = cell;
                    if (cell >= end) end = cell + 1;
                }
        }
        CHECK_INT(reached[2 * row], end ? begin : 0);
        CHECK_INT(reached[2 * row + 1], end);
    }
    for (int64_t row = 0; row < n[0] * n[1]; row++) {
        const float *line = f->image + row * n[2];
        const int64_t begin = (int64_t)rows[2 * row], end = (int64_t)rows[2 * row + 1];
        CHECK(begin == end ? begin == 0 : line[begin] != 0.0f && line[end - 1] != 0.0f);
        for (int64_t w = 0; w < n[2]; w++)
            CHECK((w >= begin && w < end) || line[w] == 0.0f);
    }
out:
    return st;
}

static ren_status test_rows_are_the_active_ones(ren_context *context) {
    static const int64_t begin[3] = { 1, 0, 2 }, end[3] = { 7, 9, 12 }, thinnings[] = { 1, 20, 400, BALL };
    ren_status st = REN_OK;
    fixture f = { .size = { 8, 10, 12 } };
    REN_TRY(ren__graph_create(context, &f.graph));
    ren__value x = ren__graph_input(f.graph, "x", ren__shape_of(5, (int64_t[]){ 1, 8, 10, 12, 1 }));
    ren__value rows =
        ren__active_rows(f.graph, x, ren__graph_input(f.graph, "box", ren__shape_of(1, (int64_t[]){ 6 })));
    ren__graph_output(f.graph, "rows", rows);
    ren__graph_output(f.graph, "reached", ren__reached_rows(f.graph, rows, 12));
    REN_TRY(ren__weights_create(context, f.graph, &f.arranged));
    REN_TRY(ren__session_create(f.graph, f.arranged, REN__INFER, &f.session));
    REN_TRY(ren__session_create(f.graph, f.arranged, REN__INFER, &f.dense));
    REN_CALLOC(f.image, 8 * 10 * 12);
    for (size_t i = 0; i < sizeof thinnings / sizeof *thinnings; i++) {
        draw_image(&f, begin, end, thinnings[i]);
        give(&f, begin, end);
        REN_TRY(ren__session_run(f.session, NULL));
        REN_TRY(check_rows(&f, ren__session_output(f.session, "rows"), ren__session_output(f.session, "reached")));
    }
    ren__session_input(f.session, "box")[5] = 13;
    CHECK_FAILS(ren__session_run(f.session, NULL), REN_E_INTERNAL, "box");
out:
    tear_down(&f);
    return st;
}

static ren_status refuse(ren_context *context, const char *config) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__sparse *sparse = NULL;
    REN_TRY(cnn(context, config, &graph));
    CHECK_FAILS(ren__sparse_create(graph, &sparse), REN_E_UNSUPPORTED, "active cells");
    CHECK(sparse == NULL);
out:
    ren__graph_free(graph);
    return st;
}

static ren_status test_sizes_that_pooling_does_not_divide(ren_context *context) {
    ren_status st = REN_OK;
    REN_TRY(refuse(context, "{\"input_size\": [20, 24, 24]}"));
    REN_TRY(refuse(context, "{\"input_size\": [24, 24, 23]}"));
out:
    return st;
}

/* Who does not know of the order must not compute with it. */
static ren_status test_arranged_weights_are_refused_elsewhere(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(cnn(context, "{\"input_size\": [8, 8, 8]}", &f.graph));
    REN_TRY(set_up(context, &f));
    ren__session_free(f.dense);
    f.dense = NULL;
    REN_TRY(ren__session_create(f.graph, f.arranged, REN__INFER, &f.dense));
    CHECK_FAILS(ren__session_run(f.dense, NULL), REN_E_STATE, "fc1.weight");
    ren__session_free(f.session);
    f.session = NULL;
    CHECK_FAILS(ren__session_create(f.sparse_graph, f.published, REN__INFER, &f.session), REN_E_INTERNAL, "arranged");
out:
    tear_down(&f);
    return st;
}

TEST_MAIN(CASE_ONCE(test_any_image_gives_the_dense_result), CASE_SAMPLED(test_small_networks),
          CASE(test_blocks_may_lack_parts), CASE_ONCE(test_threads_do_not_change_bits),
          CASE(test_rows_are_the_active_ones), CASE(test_sizes_that_pooling_does_not_divide),
          CASE_SAMPLED(test_arranged_weights_are_refused_elsewhere))
