/* SPDX-License-Identifier: Apache-2.0 */
/* For those who add operators to the reference: how a step is described (reference.c) and computed (their own file). */
#ifndef REN_TESTS_REFERENCE_STEP_H
#define REN_TESTS_REFERENCE_STEP_H

#include "reference.h"

enum { REFERENCE_INPUTS = REN__MAX_INPUTS, REFERENCE_STEP_PARAMETERS = REN__MAX_PARAMETERS };

typedef void (*compute_fn)(const reference *r, reference_step *s, int training, int update);

struct reference_parameter {
    char name[48];
    ren__shape shape;
    int trained;
    double *value;
};

struct reference_step {
    compute_fn compute; /* NULL: an input */
    char name[16];      /* of an input */
    int input[REFERENCE_INPUTS];
    reference_parameter *parameter[REFERENCE_STEP_PARAMETERS];
    ren__shape shape;
    double *value;
    ren__value graph_value;
    ren__conv_options conv;
    int64_t size, stride, cells, classes;
    int32_t kind;
    double number, weight[REN__MAX_CLASSES];
    const void *options; /* of a family of operators of its own, from reference_take */
    uint32_t index;      /* of the operator in the graph */
};

/* Memory of the reference; without it the description has failed as a whole. */
void *reference_take(reference *r, size_t size);
/* A step that makes `value` of the graph from `a` and `b` (-1: none), with a's shape; NULL once something has failed.
 * The caller fills in the rest (more inputs too) and ends with reference_finish_step. */
reference_step *reference_add_step(reference *r, compute_fn compute, ren__value value, int a, int b);
int reference_finish_step(reference *r, reference_step *s);
/* Numbers evenly in centre +- spread. Call in the order in which the graph's own description adds them. */
reference_parameter *reference_add_parameter(reference *r, const char *name, const char *suffix, ren__shape shape,
                                             int trained, double centre, double spread);
/* "kind17": a name of its own for the next step. */
void reference_step_name(const reference *r, const char *kind, char name[24]);
ren__value reference_value(const reference *r, int value);
ren__shape reference_shape_of(const reference *r, int value);
int64_t reference_channels(const ren__shape *shape);

/* N, three spatial axes (missing ones are 1, in front), C. */
typedef struct box {
    int64_t batch, size[3], channels;
    int axes;
} box;
box reference_box(const ren__shape *shape);
int64_t reference_offset(const box *b, int64_t n, int64_t d, int64_t h, int64_t w, int64_t c);
/* Position `cell` of a box's positions (all samples), and their number. */
void reference_position(const box *b, int64_t cell, int64_t at[4]);
int64_t reference_positions(const box *b);

#endif
