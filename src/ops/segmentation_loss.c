/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loss of a segmentation: mean over samples of a CE + b Dice on the classes of the sample's own head. CE is the mean
 * over cells of the cross-entropy; Dice the mean over classes, background included, of 1 - (2 sum p t + s) / (sum p^2 +
 * sum t^2 + s) with p the softmax, t 1 or 0, s = 1e-5 and sums over one sample. Sums are taken chunk by chunk of a
 * sample, so they do not depend on the number of threads; backward draws the softmax again and keeps only the sums.
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "ops/internal.h"

enum { CHUNKS_A_SAMPLE = 16 };
static const double smooth = 1e-5;

typedef struct loss_node {
    double cross_entropy, dice;
    int32_t heads;
    int64_t classes[REN__MAX_HEADS];
} loss_node;

static ren_status infer(const ren__graph *graph, const ren__node *node, ren__shape *output) {
    const loss_node *n = node->options;
    const ren__shape *logits = ren__graph_shape(graph, node->input[0]);
    ren__shape labels = *ren__graph_shape(graph, node->input[1]);
    if (logits->rank < 3 || labels.rank != logits->rank - 1 || ren__shape_elements(&labels) != ren__rows_of(logits) ||
        labels.dim[0] != logits->dim[0])
        return ren__error(REN_E_INVALID, "segmentation_loss: needs logits N, spatial, K and labels N, spatial");
    for (int32_t i = 0; i < n->heads; i++)
        if (n->classes[i] < 1 || n->classes[i] > ren__channels_of(logits) || n->classes[i] > REN__MAX_SEGMENTS)
            return ren__error(REN_E_INVALID, "segmentation_loss: a head of %lld classes", (long long)n->classes[i]);
    if (node->input_count == 3) {
        const ren__shape *numbers = ren__graph_shape(graph, node->input[2]);
        if (numbers->rank != 1 || numbers->dim[0] != logits->dim[0])
            return ren__error(REN_E_INVALID, "segmentation_loss: needs the number of each sample's head");
    }
    *output = (ren__shape){ 0 };
    return REN_OK;
}

/* Sums of one class: p t, p^2, t^2. */
typedef struct class_sums {
    double overlap, predicted, labelled;
} class_sums;

typedef struct loss_job {
    ren__step *step;
    const loss_node *node;
    int64_t batch, width, each, chunk; /* channels; cells of a sample, of a chunk */
    const float *logits, *labels, *numbers;
    class_sums *sums, *partial; /* by sample, by item: `width` classes each */
    double *entropy;            /* by item */
    atomic_int bad;             /* a label or a head that is none */
} loss_job;

static void lay_out(ren__step *step, loss_job *j) {
    const ren__shape *logits = &step->input_shape[0];
    *j = (loss_job){ .step = step, .node = step->node->options, .batch = logits->dim[0] };
    j->width = ren__channels_of(logits);
    j->each = ren__rows_of(logits) / j->batch;
    j->chunk = (j->each + CHUNKS_A_SAMPLE - 1) / CHUNKS_A_SAMPLE;
    j->logits = step->input[0];
    j->labels = step->input[1];
    j->numbers = step->node->input_count == 3 ? step->input[2] : NULL;
    j->partial = step->scratch;
    j->entropy = (double *)(j->partial + j->batch * CHUNKS_A_SAMPLE * j->width);
    j->sums = step->training ? step->saved : (class_sums *)(j->entropy + j->batch * CHUNKS_A_SAMPLE);
    atomic_init(&j->bad, 0);
}

static ren_status plan(ren__step *step) {
    const int64_t batch = step->input_shape[0].dim[0], width = ren__channels_of(&step->input_shape[0]);
    const size_t sums = (size_t)(batch * width) * sizeof(class_sums);
    step->scratch_bytes = CHUNKS_A_SAMPLE * (sums + (size_t)batch * sizeof(double));
    if (step->training)
        step->saved_bytes = sums;
    else
        step->scratch_bytes += sums;
    return REN_OK;
}

static ren_status check_numbers(const loss_job *j) {
    for (int64_t i = 0; j->numbers && i < j->batch; i++)
        if (!(j->numbers[i] >= 0 && j->numbers[i] < (float)j->node->heads) || j->numbers[i] != floorf(j->numbers[i]))
            return ren__error(REN_E_DATA, "sample %lld of the batch names no head", (long long)i);
    return REN_OK;
}

static int64_t classes_of(const loss_job *j, int64_t sample) {
    return j->node->classes[j->numbers ? (int64_t)j->numbers[sample] : 0];
}

/* The softmax of a cell's `classes` first logits; gives the logarithm of what they were divided by. */
static double soft_classes(const float *x, int64_t classes, float *p) {
    double sum = 0;
    float top = x[0];
    for (int64_t c = 1; c < classes; c++)
        top = x[c] > top ? x[c] : top;
    for (int64_t c = 0; c < classes; c++) {
        p[c] = expf(x[c] - top);
        sum += (double)p[c];
    }
    for (int64_t c = 0; c < classes; c++)
        p[c] = (float)((double)p[c] / sum);
    return (double)top + log(fmax(sum, 1.0)); /* the top's own part is 1 */
}

/* The class of a cell; -1: none. */
static int64_t label_of(const loss_job *j, int64_t cell, int64_t classes) {
    const float label = j->labels[cell];
    return label >= 0 && label < (float)classes && label == floorf(label) ? (int64_t)label : -1;
}

static void sum_item(loss_job *j, int64_t item) {
    const int64_t sample = item / CHUNKS_A_SAMPLE, classes = classes_of(j, sample);
    const int64_t begin = item % CHUNKS_A_SAMPLE * j->chunk;
    const int64_t end = begin + j->chunk < j->each ? begin + j->chunk : j->each;
    class_sums *sums = j->partial + item * j->width;
    float p[REN__MAX_SEGMENTS];
    double entropy = 0;
    memset(sums, 0, (size_t)j->width * sizeof *sums);
    for (int64_t cell = sample * j->each + begin; cell < sample * j->each + end; cell++) {
        const float *x = j->logits + cell * j->width;
        const int64_t label = label_of(j, cell, classes);
        if (label < 0) {
            atomic_store(&j->bad, 1);
            return;
        }
        entropy += soft_classes(x, classes, p) - (double)x[label];
        for (int64_t c = 0; c < classes; c++)
            sums[c].predicted += (double)p[c] * (double)p[c];
        sums[label].overlap += (double)p[label];
        sums[label].labelled++;
    }
    j->entropy[item] = entropy;
}

static void sum_items(void *argument, int64_t begin, int64_t end, int32_t thread) {
    (void)thread;
    for (int64_t item = begin; item < end; item++)
        sum_item(argument, item);
}

/* The loss of one sample, its chunks' sums added up. */
static double sample_loss(const loss_job *j, int64_t sample) {
    const int64_t classes = classes_of(j, sample);
    class_sums *sums = j->sums + sample * j->width;
    double entropy = 0, dice = 0;
    memset(sums, 0, (size_t)j->width * sizeof *sums);
    for (int64_t item = sample * CHUNKS_A_SAMPLE; item < (sample + 1) * CHUNKS_A_SAMPLE; item++) {
        const class_sums *part = j->partial + item * j->width;
        entropy += j->entropy[item];
        for (int64_t c = 0; c < classes; c++) {
            sums[c].overlap += part[c].overlap;
            sums[c].predicted += part[c].predicted;
            sums[c].labelled += part[c].labelled;
        }
    }
    for (int64_t c = 0; c < classes; c++)
        dice += 1 - (2 * sums[c].overlap + smooth) / (sums[c].predicted + sums[c].labelled + smooth);
    return j->node->cross_entropy * entropy / (double)j->each + j->node->dice * dice / (double)classes;
}

static ren_status forward(ren__step *step) {
    loss_job j;
    double loss = 0;
    lay_out(step, &j);
    const ren_status st = check_numbers(&j);
    if (st != REN_OK) return st;
    ren__parallel_for(step->context, step->run, j.batch * CHUNKS_A_SAMPLE, 1, sum_items, &j);
    if (atomic_load(&j.bad)) return ren__error(REN_E_DATA, "a label is no class of its sample's head");
    if (ren__run_check(step->run) != REN_OK) return REN_OK; /* chunks that were left out have no sums */
    for (int64_t sample = 0; sample < j.batch; sample++)
        loss += sample_loss(&j, sample) / (double)j.batch;
    step->output[0] = (float)loss;
    return REN_OK;
}

/* With a = dLoss/dp: dx_c = p_c (a_c - sum a p) for the Dice, and p_c - t_c for the cross-entropy. */
static void cell_gradient(const loss_job *j, int64_t sample, int64_t cell, float *dx) {
    const int64_t classes = classes_of(j, sample), label = label_of(j, cell, classes);
    const class_sums *sums = j->sums + sample * j->width;
    const double loss = (double)j->step->output_gradient[0] / (double)j->batch;
    const double entropy = loss * j->node->cross_entropy / (double)j->each;
    const double dice = loss * j->node->dice / (double)classes;
    float p[REN__MAX_SEGMENTS];
    double a[REN__MAX_SEGMENTS], inner = 0;
    soft_classes(j->logits + cell * j->width, classes, p);
    for (int64_t c = 0; c < classes; c++) {
        const double below = sums[c].predicted + sums[c].labelled + smooth;
        const double above = 2 * sums[c].overlap + smooth;
        a[c] = dice * (2 * (double)p[c] * above / below - (c == label ? 2 : 0)) / below;
        inner += a[c] * (double)p[c];
    }
    for (int64_t c = 0; c < classes; c++)
        dx[c] = (float)((double)p[c] * (a[c] - inner) + entropy * ((double)p[c] - (c == label)));
    for (int64_t c = classes; c < j->width; c++)
        dx[c] = 0;
}

static void backward_items(void *argument, int64_t begin, int64_t end, int32_t thread) {
    const loss_job *j = argument;
    (void)thread;
    for (int64_t cell = begin; cell < end; cell++)
        cell_gradient(j, cell / j->each, cell, j->step->input_gradient[0] + cell * j->width);
}

static ren_status backward(ren__step *step) {
    loss_job j;
    lay_out(step, &j);
    if (step->input_gradient[0])
        ren__parallel_for(step->context, step->run, j.batch * j.each, 1024, backward_items, &j);
    return REN_OK;
}

const ren__op ren__segmentation_loss_op = {
    .name = "segmentation_loss",
    .option_bytes = sizeof(loss_node),
    .flags = REN__KEEPS_INPUT,
    .infer = infer,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

ren__value ren__segmentation_loss(ren__graph *graph, ren__value logits, ren__value labels, ren__value numbers,
                                  const ren__segmentation *options) {
    const ren__value inputs[3] = { logits, labels, numbers };
    loss_node n = { options->cross_entropy, options->dice, options->heads, { 0 } };
    if (n.heads < 1 || n.heads > REN__MAX_HEADS || (numbers == REN__NONE && n.heads != 1))
        return ren__graph_fail(graph, REN_E_INVALID, "segmentation_loss: %d heads", (int)n.heads);
    memcpy(n.classes, options->classes, (size_t)n.heads * sizeof *n.classes);
    return ren__graph_add(graph, &ren__segmentation_loss_op, &n, inputs, numbers == REN__NONE ? 2 : 3, NULL, 0);
}
