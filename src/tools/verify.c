/* SPDX-License-Identifier: Apache-2.0 */
/* Replays recorded vectors: outputs in evaluation mode, loss and gradients in training mode with dropout off. */
#include <math.h>
#include <string.h>

#include "format/document.h"
#include "moe/model_file.h"
#include "nets/nets.h"
#include "ren_tools.h"
#include "tools/verify.h"

static ren_status read_json(const ren__verification *v, const char *key, json_t **out) {
    const char *text = ren__safetensors_metadata(v->io, key);
    *out = NULL;
    return text ? ren__json_parse(text, strlen(text), key, out) : REN_OK;
}

static ren_status read_tolerance(const ren__verification *v, const char *key, double override, double *value) {
    const char *text = ren__safetensors_metadata(v->io, key);
    if (override > 0) {
        *value = override;
        return REN_OK;
    }
    *value = 1e-4;
    if (text && (!ren__parse_number(text, value) || !(*value > 0)))
        return ren__error(REN_E_FORMAT, "the vector file's %s is no tolerance", key);
    return REN_OK;
}

/* Dropout is off in the recordings: a configuration that sets a rate keeps it at 0 here. */
static ren_status without_dropout(json_t **config) {
    if (!*config && !(*config = json_object())) return ren__error(REN_E_MEMORY, "no memory for a configuration");
    if (!json_is_object(*config)) return ren__error(REN_E_FORMAT, "the vector file's config is no JSON object");
    if (json_object_set_new(*config, "dropout", json_real(0)) != 0 ||
        (json_object_get(*config, "drop_path") && json_object_set_new(*config, "drop_path", json_real(0)) != 0))
        return ren__error(REN_E_MEMORY, "no memory for a configuration");
    return REN_OK;
}

static int says_size(const json_t *config) {
    return json_object_get(config, "input_size") || json_object_get(config, "img_size");
}

/* The batch is the first axis of any input; an image's size is that of the network unless it says otherwise. */
static ren_status batch_size(const ren__verification *v, int64_t *batch) {
    *batch = 0;
    for (size_t i = 0; i < ren__safetensors_count(v->io); i++) {
        const ren__tensor_entry *entry = ren__safetensors_at(v->io, i);
        if (strncmp(entry->name, "input.", 6) != 0 || entry->rank < 1) continue;
        *batch = entry->shape[0];
        if (strcmp(entry->name, "input.x") != 0 || entry->rank < 4 || entry->rank > 5 || says_size(v->config)) continue;
        json_t *size = json_pack("[I, I]", (json_int_t)entry->shape[2], (json_int_t)entry->shape[3]);
        if (size && entry->rank == 5 && json_array_append_new(size, json_integer((json_int_t)entry->shape[4])) != 0)
            return ren__error(REN_E_MEMORY, "no memory for a configuration");
        if (!size || json_object_set_new(v->config, "input_size", size) != 0)
            return ren__error(REN_E_MEMORY, "no memory for a configuration");
    }
    return *batch > 0 ? REN_OK : ren__error(REN_E_DATA, "the vector file has no input");
}

/* Recorded maps (N, C and two or three axes) are channels first, ours last; parameters, vectors and sequences of tokens
 * are the same in both. */
static int is_map(const ren__tensor_entry *entry) {
    return entry->rank >= 4 && strncmp(entry->name, "grad.", 5) != 0;
}

static void to_channels_last(const ren__tensor_entry *entry, const float *from, float *to) {
    size_t channels = (size_t)entry->shape[1], batch = (size_t)entry->shape[0];
    size_t voxels = entry->count / (batch * channels);
    for (size_t b = 0; b < batch; b++)
        for (size_t c = 0; c < channels; c++)
            for (size_t i = 0; i < voxels; i++)
                to[(b * voxels + i) * channels + c] = from[(b * channels + c) * voxels + i];
}

static ren_status read_values(ren__verification *v, const ren__tensor_entry *entry, float **out) {
    ren_status st = REN_OK;
    ren_context *context = v->context;
    float *values = NULL, *turned = NULL;
    REN_ALLOC(values, (entry->count ? entry->count : 1) * sizeof *values);
    REN_TRY(ren__safetensors_read_f32(v->io, entry, values, entry->count));
    if (is_map(entry) && entry->count > 0) {
        REN_ALLOC(turned, entry->count * sizeof *turned);
        to_channels_last(entry, values, turned);
    }
    *out = turned ? turned : values;
    if (turned) ren__free(values);
    return REN_OK;
out:
    ren__free(values);
    return st;
}

static ren_status fill_inputs(ren__verification *v) {
    ren_status st = REN_OK;
    float *values = NULL;
    for (int32_t i = 0; i < ren__graph_input_count(v->graph) && st == REN_OK; i++) {
        char name[128] = "input.";
        const char *input = ren__graph_input_name(v->graph, i);
        strncat(name, input, sizeof name - 16);
        const ren__tensor_entry *entry = ren__safetensors_find(v->io, name);
        const ren__shape *shape = ren__graph_shape(v->graph, ren__graph_find_input(v->graph, input));
        if (!entry || (int64_t)entry->count != ren__shape_elements(shape))
            REN_FAIL(REN_E_DATA, "the vector file has no %s of %lld elements", name,
                     (long long)ren__shape_elements(shape));
        REN_TRY(read_values(v, entry, &values));
        memcpy(ren__session_input(v->session, input), values, entry->count * sizeof *values);
        ren__free(values);
        values = NULL;
    }
out:
    ren__free(values);
    return st;
}

static int is_zero_gradient(const ren__verification *v, const char *parameter) {
    size_t i;
    json_t *item;
    json_array_foreach(v->zero_gradients, i, item) {
        const char *name = json_string_value(item);
        if (name && strcmp(name, parameter) == 0) return 1;
    }
    return 0;
}

static void report(ren__verification *v, const char *name, double error, double relative, int bad) {
    ren__text_addf(v->lines, "%-32s ", name);
    ren__text_add_number(v->lines, error, 3);
    ren__text_add(v->lines, "  ");
    ren__text_add_number(v->lines, relative, 3);
    ren__text_add(v->lines, bad ? "  EXCESS\n" : "\n");
    v->compared++;
    v->excess += bad;
    if (!(relative <= v->worst) && !isnan(v->worst)) {
        v->worst = relative;
        strncpy(v->worst_name, name, sizeof v->worst_name - 1);
    }
}

/* A NaN or an infinity anywhere is an excess. */
ren_status ren__verify_compare(ren__verification *v, const ren__tensor_entry *entry, const float *ours, size_t count) {
    ren_status st = REN_OK;
    float *values = NULL;
    double largest = 0, error = 0, allowed;
    int gradient = strncmp(entry->name, "grad.", 5) == 0;
    if (!ours || count != entry->count) {
        ren__text_addf(v->lines, "%-32s not computed\n", entry->name);
        v->missing++;
        return REN_OK;
    }
    REN_TRY(read_values(v, entry, &values));
    for (size_t i = 0; i < count; i++) {
        double difference = fabs((double)values[i] - (double)ours[i]), size = fabs((double)values[i]);
        if (!(difference <= error) && !isnan(error)) error = difference;
        if (size > largest) largest = size;
    }
    allowed = gradient ? v->rtol_gradient * largest + 1e-7 * v->largest_gradient : v->rtol * largest;
    double scale = largest;
    if (gradient && is_zero_gradient(v, entry->name + 5)) {
        allowed = 1e-5 * v->largest_gradient;
        scale = v->largest_gradient;
    }
    report(v, entry->name, error, scale > 0 ? error / scale : error, !isfinite(error) || error > allowed);
out:
    ren__free(values);
    return st;
}

static ren_status find_largest_gradient(ren__verification *v) {
    for (size_t i = 0; i < ren__safetensors_count(v->io); i++) {
        const ren__tensor_entry *entry = ren__safetensors_at(v->io, i);
        float *values = NULL;
        if (strncmp(entry->name, "grad.", 5) != 0) continue;
        ren_status st = read_values(v, entry, &values);
        if (st != REN_OK) return st;
        for (size_t k = 0; k < entry->count; k++)
            if (fabs((double)values[k]) > v->largest_gradient) v->largest_gradient = fabs((double)values[k]);
        ren__free(values);
        v->gradients++;
    }
    return REN_OK;
}

static ren_status start_session(ren__verification *v, int32_t mode) {
    ren__session_free(v->session);
    v->session = NULL;
    ren_status st = ren__session_create(v->graph, v->weights, mode, &v->session);
    if (st == REN_OK) st = fill_inputs(v);
    if (st == REN_OK) st = ren__session_run(v->session, v->run);
    return st;
}

static ren_status compare_kind(ren__verification *v, const char *prefix) {
    size_t length = strlen(prefix);
    ren_status st = REN_OK;
    for (size_t i = 0; i < ren__safetensors_count(v->io) && st == REN_OK; i++) {
        const ren__tensor_entry *entry = ren__safetensors_at(v->io, i);
        const float *ours = NULL;
        size_t count = 0;
        if (strncmp(entry->name, prefix, length) != 0) continue;
        const char *name = entry->name + length;
        if (strcmp(prefix, "grad.") == 0) {
            int32_t index = ren__weights_find(v->weights, name);
            if (index >= 0) {
                ours = ren__session_gradient(v->session, index);
                count = ren__weights_elements(v->weights, index);
            }
        } else if ((ours = ren__session_output(v->session, name))) {
            count = (size_t)ren__shape_elements(ren__session_output_shape(v->session, name));
        }
        st = ren__verify_compare(v, entry, ours, count);
    }
    return st;
}

static ren_status compare_everything(ren__verification *v) {
    ren_status st = REN_OK;
    REN_TRY(start_session(v, REN__INFER));
    REN_TRY(compare_kind(v, "output."));
    if (v->gradients || ren__safetensors_find(v->io, "train.loss")) {
        if (!v->loss) REN_FAIL(REN_E_DATA, "the vector file has a training pass and does not say of which loss");
        REN_TRY(start_session(v, REN__TRAIN));
        REN_TRY(compare_kind(v, "train."));
        REN_TRY(ren__session_backward(v->session, v->run));
        REN_TRY(compare_kind(v, "grad."));
    }
out:
    return st;
}

/* The network with the recorded weights; the operator by itself has none and describes itself. */
static ren_status open_network(ren__verification *v, const ren__net *net, const char *weights_path) {
    ren_status st = REN_OK;
    int64_t batch = 0;
    REN_TRY(without_dropout(&v->config));
    REN_TRY(batch_size(v, &batch));
    REN_TRY(ren__net_graph(v->context, net, v->config, batch, v->loss, &v->graph));
    REN_TRY(ren__weights_create(v->context, v->graph, &v->weights));
    if (weights_path)
        REN_TRY(ren__checkpoint_read(v->context, weights_path, v->weights));
    else if (ren__weights_count(v->weights))
        REN_FAIL(REN_E_INVALID, "%s has parameters: a file of weights is needed", net->name);
out:
    return st;
}

static ren_status open_files(ren__verification *v, const char *arch, const char *weights_path, const char *io_path,
                             double rtol) {
    ren_status st = REN_OK;
    const ren__net *net = ren__net_find(arch);
    if (!net && strcmp(arch, "selective_scan") != 0)
        return ren__error(REN_E_NOT_FOUND, "there is no architecture %s in this version", arch);
    REN_TRY(ren__safetensors_open(v->context, io_path, &v->io));
    REN_TRY(read_json(v, "config", &v->config));
    REN_TRY(read_json(v, "loss", &v->loss));
    REN_TRY(read_json(v, "zero_grad", &v->zero_gradients));
    REN_TRY(read_tolerance(v, "rtol", rtol, &v->rtol));
    REN_TRY(read_tolerance(v, "rtol_grad", rtol, &v->rtol_gradient));
    if (net) REN_TRY(open_network(v, net, weights_path));
    REN_TRY(find_largest_gradient(v));
out:
    return st;
}

static void close_files(ren__verification *v) {
    ren__session_free(v->session);
    ren__weights_release(v->weights);
    ren__graph_free(v->graph);
    ren__safetensors_close(v->io);
    json_decref(v->config);
    json_decref(v->loss);
    json_decref(v->zero_gradients);
}

ren_status ren_verify(ren_context *context, const char *arch, const char *weights_path, const char *io_path,
                      double rtol, int32_t require_gradients, const ren_run_options *options, ren_text **lines) {
    REN_REQUIRE(context && arch && io_path && lines);
    ren__run run;
    ren__verification v = { .context = context, .run = &run };
    ren_status st = ren__run_begin(&run, context, options);
    if (st != REN_OK) return st;
    REN_TRY(ren__text_create(context, &v.lines));
    REN_TRY(open_files(&v, arch, weights_path, io_path, rtol));
    if (require_gradients && !v.gradients) REN_FAIL(REN_E_CHECK, "%s: no gradient is recorded", io_path);
    REN_TRY(v.graph ? compare_everything(&v) : ren__verify_scan(&v));
    ren__text_addf(v.lines, "compared %lld tensors, missing %lld\nworst %s ", (long long)v.compared,
                   (long long)v.missing, v.worst_name[0] ? v.worst_name : "-");
    ren__text_add_number(v.lines, v.worst, 3);
    ren__text_add(v.lines, "\n");
    REN_TRY(v.lines->status);
    *lines = v.lines;
    v.lines = NULL;
    if (v.excess || v.missing)
        st = ren__error(REN_E_CHECK, "%s: %lld tensors exceed the tolerance, %lld were not computed", io_path,
                        (long long)v.excess, (long long)v.missing);
    else if (!v.compared)
        st = ren__error(REN_E_CHECK, "%s: nothing is recorded", io_path);
out:
    ren_text_free(v.lines);
    close_files(&v);
    return ren__run_end(&run, st);
}
