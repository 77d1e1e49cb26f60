/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-entropy with class weights w and label smoothing s, K classes, as PyTorch defines it:
 *   [ (1 - s) sum_i w_{y_i} (-lp_{i,y_i}) + s / K sum_i sum_c w_c (-lp_{i,c}) ] / sum_i w_{y_i}
 * with lp the log-softmax of the logits.
 */
#include <math.h>

#include "ops/internal.h"

typedef struct loss_node {
    double weight[REN__MAX_CLASSES];
    double smoothing;
} loss_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const ren__shape *logits = ren__graph_shape(graph, node->input[0]);
    const ren__shape *targets = ren__graph_shape(graph, node->input[1]);
    const loss_node *n = node->options;
    if (logits->rank != 2 || logits->dim[1] > REN__MAX_CLASSES || targets->rank != 1 ||
        targets->dim[0] != logits->dim[0])
        return ren__error(REN_E_INVALID, "cross_entropy: needs logits N, K (K at most %d) and N targets",
                          REN__MAX_CLASSES);
    if (!(n->smoothing >= 0 && n->smoothing < 1))
        return ren__error(REN_E_INVALID, "cross_entropy: smoothing must lie in [0, 1)");
    *output = (ren__shape){ 0 };
    return REN_OK;
}

/* The class of sample i, and the sum of the weights of all samples' classes. */
static ren_status class_of(const ren__step *step, int64_t i, int64_t *class) {
    float target = step->input[1][i];
    if (!(target >= 0 && target < (float)step->input_shape[0].dim[1]) || target != floorf(target))
        return ren__error(REN_E_DATA, "cross_entropy: target %lld is no class number", (long long)i);
    *class = (int64_t)target;
    return REN_OK;
}

static ren_status total_weight(const ren__step *step, double *total) {
    const loss_node *n = step->node->options;
    *total = 0;
    for (int64_t i = 0; i < step->input_shape[0].dim[0]; i++) {
        int64_t class = 0;
        ren_status st = class_of(step, i, &class);
        if (st != REN_OK) return st;
        *total += n->weight[class];
    }
    return *total > 0 ? REN_OK : ren__error(REN_E_DATA, "cross_entropy: the weights of all targets are 0");
}

static double log_sum(const float *x, int64_t count) {
    double top = (double)x[0];
    for (int64_t c = 1; c < count; c++)
        top = (double)x[c] > top ? (double)x[c] : top;
    double sum = exp((double)x[0] - top);
    for (int64_t c = 1; c < count; c++)
        sum += exp((double)x[c] - top);
    return top + log(sum);
}

static ren_status forward(ren__step *step) {
    const loss_node *n = step->node->options;
    int64_t classes = step->input_shape[0].dim[1];
    double total = 0, loss = 0;
    ren_status st = total_weight(step, &total);
    if (st != REN_OK) return st;
    for (int64_t i = 0; i < step->input_shape[0].dim[0]; i++) {
        const float *x = step->input[0] + i * classes;
        double norm = log_sum(x, classes);
        int64_t class = 0;
        (void)class_of(step, i, &class);
        loss += (1 - n->smoothing) * n->weight[class] * (norm - (double)x[class]);
        for (int64_t c = 0; c < classes; c++)
            loss += n->smoothing / (double)classes * n->weight[c] * (norm - (double)x[c]);
    }
    step->output[0] = (float)(loss / total);
    return REN_OK;
}

/* With t_c = (1 - s) w_y [c = y] + s w_c / K: dx_c = (p_c sum t - t_c) / total. */
static ren_status backward(ren__step *step) {
    const loss_node *n = step->node->options;
    int64_t classes = step->input_shape[0].dim[1];
    double total = 0;
    ren_status st = total_weight(step, &total);
    if (st != REN_OK || !step->input_gradient[0]) return st;
    for (int64_t i = 0; i < step->input_shape[0].dim[0]; i++) {
        const float *x = step->input[0] + i * classes;
        double norm = log_sum(x, classes), t[REN__MAX_CLASSES], sum = 0;
        int64_t class = 0;
        (void)class_of(step, i, &class);
        for (int64_t c = 0; c < classes; c++) {
            t[c] = (c == class ? (1 - n->smoothing) * n->weight[c] : 0) + n->smoothing * n->weight[c] / (double)classes;
            sum += t[c];
        }
        for (int64_t c = 0; c < classes; c++)
            step->input_gradient[0][i * classes + c] =
                (float)((double)step->output_gradient[0] * (exp((double)x[c] - norm) * sum - t[c]) / total);
    }
    return REN_OK;
}

const ren__op ren__cross_entropy_op = {
    .name = "cross_entropy",
    .option_bytes = sizeof(loss_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

ren__value ren__cross_entropy(ren__graph *graph, ren__value logits, ren__value targets, const double *weights,
                              double smoothing) {
    const ren__value inputs[2] = { logits, targets };
    loss_node n = { .smoothing = smoothing };
    int64_t classes = ren__channels_of(ren__graph_shape(graph, logits));
    for (int64_t c = 0; c < REN__MAX_CLASSES; c++)
        n.weight[c] = weights && c < classes ? weights[c] : 1.0;
    return ren__graph_add(graph, &ren__cross_entropy_op, &n, inputs, 2, NULL, 0);
}
