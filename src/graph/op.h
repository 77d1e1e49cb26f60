/* SPDX-License-Identifier: Apache-2.0 */
/* For operators: what one is, how it describes itself to the graph, and what it is given when it runs. */
#ifndef REN_GRAPH_OP_H
#define REN_GRAPH_OP_H

#include "base/parallel.h"
#include "graph/graph.h"
#include "graph/weights.h"

enum { REN__MAX_INPUTS = 8, REN__MAX_PARAMETERS = 8 };

/* How a parameter is drawn before training. */
typedef struct ren__initialiser {
    enum {
        REN__INIT_ZERO,
        REN__INIT_ONE,
        REN__INIT_UNIFORM,
        REN__INIT_TRUNCATED_NORMAL,
        REN__INIT_LOG_INDEX,       /* log(1), log(2), ... along the last axis: Mamba's A_log */
        REN__INIT_INVERSE_SOFTPLUS /* such that softplus gives 0.001 to 0.1, evenly in the logarithm: Mamba's steps */
    } kind;
    double scale; /* bound of the uniform, sd of the normal */
} ren__initialiser;

typedef struct ren__parameter {
    const char *name;
    ren__shape shape;
    ren__initialiser initialiser;
    int trained; /* 0: a buffer */
} ren__parameter;

struct ren__op;

typedef struct ren__node {
    const struct ren__op *op;
    void *options; /* of the operator's own type, `op->option_bytes` long */
    int32_t input_count, parameter_count;
    ren__value input[REN__MAX_INPUTS];
    int32_t parameter[REN__MAX_PARAMETERS]; /* of the graph */
    ren__value output;
    int32_t index; /* in the described graph: names the node's random stream */
} ren__node;

/* One node of a session while it runs. Pointers are set before every call. */
typedef struct ren__step {
    ren_context *context;
    ren__run *run;
    const ren__node *node;
    int32_t training;
    int32_t bfloat; /* products of large matrices may round their factors to bfloat16 (inference only) */
    ren__weights *weights;
    ren__shape input_shape[REN__MAX_INPUTS], output_shape;
    const float *input[REN__MAX_INPUTS];
    float *output;
    float *input_gradient[REN__MAX_INPUTS]; /* NULL: not wanted; to be overwritten, not added to */
    const float *output_gradient;
    const float *parameter[REN__MAX_PARAMETERS];
    float *parameter_gradient[REN__MAX_PARAMETERS]; /* NULL for buffers; to be overwritten */
    int32_t weight_index[REN__MAX_PARAMETERS];
    void *state;   /* the operator's own, made by `plan`, ended by `release` */
    void *saved;   /* from forward to backward, `saved_bytes` set by `plan` */
    void *scratch; /* within one call, `scratch_bytes` set by `plan` */
    size_t saved_bytes, scratch_bytes;
    uint64_t seed;
    uint32_t epoch;
    const uint32_t *samples;
} ren__step;

/* What backward reads besides the output's gradient. */
enum {
    REN__KEEPS_INPUT = 1,           /* backward reads the inputs */
    REN__KEEPS_OUTPUT = 2,          /* backward reads the output */
    REN__IN_PLACE = 4,              /* forward may write its output over input 0 (inference; training where
                                       backward keeps no input) */
    REN__GRADIENT_IN_PLACE = 8,     /* the gradient of input 0 may be written over input 0 itself */
    REN__SKIPPED_IN_INFERENCE = 16, /* the identity outside training */
    REN__NO_GRADIENT = 32           /* no gradient reaches its inputs */
};

typedef struct ren__op {
    const char *name;
    size_t option_bytes;
    uint32_t flags;
    /* Output shape from the inputs' shapes (in `node->input`). */
    ren_status (*infer)(const ren__graph *graph, const ren__node *node, ren__shape *output);
    /* Makes kernels, sets saved_bytes and scratch_bytes; only shapes and parameters' shapes are known. May be NULL. */
    ren_status (*plan)(ren__step *step);
    /* Inference only, once, after `plan`: derives from the weights (packs, folds). May be NULL. */
    ren_status (*prepare)(ren__step *step);
    ren_status (*forward)(ren__step *step);
    ren_status (*backward)(ren__step *step); /* NULL with REN__NO_GRADIENT */
    void (*release)(ren__step *step);
    /* Floating-point operations of forward; NULL: one an output element. */
    double (*flops)(const ren__graph *graph, const ren__node *node);
    /* Takes over `next`, the only reader of this node's output: changes this node's options and parameters and returns
     * 1, or returns 0. May be NULL. */
    int (*absorb)(ren__graph *graph, ren__node *node, const ren__node *next, int32_t mode);
} ren__op;

/* Adds a node; `options` is copied. Returns its output, REN__NONE once the graph has failed. */
ren__value ren__graph_add(ren__graph *graph, const ren__op *op, const void *options, const ren__value *inputs,
                          int32_t input_count, const int32_t *parameters, int32_t parameter_count);
/* A parameter, "name.suffix" or, with an empty suffix, "name"; an existing one of the same name and shape is shared. -1
 * once the graph has failed. */
int32_t ren__graph_parameter(ren__graph *graph, const char *name, const char *suffix, ren__shape shape,
                             ren__initialiser initialiser, int trained);
/* Nodes in an order that respects what needs what; and how many readers a value has, an output counting as one more
 * (`last`, nullable, gets one that is a node). */
int32_t ren__graph_node_count(const ren__graph *graph);
const ren__node *ren__graph_node_at(const ren__graph *graph, int32_t index);
int32_t ren__graph_readers(const ren__graph *graph, ren__value value, const ren__node **last);
/* Adds a node of another graph with new inputs; parameters are found again by name. */
ren__value ren__graph_add_like(ren__graph *graph, const ren__graph *other, const ren__node *node, const void *options,
                               const ren__value *inputs);
/* The same parameter in this graph: added where it is not there yet. -1 once the graph has failed. */
int32_t ren__graph_share_parameter(ren__graph *graph, const ren__parameter *parameter);
int32_t ren__graph_value_count(const ren__graph *graph);
ren_context *ren__graph_context(const ren__graph *graph);
/* A copy that may be added to: same values, nodes, parameters and ends. */
ren_status ren__graph_copy(const ren__graph *graph, ren__graph **out);
int32_t ren__graph_parameter_count(const ren__graph *graph);
const ren__parameter *ren__graph_parameter_at(const ren__graph *graph, int32_t index);
/* Makes the graph fail. Returns REN__NONE. */
ren__value ren__graph_fail(ren__graph *graph, ren_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* All operators, for tests and timing; ops/ops.c has one line for each. */
extern const ren__op *const ren__ops[];

#endif
