/* SPDX-License-Identifier: Apache-2.0 */
/* The feature table: how it is put together, and what a host asks of it. */
#include "radiomics/features.h"

#include <math.h>
#include <string.h>

#include "format/names.h"
#include "radiomics/ibsi.h"

/* -------------------------------------------------------------------------------------------------------- making */

ren_status ren__features_create(ren_context *context, const ren__label_set *sets, int32_t count, ren_features **out) {
    ren_status st = REN_OK;
    ren_features *features = NULL;

    *out = NULL;
    REN_CALLOC(features, 1);
    features->context = ren__context_retain(context);
    REN_TRY(ren__arena_create(context, &features->arena));
    REN_CALLOC(features->rows, (size_t)count);
    features->row_count = count;
    for (int32_t i = 0; i < count; i++) {
        features->rows[i].name = ren__arena_strdup(features->arena, sets[i].name);
        if (!features->rows[i].name) {
            st = ren__out_of_memory();
            goto out;
        }
    }
    *out = features;
    features = NULL;
out:
    ren_features_free(features);
    return st;
}

static void free_blocks(ren_features *features) {
    for (int32_t i = 0; i < features->block_count; i++)
        ren__free(features->blocks[i].values);
    ren__free(features->blocks);
    features->blocks = NULL;
    features->block_count = 0;
}

void ren_features_free(ren_features *features) {
    if (!features) return;
    free_blocks(features);
    for (int32_t i = 0; i < features->row_count; i++)
        ren__free(features->rows[i].diagnostics);
    ren__free(features->rows);
    ren__free(features->values);
    ren__free(features->columns);
    ren__arena_free(features->arena);
    ren_context *context = features->context;
    ren__free(features);
    ren__context_release(context);
}

static const ren__feature_class *class_at(const ren__radiomics_params *params, int32_t slot) {
    return ren__radiomics_classes(params->settings.mode)[params->classes[slot].index];
}

int ren__class_of_shape(const ren__radiomics_params *params, int32_t slot) {
    return class_at(params, slot)->parts == 0;
}

int ren__class_has_columns(const ren__radiomics_params *params, int32_t slot) {
    if (params->classes[slot].feature_count == 0) return 0;
    if (strcmp(class_at(params, slot)->name, "shape2D") == 0)
        return params->settings.force_2d || params->settings.planar;
    return !params->settings.planar || strcmp(class_at(params, slot)->name, "shape") != 0;
}

/* "original_glcm_Contrast"; IBSI's own families are named as in IBSI's tables: "ibsi_cm_contrast_3D_comb". */
static const char *column_name(ren_features *features, const ren__radiomics_params *params, const char *prefix,
                               const ren__feature_class *of, const ren__feature *feature) {
    const int own = strncmp(of->name, "ibsi_", 5) == 0, plain = own && strcmp(prefix, "original") == 0;
    const char *const parts[] = { plain ? "" : prefix,
                                  plain ? "" : "_",
                                  of->name,
                                  "_",
                                  feature->name,
                                  own ? ren__ibsi_suffix(of, &params->settings.ibsi) : "" };
    size_t size = 1;
    char *name, *at;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        size += strlen(parts[i]);
    name = at = ren__arena_alloc(features->arena, size);
    for (size_t i = 0; name && i < sizeof parts / sizeof parts[0]; i++) {
        const size_t length = strlen(parts[i]);
        memcpy(at, parts[i], length);
        at += length;
    }
    return name;
}

static int32_t width_of(const ren__radiomics_params *params, int shape) {
    int32_t width = 0;

    for (int32_t slot = 0; slot < params->class_count; slot++)
        if (ren__class_of_shape(params, slot) == shape && ren__class_has_columns(params, slot))
            width += params->classes[slot].feature_count;
    return width;
}

static ren_status name_columns(ren_features *features, const ren__radiomics_params *params, ren__feature_block *block) {
    int32_t at = 0;

    for (int32_t slot = 0; slot < params->class_count; slot++) {
        if (ren__class_of_shape(params, slot) != (block->type < 0) || !ren__class_has_columns(params, slot)) continue;
        const ren__feature_class *of = class_at(params, slot);
        for (int32_t i = 0; i < params->classes[slot].feature_count; i++) {
            const ren__feature *feature = &of->features[params->classes[slot].features[i]];
            block->columns[at].feature = feature;
            block->columns[at].name = column_name(features, params, block->prefix, of, feature);
            if (!block->columns[at++].name) return ren__out_of_memory();
        }
    }
    return REN_OK;
}

static ren_status grow_blocks(ren_features *features) {
    const int32_t capacity = features->block_capacity ? 2 * features->block_capacity : 8;
    ren__feature_block *grown;

    if (features->block_count < features->block_capacity) return REN_OK;
    grown = ren__realloc(features->context, features->blocks, (size_t)capacity * sizeof *grown);
    if (!grown) return ren__out_of_memory();
    features->blocks = grown;
    features->block_capacity = capacity;
    return REN_OK;
}

static ren_status make_block(ren_features *features, const ren__radiomics_params *params, int32_t type,
                             const char *prefix) {
    ren_context *context = features->context;
    ren_status st = REN_OK;
    ren__feature_block block = { .type = type, .order = features->block_count };
    const size_t width = (size_t)width_of(params, type < 0), cells = width * (size_t)features->row_count;

    block.count = (int32_t)width;
    block.prefix = ren__arena_strdup(features->arena, prefix);
    block.columns = ren__arena_alloc(features->arena, (width ? width : 1) * sizeof *block.columns);
    if (!block.prefix || !block.columns) return ren__out_of_memory();
    REN_TRY(grow_blocks(features));
    REN_TRY(name_columns(features, params, &block));
    REN_CALLOC(block.values, cells);
    for (size_t i = 0; i < cells; i++)
        block.values[i] = NAN;
    features->blocks[features->block_count++] = block;
out:
    return st;
}

ren_status ren__features_block(ren_features *features, const ren__radiomics_params *params, int32_t type,
                               const char *prefix, ren__feature_block **out) {
    ren_status st;

    for (int32_t i = 0; i < features->block_count; i++)
        if (features->blocks[i].type == type && strcmp(features->blocks[i].prefix, prefix) == 0) {
            *out = &features->blocks[i];
            return REN_OK;
        }
    st = make_block(features, params, type, prefix);
    if (st == REN_OK) *out = &features->blocks[features->block_count - 1];
    return st;
}

ren_status ren__features_fail(ren_features *features, int32_t row, const char *error) {
    char quoted[1024];

    if (features->rows[row].error) return REN_OK;
    features->rows[row].error = ren__arena_strdup(features->arena, ren__quote(error, quoted, sizeof quoted));
    return features->rows[row].error ? REN_OK : ren__out_of_memory();
}

ren_status ren__features_diagnostic(ren_features *features, int32_t row, const char *name, const char *text) {
    ren__feature_row *to = &features->rows[row];
    const char *copy = ren__arena_strdup(features->arena, text);

    if (!copy) return ren__out_of_memory();
    if (to->diagnostic_count == to->diagnostic_capacity) {
        const int32_t capacity = to->diagnostic_capacity ? 2 * to->diagnostic_capacity : 32;
        ren__diagnostic *grown =
            ren__realloc(features->context, to->diagnostics, (size_t)capacity * sizeof *to->diagnostics);
        if (!grown) return ren__out_of_memory();
        to->diagnostics = grown;
        to->diagnostic_capacity = capacity;
    }
    to->diagnostics[to->diagnostic_count++] = (ren__diagnostic){ name, copy };
    return REN_OK;
}

static int compare_blocks(const void *items, size_t a, size_t b) {
    const ren__feature_block *blocks = items;

    if (blocks[a].type != blocks[b].type) return blocks[a].type < blocks[b].type ? -1 : 1;
    return blocks[a].order < blocks[b].order ? -1 : blocks[a].order > blocks[b].order;
}

static void place_block(ren_features *features, const ren__feature_block *block, int32_t at) {
    memcpy(features->columns + at, block->columns, (size_t)block->count * sizeof *block->columns);
    for (int32_t row = 0; row < features->row_count; row++) {
        double *to = features->values + (size_t)row * (size_t)features->column_count + at;
        for (int32_t i = 0; i < block->count; i++)
            to[i] = features->rows[row].error ? NAN : block->values[(size_t)row * (size_t)block->count + (size_t)i];
    }
}

ren_status ren__features_finish(ren_features *features) {
    ren_context *context = features->context;
    ren_status st = REN_OK;
    size_t *order = NULL;
    int32_t columns = 0;

    for (int32_t i = 0; i < features->block_count; i++)
        columns += features->blocks[i].count;
    features->column_count = columns;
    REN_CALLOC(order, (size_t)features->block_count);
    REN_CALLOC(features->columns, (size_t)columns);
    REN_CALLOC(features->values, (size_t)columns * (size_t)features->row_count);
    ren__sort_indices(order, (size_t)features->block_count, compare_blocks, features->blocks);
    columns = 0;
    for (int32_t i = 0; i < features->block_count; i++) {
        place_block(features, &features->blocks[order[i]], columns);
        columns += features->blocks[order[i]].count;
    }
    free_blocks(features);
out:
    ren__free(order);
    return st;
}

/* ------------------------------------------------------------------------------------------------------- asking */

static int has_row(const ren_features *features, int32_t row) {
    return features && row >= 0 && row < features->row_count;
}

static int has_column(const ren_features *features, int32_t column) {
    return features && column >= 0 && column < features->column_count;
}

int32_t ren_features_row_count(const ren_features *features) {
    return features ? features->row_count : 0;
}

const char *ren_features_row_name(const ren_features *features, int32_t row) {
    return has_row(features, row) ? features->rows[row].name : NULL;
}

const char *ren_features_row_error(const ren_features *features, int32_t row) {
    return has_row(features, row) ? features->rows[row].error : NULL;
}

int32_t ren_features_count(const ren_features *features) {
    return features ? features->column_count : 0;
}

const char *ren_features_name(const ren_features *features, int32_t column) {
    return has_column(features, column) ? features->columns[column].name : NULL;
}

const char *ren_features_unit(const ren_features *features, int32_t column) {
    return has_column(features, column) ? features->columns[column].feature->unit : NULL;
}

const char *ren_features_ibsi(const ren_features *features, int32_t column) {
    if (!has_column(features, column)) return NULL;
    return features->columns[column].feature->ibsi ? features->columns[column].feature->ibsi : "";
}

int32_t ren_features_find(const ren_features *features, const char *name) {
    for (int32_t i = 0; name && i < ren_features_count(features); i++)
        if (strcmp(features->columns[i].name, name) == 0) return i;
    return -1;
}

double ren_features_value(const ren_features *features, int32_t row, int32_t column) {
    if (!has_row(features, row) || !has_column(features, column)) return NAN;
    return features->values[(size_t)row * (size_t)features->column_count + (size_t)column];
}

const double *ren_features_row(const ren_features *features, int32_t row) {
    return has_row(features, row) ? features->values + (size_t)row * (size_t)features->column_count : NULL;
}

int32_t ren_features_diagnostic_count(const ren_features *features, int32_t row) {
    return has_row(features, row) ? features->rows[row].diagnostic_count : 0;
}

const char *ren_features_diagnostic_name(const ren_features *features, int32_t row, int32_t index) {
    if (index < 0 || index >= ren_features_diagnostic_count(features, row)) return NULL;
    return features->rows[row].diagnostics[index].name;
}

const char *ren_features_diagnostic_text(const ren_features *features, int32_t row, int32_t index) {
    if (index < 0 || index >= ren_features_diagnostic_count(features, row)) return NULL;
    return features->rows[row].diagnostics[index].text;
}
