/* SPDX-License-Identifier: Apache-2.0 */
/* Replays recorded vectors: the project's own (data/, see README.md) and, with REN_SHARED, the shared ones. */
#include <dirent.h>

#include "format/document.h"
#include "moe/model_file.h"
#include "nets/nets.h"
#include "ren_tools.h"

#include "unit/harness.h"

static const char folder[] = "tests/conformance/data";

/* The last line's number is the worst relative error; every tensor of the file but inputs and buffers was compared. */
static ren_status check_lines(ren_context *context, const char *io_path, const ren_text *lines) {
    ren_status st = REN_OK;
    ren__safetensors *io = NULL;
    long long compared = 0, missing = -1, wanted = 0;
    REN_TRY(ren__safetensors_open(context, io_path, &io));
    for (size_t i = 0; i < ren__safetensors_count(io); i++) {
        const char *name = ren__safetensors_at(io, i)->name;
        wanted += strncmp(name, "input.", 6) != 0 && strncmp(name, "buffer.", 7) != 0;
        if (strncmp(name, "input.", 6) != 0 && strncmp(name, "buffer.", 7) != 0)
            CHECK(strstr(ren_text_data(lines), name) != NULL);
    }
    const char *summary = strstr(ren_text_data(lines), "compared ");
    CHECK(summary && sscanf(summary, "compared %lld tensors, missing %lld", &compared, &missing) == 2);
    CHECK_INT(compared, wanted);
    CHECK_INT(missing, 0);
    CHECK(strstr(summary, "worst ") != NULL);
out:
    ren__safetensors_close(io);
    return st;
}

/* With the file's own tolerances. */
static ren_status replay(ren_context *context, const char *arch, const char *name) {
    ren_status st = REN_OK;
    ren_text *lines = NULL;
    char weights[TEST_PATH], io[TEST_PATH];
    const int is_operator = strcmp(arch, "selective_scan") == 0; /* by itself, without weights */
    snprintf(weights, sizeof weights, "%s.weights.safetensors", name);
    snprintf(io, sizeof io, "%s.io.safetensors", name);
    st = ren_verify(context, arch, is_operator ? NULL : weights, io, 0, 1, NULL, &lines);
    if (st == REN_E_CHECK) st = test_fail(__FILE__, __LINE__, "%s:\n%s", name, ren_text_data(lines));
    if (st == REN_OK) st = check_lines(context, io, lines);
    ren_text_free(lines);
    return st;
}

static ren_status test_own_vectors(ren_context *context) {
    ren_status st = REN_OK;
    int found = 0;
    DIR *list = opendir(folder);
    CHECK(list != NULL);
    for (const struct dirent *entry; (entry = readdir(list));) {
        char name[TEST_PATH];
        const char *end = strstr(entry->d_name, ".io.safetensors");
        if (!end) continue;
        snprintf(name, sizeof name, "%s/%.*s", folder, (int)(end - entry->d_name), entry->d_name);
        REN_TRY(replay(context, "cnn", name));
        found++;
    }
    CHECK(found > 0);
out:
    if (list) closedir(list);
    return st;
}

static ren_status test_shared_vectors(ren_context *context) {
    static const struct {
        const char *arch, *file;
    } pairs[] = {
        { "cnn", "ren_cnn" },
        { "vit", "ren_vit" },
        { "mamba", "ren_mamba" },
        { "swin_unetr", "swin_unetr" },
        { "gating_mamba", "gating_mamba_learned" },
        { "gating_mamba", "gating_mamba_dynamic" },
        { "general_moe_head", "general_moe_head" },
        { "selective_scan", "selective_scan" },
    };
    ren_status st = REN_OK;
    char path[TEST_PATH], file[64];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (TEST_SANITIZED && strcmp(pairs[i].arch, "swin_unetr") == 0) continue;
        snprintf(file, sizeof file, "golden/%s.io.safetensors", pairs[i].file);
        if (!test_shared(path, file)) SKIP("REN_SHARED has no golden vectors");
        *strstr(path, ".io.safetensors") = 0;
        REN_TRY(replay(context, pairs[i].arch, path));
    }
out:
    return st;
}

/* A copy of the file in which the largest value of `name` is another by one part in a thousand. */
static ren_status alter(ren_context *context, const char *from, const char *name, const char *to) {
    ren_status st = REN_OK;
    ren__safetensors *io = NULL;
    char *bytes = NULL;
    float *values = NULL;
    size_t size = 0, largest = 0;
    REN_TRY(ren__safetensors_open(context, from, &io));
    const ren__tensor_entry *entry = ren__safetensors_find(io, name);
    CHECK(entry && entry->type == REN__F32);
    REN_ALLOC(values, entry->count * sizeof *values);
    REN_TRY(ren__safetensors_read_f32(io, entry, values, entry->count));
    REN_TRY(ren__file_read(context, from, 16 << 20, &bytes, &size));
    for (size_t i = 0; i < entry->count; i++)
        if (fabsf(values[i]) > fabsf(values[largest])) largest = i;
    float value = values[largest] == 0 ? 0.1f : values[largest] * 1.001f;
    memcpy(bytes + entry->offset + largest * sizeof value, &value, sizeof value);
    REN_TRY(ren__file_write(to, bytes, size));
out:
    ren__free(values);
    ren__free(bytes);
    ren__safetensors_close(io);
    return st;
}

static ren_status test_one_altered_element_is_found(ren_context *context) {
    static const char *const names[] = { "output.logits", "output.features", "train.loss",      "grad.conv1.weight",
                                         "grad.bn2.bias", "grad.fc2.weight", "grad.conv1.bias", "grad.output.bias" };
    ren_status st = REN_OK;
    char path[TEST_PATH];
    ren_text *lines = NULL;
    test_file(path, "altered.safetensors");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        REN_TRY(alter(context, "tests/conformance/data/cnn_odd.io.safetensors", names[i], path));
        CHECK_FAILS(
            ren_verify(context, "cnn", "tests/conformance/data/cnn_odd.weights.safetensors", path, 0, 1, NULL, &lines),
            REN_E_CHECK, "1 tensors exceed");
        const char *line = strstr(ren_text_data(lines), names[i]);
        CHECK(line && strstr(line, "EXCESS") && strstr(line, "EXCESS") < strchr(line, '\n'));
        ren_text_free(lines);
        lines = NULL;
    }
out:
    ren_text_free(lines);
    return st;
}

static ren_status read_into(const ren__safetensors *io, const char *name, float *values, size_t count) {
    const ren__tensor_entry *entry = ren__safetensors_find(io, name);
    if (!entry) return test_fail(__FILE__, __LINE__, "no tensor %s", name);
    return ren__safetensors_read_f32(io, entry, values, count);
}

/* One training pass moves the running statistics as PyTorch moves them; only one channel goes in, so that the recorded
 * input has our order. */
static ren_status test_running_statistics(ren_context *context) {
    ren_status st = REN_OK;
    ren__safetensors *io = NULL;
    json_t *config = NULL;
    ren__graph *graph = NULL;
    ren__weights *weights = NULL;
    ren__session *session = NULL;
    float wanted[256];
    int compared = 0;
    REN_TRY(ren__safetensors_open(context, "tests/conformance/data/cnn_odd.io.safetensors", &io));
    const char *text = ren__safetensors_metadata(io, "config");
    CHECK(text != NULL);
    REN_TRY(ren__json_parse(text, strlen(text), "config", &config));
    CHECK(json_object_set_new(config, "dropout", json_real(0)) == 0);
    REN_TRY(ren__net_graph(context, ren__net_find("cnn"), config, 4, NULL, &graph));
    REN_TRY(ren__weights_create(context, graph, &weights));
    REN_TRY(ren__checkpoint_read(context, "tests/conformance/data/cnn_odd.weights.safetensors", weights));
    REN_TRY(ren__session_create(graph, weights, REN__TRAIN, &session));
    REN_TRY(read_into(io, "input.x", ren__session_input(session, "x"), 4 * 12 * 9 * 16));
    REN_TRY(ren__session_run(session, NULL));
    for (int32_t i = 0; i < ren__weights_count(weights); i++) {
        char name[128];
        size_t count = ren__weights_elements(weights, i);
        if (ren__weights_trained(weights, i)) continue;
        snprintf(name, sizeof name, "buffer.%s", ren__weights_name(weights, i));
        REN_TRY(read_into(io, name, wanted, count));
        for (size_t k = 0; k < count; k++)
            CHECK_NEAR(ren__weights_read(weights, i)[k], wanted[k], 2e-6 * (1 + fabs((double)wanted[k])));
        compared++;
    }
    CHECK_INT(compared, 10);
out:
    ren__session_free(session);
    ren__weights_release(weights);
    ren__graph_free(graph);
    json_decref(config);
    ren__safetensors_close(io);
    return st;
}

TEST_MAIN(CASE_SAMPLED(test_own_vectors), CASE_ONCE(test_shared_vectors), CASE_ONCE(test_one_altered_element_is_found),
          CASE_SAMPLED(test_running_statistics))
