/* SPDX-License-Identifier: Apache-2.0 */
/* The training loop. */
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "moe/model_file.h"
#include "train/metrics.h"
#include "train/study_files.h"

/* Keeps the order of samples apart from what else is drawn of the same seed. */
#define ORDER_KEY UINT64_C(0xd1b54a32d192ed03)

/* One set of samples, and what the network said of them in the order they were run. */
typedef struct sample_set {
    int32_t *index; /* into the data set; empty regions are left out */
    int32_t count, empty, classes[2];
    int32_t *label;
    double *score;
    int32_t scored;
} sample_set;

typedef struct trainer {
    ren_context *context;
    const ren__train_task *task;
    const ren__train_settings *settings;
    ren__run *run;
    ren__train_state state;
    sample_set training, validation;
    json_t *loss;
    ren__session *session; /* for training, of `session_batch` samples */
    int64_t session_batch;
    ren__graph *inference; /* of `inference_batch` samples */
    int64_t inference_batch;
    size_t cells;       /* of one sample */
    float *sample;      /* one sample before augmentation */
    uint32_t *numbers;  /* [batch]: what dropout tells samples apart by */
    float **parameters; /* of the weights, the trained ones in order */
    const float **gradients;
    int32_t *trained; /* their indices among the weights */
    int32_t trained_count;
    ren_text *identity;
    char *checkpoint, *history;              /* paths; NULL: not written */
    double last_checkpoint, checkpoint_took; /* seconds */
} trainer;

/* ------------------------------------------------------------------------------------------------------ samples */

static int32_t label_of(const trainer *t, int32_t index) {
    return ren__dataset_at(t->task->dataset, index)->label;
}

static ren_status check_samples(const trainer *t, const int32_t *indices, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (indices[i] < 0 || indices[i] >= ren_dataset_count(t->task->dataset))
            return ren__error(REN_E_INVALID, "training: sample %d is not in the data set", (int)indices[i]);
        if (label_of(t, indices[i]) != 0 && label_of(t, indices[i]) != 1)
            return ren__error(REN_E_DATA, "training: label %d of sample %d is neither 0 nor 1",
                              (int)label_of(t, indices[i]), (int)indices[i]);
    }
    return REN_OK;
}

/* Those whose region is not empty, with their labels counted. Reads every sample once, which also fills the data set's
 * memory. */
static ren_status choose_samples(trainer *t, const int32_t *indices, int32_t count, const char *what, sample_set *set) {
    ren_status st = REN_OK;
    ren_context *context = t->context;
    const size_t room = count > 0 ? (size_t)count : 0;

    REN_CALLOC(set->index, room);
    REN_CALLOC(set->label, room);
    REN_CALLOC(set->score, room);
    for (int32_t i = 0; i < count; i++) {
        const int32_t label = label_of(t, indices[i]);
        int64_t voxels;
        REN_TRY(ren__run_check(t->run));
        REN_TRY(ren__dataset_fill(t->task->dataset, indices[i], t->task->region, t->run, t->sample, &voxels));
        if (voxels == 0) {
            set->empty++;
            continue;
        }
        set->index[set->count++] = indices[i];
        set->classes[label]++;
    }
    if (set->classes[0] == 0 || set->classes[1] == 0)
        REN_FAIL(REN_E_DATA,
                 "%s of %s: %d of class 0 and %d of class 1 (%d without this region): both classes are needed", what,
                 ren_region_name(t->task->region), (int)set->classes[0], (int)set->classes[1], (int)set->empty);
out:
    return st;
}

static void score(sample_set *set, int32_t label, double probability) {
    set->label[set->scored] = label;
    set->score[set->scored++] = probability;
}

/* Of class 1, from two logits. */
static double probability_of(const float logits[2]) {
    return 1.0 / (1.0 + exp((double)logits[0] - (double)logits[1]));
}

/* The network's input of one sample in one epoch. */
static ren_status fill_augmented(trainer *t, int32_t index, uint32_t epoch, float *values) {
    const int64_t *size = ren__dataset_preset(t->task->dataset)->size;
    ren_dataset *dataset = t->task->dataset;
    ren__augment_change change;

    ren__augment_draw(&t->settings->augmentation, t->task->seed, epoch, (uint32_t)index, size, &change);
    if (!change.moves && change.noise <= 0.0)
        return ren__dataset_fill(dataset, index, t->task->region, t->run, values, NULL);
    const ren_status st = ren__dataset_fill(dataset, index, t->task->region, t->run, t->sample, NULL);
    if (st != REN_OK) return st;
    return ren__augment_apply(t->context, t->run, &change, size, t->sample, values);
}

/* ----------------------------------------------------------------------------------------------------- training */

/* A session for batches of this size. Only one is held: the last batch of an epoch may be smaller, and two sessions'
 * activations cost more than making one anew. */
static ren_status use_session(trainer *t, int64_t batch) {
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
static ren_status train_batch(trainer *t, const int32_t *index, int32_t count, uint32_t epoch, double *loss) {
    ren_status st = REN_OK;

    REN_TRY(use_session(t, count));
    float *x = ren__session_input(t->session, "x"), *y = ren__session_input(t->session, "y");
    for (int32_t k = 0; k < count; k++) {
        REN_TRY(fill_augmented(t, index[k], epoch, x + (size_t)k * t->cells));
        y[k] = (float)label_of(t, index[k]);
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
        score(&t->training, label_of(t, index[k]), probability);
    }
    REN_TRY(ren__session_backward(t->session, t->run));
    REN_TRY(ren__optimiser_step(t->state.optimiser, t->parameters, t->gradients, t->state.schedule.rate, NULL));
    *loss += batch_loss * (double)count;
out:
    return st;
}

static ren_status train_epoch(trainer *t, int32_t *order, ren__history_row row) {
    ren_status st = REN_OK;
    sample_set *set = &t->training;
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

static ren_status run_validation(trainer *t, ren__session *session) {
    ren_status st = REN_OK;
    sample_set *set = &t->validation;
    const int32_t batch = (int32_t)t->inference_batch;
    float *x = ren__session_input(session, "x");

    set->scored = 0;
    for (int32_t begin = 0; begin < set->count; begin += batch) {
        const int32_t left = set->count - begin, count = left < batch ? left : batch;
        /* Places past the last sample keep what they had: in inference samples do not see each other. */
        for (int32_t k = 0; k < count; k++)
            REN_TRY(ren__dataset_fill(t->task->dataset, set->index[begin + k], t->task->region, t->run,
                                      x + (size_t)k * t->cells, NULL));
        REN_TRY(ren__session_run(session, t->run));
        const float *logits = ren__session_output(session, "logits");
        for (int32_t k = 0; k < count; k++) {
            const double probability = probability_of(logits + (size_t)k * 2);
            if (!isfinite(probability))
                REN_FAIL(REN_E_DATA,
                         "the network's outputs are not finite after epoch %" PRId64 ": try a lower learning rate",
                         t->state.epoch + 1);
            score(set, label_of(t, set->index[begin + k]), probability);
        }
    }
out:
    return st;
}

/* Inference folds and packs weights once and keeps that with them, so it gets a copy of its own each time. */
static ren_status validate(trainer *t, ren__history_row row) {
    ren_status st = REN_OK;
    const sample_set *set = &t->validation;
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

/* -------------------------------------------------------------------------------------------------- checkpoints */

/* Who they are, in their order. */
static json_int_t hash_samples(const trainer *t, const sample_set *set) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (int32_t i = 0; i < set->count; i++) {
        const ren__dataset_item *item = ren__dataset_at(t->task->dataset, set->index[i]);
        const char *const parts[2] = { item->patient, item->scan };
        for (int p = 0; p < 2; p++)
            for (const char *c = parts[p];; c++) {
                hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
                if (!*c) break;
            }
        hash ^= (uint64_t)(uint32_t)set->index[i] ^ (uint64_t)item->label << 32;
        hash *= UINT64_C(0x100000001b3);
    }
    return (json_int_t)hash;
}

/* What a checkpoint must have been made for. */
static ren_status make_identity(trainer *t) {
    ren_status st = REN_OK;
    const ren__train_task *task = t->task;
    json_t *object = json_object();

    REN_TRY(ren__json_checked(object));
    REN_TRY(ren__json_set(object, "arch", json_string(task->net->name)));
    REN_TRY(ren__json_set(object, "network", task->network ? json_deep_copy(task->network) : json_object()));
    REN_TRY(ren__json_set(object, "training", ren__train_settings_json(t->settings)));
    REN_TRY(ren__json_set(object, "preset", ren__preset_json(ren__dataset_preset(task->dataset))));
    REN_TRY(ren__json_set(object, "region", json_string(ren_region_name(task->region))));
    REN_TRY(ren__json_set(object, "seed", json_integer((json_int_t)task->seed)));
    REN_TRY(ren__json_set(object, "training_samples", json_integer(hash_samples(t, &t->training))));
    REN_TRY(ren__json_set(object, "validation_samples", json_integer(hash_samples(t, &t->validation))));
    REN_TRY(ren__json_write(t->context, object, 0, &t->identity));
out:
    json_decref(object);
    return st;
}

static ren_status write_checkpoint(trainer *t) {
    const double wanted = t->task->checkpoint_seconds, now = ren__now();
    const double least = wanted == 0.0 ? fmax(10.0, 10.0 * t->checkpoint_took) : wanted;

    if (!t->checkpoint || now - t->last_checkpoint < least) return REN_OK;
    ren_status st = ren__checkpoint_write(t->context, t->checkpoint, ren_text_data(t->identity), &t->state);
    if (st == REN_OK) st = ren__history_write(t->context, t->history, &t->state);
    t->last_checkpoint = ren__now();
    t->checkpoint_took = t->last_checkpoint - now;
    return st;
}

/* --------------------------------------------------------------------------------------------------------- setup */

static ren_status make_loss(trainer *t) {
    ren_status st = REN_OK;
    const sample_set *set = &t->training;

    t->loss = json_pack("{s:s, s:f}", "kind", "cross_entropy", "label_smoothing", t->settings->smoothing);
    REN_TRY(ren__json_checked(t->loss));
    if (t->settings->balanced)
        REN_TRY(
            ren__json_set(t->loss, "weight",
                          json_pack("[f, f]", 0.5 * set->count / set->classes[0], 0.5 * set->count / set->classes[1])));
out:
    return st;
}

/* The network's ends are what this loop feeds and reads. */
static ren_status check_network(const trainer *t) {
    const ren__value x = ren__graph_find_input(t->inference, "x");
    const ren__value logits = ren__graph_find_output(t->inference, "logits");
    const int64_t *size = ren__dataset_preset(t->task->dataset)->size;

    if (x == REN__NONE || logits == REN__NONE)
        return ren__error(REN_E_UNSUPPORTED, "training: %s has no input x or no output logits", t->task->net->name);
    const ren__shape *in = ren__graph_shape(t->inference, x), *out = ren__graph_shape(t->inference, logits);
    if (in->rank != 5 || in->dim[1] != size[0] || in->dim[2] != size[1] || in->dim[3] != size[2] || in->dim[4] != 1)
        return ren__error(REN_E_INVALID,
                          "training: the network's input is not the preset's %" PRId64 " x %" PRId64 " x %" PRId64
                          ": set its input_size",
                          size[0], size[1], size[2]);
    if (out->rank != 2 || out->dim[1] != 2)
        return ren__error(REN_E_UNSUPPORTED, "training: %s does not have two classes", t->task->net->name);
    return REN_OK;
}

static ren_status make_state(trainer *t) {
    ren_status st = REN_OK;
    ren_context *context = t->context;
    ren__train_state *s = &t->state;
    size_t *elements = NULL;

    REN_TRY(ren__schedule_init(&s->schedule, &t->settings->schedule));
    REN_TRY(ren__early_stop_init(&s->early_stop, &t->settings->early_stop));
    REN_TRY(ren__weights_create(context, t->inference, &s->weights));
    REN_TRY(ren__weights_initialise(s->weights, t->task->seed));
    REN_TRY(ren__weights_create(context, t->inference, &s->best));
    const int32_t count = ren__weights_count(s->weights);
    REN_CALLOC(t->parameters, (size_t)count);
    REN_CALLOC(t->gradients, (size_t)count);
    REN_CALLOC(t->trained, (size_t)count);
    REN_CALLOC(elements, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        if (!ren__weights_trained(s->weights, i)) continue;
        elements[t->trained_count] = ren__weights_elements(s->weights, i);
        t->parameters[t->trained_count] = ren__weights_data(s->weights, i);
        t->trained[t->trained_count++] = i;
    }
    REN_TRY(ren__optimiser_create(context, &t->settings->optimiser, elements, t->trained_count, &s->optimiser));
    REN_CALLOC(s->history, (size_t)t->settings->epochs);
out:
    ren__free(elements);
    return st;
}

static ren_status make_paths(trainer *t) {
    if (!t->task->folder) return REN_OK;
    t->checkpoint = ren__path_join(t->context, t->task->folder, "%s", REN__CHECKPOINT_FILE);
    if (!t->checkpoint) return ren__out_of_memory();
    t->history = ren__path_join(t->context, t->task->folder, "%s", REN__HISTORY_FILE);
    return t->history ? REN_OK : ren__out_of_memory();
}

/* Both lists in one go, so that the progress of preparing does not begin twice. */
static ren_status prepare_scans(const trainer *t) {
    const ren__train_task *task = t->task;
    const size_t first = (size_t)task->training_count, second = (size_t)task->validation_count;
    ren_context *context = t->context;
    int32_t *both = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(both, first + second);
    if (first > 0) memcpy(both, task->training, first * sizeof *both);
    if (second > 0) memcpy(both + first, task->validation, second * sizeof *both);
    REN_TRY(ren__dataset_prepare(task->dataset, both, (int32_t)(first + second), t->run));
out:
    ren__free(both);
    return st;
}

static ren_status prepare_samples(trainer *t) {
    const ren__train_task *task = t->task;
    ren_status st = check_samples(t, task->training, task->training_count);

    if (st == REN_OK) st = check_samples(t, task->validation, task->validation_count);
    if (st == REN_OK) st = prepare_scans(t);
    if (st == REN_OK) st = choose_samples(t, task->training, task->training_count, "training samples", &t->training);
    if (st == REN_OK)
        st = choose_samples(t, task->validation, task->validation_count, "validation samples", &t->validation);
    return st;
}

static ren_status set_up(trainer *t) {
    ren_status st = REN_OK;
    ren_context *context = t->context;
    const int64_t *size = ren__dataset_preset(t->task->dataset)->size;
    const int64_t batch = t->settings->batch;

    if (t->task->region < 0 || t->task->region >= REN__PLACES)
        REN_FAIL(REN_E_INVALID, "training: %d is no region", (int)t->task->region);
    if (batch < 1 || t->settings->epochs < 1) REN_FAIL(REN_E_INVALID, "training: epochs and batch must be 1 or more");
    t->inference_batch = batch < t->task->validation_count ? batch : t->task->validation_count;
    if (t->inference_batch < 1) t->inference_batch = 1;
    REN_TRY(ren__net_graph(context, t->task->net, t->task->network, t->inference_batch, NULL, &t->inference));
    REN_TRY(check_network(t));
    t->cells = (size_t)(size[0] * size[1] * size[2]);
    REN_ALLOC(t->sample, t->cells * sizeof *t->sample);
    REN_CALLOC(t->numbers, (size_t)batch);
    REN_TRY(prepare_samples(t));
    REN_TRY(make_loss(t));
    REN_TRY(make_state(t));
    REN_TRY(make_identity(t));
    REN_TRY(make_paths(t));
    if (t->task->folder) ren__checkpoint_sweep(t->task->folder);
    if (t->checkpoint && ren__path_exists(t->checkpoint))
        REN_TRY(
            ren__checkpoint_load(context, t->checkpoint, ren_text_data(t->identity), t->settings->epochs, &t->state));
    t->last_checkpoint = ren__now();
out:
    return st;
}

static void tear_down(trainer *t) {
    sample_set *const sets[2] = { &t->training, &t->validation };

    for (int k = 0; k < 2; k++) {
        ren__free(sets[k]->index);
        ren__free(sets[k]->label);
        ren__free(sets[k]->score);
    }
    ren__session_free(t->session);
    ren__graph_free(t->inference);
    ren__optimiser_free(t->state.optimiser);
    ren__weights_release(t->state.weights);
    ren__weights_release(t->state.best);
    ren__free(t->state.history);
    json_decref(t->loss);
    ren__free(t->sample);
    ren__free(t->numbers);
    ren__free(t->parameters);
    ren__free(t->gradients);
    ren__free(t->trained);
    ren_text_free(t->identity);
    ren__free(t->checkpoint);
    ren__free(t->history);
}

/* ---------------------------------------------------------------------------------------------------------- loop */

/* What follows from an epoch's numbers. */
static void conclude_epoch(trainer *t, ren__history_row row) {
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

static void log_epoch(const trainer *t, const ren__history_row row) {
    /* Thousandths as integers: the format's decimal point would follow the host's locale. */
    const int loss = (int)(1000.0 * row[REN__HISTORY_VALIDATION_LOSS]);
    const int auc = (int)(1000.0 * row[REN__HISTORY_VALIDATION_AUC]);

    ren__log(t->context, REN_LOG_INFO, "%s %s: epoch %" PRId64 " of %" PRId64 ", validation AUC %d.%03d, loss %d.%03d",
             t->task->net->name, ren_region_name(t->task->region), t->state.epoch, t->settings->epochs, auc / 1000,
             auc % 1000, loss / 1000, loss % 1000);
}

static ren_status train(trainer *t) {
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
        REN_TRY(write_checkpoint(t));
        REN_TRY(ren__run_progress(t->run, "training", (double)s->epoch / (double)t->settings->epochs));
    }
    if (t->history) REN_TRY(ren__history_write(context, t->history, s));
    st = ren__run_progress(t->run, "training", 1.0);
out:
    ren__free(order);
    return st;
}

static void give_outcome(trainer *t, ren__train_outcome *out) {
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
    trainer t = { .context = context, .task = task, .settings = task->settings, .run = run };
    ren_status st = set_up(&t);

    if (st == REN_OK) st = train(&t);
    if (st == REN_OK) give_outcome(&t, out);
    tear_down(&t);
    return st;
}
