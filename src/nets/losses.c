/* SPDX-License-Identifier: Apache-2.0 */
/* What is trained for, as a JSON object {"kind": ..., ...}: adds what the loss reads (targets "y") and the output
 * "loss". */
#include <stdio.h>
#include <string.h>

#include "format/document.h"
#include "graph/op.h"
#include "nets/nets.h"

typedef struct loss_kind {
    const char *name;
    ren_status (*add)(ren__graph *graph, const json_t *loss, int64_t batch, ren__value *value);
} loss_kind;

static ren_status read_weights(const json_t *loss, int64_t classes, double weight[REN__MAX_CLASSES], int *given) {
    const json_t *weights = json_object_get(loss, "weight");
    *given = weights != NULL;
    if (!weights) return REN_OK;
    if (!json_is_array(weights) || (int64_t)json_array_size(weights) != classes)
        return ren__error(REN_E_INVALID, "loss.weight: a list of %lld numbers is needed", (long long)classes);
    for (size_t i = 0; i < json_array_size(weights); i++) {
        const json_t *item = json_array_get(weights, i);
        weight[i] = json_number_value(item);
        if (!json_is_number(item)) return ren__error(REN_E_INVALID, "loss.weight: item %zu is no number", i);
        if (!(weight[i] >= 0)) return ren__error(REN_E_INVALID, "loss.weight: weights must not be negative");
    }
    return REN_OK;
}

/* What a mixture adds: {weight, diversity, gating, kind}: of kind `balance` (default) weight is that of
 * mean((c - 1/E)^2); of kind `entropy` that of the weights' negative entropy. */
static ren_status add_regulariser(ren__graph *graph, const json_t *options, ren__value *value) {
    static const char *const known[] = { "weight", "diversity", "gating", "kind", NULL };
    const char *kind = "balance";
    double weight = 0.01, diversity = 0.01, gating = 0.005;
    const ren__value weights = ren__graph_find_output(graph, "combined_weights");
    const ren__value features = ren__graph_find_output(graph, "expert_features");
    if (!json_is_object(options)) return ren__error(REN_E_INVALID, "loss.gating_moe is no object");
    ren_status st = ren__check_keys(options, "loss.gating_moe", known);
    if (st == REN_OK) st = ren__get_number(options, "weight", "loss.gating_moe", &weight);
    if (st == REN_OK) st = ren__get_number(options, "diversity", "loss.gating_moe", &diversity);
    if (st == REN_OK) st = ren__get_string(options, "kind", "loss.gating_moe", &kind);
    const int entropy = strcmp(kind, "entropy") == 0;
    if (entropy) gating = 0;
    if (st == REN_OK) st = ren__get_number(options, "gating", "loss.gating_moe", &gating);
    if (st != REN_OK) return st;
    if (!entropy && strcmp(kind, "balance") != 0)
        return ren__error(REN_E_INVALID, "loss.gating_moe.kind is balance or entropy, not %.32s", kind);
    if (weights == REN__NONE || features == REN__NONE)
        return ren__error(REN_E_INVALID, "this network is no mixture for loss.gating_moe");
    const ren__regulariser r = { entropy ? 0 : weight, entropy ? weight + gating : gating, diversity };
    *value = ren__add(graph, *value, ren__gate_regulariser(graph, weights, features, &r));
    return REN_OK;
}

/* weight (by class), label_smoothing, target: PyTorch's, of the output "logits"; with gating_moe a mixture's own. */
static ren_status cross_entropy(ren__graph *graph, const json_t *loss, int64_t batch, ren__value *value) {
    static const char *const known[] = { "kind", "weight", "label_smoothing", "target", "gating_moe", NULL };
    const json_t *mixture = json_object_get(loss, "gating_moe");
    double smoothing = 0, weight[REN__MAX_CLASSES];
    int given = 0;
    const ren__value logits = ren__graph_find_output(graph, "logits");
    ren_status st = ren__check_keys(loss, "loss", known);
    if (st == REN_OK) st = ren__get_number(loss, "label_smoothing", "loss", &smoothing);
    if (st == REN_OK && logits == REN__NONE)
        st = ren__error(REN_E_INVALID, "this network has no logits for a cross-entropy");
    if (st == REN_OK) st = read_weights(loss, ren__graph_shape(graph, logits)->dim[1], weight, &given);
    if (st != REN_OK) return st;
    const ren__value targets = ren__graph_input(graph, "y", ren__shape_of(1, &batch));
    *value = ren__cross_entropy(graph, logits, targets, given ? weight : NULL, smoothing);
    return mixture ? add_regulariser(graph, mixture, value) : REN_OK;
}

/* of: the name of an output; its mean square, halved. */
static ren_status half_mean_square(ren__graph *graph, const json_t *loss, int64_t batch, ren__value *value) {
    static const char *const known[] = { "kind", "of", NULL };
    const char *of = "y";
    ren_status st = ren__check_keys(loss, "loss", known);
    (void)batch;
    if (st == REN_OK) st = ren__get_string(loss, "of", "loss", &of);
    if (st != REN_OK) return st;
    const ren__value output = ren__graph_find_output(graph, of);
    if (output == REN__NONE) return ren__error(REN_E_INVALID, "this network has no output %.32s", of);
    *value = ren__half_mean_square(graph, output);
    return REN_OK;
}

/* The classes of the heads "outputs.K", which are their weights' first axis; without heads those of the logits. */
static void find_heads(const ren__graph *graph, ren__value logits, ren__segmentation *options) {
    const int32_t count = ren__graph_parameter_count(graph);
    for (int32_t i = 0; i < count && options->heads < REN__MAX_HEADS; i++) {
        char name[48];
        const ren__parameter *parameter = ren__graph_parameter_at(graph, i);
        snprintf(name, sizeof name, "outputs.%d.weight", (int)options->heads);
        if (strcmp(parameter->name, name) == 0) options->classes[options->heads++] = parameter->shape.dim[0];
    }
    if (options->heads > 0) return;
    const ren__shape *shape = ren__graph_shape(graph, logits);
    options->classes[options->heads++] = shape->dim[shape->rank - 1];
}

/* cross_entropy, dice (weights of the two), target (name of the labels' input): of the output "logits". */
static ren_status segmentation(ren__graph *graph, const json_t *loss, int64_t batch, ren__value *value) {
    static const char *const known[] = { "kind", "cross_entropy", "dice", "target", NULL };
    const char *target = "labels";
    ren__segmentation options = { .cross_entropy = 0.4, .dice = 0.7 };
    const ren__value logits = ren__graph_find_output(graph, "logits");
    ren_status st = ren__check_keys(loss, "loss", known);
    (void)batch;
    if (st == REN_OK) st = ren__get_number(loss, "cross_entropy", "loss", &options.cross_entropy);
    if (st == REN_OK) st = ren__get_number(loss, "dice", "loss", &options.dice);
    if (st == REN_OK) st = ren__get_string(loss, "target", "loss", &target);
    if (st != REN_OK) return st;
    if (!(options.cross_entropy >= 0 && options.dice >= 0))
        return ren__error(REN_E_INVALID, "loss: weights must not be negative");
    if (logits == REN__NONE || ren__graph_shape(graph, logits)->rank < 3)
        return ren__error(REN_E_INVALID, "this network has no map of logits for a segmentation");
    ren__shape labels = *ren__graph_shape(graph, logits);
    labels.rank--;
    find_heads(graph, logits, &options);
    const ren__value numbers = options.heads > 1 ? ren__graph_find_input(graph, "predict_head") : REN__NONE;
    *value = ren__segmentation_loss(graph, logits, ren__graph_input(graph, target, labels), numbers, &options);
    return REN_OK;
}

static const loss_kind kinds[] = {
    { "cross_entropy", cross_entropy },
    { "half_mean_square", half_mean_square },
    { "segmentation", segmentation },
};

ren_status ren__net_loss(ren__graph *graph, const json_t *loss, int64_t batch) {
    const char *name = "cross_entropy";
    ren_status st = ren__get_string(loss, "kind", "loss", &name);
    if (st != REN_OK) return st;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        ren__value value = REN__NONE;
        if (strcmp(kinds[i].name, name) != 0) continue;
        st = kinds[i].add(graph, loss, batch, &value);
        if (st != REN_OK) return st;
        ren__graph_output(graph, "loss", value);
        return ren__graph_status(graph);
    }
    return ren__error(REN_E_UNSUPPORTED, "the loss %.32s is not known", name);
}
