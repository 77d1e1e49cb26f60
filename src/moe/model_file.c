/* SPDX-License-Identifier: Apache-2.0 */
/* Model files: what experts, gates and mixtures share of reading and writing them. */
#include <stdio.h>
#include <string.h>

#include "format/names.h"
#include "moe/model_file.h"

static const char layout_version[] = "1";
/* DataParallel's, and that of a published network within another. */
static const char *const checkpoint_prefixes[] = { "module.", "swin_unet." };
/* What PyTorch stores and a network here does not read: a counter, and what follows from the window's and the map's
 * size. */
static const char *const checkpoint_extras[] = { ".num_batches_tracked", ".relative_position_index", ".attn_mask" };
/* Layers that a published network has and never uses. */
static const char *const checkpoint_unused[] = { ".residual_input_conv.", ".residual_batchnorm." };

enum { NAME_SIZE = 512 };

ren_status ren__json_memory(void) {
    return ren__error(REN_E_MEMORY, "out of memory for a model's description");
}

int32_t ren__region_find(const char *name) {
    for (int32_t region = 0; ren_region_name(region); region++)
        if (strcmp(ren_region_name(region), name) == 0) return region;
    return -1;
}

ren_status ren__need_string(const json_t *object, const char *key, const char *where, const char **value) {
    *value = NULL;
    const ren_status st = ren__get_string(object, key, where, value);
    if (st != REN_OK) return st;
    if (!*value) return ren__error(REN_E_FORMAT, "%s: \"%s\" is missing", where, key);
    return REN_OK;
}

ren_status ren__need_member(const json_t *object, const char *key, const char *where, json_type type,
                            const json_t **value) {
    const json_t *member = json_object_get(object, key);

    if (!member) return ren__error(REN_E_FORMAT, "%s: \"%s\" is missing", where, key);
    if (json_typeof(member) != type)
        return ren__error(REN_E_FORMAT, "%s: \"%s\" must be %s", where, key,
                          type == JSON_OBJECT ? "an object" : "a list");
    *value = member;
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------------ presets */

static const char *const preset_kinds[] = { "lung", "paper" };

json_t *ren__preset_json(const ren_preset *preset) {
    return json_pack("{s:s, s:[f,f], s:f, s:[I,I,I]}", "kind", preset_kinds[preset->kind == REN_PRESET_PAPER], "window",
                     preset->window[0], preset->window[1], "spacing", preset->spacing, "size",
                     (json_int_t)preset->size[0], (json_int_t)preset->size[1], (json_int_t)preset->size[2]);
}

static ren_status preset_numbers(const json_t *object, const char *where, ren_preset *preset) {
    ren_status st = REN_OK;
    const json_t *window, *size;

    REN_TRY(ren__need_member(object, "window", where, JSON_ARRAY, &window));
    REN_TRY(ren__need_member(object, "size", where, JSON_ARRAY, &size));
    if (json_array_size(window) != 2 || json_array_size(size) != 3)
        REN_FAIL(REN_E_FORMAT, "%s: \"window\" must have 2 numbers and \"size\" 3", where);
    for (size_t i = 0; i < 2; i++) {
        if (!json_is_number(json_array_get(window, i)))
            REN_FAIL(REN_E_FORMAT, "%s: \"window\" holds something else than numbers", where);
        preset->window[i] = json_number_value(json_array_get(window, i));
    }
    for (size_t i = 0; i < 3; i++) {
        const json_t *side = json_array_get(size, i);
        /* The bound is the preset's own; here only what would be read as "use the default". */
        if (!json_is_integer(side) || json_integer_value(side) < 1)
            REN_FAIL(REN_E_FORMAT, "%s: \"size\" holds something else than whole numbers above 0", where);
        preset->size[i] = json_integer_value(side);
    }
    REN_TRY(ren__get_number(object, "spacing", where, &preset->spacing));
    if (!(preset->spacing > 0.0)) REN_FAIL(REN_E_FORMAT, "%s: \"spacing\" must be a number above 0", where);
out:
    return st;
}

ren_status ren__preset_parse(const json_t *object, const char *where, ren_preset *preset) {
    static const char *const known[] = { "kind", "window", "spacing", "size", NULL };
    ren_preset stored = { .struct_size = sizeof stored };
    ren_status st = REN_OK;
    const char *kind;

    REN_TRY(ren__check_keys(object, where, known));
    REN_TRY(ren__need_string(object, "kind", where, &kind));
    if (strcmp(kind, preset_kinds[0]) == 0) {
        stored.kind = REN_PRESET_LUNG;
    } else if (strcmp(kind, preset_kinds[1]) == 0) {
        stored.kind = REN_PRESET_PAPER;
    } else {
        char quoted[REN__QUOTE_SIZE];
        REN_FAIL(REN_E_FORMAT, "%s: no preset is called \"%s\": lung and paper are", where,
                 ren__quote(kind, quoted, sizeof quoted));
    }
    REN_TRY(preset_numbers(object, where, &stored));
    REN_TRY(ren__preset_resolve(&stored, preset));
out:
    return st;
}

ren_status ren__model_input(const json_t *model, ren_preset *preset, int64_t *classes) {
    const json_t *stored;
    ren_status st = REN_OK;

    *classes = 0;
    REN_TRY(ren__need_member(model, "preset", "ren.model", JSON_OBJECT, &stored));
    REN_TRY(ren__preset_parse(stored, "preset", preset));
    REN_TRY(ren__get_integer(model, "classes", "ren.model", 2, REN__MAX_CLASSES, classes));
    if (*classes == 0) REN_FAIL(REN_E_FORMAT, "ren.model: \"classes\" is missing");
out:
    return st;
}

/* ------------------------------------------------------------------------------------------------------ writing */

/* The tensor's name in the file. */
static ren_status tensor_name(const ren_expert *expert, const char *name, int prefixed, char buffer[NAME_SIZE]) {
    const char *region = prefixed ? ren_region_name(expert->region) : "";
    const char *before = prefixed ? "experts." : "", *after = prefixed ? "." : "";
    const size_t size = strlen(before) + strlen(region) + strlen(after) + strlen(name) + 1;

    if (size > NAME_SIZE) return ren__error(REN_E_INTERNAL, "the parameter name %.40s... is too long", name);
    snprintf(buffer, NAME_SIZE, "%s%s%s%s", before, region, after, name);
    return REN_OK;
}

typedef struct arranged_rows {
    const ren__weights *weights;
    int32_t index;
} arranged_rows;

static void published_row(const void *owner, size_t row, void *values) {
    const arranged_rows *rows = owner;

    ren__weights_get_row(rows->weights, rows->index, (int64_t)row, values);
}

/* Files have all weights in the published order. */
static ren_status add_data(ren__arena *arena, const ren__weights *weights, int32_t index, ren__tensor_source *source,
                           ren__tensor_pieces *pieces) {
    source->data = ren__weights_read(weights, index);
    if (!ren__weights_arranged(weights, index)) return REN_OK;
    arranged_rows *rows = ren__arena_alloc(arena, sizeof *rows);
    if (!rows) return ren__out_of_memory();
    *rows = (arranged_rows){ weights, index };
    source->data = rows;
    *pieces = (ren__tensor_pieces){ published_row, (size_t)ren__weights_shape(weights, index)->dim[1] * sizeof(float) };
    return REN_OK;
}

static ren_status add_sources(ren__arena *arena, const ren_expert *expert, int prefixed, ren__tensor_source *sources,
                              ren__tensor_pieces *pieces) {
    char name[NAME_SIZE];

    for (int32_t i = 0; i < ren__weights_count(expert->weights); i++) {
        const ren__shape *shape = ren__weights_shape(expert->weights, i);
        ren_status st = tensor_name(expert, ren__weights_name(expert->weights, i), prefixed, name);
        if (st != REN_OK) return st;
        ren__tensor_source *source = &sources[i];
        *source = (ren__tensor_source){ .type = REN__F32, .rank = shape->rank };
        source->name = ren__arena_strdup(arena, name);
        if (!source->name) return ren__out_of_memory();
        memcpy(source->shape, shape->dim, sizeof source->shape);
        st = add_data(arena, expert->weights, i, source, &pieces[i]);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

ren_status ren__model_write(ren_context *context, const char *path, const json_t *model, ren_expert *const *experts,
                            size_t count, int prefixed) {
    ren_status st = REN_OK;
    ren__arena *arena = NULL;
    ren__tensor_source *sources = NULL;
    ren__tensor_pieces *pieces = NULL;
    ren_text *json = NULL;
    size_t total = 0, filled = 0;

    for (size_t i = 0; i < count; i++)
        total += (size_t)ren__weights_count(experts[i]->weights);
    REN_TRY(ren__arena_create(context, &arena));
    REN_CALLOC(sources, total);
    REN_CALLOC(pieces, total);
    for (size_t i = 0; i < count; i++) {
        REN_TRY(add_sources(arena, experts[i], prefixed, sources + filled, pieces + filled));
        filled += (size_t)ren__weights_count(experts[i]->weights);
    }
    REN_TRY(ren__json_write(context, model, 0, &json));
    const char *const metadata[] = { "ren.format", layout_version, "ren.model", ren_text_data(json), NULL };
    REN_TRY(ren__safetensors_write_pieces(context, path, sources, pieces, total, metadata));
out:
    ren_text_free(json);
    ren__free(pieces);
    ren__free(sources);
    ren__arena_free(arena);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ reading */

static ren_status parse_model(const ren__safetensors *file, const char *kind, json_t **model) {
    const char *version = ren__safetensors_metadata(file, "ren.format");
    const char *text = ren__safetensors_metadata(file, "ren.model");
    const char *found;
    char quoted[REN__QUOTE_SIZE];

    if (!version || !text)
        return ren__error(REN_E_FORMAT, "its metadata describes no ren model: a bare checkpoint becomes an expert "
                                        "through the options of ren_expert_create");
    if (strcmp(version, layout_version) != 0)
        return ren__error(REN_E_UNSUPPORTED, "the model's layout is version \"%s\", this library reads version %s",
                          ren__quote(version, quoted, sizeof quoted), layout_version);
    const size_t size = strlen(text);
    if (size > REN__MODEL_JSON_CAP)
        return ren__error(REN_E_LIMIT, "the model's description has %zu bytes, more than %d", size,
                          REN__MODEL_JSON_CAP);
    ren_status st = ren__json_parse(text, size, "ren.model", model);
    if (st != REN_OK) return st;
    if (!json_is_object(*model)) return ren__error(REN_E_FORMAT, "ren.model is no JSON object");
    st = ren__need_string(*model, "kind", "ren.model", &found);
    if (st == REN_OK && kind && strcmp(found, kind) != 0)
        st = ren__error(REN_E_DATA, "the file holds a model of kind \"%s\", not \"%s\"",
                        ren__quote(found, quoted, sizeof quoted), kind);
    return st;
}

ren_status ren__model_error(ren_status st, const char *path) {
    if (st == REN_E_INVALID) st = REN_E_FORMAT;
    if (st == REN_E_NOT_FOUND) st = REN_E_UNSUPPORTED;
    return ren__error_context(st, "%s", path);
}

ren_status ren__model_open(ren_context *context, const char *path, const char *kind, ren__safetensors **file,
                           json_t **model) {
    json_t *parsed = NULL;
    ren__safetensors *opened = NULL;

    ren_status st = ren__safetensors_open(context, path, &opened);
    if (st != REN_OK) return st;
    st = parse_model(opened, kind, &parsed);
    if (st != REN_OK) {
        json_decref(parsed);
        ren__safetensors_close(opened);
        return ren__model_error(st, path);
    }
    *file = opened;
    *model = parsed;
    return REN_OK;
}

static ren_status shape_error(const char *name, const ren__tensor_entry *entry, const ren__shape *shape) {
    char have[160] = "", want[160] = "";
    size_t a = 0, b = 0;

    for (int32_t i = 0; i < entry->rank && a < sizeof have; i++)
        a += (size_t)snprintf(have + a, sizeof have - a, i ? " x %lld" : "%lld", (long long)entry->shape[i]);
    for (int32_t i = 0; i < shape->rank && b < sizeof want; i++)
        b += (size_t)snprintf(want + b, sizeof want - b, i ? " x %lld" : "%lld", (long long)shape->dim[i]);
    return ren__error(REN_E_DATA, "the tensor %s is %s, but the network needs %s", name, have, want);
}

static ren_status check_entry(const ren__tensor_entry *entry, const char *name, const ren__shape *shape) {
    if (!entry)
        return ren__error(REN_E_DATA, "the tensor %s is missing: these are not the weights of this network", name);
    if (entry->rank != shape->rank || memcmp(entry->shape, shape->dim, (size_t)shape->rank * sizeof shape->dim[0]) != 0)
        return shape_error(name, entry, shape);
    return REN_OK;
}

/* The tensor that no expert has: there is one, since the file has more than the experts need. */
static ren_status unknown_tensor(const ren__safetensors *file, ren_expert *const *experts, size_t count, int prefixed) {
    char name[NAME_SIZE], quoted[REN__QUOTE_SIZE];

    for (size_t t = 0; t < ren__safetensors_count(file); t++) {
        const char *entry = ren__safetensors_at(file, t)->name;
        int known = 0;
        for (size_t i = 0; i < count && !known; i++) {
            for (int32_t p = 0; !known && p < ren__graph_parameter_count(experts[i]->graph); p++) {
                const ren__parameter *parameter = ren__graph_parameter_at(experts[i]->graph, p);
                known = tensor_name(experts[i], parameter->name, prefixed, name) == REN_OK && strcmp(name, entry) == 0;
            }
        }
        if (!known)
            return ren__error(REN_E_DATA, "the tensor %s belongs to no network of this model",
                              ren__quote(entry, quoted, sizeof quoted));
    }
    return ren__error(REN_E_INTERNAL, "tensors of a model do not add up");
}

ren_status ren__model_check(const ren__safetensors *file, ren_expert *const *experts, size_t count, int prefixed) {
    char name[NAME_SIZE];
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        for (int32_t p = 0; p < ren__graph_parameter_count(experts[i]->graph); p++, used++) {
            const ren__parameter *parameter = ren__graph_parameter_at(experts[i]->graph, p);
            ren_status st = tensor_name(experts[i], parameter->name, prefixed, name);
            if (st == REN_OK) st = check_entry(ren__safetensors_find(file, name), name, &parameter->shape);
            if (st != REN_OK) return st;
        }
    }
    if (used != ren__safetensors_count(file)) return unknown_tensor(file, experts, count, prefixed);
    return REN_OK;
}

/* Row by row where the weights have another order than the file. */
static ren_status read_arranged(ren_context *context, const ren__safetensors *file, const ren__tensor_entry *entry,
                                ren__weights *weights, int32_t index) {
    const int64_t *dim = ren__weights_shape(weights, index)->dim;
    float *row = NULL;
    ren_status st = REN_OK;

    REN_ALLOC(row, (size_t)dim[1] * sizeof *row);
    for (int64_t i = 0; i < dim[0]; i++) {
        REN_TRY(ren__safetensors_read_f32_part(file, entry, (size_t)(i * dim[1]), row, (size_t)dim[1]));
        ren__weights_put_row(weights, index, i, row);
    }
out:
    ren__free(row);
    return st;
}

static ren_status read_parameter(ren_context *context, const ren__safetensors *file, const ren__tensor_entry *entry,
                                 ren__weights *weights, int32_t index) {
    if (ren__weights_arranged(weights, index)) return read_arranged(context, file, entry, weights, index);
    return ren__safetensors_read_f32(file, entry, ren__weights_data(weights, index),
                                     ren__weights_elements(weights, index));
}

ren_status ren__model_read_weights(const ren__safetensors *file, ren_expert *expert, int prefixed) {
    char name[NAME_SIZE];

    ren_status st = ren__weights_create(expert->context, expert->graph, &expert->weights);
    if (st == REN_OK) st = ren__expert_arrange(expert);
    for (int32_t i = 0; st == REN_OK && i < ren__weights_count(expert->weights); i++) {
        st = tensor_name(expert, ren__weights_name(expert->weights, i), prefixed, name);
        if (st != REN_OK) break;
        const ren__tensor_entry *entry = ren__safetensors_find(file, name);
        if (!entry) return ren__error(REN_E_INTERNAL, "the tensor %s was not checked", name);
        st = read_parameter(expert->context, file, entry, expert->weights, i);
    }
    return st;
}

/* -------------------------------------------------------------------------------------------------- checkpoints */

static int ends_with(const char *name, const char *end) {
    const size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

static int is_extra(const char *name) {
    for (size_t i = 0; i < sizeof checkpoint_extras / sizeof checkpoint_extras[0]; i++)
        if (ends_with(name, checkpoint_extras[i])) return 1;
    for (size_t i = 0; i < sizeof checkpoint_unused / sizeof checkpoint_unused[0]; i++)
        if (strstr(name, checkpoint_unused[i])) return 1;
    return 0;
}

/* A prefix is before every name; one name without it means that it belongs to the names. */
static size_t prefix_length(const ren__safetensors *file) {
    size_t skip = 0;

    for (size_t p = 0; p < sizeof checkpoint_prefixes / sizeof checkpoint_prefixes[0]; p++) {
        const size_t length = strlen(checkpoint_prefixes[p]), count = ren__safetensors_count(file);
        size_t with = 0;
        while (with < count &&
               strncmp(ren__safetensors_at(file, with)->name + skip, checkpoint_prefixes[p], length) == 0)
            with++;
        if (with == count && count > 0) skip += length;
    }
    return skip;
}

static ren_status read_checkpoint(ren_context *context, const ren__safetensors *file, ren__weights *weights) {
    const size_t skip = prefix_length(file);
    char name[NAME_SIZE], quoted[REN__QUOTE_SIZE];

    for (size_t i = 0; i < ren__safetensors_count(file); i++) {
        const char *stored = ren__safetensors_at(file, i)->name + skip;
        if (ren__weights_find(weights, stored) < 0 && !is_extra(stored))
            return ren__error(REN_E_DATA, "the network has no tensor %s: another architecture or configuration?",
                              ren__quote(stored, quoted, sizeof quoted));
    }
    for (int32_t i = 0; i < ren__weights_count(weights); i++) {
        const char *wanted = ren__weights_name(weights, i);
        const char *prefix = skip > 0 ? ren__safetensors_at(file, 0)->name : "";
        if (snprintf(name, sizeof name, "%.*s%s", (int)skip, prefix, wanted) >= (int)sizeof name)
            return ren__error(REN_E_INTERNAL, "the parameter name %.40s... is too long", wanted);
        const ren__tensor_entry *entry = ren__safetensors_find(file, name);
        ren_status st = check_entry(entry, wanted, ren__weights_shape(weights, i));
        if (st == REN_OK) st = read_parameter(context, file, entry, weights, i);
        if (st != REN_OK) return st;
    }
    return REN_OK;
}

ren_status ren__checkpoint_read(ren_context *context, const char *path, ren__weights *weights) {
    ren__safetensors *file = NULL;

    ren_status st = ren__safetensors_open(context, path, &file);
    if (st != REN_OK) return st;
    st = read_checkpoint(context, file, weights);
    ren__safetensors_close(file);
    return st == REN_OK ? REN_OK : ren__error_context(st, "%s", path);
}
