/* SPDX-License-Identifier: Apache-2.0 */
/* A training's samples: which there are, and what the network is fed of them. */
#include <math.h>
#include <string.h>

#include "train/trainer_parts.h"

int32_t ren__sample_label(const ren__training *t, int32_t index) {
    return ren__dataset_at(t->task->dataset, index)->label;
}

static ren_status check_samples(const ren__training *t, const int32_t *indices, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        if (indices[i] < 0 || indices[i] >= ren_dataset_count(t->task->dataset))
            return ren__error(REN_E_INVALID, "training: sample %d is not in the data set", (int)indices[i]);
        if (ren__sample_label(t, indices[i]) != 0 && ren__sample_label(t, indices[i]) != 1)
            return ren__error(REN_E_DATA, "training: label %d of sample %d is neither 0 nor 1",
                              (int)ren__sample_label(t, indices[i]), (int)indices[i]);
    }
    return REN_OK;
}

static const float *features_of(const ren__training *t, int32_t index) {
    return t->task->features + (size_t)index * t->task->feature_count;
}

/* Whether there is something of the region. */
static ren_status look(ren__training *t, int32_t index, int *there) {
    int64_t voxels = 0;

    if (t->task->features) {
        *there = !isnan(features_of(t, index)[0]);
        return REN_OK;
    }
    const ren_status st = ren__dataset_fill(t->task->dataset, index, t->task->region, t->run, t->sample, &voxels);
    *there = voxels > 0;
    return st;
}

/* Those whose region is not empty, with their labels counted. Reads every sample once, which also fills the data set's
 * memory. */
static ren_status choose_samples(ren__training *t, const int32_t *indices, int32_t count, const char *what,
                                 ren__sample_set *set) {
    ren_status st = REN_OK;
    ren_context *context = t->context;
    const size_t room = count > 0 ? (size_t)count : 0;

    REN_CALLOC(set->index, room);
    REN_CALLOC(set->label, room);
    REN_CALLOC(set->score, room);
    for (int32_t i = 0; i < count; i++) {
        const int32_t label = ren__sample_label(t, indices[i]);
        int there;
        REN_TRY(ren__run_check(t->run));
        REN_TRY(look(t, indices[i], &there));
        if (!there) {
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

/* Both lists in one go, so that the progress of preparing does not begin twice. */
static ren_status prepare_scans(const ren__training *t) {
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

ren_status ren__samples_choose(ren__training *t) {
    const ren__train_task *task = t->task;
    ren_status st = check_samples(t, task->training, task->training_count);

    if (st == REN_OK) st = check_samples(t, task->validation, task->validation_count);
    if (st == REN_OK && !task->features) st = prepare_scans(t);
    if (st == REN_OK) st = choose_samples(t, task->training, task->training_count, "training samples", &t->training);
    if (st == REN_OK)
        st = choose_samples(t, task->validation, task->validation_count, "validation samples", &t->validation);
    return st;
}

void ren__samples_free(ren__sample_set *set) {
    ren__free(set->index);
    ren__free(set->label);
    ren__free(set->score);
}

/* The image and, for a network that divides it by itself, the labels that lie on it. */
static ren_status fill_plain(ren__training *t, int32_t index, float *x, float *lobes) {
    ren_dataset *dataset = t->task->dataset;
    ren_status st = ren__dataset_fill(dataset, index, t->task->region, t->run, x, NULL);

    if (st == REN_OK && lobes) st = ren__dataset_fill_lobes(dataset, index, t->run, lobes);
    return st;
}

ren_status ren__sample_fill(ren__training *t, ren__session *session, int32_t place, int32_t index, uint32_t epoch) {
    const int64_t *size = ren__dataset_preset(t->task->dataset)->size;
    const size_t begin = (size_t)place * t->cells;
    ren__augment_change change = { .moves = 0 };
    ren_status st = REN_OK;

    if (t->task->features) {
        memcpy(ren__session_input(session, "expert_features") + begin, features_of(t, index), t->cells * sizeof(float));
        return REN_OK;
    }
    float *x = ren__session_input(session, "x") + begin, *lobes = ren__session_input(session, "lobes");
    if (lobes) lobes += begin;
    if (epoch > 0) ren__augment_draw(&t->settings->augmentation, t->task->seed, epoch, (uint32_t)index, size, &change);
    if (!change.moves && change.noise <= 0.0) return fill_plain(t, index, x, lobes);
    REN_TRY(ren__dataset_fill(t->task->dataset, index, t->task->region, t->run, t->sample, NULL));
    REN_TRY(ren__augment_apply(t->context, t->run, &change, size, t->sample, x));
    if (!lobes) goto out;
    REN_TRY(ren__dataset_fill_lobes(t->task->dataset, index, t->run, t->sample));
    REN_TRY(ren__augment_labels(t->context, t->run, &change, size, t->sample, lobes));
out:
    return st;
}
