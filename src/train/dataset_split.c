/* SPDX-License-Identifier: Apache-2.0 */
/* Dividing a data set by patients, as studies do. */
#include "train/dataset_parts.h"
#include "train/split.h"

_Static_assert(REN_SET_TRAINING == (int)REN__SET_TRAINING && REN_SET_VALIDATION == (int)REN__SET_VALIDATION &&
                   REN_SET_TEST == (int)REN__SET_TEST,
               "the public numbers of sets are those of split.h");

#define DEFAULT_VALIDATION 0.2

ren_status ren_split_options_init(ren_split_options *options, size_t size) {
    const ren_split_options defaults = { .struct_size = sizeof defaults };

    return ren__options_init(options, size, &defaults, sizeof defaults, "ren_split_options");
}

static ren_status check_options(const ren_split_options *options, int32_t set) {
    if (!(options->validation >= 0.0 && options->validation < 1.0))
        return ren__error(REN_E_INVALID, "split: validation must be a share from 0 (which is 0.2) to below 1");
    if (options->folds != 0 && (options->folds < 2 || options->folds > REN__FOLDS_MAX))
        return ren__error(REN_E_INVALID, "split: %d folds: 0 (no test set) or 2 to %d", (int)options->folds,
                          REN__FOLDS_MAX);
    if (options->fold < 0 || options->fold >= (options->folds ? options->folds : 1))
        return ren__error(REN_E_INVALID, "split: there is no fold %d of %d", (int)options->fold, (int)options->folds);
    if (set < REN_SET_TRAINING || set > (options->folds ? REN_SET_TEST : REN_SET_VALIDATION))
        return ren__error(REN_E_INVALID, "split: there is no set %d%s", (int)set,
                          set == REN_SET_TEST ? ": a test set needs folds" : "");
    return REN_OK;
}

/* Each scan's patient, and each patient's label: 1 where one of the scans has it. */
static void list_patients(const ren_dataset *dataset, int32_t *patient, int32_t *label) {
    for (int32_t i = 0; i < dataset->count; i++) {
        patient[i] = dataset->entry[i].patient;
        label[patient[i]] |= dataset->entry[i].item.label;
    }
}

ren_status ren_dataset_split(const ren_dataset *dataset, const ren_split_options *options, int32_t set,
                             int32_t *indices, size_t capacity, size_t *count) {
    ren_split_options chosen = { .struct_size = sizeof chosen };
    ren_status st = REN_OK;
    ren__split *split = NULL;
    int32_t *patient = NULL, *label = NULL;

    REN_REQUIRE(dataset != NULL && indices != NULL && count != NULL);
    ren_context *context = dataset->context;
    REN_TRY(ren__options_copy(&chosen, sizeof chosen, options, "ren_split_options"));
    REN_TRY(check_options(&chosen, set));
    if (capacity < (size_t)dataset->count)
        REN_FAIL(REN_E_INVALID, "split: room for %zu indices is given, the data set has %d scans", capacity,
                 (int)dataset->count);
    REN_CALLOC(patient, (size_t)dataset->count);
    REN_CALLOC(label, (size_t)dataset->count);
    list_patients(dataset, patient, label);
    const ren__split_options how = { .folds = chosen.folds,
                                     .validation = chosen.validation > 0.0 ? chosen.validation : DEFAULT_VALIDATION,
                                     .stratified = 1,
                                     .protocol = REN__PROTOCOL_DEFAULT,
                                     .seed = chosen.seed };
    REN_TRY(ren__split_make(context, &how, label, dataset->patients, &split));
    *count = (size_t)ren__split_scans(split, patient, dataset->count, chosen.fold, (enum ren__set)set, indices);
out:
    ren__free(split);
    ren__free(label);
    ren__free(patient);
    return st;
}
