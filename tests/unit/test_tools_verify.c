/* SPDX-License-Identifier: Apache-2.0 */
/* Verification refuses what it cannot compare, and says which tensor is at fault. Real vectors: tests/conformance. */
#include "graph/weights.h"
#include "moe/model_file.h"
#include "nets/nets.h"
#include "ren_tools.h"

#include "harness.h"

enum { BATCH = 2, EDGE = 8, VOXELS = EDGE * EDGE * EDGE, FEATURES = 64 };

/* A vector pair of the smallest CNN, recorded from libren itself: what is tested here is the comparison. */
typedef struct fixture {
    char weights_path[TEST_PATH], io_path[TEST_PATH];
    float x[BATCH * VOXELS], y[BATCH], logits[BATCH * 2], features[BATCH * FEATURES], zero[24];
    ren_text *lines;
} fixture;

static const char config[] = "{\"input_size\": [8, 8, 8]}";

static ren_status save_weights(ren_context *context, const char *path, const ren__weights *weights, int32_t count) {
    ren_status st = REN_OK;
    ren__tensor_source *tensors = NULL;
    REN_CALLOC(tensors, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        const ren__shape *shape = ren__weights_shape(weights, i);
        tensors[i].name = ren__weights_name(weights, i);
        tensors[i].type = REN__F32;
        tensors[i].rank = shape->rank;
        memcpy(tensors[i].shape, shape->dim, sizeof tensors[i].shape);
        tensors[i].data = ren__weights_read(weights, i);
    }
    REN_TRY(ren__safetensors_write(context, path, tensors, (size_t)count, (const char *const[]){ NULL }));
out:
    ren__free(tensors);
    return st;
}

static ren_status set_up(ren_context *context, fixture *f, int32_t lacking) {
    ren_status st = REN_OK;
    json_t *tree = NULL;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    test_file(f->weights_path, "weights.safetensors");
    test_file(f->io_path, "io.safetensors");
    REN_TRY(ren__json_parse(config, strlen(config), "config", &tree));
    REN_TRY(ren__net_graph(context, ren__net_find("cnn"), tree, BATCH, NULL, &graph));
    REN_TRY(ren__weights_create(context, graph, &weights));
    REN_TRY(ren__weights_initialise(weights, 4));
    REN_TRY(save_weights(context, f->weights_path, weights, ren__weights_count(weights) - lacking));
    REN_TRY(ren__session_create(graph, weights, REN__INFER, &session));
    for (int i = 0; i < BATCH * VOXELS; i++)
        ren__session_input(session, "x")[i] = f->x[i] = (float)(i * 37 % 101) / 101;
    REN_TRY(ren__session_run(session, NULL));
    memcpy(f->logits, ren__session_output(session, "logits"), sizeof f->logits);
    memcpy(f->features, ren__session_output(session, "features"), sizeof f->features);
out:
    ren__session_free(session);
    ren__weights_release(weights);
    ren__graph_free(graph);
    json_decref(tree);
    return st;
}

/* The IO file with x, logits and `more`, and metadata (key, value, ..., NULL). */
static ren_status save_io(ren_context *context, const fixture *f, const ren__tensor_source *more,
                          const char *const *metadata) {
    ren__tensor_source tensors[3] = {
        { "input.x", REN__F32, 5, { BATCH, 1, EDGE, EDGE, EDGE }, f->x },
        { "output.logits", REN__F32, 2, { BATCH, 2 }, f->logits },
    };
    if (more) tensors[2] = *more;
    return ren__safetensors_write(context, f->io_path, tensors, more ? 3 : 2, metadata);
}

static ren_status verify(ren_context *context, fixture *f, double rtol, int32_t require) {
    ren_text_free(f->lines);
    f->lines = NULL;
    return ren_verify(context, "cnn", f->weights_path, f->io_path, rtol, require, NULL, &f->lines);
}

static const char *const plain[] = { "config", config, NULL };

static ren_status test_equal_numbers_agree(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 0));
    ren__tensor_source features = { "output.features", REN__F32, 2, { BATCH, FEATURES }, f.features };
    REN_TRY(save_io(context, &f, &features, plain));
    REN_TRY(verify(context, &f, 0, 0));
    CHECK(strstr(ren_text_data(f.lines), "compared 2 tensors, missing 0\nworst ") != NULL);
    CHECK_FAILS(verify(context, &f, 0, 1), REN_E_CHECK, "no gradient is recorded");
out:
    ren_text_free(f.lines);
    return st;
}

/* 1 part in 10,000 is the default; the file's own comes before it, the caller's before both. */
static ren_status test_tolerances(ren_context *context) {
    static const char *const loose[] = { "config", config, "rtol", "1e-2", NULL };
    static const char *const zero[] = { "config", config, "rtol", "0", NULL };
    static const char *const text[] = { "config", config, "rtol_grad", "small", NULL };
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 0));
    int largest = 0;
    for (int i = 1; i < BATCH * 2; i++)
        if (fabsf(f.logits[i]) > fabsf(f.logits[largest])) largest = i;
    f.logits[largest] *= 1.001f;
    REN_TRY(save_io(context, &f, NULL, plain));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_CHECK, "1 tensors exceed");
    CHECK(strstr(ren_text_data(f.lines), "EXCESS") != NULL);
    REN_TRY(verify(context, &f, 2e-3, 0));
    REN_TRY(save_io(context, &f, NULL, loose));
    REN_TRY(verify(context, &f, 0, 0));
    CHECK_FAILS(verify(context, &f, 1e-4, 0), REN_E_CHECK, "exceed");
    REN_TRY(save_io(context, &f, NULL, zero));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_FORMAT, "rtol");
    REN_TRY(save_io(context, &f, NULL, text));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_FORMAT, "rtol_grad");
out:
    ren_text_free(f.lines);
    return st;
}

static ren_status test_a_nan_agrees_with_nothing(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 0));
    f.logits[2] = NAN;
    REN_TRY(save_io(context, &f, NULL, plain));
    CHECK_FAILS(verify(context, &f, 1e30, 0), REN_E_CHECK, "exceed");
    f.logits[2] = INFINITY;
    REN_TRY(save_io(context, &f, NULL, plain));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_CHECK, "exceed");
out:
    ren_text_free(f.lines);
    return st;
}

static ren_status test_what_is_recorded_must_be_computed(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 0));
    const ren__tensor_source strange[] = {
        { "output.attention", REN__F32, 2, { BATCH, 2 }, f.features }, /* no such output */
        { "output.features", REN__F32, 2, { BATCH, 32 }, f.features }, /* of another size */
    };
    for (size_t i = 0; i < 2; i++) {
        REN_TRY(save_io(context, &f, &strange[i], plain));
        CHECK_FAILS(verify(context, &f, 0, 0), REN_E_CHECK, "1 were not computed");
        CHECK(strstr(ren_text_data(f.lines), "missing 1") != NULL);
        CHECK(strstr(ren_text_data(f.lines), strange[i].name) != NULL);
    }
    const ren__tensor_source loss = { "train.loss", REN__F32, 0, { 0 }, f.features };
    REN_TRY(save_io(context, &f, &loss, plain)); /* a loss without saying which */
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_DATA, "loss");
out:
    ren_text_free(f.lines);
    return st;
}

static ren_status test_files_that_lack_something(ren_context *context) {
    static const char *const with_loss[] = { "config", config, "loss", "{\"kind\": \"cross_entropy\"}", NULL };
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 1));
    REN_TRY(save_io(context, &f, NULL, plain));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_DATA, NULL); /* the last parameter is not there */
    REN_TRY(set_up(context, &f, 0));
    REN_TRY(save_io(context, &f, NULL, with_loss));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_DATA, "input.y");
    const ren__tensor_source only = { "output.logits", REN__F32, 2, { BATCH, 2 }, f.logits };
    REN_TRY(ren__safetensors_write(context, f.io_path, &only, 1, plain));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_DATA, "no input");
    const ren__tensor_source input = { "input.x", REN__F32, 5, { BATCH, 1, EDGE, EDGE, EDGE }, f.x };
    REN_TRY(ren__safetensors_write(context, f.io_path, &input, 1, plain));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_CHECK, "nothing is recorded");
    const ren__tensor_source small = { "input.x", REN__F32, 5, { BATCH, 1, EDGE, EDGE, 4 }, f.x };
    REN_TRY(ren__safetensors_write(context, f.io_path, &small, 1, plain));
    CHECK_FAILS(verify(context, &f, 0, 0), REN_E_DATA, "input.x");
out:
    ren_text_free(f.lines);
    return st;
}

/* None of these is the machine's fault, so none may be called a lack of memory. */
static ren_status test_hostile_metadata(ren_context *context) {
    static const char *const hostile[][3] = {
        { "config", "[1, 2]", NULL },
        { "config", "7", NULL },
        { "config", "{\"input_size\": [8, 8]}", NULL },
        { "config", "{\"input_size\": [8, 8, 1e9]}", NULL },
        { "config", "{\"input_size\": [1, 1, 1]}", NULL },
        { "config", "{\"classes\": 1000000}", NULL },
        { "config", "{\"colour\": 1}", NULL },
        { "config", "{", NULL },
        { "loss", "[]", NULL },
        { "loss", "{\"kind\": \"hinge\"}", NULL },
        { "loss", "{\"weight\": [1]}", NULL },
        { "loss", "{\"weight\": [1, -1]}", NULL },
        { "loss", "{\"weight\": [\"a\", \"b\"]}", NULL },
        { "loss", "{\"label_smoothing\": 2}", NULL },
        { "zero_grad", "{", NULL },
    };
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 0));
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        const int is_config = strcmp(hostile[i][0], "config") == 0;
        const char *const metadata[] = { hostile[i][0], hostile[i][1], is_config ? NULL : "config", config, NULL };
        REN_TRY(save_io(context, &f, NULL, metadata));
        st = verify(context, &f, 0, 0);
        if (test_injecting() && st == REN_E_MEMORY) goto out;
        if (st == REN_OK || st == REN_E_MEMORY || st == REN_E_LIMIT || st == REN_E_INTERNAL || st == REN_E_CHECK) {
            st = test_fail(__FILE__, __LINE__, "%s %s: %s, %s", hostile[i][0], hostile[i][1], ren_status_name(st),
                           ren_error_message());
            goto out;
        }
        st = REN_OK;
    }
out:
    ren_text_free(f.lines);
    return st;
}

static ren_status test_arguments(ren_context *context) {
    ren_status st = REN_OK;
    fixture f = { 0 };
    REN_TRY(set_up(context, &f, 0));
    REN_TRY(save_io(context, &f, NULL, plain));
    CHECK_FAILS(ren_verify(context, "resnet", f.weights_path, f.io_path, 0, 0, NULL, &f.lines), REN_E_NOT_FOUND,
                "resnet");
    CHECK_FAILS(ren_verify(context, "cnn", "/nowhere/w", f.io_path, 0, 0, NULL, &f.lines), REN_E_IO, "/nowhere/w");
    CHECK_FAILS(ren_verify(context, "cnn", f.weights_path, "/nowhere/io", 0, 0, NULL, &f.lines), REN_E_IO,
                "/nowhere/io");
    CHECK_FAILS(ren_verify(context, NULL, f.weights_path, f.io_path, 0, 0, NULL, &f.lines), REN_E_INVALID, "arch");
    CHECK_FAILS(ren_verify(context, "cnn", f.weights_path, f.weights_path, 0, 0, NULL, &f.lines), REN_E_DATA,
                "no input");
    CHECK(f.lines == NULL);
    CHECK_FAILS(ren_verify(context, "cnn", NULL, f.io_path, 0, 0, NULL, &f.lines), REN_E_INVALID, "weights");
out:
    ren_text_free(f.lines);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_equal_numbers_agree), CASE_ONCE(test_tolerances), CASE_ONCE(test_a_nan_agrees_with_nothing),
          CASE_ONCE(test_what_is_recorded_must_be_computed), CASE_ONCE(test_files_that_lack_something),
          CASE_ONCE(test_hostile_metadata), CASE_SAMPLED(test_arguments))
