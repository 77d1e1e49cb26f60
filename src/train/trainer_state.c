/* SPDX-License-Identifier: Apache-2.0 */
/* A training's state: how it begins, what its checkpoint holds, and how it ends. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "moe/model_file.h"
#include "train/study_files.h"
#include "train/trainer_parts.h"

/* Who they are, in their order. */
static json_int_t hash_samples(const ren__training *t, const ren__sample_set *set) {
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

static void hash_rows(const ren__training *t, const ren__sample_set *set, uint64_t *hash) {
    for (int32_t i = 0; i < set->count; i++) {
        const uint8_t *row = (const uint8_t *)(t->task->features + (size_t)set->index[i] * t->cells);
        for (size_t k = 0; k < t->cells * sizeof(float); k++)
            *hash = (*hash ^ row[k]) * UINT64_C(0x100000001b3);
    }
}

/* What the experts before a head say: others make another training. */
static json_int_t hash_features(const ren__training *t) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    hash_rows(t, &t->training, &hash);
    hash_rows(t, &t->validation, &hash);
    return (json_int_t)hash;
}

static json_t *base_json(const ren__train_task *task) {
    json_t *list = json_array();

    for (int32_t region = 0; region < REN_REGION_COUNT; region++) {
        if (json_array_append_new(list, json_real(task->base ? task->base[region] : 1.0)) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

/* What a checkpoint must have been made for. */
static ren_status make_identity(ren__training *t) {
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
    if (task->net->base) REN_TRY(ren__json_set(object, "base", base_json(task)));
    if (task->features) REN_TRY(ren__json_set(object, "features", json_integer(hash_features(t))));
    REN_TRY(ren__json_write(t->context, object, 0, &t->identity));
out:
    json_decref(object);
    return st;
}

ren_status ren__training_store(ren__training *t) {
    const double wanted = t->task->checkpoint_seconds, now = ren__now();
    const double least = wanted == 0.0 ? fmax(10.0, 10.0 * t->checkpoint_took) : wanted;

    if (!t->checkpoint || now - t->last_checkpoint < least) return REN_OK;
    ren_status st = ren__checkpoint_write(t->context, t->checkpoint, ren_text_data(t->identity), &t->state);
    if (st == REN_OK) st = ren__history_write(t->context, t->history, &t->state);
    t->last_checkpoint = ren__now();
    t->checkpoint_took = t->last_checkpoint - now;
    return st;
}

/* ---------------------------------------------------------------------------------------------------- beginning */

static json_t *regulariser_json(const ren__mixture_loss *loss) {
    return json_pack("{s:s, s:f, s:f, s:f}", "kind", loss->entropy ? "entropy" : "balance", "weight", loss->weight,
                     "diversity", loss->diversity, "gating", loss->gating);
}

static ren_status make_loss(ren__training *t) {
    ren_status st = REN_OK;
    const ren__sample_set *set = &t->training;

    t->loss = json_pack("{s:s, s:f}", "kind", "cross_entropy", "label_smoothing", t->settings->smoothing);
    REN_TRY(ren__json_checked(t->loss));
    if (t->settings->balanced)
        REN_TRY(
            ren__json_set(t->loss, "weight",
                          json_pack("[f, f]", 0.5 * set->count / set->classes[0], 0.5 * set->count / set->classes[1])));
    if (t->settings->mixture_loss.used)
        REN_TRY(ren__json_set(t->loss, "gating_moe", regulariser_json(&t->settings->mixture_loss)));
out:
    return st;
}

/* Features of experts, a row a sample. */
static ren_status check_features(ren__training *t) {
    const ren__value input = ren__graph_find_input(t->inference, "expert_features");

    if (input == REN__NONE)
        return ren__error(REN_E_UNSUPPORTED, "training: %s does not read experts' features", t->task->net->name);
    t->cells = (size_t)(ren__shape_elements(ren__graph_shape(t->inference, input)) / t->inference_batch);
    if (t->cells != t->task->feature_count)
        return ren__error(REN_E_INVALID, "training: rows of %zu features, but %s reads %zu", t->task->feature_count,
                          t->task->net->name, t->cells);
    return REN_OK;
}

/* An image, and labels where the network divides it by itself. */
static ren_status check_image(ren__training *t) {
    const ren__value x = ren__graph_find_input(t->inference, "x"), lobes = ren__graph_find_input(t->inference, "lobes");
    const int64_t *size = ren__dataset_preset(t->task->dataset)->size;

    if (x == REN__NONE || ren__graph_input_count(t->inference) != 1 + (lobes != REN__NONE))
        return ren__error(REN_E_UNSUPPORTED, "training: %s reads something else than an image and its lobes",
                          t->task->net->name);
    const ren__shape *in = ren__graph_shape(t->inference, x);
    t->cells = (size_t)(size[0] * size[1] * size[2]);
    if (in->rank != 5 || in->dim[1] != size[0] || in->dim[2] != size[1] || in->dim[3] != size[2] || in->dim[4] != 1)
        return ren__error(REN_E_INVALID,
                          "training: the network's input is not the preset's %" PRId64 " x %" PRId64 " x %" PRId64
                          ": set its input_size",
                          size[0], size[1], size[2]);
    if (lobes == REN__NONE) return REN_OK;
    if (!ren__shape_equal(in, ren__graph_shape(t->inference, lobes)) || t->task->region != REN_REGION_LUNGS)
        return ren__error(REN_E_INVALID, "training: %s divides both lungs by itself: its region is %s, not %s",
                          t->task->net->name, ren_region_name(REN_REGION_LUNGS), ren_region_name(t->task->region));
    return REN_OK;
}

/* The network's ends are what this loop feeds and reads. */
static ren_status check_network(ren__training *t) {
    const ren__value logits = ren__graph_find_output(t->inference, "logits");
    const ren_status st = t->task->features ? check_features(t) : check_image(t);

    if (st != REN_OK) return st;
    if (logits == REN__NONE)
        return ren__error(REN_E_UNSUPPORTED, "training: %s has no output logits", t->task->net->name);
    const ren__shape *out = ren__graph_shape(t->inference, logits);
    if (out->rank != 2 || out->dim[1] != 2)
        return ren__error(REN_E_UNSUPPORTED, "training: %s does not have two classes", t->task->net->name);
    return REN_OK;
}

/* The gate that a mixture which is one network begins with; as drawn it is uniform. */
static ren_status set_base(const ren__training *t) {
    const ren__train_task *task = t->task;
    const int32_t index = task->net->base && task->base ? ren__weights_find(t->state.weights, task->net->base) : -1;
    double sum = 0.0;

    if (!task->base) return REN_OK;
    if (index < 0 || ren__weights_elements(t->state.weights, index) > REN_REGION_COUNT)
        return ren__error(REN_E_INVALID, "training: %s has no gate to be given weights", task->net->name);
    float *to = ren__weights_data(t->state.weights, index);
    for (size_t region = 0; region < ren__weights_elements(t->state.weights, index); region++) {
        to[region] = (float)task->base[region];
        if (!(to[region] >= 0.0F && isfinite(to[region])))
            return ren__error(REN_E_DATA, "training: the gate's weight of region %s is no number from 0 on",
                              ren_region_name((int32_t)region));
        sum += task->base[region];
    }
    if (sum > 0.0) return REN_OK;
    return ren__error(REN_E_DATA, "training: the gate gives no weight to any region of %s", task->net->name);
}

/* The rate's factor of a parameter. */
static double rate_factor(const ren__training *t, int32_t parameter) {
    const char *const *prefix = t->task->net->backbone;
    const char *name = ren__weights_name(t->state.weights, parameter);

    for (; prefix && *prefix; prefix++)
        if (strncmp(name, *prefix, strlen(*prefix)) == 0) return t->settings->backbone_rate;
    return 1.0;
}

static ren_status make_state(ren__training *t) {
    ren_status st = REN_OK;
    ren_context *context = t->context;
    ren__train_state *s = &t->state;
    size_t *elements = NULL;
    double *factor = NULL;

    REN_TRY(ren__schedule_init(&s->schedule, &t->settings->schedule));
    REN_TRY(ren__early_stop_init(&s->early_stop, &t->settings->early_stop));
    REN_TRY(ren__weights_create(context, t->inference, &s->weights));
    REN_TRY(ren__weights_initialise(s->weights, t->task->seed));
    REN_TRY(set_base(t));
    REN_TRY(ren__weights_create(context, t->inference, &s->best));
    const int32_t count = ren__weights_count(s->weights);
    REN_CALLOC(t->parameters, (size_t)count);
    REN_CALLOC(t->gradients, (size_t)count);
    REN_CALLOC(t->trained, (size_t)count);
    REN_CALLOC(elements, (size_t)count);
    REN_CALLOC(factor, (size_t)count);
    for (int32_t i = 0; i < count; i++) {
        if (!ren__weights_trained(s->weights, i)) continue;
        elements[t->trained_count] = ren__weights_elements(s->weights, i);
        factor[t->trained_count] = rate_factor(t, i);
        t->parameters[t->trained_count] = ren__weights_data(s->weights, i);
        t->trained[t->trained_count++] = i;
    }
    REN_TRY(ren__optimiser_create(context, &t->settings->optimiser, elements, t->trained_count, &s->optimiser));
    ren__optimiser_set_factors(s->optimiser, factor);
    REN_CALLOC(s->history, (size_t)t->settings->epochs);
out:
    ren__free(factor);
    ren__free(elements);
    return st;
}

static ren_status make_paths(ren__training *t) {
    if (!t->task->folder) return REN_OK;
    t->checkpoint = ren__path_join(t->context, t->task->folder, "%s", REN__CHECKPOINT_FILE);
    if (!t->checkpoint) return ren__out_of_memory();
    t->history = ren__path_join(t->context, t->task->folder, "%s", REN__HISTORY_FILE);
    return t->history ? REN_OK : ren__out_of_memory();
}

ren_status ren__training_begin(ren__training *t) {
    ren_status st = REN_OK;
    ren_context *context = t->context;
    const int64_t batch = t->settings->batch;

    if (t->task->region < 0 || t->task->region >= REN__PLACES)
        REN_FAIL(REN_E_INVALID, "training: %d is no region", (int)t->task->region);
    if (batch < 1 || t->settings->epochs < 1) REN_FAIL(REN_E_INVALID, "training: epochs and batch must be 1 or more");
    t->inference_batch = batch < t->task->validation_count ? batch : t->task->validation_count;
    if (t->inference_batch < 1) t->inference_batch = 1;
    REN_TRY(ren__net_graph(context, t->task->net, t->task->network, t->inference_batch, NULL, &t->inference));
    ren__graph_keep_float(t->inference); /* what training decides does not depend on the precision of inference */
    REN_TRY(check_network(t));
    REN_ALLOC(t->sample, t->cells * sizeof *t->sample);
    REN_CALLOC(t->numbers, (size_t)batch);
    REN_TRY(ren__samples_choose(t));
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

void ren__training_end(ren__training *t) {
    ren__sample_set *const sets[2] = { &t->training, &t->validation };

    for (int k = 0; k < 2; k++)
        ren__samples_free(sets[k]);
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
