/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study's configuration: read, checked to the last key, and written out in full ("resolved"), so that the run
 * folder's config.yaml says everything that was decided. The resolved form is itself a configuration that resolves to
 * itself.
 */
#ifndef REN_TRAIN_CONFIG_H
#define REN_TRAIN_CONFIG_H

#include "nets/nets.h"
#include "train/expert_entry.h"
#include "train/fit.h"

enum { REN__NAME_LENGTH = 48, REN__MODEL_NAME_SIZE = 2 * REN__NAME_LENGTH };
enum { REN__FOLDS_MAX = 50, REN__ENTRIES_MAX = 32 };

enum ren__protocol { REN__PROTOCOL_DEFAULT, REN__PROTOCOL_PAPER };

typedef struct ren__gate_entry {
    const char *name;
    const char *source;          /* as ren__gate_parts has it; all but "given" */
    int32_t normalisation, mode; /* REN_GATE_*; REN__GATE_* of moe/gate.h */
    double temperature;
    ren__fit_settings scores; /* of a mode that is not fixed: how what it adds to the base weights is fitted */
    int32_t of;               /* the entry of experts whose validation or features speak; -1: the mixture's own */
    const char *measure;      /* features: "separability", "auc", "logistic"; else NULL */
    const char *predictor;    /* radiomics: kind of the regional predictors; else NULL */
    ren__fit_settings fit;    /* of these */
    const json_t *params;     /* radiomics: the extractor's parameters in full; else NULL */
    int32_t table;            /* radiomics: the first gate with these parameters, whose table all of them read */
} ren__gate_entry;

typedef struct ren__mixture_entry {
    const char *name;
    int32_t expert, gate;      /* indices; -1: none */
    const char *stacking;      /* kind of the predictor that joins the experts' probabilities; NULL: none */
    ren__fit_settings fit;     /* of it */
    ren__expert_entry network; /* of a mixture that is one network (train/mixture_network.h); net NULL: it is not */
} ren__mixture_entry;

/* What is evaluated and compared: every expert in every region ("cnn.LUL"), every baseline ("swin"), every regional
 * predictor of the radiomics gates ("radiomics.LUL"), then every mixture ("ren"). A baseline is one network on both
 * lungs: an expert whose region is REN_REGION_LUNGS. */
typedef struct ren__study_model {
    char name[REN__MODEL_NAME_SIZE];
    int32_t mixture;        /* -1: none */
    int32_t gate;           /* of a regional predictor; -1: none */
    int32_t expert, region; /* of an expert; a mixture has the expert whose regions it joins (or -1), and region -1 */
} ren__study_model;

typedef struct ren__study_config {
    ren_context *context; /* held */
    json_t *tree;         /* resolved; strings below belong to it */
    const char *folder;   /* what relative paths start from; NULL once the configuration is read */
    const char *study;
    uint64_t seed;
    const char *root, *table; /* root from the file system's root on; table below it */
    ren_preset preset;
    int32_t folds, run_count, run[REN__FOLDS_MAX]; /* folds to run, rising */
    double validation;                             /* share of the training patients; protocol default */
    int32_t stratified;                            /* by label */
    enum ren__protocol protocol;
    int32_t region_count, region[REN_REGION_COUNT];
    int32_t expert_count, baseline_count, gate_count, mixture_count, model_count, other_count;
    ren__expert_entry *expert; /* the experts, then the baselines */
    ren__gate_entry *gate;
    ren__mixture_entry *mixture;
    ren__study_model *model;
    int32_t primary[2]; /* models; -1: none was named */
    int32_t *other;     /* models to compare with the first of primary (or with the first mixture) */
} ren__study_config;

/* Reads YAML, or JSON by its extension. Errors begin with the path and name the key: REN_E_FORMAT, and
 * REN_E_UNSUPPORTED for what config.md knows and this version does not have. */
ren_status ren__study_config_read(ren_context *context, const char *path, ren__study_config **out) REN_CHECKED;
/* The same from a tree; `folder` is what relative paths start from. */
ren_status ren__study_config_resolve(ren_context *context, const json_t *tree, const char *folder,
                                     ren__study_config **out) REN_CHECKED;
void ren__study_config_free(ren__study_config *config);

/* Index of a name, -1: not there. */
int32_t ren__study_find_model(const ren__study_config *config, const char *name);
/* Number of the first mixture: how many models there are before it. */
int32_t ren__study_first_mixture(const ren__study_config *config);
/* Number of a radiomics gate's predictor for the study's region number `index`. */
int32_t ren__study_predictor(const ren__study_config *config, int32_t gate, int32_t index);
/* "expert", "baseline", "radiomics" (a regional predictor) or "mixture". */
const char *ren__study_model_kind(const ren__study_model *model);

/* REN_E_STATE naming the first key that two resolved trees differ in, with both values. */
ren_status ren__study_config_same(ren_context *context, const json_t *stored, const json_t *wanted) REN_CHECKED;

/* config_*.c: one section each, from the caller's tree into the configuration and its resolved tree. */
ren_status ren__config_data(ren__study_config *config, const json_t *tree, const char *folder) REN_CHECKED;
ren_status ren__config_split(ren__study_config *config, const json_t *tree) REN_CHECKED;
ren_status ren__config_experts(ren__study_config *config, const json_t *tree) REN_CHECKED;
ren_status ren__config_baselines(ren__study_config *config, const json_t *tree) REN_CHECKED;
ren_status ren__config_gates(ren__study_config *config, const json_t *tree) REN_CHECKED;
ren_status ren__config_mixtures(ren__study_config *config, const json_t *tree) REN_CHECKED;
ren_status ren__config_compare(ren__study_config *config, const json_t *tree) REN_CHECKED;
/* Reads entry `index` of a list into the configuration, and appends it in full to `list`. */
typedef ren_status (*ren__entry_reader)(ren__study_config *config, const json_t *entry, const char *where,
                                        int32_t index, json_t *list);
/* The entries under `key`, one by one; the caller has made room for `*count`, which says how many have been begun. */
ren_status ren__config_entries(ren__study_config *config, const json_t *given, const char *key,
                               ren__entry_reader read_entry, int32_t *count) REN_CHECKED;
/* What is fitted, under `key`: one of `kinds` (two and NULL; the first is the default) by its name, or a map with it
 * and its settings. `*resolved` is the map in full, the caller's. */
ren_status ren__config_fit(const json_t *entry, const char *where, const char *key, const char *const *kinds,
                           const char **kind, ren__fit_settings *settings, json_t **resolved) REN_CHECKED;
/* Refuses a name that an expert, a baseline or a mixture has already. */
ren_status ren__config_unique(const ren__study_config *config, const char *name, const char *where) REN_CHECKED;
/* A list of maps under `key`, at most REN__ENTRIES_MAX; NULL where the key is not there. */
ren_status ren__config_list(const json_t *tree, const char *key, const json_t **list) REN_CHECKED;
/* The entry's name: letters, digits, - and _; it becomes part of file names. */
ren_status ren__config_name(const json_t *entry, const char *where, const char **name) REN_CHECKED;

#endif
