/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks computed twice: each function below adds an operator to a ren__graph and to a list of its own, which is then
 * computed in double precision with plain loops (reference_ops.c and its kin). Gradients of the reference are central
 * differences of its loss. A value is known by its number in the list, -1 once something has failed.
 */
#ifndef REN_TESTS_REFERENCE_H
#define REN_TESTS_REFERENCE_H

#include "graph/op.h"
#include "ops/ops.h"

#include "harness.h"

enum { REFERENCE_STEPS = 96, REFERENCE_PARAMETERS = 96 };

typedef struct reference_step reference_step;
typedef struct reference_parameter reference_parameter;

typedef struct reference {
    ren_context *context;
    ren__arena *arena;
    ren__graph *graph;
    reference_step *steps[REFERENCE_STEPS];
    reference_parameter *parameters[REFERENCE_PARAMETERS];
    int step_count, parameter_count, loss;
    uint64_t seed; /* of dropout, with `epoch` and sample numbers 10, 11, ... */
    uint32_t epoch;
    uint64_t state; /* of the generator that the numbers come from */
} reference;

ren_status reference_create(ren_context *context, reference **out);
void reference_free(reference *r);

/* A tensor that is a parameter itself: its gradient is the gradient of what reads it. */
int reference_source(reference *r, ren__shape shape);
/* A tensor of normal numbers that no gradient has to reach. */
int reference_input(reference *r, ren__shape shape);
int reference_conv(reference *r, int x, const ren__conv_options *options);
int reference_norm(reference *r, int x);
int reference_linear(reference *r, int x, int64_t features, int32_t no_bias);
int reference_activate(reference *r, int x, ren__activation kind);
int reference_max_pool(reference *r, int x, int64_t kernel, int64_t stride);
int reference_average_pool(reference *r, int x, int64_t kernel, int64_t stride);
int reference_adaptive_average_pool(reference *r, int x, int64_t cells);
int reference_dropout(reference *r, int x, double rate, int channels);
int reference_flatten(reference *r, int x);
int reference_reshape(reference *r, int x, ren__shape shape);
int reference_softmax(reference *r, int x);
int reference_add(reference *r, int a, int b);
int reference_cross_entropy(reference *r, int logits, const double *weights, double smoothing);

/* Ends the description: the outputs "y" and, through a linear layer to three classes, "loss" (a scalar y is the loss
 * itself). `expose`: every value is an output, which leaves nothing to be fused or overwritten. */
ren_status reference_finish(reference *r, int y, int expose);
const ren__shape *reference_shape(const reference *r, int value);
/* Weights with the reference's numbers. */
ren_status reference_weights(const reference *r, ren__weights **out);
/* A session with the reference's inputs and randomness. */
ren_status reference_session(const reference *r, ren__weights *weights, int32_t mode, ren__session **out);

void reference_run(reference *r, int training, int update_statistics);
/* Everything the session gives out against the reference's last run; |error| <= tolerance x the tensor's largest. */
ren_status reference_compare(const reference *r, const ren__session *session, double tolerance);
ren_status reference_compare_statistics(const reference *r, const ren__weights *weights);
/* The session's gradients against central differences at up to `samples` elements of each parameter. */
ren_status reference_compare_gradients(reference *r, ren__session *session, const ren__weights *weights, int samples,
                                       double tolerance);

/* ---- cases ---- */

typedef struct reference_case {
    const char *name;
    int (*build)(reference *r, const struct reference_case *c);
    ren__shape shape;
    ren__conv_options conv;
    int64_t size, stride; /* of a window, features, cells */
    int32_t kind;         /* of an activation, or another choice */
    double number;
} reference_case;

/* Every family's cases, one after the other; NULL past the end. */
const reference_case *reference_case_at(int index);

/* Inference and training, fused and with every value given out, against the reference; runs repeat to the bit. */
ren_status reference_check(ren_context *context, const reference_case *c);

#endif
