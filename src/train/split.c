/* SPDX-License-Identifier: Apache-2.0 */
/* Making, storing and reading the split. */
#include "train/split.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "train/study_files.h"

/* What the random streams are for; the substream is the label. */
enum { STREAM_FOLDS = 0x53500000, STREAM_HELD_OUT = 0x53510000 /* + fold */ };

static const char *const set_names[REN__SET_COUNT] = { "train", "validation", "test" };

const char *ren__set_name(enum ren__set set) {
    return set_names[set];
}

static ren_status allocate(ren_context *context, int32_t folds, int32_t patients, ren__split **out) {
    size_t bytes;

    *out = NULL;
    if (!ren__mul_size((size_t)folds, (size_t)patients, &bytes) || !ren__add_size(bytes, sizeof(ren__split), &bytes))
        return ren__error(REN_E_LIMIT, "%d patients are too many for a split", patients);
    *out = ren__calloc(context, 1, bytes);
    if (!*out) return ren__out_of_memory();
    (*out)->folds = folds;
    (*out)->patients = patients;
    return REN_OK;
}

/* ------------------------------------------------------------------------------------------------------- making */

/* The patients of one stratum that are (or are not) in the fold's held-out set, shuffled. */
typedef struct stratum {
    const int32_t *labels;
    const int32_t *held_out; /* fold of each patient */
    int32_t patients, label; /* label -1: all */
    int32_t *list;
} stratum;

static int32_t gather(const stratum *from, int32_t fold, int inside) {
    int32_t count = 0;

    for (int32_t patient = 0; patient < from->patients; patient++)
        if ((from->label < 0 || from->labels[patient] == from->label) &&
            (fold < 0 || (from->held_out[patient] == fold) == inside))
            from->list[count++] = patient;
    return count;
}

static void shuffle(const stratum *of, int32_t count, uint64_t seed, uint32_t stream) {
    ren__rng rng;

    ren__rng_init(&rng, seed, stream, (uint32_t)(of->label + 1));
    ren__rng_shuffle(&rng, of->list, count);
}

/* Deals the strata one after the other, each going on where the last has ended, so that the folds' sizes differ by one
 * at most. */
static void deal(const ren__split_options *options, stratum *work, int32_t *held_out) {
    int32_t next = 0;

    for (int32_t label = options->stratified ? 0 : -1; label < (options->stratified ? 2 : 0); label++) {
        work->label = label;
        const int32_t count = gather(work, -1, 0);
        shuffle(work, count, options->seed, STREAM_FOLDS);
        for (int32_t i = 0; i < count; i++, next++)
            held_out[work->list[i]] = next % options->folds;
    }
}

static int32_t validation_share(const ren__split_options *options, int32_t label, int32_t count) {
    if (options->protocol == REN__PROTOCOL_PAPER) return label == 0 ? (count + 1) / 2 : count / 2;
    const int32_t share = (int32_t)floor(options->validation * count + 0.5);
    return share < 1 ? count > 1 : share >= count ? count - 1 : share;
}

static void fill_fold(const ren__split_options *options, stratum *work, int32_t fold, uint8_t *set) {
    const int paper = options->protocol == REN__PROTOCOL_PAPER; /* validation comes out of the held-out fold */

    for (int32_t patient = 0; patient < work->patients; patient++)
        set[patient] = work->held_out[patient] == fold ? REN__SET_TEST : REN__SET_TRAINING;
    for (int32_t label = options->stratified ? 0 : -1; label < (options->stratified ? 2 : 0); label++) {
        work->label = label;
        const int32_t count = gather(work, fold, paper);
        shuffle(work, count, options->seed, (uint32_t)(STREAM_HELD_OUT + fold));
        const int32_t share = validation_share(options, label, count);
        for (int32_t i = 0; i < share; i++)
            set[work->list[i]] = REN__SET_VALIDATION;
    }
}

static ren_status check_fold(const ren__split *split, const int32_t *labels, int32_t fold, int tested) {
    int32_t counts[REN__SET_COUNT][2] = { { 0 } };

    for (int32_t patient = 0; patient < split->patients; patient++)
        counts[split->set[(size_t)fold * (size_t)split->patients + (size_t)patient]][labels[patient] != 0]++;
    for (int32_t set = 0; set < (tested ? REN__SET_COUNT : REN__SET_TEST); set++)
        if (counts[set][0] == 0 || counts[set][1] == 0)
            return ren__error(REN_E_DATA,
                              "fold %d: the %s set has %d patients of label 0 and %d of label 1, each needs one at "
                              "least: take %smore patients",
                              fold, set_names[set], counts[set][0], counts[set][1], tested ? "fewer folds or " : "");
    return REN_OK;
}

ren_status ren__split_make(ren_context *context, const ren__split_options *options, const int32_t *labels,
                           int32_t patients, ren__split **out) {
    ren_status st = REN_OK;
    ren__split *split = NULL;
    int32_t *held_out = NULL;
    stratum work = { .labels = labels, .patients = patients };
    const int tested = options->folds > 0;

    *out = NULL;
    REN_CALLOC(held_out, (size_t)patients);
    REN_CALLOC(work.list, (size_t)patients);
    work.held_out = held_out;
    REN_TRY(allocate(context, tested ? options->folds : 1, patients, &split));
    for (int32_t patient = 0; patient < patients; patient++)
        held_out[patient] = -1;
    if (tested) deal(options, &work, held_out);
    for (int32_t fold = 0; fold < split->folds; fold++) {
        fill_fold(options, &work, fold, split->set + (size_t)fold * (size_t)patients);
        REN_TRY(check_fold(split, labels, fold, tested));
    }
    *out = split;
    split = NULL;
out:
    ren__free(split);
    ren__free(work.list);
    ren__free(held_out);
    return st;
}

int32_t ren__split_scans(const ren__split *split, const int32_t *patient, int32_t scan_count, int32_t fold,
                         enum ren__set set, int32_t *scans) {
    const uint8_t *of = split->set + (size_t)fold * (size_t)split->patients;
    int32_t count = 0;

    for (int32_t scan = 0; scan < scan_count; scan++)
        if (of[patient[scan]] == set) scans[count++] = scan;
    return count;
}

/* ------------------------------------------------------------------------------------------------------ storing */

/* One object a patient, still without scans. */
static ren_status add_patients(const ren__split *split, const ren__cohort *cohort, json_t *list) {
    ren_status st = REN_OK;

    for (int32_t patient = 0; patient < split->patients; patient++) {
        json_t *entry = json_object();
        REN_TRY(ren__json_append(list, entry));
        REN_TRY(ren__json_set(entry, "patient", json_string(cohort->patient_name[patient])));
        REN_TRY(ren__json_set(entry, "label", json_integer(cohort->patient_label[patient])));
        REN_TRY(ren__json_set(entry, "sets", json_array()));
        REN_TRY(ren__json_set(entry, "scans", json_array()));
        REN_TRY(ren__json_set(entry, "labels", json_array()));
        for (int32_t fold = 0; fold < split->folds; fold++) {
            const uint8_t set = split->set[(size_t)fold * (size_t)split->patients + (size_t)patient];
            REN_TRY(ren__json_append(json_object_get(entry, "sets"), json_string(set_names[set])));
        }
    }
out:
    return st;
}

ren_status ren__split_write(ren_context *context, const ren__split *split, const ren__split_options *options,
                            const ren__cohort *cohort, const char *path) {
    ren_status st = REN_OK;
    json_t *list = json_array();
    json_t *tree = json_pack("{s:i, s:I, s:s, s:b, s:i}", "format", 1, "seed", (json_int_t)options->seed, "protocol",
                             options->protocol == REN__PROTOCOL_PAPER ? "paper" : "default", "stratified",
                             options->stratified, "folds", split->folds);

    REN_TRY(ren__json_checked(list));
    REN_TRY(ren__json_checked(tree));
    REN_TRY(add_patients(split, cohort, list));
    for (int32_t scan = 0; scan < cohort->count; scan++) {
        json_t *entry = json_array_get(list, (size_t)cohort->patient[scan]);
        REN_TRY(ren__json_append(json_object_get(entry, "scans"), json_string(cohort->item[scan].scan)));
        REN_TRY(ren__json_append(json_object_get(entry, "labels"), json_integer(cohort->item[scan].label)));
    }
    REN_TRY(ren__json_set(tree, "patients", json_incref(list)));
    st = ren__json_file_write(context, path, tree);
out:
    json_decref(tree);
    json_decref(list);
    return st;
}

/* ------------------------------------------------------------------------------------------------------ reading */

static ren_status changed(const char *path) {
    return ren__error(
        REN_E_STATE,
        "%s: the cohort's table has other patients, scans or labels now than when the split was made: put "
        "the table back, or start another folder",
        path);
}

static ren_status read_sets(const json_t *entry, const char *path, int32_t patient, ren__split *split) {
    const json_t *sets = json_object_get(entry, "sets");

    for (int32_t fold = 0; fold < split->folds; fold++) {
        const char *name = json_string_value(json_array_get(sets, (size_t)fold));
        int32_t set = 0;
        while (set < REN__SET_COUNT && (!name || strcmp(name, set_names[set]) != 0))
            set++;
        if (set == REN__SET_COUNT)
            return ren__error(REN_E_FORMAT, "%s: patients[%d]: \"sets\" is not a set for each of the %d folds", path,
                              patient, split->folds);
        split->set[(size_t)fold * (size_t)split->patients + (size_t)patient] = (uint8_t)set;
    }
    return REN_OK;
}

/* Each scan of the table is the next one of its patient; in the end none may be left over. */
static ren_status check_scans(const json_t *list, const char *path, const ren__cohort *cohort, int32_t *seen) {
    for (int32_t scan = 0; scan < cohort->count; scan++) {
        const int32_t patient = cohort->patient[scan];
        const json_t *entry = json_array_get(list, (size_t)patient);
        const size_t index = (size_t)seen[patient]++;
        const char *name = json_string_value(json_array_get(json_object_get(entry, "scans"), index));
        const json_t *label = json_array_get(json_object_get(entry, "labels"), index);
        if (!name || strcmp(name, cohort->item[scan].scan) != 0 ||
            json_integer_value(label) != cohort->item[scan].label)
            return changed(path);
    }
    for (int32_t patient = 0; patient < cohort->patient_count; patient++)
        if (json_array_size(json_object_get(json_array_get(list, (size_t)patient), "scans")) != (size_t)seen[patient])
            return changed(path);
    return REN_OK;
}

ren_status ren__split_read(ren_context *context, const char *path, const ren__cohort *cohort, int32_t folds,
                           ren__split **out) {
    ren_status st = REN_OK;
    ren__split *split = NULL;
    int32_t *seen = NULL;
    json_t *tree = NULL;

    *out = NULL;
    REN_TRY(ren__document_read(context, path, &tree));
    const json_t *list = json_object_get(tree, "patients");
    if (json_integer_value(json_object_get(tree, "format")) != 1 || !json_is_array(list))
        REN_FAIL(REN_E_FORMAT, "%s: is not a split of this version of libren", path);
    if (json_array_size(list) != (size_t)cohort->patient_count) REN_TRY(changed(path));
    REN_TRY(allocate(context, folds, cohort->patient_count, &split));
    REN_CALLOC(seen, (size_t)cohort->patient_count);
    for (int32_t patient = 0; patient < cohort->patient_count; patient++) {
        const json_t *entry = json_array_get(list, (size_t)patient);
        const char *name = json_string_value(json_object_get(entry, "patient"));
        if (!name || strcmp(name, cohort->patient_name[patient]) != 0) REN_TRY(changed(path));
        REN_TRY(read_sets(entry, path, patient, split));
    }
    REN_TRY(check_scans(list, path, cohort, seen));
    for (int32_t fold = 0; fold < folds; fold++)
        REN_TRY(check_fold(split, cohort->patient_label, fold, 1));
    *out = split;
    split = NULL;
out:
    ren__free(split);
    ren__free(seen);
    json_decref(tree);
    return st;
}
