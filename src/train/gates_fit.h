/* SPDX-License-Identifier: Apache-2.0 */
/* Fitting what joins experts: gates and stacked predictors, on the experts' validation predictions. */
#ifndef REN_TRAIN_GATES_FIT_H
#define REN_TRAIN_GATES_FIT_H

#include "train/gates_table.h"

/* gates_base.c: what a gate has of each region in a fold, as ren__gate_parts takes it (`value`); 0: nothing. As
 * ren__study_gate_base else. */
ren_status ren__gate_values(const ren_study *study, int32_t fold, int32_t gate, int32_t expert, const char *needed_by,
                            double value[REN_REGION_COUNT]) REN_CHECKED;
/* Share of the rows' variance that lies between the labels. REN_E_DATA for one label only. */
ren_status ren__separability(ren_context *context, const double *value, const int32_t *label, int32_t count,
                             int32_t columns, double *out) REN_CHECKED;

/* gates_logits.c: a gate's learned logits. `probability` is scan x REN_REGION_COUNT (NaN: did not run), `base` above 0
 * for the regions that take part. The logits l have the least sum over scans of the cross-entropy of the mixture's
 * probability plus l2 / 2 of their squares, with weights as gate.h gives them in the mode learned. Deterministic. */
typedef struct ren__logits_task {
    const double *probability;
    const int32_t *label;
    int32_t scans;
    const double *base;
    int32_t normalisation;
    double temperature, l2;
} ren__logits_task;
void ren__fit_logits(const ren__logits_task *task, double logit[REN_REGION_COUNT]);

/* What joins the probabilities of a mixture's experts: one of the two. */
typedef struct ren__combiner {
    ren_gate *gate;
    ren__predictor *stack; /* on ren__region_columns */
} ren__combiner;
void ren__combiner_end(ren__combiner *combiner); /* zeroed is fine */
/* From the regions' probabilities (NaN: did not run) to the mixture's, and to the weights (of a stack: 0). `evidence`
 * as for ren__gate_weights. */
ren_status ren__combiner_apply(const ren__combiner *combiner, const double probability[REN_REGION_COUNT],
                               const ren__evidence *evidence, ren__prediction *out) REN_CHECKED;
/* Of a finished mixture's job, and to its folder. */
ren_status ren__combiner_read(const ren_study *study, const ren__job *job, ren__combiner *out) REN_CHECKED;
ren_status ren__combiner_write(const ren_study *study, const ren__job *job, const ren__combiner *combiner) REN_CHECKED;

/* gates_fit.c: all that a mixture's job reads, from finished jobs. */
typedef struct ren__mixture_data {
    const ren_study *study;
    const ren__job *job;
    const ren__mixture_entry *mixture;
    const ren__gate_entry *gate; /* NULL: stacked */
    ren__arena *arena;
    int32_t count;                  /* validation scans of the fold */
    int32_t *scan, *label;          /* label: of the scan */
    double *probability;            /* scan x REN_REGION_COUNT; NaN: did not run */
    double value[REN_REGION_COUNT]; /* of the gate, and the base weights that they give */
    double base[REN_REGION_COUNT];
    ren__region_table table; /* of a gate whose weights depend on the scan */
    ren__columns columns;    /* of a gate of radiomics or features; may be empty */
    ren__predictor *predictor[REN_REGION_COUNT];
} ren__mixture_data;

ren_status ren__mixture_data_read(const ren_study *study, const ren__job *job, ren__mixture_data *out) REN_CHECKED;
void ren__mixture_data_end(ren__mixture_data *data);
/* Fits to `count` of the scans (indices into data->scan). */
ren_status ren__mixture_fit(const ren__mixture_data *data, const int32_t *use, int32_t count, ren__run *run,
                            ren__combiner *out) REN_CHECKED;
ren_status ren__mixture_apply(const ren__mixture_data *data, const ren__combiner *combiner, int32_t index,
                              ren__prediction *out) REN_CHECKED;

/* 1 / (1 + exp(-logit)), without overflow. */
double ren__logit_probability(double logit);

#endif
