/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: safetensors with "weights.NAME", "best.NAME", "moment0.NAME", "moment1.NAME", "history" and "numbers".
 */
#include "train/checkpoint.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "format/safetensors.h"

/* The scalars of the state, in the order of the tensor "numbers". Counts are doubles there: exact below 2^53. */
enum {
    EPOCH,
    STEPS,
    STOPPED,
    SCHEDULE_EPOCH,
    SCHEDULE_RATE,
    SCHEDULE_BEST,
    SCHEDULE_BAD,
    STOP_AUC,
    STOP_LOSS,
    STOP_EPOCH,
    STOP_REFERENCE,
    STOP_WAITED,
    NUMBERS
};

static void collect_numbers(const ren__train_state *s, double numbers[NUMBERS]) {
    numbers[EPOCH] = (double)s->epoch;
    numbers[STEPS] = (double)ren__optimiser_steps(s->optimiser);
    numbers[STOPPED] = (double)s->stopped;
    numbers[SCHEDULE_EPOCH] = (double)s->schedule.epoch;
    numbers[SCHEDULE_RATE] = s->schedule.rate;
    numbers[SCHEDULE_BEST] = s->schedule.best;
    numbers[SCHEDULE_BAD] = (double)s->schedule.bad;
    numbers[STOP_AUC] = s->early_stop.best_auc;
    numbers[STOP_LOSS] = s->early_stop.best_loss;
    numbers[STOP_EPOCH] = (double)s->early_stop.best_epoch;
    numbers[STOP_REFERENCE] = s->early_stop.reference;
    numbers[STOP_WAITED] = (double)s->early_stop.waited;
}

/* 0 where a count is none. */
static int set_numbers(ren__train_state *s, const double numbers[NUMBERS], int64_t epochs) {
    static const int counts[] = { EPOCH, STEPS, STOPPED, SCHEDULE_EPOCH, SCHEDULE_BAD, STOP_EPOCH, STOP_WAITED };

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!(numbers[counts[i]] >= 0.0 && numbers[counts[i]] < 0x1p53)) return 0;
    if (numbers[EPOCH] < 1.0 || numbers[EPOCH] > (double)epochs || numbers[STOPPED] > (double)REN__STOP_GAP ||
        numbers[STOP_EPOCH] > numbers[EPOCH])
        return 0;
    s->epoch = (int64_t)numbers[EPOCH];
    s->stopped = (ren__stop_reason)numbers[STOPPED];
    s->schedule.epoch = (int64_t)numbers[SCHEDULE_EPOCH];
    s->schedule.rate = numbers[SCHEDULE_RATE];
    s->schedule.best = numbers[SCHEDULE_BEST];
    s->schedule.bad = (int64_t)numbers[SCHEDULE_BAD];
    s->early_stop.best_auc = numbers[STOP_AUC];
    s->early_stop.best_loss = numbers[STOP_LOSS];
    s->early_stop.best_epoch = (int64_t)numbers[STOP_EPOCH];
    s->early_stop.reference = numbers[STOP_REFERENCE];
    s->early_stop.waited = (int64_t)numbers[STOP_WAITED];
    ren__optimiser_set_steps(s->optimiser, (int64_t)numbers[STEPS]);
    return 1;
}

/* ------------------------------------------------------------------------------------------------------- tensors */

/* One parameter's array in the file. */
typedef struct array {
    char *name;
    float *values;
    const ren__shape *shape;
} array;

typedef struct array_list {
    array *array;
    size_t count;
} array_list;

static void free_arrays(array_list *list) {
    for (size_t i = 0; list->array && i < list->count; i++)
        ren__free(list->array[i].name);
    ren__free(list->array);
}

static ren_status add_array(ren_context *context, array_list *list, const char *prefix, const ren__weights *weights,
                            int32_t index, float *values) {
    const char *name = ren__weights_name(weights, index);
    const size_t size = strlen(prefix) + strlen(name) + 1;
    array *a = &list->array[list->count];

    *a = (array){ .name = ren__alloc(context, size), .values = values, .shape = ren__weights_shape(weights, index) };
    if (!a->name) return ren__out_of_memory();
    snprintf(a->name, size, "%s%s", prefix, name);
    list->count++;
    return REN_OK;
}

/* Every array of the state, in one order for writing and reading. */
static ren_status list_arrays(ren_context *context, const ren__train_state *s, array_list *list) {
    static const char *const moments[] = { "moment0.", "moment1." }; /* an optimiser has two at most */
    enum { MOMENTS = sizeof moments / sizeof *moments };
    ren_status st = REN_OK;
    const int32_t count = ren__weights_count(s->weights);
    int32_t trained = 0;

    REN_CALLOC(list->array, (size_t)count * 4);
    for (int32_t i = 0; i < count; i++) {
        REN_TRY(add_array(context, list, "weights.", s->weights, i, ren__weights_data(s->weights, i)));
        REN_TRY(add_array(context, list, "best.", s->best, i, ren__weights_data(s->best, i)));
        if (!ren__weights_trained(s->weights, i)) continue;
        for (int32_t m = 0; m < ren__optimiser_moments(s->optimiser) && m < MOMENTS; m++)
            REN_TRY(
                add_array(context, list, moments[m], s->weights, i, ren__optimiser_moment(s->optimiser, m, trained)));
        trained++;
    }
out:
    return st;
}

ren_status ren__checkpoint_write(ren_context *context, const char *path, const char *identity,
                                 const ren__train_state *state) {
    ren_status st = REN_OK;
    array_list list = { 0 };
    ren__tensor_source *tensors = NULL;
    double numbers[NUMBERS];
    const char *const metadata[] = { "ren.checkpoint", "1", "ren.task", identity, NULL };

    REN_TRY(list_arrays(context, state, &list));
    REN_CALLOC(tensors, list.count + 2);
    for (size_t i = 0; i < list.count; i++) {
        const array *a = &list.array[i];
        tensors[i] =
            (ren__tensor_source){ .name = a->name, .type = REN__F32, .rank = a->shape->rank, .data = a->values };
        memcpy(tensors[i].shape, a->shape->dim, sizeof tensors[i].shape);
    }
    collect_numbers(state, numbers);
    tensors[list.count] = (ren__tensor_source){ "numbers", REN__F64, 1, { NUMBERS }, numbers };
    tensors[list.count + 1] =
        (ren__tensor_source){ "history", REN__F64, 2, { state->epoch, REN__HISTORY_COLUMNS }, state->history };
    REN_TRY(ren__safetensors_write(context, path, tensors, list.count + 2, metadata));
out:
    ren__free(tensors);
    free_arrays(&list);
    return st;
}

static ren_status find(const ren__safetensors *file, const char *name, size_t count, const ren__tensor_entry **entry) {
    *entry = ren__safetensors_find(file, name);
    if (*entry && (*entry)->count == count) return REN_OK;
    return ren__error(REN_E_FORMAT, "no tensor \"%s\" of %zu values", name, count);
}

static ren_status read_doubles(const ren__safetensors *file, const char *name, double *values, size_t count) {
    const ren__tensor_entry *entry;
    const ren_status st = find(file, name, count, &entry);

    return st == REN_OK ? ren__safetensors_read_f64(file, entry, values, count) : st;
}

static ren_status check_identity(const ren__safetensors *file, const char *path, const char *identity) {
    const char *version = ren__safetensors_metadata(file, "ren.checkpoint");
    const char *task = ren__safetensors_metadata(file, "ren.task");

    if (!version || !task) return ren__error(REN_E_FORMAT, "%s: not a checkpoint of libren", path);
    if (strcmp(version, "1") == 0 && strcmp(task, identity) == 0) return REN_OK;
    return ren__error(REN_E_STATE,
                      "%s: the checkpoint is of another training (other settings, samples, seed or version): remove it "
                      "to start anew",
                      path);
}

static ren_status read_state(ren_context *context, const ren__safetensors *file, int64_t epochs, ren__train_state *s) {
    ren_status st = REN_OK;
    array_list list = { 0 };
    double numbers[NUMBERS];

    REN_TRY(read_doubles(file, "numbers", numbers, NUMBERS));
    if (!set_numbers(s, numbers, epochs)) REN_FAIL(REN_E_FORMAT, "impossible numbers");
    REN_TRY(read_doubles(file, "history", s->history[0], (size_t)s->epoch * REN__HISTORY_COLUMNS));
    REN_TRY(list_arrays(context, s, &list));
    for (size_t i = 0; i < list.count; i++) {
        const ren__tensor_entry *entry;
        const size_t count = (size_t)ren__shape_elements(list.array[i].shape);
        REN_TRY(find(file, list.array[i].name, count, &entry));
        REN_TRY(ren__safetensors_read_f32(file, entry, list.array[i].values, count));
    }
out:
    free_arrays(&list);
    return st;
}

ren_status ren__checkpoint_load(ren_context *context, const char *path, const char *identity, int64_t epochs,
                                ren__train_state *state) {
    ren_status st = REN_OK;
    ren__safetensors *file = NULL;

    REN_TRY(ren__safetensors_open(context, path, &file));
    REN_TRY(check_identity(file, path, identity));
    st = read_state(context, file, epochs, state);
    if (st == REN_E_FORMAT)
        st = ren__error_context(st, "%s: a damaged checkpoint (remove it to start anew)", path);
    else if (st != REN_OK)
        st = ren__error_context(st, "%s", path);
out:
    ren__safetensors_close(file);
    return st;
}

/* Temporary files are called .ren-PROCESS-NUMBER.tmp (base/file.c). A checkpoint's can have hundreds of megabytes. */
void ren__checkpoint_sweep(const char *folder) {
    static const char begin[] = ".ren-", end[] = ".tmp";
    DIR *entries = opendir(folder);

    if (!entries) return;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        const char *name = entry->d_name;
        const size_t length = strlen(name);
        if (length > sizeof begin + sizeof end && strncmp(name, begin, sizeof begin - 1) == 0 &&
            strcmp(name + length - (sizeof end - 1), end) == 0)
            unlinkat(dirfd(entries), name, 0);
    }
    closedir(entries);
}

const char *ren__history_name(enum ren__history_column column) {
    static const char *const names[REN__HISTORY_COLUMNS] = { "epoch",    "lr",      "train_loss",   "train_auc",
                                                             "val_loss", "val_auc", "val_accuracy", "best" };

    return names[column];
}

ren_status ren__history_write(ren_context *context, const char *path, const ren__train_state *state) {
    ren_text *text = NULL;
    ren_status st = ren__text_create(context, &text);

    if (st != REN_OK) return st;
    for (int c = 0; c < REN__HISTORY_COLUMNS; c++) {
        ren__text_add(text, ren__history_name((enum ren__history_column)c));
        ren__text_add(text, c + 1 < REN__HISTORY_COLUMNS ? "," : "\n");
    }
    for (int64_t e = 0; e < state->epoch; e++)
        for (int c = 0; c < REN__HISTORY_COLUMNS; c++) {
            ren__text_add_number(text, state->history[e][c], 9);
            ren__text_add(text, c + 1 < REN__HISTORY_COLUMNS ? "," : "\n");
        }
    st = text->status;
    if (st == REN_OK) st = ren__file_write(path, text->data, text->size);
    ren_text_free(text);
    return st;
}
