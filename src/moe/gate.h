/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gates: how much each region's expert counts.
 *
 * A gate holds one number a region, as it was given, and a base weight b made from it (0: nothing for this region):
 *     uniform                                  b = 1
 *     validation_auc, validation_accuracy      b = the metric, in (0, 1]
 *     inverse_loss                             b = 1 / validation loss
 *     given, features                          b = the number; for `features` a measure of the expert's deep features
 *     radiomics                                b = 0.1 + 3.8 (AUC - 0.5), 0.1 up to an AUC of 0.5; the validation AUC
 *                                              is that of the region's own predictor on its radiomics
 *
 * For a scan the regions that ran get raw weights, T being the temperature and the mode
 *     fixed                                    b ^ (1 / T)
 *     learned                                  exp((log(b + 1e-8) + l) / T), l a logit a region, the same for all scans
 *     per_scan ("dynamic" of deep features)    b exp(s / T), s the score of the region's own row of evidence
 *
 * and these are normalised: to the sum 1, or hierarchically: lobes to 1 and lungs to 1, each halved where both are
 * there.
 */
#ifndef REN_MOE_GATE_H
#define REN_MOE_GATE_H

#include "moe/predictor.h"
#include "ops/ops.h"

/* Immutable once made, counted by reference, shared between threads. For the gate's own files. */
struct ren_gate {
    atomic_int references;
    ren_context *context; /* held */
    int32_t source;       /* index into gate.c's table */
    int32_t normalisation, mode;
    double temperature;
    double value[REN_REGION_COUNT]; /* as given; 0 where nothing was */
    double base[REN_REGION_COUNT];  /* b */
    double logit[REN_REGION_COUNT];
    /* Raw weights are factor x exp(exponent + score / temperature). */
    double factor[REN_REGION_COUNT], exponent[REN_REGION_COUNT];
    ren__arena *arena; /* holds the texts: names of columns, measure, parameters */
    const char **column;
    int32_t column_count;
    const char *measure;
    ren__predictor *score[REN_REGION_COUNT], *predictor[REN_REGION_COUNT];
    ren_radiomics *extractor; /* of a radiomics gate with columns */
    const char *params;       /* the extractor's, resolved, as JSON */
    int32_t params_mode;
};

/* Beside REN__GATE_FIXED and REN__GATE_LEARNED (ops/ops.h), whose numbers these are. */
enum { REN__GATE_PER_SCAN = REN__GATE_DYNAMIC };
enum { REN__READS_NOTHING, REN__READS_RADIOMICS, REN__READS_FEATURES };

/* What is known of one scan: for each region a row in the order of the gate's columns (NaN: a value is missing). NULL:
 * nothing is known of it; the region then has its base weight alone, as with score 0. */
typedef struct ren__evidence {
    const double *row[REN_REGION_COUNT];
    const char *missing[REN_REGION_COUNT]; /* why there is no row, for the warning; NULL: nobody says */
} ren__evidence;

/* What a gate is made of; everything is copied or held. */
typedef struct ren__gate_parts {
    const char *source;             /* one of the list above */
    int32_t normalisation;          /* REN_GATE_SUM, REN_GATE_HIERARCHICAL */
    int32_t mode;                   /* REN__GATE_*; per_scan for the sources radiomics and features alone */
    double temperature;             /* 0.001 to 1000; 0: 1 */
    double value[REN_REGION_COUNT]; /* as the source has it: AUC, loss, measure ...; 0: nothing; unread for "uniform" */
    double logit[REN_REGION_COUNT]; /* learned */
    const char *measure;            /* features: what `value` measures ("separability"), for the card; or NULL */
    /* Sources radiomics and features: the columns of a row. Radiomics: names of features. Features: "feature.0",
     * "feature.1" ... (ren__feature_columns), as many as the experts' networks give. Without predictors may be empty.
     */
    ren__columns columns;
    /* per_scan: s; linear; NULL: the region's score is always 0. At least one. */
    ren__predictor *score[REN_REGION_COUNT];
    /* The regional predictors whose AUC `value` has: weights do not need them, explanations do. Any may be NULL. */
    ren__predictor *predictor[REN_REGION_COUNT];
    /* radiomics: parameters of the extraction as JSON text (ren_radiomics_describe's or a parameter file's) and the
     * extractor's mode (REN_RADIOMICS_*). NULL: PyRadiomics' defaults. */
    const char *params;
    int32_t params_mode;
} ren__gate_parts;

/* REN_E_INVALID for what is no gate, REN_E_DATA for numbers that cannot be weights, REN_E_FORMAT for bad parameters. */
ren_status ren__gate_make(ren_context *context, const ren__gate_parts *parts, ren_gate **out) REN_CHECKED;
ren_gate *ren__gate_retain(const ren_gate *gate);

/* The weights of the regions that ran, summing to 1; 0 for the others. All weights 0 (nothing ran, or only regions that
 * the gate gives nothing): REN_E_DATA. `evidence` NULL: nothing is known of any region. */
ren_status ren__gate_weights(const ren_gate *gate, const int32_t ran[REN_REGION_COUNT], const ren__evidence *evidence,
                             double weights[REN_REGION_COUNT]) REN_CHECKED;
/* The base weights b: what a gate passes on to a network that has gate weights of its own. */
void ren__gate_base(const ren_gate *gate, double base[REN_REGION_COUNT]);

const char *ren__gate_source(const ren_gate *gate);
int ren__gate_knows(const char *source); /* not 0: there is a source of that name */
/* What the weights depend on (REN__READS_*), and what an explanation of them reads: the regional predictors too. */
int32_t ren__gate_reads(const ren_gate *gate);
int32_t ren__gate_explains(const ren_gate *gate);
ren__columns ren__gate_columns(const ren_gate *gate);
/* What an explanation explains of a region: its score, else its regional predictor; NULL: neither. */
const ren__predictor *ren__gate_predictor(const ren_gate *gate, int32_t region);

/* One region's row of evidence out of a table of features, `count` of the gate's columns; a column that the table does
 * not have is NaN. */
void ren__gate_row(const ren_gate *gate, const ren_features *features, int32_t row, double *values);

/* Columns "feature.0" ... of deep features; ren__free ends them (columns->name). */
ren_status ren__feature_columns(ren_context *context, int32_t count, ren__columns *columns) REN_CHECKED;
/* The seven regions' names: the columns of a stacked mixture's predictor, whose row has each region's probability of
 * class 1, NaN where it did not run. Static. */
ren__columns ren__region_columns(void);

#endif
