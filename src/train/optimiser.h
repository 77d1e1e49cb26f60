/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdamW and SGD with momentum as PyTorch defines them, with the gradients' global norm clipped. One step reads
 * gradients twice (norm, update) and everything else once. It works on plain arrays, so it does not know networks.
 *
 * The bits of a step do not depend on the number of threads: elements are worked on in fixed chunks, and the norm is
 * the sum, chunk after chunk, of sums in double.
 */
#ifndef REN_TRAIN_OPTIMISER_H
#define REN_TRAIN_OPTIMISER_H

#include "base/context.h"

typedef enum ren__optimiser_kind { REN__ADAMW, REN__SGD } ren__optimiser_kind;

typedef struct ren__optimiser_options {
    ren__optimiser_kind kind;
    double weight_decay; /* AdamW: decoupled; SGD: added to the gradient */
    double beta[2];      /* AdamW */
    double epsilon;      /* AdamW */
    double momentum;     /* SGD; 0: no state is kept */
    double clip;         /* largest global norm of the gradients; 0: not clipped */
} ren__optimiser_options;

/* AdamW, decay 0.01, betas 0.9 and 0.999, epsilon 1e-8, momentum 0.9, clip 1. */
#define REN__OPTIMISER_OPTIONS_INIT                                                                                    \
    { REN__ADAMW, 0.01, { 0.9, 0.999 }, 1e-8, 0.9, 1.0 }

typedef struct ren__optimiser ren__optimiser;

/* For `count` parameters of `elements[i]` each. Holds what the kind keeps between steps, zeroed: two moments for AdamW,
 * one for SGD with momentum. */
ren_status ren__optimiser_create(ren_context *context, const ren__optimiser_options *options, const size_t *elements,
                                 int32_t count, ren__optimiser **out) REN_CHECKED;
void ren__optimiser_free(ren__optimiser *optimiser);

/* From now on parameter i learns at factor[i] times the rate (0: it stays as it is); as made, all at once the rate. */
void ren__optimiser_set_factors(ren__optimiser *optimiser, const double *factor);

/* One step of learning rate `rate`. `norm` (nullable) gets the norm before clipping. A norm that is not finite is
 * REN_E_DATA and leaves parameters and moments untouched. Gradients are only read. */
ren_status ren__optimiser_step(ren__optimiser *optimiser, float *const *parameters, const float *const *gradients,
                               double rate, double *norm) REN_CHECKED;

/* For checkpoints: the state after any number of steps is `steps` and `moments` arrays for each parameter. */
int64_t ren__optimiser_steps(const ren__optimiser *optimiser);
void ren__optimiser_set_steps(ren__optimiser *optimiser, int64_t steps);
int32_t ren__optimiser_moments(const ren__optimiser *optimiser);
float *ren__optimiser_moment(ren__optimiser *optimiser, int32_t moment, int32_t parameter);

#endif
