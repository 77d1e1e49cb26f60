/* SPDX-License-Identifier: Apache-2.0 */
/* A training as a handle: from a configuration and lists of scans to an expert with its training record. */
#include "train/trainer_handle.h"

#include <math.h>
#include <string.h>

#include "format/names.h"
#include "moe/model_file.h"
#include "train/study_files.h"

struct ren_trainer {
    ren_context *context; /* held */
    ren_dataset *dataset; /* held */
    char *name;
    ren__expert_entry entry;
    int32_t region;
    uint64_t seed;
    int32_t *training, *validation;
    int32_t training_count, validation_count;
    char *folder; /* or NULL */
    double checkpoint_seconds;
    int has_base;
    double base[REN_REGION_COUNT];
    const float *features; /* or NULL */
    size_t feature_count;
    json_t *origin;     /* or NULL */
    json_t *record;     /* these three: NULL until it is trained */
    json_t *history;    /* a list, an object for each epoch */
    ren_expert *expert; /* held; NULL with features, as `head` is without */
    ren__weights *head;
};

/* ------------------------------------------------------------------------------------------------------- making */

/* Which list has a scan and a patient already; 0: none. */
enum { IN_TRAINING = 1, IN_VALIDATION = 2 };

static ren_status check_list(const ren_dataset *dataset, const int32_t *indices, size_t count, uint8_t which,
                             uint8_t *of_scan, uint8_t *of_patient) {
    const char *name = which == IN_TRAINING ? "training" : "validation";
    int32_t classes[2] = { 0, 0 };

    for (size_t i = 0; i < count; i++) {
        if (indices[i] < 0 || indices[i] >= ren_dataset_count(dataset))
            return ren__error(REN_E_INVALID, "trainer: %s[%zu] is %d, the data set has %d scans", name, i,
                              (int)indices[i], (int)ren_dataset_count(dataset));
        const ren__dataset_item *item = ren__dataset_at(dataset, indices[i]);
        uint8_t *patient = &of_patient[ren__dataset_patient(dataset, indices[i])];
        if (of_scan[indices[i]] == which)
            return ren__error(REN_E_INVALID, "trainer: %s has scan %d twice", name, (int)indices[i]);
        if (*patient != 0 && *patient != which)
            return ren__error(REN_E_DATA,
                              "trainer: patient %s is in training and in validation: all scans of a patient belong to "
                              "one of them (see ren_dataset_split)",
                              item->patient);
        of_scan[indices[i]] = *patient = which;
        classes[item->label]++;
    }
    if (classes[0] > 0 && classes[1] > 0) return REN_OK;
    return ren__error(REN_E_DATA, "trainer: %s has %d scans of label 0 and %d of label 1: both are needed", name,
                      (int)classes[0], (int)classes[1]);
}

static ren_status check_lists(ren_context *context, const ren__trainer_parts *parts) {
    const ren_dataset *dataset = parts->dataset;
    uint8_t *of_scan = NULL, *of_patient = NULL;
    ren_status st = REN_OK;

    REN_CALLOC(of_scan, (size_t)ren_dataset_count(dataset));
    REN_CALLOC(of_patient, (size_t)ren__dataset_patients(dataset));
    REN_TRY(check_list(dataset, parts->training, parts->training_count, IN_TRAINING, of_scan, of_patient));
    REN_TRY(check_list(dataset, parts->validation, parts->validation_count, IN_VALIDATION, of_scan, of_patient));
out:
    ren__free(of_patient);
    ren__free(of_scan);
    return st;
}

/* The list was checked: it is no longer than the data set. */
static ren_status copy_list(ren_context *context, const int32_t *from, size_t count, int32_t **out,
                            int32_t *out_count) {
    ren_status st = REN_OK;

    REN_CALLOC(*out, count);
    memcpy(*out, from, count * sizeof *from);
    *out_count = (int32_t)count;
out:
    return st;
}

static ren_status copy_tree(const json_t *tree, json_t **out) {
    *out = tree ? json_deep_copy(tree) : NULL;
    return tree ? ren__json_checked(*out) : REN_OK;
}

static ren_status copy_text(ren_context *context, const char *text, char **out) {
    *out = text ? ren__strdup(context, text) : NULL;
    return text && !*out ? ren__out_of_memory() : REN_OK;
}

ren_status ren__trainer_make(ren_context *context, const ren__trainer_parts *parts, ren_trainer **out) {
    ren_status st = REN_OK;
    ren_trainer *trainer = NULL;

    if (!ren_region_name(parts->region)) REN_FAIL(REN_E_INVALID, "trainer: no region has the number %d", parts->region);
    REN_TRY(check_lists(context, parts));
    REN_CALLOC(trainer, 1);
    trainer->context = ren__context_retain(context);
    trainer->dataset = ren__dataset_retain(parts->dataset);
    trainer->region = parts->region;
    trainer->seed = parts->seed;
    trainer->checkpoint_seconds = parts->checkpoint_seconds;
    trainer->has_base = parts->base != NULL;
    if (parts->base) memcpy(trainer->base, parts->base, sizeof trainer->base);
    trainer->features = parts->features;
    trainer->feature_count = parts->feature_count;
    trainer->entry = *parts->entry;
    trainer->entry.network = NULL;
    REN_TRY(copy_tree(parts->entry->network, &trainer->entry.network));
    REN_TRY(copy_text(context, parts->entry->name, &trainer->name));
    trainer->entry.name = trainer->name;
    REN_TRY(copy_list(context, parts->training, parts->training_count, &trainer->training, &trainer->training_count));
    REN_TRY(copy_list(context, parts->validation, parts->validation_count, &trainer->validation,
                      &trainer->validation_count));
    REN_TRY(copy_text(context, parts->folder, &trainer->folder));
    REN_TRY(copy_tree(parts->origin, &trainer->origin));
    *out = trainer;
    trainer = NULL;
out:
    ren_trainer_free(trainer);
    return st;
}

void ren_trainer_free(ren_trainer *trainer) {
    if (!trainer) return;
    ren_context *context = trainer->context;

    ren_expert_free(trainer->expert);
    ren__weights_release(trainer->head);
    json_decref(trainer->history);
    json_decref(trainer->record);
    json_decref(trainer->origin);
    ren__free(trainer->folder);
    ren__free(trainer->validation);
    ren__free(trainer->training);
    ren__expert_entry_end(&trainer->entry);
    ren__free(trainer->name);
    ren_dataset_free(trainer->dataset);
    ren__free(trainer);
    ren__context_release(context);
}

/* --------------------------------------------------------------------------------------------- from the options */

ren_status ren_trainer_options_init(ren_trainer_options *options, size_t size) {
    const ren_trainer_options defaults = { .struct_size = sizeof defaults };

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_trainer_options");
}

/* The configuration with the network's name in it: that of `arch`, or its own, or cnn. */
static ren_status read_config(const char *config, const char *arch, json_t **out) {
    char quoted[REN__QUOTE_SIZE];
    json_t *tree = NULL;
    const char *own = NULL;
    ren_status st = REN_OK;

    if (config)
        REN_TRY(ren__json_parse(config, strlen(config), "config", &tree));
    else
        tree = json_object();
    REN_TRY(ren__json_checked(tree));
    if (!json_is_object(tree)) REN_FAIL(REN_E_FORMAT, "config: must be a JSON object");
    REN_TRY(ren__get_string(tree, "arch", "config", &own));
    if (own && arch && strcmp(own, arch) != 0)
        REN_FAIL(REN_E_INVALID, "config: its \"arch\" is \"%s\", another than the options' arch: give one of them",
                 ren__quote(own, quoted, sizeof quoted));
    if (!own) REN_TRY(ren__json_set(tree, "arch", json_string(arch ? arch : "cnn")));
    *out = tree;
    tree = NULL;
out:
    json_decref(tree);
    return st;
}

/* A network of one region, or one that divides both lungs by itself. */
static ren_status read_entry(ren_context *context, const json_t *config, const ren_trainer_options *options,
                             ren__expert_entry *entry) {
    const char *arch = json_string_value(json_object_get(config, "arch"));
    const ren_preset *preset = ren__dataset_preset(options->dataset);

    if (!ren__is_mixture_network(arch)) return ren__expert_entry_read(context, config, preset, "config", entry);
    const ren_status st = ren__mixture_network_read(context, config, preset, "config", entry);
    if (st != REN_OK) return st;
    const int is_head = entry->net == &ren__general_moe_net, is_whole = options->region == REN_REGION_LUNGS;
    if (!is_head && is_whole) return REN_OK;
    ren__expert_entry_end(entry);
    if (is_head)
        return ren__error(REN_E_UNSUPPORTED, "trainer: %s joins the trained experts of a study, and has none here",
                          arch);
    return ren__error(REN_E_INVALID, "trainer: %s divides both lungs by itself: its region is REN_REGION_LUNGS", arch);
}

static ren_status create(ren_context *context, const ren_trainer_options *options, ren_trainer **out) {
    json_t *config = NULL;
    ren__expert_entry entry = { .name = NULL };
    ren_status st = REN_OK;

    REN_TRY(read_config(options->config, options->arch, &config));
    REN_TRY(read_entry(context, config, options, &entry));
    entry.name = entry.net->name;
    REN_TRY(ren__get_string(config, "name", "config", &entry.name));
    const ren__trainer_parts parts = { .entry = &entry,
                                       .dataset = options->dataset,
                                       .region = options->region,
                                       .training = options->training,
                                       .validation = options->validation,
                                       .training_count = options->training_count,
                                       .validation_count = options->validation_count,
                                       .seed = options->seed,
                                       .folder = options->folder,
                                       .checkpoint_seconds = options->checkpoint_seconds };
    REN_TRY(ren__trainer_make(context, &parts, out));
out:
    ren__expert_entry_end(&entry);
    json_decref(config);
    return st;
}

ren_status ren_trainer_create(ren_context *context, const ren_trainer_options *options, ren_trainer **out) {
    ren_trainer_options set = { .struct_size = sizeof set };
    ren__run run;

    REN_REQUIRE(out != NULL);
    *out = NULL;
    REN_REQUIRE(context != NULL && options != NULL);
    ren_status st = ren__options_copy(&set, sizeof set, options, "ren_trainer_options");
    if (st != REN_OK) return st;
    if (!set.dataset) return ren__error(REN_E_INVALID, "ren_trainer_options: dataset is NULL");
    if (!set.training || !set.validation)
        return ren__error(REN_E_INVALID, "ren_trainer_options: %s is NULL: see ren_dataset_split",
                          set.training ? "validation" : "training");
    if (isnan(set.checkpoint_seconds))
        return ren__error(REN_E_INVALID, "ren_trainer_options: checkpoint_seconds is not a number");
    st = ren__run_begin(&run, context, NULL);
    if (st == REN_OK) st = create(context, &set, out);
    return ren__run_end(&run, st);
}

/* ------------------------------------------------------------------------------------------------------ outcome */

static const char *stop_name(ren__stop_reason reason) {
    switch (reason) {
    case REN__STOP_PATIENCE:
        return "patience";
    case REN__STOP_GAP:
        return "gap";
    default:
        return "epochs";
    }
}

/* The numbers of the best epoch, and how it was found. */
static ren_status add_outcome(json_t *record, const ren__train_outcome *o) {
    const struct {
        const char *name;
        json_int_t value;
    } counts[] = { { "training_scans", o->training_samples },
                   { "training_empty", o->training_empty },
                   { "validation_scans", o->validation_samples },
                   { "validation_empty", o->validation_empty },
                   { "epochs", o->epochs },
                   { "best_epoch", o->best_epoch } };
    const struct {
        const char *name;
        double value;
    } measures[] = { { "training_auc", o->training_auc },
                     { "training_loss", o->training_loss },
                     { "validation_auc", o->validation_auc },
                     { "validation_loss", o->validation_loss },
                     { "validation_accuracy", o->validation_accuracy } };
    ren_status st = REN_OK;

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        REN_TRY(ren__json_set(record, counts[i].name, json_integer(counts[i].value)));
    REN_TRY(ren__json_set(record, "stopped", json_string(stop_name(o->stopped))));
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        REN_TRY(ren__json_set(record, measures[i].name, ren__json_real(measures[i].value)));
out:
    return st;
}

/* How the expert was trained: in its model card. */
static ren_status make_record(const ren_trainer *trainer, const ren__train_outcome *outcome, json_t **out) {
    ren_status st = REN_OK;
    json_t *record = json_object();

    REN_TRY(ren__json_checked(record));
    REN_TRY(ren__json_set(record, "library", json_string(ren_version())));
    if (trainer->origin && json_object_update(record, trainer->origin) != 0) REN_TRY(ren__json_checked(NULL));
    if (!json_object_get(record, "seed"))
        REN_TRY(ren__json_set(record, "seed", json_integer((json_int_t)trainer->seed)));
    REN_TRY(ren__json_set(record, "expert", json_string(trainer->name)));
    REN_TRY(ren__json_set(record, "region", json_string(ren_region_name(trainer->region))));
    REN_TRY(add_outcome(record, outcome));
    REN_TRY(ren__json_set(record, "settings", ren__train_settings_json(&trainer->entry.settings)));
    *out = record;
    record = NULL;
out:
    json_decref(record);
    return st;
}

static ren_status make_history(const ren__train_outcome *outcome, json_t **out) {
    ren_status st = REN_OK;
    json_t *list = json_array();

    REN_TRY(ren__json_checked(list));
    for (int64_t epoch = 0; epoch < outcome->epochs; epoch++) {
        json_t *row = json_object();
        REN_TRY(ren__json_append(list, row));
        for (int c = 0; c < REN__HISTORY_COLUMNS; c++) {
            const double value = outcome->history[epoch][c];
            const int whole = c == REN__HISTORY_EPOCH || c == REN__HISTORY_BEST;
            REN_TRY(ren__json_set(row, ren__history_name((enum ren__history_column)c),
                                  whole ? json_integer((json_int_t)value) : ren__json_real(value)));
        }
    }
    *out = list;
    list = NULL;
out:
    json_decref(list);
    return st;
}

const ren_expert *ren__trainer_expert(const ren_trainer *trainer) {
    return trainer->expert;
}

const ren__weights *ren__trainer_head(const ren_trainer *trainer) {
    return trainer->head;
}

const json_t *ren__trainer_record(const ren_trainer *trainer) {
    return trainer->record;
}

ren_status ren_trainer_outcome(const ren_trainer *trainer, ren_text **json) {
    json_t *outcome = NULL;
    ren_status st = REN_OK;

    REN_REQUIRE(json != NULL);
    *json = NULL;
    REN_REQUIRE(trainer != NULL);
    if (!trainer->expert)
        return ren__error(REN_E_STATE, "the trainer has no outcome before ren_trainer_run has come to the end");
    outcome = json_copy(trainer->record);
    REN_TRY(ren__json_checked(outcome));
    REN_TRY(ren__json_set(outcome, "history", json_incref(trainer->history)));
    REN_TRY(ren__json_write(trainer->context, outcome, 2, json));
out:
    json_decref(outcome);
    return st;
}

double ren_trainer_number(const ren_trainer *trainer, const char *name) {
    const json_t *value = trainer && name ? json_object_get(trainer->record, name) : NULL;

    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* ------------------------------------------------------------------------------------------------------ training */

/* The loop's are in the published order, the expert's in the one that its predictions read (graph/weights.h). */
static void copy_weights(const ren__weights *from, ren__weights *to) {
    for (int32_t i = 0; i < ren__weights_count(to); i++) {
        const float *values = ren__weights_read(from, i);
        const int64_t rows = ren__weights_arranged(to, i) ? ren__weights_shape(to, i)->dim[0] : 0;
        if (rows == 0) memcpy(ren__weights_data(to, i), values, ren__weights_elements(to, i) * sizeof *values);
        for (int64_t row = 0; row < rows; row++)
            ren__weights_put_row(to, i, row, values + row * ren__weights_shape(to, i)->dim[1]);
    }
}

static ren_status make_expert(ren_trainer *trainer, const ren__weights *weights, const json_t *record) {
    ren_expert *expert = NULL;
    ren_status st = REN_OK;

    REN_TRY(ren__expert_new(trainer->context, trainer->entry.net, trainer->entry.network, record, trainer->region,
                            ren__dataset_preset(trainer->dataset), &expert));
    REN_TRY(ren__weights_create(trainer->context, expert->graph, &expert->weights));
    REN_TRY(ren__expert_arrange(expert));
    copy_weights(weights, expert->weights);
    trainer->expert = expert;
    expert = NULL;
out:
    ren_expert_free(expert);
    return st;
}

ren_status ren__trainer_train(ren_trainer *trainer, ren__run *run) {
    const ren__train_task task = { .net = trainer->entry.net,
                                   .network = trainer->entry.network,
                                   .settings = &trainer->entry.settings,
                                   .dataset = trainer->dataset,
                                   .region = trainer->region,
                                   .training = trainer->training,
                                   .validation = trainer->validation,
                                   .training_count = trainer->training_count,
                                   .validation_count = trainer->validation_count,
                                   .seed = trainer->seed,
                                   .folder = trainer->folder,
                                   .checkpoint_seconds = trainer->checkpoint_seconds,
                                   .base = trainer->has_base ? trainer->base : NULL,
                                   .features = trainer->features,
                                   .feature_count = trainer->feature_count };
    ren__train_outcome outcome = { .weights = NULL };
    json_t *record = NULL, *history = NULL;
    ren_status st = REN_OK;

    if (trainer->record) return REN_OK;
    REN_TRY(ren__train(trainer->context, &task, run, &outcome));
    REN_TRY(make_record(trainer, &outcome, &record));
    REN_TRY(make_history(&outcome, &history));
    if (trainer->features)
        trainer->head = ren__weights_retain(outcome.weights);
    else
        REN_TRY(make_expert(trainer, outcome.weights, record));
    trainer->record = json_incref(record);
    trainer->history = json_incref(history);
out:
    json_decref(history);
    json_decref(record);
    ren__train_outcome_end(&outcome);
    return st;
}

static ren_status train_locked(ren_trainer *trainer, ren__run *run) {
    int lock = -1;
    ren_status st = REN_OK;

    if (trainer->expert) return REN_OK;
    if (trainer->folder) {
        REN_TRY(ren__folder_make(trainer->folder));
        REN_TRY(ren__folder_lock(trainer->folder, REN__LOCK_PATIENCE, run, &lock));
    }
    REN_TRY(ren__trainer_train(trainer, run));
out:
    ren__folder_unlock(lock);
    return st;
}

ren_status ren_trainer_run(ren_trainer *trainer, const ren_run_options *options, ren_expert **expert) {
    ren__run run;

    REN_REQUIRE(expert != NULL);
    *expert = NULL;
    REN_REQUIRE(trainer != NULL);
    ren_status st = ren__run_begin(&run, trainer->context, options);
    if (st == REN_OK) st = train_locked(trainer, &run);
    if (st == REN_OK) *expert = ren__expert_retain(trainer->expert);
    return ren__run_end(&run, st);
}
