/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model files: safetensors whose metadata has `ren.format` (the version of this layout, "1") and `ren.model` (a JSON
 * object). Nothing in them depends on time or machine, so equal models give equal bytes.
 *
 * `ren.model` of an expert:  kind "expert", arch, config, region, preset, classes, record (where there is one).
 *               of a gate:   kind "gate", source, normalisation, weights (an object: region name to number).
 *               of a mixture: kind "mixture", name, preset, classes, threshold, gate (as above without kind), experts (a
 *                            list of {region, arch, config, record}), record.
 * Tensors have the checkpoint's names; in a mixture "experts.REGION." before them.
 */
#ifndef REN_MOE_MODEL_FILE_H
#define REN_MOE_MODEL_FILE_H

#include "format/document.h"
#include "moe/moe.h"

/* One set of weights with what stands before its names in the file ("" or "experts.LUL."). */
typedef struct ren__model_part {
    const char *prefix;
    ren__weights *weights;
} ren__model_part;

/* Writes the model; atomic. */
ren_status ren__model_write(ren_context *context, const char *path, const json_t *model,
                            const ren__model_part *parts, size_t count);
/* Opens a model file of `kind` (NULL: any) and parses what it says of itself. Both outputs are the caller's. */
ren_status ren__model_open(ren_context *context, const char *path, const char *kind, ren__safetensors **file,
                           json_t **model);
/* Reads every weight from the tensor "prefix" + name, converted to float32 straight into place. A missing tensor or
 * another shape is an error. `used` (nullable) counts the tensors read. */
ren_status ren__model_read_weights(const ren__safetensors *file, const char *path, const char *prefix,
                                   ren__weights *weights, size_t *used);
/* The same for a checkpoint: "module." before all names is passed over, "*.num_batches_tracked" is left alone, and any
 * other tensor that the network does not have is an error. */
ren_status ren__checkpoint_read(const ren__safetensors *file, const char *path, ren__weights *weights);

/* Preset to JSON and back. */
json_t *ren__preset_json(const ren_preset *preset); /* NULL: no memory */
ren_status ren__preset_parse(const json_t *object, const char *where, ren_preset *preset);

#endif
