/* SPDX-License-Identifier: Apache-2.0 */
/* The training loop. */
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "train/metrics.h"
#include "train/study_files.h"
#include "train/trainer_parts.h"

/* Keeps the order of samples apart from what else is drawn of the same seed. */
#define ORDER_KEY UINT64_C(0xd1b54a32d192ed03)

static void score(ren__sample_set *set, int32_t label, double probability) {
    set->label[set->scored] = label;
    set->score[set->scored++] = probability;
}

/* Of class 1, from two logits. */
static double probability_of(const float logits[2]) {
    return 1.0 / (1.0 + exp((double)logits[0] - (double)logits[1]));
}

/* ----------------------------------------------------------------------------------------------------- training */

/* A session for batches of this size. Only one is held: the last batch of an epoch may be smaller, and two sessions'
 * activations cost more than making one anew. */
static ren_status use_session(ren__training *t, int64_t batch) {
    ren_status st = REN_OK;
    ren__graph *graph = NULL;

    if (t->session && t->session_batch == batch) return REN_OK;
    ren__session_free(t->session);
    t->session = NULL;
    REN_TRY(ren__net_graph(t->context, t->task->net, t->task->network, batch, t->loss, &graph));
    REN_TRY(ren__session_create(graph, t->state.weights, REN__TRAIN, &t->session));
    t->session_batch = batch;
    for (int32_t i = 0; i < t->trained_count; i++)
        t->gradients[i] = ren__session_gradient(t->session, t->trained[i]);
out:
    ren__graph_free(graph);
    return st;
}

/* One step on the samples `index`; adds their loss, times their number, to *loss. */
static ren_status train_batch(ren__training *t, const int32_t *index, int32_t count, uint32_t epoch, double *loss) {
    ren_status st = REN_OK;

    REN_TRY(use_session(t, count));
    float *y = ren__session_input(t->session, "y");
    for (int32_t k = 0; k < count; k++) {
        REN_TRY(ren__sample_fill(t, t->session, k, index[k], epoch));
        y[k] = (float)ren__sample_label(t, index[k]);
        t->numbers[k] = (uint32_t)index[k];
    }
    REN_TRY(ren__session_randomness(t->session, t->task->seed, epoch, t->numbers, count));
    REN_TRY(ren__session_run(t->session, t->run));
    const double batch_loss = (double)ren__session_output(t->session, "loss")[0];
    const float *logits = ren__session_output(t->session, "logits");
    for (int32_t k = 0; k < count; k++) {
        const double probability = probability_of(logits + (size_t)k * 2);
        if (!isfinite(batch_loss) || !isfinite(probability))
            REN_FAIL(REN_E_DATA, "the loss is not finite in epoch %u: try a lower learning rate", epoch);
        score(&t->training, ren__sample_label(t, index[k]), probability);
    }
    REN_TRY(ren__session_backward(t->session, t->run));
    REN_TRY(ren__optimiser_step(t->state.optimiser, t->parameters, t->gradients, t->state.schedule.rate, NULL));
    *loss += batch_loss * (double)count;
out:
    return st;
}

static ren_status train_epoch(ren__training *t, int32_t *order, ren__history_row row) {
    ren_status st = REN_OK;
    ren__sample_set *set = &t->training;
    const int64_t batch = t->settings->batch;
    const uint32_t epoch = (uint32_t)t->state.epoch + 1;
    ren__rng rng;
    double loss = 0.0;

    memcpy(order, set->index, (size_t)set->count * sizeof *order);
    ren__rng_init(&rng, t->task->seed ^ ORDER_KEY, epoch, 0);
    ren__rng_shuffle(&rng, order, set->count);
    set->scored = 0;
    for (int64_t begin = 0; begin < set->count; begin += batch) {
        const int64_t left = set->count - begin, count = left < batch ? left : batch;
        if (count == 1 && batch > 1) break; /* batch normalisation has no variance of one sample */
        REN_TRY(train_batch(t, order + begin, (int32_t)count, epoch, &loss));
        const double done = (double)(begin + count) / (double)set->count;
        REN_TRY(ren__run_progress(t->run, "training",
                                  ((double)t->state.epoch + 0.95 * done) / (double)t->settings->epochs));
    }
    row[REN__HISTORY_EPOCH] = (double)epoch;
    row[REN__HISTORY_RATE] = t->state.schedule.rate;
    row[REN__HISTORY_TRAINING_LOSS] = loss / (double)set->scored;
    /* The sample left out may be the only one of its class. */
    st = ren__metric_auc(t->context, set->label, set->score, set->scored, &row[REN__HISTORY_TRAINING_AUC]);
    if (st == REN_E_DATA) {
        row[REN__HISTORY_TRAINING_AUC] = NAN;
        st = REN_OK;
    }
out:
    return st;
}

/* --------------------------------------------------------------------------------------------------- validation */

static void copy_weights(const ren__weights *from, ren__weights *to) {
    for (int32_t i = 0; i < ren__weights_count(from); i++)
        memcpy(ren__weights_data(to, i), ren__weights_read(from, i), ren__weights_elements(from, i) * sizeof(float));
}

static ren_status run_validation(ren__training *t, ren__session *session) {
    ren_status st = REN_OK;
    ren__sample_set *set = &t->validation;
    const int32_t batch = (int32_t)t->inference_batch;

    set->scored = 0;
    for (int32_t begin = 0; begin < set->count; begin += batch) {
        const int32_t left = set->count - begin, count = left < batch ? left : batch;
        /* Places past the last sample keep what they had: in inference samples do not see each other. */
        for (int32_t k = 0; k < count; k++)
            REN_TRY(ren__sample_fill(t, session, k, set->index[begin + k], 0));
        REN_TRY(ren__session_run(session, t->run));
        const float *logits = ren__session_output(session, "logits");
        for (int32_t k = 0; k < count; k++) {
            const double probability = probability_of(logits + (size_t)k * 2);
            if (!isfinite(probability))
                REN_FAIL(REN_E_DATA,
                         "the network's outputs are not finite after epoch %" PRId64 ": try a lower learning rate",
                         t->state.epoch + 1);
            score(set, ren__sample_label(t, set->index[begin + k]), probability);
        }
    }
out:
    return st;
}

/* Inference folds and packs weights once and keeps that with them, so it gets a copy of its own each time. */
static ren_status validate(ren__training *t, ren__history_row row) {
    ren_status st = REN_OK;
    const ren__sample_set *set = &t->validation;
    ren__weights *copy = NULL;
    ren__session *session = NULL;

    REN_TRY(ren__weights_create(t->context, t->inference, &copy));
    copy_weights(t->state.weights, copy);
    REN_TRY(ren__session_create(t->inference, copy, REN__INFER, &session));
    REN_TRY(run_validation(t, session));
    REN_TRY(ren__metric_auc(t->context, set->label, set->score, set->scored, &row[REN__HISTORY_VALIDATION_AUC]));
    REN_TRY(ren__metric_cross_entropy(set->label, set->score, set->scored, &row[REN__HISTORY_VALIDATION_LOSS]));
    REN_TRY(ren__metric_accuracy(set->label, set->score, set->scored, 0.5, &row[REN__HISTORY_VALIDATION_ACCURACY]));
out:
    ren__session_free(session);
    ren__weights_release(copy);
    return st;
}

/* ---------------------------------------------------------------------------------------------------------- loop */

/* What follows from an epoch's numbers. */
static void conclude_epoch(ren__training *t, ren__history_row row) {
    ren__train_state *s = &t->state;
    int keep;
    const ren__stop_reason reason =
        ren__early_stop_update(&s->early_stop, s->epoch + 1, row[REN__HISTORY_TRAINING_AUC],
                               row[REN__HISTORY_VALIDATION_AUC], row[REN__HISTORY_VALIDATION_LOSS], &keep);

    if (t->settings->stops_early) s->stopped = reason;
    if (keep) copy_weights(s->weights, s->best);
    row[REN__HISTORY_BEST] = (double)keep;
    ren__schedule_step(&s->schedule, row[REN__HISTORY_VALIDATION_AUC]);
    s->epoch++;
}

static void log_epoch(const ren__training *t, const ren__history_row row) {
    /* Thousandths as integers: the format's decimal point would follow the host's locale. */
    const int loss = (int)(1000.0 * row[REN__HISTORY_VALIDATION_LOSS]);
    const int auc = (int)(1000.0 * row[REN__HISTORY_VALIDATION_AUC]);

    ren__log(t->context, REN_LOG_INFO, "%s %s: epoch %" PRId64 " of %" PRId64 ", validation AUC %d.%03d, loss %d.%03d",
             t->task->net->name, ren_region_name(t->task->region), t->state.epoch, t->settings->epochs, auc / 1000,
             auc % 1000, loss / 1000, loss % 1000);
}

static ren_status train(ren__training *t) {
    ren_status st = REN_OK;
    ren_context *context = t->context;
    ren__train_state *s = &t->state;
    int32_t *order = NULL;

    REN_CALLOC(order, (size_t)t->training.count);
    while (s->epoch < t->settings->epochs && s->stopped == REN__STOP_NO) {
        double *row = s->history[s->epoch];
        REN_TRY(train_epoch(t, order, row));
        REN_TRY(validate(t, row));
        conclude_epoch(t, row);
        log_epoch(t, row);
        REN_TRY(ren__training_store(t));
        REN_TRY(ren__run_progress(t->run, "training", (double)s->epoch / (double)t->settings->epochs));
    }
    if (t->history) REN_TRY(ren__history_write(context, t->history, s));
    st = ren__run_progress(t->run, "training", 1.0);
out:
    ren__free(order);
    return st;
}

static void give_outcome(ren__training *t, ren__train_outcome *out) {
    ren__train_state *s = &t->state;
    const double *row = s->history[s->early_stop.best_epoch - 1];

    *out = (ren__train_outcome){ .weights = ren__weights_retain(s->best),
                                 .epochs = s->epoch,
                                 .best_epoch = s->early_stop.best_epoch,
                                 .stopped = s->stopped,
                                 .training_auc = row[REN__HISTORY_TRAINING_AUC],
                                 .training_loss = row[REN__HISTORY_TRAINING_LOSS],
                                 .validation_auc = row[REN__HISTORY_VALIDATION_AUC],
                                 .validation_loss = row[REN__HISTORY_VALIDATION_LOSS],
                                 .validation_accuracy = row[REN__HISTORY_VALIDATION_ACCURACY],
                                 .training_samples = t->training.count,
                                 .validation_samples = t->validation.count,
                                 .training_empty = t->training.empty,
                                 .validation_empty = t->validation.empty,
                                 .history = s->history };
    s->history = NULL;
}

void ren__train_outcome_end(ren__train_outcome *outcome) {
    ren__weights_release(outcome->weights);
    ren__free(outcome->history);
    *outcome = (ren__train_outcome){ .weights = NULL };
}

ren_status ren__train(ren_context *context, const ren__train_task *task, ren__run *run, ren__train_outcome *out) {
    ren__training t = { .context = context, .task = task, .settings = task->settings, .run = run };
    ren_status st = ren__training_begin(&t);

    if (st == REN_OK) st = train(&t);
    if (st == REN_OK) give_outcome(&t, out);
    ren__training_end(&t);
    return st;
}
