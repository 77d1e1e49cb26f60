/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the recorded vectors whose weights and inputs are drawn by a rule (data/NAME.drawn.safetensors, see
 * README.md): draws them, writes the pair of files that `ren verify` reads, and lets it compare. */
#include <dirent.h>

#include "format/document.h"
#include "graph/weights.h"
#include "moe/model_file.h"
#include "nets/nets.h"
#include "ren_tools.h"

#include "unit/harness.h"

static const char folder[] = "tests/conformance/data";
static const char ending[] = ".drawn.safetensors";

typedef struct drawn {
    ren_context *context;
    ren__safetensors *file;
    json_t *config, *weights, *inputs;
    const char *arch, *seed;
    ren__tensor_source *tensors; /* of the file that is being made */
    size_t count;
    char weights_path[TEST_PATH], io_path[TEST_PATH];
} drawn;

static uint64_t fnv1a(uint64_t hash, const char *text) {
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* In [0, 1): splitmix64 (Steele et al. 2014) from the hash of "seed:name". */
static double uniform(uint64_t hash, uint64_t index) {
    uint64_t z = hash + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (double)((z ^ z >> 31) >> 40) * 0x1p-24;
}

static ren_status draw(ren_context *context, const char *seed, const char *name, const json_t *range, int whole,
                       size_t count, float **out) {
    ren_status st = REN_OK;
    const uint64_t hash = fnv1a(fnv1a(fnv1a(UINT64_C(0xcbf29ce484222325), seed), ":"), name);
    CHECK(json_is_array(range) && json_array_size(range) == 2);
    const double low = json_number_value(json_array_get(range, 0)), high = json_number_value(json_array_get(range, 1));
    REN_ALLOC(*out, count * sizeof **out);
    for (size_t i = 0; i < count; i++) {
        const double value = low + (high - low) * uniform(hash, i);
        (*out)[i] = (float)(whole ? floor(value) : value);
    }
out:
    return st;
}

static void drop_tensors(drawn *d) {
    for (size_t i = 0; d->tensors && i < d->count; i++) {
        union {
            const void *constant;
            void *plain;
        } data = { .constant = d->tensors[i].data };
        ren__free(data.plain);
    }
    ren__free(d->tensors);
    d->tensors = NULL;
    d->count = 0;
}

static void add_tensor(drawn *d, const char *name, const ren__shape *shape, float *values) {
    ren__tensor_source *t = &d->tensors[d->count++];
    t->name = name;
    t->type = REN__F32;
    t->rank = shape->rank;
    memcpy(t->shape, shape->dim, sizeof t->shape);
    t->data = values;
}

/* Every parameter of the graph is in the list, and nothing else is: so are the published names checked. */
static ren_status make_weights(drawn *d) {
    ren_status st = REN_OK;
    ren_context *context = d->context;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    REN_TRY(ren__net_graph(context, ren__net_find(d->arch), d->config, 1, NULL, &graph));
    REN_TRY(ren__weights_create(context, graph, &weights));
    const int32_t count = ren__weights_count(weights);
    REN_CALLOC(d->tensors, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        float *values = NULL;
        const char *name = ren__weights_name(weights, i);
        const json_t *range = json_object_get(d->weights, name);
        if (!range) {
            st = test_fail(__FILE__, __LINE__, "%s: %s is in the network and not in the vector", d->arch, name);
            goto out;
        }
        REN_TRY(draw(context, d->seed, name, range, 0, ren__weights_elements(weights, i), &values));
        add_tensor(d, name, ren__weights_shape(weights, i), values);
    }
    CHECK_INT(json_object_size(d->weights), count);
    REN_TRY(ren__safetensors_write(context, d->weights_path, d->tensors, d->count, (const char *const[]){ NULL }));
out:
    drop_tensors(d);
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status add_inputs(drawn *d, char (*names)[32]) {
    ren_status st = REN_OK;
    const char *key;
    json_t *rule;
    size_t index = 0;
    json_object_foreach(d->inputs, key, rule) {
        float *values = NULL;
        ren__shape shape = { 0 };
        const json_t *sizes = json_object_get(rule, "shape");
        for (size_t i = 0; i < json_array_size(sizes); i++)
            shape.dim[shape.rank++] = (int64_t)json_integer_value(json_array_get(sizes, i));
        snprintf(names[index], sizeof names[index], "input.%.24s", key);
        REN_TRY(draw(d->context, d->seed, names[index], json_object_get(rule, "range"),
                     json_is_true(json_object_get(rule, "whole")), (size_t)ren__shape_elements(&shape), &values));
        add_tensor(d, names[index], &shape, values);
        index++;
    }
out:
    return st;
}

static ren_status make_io(drawn *d) {
    static const char *const keys[] = { "arch", "config", "loss", "zero_grad", "rtol", "rtol_grad" };
    ren_status st = REN_OK;
    ren_context *context = d->context;
    char names[8][32];
    const char *metadata[2 * sizeof keys / sizeof *keys + 1] = { NULL };
    const size_t count = ren__safetensors_count(d->file);
    CHECK(json_object_size(d->inputs) <= 8);
    REN_CALLOC(d->tensors, count + 8);
    for (size_t i = 0; i < count; i++) {
        const ren__tensor_entry *entry = ren__safetensors_at(d->file, i);
        ren__shape shape = { .rank = entry->rank };
        float *values = NULL;
        memcpy(shape.dim, entry->shape, sizeof shape.dim);
        REN_ALLOC(values, entry->count * sizeof *values);
        add_tensor(d, entry->name, &shape, values);
        REN_TRY(ren__safetensors_read_f32(d->file, entry, values, entry->count));
    }
    REN_TRY(add_inputs(d, names));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        metadata[2 * i] = keys[i];
        metadata[2 * i + 1] = ren__safetensors_metadata(d->file, keys[i]);
        CHECK(metadata[2 * i + 1] != NULL);
    }
    REN_TRY(ren__safetensors_write(context, d->io_path, d->tensors, d->count, metadata));
out:
    drop_tensors(d);
    return st;
}

static ren_status read_object(const drawn *d, const char *key, json_t **out) {
    const char *text = ren__safetensors_metadata(d->file, key);
    if (!text) return test_fail(__FILE__, __LINE__, "the vector has no %s", key);
    return ren__json_parse(text, strlen(text), key, out);
}

/* Of large maps every 37th value is recorded, in the order N, C, D, H, W. The network's output has its channels last.
 */
static ren_status compare_samples(const drawn *d, const ren__session *session, const char *map, const char *name) {
    enum { STEP = 37 };
    ren_status st = REN_OK;
    ren_context *context = d->context;
    float *wanted = NULL;
    const ren__tensor_entry *entry = ren__safetensors_find(d->file, name);
    const ren__shape *shape = ren__session_output_shape(session, map);
    const float *y = ren__session_output(session, map);
    CHECK(entry && y && shape->rank == 5 && shape->dim[0] == 1);
    const int64_t channels = shape->dim[4], voxels = ren__shape_elements(shape) / channels;
    CHECK_INT(entry->count, (voxels * channels + STEP - 1) / STEP);
    REN_ALLOC(wanted, entry->count * sizeof *wanted);
    REN_TRY(ren__safetensors_read_f32(d->file, entry, wanted, entry->count));
    double largest = 0;
    for (size_t i = 0; i < entry->count; i++)
        largest = fmax(largest, fabs((double)wanted[i]));
    for (size_t i = 0; i < entry->count; i++) {
        const int64_t at = (int64_t)i * STEP;
        CHECK_NEAR(y[at % voxels * channels + at / voxels], wanted[i], 1e-4 * largest);
    }
out:
    ren__free(wanted);
    return st;
}

static ren_status check_samples(const drawn *d) {
    static const char name[] = "sampled.y";
    ren_status st = REN_OK;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    ren__safetensors *io = NULL;
    if (!ren__safetensors_find(d->file, name)) return REN_OK;
    REN_TRY(ren__net_graph(d->context, ren__net_find(d->arch), d->config, 1, NULL, &graph));
    REN_TRY(ren__weights_create(d->context, graph, &weights));
    REN_TRY(ren__checkpoint_read(d->context, d->weights_path, weights));
    REN_TRY(ren__session_create(graph, weights, REN__INFER, &session));
    REN_TRY(ren__safetensors_open(d->context, d->io_path, &io));
    const ren__tensor_entry *x = ren__safetensors_find(io, "input.x");
    CHECK(x != NULL);
    REN_TRY(ren__safetensors_read_f32(io, x, ren__session_input(session, "x"), x->count));
    REN_TRY(ren__session_run(session, NULL));
    REN_TRY(compare_samples(d, session, name + strlen("sampled."), name));
out:
    ren__safetensors_close(io);
    ren__session_free(session);
    ren__weights_release(weights);
    ren__graph_free(graph);
    return st;
}

static ren_status replay(ren_context *context, const char *path) {
    ren_status st = REN_OK;
    drawn d = { .context = context };
    ren_text *lines = NULL;
    test_file(d.weights_path, "drawn.weights.safetensors");
    test_file(d.io_path, "drawn.io.safetensors");
    REN_TRY(ren__safetensors_open(context, path, &d.file));
    REN_TRY(read_object(&d, "config", &d.config));
    REN_TRY(read_object(&d, "weights", &d.weights));
    REN_TRY(read_object(&d, "inputs", &d.inputs));
    d.arch = ren__safetensors_metadata(d.file, "arch");
    d.seed = ren__safetensors_metadata(d.file, "seed");
    CHECK(d.arch && d.seed && ren__net_find(d.arch));
    REN_TRY(make_weights(&d));
    REN_TRY(make_io(&d));
    st = ren_verify(context, d.arch, d.weights_path, d.io_path, 0, 1, NULL, &lines);
    if (st == REN_E_CHECK) st = test_fail(__FILE__, __LINE__, "%s:\n%s", path, ren_text_data(lines));
    if (st == REN_OK) st = check_samples(&d);
out:
    ren_text_free(lines);
    json_decref(d.config);
    json_decref(d.weights);
    json_decref(d.inputs);
    ren__safetensors_close(d.file);
    return st;
}

/* What has a SwinUNETR within. */
static int is_large(const char *name) {
    return strstr(name, "swin") != NULL || strstr(name, "region_expert") != NULL;
}

static ren_status test_drawn_vectors(ren_context *context) {
    ren_status st = REN_OK;
    int found = 0;
    DIR *list = opendir(folder);
    CHECK(list != NULL);
    for (const struct dirent *entry; (entry = readdir(list));) {
        char path[TEST_PATH];
        const char *end = strstr(entry->d_name, ending);
        if (!end || strcmp(end, ending) != 0 || (TEST_SANITIZED && is_large(entry->d_name))) continue;
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        REN_TRY(replay(context, path));
        found++;
    }
    CHECK(found > 0);
out:
    if (list) closedir(list);
    return st;
}

/* Small enough for every failing allocation that the harness tries. */
static ren_status test_one_vector_without_memory(ren_context *context) {
    return replay(context, "tests/conformance/data/vit_flat.drawn.safetensors");
}

TEST_MAIN(CASE_ONCE(test_drawn_vectors), CASE_SAMPLED(test_one_vector_without_memory))
