/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feature table while it is made, and its handle. Columns come in blocks: one of shape, one for each derived image;
 * which images there are is known only when the filters have run.
 */
#ifndef REN_RADIOMICS_FEATURES_H
#define REN_RADIOMICS_FEATURES_H

#include "base/text.h"
#include "radiomics/classes.h"

typedef struct ren__diagnostic {
    const char *name; /* "diagnostics_Mask-original_VoxelNum" */
    const char *text;
} ren__diagnostic;

typedef struct ren__feature_row {
    const char *name;
    const char *error; /* NULL: none */
    ren__diagnostic *diagnostics;
    int32_t diagnostic_count, diagnostic_capacity;
} ren__feature_row;

typedef struct ren__feature_column {
    const char *name;
    const ren__feature *feature;
} ren__feature_column;

typedef struct ren__feature_block {
    const char *prefix; /* "original" */
    int32_t type;       /* index of the image type; -1: shape */
    int32_t order;      /* among the blocks as they were made */
    int32_t count;
    ren__feature_column *columns;
    double *values; /* rows x count */
} ren__feature_block;

struct ren_features {
    ren_context *context; /* held */
    ren__arena *arena;    /* names and texts */
    int32_t row_count, column_count, block_count, block_capacity;
    ren__feature_row *rows;
    ren__feature_block *blocks; /* until the table is finished */
    ren__feature_column *columns;
    double *values; /* rows x columns */
};

ren_status ren__features_create(ren_context *context, const ren__label_set *sets, int32_t count,
                                ren_features **out) REN_CHECKED;
/* The block of a derived image (type -1: shape), made with NaN everywhere where it is new. The pointer is good until
 * the next block is made. */
ren_status ren__features_block(ren_features *features, const ren__radiomics_params *params, int32_t type,
                               const char *prefix, ren__feature_block **out) REN_CHECKED;
/* Sets the error text; the first one stays. */
ren_status ren__features_fail(ren_features *features, int32_t row, const char *error) REN_CHECKED;
/* Takes over nothing: `text` is copied; `name` must live as long as the table. */
ren_status ren__features_diagnostic(ren_features *features, int32_t row, const char *name,
                                    const char *text) REN_CHECKED;
/* Puts the blocks in order and their values into rows; rows with an error are NaN. */
ren_status ren__features_finish(ren_features *features) REN_CHECKED;

/* Whether slot `slot` of params->classes is computed on the shape's region, once; and whether it has columns at all:
 * shape2D has them only in two dimensions. */
int ren__class_of_shape(const ren__radiomics_params *params, int32_t slot);
int ren__class_has_columns(const ren__radiomics_params *params, int32_t slot);

#endif
