/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model files: safetensors whose metadata has `ren.format` (the version of this layout, "1") and `ren.model` (a JSON
 * object). Nothing in them depends on time or machine, so equal models give equal bytes.
 *
 * `ren.model` of an expert:   kind "expert", arch, config, region, preset, classes, training_record.
 *               of a gate:    kind "gate", source, normalisation, weights (an object: region name to number), and
 * where they say more than the default: mode, temperature, measure, logits (as weights), columns (a list of names),
 * scores and predictors (an object: region name to predictor), params and params_mode (of the radiomics).
 *               of a mixture: kind "mixture", name, preset, classes, threshold, gate (as above without kind), stacking
 * (a predictor; may be missing), experts (a list of {region, arch, config, training_record}), training_record. A
 * training record may be missing. Tensors have the checkpoint's names; in a mixture "experts.REGION." before them.
 */
#ifndef REN_MOE_MODEL_FILE_H
#define REN_MOE_MODEL_FILE_H

#include "format/document.h"
#include "graph/op.h"
#include "moe/moe.h"

enum { REN__MODEL_JSON_CAP = 16 << 20 }; /* bytes of `ren.model`: gates of many trees are long */

/* Writes the model; atomic. The tensors are those of `count` experts, whose names get the prefix "experts.REGION."
 * where `prefixed`. */
ren_status ren__model_write(ren_context *context, const char *path, const json_t *model, ren_expert *const *experts,
                            size_t count, int prefixed);
/* Opens a model file of `kind` (NULL: any) and parses what it says of itself. Both outputs are the caller's. */
ren_status ren__model_open(ren_context *context, const char *path, const char *kind, ren__safetensors **file,
                           json_t **model);
/* Refuses a file whose tensors are not exactly the parameters of the experts' graphs, in name and shape. Done before
 * weights are allocated: their size is then bounded by the file's. */
ren_status ren__model_check(const ren__safetensors *file, ren_expert *const *experts, size_t count, int prefixed);
/* Makes the weights of an expert that was parsed, and reads them straight into place, converted to float32. */
ren_status ren__model_read_weights(const ren__safetensors *file, ren_expert *expert, int prefixed);
/* Reads a checkpoint: "module." before all names is passed over, "*.num_batches_tracked" is left alone; any other
 * tensor that the network does not have is an error, and so is a missing one. */
ren_status ren__checkpoint_read(ren_context *context, const char *path, ren__weights *weights);

/* Puts the path before the text of a failed load. What would be the caller's mistake in a call is the file's here. */
ren_status ren__model_error(ren_status st, const char *path);

/* Preset and number of classes of a model. */
ren_status ren__model_input(const json_t *model, ren_preset *preset, int64_t *classes);
/* Preset to JSON (NULL: no memory) and back. */
json_t *ren__preset_json(const ren_preset *preset);
ren_status ren__preset_parse(const json_t *object, const char *where, ren_preset *preset);

/* Region number of a name; -1 where there is none. */
int32_t ren__region_find(const char *name);
/* The JSON library's own allocation failed. */
ren_status ren__json_memory(void);
/* A required string, object or list member of `object`. */
ren_status ren__need_string(const json_t *object, const char *key, const char *where, const char **value);
ren_status ren__need_member(const json_t *object, const char *key, const char *where, json_type type,
                            const json_t **value);

/* expert.c: an expert with its graph and without weights. `config`, `record`: NULL, or an object that is copied. */
/* Before the expert's own weights get values: puts them into the order that sparse inference reads. */
ren_status ren__expert_arrange(ren_expert *expert);
ren_status ren__expert_new(ren_context *context, const ren__net *net, const json_t *config, const json_t *record,
                           int32_t region, const ren_preset *preset, ren_expert **out);
/* From {arch, config, region, training_record}; `classes` is what the file says. */
ren_status ren__expert_parse(ren_context *context, const json_t *object, const char *where, const ren_preset *preset,
                             int64_t classes, ren_expert **out);
/* The expert of an expert's file, without weights. */
ren_status ren__expert_file_parse(ren_context *context, const json_t *model, ren_expert **out);
/* {region, arch, config, training_record}. NULL: no memory. */
json_t *ren__expert_json(const ren_expert *expert);

/* gate_file.c: all of a gate, and what its card says: of predictors their kind and what they read. NULL: no memory. */
json_t *ren__gate_json(const ren_gate *gate);
json_t *ren__gate_card(const ren_gate *gate);
json_t *ren__predictor_card(const ren__predictor *predictor);
ren_status ren__gate_parse(ren_context *context, const json_t *object, const char *where, ren_gate **out);
/* Adds an error where the gate says nothing of an expert's region. */
ren_status ren__gate_check_region(const ren_gate *gate, int32_t region);

/* mixture.c: the mixture of a file, its experts without weights. */
ren_status ren__mixture_parse(ren_context *context, const json_t *model, ren_mixture **out);
/* mixture_whole.c: the network on both lungs that the mixture is, or NULL; and its answer. */
const ren_expert *ren__mixture_whole(const ren_mixture *mixture);
ren_status ren__mixture_predict_whole(const ren_mixture *mixture, const ren_scan *scan, ren__run *run,
                                      ren_result *result);
/* Experts in the order of the regions; gives their number. */
size_t ren__mixture_experts(const ren_mixture *mixture, ren_expert *experts[REN_REGION_COUNT]);

/* model_card.c: what describes a model to a person. */
ren_status ren__expert_card(const ren_expert *expert, json_t **out);
ren_status ren__mixture_card(const ren_mixture *mixture, json_t **out);

#endif
