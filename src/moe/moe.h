/* SPDX-License-Identifier: Apache-2.0 */
/* Experts, gates, mixtures and results as the library's own code sees them. All are immutable once made, counted by
 * reference and shared between threads. */
#ifndef REN_MOE_MOE_H
#define REN_MOE_MOE_H

#include <jansson.h>
#include <pthread.h>

#include "graph/weights.h"
#include "moe/gate.h"
#include "nets/nets.h"
#include "ops/sparse.h"
#include "volume/scan.h"

enum ren__stage {
    REN__PREPROCESS,
    REN__RADIOMICS,
    REN__EXPERTS,
    REN__GATE,
    REN__EXPLANATION,
    REN__TOTAL,
    REN__STAGE_COUNT
};

typedef struct ren__session_cache ren__session_cache;

struct ren_expert {
    atomic_int references;
    ren_context *context; /* held */
    const ren__net *net;
    json_t *config; /* settings of the network, as given */
    json_t *record; /* how it was trained, or NULL */
    ren_preset preset;
    int32_t region;
    int32_t classes;
    ren__graph *graph; /* batch 1, read only */
    ren__weights *weights;
    ren__sparse *sparse;   /* NULL: the network is evaluated densely */
    pthread_mutex_t mutex; /* while the first prediction prepares `sparse` */
    int has_mutex, prepared;
    ren__session_cache *cache; /* for predictions of this expert by itself; a mixture has its own */
};

struct ren_mixture {
    atomic_int references;
    ren_context *context; /* held */
    char *name;
    ren_expert *expert[REN__PLACES]; /* by region; NULL: none. One of both lungs is alone */
    ren_gate *gate;
    ren__predictor *stack; /* combines the probabilities instead of the gate's weights; or NULL */
    double threshold;
    json_t *record; /* or NULL */
    json_t *card;   /* what results and reports say about the model */
    ren__session_cache *cache;
};

enum { REN__RAN, REN__SKIPPED_EMPTY, REN__SKIPPED_WEIGHT };

typedef struct ren__region_result {
    int32_t region;
    int32_t ran;
    double probability; /* of class 1; NaN where it did not run */
    double weight;
    int32_t skipped; /* REN__RAN, or why it did not run */
} ren__region_result;

/* What one value adds to a predictor's logit. */
typedef struct ren__contribution {
    const char *name;
    double value, amount;
} ren__contribution;

typedef struct ren__region_explanation {
    int32_t known; /* 0: there is nothing to tell of the region */
    int32_t count;
    double base, sum;        /* sum = base + all amounts: the logit; of a forest that averages: the probability */
    ren__contribution *item; /* the largest first */
} ren__region_explanation;

/* What the contributions are to: nothing, the gate's score of the region, the region's own predictor of the disease
 * (where the gate is fixed), the one predictor of a stacked mixture. */
enum { REN__EXPLAINS_NOTHING, REN__EXPLAINS_SCORE, REN__EXPLAINS_PREDICTOR, REN__EXPLAINS_STACK };

typedef struct ren__explanation {
    ren_context *context;                             /* the result's */
    ren__arena *arena;                                /* names and items */
    int32_t of;                                       /* REN__EXPLAINS_* */
    ren__region_explanation region[REN_REGION_COUNT]; /* by region */
    double without[REN_REGION_COUNT]; /* probability of class 1 with the region's voxels taken out; NaN: none */
} ren__explanation;

struct ren_result {
    atomic_int references;
    ren_context *context; /* held */
    json_t *card;         /* of the mixture */
    int32_t classes, label;
    int32_t whole; /* not 0: one network's answer for both lungs; its regions have no probabilities of their own */
    double threshold;
    double probability[REN__MAX_CLASSES];
    int32_t region_count;
    ren__region_result region[REN_REGION_COUNT];
    ren__explanation *explanation; /* NULL: none was asked for */
    ren_text *warnings;            /* each ends in a zero byte */
    int32_t warning_count;
    double seconds[REN__STAGE_COUNT];
    int32_t threads;
    const char *isa;
};

/* An expert over weights that exist (their reference count is raised). `config`, `preset` and `record` may be NULL; the
 * record is a JSON object with what the model card shall say of the training: data, folds, seed, library version, ...
 * Both trees are copied. The weights must be those of the network in this configuration. Being somebody else's too,
 * they stay as they are: an expert over weights that are not arranged (graph/weights.h) is evaluated densely. */
ren_status ren__expert_adopt(ren_context *context, const ren__net *net, const json_t *config, ren__weights *weights,
                             int32_t region, const ren_preset *preset, const json_t *record, ren_expert **out);
ren_expert *ren__expert_retain(const ren_expert *expert);
/* Softmax of the expert's logits for its region of the scan, in double: `classes` values. What ren_expert_predict and
 * ren_mixture_predict compute; `cache` NULL is the expert's own. */
ren_status ren__expert_probabilities(const ren_expert *expert, ren__session_cache *cache, const ren_scan *scan,
                                     ren__run *run, double *probabilities);

/* What one network says of a scan. */
typedef struct ren__expert_outputs {
    double probability[REN__MAX_CLASSES];
    float *features;                 /* room for ren__expert_features() of them; NULL: not wanted */
    double weight[REN_REGION_COUNT]; /* of a mixture that is one network: how it weighed the regions, sum 1 */
} ren__expert_outputs;

/* ren__expert_probabilities with all of it. `features` not NULL for a network that gives none is REN_E_UNSUPPORTED. */
ren_status ren__expert_run(const ren_expert *expert, ren__session_cache *cache, const ren_scan *scan, ren__run *run,
                           ren__expert_outputs *out);
/* Length of the vector before the network's output layer; 0: it gives none. */
int32_t ren__expert_features(const ren_expert *expert);
/* How many regions the network weighs, the first so many of REN_REGION_*; 0: it is no mixture. */
int32_t ren__expert_regions(const ren_expert *expert);

/* What a mixture is made of beyond experts and gate. */
typedef struct ren__mixture_options {
    const char *name;     /* "ren"; NULL: "mixture" */
    double threshold;     /* label 1 from this probability on (Youden on validation); 0: 0.5 */
    const json_t *record; /* data, folds, seed, library version; copied; may be NULL */
    /* A stacked mixture: its probability is this predictor's, on the regions' probabilities (ren__region_columns; NaN:
     * did not run); of two classes only. The gate is unread then: give a uniform one. NULL: the gate's weights. */
    const ren__predictor *stack;
} ren__mixture_options;

/* ren_mixture_create with all of it; `options` may be NULL. */
ren_status ren__mixture_make(ren_context *context, ren_expert *const *experts, size_t count, ren_gate *gate,
                             const ren__mixture_options *options, ren_mixture **out);
/* The mixture of one expert: `gate` uniform; whatever region the expert is for, both lungs included. */
ren_status ren__mixture_of_one(ren_context *context, ren_expert *expert, const ren__mixture_options *options,
                               ren_mixture **out);
/* ren_mixture_predict_with on a scan that is prepared already. `evidence`: the radiomics that the gate reads (deep
 * features come from the experts themselves); NULL: none is known. `options` NULL: all experts run, nothing is
 * explained. */
ren_status ren__mixture_predict_prepared(const ren_mixture *mixture, const ren_scan *scan,
                                         const ren__evidence *evidence, const ren_predict_options *options,
                                         ren__run *run, ren_result **out);
/* The same without evidence and options. */
ren_status ren__mixture_predict_scan(const ren_mixture *mixture, const ren_scan *scan, ren__run *run, ren_result **out);

#endif
