/* SPDX-License-Identifier: Apache-2.0 */
/* What is trained for, as a JSON object {"kind": ..., ...}: adds what the loss reads (targets "y") and the output
 * "loss". */
#include <string.h>

#include "format/document.h"
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

/* weight (by class), label_smoothing, target: PyTorch's, of the output "logits". */
static ren_status cross_entropy(ren__graph *graph, const json_t *loss, int64_t batch, ren__value *value) {
    static const char *const known[] = { "kind", "weight", "label_smoothing", "target", NULL };
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
    return REN_OK;
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

static const loss_kind kinds[] = {
    { "cross_entropy", cross_entropy },
    { "half_mean_square", half_mean_square },
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
